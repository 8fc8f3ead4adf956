//! Reads typed values out of a tree and goes on after every mistake, so that one run finds all.
//!
//! A [`Section`] is a map being read. Whoever reads it asks for every key that it knows, each ask
//! reports what is wrong with that key and yields nothing, and [`Section::finish`] reports the
//! keys that nobody asked for. The pieces are put together only at the end, with `?`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::document::Reader;
use super::habits;
use super::source_file::{Place, Span};
use super::suggest::nearest;
use super::yaml::{Key, Node, Text, Value};
use crate::domain::text::one_line;

/// A type that a value of a file can be read as.
pub trait Decode: Sized {
    /// Reads the value, or reports why not.
    fn decode(field: &Field<'_>) -> Option<Self>;
}

/// A type with an order, for limits.
pub trait Bounded: Decode + PartialOrd {
    /// The value as a person would write it.
    fn written(&self) -> String;
}

/// One value and its way from the root, such as `sources[0].auth`.
#[derive(Clone)]
pub struct Field<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) node: &'a Node,
    path: String,
    /// The key that the value belongs to, for messages about values that span lines.
    key: Option<Span>,
}

impl<'a> Field<'a> {
    pub(super) fn new(reader: &'a Reader<'a>, node: &'a Node, path: String) -> Self {
        Self { reader, node, path, key: None }
    }

    /// The way from the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value stands; for a list or map, its key, or the first key in it.
    pub fn place(&self) -> Place {
        let block = matches!(self.node.value, Value::Map(_) | Value::List(_) | Value::Null);
        // Of a map, the tree knows only where its first key stands.
        let first = match &self.node.value {
            Value::Map(entries) => entries.first().map(|(key, _)| key.span),
            _ => None,
        };
        self.reader.place(self.key.filter(|_| block).or(first).unwrap_or(self.node.span))
    }

    /// Reports something that is already put into words.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.reader.report(diagnostic);
    }

    /// Reports an error about the value. An empty hint is none.
    pub fn error(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.report(with_hint(Diagnostic::error(self.place(), message), hint.into()));
    }

    /// Reports a warning about the value. An empty hint is none.
    pub fn warning(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.report(with_hint(Diagnostic::warning(self.place(), message), hint.into()));
    }

    /// Reports that the value is of the wrong type, unless it is [`Value::Broken`].
    pub fn expected(&self, what: &str, hint: impl Into<String>) {
        let found = match &self.node.value {
            Value::Broken => return,
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        };
        let message = format!("`{}` must be {what}, not {found}", self.path);
        let diagnostic = Diagnostic::error(self.place(), message)
            .code(Code::WrongType)
            .label(format!("this is {found}"));
        self.reader.report(with_hint(diagnostic, hint.into()));
    }

    /// The value as texts may quote it: what the file shows, never what the environment holds.
    pub fn quoted(&self) -> String {
        let shown = match &self.node.value {
            Value::String(Text { interpolated: true, .. }) => None,
            Value::String(text) => Some(text.text.as_str()),
            _ => Some(self.reader.file.slice(self.node.span)),
        };
        match shown {
            Some(text) if !self.node.sensitive => quote(text),
            _ => "this value".to_owned(),
        }
    }

    /// Reads it as `T`.
    pub fn decode<T: Decode>(&self) -> Option<T> {
        T::decode(self)
    }

    /// The items of a list; reports anything else.
    pub fn items(&self) -> Option<Vec<Field<'a>>> {
        match &self.node.value {
            Value::List(items) => Some(self.indexed(items)),
            _ => {
                let hint = match &self.node.value {
                    Value::String(_) if self.quoted().starts_with('`') => {
                        format!("for a list of one, write `[{}]`", self.quoted().trim_matches('`'))
                    }
                    _ => "start each item on a line of its own with `- `".to_owned(),
                };
                self.expected("a list", hint);
                None
            }
        }
    }

    /// The items of a list, or the value itself as the only item.
    pub fn one_or_many(&self) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::List(items) => self.indexed(items),
            _ => vec![self.clone()],
        }
    }

    /// The entries of a map with free keys; reports anything else.
    pub fn entries(&self) -> Option<Vec<(&'a Key, Field<'a>)>> {
        match &self.node.value {
            Value::Map(entries) => {
                Some(entries.iter().map(|(key, node)| (key, self.child(key, node))).collect())
            }
            _ => {
                self.expected("a map", "write it as `key: value` lines");
                None
            }
        }
    }

    /// From now on the value, where it is a single one, is not shown in messages.
    pub fn hide(&self) {
        self.reader.file.hide(self.node.span);
    }

    /// The map with known keys that the value is; reports anything else.
    pub fn section(&self) -> Option<Section<'a>> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            _ => {
                self.expected("a map", "write it as `key: value` lines");
                return None;
            }
        };
        Some(Section { field: self.clone(), entries, asked: Vec::new() })
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Whether it is a text that the file itself says.
    pub fn is_plain_text(&self) -> bool {
        matches!(self.node.value, Value::String(Text { interpolated: false, .. }))
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Whether it is this word, where a map may stand as well.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.node.value, Value::String(text) if text.text == word)
            // YAML 1.1 reads some words as truth values.
            || word == "off" && matches!(self.node.value, Value::Bool(false))
    }

    /// A text is wanted that may be shown: lets excerpts show it.
    pub fn reveal(&self) {
        self.reader.file.reveal(self.node.span);
    }

    fn reveal_all(&self) {
        match &self.node.value {
            Value::List(_) => self.one_or_many().iter().for_each(Field::reveal_all),
            Value::Map(entries) => {
                entries.iter().for_each(|(key, node)| self.child(key, node).reveal_all());
            }
            _ => self.reveal(),
        }
    }

    fn indexed(&self, items: &'a [Node]) -> Vec<Field<'a>> {
        let item = |(index, node)| Field {
            reader: self.reader,
            node,
            path: format!("{}[{index}]", self.path),
            key: None,
        };
        items.iter().enumerate().map(item).collect()
    }

    fn child(&self, key: &Key, node: &'a Node) -> Field<'a> {
        let path = if self.path.is_empty() {
            key.text.clone()
        } else {
            format!("{}.{}", self.path, key.text)
        };
        Field { reader: self.reader, node, path, key: Some(key.span) }
    }
}

/// A map whose keys are known, being read.
pub struct Section<'a> {
    field: Field<'a>,
    entries: &'a [(Key, Node)],
    asked: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn root(field: Field<'a>) -> Option<Self> {
        match &field.node.value {
            Value::Null => Some(Self { field, entries: &[], asked: Vec::new() }),
            Value::Map(_) => field.section(),
            _ => {
                let at = Span { start: field.node.span.start, end: field.node.span.start };
                let message = "this file must be a map of `key: value` lines";
                field.reader.report(
                    Diagnostic::error(field.reader.place(at), message).code(Code::WrongType),
                );
                None
            }
        }
    }

    /// The way from the root, such as `sources[0].auth`; empty for the root.
    pub fn path(&self) -> &str {
        self.field.path()
    }

    /// Where the section starts.
    pub fn place(&self) -> Place {
        match (self.field.key, self.entries.first()) {
            (None, Some((key, _))) => self.field.reader.place(key.span),
            // An empty file: its parser says that it ends where it ends.
            (None, None) if self.path().is_empty() => {
                self.field.reader.place(Span { start: 0, end: 0 })
            }
            _ => self.field.place(),
        }
    }

    /// Where it reports to.
    pub fn reader(&self) -> &'a Reader<'a> {
        self.field.reader
    }

    /// The value of a key, if it is there and not null. The key counts as known from now on.
    pub fn field(&mut self, key: &str) -> Option<Field<'a>> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_owned());
        }
        let (key, node) = self.entry(key)?;
        self.reader().file.reveal(key.span);
        (node.value != Value::Null).then(|| self.field.child(key, node))
    }

    /// Whether a key is there with a value.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|(_, node)| node.value != Value::Null)
    }

    /// A value that must be there.
    pub fn required<T: Decode>(&mut self, key: &str) -> Option<T> {
        match self.field(key) {
            Some(field) => field.decode(),
            None => {
                self.missing(key);
                None
            }
        }
    }

    /// A value that may be there.
    pub fn optional<T: Decode>(&mut self, key: &str) -> Option<T> {
        self.field(key)?.decode()
    }

    /// A value that may be there, or else `default`.
    pub fn with_default<T: Decode>(&mut self, key: &str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// As [`Self::with_default`], and reports a value outside of `range`.
    pub fn within<T: Bounded>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> T {
        self.optional_within(key, range).unwrap_or(default)
    }

    /// As [`Self::required`], and reports a value outside of `range`.
    pub fn required_within<T: Bounded>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing(key);
        }
        self.optional_within(key, range)
    }

    /// As [`Self::optional`], and reports a value outside of `range`.
    pub fn optional_within<T: Bounded>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let field = self.field(key)?;
        let value: T = field.decode()?;
        if !range.contains(&value) {
            let (least, most) = (range.start().written(), range.end().written());
            let message = format!("`{}` is out of range", field.path());
            field.error(message, format!("between {least} and {most}"));
            return None;
        }
        Some(value)
    }

    /// One of a table of names; reports any other with the nearest.
    pub fn one_of<T: Copy>(&mut self, key: &str, table: &[(&str, T)]) -> Option<T> {
        let Some(field) = self.field(key) else {
            self.missing(key);
            return None;
        };
        named(&field, table)
    }

    /// As [`Self::one_of`], or else `default`.
    pub fn one_of_or<T: Copy>(&mut self, key: &str, table: &[(&str, T)], default: T) -> T {
        self.optional_one_of(key, table).unwrap_or(default)
    }

    /// As [`Self::one_of`], if it is there.
    pub fn optional_one_of<T: Copy>(&mut self, key: &str, table: &[(&str, T)]) -> Option<T> {
        self.field(key).and_then(|field| named(&field, table))
    }

    /// A map with known keys that may be there.
    pub fn section(&mut self, key: &str) -> Option<Section<'a>> {
        self.field(key)?.section()
    }

    /// As [`Self::section`], with an example for whoever writes something else.
    pub fn section_like(&mut self, key: &str, example: &str) -> Option<Section<'a>> {
        let field = self.field(key)?;
        if !field.is_map() {
            field.expected("a map", format!("such as `{example}`"));
            return None;
        }
        field.section()
    }

    /// A list of maps with known keys that may be there; items that are no map are reported.
    pub fn sections(&mut self, key: &str) -> Vec<Section<'a>> {
        let items = self.field(key).and_then(|field| field.items()).unwrap_or_default();
        items.iter().filter_map(Field::section).collect()
    }

    /// A value or a list of values; none if the key is absent.
    pub fn one_or_many<T: Decode>(&mut self, key: &str) -> Vec<T> {
        let items = self.field(key).map(|field| field.one_or_many()).unwrap_or_default();
        items.iter().filter_map(Field::decode).collect()
    }

    /// Reports a key that must not stand here, if it does.
    pub fn reject(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        if let Some(field) = self.field(key) {
            field.reveal_all();
            self.error_at_key(key, message, hint);
        }
    }

    /// Reports a list that is there and has no item.
    pub fn reject_empty_list(&mut self, key: &str) {
        if let Some(field) = self.field(key)
            && matches!(&field.node.value, Value::List(items) if items.is_empty())
        {
            field.error(format!("`{}` is an empty list", field.path()), "");
        }
    }

    /// Where a key stands.
    pub fn key_place(&self, key: &str) -> Option<Place> {
        self.entry(key).map(|(key, _)| self.reader().place(key.span))
    }

    /// Where the value of a key stands.
    pub fn value_place(&self, key: &str) -> Option<Place> {
        self.entry(key).map(|(key, node)| self.field.child(key, node).place())
    }

    /// Reports an error at a place.
    pub fn error_at(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.reader().report(with_hint(Diagnostic::error(place, message), hint.into()));
    }

    /// Reports an error at a key, or at the section if the key is not there.
    pub fn error_at_key(&self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.error_at(self.key_place(key).unwrap_or_else(|| self.place()), message, hint);
    }

    /// Reports an error about the section as a whole.
    pub fn error(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.error_at(self.place(), message, hint);
    }

    /// The section's name for messages.
    pub fn name(&self) -> String {
        match self.path() {
            "" => "this file".to_owned(),
            path => format!("`{path}`"),
        }
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a key is missing because another program calls it otherwise; reports that.
    pub fn misnamed(&mut self, key: &str) -> bool {
        let found = self.entries.iter().find_map(|(entry, _)| {
            let unknown = !self.asked.contains(&entry.text);
            let hint = habits::hint(&entry.text, |known| known == key).filter(|_| unknown)?;
            Some((entry, hint))
        });
        if let Some((entry, hint)) = found {
            self.unknown(entry, hint);
            self.asked.push(entry.text.clone());
        }
        found.is_some()
    }

    /// Whether something stands here that is nearly one of these keys: [`Self::finish`] tells what
    /// was meant, so that it need not be told as well that the key is missing.
    pub fn misspelt(&self, keys: &[&str]) -> bool {
        let unknown = self.entries.iter().filter(|(entry, _)| !self.asked.contains(&entry.text));
        unknown.into_iter().any(|(entry, _)| nearest(&entry.text, keys.iter().copied()).is_some())
    }

    /// Reports a key that may be shown as not known.
    fn unknown(&self, key: &Key, hint: impl Into<String>) {
        self.reader().file.reveal(key.span);
        let message = format!("there is no key {} in {}", quote(&key.text), self.name());
        self.reader().report(
            Diagnostic::error(self.reader().place(key.span), message)
                .code(Code::UnknownKey)
                .label("unknown key")
                .hint(hint),
        );
    }

    /// Reports a key that must be there with a value, if it is not.
    pub fn require(&mut self, key: &str) {
        self.known(&[key]);
        if !self.has(key) {
            self.missing(key);
        }
    }

    /// Keys that count as known, though nobody asks for their values.
    pub fn known(&mut self, keys: &[&str]) {
        for key in keys {
            if !self.asked.iter().any(|asked| asked == key) {
                self.asked.push((*key).to_owned());
            }
        }
    }

    /// Reports every key that nobody asked for, with what other programs mean by it or the nearest
    /// that is known.
    pub fn finish(self) {
        self.finish_by_ref();
    }

    /// As [`Self::finish`], for whoever reports more about the section afterwards.
    pub fn finish_by_ref(&self) {
        for (key, _) in self.entries {
            if self.asked.contains(&key.text) {
                continue;
            }
            let is_known = |name: &str| self.asked.iter().any(|asked| asked == name);
            if let Some(hint) = habits::hint(&key.text, is_known) {
                self.unknown(key, hint);
                continue;
            }
            let known = self.asked.iter().map(String::as_str);
            let near = nearest(&key.text, known.clone());
            let mut hint = match near {
                Some(name) => format!("did you mean `{name}`? "),
                None => String::new(),
            };
            let names: Vec<&str> = known.collect();
            hint.push_str(&format!("known here: {}", names.join(", ")));
            // Among secrets, what is not nearly a key may be a secret that looks like one.
            if near.is_some() || !self.field.node.sensitive {
                self.unknown(key, hint);
                continue;
            }
            let message = format!("there is no such key in {}", self.name());
            self.reader().report(
                Diagnostic::error(self.reader().place(key.span), message)
                    .code(Code::UnknownKey)
                    .label("unknown key")
                    .hint(hint),
            );
        }
    }

    fn entry(&self, key: &str) -> Option<&'a (Key, Node)> {
        self.entries.iter().find(|(entry, _)| entry.text == key)
    }

    fn missing(&mut self, key: &str) {
        if self.misnamed(key) {
            return;
        }
        let message = format!("{} needs `{key}`", self.name());
        let place = self.key_place(key).unwrap_or_else(|| self.place());
        let label = if self.has_key(key) {
            "has no value".to_owned()
        } else {
            format!("`{key}` is missing")
        };
        self.reader().report(
            Diagnostic::error(place, message)
                .code(Code::MissingKey)
                .label(label)
                .hint(format!("add `{key}: ...`")),
        );
    }

    fn has_key(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }
}

pub(super) fn named<T: Copy>(field: &Field<'_>, table: &[(&str, T)]) -> Option<T> {
    let text: String = field.decode()?;
    if let Some((_, value)) = table.iter().find(|(name, _)| *name == text) {
        return Some(*value);
    }
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let mut hint = match nearest(&text, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? "),
        None => String::new(),
    };
    hint.push_str(&format!("one of: {}", names.join(", ")));
    field.error(format!("`{}` cannot be {}", field.path(), field.quoted()), hint);
    None
}

fn with_hint(diagnostic: Diagnostic, hint: String) -> Diagnostic {
    if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) }
}

/// A text between backticks, on one line, cut where it is long.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let head: String = text.chars().take(LONGEST).collect();
    let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{}{more}`", one_line(&head))
}

/// A value together with where it stands, for checks that come later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T: Decode> Decode for Located<T> {
    fn decode(field: &Field<'_>) -> Option<Self> {
        Some(Self { value: field.decode()?, place: field.place() })
    }
}

impl Bounded for Duration {
    fn written(&self) -> String {
        crate::time::duration::format(*self)
    }
}
