//! An open-loop generator: requests are due at fixed times whether earlier ones were answered or
//! not, and a latency counts from the time at which its request was due. Nothing here may wait for
//! an answer before it sends the next request.
//!
//! It must stay light, because it shares the machine with the daemon: prebuilt requests, plain TCP
//! with keep-alive, one thread that wakes once a millisecond.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::load::{Connection, Request, Traffic};

/// Below the daemon's own limit of connections. A request that finds all of them busy waits, and
/// its latency tells.
const CONNECTIONS: usize = 600;
/// How often it is looked which requests are due.
const TICK: Duration = Duration::from_millis(1);
/// How long answers are waited for after the last request.
const GRACE: Duration = Duration::from_secs(5);

/// So many requests a second for so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) per_second: f64,
    pub(crate) time: Duration,
}

impl Phase {
    fn requests(self) -> u64 {
        (self.per_second * self.time.as_secs_f64()) as u64
    }
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With 2xx.
    Accepted,
    /// With 503.
    Shed,
    /// Otherwise, or not at all.
    Failed,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shot {
    pub(crate) phase: u32,
    /// Since the beginning of its phase.
    pub(crate) due: Duration,
    /// Since it was due.
    pub(crate) latency: Duration,
    pub(crate) answer: Answer,
}

/// A request that is to be sent.
struct Due {
    nth: u64,
    phase: u32,
    since_phase: Duration,
    at: Instant,
}

/// What the tasks of a run share; they are all on one thread.
struct Range {
    address: SocketAddr,
    request: Request,
    traffic: Traffic,
    due: RefCell<VecDeque<Due>>,
    /// Connections without work. The last one in is the first one out, so few are used.
    idle: RefCell<Vec<Rc<Notify>>>,
    connections: Cell<usize>,
    over: Cell<bool>,
    shots: RefCell<Vec<Shot>>,
}

/// Sends the phases one after the other without a pause. `first` is the number of the first
/// request, so that a later run tells of incidents of its own.
pub(crate) async fn run(
    address: SocketAddr,
    request: &Request,
    traffic: Traffic,
    first: u64,
    phases: &[Phase],
) -> Vec<Shot> {
    let total: u64 = phases.iter().map(|phase| phase.requests()).sum();
    let range = Rc::new(Range {
        address,
        request: request.clone(),
        traffic,
        due: RefCell::default(),
        idle: RefCell::default(),
        connections: Cell::new(0),
        over: Cell::new(false),
        shots: RefCell::new(Vec::with_capacity(usize::try_from(total).unwrap_or(0))),
    });
    let all = usize::try_from(total).expect("not so many");
    LocalSet::new()
        .run_until(async {
            pace(&range, first, phases).await;
            let end = Instant::now();
            while range.shots.borrow().len() < all && end.elapsed() < GRACE {
                tokio::time::sleep(TICK).await;
            }
            range.over.set(true);
        })
        .await;
    let mut shots = range.shots.take();
    // Whatever was never answered has taken at least that long.
    shots.extend((shots.len()..all).map(|_| Shot {
        phase: u32::try_from(phases.len().saturating_sub(1)).unwrap_or(0),
        due: Duration::ZERO,
        latency: GRACE,
        answer: Answer::Failed,
    }));
    shots
}

async fn pace(range: &Rc<Range>, first: u64, phases: &[Phase]) {
    let mut begin = Instant::now();
    let mut nth = first;
    for (number, phase) in phases.iter().enumerate() {
        let number = u32::try_from(number).expect("few phases");
        for sent in 0..phase.requests() {
            let since_phase = Duration::from_secs_f64(sent as f64 / phase.per_second);
            let at = begin + since_phase;
            while Instant::now() < at {
                tokio::time::sleep(TICK).await;
            }
            shoot(range, Due { nth, phase: number, since_phase, at });
            nth += 1;
        }
        begin += phase.time;
    }
}

fn shoot(range: &Rc<Range>, due: Due) {
    range.due.borrow_mut().push_back(due);
    if let Some(idle) = range.idle.borrow_mut().pop() {
        idle.notify_one();
    } else if range.connections.get() < CONNECTIONS {
        range.connections.set(range.connections.get() + 1);
        tokio::task::spawn_local(work(range.clone()));
    }
}

/// One connection, for as long as the run goes on.
async fn work(range: Rc<Range>) {
    let mut request = range.request.clone();
    let mut connection = Connection::new(range.address);
    let wake = Rc::new(Notify::new());
    while !range.over.get() {
        let next = range.due.borrow_mut().pop_front();
        let Some(due) = next else {
            range.idle.borrow_mut().push(wake.clone());
            wake.notified().await;
            continue;
        };
        request.number(range.traffic.incident(due.nth));
        let reused = connection.is_open();
        let mut answered = connection.send(&request).await;
        if answered.is_err() && reused {
            // The daemon had closed it while it was idle; Go's client tries again as well.
            answered = connection.send(&request).await;
        }
        let answer = match answered {
            Ok(200..=299) => Answer::Accepted,
            Ok(503) => Answer::Shed,
            Ok(_) | Err(_) => Answer::Failed,
        };
        range.shots.borrow_mut().push(Shot {
            phase: due.phase,
            due: due.since_phase,
            latency: due.at.elapsed(),
            answer,
        });
    }
}
