//! A file as a person wrote it: its text, its lines, and what of it may be shown again.
//!
//! *Invariant*: in a file that can hold secrets, a scalar is shown in an excerpt only after a reader
//! asked for it as something that is not a secret. Everything else is masked, so a secret under a
//! misspelt key is masked as well. What stands below a key that holds secrets is never shown, in no
//! file: a pattern of rule files may catch the daemon's own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::code::Code;
use super::diagnostic::Diagnostic;

/// No file that people write by hand is longer.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The variable of the environment that names the daemon's own file, if the command line does not.
pub const CONFIG_VARIABLE: &str = "CASEWRIGHT_CONFIG";

/// Keys whose values, at any depth below them, are never shown.
const SENSITIVE: &[&str] = &[
    "access_token",
    "admin_tokens",
    "auth",
    "basic",
    "bearer",
    "client_secret",
    "client_token",
    "credentials",
    "password",
    "postgres",
    "secret",
    "secrets",
    "token",
    "values",
];

/// Whether everything below `key` is a secret until proved otherwise.
pub(super) fn is_sensitive(key: &str) -> bool {
    SENSITIVE.contains(&key)
}

/// A piece of a file, in bytes; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// A place in a file as people and editors count: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Unread,
    Shown,
    Secret,
}

#[derive(Default)]
struct Excerpts {
    /// Every key and scalar: where it starts, where it ends, whether it may be shown.
    scalars: BTreeMap<usize, (usize, Visibility)>,
    /// The text is not YAML, so nobody knows what is a scalar.
    unparsed: bool,
}

/// Whether a kind of file is meant to hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The daemon's own file.
    Secrets,
    /// Rule files, tests of rules, templates.
    NoSecrets,
}

/// A file that was read.
pub struct SourceFile {
    path: PathBuf,
    holds: Holds,
    text: String,
    line_starts: Vec<usize>,
    excerpts: Mutex<Excerpts>,
}

impl SourceFile {
    /// Reads a file of at most [`MAX_BYTES`] bytes of UTF-8. A byte order mark is dropped.
    pub fn read(path: &Path, holds: Holds) -> Result<Arc<Self>, Box<Diagnostic>> {
        let bytes =
            read_bounded(path).map_err(|problem| Box::new(problem.diagnostic(path, holds)))?;
        match String::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
                Ok(Self::new(path, text, holds))
            }
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let byte = bytes.get(valid).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let file = Self::new(path, text, holds);
                file.lock().unparsed = true;
                // Every byte before `valid` is valid, so the offset is the same in the lossy text.
                let place = Place { file, span: Span { start: valid, end: valid + 1 } };
                let diagnostic = Diagnostic::error(place, "this file is not UTF-8 text")
                    .code(Code::Syntax)
                    .label(format!("byte 0x{byte:02x} cannot stand here"))
                    .hint("save the file as UTF-8");
                Err(Box::new(diagnostic))
            }
        }
    }

    /// A file whose text is known already.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>, holds: Holds) -> Arc<Self> {
        let text = text.into();
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { path: path.into(), holds, text, line_starts, excerpts: Mutex::default() })
    }

    /// The path as it was given: what people see in messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that relative paths in this file are relative to.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The whole text. It may hold secrets.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a piece of the file; empty if there is no such piece. It may be a secret.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Where a byte stands.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_start(line);
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// Where a line and column stand, in bytes: the way back from [`Self::position`].
    pub fn offset(&self, position: Position) -> usize {
        let line = self.line(position.line);
        let column = position.column.saturating_sub(1);
        let within = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        self.line_start(position.line) + within
    }

    /// A line with everything masked that must not be shown. Characters keep their columns.
    pub fn shown_line(&self, number: usize) -> String {
        let line = self.line(number);
        let excerpts = self.lock();
        if excerpts.unparsed {
            return self.shown_unparsed(number);
        }
        let start = self.line_start(number);
        let hidden =
            |at: usize| {
                excerpts.scalars.range(..=at).next_back().is_some_and(|(_, (end, visibility))| {
                    at < *end && *visibility != Visibility::Shown
                })
            };
        let in_scalar = |at: usize| {
            excerpts.scalars.range(..=at).next_back().is_some_and(|(_, (end, _))| at < *end)
        };
        let masks = line.char_indices().any(|(at, _)| hidden(start + at));
        let mut comment = false;
        let mut previous = ' ';
        line.char_indices()
            .map(|(at, char)| {
                // A comment beside a secret may well be about the secret.
                comment |= char == '#' && previous.is_whitespace() && !in_scalar(start + at);
                previous = char;
                let mask = hidden(start + at) || (comment && masks);
                if mask && !char.is_whitespace() { '*' } else { char }
            })
            .collect()
    }

    /// Tells where a key is. Below a key that holds secrets it stays masked until
    /// [`Self::reveal`]ed: after a slip with quotes or colons, a secret can look like a key.
    pub(super) fn register_key(&self, span: Span, sensitive: bool) {
        let visibility = if sensitive { Visibility::Unread } else { Visibility::Shown };
        self.lock().scalars.insert(span.start, (span.end, visibility));
    }

    /// Tells where a scalar is. In a file that can hold secrets it stays masked until
    /// [`Self::reveal`]ed.
    pub(super) fn register_scalar(&self, span: Span, secret: bool) {
        let visibility = match (secret, self.holds) {
            (true, _) => Visibility::Secret,
            (false, Holds::Secrets) => Visibility::Unread,
            (false, Holds::NoSecrets) => Visibility::Shown,
        };
        self.lock().scalars.insert(span.start, (span.end, visibility));
    }

    /// A reader wants the scalar there as something that is not a secret.
    pub(super) fn reveal(&self, span: Span) {
        if let Some((_, visibility)) = self.lock().scalars.get_mut(&span.start)
            && *visibility == Visibility::Unread
        {
            *visibility = Visibility::Shown;
        }
    }

    /// Whatever a reader asked for, the scalar there is not to be shown.
    pub(super) fn hide(&self, span: Span) {
        if let Some((_, visibility)) = self.lock().scalars.get_mut(&span.start) {
            *visibility = Visibility::Secret;
        }
    }

    /// The text is not YAML: from now on, lines are masked by what their words look like.
    pub(super) fn set_unparsed(&self) {
        self.lock().unparsed = true;
    }

    fn lock(&self) -> MutexGuard<'_, Excerpts> {
        self.excerpts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line_start(&self, number: usize) -> usize {
        self.line_starts.get(number.saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    fn line(&self, number: usize) -> &str {
        let end = self.line_starts.get(number).copied().unwrap_or(self.text.len());
        let line = self.text.get(self.line_start(number)..end).unwrap_or_default();
        line.trim_end_matches(['\n', '\r'])
    }

    /// A line of a file that is not YAML, so that nobody knows what is a secret: no words of a
    /// line that names one or stands below or right after a line that does, and in a file that
    /// holds secrets no words at all but keys, because any of them may be misspelt.
    fn shown_unparsed(&self, number: usize) -> String {
        let line = self.line(number);
        if self.stands_below_secret(number) {
            mask(line, 0, |char| !char.is_whitespace())
        } else if names_secret(line) {
            mask(line, key_end(line), |char| !char.is_whitespace())
        } else if self.holds == Holds::Secrets {
            // What the syntax error is about is punctuation, which stays.
            mask(line, key_end(line), char::is_alphanumeric)
        } else {
            line.to_owned()
        }
    }

    fn stands_below_secret(&self, number: usize) -> bool {
        let mut indent = indent_of(self.line(number));
        let mut nearest = true;
        for above in (1..number).rev().map(|above| self.line(above)) {
            if above.trim().is_empty() {
                continue;
            }
            // The line right above may go on in this one, whatever the indentation says.
            if (indent_of(above) < indent || (nearest && !ends_value(above))) && names_secret(above)
            {
                return true;
            }
            nearest = false;
            indent = indent.min(indent_of(above));
        }
        false
    }
}

impl fmt::Debug for SourceFile {
    /// Only the path: the text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn names_secret(line: &str) -> bool {
    line.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).any(is_sensitive)
}

/// Whether a value that begins in a line visibly ends in it.
fn ends_value(line: &str) -> bool {
    line.trim_end().ends_with([']', '}', '"', '\''])
}

/// Where the key that a line begins with ends; the start if it does not begin with one.
fn key_end(line: &str) -> usize {
    let key = line.trim_start_matches([' ', '\t', '-']);
    let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '\'' | '"');
    match key.find(|char| !word(char)) {
        Some(end) if key.get(end..).is_some_and(|rest| rest.starts_with(':')) => {
            line.len() - key.len() + end + 1
        }
        _ => 0,
    }
}

fn mask(line: &str, from: usize, what: impl Fn(char) -> bool) -> String {
    line.char_indices()
        .map(|(at, char)| if at >= from && what(char) { '*' } else { char })
        .collect()
}

/// A piece of a file that a message can point at.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The piece.
    pub span: Span,
}

impl Place {
    /// Where it starts.
    pub fn start(&self) -> Position {
        self.file.position(self.span.start)
    }

    /// Where it ends.
    pub fn end(&self) -> Position {
        self.file.position(self.span.end)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && self.file.path == other.file.path
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// Why a file could not be read at all.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(std::io::Error),
    TooLong,
}

impl Unreadable {
    fn diagnostic(&self, path: &Path, holds: Holds) -> Diagnostic {
        let shown = path.display();
        match self {
            Self::TooLong => Diagnostic::about_file(path, format!("`{shown}` is too long"))
                .hint(format!("at most {MAX_BYTES} bytes are read: split it")),
            Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let hint = match holds {
                    Holds::Secrets => format!(
                        "name the configuration with `--config FILE` or in the variable \
                         {CONFIG_VARIABLE}; a relative path counts from the current folder"
                    ),
                    Holds::NoSecrets => "a relative path counts from the current folder: give \
                                         another path, or create the file"
                        .to_owned(),
                };
                Diagnostic::about_file(path, format!("there is no file `{shown}`")).hint(hint)
            }
            Self::Io(error) => {
                Diagnostic::about_file(path, format!("`{shown}` cannot be read: {error}"))
                    .hint("check that it is a file and that this user may read it")
            }
        }
    }

    /// The reason in a few words, to stand after `cannot be read: `.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Io(error) => error.to_string(),
            Self::TooLong => format!("it is longer than {MAX_BYTES} bytes"),
        }
    }
}

/// Reads at most [`MAX_BYTES`] bytes: a device or a pipe without an end is not read forever.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let file = std::fs::File::open(path).map_err(Unreadable::Io)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if bytes.len() as u64 > MAX_BYTES { Err(Unreadable::TooLong) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one_and_lead_back() {
        let file = SourceFile::new("x.yaml", "é: 1\nb: ü2\n", Holds::NoSecrets);
        let two = file.text().find('2').unwrap();
        let position = file.position(two);
        assert_eq!(position, Position { line: 2, column: 5 });
        assert_eq!(file.offset(position), two);
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(file.text().len()), Position { line: 3, column: 1 });
    }

    #[test]
    fn the_longest_file_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.yaml");
        std::fs::write(&path, "#".repeat(usize::try_from(MAX_BYTES).unwrap())).unwrap();
        assert!(SourceFile::read(&path, Holds::Secrets).is_ok());
        std::fs::write(&path, "#".repeat(usize::try_from(MAX_BYTES).unwrap() + 1)).unwrap();
        assert!(
            SourceFile::read(&path, Holds::Secrets).unwrap_err().message.ends_with("is too long")
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_located() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin1.yaml");
        std::fs::write(&path, b"a: 1\nb: caf\xe9\n").unwrap();
        let diagnostic = SourceFile::read(&path, Holds::Secrets).unwrap_err();
        let place = diagnostic.place.unwrap();
        assert_eq!(place.start(), Position { line: 2, column: 7 });
    }

    #[test]
    fn a_line_that_is_not_yaml_is_masked_where_it_or_its_parents_name_a_secret() {
        let text = "auth:\n  bearer:\n  - 'tok\nstore: [a\n- secret \"a\n";
        let file = SourceFile::new("x.yaml", text, Holds::NoSecrets);
        file.set_unparsed();
        assert_eq!(file.shown_line(2), "  *******");
        assert_eq!(file.shown_line(3), "  * ****");
        assert_eq!(file.shown_line(4), "store: [a");
        assert_eq!(file.shown_line(5), "* ****** **");
    }

    #[test]
    fn a_file_of_secrets_that_is_not_yaml_shows_keys_and_punctuation_only() {
        let text = "store: [a\nbaerer \"x:y\nlisten: 'a\n";
        let file = SourceFile::new("x.yaml", text, Holds::Secrets);
        file.set_unparsed();
        assert_eq!(file.shown_line(1), "store: [*");
        assert_eq!(file.shown_line(2), "****** \"*:*");
        assert_eq!(file.shown_line(3), "listen: '*");
    }
}
