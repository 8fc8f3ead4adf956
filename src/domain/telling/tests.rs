use super::*;
use crate::domain::alert::Labels;
use crate::domain::ids::{DeliveryId, Identity, IncidentKey, InstallationId};
use crate::domain::lifecycle::{Birth, Event, OpenedCase, Policy, RankedAlert, step};
use crate::domain::severity::Rank;
use crate::domain::testing::{T0, alert, at, event};

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

fn birth() -> Birth {
    Birth {
        rule: "video".into(),
        installation: InstallationId::new("test"),
        key: IncidentKey { scope: "video".into(), identity: Identity::of(&Labels::new()) },
        vendor: "akamai".into(),
        delivery: DeliveryId::new("d-1"),
    }
}

fn telling() -> Telling {
    Telling {
        sources: BTreeMap::from([("pagerduty".into(), ToldSource { field: true })]),
        webhooks: BTreeMap::from([(
            "chat".to_owned(),
            BTreeSet::from(Occasion::WORDS.map(|(_, occasion)| occasion)),
        )]),
    }
}

struct Life {
    incident: Option<Incident>,
    policy: Policy,
    last: u32,
}

impl Life {
    fn new(telling: Telling) -> Self {
        let tell = Arc::new(telling);
        let resolve_action = ResolveAction::Close;
        let policy = Policy { tell, resolve_action, ..Policy::default() };
        Self { incident: None, policy, last: 0 }
    }

    /// What is told of an event, in a line each. Every action has the next number.
    fn step(&mut self, event: &Event<'_>, now: Timestamp) -> Vec<String> {
        let step = step(self.incident.as_ref(), event, &self.policy, None, now);
        let same = step.incident.as_ref().map(|incident| &incident.id)
            == self.incident.as_ref().map(|incident| &incident.id);
        self.last = if same { self.last } else { 0 };
        for action in &step.actions {
            self.last += 1;
            assert_eq!(action.seq, self.last);
        }
        assert_eq!(step.incident.as_ref().map_or(0, |incident| incident.last_seq), self.last);
        self.incident = step.incident;
        step.actions
            .iter()
            .filter_map(|action| match &action.kind {
                ActionKind::Tell { target, notice } => {
                    Some(format!("{:?}: {target}", notice.occasion()))
                }
                _ => None,
            })
            .collect()
    }

    fn hear(&mut self, alerts: &[Alert], now: Timestamp) -> Vec<String> {
        let alerts: Vec<RankedAlert> = alerts
            .iter()
            .map(|alert| RankedAlert { alert: alert.clone(), rank: Rank::WORST })
            .collect();
        let (alerts, birth) = (alerts.as_slice(), &birth());
        self.step(&Event::Alerts { alerts, truncated: false, leave: None, birth }, now)
    }

    fn opened(&mut self, now: Timestamp) -> Vec<String> {
        self.step(&Event::CaseOpened(&OpenedCase::only("F-CS-1".into())), now)
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_case_is_told_when_it_exists_and_when_it_is_over_and_not_before() {
    let mut life = Life::new(telling());
    assert_eq!(life.hear(&[event("Q1", 0).build()], T0), NOTHING);
    assert_eq!(
        life.opened(at(1)),
        [
            "Opened: a note on Q1 of source pagerduty",
            "Opened: the custom field of Q1 of source pagerduty",
            "Opened: webhook chat"
        ]
    );
    assert_eq!(life.hear(&[event("Q1", 2).build()], at(2)), NOTHING, "it is known");
    assert_eq!(life.opened(at(3)), NOTHING, "it is known");
    assert_eq!(
        life.hear(&[event("Q1", 4).resolved(at(4)).build()], at(4)),
        ["Closed: a note on Q1 of source pagerduty", "Closed: webhook chat"]
    );
    assert_eq!(life.hear(&[event("Q1", 4).resolved(at(4)).build()], at(5)), NOTHING);
}

#[test]
fn who_joins_later_is_told_of_the_case_and_webhooks_are_not_told_again() {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    life.opened(at(1));
    assert_eq!(
        life.hear(&[event("Q2", 2).build()], at(2)),
        [
            "Opened: a note on Q2 of source pagerduty",
            "Opened: the custom field of Q2 of source pagerduty"
        ]
    );
    // An alert of a sender that is not told.
    assert_eq!(life.hear(&[alert("a").build()], at(3)), NOTHING);
}

#[test]
fn an_end_is_told_where_it_began_also_by_a_delivery_that_speaks_of_others() {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    life.opened(at(1));
    life.hear(&[event("Q2", 2).build()], at(2));
    life.hear(&[event("Q1", 3).resolved(at(3)).build()], at(3));
    // As the store shows it: only the members that the delivery speaks of.
    if let Some(incident) = &mut life.incident {
        incident.members.retain(|fingerprint, _| fingerprint.as_str() == "Q2");
    }
    assert_eq!(
        life.hear(&[event("Q2", 4).resolved(at(4)).build()], at(4)),
        [
            "Closed: a note on Q1 of source pagerduty",
            "Closed: a note on Q2 of source pagerduty",
            "Closed: webhook chat"
        ]
    );
}

#[test]
fn a_failure_is_told_and_so_is_the_case_that_a_later_try_opens() {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    assert_eq!(
        life.step(&Event::OpenFailed, at(1)),
        ["Failed: a note on Q1 of source pagerduty", "Failed: webhook chat"]
    );
    assert_eq!(
        life.hear(&[event("Q2", 2).build()], at(2)),
        ["Failed: a note on Q2 of source pagerduty"]
    );
    assert_eq!(life.step(&Event::OpenRevived, at(3)), NOTHING);
    assert_eq!(life.opened(at(4)).len(), 5, "two notes, two fields, one webhook");
}

#[test]
fn what_fires_again_is_told_and_who_is_new_then_learns_the_case() {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    life.opened(at(1));
    life.hear(&[event("Q1", 2).resolved(at(2)).build()], at(2));
    assert_eq!(
        life.hear(&[event("Q2", 500).build()], at(500)),
        [
            "Refired: webhook chat",
            "Opened: a note on Q2 of source pagerduty",
            "Opened: the custom field of Q2 of source pagerduty"
        ]
    );
}

#[test]
fn a_new_generation_is_told_of_its_own_case() {
    let mut life = Life::new(telling());
    life.policy.reopen_within = Duration::ZERO;
    life.hear(&[event("Q1", 0).build()], T0);
    life.opened(at(1));
    life.hear(&[event("Q1", 2).resolved(at(2)).build()], at(2));
    let later = event("Q1", 90_000).starts(at(90_000)).build();
    assert_eq!(life.hear(&[later], at(90_000)), NOTHING);
    assert_eq!(life.opened(at(90_001)).len(), 3);
}

#[test]
fn what_resolved_while_its_case_was_opened_is_told_in_order() {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    life.hear(&[event("Q1", 1).resolved(at(1)).build()], at(1));
    let told = life.opened(at(2));
    let occasions: Vec<&str> = told.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(occasions, ["Opened", "Opened", "Opened", "Closed", "Closed"]);
}

#[test]
fn a_webhook_hears_of_what_it_wants_to_and_nobody_hears_where_nobody_is_named() {
    let only = BTreeSet::from([Occasion::Closed]);
    let webhooks = BTreeMap::from([("chat".to_owned(), only)]);
    for (telling, wanted) in [
        (Telling { sources: BTreeMap::new(), webhooks }, vec!["Closed: webhook chat"]),
        (Telling::default(), Vec::new()),
    ] {
        let mut life = Life::new(telling);
        life.hear(&[event("Q1", 0).build()], T0);
        assert_eq!(life.opened(at(1)), NOTHING);
        assert_eq!(life.hear(&[event("Q1", 2).resolved(at(2)).build()], at(2)), wanted);
    }
}

#[test]
fn a_storm_of_alerts_is_no_storm_of_notes() {
    let mut telling = telling();
    telling.webhooks.clear();
    telling.sources.insert("pagerduty".into(), ToldSource { field: false });
    for (count, notes) in [(MOST - 1, MOST - 1), (MOST, MOST), (MOST + 1, MOST)] {
        let mut life = Life::new(telling.clone());
        let alerts: Vec<Alert> =
            (0..count).map(|number| event(&format!("Q{number}"), 0).build()).collect();
        life.hear(&alerts, T0);
        assert_eq!(life.opened(at(1)).len(), notes);
    }
}
