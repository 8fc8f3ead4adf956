//! `casewright audit`: who has had what done.

use std::process::ExitCode;

use serde_json::Value;

use super::print::{Form, say};
use super::remote::{Reach, Remote};
use super::words::{field, items, table, time};

/// Shows the newest entries of the record, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what this one had done: the name of a token or of the proxy's user.
    #[arg(long)]
    who: Option<String>,
    /// Only such acts: approve, retry, mute, reload, login and so on.
    #[arg(long)]
    act: Option<String>,
    /// Only acts on this, as the list shows it, such as `incident ID`.
    #[arg(long)]
    object: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Where to go on: the `next` of the answer before.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let limit = args.limit.to_string();
    let wanted = [
        ("limit", Some(limit.as_str())),
        ("who", args.who.as_deref()),
        ("act", args.act.as_deref()),
        ("object", args.object.as_deref()),
        ("cursor", args.cursor.as_deref()),
    ];
    let query: Vec<(&str, &str)> =
        wanted.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let remote = Remote::of(&args.reach)?;
    let answer = remote.ask_for(&["api", "v1", "audit"], &query).await?;
    say(&args.form.render(&answer, list)?);
    Ok(ExitCode::SUCCESS)
}

fn list(answer: &Value) -> String {
    let row = |entry: &Value| {
        let words: Vec<String> = ["detail", "why"]
            .into_iter()
            .map(|key| field(entry, key))
            .filter(|text| text != "-")
            .collect();
        vec![
            time(entry, "at"),
            field(entry, "who"),
            field(entry, "role"),
            field(entry, "from"),
            field(entry, "act"),
            field(entry, "object"),
            field(entry, "outcome"),
            words.join("; "),
        ]
    };
    let rows: Vec<_> = items(answer, "entries").map(row).collect();
    if rows.is_empty() {
        return "nobody had anything done".to_owned();
    }
    let head = ["AT", "WHO", "ROLE", "FROM", "ACT", "ON", "OUTCOME", "MORE"];
    let mut lines = table(&head, &rows);
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        lines.push(format!("there is more: --cursor {}", super::words::shown(next)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_record_tells_who_had_what_done_and_what_came_of_it() {
        let entries = json!([
            { "number": 3, "at": "2026-08-01T10:00:05.5Z", "who": "kim", "role": "operator",
              "means": "session", "from": "192.0.2.7", "act": "mute", "object": "rule edge-5xx",
              "detail": "for 2h: the origin moves", "outcome": "done", "why": "mute m-1" },
            { "number": 2, "at": "2026-08-01T10:00:00Z", "who": null, "role": null,
              "means": null, "from": "192.0.2.9", "act": "login", "object": "console",
              "detail": "", "outcome": "refused", "why": "the token is not one that is accepted" },
        ]);
        insta::assert_snapshot!(list(&json!({ "entries": entries, "next": "2" })), @r#"
        AT                    WHO  ROLE      FROM       ACT    ON             OUTCOME  MORE
        2026-08-01T10:00:05Z  kim  operator  192.0.2.7  mute   rule edge-5xx  done     for 2h: the origin moves; mute m-1
        2026-08-01T10:00:00Z  -    -         192.0.2.9  login  console        refused  the token is not one that is accepted
        there is more: --cursor 2
        "#);
        assert_eq!(list(&json!({ "entries": [], "next": null })), "nobody had anything done");
    }
}
