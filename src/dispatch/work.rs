//! One claimed action, from the claim to the record of its outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{Instrument, error, info, info_span, warn};

use super::catalogs::Wanted;
use super::drafting::{Drafted, Unready, draft, operation_on_case, parts_of};
use super::lane::Lane;
use super::parcel::Parcel;
use super::progress::{Consequence, Judge, Judgement};
use super::runner::Dispatcher;
use super::telling::{Manner, message};
use crate::domain::action::{ActionKind, Content, File};
use crate::domain::comment_parts;
use crate::domain::draft::Draft;
use crate::domain::gate::{Change, Sign};
use crate::domain::incident::{Incident, State};
use crate::domain::lifecycle::{Event, OpenedCase, step};
use crate::domain::notice::Notice;
use crate::domain::pace::WhenNotFound;
use crate::fetch::{FetchError, fetch};
use crate::store::{
    Action, AttemptEnd, Claim, NewAttempt, Phase, Progress, Settlement, StepFn, StoreError,
};
use crate::time::later;
use crate::vendors::{Evidence, Look, Obstacle, Operation, Outcome, Probe};

/// What is to be looked for.
enum AsSent {
    /// This was sent.
    This(Parcel),
    /// Nothing was.
    Never,
    /// Something was, and what it was cannot be told any more.
    Unreadable,
}

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
        if claim.action.kind == ActionKind::Recheck {
            // It only looks; nothing of it was ever sent.
            let judgement = self.judge(lane, claim).looks_at_once();
            return self.settle(lane, claim, "absent", None, judgement).await;
        }
        // Or fires on although the vendor has closed its case meanwhile.
        let fires_again =
            matches!(claim.incident.state, State::Open { .. }) || claim.incident.is_firing();
        if claim.action.kind == ActionKind::Close && fires_again {
            // The vendor was down when it ended, say.
            let message = "its incident fires again, so closure is not requested";
            return self.apply(lane, claim, None, message, self.judge(lane, claim).moot()).await;
        }
        if let Some(parts) = parts_of(&lane.playbook, &claim.incident, &claim.action) {
            let message = format!("longer than one comment: it goes as {} comments", parts.len());
            let judgement = self.judge(lane, claim).in_parts(parts);
            return self.apply(lane, claim, None, &message, judgement).await;
        }
        // Kept until it is sent.
        let mut _turn = None;
        if fetches_first(&claim.action) {
            match lane.fetches.clone().try_acquire_owned() {
                Ok(turn) => _turn = Some(turn),
                Err(_) => {
                    let unready = Unready::later("other files are being fetched");
                    return self.put_off(lane, claim, unready).await;
                }
            }
        }
        let parcel = match self.prepare(lane, claim, Wanted::Kept).await {
            Ok(parcel) => parcel,
            Err(unready) => return self.put_off(lane, claim, unready).await,
        };
        if claim.action.attempts > 0 {
            lane.repeats();
        }
        let attempt = NewAttempt {
            started_at: self.clock.now(),
            phase: Phase::Send,
            request: parcel.request(),
        };
        self.store.begin_attempt(&claim.lease, attempt).await?;
        let started = Instant::now();
        let outcome = self
            .bounded(lane, lane.party.send(&parcel))
            .await
            .unwrap_or_else(|| Outcome::Unknown(given_up()));
        self.metrics.attempt(&lane.name, claim.action.kind.name(), started.elapsed());
        self.metrics.action(claim.action.kind.name(), outcome.name());
        let mut judgement = self.judge(lane, claim).sent(&outcome);
        if matches!(outcome, Outcome::Refused(_))
            && self.catalog_has_changed(lane, claim, &parcel).await
        {
            judgement = self.judge(lane, claim).at_once();
        }
        let evidence = outcome.evidence();
        log_outcome(claim, &outcome);
        self.complete(claim, &parcel, 1, &mut judgement).await?;
        self.settle(lane, claim, outcome.name(), Some(evidence), judgement).await
    }

    async fn look(
        &self,
        lane: &Lane,
        claim: &Claim,
        looks: u32,
        unknown_since: jiff::Timestamp,
    ) -> Result<(), StoreError> {
        let parcel = match self.as_sent(lane, claim).await? {
            AsSent::This(parcel) => parcel,
            AsSent::Never => {
                // It never left this process, so there is nothing to find.
                let judgement = self.judge(lane, claim).at_once();
                return self.settle(lane, claim, "absent", None, judgement).await;
            }
            AsSent::Unreadable => {
                let message = "what was sent is not on record any more, so it cannot be looked for";
                let judgement = self.judge(lane, claim).cannot_look();
                return self.apply(lane, claim, None, message, judgement).await;
            }
        };
        let phase = Phase::Look { looks, unknown_since };
        let attempt = NewAttempt { started_at: self.clock.now(), phase, request: None };
        self.store.begin_attempt(&claim.lease, attempt).await?;
        let since = claim.action.first_sent_at.unwrap_or(claim.action.created_at);
        let started = Instant::now();
        let look = self.bounded(lane, lane.party.look(&parcel, since)).await.unwrap_or_else(|| {
            let obstacle = Obstacle::Vendor;
            Look::Failed { retry_after: None, obstacle, evidence: given_up() }
        });
        self.metrics.attempt(&lane.name, "look", started.elapsed());
        let (name, evidence) = describe(&look);
        self.metrics.action("look", name);
        if let Look::Several { cases, .. } = &look {
            error!(?cases, "several cases carry the marker of one incident: {}", evidence.message);
        }
        info!(look = name, looks, "looked for the outcome: {name}: {}", evidence.message);
        let mut judgement = self.judge(lane, claim).looked(looks, unknown_since, &look);
        self.complete(claim, &parcel, 0, &mut judgement).await?;
        self.settle(lane, claim, name, Some(evidence), judgement).await
    }

    /// What the action asks for, ready to send.
    async fn prepare(&self, lane: &Lane, claim: &Claim, wanted: Wanted) -> Result<Parcel, Unready> {
        if claim.action.kind != ActionKind::Open {
            let parcel = self.without_draft(lane, claim).await?;
            return self.with_what_is_fetched(lane, claim, parcel).await;
        }
        let now = self.clock.now();
        let edited = self.store.edited_draft(&claim.incident.id).await;
        // Without it, something else would be sent than a person has approved.
        let edited = edited.map_err(|error| Unready::later(error.to_string()))?;
        let edited = edited.as_ref();
        let drafting = draft(lane, &self.catalogs, &claim.incident, now, wanted, edited);
        let drafted = self.bounded(lane, drafting).await.unwrap_or_else(|| {
            Err(Unready::later("the vendor's catalog did not come in time; nothing was sent"))
        })?;
        let Drafted { draft, notes, failed_templates, fell_back } = drafted;
        for _ in 0..failed_templates {
            self.metrics.template_failure(&claim.incident.rule);
        }
        if fell_back {
            self.metrics.fell_back(&claim.incident.rule);
        }
        for note in &notes {
            warn!(rule = %claim.incident.rule, "draft: {note}");
        }
        Ok(Parcel::Case(Operation::Open(Box::new(draft))))
    }

    /// What an action asks for that is not about a draft.
    async fn without_draft(&self, lane: &Lane, claim: &Claim) -> Result<Parcel, Unready> {
        let Claim { action, incident, .. } = claim;
        if let ActionKind::Tell { target, notice } = &action.kind {
            let why = match notice {
                Notice::CaseFailed => self.why_it_failed(incident).await,
                _ => None,
            };
            let redaction = lane.playbook.redaction(&incident.rule);
            let why = why.as_deref();
            let manner = Manner { redaction: &redaction, links: &lane.playbook.links };
            let message = message(incident, &action.id, target, notice, why, manner);
            return Ok(Parcel::Word(message));
        }
        let now = self.clock.now();
        operation_on_case(&lane.playbook, incident, action, now).map(Parcel::Case)
    }

    /// What was last said of the open action of an incident whose case could not be opened. It is good
    /// to know, and not worth waiting for a store that cannot be read.
    async fn why_it_failed(&self, incident: &Incident) -> Option<String> {
        let actions = self.store.actions(&incident.id).await.ok()?;
        let open = actions.into_iter().rfind(|action| action.kind == ActionKind::Open)?;
        open.message
    }

    /// The parcel with the file that it sends, if that is fetched. Trouble with it is ours, and
    /// none of the vendor's.
    async fn with_what_is_fetched(
        &self,
        lane: &Lane,
        claim: &Claim,
        mut parcel: Parcel,
    ) -> Result<Parcel, Unready> {
        let ActionKind::Attach(File { name, content: Content::Fetched { url } }) =
            &claim.action.kind
        else {
            return Ok(parcel);
        };
        let fetched = match self.bounded(lane, fetch(&lane.playbook.fetch, url)).await {
            Some(Ok(fetched)) => fetched,
            Some(Err(FetchError::Never(why))) => {
                return Err(Unready::Never(format!("the file {name} cannot be fetched: {why}")));
            }
            Some(Err(FetchError::Later(why))) => {
                return Err(Unready::later(format!("the file {name} cannot be fetched: {why}")));
            }
            None => return Err(Unready::later(format!("the file {name} did not come in time"))),
        };
        if let Parcel::Case(Operation::Attach { media_type, content, .. }) = &mut parcel {
            (*media_type, *content) = (fetched.media_type, fetched.content);
        }
        Ok(parcel)
    }

    /// What was sent, to look for.
    async fn as_sent(&self, lane: &Lane, claim: &Claim) -> Result<AsSent, StoreError> {
        if !matches!(claim.action.kind, ActionKind::Open | ActionKind::Recheck) {
            let parcel = self.without_draft(lane, claim).await;
            return Ok(parcel.map_or(AsSent::Never, AsSent::This));
        }
        // Rules may have changed since: what counts is the account and marker that went out.
        let attempts = self.store.attempts(&claim.incident.id).await?;
        let mut sends = attempts.iter().rev().filter(|attempt| attempt.phase == "send").peekable();
        let was_sent = claim.action.attempts > 0 || sends.peek().is_some();
        let draft = sends
            .filter_map(|attempt| attempt.request.as_deref())
            .find_map(|request| serde_json::from_str::<Draft>(request).ok());
        Ok(match draft {
            Some(draft) => AsSent::This(Parcel::Case(Operation::Open(Box::new(draft)))),
            None if was_sent || claim.action.kind == ActionKind::Recheck => AsSent::Unreadable,
            None => AsSent::Never,
        })
    }

    /// After a first refusal: whether the vendor's catalog, read anew, makes another draft, or none
    /// for now.
    async fn catalog_has_changed(&self, lane: &Lane, claim: &Claim, sent: &Parcel) -> bool {
        if claim.action.kind != ActionKind::Open || self.was_refused(claim).await {
            return false;
        }
        match self.prepare(lane, claim, Wanted::Anew).await {
            Ok(anew) => match (anew.draft(), sent.draft()) {
                (Some(anew), Some(sent)) => !anew.says_the_same_as(sent),
                _ => false,
            },
            Err(Unready::Later { .. }) => true,
            Err(Unready::Never(_)) => false,
        }
    }

    /// Whether the vendor has refused the action before. What cannot be read counts as refused: no
    /// vendor is asked for the same thing without end.
    async fn was_refused(&self, claim: &Claim) -> bool {
        if claim.action.attempts == 0 {
            return false;
        }
        let attempts = self.store.attempts(&claim.incident.id).await;
        attempts.map_or(true, |attempts| {
            attempts.iter().any(|one| one.action == claim.action.id && one.outcome == "refused")
        })
    }

    /// Nothing could be sent now.
    async fn put_off(
        &self,
        lane: &Lane,
        claim: &Claim,
        unready: Unready,
    ) -> Result<(), StoreError> {
        let judgement = match &unready {
            Unready::Later { trouble, .. } => self.judge(lane, claim).unprepared(*trouble),
            Unready::Never(_) => self.judge(lane, claim).hopeless(),
        };
        let evidence = Evidence { message: unready.to_string(), ..Evidence::default() };
        warn!("nothing was sent: {unready}");
        self.metrics.action(claim.action.kind.name(), "unprepared");
        self.apply(lane, claim, None, &evidence.message, judgement).await
    }

    /// Adds to a case that has been opened or found what only the records tell: the text that was
    /// too long for it, and whether an earlier request may come true as well. `sends` counts the
    /// send that has just succeeded, if one has.
    async fn complete(
        &self,
        claim: &Claim,
        parcel: &Parcel,
        sends: usize,
        judgement: &mut Judgement,
    ) -> Result<(), StoreError> {
        let Consequence::Opened(opened) = &mut judgement.consequence else { return Ok(()) };
        if claim.action.kind != ActionKind::Open {
            return Ok(());
        }
        if let Some(draft) = parcel.draft() {
            opened.whole_description.clone_from(&draft.whole_description);
            opened.files.clone_from(&draft.files);
            opened.as_of = draft.as_of;
        }
        // Most cases are opened by the first request.
        if claim.action.attempts > 0 {
            let attempts = self.store.attempts(&claim.incident.id).await?;
            let lost = attempts.iter().filter(|attempt| {
                attempt.action == claim.action.id
                    && attempt.phase == "send"
                    && attempt.outcome == "unknown"
            });
            opened.doubtful = lost.count() + sends > 1;
        }
        Ok(())
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
        if let Some(sign) = judgement.sign {
            let change = lane.hear(sign, self.clock.now(), self.rng.unit());
            self.tell(lane, sign, change, message).await;
        }
        if let Some(alarm) = judgement.alarm {
            self.metrics.alarm(alarm);
        }
        match judgement.progress {
            Progress::Dead => {
                error!("action {} is a dead letter; a person must act: {message}", claim.action.id);
            }
            Progress::Held => error!(
                "whether action {} was done cannot be told, so it is held; a person must look at the vendor: {message}",
                claim.action.id
            ),
            Progress::Done | Progress::Next { .. } | Progress::Blocked { .. } => {}
        }
        let settlement = Settlement {
            at: self.clock.now(),
            attempt,
            progress: judgement.progress,
            message: message.to_owned(),
            decide: self.consequence(lane, judgement.consequence),
        };
        self.store.settle(&claim.lease, settlement).await?;
        // A comment or closure may have become possible.
        self.wake.notify_one();
        Ok(())
    }

    fn consequence(&self, lane: &Lane, consequence: Consequence) -> Option<StepFn> {
        let (playbook, now) = (lane.playbook.clone(), self.clock.now());
        let opened: Option<OpenedCase> = match consequence {
            Consequence::None => return None,
            Consequence::InParts(parts) => {
                return Some(Arc::new(move |incident: &Incident| {
                    comment_parts::ask_for(incident, &parts, now)
                }));
            }
            Consequence::Opened(opened) => Some(opened),
            Consequence::OpenFailed => None,
        };
        Some(Arc::new(move |incident: &Incident| {
            let policy = playbook.policy(incident);
            let event = opened.as_ref().map_or(Event::OpenFailed, Event::CaseOpened);
            step(Some(incident), &event, &policy, None, now)
        }))
    }

    /// Asks a vendor that is in trouble whether it still is.
    pub(super) async fn probe(&self, lane: &Lane) {
        let started = Instant::now();
        let probe =
            self.bounded(lane, lane.party.probe()).await.unwrap_or_else(|| Probe::Down(given_up()));
        self.metrics.attempt(&lane.name, "probe", started.elapsed());
        let now = self.clock.now();
        let (name, sign, message) = match &probe {
            Probe::Up => ("up", Sign::Good, "it answers"),
            Probe::Down(evidence) => ("down", Sign::Bad, evidence.message.as_str()),
            Probe::Denied(evidence) => ("denied", Sign::Denied, evidence.message.as_str()),
            Probe::Throttled { retry_after, evidence } => {
                let wait = lane.settings.retry.delay(1, *retry_after, self.rng.unit());
                ("throttled", Sign::Pause(later(now, wait)), evidence.message.as_str())
            }
        };
        self.metrics.action("probe", name);
        info!(vendor = %lane.name, probe = name, "probed {}: {name}: {message}", lane.title());
        let change = lane.probed(sign, now, self.rng.unit());
        // Also when nothing has changed: the next probe has a new time.
        self.keep_gate(lane).await;
        self.tell(lane, sign, change, message).await;
        self.wake.notify_one();
    }

    /// Tells of a change at a vendor's gate, and remembers it.
    pub(super) async fn tell(&self, lane: &Lane, sign: Sign, change: Change, message: &str) {
        let (title, target) = (lane.title(), lane.vendor().is_none());
        match change {
            Change::None => match sign {
                Sign::Pause(until) => {
                    lane.explain(message);
                    warn!(%until, "{title} is left alone until {until}");
                }
                Sign::Good | Sign::Bad | Sign::Denied => return,
            },
            Change::Tripped => {
                self.metrics.alarm(if target { "target_failing" } else { "vendor_failing" });
                lane.explain(message);
                error!(
                    "{title} fails again and again, so it is only probed now and then: {message}"
                );
            }
            Change::Denied => {
                self.metrics.alarm(if target { "target_denied" } else { "vendor_denied" });
                lane.explain(message);
                error!(
                    "{title} does not accept who we are; nothing is sent until a probe succeeds: {message}"
                );
            }
            Change::Recovered => info!("{title} works again"),
        }
        self.keep_gate(lane).await;
    }

    async fn keep_gate(&self, lane: &Lane) {
        let kept = self.store.keep_gate(&lane.name, &lane.gate(), self.clock.now()).await;
        if let Err(error) = kept {
            // After a restart the vendor would be tried once more than need be.
            self.trouble("remember the state of a vendor", &error);
        }
    }

    fn judge<'a>(&self, lane: &'a Lane, claim: &'a Claim) -> Judge<'a> {
        Judge {
            action: &claim.action,
            retry: &lane.settings.retry,
            reconcile: &lane.settings.reconcile,
            when_not_found: self.when_not_found(lane, claim),
            now: self.clock.now(),
            unit: self.rng.unit(),
        }
    }

    fn when_not_found(&self, lane: &Lane, claim: &Claim) -> WhenNotFound {
        // What a rule wants is meant for cases. A notice that is told twice does no harm.
        let rule = match claim.action.kind {
            ActionKind::Tell { .. } => None,
            _ => lane.playbook.case_rule(&claim.incident.rule),
        };
        let wish = rule.and_then(|rule| rule.when_not_found);
        wish.unwrap_or(lane.settings.reconcile.when_not_found)
    }

    /// Gives work up before its lease runs out.
    async fn bounded<T>(&self, lane: &Lane, work: impl Future<Output = T>) -> Option<T> {
        let deadline: Duration = lane.deadline();
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.clock.sleep(deadline) => None,
        }
    }
}

/// Whether a file is fetched before anything is sent: that takes none of the lane's slots.
pub(super) fn fetches_first(action: &Action) -> bool {
    matches!(&action.kind, ActionKind::Attach(File { content: Content::Fetched { .. }, .. }))
        && action.phase == Phase::Send
}

fn given_up() -> Evidence {
    Evidence {
        message: "given up: the vendor took longer than the work is allowed to".to_owned(),
        ..Evidence::default()
    }
}

/// What was sent, for people and for looking for it later.
pub(super) fn request_of(operation: &Operation) -> Option<String> {
    let json = match operation {
        Operation::Open(draft) => serde_json::to_string(draft),
        Operation::Comment { case, text, .. } | Operation::Close { case, text, .. } => {
            serde_json::to_string(&serde_json::json!({ "case": case, "text": text }))
        }
        Operation::Attach { case, file_name, content, .. } => serde_json::to_string(
            &serde_json::json!({ "case": case, "file_name": file_name, "bytes": content.len() }),
        ),
        Operation::Contacts { case, also_notify, alternate_contact, .. } => {
            serde_json::to_string(&serde_json::json!({
                "case": case, "also_notify": also_notify, "alternate_contact": alternate_contact,
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
        Outcome::Done { .. } if matches!(claim.action.kind, ActionKind::Tell { .. }) => {
            info!(outcome = name, status, "{kind}: {}", evidence.message);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ActionId;
    use crate::domain::severity::Rank;
    use crate::domain::testing::{T0, alert, open_incident_of};
    use crate::store::ActionState;

    #[test]
    fn only_what_is_fetched_first_takes_no_slot_of_the_lane() {
        let file = |content| ActionKind::Attach(File { name: "panel.png".to_owned(), content });
        let fetched = || file(Content::Fetched { url: "https://grafana.example.com".to_owned() });
        let looks = Phase::Look { looks: 0, unknown_since: T0 };
        for (kind, phase, first) in [
            (fetched(), Phase::Send, true),
            // Its name is enough to look for it.
            (fetched(), looks, false),
            (file(Content::Alerts {}), Phase::Send, false),
            (ActionKind::Open, Phase::Send, false),
        ] {
            let action = Action {
                id: ActionId { incident: open_incident_of(alert("a").build()).id, seq: 1 },
                vendor: "akamai".into(),
                kind,
                rank: Rank::WORST,
                state: ActionState::Leased,
                phase,
                attempts: 0,
                first_sent_at: None,
                due_at: T0,
                created_at: T0,
                revived_at: None,
                blocked_at: None,
                message: None,
            };
            assert_eq!(fetches_first(&action), first, "{action:?}");
        }
    }
}
