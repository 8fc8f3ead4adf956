//! The real store, as the simulated daemon sees it. It lives on a runtime of its own; each call
//! blocks the world until it has been answered, so that no time passes meanwhile and there is one
//! order of things.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use casewright::domain::audit::{Asked, Deed, End, Entry};
use casewright::domain::case_view::KeptCase;
use casewright::domain::catalog::whole::KeptCatalog;
use casewright::domain::draft::{DraftEdit, EditedDraft};
use casewright::domain::gate::Gate;
use casewright::domain::ids::{ActionId, DeliveryId, IncidentId, InstallationId, VendorName};
use casewright::domain::incident::Incident;
use casewright::domain::lifecycle::Step;
use casewright::domain::mute::Mute;
use casewright::domain::retention::Retention;
use casewright::domain::rollup::RollCall;
use casewright::domain::session::Session;
use casewright::domain::storm::Usage;
use casewright::store::admission::Admission;
use casewright::store::history::{Tallied, Tally, Total};
use casewright::store::lists::{
    ActionOf, ActionsSought, AlertOf, AlertsSought, CaseOf, CasesSought, DeliveriesSought, Listed,
};
use casewright::store::sqlite::SqliteStore;
use casewright::store::{
    Action, Attempt, BudgetedFn, Census, Claim, ClaimRequest, Decided, DeliveryRecord, Intake,
    KeptDelivery, Lease, NewAttempt, NewestFn, NotEdited, NotRevived, OpenCase, Phase, Progress,
    Pruned, Receipt, Revival, Room, Settlement, Sought, StepFn, Store, StoreError, Verdict, Wanted,
};
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::ground::Ground;
use super::life::Life;

/// See the [module](self).
pub(crate) struct SimStore {
    /// What became of each delivery that was kept in this life.
    pub(crate) kept: Arc<Mutex<Kept>>,
    pub(crate) inner: Arc<SqliteStore>,
    pub(crate) life: Arc<Life>,
    pub(crate) runtime: Handle,
}

/// Deliveries with what was decided about their alerts.
pub(crate) type Kept = BTreeMap<DeliveryId, Vec<Verdict>>;

/// Runs something on another runtime and blocks until it is done.
pub(crate) fn block<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, result) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let _ = done.send(work.await);
    });
    result.recv().expect("the store's runtime has ended, or the store has panicked")
}

/// Like [`block`], for what must be made and kept on one thread.
pub(crate) fn block_made<T: Send, W: Future<Output = T>>(
    runtime: &Handle,
    make: impl FnOnce() -> W + Send,
) -> T {
    std::thread::scope(|threads| {
        threads.spawn(|| runtime.block_on(make())).join().expect("the store does not panic")
    })
}

impl SimStore {
    /// A call, with a seam before it is made and one before its answer is heard.
    async fn call<T, F, W>(&self, name: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<SqliteStore>) -> W,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.life.pass(&format!("before {name}")).await;
        let result = block(&self.runtime, work(self.inner.clone()));
        if let Err(error) = &result {
            self.life.ground.say(&format!("{name}: {error}"));
        }
        self.life.pass(&format!("after {name}")).await;
        result
    }

    /// The same decision, with what it does to an incident written down.
    fn watched(&self, decide: StepFn) -> StepFn {
        let ground = self.life.ground.clone();
        Arc::new(move |incident: &Incident| {
            let step = decide(incident);
            watch(&ground, incident, &step);
            step
        })
    }
}

/// Writes down what a decision does to an incident.
fn watch(ground: &Ground, incident: &Incident, step: &Step) {
    if let Some(after) = step.incident.as_ref().filter(|_| step.changed) {
        ground.count(&format!("{} -> {}", incident.state.name(), after.state.name()));
    }
}

#[async_trait]
impl Store for SimStore {
    fn installation(&self) -> &InstallationId {
        self.inner.installation()
    }

    fn admission(&self) -> &Arc<Admission> {
        self.inner.admission()
    }

    async fn ingest(&self, intake: Intake) -> Result<Receipt, StoreError> {
        let (decide, ground) = (intake.decide.clone(), self.life.ground.clone());
        let decide = Arc::new(move |known: &casewright::store::Known| {
            let decision = decide(known);
            for step in decision.steps.iter().filter(|step| step.changed) {
                let Some(after) = &step.incident else { continue };
                let before = known.get(&after.key).filter(|before| before.id == after.id);
                let before = before.map_or("none", |before| before.state.name());
                ground.count(&format!("{before} -> {}", after.state.name()));
            }
            decision
        });
        let delivery = intake.delivery.id.clone();
        let receipt = self
            .call("ingest", |store| async move { store.ingest(Intake { decide, ..intake }).await })
            .await?;
        let told = format!("delivery {}", receipt.fate.name());
        self.life.ground.say(&format!("{told}: {delivery}"));
        self.life.ground.count(&told);
        self.kept.lock().unwrap().insert(delivery, receipt.verdicts.clone());
        Ok(receipt)
    }

    async fn due_incidents(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IncidentId>, StoreError> {
        self.call("due", |store| async move { store.due_incidents(now, limit).await }).await
    }

    async fn advance(
        &self,
        id: &IncidentId,
        cause: &str,
        budget_since: Timestamp,
        decide: BudgetedFn,
    ) -> Result<Option<Step>, StoreError> {
        let (id, cause) = (id.clone(), cause.to_owned());
        let ground = self.life.ground.clone();
        let decide = Arc::new(move |incident: &Incident, usage: &Usage| {
            let step = decide(incident, usage);
            watch(&ground, incident, &step);
            step
        });
        self.call("advance", |store| async move {
            store.advance(&id, &cause, budget_since, decide).await
        })
        .await
    }

    async fn over_budget(&self, limit: u32) -> Result<Vec<IncidentId>, StoreError> {
        self.call("over budget", |store| async move { store.over_budget(limit).await }).await
    }

    async fn roll_calls(&self, limit: u32) -> Result<Vec<RollCall>, StoreError> {
        self.call("roll calls", |store| async move { store.roll_calls(limit).await }).await
    }

    async fn advance_newest(
        &self,
        wanted: &Wanted,
        cause: &str,
        decide: NewestFn,
    ) -> Result<Option<Step>, StoreError> {
        let (wanted, cause) = (wanted.clone(), cause.to_owned());
        let ground = self.life.ground.clone();
        let decide: NewestFn = Arc::new(move |current| {
            let step = decide(current)?;
            match current {
                Some(incident) => watch(&ground, incident, &step),
                None => ground.count("none -> rollup"),
            }
            Some(step)
        });
        self.call("advance newest", |store| async move {
            store.advance_newest(&wanted, &cause, decide).await
        })
        .await
    }

    async fn mute(&self, mute: &Mute) -> Result<(), StoreError> {
        let mute = mute.clone();
        self.call("mute", |store| async move { store.mute(&mute).await }).await
    }

    async fn unmute(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.call("unmute", |store| async move { store.unmute(&id, now).await }).await
    }

    async fn mutes(&self, now: Timestamp) -> Result<Vec<Mute>, StoreError> {
        self.call("mutes", |store| async move { store.mutes(now).await }).await
    }

    async fn review_held(&self, now: Timestamp) -> Result<(), StoreError> {
        self.call("review held", |store| async move { store.review_held(now).await }).await
    }

    async fn seek(&self, sought: &Sought, limit: u32) -> Result<Listed<Incident>, StoreError> {
        let sought = sought.clone();
        self.call("seek", |store| async move { store.seek(&sought, limit).await }).await
    }

    async fn seek_alerts(
        &self,
        sought: &AlertsSought,
        limit: u32,
    ) -> Result<Listed<AlertOf>, StoreError> {
        let sought = sought.clone();
        self.call("seek alerts", |store| async move { store.seek_alerts(&sought, limit).await })
            .await
    }

    async fn seek_cases(
        &self,
        sought: &CasesSought,
        limit: u32,
    ) -> Result<Listed<CaseOf>, StoreError> {
        let sought = sought.clone();
        self.call("seek cases", |store| async move { store.seek_cases(&sought, limit).await }).await
    }

    async fn seek_deliveries(
        &self,
        sought: &DeliveriesSought,
        limit: u32,
    ) -> Result<Listed<DeliveryRecord>, StoreError> {
        let sought = sought.clone();
        let seek =
            |store: Arc<SqliteStore>| async move { store.seek_deliveries(&sought, limit).await };
        self.call("seek deliveries", seek).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<KeptDelivery>, StoreError> {
        let id = id.clone();
        self.call("delivery", |store| async move { store.delivery(&id).await }).await
    }

    async fn edited_draft(&self, incident: &IncidentId) -> Result<Option<EditedDraft>, StoreError> {
        let incident = incident.clone();
        self.call("edited draft", |store| async move { store.edited_draft(&incident).await }).await
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
        let edit = |store: Arc<SqliteStore>| async move {
            store.edit_draft(&incident, seen, &edit, &who, now).await
        };
        self.call("edit draft", edit).await
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
        let advance = |store: Arc<SqliteStore>| async move {
            store.advance_as_seen(&id, seen, &cause, budget_since, decide).await
        };
        self.call("advance as seen", advance).await
    }

    fn room(&self) -> Room {
        self.inner.room()
    }

    async fn about(&self, what: &str, limit: u32) -> Result<Vec<Incident>, StoreError> {
        let what = what.to_owned();
        self.call("about", |store| async move { store.about(&what, limit).await }).await
    }

    async fn deliveries_about(
        &self,
        what: &str,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let what = what.to_owned();
        self.call("deliveries", |store| async move { store.deliveries_about(&what, limit).await })
            .await
    }

    async fn decisions(&self, incident: &IncidentId) -> Result<Vec<Decided>, StoreError> {
        let incident = incident.clone();
        self.call("decisions", |store| async move { store.decisions(&incident).await }).await
    }

    async fn forgive_silence(&self, deaf: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.call("forgive", |store| async move { store.forgive_silence(deaf, now).await }).await
    }

    async fn last_heard(&self) -> Result<Option<Timestamp>, StoreError> {
        self.call("last heard", |store| async move { store.last_heard().await }).await
    }

    async fn postpone_looks(&self, step: Duration) -> Result<(), StoreError> {
        self.call("postpone", |store| async move { store.postpone_looks(step).await }).await
    }

    async fn unblock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.call("unblock", |store| async move { store.unblock(now).await }).await
    }

    async fn claim(
        &self,
        request: ClaimRequest,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let claims = self
            .call("claim", |store| async move { store.claim(request, now, lease).await })
            .await?;
        for claim in &claims {
            let (id, phase) = (&claim.action.id, claim.action.phase.name());
            self.life.ground.say(&format!("claimed {id} {} {phase}", claim.action.kind.name()));
        }
        Ok(claims)
    }

    async fn begin_attempt(&self, lease: &Lease, attempt: NewAttempt) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.call("begin", |store| async move { store.begin_attempt(&lease, attempt).await }).await
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<(), StoreError> {
        let ground = &self.life.ground;
        let outcome = settlement.attempt.as_ref().map_or("-", |attempt| attempt.outcome);
        let progress = match &settlement.progress {
            Progress::Done => "done",
            Progress::Dead => "dead",
            Progress::Held => "held",
            Progress::Next { phase: Phase::Send, .. } => "send",
            Progress::Next { phase: Phase::Look { .. }, .. } => "look",
            Progress::Blocked { .. } => "blocked",
        };
        ground.say(&format!(
            "settles {}: {outcome} -> {progress}: {}",
            lease.action, settlement.message
        ));
        let counted = format!("{outcome} => {progress}");
        let decide = settlement.decide.clone().map(|decide| self.watched(decide));
        let (lease, settlement) = (lease.clone(), Settlement { decide, ..settlement });
        let settled = self
            .call("settle", |store| async move { store.settle(&lease, settlement).await })
            .await;
        ground.count(if settled.is_ok() { &counted } else { "outcome refused" });
        settled
    }

    async fn revive(
        &self,
        action: &ActionId,
        how: Revival,
        now: Timestamp,
        decide: StepFn,
    ) -> Result<Result<Action, NotRevived>, StoreError> {
        let (action, decide) = (action.clone(), self.watched(decide));
        self.call("revive", |store| async move { store.revive(&action, how, now, decide).await })
            .await
    }

    async fn seek_actions(
        &self,
        sought: &ActionsSought,
        limit: u32,
    ) -> Result<Listed<ActionOf>, StoreError> {
        let sought = sought.clone();
        self.call("seek actions", |store| async move { store.seek_actions(&sought, limit).await })
            .await
    }

    async fn gate(&self, vendor: &VendorName) -> Result<Option<Gate>, StoreError> {
        let vendor = vendor.clone();
        self.call("gate", |store| async move { store.gate(&vendor).await }).await
    }

    async fn keep_gate(
        &self,
        vendor: &VendorName,
        gate: &Gate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.life.ground.count(&format!("gate {}", gate.name(now)));
        let (vendor, gate) = (vendor.clone(), gate.clone());
        self.call("keep gate", |store| async move { store.keep_gate(&vendor, &gate, now).await })
            .await
    }

    async fn catalog(&self, vendor: &VendorName) -> Result<Option<KeptCatalog>, StoreError> {
        let vendor = vendor.clone();
        self.call("catalog", |store| async move { store.catalog(&vendor).await }).await
    }

    async fn keep_catalog(
        &self,
        vendor: &VendorName,
        kept: &KeptCatalog,
    ) -> Result<(), StoreError> {
        let (vendor, kept) = (vendor.clone(), kept.clone());
        self.call("keep catalog", |store| async move { store.keep_catalog(&vendor, &kept).await })
            .await
    }

    async fn open_cases(
        &self,
        vendor: &VendorName,
        ended_after: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenCase>, StoreError> {
        let vendor = vendor.clone();
        self.call("open cases", |store| async move {
            store.open_cases(&vendor, ended_after, limit).await
        })
        .await
    }

    async fn keep_case(
        &self,
        incident: &IncidentId,
        kept: &KeptCase,
        decide: Option<StepFn>,
    ) -> Result<Option<Option<Step>>, StoreError> {
        let (incident, kept) = (incident.clone(), kept.clone());
        let decide = decide.map(|decide| self.watched(decide));
        self.call(
            "keep a case",
            |store| async move { store.keep_case(&incident, &kept, decide).await },
        )
        .await
    }

    async fn confirm_cases(
        &self,
        incidents: &[IncidentId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let incidents = incidents.to_vec();
        self.call("confirm cases", |store| async move { store.confirm_cases(&incidents, at).await })
            .await
    }

    async fn kept_case(&self, incident: &IncidentId) -> Result<Option<KeptCase>, StoreError> {
        let incident = incident.clone();
        self.call("kept case", |store| async move { store.kept_case(&incident).await }).await
    }

    async fn next_due(&self, vendors: &[VendorName]) -> Result<Option<Timestamp>, StoreError> {
        let vendors = vendors.to_vec();
        self.call("next due", |store| async move { store.next_due(&vendors).await }).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let id = id.clone();
        self.call("incident", |store| async move { store.incident(&id).await }).await
    }

    async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError> {
        self.call("incidents", |store| async move { store.incidents(limit).await }).await
    }

    async fn actions(&self, incident: &IncidentId) -> Result<Vec<Action>, StoreError> {
        let incident = incident.clone();
        self.call("actions", |store| async move { store.actions(&incident).await }).await
    }

    async fn attempts(&self, incident: &IncidentId) -> Result<Vec<Attempt>, StoreError> {
        let incident = incident.clone();
        self.call("attempts", |store| async move { store.attempts(&incident).await }).await
    }

    async fn tallies(&self, what: Tallied, since: Timestamp) -> Result<Vec<Tally>, StoreError> {
        self.call("tallies", |store| async move { store.tallies(what, since).await }).await
    }

    async fn tally_totals(&self, what: Tallied) -> Result<Vec<Total>, StoreError> {
        self.call("tally totals", |store| async move { store.tally_totals(what).await }).await
    }

    async fn sample_outbox(&self, now: Timestamp) -> Result<(), StoreError> {
        self.call("sample", |store| async move { store.sample_outbox(now).await }).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.call("census", |store| async move { store.census().await }).await
    }

    async fn begin_act(&self, deed: &Deed) -> Result<u64, StoreError> {
        let deed = deed.clone();
        self.call("begin act", |store| async move { store.begin_act(&deed).await }).await
    }

    async fn end_act(&self, number: u64, end: &End, at: Timestamp) -> Result<(), StoreError> {
        let end = end.clone();
        self.call("end act", |store| async move { store.end_act(number, &end, at).await }).await
    }

    async fn acts(&self, asked: &Asked, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let asked = asked.clone();
        self.call("acts", |store| async move { store.acts(&asked, limit).await }).await
    }

    async fn open_session(&self, session: &Session) -> Result<(), StoreError> {
        let session = session.clone();
        self.call("open session", |store| async move { store.open_session(&session).await }).await
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let id = id.to_owned();
        self.call("session", |store| async move { store.session(&id).await }).await
    }

    async fn session_seen(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call("session seen", |store| async move { store.session_seen(&id, at).await }).await
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.call("end session", |store| async move { store.end_session(&id).await }).await
    }

    async fn prune(
        &self,
        horizon: &Retention,
        now: Timestamp,
        limit: u32,
    ) -> Result<Pruned, StoreError> {
        let horizon = *horizon;
        self.call("prune", |store| async move { store.prune(&horizon, now, limit).await }).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.call("check", |store| async move { store.check().await }).await
    }

    async fn close(&self) {
        let store = self.inner.clone();
        block(&self.runtime, async move { store.close().await });
    }
}
