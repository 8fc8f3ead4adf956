//! What keeps a case from being opened, and what a case is told while it is open: against a daemon
//! that runs, with its command line.

use std::time::Duration;

use casewright::domain::incident::Incident;
use casewright::sandbox::Case;
use reqwest::Method;
use serde_json::Value;

use super::people::ask;
use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::files::Files;
use crate::support::house::{House, comments, eventually};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn alert(name: &str) -> Item {
    Item::firing(name).label("property", "shop").label("severity", "critical")
}

/// Two cases in an hour.
fn scanty(files: &Files) {
    files.edit("casewright.yaml", "limits: off", "limits: { cases: 2, per: 1h }");
}

fn states(incidents: &[Incident]) -> Vec<&'static str> {
    let mut states: Vec<_> = incidents.iter().map(|incident| incident.state.name()).collect();
    states.sort_unstable();
    states
}

fn reasons(record: &Value) -> Vec<&str> {
    let decisions = record["decisions"].as_array().expect("a list");
    decisions.iter().map(|decided| decided["reason"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn what_a_person_has_to_approve_gets_its_case_when_one_does() {
    let house = House::open().await;
    house.hears(alert("Asked")).await;
    let id = house.incident_is("held").await.id.to_string();
    house.no_case().await;

    let listed = house.command(&["incidents", "list", "--state", "held", "--json"]).await.json();
    assert_eq!(listed["incidents"][0]["id"], id.as_str(), "{listed:#}");
    assert_eq!(listed["incidents"][0]["hold"], "approval");
    let shown = house.command(&["incidents", "show", &id]).await.done();
    assert!(shown.contains("held (approval): a person has to approve it"), "{shown}");
    assert!(shown.contains("the case as it would be sent now"), "{shown}");
    assert!(shown.contains("shop: asked"), "{shown}");

    let said = house.command(&["incidents", "approve", &id, "--yes"]).await.done();
    assert!(said.contains("is being opened"), "{said}");
    let case = house.only_case().await;
    let record = house.command(&["incidents", "show", &id, "--json"]).await.json();
    assert_eq!(record["case"], case.case_id.as_str());
    assert_eq!(record["decisions"][1]["cause"], "person local");
    assert_eq!(record["sent"]["subject"], case.filed.subject.as_str(), "{record:#}");
    // A second word is too late.
    let complaint = house.command(&["incidents", "approve", &id, "--yes"]).await.failed();
    assert!(complaint.contains("it is open"), "{complaint}");
    let complaint = house.command(&["incidents", "reject", &id]).await.failed();
    assert!(complaint.contains("it is open"), "{complaint}");
    house.only_case().await;
}

#[tokio::test]
async fn what_a_person_rejects_gets_no_case_while_it_fires() {
    let house = House::open().await;
    house.hears(alert("Asked")).await;
    let id = house.incident_is("held").await.id.to_string();
    house.command(&["incidents", "reject", &id]).await.done();
    house.clock.advance(4 * HOUR);
    house.hears(alert("Asked")).await;
    house.incident_is("dropped").await;
    let complaint = house.command(&["incidents", "approve", &id, "--yes"]).await.failed();
    assert!(complaint.contains("it is dropped"), "{complaint}");
    house.no_case().await;
    let unknown = house.command(&["incidents", "approve", "nothing", "--yes"]).await.failed();
    assert!(unknown.contains("there is no such incident"), "{unknown}");
}

#[tokio::test]
async fn a_rule_that_is_only_tried_opens_its_cases_once_it_is_in_earnest() {
    let house = House::open().await;
    house.hears(alert("Tried")).await;
    house.incident_is("held").await;
    house.no_case().await;
    house.files.edit("rules/90-tests.yaml", "mode: shadow", "mode: auto");
    house.command(&["reload"]).await.done();
    house.cases(1).await;
}

#[tokio::test]
async fn a_storm_opens_as_many_cases_as_the_budget_has_and_the_rest_later() {
    let house = House::prepared("400ms", scanty).await;
    for property in ["one", "two", "three", "four"] {
        house.hears(edge(property)).await;
    }
    house.cases(2).await;
    assert_eq!(states(&house.incidents().await), ["held", "held", "open", "open"]);
    let held = house.incidents().await.into_iter().find(|incident| incident.state.name() == "held");
    let id = held.expect("two").id.to_string();
    let record = house.command(&["incidents", "show", &id, "--json"]).await.json();
    let why = "held (budget): 2 of 2 cases in 1h used by all rules together";
    assert_eq!(reasons(&record), [why]);
    let metric = r#"casewright_incidents_held{hold="budget"}"#;
    assert_eq!(house.metric(metric).await.as_deref(), Some("2"));

    house.clock.advance(HOUR);
    house.cases(4).await;
    let record = house.command(&["incidents", "show", &id, "--json"]).await.json();
    assert!(
        reasons(&record).contains(&"fires, and is held no longer (budget); a case is being opened"),
        "{record:#}"
    );
}

#[tokio::test]
async fn what_is_over_the_budget_has_one_case_together_and_a_person_may_have_one_opened() {
    let rollup = |files: &Files| {
        scanty(files);
        files.edit("casewright.yaml", "per: 1h }", "per: 1h, overflow: rollup }");
    };
    let mut house = House::prepared("400ms", rollup).await;
    for property in ["one", "two", "three", "four", "five"] {
        house.hears(edge(property)).await;
    }
    house.clock.advance(MINUTE);
    let cases = house.cases(3).await;
    let rolled = |case: &Case| case.filed.subject.starts_with("3 problems at once, rule edge-5xx");
    let case = cases.iter().find(|case| rolled(case)).expect("a roll-up");
    for property in ["three", "four", "five"] {
        assert!(case.filed.description.contains(&format!("property={property})")), "{case:?}");
    }
    assert_eq!(states(&house.incidents().await), ["held", "held", "held", "open", "open", "open"]);
    let list = ["incidents", "list", "--state", "held", "--json"];
    let held = house.command(&list).await.json();
    let id = held["incidents"][0]["id"].as_str().expect("an id").to_owned();
    let record = house.command(&["incidents", "show", &id, "--json"]).await.json();
    let why = "held (rollup): 2 of 2 cases in 1h used by all rules together; the case of the roll-up \
               stands for it";
    assert_eq!(reasons(&record), [why]);

    // New rules are no reason to let them all go, and a restart forgets nothing.
    house.command(&["reload"]).await.done();
    house.stop_daemon().await;
    house.start_daemon().await;
    house.clock.advance(2 * HOUR);
    house.cases(3).await;
    let said = house.command(&["incidents", "approve", &id, "--yes"]).await.done();
    assert!(said.contains("is being opened"), "{said}");
    house.cases(4).await;
    for property in ["one", "two", "three", "four", "five"] {
        house.hears(edge(property).resolved()).await;
    }
    house.clock.advance(MINUTE);
    let over = || async {
        let states = states(&house.incidents().await);
        let is_over = |state: &&str| ["closed", "dropped"].contains(state);
        if states.iter().all(is_over) { Ok(()) } else { Err(states) }
    };
    eventually("all is over", over).await;
    let cases = house.cases(4).await;
    let case = cases.iter().find(|case| rolled(case)).expect("the roll-up");
    assert_eq!(comments(case, "All 3 problems behind this case have resolved"), 1, "{case:?}");
}

#[tokio::test]
async fn nothing_is_opened_while_everything_is_muted_and_what_still_fires_gets_its_case_then() {
    let house = House::open().await;
    let said = house
        .command(&["mutes", "add", "--all", "--for", "2h", "--reason", "the origin moves"])
        .await
        .done();
    assert!(said.starts_with("muted: everything until "), "{said}");
    house.hears(edge("shop")).await;
    house.hears(Payload::of([edge("www"), edge("img")])).await;
    house.hears(edge("www").resolved()).await;
    house.no_case().await;
    assert_eq!(states(&house.incidents().await), ["dropped", "held", "held"]);
    let why = house.command(&["why", "EdgeHigh5xxRatio"]).await.done();
    assert!(why.contains("held (mute): everything muted by local: the origin moves"), "{why}");

    house.clock.advance(2 * HOUR);
    house.cases(2).await;
    let listed = house.command(&["mutes", "list"]).await.done();
    assert_eq!(listed.trim(), "nothing is muted but by the files");
}

#[tokio::test]
async fn a_mute_of_one_rule_can_be_lifted_before_its_time() {
    let house = House::open().await;
    let arguments = ["mutes", "add", "--for", "2h", "--reason", "known", "--rule", "edge-5xx"];
    let made = house.command(&[&arguments[..], &["--json"]].concat()).await.json();
    let id = made["id"].as_str().expect("an id");
    house.hears(edge("shop")).await;
    house.hears(Item::firing("Wordy").label("property", "shop").annotation("story", "s")).await;
    house.only_case().await;
    let said = house.command(&["mutes", "lift", id]).await.done();
    assert!(said.contains("gets its case now"), "{said}");
    house.cases(2).await;
    let complaint = house.command(&["mutes", "lift", id]).await.failed();
    assert!(complaint.contains("there is no such mute"), "{complaint}");
}

#[tokio::test]
async fn a_mute_that_would_mute_nothing_is_refused() {
    let house = House::open().await;
    for (change, words) in [
        (["--for", "2", "--rule", "edge-5xx"], "`for` is no time"),
        (["--for", "31d", "--rule", "edge-5xx"], "out of range"),
        (["--for", "0s", "--rule", "edge-5xx"], "out of range"),
        (["--for", "2h", "--rule", "edge-5x"], "there is no rule `edge-5x`"),
    ] {
        let arguments = [&["mutes", "add", "--reason", "a test"][..], &change].concat();
        let complaint = house.command(&arguments).await.failed();
        assert!(complaint.contains(words), "{complaint}");
    }
    let listed = house.command(&["mutes", "list"]).await.done();
    assert_eq!(listed.trim(), "nothing is muted but by the files");
}

#[tokio::test]
async fn why_there_is_no_case_is_told_of_an_alert_that_no_rule_takes() {
    let house = House::open().await;
    house.hears(Item::firing("NobodyWantsIt").label("property", "shop")).await;
    let why = house.command(&["why", "NobodyWantsIt"]).await.done();
    assert!(why.contains("no rule matches"), "{why}");
    let nothing = house.command(&["why", "NobodyKnowsIt"]).await.done();
    assert!(nothing.contains("nothing is known of `NobodyKnowsIt`"), "{nothing}");
}

#[tokio::test]
async fn why_there_is_a_case_is_told_by_its_number_its_token_and_its_delivery() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await;
    let incident = house.only_incident().await;
    let token = incident.id.marker().token();
    for about in [case.case_id.as_str(), &token, incident.id.as_str(), incident.delivery.as_str()] {
        let answer = house.command(&["why", about, "--json"]).await.json();
        assert_eq!(answer["incidents"][0]["case"], case.case_id.as_str(), "{about}: {answer:#}");
        let attempt = &answer["incidents"][0]["actions"][0]["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["status"]), (&"done".into(), &201.into()));
    }
}

#[tokio::test]
async fn news_is_told_once_and_silence_ends_an_incident() {
    let house = House::open().await;
    house.hears(edge("shop").label("pop", "FRA")).await;
    house.only_case().await;
    house
        .hears(Payload::of([edge("shop").label("pop", "FRA"), edge("shop").label("pop", "AMS")]))
        .await;
    house.clock.advance(29 * MINUTE);
    assert_eq!(house.only_case().await.comments.len(), 0);
    house.clock.advance(2 * MINUTE);
    let case = eventually("a comment", || async {
        let case = house.only_case().await;
        if case.comments.is_empty() { Err(case) } else { Ok(case) }
    })
    .await;
    assert_eq!(comments(&case, "AMS"), 1, "{:#?}", case.comments);
    house.clock.advance(12 * HOUR);
    house.incident_is("closed").await;
    let case = house.only_case().await;
    assert_eq!(case.comments.len(), 2, "{:#?}", case.comments);
    assert_eq!(comments(&case, "has not reported this problem since"), 1, "{:#?}", case.comments);
}

#[tokio::test]
async fn the_list_of_incidents_refuses_what_it_does_not_know() {
    let house = House::open().await;
    let token = std::fs::read_to_string(house.files.path("casewright.db.token")).expect("a token");
    let token = format!("Bearer {}", token.trim());
    for query in ["state=nonsense", "limit=0", "limit=100000", "colour=red"] {
        let path = format!("/api/v1/incidents?{query}");
        let (status, body) = ask(&house, Method::GET, &path, Some(&token)).await;
        assert_eq!(status, 400, "{query}: {body}");
    }
}

#[tokio::test]
async fn while_nobody_listened_nobody_was_silent() {
    let mut house = House::open().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    house.stop_daemon().await;
    house.clock.advance(13 * HOUR);
    house.start_daemon().await;
    house.hears(edge("other")).await;
    let incidents = house.incidents().await;
    assert!(!states(&incidents).contains(&"closed"), "{incidents:#?}");
    for case in house.cases(2).await {
        assert_eq!(case.comments.len(), 0, "{:#?}", case.comments);
    }
    // It may be silent for as long again.
    house.clock.advance(11 * HOUR);
    house.hears(edge("other")).await;
    house.settled().await;
    assert!(house.incidents().await.iter().all(|incident| incident.state.name() == "open"));
    house.clock.advance(HOUR + MINUTE);
    eventually("an end in silence", || async {
        let incidents = house.incidents().await;
        if states(&incidents) == ["closed", "open"] { Ok(()) } else { Err(incidents) }
    })
    .await;
}
