//! Buttons. Each does what the API does, by the API's own function, and then leads back to a page
//! that says so: a page that is loaded anew does nothing a second time.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::HeaderMap;
use serde::Deserialize;

use super::{Console, Page, Trouble};
use crate::domain::access::Operator;
use crate::http::answer::Refusal;
use crate::http::api::{actions, drafts, incidents, mutes, vendors};
use crate::http::form::Form;

/// Back to a page that says what was done, or a page that says why it was not.
fn answered(answer: Result<Response, Refusal>, to: &str, done: &str, back: &'static str) -> Page {
    match answer {
        Ok(_) => Ok(Redirect::to(&format!("{to}?done={done}")).into_response()),
        Err(refusal) => {
            let (what, hint) = refusal.words();
            Err(Trouble::new(refusal.status(), what, hint.map(str::to_owned), back))
        }
    }
}

/// An id in an address of ours.
fn segment(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// What the API is told of the draft that a page has shown, by the page's hidden field `seen`.
fn having_seen(seen: &str) -> HeaderMap {
    // What was never said by us is never true.
    drafts::having_seen(seen.parse().unwrap_or(u32::MAX))
}

#[derive(Debug, Deserialize)]
pub(super) struct Approving {
    /// What the page said of the draft that was looked at.
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
    let headers = having_seen(&seen);
    let answer = incidents::approve(State(console.api), by, headers, Ok(Path(id))).await;
    answered(answer, &to, "approved", "/held")
}

pub(super) async fn reject(
    State(console): State<Console>,
    by: Operator,
    Path(id): Path<String>,
) -> Page {
    let to = format!("/incidents/{}", segment(&id));
    let answer = incidents::reject(State(console.api), by, Ok(Path(id))).await;
    answered(answer, &to, "rejected", "/held")
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
    Path((incident, seq)): Path<(String, u32)>,
    Form(Retrying { how }): Form<Retrying>,
) -> Page {
    let to = format!("/incidents/{}", segment(&incident));
    let (asked, done) = match how {
        How::Look => ("how=look", "retry_look"),
        How::Send => ("how=send", "retry_send"),
    };
    let asked = RawQuery(Some(asked.to_owned()));
    let answer = actions::retry(State(console.api), by, Ok(Path((incident, seq))), asked).await;
    answered(answer, &to, done, "/actions")
}

pub(super) async fn resume(
    State(console): State<Console>,
    by: Operator,
    Path(name): Path<String>,
) -> Page {
    let answer = vendors::resume(State(console.api), by, Ok(Path(name))).await;
    answered(answer, "/vendors", "resumed", "/vendors")
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
    let asked = {
        let mut asked = url::form_urlencoded::Serializer::new(String::new());
        asked.append_pair("for", &lasts).append_pair("reason", &reason);
        if !rule.is_empty() {
            asked.append_pair("rule", &rule);
        }
        RawQuery(Some(asked.finish()))
    };
    let answer = mutes::make(State(console.api), by, asked).await;
    answered(answer, "/mutes", "muted", "/mutes")
}

pub(super) async fn lift(
    State(console): State<Console>,
    by: Operator,
    Path(id): Path<String>,
) -> Page {
    let answer = mutes::lift(State(console.api), by, Ok(Path(id))).await;
    answered(answer, "/mutes", "lifted", "/mutes")
}
