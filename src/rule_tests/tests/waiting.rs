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

/// Alerts of a rule with these contracts fire, one after the other.
fn firing(rule: &str, contracts: &[&str]) -> String {
    let deliveries = contracts.iter().map(|contract| {
        format!(
            "- {{ at: 0s, alerts: [{{ labels: {{ alertname: {rule}, contract: {contract}, \
             severity: critical }}, annotations: {{ value: nine }} }}] }}"
        )
    });
    deliveries.collect::<Vec<_>>().join("\n")
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
        description: '{rule}: nine'
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
fn what_is_pending_is_opened_at_once_when_a_person_approves_it() {
    let told = failures(
        &house(),
        &firing("pending", &["C-1"]),
        "- { at: 10m, approve: { rule: pending } }",
        "- { at: 10m, cases: 1, incidents: [{ rule: pending, state: open }] }",
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
- { at: 11m, approve: { rule: approval } }
- { at: 12m, reject: { rule: budget } }
- { at: 13m, approve: { rule: shadow, identity: { contract: C-9 } } }
- { at: 14m, approve: { rule: approval, identity: { contract: C-2 }, generation: 2 } }
",
        "- { at: 1h, others: true, incidents: [{ rule: approval, state: held }] }",
    );
    insta::assert_snapshot!(told, @r#"
    error: t: at 11m, 2 incidents of approval can be approved
     --> rules.test.yaml:9:20
      |
    9 |       - { at: 11m, approve: { rule: approval } }
      |                    ^^^^^^^ any of them may be meant
      |
      = help: say which one by its `identity`
              approval {contract="C-1"}
              approval {contract="C-2"}

    error: t: at 12m, budget {contract="C-1"} cannot be rejected: it is open
      --> rules.test.yaml:10:20
       |
    10 |       - { at: 12m, reject: { rule: budget } }
       |                    ^^^^^^ it is open
       |
       = help: at 0s it was opening: fires; a case is being opened
               at 0s it was open: case F-000001 is open

    error: t: at 13m, there is no incident of shadow {contract="C-9"} to be approved
      --> rules.test.yaml:11:20
       |
    11 |       - { at: 13m, approve: { rule: shadow, identity: { contract: C-9 } } }
       |                    ^^^^^^^ there is no such incident
       |
       = help: pending firing: shadow wants alertname="shadow", and it is "pending"
               approval firing: shadow wants alertname="shadow", and it is "approval"
               budget firing: shadow wants alertname="shadow", and it is "budget"

    error: t: at 14m, there is no incident of approval {contract="C-2"} (generation 2) to be approved
      --> rules.test.yaml:12:20
       |
    12 |       - { at: 14m, approve: { rule: approval, identity: { contract: C-2 }, generation: 2 } }
       |                    ^^^^^^^ there is no such incident
       |
       = help: pending firing: approval wants alertname="approval", and it is "pending"
               approval firing: approval takes it
               budget firing: approval wants alertname="approval", and it is "budget"
    "#);
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
    insta::assert_snapshot!(told, @r#"
    error: t: at 1h, a built-in text stands in the draft of approval {contract="C-1"}
      --> rules.test.yaml:11:13
       |
    11 |             draft: { severity: 1, subject: Usage of C-2, also_notify: [] }
       |             ^^^^^
       |
       = help: the built-in description stands in: approval: description:1:17: `annotations.value` does not exist; write {{default annotations.value ""}} where it may be absent
               if that is meant, say `fallback: true`

    error: t: at 1h, `severity` of the draft of approval {contract="C-1"} is 3, not 1
      --> rules.test.yaml:11:32
       |
    11 |             draft: { severity: 1, subject: Usage of C-2, also_notify: [] }
       |                                ^ it is 3

    error: t: at 1h, `subject` of the draft of approval {contract="C-1"} is not `Usage of C-2`
      --> rules.test.yaml:11:44
       |
    11 |             draft: { severity: 1, subject: Usage of C-2, also_notify: [] }
       |                                            ^^^^^^^^^^^^ it is "Usage of C-1"

    error: t: at 1h, the draft of approval {contract="C-1"} has 1 address of `also_notify`, not 0
      --> rules.test.yaml:11:58
       |
    11 |             draft: { severity: 1, subject: Usage of C-2, also_notify: [] }
       |                                                          ^^^^^^^^^^^ there is 1
       |
       = help: - noc@example.com

    error: t: at 1h, there is no draft of shadow {contract="C-2"}
      --> rules.test.yaml:13:13
       |
    13 |             draft: { severity: 3 }
       |             ^^^^^ it cannot be made
       |
       = help: the vendor would not take this case: `product` is missing: a case of category TECHNICAL must have one

    error: t: at 1h, budget {contract="C-3"} does not wait for its case: it is open
      --> rules.test.yaml:15:13
       |
    15 |             draft: { severity: 3 }
       |             ^^^^^ it is open
       |
       = help: its case was opened: say `case`
               at 0s it was opening: fires; a case is being opened
               at 0s it was open: case F-000001 is open
    "#);
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
    insta::assert_snapshot!(house().mistakes(&file), @r"
    error: `tests[0].people[0]` does not say what the person does
     --> rules.test.yaml:4:11
      |
    4 |       - { at: 1m }
      |           ^^
      |
      = help: add `approve` or `reject`, each with an incident, such as `approve: { rule: the name of a rule }`

    error: `tests[0].people[1]` both approves and rejects
     --> rules.test.yaml:5:11
      |
    5 |       - { at: 1m, approve: { rule: approval }, reject: { rule: approval } }
      |           ^^
      |
      = help: write an item for each

    error: `tests[0].people[2]` needs `at`
     --> rules.test.yaml:6:11
      |
    6 |       - { approve: { rule: aproval } }
      |           ^^^^^^^ `at` is missing
      |
      = help: add `at: ...`

    error: there is no rule `aproval`
     --> rules.test.yaml:6:28
      |
    6 |       - { approve: { rule: aproval } }
      |                            ^^^^^^^
      |
      = help: did you mean `approval`?

    error: there is no key `aprove` in `tests[0].people[3]`
     --> rules.test.yaml:7:19
      |
    7 |       - { at: 1m, aprove: { rule: approval } }
      |                   ^^^^^^ unknown key
      |
      = help: did you mean `approve`? known here: at, approve, reject

    error: `tests[0].people[4].approve` must be a map, not a text
     --> rules.test.yaml:8:28
      |
    8 |       - { at: 1m, approve: approval }
      |                            ^^^^^^^^ this is a text
      |
      = help: such as `{ rule: the name of a rule }`

    error: `tests[0].people[5].approve` needs `rule`
     --> rules.test.yaml:9:19
      |
    9 |       - { at: 1m, approve: { identity: { contract: C-1 } } }
      |                   ^^^^^^^ `rule` is missing
      |
      = help: add `rule: ...`

    error: `contrct` is no label of the rule's identity
      --> rules.test.yaml:10:67
       |
    10 |       - { at: 1m, approve: { rule: approval, identity: { contrct: C-1 }, state: held } }
       |                                                                   ^^^
       |
       = help: did you mean `contract`?

    error: there is no key `state` in `tests[0].people[6].approve`
      --> rules.test.yaml:10:74
       |
    10 |       - { at: 1m, approve: { rule: approval, identity: { contrct: C-1 }, state: held } }
       |                                                                          ^^^^^ unknown key
       |
       = help: known here: rule, identity, generation

    error: nothing is expected after this
      --> rules.test.yaml:11:19
       |
    11 |       - { at: 2h, reject: { rule: approval } }
       |                   ^^^^^^
       |
       = help: add an expectation for this time or a later one

    error: `tests[0].expect[0].incidents[0].draft` must be a map, not a text
      --> rules.test.yaml:13:66
       |
    13 |       - { at: 1h, cases: 0, incidents: [{ rule: approval, draft: none }] }
       |                                                                  ^^^^ this is a text
       |
       = help: such as `{ severity: 1 }`
    ");
}
