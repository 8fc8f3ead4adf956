//! Tokens in texts that a vendor has kept.

/// Whether a text holds a token such as `[cw-9f3a1c7be2d0-3]`, also where an editor has put tags
/// into it or has taken its brackets away. `…-3` is not found in `…-31`.
pub(super) fn mentions(text: &str, token: &str) -> bool {
    let core = token.trim_matches(['[', ']']).to_ascii_lowercase();
    if core.is_empty() {
        return false;
    }
    let text = text.to_ascii_lowercase();
    holds(&text, &core) || (text.contains('<') && holds(&without_tags(&text), &core))
}

/// Whether a marker such as `cw-9f3a1c7be2d044580a1b2c3d` is the last of the incidents' markers in a
/// text, as it is or without tags.
pub(super) fn is_last_marker(text: &str, marker: &str) -> bool {
    let text = text.to_ascii_lowercase();
    last_marker(&text) == Some(marker) || last_marker(&without_tags(&text)) == Some(marker)
}

/// Whether a comment ends in a token of one of our actions, such as `[cw-9f3a1c7be2d0-3]`, where
/// `token` is the incident's: then it is ours. Behind it there may be punctuation, but no word: an
/// answer that quotes us goes on, or comes as a mail.
pub(super) fn ends_in_action_of(text: &str, token: &str) -> bool {
    let text = without_tags(&text.to_ascii_lowercase());
    let core = format!("{}-", token.trim_matches(['[', ']']).to_ascii_lowercase());
    let Some((_, behind)) = text.rsplit_once(&core) else { return false };
    let number = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = behind.get(number..).unwrap_or_default();
    number > 0 && !rest.chars().any(char::is_alphanumeric)
}

/// So many hexadecimal digits has a marker.
const MARKER_DIGITS: usize = 24;

fn last_marker(text: &str) -> Option<&str> {
    text.rmatch_indices("cw-").find_map(|(at, prefix)| {
        let marker = text.get(at..at + prefix.len() + MARKER_DIGITS)?;
        let digits = marker.get(prefix.len()..)?;
        digits.chars().all(|digit| digit.is_ascii_hexdigit()).then_some(marker)
    })
}

fn holds(text: &str, core: &str) -> bool {
    let part_of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    text.match_indices(core).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + core.len()..).and_then(|text| text.chars().next());
        !part_of_a_word(before) && !part_of_a_word(after)
    })
}

fn without_tags(html: &str) -> String {
    let mut inside = false;
    html.chars()
        .filter(|c| match c {
            '<' => {
                inside = true;
                false
            }
            '>' if inside => {
                inside = false;
                false
            }
            _ => !inside,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_words_of_an_alert_the_last_marker_counts() {
        let (own, other) = ("cw-9f3a1c7be2d044580a1b2c3d", "cw-0f0f0f0f0f0f0f0f0f0f0f0f");
        for text in [
            own.to_owned(),
            format!("{other} is quoted {own}"),
            format!("{other} 5 < 6 {}", own.to_uppercase()),
            format!("<p>{other}</p><p>cw-9f3a1c<wbr>7be2d044580a1b2c3d</p>"),
        ] {
            assert!(is_last_marker(&text, own), "{text}");
        }
        for text in [format!("{own} {other}"), "nothing".to_owned(), "cw-9f3a1c7be2d0".to_owned()] {
            assert!(!is_last_marker(&text, own), "{text}");
        }
    }

    #[test]
    fn only_what_ends_in_a_token_of_an_action_is_ours() {
        let token = "[cw-9f3a1c7be2d0]";
        for text in [
            "Still so.\n\n[cw-9f3a1c7be2d0-3]",
            "<p>Still so.</p><p>[cw-9f3a1c7be2d0-31]</p>",
            "CW-9F3A1C7BE2D0-1.",
        ] {
            assert!(ends_in_action_of(text, token), "{text}");
        }
        for text in [
            "Which property?",
            "Fixed. You wrote: Still so. [cw-9f3a1c7be2d0-3] Please confirm.",
            "See [cw-9f3a1c7be2d0]",
            "[cw-9f3a1c7be2d0-x]",
            "[cw-0f3a1c7be2d0-3]",
        ] {
            assert!(!ends_in_action_of(text, token), "{text}");
        }
    }

    #[test]
    fn tokens_are_found_in_html_and_not_in_longer_tokens() {
        let token = "[cw-9f3a1c7be2d0-3]";
        for text in [
            "x [cw-9f3a1c7be2d0-3]",
            "<p>x</p><p>[cw-9f3a1c7be2d0-3]</p>",
            "Case Closure Request: x\n\n[CW-9F3A1C7BE2D0-3]",
            "&#91;cw-9f3a1c7be2d0-3&#93;",
            "[cw-9f3a1c<wbr>7be2d0-3]",
            "[cw-9f3a1c7be2d0-31] [cw-9f3a1c7be2d0-3]",
        ] {
            assert!(mentions(text, token), "{text}");
        }
        for text in ["", "cw-9f3a1c7be2d0", "[cw-9f3a1c7be2d0-31]", "xcw-9f3a1c7be2d0-3", "é<"] {
            assert!(!mentions(text, token), "{text}");
        }
        assert!(!mentions("anything", "[]"));
        // The subject's token is not found in an action's.
        assert!(!mentions("[cw-9f3a1c7be2d0-3]", "[cw-9f3a1c7be2d0]"));
    }
}
