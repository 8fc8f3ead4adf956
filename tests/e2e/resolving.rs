//! Alerts resolve, and come back.

use std::time::Duration;

use casewright::sandbox::{Fault, Kind, On};

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_ended_once, assert_untouched, comments};

#[tokio::test]
async fn once_all_has_resolved_the_case_is_commented_and_its_closure_requested_once() {
    let house = House::open().await;
    let (fra, ams) = (edge("shop"), edge("shop").label("pop", "AMS"));
    house.hears(Payload::of([fra.clone(), ams.clone()])).await;
    house.settled().await;

    house.hears(Payload::of([fra.clone().resolved(), ams.clone()])).await;
    assert_untouched(&house.only_case().await);

    let over = Payload::of([fra.resolved(), ams.resolved()]);
    house.hears(over.clone()).await;
    assert_ended_once(&house.only_case().await);

    assert_eq!(house.hears(over.clone()).await.fate, "repeat");
    assert_eq!(house.hears(over.of_the_peer()).await.fate, "repeat");
    assert_ended_once(&house.only_case().await);
}

#[tokio::test]
async fn resolved_while_the_case_is_being_opened_it_is_opened_and_then_ended() {
    let house = House::open().await;
    house.faults([Fault {
        millis: Some(600),
        ..Fault::on_next(Kind::DelayAfterCommit, On::Create, 1)
    }]);
    house.hears(edge("shop")).await;
    house.hears(edge("shop").resolved()).await;
    assert_eq!(house.only_incident().await.state.name(), "opening");
    assert_ended_once(&house.only_case().await);
}

#[tokio::test]
async fn firing_again_soon_it_goes_on_with_its_case() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(edge("shop").resolved()).await;
    assert_ended_once(&house.only_case().await);

    house.clock.advance(Duration::from_secs(23 * 60 * 60));
    house.hears(edge("shop").resolved().again()).await;
    let case = house.only_case().await;
    assert_eq!(comments(&case, "The problem is back"), 1, "{case:#?}");
    assert_eq!(house.only_incident().await.state.name(), "open");

    house.hears(edge("shop").resolved().again().resolved()).await;
    let case = house.only_case().await;
    assert_eq!(comments(&case, "resolved as of"), 2, "{case:#?}");
    assert_eq!(case.closure_requests.len(), 2, "{case:#?}");
}

#[tokio::test]
async fn closure_is_not_requested_any_more_of_what_fires_again() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.hears(edge("shop").resolved()).await;
    house.clock.advance(Duration::from_secs(60 * 60));
    house.hears(edge("shop").resolved().again()).await;
    house.no_faults();
    house.clock.advance(Duration::from_secs(60 * 60));
    let case = house.only_case().await;
    assert_eq!(comments(&case, "The problem is back"), 1, "{case:#?}");
    assert_eq!(case.closure_requests.len(), 0, "{case:#?}");
    let said = house.action_says("its incident fires again, so closure is not requested").await;
    assert_eq!(said.kind.name(), "close");
}

#[tokio::test]
async fn firing_again_after_reopen_within_it_gets_a_new_case_that_names_the_old_one() {
    let house = House::open().await;
    house.hears(crate::holding_down::patient()).await;
    house.clock.advance(Duration::from_secs(5 * 60));
    house.incident_is("open").await;
    house.hears(crate::holding_down::patient().resolved()).await;
    house.clock.advance(Duration::from_secs(10 * 60));
    house.incident_is("closed").await;
    let old = house.only_case().await;
    assert_ended_once(&old);

    house.clock.advance(Duration::from_secs(25 * 60 * 60));
    house.hears(crate::holding_down::patient().resolved().again()).await;
    house.clock.advance(Duration::from_secs(5 * 60));
    let cases = house.cases(2).await;
    assert_eq!(cases[0].comments, old.comments);
    assert!(cases[1].filed.description.contains(&old.case_id), "{:#?}", cases[1]);
}

#[tokio::test]
async fn the_late_twin_of_an_old_message_does_not_bring_a_case_back() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(edge("shop").resolved()).await;
    house.hears(Payload::from(edge("shop")).of_the_peer()).await;
    assert_ended_once(&house.only_case().await);
    assert_eq!(house.only_incident().await.state.name(), "closed");
}

#[tokio::test]
async fn an_alert_that_is_missing_from_a_payload_has_not_resolved() {
    let house = House::open().await;
    let (fra, ams) = (edge("shop"), edge("shop").label("pop", "AMS"));
    house.hears(Payload::of([fra.clone(), ams])).await;
    house.settled().await;
    house.hears(fra.resolved()).await;
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn one_resolves_while_another_begins_and_the_case_goes_on() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    let mixed = Payload::of([edge("shop").resolved(), edge("shop").label("pop", "AMS")]);
    house.hears(mixed).await;
    assert_untouched(&house.only_case().await);
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn a_truncated_payload_resolves_nothing() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(Payload::from(edge("shop").resolved()).truncated(3)).await;
    assert_untouched(&house.only_case().await);
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn what_was_never_seen_firing_opens_nothing_when_it_resolves() {
    let house = House::open().await;
    assert_eq!(house.hears(edge("shop").resolved()).await.fate, "repeat");
    house.no_case().await;
    assert!(house.incidents().await.is_empty());
}
