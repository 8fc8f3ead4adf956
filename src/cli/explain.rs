//! `casewright explain`: what a payload would do, and why, without doing it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::remote::shown;
use super::{ConfigArg, Output, colorful, say, tell};
use crate::clock::{Clock as _, SystemClock};
use crate::config::process_env;
use crate::daemon;
use crate::domain::alert::Labels;
use crate::explain::{
    Answer, CaseStory, Explanation, IncidentStory, RuleStory, SeverityStory, explain,
};
use crate::setup;
use crate::sources::{Received, Source};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A payload as a sender posts it; `-` reads it from standard input.
    payload: PathBuf,

    #[command(flatten)]
    config: ConfigArg,

    /// The source that it would come through; without it, the first that can read it.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// What if: gives every alert this label; without a value, takes it away.
    #[arg(long = "set", value_name = "LABEL=VALUE")]
    changes: Vec<String>,

    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (setup, diagnostics) = setup::load(&args.config.config, &process_env);
    if !diagnostics.is_empty() {
        tell(&diagnostics.render(colorful()));
    }
    let Some(setup) = setup else { bail!("nothing is explained by files with mistakes") };
    let sources = daemon::sources(&setup.config.sources)?;
    let sources: Vec<&dyn Source> = match &args.source {
        None => sources.values().map(AsRef::as_ref).collect(),
        Some(name) => match sources.get(&name.as_str().into()) {
            Some(source) => vec![source.as_ref()],
            None => {
                let known: Vec<&str> = sources.keys().map(|name| name.as_str()).collect();
                bail!("there is no source `{}`; there are: {}", shown(name), known.join(", "))
            }
        },
    };
    let body = read(&args.payload)?;
    let (name, mut received) = parse(&sources, &body)?;
    for change in &args.changes {
        change_labels(&mut received, change)?;
    }
    let explanation = explain(&Arc::new(setup.playbook), received, SystemClock.now());
    say(&match args.output {
        Output::Json => serde_json::to_string_pretty(&explanation)?,
        Output::Text => text(&name, &explanation),
    });
    Ok(ExitCode::SUCCESS)
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
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let mut refused = Vec::new();
    for source in sources {
        match source.parse(&headers, body) {
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

fn change_labels(received: &mut Received, change: &str) -> anyhow::Result<()> {
    let Some((label, value)) = change.split_once('=').filter(|(label, _)| !label.is_empty()) else {
        bail!("`--set {}` is not LABEL=VALUE", shown(change));
    };
    for alert in &mut received.alerts {
        if value.is_empty() {
            alert.labels.remove(label);
        } else {
            alert.labels.insert(label.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

fn text(source: &str, explanation: &Explanation) -> String {
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
        lines.push(
            "Decided as if nothing were known of these incidents. Names and severities are compared \
             with the vendor's catalog only when a case is sent."
                .to_owned(),
        );
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
        format!("  vendor    {}", shown(&incident.vendor)),
        format!("  decision  {}", shown(&incident.reason)),
        format!("  state     {}", incident.state),
        format!("  severity  rank {rank}, from {}", shown(origin)),
    ];
    if let Some(case) = &incident.case {
        lines.extend(case_lines(case));
    }
    lines
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
