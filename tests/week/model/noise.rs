//! What is wrong in the week, when and where.

use std::time::Duration;

use casewright::domain::alert::Labels;
use jiff::{SignedDuration, Timestamp};

use super::dice::Dice;

/// Monday, 2026-06-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::constant(1_780_272_000, 0);

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// What the rules call their weekly window: Sunday, 02:00 to 04:00.
pub(crate) const MAINTENANCE: Period = Period { from: 6 * DAY + 2 * HOUR, to: 6 * DAY + 4 * HOUR };

/// The longest that anything of a storm fires.
pub(crate) const LONGEST_STORM: i64 = 90 * MINUTE;

/// A second of the week as a time.
pub(crate) fn at(second: i64) -> Timestamp {
    BEGINNING + SignedDuration::from_secs(second)
}

/// A time as a second of the week.
pub(crate) fn second(at: Timestamp) -> i64 {
    at.as_second() - BEGINNING.as_second()
}

/// From a second of the week to another, without that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Period {
    pub(crate) fn contains(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It lasts for hours, and somebody has to be asked about it.
    Real,
    /// It comes and goes for hours, each time for longer than the hold-down.
    Unsteady,
    /// One of the many places that a storm hits at once. Each storm has a number.
    Storm(usize),
    /// It comes and goes, each time for less than the hold-down.
    Flapping,
    /// Once, for less than the hold-down.
    Blip,
    /// It fires while people work on it, in the weekly window, and is over before that ends.
    Maintenance,
    /// It is not in production: a rule ignores it.
    Staging,
    /// No rule is for it.
    Unowned,
}

impl Kind {
    /// For lists.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Unsteady => "unsteady",
            Self::Storm(_) => "storm",
            Self::Flapping => "flapping",
            Self::Blip => "blip",
            Self::Maintenance => "maintenance",
            Self::Staging => "staging",
            Self::Unowned => "unowned",
        }
    }
}

/// One thing that is wrong: what should be one incident.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    /// What all of its alerts have.
    pub(crate) labels: Labels,
    /// Its alerts.
    pub(crate) places: Vec<Place>,
    /// While somebody has silenced it at the Alertmanagers.
    pub(crate) silences: Vec<Period>,
    /// Its alerts tell a number that changes by the hour.
    pub(crate) has_value: bool,
}

/// One alert.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) pop: Option<String>,
    /// When it fires. They do not touch.
    pub(crate) periods: Vec<Period>,
}

impl Trouble {
    pub(crate) fn from(&self) -> i64 {
        let starts = self.places.iter().flat_map(|place| &place.periods);
        starts.map(|period| period.from).min().expect("it fires")
    }

    pub(crate) fn to(&self) -> i64 {
        let ends = self.places.iter().flat_map(|place| &place.periods);
        ends.map(|period| period.to).max().expect("it fires")
    }

    /// From when on a case is wanted: after the weekly window, if it begins in it.
    pub(crate) fn wanted_from(&self) -> i64 {
        let from = self.from();
        if MAINTENANCE.contains(from) { MAINTENANCE.to } else { from }
    }
}

/// What an Alertmanager notifies of together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) troubles: Vec<usize>,
    pub(crate) labels: Labels,
    /// What `max_alerts` of its receiver is.
    pub(crate) max_alerts: Option<usize>,
}

/// How much of everything.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    pub(crate) real: usize,
    pub(crate) unsteady: usize,
    pub(crate) flapping: usize,
    pub(crate) blips: usize,
    pub(crate) maintenance: usize,
    pub(crate) staging: usize,
    pub(crate) unowned: usize,
    /// The great storm: so many properties in so many points of presence.
    pub(crate) storm: (usize, usize),
    /// The storm that breaks three rules at once: so many properties for each.
    pub(crate) outage: usize,
    /// The storm in one group: so many caches, and how many of them a payload may list.
    pub(crate) caches: (usize, usize),
}

impl Size {
    /// As it is for a busy team.
    pub(crate) const FULL: Self = Self {
        real: 24,
        unsteady: 6,
        flapping: 12,
        blips: 200,
        maintenance: 60,
        staging: 30,
        unowned: 30,
        storm: (250, 20),
        outage: 40,
        caches: (150, 50),
    };

    /// For tests.
    pub(crate) const SMALL: Self = Self {
        real: 9,
        unsteady: 1,
        flapping: 2,
        blips: 12,
        maintenance: 6,
        staging: 2,
        unowned: 2,
        storm: (12, 3),
        outage: 6,
        caches: (10, 4),
    };
}

/// The whole truth.
#[derive(Debug, Clone)]
pub(crate) struct Week {
    pub(crate) seed: u64,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) groups: Vec<Group>,
    /// When both Alertmanagers are down. They come back without their memory.
    pub(crate) restarts: Vec<Period>,
}

const NAMES: [&str; 3] = ["EdgeHigh5xxRatio", "OriginConnectErrors", "EdgeLatencyHigh"];
const CACHE: &str = "ConnectedCacheDown";

impl Week {
    /// The week of a seed.
    pub(crate) fn of(seed: u64, size: &Size) -> Self {
        let mut maker = Maker { dice: Dice::of(seed, 1), troubles: Vec::new() };
        maker.reals(size.real);
        maker.unsteady(size.unsteady);
        maker.flapping(size.flapping);
        maker.blips(size.blips);
        maker.maintenance(size.maintenance);
        maker.strangers(size.staging, size.unowned);
        maker.great_storm(size.storm);
        maker.outage(size.outage);
        maker.caches(size.caches.0);
        let Maker { dice, troubles } = maker;
        let groups = groups(&troubles, size.caches.1);
        // On days without a storm: what a storm leaves behind in an Alertmanager that then forgets
        // it is another story.
        let restarts = [0, 1, 5].map(|day| {
            let from = day * DAY + between(&dice, HOUR, 23 * HOUR);
            Period { from, to: from + between(&dice, 2 * MINUTE, 6 * MINUTE) }
        });
        Self { seed, troubles, groups, restarts: restarts.to_vec() }
    }

    /// When the last alert has ended.
    pub(crate) fn end(&self) -> i64 {
        self.troubles.iter().map(Trouble::to).max().expect("a week")
    }

    /// How many are of a kind.
    pub(crate) fn count(&self, is: impl Fn(Kind) -> bool) -> usize {
        self.troubles.iter().filter(|trouble| is(trouble.kind)).count()
    }
}

/// By `alertname` and `property`; the caches are grouped too widely, as it happens, and their
/// receiver cuts.
fn groups(troubles: &[Trouble], max_alerts: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut caches = Vec::new();
    for (index, trouble) in troubles.iter().enumerate() {
        if trouble.labels["alertname"] == CACHE {
            caches.push(index);
            continue;
        }
        let labels =
            ["alertname", "property"].map(|name| (name.to_owned(), trouble.labels[name].clone()));
        groups.push(Group {
            troubles: vec![index],
            labels: Labels::from(labels),
            max_alerts: None,
        });
    }
    let labels = Labels::from([("alertname".to_owned(), CACHE.to_owned())]);
    groups.push(Group { troubles: caches, labels, max_alerts: Some(max_alerts) });
    groups
}

fn between(dice: &Dice, from: i64, to: i64) -> i64 {
    from + i64::try_from(dice.below(usize::try_from(to - from).expect("forward"))).expect("small")
}

/// On and off, from a time until another.
fn pulses(dice: &Dice, all: Period, on: (i64, i64), off: (i64, i64)) -> Vec<Period> {
    let (mut periods, mut from) = (Vec::new(), all.from);
    while from < all.to {
        let to = from + between(dice, on.0, on.1);
        periods.push(Period { from, to: to.min(all.to) });
        from = to + between(dice, off.0, off.1);
    }
    periods
}

struct Maker {
    dice: Dice,
    troubles: Vec<Trouble>,
}

impl Maker {
    fn between(&self, from: i64, to: i64) -> i64 {
        between(&self.dice, from, to)
    }

    /// Something is wrong with one more property.
    fn add(
        &mut self,
        kind: Kind,
        alertname: &str,
        severity: &str,
        places: Vec<Place>,
    ) -> &mut Trouble {
        let place = if alertname == CACHE { "site" } else { "property" };
        let env = if kind == Kind::Staging { "staging" } else { "production" };
        let number = self.troubles.len();
        let labels = [
            ("alertname", alertname.to_owned()),
            (place, format!("{}-{number}.example.com", kind.name())),
            ("severity", severity.to_owned()),
            ("env", env.to_owned()),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value));
        self.troubles.push(Trouble {
            kind,
            labels: Labels::from(labels),
            places,
            silences: Vec::new(),
            has_value: number.is_multiple_of(2),
        });
        self.troubles.last_mut().expect("it was just added")
    }

    /// Somewhere, and the parts of it.
    fn pops(periods: impl IntoIterator<Item = Vec<Period>>) -> Vec<Place> {
        let places = periods.into_iter().enumerate();
        places.map(|(pop, periods)| Place { pop: Some(format!("pop-{pop}")), periods }).collect()
    }

    fn once(from: i64, to: i64) -> Vec<Place> {
        Self::pops([vec![Period { from, to }]])
    }

    fn reals(&mut self, count: usize) {
        for number in 0..count {
            let from = match number {
                // In the great storm, and under its rule.
                0 => GREAT_STORM + 12 * MINUTE,
                // They begin in the weekly window and outlast it.
                1 | 2 => MAINTENANCE.from + self.between(10 * MINUTE, 100 * MINUTE),
                _ => self.between(HOUR, 5 * DAY + 12 * HOUR),
            };
            let story = if number < 3 { 0 } else { number % 6 };
            let lasts = if story == 5 { (24 * HOUR, 30 * HOUR) } else { (4 * HOUR, 12 * HOUR) };
            let mut whole = vec![Period { from, to: from + self.between(lasts.0, lasts.1) }];
            let end = whole[0].to;
            let mut silences = Vec::new();
            match story {
                2 => {
                    let again = end + self.between(20 * MINUTE, 90 * MINUTE);
                    whole.push(Period { from: again, to: again + self.between(HOUR, 6 * HOUR) });
                }
                // Silenced for some hours, or past its end, or for longer than `stale_after`.
                3 => silences.push(Period { from: from + 3 * HOUR, to: end - 20 * MINUTE }),
                4 => silences.push(Period { from: end - HOUR, to: end + HOUR }),
                5 => silences.push(Period { from: from + 3 * HOUR, to: end - 5 * HOUR }),
                _ => {}
            }
            let mut places = vec![whole.clone()];
            for _ in 0..self.dice.below(12) {
                let parts = whole.iter().flat_map(|whole| {
                    let late =
                        Period { from: whole.from + self.between(0, 40 * MINUTE), to: whole.to };
                    pulses(&self.dice, late, (10 * MINUTE, 90 * MINUTE), (5 * MINUTE, HOUR))
                });
                places.push(parts.collect());
            }
            let trouble = self.add(Kind::Real, NAMES[number % 3], "critical", Self::pops(places));
            trouble.silences = silences;
        }
    }

    fn unsteady(&mut self, count: usize) {
        for number in 0..count {
            let first = self.between(0, 3);
            let days = first..first + self.between(2, 4);
            let spells = days.flat_map(|day| {
                let from = day * DAY + self.between(8 * HOUR, 11 * HOUR);
                let spell = Period { from, to: from + self.between(5 * HOUR, 10 * HOUR) };
                pulses(&self.dice, spell, (6 * MINUTE, 12 * MINUTE), (5 * MINUTE, 13 * MINUTE))
            });
            let places = Self::pops([spells.collect()]);
            self.add(Kind::Unsteady, NAMES[number % 3], "warning", places);
        }
    }

    fn flapping(&mut self, count: usize) {
        for number in 0..count {
            let from = self.between(HOUR, 3 * DAY);
            let all = Period { from, to: from + self.between(DAY, 3 * DAY) };
            let periods = pulses(&self.dice, all, (40, 220), (4 * MINUTE, 40 * MINUTE));
            self.add(Kind::Flapping, NAMES[number % 3], "warning", Self::pops([periods]));
        }
    }

    fn blips(&mut self, count: usize) {
        for number in 0..count {
            let from = self.between(0, 6 * DAY + 12 * HOUR);
            let places = Self::once(from, from + self.between(20, 220));
            self.add(Kind::Blip, NAMES[number % 3], "critical", places);
        }
    }

    fn maintenance(&mut self, count: usize) {
        for number in 0..count {
            let from = MAINTENANCE.from + self.between(2 * MINUTE, 55 * MINUTE);
            let places = Self::once(from, from + self.between(7 * MINUTE, HOUR));
            self.add(Kind::Maintenance, NAMES[number % 3], "critical", places);
        }
    }

    fn strangers(&mut self, staging: usize, unowned: usize) {
        for number in 0..staging + unowned {
            let from = self.between(0, 6 * DAY);
            let places = Self::once(from, from + self.between(10 * MINUTE, 5 * HOUR));
            let (kind, name) = match number < staging {
                true => (Kind::Staging, NAMES[number % 3]),
                false => (Kind::Unowned, "NodeDiskFull"),
            };
            self.add(kind, name, "critical", places);
        }
    }

    /// Everything at once, everywhere.
    fn great_storm(&mut self, (properties, pops): (usize, usize)) {
        for _ in 0..properties {
            let (from, to) = self.storm_of(GREAT_STORM, 35 * MINUTE, 70 * MINUTE);
            let places = (0..pops).map(|_| {
                let (late, early) = (self.between(0, 30), self.between(0, 5 * MINUTE));
                vec![Period { from: from + late, to: to - early }]
            });
            let places = Self::pops(places.collect::<Vec<_>>());
            self.add(Kind::Storm(0), NAMES[0], "critical", places);
        }
    }

    /// A network in between is down, and three rules see it.
    fn outage(&mut self, properties: usize) {
        for number in 0..3 * properties {
            let (from, to) = self.storm_of(OUTAGE, 15 * MINUTE, 30 * MINUTE);
            let places = Self::pops((0..5).map(|_| vec![Period { from, to }]));
            self.add(Kind::Storm(1), NAMES[number % 3], "critical", places);
        }
    }

    fn caches(&mut self, sites: usize) {
        for _ in 0..sites {
            let (from, to) = self.storm_of(CACHES, 40 * MINUTE, LONGEST_STORM);
            let places = vec![Place { pop: None, periods: vec![Period { from, to }] }];
            self.add(Kind::Storm(2), CACHE, "critical", places);
        }
    }

    fn storm_of(&self, begins: i64, least: i64, most: i64) -> (i64, i64) {
        let from = begins + self.between(0, 30);
        (from, from + self.between(least, most))
    }
}

const GREAT_STORM: i64 = 2 * DAY + 10 * HOUR + 7 * MINUTE;
const CACHES: i64 = 3 * DAY + 21 * HOUR + 40 * MINUTE;
const OUTAGE: i64 = 4 * DAY + 14 * HOUR + 23 * MINUTE;

/// How late a person's clock may be.
pub(crate) fn in_words(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    casewright::time::duration::format(Duration::from_secs(seconds))
}
