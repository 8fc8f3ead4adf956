//! Vendors: how they stand, and having one left alone or probed at once.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, named, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::gate::LONGEST_PAUSE;
use crate::domain::ids::VendorName;
use crate::http::answer::{self, Refusal};
use crate::people::Standing;
use crate::telemetry::metrics::AdminCall;
use crate::time::duration;

/// A reason is a sentence, not an essay.
const REASON_MAX: usize = 500;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/vendors", list)
        .get("/vendors/{name}", show)
        .post("/vendors/{name}/pause", pause)
        .post("/vendors/{name}/resume", resume)
}

/// Everybody to whom something is sent.
#[derive(Serialize, ToSchema)]
pub(super) struct Vendors {
    vendors: Vec<Standing>,
}

/// What became of a wish to go on.
#[derive(Serialize, ToSchema)]
pub(super) struct Resumed {
    /// Whether there was anything in the way that a person can lift.
    resumed: bool,
    /// How the vendor stands now.
    vendor: Option<Standing>,
}

/// How each vendor stands, and everybody who is told what happens.
#[utoipa::path(get, path = "/api/v1/vendors", tag = "vendors", responses(
    (status = 200, description = "The vendors.", body = Vendors),
))]
pub(super) async fn list(State(api): State<Api>) -> Result<Response, Refusal> {
    let vendors = api.people.vendors().await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Vendors { vendors }))
}

/// How one vendor stands.
#[utoipa::path(get, path = "/api/v1/vendors/{name}", tag = "vendors", params(
    ("name" = String, Path, description = "its name in the config"),
), responses((status = 200, description = "The vendor.", body = Standing)))]
pub(super) async fn show(
    State(api): State<Api>,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let standing = standing(&api, &named(path)).await?;
    Ok(answer::json(StatusCode::OK, &standing.ok_or_else(no_such_vendor)?))
}

async fn standing(api: &Api, name: &str) -> Result<Option<Standing>, Refusal> {
    let vendors = api.people.vendors().await.map_err(|error| trouble(&error))?;
    Ok(vendors.into_iter().find(|vendor| vendor.name == name))
}

/// Have a vendor left alone for some time. What is to be done there waits, and goes on by itself.
#[utoipa::path(post, path = "/api/v1/vendors/{name}/pause", tag = "vendors", params(
    ("name" = String, Path, description = "its name in the config"),
    ("for" = String, Query, description = "for how long, such as `2h`; at most `1d`"),
    ("reason" = String, Query, min_length = 1, max_length = 500, description = "why"),
), responses((status = 200, description = "How it stands now.", body = Standing)))]
pub(in crate::http) async fn pause(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let refused = |refusal| {
        api.metrics.admin_call(AdminCall::Pause, "refused");
        refusal
    };
    let asked = Asked::read(query.as_deref(), &["for", "reason"]).map_err(refused)?;
    let lasts = duration::parse(asked.demanded("for").map_err(refused)?)
        .map_err(|why| refused(asked.refuse(format!("`for` is no time: {why}"))))?;
    if lasts.is_zero() || lasts > LONGEST_PAUSE {
        let most = duration::format(LONGEST_PAUSE);
        return Err(refused(asked.refuse(format!("`for` is out of range: it is {most} at most"))));
    }
    let reason = asked.demanded("reason").map_err(refused)?.to_owned();
    if reason.chars().count() > REASON_MAX {
        let what = format!("`reason` has 1 to {REASON_MAX} characters");
        return Err(refused(asked.refuse(what)));
    }
    let name = VendorName::new(named(path));
    let (people, vendor, why) = (api.people.clone(), name.clone(), reason.clone());
    let who = by.name.clone();
    let paused = whole(async move { people.pause(&by, &vendor, lasts, why).await }).await?;
    if paused.map_err(|error| trouble(&error))?.is_none() {
        return Err(refused(no_such_vendor()));
    }
    api.metrics.admin_call(AdminCall::Pause, "done");
    let lasts = duration::format(lasts);
    tracing::warn!(who, vendor = %name, "{who} has vendor {name} left alone for {lasts}: {reason}");
    let standing = standing(&api, name.as_str()).await?;
    Ok(answer::json(StatusCode::OK, &standing.ok_or_else(no_such_vendor)?))
}

/// Have a vendor that is left alone probed at once, or end the pause that a person wanted.
#[utoipa::path(post, path = "/api/v1/vendors/{name}/resume", tag = "vendors", params(
    ("name" = String, Path, description = "its name in the config"),
), responses((status = 200, description = "What became of it.", body = Resumed)))]
pub(in crate::http) async fn resume(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let name = VendorName::new(named(path));
    let (people, asked, who) = (api.people.clone(), name.clone(), by.name.clone());
    let resumed = whole(async move { people.resume(&by, &asked).await }).await?;
    let Some(resumed) = resumed.map_err(|error| trouble(&error))? else {
        api.metrics.admin_call(AdminCall::Resume, "refused");
        return Err(no_such_vendor());
    };
    api.metrics.admin_call(AdminCall::Resume, "done");
    tracing::info!(who, vendor = %name, resumed, "{who} has vendor {name} probed at once");
    let vendor = standing(&api, name.as_str()).await?;
    Ok(answer::json(StatusCode::OK, &Resumed { resumed, vendor }))
}

fn no_such_vendor() -> Refusal {
    Refusal::unknown("there is no such vendor").hint("`casewright vendors list` shows all of them")
}
