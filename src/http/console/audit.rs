//! The record of what people have had done.

use askama::Template;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::Deserialize;

use super::frame::Frame;
use super::{Console, Page, Trouble, draw};
use crate::domain::audit::{Act, Asked, Entry, Outcome};
use crate::http::access::Visit;

/// So many on a page.
const LINES: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    acts: Vec<&'static str>,
    who: String,
    act: String,
    entries: Vec<Entry>,
    more: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    who: String,
    #[serde(default)]
    act: String,
    before: Option<u64>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(Wanted { who, act, before }): Query<Wanted>,
) -> Page {
    let known = match act.as_str() {
        "" => None,
        name => {
            let unknown =
                || Trouble::new(StatusCode::BAD_REQUEST, "There is no such act.", None, "/audit");
            Some(Act::named(name).ok_or_else(unknown)?)
        }
    };
    let asked = Asked {
        who: Some(who.clone()).filter(|who| !who.is_empty()),
        act: known,
        object: None,
        before,
    };
    let (entries, more) = console.api.people.acts(&asked, LINES).await?;
    let more = entries.last().filter(|_| more).map(|last| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("who", &who).append_pair("act", &act);
        query.append_pair("before", &last.number.to_string());
        format!("/audit?{}", query.finish())
    });
    let page = Audit {
        frame: Frame::new(&console, &visit, "/audit"),
        acts: Act::ALL.map(Act::name).to_vec(),
        who,
        act,
        entries,
        more,
    };
    Ok(draw(&page))
}

impl Audit {
    /// An outcome as a badge knows it.
    fn word(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Begun => "unknown",
            known => known.name(),
        }
    }
}
