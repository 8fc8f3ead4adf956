//! What the case of a roll-up says: a table of what it stands for. Plain code, nothing that can
//! fail: the rule's own templates are about one incident.
//!
//! The vendor's limits on length are not known here; whoever sends a text cuts it.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::domain::incident::Incident;
use crate::domain::member::Member;

use super::context::rfc3339;
use super::text::{one_line, truncate};

/// How many incidents are told one by one.
const ROWS: usize = 1_000;

/// The longest name of an incident, in characters.
const NAME: usize = 300;

/// One line: how many, of which rule.
pub fn subject(incident: &Incident) -> String {
    let rule = one_line(incident.rule.as_str());
    match incident.tally.firing {
        1 => format!("1 more problem, rule {rule} (roll-up)"),
        count => format!("{count} problems at once, rule {rule} (roll-up)"),
    }
}

/// What it stands for, the worst first.
pub fn description(incident: &Incident, now: Timestamp) -> String {
    let mut out = format!(
        "Our monitoring sees more problems at once than we open cases for. This case stands for all of \
         the following; none of them has a case of its own. If they have a common cause, that is what we \
         ask you to look for.\n\nRule: {}\nWritten at: {}\nMarker: {}\n",
        one_line(incident.rule.as_str()),
        rfc3339(now),
        incident.id.marker(),
    );
    if let Some(case) = &incident.previous_case {
        let _ = writeln!(out, "Previous case: {}", one_line(case.as_str()));
    }
    let mut rows: Vec<&Member> =
        incident.members.values().filter(|member| member.is_firing()).collect();
    rows.sort_by_key(|member| (member.rank, member.alert.starts_at));
    let _ = writeln!(out, "\nseverity (1 is worst) | since                | problem");
    for Member { alert, rank, since } in rows.iter().take(ROWS) {
        let _ = writeln!(
            out,
            "{:<21} | {} | {}",
            rank.get(),
            rfc3339(alert.starts_at.unwrap_or(*since)),
            truncate(&one_line(&alert.title()), NAME),
        );
    }
    let more = rows.len().saturating_sub(ROWS);
    if more > 0 {
        let _ = writeln!(out, "and {more} more");
    }
    out.push_str("\nWhat joins or ends is told in comments.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, now};
    use super::*;
    use crate::domain::rollup;

    #[test]
    fn a_table_of_what_it_stands_for() {
        let mut incident = incident();
        incident.key = rollup::key(&incident.rule);
        insta::assert_snapshot!(
            format!("{}\n----\n{}", subject(&incident), description(&incident, now())), @r"
        2 problems at once, rule edge-5xx (roll-up)
        ----
        Our monitoring sees more problems at once than we open cases for. This case stands for all of the following; none of them has a case of its own. If they have a common cause, that is what we ask you to look for.

        Rule: edge-5xx
        Written at: 2026-08-01T10:00:00Z
        Marker: cw-715d54f8351c9678f56ab8d6
        Previous case: F-CS-1234567

        severity (1 is worst) | since                | problem
        1                     | 2026-08-01T09:50:00Z | EdgeHigh5xxRatio (property=www.example.com, severity=critical)
        1                     | 2026-08-01T09:55:00Z | EdgeHigh5xxRatio (instance=edge-2, property=www.example.com, severity=critical)

        What joins or ends is told in comments.
        ");
    }

    #[test]
    fn a_long_table_is_cut_and_counted() {
        let mut incident = incident();
        let first = incident.members.values().next().cloned().unwrap();
        for number in 0..=ROWS {
            let mut member = first.clone();
            member.alert.fingerprint = format!("m-{number}").as_str().into();
            incident.admit(member);
        }
        incident.members.retain(|name, _| name.as_str().starts_with("m-"));
        assert!(description(&incident, now()).contains("\nand 1 more\n"));
    }
}
