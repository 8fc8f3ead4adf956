//! Go's regular expressions on Rust's engine.
//!
//! Alertmanager compiles patterns with Go's RE2 dialect. Rust's `regex` reads most of it alike and
//! some of it differently without saying so: `\d` takes in every script's digits, `[a&&b]` is an
//! intersection, `\<` is a word boundary. A pattern copied from an Alertmanager route has to match
//! here what it matches there, so it is read by Go's grammar (`regexp/syntax`, Perl flags) and
//! written again in the part of the language on which both engines agree.
//!
//! What Go refuses is refused here too, with the place and a way out. Two things stay different
//! and are refused rather than guessed: surrogate code points, which no label can contain, and
//! patterns whose compiled form is larger than [`COMPILED_LIMIT`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use ::regex::{Regex, RegexBuilder};

/// The longest pattern that is taken, in bytes.
pub const PATTERN_LIMIT: usize = 1024;

/// The largest compiled form that is taken, in bytes. `\pL{1000}` is short to write and huge to
/// run.
pub const COMPILED_LIMIT: usize = 256 * 1024;

/// Go's bound on a single counted repetition, such as the 1000 of `a{1000}`.
const REPEAT_LIMIT: u32 = 1000;

/// How deep groups may nest. Go takes 1000, Rust's parser 250; nobody writes more than a few.
const NESTING_LIMIT: usize = 100;

/// Why a pattern is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub message: String,
    /// Where in the pattern, in bytes.
    pub span: Range<usize>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl PatternError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Compiles a pattern so that it has to match a whole text: `^(?:` pattern `)$`, as Alertmanager
/// does. `.` stops at a newline unless `(?s)` says otherwise.
///
/// # Errors
///
/// When the pattern is longer than [`PATTERN_LIMIT`], is not valid in Go's dialect, or compiles
/// to more than [`COMPILED_LIMIT`].
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&format!("^(?:{translated})$"))
        .size_limit(COMPILED_LIMIT)
        .build()
        .map_err(|error| engine_error(pattern, &error))
}

/// Compiles a pattern that may match anywhere in a text. `.` stops at a newline unless `(?s)` says
/// otherwise.
///
/// # Errors
///
/// As of [`compile`].
pub fn find(pattern: &str) -> Result<Regex, PatternError> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(COMPILED_LIMIT)
        .build()
        .map_err(|error| engine_error(pattern, &error))
}

/// Writes a pattern of Go's dialect in Rust's.
///
/// # Errors
///
/// When the pattern is longer than [`PATTERN_LIMIT`] or Go's grammar does not allow it.
pub fn translate(pattern: &str) -> Result<String, PatternError> {
    if pattern.len() > PATTERN_LIMIT {
        return Err(PatternError::new(
            0..pattern.len(),
            format!("the pattern has {} bytes; at most {PATTERN_LIMIT} are taken", pattern.len()),
        )
        .hint("split it over several rules, or match on another label"));
    }
    Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        groups: Vec::new(),
        names: BTreeSet::new(),
        last: Last::Nothing,
    }
    .run()
}

/// The most texts that [`literals`] lists.
const LITERALS_LIMIT: usize = 256;

/// The texts that a pattern matches, where they are few and can be read off it: `a|b`,
/// `edge-(eu|us)`, `^www\\.example\\.com$`. `None` says nothing: the pattern may match endlessly many
/// texts, none, or a few in a way that is not looked into, or not be a pattern at all.
///
/// What it lists is exactly what [`compile`] matches, without repetitions and in no order.
pub fn literals(pattern: &str) -> Option<BTreeSet<String>> {
    if pattern.len() > PATTERN_LIMIT {
        return None;
    }
    let mut reader = Literals { rest: pattern, depth: 0 };
    let found = reader.alternation()?;
    reader.rest.is_empty().then_some(found)
}

/// Reads the part of the grammar that means a list of texts, and gives up on everything else.
struct Literals<'p> {
    rest: &'p str,
    /// How many groups are open.
    depth: usize,
}

impl Literals<'_> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn alternation(&mut self) -> Option<BTreeSet<String>> {
        let mut all = self.sequence()?;
        while self.eat("|") {
            all.append(&mut self.sequence()?);
            if all.len() > LITERALS_LIMIT {
                return None;
            }
        }
        Some(all)
    }

    fn sequence(&mut self) -> Option<BTreeSet<String>> {
        // Patterns are anchored anyway, so an anchor at the very edge says nothing.
        if self.depth == 0 {
            self.eat("^");
        }
        let mut heads = BTreeSet::from([String::new()]);
        loop {
            let mut chars = self.rest.chars();
            let tails = match chars.next() {
                None | Some('|' | ')') => return Some(heads),
                Some('(') => {
                    self.rest = chars.as_str();
                    self.group()?
                }
                Some('$') if self.depth == 0 => {
                    self.rest = chars.as_str();
                    return (self.rest.is_empty() || self.rest.starts_with('|')).then_some(heads);
                }
                Some('^' | '$' | '.' | '[' | '*' | '+' | '?' | '{') => return None,
                Some('\\') => {
                    let literal = chars.next().filter(char::is_ascii_punctuation)?;
                    self.rest = chars.as_str();
                    BTreeSet::from([literal.to_string()])
                }
                Some(literal) => {
                    self.rest = chars.as_str();
                    BTreeSet::from([literal.to_string()])
                }
            };
            // What follows may repeat the piece that was just read.
            if self.rest.starts_with(['*', '+', '?', '{'])
                || heads.len().saturating_mul(tails.len()) > LITERALS_LIMIT
            {
                return None;
            }
            heads = heads
                .iter()
                .flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")))
                .collect();
        }
    }

    /// A group whose `(` has been read. Flags change what letters mean, so none are taken.
    fn group(&mut self) -> Option<BTreeSet<String>> {
        if self.rest.starts_with('?') && !self.eat("?:") {
            return None;
        }
        self.depth += 1;
        if self.depth > NESTING_LIMIT {
            return None;
        }
        let found = self.alternation()?;
        self.depth -= 1;
        self.eat(")").then_some(found)
    }
}

fn engine_error(pattern: &str, error: &::regex::Error) -> PatternError {
    let span = 0..pattern.len();
    match error {
        ::regex::Error::CompiledTooBig(_) => PatternError::new(
            span,
            format!("the pattern is too large once compiled (limit {} KiB)", COMPILED_LIMIT / 1024),
        )
        .hint("use smaller repetition counts or plainer character classes"),
        // A Unicode class that this engine does not know is the one thing left to it.
        other => {
            let text = other.to_string();
            let reason = text.lines().last().unwrap_or("invalid pattern");
            PatternError::new(span, reason.trim_start_matches("error: ").to_owned())
        }
    }
}

/// What stands just before the cursor, which is what a repetition would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The start, `(`, `|` or `(?i)`.
    Nothing,
    /// Something that can be repeated.
    Atom,
    /// A repetition, which cannot be repeated again: `a**` is an error in Go.
    Repetition,
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    /// Where each open group began.
    groups: Vec<usize>,
    names: BTreeSet<&'p str>,
    last: Last,
}

impl<'p> Translator<'p> {
    fn run(mut self) -> Result<String, PatternError> {
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                '(' => self.open_group()?,
                ')' => {
                    self.bump();
                    if self.groups.pop().is_none() {
                        return Err(PatternError::new(start..self.at, "`)` closes nothing")
                            .hint("write `\\)` for the character itself"));
                    }
                    self.out.push(')');
                    self.last = Last::Atom;
                }
                '|' => {
                    self.bump();
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                '*' | '+' | '?' => {
                    self.bump();
                    self.repeat(start, c.to_string())?;
                }
                '{' => match self.counted()? {
                    Some(written) => self.repeat(start, written)?,
                    // Go reads a brace that is no repetition as the character itself.
                    None => self.atom_char('{'),
                },
                '[' => {
                    self.class()?;
                    self.last = Last::Atom;
                }
                '\\' => self.escape()?,
                '^' | '$' | '.' => {
                    self.bump();
                    self.out.push(c);
                    self.last = Last::Atom;
                }
                other => self.atom_char(other),
            }
        }
        match self.groups.last() {
            Some(&open) => Err(PatternError::new(open..open + 1, "this `(` is never closed")
                .hint("add `)`, or write `\\(` for the character itself")),
            None => Ok(self.out),
        }
    }

    fn rest(&self) -> &'p str {
        self.pattern.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Consumes one character and writes it as itself.
    fn atom_char(&mut self, c: char) {
        self.bump();
        push_literal(&mut self.out, c);
        self.last = Last::Atom;
    }

    fn repeat(&mut self, start: usize, operator: String) -> Result<(), PatternError> {
        let lazy = self.eat("?");
        let span = start..self.at;
        match self.last {
            Last::Nothing => {
                return Err(PatternError::new(span, format!("`{operator}` has nothing to repeat"))
                    .hint(match operator.as_str() {
                        "*" => {
                            "a matcher's pattern is no glob: write `.*` for \"anything\"".to_owned()
                        }
                        _ => format!("write `\\{operator}` for the character itself"),
                    }));
            }
            Last::Repetition => {
                return Err(PatternError::new(
                    span,
                    format!("`{operator}` repeats a repetition, which Go's dialect does not allow"),
                )
                .hint("put the first repetition into a group: `(?:a+)*`"));
            }
            Last::Atom => {}
        }
        self.out.push_str(&operator);
        if lazy {
            self.out.push('?');
        }
        self.last = Last::Repetition;
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` if that is what stands here. Numbers with leading zeros are
    /// none, by Go's grammar.
    fn counted(&mut self) -> Result<Option<String>, PatternError> {
        let start = self.at;
        let rest = self.rest();
        let Some((inside, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let (low, high) = match inside.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (inside, None),
        };
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_digit())
                && (text == "0" || !text.starts_with('0'))
        };
        if !is_number(low) || !high.is_none_or(|high| high.is_empty() || is_number(high)) {
            return Ok(None);
        }
        self.at += inside.len() + 2;
        let span = start..self.at;
        // A number that does not even fit is too large as well.
        let value = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let min = value(low);
        let max = high.filter(|high| !high.is_empty()).map(value);
        if min > REPEAT_LIMIT || max.is_some_and(|max| max > REPEAT_LIMIT) {
            return Err(PatternError::new(
                span,
                format!("a repetition counts to {REPEAT_LIMIT} at most"),
            ));
        }
        if max.is_some_and(|max| min > max) {
            return Err(PatternError::new(span, "the repetition's bounds are the wrong way round")
                .hint(format!("write `{{{},{min}}}`", max.unwrap_or_default())));
        }
        Ok(Some(format!("{{{inside}}}")))
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.bump();
        if self.groups.len() >= NESTING_LIMIT {
            return Err(PatternError::new(
                start..self.at,
                format!("groups nest at most {NESTING_LIMIT} deep"),
            ));
        }
        if !self.eat("?") {
            return self.enter(start, "(?:");
        }
        if self.eat("P<")
            || (!self.rest().starts_with("<=") && !self.rest().starts_with("<!") && self.eat("<"))
        {
            return self.named_group(start);
        }
        if let Some(c) = self.peek()
            && matches!(c, '=' | '!' | '<' | '>' | 'P' | '#' | '(' | '|')
        {
            self.bump();
            let what = match c {
                '=' | '!' | '<' => "look-around is not supported",
                _ => "this kind of group is not supported",
            };
            return Err(PatternError::new(start..self.at, what)
                .hint("use a second matcher, for example with `!~`, to exclude values"));
        }
        self.flags(start)
    }

    fn enter(&mut self, start: usize, written: &str) -> Result<(), PatternError> {
        // Captures are never read, so every group is written as one that does not capture.
        self.out.push_str(written);
        self.groups.push(start);
        self.last = Last::Nothing;
        Ok(())
    }

    fn named_group(&mut self, start: usize) -> Result<(), PatternError> {
        let name = self.rest().split_once('>').map_or("", |(name, _)| name);
        let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(PatternError::new(
                start..self.pattern.len().min(self.at + name.len() + 1),
                "a group's name is made of letters, digits and `_`, and ends with `>`",
            ));
        }
        self.at += name.len() + 1;
        if !self.names.insert(name) {
            return Err(PatternError::new(
                start..self.at,
                format!("two groups are called `{name}`"),
            ));
        }
        self.enter(start, "(?:")
    }

    /// `(?i)`, `(?s-i:` and so on; Go knows `i`, `m`, `s` and `U`.
    fn flags(&mut self, start: usize) -> Result<(), PatternError> {
        let mut on = BTreeSet::new();
        let mut off = BTreeSet::new();
        let mut negative = false;
        let mut seen_since_minus = false;
        loop {
            match self.bump() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    seen_since_minus = true;
                    if negative {
                        on.remove(&flag);
                        off.insert(flag);
                    } else {
                        on.insert(flag);
                    }
                }
                Some('-') if !negative => {
                    negative = true;
                    seen_since_minus = false;
                }
                Some(end @ (':' | ')')) if !negative || seen_since_minus => {
                    let mut written: String = on.into_iter().collect();
                    if !off.is_empty() {
                        written.push('-');
                        written.extend(off);
                    }
                    if end == ':' {
                        return self.enter(start, &format!("(?{written}:"));
                    }
                    if !written.is_empty() {
                        let _ = write!(self.out, "(?{written})");
                    }
                    self.last = Last::Nothing;
                    return Ok(());
                }
                found => {
                    let message = match found {
                        Some(flag) if flag.is_ascii_alphabetic() => {
                            format!("`{flag}` is no flag; there are i, m, s and U")
                        }
                        _ => "this group is not complete".to_owned(),
                    };
                    return Err(PatternError::new(start..self.at, message)
                        .hint("write `\\(` for the character itself"));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        if self.eat("\\Q") {
            let (quoted, skip) = match self.rest().split_once("\\E") {
                Some((quoted, _)) => (quoted, quoted.len() + 2),
                // Go lets a quotation run to the end.
                None => (self.rest(), self.rest().len()),
            };
            for c in quoted.chars() {
                push_literal(&mut self.out, c);
                self.last = Last::Atom;
            }
            self.at += skip;
            return Ok(());
        }
        for (written, meaning) in [
            // Go's word boundary is ASCII.
            ("\\b", "(?-u:\\b)"),
            ("\\B", "(?-u:\\B)"),
            ("\\A", "\\A"),
            ("\\z", "\\z"),
        ] {
            if self.eat(written) {
                self.out.push_str(meaning);
                self.last = Last::Atom;
                return Ok(());
            }
        }
        if let Some((negated, members)) = self.perl_class() {
            let sign = if negated { "^" } else { "" };
            let _ = write!(self.out, "[{sign}{members}]");
        } else if let Some(class) = self.unicode_class()? {
            self.out.push_str(&class);
        } else {
            let c = self.escaped_char(start)?;
            push_literal(&mut self.out, c);
        }
        self.last = Last::Atom;
        Ok(())
    }

    /// `\d`, `\s`, `\w` and their opposites, which are ASCII in Go; `\s` without vertical tab.
    fn perl_class(&mut self) -> Option<(bool, &'static str)> {
        let (negated, members) = match self.rest().get(..2)? {
            "\\d" => (false, "0-9"),
            "\\D" => (true, "0-9"),
            "\\s" => (false, "\\t\\n\\f\\r\\x20"),
            "\\S" => (true, "\\t\\n\\f\\r\\x20"),
            "\\w" => (false, "0-9A-Za-z_"),
            "\\W" => (true, "0-9A-Za-z_"),
            _ => return None,
        };
        self.at += 2;
        Some((negated, members))
    }

    /// `\pN`, `\p{Greek}`, `\P{Greek}`, `\p{^Greek}`.
    fn unicode_class(&mut self) -> Result<Option<String>, PatternError> {
        let start = self.at;
        let mut negated = match self.rest().get(..2) {
            Some("\\p") => false,
            Some("\\P") => true,
            _ => return Ok(None),
        };
        self.at += 2;
        let name = if self.eat("{") {
            let Some((name, _)) = self.rest().split_once('}') else {
                return Err(PatternError::new(start..self.at, "this `\\p{` is never closed"));
            };
            self.at += name.len() + 1;
            match name.strip_prefix('^') {
                Some(name) => {
                    negated = !negated;
                    name
                }
                None => name,
            }
        } else {
            let rest = self.rest();
            let length = self.bump().map_or(0, char::len_utf8);
            rest.get(..length).unwrap_or("")
        };
        let sign = if negated { 'P' } else { 'p' };
        let class = format!("\\{sign}{{{name}}}");
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if !plain || Regex::new(&class).is_err() {
            return Err(PatternError::new(start..self.at, "unknown Unicode class")
                .hint("use a general category such as `\\pL`, or a script such as `\\p{Greek}`"));
        }
        Ok(Some(class))
    }

    /// An escape that stands for one character, inside a class or outside.
    fn escaped_char(&mut self, start: usize) -> Result<char, PatternError> {
        self.bump();
        let Some(c) = self.bump() else {
            return Err(PatternError::new(start..self.at, "the pattern ends with a lone `\\`")
                .hint("write `\\\\` for the character itself"));
        };
        let found = match c {
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            'x' => return self.hex_char(start),
            '0'..='7' => {
                let more = self.rest().bytes().take(2).take_while(|b| matches!(b, b'0'..=b'7'));
                let length = more.count();
                if c != '0' && length == 0 {
                    return Err(PatternError::new(
                        start..self.at,
                        "a pattern cannot refer back to a group",
                    ));
                }
                self.at += length;
                let digits = self.pattern.get(start + 1..self.at).unwrap_or("");
                u32::from_str_radix(digits, 8).ok().and_then(char::from_u32)
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        found.ok_or_else(|| {
            let error =
                PatternError::new(start..self.at, format!("`\\{c}` means nothing in Go's dialect"));
            match c {
                'Z' => error.hint("patterns are anchored at both ends already; leave it out"),
                'u' | 'U' => error.hint("write `\\x{263a}` for a code point"),
                'h' => error.hint("write `[ \\t]` for horizontal space"),
                'E' => error.hint("`\\E` ends a quotation that `\\Q` began"),
                'b' | 'B' => error.hint("there is no word boundary inside a class"),
                _ => error.hint(format!("write `{c}` for the character itself")),
            }
        })
    }

    fn hex_char(&mut self, start: usize) -> Result<char, PatternError> {
        let braced = self.eat("{");
        let digits: &str = if braced {
            let rest = self.rest();
            let digits = rest.split_once('}').map_or("", |(digits, _)| digits);
            self.at += if digits.is_empty() { 0 } else { digits.len() + 1 };
            digits
        } else {
            let digits = self.rest().get(..2).unwrap_or("");
            self.at += digits.len();
            digits
        };
        let hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = if hex { u32::from_str_radix(digits, 16).ok() } else { None };
        value.and_then(char::from_u32).ok_or_else(|| {
            PatternError::new(
                start..self.at,
                "`\\x` takes two hex digits, or a code point in braces",
            )
            .hint("write `\\x7f` or `\\x{263a}`")
        })
    }

    /// A bracketed class, member by member. Every member is written so that Rust cannot see a set
    /// operation or a nested class in it: to Go, `&&`, `--`, `~~` and `[` are plain members.
    fn class(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.bump();
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.peek() else {
                return Err(PatternError::new(start..start + 1, "this `[` is never closed")
                    .hint("add `]`, or write `\\[` for the character itself"));
            };
            // A `]` in the first place is a member.
            if c == ']' && !first {
                self.bump();
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if !self.named_class()? {
                self.class_member()?;
            }
        }
    }

    /// `[:alpha:]` and its like, `\d` and its like, `\pL` and its like.
    fn named_class(&mut self) -> Result<bool, PatternError> {
        const POSIX: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let start = self.at;
        if let Some((name, _)) =
            self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]"))
        {
            self.at += name.len() + 4;
            if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err(PatternError::new(
                    start..self.at,
                    format!("`[:{name}:]` is no character class"),
                )
                .hint(format!("the classes are {}", POSIX.join(", "))));
            }
            let _ = write!(self.out, "[:{name}:]");
            return Ok(true);
        }
        if let Some((negated, members)) = self.perl_class() {
            if negated {
                let _ = write!(self.out, "[^{members}]");
            } else {
                self.out.push_str(members);
            }
            return Ok(true);
        }
        if let Some(class) = self.unicode_class()? {
            self.out.push_str(&class);
            return Ok(true);
        }
        Ok(false)
    }

    fn class_member(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let low = self.class_char()?;
        push_literal(&mut self.out, low);
        let rest = self.rest();
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            self.bump();
            let high = self.class_char()?;
            if high < low {
                return Err(PatternError::new(start..self.at, "the range runs backwards"));
            }
            self.out.push('-');
            push_literal(&mut self.out, high);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, PatternError> {
        let start = self.at;
        match self.peek() {
            Some('\\') => self.escaped_char(start),
            Some(c) => {
                self.bump();
                Ok(c)
            }
            None => Err(PatternError::new(start..start, "the pattern ends inside a class")),
        }
    }
}

/// Writes a character that means itself wherever it stands.
fn push_literal(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
    } else {
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        for text in yes {
            assert!(regex.is_match(text), "{pattern} should match {text:?}");
        }
        for text in no {
            assert!(!regex.is_match(text), "{pattern} should not match {text:?}");
        }
    }

    #[test]
    fn a_pattern_that_is_a_list_of_texts_is_known_as_one() {
        for (pattern, listed) in [
            ("a", &["a"][..]),
            ("", &[""]),
            ("b|a|b", &["a", "b"]),
            ("a||é", &["", "a", "é"]),
            ("edge-(eu|us)", &["edge-eu", "edge-us"]),
            ("(?:a|b)(c|)", &["a", "ac", "b", "bc"]),
            ("^a|b$", &["a", "b"]),
            ("^(a|b)$", &["a", "b"]),
            (r"www\.example\.com", &["www.example.com"]),
            (r"a\|b\(\\", &[r"a|b(\"]),
            ("a}]", &["a}]"]),
        ] {
            let expected = listed.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(literals(pattern), Some(expected), "{pattern}");
        }
        for pattern in [
            "a.b",
            "a*",
            "(a|b)+",
            "ab?",
            "a{2}",
            "a{",
            "[ab]",
            r"\d",
            r"\n",
            r"\Qa\E",
            "(?i)a",
            "(?i:a)",
            "(?P<n>a)",
            "a^b",
            "a$b",
            "(^a)",
            "(a$)",
            "(a",
            "a)",
            r"a\",
            "*",
            "^*",
            "$$",
            "(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)",
        ] {
            assert_eq!(literals(pattern), None, "{pattern}");
        }
        assert_eq!(literals(&"(".repeat(1000)), None);
    }

    #[test]
    fn patterns_match_whole_texts() {
        check("a|bc", &["a", "bc"], &["abc", "ab", "xa", "a\n", "", "bcd"]);
        check("", &[""], &["a"]);
        check("a||b", &["", "a", "b"], &["ab"]);
        check("()", &[""], &["a"]);
        check("5..", &["500", "5ab"], &["50", "5000"]);
    }

    #[test]
    fn dot_stops_at_a_newline_unless_told_otherwise() {
        check("a.b", &["a b", "aéb"], &["a\nb"]);
        check("(?s)a.b", &["a\nb"], &[]);
        check("(?s:a.)b.", &["a\nbx"], &["a\nb\n"]);
        check("(?m)a$\n^b", &["a\nb"], &["a b"]);
    }

    #[test]
    fn perl_classes_and_word_boundaries_are_ascii() {
        check(r"\d+", &["42"], &["٤٢", "4٢"]);
        check(r"\D", &["٤", "a"], &["4"]);
        check(r"\w+", &["a_1"], &["é", "aé"]);
        check(r"\W", &["é", "-"], &["_"]);
        check(r"\s", &[" ", "\t", "\n", "\r", "\x0c"], &["\u{a0}", "\x0b"]);
        check(r"\S", &["\u{a0}", "\x0b"], &[" "]);
        check(r"é\ba", &["éa"], &[]);
        check(r"é\Ba", &[], &["éa"]);
        check(r"a\Bb", &["ab"], &[]);
        check(r"[\d.]+", &["1.2"], &["٤", "\\d"]);
        check(r"[\D]", &["٤"], &["4"]);
        check(r"[^\D]", &["4"], &["٤", "a"]);
        check(r"[^\W_]+", &["abc1"], &["a_b"]);
        check(r"(?i)[^a]", &["b"], &["a", "A"]);
    }

    #[test]
    fn quotations_are_literal() {
        check(r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb*", "a.b*a.b*"]);
        check(r"\Qa.b", &["a.b"], &["axb"]);
        check(r"x\Q\Ey", &["xy"], &[]);
    }

    #[test]
    fn braces_that_count_nothing_are_literal() {
        check("a{", &["a{"], &["a"]);
        check("a{,3}", &["a{,3}"], &["aa"]);
        check("{a}", &["{a}"], &[]);
        check("a{01}", &["a{01}"], &["a"]);
        check("a{1x}", &["a{1x}"], &[]);
        check("x}", &["x}"], &[]);
        check("x]", &["x]"], &[]);
        check("a{2}", &["aa"], &["a{2}"]);
        check("a{2,}", &["aaaa"], &["a"]);
        check("a{1,2}?", &["a", "aa"], &["aaa"]);
        check("a{0}", &[""], &["a"]);
        check("a{1000}", &[&"a".repeat(1000)], &[]);
    }

    #[test]
    fn set_operators_in_classes_are_members() {
        check("[a&&b]+", &["a&b"], &["c"]);
        check("[a~~b]+", &["a~b"], &["c"]);
        check("[[a]b]", &["[b]", "ab]"], &["a", "b"]);
        check("[a[b]", &["a", "[", "b"], &["]"]);
        check("[--a]", &["-", "0", "a"], &["b", ","]);
        check("[a-]+", &["a-"], &["b"]);
        check("[-a]+", &["a-"], &["b"]);
        check(r"[\d-z]+", &["1-z"], &["y"]);
        check("[a-z-9]+", &["b-9"], &["5"]);
        check("[]a]+", &["]a"], &["b"]);
        check("[^]a]", &["b"], &["]", "a"]);
        check(r"[\]\[\-\\^]+", &["]-[\\^"], &["a"]);
        check("[a^]", &["^"], &["b"]);
        check("[^^]", &["a", "\n"], &["^"]);
        check("[#. ]+", &["# ."], &["a"]);
        check("[[:alpha:]_]+", &["ab_"], &["é", "1"]);
        check("[[:^digit:]]", &["٤", "a"], &["1"]);
        check("[[:word:]]+", &["a_1"], &["-"]);
        check("[[:a]", &["[", ":", "a"], &["b"]);
        check("(?i)[k]", &["k", "K", "\u{212a}"], &[]);
    }

    #[test]
    fn escapes_that_only_one_engine_knows() {
        check(r"\<a\>", &["<a>"], &["a"]);
        check(r"\_\-\@\/\'", &["_-@/'"], &[]);
        check(r"\b{start}", &[], &["{start}"]);
        check(r"\123\0\12", &["S\0\n"], &[]);
        check(r"\a\f\n\r\t\v", &["\x07\x0c\n\r\t\x0b"], &[]);
        check(r"\x41\x{263a}[\x41-\x43]", &["A☺B"], &[]);
        check(r"\pL\p{Greek}\PL\p{^L}\P{^L}", &["éα12x"], &["αéab1"]);
        check(r"[\pN\p{Greek}]+", &["٤α"], &["a"]);
        check(r"\Aa\z", &["a"], &["a\n"]);
    }

    #[test]
    fn flags_and_groups() {
        check("(?i)abc", &["ABC"], &[]);
        check("(?i:a)b", &["Ab"], &["AB"]);
        check("(?i)a(?-i)b", &["Ab"], &["AB"]);
        check("(?ii-s)a", &["A"], &[]);
        check("(?)a(?:b)", &["ab"], &[]);
        check("(?P<x>a)(?<y>b)(?P<1>c)", &["abc"], &[]);
        check("(?U)a+", &["aaa"], &[]);
        check("^a$", &["a"], &["a\n"]);
        check("(a|b)*c?", &["ababc", ""], &["d"]);
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_place() {
        for (pattern, place, word) in [
            ("*", "*", "nothing to repeat"),
            ("a|*", "*", "nothing to repeat"),
            ("(+)", "+", "nothing to repeat"),
            ("a(?i)*", "*", "nothing to repeat"),
            ("a**", "*", "repeats a repetition"),
            ("a*?+", "+", "repeats a repetition"),
            ("a{2}{3}", "{3}", "repeats a repetition"),
            ("a{1001}", "{1001}", "1000 at most"),
            ("a{99999999999999}", "{99999999999999}", "1000 at most"),
            ("a{3,2}", "{3,2}", "wrong way round"),
            ("(a", "(", "never closed"),
            ("a)", ")", "closes nothing"),
            ("[a", "[", "never closed"),
            ("[]", "[", "never closed"),
            ("[z-a]", "z-a", "backwards"),
            ("[[:foo:]]", "[:foo:]", "no character class"),
            ("(?=a)", "(?=", "look-around"),
            ("(?!a)", "(?!", "look-around"),
            ("(?<=a)b", "(?<", "look-around"),
            ("(?<!a)b", "(?<", "look-around"),
            ("(?x)a", "(?x", "no flag"),
            ("(?-)a", "(?-)", "not complete"),
            ("(?", "(?", "not complete"),
            ("(?P<a>x)(?P<a>y)", "(?P<a>", "two groups"),
            ("(?P<a-b>x)", "(?P<a-b>", "name"),
            (r"(a)\1", r"\1", "refer back"),
            (r"\u0041", r"\u", "means nothing"),
            (r"\8", r"\8", "means nothing"),
            (r"a\Z", r"\Z", "means nothing"),
            (r"\é", r"\é", "means nothing"),
            (r"a\E", r"\E", "means nothing"),
            (r"[\b]", r"\b", "means nothing"),
            (r"[a-\d]", r"\d", "means nothing"),
            ("a\\", "\\", "lone"),
            (r"\xg1", r"\xg1", "two hex digits"),
            (r"\x{110000}", r"\x{110000}", "two hex digits"),
            (r"\x{d800}", r"\x{d800}", "two hex digits"),
            (r"\x{", r"\x{", "two hex digits"),
            (r"\p{Nope}", r"\p{Nope}", "unknown Unicode class"),
            (r"\pé", r"\pé", "unknown Unicode class"),
            (r"\p", r"\p", "unknown Unicode class"),
            (r"\p{a", r"\p{", "never closed"),
        ] {
            let error = compile(pattern).expect_err(pattern);
            assert!(error.message.contains(word), "{pattern}: {error:?}");
            assert_eq!(pattern.get(error.span.clone()), Some(place), "{pattern}: {error:?}");
        }
    }

    #[test]
    fn limits_hold_just_below_and_just_above() {
        assert!(compile(&"a".repeat(PATTERN_LIMIT)).is_ok());
        assert!(compile(&"a".repeat(PATTERN_LIMIT + 1)).is_err());
        let nested = |depth| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
        assert!(compile(&nested(NESTING_LIMIT)).is_ok());
        assert!(compile(&nested(NESTING_LIMIT + 1)).is_err());
        let error = compile(r"\pL{1000}").expect_err("too large");
        assert!(error.message.contains("256 KiB"), "{error:?}");
    }

    proptest! {
        #[test]
        fn what_is_listed_is_what_matches(
            pattern in r"(a|b|\||\(|\)|\(\?:|\^|\$|\\\.|\.|\?){0,10}",
            text in "[ab.]{0,4}",
        ) {
            if let Some(listed) = literals(&pattern) {
                let regex = compile(&pattern).unwrap();
                prop_assert!(listed.iter().all(|literal| regex.is_match(literal)));
                prop_assert_eq!(regex.is_match(&text), listed.contains(&text), "{:?}", listed);
            }
        }

        #[test]
        fn arbitrary_patterns_never_panic_and_errors_point_into_them(pattern in ".{0,60}") {
            if let Err(error) = compile(&pattern) {
                prop_assert!(pattern.get(error.span.clone()).is_some(), "{:?}", error);
            }
        }

        #[test]
        fn patterns_of_special_characters_never_panic(
            pattern in r"[-\[\]\\(){}|*+?^$.,:<>=!&~a1QEdpPx#]{0,24}"
        ) {
            match translate(&pattern) {
                Err(error) => prop_assert!(pattern.get(error.span.clone()).is_some(), "{:?}", error),
                // What Go's grammar allows, the engine takes: nothing is left for it to refuse.
                Ok(_) => match compile(&pattern) {
                    Ok(_) => {}
                    Err(error) => prop_assert!(
                        error.message.contains("too large"), "{}: {:?}", pattern, error
                    ),
                },
            }
        }

        #[test]
        fn escaped_texts_match_themselves_only(text in ".{0,30}", other in ".{0,30}") {
            let regex = compile(&format!(r"\Q{}\E", text.replace('\\', ""))).unwrap();
            prop_assert!(regex.is_match(&text.replace('\\', "")));
            prop_assert_eq!(regex.is_match(&other), other == text.replace('\\', ""));
        }
    }
}
