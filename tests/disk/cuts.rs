//! The power is cut at many instants of a store's life. What is left on the disk, by the rules of
//! [`model`](crate::model), is opened by the real store and must hold what was acknowledged.
//!
//! `CASEWRIGHT_CUTS` says how often. A failure names its seed and keeps its trace;
//! `CASEWRIGHT_CUT_SEED` and `CASEWRIGHT_CUT_TRACE` repeat it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use casewright::rng::Rng;

use crate::check::check;
use crate::life::Life;
use crate::model::{self, Event, Op};
use crate::shim::{self, Control, DATABASE, EIO, Fault, SYNC};

/// Unless `CASEWRIGHT_CUTS` says otherwise.
const CUTS: usize = 60;

/// Of each life in which a sync fails.
const CUTS_PER_LIFE: usize = 20;

/// How long the lives are.
const ROUNDS: usize = 6;

const NO_SYNC: Fault = Fault { error: EIO, kinds: SYNC, torn: false, lasting: false };

/// A life as the shim saw it.
struct Traced {
    events: Vec<Event>,
    /// How many syncs there were.
    syncs: u64,
    /// The trace, to be kept if it is of interest.
    file: Vec<u8>,
}

/// Leads a life. The `failing` sync fails; 0: none does.
fn live(failing: u64) -> Traced {
    if let Some(kept) = std::env::var_os("CASEWRIGHT_CUT_TRACE") {
        let file = std::fs::read(kept).expect("a trace");
        return Traced { events: model::read(&file), syncs: 0, file };
    }
    let folder = shim::folder();
    let (control, trace) = (folder.path().join("control"), folder.path().join("trace"));
    let steered = Control::make(&control);
    steered.arm(&NO_SYNC, failing);
    let variables = shim::environment(folder.path(), &control, Some(&trace));
    shim::run("cuts::child", &variables, "a life");
    assert_eq!(steered.failed(), u64::from(failing > 0));
    let file = std::fs::read(trace).expect("a trace");
    Traced { events: model::read(&file), syncs: steered.count(), file }
}

impl Traced {
    /// Cuts the power of this life that often; nothing may be wrong afterwards.
    fn survives(&self, cuts: usize, seed: u64) {
        let wrong = cut_often(&self.events, cuts, seed);
        if wrong.is_empty() {
            return;
        }
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cut-{seed}.trace"));
        std::fs::write(&kept, &self.file).expect("written");
        panic!("{} of {cuts}, trace in {}: {wrong:#?}", wrong.len(), kept.display());
    }
}

#[test]
#[ignore = "run by the tests above, with the shim"]
fn child() {
    if shim::asked().is_none() {
        return;
    }
    let folder = PathBuf::from(std::env::var_os("CASEWRIGHT_SHIM_FOLDER").expect("a folder"));
    let acks = shim::runtime().block_on(Life::new(&folder).lead(ROUNDS));
    assert!(acks.len() > ROUNDS * 10, "too little was acknowledged: {}", acks.len());
}

/// Cuts the power of this life `cuts` times. What was wrong afterwards, and with which seed.
fn cut_often(events: &[Event], cuts: usize, seed: u64) -> Vec<String> {
    let runtime = shim::runtime();
    let after_acks: Vec<usize> =
        (1..=events.len()).filter(|end| events[end - 1].is_ack()).collect();
    (0..cuts as u64)
        .filter_map(|number| {
            let seed = seed.wrapping_add(number);
            let rng = Rng::seeded(seed);
            let pick = |among: usize| (rng.unit() * among as f64) as usize;
            // Anywhere, and where the most is promised: right behind an acknowledgement.
            let end = match number % 2 {
                0 => pick(events.len() + 1),
                _ => after_acks[pick(after_acks.len())],
            };
            let folder = shim::folder();
            model::cut(&events[..end], &rng, folder.path());
            let acks = model::acks(&events[..end]);
            let path = folder.path().join(DATABASE);
            // What was kept of a file that nobody was told of may be no database at all.
            let nothing_promised = acks.is_empty();
            match runtime.block_on(check(&path, &acks)) {
                Err(wrong) if !nothing_promised => Some(format!(
                    "seed {seed}, after {end} of {} operations: {wrong}",
                    events.len()
                )),
                _ => None,
            }
        })
        .collect()
}

fn seed() -> u64 {
    std::env::var("CASEWRIGHT_CUT_SEED").map_or_else(
        |_| u64::from_be_bytes(*Rng::from_os().bytes().first_chunk().expect("16 bytes")),
        |seed| seed.parse().expect("a number"),
    )
}

#[test]
fn a_power_cut_at_any_instant_takes_nothing_that_was_acknowledged() {
    let (cuts, seed) = (shim::number("CASEWRIGHT_CUTS", CUTS), seed());
    let begun = Instant::now();
    let life = live(0);
    life.survives(cuts, seed);
    let (operations, seconds) = (life.events.len(), begun.elapsed().as_secs());
    println!("{cuts} cuts in a life of {operations} operations, {} syncs: {seconds} s", life.syncs);
}

#[test]
fn what_is_acknowledged_after_a_sync_that_failed_survives_a_power_cut_too() {
    let (cuts, seed) = (shim::number("CASEWRIGHT_CUTS", CUTS), seed());
    let begun = Instant::now();
    let syncs = live(0).syncs.max(1);
    // One life for every so many cuts, each with another sync that fails.
    let lives = (cuts / CUTS_PER_LIFE).max(1) as u64;
    for number in 0..lives {
        let failing = 1 + (seed.wrapping_add(number * 7919)) % syncs;
        live(failing).survives(CUTS_PER_LIFE, seed.wrapping_add(number * 1_000_000));
    }
    let (cuts, seconds) = (lives as usize * CUTS_PER_LIFE, begun.elapsed().as_secs());
    println!("{cuts} cuts in {lives} lives, in each of which a sync failed: {seconds} s");
}

/// Else a green model would prove nothing.
#[test]
fn a_store_that_does_not_sync_its_log_is_found_out() {
    let mut events = live(0).events;
    events.retain(|event| event.suffix != "-wal" || !matches!(event.op, Op::Sync));
    let wrong = cut_often(&events, CUTS, 1);
    println!("{} of {CUTS} cuts have found it out", wrong.len());
    assert!(wrong.len() > CUTS / 4, "only {wrong:#?}");
}
