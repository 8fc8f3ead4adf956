//! Why was there a case, or none? Of whatever a person has at hand.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::frame::Frame;
use super::{Console, Page, draw};
use crate::http::access::Visit;
use crate::http::api::asked::Asked;
use crate::people::record::Answer;

/// Nobody has more than this at hand.
const LONGEST: usize = 500;

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    frame: Frame,
    about: String,
    answer: Option<Answer>,
    is_delivery: bool,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let asked = Asked::of_page(query.as_deref(), &["about"])?;
    let about: String = asked.trimmed("about").chars().take(LONGEST).collect();
    let answer = match about.is_empty() {
        true => None,
        false => Some(console.api.people.why(&about).await?),
    };
    let is_delivery = answer
        .as_ref()
        .is_some_and(|answer| answer.verdicts.iter().any(|verdict| verdict.delivery == about));
    let frame = Frame::new(&console, &visit, "/why");
    Ok(draw(&Why { frame, about, answer, is_delivery }))
}
