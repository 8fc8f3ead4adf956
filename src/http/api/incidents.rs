//! Incidents: the list, the record of one, why there was a case or none, and a person's word.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::drafts::{moved, seen};
use super::routes::Routes;
use super::{Api, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::{IncidentId, RuleName, VendorName};
use crate::domain::incident;
use crate::domain::judgement::Judgement;
use crate::http::answer::{self, Refusal};
use crate::people::drafts::Seen;
use crate::people::finding::NotFound;
use crate::people::judging::NotJudged;
use crate::people::paging::List;
use crate::people::record::{Answer, Record, Summary};
use crate::store::Sought;
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/incidents", list)
        .get("/incidents/{id}", show)
        .post("/incidents/{id}/approve", approve)
        .post("/incidents/{id}/reject", reject)
        .get("/why", why)
}

/// A page of incidents.
#[derive(Serialize, ToSchema)]
pub(super) struct Incidents {
    incidents: Vec<Summary>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// Incidents, the newest first.
///
/// A page looks at no more than 5,000 of them, so it may show little or nothing and still have a
/// next one.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(
    ("state" = Option<String>, Query, description = "only in this state, such as `held` or `open`"),
    ("rule" = Option<String>, Query, description = "only of this rule"),
    ("vendor" = Option<String>, Query, description = "only those whose case is, or would be, there"),
    ("label" = Option<Vec<String>>, Query, description = "NAME=VALUE, several times: only those whose first alert has these labels"),
    ("title" = Option<String>, Query, description = "only those whose first alert has this in its name"),
    ("has_case" = Option<bool>, Query, description = "only those that have a case, or have none"),
    ("since" = Option<String>, Query, format = DateTime, description = "only those that began since"),
    ("until" = Option<String>, Query, format = DateTime, description = "only those that began before"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Incidents)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(
        query.as_deref(),
        &[
            "state", "rule", "vendor", "label", "title", "has_case", "since", "until", "limit",
            "cursor",
        ],
    )?;
    let sought = Sought {
        state: asked.one_of("state", incident::State::NAMES)?,
        rule: asked.text("rule").map(RuleName::new),
        vendor: asked.text("vendor").map(VendorName::new),
        labels: asked.labels(),
        title: asked.text("title").map(str::to_owned),
        has_case: asked.yes("has_case")?,
        span: asked.span()?,
        after: asked.after(List::Incidents)?,
    };
    let page = api.people.incidents(&sought, asked.limit()?).await;
    let page = page.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Incidents { incidents: page.items, next: page.next }))
}

/// All that there is to tell of an incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", params(
    ("id" = String, Path, description = "the incident's id, or its beginning where no other begins so, or the token in the subject of its case"),
), responses((status = 200, description = "The incident.", body = Record)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let found = api.people.find_incident(&super::named(path)).await;
    let found = found.map_err(|error| trouble(&error))?.map_err(not_found)?;
    Ok(answer::tagged(&headers, &found))
}

/// Why a name leads to no incident.
pub(in crate::http) fn not_found(why: NotFound) -> Refusal {
    match why {
        NotFound::Nothing => no_such_incident(),
        NotFound::TooShort => {
            Refusal::unknown(why.to_string()).hint("`casewright incidents list` shows whole ids")
        }
        NotFound::Several(ids) => {
            Refusal::conflict("ambiguous", NotFound::Several(ids.clone()).to_string())
                .hint("name one of them by more of its id")
                .beside("incidents", ids.into())
        }
    }
}

/// Why there was a case, or none.
#[utoipa::path(get, path = "/api/v1/why", tag = "incidents", params(
    ("about" = String, Query, min_length = 1, description = "an incident's id or token, a case, a delivery, a rule, or an alert's fingerprint or name"),
), responses((status = 200, description = "What is known.", body = Answer)))]
pub(super) async fn why(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(query.as_deref(), &["about"])?;
    let about = asked.demanded("about").map_err(|_| {
        Refusal::unusable("nothing is asked about").hint(
            "`about` is an incident's id or token, a case, a delivery, a rule, or an alert's \
             fingerprint or name",
        )
    })?;
    let answer = api.people.why(about).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &answer))
}

/// Open the case of an incident that is held or pending, whatever holds it.
///
/// Only if its draft is as it was seen: another edit, or another place where the case would go, is 412.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/approve", tag = "incidents", params(
    ("id" = String, Path, description = "the incident"),
    ("If-Match" = Option<String>, Header, description = "the `ETag` of the draft that was seen, or `*` for whatever it says; without it the answer is 428"),
), responses((status = 200, description = "Its case is being opened.", body = Summary)))]
pub(in crate::http) async fn approve(
    State(api): State<Api>,
    by: Operator,
    headers: HeaderMap,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let seen = match seen(&headers) {
        Ok(seen) => seen,
        Err(refusal) => {
            api.metrics.admin_call(AdminCall::Approve, "refused");
            return Err(refusal);
        }
    };
    judge(api, by, named(path), Judgement::Approve, seen).await
}

/// Open no case for an incident that is held or pending, as long as it fires.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/reject", tag = "incidents", params(
    ("id" = String, Path, description = "the incident"),
), responses((status = 200, description = "It gets no case, unless it ends and comes back.", body = Summary)))]
pub(in crate::http) async fn reject(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    judge(api, by, named(path), Judgement::Reject, Seen::Whatever).await
}

async fn judge(
    api: Api,
    by: Operator,
    id: IncidentId,
    judgement: Judgement,
    seen: Seen,
) -> Result<Response, Refusal> {
    let done = judgement.participle();
    let call = match judgement {
        Judgement::Approve => AdminCall::Approve,
        Judgement::Reject => AdminCall::Reject,
    };
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let judged = whole(async move { people.judge(&by, &asked, judgement, seen).await }).await?;
    let judged = judged.map_err(|error| trouble(&error))?;
    api.metrics.admin_call(call, if judged.is_ok() { "done" } else { "refused" });
    match judged {
        Ok(summary) => {
            tracing::info!(who, incident = %id, call = call.as_str(), "{who} has {done} incident {id}");
            Ok(answer::json(StatusCode::OK, &summary))
        }
        Err(NotJudged::Unknown) => Err(no_such_incident()),
        Err(NotJudged::Moved(how)) => Err(moved(how)),
        Err(why) => {
            Err(Refusal::conflict("not_waiting", format!("incident {id} is not {done}: {why}"))
                .hint("`casewright incidents list --state held` shows what waits"))
        }
    }
}

fn named(path: Result<Path<String>, rejection::PathRejection>) -> IncidentId {
    IncidentId::from_stored(super::named(path))
}

pub(super) fn no_such_incident() -> Refusal {
    Refusal::unknown("there is no such incident")
        .hint("`casewright incidents list` shows the newest, `casewright why` finds one")
}
