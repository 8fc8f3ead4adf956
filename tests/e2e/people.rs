//! A person looks at what waits, and has it done: through the command line and the API, against a
//! daemon that runs.

use casewright::sandbox::{Fault, Kind, On};
use casewright::store::{Action, ActionState};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::alertmanager::edge;
use crate::support::files::Files;
use crate::support::house::{House, assert_untouched};
use crate::support::process::{Said, free_port};

/// What cannot be proved waits for a person.
fn holding(files: &Files) {
    files.edit("casewright.yaml", "looks: 3", "looks: 3, when_not_found: hold");
}

async fn only_action(house: &House) -> Action {
    let mut actions = house.actions().await;
    assert_eq!(actions.len(), 1, "{actions:#?}");
    actions.remove(0)
}

/// Waits until the only action is held.
async fn held(house: &House) -> Action {
    house.settled().await;
    let action = only_action(house).await;
    assert_eq!(action.state, ActionState::Held, "{action:#?}");
    action
}

#[tokio::test]
async fn a_held_action_is_looked_for_again_and_its_case_is_adopted() {
    let house = House::prepared("400ms", holding).await;
    house.faults([
        Fault::on_next(Kind::DropAfterCommit, On::Create, 1),
        Fault { seconds: Some(3600), ..Fault::new(Kind::StaleLists, On::Read) },
    ]);
    house.hears(edge("shop")).await;
    let action = held(&house).await;
    let id = action.id.to_string();

    let listed = house.command(&["actions", "list", "--json"]).await.json();
    let waits = &listed["actions"][0];
    assert_eq!(listed["actions"].as_array().map(Vec::len), Some(1), "{listed:#}");
    for (key, value) in [
        ("id", id.as_str()),
        ("state", "held"),
        ("kind", "open"),
        ("vendor", "akamai"),
        ("rule", "edge-5xx"),
        ("incident_state", "opening"),
        ("token", &action.id.incident.marker().token()),
    ] {
        assert_eq!(waits[key], value, "{listed:#}");
    }
    assert_eq!(waits["labels"]["property"], "shop");
    assert_eq!(waits["last_attempt"]["outcome"], "absent");
    assert_eq!(waits["since"], waits["last_attempt"]["finished_at"]);
    assert_eq!(waits["attempts"], 1);
    let table = house.command(&["actions", "list"]).await.done();
    assert!(table.contains(&id) && table.contains("property=shop"), "{table}");

    house.no_faults();
    let said = house.command(&["actions", "retry", &id]).await.done();
    assert!(said.contains("the vendor's records are read first"), "{said}");
    assert_untouched(&house.only_case().await);
    assert_eq!(house.requests("POST /cases"), 1, "it was not sent a second time");
    assert_eq!(house.only_incident().await.state.name(), "open");
    let table = house.command(&["actions", "list"]).await.done();
    assert_eq!(table.trim(), "nothing waits for a person");
    let counted = house.metric(r#"casewright_admin_calls_total{call="retry_look",result="done"}"#);
    assert_eq!(counted.await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_held_action_that_a_person_vouches_for_is_sent_and_gets_exactly_one_case() {
    let house = House::prepared("400ms", holding).await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Create, 1)]);
    house.hears(edge("shop")).await;
    let id = held(&house).await.id.to_string();

    // Nothing is found, so nothing is sent: it waits for a person again.
    house.command(&["actions", "retry", &id]).await.done();
    held(&house).await;
    assert_eq!(house.requests("POST /cases"), 1);

    let said = house.command(&["actions", "retry", &id, "--send", "--json"]).await.json();
    assert_eq!(said["next"], "send");
    assert_untouched(&house.only_case().await);
    assert_eq!(house.requests("POST /cases"), 2);
    // Besides the action itself there is a later look for a second case, which finds none.
    assert!(house.actions().await.iter().all(|action| action.state == ActionState::Done));

    // Once more is once too often.
    let complaint = house.command(&["actions", "retry", &id, "--send"]).await.failed();
    assert!(complaint.contains("it is done, and does not wait for a person"), "{complaint}");
    house.only_case().await;
    assert_eq!(house.requests("POST /cases"), 2);
}

#[tokio::test]
async fn a_dead_letter_is_sent_once_its_cause_is_mended() {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    house.hears(edge("shop")).await;
    house.incident_is("failed").await;
    let listed = house.command(&["actions", "list", "--output", "json"]).await.json();
    let waits = &listed["actions"][0];
    assert_eq!((&waits["state"], &waits["incident_state"]), (&"dead".into(), &"failed".into()));
    let why = waits["why"].as_str().expect("a reason");
    assert!(why.contains("Akamai refused the request"), "{why}");
    let id = waits["id"].as_str().expect("an id").to_owned();
    house.command(&["actions", "retry", &id]).await.done();
    house.only_case().await;
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn a_retry_has_a_vendor_probed_that_did_not_accept_us() {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    house.hears(edge("shop")).await;
    house.incident_is("failed").await;
    house.faults([Fault::new(Kind::Revoked, On::Any)]);
    house.hears(edge("other")).await;
    house.action_says("did not accept").await;
    house.no_faults();
    let listed = house.command(&["actions", "list", "--json"]).await.json();
    let id = listed["actions"][0]["id"].as_str().expect("an id").to_owned();
    let said = house.command(&["actions", "retry", &id, "--json"]).await.json();
    assert_eq!(said["vendor_resumed"], true, "{said}");
    // The clock was not set forward: no probe was due.
    crate::support::house::eventually("its case", || async {
        let cases = house.sandbox.cases();
        let about = cases.iter().any(|case| case.filed.subject.starts_with("shop: "));
        if about { Ok(()) } else { Err(cases) }
    })
    .await;
}

#[tokio::test]
async fn a_vendor_that_did_not_accept_us_is_resumed_by_a_person() {
    let house = House::open().await;
    house.faults([Fault::new(Kind::Revoked, On::Any)]);
    house.hears(edge("first")).await;
    house.action_says("did not accept").await;
    house.hears(edge("shop")).await;
    let listed = house.command(&["vendors", "list", "--json"]).await.json();
    let vendor = &listed["vendors"][0];
    assert_eq!((&vendor["name"], &vendor["state"]), (&"akamai".into(), &"denied".into()));
    assert_eq!(vendor["unfinished"], 2, "{listed:#}");
    assert!(vendor["since"].is_string() && vendor["next_probe"].is_string(), "{listed:#}");
    let why = vendor["why"].as_str().expect("a reason");
    assert!(why.contains("did not accept the credentials"), "{why}");
    let table = house.command(&["vendors", "list"]).await.done();
    assert!(table.contains("denied") && table.contains(why), "{table}");

    house.no_faults();
    let said = house.command(&["vendors", "resume", "akamai"]).await.done();
    assert!(said.contains("is probed at once"), "{said}");
    // The clock was not set forward: no probe was due, and the action that was not tried is due.
    crate::support::house::eventually("a case", || async {
        let cases = house.sandbox.cases();
        let about = cases.iter().any(|case| case.filed.subject.starts_with("shop: "));
        if about { Ok(()) } else { Err(cases) }
    })
    .await;
    let said = house.command(&["vendors", "resume", "akamai"]).await.done();
    assert!(said.contains("nothing to resume"), "{said}");
    let said = house.command(&["vendors", "list", "--json"]).await.json();
    assert_eq!(said["vendors"][0]["state"], "open");
    assert_eq!(said["vendors"][0]["why"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_what_to_do() {
    let house = House::open().await;
    for (arguments, words) in [
        (vec!["actions", "retry", "0123456789abcdef01234567/1"], "there is no such action"),
        (vec!["actions", "retry", "0123456789abcdef01234567/x"], "there is no such action"),
        (vec!["actions", "retry", "0123456789abcdef01234567"], "its id is INCIDENT/NUMBER"),
        (vec!["vendors", "resume", "nobody"], "there is no such vendor"),
    ] {
        let complaint = house.command(&arguments).await.failed();
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }

    std::fs::write(house.files.path("wrong-token"), "not-the-token-of-anybody").expect("written");
    let wrong = house.files.path("wrong-token");
    let wrong = wrong.to_str().expect("a plain path");
    for arguments in [
        vec!["actions", "list", "--token-file", wrong],
        vec!["vendors", "resume", "akamai", "--token-file", wrong],
        vec!["reload", "--token-file", wrong],
    ] {
        let complaint = house.command(&arguments).await.failed();
        assert!(complaint.contains("the daemon answers 401"), "{arguments:?}: {complaint}");
        assert!(complaint.contains("server.admin_tokens"), "{arguments:?}: {complaint}");
    }
    let refused =
        house.metric(r#"casewright_admin_calls_total{call="any",result="unauthenticated"}"#);
    assert_eq!(refused.await.as_deref(), Some("3"));

    let nobody = format!("127.0.0.1:{}", free_port());
    let complaint = Said::of(&["actions", "list"], &house.files, nobody).await.failed();
    assert!(complaint.contains("no daemon answers at 127.0.0.1:"), "{complaint}");
    let far = Said::of(&["actions", "list"], &house.files, "192.0.2.1:8081").await.failed();
    assert!(far.contains("must not cross a network"), "{far}");
}

/// Asks the admin listener for something.
pub(crate) async fn ask(
    house: &House,
    method: Method,
    path: &str,
    authorization: Option<&str>,
) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", house.admin());
    let mut request = reqwest::Client::new().request(method, url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn without_a_token_nothing_of_the_api_is_reached() {
    let house = House::prepared("400ms", holding).await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Create, 1)]);
    house.hears(edge("shop")).await;
    let action = held(&house).await;
    let (retry, resume) =
        (format!("/api/v1/actions/{}/retry?how=send", action.id), "/api/v1/vendors/akamai/resume");
    let calls = [
        (Method::GET, "/api/v1/actions"),
        (Method::GET, "/api/v1/vendors"),
        (Method::POST, retry.as_str()),
        (Method::POST, resume),
        (Method::POST, "/-/reload"),
        // Not even what is there and what is not.
        (Method::GET, "/api/v1/nothing"),
        (Method::DELETE, "/api/v1/actions"),
        (Method::GET, "/-/reload"),
    ];
    let local = std::fs::read_to_string(house.files.path("casewright.db.token")).expect("a token");
    let local = local.trim();
    let almost = format!("Bearer {}", &local[..local.len() - 1]);
    let basic = format!("Basic {local}");
    for (method, path) in calls {
        for authorization in [None, Some(almost.as_str()), Some(&basic), Some("Bearer demo-token")]
        {
            let (status, body) = ask(&house, method.clone(), path, authorization).await;
            assert_eq!(status, 401, "{method} {path} {authorization:?}");
            let code = &body["code"];
            assert!(code == "no_credential" || code == "bad_credential", "{body}");
        }
    }
    assert_eq!(only_action(&house).await, action, "nothing was done");
    let good = format!("Bearer {local}");
    for (method, path, status) in [
        (Method::GET, "/api/v1/actions?limit=1000", 200),
        (Method::GET, "/api/v1/actions?limit=1001", 400),
        (Method::GET, "/api/v1/actions?limit=0", 400),
        (Method::GET, "/api/v1/actions?more=1", 400),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::DELETE, "/api/v1/actions", 405),
        (Method::GET, "/-/reload", 405),
        (Method::POST, "/api/v1/actions/x/1/retry?how=dance", 400),
        (Method::POST, "/api/v1/actions/x/1/retry", 404),
        (Method::POST, "/api/v1/actions/x/-1/retry", 404),
        (Method::POST, "/api/v1/vendors/nobody/resume", 404),
    ] {
        let (answered, body) = ask(&house, method.clone(), path, Some(&good)).await;
        assert_eq!(answered, status, "{method} {path}: {body}");
        assert!(status == 200 || body["detail"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn tokens_of_the_config_are_accepted_and_changed_by_a_reload() {
    let house = House::prepared("400ms", |files| {
        let tokens = "server: { admin_tokens: [{ name: ops, role: viewer, token: the-first-token-of-ops }], ";
        files.edit("casewright.yaml", "server: { ", tokens);
    })
    .await;
    let vendors = "/api/v1/vendors";
    let first = Some("Bearer the-first-token-of-ops");
    let second = Some("Bearer the-second-token-of-ops");
    assert_eq!(ask(&house, Method::GET, vendors, first).await.0, 200);
    assert_eq!(ask(&house, Method::GET, vendors, second).await.0, 401);
    house.files.edit("casewright.yaml", "the-first", "the-second");
    // The token of the machine is the one that works in between.
    house.command(&["reload"]).await.done();
    assert_eq!(ask(&house, Method::GET, vendors, first).await.0, 401);
    assert_eq!(ask(&house, Method::GET, vendors, second).await.0, 200);
}
