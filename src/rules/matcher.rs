//! Matchers: `severity =~ "critical|page"`.
//!
//! The grammar is the UTF-8 one that Alertmanager has had since 0.27 (its package
//! `matcher/parse`), and only that one: a text that the older, classic grammar reads differently
//! is read as the newer Alertmanager does. What a matcher means is also Alertmanager's: a label
//! that is absent equals the empty text, and a regular expression has to match the whole value.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::domain::alert::Labels;
use crate::domain::regex;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl Op {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no matcher, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MatcherError {
    /// What is wrong.
    pub message: String,
    /// Where in the text, in bytes; always at character boundaries within it.
    pub span: Range<usize>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for MatcherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl MatcherError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One condition on one label.
///
/// Two matchers are equal when they are written alike; that two patterns match the same values is
/// not looked into.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: Op,
    value: String,
    /// Compiled when the operator is one of the two that need it.
    regex: Option<::regex::Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.name == other.name && self.value == other.value
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// Reads a single matcher, without braces.
    ///
    /// # Errors
    ///
    /// When the text is not exactly one matcher, or its pattern is not one that
    /// [`regex::compile`] takes.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        if let Some(at) = text.find(|c: char| !c.is_whitespace())
            && text.get(at..).is_some_and(|rest| rest.starts_with('{'))
        {
            return Err(MatcherError::new(at..at + 1, "a single matcher has no braces")
                .hint("leave the braces out, and write one matcher per list item"));
        }
        let mut matchers = Parser::new(text)?.list()?.into_iter();
        match (matchers.next(), matchers.next()) {
            (Some((matcher, _)), None) => Ok(matcher),
            (None, _) => Err(MatcherError::new(0..text.len(), "there is no matcher here")
                .hint("write name, operator and value: `severity = \"critical\"`")),
            (Some(_), Some((_, span))) => {
                Err(MatcherError::new(span, "there is more than one matcher here")
                    .hint("write one matcher per list item"))
            }
        }
    }

    /// A matcher made of its parts.
    ///
    /// # Errors
    ///
    /// When the name is empty or the pattern is not one that [`regex::compile`] takes. The error's
    /// span counts within the value.
    pub fn new(name: &str, op: Op, value: &str) -> Result<Self, MatcherError> {
        if name.is_empty() {
            return Err(MatcherError::new(0..0, "a label's name is never empty"));
        }
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Regex | Op::NotRegex => Some(regex::compile(value).map_err(|error| {
                MatcherError { message: error.message, span: error.span, hint: error.hint }
            })?),
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), regex })
    }

    /// The label that is looked at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is compared.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The text or pattern that it is compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values of the label with which it holds, where they can be listed: exactly these, and
    /// with the empty one among them also a label that is absent. `None` says nothing.
    pub fn values(&self) -> Option<BTreeSet<String>> {
        match self.op {
            Op::Equal => Some(BTreeSet::from([self.value.clone()])),
            Op::Regex => regex::literals(&self.value),
            Op::NotEqual | Op::NotRegex => None,
        }
    }

    /// Whether an alert with these labels is meant. An absent label equals the empty text:
    /// `foo=""` matches absence, `foo!=""` asks for presence.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.accepts(labels.get(&self.name).map_or("", String::as_str))
    }

    /// Whether it holds for a label with this value, the empty one if the label is absent.
    pub fn accepts(&self, actual: &str) -> bool {
        match (self.op, &self.regex) {
            (Op::Equal, _) => actual == self.value,
            (Op::NotEqual, _) => actual != self.value,
            // Invariant: `new` compiles a pattern for these two operators, so `None` cannot occur.
            (Op::Regex, pattern) => pattern.as_ref().is_some_and(|p| p.is_match(actual)),
            (Op::NotRegex, pattern) => !pattern.as_ref().is_some_and(|p| p.is_match(actual)),
        }
    }
}

/// Prints the canonical form, `name="value"`, which [`Matcher::parse`] reads back as the same
/// matcher.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.chars().all(is_word) {
            f.write_str(&self.name)?;
        } else {
            write_quoted(f, &self.name)?;
        }
        f.write_str(self.op.as_str())?;
        write_quoted(f, &self.value)
    }
}

/// Lists of matchers, all of which have to match.
#[derive(Debug, Clone, Copy)]
pub struct Matchers;

impl Matchers {
    /// Reads a list, with braces or without: `{foo="bar", baz!~"x.*"}`. A comma at the end is
    /// allowed; an empty text and `{}` are lists of no matchers.
    ///
    /// # Errors
    ///
    /// When the text is no such list, or a pattern is not one that [`regex::compile`] takes.
    pub fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
        Ok(Parser::new(text)?.list()?.into_iter().map(|(matcher, _)| matcher).collect())
    }
}

/// Whether a character can stand in a name or value without quotes.
fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '{' | '}' | '!' | '=' | '~' | ',' | '\\' | '"' | '\'' | '`')
}

/// Writes a Go string literal.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            // A control character would be invisible, or worse, in a terminal.
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Comma,
    Op(Op),
    /// A name or value; for a quoted one, where each of its bytes came from.
    Text {
        text: String,
        origin: Option<Vec<usize>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    kind: Kind,
    span: Range<usize>,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.bump();
        }
        found
    }

    fn tokens(mut self) -> Result<Vec<Token>, MatcherError> {
        let mut tokens = Vec::new();
        loop {
            while self.peek().is_some_and(char::is_whitespace) {
                self.bump();
            }
            let start = self.at;
            let Some(c) = self.peek() else { return Ok(tokens) };
            let kind = if is_word(c) {
                while self.peek().is_some_and(is_word) {
                    self.bump();
                }
                let text = self.text.get(start..self.at).unwrap_or("").to_owned();
                Kind::Text { text, origin: None }
            } else {
                self.bump();
                self.sign(start, c)?
            };
            tokens.push(Token { kind, span: start..self.at });
        }
    }

    fn sign(&mut self, start: usize, c: char) -> Result<Kind, MatcherError> {
        let span = start..self.at;
        match c {
            '{' => Ok(Kind::Open),
            '}' => Ok(Kind::Close),
            ',' => Ok(Kind::Comma),
            '=' if self.eat('~') => Ok(Kind::Op(Op::Regex)),
            '=' if self.eat('=') => Err(MatcherError::new(start..self.at, "`==` is no operator")
                .hint("write `=` for \"equals\"")),
            '=' => Ok(Kind::Op(Op::Equal)),
            '!' if self.eat('=') => Ok(Kind::Op(Op::NotEqual)),
            '!' if self.eat('~') => Ok(Kind::Op(Op::NotRegex)),
            '!' => Err(MatcherError::new(span, "`!` is no operator")
                .hint("write `!=` or `!~`; inside a name or value, put quotes around it")),
            '~' => Err(MatcherError::new(span, "`~` is no operator")
                .hint("write `=~` or `!~`; inside a name or value, put quotes around it")),
            '"' => self.quoted(start),
            '\'' | '`' => Err(MatcherError::new(span, format!("`{c}` is no quote here"))
                .hint("put names and values into double quotes")),
            _ => Err(MatcherError::new(span, format!("`{c}` needs quotes around it"))
                .hint("put the value into double quotes, and write `\\\\` for each backslash")),
        }
    }

    /// A Go string literal in double quotes, whose first quote has been read.
    fn quoted(&mut self, start: usize) -> Result<Kind, MatcherError> {
        let mut bytes = Vec::new();
        let mut origin = Vec::new();
        loop {
            let at = self.at;
            let mut push = |new: &[u8]| {
                bytes.extend_from_slice(new);
                origin.extend(std::iter::repeat_n(at, new.len()));
            };
            let mut buffer = [0; 4];
            match self.bump() {
                None => {
                    return Err(MatcherError::new(start..self.at, "the quotes are never closed")
                        .hint("add a closing `\"`"));
                }
                Some('"') => break,
                Some('\n') => {
                    return Err(MatcherError::new(at..self.at, "a line ends inside quotes")
                        .hint("write `\\n` for a newline"));
                }
                Some('\\') => match self.escape(at)? {
                    Escaped::Byte(byte) => push(&[byte]),
                    Escaped::Char(c) => push(c.encode_utf8(&mut buffer).as_bytes()),
                },
                Some(c) => push(c.encode_utf8(&mut buffer).as_bytes()),
            }
        }
        origin.push(self.at - 1);
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Kind::Text { text, origin: Some(origin) }),
            Err(error) => {
                let bad = error.utf8_error().valid_up_to();
                let from = origin.get(bad).copied().unwrap_or(start);
                Err(MatcherError::new(from..self.at - 1, "the value is not valid UTF-8")
                    .hint("write `\\u00e9` for a character; `\\x` and octal stand for bytes"))
            }
        }
    }

    fn escape(&mut self, start: usize) -> Result<Escaped, MatcherError> {
        let simple = match self.bump() {
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\x0b',
            Some('\\') => '\\',
            Some('"') => '"',
            Some('x') => return self.number(start, 16, 2, "`\\x` takes two hex digits"),
            Some('u') => return self.number(start, 16, 4, "`\\u` takes four hex digits"),
            Some('U') => return self.number(start, 16, 8, "`\\U` takes eight hex digits"),
            Some('0'..='7') => {
                self.at -= 1;
                return self.number(
                    start,
                    8,
                    3,
                    "an octal escape takes three digits up to `\\377`",
                );
            }
            None => {
                return Err(MatcherError::new(start..self.at, "the quotes are never closed")
                    .hint("add a closing `\"`"));
            }
            Some(c) => {
                return Err(MatcherError::new(start..self.at, format!("unknown escape `\\{c}`"))
                    .hint(self.doubled(start)));
            }
        };
        Ok(Escaped::Char(simple))
    }

    /// Shows the word around an escape with its backslash doubled, such as `"\\d+"`.
    fn doubled(&self, escape: usize) -> String {
        let after = self.text.get(escape + 1..).unwrap_or("");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\\'))
            .unwrap_or(after.len())
            .min(after.char_indices().nth(24).map_or(after.len(), |(at, _)| at));
        let word = after.get(..end).unwrap_or("");
        if word.is_empty() {
            return "write `\\\\` for a backslash".to_owned();
        }
        format!("write `\"\\\\{word}\"`: inside quotes a backslash is written twice")
    }

    fn number(
        &mut self,
        start: usize,
        radix: u32,
        length: usize,
        message: &str,
    ) -> Result<Escaped, MatcherError> {
        let mut value: u32 = 0;
        for _ in 0..length {
            let digit = self.peek().and_then(|c| c.to_digit(radix));
            let Some(digit) = digit else {
                return Err(
                    MatcherError::new(start..self.at, message).hint("write `\\\\` for a backslash")
                );
            };
            self.bump();
            value = value.saturating_mul(radix).saturating_add(digit);
        }
        let escaped = if length > 3 {
            char::from_u32(value).map(Escaped::Char)
        } else {
            u8::try_from(value).ok().map(Escaped::Byte)
        };
        escaped.ok_or_else(|| {
            let message = if length > 3 { "there is no such character" } else { message };
            MatcherError::new(start..self.at, message)
        })
    }
}

enum Escaped {
    Byte(u8),
    Char(char),
}

struct Parser<'t> {
    text: &'t str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, MatcherError> {
        let tokens = Lexer { text, at: 0 }.tokens()?;
        Ok(Self { text, tokens: tokens.into_iter().peekable() })
    }

    fn end(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }

    fn slice(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or("")
    }

    fn eat(&mut self, kind: &Kind) -> Option<Range<usize>> {
        self.tokens.next_if(|token| token.kind == *kind).map(|token| token.span)
    }

    fn list(mut self) -> Result<Vec<(Matcher, Range<usize>)>, MatcherError> {
        let open = self.eat(&Kind::Open);
        let mut matchers = Vec::new();
        while self.tokens.peek().is_some_and(|token| token.kind != Kind::Close) {
            matchers.push(self.matcher()?);
            if self.eat(&Kind::Comma).is_none() {
                break;
            }
        }
        let close = self.eat(&Kind::Close);
        if let Some(token) = self.tokens.next() {
            return Err(self.unexpected(&token));
        }
        match (open, close) {
            (Some(open), None) => {
                Err(MatcherError::new(open, "this `{` is never closed").hint("add `}` at the end"))
            }
            (None, Some(close)) => Err(MatcherError::new(close, "this `}` closes nothing")
                .hint("leave it out, or put quotes around a value that contains it")),
            _ => Ok(matchers),
        }
    }

    fn matcher(&mut self) -> Result<(Matcher, Range<usize>), MatcherError> {
        let Some(first) = self.tokens.next() else {
            return Err(MatcherError::new(self.end(), "a label's name is missing"));
        };
        let Kind::Text { text: name, .. } = first.kind else {
            return Err(MatcherError::new(
                first.span.clone(),
                format!("`{}` stands where a label's name is expected", self.slice(&first.span)),
            )
            .hint("write name, operator and value: `severity = \"critical\"`"));
        };
        if name.is_empty() {
            return Err(MatcherError::new(first.span, "a label's name is never empty"));
        }
        let op = match self.tokens.next() {
            Some(Token { kind: Kind::Op(op), .. }) => op,
            other => {
                let span = other.map_or_else(|| self.end(), |token| token.span);
                let shown = self.slice(&first.span);
                let span_of_word = span.clone();
                return Err(MatcherError::new(
                    span,
                    format!("an operator is missing after `{shown}`"),
                )
                .hint(match self.slice(&span_of_word) {
                    "in" | "IN" => {
                        format!("for one of several values, write `{shown} =~ \"one|other\"`")
                    }
                    _ => format!(
                        "write `{shown} = \"value\"`, or `{shown} != \"\"` for \"is present\"; \
                         the operators are =, !=, =~ and !~"
                    ),
                }));
            }
        };
        let value = match self.tokens.next() {
            Some(Token { kind: Kind::Text { text, origin }, span }) => (text, origin, span),
            Some(Token { kind: Kind::Op(second), span }) => {
                return Err(MatcherError::new(
                    span,
                    format!("`{second}` stands where a value is expected"),
                )
                .hint("put quotes around a value that contains `=`, `!` or `~`"));
            }
            other => {
                let span = other.map_or_else(|| self.end(), |token| token.span);
                let shown = self.slice(&first.span);
                let hint = match op {
                    Op::Equal | Op::Regex => {
                        format!("write `{shown} = \"\"` for \"absent or empty\"")
                    }
                    Op::NotEqual | Op::NotRegex => {
                        format!("write `{shown} != \"\"` for \"present and not empty\"")
                    }
                };
                return Err(
                    MatcherError::new(span, format!("a value is missing after `{op}`")).hint(hint)
                );
            }
        };
        let (text, origin, span) = value;
        let matcher = Matcher::new(&name, op, &text).map_err(|mut error| {
            error.span = place(&error.span, origin.as_deref(), &span);
            if origin.is_some() {
                // Inside quotes a backslash of the pattern is written twice.
                error.hint = error.hint.map(|hint| hint.replace('\\', "\\\\"));
            }
            error
        })?;
        Ok((matcher, first.span.start..span.end))
    }

    /// Something follows where a list should end.
    fn unexpected(&self, token: &Token) -> MatcherError {
        let shown = self.slice(&token.span);
        let error =
            MatcherError::new(token.span.clone(), format!("`{shown}` is not expected here"));
        match shown.to_lowercase().as_str() {
            "and" | "&&" => {
                return error.hint("all matchers of a list must hold: write one per list item");
            }
            "or" | "||" | "unless" => {
                return error.hint(
                    "for one of several values, write `label =~ \"one|other\"`; for anything \
                     else, a rule of its own",
                );
            }
            _ => {}
        }
        match token.kind {
            Kind::Text { .. } | Kind::Op(_) | Kind::Open => error.hint(
                "put quotes around a value with spaces or special characters, and a comma \
                 between matchers",
            ),
            Kind::Close | Kind::Comma => error.hint("leave it out"),
        }
    }
}

/// Where a part of a value stands in the text.
fn place(part: &Range<usize>, origin: Option<&[usize]>, whole: &Range<usize>) -> Range<usize> {
    match origin {
        None => whole.start + part.start..whole.start + part.end,
        Some(origin) => {
            let find = |at: usize| origin.get(at).copied();
            match (find(part.start), find(part.end)) {
                (Some(start), Some(end)) => start..end,
                _ => whole.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn single_matchers() {
        for (text, name, op, value) in [
            ("team=web", "team", Op::Equal, "web"),
            (" team = web ", "team", Op::Equal, "web"),
            ("team\n!=\nweb", "team", Op::NotEqual, "web"),
            (r#"team =~ "web|api""#, "team", Op::Regex, "web|api"),
            (r#"team!~"^$""#, "team", Op::NotRegex, "^$"),
            (r#"team="""#, "team", Op::Equal, ""),
            ("team=web,", "team", Op::Equal, "web"),
            ("équipe=réseau", "équipe", Op::Equal, "réseau"),
            ("a.b/c-d=e:f@g", "a.b/c-d", Op::Equal, "e:f@g"),
            (r#""with space"="x y""#, "with space", Op::Equal, "x y"),
            (r#""{a}"="b,c=d!~e}""#, "{a}", Op::Equal, "b,c=d!~e}"),
            (r#"a="\"\\\n\t\r\a\b\f\v""#, "a", Op::Equal, "\"\\\n\t\r\x07\x08\x0c\x0b"),
            (r#"a="\x41\101\u00e9\U0001f642""#, "a", Op::Equal, "AAé🙂"),
            (r#"a="\xc3\xa9""#, "a", Op::Equal, "é"),
            (r#"a="\303\251""#, "a", Op::Equal, "é"),
            (r#"a=~"\\d+""#, "a", Op::Regex, r"\d+"),
            ("a=~5..", "a", Op::Regex, "5.."),
            ("a=~x|y.*", "a", Op::Regex, "x|y.*"),
            ("1=2", "1", Op::Equal, "2"),
            ("[]=()", "[]", Op::Equal, "()"),
        ] {
            let matcher = Matcher::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (matcher.name(), matcher.op(), matcher.value()),
                (name, op, value),
                "{text}"
            );
        }
    }

    #[test]
    fn errors_show_the_place_and_the_way_out() {
        for (text, place, shown) in [
            (
                "",
                "",
                "there is no matcher here; write name, operator and value: `severity = \"critical\"`",
            ),
            (
                "foo=",
                "",
                "a value is missing after `=`; write `foo = \"\"` for \"absent or empty\"",
            ),
            (
                "foo!=",
                "",
                "a value is missing after `!=`; write `foo != \"\"` for \"present and not empty\"",
            ),
            (
                "foo",
                "",
                "an operator is missing after `foo`; write `foo = \"value\"`, or `foo != \"\"` for \"is present\"; the operators are =, !=, =~ and !~",
            ),
            ("foo==bar", "==", "`==` is no operator; write `=` for \"equals\""),
            (
                "foo ~ bar",
                "~",
                "`~` is no operator; write `=~` or `!~`; inside a name or value, put quotes around it",
            ),
            (
                "foo!bar",
                "!",
                "`!` is no operator; write `!=` or `!~`; inside a name or value, put quotes around it",
            ),
            (
                "{foo=bar}",
                "{",
                "a single matcher has no braces; leave the braces out, and write one matcher per list item",
            ),
            (
                "foo=bar}",
                "}",
                "this `}` closes nothing; leave it out, or put quotes around a value that contains it",
            ),
            (
                "a=b,c=d",
                "c=d",
                "there is more than one matcher here; write one matcher per list item",
            ),
            (
                "foo=bar baz",
                "baz",
                "`baz` is not expected here; put quotes around a value with spaces or special characters, and a comma between matchers",
            ),
            (
                "foo=~a{2}",
                "{",
                "`{` is not expected here; put quotes around a value with spaces or special characters, and a comma between matchers",
            ),
            ("foo='bar'", "'", "`'` is no quote here; put names and values into double quotes"),
            ("foo=`bar`", "`", "``` is no quote here; put names and values into double quotes"),
            (
                r"foo=~\d+",
                r"\",
                r"`\` needs quotes around it; put the value into double quotes, and write `\\` for each backslash",
            ),
            (
                r#"foo=~"a\d+ x""#,
                r"\d",
                r#"unknown escape `\d`; write `"\\d+"`: inside quotes a backslash is written twice"#,
            ),
            (
                r#"foo="a\'b""#,
                r"\'",
                r#"unknown escape `\'`; write `"\\'b"`: inside quotes a backslash is written twice"#,
            ),
            (r#"foo="bar"#, r#""bar"#, "the quotes are never closed; add a closing `\"`"),
            (r#"foo="bar\"#, r"\", "the quotes are never closed; add a closing `\"`"),
            ("foo=\"a\nb\"", "\n", "a line ends inside quotes; write `\\n` for a newline"),
            (
                r#"foo="\xff""#,
                r"\xff",
                "the value is not valid UTF-8; write `\\u00e9` for a character; `\\x` and octal stand for bytes",
            ),
            (r#"foo="\xg""#, r"\x", "`\\x` takes two hex digits; write `\\\\` for a backslash"),
            (r#"foo="\400""#, r"\400", "an octal escape takes three digits up to `\\377`"),
            (r#"foo="\ud800""#, r"\ud800", "there is no such character"),
            (r#"foo="\UFFFFFFFF""#, r"\UFFFFFFFF", "there is no such character"),
            (r#"""=bar"#, r#""""#, "a label's name is never empty"),
            (
                "=bar",
                "=",
                "`=` stands where a label's name is expected; write name, operator and value: `severity = \"critical\"`",
            ),
            (
                "foo= =bar",
                "=",
                "`=` stands where a value is expected; put quotes around a value that contains `=`, `!` or `~`",
            ),
            (
                "foo=,",
                ",",
                "a value is missing after `=`; write `foo = \"\"` for \"absent or empty\"",
            ),
            (
                "foo=a,,",
                ",",
                "`,` stands where a label's name is expected; write name, operator and value: `severity = \"critical\"`",
            ),
            (
                "foo=~*",
                "*",
                "`*` has nothing to repeat; a matcher's pattern is no glob: write `.*` for \"anything\"",
            ),
            (
                r#"foo=~"\\w\\Z""#,
                r"\\Z",
                r"`\Z` means nothing in Go's dialect; patterns are anchored at both ends already; leave it out",
            ),
            (
                r#"foo=~"é(a""#,
                "(",
                r"this `(` is never closed; add `)`, or write `\\(` for the character itself",
            ),
        ] {
            let error = Matcher::parse(text).expect_err(text);
            assert_eq!(error.to_string(), shown, "{text}");
            assert_eq!(text.get(error.span.clone()), Some(place), "{text}: {error:?}");
        }
    }

    #[test]
    fn lists() {
        for (text, printed) in [
            ("", &[][..]),
            ("{}", &[]),
            (" { } ", &[]),
            ("a=b", &[r#"a="b""#]),
            ("{a=b}", &[r#"a="b""#]),
            ("{a=b,}", &[r#"a="b""#]),
            ("a=b,c!=d", &[r#"a="b""#, r#"c!="d""#]),
            ("{a =~ \"x,}y\" ,\n \"c d\"!~e}", &[r#"a=~"x,}y""#, r#""c d"!~"e""#]),
        ] {
            let list = Matchers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
            assert_eq!(shown, printed, "{text}");
        }
        for text in [
            "{",
            "}",
            ",",
            "{,}",
            "{a=b",
            "a=b}",
            "a=b,,c=d",
            "{a=b},",
            "{{a=b}}",
            "{a=b}{c=d}",
            "a=b c=d",
        ] {
            assert!(Matchers::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_absent_label_equals_the_empty_text() {
        let some = labels(&[("foo", "bar"), ("empty", "")]);
        for (text, expected) in [
            (r#"foo="bar""#, true),
            (r#"foo="ba""#, false),
            (r#"foo!="bar""#, false),
            (r#"nope="""#, true),
            (r#"nope!="""#, false),
            (r#"empty="""#, true),
            (r#"foo!="""#, true),
            (r#"nope=~".*""#, true),
            (r#"nope=~".+""#, false),
            (r#"nope!~".+""#, true),
            (r#"nope!="x""#, true),
            (r#"foo=~"ba""#, false),
            (r#"foo=~"ba.""#, true),
            (r#"foo=~"x|bar""#, true),
            (r#"foo!~"x|bar""#, false),
            (r#"foo!~"x|ba""#, true),
        ] {
            assert_eq!(Matcher::parse(text).unwrap().matches(&some), expected, "{text}");
        }
    }

    #[test]
    fn names_are_quoted_only_where_they_must_be() {
        for (name, value, printed) in [
            ("a", "b", r#"a="b""#),
            ("a b", "\x1b[0m\"", r#""a b"="\u001b[0m\"""#),
            ("é", "\n", r#"é="\n""#),
            ("a\"", "\\", r#""a\""="\\""#),
        ] {
            assert_eq!(Matcher::new(name, Op::Equal, value).unwrap().to_string(), printed);
        }
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![Just(Op::Equal), Just(Op::NotEqual), Just(Op::Regex), Just(Op::NotRegex)]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(
            name in r#"([a-z]{1,8}|[ -~\n\t]{1,8}|\PC{1,8}|.{1,8})"#,
            op in op(),
            value in r#"([a-z|.]{0,12}|[ -~\n\t]{0,12}|.{0,12})"#,
        ) {
            if let Ok(matcher) = Matcher::new(&name, op, &value) {
                let printed = matcher.to_string();
                prop_assert_eq!(&Matcher::parse(&printed).unwrap(), &matcher);
                let list = Matchers::parse(&format!("{{{printed}, {printed}}}")).unwrap();
                prop_assert_eq!(list, vec![matcher.clone(), matcher]);
            }
        }

        #[test]
        fn arbitrary_text_never_panics_and_errors_point_into_it(
            text in r#"(.{0,40}|[{}=!~,"'\\a-c é\n]{0,30}|[a-c]=~"[-\[\]\\(){}|*+?a1Qdx]{0,20}")"#
        ) {
            let errors = [Matcher::parse(&text).err(), Matchers::parse(&text).err()];
            for error in errors.into_iter().flatten() {
                prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            }
        }

        #[test]
        fn a_negated_matcher_is_the_opposite(value in "[ab]{0,3}", pattern in "[ab.*|]{0,4}") {
            let some = labels(&[("x", &value)]);
            for (yes, no) in [(Op::Equal, Op::NotEqual), (Op::Regex, Op::NotRegex)] {
                if let (Ok(yes), Ok(no)) =
                    (Matcher::new("x", yes, &pattern), Matcher::new("x", no, &pattern))
                {
                    prop_assert_ne!(yes.matches(&some), no.matches(&some));
                }
            }
        }
    }
}
