//! How patiently a vendor is treated: how fast it is asked, how often for what it did with open cases,
//! and how long and among whose cases a lost one is looked for.

use std::time::Duration;

/// How fast a vendor may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests per second in the long run; above zero.
    pub per_second: f64,
    /// Requests that may go at once after a pause; at least one.
    pub burst: u32,
}

impl Default for Rate {
    /// Careful: the vendor's own limits are not published.
    fn default() -> Self {
        Self { per_second: 1.0, burst: 5 }
    }
}

/// How often a vendor is asked what it did with open cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// So soon after something has happened; above zero.
    pub fastest: Duration,
    /// At least so often while nothing happens; not less than `fastest`.
    pub slowest: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { fastest: Duration::from_secs(60), slowest: Duration::from_secs(15 * 60) }
    }
}

impl Watch {
    /// How long to wait for the next round, after a round that came `waited` after the one before
    /// it: the shortest time after something has happened, then twice as long each time.
    pub fn next(&self, waited: Duration, something_happened: bool) -> Duration {
        if something_happened {
            return self.fastest;
        }
        waited.saturating_mul(2).clamp(self.fastest, self.slowest.max(self.fastest))
    }
}

/// How long and how often to look for what may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconcile {
    /// The vendor's lists may lag; not before this time has passed is "not there" believed.
    pub window: Duration,
    /// How many looks must have found nothing; at least one.
    pub looks: u32,
    /// What follows when all of them have found nothing.
    pub when_not_found: WhenNotFound,
}

/// What follows when every look, over the whole window, has found nothing of what may have been
/// done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenNotFound {
    /// It is sent again: a lost incident is worse than a second case, which would be noticed.
    #[default]
    Retry,
    /// It is held until a person has looked: for vendors whose records are not to be trusted.
    Hold,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { window: Duration::from_secs(120), looks: 3, when_not_found: WhenNotFound::default() }
    }
}

/// Whose cases are listed when a lost one is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListScope {
    /// Those of the vendor's user behind the API client, who is the one that opens them.
    #[default]
    Mine,
    /// All that the user may see: for API clients of several users.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_vendor_is_asked_ever_less_often_and_soon_again_after_a_change() {
        let watch = Watch::default();
        let mut waited = watch.next(Duration::from_secs(900), true);
        let mut minutes = vec![waited.as_secs() / 60];
        for happened in [false, false, false, false, false, true, false] {
            waited = watch.next(waited, happened);
            minutes.push(waited.as_secs() / 60);
        }
        assert_eq!(minutes, [1, 2, 4, 8, 15, 15, 1, 2]);
        assert_eq!(watch.next(Duration::ZERO, false), watch.fastest);
        assert_eq!(watch.next(Duration::MAX, false), watch.slowest);
    }
}
