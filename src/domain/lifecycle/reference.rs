//! A small model of the lifecycle, written down a second time and in another way, that random
//! histories are compared with.
//!
//! It knows alerts by a letter, keeps whole sets where the real one keeps differences, and speaks of
//! nothing that is tested elsewhere: order and twins of messages (`member`), how long restraints last
//! and their order (`storm`), drafts, remarks and duplicates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::tests::Life;
use super::*;
use crate::domain::testing::{T0, alert};
use crate::time::later;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// How bad an alert is, by its letter.
fn rank(name: &str) -> Rank {
    let number = match name {
        "a" => 2,
        "b" => 3,
        _ => 1,
    };
    Rank::new(number).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Nothing,
    Pending(Timestamp),
    Held(Hold),
    Opening,
    Open,
    Resolving(Timestamp),
    Closed(Timestamp),
    Dropped(Timestamp),
    Failed,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Pending(_) => "pending",
            Self::Held(_) => "held",
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Resolving(_) => "resolving",
            Self::Closed(_) => "closed",
            Self::Dropped(_) => "dropped",
            Self::Failed => "failed",
        }
    }
}

/// What the model says of an incident.
struct Model {
    policy: Policy,
    hold: Option<Hold>,
    phase: Phase,
    generation: u32,
    /// Every alert of it, and whether it fires.
    known: BTreeMap<&'static str, bool>,
    /// Since when each alert fires, as it was said when it began.
    since: BTreeMap<&'static str, Timestamp>,
    /// What was said last left alerts out, and nothing that is known fires.
    incomplete: bool,
    /// What fired when the case was last told.
    told: BTreeSet<&'static str>,
    told_at: Timestamp,
    /// How many remarks wait for the case.
    remarks: usize,
    /// The worst that has ever fired.
    worst: Option<Rank>,
    heard_at: Timestamp,
    begun_at: Timestamp,
    /// What was asked for in the last step.
    asked: Vec<&'static str>,
}

impl Model {
    fn under(policy: Policy) -> Self {
        Self {
            policy,
            hold: None,
            phase: Phase::Nothing,
            generation: 0,
            known: BTreeMap::new(),
            since: BTreeMap::new(),
            incomplete: false,
            told: BTreeSet::new(),
            told_at: T0,
            remarks: 0,
            worst: None,
            heard_at: T0,
            begun_at: T0,
            asked: Vec::new(),
        }
    }

    fn firing(&self) -> BTreeSet<&'static str> {
        self.known.iter().filter(|(_, fires)| **fires).map(|(name, _)| *name).collect()
    }

    fn fires(&self) -> bool {
        !self.firing().is_empty()
    }

    fn open_unless_held(&mut self) {
        match self.hold {
            Some(hold) => self.phase = Phase::Held(hold),
            None => self.open(),
        }
    }

    fn open(&mut self) {
        self.asked.push("open");
        self.phase = Phase::Opening;
    }

    fn tell(&mut self, what: &'static str, now: Timestamp) {
        self.asked.push(what);
        self.know_all(now);
    }

    fn know_all(&mut self, now: Timestamp) {
        self.told = self.firing();
        self.told_at = now;
    }

    fn end(&mut self, what: &'static str, action: ResolveAction, now: Timestamp) {
        if action != ResolveAction::None {
            self.asked.push(what);
        }
        if action == ResolveAction::Close {
            self.asked.push("close");
        }
        self.know_all(now);
        self.phase = Phase::Closed(now);
    }

    fn is_over(&mut self, now: Timestamp) {
        match self.policy.resolve_after {
            Duration::ZERO => self.end("resolved", self.policy.resolve_action, now),
            after => self.phase = Phase::Resolving(later(now, after)),
        }
    }

    fn tell_what_may_be_told(&mut self, is_worse: bool, now: Timestamp) {
        let old_enough = later(self.told_at, self.policy.update_every) <= now;
        if is_worse || (self.told != self.firing() && old_enough) {
            self.tell("update", now);
        }
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        let patience = self.policy.stale_after.unwrap_or_default();
        !patience.is_zero() && later(self.heard_at, patience) <= now
    }

    /// `since` tells since when an alert fires.
    fn hear(
        &mut self,
        alerts: &[(&'static str, bool)],
        since: impl Fn(&str) -> Timestamp,
        complete: bool,
        now: Timestamp,
    ) {
        let any_fires = alerts.iter().any(|(_, fires)| *fires);
        if self.phase == Phase::Nothing {
            if any_fires {
                self.begin(alerts, since, now);
            }
            return;
        }
        let fired_before = self.fires();
        let renewed = match self.phase {
            Phase::Dropped(at) | Phase::Closed(at) => alerts.iter().any(|(name, fires)| {
                let known_since =
                    self.since.get(name).filter(|_| self.known.get(name) == Some(&true));
                *fires && known_since.is_some_and(|known| since(name) > *known) && since(name) > at
            }),
            _ => false,
        };
        let lost = !fired_before || self.is_silent(now) || renewed;
        let (mut changed, mut is_worse, mut begins) = (false, false, false);
        for (name, fires) in alerts {
            match self.known.get(name) {
                None if !fires => continue,
                Some(before) if before == fires => continue,
                _ => {}
            }
            changed = true;
            begins |= *fires;
            self.known.insert(name, *fires);
            self.since.insert(name, since(name));
            if *fires && self.worst.is_none_or(|worst| rank(name) < worst) {
                self.worst = Some(rank(name));
                is_worse = true;
            }
        }
        let patience = self.policy.stale_after.unwrap_or_default();
        let waits = match self.phase {
            Phase::Pending(_) | Phase::Held(_) | Phase::Opening | Phase::Open => true,
            Phase::Dropped(_) | Phase::Failed | Phase::Closed(_) => self.fires(),
            _ => false,
        };
        let ended = matches!(self.phase, Phase::Dropped(_) | Phase::Failed) && !any_fires;
        if !patience.is_zero()
            && !ended
            && (changed || waits && later(self.heard_at, patience / 8) <= now)
        {
            self.heard_at = now;
        }
        let again = self.fires() && !fired_before;
        let over = !self.fires() && complete;
        self.incomplete = !self.fires() && !complete;
        match self.phase {
            Phase::Pending(_) | Phase::Held(_) if over => self.phase = Phase::Dropped(now),
            Phase::Pending(due) if self.fires() && due <= now => self.open_unless_held(),
            Phase::Held(hold) if self.fires() && !waits_its_turn(hold) => self.open_unless_held(),
            Phase::Open if over => self.is_over(now),
            Phase::Open if again => self.tell("refired", now),
            Phase::Open => self.tell_what_may_be_told(is_worse, now),
            Phase::Resolving(_) if self.fires() => {
                self.phase = Phase::Open;
                self.tell_what_may_be_told(is_worse, now);
            }
            Phase::Closed(at) if any_fires && self.fires() && (lost || begins) => {
                if now <= later(at, self.policy.reopen_within) {
                    self.phase = Phase::Open;
                    self.tell("refired", now);
                } else {
                    self.begin(alerts, since, now);
                }
            }
            Phase::Dropped(_) if any_fires && self.fires() && lost => {
                self.begin(alerts, since, now)
            }
            Phase::Failed if any_fires && self.fires() && lost => self.open(),
            _ => {}
        }
    }

    fn begin(
        &mut self,
        alerts: &[(&'static str, bool)],
        since: impl Fn(&str) -> Timestamp,
        now: Timestamp,
    ) {
        self.generation += 1;
        self.begun_at = now;
        self.since = alerts.iter().map(|(name, _)| (*name, since(name))).collect();
        self.known = alerts.iter().filter(|(_, fires)| *fires).copied().collect();
        self.worst = self.known.keys().map(|name| rank(name)).min();
        self.heard_at = now;
        self.incomplete = false;
        self.remarks = 0;
        match self.policy.open_after {
            Duration::ZERO => self.open_unless_held(),
            after => self.phase = Phase::Pending(later(now, after)),
        }
    }

    fn timer(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Pending(_) | Phase::Held(_) | Phase::Open if self.is_silent(now) => {
                self.known.values_mut().for_each(|fires| *fires = false);
                match self.phase {
                    Phase::Open => self.end("silent", self.policy.stale_action, now),
                    _ => self.phase = Phase::Dropped(now),
                }
            }
            Phase::Pending(due) if due <= now => self.open_unless_held(),
            // The others are looked at when something is heard, or when they end.
            Phase::Held(Hold::Budget) => self.open_unless_held(),
            Phase::Open => self.tell_what_may_be_told(false, now),
            Phase::Resolving(due) if due <= now => {
                self.end("resolved", self.policy.resolve_action, now);
            }
            _ => {}
        }
    }

    fn remarked(&mut self) {
        match self.phase {
            _ if !self.policy.update_notes => {}
            Phase::Open | Phase::Resolving(_) => self.asked.push("remark"),
            Phase::Pending(_) | Phase::Held(_) | Phase::Opening => self.remarks += 1,
            _ => {}
        }
    }

    /// The vendor says that it is through with the case since `at`.
    fn closed_by_vendor(&mut self, at: Timestamp, now: Timestamp) {
        match self.phase {
            // What fires and was never told is told, and the vendor has to look once more.
            Phase::Open if self.firing().difference(&self.told).next().is_some() => {
                self.tell("update", now);
            }
            Phase::Open | Phase::Resolving(_) => {
                self.phase = Phase::Closed(at.max(self.begun_at).min(now));
            }
            _ => {}
        }
    }

    fn reopened_by_vendor(&mut self) {
        if matches!(self.phase, Phase::Closed(_)) && self.fires() {
            self.phase = Phase::Open;
        }
    }

    fn opened(&mut self, now: Timestamp) {
        self.asked.extend(std::iter::repeat_n("remark", self.remarks.min(20)));
        self.remarks = 0;
        self.know_all(now);
        self.phase = Phase::Open;
        if !self.fires() && !self.incomplete {
            self.is_over(now);
        }
    }
}

fn waits_its_turn(hold: Hold) -> bool {
    matches!(hold, Hold::Budget | Hold::Rollup)
}

#[derive(Debug, Clone)]
enum Move {
    /// An alert begins or ends; nobody has told yet.
    Turn(usize),
    /// The sender tells how these stand, which may not be all.
    Tell(Vec<usize>, bool),
    Timer,
    Opened,
    Failed,
    Revived,
    Approved,
    Rejected,
    /// A person writes something at the sender.
    Remark,
    /// The vendor tells that it has closed the case, so long ago.
    VendorCloses(u32),
    VendorReopens,
    Restrain(Option<Hold>),
    Wait(u32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        5 => (0..3usize).prop_map(Move::Turn),
        6 => (prop::sample::subsequence(vec![0usize, 1, 2], 1..=3), prop::bool::weighted(0.1))
            .prop_map(|(which, cut)| Move::Tell(which, cut)),
        3 => Just(Move::Timer),
        3 => Just(Move::Opened),
        2 => prop::sample::select(vec![0u32, 60, 3_600, 90_000]).prop_map(Move::VendorCloses),
        1 => Just(Move::VendorReopens),
        1 => prop::sample::select(
            vec![Move::Failed, Move::Revived, Move::Approved, Move::Rejected, Move::Remark]),
        1 => prop::sample::select(
            Hold::ALL.map(Some).into_iter().chain([None; 5]).collect::<Vec<_>>()
        ).prop_map(Move::Restrain),
        // To the second, too: every move takes one more.
        5 => prop_oneof![
            1..600u32,
            600..7_200u32,
            80_000..100_000u32,
            prop::sample::select(vec![298u32, 299, 498, 499, 898, 899, 3_597, 3_598, 86_397]),
        ].prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..80)
}

fn policies() -> impl Strategy<Value = Policy> {
    let actions = || {
        prop::sample::select(vec![
            ResolveAction::Comment,
            ResolveAction::Close,
            ResolveAction::None,
        ])
    };
    let seconds = |some: &'static [u64]| prop::sample::select(some).prop_map(Duration::from_secs);
    (
        seconds(&[0, 300]),
        seconds(&[0, 900]),
        seconds(&[60, 1_800]),
        seconds(&[0, 3_600, 86_400]),
        seconds(&[0, 4_000, 43_200]),
        actions(),
        actions(),
        any::<bool>(),
    )
        .prop_map(
            |(open, resolve, update, reopen, stale, resolve_action, stale_action, notes)| Policy {
                open_after: open,
                resolve_after: resolve,
                update_every: update,
                reopen_within: reopen,
                stale_after: Some(stale),
                resolve_action,
                stale_action,
                update_notes: notes,
                ..Policy::default()
            },
        )
}

/// What an action is called in the model.
fn word(action: &NewAction) -> &'static str {
    match &action.kind {
        ActionKind::Open => "open",
        ActionKind::Close => "close",
        ActionKind::Comment { note: Note::Resolved { .. } } => "resolved",
        ActionKind::Comment { note: Note::Update { .. } } => "update",
        ActionKind::Comment { note: Note::Silent { .. } } => "silent",
        ActionKind::Comment { note: Note::Refired { .. } } => "refired",
        ActionKind::Comment { note: Note::Remark { .. } } => "remark",
        other => panic!("not asked for here: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// State, generation and actions are those of the model after every step of any history.
    #[test]
    fn any_history_goes_as_in_the_model(moves in moves(), policy in policies()) {
        let mut model = Model::under(policy.clone());
        let mut life = Life::under(policy);
        let mut now = T0;
        // Since when each alert fires, or when it ended.
        let mut truth = [(false, T0); 3];
        for next in moves {
            now = later(now, Duration::from_secs(1));
            model.asked.clear();
            let before = life.actions.len();
            match &next {
                Move::Turn(which) => truth[*which] = (!truth[*which].0, now),
                Move::Tell(which, cut) => {
                    let told: Vec<_> = which.iter().map(|which| (NAMES[*which], truth[*which].0)).collect();
                    let alerts: Vec<_> = which.iter().map(|which| {
                        let (fires, since) = truth[*which];
                        let built = alert(NAMES[*which]).starts(since);
                        let alert = if fires { built.build() } else { built.resolved(since).build() };
                        RankedAlert { alert, rank: rank(NAMES[*which]) }
                    }).collect();
                    let since = |name: &str| {
                        NAMES.iter().zip(truth).find(|(known, _)| **known == name).map_or(T0, |(_, (_, since))| since)
                    };
                    model.hear(&told, since, !cut, now);
                    if *cut { life.hear_truncated(&alerts, now); } else { life.hear(&alerts, now); }
                }
                Move::Timer => {
                    model.timer(now);
                    life.step(&Event::Timer, now);
                    // A timer that were still due would run out again and again, before all others.
                    let due = life.incident.as_ref().and_then(|incident| incident.state.due());
                    prop_assert!(due.is_none_or(|due| due > now), "{:?}", life.incident);
                }
                // Outcomes come only of what was asked for.
                Move::Opened if matches!(model.phase, Phase::Opening | Phase::Failed) => {
                    model.opened(now);
                    life.case_opened(now);
                }
                Move::Failed => {
                    if model.phase == Phase::Opening { model.phase = Phase::Failed; }
                    life.step(&Event::OpenFailed, now);
                }
                Move::Revived => {
                    if model.phase == Phase::Failed { model.phase = Phase::Opening; }
                    life.step(&Event::OpenRevived, now);
                }
                Move::Approved => {
                    if matches!(model.phase, Phase::Held(_) | Phase::Pending(_)) { model.open(); }
                    life.step(&Event::Approved, now);
                }
                Move::Rejected => {
                    if matches!(model.phase, Phase::Held(_) | Phase::Pending(_)) {
                        model.phase = Phase::Dropped(now);
                    }
                    life.step(&Event::Rejected, now);
                }
                Move::Remark => {
                    let text = "somebody writes".to_owned();
                    let remark = Remark { at: None, author: String::new(), text };
                    model.remarked();
                    life.step(&Event::Remarked(&remark), now);
                }
                Move::VendorCloses(ago) => {
                    let at = now.checked_sub(Duration::from_secs(u64::from(*ago))).unwrap();
                    model.closed_by_vendor(at, now);
                    life.closed_by_vendor(at, now);
                }
                Move::VendorReopens => {
                    model.reopened_by_vendor();
                    life.reopened_by_vendor(now);
                }
                Move::Restrain(hold) => {
                    model.hold = *hold;
                    life.restraint = hold.map(|hold| Restraint { hold, until: None, why: "a test wants it".to_owned() });
                }
                Move::Wait(seconds) => now = later(now, Duration::from_secs(u64::from(*seconds))),
                Move::Opened => {}
            }
            let asked: Vec<_> = life.actions[before..].iter().map(word).collect();
            prop_assert_eq!(&asked, &model.asked, "{:?}", next);
            let (state, generation) = life.incident.as_ref()
                .map_or(("nothing", 0), |incident| (incident.state.name(), incident.generation));
            prop_assert_eq!((state, generation), (model.phase.name(), model.generation), "{:?}", next);
        }
    }
}
