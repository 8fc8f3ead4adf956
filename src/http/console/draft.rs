//! The form in which a person changes a draft before its case is opened.
//!
//! What is sent goes through the API's own function, with the same objections and the same answer
//! to who was too late. *Invariant:* nothing that somebody has written is lost because it was
//! refused: the form comes back as it was sent, with what is wrong beside it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};

use super::acts::{answered, having_seen, segment};
use super::frame::Frame;
use super::incident::no_such_incident;
use super::refused::sentence;
use super::text::visible;
use super::{Console, Page, draw, draw_as};
use crate::domain::access::Operator;
use crate::domain::ids::IncidentId;
use crate::http::access::Visit;
use crate::http::answer::Refusal;
use crate::http::api;
use crate::http::form::Form;
use crate::people::drafts::DraftSheet;

/// What can be changed, by the keys of a rule's `case:`, with what people call it.
const FIELDS: [(&str, &str); 11] = [
    ("subject", "Subject"),
    ("description", "Description"),
    ("severity", "Severity"),
    ("product", "Product"),
    ("problem", "Problem"),
    ("policy_domain", "Policy domain"),
    ("area", "Area"),
    ("service", "Service"),
    ("parent_account", "Parent account"),
    ("solution", "Solution"),
    ("package", "Package"),
];

#[derive(Template)]
#[template(path = "draft.html")]
struct Draft {
    frame: Frame,
    sheet: DraftSheet,
    /// What the form says of the draft that it was filled in with.
    seen: String,
    /// Whether it can be changed now.
    waits: bool,
    fields: Vec<Field>,
    complaint: Option<Complaint>,
}

/// A line of the form.
struct Field {
    key: &'static str,
    label: &'static str,
    /// What stands in it.
    value: String,
    /// What the draft says by now, where somebody else has changed it meanwhile.
    by_now: Option<String>,
    objections: Vec<String>,
}

/// Why it was not changed.
struct Complaint {
    what: String,
    hint: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Page {
    let sheet = sheet(&console, &id).await?;
    let said = Said::of(&sheet);
    let fields = FIELDS.map(|(key, label)| Field {
        key,
        label,
        value: said.shown(key),
        by_now: None,
        objections: Vec::new(),
    });
    let page = Draft {
        frame: frame(&console, &visit),
        seen: seen(&sheet),
        waits: waits(&sheet),
        fields: fields.into(),
        complaint: None,
        sheet,
    };
    Ok(draw(&page))
}

pub(super) async fn edit(
    State(console): State<Console>,
    visit: Visit,
    by: Operator,
    Path(id): Path<String>,
    Form(sent): Form<BTreeMap<String, String>>,
) -> Page {
    let written = |key: &str| sent.get(key).map(String::as_str).unwrap_or_default();
    let wording = wording(&Said::of(&sheet(&console, &id).await?), written);
    let headers = having_seen(written("seen"));
    let body = wording.to_string().into_bytes();
    let answer = api::edit_draft(console.api.clone(), by, id.clone(), headers, body).await;
    match answer {
        Ok(_) => answered(answer, &format!("/incidents/{}", segment(&id))),
        Err(refusal) => {
            // Read again: whoever was too late must see what has come before them.
            let sheet = sheet(&console, &id).await?;
            let frame = frame(&console, &visit);
            Ok(refused(frame, sheet, &refusal, written))
        }
    }
}

/// The form as it was sent, with what is wrong.
fn refused<'w>(
    frame: Frame,
    sheet: DraftSheet,
    refusal: &Refusal,
    written: impl Fn(&str) -> &'w str,
) -> Response {
    let was_moved = refusal.status() == StatusCode::PRECONDITION_FAILED;
    let said = Said::of(&sheet);
    let problems = refusal.told("problems").and_then(Value::as_array);
    let mut problems: Vec<&str> =
        problems.into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = FIELDS.map(|(key, label)| {
        let value = lines(written(key));
        let of_field = format!("`{key}`");
        let (own, others) = problems.iter().partition(|problem| problem.starts_with(&of_field));
        problems = others;
        let own: Vec<&str> = own;
        let shown = said.shown(key);
        let by_now = (was_moved && shown != value).then_some(shown);
        Field { key, label, value, by_now, objections: own.into_iter().map(sentence).collect() }
    });
    let (what, hint) = refusal.words();
    let complaint = match was_moved {
        true => Complaint {
            what: "Somebody has changed the draft since you began, so yours was not taken."
                .to_owned(),
            hint: Some(
                "Below is what you have written, and beside it what the draft says by now. Bring \
                 them together; saved once more, what stands in the fields is what counts."
                    .to_owned(),
            ),
        },
        false if refusal.told("problems").is_some() => Complaint {
            what: "The vendor would not take it so.".to_owned(),
            hint: Some(
                problems.iter().map(|problem| sentence(problem)).collect::<Vec<_>>().join(" "),
            )
            .filter(|hint| !hint.is_empty()),
        },
        false => Complaint { what: sentence(what), hint: hint.map(sentence) },
    };
    let seen = if was_moved { seen(&sheet) } else { written("seen").to_owned() };
    let waits = waits(&sheet);
    let fields = fields.into();
    draw_as(
        refusal.status(),
        &Draft { frame, sheet, seen, waits, fields, complaint: Some(complaint) },
    )
}

async fn sheet(console: &Console, id: &str) -> Result<DraftSheet, super::Trouble> {
    let sheet = console.api.people.draft(&IncidentId::from_stored(id.to_owned())).await?;
    sheet.ok_or_else(no_such_incident)
}

fn frame(console: &Console, visit: &Visit) -> Frame {
    Frame::new(console, visit, "/held").still()
}

/// What the form says of the draft that it was filled in with, for [`having_seen`].
fn seen(sheet: &DraftSheet) -> String {
    sheet.edits.to_string()
}

fn waits(sheet: &DraftSheet) -> bool {
    matches!(sheet.state, "held" | "pending")
}

/// What a draft says, by key.
struct Said(Map<String, Value>);

impl Said {
    fn of(sheet: &DraftSheet) -> Self {
        let said = sheet.draft.as_ref().and_then(|draft| serde_json::to_value(draft).ok());
        match said {
            Some(Value::Object(said)) => Self(said),
            _ => Self(Map::new()),
        }
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// As it stands in a form, and comes back from one that nobody has changed.
    fn shown(&self, key: &str) -> String {
        lines(&visible(self.text(key)))
    }
}

/// The edit that a form asks for. A field that shows what the draft says anyway is the draft's own
/// text, with characters that a form cannot show; an empty one is left to the rule.
fn wording<'w>(said: &Said, written: impl Fn(&str) -> &'w str) -> Value {
    let fields = FIELDS.into_iter().filter_map(|(key, _)| {
        let value = lines(written(key));
        let value = if value == said.shown(key) { said.text(key).to_owned() } else { value };
        (!value.trim().is_empty()).then(|| (key.to_owned(), Value::String(value)))
    });
    Value::Object(fields.collect())
}

/// Browsers send every end of a line as two characters (HTML standard §4.10.22.4).
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::drafts::Wording;

    fn said(draft: &Wording) -> Said {
        match serde_json::to_value(draft).unwrap() {
            Value::Object(said) => Said(said),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn the_form_has_every_field_of_an_edit() {
        let keys: Vec<String> = said(&Wording::default()).0.keys().cloned().collect();
        let mut fields: Vec<&str> = FIELDS.iter().map(|(key, _)| *key).collect();
        fields.sort_unstable();
        assert_eq!(keys, fields);
    }

    #[test]
    fn what_nobody_has_changed_is_sent_as_it_was_with_what_a_form_cannot_show() {
        let draft = Wording {
            subject: Some("a\u{202e}b".to_owned()),
            description: Some("one\r\ntwo\u{0}\nthree".to_owned()),
            ..Wording::default()
        };
        let said = said(&draft);
        let form = |key: &str| said.shown(key).replace('\n', "\r\n");
        let sent = FIELDS.map(|(key, _)| (key, form(key)));
        let written = |key: &str| {
            sent.iter().find(|(of, _)| *of == key).map(|(_, text)| text.as_str()).unwrap()
        };
        let edit: Wording = serde_json::from_value(wording(&said, written)).unwrap();
        assert_eq!(edit, draft);
    }

    #[test]
    fn what_was_changed_is_sent_and_what_is_empty_is_left_to_the_rule() {
        let draft = Wording { severity: Some("2".to_owned()), ..Wording::default() };
        let written = |key: &str| match key {
            "subject" => "mine",
            "description" => "a\r\nb",
            "product" => "  ",
            _ => "",
        };
        let edit: Wording = serde_json::from_value(wording(&said(&draft), written)).unwrap();
        let mine = Wording {
            subject: Some("mine".to_owned()),
            description: Some("a\nb".to_owned()),
            ..Wording::default()
        };
        assert_eq!(edit, mine);
    }
}
