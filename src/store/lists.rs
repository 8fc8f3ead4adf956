//! Lists that people page through: what they show, and where the next page begins.
//!
//! A page begins behind the last row of the one before, by that row's own place in the order; what
//! comes in meanwhile moves nothing. *Promise:* a page looks at no more than [`LOOKED_AT`] rows,
//! whatever is asked for, so that nobody's question costs more than a moment. So a page may show
//! little or nothing, and there may still be a next one.

use jiff::Timestamp;

use super::{Action, ActionState, Attempt, Fate};
use crate::domain::case_view::CaseView;
use crate::domain::ids::{CaseId, Fingerprint, IncidentId, RuleName, SourceName, VendorName};
use crate::domain::incident::Incident;
use crate::domain::member::Member;

/// The most rows that are looked at for one page.
pub const LOOKED_AT: usize = 5_000;

/// A row's place in the order of its list: its time, and then its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The time by which the list is sorted.
    pub at: Timestamp,
    /// The row's id; of an alert, its incident's, a slash and its fingerprint.
    pub id: String,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// What is shown.
    pub items: Vec<T>,
    /// Behind which place the next page begins; `None` if this is the last.
    pub next: Option<Position>,
}

impl<T> Listed<T> {
    /// The same page of something else.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(into).collect(), next: self.next }
    }
}

/// From when to when; the first counts, the last does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Label names with the values that are asked for. As for matchers, an empty value asks for a label
/// that is absent or empty.
pub type Wishes = Vec<(String, String)>;

/// Which incidents a list shows; the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// Only those in this state.
    pub state: Option<&'static str>,
    /// Only those of this rule.
    pub rule: Option<RuleName>,
    /// Only those whose case is, or would be, there.
    pub vendor: Option<VendorName>,
    /// Only those whose first alert has these labels.
    pub labels: Wishes,
    /// Only those whose first alert is called so, or has this in its name; case does not count.
    pub title: Option<String>,
    /// Only those that have a case, or that have none.
    pub has_case: Option<bool>,
    /// Only those that began then.
    pub span: Span,
    /// Only those behind this place.
    pub after: Option<Position>,
}

/// Which alerts a list shows: members of incidents, those that changed last first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertsSought {
    /// Only those with this fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// Only those that fire, or that have resolved.
    pub firing: Option<bool>,
    /// Only those of this source.
    pub source: Option<SourceName>,
    /// Only those with these labels.
    pub labels: Wishes,
    /// Only those that are as they are since then.
    pub span: Span,
    /// Only those behind this place.
    pub after: Option<Position>,
}

/// An alert of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertOf {
    /// The incident.
    pub incident: IncidentId,
    /// Its rule.
    pub rule: RuleName,
    /// How it stands.
    pub state: String,
    /// Its case.
    pub case: Option<CaseId>,
    /// The alert.
    pub member: Member,
}

/// Which cases a list shows; those of the newest incidents first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CasesSought {
    /// Only those of this vendor.
    pub vendor: Option<VendorName>,
    /// Only those of incidents of this rule.
    pub rule: Option<RuleName>,
    /// Only those with this status at the vendor, as people read it.
    pub status: Option<String>,
    /// Only those on which the vendor waits for us, or does not.
    pub waits_for_us: Option<bool>,
    /// Only those that are open at the vendor as far as is known, or that are not.
    pub open: Option<bool>,
    /// Only those whose incident began then.
    pub span: Span,
    /// Only those behind this place.
    pub after: Option<Position>,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseOf {
    /// Its incident, without members.
    pub incident: Incident,
    /// Its number.
    pub case: CaseId,
    /// What was last read of it, without comments, and when; `None` if it was never read.
    pub known: Option<(CaseView, Timestamp)>,
}

impl CaseOf {
    /// Whether it is open at the vendor, as far as is known: what was not read is open as long as its
    /// incident goes on.
    pub fn is_open(&self) -> bool {
        match &self.known {
            Some((view, _)) if view.status.is_some() => !view.is_closed(),
            _ => self.incident.state.name() != "closed",
        }
    }
}

/// Actions by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that wait for a person, longest waiting first; without open actions in whose place
    /// another came.
    ForPeople,
    /// Those of them that a person has to make possible, longest waiting first.
    Blocked,
    /// All, the newest first.
    All,
    /// Those in this state that are not blocked, the newest first.
    In(ActionState),
}

/// Which actions a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionsSought {
    /// Only those that stand so.
    pub which: Which,
    /// Only those of this kind, by its name.
    pub kind: Option<&'static str>,
    /// Only those that are done there: a vendor, or the lane of who is told.
    pub vendor: Option<VendorName>,
    /// Only those of this incident.
    pub incident: Option<IncidentId>,
    /// Only those that were decided then.
    pub span: Span,
    /// Only those behind this place.
    pub after: Option<Position>,
}

impl ActionsSought {
    /// All that stand so.
    pub fn that(which: Which) -> Self {
        Self { which, kind: None, vendor: None, incident: None, span: Span::default(), after: None }
    }
}

/// An action, with what a person needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionOf {
    /// The action.
    pub action: Action,
    /// Its incident, without members.
    pub incident: Incident,
    /// The last attempt.
    pub last: Option<Attempt>,
}

/// Which deliveries a list shows; the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveriesSought {
    /// Only those of this source.
    pub source: Option<SourceName>,
    /// Only those of which this became.
    pub fate: Option<Fate>,
    /// Only those that came then.
    pub span: Span,
    /// Only those behind this place.
    pub after: Option<Position>,
}

/// The two parts of the id behind which a page of alerts or actions begins.
pub(crate) fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}
