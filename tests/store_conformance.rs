//! What every store promises. A new implementation adds one line at the end of this file.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casewright::domain::access::{Means, Role};
use casewright::domain::action::{Content, File};
use casewright::domain::audit::{Act, Asked, Deed, End, Outcome};
use casewright::domain::case_view::{
    COMMENTS, CaseStatus, CaseView, KeptCase, NextAction, VendorComment,
};
use casewright::domain::catalog::Catalog;
use casewright::domain::catalog::whole::{KeptCatalog, Page, VendorCatalog};
use casewright::domain::draft::DraftEdit;
use casewright::domain::gate::{Breaker, Gate, Sign};
use casewright::domain::ids::{CaseId, Fingerprint, IncidentId, IncidentKey, RuleName, VendorName};
use casewright::domain::incident::{Hold, Incident, Tally};
use casewright::domain::lifecycle::{Birth, Event, OpenedCase, Policy, Step, step};
use casewright::domain::mute::Mute;
use casewright::domain::notice::Occasion;
use casewright::domain::policy::{Limit, Overflow};
use casewright::domain::retention::Retention;
use casewright::domain::rollup::{self, RollCall};
use casewright::domain::session::{MOST_OF_ONE, Session};
use casewright::domain::storm::{self, Budgets, Usage};
use casewright::domain::telling::Telling;
use casewright::rng::Rng;
use casewright::store::cause;
use casewright::store::history::Tallied;
use casewright::store::lists::{
    ActionOf, ActionsSought, AlertOf, AlertsSought, CaseOf, CasesSought, DeliveriesSought, Span,
    Which,
};
use casewright::store::sqlite::{Options, SqliteStore};
use casewright::store::{
    Action, ActionState, AttemptEnd, BudgetedFn, Census, Claim, ClaimRequest, Decision,
    DeliveryRecord, Fate, Followed, Intake, Known, NewAttempt, NotEdited, NotRevived, Phase,
    Progress, Pruned, Revival, Settlement, Sought, Store, StoreError, Turn, Wanted,
};
use jiff::Timestamp;
use support::{News, at, closing, firing, key, resolved};

const LEASE: Duration = Duration::from_secs(60);

/// A store that can be closed and opened again, as after a restart.
struct Bench {
    folder: tempfile::TempDir,
    store: Option<Arc<dyn Store>>,
}

impl Bench {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = open(&folder).await;
        Self { folder, store: Some(store) }
    }

    /// Closes the store and opens it again.
    async fn restart(&mut self) {
        self.store().close().await;
        self.store = None; // The lock goes with the last handle.
        self.store = Some(open(&self.folder).await);
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.store.as_ref().expect("open")
    }

    async fn hear(&self, news: News) -> Fate {
        self.store().ingest(news.intake()).await.expect("taken in").fate
    }

    fn news(&self, property: &str, names: &[&str]) -> News {
        let alerts = names.iter().map(|name| firing(name)).collect();
        News::of(self.store().installation(), key("edge", property), alerts)
    }

    fn over(&self, property: &str, names: &[&str], now: i64) -> News {
        let alerts = names.iter().map(|name| resolved(name, at(now))).collect();
        News::of(self.store().installation(), key("edge", property), alerts).at(at(now))
    }

    async fn claim_as(&self, request: ClaimRequest, now: i64) -> Vec<Claim> {
        self.store().claim(request, at(now), LEASE).await.expect("claims")
    }

    async fn claim(&self, now: i64) -> Vec<Claim> {
        self.claim_as(asking(), now).await
    }

    /// What waits for a person.
    async fn for_people(&self) -> Vec<Action> {
        let sought = ActionsSought::that(Which::ForPeople);
        let found = self.store().seek_actions(&sought, 10).await.expect("read");
        found.items.into_iter().map(|found| found.action).collect()
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store().next_due(&[asking().vendor]).await
    }

    async fn claim_one(&self, now: i64) -> Claim {
        let mut claims = self.claim(now).await;
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims.remove(0)
    }

    async fn send(&self, claim: &Claim, now: i64) {
        self.store().begin_attempt(&claim.lease, send_at(now)).await.expect("recorded");
    }

    /// Sends, and the vendor confirms.
    async fn finish(&self, claim: &Claim, case: &str, now: i64) {
        self.send(claim, now).await;
        self.store().settle(&claim.lease, done(case, now)).await.expect("settled");
    }

    async fn only_incident(&self) -> Incident {
        let mut all = self.store().incidents(10).await.expect("read");
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

async fn open(folder: &tempfile::TempDir) -> Arc<dyn Store> {
    let options = Options { path: folder.path().join("casewright.db"), on_commit: None };
    Arc::new(SqliteStore::open(options, &Rng::seeded(1)).await.expect("opens"))
}

fn vendor() -> VendorName {
    "akamai".into()
}

/// Everything of the one vendor.
fn asking() -> ClaimRequest {
    ClaimRequest { vendor: vendor(), turn: Turn::Urgency, repeats: true, limit: 100 }
}

fn send_at(now: i64) -> NewAttempt {
    NewAttempt { started_at: at(now), phase: Phase::Send, request: Some("{}".to_owned()) }
}

fn end(outcome: &'static str) -> AttemptEnd {
    AttemptEnd { outcome, status: Some(201), reference: None, message: outcome.to_owned() }
}

fn done(case: &str, now: i64) -> Settlement {
    let opened = OpenedCase::only(CaseId::new(case));
    Settlement {
        at: at(now),
        attempt: Some(end("done")),
        progress: Progress::Done,
        message: "done".to_owned(),
        decide: Some(Arc::new(move |incident| {
            step(Some(incident), &Event::CaseOpened(&opened), &closing(), None, at(now))
        })),
    }
}

/// As [`done`], where a webhook is told of it.
fn done_and_told(case: &str, now: i64) -> Settlement {
    let opened = OpenedCase::only(CaseId::new(case));
    let decide: casewright::store::StepFn = Arc::new(move |incident: &Incident| {
        step(Some(incident), &Event::CaseOpened(&opened), &telling(), None, at(now))
    });
    Settlement { decide: Some(decide), ..done(case, now) }
}

fn telling() -> Policy {
    let occasions = Occasion::WORDS.map(|(_, occasion)| occasion).into();
    let webhooks = BTreeMap::from([("chat".to_owned(), occasions)]);
    Policy { tell: Arc::new(Telling { webhooks, ..Telling::default() }), ..closing() }
}

fn next(phase: Phase, due: i64, now: i64) -> Settlement {
    Settlement {
        at: at(now),
        attempt: None,
        progress: Progress::Next { phase, due: at(due) },
        message: "later".to_owned(),
        decide: None,
    }
}

async fn a_delivery_opens_one_incident_and_its_repeats_open_nothing(bench: Bench) {
    assert_eq!(bench.hear(bench.news("a", &["x", "y"])).await, Fate::Accepted);
    for second in 1..4 {
        assert_eq!(bench.hear(bench.news("a", &["y", "x"]).at(at(second))).await, Fate::Repeat);
    }
    assert_eq!(bench.only_incident().await.members.len(), 2);
    assert_eq!(bench.claim(10).await.len(), 1);
}

async fn alerts_that_a_delivery_does_not_speak_of_still_count(bench: Bench) {
    bench.hear(bench.news("a", &["x", "y", "z"])).await;
    bench.hear(bench.over("a", &["x"], 1)).await;
    bench.hear(bench.over("a", &["y"], 2)).await;
    let incident = bench.only_incident().await;
    assert!(incident.is_firing(), "z still fires");
    assert_eq!(incident.tally, Tally { firing: 1, resolved: 2 });
    assert_eq!(incident.members.len(), 3);
    bench.hear(bench.over("a", &["z"], 3)).await;
    assert!(!bench.only_incident().await.is_firing());
}

async fn what_was_taken_in_survives_a_restart_unchanged(mut bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let before = bench.only_incident().await;
    let installation = bench.store().installation().clone();
    bench.restart().await;
    assert_eq!(bench.store().installation(), &installation);
    assert_eq!(bench.only_incident().await, before);
    assert_eq!(bench.hear(bench.news("a", &["x"])).await, Fate::Repeat);
    let deliveries =
        bench.store().seek_deliveries(&DeliveriesSought::default(), 10).await.expect("read").items;
    let fates: Vec<_> = deliveries.iter().map(|delivery| delivery.fate).collect();
    assert!(fates.contains(&Fate::Accepted) && fates.contains(&Fate::Repeat), "{fates:?}");
}

async fn a_redelivery_is_known_by_any_of_its_ids(bench: Bench) {
    let first = bench.news("a", &["x"]).redelivery_id("webhook:1").redelivery_id("event:1");
    assert_eq!(bench.hear(first).await, Fate::Accepted);
    for known in ["webhook:1", "event:1"] {
        let again = bench.over("a", &["x"], 5).redelivery_id(known).redelivery_id("webhook:2");
        assert_eq!(bench.hear(again).await, Fate::Redelivered, "{known}");
    }
    assert!(bench.only_incident().await.is_firing(), "a redelivery changes nothing");
    let news = bench.over("a", &["x"], 6).redelivery_id("webhook:3");
    assert_eq!(bench.hear(news).await, Fate::Accepted);
}

async fn many_senders_of_the_same_news_at_once_get_one_open_action(bench: Bench) {
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = bench.store().clone();
        let news = bench.news("a", &["x"]).at(at(n % 3));
        senders.spawn(async move { store.ingest(news.intake()).await.map(|receipt| receipt.fate) });
    }
    let fates: Vec<_> =
        senders.join_all().await.into_iter().map(|fate| fate.expect("taken in")).collect();
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Accepted).count(), 1, "{fates:?}");
    assert_eq!(bench.claim(10).await.len(), 1);
}

async fn a_decision_that_panics_costs_only_its_own_delivery(bench: Bench) {
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..32 {
        let store = bench.store().clone();
        let mut intake = bench.news(&format!("p{n}"), &["x"]).intake();
        if n == 7 {
            intake.decide = Arc::new(|_| panic!("a planted defect"));
        }
        senders.spawn(async move { store.ingest(intake).await.is_ok() });
    }
    let taken = senders.join_all().await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 31);
    assert_eq!(bench.store().incidents(100).await.expect("read").len(), 31);
    assert_eq!(bench.hear(bench.news("p7", &["x"])).await, Fate::Accepted);
}

async fn an_action_is_claimed_by_one_party_at_a_time(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let (first, second) = tokio::join!(bench.claim(1), bench.claim(1));
    assert_eq!(first.len() + second.len(), 1);
    assert!(bench.claim(60).await.is_empty(), "the lease runs until second 61");
    assert_eq!(bench.claim(61).await.len(), 1);
}

async fn whoever_lost_its_lease_may_write_nothing(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let late = bench.claim_one(1).await;
    let holder = bench.claim_one(100).await;
    let refused = bench.store().begin_attempt(&late.lease, send_at(101)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(_))), "{refused:?}");
    let refused = bench.store().settle(&late.lease, done("F-1", 101)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(_))), "{refused:?}");
    assert_eq!(bench.only_incident().await.state.name(), "opening");
    assert!(bench.store().attempts(&late.action.id.incident).await.expect("read").is_empty());
    bench.finish(&holder, "F-2", 102).await;
    assert_eq!(bench.only_incident().await.state.case(), Some(&"F-2".into()));
    let refused = bench.store().settle(&holder.lease, done("F-3", 103)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(_))), "settled once is settled");
}

async fn a_send_without_an_outcome_comes_back_as_a_look(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 1).await;
    let again = bench.claim_one(100).await;
    assert_eq!(again.action.phase, Phase::Look { looks: 0, unknown_since: at(100) });
    assert_eq!(again.action.first_sent_at, Some(at(1)));
    let attempts = bench.store().attempts(&claim.action.id.incident).await.expect("read");
    assert_eq!(attempts.iter().map(|a| a.outcome.as_str()).collect::<Vec<_>>(), ["unknown"]);
}

async fn a_look_that_waits_can_be_put_off_and_nothing_else(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 1).await;
    let phase = Phase::Look { looks: 1, unknown_since: at(2) };
    let end = AttemptEnd {
        outcome: "unknown",
        status: None,
        reference: None,
        message: "lost".to_owned(),
    };
    let unknown = Settlement {
        at: at(2),
        attempt: Some(end),
        progress: Progress::Next { phase, due: at(50) },
        message: "unknown".to_owned(),
        decide: None,
    };
    bench.store().settle(&claim.lease, unknown).await.expect("settled");
    bench.hear(bench.news("b", &["x"])).await;
    bench.store().postpone_looks(Duration::from_secs(100)).await.expect("put off");
    assert_eq!(bench.claim_one(149).await.action.phase, Phase::Send, "that of b");
    let late = bench.claim_one(150).await;
    assert_eq!(late.action.phase, Phase::Look { looks: 1, unknown_since: at(102) });
}

async fn a_restart_takes_leases_over_and_a_send_without_an_outcome_is_a_look(mut bench: Bench) {
    bench.hear(bench.news("sent", &["x"])).await;
    bench.hear(bench.news("only-claimed", &["x"])).await;
    let claims = bench.claim(1).await;
    let sent = claims.iter().find(|claim| claim.incident.key == key("edge", "sent"));
    bench.send(sent.expect("claimed"), 1).await;
    bench.restart().await;
    let mut phases: Vec<_> = bench
        .claim(2)
        .await
        .into_iter()
        .map(|claim| (claim.incident.key == key("edge", "sent"), claim.action.phase))
        .collect();
    phases.sort_by_key(|(sent, _)| *sent);
    assert_eq!(
        phases,
        [(false, Phase::Send), (true, Phase::Look { looks: 0, unknown_since: at(2) })]
    );
}

async fn a_look_that_was_interrupted_is_only_a_look(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    let looking = Phase::Look { looks: 1, unknown_since: at(1) };
    bench.store().settle(&claim.lease, next(looking, 5, 2)).await.expect("settled");
    let claim = bench.claim_one(5).await;
    assert_eq!(claim.action.phase, looking);
    let attempt = NewAttempt { started_at: at(5), phase: looking, request: None };
    bench.store().begin_attempt(&claim.lease, attempt).await.expect("recorded");
    assert_eq!(bench.claim_one(100).await.action.phase, looking);
}

async fn an_outcome_and_what_follows_for_the_incident_are_one(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.hear(bench.over("a", &["x"], 2)).await;
    bench.finish(&claim, "F-1", 3).await;
    let incident = bench.only_incident().await;
    assert_eq!(incident.state.name(), "closed", "it had resolved while its case was opened");
    let actions = bench.store().actions(&incident.id).await.expect("read");
    let kinds: Vec<_> = actions.iter().map(|action| action.kind.name()).collect();
    assert_eq!(kinds, ["open", "comment", "close"]);
}

async fn what_is_told_waits_for_no_case_and_no_case_for_it(bench: Bench) {
    let told = ClaimRequest { vendor: "notify:chat".into(), ..asking() };
    let due = |bench: &Bench| {
        let store = bench.store().clone();
        async move { store.next_due(&["notify:chat".into()]).await.expect("read") }
    };
    bench.hear(bench.news("a", &["x"]).policy(telling())).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 2).await;
    bench.store().settle(&claim.lease, done_and_told("F-1", 2)).await.expect("settled");
    bench.hear(bench.over("a", &["x"], 3).policy(telling())).await;
    let comment = bench.claim_one(4).await;
    assert_eq!(comment.action.kind.name(), "comment", "what is to be told stands before it");
    assert_eq!(due(&bench).await, Some(at(2)), "although nothing of the case is done");
    let opened = bench.claim_as(told.clone(), 4).await;
    let [opened] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!((opened.action.kind.name(), opened.action.id.seq), ("tell", 2));
    assert!(bench.claim_as(told.clone(), 4).await.is_empty(), "the second waits for the first");
    bench.store().settle(&opened.lease, next(Phase::Send, 500, 5)).await.expect("settled");
    assert_eq!(due(&bench).await, Some(at(500)), "also while that waits for a retry");
    bench.finish(&comment, "F-1", 6).await;
    let close = bench.claim_one(7).await;
    assert_eq!(close.action.kind.name(), "close", "it waits for nobody who is told");
    bench.finish(&close, "F-1", 8).await;
    let dead = Settlement { progress: Progress::Dead, decide: None, ..done("F-1", 501) };
    let opened = bench.claim_as(told.clone(), 500).await.remove(0);
    bench.store().settle(&opened.lease, dead).await.expect("settled");
    let ended = bench.claim_as(told, 502).await;
    assert_eq!(ended.len(), 1, "a dead letter stands in nobody's way: {ended:?}");
    assert_eq!(bench.only_incident().await.state.name(), "closed");
}

async fn actions_of_one_incident_run_in_order(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("a", &["x"], 3)).await;
    let comment = bench.claim_one(4).await;
    assert_eq!(comment.action.kind.name(), "comment");
    assert!(bench.claim(4).await.is_empty(), "the closure waits for the comment");
    bench.store().settle(&comment.lease, next(Phase::Send, 500, 5)).await.expect("settled");
    assert!(bench.claim(6).await.is_empty(), "also while the comment waits for a retry");
    let comment = bench.claim_one(500).await;
    bench.finish(&comment, "F-1", 501).await;
    assert_eq!(bench.claim_one(502).await.action.kind.name(), "close");
}

async fn opens_go_before_comments_and_the_worst_goes_first(bench: Bench) {
    bench.hear(bench.news("old", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("old", &["x"], 3)).await;
    bench.hear(bench.news("minor", &["x"]).at(at(4)).rank(3)).await;
    bench.hear(bench.news("major", &["x"]).at(at(5)).rank(1)).await;
    let order: Vec<_> = bench
        .claim(10)
        .await
        .iter()
        .map(|claim| (claim.action.kind.name(), claim.action.rank.get()))
        .collect();
    assert_eq!(order, [("open", 1), ("open", 3), ("comment", 1)]);
}

async fn only_the_vendors_that_were_asked_for_are_claimed(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let other = bench.claim_as(ClaimRequest { vendor: "other".into(), ..asking() }, 1).await;
    assert!(other.is_empty());
}

async fn a_dead_letter_stays_where_a_person_can_see_it(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 1).await;
    let settlement = Settlement {
        at: at(2),
        attempt: Some(end("refused")),
        progress: Progress::Dead,
        message: "productName 'X' is not available".to_owned(),
        decide: Some(Arc::new(|incident| {
            step(Some(incident), &Event::OpenFailed, &Policy::default(), None, at(2))
        })),
    };
    bench.store().settle(&claim.lease, settlement).await.expect("settled");
    assert_eq!(bench.only_incident().await.state.name(), "failed");
    assert!(bench.claim(1_000_000).await.is_empty());
    let actions = bench.store().actions(&claim.action.id.incident).await.expect("read");
    assert_eq!(actions[0].message.as_deref(), Some("productName 'X' is not available"));
}

async fn timers_are_rows_that_survive_a_restart(mut bench: Bench) {
    let policy = Policy { open_after: Duration::from_secs(300), ..closing() };
    bench.hear(bench.news("a", &["x"]).policy(policy.clone())).await;
    bench.restart().await;
    assert!(bench.store().due_incidents(at(299), 10).await.expect("read").is_empty());
    assert_eq!(bench.next_due().await.expect("read"), Some(at(300)));
    let due = bench.store().due_incidents(at(300), 10).await.expect("read");
    let decide = Arc::new(move |incident: &Incident, _: &Usage| {
        step(Some(incident), &Event::Timer, &policy, None, at(300))
    });
    bench
        .store()
        .advance(&due[0], cause::TIMER, Timestamp::UNIX_EPOCH, decide.clone())
        .await
        .expect("decided")
        .expect("exists");
    assert_eq!(bench.only_incident().await.state.name(), "opening");
    let nobody = IncidentId::from_stored("nobody");
    assert!(
        bench
            .store()
            .advance(&nobody, cause::TIMER, Timestamp::UNIX_EPOCH, decide)
            .await
            .expect("read")
            .is_none()
    );
}

async fn next_due_is_the_earliest_of_actions_leases_and_timers(bench: Bench) {
    assert_eq!(bench.next_due().await.expect("read"), None);
    bench.hear(bench.news("a", &["x"]).at(at(50))).await;
    assert_eq!(bench.next_due().await.expect("read"), Some(at(50)));
    bench.claim_one(50).await;
    assert_eq!(bench.next_due().await.expect("read"), Some(at(110)), "its lease runs out");
    let others = bench.store().next_due(&["somebody-else".into()]).await.expect("read");
    assert_eq!(others, None, "only the vendors that were asked for");
}

async fn the_census_counts_what_there_is(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.hear(bench.news("b", &["x"]).at(at(7))).await;
    let claims = bench.claim(10).await;
    bench.finish(&claims[0], "F-1", 11).await;
    let census = bench.store().census().await.expect("read");
    assert_eq!(census.incidents.get("opening"), Some(&1));
    assert_eq!(census.incidents.get("open"), Some(&1));
    assert_eq!(census.actions.get(&("open".to_owned(), "done".to_owned())), Some(&1));
    assert_eq!(census.unfinished(), 1);
}

async fn a_closed_store_refuses_and_never_pretends(bench: Bench) {
    bench.store().check().await.expect("writable");
    bench.store().close().await;
    assert!(matches!(bench.store().check().await, Err(StoreError::Unavailable(_))));
    let refused = bench.store().ingest(bench.news("a", &["x"]).intake()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
}

async fn a_new_generation_is_another_incident_and_the_old_one_stays(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("a", &["x"], 3)).await;
    let week = 7 * 24 * 60 * 60;
    assert_eq!(bench.hear(bench.news("a", &["x"]).at(at(week))).await, Fate::Accepted);
    let incidents = bench.store().incidents(10).await.expect("read");
    let told: BTreeSet<_> =
        incidents.iter().map(|i| (i.generation, i.state.name(), i.previous_case.clone())).collect();
    assert_eq!(
        told,
        BTreeSet::from([(1, "closed", None), (2, "opening", Some(CaseId::new("F-1")))])
    );
}

const DAY: i64 = 24 * 60 * 60;

impl Bench {
    async fn prune(&self, now: i64) -> Pruned {
        self.store().prune(&Retention::default(), at(now), 500).await.expect("pruned")
    }

    async fn generations(&self) -> Vec<(u32, &'static str)> {
        let mut all: Vec<_> = self
            .store()
            .incidents(100)
            .await
            .expect("read")
            .iter()
            .map(|incident| (incident.generation, incident.state.name()))
            .collect();
        all.sort_unstable();
        all
    }

    /// Opens a case, and closes it: an incident that ended at second 3, with all that belongs to
    /// it done by second 6.
    async fn ended(&self, property: &str, ids: &[&str]) -> IncidentId {
        let mut news = self.news(property, &["x", "y"]);
        for id in ids {
            news = news.redelivery_id(id);
        }
        self.hear(news).await;
        let claim = self.claim_one(1).await;
        self.finish(&claim, "F-1", 2).await;
        self.hear(self.over(property, &["x", "y"], 3)).await;
        for second in [4, 5] {
            let claim = self.claim_one(second).await;
            self.finish(&claim, "F-1", second + 1).await;
        }
        claim.action.id.incident
    }

    async fn left(&self, id: &IncidentId) -> (usize, usize, usize) {
        let incident = self.store().incident(id).await.expect("read").expect("its row stays");
        (
            incident.members.len(),
            self.store().actions(id).await.expect("read").len(),
            self.store().attempts(id).await.expect("read").len(),
        )
    }
}

async fn deliveries_go_after_their_time_and_not_before(bench: Bench) {
    let noted = bench.over("never-fired", &["x"], 0);
    bench.hear(noted).await;
    assert_eq!(bench.prune(30 * DAY).await.deliveries, 0, "just as old as it may be");
    assert_eq!(bench.prune(30 * DAY + 1).await.deliveries, 1);
    assert!(
        bench
            .store()
            .seek_deliveries(&DeliveriesSought::default(), 10)
            .await
            .expect("read")
            .items
            .is_empty()
    );
}

async fn the_delivery_that_began_a_running_incident_stays(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.hear(bench.news("a", &["x"]).at(at(1))).await;
    assert_eq!(bench.prune(300 * DAY).await.deliveries, 1, "the repeat goes");
    let left =
        bench.store().seek_deliveries(&DeliveriesSought::default(), 10).await.expect("read").items;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, bench.only_incident().await.delivery);
}

async fn ids_of_deliveries_stay_as_long_as_a_sender_may_redeliver(bench: Bench) {
    let horizon = Retention { deliveries: Retention::MIN_DELIVERIES, ..Retention::default() };
    bench.ended("a", &["event:1"]).await;
    let prune = |now| bench.store().prune(&horizon, at(now), 500);
    let pruned = prune(7 * DAY).await.expect("pruned");
    assert_eq!((pruned.deliveries > 0, pruned.delivery_ids), (true, 0));
    let again = bench.news("a", &["x"]).redelivery_id("event:1").at(at(7 * DAY));
    assert_eq!(bench.hear(again).await, Fate::Redelivered);
    assert_eq!(prune(7 * DAY + 1).await.expect("pruned").delivery_ids, 1);
}

async fn attempts_of_done_actions_of_ended_incidents_go_after_their_time(bench: Bench) {
    let id = bench.ended("a", &[]).await;
    bench.prune(90 * DAY + 2).await;
    assert_eq!(bench.left(&id).await, (2, 3, 3), "the first finished at second 2");
    assert_eq!(bench.prune(90 * DAY + 3).await.attempts, 1);
    assert_eq!(bench.prune(90 * DAY + 7).await.attempts, 2);
    assert_eq!(bench.left(&id).await, (2, 3, 0));
}

async fn an_ended_incident_keeps_its_row_and_loses_the_rest_after_its_time(bench: Bench) {
    let id = bench.ended("a", &[]).await;
    let kept = bench.prune(400 * DAY + 3).await;
    assert_eq!((kept.members, kept.actions), (0, 0), "it ended at second 3");
    let pruned = bench.prune(400 * DAY + 4).await;
    assert_eq!((pruned.members, pruned.actions, pruned.incidents), (2, 3, 0));
    assert_eq!(bench.left(&id).await, (0, 0, 0));
    assert_eq!(bench.only_incident().await.tally, Tally::default());
    let again = bench.prune(500 * DAY).await;
    assert_eq!(again, Pruned::default(), "nothing is left to do");
}

async fn a_refire_after_pruning_is_the_next_generation_with_a_new_marker(bench: Bench) {
    let old = bench.ended("a", &[]).await;
    bench.prune(500 * DAY).await;
    assert_eq!(bench.hear(bench.news("a", &["x"]).at(at(500 * DAY))).await, Fate::Accepted);
    assert_eq!(bench.generations().await, [(1, "closed"), (2, "opening")]);
    let claim = bench.claim_one(500 * DAY).await;
    assert_ne!(claim.incident.id.marker(), old.marker());
    assert_eq!(claim.incident.previous_case, Some(CaseId::new("F-1")));
    assert_eq!(bench.prune(500 * DAY).await.incidents, 1, "a newer one exists now");
    assert_eq!(bench.generations().await, [(2, "opening")]);
}

async fn nothing_of_a_running_incident_goes(bench: Bench) {
    bench.hear(bench.news("a", &["x", "y"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("a", &["x"], 3)).await;
    let before = bench.only_incident().await;
    let pruned = bench.prune(4_000 * DAY).await;
    assert_eq!((pruned.attempts, pruned.actions, pruned.members, pruned.incidents), (0, 0, 0, 0));
    assert_eq!(bench.only_incident().await, before);
    assert_eq!(bench.left(&before.id).await, (2, 1, 1));
}

async fn unfinished_actions_and_dead_letters_stay_with_their_attempts(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("a", &["x"], 3)).await;
    let id = claim.action.id.incident.clone();
    // The comment has been tried once and waits; the closure waits for it.
    let comment = bench.claim_one(4).await;
    bench.send(&comment, 4).await;
    let retry = Settlement { attempt: Some(end("not_sent")), ..next(Phase::Send, 9, 5) };
    bench.store().settle(&comment.lease, retry).await.expect("settled");
    bench.prune(4_000 * DAY).await;
    assert_eq!(bench.left(&id).await, (1, 3, 2), "a look may still need what was sent");
    let comment = bench.claim_one(9).await;
    let dead = Settlement { progress: Progress::Dead, ..next(Phase::Send, 9, 10) };
    bench.store().settle(&comment.lease, dead).await.expect("settled");
    let close = bench.claim_one(11).await;
    bench.finish(&close, "F-1", 12).await;
    bench.prune(4_000 * DAY).await;
    assert_eq!(bench.left(&id).await, (1, 3, 3), "a person may have the dead letter looked for");
}

async fn pruning_looks_at_a_few_rows_at_a_time_and_comes_to_an_end(bench: Bench) {
    let names: Vec<String> = (0..25).map(|n| format!("x{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.hear(bench.news("a", &names)).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.over("a", &names, 3)).await;
    for second in [4, 5] {
        let claim = bench.claim_one(second).await;
        bench.finish(&claim, "F-1", second + 1).await;
    }
    for n in 0..25 {
        bench.hear(bench.over("never-fired", &["x"], n)).await;
    }
    let horizon = Retention::default();
    let (mut runs, mut members, mut deliveries) = (0, 0, 0);
    loop {
        let pruned = bench.store().prune(&horizon, at(500 * DAY), 10).await.expect("pruned");
        assert!(pruned.tables().iter().all(|(_, gone)| *gone <= 20), "{pruned:?}");
        assert!(pruned.members <= 10 && pruned.deliveries <= 10, "{pruned:?}");
        (runs, members, deliveries) =
            (runs + 1, members + pruned.members, deliveries + pruned.deliveries);
        assert!(runs < 20, "it does not come to an end");
        if !pruned.more {
            break;
        }
    }
    assert_eq!((members, deliveries), (25, 27));
}

/// Two stores live through the same random history; one of them is pruned at random moments.
/// Whoever asks them what they decided hears the same.
async fn pruning_changes_no_decision(bench: Bench) {
    let twin = Bench::sqlite().await;
    let mut seed: u64 = 0x5eed;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let horizon = Retention {
        deliveries: Retention::MIN_DELIVERIES,
        attempts: Retention::MIN_ATTEMPTS,
        incidents: Retention::MIN_INCIDENTS,
        audit: Retention::MIN_AUDIT,
    };
    let (mut now, mut gone, mut cases, mut newest) = (0, 0, 0, 0);
    for _ in 0..600 {
        now += [1, 400, DAY / 3, 9 * DAY, 16 * DAY][draw(5) as usize];
        let property = ["a", "b", "c"][draw(3) as usize];
        match draw(6) {
            0 | 1 => {
                let names = [&["x"][..], &["x", "y"], &["z"]][draw(3) as usize];
                let told = [&bench, &twin].map(|bench| bench.news(property, names).at(at(now)));
                let [one, other] = told;
                assert_eq!(bench.hear(one).await, twin.hear(other).await, "at {now}");
            }
            2 => {
                let one = bench.over(property, &["x", "y", "z"], now);
                let other = twin.over(property, &["x", "y", "z"], now);
                // An end of what ended weeks ago is no news; with or without its alerts.
                bench.hear(one).await;
                twin.hear(other).await;
            }
            3 | 4 => {
                let (claims, others) = (bench.claim(now).await, twin.claim(now).await);
                let told = |claims: &[Claim]| -> Vec<_> {
                    let told = |claim: &Claim| (claim.action.id.clone(), claim.action.clone().kind);
                    claims.iter().map(told).collect()
                };
                assert_eq!(told(&claims), told(&others), "at {now}");
                cases += claims.len();
                for (claim, other) in claims.iter().zip(&others) {
                    let case = format!("F-{}", claim.action.id);
                    bench.finish(claim, &case, now).await;
                    twin.finish(other, &case, now).await;
                }
            }
            _ => {
                let limit = [1, 3, 500][draw(3) as usize];
                let pruned = bench.store().prune(&horizon, at(now), limit).await.expect("pruned");
                gone += pruned.tables().iter().map(|(_, gone)| gone).sum::<u64>();
            }
        }
        let (mut kept, all) = (states(&bench).await, states(&twin).await);
        kept.retain(|key, _| all.contains_key(key));
        for (key, newest) in newest_of(&all) {
            assert_eq!(kept.get(&(key.clone(), newest)), all.get(&(key, newest)), "at {now}");
        }
        newest = all.keys().map(|(_, generation)| *generation).max().unwrap_or(0).max(newest);
    }
    assert!(gone > 200 && cases > 50 && newest > 5, "{gone} rows, {cases} actions, {newest}");
    assert!(states(&bench).await.len() < states(&twin).await.len(), "old generations went");
}

type States = BTreeMap<(IncidentKey, u32), (IncidentId, &'static str, Option<CaseId>, u32, bool)>;

async fn states(bench: &Bench) -> States {
    let all = bench.store().incidents(1_000).await.expect("read");
    let state = |i: &Incident| {
        (i.id.clone(), i.state.name(), i.previous_case.clone(), i.last_seq, i.is_firing())
    };
    all.iter().map(|i| ((i.key.clone(), i.generation), state(i))).collect()
}

fn newest_of(all: &States) -> BTreeMap<IncidentKey, u32> {
    // Sorted: the last of a key stays.
    all.keys().cloned().collect()
}

async fn a_turn_by_age_gives_out_what_has_waited_longest(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.finish(&bench.claim_one(1).await, "F-1", 1).await;
    bench.hear(bench.over("a", &["x"], 2)).await;
    bench.hear(bench.news("b", &["y"]).at(at(3))).await;
    let one = ClaimRequest { limit: 1, ..asking() };
    let by_age = bench.claim_as(ClaimRequest { turn: Turn::Age, ..one.clone() }, 4).await;
    assert_eq!(by_age[0].action.kind.name(), "comment");
    let by_urgency = bench.claim_as(one, 4).await;
    assert_eq!(by_urgency[0].action.kind.name(), "open");
}

async fn what_was_sent_before_is_left_out_where_repeats_are_not_wanted(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.hear(bench.news("b", &["x"])).await;
    let claims = bench.claim(1).await;
    bench.send(&claims[0], 1).await;
    let lost = Phase::Look { looks: 0, unknown_since: at(1) };
    let not_sent = Settlement { attempt: Some(end("not_sent")), ..next(Phase::Send, 2, 2) };
    bench.store().settle(&claims[0].lease, not_sent).await.expect("settled");
    bench.send(&claims[1], 1).await;
    let unknown = Settlement { attempt: Some(end("unknown")), ..next(lost, 2, 2) };
    bench.store().settle(&claims[1].lease, unknown).await.expect("settled");
    let fresh = bench.claim_as(ClaimRequest { repeats: false, ..asking() }, 3).await;
    // To look is not to repeat.
    assert_eq!(fresh.len(), 1);
    assert_eq!(fresh[0].action.phase, lost);
    assert_eq!(bench.claim(3).await.len(), 1);
}

/// The only incident's open action is held.
async fn holding(bench: &Bench) -> Claim {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 1).await;
    let held = Settlement { progress: Progress::Held, ..next(Phase::Send, 0, 2) };
    bench.store().settle(&claim.lease, held).await.expect("settled");
    claim
}

async fn what_is_held_is_given_to_nobody_and_nothing_overtakes_it(mut bench: Bench) {
    let claim = holding(&bench).await;
    assert_eq!(bench.claim(3).await.len(), 0);
    assert_eq!(bench.next_due().await.expect("read"), None);
    assert_eq!(bench.store().census().await.expect("read").unfinished(), 0);
    bench.restart().await;
    let waiting = bench.for_people().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].state, &waiting[0].id), (ActionState::Held, &claim.action.id));
    // Still the incident's one open action: it fires and resolves, and no other is asked for.
    bench.hear(bench.over("a", &["x"], 4)).await;
    bench.hear(bench.news("a", &["x"]).at(at(500))).await;
    assert_eq!(bench.claim(501).await.len(), 0);
}

async fn rechecks_and_files_stand_in_nobodys_way(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.send(&claim, 1).await;
    let file = |name: &str| File { name: name.to_owned(), content: Content::Alerts {} };
    let doubtful = OpenedCase {
        doubtful: true,
        files: vec![file("a"), file("b")],
        ..OpenedCase::only("F-1".into())
    };
    let settlement = Settlement {
        decide: Some(Arc::new(move |incident| {
            step(Some(incident), &Event::CaseOpened(&doubtful), &closing(), None, at(1))
        })),
        ..done("F-1", 1)
    };
    bench.store().settle(&claim.lease, settlement).await.expect("settled");
    let kinds = |claims: Vec<Claim>| {
        let mut kinds: Vec<_> = claims.iter().map(|claim| claim.action.kind.name()).collect();
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(kinds(bench.claim(2).await), ["attach", "attach", "recheck"]);
    // While they are under way, the comment is due, and is given out.
    bench.hear(bench.over("a", &["x"], 3)).await;
    assert_eq!(bench.next_due().await.expect("read"), Some(at(3)));
    assert_eq!(kinds(bench.claim(3).await), ["comment"]);
}

async fn revive(bench: &Bench, claim: &Claim, how: Revival) -> Result<Phase, NotRevived> {
    let decide = Arc::new(|incident: &Incident| {
        step(Some(incident), &Event::OpenRevived, &closing(), None, at(10))
    });
    let revived = bench.store().revive(&claim.action.id, how, at(10), decide).await.expect("asked");
    revived.map(|action| {
        assert_eq!(action.tried_since(), at(10));
        action.phase
    })
}

async fn a_held_action_is_revived_as_a_look_or_as_a_send(bench: Bench) {
    let claim = holding(&bench).await;
    let look = Phase::Look { looks: 0, unknown_since: at(10) };
    assert_eq!(revive(&bench, &claim, Revival::Look).await, Ok(look));
    let again = bench.claim_one(10).await;
    assert_eq!(again.action.phase, look);
    let held = Settlement { progress: Progress::Held, ..next(Phase::Send, 0, 11) };
    bench.store().settle(&again.lease, held).await.expect("settled");
    assert_eq!(revive(&bench, &claim, Revival::Send).await, Ok(Phase::Send));
    assert_eq!(bench.claim_one(10).await.action.phase, Phase::Send);
}

async fn a_failed_incident_is_opening_again_when_its_action_is_revived(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    let dead = Settlement {
        progress: Progress::Dead,
        decide: Some(Arc::new(|incident| {
            step(Some(incident), &Event::OpenFailed, &closing(), None, at(2))
        })),
        ..next(Phase::Send, 0, 2)
    };
    bench.store().settle(&claim.lease, dead).await.expect("settled");
    assert_eq!(bench.only_incident().await.state.name(), "failed");
    // It was never sent, so there is nothing to look for.
    assert_eq!(revive(&bench, &claim, Revival::Look).await, Ok(Phase::Send));
    assert_eq!(bench.only_incident().await.state.name(), "opening");
    bench.finish(&bench.claim_one(10).await, "F-1", 11).await;
    assert_eq!(bench.only_incident().await.state.name(), "open");
}

async fn what_is_alive_gone_or_superseded_is_not_revived(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    let alive = NotRevived::Alive(ActionState::Leased);
    assert_eq!(revive(&bench, &claim, Revival::Send).await, Err(alive));
    let mut unknown = claim.clone();
    unknown.action.id.seq = 9;
    assert_eq!(revive(&bench, &unknown, Revival::Look).await, Err(NotRevived::Unknown));
    // A dead letter whose incident got its case in another way.
    let dead = Settlement { progress: Progress::Dead, ..next(Phase::Send, 0, 2) };
    bench.store().settle(&claim.lease, dead).await.expect("settled");
    let opened = OpenedCase::only("F-1".into());
    let decide = Arc::new(move |incident: &Incident, _: &Usage| {
        step(Some(incident), &Event::CaseOpened(&opened), &closing(), None, at(3))
    });
    bench
        .store()
        .advance(&claim.incident.id, cause::TIMER, Timestamp::UNIX_EPOCH, decide)
        .await
        .expect("advanced");
    assert_eq!(revive(&bench, &claim, Revival::Send).await, Err(NotRevived::Superseded));
    assert_eq!(bench.for_people().await, []);
    let census = bench.store().census().await.expect("read");
    assert_eq!(census.actions.get(&("open".to_owned(), "dead".to_owned())), None);
    assert_eq!(bench.claim(20).await.len(), 0);
}

async fn what_is_blocked_waits_for_a_person_and_is_tried_by_itself_all_the_same(mut bench: Bench) {
    let standing = |census: &Census, standing: &str| {
        census.actions.get(&("open".to_owned(), standing.to_owned())).copied().unwrap_or(0)
    };
    bench.hear(bench.news("a", &["x"])).await;
    let blocked = |due, now| Settlement {
        progress: Progress::Blocked { due: at(due) },
        ..next(Phase::Send, 0, now)
    };
    let claim = bench.claim_one(1).await;
    bench.store().settle(&claim.lease, blocked(100, 2)).await.expect("settled");
    bench.restart().await;
    let waiting = bench.for_people().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].standing(), waiting[0].blocked_at), ("blocked", Some(at(2))));
    let census = bench.store().census().await.expect("read");
    assert_eq!((standing(&census, "blocked"), standing(&census, "ready")), (1, 0));
    assert_eq!(census.unfinished(), 1);
    for (which, count) in [(Which::Blocked, 1), (Which::In(ActionState::Ready), 0)] {
        let found = bench.store().seek_actions(&ActionsSought::that(which), 10).await;
        assert_eq!(found.expect("read").items.len(), count, "{which:?}");
    }

    // It is tried again by itself, and since when it waits is not forgotten by that.
    assert_eq!(bench.claim(99).await.len(), 0);
    let claim = bench.claim_one(100).await;
    bench.store().settle(&claim.lease, blocked(1_000, 101)).await.expect("settled");
    assert_eq!(bench.for_people().await[0].blocked_at, Some(at(2)));
    // And at once, where what it is made of may have been mended.
    bench.store().unblock(at(102)).await.expect("unblocked");
    let claim = bench.claim_one(102).await;
    bench.store().settle(&claim.lease, blocked(2_000, 103)).await.expect("settled");
    assert_eq!(revive(&bench, &claim, Revival::Look).await, Ok(Phase::Send), "never sent");
    assert_eq!(bench.for_people().await, []);
    bench.finish(&bench.claim_one(104).await, "F-1", 105).await;
    let census = bench.store().census().await.expect("read");
    assert_eq!((standing(&census, "blocked"), standing(&census, "done")), (0, 1));
}

async fn what_is_not_blocked_is_not_hurried(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.store().settle(&claim.lease, next(Phase::Send, 100, 2)).await.expect("settled");
    bench.store().unblock(at(3)).await.expect("unblocked");
    assert_eq!(bench.claim(4).await.len(), 0);
    let alive = NotRevived::Alive(ActionState::Ready);
    assert_eq!(revive(&bench, &claim, Revival::Send).await, Err(alive));
}

async fn what_a_vendor_accepts_survives_a_restart_and_is_each_vendors_own(mut bench: Bench) {
    assert_eq!(bench.store().catalog(&vendor()).await.expect("read"), None);
    let whole = |solution: &str| {
        let catalog = Catalog { solutions: vec![solution.to_owned()], ..Catalog::default() };
        let mut whole = VendorCatalog { complete: true, ..VendorCatalog::default() };
        whole.put(&"A-1".into(), "PROFESSIONAL_SERVICES", Page { read_at: at(1), catalog });
        whole
    };
    let (first, _) = KeptCatalog::after(None, whole("Web"), at(1));
    bench.store().keep_catalog(&vendor(), &first).await.expect("kept");
    let (other, _) = KeptCatalog::after(None, whole("Mail"), at(1));
    bench.store().keep_catalog(&"other".into(), &other).await.expect("kept");
    let (second, changes) = KeptCatalog::after(Some(first), whole("Media"), at(2));
    assert_eq!((second.before.is_some(), changes.len()), (true, 2));
    bench.store().keep_catalog(&vendor(), &second).await.expect("kept");
    bench.restart().await;
    assert_eq!(bench.store().catalog(&vendor()).await.expect("read"), Some(second));
    assert_eq!(bench.store().catalog(&"other".into()).await.expect("read"), Some(other));
}

async fn what_is_known_of_a_vendor_survives_a_restart(mut bench: Bench) {
    assert_eq!(bench.store().gate(&vendor()).await.expect("read"), None);
    let mut gate = Gate::default();
    for _ in 0..5 {
        gate.hear(Sign::Bad, &Breaker::default(), at(1), 0.5);
    }
    assert_eq!(gate.name(at(1)), "tripped");
    bench.store().keep_gate(&vendor(), &Gate::default(), at(1)).await.expect("kept");
    bench.store().keep_gate(&vendor(), &gate, at(1)).await.expect("kept");
    bench.restart().await;
    assert_eq!(bench.store().gate(&vendor()).await.expect("read"), Some(gate));
    assert_eq!(bench.store().gate(&"other".into()).await.expect("read"), None);
}

/// Alerts may belong to incidents to which rules do not lead any more.
async fn an_alert_that_is_followed_brings_the_incident_in_which_it_fires(bench: Bench) {
    bench.hear(bench.news("a", &["x", "y"])).await;
    let homes = async |followed: Followed, source: &str, wanted: &str| -> usize {
        let found = Arc::new(Mutex::new(0));
        let mut intake = bench.news(wanted, &["x"]).intake();
        let (seen, mut alert) = (found.clone(), firing("x"));
        alert.source = source.into();
        intake.delivery.source = source.into();
        intake.followed = followed;
        intake.decide = Arc::new(move |known: &Known| {
            *seen.lock().expect("not poisoned") = known.homes(&alert).len();
            let (verdicts, steps) = (Vec::new(), Vec::new());
            Decision { fate: Fate::Noted, note: None, verdicts, steps }
        });
        bench.store().ingest(intake).await.expect("taken in");
        *found.lock().expect("not poisoned")
    };
    let stranger = || Followed { strangers: vec!["x".into()], ..Followed::default() };
    let always = || Followed { always: vec!["x".into()], ..Followed::default() };
    assert_eq!(homes(Followed::default(), "alertmanager", "b").await, 0, "it was not asked for");
    assert_eq!(homes(stranger(), "alertmanager", "b").await, 1);
    assert_eq!(homes(stranger(), "alertmanager", "a").await, 1, "it is at home there");
    assert_eq!(homes(always(), "alertmanager", "b").await, 1);
    assert_eq!(homes(always(), "another", "b").await, 0, "fingerprints are a source's own");
    bench.hear(bench.over("a", &["x"], 5)).await;
    assert_eq!(homes(always(), "alertmanager", "b").await, 0, "it has ended");
}

/// Of a sender that orders its events, what has ended may come back.
async fn an_alert_that_may_return_brings_the_incident_in_which_it_has_ended(bench: Bench) {
    let seen = async |followed: Followed, source: &str| -> Vec<(String, u32)> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let mut intake = bench.news("elsewhere", &["x"]).intake();
        let (told, mut alert) = (found.clone(), firing("x"));
        alert.source = source.into();
        intake.delivery.source = source.into();
        intake.followed = followed;
        intake.decide = Arc::new(move |known: &Known| {
            let homes = known.former_homes(&alert).into_iter();
            *told.lock().expect("not poisoned") = homes
                .map(|(home, _)| (home.key.identity.as_str().to_owned(), home.generation))
                .collect();
            let (verdicts, steps) = (Vec::new(), Vec::new());
            Decision { fate: Fate::Noted, note: None, verdicts, steps }
        });
        bench.store().ingest(intake).await.expect("taken in");
        std::mem::take(&mut *found.lock().expect("not poisoned"))
    };
    let returning = || Followed { returning: vec!["x".into()], ..Followed::default() };
    bench.hear(bench.news("snapshots", &["x"])).await;
    bench.hear(bench.over("snapshots", &["x"], 5)).await;
    assert_eq!(seen(returning(), "alertmanager").await, [], "it has no order of its own");
    let hear = async |second: i64, ended: bool| {
        let mut alert = firing("x");
        alert.occurred_at = Some(at(second));
        if ended {
            alert.status = casewright::domain::alert::AlertStatus::Resolved;
        }
        let patient = Policy { open_after: Duration::from_secs(600), ..closing() };
        let installation = bench.store().installation();
        let news = News::of(installation, key("edge", "events"), vec![alert]);
        bench.hear(news.policy(patient).at(at(second))).await;
    };
    hear(10, false).await;
    assert_eq!(seen(returning(), "alertmanager").await, [], "it fires");
    hear(20, true).await;
    let generations = async || -> Vec<u32> {
        let homes = seen(returning(), "alertmanager").await.into_iter();
        homes.map(|(_, generation)| generation).collect()
    };
    assert_eq!(generations().await, [1]);
    assert_eq!(seen(Followed::default(), "alertmanager").await, [], "it was not asked for");
    assert_eq!(seen(returning(), "another").await, [], "fingerprints are a source's own");
    // A later generation takes its place.
    hear(30, false).await;
    hear(40, true).await;
    assert_eq!(generations().await, [2]);
}

async fn what_a_payload_has_left_out_is_kept_until_it_is_told(bench: Bench) {
    let left_out = async || bench.only_incident().await.left_out;
    bench.hear(bench.news("a", &["x"])).await;
    assert_eq!(left_out().await, None);
    bench.hear(bench.over("a", &["x"], 5).truncated()).await;
    assert_eq!(left_out().await, Some(firing("x").group));
    bench.hear(bench.over("a", &["x"], 5)).await;
    assert_eq!(left_out().await, None);
}

async fn a_decision_that_opens_knows_what_was_opened_and_what_waits(bench: Bench) {
    bench.hear(bench.news("a", &["x"]).at(at(10))).await;
    bench.hear(bench.news("b", &["x"]).at(at(20))).await;
    bench.hear(bench.news("c", &["x"]).restrained(Hold::Budget)).await;
    let told = async |since: i64, cases: u32| -> Option<String> {
        let why = Arc::new(Mutex::new(None));
        let (seen, ask) = (why.clone(), bench.news("d", &["x"]).intake());
        let (rule, per) = (RuleName::new("edge"), Duration::from_secs(100));
        let limit = Limit { cases, per, overflow: Overflow::Hold };
        let decide = ask.decide.clone();
        let intake = Intake {
            budget_since: at(since),
            decide: Arc::new(move |known: &Known| {
                let budgets = Budgets { rule: &rule, total: None, of_rule: &|_| Some(limit) };
                let exceeded = budgets.exceeded(&known.usage, storm::Turn::Newcomer, at(50));
                *seen.lock().expect("not poisoned") = exceeded.map(|exceeded| exceeded.why);
                let asked = decide(known);
                Decision { steps: asked.steps.into_iter().map(opens_nothing).collect(), ..asked }
            }),
            ..ask
        };
        bench.store().ingest(intake).await.expect("taken in");
        why.lock().expect("not poisoned").clone()
    };
    assert_eq!(told(0, 2).await.as_deref(), Some("2 of 2 cases in 1m40s used by rule edge"));
    let waits = "2 of 3 cases in 1m40s used by rule edge, and 1 incidents wait already";
    assert_eq!(told(0, 3).await.as_deref(), Some(waits));
    assert_eq!(told(0, 9).await, None);
    let later = "1 of 1 cases in 1m40s used by rule edge";
    assert_eq!(told(10, 1).await.as_deref(), Some(later), "what was opened before is not counted");
}

/// Asks for an opening as far as the store sees, and changes nothing.
fn opens_nothing(step: Step) -> Step {
    Step { changed: false, ..step }
}

async fn what_waits_for_the_budget_comes_worst_and_oldest_first(bench: Bench) {
    let waits = async |property: &str, rule: &str, rank: u64, now: i64| {
        let key = key(rule, property);
        let news = News::of(bench.store().installation(), key, vec![firing("x")]);
        bench.hear(news.at(at(now)).rank(rank).restrained(Hold::Budget)).await;
    };
    waits("a", "edge", 3, 1).await;
    waits("b", "edge", 1, 3).await;
    waits("c", "edge", 1, 2).await;
    waits("d", "dns", 2, 4).await;
    bench.hear(bench.news("e", &["x"]).restrained(Hold::Mute)).await;
    let order = async |limit| -> Vec<(u64, i64)> {
        let mut order = Vec::new();
        for id in bench.store().over_budget(limit).await.expect("read") {
            let incident = bench.store().incident(&id).await.expect("read").expect("exists");
            order.push((
                incident.rank.get().into(),
                incident.created_at.as_second() - at(0).as_second(),
            ));
        }
        order
    };
    assert_eq!(order(10).await, [(1, 2), (1, 3), (2, 4), (3, 1)]);
    assert_eq!(order(1).await, [(1, 2), (2, 4)], "of each rule so many");
}

async fn a_roll_call_tells_who_joins_and_who_leaves(bench: Bench) {
    let held = async |property: &str, rank: u64, now: i64| {
        let news = bench.news(property, &["x"]).at(at(now)).rank(rank);
        bench.hear(news.restrained(Hold::Rollup)).await;
    };
    let wanted = |call: &RollCall| Wanted { key: rollup::key(&call.rule), members: call.members() };
    // As the dispatcher does it.
    let tell = async |call: RollCall, now: i64| {
        let (installation, asked) = (bench.store().installation().clone(), wanted(&call));
        let decide = Arc::new(move |current: Option<&Incident>| {
            let birth = Birth {
                installation: installation.clone(),
                key: rollup::key(&call.rule),
                rule: call.rule.clone(),
                vendor: "akamai".into(),
                delivery: "d".into(),
            };
            let alerts = call.news(|incident| incident.origin.labels.clone());
            let event =
                Event::Alerts { alerts: &alerts, truncated: false, leave: None, birth: &birth };
            Some(step(current, &event, &closing().of_rollup(), None, at(now)))
        });
        bench.store().advance_newest(&asked, cause::ROLLUP, decide).await.expect("kept")
    };
    let calls = async || bench.store().roll_calls(100).await.expect("read");
    assert_eq!(calls().await, []);
    held("a", 3, 1).await;
    held("b", 2, 2).await;
    bench.hear(bench.news("c", &["x"]).restrained(Hold::Budget)).await;
    let [call] = calls().await.try_into().expect("one rule");
    assert_eq!(call.rule.as_str(), "edge");
    let ranks: Vec<u8> = call.joins.iter().map(|incident| incident.rank.get()).collect();
    assert_eq!((ranks, call.leaves.len()), (vec![2, 3], 0));
    let one = bench.store().roll_calls(1).await.expect("read");
    assert_eq!(one[0].joins.len(), 1, "no more than asked for");
    let joined = call.joins[1].clone();
    let step = tell(call, 5).await.expect("decided");
    let rollup = step.incident.expect("it began");
    assert_eq!((rollup.state.name(), rollup.tally.firing), ("opening", 2));
    assert_eq!(calls().await, [], "all is told");

    // One becomes worse, one ends, and the roll-up knows them by name.
    bench.hear(bench.news("a", &["y"]).at(at(6)).rank(1).restrained(Hold::Rollup)).await;
    bench.hear(bench.over("b", &["x"], 7)).await;
    let [call] = calls().await.try_into().expect("one rule");
    assert_eq!(call.joins.len(), 1);
    assert_eq!((call.joins[0].id.clone(), call.leaves.len()), (joined.id, 1));
    let rollup = tell(call, 8).await.expect("decided").incident.expect("there");
    assert_eq!((rollup.tally.firing, rollup.tally.resolved, rollup.rank.get()), (1, 1, 1));
    assert_eq!(calls().await, []);

    // It takes no room in the budget.
    let usage = Arc::new(Mutex::new(None));
    let seen = usage.clone();
    let decide: BudgetedFn = Arc::new(move |incident, usage| {
        *seen.lock().expect("not poisoned") = Some(usage.clone());
        step_of_nothing(incident)
    });
    let since = at(-1_000);
    bench.store().advance(&rollup.id, cause::TIMER, since, decide).await.expect("asked");
    let usage = usage.lock().expect("not poisoned").clone().expect("asked");
    let limit = Limit { cases: 1, per: Duration::from_secs(100), overflow: Overflow::Rollup };
    let (rule, turn) = (RuleName::new("edge"), storm::Turn::First);
    let budgets = Budgets { rule: &rule, total: None, of_rule: &|_| Some(limit) };
    assert_eq!(budgets.exceeded(&usage, turn, at(9)), None);
}

fn step_of_nothing(incident: &Incident) -> Step {
    step(Some(incident), &Event::OpenRevived, &closing(), None, at(0))
}

async fn what_was_decided_is_kept_and_repeats_are_not(bench: Bench) {
    bench.hear(bench.news("a", &["x"]).restrained(Hold::Mute)).await;
    for now in 1..4 {
        bench.hear(bench.news("a", &["x"]).at(at(now)).restrained(Hold::Mute)).await;
    }
    bench.hear(bench.over("a", &["x"], 5)).await;
    let id = bench.only_incident().await.id;
    let decided = bench.store().decisions(&id).await.expect("read");
    let told: Vec<_> =
        decided.iter().map(|d| (d.at, d.state.as_str(), d.reason.as_str())).collect();
    let dropped = "resolved before a case was opened";
    assert_eq!(told, [(at(0), "held", "held (mute): so it is"), (at(5), "dropped", dropped)]);
    assert!(decided[0].cause.starts_with("d-"), "{decided:?}");
}

async fn a_mute_counts_until_it_ends_or_is_lifted(mut bench: Bench) {
    let mute = |id: &str, until: i64| Mute {
        id: id.to_owned(),
        rule: Some("edge".into()),
        until: at(until),
        reason: "the origin moves".to_owned(),
        made_by: "local".to_owned(),
        created_at: at(0),
    };
    bench.store().mute(&mute("late", 200)).await.expect("kept");
    bench.store().mute(&mute("soon", 100)).await.expect("kept");
    bench.hear(bench.news("a", &["x"]).restrained(Hold::Mute)).await;
    bench.restart().await;
    let ids = async |bench: &Bench, now: i64| -> Vec<String> {
        let mutes = bench.store().mutes(at(now)).await.expect("read");
        mutes.into_iter().map(|mute| mute.id).collect()
    };
    assert_eq!(ids(&bench, 99).await, ["soon", "late"]);
    assert_eq!(ids(&bench, 100).await, ["late"]);
    assert_eq!(bench.store().mutes(at(0)).await.expect("read")[1], mute("late", 200));
    assert!(bench.store().unmute("late", at(50)).await.expect("written"));
    assert!(!bench.store().unmute("late", at(50)).await.expect("written"), "it is gone");
    assert_eq!(ids(&bench, 50).await, ["soon"]);
    let due = bench.store().due_incidents(at(50), 10).await.expect("read");
    assert_eq!(due, [bench.only_incident().await.id], "what was held is looked at again");
}

async fn silence_in_which_nobody_listened_is_forgiven(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.hear(bench.news("b", &["x"]).at(at(50))).await;
    assert_eq!(bench.store().last_heard().await.expect("read"), Some(at(50)));
    bench.store().forgive_silence(Duration::from_secs(30), at(60)).await.expect("written");
    let mut heard: Vec<_> = bench.store().incidents(10).await.expect("read");
    heard.sort_by_key(|incident| incident.created_at);
    let heard: Vec<_> = heard.into_iter().map(|incident| incident.heard_at).collect();
    assert_eq!(heard, [at(30), at(60)], "and nobody was heard later than now");
}

async fn incidents_are_found_by_what_is_known_of_them(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.news("b", &["y"]).at(at(3)).restrained(Hold::Approval)).await;
    let of = async |what: &str| -> Vec<&'static str> {
        let found = bench.store().about(what, 10).await.expect("read");
        found.iter().map(|incident| incident.state.name()).collect()
    };
    let id = claim.action.id.incident.to_string();
    for what in [id.as_str(), &id[..12], "F-1", "x"] {
        assert_eq!(of(what).await, ["open"], "{what}");
    }
    assert_eq!(of("edge").await, ["held", "open"], "the newest first");
    assert_eq!(of("y").await, ["held"]);
    for what in ["", "F-", "z", &id[..7], "%"] {
        assert!(of(what).await.is_empty(), "{what}");
    }
}

/// All pages of a list, each with so many rows, by what tells its rows apart.
macro_rules! every_page {
    ($bench:expr, $seek:ident, $sought:expr, $limit:expr, $tell:expr) => {{
        let (mut rows, mut sought) = (Vec::new(), $sought);
        loop {
            let page = $bench.store().$seek(&sought, $limit).await.expect("read");
            assert!(page.items.len() <= $limit as usize);
            rows.extend(page.items.into_iter().map($tell));
            match page.next {
                Some(next) => sought.after = Some(next),
                None => break rows,
            }
        }
    }};
}

fn labelled(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

/// Texts that somebody may look for and that mean nothing, whatever they look like.
const HOSTILE: [&str; 9] =
    ["'", "\"", "%", "_", "\\", "' OR 1=1 --", "\0", "$.labels", "\u{202e}😀"];

async fn incidents_are_paged_through_by_what_is_asked_for(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    for (place, property) in ["b", "c", "d"].into_iter().enumerate() {
        let then = 3 + i64::try_from(place / 2).expect("small");
        bench.hear(bench.news(property, &["y"]).at(at(then)).restrained(Hold::Approval)).await;
    }
    let count = async |sought: Sought| {
        let all = every_page!(bench, seek, sought.clone(), 10, |one: Incident| one.id);
        let by_one = every_page!(bench, seek, sought, 1, |one: Incident| one.id);
        assert_eq!(all, by_one, "pages of any size are the same list");
        all.len()
    };
    let sought = Sought::default;
    assert_eq!(count(sought()).await, 4);
    for (wanted, what) in [
        (3, Sought { state: Some("held"), ..sought() }),
        (3, Sought { state: Some("held"), rule: Some("edge".into()), ..sought() }),
        (0, Sought { rule: Some("dns".into()), ..sought() }),
        (4, Sought { vendor: Some(vendor()), ..sought() }),
        (0, Sought { vendor: Some("other".into()), ..sought() }),
        (1, Sought { has_case: Some(true), ..sought() }),
        (3, Sought { has_case: Some(false), ..sought() }),
        (3, Sought { title: Some("Y".to_owned()), ..sought() }),
        (1, Sought { labels: labelled("alertname", "x"), ..sought() }),
        (4, Sought { labels: labelled("nowhere", ""), ..sought() }),
        (1, Sought { span: Span { since: None, until: Some(at(3)) }, ..sought() }),
        (2, Sought { span: Span { since: Some(at(3)), until: Some(at(4)) }, ..sought() }),
    ] {
        assert_eq!(count(what.clone()).await, wanted, "{what:?}");
    }
    for text in HOSTILE {
        assert_eq!(count(Sought { title: Some(text.to_owned()), ..sought() }).await, 0, "{text}");
        assert_eq!(count(Sought { rule: Some(text.into()), ..sought() }).await, 0, "{text}");
        assert_eq!(count(Sought { vendor: Some(text.into()), ..sought() }).await, 0, "{text}");
        assert_eq!(count(Sought { labels: labelled(text, text), ..sought() }).await, 0, "{text}");
    }
}

async fn what_comes_in_meanwhile_moves_no_page(bench: Bench) {
    for (place, property) in ["a", "b", "c"].into_iter().enumerate() {
        let then = i64::try_from(place).expect("small");
        bench.hear(bench.news(property, &["x"]).at(at(then))).await;
    }
    let whole = bench.store().seek(&Sought::default(), 10).await.expect("read");
    let first = bench.store().seek(&Sought::default(), 2).await.expect("read");
    bench.hear(bench.news("d", &["x"]).at(at(9))).await;
    let rest = Sought { after: first.next, ..Sought::default() };
    let rest = bench.store().seek(&rest, 10).await.expect("read");
    let seen: Vec<_> = first.items.into_iter().chain(rest.items).map(|one| one.id).collect();
    assert_eq!(seen, whole.items.into_iter().map(|one| one.id).collect::<Vec<_>>());
}

async fn alerts_are_paged_through_by_what_is_asked_for(bench: Bench) {
    bench.hear(bench.news("a", &["x", "y"])).await;
    bench.hear(bench.news("b", &["z"]).at(at(5))).await;
    bench.hear(bench.over("a", &["x"], 10)).await;
    let names = async |sought: AlertsSought| {
        let tell = |one: AlertOf| one.member.alert.name().to_owned();
        let all = every_page!(bench, seek_alerts, sought.clone(), 10, tell);
        assert_eq!(all, every_page!(bench, seek_alerts, sought, 1, tell));
        all
    };
    let sought = AlertsSought::default;
    assert_eq!(names(sought()).await, ["x", "z", "y"], "those that changed last first");
    let firing = AlertsSought { firing: Some(true), ..sought() };
    assert_eq!(names(firing).await, ["z", "y"]);
    let resolved = AlertsSought { firing: Some(false), ..sought() };
    assert_eq!(names(resolved).await, ["x"]);
    let fingerprint = firing_fingerprint(&bench).await;
    let one = AlertsSought { fingerprint: Some(fingerprint.clone()), ..sought() };
    assert_eq!(names(one.clone()).await.len(), 1);
    assert_eq!(names(AlertsSought { labels: labelled("alertname", "z"), ..sought() }).await, ["z"]);
    assert_eq!(names(AlertsSought { source: Some("other".into()), ..sought() }).await, [""; 0]);
    let late = Span { since: Some(at(5)), until: None };
    assert_eq!(names(AlertsSought { span: late, ..sought() }).await, ["x", "z"]);
    for text in HOSTILE {
        let odd = AlertsSought { fingerprint: Some(text.into()), ..sought() };
        assert_eq!(names(odd).await, [""; 0], "{text}");
        let odd = AlertsSought { labels: labelled(text, text), ..sought() };
        assert_eq!(names(odd).await, [""; 0], "{text}");
    }
}

async fn firing_fingerprint(bench: &Bench) -> Fingerprint {
    let all = bench.store().seek_alerts(&AlertsSought::default(), 10).await.expect("read");
    all.items.into_iter().next().expect("one").member.alert.fingerprint
}

async fn cases_are_paged_through_by_how_they_stand_at_the_vendor(bench: Bench) {
    let first = bench.opened("a", "F-1").await;
    let second = bench.opened("b", "F-2").await;
    bench.opened("c", "F-3").await;
    assert!(bench.keep(&first, &told("F-1", "CLOSED", &[], 50)).await);
    let mut waits = told("F-2", "ASSIGNED", &[], 50);
    waits.view.next_action = Some(NextAction::Customer);
    assert!(bench.keep(&second, &waits).await);
    let numbers = async |sought: CasesSought| {
        let tell = |one: CaseOf| one.case.to_string();
        let mut all = every_page!(bench, seek_cases, sought.clone(), 10, tell);
        assert_eq!(all, every_page!(bench, seek_cases, sought, 1, tell));
        all.sort();
        all
    };
    let sought = CasesSought::default;
    assert_eq!(numbers(sought()).await, ["F-1", "F-2", "F-3"]);
    assert_eq!(numbers(CasesSought { open: Some(true), ..sought() }).await, ["F-2", "F-3"]);
    assert_eq!(numbers(CasesSought { open: Some(false), ..sought() }).await, ["F-1"]);
    assert_eq!(numbers(CasesSought { waits_for_us: Some(true), ..sought() }).await, ["F-2"]);
    let assigned = Some("assigned".to_owned());
    assert_eq!(numbers(CasesSought { status: assigned, ..sought() }).await, ["F-2"]);
    assert_eq!(numbers(CasesSought { vendor: Some("other".into()), ..sought() }).await, [""; 0]);
    assert_eq!(numbers(CasesSought { rule: Some("dns".into()), ..sought() }).await, [""; 0]);
    for text in HOSTILE {
        let odd = CasesSought { status: Some(text.to_owned()), ..sought() };
        assert_eq!(numbers(odd).await, [""; 0], "{text}");
    }
}

async fn actions_are_paged_through_with_their_last_attempts(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    let claim = bench.claim_one(1).await;
    bench.finish(&claim, "F-1", 2).await;
    bench.hear(bench.news("b", &["y"]).at(at(3))).await;
    bench.hear(bench.over("a", &["x"], 4)).await;
    let of = async |sought: ActionsSought| {
        let tell = |one: ActionOf| (one.action.id, one.last.map(|last| last.outcome));
        let all = every_page!(bench, seek_actions, sought.clone(), 10, tell);
        assert_eq!(all, every_page!(bench, seek_actions, sought, 1, tell));
        all
    };
    let all = || ActionsSought::that(Which::All);
    let everything = of(all()).await;
    assert!(everything.len() >= 3, "{everything:?}");
    assert_eq!(everything.last().expect("some").1.as_deref(), Some("done"), "the oldest is last");
    let done = of(ActionsSought::that(Which::In(ActionState::Done))).await;
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(of(ActionsSought::that(Which::ForPeople)).await.len(), 0);
    assert_eq!(of(ActionsSought { kind: Some("open"), ..all() }).await.len(), 2);
    let own = claim.action.id.incident.clone();
    let own = of(ActionsSought { incident: Some(own), ..all() }).await;
    assert_eq!(own.len(), everything.len() - 1, "{own:?}");
    assert_eq!(of(ActionsSought { vendor: Some("other".into()), ..all() }).await.len(), 0);
    for text in HOSTILE {
        let odd = ActionsSought { incident: Some(IncidentId::from_stored(text)), ..all() };
        assert_eq!(of(odd).await.len(), 0, "{text}");
    }
}

async fn deliveries_are_paged_through_and_kept_with_their_bodies(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    assert_eq!(bench.hear(bench.news("a", &["x"]).at(at(1))).await, Fate::Repeat);
    bench.hear(bench.news("b", &["x"]).at(at(2))).await;
    let of = async |sought: DeliveriesSought| {
        let tell = |one: DeliveryRecord| one;
        let all = every_page!(bench, seek_deliveries, sought.clone(), 10, tell);
        assert_eq!(all, every_page!(bench, seek_deliveries, sought, 1, tell));
        all
    };
    let sought = DeliveriesSought::default;
    let all = of(sought()).await;
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by(|one, next| one.received_at >= next.received_at));
    for (fate, count) in [(Fate::Accepted, 2), (Fate::Repeat, 1), (Fate::Unusable, 0)] {
        assert_eq!(of(DeliveriesSought { fate: Some(fate), ..sought() }).await.len(), count);
    }
    assert_eq!(of(DeliveriesSought { source: Some("x".into()), ..sought() }).await.len(), 0);
    let late = Span { since: Some(at(2)), until: None };
    assert_eq!(of(DeliveriesSought { span: late, ..sought() }).await.len(), 1);
    for (record, kept) in all.iter().zip([true, false, true]) {
        let found = bench.store().delivery(&record.id).await.expect("read").expect("there");
        assert_eq!((&found.record, found.body.is_some()), (record, kept));
    }
    assert_eq!(bench.store().delivery(&"nothing".into()).await.expect("read"), None);
}

fn subject(text: &str) -> DraftEdit {
    DraftEdit { subject: Some(text.to_owned()), ..DraftEdit::default() }
}

async fn a_draft_is_edited_by_who_has_seen_it_and_only_before_its_case(mut bench: Bench) {
    bench.hear(bench.news("a", &["x"]).restrained(Hold::Approval)).await;
    let id = bench.only_incident().await.id;
    let edit = async |bench: &Bench, seen, text: &str| {
        bench.store().edit_draft(&id, seen, &subject(text), "ops", at(5)).await.expect("kept")
    };
    assert_eq!(bench.store().edited_draft(&id).await.expect("read"), None);
    assert_eq!(edit(&bench, 0, "one").await.expect("edited").edits, 1);
    assert_eq!(edit(&bench, 0, "two").await, Err(NotEdited::Moved), "somebody was quicker");
    assert_eq!(edit(&bench, 1, "three").await.expect("edited").edits, 2);
    bench.restart().await;
    let kept = bench.store().edited_draft(&id).await.expect("read").expect("there");
    assert_eq!((kept.edit, kept.by.as_str(), kept.at), (subject("three"), "ops", at(5)));
    let decisions = bench.store().decisions(&id).await.expect("read");
    let last = decisions.last().expect("some");
    assert_eq!((last.state.as_str(), last.cause.as_str()), ("held", "person ops"));
    assert!(last.reason.contains("edited: subject"), "{last:?}");

    let approve: BudgetedFn = Arc::new(|incident: &Incident, _: &Usage| {
        step(Some(incident), &Event::Approved, &Policy::default(), None, at(6))
    });
    let advance = async |seen| {
        let advance =
            bench.store().advance_as_seen(&id, seen, "person ops", at(6), approve.clone());
        advance.await.expect("the store works").map(|step| step.changed)
    };
    assert_eq!(advance(1).await, Err(NotEdited::Moved), "it was not seen");
    assert_eq!(bench.only_incident().await.state.name(), "held");
    assert_eq!(advance(2).await, Ok(true));
    assert_eq!(edit(&bench, 2, "four").await, Err(NotEdited::NotWaiting("opening".to_owned())));
    let nobody = IncidentId::from_stored("nothing");
    let edit = bench.store().edit_draft(&nobody, 0, &subject("x"), "ops", at(5)).await;
    assert_eq!(edit.expect("the store works"), Err(NotEdited::Unknown));
}

fn remark(id: &str, text: &str) -> VendorComment {
    VendorComment {
        id: id.to_owned(),
        author: "Support".to_owned(),
        at: Some(at(9)),
        kind: "EMAIL".to_owned(),
        text: text.to_owned(),
    }
}

/// What a vendor says of a case.
fn told(case: &str, status: &str, comments: &[&str], now: i64) -> KeptCase {
    let view = CaseView {
        status: Some(CaseStatus::parse(status)),
        next_action: Some(NextAction::Customer),
        opened_at: Some(at(1)),
        updated_at: Some(at(2)),
        resolved_at: None,
        closed_at: Some(at(3)),
        first_response: Some(7),
        version: Some("as listed".to_owned()),
        comments: comments.iter().map(|id| remark(id, "Hello")).collect(),
    };
    KeptCase { case: CaseId::new(case), view, checked_at: at(now) }
}

impl Bench {
    /// An incident whose case is open.
    async fn opened(&self, property: &str, case: &str) -> IncidentId {
        self.hear(self.news(property, &["x"])).await;
        let claim = self.claim_one(1).await;
        self.finish(&claim, case, 2).await;
        claim.action.id.incident
    }

    async fn keep(&self, incident: &IncidentId, kept: &KeptCase) -> bool {
        self.store().keep_case(incident, kept, None).await.expect("written").is_some()
    }

    async fn kept(&self, incident: &IncidentId) -> Option<KeptCase> {
        self.store().kept_case(incident).await.expect("read")
    }

    /// The cases that are worth watching of what ended after `since`, and whether they were read.
    async fn watched(&self, since: i64) -> Vec<(String, bool)> {
        let open = self.store().open_cases(&vendor(), at(since), 10).await.expect("read");
        open.into_iter().map(|open| (open.case.to_string(), open.known.is_some())).collect()
    }
}

async fn what_a_vendor_says_of_a_case_survives_a_restart(mut bench: Bench) {
    let id = bench.opened("a", "F-1").await;
    assert_eq!(bench.kept(&id).await, None);
    let first = told("F-1", "Escalated", &["c-1", "c-2"], 10);
    assert!(bench.keep(&id, &first).await);
    bench.restart().await;
    assert_eq!(bench.kept(&id).await, Some(first));
    let open = bench.store().open_cases(&vendor(), at(0), 10).await.expect("read").remove(0);
    let known = told("F-1", "Escalated", &[], 10).view;
    assert_eq!((open.known, open.goes_on), (Some(known), true));
    assert_eq!(open.last_comment.as_deref(), Some("c-2"));
    assert_eq!((open.incident, open.since), (id.clone(), at(0)));

    // Comments add up; one that is known is not kept twice.
    assert!(bench.keep(&id, &told("F-1", "CLOSED", &["c-2", "c-3"], 20)).await);
    let kept = bench.kept(&id).await.expect("kept");
    let ids: Vec<_> = kept.view.comments.iter().map(|comment| comment.id.as_str()).collect();
    assert_eq!(ids, ["c-1", "c-2", "c-3"]);
    assert_eq!((kept.view.status, kept.checked_at), (Some(CaseStatus::Closed), at(20)));
    bench.store().confirm_cases(std::slice::from_ref(&id), at(30)).await.expect("written");
    assert_eq!(bench.kept(&id).await.map(|kept| kept.checked_at), Some(at(30)));
}

async fn only_the_newest_comments_of_a_case_are_kept(bench: Bench) {
    let id = bench.opened("a", "F-1").await;
    for turn in 0..2 {
        let names: Vec<String> = (0..COMMENTS - 5).map(|n| format!("c-{turn}-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(bench.keep(&id, &told("F-1", "CREATED", &names, 10)).await);
    }
    let kept = bench.kept(&id).await.expect("kept").view.comments;
    assert_eq!(kept.len(), COMMENTS);
    assert_eq!(kept[0].id, format!("c-0-{}", COMMENTS - 10));
    assert_eq!(kept[COMMENTS - 1].id, format!("c-1-{}", COMMENTS - 6));
}

async fn what_is_said_of_another_case_is_not_kept(bench: Bench) {
    let id = bench.opened("a", "F-2").await;
    assert!(!bench.keep(&id, &told("F-1", "CREATED", &["c-1"], 10)).await);
    assert!(
        !bench
            .keep(&IncidentId::from_stored("gone".to_owned()), &told("F-1", "CREATED", &[], 10))
            .await
    );
    assert_eq!(bench.kept(&id).await, None);
    assert!(bench.keep(&id, &told("F-2", "CREATED", &["c-1"], 10)).await);
    // A look finds an older case of the incident: that is gone on with.
    let found = OpenedCase { duplicates: vec!["F-2".into()], ..OpenedCase::only("F-1".into()) };
    let decide = Arc::new(move |incident: &Incident, _: &Usage| {
        step(Some(incident), &Event::CaseOpened(&found), &closing(), None, at(11))
    });
    bench.store().advance(&id, cause::TIMER, at(0), decide).await.expect("advanced");
    assert_eq!(bench.watched(0).await, [("F-1".to_owned(), false)]);
    assert!(bench.keep(&id, &told("F-1", "CREATED", &["c-9"], 12)).await);
    let comments = bench.kept(&id).await.expect("kept").view.comments;
    assert_eq!(comments.len(), 1, "{comments:?}");
}

/// What a vendor does with the case of an old generation must not bring that back to life beside the new
/// one.
async fn what_is_said_of_an_old_generation_is_not_kept_and_revives_nothing(bench: Bench) {
    let old = bench.opened("a", "F-1").await;
    bench.hear(bench.over("a", &["x"], 10)).await;
    bench.hear(bench.news("a", &["x"]).at(at(30 * DAY))).await;
    assert_eq!(bench.generations().await, [(1, "closed"), (2, "opening")]);
    let decide = Arc::new(|incident: &Incident| {
        let event = Event::ReopenedByVendor { case: &"F-1".into() };
        step(Some(incident), &event, &closing(), None, at(10))
    });
    let kept = told("F-1", "IN_PROGRESS", &["c-1"], 10);
    let step = bench.store().keep_case(&old, &kept, Some(decide)).await.expect("written");
    assert!(step.is_none(), "{step:?}");
    assert_eq!(bench.kept(&old).await, None);
    assert_eq!(bench.generations().await, [(1, "closed"), (2, "opening")]);
}

async fn what_is_read_and_what_follows_from_it_are_one(bench: Bench) {
    let id = bench.opened("a", "F-1").await;
    let decide = Arc::new(|incident: &Incident| {
        let event = Event::ClosedByVendor { case: &"F-1".into(), at: Some(at(3)) };
        step(Some(incident), &event, &closing(), None, at(10))
    });
    let kept = told("F-1", "CLOSED", &[], 10);
    let step = bench.store().keep_case(&id, &kept, Some(decide)).await.expect("written");
    assert!(step.flatten().is_some_and(|step| step.changed));
    assert_eq!(bench.only_incident().await.state.name(), "closed");
    let decided = bench.store().decisions(&id).await.expect("read");
    assert_eq!(decided.last().map(|last| last.cause.as_str()), Some(cause::VENDOR));
    // A decision that panics keeps nothing.
    let panics = Arc::new(|_: &Incident| panic!("a test wants it"));
    let kept = told("F-1", "CREATED", &[], 20);
    assert!(bench.store().keep_case(&id, &kept, Some(panics)).await.is_err());
    assert_eq!(bench.kept(&id).await.map(|kept| kept.checked_at), Some(at(10)));
}

async fn cases_are_watched_until_nothing_more_can_come_of_them(bench: Bench) {
    let first = bench.opened("a", "F-1").await;
    let second = bench.opened("b", "F-2").await;
    let names = |all: &[(&str, bool)]| -> Vec<(String, bool)> {
        all.iter().map(|(case, known)| ((*case).to_owned(), *known)).collect()
    };
    bench.keep(&first, &told("F-1", "CREATED", &[], 20)).await;
    assert_eq!(bench.watched(0).await, names(&[("F-2", false), ("F-1", true)]), "new ones first");
    bench.keep(&second, &told("F-2", "CLOSED", &[], 10)).await;
    assert_eq!(bench.watched(0).await, names(&[("F-2", true), ("F-1", true)]), "longest unchecked");
    assert_eq!(bench.store().open_cases(&"other".into(), at(0), 10).await.expect("read"), []);
    assert_eq!(bench.store().open_cases(&vendor(), at(0), 1).await.expect("read").len(), 1);

    // Ended, and not closed by the vendor: until its time is over.
    bench.hear(bench.over("a", &["x"], 100)).await;
    assert_eq!(bench.watched(99).await, names(&[("F-2", true), ("F-1", true)]));
    assert_eq!(bench.watched(100).await, names(&[("F-2", true)]));
    // Ended, and closed by the vendor: nothing more can come.
    bench.hear(bench.over("b", &["x"], 100)).await;
    assert_eq!(bench.watched(0).await, names(&[("F-1", true)]));

    let census = bench.store().census().await.expect("read");
    assert_eq!(census.cases.get(&(vendor(), "created")), Some(&1));
    assert_eq!(census.cases.get(&(vendor(), "closed")), Some(&1));
    assert_eq!(census.waiting_for_us.get(&vendor()), Some(&1), "not on what is closed");
}

async fn what_a_vendor_has_closed_is_watched_as_long_as_it_fires(bench: Bench) {
    let id = bench.opened("a", "F-1").await;
    let decide = Arc::new(|incident: &Incident| {
        let event = Event::ClosedByVendor { case: &"F-1".into(), at: Some(at(3)) };
        step(Some(incident), &event, &closing(), None, at(10))
    });
    let kept = told("F-1", "CLOSED", &[], 10);
    bench.store().keep_case(&id, &kept, Some(decide)).await.expect("written");
    let open = bench.store().open_cases(&vendor(), at(2), 10).await.expect("read").remove(0);
    assert!(!open.goes_on);
    assert_eq!(bench.watched(3).await, [], "until nothing can be said on it any more");
    // And nobody is silent while nobody listens.
    bench.store().forgive_silence(Duration::from_secs(30), at(60)).await.expect("written");
    assert_eq!(bench.only_incident().await.heard_at, at(30));
    bench.hear(bench.over("a", &["x"], 100)).await;
    assert_eq!(bench.watched(0).await, []);
}

async fn what_a_vendor_said_goes_with_its_incident(bench: Bench) {
    let id = bench.opened("a", "F-1").await;
    bench.keep(&id, &told("F-1", "CREATED", &["c-1", "c-2"], 10)).await;
    bench.hear(bench.over("a", &["x"], 100)).await;
    for now in [101, 102] {
        let claim = bench.claim_one(now).await;
        bench.finish(&claim, "F-1", now).await;
    }
    let horizon = Retention::default();
    let late = 100 + i64::try_from(horizon.incidents.as_secs()).expect("small");
    bench.store().prune(&horizon, at(late), 100).await.expect("pruned");
    assert!(bench.kept(&id).await.is_some(), "not before its time");
    let pruned = bench.store().prune(&horizon, at(late + 1), 100).await.expect("pruned");
    assert_eq!((pruned.case_comments, pruned.watched_cases), (2, 1), "{pruned:?}");
    assert_eq!(bench.kept(&id).await, None);
    assert_eq!(bench.watched(0).await, [], "and it is not watched any more");
}

async fn what_happens_is_counted_where_it_happens_and_forgotten_with_the_deliveries(
    mut bench: Bench,
) {
    bench.hear(bench.news("a", &["x", "y"])).await;
    bench.hear(bench.news("a", &["x", "y"])).await;
    let claim = bench.claim_one(10).await;
    bench.send(&claim, 10).await;
    bench.store().settle(&claim.lease, done("F-1", 13)).await.expect("settled");
    bench.store().sample_outbox(at(14)).await.expect("counted");
    bench.hear(bench.news("b", &["z"])).await;
    bench.store().sample_outbox(at(15)).await.expect("counted");
    bench.restart().await;
    let store = bench.store();
    let counted = async |what: Tallied| {
        let tallies = store.tallies(what, at(0)).await.expect("read");
        tallies.into_iter().map(|one| (one.name, one.count, one.sum, one.most)).collect::<Vec<_>>()
    };
    let source = "alertmanager".to_owned();
    assert_eq!(counted(Tallied::Alerts).await, [(source, 5, 0, 0)], "repeats as well");
    assert_eq!(counted(Tallied::Incidents).await, [("edge".to_owned(), 2, 0, 0)]);
    assert_eq!(counted(Tallied::Cases).await, [("edge".to_owned(), 1, 0, 0)]);
    let attempts = [(vendor().to_string(), 1, 3_000_000, 3_000_000)];
    assert_eq!(counted(Tallied::Attempts).await, attempts);
    assert_eq!(counted(Tallied::Outbox).await, [(String::new(), 2, 1, 1)]);
    assert_eq!(store.tallies(Tallied::Alerts, at(600)).await.expect("read"), []);
    let totals = store.tally_totals(Tallied::Cases).await.expect("read");
    assert_eq!((totals[0].count, totals[0].last_at), (1, at(13)));
    assert_eq!(bench.prune(30 * DAY).await.tallies, 0, "just as old as they may be");
    assert!(bench.prune(30 * DAY + 1).await.tallies >= 5);
    assert_eq!(bench.store().tallies(Tallied::Cases, at(0)).await.expect("read"), []);
}

async fn what_was_posted_is_kept_unless_it_told_nothing_new(bench: Bench) {
    bench.hear(bench.news("a", &["x"])).await;
    bench.hear(bench.news("a", &["x"])).await;
    for record in
        bench.store().seek_deliveries(&DeliveriesSought::default(), 10).await.expect("read").items
    {
        let kept = bench.store().delivery(&record.id).await.expect("read").expect("it is there");
        assert_eq!(kept.body.is_some(), record.fate.keeps_body(), "{kept:?}");
        assert_eq!(kept.record, record);
    }
    assert_eq!(bench.store().delivery(&"nothing".into()).await.expect("read"), None);
}

fn deed(who: &str, act: Act, object: &str, now: i64) -> Deed {
    Deed {
        at: at(now),
        who: Some(who.to_owned()),
        role: Some(Role::Operator),
        means: Some(Means::Session),
        from: Some("192.0.2.7".parse().expect("an address")),
        act,
        object: object.to_owned(),
        detail: "why".to_owned(),
    }
}

async fn an_act_is_on_record_before_and_after_it_and_survives_a_restart(mut bench: Bench) {
    let deed = deed("kim", Act::Retry, "action x/1", 5);
    let number = bench.store().begin_act(&deed).await.expect("written");
    bench.restart().await;
    let begun = bench.store().acts(&Asked::default(), 10).await.expect("read").remove(0);
    assert_eq!((begun.number, begun.at, begun.outcome), (number, at(5), Outcome::Begun));
    assert_eq!((begun.who.as_deref(), begun.role.as_deref()), (Some("kim"), Some("operator")));
    assert_eq!(
        (begun.means.as_deref(), begun.from.as_deref()),
        (Some("session"), Some("192.0.2.7"))
    );
    assert_eq!((begun.act.as_str(), begun.object.as_str()), ("retry", "action x/1"));
    assert_eq!((begun.detail.as_str(), begun.ended_at), ("why", None));

    bench.store().end_act(number, &End::refused("it is done"), at(6)).await.expect("written");
    // How it ended is said once.
    bench.store().end_act(number, &End::done(), at(7)).await.expect("written");
    bench.restart().await;
    let ended = bench.store().acts(&Asked::default(), 10).await.expect("read").remove(0);
    assert_eq!((ended.outcome, ended.why.as_str()), (Outcome::Refused, "it is done"));
    assert_eq!(ended.ended_at, Some(at(6)));
}

async fn acts_are_listed_newest_first_by_who_what_and_on_what(bench: Bench) {
    let acts = [
        ("kim", Act::Approve, "incident a"),
        ("lee", Act::Approve, "incident b"),
        ("kim", Act::Mute, "everything"),
        ("kim", Act::Approve, "incident b"),
    ];
    let mut numbers = Vec::new();
    for (now, (who, act, object)) in (0..).zip(acts) {
        let begun = bench.store().begin_act(&deed(who, act, object, now)).await;
        numbers.push(begun.expect("written"));
    }
    let stranger =
        Deed { who: None, role: None, means: None, ..deed("", Act::Login, "console", 9) };
    numbers.push(bench.store().begin_act(&stranger).await.expect("written"));
    let found = async |asked: Asked, limit| {
        let entries = bench.store().acts(&asked, limit).await.expect("read");
        let place =
            |number| numbers.iter().position(|known| *known == number).expect("one of them");
        entries.into_iter().map(|entry| place(entry.number)).collect::<Vec<_>>()
    };
    let kim = || Some("kim".to_owned());
    let about_b = || Some("incident b".to_owned());
    assert_eq!(found(Asked::default(), 10).await, [4, 3, 2, 1, 0]);
    assert_eq!(found(Asked::default(), 2).await, [4, 3]);
    assert_eq!(found(Asked { before: Some(numbers[3]), ..Asked::default() }, 2).await, [2, 1]);
    assert_eq!(found(Asked { who: kim(), ..Asked::default() }, 10).await, [3, 2, 0]);
    assert_eq!(found(Asked { act: Some(Act::Login), ..Asked::default() }, 10).await, [4]);
    assert_eq!(found(Asked { object: about_b(), ..Asked::default() }, 10).await, [3, 1]);
    let narrow =
        Asked { who: kim(), act: Some(Act::Approve), object: about_b(), before: Some(numbers[4]) };
    assert_eq!(found(narrow.clone(), 10).await, [3]);
    assert_eq!(found(Asked { before: Some(numbers[3]), ..narrow }, 10).await, [0; 0]);
}

fn session(id: &str, name: &str, now: i64) -> Session {
    Session {
        id: id.to_owned(),
        name: name.to_owned(),
        role: Role::Viewer,
        seal: "seal".to_owned(),
        from: Some("2001:db8::1".parse().expect("an address")),
        created_at: at(now),
        seen_at: at(now),
        expires_at: at(now + 1000),
    }
}

async fn a_session_survives_a_restart_until_it_is_ended(mut bench: Bench) {
    let kept = session("one", "kim", 5);
    bench.store().open_session(&kept).await.expect("written");
    bench.restart().await;
    assert_eq!(bench.store().session("one").await.expect("read"), Some(kept.clone()));
    assert_eq!(bench.store().session("two").await.expect("read"), None);
    bench.store().session_seen("one", at(60)).await.expect("written");
    bench.store().session_seen("one", at(50)).await.expect("written");
    let seen = Session { seen_at: at(60), ..kept };
    assert_eq!(bench.store().session("one").await.expect("read"), Some(seen));
    assert!(bench.store().end_session("one").await.expect("written"));
    assert!(!bench.store().end_session("one").await.expect("written"));
    bench.store().session_seen("one", at(70)).await.expect("written");
    assert_eq!(bench.store().session("one").await.expect("read"), None);
}

async fn one_name_has_only_so_many_sessions_and_the_newest_stay(bench: Bench) {
    let most = i64::from(MOST_OF_ONE);
    bench.store().open_session(&session("other", "lee", -1)).await.expect("written");
    for now in 0..=most {
        let next = session(&format!("s{now:02}"), "kim", now);
        bench.store().open_session(&next).await.expect("written");
    }
    assert_eq!(bench.store().session("s00").await.expect("read"), None);
    for stays in ["s01".to_owned(), format!("s{most:02}"), "other".to_owned()] {
        assert!(bench.store().session(&stays).await.expect("read").is_some(), "{stays}");
    }
    // Also where the clock was set back: whoever has just come in stays in.
    bench.store().open_session(&session("new", "kim", 1)).await.expect("written");
    assert!(bench.store().session("new").await.expect("read").is_some());
}

async fn the_record_of_acts_and_sessions_go_after_their_time(bench: Bench) {
    let horizon = Retention { audit: Retention::MIN_AUDIT, ..Retention::default() };
    let month = i64::try_from(horizon.audit.as_secs()).expect("small");
    for now in [0, 1, 2] {
        let deed = deed("kim", Act::Mute, "everything", now);
        bench.store().begin_act(&deed).await.expect("written");
    }
    bench.store().open_session(&session("one", "kim", month - 1000)).await.expect("written");
    let pruned = bench.store().prune(&horizon, at(month), 1).await.expect("pruned");
    assert_eq!((pruned.audit, pruned.sessions), (0, 1), "{pruned:?}");
    let pruned = bench.store().prune(&horizon, at(month + 2), 1).await.expect("pruned");
    assert!(pruned.audit == 1 && pruned.more, "{pruned:?}");
    bench.store().prune(&horizon, at(month + 2), 1).await.expect("pruned");
    let left = bench.store().acts(&Asked::default(), 10).await.expect("read");
    assert_eq!(left.iter().map(|entry| entry.at).collect::<Vec<_>>(), [at(2)]);
    // A number is never used twice, so that a cursor never goes astray.
    let after = bench.store().begin_act(&deed("kim", Act::Mute, "everything", 3)).await;
    assert!(after.expect("written") > left[0].number);
}

macro_rules! conformance {
    ($module:ident, $bench:expr, $($promise:ident),* $(,)?) => {
        mod $module {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise($bench.await).await;
            })*
        }
    };
}

macro_rules! every_promise {
    ($module:ident, $bench:expr) => {
        conformance!(
            $module,
            $bench,
            a_delivery_opens_one_incident_and_its_repeats_open_nothing,
            alerts_that_a_delivery_does_not_speak_of_still_count,
            what_was_taken_in_survives_a_restart_unchanged,
            a_redelivery_is_known_by_any_of_its_ids,
            many_senders_of_the_same_news_at_once_get_one_open_action,
            a_decision_that_panics_costs_only_its_own_delivery,
            an_action_is_claimed_by_one_party_at_a_time,
            whoever_lost_its_lease_may_write_nothing,
            a_send_without_an_outcome_comes_back_as_a_look,
            a_look_that_waits_can_be_put_off_and_nothing_else,
            a_restart_takes_leases_over_and_a_send_without_an_outcome_is_a_look,
            a_look_that_was_interrupted_is_only_a_look,
            an_outcome_and_what_follows_for_the_incident_are_one,
            actions_of_one_incident_run_in_order,
            what_is_told_waits_for_no_case_and_no_case_for_it,
            opens_go_before_comments_and_the_worst_goes_first,
            only_the_vendors_that_were_asked_for_are_claimed,
            a_turn_by_age_gives_out_what_has_waited_longest,
            what_was_sent_before_is_left_out_where_repeats_are_not_wanted,
            what_is_held_is_given_to_nobody_and_nothing_overtakes_it,
            rechecks_and_files_stand_in_nobodys_way,
            a_held_action_is_revived_as_a_look_or_as_a_send,
            a_failed_incident_is_opening_again_when_its_action_is_revived,
            what_is_alive_gone_or_superseded_is_not_revived,
            what_is_blocked_waits_for_a_person_and_is_tried_by_itself_all_the_same,
            what_is_not_blocked_is_not_hurried,
            what_is_known_of_a_vendor_survives_a_restart,
            what_a_vendor_accepts_survives_a_restart_and_is_each_vendors_own,
            a_dead_letter_stays_where_a_person_can_see_it,
            timers_are_rows_that_survive_a_restart,
            next_due_is_the_earliest_of_actions_leases_and_timers,
            the_census_counts_what_there_is,
            a_closed_store_refuses_and_never_pretends,
            a_new_generation_is_another_incident_and_the_old_one_stays,
            deliveries_go_after_their_time_and_not_before,
            the_delivery_that_began_a_running_incident_stays,
            ids_of_deliveries_stay_as_long_as_a_sender_may_redeliver,
            attempts_of_done_actions_of_ended_incidents_go_after_their_time,
            an_ended_incident_keeps_its_row_and_loses_the_rest_after_its_time,
            a_refire_after_pruning_is_the_next_generation_with_a_new_marker,
            nothing_of_a_running_incident_goes,
            unfinished_actions_and_dead_letters_stay_with_their_attempts,
            pruning_looks_at_a_few_rows_at_a_time_and_comes_to_an_end,
            pruning_changes_no_decision,
            an_alert_that_is_followed_brings_the_incident_in_which_it_fires,
            an_alert_that_may_return_brings_the_incident_in_which_it_has_ended,
            what_a_payload_has_left_out_is_kept_until_it_is_told,
            a_decision_that_opens_knows_what_was_opened_and_what_waits,
            what_waits_for_the_budget_comes_worst_and_oldest_first,
            a_roll_call_tells_who_joins_and_who_leaves,
            what_was_decided_is_kept_and_repeats_are_not,
            a_mute_counts_until_it_ends_or_is_lifted,
            silence_in_which_nobody_listened_is_forgiven,
            incidents_are_found_by_what_is_known_of_them,
            incidents_are_paged_through_by_what_is_asked_for,
            what_comes_in_meanwhile_moves_no_page,
            alerts_are_paged_through_by_what_is_asked_for,
            cases_are_paged_through_by_how_they_stand_at_the_vendor,
            actions_are_paged_through_with_their_last_attempts,
            deliveries_are_paged_through_and_kept_with_their_bodies,
            a_draft_is_edited_by_who_has_seen_it_and_only_before_its_case,
            what_a_vendor_says_of_a_case_survives_a_restart,
            only_the_newest_comments_of_a_case_are_kept,
            what_is_said_of_another_case_is_not_kept,
            what_is_said_of_an_old_generation_is_not_kept_and_revives_nothing,
            what_is_read_and_what_follows_from_it_are_one,
            cases_are_watched_until_nothing_more_can_come_of_them,
            what_a_vendor_has_closed_is_watched_as_long_as_it_fires,
            what_a_vendor_said_goes_with_its_incident,
            what_happens_is_counted_where_it_happens_and_forgotten_with_the_deliveries,
            what_was_posted_is_kept_unless_it_told_nothing_new,
            an_act_is_on_record_before_and_after_it_and_survives_a_restart,
            acts_are_listed_newest_first_by_who_what_and_on_what,
            a_session_survives_a_restart_until_it_is_ended,
            one_name_has_only_so_many_sessions_and_the_newest_stay,
            the_record_of_acts_and_sessions_go_after_their_time,
        );
    };
}

every_promise!(sqlite, super::Bench::sqlite());
