//! IP addresses: what stands where one can and is read as one.
//!
//! A version of three numbers, a time of day and a path of a program (`std::string`) are none; a
//! version of four small numbers cannot be told from an address, and is taken for one.

use std::net::Ipv6Addr;
use std::sync::LazyLock;

use ::regex::Regex;

use super::{Piece, constant};

static FOUR_NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| constant(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"));

/// As long as can be; what of it is an address is found out by reading it.
static COLONS: LazyLock<Regex> =
    LazyLock::new(|| constant(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"));

pub(super) fn find(text: &str) -> Vec<Piece> {
    let v4 = FOUR_NUMBERS.find_iter(text).map(|found| found.range());
    let v6 = COLONS.find_iter(text).filter_map(|found| v6_within(text, found.range()));
    v4.filter(|piece| is_v4(text, piece)).chain(v6).collect()
}

fn is_v4(text: &str, piece: &Piece) -> bool {
    let (before, number, after) = split(text, piece);
    let mut before = before.chars().rev();
    let goes_on_before = match before.next() {
        Some('.') => before.next().is_some_and(|char| char.is_ascii_digit()),
        Some(char) => char.is_ascii_alphanumeric(),
        None => false,
    };
    let mut after = after.chars();
    let goes_on_after = match after.next() {
        Some('.') => after.next().is_some_and(|char| char.is_ascii_digit()),
        Some(char) => char.is_ascii_alphanumeric(),
        None => false,
    };
    let fits = number.split('.').all(|part| part.parse::<u8>().is_ok());
    !goes_on_before && !goes_on_after && fits
}

/// The address that a run of digits and colons holds. A name before it and a word after it, which
/// may begin or end with letters that are digits as well, belong to the text around it.
fn v6_within(text: &str, mut piece: Piece) -> Option<Piece> {
    let (before, _, after) = split(text, &piece);
    let in_word = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
    let (cut_before, cut_after) =
        (in_word(before.chars().next_back()), in_word(after.chars().next()));
    if cut_before {
        piece.start += text.get(piece.clone())?.find(':')?;
    }
    if cut_after {
        piece.end = piece.start + text.get(piece.clone())?.rfind(':')? + 1;
    }
    loop {
        let run = text.get(piece.clone())?;
        if run.contains(|char: char| char.is_ascii_hexdigit()) && run.parse::<Ipv6Addr>().is_ok() {
            return Some(piece);
        }
        // Punctuation, or a name in front: `peer:2001:db8::1:`.
        if run.ends_with(['.', ':']) {
            piece.end -= 1;
        } else if let Some(at) = run.find(':') {
            piece.start += at + 1;
        } else {
            return None;
        }
    }
}

fn split<'t>(text: &'t str, piece: &Piece) -> (&'t str, &'t str, &'t str) {
    (
        text.get(..piece.start).unwrap_or_default(),
        text.get(piece.clone()).unwrap_or_default(),
        text.get(piece.end..).unwrap_or_default(),
    )
}
