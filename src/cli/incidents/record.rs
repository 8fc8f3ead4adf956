//! The record of an incident in words: everything that was known, decided, sent and answered.
//!
//! A line is cut where nobody would read on; scripts get all of it.

use serde_json::Value;

use crate::cli::words::{self, field, has, items, pairs, short, shown, time};

/// The state, and what holds it.
pub(super) fn state(incident: &Value) -> String {
    match incident.get("hold").and_then(Value::as_str) {
        Some(hold) => format!("{} ({})", field(incident, "state"), shown(hold)),
        None => field(incident, "state"),
    }
}

/// Who has changed what of a draft.
pub(super) fn edited_by(edited: &Value) -> String {
    let fields: Vec<String> =
        items(edited, "fields").filter_map(Value::as_str).map(shown).collect();
    format!("by {} at {}: {}", field(edited, "by"), time(edited, "at"), fields.join(", "))
}

pub(in crate::cli) fn record(record: &Value) -> String {
    let mut lines = vec![
        format!("incident {}: {}", field(record, "id"), state(record)),
        format!("  alert     {}", field(record, "title")),
        format!("  labels    {}", pairs(record, "labels")),
        format!("  rule      {} ({})", field(record, "rule"), field(record, "rule_place")),
        format!("  identity  {}", pairs(record, "identity")),
        format!("  vendor    {}", field(record, "vendor")),
        format!("  severity  rank {}", field(record, "rank")),
        format!("  case      {}", field(record, "case")),
        format!("  token     {}", field(record, "token")),
        format!(
            "  began     {}, with delivery {}",
            time(record, "created_at"),
            field(record, "delivery")
        ),
    ];
    if has(record, "previous_case") {
        lines.push(format!(
            "  before    case {}; this is generation {}",
            field(record, "previous_case"),
            field(record, "generation")
        ));
    }
    if let Some(why) = record.get("waits").and_then(Value::as_str) {
        lines.push(format!("  waits     {}", short(why)));
    }
    if has(record, "due_at") {
        lines.push(format!("  next look {}", time(record, "due_at")));
    }
    if let Some(edited) = record.get("edited").filter(|edited| !edited.is_null()) {
        lines.push(format!("  edited    {}", edited_by(edited)));
    }
    lines.extend(at_vendor_lines(record));
    lines.push("decisions".to_owned());
    for decided in items(record, "decisions") {
        lines.push(format!(
            "  {}  {}: {}  <- {}",
            time(decided, "at"),
            field(decided, "state"),
            field(decided, "reason"),
            field(decided, "cause")
        ));
    }
    lines.push(format!(
        "alerts: {} firing, {} resolved",
        field(record, "firing"),
        field(record, "resolved")
    ));
    for member in items(record, "members") {
        lines.push(format!(
            "  {}  {}  rank {}  {}",
            time(member, "since"),
            field(member, "status"),
            field(member, "rank"),
            field(member, "title")
        ));
    }
    lines.push("actions".to_owned());
    for action in items(record, "actions") {
        lines.extend(action_lines(action));
    }
    lines.extend(draft_lines(record));
    lines.join("\n")
}

/// What the vendor says of the case.
fn at_vendor_lines(record: &Value) -> Vec<String> {
    let Some(told) = record.get("at_vendor").filter(|told| !told.is_null()) else {
        return Vec::new();
    };
    let turn = match told.get("next_action").and_then(Value::as_str) {
        Some("customer") => "; it waits for us".to_owned(),
        Some("vendor") => "; it is the vendor's turn".to_owned(),
        Some(other) => format!("; next: {}", shown(other)),
        None => String::new(),
    };
    let mut lines = vec![
        format!("at the vendor, as of {}", time(told, "checked_at")),
        format!("  status    {}{turn}", field(told, "status")),
    ];
    if let Some(minutes) = told.get("first_response_minutes").and_then(Value::as_u64) {
        lines.push(format!("  answered  first after {minutes} minutes"));
    }
    for (key, what) in [("resolved_at", "solved"), ("closed_at", "closed")] {
        if has(told, key) {
            lines.push(format!("  {what:<9} {}", time(told, key)));
        }
    }
    for comment in items(told, "comments") {
        let kind = match field(comment, "kind").as_str() {
            "" | "-" => String::new(),
            kind => format!(" ({kind})"),
        };
        lines.push(format!("  {}  {}{kind}:", time(comment, "at"), field(comment, "author")));
        let text = comment.get("text").and_then(Value::as_str).unwrap_or_default();
        lines.extend(
            words::lines(text).map(|line| format!("    {}", short(&line)).trim_end().to_owned()),
        );
    }
    lines
}

fn action_lines(action: &Value) -> Vec<String> {
    let kind = match action.get("target") {
        Some(target) if target.is_string() => {
            format!("{} ({})", field(action, "kind"), field(action, "target"))
        }
        _ => field(action, "kind"),
    };
    let mut lines = vec![format!(
        "  {}  {} {}: {}",
        time(action, "created_at"),
        kind,
        field(action, "state"),
        field(action, "message")
    )];
    for attempt in items(action, "attempts") {
        let mut line = format!(
            "    {}  {}: {}",
            time(attempt, "started_at"),
            field(attempt, "phase"),
            field(attempt, "outcome")
        );
        if has(attempt, "status") {
            line.push_str(&format!(", status {}", field(attempt, "status")));
        }
        if has(attempt, "reference") {
            line.push_str(&format!(", the vendor calls it {}", field(attempt, "reference")));
        }
        lines.push(line);
    }
    lines
}

/// What stands under a key, if anything does.
fn in_words(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().filter_map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(all) => {
            let pair = |(key, value)| Some(format!("{key}={}", in_words(value)?));
            all.iter().filter_map(pair).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A part of a case: its key, and its text line by line, the first with something behind it.
fn part(key: &str, text: &str, behind: &str) -> Vec<String> {
    let mut text = words::lines(text).map(|line| short(&line));
    let first = text.next().unwrap_or_default();
    let first = format!("  {:<14} {first}{behind}", short(key)).trim_end().to_owned();
    let rest = text.map(|line| format!("  {:<14} {line}", "").trim_end().to_owned());
    std::iter::once(first).chain(rest).collect()
}

/// What was sent, or what would be.
fn draft_lines(record: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let sent = record.get("sent").filter(|sent| !sent.is_null());
    if let Some(sent) = sent {
        lines.push("sent to open the case".to_owned());
        for (key, value) in sent.as_object().into_iter().flatten() {
            if let Some(text) = in_words(value) {
                lines.extend(part(key, &text, ""));
            }
        }
    } else if let Some(draft) = record.get("draft").filter(|draft| !draft.is_null()) {
        lines.push("the case as it would be sent now".to_owned());
        if has(draft, "problem") {
            lines.push(format!("  cannot be sent: {}", field(draft, "problem")));
        }
        for one in items(draft, "fields") {
            let value = one.get("value").and_then(Value::as_str).unwrap_or_default();
            let origin = format!("  <- {}", field(one, "origin"));
            lines.extend(part(&field(one, "key"), value, &origin));
        }
        for note in items(draft, "notes") {
            lines.push(format!("  note: {}", short(note.as_str().unwrap_or_default())));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incident() -> Value {
        json!({
            "id": "9f3a1c7be2d0", "rule": "edge-5xx", "title": "High\u{7}", "state": "held",
            "hold": "budget", "rank": 1, "case": null, "previous_case": "F-1", "vendor": "akamai",
            "token": "[cw-9f3a1c7be2d0]", "identity": { "property": "shop" }, "firing": 2,
            "resolved": 1, "created_at": "2026-08-01T10:00:00.5Z", "due_at": null,
            "generation": 2, "rule_place": "rules.yaml:2", "delivery": "d-1",
            "labels": { "alertname": "High" },
            "members": [{ "title": "High", "status": "firing", "rank": 1,
                "since": "2026-08-01T10:00:00Z" }],
            "decisions": [{ "at": "2026-08-01T10:00:00Z", "cause": "d-1", "state": "held",
                "reason": "held (budget): 3 of 3 cases in 1h used by rule edge-5xx" }],
            "actions": [{ "kind": "open", "state": "done", "created_at": "2026-08-01T10:00:00Z",
                "message": "created", "attempts": [{ "phase": "send", "outcome": "done",
                "status": 201, "reference": "r-1", "started_at": "2026-08-01T10:00:01Z" }] }],
            "draft": { "problem": null, "notes": ["cut"], "fields": [
                { "key": "subject", "origin": "template", "value": "one\ntwo" }] },
            "sent": null,
        })
    }

    #[test]
    fn a_record_tells_everything_in_order() {
        insta::assert_snapshot!(record(&incident()), @r#"
        incident 9f3a1c7be2d0: held (budget)
          alert     High\u{7}
          labels    alertname=High
          rule      edge-5xx (rules.yaml:2)
          identity  property=shop
          vendor    akamai
          severity  rank 1
          case      -
          token     [cw-9f3a1c7be2d0]
          began     2026-08-01T10:00:00Z, with delivery d-1
          before    case F-1; this is generation 2
        decisions
          2026-08-01T10:00:00Z  held: held (budget): 3 of 3 cases in 1h used by rule edge-5xx  <- d-1
        alerts: 2 firing, 1 resolved
          2026-08-01T10:00:00Z  firing  rank 1  High
        actions
          2026-08-01T10:00:00Z  open done: created
            2026-08-01T10:00:01Z  send: done, status 201, the vendor calls it r-1
        the case as it would be sent now
          subject        one  <- template
                         two
          note: cut
        "#);
    }

    #[test]
    fn what_the_vendor_says_is_told_where_it_is_known() {
        let told = json!({ "at_vendor": {
            "case": "F-1", "status": "in_progress", "next_action": "customer",
            "waits_for_us": true, "first_response_minutes": 12, "resolved_at": null,
            "closed_at": "2026-08-01T12:00:00Z", "checked_at": "2026-08-01T12:05:00.1Z",
            "comments": [
                { "id": "F-CC-1", "author": "Support", "at": "2026-08-01T10:12:00Z",
                  "kind": "EMAIL", "text": "Which property?\n\nPlease\u{1b}[31m tell." },
                { "id": "F-CC-2", "author": "", "at": null, "kind": "", "text": "" },
            ],
        } });
        insta::assert_snapshot!(at_vendor_lines(&told).join("\n"), @r#"
        at the vendor, as of 2026-08-01T12:05:00Z
          status    in_progress; it waits for us
          answered  first after 12 minutes
          closed    2026-08-01T12:00:00Z
          2026-08-01T10:12:00Z  Support (EMAIL):
            Which property?

            Please\u{1b}[31m tell.
          -  -:
        "#);
        for silent in [json!({}), json!({ "at_vendor": null })] {
            assert!(at_vendor_lines(&silent).is_empty());
        }
        let odd = json!({ "at_vendor": { "status": null, "next_action": "SOMEBODY" } });
        insta::assert_snapshot!(at_vendor_lines(&odd).join("\n"), @r#"
        at the vendor, as of -
          status    -; next: SOMEBODY
        "#);
    }

    #[test]
    fn what_was_sent_is_told_line_by_line() {
        let mut sent = incident();
        sent["sent"] = json!({ "subject": "shop is down", "description": "It burns.\n\nIn Oslo.",
            "choices": { "product": "Ion", "area": null, "problem": "Alerts" }, "also_notify": [],
            "alternate_contact": null, "severity": "1-Major Impact" });
        insta::assert_snapshot!(draft_lines(&sent).join("\n"), @r#"
        sent to open the case
          choices        problem=Alerts, product=Ion
          description    It burns.

                         In Oslo.
          severity       1-Major Impact
          subject        shop is down
        "#);
    }

    #[test]
    fn a_label_without_end_is_cut_and_says_so() {
        let mut long = incident();
        long["labels"]["alertname"] = "x".repeat(10_000).into();
        long["title"] = "y".repeat(10_000).into();
        long["draft"]["fields"][0]["value"] = "z".repeat(10_000).into();
        let told = record(&long);
        assert!(told.len() < 3_000 && told.matches('…').count() == 3, "{}: {told}", told.len());
    }
}
