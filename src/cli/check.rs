//! `casewright check`: every mistake of every file, in one run.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::OnlyConfigArg;
use super::catalog;
use super::print::{json_text, say, tell_wrong};
use super::words::shown;
use crate::config::diagnostic::counted;
use crate::config::sarif::to_sarif;
use crate::config::{Diagnostic, Diagnostics, process_env};
use crate::daemon;
use crate::domain::incident::State;
use crate::intake::{Displaced, displaced};
use crate::rule_tests::file::{self, Inputs};
use crate::rule_tests::labels;
use crate::setup::{self, Setup};
use crate::store::Sought;
use crate::store::sqlite::Archive;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: OnlyConfigArg,

    /// Tell as well which incidents of the store go on that these rules lead elsewhere. Reads the
    /// database, also while the daemon runs.
    #[arg(long)]
    against_store: bool,

    /// For people, for scripts, or for code-scanning services and editors.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// For whom to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For scripts.
    Json,
    /// For code-scanning services and editors: SARIF 2.1.0.
    Sarif,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.against_store && args.output == Output::Sarif {
        bail!("SARIF tells of lines in files, not of incidents: ask with `--output json`");
    }
    let (setup, mut diagnostics) = setup::load(args.config.path(), &process_env);
    if let Some(setup) = &setup {
        diagnostics.extend(look_at_labels(setup)?);
        for complaint in catalog::complaints(setup, &catalog::known(setup).await) {
            diagnostics.push(complaint.into());
        }
    }
    let led_elsewhere = match &setup {
        Some(setup) if args.against_store => Some(led_elsewhere(setup).await?),
        _ => None,
    };
    match args.output {
        Output::Json => {
            let diagnostics = diagnostics.to_json();
            let told = match &led_elsewhere {
                Some(displaced) => json!({ "diagnostics": diagnostics, "displaced": displaced }),
                None => diagnostics,
            };
            say(&json_text(&told)?);
        }
        Output::Sarif => say(&json_text(&to_sarif(&diagnostics))?),
        Output::Text => {
            if !diagnostics.is_empty() {
                tell_wrong(&diagnostics);
            }
            match &setup {
                Some(setup) => say(&format!(
                    "{} is good: {}, {}, {}; {}",
                    args.config.path().display(),
                    counted(setup.playbook.rules.rules().len(), "rule"),
                    counted(setup.config.sources.len(), "source"),
                    counted(setup.config.vendors.len(), "vendor"),
                    diagnostics.summary(),
                )),
                None => say(&diagnostics.summary()),
            }
            if let Some(displaced) = &led_elsewhere {
                say_where(displaced);
            }
        }
    }
    Ok(if setup.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Warns of labels that rules need and that neither their matchers nor the tests beside them have.
/// Where a test file has a mistake, it is not known what the tests have.
pub(super) fn look_at_labels(setup: &Setup) -> anyhow::Result<Diagnostics> {
    let sources = daemon::sources(&setup.config.sources)?;
    let inputs = Inputs { sources: &sources, playbook: &setup.playbook, env: &process_env };
    let rules = setup.playbook.rules.rules().iter();
    let paths = file::beside(rules.map(|rule| rule.file.as_path()));
    let mut found = Diagnostics::default();
    let mut files = Vec::new();
    for path in &paths {
        match file::read(path, &inputs) {
            (Some(file), _) => files.push(file),
            (None, wrong) => found.push(
                Diagnostic::warning_about_file(
                    path,
                    format!("these tests cannot be read: {}", wrong.summary()),
                )
                .hint("`casewright test` tells what is wrong with them"),
            ),
        }
    }
    if found.is_empty() {
        found.extend(labels::inspect(&setup.playbook, &files));
    }
    Ok(found)
}

/// The incidents of the store that go on and that the rules lead their alerts to no longer.
async fn led_elsewhere(setup: &Setup) -> anyhow::Result<Vec<Displaced>> {
    let archive = Archive::open(&setup.config.store.sqlite).await?;
    let mut found = Vec::new();
    for state in State::GOING_ON {
        let sought = Sought { state: Some(state), ..Sought::default() };
        let incidents = archive.incidents(&sought, u32::MAX).await?;
        found.extend(incidents.items.iter().filter_map(|one| displaced(&setup.playbook, one)));
    }
    Ok(found)
}

fn say_where(displaced: &[Displaced]) {
    if displaced.is_empty() {
        return say("every incident that goes on stays where it is");
    }
    for one in displaced {
        say(&format!("led elsewhere: {}", shown(&one.to_string())));
    }
}
