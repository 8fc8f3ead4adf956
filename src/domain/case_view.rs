//! What a vendor says of a case, and what of it is new.
//!
//! Vendors' words are open: a status, a next action or a kind of comment that nobody knows yet is kept
//! as it is and shown, and decides nothing.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::CaseId;

/// So many of a case's newest comments are kept.
pub const COMMENTS: usize = 50;

/// So many characters of a comment are kept.
pub const COMMENT_LENGTH: usize = 4_000;

/// How far the vendor is with a case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CaseStatus {
    /// Nobody has looked at it.
    Created,
    /// Somebody is to look at it.
    Assigned,
    /// It is worked on.
    InProgress,
    /// The vendor takes it for solved; it is not closed.
    Solved,
    /// It is over for the vendor.
    Closed,
    /// A word that is not known here. It is never taken for an end.
    Other(String),
}

impl CaseStatus {
    /// Every label of [`Self::label`].
    pub const LABELS: [&'static str; 6] =
        ["created", "assigned", "in_progress", "solved", "closed", "other"];

    /// Reads the vendor's word, or [its own text](Self::as_str).
    pub fn parse(word: &str) -> Self {
        match word.trim().to_ascii_uppercase().as_str() {
            "CREATED" => Self::Created,
            "ASSIGNED" => Self::Assigned,
            "IN_PROGRESS" => Self::InProgress,
            "MITIGATED/SOLVED" | "SOLVED" => Self::Solved,
            "CLOSED" => Self::Closed,
            _ => Self::Other(word.trim().to_owned()),
        }
    }

    /// The name in the store and for people.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(word) => word,
            known => known.label(),
        }
    }

    /// The name in metrics, where a word that is not known must not become a series of its own.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Assigned => "assigned",
            Self::InProgress => "in_progress",
            Self::Solved => "solved",
            Self::Closed => "closed",
            Self::Other(_) => "other",
        }
    }
}

impl From<String> for CaseStatus {
    fn from(word: String) -> Self {
        Self::parse(&word)
    }
}

impl From<CaseStatus> for String {
    fn from(status: CaseStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextAction {
    /// The vendor's.
    Vendor,
    /// Ours: the vendor waits for an answer.
    Customer,
    /// A word that is not known here.
    Other(String),
}

impl NextAction {
    /// Reads the vendor's word, or [its own text](Self::as_str).
    pub fn parse(word: &str) -> Self {
        match word.trim().to_ascii_uppercase().as_str() {
            "CASE_OWNER" | "VENDOR" => Self::Vendor,
            "CUSTOMER" => Self::Customer,
            _ => Self::Other(word.trim().to_owned()),
        }
    }

    /// The name in the store and for people.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Vendor => "vendor",
            Self::Customer => "customer",
            Self::Other(word) => word,
        }
    }
}

/// A comment on a case that is not ours: of the vendor's people, or of whoever else writes on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VendorComment {
    /// The vendor's id of it.
    pub id: String,
    /// Who wrote it, as the vendor calls them; may be empty.
    pub author: String,
    /// When, as far as that can be read.
    pub at: Option<Timestamp>,
    /// The vendor's word for how it came, such as `EMAIL`; may be empty.
    pub kind: String,
    /// What it says: plain text, cut to [`COMMENT_LENGTH`]. Untrusted.
    pub text: String,
}

/// What a vendor says of a case. Whatever it does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseView {
    /// How far it is.
    pub status: Option<CaseStatus>,
    /// Whose turn it is.
    pub next_action: Option<NextAction>,
    /// When it was made.
    pub opened_at: Option<Timestamp>,
    /// When anything about it changed last.
    pub updated_at: Option<Timestamp>,
    /// When it was solved.
    pub resolved_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How many minutes it took the vendor to answer first.
    pub first_response: Option<u32>,
    /// By which the vendor's list tells whether it has changed since; `None`: to be read anew in any
    /// case.
    pub version: Option<String>,
    /// Comments that are not ours and were not known, oldest first.
    pub comments: Vec<VendorComment>,
}

impl CaseView {
    /// Whether the case is over for the vendor. No other word and no date means that.
    pub fn is_closed(&self) -> bool {
        self.status == Some(CaseStatus::Closed)
    }

    /// Whether the vendor waits for us: not on what is over.
    pub fn waits_for_us(&self) -> bool {
        self.next_action == Some(NextAction::Customer) && !self.is_closed()
    }
}

/// What is kept of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCase {
    /// Its number.
    pub case: CaseId,
    /// What was last read of it, with the newest [`COMMENTS`] comments.
    pub view: CaseView,
    /// When the vendor was last asked and told that this is so.
    pub checked_at: Timestamp,
}

/// Something that is new about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseChange {
    /// Its status is another.
    Status {
        /// What it was; `None` where the case is seen for the first time.
        from: Option<CaseStatus>,
        /// What it is.
        to: CaseStatus,
    },
    /// The vendor waits for us, and did not before.
    WaitsForUs,
    /// Somebody has written something.
    Commented(VendorComment),
    /// The vendor has answered for the first time, after so many minutes.
    FirstResponse(u32),
    /// The vendor has closed it.
    Closed {
        /// When, as it says.
        at: Option<Timestamp>,
    },
    /// The vendor works again on what it had closed.
    Reopened,
}

impl fmt::Display for CaseChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { from: Some(from), to } => {
                write!(f, "is {} after {}", to.as_str(), from.as_str())
            }
            Self::Status { from: None, to } => write!(f, "is {}", to.as_str()),
            Self::WaitsForUs => f.write_str("waits for us: the vendor needs an answer"),
            Self::Commented(VendorComment { author, kind, .. }) => {
                let author = if author.is_empty() { "somebody" } else { author };
                write!(f, "has a new comment of {author}")?;
                if kind.is_empty() { Ok(()) } else { write!(f, " ({kind})") }
            }
            Self::FirstResponse(minutes) => {
                write!(f, "got its first response after {minutes} minutes")
            }
            Self::Closed { at: Some(at) } => write!(f, "was closed by the vendor at {at}"),
            Self::Closed { at: None } => f.write_str("was closed by the vendor"),
            Self::Reopened => f.write_str("was opened again by the vendor"),
        }
    }
}

/// What is new in what was read of a case, given what was known.
pub fn changes(before: Option<&CaseView>, now: &CaseView) -> Vec<CaseChange> {
    let mut found = Vec::new();
    let from = before.and_then(|before| before.status.clone());
    if let Some(to) = now.status.clone().filter(|to| from.as_ref() != Some(to)) {
        found.push(CaseChange::Status { from, to });
    }
    if let Some(minutes) = now.first_response
        && before.is_none_or(|before| before.first_response.is_none())
    {
        found.push(CaseChange::FirstResponse(minutes));
    }
    found.extend(now.comments.iter().cloned().map(CaseChange::Commented));
    if now.waits_for_us() && !before.is_some_and(CaseView::waits_for_us) {
        found.push(CaseChange::WaitsForUs);
    }
    match (before.is_some_and(CaseView::is_closed), now.is_closed()) {
        (false, true) => found.push(CaseChange::Closed { at: now.closed_at }),
        // A status that is missing tells nothing.
        (true, false) if now.status.is_some() => found.push(CaseChange::Reopened),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::at;

    fn view(status: &str, next: Option<&str>) -> CaseView {
        CaseView {
            status: Some(CaseStatus::parse(status)),
            next_action: next.map(NextAction::parse),
            ..CaseView::default()
        }
    }

    fn told(before: Option<&CaseView>, now: &CaseView) -> Vec<String> {
        changes(before, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_status_is_known_by_its_word_and_by_its_name() {
        for (word, name) in [
            ("CREATED", "created"),
            ("ASSIGNED", "assigned"),
            ("IN_PROGRESS", "in_progress"),
            ("MITIGATED/SOLVED", "solved"),
            ("CLOSED", "closed"),
            ("Escalated", "Escalated"),
        ] {
            let status = CaseStatus::parse(word);
            assert_eq!(status.as_str(), name);
            assert_eq!(CaseStatus::parse(status.as_str()), status);
            assert!(CaseStatus::LABELS.contains(&status.label()), "{word}");
        }
        assert_eq!(CaseStatus::parse("Escalated").label(), "other");
    }

    #[test]
    fn only_closed_is_an_end() {
        for word in ["CREATED", "ASSIGNED", "IN_PROGRESS", "MITIGATED/SOLVED", "RESOLVED", ""] {
            let dated = CaseView { closed_at: Some(at(0)), ..view(word, None) };
            assert!(!dated.is_closed(), "{word}");
        }
        assert!(!CaseView::default().is_closed());
        assert!(view("Closed", None).is_closed());
    }

    #[test]
    fn what_is_as_before_is_no_change() {
        for word in ["CREATED", "CLOSED", "Escalated"] {
            let seen = view(word, Some("CUSTOMER"));
            assert_eq!(told(Some(&seen), &seen), Vec::<String>::new());
        }
    }

    #[test]
    fn a_change_is_told_once_and_in_words() {
        let before = view("CREATED", Some("CASE_OWNER"));
        let comment = VendorComment {
            id: "F-CC-1".to_owned(),
            author: "Support".to_owned(),
            at: Some(at(60)),
            kind: "EMAIL".to_owned(),
            text: "Which property?".to_owned(),
        };
        let now = CaseView {
            first_response: Some(12),
            comments: vec![comment],
            ..view("ASSIGNED", Some("CUSTOMER"))
        };
        assert_eq!(
            told(Some(&before), &now),
            [
                "is assigned after created",
                "got its first response after 12 minutes",
                "has a new comment of Support (EMAIL)",
                "waits for us: the vendor needs an answer",
            ]
        );
    }

    #[test]
    fn what_is_closed_waits_for_nobody_and_may_be_opened_again() {
        let open = view("IN_PROGRESS", Some("CUSTOMER"));
        let closed = CaseView { closed_at: Some(at(0)), ..view("CLOSED", Some("CUSTOMER")) };
        assert_eq!(
            changes(Some(&open), &closed).last(),
            Some(&CaseChange::Closed { at: Some(at(0)) })
        );
        assert_eq!(
            told(Some(&closed), &open),
            [
                "is in_progress after closed",
                "waits for us: the vendor needs an answer",
                "was opened again by the vendor",
            ]
        );
        assert_eq!(told(Some(&closed), &CaseView::default()), Vec::<String>::new());
    }

    #[test]
    fn the_first_sight_of_a_case_tells_how_it_stands() {
        assert_eq!(told(None, &view("CREATED", None)), ["is created"]);
        assert_eq!(told(None, &CaseView::default()), Vec::<String>::new());
    }
}
