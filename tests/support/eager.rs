//! A clock that goes on when somebody waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use casewright::clock::{Clock, ManualClock};
use jiff::Timestamp;

/// See the file.
#[derive(Debug)]
pub(crate) struct Eager(pub(crate) ManualClock);

impl Eager {
    pub(crate) fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(ManualClock::at(start)))
    }
}

impl Clock for Eager {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.advance(duration);
        Box::pin(std::future::ready(()))
    }
}
