//! Incidents that other rules would no longer lead their alerts to: told before and after a change
//! of rules, because nothing else shows it until the next storm.

use std::fmt;

use serde::Serialize;

use super::plan::key_of;
use crate::domain::ids::{CaseId, IncidentId, RuleName};
use crate::domain::incident::{Incident, State};
use crate::playbook::Playbook;
use crate::rules::Then;

/// An incident that goes on and is another by other rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Displaced {
    /// The incident.
    pub incident: IncidentId,
    /// The rule that began it.
    pub rule: RuleName,
    /// Where it stands.
    pub state: &'static str,
    /// Its case, if it has one.
    pub case: Option<CaseId>,
    /// The alert that began it, as a person calls it.
    pub alert: String,
    /// Where the rules lead that alert now, in words.
    pub now: String,
    /// What becomes of the incident, in words.
    pub then: &'static str,
}

impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incident, rule, state, case, alert, now, then } = self;
        let case = case.as_ref().map(|case| format!(", case {case}")).unwrap_or_default();
        write!(f, "incident {incident} of rule {rule} ({state}{case}), {alert}: {now}; {then}")
    }
}

/// Whether the rules lead the alert that began an incident elsewhere. They are asked for the time at
/// which it began, so that what holds at some hours only does not seem to have changed.
pub fn displaced(playbook: &Playbook, incident: &Incident) -> Option<Displaced> {
    // No rule leads anything to a roll-up.
    if incident.is_rollup() {
        return None;
    }
    let origin = &incident.origin;
    let (mut leads, mut ignored): (Vec<String>, bool) = (Vec::new(), true);
    for rule in playbook.rules.route(origin, incident.created_at) {
        match &rule.then {
            Then::Case(case) if key_of(&rule.name, case, origin) == incident.key => return None,
            Then::Case(case) => {
                let labels = case.identity_of(origin);
                let pairs: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                leads.push(format!("rule {} ({})", rule.name, pairs.join(", ")));
                ignored = false;
            }
            Then::Ignore => leads.push(format!("rule {}, which ignores it", rule.name)),
        }
    }
    let now = match leads.is_empty() {
        true => "no rule matches it any more".to_owned(),
        false => format!("it belongs to {}", leads.join(" and ")),
    };
    let then = match &incident.state {
        State::Pending { .. } | State::Held { .. } if leads.is_empty() => {
            "it waits on, and its case is opened when its time comes"
        }
        State::Pending { .. } | State::Held { .. } if ignored => {
            "no case is opened for it once it is next heard of"
        }
        State::Pending { .. } | State::Held { .. } => {
            "it goes there when it is next heard of, and no case is opened for this incident"
        }
        State::Opening { .. } if playbook.case_rule(&incident.rule).is_none() => {
            "its case cannot be written without its rule, and waits until that is back"
        }
        State::Opening { .. } | State::Open { .. } | State::Resolving { .. } => {
            "it keeps its case until it ends; what fires after that is a new incident"
        }
        State::Failed { .. } => "its case could not be opened, and that goes on being shown",
        State::Closed { .. } | State::Dropped { .. } => return None,
    };
    Some(Displaced {
        incident: incident.id.clone(),
        rule: incident.rule.clone(),
        state: incident.state.name(),
        case: incident.state.case().cloned(),
        alert: origin.title(),
        now,
        then,
    })
}
