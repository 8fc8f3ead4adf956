//! How long to wait before the next try: capped exponential backoff with full jitter.
//!
//! Pure: the random number is an argument, and the result is kept as a due time in the outbox, so
//! that waiting survives a restart.

use std::time::Duration;

/// When and for how long an action is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Upper bound of the first wait; it doubles with every further attempt.
    pub initial: Duration,
    /// No wait is longer, unless the vendor asks for more.
    pub max: Duration,
    /// An action that is older than this becomes a dead letter, for a person to look at.
    pub horizon: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(15 * 60),
            horizon: Duration::from_secs(72 * 60 * 60),
        }
    }
}

/// A vendor's own wish is honoured up to this long; a broken header must not park a case for days.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

impl Retry {
    /// The wait before attempt number `attempts + 1`, given `unit` in `0.0..1.0`.
    ///
    /// Full jitter: uniform between zero and the exponential bound, which spreads the actions
    /// that failed together. With `retry_after`, never earlier than the vendor asks (capped at an
    /// hour), with the jitter on top so that not everyone comes back in the same instant, and so
    /// that a vendor who says "at once" again and again is asked ever less often.
    pub fn delay(&self, attempts: u32, retry_after: Option<Duration>, unit: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let bound = self.initial.saturating_mul(1 << doublings).min(self.max);
        let jitter = bound.mul_f64(unit.clamp(0.0, 1.0));
        match retry_after {
            None => jitter,
            // No wish at all.
            Some(asked) if asked < Duration::from_secs(1) => jitter.max(asked),
            Some(asked) => {
                let jitter = jitter.min(Duration::from_secs(5)).min(asked);
                asked.min(MAX_RETRY_AFTER).saturating_add(jitter)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let retry = Retry { initial: SECOND, max: 10 * SECOND, ..Retry::default() };
        let bounds: Vec<_> =
            (1..=6).map(|attempts| retry.delay(attempts, None, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn a_vendor_that_asks_for_a_pause_gets_it() {
        let retry = Retry::default();
        assert_eq!(retry.delay(1, Some(30 * SECOND), 0.0), 30 * SECOND);
        assert!(retry.delay(9, Some(30 * SECOND), 1.0) <= 35 * SECOND);
        let absurd = Duration::from_secs(10_000_000);
        assert!(retry.delay(1, Some(absurd), 1.0) <= MAX_RETRY_AFTER + 5 * SECOND);
    }

    #[test]
    fn a_vendor_that_says_at_once_for_ever_is_asked_ever_less_often() {
        // `X-RateLimit-Next` in the past, on every answer.
        let retry = Retry::default();
        let waits: Vec<_> = [1, 4, 8, 12]
            .map(|attempts| retry.delay(attempts, Some(Duration::ZERO), 1.0).as_secs())
            .to_vec();
        assert_eq!(waits, [1, 8, 128, 900]);
    }

    proptest! {
        #[test]
        fn never_longer_than_the_cap_and_never_a_panic(attempts: u32, unit in 0.0..1.0f64) {
            let retry = Retry::default();
            prop_assert!(retry.delay(attempts, None, unit) <= retry.max);
        }
    }
}
