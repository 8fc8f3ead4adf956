//! What a user sees of Casewright from end to end: webhooks in, cases at the vendor, everything in
//! between over real sockets. One module per thing that a user does or suffers.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod ambiguous_answers;
mod drafts;
mod firing;
mod holding_down;
mod kill;
mod pagerduty;
mod people;
mod reload;
mod resolving;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod tracing_back;
mod vendor_trouble;
