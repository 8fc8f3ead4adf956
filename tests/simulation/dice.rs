//! Chance, in the words of a story: everything that happens in a seed comes from here.

use std::time::Duration;

use casewright::rng::Rng;

/// The parts of the world that have a stream of their own.
pub(crate) const STORY: u64 = 1;
pub(crate) const SITE: u64 = 2;
pub(crate) const LIVES: u64 = 3;
pub(crate) const SENDER: u64 = 4;
pub(crate) const WEATHER: u64 = 5;
pub(crate) const CLOSURES: u64 = 6;
pub(crate) const CLOCK: u64 = 7;
pub(crate) const PERSON: u64 = 8;
pub(crate) const ON_CALL: u64 = 9;

/// A stream of chance of its own, so that one part of the world does not disturb another's draws.
#[derive(Debug)]
pub(crate) struct Dice(Rng);

impl Dice {
    /// The stream of a seed for one part of the world.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        Self(Rng::seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part))
    }

    pub(crate) fn chance(&self, share: f64) -> bool {
        self.0.unit() < share
    }

    /// From zero to `bound`, without it.
    pub(crate) fn below(&self, bound: usize) -> usize {
        ((self.0.unit() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    pub(crate) fn seconds(&self, from: f64, to: f64) -> Duration {
        Duration::from_micros(((from + (to - from) * self.0.unit()) * 1e6) as u64)
    }

    /// A seed for somebody who makes draws of their own.
    pub(crate) fn seed(&self) -> u64 {
        u64::from_be_bytes(*self.0.bytes().first_chunk().expect("sixteen bytes"))
    }
}
