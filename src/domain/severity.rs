//! Severity is a rank: 1 is the worst that the vendor knows for a product, whatever it calls it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::alert::Alert;

/// How bad, counted from 1 (worst). Products have between three and five severities today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(u8);

impl Rank {
    /// The worst rank.
    pub const WORST: Self = Self(1);

    /// A rank from 1 to 9; `None` for anything else.
    pub fn new(rank: u64) -> Option<Self> {
        u8::try_from(rank).ok().filter(|rank| (1..=9).contains(rank)).map(Self)
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a rule finds the rank of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeverityRule {
    /// Always the same.
    Fixed(Rank),
    /// From a label's value.
    FromLabel {
        /// The label.
        label: String,
        /// Its values, compared exactly.
        map: BTreeMap<String, Rank>,
        /// For every other value, and for none.
        default: Rank,
    },
}

impl SeverityRule {
    /// The rank of an alert. Total: an unknown value gets the default.
    pub fn rank(&self, alert: &Alert) -> Rank {
        match self {
            Self::Fixed(rank) => *rank,
            Self::FromLabel { label, map, default } => {
                map.get(alert.label(label)).copied().unwrap_or(*default)
            }
        }
    }
}
