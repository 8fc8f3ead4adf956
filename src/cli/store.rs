//! `casewright store`: backup and verification of the database, also while the daemon runs. Reads
//! only; never takes the daemon's lock.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::print::{json_text, say, tell_wrong};
use super::{ConfigArg, Output};
use crate::config::{Config, process_env};
use crate::store::sqlite::{Report, back_up, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Copy the database to FILE, which must not exist, and verify the copy.
    Backup {
        /// Where to.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
        /// For people or for scripts.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Check the database, or a backup; exit with 1 if anything is wrong.
    Verify {
        /// The backup; without it the database of the config.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
        /// For people or for scripts.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        What::Backup { file, config, output } => {
            let Some(database) = database(&config) else { return Ok(ExitCode::FAILURE) };
            let report = back_up(&database, &file).await?;
            match output {
                Output::Json => say(&json_text(&to_json(&report))?),
                Output::Text => say(&format!(
                    "{} is a whole and verified copy of {}: {}",
                    file.display(),
                    database.display(),
                    contents(&report)
                )),
            }
            Ok(ExitCode::SUCCESS)
        }
        What::Verify { file, config, output } => {
            let Some(path) = file.or_else(|| database(&config)) else {
                return Ok(ExitCode::FAILURE);
            };
            let report = verify(&path).await?;
            match output {
                Output::Json => say(&json_text(&to_json(&report))?),
                Output::Text => say(&in_words(&report)),
            }
            Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Where the config says that the database is. Mistakes elsewhere in it (a secret that only the
/// service's environment has, say) must not be in the way of a backup.
fn database(config: &ConfigArg) -> Option<PathBuf> {
    let checked = Config::check(&config.config, &process_env);
    if checked.store.is_none() {
        tell_wrong(&checked.diagnostics);
    }
    checked.store.map(|store| store.sqlite)
}

fn contents(report: &Report) -> String {
    let rows: Vec<_> = report.rows.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    let mib = report.bytes as f64 / (1024.0 * 1024.0);
    format!("{mib:.1} MiB, schema {}, {}", report.schema, rows.join(", "))
}

fn in_words(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&format!("{}: {}: {}\n", finding.check, finding.row, finding.what));
    }
    for check in &report.more {
        text.push_str(&format!("{check}: and more\n"));
    }
    let (path, held) = (report.path.display(), contents(report));
    match report.findings.len() {
        0 => text.push_str(&format!("{path} is sound: {held}")),
        found => text.push_str(&format!("{path} is damaged, {found} findings: {held}")),
    }
    text
}

fn to_json(report: &Report) -> Value {
    let rows: serde_json::Map<_, _> =
        report.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    json!({
        "path": report.path,
        "sound": report.findings.is_empty(),
        "bytes": report.bytes,
        "schema": report.schema,
        "rows": rows,
        "findings": report.findings,
        "more": report.more,
    })
}
