//! Whether the texts of a case, of a draft and of comments are as expected.

use super::diff;
use super::expectation::{CaseExpect, Fields, Text};
use super::judge::{Difference, Scene, count, indented};
use crate::config::decode::Located;
use crate::domain::draft::{ChoiceField, Contact, Draft};
use crate::domain::severity::Rank;
use crate::rehearsal::{Drafted, Life};

/// The longest text that stands in a label, in characters.
const SHORT: usize = 80;

impl Scene<'_> {
    /// Compares the case that was opened.
    pub(super) fn case(
        &self,
        wanted: &CaseExpect,
        life: &Life,
        name: &str,
        found: &mut Vec<Difference>,
    ) {
        match (wanted, life.case()) {
            (CaseExpect::None(_), None) => {}
            (CaseExpect::None(place), Some(_)) => found.push(Difference {
                place: place.clone(),
                what: format!("{name} has a case"),
                label: "it has one".to_owned(),
                hint: Some(self.life(life)),
            }),
            (CaseExpect::Fields(wanted), Some((deed, drafted))) => {
                let sheet = Sheet { kind: "case", name, of: name, rank: deed.rank, drafted };
                self.fields(wanted, &sheet, life, found);
            }
            (CaseExpect::Fields(Fields { place, .. }), None) => {
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
            }
        }
    }

    /// Compares the case that an incident would get if it were let go now.
    pub(super) fn draft(
        &self,
        wanted: &Fields,
        life: &Life,
        name: &str,
        found: &mut Vec<Difference>,
    ) {
        let place = wanted.place.clone();
        let state = &life.incident.state;
        if !state.has_draft() {
            let what = format!("{name} does not wait for its case: it is {}", state.name());
            let label = format!("it is {}", state.name());
            let hint = match life.case() {
                Some(_) => format!("its case was opened: say `case`\n{}", self.life(life)),
                None => self.life(life),
            };
            found.push(Difference { place, what, label, hint: Some(hint) });
            return;
        }
        match self.world.draft(life) {
            Ok(drafted) => {
                let of = format!("the draft of {name}");
                let rank = life.incident.rank;
                let sheet = Sheet { kind: "draft", name, of: &of, rank, drafted: &drafted };
                self.fields(wanted, &sheet, life, found);
            }
            Err(why) => found.push(Difference {
                place,
                what: format!("there is no draft of {name}"),
                label: "it cannot be made".to_owned(),
                hint: Some(why.to_string()),
            }),
        }
    }

    fn fields(&self, wanted: &Fields, sheet: &Sheet<'_>, life: &Life, found: &mut Vec<Difference>) {
        let Sheet { kind, name, of, rank, drafted } = *sheet;
        if let Some(Located { value, place }) = &wanted.severity
            && *value != rank
        {
            found.push(Difference {
                place: place.clone(),
                what: format!("`severity` of {of} is {rank}, not {value}"),
                label: format!("it is {rank}"),
                hint: None,
            });
        }
        for (key, wanted) in &wanted.texts {
            let actual = field(&drafted.draft, key);
            compare(&format!("`{key}`"), of, wanted, &actual, found);
        }
        if wanted.fallback != (drafted.failed_templates > 0) {
            let what = if wanted.fallback {
                format!("every text of the {kind} of {name} renders")
            } else {
                format!("a built-in text stands in the {kind} of {name}")
            };
            let notes = drafted.notes.iter().filter(|note| note.contains("stands in"));
            let hint = notes.cloned().collect::<Vec<_>>().join("\n");
            let hint = match wanted.fallback {
                true => "remove `fallback: true`".to_owned(),
                false => format!("{hint}\nif that is meant, say `fallback: true`"),
            };
            let place = wanted.place.clone();
            found.push(Difference { place, what, label: String::new(), hint: Some(hint) });
        }
        if let Some(wanted) = &wanted.also_notify {
            let actual: Vec<&str> = drafted.draft.also_notify.iter().map(String::as_str).collect();
            self.texts("address of `also_notify`", wanted, &actual, of, life, found);
        }
    }

    /// Compares a list of texts: as many, in this order.
    pub(super) fn texts(
        &self,
        what: &str,
        wanted: &Located<Vec<Located<Text>>>,
        actual: &[&str],
        name: &str,
        life: &Life,
        found: &mut Vec<Difference>,
    ) {
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
            compare(&format!("{what} {}", index + 1), name, wanted, actual, found);
        }
    }
}

/// A case, or the draft of one.
#[derive(Clone, Copy)]
struct Sheet<'a> {
    /// `case` or `draft`.
    kind: &'static str,
    /// The incident.
    name: &'a str,
    /// What has the fields, for messages.
    of: &'a str,
    /// Its severity.
    rank: Rank,
    drafted: &'a Drafted,
}

/// Notes how a text differs from what is wanted.
pub(super) fn compare(
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
