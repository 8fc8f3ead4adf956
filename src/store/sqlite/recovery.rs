//! The writer's connection, and how it comes back after trouble with the disk. Nothing here may
//! make a file, or take a file for ours that is not.
//!
//! After an error from the disk the connection may be anywhere: inside a transaction that cannot
//! be rolled back, or with pages in its cache that no file has. So it is given up, and a new one is
//! opened when a command next needs it, at most every [`LONGEST_PAUSE`] while that fails. Commands
//! that come in between are refused at once: their senders know how to come back.
//!
//! # What a failed COMMIT means
//!
//! In WAL mode a commit appends frames to the log, the last of them marked as a commit, syncs the
//! log, and then moves the end of the log in the index, which is shared memory. If a write or the
//! sync fails the index is not moved: for every connection of this process the transaction has not
//! happened. In the file its frames may be whole nevertheless. Two things follow.
//!
//! *After a crash it may turn out to be committed*, because recovery reads the frames. So nothing
//! that was refused may harm when it turns up later, and nothing does: a delivery is a repeat (or a
//! redelivery) when its sender brings it again; a claim is a lease that the next start takes over;
//! an attempt that could not be recorded as begun was not sent, and comes back as one to look for
//! and not to be found; an outcome that could not be recorded is the true one all the same.
//!
//! *While this process lives it must not turn up.* After a failed sync Linux may call pages clean
//! that never reached the disk. If a recovery read them from memory, took the transaction for
//! committed and later ones were appended behind it, a power cut could take all of them, although
//! their own syncs had succeeded. Recovery runs when the first connection opens; therefore the old
//! connection is closed only after the new one is open: as long as one is, the index stays, and the
//! next commit writes over those frames (which makes their pages dirty again, and durable with its
//! own sync). What it does not cover fails the chain of checksums. A checkpoint whose sync fails
//! does not count as done and is done again from the log, which is durable by then.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tracing::{error, info};

use super::open::Door;
use super::steps;
use crate::store::StoreError;

/// How long to wait after a first attempt that failed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait at most: this is how late the end of the trouble is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often the log is told that the trouble goes on. A connection that fails again sooner has
/// not recovered.
const REMINDER: Duration = Duration::from_secs(60);

/// Whether an error is one after which the connection is not to be trusted.
pub(super) fn is_of_the_disk(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB; the primary code is the
            // low byte of an extended one.
            code.is_some_and(|code| matches!(code & 0xff, 8 | 10 | 11 | 13 | 14 | 15 | 26))
        }
        _ => false,
    }
}

/// The writer's connection.
pub(super) struct Line {
    door: Door,
    /// Kept while it is broken, until another is open: see the [module](self).
    db: SqliteConnection,
    trouble: Option<Trouble>,
    /// The last trouble, in case that it comes again at once.
    past: Option<Trouble>,
}

struct Trouble {
    error: StoreError,
    since: Instant,
    /// When the log was last told.
    told: Instant,
    pause: Duration,
    /// Not before this time is it tried again.
    next: Instant,
}

impl Line {
    pub(super) fn new(db: SqliteConnection, door: Door) -> Self {
        Self { door, db, trouble: None, past: None }
    }

    /// A connection that works, or why there is none now.
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if let Some(mut trouble) = self.trouble.take() {
            if let Err(error) = self.mend(&mut trouble).await {
                self.trouble = Some(trouble);
                return Err(error);
            }
            self.past = Some(trouble);
        }
        Ok(&mut self.db)
    }

    /// The disk did not do its part: the connection is not used again.
    pub(super) fn is_broken(&mut self, error: StoreError) {
        let now = Instant::now();
        self.trouble = Some(match self.past.take() {
            // What makes the disk fail lets a small write pass now and then. The pause goes on
            // growing, and the log is not told of every turn.
            Some(past) if past.told.elapsed() < REMINDER => {
                Trouble { error, next: now + past.pause, pause: longer(past.pause), ..past }
            }
            _ => {
                error!(%error, "{error}; webhooks are refused until it works again");
                Trouble { error, since: now, told: now, pause: SHORTEST_PAUSE, next: now }
            }
        });
    }

    async fn mend(&mut self, trouble: &mut Trouble) -> Result<(), StoreError> {
        if Instant::now() < trouble.next {
            return Err(trouble.error.clone());
        }
        match reopen(&self.door).await {
            Ok(db) => {
                let old = std::mem::replace(&mut self.db, db);
                // Whatever it still says, it is gone.
                let _ = old.close().await;
                self.door.renew_readers();
                let seconds = trouble.since.elapsed().as_secs();
                info!(seconds, "the store takes writes again, after {seconds} s");
                Ok(())
            }
            Err(why) => {
                let error = StoreError::Disk(why);
                if trouble.told.elapsed() >= REMINDER {
                    trouble.told = Instant::now();
                    error!(%error, "still, {error}");
                }
                trouble.error = error.clone();
                trouble.next = Instant::now() + trouble.pause;
                trouble.pause = longer(trouble.pause);
                Err(error)
            }
        }
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.db.close().await {
            error!(%error, "the store's connection did not close cleanly");
        }
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Opens another connection and makes a durable write with it, to know that it works.
async fn reopen(door: &Door) -> Result<SqliteConnection, String> {
    let mut db = door.writer().await?;
    match steps::touch(&mut db).await {
        Ok(()) => Ok(db),
        Err(error) => {
            let _ = db.close().await;
            Err(match error {
                StoreError::Disk(why) | StoreError::Unavailable(why) => why,
                other => other.to_string(),
            })
        }
    }
}
