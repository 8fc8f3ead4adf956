//! The incidents: the newest of a kind, or those that something is about.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::frame::Frame;
use super::{Choice, Console, Page, Trouble, address, begins_at, choices, draw};
use crate::domain::ids::RuleName;
use crate::domain::incident::State as Life;
use crate::http::access::Visit;
use crate::http::api::asked::Asked;
use crate::people::paging::List;
use crate::people::record::Summary;
use crate::store::Sought;

/// Where they are.
const HERE: &str = "/incidents";
/// So many on a page.
const FIRST: u32 = 50;

#[derive(Template)]
#[template(path = "incidents.html")]
struct Incidents {
    frame: Frame,
    states: Vec<Choice>,
    rules: Vec<Choice>,
    title: String,
    incidents: Vec<Summary>,
    /// Where there are more.
    more: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let people = &console.api.people;
    let all = |refusal| Trouble::leading_to(refusal, HERE, "To all incidents");
    let asked = Asked::of_page(query.as_deref(), &["state", "rule", "title", "cursor"]);
    let asked = asked.map_err(all)?;
    let state = asked.one_of("state", Life::NAMES).map_err(all)?;
    // The title is a part of the name of its first alert.
    let [rule, title] = ["rule", "title"].map(|name| asked.trimmed(name));
    let filters = [("state", state.unwrap_or_default()), ("rule", &rule), ("title", &title)];
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let sought = Sought {
        state,
        rule: given(&rule).map(RuleName::new),
        title: given(&title),
        after: begins_at(&asked, List::Incidents, &address(HERE, &filters))?,
        ..Sought::default()
    };
    let found = people.incidents(&sought, FIRST).await?;
    let more = found.next.map(|next| {
        let [state, rule, title] = filters;
        address(HERE, &[state, rule, title, ("cursor", &next)])
    });
    let page = Incidents {
        frame: Frame::new(&console, &visit, HERE),
        states: choices(Life::NAMES, state.unwrap_or_default()),
        rules: choices(people.rule_names(), &rule),
        title,
        incidents: found.items,
        more,
    };
    Ok(draw(&page))
}
