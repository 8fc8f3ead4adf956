//! Who is told what a step of an incident's life means for its case.
//!
//! Pure, and apart from the lifecycle: what is told follows from how an incident stood before a step
//! and how it stands after it, so the machine knows nothing of it. *Invariant:* whatever is told
//! changes nothing about the incident but the number of its newest action.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::{ActionKind, NewAction};
use super::alert::Alert;
use super::ids::SourceName;
use super::incident::{Incident, State};
use super::lifecycle::{Reason, Step};
use super::notice::{Notice, Occasion, Target};
use super::policy::ResolveAction;

/// At most so many of a sender's incidents are told of one thing: a storm must not become one of
/// notes.
pub const MOST: usize = 100;

/// Whom to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Telling {
    /// The sources whose incidents are told of their cases.
    pub sources: BTreeMap<SourceName, ToldSource>,
    /// What webhooks want to hear of, by their names.
    pub webhooks: BTreeMap<String, BTreeSet<Occasion>>,
}

/// How a source's incidents are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ToldSource {
    /// The case's number goes into a custom field as well.
    pub field: bool,
}

/// Adds to a step what is to be told of it.
pub(super) fn tell_what_follows(
    before: Option<&Incident>,
    mut step: Step,
    telling: &Telling,
    now: Timestamp,
) -> Step {
    if telling.sources.is_empty() && telling.webhooks.is_empty() || !step.changed {
        return step;
    }
    let Some(after) = &mut step.incident else { return step };
    // A new generation has no past.
    let before = before.filter(|before| before.id == after.id);
    let ends = match step.reason {
        Reason::Over(action) | Reason::Silent(_, action) => action,
        _ => ResolveAction::None,
    };
    let mut told = Vec::new();
    for notice in notices(before.map(|before| &before.state), &after.state, ends) {
        let targets = targets(before, after, &notice, telling).into_iter();
        told.extend(targets.map(|target| (target, notice.clone())));
    }
    // Who joins learns what the others have learnt.
    if let Some((before, notice)) = before.zip(standing(&after.state))
        && standing(&before.state).as_ref() == Some(&notice)
    {
        let joined = newcomers(before, after);
        let targets = at_sources(joined, &notice, telling).into_iter();
        told.extend(targets.map(|target| (target, notice.clone())));
    }
    for (target, notice) in told {
        after.last_seq = after.last_seq.saturating_add(1);
        let kind = ActionKind::Tell { target, notice };
        step.actions.push(NewAction { seq: after.last_seq, kind, due: now, look_first: false });
    }
    step
}

/// What is to be told of the way from one state to another.
fn notices(before: Option<&State>, after: &State, ends: ResolveAction) -> Vec<Notice> {
    let mut notices = Vec::new();
    let known = before.and_then(State::case);
    if let Some(case) = after.case() {
        if known != Some(case) {
            notices.push(Notice::CaseOpened { case: case.clone() });
        } else if matches!(before, Some(State::Closed { .. }))
            && !matches!(after, State::Closed { .. })
        {
            notices.push(Notice::Refired { case: case.clone() });
        }
    }
    match (before, after) {
        (Some(State::Failed { .. }), State::Failed { .. })
        | (Some(State::Closed { .. }), State::Closed { .. }) => {}
        (_, State::Failed { .. }) => notices.push(Notice::CaseFailed),
        (_, State::Closed { case, at }) => {
            notices.push(Notice::Ended { case: case.clone(), at: *at, action: ends });
        }
        _ => {}
    }
    notices
}

/// What is true as long as a state lasts, for those who come later.
fn standing(state: &State) -> Option<Notice> {
    match state {
        State::Failed { .. } => Some(Notice::CaseFailed),
        state => state.case().map(|case| Notice::CaseOpened { case: case.clone() }),
    }
}

/// Everybody who is told of `notice`.
fn targets(
    before: Option<&Incident>,
    after: &Incident,
    notice: &Notice,
    telling: &Telling,
) -> Vec<Target> {
    let members = after.members.values();
    let alerts: Vec<&Alert> = match notice {
        // Where it ended before is where it fires again. Who joins is told of the case anyway.
        Notice::Refired { .. } => members
            .filter(|member| member.is_firing())
            .map(|member| &member.alert)
            .filter(|alert| {
                before.is_some_and(|before| before.members.contains_key(&alert.fingerprint))
            })
            .collect(),
        // The alert that began it may not be among the members that a delivery speaks of.
        _ => std::iter::once(&after.origin).chain(members.map(|member| &member.alert)).collect(),
    };
    let occasion = notice.occasion();
    let webhooks = telling.webhooks.iter().filter(|(_, on)| on.contains(&occasion));
    let webhooks = webhooks.map(|(name, _)| Target::Webhook { name: name.clone() });
    at_sources(alerts, notice, telling).into_iter().chain(webhooks).collect()
}

/// The alerts of those members that there were not before.
fn newcomers<'a>(before: &Incident, after: &'a Incident) -> Vec<&'a Alert> {
    let members = after.members.iter();
    let new = members.filter(|(fingerprint, _)| !before.members.contains_key(*fingerprint));
    new.map(|(_, member)| &member.alert).collect()
}

/// Where alerts are told of `notice`: each once, in the order given.
fn at_sources(alerts: Vec<&Alert>, notice: &Notice, telling: &Telling) -> Vec<Target> {
    let mut seen = BTreeSet::new();
    let mut targets = Vec::new();
    for alert in alerts {
        let Some(told) = telling.sources.get(&alert.source) else { continue };
        let (source, about) = (alert.source.clone(), alert.fingerprint.as_str().to_owned());
        if seen.len() >= MOST || !seen.insert((source.clone(), about.clone())) {
            continue;
        }
        targets.push(Target::Note { source: source.clone(), about: about.clone() });
        if told.field && matches!(notice, Notice::CaseOpened { .. }) {
            targets.push(Target::Field { source, about });
        }
    }
    targets
}

#[cfg(test)]
mod tests;
