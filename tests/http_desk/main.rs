//! The shipped descriptions of ServiceNow and Zendesk, from a webhook to a ticket, against small
//! simulations of both.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod house;
mod servicenow;
mod servicenow_tests;
#[path = "../support/mod.rs"]
mod support;
mod zendesk;
mod zendesk_tests;

use support::desk;
