//! Which rule owns an alert.
//!
//! A rule says with matchers which alerts it is for. The language is Alertmanager's, so that a
//! route that works there can be copied here and means the same.

mod audit;
pub mod file;
mod index;
pub mod matcher;
pub mod offered;

pub mod rule;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::alert::Alert;
use crate::domain::ids::{RuleName, VendorName};

use index::Index;

pub use rule::{
    AttachPlan, CasePlan, CaseRule, ContactPlan, FilePlan, Mismatch, NamedLabel, Rule, TextSource,
    Then,
};

/// All rules, in the order of the files and of the rules in them.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// *Invariant:* made of these very rules, which is why nobody can change them.
    index: Index,
    /// The place of the first rule of each name.
    places: HashMap<RuleName, usize>,
    can_go_on: bool,
}

impl RuleSet {
    /// A set of rules in their order. Names are to be unique; of several rules with one name,
    /// [`Self::get`] finds the first.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut places = HashMap::new();
        for (place, rule) in rules.iter().enumerate() {
            places.entry(rule.name.clone()).or_insert(place);
        }
        let can_go_on = rules.iter().any(|rule| rule.goes_on);
        Self { index: Index::new(&rules), rules, places, can_go_on }
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The names of the rules that open cases, in order.
    pub fn openers(&self) -> impl Iterator<Item = &RuleName> {
        let opens = |rule: &&Rule| matches!(rule.then, Then::Case(_));
        self.rules.iter().filter(opens).map(|rule| &rule.name)
    }

    /// Whether an alert can belong to several rules, because some say `continue`.
    pub fn can_go_on(&self) -> bool {
        self.can_go_on
    }

    /// The rules that own an alert that is received at `now`, in order: the first that matches and, as long as the last one
    /// found says `continue`, the next that matches. A rule that ignores is among them, so that
    /// whoever asks can tell an ignored alert from one that no rule knows.
    ///
    /// Asks only the rules that can be for the alert; see [`Self::route_by_scan`].
    pub fn route<'a>(&'a self, alert: &Alert, now: Timestamp) -> Vec<&'a Rule> {
        let candidates = self.index.candidates(alert);
        owners(candidates.filter_map(|place| self.rules.get(place)), alert, now)
    }

    /// As [`Self::route`], by asking every rule. It says what `route` means, and is there for
    /// whoever compares: tests whether the answer is the same, a benchmark what it costs.
    pub fn route_by_scan<'a>(&'a self, alert: &Alert, now: Timestamp) -> Vec<&'a Rule> {
        owners(self.rules.iter(), alert, now)
    }

    /// What rules open cases at a vendor.
    pub fn plans_at<'a>(&'a self, vendor: &'a VendorName) -> impl Iterator<Item = &'a CasePlan> {
        self.rules.iter().filter_map(move |rule| match &rule.then {
            Then::Case(case) if case.vendor == *vendor => Some(&case.plan),
            Then::Case(_) | Then::Ignore => None,
        })
    }

    /// The rule of that name.
    pub fn get(&self, name: &RuleName) -> Option<&Rule> {
        self.rules.get(*self.places.get(name)?)
    }
}

/// The owners of an alert among rules that stand in order.
fn owners<'a>(
    rules: impl Iterator<Item = &'a Rule>,
    alert: &Alert,
    now: Timestamp,
) -> Vec<&'a Rule> {
    let mut owners = Vec::new();
    for rule in rules.filter(|rule| rule.matches(alert, now)) {
        owners.push(rule);
        if !rule.goes_on {
            break;
        }
    }
    owners
}
