//! Labels that a rule names and that its alerts hardly have: neither a matcher nor an alert of a
//! test has them.
//!
//! Such a label is mostly misspelt. In an identity it makes one incident of many alerts, or many of
//! one; in a text it costs the text, because the case is then written without the template.
//!
//! *Invariant:* nothing is said of a label that a matcher of the rule asks for, that an alert of a
//! test has which the rule takes, or that a template asks for before it prints it. Of a rule that
//! no test reaches only what looks like a slip is told.

use std::collections::{BTreeMap, BTreeSet};

use super::file::TestFile;
use crate::config::code::Code;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::source_file::Place;
use crate::config::suggest::nearest;
use crate::domain::alert::Alert;
use crate::domain::ids::RuleName;
use crate::playbook::{Playbook, template_id};
use crate::rules::{CaseRule, Rule, RuleSet, Then};
use crate::setup::place_of_tag;
use crate::time::later;

/// Warns of every label that a rule needs and that its alerts hardly have.
pub fn inspect(playbook: &Playbook, tests: &[TestFile]) -> Diagnostics {
    let heard = Heard::of(&playbook.rules, tests);
    let mut found = Diagnostics::default();
    for rule in playbook.rules.rules() {
        let Then::Case(case) = &rule.then else { continue };
        let known = Known::of(rule, case, &heard);
        for need in needs(playbook, rule, case) {
            if let Some(warning) = known.warning(rule, &need) {
                found.push(warning);
            }
        }
    }
    found
}

/// The alerts of the tests.
struct Heard<'t> {
    /// By the rules that take them.
    by_rule: BTreeMap<&'t RuleName, Vec<&'t Alert>>,
    /// Every label that any rule asks for or any alert has.
    labels: BTreeSet<&'t str>,
}

impl<'t> Heard<'t> {
    fn of(rules: &'t RuleSet, tests: &'t [TestFile]) -> Self {
        let mut by_rule: BTreeMap<&RuleName, Vec<&Alert>> = BTreeMap::new();
        let mut labels: BTreeSet<&str> = rules.rules().iter().flat_map(asked_for).collect();
        for test in tests.iter().flat_map(|file| &file.tests) {
            for delivery in &test.deliveries {
                let at = later(test.start, delivery.at);
                for alert in &delivery.received.alerts {
                    labels.extend(alert.labels.keys().map(String::as_str));
                    for rule in rules.route(alert, at) {
                        by_rule.entry(&rule.name).or_default().push(alert);
                    }
                }
            }
        }
        Self { by_rule, labels }
    }
}

/// The labels that an alert must have for a rule to take it.
fn asked_for(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.matchers.iter().filter(|matcher| !matcher.accepts("")).map(|matcher| matcher.name())
}

/// Where a rule needs a label.
struct Need<'p> {
    label: &'p str,
    /// As in "…, and so its alerts hardly have it".
    what: String,
    place: Place,
    in_text: bool,
}

fn needs<'p>(playbook: &'p Playbook, rule: &Rule, case: &'p CaseRule) -> Vec<Need<'p>> {
    let named = case.named_labels.iter().map(|named| Need {
        label: &named.name,
        what: format!("`{}` of rule `{}` needs", named.key, rule.name),
        place: named.place.clone(),
        in_text: false,
    });
    let mut needs: Vec<Need<'_>> = named.collect();
    for (key, text) in case.plan.texts() {
        let id = template_id(&rule.name, &key, text);
        for (template, label) in playbook.templates.labels(&id) {
            let (line, column) = label.at;
            let own = template == id && !text.is_file;
            let what = if own {
                format!("`{key}` of rule `{}` prints", rule.name)
            } else {
                format!("`{key}` of rule `{}` prints, in {template}:{line},", rule.name)
            };
            let tag = if own { place_of_tag(text, line, column) } else { None };
            let place = tag.unwrap_or_else(|| text.place.clone());
            needs.push(Need { label: &label.name, what, place, in_text: true });
        }
    }
    // Whatever else needs it, once is enough.
    let mut told = BTreeSet::new();
    needs.retain(|need| told.insert(need.label));
    needs
}

/// What is known of a rule's alerts.
struct Known<'h> {
    /// Without a test, only a slip is told.
    alerts: &'h [&'h Alert],
    asked_for: BTreeSet<&'h str>,
    labels: &'h BTreeSet<&'h str>,
}

impl<'h> Known<'h> {
    fn of(rule: &'h Rule, case: &'h CaseRule, heard: &'h Heard<'h>) -> Self {
        let alerts = heard.by_rule.get(&rule.name).map_or(&[][..], Vec::as_slice);
        let mut asked_for: BTreeSet<&str> = asked_for(rule).collect();
        if case.identity.is_none() {
            // Its source groups by labels that only the source knows.
            asked_for
                .extend(alerts.iter().flat_map(|alert| alert.group.keys()).map(String::as_str));
        }
        Self { alerts, asked_for, labels: &heard.labels }
    }

    fn has(&self, label: &str) -> bool {
        self.asked_for.contains(label)
            || self.alerts.iter().any(|alert| !alert.identifying(label).is_empty())
    }

    fn warning(&self, rule: &Rule, need: &Need<'_>) -> Option<Diagnostic> {
        let label = need.label;
        if self.has(label) || (self.alerts.is_empty() && self.labels.contains(label)) {
            return None;
        }
        let own = self.alerts.iter().flat_map(|alert| alert.labels.keys()).map(String::as_str);
        let near = nearest(label, self.asked_for.iter().copied().chain(own))
            .or_else(|| nearest(label, self.labels.iter().copied()));
        if self.alerts.is_empty() && near.is_none() {
            return None;
        }
        let nobody = if self.alerts.is_empty() {
            "no matcher and no test has"
        } else {
            "neither its matchers nor its tests have"
        };
        let message = format!("{} the label `{label}`, which {nobody}", need.what);
        let hint = match (near, need.in_text) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => format!(
                "if its alerts have it, show one in a test of `{}`; if only some do, write \
                 `{{{{#if labels.{label}}}}}…{{{{/if}}}}`",
                rule.name
            ),
            (None, false) => {
                format!("if its alerts have it, show one in a test of `{}`", rule.name)
            }
        };
        Some(Diagnostic::warning(need.place.clone(), message).code(Code::Label).hint(hint))
    }
}
