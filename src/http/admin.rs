//! Health and metrics, on the admin listener; open to everybody who reaches it.
//!
//! `/-/healthy` says that the process runs (restart it if not), `/-/ready` whether it would take a
//! delivery (send it no traffic if not), `/metrics` what it has counted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::answer::{self, Refusal};
use crate::telemetry::metrics::{self, Metrics, Snapshot};

/// How long a scrape waits for the store. Prometheus gives up after 10 s by default.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads what the store knows; `None` if it cannot be read.
pub type TakeSnapshot =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>> + Send + Sync>;

/// Why the daemon would not take a delivery just now; empty if it would.
pub type NotReady =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<String>> + Send>> + Send + Sync>;

/// What the admin routes need.
#[derive(Clone)]
pub struct Admin {
    /// The metrics to export.
    pub metrics: Arc<Metrics>,
    /// Fills in the gauges at a scrape. It runs in a task of its own, to its end.
    pub snapshot: TakeSnapshot,
    /// Decides `/-/ready`.
    pub not_ready: NotReady,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The routes for health and metrics. Merge others in before serving it.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/metrics", get(export))
        .method_not_allowed_fallback(|| async { Refusal::method("GET, HEAD") })
        .fallback(|| async { Refusal::not_found() })
        .with_state(admin)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

async fn healthy() -> Response {
    answer::json(StatusCode::OK, &Health { status: "healthy", reasons: Vec::new() })
}

async fn ready(State(admin): State<Admin>) -> Response {
    // In a task of its own: a probe that gives up must not drop a transaction half-way.
    let reasons = tokio::spawn((admin.not_ready)())
        .await
        .unwrap_or_else(|_panic| vec!["the check itself failed".to_owned()]);
    if reasons.is_empty() {
        answer::json(StatusCode::OK, &Health { status: "ready", reasons })
    } else {
        answer::json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", reasons })
    }
}

async fn export(State(admin): State<Admin>) -> Response {
    // A task of its own: a scraper that hangs up must not drop a database call half-way.
    let taking = tokio::spawn((admin.snapshot)());
    let snapshot = match tokio::time::timeout(SNAPSHOT_TIMEOUT, taking).await {
        Ok(Ok(snapshot)) => snapshot,
        Ok(Err(_)) | Err(_) => None,
    };
    match admin.metrics.encode(snapshot.as_ref()) {
        Ok(text) => {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE))];
            (headers, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written: {error}");
            Refusal::internal().into_response()
        }
    }
}
