//! Helpers about time. None of them asks what time it is: `now` comes with the context.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Call;
use crate::templates::context::rfc3339;

type Made = Result<Value, String>;

/// `date TIME [FORMAT [ZONE]]`: a time, as RFC 3339 in UTC unless told otherwise. The format is
/// strftime's, the zone a name of the IANA database. A time that is not known (null) prints as
/// nothing.
pub(super) fn date(call: &Call<'_, '_>) -> Made {
    let Some(time) = time(call, 0)? else { return Ok("".into()) };
    let zone = match call.option("tz", 2)? {
        Some(name) => check_zone(&name)?,
        None => TimeZone::UTC,
    };
    match call.option("format", 1)? {
        None if zone == TimeZone::UTC => Ok(rfc3339(time).into()),
        None => formatted(time, "%Y-%m-%dT%H:%M:%S%:z", zone),
        Some(format) => formatted(time, &format, zone),
    }
}

fn formatted(time: Timestamp, format: &str, zone: TimeZone) -> Made {
    jiff::fmt::strtime::format(format, &time.to_zoned_datetime(zone))
        .map(Value::String)
        .map_err(|error| format!("`{format}` is not a format: {error}"))
}

/// Whether a format is one that `date` takes.
pub(in crate::templates) fn check_format(format: &str) -> Result<(), String> {
    if !format.contains('%') {
        return Err(format!(
            "the format `{format}` has no `%`, so every time would read the same; write one such as \
             `%Y-%m-%d %H:%M`"
        ));
    }
    formatted(Timestamp::UNIX_EPOCH, format, TimeZone::UTC).map(drop)
}

/// The time zone of that name.
pub(in crate::templates) fn check_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("`{name}` is not a time zone; write one such as Europe/Berlin"))
}

/// `ago TIME`: how long before now, such as `2h 5m ago`.
pub(super) fn ago(call: &Call<'_, '_>) -> Made {
    let Some(time) = time(call, 0)? else { return Ok("".into()) };
    let elapsed = now(call)?.duration_since(time);
    let text = match elapsed.as_secs() {
        0 => "just now".to_owned(),
        1.. => format!("{} ago", words(elapsed)),
        _ => format!("in {}", words(elapsed)),
    };
    Ok(text.into())
}

/// `duration FROM [TO]`: the time between two times, until now if there is one only; or a number
/// of seconds in words. Such as `2h 5m`.
pub(super) fn duration(call: &Call<'_, '_>) -> Made {
    if let Value::Number(seconds) = call.value(0)? {
        let seconds = seconds.as_i64().or_else(|| {
            // Counted in whole seconds; a number beyond the range saturates.
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            seconds.as_f64().map(|seconds| seconds as i64)
        });
        return Ok(words(SignedDuration::from_secs(seconds.unwrap_or(0))).into());
    }
    let Some(from) = time(call, 0)? else { return Ok("".into()) };
    let to = if call.raw(1).is_some() { time(call, 1)? } else { None };
    let to = match to {
        Some(to) => to,
        None => now(call)?,
    };
    Ok(words(to.duration_since(from)).into())
}

/// The two largest units: `3d 4h`, `2h 5m`, `1m 30s`, `12s`. Without a sign.
pub(in crate::templates) fn words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let from = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<_> = units
        .iter()
        .skip(from)
        .take(2)
        .filter(|(count, _)| *count > 0 || seconds == 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    shown.join(" ")
}

fn time(call: &Call<'_, '_>, index: usize) -> Result<Option<Timestamp>, String> {
    match call.value(index)? {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| {
            format!("{} is not a time such as 2026-08-01T10:00:00Z", call.describe(index))
        }),
        _ => Err(format!("{} is not a time", call.describe(index))),
    }
}

fn now(call: &Call<'_, '_>) -> Result<Timestamp, String> {
    call.now()
        .and_then(|now| now.parse().ok())
        .ok_or_else(|| "the context does not say what time it is".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (1, "1s"),
            (60, "1m"),
            (90, "1m 30s"),
            (3600, "1h"),
            (3601, "1h"),
            (7500, "2h 5m"),
            (86_400, "1d"),
            (273_600, "3d 4h"),
            (-90, "1m 30s"),
            (i64::MIN, "106751991167300d 15h"),
        ] {
            assert_eq!(words(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
