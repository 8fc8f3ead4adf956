//! The switches and the records: what a test, a demonstration or a curious person asks of the
//! sandbox itself. Unsigned; the listener is on loopback only.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::cases::{Case, StaffComment};
use super::catalog::Catalog;
use super::faults::Fault;
use super::problem::Problem;
use super::routes::json_response;
use super::vendor::Vendor;

type Shared = State<Arc<Vendor>>;

pub(super) fn router() -> Router<Arc<Vendor>> {
    Router::new()
        .route("/cases", get(cases))
        .route("/cases/{id}/status", post(set_status))
        .route("/cases/{id}/next-action", post(set_next_action))
        .route("/cases/{id}/comments", post(staff_comment))
        .route("/requests", get(requests))
        .route("/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/catalog", get(catalog).put(set_catalog).delete(restore_catalog))
        .route("/clock", get(clock).post(set_clock))
        .fallback(nothing_here)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetStatus {
    status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SetNextAction {
    next_action: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    skew_seconds: i32,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde's own messages name the unknown field or kind, and those that would be known.
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(error.to_string()))
}

fn show(vendor: &Vendor, shown: Result<serde_json::Value, Problem>) -> Response {
    match shown {
        Ok(body) => json_response(StatusCode::OK, &body),
        Err(problem) => problem.into_response(vendor.new_id()),
    }
}

async fn cases(State(vendor): Shared) -> Response {
    show(&vendor, Ok(json!({ "cases": vendor.desk.all() })))
}

async fn requests(State(vendor): Shared) -> Response {
    show(&vendor, Ok(json!(vendor.counts.report())))
}

fn fault_list(vendor: &Vendor) -> serde_json::Value {
    json!({ "faults": vendor.faults.report(vendor.real_now()) })
}

async fn faults(State(vendor): Shared) -> Response {
    show(&vendor, Ok(fault_list(&vendor)))
}

async fn set_faults(State(vendor): Shared, body: Bytes) -> Response {
    let set = read::<SetFaults>(&body).and_then(|asked| {
        vendor
            .faults
            .set(asked.faults, vendor.real_now())
            .map_err(|error| Problem::bad_request(error.to_string()))
    });
    show(&vendor, set.map(|()| fault_list(&vendor)))
}

async fn clear_faults(State(vendor): Shared) -> Response {
    let cleared = vendor.faults.set(Vec::new(), vendor.real_now());
    let cleared = cleared.map_err(|error| Problem::internal(error.to_string()));
    show(&vendor, cleared.map(|()| fault_list(&vendor)))
}

async fn set_status(State(vendor): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    as_staff(vendor, id, move |vendor, id| {
        let asked: SetStatus = read(&body)?;
        not_blank("status", &asked.status)?;
        vendor.desk.set_status(id, &asked.status, vendor.now())
    })
    .await
}

async fn set_next_action(State(vendor): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    as_staff(vendor, id, move |vendor, id| {
        let asked: SetNextAction = read(&body)?;
        not_blank("nextAction", &asked.next_action)?;
        vendor.desk.set_next_action(id, &asked.next_action, vendor.now())
    })
    .await
}

async fn staff_comment(State(vendor): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    as_staff(vendor, id, move |vendor, id| {
        let asked: StaffComment = read(&body)?;
        not_blank("comment", &asked.comment)?;
        vendor.desk.staff_comment(id, &asked, vendor.now())
    })
    .await
}

fn not_blank(name: &str, value: &str) -> Result<(), Problem> {
    match value.trim() {
        "" => Err(Problem::bad_request(format!("{name} must not be blank"))),
        _ => Ok(()),
    }
}

/// Does to a case what only the vendor's people can do.
async fn as_staff(
    vendor: Arc<Vendor>,
    id: String,
    change: impl FnOnce(&Vendor, &str) -> Result<Option<Case>, Problem> + Send + 'static,
) -> Response {
    // Off the runtime's threads, because the change waits for the disk.
    let shared = Arc::clone(&vendor);
    let change = tokio::task::spawn_blocking(move || {
        let case = change(&shared, &id)?;
        case.ok_or_else(|| Problem::not_found(format!("there is no case '{id}'")))
    });
    let changed = change.await.unwrap_or_else(|error| Err(Problem::internal(error.to_string())));
    show(&vendor, changed.map(|case| json!(case)))
}

fn time(vendor: &Vendor) -> serde_json::Value {
    json!({ "skew_seconds": vendor.skew(), "now": vendor.now() })
}

async fn clock(State(vendor): Shared) -> Response {
    show(&vendor, Ok(time(&vendor)))
}

async fn set_clock(State(vendor): Shared, body: Bytes) -> Response {
    let set = read::<SetClock>(&body).map(|asked| vendor.set_skew(asked.skew_seconds));
    show(&vendor, set.map(|()| time(&vendor)))
}

async fn catalog(State(vendor): Shared) -> Response {
    show(&vendor, Ok(json!(*vendor.catalog())))
}

async fn set_catalog(State(vendor): Shared, body: Bytes) -> Response {
    let set = read::<Catalog>(&body).map(|asked| vendor.offer(asked));
    show(&vendor, set.map(|()| json!(*vendor.catalog())))
}

async fn restore_catalog(State(vendor): Shared) -> Response {
    let restored = Catalog::built_in().map_err(|error| Problem::internal(error.to_string()));
    let restored = restored.map(|built_in| vendor.offer(built_in));
    show(&vendor, restored.map(|()| json!(*vendor.catalog())))
}

async fn nothing_here(State(vendor): Shared) -> Response {
    let known = "/sandbox has cases, cases/{id}/status, cases/{id}/next-action, cases/{id}/comments, requests, faults, catalog and clock";
    show(&vendor, Err(Problem::not_found(known)))
}
