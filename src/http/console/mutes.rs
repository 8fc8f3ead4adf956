//! Mutes: those that count, and a form for another.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::frame::Frame;
use super::{Console, Page, draw};
use crate::domain::mute::Mute;
use crate::http::access::Visit;

#[derive(Template)]
#[template(path = "mutes.html")]
struct Mutes {
    frame: Frame,
    mutes: Vec<Mute>,
    rules: Vec<String>,
    /// The rule that the form begins with.
    rule: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    done: Option<String>,
    #[serde(default)]
    rule: String,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(Asked { done, rule }): Query<Asked>,
) -> Page {
    let people = &console.api.people;
    let mutes = people.mutes().await?;
    let frame = Frame::new(&console, &visit, "/mutes").having(done.as_deref());
    Ok(draw(&Mutes { frame, mutes, rules: people.opener_names(), rule }))
}
