use serde_json::{Value, json};

use super::*;
use crate::config::Lookup;
use crate::sources::Source as _;
use crate::sources::alertmanager::Alertmanager;
use crate::sources::credential::Auth;
use crate::sources::pagerduty::PagerDuty;

const CONFIG: &str = "
store: { sqlite: casewright.db }
rules: [rules.yaml]
sources:
  - { name: am, kind: alertmanager, auth: { bearer: [x] } }
  - { name: pd, kind: pagerduty, secrets: [x] }
vendors:
  - { name: akamai, kind: sandbox }
";

/// A world with one rule, `r`, of which `more` is the end.
fn world(more: &str) -> World {
    world_with("A-1", more)
}

fn world_with(account: &str, more: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    let rules = format!(
        "
rules:
  - name: r
    match: []
    identity: [property]
    case:
      account: {account}
      category: TECHNICAL
      product: P
      problem: Q
      severity: {{ from: severity, map: {{ critical: 1 }}, default: 3 }}
      subject: '{{{{labels.property}}}} is down'
      description: '{{{{labels.property}}}}: {{{{incident.firing}}}} firing'
{more}"
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let config = folder.path().join("casewright.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let nothing: Lookup<'_> = &|_| None;
    let (setup, diagnostics) = crate::setup::load_for_rehearsal(&config, nothing);
    let setup = setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    World::new(Arc::new(setup.playbook), at(0))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_603_600 + seconds).unwrap()
}

fn alerts(alerts: &[(&str, &str, &str, i64)], truncated: u64) -> Received {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(name, property, status, since)| {
            json!({
                "status": status, "startsAt": at(*since).to_string(), "annotations": {},
                "endsAt": if *status == "firing" { at(-99_999).to_string() } else { at(since + 1).to_string() },
                "labels": { "alertname": name, "property": property, "severity": "critical" },
            })
        })
        .collect();
    let payload = json!({
        "version": "4", "groupKey": "{}:{}", "receiver": "x", "truncatedAlerts": truncated,
        "alerts": alerts,
    });
    Alertmanager::new("am".into(), Auth::new(&[], &[], &[]))
        .parse(&http::HeaderMap::new(), payload.to_string().as_bytes())
        .unwrap()
}

fn post(world: &mut World, seconds: i64, name: &str, property: &str, status: &str) -> Fate {
    let received = alerts(&[(name, property, status, 0)], 0);
    world.deliver(&"am".into(), received, at(seconds)).0
}

/// State after state, each with the seconds at which it was entered.
fn states(life: &Life) -> Vec<(i64, &'static str)> {
    let since = |moment: &Moment| (moment.at.as_second() - at(0).as_second(), moment.state);
    life.moments.iter().map(since).collect()
}

fn kinds(life: &Life) -> Vec<&'static str> {
    life.deeds.iter().map(|deed| deed.kind).collect()
}

#[test]
fn a_firing_alert_has_its_case_at_once_and_the_end_is_told() {
    let mut world = world("    resolve: { action: close }");
    post(&mut world, 0, "a", "shop", "firing");
    post(&mut world, 60, "a", "shop", "resolved");
    let [life] = world.lives() else { panic!("{:?}", world.lives()) };
    assert_eq!(states(life), [(0, "opening"), (0, "open"), (60, "closed")]);
    assert_eq!(kinds(life), ["open", "comment", "close"]);
    let (deed, drafted) = life.case().unwrap();
    assert_eq!(deed.rank, Rank::WORST);
    assert!(drafted.draft.subject.starts_with("shop is down [cw-"), "{}", drafted.draft.subject);
    assert_eq!(drafted.draft.description, "shop: 1 firing");
    let comments: Vec<&str> = life.comments().collect();
    let [comment] = comments.as_slice() else { panic!("{comments:?}") };
    assert!(comment.starts_with("The alert behind this case has resolved"), "{comment}");
    assert!(comment.ends_with("This comment was written automatically."), "{comment}");
    assert_eq!(world.cases(), 1);
}

#[test]
fn timers_run_out_at_their_time_and_not_before() {
    let mut world = world("    open: { after: 5m }\n    resolve: { after: 10m }");
    post(&mut world, 0, "a", "shop", "firing");
    world.advance(at(299));
    assert_eq!(world.lives()[0].incident.state.name(), "pending");
    world.advance(at(300));
    assert_eq!(world.lives()[0].incident.state.name(), "open");
    post(&mut world, 400, "a", "shop", "resolved");
    world.advance(at(5000));
    let expected =
        [(0, "pending"), (300, "opening"), (300, "open"), (400, "resolving"), (1000, "closed")];
    assert_eq!(states(&world.lives()[0]), expected);
}

#[test]
fn a_timer_that_was_set_anew_does_not_run_out_at_its_old_time() {
    let mut world = world("    resolve: { after: 10m }");
    post(&mut world, 0, "a", "shop", "firing");
    post(&mut world, 60, "a", "shop", "resolved");
    // A new episode, which ends later.
    let again = alerts(&[("a", "shop", "firing", 300)], 0);
    world.deliver(&"am".into(), again, at(300));
    let over = alerts(&[("a", "shop", "resolved", 300)], 0);
    world.deliver(&"am".into(), over, at(600));
    world.advance(at(1199));
    assert_eq!(world.lives()[0].incident.state.name(), "resolving");
    world.advance(at(1200));
    assert_eq!(world.lives()[0].incident.state.name(), "closed");
    assert_eq!(kinds(&world.lives()[0]), ["open", "comment"]);
}

#[test]
fn what_is_due_when_a_delivery_comes_happens_before_it() {
    let mut world = world("    open: { after: 5m }");
    post(&mut world, 0, "a", "shop", "firing");
    post(&mut world, 300, "a", "shop", "resolved");
    assert_eq!(kinds(&world.lives()[0]), ["open", "comment"]);
}

#[test]
fn a_repeat_changes_nothing() {
    let mut world = world("");
    assert_eq!(post(&mut world, 0, "a", "shop", "firing"), Fate::Accepted);
    assert_eq!(post(&mut world, 1, "a", "shop", "firing"), Fate::Repeat);
    assert_eq!(states(&world.lives()[0]), [(0, "opening"), (0, "open")]);
}

#[test]
fn an_event_that_was_delivered_before_is_not_looked_at() {
    let mut world = world("");
    let event = json!({ "event": { "id": "e1", "event_type": "incident.triggered",
        "occurred_at": at(0).to_string(),
        "data": { "type": "incident", "id": "Q1", "status": "triggered", "title": "t" } } });
    let received = PagerDuty::new("pd".into(), vec!["x".into()])
        .parse(&http::HeaderMap::new(), event.to_string().as_bytes())
        .unwrap();
    assert_eq!(world.deliver(&"pd".into(), received.clone(), at(0)).0, Fate::Accepted);
    assert_eq!(world.deliver(&"pd".into(), received, at(5)).0, Fate::Redelivered);
}

#[test]
fn members_that_a_delivery_does_not_speak_of_stay_members() {
    let mut world = world("    resolve: { action: close }");
    let both = alerts(&[("a", "shop", "firing", 0), ("b", "shop", "firing", 0)], 0);
    world.deliver(&"am".into(), both, at(0));
    assert_eq!(world.lives()[0].case().unwrap().1.draft.description, "shop: 2 firing");
    post(&mut world, 60, "a", "shop", "resolved");
    let incident = &world.lives()[0].incident;
    assert_eq!((incident.members.len(), incident.tally.firing), (2, 1));
    assert_eq!(incident.state.name(), "open");
    post(&mut world, 90, "b", "shop", "resolved");
    assert_eq!(world.lives()[0].incident.state.name(), "closed");
}

#[test]
fn what_is_over_the_budget_has_one_case_together() {
    let mut world = world("    limits: { cases: 1, per: 1h, overflow: rollup }");
    for (second, property) in [(0, "shop"), (1, "blog"), (2, "img")] {
        post(&mut world, second, "a", property, "firing");
    }
    world.advance(at(60));
    assert_eq!(world.cases(), 2);
    let state = |world: &World, index: usize| world.lives()[index].incident.state.name();
    assert_eq!([0, 1, 2, 3].map(|index| state(&world, index)), ["open", "held", "held", "open"]);
    let (_, drafted) = world.lives()[3].case().unwrap();
    let subject = &drafted.draft.subject;
    assert!(subject.starts_with("2 problems at once, rule r (roll-up) [cw-"), "{subject}");
    let description = &drafted.draft.description;
    assert!(description.contains("| a (property=blog)\n"), "{description}");
    assert!(description.contains("| a (property=img)\n"), "{description}");
    assert!(!description.contains("property=shop"), "{description}");

    // One ends, one joins: told together, when news are due. The roll-up takes no room in the budget.
    post(&mut world, 100, "a", "blog", "resolved");
    post(&mut world, 110, "a", "docs", "firing");
    world.advance(at(3_000));
    let told: Vec<&str> = world.lives()[3].comments().collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.contains("2 problems fire now"), "{told}");
    assert!(told.contains("New:\n- a (property=docs)"), "{told}");
    assert!(told.contains("Resolved:\n- a (property=blog)"), "{told}");
    post(&mut world, 3_601, "a", "later", "firing");
    assert_eq!(world.cases(), 3, "there is room again for what is new");

    post(&mut world, 3_700, "a", "img", "resolved");
    post(&mut world, 3_700, "a", "docs", "resolved");
    world.advance(at(3_800));
    assert_eq!(state(&world, 3), "closed");
    let told = world.lives()[3].comments().last().unwrap();
    assert!(told.starts_with("All 3 problems behind this case have resolved"), "{told}");
    // The next storm goes on with the same roll-up.
    post(&mut world, 3_900, "a", "again", "firing");
    world.advance(at(4_000));
    assert_eq!((world.cases(), state(&world, 3)), (3, "open"));
}

#[test]
fn a_truncated_payload_ends_nothing() {
    let mut world = world("");
    post(&mut world, 0, "a", "shop", "firing");
    let cut = alerts(&[("a", "shop", "resolved", 0)], 3);
    world.deliver(&"am".into(), cut, at(60));
    assert_eq!(world.lives()[0].incident.state.name(), "open");
}

#[test]
fn long_after_its_end_a_problem_is_a_new_generation_with_a_case_of_its_own() {
    let mut world = world("    reopen_within: 1h");
    post(&mut world, 0, "a", "shop", "firing");
    post(&mut world, 60, "a", "shop", "resolved");
    let soon = alerts(&[("a", "shop", "firing", 3000)], 0);
    world.deliver(&"am".into(), soon, at(3000));
    assert_eq!((world.lives().len(), world.cases()), (1, 1), "the same case goes on");
    let over = alerts(&[("a", "shop", "resolved", 3000)], 0);
    world.deliver(&"am".into(), over, at(3060));
    let late = alerts(&[("a", "shop", "firing", 9000)], 0);
    world.deliver(&"am".into(), late, at(9000));
    assert_eq!((world.lives().len(), world.cases()), (2, 2));
    let [first, second] = world.lives() else { panic!() };
    assert_eq!(kinds(first), ["open", "comment", "comment", "comment"]);
    assert_eq!((second.incident.generation, second.incident.state.name()), (2, "open"));
    assert_eq!(second.incident.previous_case.as_ref(), first.incident.state.case());
}

#[test]
fn an_end_follows_its_alert_to_the_incident_that_it_fires_in() {
    // The label that makes the identity changes between beginning and end, as PagerDuty's do.
    let mut world = world("");
    let with = |property: &str, status: &str, fingerprint: &str| {
        let mut received = alerts(&[("a", property, status, 0)], 0);
        for alert in &mut received.alerts {
            alert.fingerprint = Fingerprint::new(fingerprint);
        }
        received
    };
    world.deliver(&"am".into(), with("shop", "firing", "f1"), at(0));
    world.deliver(&"am".into(), with("renamed", "resolved", "f1"), at(60));
    assert_eq!(world.lives()[0].incident.state.name(), "closed");
}

#[test]
fn a_case_that_cannot_be_made_is_told_of_and_not_counted() {
    let mut world = world_with("'{{labels.nowhere}}'", "");
    post(&mut world, 0, "a", "shop", "firing");
    let life = &world.lives()[0];
    assert_eq!(life.incident.state.name(), "opening");
    assert!(life.problem().unwrap().contains("`account` does not render"), "{:?}", life.problem());
    assert_eq!((world.cases(), life.case()), (0, None));
}
