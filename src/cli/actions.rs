//! `casewright actions`: what waits for a person, and having it tried again.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::Value;

use super::filters::Asked;
use super::print::{Form, Watch, say};
use super::remote::{Reach, Remote};
use super::words::{field, items, pairs, shown, table, time};
use crate::store::BLOCKED;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the actions that wait for a person: held ones, dead letters and blocked ones; or others.
    List(List),
    /// Show one, with every attempt.
    Show {
        /// The action, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Have one tried again: the vendor's records are read, and what is not there is sent.
    Retry {
        /// The action, as `list` shows it.
        id: String,
        /// Send it without reading the vendor's records. Only if you have made sure at the vendor
        /// that it was not done: else it is done twice.
        #[arg(long)]
        send: bool,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// Which actions a list shows.
#[derive(Debug, clap::Args)]
struct List {
    /// Others than those that wait for a person: `any`, `ready`, `leased`, `blocked`, `held`, `dead`, `done`.
    #[arg(long)]
    state: Option<String>,
    /// Only of this kind, such as `open` or `tell`.
    #[arg(long)]
    kind: Option<String>,
    /// Only those that are done there.
    #[arg(long)]
    vendor: Option<String>,
    /// Only of this incident.
    #[arg(long)]
    incident: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command.unwrap_or(What::List(args.list)) {
        What::List(List { state, kind, vendor, incident, limit, watch, reach, form }) => {
            let remote = Remote::of(&reach)?;
            let incident = match incident {
                Some(name) => Some(remote.incident(&name).await?),
                None => None,
            };
            let asked = Asked::of("actions", limit)
                .with("state", state.as_deref())
                .with("kind", kind.as_deref())
                .with("vendor", vendor.as_deref())
                .with("incident", incident.as_deref());
            let waiting = state.as_deref().is_none_or(|state| state == "waiting");
            let text = |answer: &Value| if waiting { list(answer) } else { all(answer) };
            asked.show(&remote, watch, form, text).await?;
        }
        What::Show { id, reach, form } => {
            let (incident, seq) = parts(&id)?;
            let remote = Remote::of(&reach)?;
            let incident = remote.incident(incident).await?;
            let answer = remote.get(&["api", "v1", "actions", &incident, seq]).await?;
            say(&form.render(&answer, action)?);
        }
        What::Retry { id, send, reach, form } => {
            let (incident, seq) = parts(&id)?;
            let how = [("how", if send { "send" } else { "look" })];
            let remote = Remote::of(&reach)?;
            let incident = remote.incident(incident).await?;
            let path = ["api", "v1", "actions", &incident, seq, "retry"];
            let answer = remote.post(&path, &how).await?;
            let text = form.render(&answer, retried)?;
            say(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn parts(id: &str) -> anyhow::Result<(&str, &str)> {
    let Some(parts) = id.split_once('/') else {
        bail!(
            "`{}` is no action: its id is INCIDENT/NUMBER, as `casewright actions list` shows it",
            shown(id)
        );
    };
    Ok(parts)
}

/// Actions that wait for nobody in particular.
fn all(answer: &Value) -> String {
    let row = |action: &Value| {
        vec![
            field(action, "id"),
            field(action, "state"),
            field(action, "kind"),
            field(action, "vendor"),
            time(action, "created_at"),
            field(action, "attempts"),
            field(action, "case"),
            field(action, "why"),
        ]
    };
    let rows: Vec<_> = items(answer, "actions").map(row).collect();
    if rows.is_empty() {
        return "there is no such action".to_owned();
    }
    let head = ["ACTION", "STATE", "KIND", "VENDOR", "SINCE", "TRIED", "CASE", "LAST WORD"];
    let mut lines = table(&head, &rows);
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There may be more than these; the newest come first.".to_owned());
    }
    lines.join("\n")
}

fn action(action: &Value) -> String {
    let mut lines = vec![
        format!(
            "action {}: {} at {}, {}; next: {}, due {}",
            field(action, "id"),
            field(action, "kind"),
            field(action, "vendor"),
            field(action, "state"),
            field(action, "next"),
            time(action, "due_at")
        ),
        format!("  rule {}, case {}", field(action, "rule"), field(action, "case")),
    ];
    for exchange in items(action, "exchanges") {
        lines.push(format!(
            "  {}  {} {}: {}, status {}, the vendor calls it {}: {}",
            time(exchange, "started_at"),
            field(exchange, "phase"),
            field(exchange, "number"),
            field(exchange, "outcome"),
            field(exchange, "status"),
            field(exchange, "reference"),
            field(exchange, "message")
        ));
    }
    lines.join("\n")
}

fn list(answer: &Value) -> String {
    let actions = answer.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
    if actions.is_empty() {
        return "nothing waits for a person".to_owned();
    }
    let row = |action: &Value| {
        vec![
            field(action, "id"),
            field(action, "state"),
            field(action, "kind"),
            field(action, "vendor"),
            time(action, "since"),
            field(action, "rule"),
            field(action, "case"),
        ]
    };
    let head = ["ACTION", "STATE", "KIND", "VENDOR", "SINCE", "RULE", "CASE"];
    let rows: Vec<_> = actions.iter().map(row).collect();
    let mut table = table(&head, &rows).into_iter();
    let mut lines: Vec<String> = table.next().into_iter().collect();
    for (line, action) in table.zip(&actions) {
        lines.push(line);
        lines.push(format!("    alert: {}", pairs(action, "labels")));
        lines.push(format!("    in the case's subject: {}", field(action, "token")));
        if action.get("target").is_some_and(Value::is_string) {
            lines.push(format!("    tells: {}", field(action, "target")));
        }
        lines.push(format!("    why: {}", field(action, "why")));
        if let Some(reference) = action.pointer("/last_attempt/reference").and_then(Value::as_str) {
            lines.push(format!("    the vendor calls the exchange {}", shown(reference)));
        }
    }
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There are more than these; the longest waiting come first.".to_owned());
    }
    lines.push(String::new());
    if actions.iter().any(|action| field(action, "state") == BLOCKED) {
        lines.push(
            "blocked: mend what it is made of and have it read (`casewright reload`, `casewright catalog sync`); it is then tried by itself"
                .to_owned(),
        );
    }
    lines.push(
        "casewright actions retry ACTION         reads the vendor's records, and sends what is not there"
            .to_owned(),
    );
    lines.push(
        "casewright actions retry ACTION --send  sends it; only if you have seen that it was not done"
            .to_owned(),
    );
    lines.join("\n")
}

fn retried(answer: &Value) -> String {
    let next = match answer.get("next").and_then(Value::as_str) {
        Some("look") => "the vendor's records are read first",
        _ => "it is made ready and sent",
    };
    let mut text = format!("action {} is tried again: {next}", field(answer, "id"));
    if answer.get("vendor_resumed").and_then(Value::as_bool) == Some(true) {
        text.push_str("; the vendor, which did not accept who we are, is probed for that");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_tells_what_a_person_needs_to_decide() {
        let action = json!({
            "id": "0123/1", "state": "held", "kind": "open", "vendor": "akamai",
            "since": "2026-08-01T10:00:00.5Z", "rule": "edge-5xx", "case": null,
            "labels": { "alertname": "A\u{7}", "property": "shop" }, "token": "[cw-0123]",
            "why": "not found", "last_attempt": { "reference": "ref-1" },
        });
        insta::assert_snapshot!(list(&json!({ "actions": [action], "next": "c" })), @r#"
        ACTION  STATE  KIND  VENDOR  SINCE                 RULE      CASE
        0123/1  held   open  akamai  2026-08-01T10:00:00Z  edge-5xx  -
            alert: alertname=A\u{7} property=shop
            in the case's subject: [cw-0123]
            why: not found
            the vendor calls the exchange ref-1
        There are more than these; the longest waiting come first.

        casewright actions retry ACTION         reads the vendor's records, and sends what is not there
        casewright actions retry ACTION --send  sends it; only if you have seen that it was not done
        "#);
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(list(&json!({ "actions": [], "next": null })), "nothing waits for a person");
    }

    #[test]
    fn what_happens_next_is_told() {
        let look = json!({ "id": "0123/1", "next": "look", "vendor_resumed": false });
        assert_eq!(
            retried(&look),
            "action 0123/1 is tried again: the vendor's records are read first"
        );
        let send = json!({ "id": "0123/1", "next": "send", "vendor_resumed": true });
        assert_eq!(
            retried(&send),
            "action 0123/1 is tried again: it is made ready and sent; the vendor, which did not accept who we \
             are, is probed for that"
        );
    }
}
