//! An incident: one ongoing problem, with its member alerts and at most one case.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::alert::{Alert, AlertStatus, Labels};
use super::ids::{CaseId, DeliveryId, Fingerprint, IncidentId, IncidentKey, RuleName, VendorName};
use super::member::Member;
use super::news::News;
use super::severity::Rank;

/// Why a firing incident waits and no case is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// A person has to approve its draft.
    Approval,
    /// Its rule is tried out and opens nothing.
    Shadow,
    /// People want no cases at this time.
    Mute,
    /// The case budget is used up.
    Budget,
    /// The case budget is used up, and a roll-up stands for it.
    Rollup,
}

impl Hold {
    /// Every hold.
    pub const ALL: [Self; 5] =
        [Self::Approval, Self::Shadow, Self::Mute, Self::Budget, Self::Rollup];

    /// The name in the store, in logs and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Shadow => "shadow",
            Self::Mute => "mute",
            Self::Budget => "budget",
            Self::Rollup => "rollup",
        }
    }
}

/// Where an incident stands. The data of a state lives in the state: a case id cannot be
/// forgotten, nor a due time be left over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It fires, and waits for `open.after`.
    Pending {
        /// When the case is opened if it still fires.
        due: Timestamp,
    },
    /// It fires, and something keeps its case from being opened.
    Held {
        /// What.
        hold: Hold,
        /// When that is to be looked at again, if at all.
        due: Option<Timestamp>,
    },
    /// An open action is in the outbox.
    Opening {
        /// That action.
        seq: u32,
    },
    /// The case exists.
    Open {
        /// Its number at the vendor.
        case: CaseId,
        /// When news is to be told, or the sender has been silent for too long.
        due: Option<Timestamp>,
    },
    /// Every alert has resolved; `resolve.after` runs.
    Resolving {
        /// The case.
        case: CaseId,
        /// When it counts as over if nothing fires until then.
        due: Timestamp,
    },
    /// Over. A re-fire within `reopen_within` goes on with the same case.
    Closed {
        /// The case.
        case: CaseId,
        /// Since when.
        at: Timestamp,
    },
    /// Ended before a case was opened.
    Dropped {
        /// When.
        at: Timestamp,
    },
    /// The open action is a dead letter; a person must act.
    Failed {
        /// That action.
        seq: u32,
    },
}

impl State {
    /// Every state's name, for metrics and checks.
    pub const NAMES: [&'static str; 8] =
        ["pending", "held", "opening", "open", "resolving", "closed", "dropped", "failed"];

    /// The names of those that are not over.
    pub const GOING_ON: [&'static str; 6] =
        ["pending", "held", "opening", "open", "resolving", "failed"];

    /// The name in the store, in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Held { .. } => "held",
            Self::Opening { .. } => "opening",
            Self::Open { .. } => "open",
            Self::Resolving { .. } => "resolving",
            Self::Closed { .. } => "closed",
            Self::Dropped { .. } => "dropped",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether a person may still say what its case is to be, or that there is to be none.
    pub fn has_draft(&self) -> bool {
        matches!(self, Self::Pending { .. } | Self::Held { .. })
    }

    /// The case, where one is known.
    pub fn case(&self) -> Option<&CaseId> {
        match self {
            Self::Open { case, .. } | Self::Resolving { case, .. } | Self::Closed { case, .. } => {
                Some(case)
            }
            _ => None,
        }
    }

    /// When a timer has to look at the incident again.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { due } | Self::Resolving { due, .. } => Some(*due),
            Self::Held { due, .. } | Self::Open { due, .. } => *due,
            _ => None,
        }
    }
}

/// One ongoing problem: one rule, one identity, one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Derived from the installation, the key and the generation.
    pub id: IncidentId,
    /// What it is about.
    pub key: IncidentKey,
    /// The rule that began it. It owns the incident to its end, also where others share its scope.
    pub rule: RuleName,
    /// 1 for the first incident with this key; a re-fire after `reopen_within` starts the next.
    pub generation: u32,
    /// The case of the generation before, for the new case to name.
    pub previous_case: Option<CaseId>,
    /// Where its case is opened.
    pub vendor: VendorName,
    /// How bad, from the rule's severity mapping; 1 is worst. That of its case, once there is one.
    pub rank: Rank,
    /// The worst that its case says or was told.
    pub worst: Rank,
    /// Where it stands.
    pub state: State,
    /// Its alerts, firing or resolved: all of them, or those that a delivery speaks of.
    pub members: BTreeMap<Fingerprint, Member>,
    /// How all of its alerts stand, also those that `members` leaves out.
    pub tally: Tally,
    /// None of its alerts fires, but it may go on: the payload that said so left alerts of this group
    /// out. Only what is told of that group again settles it.
    pub left_out: Option<Labels>,
    /// The alert that began it, as it was then. Subject and description are rendered from it.
    pub origin: Alert,
    /// The delivery that began it.
    pub delivery: DeliveryId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed (a repeat is no change).
    pub updated_at: Timestamp,
    /// When a sender last spoke of it. Repeats are not noted one by one, so this may lag by an
    /// eighth of the time after which silence counts as the end.
    pub heard_at: Timestamp,
    /// When its case was last told how it stands.
    pub told_at: Option<Timestamp>,
    /// What its case has not been told yet.
    pub news: News,
    /// The place of its newest action in its order; 0 if it has none.
    pub last_seq: u32,
}

/// How many alerts fire, and how many have resolved.
///
/// Kept beside the members, so that a decision about a few alerts of an incident need not see the
/// thousands of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts that fire.
    pub firing: u32,
    /// Alerts that have resolved.
    pub resolved: u32,
}

impl Tally {
    /// All alerts.
    pub fn total(self) -> u32 {
        self.firing.saturating_add(self.resolved)
    }

    fn of(&mut self, status: AlertStatus) -> &mut u32 {
        match status {
            AlertStatus::Firing => &mut self.firing,
            AlertStatus::Resolved => &mut self.resolved,
        }
    }
}

impl Incident {
    /// An incident fires while any of its member alerts does.
    pub fn is_firing(&self) -> bool {
        self.tally.firing > 0
    }

    /// Takes a member in, in place of what was known of the same alert. That must be among
    /// `members` if the alert is a member at all.
    pub fn admit(&mut self, member: Member) {
        let now = self.tally.of(member.alert.status);
        *now = now.saturating_add(1);
        if let Some(before) = self.members.insert(member.alert.fingerprint.clone(), member) {
            let then = self.tally.of(before.alert.status);
            *then = then.saturating_sub(1);
        }
    }
}
