//! Tells roll-ups what they stand for.

use jiff::Timestamp;

use crate::domain::ids::InstallationId;
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Birth, Event, Step, step};
use crate::domain::rollup::{self, RollCall};
use crate::playbook::Playbook;

/// How many incidents join roll-ups in one go.
pub(crate) const JOINS: u32 = 5_000;

/// Decides what a roll call changes about the newest roll-up of its rule. `None` if there is none
/// and nothing joins.
pub(crate) fn decide(
    playbook: &Playbook,
    installation: &InstallationId,
    call: &RollCall,
    current: Option<&Incident>,
    now: Timestamp,
) -> Option<Step> {
    // The first that joins is the worst; it lends the roll-up what a case needs.
    let model = call.joins.first().or(current)?;
    let birth = Birth {
        installation: installation.clone(),
        key: rollup::key(&call.rule),
        rule: call.rule.clone(),
        vendor: model.vendor.clone(),
        delivery: model.delivery.clone(),
    };
    let alerts = call.news(|incident| playbook.identity(incident));
    let event = Event::Alerts { alerts: &alerts, truncated: false, leave: None, birth: &birth };
    let policy = playbook.rule_policy(&call.rule).of_rollup();
    Some(step(current, &event, &policy, None, now))
}
