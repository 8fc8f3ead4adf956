//! The gate before a vendor: when it is asked, and when it is left alone.
//!
//! A circuit breaker that also knows wishes. Four things close it: a vendor that fails again and
//! again (*tripped*), one that does not accept who we are (*denied*), one that asks for a pause, and
//! a person who wants it left alone for some time, which always ends: a pause that somebody has
//! forgotten must not cost a case. While it is tripped or denied nothing is sent but a harmless probe now and
//! then, so that no action is burned to find out whether the trouble is over.
//!
//! Pure: time and chance are arguments. What it remembers is kept in the store, so that a restart
//! in the middle of an outage does not begin by hammering the vendor.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time::{between, later};

/// When the breaker trips, and how long it then waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// It trips when at least this many of the last [`Recent::LENGTH`] exchanges have failed, and
    /// they are at least half of them. At least one.
    pub failures: u32,
    /// Until the first probe; doubles with every probe in vain.
    pub pause: Duration,
    /// No pause is longer, unless the vendor asks for more.
    pub max_pause: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(30), max_pause: Duration::from_secs(5 * 60) }
    }
}

/// A vendor that does not accept who we are is probed after this time, then ever less often: the
/// remedy is a person's work.
const DENIED_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause between two probes of a vendor that does not accept who we are.
const DENIED_MAX_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Exchanges that are longer ago than this say nothing about today.
const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);

/// So many good exchanges in a row, and the next outage is taken for a new one.
const CALM: u32 = 10;

/// What an exchange with the vendor says about the vendor, not about the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It works: it did what was asked, or refused it for a reason.
    Good,
    /// It does not work: no connection, no answer, a failure of its own.
    Bad,
    /// It does not accept who we are.
    Denied,
    /// It wants to be left alone until then.
    Pause(Timestamp),
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Anything.
    Free,
    /// Nothing but a probe.
    Probe,
    /// Nothing until then.
    Wait(Timestamp),
}

/// How the gate has changed, for whoever tells people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// As before, or only a little later.
    None,
    /// The vendor fails; it is left alone, but for probes.
    Tripped,
    /// The vendor does not accept who we are; it is left alone, but for probes.
    Denied,
    /// The trouble is over.
    Recovered,
}

/// Why nothing but probes is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It fails.
    Tripped,
    /// It does not accept who we are.
    Denied,
}

/// The trouble that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    cause: Cause,
    since: Timestamp,
    probe_at: Timestamp,
    probes: u32,
}

/// A person wants the vendor left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Until then.
    pub until: Timestamp,
    /// Since then.
    pub since: Timestamp,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// How the last exchanges went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Recent {
    /// One bit each, the newest lowest: 1 has failed.
    failed: u32,
    length: u32,
    newest: Option<Timestamp>,
}

impl Recent {
    /// How many exchanges are looked at.
    const LENGTH: u32 = 20;

    fn push(&mut self, failed: bool, now: Timestamp) {
        if self.newest.is_some_and(|newest| between(newest, now) > FORGET_AFTER) {
            *self = Self::default();
        }
        self.failed = (self.failed << 1 | u32::from(failed)) & ((1 << Self::LENGTH) - 1);
        self.length = self.length.saturating_add(1).min(Self::LENGTH);
        self.newest = Some(now);
    }

    fn trips(self, breaker: &Breaker) -> bool {
        let failed = self.failed.count_ones();
        failed >= breaker.failures.clamp(1, Self::LENGTH) && failed * 2 >= self.length
    }
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    pause_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Pause>,
    trouble: Option<Trouble>,
    recent: Recent,
    /// Outages in quick succession: the next one begins with a longer pause.
    trips: u32,
    /// Good exchanges in a row.
    calm: u32,
}

impl Gate {
    /// What may be sent now. A time far ahead, left by a clock that has been set back since, is
    /// not believed.
    pub fn admits(&self, now: Timestamp) -> Admission {
        let ahead = |until: Timestamp, longest: Duration| {
            let wait = between(now, until);
            !wait.is_zero() && wait <= longest
        };
        if let Some(pause) = self.paused(now) {
            return Admission::Wait(pause.until);
        }
        if let Some(until) = self.pause_until.filter(|until| ahead(*until, LONGEST_WISH)) {
            return Admission::Wait(until);
        }
        match self.trouble {
            None => Admission::Free,
            Some(trouble) if ahead(trouble.probe_at, LONGEST_WISH) => {
                Admission::Wait(trouble.probe_at)
            }
            Some(_) => Admission::Probe,
        }
    }

    /// Takes in how an exchange went. `unit` in `0.0..1.0` spreads the probes of several vendors
    /// that failed together.
    pub fn hear(&mut self, sign: Sign, breaker: &Breaker, now: Timestamp, unit: f64) -> Change {
        match sign {
            Sign::Good => {
                self.recent.push(false, now);
                self.calm = self.calm.saturating_add(1);
                if self.calm >= CALM {
                    self.trips = 0;
                }
                self.recover()
            }
            Sign::Bad => {
                self.calm = 0;
                self.recent.push(true, now);
                if self.trouble.is_some() || !self.recent.trips(breaker) {
                    return Change::None;
                }
                let pause = doubled(breaker.pause, self.trips, breaker.max_pause);
                self.trips = self.trips.saturating_add(1);
                self.begin(Cause::Tripped, now, jittered(pause, unit));
                Change::Tripped
            }
            Sign::Denied => {
                if self.cause() == Some(Cause::Denied) {
                    return Change::None;
                }
                self.begin(Cause::Denied, now, jittered(DENIED_PAUSE, unit));
                Change::Denied
            }
            Sign::Pause(until) => {
                // Never shortens an earlier wish.
                self.pause_until = Some(self.pause_until.map_or(until, |before| before.max(until)));
                Change::None
            }
        }
    }

    /// Takes in what a probe has found.
    pub fn probed(&mut self, sign: Sign, breaker: &Breaker, now: Timestamp, unit: f64) -> Change {
        let Some(mut trouble) = self.trouble else { return self.hear(sign, breaker, now, unit) };
        let change = match sign {
            Sign::Good => return self.recover(),
            Sign::Pause(_) => return self.hear(sign, breaker, now, unit),
            Sign::Denied if trouble.cause != Cause::Denied => {
                return self.hear(sign, breaker, now, unit);
            }
            Sign::Bad | Sign::Denied => Change::None,
        };
        trouble.probes = trouble.probes.saturating_add(1);
        let (first, longest) = match trouble.cause {
            Cause::Tripped => (breaker.pause, breaker.max_pause),
            Cause::Denied => (DENIED_PAUSE, DENIED_MAX_PAUSE),
        };
        trouble.probe_at = later(now, jittered(doubled(first, trouble.probes, longest), unit));
        self.trouble = Some(trouble);
        change
    }

    /// A person wants the vendor left alone for some time, at most [`LONGEST_PAUSE`].
    pub fn pause(&mut self, lasts: Duration, by: String, reason: String, now: Timestamp) {
        let until = later(now, lasts.min(LONGEST_PAUSE));
        self.paused = Some(Pause { until, since: now, by, reason });
    }

    /// The pause that a person wants and that goes on. As with other times, one that is too far
    /// ahead is not believed.
    pub fn paused(&self, now: Timestamp) -> Option<&Pause> {
        self.paused.as_ref().filter(|pause| {
            let wait = between(now, pause.until);
            !wait.is_zero() && wait <= LONGEST_PAUSE
        })
    }

    /// Ends the pause that a person wanted. `true` if there was one.
    pub fn unpause(&mut self, now: Timestamp) -> bool {
        let paused = self.paused(now).is_some();
        self.paused = None;
        paused
    }

    /// A person says that the trouble may be over, or the files were read anew: it is probed at
    /// once. `true` if there was any.
    pub fn resume(&mut self, now: Timestamp) -> bool {
        let Some(trouble) = &mut self.trouble else { return false };
        trouble.probe_at = now;
        trouble.probes = 0;
        true
    }

    /// After a restart: credentials may be others now.
    pub fn restarted(&mut self, now: Timestamp) {
        if self.cause() == Some(Cause::Denied) {
            self.resume(now);
        }
    }

    /// Why nothing but probes is sent, if so.
    pub fn cause(&self) -> Option<Cause> {
        self.trouble.map(|trouble| trouble.cause)
    }

    /// Since when nothing but probes is sent, if so.
    pub fn since(&self) -> Option<Timestamp> {
        self.trouble.map(|trouble| trouble.since)
    }

    /// A word for people and metrics.
    pub fn name(&self, now: Timestamp) -> &'static str {
        match (self.cause(), self.admits(now)) {
            _ if self.paused(now).is_some() => "paused",
            (Some(Cause::Tripped), _) => "tripped",
            (Some(Cause::Denied), _) => "denied",
            (None, Admission::Wait(_)) => "paused",
            (None, _) => "open",
        }
    }

    /// Every [name](Self::name).
    pub const NAMES: [&'static str; 4] = ["open", "paused", "tripped", "denied"];

    fn begin(&mut self, cause: Cause, now: Timestamp, pause: Duration) {
        self.calm = 0;
        self.trouble = Some(Trouble { cause, since: now, probe_at: later(now, pause), probes: 0 });
    }

    fn recover(&mut self) -> Change {
        match self.trouble.take() {
            Some(_) => {
                self.recent = Recent::default();
                Change::Recovered
            }
            None => Change::None,
        }
    }
}

/// A vendor's own wish is capped at an hour (`Retry::delay`), our own pauses are shorter; with the
/// jitter nothing is longer than this.
const LONGEST_WISH: Duration = Duration::from_secs(2 * 60 * 60);

/// The longest that a person can want a vendor left alone.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

/// Between the pause and a quarter more.
fn jittered(pause: Duration, unit: f64) -> Duration {
    pause.saturating_add(pause.mul_f64(unit.clamp(0.0, 1.0) / 4.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::testing::{T0, at};

    const BREAKER: Breaker = Breaker {
        failures: 3,
        pause: Duration::from_secs(30),
        max_pause: Duration::from_secs(120),
    };

    fn hear(gate: &mut Gate, sign: Sign, now: i64) -> Change {
        gate.hear(sign, &BREAKER, at(now), 0.0)
    }

    fn probed(gate: &mut Gate, sign: Sign, now: i64) -> Change {
        gate.probed(sign, &BREAKER, at(now), 0.0)
    }

    fn tripped_at(now: i64) -> Gate {
        let mut gate = Gate::default();
        for _ in 0..2 {
            assert_eq!(hear(&mut gate, Sign::Bad, now), Change::None);
        }
        assert_eq!(hear(&mut gate, Sign::Bad, now), Change::Tripped);
        gate
    }

    #[test]
    fn a_persons_pause_keeps_everything_back_until_it_ends_or_is_lifted() {
        let mut gate = Gate::default();
        gate.pause(Duration::from_secs(60), "ops".to_owned(), "they migrate".to_owned(), at(0));
        assert_eq!(gate.admits(at(59)), Admission::Wait(at(60)));
        assert_eq!(gate.name(at(59)), "paused");
        // Nothing that the vendor says, or that a probe finds, ends it.
        hear(&mut gate, Sign::Good, 1);
        gate.resume(at(1));
        assert_eq!(gate.admits(at(2)), Admission::Wait(at(60)));
        assert_eq!(gate.admits(at(60)), Admission::Free);
        assert!(gate.unpause(at(59)) && !gate.unpause(at(59)));
        assert_eq!(gate.admits(at(59)), Admission::Free);
    }

    #[test]
    fn no_pause_is_longer_than_a_day_and_one_from_a_clock_that_was_ahead_is_not_believed() {
        let mut gate = Gate::default();
        gate.pause(LONGEST_PAUSE * 2, String::new(), String::new(), at(0));
        let day = i64::try_from(LONGEST_PAUSE.as_secs()).unwrap();
        assert_eq!(gate.admits(at(0)), Admission::Wait(at(day)));
        assert_eq!(gate.admits(at(-1)), Admission::Free);
    }

    #[test]
    fn a_pause_comes_back_from_the_store_and_gates_of_earlier_versions_have_none() {
        let mut gate = Gate::default();
        let before = serde_json::to_string(&gate).unwrap();
        assert!(!before.contains("paused"));
        gate.pause(Duration::from_secs(60), "ops".to_owned(), "x".to_owned(), at(0));
        let stored = serde_json::to_string(&gate).unwrap();
        assert_eq!(serde_json::from_str::<Gate>(&stored).unwrap(), gate);
        assert_eq!(serde_json::from_str::<Gate>(&before).unwrap(), Gate::default());
    }

    #[test]
    fn some_failures_trip_it_and_one_less_does_not() {
        let gate = tripped_at(0);
        assert_eq!(gate.admits(at(0)), Admission::Wait(at(30)));
        assert_eq!(gate.admits(at(29)), Admission::Wait(at(30)));
        assert_eq!(gate.admits(at(30)), Admission::Probe);
    }

    #[test]
    fn a_few_failures_among_many_successes_do_not_trip_it() {
        let mut gate = Gate::default();
        for second in 0..100 {
            let sign = if second % 3 == 0 { Sign::Bad } else { Sign::Good };
            assert_eq!(hear(&mut gate, sign, second), Change::None);
        }
        // Half of them do.
        let changes: Vec<_> = (100..120)
            .map(|second| {
                let sign = if second % 2 == 0 { Sign::Bad } else { Sign::Good };
                hear(&mut gate, sign, second)
            })
            .collect();
        assert!(changes.contains(&Change::Tripped), "{changes:?}");
    }

    #[test]
    fn failures_of_long_ago_are_forgotten() {
        let mut gate = Gate::default();
        for now in [0, 601, 1202, 1803] {
            assert_eq!(hear(&mut gate, Sign::Bad, now), Change::None, "{now}");
        }
    }

    #[test]
    fn probes_come_ever_less_often_until_one_succeeds() {
        let mut gate = tripped_at(0);
        let mut now = 30;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            assert_eq!(gate.admits(at(now)), Admission::Probe);
            assert_eq!(probed(&mut gate, Sign::Bad, now), Change::None);
            let Admission::Wait(until) = gate.admits(at(now)) else { panic!("not closed") };
            pauses.push(between(at(now), until).as_secs());
            now += i64::try_from(pauses[pauses.len() - 1]).unwrap();
        }
        assert_eq!(pauses, [60, 120, 120, 120]);
        assert_eq!(probed(&mut gate, Sign::Good, now), Change::Recovered);
        assert_eq!(gate.admits(at(now)), Admission::Free);
    }

    #[test]
    fn an_outage_right_after_another_begins_with_a_longer_pause_and_calm_forgets_that() {
        let mut gate = tripped_at(0);
        probed(&mut gate, Sign::Good, 30);
        for _ in 0..3 {
            hear(&mut gate, Sign::Bad, 31);
        }
        assert_eq!(gate.admits(at(31)), Admission::Wait(at(91)));
        probed(&mut gate, Sign::Good, 91);
        for _ in 0..CALM {
            hear(&mut gate, Sign::Good, 92);
        }
        for _ in 0..CALM {
            hear(&mut gate, Sign::Bad, 93);
        }
        assert_eq!(gate.admits(at(93)), Admission::Wait(at(123)));
    }

    #[test]
    fn who_is_not_accepted_waits_a_minute_and_then_ever_longer() {
        let mut gate = Gate::default();
        assert_eq!(hear(&mut gate, Sign::Denied, 0), Change::Denied);
        // Others that were under way already do not prolong it.
        assert_eq!(hear(&mut gate, Sign::Denied, 1), Change::None);
        assert_eq!(gate.admits(at(59)), Admission::Wait(at(60)));
        assert_eq!(gate.admits(at(60)), Admission::Probe);
        let mut now = 60;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            probed(&mut gate, Sign::Denied, now);
            let Admission::Wait(until) = gate.admits(at(now)) else { panic!("not closed") };
            pauses.push(between(at(now), until).as_secs());
            now += i64::try_from(pauses[pauses.len() - 1]).unwrap();
        }
        assert_eq!(pauses, [120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn a_person_a_reload_and_a_restart_have_it_probed_at_once() {
        let mut gate = Gate::default();
        assert!(!gate.resume(T0));
        hear(&mut gate, Sign::Denied, 0);
        assert!(gate.resume(at(5)));
        assert_eq!(gate.admits(at(5)), Admission::Probe);

        let mut gate = Gate::default();
        hear(&mut gate, Sign::Denied, 0);
        gate.restarted(at(5));
        assert_eq!(gate.admits(at(5)), Admission::Probe);
        // An outage survives a restart.
        let mut gate = tripped_at(0);
        gate.restarted(at(5));
        assert_eq!(gate.admits(at(5)), Admission::Wait(at(30)));
    }

    #[test]
    fn a_wish_for_a_pause_is_kept_and_never_shortened() {
        let mut gate = Gate::default();
        hear(&mut gate, Sign::Pause(at(100)), 0);
        hear(&mut gate, Sign::Pause(at(50)), 0);
        assert_eq!(gate.admits(at(99)), Admission::Wait(at(100)));
        assert_eq!(gate.name(at(99)), "paused");
        assert_eq!(gate.admits(at(100)), Admission::Free);
    }

    #[test]
    fn a_clock_that_was_set_back_by_a_day_does_not_close_it_for_a_day() {
        let day = 24 * 60 * 60;
        let gate = tripped_at(day);
        assert_eq!(gate.admits(at(0)), Admission::Probe);
        let mut gate = Gate::default();
        hear(&mut gate, Sign::Pause(at(day + 60)), day);
        assert_eq!(gate.admits(at(0)), Admission::Free);
    }

    fn signs() -> impl Strategy<Value = Sign> {
        prop_oneof![
            4 => Just(Sign::Good),
            4 => Just(Sign::Bad),
            1 => Just(Sign::Denied),
            1 => (0..7200i64).prop_map(|second| Sign::Pause(at(second))),
        ]
    }

    proptest! {
        /// Whatever happens, it is asked again within the longest pause, and a good probe opens
        /// it.
        #[test]
        fn it_never_stays_closed(
            signs in prop::collection::vec((signs(), 0..600i64, any::<bool>()), 0..60),
            unit in 0.0..1.0f64,
        ) {
            let mut gate = Gate::default();
            let mut now = 0;
            for (sign, wait, probe) in signs {
                now += wait;
                if probe {
                    gate.probed(sign, &BREAKER, at(now), unit);
                } else {
                    gate.hear(sign, &BREAKER, at(now), unit);
                }
            }
            let later = at(now + 7201);
            prop_assert!(!matches!(gate.admits(later), Admission::Wait(_)), "{gate:?}");
            gate.probed(Sign::Good, &BREAKER, later, unit);
            prop_assert_eq!(gate.admits(later), Admission::Free);
        }
    }
}
