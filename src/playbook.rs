//! Rules and templates as they were loaded together: what is swapped as a whole on a reload.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::fetch::FetchConfig;
use crate::domain::alert::Labels;
use crate::domain::ids::RuleName;
use crate::domain::incident::Incident;
use crate::domain::links::Links;
use crate::domain::mute::Mutes;
use crate::domain::policy::{Limit, Policy};
use crate::domain::redaction::Redaction;
use crate::domain::schedule::Schedule;
use crate::domain::storm::{Budgets, Restraint, Turn, Usage};
use crate::rules::{CaseRule, RuleSet, TextSource, Then};
use crate::templates::TemplateSet;
use crate::time::earlier;

/// See the [module](self).
#[derive(Debug)]
pub struct Playbook {
    /// Which rule owns an alert.
    pub rules: RuleSet,
    /// What a case says.
    pub templates: TemplateSet,
    /// The case budget of all rules together.
    pub limit: Option<Limit>,
    /// Times in which all rules are muted.
    pub mute: Option<Arc<Schedule>>,
    /// What must not leave, whatever the rule.
    pub redaction: Redaction,
    /// Where files may be fetched from.
    pub fetch: Arc<FetchConfig>,
    /// Where people find things in a browser.
    pub links: Links,
}

impl Playbook {
    /// The lifecycle policy of an incident: that of its rule. A rule that is no longer in the files
    /// leaves its running incidents the default policy, which comments and closes nothing.
    pub fn policy(&self, incident: &Incident) -> Policy {
        let policy = self.rule_policy(&incident.rule);
        if incident.is_rollup() { policy.of_rollup() } else { policy }
    }

    /// The lifecycle policy of a rule's own incidents.
    pub fn rule_policy(&self, rule: &RuleName) -> Policy {
        self.case_rule(rule).map_or_else(Policy::default, |rule| rule.policy.clone())
    }

    /// The labels that tell an incident from others of its rule; none if the rule is gone.
    pub fn identity(&self, incident: &Incident) -> Labels {
        if incident.is_rollup() {
            return Labels::from([("rollup".to_owned(), incident.rule.to_string())]);
        }
        let rule = self.case_rule(&incident.rule);
        rule.map(|rule| rule.identity_of(&incident.origin)).unwrap_or_default()
    }

    /// What keeps a case of a rule from being opened now. Roll-ups do not ask.
    pub fn restraint(
        &self,
        rule: &RuleName,
        usage: &Usage,
        turn: Turn,
        now: Timestamp,
    ) -> Option<Restraint> {
        let policy = self.rule_policy(rule);
        let of_rule = |rule: &RuleName| self.case_rule(rule)?.policy.limit;
        let budgets = Budgets { rule, total: self.limit.as_ref(), of_rule: &of_rule };
        let (own, total) = (policy.mute.as_ref(), self.mute.as_ref());
        let mutes = Mutes { rule, own, total, made: usage.mutes() };
        Restraint::of(&policy, &mutes, &budgets, usage, turn, now)
    }

    /// After which time openings count for any budget: `now` if there are no budgets.
    pub fn budget_since(&self, now: Timestamp) -> Timestamp {
        let own = self.rules.rules().iter().filter_map(|rule| match &rule.then {
            Then::Case(rule) => rule.policy.limit,
            Then::Ignore => None,
        });
        let longest = own.chain(self.limit).map(|limit| limit.per).max();
        longest.map_or(now, |per| earlier(now, per))
    }

    /// What must not leave in the texts of a rule's cases: what must not whatever the rule, and what
    /// the rule says besides. For a rule that is no longer in the files it is the former alone.
    pub fn redaction(&self, rule: &RuleName) -> Redaction {
        match self.case_rule(rule).and_then(|rule| rule.redaction.as_ref()) {
            None => self.redaction.clone(),
            Some(own) if own.is_empty() => Redaction::default(),
            Some(own) => self.redaction.clone().join(own),
        }
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
