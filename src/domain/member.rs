//! A member alert of an incident, and what a new message about it means.
//!
//! Senders repeat themselves, come in pairs, and deliver late. What counts is therefore the
//! difference between a message and what is known already, never the message itself.

use std::time::Duration;

use jiff::Timestamp;

use super::alert::{Alert, AlertStatus};
use super::severity::Rank;

/// A member alert as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the sender last said that counted.
    pub alert: Alert,
    /// How bad this alert is by the rule's severity mapping.
    pub rank: Rank,
    /// When its status last changed here.
    pub since: Timestamp,
}

impl Member {
    /// Whether it fires, as far as is known.
    pub fn is_firing(&self) -> bool {
        self.alert.status == AlertStatus::Firing
    }
}

/// What a message about an alert means, given what was known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It fires, and did not before.
    Fired(Member),
    /// It has resolved.
    Resolved(Member),
    /// Its status is as before, but labels or annotations say something new.
    Updated(Member),
    /// Nothing new.
    Repeat,
    /// The message does not count, for this reason.
    Ignored(&'static str),
}

/// For this long after an alert has resolved, a firing message that begins before that end is
/// taken for the late twin of an old one: the peer of an Alertmanager pair, still retrying. After
/// that it is believed. Peers wait `position × 15 s` and retry within one group interval (5 min
/// by default).
pub const LATE_TWIN_GRACE: Duration = Duration::from_secs(5 * 60);

/// Compares a message with what is known of the alert.
pub fn observe(known: Option<&Member>, alert: &Alert, rank: Rank, now: Timestamp) -> Observation {
    let heard = |since| Member { alert: alert.clone(), rank, since };
    let Some(known) = known else {
        return match alert.status {
            AlertStatus::Firing => Observation::Fired(heard(now)),
            // The beginning may still be under way; when it comes, it is known to be older.
            AlertStatus::Resolved if alert.occurred_at.is_some() => {
                Observation::Resolved(heard(now))
            }
            // Alertmanager mentions alerts that began and ended between two notifications.
            AlertStatus::Resolved => Observation::Ignored("resolved, and was never seen firing"),
        };
    };
    // Senders of events order them by their own time; delivery may reorder and delay them.
    if let (Some(before), Some(this)) = (known.alert.occurred_at, alert.occurred_at)
        && this < before
    {
        return Observation::Ignored("older than what is known already");
    }
    match (known.alert.status, alert.status) {
        (AlertStatus::Firing, AlertStatus::Resolved) => Observation::Resolved(heard(now)),
        (AlertStatus::Resolved, AlertStatus::Firing) if is_late_twin(known, alert, now) => {
            Observation::Ignored("a late twin of a message about an alert that has resolved since")
        }
        (AlertStatus::Resolved, AlertStatus::Firing) => Observation::Fired(heard(now)),
        _ if says_the_same(&known.alert, alert) => Observation::Repeat,
        _ => Observation::Updated(heard(known.since)),
    }
}

fn is_late_twin(known: &Member, alert: &Alert, now: Timestamp) -> bool {
    if alert.occurred_at.is_some() {
        return false; // Ordered by the sender's own time already.
    }
    let begins_before_the_end = match (alert.starts_at, known.alert.ends_at) {
        (Some(starts), Some(ends)) => starts <= ends,
        _ => false,
    };
    begins_before_the_end && now < crate::time::later(known.since, LATE_TWIN_GRACE)
}

/// Links and times differ between the peers of a pair that tell the same news; they do not count.
fn says_the_same(known: &Alert, alert: &Alert) -> bool {
    known.labels == alert.labels && known.annotations == alert.annotations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, alert, at, event};

    fn member(alert: Alert) -> Member {
        Member { alert, rank: Rank::WORST, since: T0 }
    }

    #[test]
    fn a_resolved_alert_that_was_never_seen_firing_is_ignored() {
        let seen = observe(None, &alert("a").resolved(at(0)).build(), Rank::WORST, T0);
        assert!(matches!(seen, Observation::Ignored(_)));
    }

    #[test]
    fn a_repeat_with_other_links_is_still_a_repeat() {
        let known = member(alert("a").link("http://am-1/").build());
        let twin = alert("a").link("http://am-2/").build();
        assert_eq!(observe(Some(&known), &twin, Rank::WORST, T0), Observation::Repeat);
    }

    #[test]
    fn a_changed_annotation_is_an_update_that_keeps_the_time_of_the_status() {
        let known = member(alert("a").annotation("value", "7").build());
        let news = alert("a").annotation("value", "9").build();
        let Observation::Updated(member) = observe(Some(&known), &news, Rank::WORST, at(60)) else {
            panic!("not an update");
        };
        assert_eq!(member.since, T0);
    }

    #[test]
    fn a_firing_twin_is_late_only_within_the_grace_and_only_if_it_began_before_the_end() {
        let known = member(alert("a").starts(at(-60)).resolved(at(0)).build());
        let twin = alert("a").starts(at(-60)).build();
        let grace = i64::try_from(LATE_TWIN_GRACE.as_secs()).expect("small");
        for (after, new_start, expect_ignored) in
            [(0, false, true), (grace - 1, false, true), (grace, false, false), (0, true, false)]
        {
            let message = if new_start { alert("a").starts(at(1)).build() } else { twin.clone() };
            let seen = observe(Some(&known), &message, Rank::WORST, at(after));
            assert_eq!(
                matches!(seen, Observation::Ignored(_)),
                expect_ignored,
                "{after} s after the end, new start: {new_start}"
            );
        }
    }

    #[test]
    fn an_event_that_is_older_than_the_known_one_changes_nothing() {
        let known = member(event("q", 100).resolved(at(100)).build());
        let late = event("q", 50).build();
        assert!(matches!(
            observe(Some(&known), &late, Rank::WORST, at(101)),
            Observation::Ignored(_)
        ));
        let newer = event("q", 101).build();
        assert!(matches!(
            observe(Some(&known), &newer, Rank::WORST, at(101)),
            Observation::Fired(_)
        ));
    }
}
