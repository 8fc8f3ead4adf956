//! Akamai Case Management v3.

pub mod classify;
pub mod edgegrid;
pub mod edgerc;
pub mod transport;
mod wire;
