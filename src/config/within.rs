//! Points into a text as it stands in its file: at the one wrong character of a matcher or
//! template instead of at the whole of it.

use std::ops::Range;

use super::source_file::{Place, Span};

impl Place {
    /// The piece of the file that holds the bytes `range` of `text`, the text that this place was
    /// decoded to. The whole place where that cannot be told: folded blocks, rare escapes, texts
    /// with pieces from the environment.
    #[must_use]
    pub fn within(&self, text: &str, range: Range<usize>) -> Self {
        let raw = self.file.slice(self.span);
        let indent = self.start().column - 1;
        let Some(offsets) = offsets(raw, text, indent) else { return self.clone() };
        // An offset inside a character, or after the end, belongs to what comes next.
        let at = |wanted: usize| {
            offsets.iter().find(|(decoded, _)| *decoded >= wanted).map(|(_, raw)| *raw)
        };
        match (at(range.start), at(range.end)) {
            (Some(start), Some(end)) => Self {
                file: self.file.clone(),
                span: Span { start: self.span.start + start, end: self.span.start + end },
            },
            _ => self.clone(),
        }
    }
}

/// For every character of `text`, and for its end: its byte there, and its byte in `raw`.
fn offsets(raw: &str, text: &str, indent: usize) -> Option<Vec<(usize, usize)>> {
    let quote = raw.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut at = usize::from(quote.is_some());
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for (decoded, wanted) in text.char_indices() {
        offsets.push((decoded, at));
        at += match_one(raw.get(at..)?, wanted, quote)?;
        if wanted == '\n' && quote.is_none() {
            // A literal block: every line is indented like the first.
            let line = raw.get(at..)?;
            at += line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
        }
    }
    offsets.push((text.len(), at));
    Some(offsets)
}

/// How many bytes of `raw` stand for the character `wanted`.
fn match_one(raw: &str, wanted: char, quote: Option<char>) -> Option<usize> {
    let escape = match (quote, wanted) {
        (Some('\''), '\'') => Some("''"),
        (Some('"'), '"') => Some("\\\""),
        (Some('"'), '\\') => Some("\\\\"),
        (Some('"'), '\n') => Some("\\n"),
        (Some('"'), '\t') => Some("\\t"),
        _ => None,
    };
    if let Some(escape) = escape {
        return raw.starts_with(escape).then_some(escape.len());
    }
    // A line break inside quotes or a plain text is folded to a blank, which does not match.
    raw.starts_with(wanted).then_some(wanted.len_utf8())
}

#[cfg(test)]
mod tests {
    use crate::config::decode::Located;
    use crate::config::document::Document;
    use crate::config::source_file::{Holds, SourceFile};

    /// What stands in the file where the decoded text has `piece`.
    fn found(yaml: &str, piece: &str) -> String {
        let file = SourceFile::new("x.yaml", yaml, Holds::NoSecrets);
        let document = Document::of(file.clone(), &|_| Some("env".to_owned()));
        let text: Located<String> = document.root().unwrap().required("a").unwrap();
        let start = text.value.find(piece).unwrap();
        file.slice(text.place.within(&text.value, start..start + piece.len()).span).to_owned()
    }

    #[test]
    fn a_piece_of_a_text_is_found_again() {
        assert_eq!(found("a: one two", "two"), "two");
        assert_eq!(found("a: 'it''s two'", "s two"), "s two");
        assert_eq!(found("a: 'it''s two'", "'s"), "''s");
        assert_eq!(found("a: \"x =~ \\\"b(\\\"\"", "b("), "b(");
        assert_eq!(found("a: |\n  é one\n    two\n  three\n", "three"), "three");
    }

    #[test]
    fn where_it_cannot_be_told_the_whole_text_stands_for_it() {
        assert_eq!(found("a: ${X} two", "two"), "${X} two");
        assert_eq!(found("a: \"\\u0041 two\"", "two"), "\"\\u0041 two\"");
        assert_eq!(found("a: one\n  two", "two"), "one\n  two");
    }
}
