//! What a rule is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::source_file::Place;
use crate::domain::action::File;
use crate::domain::alert::{Alert, Labels};
use crate::domain::catalog::Category;
use crate::domain::draft::{ChoiceField, Fallback};
use crate::domain::ids::{AccountId, RuleName, Scope, VendorName};
use crate::domain::lifecycle::Policy;
use crate::domain::pace::WhenNotFound;
use crate::domain::redaction::Redaction;
use crate::domain::schedule::Schedule;
use crate::domain::severity::{SeverityPolicy, SeverityRule};

use super::audit;
use super::matcher::Matcher;

/// A rule: which alerts it is for, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, unique over all files.
    pub name: RuleName,
    /// All of them must match; none at all match every alert.
    pub matchers: Vec<Matcher>,
    /// The alert must be received at such a time.
    pub during: Option<Schedule>,
    /// The alert must be received at no such time.
    pub outside: Option<Schedule>,
    /// What becomes of a matching alert.
    pub then: Then,
    /// Whether the rules after it see a matching alert as well (`continue`).
    pub goes_on: bool,
    /// The file that it stands in.
    pub file: PathBuf,
    /// The line that it starts in.
    pub line: usize,
}

impl Rule {
    /// Whether an alert that is received at `now` is for this rule.
    pub fn matches(&self, alert: &Alert, now: Timestamp) -> bool {
        self.mismatch(alert, now).is_none()
    }

    /// The values that a label of an alert for this rule can have, where its matchers list them: no
    /// other, and the empty one also for a label that is absent. `None` says nothing.
    pub fn values_of(&self, label: &str) -> Option<BTreeSet<String>> {
        audit::values_of(label, &self.matchers)
    }

    /// The first condition that keeps an alert that is received at `now` from being for this rule.
    pub fn mismatch(&self, alert: &Alert, now: Timestamp) -> Option<Mismatch<'_>> {
        if let Some(matcher) = self.matchers.iter().find(|matcher| !matcher.matches(&alert.labels))
        {
            return Some(Mismatch::Matcher(matcher));
        }
        let during = self.during.as_ref().filter(|times| !times.contains(now));
        let outside = self.outside.as_ref().filter(|times| times.contains(now));
        during.map(Mismatch::During).or(outside.map(Mismatch::Outside))
    }
}

/// What keeps an alert from being for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch<'r> {
    /// This matcher does not hold.
    Matcher(&'r Matcher),
    /// The rule is only for these times.
    During(&'r Schedule),
    /// The rule is not for these times.
    Outside(&'r Schedule),
}

/// What becomes of a matching alert.
#[derive(Debug, Clone)]
pub enum Then {
    /// Nothing.
    Ignore,
    /// It belongs to an incident, which gets a case.
    Case(Box<CaseRule>),
}

/// Which incident an alert belongs to, and what case that gets.
#[derive(Debug, Clone)]
pub struct CaseRule {
    /// The labels that make alerts one incident; `None`: the source's own grouping. Never empty.
    pub identity: Option<Vec<String>>,
    /// Within which the identity counts; `None`: within the rule.
    pub identity_scope: Option<Scope>,
    /// The labels that its identity and its severity are made of, and where each stands.
    pub named_labels: Vec<NamedLabel>,
    /// Where the case is opened.
    pub vendor: VendorName,
    /// What the case says.
    pub plan: CasePlan,
    /// When it is opened, and what happens at the end.
    pub policy: Policy,
    /// What follows when what may have been sent is not found; `None`: what the vendor says.
    pub when_not_found: Option<WhenNotFound>,
    /// What must not leave, besides what must not whatever the rule. Nothing lets everything pass;
    /// `None`: the rule does not say.
    pub redaction: Option<Redaction>,
}

impl CaseRule {
    /// The labels of its identity that an alert does not have, in the rule's order.
    pub fn identity_without(&self, alert: &Alert) -> Vec<&str> {
        let named = self.identity.iter().flatten().map(String::as_str);
        named.filter(|name| alert.identifying(name).is_empty()).collect()
    }

    /// The labels by which an alert's incident is told from others, with their values. An alert
    /// that has none of them is told by its source's own grouping: it must not be one with every
    /// other alert that has none.
    pub fn identity_of(&self, alert: &Alert) -> Labels {
        let named: Labels = self
            .identity
            .iter()
            .flatten()
            .map(|name| (name.clone(), alert.identifying(name).to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if named.is_empty() { alert.group.clone() } else { named }
    }
}

/// A label that a rule names outside of its matchers and of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLabel {
    /// What it is named for: `identity` or `severity`.
    pub key: &'static str,
    /// The label.
    pub name: String,
    /// Where that stands.
    pub place: Place,
}

/// What a case says.
#[derive(Debug, Clone)]
pub struct CasePlan {
    /// The account that it is for.
    pub account: TextSource,
    /// Its category.
    pub category: Category,
    /// Where that stands in the rule file.
    pub category_place: Place,
    /// The fields that only some categories have, by their key in the rule; *Invariant*: all that
    /// the category requires and none that it forbids.
    pub choices: BTreeMap<ChoiceField, TextSource>,
    /// How bad it is.
    pub severity: SeverityRule,
    /// Where that stands in the rule file.
    pub severity_place: Place,
    /// What becomes of a rank that the product does not have.
    pub severity_policy: SeverityPolicy,
    /// What the case is filed as where the vendor does not offer what the rule says: the vendor's
    /// own, as configured.
    pub fallback: Option<Arc<Fallback>>,
    /// One line.
    pub subject: TextSource,
    /// The text.
    pub description: TextSource,
    /// Addresses that get the vendor's mail about the case.
    pub also_notify: Vec<TextSource>,
    /// Whom else to contact.
    pub alternate_contact: Option<ContactPlan>,
    /// What goes along as files.
    pub attach: AttachPlan,
}

impl CasePlan {
    /// The account, if it is the same for every alert.
    pub fn constant_account(&self) -> Option<AccountId> {
        self.account.constant().map(|account| AccountId::new(account.trim()))
    }

    /// Every text of the plan with its key, for whoever checks or compiles them all.
    pub fn texts(&self) -> Vec<(String, &TextSource)> {
        let mut texts = vec![
            ("account".to_owned(), &self.account),
            ("subject".to_owned(), &self.subject),
            ("description".to_owned(), &self.description),
        ];
        texts.extend(self.choices.iter().map(|(field, text)| (field.name().to_owned(), text)));
        let notified = self.also_notify.iter().enumerate();
        texts.extend(notified.map(|(index, text)| (format!("also_notify[{index}]"), text)));
        let contact = self.alternate_contact.iter().flat_map(ContactPlan::texts);
        texts.extend(contact.map(|(part, text)| (format!("alternate_contact.{part}"), text)));
        let files = self.attach.files.iter().enumerate();
        texts.extend(files.map(|(index, file)| (format!("attach.files[{index}].url"), &file.url)));
        texts
    }
}

/// What goes along with a case as files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttachPlan {
    /// The incident's alerts as JSON.
    pub payload: bool,
    /// What is fetched, in order. *Invariant*: at most [`AttachPlan::FILES`], with different names.
    pub files: Vec<FilePlan>,
}

impl AttachPlan {
    /// How many files a rule may have fetched: what a case takes, but for the whole description and
    /// the alerts.
    pub const FILES: usize = File::PER_CASE - 2;
}

/// A file that is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlan {
    /// Where it is. What renders to nothing is no file.
    pub url: TextSource,
    /// What it is called: harmless characters and an ending.
    pub name: String,
}

/// Whom else the vendor may contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactPlan {
    /// Their name.
    pub name: Option<TextSource>,
    /// Their company.
    pub company: Option<TextSource>,
    /// Their address.
    pub email: Option<TextSource>,
    /// Their number.
    pub phone: Option<TextSource>,
}

impl ContactPlan {
    /// What it says, with its keys.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &TextSource)> {
        let parts = [
            ("name", &self.name),
            ("company", &self.company),
            ("email", &self.email),
            ("phone", &self.phone),
        ];
        parts.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)))
    }
}

/// A text for a case, as a rule has it: a template, or the name of a template file.
///
/// A constant is a template without anything to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSource {
    /// The template, or the file's name relative to the folder of templates.
    pub text: String,
    /// Where it stands in the rule file.
    pub place: Place,
    /// Whether it is the name of a file: it ends in `.hbs` and has no blank and no brace.
    pub is_file: bool,
}

impl TextSource {
    /// Classes a text.
    pub fn new(text: String, place: Place) -> Self {
        let is_file = text.ends_with(".hbs")
            && !text.contains(|char: char| char.is_whitespace() || matches!(char, '{' | '}'));
        Self { text, place, is_file }
    }

    /// The text, if it is the same for every alert.
    pub fn constant(&self) -> Option<&str> {
        (!self.is_file && !self.text.contains("{{")).then_some(&self.text)
    }
}
