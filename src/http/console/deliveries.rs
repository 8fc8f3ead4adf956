//! What senders have posted: the newest, and one with its body and with what every rule says to it.

use askama::Template;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::Value;

use super::frame::Frame;
use super::{Console, Page, Trouble, draw};
use crate::domain::ids::DeliveryId;
use crate::explain::{AlertStory, Answer, Explanation};
use crate::http::access::Visit;
use crate::people::deliveries::DeliveryLine;
use crate::people::paging::List;
use crate::store::lists::DeliveriesSought;

/// So many on a page.
const FIRST: u32 = 50;
/// What is shown of a body, in characters.
const BODY: usize = 200_000;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Deliveries {
    frame: Frame,
    deliveries: Vec<DeliveryLine>,
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct Delivery {
    frame: Frame,
    line: DeliveryLine,
    body: Option<String>,
    cut: bool,
    explanation: Result<Explanation, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    cursor: Option<String>,
}

pub(super) async fn list(
    State(console): State<Console>,
    visit: Visit,
    Query(Asked { cursor }): Query<Asked>,
) -> Page {
    let after = cursor.and_then(|cursor| List::Deliveries.place(&cursor));
    let sought = DeliveriesSought { after, ..DeliveriesSought::default() };
    let page = console.api.people.deliveries(&sought, FIRST).await?;
    let more = page.next.map(|next| format!("/deliveries?cursor={next}"));
    let frame = Frame::new(&console, &visit, "/deliveries");
    Ok(draw(&Deliveries { frame, deliveries: page.items, more }))
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Page {
    let story = console.api.people.delivery_story(&DeliveryId::new(id)).await?;
    let Some(story) = story else {
        return Err(Trouble::unknown("There is no such delivery.", "/deliveries"));
    };
    let body = story.body.map(|body| pretty(&body));
    let cut = body.as_ref().is_some_and(|body| body.chars().nth(BODY).is_some());
    let page = Delivery {
        frame: Frame::new(&console, &visit, "/deliveries"),
        line: story.line,
        body: body.map(|body| body.chars().take(BODY).collect()),
        cut,
        explanation: story.explanation,
    };
    Ok(draw(&page))
}

/// JSON with its lines, anything else as it is.
fn pretty(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// What a rule says, in words.
fn says(answer: &Answer) -> (&'static str, String) {
    match answer {
        Answer::Takes { goes_on: true } => ("takes", "and the rules after it are asked".to_owned()),
        Answer::Takes { goes_on: false } => ("takes", String::new()),
        Answer::Ignores => ("ignores", String::new()),
        Answer::Differs { matcher, value: Some(value) } => {
            ("differs", format!("{matcher}, and the label is \"{value}\""))
        }
        Answer::Differs { matcher, value: None } => {
            ("differs", format!("{matcher}, and there is no such label"))
        }
        Answer::NotNow { condition, now } => ("not now", format!("{condition}, and it was {now}")),
        Answer::NotAsked => ("not asked", "a rule before it took the alert".to_owned()),
    }
}

/// A rule that was asked: its name, where it stands, what it says and why.
struct Said<'a> {
    rule: &'a str,
    place: &'a str,
    word: &'static str,
    why: String,
}

impl Delivery {
    /// The rules that say something to an alert, and how many were not asked.
    fn asked<'a>(&self, story: &'a AlertStory) -> (Vec<Said<'a>>, usize) {
        let said = story.rules.iter().filter(|rule| rule.answer != Answer::NotAsked);
        let said: Vec<_> = said
            .map(|rule| {
                let (word, why) = says(&rule.answer);
                Said { rule: &rule.rule, place: &rule.place, word, why }
            })
            .collect();
        let rest = story.rules.len().saturating_sub(said.len());
        (said, rest)
    }
}
