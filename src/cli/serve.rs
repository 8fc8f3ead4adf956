//! `casewright serve`: the daemon. SIGHUP has it read its files anew.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::print::tell_wrong;
use super::{OnlyConfigArg, shutdown};
use crate::daemon::{Daemon, World};
use crate::setup;

pub(super) async fn run(args: &OnlyConfigArg, world: World<'static>) -> anyhow::Result<ExitCode> {
    // Before anything else: without somebody who listens, a SIGHUP ends the process.
    let mut hangup = signal(SignalKind::hangup())?;
    let (setup, diagnostics) = setup::load(args.path(), world.env);
    if !diagnostics.is_empty() {
        tell_wrong(&diagnostics);
    }
    let Some(setup) = setup else { return Ok(ExitCode::FAILURE) };
    let daemon = Daemon::start(setup, world).await?;
    let stop = shutdown::requested();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            asked = &mut stop => {
                asked?;
                break;
            }
            Some(()) = hangup.recv() => {
                // In a task of its own: a disk that hangs must not keep a stop waiting. What comes
                // of it is logged.
                tokio::spawn(daemon.reload("SIGHUP"));
            }
        }
    }
    tracing::info!("stopping: no more webhooks are taken, what is under way is finished");
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}
