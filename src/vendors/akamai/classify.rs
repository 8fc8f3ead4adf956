//! What an answer proves.
//!
//! Pure. The tables are those of Akamai's page on errors (400, 401, 403, 404, 405 and 500 are
//! documented), of what the gateway before the API is known to say (EdgeGrid), and of caution:
//! whatever is not known to mean "nothing was done" is [`Class::Unknown`].

use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;
use jiff::Timestamp;
use serde_json::Value;

use super::meaning::{By, message};
use super::wire::Problem;
use crate::domain::text::excerpt;
use crate::vendors::Evidence;
use crate::vendors::answer::{header, http_date, retry_after, seconds, until};
use crate::vendors::transport::Response;

/// How much of what the vendor says goes into a message, in characters.
const EXCERPT: usize = 400;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A GET: harmless to repeat, so nothing about it is ever unknown.
    Read,
    /// A POST or PATCH: may have been done unless the answer proves otherwise.
    Write,
    /// A write that is accepted with 202 and goes on afterwards.
    Upload,
}

/// What an answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It was done.
    Done,
    /// Definitely not done, and pointless to repeat.
    Refused,
    /// Definitely not done; worth repeating later.
    NotSent,
    /// Definitely not done: who we are was not accepted.
    Denied,
    /// Definitely not done: the API, and not the gateway before it, forbids this very thing.
    Forbidden,
    /// Definitely not done: our clock is not the edge's.
    WrongTime,
    /// Definitely not done: a pause is asked for.
    Throttled,
    /// Not known.
    Unknown,
    /// What was read is not what it must be. Never an answer's own class: whoever looks says it.
    Implausible,
}

/// An answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it proves.
    pub class: Class,
    /// How long the vendor wants to be left alone, if it said so. Not capped.
    pub retry_after: Option<Duration>,
    /// The vendor's time by the `Date` header, to the second.
    pub date: Option<Timestamp>,
    /// The time that a gateway's refusal says it was made at.
    pub request_time: Option<Timestamp>,
    /// For people.
    pub evidence: Evidence,
}

/// Judges an answer that came at `now` on our clock.
pub fn classify(phase: Phase, response: &Response, now: Timestamp) -> Judged {
    let Response { status, headers, body, complete } = response;
    // Whatever content type it says; the vendor does not document one.
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let text = problem.as_ref().map_or_else(|| String::from_utf8_lossy(body).into_owned(), said);
    let problem = problem.unwrap_or_default();
    let kind = problem.kind.as_deref().unwrap_or_default();
    let gateway = kind.contains("/pep-authn/") || kind.contains("/pep-authz/");
    let by = if gateway { By::Gateway } else { By::Api };

    let class = match status {
        // The gateway's word: the request never reached the API.
        400..=499 if gateway => {
            let wrong_time = kind.contains("/pep-authn/")
                && problem.detail.as_deref().is_some_and(|detail| {
                    detail.to_ascii_lowercase().contains("invalid timestamp")
                });
            if wrong_time { Class::WrongTime } else { Class::Denied }
        }
        200 | 201 => Class::Done,
        202 if phase == Phase::Upload => Class::Done,
        403 if kind.contains("/error-types/") => Class::Forbidden,
        401 | 403 => Class::Denied,
        429 => Class::Throttled,
        400 | 404 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 => {
            // Without its body this may as well have been the gateway.
            if *complete { Class::Refused } else { Class::NotSent }
        }
        425 => Class::NotSent,
        _ => match phase {
            Phase::Read => Class::NotSent,
            Phase::Write | Phase::Upload => Class::Unknown,
        },
    };
    let date = header(headers, DATE.as_str()).and_then(http_date);
    Judged {
        class,
        retry_after: pause(headers, &problem, date.unwrap_or(now)),
        date,
        request_time: problem.request_time.as_deref().and_then(|time| time.parse().ok()),
        evidence: Evidence {
            status: Some(*status),
            reference: problem.instance.or(problem.request_id).map(|text| excerpt(&text, EXCERPT)),
            message: message(by, *status, class, &excerpt(&text, EXCERPT)),
        },
    }
}

/// The words of a problem document, with what it says of single fields, if it does.
fn said(problem: &Problem) -> String {
    let errors = problem.errors.as_ref().filter(|errors| !errors.is_null()).map(Value::to_string);
    [&problem.title, &problem.detail, &errors]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(": ")
}

/// How long the vendor wants to be left alone: `Retry-After` in seconds or as a date, then
/// `X-RateLimit-Next` (RFC 3339, when a next request is allowed; the Go library waits until then
/// counted from `Date`), then the body's `retryAfter` in seconds. A time that has passed is zero.
fn pause(headers: &HeaderMap, problem: &Problem, their_now: Timestamp) -> Option<Duration> {
    retry_after(headers, their_now)
        .or_else(|| {
            let next = header(headers, "x-ratelimit-next")?.parse().ok()?;
            Some(until(next, their_now))
        })
        .or_else(|| match problem.retry_after.as_ref()? {
            Value::Number(number) => {
                let number = number.as_f64().filter(|number| *number >= 0.0)?;
                Duration::try_from_secs_f64(number).ok()
            }
            Value::String(text) => seconds(text.trim()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect();
        Response { status, headers, body: body.as_bytes().to_vec(), complete: true }
    }

    fn write(status: u16, body: &str) -> Class {
        classify(Phase::Write, &answer(status, &[], body), now()).class
    }

    fn gateway(kind: &str, detail: &str) -> String {
        format!(
            r#"{{"type":"https://problems.luna.akamaiapis.net/-/{kind}","title":"T","detail":"{detail}",
                "instance":"https://akab.example/x","requestId":"4dbb7f8","requestTime":"2026-11-23T12:02:00Z"}}"#
        )
    }

    #[test]
    fn what_each_status_proves_about_a_write() {
        for (status, class) in [
            (200, Class::Done),
            (201, Class::Done),
            (202, Class::Unknown),
            (204, Class::Unknown),
            (301, Class::Unknown),
            (307, Class::Unknown),
            (400, Class::Refused),
            (401, Class::Denied),
            (403, Class::Denied),
            (404, Class::Refused),
            (405, Class::Refused),
            (408, Class::Unknown),
            (409, Class::Unknown),
            (413, Class::Refused),
            (415, Class::Refused),
            (418, Class::Unknown),
            (422, Class::Refused),
            (425, Class::NotSent),
            (429, Class::Throttled),
            (500, Class::Unknown),
            (502, Class::Unknown),
            (503, Class::Unknown),
            (504, Class::Unknown),
            (599, Class::Unknown),
            (999, Class::Unknown),
        ] {
            for body in ["", "<html>\u{1b}[31m", "[]", "null", "{\"type\":null}"] {
                assert_eq!(write(status, body), class, "{status} {body}");
            }
        }
    }

    #[test]
    fn nothing_about_a_read_is_unknown() {
        for status in 100..=999 {
            let class = classify(Phase::Read, &answer(status, &[], ""), now()).class;
            assert_ne!(class, Class::Unknown, "{status}");
            if !(200..500).contains(&status) {
                assert_eq!(class, Class::NotSent, "{status}");
            }
        }
    }

    #[test]
    fn the_gateways_refusals_are_told_from_the_apis() {
        for (status, kind, detail, class) in [
            (400, "pep-authn/request-error", "Invalid timestamp", Class::WrongTime),
            (400, "pep-authn/request-error", "Invalid client token", Class::Denied),
            (401, "pep-authn/deny", "Inactive client token", Class::Denied),
            (401, "pep-authn/deny", "The signature does not match", Class::Denied),
            (403, "pep-authz/deny", "The client does not have the grant", Class::Denied),
            (404, "pep-authn/whatever", "", Class::Denied),
        ] {
            assert_eq!(write(status, &gateway(kind, detail)), class, "{detail}");
        }
        // The API's own 400 may quote anything.
        let api = r#"{"type":"/case-management/v3/error-types/bad-request","detail":"Invalid timestamp"}"#;
        assert_eq!(write(400, api), Class::Refused);
    }

    #[test]
    fn a_refusal_whose_body_was_cut_is_definite_but_not_permanent() {
        let cut = |status| Response { complete: false, ..answer(status, &[], "{\"ty") };
        let class = |status| classify(Phase::Write, &cut(status), now()).class;
        assert_eq!(class(400), Class::NotSent);
        assert_eq!(class(401), Class::Denied);
        assert_eq!(class(500), Class::Unknown);
    }

    #[test]
    fn a_pause_is_read_from_wherever_the_vendor_puts_it() {
        let date = ("date", "Mon, 23 Nov 2026 12:00:10 GMT");
        for (headers, body, seconds) in [
            (vec![("retry-after", "7")], "", Some(7)),
            (vec![("retry-after", "Mon, 23 Nov 2026 12:01:00 GMT")], "", Some(60)),
            (vec![date, ("retry-after", "Mon, 23 Nov 2026 12:01:00 GMT")], "", Some(50)),
            (vec![date, ("x-ratelimit-next", "2026-11-23T12:00:40.000Z")], "", Some(30)),
            (vec![("retry-after", "5"), ("x-ratelimit-next", "2026-11-23T13:00:00Z")], "", Some(5)),
            (vec![("x-ratelimit-next", "2026-11-23T11:00:00Z")], "", Some(0)),
            (vec![], r#"{"retryAfter": 12}"#, Some(12)),
            (vec![], r#"{"retryAfter": "13"}"#, Some(13)),
            (vec![("retry-after", "soon")], r#"{"retryAfter": 14}"#, Some(14)),
            (vec![("retry-after", "-1")], r#"{"retryAfter": -1}"#, None),
            (vec![], r#"{"retryAfter": 1e300}"#, None),
            (vec![], "Too many requests", None),
        ] {
            let judged = classify(Phase::Write, &answer(429, &headers, body), now());
            assert_eq!(judged.retry_after, seconds.map(Duration::from_secs), "{headers:?} {body}");
            assert_eq!(judged.class, Class::Throttled);
        }
    }

    #[test]
    fn the_vendors_times_are_read_from_the_header_and_from_the_body() {
        let body = gateway("pep-authn/request-error", "Invalid timestamp");
        let times = |headers: &[(&'static str, &str)], body: &str| {
            let judged = classify(Phase::Write, &answer(400, headers, body), now());
            (judged.date.map(|t| t.to_string()), judged.request_time.map(|t| t.to_string()))
        };
        let date = ("date", "Mon, 23 Nov 2026 11:59:00 GMT");
        let (in_header, in_body) =
            (Some("2026-11-23T11:59:00Z".to_owned()), Some("2026-11-23T12:02:00Z".to_owned()));
        assert_eq!(times(&[date], &body), (in_header, in_body.clone()));
        assert_eq!(times(&[("date", "today")], &body), (None, in_body));
        assert_eq!(times(&[], ""), (None, None));
    }

    #[test]
    fn accepted_is_done_only_where_a_file_was_sent() {
        let class = |phase, status| classify(phase, &answer(status, &[], ""), now()).class;
        assert_eq!(class(Phase::Upload, 202), Class::Done);
        assert_eq!(class(Phase::Write, 202), Class::Unknown);
        assert_eq!(class(Phase::Upload, 500), Class::Unknown);
    }

    #[test]
    fn evidence_names_the_vendors_reference_and_says_what_to_do() {
        let body = r#"{"type":"/case-management/v3/error-types/bad-request","title":"Bad request",
            "detail":"severity\u0000 is\nwrong","instance":"/case-management/v3/error-instances/ab-1"}"#;
        let judged = classify(Phase::Write, &answer(400, &[], body), now());
        assert_eq!(
            judged.evidence,
            Evidence {
                status: Some(400),
                reference: Some("/case-management/v3/error-instances/ab-1".to_owned()),
                message: "Akamai refused the request: compare its names and severity with the category's page in Control Center, or with `casewright catalog show` (400: Bad request: severity is wrong)".to_owned(),
            }
        );
        let without = gateway("pep-authz/deny", "x").replace("instance", "other");
        let judged = classify(Phase::Write, &answer(403, &[], &without), now());
        assert_eq!(judged.evidence.reference.as_deref(), Some("4dbb7f8"));
    }

    /// Every kind of answer that is known, as it is told to a person.
    #[test]
    fn each_answer_is_told_in_words_that_help() {
        let api = |name: &str, detail: &str| {
            format!(
                r#"{{"type":"/case-management/v3/error-types/{name}","title":"T","detail":"{detail}"}}"#
            )
        };
        let mut told = String::new();
        for (status, body) in [
            (400, gateway("pep-authn/request-error", "Invalid timestamp")),
            (400, gateway("pep-authn/request-error", "Invalid client token")),
            (400, gateway("pep-authn/request-error", "Nonce was seen before")),
            (401, gateway("pep-authn/deny", "Inactive client token")),
            (401, gateway("pep-authn/deny", "The signature does not match")),
            (401, gateway("pep-authn/deny", "whatever")),
            (
                403,
                gateway(
                    "pep-authz/deny",
                    "The client does not have the grant needed for the request",
                ),
            ),
            (403, gateway("pep-authz/deny", "whatever")),
            (400, api("bad-request", "The request body is invalid.")),
            (
                400,
                r#"{"title":"Bad","errors":[{"field":"severity","detail":"unknown"}]}"#.to_owned(),
            ),
            (401, r#"{"type":"about:blank","detail":"Detailed message"}"#.to_owned()),
            (403, api("forbidden", "You have no permission.")),
            (404, api("not-found", "There is no such resource.")),
            (405, api("method-not-allowed", "")),
            (413, String::new()),
            (415, String::new()),
            (422, String::new()),
            (425, String::new()),
            (429, "slow down".to_owned()),
            (302, String::new()),
            (500, api("internal-server-error", "")),
            (503, "<html>".to_owned()),
        ] {
            for phase in [Phase::Write, Phase::Read] {
                let judged = classify(phase, &answer(status, &[], &body), now());
                let line = format!("{phase:?}: {}\n", judged.evidence.message);
                if !told.ends_with(&line.replacen("Read", "Write", 1)) {
                    told.push_str(&line);
                }
            }
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn foreign_texts_are_bounded_and_clean() {
        let huge = "\u{1b}[2Jé ".repeat(100_000);
        let judged = classify(Phase::Write, &answer(500, &[], &huge), now());
        assert!(judged.evidence.message.chars().count() < 700);
        assert!(!judged.evidence.message.chars().any(char::is_control));
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("abcd", 3), "abc…");
    }

    proptest! {
        #[test]
        fn no_answer_panics_and_no_5xx_is_definite(
            status in 0u16..1000,
            body in prop::collection::vec(any::<u8>(), 0..200),
            detail in ".*",
            pause in "[ -~]{0,30}",
        ) {
            let document = serde_json::json!({
                "type": "x/-/pep-authn/y", "detail": detail, "instance": detail,
                "requestTime": detail, "retryAfter": pause,
            });
            for body in [body, document.to_string().into_bytes()] {
                let mut answer = answer(status, &[], "");
                answer.body = body;
                for name in ["retry-after", "x-ratelimit-next", "date"] {
                    answer.headers.insert(name, HeaderValue::from_str(&pause).unwrap());
                }
                let judged = classify(Phase::Write, &answer, now());
                prop_assert!(!judged.evidence.message.chars().any(char::is_control));
                prop_assert!(!(500..600).contains(&status) || judged.class == Class::Unknown);
            }
        }
    }
}
