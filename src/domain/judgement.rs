//! What a person says about an incident that has no case yet.

use jiff::Timestamp;

use super::incident::Incident;
use super::lifecycle::{Event, Reason, Step, step};
use super::policy::Policy;

/// What a person says about an incident that has no case yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Open the case, whatever holds it.
    Approve,
    /// No case.
    Reject,
}

impl Judgement {
    /// What is done to the incident, as in "it cannot be approved".
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
        }
    }
}

/// Decides what a person's word changes. It needs no room in a budget, and waits for no mute to
/// end. Whether it was heeded, [`was_heeded`] tells.
pub fn judge(incident: &Incident, judgement: Judgement, policy: &Policy, now: Timestamp) -> Step {
    let event = match judgement {
        Judgement::Approve => Event::Approved,
        Judgement::Reject => Event::Rejected,
    };
    step(Some(incident), &event, policy, None, now)
}

/// Whether a step of [`judge`] has done as the person said; otherwise the incident is not one that
/// can be judged so, and nothing has changed.
pub fn was_heeded(step: &Step) -> bool {
    matches!(step.reason, Reason::Approved | Reason::Rejected)
}
