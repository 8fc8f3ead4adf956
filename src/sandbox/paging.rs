//! Pages of a list, newest first. A cursor marks a place between two items, so that items that
//! are added at the front meanwhile neither shift nor repeat what follows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::Problem;
use super::query::Query;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// How many items at most, 1 to 200.
    limit: usize,
    /// Only items older than the one with this number.
    before: Option<u64>,
}

impl Page {
    /// `list` names the list, so that a cursor of one is no good for another.
    pub(super) fn of(query: &Query, list: &str) -> Result<Self, Problem> {
        let limit = query.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let before = match query.get("cursor") {
            None => None,
            Some(text) => Some(decode(text, list).ok_or_else(|| {
                Problem::bad_request(format!("cursor '{text}' does not belong to this list"))
            })?),
        };
        Ok(Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), before })
    }

    /// The items of this page out of `newest_first` (each with its number), and the cursor of
    /// the next page if there is one.
    pub(super) fn take<T>(
        self,
        newest_first: impl Iterator<Item = (u64, T)>,
        list: &str,
    ) -> (Vec<T>, Option<String>) {
        let mut wanted =
            newest_first.filter(|(number, _)| self.before.is_none_or(|before| *number < before));
        let page: Vec<(u64, T)> = wanted.by_ref().take(self.limit).collect();
        let last = page.last().map(|(number, _)| *number);
        let next = wanted.next().and(last).map(|last| encode(last, list));
        (page.into_iter().map(|(_, item)| item).collect(), next)
    }
}

fn encode(number: u64, list: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}/{number}"))
}

fn decode(text: &str, list: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix(list)?.strip_prefix('/')?.parse().ok()
}
