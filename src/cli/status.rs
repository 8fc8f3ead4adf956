//! `casewright status`: how everything stands.

use std::process::ExitCode;

use serde_json::Value;

use super::print::{Form, Watch};
use super::remote::{Reach, Remote};
use super::words::{field, items, shown, time};
use crate::time::duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let remote = Remote::of(&args.reach)?;
    args.watch.show(args.form, || remote.get(&["api", "v1", "status"]), status).await?;
    Ok(ExitCode::SUCCESS)
}

fn number(of: &Value, pointer: &str) -> u64 {
    of.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn span(seconds: u64) -> String {
    duration::format(std::time::Duration::from_secs(seconds))
}

/// Names with their numbers, without zeros.
fn counts(of: &Value, key: &str) -> String {
    let all = of.get(key).and_then(Value::as_object).into_iter().flatten();
    let some = all.filter(|(_, count)| count.as_u64() != Some(0));
    let some: Vec<String> = some.map(|(name, count)| format!("{count} {}", shown(name))).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

fn part(of: &Value, key: &str) -> Value {
    of.get(key).cloned().unwrap_or_default()
}

fn status(answer: &Value) -> String {
    let (files, store, queue) =
        (part(answer, "files"), part(answer, "store"), part(answer, "queue"));
    let megabytes = |key: &str| match store.get(key).and_then(Value::as_u64) {
        Some(bytes) => format!("{} MiB", bytes / (1024 * 1024)),
        None => "-".to_owned(),
    };
    let works = match store.get("writable").and_then(Value::as_bool) {
        Some(true) => "takes writes".to_owned(),
        _ => format!("takes no writes: {}", field(&store, "trouble")),
    };
    let reload = match files.get("last_reload_successful").and_then(Value::as_bool) {
        Some(true) => "",
        _ => "; what the files say now cannot be used",
    };
    let mut lines = vec![
        format!(
            "casewright {}, up for {}",
            field(answer, "version"),
            span(number(answer, "/uptime_seconds"))
        ),
        format!(
            "files      {}: {} rules, in force since {}{reload}",
            field(&files, "config"),
            field(&files, "rules"),
            time(&files, "in_force_since")
        ),
        format!(
            "store      {} ({}, {} free): {works}",
            field(&store, "path"),
            megabytes("bytes"),
            megabytes("free_bytes")
        ),
        format!("heard      last at {}", time(&store, "last_delivery_at")),
        format!(
            "queue      {} to be done, the oldest due for {}",
            field(&queue, "unfinished"),
            span(number(answer, "/queue/oldest_age_seconds"))
        ),
        format!(
            "people     {} held actions, {} dead letters, {} blocked actions, {} cases on which a vendor waits for us",
            field(&queue, "held"),
            field(&queue, "dead"),
            field(&queue, "blocked"),
            field(answer, "waiting_for_us")
        ),
        format!("incidents  {}", counts(answer, "incidents")),
        format!("held       {}", counts(answer, "held")),
        format!("alarms     {}", counts(answer, "alarms")),
    ];
    for vendor in items(answer, "vendors") {
        let mut line = format!(
            "vendor     {}: {}, {} to be done",
            field(vendor, "name"),
            field(vendor, "state"),
            field(vendor, "unfinished")
        );
        if vendor.get("why").is_some_and(Value::is_string) {
            line.push_str(&format!(" ({})", field(vendor, "why")));
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_told_in_a_line_each() {
        let answer = json!({
            "version": "0.1.0", "uptime_seconds": 3600, "waiting_for_us": 1,
            "files": { "config": "c.yaml", "rules": 6, "in_force_since": "2026-08-01T10:00:00.5Z",
                "last_reload_successful": false },
            "store": { "path": "x.db", "bytes": 3_145_728, "free_bytes": null, "writable": false,
                "trouble": "disk full", "last_delivery_at": null },
            "queue": { "unfinished": 2, "oldest_age_seconds": 90, "held": 0, "dead": 1, "blocked": 2 },
            "incidents": { "open": 3, "held": 1, "closed": 0 }, "held": { "mute": 1 },
            "alarms": {},
            "vendors": [{ "name": "akamai", "state": "paused", "unfinished": 2, "why": "ops: x\u{7}" },
                { "name": "other", "state": "open", "unfinished": 0, "why": null }],
        });
        insta::assert_snapshot!(status(&answer));
    }
}
