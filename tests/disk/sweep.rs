//! The n-th file operation on the database fails, once or from then on until the disk is mended,
//! for n = 1, 2, 3 … until a whole life completes untouched.
//!
//! In every one the store must recover in the same process, and everything that it has
//! acknowledged must be there when it is opened on a healthy disk. `CASEWRIGHT_SWEEP=all` fails
//! every single operation; a number says how many of each kind of fault are sampled.
//! `CASEWRIGHT_SWEEP_FROM` begins with the operation that a failure has named.

use std::path::{Path, PathBuf};

use crate::check::check;
use crate::life::Life;
use crate::shim::{
    self, Control, DATABASE, EIO, ENOSPC, EROFS, Fault, OPEN, READ, SYNC, TRUNCATE, UNLINK, WRITE,
};

/// Of each kind of fault, unless `CASEWRIGHT_SWEEP` says otherwise.
const SAMPLES: u64 = 8;

const ALL: u64 = OPEN | READ | WRITE | SYNC | TRUNCATE | UNLINK;

const FAULTS: [(&str, Fault); 7] = [
    ("one I/O error", Fault { error: EIO, kinds: ALL, torn: false, lasting: false }),
    ("one torn write", Fault { error: EIO, kinds: WRITE, torn: true, lasting: false }),
    ("one failed sync", Fault { error: EIO, kinds: SYNC, torn: false, lasting: false }),
    ("I/O errors", Fault { error: EIO, kinds: ALL, torn: false, lasting: true }),
    (
        "one write to a full disk",
        Fault { error: ENOSPC, kinds: OPEN | WRITE | TRUNCATE, torn: true, lasting: false },
    ),
    ("a full disk", Fault { error: ENOSPC, kinds: WRITE | TRUNCATE, torn: true, lasting: true }),
    (
        "a read-only file system",
        Fault { error: EROFS, kinds: OPEN | WRITE | TRUNCATE | UNLINK, torn: false, lasting: true },
    ),
];

fn sweep(name: &str) {
    let samples = std::env::var("CASEWRIGHT_SWEEP").unwrap_or_else(|_| SAMPLES.to_string());
    let folder = shim::folder();
    let control = folder.path().join("control");
    Control::make(&control);
    let variables = shim::environment(folder.path(), &control, None);
    let said = shim::run("sweep::child", &variables, &format!("{name}/{samples}"));
    let figures = said.lines().find_map(|line| line.split_once("swept: "));
    println!("{name}: {}", figures.expect("it says what it has done").1);
}

#[test]
fn one_io_error_anywhere_loses_nothing_and_is_recovered_from() {
    sweep("one I/O error");
}

#[test]
fn one_torn_write_anywhere_loses_nothing_and_is_recovered_from() {
    sweep("one torn write");
}

#[test]
fn one_failed_sync_anywhere_loses_nothing_and_is_recovered_from() {
    sweep("one failed sync");
}

#[test]
fn io_errors_from_anywhere_on_lose_nothing_and_are_recovered_from() {
    sweep("I/O errors");
}

#[test]
fn one_write_to_a_full_disk_anywhere_loses_nothing_and_is_recovered_from() {
    sweep("one write to a full disk");
}

#[test]
fn a_disk_that_is_full_from_anywhere_on_loses_nothing_and_is_recovered_from() {
    sweep("a full disk");
}

#[test]
fn a_file_system_that_is_read_only_from_anywhere_on_loses_nothing_and_is_recovered_from() {
    sweep("a read-only file system");
}

/// All lives of one kind of fault, one after the other, in one process: none may end it.
#[test]
#[ignore = "run by the tests above, with the shim"]
fn child() {
    let Some(asked) = shim::asked() else { return };
    let (name, samples) = asked.rsplit_once('/').expect("a fault and a number");
    let (_, fault) = FAULTS.iter().find(|(known, _)| *known == name).expect("a fault");
    let runtime = shim::runtime();
    let control = Control::of_this_process();
    let places = runtime.block_on(live(&control, fault, 0)).count;
    assert!(places > 10, "only {places} operations: the shim does not see them");
    let step = match samples {
        "all" => 1,
        samples => (places / samples.parse::<u64>().expect("a number")).max(1),
    };
    // Where the first of them is does not matter, but it must not be the same for every fault.
    let (mut lives, mut failed) = (0, 0);
    let mut first = match std::env::var("CASEWRIGHT_SWEEP_FROM") {
        Ok(first) => first.parse().expect("a number"),
        Err(_) => 1 + name.len() as u64 % step,
    };
    loop {
        let lived = runtime.block_on(live(&control, fault, first));
        if lived.failed == 0 {
            println!("\nswept: {lives} lives, {places} operations in one, {failed} have failed");
            return;
        }
        (lives, failed) = (lives + 1, failed + lived.failed);
        first += step;
    }
}

struct Lived {
    count: u64,
    failed: u64,
}

async fn live(control: &Control, fault: &Fault, first: u64) -> Lived {
    let base = std::env::var("CASEWRIGHT_SHIM_FOLDER").expect("a folder");
    let folder = Path::new(&base).join(format!("life-{first}"));
    std::fs::create_dir(&folder).expect("a folder");
    control.arm(fault, first);
    let acks = Life::new(&folder).lead(2).await;
    let lived = Lived { count: control.count(), failed: control.failed() };
    control.lift();
    let open = open_files(&folder);
    assert!(open.is_empty(), "{fault:?} at operation {first}: still open after the end: {open:?}");
    if let Err(wrong) = check(&folder.join(DATABASE), &acks).await {
        panic!("{fault:?} at operation {first}: {wrong}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
    lived
}

/// The files below `folder` that this process has open.
fn open_files(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc/self/fd").expect("a list");
    all.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|file| file.starts_with(folder) && !file.ends_with("casewright.db.acks"))
        .collect()
}
