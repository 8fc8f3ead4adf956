//! `--set LABEL=VALUE`: what if an alert had this label?

use std::str::FromStr;

use crate::domain::alert::Labels;

/// A label that every alert is given, or loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    label: String,
    /// Empty: the label is taken away.
    value: String,
}

impl Change {
    /// Makes the change.
    pub(super) fn apply(&self, labels: &mut Labels) {
        if self.value.is_empty() {
            labels.remove(&self.label);
        } else {
            labels.insert(self.label.clone(), self.value.clone());
        }
    }
}

impl FromStr for Change {
    type Err = String;

    /// Reads it as promtool and amtool would: quotes around the value are no part of it, nor are
    /// blanks outside of them.
    fn from_str(text: &str) -> Result<Self, String> {
        let (label, value) =
            text.split_once('=').ok_or("it is not LABEL=VALUE, such as `severity=critical`")?;
        let (label, value) = (label.trim(), value.trim());
        if label.is_empty() {
            return Err("a label stands before the `=`, such as `severity=critical`".to_owned());
        }
        if label.ends_with(['!', '=']) || value.starts_with(['~', '=']) {
            return Err(format!(
                "one value is set, not a matcher: `{}=VALUE`",
                label.trim_end_matches(['!', '='])
            ));
        }
        Ok(Self { label: label.to_owned(), value: unquoted(value)?.to_owned() })
    }
}

fn unquoted(value: &str) -> Result<&str, String> {
    let quote = |char: Option<char>| char.filter(|char| matches!(char, '"' | '\''));
    let (first, last) = (quote(value.chars().next()), quote(value.chars().next_back()));
    let inside = first.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    match (inside, first.or(last)) {
        (Some(inside), _) => Ok(inside),
        (None, None) => Ok(value),
        (None, Some(quote)) => {
            let other = if quote == '"' { '\'' } else { '"' };
            Err(format!(
                "the value has a quote at one end only: close it, or, if the `{quote}` is part of the \
                 value, put the value into {other}...{other}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Result<(String, String), String> {
        text.parse().map(|Change { label, value }| (label, value))
    }

    #[test]
    fn quotes_around_a_value_are_no_part_of_it() {
        for (text, label, value) in [
            ("severity=critical", "severity", "critical"),
            ("severity=\"critical\"", "severity", "critical"),
            ("severity='critical'", "severity", "critical"),
            ("severity = \"critical\"", "severity", "critical"),
            ("text=\" blank \"", "text", " blank "),
            ("text='5\"'", "text", "5\""),
            ("text=it's \"so\" here", "text", "it's \"so\" here"),
            ("query=a=b", "query", "a=b"),
            ("severity=", "severity", ""),
            ("severity=\"\"", "severity", ""),
        ] {
            assert_eq!(change(text), Ok((label.to_owned(), value.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_change_says_what_to_write() {
        for (text, says) in [
            ("severity", "LABEL=VALUE"),
            ("=critical", "before the `=`"),
            (" =critical", "before the `=`"),
            ("severity=\"critical", "one end only"),
            ("severity=critical\"", "one end only"),
            ("severity='critical\"", "one end only"),
            ("severity=\"", "one end only"),
            ("severity!=critical", "`severity=VALUE`"),
            ("severity=~critical", "`severity=VALUE`"),
            ("severity==critical", "`severity=VALUE`"),
        ] {
            let told = change(text).expect_err(text);
            assert!(told.contains(says), "{text}: {told}");
        }
    }

    #[test]
    fn an_empty_value_takes_the_label_away() {
        let mut labels = Labels::from_iter([("env".to_owned(), "prod".to_owned())]);
        "severity=high".parse::<Change>().unwrap().apply(&mut labels);
        "env=".parse::<Change>().unwrap().apply(&mut labels);
        assert_eq!(labels, Labels::from_iter([("severity".to_owned(), "high".to_owned())]));
    }
}
