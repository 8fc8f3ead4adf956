//! What a person does through the admin listener: `/api/v1` and `/-/reload`.
//!
//! Everything here is behind [`guard`]. What changes something runs in a task of its own, to its
//! end, whatever the client does; it is logged with the name of the token, and counted.

mod acts;
mod catalogs;
pub(super) mod incidents;
pub(super) mod mutes;
mod rules;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Path, Query, State, rejection};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::{Access, Guard, guard};
use super::answer::{self, Refusal};
use crate::current::Current;
use crate::domain::access::{Admin, Operator, Role};
use crate::domain::audit::{Act, End, Object};
use crate::domain::ids::{ActionId, IncidentId, VendorName};
use crate::intake::Displaced;
use crate::people::{NotRetried, People};
use crate::store::{NotRevived, Revival, StoreError};
use crate::telemetry::metrics::{AdminCall, Metrics};

/// How many rows a list shows unless it is asked for another number.
const LIST: u32 = 100;
/// How many it shows at most.
const LIST_MAX: u32 = 1000;
/// When to come back if the store did not answer.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// Has all files read anew.
#[async_trait]
pub trait Reload: Send + Sync {
    /// Reads the files, checks all of it, and swaps it in; or changes nothing.
    async fn reload(&self, who: &str) -> Result<Reloaded, NotReloaded>;
}

/// What a reload has led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    pub resumed: Vec<VendorName>,
    /// Incidents that go on and that the rules lead their alerts to no longer.
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
    let v1 = Router::new()
        .route("/actions", get(actions).fallback(only_read))
        .route("/actions/{incident}/{seq}/retry", post(retry).fallback(only_post))
        .merge(incidents::routes())
        .merge(mutes::routes())
        .merge(catalogs::routes())
        .merge(acts::routes())
        .merge(rules::routes())
        .route("/vendors", get(vendors).fallback(only_read))
        .route("/vendors/{name}/resume", post(resume).fallback(only_post))
        .fallback(|| async { Refusal::not_found() })
        .layer(door(Role::Operator))
        .with_state(api.clone());
    let reload = Router::new()
        .route("/-/reload", post(reload).fallback(only_post))
        .layer(door(Role::Admin))
        .with_state(api.clone());
    Router::new().nest("/api/v1", v1).merge(reload)
}

async fn only_read() -> Refusal {
    Refusal::method("GET, HEAD")
}

async fn only_post() -> Refusal {
    Refusal::method("POST")
}

/// Runs to its end, also if the client has gone.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.map_err(|_panic| Refusal::internal())
}

fn trouble(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the admin listener met trouble with the store: {error}");
    Refusal::overloaded("the store does not answer now", AFTER_TROUBLE)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    limit: Option<u32>,
}

async fn actions(
    State(api): State<Api>,
    query: Result<Query<Listing>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let hint = format!("the only parameter is `limit`, 1 to {LIST_MAX}");
    let limit = match query {
        Ok(Query(Listing { limit })) => limit.unwrap_or(LIST),
        Err(_) => return Err(Refusal::unusable("the query is not understood").hint(hint)),
    };
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(Refusal::unusable("`limit` is out of range").hint(hint));
    }
    let (actions, more) = api.people.waiting(limit).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &json!({ "actions": actions, "more": more })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retrying {
    #[serde(default)]
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    #[default]
    Look,
    Send,
}

pub(super) async fn retry(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<(String, u32)>, rejection::PathRejection>,
    query: Result<Query<Retrying>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Ok(Query(Retrying { how })) = query else {
        return Err(Refusal::unusable("the query is not understood")
            .hint("the only parameter is `how`, `look` (the default) or `send`"));
    };
    let (how, call) = match how {
        How::Look => (Revival::Look, AdminCall::RetryLook),
        How::Send => (Revival::Send, AdminCall::RetrySend),
    };
    let id = path
        .map(|Path((incident, seq))| ActionId { incident: IncidentId::from_stored(incident), seq });
    // What is no number is no action either.
    let Ok(id) = id else { return Err(no_such_action(&api, call)) };
    let (people, who) = (api.people.clone(), by.name.clone());
    let asked = id.clone();
    let retried = whole(async move { people.retry(&by, &asked, how).await }).await?;
    match retried.map_err(|error| trouble(&error))? {
        Ok(retried) => {
            api.metrics.admin_call(call, "done");
            tracing::info!(
                who, action = %id, call = call.as_str(),
                "{who} has action {id} tried again ({})", call.as_str()
            );
            Ok(answer::json(StatusCode::OK, &retried))
        }
        Err(NotRetried::NotRevived(NotRevived::Unknown)) => Err(no_such_action(&api, call)),
        Err(why) => {
            api.metrics.admin_call(call, "refused");
            tracing::info!(
                who, action = %id, call = call.as_str(),
                "{who} wanted action {id} tried again, which it is not: {why}"
            );
            let hint = match &why {
                NotRetried::NotRevived(_) => {
                    "`casewright actions list` shows what waits for a person"
                }
                NotRetried::VendorGone(_) => "give the vendor its old name back, and restart",
            };
            Err(Refusal::conflict("not_retried", format!("action {id}: {why}")).hint(hint))
        }
    }
}

fn no_such_action(api: &Api, call: AdminCall) -> Refusal {
    api.metrics.admin_call(call, "refused");
    Refusal::unknown("there is no such action")
        .hint("its id is INCIDENT/NUMBER, as `casewright actions list` shows it")
}

async fn vendors(State(api): State<Api>) -> Result<Response, Refusal> {
    let vendors = api.people.vendors().await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &json!({ "vendors": vendors })))
}

pub(super) async fn resume(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let name = VendorName::new(path.map(|Path(name)| name).unwrap_or_default());
    let (people, who) = (api.people.clone(), by.name.clone());
    let asked = name.clone();
    let resumed = whole(async move { people.resume(&by, &asked).await }).await?;
    let Some(resumed) = resumed.map_err(|error| trouble(&error))? else {
        api.metrics.admin_call(AdminCall::Resume, "refused");
        return Err(Refusal::unknown("there is no such vendor")
            .hint("`casewright vendors list` shows all of them"));
    };
    api.metrics.admin_call(AdminCall::Resume, "done");
    tracing::info!(who, vendor = %name, resumed, "{who} has vendor {name} probed at once");
    let vendors = api.people.vendors().await.map_err(|error| trouble(&error))?;
    let vendor = vendors.into_iter().find(|vendor| vendor.name == name.as_str());
    Ok(answer::json(StatusCode::OK, &json!({ "resumed": resumed, "vendor": vendor })))
}

async fn reload(State(api): State<Api>, by: Admin) -> Result<Response, Refusal> {
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
