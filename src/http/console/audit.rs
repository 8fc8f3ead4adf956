//! The record of what people have had done.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::frame::Frame;
use super::{Choice, Console, Page, Trouble, address, choices, draw, nowhere};
use crate::domain::audit::{Act, Asked, Entry, Outcome};
use crate::http::access::Visit;
use crate::http::api::asked::Asked as Query;

/// Where it is.
const HERE: &str = "/audit";
/// So many on a page.
const LINES: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    acts: Vec<Choice>,
    who: String,
    object: String,
    entries: Vec<Entry>,
    more: Option<String>,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let all = |refusal| Trouble::leading_to(refusal, HERE, "To all of the record");
    let wanted = Query::of_page(query.as_deref(), &["who", "act", "object", "cursor"]);
    let wanted = wanted.map_err(all)?;
    let act = wanted.one_of("act", Act::ALL.map(Act::name)).map_err(all)?;
    let [who, object] = ["who", "object"].map(|name| wanted.trimmed(name));
    let filters = [("who", who.as_str()), ("act", act.unwrap_or_default()), ("object", &object)];
    let before = wanted.text("cursor").map(str::parse).transpose();
    let before = before.map_err(|_| nowhere(&address(HERE, &filters)))?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let asked =
        Asked { who: given(&who), act: act.and_then(Act::named), object: given(&object), before };
    let (entries, more) = console.api.people.acts(&asked, LINES).await?;
    let more = entries.last().filter(|_| more).map(|last| {
        let [who, act, object] = filters;
        address(HERE, &[who, act, object, ("cursor", &last.number.to_string())])
    });
    let page = Audit {
        frame: Frame::new(&console, &visit, HERE),
        acts: choices(Act::ALL.map(Act::name), act.unwrap_or_default()),
        who,
        object,
        entries,
        more,
    };
    Ok(draw(&page))
}

impl Audit {
    /// All that was done on it.
    fn of_object(&self, object: &str) -> String {
        address(HERE, &[("object", object)])
    }

    /// All that they had done.
    fn of_person(&self, who: &str) -> String {
        address(HERE, &[("who", who)])
    }

    /// An outcome as a badge knows it.
    fn word(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Begun => "unknown",
            known => known.name(),
        }
    }
}
