//! Whether the file is still to be trusted. One that was found damaged takes no more writes: what
//! would be acknowledged then might be gone after the next start.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::checks;
use crate::store::StoreError;
use crate::store::admission::Admission;

/// See the [module](self). Clones share it.
#[derive(Clone)]
pub(super) struct Health {
    damage: Arc<watch::Sender<Option<String>>>,
    stop: Arc<AtomicBool>,
    checking: Arc<Mutex<Option<JoinHandle<()>>>>,
    admission: Arc<Admission>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            damage: Arc::new(watch::Sender::new(None)),
            stop: Arc::default(),
            checking: Arc::default(),
            admission: Arc::default(),
        }
    }
}

impl Health {
    /// Refuses if the file is damaged.
    pub(super) fn sound(&self) -> Result<(), StoreError> {
        match &*self.damage.borrow() {
            None => Ok(()),
            Some(what) => Err(StoreError::Unavailable(format!(
                "its file is damaged ({what}); stop the daemon, see `casewright store verify`, and restore a backup"
            ))),
        }
    }

    /// Who may come in: nobody, once the file was found damaged.
    pub(super) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.damage.subscribe()
    }

    /// Checks the file on a connection of its own, while the store works.
    pub(super) fn check_behind(&self, path: &Path) {
        let (this, path) = (self.clone(), path.to_owned());
        let task = tokio::spawn(async move { this.check(&path).await });
        *self.checking.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    async fn check(&self, path: &Path) {
        let name = path.display();
        info!(path = %name, "the process before this one was cut off; {name} is large, so it is checked while it is used");
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let found = match options.disable_statement_logging().connect().await {
            Ok(mut db) => {
                let found = checks::quick_check(&mut db, &self.stop).await;
                let _ = db.close().await;
                found
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(None) => {
                info!(path = %name, "{name} was checked: nothing is wrong with it, as far as that went")
            }
            Ok(Some(what)) => {
                error!(
                    path = %name, what,
                    "{name} is damaged: {what}. Nothing is taken in any more; stop the daemon, see `casewright store verify`, and restore a backup",
                );
                // Refused before their bodies are read.
                self.admission.close();
                self.damage.send_replace(Some(what));
            }
            Err(error) => warn!(path = %name, %error, "{name} could not be checked: {error}"),
        }
    }

    /// Ends a check that still runs: its connection must be closed before the writer's.
    pub(super) async fn stop_checking(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let task = self.checking.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}
