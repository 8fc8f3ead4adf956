//! What other rules would have made of a history, for people.

use std::collections::BTreeMap;

use super::labels;
use crate::cli::words::{shown, table};
use crate::replay::{Both, CaseLine, Changed, Difference, Tally};

/// So many cases of a kind are told one by one.
const TOLD: usize = 20;

pub(super) fn text(difference: &Difference) -> String {
    let Difference { deliveries, unplayed, span, rules, gone, new, changed, same } = difference;
    let mut lines = Vec::new();
    lines.push(match span {
        Some((from, to)) => format!("{deliveries} deliveries, from {from} to {to}"),
        None => "the store has kept no delivery".to_owned(),
    });
    for (why, count) in unplayed {
        lines.push(format!("{count} more could not be played: {}", shown(why)));
    }
    if !rules.is_empty() {
        lines.push(String::new());
        lines.extend(tallies(rules));
    }
    let mut part = |title: &str, told: Vec<Vec<String>>| {
        if told.is_empty() {
            return;
        }
        lines.push(String::new());
        lines.push(format!("{} {title}", told.len()));
        let more = told.len().saturating_sub(TOLD);
        lines.extend(told.into_iter().take(TOLD).flatten());
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    };
    part("cases would not be opened any more", gone.iter().map(one).collect());
    part("cases would be opened besides", new.iter().map(one).collect());
    part("cases would be different", changed.iter().map(change).collect());
    lines.push(String::new());
    lines.push(format!("{same} cases would be as they are"));
    lines.push(
        "Both are played from the deliveries that the store has kept, with a vendor that does at \
         once what it is asked: what people did, and mutes by command, are not played."
            .to_owned(),
    );
    lines.join("\n")
}

fn tallies(rules: &BTreeMap<String, Both<Tally>>) -> Vec<String> {
    let pair = |before: u64, after: u64| match before == after {
        true => before.to_string(),
        false => format!("{before} -> {after}"),
    };
    let row = |name: &str, Both { before, after }: &Both<Tally>| {
        vec![
            name.to_owned(),
            pair(before.incidents, after.incidents),
            pair(before.cases, after.cases),
            pair(before.comments, after.comments),
        ]
    };
    let mut rows: Vec<_> = rules.iter().map(|(rule, both)| row(&shown(rule), both)).collect();
    let mut all = Both::<Tally>::default();
    for both in rules.values() {
        all.before = all.before.and(both.before);
        all.after = all.after.and(both.after);
    }
    rows.push(row("all rules", &all));
    table(&["RULE", "INCIDENTS", "CASES", "COMMENTS"], &rows)
}

fn one(case: &CaseLine) -> Vec<String> {
    let CaseLine { at, rule, identity, rank, subject } = case;
    vec![format!(
        "  {at}  {} ({}), severity {rank}: {}",
        shown(rule),
        labels(identity.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        shown(subject)
    )]
}

fn change(changed: &Changed) -> Vec<String> {
    let mut lines = one(&changed.case);
    for (what, Both { before, after }) in &changed.fields {
        let (before, after) = first_difference(before, after);
        lines.push(format!("    {what}"));
        lines.push(format!("      - {}", shown(before)));
        lines.push(format!("      + {}", shown(after)));
    }
    lines
}

/// The first lines that differ.
fn first_difference<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let (mut left, mut right) = (before.lines(), after.lines());
    loop {
        match (left.next(), right.next()) {
            (Some(one), Some(other)) if one == other => {}
            (None, None) => return ("", ""),
            (one, other) => return (one.unwrap_or_default(), other.unwrap_or_default()),
        }
    }
}
