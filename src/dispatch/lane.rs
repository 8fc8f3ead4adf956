//! A lane: one vendor, or one target that is told what happens, with its own limits, so that one that
//! is down never blocks another.
//!
//! A lane is made of one reading of the files. When they are read anew, its
//! [successor](Lane::successor) takes over what is known of the vendor (its gate, the slots that are taken);
//! whoever works on an action keeps the lane that it began with. Never change a lane's party,
//! settings or playbook under work that has begun.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::domain::backoff::Retry;
use crate::domain::budget::RetryBudget;
use crate::domain::gate::{Admission, Breaker, Cause, Change, Gate, Sign};
use crate::domain::ids::VendorName;
use crate::domain::pace::{Reconcile, Watch};
use crate::playbook::Playbook;
use crate::store::Turn;
use crate::vendors::Vendor;

use super::parcel::Party;

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
    /// How long its catalog is gone by before it is read anew.
    pub catalog_refresh: Duration,
    /// How often it is asked what it did with open cases; `None`: never.
    pub watch: Option<Watch>,
}

/// See the [module](self).
pub struct Lane {
    /// The vendor's configured name, or what a [target](crate::domain::notice::Target) makes of its
    /// own.
    pub name: VendorName,
    /// Who is at its end.
    pub party: Party,
    /// How the lane behaves.
    pub settings: LaneSettings,
    /// Rules and templates of the same reading.
    pub playbook: Arc<Playbook>,
    edition: u64,
    pub(super) slots: Arc<Semaphore>,
    /// Files are fetched and sent beside the slots, so that a file server that hangs takes none from
    /// cases.
    pub(super) fetches: Arc<Semaphore>,
    condition: Arc<Mutex<Condition>>,
}

/// What changes from exchange to exchange.
struct Condition {
    gate: Gate,
    budget: RetryBudget,
    /// Counts claims, for turns by age.
    claims: u32,
    probing: bool,
    /// A person, or new credentials, asked for a probe while one was under way: what that one
    /// finds is older than the wish.
    probes_again: bool,
    /// What the vendor said when the trouble began, for people.
    why: Option<String>,
    /// Of the lane that is in force.
    edition: u64,
}

impl Condition {
    fn resume(&mut self, now: Timestamp) -> bool {
        let any = self.gate.resume(now);
        self.probes_again |= any && self.probing;
        any
    }

    fn changed(&mut self, change: Change) -> Change {
        if change == Change::Recovered {
            self.why = None;
        }
        change
    }
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

/// So many files of a lane are fetched and sent at once.
const FETCHES: usize = 2;

impl Lane {
    /// A lane to `party`.
    pub fn new(
        name: VendorName,
        party: Party,
        settings: LaneSettings,
        playbook: Arc<Playbook>,
        now: Timestamp,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let fetches = Arc::new(Semaphore::new(FETCHES));
        let budget = RetryBudget::full(settings.retries_per_second, now);
        let condition = Arc::new(Mutex::new(Condition {
            gate: Gate::default(),
            budget,
            claims: 0,
            probing: false,
            probes_again: false,
            why: None,
            edition: 0,
        }));
        Self { name, party, settings, playbook, edition: 0, slots, fetches, condition }
    }

    /// The vendor, if there is one at its end.
    pub fn vendor(&self) -> Option<&Arc<dyn Vendor>> {
        match &self.party {
            Party::Vendor(vendor) => Some(vendor),
            Party::Target(_) => None,
        }
    }

    /// What people call it, such as `vendor akamai`.
    pub fn title(&self) -> String {
        match &self.party {
            Party::Vendor(_) => format!("vendor {}", self.name),
            Party::Target(_) => format!("target {}", self.name),
        }
    }

    /// The same lane by another reading of the files. Changes nothing before it
    /// [takes over](Self::take_over).
    #[must_use]
    pub fn successor(&self, party: Party, settings: LaneSettings, playbook: Arc<Playbook>) -> Self {
        Self {
            name: self.name.clone(),
            party,
            settings,
            playbook,
            edition: self.edition.wrapping_add(1),
            slots: self.slots.clone(),
            fetches: self.fetches.clone(),
            condition: self.condition.clone(),
        }
    }

    /// From now on this lane is in force. `true` if the vendor did not accept who we were: it is
    /// then probed at once, because we may be somebody else now.
    pub fn take_over(&self, now: Timestamp) -> bool {
        let mut condition = self.condition();
        condition.edition = self.edition;
        condition.budget.grant(self.settings.retries_per_second);
        condition.gate.cause() == Some(Cause::Denied) && condition.resume(now)
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

    /// Whether something is worked on.
    pub(super) fn is_busy(&self) -> bool {
        self.slots.available_permits() < self.settings.concurrency.max(1)
    }

    /// How many actions are worked on.
    pub fn working(&self) -> usize {
        self.settings.concurrency.max(1).saturating_sub(self.slots.available_permits())
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
        if sign == Sign::Denied && condition.edition != self.edition {
            // It was said of credentials that have been replaced since.
            return Change::None;
        }
        let change = condition.gate.hear(sign, &self.settings.breaker, now, unit);
        condition.changed(change)
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
        if std::mem::take(&mut condition.probes_again) && sign != Sign::Good {
            return Change::None;
        }
        let change = condition.gate.probed(sign, &self.settings.breaker, now, unit);
        condition.changed(change)
    }

    /// Remembers what the vendor said when the trouble began.
    pub(super) fn explain(&self, why: &str) {
        self.condition().why = Some(why.to_owned());
    }

    /// What the vendor said when the trouble began; `None` where there is none, or it began before
    /// this process.
    pub fn why(&self) -> Option<String> {
        self.condition().why.clone()
    }

    /// A person wants the vendor left alone for some time. What is under way goes on.
    pub fn pause(&self, lasts: Duration, by: String, reason: String, now: Timestamp) {
        self.condition().gate.pause(lasts, by, reason, now);
    }

    /// Ends the pause that a person wanted. `true` if there was one.
    pub fn unpause(&self, now: Timestamp) -> bool {
        self.condition().gate.unpause(now)
    }

    /// A person says that the trouble may be over: the vendor is probed at once. `true` if there
    /// was any.
    pub fn resume(&self, now: Timestamp) -> bool {
        self.condition().resume(now)
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        // Plain values, changed by code that does not panic half-way.
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::domain::catalog::{Catalog, Category};
    use crate::domain::ids::AccountId;
    use crate::domain::testing::{T0, at};
    use crate::rules::RuleSet;
    use crate::templates::TemplateSet;
    use crate::vendors::{CatalogError, Look, OfferedAccount, Operation, Outcome, Probe};

    /// A vendor that nobody asks.
    struct Unasked;

    #[async_trait]
    impl Vendor for Unasked {
        async fn send(&self, _: &Operation) -> Outcome {
            unreachable!()
        }

        async fn look(&self, _: &Operation, _: Timestamp) -> Look {
            unreachable!()
        }

        async fn accounts(&self) -> Result<Option<Vec<OfferedAccount>>, CatalogError> {
            unreachable!()
        }

        async fn catalog(&self, _: &AccountId, _: Category) -> Result<Catalog, CatalogError> {
            unreachable!()
        }

        async fn probe(&self) -> Probe {
            unreachable!()
        }
    }

    fn settings() -> LaneSettings {
        LaneSettings {
            timeout: Duration::from_secs(10),
            retry: Retry::default(),
            reconcile: Reconcile::default(),
            breaker: Breaker::default(),
            retries_per_second: 1.0,
            concurrency: 2,
            catalog_refresh: Duration::from_secs(60 * 60),
            watch: None,
        }
    }

    fn playbook() -> Arc<Playbook> {
        let (templates, _) = TemplateSet::builder().build();
        Arc::new(Playbook {
            rules: RuleSet::default(),
            templates,
            limit: None,
            mute: None,
            redaction: Default::default(),
            fetch: Default::default(),
            links: Default::default(),
        })
    }

    fn lane() -> Lane {
        Lane::new("akamai".into(), Party::Vendor(Arc::new(Unasked)), settings(), playbook(), T0)
    }

    fn successor(of: &Lane) -> Lane {
        of.successor(Party::Vendor(Arc::new(Unasked)), settings(), playbook())
    }

    #[test]
    fn a_vendor_that_did_not_accept_us_is_probed_as_soon_as_a_successor_takes_over() {
        let old = lane();
        old.hear(Sign::Denied, T0, 0.0);
        let new = successor(&old);
        assert_eq!(new.admits(at(1)), Admission::Wait(at(60)), "not before it takes over");
        assert!(new.take_over(at(1)));
        assert!(new.begins_probe(at(1)));
    }

    #[test]
    fn a_vendor_that_fails_is_left_alone_by_a_successor_as_well() {
        let old = lane();
        for _ in 0..5 {
            old.hear(Sign::Bad, T0, 0.0);
        }
        let new = successor(&old);
        assert!(!new.take_over(at(1)));
        assert_eq!(new.admits(at(1)), Admission::Wait(at(30)));
    }

    #[test]
    fn a_denial_of_old_credentials_says_nothing_of_the_new_ones() {
        let old = lane();
        let new = successor(&old);
        new.take_over(T0);
        assert_eq!(old.hear(Sign::Denied, T0, 0.0), Change::None);
        assert_eq!(new.admits(T0), Admission::Free);
        assert_eq!(new.hear(Sign::Denied, T0, 0.0), Change::Denied);
    }

    #[test]
    fn a_probe_that_began_before_a_wish_for_one_does_not_stand_for_it() {
        let old = lane();
        old.hear(Sign::Denied, T0, 0.0);
        assert!(old.begins_probe(at(60)));
        let new = successor(&old);
        assert!(new.take_over(at(61)));
        assert!(!new.begins_probe(at(61)), "one at a time");
        assert_eq!(old.probed(Sign::Denied, at(62), 0.0), Change::None);
        assert!(new.begins_probe(at(62)), "at once, and not after the pause of a probe in vain");
        assert_eq!(new.probed(Sign::Denied, at(63), 0.0), Change::None);
        assert!(!new.begins_probe(at(63)), "now it stands for it");
    }

    #[test]
    fn a_probe_that_succeeds_meanwhile_ends_the_trouble() {
        let lane = lane();
        lane.hear(Sign::Denied, T0, 0.0);
        lane.explain("who are you?");
        assert!(lane.begins_probe(at(60)));
        assert!(lane.resume(at(61)));
        assert_eq!(lane.why().as_deref(), Some("who are you?"));
        assert_eq!(lane.probed(Sign::Good, at(62), 0.0), Change::Recovered);
        assert_eq!((lane.admits(at(62)), lane.why()), (Admission::Free, None));
    }

    #[test]
    fn slots_that_are_taken_are_taken_from_a_successor_as_well() {
        let old = lane();
        let _slot = old.slots.clone().try_acquire_owned().unwrap();
        let _fetch = old.fetches.clone().try_acquire_owned().unwrap();
        let new = successor(&old);
        assert_eq!(new.slots.available_permits(), 1);
        assert_eq!(new.fetches.available_permits(), FETCHES - 1);
    }
}
