//! `casewright check` over files with many mistakes: all of them in one run.

use serde_json::Value;

use super::house::{Files, SECRET, TOKEN};

/// A config, two rule files and two templates, with mistakes in each.
fn spoiled() -> Files {
    let files = Files::good();
    files.write(
        "casewright.yaml",
        "\
server:
  listen: nowhere
  admin_lissten: 127.0.0.1:0
store:
  sqlite: data/casewright.db
rules: [rules/*.yaml]
templates: templates
sources:
  - name: am
    kind: alertmanger
  - name: pd
    kind: pagerduty
    secrets: ['${TEST_MISSING}']
vendors:
  - name: akamai
    kind: sandbox
    timeout: soon
",
    );
    files.write(
        "rules/10-first.yaml",
        "\
rules:
  - name: matcher
    match: ['severity =~ \"critical|(page\"']
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICL
      product: Ion Premier
      problem: Configuring/Managing Services
      severity: 12
      subject: '{{uper labels.property}}'
      description: nowhere.md.hbs
    resolve: { after: 15 minutes, action: close }
",
    );
    files.write(
        "rules/20-second.yaml",
        "\
rules:
  - name: matcher
    match: ['source = \"am\"']
    ignore: true
",
    );
    files.write("rules/30-third.yaml", "rules:\n  - name: tab\n\tmatch: []\n");
    files.write(
        "rules/40-fourth.yaml",
        "\
rules:
  - name: good-but-for-its-texts
    match: []
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Configuring/Managing Services
      severity: 1
      subject: '{{uper labels.property}}'
      description: nowhere.md.hbs
",
    );
    files.write("templates/text.md.hbs", "fine\n{{#if labels.x}}\nnever closed\n");
    files.write("templates/cycle.md.hbs", "{{> cycle.md.hbs}}\n");
    files
}

#[test]
fn every_mistake_of_every_file_is_shown_in_one_run_with_its_place() {
    let files = spoiled();
    let ended = files.run("check");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    insta::assert_snapshot!(
        "mistakes_text",
        files.plain(&format!("{}\n{}", ended.stderr, ended.stdout))
    );
}

#[test]
fn every_mistake_is_in_the_output_for_scripts_too() {
    let files = spoiled();
    let mut command = files.command("check");
    command.args(["--output", "json"]);
    let ended = super::house::Ended::of(command);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let mistakes: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    for mistake in &mistakes {
        assert!(mistake["message"].is_string(), "{mistake}");
        assert!(mistake["line"].is_u64() && mistake["column"].is_u64(), "{mistake}");
        let file = mistake["file"].as_str().expect("a file");
        assert!(std::path::Path::new(file).exists(), "{mistake}");
    }
    let of = |name: &str| {
        mistakes.iter().filter(|m| m["file"].as_str().is_some_and(|f| f.ends_with(name))).count()
    };
    for file in [
        "casewright.yaml",
        "10-first.yaml",
        "20-second.yaml",
        "30-third.yaml",
        "40-fourth.yaml",
        "text.md.hbs",
        "cycle.md.hbs",
    ] {
        assert!(of(file) > 0, "nothing about {file}: {mistakes:#?}");
    }
    insta::assert_snapshot!("mistakes_json", files.plain(&ended.stdout));
}

#[test]
fn good_files_are_called_good() {
    let ended = Files::good().run("check");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("is good: 1 rule, 2 sources, 1 vendor"), "{ended:?}");
}

#[test]
fn serve_refuses_bad_files_in_the_same_words() {
    let files = spoiled();
    let (checked, served) = (files.run("check"), files.run("serve"));
    served.says(&["casewright.yaml", "alertmanger"]);
    assert_eq!(checked.stderr, served.stderr);
    assert!(!files.path("data").exists(), "nothing is made before the files are good");
}

#[test]
fn a_missing_config_is_named_with_what_to_do() {
    let files = Files::good();
    std::fs::remove_file(files.path("casewright.yaml")).expect("removed");
    for command in ["check", "serve"] {
        files.run(command).says(&[
            "casewright.yaml",
            "there is no file",
            "`--config FILE`",
            "CASEWRIGHT_CONFIG",
        ]);
    }
}

#[test]
fn a_config_without_its_option_is_told_how_to_name_it() {
    let files = Files::good();
    for command in ["check", "serve"] {
        let mut command = files.command(command);
        command.arg("other.yaml");
        let ended = super::house::Ended::of(command);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains("named by `--config other.yaml`"), "{ended:?}");
    }
}

#[test]
fn a_config_that_is_no_text_no_file_or_empty_is_named() {
    let files = Files::good();
    files.write("casewright.yaml", b"server: \xff\xfe\x00");
    files.run("check").says(&["casewright.yaml", "UTF-8"]);
    files.write("casewright.yaml", "");
    files.run("check").says(&["casewright.yaml"]);
    std::fs::remove_file(files.path("casewright.yaml")).expect("removed");
    std::fs::create_dir(files.path("casewright.yaml")).expect("a folder");
    files.run("check").says(&["casewright.yaml", "directory"]);
}

#[test]
fn a_variable_that_is_not_set_is_named_and_no_value_is_shown() {
    let files = Files::good();
    let mut command = files.command("check");
    command.env_remove("TEST_SIGNING");
    let ended = super::house::Ended::of(command);
    ended.says(&["casewright.yaml:", "TEST_SIGNING"]);
    for secret in [TOKEN, SECRET] {
        assert!(!ended.stderr.contains(secret), "{ended:?}");
    }
}

#[test]
fn every_mistake_is_in_the_output_for_code_scanning_at_its_place() {
    let files = spoiled();
    let output = |form: &str| -> Value {
        let mut command = files.command("check");
        command.args(["--output", form]);
        let ended = super::house::Ended::of(command);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let (json, sarif) = (output("json"), output("sarif"));
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "casewright");
    let known: Vec<&Value> = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| &rule["id"])
        .collect();
    let mistakes = json.as_array().expect("a list");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), mistakes.len());
    for (mistake, result) in mistakes.iter().zip(results) {
        assert!(known.contains(&&mistake["code"]), "{mistake}");
        assert_eq!(result["ruleId"], mistake["code"]);
        assert_eq!(result["level"], mistake["severity"]);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = format!("file://{}", mistake["file"].as_str().expect("a path"));
        assert_eq!(place["artifactLocation"]["uri"], uri);
        assert_eq!(place["region"]["startLine"], mistake["line"]);
        assert_eq!(place["region"]["startColumn"], mistake["column"]);
        assert_eq!(place["region"]["endLine"], mistake["end"]["line"]);
        assert_eq!(place["region"]["endColumn"], mistake["end"]["column"]);
    }
}
