//! Whether what must be true is true, and if not, what is true instead.

use std::time::Duration;

use jiff::Timestamp;

use super::diff;
use super::expectation::{CaseExpect, Expect, IncidentExpect, Text};
use crate::config::code::Code;
use crate::config::decode::Located;
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;
use crate::domain::alert::{Alert, Labels};
use crate::domain::draft::{ChoiceField, Contact, Draft};
use crate::domain::ids::RuleName;
use crate::playbook::Playbook;
use crate::rehearsal::{Life, World};
use crate::rules::Mismatch;
use crate::time::between;
use crate::time::duration;

/// How many changes of an incident, or alerts, are told at most.
const MOST_TOLD: usize = 12;

/// The longest text that stands in a label, in characters.
const SHORT: usize = 80;

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
struct Difference {
    place: Place,
    what: String,
    label: String,
    hint: Option<String>,
}

impl Scene<'_> {
    /// Everything that is not as expected.
    pub(super) fn judge(&self, expect: &Expect) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        self.counts(expect, &mut found);
        if let Some(incidents) = &expect.incidents {
            self.incidents(incidents, expect.others, &mut found);
        }
        let at = duration::format(expect.at);
        found
            .into_iter()
            .map(|Difference { place, what, label, hint }| {
                let message = format!("{}: at {at}, {what}", self.test);
                let diagnostic =
                    Diagnostic::error(place, message).code(Code::Expectation).label(label);
                match hint.filter(|hint| !hint.is_empty()) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                }
            })
            .collect()
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
            is_meant(wanted, life).then(|| self.differences(wanted, life).len())
        });
        for (wanted, paired) in wanted.value.iter().zip(&pairs) {
            match paired.and_then(|index| lives.get(index)) {
                Some(life) => found.extend(self.differences(wanted, life)),
                None => found.push(Difference {
                    place: wanted.place.clone(),
                    what: format!("there is no incident of {}", meant(wanted)),
                    label: "there is no such incident".to_owned(),
                    hint: Some(self.why_not(&wanted.rule.value)),
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
        if let Some(comments) = &wanted.comments {
            let actual: Vec<&str> = life.comments().collect();
            self.texts("comment", comments, &actual, life, &mut found);
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

    fn case(&self, wanted: &CaseExpect, life: &Life, name: &str, found: &mut Vec<Difference>) {
        let (place, severity, texts, also_notify, fallback) = match (wanted, life.case()) {
            (CaseExpect::None(_), None) => return,
            (CaseExpect::None(place), Some(_)) => {
                found.push(Difference {
                    place: place.clone(),
                    what: format!("{name} has a case"),
                    label: "it has one".to_owned(),
                    hint: Some(self.life(life)),
                });
                return;
            }
            (CaseExpect::Fields { place, severity, texts, also_notify, fallback }, _) => {
                (place, severity, texts, also_notify, fallback)
            }
        };
        let Some((deed, drafted)) = life.case() else {
            let hint = match life.problem() {
                Some(why) => format!("{why}\n{}", self.life(life)),
                None => self.life(life),
            };
            found.push(Difference {
                place: place.clone(),
                what: format!("{name} has no case"),
                label: "there is none".to_owned(),
                hint: Some(hint),
            });
            return;
        };
        if let Some(Located { value, place }) = severity
            && *value != deed.rank
        {
            found.push(Difference {
                place: place.clone(),
                what: format!("`severity` of {name} is {}, not {value}", deed.rank),
                label: format!("it is {}", deed.rank),
                hint: None,
            });
        }
        for (key, wanted) in texts {
            let actual = field(&drafted.draft, key);
            compare(&format!("`{key}`"), name, wanted, &actual, found);
        }
        if *fallback != (drafted.failed_templates > 0) {
            let what = if *fallback {
                format!("every text of the case of {name} renders")
            } else {
                format!("a built-in text stands in the case of {name}")
            };
            let notes = drafted.notes.iter().filter(|note| note.contains("stands in"));
            let hint = notes.cloned().collect::<Vec<_>>().join("\n");
            let hint = match *fallback {
                true => "remove `fallback: true`".to_owned(),
                false => format!("{hint}\nif that is meant, say `fallback: true`"),
            };
            let place = place.clone();
            found.push(Difference { place, what, label: String::new(), hint: Some(hint) });
        }
        if let Some(wanted) = also_notify {
            let actual: Vec<&str> = drafted.draft.also_notify.iter().map(String::as_str).collect();
            self.texts("address of `also_notify`", wanted, &actual, life, found);
        }
    }

    /// Compares a list of texts: as many, in this order.
    fn texts(
        &self,
        what: &str,
        wanted: &Located<Vec<Located<Text>>>,
        actual: &[&str],
        life: &Life,
        found: &mut Vec<Difference>,
    ) {
        let name = name(life);
        if wanted.value.len() != actual.len() {
            let mut told: Vec<String> = actual.iter().map(|text| indented("- ", text)).collect();
            if told.is_empty() {
                told.push(self.life(life));
            }
            found.push(Difference {
                place: wanted.place.clone(),
                what: format!(
                    "{name} has {}, not {}",
                    count(actual.len(), what),
                    wanted.value.len()
                ),
                label: format!(
                    "there {}",
                    if actual.len() == 1 {
                        "is 1".to_owned()
                    } else {
                        format!("are {}", actual.len())
                    }
                ),
                hint: Some(told.join("\n")),
            });
            return;
        }
        for (index, (wanted, actual)) in wanted.value.iter().zip(actual).enumerate() {
            compare(&format!("{what} {}", index + 1), &name, wanted, actual, found);
        }
    }

    /// All that has happened to an incident, in lines.
    fn life(&self, life: &Life) -> String {
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

/// Gives each expectation an incident of its own: as many as possible one that is as expected,
/// and the others one that differs as little as possible. `distance` is `None` where an incident
/// is not meant at all.
fn pair(
    wanted: &[IncidentExpect],
    lives: &[Life],
    distance: impl Fn(&IncidentExpect, &Life) -> Option<usize>,
) -> Vec<Option<usize>> {
    let distances: Vec<Vec<Option<usize>>> = wanted
        .iter()
        .map(|wanted| lives.iter().map(|life| distance(wanted, life)).collect())
        .collect();
    let mut owner: Vec<Option<usize>> = vec![None; lives.len()];
    for index in 0..wanted.len() {
        let mut tried = vec![false; lives.len()];
        augment(index, &distances, &mut owner, &mut tried);
    }
    let mut pairs: Vec<Option<usize>> = vec![None; wanted.len()];
    for (life, of) in owner.iter().enumerate() {
        if let Some(slot) = of.and_then(|of| pairs.get_mut(of)) {
            *slot = Some(life);
        }
    }
    for (index, row) in distances.iter().enumerate() {
        if pairs.get(index).is_some_and(Option::is_some) {
            continue;
        }
        let free = |life: &usize| !pairs.contains(&Some(*life));
        let nearest = row
            .iter()
            .enumerate()
            .filter(|(life, _)| free(life))
            .filter_map(|(life, distance)| Some((distance.as_ref()?, life)))
            .min()
            .map(|(_, life)| life);
        if let Some(slot) = pairs.get_mut(index) {
            *slot = nearest;
        }
    }
    pairs
}

/// Finds an incident that is as expected, and has others who hold it look for another one.
fn augment(
    wanted: usize,
    distances: &[Vec<Option<usize>>],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let Some(row) = distances.get(wanted) else { return false };
    for (life, distance) in row.iter().enumerate() {
        let Some(seen) = tried.get_mut(life).filter(|seen| !**seen && *distance == Some(0)) else {
            continue;
        };
        *seen = true;
        let holder = owner.get(life).copied().flatten();
        if holder.is_none_or(|holder| augment(holder, distances, owner, tried)) {
            if let Some(slot) = owner.get_mut(life) {
                *slot = Some(wanted);
            }
            return true;
        }
    }
    false
}

/// Whether an expectation is about an incident.
fn is_meant(wanted: &IncidentExpect, life: &Life) -> bool {
    wanted.rule.value == life.incident.rule
        && wanted.generation.is_none_or(|generation| generation == life.incident.generation)
        && wanted.identity.iter().all(|(name, value)| {
            life.identity.get(name).map_or("", String::as_str) == value.as_str()
        })
}

fn compare(
    what: &str,
    name: &str,
    wanted: &Located<Text>,
    actual: &str,
    found: &mut Vec<Difference>,
) {
    let misses = wanted.value.misses(actual);
    if misses.is_empty() {
        return;
    }
    let short = !actual.trim_end().contains('\n') && actual.chars().count() <= SHORT;
    let label = match (short, actual.is_empty()) {
        (_, true) => "it is empty".to_owned(),
        (true, _) => format!("it is {:?}", actual.trim_end()),
        (false, _) => "it is another text".to_owned(),
    };
    let hint = match wanted.value.whole() {
        _ if short => None,
        Some(whole) => {
            let lines = diff::lines(whole, actual);
            Some(format!("what is expected (-) and what it is (+):\n{lines}"))
        }
        None => Some(indented("", actual)),
    };
    found.push(Difference {
        place: wanted.place.clone(),
        what: format!("{what} of {name} {}", misses.join(" and ")),
        label,
        hint,
    });
}

/// A field of a draft, by its key in a rule.
fn field(draft: &Draft, key: &str) -> String {
    let contact = |of: fn(&Contact) -> &Option<String>| {
        draft.alternate_contact.as_ref().and_then(|contact| of(contact).clone()).unwrap_or_default()
    };
    match key {
        "account" => draft.account.to_string(),
        "category" => draft.category.to_string(),
        // The token at its end is none of the rule's business.
        "subject" => {
            let token = draft.marker.token();
            let bare = draft.subject.strip_suffix(token.as_str()).unwrap_or(&draft.subject);
            bare.trim_end().to_owned()
        }
        "description" => draft.whole_description.as_ref().unwrap_or(&draft.description).clone(),
        "alternate_contact.name" => contact(|contact| &contact.name),
        "alternate_contact.company" => contact(|contact| &contact.company),
        "alternate_contact.email" => contact(|contact| &contact.email),
        "alternate_contact.phone" => contact(|contact| &contact.phone),
        other => ChoiceField::parse(other)
            .and_then(|field| field.of(&draft.choices))
            .unwrap_or_default()
            .to_owned(),
    }
}

fn name(life: &Life) -> String {
    let mut name = format!("{} {}", life.incident.rule, pairs(&life.identity));
    if life.incident.generation > 1 {
        name.push_str(&format!(" (generation {})", life.incident.generation));
    }
    name
}

fn meant(wanted: &IncidentExpect) -> String {
    let mut name = wanted.rule.value.to_string();
    if !wanted.identity.is_empty() {
        name.push_str(&format!(" {}", pairs(&wanted.identity)));
    }
    if let Some(generation) = wanted.generation {
        name.push_str(&format!(" (generation {generation})"));
    }
    name
}

fn pairs(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

fn count(number: usize, what: &str) -> String {
    match (number, what.split_once(' ')) {
        (1, _) => format!("1 {what}"),
        (_, Some((word, rest))) => format!("{number} {word}es {rest}"),
        (_, None) => format!("{number} {what}s"),
    }
}

fn indented(mark: &str, text: &str) -> String {
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
    let text = lines.join("\n");
    text.chars()
        .map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char })
        .collect()
}
