//! What a page says of the draft that it has shown, in the hidden field `seen` of its forms, and what
//! the API is told of it: whoever approves or changes a draft has seen what they say.
//!
//! Nothing else here knows what it is made of.

use http::HeaderMap;

use crate::http::api::drafts;
use crate::people::drafts::DraftSheet;
use crate::people::record::Record;

/// Of the draft in an incident's record.
pub(super) fn of_record(record: &Record) -> String {
    record.edits.to_string()
}

/// Of a draft.
pub(super) fn of_sheet(sheet: &DraftSheet) -> String {
    sheet.edits.to_string()
}

/// The headers with which the API is told.
pub(super) fn told(seen: &str) -> HeaderMap {
    // What was never said by us is never true.
    drafts::having_seen(seen.parse().unwrap_or(u32::MAX))
}
