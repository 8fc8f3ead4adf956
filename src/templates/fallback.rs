//! The plain texts that stand in when a template fails. Plain code, nothing that can fail.
//!
//! The vendor's limits on length are not known here; whoever sends a text cuts it.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::domain::alert::{Alert, AlertStatus, Labels};
use crate::domain::incident::Incident;

use super::RenderProblem;
use super::context::rfc3339;
use super::helpers::table_text;
use super::text::{one_line, plain, truncate};

/// How many member alerts are told one by one.
const ALERTS: usize = 50;

/// How many links, labels or annotations of the first alert are told.
const ENTRIES: usize = 100;

/// The longest value of a label, annotation or link, in characters.
const VALUE: usize = 2000;

/// The longest subject, in characters.
const SUBJECT: usize = 200;

/// One line: which alert, how many, by which rule. At most 200 characters.
pub fn subject(incident: &Incident) -> String {
    let count = incident.members.len();
    let more = if count > 1 { format!(" ({count} alerts)") } else { String::new() };
    let name = one_line(incident.origin.name());
    let rule = one_line(incident.rule.as_str());
    truncate(&format!("{name}{more}, rule {rule}"), SUBJECT)
}

/// What is known about an incident, and why it is told this plainly.
pub fn description(incident: &Incident, problem: &RenderProblem, now: Timestamp) -> String {
    let mut out = String::new();
    let origin = &incident.origin;
    line(&mut out, &format!("Alert {} is firing.", one_line(origin.name())), incident.is_firing());
    line(
        &mut out,
        &format!("Alert {} was firing and has resolved.", one_line(origin.name())),
        !incident.is_firing(),
    );
    out.push('\n');
    let mut facts = vec![
        ("Rule", one_line(incident.rule.as_str())),
        ("Source", one_line(origin.source.as_str())),
        ("Severity rank", format!("{} (1 is worst)", incident.rank)),
        ("Firing since", origin.starts_at.map_or("unknown".to_owned(), rfc3339)),
        ("Incident began", rfc3339(incident.created_at)),
        ("Written at", rfc3339(now)),
        ("Marker", incident.id.marker().as_str().to_owned()),
    ];
    if let Some(case) = &incident.previous_case {
        facts.push(("Previous case", one_line(case.as_str())));
    }
    for (name, value) in facts {
        let _ = writeln!(out, "{name}: {value}");
    }
    section(&mut out, "Labels", &origin.labels);
    section(&mut out, "Annotations", &origin.annotations);
    if !origin.links.is_empty() {
        out.push_str("\nLinks\n");
        for link in origin.links.iter().take(ENTRIES) {
            let url = truncate(&one_line(&link.url), VALUE);
            let _ = writeln!(out, "{}: {url}", one_line(&link.name));
        }
    }
    alerts(&mut out, incident);
    let _ = writeln!(
        out,
        "\nThe template {} failed at {}:{} ({}), so this plain text was used.",
        one_line(&problem.template),
        problem.line,
        problem.column,
        truncate(&one_line(&problem.message), VALUE),
    );
    out
}

fn line(out: &mut String, text: &str, wanted: bool) {
    if wanted {
        out.push_str(text);
        out.push('\n');
    }
}

fn section(out: &mut String, title: &str, labels: &Labels) {
    if labels.is_empty() {
        return;
    }
    let rows: Vec<_> = labels
        .iter()
        .take(ENTRIES)
        .map(|(name, value)| (plain(name).into_owned(), truncate(value, VALUE)))
        .collect();
    let _ = writeln!(out, "\n{title}\n{}", table_text(rows));
    if labels.len() > ENTRIES {
        let _ = writeln!(out, "and {} more", labels.len() - ENTRIES);
    }
}

/// The members, unless the first alert is all there is.
fn alerts(out: &mut String, incident: &Incident) {
    if incident.members.len() < 2 {
        return;
    }
    let is_firing = |alert: &&Alert| alert.status == AlertStatus::Firing;
    let members = || incident.members.values().map(|member| &member.alert);
    let firing = members().filter(is_firing).count();
    let total = incident.members.len();
    let _ = writeln!(out, "\nAlerts: {firing} firing, {} resolved", total - firing);
    let ordered = members().filter(is_firing).chain(members().filter(|alert| !is_firing(alert)));
    for alert in ordered.take(ALERTS) {
        let _ = write!(out, "- {} {}", alert.status.as_str(), one_line(alert.name()));
        if let Some(time) = alert.starts_at {
            let _ = write!(out, ", since {}", rfc3339(time));
        }
        if let Some(time) = alert.ends_at {
            let _ = write!(out, ", until {}", rfc3339(time));
        }
        let differing: Vec<_> = alert
            .labels
            .iter()
            .filter(|(name, value)| incident.origin.labels.get(*name) != Some(value))
            .map(|(name, value)| format!("{}={}", one_line(name), one_line(value)))
            .collect();
        if !differing.is_empty() {
            let _ = write!(out, ", {}", truncate(&differing.join(", "), VALUE));
        }
        out.push('\n');
    }
    if total > ALERTS {
        let _ = writeln!(out, "and {} more", total - ALERTS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{incident, now};
    use super::*;

    fn problem() -> RenderProblem {
        RenderProblem {
            template: "edge-5xx.md.hbs".into(),
            line: 3,
            column: 7,
            message: "`labels.team` does not exist".into(),
        }
    }

    #[test]
    fn the_plain_texts() {
        let incident = incident();
        insta::assert_snapshot!(
            format!("{}\n----\n{}", subject(&incident), description(&incident, &problem(), now())),
            @r#"
            EdgeHigh5xxRatio (3 alerts), rule edge-5xx
            ----
            Alert EdgeHigh5xxRatio is firing.

            Rule: edge-5xx
            Source: alertmanager
            Severity rank: 1 (1 is worst)
            Firing since: 2026-08-01T09:50:00Z
            Incident began: 2026-08-01T09:51:00Z
            Written at: 2026-08-01T10:00:00Z
            Marker: cw-715d54f8351c9678f56ab8d6
            Previous case: F-CS-1234567

            Labels
            alertname: EdgeHigh5xxRatio
            property:  www.example.com
            severity:  critical
            source:    alertmanager

            Annotations
            summary:   5xx ratio is 7.5% on www.example.com
            threshold: 5
            value:     7.5

            Links
            generator: http://prometheus.example/graph?g0
            runbook: http://wiki.example/edge-5xx

            Alerts: 2 firing, 1 resolved
            - firing EdgeHigh5xxRatio, since 2026-08-01T09:50:00Z
            - firing EdgeHigh5xxRatio, since 2026-08-01T09:55:00Z, instance=edge-2
            - resolved EdgeHigh5xxRatio, since 2026-08-01T09:40:00Z, until 2026-08-01T09:58:30Z, instance=edge-3

            The template edge-5xx.md.hbs failed at 3:7 (`labels.team` does not exist), so this plain text was used.
            "#
        );
    }

    #[test]
    fn a_lone_alert_is_not_listed_again_and_a_long_list_is_cut() {
        let mut one = incident();
        let first = one.members.values().next().unwrap().clone();
        one.members.retain(|fingerprint, _| *fingerprint == first.alert.fingerprint);
        assert!(!description(&one, &problem(), now()).contains("Alerts:"));
        assert_eq!(subject(&one), "EdgeHigh5xxRatio, rule edge-5xx");
        for (count, expected) in [(ALERTS, false), (ALERTS + 1, true)] {
            for n in 0..count {
                let mut member = first.clone();
                member.alert.fingerprint = format!("{n:03}").as_str().into();
                one.members.insert(member.alert.fingerprint.clone(), member);
                if one.members.len() == count {
                    break;
                }
            }
            assert_eq!(one.members.len(), count);
            assert_eq!(description(&one, &problem(), now()).contains("and 1 more"), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_told_without_control_characters(name in ".{0,300}", value in ".{0,300}") {
            let mut incident = incident();
            incident.origin.labels.insert("alertname".into(), name.clone());
            incident.origin.annotations.insert(name, value);
            let subject = subject(&incident);
            prop_assert!(subject.chars().count() <= SUBJECT);
            prop_assert!(!subject.chars().any(char::is_control));
            let text = description(&incident, &problem(), now());
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
