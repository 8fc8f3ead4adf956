//! The seam through which time comes in.
//!
//! Nothing else in the crate asks the system what time it is (`clippy.toml` forbids it), so that
//! every decision can be tested at any date and a whole day can pass in a test.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;

use crate::time::{between, later};

/// Notices when a clock is set forward.
#[derive(Debug)]
pub struct StepWatch {
    now: Timestamp,
    run_for: Duration,
}

/// Less than this is no step but slewing, or the time between two questions.
const SMALLEST_STEP: Duration = Duration::from_millis(500);

impl StepWatch {
    /// Begins to watch.
    pub fn begin(clock: &dyn Clock) -> Self {
        Self { now: clock.now(), run_for: clock.run_for() }
    }

    /// By how much the clock was set forward since the last question. A machine that was suspended
    /// looks the same.
    pub fn step(&mut self, clock: &dyn Clock) -> Option<Duration> {
        let before = std::mem::replace(self, Self::begin(clock));
        let passed = self.run_for.saturating_sub(before.run_for);
        let step = between(later(before.now, passed), self.now);
        (step >= SMALLEST_STEP).then_some(step)
    }
}

/// Tells the time and waits.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time, to the microsecond (what the store keeps).
    fn now(&self) -> Timestamp;

    /// How long this clock has run since a moment that does not matter. Goes on steadily when the
    /// time is set. By default as far as the time: a clock that nobody sets.
    fn run_for(&self) -> Duration {
        between(Timestamp::UNIX_EPOCH, self.now())
    }

    /// Completes once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn now(&self) -> Timestamp {
        whole_micros(Timestamp::now())
    }

    fn run_for(&self) -> Duration {
        static START: LazyLock<tokio::time::Instant> = LazyLock::new(tokio::time::Instant::now);
        START.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Cuts a time to the microsecond, so that it survives a round trip through the store.
pub fn whole_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock {
    now: tokio::sync::watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self { now: tokio::sync::watch::Sender::new(whole_micros(start)) }
    }

    /// Moves the clock and wakes whoever has slept long enough.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = later(*now, duration));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = later(self.now(), duration);
        let mut changes = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, which outlives this future: waiting cannot fail.
            let _ = changes.wait_for(|now| *now >= until).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A clock of which both sides are set by hand.
    #[derive(Debug)]
    struct Crooked(Mutex<(i64, u64)>);

    impl Clock for Crooked {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.lock().unwrap().0).unwrap()
        }

        fn run_for(&self) -> Duration {
            Duration::from_secs(self.0.lock().unwrap().1)
        }

        fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::ready(()))
        }
    }

    #[test]
    fn only_a_step_forward_is_noticed_and_only_once() {
        let clock = Crooked(Mutex::new((1_000, 10)));
        let mut watch = StepWatch::begin(&clock);
        for (now, run_for, step) in [
            (1_015, 25, None),
            (4_630, 40, Some(Duration::from_secs(3_600))),
            (4_640, 50, None),
            (1_050, 60, None),
            (1_060, 70, None),
        ] {
            *clock.0.lock().unwrap() = (now, run_for);
            assert_eq!(watch.step(&clock), step, "at {now}");
        }
    }
}
