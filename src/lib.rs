//! Casewright turns monitoring alerts into vendor support cases: one incident, one case.
//!
//! `ARCHITECTURE.md` tells how; in short, a webhook body arrives at a [source](sources), [rules]
//! pick the incident that each alert belongs to, the [lifecycle](domain::lifecycle) decides, the
//! [store] remembers in one transaction, and [dispatch] does at the [vendor](vendors) what was
//! decided. Modules know only the layers below them.

pub mod cli;
pub mod clock;
pub mod config;
pub mod current;
pub mod daemon;
pub mod dispatch;
pub mod domain;
pub mod explain;
pub mod fetch;
pub mod http;
pub mod intake;
pub mod people;
pub mod playbook;
pub mod rehearsal;
pub mod replay;
pub mod retention;
pub mod rng;
pub mod rule_tests;
pub mod rules;
pub mod sandbox;
pub mod schema;
pub mod setup;
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod templates;
pub mod time;
pub mod vendors;
