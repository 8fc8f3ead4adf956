//! What was just done, told on the page to which a button leads.
//!
//! *Invariant:* an address only asks for it. What is told is what the record of acts says that the
//! very visitor has just had done about the page's matter, so that no link of anybody can make a
//! page say that something was done which was not.

use std::time::Duration;

use jiff::Timestamp;

use super::Console;
use super::refused::sentence;
use crate::domain::audit::{Act, Asked, Entry, Outcome};
use crate::http::access::Visit;
use crate::store::StoreError;
use crate::time::between;

/// The parameter of an address that asks for it; its value says nothing.
pub(super) const DONE: &str = "done";
/// So long something was just done.
const JUST: Duration = Duration::from_secs(60);
/// So many entries of the record are looked at.
const NEWEST: u32 = 50;

/// What a banner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Done {
    /// Whether it was done.
    pub(in crate::http) good: bool,
    /// In a sentence.
    pub(in crate::http) what: String,
}

/// What the visitor has just had done of what this page is about, if the address asks for it.
pub(super) async fn just_done(
    console: &Console,
    visit: &Visit,
    asked: Option<&str>,
    about: impl Fn(&Entry) -> bool,
) -> Result<Option<Done>, StoreError> {
    if asked.is_none() {
        return Ok(None);
    }
    let people = &console.api.people;
    let (entries, _) = people.acts(&Asked::default(), NEWEST).await?;
    let now = people.clock.now();
    let by = |entry: &&Entry| {
        entry.who.as_deref() == Some(visit.who.name.as_str())
            && entry.means.as_deref() == Some(visit.who.means.name())
    };
    let newest = entries.iter().filter(by).find(|entry| about(entry) && button(entry).is_some());
    Ok(newest.and_then(|entry| told(entry, now)))
}

/// What the record says of an act, as long as it has just happened.
fn told(entry: &Entry, now: Timestamp) -> Option<Done> {
    if between(entry.at, now) >= JUST || entry.at > now {
        return None;
    }
    match entry.outcome {
        Outcome::Done => Some(Done { good: true, what: button(entry)?.to_owned() }),
        Outcome::Refused => {
            Some(Done { good: false, what: sentence(&format!("not done: {}", entry.why)) })
        }
        Outcome::Begun | Outcome::Failed => None,
    }
}

/// What a button has done, once it is done; none of acts for which there is no button.
fn button(entry: &Entry) -> Option<&'static str> {
    Some(match Act::named(&entry.act)? {
        Act::Approve => "Approved: its case is being opened.",
        Act::Reject => "Rejected: no case is opened.",
        Act::EditDraft => "Changed: the case will say it so.",
        Act::Retry if entry.detail == "send at once" => "It is sent again.",
        Act::Retry => "It is tried again: the vendor's records are read first.",
        Act::Resume => "What waits goes on; a vendor that is in trouble is probed at once.",
        Act::Pause => "The vendor is left alone. What is to be done there waits.",
        Act::Mute => "Muted: no case is opened until it ends.",
        Act::Unmute => "Lifted: what still fires gets its case.",
        Act::Sync | Act::Replay | Act::Reload | Act::Login | Act::Logout | Act::Request => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    fn entry(act: Act, outcome: Outcome) -> Entry {
        Entry {
            number: 1,
            at: T0,
            who: Some("kim".to_owned()),
            role: None,
            means: Some("session".to_owned()),
            from: None,
            act: act.name().to_owned(),
            object: "incident 1".to_owned(),
            detail: String::new(),
            outcome,
            why: "it is open".to_owned(),
            ended_at: None,
        }
    }

    #[test]
    fn what_was_done_is_told_for_a_minute() {
        let approved = entry(Act::Approve, Outcome::Done);
        assert!(told(&approved, T0).is_some_and(|done| done.good));
        assert!(told(&approved, at(59)).is_some());
        assert_eq!(told(&approved, at(60)), None);
        assert_eq!(told(&approved, at(-1)), None, "a clock that was set back");
    }

    #[test]
    fn what_was_not_done_is_never_told_as_done() {
        let refused = told(&entry(Act::Resume, Outcome::Refused), T0).unwrap();
        assert_eq!((refused.good, refused.what.as_str()), (false, "Not done: it is open."));
        for outcome in [Outcome::Begun, Outcome::Failed] {
            assert_eq!(told(&entry(Act::Approve, outcome), T0), None);
        }
        assert_eq!(told(&entry(Act::Reload, Outcome::Done), T0), None, "there is no such button");
    }
}
