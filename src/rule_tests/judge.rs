//! Whether what must be true is true, and if not, what is true instead.

use std::time::Duration;

use jiff::Timestamp;

use super::expectation::{Expect, IncidentExpect};
use super::fields::compare;
use super::pairing::pair;
use super::person::Word;
use crate::config::code::Code;
use crate::config::decode::Located;
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;
use crate::domain::alert::{Alert, Labels};
use crate::domain::ids::RuleName;
use crate::domain::text::visible;
use crate::playbook::Playbook;
use crate::rehearsal::{Life, World};
use crate::rules::Mismatch;
use crate::time::between;
use crate::time::duration;

/// How many changes of an incident, or alerts, are told at most.
const MOST_TOLD: usize = 12;

/// What happened in a test up to now, as far as the world does not remember it.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// What came in and when, each kind of alert once.
    pub(super) alerts: Vec<(Timestamp, Alert)>,
    /// How many alerts no rule was for.
    pub(super) unmatched: u64,
    /// The rules that ignored some.
    pub(super) ignored_by: Vec<RuleName>,
}

/// The moment that is looked at.
pub(super) struct Scene<'a> {
    pub(super) test: &'a str,
    pub(super) start: Timestamp,
    pub(super) playbook: &'a Playbook,
    pub(super) world: &'a World,
    pub(super) record: &'a Record,
}

/// Something that is not as expected.
pub(super) struct Difference {
    pub(super) place: Place,
    pub(super) what: String,
    pub(super) label: String,
    pub(super) hint: Option<String>,
}

impl Scene<'_> {
    /// Everything that is not as expected.
    pub(super) fn judge(&self, expect: &Expect) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        self.counts(expect, &mut found);
        if let Some(incidents) = &expect.incidents {
            self.incidents(incidents, expect.others, &mut found);
        }
        found.into_iter().map(|difference| self.told(expect.at, difference)).collect()
    }

    /// The incident that a person's word is about, by its place among the lives of the world.
    ///
    /// # Errors
    ///
    /// That there is none, or that it is not known which.
    pub(super) fn judged(&self, word: &Word) -> Result<usize, Box<Diagnostic>> {
        let lives = || self.world.lives().iter().enumerate().filter(|(_, life)| word.of.is(life));
        let fitting: Vec<_> =
            lives().filter(|(_, life)| self.world.heeds(life, word.judgement)).collect();
        let done = word.judgement.participle();
        let (what, label, hint) = match fitting.as_slice() {
            [(index, _)] => return Ok(*index),
            [] => match lives().next_back() {
                Some((_, life)) => {
                    let state = life.incident.state.name();
                    let what = format!("{} cannot be {done}: it is {state}", name(life));
                    (what, format!("it is {state}"), self.life(life))
                }
                None => {
                    let what = format!("there is no incident of {} to be {done}", word.of);
                    (
                        what,
                        "there is no such incident".to_owned(),
                        self.why_not(&word.of.rule.value),
                    )
                }
            },
            several => {
                let what = format!("{} incidents of {} can be {done}", several.len(), word.of);
                let names = several.iter().map(|(_, life)| name(life)).collect();
                let hint = format!("say which one by its `identity`\n{}", shorten(names));
                (what, "any of them may be meant".to_owned(), hint)
            }
        };
        let place = word.place.clone();
        let difference = Difference { place, what, label, hint: Some(hint) };
        Err(Box::new(self.told(word.at, difference)))
    }

    fn told(
        &self,
        at: Duration,
        Difference { place, what, label, hint }: Difference,
    ) -> Diagnostic {
        let message = format!("{}: at {}, {what}", self.test, duration::format(at));
        let diagnostic = Diagnostic::error(place, message).code(Code::Expectation).label(label);
        match hint.filter(|hint| !hint.is_empty()) {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }

    fn counts(&self, expect: &Expect, found: &mut Vec<Difference>) {
        let counts = [
            (&expect.cases, self.world.cases(), "cases", self.all_lives()),
            (&expect.unmatched, self.record.unmatched, "unmatched", self.all_alerts()),
        ];
        for (wanted, actual, what, hint) in counts {
            if let Some(Located { value, place }) = wanted
                && *value != actual
            {
                found.push(Difference {
                    place: place.clone(),
                    what: format!("`{what}` is {actual}, not {value}"),
                    label: format!("it is {actual}"),
                    hint: Some(hint),
                });
            }
        }
        for Located { value, place } in &expect.ignored_by {
            if !self.record.ignored_by.contains(value) {
                found.push(Difference {
                    place: place.clone(),
                    what: format!("rule {value} has not ignored any alert"),
                    label: "it has ignored none".to_owned(),
                    hint: Some(self.why_not(value)),
                });
            }
        }
    }

    fn incidents(
        &self,
        wanted: &Located<Vec<IncidentExpect>>,
        others: bool,
        found: &mut Vec<Difference>,
    ) {
        let lives = self.world.lives();
        let pairs = pair(&wanted.value, lives, |wanted, life| {
            wanted.of.is(life).then(|| self.differences(wanted, life).len())
        });
        for (wanted, paired) in wanted.value.iter().zip(&pairs) {
            match paired.and_then(|index| lives.get(index)) {
                Some(life) => found.extend(self.differences(wanted, life)),
                None => found.push(Difference {
                    place: wanted.place.clone(),
                    what: format!("there is no incident of {}", wanted.of),
                    label: "there is no such incident".to_owned(),
                    hint: Some(self.why_not(&wanted.of.rule.value)),
                }),
            }
        }
        if others {
            return;
        }
        for (index, life) in lives.iter().enumerate() {
            if pairs.contains(&Some(index)) {
                continue;
            }
            let hint = format!("{}\nlist it, or say `others: true`", self.life(life));
            found.push(Difference {
                place: wanted.place.clone(),
                what: format!("there is an incident that is not expected: {}", name(life)),
                label: "it is not listed here".to_owned(),
                hint: Some(hint),
            });
        }
    }

    fn differences(&self, wanted: &IncidentExpect, life: &Life) -> Vec<Difference> {
        let mut found = Vec::new();
        let name = name(life);
        let incident = &life.incident;
        let mut differ = |place: &Place, key: &str, wanted: &str, actual: &str| {
            found.push(Difference {
                place: place.clone(),
                what: format!("{key} of {name} is {actual}, not {wanted}"),
                label: format!("it is {actual}"),
                hint: Some(self.life(life)),
            });
        };
        if let Some(Located { value, place }) = &wanted.state
            && *value != incident.state.name()
        {
            differ(place, "the state", value, incident.state.name());
        }
        if let Some(Located { value, place }) = &wanted.firing
            && *value != incident.tally.firing
        {
            let firing = incident.tally.firing.to_string();
            differ(place, "the number of firing alerts", &value.to_string(), &firing);
        }
        if let Some(Located { value, place }) = &wanted.actions {
            let done: Vec<&str> = life.deeds.iter().map(|deed| deed.kind).collect();
            if *value != done {
                differ(place, "the list of actions", &list(value), &list(&done));
            }
        }
        if let Some(reason) = &wanted.reason {
            let last = life.moments.last().map(|moment| moment.reason.as_str());
            compare("the reason", &name, reason, last.unwrap_or_default(), &mut found);
        }
        if let Some(case) = &wanted.case {
            self.case(case, life, &name, &mut found);
        }
        if let Some(draft) = &wanted.draft {
            self.draft(draft, life, &name, &mut found);
        }
        if let Some(comments) = &wanted.comments {
            let actual: Vec<&str> = life.comments().collect();
            self.texts("comment", comments, &actual, &name, life, &mut found);
        }
        // What has happened to it is told once.
        let story = Some(self.life(life));
        let told = found.iter().position(|difference| difference.hint == story);
        for difference in found.iter_mut().skip(told.map_or(0, |told| told + 1)) {
            if difference.hint == story {
                difference.hint = None;
            }
        }
        found
    }

    /// All that has happened to an incident, in lines.
    pub(super) fn life(&self, life: &Life) -> String {
        let mut lines: Vec<String> = life
            .moments
            .iter()
            .map(|moment| {
                let at = self.offset(moment.at);
                format!("at {at} it was {}: {}", moment.state, self.reason(&moment.reason))
            })
            .collect();
        lines.extend(life.problem().map(|why| format!("its case could not be made: {why}")));
        shorten(lines)
    }

    /// A reason, with times as a test counts them.
    fn reason(&self, reason: &str) -> String {
        let words = reason.split(' ').map(|word| {
            let bare = word.trim_end_matches([',', ';']);
            match bare.parse::<Timestamp>() {
                Ok(time) => word.replace(bare, &self.offset(time)),
                Err(_) => word.to_owned(),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn offset(&self, time: Timestamp) -> String {
        duration::format(Duration::from_millis(
            u64::try_from(between(self.start, time).as_millis()).unwrap_or(u64::MAX),
        ))
    }

    fn all_lives(&self) -> String {
        let lives = self.world.lives();
        if lives.is_empty() {
            return self.all_alerts();
        }
        shorten(
            lives
                .iter()
                .map(|life| format!("{} is {}", name(life), life.incident.state.name()))
                .collect(),
        )
    }

    fn all_alerts(&self) -> String {
        if self.record.alerts.is_empty() {
            return "no alert has come in".to_owned();
        }
        let told = self.record.alerts.iter().map(|(at, alert)| {
            let owners: Vec<&str> = self
                .playbook
                .rules
                .route(alert, *at)
                .iter()
                .map(|rule| rule.name.as_str())
                .collect();
            let owners = if owners.is_empty() { "no rule".to_owned() } else { owners.join(", ") };
            format!("{} {}: {owners}", alert.name(), pairs(&alert.labels))
        });
        shorten(told.collect())
    }

    /// Why no alert has come to a rule.
    fn why_not(&self, name: &RuleName) -> String {
        let Some(rule) = self.playbook.rules.get(name) else { return String::new() };
        if self.record.alerts.is_empty() {
            return "no alert has come in".to_owned();
        }
        let told = self.record.alerts.iter().map(|(at, alert)| {
            let why = match rule.mismatch(alert, *at) {
                Some(Mismatch::During(times)) => format!("{name} is only for {times}"),
                Some(Mismatch::Outside(times)) => format!("{name} is not for {times}"),
                Some(Mismatch::Matcher(matcher)) => match alert.labels.get(matcher.name()) {
                    Some(value) => format!("{name} wants {matcher}, and it is {value:?}"),
                    None => format!("{name} wants {matcher}, and there is no such label"),
                },
                None => match self.playbook.rules.route(alert, *at).first() {
                    Some(first) if first.name != *name => format!("rule {} takes it", first.name),
                    _ => format!("{name} takes it"),
                },
            };
            format!("{} {}: {why}", alert.name(), alert.status.as_str())
        });
        let mut told: Vec<String> = told.collect();
        told.dedup();
        shorten(told)
    }
}

fn name(life: &Life) -> String {
    let mut name = format!("{} {}", life.incident.rule, pairs(&life.identity));
    if life.incident.generation > 1 {
        name.push_str(&format!(" (generation {})", life.incident.generation));
    }
    name
}

pub(super) fn pairs(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

pub(super) fn count(number: usize, what: &str) -> String {
    match (number, what.split_once(' ')) {
        (1, _) => format!("1 {what}"),
        (_, Some((word, rest))) => format!("{number} {word}es {rest}"),
        (_, None) => format!("{number} {what}s"),
    }
}

pub(super) fn indented(mark: &str, text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mark = if index == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
            format!("{mark}{line}").trim_end().to_owned()
        })
        .collect();
    shorten_to(lines, 3 * MOST_TOLD)
}

fn shorten(lines: Vec<String>) -> String {
    shorten_to(lines, MOST_TOLD)
}

fn shorten_to(mut lines: Vec<String>, most: usize) -> String {
    if lines.len() > most {
        let more = lines.len() - most;
        lines.truncate(most);
        lines.push(format!("and {more} more"));
    }
    // Texts of senders stand here: nothing of them may steer a terminal.
    visible(&lines.join("\n")).into_owned()
}
