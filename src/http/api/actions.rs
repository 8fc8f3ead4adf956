//! Actions: those that wait for a person, all others, and having one tried again.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::action::ActionKind;
use crate::domain::ids::{ActionId, IncidentId, VendorName};
use crate::http::answer::{self, Refusal};
use crate::people::paging::List;
use crate::people::{ActionDetail, ActionSummary, NotRetried, Retried};
use crate::store::lists::{ActionsSought, Which};
use crate::store::{ActionState, BLOCKED, NotRevived, Revival};
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/actions", list)
        .get("/actions/{incident}/{seq}", show)
        .post("/actions/{incident}/{seq}/retry", retry)
}

/// A page of actions.
#[derive(Serialize, ToSchema)]
pub(super) struct Actions {
    actions: Vec<ActionSummary>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// Actions: those that wait for a person, or all.
///
/// Those that wait for a person come with the longest waiting first, all others with the newest first.
#[utoipa::path(get, path = "/api/v1/actions", tag = "actions", params(
    ("state" = Option<String>, Query, description = "`waiting` (the default): those that wait for a person; `blocked`: those of them that are tried again by themselves once what they are made of is mended; `any`; or one of `ready`, `leased`, `held`, `done`, `dead`"),
    ("kind" = Option<String>, Query, description = "only of this kind, such as `open` or `tell`"),
    ("vendor" = Option<String>, Query, description = "only those that are done there"),
    ("incident" = Option<String>, Query, description = "only of this incident"),
    ("since" = Option<String>, Query, format = DateTime, description = "only those that were decided since"),
    ("until" = Option<String>, Query, format = DateTime, description = "only those that were decided before"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Actions)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(
        query.as_deref(),
        &["state", "kind", "vendor", "incident", "since", "until", "limit", "cursor"],
    )?;
    let states = ActionState::ALL.map(ActionState::name).into_iter();
    let which =
        match asked.one_of("state", ["waiting", BLOCKED, "any"].into_iter().chain(states))? {
            None | Some("waiting") => Which::ForPeople,
            Some(BLOCKED) => Which::Blocked,
            Some(word) => {
                let state = ActionState::ALL.into_iter().find(|state| state.name() == word);
                state.map_or(Which::All, Which::In)
            }
        };
    let sought = ActionsSought {
        which,
        kind: asked.one_of("kind", ActionKind::NAMES)?,
        vendor: asked.text("vendor").map(VendorName::new),
        incident: asked.text("incident").map(IncidentId::from_stored),
        span: asked.span()?,
        after: asked.after(List::of_actions(which))?,
    };
    let page =
        api.people.actions(&sought, asked.limit()?).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Actions { actions: page.items, next: page.next }))
}

type Place = Result<Path<(String, u32)>, rejection::PathRejection>;

/// What is no number is no action either.
fn id(path: Place) -> Option<ActionId> {
    let Path((incident, seq)) = path.ok()?;
    Some(ActionId { incident: IncidentId::from_stored(incident), seq })
}

/// One action, with every attempt.
#[utoipa::path(get, path = "/api/v1/actions/{incident}/{seq}", tag = "actions", params(
    ("incident" = String, Path, description = "its incident"),
    ("seq" = u32, Path, description = "its place in the incident's order"),
), responses((status = 200, description = "The action.", body = ActionDetail)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    path: Place,
) -> Result<Response, Refusal> {
    let id = id(path).ok_or_else(no_such_action)?;
    let action = api.people.action(&id).await.map_err(|error| trouble(&error))?;
    Ok(answer::tagged(&headers, &action.ok_or_else(no_such_action)?))
}

/// Have an action that waits for a person tried again: one that is held, a dead letter, or blocked.
#[utoipa::path(post, path = "/api/v1/actions/{incident}/{seq}/retry", tag = "actions", params(
    ("incident" = String, Path, description = "its incident"),
    ("seq" = u32, Path, description = "its place in the incident's order"),
    ("how" = Option<String>, Query, description = "`look` (the default): the vendor's records are read, and what is not there is sent; `send`: it is sent"),
), responses((status = 200, description = "It is tried again.", body = Retried)))]
pub(in crate::http) async fn retry(
    State(api): State<Api>,
    by: Operator,
    path: Place,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (how, call) =
        match Asked::read(query.as_deref(), &["how"])?.one_of("how", ["look", "send"])? {
            Some("send") => (Revival::Send, AdminCall::RetrySend),
            _ => (Revival::Look, AdminCall::RetryLook),
        };
    let unknown = || {
        api.metrics.admin_call(call, "refused");
        no_such_action()
    };
    let Some(id) = id(path) else { return Err(unknown()) };
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
        Err(NotRetried::NotRevived(NotRevived::Unknown)) => Err(unknown()),
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

fn no_such_action() -> Refusal {
    Refusal::unknown("there is no such action")
        .hint("its id is INCIDENT/NUMBER, as `casewright actions list` shows it")
}
