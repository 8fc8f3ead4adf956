//! Faults on demand: which kind, for which requests, how often. Decides only; what a fault does
//! to a request is done where requests are answered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use crate::rng::Rng;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A definite 400 of the API; nothing is done.
    Refuse,
    /// 429 with `Retry-After`; nothing is done.
    Throttle,
    /// The work is done late: `millis` after the request arrived, even if the client has left by
    /// then. So a case can appear after the client looked for it in vain.
    Delay,
    /// The work is done at once, the answer comes late.
    DelayAfterCommit,
    /// The work is done, then the connection is cut without an answer.
    DropAfterCommit,
    /// The work is done, then a 500 is answered.
    ErrorAfterCommit,
    /// The connection is cut without an answer, and nothing is done.
    DropBeforeCommit,
    /// As if the vendor were gone: the connection is cut before the signature is looked at.
    Down,
    /// Lists do not show cases younger than `seconds`; reading one by its id works.
    StaleLists,
    /// Uploads that are accepted fail.
    FailUpload,
    /// Uploads that are accepted take `seconds`.
    SlowUpload,
    /// The gateway's 403: the API client lacks the grant.
    NoGrant,
    /// The gateway's 401: the API client is no longer active.
    Revoked,
}

/// Which requests a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// `POST /cases`.
    Create,
    /// `POST /cases/{caseId}/comments`.
    Comment,
    /// `POST /cases/{caseId}/request-case-closure`.
    Close,
    /// `POST /cases/{caseId}/attachments`.
    Attach,
    /// `PATCH /cases/{caseId}`.
    Update,
    /// Every GET.
    Read,
    /// Everything that is no GET.
    Write,
    /// All requests.
    #[default]
    Any,
}

/// One fault. Of the conditions `next`, `share` and `every`, all that are given must hold; with
/// none, every matching request is hit.
///
/// Kinds that act after the work was done match only requests that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// For which requests; all if not given.
    #[serde(default)]
    pub on: On,
    /// How many requests to hit, after which the fault is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The chance of a matching request to be hit, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Hits each n-th matching request: 2 is the second, fourth, and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Seconds after which the fault ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// Of a delay: its length in milliseconds; 1000 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// Of a throttle: the `Retry-After` in seconds; 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Of stale lists: the age in seconds from which a case is listed. Of a slow upload: how long
    /// it takes. 60 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Fault {
    /// A fault that hits every request that `on` matches.
    pub fn new(kind: Kind, on: On) -> Self {
        Self {
            kind,
            on,
            next: None,
            share: None,
            every: None,
            for_seconds: None,
            millis: None,
            retry_after: None,
            seconds: None,
        }
    }

    /// A fault that hits the next `count` requests that `on` matches.
    pub fn on_next(kind: Kind, on: On, count: u64) -> Self {
        Self { next: Some(count), ..Self::new(kind, on) }
    }

    fn check(&self) -> Result<(), &'static str> {
        let delays = matches!(self.kind, Kind::Delay | Kind::DelayAfterCommit);
        if self.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err("share must be from 0 to 1");
        }
        if self.every == Some(0) {
            return Err("every must be 1 or more");
        }
        if self.millis.is_some() && !delays {
            return Err("millis is for delay and delay_after_commit only");
        }
        if self.retry_after.is_some() && self.kind != Kind::Throttle {
            return Err("retry_after is for throttle only");
        }
        if self.seconds.is_some() && !matches!(self.kind, Kind::StaleLists | Kind::SlowUpload) {
            return Err("seconds is for stale_lists and slow_upload only");
        }
        if matches!(self.kind, Kind::FailUpload | Kind::SlowUpload)
            && !matches!(self.on, On::Attach | On::Write | On::Any)
        {
            return Err("fail_upload and slow_upload can only be on attach, write or any");
        }
        if self.kind == Kind::StaleLists && !matches!(self.on, On::Read | On::Any) {
            return Err("stale_lists can only be on read or any");
        }
        Ok(())
    }
}

/// Why faults were not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault {position}: {complaint}")]
pub struct FaultError {
    /// Which of the faults, counted from 1.
    pub position: usize,
    /// What is wrong with it.
    pub complaint: &'static str,
}

/// A fault, and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultReport {
    /// As it was set.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests it could have hit.
    pub matched: u64,
    /// How many it has hit.
    pub hits: u64,
    /// Whether it can still hit.
    pub active: bool,
}

/// At what point of a request's way faults are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the signature is looked at.
    Arrival,
    /// The signature is right, nothing is done yet.
    Admitted,
    /// A list is being made.
    Listing,
    /// An upload is being accepted.
    Upload,
    /// The work is done, the answer is not sent.
    Done,
}

impl Kind {
    fn stage(self) -> Stage {
        match self {
            Self::Down | Self::Revoked => Stage::Arrival,
            Self::NoGrant
            | Self::Refuse
            | Self::Throttle
            | Self::DropBeforeCommit
            | Self::Delay => Stage::Admitted,
            Self::StaleLists => Stage::Listing,
            Self::FailUpload | Self::SlowUpload => Stage::Upload,
            Self::DropAfterCommit | Self::ErrorAfterCommit | Self::DelayAfterCommit => Stage::Done,
        }
    }
}

/// What the faults of one stage do to a request. Delays add up; of the rest the first counts.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) delay: Duration,
    pub(super) effect: Option<Fault>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    ends: Option<Timestamp>,
    matched: u64,
    hits: u64,
}

impl Armed {
    fn is_active(&self, now: Timestamp) -> bool {
        self.fault.next.is_none_or(|next| self.hits < next)
            && self.ends.is_none_or(|ends| now < ends)
    }

    /// Counts a matching request and tells whether it is hit.
    fn draw(&mut self, rng: &Rng) -> bool {
        self.matched += 1;
        let turn = self.fault.every.is_none_or(|every| self.matched.is_multiple_of(every));
        let hit = turn && self.fault.share.is_none_or(|share| rng.unit() < share);
        self.hits += u64::from(hit);
        hit
    }
}

/// The faults that are set.
#[derive(Debug)]
pub(super) struct Faults {
    armed: Mutex<Vec<Armed>>,
    rng: Rng,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { armed: Mutex::default(), rng: Rng::seeded(seed) }
    }

    /// Replaces all faults. `now` is the real time: a skewed clock must not end them.
    pub(super) fn set(&self, faults: Vec<Fault>, now: Timestamp) -> Result<(), FaultError> {
        for (index, fault) in faults.iter().enumerate() {
            fault.check().map_err(|complaint| FaultError { position: index + 1, complaint })?;
        }
        let arm = |fault: Fault| Armed {
            ends: fault.for_seconds.map(|n| crate::time::later(now, Duration::from_secs(n))),
            fault,
            matched: 0,
            hits: 0,
        };
        *self.lock() = faults.into_iter().map(arm).collect();
        Ok(())
    }

    pub(super) fn report(&self, now: Timestamp) -> Vec<FaultReport> {
        let report = |armed: &Armed| FaultReport {
            fault: armed.fault.clone(),
            matched: armed.matched,
            hits: armed.hits,
            active: armed.is_active(now),
        };
        self.lock().iter().map(report).collect()
    }

    /// What happens to a request at `stage`. A fault behind the one that counts is not used up.
    pub(super) fn draw(
        &self,
        stage: Stage,
        endpoint: &Endpoint,
        method: &Method,
        now: Timestamp,
    ) -> Drawn {
        let mut drawn = Drawn::default();
        for armed in self.lock().iter_mut() {
            let meant = armed.fault.kind.stage() == stage && endpoint.is(armed.fault.on, method);
            if !meant || !armed.is_active(now) || !armed.draw(&self.rng) {
                continue;
            }
            if matches!(armed.fault.kind, Kind::Delay | Kind::DelayAfterCommit) {
                let millis = armed.fault.millis.unwrap_or(1000);
                drawn.delay = drawn.delay.saturating_add(Duration::from_millis(millis));
            } else {
                drawn.effect = Some(armed.fault.clone());
                break;
            }
        }
        drawn
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
