//! What policies do to an incident, row by row.

use super::tests::{Life, as_bad_as, firing, ranked, resolved};
use super::*;
use crate::domain::testing::{T0, alert, at, event};
use std::time::Duration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn restrained(hold: Hold, until: Option<Timestamp>) -> Option<Restraint> {
    Some(Restraint { hold, until, why: "3 of 3 cases in 1h used by rule edge-5xx".to_owned() })
}

/// An incident of the alert `a` whose case was opened at once.
fn open_under(policy: Policy) -> Life {
    let mut life = Life::under(policy);
    life.hear(&firing(&["a"]), T0);
    life.case_opened(T0);
    life
}

fn held_by(hold: Hold, until: Option<Timestamp>) -> Life {
    let mut life = Life::under(Policy::default());
    life.restraint = restrained(hold, until);
    life.hear(&firing(&["a"]), T0);
    assert_eq!((life.state(), life.kinds().len()), ("held", 0));
    life
}

fn due(life: &Life) -> Option<Timestamp> {
    life.incident.as_ref().and_then(|incident| incident.state.due())
}

fn told(life: &Life) -> &Note {
    match &life.actions.last().expect("an action").kind {
        ActionKind::Comment { note } => note,
        other => panic!("{other:?}"),
    }
}

// ---- updates

#[test]
fn what_is_new_is_told_in_one_comment_when_the_last_is_old_enough() {
    let mut life = open_under(Policy::default());
    for (minute, name) in [(1, "b"), (2, "c"), (3, "d")] {
        life.hear(&firing(&[name]), at(minute * MINUTE));
    }
    life.hear(&resolved(&["b"], at(4 * MINUTE)), at(4 * MINUTE));
    assert_eq!(life.kinds(), ["open"]);
    assert_eq!(due(&life), Some(at(30 * MINUTE)));
    assert!(!life.step(&Event::Timer, at(30 * MINUTE - 1)).changed);
    let step = life.step(&Event::Timer, at(30 * MINUTE));
    assert_eq!((step.reason, life.kinds()), (Reason::Tells, vec!["open", "comment"]));
    let Note::Update { news, firing, escalated, .. } = told(&life) else { panic!() };
    let named = |names: &BTreeMap<Fingerprint, String>| names.keys().cloned().collect::<Vec<_>>();
    assert_eq!(named(&news.fired), ["c".into(), "d".into()], "b came and went");
    assert_eq!((named(&news.resolved), *firing, *escalated), (vec![], 3, None));
    // Nothing is told twice.
    assert!(!life.step(&Event::Timer, at(60 * MINUTE)).changed);
}

#[test]
fn an_alert_that_is_worse_than_the_case_says_is_told_at_once_and_only_once() {
    let mut life = Life::under(Policy::default());
    let minor = |name: &str| RankedAlert { alert: alert(name).build(), rank: rank(3) };
    life.hear(&[minor("a")], T0);
    life.case_opened(at(1));
    life.hear(&[minor("b")], at(2));
    let step = life.hear(&[RankedAlert { rank: rank(1), ..minor("c") }], at(3));
    assert_eq!(step.reason, Reason::Escalates { from: rank(3), to: rank(1) });
    assert_eq!(life.kinds(), ["open", "comment"]);
    let Note::Update { news, escalated, .. } = told(&life) else { panic!() };
    assert_eq!((news.fired.len(), *escalated), (2, Some((rank(3), rank(1)))));
    let step = life.hear(&[RankedAlert { rank: rank(1), ..minor("d") }], at(4));
    assert_eq!(step.reason, Reason::Changed, "as bad as was told");
    assert_eq!(life.incident.expect("there").rank, rank(3), "the case's own cannot change");
}

fn rank(number: u64) -> Rank {
    Rank::new(number).expect("from 1 to 9")
}

#[test]
fn changed_annotations_are_news_unless_the_rule_says_otherwise() {
    let changed = [ranked(alert("a").annotation("summary", "worse").build())];
    for (update_on_annotations, kinds) in [(true, &["open", "comment"][..]), (false, &["open"])] {
        let mut life = open_under(Policy { update_on_annotations, ..Policy::default() });
        life.hear(&changed, at(MINUTE));
        life.step(&Event::Timer, at(31 * MINUTE));
        assert_eq!(life.kinds(), kinds);
    }
}

#[test]
fn that_somebody_has_acknowledged_it_is_no_news() {
    let mut life = Life::under(Policy::default());
    let said = |when: i64, status: &str| {
        let mut event = event("q", when).build();
        event.labels.insert("status".to_owned(), status.to_owned());
        [ranked(event)]
    };
    life.hear(&said(0, "triggered"), T0);
    life.case_opened(T0);
    life.hear(&said(60, "acknowledged"), at(60));
    life.step(&Event::Timer, at(HOUR));
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn what_was_new_before_the_end_is_not_told_after_it() {
    let mut life = open_under(Policy { resolve_after: Duration::from_secs(900), ..closing() });
    life.hear(&firing(&["b"]), at(MINUTE));
    life.hear(&resolved(&["a", "b"], at(2 * MINUTE)), at(2 * MINUTE));
    life.step(&Event::Timer, at(HOUR));
    assert_eq!(life.kinds(), ["open", "comment", "close"]);
    assert!(matches!(&life.actions[1].kind, ActionKind::Comment { note: Note::Resolved { .. } }));
    assert!(life.incident.expect("there").news.is_empty());
}

fn closing() -> Policy {
    Policy { resolve_action: ResolveAction::Close, ..Policy::default() }
}

// ---- silence

#[test]
fn a_snapshot_sender_that_falls_silent_ends_the_incident_with_a_comment() {
    let mut life = open_under(closing());
    assert_eq!(due(&life), Some(at(12 * HOUR)));
    let step = life.step(&Event::Timer, at(12 * HOUR));
    assert_eq!(step.reason, Reason::Silent(T0, ResolveAction::Comment));
    assert_eq!((life.state(), life.kinds()), ("closed", vec!["open", "comment"]));
    // It speaks again: the same case goes on.
    assert_eq!(life.hear(&firing(&["a"]), at(13 * HOUR)).reason, Reason::Refired);
}

#[test]
fn repeats_keep_an_incident_alive_and_are_written_down_now_and_then() {
    let mut life = open_under(Policy::default());
    let changed: Vec<bool> =
        (1..=12).map(|hour| life.hear(&firing(&["a"]), at(hour * HOUR)).changed).collect();
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 6, "every 12 h / 8 = 1.5 h");
    assert!(!life.step(&Event::Timer, at(23 * HOUR)).changed);
    assert_eq!(life.state(), "open");
}

#[test]
fn a_sender_that_speaks_only_when_something_happens_may_be_silent_for_ever() {
    let mut life = Life::under(Policy::default());
    life.hear(&[ranked(event("q", 0).build())], T0);
    life.case_opened(T0);
    assert_eq!(due(&life), None);
    assert!(!life.step(&Event::Timer, at(1000 * HOUR)).changed);
    // Unless the rule says otherwise.
    let day = Policy { stale_after: Some(Duration::from_secs(86_400)), ..Policy::default() };
    let mut life = Life::under(day);
    life.hear(&[ranked(event("q", 0).build())], T0);
    life.case_opened(T0);
    life.step(&Event::Timer, at(24 * HOUR));
    assert_eq!(life.state(), "closed");
}

#[test]
fn silence_that_is_forgiven_is_no_news_and_the_timer_is_set_anew_when_it_runs_out() {
    let mut life = open_under(Policy::default());
    life.incident.as_mut().expect("there").heard_at = at(10 * MINUTE);
    assert!(!life.hear(&firing(&["a"]), at(11 * MINUTE)).changed);
    assert_eq!(due(&life), Some(at(12 * HOUR)));
    assert!(life.step(&Event::Timer, at(12 * HOUR)).changed);
    assert_eq!((life.state(), due(&life)), ("open", Some(at(12 * HOUR + 10 * MINUTE))));
}

#[test]
fn silence_closes_the_case_only_where_the_rule_says_so_and_never_at_zero() {
    let mut closes = open_under(Policy { stale_action: ResolveAction::Close, ..Policy::default() });
    closes.step(&Event::Timer, at(12 * HOUR));
    assert_eq!(closes.kinds(), ["open", "comment", "close"]);
    let mut never = open_under(Policy { stale_after: Some(Duration::ZERO), ..Policy::default() });
    assert!(!never.step(&Event::Timer, at(1000 * HOUR)).changed);
}

// ---- holds

#[test]
fn a_held_incident_says_why_and_is_dropped_if_it_resolves() {
    for hold in Hold::ALL {
        let mut life = Life::under(Policy::default());
        life.restraint = restrained(hold, None);
        let said = life.hear(&firing(&["a"]), T0).reason.to_string();
        let why = format!("held ({}): 3 of 3 cases in 1h used by rule edge-5xx", hold.name());
        assert_eq!(said, why);
        life.hear(&resolved(&["a"], at(5)), at(5));
        assert_eq!((life.state(), life.kinds().len()), ("dropped", 0));
    }
}

#[test]
fn what_is_held_opens_when_it_is_heard_of_and_nothing_holds_it_any_more() {
    for hold in [Hold::Approval, Hold::Shadow, Hold::Mute] {
        let mut life = held_by(hold, None);
        life.restraint = None;
        assert_eq!(life.hear(&firing(&["a"]), at(5)).reason, Reason::Released(hold));
        assert_eq!((life.state(), life.kinds()), ("opening", vec!["open"]));
    }
}

#[test]
fn what_waits_for_the_budget_is_let_go_by_its_turn_and_not_by_speaking() {
    let mut life = held_by(Hold::Budget, None);
    life.restraint = None;
    life.hear(&firing(&["a"]), at(5));
    assert_eq!(life.state(), "held");
    assert_eq!(life.step(&Event::Timer, at(6)).reason, Reason::Released(Hold::Budget));
    assert_eq!(life.state(), "opening");
}

#[test]
fn what_a_rollup_stands_for_stays_with_it_until_it_ends_or_a_person_wants_its_case() {
    let mut life = held_by(Hold::Rollup, None);
    life.restraint = None;
    life.hear(&firing(&["b"]), at(5));
    assert!(!life.step(&Event::Timer, at(6)).changed);
    // Looked at again for whatever reason: only its silence counts.
    let early = life.incident.as_mut().expect("there");
    early.state = State::Held { hold: Hold::Rollup, due: Some(at(7)) };
    life.step(&Event::Timer, at(7));
    assert_eq!((life.state(), due(&life)), ("held", Some(at(12 * HOUR + 5))));
    life.hear(&resolved(&["a", "b"], at(10)), at(10));
    assert_eq!((life.state(), life.kinds().len()), ("dropped", 0));
}

#[test]
fn a_mute_that_ends_opens_what_still_fires() {
    let mut life = held_by(Hold::Mute, Some(at(HOUR)));
    assert_eq!(due(&life), Some(at(HOUR)));
    assert!(!life.step(&Event::Timer, at(HOUR - 1)).changed);
    life.restraint = None;
    assert_eq!(life.step(&Event::Timer, at(HOUR)).reason, Reason::Released(Hold::Mute));
}

#[test]
fn what_a_mute_leaves_to_another_hold_is_held_by_that() {
    let mut life = held_by(Hold::Mute, Some(at(HOUR)));
    life.restraint = restrained(Hold::Budget, None);
    let reason = life.step(&Event::Timer, at(HOUR)).reason;
    assert!(matches!(reason, Reason::Holds(Hold::Budget, _)), "{reason:?}");
    assert_eq!((life.state(), life.kinds().len()), ("held", 0));
}

#[test]
fn a_held_incident_whose_sender_falls_silent_is_dropped() {
    let mut life = held_by(Hold::Approval, None);
    let step = life.step(&Event::Timer, at(12 * HOUR));
    assert_eq!(step.reason, Reason::DroppedInSilence(T0));
    assert_eq!((life.state(), life.kinds().len()), ("dropped", 0));
}

#[test]
fn until_its_case_is_sent_the_worst_alert_speaks_also_for_what_is_held() {
    let mut life = Life::under(Policy::default());
    life.restraint = restrained(Hold::Budget, None);
    life.hear(&[RankedAlert { alert: alert("a").build(), rank: rank(4) }], T0);
    life.hear(&[RankedAlert { alert: alert("b").build(), rank: rank(2) }], at(1));
    assert_eq!(life.incident.expect("there").rank, rank(2));
}

#[test]
fn what_people_write_is_told_where_the_rule_wants_it_at_once_or_when_there_is_a_case() {
    let remark = Remark { at: Some(T0), author: "On-call".into(), text: "see the graph".into() };
    let mut life = Life::under(Policy { update_notes: true, ..Policy::default() });
    assert!(!life.step(&Event::Remarked(&remark), T0).changed, "of what?");
    life.hear(&firing(&["a"]), T0);
    assert_eq!(life.step(&Event::Remarked(&remark), at(1)).reason, Reason::KeepsRemark);
    assert_eq!(life.kinds(), ["open"]);
    life.case_opened(at(2));
    assert_eq!(life.step(&Event::Remarked(&remark), at(3)).reason, Reason::TellsRemark);
    assert_eq!(life.kinds(), ["open", "comment", "comment"]);
    let told = |action: &NewAction| {
        action.kind == ActionKind::Comment { note: Note::Remark { remark: remark.clone() } }
    };
    assert!(life.actions.iter().skip(1).all(told), "{:?}", life.actions);

    let mut life = open_under(Policy::default());
    assert!(!life.step(&Event::Remarked(&remark), at(3)).changed, "nobody has asked for it");
}

// ---- people

#[test]
fn a_person_may_approve_whatever_holds_it() {
    for hold in Hold::ALL {
        let mut life = held_by(hold, None);
        assert_eq!(life.step(&Event::Approved, at(1)).reason, Reason::Approved);
        assert_eq!((life.state(), life.kinds()), ("opening", vec!["open"]));
        // Twice changes nothing.
        assert!(!life.step(&Event::Approved, at(2)).changed);
    }
}

#[test]
fn what_becomes_worse_after_the_opening_has_failed_is_in_the_case_that_is_tried_again() {
    let mut life = Life::under(Policy::default());
    life.hear(&as_bad_as(2, "a"), at(0));
    life.step(&Event::OpenFailed, at(1));
    life.hear(&as_bad_as(1, "b"), at(2));
    life.step(&Event::OpenRevived, at(3));
    assert_eq!(life.incident.as_ref().map(|incident| incident.rank), Rank::new(1));
    life.case_opened(at(4));
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn what_a_person_has_rejected_comes_back_only_after_it_has_been_quiet() {
    let mut life = held_by(Hold::Approval, None);
    assert_eq!(life.step(&Event::Rejected, at(1)).reason, Reason::Rejected);
    for second in 2..5 {
        life.hear(&firing(&["a"]), at(second));
        assert_eq!(life.state(), "dropped");
    }
    life.restraint = None;
    life.hear(&resolved(&["a"], at(10)), at(10));
    life.hear(&[ranked(alert("a").starts(at(600)).build())], at(600));
    let incident = life.incident.expect("there");
    assert_eq!((incident.generation, incident.state.name()), (2, "opening"));
}

#[test]
fn a_case_that_exists_can_neither_be_approved_nor_rejected() {
    let mut life = open_under(Policy::default());
    assert!(!life.step(&Event::Approved, at(1)).changed);
    assert!(!life.step(&Event::Rejected, at(1)).changed);
    assert_eq!(life.kinds(), ["open"]);
}
