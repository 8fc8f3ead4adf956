//! The record of what people have had done; and who asks, for whoever wonders.

use axum::Router;
use axum::extract::{Query, State, rejection};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, LIST, LIST_MAX, only_read, trouble};
use crate::domain::audit::{Act, Asked};
use crate::http::access::{FORM_TOKEN, Visit};
use crate::http::answer::{self, Refusal};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/audit", get(list).fallback(only_read))
        .route("/whoami", get(whoami).fallback(only_read))
}

/// Who asks. The token of forms is for scripts in pages of the same session, which send it in a
/// header; other sites cannot read an answer of ours.
async fn whoami(visit: Visit) -> Response {
    let Visit { who, form_token } = visit;
    let mut told = json!({
        "name": who.name,
        "role": who.role.name(),
        "means": who.means.name(),
        "from": who.from,
    });
    if let Some(told) = told.as_object_mut().filter(|_| !form_token.is_empty()) {
        told.insert(FORM_TOKEN.to_owned(), form_token.into());
    }
    answer::json(StatusCode::OK, &told)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    who: Option<String>,
    act: Option<String>,
    object: Option<String>,
}

async fn list(
    State(api): State<Api>,
    query: Result<Query<Listing>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let refuse = |what: &str| {
        let acts = Act::ALL.map(Act::name).join(", ");
        Refusal::unusable(what).hint(format!(
            "parameters are `limit`, 1 to {LIST_MAX}, `cursor`, the `next` of the page before, \
             `who`, `object`, and `act`, one of {acts}"
        ))
    };
    let Ok(Query(Listing { limit, cursor, who, act, object })) = query else {
        return Err(refuse("the query is not understood"));
    };
    let limit = limit.unwrap_or(LIST);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(refuse("`limit` is out of range"));
    }
    let before = cursor.map(|cursor| cursor.parse()).transpose();
    let before = before.map_err(|_| refuse("`cursor` is not one of ours"))?;
    let act = match act {
        None => None,
        Some(name) => Some(Act::named(&name).ok_or_else(|| refuse("there is no such act"))?),
    };
    let asked = Asked { who, act, object, before };
    let (entries, more) = api.people.acts(&asked, limit).await.map_err(|error| trouble(&error))?;
    let next = entries.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(answer::json(StatusCode::OK, &json!({ "entries": entries, "next": next })))
}
