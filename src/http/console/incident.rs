//! One incident: its case, what the case says, what happened, and what a person can do.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;

use super::done::{DONE, just_done};
use super::frame::Frame;
use super::timeline::{Entry, timeline};
use super::{Console, Page, Trouble, draw};
use crate::domain::audit::Entry as Deed;
use crate::http::access::Visit;
use crate::http::answer::Refusal;
use crate::http::api::asked::Asked;
use crate::http::api::incidents;
use crate::people::finding::NotFound;
use crate::people::record::Record;
use crate::store::{BLOCKED, cause};

#[derive(Template)]
#[template(path = "incident.html")]
struct Incident {
    frame: Frame,
    record: Record,
    entries: Vec<Entry>,
    /// Whether a person can still say whether there is to be a case.
    waits: bool,
    /// Whether a person has said that there is to be none.
    rejected: Option<Rejected>,
    /// Actions that wait for a person.
    stuck: Vec<Stuck>,
    sent: Option<String>,
}

struct Stuck {
    id: String,
    kind: &'static str,
    state: &'static str,
    message: String,
}

/// Who has said that there is to be no case, and when.
struct Rejected {
    by: String,
    at: Timestamp,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Page {
    let asked = Asked::of_page(query.as_deref(), &[DONE])?;
    let record = console.api.people.find_incident(&id).await?.map_err(|why| match why {
        NotFound::Nothing => no_such_incident(),
        why => incidents::not_found(why).into(),
    })?;
    let stuck =
        record.actions.iter().filter(|action| matches!(action.state, "held" | "dead" | BLOCKED));
    let stuck = stuck.map(|action| Stuck {
        id: action.id.clone(),
        kind: action.kind,
        state: action.state,
        message: action.message.clone().unwrap_or_default(),
    });
    let (itself, action) = (format!("incident {id}"), format!("action {id}/"));
    let is_about = |entry: &Deed| entry.object == itself || entry.object.starts_with(&action);
    let done = just_done(&console, &visit, asked.text(DONE), is_about).await?;
    let page = Incident {
        frame: Frame::new(&console, &visit, "/incidents").having(done),
        entries: timeline(&record),
        waits: matches!(record.summary.state, "held" | "pending"),
        rejected: rejected(&record),
        stuck: stuck.collect(),
        sent: record.sent.as_ref().and_then(|sent| serde_json::to_string_pretty(sent).ok()),
        record,
    };
    Ok(draw(&page))
}

pub(super) fn no_such_incident() -> Trouble {
    let refusal = Refusal::unknown("there is no such incident");
    Trouble::leading_to(refusal, "/incidents", "To the incidents")
}

/// A person's word ends an incident without a case only where it is a rejection.
fn rejected(record: &Record) -> Option<Rejected> {
    let last = record.decisions.last().filter(|_| record.summary.state == "dropped")?;
    let by = last.cause.strip_prefix(cause::PERSON)?;
    // What goes on otherwise is the id of a delivery.
    let by = if by.is_empty() { "a person" } else { by.strip_prefix(' ')? };
    Some(Rejected { by: by.to_owned(), at: last.at })
}
