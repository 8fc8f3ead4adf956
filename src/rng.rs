//! The seam through which randomness comes in, so that a run can be repeated from its seed.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};

/// A source of random bytes and numbers, shared by all who need one.
#[derive(Debug)]
pub struct Rng(Mutex<StdRng>);

impl Rng {
    /// Seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Mutex::new(StdRng::from_os_rng()))
    }

    /// Seeded by hand: the same seed gives the same numbers.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&self) -> f64 {
        self.lock().random()
    }

    /// Sixteen random bytes.
    pub fn bytes(&self) -> [u8; 16] {
        self.lock().random()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, StdRng> {
        // The generator has no invariant that a panic elsewhere could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
