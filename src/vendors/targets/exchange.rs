//! One request to a target, and what its answer proves.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::clock::Clock;
use crate::domain::pace::Rate;
use crate::vendors::answer::{excerpt, header, seconds};
use crate::vendors::desk::settings::Identity;
use crate::vendors::desk::verdict::{Class, Judged, judge};
use crate::vendors::line::Line;
use crate::vendors::transport::{Request, Response, SetUpError, Transport, TransportError};

/// How much of an answer is read: 4 MiB. An incident may have two thousand notes.
const READ_AT_MOST: usize = 4 * 1024 * 1024;
/// How much of what a target says goes into a message, in characters.
const EXCERPT: usize = 300;

/// The way to a target.
pub(super) struct Exchange {
    line: Line,
    clock: Arc<dyn Clock>,
    /// What people call the target.
    pub(super) who: &'static str,
    /// Where its credentials stand in the config.
    pub(super) credentials: &'static str,
}

/// An answer, or the lack of one, judged.
pub(super) struct Exchanged {
    pub(super) judged: Judged,
    pub(super) response: Option<Response>,
}

/// Something to be asked of a target.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) identity: Option<&'a Identity>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Value>,
    /// A second time changes nothing: what is not known may be repeated.
    pub(super) repeatable: bool,
}

impl Exchange {
    pub(super) fn new(
        who: &'static str,
        credentials: &'static str,
        timeout: Duration,
        rate: Rate,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let line = Line::new(timeout, rate, clock.clone())?;
        Ok(Self { line, clock, who, credentials })
    }

    pub(super) fn over(
        who: &'static str,
        credentials: &'static str,
        (timeout, rate): (Duration, Rate),
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let line = Line::over(transport, timeout, rate, clock.clone());
        Self { line, clock, who, credentials }
    }

    pub(super) fn successor(&self, timeout: Duration, rate: Rate) -> Result<Self, SetUpError> {
        let line = self.line.successor(timeout, rate)?;
        Ok(Self { line, clock: self.clock.clone(), ..*self })
    }

    pub(super) fn take_over(&self) {
        self.line.take_over();
    }

    pub(super) async fn ask(&self, ask: Ask<'_>) -> Exchanged {
        let Ask { method, url, identity, mut headers, body, repeatable } = ask;
        self.line.turn().await;
        let writes = method != Method::GET;
        if !headers.contains_key(ACCEPT) {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(identity) = identity {
            let (name, value) = identity.header();
            headers.insert(name, value);
        }
        // A tree of plain values can always be written.
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request { method, url, headers, body, read_at_most: READ_AT_MOST };
        let (mut judged, response) = match self.line.execute(request).await {
            Ok(response) => (self.judge(writes, &response, identity), Some(response)),
            Err(TransportError::NotSent(why)) => {
                let message = format!("{} cannot be reached ({why})", self.who);
                (Judged::without_answer(Class::NotSent, message), None)
            }
            Err(TransportError::Unknown(why)) => {
                let class = if writes { Class::Unknown } else { Class::NotSent };
                let message = format!("the answer of {} was lost ({why})", self.who);
                (Judged::without_answer(class, message), None)
            }
        };
        if repeatable && judged.class == Class::Unknown {
            judged.class = Class::NotSent;
        }
        Exchanged { judged, response }
    }

    fn judge(&self, writes: bool, response: &Response, identity: Option<&Identity>) -> Judged {
        let redact =
            |text: &str| identity.map_or_else(|| text.to_owned(), |known| known.redact(text));
        let mut judged = judge(writes, response, self.clock.now(), redact);
        if judged.class == Class::Forbidden {
            judged.class = Class::Denied;
        }
        // PagerDuty's own name for it.
        let reset = || header(&response.headers, "ratelimit-reset").and_then(seconds);
        if judged.class == Class::Throttled {
            judged.retry_after = judged.retry_after.or_else(reset);
        }
        // Before it is cut: a piece of a secret is not known to be one.
        let said = excerpt(&redact(&String::from_utf8_lossy(&response.body)), EXCERPT);
        let (who, credentials) = (self.who, self.credentials);
        let what = match judged.class {
            Class::Done => return judged,
            Class::Denied => {
                format!("{who} does not accept who we are, or what we may do: check {credentials}")
            }
            Class::Throttled => format!("{who} asks for a pause: too many requests"),
            Class::Missing => format!("{who} knows no such thing"),
            Class::Refused => format!("{who} refused it"),
            Class::NotSent => format!("{who} did not take it"),
            Class::Forbidden | Class::Unknown | Class::Implausible => {
                format!("whether {who} did it cannot be told by its answer")
            }
        };
        let status = response.status;
        judged.evidence.message = if said.is_empty() {
            format!("{what} ({status})")
        } else {
            format!("{what} ({status}: {said})")
        };
        judged
    }
}
