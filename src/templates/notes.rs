//! What is said in comments and closure requests, to the vendor's support engineer who has the
//! case. Plain code, nothing that can fail.
//!
//! The token that makes a comment findable again is not part of these texts; whoever sends them
//! appends it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::action::Note;
use crate::domain::ids::Fingerprint;
use crate::domain::incident::Incident;
use crate::domain::news::{News, Remark};
use crate::domain::severity::Rank;

use super::context::rfc3339;
use super::text::{one_line, plain, truncate};

/// How many alerts are named one by one.
const NAMES: usize = 20;

/// The longest name of an alert, in characters.
const NAME: usize = 200;

/// What a case's incident is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// Alerts.
    Alerts,
    /// Incidents: the case is that of a roll-up.
    Problems,
}

impl Members {
    /// Those of an incident.
    pub fn of(incident: &Incident) -> Self {
        if incident.is_rollup() { Self::Problems } else { Self::Alerts }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Alerts => "alert",
            Self::Problems => "problem",
        }
    }
}

/// The text of a comment.
pub fn comment(note: &Note, members: Members) -> String {
    let word = members.word();
    match note {
        Note::Resolved { at, alerts } => {
            let what = match alerts {
                0 | 1 => format!("The {word} behind this case has"),
                count => format!("All {count} {word}s behind this case have"),
            };
            format!(
                "{what} resolved as of {}.\n\nThe problem is no longer seen by our monitoring. If the \
                 problem comes back, we will write here or open a new case that names this one.\
                 \n\nThis comment was written automatically.",
                rfc3339(*at)
            )
        }
        Note::Update { at, news, escalated, firing } => {
            let now = match firing {
                1 => format!("1 {word} fires now"),
                count => format!("{count} {word}s fire now"),
            };
            update(*at, &now, news, *escalated)
        }
        Note::Silent { since } => format!(
            "Our monitoring has not reported this problem since {}, and has not reported its end \
             either. We take it to be over. If it is still seen, we will write here or open a new case \
             that names this one.\n\nThis comment was written automatically.",
            rfc3339(*since)
        ),
        Note::Refired { at, alerts, escalated } => {
            let mut text = format!(
                "The problem is back: our monitoring has seen it again at {}.",
                rfc3339(*at)
            );
            text.push_str(&worse(*escalated));
            list(&mut text, "Firing now", alerts.iter().map(String::as_str));
            text.push_str(
                "\n\nPlease go on with this case. This comment was written automatically.",
            );
            text
        }
        Note::Remark { remark: Remark { at, author, text } } => {
            let mut head = "A note of ours".to_owned();
            if !author.is_empty() {
                head.push_str(&format!(" by {}", truncate(&one_line(author), NAME)));
            }
            if let Some(at) = at {
                head.push_str(&format!(", {}", rfc3339(*at)));
            }
            format!("{head}:\n\n{}\n\nThis comment was forwarded automatically.", plain(text))
        }
        Note::Part { part, of, text } => format!("({part}/{of})\n\n{text}"),
        Note::Duplicate { of, .. } => format!(
            "This case was opened twice by mistake. Please go on with case {of}, which is about the \
             same problem, and close this one.\n\nThis comment was written automatically."
        ),
    }
}

/// What has changed since the case was last told.
fn update(at: Timestamp, now: &str, news: &News, escalated: Option<(Rank, Rank)>) -> String {
    let mut text = format!("Update of {}: {now}.{}", rfc3339(at), worse(escalated));
    let names = |names: &'_ BTreeMap<Fingerprint, String>| -> Vec<String> {
        names.values().cloned().collect()
    };
    let (fired, resolved, changed) =
        (names(&news.fired), names(&news.resolved), names(&news.changed));
    list(&mut text, "New", fired.iter().map(String::as_str));
    list(&mut text, "Resolved", resolved.iter().map(String::as_str));
    list(&mut text, "Changed", changed.iter().map(String::as_str));
    if news.more > 0 {
        text.push_str(&format!("\n\nNew or resolved besides: {}", news.more));
    }
    text.push_str("\n\nThis comment was written automatically.");
    text
}

/// What is asked for in words, because the vendor lets nobody change the severity of a case.
fn worse(escalated: Option<(Rank, Rank)>) -> String {
    escalated.map_or_else(String::new, |(from, to)| {
        format!(
            "\n\nThe problem is more severe than this case says: on our scale, on which 1 is the \
             worst, it has gone from {from} to {to}. Please raise the severity of this case accordingly."
        )
    })
}

fn list<'a>(text: &mut String, title: &str, names: impl ExactSizeIterator<Item = &'a str>) {
    let count = names.len();
    if count == 0 {
        return;
    }
    text.push_str(&format!("\n\n{title}:"));
    for name in names.take(NAMES) {
        text.push_str("\n- ");
        text.push_str(&truncate(&one_line(name), NAME));
    }
    let more = count.saturating_sub(NAMES);
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
}

/// The text of a closure request.
pub fn closure(incident: &Incident) -> String {
    let name = truncate(&one_line(incident.origin.name()), NAME);
    format!(
        "The problem that this case was opened for ({name}) has not been seen by our monitoring \
         since it resolved. Please close the case.\n\nThis request was written automatically."
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::incident;
    use super::*;

    #[test]
    fn resolved() {
        let at = "2026-08-01T10:00:00.5Z".parse().unwrap();
        insta::assert_snapshot!(comment(&Note::Resolved { at, alerts: 1 }, Members::Alerts), @r#"
        The alert behind this case has resolved as of 2026-08-01T10:00:00Z.

        The problem is no longer seen by our monitoring. If the problem comes back, we will write here or open a new case that names this one.

        This comment was written automatically.
        "#);
        insta::assert_snapshot!(comment(&Note::Resolved { at, alerts: 3 }, Members::Alerts), @r#"
        All 3 alerts behind this case have resolved as of 2026-08-01T10:00:00Z.

        The problem is no longer seen by our monitoring. If the problem comes back, we will write here or open a new case that names this one.

        This comment was written automatically.
        "#);
    }

    #[test]
    fn refired() {
        let at = "2026-08-01T10:00:00Z".parse().unwrap();
        let alerts = vec!["EdgeHigh5xxRatio".to_owned(), "bad\x1b\nname".to_owned()];
        insta::assert_snapshot!(comment(&Note::Refired { at, alerts, escalated: None }, Members::Alerts), @r#"
        The problem is back: our monitoring has seen it again at 2026-08-01T10:00:00Z.

        Firing now:
        - EdgeHigh5xxRatio
        - bad\x1b\nname

        Please go on with this case. This comment was written automatically.
        "#);
        let many = |count| {
            comment(
                &Note::Refired { at, alerts: vec!["A".to_owned(); count], escalated: None },
                Members::Alerts,
            )
        };
        assert!(!many(NAMES).contains("more"));
        assert!(many(NAMES + 1).contains("and 1 more"));
        assert!(!many(0).contains("Firing now"));
    }

    #[test]
    fn remark() {
        let at = "2026-08-01T10:00:00Z".parse().ok();
        let (author, text) =
            ("On-call\nEngineer".to_owned(), "see the graph\nof \x1b FRA".to_owned());
        let note = Note::Remark { remark: Remark { at, author, text } };
        insta::assert_snapshot!(comment(&note, Members::Alerts), @r#"
        A note of ours by On-call\nEngineer, 2026-08-01T10:00:00Z:

        see the graph
        of \x1b FRA

        This comment was forwarded automatically.
        "#);
    }

    #[test]
    fn duplicate() {
        let note = Note::Duplicate { case: "F-CS-2".into(), of: "F-CS-1".into() };
        insta::assert_snapshot!(comment(&note, Members::Alerts), @r#"
        This case was opened twice by mistake. Please go on with case F-CS-1, which is about the same problem, and close this one.

        This comment was written automatically.
        "#);
    }

    #[test]
    fn closing() {
        insta::assert_snapshot!(closure(&incident()), @r#"
        The problem that this case was opened for (EdgeHigh5xxRatio) has not been seen by our monitoring since it resolved. Please close the case.

        This request was written automatically.
        "#);
    }
}
