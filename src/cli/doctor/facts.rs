//! What was seen of a house: everything that a finding is made of, and nothing that was concluded.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::domain::ids::{SourceName, VendorName};
use crate::rules::offered::Complaint;
use crate::store::sqlite::Condition;
use crate::vendors::{CatalogError, OfferedAccount, Probe};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) files: Files,
    /// `None` if the files do not say where it is.
    pub(super) store: Option<Store>,
    /// `None` as of the store: then nobody knows where it listens.
    pub(super) daemon: Option<Daemon>,
    /// Empty if the files cannot be used.
    pub(super) vendors: Vec<Vendor>,
    /// Who is told what happens to cases, as far as that can be asked. Empty as of the vendors.
    pub(super) told: Vec<Told>,
    pub(super) sources: Vec<Source>,
    /// `None` if the files cannot be used.
    pub(super) tokens: Option<Tokens>,
}

#[derive(Debug)]
pub(super) struct Files {
    pub(super) config: PathBuf,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    /// How many rules, sources and vendors, if they can be used.
    pub(super) usable: Option<Counts>,
}

#[derive(Debug)]
pub(super) struct Counts {
    pub(super) rules: usize,
    pub(super) sources: usize,
    pub(super) vendors: usize,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) condition: Condition,
    /// Where backups were looked for.
    pub(super) backups: PathBuf,
    /// How old the newest of them is.
    pub(super) backup_age: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) address: SocketAddr,
    pub(super) state: DaemonState,
    /// How it sees its vendors; empty if it could not be asked.
    pub(super) gates: Vec<Gate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DaemonState {
    /// Nobody listens there.
    Absent,
    Ready,
    /// And why.
    NotReady(Vec<String>),
    /// Something listens that does not answer as a daemon does, and what it does.
    Stranger(String),
}

impl DaemonState {
    pub(super) fn runs(&self) -> bool {
        matches!(self, Self::Ready | Self::NotReady(_))
    }
}

/// How a daemon sees a vendor.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) vendor: String,
    /// As [`crate::domain::gate::Gate::name`] says it.
    pub(super) state: String,
    pub(super) why: String,
}

#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) name: VendorName,
    /// It is the simulation.
    pub(super) simulated: bool,
    /// Why its credentials cannot be read.
    pub(super) credentials: Result<(), String>,
    /// What asking it led to; `None` without credentials.
    pub(super) asked: Option<Asked>,
}

/// Somebody who is told what happens to cases.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: VendorName,
    /// What asking led to, or why nobody could ask.
    pub(super) probe: Result<Probe, String>,
}

#[derive(Debug)]
pub(super) struct Asked {
    /// Its host and port.
    pub(super) host: String,
    /// Why the host's name has no address.
    pub(super) resolved: Result<(), String>,
    /// The accounts that it lets us use, `None` where any account does; not asked for if there is
    /// no address.
    pub(super) accounts: Option<Result<Option<Vec<OfferedAccount>>, CatalogError>>,
    /// Its clock minus ours.
    pub(super) clock: Option<SignedDuration>,
    /// What its rules ask for; `None` if it could not be asked.
    pub(super) coverage: Option<Coverage>,
}

/// What the rules ask of a vendor, compared with what it offers.
#[derive(Debug)]
pub(super) struct Coverage {
    /// How many rules open cases there.
    pub(super) rules: usize,
    /// How many of them have an account that differs by alert, so that nothing can be told.
    pub(super) by_alert: usize,
    pub(super) complaints: Vec<Complaint>,
    /// What could not be read, and why.
    pub(super) unread: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: SourceName,
    pub(super) kind: &'static str,
    /// How many credentials it accepts.
    pub(super) credentials: usize,
    /// Some of them are those of the example, which everybody knows.
    pub(super) demo: bool,
}

#[derive(Debug)]
pub(super) struct Tokens {
    /// How many `server.admin_tokens` there are.
    pub(super) configured: usize,
    /// The file beside the database.
    pub(super) local: LocalToken,
    pub(super) file: PathBuf,
    /// Whether the running daemon takes the token that commands would use; why it does not.
    pub(super) accepted: Option<Result<(), String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocalToken {
    Absent,
    /// Only its owner may, and this user is it.
    Private,
    /// Others may read it as well.
    Open,
    /// This user may not read it.
    Unreadable,
}
