//! Mutes: times in which people want no cases.
//!
//! A mute keeps cases from being opened and nothing else: alerts are taken in, incidents are held,
//! and cases that exist get their comments. When it ends, whatever still fires gets its case.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::ids::RuleName;
use super::incident::Hold;
use super::schedule::Schedule;
use super::storm::Restraint;

/// A mute that a person has made, for some time from now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mute {
    /// By which it is lifted again.
    pub id: String,
    /// The rule that is muted; `None`: all of them.
    #[schema(value_type = Option<String>)]
    pub rule: Option<RuleName>,
    /// When it ends.
    pub until: Timestamp,
    /// Why, in that person's words.
    pub reason: String,
    /// Who made it, as far as that is known.
    pub made_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Mute {
    /// Whether it counts for a rule at `now`.
    fn counts(&self, rule: &RuleName, now: Timestamp) -> bool {
        now < self.until && self.rule.as_ref().is_none_or(|muted| muted == rule)
    }
}

/// Everything that may mute a rule.
#[derive(Debug, Clone, Copy)]
pub struct Mutes<'a> {
    /// The rule.
    pub rule: &'a RuleName,
    /// Its own weekly times.
    pub own: Option<&'a Arc<Schedule>>,
    /// The weekly times of the whole daemon.
    pub total: Option<&'a Arc<Schedule>>,
    /// What people have made.
    pub made: &'a [Mute],
}

impl Mutes<'_> {
    /// What mutes the rule at `now`. Its time is that at which the one that ends last ends; another
    /// may have begun by then, so it is to be asked again.
    pub fn restraint(&self, now: Timestamp) -> Option<Restraint> {
        let weekly = [(self.own, "muted by its rule"), (self.total, "muted by the config")];
        let weekly = weekly.into_iter().filter_map(|(schedule, whose)| {
            let schedule = schedule.filter(|schedule| schedule.contains(now))?;
            Some((schedule.ends_at(now), format!("{whose} ({schedule})")))
        });
        let made = self.made.iter().filter(|mute| mute.counts(self.rule, now)).map(|mute| {
            let whose = if mute.rule.is_some() { "rule" } else { "everything" };
            (Some(mute.until), format!("{whose} muted by {}: {}", mute.made_by, mute.reason))
        });
        // What has no end ends last.
        let (until, why) =
            weekly.chain(made).max_by_key(|(until, _)| until.unwrap_or(Timestamp::MAX))?;
        let why = match until {
            Some(until) => format!("{why}, until {until}"),
            None => why,
        };
        Some(Restraint { hold: Hold::Mute, until, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn mute(rule: Option<&str>, until: i64) -> Mute {
        Mute {
            id: "m".to_owned(),
            rule: rule.map(RuleName::new),
            until: at(until),
            reason: "the origin moves".to_owned(),
            made_by: "api".to_owned(),
            created_at: at(0),
        }
    }

    fn asked(made: &[Mute], now: i64) -> Option<Restraint> {
        let rule = RuleName::new("edge");
        Mutes { rule: &rule, own: None, total: None, made }.restraint(at(now))
    }

    #[test]
    fn a_mute_counts_until_it_ends_and_not_then() {
        let made = [mute(None, 100)];
        assert_eq!(asked(&made, 99).map(|restraint| restraint.until), Some(Some(at(100))));
        assert_eq!(asked(&made, 100), None);
    }

    #[test]
    fn a_mute_of_another_rule_does_not_count() {
        assert_eq!(asked(&[mute(Some("dns"), 100)], 0), None);
        let why = asked(&[mute(Some("edge"), 100)], 0).expect("muted").why;
        assert_eq!(why, "rule muted by api: the origin moves, until 1970-01-01T00:01:40Z");
    }

    #[test]
    fn of_several_mutes_the_one_that_ends_last_is_told() {
        let made = [mute(None, 100), mute(Some("edge"), 200), mute(None, 150)];
        assert_eq!(asked(&made, 0).map(|restraint| restraint.until), Some(Some(at(200))));
    }
}
