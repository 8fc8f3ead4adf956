//! The seam through which time comes in.
//!
//! Nothing else in the crate asks the system what time it is (`clippy.toml` forbids it), so that
//! every decision can be tested at any date and a whole day can pass in a test.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use crate::time::later;

/// Tells the time and waits.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time, to the microsecond (what the store keeps).
    fn now(&self) -> Timestamp;

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
