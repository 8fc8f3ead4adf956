//! The `casewright` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    casewright::cli::main()
}
