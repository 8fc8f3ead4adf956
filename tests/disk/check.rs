//! What must be true of a database after its disk has failed: the real store opens it, it is whole,
//! and all that was acknowledged is there.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use casewright::domain::incident::{Incident, State};
use casewright::rng::Rng;
use casewright::store::sqlite::{Options, SqliteStore, verify};
use casewright::store::{ActionState, Store as _};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// One thing that the store has acknowledged. Incidents go by their identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It was opened, and has this id.
    Installed(String),
    /// A delivery that says that something fires.
    Heard(String),
    /// One that says that it has resolved.
    Over(String),
    /// It is about to be sent.
    Began(String),
    /// It was done, and this is the case.
    Opened { about: String, case: String },
}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed(id) => write!(f, "installed {id}"),
            Self::Heard(about) => write!(f, "heard {about}"),
            Self::Over(about) => write!(f, "over {about}"),
            Self::Began(about) => write!(f, "began {about}"),
            Self::Opened { about, case } => write!(f, "opened {about} {case}"),
        }
    }
}

impl Ack {
    /// Takes back a line.
    pub(crate) fn from_line(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["installed", id] => Self::Installed(id.to_owned()),
            ["heard", about] => Self::Heard(about.to_owned()),
            ["over", about] => Self::Over(about.to_owned()),
            ["began", about] => Self::Began(about.to_owned()),
            ["opened", about, case] => {
                Self::Opened { about: about.to_owned(), case: case.to_owned() }
            }
            _ => panic!("{line:?} is no acknowledgement"),
        }
    }
}

/// Opens the database on a healthy disk and looks at everything. What is wrong, if anything is.
pub(crate) async fn check(path: &Path, acks: &[Ack]) -> Result<(), String> {
    let options = Options { path: path.to_owned(), on_commit: None };
    let store = SqliteStore::open(options, &Rng::from_os()).await;
    let store = store.map_err(|error| format!("it does not open: {error}"))?;
    let remembers = remembers(&store, acks).await;
    store.check().await.map_err(|error| format!("it takes no writes: {error}"))?;
    store.close().await;
    remembers?;
    let report = verify(path).await.map_err(|error| error.to_string())?;
    if !report.findings.is_empty() {
        return Err(format!("{:?}", report.findings));
    }
    let error = |error: sqlx::Error| error.to_string();
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    let mut db = options.connect().await.map_err(error)?;
    let verdict: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut db).await.map_err(error)?;
    db.close().await.map_err(error)?;
    if verdict == ["ok"] { Ok(()) } else { Err(verdict.join("; ")) }
}

async fn remembers(store: &SqliteStore, acks: &[Ack]) -> Result<(), String> {
    let all = store.incidents(10_000).await.map_err(|error| error.to_string())?;
    let mut incidents: HashMap<&str, &Incident> = HashMap::new();
    for incident in &all {
        if incidents.insert(incident.key.identity.as_str(), incident).is_some() {
            return Err(format!("{:?} is there twice", incident.key));
        }
    }
    // The last of many acknowledgements is where something is missing, so each is looked at once.
    let mut seen = HashSet::new();
    for ack in acks.iter().filter(|ack| seen.insert(ack.to_string())) {
        let lost = |what: &str| Err(format!("{ack} was acknowledged; {what}"));
        let incident = |about: &str| incidents.get(about).copied();
        match ack {
            Ack::Installed(id) => {
                if store.installation().as_str() != id {
                    return lost("now it is another");
                }
            }
            Ack::Heard(about) => {
                let Some(incident) = incident(about) else { return lost("no incident") };
                let actions = store.actions(&incident.id).await.map_err(|e| e.to_string())?;
                let opens = actions.iter().filter(|action| action.kind.name() == "open");
                if opens.count() != 1 {
                    return lost("not one open action");
                }
            }
            Ack::Over(about) => {
                let Some(incident) = incident(about) else { return lost("no incident") };
                if incident.is_firing() {
                    return lost("it fires");
                }
            }
            Ack::Began(about) => {
                let Some(incident) = incident(about) else { return lost("no incident") };
                let attempts = store.attempts(&incident.id).await.map_err(|e| e.to_string())?;
                if attempts.is_empty() {
                    return lost("no attempt");
                }
            }
            Ack::Opened { about, case } => {
                let Some(incident) = incident(about) else { return lost("no incident") };
                let known = match &incident.state {
                    State::Open { case, .. }
                    | State::Resolving { case, .. }
                    | State::Closed { case, .. } => Some(case.as_str()),
                    _ => None,
                };
                if known != Some(case) {
                    return lost("its case is not known");
                }
                let actions = store.actions(&incident.id).await.map_err(|e| e.to_string())?;
                let done = actions.iter().any(|action| {
                    action.kind.name() == "open" && action.state == ActionState::Done
                });
                if !done {
                    return lost("the open action is not done");
                }
            }
        }
    }
    Ok(())
}
