//! The retry budget: what is tried again must not crowd out what has not been tried yet.
//!
//! While a vendor fails, repeats are only a trickle. As soon as it does its work again, each
//! success pays for another repeat, so that a backlog is worked off at full speed.

use std::time::Duration;

use jiff::Timestamp;

use crate::time::between;

/// Counts repeats against successes. Pure: the time is an argument.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    per_second: f64,
    tokens: f64,
    counted_at: Timestamp,
}

/// Repeats that may go at once after a quiet time.
const MOST: f64 = 20.0;

/// What a success pays for: itself, if it was a repeat, and one more.
const DEPOSIT: f64 = 2.0;

impl RetryBudget {
    /// A full budget; `per_second` repeats are always granted, successes or not.
    pub fn full(per_second: f64, now: Timestamp) -> Self {
        Self { per_second, tokens: MOST, counted_at: now }
    }

    /// From now on so many repeats are always granted; what was saved up or overdrawn stays.
    pub fn grant(&mut self, per_second: f64) {
        self.per_second = per_second;
    }

    /// How many repeats may go now.
    pub fn available(&mut self, now: Timestamp) -> u32 {
        let elapsed: Duration = between(self.counted_at, now);
        self.deposit(elapsed.as_secs_f64() * self.per_second);
        self.counted_at = now;
        // At most `MOST`, at least zero.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
        let whole = self.tokens.max(0.0) as u32;
        whole
    }

    /// A repeat goes.
    pub fn spend(&mut self) {
        self.tokens = (self.tokens - 1.0).max(-MOST);
    }

    /// Something has succeeded.
    pub fn succeeded(&mut self) {
        self.deposit(DEPOSIT);
    }

    fn deposit(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    fn spent() -> RetryBudget {
        let mut budget = RetryBudget::full(0.2, T0);
        for _ in 0..20 {
            assert!(budget.available(T0) > 0);
            budget.spend();
        }
        budget
    }

    #[test]
    fn a_vendor_that_fails_gets_a_burst_and_then_a_trickle_of_repeats() {
        let mut budget = spent();
        assert_eq!(budget.available(at(4)), 0);
        assert_eq!(budget.available(at(5)), 1);
        budget.spend();
        assert_eq!(budget.available(at(9)), 0);
    }

    #[test]
    fn successes_pay_for_repeats_so_that_a_backlog_goes_at_full_speed() {
        let mut budget = spent();
        budget.succeeded();
        for _ in 0..100 {
            assert!(budget.available(T0) > 0);
            budget.spend();
            budget.succeeded();
        }
    }

    #[test]
    fn another_grant_changes_the_trickle_and_fills_nothing_up() {
        let mut budget = spent();
        budget.grant(1.0);
        assert_eq!(budget.available(T0), 0);
        assert_eq!(budget.available(at(3)), 3);
    }

    #[test]
    fn a_quiet_year_saves_up_no_more_than_a_burst() {
        let mut budget = spent();
        assert_eq!(budget.available(at(365 * 24 * 60 * 60)), 20);
        assert_eq!(budget.available(at(0)), 20); // Set back: nothing is taken away.
    }
}
