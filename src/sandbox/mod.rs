//! The simulated vendor: a stateful stand-in for the Akamai Case Management API v3, so that the
//! daemon can be tried and tested without credentials, and so that its client can be tested
//! against something that its authors did not derive from it.
//!
//! *Invariant*: nothing here comes from `crate::vendors` or `crate::domain`. The sandbox and the
//! client meet only in the protocol; a mistake in one must not be able to hide in the other.
//!
//! It listens on loopback only and speaks plain HTTP/1.1. Under `/case-management/v3` every
//! request must carry a valid `EdgeGrid` signature; under `/sandbox` are the unsigned switches
//! (faults, catalog, clock, statuses) and the records. Where the real API's behaviour is not documented,
//! the code says so and takes the stricter reading.

mod attachments;
mod auth;
mod cases;
mod catalog;
mod control;
mod counts;
mod endpoint;
mod faults;
mod gateway;
mod handlers;
mod multipart;
mod paging;
mod problem;
mod query;
mod routes;
mod server;
mod snapshot;
mod validate;
mod vendor;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::attachments::Attachment;
pub use self::cases::{
    Account, Case, Category, ClosureRequest, Comment, Contact, Filed, StaffComment,
};
pub use self::counts::{RequestCount, Requests};
pub use self::faults::{Fault, FaultError, FaultReport, Kind, On};
pub use self::snapshot::StateError;
use self::vendor::Vendor;
use crate::clock::Clock;

/// The identity that a request must be signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the API client.
    pub client_token: String,
    /// Keys the signature; used as text, never decoded.
    pub client_secret: String,
    /// Names what the client may do.
    pub access_token: String,
}

impl Credentials {
    /// A well-known set for demonstrations. It opens nothing but a sandbox.
    pub fn demo() -> Self {
        Self {
            client_token: "akab-sandbox-demo-client-token".to_owned(),
            client_secret: "sandbox-demo-client-secret-not-a-real-one".to_owned(),
            access_token: "akab-sandbox-demo-access-token".to_owned(),
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::demo()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// How a sandbox is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen: a loopback address; port 0 takes a free port.
    pub listen: SocketAddr,
    /// Who may sign requests.
    pub credentials: Credentials,
    /// A file in which cases survive a restart; without one they live in memory only.
    pub state: Option<PathBuf>,
    /// Seeds what is drawn by chance: the shares of faults, and the ids in error answers.
    pub seed: u64,
}

impl Default for Options {
    /// A free port, the demonstration credentials, memory only.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: Credentials::demo(),
            state: None,
            seed: 0,
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It has no transport security and unsigned switches, so nobody else may reach it.
    #[error("the sandbox listens on loopback only (such as 127.0.0.1:8090), not on {0}")]
    NotLoopback(SocketAddr),
    /// The address is taken, or may not be used.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The state file is there, but of no use.
    #[error(transparent)]
    State(#[from] StateError),
    /// The built-in catalog is broken: a mistake of whoever built this binary.
    #[error("the sandbox's built-in catalog is broken: {0}")]
    Catalog(#[from] serde_json::Error),
}

/// A running sandbox. Dropping it stops it without waiting; [`Sandbox::stop`] waits.
#[derive(Debug)]
pub struct Sandbox {
    vendor: Arc<Vendor>,
    address: SocketAddr,
    stopping: DropGuard,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Reads the state file if there is one, binds, and serves on a task of its own.
    ///
    /// # Errors
    ///
    /// When the address is not loopback or not free, or the state file cannot be read.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        if !options.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(options.listen));
        }
        let listen = options.listen;
        let stopping = CancellationToken::new();
        let vendor = Arc::new(Vendor::new(options, clock, stopping.clone())?);
        let failed = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let server = tokio::spawn(server::serve(listener, Arc::clone(&vendor), stopping.clone()));
        tracing::info!(%address, "the sandbox listens on {address}");
        Ok(Self { vendor, address, stopping: stopping.drop_guard(), server })
    }

    /// Where clients reach it, such as `http://127.0.0.1:8090`, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What requests must be signed with.
    pub fn credentials(&self) -> &Credentials {
        self.vendor.credentials()
    }

    /// Every case on record, oldest first: what `GET /sandbox/cases` shows.
    pub fn cases(&self) -> Vec<Case> {
        self.vendor.desk.all()
    }

    /// What was asked and answered so far: what `GET /sandbox/requests` shows.
    pub fn requests(&self) -> Requests {
        self.vendor.counts.report()
    }

    /// Sets the faults, in place of all earlier ones; an empty list ends them.
    ///
    /// # Errors
    ///
    /// When a fault makes no sense, such as a share above 1; the earlier faults then stay.
    pub fn faults(&self, faults: Vec<Fault>) -> Result<(), FaultError> {
        self.vendor.faults.set(faults, self.vendor.real_now())
    }

    /// What the vendor offers, in the form of `GET /sandbox/catalog`.
    pub fn catalog(&self) -> serde_json::Value {
        serde_json::json!(*self.vendor.catalog())
    }

    /// Has the vendor offer something else from now on.
    ///
    /// # Errors
    ///
    /// When it does not have that form; what was offered before then stays.
    pub fn offer(&self, catalog: serde_json::Value) -> Result<(), serde_json::Error> {
        self.vendor.offer(serde_json::from_value(catalog)?);
        Ok(())
    }

    /// Sets by how many seconds the vendor's clock is ahead (behind, if negative) of the real one.
    pub fn set_skew(&self, seconds: i32) {
        self.vendor.set_skew(seconds);
    }

    /// Moves a case to a status as the vendor's staff would. `None` if there is no such case, or
    /// the change could not be saved. Blocks while the state file is written.
    pub fn set_status(&self, case_id: &str, status: &str) -> Option<Case> {
        let now = self.vendor.now();
        self.vendor.desk.set_status(case_id, status, now).ok().flatten()
    }

    /// Says whose turn it is with a case, `CUSTOMER` or `CASE_OWNER`. As [`Self::set_status`].
    pub fn set_next_action(&self, case_id: &str, next_action: &str) -> Option<Case> {
        let now = self.vendor.now();
        self.vendor.desk.set_next_action(case_id, next_action, now).ok().flatten()
    }

    /// Comments on a case as the vendor's staff would. As [`Self::set_status`].
    pub fn staff_comment(&self, case_id: &str, comment: &StaffComment) -> Option<Case> {
        let now = self.vendor.now();
        self.vendor.desk.staff_comment(case_id, comment, now).ok().flatten()
    }

    /// Stops accepting, lets running requests end (delayed ones are cut), and waits for that.
    pub async fn stop(self) {
        drop(self.stopping);
        // Fails only if the server was aborted or panicked: it has stopped all the same.
        let _ = self.server.await;
    }
}
