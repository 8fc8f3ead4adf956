//! What a pair of Alertmanagers posts about the week: real payloads, decided on as Alertmanager does
//! (`group_wait` 30 s, `group_interval` 1 min, `repeat_interval` 1 h, as in
//! `config/alertmanager.example.yml`).
//!
//! Most notifications come once, because the pair agrees; some come from both. Silences take alerts
//! out of a payload without a word. A restart without a disk forgets what was told, so firing alerts
//! are told anew, and ends that fall into it are never told.

use std::collections::{BTreeMap, BTreeSet};

use casewright::domain::alert::Labels;
use casewright::sources::alertmanager::fingerprint;
use serde_json::{Value, json};

use super::dice::Dice;
use super::noise::{Group, HOUR, MINUTE, Period, Trouble, Week, at};

const GROUP_WAIT: i64 = 30;
const GROUP_INTERVAL: i64 = MINUTE;
const REPEAT_INTERVAL: i64 = HOUR;

/// An alert that fires: which trouble, which of its places, and since when.
pub(crate) type Beginning = (usize, usize, i64);

/// One post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: i64,
    pub(crate) body: Vec<u8>,
    /// What it says fires.
    pub(crate) firing: Vec<Beginning>,
    /// The other Alertmanager has sent the same.
    pub(crate) twin: bool,
    /// `max_alerts` has cut it.
    pub(crate) cut: bool,
}

/// All that is posted, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent: Vec<Sent>,
    /// Ends that were never told of alerts that were told to fire: of which trouble, and when.
    pub(crate) lost_ends: Vec<(usize, i64)>,
}

/// What is posted about a week.
pub(crate) fn traffic(week: &Week) -> Traffic {
    let mut traffic = Traffic::default();
    for (number, group) in week.groups.iter().enumerate() {
        let part = 1_000 + u64::try_from(number).expect("small");
        Sender::of(week, group, Dice::of(week.seed, part)).run(&mut traffic);
    }
    traffic.sent.sort_by_key(|sent| sent.at);
    traffic
}

/// A group at the Alertmanagers.
struct Sender<'a> {
    week: &'a Week,
    group: &'a Group,
    dice: Dice,
    members: Vec<Member<'a>>,
    /// What the last notification has said, as Alertmanager remembers it.
    log: Option<Log>,
    /// Which members a receiver believes to fire.
    believed: BTreeSet<usize>,
}

struct Member<'a> {
    trouble: usize,
    place: usize,
    labels: Labels,
    of: &'a Trouble,
    periods: &'a [Period],
}

struct Log {
    at: i64,
    firing: BTreeSet<usize>,
    resolved: BTreeSet<usize>,
}

impl<'a> Sender<'a> {
    fn of(week: &'a Week, group: &'a Group, dice: Dice) -> Self {
        let mut members = Vec::new();
        for trouble in &group.troubles {
            let of = &week.troubles[*trouble];
            for (place, alert) in of.places.iter().enumerate() {
                let mut labels = of.labels.clone();
                labels.extend(alert.pop.clone().map(|pop| ("pop".to_owned(), pop)));
                let periods = alert.periods.as_slice();
                members.push(Member { trouble: *trouble, place, labels, of, periods });
            }
        }
        // The order in which Alertmanager lists them, and so in which it cuts.
        members.sort_by(|one, other| one.labels.cmp(&other.labels));
        Self { week, group, dice, members, log: None, believed: BTreeSet::new() }
    }

    fn run(mut self, traffic: &mut Traffic) {
        let mut flushed = i64::MIN;
        let mut next = self.begins_after(i64::MIN);
        while let Some(mut now) = next {
            let restarts = &self.week.restarts;
            if let Some(down) = restarts.iter().find(|down| flushed < down.from && down.from <= now)
            {
                for member in self.ended(flushed, down.to) {
                    self.forget(member, down.to, traffic);
                }
                self.log = None;
                (flushed, now) = (down.to, now.max(down.to + GROUP_WAIT));
            }
            self.flush(flushed, now, traffic);
            flushed = now;
            let goes_on = self.members.iter().any(|member| member.fires(now));
            next = if goes_on { Some(now + GROUP_INTERVAL) } else { self.begins_after(now) };
        }
    }

    /// When a group that is empty is flushed next.
    fn begins_after(&self, now: i64) -> Option<i64> {
        let starts =
            self.members.iter().flat_map(|member| member.periods).map(|period| period.from);
        starts.filter(|from| *from > now).min().map(|from| from + GROUP_WAIT)
    }

    /// Members whose last period has ended since.
    fn ended(&self, since: i64, now: i64) -> Vec<usize> {
        let ended = |member: &Member<'_>| {
            member.last(now).is_some_and(|period| since < period.to && period.to <= now)
        };
        (0..self.members.len()).filter(|index| ended(&self.members[*index])).collect()
    }

    /// An end that nobody hears of.
    fn forget(&mut self, member: usize, now: i64, traffic: &mut Traffic) {
        if self.believed.remove(&member) {
            traffic.lost_ends.push((self.members[member].trouble, now));
        }
    }

    fn flush(&mut self, since: i64, now: i64, traffic: &mut Traffic) {
        let ended = self.ended(since, now);
        let muted = |member: &Member<'_>| member.of.silences.iter().any(|time| time.contains(now));
        let told = |index: &usize| !muted(&self.members[*index]);
        let firing: BTreeSet<usize> = (0..self.members.len())
            .filter(|index| self.members[*index].fires(now))
            .filter(told)
            .collect();
        let resolved: BTreeSet<usize> = ended.iter().copied().filter(told).collect();
        let mut shown = Vec::new();
        if self.is_to_be_told(&firing, &resolved, now) {
            shown = firing.union(&resolved).copied().collect();
            let most = self.group.max_alerts.unwrap_or(shown.len());
            let left_out = shown.len().saturating_sub(most);
            shown.truncate(most);
            self.send(&shown, &firing, left_out, now, traffic);
            self.log = Some(Log { at: now, firing, resolved });
        }
        for index in ended.iter().filter(|index| !shown.contains(index)) {
            self.forget(*index, now, traffic);
        }
        for index in shown {
            match self.members[index].fires(now) {
                true => self.believed.insert(index),
                false => self.believed.remove(&index),
            };
        }
    }

    /// Alertmanager's `DedupStage.needsUpdate`.
    fn is_to_be_told(
        &self,
        firing: &BTreeSet<usize>,
        resolved: &BTreeSet<usize>,
        now: i64,
    ) -> bool {
        if firing.is_empty() && resolved.is_empty() {
            return false;
        }
        let Some(log) = &self.log else { return !firing.is_empty() };
        if !firing.is_subset(&log.firing) {
            return true;
        }
        if firing.is_empty() {
            return !log.firing.is_empty();
        }
        !resolved.is_subset(&log.resolved) || log.at + REPEAT_INTERVAL <= now
    }

    fn send(
        &mut self,
        shown: &[usize],
        firing: &BTreeSet<usize>,
        left_out: usize,
        now: i64,
        traffic: &mut Traffic,
    ) {
        let beginnings: Vec<Beginning> = shown
            .iter()
            .filter(|index| firing.contains(index))
            .map(|index| {
                let member = &self.members[*index];
                (member.trouble, member.place, member.last(now).expect("it fires").from)
            })
            .collect();
        let mut post = |at: i64, peer: usize, twin: bool| {
            let body = self.payload(shown, left_out, now, peer);
            let firing = beginnings.clone();
            traffic.sent.push(Sent { at, body, firing, twin, cut: left_out > 0 });
        };
        let first = self.dice.below(2);
        post(now, first, false);
        if self.dice.chance(0.3) {
            // Now and then the other one has to try for long.
            let late = if self.dice.chance(0.05) {
                60 + self.dice.below(180)
            } else {
                2 + self.dice.below(18)
            };
            post(now + i64::try_from(late).expect("small"), 1 - first, true);
        }
    }

    fn payload(&self, shown: &[usize], left_out: usize, now: i64, peer: usize) -> Vec<u8> {
        let fires = shown.iter().any(|index| self.members[*index].fires(now));
        let pairs: Vec<String> =
            self.group.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        json!({
            "version": "4",
            "groupKey": format!("{{}}:{{{}}}", pairs.join(", ")),
            "truncatedAlerts": left_out,
            "status": if fires { "firing" } else { "resolved" },
            "receiver": "casewright",
            "groupLabels": self.group.labels,
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": format!("http://alertmanager-{peer}.example.net:9093"),
            "alerts": shown.iter().map(|index| self.alert(*index, now, peer)).collect::<Vec<Value>>(),
        })
        .to_string()
        .into_bytes()
    }

    fn alert(&self, index: usize, now: i64, peer: usize) -> Value {
        let member = &self.members[index];
        let period = member.last(now).expect("it has begun");
        let (status, ends_at) = match member.fires(now) {
            true => ("firing", "0001-01-01T00:00:00Z".to_owned()),
            false => ("resolved", at(period.to).to_string()),
        };
        let mut annotations = BTreeMap::from([("summary", "too many errors".to_owned())]);
        if member.of.has_value {
            annotations.insert("value", format!("{} %", 2 + (now / HOUR) % 7));
        }
        json!({
            "status": status,
            "labels": member.labels,
            "annotations": annotations,
            "startsAt": at(period.from).to_string(),
            "endsAt": ends_at,
            "generatorURL": format!("http://prometheus-{peer}.example.net/graph"),
            "fingerprint": fingerprint(&member.labels).as_str(),
        })
    }
}

impl Member<'_> {
    /// The last period that has begun.
    fn last(&self, now: i64) -> Option<Period> {
        let begun = self.periods.partition_point(|period| period.from <= now);
        begun.checked_sub(1).map(|index| self.periods[index])
    }

    fn fires(&self, now: i64) -> bool {
        self.last(now).is_some_and(|period| now < period.to)
    }
}
