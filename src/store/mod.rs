//! What Casewright remembers: deliveries, incidents with their member alerts, actions, attempts.
//!
//! [`Store`] is told the time and handed the decisions; it contributes what only a database can:
//! that what belongs together is committed together, durably, and that only one party at a time
//! works on a thing. Nothing above this trait knows which database it talks to;
//! `tests/store_conformance.rs` holds what every implementation promises.

pub mod admission;
pub mod history;
pub mod lists;
pub mod sqlite;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::admission::Admission;
use self::history::{Tallied, Tally, Total};
pub use self::lists::Sought;
use self::lists::{
    ActionOf, ActionsSought, AlertOf, AlertsSought, CaseOf, CasesSought, DeliveriesSought, Listed,
};
use crate::domain::action::ActionKind;
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::audit::{Asked, Deed, End, Entry};
use crate::domain::case_view::{CaseView, KeptCase};
use crate::domain::catalog::whole::KeptCatalog;
use crate::domain::draft::{DraftEdit, EditedDraft};
use crate::domain::gate::Gate;
use crate::domain::ids::{
    ActionId, CaseId, DeliveryId, Fingerprint, IncidentId, IncidentKey, InstallationId, RuleName,
    SourceName, VendorName,
};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::Step;
use crate::domain::member::Member;
use crate::domain::mute::Mute;
use crate::domain::retention::Retention;
use crate::domain::rollup::RollCall;
use crate::domain::session::Session;
use crate::domain::severity::Rank;
use crate::domain::storm::Usage;

/// Why the store could not do what it was asked. In every case nothing was changed, or the caller
/// must behave as if it did not know.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database does not take writes (or reads) now: locked, damaged, closed.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The disk does not do its part: it is full, read-only, or fails. Whether the change is on it
    /// is not known; it is not acknowledged.
    #[error("the disk fails the store: {0}")]
    Disk(String),
    /// More work is waiting than can be done soon.
    #[error("the store is overloaded")]
    Overloaded,
    /// The lease was lost: somebody else may be working on the action, so the outcome that was
    /// to be written must not be.
    #[error("the lease on action {0} was lost")]
    LeaseLost(ActionId),
    /// A row that makes no sense: a bug, or somebody else's hand in the database.
    #[error("the store holds something that makes no sense: {0}")]
    Corrupt(String),
}

/// What became of a delivery as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It changed an incident.
    Accepted,
    /// It told nothing new.
    Repeat,
    /// No rule took any of its alerts.
    Unmatched,
    /// Rules ignore its alerts.
    Ignored,
    /// It carries no alerts: a ping, a note, an event of an unknown type.
    Noted,
    /// It was delivered before.
    Redelivered,
    /// It is authentic, but cannot be understood; kept for a person to look at.
    Unusable,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Repeat,
        Self::Unmatched,
        Self::Ignored,
        Self::Noted,
        Self::Redelivered,
        Self::Unusable,
    ];

    /// The name in the store, in answers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Unmatched => "unmatched",
            Self::Ignored => "ignored",
            Self::Noted => "noted",
            Self::Redelivered => "redelivered",
            Self::Unusable => "unusable",
        }
    }

    /// Repeats are most of the traffic and their bodies tell nothing; every other body is kept.
    pub fn keeps_body(self) -> bool {
        !matches!(self, Self::Repeat | Self::Redelivered)
    }
}

/// What was decided about one alert of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The alert's fingerprint.
    pub fingerprint: String,
    /// What a person calls it.
    pub alert: String,
    /// Firing or resolved.
    pub status: String,
    /// The rule that took it.
    pub rule: Option<RuleName>,
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// What it changed, or why nothing.
    pub effect: String,
}

/// A webhook request that passed authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The source that it came through.
    pub source: SourceName,
    /// When.
    pub received_at: Timestamp,
    /// The sender's ids of it, by which a redelivery is recognised; may be empty.
    pub ids: Vec<String>,
    /// As received.
    pub body: Vec<u8>,
}

/// A delivery to be taken in.
#[derive(Clone)]
pub struct Intake {
    /// The request.
    pub delivery: Delivery,
    /// What the decision wants to see.
    pub wanted: Vec<Wanted>,
    /// The incidents whose firing members these alerts are, are wanted as well: rules may have led
    /// there by labels that the alerts no longer have.
    pub followed: Followed,
    /// After which time openings count for the case budgets.
    pub budget_since: Timestamp,
    /// Decides; pure, may be called more than once, sees the newest generation of each key. If it
    /// panics, this delivery is refused and no other.
    pub decide: Arc<dyn Fn(&Known) -> Decision + Send + Sync>,
}

/// An incident that a decision wants to see. What a delivery costs must not depend on how many
/// alerts its incident has, so only those members are shown that the delivery speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The incident.
    pub key: IncidentKey,
    /// The alerts.
    pub members: Vec<Fingerprint>,
}

/// Alerts whose incidents are wanted, whichever those are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// These in any case.
    pub always: Vec<Fingerprint>,
    /// These only if they are firing members of no incident that is [`Wanted`]. Most are, because
    /// most of what senders say are repeats, and then there is nothing to be looked for.
    pub strangers: Vec<Fingerprint>,
    /// Of these also the incidents of which they are resolved members. Only for alerts whose sender
    /// orders its events; of each incident only the newest generation.
    pub returning: Vec<Fingerprint>,
}

/// What a decision about a delivery knows.
#[derive(Debug, Clone, Default)]
pub struct Known {
    incidents: HashMap<IncidentKey, Incident>,
    /// Where an alert is a member, or was: the incidents tell.
    members: HashMap<Fingerprint, Vec<IncidentKey>>,
    /// What was opened lately, and what waits. Empty as long as no decision asks for an opening:
    /// most do not, so it is read, and the decision made anew, only when one does.
    pub usage: Usage,
}

impl Known {
    /// The newest generation of an incident that was asked for and exists, with at least those of
    /// its members that were asked for and exist.
    pub fn get(&self, key: &IncidentKey) -> Option<&Incident> {
        self.incidents.get(key)
    }

    /// Notes the newest generation of an incident, as it stands now.
    pub fn note(&mut self, incident: Incident) {
        for fingerprint in incident.members.keys() {
            let of = self.members.entry(fingerprint.clone()).or_default();
            if !of.contains(&incident.key) {
                of.push(incident.key.clone());
            }
        }
        self.incidents.insert(incident.key.clone(), incident);
    }

    /// The incidents of which an alert is a firing member, in the order of their keys, and how bad
    /// it is for each.
    pub fn homes(&self, alert: &Alert) -> Vec<(&Incident, Rank)> {
        let homes = self.homes_of(&alert.source, &alert.fingerprint).into_iter();
        homes.map(|(incident, member)| (incident, member.rank)).collect()
    }

    /// As [`Self::homes`], with what is known of the alert.
    pub fn homes_of(
        &self,
        source: &SourceName,
        fingerprint: &Fingerprint,
    ) -> Vec<(&Incident, &Member)> {
        self.member_of(source, fingerprint, AlertStatus::Firing)
    }

    /// The incidents of which an alert is a resolved member, as far as that was asked for, in the
    /// order of their keys, with what is known of the alert.
    pub fn former_homes(&self, alert: &Alert) -> Vec<(&Incident, &Member)> {
        self.member_of(&alert.source, &alert.fingerprint, AlertStatus::Resolved)
    }

    fn member_of(
        &self,
        source: &SourceName,
        fingerprint: &Fingerprint,
        status: AlertStatus,
    ) -> Vec<(&Incident, &Member)> {
        let keys = self.members.get(fingerprint).into_iter().flatten();
        let mut found: Vec<(&Incident, &Member)> = keys
            .filter_map(|key| {
                let incident = self.incidents.get(key)?;
                let member = incident.members.get(fingerprint)?;
                let is_it = member.alert.status == status && member.alert.source == *source;
                is_it.then_some((incident, member))
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| one.key.cmp(&other.key));
        found
    }
}

/// What a decision changes.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What becomes of the delivery.
    pub fate: Fate,
    /// Why there are no alerts, or why the delivery is unusable.
    pub note: Option<String>,
    /// One per alert and rule that took it.
    pub verdicts: Vec<Verdict>,
    /// The changes; at most one per key.
    pub steps: Vec<Step>,
}

/// What the sender and the logs are told of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub fate: Fate,
    /// One per alert and rule that took it.
    pub verdicts: Vec<Verdict>,
    /// Whether there is new work for the dispatcher.
    pub work: bool,
}

/// What is to be done next with an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Send it.
    Send,
    /// Its outcome is unknown: look in the vendor's records.
    Look {
        /// How many looks were in vain.
        looks: u32,
        /// Since when the outcome is unknown.
        unknown_since: Timestamp,
    },
}

impl Phase {
    /// The name in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Look { .. } => "look",
        }
    }
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Waits for its time.
    Ready,
    /// Somebody works on it.
    Leased,
    /// Whether it was done cannot be told; a person decides.
    Held,
    /// Done.
    Done,
    /// A dead letter, for a person to look at.
    Dead,
}

impl ActionState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Leased, Self::Held, Self::Done, Self::Dead];

    /// The name in the store, in logs and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Held => "held",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

/// What people call an action that [waits for one](Progress::Blocked) while it is tried again by
/// itself.
pub const BLOCKED: &str = "blocked";

/// An action as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its incident and its place in the incident's order.
    pub id: ActionId,
    /// Where it is to be done.
    pub vendor: VendorName,
    /// What is to be done.
    pub kind: ActionKind,
    /// The incident's rank when the action was decided.
    pub rank: Rank,
    /// Where it stands.
    pub state: ActionState,
    /// What is to be done next.
    pub phase: Phase,
    /// How many times it was sent.
    pub attempts: u32,
    /// When it was first sent: how far back to look.
    pub first_sent_at: Option<Timestamp>,
    /// Not before this time.
    pub due_at: Timestamp,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When a person last had it tried again.
    pub revived_at: Option<Timestamp>,
    /// Since when it [waits for a person](Progress::Blocked), while it is tried again by itself.
    pub blocked_at: Option<Timestamp>,
    /// What the last attempt said.
    pub message: Option<String>,
}

impl Action {
    /// Since when it is tried: the horizon is counted from here.
    pub fn tried_since(&self) -> Timestamp {
        self.revived_at.unwrap_or(self.created_at)
    }

    /// Whether a person has to mend first what it is made of; it is tried all the same.
    pub fn is_blocked(&self) -> bool {
        self.blocked_at.is_some()
    }

    /// The word for where it stands, for people: that of its state, or [`BLOCKED`].
    pub fn standing(&self) -> &'static str {
        if self.is_blocked() { BLOCKED } else { self.state.name() }
    }
}

/// Which actions a claim gives out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Opens before comments before closures, worst rank first, longest due first.
    Urgency,
    /// The longest due first, whatever they are.
    Age,
}

/// Which actions are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Of this vendor.
    pub vendor: VendorName,
    /// In this order.
    pub turn: Turn,
    /// Also those that were sent before and are to be sent again.
    pub repeats: bool,
    /// At most so many.
    pub limit: u32,
}

/// What a person wants of an action that waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revival {
    /// The vendor's records are read; what is not there is sent again.
    Look,
    /// It is sent at once: the person has made sure that it was not done.
    Send,
}

/// Why an action was not revived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRevived {
    /// There is none.
    #[error("there is no such action")]
    Unknown,
    /// It is neither held nor a dead letter nor blocked.
    #[error("it is {}, and does not wait for a person", .0.name())]
    Alive(ActionState),
    /// A later action took its place: the incident is not waiting for it any more.
    #[error("its incident does not wait for it any more")]
    Superseded,
}

/// The right to work on an action until a time. The token fences: whoever writes with an old one
/// is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The action.
    pub action: ActionId,
    /// Differs for every lease of the action.
    pub token: i64,
}

/// A claimed action, with its incident as of the claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The right to work on it.
    pub lease: Lease,
    /// The action.
    pub action: Action,
    /// Its incident.
    pub incident: Incident,
}

/// An attempt that is about to be made.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// When.
    pub started_at: Timestamp,
    /// Sending, or looking.
    pub phase: Phase,
    /// What will be sent, for people: JSON.
    pub request: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// `Outcome::name` or the like: one of the words that the schema allows.
    pub outcome: &'static str,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The vendor's own name for the exchange.
    pub reference: Option<String>,
    /// What happened, in words.
    pub message: String,
}

/// What is to become of an action after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// It is a dead letter.
    Dead,
    /// Whether it was done cannot be told; a person decides.
    Held,
    /// It goes on.
    Next {
        /// With this.
        phase: Phase,
        /// Not before this time.
        due: Timestamp,
    },
    /// It cannot be sent before a person has mended what it is made of: a rule, a template, a name
    /// that the vendor does not offer. It is tried again all the same, since it may be mended anywhere.
    Blocked {
        /// Not before this time.
        due: Timestamp,
    },
}

/// The result of working on an action.
#[derive(Clone)]
pub struct Settlement {
    /// When.
    pub at: Timestamp,
    /// How the attempt ended. `None`: no attempt was begun (the draft could not be made, say).
    pub attempt: Option<AttemptEnd>,
    /// What is to become of the action.
    pub progress: Progress,
    /// For people, kept with the action.
    pub message: String,
    /// What it means for the incident, if anything; pure, may be called more than once.
    pub decide: Option<StepFn>,
}

/// Decides about one incident as the store has it in that moment.
pub type StepFn = Arc<dyn Fn(&Incident) -> Step + Send + Sync>;

/// As [`StepFn`], knowing also what was opened lately.
pub type BudgetedFn = Arc<dyn Fn(&Incident, &Usage) -> Step + Send + Sync>;

/// Decides about an incident that may not exist yet. `None`: nothing is to be decided.
pub type NewestFn = Arc<dyn Fn(Option<&Incident>) -> Option<Step> + Send + Sync>;

/// One line of the record of what was decided about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// What brought it about: the id of a delivery, or [`cause`].
    pub cause: String,
    /// The state that it led to.
    pub state: String,
    /// Why, in words.
    pub reason: String,
}

/// What brings a decision about, beside deliveries.
pub mod cause {
    /// A time has come.
    pub const TIMER: &str = "timer";
    /// What a roll-up stands for has changed.
    pub const ROLLUP: &str = "rollup";
    /// An action has ended.
    pub const OUTCOME: &str = "outcome";
    /// The vendor has done something with the case.
    pub const VENDOR: &str = "vendor";
    /// A person wants it so.
    pub const PERSON: &str = "person";

    /// That person, by the name of the token.
    pub fn person(who: &str) -> String {
        format!("{PERSON} {who}")
    }
}

/// An attempt as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The action.
    pub action: ActionId,
    /// Counted from 1 over sends and looks.
    pub number: u32,
    /// `send` or `look`.
    pub phase: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// `sending` until it has ended.
    pub outcome: String,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The vendor's own name for the exchange.
    pub reference: Option<String>,
    /// What happened, in words.
    pub message: Option<String>,
    /// What was sent, as JSON.
    pub request: Option<String>,
}

/// A delivery as the store has it, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// The source that it came through.
    pub source: SourceName,
    /// When.
    pub received_at: Timestamp,
    /// What became of it.
    pub fate: Fate,
    /// Why, if there is anything to say.
    pub note: Option<String>,
    /// One per alert and rule that took it.
    pub verdicts: Vec<Verdict>,
}

/// A delivery with what was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDelivery {
    /// What became of it.
    pub record: DeliveryRecord,
    /// What was posted; not kept of those that told nothing new.
    pub body: Option<Vec<u8>>,
}

/// Why a draft was not edited, or not approved as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// There is no such incident.
    #[error("there is no such incident")]
    Unknown,
    /// Its case was asked for, or never will be.
    #[error("it is {0}, and only what is held or pending has a draft")]
    NotWaiting(String),
    /// Somebody else was quicker.
    #[error("its draft has been edited meanwhile")]
    Moved,
}

/// A case that is worth watching, and what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCase {
    /// Its incident.
    pub incident: IncidentId,
    /// Its number.
    pub case: CaseId,
    /// When the incident began, so not later than its case was made.
    pub since: Timestamp,
    /// Whether the incident goes on: it is open or resolving.
    pub goes_on: bool,
    /// What was last read of it, without comments; `None` if it was never read.
    pub known: Option<CaseView>,
    /// The vendor's id of the newest comment that is kept.
    pub last_comment: Option<String>,
}

/// How much room a store takes, and how much there is; `None` where nobody tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Its size without its log, in bytes.
    pub bytes: Option<u64>,
    /// Bytes that may still be written where it is.
    pub free: Option<u64>,
}

/// Counts for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Incidents by state.
    pub incidents: HashMap<String, u64>,
    /// Held incidents by what holds them.
    pub held: HashMap<String, u64>,
    /// Actions by kind and [standing](Action::standing); without dead open actions in whose place
    /// another came.
    pub actions: HashMap<(String, String), u64>,
    /// Unfinished actions by vendor.
    pub waiting: HashMap<VendorName, u64>,
    /// Actions that are held or dead letters, by vendor: a person may have them tried again.
    pub for_people: HashMap<VendorName, u64>,
    /// When the oldest unfinished action was due.
    pub oldest_due: Option<Timestamp>,
    /// Cases that were read at their vendor, by vendor and
    /// [label of their status](crate::domain::case_view::CaseStatus::label) or `unknown`.
    pub cases: HashMap<(VendorName, &'static str), u64>,
    /// Cases on which a vendor waits for us.
    pub waiting_for_us: HashMap<VendorName, u64>,
}

impl Census {
    /// How many actions are unfinished.
    pub fn unfinished(&self) -> u64 {
        self.actions
            .iter()
            .filter(|((_, state), _)| matches!(state.as_str(), "ready" | "leased" | BLOCKED))
            .map(|(_, count)| *count)
            .sum()
    }
}

/// How many rows one run of [`Store::prune`] has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Deliveries.
    pub deliveries: u64,
    /// Ids by which redeliveries are recognised.
    pub delivery_ids: u64,
    /// Attempts.
    pub attempts: u64,
    /// Actions.
    pub actions: u64,
    /// Member alerts.
    pub members: u64,
    /// Lines of the record of decisions.
    pub decisions: u64,
    /// What vendors said of cases.
    pub watched_cases: u64,
    /// Comments on cases.
    pub case_comments: u64,
    /// What people have changed of drafts.
    pub edited_drafts: u64,
    /// Numbers for charts.
    pub tallies: u64,
    /// Incidents of which a newer generation exists.
    pub incidents: u64,
    /// Lines of the record of what people have had done.
    pub audit: u64,
    /// Sessions of browsers.
    pub sessions: u64,
    /// Whether another run would find more to do now.
    pub more: bool,
}

impl Pruned {
    /// The tables, with how many of their rows are gone.
    pub const fn tables(&self) -> [(&'static str, u64); 13] {
        [
            ("deliveries", self.deliveries),
            ("delivery_ids", self.delivery_ids),
            ("attempts", self.attempts),
            ("actions", self.actions),
            ("members", self.members),
            ("decisions", self.decisions),
            ("watched_cases", self.watched_cases),
            ("case_comments", self.case_comments),
            ("edited_drafts", self.edited_drafts),
            ("tallies", self.tallies),
            ("incidents", self.incidents),
            ("audit", self.audit),
            ("sessions", self.sessions),
        ]
    }
}

/// What Casewright remembers. Every method that writes returns only after its commit is durable.
#[async_trait]
pub trait Store: Send + Sync {
    /// The id that this store was given when it was made.
    fn installation(&self) -> &InstallationId;

    /// Who may still come in. Quick: asked before a body is read, and again before it is parsed.
    fn admission(&self) -> &Arc<Admission>;

    /// Takes a delivery in: delivery, incident changes and new actions in one transaction. A
    /// delivery one of whose ids is known is [`Fate::Redelivered`] and changes nothing.
    async fn ingest(&self, intake: Intake) -> Result<Receipt, StoreError>;

    /// Incidents whose timer has run out, longest overdue first.
    async fn due_incidents(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IncidentId>, StoreError>;

    /// Decides about one incident and keeps the result, for a [`cause`]. `None` if it does not
    /// exist. The decision is told what was opened after `budget_since`, what waits and what is muted.
    async fn advance(
        &self,
        id: &IncidentId,
        cause: &str,
        budget_since: Timestamp,
        decide: BudgetedFn,
    ) -> Result<Option<Step>, StoreError>;

    /// What waits for the case budget: the worst and oldest of each rule, at most `limit` of one
    /// rule, in the order in which they are to be let go.
    async fn over_budget(&self, limit: u32) -> Result<Vec<IncidentId>, StoreError>;

    /// How what roll-ups stand for differs from what they were told; at most `limit` incidents join
    /// in all.
    async fn roll_calls(&self, limit: u32) -> Result<Vec<RollCall>, StoreError>;

    /// Decides about the newest incident of a key, or about beginning one, and keeps the result, for
    /// a [`cause`]. Only those members are shown that are asked for.
    async fn advance_newest(
        &self,
        wanted: &Wanted,
        cause: &str,
        decide: NewestFn,
    ) -> Result<Option<Step>, StoreError>;

    /// Remembers that a rule, or everything, is muted.
    async fn mute(&self, mute: &Mute) -> Result<(), StoreError>;

    /// Ends a mute before its time, and has what was held looked at again. Whether there was one.
    async fn unmute(&self, id: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// The mutes that count at `now`, the one that ends first first.
    async fn mutes(&self, now: Timestamp) -> Result<Vec<Mute>, StoreError>;

    /// Has every incident that is held for another reason than the budget looked at again: other
    /// rules count now.
    async fn review_held(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Leases due actions until `now + lease`.
    ///
    /// Per incident only the first unfinished action is given out, and none behind one that is
    /// held; only a recheck stands in nobody's way. An action whose lease has run out is given out
    /// again; if its last send has no outcome, that outcome is recorded as unknown and the action
    /// comes in [`Phase::Look`].
    async fn claim(
        &self,
        request: ClaimRequest,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Records that an attempt is about to be made. For [`Phase::Send`] the record is what makes
    /// the outcome unknown rather than forgotten if this process dies now.
    async fn begin_attempt(&self, lease: &Lease, attempt: NewAttempt) -> Result<(), StoreError>;

    /// Puts off every look that is waited for, and the window that it belongs to, by `step`: the
    /// clock was set forward so far.
    async fn postpone_looks(&self, step: Duration) -> Result<(), StoreError>;

    /// Counts a time in which no sender could be heard (nobody listened, or the clock was set
    /// forward) as no silence of any incident, up to `now`.
    async fn forgive_silence(&self, deaf: Duration, now: Timestamp) -> Result<(), StoreError>;

    /// When the newest delivery came in.
    async fn last_heard(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Has every action that is blocked tried at once: what it is made of may have been mended.
    async fn unblock(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Records the result of working on an action, and what follows for its incident, in one
    /// transaction. Ends the lease.
    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<(), StoreError>;

    /// Has an action that is held, a dead letter or blocked tried again, because a person wants it. Where
    /// it is the open action of an incident that has failed, the incident is opening again;
    /// `decide` says so. All in one transaction.
    async fn revive(
        &self,
        action: &ActionId,
        how: Revival,
        now: Timestamp,
        decide: StepFn,
    ) -> Result<Result<Action, NotRevived>, StoreError>;

    /// What a person has changed of the draft of an incident.
    async fn edited_draft(&self, incident: &IncidentId) -> Result<Option<EditedDraft>, StoreError>;

    /// Keeps what a person has changed of the draft of an incident, in place of what was changed
    /// before, and a line of the record of decisions. Only while its case is not asked for, and only
    /// if there were exactly `seen` edits before.
    async fn edit_draft(
        &self,
        incident: &IncidentId,
        seen: u32,
        edit: &DraftEdit,
        who: &str,
        now: Timestamp,
    ) -> Result<Result<EditedDraft, NotEdited>, StoreError>;

    /// As [`Self::advance`], but only if the draft of the incident was edited exactly `seen` times.
    async fn advance_as_seen(
        &self,
        id: &IncidentId,
        seen: u32,
        cause: &str,
        budget_since: Timestamp,
        decide: BudgetedFn,
    ) -> Result<Result<Step, NotEdited>, StoreError>;

    /// A page of actions, at most `limit`.
    async fn seek_actions(
        &self,
        sought: &ActionsSought,
        limit: u32,
    ) -> Result<Listed<ActionOf>, StoreError>;

    /// What is remembered of a vendor's gate.
    async fn gate(&self, vendor: &VendorName) -> Result<Option<Gate>, StoreError>;

    /// Remembers a vendor's gate.
    async fn keep_gate(
        &self,
        vendor: &VendorName,
        gate: &Gate,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What is remembered of what a vendor accepts.
    async fn catalog(&self, vendor: &VendorName) -> Result<Option<KeptCatalog>, StoreError>;

    /// Remembers what a vendor accepts, in place of what was remembered of that vendor.
    async fn keep_catalog(&self, vendor: &VendorName, kept: &KeptCatalog)
    -> Result<(), StoreError>;

    /// The cases of a vendor that are worth watching, longest unchecked first, those that were never
    /// read before all others: of incidents that go on, and of those that ended after `ended_after` as long
    /// as alerts fire or the vendor has not closed the case. Only of the newest generation.
    async fn open_cases(
        &self,
        vendor: &VendorName,
        ended_after: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenCase>, StoreError>;

    /// Keeps what was read of an incident's case, and what follows for the incident, in one
    /// transaction. Comments are added to those that are known by other ids; the oldest beyond
    /// [`COMMENTS`](crate::domain::case_view::COMMENTS) go. `None`, and nothing is kept, if the incident
    /// has another case by now; else the step.
    async fn keep_case(
        &self,
        incident: &IncidentId,
        kept: &KeptCase,
        decide: Option<StepFn>,
    ) -> Result<Option<Option<Step>>, StoreError>;

    /// The vendor was asked at `at`, and the cases of these incidents are as they are kept.
    async fn confirm_cases(
        &self,
        incidents: &[IncidentId],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What is kept of an incident's case.
    async fn kept_case(&self, incident: &IncidentId) -> Result<Option<KeptCase>, StoreError>;

    /// When the next action of the given vendors is due, a lease of theirs runs out, or a timer of
    /// any incident does; whichever is earliest.
    async fn next_due(&self, vendors: &[VendorName]) -> Result<Option<Timestamp>, StoreError>;

    /// One incident.
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError>;

    /// The newest incidents, newest first.
    async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError>;

    /// A page of incidents, at most `limit`, without their members.
    async fn seek(&self, sought: &Sought, limit: u32) -> Result<Listed<Incident>, StoreError>;

    /// A page of alerts, at most `limit`.
    async fn seek_alerts(
        &self,
        sought: &AlertsSought,
        limit: u32,
    ) -> Result<Listed<AlertOf>, StoreError>;

    /// A page of cases, at most `limit`.
    async fn seek_cases(
        &self,
        sought: &CasesSought,
        limit: u32,
    ) -> Result<Listed<CaseOf>, StoreError>;

    /// A page of deliveries, at most `limit`.
    async fn seek_deliveries(
        &self,
        sought: &DeliveriesSought,
        limit: u32,
    ) -> Result<Listed<DeliveryRecord>, StoreError>;

    /// One delivery, with what was posted.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<KeptDelivery>, StoreError>;

    /// The newest incidents that something is about, newest first, without their members: an
    /// incident's id or the beginning of one, the number of a case, the delivery that began it, a
    /// rule's name, an alert's fingerprint or name.
    async fn about(&self, what: &str, limit: u32) -> Result<Vec<Incident>, StoreError>;

    /// The newest deliveries with an id, or with an alert of a fingerprint or name; newest first. By their
    /// alerts at least the 20,000 newest are found, older ones perhaps not.
    async fn deliveries_about(
        &self,
        what: &str,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// The record of what was decided about an incident, oldest first.
    async fn decisions(&self, incident: &IncidentId) -> Result<Vec<Decided>, StoreError>;

    /// An incident's actions, in order.
    async fn actions(&self, incident: &IncidentId) -> Result<Vec<Action>, StoreError>;

    /// An incident's attempts, in order.
    async fn attempts(&self, incident: &IncidentId) -> Result<Vec<Attempt>, StoreError>;

    /// What was counted since a time, by piece and name; pieces in which nothing was are left out.
    async fn tallies(&self, what: Tallied, since: Timestamp) -> Result<Vec<Tally>, StoreError>;

    /// What was counted in all, by name.
    async fn tally_totals(&self, what: Tallied) -> Result<Vec<Total>, StoreError>;

    /// Counts how many actions are unfinished, for [`Tallied::Outbox`].
    async fn sample_outbox(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Puts on record that a person is about to have something done; the number of the entry. It is
    /// durable before the act is begun, so that no act is without one.
    async fn begin_act(&self, deed: &Deed) -> Result<u64, StoreError>;

    /// Puts on record how an act ended. An entry that has ended stays as it is.
    async fn end_act(&self, number: u64, end: &End, at: Timestamp) -> Result<(), StoreError>;

    /// The newest entries of the record of acts, newest first.
    async fn acts(&self, asked: &Asked, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// Remembers a browser that was let in. Beyond
    /// [`MOST_OF_ONE`](crate::domain::session::MOST_OF_ONE) the oldest sessions of its name end.
    async fn open_session(&self, session: &Session) -> Result<(), StoreError>;

    /// The session of that id, also if it is over.
    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError>;

    /// Notes that a session was used; never earlier than it is known to have been.
    async fn session_seen(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Ends a session. Whether there was one.
    async fn end_session(&self, id: &str) -> Result<bool, StoreError>;

    /// Counts for metrics.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Forgets what is older than `horizon` says and needed by nobody; looks at no more than
    /// `limit` rows of a table, so that intake is never held up for long.
    ///
    /// Never forgets: the newest generation of a key; anything of an incident that is not over;
    /// an ended incident with an action that is not done; an attempt of an action that is not
    /// done; the delivery that began an incident which is not over. An ended incident first loses
    /// its alerts, attempts and actions, and then, if a newer generation exists, its row. Sessions
    /// go when they have expired.
    async fn prune(
        &self,
        horizon: &Retention,
        now: Timestamp,
        limit: u32,
    ) -> Result<Pruned, StoreError>;

    /// How much room it takes, and how much there is.
    fn room(&self) -> Room;

    /// Whether the store takes writes now; makes a durable one to find out.
    async fn check(&self) -> Result<(), StoreError>;

    /// Ends: what was accepted is committed, then the files are closed.
    async fn close(&self);
}
