//! What the tool says about tests that fail and about files with mistakes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::file::{Inputs, TestFile, below, beside, read_document};
use super::run;
use crate::config::Diagnostics;
use crate::config::document::Document;
use crate::config::interpolate::Lookup;
use crate::config::source_file::{Holds, SourceFile};
use crate::domain::ids::SourceName;
use crate::playbook::Playbook;
use crate::sources::Source;
use crate::sources::alertmanager::Alertmanager;
use crate::sources::credential::Auth;
use crate::sources::pagerduty::PagerDuty;

mod waiting;

const CONFIG: &str = "
store: { sqlite: casewright.db }
rules: ['*.yaml']
sources:
  - { name: am, kind: alertmanager, auth: { bearer: [x] } }
  - { name: pd, kind: pagerduty, secrets: [x] }
vendors:
  - { name: akamai, kind: sandbox }
";

const RULES: &str = r"
rules:
  - name: staging
    match: ['env = staging']
    ignore: true

  - name: edge
    match: ['alertname =~ Edge.+', 'env = prod']
    identity: [alertname, property]
    case:
      account: A-1
      category: TECHNICAL
      product: Ion Premier
      problem: Slow
      severity: { from: severity, map: { critical: 1, warning: 2 }, default: 3 }
      subject: '{{labels.property}}: above {{annotations.threshold}}'
      description: |
        Seen at {{labels.property}}.
        {{incident.firing}} firing.
        Please look.
      also_notify: [noc@example.com]
      alternate_contact: { name: NOC, phone: '+1 555 0100' }
    open: { after: 5m }
    resolve: { after: 10m, action: close }

  - name: pages
    match: ['source = pd', 'urgency = high']
    case:
      account: A-2
      category: TECHNICAL
      product: Ion Premier
      problem: Slow
      severity: { from: priority, map: { P1: 1 }, default: 2 }
      subject: '{{annotations.title}}'
      description: '{{labels.service}}'

  - name: grouped
    match: ['source = am', 'team = video']
    case:
      account: A-3
      category: TECHNICAL
      product: Ion Premier
      problem: Slow
      severity: 2
      subject: Trouble
      description: More of it
";

struct House {
    playbook: Arc<Playbook>,
    sources: BTreeMap<SourceName, Arc<dyn Source>>,
}

impl House {
    fn new() -> Self {
        Self::of(RULES)
    }

    fn of(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("templates")).unwrap();
        std::fs::create_dir(folder.path().join("conf")).unwrap();
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        // Would be an error if it were taken for rules.
        std::fs::write(folder.path().join("rules.test.yaml"), "tests: []").unwrap();
        let config = folder.path().join("casewright.yaml");
        std::fs::write(&config, CONFIG.replace("'*.yaml'", "'rule*.yaml'")).unwrap();
        let nothing: Lookup<'_> = &|_| None;
        let (setup, diagnostics) = crate::setup::load_for_rehearsal(&config, nothing);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(false));
        let am: Arc<dyn Source> =
            Arc::new(Alertmanager::new("am".into(), Auth::new(&[], &[], &[])));
        let pd: Arc<dyn Source> = Arc::new(PagerDuty::new("pd".into(), vec!["x".into()]));
        Self {
            playbook: Arc::new(setup.unwrap().playbook),
            sources: BTreeMap::from([("am".into(), am), ("pd".into(), pd)]),
        }
    }

    fn read(&self, text: &str) -> (Option<TestFile>, Diagnostics) {
        let path = Path::new("rules.test.yaml");
        let nothing: Lookup<'_> = &|_| None;
        let document = Document::of(SourceFile::new(path, text, Holds::NoSecrets), nothing);
        let inputs = Inputs { sources: &self.sources, playbook: &self.playbook, env: nothing };
        read_document(path, document, &inputs)
    }

    /// What is wrong with a file.
    fn mistakes(&self, text: &str) -> String {
        let (file, diagnostics) = self.read(text);
        assert!(file.is_none(), "there is no mistake in it");
        diagnostics.render(false)
    }

    /// What fails, and what no test reaches.
    fn run(&self, text: &str) -> (String, Vec<String>) {
        let (file, diagnostics) = self.read(text);
        let file = file.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let tests: Vec<_> = file.tests.iter().collect();
        let (outcomes, coverage) = run(&self.playbook, &tests, 2);
        let mut failures = Diagnostics::default();
        for failure in outcomes.into_iter().flat_map(|outcome| outcome.failures) {
            failures.push(failure);
        }
        let gaps = coverage
            .rules
            .iter()
            .flat_map(|rule| rule.gaps().into_iter().map(|gap| format!("{}: {gap}", rule.rule)));
        (failures.render(false), gaps.collect())
    }

    /// What fails of one test, of which only what happens and is expected is given.
    fn failures(&self, deliveries: &str, expect: &str) -> String {
        self.run(&test(&[("deliveries", deliveries), ("expect", expect)])).0
    }
}

/// A file with one test, of these lists.
fn test(lists: &[(&str, &str)]) -> String {
    let mut text = "tests:\n  - name: t\n".to_owned();
    for (key, items) in lists {
        let items = items.trim().replace('\n', "\n      ");
        text.push_str(&format!("    {key}:\n      {items}\n"));
    }
    text
}

/// One alert fires at the beginning and is over after an hour.
const EDGE: &str = "
- at: 0s
  alerts:
    - labels: { alertname: EdgeErrors, property: shop, severity: critical, env: prod }
      annotations: { threshold: 5% }
- at: 1h
  resolved: { alertname: EdgeErrors, property: shop, severity: critical, env: prod }
";

#[test]
fn what_is_as_expected_passes() {
    let failures = House::new().failures(
        EDGE,
        "
- at: 4m59s
  cases: 0
  incidents: [{ rule: edge, state: pending, case: none, actions: [] }]
- at: 5m
  cases: 1
  incidents:
    - rule: edge
      identity: { property: shop }
      generation: 1
      state: open
      firing: 1
      reason: { matches: '^case \\S+ is open$' }
      actions: [open]
      comments: []
      case:
        severity: 1
        account: A-1
        category: TECHNICAL
        product: Ion Premier
        problem: { contains: Slow, lacks: [Fast, Quick] }
        subject: 'shop: above 5%'
        description: |
          Seen at shop.
          1 firing.
          Please look.
        also_notify: { contains: noc@ }
        alternate_contact: { name: NOC, phone: +1 555 0100 }
- at: 1h9m59s
  incidents: [{ rule: edge, state: resolving, firing: 0 }]
- at: 1h10m
  unmatched: 0
  incidents:
    - rule: edge
      state: closed
      actions: [open, comment, close]
      comments: [{ contains: has resolved as of 2026-01-05T10:10:00Z }]
",
    );
    assert_eq!(failures, "");
}

#[test]
fn a_wrong_state_tells_the_life_of_the_incident_once() {
    let failures = House::new().failures(
        EDGE,
        "
- at: 1h10m
  incidents:
    - rule: edge
      state: open
      actions: [open, close]
",
    );
    insta::assert_snapshot!(failures, @r#"
    error: t: at 1h10m, the state of edge {alertname="EdgeErrors", property="shop"} is closed, not open
      --> rules.test.yaml:14:20
       |
    14 |             state: open
       |                    ^^^^ it is closed
       |
       = help: at 0s it was pending: fires; opens a case if it still fires at 5m
               at 5m it was opening: fires; a case is being opened
               at 5m it was open: case F-000001 is open
               at 1h it was resolving: resolved; over if it stays so until 1h10m
               at 1h10m it was closed: over; the case gets a comment and a closure request

    error: t: at 1h10m, the list of actions of edge {alertname="EdgeErrors", property="shop"} is [open, comment, close], not [open, close]
      --> rules.test.yaml:15:13
       |
    15 |             actions: [open, close]
       |             ^^^^^^^ it is [open, comment, close]
    "#);
}

#[test]
fn texts_that_differ_are_shown_line_by_line() {
    let failures = House::new().failures(
        EDGE,
        "
- at: 1h
  incidents:
    - rule: edge
      case:
        severity: 2
        subject: 'shop: above 7%'
        problem: { matches: '^slow$' }
        alternate_contact: { company: Acme }
        description: |
          Seen at shop.
          2 firing.
          Please look.
",
    );
    insta::assert_snapshot!(failures, @r#"
    error: t: at 1h, `severity` of edge {alertname="EdgeErrors", property="shop"} is 1, not 2
      --> rules.test.yaml:15:25
       |
    15 |               severity: 2
       |                         ^ it is 1

    error: t: at 1h, `subject` of edge {alertname="EdgeErrors", property="shop"} is not `shop: above 7%`
      --> rules.test.yaml:16:24
       |
    16 |               subject: 'shop: above 7%'
       |                        ^^^^^^^^^^^^^^^^ it is "shop: above 5%"

    error: t: at 1h, `problem` of edge {alertname="EdgeErrors", property="shop"} does not match `^slow$`
      --> rules.test.yaml:17:15
       |
    17 |               problem: { matches: '^slow$' }
       |               ^^^^^^^ it is "Slow"

    error: t: at 1h, `alternate_contact.company` of edge {alertname="EdgeErrors", property="shop"} is not `Acme`
      --> rules.test.yaml:18:45
       |
    18 |               alternate_contact: { company: Acme }
       |                                             ^^^^ it is empty

    error: t: at 1h, `description` of edge {alertname="EdgeErrors", property="shop"} is not `Seen at shop.\n2 firing.\nPlease look.\n`
      --> rules.test.yaml:20:17
       |
    20 |                 Seen at shop.
       |                 ^^^^^^^^^^^^^ it is another text
       |
       = help: what is expected (-) and what it is (+):
                 Seen at shop.
               - 2 firing.
               + 1 firing.
                 Please look.
    "#);
}

#[test]
fn an_incident_that_is_missing_says_what_kept_the_alert_from_its_rule() {
    let failures = House::new().failures(
        "
- at: 0s
  firing: { alertname: EdgeErrors, property: shop, env: test }
- at: 0s
  firing: { alertname: EdgeErrors, property: shop, env: staging }
",
        "
- at: 5m
  unmatched: 2
  ignored_by: staging
  cases: 1
  incidents:
    - rule: edge
      identity: { property: shop }
",
    );
    insta::assert_snapshot!(failures, @r#"
    error: t: at 5m, `unmatched` is 1, not 2
      --> rules.test.yaml:10:20
       |
    10 |         unmatched: 2
       |                    ^ it is 1
       |
       = help: EdgeErrors {alertname="EdgeErrors", env="test", property="shop", source="am"}: no rule
               EdgeErrors {alertname="EdgeErrors", env="staging", property="shop", source="am"}: staging

    error: t: at 5m, `cases` is 0, not 1
      --> rules.test.yaml:12:16
       |
    12 |         cases: 1
       |                ^ it is 0
       |
       = help: EdgeErrors {alertname="EdgeErrors", env="test", property="shop", source="am"}: no rule
               EdgeErrors {alertname="EdgeErrors", env="staging", property="shop", source="am"}: staging

    error: t: at 5m, there is no incident of edge {property="shop"}
      --> rules.test.yaml:14:13
       |
    14 |           - rule: edge
       |             ^^^^ there is no such incident
       |
       = help: EdgeErrors firing: edge wants env="prod", and it is "test"
               EdgeErrors firing: edge wants env="prod", and it is "staging"
    "#);
}

#[test]
fn an_incident_that_is_not_listed_fails_unless_others_are_allowed() {
    let house = House::new();
    let both = "
- at: 0s
  firing:
    - { alertname: EdgeErrors, property: shop, env: prod }
    - { alertname: EdgeErrors, property: www, env: prod }
";
    let one = "
- at: 1m
  incidents: [{ rule: edge, identity: { property: shop } }]
";
    insta::assert_snapshot!(house.failures(both, one), @r#"
    error: t: at 1m, there is an incident that is not expected: edge {alertname="EdgeErrors", property="www"}
      --> rules.test.yaml:10:9
       |
    10 |         incidents: [{ rule: edge, identity: { property: shop } }]
       |         ^^^^^^^^^ it is not listed here
       |
       = help: at 0s it was pending: fires; opens a case if it still fires at 5m
               list it, or say `others: true`
    "#);
    let others = format!("{one}  others: true\n");
    assert_eq!(house.failures(both, &others), "");
    let none = "
- at: 1m
  incidents: none
";
    assert_eq!(house.failures(both, none).matches("is not expected").count(), 2);
}

#[test]
fn expectations_find_their_incidents_in_any_order() {
    let house = House::new();
    let both = "
- at: 0s
  alerts:
    - labels: { alertname: EdgeErrors, property: shop, env: prod, severity: critical }
      annotations: { threshold: 1 % }
    - labels: { alertname: EdgeErrors, property: www, env: prod }
      annotations: { threshold: 1 % }
";
    // The first fits both incidents, the second only the one that comes first.
    let expect = "
- at: 5m
  incidents:
    - { rule: edge, state: open }
    - { rule: edge, case: { severity: 1 } }
";
    assert_eq!(house.failures(both, expect), "");
    // Neither may stand for two.
    let expect = "
- at: 5m
  incidents:
    - { rule: edge, case: { severity: 1 } }
    - { rule: edge, case: { severity: 1 } }
";
    let failures = house.failures(both, expect);
    assert_eq!(failures.matches("error:").count(), 1, "{failures}");
    assert!(
        failures.contains(
            "`severity` of edge {alertname=\"EdgeErrors\", property=\"www\"} is 3, not 1"
        )
    );
}

#[test]
fn a_built_in_text_fails_a_test_unless_it_is_expected() {
    let house = House::new();
    let bare = "
- at: 0s
  firing: { alertname: EdgeErrors, property: shop, env: prod }
";
    let expect = |case: &str| format!("- at: 5m\n  incidents: [{{ rule: edge, case: {case} }}]\n");
    insta::assert_snapshot!(house.failures(bare, &expect("{ severity: 3 }")), @r#"
    error: t: at 5m, a built-in text stands in the case of edge {alertname="EdgeErrors", property="shop"}
     --> rules.test.yaml:8:35
      |
    8 |         incidents: [{ rule: edge, case: { severity: 3 } }]
      |                                   ^^^^
      |
      = help: the built-in subject stands in: edge: subject:1:28: `annotations.threshold` does not exist; write {{default annotations.threshold ""}} where it may be absent
              if that is meant, say `fallback: true`
    "#);
    assert_eq!(house.failures(bare, &expect("{ severity: 3, fallback: true }")), "");
    let unneeded = house.failures(EDGE, &expect("{ fallback: true }").replace("5m", "2h"));
    assert!(unneeded.contains("every text of the case of edge"), "{unneeded}");
}

#[test]
fn comments_and_addresses_are_counted_and_compared_in_order() {
    let failures = House::new().failures(
        EDGE,
        "
- at: 2h
  incidents:
    - rule: edge
      case: { also_notify: [noc@example.com, boss@example.com] }
      comments: [{ contains: is back }]
- at: 2h
  incidents: [{ rule: edge, comments: [] }]
",
    );
    insta::assert_snapshot!(failures, @r#"
    error: t: at 2h, edge {alertname="EdgeErrors", property="shop"} has 1 address of `also_notify`, not 2
      --> rules.test.yaml:14:21
       |
    14 |             case: { also_notify: [noc@example.com, boss@example.com] }
       |                     ^^^^^^^^^^^ there is 1
       |
       = help: - noc@example.com

    error: t: at 2h, comment 1 of edge {alertname="EdgeErrors", property="shop"} does not contain `is back`
      --> rules.test.yaml:15:26
       |
    15 |             comments: [{ contains: is back }]
       |                          ^^^^^^^^ it is another text
       |
       = help: The alert behind this case has resolved as of 2026-01-05T10:10:00Z.
               
               The problem is no longer seen by our monitoring. If the problem comes back, we will write here or open a new case that names this one.
               
               This comment was written automatically.

    error: t: at 2h, edge {alertname="EdgeErrors", property="shop"} has 1 comment, not 0
      --> rules.test.yaml:17:35
       |
    17 |         incidents: [{ rule: edge, comments: [] }]
       |                                   ^^^^^^^^ there is 1
       |
       = help: - The alert behind this case has resolved as of 2026-01-05T10:10:00Z.
               
                 The problem is no longer seen by our monitoring. If the problem comes back, we will write here or open a new case that names this one.
               
                 This comment was written automatically.
    "#);
}

#[test]
fn inline_incidents_are_events_of_pagerduty() {
    let failures = House::new().failures(
        "
- at: 0s
  incident: { id: Q1, title: Video is slow, service: VOD, urgency: low }
- at: 5m
  incident: { id: Q1, event: priority_updated, urgency: high, priority: P1 }
- at: 6m
  incident: { id: Q1, event: acknowledged }
- at: 1h
  incident: { id: Q1, event: resolved }
",
        "
- at: 4m
  unmatched: 1
  incidents: none
- at: 5m
  incidents:
    - rule: pages
      identity: { incident: Q1 }
      state: open
      case: { severity: 1, subject: Video is slow, description: VOD }
- at: 6m
  incidents: [{ rule: pages, state: open, actions: [open] }]
- at: 1h
  incidents: [{ rule: pages, state: closed, actions: [open, comment] }]
",
    );
    assert_eq!(failures, "");
}

#[test]
fn a_delivery_can_come_several_times_as_from_a_pair() {
    let failures = House::new().failures(
        "
- at: 0s
  times: 2
  firing: { alertname: Other }
- at: 1s
  times: 3
  alerts:
    - { labels: { alertname: EdgeErrors, property: shop, env: prod }, annotations: { threshold: x } }
",
        "
- at: 10m
  unmatched: 2
  cases: 1
  incidents: [{ rule: edge, actions: [open] }]
",
    );
    assert_eq!(failures, "");
}

#[test]
fn the_group_of_a_delivery_is_the_identity_of_rules_without_one() {
    let house = House::new();
    let text = "
group_by: [cluster]
tests:
  - name: t
    receiver: desk
    deliveries:
      - { at: 0s, firing: { alertname: A, team: video, cluster: c1 } }
      - { at: 0s, firing: { alertname: B, team: video, cluster: c1 } }
      - { at: 0s, firing: { alertname: A, team: video, cluster: c2 } }
      - { at: 0s, firing: { alertname: C, team: video, cluster: c2 }, group_by: [] }
    expect:
      - at: 0s
        incidents:
          - { rule: grouped, identity: { 'group:cluster': c1, receiver: desk }, firing: 2 }
          - { rule: grouped, identity: { 'group:cluster': c2, receiver: desk }, firing: 1 }
          - { rule: grouped, identity: { receiver: desk, source: am }, firing: 1 }
";
    assert_eq!(house.run(text).0, "");
    let two = "
- at: 0s
  group_by: [cluster]
  firing: [{ alertname: A, cluster: c1 }, { alertname: A, cluster: c2 }]
";
    let (file, diagnostics) = house.read(&format!(
        "tests:\n  - name: t\n    deliveries:\n      {}\n    expect: [{{ at: 0s, cases: 0 }}]\n",
        two.trim().replace('\n', "\n      ")
    ));
    assert!(file.is_none());
    assert!(diagnostics.render(false).contains("differ in a label of `group_by`"));
}

#[test]
fn a_sender_cannot_set_the_label_source() {
    let failures = House::new().failures(
        "
- at: 0s
  firing: { source: pd, urgency: high }
",
        "
- { at: 0s, incidents: none, unmatched: 1 }
",
    );
    assert_eq!(failures, "");
}

#[test]
fn a_truncated_delivery_ends_nothing() {
    let failures = House::new().failures(
        "
- at: 0s
  firing: { alertname: EdgeErrors, property: shop, env: prod }
- at: 10m
  truncated: 2
  resolved: { alertname: EdgeErrors, property: shop, env: prod }
",
        "
- at: 1h
  incidents: [{ rule: edge, state: open, firing: 0 }]
",
    );
    assert_eq!(failures, "");
}

#[test]
fn mistakes_in_a_file_are_all_shown_with_what_is_known() {
    let mistakes = House::new().mistakes(
        "
tests:
  - name: one
    delivery: []
    deliveries:
      - at: soon
        firing: { alertname: A }
      - at: 1m
        fireing: { alertname: A }
      - at: 2m
        source: an
        firing: { alertname: A, code: 503 }
      - at: 3m
        source: am
        incident: { id: Q, event: trigered }
      - at: 4m
        payload: nowhere.json
        firing: { alertname: A }
      - at: 5m
        source: am
        payload: nowhere.json
      - at: 2h
        firing: { alertname: A }
    expect:
      - at: 1h
        incidents:
          - rule: egde
            state: opne
          - rule: staging
          - rule: edge
            identity: { proprety: shop }
            actions: [open, coment]
            case:
              severty: 1
              category: TECHNICL
              subject: { contain: x }
              description: { matches: 'a(b' }
            comments: { contains: 5 }
      - at: 1h
        ignored_by: edge
      - at: 1h
  - name: one
    deliveries: []
",
    );
    insta::assert_snapshot!(mistakes, @r#"
    error: there is no key `delivery` in `tests[0]`
     --> rules.test.yaml:4:5
      |
    4 |     delivery: []
      |     ^^^^^^^^ unknown key
      |
      = help: known here: name, start, group_by, receiver, deliveries, people, expect

    error: `tests[0].deliveries[0].at` is not a duration: a number is expected at `soon`
     --> rules.test.yaml:6:13
      |
    6 |       - at: soon
      |             ^^^^
      |
      = help: write numbers with the units y, w, d, h, m, s or ms, such as `1h30m`

    error: there is no key `fireing` in `tests[0].deliveries[1]`
     --> rules.test.yaml:9:9
      |
    9 |         fireing: { alertname: A }
      |         ^^^^^^^ unknown key
      |
      = help: did you mean `firing`? known here: at, times, source, group_by, receiver, truncated, alerts, firing, resolved, incident, payload

    error: there is no source `an`
      --> rules.test.yaml:11:17
       |
    11 |         source: an
       |                 ^^
       |
       = help: did you mean `am`?

    error: `tests[0].deliveries[2].firing.code` must be a text, not a number
      --> rules.test.yaml:12:39
       |
    12 |         firing: { alertname: A, code: 503 }
       |                                       ^^^ this is a number
       |
       = help: put it in quotes: `code: "503"`

    error: source `am` is of kind alertmanager
      --> rules.test.yaml:14:17
       |
    14 |         source: am
       |                 ^^
       |
       = help: this form is for a source of kind pagerduty; or give a `payload`

    error: `tests[0].deliveries[4]` needs one way to say what comes in
      --> rules.test.yaml:16:9
       |
    16 |       - at: 4m
       |         ^^
       |
       = help: `firing`, `resolved` or `alerts` for Alertmanager, `incident` for PagerDuty, or `payload` with the name of a file

    error: the payload cannot be read: No such file or directory (os error 2)
      --> rules.test.yaml:21:18
       |
    21 |         payload: nowhere.json
       |                  ^^^^^^^^^^^^
       |
       = help: paths are relative to the folder of this file

    error: nothing is expected of this delivery
      --> rules.test.yaml:22:9
       |
    22 |       - at: 2h
       |         ^^
       |
       = help: add an expectation for this time or a later one

    error: there is no rule `egde`
      --> rules.test.yaml:27:19
       |
    27 |           - rule: egde
       |                   ^^^^
       |
       = help: did you mean `edge`?

    error: `tests[0].expect[0].incidents[0].state` is never `opne`
      --> rules.test.yaml:28:20
       |
    28 |             state: opne
       |                    ^^^^
       |
       = help: did you mean `open`? one of: pending, held, opening, open, resolving, closed, dropped, failed

    error: rule `staging` is not one that opens cases
      --> rules.test.yaml:29:19
       |
    29 |           - rule: staging
       |                   ^^^^^^^
       |
       = help: what opens cases: edge, pages, grouped

    error: `proprety` is no label of the rule's identity
      --> rules.test.yaml:31:35
       |
    31 |             identity: { proprety: shop }
       |                                   ^^^^
       |
       = help: did you mean `property`?

    error: `tests[0].expect[0].incidents[2].actions[1]` is never `coment`
      --> rules.test.yaml:32:29
       |
    32 |             actions: [open, coment]
       |                             ^^^^^^
       |
       = help: did you mean `comment`? one of: open, comment, attach, contacts, recheck, close

    error: there is no key `severty` in `tests[0].expect[0].incidents[2].case`
      --> rules.test.yaml:34:15
       |
    34 |               severty: 1
       |               ^^^^^^^ unknown key
       |
       = help: did you mean `severity`? known here: severity, account, subject, description, category, product, problem, policy_domain, area, service, parent_account, solution, package, alternate_contact, also_notify, fallback

    error: `tests[0].expect[0].incidents[2].case.category` is never `TECHNICL`
      --> rules.test.yaml:35:25
       |
    35 |               category: TECHNICL
       |                         ^^^^^^^^
       |
       = help: did you mean `TECHNICAL`? one of: TECHNICAL, MANAGED_CLOUD, SECURITY, BUSINESS_SUPPORT, BILLING, PROFESSIONAL_SERVICES

    error: there is no key `contain` in `tests[0].expect[0].incidents[2].case.subject`
      --> rules.test.yaml:36:26
       |
    36 |               subject: { contain: x }
       |                          ^^^^^^^ unknown key
       |
       = help: write `contains:`

    error: this is not a pattern
      --> rules.test.yaml:37:41
       |
    37 |               description: { matches: 'a(b' }
       |                                         ^ this `(` is never closed
       |
       = help: add `)`, or write `\(` for the character itself

    error: `tests[0].expect[0].incidents[2].comments.contains` must be a text, not a number
      --> rules.test.yaml:38:35
       |
    38 |             comments: { contains: 5 }
       |                                   ^ this is a number
       |
       = help: put it in quotes: `contains: "5"`

    error: rule `edge` is not one that ignores
      --> rules.test.yaml:40:21
       |
    40 |         ignored_by: edge
       |                     ^^^^
       |
       = help: what ignores: staging

    error: `tests[0].expect[2]` expects nothing
      --> rules.test.yaml:41:9
       |
    41 |       - at: 1h
       |         ^^
       |
       = help: add one of: incidents, cases, unmatched, ignored_by

    error: `tests[1]` expects nothing
      --> rules.test.yaml:42:5
       |
    42 |   - name: one
       |     ^^^^
       |
       = help: add `expect`: a list of times, and what must be true then

    error: there are two tests with this name
      --> rules.test.yaml:42:11
       |
    42 |   - name: one
       |           ^^^
       |
       = help: the first is in line 3: give this one another name
    "#);
}

#[test]
fn coverage_tells_what_no_test_has_reached() {
    let house = House::new();
    let (failures, gaps) = house.run(
        "
tests:
  - name: a
    deliveries:
      - { at: 0s, firing: { alertname: EdgeErrors, property: p, env: prod, severity: critical } }
      - { at: 0s, firing: { alertname: Other, env: prod } }
    expect: [{ at: 0s, cases: 0 }]
  - name: b
    deliveries:
      - { at: 0s, firing: { alertname: EdgeErrors, env: staging } }
    expect: [{ at: 0s, cases: 0 }]
",
    );
    assert_eq!(failures, "");
    insta::assert_snapshot!(gaps.join("\n"), @r#"
    edge: matcher that never decides: env="prod"
    edge: severity that is never taken: severity="warning" (rank 2)
    edge: severity that is never taken: the default (rank 3)
    pages: no test reaches it
    grouped: no test reaches it
    "#);
}

#[test]
fn the_outcomes_of_many_tests_on_many_threads_are_in_their_order() {
    let house = House::new();
    let mut text = "tests:\n".to_owned();
    for number in 0..200 {
        text.push_str(&format!(
            "  - name: t{number}
    deliveries: [{{ at: 0s, firing: {{ alertname: EdgeErrors, property: p, env: prod }} }}]
    expect: [{{ at: 5m, cases: {} }}]
",
            u32::from(number % 3 != 0)
        ));
    }
    let (file, _) = house.read(&text);
    let file = file.unwrap();
    let tests: Vec<_> = file.tests.iter().collect();
    let (outcomes, _) = run(&house.playbook, &tests, 8);
    let failed: Vec<usize> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !outcome.passed())
        .map(|(index, _)| index)
        .collect();
    assert_eq!(failed, (0..200).filter(|number| number % 3 == 0).collect::<Vec<_>>());
}

#[test]
fn test_files_are_found_beside_the_rules_and_below_folders() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules [old]");
    std::fs::create_dir_all(rules.join("more")).unwrap();
    for name in ["a.yaml", "a.test.yaml", "b.test.yml", "test.yaml", "more/c.test.yaml"] {
        std::fs::write(rules.join(name), "").unwrap();
    }
    let files = [rules.join("a.yaml"), rules.join("b.yaml")];
    let names = |paths: Vec<std::path::PathBuf>| -> Vec<String> {
        let relative = |path: &std::path::PathBuf| {
            path.strip_prefix(&rules).unwrap().to_string_lossy().into_owned()
        };
        paths.iter().map(relative).collect()
    };
    assert_eq!(
        names(beside(files.iter().map(std::path::PathBuf::as_path))),
        ["a.test.yaml", "b.test.yml"]
    );
    assert_eq!(names(below(&rules)), ["a.test.yaml", "b.test.yml", "more/c.test.yaml"]);
}

#[test]
fn an_alert_keeps_its_beginning_and_annotations_until_it_has_ended() {
    let text = "
tests:
  - name: t
    deliveries:
      - { at: 0s, alerts: [{ labels: { alertname: A }, annotations: { summary: bad } }] }
      - { at: 10m, firing: { alertname: A } }
      - { at: 20m, resolved: { alertname: A } }
      - { at: 30m, firing: { alertname: A } }
      - { at: 40m, alerts: [{ labels: { alertname: A }, status: resolved, starts_at: 5m, ends_at: 35m }] }
    expect: [{ at: 1h, cases: 0 }]
";
    let (file, _) = House::new().read(text);
    let test = file.unwrap().tests.remove(0);
    let minutes = |time: Option<jiff::Timestamp>| {
        time.map(|time| (time.as_second() - test.start.as_second()) / 60)
    };
    let seen: Vec<_> = test
        .deliveries
        .iter()
        .map(|delivery| {
            let alert = &delivery.received.alerts[0];
            let summary = alert.annotations.get("summary").map(String::as_str);
            (alert.status.as_str(), minutes(alert.starts_at), minutes(alert.ends_at), summary)
        })
        .collect();
    let expected = [
        ("firing", Some(0), None, Some("bad")),
        ("firing", Some(0), None, Some("bad")),
        ("resolved", Some(0), Some(20), Some("bad")),
        ("firing", Some(30), None, Some("bad")),
        ("resolved", Some(5), Some(35), Some("bad")),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_text_may_lack_pieces() {
    let expect = |wanted: &str| {
        format!("- at: 1h\n  incidents: [{{ rule: edge, case: {{ subject: {wanted} }} }}]\n")
    };
    let house = House::new();
    assert_eq!(house.failures(EDGE, &expect("{ lacks: www, contains: [shop, '5%'] }")), "");
    let failures = house.failures(EDGE, &expect("{ lacks: [www, above], contains: [shop, '7%'] }"));
    assert!(failures.contains("does not contain `7%` and contains `above`"), "{failures}");
}

#[test]
fn a_matcher_has_decided_only_where_it_was_the_only_one_that_did_not_hold() {
    let (_, gaps) = House::new().run(
        "
tests:
  - name: t
    deliveries:
      - { at: 0s, firing: { alertname: EdgeErrors, env: prod, severity: critical } }
      - { at: 0s, firing: { alertname: Other, env: test } }
    expect: [{ at: 0s, unmatched: 1 }]
",
    );
    let of_edge: Vec<&String> = gaps.iter().filter(|gap| gap.contains("edge: matcher")).collect();
    assert_eq!(of_edge.len(), 2, "{gaps:?}");
}

#[test]
fn a_default_counts_only_where_an_alert_can_come_to_it() {
    let counts = |matchers: &str| {
        let house = House::of(&format!(
            "
rules:
  - name: one
    match: [{matchers}]
    case:
      account: A-1
      category: TECHNICAL
      product: Ion Premier
      problem: Slow
      severity: {{ from: severity, map: {{ critical: 1, warning: 2 }}, default: 3 }}
      subject: x
      description: x
"
        ));
        let (_, gaps) = house.run(
            "
tests:
  - name: t
    deliveries: [{ at: 0s, firing: [{ severity: critical }, { severity: warning }] }]
    expect: [{ at: 0s, others: false, unmatched: 0 }]
",
        );
        gaps.iter().any(|gap| gap == "one: severity that is never taken: the default (rank 3)")
    };
    for matchers in [
        "'severity =~ \"critical|warning\"'",
        "'severity =~ \"critical|warning|info\"', 'severity != info'",
        "'severity =~ \"(critical|warning)\"', 'severity =~ \".+\"'",
    ] {
        assert!(!counts(matchers), "{matchers}");
    }
    for matchers in [
        "",
        "'severity != info'",
        "'severity =~ \"critical|warning|\"'",
        "'severity =~ \"critical|warning.*\"'",
        "'severity =~ \"critical|warning|info\"'",
        "'level !~ \"info|low\"'",
    ] {
        assert!(counts(matchers), "{matchers}");
    }
}
