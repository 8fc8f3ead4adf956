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
use crate::people::record::Summary;
use crate::store::Sought;

/// So many on the first page.
const FIRST: u32 = 50;
/// So many at most.
const MOST: u32 = 1_000;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    states: [&'static str; 8],
    rules: Vec<String>,
    state: String,
    rule: String,
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
    limit: Option<u32>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(Asked { state, rule, limit }): Query<Asked>,
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
    let sought = Sought {
        state: known,
        rule: Some(rule.as_str()).filter(|rule| !rule.is_empty()).map(RuleName::new),
    };
    let limit = limit.unwrap_or(FIRST).clamp(1, MOST);
    let (incidents, more) = people.incidents(&sought, limit).await?;
    let more = (more && limit < MOST).then(|| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", &state).append_pair("rule", &rule);
        query.append_pair("limit", &limit.saturating_mul(4).min(MOST).to_string());
        format!("/incidents?{}", query.finish())
    });
    let rules = people.rule_names();
    let page = Incidents {
        frame: Frame::new(&console, &visit, "/incidents"),
        states: Life::NAMES,
        rules,
        state,
        rule,
        incidents,
        more,
    };
    Ok(draw(&page))
}
