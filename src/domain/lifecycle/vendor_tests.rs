//! What follows when the vendor closes a case, or opens it again.

use std::time::Duration;

use super::tests::{Life, as_bad_as, firing, ranked, resolved};
use super::*;
use crate::domain::testing::{T0, alert, at};

const DAY: i64 = 24 * 60 * 60;

/// `a` fires, and has a case.
fn open() -> Life {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life
}

/// The vendor has closed it.
fn closed() -> Life {
    let mut life = open();
    life.closed_by_vendor(at(60), at(90));
    assert_eq!(life.state(), "closed");
    life
}

#[test]
fn a_closure_while_alerts_fire_is_noted_and_not_commented() {
    let mut life = open();
    let step = life.closed_by_vendor(at(60), at(90));
    assert_eq!(step.reason, Reason::VendorClosed { case: "F-CS-1".into(), firing: 1 });
    assert_eq!(
        step.reason.to_string(),
        "the vendor closed case F-CS-1 while 1 alert fires; it goes on when something new fires"
    );
    let incident = life.incident.as_ref().expect("exists");
    assert_eq!(incident.state, State::Closed { case: "F-CS-1".into(), at: at(60) });
    assert_eq!(life.kinds(), ["open"]);
    assert!(!life.closed_by_vendor(at(60), at(91)).changed, "once is enough");
}

#[test]
fn the_time_of_a_closure_is_neither_in_the_future_nor_before_the_beginning() {
    for (said, kept) in [(at(3_600), at(90)), (at(-3_600), T0), (at(60), at(60))] {
        let mut life = open();
        life.closed_by_vendor(said, at(90));
        let state = life.incident.map(|incident| incident.state);
        assert_eq!(state, Some(State::Closed { case: "F-CS-1".into(), at: kept }));
    }
    let mut life = open();
    life.step(&Event::ClosedByVendor { case: &"F-CS-1".into(), at: None }, at(90));
    let state = life.incident.map(|incident| incident.state);
    assert_eq!(state, Some(State::Closed { case: "F-CS-1".into(), at: at(90) }));
}

#[test]
fn a_closure_of_another_case_is_none_of_this_incident() {
    let mut life = open();
    assert!(
        !life.step(&Event::ClosedByVendor { case: &"F-CS-2".into(), at: None }, at(90)).changed
    );
    let mut life = closed();
    assert!(!life.step(&Event::ReopenedByVendor { case: &"F-CS-2".into() }, at(91)).changed);
}

#[test]
fn while_the_same_alerts_repeat_nothing_follows() {
    let mut life = closed();
    for hour in 1..48 {
        let step = life.hear(&firing(&["a"]), at(hour * 3_600));
        assert_eq!((life.state(), step.actions.len()), ("closed", 0), "hour {hour}");
    }
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn an_alert_that_joins_is_commented_on_the_same_case() {
    let mut life = closed();
    let step = life.hear(&firing(&["a", "b"]), at(120));
    assert_eq!(step.reason, Reason::Refired);
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open", "comment"]));
}

#[test]
fn an_alert_that_had_ended_and_fires_again_is_commented() {
    let mut life = closed();
    life.hear(&resolved(&["a"], at(100)), at(101));
    assert_eq!((life.state(), life.kinds()), ("closed", vec!["open"]));
    life.hear(&[ranked(alert("a").starts(at(200)).build())], at(201));
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open", "comment"]));
}

#[test]
fn an_alert_that_gets_worse_is_commented() {
    let mut life = Life::under(Policy::default());
    life.hear(&as_bad_as(3, "a"), T0);
    life.case_opened(at(1));
    life.closed_by_vendor(at(60), at(90));
    let worse = alert("a").annotation("value", "99").build();
    life.hear(&[RankedAlert { alert: worse, rank: Rank::WORST }], at(120));
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open", "comment"]));
}

#[test]
fn something_new_after_reopen_within_opens_a_case_that_names_the_old_one() {
    // Its time counts from when the vendor closed the case, not from when that was noticed.
    for (late, state) in [(DAY + 60, "open"), (DAY + 61, "opening")] {
        let mut life = closed();
        for hour in 1..24 {
            life.hear(&firing(&["a"]), at(hour * 3_600));
        }
        life.hear(&firing(&["a", "b"]), at(late));
        assert_eq!(life.state(), state, "{late}");
        let previous = life.incident.and_then(|incident| incident.previous_case);
        assert_eq!(previous.is_some(), state == "opening");
    }
}

#[test]
fn what_comes_back_after_a_silence_or_since_a_later_time_is_new() {
    // Its end was never told.
    let mut life = closed();
    life.hear(&[ranked(alert("a").starts(at(5_000)).build())], at(5_001));
    assert_eq!(life.state(), "open");
    let silence = i64::try_from(Policy::STALE_AFTER.as_secs()).expect("small");
    for (after, state) in [(silence - 1, "closed"), (silence, "open")] {
        let mut life = closed();
        life.hear(&firing(&["a"]), at(after));
        assert_eq!(life.state(), state, "{after}");
    }
}

#[test]
fn what_the_vendor_was_never_told_of_is_told_when_it_closes() {
    let policy = Policy { update_every: Duration::from_secs(3_600), ..Policy::default() };
    let mut life = Life::under(policy);
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear(&firing(&["a", "b"]), at(30));
    assert_eq!(life.kinds(), ["open"], "it waits for its time");
    let step = life.closed_by_vendor(at(60), at(90));
    assert_eq!(step.reason, Reason::VendorMissed("F-CS-1".into()));
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open", "comment"]));
    // Now it knows.
    life.closed_by_vendor(at(100), at(101));
    assert_eq!(life.state(), "closed");
    // Of what has ended meanwhile nothing needs to be told.
    let mut life = open();
    life.hear(&firing(&["b"]), at(30));
    life.hear(&resolved(&["b"], at(40)), at(41));
    life.closed_by_vendor(at(60), at(90));
    assert_eq!((life.state(), life.kinds()), ("closed", vec!["open"]));
}

#[test]
fn a_closure_during_the_hold_down_ends_it_without_a_word() {
    let policy = Policy {
        resolve_after: Duration::from_secs(900),
        resolve_action: ResolveAction::Close,
        ..Policy::default()
    };
    let mut life = Life::under(policy);
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear(&resolved(&["a"], at(30)), at(31));
    assert_eq!(life.state(), "resolving");
    let step = life.closed_by_vendor(at(60), at(90));
    assert_eq!(step.reason.to_string(), "the vendor closed case F-CS-1; no alert fires");
    life.step(&Event::Timer, at(10_000));
    assert_eq!((life.state(), life.kinds()), ("closed", vec!["open"]));
}

#[test]
fn before_there_is_a_case_and_after_the_end_a_closure_changes_nothing() {
    let mut life = Life::under(Policy::default());
    assert!(!life.closed_by_vendor(T0, T0).changed);
    life.hear(&firing(&["a"]), T0);
    assert!(!life.closed_by_vendor(T0, at(1)).changed, "opening");
    life.case_opened(at(2));
    life.hear(&resolved(&["a"], at(60)), at(61));
    assert!(!life.closed_by_vendor(at(70), at(71)).changed, "closed");
}

#[test]
fn what_the_vendor_opens_again_goes_on_if_it_still_fires() {
    let mut life = closed();
    let step = life.reopened_by_vendor(at(120));
    assert_eq!(step.reason, Reason::VendorReopened("F-CS-1".into()));
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open"]));
    life.hear(&resolved(&["a"], at(130)), at(131));
    assert_eq!((life.state(), life.kinds()), ("closed", vec!["open", "comment"]));
    assert!(!life.reopened_by_vendor(at(140)).changed, "it is over");
}
