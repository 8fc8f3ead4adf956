//! The rules in force, with what they took in the last day.

use askama::Template;
use axum::extract::State;

use super::chart::path;
use super::frame::Frame;
use super::{Console, Page, draw};
use crate::http::access::Visit;
use crate::people::rules::RuleLine;

#[derive(Template)]
#[template(path = "rules.html")]
struct Rules {
    frame: Frame,
    rules: Vec<Shown>,
}

struct Shown {
    rule: RuleLine,
    /// What it took in the last day: how many, and a picture.
    today: u64,
    bars: String,
}

pub(super) async fn page(State(console): State<Console>, visit: Visit) -> Page {
    let rules = console.api.people.rules().await?;
    let rules = rules.into_iter().map(|rule| {
        let pieces = rule.day.as_ref().map(|day| day.pieces.as_slice()).unwrap_or_default();
        let top = pieces.iter().map(|piece| piece.count).max().unwrap_or(0);
        Shown {
            today: rule.day.as_ref().map_or(0, |day| day.count()),
            bars: path(pieces, top, |piece| piece.count),
            rule,
        }
    });
    let rules = rules.collect();
    Ok(draw(&Rules { frame: Frame::new(&console, &visit, "/rules"), rules }))
}
