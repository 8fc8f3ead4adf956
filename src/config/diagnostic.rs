//! What is wrong in a file, where, and what to do about it; shown as rustc shows it.

use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::code::Code;
use super::source_file::{Place, Position};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The files cannot be used.
    Error,
    /// The files can be used, but not all of what they say has an effect.
    Warning,
}

impl Severity {
    /// The word for people and scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong. Its texts never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The file that it is about.
    pub file: PathBuf,
    /// Where in the file; `None` if it is about the file as a whole.
    pub place: Option<Place>,
    /// What stands under the underlined piece; may be empty.
    pub label: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: Code::Value,
            message: message.into(),
            file: place.file.path().to_owned(),
            place: Some(place),
            label: String::new(),
            hint: None,
        }
    }

    /// A warning at a place.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// An error about a file as a whole, which may not even exist.
    pub fn about_file(path: &Path, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: Code::File,
            message: message.into(),
            file: path.to_owned(),
            place: None,
            label: String::new(),
            hint: None,
        }
    }

    /// A warning about a file as a whole.
    pub fn warning_about_file(path: &Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::about_file(path, message) }
    }

    /// Says what kind of mistake it is.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what stands under the underlined piece.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The line and column, if it is about a place.
    pub fn position(&self) -> Option<Position> {
        self.place.as_ref().map(Place::start)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        let path = self.file.display().to_string();
        let mut group = match &self.place {
            None => Group::with_title(title).element(Origin::path(path)),
            Some(place) => {
                let (line, start, end) = excerpt(place);
                let label = (!self.label.is_empty()).then_some(self.label.as_str());
                title.element(
                    Snippet::source(line)
                        .line_start(place.start().line)
                        .path(path)
                        .annotation(AnnotationKind::Primary.span(start..end).label(label)),
                )
            }
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        renderer.render(&[group])
    }

    fn to_json(&self) -> Value {
        let end = self.place.as_ref().map(Place::end);
        json!({
            "severity": self.severity.as_str(),
            "code": self.code.as_str(),
            "message": self.message,
            "file": self.file.display().to_string(),
            "line": self.position().map(|at| at.line),
            "column": self.position().map(|at| at.column),
            "end": end.map(|at| json!({ "line": at.line, "column": at.column })),
            "label": (!self.label.is_empty()).then_some(self.label.as_str()),
            "hint": self.hint,
        })
    }

    fn order(&self) -> (&Path, Option<usize>) {
        (&self.file, self.place.as_ref().map(|place| place.span.start))
    }
}

/// The line that a place starts in, masked, and the bytes of that line to underline: at least one
/// character, and never beyond the end of the line.
fn excerpt(place: &Place) -> (String, usize, usize) {
    let (start, end) = (place.start(), place.end());
    let mut line = place.file.shown_line(start.line);
    let length = line.chars().count();
    let from = start.column.saturating_sub(1).min(length);
    let to = if end.line == start.line { end.column.saturating_sub(1).min(length) } else { length };
    let to = to.max(from + 1);
    if to > length {
        line.push(' ');
    }
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let (from, to) = (byte(from), byte(to));
    (line, from, to)
}

/// Nobody reads more errors, or more warnings, than this; and a hostile file shall not keep a
/// reload busy for minutes. Errors and warnings are counted apart, so that no number of warnings
/// hides an error.
pub const MOST: usize = 1000;

/// Everything that is wrong, of all files.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one, unless it is there already or there are [`MOST`] as bad as this.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.count(diagnostic.severity) < MOST && !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        for diagnostic in other.found {
            self.push(diagnostic);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// Whether the files cannot be used.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// All of them, by file and line, each once.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.found.iter().collect();
        sorted.sort_by(|left, right| left.order().cmp(&right.order()));
        sorted
    }

    /// For people: each with its line, underlined. `color` only for a terminal.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let texts: Vec<String> =
            self.sorted().into_iter().map(|diagnostic| diagnostic.render(&renderer)).collect();
        texts.join("\n\n")
    }

    /// For scripts: a list of objects with `severity`, `code`, `message`, `file`, `line`, `column`,
    /// `end` (line and column after the last character), `label` and `hint`.
    pub fn to_json(&self) -> Value {
        self.sorted().into_iter().map(Diagnostic::to_json).collect()
    }

    /// How many of what, such as `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        format!("{}, {}", counted(self.errors(), "error"), counted(self.warnings(), "warning"))
    }

    fn count(&self, severity: Severity) -> usize {
        self.found.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

/// A number of things in words: `1 rule`, `2 rules`.
pub fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
