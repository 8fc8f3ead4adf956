//! What must be true at a time of a test, as its file says it.

use std::time::Duration;

use ::regex::Regex;

use super::meant::{Meant, check_rule};
use crate::config::decode::{Decode, Field, Located, Section};
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;
use crate::config::suggest::nearest;
use crate::domain::action::ActionKind;
use crate::domain::catalog::Category;
use crate::domain::draft::ChoiceField;
use crate::domain::ids::RuleName;
use crate::domain::incident::State;
use crate::domain::regex;
use crate::domain::severity::Rank;
use crate::playbook::Playbook;
use crate::rules::Then;

/// What must be true at a time.
#[derive(Debug)]
pub struct Expect {
    /// How long after the test's beginning: after everything that happens then.
    pub at: Duration,
    /// Every incident that there has been; `None`: that is not looked at.
    pub incidents: Option<Located<Vec<IncidentExpect>>>,
    /// There may be incidents that are not listed.
    pub others: bool,
    /// How many cases were opened so far.
    pub cases: Option<Located<u64>>,
    /// How many alerts no rule was for so far.
    pub unmatched: Option<Located<u64>>,
    /// Rules that have ignored an alert so far.
    pub ignored_by: Vec<Located<RuleName>>,
}

/// What must be true of an incident. What is not said is not looked at.
#[derive(Debug)]
pub struct IncidentExpect {
    /// Where it stands.
    pub place: Place,
    /// Which one.
    pub of: Meant,
    /// Where it stands in its life.
    pub state: Option<Located<&'static str>>,
    /// Why.
    pub reason: Option<Located<Text>>,
    /// How many alerts fire.
    pub firing: Option<Located<u32>>,
    /// Everything that was done at the vendor so far, by its kinds.
    pub actions: Option<Located<Vec<&'static str>>>,
    /// Its case, as it was opened.
    pub case: Option<CaseExpect>,
    /// The case that it would get if what keeps it from being opened let it go now.
    pub draft: Option<Fields>,
    /// All comments so far.
    pub comments: Option<Located<Vec<Located<Text>>>>,
}

/// What must be true of a case.
#[derive(Debug)]
pub enum CaseExpect {
    /// None was opened.
    None(Place),
    /// One was opened, with these fields.
    Fields(Fields),
}

/// What must be true of a case's fields. What is not said is not looked at.
#[derive(Debug)]
pub struct Fields {
    /// Where they stand.
    pub place: Place,
    /// How bad.
    pub severity: Option<Located<Rank>>,
    /// Single texts, by their keys in a rule.
    pub texts: Vec<(&'static str, Located<Text>)>,
    /// Who gets the vendor's mail, in order.
    pub also_notify: Option<Located<Vec<Located<Text>>>>,
    /// A built-in text stands in for one that does not render. Nobody should find that out from a
    /// case, so it has to be said.
    pub fallback: bool,
}

/// What a text must be like.
#[derive(Debug, Clone)]
pub enum Text {
    /// It is this one, but for blanks at its end.
    Is(String),
    /// It has and lacks pieces.
    Has {
        /// All of these.
        contains: Vec<String>,
        /// None of these.
        lacks: Vec<String>,
        /// And places that match these.
        matches: Vec<Pattern>,
    },
}

/// A regular expression as it was written. It may match anywhere in the text.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    regex: Regex,
}

impl Text {
    /// What of this does not hold; empty if all of it does.
    pub fn misses(&self, text: &str) -> Vec<String> {
        let (contains, lacks, matches) = match self {
            Self::Is(wanted) if wanted.trim_end() == text.trim_end() => return Vec::new(),
            Self::Is(wanted) => return vec![format!("is not {}", quoted(wanted))],
            Self::Has { contains, lacks, matches } => (contains, lacks, matches),
        };
        let mut misses = Vec::new();
        for piece in contains.iter().filter(|piece| !text.contains(piece.as_str())) {
            misses.push(format!("does not contain {}", quoted(piece)));
        }
        for piece in lacks.iter().filter(|piece| text.contains(piece.as_str())) {
            misses.push(format!("contains {}", quoted(piece)));
        }
        for pattern in matches.iter().filter(|pattern| !pattern.regex.is_match(text)) {
            misses.push(format!("does not match {}", quoted(&pattern.written)));
        }
        misses
    }

    /// The whole text that is wanted, if one is.
    pub fn whole(&self) -> Option<&str> {
        match self {
            Self::Is(wanted) => Some(wanted),
            Self::Has { .. } => None,
        }
    }
}

fn quoted(text: &str) -> String {
    crate::config::decode::quote(text)
}

impl Decode for Text {
    fn decode(field: &Field<'_>) -> Option<Self> {
        if !field.is_map() {
            return field.decode().map(Self::Is);
        }
        let mut section = field.section()?;
        let contains = section.one_or_many("contains");
        let lacks = section.one_or_many("lacks");
        let matches = section.one_or_many("matches");
        if section.is_empty() {
            section.error(
                format!("{} wants nothing of the text", section.name()),
                "write the whole text, or `{ contains: a piece }`, `{ lacks: a piece }`, \
                 `{ matches: a regular expression }`",
            );
        }
        section.finish();
        Some(Self::Has { contains, lacks, matches })
    }
}

impl Decode for Pattern {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let written: String = field.decode()?;
        // The dialect of matchers, but for their anchors.
        match regex::find(&written) {
            Ok(regex) => Some(Self { written, regex }),
            Err(error) => {
                let place = field.place().within(&written, error.span);
                let diagnostic =
                    Diagnostic::error(place, "this is not a pattern").label(error.message);
                field.report(match error.hint {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
                None
            }
        }
    }
}

/// Reads what must be true at a time.
pub(super) fn read(mut section: Section<'_>, playbook: &Playbook) -> Option<Expect> {
    let at = section.required("at");
    let incidents = read_incidents(&mut section, playbook);
    let others = section.with_default("others", false);
    let cases = section.optional("cases");
    let unmatched = section.optional("unmatched");
    let ignored_by: Vec<Located<RuleName>> = section.one_or_many("ignored_by");
    for name in &ignored_by {
        let ignores = |then: &Then| matches!(then, Then::Ignore);
        check_rule(&section, name, playbook, "ignores", ignores);
    }
    let keys = ["incidents", "cases", "unmatched", "ignored_by"];
    if !keys.iter().any(|key| section.has(key)) && !section.misnamed("incidents") {
        let hint = format!("add one of: {}", keys.join(", "));
        section.error(format!("{} expects nothing", section.name()), hint);
    }
    if others && incidents.as_ref().is_none_or(|incidents| incidents.value.is_empty()) {
        section.error_at_key(
            "others",
            "`others` says that there may be more incidents than those listed, and none is listed",
            "list some under `incidents`, or remove it",
        );
    }
    section.finish();
    Some(Expect { at: at?, incidents, others, cases, unmatched, ignored_by })
}

fn read_incidents(
    section: &mut Section<'_>,
    playbook: &Playbook,
) -> Option<Located<Vec<IncidentExpect>>> {
    let field = section.field("incidents")?;
    let place = field.place();
    if is_none(&field) {
        return Some(Located { value: Vec::new(), place });
    }
    if !field.is_list() {
        let hint = "list what is known of each; for their number alone there is `cases`";
        field.expected("a list of incidents, or `none`", hint);
        return None;
    }
    let incidents: Vec<Option<IncidentExpect>> =
        field.items()?.iter().map(|item| read_incident(item.section()?, playbook)).collect();
    let value = incidents.into_iter().collect::<Option<Vec<IncidentExpect>>>()?;
    Some(Located { value, place })
}

/// Whether a value is the word `none`.
fn is_none(field: &Field<'_>) -> bool {
    if field.quoted() == "`none`" {
        field.reveal();
        return true;
    }
    false
}

fn read_incident(mut section: Section<'_>, playbook: &Playbook) -> Option<IncidentExpect> {
    let place = section.place();
    let of = Meant::read(&mut section, playbook);
    let state = named(&mut section, "state", &State::NAMES);
    let reason = section.optional("reason");
    let firing = section.optional("firing");
    let actions = section.field("actions").and_then(|field| {
        let names: Vec<Option<&'static str>> =
            field.items()?.iter().map(|item| one_of(item, &ActionKind::AT_VENDORS)).collect();
        let value = names.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Located { value, place: field.place() })
    });
    let case = section.field("case").and_then(|field| read_case(&field));
    let draft = section.section_like("draft", "{ severity: 1 }").map(read_fields);
    let comments = texts(&mut section, "comments");
    section.finish();
    Some(IncidentExpect { place, of: of?, state, reason, firing, actions, case, draft, comments })
}

fn read_case(field: &Field<'_>) -> Option<CaseExpect> {
    if is_none(field) {
        return Some(CaseExpect::None(field.place()));
    }
    field.section().map(read_fields).map(CaseExpect::Fields)
}

fn read_fields(mut section: Section<'_>) -> Fields {
    let place = section.place();
    let severity = section.optional("severity");
    let mut single = Vec::new();
    for key in ["account", "subject", "description"] {
        single.extend(section.optional(key).map(|text| (key, text)));
    }
    if let Some(field) = section.field("category")
        && let Some(name) = one_of(&field, &Category::ALL.map(Category::as_str))
    {
        let value = Text::Is(name.to_owned());
        single.push(("category", Located { value, place: field.place() }));
    }
    for choice in ChoiceField::ALL {
        single.extend(section.optional(choice.name()).map(|text| (choice.name(), text)));
    }
    if let Some(mut contact) = section.section("alternate_contact") {
        for (key, name) in [
            ("name", "alternate_contact.name"),
            ("company", "alternate_contact.company"),
            ("email", "alternate_contact.email"),
            ("phone", "alternate_contact.phone"),
        ] {
            single.extend(contact.optional(key).map(|text| (name, text)));
        }
        contact.finish();
    }
    let also_notify = texts(&mut section, "also_notify");
    let fallback = section.with_default("fallback", false);
    section.finish();
    Fields { place, severity, texts: single, also_notify, fallback }
}

/// A list of texts, or the only one of it.
fn texts(section: &mut Section<'_>, key: &str) -> Option<Located<Vec<Located<Text>>>> {
    let field = section.field(key)?;
    let texts: Vec<Option<Located<Text>>> = field.one_or_many().iter().map(Field::decode).collect();
    Some(Located { value: texts.into_iter().collect::<Option<_>>()?, place: field.place() })
}

fn named(
    section: &mut Section<'_>,
    key: &str,
    names: &[&'static str],
) -> Option<Located<&'static str>> {
    let field = section.field(key)?;
    Some(Located { value: one_of(&field, names)?, place: field.place() })
}

/// One of a table of names; reports any other with the nearest.
fn one_of(field: &Field<'_>, names: &[&'static str]) -> Option<&'static str> {
    let text: String = field.decode()?;
    let found = names.iter().copied().find(|name| *name == text);
    if found.is_none() {
        let mut hint = match nearest(&text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        hint.push_str(&format!("one of: {}", names.join(", ")));
        field.error(format!("`{}` is never {}", field.path(), field.quoted()), hint);
    }
    found
}
