//! A browser that was let in, and until when it stays so.
//!
//! Never holds what the browser shows: only digests of it, so that whoever reads the database can
//! use no session.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::access::Role;

const MINUTE: Duration = Duration::from_secs(60);

/// How many sessions one name has at most; a further one ends the oldest.
pub const MOST_OF_ONE: u32 = 20;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the login, whatever happens.
    pub lasts: Duration,
    /// From the last request.
    pub idle: Duration,
}

impl Lifetimes {
    /// The least of either.
    pub const LEAST: Duration = MINUTE;
    /// The most of either: what is longer is what tokens are for.
    pub const MOST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
}

impl Default for Lifetimes {
    /// A shift, and a break in it.
    fn default() -> Self {
        Self { lasts: Duration::from_secs(12 * 60 * 60), idle: Duration::from_secs(60 * 60) }
    }
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The digest of what the browser shows.
    pub id: String,
    /// The name of the token that began it.
    pub name: String,
    /// The role that the token had.
    pub role: Role,
    /// Which token it was; see
    /// [`TokenDigest::sealed_with`](super::access::TokenDigest::sealed_with).
    pub seal: String,
    /// Where the login came from.
    pub from: Option<IpAddr>,
    /// When the login was.
    pub created_at: Timestamp,
    /// When a request last came, roughly: see [`Self::is_to_be_noted`].
    pub seen_at: Timestamp,
    /// When it is over at the latest.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp, lifetimes: Lifetimes) -> bool {
        let after =
            |since: Timestamp, time: Duration| since.checked_add(time).is_ok_and(|end| now >= end);
        now >= self.expires_at
            || after(self.created_at, lifetimes.lasts)
            || after(self.seen_at, lifetimes.idle)
    }

    /// Whether a request at `now` is to be written down. A page has many requests, and not each is
    /// worth a write.
    pub fn is_to_be_noted(&self, now: Timestamp, lifetimes: Lifetimes) -> bool {
        let roughly = (lifetimes.idle / 10).min(MINUTE);
        self.seen_at.checked_add(roughly).is_ok_and(|then| now >= then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    fn session() -> Session {
        Session {
            id: "i".to_owned(),
            name: "ops".to_owned(),
            role: Role::Operator,
            seal: "s".to_owned(),
            from: None,
            created_at: T0,
            seen_at: T0,
            expires_at: at(12 * 3600),
        }
    }

    #[test]
    fn a_session_ends_after_its_time_however_busy_it_is() {
        let busy = Session { seen_at: at(12 * 3600 - 1), ..session() };
        assert!(!busy.is_over(at(12 * 3600 - 1), Lifetimes::default()));
        assert!(busy.is_over(at(12 * 3600), Lifetimes::default()));
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it() {
        assert!(!session().is_over(at(3599), Lifetimes::default()));
        assert!(session().is_over(at(3600), Lifetimes::default()));
        let used = Session { seen_at: at(3000), ..session() };
        assert!(!used.is_over(at(6599), Lifetimes::default()));
    }

    #[test]
    fn a_session_that_may_last_less_from_now_on_does() {
        let short = Lifetimes { lasts: Duration::from_secs(600), ..Lifetimes::default() };
        assert!(!session().is_over(at(599), short));
        assert!(session().is_over(at(600), short));
    }

    #[test]
    fn use_is_noted_once_a_minute_and_more_often_where_idling_is_short() {
        assert!(!session().is_to_be_noted(at(59), Lifetimes::default()));
        assert!(session().is_to_be_noted(at(60), Lifetimes::default()));
        let short = Lifetimes { idle: MINUTE, ..Lifetimes::default() };
        assert!(!session().is_to_be_noted(at(5), short));
        assert!(session().is_to_be_noted(at(6), short));
    }
}
