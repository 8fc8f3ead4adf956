//! A comment that is longer than the vendor takes goes as several.
//!
//! Pure. Each part is an action of its own, with a token of its own, so that a lost answer to one never
//! repeats another; they are asked for together, in the transaction that ends the action that they stand
//! for, before anything of it was sent. *Invariant:* their texts are fixed then, so that no change of
//! rules moves a word from one part to another.

use jiff::Timestamp;

use super::action::{ActionKind, NewAction, Note};
use super::incident::Incident;
use super::lifecycle::{Reason, Step, unchanged};

/// Asks for the parts of a comment, in their order. They come after what was asked for meanwhile.
pub fn ask_for(incident: &Incident, parts: &[String], now: Timestamp) -> Step {
    let mut step = unchanged(incident);
    let Some(after) = &mut step.incident else { return step };
    let of = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    for (part, text) in (1..).zip(parts) {
        after.last_seq = after.last_seq.saturating_add(1);
        let note = Note::Part { part, of, text: text.clone() };
        let kind = ActionKind::Comment { note };
        step.actions.push(NewAction { seq: after.last_seq, kind, due: now, look_first: false });
    }
    after.updated_at = now;
    (step.changed, step.reason) = (true, Reason::InParts(of));
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{alert, at, open_incident_of};

    #[test]
    fn every_part_is_an_action_of_its_own_after_all_that_there_are() {
        let before = open_incident_of(alert("a").build());
        let parts = ["one".to_owned(), "two".to_owned()];
        let step = ask_for(&before, &parts, at(9));
        let after = step.incident.unwrap();
        assert_eq!(after.last_seq, before.last_seq + 2);
        assert_eq!(after.state, before.state);
        let asked: Vec<(u32, ActionKind)> =
            step.actions.iter().map(|action| (action.seq, action.kind.clone())).collect();
        let part = |part: u32, text: &str| {
            let note = Note::Part { part, of: 2, text: text.to_owned() };
            (before.last_seq + part, ActionKind::Comment { note })
        };
        assert_eq!(asked, [part(1, "one"), part(2, "two")]);
        assert!(step.changed);
    }
}
