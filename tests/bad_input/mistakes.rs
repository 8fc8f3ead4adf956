//! What people write who come from Alertmanager, Prometheus or Go templates, or who slip: each such
//! mistake in otherwise good files, with what is said about it.
//!
//! A mistake is one piece of a good file and what stands there instead; `«` and `»` are around what
//! must be underlined. What is said is in `snapshots`, one file for each kind, to be read as a whole.

use serde_json::Value;

use super::house::{Ended, Files};

const CONFIG: &str = "\
server:
  listen: 127.0.0.1:8080
  body_timeout: 15s
  reload_on_change: true
store:
  sqlite: data/casewright.db
rules: [rules/*.yaml]
templates: templates
sources:
  - name: am
    kind: alertmanager
    auth:
      bearer: ['${TEST_BEARER}']
vendors:
  - name: akamai
    kind: sandbox
    timeout: 10s
";

const RULES: &str = "\
rules:
  - name: edge-errors
    match:
      - alertname = \"EdgeErrors\"
      - env =~ \"production|live\"
    identity: [alertname, property]
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }
      subject: '{{labels.property}}: errors at the edge'
      description: edge.md.hbs
    open: { after: 5m }
    resolve: { after: 10m, action: close }
  - name: the-rest
    match: ['env = \"staging\"']
    ignore: true
";

const TEMPLATE: &str = "\
{{default annotations.summary \"Errors at the edge.\"}}
{{#if labels.pop}}Place: {{labels.pop}}{{/if}}
Since {{date alert.starts_at}}
";

const TESTS: &str = "\
tests:
  - name: errors open a case
    start: 2026-03-02T08:00:00Z
    deliveries:
      - at: 0s
        firing: { alertname: EdgeErrors, property: shop, env: production, severity: critical }
    expect:
      - at: 5m
        incidents:
          - rule: edge-errors
            identity: { property: shop }
            state: open
            case: { severity: 1, subject: { contains: shop } }
";

/// What somebody meant, the piece of the good file, and what they wrote instead.
type Mistake = (&'static str, &'static str, &'static str);

fn good() -> Files {
    let files = Files::good();
    std::fs::remove_file(files.path("rules/any.yaml")).expect("removed");
    std::fs::remove_file(files.path("templates/text.md.hbs")).expect("removed");
    files.write("casewright.yaml", CONFIG);
    files.write("rules/edge.yaml", RULES);
    files.write("rules/edge.test.yaml", TESTS);
    files.write("templates/edge.md.hbs", TEMPLATE);
    files
}

/// `text` without the marks, and line and column of both, from 1 and in characters.
fn unmarked(text: &str) -> (String, Vec<(u64, u64)>) {
    let (mut plain, mut marks, mut at) = (String::new(), Vec::new(), (1, 1));
    for char in text.chars() {
        match char {
            '«' | '»' => marks.push(at),
            '\n' => at = (at.0 + 1, 1),
            _ => at.1 += 1,
        }
        if !matches!(char, '«' | '»') {
            plain.push(char);
        }
    }
    (plain, marks)
}

fn run(files: &Files, command: &str, output: &str) -> Ended {
    let mut command = files.command(command);
    command.args(["--output", output]);
    Ended::of(command)
}

/// Everything that is said about each mistake in a file, one below the other.
fn told(command: &str, file: &str, good_text: &str, mistakes: &[Mistake]) -> String {
    let mut all = String::new();
    for (meant, from, to) in mistakes {
        let files = good();
        assert_eq!(good_text.matches(from).count(), 1, "{meant}: {from}");
        let (spoiled, marks) = unmarked(&good_text.replacen(from, to, 1));
        files.write(file, spoiled);
        let said = files.plain(run(&files, command, "text").stderr.trim_end());
        assert!(!said.contains("panicked"), "{meant}\n{said}");
        let told: Value = serde_json::from_str(&run(&files, command, "json").stdout).expect("JSON");
        let told = told.get("problems").unwrap_or(&told).as_array().expect("a list");
        let ours = told.iter().find(|one| {
            let place = |at: &Value| Some((at["line"].as_u64()?, at["column"].as_u64()?));
            let (Some(start), Some(end)) = (place(one), place(&one["end"])) else { return false };
            // Where nothing of what is written is wrong, nothing is marked.
            let is_there = marks.is_empty() || marks == [start, end];
            one["file"].as_str().is_some_and(|path| path.ends_with(file)) && is_there
        });
        let Some(ours) = ours else { panic!("{meant}: nothing at {marks:?}\n{said}\n{told:#?}") };
        assert!(ours["hint"].is_string(), "{meant}: no hint\n{said}");
        assert_eq!(told.len(), 1, "{meant}: one mistake is told as several\n{said}");
        all.push_str(&format!("---- {meant}\n\n{said}\n\n"));
    }
    all
}

#[test]
fn the_good_files_are_good() {
    let files = good();
    for command in ["check", "test"] {
        let ended = files.run(command);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn mistakes_in_the_configuration() {
    let mistakes: &[Mistake] = &[
        ("a tab", "  listen", "«\t»listen"),
        ("a line that is indented too far", "  body_timeout: 15s", "    body_timeout«:» 15s"),
        ("a port as the whole address", "127.0.0.1:8080", "«8080»"),
        ("a port of every interface, as Go writes it", "127.0.0.1:8080", "«:8080»"),
        ("a name in place of an address", "127.0.0.1:8080", "«localhost:8080»"),
        ("a port that there is not", "127.0.0.1:8080", "«127.0.0.1:80800»"),
        ("a duration with a blank and a long unit", "15s", "«15 sec»"),
        ("a duration without a unit", "10s", "«10»"),
        ("a duration with a fraction", "15s", "«1.5m»"),
        ("a truth value of YAML 1.1", "true", "«yes»"),
        ("a pattern without quotes", "[rules/*.yaml]", "«*».yaml"),
        ("rule files as Prometheus names them", "rules: [", "«rule_files»: ["),
        ("rule files that are nowhere", "[rules/*.yaml]", "«alerts.yml»"),
        (
            "template files as Alertmanager names them",
            "templates: templates",
            "«templates»: ['templates/*.hbs']",
        ),
        ("a pattern of template files", "templates: templates", "templates: «templates/*.hbs»"),
        (
            "a key that stands there twice",
            "templates: templates",
            "templates: templates\n«store»: {}",
        ),
        ("a file name in place of a map", "\n  sqlite: data/casewright.db", " «casewright.db»"),
        ("receivers as Alertmanager has them", "vendors:", "«receivers»: []\nvendors:"),
        ("a route", "vendors:", "«route»: { receiver: casewright }\nvendors:"),
        ("inhibition", "vendors:", "«inhibit_rules»: []\nvendors:"),
        (
            "what all rules have in common",
            "vendors:",
            "«global»: { resolve_timeout: 5m }\nvendors:",
        ),
        (
            "sources as a map",
            "sources:\n  - name: am\n    kind: alertmanager\n    auth:\n      bearer: ['${TEST_BEARER}']",
            "«sources»:\n  am:\n    kind: alertmanager",
        ),
        ("a kind with a capital", "kind: sandbox", "kind: «Akamai»"),
        ("a kind that there is not", "kind: alertmanager", "kind: «prometheus»"),
        ("`type` for `kind`", "kind: sandbox", "«type»: sandbox"),
        ("a variable that is not set", "${TEST_BEARER}", "${TEST_BEARRER}"),
        ("a variable as a shell writes it", "['${TEST_BEARER}']", "«$TEST_BEARER»"),
        (
            "a secret whose file is missing",
            "bearer: ['${TEST_BEARER}']",
            "bearer_files: [«/run/secrets/alertmanager»]",
        ),
        (
            "a user as Prometheus writes it",
            "bearer: ['${TEST_BEARER}']",
            "«basic_auth»: { username: a, password: b }",
        ),
        (
            "a token as Prometheus writes it",
            "bearer: ['${TEST_BEARER}']",
            "«bearer_token»: '${TEST_BEARER}'",
        ),
        ("a secret that starts with a special character", "['${TEST_BEARER}']", "«@»abcdef"),
        ("an anchor", "auth:", "auth: «&»auth"),
        ("a second document", "vendors:", "---\nvendors:"),
        ("a text with a colon", "data/casewright.db", "data: casewright.db"),
    ];
    insta::assert_snapshot!("mistakes_config", told("check", "casewright.yaml", CONFIG, mistakes));
}

#[test]
fn mistakes_in_rules() {
    let first =
        "    match:\n      - alertname = \"EdgeErrors\"\n      - env =~ \"production|live\"\n";
    let mistakes: &[Mistake] = &[
        ("matchers as Alertmanager calls them", "    match:\n", "    «matchers»:\n"),
        (
            "a matcher with two equals signs",
            "alertname = \"EdgeErrors\"",
            "alertname «==» \"EdgeErrors\"",
        ),
        ("a matcher as a map", "- alertname = \"EdgeErrors\"", "- «alertname»: EdgeErrors"),
        ("matchers as the old `match`", first, "    «match»: { alertname: EdgeErrors }\n"),
        ("matchers as the old `match_re`", first, "    «match_re»: { env: production|live }\n"),
        (
            "matchers with braces",
            "- alertname = \"EdgeErrors\"",
            "- '«{»alertname=\"EdgeErrors\"}'",
        ),
        (
            "matchers with braces and without quotes",
            "- alertname = \"EdgeErrors\"",
            "- {«alertname=\"EdgeErrors\"»}",
        ),
        (
            "a matcher with single quotes",
            "alertname = \"EdgeErrors\"",
            "alertname = «'»EdgeErrors'",
        ),
        (
            "two matchers in one, with a comma",
            "alertname = \"EdgeErrors\"",
            "alertname = \"EdgeErrors\", «job = \"edge\"»",
        ),
        (
            "two matchers in one, with a word",
            "alertname = \"EdgeErrors\"",
            "alertname = \"EdgeErrors\" «and» job = \"edge\"",
        ),
        ("a list of values", "env =~ \"production|live\"", "env «in» (production, live)"),
        ("a matcher without a value", "alertname = \"EdgeErrors\"", "alertname"),
        ("a pattern with a bracket too few", "production|live", "«(»production|live"),
        ("a pattern that starts with a star", "production|live", "«*»production"),
        ("a pattern that is meant to be found anywhere", "production|live", "«prod»"),
        ("a pattern that is meant to be found at the beginning", "production|live", "«^prod»"),
        ("a pattern of Perl", "production|live", "«(?!»test).*"),
        ("a backslash too few", "production|live", "«\\d»+"),
        ("`for` of Prometheus", "    open: { after: 5m }", "    «for»: 5m"),
        ("`for` where `after` stands", "open: { after: 5m }", "open: { «for»: 5m }"),
        ("a duration in words", "open: { after: 5m }", "open: { after: «5 min» }"),
        ("a duration in place of a map", "open: { after: 5m }", "open: «5m»"),
        ("`group_by` of Alertmanager", "    identity:", "    «group_by»:"),
        ("grouping by everything", "[alertname, property]", "[«'...'»]"),
        ("an identity of one label, without a list", "[alertname, property]", "«alertname»"),
        ("an identity of nothing", "    identity: [alertname, property]", "    «identity»: []"),
        (
            "labels as templates name them",
            "[alertname, property]",
            "[«labels.alertname», property]",
        ),
        ("`receiver` of Alertmanager", "    case:", "    «receiver»: akamai\n    case:"),
        ("`group_wait` of Alertmanager", "    case:", "    «group_wait»: 30s\n    case:"),
        ("`repeat_interval` of Alertmanager", "    case:", "    «repeat_interval»: 4h\n    case:"),
        (
            "`mute_time_intervals` of Alertmanager",
            "    case:",
            "    «mute_time_intervals»: [weekends]\n    case:",
        ),
        (
            "`active_time_intervals` of Alertmanager",
            "    case:",
            "    «active_time_intervals»: [office]\n    case:",
        ),
        (
            "`send_resolved` of Alertmanager",
            "    resolve: { after: 10m, action: close }",
            "    «send_resolved»: true",
        ),
        ("`expr` of Prometheus", "    case:", "    «expr»: rate(errors[5m]) > 1\n    case:"),
        (
            "`annotations` of Prometheus",
            "    case:",
            "    «annotations»: { summary: Errors }\n    case:",
        ),
        ("routes within a rule", "    case:", "    «routes»: []\n    case:"),
        ("a rule as Prometheus begins one", "  - name: edge-errors", "  - «alert»: edge-errors"),
        ("groups as Prometheus has them", "rules:\n", "«groups»:\n"),
        (
            "a severity in words",
            "{ from: severity, map: { critical: 1, warning: 2 }, default: 3 }",
            "«critical»",
        ),
        (
            "a severity as a template",
            "{ from: severity, map: { critical: 1, warning: 2 }, default: 3 }",
            "«'{{labels.severity}}'»",
        ),
        ("a label as templates name it", "from: severity", "from: «labels.severity»"),
        ("a rank in words", "critical: 1", "critical: «high»"),
        ("a rank that there is not", "critical: 1", "critical: «0»"),
        ("ranks without a map", "map: { critical: 1, warning: 2 }", "«critical»: 1"),
        (
            "ranks and nothing else",
            "severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }",
            "«severity»: { critical: 1 }",
        ),
        (
            "ranks with a default",
            "severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }",
            "«severity»:\n        critical: 1\n        warning: 2\n        default: 4",
        ),
        ("`label` for `from`", "from: severity", "«label»: severity"),
        (
            "no rank for the rest",
            "severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }",
            "«severity»: { from: severity, map: { critical: 1, warning: 2 } }",
        ),
        ("a category in small letters", "category: TECHNICAL", "category: «Technical»"),
        (
            "a field that the category needs",
            "category: TECHNICAL\n      product: Ion Premier\n      problem: Alerts\n",
            "«category»: TECHNICAL\n      product: Ion Premier\n",
        ),
        ("an account's name", "A-CCT7890", "«Example Corporation, Production»"),
        ("`title` for `subject`", "      subject:", "      «title»:"),
        ("`message` for `description`", "      description: ", "      «message»: "),
        ("a vendor that there is not", "    case:", "    vendor: «akamia»\n    case:"),
        ("two rules with one name", "- name: the-rest", "- name: «edge-errors»"),
        (
            "two rules with one name that open cases",
            "  - name: the-rest\n    match: ['env = \"staging\"']\n    ignore: true\n",
            "  - name: «edge-errors»\n    match: ['env = \"staging\"']\n    case:\n      account: '{{labels.account}}'\n      category: TECHNICAL\n      product: Ion Premier\n      problem: Alerts\n      severity: 3\n      subject: '{{labels.property}}'\n      description: '{{labels.property}}'\n",
        ),
        ("a name with blanks and capitals", "- name: the-rest", "- name: «The Rest»"),
        ("two keys of one name", "    ignore: true", "    ignore: true\n    «match»: []"),
        (
            "braces without quotes",
            "'{{labels.property}}: errors at the edge'",
            "«{{»labels.property}}: errors at the edge",
        ),
        (
            "a text with a colon without quotes",
            "'{{labels.property}}: errors at the edge'",
            "Edge«:» errors",
        ),
        ("a number in place of a text", "account: A-CCT7890", "account: «7890»"),
        ("a word of an end that there is not", "action: close", "action: «resolve»"),
        ("an end as a word", "resolve: { after: 10m, action: close }", "resolve: «close»"),
        (
            "a day written out",
            "    case:",
            "    during: { days: «Monday»-fri, from: \"08:00\", to: \"18:00\" }\n    case:",
        ),
        (
            "a time with one digit",
            "    case:",
            "    during: { from: «8:00», to: \"18:00\" }\n    case:",
        ),
        (
            "a time zone by its city",
            "    case:",
            "    during: { from: \"08:00\", to: \"18:00\", time_zone: «Berlin» }\n    case:",
        ),
        (
            "times as Alertmanager writes them",
            "    case:",
            "    during: { «weekdays»: ['monday:friday'], from: \"08:00\", to: \"18:00\" }\n    case:",
        ),
        (
            "a rule that neither opens nor ignores",
            "  - name: the-rest\n    match: ['env = \"staging\"']\n    ignore: true",
            "  - «name»: the-rest\n    match: ['env = \"staging\"']",
        ),
        (
            "a list without dashes",
            "  - name: the-rest\n    match: ['env = \"staging\"']\n    ignore: true\n",
            "    «name»: the-rest\n",
        ),
        ("a template file that there is not", "edge.md.hbs", "«egde.md.hbs»"),
        ("a tab in a rule", "    ignore: true", "«\t»ignore: true"),
    ];
    insta::assert_snapshot!("mistakes_rules", told("check", "rules/edge.yaml", RULES, mistakes));
}

#[test]
fn mistakes_in_templates() {
    let line = "Since {{date alert.starts_at}}";
    let mistakes: &[Mistake] = &[
        ("a label as Go's templates write it", line, "«{{ .Labels.pop }}»"),
        ("a label as Prometheus writes it", line, "«{{ $labels.pop }}»"),
        ("the value as Prometheus writes it", line, "«{{ $value }}»"),
        (
            "a label that all alerts share, as Alertmanager writes it",
            line,
            "«{{ .CommonLabels.alertname }}»",
        ),
        ("an annotation as Alertmanager writes it", line, "«{{ .CommonAnnotations.summary }}»"),
        ("the sender's address as Alertmanager writes it", line, "«{{ .ExternalURL }}»"),
        ("the status as Alertmanager writes it", line, "«{{ .Status | toUpper }}»"),
        (
            "a label that all alerts share, as the payload calls it",
            line,
            "«{{commonLabels.alertname}}»",
        ),
        ("a pipe", line, "«{{ labels.pop | upper }}»"),
        ("a default as Go and Jinja write it", line, "«{{pop | default \"nowhere\"}}»"),
        ("filters of Jinja's", line, "«{{ labels['pop'] | default('x') | upper }}»"),
        ("a pipe into a helper that there is not", line, "«{{ labels.pop | trim }}»"),
        ("a label by an index", line, "«{{labels[\"pop\"]}}»"),
        ("a loop of Go's", line, "«{{ range .Alerts }}»x{{ end }}"),
        ("a condition of Go's", line, "«{{ if eq .Status \"firing\" }}»x{{ end }}"),
        ("a condition of Go's on a name of ours", line, "«{{ if labels.pop }}»x{{ end }}"),
        ("an end of Go's", line, "{{#if labels.pop}}x«{{ end }}»"),
        ("a template within a template, of Go's", line, "«{{ template \"links\" . }}»"),
        ("a definition of Go's", line, "«{{ define \"x\" }}»x{{ end }}"),
        ("blanks trimmed as in Go", line, "«{{- labels.pop -}}»"),
        ("a variable of Go's", line, "«{{ $pop := labels.pop }}»"),
        ("a helper of Go's", line, "«{{toUpper labels.pop}}»"),
        ("a duration of Prometheus", line, "«{{humanizeDuration 5}}»"),
        ("a helper with a slip", line, "«{{uper labels.pop}}»"),
        ("a comparison in a condition", line, "«{{#if labels.pop == \"FRA\"}}»x{{/if}}"),
        ("two conditions", line, "«{{#if labels.pop && labels.property}}»x{{/if}}"),
        (
            "a helper's call in a condition, without brackets",
            line,
            "«{{#if eq labels.pop \"FRA\"}}»x{{/if}}",
        ),
        ("a label with a dot in it", line, "«{{labels[\"app.kubernetes.io/name\"]}}»"),
        ("a label in quotes", line, "«{{labels.\"pop\"}}»"),
        ("a label by its bare name", line, "«{{property}}»"),
        ("a slip in a name", line, "«{{lables.pop}}»"),
        ("a slip in a part of an alert", line, "«{{alert.start_at}}»"),
        ("all labels at once", line, "«{{labels}}»"),
        ("a block that is never closed", line, "«{{#if labels.pop}}»x"),
        ("a block that is closed by another name", line, "{{#if labels.pop}}x«{{/unless}}»"),
        ("a block that was never opened", line, "x«{{/if}}»"),
        ("an `else` of Jinja's", line, "{{#if labels.pop}}x«{{elif labels.property}}»y{{/if}}"),
        (
            "an `else if` in one word",
            line,
            "{{#if labels.pop}}x«{{elseif labels.property}}»y{{/if}}",
        ),
        ("a loop of another language", line, "«{{#foreach alerts}}»x{{/foreach}}"),
        ("a tag that is never closed", line, "«{{labels.pop}»"),
        ("a partial that there is not", line, "«{{> fooer.hbs}}»"),
        ("a partial in quotes", line, "«{{> \"footer.hbs\"}}»"),
        ("a format of Go's", line, "«{{date alert.starts_at \"2006-01-02 15:04\"}}»"),
        ("a time zone that there is not", line, "«{{date alert.starts_at \"%H:%M\" \"Berlin\"}}»"),
        ("parameters with a comma", line, "«{{default labels.pop, \"none\"}}»"),
        ("a call as in a program", line, "«{{upper(labels.pop)}}»"),
    ];
    insta::assert_snapshot!(
        "mistakes_templates",
        told("check", "templates/edge.md.hbs", TEMPLATE, mistakes)
    );
}

#[test]
fn mistakes_in_a_template_within_a_rule() {
    let subject = "'{{labels.property}}: errors at the edge'";
    let mistakes: &[Mistake] = &[
        ("a label as Go's templates write it", subject, "'Errors at «{{ .Labels.property }}»'"),
        (
            "a slip in a helper, in double quotes",
            subject,
            "\"At \\\"«{{uper labels.property}}»\\\"\"",
        ),
        ("a partial that there is not", subject, "'«{{> fooer.hbs}}»'"),
        (
            "a block in several lines",
            subject,
            "|\n        Errors\n        «{{#if labels.pop}}»at\n        {{labels.pop}}",
        ),
    ];
    insta::assert_snapshot!("mistakes_inline", told("check", "rules/edge.yaml", RULES, mistakes));
}

#[test]
fn the_texts_of_a_rule_with_other_mistakes_are_looked_at_in_the_same_run() {
    let broken = |pieces: &[(&str, &str)]| {
        let files = good();
        let spoiled = pieces.iter().fold(RULES.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        files.write("rules/edge.yaml", spoiled);
        run(&files, "check", "text").stderr
    };
    let texts = [
        ("'{{labels.property}}: errors at the edge'", "'{{uper labels.property}}'"),
        ("edge.md.hbs", "egde.md.hbs"),
        ("problem: Alerts", "problem: '{{lables.problem}}'\n      also_notify: ['{{labels.x']"),
    ];
    for other in [
        ("  - name: edge-errors", "  - nam: edge-errors"),
        ("- alertname = \"EdgeErrors\"", "- alertname == \"EdgeErrors\""),
        ("category: TECHNICAL", "category: Technical"),
        ("account: A-CCT7890", "account: 7"),
        ("severity: {", "severity: { x: 1,"),
        ("open: { after: 5m }", "open: { after: soon }"),
        ("- name: edge-errors", "- name: edge-errors\n    colour: red"),
        ("    case:", "    vendor: nobody\n    case:"),
    ] {
        let mistakes: Vec<_> = texts.iter().copied().chain([other]).collect();
        let (both, without) = (broken(&mistakes), broken(&[other]));
        for text in [
            "no helper `uper`",
            "no template file `egde.md.hbs`",
            "`lables.problem`",
            "never closed",
        ] {
            assert_eq!(both.matches(text).count(), 1, "{text}: {other:?}\n{both}");
            assert!(!without.contains(text), "{without}");
        }
        assert!(without.contains("error: "), "{other:?}");
    }
}

#[test]
fn mistakes_in_rule_tests() {
    let firing = "        firing: { alertname: EdgeErrors, property: shop, env: production, severity: critical }";
    let mistakes: &[Mistake] = &[
        ("a rule that there is not", "rule: edge-errors", "rule: «edge-error»"),
        ("a rule that ignores", "rule: edge-errors", "rule: «the-rest»"),
        ("a state that there is not", "state: open", "state: «firing»"),
        ("a state with a slip", "state: open", "state: «opened»"),
        ("`status` for `state`", "state: open", "«status»: open"),
        ("a time with a blank", "- at: 5m", "- at: «5 min»"),
        ("`eval_time` of promtool", "- at: 5m", "- «eval_time»: 5m"),
        ("`after` for `at`", "- at: 0s", "- «after»: 0s"),
        ("a start without an offset", "2026-03-02T08:00:00Z", "«2026-03-02 08:00»"),
        ("labels without `firing`", firing, "        «labels»: { alertname: EdgeErrors }"),
        (
            "an alert without `labels`",
            firing,
            "        alerts:\n          - «alertname»: EdgeErrors",
        ),
        ("a label that is a number", "property: shop, env", "property: «7», env"),
        ("a payload that there is not", firing, "        payload: «payload.json»"),
        (
            "a source that there is not",
            "      - at: 0s",
            "      - at: 0s\n        source: «alertmanager»",
        ),
        ("nothing that comes in", firing, "        times: 1"),
        ("a slip in what comes in", "        firing:", "        «fireing»:"),
        (
            "an approval as a word",
            "    expect:",
            "    people: [{ at: 1m, approve: «edge-errors» }]\n    expect:",
        ),
        (
            "an approval with a slip",
            "    expect:",
            "    people: [{ at: 1m, «aprove»: { rule: edge-errors } }]\n    expect:",
        ),
        ("a person who says nothing", "    expect:", "    people: [{ «at»: 1m }]\n    expect:"),
        (
            "an approval of a rule that ignores",
            "    expect:",
            "    people: [{ at: 1m, approve: { rule: «the-rest» } }]\n    expect:",
        ),
        (
            "an approval after everything that is expected",
            "    expect:",
            "    people: [{ at: 1h, «approve»: { rule: edge-errors } }]\n    expect:",
        ),
        ("no draft", "case: { severity: 1, subject: { contains: shop } }", "draft: «none»"),
        ("an expectation before what it expects", "      - at: 0s", "      - «at»: 10m"),
        (
            "nothing that is expected",
            "    expect:\n      - at: 5m\n        incidents:\n          - rule: edge-errors\n            identity: { property: shop }\n            state: open\n            case: { severity: 1, subject: { contains: shop } }\n",
            "",
        ),
        (
            "a number of incidents",
            "        incidents:\n          - rule: edge-errors\n            identity: { property: shop }\n            state: open\n            case: { severity: 1, subject: { contains: shop } }\n",
            "        incidents: «1»\n",
        ),
        ("a severity in words", "case: { severity: 1,", "case: { severity: «critical»,"),
        (
            "a label that is not of the identity",
            "identity: { property: shop }",
            "identity: { proprety: «shop» }",
        ),
        (
            "an action that there is not",
            "            state: open",
            "            state: open\n            actions: [«opened»]",
        ),
        (
            "a text that should contain",
            "subject: { contains: shop }",
            "subject: { «contain»: shop }",
        ),
        (
            "tests as promtool has them",
            "    deliveries:",
            "    «input_series»: []\n    deliveries:",
        ),
        ("expected alerts as promtool has them", "    expect:", "    «exp_alerts»:"),
        ("rule files as promtool has them", "tests:\n", "«rule_files»: [edge.yaml]\ntests:\n"),
        (
            "two tests of one name",
            "    deliveries:",
            "    deliveries: []\n    expect: [{ at: 0s, cases: 0 }]\n  - name: «errors open a case»\n    deliveries:",
        ),
    ];
    insta::assert_snapshot!(
        "mistakes_tests",
        told("test", "rules/edge.test.yaml", TESTS, mistakes)
    );
}
