//! The vendor is down, slow, full, or does not want us: everything happens later, nothing twice.

use std::time::Duration;

use casewright::domain::gate::{Cause, Gate};
use casewright::sandbox::{Fault, Kind, On};
use casewright::store::ActionState;

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_ended_once, eventually};

#[tokio::test]
async fn all_cases_are_opened_once_the_vendor_is_back() {
    let house = House::open().await;
    // So that the catalog is known, and creates are really sent to the vendor that is down.
    house.hears(edge("before")).await;
    house.settled().await;
    house.faults([Fault { for_seconds: Some(3), ..Fault::new(Kind::Down, On::Any) }]);
    house.hears(Payload::of((0..10).map(|number| edge(&format!("shop-{number}"))))).await;
    let cases = house.settled().await;
    let mut subjects: Vec<_> = cases.into_iter().map(|case| case.filed.subject).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 11, "{subjects:#?}");
    assert_eq!(house.sandbox.requests().creates_committed, 11);
}

#[tokio::test]
async fn a_vendor_that_asks_for_a_pause_gets_it() {
    let house = House::open().await;
    house.faults([Fault { retry_after: Some(2), ..Fault::on_next(Kind::Throttle, On::Create, 1) }]);
    house.hears(edge("shop")).await;
    let case = house.only_case().await;
    let incident = house.only_incident().await;
    let attempts = house.store().attempts(&incident.id).await.expect("attempts");
    let outcomes: Vec<&str> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["throttled", "done"]);
    let asked = attempts[0].finished_at.expect("it has ended");
    let waited = casewright::time::between(asked, case.created_date);
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn a_pause_is_for_every_incident() {
    let house = House::open().await;
    let pause = Fault { retry_after: Some(2), ..Fault::on_next(Kind::Throttle, On::Create, 1) };
    house.faults([pause]);
    house.hears(edge("first")).await;
    let throttled = house.action_says("asks for a pause").await;
    house.hears(edge("second")).await;
    let cases = house.settled().await;
    assert_eq!(cases.len(), 2);
    for case in &cases {
        assert!(case.created_date >= throttled.due_at - jiff::SignedDuration::from_secs(1));
    }
}

#[tokio::test]
async fn what_the_vendor_refuses_waits_for_a_person_and_says_why() {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    let read = house.requests("GET /categories/{categoryId}");
    house.hears(edge("shop")).await;
    house.no_case().await;
    assert_eq!(house.only_incident().await.state.name(), "failed");
    let action = house.actions().await.remove(0);
    assert_eq!(action.state, ActionState::Dead);
    let message = action.message.expect("a message");
    assert!(message.contains("Akamai refused the request: compare its names"), "{message}");
    assert_eq!(house.requests("POST /cases"), 1);
    let read_anew = house.requests("GET /categories/{categoryId}") - read;
    assert_eq!(read_anew, 1, "nothing before it was refused, and its own category then");

    // The next time it fires the vendor's records are read before it is tried again.
    house.hears(edge("shop").resolved()).await;
    house.hears(edge("shop").resolved().again()).await;
    house.only_case().await;
    assert!(house.requests("GET /cases") > 0);
}

fn requests_turned_away(house: &House) -> u64 {
    let answered = house.sandbox.requests().requests;
    let turned_away = answered.iter().filter(|row| matches!(row.status, Some(401 | 403)));
    turned_away.map(|row| row.count).sum()
}

/// The vendor lets nobody in for a while.
async fn locked_out_by(kind: Kind) {
    let house = House::open().await;
    house.faults([Fault::new(kind, On::Any)]);
    house.hears(edge("shop")).await;
    let action = house.action_says("Akamai").await;
    assert_eq!(action.state, ActionState::Ready, "{action:#?}");
    let pause = casewright::time::between(action.created_at, action.due_at);
    assert!(pause >= Duration::from_secs(60), "{pause:?}");
    let denied = |gate: &Gate| gate.cause() == Some(Cause::Denied);
    house.gate("denied", denied).await;
    assert_eq!(house.alarms("vendor_denied").await, 1);
    assert!(house.shows("casewright_vendor_state{vendor=\"akamai\",state=\"denied\"} 1").await);
    let turned_away = requests_turned_away(&house);
    house.hears(edge("other")).await;
    house.hears(edge("shop").resolved()).await;

    // A probe in vain: one request, and no second alarm.
    house.clock.advance(Duration::from_secs(80));
    eventually("a probe", || async {
        let since = requests_turned_away(&house) - turned_away;
        if since > 0 { Ok(()) } else { Err(since) }
    })
    .await;
    house.nobody_works().await;
    assert_eq!(requests_turned_away(&house), turned_away + 1);
    assert_eq!(house.alarms("vendor_denied").await, 1);
    assert_eq!(house.alarms("too_old").await, 0);

    house.no_faults();
    house.clock.advance(Duration::from_secs(160));
    let cases = house.settled().await;
    assert_eq!(cases.len(), 2, "{cases:#?}");
    // The others were not even tried until then.
    assert_eq!(requests_turned_away(&house), turned_away + 1);
    house.gate("open", |gate| gate.cause().is_none()).await;
    let shop = cases.iter().find(|case| case.filed.subject.starts_with("shop: "));
    assert_ended_once(shop.expect("its case"));
    assert!(house.actions().await.iter().all(|action| action.state == ActionState::Done));
}

#[tokio::test]
async fn credentials_that_were_revoked_lose_nothing() {
    locked_out_by(Kind::Revoked).await;
}

#[tokio::test]
async fn a_grant_that_is_missing_loses_nothing() {
    locked_out_by(Kind::NoGrant).await;
}
