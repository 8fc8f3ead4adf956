//! The `casewright` binary.

use std::process::ExitCode;

/// Gives back what large deliveries have taken; the default one hoards it, thread by thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    casewright::cli::main()
}
