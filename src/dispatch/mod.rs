//! From the outbox to the vendor and back.

pub mod progress;
