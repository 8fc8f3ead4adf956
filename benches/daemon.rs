//! What the daemon costs, measured from outside: `cargo bench --bench daemon [-- --quick]`.
//!
//! Starts the real binary with the embedded sandbox on loopback. Nothing is asserted about time;
//! figures of different machines, or of a busy one, cannot be compared. `--binary PATH` measures
//! another build instead of this one, and several of them turn and turn about; `--only PART` runs
//! one part (`start`, `restart`, `memory`, `closed`, `open`, `members`, `watch`, `pages`, `overload`,
//! `slow`). `watch` asks the store of this build what watching cases asks it, at 1,000 to 100,000
//! incidents. The last three take minutes and run only if they are named: `--seconds N` is the length of the overload, or
//! of the siege by slow senders; `--rated N` declares the rated load instead of looking for it.
//! `--incidents N` is the length of the past that `pages` looks at.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for people at a terminal; if something is wrong it shall stop there"
)]

mod daemon_process;
mod history;
mod load;
mod overload;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon_process::{Contents, Home, TOKEN};
use load::{Outcome, Request, Traffic};
use overload::Trial;
use tokio::runtime::Runtime;

const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The goal is 2 s with 10,000.
const UNFINISHED: [usize; 2] = [10_000, 100_000];
const OPEN_RATE: f64 = 2_000.0;
/// What senders offer while people look at pages, per second.
const PAGES_RATE: f64 = 200.0;
const MEMBERS: [usize; 2] = [1, 5_000];
const INCIDENTS: [i64; 3] = [1_000, 10_000, 100_000];
/// So that a payload of new members stays far below the body limit.
const MEMBERS_PER_PAYLOAD: usize = 500;

fn main() {
    let options = Options::parse();
    let bench = Bench {
        one: Request::alertmanager(0, 1, TOKEN),
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime"),
        options,
    };
    println!(
        "{} cores, load generator included; one request is {} bytes; each line: {} runs of {} s, store in {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        bench.one.len(),
        bench.options.runs,
        bench.options.time.as_secs_f64(),
        std::env::temp_dir().display(),
    );
    for (nth, binary) in bench.options.binaries.iter().enumerate() {
        println!("binary {nth}: {}", binary.display());
    }
    bench.part("start", Bench::start);
    bench.part("restart", Bench::restart);
    bench.part("memory", Bench::memory);
    bench.part("closed", Bench::closed);
    bench.part("open", Bench::open);
    bench.part("members", Bench::members);
    bench.part("watch", Bench::watch);
    bench.part_if_named("pages", Bench::pages);
    bench.part_if_named("overload", Bench::overload);
    bench.part_if_named("slow", Bench::slow);
}

/// Resident memory idle and after the load, each now and at most, in MiB.
type Footprints = ((f64, f64), (f64, f64));

struct Options {
    binaries: Vec<PathBuf>,
    only: Vec<String>,
    starts: usize,
    runs: usize,
    time: Duration,
    overload: Trial,
    /// How many incidents the past has.
    incidents: usize,
    /// How often each page is asked for.
    asks: usize,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            binaries: Vec::new(),
            only: Vec::new(),
            starts: 10,
            runs: 5,
            time: Duration::from_secs(3),
            overload: Trial { time: Duration::from_secs(60), rated: None, factor: 3.0 },
            incidents: 100_000,
            asks: 50,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => {
                    options.starts = 3;
                    options.runs = 1;
                    options.asks = 10;
                    options.time = Duration::from_secs(1);
                }
                "--binary" => options.binaries.push(words.next().expect("--binary PATH").into()),
                "--only" => options.only.push(words.next().expect("--only PART")),
                "--seconds" => options.overload.time = Duration::from_secs_f64(number(&mut words)),
                "--rated" => options.overload.rated = Some(number(&mut words)),
                "--incidents" => {
                    options.incidents = number(&mut words) as usize;
                }
                "--bench" => {} // What `cargo bench` says to every benchmark.
                other => {
                    panic!(
                        "unknown option {other}; there are --quick, --only PART, --binary PATH, \
                         --seconds N, --rated N, --incidents N"
                    )
                }
            }
        }
        if options.binaries.is_empty() {
            options.binaries.push(env!("CARGO_BIN_EXE_casewright").into());
        }
        options
    }
}

fn number(words: &mut impl Iterator<Item = String>) -> f64 {
    words.next().and_then(|word| word.parse().ok()).expect("a number after the option")
}

struct Bench {
    options: Options,
    one: Request,
    runtime: Runtime,
}

/// One run under load, with what it left behind.
struct Run {
    outcome: Outcome,
    contents: Contents,
    memory: (f64, f64),
    /// Processor time of the daemon per webhook in microseconds, the work at the vendor included.
    /// It depends less on what else the machine does than the rest.
    processor: f64,
}

impl Bench {
    fn part(&self, name: &str, run: impl Fn(&Self)) {
        let only = &self.options.only;
        if only.is_empty() || only.iter().any(|part| part == name) {
            run(self);
        }
    }

    fn part_if_named(&self, name: &str, run: impl Fn(&Self)) {
        if self.options.only.iter().any(|part| part == name) {
            run(self);
        }
    }

    /// For each binary the results of all runs. The binaries take turns, so that a disturbance of
    /// the machine hits them all.
    fn turns<T>(&self, runs: usize, run: impl Fn(&Path) -> T) -> Vec<Vec<T>> {
        let mut results: Vec<Vec<T>> = self.options.binaries.iter().map(|_| Vec::new()).collect();
        for _ in 0..runs {
            for (binary, results) in self.options.binaries.iter().zip(&mut results) {
                results.push(run(binary));
            }
        }
        results
    }

    fn start(&self) {
        println!("\ncold start to ready, ms             binary     min  median     max");
        let starts = self.options.starts;
        let empty = self.turns(starts, |binary| millis(Home::new().start(binary).ready));
        let home = Home::new();
        {
            let process = home.start(&self.options.binaries[0]);
            let sending = load::open(
                process.webhooks,
                &self.one,
                Traffic::New,
                16,
                1_000.0,
                Duration::from_secs(1),
            );
            self.runtime.block_on(sending);
            process.settle(Duration::from_secs(20));
        }
        let existing = self.turns(starts, |binary| millis(home.start(binary).ready));
        let contents = self.runtime.block_on(home.contents());
        for (what, times) in [("empty store", empty), ("existing store", existing)] {
            for (nth, times) in times.into_iter().enumerate() {
                let [min, median, max] = spread(times);
                println!("{what:<36}{nth:>6}{min:>8.1}{median:>8.1}{max:>8.1}");
            }
        }
        println!("the existing store: {}", describe(contents));
    }

    /// Killed with so many actions unfinished, and started again: the log that is left has to be
    /// read, the file checked, and the outbox taken over.
    fn restart(&self) {
        println!("\nrestart after a kill to ready, ms    binary     min  median     max");
        for actions in UNFINISHED {
            let times = self.turns(self.options.starts.min(5), |binary| {
                let home = Home::new();
                drop(home.start(binary));
                self.runtime.block_on(home.fill_outbox(actions));
                // The first start takes over what was made by hand, and is killed at it.
                drop(home.start(binary));
                let unclean = home.log_bytes() > 0;
                assert!(unclean, "the kill left nothing in the log, so nothing would be checked");
                millis(home.start(binary).ready)
            });
            for (nth, times) in times.into_iter().enumerate() {
                let [min, median, max] = spread(times);
                let what = format!("{actions} unfinished actions");
                println!("{what:<36}{nth:>6}{min:>8.1}{median:>8.1}{max:>8.1}");
            }
        }
    }

    fn memory(&self) {
        println!("\nresident memory, MiB (median)       binary     now at most");
        let runs = self.turns(self.options.runs, |binary| {
            let home = Home::new();
            let process = home.start(binary);
            std::thread::sleep(Duration::from_millis(300));
            let idle = process.memory();
            let work =
                load::closed(process.webhooks, &self.one, Traffic::Mixed, 64, self.options.time);
            self.runtime.block_on(work);
            process.settle(Duration::from_secs(20));
            (idle, process.memory())
        });
        for (nth, runs) in runs.into_iter().enumerate() {
            let median = |pick: fn(&Footprints) -> f64| spread(runs.iter().map(pick).collect())[1];
            let (now, most) = (median(|run| run.0.0), median(|run| run.0.1));
            println!("{:<36}{nth:>6}{now:>8.1}{most:>8.1}", "idle after the start");
            let (now, most) = (median(|run| run.1.0), median(|run| run.1.1));
            println!("{:<36}{nth:>6}{now:>8.1}{most:>8.1}", "after the load (95 % repeats, 64)");
        }
    }

    fn closed(&self) {
        heading("closed loop, webhooks per second");
        for traffic in Traffic::ALL {
            for connections in CONNECTIONS {
                let runs = self.turns(self.options.runs, |binary| {
                    self.run(binary, 1, |address| {
                        self.runtime.block_on(load::closed(
                            address,
                            &self.one,
                            traffic,
                            connections,
                            self.options.time,
                        ))
                    })
                });
                print_runs(&format!("{}, {connections}", traffic.name()), runs);
            }
        }
    }

    fn open(&self) {
        heading(&format!("open loop, {OPEN_RATE}/s offered"));
        for traffic in [Traffic::Repeats, Traffic::Mixed] {
            let runs = self.turns(self.options.runs, |binary| {
                self.run(binary, 1, |address| {
                    let time = self.options.time;
                    self.runtime
                        .block_on(load::open(address, &self.one, traffic, 64, OPEN_RATE, time))
                })
            });
            print_runs(traffic.name(), runs);
        }
    }

    /// What a delivery costs must not depend on how many alerts the incident has already.
    fn members(&self) {
        heading("closed loop, one-alert repeats of an incident");
        for members in MEMBERS {
            let runs = self.turns(self.options.runs, |binary| {
                self.run(binary, members, |address| {
                    let time = self.options.time;
                    self.runtime.block_on(load::closed(
                        address,
                        &self.one,
                        Traffic::Repeats,
                        16,
                        time,
                    ))
                })
            });
            print_runs(&format!("{members} members, 16"), runs);
        }
    }

    /// What a person asks for, over a store with a past; then what senders feel of it.
    fn pages(&self) {
        let incidents = self.options.incidents;
        for binary in &self.options.binaries {
            let home = Home::new();
            drop(home.start(binary));
            self.runtime.block_on(history::fill(&home.store(), incidents));
            let process = home.start(binary);
            let token = home.token();
            let idle = process.memory();
            println!(
                "\npages over {incidents} incidents and {} attempts; ready after {:.0} ms, then {:.0} MiB\n{:<44} status   bytes  p50 ms  p99 ms",
                incidents * 10,
                millis(process.ready),
                idle.0,
                "path",
            );
            let paths = history::paths(incidents);
            for path in &paths {
                let asked = history::ask(process.admin, &token, path, self.options.asks);
                println!(
                    "{path:<44} {:>6}{:>8}{:>8.1}{:>8.1}",
                    asked.status,
                    asked.bytes,
                    asked.percentile(50),
                    asked.percentile(99),
                );
            }
            println!(
                "resident memory afterwards: {:.1} MiB, {:.1} at most",
                process.memory().0,
                process.memory().1
            );
            println!(
                "\nsenders, 95 % repeats, {PAGES_RATE}/s offered   2xx %  p50 ms  p99 ms  max ms"
            );
            for (what, readers) in [("nobody looks", 0), ("two look at page after page", 2)] {
                let over = std::sync::atomic::AtomicBool::new(false);
                let outcome = std::thread::scope(|scope| {
                    for _ in 0..readers {
                        scope.spawn(|| {
                            let mut paths = paths.iter().cycle();
                            while !over.load(std::sync::atomic::Ordering::Relaxed)
                                && let Some(path) = paths.next()
                            {
                                history::ask(process.admin, &token, path, 1);
                            }
                        });
                    }
                    let time = self.options.time;
                    let outcome = self.runtime.block_on(load::open(
                        process.webhooks,
                        &self.one,
                        Traffic::Mixed,
                        16,
                        PAGES_RATE,
                        time,
                    ));
                    over.store(true, std::sync::atomic::Ordering::Relaxed);
                    outcome
                });
                println!(
                    "{what:<40}{:>8.2}{:>8.2}{:>8.2}{:>8.2}",
                    outcome.share_accepted() * 100.0,
                    outcome.percentile(0.5),
                    outcome.percentile(0.99),
                    outcome.percentile(1.0),
                );
            }
        }
    }

    /// What watching asks must not depend on how much is over.
    fn watch(&self) {
        println!("\nwatching cases, ms                 incidents     min  median     max");
        for incidents in INCIDENTS {
            self.runtime.block_on(watch::measure(incidents, self.options.starts));
        }
    }

    fn overload(&self) {
        println!("\noverload, open loop, {}", Traffic::Mixed.name());
        for binary in &self.options.binaries {
            overload::measure(&self.runtime, binary, &self.one, &self.options.overload);
        }
    }

    fn slow(&self) {
        println!("\nslow, silent and huge senders");
        for binary in &self.options.binaries {
            overload::slow::measure(&self.runtime, binary, &self.one, self.options.overload.time);
        }
    }

    /// A fresh daemon whose incident 0 has so many members, under load.
    fn run(
        &self,
        binary: &Path,
        members: usize,
        load: impl FnOnce(std::net::SocketAddr) -> Outcome,
    ) -> Run {
        let home = Home::new();
        let process = home.start(binary);
        for first in (0..members).step_by(MEMBERS_PER_PAYLOAD) {
            let count = MEMBERS_PER_PAYLOAD.min(members - first);
            let request = Request::alertmanager(first, count, TOKEN);
            let status = self.runtime.block_on(load::once(process.webhooks, &request));
            assert_eq!(status.expect("an answer"), 202);
        }
        process.settle(Duration::from_secs(5));
        let before = process.processor_time();
        let outcome = load(process.webhooks);
        let used = process.processor_time() - before;
        let processor = used * 1e6 / outcome.accepted.max(1) as f64;
        let memory = process.memory();
        drop(process);
        let contents = self.runtime.block_on(home.contents());
        let acknowledged = outcome.accepted + members.div_ceil(MEMBERS_PER_PAYLOAD);
        assert!(
            usize::try_from(contents.deliveries).is_ok_and(|kept| kept >= acknowledged),
            "{acknowledged} deliveries were acknowledged, {} are on disk",
            contents.deliveries
        );
        Run { outcome, contents, memory, processor }
    }
}

fn heading(title: &str) {
    println!(
        "\n{title:<46}binary     min  median     max |  p50 ms  p99 ms  max ms |  cpu us |   2xx % | RSS MiB | store after the median run"
    );
}

fn print_runs(what: &str, runs: Vec<Vec<Run>>) {
    for (nth, mut runs) in runs.into_iter().enumerate() {
        runs.sort_by(|a, b| a.outcome.per_second().total_cmp(&b.outcome.per_second()));
        let [min, _, max] = spread(runs.iter().map(|run| run.outcome.per_second()).collect());
        let median = &runs[runs.len() / 2];
        let outcome = &median.outcome;
        println!(
            "{what:<46}{nth:>6}{min:>8.0}{:>8.0}{max:>8.0} |{:>8.2}{:>8.2}{:>8.2} |{:>8.0} |{:>8.2} |{:>8.1} | {}",
            outcome.per_second(),
            outcome.percentile(0.5),
            outcome.percentile(0.99),
            outcome.percentile(1.0),
            median.processor,
            outcome.share_accepted() * 100.0,
            median.memory.0,
            describe(median.contents),
        );
    }
}

fn describe(contents: Contents) -> String {
    let Contents { bytes, deliveries, incidents, members, actions } = contents;
    format!(
        "{:.1} MiB, {deliveries} deliveries, {incidents} incidents, {members} members, {actions} actions",
        bytes as f64 / 1024.0 / 1024.0
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Smallest, median, largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}
