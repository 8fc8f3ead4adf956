//! The files are read anew while everything runs: all of what they say is in force then, or
//! nothing of it.

use std::path::Path;

use casewright::sandbox::{Fault, Kind, On, Options, Sandbox};
use casewright::store::ActionState;

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::clock::RunningClock;
use crate::support::files::{Files, Layout};
use crate::support::house::{House, assert_untouched, eventually};
use crate::support::process::{Process, Said, free_port};
use crate::support::sender::Sender;

const SUCCESSFUL: &str = "casewright_config_last_reload_successful";
const RULES: &str = "rules/10-delivery.yaml";

async fn subjects(house: &House, starts: &str) -> Vec<String> {
    let cases = house.settled().await.into_iter();
    cases.map(|case| case.filed.subject).filter(|subject| subject.starts_with(starts)).collect()
}

#[tokio::test]
async fn new_rules_and_templates_are_in_force_after_a_reload() {
    let house = House::prepared("400ms", own_templates).await;
    house.hears(edge("before")).await;
    assert_eq!(house.hears(Item::firing("Unheard").label("property", "x")).await.fate, "unmatched");
    house.files.edit(RULES, "5xx ratio above", "the ratio is above");
    house.files.edit("rules/90-tests.yaml", "\"Patient\"", "\"Unheard\"");
    house.files.edit("rules/90-tests.yaml", "open: { after: 5m }", "open: { after: 0s }");
    house.files.edit("templates/edge-5xx.md.hbs", "The share of", "Read anew. The share of");
    // Nothing of it counts before it is asked for.
    house.hears(edge("between")).await;
    assert!(subjects(&house, "between: ").await[0].contains("5xx ratio above"));

    let said = house.command(&["reload"]).await.done();
    assert!(said.starts_with("the files are in force: "), "{said}");
    assert!(!said.contains("restart"), "{said}");
    house.hears(edge("after")).await;
    assert!(subjects(&house, "after: ").await[0].contains("the ratio is above"));
    let about = house.sandbox.cases();
    let about = about.iter().find(|case| case.filed.subject.starts_with("after: "));
    assert!(about.expect("its case").filed.description.contains("Read anew."), "{about:#?}");
    assert_eq!(house.hears(Item::firing("Unheard").label("property", "x")).await.fate, "accepted");
    assert_eq!(house.hears(edge("before")).await.fate, "repeat", "what was known is known");
}

/// Templates that a test may change.
fn own_templates(files: &Files) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let own = files.path("templates");
    std::fs::create_dir(&own).expect("a folder");
    for file in std::fs::read_dir(&here).expect("templates").map(|file| file.expect("a file")) {
        std::fs::copy(file.path(), own.join(file.file_name())).expect("a copy");
    }
    files.edit(
        "casewright.yaml",
        &format!("templates: {}", here.display()),
        "templates: templates",
    );
}

#[tokio::test]
async fn broken_files_leave_what_runs_in_force_and_it_is_said_where_they_are_broken() {
    let house = House::prepared("400ms", |files| {
        own_templates(files);
        edgerc(files, "good");
    })
    .await;
    assert_eq!(house.metric(SUCCESSFUL).await.as_deref(), Some("1"));
    for (number, (file, from, to, says)) in [
        (RULES, "severity =~", "severity ~~", "10-delivery.yaml:"),
        (RULES, "identity:", "idendity:", "did you mean `identity`?"),
        ("templates/edge-5xx.md.hbs", "{{", "{{#if ", "edge-5xx.md.hbs:"),
        ("casewright.yaml", "timeout: 1s", "timeout: 1 s", "casewright.yaml:"),
        ("edgerc", "client_secret", "client_secrets", "has no `client_secret`"),
    ]
    .into_iter()
    .enumerate()
    {
        let good = std::fs::read(house.files.path(file)).expect("a file");
        // A change that is good, in the same reading: nothing of it may count.
        house.files.edit("casewright.yaml", "bearer: [demo-token]", "bearer: [another-token]");
        house.files.edit(file, from, to);
        let complaint = house.command(&["reload"]).await.failed();
        assert!(complaint.contains(says), "{file}: {complaint}");
        assert!(complaint.contains("what runs stays in force"), "{file}: {complaint}");
        assert_eq!(house.metric(SUCCESSFUL).await.as_deref(), Some("0"));
        house.hears(edge(&format!("shop-{number}"))).await;
        house.cases(number + 1).await;
        if file != "casewright.yaml" {
            std::fs::write(house.files.path(file), good).expect("written");
            house.files.edit("casewright.yaml", "another-token", "demo-token");
        } else {
            std::fs::write(house.files.path(file), good).expect("written");
        }
    }
    house.command(&["reload"]).await.done();
    assert_eq!(house.metric(SUCCESSFUL).await.as_deref(), Some("1"));
    let refused = r#"casewright_admin_calls_total{call="reload",result="refused"}"#;
    assert_eq!(house.metric(refused).await.as_deref(), Some("5"));
}

/// Has the daemon watch its files.
fn watched(files: &Files) {
    own_templates(files);
    files.edit("casewright.yaml", "reload_on_change: false", "reload_on_change: true");
}

async fn read_at(house: &House) -> Option<String> {
    house.metric("casewright_config_last_reload_success_timestamp_seconds").await
}

/// Lets time pass until the files were read once more, with this result.
async fn reads_anew(house: &House, before: Option<&str>, successful: &str) {
    eventually("files that are read anew", || async {
        house.clock.advance(std::time::Duration::from_secs(3));
        let (at, result) = (read_at(house).await, house.metric(SUCCESSFUL).await);
        let anew = successful == "0" || at.as_deref() != before;
        if anew && result.as_deref() == Some(successful) { Ok(()) } else { Err((at, result)) }
    })
    .await;
}

#[tokio::test]
async fn files_that_change_are_read_anew_by_themselves_and_bad_ones_change_nothing() {
    let house = House::prepared("400ms", watched).await;
    let before = read_at(&house).await;
    house.clock.advance(std::time::Duration::from_secs(2));
    house.files.edit("templates/edge-5xx.md.hbs", "The share of", "Read anew. The share of");
    reads_anew(&house, before.as_deref(), "1").await;
    house.hears(edge("good")).await;
    let cases = house.cases(1).await;
    assert!(cases[0].filed.description.starts_with("Read anew."), "{cases:#?}");

    let before = read_at(&house).await;
    house.files.edit(RULES, "severity =~", "severity ~~");
    reads_anew(&house, before.as_deref(), "0").await;
    house.hears(edge("meanwhile")).await;
    house.cases(2).await;
    assert_eq!(read_at(&house).await, before);

    house.files.edit(RULES, "severity ~~", "severity =~");
    reads_anew(&house, before.as_deref(), "1").await;
}

#[tokio::test]
async fn a_folder_that_is_swapped_by_its_link_is_a_change() {
    let house = House::prepared("400ms", |files| {
        watched(files);
        std::os::unix::fs::symlink("rules", files.path("live")).expect("a link");
        files.edit("casewright.yaml", "rules: [rules/*.yaml]", "rules: [live/*.yaml]");
    })
    .await;
    let before = read_at(&house).await;
    let (rules, next) = (house.files.path("rules"), house.files.path("rules-2"));
    std::fs::create_dir(&next).expect("a folder");
    for file in std::fs::read_dir(rules).expect("rules").map(|file| file.expect("a file")) {
        std::fs::copy(file.path(), next.join(file.file_name())).expect("a copy");
    }
    house.files.edit("rules-2/10-delivery.yaml", "5xx ratio above", "the ratio is above");
    std::os::unix::fs::symlink("rules-2", house.files.path("next")).expect("a link");
    std::fs::rename(house.files.path("next"), house.files.path("live")).expect("swapped");
    reads_anew(&house, before.as_deref(), "1").await;
    house.hears(edge("swapped")).await;
    assert!(subjects(&house, "swapped: ").await[0].contains("the ratio is above"));
}

/// Credentials in a file of their own, good ones or others.
fn edgerc(files: &Files, secret: &str) {
    let demo = casewright::sandbox::Credentials::demo();
    let config = std::fs::read_to_string(files.config()).expect("the config");
    let begin = config.find("    credentials:").expect("credentials");
    let end = config.find("    timeout:").expect("what follows");
    let config = format!("{}    edgerc: edgerc\n{}", &config[..begin], &config[end..]);
    std::fs::write(files.config(), config).expect("written");
    write_edgerc(files, if secret == "good" { &demo.client_secret } else { secret });
}

fn write_edgerc(files: &Files, secret: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let demo = casewright::sandbox::Credentials::demo();
    let text = format!(
        "[default]\nhost = akab-example.luna.akamaiapis.net\nclient_token = {}\n\
         client_secret = {secret}\naccess_token = {}\n",
        demo.client_token, demo.access_token
    );
    let path = files.path("edgerc");
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("closed");
}

#[tokio::test]
async fn a_vendor_that_did_not_accept_us_is_tried_with_new_credentials_at_once() {
    let house = House::prepared("400ms", |files| edgerc(files, "revoked-long-ago")).await;
    house.hears(edge("first")).await;
    house.action_says("did not accept").await;
    house.hears(edge("shop")).await;

    write_edgerc(&house.files, &casewright::sandbox::Credentials::demo().client_secret);
    let said = house.command(&["reload"]).await.done();
    assert!(said.contains("vendor akamai, which did not accept who we were, is probed"), "{said}");
    // The clock was not set forward: no probe was due, and the action that was not tried is due.
    eventually("a case", || async {
        let cases = house.sandbox.cases();
        let about = cases.iter().any(|case| case.filed.subject.starts_with("shop: "));
        if about { Ok(()) } else { Err(cases) }
    })
    .await;
    let listed = house.command(&["vendors", "list", "--json"]).await.json();
    assert_eq!(listed["vendors"][0]["state"], "open", "{listed:#}");
    house.clock.advance(std::time::Duration::from_secs(70));
    house.cases(2).await;
}

#[tokio::test]
async fn sources_come_and_go_and_change_their_secrets_with_a_reload() {
    let house = House::open().await;
    let new = "\n  - { name: second, kind: alertmanager, auth: { bearer: [its-token] } }\n  - { name: pagerduty";
    house.files.edit("casewright.yaml", "\n  - { name: pagerduty", new);
    house.files.edit("casewright.yaml", "bearer: [demo-token]", "bearer: [another-token]");
    house.command(&["reload"]).await.done();
    let post = async |source: &str, token: &str| {
        let url = format!("{}/{source}", house.sender().base());
        let request = reqwest::Client::new().post(url).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let body = Payload::from(edge(source)).body();
        request.body(body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(post("alertmanager", "demo-token").await, 401);
    assert_eq!(post("alertmanager", "another-token").await, 202);
    assert_eq!(post("second", "its-token").await, 202);
    house.cases(2).await;
    let counted = r#"casewright_deliveries_received_total{source="second",fate="accepted"}"#;
    assert_eq!(house.metric(counted).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_takes_a_restart_is_told_and_the_rest_is_in_force() {
    let house = House::open().await;
    house.files.edit("casewright.yaml", "server: { ", "server: { max_connections: 7, ");
    house.files.edit("casewright.yaml", "casewright.db", "another.db");
    house.files.edit(
        "casewright.yaml",
        "\nvendors:\n",
        "\nvendors:\n  - { name: new, kind: sandbox }\n",
    );
    // With two vendors every rule must say which; the old one is still to be had.
    let naming = |vendor: &str| {
        for file in std::fs::read_dir(house.files.path("rules")).expect("rules") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("rules");
            let text = text.replace("\n    vendor: akamai", "").replace("\n    vendor: new", "");
            let text = text.replace("\n    case:", &format!("\n    vendor: {vendor}\n    case:"));
            std::fs::write(path, text).expect("written");
        }
    };
    naming("akamai");
    house.files.edit(RULES, "5xx ratio above", "the ratio is above");
    // The token is beside the database that is in use, not beside the one that the file names.
    let token = house.files.path("casewright.db.token");
    let token = token.to_str().expect("a plain path");
    let said = house.command(&["reload", "--token-file", token]).await.done();
    for words in [
        "needs a restart: `server.max_connections` is now 7, and 1024 stays in force",
        "needs a restart: `store.sqlite` is now",
        "needs a restart: vendor `new` is new, and is not in force",
    ] {
        assert!(said.contains(words), "{said}");
    }
    house.hears(edge("shop")).await;
    assert!(house.only_case().await.filed.subject.contains("the ratio is above"));

    // A rule must not send to a vendor that is not there.
    naming("new");
    let complaint = house.command(&["reload", "--token-file", token]).await.failed();
    assert!(complaint.contains("which this daemon was not started with"), "{complaint}");
    house.hears(edge("other")).await;
    house.cases(2).await;
}

#[tokio::test]
async fn reloads_between_racing_deliveries_leave_one_open_action_per_incident() {
    let house = House::open().await;
    let properties: Vec<String> = (0..8).map(|number| format!("shop-{number}")).collect();
    let mut posts = tokio::task::JoinSet::new();
    for round in 0..12 {
        for property in &properties {
            let sender = house.sender();
            let payload = Payload::from(edge(property));
            let payload = if round % 2 == 0 { payload } else { payload.of_the_peer() };
            posts.spawn(async move { sender.alertmanager(payload).await });
        }
        // Another subject each time, and in between a rule more before all others.
        let (from, to) = if round % 2 == 0 {
            ("5xx ratio", "ratio of 5xx")
        } else {
            ("ratio of 5xx", "5xx ratio")
        };
        house.files.edit(RULES, from, to);
        let first = if round % 3 == 0 { "rules: []" } else { FIRST };
        std::fs::write(house.files.path("rules/01-first.yaml"), first).expect("written");
        house.command(&["reload"]).await.done();
    }
    let replies = posts.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 202), "{replies:#?}");
    let accepted = replies.iter().filter(|reply| reply.fate == "accepted").count();
    assert_eq!(accepted, properties.len(), "{replies:#?}");
    let cases = house.cases(properties.len()).await;
    cases.iter().for_each(assert_untouched);
    let actions = house.actions().await;
    assert_eq!(actions.len(), properties.len(), "{actions:#?}");
    assert!(actions.iter().all(|action| action.state == ActionState::Done), "{actions:#?}");
    assert_eq!(house.requests("POST /cases"), properties.len() as u64);
}

const FIRST: &str = "rules: [{ name: first, match: ['alertname = \"Nothing\"'], ignore: true }]";

#[tokio::test]
async fn a_case_that_is_being_drafted_is_opened_by_the_rules_that_it_began_with() {
    // No catalog is known, and it comes late: the draft takes its time.
    let house = House::facing([Fault::new(Kind::ErrorAfterCommit, On::Read)]).await;
    house.faults([Fault { millis: Some(700), ..Fault::new(Kind::Delay, On::Read) }]);
    house.hears(edge("shop")).await;
    eventually("an action that is worked on", || async {
        let actions = house.actions().await;
        let works = actions.iter().any(|action| action.state == ActionState::Leased);
        if works { Ok(()) } else { Err(actions) }
    })
    .await;
    house.files.edit(RULES, "5xx ratio above", "the ratio is above");
    house.command(&["reload"]).await.done();
    house.no_faults();
    let case = house.only_case().await;
    assert!(case.filed.subject.contains("5xx ratio above"), "{case:#?}");
    house.hears(edge("other")).await;
    assert!(subjects(&house, "other: ").await[0].contains("the ratio is above"));
}

#[tokio::test]
async fn a_hangup_has_a_daemon_read_its_files_anew() {
    let clock = std::sync::Arc::new(RunningClock::new());
    let sandbox = Sandbox::start(Options::default(), clock).await.expect("a vendor");
    let [webhooks, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let files = Files::write(&Layout {
        listen: webhooks.clone(),
        admin_listen: admin.clone(),
        ..Layout::of(sandbox.base_url())
    });
    let config = files.config();
    let arguments = ["serve", "--config", config.to_str().expect("a plain path")];
    let mut daemon = Process::run(&arguments, &files.path("daemon.log"));
    eventually("a daemon", || async {
        let said = Said::of(&["vendors", "list"], &files, &admin).await;
        if said.ok { Ok(()) } else { Err(said) }
    })
    .await;
    let says = async |words: &'static str| {
        eventually(words, || async {
            let log = std::fs::read_to_string(files.path("daemon.log")).expect("a log");
            if log.contains(words) { Ok(()) } else { Err(log) }
        })
        .await;
    };
    files.edit(RULES, "identity:", "idendity:");
    daemon.signal("HUP");
    says("SIGHUP had the files read anew, and they cannot be used").await;
    says("did you mean `identity`?").await;
    files.edit(RULES, "idendity:", "identity:");
    files.edit(RULES, "5xx ratio above", "the ratio is above");
    daemon.signal("HUP");
    says("SIGHUP had the files read anew; in force: ").await;
    Sender::to(&webhooks).alertmanager(edge("shop")).await;
    eventually("a case", || async {
        let cases = sandbox.cases();
        let about = cases.iter().any(|case| case.filed.subject.contains("the ratio is above"));
        if about { Ok(()) } else { Err(cases) }
    })
    .await;
    assert!(!daemon.has_ended());
}
