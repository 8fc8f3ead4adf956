//! The real binary in processes of its own, to be killed.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A running `casewright`. Dropping it kills it, as `kill -9` does.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Runs the binary with `arguments`; what it says is appended to `log`.
    pub(crate) fn run(arguments: &[&str], log: &Path) -> Self {
        Self::run_with(arguments, log, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn run_with(
        arguments: &[&str],
        log: &Path,
        variables: &[(&'static str, PathBuf)],
    ) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_casewright"))
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        Self(child)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("its state").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on. Below those that systems give to outgoing connections, so that
/// it stays free while its process is dead.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 8_000).expect("small");
    loop {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
