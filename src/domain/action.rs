//! Actions: what is to be done at the vendor, or told to others; one row of the outbox each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{CaseId, VendorName};
use super::news::{News, Remark};
use super::notice::{Notice, Target};
use super::severity::Rank;

/// What a comment tells. Rendered to text when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Note {
    /// Every member alert has resolved.
    Resolved {
        /// When the incident was seen to be over.
        at: Timestamp,
        /// How many member alerts it had.
        alerts: u32,
    },
    /// What has changed since the case was last told.
    Update {
        /// When that was decided.
        at: Timestamp,
        /// The changes.
        news: News,
        /// The severity has risen: from this rank to that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalated: Option<(Rank, Rank)>,
        /// How many alerts fire now.
        firing: u32,
    },
    /// Nothing has been heard from the sender for so long that it counts as over.
    Silent {
        /// When it was last heard of.
        since: Timestamp,
    },
    /// It fires again after it was over.
    Refired {
        /// When it was seen to fire again.
        at: Timestamp,
        /// The names of the alerts that fire.
        alerts: Vec<String>,
        /// It is worse than before: from this rank to that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalated: Option<(Rank, Rank)>,
    },
    /// A person has written something about it at its sender.
    Remark {
        /// What.
        remark: Remark,
    },
    /// There are two cases of one incident; this is said on the one that is not gone on with.
    Duplicate {
        /// The case that the comment is for.
        case: CaseId,
        /// The case that is gone on with.
        of: CaseId,
    },
}

/// One thing to do at the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActionKind {
    /// Open the incident's case.
    Open,
    /// Comment on it.
    Comment {
        /// What the comment tells.
        note: Note,
    },
    /// Attach a text to it.
    Attach {
        /// What it is, such as `description`; becomes part of the file's name.
        name: String,
        /// The whole text.
        text: String,
    },
    /// Bring the case's contacts up to what the rule says now.
    Contacts,
    /// The case was opened by a request that followed one whose outcome nobody knew. Look once
    /// more, whether both have come true.
    Recheck,
    /// Ask the vendor to close it.
    Close,
    /// Tell somebody who is no vendor what happened to it.
    Tell {
        /// Whom, and in which way.
        target: Target,
        /// What.
        notice: Notice,
    },
}

impl ActionKind {
    /// The names of what is done at a vendor.
    pub const AT_VENDORS: [&'static str; 6] =
        ["open", "comment", "attach", "contacts", "recheck", "close"];

    /// Every kind's name, in the order in which kinds go first.
    pub const NAMES: [&'static str; 7] =
        ["open", "comment", "attach", "contacts", "recheck", "close", "tell"];

    /// The name in the store, in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Comment { .. } => "comment",
            Self::Attach { .. } => "attach",
            Self::Contacts => "contacts",
            Self::Recheck => "recheck",
            Self::Close => "close",
            Self::Tell { .. } => "tell",
        }
    }

    /// Who is told by it, if it tells somebody.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Tell { target, .. } => Some(target),
            _ => None,
        }
    }

    /// The lane in which it is done, for an incident whose case is opened at `vendor`. *Invariant:*
    /// what is told has a lane of its own. Actions of an incident wait for each other only within a
    /// lane, so that no sender that is down holds up a case, and no vendor that is down a notice.
    pub fn lane(&self, vendor: &VendorName) -> VendorName {
        match self {
            Self::Tell { target, .. } => target.lane(),
            _ => vendor.clone(),
        }
    }

    /// Opens go before comments, comments before closures; lower goes first.
    pub fn precedence(&self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Comment { .. } | Self::Attach { .. } | Self::Contacts | Self::Recheck => 1,
            Self::Close => 2,
            // Alone in its lane.
            Self::Tell { .. } => 3,
        }
    }
}

/// An action that a lifecycle step asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAction {
    /// Its place in the incident's order, counted from 1.
    pub seq: u32,
    /// What to do.
    pub kind: ActionKind,
    /// Not before this time.
    pub due: Timestamp,
    /// An earlier action of the same effect may have reached the vendor: look for it first.
    pub look_first: bool,
}
