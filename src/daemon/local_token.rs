//! The token of this machine: made anew at every start, in a file beside the database that only
//! its owner may read. Whoever may read the database may act on it anyway, so this lets nobody in
//! who was not; and the command line works without a setting.
//!
//! Never leave it readable for others, not even for the moment between making and filling it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::rng::Rng;

/// Where the token is, for a database.
pub fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".token");
    PathBuf::from(name)
}

/// Makes a token and writes it.
pub(super) fn write(database: &Path, rng: &Rng) -> std::io::Result<SecretString> {
    let token = SecretString::from(hex::encode([rng.bytes(), rng.bytes()].concat()));
    let path = path_of(database);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // A temporary file is its owner's alone from its first moment; a rename replaces an older
    // token, whoever may read that one.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    writeln!(file, "{}", token.expose_secret())?;
    file.persist(&path).map_err(|failed| failed.error)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_another_token_that_only_its_owner_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("casewright.db");
        let path = path_of(&database);
        std::fs::write(&path, "left by somebody").unwrap();
        let rng = Rng::seeded(1);
        let first = write(&database, &rng).unwrap();
        let second = write(&database, &rng).unwrap();
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(second.expose_secret().len(), 64);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), second.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }
}
