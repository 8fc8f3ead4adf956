//! How the vendors, and those who are told, stand.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::frame::Frame;
use super::{Console, Page, draw};
use crate::http::access::Who;
use crate::people::Standing;

#[derive(Template)]
#[template(path = "vendors.html")]
struct Vendors {
    frame: Frame,
    vendors: Vec<Standing>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    done: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Page {
    let vendors = console.api.people.vendors().await?;
    let frame = Frame::new(&console, &who, "/vendors").having(asked.done.as_deref());
    Ok(draw(&Vendors { frame, vendors }))
}

/// A name in an address of ours.
fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
