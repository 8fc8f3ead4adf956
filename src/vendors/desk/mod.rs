//! A desk that is described in the config: any ticket system with a JSON API.
//!
//! The marker goes wherever the description puts it, and is found again where the description says
//! that it stands. Everything else is as at every vendor: one request per send, no redirect, and
//! what an answer does not prove is looked up. `address` and `body` make a request of a
//! description and a case, `verdict` says what an answer proves, [`client`] sends, `look` looks.

mod address;
mod body;
pub mod client;
mod look;
pub mod settings;
#[cfg(test)]
mod tests;
pub(super) mod verdict;

pub use client::Client;
pub use settings::{Settings, SettingsError};
