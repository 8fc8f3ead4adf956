//! Texts on pages. Almost all of them come from strangers: labels, titles, what a vendor answers.
//!
//! *Invariant:* whatever a page shows passes through [`Visible`], which askama is told to use for
//! every page (`askama.toml`): markup becomes text, and what would hide, overwrite or turn text
//! around becomes visible. Nothing here is ever marked as safe that holds a stranger's text which
//! did not pass through it. An address becomes a link only if [`web`] says so.

use std::fmt::{self, Write};
use std::time::Duration;

use askama::Template;
use askama::filters::{Escaper, Safe};
use jiff::Timestamp;

use crate::domain::text::is_hidden;
use crate::time::between;

/// The escaper of all pages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, char) in text.char_indices() {
            let shown = match char {
                '<' => "&#60;",
                '>' => "&#62;",
                '&' => "&#38;",
                '"' => "&#34;",
                '\'' => "&#39;",
                hidden if is_hidden(hidden) => "",
                _ => continue,
            };
            dest.write_str(text.get(plain..at).unwrap_or_default())?;
            if shown.is_empty() {
                dest.write_str(&number(char))?;
            } else {
                dest.write_str(shown)?;
            }
            plain = at + char.len_utf8();
        }
        dest.write_str(text.get(plain..).unwrap_or_default())
    }
}

/// A text as it stands in a form: what would hide or turn text around is visible, and nothing else is
/// changed. The page escapes it all the same.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) {
            shown.push_str(&number(char));
        } else {
            shown.push(char);
        }
    }
    shown
}

/// What stands for a character that cannot be seen.
fn number(char: char) -> String {
    format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(char))
}

/// The address, if it leads to the web and to nothing else: not to a script, not to a file.
pub(crate) fn web(address: &str) -> Option<&str> {
    let url = url::Url::parse(address).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    // What parses but was written otherwise (with tabs, say) is no address that a person has seen.
    let is_plain = address.is_ascii() && !address.bytes().any(|byte| byte <= b' ');
    (is_web && is_plain).then_some(address)
}

/// What a heading or a line of a list shows of a text, in characters.
const SHORT: usize = 160;

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A time, told by how long ago it was.
#[derive(Debug, Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ at }}" title="{{ whole }}">{{ told }}</time>"#
)]
pub(crate) struct When {
    at: Timestamp,
    whole: String,
    told: String,
}

/// How long ago, or how soon.
pub(super) fn when(at: Timestamp, now: Timestamp) -> Safe<When> {
    Safe(When { at, whole: whole(at), told: ago(at, now) })
}

/// The time of day, with the date where it is not today's.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> Safe<When> {
    let is_today = at.strftime("%F").to_string() == now.strftime("%F").to_string();
    let told = at.strftime(if is_today { "%T" } else { "%-d %b %T" }).to_string();
    Safe(When { at, whole: whole(at), told })
}

/// To the second, with the zone.
pub(super) fn whole(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    match (between(at, now), between(now, at)) {
        (passed, _) if !passed.is_zero() => format!("{} ago", rough(passed)),
        (_, ahead) if !ahead.is_zero() => format!("in {}", rough(ahead)),
        _ => "now".to_owned(),
    }
}

/// A duration in its largest unit.
pub(super) fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something took, in microseconds.
pub(super) fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => {
            format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000)
        }
        _ => rough(Duration::from_micros(micros)),
    }
}

/// A word for how something stands, with a shape and a colour: whoever sees no colours tells them
/// apart as well.
#[derive(Debug, Template)]
#[template(
    ext = "html",
    source = r#"<span class="badge {{ tone }}"><span aria-hidden="true">{{ shape }}</span> {{ word }}</span>"#
)]
pub(crate) struct Badge {
    tone: &'static str,
    shape: &'static str,
    word: String,
}

/// The badge of a word; what is not known is shown plainly.
pub(super) fn badge(word: &str) -> Safe<Badge> {
    let (tone, shape) = match word {
        "open" | "done" | "found" | "accepted" | "takes" => ("good", "●"),
        "opening" | "sending" | "leased" | "in_progress" | "assigned" => ("busy", "◐"),
        "pending" | "ready" | "resolving" | "created" => ("calm", "◔"),
        "held" | "approval" | "shadow" | "mute" | "budget" | "rollup" | "paused" | "unknown"
        | "several" | "throttled" | "unmatched" => ("warn", "◆"),
        "failed" | "dead" | "refused" | "denied" | "tripped" | "unusable" | "firing" => {
            ("bad", "▲")
        }
        "closed" | "dropped" | "resolved" | "solved" | "absent" | "repeat" | "redelivered"
        | "ignored" | "ignores" | "noted" => ("over", "○"),
        _ => ("over", "·"),
    };
    Safe(Badge { tone, shape, word: word.replace('_', " ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut shown = String::new();
        Visible.write_escaped_str(&mut shown, text).unwrap();
        shown
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(shown(r#"a<b> & "c" 'd'"#), "a&#60;b&#62; &#38; &#34;c&#34; &#39;d&#39;");
        assert_eq!(shown("nothing to do: ä €"), "nothing to do: ä €");
    }

    #[test]
    fn what_hides_or_turns_text_around_becomes_visible() {
        assert_eq!(
            shown("a\u{202e}b\0c\u{200b}\u{1b}[2J"),
            "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩⟨U+001B⟩[2J"
        );
        assert_eq!(shown("\u{e0041}"), "⟨U+E0041⟩");
        assert_eq!(shown("line\n\ttab\r\n"), "line\n\ttab\r\n", "blanks stay");
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for good in ["http://a.example/x?y=1", "https://a.example"] {
            assert_eq!(web(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,<script>",
            "file:///etc/passwd",
            "vbscript:x",
            "//a.example",
            "https:///",
            "https://a.example/\u{202e}",
            "https://a.example/ x",
            "",
        ] {
            assert_eq!(web(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters_and_says_so() {
        assert_eq!(short(&"\u{e4}".repeat(SHORT)).chars().count(), SHORT);
        assert!(short(&"\u{e4}".repeat(SHORT + 1)).ends_with("\u{e4}\u{2026}"));
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (then, told) in [
            (1_000_000, "now"),
            (999_999, "1 s ago"),
            (1_000_060, "in 1 min"),
            (996_400, "1 h ago"),
            (1_000_000 - 172_799, "47 h ago"),
            (1_000_000 - 172_800, "2 d ago"),
        ] {
            assert_eq!(ago(at(then), at(1_000_000)), told);
        }
        assert_eq!(
            when(at(999_999), at(1_000_000)).0.to_string(),
            r#"<time datetime="1970-01-12T13:46:39Z" title="1970-01-12 13:46:39 UTC">1 s ago</time>"#
        );
    }

    #[test]
    fn what_it_took_is_told_to_a_useful_place() {
        let told = [999, 1_000, 999_999, 1_000_000, 1_290_000, 61_000_000].map(took);
        assert_eq!(told, ["999 µs", "1 ms", "999 ms", "1.0 s", "1.2 s", "1 min"]);
    }

    #[test]
    fn a_badge_of_a_strangers_word_is_a_text() {
        let shown = badge("<b>_x").0.to_string();
        assert!(shown.contains("&#60;b&#62; x") && !shown.contains("<b>"), "{shown}");
    }
}
