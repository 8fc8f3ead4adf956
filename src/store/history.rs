//! What happened when, in numbers: counted in pieces of ten minutes, in the transaction in which it
//! happens. For charts and for the question when a rule last matched; nothing is ever decided by it.

use jiff::Timestamp;

/// How long one piece is.
pub const PIECE_SECONDS: i64 = 600;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tallied {
    /// Alerts that came in, repeats as well, by source.
    Alerts,
    /// Alerts that a rule took, repeats as well, by rule.
    Matches,
    /// Incidents that began, by rule.
    Incidents,
    /// Cases that became known, opened or adopted, by rule.
    Cases,
    /// Attempts that ended, sends and looks, by lane. Summed are their microseconds.
    Attempts,
    /// Looks at the outbox. Summed is how many actions were unfinished.
    Outbox,
}

impl Tallied {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Alerts, Self::Matches, Self::Incidents, Self::Cases, Self::Attempts, Self::Outbox];

    /// The name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Matches => "matches",
            Self::Incidents => "incidents",
            Self::Cases => "cases",
            Self::Attempts => "attempts",
            Self::Outbox => "outbox",
        }
    }
}

/// What was counted of one name in one piece of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// When the piece began.
    pub from: Timestamp,
    /// Whose: a source, a rule, a lane; empty for the outbox.
    pub name: String,
    /// How often.
    pub count: u64,
    /// What was summed; 0 where nothing is.
    pub sum: u64,
    /// The largest of what was summed.
    pub most: u64,
}

/// What was counted of one name in all the time that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Whose: a source, a rule, a lane.
    pub name: String,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
}

/// The beginning of the piece that a time is in.
pub fn piece_of(at: Timestamp) -> Timestamp {
    let seconds = at.as_second().div_euclid(PIECE_SECONDS).saturating_mul(PIECE_SECONDS);
    Timestamp::from_second(seconds).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_its_beginning_and_not_its_end() {
        let piece = |seconds| piece_of(Timestamp::from_second(seconds).unwrap()).as_second();
        assert_eq!((piece(599), piece(600), piece(1199), piece(-1)), (0, 600, 600, -600));
    }
}
