//! What is asked for in a query, read strictly: what is not known, given twice, or out of range is
//! refused in words, and never taken for something else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{LIST, LIST_MAX};
use crate::http::answer::Refusal;
use crate::people::paging::List;
use crate::store::lists::{Position, Span, Wishes};

/// The longest text that is looked for, in bytes.
const TEXT_MAX: usize = 1_000;

/// So many labels are compared at most.
const LABELS_MAX: usize = 20;

/// The only parameter that may be given several times.
const LABEL: &str = "label";

/// See the [module](self).
pub(in crate::http) struct Asked {
    values: BTreeMap<&'static str, String>,
    labels: Wishes,
    hint: String,
}

impl Asked {
    /// Reads a query that may have these parameters.
    pub(in crate::http) fn read(
        query: Option<&str>,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        Self::of(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()), known)
    }

    /// As [`Self::read`], for what the form of a page sends: a field that was left empty asks for
    /// nothing.
    pub(in crate::http) fn of_page(
        query: Option<&str>,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        let fields = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self::of(fields.filter(|(_, value)| !value.trim().is_empty()), known)
    }

    fn of<'q>(
        fields: impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)>,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        let hint = format!("the parameters are: {}", known.join(", "));
        let mut asked = Self { values: BTreeMap::new(), labels: Wishes::new(), hint };
        for (name, value) in fields {
            let Some(name) = known.iter().find(|known| **known == name) else {
                return Err(asked.refuse("the query has a parameter that is not known"));
            };
            if value.len() > TEXT_MAX {
                return Err(asked.refuse(format!("`{name}` is longer than {TEXT_MAX} bytes")));
            }
            if *name == LABEL {
                let (label, wanted) = value.split_once('=').unwrap_or(("", ""));
                if label.is_empty() || asked.labels.len() >= LABELS_MAX {
                    let what = format!("`label` is NAME=VALUE, at most {LABELS_MAX} times");
                    return Err(asked.refuse(what));
                }
                asked.labels.push((label.to_owned(), wanted.to_owned()));
            } else if asked.values.insert(name, value.into_owned()).is_some() {
                return Err(asked.refuse(format!("`{name}` is given twice")));
            }
        }
        Ok(asked)
    }

    /// What is wrong, with what there is to ask for.
    pub(in crate::http) fn refuse(&self, what: impl Into<String>) -> Refusal {
        Refusal::unusable(what).hint(self.hint.clone())
    }

    /// A text; none if it is not given.
    pub(in crate::http) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A text without what surrounds it; empty if it is not given.
    pub(in crate::http) fn trimmed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().trim().to_owned()
    }

    /// A text that says something.
    pub(in crate::http) fn filled(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.text(name).map(str::trim) {
            Some("") => Err(self.refuse(format!("`{name}` is empty"))),
            text => Ok(text),
        }
    }

    /// A text that must be given.
    pub(in crate::http) fn demanded(&self, name: &str) -> Result<&str, Refusal> {
        self.filled(name)?.ok_or_else(|| self.refuse(format!("`{name}` is missing")))
    }

    /// One of these words.
    pub(in crate::http) fn one_of(
        &self,
        name: &str,
        words: impl IntoIterator<Item = &'static str> + Clone,
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.clone().into_iter().find(|word| *word == text);
        found.map(Some).ok_or_else(|| {
            let all: Vec<&str> = words.into_iter().collect();
            self.refuse(format!("`{name}` is one of: {}", all.join(", ")))
        })
    }

    /// `true` or `false`.
    pub(in crate::http) fn yes(&self, name: &str) -> Result<Option<bool>, Refusal> {
        Ok(self.one_of(name, ["true", "false"])?.map(|word| word == "true"))
    }

    /// Labels with their values.
    pub(in crate::http) fn labels(&self) -> Wishes {
        self.labels.clone()
    }

    /// How many rows.
    pub(in crate::http) fn limit(&self) -> Result<u32, Refusal> {
        let Some(text) = self.text("limit") else { return Ok(LIST) };
        let limit = text.parse().ok().filter(|limit| (1..=LIST_MAX).contains(limit));
        limit.ok_or_else(|| self.refuse(format!("`limit` is out of range: it is 1 to {LIST_MAX}")))
    }

    /// Where the page begins.
    pub(in crate::http) fn after(&self, list: List) -> Result<Option<Position>, Refusal> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let place = list.place(text).ok_or_else(|| {
            self.refuse("`cursor` is not the `next` of an earlier page of this list")
        })?;
        Ok(Some(place))
    }

    /// From when to when.
    pub(in crate::http) fn span(&self) -> Result<Span, Refusal> {
        Ok(Span { since: self.time("since")?, until: self.time("until")? })
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = text
            .parse()
            .map_err(|_| self.refuse(format!("`{name}` is a time such as 2026-08-01T10:00:00Z")))?;
        Ok(Some(time))
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["limit", "cursor", "since", "open", "rule", "label"];

    fn read(query: &str) -> Result<Asked, Refusal> {
        Asked::read(Some(query), KNOWN)
    }

    #[test]
    fn what_is_asked_for_is_read_and_what_is_not_has_its_default() {
        let asked = read("limit=7&label=a%3Db%3Dc&label=d%3D&open=false&rule=x+y").ok().unwrap();
        assert_eq!(asked.limit().ok(), Some(7));
        let labels = [("a", "b=c"), ("d", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(asked.labels(), labels);
        assert_eq!(asked.yes("open").ok(), Some(Some(false)));
        assert_eq!(asked.text("rule"), Some("x y"));
        let nothing = Asked::read(None, KNOWN).ok().unwrap();
        assert_eq!((nothing.limit().ok(), nothing.yes("open").ok()), (Some(LIST), Some(None)));
        assert_eq!(nothing.span().ok(), Some(Span::default()));
    }

    #[test]
    fn a_field_that_a_form_leaves_empty_asks_for_nothing() {
        let asked = Asked::of_page(Some("open=&rule=+&limit=7"), KNOWN).ok().unwrap();
        assert_eq!((asked.yes("open").ok(), asked.text("rule")), (Some(None), None));
        assert_eq!((asked.limit().ok(), asked.trimmed("rule").as_str()), (Some(7), ""));
        assert!(Asked::of_page(Some("other=x"), KNOWN).is_err());
    }

    #[test]
    fn limits_have_ends() {
        for (limit, good) in
            [("0", false), ("1", true), ("1000", true), ("1001", false), ("x", false)]
        {
            assert_eq!(
                read(&format!("limit={limit}")).ok().unwrap().limit().is_ok(),
                good,
                "{limit}"
            );
        }
        for (bytes, good) in [(TEXT_MAX, true), (TEXT_MAX + 1, false)] {
            assert_eq!(read(&format!("rule={}", "x".repeat(bytes))).is_ok(), good);
        }
        for (labels, good) in [(LABELS_MAX, true), (LABELS_MAX + 1, false)] {
            assert_eq!(read(&"label=a%3Db&".repeat(labels)).is_ok(), good);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for query in ["rul=x", "rule=x&rule=y", "label=x", "label=%3Dx"] {
            assert!(read(query).is_err(), "{query}");
        }
        let odd = read("since=yesterday&open=maybe&cursor=%00&rule=+").ok().unwrap();
        assert!(odd.span().is_err() && odd.yes("open").is_err());
        assert!(odd.after(List::Cases).is_err() && odd.filled("rule").is_err());
    }

    proptest! {
        #[test]
        fn no_query_is_more_than_a_refusal(query in ".{0,300}") {
            if let Err(refusal) = read(&query) {
                prop_assert_eq!(refusal.into_response().status(), 400);
            }
        }
    }
}
