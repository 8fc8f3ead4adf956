//! Three times what the daemon carries, for a minute: does what it accepts stay quick, is the rest
//! refused at once, does its memory stay bounded, and how soon is it itself again?
//!
//! The vendor is a process of its own here. Only loopback addresses are used.

pub(crate) mod generator;
pub(crate) mod slow;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use self::generator::{Answer, Phase, Shot};
use crate::daemon_process::{Home, Vendor, own_processor_time};
use crate::load::{Request, Traffic};

/// The rated load is the greatest that is carried with everything accepted and a 99th percentile
/// below this.
const RATED_P99: Duration = Duration::from_millis(50);
/// The first load that is tried, and how much more each next one is.
const FIRST_RATE: f64 = 1_000.0;
const STEP: f64 = 1.3;
/// How long each load is tried.
const TRY: Duration = Duration::from_secs(3);
/// How often a load is tried before it is taken for too much: the machine does other things too.
const TRIES: usize = 3;
/// So many loads in a row that are not carried end the search.
const FAILED: usize = 2;
/// How long the rated load goes on before and after.
const AROUND: Duration = Duration::from_secs(20);
/// Normal is told in pieces of this length.
const PIECE: Duration = Duration::from_millis(500);
/// So many normal pieces in a row are normality.
const NORMAL_PIECES: usize = 4;

/// What is to be measured.
pub(crate) struct Trial {
    /// Of the overload.
    pub(crate) time: Duration,
    /// The rated load in requests a second; found out if not given.
    pub(crate) rated: Option<f64>,
    /// How many times the rated load.
    pub(crate) factor: f64,
}

/// Runs it and prints what came of it.
pub(crate) fn measure(runtime: &Runtime, binary: &Path, one: &Request, trial: &Trial) {
    let vendor = Vendor::start(binary);
    let rated = trial.rated.unwrap_or_else(|| find_rated(runtime, binary, &vendor, one));
    println!("rated load: {rated:.0}/s");
    let home = Home::apart_from(&vendor);
    let process = home.start(binary);
    let normal = Phase { per_second: rated, time: AROUND };
    let over = Phase { per_second: rated * trial.factor, time: trial.time };
    let before = (own_processor_time(), process.processor_time());
    let phases = [normal, over, normal];
    let work = generator::run(process.webhooks, one, Traffic::Mixed, 0, &phases);
    let shots = runtime.block_on(work);
    let time = (AROUND * 2 + trial.time).as_secs_f64();
    let cores = |now: f64, before: f64| (now - before) / time;
    heading();
    let [first, second, last] = [0, 1, 2].map(|phase| of_phase(&shots, phase));
    print_phase("rated load before", &first, normal);
    let name = format!("{} times the rated load", trial.factor);
    print_phase(&name, &second, over);
    print_phase("rated load after", &last, normal);
    let share = |phase: &[Shot]| count(phase, Answer::Accepted) as f64 / phase.len().max(1) as f64;
    let goodput = share(&second) * trial.factor / share(&first);
    println!("goodput in the overload: {:.0} % of the rated load", goodput * 100.0);
    match normal_again(&last, &first) {
        Some(after) => println!("normal again after: {:.1} s", after.as_secs_f64()),
        None => println!("normal again after: not within {} s", AROUND.as_secs()),
    }
    let (now, most) = process.memory();
    println!("resident memory of the daemon: {most:.1} MiB at most, {now:.1} MiB at the end");
    println!(
        "cores used: generator {:.2}, daemon {:.2}; what the generator uses is missing to the daemon",
        cores(own_processor_time(), before.0),
        cores(process.processor_time(), before.1),
    );
    drop(process);
    let contents = runtime.block_on(home.contents());
    let acknowledged = count(&shots, Answer::Accepted);
    assert!(
        usize::try_from(contents.deliveries).is_ok_and(|kept| kept >= acknowledged),
        "{acknowledged} deliveries were acknowledged, {} are on disk",
        contents.deliveries
    );
    println!("{acknowledged} deliveries were acknowledged, {} are on disk", contents.deliveries);
}

/// The greatest load of the ladder that is carried.
fn find_rated(runtime: &Runtime, binary: &Path, vendor: &Vendor, one: &Request) -> f64 {
    println!("looking for the rated load: all accepted, p99 below {} ms", RATED_P99.as_millis());
    let home = Home::apart_from(vendor);
    let process = home.start(binary);
    let mut first = 1 << 32;
    let mut rated = FIRST_RATE;
    let mut rate = FIRST_RATE;
    let mut failed = 0;
    while failed < FAILED {
        let carried = (0..TRIES).any(|_| {
            let phase = Phase { per_second: rate, time: TRY };
            let shots = runtime.block_on(carries(process.webhooks, one, phase, first));
            first += 1 << 24;
            let late = percentile(&latencies(&shots, Answer::Accepted), 0.99);
            let accepted = count(&shots, Answer::Accepted);
            println!("  {rate:>6.0}/s: {accepted} of {} accepted, p99 {}", shots.len(), ms(late));
            accepted == shots.len() && late < RATED_P99
        });
        if carried {
            (rated, failed) = (rate, 0);
        } else {
            failed += 1;
        }
        rate *= STEP;
    }
    rated
}

async fn carries(address: SocketAddr, one: &Request, phase: Phase, first: u64) -> Vec<Shot> {
    generator::run(address, one, Traffic::Mixed, first, &[phase]).await
}

fn of_phase(shots: &[Shot], phase: u32) -> Vec<Shot> {
    shots.iter().copied().filter(|shot| shot.phase == phase).collect()
}

/// When, after its beginning, `after` is as `before` was: in a piece not more refused, and not a
/// higher 99th percentile, than in the worst piece there.
fn normal_again(after: &[Shot], before: &[Shot]) -> Option<Duration> {
    let late = |piece: &Vec<Shot>| percentile(&latencies(piece, Answer::Accepted), 0.99);
    let refused = |piece: &Vec<Shot>| piece.len() - count(piece, Answer::Accepted);
    let worst = pieces(before).iter().map(late).max().unwrap_or_default().max(RATED_P99);
    let most = pieces(before).iter().map(refused).max().unwrap_or_default();
    let normal: Vec<bool> =
        pieces(after).iter().map(|piece| refused(piece) <= most && late(piece) <= worst).collect();
    let first = normal.windows(NORMAL_PIECES).position(|window| window.iter().all(|good| *good))?;
    Some(PIECE * u32::try_from(first).ok()?)
}

fn pieces(shots: &[Shot]) -> Vec<Vec<Shot>> {
    let mut pieces: Vec<Vec<Shot>> = Vec::new();
    for shot in shots {
        let nth = usize::try_from(shot.due.as_millis() / PIECE.as_millis()).expect("not so long");
        if pieces.len() <= nth {
            pieces.resize(nth + 1, Vec::new());
        }
        pieces[nth].push(*shot);
    }
    pieces
}

/// The head of the table of [`print_phase`].
fn heading() {
    println!(
        "\n{:<30}{:>9}{:>12}{:>9}{:>9} | accepted, ms: p50{:>9}{:>9} | shed, ms: p50{:>9}{:>9}",
        "", "sent/s", "accepted/s", "shed/s", "failed", "p99", "max", "p99", "max"
    );
}

/// One line.
fn print_phase(name: &str, shots: &[Shot], phase: Phase) {
    let time = phase.time.as_secs_f64();
    let per_second = |answer: Answer| count(shots, answer) as f64 / time;
    let spread = |answer: Answer| {
        let latencies = latencies(shots, answer);
        [0.5, 0.99, 1.0].map(|share| ms(percentile(&latencies, share)))
    };
    let [a50, a99, a100] = spread(Answer::Accepted);
    let [s50, s99, s100] = spread(Answer::Shed);
    println!(
        "{name:<30}{:>9.0}{:>12.0}{:>9.0}{:>9} |{a50:>18}{a99:>9}{a100:>9} |{s50:>14}{s99:>9}{s100:>9}",
        shots.len() as f64 / time,
        per_second(Answer::Accepted),
        per_second(Answer::Shed),
        count(shots, Answer::Failed),
    );
}

fn count(shots: &[Shot], answer: Answer) -> usize {
    shots.iter().filter(|shot| shot.answer == answer).count()
}

fn latencies(shots: &[Shot], answer: Answer) -> Vec<Duration> {
    let mut latencies: Vec<_> =
        shots.iter().filter(|shot| shot.answer == answer).map(|shot| shot.latency).collect();
    latencies.sort_unstable();
    latencies
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
