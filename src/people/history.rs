//! The last day in numbers, for people who would rather look than read, and for charts. Counted in
//! pieces of ten minutes by the store; here only put in order.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::People;
use crate::store::StoreError;
use crate::store::history::{PIECE_SECONDS, Tallied, Tally, piece_of};
use crate::time::{earlier, later};

/// How far back is looked.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Pieces in that time, the one that has just begun included.
pub const PIECES: usize = 144;

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What happened in ten minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// How often.
    pub count: u64,
    /// What was summed: microseconds of attempts, or actions that wait.
    pub sum: u64,
    /// The largest of what was summed.
    pub most: u64,
}

impl Piece {
    /// The mean of what was summed.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }
}

/// A day of something, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// When the first piece began.
    pub from: Timestamp,
    /// All pieces, also those in which nothing happened.
    pub pieces: Vec<Piece>,
}

impl Day {
    /// The day that ends with the piece that `now` is in.
    pub fn of<'a>(tallies: impl IntoIterator<Item = &'a Tally>, now: Timestamp) -> Self {
        let from = first_piece(now);
        let mut pieces = vec![Piece::default(); PIECES];
        for tally in tallies {
            let seconds = tally.from.as_second().saturating_sub(from.as_second());
            let place = usize::try_from(seconds.div_euclid(PIECE_SECONDS)).ok();
            // What is older, or of a clock that was set back, is not of this day.
            let Some(piece) = place.and_then(|place| pieces.get_mut(place)) else { continue };
            piece.count = piece.count.saturating_add(tally.count);
            piece.sum = piece.sum.saturating_add(tally.sum);
            piece.most = piece.most.max(tally.most);
        }
        Self { from, pieces }
    }

    /// How often in all.
    pub fn count(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.count).fold(0, u64::saturating_add)
    }
}

/// When the oldest piece of the day that ends with `now` began.
fn first_piece(now: Timestamp) -> Timestamp {
    let piece = Duration::from_secs(PIECE_SECONDS.unsigned_abs());
    later(earlier(piece_of(now), DAY), piece)
}

/// What the overview draws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastDay {
    /// Alerts that came in, repeats as well.
    pub alerts: Day,
    /// Cases that became known.
    pub cases: Day,
    /// Exchanges with each vendor and target, with their microseconds.
    pub attempts: BTreeMap<String, Day>,
    /// Actions that were unfinished whenever it was looked.
    pub outbox: Day,
}

impl People {
    /// The last day in numbers.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn last_day(&self) -> Result<LastDay, StoreError> {
        let now = self.clock.now();
        let since = first_piece(now);
        let alerts = self.store.tallies(Tallied::Alerts, since).await?;
        let cases = self.store.tallies(Tallied::Cases, since).await?;
        let outbox = self.store.tallies(Tallied::Outbox, since).await?;
        let attempts = self.store.tallies(Tallied::Attempts, since).await?;
        Ok(LastDay {
            alerts: Day::of(&alerts, now),
            cases: Day::of(&cases, now),
            attempts: by_name(&attempts, now),
            outbox: Day::of(&outbox, now),
        })
    }

    /// Looks at the outbox every minute, until `stop`.
    pub async fn watch_outbox(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.store.sample_outbox(self.clock.now()).await {
                // The store tells of its trouble itself; a chart with a gap is no trouble.
                tracing::debug!(%error, "the outbox was not counted: {error}");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// A day of each name.
pub(super) fn by_name(tallies: &[Tally], now: Timestamp) -> BTreeMap<String, Day> {
    let mut names: BTreeMap<&str, Vec<&Tally>> = BTreeMap::new();
    for tally in tallies {
        names.entry(&tally.name).or_default().push(tally);
    }
    names.into_iter().map(|(name, tallies)| (name.to_owned(), Day::of(tallies, now))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn tally(from: i64, name: &str, count: u64, sum: u64, most: u64) -> Tally {
        Tally { from: at(from), name: name.to_owned(), count, sum, most }
    }

    #[test]
    fn a_day_ends_with_the_piece_that_has_just_begun_and_forgets_what_is_older() {
        let now = at(86_400 * 3 + 5);
        let newest = 86_400 * 3;
        let oldest = newest - 143 * 600;
        let tallies = [
            tally(oldest - 600, "a", 9, 0, 0),
            tally(oldest, "a", 1, 0, 0),
            tally(newest, "a", 2, 0, 0),
            tally(newest + 600, "a", 9, 0, 0),
        ];
        let day = Day::of(&tallies, now);
        assert_eq!((day.from, day.pieces.len(), day.count()), (at(oldest), PIECES, 3));
        assert_eq!(day.pieces[0].count, 1);
        assert_eq!(day.pieces[143].count, 2);
    }

    #[test]
    fn what_several_names_counted_is_summed_and_the_largest_stays_the_largest() {
        let tallies = [tally(0, "a", 1, 10, 10), tally(0, "b", 3, 90, 40)];
        let piece = Day::of(&tallies, at(1)).pieces[143];
        assert_eq!(piece, Piece { count: 4, sum: 100, most: 40 });
        assert_eq!((piece.mean(), Piece::default().mean()), (25, 0));
        assert_eq!(by_name(&tallies, at(1)).len(), 2);
    }
}
