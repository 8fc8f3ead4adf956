//! What must not leave: `redact: [email, ip, { pattern: 'cust-\d+', with: customer }]`.

use ::regex::Regex;

use super::decode::{Field, Located, Section};
use super::diagnostic::Diagnostic;
use super::suggest::nearest;
use crate::domain::redaction::{Builtin, LONGEST_REPLACEMENT, Redaction};
use crate::domain::regex;

/// What stands in place of what a pattern finds, unless it says otherwise.
const REDACTED: &str = "[redacted]";

/// Reads the key `redact`; `None` if it is not there. `off` lets everything pass.
pub fn read(section: &mut Section<'_>) -> Option<Redaction> {
    let field = section.field("redact")?;
    if field.is_word("off") {
        return Some(Redaction::default());
    }
    section.reject_empty_list("redact");
    Some(field.items()?.iter().fold(Redaction::default(), add))
}

fn add(so_far: Redaction, field: &Field<'_>) -> Redaction {
    if field.is_map() {
        return match field.section().and_then(read_pattern) {
            Some((regex, with)) => so_far.pattern(regex, with),
            None => so_far,
        };
    }
    let Some(name) = field.decode::<String>() else { return so_far };
    if let Some((_, builtin)) = Builtin::NAMES.iter().find(|(known, _)| *known == name) {
        return so_far.builtin(*builtin);
    }
    let names = Builtin::NAMES.map(|(name, _)| name);
    let mut hint = match nearest(&name, names.into_iter()) {
        Some(name) => format!("did you mean `{name}`? "),
        None => String::new(),
    };
    hint.push_str(&format!("one of: {}", names.join(", ")));
    let (path, quoted) = (field.path(), field.quoted());
    let message = format!("`{path}` cannot be {quoted}; a pattern is written `{{ pattern: '…' }}`");
    field.error(message, hint);
    so_far
}

fn read_pattern(mut section: Section<'_>) -> Option<(Regex, String)> {
    let pattern = section.field("pattern");
    if pattern.is_none() {
        section.require("pattern");
    }
    let with = section.optional::<Located<String>>("with");
    if let Some(Located { value, place }) = &with
        && (value.trim().is_empty()
            || value.chars().count() > LONGEST_REPLACEMENT
            || value.contains(char::is_control))
    {
        let message = format!("`with` is one line of 1 to {LONGEST_REPLACEMENT} characters");
        section.error_at(place.clone(), message, "such as `with: customer`");
    }
    section.finish();
    let with = with.map_or_else(|| REDACTED.to_owned(), |with| with.value);
    Some((compile(&pattern?)?, with))
}

/// A pattern in the dialect of matchers, that may find its pieces anywhere.
fn compile(field: &Field<'_>) -> Option<Regex> {
    let written: String = field.decode()?;
    match regex::find(&written) {
        // A word boundary, say, is no piece of a text.
        Ok(found) if ["", "a", "1 -"].iter().any(|text| finds_nothing(&found, text)) => {
            let message = format!("{} finds pieces without any character", field.quoted());
            field
                .error(message, "write `+` in place of `*`, and what stands there in place of `?`");
            None
        }
        Ok(found) => Some(found),
        Err(error) => {
            let place = field.place().within(&written, error.span);
            let diagnostic = Diagnostic::error(place, "this is not a pattern").label(error.message);
            field.report(match error.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            });
            None
        }
    }
}

fn finds_nothing(regex: &Regex, text: &str) -> bool {
    regex.find_iter(text).any(|found| found.is_empty())
}
