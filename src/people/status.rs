//! How everything stands, in one document: what a person looks at first.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{People, Standing};
use crate::domain::incident::{Hold, State};
use crate::store::{BLOCKED, StoreError};
use crate::time::between;

/// What does not change while the daemon runs.
#[derive(Debug, Clone)]
pub struct Run {
    /// When it started.
    pub started_at: Timestamp,
    /// Its config.
    pub config: PathBuf,
    /// Its database.
    pub database: PathBuf,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// The version that runs.
    pub version: &'static str,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it has run, in seconds.
    pub uptime_seconds: u64,
    /// The id of its store, which markers are made of.
    pub installation: String,
    /// What is in force.
    pub files: Files,
    /// Whether it can write.
    pub store: StoreHealth,
    /// What is to be done.
    pub queue: Queue,
    /// How many incidents are in each state.
    pub incidents: BTreeMap<&'static str, u64>,
    /// How many incidents are held by what.
    pub held: BTreeMap<&'static str, u64>,
    /// Cases on which a vendor waits for us.
    pub waiting_for_us: u64,
    /// How each vendor stands, and everybody who is told what happens.
    pub vendors: Vec<Standing>,
    /// How often a person was told of something since the start, by its reason; without zeros.
    pub alarms: BTreeMap<&'static str, u64>,
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Files {
    /// The config.
    pub config: String,
    /// The files of rules.
    pub rule_files: Vec<String>,
    /// How many rules there are.
    pub rules: usize,
    /// Who may post.
    pub sources: Vec<String>,
    /// Since when they are in force.
    pub in_force_since: Option<Timestamp>,
    /// Whether they could be used when they were last read. If not, what was in force before is.
    pub last_reload_successful: bool,
}

/// How the store stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StoreHealth {
    /// Whether it takes writes; one was made to find out.
    pub writable: bool,
    /// Why it does not.
    pub trouble: Option<String>,
    /// The database.
    pub path: String,
    /// Its size without its log, in bytes.
    pub bytes: Option<u64>,
    /// Bytes that may still be written there.
    pub free_bytes: Option<u64>,
    /// When the newest delivery came.
    pub last_delivery_at: Option<Timestamp>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Queue {
    /// Actions that are to be done.
    pub unfinished: u64,
    /// When the oldest of them was due.
    pub oldest_due_at: Option<Timestamp>,
    /// How long ago that was, in seconds; 0 if it is yet to come.
    pub oldest_age_seconds: u64,
    /// Actions that wait for a person.
    pub held: u64,
    /// Dead letters, for a person to look at.
    pub dead: u64,
    /// Those of the unfinished that a person has to make possible.
    pub blocked: u64,
}

impl People {
    /// How everything stands. A store that does not take writes is told of, not an error.
    ///
    /// # Errors
    ///
    /// The store's, if it cannot be read.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let now = self.clock.now();
        let trouble = self.store.check().await.err().map(|error| error.to_string());
        let census = self.store.census().await?;
        let room = self.store.room();
        let playbook = self.playbook.get();
        let mut rule_files: Vec<String> =
            playbook.rules.rules().iter().map(|rule| rule.file.display().to_string()).collect();
        rule_files.dedup();
        let (in_force_since, last_reload_successful) = self.metrics.files();
        let of_state = |wanted: &str| {
            let those = census.actions.iter().filter(|((_, state), _)| state == wanted);
            those.map(|(_, count)| *count).sum()
        };
        let states = State::NAMES.into_iter();
        let holds = Hold::ALL.into_iter().map(Hold::name);
        let oldest = census.oldest_due;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.run.started_at,
            uptime_seconds: between(self.run.started_at, now).as_secs(),
            installation: self.store.installation().to_string(),
            files: Files {
                config: self.run.config.display().to_string(),
                rules: playbook.rules.rules().len(),
                rule_files,
                sources: self.sources.get().keys().map(ToString::to_string).collect(),
                in_force_since,
                last_reload_successful,
            },
            store: StoreHealth {
                writable: trouble.is_none(),
                trouble,
                path: self.run.database.display().to_string(),
                bytes: room.bytes,
                free_bytes: room.free,
                last_delivery_at: self.store.last_heard().await?,
            },
            queue: Queue {
                unfinished: census.unfinished(),
                oldest_due_at: oldest,
                oldest_age_seconds: oldest.map_or(0, |due| between(due, now).as_secs()),
                held: of_state("held"),
                dead: of_state("dead"),
                blocked: of_state(BLOCKED),
            },
            incidents: states
                .map(|state| (state, census.incidents.get(state).copied().unwrap_or(0)))
                .collect(),
            held: holds.map(|hold| (hold, census.held.get(hold).copied().unwrap_or(0))).collect(),
            waiting_for_us: census.waiting_for_us.values().sum(),
            vendors: self.standings(&census.waiting).await?,
            alarms: self.metrics.alarmed(),
        })
    }
}
