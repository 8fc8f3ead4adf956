//! `casewright schema`: prints a JSON Schema, for editors that complete and check as one types.

use std::process::ExitCode;

use super::print::say;
use crate::schema;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which file.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Of {
    /// The configuration, `casewright.yaml`.
    Config,
    /// A file of rules.
    Rules,
    /// A file of tests of rules, `*.test.yaml`.
    Tests,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let schema = match args.of {
        Of::Config => schema::CONFIG,
        Of::Rules => schema::RULES,
        Of::Tests => schema::TESTS,
    };
    say(schema.trim_end());
    ExitCode::SUCCESS
}
