//! YAML text as a tree that knows where each of its pieces stands.
//!
//! The only module that knows `serde-saphyr`. Files that people write need no anchors, aliases,
//! merge keys, tags or second documents, so none is accepted: what a line says is what it means.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned,
};

use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::source_file::{Place, Position, SourceFile, Span, is_sensitive};

/// Maps and lists inside each other, at most: twice of what our files need. The parser recurses,
/// and 64 levels overflow the stack of a thread (2 MiB) in a debug build.
pub const MAX_DEPTH: usize = 16;
/// Keys, values, lists and maps, at most.
pub const MAX_NODES: usize = 20_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where: a scalar with its quotes; of a list or map only its first character.
    pub span: Span,
    /// The value.
    pub value: Value,
    /// It stands below a key that holds secrets.
    pub sensitive: bool,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    String(Text),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, each key once.
    Map(Vec<(Key, Node)>),
    /// Something about which an error was reported already.
    Broken,
}

/// A text.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub text: String,
    /// Part of it came from the environment: it is not what the file shows, and may be a secret.
    pub interpolated: bool,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("interpolated", &self.interpolated).finish_non_exhaustive()
    }
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Parses a file. Duplicate keys are reported, and the first one counts; a file that is no YAML is
/// one error.
pub fn parse(file: &Arc<SourceFile>, diagnostics: &mut Diagnostics) -> Option<Node> {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(file.text(), options()) {
        Ok(root) => Some(Builder { file, diagnostics }.node(root, false)),
        Err(error) => {
            file.set_unparsed();
            diagnostics.push(explain(file, &error));
            None
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        // Reported by `Builder`: all of them, not only the first, and with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn explain(file: &Arc<SourceFile>, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let start = error.location().map_or(0, |at| {
        file.offset(Position { line: number(at.line()), column: number(at.column()) })
    });
    let mut place = Place { file: Arc::clone(file), span: Span { start, end: start + 1 } };
    let mut at = |start: usize, length: usize| {
        place.span = Span { start, end: start + length };
    };
    let before = file.text().get(..start).unwrap_or_default();
    let unsupported = |what: &str| {
        (
            format!("YAML {what} are not supported here"),
            Some("write the value out in full".to_owned()),
        )
    };
    let (message, hint) = match error {
        Error::Budget { breach: BudgetBreach::Anchors { .. }, .. } => {
            // The parser tells where the value stands that has the anchor.
            if let Some(anchor) = before.rfind('&') {
                at(anchor, 1);
            }
            unsupported("anchors")
        }
        Error::Budget { breach: BudgetBreach::Aliases { .. }, .. }
        | Error::UnknownAnchor { .. } => (
            "a `*` at the beginning is an alias in YAML, and aliases are not supported here"
                .to_owned(),
            Some("put a text that starts with `*` into quotes: `'*.yaml'`".to_owned()),
        ),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            (format!("maps and lists are nested more than {MAX_DEPTH} deep"), None)
        }
        Error::Budget { .. } => {
            (format!("this file has more than {MAX_NODES} values"), Some("split it".to_owned()))
        }
        Error::MultipleDocuments { .. } => (
            "this file has more than one YAML document".to_owned(),
            Some("put what follows `---` into a file of its own".to_owned()),
        ),
        other => {
            let text = other.to_string();
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            // What the parser takes for a map in a map is a template without quotes.
            let brace = [start.saturating_sub(1), start]
                .into_iter()
                .find(|at| file.text().get(*at..).is_some_and(|rest| rest.starts_with("{{")));
            if let Some(brace) = brace {
                at(brace, 2);
                let message = "this is not YAML: a text that starts with `{{` has no quotes";
                (message.to_owned(), Some("put the whole text into quotes: `'{{...}}'`".to_owned()))
            } else if text.contains("tab") && before.ends_with('\t') {
                at(start - 1, 1);
                let message = "this is not YAML: a tab stands in the indentation";
                (message.to_owned(), Some("indent with spaces, two for each level".to_owned()))
            } else if text.contains("mapping values")
                && let Some(line) = indented_too_far(before)
            {
                let number = file.position(line).line;
                let hint = format!(
                    "if this line is a key of its own, indent it like line {number}; \
                     if not, quote the text that contains `: `"
                );
                (format!("this is not YAML: {text}"), Some(hint))
            } else {
                (format!("this is not YAML: {text}"), hint_for(text))
            }
        }
    };
    let diagnostic = Diagnostic::error(place, message).code(Code::Syntax);
    match hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// The beginning of the line before the last one of a text, if the last one is indented further
/// although that one has a key and a value.
fn indented_too_far(text: &str) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (above, last) = text.rsplit_once('\n')?;
    let start = above.rfind('\n').map_or(0, |at| at + 1);
    let line = above.get(start..)?;
    let (_, value) = line.split_once(": ")?;
    let has_value = !value.trim().is_empty() && !value.trim_start().starts_with(['|', '>', '#']);
    (has_value && indent(last) > indent(line)).then_some(start)
}

/// The mistakes that people make most, from what the parser calls them.
fn hint_for(text: &str) -> Option<String> {
    let hint = if text.contains("tab") {
        "indent with spaces"
    } else if text.contains("mapping values are not allowed") {
        "quote a text that contains `: `"
    } else if text.contains("unclosed") || text.contains("unclosed quote") {
        "it is opened here and never closed"
    } else if text.contains("unexpected character") {
        "quote a text that starts with this character"
    } else if text.contains("merge keys") {
        "write the keys out in full"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

fn number(from: u64) -> usize {
    usize::try_from(from).unwrap_or(usize::MAX)
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    diagnostics: &'a mut Diagnostics,
}

impl Builder<'_> {
    fn node(&mut self, raw: Spanned<Raw>, sensitive: bool) -> Node {
        let span = self.span(raw.referenced);
        let value = match raw.value {
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item, sensitive)).collect())
            }
            Raw::Map(entries) => Value::Map(self.entries(entries, sensitive)),
            Raw::Scalar(value) => {
                self.file.register_scalar(span, sensitive);
                value
            }
        };
        Node { span, value, sensitive }
    }

    fn entries(
        &mut self,
        raw: Vec<(Spanned<RawKey>, Spanned<Raw>)>,
        sensitive: bool,
    ) -> Vec<(Key, Node)> {
        let mut entries: Vec<(Key, Node)> = Vec::with_capacity(raw.len());
        let mut earlier: BTreeMap<String, Span> = BTreeMap::new();
        for (key, value) in raw {
            let key = Key { span: self.span(key.referenced), text: key.value.0 };
            self.file.register_key(key.span, sensitive);
            let value = self.node(value, sensitive || is_sensitive(&key.text));
            match earlier.get(&key.text) {
                None => {
                    earlier.insert(key.text.clone(), key.span);
                    entries.push((key, value));
                }
                Some(earlier) => {
                    let first = self.file.position(earlier.start).line;
                    let place = Place { file: Arc::clone(self.file), span: key.span };
                    let message = if sensitive {
                        "a key stands here twice".to_owned()
                    } else {
                        format!("the key `{}` stands here twice", key.text)
                    };
                    self.diagnostics.push(
                        Diagnostic::error(place, message)
                            .code(Code::DuplicateKey)
                            .label("the second time")
                            .hint(format!("the first is in line {first}: keep one of them")),
                    );
                }
            }
        }
        entries
    }

    fn span(&self, at: Location) -> Span {
        let span = at.span();
        let position = Position { line: number(at.line()), column: number(at.column()) };
        let start = span.byte_offset().map_or_else(|| self.file.offset(position), number);
        Span { start, end: start + span.byte_len().map_or(0, number) }
    }
}

/// What `serde-saphyr` hands over, each piece wrapped in [`Spanned`].
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<RawKey>, Spanned<Raw>)>),
}

struct RawKey(String);

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Int(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Int(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        let text = value.to_owned();
        Ok(Raw::Scalar(Value::String(Text { text, interpolated: false })))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
