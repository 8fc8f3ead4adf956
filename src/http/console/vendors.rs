//! How the vendors, and those who are told, stand.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::done::{DONE, just_done};
use super::frame::Frame;
use super::{Console, Page, draw};
use crate::domain::audit::{Act, Entry};
use crate::http::access::Visit;
use crate::http::api::asked::Asked;
use crate::people::Standing;

#[derive(Template)]
#[template(path = "vendors.html")]
struct Vendors {
    frame: Frame,
    vendors: Vec<Standing>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let asked = Asked::of_page(query.as_deref(), &[DONE])?;
    let vendors = console.api.people.vendors().await?;
    let is_ours =
        |entry: &Entry| [Act::Pause, Act::Resume].iter().any(|act| act.name() == entry.act);
    let done = just_done(&console, &visit, asked.text(DONE), is_ours).await?;
    let frame = Frame::new(&console, &visit, "/vendors").having(done);
    Ok(draw(&Vendors { frame, vendors }))
}

impl Vendors {
    /// A name in an address of ours.
    fn segment(&self, name: &str) -> String {
        let coded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        coded.replace('+', "%20")
    }
}
