//! One life of the daemon, from its start to its death. Whatever it does to the world goes through
//! a seam; at the seam that chance has picked, it dies, in the middle of whatever it was doing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::ground::Ground;

/// A seam at which to die.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seam {
    /// Its place among those that count.
    pub(crate) number: u64,
    /// Whether only those count at which something is changed, here or at a vendor.
    pub(crate) acts_only: bool,
}

/// The first words of seams at which something is changed.
const ACTS: [&str; 6] = ["ingest", "advance", "begin", "settle", "request", "revive"];

impl Seam {
    fn counts(self, seam: &str) -> bool {
        let what = seam.split_once(' ').map_or("", |(_before, what)| what);
        !self.acts_only || ACTS.iter().any(|act| what.starts_with(act))
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) ground: Arc<Ground>,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    /// Where they are copied to at the moment of its death.
    next: PathBuf,
    seams: AtomicU64,
    dies_at: Option<Seam>,
    death: CancellationToken,
}

impl Life {
    pub(crate) fn new(
        ground: Arc<Ground>,
        folder: PathBuf,
        next: PathBuf,
        dies_at: Option<Seam>,
    ) -> Self {
        Self {
            ground,
            folder,
            next,
            seams: AtomicU64::new(0),
            dies_at,
            death: CancellationToken::new(),
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.death.is_cancelled()
    }

    /// Passes a seam, or dies at it; the dead never come back from one.
    pub(crate) async fn pass(&self, seam: &str) {
        let counted = self.dies_at.filter(|last| !self.is_dead() && last.counts(seam));
        if let Some(last) = counted {
            let number = self.seams.fetch_add(1, Ordering::Relaxed) + 1;
            if last.number == number {
                self.ground.say(&format!("CRASH at seam {number}: {seam}"));
                self.ground.count(&format!("crash at {}", seam.split(':').next().unwrap_or(seam)));
                self.die();
            }
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// Dies now: what is in its files at this moment is all that is left.
    pub(crate) fn die(&self) {
        copy(&self.folder, &self.next);
        self.death.cancel();
    }

    /// Completes when it has died.
    pub(crate) async fn died(&self) {
        self.death.cancelled().await;
    }
}

/// What a killed process leaves: the database and its log. The index of the log is in memory that
/// goes with it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for name in ["casewright.db", "casewright.db-wal"] {
        let file = from.join(name);
        if file.exists() {
            std::fs::copy(file, to.join(name)).expect("a copy");
        }
    }
}
