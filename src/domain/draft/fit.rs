//! Makes texts fit what the vendor takes, without ever losing the token that makes them findable.
//!
//! The vendor states limits without a unit. They are counted in UTF-16 units (never fewer than
//! characters), and long texts also in bytes as they will stand in JSON: EdgeGrid signs only the
//! first 131,072 bytes of a body, and a body below that size raises no question.

use super::super::ids::Marker;
use super::super::text::{has_no_place, without_hidden};

/// The longest subject, in UTF-16 units.
pub const SUBJECT_LIMIT: usize = 255;
/// The longest description, in UTF-16 units.
pub const DESCRIPTION_LIMIT: usize = 32_000;
/// The longest description and comment, in bytes of UTF-8 with JSON's escapes: 100 KiB. The
/// vendor's own limits are 131,072 for a comment and 130,000 for a closure request.
pub const TEXT_BYTES: usize = 100 * 1024;

const ELLIPSIS: char = '…';
const CUT_MARK: &str = "\n[… cut by Casewright: the text is longer than the vendor takes]";

/// A text that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Whether something at its end had to go. Characters that are not sent do not count.
    pub cut: bool,
}

/// One line of at most [`SUBJECT_LIMIT`] UTF-16 units that ends in the marker's token.
///
/// Line breaks, control characters and runs of blanks become one blank; what [has no
/// place](has_no_place) in a text goes. Too long a text is cut
/// at a character and ends in `…` before the token. An empty text gives the token alone, which
/// [`super::Draft::problems`] reports.
pub fn fit_subject(text: &str, marker: &Marker) -> Fitted {
    let token = marker.token();
    let line = one_line(text);
    let line = line.strip_suffix(token.as_str()).unwrap_or(&line).trim_end();
    if line.is_empty() {
        return Fitted { text: token, cut: false };
    }
    let room = SUBJECT_LIMIT.saturating_sub(units(&token) + 1);
    if units(line) <= room {
        return Fitted { text: format!("{line} {token}"), cut: false };
    }
    let head = head(line, room.saturating_sub(1), usize::MAX).trim_end();
    Fitted { text: format!("{head}{ELLIPSIS} {token}"), cut: true }
}

/// A text of at most `limit` UTF-16 units (never more than [`DESCRIPTION_LIMIT`]) and
/// [`TEXT_BYTES`] bytes that ends in `ending`, in a paragraph of its own; `None` adds nothing.
///
/// Keeps line breaks and tabs, drops other control characters and what [has no place](has_no_place)
/// in a text. Too long a text is cut at a character and ends in a line that says so, before the ending.
pub fn fit_description(text: &str, ending: Option<&str>, limit: usize) -> Fitted {
    let text = clean(text);
    let ending = ending.map(|ending| format!("\n\n{ending}")).unwrap_or_default();
    let text = if ending.is_empty() { &text } else { text.trim_end() };
    // Where it stands already it is not said twice.
    let text = text.strip_suffix(ending.as_str()).unwrap_or(text);
    let limit = limit.min(DESCRIPTION_LIMIT);
    let (room, bytes) = match limit.checked_sub(units(&ending)) {
        Some(room) => (room, TEXT_BYTES.saturating_sub(json_len(&ending))),
        // So small a limit leaves no room for it.
        None => return Fitted { text: head(text, limit, TEXT_BYTES).to_owned(), cut: true },
    };
    if units(text) <= room && json_len(text) <= bytes {
        return Fitted { text: format!("{text}{ending}"), cut: false };
    }
    match room.checked_sub(units(CUT_MARK)) {
        Some(room) => {
            let head = head(text, room, bytes.saturating_sub(json_len(CUT_MARK))).trim_end();
            Fitted { text: format!("{head}{CUT_MARK}{ending}"), cut: true }
        }
        // So small a limit leaves no room to explain.
        None => Fitted { text: format!("{}{ending}", head(text, room, bytes)), cut: true },
    }
}

/// A text of at most [`TEXT_BYTES`] bytes that ends in `token`, on a line of its own.
///
/// Keeps line breaks and tabs, drops other control characters and what [has no place](has_no_place)
/// in a text. Too long a text is cut at a character, and a line before the token says so.
pub fn fit_comment(text: &str, token: &str) -> Fitted {
    let text = clean(text);
    let text = text.trim_end();
    let text = text.strip_suffix(token).unwrap_or(text).trim_end();
    if text.is_empty() {
        return Fitted { text: token.to_owned(), cut: false };
    }
    let end = format!("\n\n{token}");
    let room = TEXT_BYTES.saturating_sub(json_len(&end));
    if json_len(text) <= room {
        return Fitted { text: format!("{text}{end}"), cut: false };
    }
    let head = head(text, usize::MAX, room.saturating_sub(json_len(CUT_MARK))).trim_end();
    Fitted { text: format!("{head}{CUT_MARK}{end}"), cut: true }
}

/// A comment has at most so many parts.
pub const PARTS: usize = 5;
/// Kept free in every part of a comment, in bytes: for its number, and for its token.
const AROUND_PART: usize = 128;
const REST_MARK: &str = "\n[… cut by Casewright: the text is longer than five comments; the rest is where it was written]";

/// A text in parts, in order, each of which [fits a comment](fit_comment) together with its number. One
/// part where it fits as a whole. Nothing is lost between them but blanks. Of what would take more than
/// [`PARTS`] the rest is cut, and the last part says so.
pub fn comment_parts(text: &str) -> Vec<String> {
    let text = clean(text);
    let mut rest = text.trim_end();
    let room = TEXT_BYTES.saturating_sub(AROUND_PART);
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let whole = head(rest, usize::MAX, room);
        if whole.len() == rest.len() {
            parts.push(rest.to_owned());
            break;
        }
        if parts.len() + 1 == PARTS {
            let last = head(rest, usize::MAX, room.saturating_sub(json_len(REST_MARK))).trim_end();
            parts.push(format!("{last}{REST_MARK}"));
            break;
        }
        let (part, after) = rest.split_at(good_end(whole));
        parts.push(part.trim_end().to_owned());
        rest = after.trim_start_matches(['\n', ' ']);
    }
    parts
}

/// Where a text is best cut: behind its last line, else behind its last word, if that leaves at least
/// half of it.
fn good_end(text: &str) -> usize {
    let half = text.len() / 2;
    let ends = [text.rfind('\n'), text.rfind(' ')];
    ends.into_iter().flatten().map(|at| at + 1).find(|end| *end > half).unwrap_or(text.len())
}

/// The longest text that is attached, in bytes of UTF-8. EdgeGrid signs only the first 131,072
/// bytes of a body, and a file comes in a body with some lines around it.
pub const ATTACHMENT_BYTES: usize = 120 * 1024;

/// A text of at most [`ATTACHMENT_BYTES`] bytes. Too long a text is cut at a character and ends in
/// a line that says so.
pub fn fit_attachment(text: &str) -> Fitted {
    if text.len() <= ATTACHMENT_BYTES {
        return Fitted { text: text.to_owned(), cut: false };
    }
    let room = text.floor_char_boundary(ATTACHMENT_BYTES.saturating_sub(CUT_MARK.len()));
    let head = text.get(..room).unwrap_or_default();
    Fitted { text: format!("{head}{CUT_MARK}"), cut: true }
}

/// The length in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The bytes that a character takes in a JSON string.
fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if u32::from(c) < 0x20 => 6,
        c => c.len_utf8(),
    }
}

/// The length in bytes within a JSON string.
pub(super) fn json_len(text: &str) -> usize {
    text.chars().map(json_bytes).sum()
}

/// The longest beginning that has at most so many UTF-16 units and JSON bytes.
fn head(text: &str, max_units: usize, max_bytes: usize) -> &str {
    let (mut units, mut bytes) = (0usize, 0usize);
    for (at, c) in text.char_indices() {
        units = units.saturating_add(c.len_utf16());
        bytes = bytes.saturating_add(json_bytes(c));
        if units > max_units || bytes > max_bytes {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// One line without control characters, without what has no place in it, and without runs of blanks.
fn one_line(text: &str) -> String {
    let text = without_hidden(text);
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
}

/// Line breaks become `\n`; control characters other than it and the tab go, and so does what has no
/// place in a text.
fn clean(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter_map(|c| match c {
            '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
            '\n' | '\t' => Some(c),
            c if c.is_control() || has_no_place(c) => None,
            c => Some(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::IncidentId;

    #[test]
    fn an_attachment_is_cut_at_a_character_only_where_it_must_be() {
        assert!(!fit_attachment(&"x".repeat(ATTACHMENT_BYTES)).cut);
        let fitted = fit_attachment(&"ä€".repeat(ATTACHMENT_BYTES));
        assert!(fitted.cut && fitted.text.len() <= ATTACHMENT_BYTES);
        assert!(fitted.text.ends_with(CUT_MARK) && fitted.text.len() > ATTACHMENT_BYTES - 8);
    }

    /// Without blanks, which may go where a text is cut.
    fn solid(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    #[test]
    fn a_comment_that_fits_is_one_part() {
        let room = TEXT_BYTES - AROUND_PART;
        assert_eq!(comment_parts("a\n b\x07 \n"), ["a\n b"]);
        assert_eq!(comment_parts(&"x".repeat(room)).len(), 1);
        assert_eq!(comment_parts(&"x".repeat(room + 1)).len(), 2);
        assert_eq!(comment_parts(" "), Vec::<String>::new());
    }

    #[test]
    fn parts_are_cut_between_lines_or_else_between_words() {
        let line = format!("{}\n", "word ".repeat(200));
        let parts = comment_parts(&line.repeat(250));
        assert!(parts.len() > 1);
        for part in &parts {
            assert!(part.starts_with("word ") && part.ends_with("word"), "{:?}", part.get(..9));
        }
        let parts = comment_parts(&"word ".repeat(50_000));
        assert!(parts.iter().all(|part| part.starts_with("word") && part.ends_with("word")));
    }

    #[test]
    fn what_is_longer_than_all_parts_is_cut_and_says_so() {
        let room = TEXT_BYTES - AROUND_PART;
        let most = "x".repeat(room * PARTS);
        let parts = comment_parts(&most);
        assert_eq!((parts.len(), parts.concat()), (PARTS, most.clone()));
        let parts = comment_parts(&format!("{most}x"));
        assert_eq!(parts.len(), PARTS);
        assert!(parts[PARTS - 1].ends_with(REST_MARK));
        assert!(parts[..PARTS - 1].iter().all(|part| !part.contains("cut by")));
    }

    fn marker() -> Marker {
        IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker()
    }

    const TOKEN: &str = "[cw-9f3a1c7be2d0-3]";

    #[test]
    fn a_subject_becomes_one_line_and_ends_in_the_token() {
        assert_eq!(
            fit_subject(" a\r\nb\0\tc   d\u{2028}e ", &marker()),
            Fitted { text: "a b c d e [cw-9f3a1c7be2d0]".to_owned(), cut: false }
        );
        assert_eq!(fit_subject("\n", &marker()).text, "[cw-9f3a1c7be2d0]");
    }

    #[test]
    fn nothing_that_is_sent_shows_a_text_backwards_or_hides_a_part_of_it() {
        let text = "safe\u{202e}gpj\u{202c}.exe\u{2066}\u{200b}\u{feff}\u{e0041}";
        assert_eq!(fit_subject(text, &marker()).text, "safegpj.exe [cw-9f3a1c7be2d0]");
        assert_eq!(fit_description(text, None, 100).text, "safegpj.exe");
        assert_eq!(fit_comment(text, TOKEN).text, format!("safegpj.exe\n\n{TOKEN}"));
        assert_eq!(comment_parts(text), ["safegpj.exe"]);
        assert_eq!(fit_subject("\u{202e}\u{200b}", &marker()).text, "[cw-9f3a1c7be2d0]");
        // What scripts and emoji are written with is no trick, and a separator of lines is one.
        let kept = "\u{1f468}\u{200d}\u{1f469} \u{200f}עברית\u{200e} می\u{200c}خواهم";
        assert_eq!(
            fit_description(&format!("{kept}\u{2028}b"), None, 100).text,
            format!("{kept}\nb")
        );
        assert!(fit_subject(kept, &marker()).text.starts_with(kept));
    }

    #[test]
    fn a_subject_is_cut_only_above_the_limit() {
        let room = 255 - " [cw-9f3a1c7be2d0]".len();
        let fits = fit_subject(&"x".repeat(room), &marker());
        assert_eq!((units(&fits.text), fits.cut), (255, false));
        let cut = fit_subject(&"x".repeat(room + 1), &marker());
        assert_eq!((units(&cut.text), cut.cut), (255, true));
        assert!(cut.text.ends_with("x… [cw-9f3a1c7be2d0]"));
    }

    #[test]
    fn a_subject_of_wide_characters_counts_utf16_units() {
        let cut = fit_subject(&"🔥".repeat(200), &marker());
        assert!(cut.cut && units(&cut.text) <= 255);
        assert!(cut.text.ends_with("🔥… [cw-9f3a1c7be2d0]"));
    }

    #[test]
    fn a_description_keeps_lines_and_tabs_and_says_where_it_was_cut() {
        assert_eq!(fit_description("a\r\n\tb\rc\u{7}\0", None, 32_000).text, "a\n\tb\nc");
        assert!(!fit_description(&"y".repeat(32_000), None, 32_000).cut);
        let cut = fit_description(&"y".repeat(32_001), None, 40_000);
        assert_eq!((units(&cut.text), cut.cut), (32_000, true));
        assert!(cut.text.ends_with(CUT_MARK));
        assert_eq!(
            fit_description("abcdef", None, 3),
            Fitted { text: "abc".to_owned(), cut: true }
        );
    }

    #[test]
    fn what_a_description_must_end_in_is_never_cut_and_never_said_twice() {
        let end = Some("https://cw.example/incidents/1");
        let once = fit_description("it burns\n", end, 32_000);
        assert_eq!(once.text, "it burns\n\nhttps://cw.example/incidents/1");
        assert_eq!(fit_description(&once.text, end, 32_000), once);
        let room = 32_000 - once.text.len() + "it burns".len();
        assert!(!fit_description(&"y".repeat(room), end, 32_000).cut);
        for text in ["y".repeat(room + 1), "\"".repeat(60 * 1024)] {
            let cut = fit_description(&text, end, 32_000);
            assert!(cut.cut && units(&cut.text) <= 32_000 && json_len(&cut.text) <= TEXT_BYTES);
            assert!(cut.text.ends_with(&format!("{CUT_MARK}\n\nhttps://cw.example/incidents/1")));
        }
    }

    #[test]
    fn a_comment_is_measured_as_it_stands_in_json() {
        let quotes = fit_comment(&"\"".repeat(60 * 1024), TOKEN);
        assert!(quotes.cut);
        assert!(serde_json::to_string(&quotes.text).unwrap().len() <= TEXT_BYTES + 2);
        let room = TEXT_BYTES - json_len("\n\n") - TOKEN.len();
        assert!(!fit_comment(&"z".repeat(room), TOKEN).cut);
        assert!(fit_comment(&"z".repeat(room + 1), TOKEN).cut);
        assert_eq!(fit_comment("", TOKEN).text, TOKEN);
    }

    proptest! {
        #[test]
        fn subjects_always_fit_and_are_stable(text in ".{0,400}") {
            let once = fit_subject(&text, &marker());
            prop_assert!(units(&once.text) <= SUBJECT_LIMIT);
            prop_assert!(once.text.ends_with(&marker().token()));
            prop_assert!(!once.text.chars().any(|c| c.is_control() || has_no_place(c)));
            let twice = fit_subject(&once.text, &marker());
            prop_assert_eq!(&twice.text, &once.text);
            prop_assert!(!twice.cut);
        }

        #[test]
        fn descriptions_always_fit_and_are_stable(text in "(?s).{0,300}", limit in 0usize..300) {
            let once = fit_description(&text, None, limit);
            prop_assert!(units(&once.text) <= limit);
            prop_assert!(!once.text.chars().any(has_no_place));
            let kept = once.text.strip_suffix(CUT_MARK).unwrap_or(&once.text);
            prop_assert!(clean(&text).starts_with(kept));
            prop_assert_eq!(
                fit_description(&once.text, None, limit),
                Fitted { text: once.text.clone(), cut: false }
            );
        }
    }

    proptest! {
        // Long texts are slow to shrink and slow to make.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_word_is_lost_between_parts_and_each_fits_with_what_is_around_it(
            text in "(?s).{1,300}", times in 1usize..1_500,
        ) {
            let text = text.repeat(times);
            let parts = comment_parts(&text);
            for part in &parts {
                let comment = fit_comment(&format!("({PARTS}/{PARTS})\n\n{part}"), TOKEN);
                prop_assert!(!comment.cut);
            }
            let whole = parts.last().is_none_or(|last| !last.ends_with(REST_MARK));
            if whole {
                prop_assert_eq!(solid(&parts.concat()), solid(&clean(&text)));
            } else {
                prop_assert_eq!(parts.len(), PARTS);
            }
        }

        #[test]
        fn comments_always_fit_and_are_stable(text in "(?s).{0,300}", times in 1usize..600) {
            let once = fit_comment(&text.repeat(times), TOKEN);
            prop_assert!(json_len(&once.text) <= TEXT_BYTES);
            prop_assert_eq!(
                serde_json::to_string(&once.text).unwrap().len(),
                json_len(&once.text) + 2
            );
            prop_assert!(once.text.ends_with(TOKEN));
            let twice = fit_comment(&once.text, TOKEN);
            prop_assert_eq!(&twice.text, &once.text);
            prop_assert!(!twice.cut);
        }
    }
}
