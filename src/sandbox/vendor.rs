//! What all parts of a running sandbox share.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::auth::Verifier;
use super::cases::Desk;
use super::catalog::Catalog;
use super::counts::Counts;
use super::faults::Faults;
use super::snapshot::StateFile;
use super::{Credentials, Options, StartError};
use crate::clock::Clock;
use crate::rng::Rng;

/// The vendor: its catalog, its records, its gateway, and what is wrong with it today.
#[derive(Debug)]
pub(super) struct Vendor {
    catalog: RwLock<Arc<Catalog>>,
    pub(super) desk: Desk,
    pub(super) verifier: Verifier,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
    pub(super) clock: Arc<dyn Clock>,
    /// Work that goes on even if the client has left.
    pub(super) work: TaskTracker,
    pub(super) stopping: CancellationToken,
    skew_seconds: AtomicI32,
    /// Apart from the faults' generator, so that ids do not disturb what is drawn there.
    ids: Rng,
}

impl Vendor {
    pub(super) fn new(
        options: Options,
        clock: Arc<dyn Clock>,
        stopping: CancellationToken,
    ) -> Result<Self, StartError> {
        Ok(Self {
            catalog: RwLock::new(Arc::new(Catalog::built_in()?)),
            desk: Desk::open(options.state.map(StateFile::new))?,
            verifier: Verifier::new(options.credentials),
            faults: Faults::new(options.seed),
            counts: Counts::default(),
            clock,
            work: TaskTracker::new(),
            stopping,
            skew_seconds: AtomicI32::new(0),
            ids: Rng::seeded(options.seed.wrapping_add(1)),
        })
    }

    /// What it offers now.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it offers this.
    pub(super) fn offer(&self, catalog: Catalog) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    pub(super) fn credentials(&self) -> &Credentials {
        self.verifier.credentials()
    }

    /// The time without the skew.
    pub(super) fn real_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the vendor takes for the time: of its signature checks, dates and `Date` headers.
    pub(super) fn now(&self) -> Timestamp {
        let skew = SignedDuration::from_secs(self.skew().into());
        let now = self.clock.now();
        now.checked_add(skew).unwrap_or(now)
    }

    pub(super) fn skew(&self) -> i32 {
        self.skew_seconds.load(Ordering::Relaxed)
    }

    pub(super) fn set_skew(&self, seconds: i32) {
        self.skew_seconds.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn new_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.ids.bytes()).into_uuid()
    }
}
