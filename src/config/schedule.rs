//! Weekly times, as files write them: `{ days: mon-fri, from: "08:00", to: "18:00" }`.
//!
//! What they mean is said by [`crate::domain::schedule`]. A time zone is looked up by name only; a
//! fixed offset would be wrong for half of the year.

use jiff::tz::TimeZone;

use crate::domain::schedule::{DAY_NAMES, Days, Schedule, TimeOfDay, Window};

use super::decode::{Decode, Field, Section};
use super::diagnostic::Diagnostic;
use super::suggest::nearest;

impl Decode for Schedule {
    /// One window, or a list of them.
    fn decode(field: &Field<'_>) -> Option<Self> {
        let items = field.one_or_many();
        if items.is_empty() {
            let message = format!("`{}` names no time", field.path());
            field.error(message, "remove the key, or name times");
        }
        let windows: Vec<Option<Window>> =
            items.iter().map(|item| item.section().and_then(read_window)).collect();
        Self::new(windows.into_iter().collect::<Option<Vec<Window>>>()?)
    }
}

fn read_window(mut section: Section<'_>) -> Option<Window> {
    let days = match section.field("days") {
        Some(field) => field.decode(),
        None => Some(Days::ALL),
    };
    let from: Option<TimeOfDay> = section.required("from");
    let to: Option<TimeOfDay> = section.required("to");
    let time_zone = match section.field("time_zone") {
        Some(field) => read_zone(&field),
        None => Some(TimeZone::UTC),
    };
    if from == Some(TimeOfDay::MIDNIGHT) {
        let message = format!("`{}.from` is the end of a day", section.path());
        section.error_at_key("from", message, "write `from: \"00:00\"`, and the day after it");
    } else if from.is_some() && from == to {
        let message = format!("`{}` begins and ends at the same time", section.path());
        let hint = "a whole day is `from: \"00:00\"`, `to: \"24:00\"`";
        section.error_at_key("to", message, hint);
    }
    section.finish();
    Some(Window { days: days?, from: from?, to: to?, time_zone: time_zone? })
}

impl Decode for Days {
    /// Days and ranges of days, one or a list.
    fn decode(field: &Field<'_>) -> Option<Self> {
        let items = field.one_or_many();
        if items.is_empty() {
            field.error(format!("`{}` names no day", field.path()), "such as `mon-fri`");
            return None;
        }
        let mut days = Self::default();
        let mut complete = true;
        for item in items {
            match read_days(&item) {
                Some((first, last)) => days.add_range(first, last),
                None => complete = false,
            }
        }
        complete.then_some(days)
    }
}

fn read_days(field: &Field<'_>) -> Option<(usize, usize)> {
    let text: String = field.decode()?;
    match text.split_once('-') {
        None => read_day(field, &text, 0, &text).map(|day| (day, day)),
        Some((first, last)) => {
            let start = read_day(field, &text, 0, first);
            let end = read_day(field, &text, first.len() + 1, last);
            Some((start?, end?))
        }
    }
}

/// A day's name that stands at a byte of a text.
fn read_day(field: &Field<'_>, text: &str, at: usize, name: &str) -> Option<usize> {
    let found = DAY_NAMES.iter().position(|known| *known == name);
    if found.is_none() {
        let place = field.place().within(text, at..at + name.len());
        let folded = name.to_lowercase();
        let meant = DAY_NAMES.into_iter().find(|known| folded.starts_with(known));
        let mut hint = match meant.or_else(|| nearest(name, DAY_NAMES.into_iter())) {
            Some(known) => format!("did you mean `{known}`? "),
            None => String::new(),
        };
        hint.push_str(&format!(
            "days are {}, and ranges of them such as `mon-fri`",
            DAY_NAMES.join(", ")
        ));
        let message = format!("`{}` names a day that there is not", field.path());
        field.report(Diagnostic::error(place, message).label("not a day").hint(hint));
    }
    found
}

impl Decode for TimeOfDay {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        let time = Self::parse(&text);
        if time.is_none() {
            let message = format!("`{}` is not a time of day: {}", field.path(), field.quoted());
            field
                .error(message, "write hours and minutes with two digits each, `00:00` to `24:00`");
        }
        time
    }
}

fn read_zone(field: &Field<'_>) -> Option<TimeZone> {
    let name: String = field.decode()?;
    let zone = TimeZone::get(&name).ok();
    if zone.is_none() {
        let all: Vec<String> =
            jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
        // People remember the city and not the continent.
        let city = |known: &&String| {
            known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&name))
        };
        let meant = all.iter().find(city).map(String::as_str);
        let hint = match meant.or_else(|| nearest(&name, all.iter().map(String::as_str))) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "names are those of the IANA database, such as `Europe/Berlin`".to_owned(),
        };
        let message = format!("`{}` is not a time zone: {}", field.path(), field.quoted());
        field.error(message, hint);
    }
    zone
}
