//! The draft of an incident that has no case yet.
//!
//! Its entity tag stands for the edits and for where the case goes, and not for what templates make of
//! alerts that come meanwhile: nobody approves what they have not seen, and a storm of alerts keeps
//! nobody from approving.

use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State, rejection};
use axum::response::Response;
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::incidents::no_such_incident;
use super::routes::Routes;
use super::{Api, named, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::IncidentId;
use crate::http::answer::{self, Refusal};
use crate::people::drafts::{DraftSheet, Moved, NotWorded, Seen, Wording};
use crate::store::NotEdited;
use crate::telemetry::metrics::AdminCall;

/// The longest edit, in bytes: a description of the greatest length, however it is written in JSON.
const EDIT_MAX: usize = 512 * 1024;

pub(super) fn routes() -> Routes {
    Routes::default().get("/incidents/{id}/draft", show).put("/incidents/{id}/draft", edit)
}

/// The header that says what was seen of a draft.
fn entity_tag(tag: impl Display) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{tag}\"")).ok()
}

/// What who asks has seen: tags, or `*` (RFC 9110 §13.1.1, which has weak ones match nothing).
///
/// # Errors
///
/// 428 if it does not say.
pub(super) fn seen(headers: &HeaderMap) -> Result<Seen, Refusal> {
    let Some(said) = headers.get(IF_MATCH) else {
        let message = "nothing says what was seen of the draft";
        let hint = "send its `ETag` as `If-Match`, or `*` for whatever it says";
        return Err(Refusal::unseen(message).hint(hint));
    };
    let said = said.to_str().unwrap_or_default().trim();
    if said == "*" {
        return Ok(Seen::Whatever);
    }
    let strong = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Ok(Seen::OneOf(said.split(',').filter_map(strong).collect()))
}

/// The headers of whoever has seen the draft of this tag.
pub(in crate::http) fn having_seen(tag: &str) -> HeaderMap {
    // What can stand in no header is no tag of ours either.
    let tag = entity_tag(tag).unwrap_or(HeaderValue::from_static("\"\""));
    [(IF_MATCH, tag)].into_iter().collect()
}

/// What whoever was too late is told.
pub(super) fn moved(how: Moved) -> Refusal {
    Refusal::moved(how.to_string())
        .hint("look at the draft again and decide anew; the API wants its new `ETag`")
}

fn sheet(sheet: &DraftSheet) -> Response {
    let mut response = answer::json(StatusCode::OK, sheet);
    if let Some(tag) = entity_tag(sheet.tag()) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The case of an incident as it would be sent now, with what people have changed of it.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/draft", tag = "drafts", params(
    ("id" = String, Path, description = "the incident"),
), responses((status = 200, description = "The draft. Its `ETag` stands for the edits and for where the case goes.", body = DraftSheet)))]
pub(super) async fn show(
    State(api): State<Api>,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let draft = api.people.draft(&IncidentId::from_stored(named(path))).await;
    let draft = draft.map_err(|error| trouble(&error))?.ok_or_else(no_such_incident)?;
    Ok(sheet(&draft))
}

/// Change the draft of an incident that is held or pending.
///
/// All of the body takes the place of what was changed before; what it leaves out is as the rule says.
#[utoipa::path(put, path = "/api/v1/incidents/{id}/draft", tag = "drafts", params(
    ("id" = String, Path, description = "the incident"),
    ("If-Match" = Option<String>, Header, description = "the `ETag` of the draft that was read, or `*` for whatever it says; without it the answer is 428"),
), request_body = Wording, responses((status = 200, description = "The draft as it is now.", body = DraftSheet)))]
pub(super) async fn edit(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let refused = |refusal| {
        api.metrics.admin_call(AdminCall::EditDraft, "refused");
        Err(refusal)
    };
    let Ok(body) = body else { return refused(Refusal::too_large(EDIT_MAX)) };
    if body.len() > EDIT_MAX {
        return refused(Refusal::too_large(EDIT_MAX));
    }
    // serde would take an array as well, by the places of the fields.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let read = if is_object { &body[..] } else { b"{\"an edit\":" };
    let wording: Wording = match serde_json::from_slice(read) {
        Ok(wording) => wording,
        Err(error) => {
            let what = format!("the body is no edit of a draft: {error}");
            let hint = "it is a JSON object with `subject`, `description`, `severity`, `product` and so on, each a text or null";
            return refused(Refusal::unusable(what).hint(hint));
        }
    };
    let seen = match seen(&headers) {
        Ok(seen) => seen,
        Err(refusal) => return refused(refusal),
    };
    let id = IncidentId::from_stored(named(path));
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let edited = whole(async move { people.edit_draft(&by, &asked, seen, wording).await }).await?;
    match edited.map_err(|error| trouble(&error))? {
        Ok(draft) => {
            api.metrics.admin_call(AdminCall::EditDraft, "done");
            let fields = draft.edited.as_ref().map(|edited| edited.fields.join(", "));
            let fields = fields.unwrap_or_else(|| "nothing is changed any more".to_owned());
            tracing::info!(who, incident = %id, "{who} has edited the draft of incident {id}: {fields}");
            Ok(sheet(&draft))
        }
        Err(NotWorded::NotEdited(NotEdited::Unknown)) => refused(no_such_incident()),
        Err(NotWorded::Moved(how)) => refused(moved(how)),
        Err(why @ NotWorded::NotEdited(NotEdited::NotWaiting(_) | NotEdited::Moved)) => {
            let message = format!("the draft of incident {id} is not edited: {why}");
            let hint = "`casewright incidents list --state held` shows what waits";
            refused(Refusal::conflict("not_waiting", message).hint(hint))
        }
        Err(NotWorded::Wrong(wrong)) => {
            let message = format!("the vendor would not take it: {}", wrong.join("; "));
            let hint = "`casewright catalog search` finds the names that the vendor accepts";
            let refusal = Refusal::unprocessable("bad_draft", message).hint(hint);
            refused(refusal.beside("problems", wrong.into()))
        }
    }
}
