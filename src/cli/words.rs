//! Answers in words: fields, times, labels and tables, as texts for people have them.
//!
//! Almost all of it comes from strangers. So every text here is on one line, with what would hide or end
//! it made visible, and is cut where nobody would read on; what is for scripts is printed whole.

use std::io::IsTerminal as _;

use serde_json::Value;

use crate::domain::text::{beginning, one_line};

/// The longest text in a line, in characters: a paragraph.
pub(super) const LONGEST: usize = 500;

/// A text that somebody else wrote, on one line.
pub(super) fn shown(text: &str) -> String {
    one_line(text).into_owned()
}

/// As [`shown`], and not more of it than anybody reads in a line.
pub(super) fn short(text: &str) -> String {
    begun(text, LONGEST)
}

fn begun(text: &str, characters: usize) -> String {
    // Bounded before it is escaped, which makes it longer.
    let head: String = text.chars().take(characters.saturating_add(1)).collect();
    beginning(&one_line(&head), characters).into_owned()
}

/// The lines of a text that somebody else wrote.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| shown(&line.replace('\t', "    ")).trim_end().to_owned())
}

/// A text of an answer, as [`short`]; `-` if there is none.
pub(super) fn field(of: &Value, key: &str) -> String {
    match of.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => short(text),
        Some(other) => short(&other.to_string()),
    }
}

/// Whether an answer has something under a key.
pub(super) fn has(of: &Value, key: &str) -> bool {
    of.get(key).is_some_and(|value| !value.is_null())
}

/// What a list of an answer holds.
pub(super) fn items<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Labels with their values, each cut as in a table; `-` if there are none.
pub(super) fn pairs(of: &Value, key: &str) -> String {
    let pairs = of.get(key).and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| {
            format!("{}={}", begun(name, WIDEST), begun(value.as_str().unwrap_or(""), WIDEST))
        })
        .collect();
    if pairs.is_empty() { "-".to_owned() } else { pairs.join(" ") }
}

/// So many alerts are named of those that one line stands for.
const NAMED: usize = 5;

/// What was decided of alerts, in a line each. Alerts of which the same is to be told share one, which
/// counts them and names their fingerprints. `line` makes it of a verdict and of its alert in words, which
/// are empty where there is none.
pub(super) fn verdicts<'v>(
    verdicts: impl Iterator<Item = &'v Value>,
    line: impl Fn(&Value, &str) -> String,
) -> Vec<String> {
    let bare = |verdict: &Value| match field(verdict, "alert").as_str() {
        "-" => String::new(),
        alert => format!("{alert} ({})", field(verdict, "status")),
    };
    let mut groups: Vec<(String, &Value, Vec<String>)> = Vec::new();
    for verdict in verdicts {
        let told = line(verdict, &bare(verdict));
        let fingerprint = field(verdict, "fingerprint");
        match groups.iter_mut().find(|(known, ..)| *known == told) {
            Some((_, _, alike)) => alike.push(fingerprint),
            None => groups.push((told, verdict, vec![fingerprint])),
        }
    }
    let told = groups.into_iter().map(|(told, verdict, alike)| {
        if alike.len() == 1 {
            return told;
        }
        let more = if alike.len() > NAMED { ", …" } else { "" };
        let named: Vec<&str> = alike.iter().take(NAMED).map(String::as_str).collect();
        let named =
            format!("{}, {} alerts: {}{more}", bare(verdict), alike.len(), named.join(", "));
        line(verdict, &named)
    });
    told.collect()
}

/// A time of an answer, to the second.
pub(super) fn time(of: &Value, key: &str) -> String {
    let text = field(of, key);
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => jiff::Timestamp::from_second(time.as_second()).unwrap_or(time).to_string(),
        Err(_) => text,
    }
}

/// Longer than any name that a person wants to read in a table, in characters.
const WIDEST: usize = 160;

/// How wide the terminal is that is printed to; `None` if none is.
fn width() -> Option<usize> {
    // Tests compare texts wherever they run.
    if cfg!(test) || !std::io::stdout().is_terminal() {
        return None;
    }
    columns().filter(|columns| *columns > 0)
}

#[cfg(target_os = "linux")]
fn columns() -> Option<usize> {
    Some(rustix::termios::tcgetwinsize(std::io::stdout()).ok()?.ws_col.into())
}

/// Elsewhere nobody can be asked.
#[cfg(not(target_os = "linux"))]
fn columns() -> Option<usize> {
    None
}

/// Rows below a head, each column as wide as its widest text. Whatever stands in a cell is on one line. A
/// text that is longer than [`WIDEST`] is cut, and on a terminal so much of the widest columns that a row
/// fits a line. Scripts get all of it, in other forms.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    table_within(head, rows, width())
}

/// No column is made narrower than this, or a row would tell nothing.
const NARROWEST: usize = 8;

fn table_within(head: &[&str], rows: &[Vec<String>], line_width: Option<usize>) -> Vec<String> {
    let cell = |text: &String| begun(text, WIDEST);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let of = |row: &Vec<String>| row.get(column).map_or(0, |text| text.chars().count());
            let head = head.get(column).map_or(0, |text| text.chars().count());
            rows.iter().map(of).max().unwrap_or(0).max(head)
        })
        .collect();
    if let Some(line_width) = line_width {
        // The first column is what a person copies: it stays whole.
        while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > line_width {
            let widest = widths.iter_mut().skip(1).max().filter(|width| **width > NARROWEST);
            let Some(widest) = widest else { break };
            *widest -= 1;
        }
    }
    let line = |texts: &[String]| {
        let cells: Vec<String> = texts
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{:<width$}", beginning(text, *width), width = width))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    std::iter::once(line(&head)).chain(rows.iter().map(|row| line(row))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_without_end_is_cut() {
        let lines = table(&["NAME", "OF"], &[vec!["Z".repeat(200_000), "x".to_owned()]]);
        assert_eq!(lines[1].chars().count(), WIDEST + "  x".len());
        assert!(lines[1].ends_with("Z…  x"));
    }

    #[test]
    fn a_row_fits_the_terminal_and_its_first_column_stays_whole() {
        let rows = [vec!["0123456789abcdef".to_owned(), "x".repeat(60), "y".repeat(20)]];
        let lines = table_within(&["ID", "TITLE", "RULE"], &rows, Some(60));
        assert_eq!(lines[1].chars().count(), 60, "{lines:#?}");
        assert!(lines[1].starts_with("0123456789abcdef  x") && lines[1].ends_with(&"y".repeat(20)));
        // Too narrow for anything: it is as narrow as it may be.
        let lines = table_within(&["ID", "TITLE", "RULE"], &rows, Some(5));
        assert_eq!(lines[1], "0123456789abcdef  xxxxxxx…  yyyyyyy…");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [vec!["a".to_owned(), "ünf".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(table(&["X", "LAST"], &rows), ["X    LAST", "a    ünf", "bcd"]);
    }

    #[test]
    fn what_a_sender_wrote_moves_no_cursor() {
        assert_eq!(field(&json!({ "a": "x\u{1b}[2J\ny" }), "a"), "x\\u{1b}[2J\\ny");
    }

    #[test]
    fn times_are_shown_to_the_second() {
        let body = json!({ "at": "2026-08-01T10:00:00.123456Z", "none": null });
        assert_eq!(time(&body, "at"), "2026-08-01T10:00:00Z");
        assert_eq!(time(&body, "none"), "-");
    }

    #[test]
    fn a_text_without_end_is_cut_in_every_line_and_never_before_its_limit() {
        let of = |length: usize| json!({ "text": "\u{202e}".repeat(length), "labels": { "l": "x".repeat(length) } });
        for length in [LONGEST / "\\u{202e}".len() + 1, 10_000] {
            let cut = field(&of(length), "text");
            assert_eq!(cut.chars().count(), LONGEST);
            assert!(cut.ends_with('…'), "{cut}");
        }
        assert_eq!(pairs(&of(10_000), "labels").chars().count(), "l=".len() + WIDEST);
        for (length, whole) in [(LONGEST, true), (LONGEST + 1, false)] {
            assert_eq!(field(&json!({ "text": "x".repeat(length) }), "text").ends_with('x'), whole);
        }
    }

    #[test]
    fn a_cell_is_on_one_line_whatever_stands_in_it() {
        let rows = [vec!["a\nb".to_owned(), "\u{202e}c\u{1b}[2J".to_owned()]];
        assert_eq!(table(&["X", "Y"], &rows), ["X     Y", "a\\nb  \\u{202e}c\\u{1b}[2J"]);
    }

    #[test]
    fn alerts_of_which_the_same_is_told_share_a_line() {
        let of = |fingerprint: &str, alert: &str| {
            json!({ "fingerprint": fingerprint, "alert": alert,
            "status": "firing", "effect": "no rule matches" })
        };
        let told = |all: &[Value]| {
            verdicts(all.iter(), |verdict, alert| format!("{alert}: {}", field(verdict, "effect")))
        };
        let (one, two, other) = (of("f1", "High"), of("f2", "High"), of("f3", "Low"));
        assert_eq!(
            told(&[one.clone(), other.clone(), two]),
            ["High (firing), 2 alerts: f1, f2: no rule matches", "Low (firing): no rule matches"]
        );
        let many: Vec<Value> = (0..7).map(|n| of(&n.to_string(), "High")).collect();
        assert_eq!(told(&many), ["High (firing), 7 alerts: 0, 1, 2, 3, 4, …: no rule matches"]);
    }
}
