//! The life of an incident: one pure function of (incident, event, policy, now).
//!
//! | state     | firing news                          | all resolved        | timer due      | case opened | open failed | revived |
//! |-----------|--------------------------------------|---------------------|----------------|-------------|-------------|---------|
//! | (none)    | pending, or opening at once          | ignored; dropped if the sender orders its events |                |             |             |         |
//! | pending   | stays                                | dropped             | opening        |             |             |         |
//! | opening   | stays                                | stays (see below)   |                | open        | failed      |         |
//! | open      | stays; a comment if nothing known of it fired before | resolving or closed |                | see below   |             |         |
//! | resolving | open                                 | stays               | closed         | see below   |             |         |
//! | closed    | open with a comment, or a new generation after `reopen_within` | stays |  | see below   |             |         |
//! | dropped   | a new generation                     | stays               |                |             |             |         |
//! | failed    | opening again, looking first, if it had been quiet | stays  |                | open        |             | opening |
//!
//! What is not in the table changes nothing. An incident whose alerts have all resolved while it
//! was `opening` is resolved as soon as its case is known: never forgotten. A truncated payload
//! never concludes that everything has resolved, because the sender left alerts out. When a look
//! finds several cases of an incident, the oldest becomes its case and the others get a comment,
//! also where a case was known before.
//!
//! *Invariant:* an open action is asked for only on the way into `opening`, and `opening` is left
//! only by the outcome of that action; a person who revives it revives that very action. So at
//! most one open action of an incident is ever unfinished.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::action::{ActionKind, NewAction, Note};
use super::alert::{Alert, AlertStatus};
use super::ids::{
    CaseId, DeliveryId, Fingerprint, IncidentId, IncidentKey, InstallationId, VendorName,
};
use super::incident::{Incident, State, Tally};
use super::member::{Observation, observe};
use super::severity::Rank;
use crate::time::later;

/// What happens at the vendor once every alert of an incident has resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolveAction {
    /// The case gets a comment; a person closes it.
    Comment,
    /// The case gets a comment, and its closure is requested.
    Close,
    /// Nothing.
    None,
}

/// A rule's lifecycle policy. The default is safe for someone who never read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long it must fire before a case is opened; zero opens at once.
    pub open_after: Duration,
    /// How long it must be quiet before it counts as over; zero means at once.
    pub resolve_after: Duration,
    /// What then happens.
    pub resolve_action: ResolveAction,
    /// A re-fire within this time after the end goes on with the same case. At most 14 days: the
    /// vendor accepts no comments later than that.
    pub reopen_within: Duration,
    /// The rule names contacts. They are brought up to date when a case goes on after a re-fire:
    /// somebody else may be on call by then.
    pub names_contacts: bool,
}

impl Policy {
    /// The vendor accepts comments until 14 days after a case was closed.
    pub const MAX_REOPEN_WITHIN: Duration = Duration::from_secs(14 * 24 * 60 * 60);
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            open_after: Duration::ZERO,
            resolve_after: Duration::ZERO,
            resolve_action: ResolveAction::Comment,
            reopen_within: Duration::from_secs(24 * 60 * 60),
            names_contacts: false,
        }
    }
}

/// A case that the vendor has confirmed, or that was found in its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedCase {
    /// Its number.
    pub case: CaseId,
    /// Others that carry the incident's marker as well: younger, and not gone on with.
    pub duplicates: Vec<CaseId>,
    /// The whole description, where the vendor got only its beginning.
    pub whole_description: Option<String>,
    /// An earlier request had vanished without a trace and may come true late: a second case is
    /// looked for.
    pub doubtful: bool,
}

impl OpenedCase {
    /// A case that nothing more is to be said about.
    pub fn only(case: CaseId) -> Self {
        Self { case, duplicates: Vec::new(), whole_description: None, doubtful: false }
    }
}

/// An alert together with what the rule's severity mapping makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedAlert {
    /// The alert.
    pub alert: Alert,
    /// How bad it is.
    pub rank: Rank,
}

/// What a new incident needs besides its alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// The store's own id.
    pub installation: InstallationId,
    /// What the incident is about.
    pub key: IncidentKey,
    /// Where its case is opened.
    pub vendor: VendorName,
    /// The delivery that brought the alerts.
    pub delivery: DeliveryId,
}

/// Something that happens to an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// One delivery's alerts that belong to the incident, taken together: a payload that says
    /// "A resolved, B fires" never passes through a moment in which nothing fires.
    Alerts {
        /// The alerts.
        alerts: &'a [RankedAlert],
        /// The sender left some of its alerts out.
        truncated: bool,
        /// For the incident that begins, if one does.
        birth: &'a Birth,
    },
    /// A timer has run out, or may have.
    Timer,
    /// The vendor has confirmed the case, or a look has found it (and perhaps others).
    CaseOpened(&'a OpenedCase),
    /// The open action has become a dead letter.
    OpenFailed,
    /// A person wants the open action, a dead letter, to be tried again.
    OpenRevived,
}

/// Why a step ended as it did, in words that are logged and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing new.
    Nothing,
    /// Resolved alerts only, and no incident to resolve.
    NothingToResolve,
    /// It fires; the case is opened after a hold-down.
    WaitsToOpen(Timestamp),
    /// It fires; a case is being opened.
    Opens,
    /// It fires again after `reopen_within`; a new case is being opened.
    OpensAnew {
        /// The old case.
        previous: Option<CaseId>,
    },
    /// It fires again after its open action had failed; the vendor is asked first whether a case
    /// exists.
    OpensAgain,
    /// Alerts joined, left or changed; nothing to do at the vendor.
    Changed,
    /// Every alert has resolved before a case was opened.
    Dropped,
    /// Every alert has resolved while the case is being opened; it will be resolved then.
    ResolvedWhileOpening,
    /// Every alert has resolved; a hold-down runs.
    WaitsToResolve(Timestamp),
    /// Over.
    Over(ResolveAction),
    /// It fires again; the same case goes on.
    Refired,
    /// The case exists.
    Opened(CaseId),
    /// A person must act.
    Failed,
    /// A person has had it tried again.
    Revived,
    /// The vendor has several cases of it.
    Duplicates {
        /// The one that is gone on with.
        case: CaseId,
        /// How many others there are.
        others: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing new"),
            Self::NothingToResolve => f.write_str("resolved alerts only, and no incident to resolve"),
            Self::WaitsToOpen(due) => write!(f, "fires; opens a case if it still fires at {due}"),
            Self::Opens => f.write_str("fires; a case is being opened"),
            Self::OpensAnew { previous: Some(case) } => {
                write!(f, "fires again long after case {case}; a new case is being opened")
            }
            Self::OpensAnew { previous: None } => f.write_str("fires again; a case is being opened"),
            Self::OpensAgain => f.write_str(
                "fires again after its case could not be opened; the vendor's records are read first",
            ),
            Self::Changed => f.write_str("alerts changed; the case goes on"),
            Self::Dropped => f.write_str("resolved before a case was opened"),
            Self::ResolvedWhileOpening => {
                f.write_str("resolved while its case is being opened; the case is resolved next")
            }
            Self::WaitsToResolve(due) => write!(f, "resolved; over if it stays so until {due}"),
            Self::Over(ResolveAction::Comment) => f.write_str("over; the case gets a comment"),
            Self::Over(ResolveAction::Close) => {
                f.write_str("over; the case gets a comment and a closure request")
            }
            Self::Over(ResolveAction::None) => f.write_str("over; the rule leaves the case alone"),
            Self::Refired => f.write_str("fires again; the same case goes on"),
            Self::Opened(case) => write!(f, "case {case} is open"),
            Self::Failed => f.write_str("its case could not be opened; a person must act"),
            Self::Revived => f.write_str("a person has had its case tried again"),
            Self::Duplicates { case, others } => {
                write!(f, "the vendor has {others} more than case {case}; they get a comment")
            }
        }
    }
}

/// What became of one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It fires, and did not before.
    Fired,
    /// It has resolved.
    Resolved,
    /// It says something new.
    Updated,
    /// Nothing new.
    Repeat,
    /// It does not count, for this reason.
    Ignored(&'static str),
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fired => f.write_str("fired"),
            Self::Resolved => f.write_str("resolved"),
            Self::Updated => f.write_str("updated"),
            Self::Repeat => f.write_str("repeat"),
            Self::Ignored(why) => write!(f, "ignored: {why}"),
        }
    }
}

/// What a step decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The incident afterwards, if there is one: the given one, or a new (generation of an)
    /// incident.
    pub incident: Option<Incident>,
    /// Whether `incident` differs from what the store has.
    pub changed: bool,
    /// The members that differ from what the store has.
    pub members: Vec<Fingerprint>,
    /// What is to be done at the vendor.
    pub actions: Vec<NewAction>,
    /// What became of each alert of the event, in their order.
    pub effects: Vec<Effect>,
    /// Why.
    pub reason: Reason,
}

/// Decides what an event changes. Total: every event is answered in every state.
pub fn step(
    current: Option<&Incident>,
    event: &Event<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    match event {
        Event::Alerts { alerts, truncated, birth } => match current {
            Some(incident) => hear(incident, alerts, *truncated, birth, policy, now),
            None => begin(None, alerts, birth, policy, now),
        },
        Event::Timer => with(current, |incident| elapse(incident, policy, now)),
        Event::CaseOpened(case) => with(current, |incident| opened(incident, case, policy, now)),
        Event::OpenFailed => with(current, |incident| match incident.state {
            State::Opening { seq } => {
                Work::on(incident, now).enter(State::Failed { seq }).end(Reason::Failed)
            }
            _ => unchanged(incident),
        }),
        Event::OpenRevived => with(current, |incident| match incident.state {
            State::Failed { seq } => {
                Work::on(incident, now).enter(State::Opening { seq }).end(Reason::Revived)
            }
            _ => unchanged(incident),
        }),
    }
}

fn with(current: Option<&Incident>, decide: impl FnOnce(&Incident) -> Step) -> Step {
    current.map_or_else(|| nothing(None, Vec::new(), Reason::Nothing), decide)
}

fn nothing(incident: Option<&Incident>, effects: Vec<Effect>, reason: Reason) -> Step {
    Step {
        incident: incident.cloned(),
        changed: false,
        members: Vec::new(),
        actions: Vec::new(),
        effects,
        reason,
    }
}

fn unchanged(incident: &Incident) -> Step {
    nothing(Some(incident), Vec::new(), Reason::Nothing)
}

/// News about an incident that exists.
fn hear(
    incident: &Incident,
    alerts: &[RankedAlert],
    truncated: bool,
    birth: &Birth,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let was_firing = incident.is_firing();
    let mut work = Work::on(incident, now);
    for news in alerts {
        work.hear(news);
    }
    let firing = work.incident.is_firing();
    let quiet = !firing && !truncated;
    match incident.state.clone() {
        State::Pending { .. } if quiet => {
            work.enter(State::Dropped { at: now }).end(Reason::Dropped)
        }
        State::Pending { due } if due <= now && firing => work.open(false).end(Reason::Opens),
        State::Opening { .. } if quiet && was_firing => work.end(Reason::ResolvedWhileOpening),
        State::Open { case } if quiet => work.resolve(case, policy),
        // All that was known of it had resolved, in payloads that left others out.
        State::Open { case } if firing && !was_firing => work.refire(case, policy),
        State::Resolving { case, .. } if firing => {
            // Nothing was said at the vendor yet, so there is nothing to take back.
            work.enter(State::Open { case }).end(Reason::Refired)
        }
        State::Closed { case, at } if firing => {
            if now <= later(at, policy.reopen_within) {
                work.refire(case, policy)
            } else {
                begin(Some(incident), alerts, birth, policy, now)
            }
        }
        State::Dropped { .. } if firing => begin(Some(incident), alerts, birth, policy, now),
        State::Failed { .. } if firing && !was_firing => work.open(true).end(Reason::OpensAgain),
        _ => {
            let reason = if work.changed { Reason::Changed } else { Reason::Nothing };
            work.end(reason)
        }
    }
}

/// A new incident, or a new generation of one that is over.
fn begin(
    previous: Option<&Incident>,
    alerts: &[RankedAlert],
    birth: &Birth,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    // The worst alert speaks for the incident; the first of them if several are equally bad.
    let origin = alerts
        .iter()
        .filter(|news| news.alert.status == AlertStatus::Firing)
        .min_by_key(|news| news.rank);
    // An end may overtake its beginning. Senders that order their events let us tell: the end is
    // kept, so that the beginning opens nothing when it comes.
    let overtaken = origin.is_none();
    let origin = origin.or_else(|| alerts.iter().find(|news| news.alert.occurred_at.is_some()));
    let Some(origin) = origin else {
        let effects = alerts
            .iter()
            .map(|_| Effect::Ignored("resolved, and no incident of it is known"))
            .collect();
        return nothing(None, effects, Reason::NothingToResolve);
    };
    let generation = previous.map_or(1, |incident| incident.generation.saturating_add(1));
    let previous_case = previous.and_then(|incident| incident.state.case().cloned());
    let mut work = Work::starting(Incident {
        id: IncidentId::derive(&birth.installation, &birth.key, generation),
        key: birth.key.clone(),
        generation,
        previous_case: previous_case.clone(),
        vendor: birth.vendor.clone(),
        rank: origin.rank,
        state: State::Pending { due: later(now, policy.open_after) },
        members: std::collections::BTreeMap::new(),
        tally: Tally::default(),
        origin: origin.alert.clone(),
        delivery: birth.delivery.clone(),
        created_at: now,
        updated_at: now,
        last_seq: 0,
    });
    for news in alerts {
        work.hear(news);
    }
    if overtaken {
        return work.enter(State::Dropped { at: now }).end(Reason::NothingToResolve);
    }
    if !policy.open_after.is_zero() {
        return work.end(Reason::WaitsToOpen(later(now, policy.open_after)));
    }
    let reason = match previous {
        None => Reason::Opens,
        Some(_) => Reason::OpensAnew { previous: previous_case },
    };
    work.open(false).end(reason)
}

fn elapse(incident: &Incident, policy: &Policy, now: Timestamp) -> Step {
    match incident.state.clone() {
        State::Pending { due } if due <= now => {
            Work::on(incident, now).open(false).end(Reason::Opens)
        }
        State::Resolving { case, due } if due <= now => {
            Work::on(incident, now).finish(case, policy)
        }
        _ => unchanged(incident),
    }
}

fn opened(incident: &Incident, opened: &OpenedCase, policy: &Policy, now: Timestamp) -> Step {
    let case = opened.case.clone();
    let mut work = Work::on(incident, now);
    let others = opened.duplicates.len();
    let state = match incident.state.clone() {
        State::Opening { .. } | State::Failed { .. } => {
            work.follow_up(opened);
            return if incident.is_firing() {
                work.enter(State::Open { case: case.clone() }).end(Reason::Opened(case))
            } else {
                work.resolve(case, policy)
            };
        }
        // A second case came to light later. The older one is gone on with.
        _ if others == 0 => return unchanged(incident),
        State::Open { .. } => State::Open { case: case.clone() },
        State::Resolving { due, .. } => State::Resolving { case: case.clone(), due },
        State::Closed { at, .. } => State::Closed { case: case.clone(), at },
        State::Pending { .. } | State::Dropped { .. } => return unchanged(incident),
    };
    work.tell_duplicates(opened);
    work.enter(state).end(Reason::Duplicates { case, others })
}

/// A step in the making.
struct Work {
    incident: Incident,
    now: Timestamp,
    changed: bool,
    members: Vec<Fingerprint>,
    actions: Vec<NewAction>,
    effects: Vec<Effect>,
}

impl Work {
    fn on(incident: &Incident, now: Timestamp) -> Self {
        Self {
            incident: incident.clone(),
            now,
            changed: false,
            members: Vec::new(),
            actions: Vec::new(),
            effects: Vec::new(),
        }
    }

    fn starting(incident: Incident) -> Self {
        let now = incident.created_at;
        let mut work = Self::on(&incident, now);
        work.changed = true;
        work
    }

    /// Takes one alert into the member table.
    fn hear(&mut self, news: &RankedAlert) {
        let fingerprint = &news.alert.fingerprint;
        let known = self.incident.members.get(fingerprint);
        let (effect, member) = match observe(known, &news.alert, news.rank, self.now) {
            Observation::Fired(member) => (Effect::Fired, member),
            Observation::Resolved(member) => (Effect::Resolved, member),
            Observation::Updated(member) => (Effect::Updated, member),
            Observation::Repeat => return self.effects.push(Effect::Repeat),
            Observation::Ignored(why) => return self.effects.push(Effect::Ignored(why)),
        };
        self.effects.push(effect);
        // Until the case is sent, the worst alert that fires says how bad the incident is. Later
        // the vendor's severity cannot be changed any more.
        if matches!(self.incident.state, State::Pending { .. } | State::Opening { .. })
            && member.alert.status == AlertStatus::Firing
        {
            self.incident.rank = self.incident.rank.min(member.rank);
        }
        self.incident.admit(member);
        self.members.push(fingerprint.clone());
        self.changed = true;
    }

    fn enter(mut self, state: State) -> Self {
        self.incident.state = state;
        self.changed = true;
        self
    }

    fn act(&mut self, kind: ActionKind, look_first: bool) -> u32 {
        let seq = self.incident.last_seq.saturating_add(1);
        self.incident.last_seq = seq;
        self.actions.push(NewAction { seq, kind, due: self.now, look_first });
        self.changed = true;
        seq
    }

    /// What a case needs that has just been opened or found.
    fn follow_up(&mut self, opened: &OpenedCase) {
        self.tell_duplicates(opened);
        if let Some(text) = opened.whole_description.clone() {
            self.act(ActionKind::Attach { name: "description".to_owned(), text }, false);
        }
        // Where several were found, the doubt is settled.
        if opened.doubtful && opened.duplicates.is_empty() {
            self.act(ActionKind::Recheck, true);
        }
    }

    fn tell_duplicates(&mut self, opened: &OpenedCase) {
        for case in &opened.duplicates {
            let note = Note::Duplicate { case: case.clone(), of: opened.case.clone() };
            self.act(ActionKind::Comment { note }, false);
        }
    }

    fn open(mut self, look_first: bool) -> Self {
        let seq = self.act(ActionKind::Open, look_first);
        self.enter(State::Opening { seq })
    }

    /// Every alert has resolved: over at once, or after a hold-down.
    fn resolve(self, case: CaseId, policy: &Policy) -> Step {
        if policy.resolve_after.is_zero() {
            return self.finish(case, policy);
        }
        let due = later(self.now, policy.resolve_after);
        self.enter(State::Resolving { case, due }).end(Reason::WaitsToResolve(due))
    }

    fn finish(mut self, case: CaseId, policy: &Policy) -> Step {
        if policy.resolve_action != ResolveAction::None {
            let note = Note::Resolved { at: self.now, alerts: self.incident.tally.total() };
            self.act(ActionKind::Comment { note }, false);
        }
        if policy.resolve_action == ResolveAction::Close {
            self.act(ActionKind::Close, false);
        }
        let at = self.now;
        self.enter(State::Closed { case, at }).end(Reason::Over(policy.resolve_action))
    }

    fn refire(mut self, case: CaseId, policy: &Policy) -> Step {
        let alerts = self
            .incident
            .members
            .values()
            .filter(|member| member.alert.status == AlertStatus::Firing)
            .map(|member| member.alert.name().to_owned())
            .collect();
        let note = Note::Refired { at: self.now, alerts };
        self.act(ActionKind::Comment { note }, false);
        if policy.names_contacts {
            self.act(ActionKind::Contacts, false);
        }
        self.enter(State::Open { case }).end(Reason::Refired)
    }

    fn end(mut self, reason: Reason) -> Step {
        if self.changed {
            self.incident.updated_at = self.now;
        }
        Step {
            incident: Some(self.incident),
            changed: self.changed,
            members: self.members,
            actions: self.actions,
            effects: self.effects,
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
