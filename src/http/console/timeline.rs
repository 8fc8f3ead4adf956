//! What happened to an incident, in one order: what was decided and why, what was sent and what
//! came back, what the vendor said, since when alerts are as they are. Pure.

use jiff::Timestamp;

use super::text::took;
use crate::people::Exchange;
use crate::people::record::{ActionLine, Record};
use crate::store::cause;

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When.
    pub(super) at: Timestamp,
    /// What kind of line it is.
    pub(super) kind: &'static str,
    /// What happened.
    pub(super) title: String,
    /// More of it, as somebody else put it. Untrusted.
    pub(super) detail: Option<String>,
    /// A word to be shown as a badge.
    pub(super) word: Option<String>,
    /// What is worth a glance: status, how long it took, the vendor's name for it.
    pub(super) facts: Vec<String>,
    /// The delivery that brought it about.
    pub(super) delivery: Option<String>,
}

impl Entry {
    fn new(at: Timestamp, kind: &'static str, title: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            title: title.into(),
            detail: None,
            word: None,
            facts: Vec::new(),
            delivery: None,
        }
    }
}

/// All lines, oldest first. What happened at the same time stays in the order of what leads to what.
pub(super) fn timeline(record: &Record) -> Vec<Entry> {
    let mut entries = Vec::new();
    for member in &record.members {
        let title = format!("{} {}", member.title, member.status);
        let word = Some(member.status.to_owned());
        entries.push(Entry { word, ..Entry::new(member.since, "alert", title) });
    }
    for decided in &record.decisions {
        let (delivery, whose) = whose(&decided.cause);
        let mut entry = Entry::new(decided.at, "decision", decided.reason.clone());
        entry.word = Some(decided.state.clone());
        entry.delivery = delivery;
        entry.facts.extend(whose);
        entries.push(entry);
    }
    for action in &record.actions {
        entries.extend(action.attempts.iter().map(|attempt| exchange(action, attempt)));
        if action.attempts.is_empty() {
            entries.push(untried(action));
        }
    }
    if let Some(at_vendor) = &record.at_vendor {
        for comment in &at_vendor.comments {
            // What the vendor gives no time is told last, when it was read.
            let at = comment.at.unwrap_or(at_vendor.checked_at);
            let mut entry = Entry::new(at, "vendor", format!("{} wrote", comment.author));
            entry.detail = Some(comment.text.clone());
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// The delivery that a decision follows from, or what else it was.
fn whose(told: &str) -> (Option<String>, Option<String>) {
    match told {
        cause::TIMER => (None, Some("a time has come".to_owned())),
        cause::ROLLUP => (None, Some("what it stands for has changed".to_owned())),
        cause::OUTCOME => (None, Some("an action has ended".to_owned())),
        cause::VENDOR => (None, Some("the vendor did something".to_owned())),
        told => match told.strip_prefix(cause::PERSON) {
            Some(name) if name.is_empty() || name.starts_with(' ') => (
                None,
                Some(format!("by {}", if name.is_empty() { "a person" } else { name.trim() })),
            ),
            _ => (Some(told.to_owned()), None),
        },
    }
}

/// What an action is called.
fn name(action: &ActionLine) -> String {
    let kind = match action.kind {
        "open" => "open the case",
        "comment" => "comment on the case",
        "attach" => "attach a file",
        "contacts" => "name contacts",
        "recheck" => "look for a second case",
        "close" => "ask for the closure",
        "tell" => "tell",
        other => other,
    };
    match &action.target {
        Some(target) => format!("{kind} {target}"),
        None => kind.to_owned(),
    }
}

fn exchange(action: &ActionLine, attempt: &Exchange) -> Entry {
    let verb = if attempt.phase == "look" { "look whether it was done" } else { "sent" };
    let mut entry = Entry::new(attempt.started_at, "attempt", format!("{}: {verb}", name(action)));
    entry.word = Some(attempt.outcome.clone());
    entry.detail = attempt.message.clone().filter(|message| !message.is_empty());
    entry.facts.extend(attempt.status.map(|status| format!("HTTP {status}")));
    let ended = attempt.finished_at;
    entry.facts.extend(ended.map(|ended| {
        let micros = ended.as_microsecond().saturating_sub(attempt.started_at.as_microsecond());
        took(u64::try_from(micros).unwrap_or(0))
    }));
    entry.facts.extend(attempt.reference.iter().map(|reference| format!("reference {reference}")));
    entry
}

fn untried(action: &ActionLine) -> Entry {
    let mut entry = Entry::new(action.created_at, "attempt", format!("{}: decided", name(action)));
    entry.word = Some(action.state.to_owned());
    entry.detail = action.message.clone().filter(|message| !message.is_empty());
    if action.state == "ready" {
        entry.facts.push(format!("due {}", super::text::whole(action.due_at)));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn action(attempts: Vec<Exchange>) -> ActionLine {
        ActionLine {
            id: "i/1".to_owned(),
            kind: "open",
            target: None,
            state: "ready",
            created_at: at(1),
            due_at: at(60),
            message: None,
            attempts,
        }
    }

    #[test]
    fn an_attempt_tells_status_time_and_the_vendors_name_for_it() {
        let attempt = Exchange {
            number: 1,
            phase: "send".to_owned(),
            outcome: "done".to_owned(),
            status: Some(201),
            reference: Some("r-1".to_owned()),
            started_at: at(1),
            finished_at: Some(at(3)),
            message: Some("<b>".to_owned()),
        };
        let entry = exchange(&action(Vec::new()), &attempt);
        assert_eq!(entry.title, "open the case: sent");
        assert_eq!(entry.facts, ["HTTP 201", "2.0 s", "reference r-1"]);
        assert_eq!((entry.word.as_deref(), entry.detail.as_deref()), (Some("done"), Some("<b>")));
    }

    #[test]
    fn an_action_that_was_not_tried_says_when_it_is() {
        let entry = untried(&action(Vec::new()));
        assert_eq!(entry.facts, ["due 1970-01-01 00:01:00 UTC"]);
    }

    #[test]
    fn a_decision_leads_to_its_delivery_or_names_its_cause() {
        assert_eq!(whose("01a-delivery"), (Some("01a-delivery".to_owned()), None));
        assert_eq!(whose("person ops"), (None, Some("by ops".to_owned())));
        assert_eq!(whose("personal-1"), (Some("personal-1".to_owned()), None));
        assert_eq!(whose(cause::TIMER).0, None);
    }
}
