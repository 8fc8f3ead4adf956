//! A case budget: `limits: { cases: 5, per: 1h }`.

use std::time::Duration;

use super::decode::Section;
use crate::domain::policy::{Limit, Overflow};
use crate::domain::storm::Usage;

/// Reads the section of a budget.
pub fn read(mut section: Section<'_>) -> Option<Limit> {
    let least = Duration::from_secs(60);
    let cases = section.required_within("cases", 1..=Usage::COUNTED);
    let per = section.required_within("per", least..=Limit::MAX_PER);
    let overflow = section.one_of_or(
        "overflow",
        &[("hold", Overflow::Hold), ("rollup", Overflow::Rollup)],
        Overflow::default(),
    );
    section.finish();
    Some(Limit { cases: cases?, per: per?, overflow })
}
