//! Tests of rules: files that say what is delivered when, and what must be true then.
//!
//! Everything happens in a [`crate::rehearsal`]. What may never be done here: to decide anything
//! that the daemon decides, to read a clock, or to let one test see another.

pub mod coverage;
mod diff;
pub mod expectation;
mod fields;
pub mod file;
mod judge;
pub mod labels;
pub mod meant;
mod pairing;
pub mod person;
pub mod run;
mod traffic;

pub use coverage::Coverage;
pub use file::{Test, TestFile};
pub use run::{Outcome, run};

#[cfg(test)]
mod tests;
