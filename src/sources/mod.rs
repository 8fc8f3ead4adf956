//! Who may send alerts, and what they say: from raw bytes to normalised [`Alert`]s.
//!
//! One file per kind of sender. A source first answers *who is it* from the headers and the raw
//! bytes, and only then *what does it say*: nothing that has not been authenticated is ever
//! parsed. It knows no store, no rule and no clock. A new kind is a new file here and one line
//! where sources are made from the config.

pub mod alertmanager;
pub mod credential;
pub mod pagerduty;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::domain::alert::Alert;
use crate::domain::ids::{Fingerprint, SourceName};
use crate::domain::news::Remark;

/// One configured sender of webhooks.
pub trait Source: Send + Sync {
    /// The configured name, as in `POST /webhooks/{name}`.
    fn name(&self) -> &SourceName;

    /// The kind as the config spells it, such as `alertmanager`.
    fn kind(&self) -> &'static str;

    /// The largest body in bytes that this kind of sender has a reason to post.
    fn body_limit(&self) -> usize;

    /// Who sent it? Sees the headers and the raw bytes only.
    ///
    /// *Invariant*: called, and passed, before [`Source::parse`].
    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Unauthentic>;

    /// Who sends it, as far as the head of the request tells: asked before the body is read, so
    /// that a stranger's body takes no room. Sources that sign bodies cannot tell.
    fn greet(&self, _headers: &HeaderMap) -> Result<(), Unauthentic> {
        Ok(())
    }

    /// What does it say?
    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Received, Unusable>;

    /// Values for `WWW-Authenticate` when authentication fails; none for schemes that HTTP has no
    /// name for.
    fn challenges(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What the person who runs the sender can do if authentication fails.
    fn credential_hint(&self) -> &'static str;

    /// Whether an authentic delivery must never be answered with a 4xx, because the sender would
    /// drop it for good and, after a few, stop sending at all (PagerDuty).
    fn never_refuses(&self) -> bool {
        false
    }
}

/// The configured sources, by name.
pub type Sources = BTreeMap<SourceName, Arc<dyn Source>>;

/// What a source makes of a body that was not posted to it: of a file, or of one that was kept.
/// Nobody is authenticated.
///
/// # Errors
///
/// The source cannot read it.
pub fn read_back(source: &dyn Source, body: &[u8]) -> Result<Received, Unusable> {
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    source.parse(&headers, body)
}

/// What a delivery said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// The alerts; none if the delivery tells of nothing that Casewright acts on.
    pub alerts: Vec<Alert>,
    /// Alerts that have not ended, and go on as others.
    pub moves: Vec<Move>,
    /// What people wrote about alerts.
    pub remarks: Vec<Remarked>,
    /// What a redelivery of the same news carries again, each with its kind in front
    /// (`webhook:…`, `event:…`). Empty for senders of snapshots, where state is compared instead.
    pub ids: Vec<String>,
    /// The sender left alerts out: nothing may be concluded from an alert's absence.
    pub truncated: bool,
    /// Why there are no alerts, or what was odd about them.
    pub note: Option<String>,
}

/// An alert about which a person has written something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remarked {
    /// The alert's source.
    pub source: SourceName,
    /// Which alert of that source.
    pub fingerprint: Fingerprint,
    /// What was written.
    pub remark: Remark,
}

/// An alert that goes on as another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The one.
    pub from: Alert,
    /// The other, as far as the sender tells of it.
    pub into: Alert,
}

/// The sender could not prove who it is. Both are answered `401` with the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthentic {
    /// No credential came along.
    #[error("the request carries no credential that this source accepts")]
    Missing,
    /// A credential came along, and it is not one of the configured ones.
    #[error("the request's credential is not one that this source accepts")]
    Wrong,
}

/// An authentic delivery that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// What is wrong with it.
    pub message: String,
    /// What the person who runs the sender can do about it.
    pub hint: String,
    /// It is answered `202` and kept as a dead letter, because this sender gives up on a 4xx.
    pub acknowledged: bool,
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Real payloads, for tests of this and other layers.

    /// The bytes of a file below `tests/fixtures`.
    pub(crate) fn read(path: &str) -> Vec<u8> {
        let path = format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The names of the JSON files in a folder below `tests/fixtures`, sorted, without those that
    /// start with an underscore.
    pub(crate) fn list(folder: &str) -> Vec<String> {
        let path = format!("{}/tests/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = std::fs::read_dir(&path)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json") && !name.starts_with('_'))
            .collect();
        names.sort();
        names
    }
}
