//! What senders have posted, and having it taken in once more.

use axum::extract::{Path, RawQuery, State, rejection};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, named, trouble, whole};
use crate::domain::access::Operator;
use crate::domain::ids::{DeliveryId, SourceName};
use crate::explain::Explanation;
use crate::http::answer::{self, Refusal};
use crate::people::deliveries::{DeliveryDetail, DeliveryLine, NotReplayed, Replayed};
use crate::people::paging::List;
use crate::store::Fate;
use crate::store::lists::DeliveriesSought;
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/deliveries", list)
        .get("/deliveries/{id}", show)
        .get("/deliveries/{id}/explanation", explain)
        .post("/deliveries/{id}/replay", replay)
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<DeliveryLine>,
    /// The cursor of the next page; `null` if this is the last.
    next: Option<String>,
}

/// Deliveries, the newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries", params(
    ("source" = Option<String>, Query, description = "only of this source"),
    ("fate" = Option<String>, Query, description = "only those of which this became, such as `unmatched`"),
    ("since" = Option<String>, Query, format = DateTime, description = "only those that came since"),
    ("until" = Option<String>, Query, format = DateTime, description = "only those that came before"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "how many; 100 unless it says otherwise"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
), responses((status = 200, description = "A page.", body = Deliveries)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked =
        Asked::read(query.as_deref(), &["source", "fate", "since", "until", "limit", "cursor"])?;
    let fate = asked.one_of("fate", Fate::ALL.map(Fate::name))?;
    let sought = DeliveriesSought {
        source: asked.text("source").map(SourceName::new),
        fate: fate.and_then(|name| Fate::ALL.into_iter().find(|fate| fate.name() == name)),
        span: asked.span()?,
        after: asked.after(List::Deliveries)?,
    };
    let page = api.people.deliveries(&sought, asked.limit()?).await;
    let page = page.map_err(|error| trouble(&error))?;
    Ok(answer::json(StatusCode::OK, &Deliveries { deliveries: page.items, next: page.next }))
}

/// One delivery, with what was posted.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "deliveries", params(
    ("id" = String, Path, description = "the id that the sender was told"),
), responses((status = 200, description = "The delivery.", body = DeliveryDetail)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let found = api.people.delivery(&DeliveryId::new(named(path))).await;
    let found = found.map_err(|error| trouble(&error))?.ok_or_else(no_such_delivery)?;
    Ok(answer::tagged(&headers, &found))
}

/// What the rules in force say to a delivery.
#[derive(Serialize, ToSchema)]
pub(super) struct Explained {
    /// The source that it came through.
    source: String,
    /// What would become of it.
    #[serde(flatten)]
    explanation: Explanation,
}

/// What the rules that are in force now would make of a delivery, and why, as if nothing were known of
/// its incidents. Nothing is done.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}/explanation", tag = "deliveries", params(
    ("id" = String, Path, description = "the id that the sender was told"),
), responses((status = 200, description = "What would become of it.", body = Explained)))]
pub(super) async fn explain(
    State(api): State<Api>,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let id = DeliveryId::new(named(path));
    let story = api.people.delivery_story(&id).await.map_err(|error| trouble(&error))?;
    let story = story.ok_or_else(no_such_delivery)?;
    match story.explanation {
        Ok(explanation) => {
            let source = story.line.source;
            Ok(answer::json(StatusCode::OK, &Explained { source, explanation }))
        }
        Err(why) => Err(Refusal::conflict(
            "not_explained",
            format!("delivery {id} is not explained: {why}"),
        )
        .hint("`casewright why` with its id tells what it was about")),
    }
}

/// Have a delivery taken in once more, as a new one that is received now.
///
/// It is decided by the rules that count now and by how incidents stand now: an alert that is over
/// may begin an incident, and open a case. `casewright explain --delivery` tells beforehand.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/replay", tag = "deliveries", params(
    ("id" = String, Path, description = "the id that the sender was told"),
), responses((status = 200, description = "What became of it.", body = Replayed)))]
pub(super) async fn replay(
    State(api): State<Api>,
    by: Operator,
    path: Result<Path<String>, rejection::PathRejection>,
) -> Result<Response, Refusal> {
    let id = DeliveryId::new(named(path));
    let (people, asked, who) = (api.people.clone(), id.clone(), by.name.clone());
    let replayed = whole(async move { people.replay(&by, &asked).await }).await?;
    let replayed = replayed.map_err(|error| trouble(&error))?;
    let result = if replayed.is_ok() { "done" } else { "refused" };
    api.metrics.admin_call(AdminCall::Replay, result);
    match replayed {
        Ok(replayed) => {
            tracing::info!(
                who,
                delivery = replayed.delivery,
                fate = replayed.fate,
                "{who} had delivery {id} taken in once more, as {}: {}",
                replayed.delivery,
                replayed.fate
            );
            Ok(answer::json(StatusCode::OK, &replayed))
        }
        Err(NotReplayed::Unknown) => Err(no_such_delivery()),
        Err(NotReplayed::Overloaded) => {
            let message = NotReplayed::Overloaded.to_string();
            Err(Refusal::overloaded(message, std::time::Duration::from_secs(1)))
        }
        Err(why) => {
            let hint = match &why {
                NotReplayed::NoBody => "an earlier delivery of the same alerts has one",
                NotReplayed::SourceGone(_) => "give the source its old name back, and reload",
                _ => "the sender must post it otherwise",
            };
            Err(Refusal::conflict("not_replayed", format!("delivery {id}: {why}")).hint(hint))
        }
    }
}

fn no_such_delivery() -> Refusal {
    Refusal::unknown("there is no such delivery")
        .hint("`casewright deliveries list` shows the newest; old ones are forgotten")
}
