//! Comments as people read them: vendors keep some as HTML.
//!
//! The result is shown as plain text and never as HTML, so nothing has to be made harmless here: what
//! looks like a tag and is none (`5 < 6`, `<wait>`) had better stay.

/// Tags that begin a new line.
const BLOCKS: [&str; 22] = [
    "address",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "td",
    "tr",
    "ul",
];

/// Tags that only lead over the text.
const INLINE: [&str; 24] = [
    "a", "abbr", "b", "body", "code", "del", "em", "font", "html", "i", "img", "ins", "kbd", "s",
    "small", "span", "strong", "sub", "sup", "tbody", "th", "thead", "u", "wbr",
];

/// Tags whose content is no text.
const SILENT: [&str; 4] = ["head", "script", "style", "title"];

/// The text of something that may be HTML, without control characters, with at most one empty line
/// in a row.
pub(super) fn plain(text: &str) -> String {
    tidy(&unescaped(&without_tags(text)))
}

/// The beginning of a text, with a mark where more was.
pub(super) fn shortened(text: &str, at_most: usize) -> String {
    match text.char_indices().nth(at_most.saturating_sub(1)) {
        Some((cut, last)) if cut + last.len_utf8() < text.len() => {
            format!("{}…", text.get(..cut).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        text.push_str(before);
        rest = match Tag::begin(tag) {
            Some(Tag { name, closes, after }) => {
                if BLOCKS.contains(&name.as_str()) {
                    text.push('\n');
                }
                if !closes && SILENT.contains(&name.as_str()) {
                    end_of(after, &name)
                } else {
                    after
                }
            }
            None => {
                text.push('<');
                // Cannot fail: it begins with `<`.
                tag.strip_prefix('<').unwrap_or_default()
            }
        };
    }
    text.push_str(rest);
    text
}

struct Tag<'a> {
    name: String,
    closes: bool,
    after: &'a str,
}

impl<'a> Tag<'a> {
    /// The known tag, or the comment, that a text begins with.
    fn begin(text: &'a str) -> Option<Self> {
        if let Some(comment) = text.strip_prefix("<!--") {
            let (_, after) = comment.split_once("-->")?;
            return Some(Self { name: String::new(), closes: false, after });
        }
        let inner = text.strip_prefix('<')?;
        let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric())?;
        let (name, rest) = inner.split_at(length);
        let name = name.to_ascii_lowercase();
        let known = [&BLOCKS[..], &INLINE[..], &SILENT[..]].concat().contains(&name.as_str());
        let goes_on = rest.starts_with(|c: char| c.is_whitespace() || c == '/' || c == '>');
        if !known || !goes_on {
            return None;
        }
        let after = rest.get(end_of_tag(rest)?..)?;
        Some(Self { name, closes, after })
    }
}

/// Where the text behind a tag begins; `>` may stand in its quoted attributes.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('>', None) => return Some(at + 1),
            _ => {}
        }
    }
    // A quote that is never closed ends nothing.
    rest.find('>').map(|at| at + 1)
}

/// What stands behind the end of an element whose content is no text.
fn end_of<'a>(text: &'a str, name: &str) -> &'a str {
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find(&format!("</{name}")) else { return "" };
    let closing = text.get(at..).unwrap_or_default();
    closing.split_once('>').map_or("", |(_, after)| after)
}

/// Resolves the character references that editors write.
fn unescaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        let (before, reference) = rest.split_at(start);
        result.push_str(before);
        // Cannot fail: it begins with `&`.
        let inner = reference.strip_prefix('&').unwrap_or_default();
        let named = inner.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        rest = if let Some((character, after)) = named {
            result.push(character);
            after
        } else {
            result.push('&');
            inner
        };
    }
    result.push_str(rest);
    result
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let clean: String = line
            .chars()
            .map(|c| if c == '\t' || c == '\u{a0}' { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect();
        let clean = clean.trim_end();
        if clean.is_empty() && lines.last().is_none_or(String::is_empty) {
            continue;
        }
        lines.push(clean.to_owned());
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_becomes_the_text_that_a_person_reads() {
        for (html, text) in [
            ("plain", "plain"),
            ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
            ("a<br/>b<BR>c", "a\nb\nc"),
            ("<ul><li>x</li><li>y</li></ul>", "x\n\ny"),
            ("<a href=\"https://h/?a>b\" title='>'>link</a> on", "link on"),
            ("5 < 6 and <wait> for <it>", "5 < 6 and <wait> for <it>"),
            ("<script>alert(1)</script>x<style>p{}</style >y<!-- z -->", "xy"),
            ("<script>never closed", ""),
            ("&lt;p&gt; &#65;&#x42; &nope; &", "<p> AB &nope; &"),
            ("a\u{1b}[31mb\u{7}\r\nc", "a[31mb\nc"),
            ("<b", "<b"),
            ("<b unclosed", "<b unclosed"),
            ("<b x=\"y>z", "z"),
            ("\n\n\na\n\n\n\nb\n\n", "a\n\nb"),
            ("äß<p>漢🔥</p>", "äß\n漢🔥"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }

    #[test]
    fn a_long_text_is_cut_with_a_mark_and_a_short_one_is_not() {
        assert_eq!(shortened("漢字漢字", 4), "漢字漢字");
        assert_eq!(shortened("漢字漢字漢", 4), "漢字漢…");
        assert_eq!(shortened("", 4), "");
    }

    proptest! {
        #[test]
        fn what_is_no_html_keeps_its_words(text in "[^<&\\p{Cc}]{0,200}") {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&plain(&text)), words(&text));
        }

        #[test]
        fn nothing_is_made_up_and_no_control_character_is_left(text in "(<[/a-z!\"' ]{0,6}>?|&[#x0-9a-z]{0,5};?|[ -~]|\\PC|\n|\t|\u{7}){0,60}") {
            let made = plain(&text);
            prop_assert!(made.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", made);
            // A tag may become a line break, and no more.
            prop_assert!(made.len() <= text.len(), "{:?}", made);
            let short = shortened(&made, 10);
            prop_assert!(short.chars().count() <= 10);
            prop_assert!(made.starts_with(short.trim_end_matches('…')));
        }
    }
}
