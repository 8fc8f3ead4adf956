//! Foreign texts, cut for people. Nothing here knows what a text is about, or takes anything out of it.

/// The beginning of a foreign text, on one line and without control characters: at most so many
/// characters, and `…` where it went on.
pub fn excerpt(text: &str, characters: usize) -> String {
    // Bounded before it is split: a foreign text may be long.
    let head: String = text.chars().take(characters.saturating_mul(4)).collect();
    let line = head
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_of_at_most_so_many_characters() {
        assert_eq!(excerpt(" a\n\tb\u{1b}c  ", 5), "a b c");
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöüß", 3), "äöü…");
        assert_eq!(excerpt(&"a ".repeat(1_000_000), 2), "a …");
    }
}
