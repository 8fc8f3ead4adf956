//! The real binary in processes of its own, to be killed.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use super::files::Files;

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

    /// Sends it a signal, by its name such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
        assert!(sent.success());
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

/// What a command said before it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Runs the binary against the daemon of these files at `admin`.
    pub(crate) async fn of(
        arguments: &[&str],
        files: &Files,
        admin: impl std::fmt::Display,
    ) -> Self {
        let admin = admin.to_string();
        Self::about(&[arguments, &["--address", &admin]].concat(), files).await
    }

    /// Runs the binary on these files.
    pub(crate) async fn about(arguments: &[&str], files: &Files) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casewright"));
        command.args(arguments).arg("--config").arg(files.config());
        command.stdin(Stdio::null()).env_remove("CASEWRIGHT_TOKEN");
        // The daemon may run on the thread that waits.
        let ran = tokio::task::spawn_blocking(move || command.output()).await;
        let output = ran.expect("no panic").expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            ok: output.status.success(),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it said, if it has done what it was told.
    pub(crate) fn done(self) -> String {
        assert!(self.ok, "{self:#?}");
        self.stdout
    }

    /// What it said in JSON.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).expect("JSON")
    }

    /// What it complained of.
    pub(crate) fn failed(self) -> String {
        assert!(!self.ok, "{self:#?}");
        assert_eq!(self.stdout, "");
        self.stderr
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
