//! Untrusted text, made fit for a case.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::domain::text::without_hidden;

/// Replaces control characters other than newline and tab with a visible escape such as `\x1b`, and
/// leaves out what [has no place](crate::domain::text::has_no_place) in a text, such as what turns its direction around. Line
/// ends become `\n`.
///
/// Whoever can reach a sender chooses label values; no choice of theirs may move a terminal's
/// cursor, end a C string, or show a text backwards at the vendor's desk.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = without_hidden(text);
    if !text.chars().any(is_hidden) {
        return text;
    }
    let text = text.replace("\r\n", "\n");
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            let code = u32::from(c);
            // Writing to a String cannot fail.
            let _ = if code < 0x100 {
                write!(out, "\\x{code:02x}")
            } else {
                write!(out, "\\u{code:04x}")
            };
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Like [`plain`], and on one line.
pub fn one_line(text: &str) -> String {
    plain(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// Cuts a text to a number of characters, the last of which is then `…`.
pub fn truncate(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) if characters == 0 => String::new(),
        Some(_) => text.chars().take(characters - 1).chain(['…']).collect(),
    }
}

fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_become_visible_and_what_has_no_place_goes() {
        for (text, shown) in [
            ("plain é\n\ttext", "plain é\n\ttext"),
            ("\x1b[31mred\0", "\\x1b[31mred\\x00"),
            ("a\r\nb\rc", "a\nb\\x0dc"),
            ("\u{202e}evil\u{85}\u{2028}", "evil\\x85\\u2028"),
            (
                "soft\u{ad}ware\u{200b} \u{1f468}\u{200d}\u{1f469}",
                "software \u{1f468}\u{200d}\u{1f469}",
            ),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(one_line("a\n\tb"), "a\\n\\tb");
    }

    #[test]
    fn a_cut_text_has_as_many_characters_as_allowed() {
        for (text, length, cut) in [
            ("héllo", 5, "héllo"),
            ("héllo", 4, "hél…"),
            ("héllo", 1, "…"),
            ("h", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(truncate(text, length), cut);
        }
    }

    proptest! {
        #[test]
        fn what_was_made_plain_is_plain(text in ".{0,40}") {
            let once = plain(&text).into_owned();
            prop_assert_eq!(plain(&once), once.as_str());
            prop_assert!(!one_line(&text).contains(['\n', '\t', '\r', '\0', '\x1b']));
        }
    }
}
