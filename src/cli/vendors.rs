//! `casewright vendors`: how the vendors stand, and having one probed at once.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::print::{Form, say};
use super::remote::{Reach, Remote};
use super::words::{field, table, time};

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
    /// Show the vendors: whether each is open, and if not, why and until when.
    List(List),
    /// Have one left alone for some time. What is to be done there waits, and goes on by itself.
    Pause {
        /// The vendor, as `list` shows it.
        name: String,
        /// For how long, such as 2h; a day at most.
        #[arg(long = "for", value_name = "DURATION")]
        lasts: String,
        /// Why, for whoever wonders later.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Have one probed at once that is left alone, because its trouble may be over; or end its pause.
    Resume {
        /// The vendor, as `list` shows it.
        name: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// How the list is shown.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command.unwrap_or(What::List(args.list)) {
        What::List(List { reach, form }) => {
            let answer = Remote::of(&reach)?.get(&["api", "v1", "vendors"]).await?;
            let text = form.render(&answer, list)?;
            say(&text);
        }
        What::Pause { name, lasts, reason, reach, form } => {
            let query = [("for", lasts.as_str()), ("reason", reason.as_str())];
            let path = ["api", "v1", "vendors", &name, "pause"];
            let answer = Remote::of(&reach)?.post(&path, &query).await?;
            let text = form.render(&answer, |answer| {
                let name = field(answer, "name");
                format!(
                    "vendor {name} is left alone until {}; `casewright vendors resume {name}` ends that earlier",
                    time(answer, "paused_until")
                )
            })?;
            say(&text);
        }
        What::Resume { name, reach, form } => {
            let path = ["api", "v1", "vendors", &name, "resume"];
            let answer = Remote::of(&reach)?.post(&path, &[]).await?;
            let text = form.render(&answer, resumed)?;
            say(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(answer: &Value) -> String {
    let vendors = answer.get("vendors").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |vendor: &Value| {
        vec![
            field(vendor, "name"),
            field(vendor, "state"),
            time(vendor, "since"),
            time(vendor, "next_probe"),
            time(vendor, "paused_until"),
            field(vendor, "unfinished"),
            time(vendor, "catalog_read_at"),
        ]
    };
    let head =
        ["VENDOR", "STATE", "SINCE", "NEXT PROBE", "PAUSED UNTIL", "UNFINISHED", "CATALOG OF"];
    let rows: Vec<_> = vendors.iter().map(row).collect();
    let mut table = table(&head, &rows).into_iter();
    let mut lines: Vec<String> = table.next().into_iter().collect();
    for (line, vendor) in table.zip(&vendors) {
        lines.push(line);
        let why = field(vendor, "why");
        if why != "-" {
            lines.push(format!("    why: {why}"));
        }
    }
    lines.join("\n")
}

fn resumed(answer: &Value) -> String {
    let vendor = answer.get("vendor").cloned().unwrap_or_default();
    let name = field(&vendor, "name");
    if answer.get("resumed").and_then(Value::as_bool) == Some(true) {
        return format!("vendor {name} is probed at once; if it works, all that waits goes on");
    }
    match vendor.get("state").and_then(Value::as_str) {
        Some("paused") => format!(
            "nothing to resume: vendor {name} itself asked to be left alone until {}",
            time(&vendor, "paused_until")
        ),
        _ => format!("nothing to resume: vendor {name} is not left alone"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_tells_who_is_left_alone_and_why() {
        let vendors = json!([
            { "name": "akamai", "state": "denied", "since": "2026-08-01T10:00:00Z",
              "next_probe": "2026-08-01T10:01:00Z", "paused_until": null, "unfinished": 12,
              "catalog_read_at": "2026-08-01T06:00:00Z",
              "why": "who are you?" },
            { "name": "other", "state": "open", "since": null, "next_probe": null,
              "paused_until": null, "unfinished": 0, "why": null },
        ]);
        insta::assert_snapshot!(list(&json!({ "vendors": vendors })), @r#"
        VENDOR  STATE   SINCE                 NEXT PROBE            PAUSED UNTIL  UNFINISHED  CATALOG OF
        akamai  denied  2026-08-01T10:00:00Z  2026-08-01T10:01:00Z  -             12          2026-08-01T06:00:00Z
            why: who are you?
        other   open    -                     -                     -             0           -
        "#);
    }

    #[test]
    fn what_was_resumed_and_what_was_not_is_told() {
        let open = json!({ "resumed": false, "vendor": { "name": "v", "state": "open" } });
        assert_eq!(resumed(&open), "nothing to resume: vendor v is not left alone");
        let paused = json!({
            "resumed": false,
            "vendor": { "name": "v", "state": "paused", "paused_until": "2026-08-01T10:01:00Z" },
        });
        assert!(resumed(&paused).ends_with("left alone until 2026-08-01T10:01:00Z"));
        let denied = json!({ "resumed": true, "vendor": { "name": "v", "state": "denied" } });
        assert!(resumed(&denied).starts_with("vendor v is probed at once"));
    }
}
