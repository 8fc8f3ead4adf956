//! What vendors do with cases on their own account: asked from time to time, kept, told to people,
//! and to the lifecycle.
//!
//! *Promises:* one walk through a list for all cases of a vendor, however many; at most [`READS`] cases
//! are read in a round, the rest in the next ones; nothing is asked while the vendor is left alone. A
//! round that fails loses nothing: what was not kept is still new in the next one.
//!
//! Here is the only place where a change at the vendor is learnt:
//! [`changes`](crate::domain::case_view::changes) says what is new, and what is kept and what follows for
//! the incident are one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::lane::Lane;
use super::runner::Dispatcher;
use crate::domain::case_view::{CaseChange, CaseView, KeptCase, changes};
use crate::domain::gate::{Admission, Sign};
use crate::domain::ids::{CaseId, IncidentId, VendorName};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Event, Policy, Reason, step};
use crate::domain::pace::Watch;
use crate::domain::storm::Usage;
use crate::domain::telling::hear_of_vendor;
use crate::store::{OpenCase, StepFn, StoreError, cause};
use crate::time::{between, later};
use crate::vendors::{Trouble, Vendor, Watched, WatchedCase};

/// So many cases are read in one round, each with its comments.
const READS: usize = 20;

/// So many while the lane is at work: what we have to tell the vendor goes first.
const READS_WHILE_BUSY: usize = 2;

/// So many cases of a vendor are watched at most.
const WATCHED: u32 = 2_000;

/// How often it is looked whether a vendor is to be watched that is not.
const IDLE: Duration = Duration::from_secs(60);

/// A case that cannot be read is asked about at least so often.
const SET_ASIDE_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// When to ask next.
struct Schedule {
    waited: Duration,
    due: Timestamp,
    /// Cases that were asked about and could not be read yet: they are no reason to hurry.
    asked: HashSet<IncidentId>,
    /// Cases that could not be read although the vendor is well: how often in a row, and until when
    /// others have their turn.
    set_aside: HashMap<IncidentId, (u32, Timestamp)>,
}

impl Schedule {
    fn begin(now: Timestamp) -> Self {
        Self { waited: Duration::ZERO, due: now, asked: HashSet::new(), set_aside: HashMap::new() }
    }

    /// The cases whose turn it is.
    fn without_set_aside(&self, cases: Vec<OpenCase>, now: Timestamp) -> Vec<OpenCase> {
        let waits = |case: &OpenCase| {
            self.set_aside.get(&case.incident).is_some_and(|(_, until)| now < *until)
        };
        cases.into_iter().filter(|case| !waits(case)).collect()
    }

    /// Who could not be read is asked about ever less often, at last once a day.
    fn set_aside(&mut self, incident: &IncidentId, pace: &Watch, now: Timestamp) {
        let (times, until) = self.set_aside.entry(incident.clone()).or_insert((0, now));
        let wait = pace.slowest.saturating_mul(1 << (*times).min(16)).min(SET_ASIDE_AT_MOST);
        (*times, *until) = (times.saturating_add(1), later(now, wait));
    }

    /// Whether there is a case that nobody has asked about.
    fn is_new(&self, cases: &[OpenCase]) -> bool {
        cases.iter().any(|case| case.known.is_none() && !self.asked.contains(&case.incident))
    }

    /// A clock that was set back must not stop this.
    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due || between(now, self.due) > self.waited
    }

    fn asked(&mut self, cases: &[OpenCase], pace: &Watch, happened: bool, now: Timestamp) {
        let hurry = happened || self.is_new(cases);
        self.waited = pace.next(self.waited, hurry);
        self.due = later(now, self.waited);
        let unknown = cases.iter().filter(|case| case.known.is_none());
        self.asked = unknown.map(|case| case.incident.clone()).collect();
    }
}

impl Dispatcher {
    /// Asks the vendors what they did with open cases, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let names: Vec<VendorName> =
            self.lanes.get().iter().map(|lane| lane.name.clone()).collect();
        // A vendor that is slow holds up no other.
        let mut watches = JoinSet::new();
        for name in names {
            let dispatcher = self.clone();
            watches.spawn(async move { dispatcher.watch_vendor(&name).await });
        }
        // What they are at only reads at the vendor, and is dropped.
        stop.cancelled().await;
    }

    async fn watch_vendor(&self, name: &VendorName) {
        let mut schedule = Schedule::begin(self.clock.now());
        loop {
            let Some(lane) = self.lanes.get().iter().find(|lane| lane.name == *name).cloned()
            else {
                return;
            };
            let vendor = lane.vendor().filter(|vendor| vendor.can_watch());
            let nap = match lane.settings.watch.zip(vendor) {
                Some((pace, vendor)) => {
                    let turn = self.watch_turn(&lane, &**vendor, &pace, &mut schedule);
                    if let Err(error) = turn.await {
                        self.trouble("keep what a vendor says of cases", &error);
                    }
                    pace.fastest
                }
                None => IDLE,
            };
            self.clock.sleep(nap).await;
        }
    }

    /// Asks if it is time to.
    async fn watch_turn(
        &self,
        lane: &Lane,
        vendor: &dyn Vendor,
        pace: &Watch,
        schedule: &mut Schedule,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let ended_after = now.checked_sub(Policy::MAX_REOPEN_WITHIN).unwrap_or(Timestamp::MIN);
        let cases = self.store.open_cases(&lane.name, ended_after, WATCHED).await?;
        for case in &cases {
            self.give_up_on(case, now).await?;
        }
        let cases = schedule.without_set_aside(cases, now);
        let is_time = schedule.is_new(&cases) || schedule.is_due(now);
        if cases.is_empty() || !is_time || lane.admits(now) != Admission::Free {
            return Ok(());
        }
        let (happened, unreadable) = self.ask_about(lane, vendor, &cases).await?;
        for case in &cases {
            if unreadable.contains(&case.incident) {
                schedule.set_aside(&case.incident, pace, now);
            } else {
                schedule.set_aside.remove(&case.incident);
            }
        }
        schedule.asked(&cases, pace, happened, self.clock.now());
        Ok(())
    }

    /// One round: whether something has happened, and which cases could not be read. Never a reason to
    /// send the vendor nothing, but for a pause that it asks for itself: what cannot be listed says
    /// nothing of whether cases can be opened.
    async fn ask_about(
        &self,
        lane: &Lane,
        vendor: &dyn Vendor,
        cases: &[OpenCase],
    ) -> Result<(bool, HashSet<IncidentId>), StoreError> {
        let known: Vec<WatchedCase> = cases.iter().map(asked_about).collect();
        let reads = if lane.is_busy() { READS_WHILE_BUSY } else { READS };
        let told = vendor.watch(&known, reads).await;
        let now = self.clock.now();
        let of = |case: &CaseId| cases.iter().find(|open| open.case == *case);
        let Watched { read, unchanged, unreadable, trouble, more } = told;
        let (mut happened, mut not_read) = (false, HashSet::new());
        for (case, view) in read {
            if let Some(open) = of(&case) {
                happened |= self.learn(lane, open, view, now).await?;
            }
        }
        let unchanged: Vec<IncidentId> =
            unchanged.iter().filter_map(of).map(|open| open.incident.clone()).collect();
        if !unchanged.is_empty() {
            self.store.confirm_cases(&unchanged, now).await?;
        }
        for (case, why) in &unreadable {
            warn!(vendor = %lane.name, %case, "case {case} could not be read: {why}");
            not_read.extend(of(case).map(|open| open.incident.clone()));
        }
        let (sign, message) = match &trouble {
            None => (Some(Sign::Good), "it answers"),
            Some(Trouble { retry_after, evidence }) => {
                self.metrics.alarm("watch");
                warn!(
                    vendor = %lane.name,
                    "what vendor {} did with its cases could not be read: {}", lane.name, evidence.message
                );
                let pause = retry_after.map(|wait| {
                    let wait = lane.settings.retry.delay(1, Some(wait), self.rng.unit());
                    Sign::Pause(later(now, wait))
                });
                (pause, evidence.message.as_str())
            }
        };
        if let Some(sign) = sign {
            let change = lane.hear(sign, now, self.rng.unit());
            self.tell(lane, sign, change, message).await;
        }
        if trouble.is_none() && !more {
            self.metrics.watched(&lane.name, now);
        }
        Ok((happened, not_read))
    }

    /// Keeps what was read of a case, and tells what of it is new. Whether anything is.
    async fn learn(
        &self,
        lane: &Lane,
        open: &OpenCase,
        mut view: CaseView,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if !view.comments.is_empty()
            && let Some(kept) = self.store.kept_case(&open.incident).await?
            && kept.case == open.case
        {
            // Where the newest that is known is gone at the vendor, older ones come again.
            let known: HashSet<String> =
                kept.view.comments.into_iter().map(|comment| comment.id).collect();
            view.comments.retain(|comment| !known.contains(&comment.id));
        }
        let news = changes(open.known.as_ref(), &view);
        let decide = self.consequence_of(&open.case, &news, now);
        let kept = KeptCase { case: open.case.clone(), view, checked_at: now };
        let Some(step) = self.store.keep_case(&open.incident, &kept, decide).await? else {
            // It has another case by now.
            return Ok(false);
        };
        self.tell_of_case(lane, open, &news);
        if let Some(step) = step.filter(|step| step.changed) {
            self.tell_of_closure(open, &step.reason);
            self.wake.notify_one();
        }
        Ok(!news.is_empty())
    }

    /// What changes at the vendor mean for the incident, and who is told of them.
    fn consequence_of(&self, case: &CaseId, news: &[CaseChange], now: Timestamp) -> Option<StepFn> {
        if news.is_empty() {
            return None;
        }
        let (playbook, case, news) = (self.playbook.get(), case.clone(), news.to_vec());
        Some(Arc::new(move |incident: &Incident| {
            hear_of_vendor(incident, &case, &news, &playbook.policy(incident), now)
        }))
    }

    fn closed_by_vendor(&self, case: &CaseId, at: Option<Timestamp>, now: Timestamp) -> StepFn {
        let (playbook, case) = (self.playbook.get(), case.clone());
        Arc::new(move |incident: &Incident| {
            let event = Event::ClosedByVendor { case: &case, at };
            step(Some(incident), &event, &playbook.policy(incident), None, now)
        })
    }

    /// An incident may go on with a case that the vendor has closed, because it was told that
    /// something new fires and has not opened it again. Once it takes no comments any more, that has
    /// an end: what begins later gets a case of its own.
    async fn give_up_on(&self, open: &OpenCase, now: Timestamp) -> Result<(), StoreError> {
        let closed = open.known.as_ref().filter(|view| view.is_closed());
        let Some(at) =
            closed.and_then(|view| view.closed_at.or(view.updated_at)).filter(|_| open.goes_on)
        else {
            return Ok(());
        };
        if now < later(at, Policy::MAX_REOPEN_WITHIN) {
            return Ok(());
        }
        let decide = self.closed_by_vendor(&open.case, Some(at), now);
        let decide = Arc::new(move |incident: &Incident, _: &Usage| decide(incident));
        let step = self.store.advance(&open.incident, cause::VENDOR, now, decide).await?;
        if let Some(step) = step.filter(|step| step.changed) {
            self.tell_of_closure(open, &step.reason);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The one place where people hear of what a vendor did.
    fn tell_of_case(&self, lane: &Lane, open: &OpenCase, news: &[CaseChange]) {
        let OpenCase { incident, case, .. } = open;
        for change in news {
            match change {
                CaseChange::WaitsForUs => {
                    self.metrics.alarm("waits_for_us");
                    warn!(%incident, %case, "case {case} {change}");
                }
                CaseChange::FirstResponse(minutes) => {
                    self.metrics.first_response(&lane.name, *minutes);
                    info!(%incident, %case, "case {case} {change}");
                }
                CaseChange::Commented(_) => {
                    self.metrics.vendor_comment(&lane.name);
                    info!(%incident, %case, "case {case} {change}");
                }
                CaseChange::Status { .. } | CaseChange::Closed { .. } | CaseChange::Reopened => {
                    info!(%incident, %case, "case {case} {change}");
                }
            }
        }
    }

    fn tell_of_closure(&self, open: &OpenCase, reason: &Reason) {
        let incident = &open.incident;
        match reason {
            Reason::VendorClosed { firing: 1.., .. } | Reason::VendorMissed(_) => {
                self.metrics.alarm("closed_while_firing");
                warn!(%incident, %reason, "incident {incident}: {reason}");
            }
            _ => info!(%incident, %reason, "incident {incident}: {reason}"),
        }
    }
}

fn asked_about(open: &OpenCase) -> WatchedCase {
    let OpenCase { incident, case, since, known, last_comment, .. } = open;
    WatchedCase {
        case: case.clone(),
        marker: incident.marker(),
        since: *since,
        version: known.as_ref().and_then(|view| view.version.clone()),
        status: known.as_ref().and_then(|view| view.status.clone()),
        last_comment: last_comment.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::at;

    fn open(id: &str, known: bool) -> OpenCase {
        OpenCase {
            incident: IncidentId::from_stored(id.to_owned()),
            case: "F-CS-1".into(),
            since: at(0),
            goes_on: true,
            known: known.then(CaseView::default),
            last_comment: None,
        }
    }

    #[test]
    fn a_new_case_is_asked_about_at_once_and_only_once_so() {
        let pace = Watch::default();
        let mut schedule = Schedule::begin(at(0));
        schedule.asked(&[open("a", true)], &pace, false, at(0));
        schedule.asked(&[open("a", true)], &pace, false, at(60));
        assert_eq!((schedule.is_due(at(61)), schedule.is_due(at(180))), (false, true));
        let cases = [open("a", true), open("b", false)];
        assert!(schedule.is_new(&cases));
        schedule.asked(&cases, &pace, false, at(100));
        // It could not be read: it waits like all others.
        assert!(!schedule.is_new(&cases));
        assert_eq!((schedule.is_due(at(159)), schedule.is_due(at(160))), (false, true));
        schedule.asked(&cases, &pace, false, at(160));
        assert!(!schedule.is_due(at(279)));
    }

    #[test]
    fn who_cannot_be_read_lets_others_go_first_for_ever_longer() {
        let (pace, mut schedule) = (Watch::default(), Schedule::begin(at(0)));
        let (bad, good) = (open("a", false), open("b", true));
        let turn = |schedule: &Schedule, now| -> Vec<String> {
            let cases = schedule.without_set_aside(vec![bad.clone(), good.clone()], at(now));
            cases.iter().map(|case| case.incident.to_string()).collect()
        };
        assert_eq!(turn(&schedule, 0), ["a", "b"]);
        schedule.set_aside(&bad.incident, &pace, at(0));
        assert_eq!(
            (turn(&schedule, 899), turn(&schedule, 900)),
            (vec!["b".into()], vec!["a".into(), "b".into()])
        );
        schedule.set_aside(&bad.incident, &pace, at(900));
        assert_eq!((turn(&schedule, 2_699).len(), turn(&schedule, 2_700).len()), (1, 2));
        for _ in 0..40 {
            schedule.set_aside(&bad.incident, &pace, at(3_000));
        }
        assert_eq!(
            (turn(&schedule, 3_000 + 86_399).len(), turn(&schedule, 3_000 + 86_400).len()),
            (1, 2)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_it() {
        let mut schedule = Schedule::begin(at(100_000));
        schedule.asked(&[open("a", true)], &Watch::default(), true, at(100_000));
        assert!(!schedule.is_due(at(100_059)));
        assert!(schedule.is_due(at(5)));
    }
}
