//! What the vendors accept: having it read.

use axum::Router;
use axum::extract::{Query, State, rejection};
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Api, only_post, trouble, whole};
use crate::dispatch::catalogs::NotSynced;
use crate::domain::access::Operator;
use crate::domain::ids::VendorName;
use crate::http::answer::{self, Refusal};
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/catalog/sync", post(sync).fallback(only_post))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Syncing {
    vendor: Option<String>,
}

async fn sync(
    State(api): State<Api>,
    by: Operator,
    query: Result<Query<Syncing>, rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Ok(Query(Syncing { vendor })) = query else {
        return Err(Refusal::unusable("the query is not understood")
            .hint("the only parameter is `vendor`, a vendor's name"));
    };
    let (people, who) = (api.people.clone(), by.name.clone());
    let name = vendor.map(VendorName::new);
    let synced = whole(async move { people.sync_catalogs(&by, name.as_ref()).await }).await?;
    let done = matches!(synced, Ok(Some(_)));
    api.metrics.admin_call(AdminCall::Sync, if done { "done" } else { "refused" });
    match synced {
        Ok(Some(synced)) => {
            tracing::info!(who, "{who} has had the catalogs of vendors read");
            let complaints = api.people.complaints().await;
            Ok(answer::json(StatusCode::OK, &json!({ "synced": synced, "complaints": complaints })))
        }
        Ok(None) => Err(Refusal::unknown("there is no such vendor")
            .hint("`casewright vendors list` shows all of them")),
        Err(NotSynced::Vendor(error)) => {
            Err(Refusal::conflict("not_read", format!("the vendor does not tell: {error}"))
                .hint("what was known of its catalog is gone by"))
        }
        Err(NotSynced::Store(error)) => Err(trouble(&error)),
    }
}
