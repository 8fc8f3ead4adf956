//! A look at which template includes which.
//!
//! Handlebars does not bound recursion: two partials that include each other overflow the stack,
//! and the process is gone (measured with 6.4.4; only direct self-inclusion is an error there).
//!
//! *Invariant: no template that is kept can reach itself, nor more than [`limits::PARTIALS`]
//! others.*

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Depth, Include};
use super::{Finding, nearest};
use crate::templates::limits;

/// What a template includes, by the canonical name of each.
#[derive(Debug)]
pub(in crate::templates) struct Node {
    pub depth: Depth,
    pub includes: Vec<Include>,
}

/// What a template amounts to with everything that it includes.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    depth: Depth,
    partials: usize,
    partial_depth: usize,
}

enum Visit {
    Underway,
    Done(Total),
    /// It was rejected, or includes one that was.
    Bad,
}

/// Finds partials that do not exist, cycles, and what is too much in sum. Answers with the
/// findings by template, and with the templates that must not be rendered.
pub(in crate::templates) fn inspect(
    nodes: &BTreeMap<String, Node>,
    files: &BTreeSet<String>,
) -> (Vec<(String, Finding)>, BTreeSet<String>) {
    let mut walk = Walk { nodes, files, visits: BTreeMap::new(), findings: Vec::new() };
    for name in nodes.keys() {
        walk.visit(name, &mut Vec::new());
    }
    let bad = walk
        .visits
        .into_iter()
        .filter(|(_, visit)| !matches!(visit, Visit::Done(_)))
        .map(|(name, _)| name)
        .collect();
    (walk.findings, bad)
}

struct Walk<'n> {
    nodes: &'n BTreeMap<String, Node>,
    /// The files that exist, broken ones included.
    files: &'n BTreeSet<String>,
    visits: BTreeMap<String, Visit>,
    findings: Vec<(String, Finding)>,
}

impl Walk<'_> {
    /// `path` holds the names from the start to the parent; its length bounds the recursion.
    fn visit(&mut self, name: &str, path: &mut Vec<String>) -> Option<Total> {
        match self.visits.get(name) {
            Some(Visit::Done(total)) => return Some(*total),
            Some(Visit::Underway | Visit::Bad) => return None,
            None => {}
        }
        let node = self.nodes.get(name)?;
        self.visits.insert(name.to_owned(), Visit::Underway);
        path.push(name.to_owned());
        let total = self.total(name, node, path);
        path.pop();
        let visit = total.map_or(Visit::Bad, Visit::Done);
        self.visits.insert(name.to_owned(), visit);
        total
    }

    fn total(&mut self, name: &str, node: &Node, path: &mut Vec<String>) -> Option<Total> {
        let mut total = Total { depth: node.depth, partials: 0, partial_depth: 0 };
        let mut good = true;
        for include in &node.includes {
            if !self.files.contains(&include.name) {
                // Both names of a file may be written.
                let known = self.files.iter().map(String::as_str).flat_map(|file| {
                    let short = file.strip_suffix(".hbs");
                    [Some(file), short].into_iter().flatten()
                });
                let hint = match nearest(&include.name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a partial is a file of the templates folder".to_owned(),
                };
                let message = format!("there is no partial `{}`", include.name);
                self.report(name, Finding::new(include.at, message).hint(hint));
                good = false;
                continue;
            }
            if let Some(from) = path.iter().position(|above| *above == include.name) {
                let circle: Vec<_> =
                    path.iter().skip(from).chain([&include.name]).map(String::as_str).collect();
                let message = format!("partials go round in a circle: {}", circle.join(" → "));
                self.report(name, Finding::new(include.at, message));
                good = false;
                continue;
            }
            if path.len() > limits::PARTIAL_DEPTH {
                self.report(name, too_deep(include.at));
                good = false;
                continue;
            }
            let Some(inner) = self.visit(&include.name, path) else {
                good = false;
                continue;
            };
            let depth = include.depth.plus(inner.depth);
            if let Some(excess) = depth.excess()
                && inner.depth.excess().is_none()
            {
                let message = format!("with the partial `{}`, {excess}", include.name);
                self.report(name, Finding::new(include.at, message));
                good = false;
            }
            total.depth = total.depth.max(depth);
            total.partials = total.partials.saturating_add(inner.partials).saturating_add(1);
            total.partial_depth = total.partial_depth.max(inner.partial_depth + 1);
            if total.partial_depth > limits::PARTIAL_DEPTH {
                self.report(name, too_deep(include.at));
                return None;
            }
            if total.partials > limits::PARTIALS {
                let message =
                    format!("more than {} partials are included in all", limits::PARTIALS);
                self.report(name, Finding::new(include.at, message));
                return None;
            }
        }
        good.then_some(total)
    }

    fn report(&mut self, name: &str, finding: Finding) {
        self.findings.push((name.to_owned(), finding));
    }
}

fn too_deep(at: (usize, usize)) -> Finding {
    Finding::new(at, format!("partials include partials more than {} deep", limits::PARTIAL_DEPTH))
}
