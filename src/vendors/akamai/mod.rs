//! Akamai Case Management v3.

pub mod edgegrid;
pub mod edgerc;
