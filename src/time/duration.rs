//! Durations as Prometheus writes them: `1h30m`, `15s`, `3d`, `0`.
//!
//! A year has 365 days and a week 7; each unit stands at most once, from the largest down. That is
//! the grammar of Prometheus's own files, which the people who write ours know.

use std::time::Duration;

/// Units from the largest down, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration that Prometheus can express: 2^63 nanoseconds.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("a duration is missing")]
    Empty,
    /// A number has no unit.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// A unit has no number, or something is neither.
    #[error("a number is expected at `{0}`")]
    NoNumber(String),
    /// There is no such unit.
    #[error("there is no unit `{0}`")]
    UnknownUnit(String),
    /// It has a blank in it.
    #[error("it has a blank in it")]
    Blank,
    /// Units are repeated or in the wrong order.
    #[error("`{0}` stands twice or after a smaller unit")]
    OutOfOrder(&'static str),
    /// It is longer than 292 years.
    #[error("it is too long")]
    TooLong,
}

impl DurationError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoUnit(number) => format!("for seconds, write `{number}s`"),
            Self::OutOfOrder(_) => {
                "write each unit once, the largest first, such as `1h30m`".to_owned()
            }
            Self::TooLong => "292 years are the most".to_owned(),
            Self::Empty | Self::NoNumber(_) | Self::UnknownUnit(_) | Self::Blank => {
                "write numbers with the units y, w, d, h, m, s or ms, such as `1h30m`".to_owned()
            }
        }
    }
}

/// Reads a duration.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text.contains(char::is_whitespace) {
        return Err(DurationError::Blank);
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut allowed = UNITS.as_slice();
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |char| char.is_ascii_digit());
        if digits.is_empty() {
            return Err(DurationError::NoNumber(rest.to_owned()));
        }
        let (name, after) = split_while(after, |char| !char.is_ascii_digit());
        if name.is_empty() {
            return Err(DurationError::NoUnit(digits.to_owned()));
        }
        let Some((unit, size)) = UNITS.iter().find(|(unit, _)| *unit == name) else {
            return Err(DurationError::UnknownUnit(name.to_owned()));
        };
        let Some(place) = allowed.iter().position(|(allowed, _)| allowed == unit) else {
            return Err(DurationError::OutOfOrder(unit));
        };
        allowed = allowed.get(place + 1..).unwrap_or_default();
        millis = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*size))
            .and_then(|part| millis.checked_add(part))
            .filter(|millis| *millis <= MAX_MILLIS)
            .ok_or(DurationError::TooLong)?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// What was probably meant by a text that is not a duration, such as `5 min` or `1.5h`.
pub fn meant(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut millis = 0.0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |char| char.is_ascii_digit() || char == '.');
        let (word, after) = split_while(after.trim_start(), char::is_alphabetic);
        let unit = match word.to_lowercase().as_str() {
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => "ms",
            "s" | "sec" | "secs" | "second" | "seconds" => "s",
            "m" | "min" | "mins" | "minute" | "minutes" => "m",
            "h" | "hr" | "hrs" | "hour" | "hours" => "h",
            "d" | "day" | "days" => "d",
            "w" | "week" | "weeks" => "w",
            _ => return None,
        };
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        millis += number.parse::<f64>().ok()?
            * std::time::Duration::from_millis(*size).as_secs_f64()
            * 1000.0;
        rest = after.trim_start();
    }
    let meant = Duration::try_from_secs_f64(millis.round() / 1000.0).ok()?;
    (millis > 0.0 && meant.as_millis() <= u128::from(MAX_MILLIS)).then(|| format(meant))
}

/// Writes a duration in Prometheus's canonical form, whole milliseconds only. Years and weeks are
/// used only where nothing is left over: `90d` reads easier than `12w6d`.
pub fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        let exact_only = matches!(unit, "y" | "w");
        if exact_only && !millis.is_multiple_of(size) {
            continue;
        }
        let number = millis / size;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push_str(unit);
            millis -= number * size;
        }
    }
    text
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|char| !wanted(char)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("324ms", 324),
            ("3s", 3_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("4d", 345_600_000),
            ("4d1h", 349_200_000),
            ("14d", 1_209_600_000),
            ("3w", 1_814_400_000),
            ("3w2d1h", 1_990_800_000),
            ("10y", 315_360_000_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        for text in [
            "",
            "1",
            "00",
            "1y1m1d",
            "-1w",
            "1.5d",
            "d",
            "294y",
            "200y10400w",
            "1s1s",
            "5 m",
            "1H",
            "m5",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("30").unwrap_err().hint(), "for seconds, write `30s`");
    }

    #[test]
    fn the_longest_duration_is_read_and_one_more_refused() {
        assert_eq!(parse(&format!("{MAX_MILLIS}ms")), Ok(Duration::from_millis(MAX_MILLIS)));
        assert_eq!(parse(&format!("{}ms", MAX_MILLIS + 1)), Err(DurationError::TooLong));
    }

    #[test]
    fn writes_the_canonical_form() {
        for (text, canonical) in [
            ("0", "0s"),
            ("60s", "1m"),
            ("90d", "90d"),
            ("7d", "1w"),
            ("365d", "1y"),
            ("24h", "1d"),
            ("61m", "1h1m"),
            ("1w1ms", "7d1ms"),
        ] {
            assert_eq!(format(parse(text).unwrap()), canonical, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0..=MAX_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[0-9ywdhms .]{0,16}|\\PC{0,16}") {
            if let Ok(duration) = parse(&text) {
                prop_assert_eq!(parse(&format(duration)), Ok(duration));
            }
        }
    }
}
