//! One request to a target, and what its answer proves.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::clock::Clock;
use crate::domain::pace::Rate;
use crate::vendors::answer::{header, seconds};
use crate::vendors::desk::settings::Identity;
use crate::vendors::desk::verdict::{Class, Judged, class_of, judged};
use crate::vendors::line::Line;
use crate::vendors::transport::{Request, Response, SetUpError, Transport, TransportError};

/// How much of an answer is read: 4 MiB. An incident may have two thousand notes.
const READ_AT_MOST: usize = 4 * 1024 * 1024;

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
        (timeout, rate): (Duration, Rate),
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

    pub(super) fn successor(&self, (timeout, rate): (Duration, Rate)) -> Result<Self, SetUpError> {
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
        let class = match class_of(writes, response.status) {
            Class::Forbidden => Class::Denied,
            class => class,
        };
        let (who, credentials) = (self.who, self.credentials);
        let what = match class {
            Class::Done => format!("{who} took it"),
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
        let mut judged = judged(class, &what, response, self.clock.now(), redact);
        // PagerDuty's own name for it.
        let reset = || header(&response.headers, "ratelimit-reset").and_then(seconds);
        if class == Class::Throttled {
            judged.retry_after = judged.retry_after.or_else(reset);
        }
        judged
    }
}
