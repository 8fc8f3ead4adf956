//! Waiting for somebody to end the process.

use tokio::signal::unix::{SignalKind, signal};

/// Completes on Ctrl-C or SIGTERM.
///
/// # Errors
///
/// If the process may not listen for signals.
pub(super) async fn requested() -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = term.recv() => Ok(()),
    }
}
