//! The form in which a person changes a draft before its case is opened.
//!
//! What is sent goes through the API's own function, with the same objections and the same answer
//! to who was too late. *Invariant:* nothing that somebody has written is lost because it was
//! refused: the form comes back as it was sent, with what is wrong beside it.
//!
//! A draft changes by itself, with its alerts and with time. So the form remembers what it has shown
//! in each field, and only what a person has changed of it is their edit: the rest goes on following
//! the rule.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::acts::{answered, segment};
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
    /// The digest of what stood in it when nobody had changed it.
    was: String,
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
    let fields = FIELDS.map(|(key, label)| {
        let value = said.shown(key);
        let was = digest(&value);
        Field { key, label, value, was, by_now: None, objections: Vec::new() }
    });
    let page = Draft {
        frame: frame(&console, &visit),
        seen: sheet.tag().to_string(),
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
    let sent = Sent(sent);
    let wording = wording(&Said::of(&sheet(&console, &id).await?), &sent);
    let headers = api::drafts::having_seen(sent.text("seen"));
    let body = wording.to_string().into_bytes();
    let answer = api::edit_draft(console.api.clone(), by, id.clone(), headers, body).await;
    match answer {
        Ok(_) => answered(answer, &format!("/incidents/{}", segment(&id))),
        Err(refusal) => {
            // Read again: whoever was too late must see what has come before them.
            let sheet = sheet(&console, &id).await?;
            let frame = frame(&console, &visit);
            Ok(refused(frame, sheet, &refusal, &sent))
        }
    }
}

/// The form as it was sent, with what is wrong.
fn refused(frame: Frame, sheet: DraftSheet, refusal: &Refusal, sent: &Sent) -> Response {
    let was_moved = refusal.status() == StatusCode::PRECONDITION_FAILED;
    let said = Said::of(&sheet);
    let problems = refusal.told("problems").and_then(Value::as_array);
    let mut problems: Vec<&str> =
        problems.into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = FIELDS.map(|(key, label)| {
        let (shown, written) = (said.shown(key), lines(sent.text(key)));
        let of_field = format!("`{key}`");
        let (own, others) = problems.iter().partition(|problem| problem.starts_with(&of_field));
        problems = others;
        let own: Vec<&str> = own;
        let objections = own.into_iter().map(sentence).collect();
        if !was_moved {
            let was = sent.was(key).to_owned();
            return Field { key, label, value: written, was, by_now: None, objections };
        }
        let was = digest(&shown);
        if shown == written || !sent.is_changed(key) {
            return Field { key, label, value: shown, was, by_now: None, objections };
        }
        Field { key, label, value: written, was, by_now: Some(shown), objections }
    });
    let (what, hint) = refusal.words();
    let complaint = match was_moved {
        true => Complaint {
            what: sentence(&format!("{what}, so yours was not taken")),
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
    let seen = if was_moved { sheet.tag().to_string() } else { sent.text("seen").to_owned() };
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

fn waits(sheet: &DraftSheet) -> bool {
    matches!(sheet.state, "held" | "pending")
}

/// A form as it was sent.
struct Sent(BTreeMap<String, String>);

impl Sent {
    fn text(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }

    /// The digest of what the field has shown.
    fn was(&self, key: &str) -> &str {
        self.text(&format!("was_{key}"))
    }

    /// Whether a person has changed what the field has shown.
    fn is_changed(&self, key: &str) -> bool {
        digest(&lines(self.text(key))) != self.was(key)
    }
}

/// What a draft says, by key.
struct Said {
    draft: Map<String, Value>,
    /// What people have changed of it.
    edited: Vec<&'static str>,
}

impl Said {
    fn of(sheet: &DraftSheet) -> Self {
        let draft = sheet.draft.as_ref().and_then(|draft| serde_json::to_value(draft).ok());
        let edited = sheet.edited.as_ref().map(|edited| edited.fields.clone()).unwrap_or_default();
        match draft {
            Some(Value::Object(draft)) => Self { draft, edited },
            _ => Self { draft: Map::new(), edited },
        }
    }

    fn text(&self, key: &str) -> &str {
        self.draft.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// As it stands in a form, and comes back from one that nobody has changed.
    fn shown(&self, key: &str) -> String {
        lines(&visible(self.text(key)))
    }
}

/// The edit that a form asks for: what was changed in it, and what people have changed before. An
/// empty field is left to the rule.
fn wording(said: &Said, sent: &Sent) -> Value {
    let fields = FIELDS.into_iter().filter_map(|(key, _)| {
        let value = match sent.is_changed(key) {
            true => lines(sent.text(key)),
            // As it was kept, with characters that a form cannot show.
            false if said.edited.contains(&key) => said.text(key).to_owned(),
            false => return None,
        };
        (!value.trim().is_empty()).then(|| (key.to_owned(), Value::String(value)))
    });
    Value::Object(fields.collect())
}

fn digest(text: &str) -> String {
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.get(..16).unwrap_or_default().to_owned()
}

/// Browsers send every end of a line as two characters (HTML standard §4.10.22.4).
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::drafts::Wording;

    fn said(draft: &Wording, edited: &[&'static str]) -> Said {
        match serde_json::to_value(draft).unwrap() {
            Value::Object(draft) => Said { draft, edited: edited.to_vec() },
            _ => panic!("an object"),
        }
    }

    /// A form that shows a draft, as a browser sends it after a person has filled in some fields.
    fn sent(shows: &Said, filled: &[(&str, &str)]) -> Sent {
        let mut sent = BTreeMap::new();
        for (key, _) in FIELDS {
            sent.insert(key.to_owned(), shows.shown(key).replace('\n', "\r\n"));
            sent.insert(format!("was_{key}"), digest(&shows.shown(key)));
        }
        let filled = filled.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        sent.extend(filled);
        Sent(sent)
    }

    fn edit(said: &Said, sent: &Sent) -> Wording {
        serde_json::from_value(wording(said, sent)).unwrap()
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_form_has_every_field_of_an_edit() {
        let keys: Vec<String> =
            said(&Wording::default(), &[]).draft.into_iter().map(|(key, _)| key).collect();
        let mut fields: Vec<&str> = FIELDS.iter().map(|(key, _)| *key).collect();
        fields.sort_unstable();
        assert_eq!(keys, fields);
    }

    #[test]
    fn what_nobody_has_changed_goes_on_following_the_rule_whatever_it_says_by_now() {
        let shown = Wording { description: text("fires for 1 min\r\n\u{0}"), ..Wording::default() };
        let by_now = Wording { description: text("fires for 2 min"), ..Wording::default() };
        let sent = sent(&said(&shown, &[]), &[]);
        assert_eq!(edit(&said(&by_now, &[]), &sent), Wording::default());
    }

    #[test]
    fn what_was_changed_before_stays_changed_with_what_a_form_cannot_show() {
        let kept = Wording {
            subject: text("a\u{202e}b"),
            description: text("one\r\ntwo"),
            severity: text("2"),
            ..Wording::default()
        };
        let said = said(&kept, &["subject", "description"]);
        assert_eq!(edit(&said, &sent(&said, &[])), Wording { severity: None, ..kept });
    }

    #[test]
    fn what_was_changed_is_sent_and_what_is_empty_is_left_to_the_rule() {
        let kept = Wording { subject: text("kept"), severity: text("2"), ..Wording::default() };
        let said = said(&kept, &["subject"]);
        let filled = [("subject", " "), ("description", "a\r\nb"), ("product", "mine")];
        let mine =
            Wording { description: text("a\nb"), product: text("mine"), ..Wording::default() };
        assert_eq!(edit(&said, &sent(&said, &filled)), mine);
    }
}
