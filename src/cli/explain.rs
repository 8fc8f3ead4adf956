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

use self::change::Change;
use super::catalog;
use super::print::{json_text, say, tell_wrong};
use super::words::shown;
use super::{ConfigArg, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{is_rule_test, process_env};
use crate::daemon;
use crate::domain::alert::Labels;
use crate::domain::ids::{DeliveryId, VendorName};
use crate::explain::{
    Answer, CaseStory, Explanation, IncidentStory, Known, RuleStory, SeverityStory, explain,
};
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

    /// A delivery that the store has kept, by its id, instead of a file.
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
    config: ConfigArg,

    /// The source that it would come through; without it, the first that can read it.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// What if: gives every alert this label; without a value, takes it away. Quotes around the
    /// value are no part of it.
    #[arg(long = "set", value_name = "LABEL=VALUE")]
    changes: Vec<Change>,

    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (setup, diagnostics) = setup::load_for_rehearsal(&args.config.config, &process_env);
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
    say(&match args.output {
        Output::Json => json_text(&explanation)?,
        Output::Text => text(&name, &explanation, &known),
    });
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
    let (other, diagnostics) = setup::load_with_rules(&args.config.config, files, &process_env);
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
    say(&match args.output {
        Output::Json => json_text(&difference)?,
        Output::Text => compared::text(&difference),
    });
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

fn text(source: &str, explanation: &Explanation, known: &Known) -> String {
    let mut lines = vec![format!(
        "read as a payload of source {source}: {}",
        count(explanation.alerts.len(), "alert")
    )];
    lines.extend(explanation.note.iter().map(|note| shown(note)));
    if explanation.truncated {
        lines.push("the sender left alerts out, so nothing counts as over".to_owned());
    }
    for alert in &explanation.alerts {
        lines.push(String::new());
        lines.push(format!("{} ({})", shown(&alert.alert), alert.status));
        lines.push(format!("  labels    {}", pairs(&alert.labels)));
        let width = alert.rules.iter().map(|story| story.rule.chars().count()).max().unwrap_or(0);
        lines.extend(
            alert.rules.iter().map(|story| {
                format!("  rule      {:<width$}  {}", shown(&story.rule), answer(story))
            }),
        );
        lines
            .extend(alert.verdicts.iter().map(|verdict| format!("  decision  {}", shown(verdict))));
    }
    for incident in &explanation.incidents {
        lines.push(String::new());
        lines.extend(incident_lines(incident));
    }
    lines.push(String::new());
    if explanation.incidents.is_empty() {
        lines.push("no case".to_owned());
    } else {
        let vendors = explanation.incidents.iter().map(|incident| incident.vendor.as_str());
        let compared = vendors.map(VendorName::new).all(|vendor| known.contains_key(&vendor));
        lines.push(format!(
            "Decided as if nothing were known of these incidents. Names and severities are compared \
             with the vendor's catalog {}.",
            if compared { "as the store has it" } else { "only when a case is sent" }
        ));
    }
    lines.join("\n")
}

fn answer(story: &RuleStory) -> String {
    match &story.answer {
        Answer::Takes { goes_on: false } => format!("takes it ({})", story.place),
        Answer::Takes { goes_on: true } => {
            format!("takes it, and lets others have it too ({})", story.place)
        }
        Answer::Ignores => format!("ignores it ({})", story.place),
        Answer::Differs { matcher, value: Some(value) } => {
            format!("no: wants {}, and it is {:?}", shown(matcher), value)
        }
        Answer::Differs { matcher, value: None } => {
            format!("no: wants {}, and there is no such label", shown(matcher))
        }
        Answer::NotNow { condition, now } => format!("no: only {condition}, and it is {now}"),
        Answer::NotAsked => "not asked: an earlier rule took it".to_owned(),
    }
}

fn incident_lines(incident: &IncidentStory) -> Vec<String> {
    let SeverityStory { rank, origin } = &incident.severity;
    let mut lines = vec![
        format!("incident of rule {}", shown(&incident.rule)),
        format!("  identity  {}", pairs(&incident.identity)),
    ];
    lines.extend(absent(incident));
    lines.extend([
        format!("  vendor    {}", shown(&incident.vendor)),
        format!("  decision  {}", shown(&incident.reason)),
        format!("  state     {}", incident.state),
        format!("  severity  rank {rank}, from {}", shown(origin)),
    ]);
    if let Some(case) = &incident.case {
        lines.extend(case_lines(case));
    }
    lines
}

/// What it means that the alert lacks labels of the rule's identity.
fn absent(incident: &IncidentStory) -> Option<String> {
    let names = shown(&incident.identity_absent.join(", "));
    let means = match (incident.identity_absent.is_empty(), incident.identity_by_group) {
        (true, _) => return None,
        (false, true) => "so the sender's own grouping is the identity",
        (false, false) => "so it is one incident with every such alert that has none either",
    };
    Some(format!("  absent    the alert has no label {names}, {means}"))
}

fn case_lines(case: &CaseStory) -> Vec<String> {
    let mut lines = vec!["  case".to_owned()];
    if let Some(problem) = &case.problem {
        lines.push(format!("    cannot be sent: {}", shown(problem)));
    }
    let width = case.fields.iter().map(|field| field.key.len()).max().unwrap_or(0);
    for field in &case.fields {
        let mut rest = field.value.lines();
        let first = rest.next().unwrap_or_default();
        lines.push(format!("    {:<width$}  {}  <- {}", field.key, shown(first), field.origin));
        let indented = |line| format!("    {:width$}  {}", "", shown(line)).trim_end().to_owned();
        lines.extend(rest.map(indented));
    }
    lines.extend(case.notes.iter().map(|note| format!("    note: {}", shown(note))));
    lines
}

fn pairs(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    shown(&pairs.join(" "))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
