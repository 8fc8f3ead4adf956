//! Rule files: YAML with a list `rules`.
//!
//! All mistakes of all files are found in one run; see [`crate::config`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::choices::{self, CATEGORIES};
use crate::config::code::Code;
use crate::config::daemon_config::{KnownVendor, RuleInputs};
use crate::config::decode::{Decode, Field, Located, Section, quote};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::document::Document;
use crate::config::interpolate::Lookup;
use crate::config::limit;
use crate::config::redact;
use crate::config::source_file::{Holds, Place};
use crate::config::vendor_config::{SEVERITY_POLICIES, WHEN_NOT_FOUND};
use crate::config::yaml::Key;
use crate::domain::draft::problems::is_address;
use crate::domain::ids::{RuleName, Scope, VendorName};
use crate::domain::policy::{OpenMode, Policy, ResolveAction};
use crate::domain::regex;
use crate::domain::severity::{Rank, SeverityRule};

use super::RuleSet;
use super::audit::{self, Written};
use super::matcher::{Matcher, Op};
use super::rule::{
    AttachPlan, CasePlan, CaseRule, ContactPlan, FilePlan, NamedLabel, Rule, TextSource, Then,
};

/// Keys that say nothing about a rule that ignores.
const ONLY_FOR_CASES: [&str; 13] = [
    "identity",
    "identity_scope",
    "vendor",
    "open",
    "resolve",
    "reopen_within",
    "update",
    "limits",
    "mute",
    "stale_after",
    "stale_action",
    "when_not_found",
    "redact",
];

const RESOLVE_ACTIONS: [(&str, ResolveAction); 3] = [
    ("comment", ResolveAction::Comment),
    ("close", ResolveAction::Close),
    ("none", ResolveAction::None),
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads all rule files, in order. There is a rule set only if there is no error.
pub fn load(inputs: &RuleInputs, env: Lookup<'_>) -> (Option<RuleSet>, Diagnostics) {
    let (Read { rules, .. }, diagnostics) = read_all(inputs, env);
    ((!diagnostics.has_errors()).then_some(rules), diagnostics)
}

/// What could be read of rule files, although something else could not.
pub struct Read {
    /// The rules.
    pub rules: RuleSet,
    /// The texts of rules that cannot be used.
    pub loose: Vec<TextSource>,
}

/// As [`load`], but with all that could be read: for finding what else is wrong, never for running.
pub fn read_all(inputs: &RuleInputs, env: Lookup<'_>) -> (Read, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut reading = Reading { inputs, names: BTreeMap::new(), loose: Vec::new() };
    let mut rules = Vec::new();
    for path in &inputs.files {
        let (found, wrong) = read(path, env, &mut reading);
        rules.extend(found);
        diagnostics.extend(wrong);
    }
    for warning in audit::audit(&rules) {
        diagnostics.push(warning);
    }
    let rules = RuleSet::new(rules.into_iter().map(|written| written.rule).collect());
    (Read { rules, loose: reading.loose }, diagnostics)
}

/// What is known while files are read one after the other.
struct Reading<'a> {
    inputs: &'a RuleInputs,
    /// Where each name stands first.
    names: BTreeMap<RuleName, Place>,
    /// The texts of rules that cannot be used, and of the one that is being read.
    loose: Vec<TextSource>,
}

fn read(path: &Path, env: Lookup<'_>, reading: &mut Reading<'_>) -> (Vec<Written>, Diagnostics) {
    let document = Document::open(path, Holds::NoSecrets, env);
    let rules = document.root().map(|root| read_root(root, reading)).unwrap_or_default();
    (rules, document.into_diagnostics())
}

fn read_root(mut root: Section<'_>, reading: &mut Reading<'_>) -> Vec<Written> {
    if !root.has("rules") && !root.misnamed("rules") {
        root.reader().report(
            Diagnostic::warning(root.place(), "this file has no rules")
                .hint("rules stand in a list under the key `rules`"),
        );
    }
    let sections = root.sections("rules");
    root.finish();
    sections.into_iter().filter_map(|section| read_rule(section, reading)).collect()
}

fn read_rule(section: Section<'_>, reading: &mut Reading<'_>) -> Option<Written> {
    let before = reading.loose.len();
    let written = read_whole_rule(section, reading)?;
    // Its texts are no loose ones.
    reading.loose.truncate(before);
    Some(written)
}

/// Reads a rule; its texts are added to the loose ones.
fn read_whole_rule(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Written> {
    let place = section.place();
    let name: Option<Located<RuleName>> = section.required("name");
    let name = name.filter(|name| is_first(&section, name, &mut reading.names));
    let matchers = read_matchers(&mut section);
    let during = section.optional("during");
    let outside = section.optional("outside");
    let goes_on = section.with_default("continue", false);
    let then = read_then(&mut section, reading);
    section.finish();
    let (matchers, places) =
        matchers?.into_iter().map(|located| (located.value, located.place)).unzip();
    let Located { value: name, place: name_place } = name?;
    let rule = Rule {
        name,
        matchers,
        during,
        outside,
        then: then?,
        goes_on,
        file: place.file.path().to_owned(),
        line: place.start().line,
    };
    Some(Written { rule, name: name_place, matchers: places })
}

/// Whether a name stands there for the first time; reports it otherwise.
fn is_first(
    section: &Section<'_>,
    name: &Located<RuleName>,
    names: &mut BTreeMap<RuleName, Place>,
) -> bool {
    let Some(first) = names.get(&name.value) else {
        names.insert(name.value.clone(), name.place.clone());
        return true;
    };
    let (file, line) = (first.file.path().display(), first.start().line);
    section.error_at(
        name.place.clone(),
        format!("there are two rules with the name `{}`", name.value),
        format!("the first is in {file}, line {line}: give this one another name"),
    );
    false
}

fn read_matchers(section: &mut Section<'_>) -> Option<Vec<Located<Matcher>>> {
    let Some(field) = section.field("match") else {
        if section.misnamed("match") {
            return None;
        }
        section.error(
            format!("{} needs `match`", section.name()),
            "for example `match: ['severity = \"critical\"']`; `match: []` is for every alert",
        );
        return None;
    };
    if field.is_map() {
        field.expected("a list of matchers", map_hint(&field));
        return None;
    }
    let matchers: Vec<Option<Located<Matcher>>> =
        field.one_or_many().iter().map(|item| read_matcher(item)).collect();
    matchers.into_iter().collect()
}

/// What to write in place of `label: value`.
fn map_hint(field: &Field<'_>) -> String {
    let entries = field.entries().unwrap_or_default();
    let label = entries.first().map_or("severity", |(key, _)| key.text.as_str());
    if label.contains(['=', '~']) {
        // Braces as in PromQL are a map to YAML.
        return "leave the braces out, and write one matcher per list item".to_owned();
    }
    format!("a matcher is a text with an operator: `- {label} = \"...\"`")
}

fn read_matcher(field: &Field<'_>) -> Option<Located<Matcher>> {
    if field.is_map() {
        field.expected("a matcher", map_hint(field));
        return None;
    }
    let text: String = field.decode()?;
    match Matcher::parse(&text) {
        Ok(value) => {
            warn_of_one_value(field, &text, &value);
            Some(Located { value, place: field.place() })
        }
        Err(error) => {
            let place = field.place().within(&text, error.span);
            let diagnostic = Diagnostic::error(place, "this is not a matcher")
                .code(Code::Matcher)
                .label(error.message);
            field.report(match error.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            });
            None
        }
    }
}

/// A pattern that matches one value only was hardly meant so: who asks for a value writes `=`, and
/// who wants to find a piece forgets that the whole value has to match.
fn warn_of_one_value(field: &Field<'_>, text: &str, matcher: &Matcher) {
    let pattern = matcher.value();
    let operator = match matcher.op() {
        Op::Regex => "=",
        Op::NotRegex => "!=",
        Op::Equal | Op::NotEqual => return,
    };
    // Both anchors say that the whole value is meant.
    if pattern.starts_with('^') && pattern.ends_with('$') {
        return;
    }
    let Some(values) = regex::literals(pattern) else { return };
    let (Some(only), 1) = (values.first(), values.len()) else { return };
    if only.is_empty() {
        return;
    }
    let at = text.rfind(pattern).map_or(0..text.len(), |at| at..at + pattern.len());
    let found = match (pattern.starts_with('^'), pattern.ends_with('$')) {
        (true, _) => format!("{only}.*"),
        (_, true) => format!(".*{only}"),
        _ => format!(".*{only}.*"),
    };
    let hint = format!(
        "a pattern has to match the whole value: write `{found}` to find it, or \
         `{} {operator} \"{only}\"` for exactly this value",
        matcher.name()
    );
    let diagnostic =
        Diagnostic::warning(field.place().within(text, at), "this pattern matches one value only")
            .code(Code::Matcher)
            .label(format!("matches `{only}` and nothing else"));
    field.report(diagnostic.hint(hint));
}

fn read_then(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Then> {
    let ignore: Option<bool> = section.optional("ignore");
    let unreadable = ignore.is_none() && section.has("ignore");
    let (ignore, has_case) = (ignore.unwrap_or(false), section.has("case"));
    if unreadable || (!ignore && !has_case) {
        // Asked for, so that the keys are known: what they mean here cannot be told.
        for key in ONLY_FOR_CASES.into_iter().chain(["case"]) {
            section.field(key);
        }
        if !unreadable {
            section.error(
                format!("{} needs `case` or `ignore: true`", section.name()),
                "say what becomes of the alerts that match",
            );
        }
        return None;
    }
    if !ignore {
        return read_case_rule(section, reading).map(|case| Then::Case(Box::new(case)));
    }
    section.reject("case", "`case` and `ignore: true` exclude each other", "keep one of them");
    for key in ONLY_FOR_CASES {
        let message = format!("`{key}` says nothing about a rule that ignores");
        section.reject(key, message, "remove it");
    }
    Some(Then::Ignore)
}

fn read_case_rule(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<CaseRule> {
    let inputs = reading.inputs;
    let mut named_labels = Vec::new();
    let identity = read_identity(section, &mut named_labels);
    let identity_scope = read_scope(section, identity.is_some());
    let vendor = read_vendor(section, inputs);
    let known = inputs.vendors.iter().find(|known| Some(&known.name) == vendor.as_ref());
    let plan = section
        .section("case")
        .and_then(|case| read_plan(case, known, &mut named_labels, &mut reading.loose));
    let policy = read_policy(section);
    let when_not_found = section.optional_one_of("when_not_found", &WHEN_NOT_FOUND);
    let redaction = redact::read(section);
    let plan = plan?;
    let names_contacts = !plan.also_notify.is_empty() || plan.alternate_contact.is_some();
    let policy = Policy { names_contacts, tell: inputs.tell.clone(), ..policy };
    Some(CaseRule {
        identity,
        identity_scope,
        named_labels,
        vendor: vendor?,
        plan,
        policy,
        when_not_found,
        redaction,
    })
}

fn read_identity(section: &mut Section<'_>, named: &mut Vec<NamedLabel>) -> Option<Vec<String>> {
    let field = section.field("identity")?;
    let labels: Vec<Located<String>> = field.decode()?;
    for label in &labels {
        check_label(section, label);
    }
    if labels.is_empty() {
        let hint = "name labels, or remove the key to use the source's own grouping";
        field.error("`identity` names no label: all alerts would be one incident", hint);
    }
    for (index, label) in labels.iter().enumerate() {
        let again = labels.iter().take(index).any(|earlier| earlier.value == label.value);
        if again || label.value.is_empty() {
            let what = if again { "the label stands here twice" } else { "a label has a name" };
            section.error_at(label.place.clone(), what, "");
        }
    }
    named.extend(labels.iter().map(|label| NamedLabel {
        key: "identity",
        name: label.value.clone(),
        place: label.place.clone(),
    }));
    Some(labels.into_iter().map(|label| label.value).collect())
}

/// What people write for a label who think of Alertmanager's `group_by` or of templates.
fn check_label(section: &Section<'_>, label: &Located<String>) {
    let name = label.value.as_str();
    let plain = name.trim_matches(['{', '}', ' ']);
    if name == "..." {
        let hint = "name the labels, or remove `identity` to use the sender's own grouping";
        section.error_at(label.place.clone(), "`...` is not the name of a label", hint);
    } else if let Some(meant) = plain.strip_prefix("labels.") {
        let message = format!("{} is not how a label is named here", quote(name));
        section.error_at(label.place.clone(), message, format!("write `{meant}`"));
    }
}

fn read_scope(section: &mut Section<'_>, has_identity: bool) -> Option<Scope> {
    let field = section.field("identity_scope")?;
    let name: String = field.decode()?;
    if name.is_empty() {
        field.error("a scope has a name", "");
    }
    if !has_identity {
        let hint = "add `identity` with the labels that the alerts of all these rules have";
        field.error("`identity_scope` makes rules share incidents, and each source groups its alerts in its own way", hint);
    }
    Some(Scope::new(name))
}

fn read_vendor(section: &mut Section<'_>, inputs: &RuleInputs) -> Option<VendorName> {
    let names: Vec<(&str, usize)> =
        inputs.vendors.iter().enumerate().map(|(at, known)| (known.name.as_str(), at)).collect();
    if !inputs.vendors_complete {
        // The mistakes in the vendors have been reported; which names there are is not known.
        return section.optional("vendor").or_else(|| Some(inputs.vendors.first()?.name.clone()));
    }
    let named = match (section.has("vendor"), names.as_slice()) {
        (true, _) => section.one_of("vendor", &names),
        (false, [(_, only)]) => {
            section.field("vendor");
            Some(*only)
        }
        (false, _) => {
            section.field("vendor");
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            section.error(
                format!("{} needs `vendor`, because there are several", section.name()),
                format!("one of: {}", names.join(", ")),
            );
            None
        }
    };
    Some(inputs.vendors.get(named?)?.name.clone())
}

/// Reads what a case says. Every text that can be read is also added to `texts`, because the others
/// may be missing.
fn read_plan(
    mut section: Section<'_>,
    vendor: Option<&KnownVendor>,
    named: &mut Vec<NamedLabel>,
    texts: &mut Vec<TextSource>,
) -> Option<CasePlan> {
    let account: Option<TextSource> = section.required("account");
    let category = section.one_of("category", &CATEGORIES);
    let choices = choices::read(&mut section, "category", category);
    let severity: Option<Located<SeverityRule>> = section.required("severity");
    if let Some(Located { value: SeverityRule::FromLabel { label, .. }, place }) = &severity {
        named.push(NamedLabel { key: "severity", name: label.clone(), place: place.clone() });
    }
    let policy = vendor.map(|known| known.severity_policy).unwrap_or_default();
    let severity_policy = section.one_of_or("severity_policy", &SEVERITY_POLICIES, policy);
    let subject: Option<TextSource> = section.required("subject");
    let description: Option<TextSource> = section.required("description");
    let also_notify: Vec<TextSource> = section.one_or_many("also_notify");
    let contact = section.section("alternate_contact").and_then(read_contact);
    let attach = section
        .section_like("attach", "attach: { payload: true }")
        .map(read_attach)
        .unwrap_or_default();
    for text in also_notify.iter().chain(contact.as_ref().and_then(|who| who.email.as_ref())) {
        check_email(&section, text);
    }
    if let Some(account) = &account
        && account
            .constant()
            .is_some_and(|text| text.is_empty() || text.encode_utf16().count() > 20)
    {
        let message = "an account's id has 1 to 20 characters";
        section.error_at(account.place.clone(), message, "such as `A-CCT7890`");
    }
    choices::refuse_billable(&section, category, vendor.is_some_and(|known| known.allow_billable));
    let place = |key: &str| section.value_place(key).unwrap_or_else(|| section.place());
    let (category_place, severity_place) = (place("category"), place("severity"));
    section.finish();
    texts.extend([&account, &subject, &description].into_iter().flatten().cloned());
    texts.extend(choices.values().chain(&also_notify).cloned());
    texts.extend(attach.files.iter().map(|file| file.url.clone()));
    texts.extend(contact.iter().flat_map(ContactPlan::texts).map(|(_, text)| text.clone()));
    Some(CasePlan {
        account: account?,
        category: category?,
        category_place,
        choices,
        severity: severity?.value,
        severity_place,
        severity_policy,
        fallback: vendor.and_then(|known| known.fallback.clone()),
        subject: subject?,
        description: description?,
        also_notify,
        alternate_contact: contact,
        attach,
    })
}

fn read_attach(mut section: Section<'_>) -> AttachPlan {
    let payload = section.with_default("payload", false);
    let sections = section.sections("files");
    if sections.len() > AttachPlan::FILES {
        let most = AttachPlan::FILES;
        let message = format!("a rule has at most {most} files fetched");
        let hint = "the vendor takes 10 for a case, and two may be Casewright's own";
        section.error_at_key("files", message, hint);
    }
    let mut files: Vec<FilePlan> = Vec::new();
    for mut one in sections {
        let url: Option<TextSource> = one.required("url");
        let name: Option<Located<String>> = one.required("name");
        if let Some(Located { value: name, place }) = &name {
            if !is_file_name(name) {
                let hint =
                    "letters, digits, `_`, `-` and an ending, such as `panel.png`; at most 60";
                one.error_at(place.clone(), "this is not the name of a file", hint);
            } else if files.iter().any(|file| file.name == *name) {
                one.error_at(place.clone(), "two files have this name", "");
            }
        }
        one.finish();
        if let (Some(url), Some(name)) = (url, name) {
            files.push(FilePlan { url, name: name.value });
        }
    }
    section.finish();
    AttachPlan { payload, files }
}

/// Whether a name is one that every vendor and file system takes.
fn is_file_name(name: &str) -> bool {
    let harmless = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let part = |part: &str| !part.is_empty() && part.chars().all(harmless);
    name.len() <= 60 && name.split_once('.').is_some_and(|(stem, end)| part(stem) && part(end))
}

fn read_contact(mut section: Section<'_>) -> Option<ContactPlan> {
    let contact = ContactPlan {
        name: section.optional("name"),
        company: section.optional("company"),
        email: section.optional("email"),
        phone: section.optional("phone"),
    };
    let empty = ["name", "company", "email", "phone"].iter().all(|key| !section.has(key));
    if empty {
        section.error("`alternate_contact` says nothing", "give a name, company, email or phone");
    }
    section.finish();
    (!empty).then_some(contact)
}

fn check_email(section: &Section<'_>, text: &TextSource) {
    if text.constant().is_some_and(|text| !is_address(text)) {
        section.error_at(text.place.clone(), "this is not an e-mail address", "");
    }
}

fn read_policy(section: &mut Section<'_>) -> Policy {
    let default = Policy::default();
    let (open_after, open_mode) =
        section.section_like("open", "open: { after: 5m }").map(read_open).unwrap_or_default();
    let update = section
        .section_like("update", "update: { at_most_every: 30m }")
        .map(read_update)
        .unwrap_or_default();
    let limit =
        section.section_like("limits", "limits: { cases: 5, per: 1h }").and_then(limit::read);
    let stale_after = section.optional_within("stale_after", Duration::ZERO..=30 * DAY);
    let stale_action = section.one_of_or("stale_action", &RESOLVE_ACTIONS, default.stale_action);
    let resolve = section
        .section_like("resolve", "resolve: { action: close }")
        .map(read_resolve)
        .unwrap_or_default();
    let reopen_within = section.within(
        "reopen_within",
        default.reopen_within,
        Duration::ZERO..=Policy::MAX_REOPEN_WITHIN,
    );
    Policy {
        open_after: open_after.unwrap_or(default.open_after),
        open_mode,
        update_every: update.at_most_every.unwrap_or(default.update_every),
        update_on_annotations: update.on_annotations.unwrap_or(default.update_on_annotations),
        update_notes: update.notes.unwrap_or(default.update_notes),
        stale_after,
        stale_action,
        limit,
        resolve_after: resolve.0.unwrap_or(default.resolve_after),
        resolve_action: resolve.1.unwrap_or(default.resolve_action),
        reopen_within,
        mute: section.optional("mute").map(Arc::new),
        ..default
    }
}

fn read_open(mut section: Section<'_>) -> (Option<Duration>, OpenMode) {
    let after = section.optional_within("after", Duration::ZERO..=14 * DAY);
    let modes =
        [("auto", OpenMode::Auto), ("approve", OpenMode::Approve), ("shadow", OpenMode::Shadow)];
    let mode = section.one_of_or("mode", &modes, OpenMode::default());
    section.finish();
    (after, mode)
}

/// What a rule says about comments on what is new.
#[derive(Default)]
struct Update {
    at_most_every: Option<Duration>,
    on_annotations: Option<bool>,
    notes: Option<bool>,
}

fn read_update(mut section: Section<'_>) -> Update {
    let update = Update {
        at_most_every: section.optional_within("at_most_every", Duration::from_secs(60)..=14 * DAY),
        on_annotations: section.optional("annotations"),
        notes: section.optional("notes"),
    };
    section.finish();
    update
}

fn read_resolve(mut section: Section<'_>) -> (Option<Duration>, Option<ResolveAction>) {
    let after = section.optional_within("after", Duration::ZERO..=14 * DAY);
    let action = section.one_of_or("action", &RESOLVE_ACTIONS, Policy::default().resolve_action);
    section.finish();
    (after, Some(action))
}

impl Decode for TextSource {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        if text.trim().is_empty() {
            field.error(format!("`{}` is empty", field.path()), "");
            return None;
        }
        Some(Self::new(text, field.place()))
    }
}

const RANKS: &str = "ranks count from 1, the worst, to 9, and have no quotes";

impl Decode for Rank {
    fn decode(field: &Field<'_>) -> Option<Self> {
        if field.is_plain_text() {
            field.expected("a rank", RANKS);
            return None;
        }
        let rank = Self::new(field.decode()?);
        if rank.is_none() {
            let message = format!("`{}` is not a rank", field.path());
            field.error(message, RANKS);
        }
        rank
    }
}

impl Decode for SeverityRule {
    /// A rank, or a map from a label's values to ranks.
    fn decode(field: &Field<'_>) -> Option<Self> {
        if field.is_plain_text() {
            field.reveal();
            let hint = "write a rank from 1, the worst, to 9, or let a label decide: \
                        `{ from: severity, map: { critical: 1 }, default: 3 }`";
            field.expected("a rank or a map to ranks", hint);
            return None;
        }
        if !field.is_map() {
            return field.decode().map(Self::Fixed);
        }
        let mut section = field.section()?;
        if !section.has("from") && !section.has("map") && !section.misspelt(&["from", "map"]) {
            let message = format!("`{}` does not say which label decides", field.path());
            field.error(message, of_a_label(&field.entries().unwrap_or_default()));
            return None;
        }
        let label: Option<Located<String>> = section.required("from");
        if let Some(label) = &label {
            check_label(&section, label);
        }
        let map: Option<BTreeMap<String, Rank>> = section.required("map");
        let default = section.required("default");
        section.finish();
        Some(Self::FromLabel { label: label?.value, map: map?, default: default? })
    }
}

/// What to write in place of a map from values to ranks alone.
fn of_a_label(entries: &[(&Key, Field<'_>)]) -> String {
    let rank =
        |field: &Field<'_>| field.quoted().trim_matches('`').parse().ok().and_then(Rank::new);
    let mut ranks: Vec<(String, Rank)> =
        entries.iter().filter_map(|(key, field)| Some((key.text.clone(), rank(field)?))).collect();
    let default = match ranks.iter().position(|(value, _)| value == "default") {
        Some(at) => ranks.remove(at).1.to_string(),
        None => "3".to_owned(),
    };
    let mut map: Vec<String> =
        ranks.into_iter().map(|(value, rank)| format!("{value}: {rank}")).collect();
    if map.is_empty() {
        map.push("critical: 1".to_owned());
    }
    format!("write `{{ from: severity, map: {{ {} }}, default: {default} }}`", map.join(", "))
}
