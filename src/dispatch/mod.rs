//! From the outbox to the vendor and back.
//!
//! One [`Dispatcher`] claims due actions, makes drafts of them, records the attempt, sends it, and
//! records what came of it. What an outcome means is decided in [`progress`], purely; what is
//! remembered is the store's business; this module moves things between the two and the vendor. What the vendor does with a case on
//! its own account is learnt in [`watch`].

pub mod catalogs;
pub mod drafting;
mod lane;
mod parcel;
pub mod progress;
pub(crate) mod rollup;
mod runner;
pub mod telling;
mod watch;
mod work;

pub use catalogs::Catalogs;
pub use lane::{Lane, LaneSettings};
pub use parcel::Party;
pub use runner::{Dispatcher, Lanes};
