//! The life of an incident.

use std::time::Duration;

/// What happens at the vendor once every alert of an incident has resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolveAction {
    /// The case gets a comment; a person closes it.
    Comment,
    /// The case gets a comment, and its closure is requested.
    Close,
    /// Nothing.
    None,
}

/// A rule's lifecycle policy. The default is safe for someone who never read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long it must fire before a case is opened; zero opens at once.
    pub open_after: Duration,
    /// How long it must be quiet before it counts as over; zero means at once.
    pub resolve_after: Duration,
    /// What then happens.
    pub resolve_action: ResolveAction,
    /// A re-fire within this time after the end goes on with the same case. At most 14 days: the
    /// vendor accepts no comments later than that.
    pub reopen_within: Duration,
}

impl Policy {
    /// The vendor accepts comments until 14 days after a case was closed.
    pub const MAX_REOPEN_WITHIN: Duration = Duration::from_secs(14 * 24 * 60 * 60);
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            open_after: Duration::ZERO,
            resolve_after: Duration::ZERO,
            resolve_action: ResolveAction::Comment,
            reopen_within: Duration::from_secs(24 * 60 * 60),
        }
    }
}
