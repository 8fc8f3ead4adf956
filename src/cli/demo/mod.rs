//! x
use crate::daemon::World;
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) async fn run(_a: &Args, _w: World<'_>) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
