//! What a user sees of Casewright from end to end: webhooks in, cases at the vendor, everything in
//! between over real sockets. One module per thing that a user does or suffers.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod access;
mod ambiguous_answers;
mod api;
mod attachments;
mod catalogs;
mod console;
mod contacts;
mod doctor;
mod drafts;
mod files;
mod firing;
mod held;
mod hindsight;
mod holding_down;
mod kill;
mod outages;
mod pagerduty;
mod people;
mod policies;
mod races;
mod rehearsed;
mod reload;
mod resolving;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod telling;
mod terminal;
mod tracing_back;
mod two_cases;
mod vendor_trouble;
mod watching;
