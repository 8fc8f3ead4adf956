//! The files that a person writes.
//!
//! A file is read ([`source_file`]), parsed into a tree that knows where everything stands
//! ([`yaml`]), filled in from the environment ([`interpolate`]) and decoded into types
//! ([`decode`]). Nothing stops at the first mistake: every step reports into [`diagnostic`], so
//! one run shows all mistakes of all files, each with its line and what to do about it. No text
//! that is produced here shows a secret.
//!
//! To add a key, ask for it where its section is read; it is then known, checked and suggested.
//! To add a kind of source or vendor, add a function to the table in [`source_config`] or
//! [`vendor_config`].

pub mod access;
pub mod choices;
pub mod code;
pub mod daemon_config;
pub mod decode;
pub mod desk;
pub mod diagnostic;
pub mod document;
pub mod fetch;
mod habits;
pub mod interpolate;
pub mod limit;
mod name;
pub mod redact;
pub mod sarif;
mod scalar;
mod schedule;
mod secret;
pub mod source_config;
pub mod source_file;
pub mod suggest;
pub mod tell_config;
#[cfg(test)]
mod tests;
pub mod vendor_config;
mod within;
pub mod yaml;

pub use access::{AccessConfig, AdminToken, LOCAL_TOKEN, ProxyConfig};
pub use code::Code;
pub use daemon_config::{
    Checked, Config, KnownVendor, RuleInputs, ServerConfig, StoreConfig, is_rule_test,
};
pub use desk::HttpDesk;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use interpolate::{Lookup, process_env};
pub use name::is_token_name;
pub use source_config::{Auth, SourceConfig, SourceKind};
pub use tell_config::{NotifyConfig, TellConfig, ToldParty};
pub use vendor_config::{VendorConfig, VendorKind};
