//! Foreign texts, made fit for people. Nothing here knows what a text is about, or takes out anything
//! that a person could have read.
//!
//! What nobody can see has two answers. Where a text is shown to the people of this house, on a page, in
//! a terminal, in a log, it becomes visible, because that it stands there is news ([`visible`],
//! [`one_line`]). Where a text goes to others, it is left out, because they can make nothing of it
//! ([`without_hidden`]).

use std::borrow::Cow;

/// Whether a character has no shape of its own and does something to its neighbours, or nothing that
/// anybody would see: control characters but for blanks, marks of direction, joiners, tags.
pub fn is_hidden(char: char) -> bool {
    let is_blank = matches!(char, '\t' | '\n' | '\r');
    (char.is_control() && !is_blank)
        || has_no_place(char)
        || matches!(
            char,
            '\u{61c}' | '\u{180e}' | '\u{200c}'..='\u{200f}' | '\u{2028}' | '\u{2029}'
        )
}

/// Whether a character has no place in a text that somebody else is to read: what overrides, embeds and
/// isolates directions (and so can show a text backwards), and what is invisible and says nothing.
///
/// Scripts that are written from right to left need U+061C, U+200E and U+200F; Persian, the scripts of
/// India and composed emoji need the joiners U+200C and U+200D. Those stay.
pub fn has_no_place(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text with everything [hidden](is_hidden) in it shown as Rust writes it, such as `\u{202e}`. Line
/// breaks and tabs stay; a carriage return, which would have a line written over, does not.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |char| is_hidden(char) || char == '\r')
}

/// As [`visible`], and on one line: of breaks and tabs it says that they are there.
pub fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, |char| is_hidden(char) || char.is_control())
}

fn shown(text: &str, is_shown: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_shown) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match is_shown(char) {
            true if char.is_control() => shown.extend(char.escape_default()),
            true => shown.extend(char.escape_unicode()),
            false => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

/// A text without what [has no place](has_no_place) in it.
pub fn without_hidden(text: &str) -> Cow<'_, str> {
    if text.chars().any(has_no_place) {
        Cow::Owned(text.chars().filter(|char| !has_no_place(*char)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The beginning of a text: at most so many characters, and `…` in place of the last where it went on.
pub fn beginning(text: &str, characters: usize) -> Cow<'_, str> {
    if text.chars().nth(characters).is_none() {
        return Cow::Borrowed(text);
    }
    let end = text.char_indices().nth(characters.saturating_sub(1)).map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// The beginning of a foreign text, on one line, without control characters and without what [has no
/// place](has_no_place) in it: at most so many characters, and `…` where it went on.
pub fn excerpt(text: &str, characters: usize) -> String {
    // Bounded before it is split: a foreign text may be long.
    let head: String = text
        .chars()
        .filter(|char| !has_no_place(*char))
        .take(characters.saturating_mul(4))
        .collect();
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_becomes_one_line_of_at_most_so_many_characters() {
        assert_eq!(excerpt(" a\n\tb\u{1b}c  ", 5), "a b c");
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöüß", 3), "äöü…");
        assert_eq!(excerpt(&"a ".repeat(1_000_000), 2), "a …");
        assert_eq!(excerpt("safe\u{202e}gpj.exe", 20), "safegpj.exe");
    }

    #[test]
    fn what_hides_or_turns_text_around_is_shown_by_its_number() {
        for (text, seen) in [
            ("safe\u{202e}gpj.exe", "safe\\u{202e}gpj.exe"),
            ("a\u{1b}[2Jb\u{9b}31m", "a\\u{1b}[2Jb\\u{9b}31m"),
            ("lines\n\tstay\rhere", "lines\n\tstay\\rhere"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\\u{200d}\u{1f469}"),
            ("\u{e0041}\u{2028}\0", "\\u{e0041}\\u{2028}\\u{0}"),
            ("ünïcode, 東京, עברית", "ünïcode, 東京, עברית"),
        ] {
            assert_eq!(visible(text), seen);
        }
        assert_eq!(one_line("a\nb\tc\r\u{202e}"), "a\\nb\\tc\\r\\u{202e}");
    }

    #[test]
    fn what_scripts_and_emoji_need_stays_and_the_rest_goes() {
        for (text, kept) in [
            ("safe\u{202e}gpj\u{202c}.exe", "safegpj.exe"),
            ("\u{2066}a\u{2069}\u{200b}b\u{2060}\u{feff}c\u{ad}", "abc"),
            ("\u{1f468}\u{200d}\u{1f469}\u{fe0f}", "\u{1f468}\u{200d}\u{1f469}\u{fe0f}"),
            (
                "می\u{200c}خواهم \u{200f}!\u{200e}\u{61c}",
                "می\u{200c}خواهم \u{200f}!\u{200e}\u{61c}",
            ),
        ] {
            assert_eq!(without_hidden(text), kept);
        }
    }

    #[test]
    fn a_beginning_has_at_most_so_many_characters_and_says_that_it_is_one() {
        for (text, begun) in [("äöü", "äöü"), ("äöüß", "äö…"), ("", "")] {
            assert_eq!(beginning(text, 3), begun);
        }
        assert_eq!(beginning("ab", 0), "…");
    }

    /// Texts in which every second character is one that does something.
    fn hostile() -> impl Strategy<Value = String> {
        let odd = proptest::sample::select(vec![
            '\u{1b}',
            '\u{9b}',
            '\0',
            '\r',
            '\n',
            '\t',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{fffa}',
            '\u{e0020}',
        ]);
        proptest::collection::vec(prop_oneof![odd, any::<char>()], 0..60)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_steers_a_terminal(text in hostile()) {
            let seen = visible(&text);
            prop_assert!(!seen.chars().any(|char| is_hidden(char) || char == '\r'), "{:?}", seen);
            prop_assert_eq!(seen.matches('\n').count(), text.matches('\n').count());
            let line = one_line(&text);
            prop_assert!(!line.chars().any(|char| is_hidden(char) || char.is_control()));
            prop_assert_eq!(visible(&line), line.as_ref());
        }

        #[test]
        fn whoever_reads_what_is_shown_can_tell_what_stood_there(text in hostile()) {
            // A backslash of the sender's own would be read as one of ours.
            prop_assume!(!text.contains('\\'));
            let mut read = one_line(&text).into_owned();
            for (shown, char) in [("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r")] {
                read = read.replace(shown, char);
            }
            while let Some((before, rest)) = read.split_once("\\u{") {
                let (code, after) = rest.split_once('}').unwrap();
                let char = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
                read = format!("{before}{char}{after}");
            }
            prop_assert_eq!(read, text);
        }

        #[test]
        fn only_what_has_no_place_is_left_out(text in hostile()) {
            let kept = without_hidden(&text);
            prop_assert!(!kept.chars().any(has_no_place));
            let left_out = text.chars().filter(|char| has_no_place(*char)).count();
            prop_assert_eq!(kept.chars().count() + left_out, text.chars().count());
            prop_assert_eq!(without_hidden(&kept), kept.as_ref());
        }
    }
}
