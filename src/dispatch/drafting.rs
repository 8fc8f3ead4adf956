//! From an incident to what is sent: a draft for its case, texts for its comments.
//!
//! *Invariant:* a template never loses a case. A subject or description that does not render is
//! replaced by the built-in plain one, which says so. Contacts that the vendor would refuse are
//! left out. Where the vendor does not offer what the rule asks for, the case is filed as its
//! fallback says, and says so. What remains wrong is put off and tried again, because the remedy is
//! a change of the rule or of the catalog, and is shown to a person meanwhile.

use jiff::Timestamp;

use super::catalogs::{Catalogs, Consulted, Wanted};
use super::lane::Lane;
use super::progress::Trouble;
use crate::domain::action::{ActionKind, Content, File, Note};
use crate::domain::catalog::whole::VendorCatalog;
use crate::domain::catalog::{Catalog, Category, RankedSeverity};
use crate::domain::draft::problems::choice_problems;
use crate::domain::draft::{
    AsOf, Choices, Contact, Draft, DraftEdit, DraftProblem, EditedDraft, Fallback, comment_parts,
    drop_wrong_people, fit, fit_attachment, fit_comment, fit_description, fit_subject,
};
use crate::domain::ids::{AccountId, RuleName};
use crate::domain::incident::Incident;
use crate::domain::redaction::{Redacted, Redaction};
use crate::domain::text::without_hidden;
use crate::playbook::{Playbook, template_id};
use crate::rules::{CasePlan, TextSource};
use crate::store::Action;
use crate::templates::notes::Members;
use crate::templates::{RenderContext, RenderProblem, fallback, notes, payload, rollup};
use crate::vendors::{CatalogError, Operation};

/// Why nothing can be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Not now.
    #[error("{why}")]
    Later {
        /// Why, and what to do about it.
        why: String,
        /// Whose trouble it is.
        trouble: Trouble,
    },
    /// Never.
    #[error("{0}")]
    Never(String),
}

impl Unready {
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), trouble: Trouble::Ours }
    }

    fn until_mended(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), trouble: Trouble::Files }
    }
}

impl From<CatalogError> for Unready {
    fn from(error: CatalogError) -> Self {
        let why = format!("the vendor's catalog could not be read: {error}");
        match error {
            CatalogError::Refused(_) => Self::until_mended(why),
            CatalogError::Denied(_) => Self::Later { why, trouble: Trouble::Denied },
            CatalogError::Unavailable { retry_after, .. } => {
                Self::Later { why, trouble: Trouble::Vendor { retry_after } }
            }
        }
    }
}

/// A draft that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// The draft.
    pub draft: Draft,
    /// What had to be done to it that somebody should know of.
    pub notes: Vec<String>,
    /// How many texts the built-in ones stand in for.
    pub failed_templates: usize,
    /// Whether it is filed as the vendor's fallback says.
    pub fell_back: bool,
}

/// A subject or description is rendered up to this size; what the vendor takes is cut from it.
const RENDER_LIMIT: usize = 256 * 1024;

/// Makes the draft of an incident's case. What the vendor offers is taken from what is kept, if that
/// is new enough for `wanted`. What a person has `edited` of it takes the place of what the rule says.
///
/// # Errors
///
/// [`Unready::Later`] where the rule is gone, a field does not render, the catalog cannot be read,
/// or the result is not what the vendor takes.
pub async fn draft(
    lane: &Lane,
    catalogs: &Catalogs,
    incident: &Incident,
    now: Timestamp,
    wanted: Wanted,
    edited: Option<&EditedDraft>,
) -> Result<Drafted, Unready> {
    let sheet = Sheet::of(&lane.playbook, incident, now, edited)?;
    let desk = Desk { lane, catalogs, account: sheet.account()?, wanted };
    let own = match sheet.choices() {
        Ok(choices) => desk.file(&sheet, sheet.plan.category, choices).await,
        Err(unready) => Err(Snag::Wrong(unready)),
    };
    let filed = match sheet.course(own)? {
        Course::Own(filed) => *filed,
        Course::Fallback { to, why } => {
            let filed = desk.file(&sheet, to.category, to.choices.clone()).await;
            in_place_of_the_rules(to, &why, filed)?
        }
    };
    sheet.finish(desk.account, filed)
}

/// As [`draft`], without asking the vendor: names are compared with its catalog as far as it is
/// `known`; else the severity is the rank only.
///
/// # Errors
///
/// As of [`draft`].
pub fn preview(
    playbook: &Playbook,
    incident: &Incident,
    now: Timestamp,
    known: Option<&VendorCatalog>,
    edited: Option<&EditedDraft>,
) -> Result<Drafted, Unready> {
    let sheet = Sheet::of(playbook, incident, now, edited)?;
    let account = sheet.account()?;
    let file = |category, choices| {
        let page = known.and_then(|known| known.page(&account, category));
        sheet.file(category, choices, page.map(|page| &page.catalog))
    };
    let own = sheet.choices().and_then(|choices| file(sheet.plan.category, choices));
    let filed = match sheet.course(own.map_err(Snag::Wrong))? {
        Course::Own(filed) => *filed,
        Course::Fallback { to, why } => {
            let filed = file(to.category, to.choices.clone());
            in_place_of_the_rules(to, &why, filed.map_err(Snag::Wrong))?
        }
    };
    sheet.finish(account, filed)
}

/// Everything that the vendor would not take of what a person has edited, by what is `known` of its
/// catalog; nothing if it would take all of it. Unlike [`preview`], nothing stands in for anything:
/// whoever edits is there to choose again.
///
/// # Errors
///
/// As of [`draft`].
pub fn objections(
    playbook: &Playbook,
    incident: &Incident,
    now: Timestamp,
    known: Option<&VendorCatalog>,
    edited: &EditedDraft,
) -> Result<Vec<String>, Unready> {
    let sheet = Sheet::of(playbook, incident, now, Some(edited))?;
    let mut wrong = Vec::new();
    if !edited.edit.is_about_catalog() {
        return Ok(wrong);
    }
    let (account, category) = (sheet.account()?, sheet.plan.category);
    let page = known.and_then(|known| known.page(&account, category));
    let catalog = page.map(|page| &page.catalog);
    let mut choices = sheet.choices()?;
    if let Some(catalog) = catalog {
        choices.name_the_only_parent(category, catalog);
    }
    let mut problems = Vec::new();
    choice_problems(category, &choices, catalog, &mut problems);
    wrong.extend(problems.iter().map(ToString::to_string));
    if let (Some(name), Some(catalog)) = (&edited.edit.severity, catalog) {
        let offered = catalog.severities_for(category, &choices);
        if wrong.is_empty() && !offered.contains(&name.as_str()) {
            wrong.push(format!(
                "`severity`: the vendor does not offer {name:?}; it offers {}",
                offered.join(", ")
            ));
        }
    }
    Ok(wrong)
}

/// Where the vendor's catalog is looked up for one draft.
struct Desk<'a> {
    lane: &'a Lane,
    catalogs: &'a Catalogs,
    account: AccountId,
    wanted: Wanted,
}

/// Why a case cannot be filed as is wanted.
enum Snag {
    /// The vendor would not take it so. Another filing may do.
    Wrong(Unready),
    /// It cannot be told now.
    Unknown(Unready),
}

impl Desk<'_> {
    async fn file(
        &self,
        sheet: &Sheet<'_>,
        category: Category,
        choices: Choices,
    ) -> Result<Filed, Snag> {
        let mut consulted = self.consult(category, self.wanted).await?;
        let mut filed = sheet.file(category, choices.clone(), Some(&consulted.page.catalog));
        let can_be_asked = consulted.in_place_of.is_none();
        if filed.is_err() && can_be_asked && self.catalogs.is_dated(&consulted.page) {
            consulted = self.consult(category, Wanted::Anew).await?;
            filed = sheet.file(category, choices, Some(&consulted.page.catalog));
        }
        let read_at = consulted.page.read_at;
        match (filed, consulted.in_place_of) {
            (Ok(mut filed), error) => {
                filed.remarks.extend(error.map(|error| {
                    format!("the vendor's catalog is that of {read_at}, because it could not be read since: {error}")
                }));
                Ok(filed)
            }
            // What is not offered by an old reading may be offered now.
            (Err(_), Some(error)) => Err(Snag::Unknown(error.into())),
            (Err(unready), None) => Err(Snag::Wrong(unready)),
        }
    }

    async fn consult(&self, category: Category, wanted: Wanted) -> Result<Consulted, Snag> {
        let consulted = self.catalogs.consult(self.lane, &self.account, category, wanted).await;
        consulted.map_err(|error| match error {
            CatalogError::Refused(_) => Snag::Wrong(error.into()),
            CatalogError::Denied(_) | CatalogError::Unavailable { .. } => {
                Snag::Unknown(error.into())
            }
        })
    }
}

/// Where a case goes at the vendor: everything about it that the catalog has a say in.
struct Filed {
    category: Category,
    choices: Choices,
    severity: String,
    /// What it was compared with; `None` if nothing is known.
    catalog: Option<Catalog>,
    /// What of the rule's wishes could not be kept, in a sentence each.
    remarks: Vec<String>,
    /// What the case itself says of it, if it is not filed as its rule says.
    preface: Option<String>,
}

/// Where a case goes, once it is known whether it can go where its rule says.
enum Course<'a> {
    /// There.
    Own(Box<Filed>),
    /// To the vendor's fallback, for this reason.
    Fallback { to: &'a Fallback, why: Unready },
}

/// What becomes of a case that cannot be filed as its rule says, given whether the vendor would take it
/// as `fallback` says.
fn in_place_of_the_rules(
    fallback: &Fallback,
    why: &Unready,
    filed: Result<Filed, Snag>,
) -> Result<Filed, Unready> {
    let mut filed = match filed {
        Ok(filed) => filed,
        Err(Snag::Unknown(unready)) => return Err(unready),
        Err(Snag::Wrong(also)) => {
            let why = format!("{why}; nor can the vendor's fallback be used: {also}");
            return Err(Unready::until_mended(why));
        }
    };
    filed.remarks.push(format!("filed as {fallback}, because its rule cannot be followed: {why}"));
    filed.preface = Some(format!(
        "This case is filed as {fallback}, which may be the wrong place: what the rule for it \
         asks for cannot be used ({why})."
    ));
    Ok(filed)
}

/// One draft in the making.
struct Sheet<'a> {
    playbook: &'a Playbook,
    rule: &'a RuleName,
    plan: &'a CasePlan,
    context: RenderContext,
    incident: &'a Incident,
    now: Timestamp,
    edited: Option<&'a EditedDraft>,
}

impl<'a> Sheet<'a> {
    fn of(
        playbook: &'a Playbook,
        incident: &'a Incident,
        now: Timestamp,
        edited: Option<&'a EditedDraft>,
    ) -> Result<Self, Unready> {
        let rule = &incident.rule;
        let plan = &playbook.case_rule(rule).ok_or_else(|| rule_gone(rule))?.plan;
        let context = RenderContext::new(incident, now);
        Ok(Self { playbook, rule, plan, context, incident, now, edited })
    }

    /// Whether the case can go where its rule says, and where it goes else.
    fn course(&self, own: Result<Filed, Snag>) -> Result<Course<'a>, Unready> {
        match (own, self.plan.fallback.as_deref()) {
            (Ok(filed), _) => Ok(Course::Own(Box::new(filed))),
            (Err(Snag::Wrong(why)), Some(to)) => Ok(Course::Fallback { to, why }),
            (Err(Snag::Unknown(unready) | Snag::Wrong(unready)), _) => Err(unready),
        }
    }

    fn render(&self, key: &str, text: &TextSource) -> Result<String, RenderProblem> {
        self.render_in(&self.context, key, text)
    }

    fn render_in(
        &self,
        context: &RenderContext,
        key: &str,
        text: &TextSource,
    ) -> Result<String, RenderProblem> {
        if let Some(constant) = text.constant() {
            return Ok(constant.to_owned());
        }
        let id = template_id(self.rule, key, text);
        self.playbook.templates.render(&id, context, RENDER_LIMIT)
    }

    /// As [`Self::render_in`], but a text that is not there is a problem as well.
    fn render_text(
        &self,
        context: &RenderContext,
        key: &str,
        text: &TextSource,
    ) -> Result<String, RenderProblem> {
        let rendered = self.render_in(context, key, text)?;
        if rendered.trim().is_empty() {
            return Err(RenderProblem {
                template: template_id(self.rule, key, text),
                line: 1,
                column: 1,
                message: "it renders to nothing".to_owned(),
            });
        }
        Ok(rendered)
    }

    /// A field that has no substitute.
    fn field(&self, key: &str, text: &TextSource) -> Result<String, Unready> {
        self.render(key, text)
            .map(|text| text.trim().to_owned())
            .map_err(|problem| Unready::until_mended(format!("`{key}` does not render: {problem}")))
    }

    fn account(&self) -> Result<AccountId, Unready> {
        self.field("account", &self.plan.account).map(AccountId::new)
    }

    fn choices(&self) -> Result<Choices, Unready> {
        let mut choices = Choices::default();
        for (field, text) in &self.plan.choices {
            // An optional field whose template prints nothing is a field that is not sent.
            *field.of_mut(&mut choices) =
                Some(self.field(field.name(), text)?).filter(|value| !value.is_empty());
        }
        if let Some(edited) = self.edited {
            edited.edit.choose(&mut choices);
        }
        Ok(choices)
    }

    /// Where the case goes by a catalog, or without one.
    fn file(
        &self,
        category: Category,
        mut choices: Choices,
        catalog: Option<&Catalog>,
    ) -> Result<Filed, Unready> {
        let mut remarks = Vec::new();
        if catalog.is_some_and(|catalog| choices.name_the_only_parent(category, catalog)) {
            remarks.push("`parent_account` is the only one that the vendor offers".to_owned());
        }
        // Names first: a product that the vendor does not know has no severities either, and that
        // would say nothing of what is wrong.
        let mut wrong = Vec::new();
        choice_problems(category, &choices, catalog, &mut wrong);
        if !wrong.is_empty() {
            return Err(refused(&wrong));
        }
        if let Some(name) = self.edited.and_then(|edited| edited.edit.severity.as_ref()) {
            let offered = |catalog: &Catalog| {
                catalog.severities_for(category, &choices).contains(&name.as_str())
            };
            if catalog.is_none_or(offered) {
                let (severity, catalog) = (name.clone(), catalog.cloned());
                return Ok(Filed { category, choices, severity, catalog, remarks, preface: None });
            }
            remarks.push(format!(
                "the severity {name:?}, which a person has chosen, is not offered here; the rule's stands in"
            ));
        }
        let (rank, policy) = (self.incident.rank, self.plan.severity_policy);
        let severity = match catalog.map(|known| known.severity(category, &choices, rank, policy)) {
            None => format!("rank {rank}"),
            Some(RankedSeverity::Is(name)) => name.to_owned(),
            Some(RankedSeverity::StandsIn(name)) => {
                remarks.push(format!(
                    "no severity of rank {rank} is offered here; `{name}` stands in (`severity_policy: {}`)",
                    policy.name()
                ));
                name.to_owned()
            }
            Some(RankedSeverity::Lacking) => {
                return Err(Unready::until_mended(format!(
                    "the vendor offers no severity of rank {rank} here, and `severity_policy: exact` takes no other"
                )));
            }
            Some(RankedSeverity::NoneOffered) => {
                return Err(Unready::until_mended(format!(
                    "the vendor offers no severities for {category}"
                )));
            }
        };
        let catalog = catalog.cloned();
        Ok(Filed { category, choices, severity, catalog, remarks, preface: None })
    }

    fn finish(&self, account: AccountId, filed: Filed) -> Result<Drafted, Unready> {
        let Filed { category, choices, severity, catalog, remarks, preface } = filed;
        let catalog = catalog.as_ref();
        let remarks = match self.edited.filter(|edited| !edited.edit.is_empty()) {
            Some(edited) => [vec![edited.told()], remarks].concat(),
            None => remarks,
        };
        let mut notes = remarks.clone();
        let mut failed_templates = 0;
        let marker = self.incident.id.marker();
        let (subject, mut description) = self.texts(&mut notes, &mut failed_templates);
        let fell_back = preface.is_some();
        if let Some(preface) = preface {
            description = format!("{preface}\n\n{description}");
        }
        let (subject, description) = self.redact(&subject, &description, &mut notes);
        // After the redaction: it is ours, and nothing of it may go.
        let link = self.playbook.links.ending(&self.incident.id);
        let fitted = fit_description(&description, link.as_deref(), fit::DESCRIPTION_LIMIT);
        if fitted.cut {
            notes.push(
                "the description was too long for the vendor and was cut; all of it is attached"
                    .to_owned(),
            );
        }
        let (files, left_out) = self.files();
        notes.extend(left_out.iter().cloned());
        let remarks = [remarks, left_out].concat();
        let mut draft = Draft {
            subject: fit_subject(&subject, &marker).text,
            marker,
            account,
            category,
            description: fitted.text,
            whole_description: fitted.cut.then_some(description),
            files,
            severity,
            choices,
            also_notify: self.addresses(&mut notes),
            alternate_contact: self.contact(&mut notes),
            remarks,
            as_of: Some(AsOf::of(self.incident)),
        };
        let people = |problem: &DraftProblem| problem.is_about_people();
        let mut problems = draft.problems(catalog);
        if problems.iter().any(people) {
            // A wrong address must not cost the case.
            for problem in problems.iter().filter(|problem| people(problem)) {
                notes.push(format!("left out: {problem}"));
            }
            draft.drop_wrong_people();
            problems = draft.problems(catalog);
        }
        if problems.is_empty() {
            return Ok(Drafted { draft, notes, failed_templates, fell_back });
        }
        Err(refused(&problems))
    }

    fn texts(&self, notes: &mut Vec<String>, failed: &mut usize) -> (String, String) {
        let (subject, description) = self.own_texts(notes, failed);
        let edit = self.edited.map(|edited| &edited.edit);
        let of = |text: fn(&DraftEdit) -> &Option<String>| edit.and_then(|edit| text(edit).clone());
        (
            of(|edit| &edit.subject).unwrap_or(subject),
            of(|edit| &edit.description).unwrap_or(description),
        )
    }

    /// The texts that nobody has edited. Values of names for secrets are taken out before anything is made
    /// of them: where they end is known here, and in a text it may not be.
    fn own_texts(&self, notes: &mut Vec<String>, failed: &mut usize) -> (String, String) {
        let incident = &*self.playbook.redaction(self.rule).incident(self.incident);
        if incident.is_rollup() {
            return (rollup::subject(incident), rollup::description(incident, self.now));
        }
        let context = &RenderContext::new(incident, self.now);
        let mut stands_in = |what: &str, problem: &RenderProblem| {
            *failed += 1;
            notes.push(format!("the built-in {what} stands in: {problem}"));
        };
        let subject = self.render_text(context, "subject", &self.plan.subject);
        let subject = subject.unwrap_or_else(|problem| {
            stands_in("subject", &problem);
            fallback::subject(incident)
        });
        let description = self.render_text(context, "description", &self.plan.description);
        let description = description.unwrap_or_else(|problem| {
            stands_in("description", &problem);
            fallback::description(incident, &problem, self.now)
        });
        (subject, description)
    }

    /// Takes out what must not leave. What is meant to tell the vendor where the case goes and whom
    /// to contact stays: names out of its catalog, and contacts.
    fn redact(
        &self,
        subject: &str,
        description: &str,
        notes: &mut Vec<String>,
    ) -> (String, String) {
        let redaction = self.playbook.redaction(self.rule);
        let (subject, description) = (clean(&redaction, subject), clean(&redaction, description));
        let mut found = subject.found;
        found.add(description.found);
        if !found.is_empty() {
            notes.push(format!("redacted: {found}"));
        }
        (subject.text, description.text)
    }

    /// What goes along, and what does not, and why. A roll-up has no alerts of its own.
    fn files(&self) -> (Vec<File>, Vec<String>) {
        let plan = &self.plan.attach;
        let (mut files, mut left_out) = (Vec::new(), Vec::new());
        if self.incident.is_rollup() {
            return (files, left_out);
        }
        if plan.payload {
            files.push(File { name: "alerts".to_owned(), content: Content::Alerts {} });
        }
        for (index, file) in plan.files.iter().enumerate() {
            let rendered = self.render(&format!("attach.files[{index}].url"), &file.url);
            let url = rendered.map(|url| url.trim().to_owned()).map_err(|wrong| wrong.to_string());
            let allowed = url.and_then(|url| match url.as_str() {
                "" => Ok(None),
                _ => self.playbook.fetch.allowed(&url).map(|_| Some(url.clone())),
            });
            let name = file.name.clone();
            match allowed {
                Ok(None) => {}
                Ok(Some(url)) => files.push(File { name, content: Content::Fetched { url } }),
                Err(why) => left_out.push(format!("the file {name} is left out: {why}")),
            }
        }
        (files, left_out)
    }

    fn addresses(&self, notes: &mut Vec<String>) -> Vec<String> {
        let mut addresses = Vec::new();
        for (index, text) in self.plan.also_notify.iter().enumerate() {
            match self.render(&format!("also_notify[{index}]"), text) {
                Ok(address) => addresses.push(address.trim().to_owned()),
                Err(problem) => notes.push(format!("left out of also_notify: {problem}")),
            }
        }
        addresses.retain(|address| !address.is_empty());
        addresses
    }

    fn contact(&self, notes: &mut Vec<String>) -> Option<Contact> {
        let plan = self.plan.alternate_contact.as_ref()?;
        let mut part = |key: &str, text: Option<&TextSource>| {
            let text = text?;
            match self.render(&format!("alternate_contact.{key}"), text) {
                Ok(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
                Err(problem) => {
                    notes.push(format!("left out of alternate_contact: {problem}"));
                    None
                }
            }
        };
        let contact = Contact {
            name: part("name", plan.name.as_ref()),
            company: part("company", plan.company.as_ref()),
            email: part("email", plan.email.as_ref()),
            phone: part("phone", plan.phone.as_ref()),
        };
        (contact != Contact::default()).then_some(contact)
    }
}

/// Whom the rule wants to be told of the case, as it stands now.
fn contacts(
    playbook: &Playbook,
    incident: &Incident,
    now: Timestamp,
) -> Result<(Vec<String>, Option<Contact>), Unready> {
    let sheet = Sheet::of(playbook, incident, now, None)?;
    // What does not render or is no address is left out, as when the case was opened.
    let mut notes = Vec::new();
    let mut also_notify = sheet.addresses(&mut notes);
    let mut contact = sheet.contact(&mut notes);
    drop_wrong_people(&mut also_notify, &mut contact);
    Ok((also_notify, contact))
}

/// Takes out what must not leave, also where something that nobody sees stands in it and would be left
/// out later.
fn clean(redaction: &Redaction, text: &str) -> Redacted {
    redaction.apply(&without_hidden(text))
}

fn rule_gone(name: &RuleName) -> Unready {
    Unready::until_mended(format!(
        "no rule `{name}` opens cases any more; put it back into the rule files, so that its case can be opened"
    ))
}

/// What the vendor would not take, all of it.
fn refused(problems: &[DraftProblem]) -> Unready {
    let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Unready::until_mended(format!("the vendor would not take this case: {}", why.join("; ")))
}

/// The parts of a comment that is longer than the vendor takes, if this is one of which nothing was sent
/// yet.
pub fn parts_of(playbook: &Playbook, incident: &Incident, action: &Action) -> Option<Vec<String>> {
    let ActionKind::Comment { note } = &action.kind else { return None };
    // What it says went to another case. And a part is none of a part.
    if matches!(note, Note::Duplicate { .. } | Note::Part { .. }) || action.attempts > 0 {
        return None;
    }
    let text = notes::comment(note, Members::of(incident));
    let parts = comment_parts(&clean(&playbook.redaction(&incident.rule), &text).text);
    Some(parts).filter(|parts| parts.len() > 1)
}

/// The operation of an action on a case that exists: all but opening and rechecking, which are
/// about the draft.
///
/// # Errors
///
/// [`Unready::Never`] if the incident has no case; [`Unready::Later`] where contacts are to be
/// updated and the rule that names them is gone.
pub fn operation_on_case(
    playbook: &Playbook,
    incident: &Incident,
    action: &Action,
    now: Timestamp,
) -> Result<Operation, Unready> {
    let case = incident
        .state
        .case()
        .cloned()
        .ok_or_else(|| Unready::Never("the incident has no case".to_owned()))?;
    let marker = incident.id.marker();
    let token = marker.action_token(action.id.seq);
    // Before tokens are appended: they must be found again.
    let redaction = playbook.redaction(&incident.rule);
    let clean = |text: &str| clean(&redaction, text).text;
    match &action.kind {
        ActionKind::Open | ActionKind::Recheck => {
            Err(Unready::Never("this action needs a draft".to_owned()))
        }
        ActionKind::Comment { note } => {
            let case = match note {
                Note::Duplicate { case, .. } => case.clone(),
                Note::Resolved { .. }
                | Note::Refired { .. }
                | Note::Update { .. }
                | Note::Silent { .. }
                | Note::Part { .. }
                | Note::Remark { .. } => case,
            };
            let text = clean(&notes::comment(note, Members::of(incident)));
            let text = fit_comment(&text, &token).text;
            Ok(Operation::Comment { case, marker, token, text })
        }
        ActionKind::Attach(File { name, content }) => {
            let core = token.trim_matches(['[', ']']);
            let (name, ending) = name.rsplit_once('.').unwrap_or((name, "txt"));
            let (ending, media_type, content) = match content {
                Content::Text(text) => {
                    (ending, "text/plain; charset=utf-8", fit_attachment(&clean(text)).text)
                }
                Content::Alerts {} => {
                    ("json", "application/json", payload::alerts(incident, &redaction, now))
                }
                // It comes when it is sent; to look for the file, its name is enough.
                Content::Fetched { .. } => (ending, "application/octet-stream", String::new()),
            };
            let file_name = format!("{name}-{core}.{ending}");
            let (media_type, content) = (media_type.to_owned(), content.into_bytes());
            Ok(Operation::Attach { case, marker, token, file_name, media_type, content })
        }
        ActionKind::Contacts => {
            let (also_notify, alternate_contact) = contacts(playbook, incident, now)?;
            Ok(Operation::Contacts { case, marker, also_notify, alternate_contact })
        }
        ActionKind::Close => {
            let text = fit_comment(&clean(&notes::closure(incident)), &token).text;
            Ok(Operation::Close { case, marker, token, text })
        }
        ActionKind::Tell { .. } => {
            Err(Unready::Never("this action is nothing that a vendor does".to_owned()))
        }
    }
}
