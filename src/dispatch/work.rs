//! One claimed action, from the claim to the record of its outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{Instrument, error, info, info_span, warn};

use super::drafting::{Unready, draft, operation_on_case};
use super::lane::Lane;
use super::progress::{Consequence, Judge, Judgement};
use super::runner::Dispatcher;
use crate::domain::action::ActionKind;
use crate::domain::draft::Draft;
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Event, step};
use crate::store::{
    AttemptEnd, Claim, NewAttempt, Phase, Progress, Settlement, StepFn, StoreError,
};
use crate::vendors::{Evidence, Look, Operation, Outcome};

impl Dispatcher {
    /// Does one piece of work: a send or a look.
    pub(super) async fn work(self: &Arc<Self>, lane: &Lane, claim: Claim) {
        let span = info_span!(
            "action",
            delivery = %claim.incident.delivery,
            incident = %claim.incident.id,
            action = %claim.action.id,
            kind = claim.action.kind.name(),
            vendor = %lane.name,
        );
        let work = async {
            let worked = match claim.action.phase {
                Phase::Send => self.send(lane, &claim).await,
                Phase::Look { looks, unknown_since } => {
                    self.look(lane, &claim, looks, unknown_since).await
                }
            };
            match worked {
                Ok(()) => {}
                Err(StoreError::LeaseLost(_)) => {
                    self.metrics.alarm("lease_lost");
                    warn!("the lease ran out during the work; its outcome is not recorded");
                }
                // Nothing is lost: the lease runs out, and the action comes back as one to look
                // for if it was sent, or as it was.
                Err(error) => self.trouble("record what came of an action", &error),
            }
        };
        work.instrument(span).await;
    }

    async fn send(&self, lane: &Lane, claim: &Claim) -> Result<(), StoreError> {
        let operation = match self.prepare(lane, claim, false).await {
            Ok(operation) => operation,
            Err(unready) => return self.put_off(lane, claim, unready).await,
        };
        let attempt = NewAttempt {
            started_at: self.clock.now(),
            phase: Phase::Send,
            request: request_of(&operation),
        };
        self.store.begin_attempt(&claim.lease, attempt).await?;
        let started = Instant::now();
        let outcome = self
            .bounded(lane, lane.vendor.send(&operation))
            .await
            .unwrap_or_else(|| Outcome::Unknown(given_up()));
        self.metrics.attempt(&lane.name, claim.action.kind.name(), started.elapsed());
        self.metrics.action(claim.action.kind.name(), outcome.name());
        let mut judgement = self.judge(lane, claim).sent(&outcome);
        if matches!(outcome, Outcome::Refused(_))
            && self.catalog_has_changed(lane, claim, &operation).await
        {
            judgement = self.judge(lane, claim).at_once();
        }
        let evidence = outcome.evidence();
        log_outcome(claim, &outcome);
        self.settle(lane, claim, outcome.name(), Some(evidence), judgement).await
    }

    async fn look(
        &self,
        lane: &Lane,
        claim: &Claim,
        looks: u32,
        unknown_since: jiff::Timestamp,
    ) -> Result<(), StoreError> {
        let Some(operation) = self.as_sent(claim).await? else {
            // It never left this process, so there is nothing to find.
            let judgement = self.judge(lane, claim).at_once();
            return self.settle(lane, claim, "absent", None, judgement).await;
        };
        let phase = Phase::Look { looks, unknown_since };
        let attempt = NewAttempt { started_at: self.clock.now(), phase, request: None };
        self.store.begin_attempt(&claim.lease, attempt).await?;
        let since = claim.action.first_sent_at.unwrap_or(claim.action.created_at);
        let started = Instant::now();
        let look =
            self.bounded(lane, lane.vendor.look(&operation, since)).await.unwrap_or_else(|| {
                Look::Failed { retry_after: None, denied: false, evidence: given_up() }
            });
        self.metrics.attempt(&lane.name, "look", started.elapsed());
        let (name, evidence) = describe(&look);
        self.metrics.action("look", name);
        if let Look::Several { cases, .. } = &look {
            error!(?cases, "several cases carry the marker of one incident; a person must decide");
        }
        info!(look = name, looks, "looked for the outcome: {name}: {}", evidence.message);
        let judgement = self.judge(lane, claim).looked(looks, unknown_since, &look);
        self.settle(lane, claim, name, Some(evidence), judgement).await
    }

    /// The operation that the action asks for, ready to send.
    async fn prepare(
        &self,
        lane: &Lane,
        claim: &Claim,
        fresh_catalog: bool,
    ) -> Result<Operation, Unready> {
        if claim.action.kind != ActionKind::Open {
            return operation_on_case(&claim.incident, &claim.action);
        }
        let now = self.clock.now();
        let drafting = draft(&self.playbook, &claim.incident, &*lane.vendor, now, fresh_catalog);
        let drafted = self.bounded(lane, drafting).await.unwrap_or_else(|| {
            Err(Unready::later("the vendor's catalog did not come in time; nothing was sent"))
        })?;
        for _ in 0..drafted.failed_templates {
            self.metrics.template_failure(&claim.incident.key.rule);
        }
        for note in &drafted.notes {
            warn!(rule = %claim.incident.key.rule, "draft: {note}");
        }
        Ok(Operation::Open(Box::new(drafted.draft)))
    }

    /// The operation as it was sent, to look for. `None` if it never was.
    async fn as_sent(&self, claim: &Claim) -> Result<Option<Operation>, StoreError> {
        if claim.action.kind != ActionKind::Open {
            return Ok(operation_on_case(&claim.incident, &claim.action).ok());
        }
        // Rules may have changed since: what counts is the account and marker that went out.
        let attempts = self.store.attempts(&claim.incident.id).await?;
        let draft = attempts
            .iter()
            .rev()
            .filter(|attempt| attempt.phase == "send")
            .filter_map(|attempt| attempt.request.as_deref())
            .find_map(|request| serde_json::from_str::<Draft>(request).ok());
        Ok(draft.map(|draft| Operation::Open(Box::new(draft))))
    }

    /// After a first refusal: whether the vendor's catalog, read anew, makes another draft.
    async fn catalog_has_changed(&self, lane: &Lane, claim: &Claim, sent: &Operation) -> bool {
        if claim.action.kind != ActionKind::Open || claim.action.attempts > 0 {
            return false;
        }
        match self.prepare(lane, claim, true).await {
            Ok(anew) => anew != *sent,
            Err(_) => false,
        }
    }

    /// Nothing could be sent now.
    async fn put_off(
        &self,
        lane: &Lane,
        claim: &Claim,
        unready: Unready,
    ) -> Result<(), StoreError> {
        let judgement = match &unready {
            Unready::Later { retry_after, denied, .. } => {
                self.judge(lane, claim).unprepared(*retry_after, *denied)
            }
            Unready::Never(_) => self.judge(lane, claim).hopeless(),
        };
        let evidence = Evidence { message: unready.to_string(), ..Evidence::default() };
        warn!("nothing was sent: {unready}");
        self.metrics.action(claim.action.kind.name(), "unprepared");
        self.apply(lane, claim, None, &evidence.message, judgement).await
    }

    async fn settle(
        &self,
        lane: &Lane,
        claim: &Claim,
        outcome: &'static str,
        evidence: Option<&Evidence>,
        judgement: Judgement,
    ) -> Result<(), StoreError> {
        let message = evidence.map_or(outcome, |evidence| evidence.message.as_str());
        let end = evidence.map(|evidence| AttemptEnd {
            outcome,
            status: evidence.status,
            reference: evidence.reference.clone(),
            message: evidence.message.clone(),
        });
        self.apply(lane, claim, end, message, judgement).await
    }

    async fn apply(
        &self,
        lane: &Lane,
        claim: &Claim,
        attempt: Option<AttemptEnd>,
        message: &str,
        judgement: Judgement,
    ) -> Result<(), StoreError> {
        if let Some(until) = judgement.pause_until {
            lane.pause(until);
            warn!(%until, "{} is left alone until {until}", lane.name);
        }
        if let Some(alarm) = judgement.alarm {
            self.metrics.alarm(alarm);
        }
        if judgement.progress == Progress::Dead {
            error!("action {} is a dead letter; a person must act: {message}", claim.action.id);
        }
        let settlement = Settlement {
            at: self.clock.now(),
            attempt,
            progress: judgement.progress,
            message: message.to_owned(),
            decide: self.consequence(judgement.consequence),
        };
        self.store.settle(&claim.lease, settlement).await?;
        // A comment or closure may have become possible.
        self.wake.notify_one();
        Ok(())
    }

    fn consequence(&self, consequence: Consequence) -> Option<StepFn> {
        let (playbook, now) = (self.playbook.clone(), self.clock.now());
        let case = match consequence {
            Consequence::None => return None,
            Consequence::Opened(case) => Some(case),
            Consequence::OpenFailed => None,
        };
        Some(Arc::new(move |incident: &Incident| {
            let policy = playbook.policy(&incident.key.rule);
            let event = case.as_ref().map_or(Event::OpenFailed, |case| Event::CaseOpened { case });
            step(Some(incident), &event, &policy, now)
        }))
    }

    fn judge<'a>(&self, lane: &'a Lane, claim: &'a Claim) -> Judge<'a> {
        Judge {
            action: &claim.action,
            retry: &lane.settings.retry,
            reconcile: &lane.settings.reconcile,
            now: self.clock.now(),
            unit: self.rng.unit(),
        }
    }

    /// Gives work up before its lease runs out.
    async fn bounded<T>(&self, lane: &Lane, work: impl Future<Output = T>) -> Option<T> {
        let deadline: Duration = lane.deadline();
        tokio::select! {
            done = work => Some(done),
            () = self.clock.sleep(deadline) => None,
        }
    }
}

fn given_up() -> Evidence {
    Evidence {
        message: "given up: the vendor took longer than the work is allowed to".to_owned(),
        ..Evidence::default()
    }
}

/// What was sent, for people and for looking for it later.
fn request_of(operation: &Operation) -> Option<String> {
    let json = match operation {
        Operation::Open(draft) => serde_json::to_string(draft),
        Operation::Comment { case, text, .. } | Operation::Close { case, text, .. } => {
            serde_json::to_string(&serde_json::json!({ "case": case, "text": text }))
        }
        Operation::Attach { case, file_name, content, .. } => {
            let text = String::from_utf8_lossy(content);
            serde_json::to_string(
                &serde_json::json!({ "case": case, "file_name": file_name, "text": text }),
            )
        }
        Operation::Contacts { case, also_notify, alternate_contact, .. } => {
            serde_json::to_string(&serde_json::json!({
                "case": case,
                "also_notify": also_notify,
                "alternate_contact": alternate_contact,
            }))
        }
    };
    json.ok()
}

fn describe(look: &Look) -> (&'static str, &Evidence) {
    match look {
        Look::Found { evidence, .. } => ("found", evidence),
        Look::Absent(evidence) => ("absent", evidence),
        Look::Several { evidence, .. } => ("several", evidence),
        Look::Failed { evidence, .. } => ("failed", evidence),
    }
}

fn log_outcome(claim: &Claim, outcome: &Outcome) {
    let evidence = outcome.evidence();
    let (kind, name) = (claim.action.kind.name(), outcome.name());
    let status = evidence.status;
    match outcome {
        Outcome::Done { case, .. } => {
            info!(%case, outcome = name, status, "{kind}: done, case {case}");
        }
        _ => warn!(
            outcome = name,
            status,
            reference = evidence.reference.as_deref(),
            "{kind}: {name}: {}",
            evidence.message
        ),
    }
}
