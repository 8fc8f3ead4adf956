//! JSON Schemas (draft 2020-12) of the files that people write, for editors.
//!
//! They stand beside this file and are kept in step with the readers by `tests/schema`: the same
//! keys, names and ranges. What a schema cannot say, such as that names are unique, `casewright
//! check` says; so a file that is good here may still have mistakes, and never the other way round.

/// The configuration, `casewright.yaml`.
pub const CONFIG: &str = include_str!("schema/config.json");

/// A file of rules.
pub const RULES: &str = include_str!("schema/rules.json");

/// A file of tests of rules, `*.test.yaml`.
pub const TESTS: &str = include_str!("schema/tests.json");
