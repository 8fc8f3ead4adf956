//! What Casewright decides about, and how it decides.
//!
//! Everything here is a plain function or a plain value: no I/O, no async, no clock. Time, ids and
//! randomness are arguments. This layer knows no other layer; in particular it never sees a
//! sender's JSON, a database row or an HTTP type.

pub mod access;
pub mod action;
pub mod alert;
pub mod audit;
pub mod backoff;
pub mod budget;
pub mod case_view;
pub mod catalog;
pub mod desk;
pub mod draft;
pub mod gate;
pub mod ids;
pub mod incident;
pub mod judgement;
pub mod lifecycle;
pub mod member;
pub mod mute;
pub mod network;
pub mod news;
pub mod notice;
pub mod pace;
pub mod policy;
pub mod reach;
pub mod redaction;
pub mod regex;
pub mod retention;
pub mod rollup;
pub mod schedule;
pub mod session;
pub mod severity;
pub mod storm;
pub mod telling;
#[cfg(test)]
pub(crate) mod testing;
pub mod throttle;
