//! What lets somebody in: told by the name in front of it, by how it begins, or by how it looks.

use std::sync::LazyLock;

use ::regex::{Captures, Regex};

use super::{Piece, constant};

/// What follows `Authorization:`, up to the end of the line or of the quotes.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    constant(r#"(?i)\bauthorization\\*["']?[ \t]*[:=][ \t]*\\*["']?(?P<it>[^\r\n"'\\]+)"#)
});

/// The word after `Bearer`. A word without a digit may be prose, unless it is long.
static BEARER: LazyLock<Regex> =
    LazyLock::new(|| constant(r"(?i)\bbearer[ \t]+(?P<it>[A-Za-z0-9+/_.~=-]{8,})"));

/// How names for secrets end.
const NAMES: &str = "pass(?:word|wd|phrase)s?|pwd|secrets?|tokens?|credentials?|(?:api|access|private|secret|session)[_-]?keys?|access[_-]?key[_-]?id";

static NAME: LazyLock<Regex> = LazyLock::new(|| constant(&format!("(?i)(?:{NAMES})$")));

/// Whether a name is one for a secret: `DB_PASSWORD`.
pub(super) fn is_name(name: &str) -> bool {
    NAME.is_match(name.trim_end())
}

/// A name that ends in a word for a secret, up to where its value begins: `DB_PASSWORD=`,
/// `"api_key": `, `| password | `.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| constant(&format!(r#"(?i)(?:{NAMES})\\*["'`]?[ \t]*(?:=>|:=|[:=|])[ \t]*"#)));

/// A value that JSON writes without quotes, and what ends it there.
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    constant(r"^(?P<it>-?[0-9][0-9.eE+-]{0,30}|true|false|null)[ \t]{0,8}(?:[,}\]]|$)")
});

/// What shows by its beginning whose key it is, and JSON Web Tokens.
static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
    constant(concat!(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
        r"|\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){0,3}",
        r"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b",
        r"|\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,})",
        r"|\bxox[a-z]-[A-Za-z0-9-]{8,}|\bAIza[A-Za-z0-9_-]{35}|\bgl(?:sa|c)_[A-Za-z0-9_=+/-]{16,}",
        r"|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|\bakab-[a-z0-9]{8,}-[a-z0-9]{8,}",
    ))
});

/// What is long enough to be random.
static LONG: LazyLock<Regex> = LazyLock::new(|| constant(r"[A-Za-z0-9+/_-]{32,}={0,2}"));

/// What lets somebody in. `kept` are the pieces that were replaced before, in order.
pub(super) fn find(text: &str, kept: &[Piece]) -> Vec<Piece> {
    let mut found = values(text, kept);
    found.extend(passwords(text));
    found.extend(HEADER.captures_iter(text).filter_map(|captures| value(&captures)));
    let bearer = BEARER.captures_iter(text).filter_map(|captures| value(&captures));
    found.extend(bearer.filter(|piece| {
        let word = text.get(piece.clone()).unwrap_or_default();
        word.len() >= 20 || word.contains(|char: char| char.is_ascii_digit())
    }));
    found.extend(KNOWN.find_iter(text).map(|found| found.range()));
    found.extend(LONG.find_iter(text).filter(|long| is_random(long.as_str())).map(|l| l.range()));
    found
}

/// The values behind names for secrets. Where a value ends is known only if it is quoted, if JSON
/// wrote it, or if it stands in an address: [`end`]. Any other goes on to the end of its line or of its
/// cell, whatever it is made of: a passphrase has blanks.
fn values(text: &str, kept: &[Piece]) -> Vec<Piece> {
    let mut found = Vec::new();
    let (mut at, mut line_end) = (0, 0);
    // What has been a value is not looked at again, so that this takes as long as the text has
    // characters.
    while let Some(name) = NAMED.find_at(text, at) {
        let start = name.end();
        let next = kept.partition_point(|piece| piece.start < start);
        if let Some(replaced) = kept.get(next).filter(|piece| piece.start == start) {
            at = replaced.end;
            continue;
        }
        if start > line_end || line_end == 0 {
            let rest = text.get(start..).unwrap_or_default();
            line_end = start + rest.find(['\r', '\n']).unwrap_or(rest.len());
        }
        let line = text.get(start..line_end).unwrap_or_default();
        let value = end(text.get(..name.start()).unwrap_or_default(), name.as_str(), line);
        let value = start + value.start..start + value.end;
        at = value.end.max(start);
        if !value.is_empty() {
            found.push(value);
        }
    }
    found
}

/// So far back an address is looked for before a name in it: names are short.
const NAME_IN_ADDRESS: usize = 64;

/// Where the value stands in the rest of its line, by what is `before` its name, and by the name with
/// what separates them.
fn end(before: &str, name: &str, line: &str) -> Piece {
    let opened = line.trim_start_matches('\\');
    let slashes = line.len() - opened.len();
    if opened.starts_with('"') {
        return slashes + 1..slashes + 1 + closing(opened.get(1..).unwrap_or_default(), slashes);
    }
    if slashes == 0 && line.starts_with('\'') {
        return 1..1 + single(line.get(1..).unwrap_or_default());
    }
    if name.contains('"')
        && let Some(bare) = BARE.captures(line).and_then(|captures| value(&captures))
    {
        return bare;
    }
    let in_address = name.ends_with('=')
        && before
            .bytes()
            .rev()
            .take(NAME_IN_ADDRESS)
            .find(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.'))
            .is_some_and(|byte| matches!(byte, b'?' | b'&'));
    if in_address {
        let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '<' | '>');
        return 0..line.find(ends).unwrap_or(line.len());
    }
    let in_table = name.trim_end().ends_with('|');
    let mut before = None;
    let ends = |c: char| {
        let blank = before.replace(c) == Some(' ');
        c == '\t' || (c == '|' && (in_table || blank))
    };
    let cell = line.find(ends).unwrap_or(line.len());
    0..line.get(..cell).unwrap_or_default().trim_end().len()
}

/// Where a value in quotes ends that were opened behind so many backslashes: a text in a text in a
/// text has all of its quotes, and those within them, behind twice as many and one more.
fn closing(value: &str, slashes: usize) -> usize {
    let mut run = 0;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'\\' => run += 1,
            b'"' if run % (2 * (slashes + 1)) == slashes => return at - slashes,
            _ => run = 0,
        }
    }
    value.len()
}

/// Where a value in single quotes ends: two of them are one that is part of it.
fn single(value: &str) -> usize {
    let mut quotes = value.match_indices('\'').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return at;
        }
    }
    value.len()
}

/// The passwords of addresses: `https://user:password@host`. A password may hold what an address would
/// have to escape, so it goes on to the last `@` of the run; what begins as a port is none.
fn passwords(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut starts = text.match_indices("://").map(|(at, mark)| at + mark.len()).peekable();
    while let Some(start) = starts.next() {
        let until = starts.peek().map_or(text.len(), |next| next - "://".len());
        let run = text.get(start..until).unwrap_or_default();
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
        let run = run.split(ends).next().unwrap_or_default();
        let Some((user, behind)) = run.split_once(':') else { continue };
        let Some((password, _host)) = behind.rsplit_once('@') else { continue };
        if user.contains('/') || password.is_empty() || is_port(password) {
            continue;
        }
        let from = start + user.len() + 1;
        found.push(from..from + password.len());
    }
    found
}

/// Whether this is a port and a path behind it.
fn is_port(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits)
        && text.get(digits..).is_some_and(|path| path.starts_with(['/', '?', '#']))
}

/// The group that took part.
fn value(captures: &Captures<'_>) -> Option<Piece> {
    captures.iter().skip(1).flatten().next().map(|group| group.range())
}

/// Whether a run of 32 characters or more looks random: names, paths and words written together do
/// not. A digest does.
fn is_random(run: &str) -> bool {
    let run = run.trim_end_matches('=');
    let share = |of: fn(&char) -> bool| count(run.chars().filter(of).count()) / count(run.len());
    let digits = share(char::is_ascii_digit);
    let (upper, lower) = (share(char::is_ascii_uppercase), share(char::is_ascii_lowercase));
    let letters = upper + lower;
    if digits == 0.0 || letters == 0.0 {
        return false;
    }
    let bits = bits_per_character(run);
    if run.chars().all(|char| char.is_ascii_hexdigit()) {
        // Of 32 digits by chance, one in 30,000 has less than 3 bits.
        return bits >= 2.0;
    }
    if bits < 3.0 {
        return false;
    }
    let one_case = (upper == 0.0 || lower == 0.0) && digits + letters > 0.999;
    if one_case {
        return digits >= 0.15 && changes(run) >= 0.25;
    }
    upper >= 0.15 && lower >= 0.15 && bits >= 4.0 && changes(run) >= 0.45
}

/// How often the next character is of another class, of all places where it could be.
fn changes(run: &str) -> f64 {
    let class = |char: char| match char {
        'a'..='z' => 0,
        'A'..='Z' => 1,
        '0'..='9' => 2,
        _ => 3,
    };
    let pairs = run.chars().zip(run.chars().skip(1));
    let changed = pairs.filter(|(one, next)| class(*one) != class(*next)).count();
    count(changed) / count(run.len().saturating_sub(1).max(1))
}

/// Shannon's entropy of the characters.
fn bits_per_character(run: &str) -> f64 {
    let mut counts = [0usize; 128];
    for byte in run.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = count(run.len());
    let shares = counts.iter().filter(|n| **n > 0).map(|n| count(*n) / total);
    shares.map(|share| -share * share.log2()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
