//! The alerts that incidents are made of.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, trouble};
use crate::domain::ids::{Fingerprint, SourceName};
use crate::http::answer::{self, Refusal};
use crate::people::alerts::AlertLine;
use crate::people::paging::List;
use crate::store::lists::AlertsSought;

pub(super) fn routes() -> Routes {
    Routes::default().get("/alerts", list)
}

/// A page of alerts.
#[derive(Serialize, ToSchema)]
pub(super) struct Alerts {
    alerts: Vec<AlertLine>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// The alerts of incidents, those that changed last first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "incidents", params(
    ("fingerprint" = Option<String>, Query, description = "only with this fingerprint"),
    ("status" = Option<String>, Query, description = "`firing` or `resolved`"),
    ("source" = Option<String>, Query, description = "only of this source"),
    ("label" = Option<Vec<String>>, Query, description = "NAME=VALUE, several times: only those with these labels"),
    ("since" = Option<String>, Query, format = DateTime, description = "only those that are as they are since then"),
    ("until" = Option<String>, Query, format = DateTime, description = "only those that are as they are since before"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Alerts)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(
        query.as_deref(),
        &["fingerprint", "status", "source", "label", "since", "until", "limit", "cursor"],
    )?;
    let sought = AlertsSought {
        fingerprint: asked.text("fingerprint").map(Fingerprint::new),
        firing: asked.one_of("status", ["firing", "resolved"])?.map(|word| word == "firing"),
        source: asked.text("source").map(SourceName::new),
        labels: asked.labels(),
        span: asked.span()?,
        after: asked.after(List::Alerts)?,
    };
    let page = api.people.alerts(&sought, asked.limit()?).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Alerts { alerts: page.items, next: page.next }))
}
