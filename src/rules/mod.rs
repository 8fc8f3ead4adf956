//! Which rule owns an alert.
//!
//! A rule says with matchers which alerts it is for. The language is Alertmanager's, so that a
//! route that works there can be copied here and means the same.

pub mod matcher;
pub mod regex;
