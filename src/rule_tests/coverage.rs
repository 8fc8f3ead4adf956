//! What of the rules no test has reached: whole rules, matchers that never decided anything,
//! branches of severities.
//!
//! A matcher has decided if an alert came to its rule for which it was the only one that did not
//! hold: without it the rule would have taken the alert. The default of a severity is no branch where
//! the rule's matchers let only values through that its map has.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::severity::SeverityRule;
use crate::rules::{Rule, RuleSet, Then};

/// What the tests have reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Each rule, in the order of the rules.
    pub rules: Vec<RuleCoverage>,
}

/// What the tests have reached of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCoverage {
    /// Its name.
    pub rule: String,
    /// Where it stands.
    pub place: String,
    /// An alert was given to it.
    pub reached: bool,
    /// Its matchers and times, each with whether it has decided.
    pub matchers: Vec<Part>,
    /// The branches of its severity, each with whether a firing alert took it.
    pub severities: Vec<Part>,
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// As it is written.
    pub part: String,
    /// Whether a test has reached it.
    pub reached: bool,
}

impl Part {
    fn new(part: String) -> Self {
        Self { part, reached: false }
    }
}

impl Coverage {
    /// Of no tests.
    pub fn new(rules: &RuleSet) -> Self {
        Self { rules: rules.rules().iter().map(RuleCoverage::new).collect() }
    }

    /// An alert comes in.
    pub(super) fn reach(&mut self, rules: &RuleSet, alert: &Alert, at: Timestamp) {
        for (rule, coverage) in rules.rules().iter().zip(&mut self.rules) {
            let mut fails: Vec<bool> =
                rule.matchers.iter().map(|matcher| !matcher.matches(&alert.labels)).collect();
            fails.extend(rule.during.iter().map(|times| !times.contains(at)));
            fails.extend(rule.outside.iter().map(|times| times.contains(at)));
            if fails.iter().filter(|fails| **fails).count() == 1 {
                for (part, fails) in coverage.matchers.iter_mut().zip(&fails) {
                    part.reached |= fails;
                }
            }
            if rule.matches(alert, at) {
                coverage.reached = true;
                coverage.take(rule, alert);
                if !rule.goes_on {
                    return;
                }
            }
        }
    }

    /// Adds what other tests have reached.
    pub(super) fn add(&mut self, other: &Self) {
        let merge = |into: &mut [Part], from: &[Part]| {
            for (into, from) in into.iter_mut().zip(from) {
                into.reached |= from.reached;
            }
        };
        for (into, from) in self.rules.iter_mut().zip(&other.rules) {
            into.reached |= from.reached;
            merge(&mut into.matchers, &from.matchers);
            merge(&mut into.severities, &from.severities);
        }
    }

    /// How many parts were reached, of how many.
    pub fn count(&self) -> (usize, usize) {
        let all = self.rules.iter().flat_map(|rule| {
            let parts = rule.matchers.iter().chain(&rule.severities).map(|part| part.reached);
            parts.chain([rule.reached])
        });
        all.fold((0, 0), |(reached, all), this| (reached + usize::from(this), all + 1))
    }
}

impl RuleCoverage {
    fn new(rule: &Rule) -> Self {
        let severities = match &rule.then {
            Then::Ignore => Vec::new(),
            Then::Case(case) => match &case.plan.severity {
                SeverityRule::Fixed(_) => Vec::new(),
                SeverityRule::FromLabel { label, map, default } => {
                    let values = map
                        .iter()
                        .map(|(value, rank)| Part::new(format!("{label}={value:?} (rank {rank})")));
                    let always_mapped = rule
                        .values_of(label)
                        .is_some_and(|all| all.iter().all(|value| map.contains_key(value)));
                    let default = Part::new(format!("the default (rank {default})"));
                    values.chain((!always_mapped).then_some(default)).collect()
                }
            },
        };
        let mut matchers: Vec<Part> =
            rule.matchers.iter().map(|matcher| Part::new(matcher.to_string())).collect();
        matchers.extend(rule.during.iter().map(|times| Part::new(format!("during {times}"))));
        matchers.extend(rule.outside.iter().map(|times| Part::new(format!("outside {times}"))));
        Self {
            rule: rule.name.to_string(),
            place: format!("{}:{}", rule.file.display(), rule.line),
            reached: false,
            matchers,
            severities,
        }
    }

    /// The rule takes an alert.
    fn take(&mut self, rule: &Rule, alert: &Alert) {
        let Then::Case(case) = &rule.then else { return };
        let SeverityRule::FromLabel { label, map, .. } = &case.plan.severity else { return };
        if alert.status != AlertStatus::Firing {
            return;
        }
        let value = alert.label(label);
        let branch = map.keys().position(|known| known == value).unwrap_or(map.len());
        if let Some(part) = self.severities.get_mut(branch) {
            part.reached = true;
        }
    }

    /// What no test has reached, in words; empty if all of it was.
    pub fn gaps(&self) -> Vec<String> {
        if !self.reached {
            return vec!["no test reaches it".to_owned()];
        }
        let missing = |parts: &[Part]| -> BTreeSet<String> {
            parts.iter().filter(|part| !part.reached).map(|part| part.part.clone()).collect()
        };
        let matchers = missing(&self.matchers)
            .into_iter()
            .map(|part| format!("matcher that never decides: {part}"));
        let severities = missing(&self.severities)
            .into_iter()
            .map(|part| format!("severity that is never taken: {part}"));
        matchers.chain(severities).collect()
    }
}
