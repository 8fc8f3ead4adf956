//! Pages as people ask for them: with a cursor that says nothing to them.
//!
//! A cursor is the place of the last row that was looked at, and the list that it is of. It holds no
//! secret and grants nothing: whoever makes one up sees rows of a list that they may see anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::lists::{Listed, Position, Which};

/// The longest cursor that is looked at.
const LONGEST: usize = 1_000;

/// What is paged through. A cursor of one list is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Incidents.
    Incidents,
    /// Alerts.
    Alerts,
    /// Cases.
    Cases,
    /// Actions that wait for a person.
    Waiting,
    /// Actions.
    Actions,
    /// Deliveries.
    Deliveries,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// What is shown.
    pub items: Vec<T>,
    /// What to ask with for the next page; `None` if this is the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of the store, for people.
    pub fn of(list: List, listed: Listed<T>) -> Self {
        let next = listed.next.map(|place| list.cursor(&place));
        Self { items: listed.items, next }
    }
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Incidents => "incidents",
            Self::Alerts => "alerts",
            Self::Cases => "cases",
            Self::Waiting => "waiting",
            Self::Actions => "actions",
            Self::Deliveries => "deliveries",
        }
    }

    /// That of such actions.
    pub fn of_actions(which: Which) -> Self {
        match which {
            Which::ForPeople | Which::Blocked => Self::Waiting,
            Which::All | Which::In(_) => Self::Actions,
        }
    }

    /// The cursor behind a place.
    pub fn cursor(self, place: &Position) -> String {
        let text = format!("{}\n{}\n{}", self.name(), place.at.as_microsecond(), place.id);
        URL_SAFE_NO_PAD.encode(text)
    }

    /// The place of a cursor; `None` if it is none of this list.
    pub fn place(self, cursor: &str) -> Option<Position> {
        if cursor.len() > LONGEST {
            return None;
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (list, rest) = text.split_once('\n')?;
        let (at, id) = rest.split_once('\n')?;
        let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
        (list == self.name()).then(|| Position { at, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place(micros in 0_i64..4_000_000_000_000_000, id in ".{0,80}") {
            let place = Position { at: Timestamp::from_microsecond(micros).unwrap(), id };
            let cursor = List::Alerts.cursor(&place);
            prop_assert_eq!(List::Alerts.place(&cursor), Some(place));
            prop_assert_eq!(List::Actions.place(&cursor), None);
        }

        #[test]
        fn whatever_is_no_cursor_leads_nowhere_and_breaks_nothing(text in ".{0,200}") {
            prop_assert_eq!(List::Cases.place(&text), None);
        }
    }

    #[test]
    fn a_cursor_without_end_is_not_read() {
        let place = Position { at: Timestamp::UNIX_EPOCH, id: "x".repeat(LONGEST) };
        assert_eq!(List::Cases.place(&List::Cases.cursor(&place)), None);
    }
}
