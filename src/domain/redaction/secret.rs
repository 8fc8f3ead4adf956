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

/// What stands behind such a name.
const BEHIND: &str = concat!(
    r#"\\*["']?[ \t]*(?::=|=>|[:=])[ \t]*"#,
    r#"(?:\\+"(?P<a>(?:[^"\\\r\n]|\\[^"\r\n])+)|"(?P<b>(?:[^"\\\r\n]|\\[^\r\n])+)|'(?P<c>[^'\r\n]+)"#,
    r#"|(?P<d>(?:(?:basic|bearer|token)[ \t]+)?[^\s"'\\,;&<>(){}\[\]][^\s"'\\,;&<>(){}]*))"#,
);

static NAME: LazyLock<Regex> = LazyLock::new(|| constant(&format!("(?i)(?:{NAMES})$")));

/// Whether a name is one for a secret: `DB_PASSWORD`.
pub(super) fn is_name(name: &str) -> bool {
    NAME.is_match(name.trim_end())
}

/// The value behind a name that ends in a word for a secret: `DB_PASSWORD=…`, `"api_key": "…"`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| constant(&format!("(?i)(?:{NAMES}){BEHIND}")));

/// The password of an address: `https://user:password@host`.
static IN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| constant(r"://[^\s/:@]*:(?P<it>[^\s/@]+)@"));

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

pub(super) fn find(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    for named in [&HEADER, &NAMED, &IN_ADDRESS] {
        found.extend(named.captures_iter(text).filter_map(|captures| value(&captures)));
    }
    let bearer = BEARER.captures_iter(text).filter_map(|captures| value(&captures));
    found.extend(bearer.filter(|piece| {
        let word = text.get(piece.clone()).unwrap_or_default();
        word.len() >= 20 || word.contains(|char: char| char.is_ascii_digit())
    }));
    found.extend(KNOWN.find_iter(text).map(|found| found.range()));
    found.extend(LONG.find_iter(text).filter(|long| is_random(long.as_str())).map(|l| l.range()));
    found
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
