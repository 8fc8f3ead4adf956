//! What other rules would have made of what was heard: the deliveries that a store has kept are
//! played, in their order and at their times, through two rehearsals, one with the rules that are in
//! force and one with others; what differs is told.
//!
//! What the store has kept is not everything. Bodies that told nothing new were thrown away: what
//! they said is put together again from the alerts as they were last heard. An incident that began
//! before the oldest delivery begins with the first that speaks of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::alert::{Alert, Labels};
use crate::domain::draft::ChoiceField;
use crate::domain::ids::{IncidentKey, SourceName};
use crate::playbook::Playbook;
use crate::rehearsal::{Life, World};
use crate::sources::{Received, Sources, read_back};
use crate::store::{DeliveryRecord, Fate};

/// See the [module](self).
pub struct Replay<'a> {
    sources: &'a Sources,
    before: World,
    after: World,
    /// Alerts as they were last heard.
    heard: HashMap<(SourceName, String), Alert>,
    span: Option<(Timestamp, Timestamp)>,
    deliveries: u64,
    unplayed: BTreeMap<String, u64>,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// How many deliveries were played.
    pub deliveries: u64,
    /// Those that could not be, by why.
    pub unplayed: BTreeMap<String, u64>,
    /// From when to when.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What each rule would have done, by its name.
    pub rules: BTreeMap<String, Both<Tally>>,
    /// Cases that there would not be any more.
    pub gone: Vec<CaseLine>,
    /// Cases that there would be besides.
    pub new: Vec<CaseLine>,
    /// Cases that would say something else.
    pub changed: Vec<Changed>,
    /// Cases that would be as they are.
    pub same: u64,
}

/// With the rules in force, and with the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// With the rules in force.
    pub before: T,
    /// With the others.
    pub after: T,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Incidents that it begins.
    pub incidents: u64,
    /// Cases that are opened for them.
    pub cases: u64,
    /// What is written to those cases later.
    pub comments: u64,
}

/// A case in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseLine {
    /// When it is opened.
    pub at: Timestamp,
    /// The rule.
    pub rule: String,
    /// The incident's identity.
    pub identity: Labels,
    /// How bad.
    pub rank: u8,
    /// Its subject, without the token that makes it findable.
    pub subject: String,
}

/// A case that would say something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// As it is with the rules in force.
    pub case: CaseLine,
    /// What differs, by what it is.
    pub fields: BTreeMap<&'static str, Both<String>>,
}

impl<'a> Replay<'a> {
    /// Nothing was heard yet.
    pub fn new(sources: &'a Sources, before: Arc<Playbook>, after: Arc<Playbook>) -> Self {
        Self {
            sources,
            before: World::new(before, Timestamp::MIN),
            after: World::new(after, Timestamp::MIN),
            heard: HashMap::new(),
            span: None,
            deliveries: 0,
            unplayed: BTreeMap::new(),
        }
    }

    /// Plays the next delivery. They must come in the order of their times.
    pub fn hear(&mut self, record: &DeliveryRecord, body: Option<&[u8]>) {
        // They were refused or known, and changed nothing.
        if matches!(record.fate, Fate::Redelivered | Fate::Unusable) {
            return;
        }
        let received = match self.received(record, body) {
            Ok(received) => received,
            Err(why) => return *self.unplayed.entry(why).or_default() += 1,
        };
        let at = record.received_at;
        self.before.deliver(&record.source, received.clone(), at);
        self.after.deliver(&record.source, received, at);
        self.deliveries += 1;
        let from = self.span.map_or(at, |(from, _)| from);
        self.span = Some((from, at));
    }

    fn received(
        &mut self,
        record: &DeliveryRecord,
        body: Option<&[u8]>,
    ) -> Result<Received, String> {
        let Some(source) = self.sources.get(&record.source) else {
            return Err(format!("there is no source `{}` any more", record.source));
        };
        let key = |fingerprint: &str| (record.source.clone(), fingerprint.to_owned());
        let Some(body) = body else {
            return Ok(self.as_last_heard(record));
        };
        let received = read_back(source.as_ref(), body)
            .map_err(|why| format!("source `{}` cannot read it any more: {why}", record.source))?;
        for alert in &received.alerts {
            self.heard.insert(key(alert.fingerprint.as_str()), alert.clone());
        }
        Ok(received)
    }

    /// What a delivery has said that told nothing new. An alert that stands there as it was not last
    /// heard is left out, and so nothing is concluded from its absence.
    fn as_last_heard(&self, record: &DeliveryRecord) -> Received {
        let names: BTreeSet<(&str, &str)> = record
            .verdicts
            .iter()
            .map(|verdict| (verdict.fingerprint.as_str(), verdict.status.as_str()))
            .collect();
        let alerts = names.into_iter().filter_map(|(name, status)| {
            let alert = self.heard.get(&(record.source.clone(), name.to_owned()))?;
            (alert.status.as_str() == status).then(|| alert.clone())
        });
        Received { alerts: alerts.collect(), truncated: true, ..Received::default() }
    }

    /// Lets time pass until `now`, and compares.
    pub fn compare(mut self, now: Timestamp) -> Difference {
        if let Some((_, last)) = self.span {
            self.before.advance(now.max(last));
            self.after.advance(now.max(last));
        }
        let mut rules: BTreeMap<String, Both<Tally>> = BTreeMap::new();
        for life in self.before.lives() {
            rules.entry(life.incident.rule.to_string()).or_default().before.add(life);
        }
        for life in self.after.lives() {
            rules.entry(life.incident.rule.to_string()).or_default().after.add(life);
        }
        let mut difference = Difference {
            deliveries: self.deliveries,
            unplayed: self.unplayed,
            span: self.span,
            rules,
            gone: Vec::new(),
            new: Vec::new(),
            changed: Vec::new(),
            same: 0,
        };
        let (pairs, gone, new) = pair(self.before.lives(), self.after.lives());
        for (before, after) in pairs {
            let fields = differences(before, after);
            match line(before).filter(|_| !fields.is_empty()) {
                Some(case) => difference.changed.push(Changed { case, fields }),
                None => difference.same += 1,
            }
        }
        difference.gone = gone.into_iter().filter_map(line).collect();
        difference.new = new.into_iter().filter_map(line).collect();
        difference
    }
}

impl Tally {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            incidents: self.incidents + other.incidents,
            cases: self.cases + other.cases,
            comments: self.comments + other.comments,
        }
    }

    fn add(&mut self, life: &Life) {
        self.incidents += 1;
        self.cases += u64::from(life.case().is_some());
        let comments = life.deeds.iter().filter(|deed| deed.kind == "comment").count();
        self.comments += u64::try_from(comments).unwrap_or(u64::MAX);
    }
}

type Pairs<'a> = (Vec<(&'a Life, &'a Life)>, Vec<&'a Life>, Vec<&'a Life>);

/// Which case is which: those of one key in their order; then, where keys have changed, those that
/// began with the same alert at the same time.
fn pair<'a>(before: &'a [Life], after: &'a [Life]) -> Pairs<'a> {
    let with_case = |lives: &'a [Life]| -> Vec<&'a Life> {
        lives.iter().filter(|life| life.case().is_some()).collect()
    };
    let mut by_key: HashMap<&IncidentKey, Vec<&Life>> = HashMap::new();
    for life in with_case(after).into_iter().rev() {
        by_key.entry(&life.incident.key).or_default().push(life);
    }
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for life in with_case(before) {
        match by_key.get_mut(&life.incident.key).and_then(Vec::pop) {
            Some(other) => pairs.push((life, other)),
            None => alone.push(life),
        }
    }
    let mut left: Vec<&Life> = by_key.into_values().flatten().collect();
    left.sort_by_key(|life| (life.incident.created_at, &life.incident.id));
    let origin = |life: &Life| {
        let origin = &life.incident.origin;
        (origin.source.clone(), origin.fingerprint.clone(), life.incident.created_at)
    };
    let mut gone = Vec::new();
    for life in alone {
        match left.iter().position(|other| origin(other) == origin(life)) {
            Some(index) => pairs.push((life, left.remove(index))),
            None => gone.push(life),
        }
    }
    (pairs, gone, left)
}

fn line(life: &Life) -> Option<CaseLine> {
    let (deed, drafted) = life.case()?;
    let token = drafted.draft.marker.token();
    let subject = drafted.draft.subject.trim_end_matches(&token).trim_end().to_owned();
    Some(CaseLine {
        at: deed.at,
        rule: life.incident.rule.to_string(),
        identity: life.identity.clone(),
        rank: deed.rank.get(),
        subject,
    })
}

/// In what two cases differ. Their tokens differ with their keys, and do not count.
fn differences(before: &Life, after: &Life) -> BTreeMap<&'static str, Both<String>> {
    let mut fields: BTreeMap<&'static str, Both<String>> = BTreeMap::new();
    let told = [(before, false), (after, true)];
    for (life, is_after) in told {
        let Some((deed, drafted)) = life.case() else { continue };
        let draft = &drafted.draft;
        let token = draft.marker.token();
        let mut put = |key: &'static str, value: String| {
            let both = fields.entry(key).or_default();
            *(if is_after { &mut both.after } else { &mut both.before }) = value;
        };
        put("rule", life.incident.rule.to_string());
        put("opened", deed.at.to_string());
        put("severity", deed.rank.to_string());
        put("account", draft.account.to_string());
        put("category", draft.category.to_string());
        put("subject", draft.subject.replace(&token, ""));
        put("description", draft.description.replace(&token, ""));
        put("also_notify", draft.also_notify.join(", "));
        for choice in ChoiceField::ALL {
            if let Some(value) = ChoiceField::of(choice, &draft.choices) {
                put(choice.name(), value.to_owned());
            }
        }
        let ended = |life: &Life| match life.incident.is_firing() {
            true => "goes on".to_owned(),
            false => format!("{}, after {}", life.incident.state.name(), done(life)),
        };
        put("end", ended(life));
    }
    fields.retain(|_, both| both.before != both.after);
    fields
}

/// What was done at the vendor, in few words.
fn done(life: &Life) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for deed in &life.deeds {
        *counts.entry(deed.kind).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests;
