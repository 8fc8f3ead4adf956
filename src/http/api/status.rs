//! How everything stands.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::routes::Routes;
use super::{Api, trouble, whole};
use crate::http::answer::{self, Refusal};
use crate::people::status::Status;

pub(super) fn routes() -> Routes {
    Routes::default().get("/status", show)
}

/// How everything stands: version, files, store, queue, incidents, vendors, alarms.
#[utoipa::path(get, path = "/api/v1/status", tag = "daemon", responses(
    (status = 200, description = "How everything stands.", body = Status),
))]
pub(super) async fn show(State(api): State<Api>) -> Result<Response, Refusal> {
    let people = api.people.clone();
    // It writes to find out whether it can.
    let status = whole(async move { people.status().await }).await?;
    Ok(answer::json(StatusCode::OK, &status.map_err(|error| trouble(&error))?))
}
