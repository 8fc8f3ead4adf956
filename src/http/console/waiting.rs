//! What waits for a person: incidents that are held, and actions that were given up or of which
//! nobody can tell whether they were done.

use askama::Template;
use axum::extract::State;

use super::frame::Frame;
use super::{Console, Page, draw};
use crate::domain::ids::IncidentId;
use crate::http::access::Visit;
use crate::people::ActionSummary;
use crate::people::record::Record;
use crate::store::Sought;
use crate::store::lists::{ActionsSought, Which};

/// So many held incidents are shown, each with its draft.
const HELD: u32 = 20;
/// So many actions are shown.
const ACTIONS: u32 = 200;

#[derive(Template)]
#[template(path = "held.html")]
struct Held {
    frame: Frame,
    records: Vec<Record>,
    more: bool,
}

#[derive(Template)]
#[template(path = "actions.html")]
struct Actions {
    frame: Frame,
    actions: Vec<ActionSummary>,
    more: bool,
}

pub(super) async fn held(State(console): State<Console>, visit: Visit) -> Page {
    let people = &console.api.people;
    let sought = Sought { state: Some("held"), ..Sought::default() };
    let held = people.incidents(&sought, HELD).await?;
    let more = held.next.is_some();
    let mut records = Vec::with_capacity(held.items.len());
    for summary in held.items {
        records.extend(people.record(&IncidentId::from_stored(summary.id)).await?);
    }
    let frame = Frame::new(&console, &visit, "/held");
    Ok(draw(&Held { frame, records, more }))
}

pub(super) async fn actions(State(console): State<Console>, visit: Visit) -> Page {
    let sought = ActionsSought::that(Which::ForPeople);
    let found = console.api.people.actions(&sought, ACTIONS).await?;
    let (actions, more) = (found.items, found.next.is_some());
    let frame = Frame::new(&console, &visit, "/actions");
    Ok(draw(&Actions { frame, actions, more }))
}
