//! Drafts of what has no case yet, and what people say of it.

use super::{House, test};

/// What a case may wait for, each with the line of a rule that makes it wait.
const WAITS: [(&str, &str); 5] = [
    ("approval", "open: { mode: approve }"),
    ("shadow", "open: { mode: shadow }"),
    ("mute", "mute: { days: [mon], from: '09:00', to: '12:00', time_zone: UTC }"),
    ("budget", "limits: { cases: 1, per: 1d }"),
    ("pending", "open: { after: 1h }"),
];

/// A rule for each of [`WAITS`].
fn house() -> House {
    let mut rules = "rules:\n".to_owned();
    for (name, wait) in WAITS {
        rules.push_str(&format!(
            "
  - name: {name}
    match: ['alertname = {name}']
    identity: [contract]
    case:
      account: A-1
      category: TECHNICAL
      product: '{{{{default labels.product \"Ion Premier\"}}}}'
      problem: Slow
      severity: {{ from: severity, map: {{ critical: 1 }}, default: 3 }}
      subject: 'Usage of {{{{labels.contract}}}}'
      description: '{{{{alert.name}}}}: {{{{annotations.value}}}}'
      also_notify: [noc@example.com]
    {wait}
"
        ));
    }
    House::of(&rules)
}

/// Alerts of a rule with these contracts fire.
fn firing(rule: &str, contracts: &[&str]) -> String {
    let alerts = contracts.iter().map(|contract| {
        format!(
            "{{ labels: {{ alertname: {rule}, contract: {contract}, severity: critical }}, \
             annotations: {{ value: 9 }} }}"
        )
    });
    format!("- {{ at: 0s, alerts: [{}] }}", alerts.collect::<Vec<_>>().join(", "))
}

fn failures(house: &House, deliveries: &str, people: &str, expect: &str) -> String {
    house.run(&test(&[("deliveries", deliveries), ("people", people), ("expect", expect)])).0
}

#[test]
fn whatever_a_case_waits_for_its_draft_can_be_tested() {
    let house = house();
    for (rule, _) in WAITS {
        // The first of two takes what the budget has.
        let others = if rule == "budget" { "true" } else { "false" };
        let contracts: &[&str] = if rule == "budget" { &["C-0", "C-1"] } else { &["C-1"] };
        let told = house.failures(
            &firing(rule, contracts),
            &format!(
                "
- at: 10m
  others: {others}
  incidents:
    - rule: {rule}
      identity: {{ contract: C-1 }}
      case: none
      draft:
        severity: 1
        category: TECHNICAL
        product: Ion Premier
        subject: Usage of C-1
        description: '{rule}: 9'
        also_notify: [noc@example.com]
"
            ),
        );
        assert_eq!(told, "", "{rule}");
    }
}

#[test]
fn a_draft_is_of_the_time_at_which_it_is_looked_at() {
    let told = house().failures(
        "
- { at: 0s, firing: { alertname: pending, contract: C-1 } }
- { at: 1m, firing: { alertname: pending, contract: C-1, severity: critical } }
",
        "
- { at: 59s, incidents: [{ rule: pending, draft: { severity: 3, fallback: true } }] }
- { at: 1m, incidents: [{ rule: pending, draft: { severity: 1, fallback: true } }] }
",
    );
    assert_eq!(told, "");
}

#[test]
fn what_is_approved_is_opened_whatever_holds_it() {
    let house = house();
    for (rule, _) in WAITS.into_iter().filter(|(rule, _)| *rule != "pending") {
        let told = failures(
            &house,
            &firing(rule, &["C-0", "C-1"]),
            &format!("- {{ at: 1h, approve: {{ rule: {rule}, identity: {{ contract: C-1 }} }} }}"),
            &format!(
                "
- {{ at: 59m59s, others: true, incidents: [{{ rule: {rule}, identity: {{ contract: C-1 }}, state: held }}] }}
- at: 1h
  others: true
  incidents:
    - rule: {rule}
      identity: {{ contract: C-1 }}
      state: open
      actions: [open]
      case: {{ subject: Usage of C-1, severity: 1 }}
"
            ),
        );
        assert_eq!(told, "", "{rule}");
    }
}

#[test]
fn what_is_rejected_gets_no_case() {
    let house = house();
    for (rule, _) in WAITS.into_iter().filter(|(rule, _)| *rule != "budget") {
        let told = failures(
            &house,
            &firing(rule, &["C-1"]),
            &format!("- {{ at: 10m, reject: {{ rule: {rule} }} }}"),
            &format!(
                "
- {{ at: 9m59s, incidents: [{{ rule: {rule}, draft: {{ severity: 1 }} }}] }}
- {{ at: 10m, incidents: [{{ rule: {rule}, state: dropped, reason: {{ contains: rejected }} }}] }}
- {{ at: 1d, cases: 0 }}
"
            ),
        );
        assert_eq!(told, "", "{rule}");
    }
}

#[test]
fn a_person_knows_what_comes_in_at_the_same_time() {
    let told = failures(
        &house(),
        &firing("approval", &["C-1"]),
        "- { at: 0s, approve: { rule: approval } }",
        "- { at: 0s, cases: 1, incidents: [{ rule: approval, state: open }] }",
    );
    assert_eq!(told, "");
}

#[test]
fn a_wrong_word_says_how_the_incident_stands() {
    let told = failures(
        &house(),
        &format!(
            "{}\n{}\n{}",
            firing("pending", &["C-1"]),
            firing("approval", &["C-1", "C-2"]),
            firing("budget", &["C-1"]),
        ),
        "
- { at: 10m, approve: { rule: pending } }
- { at: 11m, approve: { rule: approval } }
- { at: 12m, reject: { rule: budget } }
- { at: 13m, approve: { rule: shadow, identity: { contract: C-9 } } }
- { at: 14m, approve: { rule: approval, identity: { contract: C-2 }, generation: 2 } }
",
        "- { at: 1h, others: true, incidents: [{ rule: approval, state: held }] }",
    );
    insta::assert_snapshot!(told, @"");
}

#[test]
fn a_wrong_draft_says_what_it_is() {
    let told = house().failures(
        "
- { at: 0s, firing: { alertname: approval, contract: C-1 } }
- { at: 0s, firing: { alertname: shadow, contract: C-2, product: ' ' } }
- { at: 0s, firing: { alertname: budget, contract: C-3 } }
",
        "
- at: 1h
  incidents:
    - rule: approval
      draft: { severity: 1, subject: Usage of C-2, also_notify: [] }
    - rule: shadow
      draft: { severity: 3 }
    - rule: budget
      draft: { severity: 3 }
",
    );
    insta::assert_snapshot!(told, @"");
}

#[test]
fn mistakes_in_what_people_do_are_all_shown() {
    let file = test(&[
        (
            "people",
            "
- { at: 1m }
- { at: 1m, approve: { rule: approval }, reject: { rule: approval } }
- { approve: { rule: aproval } }
- { at: 1m, aprove: { rule: approval } }
- { at: 1m, approve: approval }
- { at: 1m, approve: { identity: { contract: C-1 } } }
- { at: 1m, approve: { rule: approval, identity: { contrct: C-1 }, state: held } }
- { at: 2h, reject: { rule: approval } }
",
        ),
        ("expect", "- { at: 1h, cases: 0, incidents: [{ rule: approval, draft: none }] }"),
    ]);
    insta::assert_snapshot!(house().mistakes(&file), @"");
}
