//! `casewright mutes`: no cases for some time.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::print::{Form, say};
use super::remote::{Reach, Remote};
use super::words::{field, items, table, time};

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
    /// Show the mutes that count now; those that files make are not among them.
    List(List),
    /// Open no cases for some time. What still fires then gets its case.
    Add {
        /// For how long, such as 2h.
        #[arg(long = "for", value_name = "DURATION")]
        lasts: String,
        /// Why, for whoever wonders later.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// End one before its time.
    Lift {
        /// The mute, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// What is muted. Nobody mutes everything by leaving something out.
#[derive(Debug, clap::Args)]
#[group(required = true)]
struct Of {
    /// Only cases of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Cases of all rules.
    #[arg(long, conflicts_with = "rule")]
    all: bool,
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
    let (form, answer, text): (_, _, fn(&Value) -> String) = match args
        .command
        .unwrap_or(What::List(args.list))
    {
        What::List(List { reach, form }) => {
            (form, Remote::of(&reach)?.get(&["api", "v1", "mutes"]).await?, list)
        }
        What::Add { lasts, reason, of, reach, form } => {
            let mut query = vec![("for", lasts.as_str()), ("reason", reason.as_str())];
            query.push(of.rule.as_deref().map_or(("all", "true"), |rule| ("rule", rule)));
            (form, Remote::of(&reach)?.post(&["api", "v1", "mutes"], &query).await?, added)
        }
        What::Lift { id, reach, form } => {
            let path = ["api", "v1", "mutes", &id, "lift"];
            (form, Remote::of(&reach)?.post(&path, &[]).await?, |answer| {
                format!("lifted {}: what still fires gets its case now", field(answer, "lifted"))
            })
        }
    };
    say(&form.render(&answer, text)?);
    Ok(ExitCode::SUCCESS)
}

fn what(mute: &Value) -> String {
    match field(mute, "rule").as_str() {
        "-" => "everything".to_owned(),
        rule => format!("rule {rule}"),
    }
}

fn list(answer: &Value) -> String {
    let row = |mute: &Value| {
        vec![
            field(mute, "id"),
            what(mute),
            time(mute, "until"),
            field(mute, "made_by"),
            field(mute, "reason"),
        ]
    };
    let rows: Vec<_> = items(answer, "mutes").map(row).collect();
    if rows.is_empty() {
        return "nothing is muted but by the files".to_owned();
    }
    table(&["MUTE", "OF", "UNTIL", "BY", "REASON"], &rows).join("\n")
}

fn added(mute: &Value) -> String {
    format!(
        "muted: {} until {} (`casewright mutes lift {}` ends it earlier)",
        what(mute),
        time(mute, "until"),
        field(mute, "id")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mutes_are_told_with_their_ends_and_reasons() {
        let one = json!({ "id": "m-1", "rule": null, "until": "2026-08-01T10:00:00.5Z",
            "made_by": "ops", "reason": "the origin moves" });
        let other = json!({ "id": "m-2", "rule": "edge-5xx", "until": "2026-08-01T12:00:00Z",
            "made_by": "local", "reason": "known" });
        insta::assert_snapshot!(list(&json!({ "mutes": [one, other] })), @r#"
        MUTE  OF             UNTIL                 BY     REASON
        m-1   everything     2026-08-01T10:00:00Z  ops    the origin moves
        m-2   rule edge-5xx  2026-08-01T12:00:00Z  local  known
        "#);
        insta::assert_snapshot!(added(&other), @"muted: rule edge-5xx until 2026-08-01T12:00:00Z (`casewright mutes lift m-2` ends it earlier)");
        assert_eq!(list(&json!({ "mutes": [] })), "nothing is muted but by the files");
    }
}
