//! The cases that were opened, and what vendors do with them.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::incidents::not_found;
use super::routes::Routes;
use super::{Api, named, trouble};
use crate::domain::ids::{RuleName, VendorName};
use crate::http::answer::{self, Refusal};
use crate::people::cases::CaseLine;
use crate::people::finding::NotFound;
use crate::people::paging::List;
use crate::people::record::Record;
use crate::store::lists::CasesSought;

pub(super) fn routes() -> Routes {
    Routes::default().get("/cases", list).get("/cases/{case}", show)
}

/// A page of cases.
#[derive(Serialize, ToSchema)]
pub(super) struct Cases {
    cases: Vec<CaseLine>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// Cases, those of the newest incidents first.
#[utoipa::path(get, path = "/api/v1/cases", tag = "incidents", params(
    ("vendor" = Option<String>, Query, description = "only of this vendor"),
    ("rule" = Option<String>, Query, description = "only of incidents of this rule"),
    ("status" = Option<String>, Query, description = "only with this status at the vendor, such as `in_progress`"),
    ("waits_for_us" = Option<bool>, Query, description = "only those on which the vendor waits for us, or does not"),
    ("open" = Option<bool>, Query, description = "only those that are open at the vendor as far as is known, or are not"),
    ("since" = Option<String>, Query, format = DateTime, description = "only those whose incident began since"),
    ("until" = Option<String>, Query, format = DateTime, description = "only those whose incident began before"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Cases)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(
        query.as_deref(),
        &["vendor", "rule", "status", "waits_for_us", "open", "since", "until", "limit", "cursor"],
    )?;
    let sought = CasesSought {
        vendor: asked.text("vendor").map(VendorName::new),
        rule: asked.text("rule").map(RuleName::new),
        status: asked.text("status").map(str::to_owned),
        waits_for_us: asked.yes("waits_for_us")?,
        open: asked.yes("open")?,
        span: asked.span()?,
        after: asked.after(List::Cases)?,
    };
    let page = api.people.cases(&sought, asked.limit()?).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Cases { cases: page.items, next: page.next }))
}

/// A case, with all that there is to tell of its incident.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "incidents", params(
    ("case" = String, Path, description = "the number of the case; or its incident, as `GET /api/v1/incidents/{id}` takes it"),
), responses((status = 200, description = "The incident of the case; where several have had it, the newest.", body = Record)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let found = api.people.find_case(&named(path)).await;
    let found = found.map_err(|error| trouble(&error))?.map_err(|why| match why {
        NotFound::Nothing => Refusal::unknown("there is no such case")
            .hint("`casewright cases list` shows the newest; a case is named by its number or by its incident"),
        why => not_found(why),
    })?;
    Ok(answer::tagged(&headers, &found))
}
