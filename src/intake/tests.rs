use std::sync::Arc;

use super::displaced;
use super::plan::Plan;
use crate::config::RuleInputs;
use crate::domain::alert::Alert;
use crate::domain::ids::{DeliveryId, InstallationId, RuleName};
use crate::domain::testing::{AlertBuilder, alert, event};
use crate::playbook::Playbook;
use crate::rules::file;
use crate::sources::{Move, Received};
use crate::store::{Decision, Fate, Known, Verdict};
use crate::templates::TemplateSet;

fn playbook(rules: &str) -> Arc<Playbook> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, rules).unwrap();
    let vendor = crate::config::KnownVendor::named("akamai");
    let inputs = RuleInputs {
        files: vec![path],
        vendors: vec![vendor],
        vendors_complete: true,
        ..RuleInputs::default()
    };
    let (rules, diagnostics) = file::load(&inputs, &|_| None);
    let rules = rules.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let (templates, _) = TemplateSet::builder().build();
    Arc::new(Playbook {
        rules,
        templates,
        limit: None,
        mute: None,
        redaction: Default::default(),
        fetch: Default::default(),
        links: Default::default(),
    })
}

fn decide(playbook: &Arc<Playbook>, known: &Known, alert: Alert, now: &str) -> Decision {
    let received = Received { alerts: vec![alert], ..Received::default() };
    let installation = InstallationId::new("i");
    let delivery = DeliveryId::new("d");
    let now = now.parse().unwrap();
    Plan::make(playbook.clone(), &installation, &delivery, received, now).decide(known)
}

#[test]
fn an_end_reaches_its_incident_when_the_rule_is_not_for_that_time() {
    let playbook = playbook(
        "rules:
  - name: hours
    match: []
    during: { from: '08:00', to: '18:00' }
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 1, subject: s, description: d }",
    );
    let mut known = Known::default();
    let late = decide(&playbook, &known, alert("a").build(), "2026-08-03T18:00:00Z");
    assert_eq!((late.fate, late.steps.len()), (Fate::Unmatched, 0));
    let began = decide(&playbook, &known, alert("a").build(), "2026-08-03T17:59:59Z");
    let incident = began.steps[0].incident.clone().unwrap();
    assert!(incident.is_firing());
    known.note(incident.clone());
    let ended = alert("a").resolved("2026-08-03T20:00:00Z".parse().unwrap()).build();
    let over = decide(&playbook, &known, ended, "2026-08-03T20:00:10Z");
    assert_eq!((over.fate, over.steps.len()), (Fate::Accepted, 1));
    let after = over.steps[0].incident.as_ref().unwrap();
    assert_eq!(after.id, incident.id);
    assert!(!after.is_firing());
    assert_eq!(over.verdicts[0].rule.as_ref().map(RuleName::as_str), Some("hours"));
}

const TWO_RULES: &str = "rules:
  - name: severe
    match: ['priority = P1']
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 1, subject: s, description: d }
  - name: any
    match: []
    OPEN
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 3, subject: s, description: d }";

const NOON: &str = "2026-08-03T12:00:00Z";

fn two_rules(open: &str) -> Arc<Playbook> {
    playbook(&TWO_RULES.replace("OPEN", open))
}

/// Takes alerts in, and notes what they lead to.
fn hears(playbook: &Arc<Playbook>, known: &mut Known, received: Received) -> Decision {
    let (installation, delivery) = (InstallationId::new("i"), DeliveryId::new("d"));
    let now = NOON.parse().unwrap();
    let plan = Plan::make(playbook.clone(), &installation, &delivery, received, now);
    let decision = plan.decide(known);
    decision.steps.iter().filter_map(|step| step.incident.clone()).for_each(|i| known.note(i));
    decision
}

fn of(alerts: impl IntoIterator<Item = Alert>) -> Received {
    Received { alerts: alerts.into_iter().collect(), ..Received::default() }
}

fn told(decision: &Decision) -> Vec<String> {
    let rule = |verdict: &Verdict| verdict.rule.as_ref().map_or("-".into(), ToString::to_string);
    decision
        .verdicts
        .iter()
        .map(|verdict| format!("{}: {}", rule(verdict), verdict.effect))
        .collect()
}

#[test]
fn an_alert_stays_with_the_case_that_it_has_and_makes_it_worse() {
    let (playbook, mut known) = (two_rules(""), Known::default());
    let group = |alert: AlertBuilder| alert.group("incident", "q");
    hears(&playbook, &mut known, of([group(event("q", 0)).build()]));
    let raised = group(event("q", 1)).label("priority", "P1").build();
    let decision = hears(&playbook, &mut known, of([raised]));
    assert_eq!(told(&decision), ["any: updated; alerts changed; the case goes on"]);
    let [step] = decision.steps.as_slice() else { panic!("{decision:?}") };
    let incident = step.incident.as_ref().unwrap();
    assert_eq!((incident.rule.as_str(), incident.rank.get()), ("any", 1));
    assert!(step.actions.is_empty(), "no second case");
}

#[test]
fn an_alert_whose_incident_has_no_case_yet_goes_where_its_labels_lead() {
    let (playbook, mut known) = (two_rules("open: { after: 10m }"), Known::default());
    hears(&playbook, &mut known, of([event("q", 0).group("incident", "q").build()]));
    let raised = event("q", 1).group("incident", "q").label("priority", "P1").build();
    let decision = hears(&playbook, &mut known, of([raised.clone()]));
    assert_eq!(
        told(&decision),
        [
            "any: resolved; its alert belongs to severe now; no case was opened here",
            "severe: fired; fires; a case is being opened",
        ]
    );
    // And stays there, once there is a case, whatever its labels say.
    let lowered = event("q", 2).group("incident", "q").build();
    let decision = hears(&playbook, &mut known, of([lowered]));
    assert_eq!(told(&decision), ["severe: updated; alerts changed; the case goes on"]);
    let over = event("q", 3).group("incident", "q").resolved(raised.starts_at.unwrap()).build();
    let decision = hears(&playbook, &mut known, of([over]));
    assert!(known.homes(&raised).is_empty(), "{:?}", told(&decision));
}

#[test]
fn an_alert_that_no_rule_wants_any_more_stays_where_it_is() {
    let mut known = Known::default();
    hears(&two_rules("open: { after: 10m }"), &mut known, of([alert("a").group("g", "a").build()]));
    let others =
        playbook("rules:\n  - name: none\n    match: ['alertname = b']\n    ignore: true\n");
    let decision =
        hears(&others, &mut known, of([alert("a").group("g", "a").label("x", "y").build()]));
    assert_eq!(told(&decision), ["any: updated; alerts changed; the case goes on"]);
}

#[test]
fn a_merged_incident_goes_on_as_the_other() {
    let (playbook, mut known) = (two_rules(""), Known::default());
    let one = |at: i64| event("one", at).group("incident", "one");
    let two = |at: i64| event("two", at).group("incident", "two");
    hears(&playbook, &mut known, of([one(0).build()]));
    let merge = Move { from: one(5).build(), into: two(5).build() };
    let decision =
        hears(&playbook, &mut known, Received { moves: vec![merge], ..Received::default() });
    assert_eq!(told(&decision).len(), 2, "{:?}", told(&decision));
    assert!(known.homes(&one(5).build()).is_empty());
    // The other's own labels lead to an incident of its own; it has a case here already.
    let decision = hears(&playbook, &mut known, of([two(6).build()]));
    assert_eq!(decision.steps.len(), 1);
    assert!(!decision.steps[0].opens());
    let end = two(7).resolved(NOON.parse().unwrap()).build();
    let decision = hears(&playbook, &mut known, of([end]));
    let ended = decision.steps.iter().filter_map(|step| step.incident.as_ref());
    assert!(ended.clone().count() > 0 && ended.clone().all(|incident| !incident.is_firing()));
}

#[test]
fn what_is_merged_before_it_has_a_case_leaves_it_to_the_other() {
    let (playbook, mut known) = (two_rules("open: { after: 10m }"), Known::default());
    let one = |at: i64| event("one", at).group("incident", "one");
    let two = |at: i64| event("two", at).group("incident", "two");
    hears(&playbook, &mut known, of([one(0).build(), two(0).build()]));
    let merge = Move { from: one(5).build(), into: two(5).build() };
    let decision =
        hears(&playbook, &mut known, Received { moves: vec![merge], ..Received::default() });
    let [step] = decision.steps.as_slice() else { panic!("{decision:?}") };
    assert_eq!(step.incident.as_ref().unwrap().state.name(), "dropped");
    assert!(step.reason.to_string().starts_with("its alert goes on as two, in incident "));
}

#[test]
fn rules_of_one_scope_share_their_incidents() {
    let playbook = playbook(
        "rules:
  - name: am
    match: ['source = alertmanager']
    identity: [alert_key]
    identity_scope: pages
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 3, subject: s, description: d }
  - name: pd
    match: ['source = pagerduty']
    identity: [alert_key]
    identity_scope: pages
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 2, subject: s, description: d }",
    );
    let mut known = Known::default();
    let am = alert("a").label("source", "alertmanager").alert_key("k").group("g", "a");
    let pd = || event("q", 0).label("source", "pagerduty").group("incident", "q");
    hears(&playbook, &mut known, of([am.build()]));
    let decision = hears(&playbook, &mut known, of([pd().alert_key("k").build()]));
    assert_eq!(told(&decision), ["am: fired; alerts changed; the case goes on"]);
    let incident = decision.steps[0].incident.as_ref().unwrap();
    assert_eq!((incident.tally.firing, incident.rank.get()), (2, 2));
    // Without the key it is not one with all others that have none.
    let decision = hears(&playbook, &mut known, of([pd().build().clone()]));
    assert_eq!(told(&decision), ["am: repeat; nothing new"]);
    let other = event("r", 0).label("source", "pagerduty").group("incident", "r").build();
    let third = event("s", 0).label("source", "pagerduty").group("incident", "s").build();
    let decision = hears(&playbook, &mut known, of([other, third]));
    let opened = decision.steps.iter().filter(|step| step.opens()).count();
    assert_eq!(opened, 2);
}

/// Every event of one PagerDuty incident, by its number; the labels are those that rules look at.
fn page(at: i64) -> AlertBuilder {
    event("q", at).group("incident", "q")
}

fn ended(at: i64) -> Alert {
    page(at).resolved(NOON.parse().unwrap()).build()
}

fn opened(decision: &Decision) -> usize {
    decision.steps.iter().filter(|step| step.opens()).count()
}

#[test]
fn what_is_reopened_goes_on_where_it_was_whatever_its_labels_say_by_now() {
    let (playbook, mut known) = (two_rules(""), Known::default());
    assert_eq!(opened(&hears(&playbook, &mut known, of([page(0).build()]))), 1);
    let raised = |at| page(at).label("priority", "P1");
    let decision = hears(&playbook, &mut known, of([raised(1).build()]));
    assert_eq!(told(&decision), ["any: updated; alerts changed; the case goes on"]);
    // Its end begins nothing where the rules lead by now.
    let end = raised(2).resolved(NOON.parse().unwrap()).build();
    let decision = hears(&playbook, &mut known, of([end]));
    assert_eq!(decision.steps.len(), 1, "{:?}", told(&decision));
    // What is older and comes late is known to be old.
    let decision = hears(&playbook, &mut known, of([raised(1).build()]));
    assert_eq!(opened(&decision), 0, "{:?}", told(&decision));
    let decision = hears(&playbook, &mut known, of([raised(3).build()]));
    let rules: Vec<_> = decision
        .steps
        .iter()
        .filter_map(|step| step.incident.as_ref())
        .map(|i| i.rule.as_str())
        .collect();
    assert_eq!((opened(&decision), rules), (0, vec!["any"]), "{:?}", told(&decision));
}

const GOES_ON: &str = "rules:
  - name: all
    match: []
    continue: true
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 2, subject: s, description: d }
  - name: severe
    match: ['priority = P1']
    OPEN
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 1, subject: s, description: d }
  - name: mild
    match: ['priority = P2']
    OPEN
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 3, subject: s, description: d }";

#[test]
fn where_several_rules_take_an_alert_each_keeps_what_it_has() {
    let (playbook, mut known) = (playbook(&GOES_ON.replace("OPEN", "")), Known::default());
    let low = page(0).label("priority", "P2").build();
    assert_eq!(opened(&hears(&playbook, &mut known, of([low]))), 2);
    let high = page(1).label("priority", "P1").build();
    let decision = hears(&playbook, &mut known, of([high]));
    assert_eq!(opened(&decision), 0, "{:?}", told(&decision));
    let told = told(&decision);
    assert_eq!(told.iter().filter(|told| told.starts_with("all:")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| told.starts_with("mild:")).count(), 1, "{told:?}");
    // Its end is told to both.
    let decision = hears(&playbook, &mut known, of([ended(2)]));
    assert_eq!(decision.steps.len(), 2);
}

#[test]
fn where_several_rules_take_an_alert_what_waits_is_left_for_the_new_one() {
    let waiting = GOES_ON.replace("OPEN", "open: { after: 10m }");
    let (playbook, mut known) = (playbook(&waiting), Known::default());
    hears(&playbook, &mut known, of([page(0).label("priority", "P2").build()]));
    let high = page(1).label("priority", "P1").build();
    let decision = hears(&playbook, &mut known, of([high]));
    let states: Vec<_> = decision
        .steps
        .iter()
        .filter_map(|step| step.incident.as_ref())
        .map(|incident| (incident.rule.as_str(), incident.state.name()))
        .collect();
    assert!(states.contains(&("mild", "dropped")), "{states:?}");
    assert!(states.contains(&("severe", "pending")), "{states:?}");
}

#[test]
fn what_waits_and_is_ignored_by_now_gets_no_case() {
    let ignoring = "rules:
  - name: known
    match: ['status = acknowledged']
    ignore: true
  - name: any
    match: []
    open: { after: 10m }
    case: { account: A-1, category: TECHNICAL, product: p, problem: q, severity: 3, subject: s, description: d }";
    let (playbook, mut known) = (playbook(ignoring), Known::default());
    hears(&playbook, &mut known, of([page(0).build()]));
    let decision =
        hears(&playbook, &mut known, of([page(1).label("status", "acknowledged").build()]));
    assert_eq!(
        told(&decision),
        [
            "any: resolved; rule known ignores its alert now; no case was opened here",
            "known: a rule ignores it",
        ]
    );
    // Once there is a case, it goes on.
    let mut known = Known::default();
    let at_once = self::playbook(&ignoring.replace("    open: { after: 10m }\n", ""));
    hears(&at_once, &mut known, of([page(0).build()]));
    let decision =
        hears(&at_once, &mut known, of([page(1).label("status", "acknowledged").build()]));
    assert_eq!(told(&decision), ["any: updated; alerts changed; the case goes on"]);
}

#[test]
fn a_merge_that_is_told_after_the_end_of_its_target_ends() {
    let (playbook, mut known) = (two_rules(""), Known::default());
    let one = |at: i64| event("one", at).group("incident", "one");
    let two = |at: i64| event("two", at).group("incident", "two");
    hears(&playbook, &mut known, of([one(0).build()]));
    hears(&playbook, &mut known, of([two(0).build()]));
    let end = two(10).resolved(NOON.parse().unwrap()).build();
    hears(&playbook, &mut known, of([end]));
    let merge = Move { from: one(5).build(), into: two(5).build() };
    let decision =
        hears(&playbook, &mut known, Received { moves: vec![merge], ..Received::default() });
    let [step] = decision.steps.as_slice() else { panic!("{:?}", told(&decision)) };
    assert!(step.incident.as_ref().is_some_and(|incident| !incident.is_firing()));
}

#[test]
fn what_a_change_of_rules_does_to_what_waits_is_told_truly() {
    let waiting = two_rules("open: { after: 10m }");
    let began = hears(&waiting, &mut Known::default(), of([alert("a").group("g", "a").build()]));
    let incident = began.steps[0].incident.clone().unwrap();
    let of_rules = |rules: &str| {
        let displaced = displaced(&playbook(rules), &incident).unwrap();
        (displaced.now, displaced.then)
    };
    let other = "rules:\n  - name: other\n    match: ['alertname = b']\n    ignore: true\n";
    let waits_on = "it waits on, and its case is opened when its time comes";
    assert_eq!(of_rules(other), ("no rule matches it any more".to_owned(), waits_on));
    let ignoring = "rules:\n  - name: other\n    match: []\n    ignore: true\n";
    let (now, then) = of_rules(ignoring);
    assert_eq!(now, "it belongs to rule other, which ignores it");
    assert_eq!(then, "no case is opened for it once it is next heard of");
}
