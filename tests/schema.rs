//! The JSON Schemas say what the readers do: the same keys, names and ranges, and no good file of
//! this repository is bad to them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it is a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use casewright::config::source_file::{Holds, SourceFile};
use casewright::config::yaml::{self, Node, Value as Yaml};
use casewright::config::{Config, Diagnostics, KnownVendor, RuleInputs};
use casewright::domain::catalog::Category;
use casewright::domain::draft::{ChoiceField, forbidden_fields, required_fields};
use casewright::rule_tests::file::{self, Inputs};
use casewright::{daemon, rules, schema, setup};
use jsonschema::Validator;
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

const README: &str = include_str!("../README.md");
const RULE_TESTS: &str = include_str!("../docs/rule-tests.md");

/// A key, name or number that is never good.
const WRONG: &str = "zzzzzzzzzzzzzzzz";

/// Test files with every key. What comes in has several forms, so there are several deliveries.
const ALL_OF_A_TEST: &str = r#"
group_by: [alertname]
receiver: casewright
tests:
  - name: everything
    start: 2026-03-02T08:00:00Z
    group_by: [alertname]
    receiver: casewright
    deliveries:
      - at: 0s
        times: 2
        source: alertmanager
        group_by: [alertname]
        receiver: casewright
        truncated: 1
        alerts:
          - status: firing
            labels: { alertname: A }
            annotations: { summary: s }
            starts_at: 0s
            ends_at: 1m
            generator_url: https://prometheus.example.com
      - { at: 1m, firing: { alertname: A }, resolved: [{ alertname: A }] }
      - at: 2m
        incident: { id: P, event: triggered, status: triggered, title: t, url: u, urgency: high,
          service: s, service_id: S, priority: P1, escalation_policy: e, incident_type: i,
          team: [t], number: 1 }
      - { at: 3m, source: alertmanager, payload: nowhere.json }
    expect:
      - at: 1h
        others: true
        cases: 1
        unmatched: 0
        ignored_by: [not-production]
        incidents:
          - rule: edge-errors
            identity: { property: p }
            generation: 1
            state: open
            reason: { contains: a, lacks: b, matches: c }
            firing: 1
            actions: [open]
            comments: { contains: a }
            case:
              severity: 1
              account: a
              subject: s
              description: d
              category: TECHNICAL
              product: p
              problem: p
              policy_domain: p
              area: a
              service: s
              parent_account: p
              solution: s
              package: p
              alternate_contact: { name: n, company: c, email: e, phone: p }
              also_notify: [a]
              fallback: false
            draft: { subject: s }
    people:
      - at: 1m
        approve: { rule: edge-errors, identity: { property: p }, generation: 1 }
      - at: 1m
        reject: { rule: edge-errors, identity: { property: p }, generation: 1 }
"#;

// ---- what there is

/// A schema, documents that have every key between them, and the reader.
struct Subject {
    schema: Value,
    documents: Vec<Value>,
    read: Box<dyn Fn(&str) -> Diagnostics>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn parsed(schema: &str) -> Value {
    serde_json::from_str(schema).unwrap()
}

fn written(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("file.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

fn env(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/nowhere".to_owned())
}

fn config() -> Subject {
    let mut document = tree(&block(README, "yaml casewright", 0));
    let desks = desks();
    document["fetch"] = json!({ "timeout": "5s", "max_mib": 1, "allow": [{
        "host": "a", "scheme": "https", "port": 1, "private": false, "bearer": "b",
    }] });
    document["redact"] = json!(["email", "ip", { "pattern": "a", "with": "b" }]);
    document["mute"] = json!({ "days": "sat", "from": "00:00", "to": "24:00", "time_zone": "UTC" });
    for field in ChoiceField::ALL {
        document["vendors"][0]["fallback"][field.name()] = json!("x");
    }
    document["vendors"][0]["fallback"]["category"] = json!("TECHNICAL");
    let folder = TempDir::new().unwrap();
    let read = move |text: &str| Config::load(&written(&folder, text), &env).1;
    let documents = std::iter::once(document).chain(desks).collect();
    Subject { schema: parsed(schema::CONFIG), documents, read: Box::new(read) }
}

/// The desk with every key, in as many forms as it takes: one credential and one way to page each.
fn desks() -> Vec<Value> {
    let all = blocks(README, "yaml casewright");
    let desk = tree(all.iter().find(|block| block.contains("kind: http")).unwrap());
    let with = |auth: Value, paging: Value| {
        let mut other = desk.clone();
        other["vendors"][0]["auth"] = auth;
        other["vendors"][0]["paging"] = paging;
        other["vendors"][0]["severities"] = json!(["high", "low"]);
        other["vendors"][0]["open"]["body"] = json!({ "tracking": "{{marker}}" });
        other
    };
    let basic = json!({ "basic": { "user": "u", "password": "p" } });
    let by_link = json!({ "next": "/next", "more": "/more" });
    let bearer = with(json!({ "bearer": "t" }), json!({ "next": "/next" }));
    vec![with(basic, by_link), bearer, desk]
}

fn of_rules() -> Subject {
    let case = json!({
        "account": "A-1", "category": "TECHNICAL", "subject": "s", "description": "d",
        "severity": { "from": "severity", "map": { "critical": 1 }, "default": 2 },
        "severity_policy": "exact", "attach": { "payload": true, "files": [{ "url": "u", "name": "a.png" }] },
        "also_notify": ["noc@example.com"],
        "alternate_contact": { "name": "n", "company": "c", "email": "a@example.com", "phone": "1" },
    });
    let always = json!({ "from": "00:00", "to": "24:00" });
    let mut rule = json!({
        "name": "every", "match": ["a = b"], "during": always, "outside": [always],
        "continue": false, "ignore": false, "identity": ["a"], "identity_scope": "s",
        "vendor": "akamai", "case": case, "when_not_found": "hold", "reopen_within": "1h",
        "open": { "after": "5m", "mode": "auto" },
        "update": { "at_most_every": "1h", "annotations": true, "notes": true },
        "resolve": { "after": "5m", "action": "close" },
        "mute": { "days": ["mon-fri"], "from": "08:00", "to": "10:00", "time_zone": "Europe/Berlin" },
        "stale_after": "1d", "stale_action": "none",
        "redact": ["token", { "pattern": "a", "with": "b" }],
        "limits": { "cases": 3, "per": "1h", "overflow": "hold" },
    });
    for field in ChoiceField::ALL {
        rule["case"][field.name()] = json!("x");
    }
    let mut plain = rule.clone();
    plain["case"]["severity"] = json!(1);
    let folder = TempDir::new().unwrap();
    let read = move |text: &str| {
        let vendor = KnownVendor { allow_billable: true, ..KnownVendor::named("akamai") };
        let inputs = RuleInputs {
            files: vec![written(&folder, text)],
            vendors: vec![vendor],
            vendors_complete: true,
            ..RuleInputs::default()
        };
        rules::file::load(&inputs, &env).1
    };
    Subject {
        schema: parsed(schema::RULES),
        documents: vec![json!({ "rules": [rule] }), json!({ "rules": [plain] })],
        read: Box::new(read),
    }
}

fn of_tests() -> Subject {
    let folder = TempDir::new().unwrap();
    let path = root().join("config/casewright.yaml");
    let setup = setup::load_for_rehearsal(&path, &|_| None).0.unwrap();
    let sources = daemon::sources(&setup.config.sources).unwrap();
    let read = move |text: &str| {
        let inputs = Inputs { sources: &sources, playbook: &setup.playbook, env: &env };
        file::read(&written(&folder, text), &inputs).1
    };
    Subject {
        schema: parsed(schema::TESTS),
        documents: vec![tree(ALL_OF_A_TEST)],
        read: Box::new(read),
    }
}

fn subjects() -> [Subject; 3] {
    [config(), of_rules(), of_tests()]
}

/// A tree as JSON. Texts keep their `${...}`.
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
    let node = yaml::parse(&file, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}\n{text}", diagnostics.render(false));
    value(&node.unwrap())
}

/// The fenced blocks of a page whose info string is `info`, outside of lists or in them.
fn blocks(page: &str, info: &str) -> Vec<String> {
    let begin = Regex::new(&format!(r"(?m)^( *)```{}\n", regex::escape(info))).unwrap();
    let found = begin.captures_iter(page).map(|found| {
        let body = page[found.get(0).unwrap().end()..].split("```").next().unwrap();
        let lines = body.lines().map(|line| line.strip_prefix(&found[1]).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
    found.collect()
}

fn block(page: &str, info: &str, at: usize) -> String {
    blocks(page, info).remove(at)
}

// ---- schemas and documents side by side

/// The pieces of a schema that speak of a value, with references and alternatives resolved.
fn pieces<'s>(whole: &'s Value, schema: &'s Value, of: &Value) -> Vec<&'s Value> {
    let mut found = vec![schema];
    if let Some(name) = schema["$ref"].as_str() {
        let target = whole.pointer(name.strip_prefix('#').unwrap()).unwrap();
        found.extend(pieces(whole, target, of));
    }
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        let fits = match branch["type"].as_str() {
            Some("object") => of.is_object(),
            Some("array") => of.is_array(),
            _ => true,
        };
        if fits {
            found.extend(pieces(whole, branch, of));
        }
    }
    found
}

type Visit<'v, 's> = &'v mut dyn FnMut(&str, &'s Value, &Value);

/// Calls `visit` for every value with its pointer and each piece of the schema that speaks of it.
fn walk<'s>(whole: &'s Value, schema: &'s Value, value: &Value, at: &str, visit: Visit<'_, 's>) {
    for piece in pieces(whole, schema, value) {
        visit(at, piece, value);
        match value {
            Value::Object(map) => {
                for (key, child) in map {
                    let below = piece["properties"].get(key);
                    let below = below.or_else(|| piece.get("additionalProperties"));
                    if let Some(below) = below.filter(|below| below.is_object()) {
                        walk(whole, below, child, &format!("{at}/{key}"), visit);
                    }
                }
            }
            Value::Array(items) if piece["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    walk(whole, &piece["items"], item, &format!("{at}/{index}"), visit);
                }
            }
            _ => {}
        }
    }
}

/// A pointer as messages write it: `/rules/0/case` is `rules[0].case`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(part),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

fn with(document: &Value, pointer: &str, value: Value) -> String {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed.to_string()
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn list(text: &str) -> BTreeSet<String> {
    text.split(", ").map(str::to_owned).collect()
}

/// Every map of a schema that has keys of its own.
fn maps<'s>(schema: &'s Value, at: &str, into: &mut Vec<(String, &'s Value)>) {
    if schema["additionalProperties"] == json!(false) {
        into.push((at.to_owned(), schema));
    }
    match schema {
        Value::Object(map) => {
            map.iter().for_each(|(key, below)| maps(below, &format!("{at}/{key}"), into));
        }
        Value::Array(items) => items.iter().for_each(|below| maps(below, at, into)),
        _ => {}
    }
}

fn key_of(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

#[test]
fn the_schemas_have_every_key_that_the_readers_know_and_no_other() {
    for subject in subjects() {
        // By the map of the schema: the keys that some document has.
        let mut seen: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for document in &subject.documents {
            let mut found = Vec::new();
            walk(&subject.schema, &subject.schema, document, "", &mut |at, piece, value| {
                if value.is_object() && piece["additionalProperties"] == json!(false) {
                    found.push((at.to_owned(), piece, value.clone()));
                }
            });
            for (at, piece, value) in found {
                let keys = value.as_object().unwrap().keys().cloned();
                seen.entry(key_of(piece)).or_default().extend(keys);
                let mut wanted: BTreeSet<String> =
                    piece["properties"].as_object().unwrap().keys().cloned().collect();
                for condition in piece["allOf"].as_array().into_iter().flatten() {
                    let kind = &condition["if"]["properties"]["kind"]["const"];
                    if kind.is_string() && *kind == value["kind"] {
                        let none = condition["then"]["properties"].as_object();
                        wanted.retain(|key| !none.is_some_and(|none| none.contains_key(key)));
                    }
                }
                let mut spoiled = value.clone();
                spoiled[WRONG] = json!(1);
                let told = (subject.read)(&with(document, &at, spoiled));
                let hints = told.sorted().into_iter().filter_map(|found| found.hint.clone());
                let known: Vec<_> =
                    hints.filter_map(|hint| hint.strip_prefix("known here: ").map(list)).collect();
                let [known] = known.as_slice() else {
                    panic!("{at}: {known:?}\n{}", told.render(false))
                };
                // Known only to say that this version does not have it.
                let known = known.iter().filter(|key| *key != "postgres").cloned().collect();
                assert_eq!(wanted, known, "{at}");
            }
        }
        let mut all = Vec::new();
        maps(&subject.schema, "", &mut all);
        for (at, map) in all {
            let seen = seen.get(&key_of(map)).unwrap_or_else(|| panic!("{at} was never compared"));
            for key in map["properties"].as_object().unwrap().keys() {
                let of_secrets = key.ends_with("_file") || key.ends_with("_files");
                let or_file = seen.contains(&format!("{key}_file"));
                assert!(seen.contains(key) || of_secrets || or_file, "{at}: no document has {key}");
            }
        }
    }
}

#[test]
fn the_schemas_have_the_names_and_ranges_of_the_readers() {
    let numbers = Regex::new(r"[0-9]+(\.[0-9]+)?").unwrap();
    let (mut of_names, mut of_ranges) = (0, 0);
    for subject in subjects() {
        for document in &subject.documents {
            let mut leaves: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            walk(&subject.schema, &subject.schema, document, "", &mut |at, piece, value| {
                if !value.is_object() && !value.is_array() {
                    leaves.entry(at.to_owned()).or_default().push(piece);
                }
            });
            for (at, pieces) in leaves {
                let hints = |value: Value| -> Vec<String> {
                    let told = (subject.read)(&with(document, &at, value));
                    let about = format!("`{}`", path(&at));
                    let found =
                        told.sorted().into_iter().filter(|one| one.message.contains(&about));
                    found.filter_map(|one| one.hint.clone()).collect()
                };
                // Which vendors and sources there are is not for a schema to say.
                if !at.ends_with("/vendor") && !at.ends_with("/source") {
                    let told = hints(json!(WRONG))
                        .iter()
                        .find_map(|hint| hint.strip_prefix("one of: ").map(list));
                    let named = pieces.iter().map(|piece| texts(&piece["enum"]));
                    let named = named.reduce(|all, more| &all | &more).unwrap();
                    assert_eq!(named, told.unwrap_or_default(), "{at}");
                    of_names += usize::from(!named.is_empty());
                }
                for piece in pieces.iter().filter(|piece| piece["maximum"].is_number()) {
                    let ends = [&piece["minimum"], &piece["maximum"]].map(|end| end.as_f64());
                    let beyond = piece["maximum"].as_f64().unwrap() + 1.0;
                    #[expect(clippy::cast_possible_truncation, reason = "limits are small")]
                    let beyond = hints(json!(beyond as i64));
                    // Of the largest numbers that fit, nothing but the type is told.
                    let Some(hint) = beyond.first() else {
                        assert_eq!(ends[1], Some(f64::from(u32::MAX)), "{at}");
                        continue;
                    };
                    let told: Vec<f64> = numbers
                        .find_iter(hint)
                        .map(|found| found.as_str().parse().unwrap())
                        .collect();
                    assert_eq!(ends, [told.first().copied(), told.last().copied()], "{at}: {hint}");
                    of_ranges += 1;
                }
            }
        }
    }
    assert!(of_names > 20 && of_ranges > 10, "{of_names} {of_ranges}");
}

#[test]
fn the_schemas_have_the_fields_of_every_category() {
    let schema = parsed(schema::RULES);
    let case = &schema["properties"]["rules"]["items"]["properties"]["case"];
    for category in Category::ALL {
        let condition = case["allOf"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["if"]["properties"]["category"]["const"] == category.as_str())
            .unwrap_or_else(|| panic!("{category}"));
        let names = |fields: &[ChoiceField]| -> BTreeSet<String> {
            fields.iter().map(|field| field.name().to_owned()).collect()
        };
        assert_eq!(texts(&condition["then"]["required"]), names(required_fields(category)));
        let none = condition["then"]["properties"].as_object().unwrap();
        assert!(none.values().all(|value| *value == json!(false)));
        let none: BTreeSet<String> = none.keys().cloned().collect();
        assert_eq!(none, names(forbidden_fields(category)), "{category}");
    }
}

/// Every key of a schema with what is said of it, by its way such as `sources[].auth`.
fn keys<'s>(whole: &'s Value, schema: &'s Value, at: &str, into: &mut Vec<(String, &'s Value)>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = whole.pointer(name.strip_prefix('#').unwrap()).unwrap();
        keys(whole, target, at, into);
    }
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        keys(whole, branch, at, into);
    }
    if schema["items"].is_object() {
        keys(whole, &schema["items"], &format!("{at}[]"), into);
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        into.push((path.clone(), below));
        keys(whole, below, &path, into);
    }
}

#[test]
fn every_key_of_the_schemas_is_explained() {
    for schema in [schema::CONFIG, schema::RULES, schema::TESTS].map(parsed) {
        let mut all = Vec::new();
        keys(&schema, &schema, "", &mut all);
        assert!(all.len() > 40);
        for (path, said) in all {
            let text = said["description"].as_str().unwrap_or_else(|| panic!("{path}"));
            assert!(text.len() > 5 && text.ends_with('.'), "{path}: {text}");
        }
    }
}

#[test]
fn the_defaults_of_the_schemas_are_those_of_the_reference() {
    let row = Regex::new(r"(?m)^\| `([^`]+)` \| `([^`]+)` \|").unwrap();
    for (heading, schema) in [
        (
            ["### Keys of the configuration", "### Keys of a desk"].as_slice(),
            parsed(schema::CONFIG),
        ),
        (&["### Keys of a rule"], parsed(schema::RULES)),
    ] {
        let tables = heading.iter().map(|heading| {
            let table = README.split(&format!("\n{heading}\n")).nth(1).unwrap();
            table.split("\n#").next().unwrap()
        });
        let told: BTreeMap<String, String> = tables
            .flat_map(|table| row.captures_iter(table))
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .collect();
        let mut all = Vec::new();
        keys(&schema, &schema, "", &mut all);
        let said: BTreeMap<String, String> = all
            .into_iter()
            .filter(|(path, said)| said.get("default").is_some() && !path.ends_with(".time_zone"))
            .map(|(path, said)| {
                let default = &said["default"];
                (path, default.as_str().map_or_else(|| default.to_string(), str::to_owned))
            })
            .collect();
        assert_eq!(said, told, "{heading:?}");
    }
}

// ---- good files and bad ones

fn validator(schema: &str) -> Validator {
    let schema = parsed(schema);
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn wrong(validator: &Validator, document: &Value) -> Vec<String> {
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn files(pattern: &str) -> Vec<PathBuf> {
    let pattern = root().join(pattern);
    glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap).collect()
}

fn is_test(path: &Path) -> bool {
    path.to_str().unwrap().ends_with(".test.yaml")
}

#[test]
fn every_good_file_and_every_example_is_good_to_the_schemas() {
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let (tests, rules): (Vec<_>, Vec<_>) =
        [files("config/rules/*.yaml"), files("config/desks/rules/*.yaml")]
            .concat()
            .into_iter()
            .partition(|path| is_test(path));
    let configs = ["config/*.yaml", "config/desks/*.yaml", "packaging/*.yaml"].map(files).concat();
    assert!(configs.len() > 1 && rules.len() > 4 && tests.len() > 4);
    let configs = configs.iter().map(text).chain(blocks(README, "yaml casewright"));
    let configs = configs.chain(blocks(README, "yaml first-rule casewright.yaml"));
    let times = block(README, "yaml", 0).replace('\n', "\n    ");
    let times = format!("rules:\n  - name: x\n    match: []\n    ignore: true\n    {times}");
    let rules = rules.iter().map(text).chain(blocks(README, "yaml rule")).chain([times]);
    let rules = rules.chain(blocks(README, "yaml first-rule rules/login.yaml"));
    let rules = rules.chain(blocks(RULE_TESTS, "yaml rules"));
    let tests = tests.iter().map(text).chain(blocks(RULE_TESTS, "yaml rule-tests"));
    let tests = tests.chain(blocks(README, "yaml first-rule rules/login.test.yaml"));
    for (schema, all) in [
        (schema::CONFIG, configs.collect::<Vec<_>>()),
        (schema::RULES, rules.collect()),
        (schema::TESTS, tests.collect()),
    ] {
        let validator = validator(schema);
        assert!(all.len() > 3);
        for text in all {
            let found = wrong(&validator, &tree(&text));
            assert!(found.is_empty(), "{found:#?}\n{text}");
        }
    }
}

#[test]
fn a_variable_may_stand_wherever_a_single_value_may() {
    let desk = desks().pop().unwrap();
    for (schema, text) in [
        (schema::CONFIG, block(README, "yaml casewright", 0)),
        (schema::CONFIG, desk.to_string()),
        (schema::RULES, block(README, "yaml rule", 0)),
        (schema::RULES, block(README, "yaml rule", 1)),
        (schema::TESTS, block(RULE_TESTS, "yaml rule-tests", 0)),
    ] {
        let (validator, document) = (validator(schema), tree(&text));
        let mut single = Vec::new();
        let whole = parsed(schema);
        walk(&whole, &whole, &document, "", &mut |at, _, value| {
            if !value.is_object() && !value.is_array() && value != "none" {
                single.push(at.to_owned());
            }
        });
        assert!(single.len() > 10);
        for at in single {
            let mut changed = document.clone();
            *changed.pointer_mut(&at).unwrap() = json!("${SOMETHING:-}");
            let found = wrong(&validator, &changed);
            assert!(found.is_empty(), "{at}: {found:#?}");
        }
    }
}

#[test]
fn bad_files_are_bad_to_the_schemas() {
    let config = block(README, "yaml casewright", 0);
    let desks = blocks(README, "yaml casewright");
    let desk = desks.into_iter().find(|block| block.contains("kind: http")).unwrap();
    let rules = block(README, "yaml rule", 0);
    let tests = block(RULE_TESTS, "yaml rule-tests", 0);
    let approved = block(RULE_TESTS, "yaml rule-tests", 1);
    for (schema, good, from, to) in [
        (schema::CONFIG, &config, "listen:", "lissten:"),
        (schema::CONFIG, &config, "timeout: 10s", "timeout: 10 s"),
        (schema::CONFIG, &config, "kind: pagerduty", "kind: opsgenie"),
        (schema::CONFIG, &config, "edgerc: ~/.edgerc", "state: cases.json"),
        (schema::CONFIG, &config, "looks: 3", "looks: 0"),
        (schema::CONFIG, &config, "store:", "stores:"),
        (schema::CONFIG, &desk, "id: /ticket/id", "id: ticket.id"),
        (schema::CONFIG, &desk, "reference:", "refrence:"),
        (schema::CONFIG, &desk, "path: /me", "path: me"),
        (schema::CONFIG, &desk, "limit: count, ", ""),
        (schema::CONFIG, &desk, "kind: http", "kind: akamai"),
        (schema::RULES, &rules, "match:", "matchers:"),
        (schema::RULES, &rules, "category: TECHNICAL", "category: BILLING"),
        (schema::RULES, &rules, " = ", " == "),
        (schema::RULES, &rules, "account: A-CCT7890", "account: 7890"),
        (schema::TESTS, &tests, "state: open", "state: opened"),
        (schema::TESTS, &tests, "at: 0s", "after: 0s"),
        (schema::TESTS, &approved, "approve:", "aprove:"),
        (schema::TESTS, &approved, "approve:", "reject: { rule: x }\n        approve:"),
        (schema::TESTS, &approved, "severity: 3", "severity: high"),
        (schema::TESTS, &tests, "severity: 1", "severity: critical"),
    ] {
        let validator = validator(schema);
        assert!(good.contains(from), "{from}");
        assert!(wrong(&validator, &tree(good)).is_empty());
        let bad = good.replacen(from, to, 1);
        assert!(!wrong(&validator, &tree(&bad)).is_empty(), "{to}");
    }
}

#[test]
fn the_command_prints_each_schema() {
    for (name, schema) in
        [("config", schema::CONFIG), ("rules", schema::RULES), ("tests", schema::TESTS)]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casewright"));
        let output = command.args(["schema", name]).output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), schema);
    }
}
