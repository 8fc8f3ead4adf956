//! `casewright test`, as a person runs it, and the page that teaches it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it is a test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const PAGE: &str = include_str!("../docs/rule-tests.md");

/// The vendor's credentials are nowhere: nothing is sent.
const CONFIG: &str = "
store: { sqlite: casewright.db }
rules: ['rules/*.yaml']
sources:
  - { name: am, kind: alertmanager, auth: { bearer: [x] } }
  - { name: pd, kind: pagerduty, secrets: [x] }
vendors:
  - { name: akamai, kind: akamai, edgerc: nowhere }
";

fn block(info: &str) -> String {
    nth_block(info, 0)
}

fn nth_block(info: &str, nth: usize) -> String {
    let begin = format!("```{info}\n");
    let after = PAGE.split(&begin).nth(nth + 1).unwrap_or_else(|| panic!("no {info} {nth}"));
    after.split("```").next().unwrap().to_owned()
}

/// What a run has said.
struct Run {
    code: i32,
    out: String,
    err: String,
}

struct House(TempDir);

impl House {
    /// With the rules of the page.
    fn new() -> Self {
        let house = Self(TempDir::new().unwrap());
        for folder in ["rules", "templates"] {
            std::fs::create_dir(house.path(folder)).unwrap();
        }
        house.write("casewright.yaml", CONFIG);
        house.write("rules/checkout.yaml", &block("yaml rules"));
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn test(&self, args: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_casewright"))
            .args(["test", "--config", "casewright.yaml"])
            .args(args)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[test]
fn the_tests_of_the_page_pass_without_any_credentials() {
    let house = House::new();
    house.write("rules/checkout.test.yaml", &block("yaml rule-tests"));
    let run = house.test(&[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    assert_eq!(
        run.out,
        "rules/checkout.test.yaml: 3 passed\n3 tests in 1 file: 3 passed, 0 failed\n"
    );
}

#[test]
fn the_tests_of_cases_that_wait_pass_and_prove_something() {
    let house = House::new();
    house.write("rules/usage.yaml", &nth_block("yaml rules", 1));
    let good = nth_block("yaml rule-tests", 1);
    house.write("rules/usage.test.yaml", &good);
    let run = house.test(&[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    for (from, to, told) in [
        (
            "contract: C-1 } }\n      - at: 3h",
            "contract: C-3 } }\n      - at: 3h",
            "there is no incident of usage-anomaly {contract=\"C-3\"} to be approved",
        ),
        (
            "        reject:",
            "        approve:",
            "at 3h, the state of usage-anomaly {contract=\"C-2\"} is open, not dropped",
        ),
        ("930 TB }\n          - rule", "93 TB }\n          - rule", "does not contain `93 TB`"),
        ("subject: Forecast for C-1", "subject: Forecast", "is \"Forecast for C-1\""),
    ] {
        assert!(good.contains(from), "{from}");
        house.write("rules/usage.test.yaml", &good.replacen(from, to, 1));
        let run = house.test(&[]);
        assert!(run.code != 0 && run.err.contains(told), "{to}: {}", run.err);
    }
}

#[test]
fn a_failure_ends_with_1_and_shows_its_line() {
    let house = House::new();
    house.write("rules/ok.test.yaml", &block("yaml rule-tests"));
    let spoiled = block("yaml rule-tests").replace("errors above 5%'", "errors above 7%'");
    house.write("rules/spoiled.test.yaml", &spoiled);
    let run = house.test(&[]);
    assert_eq!(run.code, 1, "{}", run.err);
    let line = spoiled.lines().position(|line| line.contains("7%'")).unwrap() + 1;
    assert!(run.err.contains(&format!("--> rules/spoiled.test.yaml:{line}:")), "{}", run.err);
    assert!(run.err.contains("it is \"shop: errors above 5%\""), "{}", run.err);
    assert!(run.out.contains("rules/ok.test.yaml: 3 passed\n"), "{}", run.out);
    assert!(run.out.contains("rules/spoiled.test.yaml: 2 passed, 1 failed\n"), "{}", run.out);
    assert!(run.out.ends_with("6 tests in 2 files: 5 passed, 1 failed\n"), "{}", run.out);
    let only = house.test(&["rules/ok.test.yaml"]);
    assert_eq!(only.code, 0, "{}", only.err);
}

#[test]
fn files_that_cannot_be_used_end_with_2() {
    let house = House::new();
    let nothing = house.test(&[]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("there are no tests beside the rules"), "{}", nothing.err);
    let missing = house.test(&["rules/nowhere.test.yaml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("there is no file `rules/nowhere.test.yaml`"), "{}", missing.err);
    let folder = house.test(&["templates"]);
    assert_eq!(folder.code, 2);
    assert!(folder.err.contains("there are no tests in this folder"), "{}", folder.err);

    house.write("rules/a.test.yaml", "tests:\n  - nam: x\n");
    let mistake = house.test(&[]);
    assert_eq!(mistake.code, 2);
    assert!(mistake.err.contains("did you mean `name`?"), "{}", mistake.err);
    assert!(mistake.out.starts_with("nothing was tested: "), "{}", mistake.out);

    house.write("rules/a.test.yaml", &block("yaml rule-tests"));
    house.write("rules/checkout.yaml", &block("yaml rules").replace("severity:", "severty:"));
    let rules = house.test(&[]);
    assert_eq!(rules.code, 2, "{}", rules.err);
    assert!(rules.err.contains("did you mean `severity`?"), "{}", rules.err);
}

#[test]
fn scripts_get_the_same_as_json() {
    let house = House::new();
    let spoiled = block("yaml rule-tests").replace("cases: 0, incidents", "cases: 1, incidents");
    house.write("rules/checkout.test.yaml", &spoiled);
    let run = house.test(&["--output", "json", "--coverage"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&report["passed"], &report["failed"]), (&2.into(), &1.into()));
    let failed = &report["tests"][1];
    assert_eq!(
        (&failed["name"], &failed["passed"]),
        (&"a short peak opens nothing".into(), &false.into())
    );
    assert_eq!(failed["file"], "rules/checkout.test.yaml");
    let failure = &failed["failures"][0];
    assert!(failure["message"].as_str().unwrap().ends_with("`cases` is 0, not 1"), "{failure}");
    assert!(failure["line"].as_u64() > failed["line"].as_u64(), "{failed}");
    let rule = &report["coverage"]["rules"][0];
    assert_eq!((&rule["rule"], &rule["reached"]), (&"checkout-errors".into(), &true.into()));
    let parts = |key: &str| -> Vec<(String, bool)> {
        let parts = rule[key].as_array().unwrap().iter();
        parts
            .map(|part| (part["part"].as_str().unwrap().to_owned(), part["reached"] == true))
            .collect()
    };
    assert_eq!(
        parts("matchers"),
        [
            ("alertname=\"CheckoutErrors\"".to_owned(), false),
            ("env=\"production\"".to_owned(), true)
        ]
    );
    assert_eq!(
        parts("severities"),
        [
            ("severity=\"critical\" (rank 1)".to_owned(), true),
            ("severity=\"warning\" (rank 2)".to_owned(), false),
            ("the default (rank 3)".to_owned(), true),
        ]
    );
    house.write("rules/checkout.test.yaml", "tests: 1\n");
    let broken = house.test(&["--output", "json"]);
    assert_eq!(broken.code, 2);
    let report: Value = serde_json::from_str(&broken.out).unwrap();
    assert_eq!(report["problems"][0]["file"], "rules/checkout.test.yaml");
}

#[test]
fn coverage_names_the_gaps_for_people() {
    let house = House::new();
    house.write("rules/checkout.test.yaml", &block("yaml rule-tests"));
    let run = house.test(&["--coverage"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for expected in [
        "not tested of checkout-errors (rules/checkout.yaml:2):\n",
        "  matcher that never decides: alertname=\"CheckoutErrors\"\n",
        "  severity that is never taken: severity=\"warning\" (rank 2)\n",
        "coverage: 4 of 6 rules, matchers and severities\n",
    ] {
        assert!(run.out.contains(expected), "{expected} is not in\n{}", run.out);
    }
}

#[test]
fn payload_files_of_real_senders_are_read_relative_to_the_test() {
    let house = House::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::create_dir(house.path("payloads")).unwrap();
    for (from, to) in [
        ("alertmanager/0.25-01-firing.json", "payloads/firing.json"),
        ("pagerduty/01-triggered-by-integration.json", "payloads/triggered.json"),
    ] {
        std::fs::copy(fixtures.join(from), house.path(to)).unwrap();
    }
    house.write(
        "rules/payloads.test.yaml",
        "
tests:
  - name: payloads
    start: 2026-11-24T00:00:00Z
    deliveries:
      - { at: 0s, source: am, payload: ../payloads/firing.json }
      - { at: 1m, source: pd, payload: ../payloads/triggered.json }
    expect:
      - { at: 0s, incidents: none, unmatched: 1 }
      - { at: 1m, incidents: none, unmatched: 2 }
",
    );
    let run = house.test(&[]);
    assert_eq!(run.code, 0, "{}{}", run.err, run.out);
    let wrong = std::fs::read_to_string(house.path("rules/payloads.test.yaml")).unwrap();
    house.write("rules/payloads.test.yaml", &wrong.replace("source: pd", "source: am"));
    let run = house.test(&[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("source `am` cannot read this"), "{}", run.err);
}

#[test]
fn tests_are_not_taken_for_rules() {
    let house = House::new();
    house.write("rules/checkout.test.yaml", &block("yaml rule-tests"));
    let check = |config: &str| {
        house.write("casewright.yaml", config);
        Command::new(env!("CARGO_BIN_EXE_casewright"))
            .args(["check", "--config", "casewright.yaml"])
            .current_dir(house.0.path())
            .output()
            .unwrap()
    };
    let config = CONFIG.replace("kind: akamai, edgerc: nowhere", "kind: sandbox");
    let checked = check(&config);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // Not even when one is named.
    let checked = check(&config.replace("rules/*.yaml", "rules/checkout.test.yaml"));
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains("is no rule file"), "{told}");
}

/// The keys that a section knows, as the tool tells them when one is misspelt.
fn known(house: &House, test: &str, section: &str) -> BTreeSet<String> {
    house.write("rules/keys.test.yaml", test);
    let run = house.test(&["rules/keys.test.yaml"]);
    let text = run.err;
    let from = text
        .find(&format!("there is no key `zzz` in `{section}`"))
        .unwrap_or_else(|| panic!("{text}"));
    let line = text[from..].split("known here: ").nth(1).unwrap().lines().next().unwrap();
    line.split(", ").map(str::to_owned).collect()
}

/// The first column of the table that begins with this title, taken apart.
fn table(title: &str) -> BTreeSet<String> {
    let from = PAGE.find(&format!("| {title} |")).unwrap_or_else(|| panic!("{title}"));
    let rows = PAGE[from..].lines().skip(2).take_while(|line| line.starts_with('|'));
    let first = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_tables_of_the_page_have_every_key() {
    let house = House::new();
    let test = "
tests:
  - name: x
    deliveries: [{ at: 0s, firing: { a: b }, zzz: 1 }]
    people: [{ at: 0s, zzz: 1 }]
    expect: [{ at: 0s, zzz: 1, incidents: [{ rule: checkout-errors, zzz: 1 }] }]
";
    for (section, title) in [
        ("tests[0].deliveries[0]", "key of a delivery"),
        ("tests[0].people[0]", "key of a person's word"),
        ("tests[0].expect[0]", "key of an expectation"),
        ("tests[0].expect[0].incidents[0]", "key of an incident"),
    ] {
        assert_eq!(known(&house, test, section), table(title), "{section}");
    }
    for (section, test) in [
        ("alerts[0]", "alerts: [{ labels: { a: b }, zzz: 1 }]"),
        ("incident", "incident: { id: Q, zzz: 1 }"),
    ] {
        let test = format!(
            "tests:\n  - name: x\n    deliveries: [{{ at: 0s, {test} }}]\n    expect: [{{ at: 0s, cases: 0 }}]\n"
        );
        for key in known(&house, &test, &format!("tests[0].deliveries[0].{section}")) {
            assert!(PAGE.contains(&format!("`{key}`")), "{key}");
        }
    }
}

// ---- the example of this repository

fn of_the_example(command: &str, arguments: &[&str]) -> Run {
    of_the_config("config/casewright.yaml", command, arguments)
}

fn of_the_config(config: &str, command: &str, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_casewright"))
        .args([command, "--config", config])
        .args(arguments)
        .env("SERVICENOW_PASSWORD", "x")
        .env("ZENDESK_TOKEN", "x")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_tests_of_the_examples_pass_and_leave_nothing_unreached() {
    for (config, least) in [
        ("config/casewright.yaml", 11),
        ("config/desks/servicenow.yaml", 2),
        ("config/desks/zendesk.yaml", 2),
    ] {
        let run = of_the_config(config, "test", &["--coverage", "--output", "json"]);
        assert_eq!(run.code, 0, "{config}: {}{}", run.out, run.err);
        let report: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(report["failed"], 0, "{config}: {}", run.out);
        let rules = report["coverage"]["rules"].as_array().unwrap();
        assert!(rules.len() >= least, "{config}: {}", rules.len());
        for rule in rules {
            assert_eq!(rule["reached"], true, "{config}: {rule}");
            for kind in ["matchers", "severities"] {
                for part in rule[kind].as_array().unwrap() {
                    assert_eq!(part["reached"], true, "{} of {}", part["part"], rule["rule"]);
                }
            }
        }
    }
}

#[test]
fn each_rule_file_of_the_example_has_its_tests_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules");
    let names: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let (tests, rules): (BTreeSet<_>, BTreeSet<_>) =
        names.into_iter().partition(|name| name.ends_with(".test.yaml"));
    let wanted: BTreeSet<_> =
        rules.iter().map(|name| name.replace(".yaml", ".test.yaml")).collect();
    assert_eq!(tests, wanted);
}

#[test]
fn the_example_is_checked_without_an_error_and_without_a_warning() {
    let run = of_the_example("check", &[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    assert!(run.out.ends_with("0 errors, 0 warnings\n"), "{}", run.out);
}

#[test]
fn the_cases_of_the_example_that_are_held_can_be_drafted() {
    let payload = r#"{ "version": "4", "groupKey": "{}:{}", "receiver": "casewright", "alerts": [{
        "status": "firing", "startsAt": "2026-08-01T09:50:00Z",
        "labels": { "alertname": "BilledUsageAnomaly", "contract": "C-0N7RAC7", "severity": "critical" },
        "annotations": { "summary": "three times last week's", "value": "930 TB" } }] }"#;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("payload.json");
    std::fs::write(&file, payload).unwrap();
    let file = file.to_string_lossy();
    let run = of_the_example("explain", &[&file]);
    assert_eq!(run.code, 0, "{}", run.err);
    for expected in [
        "category     BILLING",
        "area         Usage",
        "subject      Usage of contract C-0N7RAC7: three times last week's [cw-",
        "Measured: 930 TB; expected: not said",
        "<- billing.md.hbs",
    ] {
        assert!(run.out.contains(expected), "{expected} is not in\n{}", run.out);
    }
    let run = of_the_example("explain", &[&file, "--set", "alertname=EgressForecastHigh"]);
    for expected in [
        "held (shadow)",
        "subject      Forecast for contract C-0N7RAC7 is above the commitment [cw-",
        "<- billing.md.hbs",
    ] {
        assert!(run.out.contains(expected), "{expected} is not in\n{}", run.out);
    }
}
