//! ServiceNow: no idempotency key, so everything hangs on the marker in `correlation_id`.

use std::time::Duration;

use casewright::store::ActionState;
use serde_json::json;

use super::desk::{Answer, Fault};
use super::house::{House, down};
use super::support::alertmanager::Item;

const OPEN: &str = "POST /api/now/table/incident";
const CHANGE: &str = "PATCH /api/now/table/incident/";
const LIST: &str = "GET /api/now/table/incident";

fn says(summary: &str) -> Item {
    Item::firing("Plain").annotation("summary", summary)
}

#[tokio::test]
async fn a_case_is_opened_commented_and_closed() {
    let house = House::servicenow().await;
    let incident = house.opened(down()).await;
    let marker = incident.id.marker();
    let record = house.desk.with(|desk| desk.only().clone());
    assert_eq!(incident.state.case().map(|case| case.as_str()), record["sys_id"].as_str());
    assert_eq!(record["correlation_id"], json!(marker.as_str()));
    assert_eq!(record["short_description"], json!(format!("checkout is down {}", marker.token())));
    for (name, value) in [
        ("impact", "1"),
        ("urgency", "1"),
        ("category", "software"),
        ("subcategory", "outage"),
        ("assignment_group", "web"),
    ] {
        assert_eq!(record[name], json!(value), "{name}");
    }
    house.ended(down()).await;
    house.desk.with(|desk| {
        let comments = desk.comments();
        assert_eq!(comments.len(), 2, "{comments:#?}");
        assert!(comments[0].contains("resolved as of"), "{comments:#?}");
        assert_eq!(desk.only()["state"], json!("6"));
        assert_eq!(desk.only()["close_notes"], json!(comments[1]));
    });
    // What people know it by is kept as evidence.
    let attempts = house.daemon.store.attempts(&incident.id).await.expect("attempts");
    assert!(
        attempts.iter().any(|one| one.reference.as_deref() == Some("INC0000001")),
        "{attempts:#?}"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_after_the_commit_is_found_by_the_marker() {
    let house = House::servicenow().await;
    house.desk.fault(OPEN, Fault::Silent, 1);
    house.opened(down()).await;
    house.desk.with(|desk| desk.only().clone());
    assert_eq!(house.desk.asked(OPEN).len(), 1);
}

#[tokio::test]
async fn a_failure_that_may_have_done_it_is_looked_for_before_it_is_repeated() {
    let failed = || Answer::of(502, json!("a proxy's words"));
    for (fault, sent) in [(Fault::Instead(failed()), 2), (Fault::After(failed()), 1)] {
        let house = House::servicenow().await;
        house.desk.fault(OPEN, fault, 1);
        house.opened(down()).await;
        house.desk.with(|desk| desk.only().clone());
        assert_eq!(house.desk.asked(OPEN).len(), sent);
    }
}

#[tokio::test]
async fn a_success_without_an_id_is_looked_for() {
    let house = House::servicenow().await;
    // As a login page in between answers, after it has let the request through.
    house.desk.fault(OPEN, Fault::After(Answer::of(200, json!("<html>log in</html>"))), 1);
    house.opened(down()).await;
    house.desk.with(|desk| desk.only().clone());
    assert_eq!(house.desk.asked(OPEN).len(), 1);
}

#[tokio::test]
async fn comments_and_closures_whose_answer_was_lost_are_not_repeated() {
    let house = House::servicenow_with(|text| text.replace("size: 100", "size: 2")).await;
    let incident = house.opened(down()).await;
    let id = incident.state.case().expect("a case").as_str().to_owned();
    // Five comments of others; the list shows two at a time.
    house.desk.with(|desk| {
        desk.journal.extend((0..5).map(|n| (id.clone(), format!("somebody's comment {n}"))));
    });
    house.desk.fault(CHANGE, Fault::Silent, 2);
    house.ended(down()).await;
    house.desk.with(|desk| {
        assert_eq!(desk.comments().len(), 5 + 2, "{:#?}", desk.comments());
        assert_eq!(desk.only()["state"], json!("6"));
    });
    assert_eq!(house.desk.asked(CHANGE).len(), 2);
}

#[tokio::test]
async fn a_comment_that_was_not_made_is_made_once() {
    let house = House::servicenow_with(|text| text.replace("size: 100", "size: 2")).await;
    let incident = house.opened(down()).await;
    let id = incident.state.case().expect("a case").as_str().to_owned();
    house.desk.with(|desk| {
        desk.journal.extend((0..5).map(|n| (id.clone(), format!("somebody's comment {n}"))));
    });
    let failed = Answer::of(500, json!({ "error": "sorry" }));
    house.desk.fault(CHANGE, Fault::Instead(failed), 1);
    house.ended(down()).await;
    house.desk.with(|desk| assert_eq!(desk.comments().len(), 5 + 2, "{:#?}", desk.comments()));
    // All pages were read, and one more, before it was believed.
    let pages = house.desk.asked("GET /api/now/table/sys_journal_field");
    let offsets: Vec<&str> =
        pages.iter().map(|page| page.query["sysparm_offset"].as_str()).collect();
    assert_eq!(offsets.get(..4), Some(&["0", "2", "4", "5"][..]), "{offsets:?}");
}

#[tokio::test]
async fn a_ticket_without_the_marker_is_left_alone() {
    let house = House::servicenow().await;
    house.opened(down()).await;
    house.desk.with(|desk| {
        for record in desk.incidents.values_mut() {
            record.insert("correlation_id".to_owned(), json!("cw-000000000000000000000000"));
        }
    });
    house.ended(down()).await;
    let action = house.action_says("so it is not this incident's and is left alone").await;
    assert_eq!(action.state, ActionState::Dead);
    assert!(house.desk.asked(CHANGE).is_empty());
}

#[tokio::test]
async fn a_pause_is_kept() {
    let house = House::servicenow().await;
    let busy = Answer::of(429, json!({})).header("retry-after", "600");
    house.desk.fault(OPEN, Fault::Instead(busy), 1);
    house.hears(down()).await;
    house.gate("paused").await;
    assert_eq!(house.desk.asked(OPEN).len(), 1);
    house.clock.advance(Duration::from_secs(590));
    house.hears(down().label("service", "other").annotation("n", "1")).await;
    assert_eq!(house.desk.asked(OPEN).len(), 1);
    house.clock.advance(Duration::from_secs(700));
    house.was_asked(OPEN, 3).await;
    house.settled().await;
    house.desk.with(|desk| assert_eq!(desk.incidents.len(), 2));
}

#[tokio::test]
async fn who_is_not_known_sends_nothing_until_new_credentials_are_read() {
    let house = House::servicenow().await;
    house.desk.knows("Basic of-somebody-else");
    house.hears(down()).await;
    house.gate("denied").await;
    let action = house.action_says("did not accept the credentials").await;
    let message = action.message.expect("a message");
    // The desk said whom it did not know.
    assert!(message.contains("who is Basic (secret)?"), "{message}");
    assert!(!message.contains("sesame") && !message.contains("Y2FzZ"), "{message}");

    // base64 of `casewright:other`.
    house.desk.knows("Basic Y2FzZXdyaWdodDpvdGhlcg==");
    house.edit("\"${SERVICENOW_PASSWORD}\"", "other");
    let reloaded = house.daemon.reload("a test").await.expect("good files");
    assert_eq!(reloaded.resumed, ["desk".into()]);
    // A probe that is under way must not be interrupted by the time that passes.
    house.gate("open").await;
    house.clock.advance(Duration::from_secs(120));
    house.incident_is("open").await;
    house.desk.with(|desk| desk.only().clone());
}

#[tokio::test]
async fn a_right_to_open_that_is_missing_holds_up_all_and_one_to_comment_only_that() {
    let forbidden = || Answer::of(403, json!({ "error": "not yours" }));
    let house = House::servicenow().await;
    house.desk.fault(OPEN, Fault::Instead(forbidden()), 1);
    house.hears(down()).await;
    house.gate("denied").await;
    house.clock.advance(Duration::from_secs(120));
    house.incident_is("open").await;

    house.desk.fault(CHANGE, Fault::Instead(forbidden()), 1);
    house.ended(down()).await;
    let action = house.action_says("the desk forbids this to this user").await;
    assert_eq!(action.state, ActionState::Dead);
    house.gate("open").await;
    house.desk.with(|desk| assert_eq!(desk.only()["state"], json!("6")));
}

#[tokio::test]
async fn what_is_refused_is_shown_and_not_repeated() {
    let house = House::servicenow().await;
    let refused = Answer::of(400, json!({ "error": { "message": "Invalid table" } }));
    house.desk.fault(OPEN, Fault::Instead(refused), 5);
    house.hears(down()).await;
    house.incident_is("failed").await;
    house.action_says("Invalid table").await;
    assert_eq!(house.desk.asked(OPEN).len(), 1);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let house = House::servicenow().await;
    let elsewhere = Answer::of(307, json!({})).header("location", "/api/now/table/elsewhere");
    house.desk.fault(OPEN, Fault::Instead(elsewhere), 1);
    house.opened(down()).await;
    assert!(house.desk.asked("POST /api/now/table/elsewhere").is_empty());
    house.desk.with(|desk| desk.only().clone());
}

#[tokio::test]
async fn a_pointer_that_leads_nowhere_never_looks_like_a_ticket_that_is_not_there() {
    let house = House::servicenow_with(|text| {
        text.replace("marker: /correlation_id", "marker: /correlation")
    })
    .await;
    house.desk.fault(OPEN, Fault::Silent, 1);
    house.hears(down()).await;
    house.action_says("has nothing at `/correlation`: check the pointer").await;
    house.clock.advance(Duration::from_secs(3600));
    house.was_asked(LIST, 4).await;
    assert_eq!(house.desk.asked(OPEN).len(), 1, "nothing is sent that may be there");
    // The remedy: the pointer.
    house.edit("marker: /correlation\n", "marker: /correlation_id\n");
    house.daemon.reload("a test").await.expect("good files");
    house.clock.advance(Duration::from_secs(3600));
    house.incident_is("open").await;
    house.desk.with(|desk| desk.only().clone());
    assert_eq!(house.desk.asked(OPEN).len(), 1);
}

#[tokio::test]
async fn what_the_description_offers_counts_at_once_though_the_desk_cannot_be_asked() {
    let house = House::servicenow().await;
    house.edit("name: critical,", "name: p1,");
    let down_for_long = Fault::Instead(Answer::of(500, json!({})));
    house.desk.fault(LIST, down_for_long, 5);
    house.daemon.reload("a test").await.expect("good files");
    let incident = house.opened(down()).await;
    let record = house.desk.with(|desk| desk.only().clone());
    assert_eq!((&record["impact"], &record["urgency"]), (&json!("1"), &json!("1")));
    let attempts = house.daemon.store.attempts(&incident.id).await.expect("attempts");
    assert_eq!(attempts.len(), 1, "{attempts:#?}");
}

#[tokio::test]
async fn whatever_an_alert_says_stays_in_its_field() {
    let house = House::servicenow().await;
    let evil =
        "\",\"correlation_id\":\"x\",\"impact\":\"9\" {{marker}} \\u0022 }}]^ORsys_id!=1&a=b";
    let incident = house.opened(says(evil)).await;
    let record = house.desk.with(|desk| desk.only().clone());
    assert_eq!(record["description"], json!(format!("Says: {evil}")));
    assert_eq!(record["correlation_id"], json!(incident.id.marker().as_str()));
    assert_eq!(record["impact"], json!("2"));
    // And in no address.
    for asked in house.desk.asked("") {
        assert!(
            !asked.path.contains("ORsys") && !asked.query.values().any(|v| v.contains("ORsys"))
        );
    }
}

#[tokio::test]
async fn a_description_that_is_too_long_goes_along_as_a_comment() {
    let house = House::servicenow().await;
    let long = format!("{} and the end of it", "x".repeat(40_000));
    house.opened(says(&long)).await;
    house.desk.with(|desk| {
        let short = desk.only()["short_description"].as_str().expect("text");
        assert_eq!(short.chars().count(), 160, "{short}");
        let comments = desk.comments();
        assert_eq!(comments.len(), 1, "{comments:#?}");
        assert!(
            comments[0].starts_with("description-cw-") && comments[0].contains("and the end of it")
        );
    });
}

#[tokio::test]
async fn contacts_are_refused_in_clear_words_where_the_desk_has_no_call_for_them() {
    let house = House::servicenow().await;
    let alert = Item::firing("OnCall");
    house.opened(alert.clone()).await;
    house.ended(alert.clone()).await;
    house.hears(alert.resolved().again()).await;
    let action = house.action_says("this desk has no call for contacts").await;
    assert_eq!((action.kind.name(), action.state), ("contacts", ActionState::Dead));
}

#[tokio::test]
async fn contacts_are_set_where_the_desk_has_a_call() {
    let contacts = "    contacts:\n      method: PATCH\n      path: /api/now/table/incident/{{case}}\n      \
                    body: { watch_list: '{{also_notify}}' }\n    probe:\n";
    let house = House::servicenow_with(|text| text.replace("    probe:\n", contacts)).await;
    let alert = Item::firing("OnCall");
    house.opened(alert.clone()).await;
    house.ended(alert.clone()).await;
    // Setting them twice is harmless, so a lost answer costs nothing but a second
    // time; the comment before them is looked for.
    house.desk.fault(CHANGE, Fault::Silent, 2);
    house.hears(alert.resolved().again()).await;
    house.incident_is("open").await;
    house.settled().await;
    house.desk.with(|desk| {
        assert_eq!(desk.only()["watch_list"], json!("noc@example.com"));
        let again = desk.comments().iter().filter(|text| text.contains("seen it again")).count();
        assert_eq!(again, 1, "{:#?}", desk.comments());
    });
}

#[tokio::test]
async fn of_two_tickets_of_one_incident_the_older_is_gone_on_with() {
    let house = House::servicenow_with(|text| text.replace("window: 400ms", "window: 1h")).await;
    house.desk.with(|desk| desk.lags = true);
    house.desk.fault(OPEN, Fault::Silent, 1);
    house.hears(down()).await;
    house.looks_until("a second ticket", || house.desk.asked(OPEN).len() == 2).await;
    let incident = house.incident_is("open").await;
    let second = incident.state.case().expect("a case").clone();
    // A list that lagged for longer than the window shows both when it is looked at again.
    house.desk.with(|desk| desk.lags = false);
    house.looks_until("a comment", || house.desk.with(|desk| !desk.journal.is_empty())).await;
    house.settled().await;
    house.desk.with(|desk| {
        let ids: Vec<&String> = desk.incidents.keys().collect();
        assert_eq!((ids.len(), ids[1].as_str()), (2, second.as_str()));
        // The younger is told of the older, which is gone on with.
        let (on, text) = &desk.journal[0];
        assert_eq!((desk.journal.len(), on), (1, ids[1]));
        assert!(text.contains(ids[0].as_str()), "{text}");
    });
    let incident = house.incident_is("open").await;
    assert_ne!(incident.state.case(), Some(&second));
}
