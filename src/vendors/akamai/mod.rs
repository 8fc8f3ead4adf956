//! Akamai Case Management v3.
//!
//! One case at the vendor for one incident, without an idempotency key at the vendor: the marker
//! goes into the case's `customerTrackingNumber` and its token into the subject, and whatever an
//! answer does not prove is looked up. [`classify`] says what an answer proves and [`meaning`] what it
//! means to a person, [`client`] sends, `files` and `contacts` are the two operations beside cases and
//! comments, `reconcile` looks, [`edgegrid`] signs, [`edgerc`] finds credentials,
//! [`transport`](crate::vendors::transport) is the network, `wire` the JSON.
//!
//! `accountSwitchKey` is never sent: every operation of this API is marked as not supporting it.

pub mod classify;
pub mod client;
mod contacts;
pub mod edgegrid;
pub mod edgerc;
mod files;
pub mod meaning;
mod multipart;
mod reconcile;
pub mod settings;
mod skew;
mod wire;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use edgegrid::Credentials;
pub use settings::{Settings, SettingsError};
