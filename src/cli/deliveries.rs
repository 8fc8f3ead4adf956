//! `casewright deliveries`: what senders have posted, and having it taken in once more.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::filters::Asked;
use super::print::{Form, Watch, say};
use super::remote::{Reach, Remote};
use super::words::{self, field, items, shown, table, time};

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
    /// Show deliveries, the newest first.
    List(List),
    /// Show one, with what was posted.
    Show {
        /// The delivery, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Have one taken in once more, as if it came now. It may open cases: `casewright explain
    /// --delivery` tells beforehand.
    Replay {
        /// The delivery, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// Which deliveries a list shows.
#[derive(Debug, clap::Args)]
struct List {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only those of which this became, such as `unmatched` or `unusable`.
    #[arg(long)]
    fate: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 50)]
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
        What::List(List { source, fate, limit, watch, reach, form }) => {
            let asked = Asked::of("deliveries", limit)
                .with("source", source.as_deref())
                .with("fate", fate.as_deref());
            asked.show(&Remote::of(&reach)?, watch, form, list).await?;
        }
        What::Show { id, reach, form } => {
            let answer = Remote::of(&reach)?.get(&["api", "v1", "deliveries", &id]).await?;
            say(&form.render(&answer, delivery)?);
        }
        What::Replay { id, reach, form } => {
            let path = ["api", "v1", "deliveries", &id, "replay"];
            let answer = Remote::of(&reach)?.post(&path, &[]).await?;
            say(&form.render(&answer, replayed)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(answer: &Value) -> String {
    let row = |delivery: &Value| {
        vec![
            field(delivery, "id"),
            time(delivery, "received_at"),
            field(delivery, "source"),
            field(delivery, "fate"),
            field(delivery, "alerts"),
            field(delivery, "note"),
        ]
    };
    let rows: Vec<_> = items(answer, "deliveries").map(row).collect();
    if rows.is_empty() {
        return "there is no such delivery".to_owned();
    }
    let mut lines = table(&["DELIVERY", "AT", "SOURCE", "FATE", "ALERTS", "NOTE"], &rows);
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There may be more than these; the newest come first.".to_owned());
    }
    lines.join("\n")
}

fn verdicts(answer: &Value) -> Vec<String> {
    words::verdicts(items(answer, "verdicts"), |verdict, alert| {
        let incident = match verdict.get("incident").and_then(Value::as_str) {
            Some(incident) => format!(", incident {}", shown(incident)),
            None => String::new(),
        };
        format!(
            "  {alert}, rule {}{incident}: {}",
            field(verdict, "rule"),
            field(verdict, "effect")
        )
    })
}

fn delivery(answer: &Value) -> String {
    let mut lines = vec![format!(
        "delivery {} of {} at {}: {}",
        field(answer, "id"),
        field(answer, "source"),
        time(answer, "received_at"),
        field(answer, "fate")
    )];
    if answer.get("note").is_some_and(Value::is_string) {
        lines.push(format!("  note: {}", field(answer, "note")));
    }
    lines.extend(verdicts(answer));
    let body = match (answer.get("body"), answer.get("body_text").and_then(Value::as_str)) {
        (_, Some(text)) => text.to_owned(),
        (Some(body), None) if !body.is_null() => {
            serde_json::to_string_pretty(body).unwrap_or_default()
        }
        _ => {
            lines.push("its body was not kept: it told nothing new".to_owned());
            return lines.join("\n");
        }
    };
    lines.push("what was posted".to_owned());
    lines.extend(words::lines(&body).map(|line| format!("  {line}")));
    lines.join("\n")
}

fn replayed(answer: &Value) -> String {
    let head = format!(
        "delivery {} was taken in once more, as {}: {}",
        field(answer, "replay_of"),
        field(answer, "delivery"),
        field(answer, "fate")
    );
    [vec![head], verdicts(answer)].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({ "id": "d-1", "source": "am", "received_at": "2026-08-01T10:00:00.5Z",
            "fate": "accepted", "alerts": 1, "note": null,
            "verdicts": [{ "alert": "High\u{7}", "status": "firing", "rule": "edge",
                "incident": "0123", "effect": "begins" }],
            "body": { "a": "\u{1b}[31m" }, "body_text": null })
    }

    #[test]
    fn a_delivery_is_told_with_what_became_of_each_alert() {
        insta::assert_snapshot!(delivery(&answer()));
        let mut bare = answer();
        bare["body"] = Value::Null;
        assert!(delivery(&bare).ends_with("its body was not kept: it told nothing new"));
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        insta::assert_snapshot!(list(&json!({ "deliveries": [answer()], "next": null })));
    }

    #[test]
    fn what_became_of_a_replay_is_told() {
        let mut told = answer();
        told["replay_of"] = "d-1".into();
        told["delivery"] = "d-2".into();
        insta::assert_snapshot!(replayed(&told));
    }
}
