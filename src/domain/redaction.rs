//! What must not leave: pieces of texts that are replaced before a vendor gets them.
//!
//! All kinds look at the text as it was, and what they find is replaced in one go, so that the order
//! of the kinds decides nothing but the name of what several of them find. Then the text is looked at
//! again, and what stands in place of a piece is left alone.
//!
//! It is applied to what people and senders have written, before anything is cut to length and
//! before markers and tokens are appended: no pattern, however greedy, can make a case unfindable.

mod address;
mod email;
mod secret;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ::regex::Regex;

use super::incident::Incident;

/// A piece of a text, in bytes.
type Piece = Range<usize>;

/// What is found without writing a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// E-mail addresses.
    Email,
    /// IPv4 and IPv6 addresses.
    Ip,
    /// What lets somebody in: passwords, keys, tokens.
    Token,
}

impl Builtin {
    /// All of them, by their names in files.
    pub const NAMES: [(&'static str, Self); 3] =
        [("email", Self::Email), ("ip", Self::Ip), ("token", Self::Token)];

    fn find(self, text: &str, kept: &[Piece]) -> Vec<Piece> {
        match self {
            Self::Email => email::find(text),
            Self::Ip => address::find(text),
            Self::Token => secret::find(text, kept),
        }
    }
}

/// One kind of what must not leave.
#[derive(Debug, Clone)]
enum Kind {
    Builtin(Builtin),
    Pattern(Regex),
}

/// A kind, and what stands in place of what it finds.
#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    name: String,
    with: String,
}

impl Entry {
    /// Whether it takes out what lets somebody in.
    fn is_token(&self) -> bool {
        matches!(self.kind, Kind::Builtin(Builtin::Token))
    }
}

/// The longest replacement, in characters. What is found may be one character, thousands of times.
pub const LONGEST_REPLACEMENT: usize = 40;

/// How often a text is gone through at most.
const ROUNDS: usize = 5;

/// What must not leave. Cheap to clone; the default lets everything pass.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    entries: Arc<Vec<Entry>>,
}

/// A text that may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text.
    pub text: String,
    /// What was taken out of it.
    pub found: Found,
}

/// How many pieces of each kind were replaced, by the kind's name: that of a built-in one, or what
/// a pattern's finds are replaced with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found(BTreeMap<String, usize>);

impl Found {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.0.iter().map(|(name, count)| format!("{count} × {name}")).collect();
        f.write_str(&counts.join(", "))
    }
}

impl Redaction {
    /// Takes out what a built-in kind finds; each becomes `[redacted: email]` and the like.
    #[must_use]
    pub fn builtin(self, builtin: Builtin) -> Self {
        let named = Builtin::NAMES.iter().find(|(_, known)| *known == builtin);
        let name = named.map_or("", |(name, _)| name).to_owned();
        let with = format!("[redacted: {name}]");
        self.and(Entry { kind: Kind::Builtin(builtin), name, with })
    }

    /// Takes out what a pattern finds. *Invariant*: the pattern finds no empty piece, and `with`
    /// has 1 to [`LONGEST_REPLACEMENT`] characters, not all of them blank.
    #[must_use]
    pub fn pattern(self, regex: Regex, with: String) -> Self {
        self.and(Entry { kind: Kind::Pattern(regex), name: with.clone(), with })
    }

    /// Takes out what either does.
    #[must_use]
    pub fn join(self, other: &Self) -> Self {
        other.entries.iter().cloned().fold(self, Self::and)
    }

    fn and(mut self, entry: Entry) -> Self {
        Arc::make_mut(&mut self.entries).push(entry);
        self
    }

    /// Whether everything may pass.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A text without what must not leave. Never empty if `text` is not.
    pub fn apply(&self, text: &str) -> Redacted {
        let mut redacted = self.once(text);
        // What is gone changes what its neighbours look like. One more round is nearly always the
        // last; patterns that find ever more are not followed for ever.
        for _ in 1..ROUNDS {
            let Redacted { text, found } = self.once(&redacted.text);
            if found.is_empty() {
                break;
            }
            redacted.text = text;
            redacted.found.add(found);
        }
        redacted
    }

    /// As [`Self::apply`], for a value that has a name. Where keys and passwords must not leave, the
    /// value of a name for one does not, whatever it is.
    pub fn apply_to(&self, name: &str, value: &str) -> Redacted {
        match self.entries.iter().find(|entry| entry.is_token()) {
            Some(entry) if !value.is_empty() && secret::is_name(name) => Redacted {
                text: entry.with.clone(),
                found: Found(BTreeMap::from([(entry.name.clone(), 1)])),
            },
            _ => self.apply(value),
        }
    }

    /// An incident without the values of names for secrets in its alerts' labels and annotations. Only
    /// here it is known where such a value ends: in a text that is made of it, it may go on in the next
    /// line. Everything else is as it was, and is redacted where texts are made.
    pub fn incident<'a>(&self, incident: &'a Incident) -> Cow<'a, Incident> {
        let Some(entry) = self.entries.iter().find(|entry| entry.is_token()) else {
            return Cow::Borrowed(incident);
        };
        let alerts = || {
            let members = incident.members.values().map(|member| &member.alert);
            members.chain(std::iter::once(&incident.origin))
        };
        let secret = |(name, value): (&String, &String)| !value.is_empty() && secret::is_name(name);
        if !alerts().any(|alert| alert.labels.iter().chain(&alert.annotations).any(secret)) {
            return Cow::Borrowed(incident);
        }
        let mut clean = incident.clone();
        let members = clean.members.values_mut().map(|member| &mut member.alert);
        for alert in members.chain(std::iter::once(&mut clean.origin)) {
            for (name, value) in alert.labels.iter_mut().chain(&mut alert.annotations) {
                if secret((name, value)) {
                    value.clone_from(&entry.with);
                }
            }
        }
        Cow::Owned(clean)
    }

    fn once(&self, text: &str) -> Redacted {
        let mut rest = text;
        let (mut clean, mut found) = (String::with_capacity(text.len()), Found::default());
        let mut at = 0;
        for (piece, entry) in self.pieces(text) {
            let (before, after) = rest.split_at(piece.start - at);
            clean.push_str(before);
            clean.push_str(&entry.with);
            *found.0.entry(entry.name.clone()).or_default() += 1;
            rest = after.get(piece.len()..).unwrap_or_default();
            at = piece.end;
        }
        clean.push_str(rest);
        Redacted { text: clean, found }
    }

    /// What must go, in order and apart from each other. Of pieces that overlap, one is made; it is
    /// of the kind of the first. Several of one kind in a row are one.
    fn pieces(&self, text: &str) -> Vec<(Piece, &Entry)> {
        let kept = self.earlier(text);
        let mut all: Vec<(Piece, usize)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let found = match &entry.kind {
                Kind::Builtin(builtin) => builtin.find(text, &kept),
                Kind::Pattern(regex) => regex.find_iter(text).map(|found| found.range()).collect(),
            };
            let new = found.into_iter().filter(|piece| {
                // The last that begins at or before it is the only one that can hold it.
                let before = kept.partition_point(|kept| kept.start <= piece.start);
                let holder = before.checked_sub(1).and_then(|before| kept.get(before));
                !piece.is_empty() && holder.is_none_or(|holder| holder.end < piece.end)
            });
            all.extend(new.map(|piece| (piece, index)));
        }
        all.sort_by_key(|(piece, index)| (piece.start, *index));
        let mut apart: Vec<(Piece, usize)> = Vec::new();
        for (piece, index) in all {
            match apart.last_mut() {
                Some((last, of))
                    if piece.start < last.end || (piece.start == last.end && *of == index) =>
                {
                    last.end = last.end.max(piece.end);
                }
                _ => apart.push((piece, index)),
            }
        }
        let entry = |(piece, index)| Some((piece, self.entries.get(index)?));
        apart.into_iter().filter_map(entry).collect()
    }

    /// Where replacements stand already, in order and apart from each other.
    fn earlier(&self, text: &str) -> Vec<Piece> {
        let mut all: Vec<Piece> = self
            .entries
            .iter()
            .flat_map(|entry| text.match_indices(entry.with.as_str()))
            .map(|(at, with)| at..at + with.len())
            .collect();
        all.sort_by_key(|piece| (piece.start, std::cmp::Reverse(piece.end)));
        let mut end = 0;
        all.retain(|piece| {
            let apart = piece.start >= end;
            end = if apart { piece.end } else { end };
            apart
        });
        all
    }
}

/// A pattern that is part of the program.
fn constant(pattern: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "a test uses every one of them")]
    Regex::new(pattern).expect("a constant pattern")
}

#[cfg(test)]
mod tests;
