//! The API's OpenAPI document, made of the very code that answers: paths and parameters stand at the
//! handlers, schemas are those of the types that are sent.
//!
//! `tests/api_document.rs` compares it with the routes, and answers of a running daemon with it.

use axum::response::Response;
use http::StatusCode;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::routes::Routes;
use super::{
    actions, acts, alerts, cases, catalogs, deliveries, drafts, incidents, mutes, rules, status,
    vendors,
};
use crate::http::answer::{self, Problem};

pub(super) fn routes() -> Routes {
    Routes::default().get("/openapi.json", show)
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "daemon", responses(
    (status = 200, description = "An OpenAPI 3.1 document.", body = Object),
))]
async fn show() -> Response {
    answer::json(StatusCode::OK, &document())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Casewright",
        description = "What a person can see and do: incidents, their alerts, drafts and cases, \
            actions, deliveries, mutes, vendors. On the admin listener, with a token.\n\n\
            Lists come in pages: `next` of an answer is the `cursor` of the next request, with the \
            same filters; it is `null` on the last page. A page may show less than it was asked for \
            and still have a next one. What comes in meanwhile moves nothing.\n\n\
            What is refused is told as RFC 9457 has it, with a `code` for scripts and a `hint` for \
            people.",
    ),
    paths(
        acts::list, acts::whoami, actions::list, actions::show, actions::retry, alerts::list, cases::list, cases::show, catalogs::show,
        catalogs::search, catalogs::sync, deliveries::list, deliveries::show, deliveries::explain, deliveries::replay,
        drafts::show, drafts::edit, incidents::list, incidents::show, incidents::approve,
        incidents::reject, incidents::why, mutes::list, mutes::make, mutes::lift, rules::list,
        status::show, vendors::list, vendors::show, vendors::pause, vendors::resume, show,
        super::reload,
    ),
    components(schemas(Problem)),
    modifiers(&Everywhere),
)]
struct Described;

/// What holds for every operation: who may come in, and how refusals look.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("a token of `server.admin_tokens`, or the local one"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        document.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
        document.info.license = None;
        for item in document.paths.paths.values_mut() {
            let operations: [&mut Option<Operation>; 3] =
                [&mut item.get, &mut item.post, &mut item.put];
            for operation in operations.into_iter().flatten() {
                let problem =
                    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                let response = ResponseBuilder::new()
                    .description("It was not done, and this is why.")
                    .content("application/problem+json", problem)
                    .build();
                operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
            }
        }
    }
}

/// See the [module](self).
pub fn document() -> utoipa::openapi::OpenApi {
    Described::openapi()
}
