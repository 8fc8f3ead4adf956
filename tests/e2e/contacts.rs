//! Who is told of a case changes with the rule: brought up to date when the problem comes back,
//! once, whatever becomes of the answers.

use casewright::sandbox::{Fault, Kind, On};

use crate::support::alertmanager::Item;
use crate::support::house::{House, comments};

fn on_call() -> Item {
    Item::firing("OnCall").label("property", "shop")
}

/// A closed incident whose rule names others now.
async fn after_the_shift() -> House {
    let mut house = House::open().await;
    house.hears(on_call()).await;
    house.settled().await;
    house.hears(on_call().resolved()).await;
    let case = house.only_case().await;
    assert_eq!(case.filed.also_notify, ["monday@example.com"]);
    house.stop_daemon().await;
    let rules = std::fs::read_to_string(house.files.rules()).expect("rules");
    let rules = rules.replace("monday", "tuesday").replace("Monday", "Tuesday");
    std::fs::write(house.files.rules(), rules).expect("written");
    house.start_daemon().await;
    house
}

async fn comes_back_and_tells_tuesday(house: &House) {
    house.hears(on_call().resolved().again()).await;
    let case = house.only_case().await;
    assert_eq!(case.filed.also_notify, ["tuesday@example.com"]);
    assert_eq!(case.filed.alternate_contact.name.as_deref(), Some("Tuesday"));
    assert_eq!(comments(&case, "The problem is back"), 1, "{case:#?}");
    assert_eq!(house.sandbox.requests().updates_committed, 1);
}

#[tokio::test]
async fn contacts_are_brought_up_to_date_once_although_the_answer_is_lost() {
    for kind in [Kind::DropAfterCommit, Kind::ErrorAfterCommit] {
        let house = after_the_shift().await;
        house.faults([Fault::new(kind, On::Update)]);
        comes_back_and_tells_tuesday(&house).await;
        assert_eq!(house.requests("PATCH /cases/{caseId}"), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn contacts_that_did_not_arrive_are_sent_again_after_the_case_was_read() {
    let house = after_the_shift().await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Update, 1)]);
    comes_back_and_tells_tuesday(&house).await;
    assert_eq!(house.requests("PATCH /cases/{caseId}"), 2);
}

#[tokio::test]
async fn contacts_that_are_as_the_rule_wants_them_are_not_sent() {
    let house = House::open().await;
    house.hears(on_call()).await;
    house.settled().await;
    house.hears(on_call().resolved()).await;
    house.settled().await;
    house.hears(on_call().resolved().again()).await;
    house.only_case().await;
    assert_eq!(house.requests("PATCH /cases/{caseId}"), 0);
}
