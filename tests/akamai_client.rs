//! The Akamai client against the simulated vendor: what each operation does, what a look finds of
//! it when the answer was lost, and whose clock is signed for. The simulation checks every
//! signature with a verifier of its own.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::domain::case_view::{CaseStatus, CaseView, NextAction};
use casewright::domain::catalog::Category;
use casewright::domain::draft::{Choices, Contact, Draft, fit_subject};
use casewright::domain::ids::{CaseId, IncidentId, Marker};
use casewright::domain::pace::{ListScope, Rate};
use casewright::rng::Rng;
use casewright::sandbox::{self, Fault, Kind, On, Options, Sandbox, StaffComment};
use casewright::vendors::akamai::{Client, Credentials, Settings};
use casewright::vendors::{
    Look, Obstacle, Operation, Outcome, Probe, Vendor as _, Watched, WatchedCase,
};
use jiff::Timestamp;

use eager::Eager;

#[path = "support/eager.rs"]
mod eager;

struct Bench {
    sandbox: Sandbox,
    client: Client,
    clock: Arc<Eager>,
}

impl Bench {
    async fn new() -> Self {
        let clock = Eager::at(start());
        let sandbox = Sandbox::start(Options::default(), clock.clone()).await.expect("starts");
        let client = client(&sandbox, clock.clone(), 1);
        Self { sandbox, client, clock }
    }

    async fn open(&self) -> CaseId {
        done(&self.client.send(&open(&marker())).await)
    }

    fn fault(&self, kind: Kind, on: On) {
        self.sandbox.faults(vec![Fault::on_next(kind, on, 1)]).expect("a good fault");
    }

    /// How many answers with this status an endpoint has given.
    fn answers(&self, endpoint: &str, status: u16) -> u64 {
        let requests = self.sandbox.requests().requests;
        let meant = requests.iter().filter(|r| r.endpoint == endpoint && r.status == Some(status));
        meant.map(|r| r.count).sum()
    }

    fn refusals(&self) -> u64 {
        let requests = self.sandbox.requests().requests;
        requests.iter().filter(|r| r.status == Some(400)).map(|r| r.count).sum()
    }
}

fn client(sandbox: &Sandbox, clock: Arc<Eager>, seed: u64) -> Client {
    let known = sandbox.credentials();
    let credentials = Credentials::new(
        known.client_token.clone().into(),
        known.client_secret.clone().into(),
        known.access_token.clone().into(),
    )
    .expect("good credentials");
    let settings = Settings::new(
        "akamai".into(),
        sandbox.base_url().parse().expect("an address"),
        credentials,
        Duration::from_secs(20),
        ListScope::Mine,
        Rate { per_second: 1.0, burst: 10_000 },
    )
    .expect("good settings");
    Client::new(settings, clock, Arc::new(Rng::seeded(seed))).expect("a client")
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

fn marker() -> Marker {
    IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker()
}

fn other_marker() -> Marker {
    IncidentId::from_stored("000000000000000000000000").marker()
}

fn open(marker: &Marker) -> Operation {
    Operation::Open(Box::new(Draft {
        subject: fit_subject("Edge 5xx", marker).text,
        marker: marker.clone(),
        account: "A-CCT7890".into(),
        category: Category::Technical,
        description: "5xx ratio above 5 %".to_owned(),
        whole_description: None,
        files: Vec::new(),
        remarks: Vec::new(),
        as_of: None,
        severity: "2-Moderate Impact".to_owned(),
        choices: Choices {
            product: Some("Ion Premier".to_owned()),
            problem: Some("Configuring/Managing Services".to_owned()),
            ..Choices::default()
        },
        also_notify: Vec::new(),
        alternate_contact: None,
    }))
}

const FILE: &str = "description-cw-9f3a1c7be2d0-3.txt";

fn attach(case: &CaseId, marker: &Marker) -> Operation {
    attach_as(case, marker, FILE, b"--casewright-0000000000\r\n\xc3\xa4")
}

fn attach_as(case: &CaseId, marker: &Marker, file_name: &str, content: &[u8]) -> Operation {
    Operation::Attach {
        case: case.clone(),
        marker: marker.clone(),
        token: "[cw-9f3a1c7be2d0-3]".to_owned(),
        file_name: file_name.to_owned(),
        media_type: "text/plain; charset=utf-8".to_owned(),
        content: content.to_vec(),
    }
}

fn contacts(case: &CaseId, marker: &Marker) -> Operation {
    Operation::Contacts {
        case: case.clone(),
        marker: marker.clone(),
        also_notify: vec!["b@example.com".to_owned(), "a@example.com".to_owned()],
        alternate_contact: Some(Contact {
            name: Some("NOC".to_owned()),
            phone: Some("+1 555 0100".to_owned()),
            ..Contact::default()
        }),
    }
}

fn done(outcome: &Outcome) -> CaseId {
    match outcome {
        Outcome::Done { case, .. } => case.clone(),
        other => panic!("{other:?}"),
    }
}

fn found(look: &Look) -> CaseId {
    match look {
        Look::Found { case, .. } => case.clone(),
        other => panic!("{other:?}"),
    }
}

// Files.

#[tokio::test]
async fn a_file_is_attached_once_byte_by_byte_and_found_again() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    let attach = attach(&case, &marker());
    assert!(matches!(bench.client.look(&attach, start()).await, Look::Absent(_)));
    assert_eq!(done(&bench.client.send(&attach).await), case);
    assert_eq!(found(&bench.client.look(&attach, start()).await), case);
    let files = bench.sandbox.cases().remove(0).attachments;
    assert_eq!(files.len(), 1);
    assert_eq!(
        (files[0].file_name.as_str(), files[0].file_type.as_str()),
        (FILE, "text/plain; charset=utf-8")
    );
    // `--casewright-0000000000\r\nä`, by another implementation.
    assert_eq!(files[0].content_base64, "LS1jYXNld3JpZ2h0LTAwMDAwMDAwMDANCsOk");
    // One that only begins like it is another file.
    let other = attach_as(&case, &marker(), "description-cw-9f3a1c7be2d0-3.tx", b"");
    assert!(matches!(bench.client.look(&other, start()).await, Look::Absent(_)));
}

#[tokio::test]
async fn a_file_whose_answer_was_lost_is_found_and_one_that_was_not_sent_is_absent() {
    for (kind, there) in [
        (Kind::DropAfterCommit, true),
        (Kind::ErrorAfterCommit, true),
        (Kind::DropBeforeCommit, false),
    ] {
        let bench = Bench::new().await;
        let case = bench.open().await;
        bench.fault(kind, On::Attach);
        let attach = attach(&case, &marker());
        assert_eq!(bench.client.send(&attach).await.name(), "unknown", "{kind:?}");
        let look = bench.client.look(&attach, start()).await;
        assert_eq!(matches!(look, Look::Found { .. }), there, "{kind:?} {look:?}");
        assert_eq!(matches!(look, Look::Absent(_)), !there, "{kind:?} {look:?}");
    }
}

#[tokio::test]
async fn an_upload_is_waited_for_and_given_up_as_unknown() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    for (file, seconds, outcome) in [("a", 5, "done"), ("b", 3600, "unknown")] {
        let slow = Fault { seconds: Some(seconds), ..Fault::new(Kind::SlowUpload, On::Attach) };
        bench.sandbox.faults(vec![slow]).expect("good");
        let name = format!("{file}-cw-9f3a1c7be2d0-3.txt");
        let attach = attach_as(&case, &marker(), &name, b"x");
        let sent = bench.client.send(&attach).await;
        assert_eq!(sent.name(), outcome, "{sent:?}");
    }
    let status = "GET /cases/{caseId}/attachments/status/{uploadId}";
    assert_eq!(bench.answers(status, 200), 8);
    bench.clock.0.advance(Duration::from_secs(3600));
    let slow = attach_as(&case, &marker(), "b-cw-9f3a1c7be2d0-3.txt", b"x");
    assert_eq!(found(&bench.client.look(&slow, start()).await), case);
}

#[tokio::test]
async fn an_upload_that_the_vendor_fails_was_not_done() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    bench.fault(Kind::FailUpload, On::Attach);
    let attach = attach(&case, &marker());
    let outcome = bench.client.send(&attach).await;
    assert_eq!(outcome.name(), "not_sent");
    assert!(outcome.evidence().message.contains("F-UP-0000001"), "{outcome:?}");
    assert!(matches!(bench.client.look(&attach, start()).await, Look::Absent(_)));
    assert_eq!(done(&bench.client.send(&attach).await), case);
}

#[tokio::test]
async fn an_eleventh_file_and_one_that_is_too_large_are_refused() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    for number in 0..10 {
        let name = format!("{number}-cw-9f3a1c7be2d0-3.txt");
        done(&bench.client.send(&attach_as(&case, &marker(), &name, b"x")).await);
    }
    let eleventh = bench.client.send(&attach(&case, &marker())).await;
    assert_eq!(eleventh.name(), "refused");
    assert!(eleventh.evidence().message.contains("10 at most"), "{eleventh:?}");
    let sent = bench.sandbox.requests();
    for (name, content) in [
        (FILE, vec![b'x'; 25 << 20]),
        ("no-token.txt", Vec::new()),
        ("a/cw-9f3a1c7be2d0-3", Vec::new()),
    ] {
        let bad = attach_as(&case, &marker(), name, &content);
        assert_eq!(bench.client.send(&bad).await.name(), "refused");
    }
    assert_eq!(bench.sandbox.requests(), sent);
    // The gateway hashes the head of it only.
    let large = attach_as(&bench.open().await, &marker(), FILE, &vec![b'x'; 1 << 20]);
    done(&bench.client.send(&large).await);
}

// Contacts.

#[tokio::test]
async fn contacts_are_written_once_and_compared() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    let contacts = contacts(&case, &marker());
    assert!(matches!(bench.client.look(&contacts, start()).await, Look::Absent(_)));
    done(&bench.client.send(&contacts).await);
    done(&bench.client.send(&contacts).await);
    assert_eq!(bench.sandbox.requests().updates_committed, 1);
    assert_eq!(found(&bench.client.look(&contacts, start()).await), case);
    let filed = bench.sandbox.cases().remove(0).filed;
    assert_eq!(filed.also_notify, ["b@example.com", "a@example.com"]);
    let expected = sandbox::Contact {
        name: Some("NOC".to_owned()),
        phone: Some("+1 555 0100".to_owned()),
        ..sandbox::Contact::default()
    };
    assert_eq!(filed.alternate_contact, expected);

    let none = Operation::Contacts {
        case: case.clone(),
        marker: marker(),
        also_notify: Vec::new(),
        alternate_contact: None,
    };
    done(&bench.client.send(&none).await);
    assert!(matches!(bench.client.look(&contacts, start()).await, Look::Absent(_)));
    let filed = bench.sandbox.cases().remove(0).filed;
    assert!(filed.also_notify.is_empty());
    assert_eq!(filed.alternate_contact, sandbox::Contact::default());
}

#[tokio::test]
async fn contacts_whose_answer_was_lost_are_found_and_others_absent() {
    for (kind, there) in [(Kind::DropAfterCommit, true), (Kind::DropBeforeCommit, false)] {
        let bench = Bench::new().await;
        let case = bench.open().await;
        bench.fault(kind, On::Update);
        let contacts = contacts(&case, &marker());
        assert_eq!(bench.client.send(&contacts).await.name(), "unknown");
        let look = bench.client.look(&contacts, start()).await;
        assert_eq!(matches!(look, Look::Found { .. }), there, "{kind:?} {look:?}");
        assert_eq!(matches!(look, Look::Absent(_)), !there, "{kind:?} {look:?}");
    }
}

// Whose case it is, and what may be done to it.

#[tokio::test]
async fn a_case_of_somebody_else_and_one_without_permission_are_left_alone() {
    let bench = Bench::new().await;
    let case = bench.open().await;
    for operation in [attach(&case, &other_marker()), contacts(&case, &other_marker())] {
        assert_eq!(bench.client.send(&operation).await.name(), "refused");
        let look = bench.client.look(&operation, start()).await;
        assert!(
            matches!(look, Look::Failed { obstacle: Obstacle::Vendor | Obstacle::Record, .. }),
            "{look:?}"
        );
    }
    // The vendor's `permissions` of a closed case allow neither.
    bench.sandbox.set_status(case.as_str(), "CLOSED").expect("a case");
    for operation in [attach(&case, &marker()), contacts(&case, &marker())] {
        let outcome = bench.client.send(&operation).await;
        assert_eq!(outcome.name(), "refused");
        assert!(outcome.evidence().message.contains("does not let"), "{outcome:?}");
    }
    assert_eq!(bench.answers("POST /cases/{caseId}/attachments", 403), 0);
    assert_eq!(bench.answers("PATCH /cases/{caseId}", 403), 0);
    let case = bench.sandbox.cases().remove(0);
    assert!(case.attachments.is_empty() && case.filed.also_notify.is_empty());
}

#[tokio::test]
async fn several_cases_with_one_marker_come_back_oldest_first() {
    let bench = Bench::new().await;
    // The vendor's clock goes back between the first two, so that the number and the age disagree.
    let mut cases = Vec::new();
    for (advance, skew) in [(0, 20), (0, 0), (1, 0)] {
        bench.clock.0.advance(Duration::from_secs(advance));
        bench.sandbox.set_skew(skew);
        cases.push(bench.open().await);
    }
    bench.client.send(&open(&other_marker())).await;
    match bench.client.look(&open(&marker()), start()).await {
        Look::Several { cases: found, .. } => {
            assert_eq!(found, [cases[1].clone(), cases[2].clone(), cases[0].clone()]);
        }
        other => panic!("{other:?}"),
    }
}

// The clock.

#[tokio::test]
async fn a_skew_that_was_measured_costs_no_refused_request_even_as_it_changes() {
    let bench = Bench::new().await;
    bench.sandbox.set_skew(20);
    assert_eq!(bench.client.probe().await, Probe::Up);
    let skew = bench.client.clock_skew().expect("measured");
    assert!((19..=21).contains(&skew.as_secs()), "{skew:?}");
    // Further than 30 seconds from our clock, and near what was measured: it drifts.
    for skew in [40, 60, 80, 60, 40, 20, 0, -20, -40] {
        bench.sandbox.set_skew(skew);
        for _ in 0..5 {
            bench.clock.0.advance(Duration::from_secs(1));
            assert_eq!(bench.client.probe().await, Probe::Up);
        }
    }
    assert_eq!(bench.refusals(), 0);
    done(&bench.client.send(&open(&marker())).await);
    assert_eq!(bench.refusals(), 0);
}

#[tokio::test]
async fn a_skew_that_jumps_costs_one_refused_request_and_loses_nothing() {
    let bench = Bench::new().await;
    bench.client.probe().await;
    for (skew, refusals) in [(3600, 1), (-86_400, 2), (0, 3)] {
        bench.sandbox.set_skew(skew);
        done(&bench.client.send(&open(&marker())).await);
        for _ in 0..5 {
            assert_eq!(bench.client.probe().await, Probe::Up);
        }
        assert_eq!(bench.refusals(), refusals, "{skew}");
    }
    // Our own clock may jump as well: the vendor's does not follow.
    bench.clock.0.advance(Duration::from_secs(120));
    bench.sandbox.set_skew(-120);
    assert_eq!(bench.client.probe().await, Probe::Up);
    assert_eq!(bench.refusals(), 4);
    assert_eq!(bench.sandbox.cases().len(), 3);
}

// Whether it is there.

#[tokio::test]
async fn a_probe_tells_what_is_wrong() {
    let bench = Bench::new().await;
    assert_eq!(bench.client.probe().await, Probe::Up);
    for (kind, name) in [
        (Kind::Down, "down"),
        (Kind::ErrorAfterCommit, "down"),
        (Kind::Refuse, "down"),
        (Kind::NoGrant, "denied"),
        (Kind::Revoked, "denied"),
    ] {
        bench.fault(kind, On::Read);
        let probe = bench.client.probe().await;
        assert_eq!(probe.name(), name, "{kind:?}");
        assert!(probe.evidence().is_some_and(|evidence| !evidence.message.is_empty()));
    }
    let throttle = Fault { retry_after: Some(7), ..Fault::on_next(Kind::Throttle, On::Read, 1) };
    bench.sandbox.faults(vec![throttle]).expect("good");
    match bench.client.probe().await {
        Probe::Throttled { retry_after, .. } => {
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.client.probe().await, Probe::Up);
    let requests = bench.sandbox.requests().requests;
    assert!(requests.iter().all(|request| request.endpoint == "GET /accounts-with-categories"));
    assert_eq!(bench.clock.now(), start());
}

/// A case of which nothing is known but that it is there.
fn watched(case: &CaseId, marker: &Marker) -> WatchedCase {
    WatchedCase {
        case: case.clone(),
        marker: marker.clone(),
        since: start(),
        version: None,
        status: None,
        last_comment: None,
    }
}

/// The same case, as it was read.
fn as_read(watched: &WatchedCase, view: &CaseView) -> WatchedCase {
    WatchedCase {
        version: view.version.clone(),
        status: view.status.clone(),
        last_comment: view.comments.last().map(|comment| comment.id.clone()),
        ..watched.clone()
    }
}

/// What is read of the one case that has changed.
fn only_read(told: Watched) -> CaseView {
    assert_eq!((told.read.len(), &told.trouble), (1, &None), "{told:#?}");
    told.read.into_iter().next().expect("one").1
}

impl Bench {
    async fn open_many(&self, count: usize) -> Vec<WatchedCase> {
        let mut cases = Vec::new();
        for number in 0..count {
            let marker = IncidentId::from_stored(format!("{number:012x}044580a1b2c3")).marker();
            let case = done(&self.client.send(&open(&marker)).await);
            cases.push(watched(&case, &marker));
        }
        self.clock.0.advance(Duration::from_secs(60));
        cases
    }
}

#[tokio::test]
async fn what_became_of_a_case_is_read_once_and_then_only_what_is_new() {
    let bench = Bench::new().await;
    let case = bench.open_many(1).await.remove(0);
    let first = only_read(bench.client.watch(std::slice::from_ref(&case), 20).await);
    assert_eq!(first.status, Some(CaseStatus::Created));
    assert_eq!(first.next_action, Some(NextAction::Vendor));
    assert_eq!((first.first_response, first.comments.len()), (None, 0));
    assert!(first.version.is_some() && first.opened_at == Some(start()), "{first:#?}");
    let case = as_read(&case, &first);
    let quiet = bench.client.watch(std::slice::from_ref(&case), 20).await;
    assert_eq!((quiet.read.len(), quiet.unchanged.len(), quiet.more), (0, 1, false));

    // Ours, two of the vendor's, ours again.
    let ours = |seq| {
        let token = case.marker.action_token(seq);
        let text = format!("Still so. {token}");
        Operation::Comment { case: case.case.clone(), marker: case.marker.clone(), token, text }
    };
    let staff =
        |text: &str| bench.sandbox.staff_comment(case.case.as_str(), &StaffComment::of(text));
    done(&bench.client.send(&ours(2)).await);
    staff("Which <i>property</i>?").expect("a case");
    staff("And since when?").expect("a case");
    done(&bench.client.send(&ours(3)).await);
    bench.sandbox.set_status(case.case.as_str(), "MITIGATED/SOLVED").expect("a case");
    bench.clock.0.advance(Duration::from_secs(60));
    let second = only_read(bench.client.watch(std::slice::from_ref(&case), 20).await);
    let texts: Vec<&str> = second.comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(texts, ["Which property?", "And since when?"]);
    assert_eq!(second.status, Some(CaseStatus::Solved));
    assert!(second.first_response.is_some() && second.resolved_at.is_some(), "{second:#?}");
    let case = as_read(&case, &second);
    staff("Thanks.").expect("a case");
    bench.clock.0.advance(Duration::from_secs(60));
    let third = only_read(bench.client.watch(std::slice::from_ref(&case), 20).await);
    assert_eq!(third.comments.len(), 1, "{third:#?}");
}

#[tokio::test]
async fn a_change_in_the_second_of_a_reading_is_not_missed() {
    let bench = Bench::new().await;
    let case = bench.open_many(1).await.remove(0);
    bench.sandbox.set_status(case.case.as_str(), "ASSIGNED").expect("a case");
    let first = only_read(bench.client.watch(std::slice::from_ref(&case), 20).await);
    // Of the same date.
    bench.sandbox.staff_comment(case.case.as_str(), &StaffComment::of("Hello")).expect("a case");
    bench.clock.0.advance(Duration::from_secs(60));
    let second = only_read(bench.client.watch(&[as_read(&case, &first)], 20).await);
    assert_eq!(second.comments.len(), 1);
}

#[tokio::test]
async fn what_the_vendor_has_closed_is_read_once_though_no_list_of_active_cases_has_it() {
    let bench = Bench::new().await;
    let case = bench.open_many(1).await.remove(0);
    let first = only_read(bench.client.watch(std::slice::from_ref(&case), 20).await);
    bench.sandbox.set_status(case.case.as_str(), "CLOSED").expect("a case");
    bench.clock.0.advance(Duration::from_secs(60));
    let closed = only_read(bench.client.watch(&[as_read(&case, &first)], 20).await);
    assert!(closed.is_closed() && closed.closed_at.is_some(), "{closed:#?}");
    let case = as_read(&case, &closed);
    let quiet = bench.client.watch(std::slice::from_ref(&case), 20).await;
    assert_eq!((quiet.read.len(), quiet.unchanged.len()), (0, 1));
    bench.sandbox.set_status(case.case.as_str(), "IN_PROGRESS").expect("a case");
    bench.clock.0.advance(Duration::from_secs(60));
    let again = only_read(bench.client.watch(&[case], 20).await);
    assert_eq!(again.status, Some(CaseStatus::InProgress));
}

#[tokio::test]
async fn one_list_tells_of_all_cases_and_so_many_are_read_and_no_more() {
    let bench = Bench::new().await;
    let cases = bench.open_many(5).await;
    let told = bench.client.watch(&cases, 2).await;
    assert_eq!((told.read.len(), told.unchanged.len(), told.more), (2, 0, true));
    let read: Vec<&CaseId> = told.read.iter().map(|(case, _)| case).collect();
    assert_eq!(read, [&cases[0].case, &cases[1].case], "in the order given");
    assert_eq!(bench.answers("GET /cases", 200), 1);
    assert_eq!(bench.answers("GET /cases/{caseId}", 200), 2);
    assert_eq!(bench.answers("GET /cases/{caseId}/comments", 200), 2);
    assert_eq!(bench.client.watch(&[], 20).await, Watched::default());
    assert_eq!(bench.answers("GET /cases", 200), 1, "nothing is asked for nothing");
}

#[tokio::test]
async fn the_list_is_left_as_soon_as_all_cases_are_seen() {
    let bench = Bench::new().await;
    // More than a page holds.
    let cases = bench.open_many(201).await;
    let newest = cases.last().expect("some").clone();
    bench.client.watch(&[newest], 1).await;
    assert_eq!(bench.answers("GET /cases", 200), 1);
    bench.client.watch(&[cases[0].clone()], 1).await;
    assert_eq!(bench.answers("GET /cases", 200), 3);
}

#[tokio::test]
async fn a_case_that_is_not_ours_or_not_there_costs_only_itself() {
    let bench = Bench::new().await;
    let mut cases = bench.open_many(2).await;
    let strange = watched(&cases[0].case, &other_marker());
    let gone = watched(&"F-CS-9".into(), &marker());
    let odd = watched(&"../accounts".into(), &marker());
    let told = bench.client.watch(&[strange, gone, odd, cases.remove(1)], 20).await;
    assert_eq!((told.read.len(), told.unreadable.len(), &told.trouble), (1, 3, &None));
    assert!(told.unreadable[0].1.contains("does not carry the tracking number"), "{told:#?}");
}

#[tokio::test]
async fn what_was_read_before_the_trouble_counts() {
    let bench = Bench::new().await;
    let cases = bench.open_many(3).await;
    // The list, then two requests for each case.
    let fault = Fault { every: Some(4), ..Fault::new(Kind::Throttle, On::Read) };
    bench.sandbox.faults(vec![fault]).expect("a good fault");
    let told = bench.client.watch(&cases, 20).await;
    assert_eq!(told.read.len(), 1, "{told:#?}");
    let trouble = told.trouble.expect("trouble");
    assert!(trouble.retry_after.is_some(), "{trouble:?}");
    bench.fault(Kind::NoGrant, On::Read);
    let told = bench.client.watch(&cases, 20).await;
    assert_eq!(told.trouble.and_then(|trouble| trouble.evidence.status), Some(403));
}
