//! Bad input, wherever a person or a machine can hand it in: each answer says what is wrong, where,
//! and what to do about it, loses nothing that was good, and shows no secret.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod check;
mod credentials;
mod database;
mod house;
mod labels;
mod mistakes;
mod secrets;
mod texts;
mod webhooks;
