//! What the vendors accept: read, searched, and read anew at the vendor.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::routes::Routes;
use super::{Api, trouble, whole};
use crate::dispatch::catalogs::{NotSynced, Synced};
use crate::domain::access::Operator;
use crate::domain::ids::VendorName;
use crate::http::answer::{self, Refusal};
use crate::people::offers::{FOUND, Hit, Offers, OffersSought};
use crate::rules::offered::Complaint;
use crate::telemetry::metrics::AdminCall;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/catalog", show)
        .get("/catalog/search", search)
        .post("/catalog/sync", sync)
}

/// What the vendors accept.
#[derive(Serialize, ToSchema)]
pub(super) struct Catalogs {
    vendors: Vec<Offers>,
}

/// Names that were found, the most alike first.
#[derive(Serialize, ToSchema)]
pub(super) struct Hits {
    found: Vec<Hit>,
}

/// What a reading has led to.
#[derive(Serialize, ToSchema)]
pub(super) struct Reading {
    /// One for each vendor that was read.
    #[schema(value_type = Vec<Object>)]
    synced: Vec<Synced>,
    /// What the rules in force ask for that their vendors do not offer.
    #[schema(value_type = Vec<Object>)]
    complaints: Vec<Complaint>,
}

fn sought(asked: &Asked) -> OffersSought {
    OffersSought {
        vendor: asked.text("vendor").map(VendorName::new),
        account: asked.text("account").map(str::to_owned),
        category: asked.text("category").map(str::to_owned),
    }
}

/// What the vendors accept, as it was last read.
#[utoipa::path(get, path = "/api/v1/catalog", tag = "catalog", params(
    ("vendor" = Option<String>, Query, description = "only of this vendor"),
    ("account" = Option<String>, Query, description = "only of this account"),
    ("category" = Option<String>, Query, description = "only of this category, such as `TECHNICAL`"),
), responses((status = 200, description = "What they accept.", body = Catalogs)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(query.as_deref(), &["vendor", "account", "category"])?;
    let vendors = api.people.offers(&sought(&asked)).await.map_err(|error| trouble(&error))?;
    Ok(answer::tagged(&headers, &Catalogs { vendors }))
}

/// Names that are like some words; slips are forgiven.
#[utoipa::path(get, path = "/api/v1/catalog/search", tag = "catalog", params(
    ("words" = String, Query, min_length = 1, description = "what to look for, such as `ion premier`"),
    ("vendor" = Option<String>, Query, description = "only of this vendor"),
    ("account" = Option<String>, Query, description = "only of this account"),
    ("category" = Option<String>, Query, description = "only of this category, such as `TECHNICAL`"),
), responses((status = 200, description = "At most 100 names.", body = Hits)))]
pub(super) async fn search(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(query.as_deref(), &["words", "vendor", "account", "category"])?;
    let words = asked.demanded("words")?;
    let found = api.people.search_offers(&sought(&asked), words, FOUND).await;
    Ok(answer::json(StatusCode::OK, &Hits { found: found.map_err(|error| trouble(&error))? }))
}

/// Have what the vendors accept read anew, at the vendors.
#[utoipa::path(post, path = "/api/v1/catalog/sync", tag = "catalog", params(
    ("vendor" = Option<String>, Query, description = "only of this vendor"),
), responses((status = 200, description = "What was read, and how it differs.", body = Reading)))]
pub(super) async fn sync(
    State(api): State<Api>,
    by: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Asked::read(query.as_deref(), &["vendor"])?;
    let vendor = asked.text("vendor");
    let (people, who) = (api.people.clone(), by.name.clone());
    let name = vendor.map(VendorName::new);
    let synced = whole(async move { people.sync_catalogs(&by, name.as_ref()).await }).await?;
    let done = matches!(synced, Ok(Some(_)));
    api.metrics.admin_call(AdminCall::Sync, if done { "done" } else { "refused" });
    match synced {
        Ok(Some(synced)) => {
            tracing::info!(who, "{who} has had the catalogs of vendors read");
            let complaints = api.people.complaints().await;
            Ok(answer::json(StatusCode::OK, &Reading { synced, complaints }))
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
