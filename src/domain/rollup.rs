//! Roll-ups: one case for everything that is over a case budget.
//!
//! A roll-up is an incident like any other, of the rule whose incidents it stands for. Its alerts
//! are those incidents: one joins when it is held, and has resolved when it is over, or when a
//! person has had a case of its own opened. So comments, the end, a storm that comes back and the
//! promise of one case are those of every incident.
//!
//! What a roll-up stands for is read off the incidents themselves, again and again: nothing that
//! is lost on the way stays lost.

use std::collections::BTreeMap;

use super::alert::{Alert, AlertStatus, Labels};
use super::ids::{Fingerprint, Identity, IncidentKey, RuleName, Scope, SourceName};
use super::incident::Incident;
use super::lifecycle::RankedAlert;

/// How the scope of a roll-up begins. The names of rules and scopes have no blanks.
pub const SCOPE: &str = "rollup of ";

/// The source of a roll-up's alerts. The names of sources have no parentheses.
const SOURCE: &str = "(rollup)";

/// The annotation that tells how bad an incident is, so that a change of it is news.
const RANK: &str = "rank";

/// The annotations that tell where the alert came from that began an incident, and what its sender knows
/// it by: there it is told of the roll-up's case.
const CAME_FROM: (&str, &str) = ("casewright_source", "casewright_fingerprint");

/// What the roll-up of a rule is about.
pub fn key(rule: &RuleName) -> IncidentKey {
    IncidentKey {
        scope: Scope::new(format!("{SCOPE}{rule}")),
        identity: Identity::of(&Labels::new()),
    }
}

impl Incident {
    /// Whether it stands for other incidents.
    pub fn is_rollup(&self) -> bool {
        self.key.scope.as_str().starts_with(SCOPE)
    }
}

/// Where the incident came from for which this alert of a roll-up stands, and what its sender knows it
/// by. `None` for an alert of any other incident, and for one that an earlier version has made.
pub fn origin_of(alert: &Alert) -> Option<(SourceName, Fingerprint)> {
    if alert.source.as_str() != SOURCE {
        return None;
    }
    let (source, fingerprint) = CAME_FROM;
    let said = |name| alert.annotations.get(name).map(String::as_str);
    Some((SourceName::from(said(source)?), Fingerprint::new(said(fingerprint)?)))
}

/// How what a roll-up stands for differs from what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollCall {
    /// The rule.
    pub rule: RuleName,
    /// Incidents that it does not know of, or knows as less bad; the worst and oldest first.
    /// Without members.
    pub joins: Vec<Incident>,
    /// Its alerts that fire for it, and of which it does not stand for the incident any more.
    pub leaves: Vec<Alert>,
}

/// Roll calls in the making, rule by rule.
#[derive(Debug, Default)]
pub struct RollCalls(BTreeMap<RuleName, RollCall>);

impl RollCalls {
    /// An incident joins the roll-up of its rule.
    pub fn join(&mut self, incident: Incident) {
        self.of(incident.rule.clone()).joins.push(incident);
    }

    /// An alert leaves the roll-up of a rule.
    pub fn leave(&mut self, rule: RuleName, alert: Alert) {
        self.of(rule).leaves.push(alert);
    }

    /// All of them.
    pub fn finish(self) -> Vec<RollCall> {
        self.0.into_values().collect()
    }

    fn of(&mut self, rule: RuleName) -> &mut RollCall {
        self.0.entry(rule.clone()).or_insert_with(|| RollCall::new(rule))
    }
}

impl RollCall {
    /// Nothing differs yet.
    pub fn new(rule: RuleName) -> Self {
        Self { rule, joins: Vec::new(), leaves: Vec::new() }
    }

    /// The alerts that it speaks of.
    pub fn members(&self) -> Vec<Fingerprint> {
        let joins = self.joins.iter().map(|incident| Fingerprint::new(incident.id.as_str()));
        joins.chain(self.leaves.iter().map(|alert| alert.fingerprint.clone())).collect()
    }

    /// What the roll-up is told. `identity` names the labels that tell an incident from others of
    /// the rule.
    pub fn news(&self, identity: impl Fn(&Incident) -> Labels) -> Vec<RankedAlert> {
        let joins = self.joins.iter().map(|incident| RankedAlert {
            alert: as_alert(incident, &identity(incident)),
            rank: incident.rank,
        });
        let leaves = self.leaves.iter().map(|alert| RankedAlert {
            alert: Alert { status: AlertStatus::Resolved, ..alert.clone() },
            // It says nothing any more.
            rank: super::severity::Rank::WORST,
        });
        joins.chain(leaves).collect()
    }
}

/// An incident as an alert of its roll-up: the alert that began it, called by the labels that tell
/// the incident from others.
fn as_alert(incident: &Incident, identity: &Labels) -> Alert {
    let origin = &incident.origin;
    let mut annotations = origin.annotations.clone();
    annotations.insert(RANK.to_owned(), incident.rank.to_string());
    annotations.insert(CAME_FROM.0.to_owned(), origin.source.to_string());
    annotations.insert(CAME_FROM.1.to_owned(), origin.fingerprint.as_str().to_owned());
    let told = |name: &String| identity.contains_key(name);
    Alert {
        source: SourceName::from(SOURCE),
        fingerprint: Fingerprint::new(incident.id.as_str()),
        status: AlertStatus::Firing,
        labels: origin.labels.clone(),
        annotations,
        starts_at: origin.starts_at.or(Some(incident.created_at)),
        ends_at: None,
        // Nobody has ordered these events.
        occurred_at: None,
        alert_key: None,
        links: origin.links.clone(),
        group: origin.labels.clone().into_iter().filter(|(name, _)| !told(name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifecycle::{Birth, Event, Policy, step};
    use crate::domain::severity::Rank;
    use crate::domain::testing::{T0, alert, at};

    fn held(property: &str, rank: u64) -> Incident {
        let labels = Labels::from([("property".to_owned(), property.to_owned())]);
        let news = RankedAlert {
            alert: alert("Slow").label("property", property).label("pop", "FRA").build(),
            rank: Rank::new(rank).unwrap(),
        };
        let birth = Birth {
            installation: crate::domain::ids::InstallationId::new("test"),
            key: IncidentKey { scope: "slow".into(), identity: Identity::of(&labels) },
            rule: "slow".into(),
            vendor: "akamai".into(),
            delivery: crate::domain::ids::DeliveryId::new("d"),
        };
        let event = Event::Alerts { alerts: &[news], truncated: false, leave: None, birth: &birth };
        step(None, &event, &Policy::default(), None, T0).incident.unwrap()
    }

    fn identity(incident: &Incident) -> Labels {
        let mut labels = incident.origin.labels.clone();
        labels.retain(|name, _| name == "property");
        labels
    }

    #[test]
    fn an_incident_is_called_by_what_tells_it_from_others() {
        let call = RollCall { joins: vec![held("shop", 2)], ..RollCall::new("slow".into()) };
        let news = call.news(identity);
        assert_eq!(news[0].alert.title(), "Slow (property=shop)");
        assert_eq!(news[0].rank, Rank::new(2).unwrap());
        assert_eq!(call.members()[0].as_str(), held("shop", 2).id.as_str());
    }

    #[test]
    fn an_incident_that_becomes_worse_is_news_and_one_that_leaves_has_resolved() {
        use crate::domain::member::{Observation, observe};
        let told = |rank| {
            RollCall { joins: vec![held("shop", rank)], ..RollCall::new("slow".into()) }
                .news(identity)
                .remove(0)
        };
        let (before, worse) = (told(2), told(1));
        let Observation::Fired(known) = observe(None, &before.alert, before.rank, at(0)) else {
            panic!("not new");
        };
        let seen = observe(Some(&known), &worse.alert, worse.rank, at(1));
        assert!(matches!(seen, Observation::Updated(member) if member.rank == Rank::WORST));
        let call = RollCall { leaves: vec![known.alert.clone()], ..RollCall::new("slow".into()) };
        let gone = call.news(identity).remove(0);
        let seen = observe(Some(&known), &gone.alert, gone.rank, at(2));
        assert!(matches!(seen, Observation::Resolved(_)));
    }

    #[test]
    fn no_rule_can_have_the_key_of_a_rollup() {
        let mut incident = held("shop", 1);
        assert!(!incident.is_rollup());
        incident.key = key(&incident.rule);
        assert!(incident.is_rollup());
    }
}
