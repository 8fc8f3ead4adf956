//! The incidents: the newest of a kind, or those that something is about.

use askama::Template;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::Deserialize;

use super::frame::Frame;
use super::{Console, Page, Trouble, draw};
use crate::domain::ids::RuleName;
use crate::domain::incident::State as Life;
use crate::http::access::Visit;
use crate::people::paging::List;
use crate::people::record::Summary;
use crate::store::Sought;

/// So many on a page.
const FIRST: u32 = 50;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    states: [&'static str; 8],
    rules: Vec<String>,
    state: String,
    rule: String,
    title: String,
    incidents: Vec<Summary>,
    /// Where there are more.
    more: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    rule: String,
    /// A part of the name of its first alert.
    #[serde(default)]
    title: String,
    cursor: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(Asked { state, rule, title, cursor }): Query<Asked>,
) -> Page {
    let people = &console.api.people;
    let known = match state.as_str() {
        "" => None,
        asked => {
            let known = Life::NAMES.into_iter().find(|name| *name == asked);
            let unknown = "There is no such state of incidents.";
            let unknown = || Trouble::new(StatusCode::BAD_REQUEST, unknown, None, "/incidents");
            Some(known.ok_or_else(unknown)?)
        }
    };
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let sought = Sought {
        state: known,
        rule: given(&rule).map(RuleName::new),
        title: given(&title),
        after: cursor.and_then(|cursor| List::Incidents.place(&cursor)),
        ..Sought::default()
    };
    let found = people.incidents(&sought, FIRST).await?;
    let more = found.next.map(|next| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", &state).append_pair("rule", &rule);
        query.append_pair("title", &title).append_pair("cursor", &next);
        format!("/incidents?{}", query.finish())
    });
    let rules = people.rule_names();
    let page = Incidents {
        frame: Frame::new(&console, &visit, "/incidents"),
        states: Life::NAMES,
        rules,
        state,
        rule,
        title,
        incidents: found.items,
        more,
    };
    Ok(draw(&page))
}
