//! A member alert of an incident, and what a new message about it means.

use super::alert::Alert;

/// A member alert as last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the sender last said that counted.
    pub alert: Alert,
}
