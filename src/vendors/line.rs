//! The way to a vendor: a transport, and the rate at which it may be asked.
//!
//! A client and its successors after reloads share one line, so that a reload hands out no second
//! burst.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::limiter::{Fill, TokenBucket};
use super::transport::{Http, Request, Response, SetUpError, Transport, TransportError};
use crate::clock::Clock;
use crate::domain::pace::Rate;

/// See the [module](self).
pub(super) struct Line {
    transport: Arc<dyn Transport>,
    /// Bounds one exchange.
    timeout: Duration,
    rate: Rate,
    bucket: Arc<Mutex<TokenBucket>>,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// A line over the network.
    ///
    /// # Errors
    ///
    /// A machine on which no HTTP client can be made.
    pub(super) fn new(
        timeout: Duration,
        rate: Rate,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        Ok(Self::over(Arc::new(Http::new(timeout)?), timeout, rate, clock))
    }

    /// A line over any transport.
    pub(super) fn over(
        transport: Arc<dyn Transport>,
        timeout: Duration,
        rate: Rate,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bucket = Arc::new(Mutex::new(TokenBucket::full(rate, clock.now())));
        Self { transport, timeout, rate, bucket, clock }
    }

    /// The same line by other settings. Requests of both count against one rate.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub(super) fn successor(&self, timeout: Duration, rate: Rate) -> Result<Self, SetUpError> {
        let transport: Arc<dyn Transport> = if timeout == self.timeout {
            self.transport.clone()
        } else {
            Arc::new(Http::new(timeout)?)
        };
        let (bucket, clock) = (self.bucket.clone(), self.clock.clone());
        Ok(Self { transport, timeout, rate, bucket, clock })
    }

    /// From now on its rate counts, for its predecessors' requests as well.
    pub(super) fn take_over(&self) {
        self.bucket().change(self.rate);
    }

    /// Waits until one more request may go.
    pub(super) async fn turn(&self) {
        let wait = self.bucket().reserve(self.clock.now());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// How many requests may go at once now.
    pub(super) fn fill(&self) -> Fill {
        self.bucket().fill(self.clock.now())
    }

    /// Sends a request whose [turn](Self::turn) it is, once.
    pub(super) async fn execute(&self, request: Request) -> Result<Response, TransportError> {
        self.transport.execute(request).await
    }

    fn bucket(&self) -> MutexGuard<'_, TokenBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
