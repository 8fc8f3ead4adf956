//! Thousands who connect and say nothing, hundreds who say it a byte a second, and a few with huge
//! bodies, all at once: do ordinary senders notice?

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::generator::{self, Phase};
use super::{heading, of_phase, print_phase};
use crate::daemon_process::{Home, TOKEN, Vendor, own_processor_time};
use crate::load::{Request, Traffic};

/// Who connect and say nothing. Whoever is closed comes again after [`REST`].
const IDLE: usize = 4_000;
/// Who send a byte of their body each second.
const SLOW: usize = 300;
/// Who send bodies around the limit of 8 MiB, again and again.
const HUGE: usize = 4;
/// Alerts in a body that is just below the limit.
const ALERTS: usize = 4_500;
/// The ordinary senders.
const ORDINARY: f64 = 100.0;
const REST: Duration = Duration::from_secs(2);
/// How long it is calm before.
const CALM: Duration = Duration::from_secs(10);

/// Runs it and prints what came of it.
pub(crate) fn measure(runtime: &Runtime, binary: &Path, one: &Request, time: Duration) {
    let vendor = Vendor::start(binary);
    let home = Home::apart_from(&vendor);
    let process = home.start(binary);
    let address = process.webhooks;
    let huge = Request::alertmanager(0, ALERTS, TOKEN);
    println!(
        "{IDLE} silent connections, {SLOW} senders of a byte a second, {HUGE} senders of up to {:.1} MiB; ordinary senders: {ORDINARY}/s",
        huge.len() as f64 / 1024.0 / 1024.0
    );
    let calm = Phase { per_second: ORDINARY, time: CALM };
    let siege = Phase { per_second: ORDINARY, time };
    let before = own_processor_time();
    let (quiet, during, answers) = runtime.block_on(async {
        let quiet = generator::run(address, one, Traffic::Mixed, 0, &[calm]).await;
        let mut besiegers = JoinSet::new();
        (0..IDLE).for_each(|_| drop(besiegers.spawn(say_nothing(address))));
        (0..SLOW).for_each(|_| drop(besiegers.spawn(say_it_slowly(address))));
        let mut shouters = JoinSet::new();
        for nth in 0..HUGE {
            let body = match nth % HUGE {
                // One that is announced to be too long, one of a stranger, and two that are heard.
                0 => announced(9 << 20),
                1 => Request::alertmanager(0, ALERTS, "not-the-token"),
                _ => huge.clone(),
            };
            shouters.spawn(shout(address, body, time));
        }
        let during = generator::run(address, one, Traffic::Mixed, 1 << 32, &[siege]).await;
        let mut answers = Vec::new();
        while let Some(Ok(heard)) = shouters.join_next().await {
            answers.extend(heard);
        }
        (quiet, during, answers)
    });
    heading();
    print_phase("ordinary senders, calm", &of_phase(&quiet, 0), calm);
    print_phase("ordinary senders, besieged", &of_phase(&during, 0), siege);
    let mut kinds = std::collections::BTreeMap::<u16, usize>::new();
    answers.iter().for_each(|status| *kinds.entry(*status).or_default() += 1);
    println!("answers to huge bodies (0: the connection broke): {kinds:?}");
    let (now, most) = process.memory();
    println!("resident memory of the daemon: {most:.1} MiB at most, {now:.1} MiB at the end");
    println!(
        "processor time: besiegers and generator {:.1} s, daemon {:.1} s",
        own_processor_time() - before,
        process.processor_time()
    );
}

/// A head that announces so many bytes.
fn announced(bytes: usize) -> Request {
    Request::announcing(bytes, TOKEN)
}

async fn say_nothing(address: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.read(&mut [0; 64]).await;
        }
        tokio::time::sleep(REST).await;
    }
}

async fn say_it_slowly(address: SocketAddr) {
    let head = announced(1_000);
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(head.bytes()).await.is_ok()
        {
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        tokio::time::sleep(REST).await;
    }
}

/// What was answered, each time.
async fn shout(address: SocketAddr, request: Request, time: Duration) -> Vec<u16> {
    let begin = std::time::Instant::now();
    let mut answers = Vec::new();
    while begin.elapsed() < time {
        answers.push(crate::load::once(address, &request).await.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    answers
}
