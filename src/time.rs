//! Arithmetic on times that cannot fail.

pub mod duration;

use std::time::Duration;

use jiff::Timestamp;

/// `time + duration`, or the last representable time.
pub fn later(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// `time - duration`, or the first representable time.
pub fn earlier(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

/// How long it is from `from` to `to`; zero if `to` is not after `from`.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
