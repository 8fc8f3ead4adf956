//! Names that people give to sources, vendors and rules.
//!
//! They end up in paths (`POST /webhooks/{source}`), metrics and logs, so they are plain words.

use crate::domain::ids::{RuleName, SourceName, VendorName};

use super::decode::{Decode, Field};

/// The longest name.
const MAX_LENGTH: usize = 64;

impl Decode for SourceName {
    fn decode(field: &Field<'_>) -> Option<Self> {
        word(field, "").map(Self::new)
    }
}

impl Decode for VendorName {
    fn decode(field: &Field<'_>) -> Option<Self> {
        word(field, "").map(Self::new)
    }
}

impl Decode for RuleName {
    /// Rules may also have dots: people number them.
    fn decode(field: &Field<'_>) -> Option<Self> {
        word(field, ".").map(Self::new)
    }
}

/// A name that is nothing but a name: that of a token.
pub(super) struct Word(pub(super) String);

impl Decode for Word {
    fn decode(field: &Field<'_>) -> Option<Self> {
        word(field, "").map(Self)
    }
}

/// Whether a text can be the name of a token.
pub fn is_token_name(text: &str) -> bool {
    is_word(text, "")
}

fn is_word(text: &str, also: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    text.len() <= MAX_LENGTH
        && text.starts_with(plain)
        && text.chars().all(|char| plain(char) || matches!(char, '-' | '_') || also.contains(char))
}

fn word(field: &Field<'_>, also: &str) -> Option<String> {
    let text: String = field.decode()?;
    let fits = is_word(&text, also);
    if !fits {
        let marks = if also.is_empty() { "`-` and `_`" } else { "`-`, `_` and `.`" };
        let hint = format!(
            "use lower-case letters, digits, {marks}; start with a letter or digit; \
             at most {MAX_LENGTH} characters"
        );
        field.error(format!("{} cannot be a name", field.quoted()), hint);
    }
    fits.then_some(text)
}
