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
    /// A part of a comment that is longer than the vendor takes. What must not leave is out of it.
    Part {
        /// Which, counted from 1.
        part: u32,
        /// Of how many.
        of: u32,
        /// What it says.
        text: String,
    },
    /// There are two cases of one incident; this is said on the one that is not gone on with.
    Duplicate {
        /// The case that the comment is for.
        case: CaseId,
        /// The case that is gone on with.
        of: CaseId,
    },
}

/// A file that goes along with a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is, such as `description`; becomes part of the file's name. With an ending only where
    /// the file is fetched.
    pub name: String,
    /// What is in it.
    #[serde(flatten)]
    pub content: Content,
}

/// What is in a [`File`]. What is not at hand when the action is decided on is had when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// This text. Versions that knew nothing else have written it in the same way.
    Text(String),
    /// The incident's alerts, as JSON.
    Alerts {},
    /// What is at an address.
    Fetched {
        /// The address.
        url: String,
    },
}

impl File {
    /// How many files a case may have at the vendor. *Invariant*: an incident asks for no more: the
    /// whole description, the alerts, and what a rule names.
    pub const PER_CASE: usize = 10;
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
    /// Attach a file to it.
    Attach(File),
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
            Self::Attach(_) => "attach",
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
            Self::Comment { .. } | Self::Attach(_) | Self::Contacts | Self::Recheck => 1,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, text: &str) -> ActionKind {
        let content = Content::Text(text.to_owned());
        ActionKind::Attach(File { name: name.to_owned(), content })
    }

    #[test]
    fn what_earlier_versions_have_stored_is_still_read_and_still_written() {
        let stored = r#"{"kind":"attach","name":"description","text":"all of it"}"#;
        let read: ActionKind = serde_json::from_str(stored).unwrap();
        assert_eq!(read, text("description", "all of it"));
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    }

    #[test]
    fn every_kind_of_file_comes_back_from_the_store() {
        let alerts = File { name: "alerts".to_owned(), content: Content::Alerts {} };
        let fetched = Content::Fetched { url: "https://grafana.example.com".to_owned() };
        let fetched = File { name: "panel.png".to_owned(), content: fetched };
        for kind in [text("a", ""), ActionKind::Attach(alerts), ActionKind::Attach(fetched)] {
            let stored = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<ActionKind>(&stored).unwrap(), kind, "{stored}");
        }
    }
}
