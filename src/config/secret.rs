//! Secrets: written out, from the environment, or in a file of their own.
//!
//! Wherever a secret can stand under a key, the name of a file that holds it can stand under the
//! key with `_file` (a list: `_files`) at its end. A trailing line break in such a file is
//! dropped, because editors and `echo` add one.

use std::path::PathBuf;

use secrecy::SecretString;

use super::decode::{Field, Section};
use super::scalar::checked_secret;
use super::source_file::read_bounded;

impl Section<'_> {
    /// One secret that must be there: `key` or `key_file`, not both.
    pub fn secret(&mut self, key: &str) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let (written, in_file) = (self.field(key), self.field(&file_key));
        match (written, in_file) {
            (Some(field), None) => field.decode(),
            (None, Some(field)) => read_secret(&field),
            (Some(_), Some(_)) => {
                let message = format!("`{key}` and `{file_key}` exclude each other");
                self.error_at_key(&file_key, message, "keep one of them");
                None
            }
            (None, None) => {
                let message = format!("{} needs `{key}` or `{file_key}`", self.name());
                self.error(message, "");
                None
            }
        }
    }

    /// Any number of secrets: those under `key` (a list, or one text), then those in the files
    /// under `files_key`.
    pub fn secrets(&mut self, key: &str, files_key: &str) -> Vec<SecretString> {
        let mut secrets: Vec<SecretString> = self.one_or_many(key);
        let files = self.field(files_key).map(|field| field.one_or_many()).unwrap_or_default();
        secrets.extend(files.iter().filter_map(read_secret));
        secrets
    }
}

fn read_secret(field: &Field<'_>) -> Option<SecretString> {
    let path: PathBuf = field.decode()?;
    let bytes = match read_bounded(&path) {
        Ok(bytes) => bytes,
        Err(problem) => {
            let message = format!(
                "the file of secrets `{}` cannot be read: {}",
                path.display(),
                problem.reason()
            );
            field.error(message, "check that it exists and that this user may read it");
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        field.error(format!("the file of secrets `{}` is not UTF-8 text", path.display()), "");
        return None;
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    checked_secret(field, line.strip_suffix('\r').unwrap_or(line))
}
