//! What all pages share: who looks, what time it is, where in the console this is.

use askama::filters::Safe;
use jiff::Timestamp;

use super::Console;
use super::assets::{ICON, SCRIPT, STYLE};
use super::done::Done;
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
    pub(in crate::http) done: Option<Done>,
    /// Whether the page follows what happens.
    pub(in crate::http) is_live: bool,
    here: &'static str,
}

impl Frame {
    /// For a page, by its place in the navigation.
    pub(in crate::http) fn new(console: &Console, visit: &Visit, here: &'static str) -> Self {
        Self::at(console.api.people.clock.now(), Some(visit), here)
    }

    /// For whoever looks, if that is known.
    pub(in crate::http) fn at(now: Timestamp, visit: Option<&Visit>, here: &'static str) -> Self {
        let who = visit.map(|visit| &visit.who);
        Self {
            now,
            who: who.map(|who| (who.name.clone(), who.role.name())),
            logs_out: who.is_some_and(|who| who.means == Means::Session),
            acts: who.is_some_and(|who| who.may(Role::Operator).is_ok()),
            form_token: visit.map(|visit| visit.form_token.clone()).unwrap_or_default(),
            done: None,
            is_live: visit.is_some(),
            here,
        }
    }

    /// For a page that tells nothing but that it is none.
    pub(in crate::http) fn nobody() -> Self {
        Self::at(Timestamp::UNIX_EPOCH, None, "")
    }

    /// For a page that must stay as it is, because somebody writes on it or because it tells of
    /// something that has passed.
    pub(in crate::http) fn still(mut self) -> Self {
        self.is_live = false;
        self
    }

    /// Says what was just done.
    pub(in crate::http) fn having(mut self, done: Option<Done>) -> Self {
        self.done = done;
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

/// The place of the navigation to which an address belongs; none of those that are nowhere.
pub(super) fn place(address: &str) -> &'static str {
    let is_here = |place: &str| {
        address.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    PLACES.into_iter().map(|(place, _)| place).find(|place| is_here(place)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_place_that_it_is_below() {
        for (address, is) in [
            ("/", "/"),
            ("/held", "/held"),
            ("/incidents/0123/approve", "/incidents"),
            ("/heldover", ""),
            ("/nothing", ""),
            ("", ""),
        ] {
            assert_eq!(place(address), is, "{address}");
        }
    }
}
