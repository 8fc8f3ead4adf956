//! The rules that are in force.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::routes::Routes;
use super::{Api, trouble};
use crate::http::answer::{self, Refusal};
use crate::people::rules::RuleLine;

pub(super) fn routes() -> Routes {
    Routes::default().get("/rules", list)
}

/// The rules.
#[derive(Serialize, ToSchema)]
pub(super) struct InForce {
    rules: Vec<RuleLine>,
}

/// The rules that are in force, in the order in which they are asked, and how often each took an alert.
#[utoipa::path(get, path = "/api/v1/rules", tag = "daemon", responses(
    (status = 200, description = "The rules.", body = InForce),
))]
pub(super) async fn list(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Refusal> {
    let rules = api.people.rules().await.map_err(|error| trouble(&error))?;
    Ok(answer::tagged(&headers, &InForce { rules }))
}
