//! The record of an incident: why there was a case, or none. Everything that was known, decided,
//! sent and answered, put together from what the store keeps.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::at_vendor::AtVendor;
use super::drafts::EditedBy;
use super::finding::bare;
use super::paging::{List, Page};
use super::silence::silence;
use super::{Exchange, People, Standing};
use crate::domain::action::ActionKind;
use crate::domain::alert::{Labels, Link};
use crate::domain::ids::{IncidentId, RuleName};
use crate::domain::incident::{Incident, State};
use crate::explain::{CaseStory, case_of};
use crate::playbook::Playbook;
use crate::store::{Action, Attempt, Decided, DeliveryRecord, Sought, StoreError};

/// So many members are shown.
const MEMBERS: usize = 100;

/// So many incidents and verdicts are told of one question.
const ANSWERS: u32 = 20;

/// An incident, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// Its id.
    pub id: String,
    /// The rule that owns it.
    pub rule: String,
    /// What a person calls the alert that began it.
    pub title: String,
    /// How it stands.
    pub state: &'static str,
    /// What keeps its case from being opened, if it is held.
    pub hold: Option<&'static str>,
    /// The rank of its case, 1 is worst.
    pub rank: u8,
    /// The case.
    pub case: Option<String>,
    /// Its page at the vendor, where the configuration says where that is.
    pub case_url: Option<String>,
    /// The case of the generation before.
    pub previous_case: Option<String>,
    /// Where its case is, or will be.
    pub vendor: String,
    /// The token in the subject of its case.
    pub token: String,
    /// The labels that tell it from others of its rule; empty if the rule is gone.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub identity: Labels,
    /// Alerts that fire.
    pub firing: u32,
    /// Alerts that have resolved.
    pub resolved: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it is looked at again.
    pub due_at: Option<Timestamp>,
}

/// All that there is to tell of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Record {
    /// In a line.
    #[serde(flatten)]
    pub summary: Summary,
    /// How many times its problem has come back long after its end, and 1.
    pub generation: u32,
    /// Where the rule stands; `None` if it is gone.
    pub rule_place: Option<String>,
    /// The delivery that began it.
    pub delivery: String,
    /// The labels of the alert that began it.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// What else that alert said.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub annotations: Labels,
    /// The ways back to its senders, each once. Untrusted.
    #[schema(value_type = Vec<Object>)]
    pub links: Vec<Link>,
    /// Where the Alertmanager that sent the alert that began it makes a silence for it, if it says
    /// where it is. Untrusted.
    pub silence: Option<String>,
    /// Its alerts, those that fire first; not all of very many.
    pub members: Vec<MemberLine>,
    /// What was decided, in order.
    pub decisions: Vec<Decided>,
    /// What was done, in order.
    pub actions: Vec<ActionLine>,
    /// What its case says, or would say if it were sent now.
    pub draft: Option<CaseStory>,
    /// What a person has changed of it.
    pub edited: Option<EditedBy>,
    /// The entity tag of its draft, as long as it waits for a person: whoever approves names it.
    pub draft_tag: Option<String>,
    /// Why its case has to wait: its vendor is left alone, or a person has to mend what it is made of.
    pub waits: Option<String>,
    /// What was sent to open the case.
    pub sent: Option<Value>,
    /// How the case stands at the vendor; `None` if that was never read.
    pub at_vendor: Option<AtVendor>,
}

/// An alert of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MemberLine {
    /// Its fingerprint.
    pub fingerprint: String,
    /// What a person calls it.
    pub title: String,
    /// Firing or resolved.
    pub status: &'static str,
    /// How bad.
    pub rank: u8,
    /// Since when it is as it is.
    pub since: Timestamp,
}

/// Something that is done at the vendor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionLine {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: &'static str,
    /// Who is told by it, in words, if it tells somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How far it has come.
    pub state: &'static str,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When it is tried next, if it is not over.
    pub due_at: Timestamp,
    /// What the last attempt said.
    pub message: Option<String>,
    /// Each exchange with the vendor about it.
    pub attempts: Vec<Exchange>,
}

/// An answer to: why was there a case, or none?
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Answer {
    /// The incidents that it is about, newest first.
    pub incidents: Vec<Record>,
    /// What became of alerts that no incident has, and of every alert of a delivery that is asked
    /// about, newest first.
    pub verdicts: Vec<VerdictLine>,
    /// Where the rule of that name stands, if one is in force.
    pub rule: Option<String>,
}

/// What became of an alert of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VerdictLine {
    /// The delivery.
    pub delivery: String,
    /// The source that it came through.
    pub source: String,
    /// When.
    pub received_at: Timestamp,
    /// What became of the delivery.
    pub fate: &'static str,
    /// The alert's fingerprint and name; empty if the delivery had no alerts.
    pub fingerprint: String,
    /// Its name.
    pub alert: String,
    /// Firing or resolved.
    pub status: String,
    /// The rule that took it.
    pub rule: Option<String>,
    /// The incident that it belongs to.
    pub incident: Option<String>,
    /// What it changed, or why nothing.
    pub effect: String,
}

impl People {
    /// A page of incidents, the newest first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn incidents(
        &self,
        sought: &Sought,
        limit: u32,
    ) -> Result<Page<Summary>, StoreError> {
        let found = self.store.seek(sought, limit).await?;
        let playbook = self.playbook.get();
        let found = found.map(|incident| Summary::of(&incident, &playbook));
        Ok(Page::of(List::Incidents, found))
    }

    /// All that there is to tell of an incident.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn record(&self, id: &IncidentId) -> Result<Option<Record>, StoreError> {
        let Some(incident) = self.store.incident(id).await? else { return Ok(None) };
        let decisions = self.store.decisions(id).await?;
        let actions = self.store.actions(id).await?;
        let attempts = self.store.attempts(id).await?;
        let at_vendor = self.store.kept_case(id).await?;
        // Not of a case that it had before.
        let at_vendor = at_vendor.filter(|kept| incident.state.case() == Some(&kept.case));
        let playbook = self.playbook.get();
        let known = self.catalogs.kept(&incident.vendor).await?;
        let edited = self.store.edited_draft(id).await?;
        let (now, known) = (self.clock.now(), known.as_deref());
        let draft = case_of(&playbook, &incident, now, known, edited.as_ref());
        let draft_tag = if incident.state.has_draft() {
            Some(self.sheet(&incident, edited.as_ref()).await?.tag().to_string())
        } else {
            None
        };
        let sent = attempts.iter().rev().find_map(|attempt| {
            let opens =
                |action: &&Action| action.id == attempt.action && action.kind == ActionKind::Open;
            actions.iter().find(opens)?;
            serde_json::from_str(attempt.request.as_deref()?).ok()
        });
        let place = playbook
            .rules
            .get(&incident.rule)
            .map(|rule| format!("{}:{}", rule.file.display(), rule.line));
        Ok(Some(Record {
            summary: Summary::of(&incident, &playbook),
            generation: incident.generation,
            rule_place: place,
            delivery: incident.delivery.to_string(),
            labels: incident.origin.labels.clone(),
            annotations: incident.origin.annotations.clone(),
            links: links(&incident),
            silence: silence(&incident.origin),
            members: members(&incident),
            decisions,
            actions: actions.iter().map(|action| ActionLine::of(action, &attempts)).collect(),
            draft,
            draft_tag,
            waits: self.waits(&incident, &actions),
            edited: edited.filter(|edited| !edited.edit.is_empty()).as_ref().map(EditedBy::of),
            sent,
            at_vendor: at_vendor.map(AtVendor::of),
        }))
    }

    /// Why an incident that is to get its case does not get it now, if that is for a reason that lasts.
    fn waits(&self, incident: &Incident, actions: &[Action]) -> Option<String> {
        let State::Opening { seq } = incident.state else { return None };
        if let Some(open) = actions.iter().find(|one| one.id.seq == seq && one.is_blocked()) {
            let why = open.message.as_deref().unwrap_or_default();
            return Some(format!("a person has to mend its rule. {why}"));
        }
        let standing = Standing::of(&*self.lane(&incident.vendor)?, 0, self.clock.now());
        if standing.state == "open" {
            return None;
        }
        let why = standing.why.map(|why| format!(": {why}")).unwrap_or_default();
        Some(format!("vendor {} is left alone ({}){why}", standing.name, standing.state))
    }

    /// Why there was a case, or none, of whatever `about` names: an incident's id or token, a case,
    /// a delivery, a rule, an alert's fingerprint or name.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn why(&self, about: &str) -> Result<Answer, StoreError> {
        let what = bare(about);
        let most = usize::try_from(ANSWERS).unwrap_or(usize::MAX);
        let mut incidents: Vec<Record> = Vec::new();
        for incident in self.store.about(what, ANSWERS).await? {
            incidents.extend(self.record(&incident.id).await?);
        }
        let mut verdicts = Vec::new();
        for delivery in self.store.deliveries_about(what, ANSWERS).await? {
            verdicts.extend(VerdictLine::all(&delivery, what));
            if delivery.id.as_str() != what {
                continue;
            }
            let told = |id: &IncidentId, known: &[Record]| {
                known.iter().any(|record| record.summary.id == id.as_str())
            };
            for id in delivery.verdicts.iter().filter_map(|verdict| verdict.incident.as_ref()) {
                if incidents.len() < most && !told(id, &incidents) {
                    incidents.extend(self.record(id).await?);
                }
            }
        }
        verdicts.truncate(most);
        let playbook = self.playbook.get();
        let rule = playbook.rules.get(&RuleName::new(what));
        let rule = rule.map(|rule| format!("{}:{}", rule.file.display(), rule.line));
        Ok(Answer { incidents, verdicts, rule })
    }
}

impl Summary {
    pub(super) fn of(incident: &Incident, playbook: &Playbook) -> Self {
        let hold = match incident.state {
            State::Held { hold, .. } => Some(hold.name()),
            _ => None,
        };
        Self {
            id: incident.id.to_string(),
            rule: incident.rule.to_string(),
            title: incident.origin.title(),
            state: incident.state.name(),
            hold,
            rank: incident.rank.get(),
            case: incident.state.case().map(ToString::to_string),
            case_url: incident
                .state
                .case()
                .and_then(|case| playbook.links.case(&incident.vendor, case)),
            previous_case: incident.previous_case.as_ref().map(ToString::to_string),
            vendor: incident.vendor.to_string(),
            token: incident.id.marker().token(),
            identity: playbook.identity(incident),
            firing: incident.tally.firing,
            resolved: incident.tally.resolved,
            created_at: incident.created_at,
            updated_at: incident.updated_at,
            due_at: incident.state.due(),
        }
    }
}

/// So many ways back to senders are shown.
const LINKS: usize = 20;

fn links(incident: &Incident) -> Vec<Link> {
    let members = incident.members.values().flat_map(|member| &member.alert.links);
    let mut found: Vec<Link> = Vec::new();
    for link in incident.origin.links.iter().chain(members) {
        if found.len() == LINKS {
            break;
        }
        if !found.contains(link) {
            found.push(link.clone());
        }
    }
    found
}

fn members(incident: &Incident) -> Vec<MemberLine> {
    let line = |member: &crate::domain::member::Member| MemberLine {
        fingerprint: member.alert.fingerprint.to_string(),
        title: member.alert.title(),
        status: member.alert.status.as_str(),
        rank: member.rank.get(),
        since: member.since,
    };
    let mut members: Vec<_> = incident.members.values().map(line).collect();
    members.sort_by_key(|member| (member.status != "firing", member.rank, member.since));
    members.truncate(MEMBERS);
    members
}

impl ActionLine {
    fn of(action: &Action, attempts: &[Attempt]) -> Self {
        let own = attempts.iter().filter(|attempt| attempt.action == action.id);
        Self {
            id: action.id.to_string(),
            kind: action.kind.name(),
            target: action.kind.target().map(ToString::to_string),
            state: action.standing(),
            created_at: action.created_at,
            due_at: action.due_at,
            message: action.message.clone(),
            attempts: own.cloned().map(Exchange::of).collect(),
        }
    }
}

impl VerdictLine {
    /// Those of a delivery that speak of what was asked for, and that no incident tells.
    fn all(delivery: &DeliveryRecord, what: &str) -> Vec<Self> {
        let none = Self {
            delivery: delivery.id.to_string(),
            source: delivery.source.to_string(),
            received_at: delivery.received_at,
            fate: delivery.fate.name(),
            fingerprint: String::new(),
            alert: String::new(),
            status: String::new(),
            rule: None,
            incident: None,
            effect: delivery.note.clone().unwrap_or_default(),
        };
        let whole = delivery.id.as_str() == what;
        let mut lines: Vec<Self> = delivery
            .verdicts
            .iter()
            .filter(|verdict| whole || verdict.fingerprint == what || verdict.alert == what)
            .filter(|verdict| whole || verdict.incident.is_none())
            .map(|verdict| Self {
                fingerprint: verdict.fingerprint.clone(),
                alert: verdict.alert.clone(),
                status: verdict.status.clone(),
                rule: verdict.rule.as_ref().map(ToString::to_string),
                incident: verdict.incident.as_ref().map(ToString::to_string),
                effect: verdict.effect.clone(),
                ..none.clone()
            })
            .collect();
        if whole && lines.is_empty() {
            lines.push(none);
        }
        lines
    }
}
