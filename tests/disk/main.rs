//! Disks that fail: full, read-only, with I/O errors, and without power. What was acknowledged is
//! on the disk, and the store works again as soon as the disk does.
//!
//! - [`sweep`]: the n-th file operation fails, once or from then on, for every n.
//! - [`cuts`]: the power fails; writes that were not synced are kept, dropped or torn.
//! - [`replaced`]: files are moved about while the disk fails.
//! - [`whole_daemon`]: the real binary on a disk that is full for a while.
//!
//! The faults come from `shim.c`, which the tests build with the system's C compiler (`$CC`, or
//! `cc`) and preload into processes of their own. That works on Linux only, as do these tests.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]
#![allow(clippy::print_stdout, reason = "figures")]

mod check;
mod cuts;
mod life;
mod model;
mod replaced;
mod shim;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod whole_daemon;
