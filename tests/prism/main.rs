//! The client against Prism, a mock that others wrote and that knows nothing but the vendor's own
//! OpenAPI document. `.ci/run prism` starts it; without `CASEWRIGHT_PRISM`, its address, these
//! tests say so and do nothing.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "of a JSON value, what is not there is null")]

#[path = "../support/akamai.rs"]
#[allow(dead_code, reason = "no test uses all of it")]
mod akamai;

mod answers;
mod mock;
mod requests;
