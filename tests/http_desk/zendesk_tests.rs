//! Zendesk: an idempotency key for a while, and the marker in `external_id` for ever.

use serde_json::json;

use super::desk::{Answer, Fault};
use super::house::{House, down};
use super::support::alertmanager::Item;

const OPEN: &str = "POST /api/v2/tickets";
const CHANGE: &str = "PUT /api/v2/tickets/";

#[tokio::test]
async fn a_case_is_opened_commented_and_closed() {
    let house = House::zendesk().await;
    let incident = house.opened(down()).await;
    let marker = incident.id.marker();
    assert_eq!(incident.state.case().map(|case| case.as_str()), Some("35000"));
    let ticket = house.desk.with(|desk| desk.only().clone());
    let subject = format!("checkout is down {}", marker.token());
    assert_eq!(ticket.fields["subject"], json!(subject));
    assert_eq!(ticket.fields["external_id"], json!(marker.as_str()));
    assert_eq!(ticket.fields["priority"], json!("urgent"));
    assert_eq!(ticket.fields["tags"], json!(["casewright", "software", "outage"]));
    // Nobody is to be told, so nothing is said of it.
    assert_eq!(ticket.fields.get("collaborators"), None);
    let asked = house.desk.asked(OPEN);
    assert_eq!(asked[0].headers["idempotency-key"], marker.as_str());
    house.ended(down()).await;
    let ticket = house.desk.with(|desk| desk.only().clone());
    assert_eq!(ticket.comments.len(), 3, "{ticket:#?}");
    assert!(ticket.comments[1].contains("resolved as of"), "{ticket:#?}");
    assert_eq!(ticket.fields["status"], json!("solved"));
}

#[tokio::test]
async fn people_are_a_list() {
    let house = House::zendesk().await;
    house.opened(Item::firing("OnCall")).await;
    let ticket = house.desk.with(|desk| desk.only().clone());
    assert_eq!(ticket.fields["collaborators"], json!(["noc@example.com"]));
}

#[tokio::test]
async fn an_answer_that_was_lost_after_the_commit_is_found_by_the_marker() {
    let house = House::zendesk().await;
    house.desk.fault(OPEN, Fault::Silent, 1);
    house.opened(down()).await;
    house.desk.with(|desk| desk.only().clone());
    assert_eq!(house.desk.asked(OPEN).len(), 1);
}

#[tokio::test]
async fn a_ticket_that_no_look_shows_is_not_doubled_because_of_the_key() {
    let house = House::zendesk().await;
    house.desk.with(|desk| desk.lags = true);
    house.desk.fault(OPEN, Fault::Silent, 1);
    let plain = Item::firing("Plain").annotation("summary", "the same each time");
    let incident = house.opened(plain).await;
    house.desk.with(|desk| desk.only().clone());
    let asked = house.desk.asked(OPEN);
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].headers["idempotency-key"], asked[1].headers["idempotency-key"]);
    assert_eq!(incident.state.case().map(|case| case.as_str()), Some("35000"));
}

#[tokio::test]
async fn a_key_that_is_taken_means_that_the_ticket_is_there() {
    let house = House::zendesk().await;
    house.desk.with(|desk| desk.lags = true);
    house.desk.fault(OPEN, Fault::Silent, 1);
    // Its words differ from time to time, so the key alone does not bring the answer back.
    house.hears(Item::firing("Changing")).await;
    house.action_says("the desk has had a request with this key before").await;
    house.desk.with(|desk| desk.lags = false);
    house.incident_is("open").await;
    house.desk.with(|desk| desk.only().clone());
}

#[tokio::test]
async fn a_lost_comment_is_found_on_a_later_page() {
    let house = House::zendesk().await;
    house.opened(down()).await;
    house.desk.with(|desk| {
        let ticket = desk.tickets.values_mut().next().expect("one");
        ticket.comments.extend((0..7).map(|n| format!("somebody's comment {n}")));
    });
    house.desk.fault(CHANGE, Fault::Silent, 1);
    house.ended(down()).await;
    let ticket = house.desk.with(|desk| desk.only().clone());
    assert_eq!(ticket.comments.len(), 1 + 7 + 2, "{ticket:#?}");
    assert_eq!(house.desk.asked(CHANGE).len(), 2);
}

#[tokio::test]
async fn a_list_that_goes_on_at_another_host_is_not_followed() {
    let house = House::zendesk().await;
    house.opened(down()).await;
    house.desk.with(|desk| {
        desk.base = "http://127.0.0.1:9".to_owned();
        let ticket = desk.tickets.values_mut().next().expect("one");
        ticket.comments.extend((0..7).map(|n| format!("somebody's comment {n}")));
    });
    house.desk.fault(CHANGE, Fault::Silent, 1);
    house.hears(down().resolved()).await;
    house.incident_is("resolving").await;
    house.clock.advance(std::time::Duration::from_secs(11 * 60));
    house.action_says("the list continues at another host").await;
    assert_eq!(house.desk.asked(CHANGE).len(), 1);
}

#[tokio::test]
async fn a_solved_ticket_is_not_solved_again() {
    let house = House::zendesk().await;
    house.opened(down()).await;
    house.desk.with(|desk| {
        desk.tickets.values_mut().for_each(|ticket| ticket.fields["status"] = json!("closed"));
    });
    house.ended(down()).await;
    let ticket = house.desk.with(|desk| desk.only().clone());
    assert_eq!(ticket.comments.len(), 2, "the comment, and no closure: {ticket:#?}");
    assert_eq!(ticket.fields["status"], json!("closed"));
}

#[tokio::test]
async fn a_failure_is_looked_for_before_it_is_repeated() {
    let house = House::zendesk().await;
    house.desk.fault(OPEN, Fault::Instead(Answer::of(503, json!({}))), 1);
    house.opened(down()).await;
    house.desk.with(|desk| desk.only().clone());
    assert_eq!(house.desk.asked(OPEN).len(), 2);
}

#[tokio::test]
async fn who_is_not_known_sends_nothing() {
    let house = House::zendesk().await;
    house.desk.knows("Basic of-somebody-else");
    house.hears(down()).await;
    house.gate("denied").await;
    house.desk.with(|desk| assert!(desk.tickets.is_empty()));
}
