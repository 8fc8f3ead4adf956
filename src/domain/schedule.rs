//! Weekly times: business hours, maintenance windows.
//!
//! *Definition:* a window contains an instant if a clock on the wall in its time zone shows a time
//! within it then. So an hour that the clock skips in spring is in no window, and one that it shows
//! twice in autumn is in a window both times. Everything else follows from that; nothing here may
//! count hours instead of asking what the clock shows.
//!
//! A window that passes midnight belongs to the day on which it begins.

use std::fmt;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Windows that repeat every week. *Invariant:* at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
    /// The windows of one time zone cover the whole week.
    always: bool,
}

/// A part of the days of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins.
    pub days: Days,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends, not included; on the next day unless it is later than `from`.
    pub to: TimeOfDay,
    /// Whose clock it is about.
    pub time_zone: TimeZone,
}

/// Days of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Days {
    /// One bit per day, Monday lowest.
    bits: u8,
}

/// Names as people write them, from Monday on.
pub const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// The whole week.
    pub const ALL: Self = Self { bits: 0x7f };

    /// Adds the days from one to another, counted from Monday as 0; `5, 0` is Saturday to Monday.
    pub fn add_range(&mut self, first: usize, last: usize) {
        let length = (last + 7 - first % 7) % 7;
        for day in first..=first + length {
            self.bits |= 1 << (day % 7);
        }
    }

    /// Whether a day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.bits & (1 << day.to_monday_zero_offset()) != 0
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |day: usize| self.bits & (1 << day) != 0;
        let mut day = 0;
        let mut first = true;
        while day < DAY_NAMES.len() {
            let length = (day..DAY_NAMES.len()).take_while(|day| has(*day)).count();
            let name = |day: usize| DAY_NAMES.get(day).copied().unwrap_or_default();
            if length > 0 && !first {
                f.write_str(",")?;
            }
            match length {
                0 => {}
                1 => f.write_str(name(day))?,
                2 => write!(f, "{},{}", name(day), name(day + 1))?,
                _ => write!(f, "{}-{}", name(day), name(day + length - 1))?,
            }
            first &= length == 0;
            day += length.max(1);
        }
        Ok(())
    }
}

/// A time of day in whole minutes, up to and with 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The end of a day.
    pub const MIDNIGHT: Self = Self(24 * 60);

    /// Reads `HH:MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |digits: &str| -> Option<u16> {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok())?
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let time = Self(hours * 60 + minutes);
        (minutes < 60 && time <= Self::MIDNIGHT).then_some(time)
    }

    fn of(local: DateTime) -> Self {
        let part = |number: i8| u16::try_from(number).unwrap_or(0);
        Self(part(local.hour()) * 60 + part(local.minute()))
    }

    fn on(self, date: Date) -> Option<DateTime> {
        date.at(0, 0, 0, 0).checked_add(SignedDuration::from_mins(self.0.into())).ok()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Window {
    /// What the clock shows when the window is over, if it contains what the clock shows now.
    fn end(&self, local: DateTime) -> Option<DateTime> {
        let (today, time) = (local.date(), TimeOfDay::of(local));
        let overnight = self.to <= self.from;
        let begun = self.days.contains(today.weekday()) && time >= self.from;
        if overnight {
            let yesterday = self.days.contains(today.weekday().previous());
            if begun {
                return self.to.on(today.tomorrow().ok()?);
            }
            return if yesterday && time < self.to { self.to.on(today) } else { None };
        }
        if begun && time < self.to { self.to.on(today) } else { None }
    }

    /// Until when at least the clock shows nothing but times within the window.
    fn lasts_until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = self.time_zone.to_datetime(now);
        let end = now.checked_add(self.end(local)?.duration_since(local)).ok()?;
        // The clock may be set before it shows the end; what it shows then is another question.
        let set = self.time_zone.following(now).next().map(|change| change.timestamp());
        Some(set.map_or(end, |set| set.min(end)))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, from, to, time_zone } = self;
        write!(f, "{days} {from}-{to} {}", time_zone.iana_name().unwrap_or("UTC"))
    }
}

impl Schedule {
    /// Further than any week with a change of the clock in it.
    const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);

    /// A schedule of these windows; none if there are none.
    pub fn new(windows: Vec<Window>) -> Option<Self> {
        let mut zones: Vec<&TimeZone> = Vec::new();
        let always = windows.iter().any(|Window { time_zone, .. }| {
            let asked = zones.contains(&time_zone);
            zones.push(time_zone);
            let same = windows.iter().filter(|other| other.time_zone == *time_zone);
            !asked && covers_all(&same.collect::<Vec<_>>())
        });
        (!windows.is_empty()).then_some(Self { windows, always })
    }

    /// Whether one of the windows contains the instant.
    pub fn contains(&self, now: Timestamp) -> bool {
        let mut windows = self.windows.iter();
        windows.any(|window| window.end(window.time_zone.to_datetime(now)).is_some())
    }

    /// The first instant from `now` on that the schedule does not contain: `now` itself if it does
    /// not contain that. `None` if it contains all that follow.
    pub fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.always {
            return None;
        }
        let mut until = now;
        while let Some(later) = self.lasts_until(until) {
            if later <= until || later.duration_since(now) > Self::HORIZON {
                return None;
            }
            until = later;
        }
        Some(until)
    }

    fn lasts_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.windows.iter().filter_map(|window| window.lasts_until(now)).max()
    }
}

/// Whether the clock of one time zone can show no time outside of these windows.
fn covers_all(windows: &[&Window]) -> bool {
    // 2024 began on a Monday. A window begins and ends at full minutes.
    let monday = Date::constant(2024, 1, 1).at(0, 0, 0, 0);
    (0..7 * 24 * 60).all(|minute| {
        let local = monday.checked_add(SignedDuration::from_mins(minute));
        local.is_ok_and(|local| windows.iter().any(|window| window.end(local).is_some()))
    })
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
        f.write_str(&windows.join("; "))
    }
}

#[cfg(test)]
mod tests;
