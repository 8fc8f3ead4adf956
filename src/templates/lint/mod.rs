//! What is checked before a template is ever rendered.
//!
//! Three looks, each of which needs the one before: at the text ([`scan`]), which bounds what the
//! parser is given; at the tree ([`tree`]), which finds what strict mode would find too late; at
//! the graph of partials ([`graph`]), because a cycle in it would abort the process.

mod foreign;
pub(super) mod graph;
pub(super) mod scan;
pub(super) mod tree;

/// Something wrong at a place, in a template that the caller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Line and column, from 1, in characters.
    pub at: (usize, usize),
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn new(at: (usize, usize), message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The name that was most likely meant, if one is near enough.
pub(super) fn nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}

/// Line and column, from 1 and in characters, of a byte in a text.
pub(super) fn position(source: &str, byte: usize) -> (usize, usize) {
    let before = source.get(..byte).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
