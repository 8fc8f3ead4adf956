//! The ground that everything stands on: true time, the trace, what was hit, what was broken.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use casewright::clock::Clock;
use casewright::time::{between, later};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How often each thing happened that a run must have seen.
pub(crate) type Counters = BTreeMap<String, u64>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Ground {
    began: Instant,
    base: Timestamp,
    /// By how much the daemon's clock is ahead of the true time, in microseconds.
    ahead: AtomicI64,
    trace: Mutex<Vec<String>>,
    counters: Mutex<Counters>,
    violations: Mutex<Vec<String>>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            base: Timestamp::constant(1_767_225_600, 0),
            ahead: AtomicI64::new(0),
            trace: Mutex::default(),
            counters: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    /// The true time, by which the vendor and the senders live.
    pub(crate) fn true_now(&self) -> Timestamp {
        later(self.base, self.began.elapsed())
    }

    /// Sets the daemon's clock right, or wrong.
    pub(crate) fn set_ahead(&self, ahead: SignedDuration) {
        self.say(&format!("the daemon's clock is {ahead:#} ahead"));
        let micros = i64::try_from(ahead.as_micros()).expect("some hours at most");
        self.ahead.store(micros, Ordering::Relaxed);
    }

    /// What the daemon takes for the time.
    pub(crate) fn daemon_now(&self) -> Timestamp {
        let ahead = SignedDuration::from_micros(self.ahead.load(Ordering::Relaxed));
        casewright::clock::whole_micros(self.true_now() + ahead)
    }

    /// One line of the trace.
    pub(crate) fn say(&self, what: &str) {
        let at = self.began.elapsed();
        self.trace.lock().unwrap().push(format!("{:>12.6} {what}", at.as_secs_f64()));
    }

    pub(crate) fn count(&self, what: &str) {
        *self.counters.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    /// Something that must never be, is.
    pub(crate) fn violated(&self, what: String) {
        self.say(&format!("VIOLATION: {what}"));
        self.violations.lock().unwrap().push(what);
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.lock().unwrap().clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }
}

/// The daemon's clock, in one of its lives.
#[derive(Debug)]
pub(crate) struct DaemonClock {
    pub(crate) life: std::sync::Arc<super::life::Life>,
}

impl Clock for DaemonClock {
    fn now(&self) -> Timestamp {
        self.life.ground.daemon_now()
    }

    fn run_for(&self) -> Duration {
        between(Timestamp::UNIX_EPOCH, self.life.ground.true_now())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.life.pass("sleep").await;
            tokio::time::sleep(duration).await;
            self.life.pass("wake").await;
        })
    }
}
