//! Buttons. Each does what the API does, by the API's own function, and then leads back to a page
//! that [says so](super::done): a page that is loaded anew does nothing a second time.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::done::DONE;
use super::{Console, Page, address};
use crate::domain::access::Operator;
use crate::http::answer::Refusal;
use crate::http::api::{actions, drafts, incidents, mutes, vendors};
use crate::http::form::Form;

/// Back to a page that asks the record what was done, or why it was not.
pub(super) fn answered(answer: Result<Response, Refusal>, to: &str) -> Page {
    answer?;
    Ok(Redirect::to(&address(to, &[(DONE, "1")])).into_response())
}

/// An id in an address of ours.
pub(super) fn segment(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct Approving {
    /// The tag of the draft that was looked at.
    seen: String,
}

pub(super) async fn approve(
    State(console): State<Console>,
    by: Operator,
    Path(id): Path<String>,
    Form(Approving { seen }): Form<Approving>,
) -> Page {
    let to = format!("/incidents/{}", segment(&id));
    // Nobody opens a case that says what they have not read.
    let headers = drafts::having_seen(&seen);
    let answer = incidents::approve(State(console.api), by, headers, Ok(Path(id))).await;
    answered(answer, &to)
}

pub(super) async fn reject(
    State(console): State<Console>,
    by: Operator,
    Path(id): Path<String>,
) -> Page {
    let to = format!("/incidents/{}", segment(&id));
    let answer = incidents::reject(State(console.api), by, Ok(Path(id))).await;
    answered(answer, &to)
}

#[derive(Debug, Deserialize)]
pub(super) struct Retrying {
    how: How,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    Look,
    Send,
}

pub(super) async fn retry(
    State(console): State<Console>,
    by: Operator,
    path: Result<Path<(String, u32)>, PathRejection>,
    Form(Retrying { how }): Form<Retrying>,
) -> Page {
    let incident = path.as_ref().map(|Path((incident, _))| segment(incident)).unwrap_or_default();
    let to = format!("/incidents/{incident}");
    let asked = match how {
        How::Look => "how=look",
        How::Send => "how=send",
    };
    let asked = RawQuery(Some(asked.to_owned()));
    answered(actions::retry(State(console.api), by, path, asked).await, &to)
}

pub(super) async fn resume(
    State(console): State<Console>,
    by: Operator,
    Path(name): Path<String>,
) -> Page {
    let answer = vendors::resume(State(console.api), by, Ok(Path(name))).await;
    answered(answer, "/vendors")
}

#[derive(Debug, Deserialize)]
pub(super) struct Pausing {
    lasts: String,
    reason: String,
}

pub(super) async fn pause(
    State(console): State<Console>,
    by: Operator,
    Path(name): Path<String>,
    Form(Pausing { lasts, reason }): Form<Pausing>,
) -> Page {
    let asked = query(&[("for", &lasts), ("reason", &reason)]);
    let answer = vendors::pause(State(console.api), by, Ok(Path(name)), asked).await;
    answered(answer, "/vendors")
}

/// What the API is asked for.
fn query(asked: &[(&str, &str)]) -> RawQuery {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    RawQuery(Some(query.extend_pairs(asked).finish()))
}

#[derive(Debug, Deserialize)]
pub(super) struct Muting {
    rule: String,
    lasts: String,
    reason: String,
}

pub(super) async fn mute(
    State(console): State<Console>,
    by: Operator,
    Form(Muting { rule, lasts, reason }): Form<Muting>,
) -> Page {
    let of = if rule.is_empty() { ("all", "true") } else { ("rule", rule.as_str()) };
    let asked = [("for", lasts.as_str()), ("reason", &reason), of];
    let answer = mutes::make(State(console.api), by, query(&asked)).await;
    answered(answer, "/mutes")
}

pub(super) async fn lift(
    State(console): State<Console>,
    by: Operator,
    Path(id): Path<String>,
) -> Page {
    let answer = mutes::lift(State(console.api), by, Ok(Path(id))).await;
    answered(answer, "/mutes")
}
