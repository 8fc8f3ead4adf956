//! How long what is over is remembered. What is not over, and what tells one case from the next,
//! is remembered for ever; that is the store's promise and not a matter of these numbers.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to keep what nobody needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Deliveries, counted from when they were received.
    pub deliveries: Duration,
    /// Attempts of done actions of ended incidents, counted from when they finished.
    pub attempts: Duration,
    /// Ended incidents with their alerts and actions, counted from when they ended.
    pub incidents: Duration,
    /// The record of what people have had done.
    pub audit: Duration,
}

impl Retention {
    /// A sender's own retries, and a person's question about yesterday.
    pub const MIN_DELIVERIES: Duration = DAY;
    /// As for deliveries.
    pub const MIN_ATTEMPTS: Duration = DAY;
    /// A re-fire goes on with the same case until 14 days after the end
    /// ([`Policy::MAX_REOPEN_WITHIN`](super::lifecycle::Policy::MAX_REOPEN_WITHIN)), and needs the
    /// incident's alerts for that.
    pub const MIN_INCIDENTS: Duration = DAY.saturating_mul(15);
    /// Whoever asks who did it may ask a month later.
    pub const MIN_AUDIT: Duration = DAY.saturating_mul(30);
    /// Long enough to be called for ever.
    pub const MAX: Duration = DAY.saturating_mul(100 * 365);
    /// PagerDuty retries a webhook for up to two days; a person may replay one later than that.
    const MIN_DELIVERY_IDS: Duration = DAY.saturating_mul(7);

    /// How long to keep the ids by which redeliveries are recognised: never shorter than the
    /// deliveries themselves, and never shorter than a sender may redeliver.
    pub fn delivery_ids(&self) -> Duration {
        self.deliveries.max(Self::MIN_DELIVERY_IDS)
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { deliveries: DAY * 30, attempts: DAY * 90, incidents: DAY * 400, audit: DAY * 365 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifecycle::Policy;

    #[test]
    fn an_incident_that_can_still_go_on_is_never_old_enough_to_be_pruned() {
        assert!(Retention::MIN_INCIDENTS > Policy::MAX_REOPEN_WITHIN);
    }

    #[test]
    fn ids_of_deliveries_stay_a_week_and_as_long_as_deliveries() {
        let days = |days| Retention { deliveries: DAY * days, ..Retention::default() };
        assert_eq!(days(1).delivery_ids(), DAY * 7);
        assert_eq!(days(7).delivery_ids(), DAY * 7);
        assert_eq!(days(8).delivery_ids(), DAY * 8);
    }
}
