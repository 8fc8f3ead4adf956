//! What an answer proves.
//!
//! Pure. Of a desk nothing is known but HTTP, so whatever HTTP does not define to mean "nothing was
//! done" is [`Class::Unknown`] after a write.

use std::time::Duration;

use http::header::DATE;
use jiff::Timestamp;
use serde_json::Value;

use crate::domain::desk::Taken;
use crate::domain::text::excerpt;
use crate::vendors::answer::{header, http_date, retry_after};
use crate::vendors::transport::Response;
use crate::vendors::{Evidence, Look, Obstacle, Outcome, Probe};

/// How much of what the desk says goes into a message, in characters.
const EXCERPT: usize = 400;

/// What an answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vendors) enum Class {
    /// It was done.
    Done,
    /// Definitely not done, and pointless to repeat.
    Refused,
    /// Definitely not done: there is no such thing.
    Missing,
    /// Definitely not done: this very thing is forbidden.
    Forbidden,
    /// Definitely not done; worth repeating later.
    NotSent,
    /// Definitely not done: who we are was not accepted.
    Denied,
    /// Definitely not done: a pause is asked for.
    Throttled,
    /// Not known.
    Unknown,
    /// What was read is not what it must be. Never an answer's own class: whoever reads it says so.
    Implausible,
}

/// An answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::vendors) struct Judged {
    pub(in crate::vendors) class: Class,
    /// How long the desk wants to be left alone, if it said so. Not capped.
    pub(in crate::vendors) retry_after: Option<Duration>,
    pub(in crate::vendors) evidence: Evidence,
}

/// What a status proves of a read or a write.
pub(in crate::vendors) fn class_of(writes: bool, status: u16) -> Class {
    match status {
        200..=299 => Class::Done,
        401 => Class::Denied,
        // Who may not read may do nothing that matters; who may not write may lack the right to
        // this one ticket only.
        403 if writes => Class::Forbidden,
        403 => Class::Denied,
        404 | 410 => Class::Missing,
        425 => Class::NotSent,
        429 => Class::Throttled,
        // Another request was in the way: perhaps an earlier one of ours.
        408 | 409 if writes => Class::Unknown,
        400..=499 => Class::Refused,
        _ if writes => Class::Unknown,
        _ => Class::NotSent,
    }
}

/// Judges an answer of a desk that came at `now` on our clock.
pub(in crate::vendors) fn judge(
    writes: bool,
    response: &Response,
    now: Timestamp,
    redact: impl Fn(&str) -> String,
) -> Judged {
    let class = class_of(writes, response.status);
    judged(class, what(response.status, class), response, now, redact)
}

/// An answer that proves so much, and what that means, for people.
pub(in crate::vendors) fn judged(
    class: Class,
    what: &str,
    response: &Response,
    now: Timestamp,
    redact: impl Fn(&str) -> String,
) -> Judged {
    let Response { status, headers, body, .. } = response;
    let their_now = header(headers, DATE.as_str()).and_then(http_date).unwrap_or(now);
    // Before it is cut: a piece of a secret is not known to be one.
    let said = excerpt(&redact(&String::from_utf8_lossy(body)), EXCERPT);
    let message = match class {
        Class::Done => format!("{what} ({status})"),
        _ if said.is_empty() => format!("{what} ({status})"),
        _ => format!("{what} ({status}: {said})"),
    };
    let evidence = Evidence { status: Some(*status), reference: None, message };
    Judged { class, retry_after: retry_after(headers, their_now), evidence }
}

impl Judged {
    pub(in crate::vendors) fn without_answer(class: Class, message: String) -> Self {
        let evidence = Evidence { status: None, reference: None, message };
        Self { class, retry_after: None, evidence }
    }
}

/// Something that was read and cannot be right.
pub(super) fn implausible(message: String) -> Box<Judged> {
    Box::new(Judged::without_answer(Class::Implausible, message))
}

/// Whether an answer says that the key of the request was used before.
pub(super) fn is_taken(taken: &Taken, response: &Response) -> bool {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let said = body.as_ref().and_then(|body| body.pointer(taken.pointer.as_str()));
    response.status == taken.status
        && said.is_some_and(|said| match said {
            Value::String(text) => text.contains(&taken.contains),
            other => other.to_string().contains(&taken.contains),
        })
}

/// What a person reads: what happened, and what to do.
fn what(status: u16, class: Class) -> &'static str {
    match (status, class) {
        (_, Class::Done) => "the desk confirmed it",
        (401, _) => "the desk did not accept the credentials: check `auth`",
        (_, Class::Denied) => {
            "the desk does not let this user read: give it the right to, or check `auth`"
        }
        (_, Class::Forbidden) => "the desk forbids this to this user",
        (_, Class::Throttled) => "the desk asks for a pause: too many requests",
        (_, Class::Missing) => "the desk knows no such address: check the `path`, and the ticket",
        (400..=499, Class::Refused) => {
            "the desk refused the request: compare its `body` with what the desk wants"
        }
        (300..=399, _) => {
            "the desk answered with a redirect, which is never followed: check `base_url`"
        }
        (500..=599, Class::Unknown) => {
            "the desk failed, and may have done it before it failed: its records will be read before anything is repeated"
        }
        (_, Class::Unknown) => {
            "the desk's answer does not tell whether it was done: its records will be read before anything is repeated"
        }
        (500..=599, _) => "the desk failed; it will be asked again",
        (_, Class::NotSent | Class::Refused) => "the desk did not take the request",
        (_, Class::Implausible) => "the desk's records are not what they must be",
    }
}

pub(in crate::vendors) fn refused(message: String) -> Outcome {
    Outcome::Refused(Evidence { status: None, reference: None, message })
}

/// The outcome of what was not confirmed.
pub(in crate::vendors) fn not_done(judged: Judged) -> Outcome {
    let Judged { class, retry_after, evidence } = judged;
    match class {
        Class::Refused | Class::Missing | Class::Forbidden => Outcome::Refused(evidence),
        Class::NotSent if retry_after.is_some() => Outcome::Throttled { retry_after, evidence },
        Class::NotSent => Outcome::NotSent(evidence),
        Class::Denied => Outcome::Denied(evidence),
        Class::Throttled => Outcome::Throttled { retry_after, evidence },
        // A confirmed answer never gets here; if one did, nobody would know.
        Class::Unknown | Class::Done | Class::Implausible => Outcome::Unknown(evidence),
    }
}

/// What the answer to a probe says of who was asked.
pub(in crate::vendors) fn probed(judged: Judged) -> Probe {
    let Judged { class, retry_after, evidence } = judged;
    match class {
        Class::Done => Probe::Up,
        Class::Denied | Class::Forbidden => Probe::Denied(evidence),
        Class::Throttled => Probe::Throttled { retry_after, evidence },
        // A 503 may name a pause, too.
        _ if retry_after.is_some() => Probe::Throttled { retry_after, evidence },
        Class::Refused | Class::Missing | Class::NotSent | Class::Unknown | Class::Implausible => {
            Probe::Down(evidence)
        }
    }
}

/// The look that met this.
pub(in crate::vendors) fn failed(judged: Judged) -> Look {
    let obstacle = match judged.class {
        Class::Denied => Obstacle::Denied,
        Class::Refused | Class::Missing | Class::Forbidden | Class::Implausible => Obstacle::Record,
        Class::Done | Class::NotSent | Class::Throttled | Class::Unknown => Obstacle::Vendor,
    };
    Look::Failed { retry_after: judged.retry_after, obstacle, evidence: judged.evidence }
}
