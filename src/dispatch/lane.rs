//! A lane: one vendor, with its own limits, so that a vendor that is down never blocks another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::domain::backoff::Retry;
use crate::domain::budget::RetryBudget;
use crate::domain::gate::{Admission, Breaker, Change, Gate, Sign};
use crate::domain::ids::VendorName;
use crate::domain::pace::Reconcile;
use crate::store::Turn;
use crate::vendors::Vendor;

/// How a lane behaves.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// Longest time that one request to the vendor may take.
    pub timeout: Duration,
    /// When and for how long to try again.
    pub retry: Retry,
    /// How to look for what may have been done.
    pub reconcile: Reconcile,
    /// When a vendor that fails is left alone.
    pub breaker: Breaker,
    /// Repeats per second that are granted while nothing succeeds; above zero.
    pub retries_per_second: f64,
    /// How many actions are worked on at once.
    pub concurrency: usize,
}

/// See the [module](self).
pub struct Lane {
    /// The vendor's configured name.
    pub name: VendorName,
    /// The vendor.
    pub vendor: Arc<dyn Vendor>,
    /// How the lane behaves.
    pub settings: LaneSettings,
    pub(super) slots: Arc<Semaphore>,
    condition: Mutex<Condition>,
}

/// What changes from exchange to exchange.
struct Condition {
    gate: Gate,
    budget: RetryBudget,
    /// Counts claims, for turns by age.
    claims: u32,
    probing: bool,
}

/// What a lane may claim now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Which actions go first.
    pub(super) turn: Turn,
    /// Whether what was sent before may be sent again.
    pub(super) repeats: bool,
}

/// Every so many claims, the action goes first that has waited longest, however urgent others
/// are: under a storm of openings, comments and closures come through as well.
const AGE_EVERY: u32 = 4;

impl Lane {
    /// A lane to `vendor`.
    pub fn new(
        name: VendorName,
        vendor: Arc<dyn Vendor>,
        settings: LaneSettings,
        now: Timestamp,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let budget = RetryBudget::full(settings.retries_per_second, now);
        let condition =
            Mutex::new(Condition { gate: Gate::default(), budget, claims: 0, probing: false });
        Self { name, vendor, settings, slots, condition }
    }

    /// How long one part of the work (drafting, sending, looking) may take: several requests (a
    /// look reads many pages), each with its own timeout. A part that is not done by then is given
    /// up.
    pub(super) fn deadline(&self) -> Duration {
        self.settings.timeout.saturating_mul(10)
    }

    /// How long a claim lasts. *Invariant:* longer than the work itself, so that no second party
    /// starts while a request of the first may still be under way: drafting, sending, and drafting
    /// anew after a refusal.
    pub(super) fn lease(&self) -> Duration {
        self.deadline().saturating_mul(3).saturating_add(Duration::from_secs(60))
    }

    /// Goes on with what an earlier process knew of the vendor.
    pub(super) fn restore(&self, mut gate: Gate, now: Timestamp) {
        gate.restarted(now);
        self.condition().gate = gate;
    }

    /// What may be sent now.
    pub fn admits(&self, now: Timestamp) -> Admission {
        self.condition().gate.admits(now)
    }

    /// The gate as it is, to be kept or shown.
    pub fn gate(&self) -> Gate {
        self.condition().gate.clone()
    }

    /// What may be claimed next. Counts as a claim.
    pub(super) fn allowance(&self, now: Timestamp) -> Allowance {
        let mut condition = self.condition();
        condition.claims = condition.claims.wrapping_add(1);
        let by_age = condition.claims.is_multiple_of(AGE_EVERY);
        Allowance {
            turn: if by_age { Turn::Age } else { Turn::Urgency },
            repeats: condition.budget.available(now) > 0,
        }
    }

    /// Something is sent again.
    pub(super) fn repeats(&self) {
        self.condition().budget.spend();
    }

    /// Takes in how an exchange went.
    pub(super) fn hear(&self, sign: Sign, now: Timestamp, unit: f64) -> Change {
        let mut condition = self.condition();
        if sign == Sign::Good {
            condition.budget.succeeded();
        }
        condition.gate.hear(sign, &self.settings.breaker, now, unit)
    }

    /// Whether the caller is to probe the vendor now; it must say what came of it.
    pub(super) fn begins_probe(&self, now: Timestamp) -> bool {
        let mut condition = self.condition();
        let begins = !condition.probing && condition.gate.admits(now) == Admission::Probe;
        condition.probing |= begins;
        begins
    }

    /// Takes in what a probe has found.
    pub(super) fn probed(&self, sign: Sign, now: Timestamp, unit: f64) -> Change {
        let mut condition = self.condition();
        condition.probing = false;
        condition.gate.probed(sign, &self.settings.breaker, now, unit)
    }

    /// A person says that the trouble may be over: the vendor is probed at once. `true` if there
    /// was any.
    pub fn resume(&self, now: Timestamp) -> bool {
        self.condition().gate.resume(now)
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        // Plain values, changed by code that does not panic half-way.
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
