//! A person says whether an incident that has no case yet is to get one.

use std::sync::Arc;

use super::People;
use super::drafts::{Moved, Seen};
use super::record::Summary;
use crate::domain::access::Operator;
use crate::domain::audit::{Act, End, Object};
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::judgement::{self, Judgement};
use crate::domain::storm::Usage;
use crate::store::{NotEdited, StoreError, cause};

/// Why an incident is neither approved nor rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotJudged {
    /// There is none.
    #[error("there is no such incident")]
    Unknown,
    /// It is not waiting.
    #[error("it is {0}, and only what is held or pending has no case yet")]
    NotWaiting(&'static str),
    /// Its draft is not what was seen.
    #[error("{0}")]
    Moved(#[from] Moved),
}

impl People {
    /// A person approves or rejects an incident that has no case yet, if its draft is still what they
    /// have `seen`.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn judge(
        &self,
        by: &Operator,
        id: &IncidentId,
        judgement: Judgement,
        seen: Seen,
    ) -> Result<Result<Summary, NotJudged>, StoreError> {
        let act = match judgement {
            Judgement::Approve => Act::Approve,
            Judgement::Reject => Act::Reject,
        };
        let came_of = |judged: &Result<Summary, NotJudged>| match judged {
            Ok(_) => End::done(),
            Err(why) => End::refused(why),
        };
        let object = Object::Incident(id.clone());
        let work = self.judged(id, judgement, seen, &by.name);
        self.act(by, act, &object, "", work, came_of).await
    }

    async fn judged(
        &self,
        id: &IncidentId,
        judgement: Judgement,
        seen: Seen,
        who: &str,
    ) -> Result<Result<Summary, NotJudged>, StoreError> {
        let (playbook, now) = (self.playbook.get(), self.clock.now());
        let rules = playbook.clone();
        let decide = Arc::new(move |incident: &Incident, _: &Usage| {
            judgement::judge(incident, judgement, &rules.policy(incident), now)
        });
        let cause = cause::person(who);
        let advanced = if seen == Seen::Whatever {
            let step = self.store.advance(id, &cause, now, decide).await?;
            step.ok_or(NotEdited::Unknown)
        } else {
            let Some(incident) = self.store.incident(id).await? else {
                return Ok(Err(NotJudged::Unknown));
            };
            let edited = self.store.edited_draft(id).await?;
            let sheet = self.sheet(&incident, edited.as_ref()).await?;
            // What is not waiting has no draft that could have moved: that is told first.
            if let (true, Err(moved)) = (incident.state.has_draft(), sheet.is(&seen)) {
                return Ok(Err(moved.into()));
            }
            self.store.advance_as_seen(id, sheet.edits, &cause, now, decide).await?
        };
        let step = match advanced {
            Ok(step) => step,
            Err(NotEdited::Moved) => return Ok(Err(Moved::Edited.into())),
            Err(_) => return Ok(Err(NotJudged::Unknown)),
        };
        let heeded = judgement::was_heeded(&step);
        let Some(incident) = step.incident else { return Ok(Err(NotJudged::Unknown)) };
        if !heeded {
            return Ok(Err(NotJudged::NotWaiting(incident.state.name())));
        }
        self.wake.notify_one();
        Ok(Ok(Summary::of(&incident, &playbook)))
    }
}
