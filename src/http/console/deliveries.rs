//! What senders have posted: the newest, and one with its body and with what every rule says to it.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::frame::Frame;
use super::{Choice, Console, Page, Trouble, address, begins_at, choices, draw};
use crate::domain::ids::{DeliveryId, SourceName};
use crate::explain::{AlertStory, Answer, Explanation};
use crate::http::access::Visit;
use crate::http::answer::Refusal;
use crate::http::api::asked::Asked;
use crate::people::deliveries::DeliveryLine;
use crate::people::paging::List;
use crate::store::Fate;
use crate::store::lists::DeliveriesSought;

/// Where they are.
const HERE: &str = "/deliveries";
/// So many on a page.
const FIRST: u32 = 50;
/// What is shown of a body, in characters.
const BODY: usize = 200_000;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Deliveries {
    frame: Frame,
    sources: Vec<Choice>,
    fates: Vec<Choice>,
    /// Whether these are not simply the newest.
    is_filtered: bool,
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

pub(super) async fn list(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let people = &console.api.people;
    let all = |refusal| Trouble::leading_to(refusal, HERE, "To all deliveries");
    let asked = Asked::of_page(query.as_deref(), &["source", "fate", "cursor"]).map_err(all)?;
    let fate = asked.one_of("fate", Fate::ALL.map(Fate::name)).map_err(all)?;
    let source = asked.trimmed("source");
    let filters = [("source", source.as_str()), ("fate", fate.unwrap_or_default())];
    let sought = DeliveriesSought {
        source: (!source.is_empty()).then(|| SourceName::new(&source)),
        fate: fate.and_then(|name| Fate::ALL.into_iter().find(|fate| fate.name() == name)),
        after: begins_at(&asked, List::Deliveries, &address(HERE, &filters))?,
        ..DeliveriesSought::default()
    };
    let found = people.deliveries(&sought, FIRST).await?;
    let more = found.next.map(|next| {
        let [source, fate] = filters;
        address(HERE, &[source, fate, ("cursor", &next)])
    });
    let page = Deliveries {
        frame: Frame::new(&console, &visit, HERE),
        sources: choices(people.sources.get().keys().map(ToString::to_string), &source),
        fates: choices(Fate::ALL.map(Fate::name), fate.unwrap_or_default()),
        is_filtered: !source.is_empty() || fate.is_some(),
        deliveries: found.items,
        more,
    };
    Ok(draw(&page))
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Page {
    let story = console.api.people.delivery_story(&DeliveryId::new(id)).await?;
    let Some(story) = story else {
        let refusal = Refusal::unknown("there is no such delivery").hint("old ones are forgotten");
        return Err(Trouble::leading_to(refusal, HERE, "To the newest deliveries"));
    };
    let body = story.body.map(|body| pretty(&body));
    let cut = body.as_ref().is_some_and(|body| body.chars().nth(BODY).is_some());
    let page = Delivery {
        frame: Frame::new(&console, &visit, HERE),
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
