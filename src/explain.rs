//! Why a payload gives the cases that it gives: for each alert every rule and what kept it from
//! matching, then each incident with its identity, the decision and the case.
//!
//! Uses the very code that the daemon uses, on a store that knows nothing. Nothing here asks a
//! vendor or writes anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dispatch::drafting;
use crate::domain::alert::{Alert, Labels};
use crate::domain::catalog::whole::KeptCatalog;
use crate::domain::draft::{ChoiceField, Contact, EditedDraft};
use crate::domain::ids::VendorName;
use crate::domain::incident::Incident;
use crate::domain::lifecycle::Step;
use crate::domain::severity::SeverityRule;
use crate::intake::decide_afresh;
use crate::playbook::Playbook;
use crate::rules::{CaseRule, Mismatch, Rule, TextSource, Then};
use crate::sources::Received;

/// What becomes of a payload.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// Its alerts, in its order.
    pub alerts: Vec<AlertStory>,
    /// The incidents that they are.
    pub incidents: Vec<IncidentStory>,
    /// Why there are no alerts, or what was odd about them.
    pub note: Option<String>,
    /// The sender left alerts out.
    pub truncated: bool,
    /// Whether all names and severities were compared with the catalog of their vendor, as it is kept.
    pub compared: bool,
}

/// The way of one alert through the rules.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertStory {
    /// What a person calls it.
    pub alert: String,
    /// Firing or resolved.
    pub status: &'static str,
    /// What matchers see.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// Every rule, in order.
    pub rules: Vec<RuleStory>,
    /// What was decided: one text for each rule that took it, or why none did.
    pub verdicts: Vec<String>,
}

/// What a rule says to an alert.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleStory {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub place: String,
    /// What it says.
    #[serde(flatten)]
    pub answer: Answer,
}

/// See [`RuleStory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
#[schema(as = RuleAnswer)]
pub enum Answer {
    /// It takes the alert.
    Takes {
        /// Whether the rules after it are asked as well.
        goes_on: bool,
    },
    /// It is for the alert, and ignores it.
    Ignores,
    /// This matcher, the first that does not hold, keeps it from being for the alert.
    Differs {
        /// The matcher.
        matcher: String,
        /// The label's value; `None` if the alert has no such label.
        value: Option<String>,
    },
    /// Its matchers hold, and it is not for alerts that are received at this time.
    NotNow {
        /// The condition, such as `during mon-fri 08:00-18:00 UTC`.
        condition: String,
        /// The time.
        now: String,
    },
    /// A rule before it took the alert.
    NotAsked,
}

/// An incident that the payload would begin or end.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct IncidentStory {
    /// The rule that owns it.
    pub rule: String,
    /// The labels that make alerts this incident, with their values.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub identity: Labels,
    /// The labels of the rule's `identity` that the alert does not have.
    pub identity_absent: Vec<String>,
    /// Whether it has none of them, so that the source's own grouping is the identity.
    pub identity_by_group: bool,
    /// The vendor that its case is for.
    pub vendor: String,
    /// Where it stands afterwards.
    pub state: &'static str,
    /// Why.
    pub reason: String,
    /// What is done at the vendor.
    pub actions: Vec<&'static str>,
    /// How bad.
    pub severity: SeverityStory,
    /// What its case says, if one is opened now or later.
    pub case: Option<CaseStory>,
}

/// Where a rank comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SeverityStory {
    /// The rank; 1 is worst.
    pub rank: u8,
    /// What made it.
    pub origin: String,
}

/// A case, as far as it can be made without asking the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseStory {
    /// Its fields.
    pub fields: Vec<FieldStory>,
    /// What had to be done to it.
    pub notes: Vec<String>,
    /// Why it could not be sent.
    pub problem: Option<String>,
}

/// One field of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldStory {
    /// Its key in the rule.
    pub key: String,
    /// Where its text comes from.
    pub origin: String,
    /// The text.
    pub value: String,
}

/// What vendors accept, as far as it is known.
pub type Known = BTreeMap<VendorName, Arc<KeptCatalog>>;

/// Explains what a payload would do to a store that knows nothing, at `now`.
/// `known` is what vendors accept, as far as it is known.
pub fn explain(
    playbook: &Arc<Playbook>,
    received: Received,
    now: Timestamp,
    known: &Known,
) -> Explanation {
    let (note, truncated, alerts) =
        (received.note.clone(), received.truncated, received.alerts.clone());
    let decision = decide_afresh(playbook.clone(), received, now);
    let alerts: Vec<AlertStory> = alerts
        .iter()
        .map(|alert| AlertStory {
            alert: alert.name().to_owned(),
            status: alert.status.as_str(),
            labels: alert.labels.clone(),
            rules: rules(playbook, alert, now),
            verdicts: decision
                .verdicts
                .iter()
                .filter(|verdict| verdict.fingerprint == alert.fingerprint.as_str())
                .map(|verdict| match &verdict.rule {
                    Some(rule) => format!("{rule}: {}", verdict.effect),
                    None => verdict.effect.clone(),
                })
                .collect(),
        })
        .collect();
    let incidents: Vec<IncidentStory> =
        decision.steps.iter().filter_map(|step| incident(playbook, step, now, known)).collect();
    let mut vendors = incidents.iter().map(|incident| VendorName::new(&incident.vendor));
    let compared = vendors.all(|vendor| known.contains_key(&vendor));
    Explanation { alerts, incidents, note, truncated, compared }
}

fn rules(playbook: &Playbook, alert: &Alert, now: Timestamp) -> Vec<RuleStory> {
    let mut taken = false;
    playbook
        .rules
        .rules()
        .iter()
        .map(|rule| {
            let answer = if taken { Answer::NotAsked } else { ask(rule, alert, now) };
            taken |= match &answer {
                Answer::Takes { goes_on } => !goes_on,
                Answer::Ignores => !rule.goes_on,
                Answer::Differs { .. } | Answer::NotNow { .. } | Answer::NotAsked => false,
            };
            RuleStory {
                rule: rule.name.to_string(),
                place: format!("{}:{}", rule.file.display(), rule.line),
                answer,
            }
        })
        .collect()
}

fn ask(rule: &Rule, alert: &Alert, now: Timestamp) -> Answer {
    let not_now = |condition| Answer::NotNow { condition, now: now.to_string() };
    match (rule.mismatch(alert, now), &rule.then) {
        (Some(Mismatch::Matcher(matcher)), _) => Answer::Differs {
            matcher: matcher.to_string(),
            value: alert.labels.get(matcher.name()).cloned(),
        },
        (Some(Mismatch::During(times)), _) => not_now(format!("during {times}")),
        (Some(Mismatch::Outside(times)), _) => not_now(format!("outside {times}")),
        (None, Then::Ignore) => Answer::Ignores,
        (None, Then::Case(_)) => Answer::Takes { goes_on: rule.goes_on },
    }
}

fn incident(
    playbook: &Playbook,
    step: &Step,
    now: Timestamp,
    known: &Known,
) -> Option<IncidentStory> {
    // Resolved alerts of an incident that is not known: the verdicts say so.
    let incident = step.incident.as_ref()?;
    let rule = playbook.case_rule(&incident.rule)?;
    let opens = matches!(incident.state.name(), "pending" | "held" | "opening");
    let absent = rule.identity_without(&incident.origin);
    let named = rule.identity.as_ref().map_or(0, Vec::len);
    Some(IncidentStory {
        rule: incident.rule.to_string(),
        identity: rule.identity_of(&incident.origin),
        identity_by_group: absent.len() == named,
        identity_absent: absent.into_iter().map(str::to_owned).collect(),
        vendor: incident.vendor.to_string(),
        state: incident.state.name(),
        reason: step.reason.to_string(),
        actions: step.actions.iter().map(|action| action.kind.name()).collect(),
        severity: severity(rule, incident),
        case: opens.then(|| {
            let known = known.get(&incident.vendor).map(AsRef::as_ref);
            case(playbook, rule, incident, now, known, None)
        }),
    })
}

fn severity(rule: &CaseRule, incident: &Incident) -> SeverityStory {
    let origin = match &rule.plan.severity {
        SeverityRule::Fixed(_) => "constant".to_owned(),
        SeverityRule::FromLabel { label, map, .. } => match incident.origin.label(label) {
            "" => format!("the default: the alert has no label {label}"),
            value if map.contains_key(value) => format!("label {label} = \"{value}\""),
            value => format!("the default: the map has no \"{value}\" of label {label}"),
        },
    };
    SeverityStory { rank: incident.rank.get(), origin }
}

/// What the case of an incident says, or would say, at `now`, with what a person has `edited` of it;
/// `None` if its rule is gone.
pub(crate) fn case_of(
    playbook: &Playbook,
    incident: &Incident,
    now: Timestamp,
    known: Option<&KeptCatalog>,
    edited: Option<&EditedDraft>,
) -> Option<CaseStory> {
    let rule = playbook.case_rule(&incident.rule)?;
    Some(case(playbook, rule, incident, now, known, edited))
}

fn case(
    playbook: &Playbook,
    rule: &CaseRule,
    incident: &Incident,
    now: Timestamp,
    known: Option<&KeptCatalog>,
    edited: Option<&EditedDraft>,
) -> CaseStory {
    let catalog = known.map(|known| &known.catalog);
    let drafted = match drafting::preview(playbook, incident, now, catalog, edited) {
        Ok(drafted) => drafted,
        Err(why) => {
            return CaseStory {
                fields: Vec::new(),
                notes: Vec::new(),
                problem: Some(why.to_string()),
            };
        }
    };
    let (plan, draft) = (&rule.plan, drafted.draft);
    let mut fields = Vec::new();
    let changed = edited.map(|edited| edited.edit.fields()).unwrap_or_default();
    let mut field = |key: &str, origin: String, value: String| {
        let by = edited.filter(|_| changed.contains(&key) && !drafted.fell_back);
        let origin = by.map_or(origin, |edited| format!("edited by {}", edited.by));
        fields.push(FieldStory { key: key.to_owned(), origin, value });
    };
    field("account", origin(&plan.account), draft.account.to_string());
    let instead = |of_the_rule: String| {
        if drafted.fell_back { "the vendor's fallback".to_owned() } else { of_the_rule }
    };
    field("category", instead("constant".to_owned()), draft.category.to_string());
    for choice in ChoiceField::ALL {
        let Some(value) = choice.of(&draft.choices) else { continue };
        let of_the_rule = plan.choices.get(&choice).map(origin);
        let of_the_rule = of_the_rule.unwrap_or_else(|| "the only one".to_owned());
        field(choice.name(), instead(of_the_rule), value.to_owned());
    }
    let page = catalog.and_then(|catalog| catalog.page(&draft.account, draft.category));
    if let Some(page) = page {
        let origin = format!("the catalog of {}", page.read_at);
        field("severity", origin, draft.severity);
    }
    field("subject", origin(&plan.subject), draft.subject);
    field("description", origin(&plan.description), draft.description);
    if let Some(first) = plan.also_notify.first() {
        field("also_notify", origin(first), draft.also_notify.join(", "));
    }
    if let Some(Contact { name, company, email, phone }) = draft.alternate_contact {
        let parts: Vec<String> = [name, company, email, phone].into_iter().flatten().collect();
        field("alternate_contact", "rule".to_owned(), parts.join(", "));
    }
    CaseStory { fields, notes: drafted.notes, problem: None }
}

fn origin(text: &TextSource) -> String {
    if text.is_file {
        text.text.clone()
    } else if text.constant().is_some() {
        "constant".to_owned()
    } else {
        "template".to_owned()
    }
}

#[cfg(test)]
mod tests;
