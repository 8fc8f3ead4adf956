use super::*;
use crate::domain::alert::Labels;
use crate::domain::ids::{DeliveryId, Identity, IncidentKey, InstallationId};
use crate::domain::lifecycle::{Birth, Event, OpenedCase, Policy, RankedAlert, step};
use crate::domain::redaction::Redaction;
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

    /// What is told of what the vendor did, with its text.
    fn vendor(&mut self, news: &[CaseChange], now: Timestamp) -> (Vec<String>, Reason) {
        let incident = self.incident.clone().unwrap();
        let step = hear_of_vendor(&incident, &"F-CS-1".into(), news, &self.policy, now);
        let after = step.incident.unwrap();
        let told: Vec<String> = step
            .actions
            .iter()
            .filter_map(|action| match &action.kind {
                ActionKind::Tell { target: Target::Note { .. }, notice } => {
                    Some(notice.text(&after, &Redaction::default()))
                }
                _ => None,
            })
            .collect();
        let (first, last) = (incident.last_seq + 1, after.last_seq);
        assert!(step.actions.iter().map(|action| action.seq).eq(first..=last));
        assert_eq!(step.changed, incident != after);
        (self.last, self.incident) = (after.last_seq, Some(after));
        (told, step.reason)
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

fn comment(text: &str) -> CaseChange {
    CaseChange::Commented(VendorComment {
        id: "F-CC-1".to_owned(),
        author: "Sam of Support".to_owned(),
        at: None,
        kind: "EMAIL".to_owned(),
        text: text.to_owned(),
    })
}

fn open_case() -> Life {
    let mut life = Life::new(telling());
    life.hear(&[event("Q1", 0).build()], T0);
    life.opened(at(1));
    life
}

#[test]
fn what_the_vendor_does_is_told_and_changes_nothing_else() {
    let mut life = open_case();
    let state = life.incident.clone().unwrap().state;
    let status = |from, to| CaseChange::Status { from, to };
    let (told, reason) = life.vendor(&[status(None, CaseStatus::Created)], at(2));
    assert_eq!((told.as_slice(), reason), (NOTHING.map(str::to_owned).as_slice(), Reason::Nothing));
    let news = [
        status(Some(CaseStatus::Created), CaseStatus::Assigned),
        CaseChange::FirstResponse(12),
        comment("Which property?\r\n\u{1b}[31mAnd since when? [cw-1234567890ab-3]"),
        CaseChange::WaitsForUs,
    ];
    let (told, reason) = life.vendor(&news, at(3));
    assert_eq!(
        told,
        [
            "akamai has case F-CS-1 as assigned.",
            "akamai has first responded on case F-CS-1, after 12 minutes.",
            "Sam of Support has commented on case F-CS-1 at akamai: Which property? [31mAnd since when? (cw-1234567890ab-3]",
            "akamai waits for an answer on case F-CS-1.",
        ]
    );
    assert_eq!(
        reason.to_string(),
        "the vendor did something with case F-CS-1; who is to know is told"
    );
    assert_eq!(life.incident.as_ref().unwrap().state, state);
    // Nobody is to know.
    life.policy.tell = Arc::default();
    let (told, reason) = life.vendor(&news, at(4));
    assert_eq!((told.len(), reason), (0, Reason::Nothing));
}

#[test]
fn of_many_comments_the_newest_are_told_and_only_their_beginnings() {
    let mut life = open_case();
    let news: Vec<CaseChange> =
        (1..=50).map(|n| comment(&format!("{n} {}", "é".repeat(9_000)))).collect();
    let (told, _) = life.vendor(&news, at(2));
    assert_eq!(told.len(), COMMENTS_TOLD);
    assert!(told[0].contains(": 46 éé") && told[4].contains(": 50 éé"), "{told:#?}");
    assert!(told.iter().all(|text| text.chars().count() < 500 && text.ends_with('…')), "{told:#?}");
}

#[test]
fn that_the_vendor_closes_a_case_is_told_once_and_truly() {
    let closed = [
        CaseChange::Status { from: Some(CaseStatus::InProgress), to: CaseStatus::Closed },
        CaseChange::Closed { at: Some(at(50)) },
    ];
    let again = [
        CaseChange::Status { from: Some(CaseStatus::Closed), to: CaseStatus::InProgress },
        CaseChange::Reopened,
    ];
    let mut life = open_case();
    let (told, _) = life.vendor(&closed, at(60));
    assert_eq!(
        told,
        [
            "akamai has closed case F-CS-1 although 1 alert fires. It goes on when something new fires."
        ]
    );
    // It ends although nobody is at it any more.
    let mut quiet = open_case();
    quiet.vendor(&closed, at(60));
    assert_eq!(
        quiet.hear(&[event("Q1", 65).resolved(at(65)).build()], at(65)),
        ["Closed: a note on Q1 of source pagerduty", "Closed: webhook chat"]
    );
    assert_eq!(quiet.hear(&[event("Q1", 65).resolved(at(65)).build()], at(66)), NOTHING);
    let (told, _) = life.vendor(&again, at(70));
    assert_eq!(told, ["akamai has case F-CS-1 as in_progress."]);
    // It is over, and then closed: that was asked for.
    life.hear(&[event("Q1", 80).resolved(at(80)).build()], at(80));
    let (told, _) = life.vendor(&closed, at(90));
    assert_eq!(told, ["akamai has case F-CS-1 as closed."]);
}

#[test]
fn a_webhook_hears_of_what_it_asked_for() {
    let mut life = open_case();
    let mut telling = telling();
    telling.webhooks.insert("chat".to_owned(), BTreeSet::from([Occasion::Waits]));
    life.policy.tell = Arc::new(telling);
    let incident = life.incident.clone().unwrap();
    let news = [comment("x"), CaseChange::WaitsForUs];
    let step = hear_of_vendor(&incident, &"F-CS-1".into(), &news, &life.policy, at(2));
    let webhooks: Vec<Occasion> = step
        .actions
        .iter()
        .filter_map(|action| match &action.kind {
            ActionKind::Tell { target: Target::Webhook { .. }, notice } => Some(notice.occasion()),
            _ => None,
        })
        .collect();
    assert_eq!(webhooks, [Occasion::Waits]);
}

#[test]
fn what_a_rollup_stands_for_is_told_where_it_came_from() {
    use crate::domain::rollup::{RollCall, key};
    let mut life = Life::new(telling());
    let held = |fingerprint: &str, source: &str| {
        let alert = Alert { source: source.into(), ..event(fingerprint, 0).build() };
        let mut held = crate::domain::testing::incident_of(alert);
        // Each has an id of its own.
        held.id =
            crate::domain::ids::IncidentId::from_stored(format!("{fingerprint}-0123456789abcdef"));
        held
    };
    let joins = vec![held("Q1", "pagerduty"), held("Q2", "pagerduty"), held("a", "alertmanager")];
    let call = RollCall { joins, ..RollCall::new("slow".into()) };
    let alerts = call.news(|_| Labels::new());
    let birth = Birth { key: key(&"slow".into()), ..birth() };
    let event = Event::Alerts { alerts: &alerts, truncated: false, leave: None, birth: &birth };
    assert_eq!(life.step(&event, T0), NOTHING);
    let told = life.opened(at(1));
    assert_eq!(
        told,
        [
            "Opened: a note on Q1 of source pagerduty",
            "Opened: the custom field of Q1 of source pagerduty",
            "Opened: a note on Q2 of source pagerduty",
            "Opened: the custom field of Q2 of source pagerduty",
            "Opened: webhook chat",
        ]
    );
    let text = Notice::CaseOpened { case: "F-CS-1".into() };
    let text = text.text(life.incident.as_ref().unwrap(), &Redaction::default());
    assert_eq!(
        text,
        "Case F-CS-1 is open at akamai for this and other problems (roll-up of rule video)."
    );
    // Who joins is told, too.
    let call = RollCall { joins: vec![held("Q3", "pagerduty")], ..RollCall::new("slow".into()) };
    let alerts = call.news(|_| Labels::new());
    let event = Event::Alerts { alerts: &alerts, truncated: false, leave: None, birth: &birth };
    let told = life.step(&event, at(2));
    assert_eq!(told[0], "Opened: a note on Q3 of source pagerduty", "{told:#?}");
}
