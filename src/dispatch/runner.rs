//! The loop: timers, claims, and waiting for the next thing that is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::catalogs::Catalogs;
use super::lane::Lane;
use super::rollup;
use super::work::fetches_first;
use crate::clock::{Clock, StepWatch};
use crate::current::Current;
use crate::domain::gate::Admission;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Event, Step, step};
use crate::domain::rollup::key;
use crate::domain::storm::{RELEASE_EVERY, RELEASES, Turn, Usage};
use crate::playbook::Playbook;
use crate::rng::Rng;
use crate::store::{ClaimRequest, Store, StoreError, Wanted, cause};
use crate::telemetry::metrics::Metrics;
use crate::time::{between, later};

/// Longest nap; everything that matters wakes the loop earlier, but for a machine's clock that is
/// set.
const LONGEST_NAP: Duration = Duration::from_secs(15);

/// Nap when something is due but was not given out: it was sent before, and no repeats are granted
/// just now.
const BLOCKED_NAP: Duration = Duration::from_millis(250);

/// First nap after the store could not be read or written; it doubles up to the longest while that
/// goes on. A delivery that is stored wakes the loop earlier.
const TROUBLED_NAP: Duration = Duration::from_secs(1);

/// How many timers are fired in one go.
const TIMERS: u32 = 256;

/// The lanes of one reading of the files.
pub type Lanes = Vec<Arc<Lane>>;

/// What could not be done, and why.
type Trouble = (&'static str, StoreError);

/// See the [module above](super).
pub struct Dispatcher {
    /// Where actions are claimed and outcomes recorded.
    pub store: Arc<dyn Store>,
    /// One lane per vendor. Vendors come and go with restarts only.
    pub lanes: Current<Lanes>,
    /// What the vendors accept.
    pub catalogs: Arc<Catalogs>,
    /// Rules and templates, for timers; a lane has its own.
    pub playbook: Current<Playbook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter.
    pub rng: Arc<Rng>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Notified when there may be new work.
    pub wake: Arc<Notify>,
}

impl Dispatcher {
    /// Goes on where an earlier process has ended: other rules may count now, and nobody was heard
    /// meanwhile. To be called before anybody is listened to.
    pub async fn take_over(&self) {
        let now = self.clock.now();
        if let Err(error) = self.store.review_held(now).await {
            self.trouble("look at what is held", &error);
        }
        let forgiven = match self.store.last_heard().await {
            Ok(Some(heard)) => self.store.forgive_silence(between(heard, now), now).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = forgiven {
            self.trouble("forgive silence while nobody listened", &error);
        }
    }

    /// Works until `stop`, then finishes what it has begun.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut working = JoinSet::new();
        self.miss_vendors().await;
        self.remember_gates().await;
        let mut troubled = TROUBLED_NAP;
        let (mut release_at, mut over_budget) = (self.clock.now(), false);
        let mut steps = StepWatch::begin(&*self.clock);
        while !stop.is_cancelled() {
            // A wake-up that arrives between looking for work and waiting is kept as a permit, so
            // it is not missed.
            if let Some(step) = steps.step(&*self.clock) {
                self.wait_on(step).await;
            }
            self.probe_vendors(&mut working);
            // A clock that is set back must not stop this.
            let now = self.clock.now();
            if now >= release_at || between(now, release_at) > RELEASE_EVERY {
                release_at = later(now, RELEASE_EVERY);
                match self.release().await {
                    Ok(held) => tell_of_the_budget(&mut over_budget, held),
                    Err((what, error)) => self.trouble(what, &error),
                }
            }
            let nap = match self.turn(&mut working).await {
                Ok(nap) => {
                    troubled = TROUBLED_NAP;
                    nap
                }
                Err((what, error)) => {
                    self.trouble(what, &error);
                    let nap = troubled;
                    troubled = (troubled * 2).min(LONGEST_NAP);
                    nap
                }
            };
            while let Some(finished) = working.try_join_next() {
                report(finished);
            }
            if nap.is_zero() {
                continue;
            }
            // Always asked in one order, so that a simulated run can be repeated.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(finished) = working.join_next(), if !working.is_empty() => report(finished),
                () = self.wake.notified() => {}
                () = self.clock.sleep(nap) => {}
            }
        }
        info!(unfinished = working.len(), "the dispatcher stops; it finishes what it has begun");
        while let Some(finished) = working.join_next().await {
            report(finished);
        }
    }

    /// Does what is due, and tells how long to sleep; not at all if work was found. Or what kept it
    /// from being done.
    async fn turn(self: &Arc<Self>, working: &mut JoinSet<()>) -> Result<Duration, Trouble> {
        let nap = self.nap().await.map_err(|error| ("ask what is due next", error))?;
        if !nap.is_zero() {
            return Ok(nap);
        }
        // One row that makes no sense must not stand in the way of all others.
        let fired = self.fire_timers().await;
        let (claimed, refused) = self.claim(working).await;
        match fired.and(refused) {
            Ok(()) if claimed == 0 => Ok(BLOCKED_NAP),
            Ok(()) => Ok(Duration::ZERO),
            Err((what, error)) if claimed > 0 => {
                self.trouble(what, &error);
                Ok(Duration::ZERO)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The clock was set forward. A settle window is real time, in which a vendor's lists catch up
    /// and late requests come true, so it is not over any sooner; nor was any sender silent for
    /// longer.
    async fn wait_on(&self, step: Duration) {
        warn!(step = ?step, "the clock was set forward by {step:?}");
        if let Err(error) = self.store.postpone_looks(step).await {
            self.trouble("put looks off after the clock was set", &error);
        }
        if let Err(error) = self.store.forgive_silence(step, self.clock.now()).await {
            self.trouble("forgive silence after the clock was set", &error);
        }
    }

    /// Tells of work that nobody will do, because its vendor is not in the config any more.
    async fn miss_vendors(&self) {
        let waiting = match self.store.census().await {
            Ok(census) => census.waiting,
            Err(error) => return self.trouble("count what waits", &error),
        };
        let lanes = self.lanes.get();
        for (vendor, count) in waiting {
            if lanes.iter().all(|lane| lane.name != vendor) {
                self.metrics.alarm("vendor_gone");
                error!(
                    %vendor, count,
                    "{count} actions wait for vendor `{vendor}`, which is not in the config; put it back so that they can be done",
                );
            }
        }
    }

    /// Goes on with what an earlier process knew of the vendors.
    async fn remember_gates(&self) {
        for lane in self.lanes.get().iter() {
            match self.store.gate(&lane.name).await {
                Ok(Some(gate)) => lane.restore(gate, self.clock.now()),
                Ok(None) => {}
                Err(error) => self.trouble("read the state of a vendor", &error),
            }
        }
    }

    /// Begins the probes that are due.
    fn probe_vendors(self: &Arc<Self>, working: &mut JoinSet<()>) {
        let lanes = self.lanes.get();
        for lane in lanes.iter().filter(|lane| lane.begins_probe(self.clock.now())) {
            let (dispatcher, lane) = (self.clone(), lane.clone());
            working.spawn(async move { dispatcher.probe(&lane).await });
        }
    }

    /// Claims what each lane has room for, and starts working on it. Tells how much that was, and
    /// the last error.
    async fn claim(self: &Arc<Self>, working: &mut JoinSet<()>) -> (usize, Result<(), Trouble>) {
        let (mut claimed, mut refused) = (0, Ok(()));
        for lane in self.lanes.get().iter() {
            let now = self.clock.now();
            if lane.admits(now) != Admission::Free {
                continue;
            }
            let free = u32::try_from(lane.slots.available_permits()).unwrap_or(u32::MAX);
            if free == 0 {
                continue;
            }
            let allowance = lane.allowance(now);
            let request = ClaimRequest {
                vendor: lane.name.clone(),
                turn: allowance.turn,
                repeats: allowance.repeats,
                limit: free,
            };
            let claims = match self.store.claim(request, now, lane.lease()).await {
                Ok(claims) => claims,
                Err(error) => {
                    refused = Err(("claim", error));
                    continue;
                }
            };
            let lane = &self.in_force(lane);
            for claim in claims {
                let slot = match fetches_first(&claim.action) {
                    true => None,
                    // There are as many permits as were free, and only this loop takes them.
                    false => match lane.slots.clone().try_acquire_owned() {
                        Ok(slot) => Some(slot),
                        Err(_) => break,
                    },
                };
                claimed += 1;
                let (dispatcher, lane) = (self.clone(), lane.clone());
                working.spawn(async move {
                    dispatcher.work(&lane, claim).await;
                    drop(slot);
                });
            }
        }
        (claimed, refused)
    }

    /// The lane by which claimed work is done. What was claimed may follow from rules that were
    /// read while it was claimed, which only the newest lane knows.
    fn in_force(&self, claimed_by: &Arc<Lane>) -> Arc<Lane> {
        let lanes = self.lanes.get();
        let newest = lanes.iter().find(|lane| lane.name == claimed_by.name);
        // *Invariant:* no work may take longer than the lease that was given for it.
        newest.filter(|lane| lane.lease() <= claimed_by.lease()).unwrap_or(claimed_by).clone()
    }

    /// Decides about the incidents whose timer has run out. Returns the last error.
    async fn fire_timers(&self) -> Result<(), Trouble> {
        let due = self.store.due_incidents(self.clock.now(), TIMERS).await;
        let mut fired = Ok(());
        for id in due.map_err(|error| ("read timers", error))? {
            if let Err(error) = self.fire(&id).await {
                fired = Err(("fire a timer", error));
            }
        }
        fired
    }

    async fn fire(&self, id: &IncidentId) -> Result<(), StoreError> {
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let since = playbook.budget_since(now);
        let decide = Arc::new(move |incident: &Incident, usage: &Usage| {
            let rule = &incident.rule;
            let restraint = playbook.restraint(rule, usage, Turn::of(incident), now);
            step(Some(incident), &Event::Timer, &playbook.policy(incident), restraint.as_ref(), now)
        });
        if let Some(step) = self.store.advance(id, cause::TIMER, since, decide).await?
            && step.changed
        {
            info!(incident = %id, reason = %step.reason, "incident {id}: {}", step.reason);
        }
        Ok(())
    }

    /// Lets go what the case budgets have room for again, worst and oldest first. What does not fit
    /// stays as it is. Tells whether anything waits.
    async fn release(&self) -> Result<bool, Trouble> {
        let held = self.store.over_budget(RELEASES).await;
        let held = held.map_err(|error| ("read what waits for the case budget", error))?;
        for id in &held {
            self.fire(id).await.map_err(|error| ("let an incident go", error))?;
        }
        self.call_the_roll().await.map_err(|error| ("tell a roll-up what it stands for", error))?;
        Ok(!held.is_empty())
    }

    async fn call_the_roll(&self) -> Result<(), StoreError> {
        for call in self.store.roll_calls(rollup::JOINS).await? {
            let (playbook, now) = (self.playbook.get(), self.clock.now());
            let installation = self.store.installation().clone();
            let wanted = Wanted { key: key(&call.rule), members: call.members() };
            let decide = Arc::new(move |current: Option<&Incident>| {
                rollup::decide(&playbook, &installation, &call, current, now)
            });
            let step = self.store.advance_newest(&wanted, cause::ROLLUP, decide).await?;
            if let Some(Step { incident: Some(incident), changed: true, reason, .. }) = step {
                info!(incident = %incident.id, %reason, "roll-up {}: {reason}", incident.id);
            }
        }
        Ok(())
    }

    /// Until something is due that can be worked on; zero if something is. What is due at a vendor
    /// that is left alone, or all of whose slots are taken, is no reason to look; that its gate
    /// opens is one, and that work ends wakes the loop.
    async fn nap(&self) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let (mut longest, mut vendors) = (LONGEST_NAP, Vec::new());
        for lane in self.lanes.get().iter() {
            match lane.admits(now) {
                Admission::Free if lane.slots.available_permits() > 0 => {
                    vendors.push(lane.name.clone());
                }
                Admission::Wait(until) => longest = longest.min(between(now, until)),
                Admission::Free | Admission::Probe => {}
            }
        }
        let due = self.store.next_due(&vendors).await?;
        Ok(due.map_or(longest, |due| between(self.clock.now(), due).min(longest)))
    }

    pub(super) fn trouble(&self, what: &str, error: &StoreError) {
        self.metrics.alarm("store");
        error!(%error, "the dispatcher could not {what}: {error}");
    }
}

/// Says once that a budget is used up, and once that there is room again.
fn tell_of_the_budget(over: &mut bool, held: bool) {
    if held && !*over {
        warn!(
            "a case budget is used up: incidents wait; `casewright incidents list --state held` \
             shows them"
        );
    } else if !held && *over {
        info!("nothing waits for a case budget any more");
    }
    *over = held;
}

fn report(finished: Result<(), tokio::task::JoinError>) {
    if let Err(error) = finished {
        // Its lease runs out, and the action comes back as one to look for.
        warn!(%error, "work on an action ended early: {error}");
    }
}
