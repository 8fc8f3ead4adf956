//! What a person may see and do: incidents and why they have a case or none, their alerts, cases and
//! drafts, actions, deliveries, the vendors' gates and what they accept, mutes, and how all of it
//! stands.
//!
//! Never decides anything by itself: a person vouches for what the daemon cannot prove, and all
//! rules of the store and of the lifecycle go on holding. What goes over the wire is in `http`.

pub mod acts;
pub mod alerts;
pub mod at_vendor;
pub mod cases;
pub mod deliveries;
pub mod drafts;
pub mod finding;
pub mod hindsight;
pub mod history;
pub mod judging;
pub mod muting;
pub mod offers;
pub mod paging;
pub mod record;
pub mod rules;
mod silence;
pub mod status;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use utoipa::ToSchema;

use self::paging::{List, Page};
use self::status::Run;

use crate::clock::Clock;
use crate::current::Current;
use crate::dispatch::catalogs::{NotSynced, Synced};
use crate::dispatch::{Catalogs, Lane, Lanes};
use crate::domain::access::Operator;
use crate::domain::alert::Labels;
use crate::domain::audit::{Act, End, Object};
use crate::domain::gate::{Admission, Cause};
use crate::domain::ids::{ActionId, VendorName};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Event, step};
use crate::intake::Intake;
use crate::playbook::Playbook;
use crate::rng::Rng;
use crate::rules::offered::Complaint;
use crate::sources::Sources;
use crate::store::lists::{ActionOf, ActionsSought};
use crate::store::{Action, Attempt, NotRevived, Phase, Revival, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::time::duration;
use crate::vendors::limiter::Fill;

/// See the [module](self).
#[derive(Clone)]
pub struct People {
    /// Where actions are found and revived.
    pub store: Arc<dyn Store>,
    /// The vendors.
    pub lanes: Current<Lanes>,
    /// What they accept.
    pub catalogs: Arc<Catalogs>,
    /// For the policy of an incident that is opening again.
    pub playbook: Current<Playbook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the ids of mutes.
    pub rng: Arc<Rng>,
    /// Tells the dispatcher of new work.
    pub wake: Arc<Notify>,
    /// Takes deliveries in once more.
    pub intake: Arc<Intake>,
    /// Reads them, and reads them again.
    pub sources: Current<Sources>,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// What does not change.
    pub run: Arc<Run>,
}

/// An action, with what a person needs to decide.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionSummary {
    /// Its id: the incident's, a slash, and its place in the incident's order.
    pub id: String,
    /// The incident's id.
    pub incident: String,
    /// `ready`, `leased`: it is to be done; `blocked`: it will be done once a person has mended what it
    /// is made of; `held`: whether it was done cannot be told; `dead`: it was given up; `done`.
    pub state: &'static str,
    /// What is to be done: `open`, `comment` and so on.
    pub kind: &'static str,
    /// Who is told by it, in words, if it tells somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where: a vendor, or the lane of who is told.
    pub vendor: String,
    /// The rule that owns the incident.
    pub rule: String,
    /// How the incident stands.
    pub incident_state: &'static str,
    /// The token in the subject of the incident's case, for a search at the vendor.
    pub token: String,
    /// The case, where one is known.
    pub case: Option<String>,
    /// The labels of the alert that began the incident.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// Since when it waits for a person, or when it is due.
    pub since: Timestamp,
    /// What the last attempt said: why it waits.
    pub why: String,
    /// How many times it was sent.
    pub attempts: u32,
    /// When it was first sent.
    pub first_sent_at: Option<Timestamp>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// What the last exchange with the vendor about it was.
    pub last_attempt: Option<Exchange>,
}

/// An action with every attempt.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionDetail {
    /// In a line.
    #[serde(flatten)]
    pub summary: ActionSummary,
    /// What is done next: `send`, or `look` in the vendor's records.
    pub next: &'static str,
    /// When it is due, or was.
    pub due_at: Timestamp,
    /// Every exchange with the vendor about it, in order.
    pub exchanges: Vec<ExchangeDetail>,
}

/// An exchange with what was sent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ExchangeDetail {
    /// In a line.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// What was sent.
    pub request: Option<Value>,
}

/// An exchange with a vendor about an action.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Exchange {
    /// Counted from 1 over sends and looks.
    pub number: u32,
    /// `send` or `look`.
    pub phase: String,
    /// What came of it.
    pub outcome: String,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The vendor's own name for the exchange, for its support desk.
    pub reference: Option<String>,
    /// What happened, in words. Untrusted: the vendor's may be among them.
    pub message: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How a vendor stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Standing {
    /// Its configured name.
    pub name: String,
    /// `open`, `paused` by its own wish, `tripped` because it fails, `denied` because it does not
    /// accept who we are.
    pub state: &'static str,
    /// Since when, for the last two.
    pub since: Option<Timestamp>,
    /// What it said when the trouble began.
    pub why: Option<String>,
    /// When it is asked next whether it works.
    pub next_probe: Option<Timestamp>,
    /// Until when it wants to be left alone, or a person wants it to be.
    pub paused_until: Option<Timestamp>,
    /// The person who wants it left alone.
    pub paused_by: Option<String>,
    /// What may be sent in a second at most, and how many at once; `None` of who is no vendor.
    pub rate: Option<Rate>,
    /// How many requests may be made, and how many of them are left; `None` of who is no vendor.
    pub limiter: Option<Limiter>,
    /// How many actions wait for it.
    pub unfinished: u64,
    /// When its catalog was last read whole; `None` if nothing is known of it.
    pub catalog_read_at: Option<Timestamp>,
}

/// How fast a vendor is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// Repeats per second that are granted while nothing succeeds.
    pub repeats_per_second: f64,
    /// How many actions are worked on at once.
    pub concurrency: usize,
    /// How many are worked on now.
    pub working: usize,
}

/// How many requests a vendor may be asked. What exceeds it waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Limiter {
    /// Requests per second, over a longer time.
    pub per_second: f64,
    /// How many may go at once after a pause.
    pub burst: u32,
    /// How many of these are left now.
    pub left: u32,
    /// How many wait for their turn.
    pub waiting: u32,
}

impl From<Fill> for Limiter {
    fn from(Fill { rate, tokens }: Fill) -> Self {
        // Between the burst and as many requests as are under way: it fits.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not below zero"
        )]
        let whole = |count: f64| count.max(0.0) as u32;
        Self {
            per_second: rate.per_second,
            burst: rate.burst,
            left: whole(tokens.floor()),
            waiting: whole((-tokens).ceil()),
        }
    }
}

/// An action that is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Retried {
    /// Its id.
    pub id: String,
    /// `look`: the vendor's records are read first; `send`: it is sent.
    pub next: &'static str,
    /// Whether the vendor, which did not accept who we are, is probed for that.
    pub vendor_resumed: bool,
}

/// Why an action is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRetried {
    /// As it says.
    #[error("{0}")]
    NotRevived(NotRevived),
    /// Nobody would do it.
    #[error("its vendor `{0}` is not in the config")]
    VendorGone(VendorName),
}

impl People {
    /// A page of actions.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn actions(
        &self,
        sought: &ActionsSought,
        limit: u32,
    ) -> Result<Page<ActionSummary>, StoreError> {
        let list = List::of_actions(sought.which);
        let found = self.store.seek_actions(sought, limit).await?;
        let of = |found: ActionOf| ActionSummary::of(&found.action, &found.incident, found.last);
        Ok(Page::of(list, found.map(of)))
    }

    /// An action with every attempt.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn action(&self, id: &ActionId) -> Result<Option<ActionDetail>, StoreError> {
        let Some(incident) = self.store.incident(&id.incident).await? else { return Ok(None) };
        let actions = self.store.actions(&id.incident).await?;
        let Some(action) = actions.into_iter().find(|action| action.id == *id) else {
            return Ok(None);
        };
        let mut attempts = self.store.attempts(&id.incident).await?;
        attempts.retain(|attempt| attempt.action == *id);
        let summary = ActionSummary::of(&action, &incident, attempts.last().cloned());
        let exchanges = attempts.into_iter().map(|mut attempt| ExchangeDetail {
            request: attempt.request.take().and_then(|text| serde_json::from_str(&text).ok()),
            exchange: Exchange::of(attempt),
        });
        Ok(Some(ActionDetail {
            summary,
            next: action.phase.name(),
            due_at: action.due_at,
            exchanges: exchanges.collect(),
        }))
    }

    /// Has an action that waits for a person tried again. A vendor that did not accept who
    /// we are is probed for it: whoever retries believes that this is mended.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn retry(
        &self,
        by: &Operator,
        id: &ActionId,
        how: Revival,
    ) -> Result<Result<Retried, NotRetried>, StoreError> {
        let object = Object::Action(id.clone());
        let detail = match how {
            Revival::Look => "look first",
            Revival::Send => "send at once",
        };
        let came_of = |retried: &Result<Retried, NotRetried>| match retried {
            Ok(_) => End::done(),
            Err(why) => End::refused(why),
        };
        self.act(by, Act::Retry, &object, detail, self.retried(id, how), came_of).await
    }

    async fn retried(
        &self,
        id: &ActionId,
        how: Revival,
    ) -> Result<Result<Retried, NotRetried>, StoreError> {
        let actions = self.store.actions(&id.incident).await?;
        let Some(action) = actions.into_iter().find(|action| action.id == *id) else {
            return Ok(Err(NotRetried::NotRevived(NotRevived::Unknown)));
        };
        let Some(lane) = self.lane(&action.vendor) else {
            return Ok(Err(NotRetried::VendorGone(action.vendor)));
        };
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let decide = Arc::new(move |incident: &Incident| {
            let policy = playbook.policy(incident);
            step(Some(incident), &Event::OpenRevived, &policy, None, now)
        });
        let action = match self.store.revive(id, how, now, decide).await? {
            Ok(action) => action,
            Err(why) => return Ok(Err(NotRetried::NotRevived(why))),
        };
        let denied = lane.gate().cause() == Some(Cause::Denied);
        let vendor_resumed = denied && self.lift(&lane).await?;
        self.wake.notify_one();
        let next = match action.phase {
            Phase::Send => "send",
            Phase::Look { .. } => "look",
        };
        Ok(Ok(Retried { id: id.to_string(), next, vendor_resumed }))
    }

    /// How the vendors stand.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn vendors(&self) -> Result<Vec<Standing>, StoreError> {
        let unfinished = self.store.census().await?.waiting;
        self.standings(&unfinished).await
    }

    async fn standings(
        &self,
        unfinished: &HashMap<VendorName, u64>,
    ) -> Result<Vec<Standing>, StoreError> {
        let now = self.clock.now();
        let mut standings = Vec::new();
        for lane in self.lanes.get().iter() {
            let waiting = unfinished.get(&lane.name).copied().unwrap_or(0);
            let kept = self.catalogs.kept(&lane.name).await?;
            let catalog_read_at = kept.map(|kept| kept.read_at);
            standings.push(Standing { catalog_read_at, ..Standing::of(lane, waiting, now) });
        }
        Ok(standings)
    }

    /// Has a vendor that is left alone probed at once, and ends the pause that a person wanted. `None`
    /// if there is no such vendor; `false` if nothing was in the way but, perhaps, its own wish for a
    /// pause, which is respected.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn resume(
        &self,
        by: &Operator,
        name: &VendorName,
    ) -> Result<Option<bool>, StoreError> {
        let came_of = |resumed: &Option<bool>| match resumed {
            Some(true) => End::done(),
            Some(false) => End::refused("nothing was in the way but, perhaps, its own wish"),
            None => End::refused("there is no such vendor"),
        };
        let object = Object::Vendor(name.clone());
        self.act(by, Act::Resume, &object, "", self.resumed(name), came_of).await
    }

    async fn resumed(&self, name: &VendorName) -> Result<Option<bool>, StoreError> {
        let Some(lane) = self.lane(name) else { return Ok(None) };
        let resumed = self.lift(&lane).await?;
        self.wake.notify_one();
        Ok(Some(resumed))
    }

    /// Has a vendor left alone for some time, at most [`LONGEST_PAUSE`](crate::domain::gate::LONGEST_PAUSE):
    /// what is to be done there waits, and goes on by itself. `None` if there is no such vendor.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn pause(
        &self,
        by: &Operator,
        name: &VendorName,
        lasts: Duration,
        reason: String,
    ) -> Result<Option<Standing>, StoreError> {
        let came_of = |paused: &Option<Standing>| match paused {
            Some(_) => End::done(),
            None => End::refused("there is no such vendor"),
        };
        let object = Object::Vendor(name.clone());
        let detail = format!("for {}: {reason}", duration::format(lasts));
        let work = self.paused(name, lasts, reason, &by.name);
        self.act(by, Act::Pause, &object, &detail, work, came_of).await
    }

    async fn paused(
        &self,
        name: &VendorName,
        lasts: Duration,
        reason: String,
        who: &str,
    ) -> Result<Option<Standing>, StoreError> {
        let Some(lane) = self.lane(name) else { return Ok(None) };
        let now = self.clock.now();
        lane.pause(lasts, who.to_owned(), reason, now);
        self.store.keep_gate(&lane.name, &lane.gate(), now).await?;
        Ok(Some(Standing::of(&lane, 0, now)))
    }

    /// Has the catalog of a vendor read now, or of all. `None` if there is no such vendor.
    ///
    /// # Errors
    ///
    /// The first vendor that did not tell, or the store's.
    pub async fn sync_catalogs(
        &self,
        by: &Operator,
        name: Option<&VendorName>,
    ) -> Result<Option<Vec<Synced>>, NotSynced> {
        let object = name.map_or(Object::Everything, |name| Object::Vendor(name.clone()));
        let came_of = |synced: &Option<Vec<Synced>>| match synced {
            Some(_) => End::done(),
            None => End::refused("there is no such vendor"),
        };
        self.act(by, Act::Sync, &object, "", self.synced(name), came_of).await
    }

    async fn synced(&self, name: Option<&VendorName>) -> Result<Option<Vec<Synced>>, NotSynced> {
        let mut synced = Vec::new();
        for lane in self.lanes.get().iter() {
            let Some(vendor) = lane.vendor() else { continue };
            if name.is_none_or(|name| lane.name == *name) {
                synced.push(self.catalogs.sync(&lane.name, &**vendor).await?);
            }
        }
        // What the vendor did not offer before may be offered now.
        self.store.unblock(self.clock.now()).await?;
        self.wake.notify_one();
        Ok((!synced.is_empty()).then_some(synced))
    }

    /// What the rules in force ask for that their vendors do not offer.
    pub async fn complaints(&self) -> Vec<Complaint> {
        self.catalogs.complaints(&self.playbook.get()).await
    }

    async fn lift(&self, lane: &Lane) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let unpaused = lane.unpause(now);
        let resumed = lane.resume(now) || unpaused;
        if resumed {
            self.store.keep_gate(&lane.name, &lane.gate(), now).await?;
        }
        Ok(resumed)
    }

    fn lane(&self, name: &VendorName) -> Option<Arc<Lane>> {
        self.lanes.get().iter().find(|lane| lane.name == *name).cloned()
    }
}

impl ActionSummary {
    fn of(action: &Action, incident: &Incident, last: Option<Attempt>) -> Self {
        // What was given up without an attempt was due until then.
        let since = last.as_ref().and_then(|last| last.finished_at);
        let since = since.map_or(action.due_at, |ended| ended.max(action.due_at));
        let since = action.blocked_at.unwrap_or(since);
        let why = action.message.clone().or_else(|| last.as_ref()?.message.clone());
        Self {
            id: action.id.to_string(),
            incident: incident.id.to_string(),
            state: action.standing(),
            kind: action.kind.name(),
            target: action.kind.target().map(ToString::to_string),
            vendor: action.vendor.to_string(),
            rule: incident.rule.to_string(),
            incident_state: incident.state.name(),
            token: incident.id.marker().token(),
            case: incident.state.case().map(ToString::to_string),
            labels: incident.origin.labels.clone(),
            since,
            why: why.unwrap_or_default(),
            attempts: action.attempts,
            first_sent_at: action.first_sent_at,
            created_at: action.created_at,
            last_attempt: last.map(Exchange::of),
        }
    }
}

impl Exchange {
    fn of(attempt: Attempt) -> Self {
        Self {
            phase: attempt.phase,
            outcome: attempt.outcome,
            status: attempt.status,
            number: attempt.number,
            reference: attempt.reference,
            message: attempt.message,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
        }
    }
}

impl Standing {
    fn of(lane: &Lane, unfinished: u64, now: Timestamp) -> Self {
        let gate = lane.gate();
        let (state, next) = (gate.name(now), gate.admits(now));
        // After a restart nobody remembers what it said.
        let known = match state {
            "denied" => Some("it does not accept who we are"),
            "tripped" => Some("it fails again and again"),
            "paused" => Some("it asked to be left alone"),
            _ => None,
        };
        let pause = gate.paused(now);
        let in_trouble = gate.cause().is_some() && pause.is_none();
        let wished =
            pause.map(|pause| format!("{} wants it left alone: {}", pause.by, pause.reason));
        let why = known.map(|known| lane.why().unwrap_or_else(|| known.to_owned()));
        Self {
            name: lane.name.to_string(),
            state,
            since: pause.map(|pause| pause.since).or_else(|| gate.since()),
            why: wished.or(why),
            next_probe: match next {
                Admission::Wait(until) if in_trouble => Some(until),
                Admission::Probe => Some(now),
                Admission::Wait(_) | Admission::Free => None,
            },
            paused_until: match next {
                Admission::Wait(until) if !in_trouble => Some(until),
                _ => None,
            },
            paused_by: pause.map(|pause| pause.by.clone()),
            rate: lane.vendor().map(|_| Rate {
                repeats_per_second: lane.settings.retries_per_second,
                concurrency: lane.settings.concurrency,
                working: lane.working(),
            }),
            limiter: lane.vendor().and_then(|vendor| vendor.fill()).map(Limiter::from),
            unfinished,
            catalog_read_at: None,
        }
    }
}
