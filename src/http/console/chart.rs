//! Small charts, drawn here as SVG: a day in bars of ten minutes. Pure: the same numbers give the
//! same picture. For those who do not see it there are a sentence and a table that say the same.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::text::took;
use crate::people::history::{Day, Piece};

/// The picture's height; its width follows from the pieces.
const HEIGHT: u64 = 100;
/// How wide a piece is, with the gap beside it.
const STEP: u64 = 5;
/// How wide its bar is.
const BAR: u64 = 4;
/// Pieces in a row of the table.
const PER_ROW: usize = 6;

/// A chart, ready for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chart {
    /// By which the page refers to its parts; one of each on a page.
    pub(super) id: String,
    /// What it shows.
    pub(super) title: String,
    /// The same in a sentence.
    pub(super) summary: String,
    /// The value of the highest bar, for the axis.
    pub(super) top: String,
    /// The picture's width.
    pub(super) width: u64,
    /// Its height.
    pub(super) height: u64,
    /// The path of the bars.
    pub(super) bars: String,
    /// The path of the bars behind them, for the largest of what the others are the mean of.
    pub(super) behind: String,
    /// What the columns of the table are.
    pub(super) columns: Vec<&'static str>,
    /// Its rows, an hour each.
    pub(super) rows: Vec<Row>,
}

/// An hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(super) from: Timestamp,
    pub(super) values: Vec<String>,
}

impl Chart {
    /// How often something happened.
    pub(super) fn of_counts(id: &str, title: &str, what: &str, day: &Day) -> Self {
        let total = day.count();
        let top = day.pieces.iter().map(|piece| piece.count).max().unwrap_or(0);
        let summary = match total {
            0 => format!("No {what} in the last day."),
            _ => format!("{total} in the last day, {top} in the busiest ten minutes."),
        };
        Self {
            top: top.to_string(),
            bars: path(&day.pieces, top, |piece| piece.count),
            behind: String::new(),
            columns: vec!["count"],
            rows: rows(day, |hour| vec![hour.count.to_string()]),
            ..Self::empty(id, title, summary, day)
        }
    }

    /// How long something took: the mean, and the longest behind it.
    pub(super) fn of_times(id: &str, title: &str, day: &Day) -> Self {
        let whole = hour_of(&day.pieces);
        let summary = match whole.count {
            0 => "No request in the last day.".to_owned(),
            count => format!(
                "{} on average and {} at most; {count} in the last day.",
                took(whole.mean()),
                took(whole.most)
            ),
        };
        Self {
            top: took(whole.most),
            bars: path(&day.pieces, whole.most, Piece::mean),
            behind: path(&day.pieces, whole.most, |piece| piece.most),
            columns: vec!["requests", "mean", "longest"],
            rows: rows(day, |hour| {
                vec![hour.count.to_string(), took(hour.mean()), took(hour.most)]
            }),
            ..Self::empty(id, title, summary, day)
        }
    }

    /// How much there was whenever it was looked: the mean, and the most behind it.
    pub(super) fn of_levels(id: &str, title: &str, what: &str, day: &Day) -> Self {
        let whole = hour_of(&day.pieces);
        let summary = match whole.most {
            0 => format!("No {what} at any look in the last day."),
            most => format!("{} {what} on average in the last day, {most} at most.", whole.mean()),
        };
        Self {
            top: whole.most.to_string(),
            bars: path(&day.pieces, whole.most, Piece::mean),
            behind: path(&day.pieces, whole.most, |piece| piece.most),
            columns: vec!["mean", "most"],
            rows: rows(day, |hour| vec![hour.mean().to_string(), hour.most.to_string()]),
            ..Self::empty(id, title, summary, day)
        }
    }

    fn empty(id: &str, title: &str, summary: String, day: &Day) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            summary,
            top: String::new(),
            width: STEP.saturating_mul(u64::try_from(day.pieces.len()).unwrap_or(0)),
            height: HEIGHT,
            bars: String::new(),
            behind: String::new(),
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// The bars of a chart as one path: nothing but numbers.
pub(super) fn path(pieces: &[Piece], top: u64, value: impl Fn(&Piece) -> u64) -> String {
    let mut path = String::new();
    let mut x = 0;
    for piece in pieces {
        let value = value(piece).min(top);
        if value > 0 {
            // Whatever happened is seen, if only as a line.
            let height = (u128::from(value) * u128::from(HEIGHT)).div_ceil(u128::from(top));
            let y = u128::from(HEIGHT).saturating_sub(height.max(2));
            // Writing to a string cannot fail.
            let _ = write!(path, "M{x} {HEIGHT}V{y}h{BAR}V{HEIGHT}z");
        }
        x += STEP;
    }
    path
}

fn rows(day: &Day, values: impl Fn(&Piece) -> Vec<String>) -> Vec<Row> {
    let hours = day.pieces.chunks(PER_ROW).enumerate();
    hours
        .map(|(hour, pieces)| Row {
            from: crate::time::later(
                day.from,
                std::time::Duration::from_secs(u64::try_from(hour).unwrap_or(0) * 3_600),
            ),
            values: values(&hour_of(pieces)),
        })
        .collect()
}

/// Several pieces as one.
fn hour_of(pieces: &[Piece]) -> Piece {
    pieces.iter().fold(Piece::default(), |whole, piece| Piece {
        count: whole.count.saturating_add(piece.count),
        sum: whole.sum.saturating_add(piece.sum),
        most: whole.most.max(piece.most),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::history::PIECES;

    fn day(pieces: &[(usize, Piece)]) -> Day {
        let mut all = vec![Piece::default(); PIECES];
        for (place, piece) in pieces {
            all[*place] = *piece;
        }
        Day { from: Timestamp::UNIX_EPOCH, pieces: all }
    }

    fn count(count: u64) -> Piece {
        Piece { count, ..Piece::default() }
    }

    #[test]
    fn the_highest_bar_is_as_high_as_the_picture_and_a_small_one_is_still_seen() {
        let chart =
            Chart::of_counts("a", "Alerts", "alerts", &day(&[(0, count(1_000)), (143, count(1))]));
        assert_eq!(chart.bars, "M0 100V0h4V100zM715 100V98h4V100z");
        assert_eq!((chart.width, chart.top.as_str()), (720, "1000"));
        assert_eq!(chart.summary, "1001 in the last day, 1000 in the busiest ten minutes.");
    }

    #[test]
    fn a_day_in_which_nothing_happened_is_an_empty_picture_that_says_so() {
        let chart = Chart::of_counts("a", "Cases", "cases", &day(&[]));
        assert_eq!(
            (chart.bars.as_str(), chart.summary.as_str()),
            ("", "No cases in the last day.")
        );
        assert_eq!(Chart::of_times("t", "Akamai", &day(&[])).bars, "");
        assert_eq!(Chart::of_levels("o", "Outbox", "actions", &day(&[])).bars, "");
    }

    #[test]
    fn the_mean_stands_before_the_longest() {
        let piece = Piece { count: 2, sum: 1_000_000, most: 900_000 };
        let chart = Chart::of_times("t", "Akamai", &day(&[(1, piece)]));
        assert_eq!(chart.behind, "M5 100V0h4V100z");
        assert_eq!(chart.bars, "M5 100V44h4V100z");
        assert_eq!(chart.top, "900 ms");
    }

    #[test]
    fn the_table_says_by_the_hour_what_the_picture_shows() {
        let chart = Chart::of_counts(
            "a",
            "Alerts",
            "alerts",
            &day(&[(0, count(1)), (5, count(2)), (6, count(4))]),
        );
        assert_eq!(chart.rows.len(), 24);
        assert_eq!(chart.rows[0].values, ["3"]);
        assert_eq!(
            (chart.rows[1].values[0].as_str(), chart.rows[1].from.as_second()),
            ("4", 3_600)
        );
    }

    #[test]
    fn numbers_of_any_size_are_drawn() {
        let huge = Piece { count: u64::MAX, sum: u64::MAX, most: u64::MAX };
        for chart in [
            Chart::of_counts("a", "A", "a", &day(&[(0, huge), (1, huge)])),
            Chart::of_times("t", "T", &day(&[(0, huge), (1, huge)])),
            Chart::of_levels("l", "L", "l", &day(&[(0, huge), (1, huge)])),
        ] {
            assert_eq!(chart.rows.len(), 24, "{}", chart.title);
        }
    }
}
