//! Builds the shim, preloads it into other processes, and steers it. See `shim.c`, whose numbers
//! and names these are.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What the database is called; files of other names are left alone.
pub(crate) const DATABASE: &str = "casewright.db";

const FOLDER: &str = "CASEWRIGHT_SHIM_FOLDER";
const CONTROL: &str = "CASEWRIGHT_SHIM_CONTROL";
const TRACE: &str = "CASEWRIGHT_SHIM_TRACE";

pub(crate) const OPEN: u64 = 1;
pub(crate) const READ: u64 = 2;
pub(crate) const WRITE: u64 = 4;
pub(crate) const SYNC: u64 = 8;
pub(crate) const TRUNCATE: u64 = 16;
pub(crate) const UNLINK: u64 = 32;

pub(crate) const EIO: u64 = 5;
pub(crate) const ENOSPC: u64 = 28;
pub(crate) const EROFS: u64 = 30;

/// How a disk fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// With this errno.
    pub(crate) error: u64,
    /// Operations of these kinds; only they are counted.
    pub(crate) kinds: u64,
    /// A write that fails has put half of its bytes there.
    pub(crate) torn: bool,
    /// From the first one on, until it is lifted.
    pub(crate) lasting: bool,
}

/// The numbers that the shim reads and writes.
#[derive(Debug)]
pub(crate) struct Control(File);

impl Control {
    pub(crate) fn make(path: &Path) -> Self {
        std::fs::write(path, [0; 64]).expect("a control file");
        Self::at(path)
    }

    fn at(path: &Path) -> Self {
        Self(OpenOptions::new().read(true).write(true).open(path).expect("a control file"))
    }

    /// In a process that has the shim.
    pub(crate) fn of_this_process() -> Self {
        Self::at(&PathBuf::from(std::env::var_os(CONTROL).expect("it has the shim")))
    }

    fn get(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, place * 8).expect("a number");
        u64::from_ne_bytes(bytes)
    }

    fn set(&self, place: u64, value: u64) {
        self.0.write_all_at(&value.to_ne_bytes(), place * 8).expect("a number");
    }

    /// Counts anew; the `first` operation from now on meets the fault. 0: none does.
    pub(crate) fn arm(&self, fault: &Fault, first: u64) {
        self.lift();
        self.set(0, 0);
        self.set(2, if fault.lasting { u64::MAX } else { first });
        self.set(3, fault.error);
        self.set(4, 0);
        self.set(5, fault.kinds);
        self.set(6, fault.torn.into());
        self.set(1, first);
    }

    /// The disk is well again.
    pub(crate) fn lift(&self) {
        self.set(1, 0);
    }

    /// How many operations there were.
    pub(crate) fn count(&self) -> u64 {
        self.get(0)
    }

    /// How many of them have failed.
    pub(crate) fn failed(&self) -> u64 {
        self.get(4)
    }
}

/// The shim, built once by each run of the tests.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
        let name = format!("disk-shim-{}.so", std::process::id());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let built = Command::new(&compiler)
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&target, &source])
            .args(["-ldl", "-lpthread"])
            .output();
        let built = built.unwrap_or_else(|error| panic!("these tests need `{compiler}`: {error}"));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        target
    })
}

/// The environment of a process whose files below `folder` are on the disk that fails.
pub(crate) fn environment(
    folder: &Path,
    control: &Path,
    trace: Option<&Path>,
) -> Vec<(&'static str, PathBuf)> {
    let mut variables = vec![
        ("LD_PRELOAD", library().to_owned()),
        (FOLDER, folder.to_owned()),
        (CONTROL, control.to_owned()),
    ];
    variables.extend(trace.map(|trace| (TRACE, trace.to_owned())));
    variables
}

/// Runs one of the ignored tests of this binary in a process of its own. What it has printed.
pub(crate) fn run(test: &str, variables: &[(&'static str, PathBuf)], asked: &str) -> String {
    let child = Command::new(std::env::current_exe().expect("this binary"))
        .args([test, "--exact", "--ignored", "--nocapture"])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env(ASKED, asked)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&child.stdout);
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{test} for {asked}: {}\n{said}\n{told}", child.status);
    said.into_owned()
}

/// What the parent wants of the child.
const ASKED: &str = "CASEWRIGHT_DISK_ASKED";

/// In the child: what is wanted of it. `None` if somebody ran all ignored tests.
pub(crate) fn asked() -> Option<String> {
    std::env::var(ASKED).ok()
}

/// A folder in memory if there is one: thousands of syncs are waited for.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { Err(io::Error::other("")) };
    made.or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// A number from the environment.
pub(crate) fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |number| number.parse().expect("a number"))
}

/// For the store in a child.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("a runtime")
}
