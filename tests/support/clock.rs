//! A clock that runs, and that a test can set forward: a day passes without waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use casewright::clock::{Clock, SystemClock};
use casewright::time::{between, later};
use jiff::Timestamp;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct RunningClock {
    ahead: watch::Sender<Duration>,
}

impl RunningClock {
    pub(crate) fn new() -> Self {
        Self { ahead: watch::Sender::new(Duration::ZERO) }
    }

    /// Sets it forward, and wakes whoever has slept long enough.
    pub(crate) fn advance(&self, duration: Duration) {
        self.ahead.send_modify(|ahead| *ahead += duration);
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        later(SystemClock.now(), *self.ahead.borrow())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = later(self.now(), duration);
        let mut ahead = self.ahead.subscribe();
        Box::pin(async move {
            loop {
                let left = between(self.now(), until);
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = ahead.changed() => {}
                }
            }
        })
    }
}
