//! A week of noisy alerts, from a seed: what each policy promises about it.
//!
//! `cargo bench --bench week` prints the same week, larger, as a table. Other seeds are run with
//! `CASEWRIGHT_SEEDS=10..20 cargo test --release --test week`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a test"
)]

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use model::noise::{HOUR, Kind, LONGEST_STORM, MINUTE, Size, Week};
use model::play::Row;
use model::policies::{self, Stage};
use model::{Outcome, senders, without_memory};

/// So that a debug build takes seconds.
const ENOUGH: Range<u64> = 1..4;

/// What the files of the week say.
const RULE_BUDGET: usize = 5;
const BUDGET: usize = 12;
const HOLD_DOWN: i64 = 5 * MINUTE;

/// `group_wait`, and a restart that comes just then.
const TOLD_AFTER: i64 = 7 * MINUTE;

static OUTCOMES: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
    let seeds = match std::env::var("CASEWRIGHT_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("a range such as 10..20");
            from.parse().expect("a number")..to.parse().expect("a number")
        }
        Err(_) => ENOUGH,
    };
    std::thread::scope(|threads| {
        let run = |seed| threads.spawn(move || model::run(seed, &Size::SMALL));
        let running: Vec<_> = seeds.map(run).collect();
        running.into_iter().map(|one| one.join().expect("it has run")).collect()
    })
});

fn rows() -> impl Iterator<Item = (&'static Outcome, usize, &'static Row)> {
    OUTCOMES.iter().flat_map(|outcome| {
        outcome.rows.iter().enumerate().map(move |(stage, row)| (outcome, stage, row))
    })
}

fn place(outcome: &Outcome, row: &Row) -> String {
    format!("seed {}, up to {}", outcome.week.seed, row.name)
}

/// How many cases there are about each trouble.
fn by_trouble(row: &Row) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for case in &row.cases {
        *counts.entry(case.trouble).or_default() += 1;
    }
    counts
}

#[test]
fn a_week_follows_from_its_seed_and_has_everything_in_it() {
    for outcome in OUTCOMES.iter() {
        let Outcome { week, traffic, .. } = outcome;
        let again = senders::traffic(&Week::of(week.seed, &Size::SMALL));
        assert!(again == *traffic, "seed {}", week.seed);
        assert!(traffic.sent.iter().any(|sent| sent.twin));
        assert!(traffic.sent.iter().any(|sent| sent.cut));
        assert!(!traffic.lost_ends.is_empty());
        let last = outcome.rows.last().expect("rows");
        for why in ["too short", "muted", "rolled up"] {
            assert!(last.none.contains_key(why), "{}: nothing is {why}", place(outcome, last));
        }
        assert!(last.reopened > 0, "{}", place(outcome, last));
        let limited = &outcome.rows[Stage::place_of("limits")];
        assert!(limited.none.contains_key("over budget"), "{}", place(outcome, limited));
    }
}

#[test]
fn the_last_rule_set_is_the_file_and_the_first_has_no_policy() {
    let file = include_str!("files/rules.yaml");
    assert_eq!(policies::rules(7), file);
    for key in ["open:", "mute:", "limits:"] {
        assert!(!policies::rules(0).contains(key), "{key}");
    }
}

#[test]
fn no_real_incident_is_missed_whatever_the_policies() {
    for (outcome, _, row) in rows() {
        let missed: Vec<_> =
            row.missed.iter().map(|index| &outcome.week.troubles[*index]).collect();
        assert!(missed.is_empty(), "{}: {missed:#?}", place(outcome, row));
    }
}

#[test]
fn a_real_incident_has_exactly_one_case_once_a_refire_goes_on_with_it() {
    for (outcome, stage, row) in rows() {
        let real = |trouble: &usize| outcome.week.troubles[*trouble].kind == Kind::Real;
        let only_rolled_up = row.joined.keys().filter(|one| !row.real.contains_key(one));
        let told = row.real.len() + only_rolled_up.filter(|one| real(one)).count();
        assert_eq!(told, outcome.week.count(|kind| kind == Kind::Real), "{}", place(outcome, row));
        if stage >= Stage::place_of("reopen_within") {
            let cases: BTreeSet<usize> = row.real.values().copied().collect();
            assert_eq!(cases, BTreeSet::from([1]), "{}: {:?}", place(outcome, row), row.real);
        }
    }
}

#[test]
fn an_incident_never_asks_for_two_cases() {
    for (outcome, _, row) in rows() {
        assert_eq!(row.doubled, 0, "{}", place(outcome, row));
    }
}

#[test]
fn whatever_gets_no_case_has_a_reason_in_the_record() {
    for (outcome, _, row) in rows() {
        assert!(row.unexplained.is_empty(), "{}: {:#?}", place(outcome, row), row.unexplained);
        let alerts = |why: &str| row.unowned.get(why).map_or(0, BTreeSet::len);
        assert_eq!(alerts("a rule ignores it"), outcome.week.count(|kind| kind == Kind::Staging));
        assert_eq!(alerts("no rule matches"), outcome.week.count(|kind| kind == Kind::Unowned));
        for case in &row.cases {
            assert!(!matches!(case.kind, Kind::Staging | Kind::Unowned), "{case:?}");
        }
    }
}

/// Each policy either holds back what would be opened, or keeps what was opened going on for
/// longer; so about each trouble there are at most as many cases as without it. Only roll-ups
/// leave room in budgets, for troubles that waited too long without them.
#[test]
fn no_policy_opens_more_cases_than_there_were_without_it() {
    for outcome in OUTCOMES.iter() {
        for pair in outcome.rows[..Stage::place_of("overflow")].windows(2) {
            let (before, after) = (by_trouble(&pair[0]), by_trouble(&pair[1]));
            for (trouble, cases) in after {
                let had = before.get(&trouble).copied().unwrap_or(0);
                let what = &outcome.week.troubles[trouble];
                let place = place(outcome, &pair[1]);
                assert!(cases <= had, "{place}: {cases} cases instead of {had}: {what:#?}");
            }
        }
        let (_, firings) = without_memory(&outcome.traffic);
        // What was silent for longer than `stale_after` is over, and fires again without having begun anew.
        let silences: usize =
            outcome.week.troubles.iter().map(|trouble| trouble.silences.len()).sum();
        assert!(outcome.rows[0].cases.len() <= firings.len() + silences);
    }
}

#[test]
fn a_settling_time_asks_for_no_more_closures() {
    for outcome in OUTCOMES.iter() {
        let settled = Stage::place_of("resolve.after");
        let [before, after] = [settled - 1, settled].map(|stage| outcome.rows[stage].closures);
        assert!(after <= before, "seed {}: {after} instead of {before}", outcome.week.seed);
    }
}

#[test]
fn throttled_updates_change_no_case_and_save_comments() {
    for outcome in OUTCOMES.iter() {
        let [before, after] = ["limits", "update"].map(|name| &outcome.rows[Stage::place_of(name)]);
        let cases = |row: &Row| -> Vec<(usize, i64)> {
            row.cases.iter().map(|case| (case.trouble, case.at)).collect()
        };
        assert_eq!(cases(before), cases(after), "{}", place(outcome, after));
        assert!(after.comments <= before.comments, "{}", place(outcome, after));
    }
}

#[test]
fn budgets_hold_in_every_hour_of_the_week() {
    for (outcome, _, row) in rows().filter(|(_, stage, _)| *stage >= Stage::place_of("limits")) {
        let place = place(outcome, row);
        assert!(row.most_in_an_hour(|_| true) <= BUDGET, "{place}");
        let rules: BTreeSet<&str> = row.cases.iter().map(|case| case.rule.as_str()).collect();
        for rule in rules {
            assert!(
                row.most_in_an_hour(|case| case.rule == rule) <= RULE_BUDGET,
                "{place}: {rule}"
            );
        }
    }
}

/// Whatever is over the budget has a case together, and a rule has one at a time.
#[test]
fn a_storm_has_a_roll_up_for_each_rule_at_most() {
    for outcome in OUTCOMES.iter() {
        let row = &outcome.rows[Stage::place_of("overflow")];
        let place = place(outcome, row);
        assert!(!row.rollups.is_empty(), "{place}");
        // One rule in the first and the last, three in the second.
        assert!(row.rollups.len() <= 5, "{place}: {:?}", row.rollups);
        for before in &outcome.rows[..Stage::place_of("overflow")] {
            assert!(before.rollups.is_empty(), "{place}");
        }
    }
}

#[test]
fn with_all_policies_every_case_is_explained_by_what_is_wrong() {
    for outcome in OUTCOMES.iter() {
        let Outcome { week, traffic, rows } = outcome;
        let row = rows.last().expect("rows");
        let place = place(outcome, row);
        // Whose end was never told still fires, as far as anybody knows.
        let is_lost = |trouble: usize| traffic.lost_ends.iter().any(|(of, _)| *of == trouble);
        let mut storms: BTreeMap<usize, usize> = BTreeMap::new();
        for (trouble, cases) in by_trouble(row) {
            match week.troubles[trouble].kind {
                Kind::Real | Kind::Unsteady => assert_eq!(cases, 1, "{place}"),
                Kind::Storm(_) if is_lost(trouble) => assert_eq!(cases, 1, "{place}"),
                Kind::Storm(number) => *storms.entry(number).or_default() += cases,
                kind => assert!(is_lost(trouble), "{place}: a case for {kind:?} {trouble}"),
            }
        }
        // The budget of a rule, or of all of them, for each hour that a storm has begun.
        for (number, most) in [(0, 2 * RULE_BUDGET), (1, BUDGET), (2, 2 * RULE_BUDGET)] {
            let cases = storms.get(&number).copied().unwrap_or(0);
            assert!(cases <= most, "{place}: {cases} cases for storm {number}");
        }
    }
}

#[test]
fn a_real_incident_waits_for_its_case_no_longer_than_its_policies_say() {
    for (outcome, stage, row) in rows() {
        let mut most = TOLD_AFTER;
        if stage >= Stage::place_of("open.after") {
            most += HOLD_DOWN;
        }
        if (Stage::place_of("limits")..Stage::place_of("overflow")).contains(&stage) {
            // Behind a whole storm, and then until the budget has room.
            most += LONGEST_STORM + HOUR;
        }
        let (waited, which) = row.latest;
        assert!(waited <= most, "{}: {waited} s, {which:?}", place(outcome, row));
    }
}
