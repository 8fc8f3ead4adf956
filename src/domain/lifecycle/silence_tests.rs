//! What is not said: ends that nobody tells, payloads that leave alerts out, and what changes while
//! nobody looks.

use std::time::Duration;

use super::tests::{Life, firing, ranked, resolved};
use super::*;
use crate::domain::alert::Alert;
use crate::domain::testing::{T0, alert, at, event};

const HOUR: i64 = 3_600;

fn held(hold: Hold) -> Restraint {
    Restraint { hold, until: None, why: "a test wants it".to_owned() }
}

fn closing() -> Policy {
    Policy { resolve_action: ResolveAction::Close, ..Policy::default() }
}

fn pages(alert: Alert, rank: u64) -> Vec<RankedAlert> {
    vec![RankedAlert { alert, rank: Rank::new(rank).unwrap() }]
}

#[test]
fn an_end_in_a_payload_that_leaves_alerts_out_ends_nothing_also_before_there_is_a_case() {
    for wait in [0, 300] {
        let mut life = Life::under(Policy { open_after: Duration::from_secs(wait), ..closing() });
        life.hear(&firing(&["a"]), T0);
        life.hear_truncated(&resolved(&["a"], at(60)), at(60));
        life.step(&Event::Timer, at(300));
        life.case_opened(at(301));
        assert_eq!((life.state(), life.kinds()), ("open", vec!["open"]), "open.after {wait} s");
        // As soon as all is told, it is over.
        life.hear(&resolved(&["a"], at(60)), at(400));
        assert_eq!(life.kinds(), ["open", "comment", "close"], "open.after {wait} s");
    }
}

#[test]
fn what_gets_worse_while_its_case_is_being_sent_is_told_as_soon_as_there_is_one() {
    let mut life = Life::under(Policy::default());
    life.hear(&pages(event("q", 0).label("priority", "P5").build(), 3), T0);
    let as_of = life.incident.as_ref().map(AsOf::of);
    life.hear(&pages(event("q", 2).label("priority", "P1").build(), 1), at(2));
    let opened = OpenedCase { as_of, ..OpenedCase::only("F-CS-1".into()) };
    let step = life.step(&Event::CaseOpened(&opened), at(6));
    let from_to = |reason: &Reason| match reason {
        Reason::Escalates { from, to } => (from.get(), to.get()),
        other => panic!("{other}"),
    };
    assert_eq!(from_to(&step.reason), (3, 1));
    assert_eq!(life.kinds(), ["open", "comment"]);
}

#[test]
fn what_changes_while_its_case_is_being_sent_is_news_unless_the_case_says_it() {
    for (drafted, told) in [(0, true), (3, false)] {
        let mut life = Life::under(Policy::default());
        life.hear(&firing(&["a"]), T0);
        let mut as_of = life.incident.as_ref().map(AsOf::of);
        life.hear(&[ranked(alert("a").annotation("value", "9").build())], at(2));
        as_of = as_of.map(|as_of| AsOf { at: at(drafted), ..as_of });
        let opened = OpenedCase { as_of, ..OpenedCase::only("F-CS-1".into()) };
        life.step(&Event::CaseOpened(&opened), at(6));
        assert_eq!(life.kinds(), ["open"], "only what is worse is told at once");
        life.step(&Event::Timer, at(HOUR));
        assert_eq!(life.kinds().len() == 2, told, "drafted {drafted} s after the beginning");
    }
}

#[test]
fn what_was_rejected_comes_back_if_its_sender_was_silent_or_it_began_anew() {
    let reject = || {
        let mut life = Life::under(Policy::default());
        life.restraint = Some(held(Hold::Approval));
        life.hear(&firing(&["a"]), T0);
        life.step(&Event::Rejected, at(60));
        life
    };
    let generation = |life: &Life| life.incident.as_ref().map(|incident| incident.generation);
    // Its sender repeats it: that is what was rejected.
    let mut life = reject();
    for hours in 1..48 {
        life.hear(&firing(&["a"]), at(hours * HOUR));
        assert_eq!((life.state(), generation(&life)), ("dropped", Some(1)), "{hours} h");
    }
    // Nobody has said when it ended, but it was long silent.
    let mut life = reject();
    life.hear(&firing(&["b"]), at(13 * HOUR));
    assert_eq!((life.state(), generation(&life)), ("held", Some(2)));
    // It fires since a later time: it has ended meanwhile.
    let mut life = reject();
    life.hear(&[ranked(alert("a").starts(at(1_800)).build())], at(1_830));
    assert_eq!((life.state(), generation(&life)), ("held", Some(2)));
}

#[test]
fn a_failed_opening_is_tried_anew_when_it_fires_after_a_long_silence() {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a"]), T0);
    life.step(&Event::OpenFailed, at(60));
    life.hear(&firing(&["a"]), at(HOUR));
    assert_eq!(life.state(), "failed");
    life.hear(&firing(&["a"]), at(14 * HOUR));
    assert_eq!(life.kinds(), ["open", "open"]);
    assert!(life.actions.iter().all(|action| action.look_first == (action.seq > 1)));
}

#[test]
fn who_speaks_only_when_something_happens_may_be_silent_whoever_began() {
    let (page, fires) = (|| pages(event("q", 0).build(), 2), || firing(&["a"]));
    for page_first in [true, false] {
        let mut life = Life::under(closing());
        let (first, second) = if page_first { (page(), fires()) } else { (fires(), page()) };
        life.hear(&first, T0);
        life.case_opened(at(1));
        life.hear(&second, at(2));
        life.hear(&resolved(&["a"], at(HOUR)), at(HOUR));
        life.step(&Event::Timer, at(30 * HOUR));
        assert_eq!(life.state(), "open", "PagerDuty's alert goes on; it was first: {page_first}");
        // And who repeats itself may not, whoever began.
        life.hear(&[ranked(alert("a").starts(at(31 * HOUR)).build())], at(31 * HOUR));
        life.hear(&pages(event("q", 32 * HOUR).resolved(at(32 * HOUR)).build(), 2), at(32 * HOUR));
        life.step(&Event::Timer, at(45 * HOUR));
        assert_eq!(life.state(), "closed", "it was first: {page_first}");
    }
}

#[test]
fn no_case_is_opened_for_what_was_silent_for_longer_than_it_may() {
    let mut life = Life::under(Policy { open_after: Duration::from_secs(86_400), ..closing() });
    life.hear(&firing(&["a"]), T0);
    life.step(&Event::Timer, at(24 * HOUR));
    assert_eq!((life.state(), life.kinds()), ("dropped", vec![]));
}

#[test]
fn a_note_that_waits_for_a_case_sets_no_timer() {
    for hold in [Hold::Approval, Hold::Shadow, Hold::Budget, Hold::Rollup] {
        let mut life = Life::under(Policy { update_notes: true, ..Policy::default() });
        life.restraint = Some(held(hold));
        life.hear(&pages(event("q", 0).build(), 2), T0);
        let remark =
            Remark { at: None, author: "On-call Engineer".to_owned(), text: "known".to_owned() };
        life.step(&Event::Remarked(&remark), at(1));
        let due = life.incident.as_ref().and_then(|incident| incident.state.due());
        assert_eq!(due, None, "{hold:?}");
    }
}
