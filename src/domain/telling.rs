//! Who is told what a step of an incident's life means for its case.
//!
//! Pure, and apart from the lifecycle: what is told follows from how an incident stood before a step
//! and how it stands after it, so the machine knows nothing of it. *Invariant:* whatever is told
//! changes nothing about the incident but the number of its newest action.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::{ActionKind, NewAction};
use super::alert::Alert;
use super::case_view::{CaseChange, CaseStatus, VendorComment};
use super::ids::{CaseId, SourceName};
use super::incident::{Incident, State};
use super::lifecycle::{Event, Policy, Reason, Step, step, unchanged};
use super::notice::{Notice, Occasion, Target};
use super::policy::ResolveAction;
use super::rollup;
use super::text::excerpt;

/// At most so many of a sender's incidents are told of one thing: a storm must not become one of
/// notes.
pub const MOST: usize = 100;

/// So many of the comments that are new at once are told, the newest ones.
const COMMENTS_TOLD: usize = 5;

/// So many characters of a comment and of its author's name are kept until they are told. More than
/// [are told](super::notice::COMMENT_TOLD), so that what must not leave can be taken out of a whole
/// piece, and not out of what a cut has left of it.
const KEPT: usize = 1_000;

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
    let notices = match &step.reason {
        Reason::VendorClosed { case, firing: firing @ 1.. } => {
            vec![Notice::ClosedByVendor { case: case.clone(), firing: *firing }]
        }
        // What fired on after the vendor had closed its case has ended.
        _ if before.is_some_and(fires_on)
            && matches!(after.state, State::Closed { .. })
            && !after.is_firing() =>
        {
            let case = after.state.case().cloned();
            let action = ResolveAction::None;
            case.map(|case| Notice::Ended { case, at: now, action }).into_iter().collect()
        }
        // What the vendor did is told by whoever knows it.
        Reason::VendorReopened(_) => Vec::new(),
        _ => notices(before.map(|before| &before.state), &after.state, ends),
    };
    let mut told = Vec::new();
    for notice in notices {
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
    add(told, after, &mut step.actions, now);
    step
}

/// What it means for an incident, and who is told, that the vendor did this with its `case`.
pub fn hear_of_vendor(
    incident: &Incident,
    case: &CaseId,
    news: &[CaseChange],
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let event = news.iter().find_map(|change| match change {
        CaseChange::Closed { at } => Some(Event::ClosedByVendor { case, at: *at }),
        CaseChange::Reopened => Some(Event::ReopenedByVendor { case }),
        _ => None,
    });
    let step = match &event {
        Some(event) => step(Some(incident), event, policy, None, now),
        None => unchanged(incident),
    };
    tell_what_the_vendor_did(incident, step, case, news, &policy.tell, now)
}

/// Adds to a step what the vendor did with `case`, as far as the step does not tell it already.
fn tell_what_the_vendor_did(
    before: &Incident,
    mut step: Step,
    case: &CaseId,
    news: &[CaseChange],
    telling: &Telling,
    now: Timestamp,
) -> Step {
    let closed = matches!(step.reason, Reason::VendorClosed { .. });
    let Some(after) = &mut step.incident else { return step };
    let mut told = Vec::new();
    for notice in notices_of_vendor(case, news) {
        // That is told as the end.
        let is_known = matches!(&notice, Notice::Status { status: CaseStatus::Closed, .. });
        if !(closed && is_known) {
            let targets = targets(Some(before), after, &notice, telling).into_iter();
            told.extend(targets.map(|target| (target, notice.clone())));
        }
    }
    if !told.is_empty() {
        if !step.changed {
            (step.changed, step.reason) = (true, Reason::VendorActed(case.clone()));
        }
        add(told, after, &mut step.actions, now);
    }
    step
}

fn notices_of_vendor(case: &CaseId, news: &[CaseChange]) -> Vec<Notice> {
    let comments = news.iter().filter(|change| matches!(change, CaseChange::Commented(_))).count();
    // The newest ones: of a case that is seen for the first time there may be many.
    let mut passed_over = comments.saturating_sub(COMMENTS_TOLD);
    let notices = news.iter().filter_map(|change| match change {
        // That it is there was told when it was opened.
        CaseChange::Status { from: None, to: CaseStatus::Created } => None,
        CaseChange::Status { to, .. } => {
            Some(Notice::Status { case: case.clone(), status: to.clone() })
        }
        CaseChange::WaitsForUs => Some(Notice::Waits { case: case.clone() }),
        CaseChange::Commented(_) if passed_over > 0 => {
            passed_over -= 1;
            None
        }
        CaseChange::Commented(VendorComment { author, text, .. }) => Some(Notice::Commented {
            case: case.clone(),
            author: beginning(author),
            text: beginning(text),
        }),
        CaseChange::FirstResponse(minutes) => {
            Some(Notice::Responded { case: case.clone(), minutes: *minutes })
        }
        // The status tells of them.
        CaseChange::Closed { .. } | CaseChange::Reopened => None,
    });
    notices.collect()
}

/// The beginning of a foreign text, without anything by which we know our own notes.
fn beginning(text: &str) -> String {
    excerpt(text, KEPT).replace("[cw-", "(cw-")
}

fn add(
    told: Vec<(Target, Notice)>,
    after: &mut Incident,
    actions: &mut Vec<NewAction>,
    now: Timestamp,
) {
    for (target, notice) in told {
        after.last_seq = after.last_seq.saturating_add(1);
        let kind = ActionKind::Tell { target, notice };
        actions.push(NewAction { seq: after.last_seq, kind, due: now, look_first: false });
    }
}

/// Whether it fires although its case is closed.
fn fires_on(incident: &Incident) -> bool {
    matches!(incident.state, State::Closed { .. }) && incident.is_firing()
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

/// Where alerts are told of `notice`: each once, in the order given. What a roll-up stands for is told
/// where it came from.
fn at_sources(alerts: Vec<&Alert>, notice: &Notice, telling: &Telling) -> Vec<Target> {
    let mut seen = BTreeSet::new();
    let mut targets = Vec::new();
    for alert in alerts {
        let (source, about) = rollup::origin_of(alert)
            .unwrap_or_else(|| (alert.source.clone(), alert.fingerprint.clone()));
        let Some(told) = telling.sources.get(&source) else { continue };
        let about = about.as_str().to_owned();
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
