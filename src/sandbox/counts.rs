//! What was asked and answered: the figures that tests of "one incident, one case" rest on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use serde::Serialize;

/// How often an operation was answered in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    /// Method and path form, such as `POST /cases`.
    pub endpoint: &'static str,
    /// The answer's status; none where the connection was cut without an answer.
    pub status: Option<u16>,
    /// How many times.
    pub count: u64,
}

/// All that was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Per endpoint and status.
    pub requests: Vec<RequestCount>,
    /// Create requests that made a case, whatever was answered.
    pub creates_committed: u64,
    /// Comment requests that stored a comment, whatever was answered.
    pub comments_committed: u64,
    /// Closure requests that were stored, whatever was answered.
    pub closures_committed: u64,
    /// Uploads that were accepted, whatever was answered and however they end.
    pub attachments_committed: u64,
    /// Changes of contacts that were stored, whatever was answered.
    pub updates_committed: u64,
}

/// What a request has changed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    Create,
    Comment,
    Closure,
    Attachment,
    Update,
}

#[derive(Debug, Default)]
struct Figures {
    answers: BTreeMap<(&'static str, Option<u16>), u64>,
    creates: u64,
    comments: u64,
    closures: u64,
    attachments: u64,
    updates: u64,
}

/// Counts requests.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Figures>);

impl Counts {
    /// `status` is none where the connection was cut.
    pub(super) fn answered(&self, endpoint: &'static str, status: Option<StatusCode>) {
        let key = (endpoint, status.map(|status| status.as_u16()));
        *self.lock().answers.entry(key).or_default() += 1;
    }

    pub(super) fn committed(&self, what: Committed) {
        let mut figures = self.lock();
        match what {
            Committed::Create => figures.creates += 1,
            Committed::Comment => figures.comments += 1,
            Committed::Closure => figures.closures += 1,
            Committed::Attachment => figures.attachments += 1,
            Committed::Update => figures.updates += 1,
        }
    }

    pub(super) fn report(&self) -> Requests {
        let figures = self.lock();
        let requests = figures
            .answers
            .iter()
            .map(|(&(endpoint, status), &count)| RequestCount { endpoint, status, count })
            .collect();
        Requests {
            requests,
            creates_committed: figures.creates,
            comments_committed: figures.comments,
            closures_committed: figures.closures,
            attachments_committed: figures.attachments,
            updates_committed: figures.updates,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
