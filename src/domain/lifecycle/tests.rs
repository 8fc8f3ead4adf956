use std::collections::BTreeSet;

use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::domain::alert::Labels;
use crate::domain::ids::Identity;
use crate::domain::testing::{T0, alert, at, event};

fn birth() -> Birth {
    Birth {
        rule: "edge-5xx".into(),
        installation: InstallationId::new("test"),
        key: IncidentKey { scope: "edge-5xx".into(), identity: Identity::of(&Labels::new()) },
        vendor: "akamai".into(),
        delivery: DeliveryId::new("d-1"),
    }
}

fn closing() -> Policy {
    Policy { resolve_action: ResolveAction::Close, ..Policy::default() }
}

pub(super) fn ranked(alert: Alert) -> RankedAlert {
    RankedAlert { alert, rank: Rank::WORST }
}

pub(super) fn firing(names: &[&str]) -> Vec<RankedAlert> {
    names.iter().map(|name| ranked(alert(name).build())).collect()
}

/// Fires, and is as bad as this.
pub(super) fn as_bad_as(rank: u64, name: &str) -> Vec<RankedAlert> {
    vec![RankedAlert { alert: alert(name).build(), rank: Rank::new(rank).unwrap() }]
}

/// Fires with a start after `from`, as an alert does that has been away.
fn firing_since(name: &str, from: Timestamp) -> Vec<RankedAlert> {
    vec![ranked(alert(name).starts(from).build())]
}

pub(super) fn resolved(names: &[&str], ends: Timestamp) -> Vec<RankedAlert> {
    names.iter().map(|name| ranked(alert(name).resolved(ends).build())).collect()
}

/// One incident living through events.
pub(super) struct Life {
    pub(super) incident: Option<Incident>,
    policy: Policy,
    pub(super) restraint: Option<Restraint>,
    pub(super) actions: Vec<NewAction>,
}

impl Life {
    pub(super) fn under(policy: Policy) -> Self {
        Self { incident: None, policy, restraint: None, actions: Vec::new() }
    }

    pub(super) fn step(&mut self, event: &Event<'_>, now: Timestamp) -> Step {
        let step = step(self.incident.as_ref(), event, &self.policy, self.restraint.as_ref(), now);
        self.actions.extend(step.actions.clone());
        self.incident.clone_from(&step.incident);
        step
    }

    pub(super) fn hear(&mut self, alerts: &[RankedAlert], now: Timestamp) -> Step {
        self.step(&Event::Alerts { alerts, truncated: false, leave: None, birth: &birth() }, now)
    }

    pub(super) fn hear_truncated(&mut self, alerts: &[RankedAlert], now: Timestamp) -> Step {
        self.step(&Event::Alerts { alerts, truncated: true, leave: None, birth: &birth() }, now)
    }

    pub(super) fn case_opened(&mut self, now: Timestamp) -> Step {
        self.step(&Event::CaseOpened(&OpenedCase::only("F-CS-1".into())), now)
    }

    pub(super) fn case(&self) -> Option<CaseId> {
        self.incident.as_ref()?.state.case().cloned()
    }

    /// The vendor closes the case that there is.
    pub(super) fn closed_by_vendor(&mut self, at: Timestamp, now: Timestamp) -> Step {
        let case = self.case().unwrap_or_else(|| "F-CS-none".into());
        self.step(&Event::ClosedByVendor { case: &case, at: Some(at) }, now)
    }

    pub(super) fn reopened_by_vendor(&mut self, now: Timestamp) -> Step {
        let case = self.case().unwrap_or_else(|| "F-CS-none".into());
        self.step(&Event::ReopenedByVendor { case: &case }, now)
    }

    pub(super) fn state(&self) -> &'static str {
        self.incident.as_ref().map_or("none", |incident| incident.state.name())
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.actions.iter().map(|action| action.kind.name()).collect()
    }
}

#[test]
fn a_firing_alert_opens_a_case_at_once() {
    let mut life = Life::under(Policy::default());
    assert_eq!(life.hear(&firing(&["a"]), T0).reason, Reason::Opens);
    assert_eq!(life.state(), "opening");
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn repeats_and_twins_change_nothing() {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a", "b"]), T0);
    for second in 1..5 {
        let step = life.hear(&firing(&["b", "a"]), at(second));
        assert!(!step.changed, "{:?}", step.reason);
    }
    life.case_opened(at(5));
    assert!(!life.hear(&firing(&["a"]), at(6)).changed);
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn a_resolved_alert_that_never_fired_opens_nothing() {
    let mut life = Life::under(closing());
    assert_eq!(life.hear(&resolved(&["a"], T0), T0).reason, Reason::NothingToResolve);
    assert_eq!(life.state(), "none");
}

#[test]
fn an_end_that_overtakes_its_beginning_leaves_nothing_to_open() {
    let fired = || vec![ranked(event("q", 0).build())];
    let over = vec![ranked(event("q", 60).resolved(at(60)).build())];
    let mut life = Life::under(closing());
    life.hear(&over, at(61));
    assert_eq!(life.state(), "dropped");
    life.hear(&fired(), at(62));
    assert_eq!(life.state(), "dropped", "the beginning is older than its end");
    life.hear(&[ranked(event("q", 120).build())], at(121));
    assert_eq!(life.state(), "opening", "a later beginning is another matter");
}

#[test]
fn all_resolved_comments_and_by_default_does_not_close() {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear(&resolved(&["a"], at(60)), at(61));
    assert_eq!(life.kinds(), ["open", "comment"]);
    assert_eq!(life.state(), "closed");
}

#[test]
fn all_resolved_requests_closure_where_the_rule_says_so() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a", "b"]), T0);
    life.case_opened(at(1));
    life.hear(&resolved(&["a"], at(60)), at(61));
    assert_eq!(life.state(), "open", "b still fires");
    life.hear(&resolved(&["b"], at(70)), at(71));
    assert_eq!(life.kinds(), ["open", "comment", "close"]);
}

#[test]
fn an_alert_that_is_missing_from_a_payload_is_not_resolved() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a", "b"]), T0);
    life.case_opened(at(1));
    life.hear(&firing(&["a"]), at(10));
    life.hear(&resolved(&["a"], at(20)), at(21));
    assert_eq!(life.state(), "open", "nothing was said of b");
}

#[test]
fn a_truncated_payload_never_concludes_that_all_have_resolved() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear_truncated(&resolved(&["a"], at(60)), at(61));
    assert_eq!(life.state(), "open");
    life.hear(&resolved(&["a"], at(60)), at(70));
    assert_eq!(life.state(), "closed", "a whole payload does");
}

#[test]
fn a_fire_after_everything_known_had_resolved_in_a_truncated_payload_is_told() {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear_truncated(&resolved(&["a"], at(60)), at(61));
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open"]));
    let step = life.hear(&firing_since("a", at(90_000)), at(90_001));
    assert_eq!(step.reason, Reason::Refired);
    assert_eq!((life.state(), life.kinds()), ("open", vec!["open", "comment"]));
}

#[test]
fn where_a_look_has_found_several_nothing_more_is_doubtful() {
    let mut life = Life::under(Policy::default());
    life.hear(&firing(&["a"]), T0);
    let several = OpenedCase {
        duplicates: vec!["F-CS-2".into()],
        doubtful: true,
        ..OpenedCase::only("F-CS-1".into())
    };
    life.step(&Event::CaseOpened(&several), at(1));
    assert_eq!(life.kinds(), ["open", "comment"], "a recheck would say the same once more");
}

#[test]
fn resolved_while_opening_still_resolves_the_case() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    let step = life.hear(&resolved(&["a"], at(1)), at(2));
    assert_eq!(step.reason, Reason::ResolvedWhileOpening);
    assert_eq!(life.state(), "opening");
    life.case_opened(at(3));
    assert_eq!(life.state(), "closed");
    assert_eq!(life.kinds(), ["open", "comment", "close"]);
}

#[test]
fn a_mixed_payload_never_passes_through_silence() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    let mut mixed = resolved(&["a"], at(10));
    mixed.extend(firing(&["b"]));
    life.hear(&mixed, at(11));
    assert_eq!(life.state(), "open");
    assert_eq!(life.kinds(), ["open"]);
}

#[test]
fn open_after_opens_only_what_still_fires() {
    let policy = Policy { open_after: Duration::from_secs(300), ..Policy::default() };
    let mut life = Life::under(policy.clone());
    life.hear(&firing(&["a"]), T0);
    assert_eq!(life.state(), "pending");
    assert!(!life.step(&Event::Timer, at(299)).changed);
    life.step(&Event::Timer, at(300));
    assert_eq!(life.state(), "opening");

    let mut short = Life::under(policy);
    short.hear(&firing(&["a"]), T0);
    short.hear(&resolved(&["a"], at(200)), at(201));
    assert_eq!(short.state(), "dropped");
    assert!(short.actions.is_empty());
}

#[test]
fn a_flap_within_resolve_after_says_nothing_at_the_vendor() {
    let policy = Policy { resolve_after: Duration::from_secs(900), ..closing() };
    let mut life = Life::under(policy);
    life.hear(&firing(&["a"]), T0);
    life.case_opened(at(1));
    life.hear(&resolved(&["a"], at(10)), at(11));
    assert_eq!(life.state(), "resolving");
    life.hear(&firing_since("a", at(20)), at(21));
    assert_eq!(life.state(), "open");
    life.hear(&resolved(&["a"], at(30)), at(31));
    assert!(!life.step(&Event::Timer, at(930)).changed);
    life.step(&Event::Timer, at(931));
    assert_eq!(life.state(), "closed");
    assert_eq!(life.kinds(), ["open", "comment", "close"]);
}

#[test]
fn a_refire_within_reopen_within_goes_on_with_the_same_case_and_later_opens_a_new_one() {
    let day = 24 * 60 * 60;
    for (after, expected) in [(day, "open"), (day + 1, "opening")] {
        let mut life = Life::under(closing());
        life.hear(&firing(&["a"]), T0);
        life.case_opened(at(1));
        life.hear(&resolved(&["a"], at(9)), at(10));
        let first = life.incident.clone().expect("exists");
        life.hear(&firing_since("a", at(10 + after)), at(10 + after));
        let now = life.incident.clone().expect("exists");
        assert_eq!(now.state.name(), expected, "{after} s after the end");
        if expected == "open" {
            assert_eq!(now.id, first.id);
            assert_eq!(life.kinds(), ["open", "comment", "close", "comment"]);
        } else {
            assert_eq!(now.generation, 2);
            assert_ne!(now.id, first.id);
            assert_eq!(now.previous_case, Some("F-CS-1".into()));
            assert_eq!(life.kinds(), ["open", "comment", "close", "open"]);
        }
    }
}

#[test]
fn after_a_failed_open_a_refire_tries_again_but_looks_first() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    life.step(&Event::OpenFailed, at(5));
    assert_eq!(life.state(), "failed");
    assert!(!life.hear(&firing(&["a"]), at(6)).changed, "a person must act");
    life.hear(&resolved(&["a"], at(10)), at(11));
    assert_eq!(life.state(), "failed");
    let step = life.hear(&firing_since("a", at(3600)), at(3600));
    assert_eq!(step.reason, Reason::OpensAgain);
    assert!(step.actions.iter().all(|action| action.look_first));
}

#[test]
fn the_worst_alert_speaks_for_the_incident_until_its_case_is_sent() {
    let rank = |n| Rank::new(n).expect("in range");
    let news = [
        RankedAlert { alert: alert("minor").build(), rank: rank(3) },
        RankedAlert { alert: alert("major").build(), rank: rank(2) },
    ];
    let mut life = Life::under(Policy::default());
    life.hear(&news, T0);
    let incident = life.incident.clone().expect("exists");
    assert_eq!((incident.rank, incident.origin.name()), (rank(2), "major"));
    life.hear(&[RankedAlert { alert: alert("worst").build(), rank: rank(1) }], at(1));
    assert_eq!(life.incident.clone().expect("exists").rank, rank(1));
    life.case_opened(at(2));
    let calm = [RankedAlert { alert: alert("x").build(), rank: rank(1) }];
    life.hear(&calm, at(3));
    assert_eq!(life.incident.expect("exists").origin.name(), "major");
}

#[derive(Debug, Clone)]
enum Move {
    Hear { names: Vec<(u8, bool)>, truncated: bool },
    Timer,
    Opened,
    Failed,
    Wait(u32),
    Restrain(Option<Hold>),
    Approve,
    Reject,
    VendorCloses,
    VendorReopens,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (prop::collection::vec((0..3u8, any::<bool>()), 1..4), prop::bool::weighted(0.1))
            .prop_map(|(names, truncated)| Move::Hear { names, truncated }),
        1 => Just(Move::Timer),
        2 => Just(Move::Opened),
        1 => Just(Move::Failed),
        1 => prop::sample::select(
            Hold::ALL.map(Some).into_iter().chain([None]).collect::<Vec<_>>()
        )
        .prop_map(Move::Restrain),
        1 => Just(Move::Approve),
        1 => prop::bool::weighted(0.3)
            .prop_map(|rejects| if rejects { Move::Reject } else { Move::Approve }),
        2 => prop::bool::weighted(0.7)
            .prop_map(|closes| if closes { Move::VendorCloses } else { Move::VendorReopens }),
        2 => prop_oneof![1..600u32, 80_000..100_000u32].prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..60)
}

fn restrained(hold: Hold) -> Restraint {
    Restraint { hold, until: None, why: "a test wants it".to_owned() }
}

fn policies() -> impl Strategy<Value = Policy> {
    (
        prop_oneof![Just(0u64), Just(300)],
        prop_oneof![Just(0u64), Just(900)],
        prop_oneof![
            Just(ResolveAction::Comment),
            Just(ResolveAction::Close),
            Just(ResolveAction::None)
        ],
    )
        .prop_map(|(open, resolve, resolve_action)| Policy {
            open_after: Duration::from_secs(open),
            resolve_after: Duration::from_secs(resolve),
            resolve_action,
            ..Policy::default()
        })
}

/// The vendor has more than one case, or more to be told than fits into one.
fn opened_as(opened: OpenedCase) -> Life {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    life.step(&Event::CaseOpened(&opened), at(1));
    life
}

#[test]
fn the_oldest_of_two_cases_is_gone_on_with_and_the_other_is_told() {
    let opened = OpenedCase { duplicates: vec!["F-2".into()], ..OpenedCase::only("F-1".into()) };
    let life = opened_as(opened);
    assert_eq!(
        life.incident.as_ref().unwrap().state,
        State::Open { case: "F-1".into(), due: Some(at(12 * 60 * 60)) }
    );
    let note = Note::Duplicate { case: "F-2".into(), of: "F-1".into() };
    assert_eq!(life.actions[1].kind, ActionKind::Comment { note });
}

#[test]
fn a_second_case_that_comes_to_light_late_is_told_too_whatever_the_state() {
    let late = OpenedCase { duplicates: vec!["F-2".into()], ..OpenedCase::only("F-1".into()) };
    let found = |mut life: Life, state: &str| {
        assert_eq!(life.state(), state);
        let before = life.actions.len();
        let step = life.step(&Event::CaseOpened(&late), at(100));
        assert_eq!(life.state(), state);
        assert_eq!(step.incident.unwrap().state.case(), Some(&"F-1".into()));
        assert_eq!(life.actions.len(), before + 1);
        assert_eq!(
            step.reason.to_string(),
            "the vendor has 1 more than case F-1; they get a comment"
        );
    };
    let open = || opened_as(OpenedCase::only("F-2".into()));
    found(open(), "open");
    let mut over = open();
    over.hear(&resolved(&["a"], at(2)), at(3));
    found(over, "closed");
    let mut resolving = open();
    resolving.policy.resolve_after = Duration::from_secs(60);
    resolving.hear(&resolved(&["a"], at(2)), at(3));
    found(resolving, "resolving");
}

#[test]
fn a_known_case_that_is_found_again_alone_changes_nothing() {
    let mut life = opened_as(OpenedCase::only("F-1".into()));
    assert!(!life.step(&Event::CaseOpened(&OpenedCase::only("F-9".into())), at(9)).changed);
}

#[test]
fn a_description_that_was_cut_is_attached_and_a_doubtful_opening_is_looked_at_again() {
    let opened = OpenedCase {
        whole_description: Some("all of it".to_owned()),
        doubtful: true,
        ..OpenedCase::only("F-1".into())
    };
    let life = opened_as(opened);
    assert_eq!(life.kinds(), ["open", "attach", "recheck"]);
    assert!(life.actions[2].look_first);
}

#[test]
fn what_happens_between_the_draft_and_the_case_is_told_in_a_comment() {
    let drafted = |life: &Life| OpenedCase {
        as_of: Some(AsOf::of(life.incident.as_ref().unwrap())),
        ..OpenedCase::only("F-1".into())
    };
    let mut life = Life::under(Policy::default());
    life.hear(&as_bad_as(2, "a"), at(0));
    let opened = drafted(&life);
    life.hear(&as_bad_as(3, "b"), at(1));
    let step = life.step(&Event::CaseOpened(&opened), at(2));
    assert_eq!(step.reason, Reason::Opened("F-1".into()));
    let incident = step.incident.unwrap();
    assert_eq!(incident.news.fired.len(), 1, "{:?}", incident.news);
    assert!(incident.state.due().is_some());

    // Worse than the case says: told at once.
    let mut life = Life::under(Policy::default());
    life.hear(&as_bad_as(2, "a"), at(0));
    let opened = drafted(&life);
    life.hear(&as_bad_as(1, "b"), at(1));
    let step = life.step(&Event::CaseOpened(&opened), at(2));
    let rank = |rank| Rank::new(rank).unwrap();
    assert_eq!(step.reason, Reason::Escalates { from: rank(2), to: rank(1) });
    assert_eq!(life.kinds(), ["open", "comment"]);

    // Nothing came after.
    let mut life = Life::under(Policy::default());
    life.hear(&as_bad_as(2, "a"), at(0));
    let opened = drafted(&life);
    assert!(life.step(&Event::CaseOpened(&opened), at(2)).incident.unwrap().news.is_empty());
}

#[test]
fn contacts_are_brought_up_to_date_when_a_case_goes_on_if_the_rule_names_any() {
    for (names_contacts, kinds) in [
        (true, &["open", "comment", "close", "comment", "contacts"][..]),
        (false, &["open", "comment", "close", "comment"]),
    ] {
        let mut life = Life::under(Policy { names_contacts, ..closing() });
        life.hear(&firing(&["a"]), T0);
        life.case_opened(at(1));
        life.hear(&resolved(&["a"], at(2)), at(3));
        life.hear(&firing_since("a", at(400)), at(401));
        assert_eq!(life.kinds(), kinds);
    }
}

#[test]
fn a_person_who_revives_the_open_action_gets_that_very_action() {
    let mut life = Life::under(closing());
    life.hear(&firing(&["a"]), T0);
    life.step(&Event::OpenFailed, at(1));
    let step = life.step(&Event::OpenRevived, at(2));
    assert_eq!(step.incident.unwrap().state, State::Opening { seq: 1 });
    assert_eq!(life.kinds(), ["open"]);
    // Twice changes nothing.
    assert!(!life.step(&Event::OpenRevived, at(3)).changed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens in whatever order: one unfinished open action per incident at most, one
    /// case per incident, actions numbered without a gap, comments and closures only for a known
    /// case, and nothing that fires is left without a case, a case in the making, or a failure
    /// that a person sees.
    #[test]
    fn whatever_happens_an_incident_has_one_case(moves in moves(), policy in policies()) {
        let mut life = Life::under(policy);
        let mut now = T0;
        let mut seen = BTreeSet::new();
        let mut rejected = BTreeSet::new();
        let mut closed = BTreeSet::new();
        let mut open_actions: std::collections::BTreeMap<IncidentId, Vec<u32>> = Default::default();
        let mut outcome_known: BTreeSet<(IncidentId, u32)> = BTreeSet::new();
        for next in moves {
            let before = life.incident.clone();
            let step = match &next {
                Move::Wait(seconds) => {
                    now = later(now, Duration::from_secs(u64::from(*seconds)));
                    life.step(&Event::Timer, now)
                }
                Move::Hear { names, truncated } => {
                    let alerts: Vec<_> = names.iter().map(|(name, fires)| {
                        let built = alert(&name.to_string()).starts(now);
                        ranked(if *fires { built.build() } else { built.resolved(now).build() })
                    }).collect();
                    // What the delivery does not speak of need not be seen.
                    let thin = before.clone().map(|mut incident| {
                        incident.members.retain(|known, _| {
                            alerts.iter().any(|news| news.alert.fingerprint == *known)
                        });
                        incident
                    });
                    let event = Event::Alerts { alerts: &alerts, truncated: *truncated, leave: None, birth: &birth() };
                    let blind = step(thin.as_ref(), &event, &life.policy, life.restraint.as_ref(), now);
                    let seeing = life.step(&event, now);
                    prop_assert_eq!(&blind.actions, &seeing.actions);
                    prop_assert_eq!(&blind.members, &seeing.members);
                    prop_assert_eq!(&blind.effects, &seeing.effects);
                    prop_assert_eq!((blind.changed, &blind.reason), (seeing.changed, &seeing.reason));
                    let head = |step: &Step| step.incident.as_ref()
                        .map(|incident| (incident.id.clone(), incident.state.clone(), incident.tally));
                    prop_assert_eq!(head(&blind), head(&seeing));
                    seeing
                }
                Move::Timer => life.step(&Event::Timer, now),
                Move::Restrain(hold) => {
                    life.restraint = hold.map(restrained);
                    continue;
                }
                Move::Approve => life.step(&Event::Approved, now),
                Move::Reject => {
                    let step = life.step(&Event::Rejected, now);
                    if step.reason == Reason::Rejected {
                        rejected.extend(step.incident.as_ref().map(|incident| incident.id.clone()));
                    }
                    step
                }
                Move::VendorCloses => {
                    let step = life.closed_by_vendor(now, now);
                    if let Reason::VendorClosed { .. } = step.reason {
                        closed.extend(step.incident.as_ref().map(|incident| incident.id.clone()));
                    }
                    step
                }
                Move::VendorReopens => life.reopened_by_vendor(now),
                // The dispatcher reports an outcome only for an action that exists.
                Move::Opened | Move::Failed => {
                    let Some(State::Opening { seq }) = before.as_ref().map(|i| i.state.clone()) else { continue };
                    let id = before.as_ref().map(|i| i.id.clone()).expect("checked");
                    outcome_known.insert((id, seq));
                    if matches!(next, Move::Opened) { life.case_opened(now) } else { life.step(&Event::OpenFailed, now) }
                }
            };
            let Some(incident) = &step.incident else { continue };
            let firing = incident.members.values()
                .filter(|member| member.alert.status == AlertStatus::Firing).count();
            prop_assert_eq!(incident.tally.firing as usize, firing);
            prop_assert_eq!(incident.tally.total() as usize, incident.members.len());
            seen.insert(incident.id.clone());
            for action in &step.actions {
                if action.kind == ActionKind::Open {
                    open_actions.entry(incident.id.clone()).or_default().push(action.seq);
                } else {
                    prop_assert!(incident.state.case().is_some(), "{:?} without a case", action.kind);
                }
            }
            // Numbered without a gap.
            if let Some(last) = step.actions.last() {
                prop_assert_eq!(last.seq, incident.last_seq);
            }
            let unfinished = open_actions.get(&incident.id).into_iter().flatten()
                .filter(|seq| !outcome_known.contains(&(incident.id.clone(), **seq))).count();
            prop_assert!(unfinished <= 1);
            prop_assert_eq!(unfinished == 1, matches!(incident.state, State::Opening { .. }));
            // Nothing that fires is forgotten.
            if incident.is_firing() && !rejected.contains(&incident.id) {
                // But for what the vendor knew of when it closed the case.
                let known = closed.contains(&incident.id) && !step.effects.contains(&Effect::Fired);
                let is_over = match incident.state {
                    State::Closed { .. } => !known,
                    State::Dropped { .. } | State::Resolving { .. } => true,
                    _ => false,
                };
                prop_assert!(!is_over, "fires, and is {}", incident.state.name());
            }
            // The same event again changes nothing: deduplication is by state.
            if let Move::Hear { names, truncated } = &next {
                let distinct: BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
                if distinct.len() == names.len() {
                    let alerts: Vec<_> = names.iter().map(|(name, fires)| {
                        let built = alert(&name.to_string()).starts(now);
                        ranked(if *fires { built.build() } else { built.resolved(now).build() })
                    }).collect();
                    let twin = life.hear_truncated(&alerts, now);
                    prop_assert!(twin.actions.is_empty());
                    let _ = truncated;
                }
            }
        }
    }
}
