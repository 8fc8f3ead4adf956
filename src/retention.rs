//! Has the store forget what is over, every hour and a little at a time. What may be forgotten is
//! the store's business; this is only the clock of it, and must never hurry: intake and dispatch
//! go first.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::domain::retention::Retention;
use crate::store::{Pruned, Store};
use crate::telemetry::metrics::Metrics;

/// From the start to the first round, and from the end of one to the next.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Between two runs of one round.
const PAUSE: Duration = Duration::from_millis(200);

/// Rows of a table that one run looks at.
const ROWS: u32 = 500;

/// See the [module](self).
pub struct Keeper {
    /// What forgets.
    pub store: Arc<dyn Store>,
    /// How long what is over is kept.
    pub retention: Retention,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Keeper {
    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while self.slept(EVERY, &stop).await {
            self.round(&stop).await;
        }
    }

    async fn round(&self, stop: &CancellationToken) {
        let mut gone = 0;
        loop {
            match self.store.prune(&self.retention, self.clock.now(), ROWS).await {
                Ok(pruned) => {
                    gone += self.count(&pruned);
                    if !pruned.more {
                        break;
                    }
                }
                Err(error) => {
                    self.metrics.alarm("store");
                    warn!(%error, "old rows could not be removed, it is tried again in an hour: {error}");
                    break;
                }
            }
            if !self.slept(PAUSE, stop).await {
                break;
            }
        }
        if gone > 0 {
            info!(
                rows = gone,
                "{gone} rows that nobody needs any more were removed from the store"
            );
        }
    }

    fn count(&self, pruned: &Pruned) -> u64 {
        for (table, rows) in pruned.tables() {
            self.metrics.pruned(table, rows);
        }
        pruned.tables().iter().map(|(_, rows)| rows).sum()
    }

    /// Whether the time has passed, rather than that it is to stop.
    async fn slept(&self, time: Duration, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            () = self.clock.sleep(time) => true,
        }
    }
}
