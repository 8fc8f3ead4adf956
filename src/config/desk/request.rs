//! The pieces that calls are made of: addresses, headers, bodies, pointers.

use crate::config::code::Code;
use crate::config::decode::{Field, Located, Section};
use crate::config::diagnostic::Diagnostic;
use crate::config::suggest::nearest;
use crate::config::yaml::Value;
use crate::domain::desk::template::{Problem, Rules};
use crate::domain::desk::{Body, Method, Pointer, Request, Template};

/// Headers that are made elsewhere, each with what to do instead.
const TAKEN: &[(&str, &str)] = &[
    ("authorization", "write it under `auth`, as a secret"),
    ("proxy-authorization", "proxies are not used"),
    ("cookie", "write it under `auth: { header: ... }`, as a secret"),
    ("content-type", "remove it: bodies are JSON"),
    ("content-length", "remove it"),
    ("transfer-encoding", "remove it"),
    ("connection", "remove it"),
    ("host", "remove it: `base_url` says which"),
];

/// Those of [`TAKEN`] that a credential may be in.
const CREDENTIALS: &[&str] = &["authorization", "cookie"];

/// The names that a body may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) names: &'a [&'a str],
    /// What severities have; `None` where that is not known, so that nothing is reported twice.
    pub(super) fields: Option<&'a [String]>,
}

pub(super) fn method(section: &mut Section<'_>) -> Option<Method> {
    let table = [("POST", Method::Post), ("PUT", Method::Put), ("PATCH", Method::Patch)];
    if section.has("method") {
        section.one_of("method", &table)
    } else {
        section.known(&["method"]);
        Some(Method::Post)
    }
}

/// Path, query and headers of a call.
pub(super) fn request(section: &mut Section<'_>, names: &[&str]) -> Option<Request> {
    section.require("path");
    let path = section.field("path").and_then(|field| path(&field, names));
    let query = pairs(section, "query", names);
    let headers = headers(section, names);
    Some(Request { path: path?, query: query?, headers: headers? })
}

fn path(field: &Field<'_>, names: &[&str]) -> Option<Template> {
    let path = template(field, Rules { names, json: false }, false)?;
    let wrong = if !path.head().starts_with('/') {
        Some(("must begin with `/`", "it comes after `base_url`"))
    } else if path.literals().any(|text| text.contains(['?', '#'])) {
        Some(("must be a path only", "write what stands after `?` under `query`"))
    } else if path.literals().any(|text| text.split('/').any(leads_upwards)) {
        Some(("must not lead upwards", "remove `..`"))
    } else if path.literals().any(|text| text.chars().any(|c| c.is_whitespace() || c.is_control()))
    {
        Some(("must have no blanks", "write `%20` where one is meant"))
    } else {
        None
    };
    if let Some((message, hint)) = wrong {
        field.error(format!("`{}` {message}", field.path()), hint);
        return None;
    }
    Some(path)
}

/// Whether a piece of a path is `..`, also as those who make addresses read it.
fn leads_upwards(part: &str) -> bool {
    part.replace("%2e", ".").replace("%2E", ".") == ".."
}

fn headers(section: &mut Section<'_>, names: &[&str]) -> Option<Vec<(String, Template)>> {
    let entries = section.field("headers").and_then(|field| field.entries());
    for (name, value) in entries.into_iter().flatten() {
        // A header that must not be here may hold a credential, and so may one that means one.
        let wrong = check_header(section, &name.text).is_some();
        let name = name.text.to_ascii_lowercase();
        if wrong || ["auth", "key", "token", "secret"].iter().any(|word| name.contains(word)) {
            value.hide();
        }
    }
    pairs(section, "headers", names)
}

fn pairs(section: &mut Section<'_>, key: &str, names: &[&str]) -> Option<Vec<(String, Template)>> {
    let Some(field) = section.field(key) else { return Some(Vec::new()) };
    let entries = field.entries()?.into_iter();
    let pairs: Vec<_> = entries
        .map(|(key, value)| {
            Some((key.text.clone(), template(&value, Rules { names, json: false }, false)?))
        })
        .collect();
    pairs.into_iter().collect()
}

/// Reports a header that must not be there; `None` if it may.
fn check_header(section: &Section<'_>, name: &str) -> Option<()> {
    let path = section.path();
    let (message, hint) = if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        let message = format!("`{path}.headers` has a key that is not the name of a header");
        (message, "use letters, digits and `-`")
    } else {
        let (taken, hint) = taken(name)?;
        (format!("`{path}.headers` must not have `{taken}`"), hint)
    };
    section.error_at_key("headers", message, hint);
    Some(())
}

fn taken(name: &str) -> Option<(&'static str, &'static str)> {
    TAKEN.iter().copied().find(|(taken, _)| name.eq_ignore_ascii_case(taken))
}

/// The name of the header of a credential.
pub(super) fn header_name(section: &Section<'_>, name: Located<String>) -> Option<String> {
    let Located { value, place } = name;
    if http::HeaderName::from_bytes(value.as_bytes()).is_err() {
        section.error_at(place, "this is not the name of a header", "use letters, digits and `-`");
        return None;
    }
    let may_be = |taken: &str| CREDENTIALS.contains(&taken);
    if let Some((taken, _)) = taken(&value).filter(|(taken, _)| !may_be(taken)) {
        let message = format!("the header `{taken}` cannot hold a credential");
        section.error_at(place, message, "name the header that the desk wants it in");
        return None;
    }
    Some(value)
}

/// A pointer that must be there.
pub(super) fn pointer(section: &mut Section<'_>, key: &str) -> Option<Pointer> {
    let Located { value, place }: Located<String> = section.required(key)?;
    match Pointer::parse(&value) {
        Ok(pointer) => Some(pointer),
        Err(error) => {
            let path = section.path();
            // `result.sys_id` and `$.result.sys_id` are what other programs call it.
            let names = value.trim_start_matches(['$', '.']).replace(['.', '['], "/");
            let hint = format!("write it as `/{}`", names.replace(']', ""));
            let hint = if value.contains('~') { String::new() } else { hint };
            section.error_at(place, format!("`{path}.{key}` is no pointer: {error}"), hint);
            None
        }
    }
}

/// The body of a call.
pub(super) fn body(section: &mut Section<'_>, names: Names<'_>) -> Option<Body> {
    section.require("body");
    let field = section.field("body")?;
    if !field.is_map() {
        field.expected("a map", "write the JSON that the desk wants as YAML, with names in braces");
        return None;
    }
    tree(&field, names)
}

fn tree(field: &Field<'_>, names: Names<'_>) -> Option<Body> {
    Some(match &field.node.value {
        Value::Broken => return None,
        Value::Null => Body::Null,
        Value::Bool(value) => Body::Bool(*value),
        Value::Int(value) => match i64::try_from(*value) {
            Ok(value) => Body::Int(value),
            Err(_) => {
                field.error(format!("`{}` is out of range", field.path()), "put it in quotes");
                return None;
            }
        },
        Value::Float(value) => Body::Float(*value),
        Value::String(_) => return leaf(field, names).map(Body::Text),
        Value::List(_) => {
            let items: Vec<_> = field.items()?.iter().map(|item| tree(item, names)).collect();
            Body::List(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Map(_) => {
            let entries: Vec<_> = field
                .entries()?
                .into_iter()
                .map(|(key, value)| Some((key.text.clone(), tree(&value, names)?)))
                .collect();
            Body::Map(entries.into_iter().collect::<Option<_>>()?)
        }
    })
}

fn leaf(field: &Field<'_>, Names { names, fields }: Names<'_>) -> Option<Template> {
    let of_severities: Vec<String> =
        fields.unwrap_or_default().iter().map(|name| format!("severity.{name}")).collect();
    let mut all: Vec<&str> = names.to_vec();
    all.extend(of_severities.iter().map(String::as_str));
    template(field, Rules { names: &all, json: true }, fields.is_none())
}

/// Reads a template. Where severities could not be read, which has been reported, nothing is said of
/// what they have.
fn template(field: &Field<'_>, rules: Rules<'_>, severities_unread: bool) -> Option<Template> {
    let Located { value: text, place }: Located<String> = field.decode()?;
    let error = match Template::parse(&text, rules) {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    if severities_unread
        && matches!(&error.problem, Problem::UnknownName(name) if name.starts_with("severity."))
    {
        return None;
    }
    let hint = match &error.problem {
        Problem::Open => "close it with `}}`; for the characters themselves write `\\{{`".to_owned(),
        Problem::NoName => {
            "conditions, loops and helpers belong into the templates of rules; here a name is put into its place, such as `{{marker}}`"
                .to_owned()
        }
        Problem::UnknownName(name) => unknown(name, rules.names),
        Problem::UnknownHelper(_) => {
            "there are `{{truncate NAME 160}}` and, for a value of a `body`, `{{number NAME}}`, `{{bool NAME}}` and `{{list also_notify}}`"
                .to_owned()
        }
        Problem::Truncate => "write `{{truncate subject 160}}`".to_owned(),
        Problem::NotAlone(inner) => format!("write `\"{{{{{inner}}}}}\"` and nothing else"),
        Problem::NotText(_)
        | Problem::NoList(_)
        | Problem::Whole(_)
        | Problem::Untyped(_) => {
            "write the name alone".to_owned()
        }
    };
    let message = format!("`{}`: {}", field.path(), error.problem);
    let place = place.within(&text, error.range);
    field.report(Diagnostic::error(place, message).code(Code::Template).hint(hint));
    None
}

fn unknown(name: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return "no name has a value here".to_owned();
    }
    let mut hint = match nearest(name, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? "),
        None => String::new(),
    };
    hint.push_str(&format!("known here: {}", names.join(", ")));
    hint
}

/// Whether a body uses a name.
pub(super) fn uses(body: &Body, name: &str) -> bool {
    any_text(body, &|template| template.expressions().any(|one| one.name == name))
}

/// Whether a text of a body is like that.
pub(super) fn any_text(body: &Body, is_so: &dyn Fn(&Template) -> bool) -> bool {
    match body {
        Body::Text(template) => is_so(template),
        Body::List(items) => items.iter().any(|item| any_text(item, is_so)),
        Body::Map(entries) => entries.iter().any(|(_, item)| any_text(item, is_so)),
        Body::Null | Body::Bool(_) | Body::Int(_) | Body::Float(_) => false,
    }
}
