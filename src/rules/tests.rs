//! What rule files mean, and what people see when they are wrong.

use std::time::Duration;

use crate::config::{KnownVendor, RuleInputs};
use crate::domain::alert::{Alert, AlertStatus, Labels};
use crate::domain::catalog::Category;
use crate::domain::draft::ChoiceField;
use crate::domain::ids::{Fingerprint, SourceName};
use crate::domain::lifecycle::{Policy, ResolveAction};
use crate::domain::policy::{Limit, Overflow};
use crate::domain::severity::{Rank, SeverityRule};

use super::*;

/// The rule that the design documents.
const DOCUMENTED: &str = r#"rules:
  - name: edge-5xx
    match: ['alertname = "EdgeHigh5xxRatio"', 'severity =~ "critical|warning"', 'env = "production"']
    identity: [alertname, property]
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Configuring/Managing Services
      severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }
      subject: '{{labels.property}}: 5xx ratio above {{annotations.threshold}}'
      description: edge-5xx.md.hbs
      also_notify: [noc@example.com]
      alternate_contact: { name: NOC, email: noc@example.com, phone: '+1 555 0100' }
    open:    { after: 5m, mode: auto }
    update:  { at_most_every: 30m }
    resolve: { after: 15m, action: close }
    reopen_within: 24h
    limits:  { cases: 3, per: 1h }
"#;

/// The end of a rule that is right.
const CASE: &str = "
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 1, subject: s, description: d }
";

fn inputs(folder: &std::path::Path, files: &[&str], vendors: &[&str]) -> RuleInputs {
    let mut inputs = RuleInputs { vendors_complete: true, ..RuleInputs::default() };
    for (index, text) in files.iter().enumerate() {
        let path = folder.join(format!("{index}.yaml"));
        std::fs::write(&path, text).unwrap();
        inputs.files.push(path);
    }
    for name in vendors {
        let allow_billable = *name == "billable";
        inputs.vendors.push(KnownVendor { allow_billable, ..KnownVendor::named(*name) });
    }
    inputs
}

fn good(text: &str) -> RuleSet {
    let folder = tempfile::tempdir().unwrap();
    let (rules, diagnostics) = file::load(&inputs(folder.path(), &[text], &["akamai"]), &|_| None);
    rules.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

fn mistakes_of(files: &[&str], vendors: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (_, diagnostics) = file::load(&inputs(folder.path(), files, vendors), &|_| None);
    diagnostics.render(false).replace(&format!("{}/", folder.path().display()), "")
}

fn mistakes(text: &str) -> String {
    mistakes_of(&[text], &["akamai"])
}

/// The mistakes in [`DOCUMENTED`] after one change.
fn changed(from: &str, to: &str) -> String {
    assert!(DOCUMENTED.contains(from), "{from}");
    mistakes(&DOCUMENTED.replacen(from, to, 1))
}

fn alert(labels: &[(&str, &str)]) -> Alert {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Alert {
        source: SourceName::from("alertmanager"),
        fingerprint: Fingerprint::from("f"),
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::new(),
        starts_at: None,
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: Vec::new(),
        group: Labels::new(),
    }
}

/// A Saturday.
fn now() -> Timestamp {
    "2026-08-01T10:00:00Z".parse().unwrap()
}

fn names(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.name.to_string()).collect()
}

#[test]
fn the_documented_rule_is_read() {
    let rules = good(DOCUMENTED);
    let rule = &rules.rules()[0];
    assert_eq!((rule.name.as_str(), rule.line, rule.goes_on), ("edge-5xx", 2, false));
    assert_eq!(rule.matchers.len(), 3);
    let Then::Case(case) = &rule.then else { panic!() };
    assert_eq!(
        case.identity.as_deref(),
        Some(["alertname", "property"].map(str::to_owned).as_slice())
    );
    assert_eq!(case.vendor.as_str(), "akamai");
    assert_eq!(
        case.policy,
        Policy {
            open_after: Duration::from_secs(300),
            resolve_after: Duration::from_secs(900),
            resolve_action: ResolveAction::Close,
            reopen_within: Duration::from_secs(86_400),
            update_every: Duration::from_secs(1_800),
            limit: Some(Limit {
                cases: 3,
                per: Duration::from_secs(3_600),
                overflow: Overflow::Hold,
            }),
            names_contacts: true,
            ..Policy::default()
        }
    );
    let plan = &case.plan;
    assert_eq!(plan.category, Category::Technical);
    assert_eq!(plan.account.constant(), Some("A-CCT7890"));
    assert_eq!(plan.choices[&ChoiceField::Product].text, "Ion Premier");
    assert!(plan.description.is_file && !plan.subject.is_file);
    assert_eq!(plan.subject.constant(), None);
    let SeverityRule::FromLabel { label, map, default } = &plan.severity else { panic!() };
    assert_eq!(
        (label.as_str(), map["warning"], *default),
        ("severity", Rank::new(2).unwrap(), Rank::new(3).unwrap())
    );
    assert_eq!(plan.texts().len(), 9);
}

#[test]
fn the_first_match_wins_and_continue_goes_on() {
    let rules = good(&format!(
        "rules:
  - {{ name: quiet, match: 'env = \"staging\"', ignore: true }}
  - name: all
    match: []
    continue: true{CASE}  - name: database
    match: ['service = \"db\"']{CASE}  - name: rest
    match: []{CASE}"
    ));
    let route = |labels: &[(&str, &str)]| names(&rules.route(&alert(labels), now()));
    assert_eq!(route(&[("env", "staging"), ("service", "db")]), ["quiet"]);
    assert_eq!(route(&[("service", "db")]), ["all", "database"]);
    assert_eq!(route(&[]), ["all", "rest"]);
    assert!(matches!(rules.rules()[0].then, Then::Ignore));
}

#[test]
fn an_alert_that_no_rule_matches_has_no_owner() {
    let rules = good("rules: [{ name: a, match: 'x = \"y\"', ignore: true }]");
    assert!(rules.route(&alert(&[]), now()).is_empty());
}

#[test]
fn the_documented_rule_is_without_a_mistake() {
    assert_eq!(mistakes(DOCUMENTED), "");
}

#[test]
fn a_bad_matcher_is_underlined_where_it_is_wrong() {
    insta::assert_snapshot!(changed("critical|warning", "critical|(warning"), @r#"
    error: this is not a matcher
     --> 0.yaml:3:70
      |
    3 |     match: ['alertname = "EdgeHigh5xxRatio"', 'severity =~ "critical|(warning"', 'env = "production"']
      |                                                                      ^ this `(` is never closed
      |
      = help: add `)`, or write `\\(` for the character itself
    "#);
    insta::assert_snapshot!(changed("'env = \"production\"'", "env == production"), @r#"
    error: this is not a matcher
     --> 0.yaml:3:85
      |
    3 |     match: ['alertname = "EdgeHigh5xxRatio"', 'severity =~ "critical|warning"', env == production]
      |                                                                                     ^^ `==` is no operator
      |
      = help: write `=` for "equals"
    "#);
}

#[test]
fn all_mistakes_of_all_files_are_found_at_once() {
    insta::assert_snapshot!(mistakes_of(&["\
rules:
  - name: one
    match: []
    case:
      account: A-CCT7890-is-much-too-long
      category: technical
      severty: 1
      subject: 12
      also_notify: [nobody, '{{labels.owner}}']
    open: { after: 5 minutes, mode: approve }
    resolve: { action: delete }
    reopen_within: 15d
  - name: two
    ignore: true
    case: {}
    vendor: akamai
  - name: three
    match: x
", "\
rules:
  - name: one
    match: []
    ignore: true
    colour: red
  - name: four
    match: []
    identity: []
    vendor: akamia
    case: { account: a, category: BILLING, area: x, product: y, severity: 10, subject: s, description: d }
", "rules: [\n"], &["akamai", "sandbox"]), @r#"
    error: `rules[0]` needs `vendor`, because there are several
     --> 0.yaml:2:5
      |
    2 |   - name: one
      |     ^^^^
      |
      = help: one of: akamai, sandbox

    error: `rules[0].case` needs `severity`
     --> 0.yaml:4:5
      |
    4 |     case:
      |     ^^^^ `severity` is missing
      |
      = help: add `severity: ...`

    error: `rules[0].case` needs `description`
     --> 0.yaml:4:5
      |
    4 |     case:
      |     ^^^^ `description` is missing
      |
      = help: add `description: ...`

    error: an account's id has 1 to 20 characters
     --> 0.yaml:5:16
      |
    5 |       account: A-CCT7890-is-much-too-long
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: such as `A-CCT7890`

    error: `rules[0].case.category` cannot be `technical`
     --> 0.yaml:6:17
      |
    6 |       category: technical
      |                 ^^^^^^^^^
      |
      = help: did you mean `TECHNICAL`? one of: TECHNICAL, MANAGED_CLOUD, SECURITY, BUSINESS_SUPPORT, BILLING, PROFESSIONAL_SERVICES

    error: there is no key `severty` in `rules[0].case`
     --> 0.yaml:7:7
      |
    7 |       severty: 1
      |       ^^^^^^^ unknown key
      |
      = help: did you mean `severity`? known here: account, category, product, problem, policy_domain, area, service, parent_account, solution, package, severity, severity_policy, subject, description, also_notify, alternate_contact, attach

    error: `rules[0].case.subject` must be a text, not a number
     --> 0.yaml:8:16
      |
    8 |       subject: 12
      |                ^^ this is a number
      |
      = help: put it in quotes: `subject: "12"`

    error: this is not an e-mail address
     --> 0.yaml:9:21
      |
    9 |       also_notify: [nobody, '{{labels.owner}}']
      |                     ^^^^^^

    error: `rules[0].open.after` is not a duration: it has a blank in it
      --> 0.yaml:10:20
       |
    10 |     open: { after: 5 minutes, mode: approve }
       |                    ^^^^^^^^^
       |
       = help: write `5m`

    error: `rules[0].resolve.action` cannot be `delete`
      --> 0.yaml:11:24
       |
    11 |     resolve: { action: delete }
       |                        ^^^^^^
       |
       = help: one of: comment, close, none

    error: `rules[0].reopen_within` is out of range
      --> 0.yaml:12:20
       |
    12 |     reopen_within: 15d
       |                    ^^^
       |
       = help: between 0s and 2w

    error: `rules[1]` needs `match`
      --> 0.yaml:13:5
       |
    13 |   - name: two
       |     ^^^^
       |
       = help: for example `match: ['severity = "critical"']`; `match: []` is for every alert

    error: `case` and `ignore: true` exclude each other
      --> 0.yaml:15:5
       |
    15 |     case: {}
       |     ^^^^
       |
       = help: keep one of them

    error: `vendor` says nothing about a rule that ignores
      --> 0.yaml:16:5
       |
    16 |     vendor: akamai
       |     ^^^^^^
       |
       = help: remove it

    error: `rules[2]` needs `case` or `ignore: true`
      --> 0.yaml:17:5
       |
    17 |   - name: three
       |     ^^^^
       |
       = help: say what becomes of the alerts that match

    error: this is not a matcher
      --> 0.yaml:18:13
       |
    18 |     match: x 
       |             ^ an operator is missing after `x`
       |
       = help: write `x = "value"`, or `x != ""` for "is present"; the operators are =, !=, =~ and !~

    error: there are two rules with the name `one`
     --> 1.yaml:2:11
      |
    2 |   - name: one
      |           ^^^
      |
      = help: the first is in 0.yaml, line 2: give this one another name

    error: there is no key `colour` in `rules[0]`
     --> 1.yaml:5:5
      |
    5 |     colour: red
      |     ^^^^^^ unknown key
      |
      = help: known here: name, match, during, outside, continue, ignore, case, identity, identity_scope, vendor, open, resolve, reopen_within, update, limits, mute, stale_after, stale_action, when_not_found, redact

    error: `identity` names no label: all alerts would be one incident
     --> 1.yaml:8:5
      |
    8 |     identity: []
      |     ^^^^^^^^
      |
      = help: name labels, or remove the key to use the source's own grouping

    error: `rules[1].vendor` cannot be `akamia`
     --> 1.yaml:9:13
      |
    9 |     vendor: akamia
      |             ^^^^^^
      |
      = help: did you mean `akamai`? one of: akamai, sandbox

    error: the category BILLING needs `service`
      --> 1.yaml:10:25
       |
    10 |     case: { account: a, category: BILLING, area: x, product: y, severity: 10, subject: s, description: d }
       |                         ^^^^^^^^
       |
       = help: add `service: ...` to `rules[1].case`

    error: the category BILLING has no `product`
      --> 1.yaml:10:53
       |
    10 |     case: { account: a, category: BILLING, area: x, product: y, severity: 10, subject: s, description: d }
       |                                                     ^^^^^^^
       |
       = help: remove it; this category has: area, service, parent_account

    error: `rules[1].case.severity` is not a rank
      --> 1.yaml:10:75
       |
    10 |     case: { account: a, category: BILLING, area: x, product: y, severity: 10, subject: s, description: d }
       |                                                                           ^^
       |
       = help: ranks count from 1, the worst, to 9, and have no quotes

    error: this is not YAML: unclosed bracket '['
     --> 2.yaml:1:8
      |
    1 | rules: [
      |        ^
      |
      = help: it is opened here and never closed
    "#);
}

#[test]
fn the_vendor_may_be_left_out_only_if_there_is_one() {
    let text = format!("rules:\n  - name: a\n    match: []{CASE}");
    assert_eq!(mistakes_of(&[&text], &["akamai"]), "");
    insta::assert_snapshot!(mistakes_of(&[&text], &["akamai", "other"]), @r#"
    error: `rules[0]` needs `vendor`, because there are several
     --> 0.yaml:2:5
      |
    2 |   - name: a
      |     ^^^^
      |
      = help: one of: akamai, other
    "#);
}

#[test]
fn billable_cases_need_the_vendors_leave() {
    let text = "rules:
  - name: a
    match: []
    case: { account: A-1, category: PROFESSIONAL_SERVICES, solution: s, package: p, severity: 1, subject: s, description: d }
";
    assert_eq!(mistakes_of(&[text], &["billable"]), "");
    insta::assert_snapshot!(mistakes(text), @r#"
    error: the vendor bills cases of the category PROFESSIONAL_SERVICES
     --> 0.yaml:4:27
      |
    4 |     case: { account: A-1, category: PROFESSIONAL_SERVICES, solution: s, package: p, severity: 1, subject: s, description: d }
      |                           ^^^^^^^^
      |
      = help: if you mean it, set `allow_billable: true` at the vendor
    "#);
}

#[test]
fn reopen_within_ends_where_the_vendor_stops_taking_comments() {
    assert_eq!(changed("reopen_within: 24h", "reopen_within: 14d"), "");
    assert!(changed("reopen_within: 24h", "reopen_within: 14d1ms").contains("out of range"));
}

#[test]
fn a_severity_map_needs_a_default() {
    insta::assert_snapshot!(changed(", default: 3 }", " }"), @r#"
    error: `rules[0].case.severity` needs `default`
      --> 0.yaml:11:7
       |
    11 |       severity: { from: severity, map: { critical: 1, warning: 2 } }
       |       ^^^^^^^^ `default` is missing
       |
       = help: add `default: ...`
    "#);
    insta::assert_snapshot!(changed("critical: 1", "critical: 0"), @r#"
    error: `rules[0].case.severity.map.critical` is not a rank
      --> 0.yaml:11:52
       |
    11 |       severity: { from: severity, map: { critical: 0, warning: 2 }, default: 3 }
       |                                                    ^
       |
       = help: ranks count from 1, the worst, to 9, and have no quotes
    "#);
}

#[test]
fn a_rule_that_ignores_has_no_case() {
    insta::assert_snapshot!(changed("    vendor: akamai", "    ignore: true"), @r#"
    error: `identity` says nothing about a rule that ignores
     --> 0.yaml:4:5
      |
    4 |     identity: [alertname, property]
      |     ^^^^^^^^
      |
      = help: remove it

    error: `case` and `ignore: true` exclude each other
     --> 0.yaml:6:5
      |
    6 |     case:
      |     ^^^^
      |
      = help: keep one of them

    error: `open` says nothing about a rule that ignores
      --> 0.yaml:16:5
       |
    16 |     open:    { after: 5m, mode: auto }
       |     ^^^^
       |
       = help: remove it

    error: `update` says nothing about a rule that ignores
      --> 0.yaml:17:5
       |
    17 |     update:  { at_most_every: 30m }
       |     ^^^^^^
       |
       = help: remove it

    error: `resolve` says nothing about a rule that ignores
      --> 0.yaml:18:5
       |
    18 |     resolve: { after: 15m, action: close }
       |     ^^^^^^^
       |
       = help: remove it

    error: `reopen_within` says nothing about a rule that ignores
      --> 0.yaml:19:5
       |
    19 |     reopen_within: 24h
       |     ^^^^^^^^^^^^^
       |
       = help: remove it

    error: `limits` says nothing about a rule that ignores
      --> 0.yaml:20:5
       |
    20 |     limits:  { cases: 3, per: 1h }
       |     ^^^^^^
       |
       = help: remove it
    "#);
    insta::assert_snapshot!(changed("    vendor: akamai", "    ignore: yes"), @r#"
    error: `rules[0].ignore` must be true or false, not a text
     --> 0.yaml:5:13
      |
    5 |     ignore: yes
      |             ^^^ this is a text
      |
      = help: write `true`
    "#);
}

#[test]
fn a_rule_is_only_for_the_times_that_it_names() {
    let rules = good(
        "rules:
  - { name: hours, match: [], ignore: true, during: { days: mon-fri, from: '08:00', to: '18:00', time_zone: Europe/Berlin } }
  - { name: night, match: [], ignore: true, outside: [{ from: '06:00', to: '22:00' }, { days: sun, from: '00:00', to: '24:00' }] }
  - { name: both, match: 'a = \"b\"', ignore: true, during: [{ days: [sat, sun], from: '00:00', to: '24:00' }], outside: [{ from: '12:00', to: '13:00' }] }",
    );
    let route = |labels: &[(&str, &str)], time: &str| {
        names(&rules.route(&alert(labels), time.parse().unwrap()))
    };
    let some = [("a", "b")];
    // A Friday in summer, a Saturday and a Sunday.
    assert_eq!(route(&some, "2026-07-31T06:00:00Z"), ["hours"]);
    assert!(route(&some, "2026-07-31T16:00:00Z").is_empty());
    assert_eq!(route(&some, "2026-08-01T05:59:59Z"), ["night"]);
    assert_eq!(route(&some, "2026-08-01T11:59:59Z"), ["both"]);
    assert!(route(&[], "2026-08-01T11:59:59Z").is_empty());
    assert!(route(&some, "2026-08-01T12:00:00Z").is_empty());
    assert_eq!(route(&some, "2026-08-02T23:00:00Z"), ["both"]);
}

#[test]
fn a_rules_maintenance_windows_are_part_of_its_policy() {
    let rules = good(&format!(
        "rules:
  - name: one
    match: []
    mute: [{{ days: [sat, sun], from: '02:00', to: '04:00', time_zone: UTC }}]{CASE}"
    ));
    let Then::Case(case) = &rules.rules()[0].then else { panic!() };
    let shown = case.policy.mute.as_ref().map(ToString::to_string);
    assert_eq!(shown.as_deref(), Some("sat,sun 02:00-04:00 UTC"));
}

#[test]
fn mistakes_in_weekly_times_are_underlined_where_they_are() {
    let times = |text: &str| {
        mistakes(&format!("rules:\n  - name: a\n    match: []\n    ignore: true\n    {text}\n"))
    };
    insta::assert_snapshot!(times("during: { days: mon-fir, from: '8:00', to: '25:00', time_zone: Europe/Berln }"), @r#"
    error: `rules[0].during.days` names a day that there is not
     --> 0.yaml:5:25
      |
    5 |     during: { days: mon-fir, from: '8:00', to: '25:00', time_zone: Europe/Berln }
      |                         ^^^ not a day
      |
      = help: did you mean `fri`? days are mon, tue, wed, thu, fri, sat, sun, and ranges of them such as `mon-fri`

    error: `rules[0].during.from` is not a time of day: `8:00`
     --> 0.yaml:5:36
      |
    5 |     during: { days: mon-fir, from: '8:00', to: '25:00', time_zone: Europe/Berln }
      |                                    ^^^^^^
      |
      = help: write hours and minutes with two digits each, `00:00` to `24:00`

    error: `rules[0].during.to` is not a time of day: `25:00`
     --> 0.yaml:5:48
      |
    5 |     during: { days: mon-fir, from: '8:00', to: '25:00', time_zone: Europe/Berln }
      |                                                ^^^^^^^
      |
      = help: write hours and minutes with two digits each, `00:00` to `24:00`

    error: `rules[0].during.time_zone` is not a time zone: `Europe/Berln`
     --> 0.yaml:5:68
      |
    5 |     during: { days: mon-fir, from: '8:00', to: '25:00', time_zone: Europe/Berln }
      |                                                                    ^^^^^^^^^^^^
      |
      = help: did you mean `Europe/Berlin`?
    "#);
    insta::assert_snapshot!(times("outside: { days: [Monday, noday], from: '08:00', to: '08:00', time_zone: berlin }"), @r#"
    error: `rules[0].outside.days[0]` names a day that there is not
     --> 0.yaml:5:23
      |
    5 |     outside: { days: [Monday, noday], from: '08:00', to: '08:00', time_zone: berlin }
      |                       ^^^^^^ not a day
      |
      = help: did you mean `mon`? days are mon, tue, wed, thu, fri, sat, sun, and ranges of them such as `mon-fri`

    error: `rules[0].outside.days[1]` names a day that there is not
     --> 0.yaml:5:31
      |
    5 |     outside: { days: [Monday, noday], from: '08:00', to: '08:00', time_zone: berlin }
      |                               ^^^^^ not a day
      |
      = help: days are mon, tue, wed, thu, fri, sat, sun, and ranges of them such as `mon-fri`

    error: `rules[0].outside` begins and ends at the same time
     --> 0.yaml:5:54
      |
    5 |     outside: { days: [Monday, noday], from: '08:00', to: '08:00', time_zone: berlin }
      |                                                      ^^
      |
      = help: a whole day is `from: "00:00"`, `to: "24:00"`

    error: `rules[0].outside.time_zone` is not a time zone: `berlin`
     --> 0.yaml:5:78
      |
    5 |     outside: { days: [Monday, noday], from: '08:00', to: '08:00', time_zone: berlin }
      |                                                                              ^^^^^^
      |
      = help: did you mean `Europe/Berlin`?
    "#);
    insta::assert_snapshot!(times("during: [{ days: [], from: '24:00', to: '06:00', time_zone: Mars, zone: UTC }]"), @r#"
    error: `rules[0].during[0].days` names no day
     --> 0.yaml:5:16
      |
    5 |     during: [{ days: [], from: '24:00', to: '06:00', time_zone: Mars, zone: UTC }]
      |                ^^^^
      |
      = help: such as `mon-fri`

    error: `rules[0].during[0].from` is the end of a day
     --> 0.yaml:5:26
      |
    5 |     during: [{ days: [], from: '24:00', to: '06:00', time_zone: Mars, zone: UTC }]
      |                          ^^^^
      |
      = help: write `from: "00:00"`, and the day after it

    error: `rules[0].during[0].time_zone` is not a time zone: `Mars`
     --> 0.yaml:5:65
      |
    5 |     during: [{ days: [], from: '24:00', to: '06:00', time_zone: Mars, zone: UTC }]
      |                                                                 ^^^^
      |
      = help: names are those of the IANA database, such as `Europe/Berlin`

    error: there is no key `zone` in `rules[0].during[0]`
     --> 0.yaml:5:71
      |
    5 |     during: [{ days: [], from: '24:00', to: '06:00', time_zone: Mars, zone: UTC }]
      |                                                                       ^^^^ unknown key
      |
      = help: known here: days, from, to, time_zone
    "#);
    insta::assert_snapshot!(times("during: [{ from: 08:00 }, { from: 480, to: '09:00' }]"), @r#"
    error: `rules[0].during[0]` needs `to`
     --> 0.yaml:5:16
      |
    5 |     during: [{ from: 08:00 }, { from: 480, to: '09:00' }]
      |                ^^^^ `to` is missing
      |
      = help: add `to: ...`

    error: `rules[0].during[1].from` must be a text, not a number
     --> 0.yaml:5:39
      |
    5 |     during: [{ from: 08:00 }, { from: 480, to: '09:00' }]
      |                                       ^^^ this is a number
      |
      = help: put it in quotes: `from: "480"`
    "#);
    insta::assert_snapshot!(times("during: []"), @r#"
    error: `rules[0].during` names no time
     --> 0.yaml:5:5
      |
    5 |     during: []
      |     ^^^^^^
      |
      = help: remove the key, or name times
    "#);
    insta::assert_snapshot!(times("mute: { from: '08:00', to: '09:00' }"), @r#"
    error: `mute` says nothing about a rule that ignores
     --> 0.yaml:5:5
      |
    5 |     mute: { from: '08:00', to: '09:00' }
      |     ^^^^
      |
      = help: remove it
    "#);
}

#[test]
fn what_must_not_leave_is_read_and_its_mistakes_are_located() {
    let text = |redact: &str| format!("rules: [{{ name: a, match: [], redact: {redact},{CASE} }}]");
    let redaction = |redact: &str| {
        let rules = good(&text(redact));
        let Then::Case(rule) = &rules.rules()[0].then else { panic!("a case") };
        rule.redaction.clone().unwrap()
    };
    assert!(redaction("off").is_empty());
    let one = redaction("[{ pattern: 'cust-[0-9]+' }]").apply("cust-1 a@example.com");
    assert_eq!(one.text, "[redacted] a@example.com");
    let both = redaction("[email, { pattern: 'cust-[0-9]+', with: it }]");
    assert_eq!(both.apply("cust-1 a@example.com").text, "it [redacted: email]");
    insta::assert_snapshot!(mistakes(&text(
        "[emial, { pattern: 'cust-(' }, { pattern: '\\b' }, { pattern: 'x*' }, { with: y, patern: z }, { pattern: a, with: '' }]"
    )));
    insta::assert_snapshot!(mistakes(&text("[]")));
}

#[test]
fn files_have_names_that_are_harmless_and_different_and_are_few() {
    let case = |files: &str| {
        let case = CASE.replace("subject: s", &format!("subject: s, attach: {{ files: {files} }}"));
        format!("rules: [{{ name: a, match: [],{case} }}]")
    };
    let told = |files: &str| mistakes(&case(files)).lines().next().unwrap_or_default().to_owned();
    let of = |count: usize| {
        let file = |at| format!("{{ url: 'https://a', name: f{at}.png }}");
        format!("[{}]", (0..count).map(file).collect::<Vec<_>>().join(", "))
    };
    good(&case(&of(8)));
    assert_eq!(told(&of(9)), "error: a rule has at most 8 files fetched");
    for name in ["panel", "a b.png", "../a.png", "é.png", ".png", "a.", "a.tar.gz"] {
        let files = format!("[{{ url: 'https://a', name: '{name}' }}]");
        assert_eq!(told(&files), "error: this is not the name of a file", "{name}");
    }
    let twice = "[{ url: u, name: a.png }, { url: v, name: a.png }]";
    assert_eq!(told(twice), "error: two files have this name");
}
