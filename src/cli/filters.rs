//! A list that finds nothing, because what it was asked for may not exist.
//!
//! The past may name rules, vendors and sources that are gone, so a name that is not known now is no
//! mistake, and the list is what it is: empty. But a slip of the fingers must not look like "there is no
//! such incident", so it is said beside it, on standard error.

use serde_json::Value;

use super::print::{Form, Watch, tell};
use super::remote::Remote;
use super::words::{field, items, shown};
use crate::config::suggest::nearest;
use crate::domain::case_view::CaseStatus;

/// A list, and what is asked for of it.
pub(super) struct Asked<'a> {
    /// Its name, in addresses and in the answer.
    pub(super) list: &'a str,
    /// What the rows must be.
    pub(super) query: Vec<(&'a str, &'a str)>,
    /// How many at most.
    pub(super) limit: u32,
}

impl<'a> Asked<'a> {
    pub(super) fn of(list: &'a str, limit: u32) -> Self {
        Self { list, query: Vec::new(), limit }
    }

    /// Only rows that have this, if it is asked for.
    pub(super) fn with(mut self, key: &'a str, value: impl Into<Option<&'a str>>) -> Self {
        self.query.extend(value.into().map(|value| (key, value)));
        self
    }

    /// Shows the list once or for ever.
    pub(super) async fn show(
        &self,
        remote: &Remote,
        watch: Watch,
        form: Form,
        text: impl Fn(&Value) -> String,
    ) -> anyhow::Result<()> {
        let ask = || async {
            let answer = remote.list(self.list, &self.query, self.limit).await?;
            if items(&answer, self.list).next().is_none() && !watch.is_on() {
                for (key, value) in &self.query {
                    // The list is the answer; that nothing can be said about it is no error.
                    if let Ok(Some(odd)) = odd(remote, key, value).await {
                        tell(&odd);
                    }
                }
            }
            Ok(answer)
        };
        watch.show(form, ask, text).await
    }
}

/// What is odd about a filter, if it is.
async fn odd(remote: &Remote, key: &str, value: &str) -> anyhow::Result<Option<String>> {
    let named = |answer: &Value, list: &str, key: &str| -> Vec<String> {
        items(answer, list).map(|one| field(one, key)).collect()
    };
    let (what, mut known) = match key {
        "rule" => {
            let rules = remote.get(&["api", "v1", "rules"]).await?;
            ("no rule `{}` is in force", named(&rules, "rules", "name"))
        }
        "vendor" => {
            let vendors = remote.get(&["api", "v1", "vendors"]).await?;
            ("there is no vendor `{}`", named(&vendors, "vendors", "name"))
        }
        // The files alone say which there are; the deliveries that are kept say which were heard.
        "source" => {
            let heard = remote.list("deliveries", &[], HEARD).await?;
            ("nothing of a source `{}` was heard of late", named(&heard, "deliveries", "source"))
        }
        // A vendor may have words of its own.
        "status" => {
            let words = CaseStatus::LABELS.into_iter().filter(|word| *word != "other");
            ("`{}` is no status that is known", words.map(str::to_owned).collect())
        }
        _ => return Ok(None),
    };
    known.sort_unstable();
    known.dedup();
    Ok(complaint(what, value, &known))
}

/// So many deliveries are asked which sources there are.
const HEARD: u32 = 1000;

/// More names than these are not listed.
const LISTED: usize = 10;

fn complaint(what: &str, value: &str, known: &[String]) -> Option<String> {
    if known.iter().any(|name| name == value) {
        return None;
    }
    let what = what.replace("{}", &shown(value));
    let names = known.iter().map(String::as_str);
    Some(match nearest(value, names) {
        Some(meant) => format!("{what}; did you mean `{meant}`?"),
        None if known.is_empty() => what,
        None if known.len() > LISTED => format!("{what}; there are {} others", known.len()),
        None => format!("{what}; there are: {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_known_is_told_with_the_one_that_was_meant() {
        let known = ["edge-5xx", "login"].map(str::to_owned);
        let told = |value| complaint("no rule `{}` is in force", value, &known);
        assert_eq!(told("edge-5xx"), None);
        assert_eq!(
            told("edge-5x").as_deref(),
            Some("no rule `edge-5x` is in force; did you mean `edge-5xx`?")
        );
        assert_eq!(
            told("a\u{1b}").as_deref(),
            Some("no rule `a\\u{1b}` is in force; there are: edge-5xx, login")
        );
        assert_eq!(complaint("no `{}`", "x", &[]).as_deref(), Some("no `x`"));
        let many: Vec<String> = (0..=LISTED).map(|number| format!("rule-{number}")).collect();
        assert_eq!(
            complaint("no `{}`", "y", &many).as_deref(),
            Some("no `y`; there are 11 others")
        );
    }
}
