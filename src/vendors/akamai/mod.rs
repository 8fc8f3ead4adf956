//! Akamai Case Management v3.
