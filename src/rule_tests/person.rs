//! What a person does in a test: approve or reject an incident that has no case yet.

use std::time::Duration;

use super::meant::Meant;
use crate::config::decode::Section;
use crate::config::source_file::Place;
use crate::domain::judgement::Judgement;
use crate::playbook::Playbook;

/// A person's word about an incident.
#[derive(Debug)]
pub struct Word {
    /// How long after the test's beginning: after everything that is due or comes in then.
    pub at: Duration,
    /// Where it stands.
    pub place: Place,
    /// What is said.
    pub judgement: Judgement,
    /// Of which incident: of the only one that fits and can be judged.
    pub of: Meant,
}

const WORDS: [(&str, Judgement); 2] =
    [("approve", Judgement::Approve), ("reject", Judgement::Reject)];

/// Reads what a person does at a time.
pub(super) fn read(mut section: Section<'_>, playbook: &Playbook) -> Option<Word> {
    let at: Option<Duration> = section.required("at");
    let mut words = Vec::new();
    for (key, judgement) in WORDS {
        let example = "{ rule: the name of a rule }";
        if let Some(mut incident) = section.section_like(key, example) {
            let place = section.key_place(key).unwrap_or_else(|| section.place());
            let of = Meant::read(&mut incident, playbook);
            incident.finish();
            words.push(of.map(|of| (place, judgement, of)));
        }
    }
    let said = WORDS.iter().filter(|(key, _)| section.has(key)).count();
    if said == 0 && !section.misspelt(&WORDS.map(|(key, _)| key)) {
        let message = format!("{} does not say what the person does", section.name());
        let hint = "add `approve` or `reject`, each with an incident, such as \
                    `approve: { rule: the name of a rule }`";
        section.error(message, hint);
    } else if said > 1 {
        let message = format!("{} both approves and rejects", section.name());
        section.error(message, "write an item for each");
    }
    section.finish();
    let (place, judgement, of) = words.pop()??;
    Some(Word { at: at?, place, judgement, of })
}
