//! What a person does through the admin listener: `/api/v1` and `/-/reload`, as
//! [`document`] tells it.
//!
//! Everything here is behind [`guard`]. What changes something runs in a task of its own, to its
//! end, whatever the client does; it is logged with the name of the token, and counted.

pub(super) mod actions;
mod acts;
mod alerts;
pub(super) mod asked;
mod cases;
mod catalogs;
mod deliveries;
mod document;
pub(super) mod drafts;
pub(super) mod incidents;
pub(super) mod mutes;
mod routes;
mod rules;
mod status;
pub(super) mod vendors;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, Request, State, rejection};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use self::document::document;
use self::routes::Routes;
use super::access::{Access, Guard, guard};
use super::answer::{self, Refusal, trouble};
use super::form;
use crate::current::Current;
use crate::domain::access::{Admin, Operator, Role};
use crate::domain::audit::{Act, End, Object};
use crate::domain::ids::VendorName;
use crate::intake::Displaced;
use crate::people::People;
use crate::store::StoreError;
use crate::telemetry::metrics::{AdminCall, Metrics};

/// Below which the API is.
const BASE: &str = "/api/v1";
/// Where files are read anew.
const RELOAD: &str = "/-/reload";
/// How many rows a list shows unless it is asked for another number.
const LIST: u32 = 100;
/// How many it shows at most.
const LIST_MAX: u32 = 1000;

/// Has all files read anew.
#[async_trait]
pub trait Reload: Send + Sync {
    /// Reads the files, checks all of it, and swaps it in; or changes nothing.
    async fn reload(&self, who: &str) -> Result<Reloaded, NotReloaded>;
}

/// What a reload has led to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reloaded {
    /// Rules in force.
    pub rules: usize,
    /// Sources in force.
    pub sources: usize,
    /// Vendors in force.
    pub vendors: usize,
    /// What the files say otherwise than at the start and what takes a restart, one sentence each.
    pub restart: Vec<String>,
    /// Vendors that did not accept who we were, and are probed now.
    #[schema(value_type = Vec<String>)]
    pub resumed: Vec<VendorName>,
    /// Incidents that go on and that the rules lead their alerts to no longer.
    #[schema(value_type = Vec<Object>)]
    pub displaced: Vec<Displaced>,
    /// Warnings, for people; empty if there are none.
    pub report: String,
}

/// Why what runs stays in force.
#[derive(Debug, Clone, PartialEq)]
pub struct NotReloaded {
    /// How many mistakes of what kind.
    pub summary: String,
    /// Each with its file, its line and what to do, for people.
    pub report: String,
    /// The same for scripts.
    pub diagnostics: Value,
}

/// What the routes need.
#[derive(Clone)]
pub struct Api {
    /// Who may come in.
    pub access: Current<Access>,
    /// What they may see and do.
    pub people: People,
    /// Reads the files.
    pub reload: Arc<dyn Reload>,
    /// Counts calls.
    pub metrics: Arc<Metrics>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// What stands before everything here.
    pub fn guard(&self) -> Guard {
        Guard {
            access: self.access.clone(),
            least: Role::Operator,
            people: self.people.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

/// The routes; to be merged into those of the admin listener.
pub fn router(api: Api) -> Router {
    let door = |least| {
        let keeper = Guard { least, ..api.guard() };
        middleware::from_fn_with_state(keeper, guard)
    };
    // The guard stands before the fallback as well: who may not come in is not told what is there.
    let v1 = v1().router().fallback(|| async { Refusal::not_found() });
    let v1 = v1.layer(middleware::from_fn(without_body)).layer(door(Role::Operator));
    let reload = Routes::default().post(RELOAD, reload).router();
    let reload = reload.layer(middleware::from_fn(without_body)).layer(door(Role::Admin));
    Router::new().nest(BASE, v1).merge(reload).with_state(api)
}

/// Refuses a body where nothing reads one: what somebody asks for there would be passed over, and
/// something else be done. A browser's form may carry its token.
async fn without_body(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match form::read(body, form::LIMIT).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let asks_nothing =
        body.is_empty() || form::is_form(&parts.headers) && form::is_token_only(&body);
    if !asks_nothing {
        return Refusal::unusable("this address reads nothing from a body, so nothing was done")
            .hint("what is asked for stands in the address, as in `?name=value`")
            .into_response();
    }
    next.run(Request::from_parts(parts, Body::empty())).await
}

/// Everything below [`BASE`].
fn v1() -> Routes {
    Routes::default()
        .merge(actions::routes())
        .merge(acts::routes())
        .merge(alerts::routes())
        .merge(cases::routes())
        .merge(catalogs::routes())
        .merge(deliveries::routes())
        .merge(document::routes())
        .merge(drafts::routes())
        .merge(incidents::routes())
        .merge(mutes::routes())
        .merge(rules::routes())
        .merge(status::routes())
        .merge(vendors::routes())
}

/// Every address with each method that it takes, such as `GET /api/v1/incidents`.
pub fn operations() -> Vec<(Method, String)> {
    let below =
        v1().operations().into_iter().map(|(method, path)| (method, format!("{BASE}{path}")));
    below.chain([(Method::POST, RELOAD.to_owned())]).collect()
}

/// Runs to its end, also if the client has gone.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.map_err(|_panic| Refusal::internal())
}

/// Changes a draft as `PUT /api/v1/incidents/{id}/draft` does, for a page.
pub(super) async fn edit_draft(
    api: Api,
    by: Operator,
    id: String,
    headers: HeaderMap,
    wording: Vec<u8>,
) -> Result<Response, Refusal> {
    drafts::edit(State(api), by, Ok(Path(id)), headers, Ok(wording.into())).await
}

/// What a part of an address says. One that is no text names nothing that exists.
fn named(path: Result<Path<String>, rejection::PathRejection>) -> String {
    path.map(|Path(text)| text).unwrap_or_default()
}

/// Have all files read anew.
///
/// All of what they say is in force then, but for what takes a restart, or nothing of it.
#[utoipa::path(post, path = "/-/reload", tag = "daemon", responses(
    (status = 200, description = "They are in force.", body = Reloaded),
))]
pub(super) async fn reload(State(api): State<Api>, by: Admin) -> Result<Response, Refusal> {
    let (people, reload) = (api.people.clone(), api.reload.clone());
    let reloaded = whole(async move {
        let came_of = |reloaded: &Result<Reloaded, NotReloaded>| match reloaded {
            Ok(_) => End::done(),
            Err(not) => End::refused(format!("the files cannot be used: {}", not.summary)),
        };
        let work = async { Ok::<_, StoreError>(reload.reload(&by.name).await) };
        people.act(&by, Act::Reload, &Object::Files, "", work, came_of).await
    })
    .await?;
    match reloaded.map_err(|error| trouble(&error))? {
        Ok(reloaded) => {
            api.metrics.admin_call(AdminCall::Reload, "done");
            Ok(answer::json(StatusCode::OK, &reloaded))
        }
        Err(NotReloaded { summary, report, diagnostics }) => {
            api.metrics.admin_call(AdminCall::Reload, "refused");
            let message = format!("the files cannot be used ({summary}); what runs stays in force");
            Err(Refusal::unprocessable("bad_files", message)
                .hint("mend what `report` says, and reload again")
                .beside("report", report.into())
                .beside("diagnostics", diagnostics))
        }
    }
}
