//! Incidents: the list, the record of one, why there was a case or none, and a person's word.

use axum::Router;
use axum::extract::{Path, Query, State, rejection};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, LIST, LIST_MAX, only_post, only_read, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::{IncidentId, RuleName};
use crate::domain::incident;
use crate::domain::judgement::Judgement;
use crate::http::answer::{self, Refusal};
use crate::people::record::NotJudged;
use crate::store::Sought;
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/incidents", get(list).fallback(only_read))
        .route("/incidents/{id}", get(show).fallback(only_read))
        .route("/incidents/{id}/approve", post(approve).fallback(only_post))
        .route("/incidents/{id}/reject", post(reject).fallback(only_post))
        .route("/why", get(why).fallback(only_read))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    limit: Option<u32>,
    state: Option<String>,
    rule: Option<String>,
}

async fn list(
    State(api): State<Api>,
    query: Result<Query<Listing>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let states = incident::State::NAMES.join(", ");
    let hint =
        format!("parameters are `limit`, 1 to {LIST_MAX}, `state`, one of {states}, and `rule`");
    let refuse = |what: &str| Refusal::unusable(what).hint(hint.clone());
    let Ok(Query(Listing { limit, state, rule })) = query else {
        return Err(refuse("the query is not understood"));
    };
    let limit = limit.unwrap_or(LIST);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(refuse("`limit` is out of range"));
    }
    let state = match state {
        None => None,
        Some(wanted) => {
            let known = incident::State::NAMES.into_iter().find(|name| *name == wanted);
            Some(known.ok_or_else(|| refuse("there is no such state"))?)
        }
    };
    let sought = Sought { state, rule: rule.map(RuleName::new) };
    let found = api.people.incidents(&sought, limit).await;
    let (incidents, more) = found.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &json!({ "incidents": incidents, "more": more })))
}

async fn show(
    State(api): State<Api>,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let record = api.people.record(&named(path)).await.map_err(|error| trouble(&error))?;
    let record = record.ok_or_else(no_such_incident)?;
    Ok(answer::json(StatusCode::OK, &record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    about: String,
}

async fn why(
    State(api): State<Api>,
    query: Result<Query<About>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let hint = "`about` is an incident's id or token, a case, a delivery, a rule, or an alert's \
                fingerprint or name";
    let about = query.ok().map(|Query(About { about })| about);
    let about = about.filter(|about| !about.trim().is_empty());
    let about = about.ok_or_else(|| Refusal::unusable("nothing is asked about").hint(hint))?;
    let answer = api.people.why(&about).await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &answer))
}

pub(in crate::http) async fn approve(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    judge(api, by, named(path), Judgement::Approve).await
}

pub(in crate::http) async fn reject(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    judge(api, by, named(path), Judgement::Reject).await
}

async fn judge(
    api: Api,
    by: Operator,
    id: IncidentId,
    judgement: Judgement,
) -> Result<Response, Refusal> {
    let done = judgement.participle();
    let call = match judgement {
        Judgement::Approve => AdminCall::Approve,
        Judgement::Reject => AdminCall::Reject,
    };
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let judged = whole(async move { people.judge(&by, &asked, judgement).await }).await?;
    let judged = judged.map_err(|error| trouble(&error))?;
    api.metrics.admin_call(call, if judged.is_ok() { "done" } else { "refused" });
    match judged {
        Ok(summary) => {
            tracing::info!(who, incident = %id, call = call.as_str(), "{who} has {done} incident {id}");
            Ok(answer::json(StatusCode::OK, &summary))
        }
        Err(NotJudged::Unknown) => Err(no_such_incident()),
        Err(why) => {
            Err(Refusal::conflict("not_waiting", format!("incident {id} is not {done}: {why}"))
                .hint("`casewright incidents list --state held` shows what waits"))
        }
    }
}

fn named(path: Result<Path<String>, rejection::PathRejection>) -> IncidentId {
    IncidentId::from_stored(path.map(|Path(id)| id).unwrap_or_default())
}

fn no_such_incident() -> Refusal {
    Refusal::unknown("there is no such incident")
        .hint("`casewright incidents list` shows the newest, `casewright why` finds one")
}
