//! The cases that were opened, and what vendors do with them.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::People;
use super::paging::{List, Page};
use crate::domain::case_view::{CaseStatus, NextAction};
use crate::store::StoreError;
use crate::store::lists::{CaseOf, CasesSought};

/// A case, in a line. What the vendor did not tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CaseLine {
    /// Its number.
    pub case: String,
    /// The vendor.
    pub vendor: String,
    /// Its incident.
    pub incident: String,
    /// How that stands.
    pub incident_state: &'static str,
    /// What a person calls the alert that began it.
    pub title: String,
    /// The rule that owns it.
    pub rule: String,
    /// How bad; 1 is worst.
    pub rank: u8,
    /// Alerts that fire.
    pub firing: u32,
    /// Whether it is open at the vendor, as far as is known.
    pub open: bool,
    /// How far it is: `created`, `assigned`, `in_progress`, `solved`, `closed`, or the vendor's own
    /// word.
    pub status: Option<String>,
    /// Whose turn it is: `vendor`, `customer`, or the vendor's own word.
    pub next_action: Option<String>,
    /// Whether the vendor waits for us.
    pub waits_for_us: bool,
    /// How many minutes it took the vendor to answer first.
    pub first_response_minutes: Option<u32>,
    /// When its incident began.
    pub created_at: Timestamp,
    /// When anything about it changed last, by the vendor's clock.
    pub updated_at: Option<Timestamp>,
    /// When the vendor was last asked.
    pub checked_at: Option<Timestamp>,
}

impl CaseLine {
    fn of(found: CaseOf) -> Self {
        let open = found.is_open();
        let CaseOf { incident, case, known } = found;
        let (view, checked_at) = known.map_or((None, None), |(view, at)| (Some(view), Some(at)));
        let view = view.unwrap_or_default();
        Self {
            case: case.to_string(),
            vendor: incident.vendor.to_string(),
            incident: incident.id.to_string(),
            incident_state: incident.state.name(),
            title: incident.origin.title(),
            rule: incident.rule.to_string(),
            rank: incident.rank.get(),
            firing: incident.tally.firing,
            open,
            status: view.status.as_ref().map(CaseStatus::as_str).map(str::to_owned),
            next_action: view.next_action.as_ref().map(NextAction::as_str).map(str::to_owned),
            waits_for_us: view.waits_for_us(),
            first_response_minutes: view.first_response,
            created_at: incident.created_at,
            updated_at: view.updated_at,
            checked_at,
        }
    }
}

impl People {
    /// A page of cases, those of the newest incidents first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn cases(
        &self,
        sought: &CasesSought,
        limit: u32,
    ) -> Result<Page<CaseLine>, StoreError> {
        let found = self.store.seek_cases(sought, limit).await?;
        Ok(Page::of(List::Cases, found.map(CaseLine::of)))
    }
}
