//! `casewright completions` and `casewright man`: what shells and readers of manuals are given.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Cli;
use super::print::say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For which shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// The folder for the pages, such as /usr/local/share/man/man1; it is made if need be.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "casewright", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// Writes a page for the program and one for each command.
pub(super) fn man(args: &Man) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    let cannot = || format!("the pages cannot be written to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(cannot)?;
    say(&format!("`man {}` shows the first page", folder.join("casewright.1").display()));
    Ok(ExitCode::SUCCESS)
}
