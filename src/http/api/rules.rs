//! The rules in force.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::{Api, only_read, trouble};
use crate::http::answer::{self, Refusal};

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/rules", get(list).fallback(only_read))
}

async fn list(State(api): State<Api>) -> Result<Response, Refusal> {
    let rules = api.people.rules().await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &json!({ "rules": rules })))
}
