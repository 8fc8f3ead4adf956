//! The one task that writes.
//!
//! It takes what is waiting, applies all of it in one transaction, commits, and only then answers.
//! There is no timer: under load batches grow by themselves, alone a command waits for nobody.
//! sqlx futures run in this task only, never in one that a timeout or a disconnecting client could
//! drop halfway. What happens when the disk fails is told in [`recovery`](super::recovery).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::error;

use super::health::Health;
use super::recovery::{self, Line};
use super::{CommitObserver, ingest};
use crate::store::admission::{self, Admission};
use crate::store::{Intake, Receipt, StoreError};

/// How many commands may wait: all deliveries that are admitted, and the dispatcher's besides.
const QUEUE: usize = admission::AT_MOST + 256;

/// How many commands one transaction takes at most.
const BATCH: usize = 256;

/// A piece of work in the writer's transaction. The outer result tells whether the database did
/// its part, the inner one what to answer.
type Applied<'a, T> =
    Pin<Box<dyn Future<Output = Result<Result<T, StoreError>, StoreError>> + Send + 'a>>;

#[async_trait]
trait Work: Send {
    /// Does the work; may be called again if the transaction had to be rolled back.
    async fn apply(&mut self, db: &mut SqliteConnection) -> Result<(), StoreError>;

    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

enum Command {
    Ingest { intake: Box<Intake>, reply: oneshot::Sender<Result<Receipt, StoreError>> },
    Other(Box<dyn Work>),
}

/// The writer's handle.
pub(super) struct Writer {
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    health: Health,
}

impl Writer {
    pub(super) fn start(line: Line, on_commit: Option<CommitObserver>, health: Health) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(line, queue, on_commit, health.admission().clone()));
        Self { commands: Mutex::new(Some(commands)), task: Mutex::new(Some(task)), health }
    }

    pub(super) fn admission(&self) -> &Arc<Admission> {
        self.health.admission()
    }

    pub(super) async fn ingest(&self, intake: Intake) -> Result<Receipt, StoreError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Ingest { intake: Box::new(intake), reply };
        match self.sender()?.try_send(command) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(stopped()),
        }
    }

    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> Fn(&'a mut SqliteConnection) -> Applied<'a, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job { work, result: None, reply };
        self.sender()?.send(Command::Other(Box::new(job))).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Commits what waits and closes the connection. Later commands are refused.
    pub(super) async fn stop(&self) {
        drop(lock(&self.commands).take());
        let task = lock(&self.task).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            error!("the store's writer had panicked");
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<Command>, StoreError> {
        self.health.sound()?;
        lock(&self.commands).clone().ok_or_else(stopped)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // An `Option` that is taken or cloned cannot be left half-changed by a panic.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn stopped() -> StoreError {
    StoreError::Unavailable("it has been closed".to_owned())
}

struct Job<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

#[async_trait]
impl<T, F> Work for Job<T, F>
where
    T: Send + 'static,
    F: for<'a> Fn(&'a mut SqliteConnection) -> Applied<'a, T> + Send + 'static,
{
    async fn apply(&mut self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        self.result = Some((self.work)(db).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or_else(|| Err(stopped())),
            Err(error) => Err(error),
        };
        // Whoever asked may have gone; what was committed stays committed.
        let _ = self.reply.send(result);
    }
}

async fn run(
    mut line: Line,
    mut queue: mpsc::Receiver<Command>,
    on_commit: Option<CommitObserver>,
    admission: Arc<Admission>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut commands = std::mem::take(&mut batch);
        let size = commands.len();
        let start = Instant::now();
        admission.begin();
        let trouble = match line.connection().await {
            Err(error) => {
                fail_all(commands, &error);
                None
            }
            Ok(db) => match transact(db, &mut commands).await {
                Ok(receipts) => {
                    if let Some(observer) = &on_commit {
                        observer(start.elapsed(), size);
                    }
                    answer_all(commands, receipts);
                    None
                }
                Err(Failure::Inside(error)) if size > 1 && !is_of_the_disk(&error) => {
                    one_by_one(db, commands).await
                }
                Err(Failure::Begin(error) | Failure::Inside(error)) => {
                    fail_all(commands, &error);
                    Some(error)
                }
            },
        };
        if let Some(error) = trouble.filter(is_of_the_disk) {
            line.is_broken(error);
        }
        admission.observe(start.elapsed(), size);
        batch.reserve(BATCH);
    }
    line.close().await;
}

/// Whether the connection is not to be used again after this error.
fn is_of_the_disk(error: &StoreError) -> bool {
    matches!(error, StoreError::Disk(_))
}

/// One bad command must not fail its neighbours: each gets a transaction of its own. Returns the
/// error that concerned all that were left, if there was one.
async fn one_by_one(db: &mut SqliteConnection, commands: Vec<Command>) -> Option<StoreError> {
    let mut commands = commands.into_iter();
    while let Some(command) = commands.next() {
        let mut alone = vec![command];
        match transact(db, &mut alone).await {
            Ok(receipts) => answer_all(alone, receipts),
            Err(Failure::Inside(error)) if !is_of_the_disk(&error) => fail_all(alone, &error),
            Err(Failure::Begin(error) | Failure::Inside(error)) => {
                alone.extend(commands);
                fail_all(alone, &error);
                return Some(error);
            }
        }
    }
    None
}

/// Why a transaction did not happen.
enum Failure {
    /// It could not begin (somebody else holds the lock, say): no command is to blame, and trying
    /// each alone would only make each wait as long as all together.
    Begin(StoreError),
    /// Something in it, or its commit, failed.
    Inside(StoreError),
}

/// Applies all commands and commits. On an error nothing has been changed.
async fn transact(
    db: &mut SqliteConnection,
    commands: &mut [Command],
) -> Result<Vec<Receipt>, Failure> {
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await;
    begun.map_err(|error| Failure::Begin(unavailable(error)))?;
    let result = apply_all(db, commands).await;
    let result = match result {
        Ok(receipts) => {
            sqlx::query("COMMIT").execute(&mut *db).await.map_err(unavailable).map(|_| receipts)
        }
        Err(error) => Err(error),
    };
    if result.is_err() {
        // After some errors SQLite has rolled back by itself; then this one fails, harmlessly.
        let _ = sqlx::query("ROLLBACK").execute(&mut *db).await;
    }
    result.map_err(Failure::Inside)
}

async fn apply_all(
    db: &mut SqliteConnection,
    commands: &mut [Command],
) -> Result<Vec<Receipt>, StoreError> {
    // Deliveries go first, together: they are the many, and nothing else in the batch was decided
    // with knowledge of them.
    let intakes: Vec<&Intake> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Ingest { intake, .. } => Some(intake.as_ref()),
            Command::Other(_) => None,
        })
        .collect();
    let receipts =
        if intakes.is_empty() { Vec::new() } else { ingest::ingest(db, &intakes).await? };
    for command in commands {
        if let Command::Other(work) = command {
            work.apply(db).await?;
        }
    }
    Ok(receipts)
}

fn answer_all(commands: Vec<Command>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for command in commands {
        match command {
            Command::Ingest { reply, .. } => {
                let _ = reply.send(receipts.next().ok_or_else(stopped));
            }
            Command::Other(work) => work.answer(Ok(())),
        }
    }
}

fn fail_all(commands: Vec<Command>, error: &StoreError) {
    for command in commands {
        match command {
            Command::Ingest { reply, .. } => {
                let _ = reply.send(Err(error.clone()));
            }
            Command::Other(work) => work.answer(Err(error.clone())),
        }
    }
}

pub(super) fn unavailable(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Corrupt(error.to_string())
        }
        other if recovery::is_of_the_disk(&other) => StoreError::Disk(other.to_string()),
        other => StoreError::Unavailable(other.to_string()),
    }
}
