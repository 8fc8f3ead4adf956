//! The daemon is stopped with work outstanding and started again on the same files.

use casewright::sandbox::{Fault, Kind, On};

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_ended_once, assert_untouched};
use crate::support::pagerduty::Event;

#[tokio::test]
async fn what_was_acknowledged_before_a_stop_is_done_after_the_start() {
    let mut house = House::open().await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    let alerts: Vec<_> = (0..5).map(|number| edge(&format!("shop-{number}"))).collect();
    house.hears(Payload::of(alerts.clone())).await;
    house.stop_daemon().await;
    assert!(house.sandbox.cases().is_empty());

    house.start_daemon().await;
    house.hears(Payload::of(alerts).of_the_peer()).await;
    house.no_faults();
    let cases = house.settled().await;
    assert_eq!(cases.len(), 5, "{cases:#?}");
    cases.iter().for_each(assert_untouched);
}

#[tokio::test]
async fn a_case_whose_answer_was_lost_before_a_stop_is_found_after_the_start() {
    let mut house = House::open().await;
    house.faults([Fault::new(Kind::DropAfterCommit, On::Create)]);
    // The catalog must be read before the vendor stops being readable.
    house.hears(edge("first")).await;
    house.settled().await;
    house.faults([Fault::new(Kind::DropAfterCommit, On::Create), Fault::new(Kind::Down, On::Read)]);
    house.hears(edge("shop")).await;
    house.action_says("could not be asked").await;
    house.stop_daemon().await;
    assert_eq!(house.sandbox.cases().len(), 2);

    house.start_daemon().await;
    house.no_faults();
    house.hears(edge("shop").resolved()).await;
    let cases = house.settled().await;
    assert_eq!(cases.len(), 2, "{cases:#?}");
    assert_ended_once(&cases[1]);
}

#[tokio::test]
async fn what_was_known_before_a_stop_is_known_after_the_start() {
    let mut house = House::open().await;
    let triggered = Event::fixture("01-triggered-by-integration.json");
    house.hears(edge("shop")).await;
    house.hears_event(&triggered).await;
    house.settled().await;
    house.stop_daemon().await;
    house.start_daemon().await;
    assert_eq!(house.hears(edge("shop")).await.fate, "repeat");
    assert_eq!(house.hears_event(&triggered).await.fate, "redelivered");
    let cases = house.settled().await;
    assert_eq!(cases.len(), 2, "{cases:#?}");
    cases.iter().for_each(assert_untouched);
}
