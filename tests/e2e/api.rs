//! What scripts and people get from the API: pages, deliveries taken in once more, drafts edited by
//! two people, vendors left alone, and a document that tells the truth about all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::domain::gate::Gate;
use casewright::http::api::{document, operations};
use casewright::sandbox::{Fault, Kind, On};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::house::{House, eventually};
use crate::support::process::{Said, free_port};

/// An answer of the API.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    tag: Option<String>,
    body: Value,
}

impl Told {
    #[track_caller]
    fn done(self) -> Value {
        assert!(self.status.is_success(), "{self:#?}");
        self.body
    }

    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), &self.body["code"]), (status, &code.into()), "{self:#?}");
        assert_eq!(self.body["status"], status);
        self.body
    }
}

fn request(house: &House, method: Method, path: &str) -> RequestBuilder {
    let token = std::fs::read_to_string(house.files.path("casewright.db.token")).expect("a token");
    let url = format!("http://{}{path}", house.admin());
    reqwest::Client::new().request(method, url).bearer_auth(token.trim())
}

async fn sent(request: RequestBuilder) -> Told {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned());
    let body = answer.text().await.expect("a body");
    Told { status, tag, body: serde_json::from_str(&body).unwrap_or(Value::Null) }
}

async fn get(house: &House, path: &str) -> Told {
    sent(request(house, Method::GET, path)).await
}

async fn post(house: &House, path: &str) -> Told {
    sent(request(house, Method::POST, path)).await
}

async fn put(house: &House, path: &str, seen: Option<&str>, body: &Value) -> Told {
    let mut request = request(house, Method::PUT, path).body(body.to_string());
    if let Some(seen) = seen {
        request = request.header("if-match", seen);
    }
    sent(request).await
}

fn asked(property: &str) -> Payload {
    Payload::of([Item::firing("Asked").label("property", property)])
}

/// Ids of a list, page by page.
async fn paged(house: &House, list: &str, query: &str, id: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(house, &format!("/api/v1/{list}?limit=1{query}{cursor}")).await.done();
        let rows = page[list].as_array().expect("rows");
        found.extend(rows.iter().map(|row| row[id].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_list_is_paged_through_one_by_one() {
    let house = House::open().await;
    for property in ["a", "b", "c"] {
        house.hears(edge(property)).await;
    }
    house.settled().await;
    for (list, id, count) in [
        ("incidents", "id", 3),
        ("alerts", "incident", 3),
        ("cases", "case", 3),
        ("deliveries", "id", 3),
    ] {
        let found = paged(&house, list, "", id).await;
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), count, "{list}: {found:?}");
        assert_eq!(found.len(), count, "{list}: each once");
    }
    assert!(paged(&house, "actions", "&state=done", "id").await.len() >= 3);
    let labelled = paged(&house, "incidents", "&label=property%3Db&has_case=true", "title").await;
    assert_eq!(labelled.len(), 1);
    // A cursor of one list is none of another, and a made-up one is refused.
    let page = get(&house, "/api/v1/incidents?limit=1").await.done();
    let next = page["next"].as_str().expect("more");
    get(&house, &format!("/api/v1/cases?cursor={next}")).await.refused(400, "unusable");
    get(&house, "/api/v1/cases?cursor=abc").await.refused(400, "unusable");
}

#[tokio::test]
async fn hostile_texts_in_filters_find_nothing_and_break_nothing() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    for text in ["%27", "%22%3B--", "%25", "%00", "%F0%9F%98%80", "%0D%0A", "..%2F", "%FF"] {
        for path in [
            format!("incidents?rule={text}"),
            format!("incidents?vendor={text}"),
            format!("incidents?label=a%3D{text}"),
            format!("alerts?fingerprint={text}"),
            format!("alerts?source={text}"),
            format!("cases?status={text}"),
            format!("actions?incident={text}"),
            format!("actions?state=any&vendor={text}"),
            format!("deliveries?source={text}"),
        ] {
            let page = get(&house, &format!("/api/v1/{path}")).await.done();
            let rows = page.as_object().expect("a page").values().find_map(Value::as_array);
            assert_eq!(rows.map(Vec::len), Some(0), "{path}: {page:#}");
        }
        for path in ["incidents", "deliveries", "vendors"] {
            let told = get(&house, &format!("/api/v1/{path}/{text}")).await;
            assert_eq!(told.status, 404, "{path}/{text}: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_delivery_is_taken_in_once_more_as_a_new_one() {
    let house = House::prepared("400ms", |_| {}).await;
    let nobodys = Payload::of([Item::firing("Nobodys").label("property", "shop")]);
    house.hears(nobodys).await;
    let listed = get(&house, "/api/v1/deliveries?fate=unmatched").await.done();
    let id = listed["deliveries"][0]["id"].as_str().expect("an id").to_owned();
    let shown = get(&house, &format!("/api/v1/deliveries/{id}")).await.done();
    assert_eq!(shown["body"]["alerts"][0]["labels"]["alertname"], "Nobodys", "{shown:#}");
    let replay = format!("/api/v1/deliveries/{id}/replay");
    let told = post(&house, &replay).await.done();
    assert_eq!((&told["fate"], &told["replay_of"]), (&"unmatched".into(), &id.as_str().into()));
    house.no_case().await;

    // New rules: what nobody wanted then gets its case now, and once.
    house.files.edit(
        "rules/90-tests.yaml",
        "alertname = \"Held\"",
        "alertname =~ \"Held|Nobodys\"",
    );
    house.command(&["reload"]).await.done();
    let told = house.command(&["deliveries", "replay", &id, "--json"]).await.json();
    assert_eq!(told["fate"], "accepted", "{told:#}");
    house.only_case().await;
    let new = told["delivery"].as_str().expect("an id");
    let shown = house.command(&["deliveries", "show", new, "--json"]).await.json();
    let note = shown["note"].as_str().expect("a note");
    assert!(note.contains("local had delivery") && note.contains(&id), "{note}");
    assert_eq!(post(&house, &replay).await.done()["fate"], "repeat");
    house.only_case().await;

    post(&house, "/api/v1/deliveries/nothing/replay").await.refused(404, "unknown");
    let repeats = get(&house, "/api/v1/deliveries?fate=repeat").await.done();
    let repeat = repeats["deliveries"][0]["id"].as_str().expect("an id");
    let path = format!("/api/v1/deliveries/{repeat}/replay");
    post(&house, &path).await.refused(409, "not_replayed");
}

#[tokio::test]
async fn what_a_person_has_edited_is_what_is_sent() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = house.incident_is("held").await.id.to_string();
    let path = format!("/api/v1/incidents/{id}/draft");
    let told = get(&house, &path).await;
    let tag = told.tag.clone().expect("a tag");
    let draft = told.done();
    assert_eq!(draft["draft"]["subject"], "shop: asked", "{draft:#}");
    assert_eq!(draft["edited"], Value::Null);

    let words = json!({ "subject": "shop is down in Oslo", "problem": "Alerts",
        "severity": "1-Major Impact" });
    put(&house, &path, None, &words).await.refused(428, "unseen");
    put(&house, &path, Some(&tag), &json!(["by its place"])).await.refused(400, "unusable");
    let told = put(&house, &path, Some(&tag), &words).await;
    let second = told.tag.clone().expect("a tag");
    let edited = told.done();
    // What repeats the rule is no edit.
    assert_eq!(edited["edited"]["fields"], json!(["subject", "severity"]), "{edited:#}");
    assert_eq!((&edited["edited"]["by"], &edited["edits"]), (&"local".into(), &1.into()));

    // Somebody else read it before, and overwrites nothing.
    let other = json!({ "subject": "mine" });
    let late = put(&house, &path, Some(&tag), &other).await.refused(412, "moved");
    assert_eq!(late["detail"], "the draft has been edited since it was read", "{late:#}");
    let approve = format!("/api/v1/incidents/{id}/approve");
    post(&house, &approve).await.refused(428, "unseen");
    let as_seen = request(&house, Method::POST, &approve).header("if-match", &tag);
    sent(as_seen).await.refused(412, "moved");
    let weak = format!("W/{second}");
    for odd in ["1", "\"\"", "W/\"1\"", &weak, "\"1-0\"", "\"x\", \"y\""] {
        let asked = request(&house, Method::POST, &approve).header("if-match", odd);
        let refused = sent(asked).await.refused(412, "moved");
        assert_eq!(refused["detail"], "what was named as seen is no tag of a draft", "{odd}");
    }
    house.no_case().await;

    let either = format!("\"x\", {second}");
    let as_seen = request(&house, Method::POST, &approve).header("if-match", &either);
    sent(as_seen).await.done();
    let case = house.only_case().await;
    assert!(case.filed.subject.starts_with("shop is down in Oslo [cw-"), "{case:#?}");
    assert_eq!(case.filed.severity, "1-Major Impact");
    let record = house.command(&["incidents", "show", &id]).await.done();
    assert!(record.contains("edited    by local"), "{record}");
    assert!(record.contains("the draft was edited: subject, severity"), "{record}");
    put(&house, &path, Some(&second), &other).await.refused(409, "not_waiting");
}

#[tokio::test]
async fn a_draft_that_other_words_make_is_not_what_was_seen_and_no_draft_is_anothers() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    house.hears(asked("blog")).await;
    let held = eventually("two that are held", || async {
        let held = get(&house, "/api/v1/incidents?state=held").await.done();
        let held = held["incidents"].as_array().cloned().unwrap_or_default();
        if held.len() == 2 { Ok(held) } else { Err(held) }
    })
    .await;
    let ids: Vec<&str> = held.iter().filter_map(|one| one["id"].as_str()).collect();
    let tag = async |id: &str| {
        let draft = get(&house, &format!("/api/v1/incidents/{id}/draft")).await;
        draft.tag.expect("a tag")
    };
    let before = (tag(ids[0]).await, tag(ids[1]).await);
    assert_ne!(before.0, before.1);
    house.command(&["reload"]).await.done();
    assert_eq!(tag(ids[0]).await, before.0, "the files say the same");
    let subject = "subject: '{{labels.property}}: asked";
    house.files.edit("rules/90-tests.yaml", subject, &format!("{subject} otherwise"));
    house.command(&["reload"]).await.done();
    let after = tag(ids[0]).await;
    assert_ne!(after, before.0);
    let approve = format!("/api/v1/incidents/{}/approve", ids[0]);
    for stale in [before.0, before.1] {
        let as_seen = request(&house, Method::POST, &approve).header("if-match", &stale);
        sent(as_seen).await.refused(412, "moved");
    }
    house.no_case().await;
}

#[tokio::test]
async fn what_stands_where_nobody_reads_it_is_refused_and_nothing_is_done() {
    let house = House::open().await;
    let mute = "/api/v1/mutes?for=1h&reason=x";
    for (kind, body) in [
        ("application/json", r#"{"rule":"edge-5xx"}"#),
        ("application/x-www-form-urlencoded", "rule=edge-5xx"),
    ] {
        let all = format!("{mute}&all=true");
        let asked = request(&house, Method::POST, &all).header("content-type", kind).body(body);
        sent(asked).await.refused(400, "unusable");
    }
    // Nobody mutes everything by leaving something out, or says two things.
    post(&house, mute).await.refused(400, "unusable");
    post(&house, &format!("{mute}&rule=edge-5xx&all=true")).await.refused(400, "unusable");
    let none = get(&house, "/api/v1/mutes").await.done();
    assert_eq!(none["mutes"], json!([]));
    let paused = request(&house, Method::POST, "/api/v1/vendors/akamai/pause?for=1h&reason=x");
    sent(paused.body("x")).await.refused(400, "unusable");
    assert_eq!(get(&house, "/api/v1/vendors/akamai").await.done()["state"], "open");
}

#[tokio::test]
async fn a_draft_is_not_approved_by_who_has_read_of_another_place() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = house.incident_is("held").await.id.to_string();
    let draft = format!("/api/v1/incidents/{id}/draft");
    let tag = get(&house, &draft).await.tag.expect("a tag");
    // What comes meanwhile changes the text, and not what was read.
    let more = Item::firing("Asked").label("property", "shop").label("pop", "osl");
    house.hears(Payload::of([more])).await;
    eventually("two alerts", || async {
        let incident = house.only_incident().await;
        if incident.tally.firing == 2 { Ok(()) } else { Err(incident.tally) }
    })
    .await;
    assert_eq!(get(&house, &draft).await.tag.expect("a tag"), tag);

    let rest = "\n      severity: 2\n      subject: '{{labels.property}}: asked'";
    let (before, after) = ("problem: Alerts", "problem: Configuring/Managing Services");
    let (before, after) = (format!("{before}{rest}"), format!("{after}{rest}"));
    house.files.edit("rules/90-tests.yaml", &before, &after);
    house.command(&["reload"]).await.done();
    let approve = format!("/api/v1/incidents/{id}/approve");
    let as_seen = request(&house, Method::POST, &approve).header("if-match", &tag);
    let refused = sent(as_seen).await.refused(412, "moved");
    let detail = refused["detail"].as_str().expect("words");
    assert!(detail.starts_with("the case would go elsewhere"), "{detail}");
    house.no_case().await;
    let whatever = request(&house, Method::POST, &approve).header("if-match", "*");
    sent(whatever).await.done();
    house.only_case().await;
}

#[tokio::test]
async fn what_the_vendor_would_not_take_is_no_edit() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = house.incident_is("held").await.id.to_string();
    let path = format!("/api/v1/incidents/{id}/draft");
    let tag = get(&house, &path).await.tag.expect("a tag");
    for (words, piece) in [
        (json!({ "product": "Ion Premium" }), "does not offer"),
        (json!({ "severity": "7-Nothing" }), "does not offer"),
        (json!({ "area": "Portal" }), "does not belong"),
        (json!({ "subject": "x".repeat(300) }), "too long"),
        (json!({ "subject": " " }), "is empty"),
        (json!({ "description": "x".repeat(32_001) }), "too long"),
    ] {
        let told = put(&house, &path, Some(&tag), &words).await.refused(422, "bad_draft");
        let problems = told["problems"].to_string();
        assert!(problems.contains(piece), "{words}: {problems}");
    }
    put(&house, &path, Some(&tag), &json!({ "subjekt": "x" })).await.refused(400, "unusable");
    put(&house, &path, Some(&tag), &json!([1])).await.refused(400, "unusable");
    assert_eq!(get(&house, &path).await.tag, Some(tag), "nothing was changed");
    // A text as long as it may be goes through, and back to the rule's it goes as well.
    let tag = get(&house, &path).await.tag.expect("a tag");
    let long = json!({ "description": "x".repeat(32_000) });
    let tag = put(&house, &path, Some(&tag), &long).await.tag.expect("a tag");
    let told = put(&house, &path, Some(&tag), &json!({})).await.done();
    assert_eq!((&told["edits"], &told["edited"]), (&2.into(), &Value::Null));
}

#[tokio::test]
async fn a_vendor_that_a_person_wants_left_alone_gets_its_cases_afterwards() {
    let mut house = House::open().await;
    let wish = ["vendors", "pause", "akamai", "--for", "2h", "--reason", "they migrate"];
    let said = house.command(&wish).await.done();
    assert!(said.contains("is left alone until"), "{said}");
    house.hears(edge("shop")).await;
    house.incident_is("opening").await;
    let shown = get(&house, "/api/v1/vendors/akamai").await.done();
    assert_eq!((&shown["state"], &shown["paused_by"]), (&"paused".into(), &"local".into()));
    assert!(shown["why"].as_str().expect("why").contains("they migrate"), "{shown:#}");
    // A restart changes nothing of it.
    house.stop_daemon().await;
    house.start_daemon().await;
    let now = house.clock.now();
    house.gate("paused", |gate: &Gate| gate.paused(now).is_some()).await;
    eventually("a vendor that is left alone", || async {
        let shown = get(&house, "/api/v1/vendors/akamai").await.done();
        if shown["state"] == "paused" { Ok(()) } else { Err(shown) }
    })
    .await;
    assert_eq!(house.requests("POST /cases"), 0);
    let told = post(&house, "/api/v1/vendors/akamai/resume").await.done();
    assert_eq!(told["resumed"], true);
    house.only_case().await;

    // Another ends by itself.
    post(&house, "/api/v1/vendors/akamai/pause?for=1h&reason=x").await.done();
    house.hears(edge("other")).await;
    house.clock.advance(Duration::from_secs(3601));
    house.cases(2).await;
    for query in ["", "?for=1h", "?for=0s&reason=x", "?for=25h&reason=x", "?for=x&reason=x"] {
        let path = format!("/api/v1/vendors/akamai/pause{query}");
        post(&house, &path).await.refused(400, "unusable");
    }
    post(&house, "/api/v1/vendors/nobody/pause?for=1h&reason=x").await.refused(404, "unknown");
}

#[tokio::test]
async fn the_status_tells_how_everything_stands() {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    house.hears(edge("shop")).await;
    house.incident_is("failed").await;
    let status = get(&house, "/api/v1/status").await.done();
    assert_eq!((&status["incidents"]["failed"], &status["queue"]["dead"]), (&1.into(), &1.into()));
    assert_eq!(status["alarms"]["refused"], 1, "{status:#}");
    assert_eq!(status["store"]["writable"], true);
    assert!(
        status["store"]["bytes"].as_u64() > Some(0) && status["files"]["rules"].as_u64() > Some(5)
    );
    assert_eq!(status["vendors"][0]["name"], "akamai");
    let said = house.command(&["status"]).await.done();
    assert!(said.contains("1 failed") && said.contains("1 dead letters"), "{said}");
    let yaml = house.command(&["status", "--output", "yaml"]).await.done();
    assert!(yaml.contains("\nversion: ") || yaml.starts_with("version: "), "{yaml}");
    // What is in force is told again after files that cannot be used.
    house.files.edit("casewright.yaml", "rules:", "ruhls:");
    house.command(&["reload"]).await;
    let status = get(&house, "/api/v1/status").await.done();
    assert_eq!(status["files"]["last_reload_successful"], false);
}

#[tokio::test]
async fn whoever_has_what_there_is_gets_nothing_again() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    let path = "/api/v1/rules";
    let told = get(&house, path).await;
    let tag = told.tag.clone().expect("a tag");
    assert!(told.done()["rules"].as_array().is_some_and(|rules| rules.len() > 5));
    let again = request(&house, Method::GET, path).header("if-none-match", &tag);
    assert_eq!(sent(again).await.status, 304);
}

#[tokio::test]
async fn nobody_who_does_not_answer_is_told_apart_from_a_refusal() {
    let house = House::open().await;
    let refused = house.command(&["deliveries", "show", "nothing"]).await;
    assert_eq!((refused.ok, refused.code), (false, Some(1)), "{refused:?}");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let token = house.files.path("casewright.db.token");
    let token = token.to_str().expect("a plain path");
    let asking = ["status", "--url", &nowhere, "--token-file", token];
    let said = Said::about(&asking, &house.files).await;
    assert_eq!((said.ok, said.code), (false, Some(3)), "{said:?}");
    let wrong = house.command(&["cases", "list", "--nothing"]).await;
    assert_eq!((wrong.ok, wrong.code), (false, Some(2)), "{wrong:?}");
}

// --- The document ---

fn described() -> Value {
    serde_json::to_value(document()).expect("JSON")
}

fn each_described() -> BTreeSet<(String, String)> {
    let document = described();
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut all = BTreeSet::new();
    for (path, item) in paths {
        for method in item.as_object().expect("an item").keys() {
            all.insert((method.to_uppercase(), path.clone()));
        }
    }
    all
}

#[test]
fn every_route_is_described_and_every_description_is_of_a_route() {
    let routes: BTreeSet<(String, String)> =
        operations().into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    assert_eq!(each_described(), routes);
}

#[tokio::test]
async fn every_operation_that_is_described_answers() {
    let house = House::open().await;
    for (method, path) in each_described() {
        let path = path.replace("{seq}", "1").replace(['{', '}'], "");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let told = sent(request(&house, method.clone(), &path)).await;
        assert_ne!(told.status, 405, "{method} {path}");
        assert!(!told.status.is_server_error(), "{method} {path}: {told:?}");
        // There is something at the address, though not what it names.
        assert_ne!(told.body["code"], "not_found", "{method} {path}: {told:?}");
    }
}

/// What an answer must look like, by the document.
fn valid(path: &str, method: &str, told: &Told) {
    let document = described();
    let operation = &document["paths"][path][method]["responses"];
    let status = told.status.as_u16().to_string();
    let response = operation.get(&status).or_else(|| operation.get("default")).expect("described");
    let content = response["content"].as_object().expect("content");
    let schema = &content.values().next().expect("a type")["schema"];
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&whole).expect("a schema");
    let wrong: Vec<String> = validator
        .iter_errors(&told.body)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert_eq!(wrong, [""; 0], "{method} {path}: {:#}", told.body);
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(asked("held")).await;
    house.settled().await;
    house.clock.advance(Duration::from_secs(700));
    eventually("a case that was read", || async {
        let page = get(&house, "/api/v1/cases?open=true").await.done();
        if page["cases"][0]["checked_at"].is_string() { Ok(()) } else { Err(page) }
    })
    .await;
    let first = async |list: &str, id: &str| {
        let page = get(&house, &format!("/api/v1/{list}")).await.done();
        let key = list.split('?').next().unwrap_or(list);
        page[key][0][id].as_str().expect("an id").to_owned()
    };
    let held = first("incidents?state=held", "id").await;
    let open = first("incidents?state=open", "id").await;
    let action = first("actions?state=done", "id").await;
    let delivery = first("deliveries", "id").await;
    for (template, path) in [
        ("/incidents", "/incidents".to_owned()),
        ("/incidents", "/incidents?state=nothing".to_owned()),
        ("/incidents/{id}", format!("/incidents/{held}")),
        ("/incidents/{id}", format!("/incidents/{open}")),
        ("/incidents/{id}", "/incidents/nothing".to_owned()),
        ("/incidents/{id}/draft", format!("/incidents/{held}/draft")),
        ("/why", format!("/why?about={open}")),
        ("/why", format!("/why?about={delivery}")),
        ("/alerts", "/alerts".to_owned()),
        ("/cases", "/cases".to_owned()),
        ("/cases/{case}", format!("/cases/{open}")),
        ("/cases/{case}", "/cases/nothing".to_owned()),
        ("/actions", "/actions?state=any".to_owned()),
        ("/actions/{incident}/{seq}", format!("/actions/{action}")),
        ("/deliveries", "/deliveries".to_owned()),
        ("/deliveries/{id}", format!("/deliveries/{delivery}")),
        ("/deliveries/{id}/explanation", format!("/deliveries/{delivery}/explanation")),
        ("/deliveries/{id}/explanation", "/deliveries/nothing/explanation".to_owned()),
        ("/mutes", "/mutes".to_owned()),
        ("/rules", "/rules".to_owned()),
        ("/catalog", "/catalog".to_owned()),
        ("/catalog/search", "/catalog/search?words=ion".to_owned()),
        ("/vendors", "/vendors".to_owned()),
        ("/vendors/{name}", "/vendors/akamai".to_owned()),
        ("/status", "/status".to_owned()),
    ] {
        let told = get(&house, &format!("/api/v1{path}")).await;
        valid(&format!("/api/v1{template}"), "get", &told);
    }
    for (template, path) in [
        ("/api/v1/deliveries/{id}/replay", format!("/api/v1/deliveries/{delivery}/replay")),
        ("/api/v1/mutes", "/api/v1/mutes?for=1h&all=true&reason=x".to_owned()),
        ("/api/v1/mutes", "/api/v1/mutes".to_owned()),
        ("/api/v1/vendors/{name}/pause", "/api/v1/vendors/akamai/pause?for=1h&reason=x".to_owned()),
        ("/api/v1/vendors/{name}/resume", "/api/v1/vendors/akamai/resume".to_owned()),
        ("/api/v1/incidents/{id}/approve", format!("/api/v1/incidents/{held}/approve")),
        ("/api/v1/incidents/{id}/reject", format!("/api/v1/incidents/{held}/reject")),
        ("/api/v1/actions/{incident}/{seq}/retry", format!("/api/v1/actions/{action}/retry")),
        ("/api/v1/catalog/sync", "/api/v1/catalog/sync".to_owned()),
        ("/-/reload", "/-/reload".to_owned()),
    ] {
        let asked = request(&house, Method::POST, &path).header("if-match", "*");
        valid(template, "post", &sent(asked).await);
    }
}
