//! Where browsers say that a page wanted something that it must not (a violation of its content
//! security policy): a sign that a stranger's text was taken for more than text. Counted, and
//! logged, the first and then at most one an hour. Nobody proves who they are here, so nothing of
//! what they say is believed, parsed or kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use http::StatusCode;

use super::Console;

/// Where they go.
pub(super) const ROUTE: &str = "/console/csp-report";
/// What is read of one, in bytes.
const MOST: usize = 8 * 1024;
/// How long it may take to arrive.
const IN_TIME: Duration = Duration::from_secs(5);
/// What is logged of one, in characters.
const TOLD: usize = 500;
/// From one line in the log to the next, in seconds.
const TELL_EVERY: i64 = 3_600;

/// When one was last logged, in seconds.
#[derive(Debug, Clone)]
pub(super) struct Reports(Arc<AtomicI64>);

impl Default for Reports {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }
}

pub(super) async fn report(State(console): State<Console>, body: Body) -> StatusCode {
    console.api.metrics.csp_report();
    let Ok(Ok(bytes)) = tokio::time::timeout(IN_TIME, to_bytes(body, MOST)).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let now = console.api.people.clock.now().as_second();
    let last = console.reports.0.load(Ordering::Relaxed);
    let is_due = last.saturating_add(TELL_EVERY) <= now;
    let told = &console.reports.0;
    // Of several at once, one tells.
    let tells =
        is_due && told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if tells {
        let text: String = String::from_utf8_lossy(&bytes).chars().take(TOLD).collect();
        tracing::warn!(
            report = ?text,
            "a browser says that a page of the console wanted what its content security policy forbids: {text:?}"
        );
    }
    StatusCode::NO_CONTENT
}
