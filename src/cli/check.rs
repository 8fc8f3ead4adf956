//! `casewright check`: every mistake of every file, in one run.

use std::process::ExitCode;

use super::{ConfigArg, colorful, say, tell};
use crate::config::process_env;
use crate::config::sarif::to_sarif;
use crate::setup;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,

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

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (setup, diagnostics) = setup::load(&args.config.config, &process_env);
    match args.output {
        Output::Json => say(&serde_json::to_string_pretty(&diagnostics.to_json())?),
        Output::Sarif => say(&serde_json::to_string_pretty(&to_sarif(&diagnostics))?),
        Output::Text => {
            if !diagnostics.is_empty() {
                tell(&diagnostics.render(colorful()));
            }
            match &setup {
                Some(setup) => say(&format!(
                    "{} is good: {} rules, {} sources, {} vendors; {}",
                    args.config.config.display(),
                    setup.playbook.rules.rules().len(),
                    setup.config.sources.len(),
                    setup.config.vendors.len(),
                    diagnostics.summary(),
                )),
                None => say(&diagnostics.summary()),
            }
        }
    }
    Ok(if setup.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
