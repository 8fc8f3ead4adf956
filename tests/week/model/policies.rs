//! The rule sets: the same rules, each time with one policy more.

use std::path::Path;
use std::sync::Arc;

use casewright::config::Lookup;
use casewright::daemon;
use casewright::playbook::Playbook;
use casewright::setup::{self, Setup};
use casewright::sources::Sources;
use tempfile::TempDir;

const CONFIG: &str = include_str!("../files/casewright.yaml");
const RULES: &str = include_str!("../files/rules.yaml");

/// What can be switched on.
struct Policy {
    name: &'static str,
    /// How its lines begin.
    key: &'static str,
    /// What stands there while it is off; nothing, where there is no default.
    off: Option<&'static str>,
}

/// In the order in which they are switched on.
const POLICIES: [Policy; 7] = [
    Policy { name: "reopen_within", key: "reopen_within:", off: Some("reopen_within: 0s") },
    Policy { name: "open.after", key: "open:", off: None },
    Policy { name: "resolve.after", key: "resolve:", off: Some("resolve: { action: close }") },
    Policy { name: "mute", key: "mute:", off: None },
    Policy { name: "limits", key: "limits:", off: None },
    Policy { name: "update", key: "update:", off: Some("update: { at_most_every: 1m }") },
    Policy { name: "overflow", key: "limits:", off: Some("limits: { cases: 5, per: 1h }") },
];

/// A rule set.
pub(crate) struct Stage {
    /// The policy that it adds, or that there is none.
    pub(crate) name: &'static str,
    pub(crate) playbook: Arc<Playbook>,
}

impl Stage {
    /// All of them: without any policy first.
    pub(crate) fn all() -> Vec<Self> {
        let names = ["identity only"].into_iter().chain(POLICIES.map(|policy| policy.name));
        let stage = |(on, name)| Self { name, playbook: Arc::new(load(on).playbook) };
        names.enumerate().map(stage).collect()
    }

    /// Whether a policy is on in it.
    pub(crate) fn place_of(name: &str) -> usize {
        1 + POLICIES.iter().position(|policy| policy.name == name).expect("a policy")
    }
}

/// Who reads the payloads.
pub(crate) fn sources() -> Sources {
    daemon::sources(&load(0).config.sources).expect("sources")
}

/// The files, with so many policies on.
fn load(on: usize) -> Setup {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    let limited = on >= Stage::place_of("limits");
    let config = if limited {
        CONFIG.to_owned()
    } else {
        CONFIG.replace("limits: { cases: 12, per: 1h }", "limits: off")
    };
    write("casewright.yaml", config);
    write("rules.yaml", rules(on));
    read(&folder.path().join("casewright.yaml"))
}

fn read(path: &Path) -> Setup {
    let nothing: Lookup<'_> = &|_| None;
    let (setup, diagnostics) = setup::load_for_rehearsal(path, nothing);
    setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

/// The rule file, with so many policies on.
pub(crate) fn rules(on: usize) -> String {
    let mut text = String::new();
    for line in RULES.lines() {
        let key = line.trim_start();
        let indent = &line[..line.len() - key.len()];
        let off = POLICIES.iter().skip(on).find(|policy| key.starts_with(policy.key));
        let kept = match off {
            Some(policy) => policy.off.map(|off| format!("{indent}{off}")),
            None => Some(line.to_owned()),
        };
        text.extend(kept.map(|line| line + "\n"));
    }
    text
}
