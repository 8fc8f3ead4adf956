//! What cannot be proved, where a rule says `when_not_found: hold`: a person is shown it, and it is
//! neither dropped nor sent again.

use casewright::sandbox::{Fault, Kind, On};
use casewright::store::lists::{ActionsSought, Which};
use casewright::store::{ActionState, Revival};

use crate::support::alertmanager::Item;
use crate::support::house::{House, assert_ended_once, eventually};

/// An incident whose request left no trace at the vendor.
async fn held() -> House {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Create, 1)]);
    house.hears(alert()).await;
    eventually("an action that is held", || async {
        let actions = house.actions().await;
        let held = actions.iter().any(|action| action.state == ActionState::Held);
        if held { Ok(()) } else { Err(actions) }
    })
    .await;
    house
}

fn alert() -> Item {
    Item::firing("Held").label("property", "shop")
}

#[tokio::test]
async fn a_case_that_may_exist_and_is_not_found_is_held_and_shown_and_not_sent_again() {
    let house = held().await;
    house.no_case().await;
    assert_eq!(house.requests("POST /cases"), 1);
    assert_eq!(house.alarms("held").await, 1);
    assert!(house.shows("casewright_outbox_actions{kind=\"open\",state=\"held\"} 1").await);
    let for_people = house.store().seek_actions(&ActionsSought::that(Which::ForPeople), 10).await;
    let for_people = for_people.expect("actions").items;
    assert_eq!(for_people.len(), 1, "{for_people:#?}");
    assert_eq!(for_people[0].action.state, ActionState::Held);

    // Neither a repeat nor the end of the alert nor its return sends it.
    house.hears(alert()).await;
    house.hears(alert().resolved()).await;
    house.hears(alert().resolved().again()).await;
    house.no_case().await;
    assert_eq!(house.requests("POST /cases"), 1);
}

#[tokio::test]
async fn what_is_held_is_sent_when_a_person_says_so() {
    let house = held().await;
    let action = house.actions().await.remove(0);
    house.revive(&action.id, Revival::Send).await;
    house.only_case().await;
    house.hears(alert().resolved()).await;
    assert_ended_once(&house.only_case().await);
}
