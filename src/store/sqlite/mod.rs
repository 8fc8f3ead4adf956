//! The store in an embedded SQLite file: the default.
//!
//! One task owns the only connection that writes ([`writer`]); it commits what waits together,
//! with one fsync (`synchronous=FULL`). Readers have read-only connections of their own. A lock
//! file keeps a second process out, which is why leases of an earlier process can be taken over
//! at once when the store is opened.

mod acts;
mod archive;
mod backup;
mod catalogs;
mod checks;
mod condition;
mod edits;
mod health;
mod ingest;
mod lists;
mod mutes;
mod open;
mod outbox;
mod prune;
mod reads;
mod recovery;
mod rollups;
mod rows;
mod sessions;
#[cfg(test)]
mod start_tests;
mod steps;
mod tallies;
mod verify;
mod watched;
mod writer;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::SqlitePool;
use tokio::sync::watch;

pub use archive::{Archive, ArchiveError};
pub use backup::BackupError;
pub use checks::FileSystem;
pub use condition::{Condition, Database, Found, Place, backup_age, look};
pub use open::OpenError;
pub use verify::{Finding, Report, VerifyError, back_up, verify};

use self::health::Health;
use self::prune::Cursors;
use self::recovery::Line;
use self::writer::Writer;
use super::admission::Admission;
use super::history::{Tallied, Tally, Total};
use super::lists::{
    ActionOf, ActionsSought, AlertOf, AlertsSought, CaseOf, CasesSought, DeliveriesSought, Listed,
};
use super::{
    Action, Attempt, BudgetedFn, Census, Claim, ClaimRequest, Decided, DeliveryRecord, Intake,
    KeptDelivery, Lease, NewAttempt, NewestFn, NotEdited, NotRevived, OpenCase, Pruned, Receipt,
    Revival, Room, Settlement, Sought, StepFn, Store, StoreError, Wanted,
};
use crate::domain::audit::{Asked, Deed, End, Entry};
use crate::domain::case_view::KeptCase;
use crate::domain::catalog::whole::KeptCatalog;
use crate::domain::draft::{DraftEdit, EditedDraft};
use crate::domain::gate::Gate;
use crate::domain::ids::{ActionId, DeliveryId, IncidentId, InstallationId, VendorName};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::Step;
use crate::domain::mute::Mute;
use crate::domain::retention::Retention;
use crate::domain::rollup::RollCall;
use crate::domain::session::Session;
use crate::rng::Rng;

/// Told of every commit: how long it took, and how many commands it made durable.
pub type CommitObserver = Arc<dyn Fn(Duration, usize) + Send + Sync>;

/// How to open the store.
#[derive(Clone)]
pub struct Options {
    /// The database file; it and its folder are made if they do not exist.
    pub path: PathBuf,
    /// Told of every commit.
    pub on_commit: Option<CommitObserver>,
}

/// See the [module](self).
pub struct SqliteStore {
    installation: InstallationId,
    writer: Writer,
    readers: SqlitePool,
    path: PathBuf,
    health: Health,
    /// How far the present round of pruning has come.
    pruning: tokio::sync::Mutex<Cursors>,
    /// Held as long as the store is open; the system releases it even if the process is killed.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store, making or migrating it if need be, and takes over the leases that an
    /// earlier process left.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; every text says what to do.
    pub async fn open(options: Options, rng: &Rng) -> Result<Self, OpenError> {
        Self::open_checking(options, rng, checks::CHECKED_AT_START).await
    }

    async fn open_checking(
        options: Options,
        rng: &Rng,
        checked_at_start: u64,
    ) -> Result<Self, OpenError> {
        let opened = open::open(&options.path, rng, checked_at_start).await?;
        let health = Health::default();
        if opened.unchecked {
            health.check_behind(&options.path);
        }
        Ok(Self {
            installation: opened.installation,
            writer: Writer::start(
                Line::new(opened.writer, opened.door),
                options.on_commit,
                health.clone(),
            ),
            readers: opened.readers,
            path: options.path,
            health,
            pruning: tokio::sync::Mutex::default(),
            _lock: opened.lock,
        })
    }

    /// Tells if the file is found damaged after the start. From then on the store takes no writes.
    pub fn damage(&self) -> watch::Receiver<Option<String>> {
        self.health.watch()
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn installation(&self) -> &InstallationId {
        &self.installation
    }

    fn admission(&self) -> &Arc<Admission> {
        self.writer.admission()
    }

    async fn ingest(&self, intake: Intake) -> Result<Receipt, StoreError> {
        self.writer.ingest(intake).await
    }

    async fn due_incidents(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IncidentId>, StoreError> {
        reads::due_incidents(&self.readers, now, limit).await
    }

    async fn advance(
        &self,
        id: &IncidentId,
        cause: &str,
        budget_since: Timestamp,
        decide: BudgetedFn,
    ) -> Result<Option<Step>, StoreError> {
        let (id, cause) = (id.clone(), cause.to_owned());
        self.writer
            .run(move |db| {
                let (id, cause, decide) = (id.clone(), cause.clone(), decide.clone());
                Box::pin(async move {
                    let usage = steps::usage(db, budget_since).await?;
                    let decide = move |incident: &Incident| decide(incident, &usage);
                    steps::advance(db, &id, &cause, &decide).await.map(Ok)
                })
            })
            .await
    }

    async fn over_budget(&self, limit: u32) -> Result<Vec<IncidentId>, StoreError> {
        reads::over_budget(&self.readers, limit).await
    }

    async fn roll_calls(&self, limit: u32) -> Result<Vec<RollCall>, StoreError> {
        rollups::roll_calls(&self.readers, limit).await
    }

    async fn advance_newest(
        &self,
        wanted: &Wanted,
        cause: &str,
        decide: NewestFn,
    ) -> Result<Option<Step>, StoreError> {
        let (wanted, cause) = (wanted.clone(), cause.to_owned());
        self.writer
            .run(move |db| {
                let (wanted, cause, decide) = (wanted.clone(), cause.clone(), decide.clone());
                Box::pin(async move {
                    rollups::advance_newest(db, &wanted, &cause, &decide).await.map(Ok)
                })
            })
            .await
    }

    async fn mute(&self, mute: &Mute) -> Result<(), StoreError> {
        let mute = mute.clone();
        self.writer
            .run(move |db| {
                let mute = mute.clone();
                Box::pin(async move { mutes::add(db, &mute).await.map(Ok) })
            })
            .await
    }

    async fn unmute(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .run(move |db| {
                let id = id.clone();
                Box::pin(async move { mutes::lift(db, &id, now).await.map(Ok) })
            })
            .await
    }

    async fn mutes(&self, now: Timestamp) -> Result<Vec<Mute>, StoreError> {
        mutes::list(&self.readers, now).await
    }

    async fn review_held(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |db| Box::pin(async move { mutes::review_held(db, now).await.map(Ok) }))
            .await
    }

    async fn claim(
        &self,
        request: ClaimRequest,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        self.writer
            .run(move |db| {
                let request = request.clone();
                Box::pin(async move { outbox::claim(db, &request, now, lease).await.map(Ok) })
            })
            .await
    }

    async fn begin_attempt(&self, lease: &Lease, attempt: NewAttempt) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer
            .run(move |db| {
                let (lease, attempt) = (lease.clone(), attempt.clone());
                Box::pin(async move { outbox::begin_attempt(db, &lease, &attempt).await })
            })
            .await
    }

    async fn forgive_silence(&self, deaf: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |db| {
                Box::pin(async move { steps::forgive_silence(db, deaf, now).await.map(Ok) })
            })
            .await
    }

    async fn last_heard(&self) -> Result<Option<Timestamp>, StoreError> {
        reads::last_heard(&self.readers).await
    }

    async fn postpone_looks(&self, step: Duration) -> Result<(), StoreError> {
        self.writer
            .run(move |db| Box::pin(async move { outbox::postpone_looks(db, step).await.map(Ok) }))
            .await
    }

    async fn unblock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |db| Box::pin(async move { outbox::unblock(db, now).await.map(Ok) }))
            .await
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.writer
            .run(move |db| {
                let (lease, settlement) = (lease.clone(), settlement.clone());
                Box::pin(async move { outbox::settle(db, &lease, &settlement).await })
            })
            .await
    }

    async fn revive(
        &self,
        action: &ActionId,
        how: Revival,
        now: Timestamp,
        decide: StepFn,
    ) -> Result<Result<Action, NotRevived>, StoreError> {
        let action = action.clone();
        self.writer
            .run(move |db| {
                let (action, decide) = (action.clone(), decide.clone());
                Box::pin(
                    async move { outbox::revive(db, &action, how, now, &decide).await.map(Ok) },
                )
            })
            .await
    }

    async fn edited_draft(&self, incident: &IncidentId) -> Result<Option<EditedDraft>, StoreError> {
        edits::get(&self.readers, incident).await
    }

    async fn edit_draft(
        &self,
        incident: &IncidentId,
        seen: u32,
        edit: &DraftEdit,
        who: &str,
        now: Timestamp,
    ) -> Result<Result<EditedDraft, NotEdited>, StoreError> {
        let (incident, edit, who) = (incident.clone(), edit.clone(), who.to_owned());
        self.writer
            .run(move |db| {
                let (incident, edit, who) = (incident.clone(), edit.clone(), who.clone());
                Box::pin(
                    async move { edits::keep(db, &incident, seen, edit, who, now).await.map(Ok) },
                )
            })
            .await
    }

    async fn advance_as_seen(
        &self,
        id: &IncidentId,
        seen: u32,
        cause: &str,
        budget_since: Timestamp,
        decide: BudgetedFn,
    ) -> Result<Result<Step, NotEdited>, StoreError> {
        let (id, cause) = (id.clone(), cause.to_owned());
        self.writer
            .run(move |db| {
                let (id, cause, decide) = (id.clone(), cause.clone(), decide.clone());
                Box::pin(async move {
                    let edits = edits::count(db, &id).await?;
                    if edits != seen {
                        return Ok(Ok(Err(NotEdited::Moved)));
                    }
                    let usage = steps::usage(db, budget_since).await?;
                    let decide = move |incident: &Incident| decide(incident, &usage);
                    let step = steps::advance(db, &id, &cause, &decide).await?;
                    Ok(Ok(step.ok_or(NotEdited::Unknown)))
                })
            })
            .await
    }

    async fn seek_actions(
        &self,
        sought: &ActionsSought,
        limit: u32,
    ) -> Result<Listed<ActionOf>, StoreError> {
        lists::actions(&self.readers, sought, limit).await
    }

    async fn gate(&self, vendor: &VendorName) -> Result<Option<Gate>, StoreError> {
        reads::gate(&self.readers, vendor).await
    }

    async fn keep_gate(
        &self,
        vendor: &VendorName,
        gate: &Gate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (vendor, gate) = (vendor.clone(), gate.clone());
        self.writer
            .run(move |db| {
                let (vendor, gate) = (vendor.clone(), gate.clone());
                Box::pin(async move { steps::keep_gate(db, &vendor, &gate, now).await.map(Ok) })
            })
            .await
    }

    async fn catalog(&self, vendor: &VendorName) -> Result<Option<KeptCatalog>, StoreError> {
        catalogs::get(&self.readers, vendor).await
    }

    async fn keep_catalog(
        &self,
        vendor: &VendorName,
        kept: &KeptCatalog,
    ) -> Result<(), StoreError> {
        let (vendor, kept) = (vendor.clone(), Arc::new(kept.clone()));
        self.writer
            .run(move |db| {
                let (vendor, kept) = (vendor.clone(), kept.clone());
                Box::pin(async move { catalogs::keep(db, &vendor, &kept).await.map(Ok) })
            })
            .await
    }

    async fn open_cases(
        &self,
        vendor: &VendorName,
        ended_after: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenCase>, StoreError> {
        watched::open_cases(&self.readers, vendor, ended_after, limit).await
    }

    async fn keep_case(
        &self,
        incident: &IncidentId,
        kept: &KeptCase,
        decide: Option<StepFn>,
    ) -> Result<Option<Option<Step>>, StoreError> {
        let (incident, kept) = (incident.clone(), Arc::new(kept.clone()));
        self.writer
            .run(move |db| {
                let (incident, kept, decide) = (incident.clone(), kept.clone(), decide.clone());
                Box::pin(async move {
                    watched::keep(db, &incident, &kept, decide.as_ref()).await.map(Ok)
                })
            })
            .await
    }

    async fn confirm_cases(
        &self,
        incidents: &[IncidentId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let incidents = incidents.to_vec();
        self.writer
            .run(move |db| {
                let incidents = incidents.clone();
                Box::pin(async move { watched::confirm(db, &incidents, at).await.map(Ok) })
            })
            .await
    }

    async fn kept_case(&self, incident: &IncidentId) -> Result<Option<KeptCase>, StoreError> {
        watched::get(&self.readers, incident).await
    }

    async fn next_due(&self, vendors: &[VendorName]) -> Result<Option<Timestamp>, StoreError> {
        reads::next_due(&self.readers, vendors).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        reads::incident(&self.readers, id).await
    }

    async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError> {
        reads::incidents(&self.readers, limit).await
    }

    async fn seek(&self, sought: &Sought, limit: u32) -> Result<Listed<Incident>, StoreError> {
        lists::incidents(&self.readers, sought, limit).await
    }

    async fn seek_alerts(
        &self,
        sought: &AlertsSought,
        limit: u32,
    ) -> Result<Listed<AlertOf>, StoreError> {
        lists::alerts(&self.readers, sought, limit).await
    }

    async fn seek_cases(
        &self,
        sought: &CasesSought,
        limit: u32,
    ) -> Result<Listed<CaseOf>, StoreError> {
        lists::cases(&self.readers, sought, limit).await
    }

    async fn seek_deliveries(
        &self,
        sought: &DeliveriesSought,
        limit: u32,
    ) -> Result<Listed<DeliveryRecord>, StoreError> {
        lists::deliveries(&self.readers, sought, limit).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<KeptDelivery>, StoreError> {
        lists::delivery(&self.readers, id).await
    }

    async fn about(&self, what: &str, limit: u32) -> Result<Vec<Incident>, StoreError> {
        reads::about(&self.readers, what, limit).await
    }

    async fn deliveries_about(
        &self,
        what: &str,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        reads::deliveries_about(&self.readers, what, limit).await
    }

    async fn decisions(&self, incident: &IncidentId) -> Result<Vec<Decided>, StoreError> {
        reads::decisions(&self.readers, incident).await
    }

    async fn actions(&self, incident: &IncidentId) -> Result<Vec<Action>, StoreError> {
        reads::actions(&self.readers, incident).await
    }

    async fn attempts(&self, incident: &IncidentId) -> Result<Vec<Attempt>, StoreError> {
        reads::attempts(&self.readers, incident).await
    }

    async fn tallies(&self, what: Tallied, since: Timestamp) -> Result<Vec<Tally>, StoreError> {
        tallies::since(&self.readers, what, since).await
    }

    async fn tally_totals(&self, what: Tallied) -> Result<Vec<Total>, StoreError> {
        tallies::totals(&self.readers, what).await
    }

    async fn sample_outbox(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |db| Box::pin(async move { tallies::sample(db, now).await.map(Ok) }))
            .await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        reads::census(&self.readers).await
    }

    async fn begin_act(&self, deed: &Deed) -> Result<u64, StoreError> {
        let deed = Arc::new(deed.clone());
        self.writer
            .run(move |db| {
                let deed = deed.clone();
                Box::pin(async move { acts::begin(db, &deed).await.map(Ok) })
            })
            .await
    }

    async fn end_act(&self, number: u64, end: &End, at: Timestamp) -> Result<(), StoreError> {
        let end = Arc::new(end.clone());
        self.writer
            .run(move |db| {
                let end = end.clone();
                Box::pin(async move { acts::end(db, number, &end, at).await.map(Ok) })
            })
            .await
    }

    async fn acts(&self, asked: &Asked, limit: u32) -> Result<Vec<Entry>, StoreError> {
        acts::list(&self.readers, asked, limit).await
    }

    async fn open_session(&self, session: &Session) -> Result<(), StoreError> {
        let session = Arc::new(session.clone());
        self.writer
            .run(move |db| {
                let session = session.clone();
                Box::pin(async move { sessions::open(db, &session).await.map(Ok) })
            })
            .await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        sessions::get(&self.readers, id).await
    }

    async fn session_seen(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer
            .run(move |db| {
                let id = id.clone();
                Box::pin(async move { sessions::seen(db, &id, at).await.map(Ok) })
            })
            .await
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .run(move |db| {
                let id = id.clone();
                Box::pin(async move { sessions::end(db, &id).await.map(Ok) })
            })
            .await
    }

    async fn prune(
        &self,
        horizon: &Retention,
        now: Timestamp,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        let mut cursors = self.pruning.lock().await;
        let (horizon, from) = (*horizon, cursors.clone());
        let (pruned, next) = self
            .writer
            .run(move |db| {
                let from = from.clone();
                Box::pin(async move { prune::prune(db, &horizon, now, limit, from).await.map(Ok) })
            })
            .await?;
        *cursors = next;
        Ok(pruned)
    }

    fn room(&self) -> Room {
        condition::room(&self.path)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.writer.run(|db| Box::pin(async move { steps::touch(db).await.map(Ok) })).await
    }

    async fn close(&self) {
        // The writer goes last: SQLite folds the WAL into the database when its last connection
        // closes, and only one that may write can do it. Whoever copies the file of a stopped
        // daemon must get all of it, or the newest cases would be opened again.
        self.health.stop_checking().await;
        self.readers.close().await;
        self.writer.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that does this after each commit.
    async fn open(on_commit: CommitObserver) -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let options =
            Options { path: folder.path().join("casewright.db"), on_commit: Some(on_commit) };
        (SqliteStore::open(options, &Rng::seeded(1)).await.unwrap(), folder)
    }

    /// How many deliveries would be let in now.
    fn room(store: &SqliteStore) -> usize {
        std::iter::from_fn(|| store.admission().admit()).collect::<Vec<_>>().len()
    }

    #[tokio::test]
    async fn a_writer_that_is_slow_lets_fewer_deliveries_in() {
        let slow = Arc::new(|_, _| std::thread::sleep(Duration::from_millis(50)));
        let (store, _folder) = open(slow).await;
        let before = room(&store);
        // It answers before it tells how long it took; after the second answer the first is told.
        for _ in 0..2 {
            store.check().await.unwrap();
        }
        assert!(room(&store) <= before / 4, "{} of {before}", room(&store));
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_transaction_that_stalls_lets_few_deliveries_in_while_it_does() {
        let (go_on, stalled) = std::sync::mpsc::channel::<()>();
        let stalled = std::sync::Mutex::new(stalled);
        let (store, _folder) = open(Arc::new(move |_, _| {
            let _ = stalled.lock().unwrap().recv();
        }))
        .await;
        let before = room(&store);
        let store = Arc::new(store);
        let checking = tokio::spawn({
            let store = store.clone();
            async move { store.check().await }
        });
        while room(&store) > before / 4 {
            tokio::task::yield_now().await;
        }
        drop(go_on);
        checking.await.unwrap().unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn a_closed_store_is_whole_in_its_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.db");
        let options = Options { path: path.clone(), on_commit: None };
        let store = SqliteStore::open(options, &Rng::seeded(1)).await.unwrap();
        store.check().await.unwrap();
        store.census().await.unwrap();
        store.close().await;
        for leftover in ["-wal", "-shm"] {
            let leftover = folder.path().join(format!("casewright.db{leftover}"));
            assert!(!leftover.exists(), "{} is left", leftover.display());
        }
    }
}
