//! The draft of an incident that has no case yet: read, edited by a person, and approved as it was
//! seen.
//!
//! *Promise:* nobody overwrites, or approves, what they have not seen: whoever writes names the [`Tag`]
//! of what they read. Edits are compared by the store in the transaction that writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::People;
use crate::dispatch::drafting;
use crate::domain::access::Operator;
use crate::domain::audit::{Act, End, Object};
use crate::domain::draft::fit::{DESCRIPTION_LIMIT, SUBJECT_LIMIT};
use crate::domain::draft::{
    ChoiceField, Choices, DraftEdit, EditedDraft, fit_description, fit_subject,
};
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::links::Links;
use crate::playbook::Playbook;
use crate::store::{NotEdited, StoreError};

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
    /// How often it was edited.
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
    /// Stands for what words it: the texts of its rule, and the templates.
    #[serde(skip)]
    pub(super) worded_by: String,
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

/// What stands for a draft as somebody has read it: the edits; where its case goes, which is the
/// account, the category, the names from the catalog and the severity; and what words it, which is the
/// rule's texts and the templates. What these make of alerts that come meanwhile, and of the time that
/// goes by, changes by itself and is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    edits: u32,
    goes_to: u64,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.edits, self.goes_to)
    }
}

/// What is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no tag of a draft")]
pub struct NoTag;

impl FromStr for Tag {
    type Err = NoTag;

    fn from_str(text: &str) -> Result<Self, NoTag> {
        let (edits, goes_to) = text.split_once('-').ok_or(NoTag)?;
        let tag = Self {
            edits: edits.parse().map_err(|_| NoTag)?,
            goes_to: u64::from_str_radix(goes_to, 16).map_err(|_| NoTag)?,
        };
        // As it is written and not otherwise.
        if tag.to_string() == text { Ok(tag) } else { Err(NoTag) }
    }
}

/// What somebody says that they have seen of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// They want it whatever it says.
    Whatever,
    /// One of these; nothing that was ever a draft, if there are none.
    OneOf(Vec<Tag>),
}

/// How a draft is no longer what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Moved {
    /// Somebody has edited it.
    #[error("the draft has been edited since it was read")]
    Edited,
    /// Its rule, a template, its severity or the catalog has changed.
    #[error(
        "the case would go elsewhere, or be worded by other rules, than when its draft was read: its rule, a template, its severity or the vendor's catalog has changed"
    )]
    Elsewhere,
    /// It never was.
    #[error("what was named as seen is no tag of a draft")]
    Never,
}

/// Why a draft is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWorded {
    /// As the store says.
    #[error("{0}")]
    NotEdited(#[from] NotEdited),
    /// It is not what was seen.
    #[error("{0}")]
    Moved(#[from] Moved),
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

/// See [`DraftSheet::worded_by`].
fn worded_by(playbook: &Playbook, incident: &Incident) -> String {
    let texts = playbook.case_rule(&incident.rule).map(|rule| {
        let plan = &rule.plan;
        (plan.subject.text.as_str(), plan.description.text.as_str())
    });
    format!("{texts:?} {}", playbook.templates.digest())
}

impl DraftSheet {
    /// What stands for it.
    pub fn tag(&self) -> Tag {
        let names = self.draft.as_ref().map(|draft| Wording {
            subject: None,
            description: None,
            ..draft.clone()
        });
        let place = (&self.incident, &self.account, &self.category, names, &self.worded_by);
        // Texts under fixed keys can always be written.
        let place = serde_json::to_vec(&place).unwrap_or_default();
        let digest = Sha256::digest(&place);
        let goes_to = digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Tag { edits: self.edits, goes_to }
    }

    /// Whether it is what somebody says that they have seen.
    pub(super) fn is(&self, seen: &Seen) -> Result<(), Moved> {
        let now = self.tag();
        match seen {
            Seen::Whatever => Ok(()),
            Seen::OneOf(tags) if tags.contains(&now) => Ok(()),
            Seen::OneOf(tags) if tags.is_empty() => Err(Moved::Never),
            Seen::OneOf(tags) if tags.iter().any(|tag| tag.edits == now.edits) => {
                Err(Moved::Elsewhere)
            }
            Seen::OneOf(_) => Err(Moved::Edited),
        }
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

    pub(super) async fn sheet(
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
            worded_by: worded_by(&playbook, incident),
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

    /// Changes the draft of an incident, if it is still what was `seen`. What is not
    /// as the rule says is kept, and goes into the case when that is opened, whatever lets it be.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn edit_draft(
        &self,
        by: &Operator,
        id: &IncidentId,
        seen: Seen,
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
        seen: Seen,
        wording: Wording,
        who: &str,
    ) -> Result<Result<DraftSheet, NotWorded>, StoreError> {
        let Some(incident) = self.store.incident(id).await? else {
            return Ok(Err(NotEdited::Unknown.into()));
        };
        if !incident.state.has_draft() {
            let state = incident.state.name().to_owned();
            return Ok(Err(NotEdited::NotWaiting(state).into()));
        }
        let before = self.store.edited_draft(id).await?;
        let before = self.sheet(&incident, before.as_ref()).await?;
        if let Err(moved) = before.is(&seen) {
            return Ok(Err(moved.into()));
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
        let edited = EditedDraft { edit, edits: before.edits, by: who.to_owned(), at: now };
        if wrong.is_empty() {
            match drafting::objections(&playbook, &incident, now, known, &edited) {
                Ok(objections) => wrong.extend(objections),
                Err(why) => wrong.push(why.to_string()),
            }
        }
        if !wrong.is_empty() {
            return Ok(Err(NotWorded::Wrong(wrong)));
        }
        match self.store.edit_draft(id, before.edits, &edited.edit, who, now).await? {
            Ok(edited) => self.sheet(&incident, Some(&edited)).await.map(Ok),
            Err(NotEdited::Moved) => Ok(Err(Moved::Edited.into())),
            Err(why) => Ok(Err(why.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sheet() -> DraftSheet {
        DraftSheet {
            incident: "i".to_owned(),
            state: "held",
            edits: 2,
            edited: None,
            account: Some("A-1".to_owned()),
            category: Some("TECHNICAL".to_owned()),
            draft: Some(Wording {
                subject: Some("5xx".to_owned()),
                severity: Some("2-Major".to_owned()),
                product: Some("Ion".to_owned()),
                ..Wording::default()
            }),
            notes: Vec::new(),
            problem: None,
            worded_by: "rule".to_owned(),
        }
    }

    fn changed(change: impl FnOnce(&mut Wording)) -> DraftSheet {
        let mut changed = sheet();
        change(changed.draft.as_mut().unwrap());
        changed
    }

    #[test]
    fn a_case_that_would_go_elsewhere_is_not_what_was_seen() {
        let seen = &Seen::OneOf(vec![sheet().tag()]);
        assert_eq!(sheet().is(seen), Ok(()));
        let elsewhere = Err(Moved::Elsewhere);
        assert_eq!(changed(|draft| draft.severity = Some("1-Urgent".into())).is(seen), elsewhere);
        assert_eq!(changed(|draft| draft.product = None).is(seen), elsewhere);
        assert_eq!(changed(|draft| draft.problem = Some("Alerts".into())).is(seen), elsewhere);
        assert_eq!(DraftSheet { account: Some("A-2".into()), ..sheet() }.is(seen), elsewhere);
        assert_eq!(DraftSheet { draft: None, ..sheet() }.is(seen), elsewhere);
        assert_eq!(DraftSheet { worded_by: "another".into(), ..sheet() }.is(seen), elsewhere);
        assert_eq!(DraftSheet { incident: "j".into(), ..sheet() }.is(seen), elsewhere);
        assert_eq!(DraftSheet { edits: 3, ..sheet() }.is(seen), Err(Moved::Edited));
    }

    #[test]
    fn alerts_that_change_the_text_leave_it_what_was_seen() {
        let seen = &Seen::OneOf(vec![sheet().tag()]);
        let more = changed(|draft| draft.description = Some("two alerts".into()));
        assert_eq!(more.is(seen), Ok(()));
    }

    #[test]
    fn who_has_seen_nothing_may_do_nothing_and_who_says_so_may_do_it_anyway() {
        assert_eq!(sheet().is(&Seen::OneOf(Vec::new())), Err(Moved::Never));
        assert_eq!(sheet().is(&Seen::Whatever), Ok(()));
        let several = Seen::OneOf(vec![Tag { edits: 9, goes_to: 1 }, sheet().tag()]);
        assert_eq!(sheet().is(&several), Ok(()));
    }

    proptest! {
        #[test]
        fn a_tag_is_read_as_it_was_written(edits: u32, goes_to: u64) {
            let tag = Tag { edits, goes_to };
            prop_assert_eq!(tag.to_string().parse(), Ok(tag));
        }

        #[test]
        fn whatever_is_no_tag_is_none(text in ".{0,30}") {
            if let Ok(tag) = text.parse::<Tag>() {
                prop_assert_eq!(tag.to_string(), text);
            }
        }
    }
}
