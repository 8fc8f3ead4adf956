//! `casewright serve`: the daemon.

use std::process::ExitCode;

use super::{ConfigArg, colorful, shutdown, tell};
use crate::daemon::{Daemon, World};
use crate::setup;

pub(super) async fn run(args: &ConfigArg, world: World<'_>) -> anyhow::Result<ExitCode> {
    let (setup, diagnostics) = setup::load(&args.config, world.env);
    if !diagnostics.is_empty() {
        tell(&diagnostics.render(colorful()));
    }
    let Some(setup) = setup else { return Ok(ExitCode::FAILURE) };
    let daemon = Daemon::start(setup, world).await?;
    shutdown::requested().await?;
    tracing::info!("stopping: no more webhooks are taken, what is under way is finished");
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}
