//! The alerts that incidents are made of.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::People;
use super::paging::{List, Page};
use crate::domain::alert::Labels;
use crate::domain::ids::CaseId;
use crate::store::StoreError;
use crate::store::lists::{AlertOf, AlertsSought};

/// An alert, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertLine {
    /// Tells it from other alerts of the same source.
    pub fingerprint: String,
    /// What a person calls it.
    pub title: String,
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// How bad; 1 is worst.
    pub rank: u8,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// Since when it fires, as far as the sender knows.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// The source that it came through.
    pub source: String,
    /// What matchers see.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// The incident that it belongs to.
    pub incident: String,
    /// How that stands.
    pub incident_state: String,
    /// The rule that owns it.
    pub rule: String,
    /// Its case.
    pub case: Option<String>,
}

impl AlertLine {
    fn of(found: AlertOf) -> Self {
        let AlertOf { incident, rule, state, case, member } = found;
        let alert = member.alert;
        Self {
            title: alert.title(),
            fingerprint: alert.fingerprint.to_string(),
            status: alert.status.as_str(),
            rank: member.rank.get(),
            since: member.since,
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            source: alert.source.to_string(),
            labels: alert.labels,
            incident: incident.to_string(),
            incident_state: state,
            rule: rule.to_string(),
            case: case.as_ref().map(CaseId::to_string),
        }
    }
}

impl People {
    /// A page of alerts, those that changed last first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn alerts(
        &self,
        sought: &AlertsSought,
        limit: u32,
    ) -> Result<Page<AlertLine>, StoreError> {
        let found = self.store.seek_alerts(sought, limit).await?;
        Ok(Page::of(List::Alerts, found.map(AlertLine::of)))
    }
}
