//! The deterministic simulation: the real intake, lifecycle, store, dispatcher and vendor client
//! live in virtual time, in a world where everything goes wrong that can. All that happens in a
//! world follows from one number, its seed.
//!
//! `cargo test` runs some hundred seeds. Others are run with
//! `CASEWRIGHT_SEEDS=1000..2000 cargo test --release --test simulation -- --nocapture`, and
//! `CASEWRIGHT_SEED=1234` shows the trace of one.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it is a test"
)]

mod books;
mod desk;
mod dice;
mod ground;
mod life;
mod lives;
mod senders;
mod store;
mod story;
mod wire;
mod world;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use casewright::config::Lookup;
use ground::Counters;
use story::Report;
use world::Plan;

/// How many seeds `cargo test` runs.
const ENOUGH: u64 = 200;

/// What a run of so many seeds must have seen.
const MUST_HAPPEN: &[&str] = &[
    // Faults of the network and of the vendor.
    "NotSent on a write",
    "RequestLost on a write",
    "AnswerLost on a write",
    "Late on a write",
    "ErrorBefore on a write",
    "ErrorAfter on a write",
    "Throttled on a write",
    "Refused on a write",
    "CutOff on a write",
    "Garbage on a write",
    "Slow on a write",
    "AnswerLost on a read",
    "CutOff on a read",
    "Garbage on a read",
    "signature's time refused",
    "vendor closes a case",
    "a case is copied",
    "a second case came true too late",
    "two cases noticed",
    // Faults of senders and of the machine.
    "webhook lost",
    "webhook repeated late",
    "answer to a webhook lost",
    "nobody takes the webhook",
    "clock jumps",
    "clock jumps while a request is on its way",
    "killed",
    "restarted in good order",
    "crash at before ingest",
    "crash at after ingest",
    "crash at before begin",
    "crash at after begin",
    "crash at before request",
    "crash at after request",
    "crash at before settle",
    "crash at after settle",
    "crash at after claim",
    "crash at before advance",
    "crash at after advance",
    // What came of attempts, and what followed.
    "done => done",
    "refused => dead",
    "not_sent => send",
    "throttled => send",
    "denied => send",
    "unknown => look",
    "failed => look",
    "absent => look",
    "absent => send",
    "absent => held",
    "found => done",
    "found => look",
    "several => done",
    "outcome refused",
    "sent again after looks",
    "a person revives held Send",
    "a person revives dead Send",
    "gate tripped",
    "gate denied",
    "gate paused",
    "gate open",
    // The life of an incident.
    "none -> pending",
    "none -> opening",
    "pending -> opening",
    "pending -> dropped",
    "none -> held",
    "pending -> held",
    "held -> opening",
    "held -> dropped",
    "a person approves",
    "none -> rollup",
    "ends held",
    "opening -> open",
    "opening -> closed",
    "opening -> resolving",
    "opening -> failed",
    "failed -> opening",
    "open -> open",
    "open -> resolving",
    "open -> closed",
    "resolving -> open",
    "resolving -> closed",
    "closed -> open",
    "delivery accepted",
    "delivery repeat",
    "delivery redelivered",
];

fn plan() -> Arc<Plan> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/files");
    let nothing: Lookup<'_> = &|_| None;
    let (setup, diagnostics) = casewright::setup::load(&files.join("casewright.yaml"), nothing);
    let setup = setup.unwrap_or_else(|| panic!("{diagnostics:?}"));
    Arc::new(Plan { config: setup.config, playbook: Arc::new(setup.playbook) })
}

/// Stores live on threads of their own.
fn stores() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The seeds that are asked for.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("CASEWRIGHT_SEEDS") else { return 0..ENOUGH };
    let parsed = match text.split_once("..") {
        Some((from, to)) => from.parse().and_then(|from| Ok(from..to.parse()?)),
        None => text.parse().map(|count| 0..count),
    };
    parsed.expect("CASEWRIGHT_SEEDS is a number or a range such as 1000..2000")
}

#[test]
fn whatever_happens_every_incident_gets_exactly_one_case() {
    let plan = plan();
    if let Ok(seed) = std::env::var("CASEWRIGHT_SEED") {
        let seed = seed.parse().expect("CASEWRIGHT_SEED is a number");
        let stores = stores();
        let report = story::tell(seed, &plan, stores.handle());
        println!("{}", report.trace.join("\n"));
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        return;
    }
    let seeds = seeds();
    let (next, began) = (AtomicU64::new(seeds.start), Instant::now());
    let counters: Mutex<Counters> = Mutex::default();
    let failed: Mutex<Vec<(u64, Vec<String>)>> = Mutex::default();
    std::thread::scope(|threads| {
        // Each waits for its store half of the time.
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                let stores = stores();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().unwrap().len() >= 10 {
                        break;
                    }
                    let report = story::tell(seed, &plan, stores.handle());
                    add(&mut counters.lock().unwrap(), report.counters);
                    if !report.violations.is_empty() {
                        failed.lock().unwrap().push((seed, report.violations));
                    }
                }
            });
        }
    });
    let took = began.elapsed().as_secs_f64();
    let count = seeds.end - seeds.start;
    let counters = counters.into_inner().unwrap();
    for (what, times) in &counters {
        println!("{times:>9} {what}");
    }
    println!("{count} seeds in {took:.1} s: {:.1} seeds per second", count as f64 / took);
    let failed = failed.into_inner().unwrap();
    let told: Vec<String> = failed.iter().map(|(seed, what)| tell_of(*seed, what)).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
    let missing: Vec<&&str> =
        MUST_HAPPEN.iter().filter(|what| !counters.contains_key(**what)).collect();
    assert!(count < ENOUGH || missing.is_empty(), "never happened: {missing:#?}");
}

fn tell_of(seed: u64, violations: &[String]) -> String {
    format!(
        "seed {seed}: {}\n  replay: CASEWRIGHT_SEED={seed} cargo test --test simulation whatever -- --nocapture",
        violations.join("\n  ")
    )
}

fn add(sum: &mut Counters, more: Counters) {
    for (what, times) in more {
        *sum.entry(what).or_default() += times;
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let (plan, stores) = (plan(), stores());
    for seed in 0..4 {
        let Report { trace: first, .. } = story::tell(seed, &plan, stores.handle());
        let Report { trace: second, .. } = story::tell(seed, &plan, stores.handle());
        let differs = first.iter().zip(&second).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed} went two ways");
        assert_eq!(first.len(), second.len(), "seed {seed} went two ways");
        assert!(first.len() > 100, "seed {seed} has hardly any story");
    }
}
