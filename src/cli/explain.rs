//! `casewright explain`: what a payload would do, and why, without doing it.

mod change;
mod compared;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use self::change::Change;
use super::print::{Form, say, tell_wrong};
use super::remote::{Reach, Remote};
use super::words::{self, LONGEST, field, has, items, short, shown};
use super::{Misused, catalog};
use crate::clock::{Clock as _, SystemClock};
use crate::config::diagnostic::counted;
use crate::config::{is_rule_test, process_env};
use crate::daemon;
use crate::domain::ids::DeliveryId;
use crate::domain::text::beginning;
use crate::explain::{Explanation, explain};
use crate::replay::Replay;
use crate::setup::{self, Setup};
use crate::sources::{Received, Source, Sources, read_back};
use crate::store::DeliveryRecord;
use crate::store::KeptDelivery;
use crate::store::sqlite::Archive;
use crate::time::{duration, earlier};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Args {
    /// A payload as a sender posts it; `-` reads it from standard input.
    #[arg(group = "what")]
    payload: Option<PathBuf>,

    /// A delivery that the store has kept, by its id, instead of a file. With `--address`, `--url` or
    /// `--context` that daemon is asked, and tells it by the rules that it has in force.
    #[arg(long, value_name = "ID", group = "what", conflicts_with = "source")]
    delivery: Option<String>,

    /// What other rules, of a file or of a folder, would have made of all deliveries that the store
    /// has kept.
    #[arg(long, value_name = "RULES", group = "what", conflicts_with_all = ["source", "changes"])]
    against: Option<PathBuf>,

    /// With `--against`: only the deliveries of this last time, such as `7d`.
    #[arg(long, value_name = "DURATION", value_parser = span, requires = "against")]
    last: Option<Duration>,

    #[command(flatten)]
    reach: Reach,

    /// The source that it would come through; without it, the first that can read it.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// What if: gives every alert this label; without a value, takes it away. Quotes around the
    /// value are no part of it.
    #[arg(long = "set", value_name = "LABEL=VALUE")]
    changes: Vec<Change>,

    #[command(flatten)]
    form: Form,
}

/// An explanation, with the source that the payload was read as.
#[derive(Serialize)]
struct Explained<'s> {
    source: &'s str,
    #[serde(flatten)]
    explanation: Explanation,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(id) = args.delivery.as_deref().filter(|_| args.reach.leads_to_a_daemon()) {
        return by_a_daemon(args, id).await;
    }
    let (setup, diagnostics) = setup::load_for_rehearsal(&args.reach.config().config, &process_env);
    if !diagnostics.is_empty() {
        tell_wrong(&diagnostics);
    }
    let Some(setup) = setup else { bail!("nothing is explained by files with mistakes") };
    let sources = daemon::sources(&setup.config.sources)?;
    if let Some(rules) = &args.against {
        return against(args, rules, setup, &sources).await;
    }
    let (mut named, mut now) = (args.source.clone(), SystemClock.now());
    let body = match &args.delivery {
        Some(id) => {
            let (record, body) = stored(&setup, id).await?;
            named = Some(record.source.to_string());
            now = record.received_at;
            body
        }
        None => read(args.payload.as_deref().unwrap_or(Path::new("-")))?,
    };
    let sources: Vec<&dyn Source> = match &named {
        None => sources.values().map(AsRef::as_ref).collect(),
        Some(name) => match sources.get(&name.as_str().into()) {
            Some(source) => vec![source.as_ref()],
            None => {
                let known: Vec<&str> = sources.keys().map(|name| name.as_str()).collect();
                bail!("there is no source `{}`; there are: {}", shown(name), known.join(", "))
            }
        },
    };
    let (name, mut received) = parse(&sources, &body)?;
    for change in &args.changes {
        for alert in &mut received.alerts {
            change.apply(&mut alert.labels);
        }
    }
    let known = catalog::known(&setup).await;
    let explanation = explain(&Arc::new(setup.playbook), received, now, &known);
    let explained = Explained { source: &name, explanation };
    say(&args.form.render(&serde_json::to_value(explained)?, text)?);
    Ok(ExitCode::SUCCESS)
}

/// What a daemon's rules say to a delivery that its store has kept.
async fn by_a_daemon(args: &Args, id: &str) -> anyhow::Result<ExitCode> {
    if !args.changes.is_empty() {
        return Err(Misused(
            "--set is for files that are here, and a daemon is named: save what `casewright \
             deliveries show --output json` has under `body`, and explain that"
                .to_owned(),
        )
        .into());
    }
    let path = ["api", "v1", "deliveries", id, "explanation"];
    let explained = Remote::of(&args.reach)?.get(&path).await?;
    say(&args.form.render(&explained, text)?);
    Ok(ExitCode::SUCCESS)
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

/// A delivery that the store has kept, as it was posted.
async fn stored(setup: &Setup, id: &str) -> anyhow::Result<(DeliveryRecord, Vec<u8>)> {
    let path = &setup.config.store.sqlite;
    let kept = Archive::open(path).await?.delivery(&DeliveryId::new(id)).await?;
    let Some(KeptDelivery { record, body }) = kept else {
        bail!(
            "{} has no delivery `{}`: it was never there, or was forgotten after \
             `store.retention.deliveries`",
            path.display(),
            shown(id)
        );
    };
    let Some(body) = body else {
        bail!(
            "delivery {} told nothing new ({}), and bodies of those are not kept; `casewright why \
             {}` tells what it was about",
            shown(id),
            record.fate.name(),
            shown(id)
        );
    };
    Ok((record, body))
}

/// So many deliveries are read at once.
const PAGE: u32 = 200;

/// Compares what other rules would have made of the deliveries that the store has kept.
async fn against(
    args: &Args,
    rules: &Path,
    setup: Setup,
    sources: &Sources,
) -> anyhow::Result<ExitCode> {
    let files = rule_files(rules)?;
    let (other, diagnostics) =
        setup::load_with_rules(&args.reach.config().config, files, &process_env);
    if !diagnostics.is_empty() {
        tell_wrong(&diagnostics);
    }
    let Some(other) = other else { bail!("nothing is compared with rules that have mistakes") };
    let archive = Archive::open(&setup.config.store.sqlite).await?;
    let (now, mut last) = (SystemClock.now(), None);
    let since = args.last.map_or(Timestamp::UNIX_EPOCH, |last| earlier(now, last));
    let mut replay = Replay::new(sources, Arc::new(setup.playbook), Arc::new(other.playbook));
    loop {
        let page = archive.history(since, last.as_ref(), PAGE).await?;
        let Some(KeptDelivery { record, .. }) = page.last() else { break };
        last = Some(record.clone());
        for KeptDelivery { record, body } in &page {
            replay.hear(record, body.as_deref());
        }
    }
    let difference = replay.compare(now);
    say(&args.form.render(&serde_json::to_value(&difference)?, |_| compared::text(&difference))?);
    Ok(ExitCode::SUCCESS)
}

/// The rule files of a folder, or one file.
fn rule_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)
        .with_context(|| format!("cannot read the folder {}", path.display()))?;
    let is_yaml =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_yaml(path) && !is_rule_test(path))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{} has no rule files: names that end in .yaml or .yml", path.display());
    }
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
    } else {
        body = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(body)
}

/// What the first source that can read it makes of a payload. Nobody is authenticated: the file
/// is the user's own.
fn parse(sources: &[&dyn Source], body: &[u8]) -> anyhow::Result<(String, Received)> {
    let mut refused = Vec::new();
    for source in sources {
        match read_back(*source, body) {
            Ok(received) => return Ok((source.name().to_string(), received)),
            Err(why) => {
                let mut line = format!("  {} ({}): {why}", source.name(), source.kind());
                // What is acknowledged all the same is kept by a daemon, and its hint says so; here
                // nothing is kept.
                if !why.acknowledged {
                    line = format!("{line}; {}", why.hint);
                }
                refused.push(line);
            }
        }
    }
    bail!("no source can read this payload:\n{}", refused.join("\n"))
}

/// An explanation in words, as the daemon and we tell it to scripts.
fn text(explanation: &Value) -> String {
    let alerts = items(explanation, "alerts").count();
    let mut lines = vec![format!(
        "read as a payload of source {}: {}",
        field(explanation, "source"),
        counted(alerts, "alert")
    )];
    if has(explanation, "note") {
        lines.push(field(explanation, "note"));
    }
    if is(explanation, "truncated") {
        lines.push("the sender left alerts out, so nothing counts as over".to_owned());
    }
    for alert in items(explanation, "alerts") {
        lines.push(String::new());
        lines.push(format!("{} ({})", field(alert, "alert"), field(alert, "status")));
        lines.push(format!("  labels    {}", labels_under(alert, "labels")));
        let width = |story: &Value| field(story, "rule").chars().count();
        let width = items(alert, "rules").map(width).max().unwrap_or(0);
        lines.extend(items(alert, "rules").map(|story| {
            format!("  rule      {:<width$}  {}", field(story, "rule"), answer(story))
        }));
        let verdicts = items(alert, "verdicts").filter_map(Value::as_str);
        lines.extend(verdicts.map(|verdict| format!("  decision  {}", short(verdict))));
    }
    for incident in items(explanation, "incidents") {
        lines.push(String::new());
        lines.extend(incident_lines(incident));
    }
    lines.push(String::new());
    if items(explanation, "incidents").next().is_none() {
        lines.push("no case".to_owned());
    } else {
        let compared = if is(explanation, "compared") {
            "as the store has it"
        } else {
            "only when a case is sent"
        };
        lines.push(format!(
            "Decided as if nothing were known of these incidents. Names and severities are compared \
             with the vendor's catalog {compared}."
        ));
    }
    lines.join("\n")
}

fn is(of: &Value, key: &str) -> bool {
    of.get(key).and_then(Value::as_bool) == Some(true)
}

fn answer(story: &Value) -> String {
    let place = || field(story, "place");
    match field(story, "answer").as_str() {
        "takes" if is(story, "goes_on") => {
            format!("takes it, and lets others have it too ({})", place())
        }
        "takes" => format!("takes it ({})", place()),
        "ignores" => format!("ignores it ({})", place()),
        "differs" => {
            let wanted = field(story, "matcher");
            match story.get("value").and_then(Value::as_str) {
                Some(value) => format!("no: wants {wanted}, and it is \"{}\"", short(value)),
                None => format!("no: wants {wanted}, and there is no such label"),
            }
        }
        "not_now" => {
            format!("no: only {}, and it is {}", field(story, "condition"), field(story, "now"))
        }
        "not_asked" => "not asked: an earlier rule took it".to_owned(),
        // Of a newer daemon.
        other => other.to_owned(),
    }
}

fn incident_lines(incident: &Value) -> Vec<String> {
    let severity = incident.get("severity").cloned().unwrap_or_default();
    let mut lines = vec![
        format!("incident of rule {}", field(incident, "rule")),
        format!("  identity  {}", labels_under(incident, "identity")),
    ];
    lines.extend(absent(incident));
    lines.extend([
        format!("  vendor    {}", field(incident, "vendor")),
        format!("  decision  {}", field(incident, "reason")),
        format!("  state     {}", field(incident, "state")),
        format!(
            "  severity  rank {}, from {}",
            field(&severity, "rank"),
            field(&severity, "origin")
        ),
    ]);
    if let Some(case) = incident.get("case").filter(|case| !case.is_null()) {
        lines.extend(case_lines(case));
    }
    lines
}

/// What it means that the alert lacks labels of the rule's identity.
fn absent(incident: &Value) -> Option<String> {
    let names: Vec<String> =
        items(incident, "identity_absent").filter_map(Value::as_str).map(shown).collect();
    let means = match (names.is_empty(), is(incident, "identity_by_group")) {
        (true, _) => return None,
        (false, true) => "so the sender's own grouping is the identity",
        (false, false) => "so it is one incident with every such alert that has none either",
    };
    Some(format!("  absent    the alert has no label {}, {means}", names.join(", ")))
}

fn case_lines(case: &Value) -> Vec<String> {
    let mut lines = vec!["  case".to_owned()];
    if has(case, "problem") {
        lines.push(format!("    cannot be sent: {}", field(case, "problem")));
    }
    let width = items(case, "fields").map(|part| field(part, "key").len()).max().unwrap_or(0);
    for part in items(case, "fields") {
        let value = part.get("value").and_then(Value::as_str).unwrap_or_default();
        let mut rest = words::lines(value);
        let first = rest.next().unwrap_or_default();
        let (key, origin) = (field(part, "key"), field(part, "origin"));
        lines.push(format!("    {key:<width$}  {first}  <- {origin}"));
        lines.extend(rest.map(|line| format!("    {:width$}  {line}", "").trim_end().to_owned()));
    }
    let notes = items(case, "notes").filter_map(Value::as_str);
    lines.extend(notes.map(|note| format!("    note: {}", short(note))));
    lines
}

/// Labels as matchers are written.
fn labels<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    let written = |(name, value)| format!("{}={:?}", short(name), beginning(value, LONGEST));
    labels.map(written).collect::<Vec<_>>().join(" ")
}

fn labels_under(of: &Value, key: &str) -> String {
    let pairs = of.get(key).and_then(Value::as_object).into_iter().flatten();
    labels(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())))
}
