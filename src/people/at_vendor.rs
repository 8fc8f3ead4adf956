//! How the case of an incident stands at its vendor, as it was last read.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::case_view::{CaseStatus, CaseView, KeptCase, NextAction, VendorComment};

/// See the [module](self). What the vendor did not tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AtVendor {
    /// The case.
    pub case: String,
    /// How far it is: `created`, `assigned`, `in_progress`, `solved`, `closed`, or the vendor's own
    /// word.
    pub status: Option<String>,
    /// Whose turn it is: `vendor`, `customer`, or the vendor's own word.
    pub next_action: Option<String>,
    /// Whether the vendor waits for us.
    pub waits_for_us: bool,
    /// How many minutes it took the vendor to answer first.
    pub first_response_minutes: Option<u32>,
    /// When it was made, by the vendor's clock, as the next three.
    pub opened_at: Option<Timestamp>,
    /// When anything about it changed last.
    pub updated_at: Option<Timestamp>,
    /// When it was solved.
    pub resolved_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When the vendor was last asked.
    pub checked_at: Timestamp,
    /// The newest comments that are not ours, oldest first. Untrusted.
    pub comments: Vec<VendorComment>,
}

impl AtVendor {
    /// What is kept, for people.
    pub fn of(kept: KeptCase) -> Self {
        let KeptCase { case, view, checked_at } = kept;
        let waits_for_us = view.waits_for_us();
        let CaseView {
            status,
            next_action,
            opened_at,
            updated_at,
            resolved_at,
            closed_at,
            first_response,
            version: _,
            comments,
        } = view;
        Self {
            case: case.to_string(),
            status: status.as_ref().map(CaseStatus::as_str).map(str::to_owned),
            next_action: next_action.as_ref().map(NextAction::as_str).map(str::to_owned),
            waits_for_us,
            first_response_minutes: first_response,
            opened_at,
            updated_at,
            resolved_at,
            closed_at,
            checked_at,
            comments,
        }
    }
}
