use proptest::prelude::*;

use super::*;

fn window(days: &[(usize, usize)], from: &str, to: &str, zone: &str) -> Window {
    let mut all = Days::default();
    days.iter().for_each(|(first, last)| all.add_range(*first, *last));
    let time = |text| TimeOfDay::parse(text).unwrap();
    let time_zone = TimeZone::get(zone).unwrap();
    Window { days: all, from: time(from), to: time(to), time_zone }
}

fn daily(from: &str, to: &str, zone: &str) -> Schedule {
    Schedule::new(vec![window(&[(0, 6)], from, to, zone)]).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Until when the schedule goes on from an instant, which it must contain.
#[track_caller]
fn end(schedule: &Schedule, now: &str) -> Option<String> {
    assert!(schedule.contains(at(now)), "{now}");
    schedule.ends_at(at(now)).map(|end| end.to_string())
}

#[track_caller]
fn is_out(schedule: &Schedule, now: &str) {
    assert!(!schedule.contains(at(now)), "{now}");
    assert_eq!(schedule.ends_at(at(now)), Some(at(now)));
}

#[test]
fn business_hours_are_those_of_the_time_zone() {
    let berlin = window(&[(0, 4)], "08:00", "18:00", "Europe/Berlin");
    let hours = Schedule::new(vec![berlin]).unwrap();
    // A Friday in summer, two hours ahead of UTC.
    is_out(&hours, "2026-07-31T05:59:59Z");
    assert_eq!(end(&hours, "2026-07-31T06:00:00Z").unwrap(), "2026-07-31T16:00:00Z");
    assert_eq!(end(&hours, "2026-07-31T15:59:59Z").unwrap(), "2026-07-31T16:00:00Z");
    is_out(&hours, "2026-07-31T16:00:00Z");
    is_out(&hours, "2026-08-01T10:00:00Z");
    // A Monday in winter, one hour ahead.
    is_out(&hours, "2026-01-05T06:59:59Z");
    assert_eq!(end(&hours, "2026-01-05T07:00:00Z").unwrap(), "2026-01-05T17:00:00Z");
}

#[test]
fn a_window_that_passes_midnight_belongs_to_the_day_on_which_it_begins() {
    let friday = Schedule::new(vec![window(&[(4, 4)], "22:00", "02:00", "UTC")]).unwrap();
    is_out(&friday, "2026-07-31T01:00:00Z");
    is_out(&friday, "2026-07-31T21:59:00Z");
    assert_eq!(end(&friday, "2026-07-31T22:00:00Z").unwrap(), "2026-08-01T02:00:00Z");
    assert_eq!(end(&friday, "2026-08-01T01:59:59Z").unwrap(), "2026-08-01T02:00:00Z");
    is_out(&friday, "2026-08-01T02:00:00Z");
    is_out(&friday, "2026-08-01T22:00:00Z");
    let sunday = Schedule::new(vec![window(&[(6, 6)], "22:00", "02:00", "UTC")]).unwrap();
    assert_eq!(end(&sunday, "2026-08-03T01:00:00Z").unwrap(), "2026-08-03T02:00:00Z");
}

#[test]
fn windows_that_touch_or_overlap_are_one_time() {
    let all = Schedule::new(vec![
        window(&[(4, 4)], "18:00", "24:00", "UTC"),
        window(&[(5, 6)], "00:00", "24:00", "UTC"),
        window(&[(0, 0)], "00:00", "08:00", "UTC"),
        window(&[(0, 0)], "07:00", "09:00", "UTC"),
    ]);
    assert_eq!(end(&all.unwrap(), "2026-07-31T18:00:00Z").unwrap(), "2026-08-03T09:00:00Z");
}

#[test]
fn all_week_has_no_end() {
    assert_eq!(end(&daily("00:00", "24:00", "Europe/Berlin"), "2026-03-28T12:00:00Z"), None);
    assert!(end(&daily("08:00", "07:00", "UTC"), "2026-03-28T12:00:00Z").is_some());
    let halves = Schedule::new(vec![
        window(&[(0, 6)], "06:00", "18:00", "UTC"),
        window(&[(0, 6)], "18:00", "06:00", "UTC"),
    ]);
    assert_eq!(end(&halves.unwrap(), "2026-03-28T12:00:00Z"), None);
}

/// In 2026 Berlin's clock goes from 02:00 to 03:00 at 01:00 UTC on 29 March.
#[test]
fn an_hour_that_the_clock_skips_is_in_no_window() {
    let over = daily("01:00", "04:00", "Europe/Berlin");
    is_out(&over, "2026-03-28T23:59:59Z");
    assert_eq!(end(&over, "2026-03-29T00:00:00Z").unwrap(), "2026-03-29T02:00:00Z");
    let into = daily("01:00", "02:30", "Europe/Berlin");
    assert_eq!(end(&into, "2026-03-29T00:30:00Z").unwrap(), "2026-03-29T01:00:00Z");
    is_out(&into, "2026-03-29T01:00:00Z");
    let out_of = daily("02:30", "04:00", "Europe/Berlin");
    is_out(&out_of, "2026-03-29T00:59:59Z");
    assert_eq!(end(&out_of, "2026-03-29T01:00:00Z").unwrap(), "2026-03-29T02:00:00Z");
    let within = daily("02:00", "03:00", "Europe/Berlin");
    is_out(&within, "2026-03-29T00:59:59Z");
    is_out(&within, "2026-03-29T01:00:00Z");
    let night = daily("22:00", "06:00", "Europe/Berlin");
    assert_eq!(end(&night, "2026-03-28T21:00:00Z").unwrap(), "2026-03-29T04:00:00Z");
}

/// In 2026 Berlin's clock goes from 03:00 to 02:00 at 01:00 UTC on 25 October.
#[test]
fn an_hour_that_the_clock_shows_twice_is_in_a_window_both_times() {
    let over = daily("01:00", "04:00", "Europe/Berlin");
    is_out(&over, "2026-10-24T22:59:59Z");
    assert_eq!(end(&over, "2026-10-24T23:00:00Z").unwrap(), "2026-10-25T03:00:00Z");
    let into = daily("01:00", "02:30", "Europe/Berlin");
    assert_eq!(end(&into, "2026-10-24T23:00:00Z").unwrap(), "2026-10-25T00:30:00Z");
    is_out(&into, "2026-10-25T00:30:00Z");
    assert_eq!(end(&into, "2026-10-25T01:00:00Z").unwrap(), "2026-10-25T01:30:00Z");
    is_out(&into, "2026-10-25T01:30:00Z");
    let out_of = daily("02:30", "04:00", "Europe/Berlin");
    assert_eq!(end(&out_of, "2026-10-25T00:30:00Z").unwrap(), "2026-10-25T01:00:00Z");
    is_out(&out_of, "2026-10-25T01:00:00Z");
    assert_eq!(end(&out_of, "2026-10-25T01:30:00Z").unwrap(), "2026-10-25T03:00:00Z");
    let within = daily("02:00", "03:00", "Europe/Berlin");
    assert_eq!(end(&within, "2026-10-25T00:00:00Z").unwrap(), "2026-10-25T02:00:00Z");
    let night = daily("22:00", "06:00", "Europe/Berlin");
    assert_eq!(end(&night, "2026-10-24T20:00:00Z").unwrap(), "2026-10-25T05:00:00Z");
}

#[test]
fn times_of_day_are_hours_and_minutes() {
    for (text, read) in
        [("00:00", true), ("08:05", true), ("23:59", true), ("24:00", true)].into_iter().chain(
            ["24:01", "25:00", "8:00", "08:60", "0800", "08:0", "", "+8:00", "08:00:00"]
                .map(|text| (text, false)),
        )
    {
        let written = TimeOfDay::parse(text).map(|time| time.to_string());
        assert_eq!(written.as_deref(), read.then_some(text), "{text}");
    }
}

#[test]
fn days_are_written_as_people_write_them() {
    for (ranges, written) in [
        (&[(0, 4)][..], "mon-fri"),
        (&[(5, 6)], "sat,sun"),
        (&[(5, 0)], "mon,sat,sun"),
        (&[(0, 6)], "mon-sun"),
        (&[(1, 1), (3, 5)], "tue,thu-sat"),
    ] {
        assert_eq!(window(ranges, "00:00", "24:00", "UTC").days.to_string(), written);
    }
    let shown = Schedule::new(vec![window(&[(0, 4)], "08:00", "18:00", "Europe/Berlin")]).unwrap();
    assert_eq!(shown.to_string(), "mon-fri 08:00-18:00 Europe/Berlin");
}

proptest! {
    /// Minute by minute through the weeks in which the clock is set.
    #[test]
    fn the_end_is_the_first_minute_that_is_not_contained(
        first in 0_usize..7, last in 0_usize..7, from in 0_u16..1440, to in 1_u16..=1440,
        second in 0_u16..1440, start in prop::sample::select(vec![
            "2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-07-31T00:00:00Z"]),
        offset in 0_i64..2880,
    ) {
        let zone = "Europe/Berlin";
        let mut one = window(&[(first, last)], "00:00", "24:00", zone);
        (one.from, one.to) = (TimeOfDay(from), TimeOfDay(to));
        let mut two = window(&[(6, 6)], "00:00", "24:00", zone);
        (two.from, two.to) = (TimeOfDay(second), TimeOfDay((second + 90) % 1440));
        let schedule = Schedule::new(vec![one, two]).unwrap();
        let now = at(start) + SignedDuration::from_mins(offset);
        let minutes = (0..9 * 1440).map(|minute| now + SignedDuration::from_mins(minute));
        let expected = minutes.into_iter().find(|minute| !schedule.contains(*minute));
        prop_assert_eq!(schedule.ends_at(now), expected);
    }
}
