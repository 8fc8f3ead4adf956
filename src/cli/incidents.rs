//! `casewright incidents`: how incidents stand, and a person's word on those that wait.

mod draft;
mod record;

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use self::draft::{Change, Consent};
pub(super) use self::record::record;
use self::record::state;
use super::filters::Asked;
use super::print::{Form, Watch, say};
use super::remote::{Reach, Remote};
use super::words::{field, items, table, time};
use crate::clock::{Clock as _, SystemClock};
use crate::time::{duration, earlier};

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
    /// Show the newest incidents.
    List(List),
    /// Show all that there is to tell of one.
    Show {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Show the case of one as it would be sent now, with its entity tag.
    Draft {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Change the draft of one that is held or pending. What was changed before stays changed.
    Edit {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        change: Box<Change>,
        /// Only if the draft is as it was seen: its entity tag, as `draft` shows it.
        #[arg(long = "if-match", value_name = "TAG")]
        seen: Option<String>,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Open the case of one that is held or pending, whatever holds it. Its draft is shown before, and you
    /// are asked.
    Approve {
        /// The incident, as `list` shows it.
        id: String,
        /// Do not ask: open the case as its draft is now.
        #[arg(long, short)]
        yes: bool,
        /// Do not ask: open the case if its draft is as it was seen, by its entity tag, as `draft` shows it.
        #[arg(long = "if-match", value_name = "TAG", conflicts_with = "yes")]
        seen: Option<String>,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Open no case for one that is held or pending, as long as it fires.
    Reject {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

/// Which incidents a list shows.
#[derive(Debug, clap::Args)]
struct List {
    /// Only those in this state, such as `held` or `open`.
    #[arg(long)]
    state: Option<String>,
    /// Only those of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Only those whose first alert has this label; may be given several times.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Only those whose first alert has this in its name.
    #[arg(long)]
    title: Option<String>,
    /// Only those whose case is, or would be, there.
    #[arg(long)]
    vendor: Option<String>,
    /// Only those that began in the last so long, such as 2h.
    #[arg(long, value_name = "DURATION")]
    last: Option<String>,
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
            state,
            rule,
            labels,
            title,
            vendor,
            last,
            limit,
            watch,
            reach,
            form,
        }) => {
            let since = last.as_deref().map(since).transpose()?;
            let mut asked = Asked::of("incidents", limit)
                .with("state", state.as_deref())
                .with("rule", rule.as_deref())
                .with("title", title.as_deref())
                .with("vendor", vendor.as_deref())
                .with("since", since.as_deref());
            for label in &labels {
                asked = asked.with("label", label.as_str());
            }
            asked.show(&Remote::of(&reach)?, watch, form, list).await?;
        }
        What::Show { id, reach, form } => {
            let answer = Remote::of(&reach)?.get(&["api", "v1", "incidents", &id]).await?;
            say(&form.render(&answer, record)?);
        }
        What::Draft { id, reach, form } => draft::show(&id, &reach, form).await?,
        What::Edit { id, change, seen, reach, form } => {
            draft::edit(&id, &change, seen.as_deref(), &reach, form).await?;
        }
        What::Approve { id, yes, seen, reach, form } => {
            let consent = match (seen, yes) {
                (Some(tag), _) => Consent::To(tag),
                (None, true) => Consent::Given,
                (None, false) => Consent::Asked,
            };
            return draft::approve(&id, consent, &reach, form).await;
        }
        What::Reject { id, reach, form } => {
            let remote = Remote::of(&reach)?;
            let id = remote.incident(&id).await?;
            let answer = remote.post(&["api", "v1", "incidents", &id, "reject"], &[]).await?;
            let text = form.render(&answer, |answer| {
                format!(
                    "rejected: incident {} gets no case, unless it ends and comes back",
                    field(answer, "id")
                )
            })?;
            say(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// So long ago, as a time.
fn since(last: &str) -> anyhow::Result<String> {
    let last = duration::parse(last).map_err(|why| anyhow::anyhow!("--last: {why}"))?;
    Ok(earlier(SystemClock.now(), last).to_string())
}

fn list(answer: &Value) -> String {
    let row = |incident: &Value| {
        vec![
            field(incident, "id"),
            state(incident),
            field(incident, "rank"),
            field(incident, "rule"),
            time(incident, "created_at"),
            field(incident, "case"),
            field(incident, "title"),
        ]
    };
    let rows: Vec<_> = items(answer, "incidents").map(row).collect();
    if rows.is_empty() {
        return "there is no such incident".to_owned();
    }
    let head = ["INCIDENT", "STATE", "RANK", "RULE", "SINCE", "CASE", "ALERT"];
    let mut lines = table(&head, &rows);
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There are more than these; the newest come first.".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_has_a_line_for_each() {
        let incident = json!({ "id": "9f3a1c7be2d0", "state": "held", "hold": "budget", "rank": 1,
            "rule": "edge-5xx", "created_at": "2026-08-01T10:00:00.5Z", "case": null,
            "title": "High\u{202e}" });
        insta::assert_snapshot!(list(&json!({ "incidents": [incident], "next": "c" })), @r#"
        INCIDENT      STATE          RANK  RULE      SINCE                 CASE  ALERT
        9f3a1c7be2d0  held (budget)  1     edge-5xx  2026-08-01T10:00:00Z  -     High\u{202e}
        There are more than these; the newest come first.
        "#);
    }
}
