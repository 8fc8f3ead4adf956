//! The draft of an incident that has no case yet: read, edited by a person, and approved as it was
//! seen.
//!
//! *Promise:* nobody overwrites, or approves, an edit that they have not seen: whoever writes names
//! how many edits there were when they read, and the store compares in the same transaction.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::People;
use super::record::NotJudged;
use super::record::Summary;
use crate::dispatch::drafting;
use crate::domain::access::Operator;
use crate::domain::audit::{Act, End, Object};
use crate::domain::draft::fit::{DESCRIPTION_LIMIT, SUBJECT_LIMIT};
use crate::domain::draft::{
    ChoiceField, Choices, DraftEdit, EditedDraft, fit_description, fit_subject,
};
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Incident, State};
use crate::domain::judgement::{self, Judgement};
use crate::domain::links::Links;
use crate::domain::storm::Usage;
use crate::store::{NotEdited, StoreError, cause};

/// What a person changes of a draft. What is absent or `null` is as the rule says; all of it
/// takes the place of what was changed before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wording {
    /// The subject; the token that makes the case findable is added at its end.
    pub subject: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The vendor's own severity string.
    pub severity: Option<String>,
    /// A product of the vendor's.
    pub product: Option<String>,
    /// A problem of the product's.
    pub problem: Option<String>,
    /// A policy domain.
    pub policy_domain: Option<String>,
    /// An area.
    pub area: Option<String>,
    /// A service of the area's.
    pub service: Option<String>,
    /// A parent account.
    pub parent_account: Option<String>,
    /// A solution.
    pub solution: Option<String>,
    /// A package.
    pub package: Option<String>,
}

/// A draft, as it would be sent now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DraftSheet {
    /// The incident.
    pub incident: String,
    /// How it stands. Only what is `held` or `pending` can be edited.
    pub state: &'static str,
    /// How often it was edited; the entity tag is made of it.
    pub edits: u32,
    /// Who edited it last, if anybody did.
    pub edited: Option<EditedBy>,
    /// The account that the case is for.
    pub account: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// What it says; `None` if nothing could be sent.
    pub draft: Option<Wording>,
    /// What had to be done to it.
    pub notes: Vec<String>,
    /// Why nothing could be sent.
    pub problem: Option<String>,
}

/// A person's edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EditedBy {
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: jiff::Timestamp,
    /// What differs from what the rule says.
    pub fields: Vec<&'static str>,
}

/// Why a draft is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWorded {
    /// As the store says.
    #[error("{0}")]
    NotEdited(#[from] NotEdited),
    /// The vendor would not take it so, in a sentence each.
    #[error("the vendor would not take it: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

impl Wording {
    /// The keys of what it sets.
    fn named(&self) -> String {
        self.clone().edit().fields().join(", ")
    }

    fn edit(self) -> DraftEdit {
        let Self {
            subject,
            description,
            severity,
            product,
            problem,
            policy_domain,
            area,
            service,
            parent_account,
            solution,
            package,
        } = self;
        let choices = Choices {
            product,
            problem,
            policy_domain,
            area,
            service,
            parent_account,
            solution,
            package,
        };
        DraftEdit { subject, description, severity, choices }
    }
}

impl EditedBy {
    pub(super) fn of(edited: &EditedDraft) -> Self {
        Self { by: edited.by.clone(), at: edited.at, fields: edited.edit.fields() }
    }
}

/// What is wrong with texts before anybody asks a catalog. A text that a template makes too long is
/// cut; a person is told instead.
fn wrong_texts(edit: &DraftEdit, incident: &Incident, links: &Links) -> Vec<String> {
    let mut wrong = Vec::new();
    let choices = ChoiceField::ALL.into_iter().map(|field| (field.name(), field.of(&edit.choices)));
    let texts = [
        ("subject", edit.subject.as_deref()),
        ("description", edit.description.as_deref()),
        ("severity", edit.severity.as_deref()),
    ];
    for (key, text) in texts.into_iter().chain(choices) {
        if text.is_some_and(|text| text.trim().is_empty()) {
            wrong.push(format!("`{key}` is empty: leave it out to have what the rule says"));
        }
    }
    if let Some(subject) = &edit.subject
        && fit_subject(subject, &incident.id.marker()).cut
    {
        wrong.push(format!(
            "`subject` is too long: with its token it has {SUBJECT_LIMIT} UTF-16 units at most"
        ));
    }
    let ending = links.ending(&incident.id);
    if let Some(description) = &edit.description
        && fit_description(description, ending.as_deref(), DESCRIPTION_LIMIT).cut
    {
        wrong.push(format!(
            "`description` is too long: with the link to its incident it has {DESCRIPTION_LIMIT} UTF-16 \
             units at most"
        ));
    }
    wrong
}

impl People {
    /// The draft of an incident; `None` if there is no such incident.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn draft(&self, id: &IncidentId) -> Result<Option<DraftSheet>, StoreError> {
        let Some(incident) = self.store.incident(id).await? else { return Ok(None) };
        let edited = self.store.edited_draft(id).await?;
        self.sheet(&incident, edited.as_ref()).await.map(Some)
    }

    async fn sheet(
        &self,
        incident: &Incident,
        edited: Option<&EditedDraft>,
    ) -> Result<DraftSheet, StoreError> {
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let kept = self.catalogs.kept(&incident.vendor).await?;
        let known = kept.as_ref().map(|kept| &kept.catalog);
        let mut sheet = DraftSheet {
            incident: incident.id.to_string(),
            state: incident.state.name(),
            edits: edited.map_or(0, |edited| edited.edits),
            edited: edited.filter(|edited| !edited.edit.is_empty()).map(EditedBy::of),
            account: None,
            category: None,
            draft: None,
            notes: Vec::new(),
            problem: None,
        };
        match drafting::preview(&playbook, incident, now, known, edited) {
            Ok(drafted) => {
                let draft = drafted.draft;
                let token = incident.id.marker().token();
                let subject = draft.subject.strip_suffix(&token).unwrap_or(&draft.subject);
                let Choices {
                    product,
                    problem,
                    policy_domain,
                    area,
                    service,
                    parent_account,
                    solution,
                    package,
                } = draft.choices;
                sheet.account = Some(draft.account.to_string());
                sheet.category = Some(draft.category.to_string());
                sheet.draft = Some(Wording {
                    subject: Some(subject.trim_end().to_owned()),
                    description: Some(draft.description),
                    severity: Some(draft.severity),
                    product,
                    problem,
                    policy_domain,
                    area,
                    service,
                    parent_account,
                    solution,
                    package,
                });
                sheet.notes = drafted.notes;
            }
            Err(why) => sheet.problem = Some(why.to_string()),
        }
        Ok(sheet)
    }

    /// Changes the draft of an incident, if it was edited exactly `seen` times before. What is not
    /// as the rule says is kept, and goes into the case when that is opened, whatever lets it be.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn edit_draft(
        &self,
        by: &Operator,
        id: &IncidentId,
        seen: u32,
        wording: Wording,
    ) -> Result<Result<DraftSheet, NotWorded>, StoreError> {
        let came_of = |edited: &Result<DraftSheet, NotWorded>| match edited {
            Ok(_) => End::done(),
            Err(why) => End::refused(why),
        };
        let (object, detail) = (Object::Incident(id.clone()), wording.named());
        let work = self.edited_draft(id, seen, wording, &by.name);
        self.act(by, Act::EditDraft, &object, &detail, work, came_of).await
    }

    async fn edited_draft(
        &self,
        id: &IncidentId,
        seen: u32,
        wording: Wording,
        who: &str,
    ) -> Result<Result<DraftSheet, NotWorded>, StoreError> {
        let Some(incident) = self.store.incident(id).await? else {
            return Ok(Err(NotEdited::Unknown.into()));
        };
        if !matches!(incident.state, State::Held { .. } | State::Pending { .. }) {
            let state = incident.state.name().to_owned();
            return Ok(Err(NotEdited::NotWaiting(state).into()));
        }
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let kept = self.catalogs.kept(&incident.vendor).await?;
        let known = kept.as_ref().map(|kept| &kept.catalog);
        let mut edit = wording.edit();
        if let Ok(unedited) = drafting::preview(&playbook, &incident, now, known, None)
            && !unedited.fell_back
        {
            let mut said = unedited.draft;
            let token = incident.id.marker().token();
            let bare = said.subject.strip_suffix(&token).map(|text| text.trim_end().to_owned());
            said.subject = bare.unwrap_or(said.subject);
            edit = edit.beyond(&said);
        }
        let mut wrong = wrong_texts(&edit, &incident, &playbook.links);
        let edited = EditedDraft { edit, edits: seen, by: who.to_owned(), at: now };
        if wrong.is_empty() {
            match drafting::objections(&playbook, &incident, now, known, &edited) {
                Ok(objections) => wrong.extend(objections),
                Err(why) => wrong.push(why.to_string()),
            }
        }
        if !wrong.is_empty() {
            return Ok(Err(NotWorded::Wrong(wrong)));
        }
        match self.store.edit_draft(id, seen, &edited.edit, who, now).await? {
            Ok(edited) => self.sheet(&incident, Some(&edited)).await.map(Ok),
            Err(why) => Ok(Err(why.into())),
        }
    }

    /// As [`Self::judge`], if the draft was edited exactly `seen` times.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn judge_as_seen(
        &self,
        by: &Operator,
        id: &IncidentId,
        judgement: Judgement,
        seen: Option<u32>,
    ) -> Result<Result<Summary, NotJudged>, StoreError> {
        let Some(seen) = seen else { return self.judge(by, id, judgement).await };
        let act = match judgement {
            Judgement::Approve => Act::Approve,
            Judgement::Reject => Act::Reject,
        };
        let came_of = |judged: &Result<Summary, NotJudged>| match judged {
            Ok(_) => End::done(),
            Err(why) => End::refused(why),
        };
        let object = Object::Incident(id.clone());
        let work = self.judged_as_seen(id, judgement, seen, &by.name);
        self.act(by, act, &object, "", work, came_of).await
    }

    async fn judged_as_seen(
        &self,
        id: &IncidentId,
        judgement: Judgement,
        seen: u32,
        who: &str,
    ) -> Result<Result<Summary, NotJudged>, StoreError> {
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let rules = playbook.clone();
        let decide = std::sync::Arc::new(move |incident: &Incident, _: &Usage| {
            judgement::judge(incident, judgement, &rules.policy(incident), now)
        });
        let cause = cause::person(who);
        let step = match self.store.advance_as_seen(id, seen, &cause, now, decide).await? {
            Ok(step) => step,
            Err(NotEdited::Moved(edits)) => return Ok(Err(NotJudged::Moved(edits))),
            Err(_) => return Ok(Err(NotJudged::Unknown)),
        };
        Ok(self.heeded(step, &playbook))
    }
}
