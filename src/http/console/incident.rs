//! One incident: its case, what the case says, what happened, and what a person can do.

use askama::Template;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::frame::Frame;
use super::timeline::{Entry, timeline};
use super::{Console, Page, Trouble, draw};
use crate::domain::ids::IncidentId;
use crate::http::access::Visit;
use crate::people::record::Record;
use crate::store::BLOCKED;

#[derive(Template)]
#[template(path = "incident.html")]
struct Incident {
    frame: Frame,
    record: Record,
    entries: Vec<Entry>,
    /// Whether a person can still say whether there is to be a case.
    waits: bool,
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

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    done: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Page {
    let id = IncidentId::from_stored(id);
    let Some(record) = console.api.people.record(&id).await? else {
        return Err(Trouble::unknown("There is no such incident.", "/incidents"));
    };
    let stuck =
        record.actions.iter().filter(|action| matches!(action.state, "held" | "dead" | BLOCKED));
    let stuck = stuck.map(|action| Stuck {
        id: action.id.clone(),
        kind: action.kind,
        state: action.state,
        message: action.message.clone().unwrap_or_default(),
    });
    let page = Incident {
        frame: Frame::new(&console, &visit, "/incidents").having(asked.done.as_deref()),
        entries: timeline(&record),
        waits: matches!(record.summary.state, "held" | "pending"),
        stuck: stuck.collect(),
        sent: record.sent.as_ref().and_then(|sent| serde_json::to_string_pretty(sent).ok()),
        record,
    };
    Ok(draw(&page))
}
