//! The week as a page: what was generated, and what came of it under each rule set.

use std::fmt::Write as _;

use super::noise::{Kind, in_words};
use super::play::{Row, most_in_an_hour};
use super::{Outcome, without_memory};

/// All of it.
pub(crate) fn page(outcome: &Outcome) -> String {
    let mut page = generated(outcome);
    page.push('\n');
    page += &render(&cases(outcome));
    page.push('\n');
    page += &render(&rest(outcome));
    page
}

/// `casewright` counts in thousands with a comma.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn generated(outcome: &Outcome) -> String {
    let Outcome { week, traffic, .. } = outcome;
    let of = |kind: Kind| count(week.count(|one| one == kind));
    let storm = |number: usize| {
        let troubles = week.troubles.iter().filter(|one| one.kind == Kind::Storm(number));
        let alerts: usize = troubles.map(|trouble| trouble.places.len()).sum();
        format!("{} alerts of {}", count(alerts), of(Kind::Storm(number)))
    };
    let twins = traffic.sent.iter().filter(|sent| sent.twin).count();
    let cut = traffic.sent.iter().filter(|sent| sent.cut).count();
    let silences: usize = week.troubles.iter().map(|trouble| trouble.silences.len()).sum();
    let mut text = format!("seed {}: seven days from 2026-06-01T00:00:00Z\n", week.seed);
    let mut line = |what: &str, words: String| {
        let _ = writeln!(text, "  {what:<12} {words}");
    };
    line(
        "real",
        format!("{} incidents of 4 hours and more; 2 begin in the weekly window", of(Kind::Real)),
    );
    line(
        "storms",
        format!(
            "{} properties at once, {} properties under three rules, {} caches in one group",
            storm(0),
            storm(1),
            storm(2)
        ),
    );
    line(
        "unsteady",
        format!("{} that fire for 6 to 12 minutes, for hours and days", of(Kind::Unsteady)),
    );
    line("flapping", format!("{} that fire for 4 minutes at most, for days", of(Kind::Flapping)));
    line("blips", format!("{} that fire once, for 4 minutes at most", of(Kind::Blip)));
    line("maintenance", format!("{} in the weekly window", of(Kind::Maintenance)));
    line(
        "not ours",
        format!("{} in staging, {} without a rule", of(Kind::Staging), of(Kind::Unowned)),
    );
    line(
        "webhooks",
        format!(
            "{}, of which {} come from both Alertmanagers and {} are cut by max_alerts",
            count(traffic.sent.len()),
            count(twins),
            count(cut)
        ),
    );
    line(
        "trouble",
        format!(
            "{} silences, {} restarts without memory, {} ends never told",
            silences,
            week.restarts.len(),
            count(traffic.lost_ends.len())
        ),
    );
    text
}

type Table = Vec<Vec<String>>;

/// Left, then right.
fn render(table: &Table) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        let line: Vec<String> = cells.collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn head(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn name(index: usize, row: &Row) -> String {
    if index == 0 { row.name.to_owned() } else { format!("+ {}", row.name) }
}

/// How many cases, and what for.
fn cases(outcome: &Outcome) -> Table {
    let mut table = vec![head(&[
        "A CASE FOR",
        "CASES",
        "IN ONE HOUR",
        "REAL",
        "STORMS",
        "UNSTEADY",
        "FLAPPING",
        "BLIPS",
        "MAINTENANCE",
        "ROLL-UPS",
    ])];
    let (notifications, firings) = without_memory(&outcome.traffic);
    for (name, times) in [("each notification", notifications), ("each alert and firing", firings)]
    {
        let mut cells = vec![name.to_owned(), count(times.len()), count(most_in_an_hour(times))];
        cells.resize(10, "-".to_owned());
        table.push(cells);
    }
    for (index, row) in outcome.rows.iter().enumerate() {
        let of = |kind: Kind| count(row.cases_of(|one| one == kind));
        table.push(vec![
            name(index, row),
            count(row.cases.len() + row.rollups.len()),
            count(most_in_an_hour(row.times())),
            of(Kind::Real),
            count(row.cases_of(|kind| matches!(kind, Kind::Storm(_)))),
            of(Kind::Unsteady),
            of(Kind::Flapping),
            of(Kind::Blip),
            of(Kind::Maintenance),
            count(row.rollups.len()),
        ]);
    }
    table
}

/// What else is done, what is not, and whether the real ones got theirs.
fn rest(outcome: &Outcome) -> Table {
    let mut table = vec![head(&[
        "",
        "COMMENTS",
        "CLOSURES",
        "REOPENED",
        "TOO SHORT",
        "MUTED",
        "OVER BUDGET",
        "ROLLED UP",
        "MISSED",
        "TWO CASES",
        "LATEST",
    ])];
    for (index, row) in outcome.rows.iter().enumerate() {
        let none = |why: &str| count(row.none.get(why).copied().unwrap_or(0));
        table.push(vec![
            name(index, row),
            count(row.comments),
            count(row.closures),
            count(row.reopened),
            none("too short"),
            none("muted"),
            none("over budget"),
            none("rolled up"),
            count(row.missed.len()),
            count(row.real.values().filter(|cases| **cases > 1).count()),
            in_words(row.latest.0),
        ]);
    }
    table
}
