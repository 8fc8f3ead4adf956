//! The record of what people have had done; and who asks, for whoever wonders.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked as Query;
use super::routes::Routes;
use super::{Api, trouble};
use crate::domain::audit::{Act, Asked, Entry};
use crate::http::access::Visit;
use crate::http::answer::{self, Refusal};

pub(super) fn routes() -> Routes {
    Routes::default().get("/audit", list).get("/whoami", whoami)
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(super) struct Asker {
    /// The name of the token, or the user.
    name: String,
    /// What they may do.
    role: &'static str,
    /// How they were recognised.
    means: &'static str,
    /// Where the request came from.
    #[schema(value_type = Option<String>)]
    from: Option<IpAddr>,
    /// What forms must carry, for scripts in pages of the same session, which send it in a header;
    /// other sites cannot read an answer of ours. Only for those who have logged in.
    #[serde(skip_serializing_if = "String::is_empty")]
    form_token: String,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "daemon", responses(
    (status = 200, description = "Who asks.", body = Asker),
))]
pub(super) async fn whoami(visit: Visit) -> Response {
    let Visit { who, form_token } = visit;
    let (role, means) = (who.role.name(), who.means.name());
    let asker = Asker { name: who.name, role, means, from: who.from, form_token };
    answer::json(StatusCode::OK, &asker)
}

/// A page of the record.
#[derive(Serialize, ToSchema)]
pub(super) struct Acts {
    /// Who had what done, when, from where, and what came of it.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Entry>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// What people have had done, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "daemon", params(
    ("who" = Option<String>, Query, description = "only what this person had done"),
    ("act" = Option<String>, Query, description = "only of this kind, such as `approve`"),
    ("object" = Option<String>, Query, description = "only what is about this"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Acts)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Query::read(query.as_deref(), &["who", "act", "object", "limit", "cursor"])?;
    let limit = asked.limit()?;
    let act = asked.one_of("act", Act::ALL.map(Act::name))?.and_then(Act::named);
    let (who, object) = (asked.text("who"), asked.text("object"));
    let (who, object) = (who.map(str::to_owned), object.map(str::to_owned));
    let cursor = asked.text("cursor");
    let before = cursor.map(|cursor| cursor.parse()).transpose();
    let before = before
        .map_err(|_| asked.refuse("`cursor` is not the `next` of an earlier page of this list"))?;
    let asked = Asked { who, act, object, before };
    let (entries, more) = api.people.acts(&asked, limit).await.map_err(|error| trouble(&error))?;
    let next = entries.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(answer::json(StatusCode::OK, &Acts { entries, next }))
}
