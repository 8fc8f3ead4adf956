//! What every HTTP answer has, whoever gives it.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// A header's value without blanks around it, if it is text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that servers may still send.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After`, in seconds or as a date, which is counted from `their_now`. A time that has
/// passed is zero.
pub(super) fn retry_after(headers: &HeaderMap, their_now: Timestamp) -> Option<Duration> {
    let value = header(headers, RETRY_AFTER.as_str())?;
    seconds(value).or_else(|| http_date(value).map(|then| until(then, their_now)))
}

/// Whole seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// From a time to another; zero if that has passed.
pub(super) fn until(then: Timestamp, their_now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(their_now)).unwrap_or(Duration::ZERO)
}
