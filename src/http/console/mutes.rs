//! Mutes: those that count, and a form for another.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::done::{DONE, just_done};
use super::frame::Frame;
use super::{Choice, Console, Page, Trouble, choices, draw};
use crate::domain::audit::{Act, Entry};
use crate::domain::mute::Mute;
use crate::http::access::Visit;
use crate::http::answer::Refusal;
use crate::http::api::asked::Asked;

/// Where they are.
const HERE: &str = "/mutes";

#[derive(Template)]
#[template(path = "mutes.html")]
struct Mutes {
    frame: Frame,
    mutes: Vec<Mute>,
    /// What the form lets mute, beginning with the rule that was asked for.
    rules: Vec<Choice>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let people = &console.api.people;
    let asked = Asked::of_page(query.as_deref(), &[DONE, "rule"])?;
    let (rule, rules) = (asked.trimmed("rule"), people.opener_names());
    // The form would begin with everything instead.
    if !rule.is_empty() && !rules.contains(&rule) {
        let what = "no rule of that name is in force that opens cases, so there is nothing to mute";
        return Err(Trouble::leading_to(Refusal::unknown(what), HERE, "To the mutes"));
    }
    let mutes = people.mutes().await?;
    let is_ours =
        |entry: &Entry| [Act::Mute, Act::Unmute].iter().any(|act| act.name() == entry.act);
    let done = just_done(&console, &visit, asked.text(DONE), is_ours).await?;
    let frame = Frame::new(&console, &visit, HERE).having(done);
    Ok(draw(&Mutes { frame, mutes, rules: choices(rules, &rule) }))
}
