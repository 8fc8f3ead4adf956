//! The state file: all records as one JSON document, replaced as a whole at each change, so that
//! a reader finds either the old records or the new ones, never half of them.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::cases::Book;

/// Why the state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file or its folder cannot be read or written.
    #[error("cannot {doing} the sandbox's state file {}: {source}", path.display())]
    Io {
        /// What was tried: `read` or `write`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not one of ours.
    #[error(
        "the sandbox's state file {} is not usable: {reason}; move it away to start empty",
        path.display()
    )]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Where the records are kept.
#[derive(Debug)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// A file that is not there yet holds no records.
    pub(super) fn load(&self) -> Result<Book, StateError> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Book::default()),
            Err(source) => {
                return Err(StateError::Io { doing: "read", path: self.0.clone(), source });
            }
        };
        let book: Book = serde_json::from_slice(&bytes)
            .map_err(|error| self.unusable(format!("it does not hold cases ({error})")))?;
        if book.is_consistent() {
            Ok(book)
        } else {
            Err(self.unusable("its case ids have gaps or are out of order".to_owned()))
        }
    }

    /// On disk when this returns: the new content first, then its name.
    pub(super) fn save(&self, book: &Book) -> Result<(), StateError> {
        let failed = |source| StateError::Io { doing: "write", path: self.0.clone(), source };
        let json = serde_json::to_vec(book).map_err(|error| failed(error.into()))?;
        let mut temporary = self.0.clone().into_os_string();
        temporary.push(".new");
        let mut file = File::create(&temporary).map_err(failed)?;
        file.write_all(&json).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&temporary, &self.0).map_err(failed)?;
        let folder = match self.0.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn unusable(&self, reason: String) -> StateError {
        StateError::Unusable { path: self.0.clone(), reason }
    }
}
