//! `casewright cases`: the cases that were opened, and what the vendors do with them.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::filters::Asked;
use super::incidents;
use super::print::{Form, Watch, say};
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
    /// Show cases, those of the newest incidents first.
    List(List),
    /// Show all that there is to tell of one and of its incident.
    Show {
        /// The number of the case; or its incident, by its id or the beginning of that.
        case: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// Which cases a list shows.
#[derive(Debug, clap::Args)]
struct List {
    /// Only of this vendor.
    #[arg(long)]
    vendor: Option<String>,
    /// Only of incidents of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Only with this status at the vendor, such as `in_progress`.
    #[arg(long)]
    status: Option<String>,
    /// Only those on which the vendor waits for us.
    #[arg(long)]
    waits_for_us: bool,
    /// Only those that are open at the vendor, as far as is known.
    #[arg(long)]
    open: bool,
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
        What::List(List {
            vendor,
            rule,
            status,
            waits_for_us,
            open,
            limit,
            watch,
            reach,
            form,
        }) => {
            let asked = Asked::of("cases", limit)
                .with("vendor", vendor.as_deref())
                .with("rule", rule.as_deref())
                .with("status", status.as_deref())
                .with("waits_for_us", waits_for_us.then_some("true"))
                .with("open", open.then_some("true"));
            asked.show(&Remote::of(&reach)?, watch, form, list).await?;
        }
        What::Show { case, reach, form } => {
            let answer = Remote::of(&reach)?.get(&["api", "v1", "cases", &case]).await?;
            say(&form.render(&answer, incidents::record)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(answer: &Value) -> String {
    let row = |case: &Value| {
        let turn = match case.get("waits_for_us").and_then(Value::as_bool) {
            Some(true) => "us".to_owned(),
            _ => field(case, "next_action"),
        };
        vec![
            field(case, "case"),
            field(case, "vendor"),
            field(case, "status"),
            turn,
            field(case, "incident_state"),
            time(case, "created_at"),
            field(case, "rule"),
            field(case, "incident"),
            field(case, "title"),
        ]
    };
    let rows: Vec<_> = items(answer, "cases").map(row).collect();
    if rows.is_empty() {
        return "there is no such case".to_owned();
    }
    let head =
        ["CASE", "VENDOR", "STATUS", "TURN", "INCIDENT IS", "SINCE", "RULE", "INCIDENT", "ALERT"];
    let mut lines = table(&head, &rows);
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There may be more than these; the newest come first.".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_tells_whose_turn_it_is() {
        let case = json!({ "case": "F-1", "vendor": "akamai", "status": "in_progress",
            "next_action": "customer", "waits_for_us": true, "incident_state": "open",
            "created_at": "2026-08-01T10:00:00Z", "rule": "edge", "incident": "0123",
            "title": "High" });
        let other = json!({ "case": "F-2", "vendor": "akamai", "status": null,
            "next_action": null, "waits_for_us": false, "incident_state": "closed",
            "created_at": "2026-08-01T09:00:00Z", "rule": "edge", "incident": "0124",
            "title": "High" });
        let answer = json!({ "cases": [case, other], "next": "x" });
        insta::assert_snapshot!(list(&answer));
        assert_eq!(list(&json!({ "cases": [], "next": null })), "there is no such case");
    }
}
