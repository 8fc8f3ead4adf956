//! Which incident a test speaks of: by its rule, labels of its identity, its generation.

use std::collections::BTreeMap;
use std::fmt;

use super::judge::pairs;
use crate::config::decode::{Located, Section, quote};
use crate::config::suggest::nearest;
use crate::domain::ids::RuleName;
use crate::playbook::Playbook;
use crate::rehearsal::Life;
use crate::rules::Then;

/// An incident, as a test names it. What is not said fits any.
#[derive(Debug)]
pub struct Meant {
    /// The rule that owns it.
    pub rule: Located<RuleName>,
    /// Some of the labels that tell it from others of the rule.
    pub identity: BTreeMap<String, String>,
    /// Which time it is that this problem begins anew, from 1.
    pub generation: Option<u32>,
}

impl Meant {
    /// Reads the keys `rule`, `identity` and `generation` of a section.
    pub(super) fn read(section: &mut Section<'_>, playbook: &Playbook) -> Option<Self> {
        let rule: Option<Located<RuleName>> = section.required("rule");
        if let Some(rule) = &rule {
            let opens = |then: &Then| matches!(then, Then::Case(_));
            check_rule(section, rule, playbook, "opens cases", opens);
        }
        let identity = read_identity(section, rule.as_ref(), playbook);
        let generation = section.optional_within("generation", 1..=u32::MAX);
        Some(Self { rule: rule?, identity, generation })
    }

    /// Whether it may be this one.
    pub(super) fn is(&self, life: &Life) -> bool {
        self.rule.value == life.incident.rule
            && self.generation.is_none_or(|generation| generation == life.incident.generation)
            && self.identity.iter().all(|(name, value)| {
                life.identity.get(name).map_or("", String::as_str) == value.as_str()
            })
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule.value)?;
        if !self.identity.is_empty() {
            write!(f, " {}", pairs(&self.identity))?;
        }
        match self.generation {
            Some(generation) => write!(f, " (generation {generation})"),
            None => Ok(()),
        }
    }
}

fn read_identity(
    section: &mut Section<'_>,
    rule: Option<&Located<RuleName>>,
    playbook: &Playbook,
) -> BTreeMap<String, String> {
    let Some(field) = section.field("identity") else { return BTreeMap::new() };
    let labels = rule.and_then(|rule| playbook.case_rule(&rule.value)?.identity.as_ref());
    if let (Some(labels), Some(entries)) = (labels, field.entries()) {
        for (key, value) in entries {
            if labels.contains(&key.text) {
                continue;
            }
            let hint = match nearest(&key.text, labels.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its `identity` is: {}", labels.join(", ")),
            };
            value.error(format!("{} is no label of the rule's identity", quote(&key.text)), hint);
        }
    }
    field.decode().unwrap_or_default()
}

/// Reports a rule that there is not, or that is of another sort.
pub(super) fn check_rule(
    section: &Section<'_>,
    name: &Located<RuleName>,
    playbook: &Playbook,
    does: &str,
    fits: fn(&Then) -> bool,
) {
    let message = match playbook.rules.get(&name.value) {
        Some(rule) if fits(&rule.then) => return,
        Some(_) => format!("rule `{}` is not one that {does}", name.value),
        None => format!("there is no rule `{}`", name.value),
    };
    let fitting = || playbook.rules.rules().iter().filter(|rule| fits(&rule.then));
    let near = nearest(name.value.as_str(), fitting().map(|rule| rule.name.as_str()));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = fitting().map(|rule| rule.name.as_str()).collect();
            format!("what {does}: {}", names.join(", "))
        }
    };
    section.error_at(name.place.clone(), message, hint);
}
