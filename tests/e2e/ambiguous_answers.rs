//! The vendor does the work and the answer is lost: nothing is doubled, nothing is forgotten.

use casewright::sandbox::{Fault, Kind, On};
use casewright::store::ActionState;

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_ended_once, every_second};

const INCIDENTS: usize = 24;

/// Half of all creates, comments and closures are done without a good answer.
async fn half_of_all_answers_are(kind: Kind) {
    let house = House::open().await;
    house.faults([On::Create, On::Comment, On::Close].map(|on| every_second(kind, on)));
    let alerts: Vec<_> = (0..INCIDENTS).map(|number| edge(&format!("shop-{number}"))).collect();
    house.hears(Payload::of(alerts.clone())).await;
    let cases = house.settled().await;
    assert_eq!(cases.len(), INCIDENTS);

    house.hears(Payload::of(alerts.into_iter().map(|alert| alert.resolved()))).await;
    let cases = house.settled().await;
    for number in 0..INCIDENTS {
        let subject = format!("shop-{number}: ");
        let about: Vec<_> =
            cases.iter().filter(|case| case.filed.subject.starts_with(&subject)).collect();
        assert_eq!(about.len(), 1, "{subject} {about:#?}");
        assert_ended_once(about[0]);
    }
    // What each took, and that the faults struck at all: no answer, no second request.
    let requests = house.sandbox.requests();
    let committed = INCIDENTS as u64;
    assert_eq!(requests.creates_committed, committed);
    assert_eq!(requests.comments_committed, committed);
    assert_eq!(requests.closures_committed, committed);
    assert_eq!(house.requests("POST /cases"), committed);
    assert!(house.requests("GET /cases") >= committed / 2, "lost cases were looked for");
    assert!(house.actions().await.iter().all(|action| action.state == ActionState::Done));
}

#[tokio::test]
async fn the_connection_breaks_after_the_work_was_done() {
    half_of_all_answers_are(Kind::DropAfterCommit).await;
}

#[tokio::test]
async fn the_vendor_answers_500_after_the_work_was_done() {
    half_of_all_answers_are(Kind::ErrorAfterCommit).await;
}

#[tokio::test]
async fn what_was_not_done_is_done_after_it_was_looked_for() {
    let house = House::open().await;
    let lost = |on| Fault::on_next(Kind::DropBeforeCommit, on, 1);
    house.faults([On::Create, On::Comment, On::Close].map(lost));
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(edge("shop").resolved()).await;
    assert_ended_once(&house.only_case().await);
    assert_eq!(house.requests("POST /cases"), 2);
    assert_eq!(opening(&house).await, ["unknown", "absent", "absent", "absent", "done"]);
}

/// What came of each attempt to open the only case, looks included.
async fn opening(house: &House) -> Vec<String> {
    let incident = house.only_incident().await;
    let mut attempts = house.store().attempts(&incident.id).await.expect("attempts");
    attempts.retain(|attempt| attempt.action.seq == 1);
    attempts.into_iter().map(|attempt| attempt.outcome).collect()
}

#[tokio::test]
async fn a_list_that_lags_does_not_lead_to_a_second_case() {
    let house = House::with_window("3s").await;
    house.faults([
        Fault::on_next(Kind::DropAfterCommit, On::Create, 1),
        Fault { seconds: Some(1), ..Fault::new(Kind::StaleLists, On::Read) },
    ]);
    house.hears(edge("shop")).await;
    house.only_case().await;
    assert_eq!(house.requests("POST /cases"), 1);
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn a_case_that_appears_after_the_request_was_given_up_is_found() {
    let house = House::with_window("3s").await;
    // The request times out after one second, the case appears half a second later.
    house.faults([Fault { millis: Some(1500), ..Fault::on_next(Kind::Delay, On::Create, 1) }]);
    house.hears(edge("shop")).await;
    house.only_case().await;
    // Not by the number of cases alone: a second one would be there before the first appears.
    let outcomes = opening(&house).await;
    let (first, looks) = outcomes.split_first().expect("an attempt");
    let (last, before) = looks.split_last().expect("a look");
    assert_eq!((first.as_str(), last.as_str()), ("unknown", "found"), "{outcomes:?}");
    assert!(before.iter().all(|look| look == "absent"), "{outcomes:?}");
}
