//! How the vendors, and those who are told, stand.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::frame::Frame;
use super::{Console, Page, draw};
use crate::http::access::Visit;
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
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Page {
    let vendors = console.api.people.vendors().await?;
    let frame = Frame::new(&console, &visit, "/vendors").having(asked.done.as_deref());
    Ok(draw(&Vendors { frame, vendors }))
}

impl Vendors {
    /// A name in an address of ours.
    fn segment(&self, name: &str) -> String {
        let coded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        coded.replace('+', "%20")
    }
}
