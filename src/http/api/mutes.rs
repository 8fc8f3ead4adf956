//! Mutes: the list, making one, lifting one.

use axum::Router;
use axum::extract::{Path, Query, State, rejection};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, only_post, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::RuleName;
use crate::http::answer::{self, Refusal};
use crate::people::muting::{LONGEST, Wish};
use crate::telemetry::metrics::AdminCall;
use crate::time::duration;

/// A reason is a sentence, not an essay.
const REASON_MAX: usize = 500;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(
            "/mutes",
            get(list).post(make).fallback(|| async { Refusal::method("GET, HEAD, POST") }),
        )
        .route("/mutes/{id}/lift", post(lift).fallback(only_post))
}

async fn list(State(api): State<Api>) -> Result<Response, Refusal> {
    let mutes = api.people.mutes().await.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &json!({ "mutes": mutes })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Making {
    pub(in crate::http) r#for: String,
    pub(in crate::http) reason: String,
    pub(in crate::http) rule: Option<String>,
}

pub(in crate::http) async fn make(
    State(api): State<Api>,
    by: Operator,
    query: Result<Query<Making>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let refuse = |what: String| {
        api.metrics.admin_call(AdminCall::Mute, "refused");
        let most = duration::format(LONGEST);
        Refusal::unusable(what).hint(format!(
            "parameters are `for`, such as 2h and at most {most}, `reason`, a sentence, and `rule`, \
             without which everything is muted"
        ))
    };
    let Ok(Query(Making { r#for: lasts, reason, rule })) = query else {
        return Err(refuse("the query is not understood".to_owned()));
    };
    let lasts =
        duration::parse(&lasts).map_err(|why| refuse(format!("`for` is no time: {why}")))?;
    if lasts.is_zero() || lasts > LONGEST {
        return Err(refuse("`for` is out of range".to_owned()));
    }
    let reason = reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(refuse(format!("`reason` has 1 to {REASON_MAX} characters")));
    }
    let wish = Wish { rule: rule.map(RuleName::new), lasts, reason };
    let (people, who) = (api.people.clone(), by.name.clone());
    let made = whole(async move { people.mute(&by, wish).await }).await?;
    match made.map_err(|error| trouble(&error))? {
        Ok(mute) => {
            api.metrics.admin_call(AdminCall::Mute, "done");
            let what =
                mute.rule.as_ref().map_or("everything".to_owned(), |rule| format!("rule {rule}"));
            tracing::warn!(
                who,
                mute = mute.id,
                "{who} has muted {what} until {}: {}",
                mute.until,
                mute.reason
            );
            Ok(answer::json(StatusCode::CREATED, &mute))
        }
        Err(why) => {
            api.metrics.admin_call(AdminCall::Mute, "refused");
            Err(Refusal::unknown(why.to_string()).hint("`rule` is the name of a rule in force"))
        }
    }
}

pub(in crate::http) async fn lift(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let id = path.map(|Path(id)| id).unwrap_or_default();
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let lifted = whole(async move { people.unmute(&by, &asked).await }).await?;
    let lifted = lifted.map_err(|error| trouble(&error))?;
    api.metrics.admin_call(AdminCall::Unmute, if lifted { "done" } else { "refused" });
    if !lifted {
        return Err(Refusal::unknown("there is no such mute")
            .hint("`casewright mutes list` shows those that count; the others are over"));
    }
    tracing::info!(who, mute = id, "{who} has lifted mute {id}");
    Ok(answer::json(StatusCode::OK, &json!({ "lifted": id })))
}
