//! Plays a week through a rule set, and judges what came of it by the truth.

use std::collections::{BTreeMap, BTreeSet};

use casewright::domain::ids::SourceName;
use casewright::domain::lifecycle::Reason;
use casewright::rehearsal::{Life, Moment, World};
use casewright::sources::{Received, Sources, read_back};

use super::noise::{DAY, HOUR, Kind, Week, at, second};
use super::policies::Stage;
use super::senders::Traffic;

/// How the reason of an incident begins that its rule's roll-up stands for.
const ROLLED_UP: &str = "held (rollup)";

/// A post, as the source reads it.
pub(crate) struct Heard {
    at: i64,
    received: Received,
}

/// Has the source read what was posted.
pub(crate) fn read(sources: &Sources, traffic: &Traffic) -> Vec<Heard> {
    let source = &sources[&SourceName::new("alertmanager")];
    let read = |sent: &super::senders::Sent| Heard {
        at: sent.at,
        received: read_back(source.as_ref(), &sent.body).expect("a payload"),
    };
    traffic.sent.iter().map(read).collect()
}

/// Which trouble an incident is about, by what tells it from others.
pub(crate) struct Truth<'a> {
    week: &'a Week,
    by_place: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Truth<'a> {
    pub(crate) fn of(week: &'a Week) -> Self {
        let by_place = week.troubles.iter().enumerate().map(|(index, trouble)| {
            let place = trouble.labels.get("property").or_else(|| trouble.labels.get("site"));
            ((trouble.labels["alertname"].as_str(), place.expect("a place").as_str()), index)
        });
        Self { week, by_place: by_place.collect() }
    }

    fn trouble(&self, life: &Life) -> usize {
        let labels = &life.incident.origin.labels;
        let place = labels.get("property").or_else(|| labels.get("site")).expect("a place");
        self.by_place[&(labels["alertname"].as_str(), place.as_str())]
    }
}

/// A case that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) trouble: usize,
    pub(crate) kind: Kind,
    pub(crate) rule: String,
    pub(crate) at: i64,
}

/// What came of a rule set.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Each about one thing.
    pub(crate) cases: Vec<Case>,
    /// When roll-ups were opened, which are cases about many things.
    pub(crate) rollups: Vec<i64>,
    /// When a trouble first joined a roll-up.
    pub(crate) joined: BTreeMap<usize, i64>,
    pub(crate) comments: usize,
    pub(crate) closures: usize,
    pub(crate) reopened: usize,
    /// Incidents that got no case, by what kept it from being opened.
    pub(crate) none: BTreeMap<&'static str, usize>,
    /// Incidents without a case whose record does not say why.
    pub(crate) unexplained: Vec<String>,
    /// Incidents with more than one open action.
    pub(crate) doubled: usize,
    /// Alerts of which no incident came, by what was said of them.
    pub(crate) unowned: BTreeMap<String, BTreeSet<String>>,
    /// Real ones, and storms, without a case while they lasted.
    pub(crate) missed: Vec<usize>,
    /// How many cases of its own each real one got.
    pub(crate) real: BTreeMap<usize, usize>,
    /// How long a real one has waited at most until a case was about it, and which.
    pub(crate) latest: (i64, Option<usize>),
}

impl Row {
    /// How many cases about one thing were opened within an hour at most.
    pub(crate) fn most_in_an_hour(&self, counts: impl Fn(&Case) -> bool) -> usize {
        let times = self.cases.iter().filter(|case| counts(case)).map(|case| case.at);
        most_in_an_hour(times.collect())
    }

    /// When all cases were opened.
    pub(crate) fn times(&self) -> Vec<i64> {
        self.cases.iter().map(|case| case.at).chain(self.rollups.iter().copied()).collect()
    }

    /// How many cases are about a kind of trouble.
    pub(crate) fn cases_of(&self, is: impl Fn(Kind) -> bool) -> usize {
        self.cases.iter().filter(|case| is(case.kind)).count()
    }
}

/// How many of the times fall into one hour at most. Whoever opens at the very end of an hour may
/// open again at its end: budgets count what is younger.
pub(crate) fn most_in_an_hour(mut times: Vec<i64>) -> usize {
    times.sort_unstable();
    let within =
        |(index, from): (usize, &i64)| times[index..].partition_point(|time| *time < from + HOUR);
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// Plays what was heard through a rule set, and a day and a half more, so that all of it ends.
pub(crate) fn play(stage: &Stage, heard: &[Heard], truth: &Truth<'_>) -> Row {
    let source = SourceName::new("alertmanager");
    let mut world = World::new(stage.playbook.clone(), at(0));
    let mut unowned: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Heard { at: time, received } in heard {
        let (_, verdicts) = world.deliver(&source, received.clone(), at(*time));
        for verdict in verdicts.into_iter().filter(|verdict| verdict.incident.is_none()) {
            unowned.entry(verdict.effect).or_default().insert(verdict.fingerprint);
        }
    }
    world.advance(at(truth.week.end() + DAY + 12 * HOUR));
    let mut row = Row {
        name: stage.name,
        cases: Vec::new(),
        rollups: Vec::new(),
        joined: BTreeMap::new(),
        comments: 0,
        closures: 0,
        reopened: 0,
        none: BTreeMap::new(),
        unexplained: Vec::new(),
        doubled: 0,
        unowned,
        missed: Vec::new(),
        real: BTreeMap::new(),
        latest: (0, None),
    };
    for life in world.lives() {
        row.count(life, truth);
    }
    row.cases.sort_by_key(|case| case.at);
    row.judge(truth.week);
    row
}

impl Row {
    fn count(&mut self, life: &Life, truth: &Truth<'_>) {
        let of_kind = |kind: &str| life.deeds.iter().filter(|deed| deed.kind == kind).count();
        self.comments += of_kind("comment");
        self.closures += of_kind("close");
        let refired = Reason::Refired.to_string();
        let pairs = life.moments.iter().zip(life.moments.iter().skip(1));
        self.reopened +=
            pairs.filter(|(before, now)| before.state == "closed" && now.reason == refired).count();
        self.doubled += usize::from(of_kind("open") > 1);
        if life.incident.is_rollup() {
            self.rollups.extend(life.case().map(|(deed, _)| second(deed.at)));
            return;
        }
        let trouble = truth.trouble(life);
        let joins = |moment: &&Moment| moment.reason.starts_with(ROLLED_UP);
        if let Some(moment) = life.moments.iter().find(joins) {
            self.joined.entry(trouble).or_insert(second(moment.at));
        }
        match life.case() {
            Some((deed, _)) => self.cases.push(Case {
                trouble,
                kind: truth.week.troubles[trouble].kind,
                rule: life.incident.rule.to_string(),
                at: second(deed.at),
            }),
            None => match why_none(life) {
                Some(why) => *self.none.entry(why).or_default() += 1,
                None => self.unexplained.push(format!("{:?}", life.moments)),
            },
        }
    }

    fn judge(&mut self, week: &Week) {
        // When a case was first about it.
        let mut first = self.joined.clone();
        let mut storms: BTreeMap<Kind, bool> = BTreeMap::new();
        for case in &self.cases {
            first.entry(case.trouble).and_modify(|at| *at = case.at.min(*at)).or_insert(case.at);
            if case.kind == Kind::Real {
                *self.real.entry(case.trouble).or_default() += 1;
            }
        }
        for (index, trouble) in week.troubles.iter().enumerate() {
            let opened = first.get(&index).filter(|at| **at < trouble.to());
            match trouble.kind {
                Kind::Real => match opened {
                    Some(at) => {
                        let waited = at - trouble.wanted_from();
                        self.latest = self.latest.max((waited, Some(index)));
                    }
                    None => self.missed.push(index),
                },
                kind @ Kind::Storm(_) => {
                    *storms.entry(kind).or_default() |= opened.is_some();
                }
                _ => {}
            }
        }
        for (storm, has_case) in storms {
            if !has_case {
                let of_storm = |trouble: &super::noise::Trouble| trouble.kind == storm;
                self.missed.extend(week.troubles.iter().position(of_storm));
            }
        }
    }
}

/// What kept an incident from getting a case, by its record.
fn why_none(life: &Life) -> Option<&'static str> {
    let last = life.moments.last()?;
    if last.state != "dropped" || last.reason.is_empty() {
        return None;
    }
    // The last thing that it waited for.
    life.moments.iter().rev().skip(1).find_map(|moment| {
        let waits = |beginning: &str| moment.reason.starts_with(beginning);
        if waits("held (mute)") {
            Some("muted")
        } else if waits("held (budget)") {
            Some("over budget")
        } else if waits(ROLLED_UP) {
            Some("rolled up")
        } else if waits("fires; opens a case if it still fires at") {
            Some("too short")
        } else {
            None
        }
    })
}
