//! Which rule owns an alert.
//!
//! A rule says with matchers which alerts it is for. The language is Alertmanager's, so that a
//! route that works there can be copied here and means the same.

pub mod file;
pub mod matcher;
pub mod regex;
pub mod rule;
#[cfg(test)]
mod tests;

use crate::domain::alert::Alert;
use crate::domain::ids::RuleName;

pub use rule::{CasePlan, CaseRule, ContactPlan, Rule, TextSource, Then};

/// All rules, in the order of the files and of the rules in them.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// The rules. Names are unique.
    pub rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules that own an alert, in order: the first that matches and, as long as the last one
    /// found says `continue`, the next that matches. A rule that ignores is among them, so that
    /// whoever asks can tell an ignored alert from one that no rule knows.
    pub fn route<'a>(&'a self, alert: &Alert) -> Vec<&'a Rule> {
        let mut owners = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.matches(alert)) {
            owners.push(rule);
            if !rule.goes_on {
                break;
            }
        }
        owners
    }

    /// The rule of that name.
    pub fn get(&self, name: &RuleName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == *name)
    }
}
