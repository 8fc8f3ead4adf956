//! `open.after` and `resolve.after`: the clock is set forward, nobody waits.

use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::domain::incident::State;
use casewright::time::later;

use crate::support::alertmanager::Item;
use crate::support::house::{House, assert_ended_once, assert_untouched};

const MINUTE: Duration = Duration::from_secs(60);

/// An alert of the rule that opens after five minutes and resolves after ten.
pub(crate) fn patient() -> Item {
    Item::firing("Patient").label("property", "shop")
}

#[tokio::test]
async fn a_case_is_opened_only_if_it_still_fires_after_open_after() {
    let house = House::open().await;
    house.hears(patient()).await;
    let incident = house.only_incident().await;
    assert_eq!(incident.state, State::Pending { due: later(incident.created_at, 5 * MINUTE) });
    house.no_case().await;

    house.clock.advance(5 * MINUTE);
    house.incident_is("open").await;
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn what_resolves_before_open_after_never_gets_a_case() {
    let house = House::open().await;
    house.hears(patient()).await;
    house.clock.advance(4 * MINUTE);
    house.hears(patient().resolved()).await;
    assert_eq!(house.only_incident().await.state.name(), "dropped");
    house.clock.advance(10 * MINUTE);
    let due = house.store().due_incidents(house.clock.now(), 10).await.expect("timers");
    assert!(due.is_empty(), "{due:?}");
    house.no_case().await;
}

#[tokio::test]
async fn flapping_within_resolve_after_says_nothing_at_the_vendor() {
    let house = House::open().await;
    house.hears(patient()).await;
    house.clock.advance(5 * MINUTE);
    house.incident_is("open").await;
    house.settled().await;

    house.hears(patient().resolved()).await;
    let incident = house.only_incident().await;
    let due = later(incident.updated_at, 10 * MINUTE);
    let case = incident.state.case().expect("a case").clone();
    assert_eq!(incident.state, State::Resolving { case, due });
    house.clock.advance(9 * MINUTE);
    house.hears(patient().resolved().again()).await;
    assert_eq!(house.only_incident().await.state.name(), "open");
    house.clock.advance(20 * MINUTE);
    assert_untouched(&house.only_case().await);

    house.hears(patient().resolved().again().resolved()).await;
    house.clock.advance(10 * MINUTE);
    house.incident_is("closed").await;
    assert_ended_once(&house.only_case().await);
}
