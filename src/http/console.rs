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
mod done;
mod draft;
pub(in crate::http) mod frame;
mod incident;
mod incidents;
mod live;
mod mutes;
mod overview;
mod refused;
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

pub use self::live::Live;
use self::refused::Back;
pub use self::refused::for_browsers;
pub(super) use self::refused::for_pages;
use super::access::guard;
use super::answer::{self, Refusal};
use super::api::Api;
use super::api::asked::Asked;
use super::login::page_guard;
use super::routes::Routes;
use crate::people::paging::List;
use crate::store::StoreError;
use crate::store::lists::Position;

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
        .get("/incidents/{id}/draft", draft::page)
        .post("/incidents/{id}/draft", draft::edit)
        .get("/held", waiting::held)
        .get("/actions", waiting::actions)
        .post("/actions/{incident}/{seq}/retry", acts::retry)
        .get("/why", why::page)
        .get("/rules", rules::page)
        .get("/deliveries", deliveries::list)
        .get("/deliveries/{id}", deliveries::page)
        .get("/vendors", vendors::page)
        .post("/vendors/{name}/pause", acts::pause)
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
    let clock = console.api.people.clock.clone();
    let inside = pages()
        .router()
        .route_layer(middleware::from_fn_with_state(door.clone(), page_guard))
        .layer(middleware::from_fn_with_state(clock, for_pages));
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
    protect(&mut answer);
    answer
}

fn protect(answer: &mut Response) {
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
            Refusal::internal().into_response()
        }
    }
}

/// Why there is no such page, or nothing was done, and where to go on.
#[derive(Debug)]
pub(super) struct Trouble {
    refusal: Refusal,
    /// Boxed, because most pages are no trouble.
    back: Option<Box<Back>>,
}

impl Trouble {
    /// With a way to go on.
    fn leading_to(refusal: Refusal, address: impl Into<String>, label: &'static str) -> Self {
        Self { refusal, back: Some(Box::new(Back { address: address.into(), label })) }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, back: None }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        answer::trouble(&error).into()
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.refusal.into_response();
        if let Some(back) = self.back {
            response.extensions_mut().insert(*back);
        }
        response
    }
}

/// One of the things that a form lets choose.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    name: String,
    is_chosen: bool,
}

/// What a form lets choose. What is chosen is among it, also if it is none of these: a page must not
/// say that it shows all when it does not.
fn choices(names: impl IntoIterator<Item = impl Into<String>>, chosen: &str) -> Vec<Choice> {
    let choice = |name: String| Choice { is_chosen: name == chosen, name };
    let mut choices: Vec<Choice> = names.into_iter().map(|name| choice(name.into())).collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.is_chosen) {
        choices.push(choice(chosen.to_owned()));
    }
    choices
}

/// An address of ours with what it asks for; what is empty is not asked for.
fn address(path: &str, asked: &[(&str, &str)]) -> String {
    let asked = asked.iter().filter(|(_, value)| !value.is_empty());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The place in a list at which its page begins.
fn begins_at(asked: &Asked, list: List, beginning: &str) -> Result<Option<Position>, Trouble> {
    asked.after(list).map_err(|_| nowhere(beginning))
}

/// There is no such place in a list; with a way to its beginning.
fn nowhere(beginning: &str) -> Trouble {
    let what = "this address leads to no place in the list: it was cut, or it is of another list";
    Trouble::leading_to(Refusal::unusable(what), beginning, "To the beginning of the list")
}

/// What a page answers.
type Page = Result<Response, Trouble>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_shown_even_if_it_is_not_offered_any_more() {
        let shown = |chosen: &str| -> Vec<(String, bool)> {
            let choices = choices(["a", "b"], chosen).into_iter();
            choices.map(|choice| (choice.name, choice.is_chosen)).collect()
        };
        let of = |all: &[(&str, bool)]| -> Vec<(String, bool)> {
            all.iter().map(|(name, is)| ((*name).to_owned(), *is)).collect()
        };
        assert_eq!(shown(""), of(&[("a", false), ("b", false)]));
        assert_eq!(shown("b"), of(&[("a", false), ("b", true)]));
        assert_eq!(shown("gone"), of(&[("a", false), ("b", false), ("gone", true)]));
    }

    #[test]
    fn an_address_has_what_it_asks_for_and_nothing_else() {
        assert_eq!(address("/x", &[("a", ""), ("b", "")]), "/x");
        assert_eq!(address("/x", &[("a", "1&2"), ("b", ""), ("c", "ü")]), "/x?a=1%262&c=%C3%BC");
    }
}
