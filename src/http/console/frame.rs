//! What all pages share: who looks, what time it is, where in the console this is.

use askama::filters::Safe;
use jiff::Timestamp;

use super::assets::{ICON, SCRIPT, STYLE};
use super::text::{self, Badge, When};
use super::Console;
use crate::http::access::Who;

/// The places of the console, in the order of its navigation.
const PLACES: [(&str, &str); 10] = [
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
];

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Frame {
    /// The time.
    pub(super) now: Timestamp,
    /// Who looks; `None` where nobody was asked.
    pub(super) who: Option<String>,
    /// Whether who looks may press buttons.
    pub(super) acts: bool,
    /// What each form must carry so that it is ours.
    pub(super) form_token: String,
    /// What was just done.
    pub(super) done: Option<&'static str>,
    here: &'static str,
}

impl Frame {
    /// For a page, by its place in the navigation.
    pub(super) fn new(console: &Console, who: &Who, here: &'static str) -> Self {
        let Who(name) = who;
        Self {
            now: console.api.people.clock.now(),
            who: Some(name.clone()),
            acts: true,
            form_token: String::new(),
            done: None,
            here,
        }
    }

    /// For a page that tells nothing but that it is none.
    pub(super) fn nobody() -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            who: None,
            acts: false,
            form_token: String::new(),
            done: None,
            here: "",
        }
    }

    /// Says what was just done, by the word in the address.
    pub(super) fn having(mut self, done: Option<&str>) -> Self {
        self.done = done.and_then(told);
        self
    }

    /// The navigation: address, name, whether it is here.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        PLACES.into_iter().map(|(address, name)| (address, name, address == self.here))
    }

    pub(super) fn style(&self) -> &'static str {
        &STYLE.address
    }

    pub(super) fn script(&self) -> &'static str {
        &SCRIPT.address
    }

    pub(super) fn icon(&self) -> &'static str {
        &ICON.address
    }

    pub(super) fn when(&self, at: &Timestamp) -> Safe<When> {
        text::when(*at, self.now)
    }

    pub(super) fn clock(&self, at: &Timestamp) -> Safe<When> {
        text::clock(*at, self.now)
    }

    pub(super) fn whole(&self, at: &Timestamp) -> String {
        text::whole(*at)
    }

    pub(super) fn badge(&self, word: &str) -> Safe<Badge> {
        text::badge(word)
    }

    /// The address, if it is one of the web.
    pub(super) fn web<'a>(&self, address: &'a str) -> Option<&'a str> {
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
