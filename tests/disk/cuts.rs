//! The power is cut at many instants of a store's life. What is left on the disk, by the rules of
//! [`model`](crate::model), is opened by the real store and must hold what was acknowledged.
//!
//! `CASEWRIGHT_CUTS` says how often, `CASEWRIGHT_CUT_SEED` repeats a run with the trace that it
//! printed (`CASEWRIGHT_CUT_TRACE`), or with a new one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use casewright::rng::Rng;

use crate::check::check;
use crate::life::Life;
use crate::model::{self, Event};
use crate::shim::{self, Control, DATABASE, EIO, Fault, SYNC};

/// Unless `CASEWRIGHT_CUTS` says otherwise.
const CUTS: usize = 60;

/// How long the lives are.
const ROUNDS: usize = 6;

const NO_SYNC: Fault = Fault { error: EIO, kinds: SYNC, torn: false, lasting: false };

/// A life, and the trace of it. The `failing` sync fails; 0: none does.
fn live(failing: u64) -> (Vec<Event>, u64) {
    let folder = shim::folder();
    let (control, trace) = (folder.path().join("control"), folder.path().join("trace"));
    let steered = Control::make(&control);
    steered.arm(&NO_SYNC, failing);
    let variables = shim::environment(folder.path(), &control, Some(&trace));
    shim::run("cuts::child", &variables, "a life");
    assert_eq!(steered.failed(), u64::from(failing > 0));
    (model::read(&trace), steered.count())
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

/// Keeps the trace of a failure, so that it can be repeated.
fn trace_of(failing: u64) -> (Vec<Event>, u64) {
    match std::env::var_os("CASEWRIGHT_CUT_TRACE") {
        Some(kept) => (model::read(Path::new(&kept)), 0),
        None => live(failing),
    }
}

#[test]
fn a_power_cut_at_any_instant_takes_nothing_that_was_acknowledged() {
    let (cuts, seed) = (shim::number("CASEWRIGHT_CUTS", CUTS), seed());
    let begun = Instant::now();
    let (events, syncs) = trace_of(0);
    let wrong = cut_often(&events, cuts, seed);
    let seconds = begun.elapsed().as_secs();
    println!("{cuts} cuts in a life of {} operations, {syncs} syncs: {seconds} s", events.len());
    assert!(wrong.is_empty(), "{} of {cuts}: {wrong:#?}", wrong.len());
}
