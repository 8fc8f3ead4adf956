//! What the pages say is what the program does: every example in `README.md` and
//! `ARCHITECTURE.md` is run, and every table is compared with what it tables.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it is a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use casewright::clock::SystemClock;
use casewright::config::source_file::{Holds, SourceFile};
use casewright::config::yaml::{self, Node, Value as Yaml};
use casewright::config::{Config, Diagnostics};
use casewright::domain::alert::{Alert, AlertStatus, Labels};
use casewright::domain::ids::{Identity, IncidentId, IncidentKey, InstallationId};
use casewright::domain::incident::{Incident, State, Tally};
use casewright::domain::member::Member;
use casewright::domain::news::News;
use casewright::domain::severity::Rank;
use casewright::rng::Rng;
use casewright::rules::{Rule, Then};
use casewright::sandbox::{Fault, Options, Sandbox};
use casewright::setup::{self, Setup};
use casewright::sources::Source as _;
use casewright::sources::alertmanager::Alertmanager;
use casewright::sources::credential::Auth;
use casewright::store::sqlite::{self, SqliteStore};
use casewright::store::{Fate, Store as _};
use casewright::telemetry::alarms::REASONS;
use casewright::telemetry::metrics::{
    AdminCall, AlertResult, Metrics, Rejection, Snapshot, VendorStanding,
};
use casewright::templates::{RenderContext, TemplateSet};
use http::HeaderMap;
use regex::Regex;
use serde_json::{Map, Value, json};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;

const README: &str = include_str!("../README.md");
const ARCHITECTURE: &str = include_str!("../ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../CONTRIBUTING.md");
const CHANGELOG: &str = include_str!("../CHANGELOG.md");
const GUARANTEES: &str = include_str!("../docs/guarantees.md");

// ---- reading the pages

/// The bodies of the fenced blocks of a page whose info string is `info`, without the indentation
/// of the list that they may stand in.
fn blocks(page: &str, info: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<(bool, usize, Vec<&str>)> = None;
    for line in page.lines() {
        let text = line.trim_start();
        match (&mut block, text.strip_prefix("```")) {
            (None, Some(label)) => {
                block = Some((label == info, line.len() - text.len(), Vec::new()));
            }
            (Some(_), Some("")) => {
                if let Some((true, _, lines)) = block.take() {
                    found.push(lines.join("\n") + "\n");
                }
            }
            (Some((_, indent, lines)), _) => lines.push(line.get(*indent..).unwrap_or_default()),
            (None, None) => {}
        }
    }
    assert!(block.is_none(), "a block is not closed");
    found
}

/// The rows of every table below the heading `heading` (to the next heading) whose first column
/// is called `first`.
fn table(heading: &str, first: &str) -> Vec<Vec<String>> {
    let from = README.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &README[from + heading.len() + 2..];
    let body = &body[..body.find("\n#").unwrap_or(body.len())];
    let mut rows = Vec::new();
    let mut inside = false;
    for line in body.lines() {
        let Some(cells) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[0] == first {
            inside = true;
        } else if inside && !cells[0].starts_with("---") {
            rows.push(cells);
        }
    }
    assert!(!rows.is_empty(), "no table below {heading}");
    rows
}

/// The pieces of a text that stand between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn first_column(heading: &str, first: &str) -> BTreeSet<String> {
    table(heading, first).iter().flat_map(|row| quoted(&row[0])).collect()
}

fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    all.into_iter().map(str::to_owned).collect()
}

// ---- loading what they show

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A house for configurations: a home folder with credentials, files of secrets, the rules and
/// templates of this repository.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let house = Self(TempDir::new().unwrap());
        copy_folder(&root().join("config/rules"), &house.path("config/rules"));
        copy_folder(&root().join("templates"), &house.path("templates"));
        copy_folder(&root().join("templates"), &house.path("config/templates"));
        for secret in ["alertmanager-token", "pagerduty-secret", "ops-token"] {
            house.write(&format!("config/{secret}"), "a-secret-of-some-length\n");
        }
        let edgerc = blocks(README, "ini").remove(0);
        house.write(".edgerc", &edgerc.replace("...", "x"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(house.path(".edgerc"), mode).unwrap();
        }
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn load(&self, config: &str) -> (Option<Setup>, Diagnostics) {
        self.write("config/casewright.yaml", config);
        let home = self.0.path().to_string_lossy().into_owned();
        let env = move |name: &str| (name == "HOME").then(|| home.clone());
        setup::load(&self.path("config/casewright.yaml"), &env)
    }

    /// With `rules` as the only rule file.
    fn load_rules(&self, config: &str, rules: &str) -> (Option<Setup>, Diagnostics) {
        std::fs::remove_dir_all(self.path("config/rules")).unwrap();
        std::fs::create_dir(self.path("config/rules")).unwrap();
        self.write("config/rules/rules.yaml", rules);
        self.load(config)
    }
}

/// Loads without an error and without a warning.
fn clean((setup, diagnostics): (Option<Setup>, Diagnostics), what: &str) -> Setup {
    assert!(diagnostics.is_empty(), "{what}\n{}", diagnostics.render(false));
    setup.unwrap_or_else(|| panic!("{what}"))
}

/// The example, as rule files need it.
fn example() -> String {
    std::fs::read_to_string(root().join("config/casewright.yaml")).unwrap()
}

// ---- examples

#[test]
fn the_example_configuration_is_clean() {
    let path = root().join("config/casewright.yaml");
    clean(setup::load(&path, &|_| None), "config/casewright.yaml");
}

#[test]
fn every_configuration_in_the_pages_is_clean() {
    let mut found = 0;
    for page in [README, ARCHITECTURE, CONTRIBUTING] {
        for block in blocks(page, "yaml casewright") {
            // Several vendors: rules would have to say which; that is another block's subject.
            let block = block.replace("rules: [rules/*.yaml]", "rules: [rules/one.yaml]");
            let house = House::new();
            house.write("config/rules/one.yaml", "rules: [{ name: one, match: [], ignore: true }]");
            clean(house.load(&block), &block);
            found += 1;
        }
    }
    assert!(found >= 2);
}

#[test]
fn every_rule_in_the_pages_is_clean() {
    let mut found = 0;
    for page in [README, ARCHITECTURE, CONTRIBUTING] {
        for block in blocks(page, "yaml rule") {
            clean(House::new().load_rules(&example(), &block), &block);
            found += 1;
        }
    }
    assert!(found >= 2);
}

#[test]
fn the_rule_that_is_explained_is_the_one_in_the_example() {
    let file = std::fs::read_to_string(root().join("config/rules/10-delivery.yaml")).unwrap();
    let code = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#') && !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let shown = code(&blocks(README, "yaml rule")[0]);
    assert_eq!(shown, code(&file)[..shown.len()]);
}

#[test]
fn the_recommended_alertmanager_configuration_is_the_file() {
    let file = std::fs::read_to_string(root().join("config/alertmanager.example.yml")).unwrap();
    assert_eq!(blocks(README, "yaml alertmanager"), [file]);
}

#[test]
fn every_query_in_the_pages_works_on_a_new_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("casewright.db");
        let options = sqlite::Options { path: path.clone(), on_commit: None };
        let store = SqliteStore::open(options, &Rng::seeded(1)).await.unwrap();
        let mut db = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .connect()
            .await
            .unwrap();
        let queries = blocks(README, "sql");
        assert!(!queries.is_empty());
        for query in queries.iter().flat_map(|block| block.lines()) {
            let query = sqlx::AssertSqlSafe(query.to_owned());
            sqlx::raw_sql(query).execute(&mut db).await.unwrap();
        }
        store.close().await;
    });
}

#[test]
fn every_fault_in_the_pages_can_be_set() {
    let setting = Regex::new(r#"/sandbox/faults -d '([^']*)'"#).unwrap();
    let bodies: Vec<Value> = setting
        .captures_iter(README)
        .map(|found| serde_json::from_str(&found[1]).unwrap())
        .collect();
    assert!(!bodies.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start(Options::default(), Arc::new(SystemClock)).await.unwrap();
        for body in bodies {
            let faults: Vec<Fault> = serde_json::from_value(body["faults"].clone()).unwrap();
            assert!(!faults.is_empty());
            sandbox.faults(faults).unwrap();
        }
        sandbox.stop().await;
    });
}

#[test]
fn the_alert_that_one_is_told_to_post_belongs_to_a_rule() {
    let body = Regex::new(r"(?s)--data '(\s*\{.*?\})'\n").unwrap();
    let body = &body.captures(README).unwrap()[1];
    let source = Alertmanager::new("alertmanager".into(), Auth::default());
    let received = source.parse(&HeaderMap::new(), body.as_bytes()).unwrap();
    let path = root().join("config/casewright.yaml");
    let setup = clean(setup::load(&path, &|_| None), "config/casewright.yaml");
    let now = "2026-08-01T10:00:00Z".parse().unwrap();
    let owners: Vec<_> = setup
        .playbook
        .rules
        .route(&received.alerts[0], now)
        .iter()
        .map(|rule| &rule.name)
        .collect();
    assert_eq!(owners, [&"edge-5xx".into()]);
}

// ---- the rules and templates that are shipped

/// Whatever the alerts of a sender lack, a case has the text that its rule asks for.
#[test]
fn every_template_of_the_example_renders_for_an_alert_that_says_nothing() {
    let path = root().join("config/casewright.yaml");
    let setup = clean(setup::load(&path, &|_| None), "config/casewright.yaml");
    let mut bare = incident();
    let strip = |alert: &mut Alert| {
        alert.labels = Labels::new();
        alert.annotations = Labels::new();
        alert.starts_at = None;
    };
    strip(&mut bare.origin);
    bare.members.values_mut().for_each(|member| strip(&mut member.alert));
    let context = RenderContext::new(&bare, "2026-08-01T10:00:00Z".parse().unwrap());
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("templates")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let text = setup
            .playbook
            .templates
            .render(&name, &context, 32_000)
            .unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(!text.trim().is_empty(), "{name}");
        assert!(!text.contains("\n\n\n"), "{name}: blank lines in a row\n{text}");
        for line in text.lines() {
            assert!(!line.contains("  ,") && !line.ends_with(": "), "{name}: {line:?}");
        }
        found += 1;
    }
    assert!(found > 5);
}

#[test]
fn the_table_of_the_starter_set_has_every_rule() {
    let path = root().join("config/casewright.yaml");
    let setup = clean(setup::load(&path, &|_| None), "config/casewright.yaml");
    let real = names(setup.playbook.rules.rules().iter().map(|rule| rule.name.as_str()));
    assert_eq!(first_column("### The starter set", "rule"), real);
}

/// The values that a list of the catalog offers, or those below one of its entries.
fn offered<'a>(list: &'a Value, name: &str, value: &str, below: &str) -> Vec<&'a Value> {
    let entries = list.as_array().unwrap().iter().filter(|entry| entry[name] == value);
    entries.flat_map(|entry| entry[below].as_array().unwrap()).collect()
}

/// Nothing else compares names before a case is sent: `check` does not ask the vendor.
#[test]
fn the_simulation_knows_every_name_that_the_shipped_rules_send() {
    let catalog: Value = serde_json::from_str(include_str!("../src/sandbox/catalog.json")).unwrap();
    let accounts = catalog["accounts"].as_array().unwrap();
    let mut texts: Vec<String> = std::fs::read_dir(root().join("config/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !casewright::config::is_rule_test(path))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    texts.push(tutorial_block("rules/login.yaml"));
    let mut found = 0;
    for rule in texts.iter().flat_map(|text| tree(text)["rules"].as_array().unwrap().clone()) {
        let Some(case) = rule.get("case") else { continue };
        let said = |key: &str| case[key].as_str().unwrap_or_default();
        let categories = offered(&json!(accounts), "accountId", said("account"), "categories")
            .into_iter()
            .filter(|category| category["categoryId"] == said("category"))
            .cloned()
            .collect::<Vec<_>>();
        let category = categories.first().unwrap_or_else(|| panic!("{rule}"));
        let (values, value) = match said("category") {
            "BILLING" | "BUSINESS_SUPPORT" => {
                let areas = &category["areas"];
                (offered(areas, "areaName", said("area"), "serviceNames"), "service")
            }
            // A policy domain may come from a label; the rest must be there in one at least.
            "SECURITY" => {
                let domains = category["policyDomains"].as_array().unwrap().iter();
                let values = domains.flat_map(|domain| {
                    offered(&domain["products"], "productName", said("product"), "problemNames")
                });
                (values.collect(), "problem")
            }
            _ => {
                let products = &category["products"];
                (offered(products, "productName", said("product"), "problemNames"), "problem")
            }
        };
        assert!(values.contains(&&case[value]), "{}: {}", rule["name"], case[value]);
        found += 1;
    }
    assert!(found > 10);
}

// ---- the tutorial

/// A block of the tutorial: its language, what else its fence says, and its body. Nothing in it
/// stands without a tag.
fn tutorial() -> Vec<(String, String, String)> {
    let from = README.find("\n## Your first rule in ten minutes\n").unwrap();
    let body = &README[from + 4..];
    let body = &body[..body.find("\n## ").unwrap()];
    let fence = Regex::new(r"(?ms)^```(\w+)([^\n]*)\n(.*?)^```$").unwrap();
    let found: Vec<_> = fence
        .captures_iter(body)
        .map(|block| {
            let rest = block[2].trim();
            assert!(rest.starts_with("first-rule"), "{}", &block[0]);
            (block[1].to_owned(), rest.replacen("first-rule", "", 1), block[3].to_owned())
        })
        .map(|(language, rest, body)| (language, rest.trim().to_owned(), body))
        .collect();
    assert_eq!(found.len() * 2, body.lines().filter(|line| line.starts_with("```")).count());
    found
}

fn tutorial_block(file: &str) -> String {
    let block = tutorial().into_iter().find(|(_, name, _)| name == file);
    block.unwrap_or_else(|| panic!("no {file}")).2
}

/// A daemon that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Posts as the command `curl` of the page does, without needing it.
fn post(command: &str, port: u16, folder: &Path) -> String {
    use std::io::{Read as _, Write as _};
    let part =
        |pattern: &str| Regex::new(pattern).unwrap().captures(command).unwrap()[1].to_owned();
    assert_eq!(part(r"http://(\S+?)/"), "127.0.0.1:8080");
    let body = std::fs::read(folder.join(part(r"--data @(\S+)"))).unwrap();
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
        part(r"http://[^/]+(/\S+)"),
        body.len()
    );
    for header in Regex::new("-H '([^']*)'").unwrap().captures_iter(command) {
        request += &format!("{}\r\n", &header[1]);
    }
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    connection.write_all(&body).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    answer
}

/// The first line that a text lacks, of lines that it must have in this order.
fn missing<'a>(text: &str, lines: &'a str) -> Option<&'a str> {
    let mut rest = text;
    for line in lines.lines().map(str::trim) {
        let Some(at) = rest.find(line) else { return Some(line) };
        rest = &rest[at + line.len()..];
    }
    None
}

/// Word for word, but for the ports and for `curl`. A fence with the name of a file is that file;
/// `first-rule-line` is a line of the rule in place of the one with the same key; `text` is what
/// the commands before it have said, in this order.
#[test]
fn the_tutorial_does_what_it_says() {
    let house = TempDir::new().unwrap();
    let folder = house.path().join("first-rule");
    // Below those that are given to whoever asks for any: another test could be given one of them
    // before the daemon has it.
    let begin = 12_000 + std::process::id() % 8_000;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports = (begin..begin + 8_000).filter_map(|port| u16::try_from(port).ok());
    let [port, admin] = ports.filter(free).take(2).collect::<Vec<_>>().try_into().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_casewright"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let casewright = |line: &str| {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("casewright"), "{line}");
        let mut command = Command::new(binary);
        command
            .args(words)
            .current_dir(&folder)
            .env("CASEWRIGHT_CONFIG", "casewright.yaml")
            .env("NO_COLOR", "1");
        command
    };
    let run = |line: &str| {
        let told = casewright(line).output().unwrap();
        assert!(told.status.success(), "{line}: {}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    };
    let mut daemon: Option<Running> = None;
    // What the commands since the last fence have said, and those that can be given again.
    let mut said = String::new();
    let mut again: Vec<String> = Vec::new();
    let mut compared = 0;
    for (language, what, body) in tutorial() {
        match (language.as_str(), what.as_str()) {
            ("sh", "") if body.contains("mkdir") => {
                let done = Command::new("sh")
                    .args(["-euc", &body])
                    .current_dir(house.path())
                    .env("PATH", &path)
                    .status()
                    .unwrap();
                assert!(done.success() && folder.is_dir());
            }
            ("sh", "") => {
                said.clear();
                again.clear();
                for line in body.replace("\\\n", " ").lines() {
                    if line.starts_with("export ") {
                        assert_eq!(line, "export CASEWRIGHT_CONFIG=casewright.yaml");
                    } else if line == "casewright serve" {
                        let log = std::fs::File::create(house.path().join("log")).unwrap();
                        let child = casewright(line).stderr(log).spawn().unwrap();
                        daemon = Some(Running(child));
                        let deadline = Instant::now() + Duration::from_secs(30);
                        let listens =
                            |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
                        while !(listens(port) && listens(admin)) {
                            assert!(Instant::now() < deadline, "the daemon does not start");
                            std::thread::yield_now();
                        }
                    } else if line.starts_with("curl ") {
                        said += &post(line, port, &folder);
                    } else {
                        said += &run(line);
                        again.push(line.to_owned());
                    }
                }
            }
            ("text", "") => {
                // What the daemon does by itself takes a moment.
                let deadline = Instant::now() + Duration::from_secs(30);
                while let Some(line) = missing(&said, &body) {
                    assert!(Instant::now() < deadline, "{line:?} is not in:\n{said}");
                    said = again.iter().map(|line| run(line)).collect();
                }
                compared += body.lines().count();
            }
            ("yaml", "-line") => {
                let file = folder.join("rules/login.yaml");
                let key = body.split_inclusive(':').next().unwrap();
                let rule = std::fs::read_to_string(&file).unwrap();
                let mut lines: Vec<&str> =
                    rule.lines().filter(|line| !line.starts_with(key)).collect();
                lines.push(body.trim_end());
                std::fs::write(file, lines.join("\n") + "\n").unwrap();
            }
            (_, file) => {
                let text = body
                    .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
                    .replace("127.0.0.1:8081", &format!("127.0.0.1:{admin}"));
                std::fs::write(folder.join(file), text).unwrap();
            }
        }
    }
    assert!(daemon.is_some() && compared > 8);
}

// ---- tables

/// What a deserialiser says that it would accept in place of nonsense.
fn accepted_words(fault: Value) -> BTreeSet<String> {
    let error = serde_json::from_value::<Fault>(fault).unwrap_err().to_string();
    quoted(&error).into_iter().skip(1).collect()
}

#[test]
fn the_table_of_faults_is_complete() {
    let kinds = accepted_words(json!({ "kind": "nonsense" }));
    assert_eq!(first_column("## The sandbox", "fault"), kinds);
    for word in accepted_words(json!({ "kind": "down", "on": "nonsense" })) {
        assert!(README.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn the_tables_of_fates_and_states_are_complete() {
    let fates = first_column("### Answers to senders", "fate");
    assert_eq!(fates, names(Fate::ALL.map(Fate::name)));
    let states = first_column("## What happens when", "the incident is");
    assert_eq!(states, names(State::NAMES));
}

/// Metrics with something in every family.
fn metrics() -> String {
    let source = "alertmanager".into();
    let metrics = Metrics::new(&[source]);
    let source = "alertmanager".into();
    metrics.delivery_received(&source, Fate::Accepted.name());
    metrics.delivery_rejected("alertmanager", Rejection::Unusable);
    metrics.alerts(&source, AlertResult::Matched, 1);
    metrics.action("open", "done");
    metrics.attempt(&"akamai".into(), "open", Duration::from_millis(1));
    metrics.commit(Duration::from_millis(1));
    metrics.template_failure(&"edge-5xx".into());
    metrics.alarm("refused");
    metrics.fell_back(&"edge-5xx".into());
    metrics.not_offered([(&"edge-5xx".into(), 1)]);
    metrics.catalog_read(&"akamai".into(), "2026-08-01T10:00:00Z".parse().unwrap());
    metrics.watched(&"akamai".into(), "2026-08-01T10:00:00Z".parse().unwrap());
    metrics.first_response(&"akamai".into(), 20);
    metrics.vendor_comment(&"akamai".into());
    metrics.pruned("deliveries", 1);
    metrics.admin_call(AdminCall::Reload, "done");
    metrics.files_in_force("2026-08-01T10:00:00Z".parse().unwrap(), [&"edge-5xx".into()]);
    let snapshot = Snapshot {
        incidents: vec![("open", 1)],
        held: vec![("budget", 1)],
        actions: vec![("open", "done", 1)],
        outbox_depth: 1,
        outbox_oldest: Duration::from_secs(1),
        vendors: vec![VendorStanding {
            vendor: "akamai".into(),
            states: vec![("open", true)],
            skew_micros: Some(1),
        }],
        cases: vec![("akamai".into(), "created", 1)],
        waiting_for_us: vec![("akamai".into(), 1)],
    };
    metrics.encode(Some(&snapshot)).unwrap()
}

/// Every metric by its name as one asks for it, with its type and labels.
fn exported() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = metrics();
    let label = Regex::new(r#"(\w+)=""#).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').unwrap();
        let (name, sample, kind) = match kind {
            "counter" => (format!("{family}_total"), format!("{family}_total"), kind),
            "info" => (format!("{family}_info"), format!("{family}_info"), "gauge"),
            "histogram" => (family.to_owned(), format!("{family}_count"), kind),
            _ => (family.to_owned(), family.to_owned(), kind),
        };
        let line = text
            .lines()
            .find(|line| {
                line.strip_prefix(&sample).is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .unwrap_or_else(|| panic!("no sample of {sample} in\n{text}"));
        let labels = label.captures_iter(line).map(|label| label[1].to_owned()).collect();
        found.insert(name, (kind.to_owned(), labels));
    }
    found
}

#[test]
fn the_table_of_metrics_is_what_is_exported() {
    let told: BTreeMap<_, _> = table("### Metrics", "name")
        .into_iter()
        .map(|row| {
            (quoted(&row[0]).remove(0), (row[1].clone(), quoted(&row[2]).into_iter().collect()))
        })
        .collect();
    assert_eq!(told, exported());
}

#[test]
fn every_metric_in_the_pages_exists() {
    let exported = exported();
    let name = Regex::new(r"\bcasewright_[a-z_]+").unwrap();
    for page in [README, ARCHITECTURE, CONTRIBUTING] {
        for found in name.find_iter(page) {
            assert!(exported.contains_key(found.as_str()), "{}", found.as_str());
        }
    }
}

#[test]
fn the_table_of_alarms_is_complete() {
    let told = first_column("### Metrics", "alarm");
    assert_eq!(told, REASONS.iter().map(|&reason| reason.to_owned()).collect());
}

const PROMETHEUS: &str = include_str!("../packaging/prometheus/casewright.rules.yaml");
const DASHBOARD: &str = include_str!("../packaging/grafana/casewright.json");

#[test]
fn the_table_of_alerts_is_complete() {
    let alert = Regex::new(r"(?m)- alert: (\w+)$").unwrap();
    let real = alert.captures_iter(PROMETHEUS).map(|found| found[1].to_owned()).collect();
    assert_eq!(first_column("### Metrics", "alert"), real);
}

/// What alerts and panels ask for exists, with the labels that they ask for.
#[test]
fn alerts_and_dashboard_ask_for_what_is_exported() {
    let exported = exported();
    let ask = Regex::new(r#"\b(casewright_[a-z_]+?)(?:_bucket)?\b(?:\{([^}]*)\})?"#).unwrap();
    let label = Regex::new(r#"(\w+)[!=]~?=?""#).unwrap();
    let mut asked = BTreeSet::new();
    for found in
        ask.captures_iter(PROMETHEUS).chain(ask.captures_iter(&DASHBOARD.replace("\\\"", "\"")))
    {
        let name = &found[1];
        let (_, labels) = exported.get(name).unwrap_or_else(|| panic!("{name}"));
        for label in
            found.get(2).map(|labels| label.captures_iter(labels.as_str())).into_iter().flatten()
        {
            let label = &label[1];
            // What Prometheus adds.
            assert!(label == "instance" || labels.contains(label), "{name} has no {label}");
        }
        asked.insert(name.to_owned());
    }
    assert!(asked.len() > 15, "{asked:?}");
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}

#[test]
fn every_command_in_the_pages_exists() {
    let binary = env!("CARGO_BIN_EXE_casewright");
    let line = Regex::new(r"(?m)^  ([a-z-]+)  ").unwrap();
    let say = |words: &[&str]| -> String {
        let Output { status, stdout, .. } =
            Command::new(binary).args(words).arg("--help").output().unwrap();
        assert!(status.success(), "casewright {words:?}");
        String::from_utf8(stdout).unwrap()
    };
    // With the flags of its subcommands.
    let help = |command: &str| -> String {
        let own = say(&[command]);
        let commands = own.split("Options:").next().unwrap();
        let below: Vec<String> = line
            .captures_iter(commands)
            .filter(|found| &found[1] != "help")
            .map(|found| say(&[command, &found[1]]))
            .collect();
        own.clone() + &below.concat()
    };
    let told = first_column("## Install and run", "command");
    let told: BTreeSet<String> = told
        .iter()
        .filter_map(|text| text.strip_prefix("casewright ").map(str::to_owned))
        .collect();
    let real = Command::new(binary).arg("--help").output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    let real: BTreeSet<String> = line
        .captures_iter(&real)
        .map(|found| found[1].to_owned())
        .filter(|command| command != "help")
        .collect();
    assert_eq!(told, real);

    let call = Regex::new(
        r"(?:casewright|release --) (serve|check|test|explain|demo|sandbox|why)\b([^`\n]*)",
    )
    .unwrap();
    for found in call.captures_iter(README) {
        let help = help(&found[1]);
        for flag in found[2].split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{}", &found[0]);
        }
    }
    for row in table("## Install and run", "command") {
        let command = quoted(&row[0]).remove(0);
        let help = help(command.strip_prefix("casewright ").unwrap());
        for flag in quoted(&row[1]) {
            let flag = flag.split(' ').next().unwrap().to_owned();
            assert!(help.contains(&flag), "{command} {flag}");
        }
    }
}

#[test]
fn the_payload_that_one_is_told_to_have_explained_gives_a_case() {
    let command = blocks(README, "sh")
        .into_iter()
        .find(|block| block.starts_with("casewright explain"))
        .expect("the README has it");
    let words: Vec<&str> =
        command.split_whitespace().skip(1).filter(|word| *word != "\\").collect();
    let explained = Command::new(env!("CARGO_BIN_EXE_casewright"))
        .args(words)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(explained.status.success(), "{}", String::from_utf8_lossy(&explained.stderr));
    let text = String::from_utf8(explained.stdout).unwrap();
    for expected in [
        "rule      not-production   no: wants env=~\"staging|dev|test\", and it is \"production\"",
        "rule      edge-5xx         takes it (",
        "rule      attack           not asked: an earlier rule took it",
        "identity  alertname=\"EdgeHigh5xxRatio\" property=\"video.example.net\"",
        "severity  rank 1, from label severity = \"critical\"",
        "product            Ion Premier  <- constant",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
}

#[test]
fn what_cannot_be_explained_says_why() {
    let explain = |words: &[&str]| {
        let told = Command::new(env!("CARGO_BIN_EXE_casewright"))
            .arg("explain")
            .args(words)
            .current_dir(root())
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(1), "{words:?}");
        String::from_utf8(told.stderr).unwrap()
    };
    let payload = "tests/fixtures/alertmanager/0.25-01-firing.json";
    assert!(explain(&["no-such-file.json"]).contains("cannot read no-such-file.json"));
    let told = explain(&[payload, "--source", "grafana"]);
    assert!(told.contains("there is no source `grafana`; there are: alertmanager, pagerduty"));
    let told = explain(&["Cargo.toml"]);
    assert!(told.contains("no source can read this payload"), "{told}");
    assert!(told.contains("alertmanager (alertmanager): "), "{told}");
}

#[test]
fn what_if_takes_values_with_and_without_quotes_and_names_what_the_identity_lacks() {
    let explain = |changes: &[&str]| {
        let payload = "tests/fixtures/alertmanager/0.25-01-firing.json";
        let mut command = Command::new(env!("CARGO_BIN_EXE_casewright"));
        command.args(["explain", payload]).current_dir(root());
        for change in ["alertname=EdgeHigh5xxRatio", "env=production"].iter().chain(changes) {
            command.args(["--set", change]);
        }
        let told = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (told.status.code(), text(told.stdout), text(told.stderr))
    };
    let (code, plain, _) = explain(&["severity=critical"]);
    assert_eq!(code, Some(0));
    assert!(plain.contains("from label severity = \"critical\""), "{plain}");
    assert!(!plain.contains("  absent  "), "{plain}");
    let case = |text: &str| text.split("  case\n").nth(1).unwrap().len();
    assert_eq!(case(&plain), case(&explain(&["severity=\"critical\""]).1));
    let (code, _, told) = explain(&["severity=\"critical"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("a quote at one end only"), "{told}");
    let (_, without, _) = explain(&["property="]);
    let expected = "  identity  alertname=\"EdgeHigh5xxRatio\"\n  absent    the alert has no label \
                    property, so it is one incident with every such alert that has none either\n";
    assert!(without.contains(expected), "{without}");
}

#[test]
fn every_test_and_every_variable_that_the_pages_name_is_there() {
    let target = Regex::new(r"--test ([a-z_0-9]+)").unwrap();
    let variable = Regex::new(r"\bCASEWRIGHT_(?:SEED|KILL|CUT|SWEEP|PRISM)[A-Z_]*").unwrap();
    let tests = root().join("tests");
    let mut sources = String::new();
    let mut folders = vec![tests.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                sources += &std::fs::read_to_string(entry).unwrap();
            }
        }
    }
    for page in [README, ARCHITECTURE, CONTRIBUTING, GUARANTEES] {
        for found in target.captures_iter(page) {
            let name = &found[1];
            let file = tests.join(format!("{name}.rs"));
            assert!(file.exists() || tests.join(name).join("main.rs").exists(), "{name}");
        }
        for found in variable.find_iter(page) {
            assert!(sources.contains(&format!("\"{}\"", found.as_str())), "{}", found.as_str());
        }
    }
}

#[test]
fn every_file_that_the_pages_link_to_is_there() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").unwrap();
    for page in [README, ARCHITECTURE, CONTRIBUTING, CHANGELOG] {
        for found in link.captures_iter(page) {
            assert!(root().join(&found[1]).exists(), "{}", &found[1]);
        }
    }
    for found in link.captures_iter(GUARANTEES) {
        assert!(root().join("docs").join(&found[1]).exists(), "{}", &found[1]);
    }
    let heading = Regex::new(r"(?m)^#+ (.+)$").unwrap();
    let anchors: BTreeSet<String> = heading
        .captures_iter(README)
        .map(|found| found[1].to_lowercase().replace(' ', "-").replace([',', '.', '\''], ""))
        .collect();
    let link = Regex::new(r"\]\(#([^)]+)\)").unwrap();
    for found in link.captures_iter(README) {
        assert!(anchors.contains(&found[1]), "{}", &found[1]);
    }
}

// ---- the reference of keys

/// A tree as JSON, which is YAML as well. Texts keep their `${...}`.
fn tree(text: &str) -> Value {
    fn value(node: &Node) -> Value {
        match &node.value {
            Yaml::Null | Yaml::Broken => Value::Null,
            Yaml::Bool(value) => json!(value),
            Yaml::Int(value) => json!(i64::try_from(*value).unwrap()),
            Yaml::Float(value) => json!(value),
            Yaml::String(text) => json!(text.text),
            Yaml::List(items) => items.iter().map(value).collect(),
            Yaml::Map(entries) => {
                entries.iter().map(|(key, node)| (key.text.clone(), value(node))).collect()
            }
        }
    }
    let file = SourceFile::new("tree.yaml", text, Holds::NoSecrets);
    let mut diagnostics = Diagnostics::default();
    let node = yaml::parse(&file, &mut diagnostics).unwrap();
    assert!(diagnostics.is_empty());
    value(&node)
}

/// Calls `change` for every map of a tree, with the map's path such as `sources[].auth`.
fn each_map(value: &mut Value, path: &str, change: &mut dyn FnMut(&str, &mut Map<String, Value>)) {
    match value {
        Value::Array(items) => {
            for item in items {
                each_map(item, &format!("{path}[]"), change);
            }
        }
        Value::Object(map) => {
            for (key, child) in map.iter_mut() {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                each_map(child, &below, change);
            }
            change(path, map);
        }
        _ => {}
    }
}

/// Every key that the readers of a tree ask for: what they say is known where a key is wrong.
fn known_keys(tree: &Value, load: impl Fn(&str) -> Diagnostics) -> BTreeSet<String> {
    const WRONG: &str = "zzzzzzzzzzzzzzzz";
    let mut paths = BTreeSet::new();
    each_map(&mut tree.clone(), "", &mut |path, _| {
        paths.insert(path.to_owned());
    });
    let mut known = BTreeSet::new();
    for path in paths {
        let mut spoiled = tree.clone();
        each_map(&mut spoiled, "", &mut |at, map| {
            if at == path {
                map.insert(WRONG.to_owned(), json!(1));
            }
        });
        for diagnostic in load(&spoiled.to_string()).sorted() {
            let hint = diagnostic.hint.as_deref().unwrap_or_default();
            let Some(keys) = hint.strip_prefix("known here: ") else { continue };
            for key in keys.split(", ") {
                known.insert(if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                });
            }
        }
    }
    known
}

fn config_tree() -> Value {
    tree(&blocks(README, "yaml casewright")[0])
}

/// The desk with every key.
fn desk_tree() -> Value {
    let all = blocks(README, "yaml casewright");
    tree(all.iter().find(|block| block.contains("kind: http")).expect("a desk"))
}

fn rule_tree() -> Value {
    tree(&blocks(README, "yaml rule")[1])
}

/// Room for the configuration with every key: its vendors are several, so no rule names none.
fn house_of_every_key() -> House {
    let house = House::new();
    std::fs::remove_dir_all(house.path("config/rules")).unwrap();
    std::fs::create_dir(house.path("config/rules")).unwrap();
    house.write("config/rules/one.yaml", "rules: [{ name: one, match: [], ignore: true }]");
    house
}

#[test]
fn the_reference_has_every_key_of_the_configuration_and_no_other() {
    let house = house_of_every_key();
    let known = known_keys(&config_tree(), |text| house.load(text).1);
    assert_eq!(first_column("### Keys of the configuration", "key"), known);
}

#[test]
fn the_reference_has_every_key_of_a_desk_and_no_other() {
    let house = house_of_every_key();
    // A desk has one credential, so the others stand in desks of their own.
    let mut basic = desk_tree();
    basic["vendors"][0]["auth"] = json!({ "basic": { "user": "u", "password": "p" } });
    let load = |text: &str| house.load(text).1;
    let known = known_keys(&desk_tree(), load).into_iter().chain(known_keys(&basic, load));
    let of_all = known_keys(&config_tree(), |text| house.load(text).1);
    let own: BTreeSet<String> =
        known.filter(|key| key == "vendors[].base_url" || !of_all.contains(key)).collect();
    assert_eq!(first_column("### Keys of a desk", "key"), own);
}

#[test]
fn defaults_and_ranges_of_a_desk_are_as_told() {
    let house = house_of_every_key();
    check_values("### Keys of a desk", &desk_tree(), |text| {
        let config: Config = house.load(text).0?.config;
        Some(format!("{config:?}"))
    });
}

#[test]
fn the_table_of_names_in_braces_is_complete() {
    use casewright::domain::desk::scope;
    let mut real: BTreeSet<String> = [
        scope::OPEN,
        scope::OPEN_ADDRESS,
        scope::NOTE,
        scope::NOTE_ADDRESS,
        scope::CONTACTS,
        scope::TICKET,
        scope::LOOK,
        scope::COMMENTS,
        scope::PROBE,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    real.insert("severity.NAME".to_owned());
    assert_eq!(first_column("### Another desk", "name"), real);
}

/// The shipped descriptions are good, and so are the rules that go with them.
#[test]
fn the_described_desks_are_clean() {
    for name in ["servicenow", "zendesk"] {
        let path = root().join(format!("config/desks/{name}.yaml"));
        let env = |name: &str| {
            ["SERVICENOW_PASSWORD", "ZENDESK_TOKEN"].contains(&name).then(|| "x".to_owned())
        };
        clean(setup::load(&path, &env), name);
    }
}

#[test]
fn the_reference_has_every_key_of_a_rule_and_no_other() {
    // The example has a map under `severity` too, so that its keys are asked for.
    let mut rules = rule_tree();
    rules["rules"][0] = json!({
        "name": "mapped", "match": [],
        "case": {
            "account": "A", "category": "BILLING", "area": "a", "service": "s", "subject": "s",
            "description": "d", "severity": { "from": "a", "map": {}, "default": 1 },
        },
    });
    let known = known_keys(&rules, |text| House::new().load_rules(&example(), text).1);
    assert_eq!(first_column("### Keys of a rule", "key"), known);
}

/// Sets the key at `path` in every map that has it.
fn with(tree: &Value, path: &str, value: Option<&Value>) -> Value {
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut changed = tree.clone();
    let mut found = false;
    each_map(&mut changed, "", &mut |at, map| {
        if at == above && map.contains_key(key) {
            found = true;
            match value {
                Some(value) => map.insert(key.to_owned(), value.clone()),
                None => map.remove(key),
            };
        }
    });
    assert!(found, "the example has no `{path}`");
    changed
}

/// A value as a table has it.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// Checks the columns `default` and `range` of a table of keys: leaving a key out does the same as
/// writing its default, and both ends of its range are taken.
fn check_values(heading: &str, tree: &Value, load: impl Fn(&str) -> Option<String>) {
    let range = Regex::new(r"^`([^`]+)` to `([^`]+)`$").unwrap();
    let (mut defaults, mut ranges) = (0, 0);
    for row in table(heading, "key") {
        let key = &quoted(&row[0])[0];
        if let [default] = quoted(&row[1]).as_slice() {
            // `ignore: false` is what a rule that ignores nothing says; it stands in another rule.
            if key != "rules[].ignore" {
                let left_out = load(&with(tree, key, None).to_string());
                let written = load(&with(tree, key, Some(&value_of(default))).to_string());
                assert!(left_out.is_some() && left_out == written, "{key}");
                defaults += 1;
            }
        }
        if let Some(ends) = range.captures(&row[2])
            && !key.contains("severity")
        {
            for end in [&ends[1], &ends[2]] {
                let taken = load(&with(tree, key, Some(&value_of(end))).to_string());
                assert!(taken.is_some(), "{key}: {end}");
                ranges += 1;
            }
        }
    }
    assert!(defaults > 2 && ranges > 2);
}

#[test]
fn defaults_and_ranges_of_the_configuration_are_as_told() {
    let house = house_of_every_key();
    check_values("### Keys of the configuration", &config_tree(), |text| {
        let config: Config = house.load(text).0?.config;
        Some(format!("{config:?}"))
    });
}

#[test]
fn defaults_and_ranges_of_a_rule_are_as_told() {
    check_values("### Keys of a rule", &rule_tree(), |text| {
        let rules = House::new().load_rules(&example(), text).0?.playbook.rules;
        let told = |rule: &Rule| match &rule.then {
            Then::Case(case) => format!("{} {:?} {:?}", rule.goes_on, case.policy, case.vendor),
            Then::Ignore => rule.goes_on.to_string(),
        };
        Some(rules.rules().iter().map(told).collect())
    });
}

// ---- templates

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The incident that the page describes above the table of helpers.
fn incident() -> Incident {
    let from = README.find("### Helpers").unwrap();
    let intro = &README[from..from + README[from..].find("| helper").unwrap()];
    let pair = Regex::new(r#"`(\w+)="([^"]*)"`"#).unwrap();
    let pairs: Vec<(String, String)> =
        pair.captures_iter(intro).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let (annotations, label_pairs): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(name, _)| ["value", "summary"].contains(&name.as_str()));
    assert_eq!((label_pairs.len(), annotations.len()), (5, 2));
    let alert = |fingerprint: &str| Alert {
        source: "alertmanager".into(),
        fingerprint: fingerprint.into(),
        status: AlertStatus::Firing,
        labels: label_pairs.iter().cloned().collect(),
        annotations: annotations.iter().cloned().collect(),
        starts_at: Some("2026-08-01T09:50:00Z".parse().unwrap()),
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: Vec::new(),
        group: Labels::new(),
    };
    let now = "2026-08-01T10:00:00Z".parse().unwrap();
    let members = ["a", "b"]
        .map(|name| (name.into(), Member { alert: alert(name), rank: Rank::WORST, since: now }));
    let key = IncidentKey {
        scope: "edge-5xx".into(),
        identity: Identity::of(&labels(&[("alertname", "EdgeHigh5xxRatio")])),
    };
    Incident {
        id: IncidentId::derive(&InstallationId::new("docs"), &key, 1),
        key,
        rule: "edge-5xx".into(),
        generation: 1,
        previous_case: None,
        vendor: "akamai".into(),
        rank: Rank::WORST,
        worst: Rank::WORST,
        state: State::Opening { seq: 1 },
        members: members.into(),
        tally: Tally { firing: 2, resolved: 0 },
        origin: alert("a"),
        delivery: "d-1".into(),
        created_at: now,
        updated_at: now,
        heard_at: now,
        left_out: None,
        told_at: None,
        news: News::default(),
        last_seq: 1,
    }
}

#[test]
fn every_helper_does_what_its_example_says() {
    let context = RenderContext::new(&incident(), "2026-08-01T10:00:00Z".parse().unwrap());
    for row in table("### Helpers", "helper") {
        let example = row[1].trim_matches('`').to_owned();
        let mut builder = TemplateSet::builder();
        assert_eq!(builder.inline("example", &example), [], "{example}");
        let (set, problems) = builder.build();
        assert_eq!(problems, [], "{example}");
        let text = set.render("example", &context, 4096).unwrap_or_else(|problem| {
            panic!("{example}: {problem}");
        });
        match quoted(&row[2]).as_slice() {
            [expected] if row[2].starts_with('`') => assert_eq!(text.trim(), expected, "{example}"),
            _ => assert!(!text.trim().is_empty(), "{example}"),
        }
    }
}

#[test]
fn the_table_of_helpers_is_complete() {
    // An unknown helper is answered with nothing that lists all of them, so the table in the code
    // is read.
    let code = include_str!("../src/templates/helpers/mod.rs");
    let spec = Regex::new(r#"spec\(\s*"(\w+)""#).unwrap();
    let mut real: BTreeSet<String> =
        spec.captures_iter(code).map(|found| found[1].to_owned()).collect();
    assert!(real.len() > 20);
    real.extend(["each", "if", "unless", "with"].map(str::to_owned));
    assert_eq!(first_column("### Helpers", "helper"), real);
}

#[test]
fn the_table_of_template_keys_is_complete() {
    let context = RenderContext::new(&incident(), "2026-08-01T10:00:00Z".parse().unwrap());
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(first_column("## Templates", "key"), keys(context.as_json()));
    for row in table("## Templates", "key") {
        if let name @ ("`alert`" | "`incident`") = row[0].as_str() {
            let real = keys(&context.as_json()[name.trim_matches('`')]);
            assert_eq!(quoted(&row[1]).into_iter().collect::<BTreeSet<_>>(), real);
        }
    }
}

// ---- the layers

/// The modules of this crate that a module of it names outside comments.
fn uses(module: &str) -> BTreeSet<String> {
    fn files(path: &Path, into: &mut Vec<PathBuf>) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
                files(&entry.path(), into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path.to_owned());
        }
    }
    let mut found = Vec::new();
    files(&root().join("src").join(module), &mut found);
    files(&root().join(format!("src/{module}.rs")), &mut found);
    let name = Regex::new(r"\bcrate::(?:\{([^}]+)\}|([a-z_]+))").unwrap();
    let mut used = BTreeSet::new();
    for path in found.iter().filter(|path| path.exists()) {
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for found in name.captures_iter(line) {
                let named = found.get(1).or(found.get(2)).unwrap().as_str();
                let first = |piece: &str| piece.trim().split(':').next().unwrap().to_owned();
                used.extend(named.split(',').map(first));
            }
        }
    }
    assert!(!used.is_empty(), "{module}");
    used.remove(module);
    used
}

#[test]
fn modules_know_only_what_is_below_them() {
    let below = "clock current rng time telemetry domain";
    let parts = "store vendors fetch sources templates rules config";
    for (module, may) in [
        ("domain", "time".to_owned()),
        ("sandbox", "clock rng time".to_owned()),
        ("store", below.to_owned()),
        ("vendors", below.to_owned()),
        ("sources", below.to_owned()),
        ("templates", below.to_owned()),
        ("config", below.to_owned()),
        ("fetch", format!("{below} config")),
        ("rules", format!("{below} config")),
        ("setup", format!("{below} {parts} playbook")),
        ("playbook", format!("{below} {parts}")),
        ("intake", format!("{below} {parts} playbook")),
        ("dispatch", format!("{below} {parts} playbook")),
        ("retention", format!("{below} store")),
        ("explain", format!("{below} {parts} playbook setup dispatch intake")),
        ("people", format!("{below} {parts} playbook dispatch explain intake")),
        ("rehearsal", format!("{below} {parts} playbook setup dispatch intake explain")),
        ("rule_tests", format!("{below} {parts} playbook setup intake rehearsal")),
        ("http", format!("{below} {parts} intake dispatch explain people")),
    ] {
        let may: BTreeSet<String> = may.split(' ').map(str::to_owned).collect();
        let more: Vec<String> = uses(module).difference(&may).cloned().collect();
        assert!(more.is_empty(), "{module} may not know {more:?}");
    }
}

/// Shells complete every command, and every command has its page.
#[test]
fn shells_and_readers_of_manuals_get_every_command() {
    let binary = env!("CARGO_BIN_EXE_casewright");
    let commands = first_column("## Install and run", "command");
    let commands: Vec<&str> =
        commands.iter().filter_map(|text| text.strip_prefix("casewright ")).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Command::new(binary).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success());
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("against-store"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let run = Command::new(binary).arg("man").arg(&pages).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for command in &commands {
        let page = pages.join(format!("casewright-{command}.1"));
        let page =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page:?}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let run = Command::new(binary).arg("man").arg(&file).output().unwrap();
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(told.contains("the pages cannot be written to"), "{told}");
}
