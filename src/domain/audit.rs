//! The record of what people have had done: who, what, on which object, when, from where, and what
//! came of it.
//!
//! An entry is begun before the act and ended after it, so that no act is without one, whenever the
//! process dies. Every text in it may be a stranger's: it is made of them only through [`bounded`].

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::access::{Means, Role, Who};
use super::ids::{ActionId, DeliveryId, IncidentId, RuleName, VendorName};
use super::text::{beginning, one_line};

/// The longest text of an entry, in characters. A reason for a mute has at most 500.
pub const LONGEST: usize = 600;

/// What somebody had done, or wanted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// That the case of an incident is opened.
    Approve,
    /// That no case of an incident is opened.
    Reject,
    /// That what a case will say is changed before it is opened.
    EditDraft,
    /// That an action is tried again.
    Retry,
    /// That a vendor is probed at once.
    Resume,
    /// That a vendor is left alone.
    Pause,
    /// That nothing is opened for some time.
    Mute,
    /// That a mute ends.
    Unmute,
    /// That catalogs are read.
    Sync,
    /// That a delivery is taken in once more.
    Replay,
    /// That the files are read anew.
    Reload,
    /// To be let in by a browser.
    Login,
    /// To be let in no more.
    Logout,
    /// Something that changes something, without the role for it.
    Request,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 14] = [
        Self::Approve,
        Self::Reject,
        Self::EditDraft,
        Self::Retry,
        Self::Resume,
        Self::Pause,
        Self::Mute,
        Self::Unmute,
        Self::Sync,
        Self::Replay,
        Self::Reload,
        Self::Login,
        Self::Logout,
        Self::Request,
    ];

    /// The name in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::EditDraft => "edit_draft",
            Self::Retry => "retry",
            Self::Resume => "resume",
            Self::Pause => "pause",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Sync => "sync",
            Self::Replay => "replay",
            Self::Reload => "reload",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Request => "request",
        }
    }

    /// The act of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// An incident.
    Incident(IncidentId),
    /// An action.
    Action(ActionId),
    /// A vendor.
    Vendor(VendorName),
    /// A rule.
    Rule(RuleName),
    /// A mute.
    Mute(String),
    /// A delivery.
    Delivery(DeliveryId),
    /// All rules, or all vendors.
    Everything,
    /// Configuration, rules and templates.
    Files,
    /// The console.
    Console,
    /// What was asked for: a method and a path.
    Request(String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(id) => write!(f, "incident {id}"),
            Self::Action(id) => write!(f, "action {id}"),
            Self::Vendor(name) => write!(f, "vendor {name}"),
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Mute(id) => write!(f, "mute {id}"),
            Self::Delivery(id) => write!(f, "delivery {id}"),
            Self::Everything => f.write_str("everything"),
            Self::Files => f.write_str("files"),
            Self::Console => f.write_str("console"),
            Self::Request(what) => f.write_str(what),
        }
    }
}

/// What came of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was begun; whether it was done is not known (yet, or because the process died).
    Begun,
    /// It was done.
    Done,
    /// It was refused, and nothing was changed.
    Refused,
    /// It met trouble; whether something was changed is not known.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Done, Self::Refused, Self::Failed];

    /// The name in the store and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// How an act ended, with why in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, if there is anything to say.
    pub why: String,
}

impl End {
    /// It was done.
    pub fn done() -> Self {
        Self { outcome: Outcome::Done, why: String::new() }
    }

    /// It was refused.
    pub fn refused(why: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Refused, why: bounded(&why.to_string()) }
    }

    /// It met trouble.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Failed, why: bounded(&why.to_string()) }
    }
}

/// An act that is about to be done, with bounded texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// Who; `None`: somebody who was not recognised.
    pub who: Option<String>,
    /// With which role.
    pub role: Option<Role>,
    /// Recognised by what.
    pub means: Option<Means>,
    /// From where.
    pub from: Option<IpAddr>,
    /// What.
    pub act: Act,
    /// On what.
    pub object: String,
    /// More: how long, why.
    pub detail: String,
}

impl Deed {
    /// Of somebody who was recognised.
    pub fn of(who: &Who, act: Act, object: &Object, detail: &str, at: Timestamp) -> Self {
        Self {
            at,
            who: Some(bounded(&who.name)),
            role: Some(who.role),
            means: Some(who.means),
            from: who.from,
            act,
            object: bounded(&object.to_string()),
            detail: bounded(detail),
        }
    }

    /// Of somebody who was not.
    pub fn of_a_stranger(from: Option<IpAddr>, act: Act, object: &Object, at: Timestamp) -> Self {
        Self {
            at,
            who: None,
            role: None,
            means: None,
            from,
            act,
            object: bounded(&object.to_string()),
            detail: String::new(),
        }
    }
}

/// An entry as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Counts up; never used twice.
    pub number: u64,
    /// When the act was begun.
    pub at: Timestamp,
    /// Who: the name of a token or of the proxy's user; `null` if nobody was recognised.
    pub who: Option<String>,
    /// With which role.
    pub role: Option<String>,
    /// Recognised by what: `token`, `session`, `proxy`.
    pub means: Option<String>,
    /// From which address.
    pub from: Option<String>,
    /// What: the name of an [`Act`].
    pub act: String,
    /// On what, such as `incident 0123…`.
    pub object: String,
    /// More: how long, why.
    pub detail: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in words.
    pub why: String,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Which entries a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only acts of this one.
    pub who: Option<String>,
    /// Only such acts.
    pub act: Option<Act>,
    /// Only acts on this object.
    pub object: Option<String>,
    /// Only entries before this number.
    pub before: Option<u64>,
}

/// A stranger's text as it may be kept and shown: on one line, nothing in it that moves a cursor or
/// turns text around, and cut where it is long.
pub fn bounded(text: &str) -> String {
    // Bounded before it is escaped: it may be long, and what is escaped is never shorter.
    let head: String = text.chars().take(LONGEST + 1).collect();
    beginning(&one_line(&head), LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_text_around_is_escaped() {
        assert_eq!(bounded("a\nb\u{1b}[2Jc"), "a\\nb\\u{1b}[2Jc");
        assert_eq!(bounded("safe\u{202e}gpj.exe"), "safe\\u{202e}gpj.exe");
        assert_eq!(bounded("ünïcode, 東京"), "ünïcode, 東京");
    }

    #[test]
    fn a_text_is_kept_whole_up_to_the_limit_and_cut_beyond() {
        let whole = "x".repeat(LONGEST);
        assert_eq!(bounded(&whole), whole);
        let cut = bounded(&"x".repeat(LONGEST + 1));
        assert_eq!(cut.chars().count(), LONGEST);
        assert!(cut.ends_with('…'));
        assert_eq!(bounded(&"\n".repeat(LONGEST)).chars().count(), LONGEST);
    }

    #[test]
    fn acts_are_read_by_the_names_that_they_write() {
        for act in Act::ALL {
            assert_eq!(Act::named(act.name()), Some(act));
        }
    }
}
