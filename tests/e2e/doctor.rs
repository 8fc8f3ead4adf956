//! What a person is told who asks whether everything that a case needs is there.

use std::process::{Command, Stdio};

use casewright::sandbox::{Fault, Kind, On};
use serde_json::{Value, json};

use crate::support::files::Files;
use crate::support::house::House;
use crate::support::process::free_port;

const ACCOUNT: &str = "A-CCT7890";

/// A house in which nothing has to be done: secrets of its own, and only rules of the example.
async fn healthy() -> House {
    House::prepared("400ms", |files| {
        std::fs::remove_file(files.rules()).expect("removed");
        files.edit("casewright.yaml", "demo-token", "a-token-of-our-own");
        files.edit("casewright.yaml", "demo-secret", "a-secret-of-our-own");
    })
    .await
}

/// The same, while no daemon runs.
async fn asleep() -> House {
    let mut house = healthy().await;
    house.stop_daemon().await;
    house
}

/// How the doctor ended, and what it said.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    text: String,
    stderr: String,
}

impl Told {
    fn findings(&self) -> Vec<Value> {
        let told: Value = serde_json::from_str(&self.text).expect("JSON");
        told["findings"].as_array().expect("findings").clone()
    }

    /// What is told under a section and a check, as verdicts and messages.
    fn of(&self, section: &str, check: &str) -> Vec<(String, String)> {
        let text = |of: &Value, key: &str| of[key].as_str().expect("a text").to_owned();
        self.findings()
            .iter()
            .filter(|one| one["section"] == section && one["check"] == check)
            .map(|one| (text(one, "verdict"), text(one, "message")))
            .collect()
    }

    /// The only thing that is told there.
    fn only(&self, section: &str, check: &str) -> (String, String) {
        let mut all = self.of(section, check);
        assert_eq!(all.len(), 1, "{section}, {check}: {self:#?}");
        all.remove(0)
    }

    /// What failed, by section and check.
    fn failed(&self) -> Vec<String> {
        let failed = self.findings().into_iter().filter(|one| one["verdict"] == "fail");
        let name = |one: Value| format!("{} {}", one["section"], one["check"]).replace('"', "");
        failed.map(name).collect()
    }
}

async fn asked(files: &Files, address: String, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casewright"));
    command.args(["doctor", "--address", &address]).args(arguments);
    command.arg("--config").arg(files.config());
    command.stdin(Stdio::null()).env_remove("CASEWRIGHT_TOKEN");
    // The vendor runs on the thread that waits.
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let output = ran.expect("no panic").expect("the binary runs");
    Told {
        code: output.status.code(),
        text: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// While no daemon runs.
async fn doctor(house: &House, arguments: &[&str]) -> Told {
    let nobody = format!("127.0.0.1:{}", free_port());
    asked(&house.files, nobody, &[&["--json"], arguments].concat()).await
}

fn only_read(house: &House) {
    let requests = house.sandbox.requests().requests;
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|row| row.endpoint.starts_with("GET ")), "{requests:#?}");
}

#[tokio::test]
async fn a_healthy_house_whose_daemon_runs_is_told_so_and_nothing_is_changed() {
    let house = healthy().await;
    let told = asked(&house.files, house.admin().to_string(), &["--json"]).await;
    assert_eq!((told.code, told.failed()), (Some(0), Vec::new()), "{told:#?}");
    assert_eq!(told.only("daemon", "daemon").0, "ok");
    assert_eq!(told.only("daemon", "gate"), ("ok".into(), "it sends to vendor akamai".into()));
    assert!(told.only("store", "integrity").1.starts_with("not looked at: a daemon uses it"));
    assert_eq!(told.only("admin tokens", "access").0, "ok");
    let (verdict, message) = told.only("vendor akamai", "grant");
    assert_eq!(verdict, "ok");
    assert!(message.contains(ACCOUNT), "{message}");
    assert_eq!(told.only("vendor akamai", "clock").0, "ok");
    assert_eq!(told.only("vendor akamai", "rules").0, "ok");
    assert_eq!(told.of("sources", "credentials").len(), 2);
    only_read(&house);

    let text = asked(&house.files, house.admin().to_string(), &[]).await;
    assert_eq!(text.code, Some(0));
    assert!(text.text.contains("\nvendor akamai\n  ok    credentials: "), "{}", text.text);
    assert!(text.text.trim_end().ends_with(" 0 fail"), "{}", text.text);
    for secret in ["a-token-of-our-own", "a-secret-of-our-own"] {
        assert!(!text.text.contains(secret) && !told.text.contains(secret));
    }
}

#[tokio::test]
async fn a_store_that_nobody_uses_is_looked_at_and_stays_as_it_is() {
    let house = asleep().await;
    let before = std::fs::read(house.files.store()).expect("a database");
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(0), Vec::new()), "{told:#?}");
    assert_eq!(told.only("daemon", "daemon").0, "warn");
    assert!(told.only("store", "integrity").1.starts_with("nothing is wrong"));
    assert_eq!(told.only("store", "backup").0, "warn");
    assert!(std::fs::read(house.files.store()).expect("a database") == before);
    only_read(&house);
}

#[tokio::test]
async fn credentials_that_are_not_accepted_are_told_with_what_to_do() {
    let house = asleep().await;
    house.faults([Fault::new(Kind::Revoked, On::Any)]);
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["vendor akamai grant".to_owned()]));
    assert!(told.only("vendor akamai", "grant").1.contains("401"), "{told:#?}");
    assert_eq!(told.only("vendor akamai", "host").0, "ok");
}

#[tokio::test]
async fn a_vendor_that_cannot_be_reached_is_told_as_that_and_nothing_more() {
    let house = asleep().await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    house.files.edit("casewright.yaml", &house.sandbox.base_url(), &nobody);
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["vendor akamai host".to_owned()]));
    assert_eq!(told.of("vendor akamai", "grant"), []);
}

#[tokio::test]
async fn a_clock_that_is_off_is_measured_though_it_is_corrected_for() {
    let house = asleep().await;
    // The header that it is measured by has whole seconds.
    house.sandbox.set_skew(630);
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["vendor akamai clock".to_owned()]));
    let (_, message) = told.only("vendor akamai", "clock");
    assert!(message.contains(" behind the vendor's") && message.contains("10m"), "{message}");
    assert_eq!(told.only("vendor akamai", "grant").0, "ok");
}

#[tokio::test]
async fn a_rule_that_asks_for_what_is_not_offered_is_told_with_its_place() {
    let house = asleep().await;
    house.files.edit("rules/10-delivery.yaml", "product: Ion Premier", "product: Ion Premium");
    let told = doctor(&house, &[]).await;
    assert_eq!(told.code, Some(1));
    let rules = told.of("vendor akamai", "rules");
    assert!(!rules.is_empty() && told.failed().len() == rules.len(), "{told:#?}");
    assert!(rules[0].1.contains("10-delivery.yaml:"), "{rules:?}");
    assert!(rules[0].1.contains("did you mean \"Ion Premier\"?"), "{rules:?}");
}

#[tokio::test]
async fn an_api_client_without_accounts_is_told() {
    let house = asleep().await;
    let mut offered = house.sandbox.catalog();
    offered["accounts"] = json!([]);
    house.sandbox.offer(offered).expect("a catalog");
    let told = doctor(&house, &[]).await;
    assert_eq!(told.code, Some(1));
    let (verdict, message) = told.only("vendor akamai", "grant");
    assert_eq!(verdict, "fail");
    assert!(message.contains("no account may be used"), "{message}");
}

#[tokio::test]
async fn what_everybody_knows_is_not_good_enough_for_a_real_vendor() {
    let house = asleep().await;
    house.files.edit("casewright.yaml", "a-token-of-our-own", "demo-token");
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["sources credentials".to_owned()]));
}

#[tokio::test]
async fn files_that_cannot_be_used_end_it_with_two_and_the_rest_is_looked_at() {
    let house = asleep().await;
    house.files.edit("casewright.yaml", "limits: off", "limit: off");
    let told = doctor(&house, &[]).await;
    assert_eq!((told.code, told.failed()), (Some(2), vec!["files files".to_owned()]));
    let told_in_json: Value = serde_json::from_str(&told.text).expect("JSON");
    assert_eq!(told_in_json["diagnostics"].as_array().map(Vec::len), Some(1));
    assert_eq!(told.only("store", "schema").0, "ok");
    let text = asked(&house.files, format!("127.0.0.1:{}", free_port()), &[]).await;
    assert!(text.stderr.contains("there is no key `limit`"), "{text:#?}");
}

#[tokio::test]
async fn a_test_case_says_that_it_is_one_and_its_closure_is_asked_for() {
    let house = asleep().await;
    let told = doctor(&house, &["--open-test-case", "--account", ACCOUNT, "--yes"]).await;
    assert_eq!((told.code, told.failed()), (Some(0), Vec::new()), "{told:#?}");
    let cases = house.sandbox.cases();
    assert_eq!(cases.len(), 1, "{cases:#?}");
    let case = &cases[0];
    assert!(case.filed.subject.starts_with("TEST of Casewright, please close"), "{case:#?}");
    assert!(case.filed.severity.starts_with('3'), "the lowest: {case:#?}");
    assert_eq!(case.closure_requests.len(), 1, "{case:#?}");
    let (verdict, message) = told.only("test case", "open");
    assert_eq!(verdict, "ok");
    assert!(message.contains("case F-CS-"), "{message}");
    assert_eq!(told.only("test case", "close").0, "ok");
}

#[tokio::test]
async fn a_test_case_whose_answer_is_lost_is_found_and_not_opened_twice() {
    let house = asleep().await;
    house.faults([Fault::new(Kind::DropAfterCommit, On::Create)]);
    let told = doctor(&house, &["--open-test-case", "--account", ACCOUNT, "--yes"]).await;
    assert_eq!(told.code, Some(0), "{told:#?}");
    let cases = house.sandbox.cases();
    assert_eq!(cases.len(), 1, "{cases:#?}");
    assert_eq!(cases[0].closure_requests.len(), 1);
}

#[tokio::test]
async fn a_test_case_that_was_never_there_is_told_as_unclear() {
    let house = asleep().await;
    house.faults([Fault::new(Kind::DropBeforeCommit, On::Create)]);
    let told = doctor(&house, &["--open-test-case", "--account", ACCOUNT, "--yes"]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["test case open".to_owned()]));
    assert!(told.only("test case", "open").1.starts_with("nobody knows"), "{told:#?}");
    assert_eq!(house.sandbox.cases().len(), 0);
}

#[tokio::test]
async fn the_simulation_of_the_daemon_is_left_alone() {
    let house = asleep().await;
    let config = std::fs::read_to_string(house.files.config()).expect("a file");
    let (head, _) = config.split_once("vendors:").expect("vendors");
    let taken = house.sandbox.base_url().replace("http://", "");
    let vendor =
        format!("vendors: [{{ name: akamai, kind: sandbox, state: sim.json, listen: '{taken}' }}]");
    std::fs::write(house.files.config(), format!("{head}{vendor}\n")).expect("written");
    let told = doctor(&house, &["--open-test-case", "--account", ACCOUNT, "--yes"]).await;
    assert_eq!((told.code, told.failed()), (Some(0), Vec::new()), "{told:#?}");
    assert_eq!(told.only("vendor akamai", "kind").0, "warn");
    assert_eq!(told.only("test case", "open").0, "ok");
    assert!(!house.files.path("sim.json").exists());
    assert_eq!(house.sandbox.cases().len(), 0);
}

#[tokio::test]
async fn no_test_case_is_opened_without_a_person_who_names_the_account() {
    let house = asleep().await;
    let refusals: [(&[&str], i32, &str); 4] = [
        (&["--open-test-case"], 1, "there is no terminal to ask on"),
        (&["--open-test-case", "--account", ACCOUNT], 1, "there is no terminal to ask on"),
        (&["--open-test-case", "--yes"], 2, "--account <ID>"),
        (&["--account", ACCOUNT, "--yes"], 2, "--open-test-case"),
    ];
    for (arguments, code, words) in refusals {
        let told = doctor(&house, arguments).await;
        assert_eq!(told.code, Some(code), "{told:#?}");
        assert!(told.stderr.contains(words), "{told:#?}");
    }
    let told = doctor(&house, &["--open-test-case", "--account", "A-OTHER", "--yes"]).await;
    assert_eq!((told.code, told.failed()), (Some(1), vec!["test case open".to_owned()]));
    // Also not where something of the vendor has to be mended first.
    house.sandbox.set_skew(600);
    let told = doctor(&house, &["--open-test-case", "--account", ACCOUNT, "--yes"]).await;
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert_eq!(house.sandbox.cases().len(), 0);
}
