//! `casewright cases`: the cases that were opened, and what the vendors do with them.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::print::{Form, Watch};
use super::remote::{Reach, Remote};
use super::words::{field, table, time};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show cases, those of the newest incidents first.
    List {
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
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let What::List { vendor, rule, status, waits_for_us, open, limit, watch, reach, form } =
        args.command;
    let mut query = Vec::new();
    query.extend(vendor.as_deref().map(|vendor| ("vendor", vendor)));
    query.extend(rule.as_deref().map(|rule| ("rule", rule)));
    query.extend(status.as_deref().map(|status| ("status", status)));
    query.extend(waits_for_us.then_some(("waits_for_us", "true")));
    query.extend(open.then_some(("open", "true")));
    let remote = Remote::of(&reach)?;
    watch.show(form, || remote.list("cases", &query, limit), list).await?;
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
    let rows: Vec<_> =
        answer.get("cases").and_then(Value::as_array).into_iter().flatten().map(row).collect();
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
