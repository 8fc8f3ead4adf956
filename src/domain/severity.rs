//! Severity is a rank: 1 is the worst that the vendor knows for a product, whatever it calls it.

use std::collections::{BTreeMap, BTreeSet};
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

/// What becomes of a rank that the product's own list lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeverityPolicy {
    /// The next one that is worse; if there is none, the worst that there is. What is treated as
    /// too bad costs somebody's sleep; what is treated as too harmless waits for hours.
    #[default]
    NearestHigher,
    /// The next one that is less bad; if there is none, the least bad that there is.
    NearestLower,
    /// None: the case is not filed under another severity than the rule says.
    Exact,
}

impl SeverityPolicy {
    /// The word in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::NearestHigher => "nearest_higher",
            Self::NearestLower => "nearest_lower",
            Self::Exact => "exact",
        }
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
    /// Every rank that it may lead to, the worst first.
    pub fn ranks(&self) -> BTreeSet<Rank> {
        match self {
            Self::Fixed(rank) => BTreeSet::from([*rank]),
            Self::FromLabel { map, default, .. } => {
                map.values().copied().chain([*default]).collect()
            }
        }
    }

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
