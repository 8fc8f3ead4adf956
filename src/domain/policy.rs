//! A rule's lifecycle policy: what a team wants of the life of its incidents.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::schedule::Schedule;
use super::telling::Telling;

/// What happens at the vendor once every alert of an incident has resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolveAction {
    /// The case gets a comment; a person closes it.
    Comment,
    /// The case gets a comment, and its closure is requested.
    Close,
    /// Nothing.
    None,
}

impl ResolveAction {
    /// What happens to the case, in words.
    pub fn as_words(self) -> &'static str {
        match self {
            Self::Comment => "the case gets a comment",
            Self::Close => "the case gets a comment and a closure request",
            Self::None => "the rule leaves the case alone",
        }
    }
}

/// Who opens cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenMode {
    /// Casewright does, by itself.
    #[default]
    Auto,
    /// A person looks at each draft and approves it.
    Approve,
    /// Nobody: all is done but the sending, to try a rule on live traffic.
    Shadow,
}

/// What happens to incidents over the case budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// They are held until the budget frees, worst and oldest first.
    #[default]
    Hold,
    /// They are held, and one case per rule stands for all of them.
    Rollup,
}

/// A case budget: the storm guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// This many cases are opened at most ...
    pub cases: u32,
    /// ... within this time, which glides.
    pub per: Duration,
    /// What happens to the rest.
    pub overflow: Overflow,
}

impl Limit {
    /// Budgets look back a week at most.
    pub const MAX_PER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// The budget over all rules where the config names none.
    pub const DEFAULT: Self =
        Self { cases: 20, per: Duration::from_secs(60 * 60), overflow: Overflow::Hold };
}

/// The default is safe for someone who never read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long it must fire before a case is opened; zero opens at once.
    pub open_after: Duration,
    /// Who opens it.
    pub open_mode: OpenMode,
    /// What changes is told on the case at most this often; a severity that rises is told at once.
    pub update_every: Duration,
    /// Whether changed annotations alone are worth a comment.
    pub update_on_annotations: bool,
    /// Whether what people write about an incident at its sender is told on its case.
    pub update_notes: bool,
    /// How long it must be quiet before it counts as over; zero means at once.
    pub resolve_after: Duration,
    /// What then happens.
    pub resolve_action: ResolveAction,
    /// A re-fire within this time after the end goes on with the same case. At most 14 days: the
    /// vendor accepts no comments later than that.
    pub reopen_within: Duration,
    /// After this time without a word from its sender an incident counts as over. Zero: never.
    /// `None`: [`Self::STALE_AFTER`] where the sender repeats itself, never where it speaks only
    /// when something happens.
    pub stale_after: Option<Duration>,
    /// What then happens.
    pub stale_action: ResolveAction,
    /// The rule's own case budget.
    pub limit: Option<Limit>,
    /// Times in which the rule is muted: no case is opened.
    pub mute: Option<Arc<Schedule>>,
    /// The rule names contacts. They are brought up to date when a case goes on after a re-fire:
    /// somebody else may be on call by then.
    pub names_contacts: bool,
    /// Who is told what happens to the case.
    pub tell: Arc<Telling>,
}

impl Policy {
    /// The vendor accepts comments until 14 days after a case was closed.
    pub const MAX_REOPEN_WITHIN: Duration = Duration::from_secs(14 * 24 * 60 * 60);

    /// Three times the interval at which Alertmanager repeats itself by default.
    pub const STALE_AFTER: Duration = Duration::from_secs(12 * 60 * 60);

    /// The policy of the roll-up that stands for incidents under this one. Those have waited already,
    /// and each of them tells when it is over.
    #[must_use]
    pub fn of_rollup(self) -> Self {
        Self {
            open_after: Duration::ZERO,
            open_mode: OpenMode::Auto,
            stale_after: Some(Duration::ZERO),
            limit: None,
            mute: None,
            ..self
        }
    }

    /// How long the sender of `origin` may be silent; `None`: for ever.
    pub fn patience(&self, origin: &Alert) -> Option<Duration> {
        match self.stale_after {
            Some(after) => Some(after).filter(|after| !after.is_zero()),
            None if origin.occurred_at.is_some() => None,
            None => Some(Self::STALE_AFTER),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            open_after: Duration::ZERO,
            open_mode: OpenMode::Auto,
            update_every: Duration::from_secs(30 * 60),
            update_on_annotations: true,
            update_notes: false,
            resolve_after: Duration::ZERO,
            resolve_action: ResolveAction::Comment,
            reopen_within: Duration::from_secs(24 * 60 * 60),
            stale_after: None,
            stale_action: ResolveAction::Comment,
            limit: None,
            mute: None,
            names_contacts: false,
            tell: Arc::default(),
        }
    }
}
