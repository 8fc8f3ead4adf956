//! A token bucket: so many requests per second, with a burst.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::pace::Rate;
use crate::time::between;

/// How full a bucket is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// The rate that counts.
    pub rate: Rate,
    /// Requests that may go at once; below zero: so many wait for their turn.
    pub tokens: f64,
}

/// Counts requests against a [`Rate`]. Pure: the time is an argument.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    tokens: f64,
    counted_at: Timestamp,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self { rate, tokens: f64::from(rate.burst), counted_at: now }
    }

    /// How full it is. Reserves nothing.
    pub fn fill(&self, now: Timestamp) -> Fill {
        let elapsed = between(self.counted_at, now).as_secs_f64();
        let burst = f64::from(self.rate.burst);
        let tokens = (self.tokens + elapsed * self.rate.per_second).min(burst);
        Fill { rate: self.rate, tokens }
    }

    /// From now on another rate counts; what was saved up or overdrawn stays.
    pub fn change(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Reserves one request and tells how long to wait before it may go.
    ///
    /// Reservations are kept in order: the bucket goes below zero, and whoever comes later waits
    /// longer.
    pub fn reserve(&mut self, now: Timestamp) -> Duration {
        self.tokens = self.fill(now).tokens - 1.0;
        // Also backwards: else a clock that was set back would stop the refill until it has caught
        // up, and every request would wait longer than the one before.
        self.counted_at = now;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.tokens / self.rate.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::full(Rate { per_second: 2.0, burst: 3 }, T0);
        let waits: Vec<_> = (0..5).map(|_| bucket.reserve(T0).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
    }

    #[test]
    fn how_full_it_is_is_told_and_reserves_nothing() {
        let mut bucket = TokenBucket::full(Rate { per_second: 2.0, burst: 3 }, T0);
        let tokens = |bucket: &TokenBucket, second| bucket.fill(at(second)).tokens;
        assert_eq!((tokens(&bucket, 0), tokens(&bucket, 0)), (3.0, 3.0));
        for _ in 0..5 {
            bucket.reserve(T0);
        }
        assert_eq!((tokens(&bucket, 0), tokens(&bucket, 1)), (-2.0, 0.0));
        assert_eq!(
            (tokens(&bucket, 60), tokens(&bucket, -60)),
            (3.0, -2.0),
            "no more than a burst"
        );
    }

    #[test]
    fn another_rate_fills_nothing_up() {
        let mut bucket = TokenBucket::full(Rate { per_second: 1.0, burst: 2 }, T0);
        let waits: Vec<_> = (0..3).map(|_| bucket.reserve(T0).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1]);
        bucket.change(Rate { per_second: 2.0, burst: 100 });
        assert_eq!(bucket.reserve(T0).as_secs(), 1);
    }

    #[test]
    fn a_pause_refills_no_more_than_the_burst() {
        let mut bucket = TokenBucket::full(Rate { per_second: 1.0, burst: 2 }, T0);
        for _ in 0..2 {
            assert!(bucket.reserve(T0).is_zero());
        }
        let waits: Vec<_> = (0..3).map(|_| bucket.reserve(at(3600)).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1]);
    }

    #[test]
    fn a_clock_that_jumps_back_stops_nothing_and_hands_out_a_burst_at_most() {
        let mut bucket = TokenBucket::full(Rate { per_second: 1.0, burst: 1 }, T0);
        assert!(bucket.reserve(T0).is_zero());
        assert_eq!(bucket.reserve(at(-3600)).as_secs(), 1);
        for second in -3598..-3500 {
            let wait = bucket.reserve(at(second));
            assert!(wait.as_secs() <= 1, "{wait:?} at {second}");
        }
        assert!(bucket.reserve(at(3600)).is_zero());
        assert_eq!(bucket.reserve(at(3600)).as_secs(), 1);
    }
}
