//! The rules that are in force.

use serde::Serialize;
use utoipa::ToSchema;

use super::People;
use crate::rules::Then;

/// A rule, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleLine {
    /// Its name.
    pub name: String,
    /// Where it stands: file and line.
    pub place: String,
    /// What it takes, as matchers in words.
    pub matchers: Vec<String>,
    /// `case`: it opens cases; `ignore`: it ignores what it takes.
    pub then: &'static str,
    /// Whether the rules after it are asked as well.
    pub goes_on: bool,
    /// Where its cases are opened.
    pub vendor: Option<String>,
    /// The labels that make alerts one incident; `None`: the source's own grouping does.
    pub identity: Option<Vec<String>>,
}

impl People {
    /// The rules in force, in the order in which they are asked.
    pub fn rules(&self) -> Vec<RuleLine> {
        let playbook = self.playbook.get();
        let line = |rule: &crate::rules::Rule| {
            let case = match &rule.then {
                Then::Case(case) => Some(case),
                Then::Ignore => None,
            };
            RuleLine {
                name: rule.name.to_string(),
                place: format!("{}:{}", rule.file.display(), rule.line),
                matchers: rule.matchers.iter().map(ToString::to_string).collect(),
                then: if case.is_some() { "case" } else { "ignore" },
                goes_on: rule.goes_on,
                vendor: case.map(|case| case.vendor.to_string()),
                identity: case.and_then(|case| {
                    let labels = case.identity.as_ref()?.iter();
                    Some(labels.map(ToString::to_string).collect())
                }),
            }
        };
        playbook.rules.rules().iter().map(line).collect()
    }
}
