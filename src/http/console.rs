//! The console: pages for whoever is on call, drawn here on the server, whole without a script.
//!
//! Every page reads through [`People`](crate::people::People), as the API does, and every button
//! does what the API does, through the API's own function: nothing is decided, counted or logged a
//! second way. A page shows strangers' texts, so it is never put together by hand: see [`text`].
//!
//! One file here is one page, and one in `pages` is what it looks like. The script only has what
//! people look at fetched anew when something has changed; an own one of some sixty lines, because
//! that is all that is wanted, and a library would be more to trust than to use.

mod acts;
mod assets;
mod audit;
mod catalog;
mod chart;
mod deliveries;
pub(in crate::http) mod frame;
mod incident;
mod incidents;
mod live;
mod mutes;
mod overview;
mod reports;
mod rules;
pub(crate) mod text;
mod timeline;
mod vendors;
mod waiting;
mod why;

use std::fmt;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use self::frame::Frame;
pub use self::live::Live;
use super::access::{guard, page_guard};
use super::api::Api;
use super::routes::Routes;
use crate::store::StoreError;

/// What a page may do: load our own style, script and icon, ask us, and send forms to us. No inline
/// script, no inline style, nothing of others, nowhere inside another page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; report-uri /console/csp-report";

/// What the pages need.
#[derive(Clone)]
pub struct Console {
    /// What is behind the buttons, and the people layer behind the pages.
    pub api: Api,
    /// Tells open pages that something has changed.
    pub live: Live,
    reports: reports::Reports,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

impl Console {
    /// A console over what the API has.
    pub fn new(api: Api, live: Live) -> Self {
        Self { api, live, reports: reports::Reports::default() }
    }
}

/// The pages and what their buttons do.
fn pages() -> Routes<Console> {
    Routes::default()
        .get("/", overview::page)
        .get("/incidents", incidents::page)
        .get("/incidents/{id}", incident::page)
        .post("/incidents/{id}/approve", acts::approve)
        .post("/incidents/{id}/reject", acts::reject)
        .get("/held", waiting::held)
        .get("/actions", waiting::actions)
        .post("/actions/{incident}/{seq}/retry", acts::retry)
        .get("/why", why::page)
        .get("/rules", rules::page)
        .get("/deliveries", deliveries::list)
        .get("/deliveries/{id}", deliveries::page)
        .get("/vendors", vendors::page)
        .post("/vendors/{name}/resume", acts::resume)
        .get("/catalog", catalog::page)
        .get("/mutes", mutes::page)
        .post("/mutes", acts::mute)
        .post("/mutes/{id}/lift", acts::lift)
        .get("/audit", audit::page)
}

/// Every address of a page or a button with its method, such as `GET /incidents`.
pub fn operations() -> Vec<(Method, &'static str)> {
    pages().operations()
}

/// The routes; to be merged into those of the admin listener.
pub fn router(console: Console) -> Router {
    let door = console.api.guard();
    let inside =
        pages().router().route_layer(middleware::from_fn_with_state(door.clone(), page_guard));
    // A script is not led to the login.
    let inside = inside.merge(
        Router::new()
            .route("/console/events", get(live::events))
            .route_layer(middleware::from_fn_with_state(door, guard)),
    );
    let open = Router::new()
        .route(assets::ROUTE, get(assets::asset))
        .route(reports::ROUTE, post(reports::report));
    inside.merge(open).layer(middleware::from_fn(guarded)).with_state(console)
}

/// Says with every answer what the browser must not do with it.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let is_page = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let headers = answer.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    say(X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(CONTENT_SECURITY_POLICY, POLICY);
    say(X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: with it, browsers hide where a form comes from, which is what tells our
    // own forms from those of strangers.
    say(REFERRER_POLICY, "same-origin");
    say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if is_page {
        say(CACHE_CONTROL, "no-store");
    }
    answer
}

/// A page, drawn.
fn draw(page: &impl Template) -> Response {
    draw_as(StatusCode::OK, page)
}

fn draw_as(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console could not be drawn: {error}");
            super::answer::Refusal::internal().into_response()
        }
    }
}

/// Why there is no such page, or nothing was done.
#[derive(Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    what: String,
    hint: Option<String>,
    back: &'static str,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage {
    frame: Frame,
    what: String,
    hint: Option<String>,
    back: &'static str,
}

impl Trouble {
    /// As it says, with a way back.
    fn new(
        status: StatusCode,
        what: impl Into<String>,
        hint: Option<String>,
        back: &'static str,
    ) -> Self {
        Self { status, what: what.into(), hint, back }
    }

    /// There is none.
    fn unknown(what: &str, back: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, None, back)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the console met trouble with the store: {error}");
        let hint =
            "Try again in a moment. If it stays so, `casewright doctor` tells what is wrong.";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The store does not answer now.",
            Some(hint.to_owned()),
            "/",
        )
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let Self { status, what, hint, back } = self;
        draw_as(status, &TroublePage { frame: Frame::nobody(), what, hint, back })
    }
}

/// What a page answers.
type Page = Result<Response, Trouble>;
