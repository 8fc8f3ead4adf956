//! The rules in force, for people: what each is for, what it does, and how often it was met.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::People;
use super::history::{Day, by_name};
use crate::domain::policy::OpenMode;
use crate::rules::{Rule, Then};
use crate::store::StoreError;
use crate::store::history::{Tallied, Total};
use crate::time::{duration, earlier};

/// A rule, as it is in force.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleLine {
    /// Its name.
    pub name: String,
    /// Where it stands: file and line.
    pub place: String,
    /// What an alert must have; none matches every alert.
    pub matchers: Vec<String>,
    /// At which times it is for alerts, or for none, in words.
    pub times: Vec<String>,
    /// Whether the rules after it are asked as well.
    pub goes_on: bool,
    /// What it does; `None`: it ignores.
    pub case: Option<RuleCase>,
    /// How many alerts it has taken, as far as deliveries are kept. Repeats count.
    pub matches: u64,
    /// When it took the last one.
    pub last_match: Option<Timestamp>,
    /// The last day. Only for pages: scripts have metrics.
    #[serde(skip)]
    pub day: Option<Day>,
}

/// What a rule makes of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleCase {
    /// Where cases are opened.
    pub vendor: String,
    /// Of which category.
    pub category: String,
    /// Who opens them: `auto`, `approve` or `shadow`.
    pub mode: &'static str,
    /// After which time of firing.
    pub open_after: String,
    /// The labels that make alerts one incident; empty: the sender's own grouping.
    pub identity: Vec<String>,
    /// The subject, as the rule has it.
    pub subject: String,
}

impl People {
    /// The rules in force, in their order.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn rules(&self) -> Result<Vec<RuleLine>, StoreError> {
        let now = self.clock.now();
        let totals = self.store.tally_totals(Tallied::Matches).await?;
        let totals: BTreeMap<&str, &Total> =
            totals.iter().map(|total| (total.name.as_str(), total)).collect();
        let since = earlier(now, super::history::DAY);
        let mut days = by_name(&self.store.tallies(Tallied::Matches, since).await?, now);
        let playbook = self.playbook.get();
        let lines = playbook.rules.rules().iter().map(|rule| {
            let name = rule.name.as_str();
            RuleLine::of(rule, totals.get(name).copied(), days.remove(name))
        });
        Ok(lines.collect())
    }

    /// The names of all rules in force, in their order.
    pub fn rule_names(&self) -> Vec<String> {
        let playbook = self.playbook.get();
        playbook.rules.rules().iter().map(|rule| rule.name.to_string()).collect()
    }

    /// The names of those that open cases.
    pub fn opener_names(&self) -> Vec<String> {
        self.playbook.get().rules.openers().map(ToString::to_string).collect()
    }

    /// The names of the vendors.
    pub fn vendor_names(&self) -> Vec<String> {
        let lanes = self.lanes.get();
        let vendors = lanes.iter().filter(|lane| lane.vendor().is_some());
        vendors.map(|lane| lane.name.to_string()).collect()
    }
}

impl RuleLine {
    fn of(rule: &Rule, total: Option<&Total>, day: Option<Day>) -> Self {
        let during = rule.during.iter().map(|times| format!("during {times}"));
        let outside = rule.outside.iter().map(|times| format!("outside {times}"));
        Self {
            name: rule.name.to_string(),
            place: format!("{}:{}", rule.file.display(), rule.line),
            matchers: rule.matchers.iter().map(ToString::to_string).collect(),
            times: during.chain(outside).collect(),
            goes_on: rule.goes_on,
            case: match &rule.then {
                Then::Ignore => None,
                Then::Case(case) => Some(RuleCase {
                    vendor: case.vendor.to_string(),
                    category: case.plan.category.to_string(),
                    mode: match case.policy.open_mode {
                        OpenMode::Auto => "auto",
                        OpenMode::Approve => "approve",
                        OpenMode::Shadow => "shadow",
                    },
                    open_after: duration::format(case.policy.open_after),
                    identity: case.identity.clone().unwrap_or_default(),
                    subject: case.plan.subject.text.clone(),
                }),
            },
            matches: total.map_or(0, |total| total.count),
            last_match: total.map(|total| total.last_at),
            day,
        }
    }
}
