//! What all pages share: who looks, what time it is, where in the console this is.

use askama::filters::Safe;
use jiff::Timestamp;

use super::Console;
use super::assets::{ICON, SCRIPT, STYLE};
use super::text::{self, Badge, When};
use crate::domain::access::{Means, Role};
use crate::http::access::Visit;

/// The places of the console, in the order of its navigation.
const PLACES: [(&str, &str); 11] = [
    ("/", "Overview"),
    ("/incidents", "Incidents"),
    ("/held", "Held"),
    ("/actions", "Actions"),
    ("/why", "Why no case?"),
    ("/rules", "Rules"),
    ("/deliveries", "Deliveries"),
    ("/vendors", "Vendors"),
    ("/catalog", "Catalog"),
    ("/mutes", "Mutes"),
    ("/audit", "Audit"),
];

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Frame {
    /// The time.
    pub(in crate::http) now: Timestamp,
    /// Who looks, and with which role; `None` where nobody was asked.
    pub(in crate::http) who: Option<(String, &'static str)>,
    /// Whether who looks came in by logging in, and so can go out again.
    pub(in crate::http) logs_out: bool,
    /// Whether who looks may press buttons.
    pub(in crate::http) acts: bool,
    /// What each form must carry so that it is ours.
    pub(in crate::http) form_token: String,
    /// What was just done.
    pub(in crate::http) done: Option<&'static str>,
    here: &'static str,
}

impl Frame {
    /// For a page, by its place in the navigation.
    pub(in crate::http) fn new(console: &Console, visit: &Visit, here: &'static str) -> Self {
        let Visit { who, form_token } = visit;
        Self {
            now: console.api.people.clock.now(),
            who: Some((who.name.clone(), who.role.name())),
            logs_out: who.means == Means::Session,
            acts: who.may(Role::Operator).is_ok(),
            form_token: form_token.clone(),
            done: None,
            here,
        }
    }

    /// For a page that tells nothing but that it is none.
    pub(in crate::http) fn nobody() -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            who: None,
            logs_out: false,
            acts: false,
            form_token: String::new(),
            done: None,
            here: "",
        }
    }

    /// Says what was just done, by the word in the address.
    pub(in crate::http) fn having(mut self, done: Option<&str>) -> Self {
        self.done = done.and_then(told);
        self
    }

    /// The navigation: address, name, whether it is here.
    pub(in crate::http) fn places(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        PLACES.into_iter().map(|(address, name)| (address, name, address == self.here))
    }

    pub(in crate::http) fn style(&self) -> &'static str {
        &STYLE.address
    }

    pub(in crate::http) fn script(&self) -> &'static str {
        &SCRIPT.address
    }

    pub(in crate::http) fn icon(&self) -> &'static str {
        &ICON.address
    }

    pub(in crate::http) fn when(&self, at: &Timestamp) -> Safe<When> {
        text::when(*at, self.now)
    }

    pub(in crate::http) fn clock(&self, at: &Timestamp) -> Safe<When> {
        text::clock(*at, self.now)
    }

    pub(in crate::http) fn whole(&self, at: &Timestamp) -> String {
        text::whole(*at)
    }

    pub(in crate::http) fn badge(&self, word: &str) -> Safe<Badge> {
        text::badge(word)
    }

    /// The beginning of a text, for lists and headings: what is longer than anybody reads there is
    /// whole where it is the matter of the page.
    pub(in crate::http) fn short(&self, text: &str) -> String {
        text::short(text)
    }

    /// The address, if it is one of the web.
    pub(in crate::http) fn web<'a>(&self, address: &'a str) -> Option<&'a str> {
        text::web(address)
    }
}

/// What is said of what was just done. Words of ours only: an address may come from anybody.
fn told(done: &str) -> Option<&'static str> {
    Some(match done {
        "approved" => "Approved: its case is being opened.",
        "rejected" => "Rejected: no case is opened.",
        "retry_look" => "It is tried again: the vendor's records are read first.",
        "retry_send" => "It is sent again.",
        "resumed" => "The vendor is probed at once.",
        "muted" => "Muted: no case is opened until it ends.",
        "lifted" => "Lifted: what still fires gets its case.",
        _ => return None,
    })
}
