//! A lane: one vendor, with its own limits, so that a vendor that is down never blocks another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::domain::backoff::Retry;
use crate::domain::ids::VendorName;
use crate::domain::pace::Reconcile;
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
    paused_until: Mutex<Option<Timestamp>>,
}

impl Lane {
    /// A lane to `vendor`.
    pub fn new(name: VendorName, vendor: Arc<dyn Vendor>, settings: LaneSettings) -> Self {
        let slots = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        Self { name, vendor, settings, slots, paused_until: Mutex::new(None) }
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

    /// Leaves the vendor alone until `until`; never shortens an earlier pause.
    pub(super) fn pause(&self, until: Timestamp) {
        let mut paused = self.paused();
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
    }

    /// Until when the vendor is left alone, if it is.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused().filter(|until| *until > now)
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        // A plain value: no panic can leave it half-changed.
        self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
