//! Rules and templates as they were loaded together: what is swapped as a whole on a reload.

use crate::domain::ids::RuleName;
use crate::domain::lifecycle::Policy;
use crate::rules::{CaseRule, RuleSet, TextSource, Then};
use crate::templates::TemplateSet;

/// See the [module](self).
#[derive(Debug)]
pub struct Playbook {
    /// Which rule owns an alert.
    pub rules: RuleSet,
    /// What a case says.
    pub templates: TemplateSet,
}

impl Playbook {
    /// The lifecycle policy of a rule. A rule that is no longer in the files leaves its running
    /// incidents the default policy, which comments and closes nothing.
    pub fn policy(&self, rule: &RuleName) -> Policy {
        self.case_rule(rule).map_or_else(Policy::default, |rule| rule.policy.clone())
    }

    /// What a rule says about its cases; `None` if there is no such rule, or it ignores.
    pub fn case_rule(&self, rule: &RuleName) -> Option<&CaseRule> {
        match &self.rules.get(rule)?.then {
            Then::Case(rule) => Some(rule),
            Then::Ignore => None,
        }
    }
}

/// The id under which a rule's text is compiled: the file's name, or one made of the rule's name
/// and the key.
pub fn template_id(rule: &RuleName, key: &str, text: &TextSource) -> String {
    if text.is_file { text.text.clone() } else { format!("{rule}: {key}") }
}
