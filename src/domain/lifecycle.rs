//! The life of an incident: one pure function of (incident, event, policy, restraint, now).
//!
//! | state     | firing news                          | all resolved        | timer due      | case opened | open failed | revived |
//! |-----------|--------------------------------------|---------------------|----------------|-------------|-------------|---------|
//! | (none)    | pending, held, or opening at once    | ignored; dropped if the sender orders its events |                |             |             |         |
//! | pending   | stays                                | dropped             | opening, held; dropped after silence |  |  |         |
//! | held      | opening if nothing holds it any more (not from the budget or a roll-up) | dropped | opening, stays; dropped after silence |  |  |         |
//! | opening   | stays                                | stays (see below)   |                | open        | failed      |         |
//! | open      | stays; a comment on what is new, at once if it is worse or nothing known of it fired before | resolving or closed | tells its news; closed after silence | see below   |             |         |
//! | resolving | open                                 | stays               | closed         | see below   |             |         |
//! | closed    | open with a comment if it is new, or a new generation after `reopen_within` | stays |  | see below   |             |         |
//! | dropped   | a new generation, if it had been quiet or silent | stays   |                |             |             |         |
//! | failed    | opening again, looking first, if it had been quiet or silent | stays | | open     |             | opening |
//!
//! | state     | the vendor closes the case | the vendor opens it again |
//! |-----------|----------------------------|---------------------------|
//! | open      | closed, without a comment; stays, with a comment, if something fires that was never told | |
//! | resolving | closed, without a comment  |                           |
//! | closed    | stays                      | open if something fires   |
//!
//! An incident that the vendor has closed may have alerts that fire. It goes on when something *new*
//! fires: an alert that did not, one whose sender had been silent, one that fires since a later time or is
//! worse than the case was told. Repeats change nothing. Only the word for closed closes: what is solved, unknown or missing
//! does not.
//!
//! What a person writes at the sender (`update.notes`) is a comment at once where there is a case, and
//! waits for it where there will be one.
//!
//! A person can approve what is held or pending (opening, whatever holds it) and reject it (dropped;
//! it comes back only after it has been quiet).
//!
//! What is not in the table changes nothing. An incident whose alerts have all resolved while it
//! was `opening` is resolved as soon as its case is known: never forgotten. A truncated payload
//! never concludes that everything has resolved, because the sender left alerts out; that is open until
//! something is told of the same group again, also when the case becomes known meanwhile. When a look
//! finds several cases of an incident, the oldest becomes its case and the others get a comment,
//! also where a case was known before.
//!
//! *Invariant:* an open action is asked for only on the way into `opening`, and `opening` is left
//! only by the outcome of that action; a person who revives it revives that very action. So at
//! most one open action of an incident is ever unfinished.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::action::{ActionKind, Content, File, NewAction, Note};
use super::alert::{Alert, AlertStatus, Labels};
use super::draft::AsOf;
use super::ids::{
    CaseId, DeliveryId, Fingerprint, IncidentId, IncidentKey, InstallationId, RuleName, VendorName,
};
use super::incident::{Hold, Incident, State, Tally};
use super::member::{Observation, observe};
use super::news::{News, Remark};
pub use super::policy::{Policy, ResolveAction};
use super::severity::Rank;
use super::storm::Restraint;
use super::telling;
use crate::time::{between, later};

/// A case that the vendor has confirmed, or that was found in its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedCase {
    /// Its number.
    pub case: CaseId,
    /// Others that carry the incident's marker as well: younger, and not gone on with.
    pub duplicates: Vec<CaseId>,
    /// The whole description, where the vendor got only its beginning.
    pub whole_description: Option<String>,
    /// What goes along besides.
    pub files: Vec<File>,
    /// An earlier request had vanished without a trace and may come true late: a second case is
    /// looked for.
    pub doubtful: bool,
    /// What the case says; `None` where that is not known.
    pub as_of: Option<AsOf>,
}

impl OpenedCase {
    /// A case that nothing more is to be said about.
    pub fn only(case: CaseId) -> Self {
        Self {
            case,
            duplicates: Vec::new(),
            whole_description: None,
            files: Vec::new(),
            doubtful: false,
            as_of: None,
        }
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
    /// The rule that owns it.
    pub rule: RuleName,
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
        /// Why some of the alerts, which come as resolved, leave the incident without having
        /// ended.
        leave: Option<&'a str>,
        /// For the incident that begins, if one does.
        birth: &'a Birth,
    },
    /// A person has written something about one of its alerts at the sender.
    Remarked(&'a Remark),
    /// A timer has run out, or may have.
    Timer,
    /// The vendor has confirmed the case, or a look has found it (and perhaps others).
    CaseOpened(&'a OpenedCase),
    /// The open action has become a dead letter.
    OpenFailed,
    /// A person wants the open action, a dead letter, to be tried again.
    OpenRevived,
    /// A person wants the case of what is held or pending to be opened, whatever holds it.
    Approved,
    /// A person wants no case of an incident that is held or pending.
    Rejected,
    /// The vendor has closed a case.
    ClosedByVendor {
        /// Which.
        case: &'a CaseId,
        /// When, as it says: it takes comments for 14 days from then on.
        at: Option<Timestamp>,
    },
    /// The vendor works again on a case that it had closed.
    ReopenedByVendor {
        /// Which.
        case: &'a CaseId,
    },
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
    /// It fires; something keeps its case from being opened.
    Holds(Hold, String),
    /// It fires; a case is being opened.
    Opens,
    /// What held it does so no longer; a case is being opened.
    Released(Hold),
    /// A person has approved it; a case is being opened.
    Approved,
    /// A person wants no case.
    Rejected,
    /// It fires again after `reopen_within`; a new case is being opened.
    OpensAnew {
        /// The old case.
        previous: Option<CaseId>,
    },
    /// It fires again after its open action had failed; the vendor is asked first whether a case
    /// exists.
    OpensAgain,
    /// Alerts joined, left or changed; nothing to do at the vendor now.
    Changed,
    /// Nothing new, but the sender is still there.
    Heard,
    /// The case gets a comment on what has changed.
    Tells,
    /// The case gets what a person has written.
    TellsRemark,
    /// What a person has written waits for the case.
    KeepsRemark,
    /// It is worse than its case says; the case gets a comment at once.
    Escalates {
        /// What the case says or was told.
        from: Rank,
        /// How bad it is.
        to: Rank,
    },
    /// Nothing was heard of it since then; it counts as over.
    Silent(Timestamp, ResolveAction),
    /// Nothing was heard of it since then, and no case was opened.
    DroppedInSilence(Timestamp),
    /// Every alert has resolved before a case was opened.
    Dropped,
    /// Its alerts are elsewhere, for this reason; no case was opened here.
    Left(String),
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
    /// The vendor has closed the case.
    VendorClosed {
        /// Which.
        case: CaseId,
        /// How many of its alerts fire.
        firing: u32,
    },
    /// The vendor has closed the case before it was told of something that fires; it is told now.
    VendorMissed(CaseId),
    /// The vendor works on the case again.
    VendorReopened(CaseId),
    /// The vendor did something with the case that changes nothing here, and that others are told of.
    VendorActed(CaseId),
    /// A comment is longer than the vendor takes; it is told in so many parts.
    InParts(u32),
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
            Self::Holds(hold, why) => write!(f, "held ({}): {why}", hold.name()),
            Self::Released(hold) => {
                write!(f, "fires, and is held no longer ({}); a case is being opened", hold.name())
            }
            Self::Approved => f.write_str("approved by a person; a case is being opened"),
            Self::Rejected => f.write_str("rejected by a person; no case"),
            Self::Opens => f.write_str("fires; a case is being opened"),
            Self::OpensAnew { previous: Some(case) } => {
                write!(f, "fires again long after case {case}; a new case is being opened")
            }
            Self::OpensAnew { previous: None } => f.write_str("fires again; a case is being opened"),
            Self::OpensAgain => f.write_str(
                "fires again after its case could not be opened; the vendor's records are read first",
            ),
            Self::Changed => f.write_str("alerts changed; the case goes on"),
            Self::Heard => f.write_str("nothing new; it still fires"),
            Self::Tells => f.write_str("the case gets a comment on what has changed"),
            Self::TellsRemark => f.write_str("the case gets a note of the sender's as a comment"),
            Self::KeepsRemark => f.write_str("a note of the sender's is kept for its case"),
            Self::Escalates { from, to } => {
                write!(f, "worse, rank {to} after {from}; the case gets a comment at once")
            }
            Self::Silent(since, action) => {
                write!(f, "not heard of since {since}; over, and {}", action.as_words())
            }
            Self::DroppedInSilence(since) => write!(f, "not heard of since {since}; no case"),
            Self::Dropped => f.write_str("resolved before a case was opened"),
            Self::Left(why) => write!(f, "{why}; no case was opened here"),
            Self::ResolvedWhileOpening => {
                f.write_str("resolved while its case is being opened; the case is resolved next")
            }
            Self::WaitsToResolve(due) => write!(f, "resolved; over if it stays so until {due}"),
            Self::Over(action) => write!(f, "over; {}", action.as_words()),
            Self::Refired => f.write_str("fires again; the same case goes on"),
            Self::Opened(case) => write!(f, "case {case} is open"),
            Self::Failed => f.write_str("its case could not be opened; a person must act"),
            Self::Revived => f.write_str("a person has had its case tried again"),
            Self::VendorClosed { case, firing: 0 } => {
                write!(f, "the vendor closed case {case}; no alert fires")
            }
            Self::VendorClosed { case, firing } => {
                let alerts = if *firing == 1 { "1 alert fires" } else { &format!("{firing} alerts fire") };
                write!(f, "the vendor closed case {case} while {alerts}; it goes on when something new fires")
            }
            Self::VendorMissed(case) => {
                write!(f, "the vendor closed case {case} before it was told of all that fires; the case gets a comment")
            }
            Self::VendorReopened(case) => write!(f, "the vendor works on case {case} again; it goes on"),
            Self::InParts(parts) => write!(
                f,
                "a comment is longer than the vendor takes; it is told in {parts} parts"
            ),
            Self::VendorActed(case) => write!(f, "the vendor did something with case {case}; who is to know is told"),
            Self::Duplicates { case, others } => {
                write!(f, "the vendor has {others} more than case {case}; they get a comment")
            }
        }
    }
}

impl Reason {
    /// Whether it belongs into the record of decisions. Repeats and mere changes of alerts do not:
    /// they are many, and decide nothing.
    pub fn is_a_decision(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Changed | Self::Heard)
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

impl Step {
    /// Whether it asks for a case to be opened.
    pub fn opens(&self) -> bool {
        self.actions.iter().any(|action| action.kind == ActionKind::Open)
    }
}

/// Decides what an event changes. Total: every event is answered in every state. `restraint` is
/// what keeps a case of the incident's rule from being opened now.
pub fn step(
    current: Option<&Incident>,
    event: &Event<'_>,
    policy: &Policy,
    restraint: Option<&Restraint>,
    now: Timestamp,
) -> Step {
    let decided = decide(current, event, Scene { policy, restraint, now });
    telling::tell_what_follows(current, decided, &policy.tell, now)
}

/// As [`step`], without whoever else is to be told.
fn decide(current: Option<&Incident>, event: &Event<'_>, scene: Scene<'_>) -> Step {
    match event {
        Event::Alerts { alerts, truncated, leave, birth } => match current {
            Some(incident) => {
                // Alerts that leave are not left out.
                let complete = !truncated || leave.is_some();
                let heard = hear(incident, alerts, complete, birth, scene);
                match (leave, &heard.reason) {
                    (Some(why), Reason::Dropped) => {
                        Step { reason: Reason::Left((*why).to_owned()), ..heard }
                    }
                    _ => heard,
                }
            }
            None => begin(None, alerts, birth, scene),
        },
        Event::Remarked(remark) => with(current, |incident| remarked(incident, remark, scene)),
        Event::Timer => with(current, |incident| elapse(incident, scene)),
        Event::CaseOpened(case) => with(current, |incident| opened(incident, case, scene)),
        Event::OpenFailed => with(current, |incident| match incident.state {
            State::Opening { seq } => {
                Work::on(incident, scene).enter(State::Failed { seq }).end(Reason::Failed)
            }
            _ => unchanged(incident),
        }),
        Event::OpenRevived => with(current, |incident| match incident.state {
            State::Failed { seq } => {
                Work::on(incident, scene).enter(State::Opening { seq }).end(Reason::Revived)
            }
            _ => unchanged(incident),
        }),
        Event::Approved => with(current, |incident| match incident.state {
            State::Held { .. } | State::Pending { .. } => {
                Work::on(incident, scene).open(false).end(Reason::Approved)
            }
            _ => unchanged(incident),
        }),
        Event::Rejected => with(current, |incident| match incident.state {
            State::Held { .. } | State::Pending { .. } => {
                let dropped = State::Dropped { at: scene.now };
                Work::on(incident, scene).enter(dropped).end(Reason::Rejected)
            }
            _ => unchanged(incident),
        }),
        Event::ClosedByVendor { case, at } => with(current, |incident| {
            closed_by_vendor(incident, case, at.unwrap_or(scene.now), scene)
        }),
        Event::ReopenedByVendor { case } => with(current, |incident| match &incident.state {
            State::Closed { case: own, .. } if own == *case && incident.is_firing() => {
                let reason = Reason::VendorReopened(own.clone());
                let open = State::Open { case: own.clone(), due: None };
                Work::on(incident, scene).enter(open).end(reason)
            }
            _ => unchanged(incident),
        }),
    }
}

/// What a decision looks at besides the incident and the event.
#[derive(Clone, Copy)]
struct Scene<'a> {
    policy: &'a Policy,
    restraint: Option<&'a Restraint>,
    now: Timestamp,
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

pub(super) fn unchanged(incident: &Incident) -> Step {
    nothing(Some(incident), Vec::new(), Reason::Nothing)
}

/// News about an incident that exists.
fn hear(
    incident: &Incident,
    alerts: &[RankedAlert],
    complete: bool,
    birth: &Birth,
    scene: Scene<'_>,
) -> Step {
    let now = scene.now;
    let was_firing = incident.is_firing();
    let mut work = Work::on(incident, scene);
    let tells_of_fire = alerts.iter().any(|news| news.alert.status == AlertStatus::Firing);
    let was_quiet = !was_firing || work.is_stale() || began_anew(incident, alerts);
    for news in alerts {
        work.hear(news);
    }
    // An end shows that a sender is there, and not that anything goes on.
    if tells_of_fire || !matches!(incident.state, State::Dropped { .. } | State::Failed { .. }) {
        work.note_the_sender();
    }
    let firing = work.incident.is_firing();
    let in_doubt = incident.left_out.as_ref().filter(|group| {
        // Alerts that leave do not speak for their group.
        !alerts.iter().any(|news| news.alert.group == **group)
    });
    let quiet = !firing && complete && in_doubt.is_none();
    work.note_what_was_left_out(match alerts.first() {
        _ if firing || quiet => None,
        Some(news) if !complete => Some(news.alert.group.clone()),
        _ => in_doubt.cloned(),
    });
    match incident.state.clone() {
        State::Pending { .. } | State::Held { .. } if quiet => {
            work.enter(State::Dropped { at: now }).end(Reason::Dropped)
        }
        State::Pending { due } if due <= now && firing => work.open_or_hold(Reason::Opens),
        // Whoever waits for the budget is let go in order, not by who speaks first; and whatever a
        // roll-up stands for stays with it.
        State::Held { hold: Hold::Budget | Hold::Rollup, .. } => work.go_on(),
        State::Held { hold, .. } if firing => work.hold_on(hold),
        State::Opening { .. } if quiet && was_firing => work.end(Reason::ResolvedWhileOpening),
        State::Open { case, .. } if quiet => work.resolve(case),
        // All that was known of it had resolved, in payloads that left others out.
        State::Open { case, .. } if firing && !was_firing => work.refire(case, alerts),
        State::Open { .. } => work.tell_in_time(),
        State::Resolving { case, .. } if firing => {
            // Nothing was said at the vendor yet, so there is nothing to take back.
            let back = work.enter(State::Open { case, due: None });
            if back.may_tell() { back.tell() } else { back.end(Reason::Refired) }
        }
        // Of what the vendor has closed, alerts may fire on; only something new goes on with it.
        State::Closed { case, at }
            if tells_of_fire
                && firing
                && (was_quiet || work.effects.contains(&Effect::Fired) || work.is_worse()) =>
        {
            if now <= later(at, scene.policy.reopen_within) {
                work.refire(case, alerts)
            } else {
                begin(Some(incident), alerts, birth, scene)
            }
        }
        // What a person has rejected fires on; it comes back only after it has been quiet.
        State::Dropped { .. } if tells_of_fire && firing && was_quiet => {
            begin(Some(incident), alerts, birth, scene)
        }
        State::Failed { .. } if tells_of_fire && firing && was_quiet => {
            work.open(true).end(Reason::OpensAgain)
        }
        _ => work.go_on(),
    }
}

/// Whether an alert of an incident that is over fires since a later time: its end was not told.
fn began_anew(incident: &Incident, alerts: &[RankedAlert]) -> bool {
    let (State::Dropped { at } | State::Closed { at, .. }) = incident.state else { return false };
    alerts.iter().map(|news| &news.alert).any(|alert| {
        let known = incident.members.get(&alert.fingerprint);
        alert.status == AlertStatus::Firing
            && known
                .is_some_and(|known| known.is_firing() && alert.starts_at > known.alert.starts_at)
            && alert.starts_at.is_some_and(|starts| starts > at)
    })
}

/// A new incident, or a new generation of one that is over.
fn begin(
    previous: Option<&Incident>,
    alerts: &[RankedAlert],
    birth: &Birth,
    scene: Scene<'_>,
) -> Step {
    let Scene { policy, now, .. } = scene;
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
    let previous_case = previous
        .and_then(|incident| incident.state.case().or(incident.previous_case.as_ref()))
        .cloned();
    let mut work = Work::starting(
        Incident {
            id: IncidentId::derive(&birth.installation, &birth.key, generation),
            key: birth.key.clone(),
            rule: birth.rule.clone(),
            generation,
            previous_case: previous_case.clone(),
            vendor: birth.vendor.clone(),
            rank: origin.rank,
            worst: origin.rank,
            state: State::Pending { due: later(now, policy.open_after) },
            members: BTreeMap::new(),
            tally: Tally::default(),
            left_out: None,
            origin: origin.alert.clone(),
            delivery: birth.delivery.clone(),
            created_at: now,
            updated_at: now,
            heard_at: now,
            told_at: None,
            news: News::default(),
            last_seq: 0,
        },
        scene,
    );
    for news in alerts {
        work.hear(news);
    }
    if overtaken {
        return work.enter(State::Dropped { at: now }).end(Reason::NothingToResolve);
    }
    if !policy.open_after.is_zero() {
        return work.end(Reason::WaitsToOpen(later(now, policy.open_after)));
    }
    work.open_or_hold(match previous {
        None => Reason::Opens,
        Some(_) => Reason::OpensAnew { previous: previous_case },
    })
}

fn remarked(incident: &Incident, remark: &Remark, scene: Scene<'_>) -> Step {
    if !scene.policy.update_notes {
        return unchanged(incident);
    }
    let mut work = Work::on(incident, scene);
    match incident.state {
        // People write seldom, and what they write is wanted soon.
        State::Open { .. } | State::Resolving { .. } => {
            work.comment(Note::Remark { remark: remark.clone() });
            work.end(Reason::TellsRemark)
        }
        State::Pending { .. } | State::Held { .. } | State::Opening { .. } => {
            work.incident.news.remark(remark.clone());
            work.changed = true;
            work.end(Reason::KeepsRemark)
        }
        State::Closed { .. } | State::Dropped { .. } | State::Failed { .. } => unchanged(incident),
    }
}

fn elapse(incident: &Incident, scene: Scene<'_>) -> Step {
    let now = scene.now;
    let work = Work::on(incident, scene);
    match incident.state.clone() {
        State::Pending { due } if due <= now && !work.is_stale() => {
            work.open_or_hold(Reason::Opens)
        }
        State::Pending { .. } | State::Held { .. } if work.is_stale() => {
            let reason = Reason::DroppedInSilence(incident.heard_at);
            work.fall_silent().enter(State::Dropped { at: now }).end(reason)
        }
        State::Held { hold: Hold::Rollup, due } if due.is_some_and(|due| due <= now) => {
            work.enter(State::Held { hold: Hold::Rollup, due: None }).go_on()
        }
        State::Held { hold: Hold::Rollup, .. } => unchanged(incident),
        State::Held { hold, due } if hold == Hold::Budget || due.is_some_and(|due| due <= now) => {
            work.hold_on(hold)
        }
        State::Open { case, .. } if work.is_stale() => work.end_in_silence(case),
        State::Open { due, .. } if due.is_some_and(|due| due <= now) => work.tell_in_time(),
        State::Resolving { case, due } if due <= now => work.finish(case),
        _ => unchanged(incident),
    }
}

fn opened(incident: &Incident, opened: &OpenedCase, scene: Scene<'_>) -> Step {
    let case = opened.case.clone();
    let mut work = Work::on(incident, scene);
    let others = opened.duplicates.len();
    let state = match incident.state.clone() {
        State::Opening { .. } | State::Failed { .. } => {
            work.follow_up(opened);
            for remark in std::mem::take(&mut work.incident.news.remarks) {
                work.comment(Note::Remark { remark });
            }
            let unsent = std::mem::take(&mut work.incident.news.unsent);
            work.has_told();
            work.note_what_came_after(opened.as_of, &unsent);
            if !incident.is_firing() && incident.left_out.is_none() {
                return work.resolve(case);
            }
            let work = work.enter(State::Open { case: case.clone(), due: None });
            return if work.is_worse() { work.tell() } else { work.end(Reason::Opened(case)) };
        }
        // A second case came to light later. The older one is gone on with.
        _ if others == 0 => return unchanged(incident),
        State::Open { due, .. } => State::Open { case: case.clone(), due },
        State::Resolving { due, .. } => State::Resolving { case: case.clone(), due },
        State::Closed { at, .. } => State::Closed { case: case.clone(), at },
        State::Pending { .. } | State::Held { .. } | State::Dropped { .. } => {
            return unchanged(incident);
        }
    };
    work.tell_duplicates(opened);
    work.enter(state).end(Reason::Duplicates { case, others })
}

/// The vendor takes the case for done at `at`. Nothing is said to it, but for what it cannot have known.
fn closed_by_vendor(incident: &Incident, closed: &CaseId, at: Timestamp, scene: Scene<'_>) -> Step {
    let (State::Open { case, .. } | State::Resolving { case, .. }) = &incident.state else {
        return unchanged(incident);
    };
    if case != closed {
        return unchanged(incident);
    }
    let case = case.clone();
    let work = Work::on(incident, scene);
    if incident.is_firing() && incident.news.tells_of_fire() {
        let told = work.tell();
        return Step { reason: Reason::VendorMissed(case), ..told };
    }
    // Clocks differ; an end is not in the future, nor before its beginning.
    let at = at.min(scene.now).max(incident.created_at);
    let firing = incident.tally.firing;
    work.enter(State::Closed { case: case.clone(), at }).end(Reason::VendorClosed { case, firing })
}

/// A step in the making.
struct Work<'a> {
    incident: Incident,
    scene: Scene<'a>,
    changed: bool,
    members: Vec<Fingerprint>,
    actions: Vec<NewAction>,
    effects: Vec<Effect>,
}

impl<'a> Work<'a> {
    fn on(incident: &Incident, scene: Scene<'a>) -> Self {
        Self {
            incident: incident.clone(),
            scene,
            changed: false,
            members: Vec::new(),
            actions: Vec::new(),
            effects: Vec::new(),
        }
    }

    fn starting(incident: Incident, scene: Scene<'a>) -> Self {
        let mut work = Self::on(&incident, scene);
        work.changed = true;
        work
    }

    /// Takes one alert into the member table.
    fn hear(&mut self, news: &RankedAlert) {
        let fingerprint = &news.alert.fingerprint;
        let known = self.incident.members.get(fingerprint);
        let (effect, member) = match observe(known, &news.alert, news.rank, self.scene.now) {
            Observation::Fired(member) => (Effect::Fired, member),
            Observation::Resolved(member) => (Effect::Resolved, member),
            Observation::Updated(member) => (Effect::Updated, member),
            Observation::Repeat => return self.effects.push(Effect::Repeat),
            Observation::Ignored(why) => return self.effects.push(Effect::Ignored(why)),
        };
        self.effects.push(effect);
        let says_more = effect == Effect::Updated
            && known.is_some_and(|known| self.is_worth_telling(&known.alert, &member.alert));
        if member.alert.status == AlertStatus::Firing {
            // Until the case is sent, the worst alert that fires says how bad the incident is.
            // Later the vendor's severity cannot be changed any more, only commented on.
            if matches!(
                self.incident.state,
                State::Pending { .. }
                    | State::Held { .. }
                    | State::Opening { .. }
                    | State::Failed { .. }
            ) {
                self.incident.rank = self.incident.rank.min(member.rank);
                self.incident.worst = self.incident.rank;
            }
        }
        if matches!(
            self.incident.state,
            // The vendor may open again what it has closed while something fires.
            State::Open { .. } | State::Resolving { .. } | State::Closed { .. }
        ) {
            match effect {
                Effect::Fired => self.incident.news.fires(&member.alert),
                Effect::Resolved => self.incident.news.resolves(&member.alert),
                Effect::Updated if says_more => self.incident.news.changes(&member.alert),
                _ => {}
            }
        }
        if matches!(self.incident.state, State::Opening { .. }) && says_more {
            self.incident.news.changes_unsent(&member.alert, self.scene.now);
        }
        self.incident.admit(member);
        self.members.push(fingerprint.clone());
        self.changed = true;
    }

    /// Whether an alert that changes without firing or resolving is worth a comment. That somebody
    /// has acknowledged it (which PagerDuty tells in the label `status`) is not.
    fn is_worth_telling(&self, before: &Alert, after: &Alert) -> bool {
        if after.status != AlertStatus::Firing {
            return false;
        }
        let plain = |alert: &Alert| {
            let mut labels = alert.labels.clone();
            labels.remove("status");
            labels
        };
        plain(before) != plain(after)
            || self.scene.policy.update_on_annotations && before.annotations != after.annotations
    }

    /// A sender that repeats itself shows that it is still there. That is written down only now and
    /// then, because repeats are most of the traffic.
    fn note_the_sender(&mut self) {
        let now = self.scene.now;
        let Some(patience) = self.patience() else { return };
        let unnoted = between(self.incident.heard_at, now);
        let waits = match self.incident.state {
            State::Pending { .. }
            | State::Held { .. }
            | State::Opening { .. }
            | State::Open { .. } => true,
            // What fires on although a person does not want its case, or it could not be had.
            // Or whose case the vendor has closed.
            State::Dropped { .. } | State::Failed { .. } | State::Closed { .. } => {
                self.incident.is_firing()
            }
            State::Resolving { .. } => false,
        };
        if self.changed || (waits && unnoted >= patience / 8) {
            self.incident.heard_at = now;
            self.changed = true;
        }
    }

    fn note_what_was_left_out(&mut self, group: Option<Labels>) {
        if self.incident.left_out != group {
            self.incident.left_out = group;
            self.changed = true;
        }
    }

    /// How long its senders may be silent. Whoever speaks only when something happens may be silent
    /// for ever while its alert fires, whoever began the incident. Of the members that are not known
    /// here that cannot be told; a timer, which knows them all, decides.
    fn patience(&self) -> Option<Duration> {
        let firing = || self.incident.members.values().filter(|member| member.is_firing());
        let patient = firing().find(|member| member.alert.occurred_at.is_some());
        let speaker = patient.or_else(|| firing().next());
        self.scene.policy.patience(speaker.map_or(&self.incident.origin, |member| &member.alert))
    }

    fn is_stale(&self) -> bool {
        self.stale_at().is_some_and(|stale| stale <= self.scene.now)
    }

    fn stale_at(&self) -> Option<Timestamp> {
        let patience = self.patience()?;
        Some(later(self.incident.heard_at, patience))
    }

    fn enter(mut self, state: State) -> Self {
        self.incident.state = state;
        self.changed = true;
        self
    }

    fn act(&mut self, kind: ActionKind, look_first: bool) -> u32 {
        let seq = self.incident.last_seq.saturating_add(1);
        self.incident.last_seq = seq;
        self.actions.push(NewAction { seq, kind, due: self.scene.now, look_first });
        self.changed = true;
        seq
    }

    fn comment(&mut self, note: Note) {
        self.act(ActionKind::Comment { note }, false);
    }

    /// What a case needs that has just been opened or found.
    fn follow_up(&mut self, opened: &OpenedCase) {
        self.tell_duplicates(opened);
        if let Some(text) = opened.whole_description.clone() {
            let content = Content::Text(text);
            let file = File { name: "description".to_owned(), content };
            self.act(ActionKind::Attach(file), false);
        }
        for file in opened.files.iter().take(File::PER_CASE - 1) {
            self.act(ActionKind::Attach(file.clone()), false);
        }
        // Where several were found, the doubt is settled.
        if opened.doubtful && opened.duplicates.is_empty() {
            self.act(ActionKind::Recheck, true);
        }
    }

    /// What happened after the draft was made is not in the case. It counts as told by this step, so
    /// that what is worse is told at once.
    fn note_what_came_after(
        &mut self,
        as_of: Option<AsOf>,
        unsent: &BTreeMap<Fingerprint, Timestamp>,
    ) {
        let Some(AsOf { at, rank }) = as_of else { return };
        self.incident.rank = rank;
        self.incident.worst = rank;
        for (fingerprint, member) in &self.incident.members {
            let firing = member.is_firing();
            let changed = unsent.get(fingerprint).is_some_and(|changed| *changed > at);
            match member.since > at {
                true if firing => self.incident.news.fires(&member.alert),
                true => self.incident.news.resolves(&member.alert),
                // The draft had the worst rank of its time.
                false if firing && (changed || member.rank < rank) => {
                    self.incident.news.changes(&member.alert);
                }
                false => continue,
            }
            self.members.push(fingerprint.clone());
        }
    }

    fn tell_duplicates(&mut self, opened: &OpenedCase) {
        for case in &opened.duplicates {
            self.comment(Note::Duplicate { case: case.clone(), of: opened.case.clone() });
        }
    }

    /// Opens a case, unless something keeps it from being opened now.
    fn open_or_hold(self, reason: Reason) -> Step {
        match self.scene.restraint {
            None => self.open(false).end(reason),
            Some(restraint) => self.hold(restraint),
        }
    }

    fn hold(self, restraint: &Restraint) -> Step {
        let Restraint { hold, until, why } = restraint.clone();
        self.enter(State::Held { hold, due: until }).end(Reason::Holds(hold, why))
    }

    /// Looks again at what holds it.
    fn hold_on(self, hold: Hold) -> Step {
        match self.scene.restraint {
            None => self.open(false).end(Reason::Released(hold)),
            Some(restraint) if restraint.hold != hold => self.hold(restraint),
            Some(restraint) => {
                let due = restraint.until;
                let moved = self.incident.state.due() != self.due(due);
                let held = if moved { self.enter(State::Held { hold, due }) } else { self };
                held.go_on()
            }
        }
    }

    fn open(mut self, look_first: bool) -> Self {
        let seq = self.act(ActionKind::Open, look_first);
        self.enter(State::Opening { seq })
    }

    /// Nothing was decided.
    fn go_on(self) -> Step {
        let heard = self.changed && self.members.is_empty();
        let reason = match self.changed {
            false => Reason::Nothing,
            true if heard => Reason::Heard,
            true => Reason::Changed,
        };
        self.end(reason)
    }

    /// The worst alert of this step, if it is worse than what the case was told.
    fn is_worse(&self) -> bool {
        self.escalation().is_some()
    }

    fn escalation(&self) -> Option<(Rank, Rank)> {
        let firing = self
            .members
            .iter()
            .filter_map(|fingerprint| self.incident.members.get(fingerprint))
            .filter(|member| member.alert.status == AlertStatus::Firing);
        let to = firing.map(|member| member.rank).min()?;
        (to < self.incident.worst).then_some((self.incident.worst, to))
    }

    fn may_tell(&self) -> bool {
        self.is_worse() || self.news_due().is_some_and(|due| due <= self.scene.now)
    }

    /// Tells what is new: at once if it is worse, else not before the last comment is old enough.
    fn tell_in_time(self) -> Step {
        if self.may_tell() {
            return self.tell();
        }
        // A timer that was set too early is set anew when it has run out: what has only moved by the
        // time that nobody listened is no news.
        let (set, needed) = (self.incident.state.due(), self.due(None));
        let has_run_out = set.is_some_and(|set| set <= self.scene.now);
        let sooner = match (needed, set) {
            (Some(needed), Some(set)) => needed < set,
            (needed, _) => needed.is_some(),
        };
        let mut work = self;
        work.changed |= sooner || has_run_out;
        work.go_on()
    }

    /// When the news that there is may be told.
    fn news_due(&self) -> Option<Timestamp> {
        // What is kept for a case is told as soon as that is there.
        if self.incident.news.is_empty() || !matches!(self.incident.state, State::Open { .. }) {
            return None;
        }
        let told = self.incident.told_at.unwrap_or(self.incident.created_at);
        Some(later(told, self.scene.policy.update_every))
    }

    fn tell(mut self) -> Step {
        let escalated = self.escalation();
        let note = Note::Update {
            at: self.scene.now,
            news: std::mem::take(&mut self.incident.news),
            escalated,
            firing: self.incident.tally.firing,
        };
        self.comment(note);
        self.has_told();
        self.end(match escalated {
            Some((from, to)) => Reason::Escalates { from, to },
            None => Reason::Tells,
        })
    }

    /// The case knows all that there is to know.
    fn has_told(&mut self) {
        if let Some((_, to)) = self.escalation() {
            self.incident.worst = to;
        }
        self.incident.told_at = Some(self.scene.now);
        self.incident.news = News::default();
    }

    /// Every alert has resolved: over at once, or after a hold-down.
    fn resolve(self, case: CaseId) -> Step {
        let after = self.scene.policy.resolve_after;
        if after.is_zero() {
            return self.finish(case);
        }
        let due = later(self.scene.now, after);
        self.enter(State::Resolving { case, due }).end(Reason::WaitsToResolve(due))
    }

    fn finish(mut self, case: CaseId) -> Step {
        let at = self.scene.now;
        let action = self.scene.policy.resolve_action;
        if action != ResolveAction::None {
            self.comment(Note::Resolved { at, alerts: self.incident.tally.total() });
        }
        if action == ResolveAction::Close {
            self.act(ActionKind::Close, false);
        }
        self.has_told();
        self.enter(State::Closed { case, at }).end(Reason::Over(action))
    }

    /// Nobody speaks of it any more: its alerts count as resolved, so that a later message is a
    /// re-fire.
    fn fall_silent(mut self) -> Self {
        let now = self.scene.now;
        let mut quiet = Vec::new();
        for member in self.incident.members.values() {
            if member.alert.status == AlertStatus::Firing {
                let mut member = member.clone();
                member.alert.status = AlertStatus::Resolved;
                member.since = now;
                quiet.push(member);
            }
        }
        for member in quiet {
            self.members.push(member.alert.fingerprint.clone());
            self.incident.admit(member);
        }
        self.changed = true;
        self
    }

    fn end_in_silence(self, case: CaseId) -> Step {
        let (since, at) = (self.incident.heard_at, self.scene.now);
        let action = self.scene.policy.stale_action;
        let mut work = self.fall_silent();
        if action != ResolveAction::None {
            work.comment(Note::Silent { since });
        }
        if action == ResolveAction::Close {
            work.act(ActionKind::Close, false);
        }
        work.has_told();
        work.enter(State::Closed { case, at }).end(Reason::Silent(since, action))
    }

    /// Of the alerts that fire, those are named that were spoken of: of others not all are known here.
    fn refire(mut self, case: CaseId, spoken_of: &[RankedAlert]) -> Step {
        let spoken_of: BTreeSet<&Fingerprint> =
            spoken_of.iter().map(|news| &news.alert.fingerprint).collect();
        let alerts = self
            .incident
            .members
            .iter()
            .filter(|(name, member)| member.is_firing() && spoken_of.contains(name))
            .map(|(_, member)| member.alert.title())
            .collect();
        let note = Note::Refired { at: self.scene.now, alerts, escalated: self.escalation() };
        self.comment(note);
        if self.scene.policy.names_contacts {
            self.act(ActionKind::Contacts, false);
        }
        self.has_told();
        self.enter(State::Open { case, due: None }).end(Reason::Refired)
    }

    /// When a held or open incident has to be looked at again: at `own`, when its news is due, or
    /// when its sender has been silent for too long; whichever is earliest.
    fn due(&self, own: Option<Timestamp>) -> Option<Timestamp> {
        own.into_iter().chain(self.news_due()).chain(self.stale_at()).min()
    }

    fn end(mut self, reason: Reason) -> Step {
        if self.changed {
            self.incident.updated_at = self.scene.now;
            match self.incident.state.clone() {
                State::Open { case, .. } => {
                    let due = self.due(None);
                    self.incident.state = State::Open { case, due };
                }
                State::Held { hold, due } => {
                    // The restraint's own time stands in the state when it has just been entered.
                    let own = due.filter(|due| *due > self.scene.now && hold == Hold::Mute);
                    let due = self.due(own);
                    self.incident.state = State::Held { hold, due };
                }
                _ => {}
            }
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
mod policy_tests;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vendor_tests;
