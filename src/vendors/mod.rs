//! Where cases live: what Casewright asks of a vendor, and how a vendor's answer is classed.
//!
//! A vendor is a client of one ticket system. It sends one request per call, never retries on its
//! own, and never guesses: whatever it cannot prove is [`Outcome::Unknown`]. What to do about an
//! outcome is decided in `dispatch`, not here.

pub mod akamai;
pub mod answer;
pub mod desk;
pub mod limiter;
mod line;
mod plain;
pub mod targets;
mod token;
pub mod transport;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use self::limiter::Fill;
use crate::domain::case_view::{CaseStatus, CaseView};
use crate::domain::catalog::whole::{AccountCatalog, CategoryCatalog};
use crate::domain::catalog::{Catalog, Category};
use crate::domain::draft::{Contact, Draft};
use crate::domain::ids::{AccountId, CaseId, Marker};

/// One write at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Open a case.
    Open(Box<Draft>),
    /// Comment on a case.
    Comment {
        /// The case.
        case: CaseId,
        /// The incident's marker, which the case's tracking number must equal.
        marker: Marker,
        /// Ends the text and makes the comment findable; see [`Marker::action_token`].
        token: String,
        /// The text, already ending in `token`.
        text: String,
    },
    /// Ask for a case to be closed.
    Close {
        /// The case.
        case: CaseId,
        /// The incident's marker, which the case's tracking number must equal.
        marker: Marker,
        /// Ends the text and makes the request findable.
        token: String,
        /// The text, already ending in `token`.
        text: String,
    },
    /// Attach a file to a case.
    Attach {
        /// The case.
        case: CaseId,
        /// The incident's marker, which the case's tracking number must equal.
        marker: Marker,
        /// The action's token; `file_name` holds it without its brackets.
        token: String,
        /// The file's name, such as `description-cw-9f3a1c7be2d0-3.txt`. No other file of the case
        /// has it, so the file is found again by it.
        file_name: String,
        /// What it is, such as `text/plain; charset=utf-8`.
        media_type: String,
        /// The file.
        content: Vec<u8>,
    },
    /// Make the case's contacts exactly these.
    Contacts {
        /// The case.
        case: CaseId,
        /// The incident's marker, which the case's tracking number must equal.
        marker: Marker,
        /// All addresses that shall get the vendor's mail about the case; none, to clear them.
        also_notify: Vec<String>,
        /// Whom else to contact; `None`, to clear it.
        alternate_contact: Option<Contact>,
    },
}

/// What is worth keeping of an exchange with the vendor, for people and for the support desk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The vendor's own name for this exchange: Akamai's `instance` or `requestId`.
    pub reference: Option<String>,
    /// What happened and what to do about it, in one or two sentences. Never a secret.
    pub message: String,
}

/// What became of an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor confirmed it. For [`Operation::Open`] the case is the new one.
    Done {
        /// The case.
        case: CaseId,
        /// What the exchange looked like.
        evidence: Evidence,
    },
    /// Definitely not done, and asking again for the same thing is pointless.
    Refused(Evidence),
    /// Definitely not done; asking again later may help.
    NotSent(Evidence),
    /// Definitely not done: who we are was not accepted (credentials, grant, clock). Every other
    /// request would meet the same fate until a person has acted.
    Denied(Evidence),
    /// Definitely not done: the vendor asks for a pause.
    Throttled {
        /// How long the vendor wants to be left alone, if it said so.
        retry_after: Option<Duration>,
        /// What the exchange looked like.
        evidence: Evidence,
    },
    /// It may or may not have been done: never to be repeated before the vendor's records were
    /// read.
    Unknown(Evidence),
}

impl Outcome {
    /// Every outcome's name.
    pub const NAMES: [&'static str; 6] =
        ["done", "refused", "not_sent", "denied", "throttled", "unknown"];

    /// The name in the store, in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Refused(_) => "refused",
            Self::NotSent(_) => "not_sent",
            Self::Denied(_) => "denied",
            Self::Throttled { .. } => "throttled",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What the exchange looked like.
    pub fn evidence(&self) -> &Evidence {
        match self {
            Self::Refused(evidence)
            | Self::NotSent(evidence)
            | Self::Denied(evidence)
            | Self::Unknown(evidence)
            | Self::Done { evidence, .. }
            | Self::Throttled { evidence, .. } => evidence,
        }
    }
}

/// What the vendor's records say about an earlier [`Operation`] whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It was done. For [`Operation::Open`] the case is the one to adopt; its own tracking
    /// number was read back and equals the marker.
    Found {
        /// The case.
        case: CaseId,
        /// What the exchange looked like.
        evidence: Evidence,
    },
    /// Every record that could show it was read, and none does.
    Absent(Evidence),
    /// More than one case carries the marker: an alarm, never a guess.
    Several {
        /// All of them, the oldest first (by the time at which the vendor says that it was made,
        /// then by number). Every one's own tracking number was read back and equals the marker.
        cases: Vec<CaseId>,
        /// What the exchange looked like.
        evidence: Evidence,
    },
    /// The records could not be read. Reads are harmless, so any reason may be tried again.
    Failed {
        /// How long the vendor wants to be left alone, if it said so.
        retry_after: Option<Duration>,
        /// What was in the way.
        obstacle: Obstacle,
        /// What the exchange looked like.
        evidence: Evidence,
    },
}

/// Why records could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The vendor did not answer, or not as it should.
    Vendor,
    /// Who we are was not accepted; see [`Outcome::Denied`].
    Denied,
    /// The vendor is well, and what it says of this one thing cannot be right.
    Record,
}

/// Whether the vendor is there and accepts who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It is, and it does.
    Up,
    /// It cannot be reached, or it answers nonsense or errors of its own.
    Down(Evidence),
    /// Who we are was not accepted; see [`Outcome::Denied`].
    Denied(Evidence),
    /// It is there, and asks for a pause.
    Throttled {
        /// How long the vendor wants to be left alone, if it said so.
        retry_after: Option<Duration>,
        /// What the exchange looked like.
        evidence: Evidence,
    },
}

impl Probe {
    /// The name in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down(_) => "down",
            Self::Denied(_) => "denied",
            Self::Throttled { .. } => "throttled",
        }
    }

    /// What the exchange looked like, unless all is well.
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Up => None,
            Self::Down(evidence) | Self::Denied(evidence) | Self::Throttled { evidence, .. } => {
                Some(evidence)
            }
        }
    }
}

/// Why the catalog could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// The vendor does not offer this category to this account, or this account to us.
    #[error("{}", .0.message)]
    Refused(Evidence),
    /// Who we are was not accepted; see [`Outcome::Denied`].
    #[error("{}", .0.message)]
    Denied(Evidence),
    /// The vendor could not be asked just now.
    #[error("{}", .evidence.message)]
    Unavailable {
        /// How long the vendor wants to be left alone, if it said so.
        retry_after: Option<Duration>,
        /// What the exchange looked like.
        evidence: Evidence,
    },
}

/// An account that we may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedAccount {
    /// Its id.
    pub account: AccountId,
    /// Its name; may be empty.
    pub name: String,
    /// The vendor's ids of its categories; may hold some that [`Category`] does not know.
    pub categories: Vec<String>,
}

impl From<OfferedAccount> for AccountCatalog {
    /// Of which nothing but the names was read yet.
    fn from(offered: OfferedAccount) -> Self {
        let OfferedAccount { account, name, categories } = offered;
        let categories =
            categories.into_iter().map(|category| CategoryCatalog { category, page: None });
        Self { account, name, categories: categories.collect() }
    }
}

/// A case that the vendor is asked about, and what was last known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedCase {
    /// Its number.
    pub case: CaseId,
    /// The incident's marker, which its tracking number must equal.
    pub marker: Marker,
    /// Not later than it was made: how far back to list.
    pub since: Timestamp,
    /// What the vendor called its state when it was last read; see [`CaseView::version`].
    pub version: Option<String>,
    /// Its status when it was last read.
    pub status: Option<CaseStatus>,
    /// The newest comment that is known.
    pub last_comment: Option<String>,
}

/// What a vendor says of the cases that it was asked about. A case of which nothing is said here was
/// not read, and is to be asked about again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// What was read of cases that are new to us or have changed.
    pub read: Vec<(CaseId, CaseView)>,
    /// Cases that are as they were.
    pub unchanged: Vec<CaseId>,
    /// Cases that could not be read although the vendor is well, and why.
    pub unreadable: Vec<(CaseId, String)>,
    /// What ended the reading before it was done. What was read until then counts.
    pub trouble: Option<Trouble>,
    /// Whether there was more to read than was asked for.
    pub more: bool,
}

/// Why a vendor could not be asked any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// How long the vendor wants to be left alone, if it said so.
    pub retry_after: Option<Duration>,
    /// What the exchange looked like.
    pub evidence: Evidence,
}

/// A client of one ticket system.
#[async_trait]
pub trait Vendor: Send + Sync {
    /// Sends one request for `operation`: no hidden retry, no followed redirect. Reads may go
    /// before it (whether the case is the incident's own) or after it (which case was created);
    /// only an answer that proves that nothing was done because of our clock is tried once more.
    async fn send(&self, operation: &Operation) -> Outcome;

    /// Looks in the vendor's records for an earlier `operation` that was first sent at `since`.
    /// Reads only. Every page back to before `since` is read before [`Look::Absent`] is said.
    async fn look(&self, operation: &Operation, since: Timestamp) -> Look;

    /// The accounts that we may use, and the categories of each; `None` where any account does. It
    /// proves host, credentials, clock and grant in one harmless read.
    async fn accounts(&self) -> Result<Option<Vec<OfferedAccount>>, CatalogError>;

    /// What the vendor accepts for an account and category, read anew. Who wants to go by an
    /// earlier reading asks [`crate::dispatch::catalogs`].
    async fn catalog(
        &self,
        account: &AccountId,
        category: Category,
    ) -> Result<Catalog, CatalogError>;

    /// Whether [`Self::catalog`] asks nobody, so that there is no reason to go by an earlier reading.
    fn has_catalog_at_hand(&self) -> bool {
        false
    }

    /// One harmless read: whether the vendor is there and accepts who we are.
    async fn probe(&self) -> Probe;

    /// Whether [`Self::watch`] can tell anything.
    fn can_watch(&self) -> bool {
        false
    }

    /// What the vendor did with these cases since they were last read. Reads only, and politely: one
    /// walk through a list for all of them, then at most `reads` of the cases that have changed, in
    /// the order given. By default nothing is told.
    async fn watch(&self, _known: &[WatchedCase], _reads: usize) -> Watched {
        Watched::default()
    }

    /// The vendor's clock minus ours, as measured by its answers; `None` if nothing was measured
    /// lately.
    fn clock_skew(&self) -> Option<SignedDuration> {
        None
    }

    /// How many requests may be made now; `None` of a vendor that nothing limits.
    fn fill(&self) -> Option<Fill> {
        None
    }
}
