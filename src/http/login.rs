//! How a browser comes in and goes out: a token is pasted once, and a session stands for it.
//!
//! There are no passwords, and the token is in no page, no address and no cookie. Never lead anybody
//! to another site after a login: see [`back`](super::back).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, Request, State, rejection};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;

use super::access::session::Cookie;
use super::access::{Barred, Guard, Key, Visit, origin};
use super::answer::Refusal;
use super::back::{came_from, local};
use super::console::frame::Frame;
use super::console::{for_pages, guarded};
use super::form;
use super::server::Peer;
use crate::domain::access::{Means, Role, Who};
use crate::domain::audit::{Act, End, Object};
use crate::domain::session::Session;
use crate::domain::throttle::Throttle;
use crate::store::StoreError;
use crate::telemetry::metrics::AdminCall;
use crate::time::later;

#[derive(Clone)]
struct Login {
    guard: Guard,
    throttle: Arc<Mutex<Throttle>>,
}

/// The routes `/login` and `/logout`; to be merged into those of the admin listener.
pub fn router(guard: Guard) -> Router {
    // Whoever came in may go out, whatever their role.
    let everybody = Guard { least: Role::Viewer, ..guard.clone() };
    let logout = post(logout)
        .layer(middleware::from_fn_with_state(everybody, page_guard))
        .fallback(|| async { Refusal::method("POST") });
    let clock = guard.people.clock.clone();
    let login = get(page).post(login).fallback(|| async { Refusal::method("GET, HEAD, POST") });
    Router::new()
        .route("/login", login)
        .route("/logout", logout)
        .layer(middleware::from_fn_with_state(clock, for_pages))
        .layer(middleware::from_fn(guarded))
        .with_state(Login { guard, throttle: Arc::default() })
}

/// As [`guard`](super::access::guard), for pages: who should log in is led there, and from there back.
///
/// Who sends a form is told that it was not heeded, and is led back to the page with the form: what
/// it would have changed may have changed meanwhile, so nothing of it is done later by itself.
pub async fn page_guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let page = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let sent = !origin::is_safe(request.method());
    let form = if sent { came_from(request.headers()) } else { None };
    match guard.admit(request).await {
        Ok(request) => guard.watch(request, next).await,
        Err(barred) if barred.wants_login() && sent => {
            let why = match barred {
                Barred::Over => "Your session has ended",
                _ => "You are not logged in",
            };
            let complaint = format!(
                "{why}, so what you have sent was not done. Log in, and do it again on the page to \
                 which you are led."
            );
            draw(StatusCode::UNAUTHORIZED, &complaint, form.as_deref().unwrap_or("/"))
        }
        Err(barred) if barred.wants_login() => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("next", &page)
                .finish();
            Redirect::to(&format!("/login?{query}")).into_response()
        }
        Err(barred) => {
            guard.count(&barred);
            barred.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'p> {
    frame: Frame,
    complaint: &'p str,
    next: &'p str,
}

fn draw(status: StatusCode, complaint: &str, next: &str) -> Response {
    match (Page { frame: Frame::nobody(), complaint, next }).render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the login page could not be drawn: {error}");
            Refusal::internal().into_response()
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Back {
    #[serde(default)]
    next: String,
}

async fn page(query: Result<Query<Back>, rejection::QueryRejection>) -> Response {
    let Back { next } = query.map(|Query(back)| back).unwrap_or_default();
    draw(StatusCode::OK, "", local(&next))
}

async fn login(State(login): State<Login>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let access = login.guard.access.get();
    let peer = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
    let from = access.origin(&parts.headers, peer);
    // There is no session yet whose token a form could carry; that another site logs somebody in is
    // prevented by where the form was sent from.
    if let Err(foreign) = origin::is_ours(&parts.headers) {
        login.counted("denied");
        let complaint = format!("Not logged in: {foreign}. Log in on this page.");
        return draw(StatusCode::FORBIDDEN, &complaint, "/");
    }
    let Some((token, next)) = posted(body).await else {
        return draw(StatusCode::BAD_REQUEST, "The form is not understood.", "/");
    };
    let now = login.guard.people.clock.now();
    if let Err(wait) = login.throttle().admit(from, now) {
        login.counted("throttled");
        let seconds = wait.as_secs().max(1);
        let complaint =
            format!("Too many attempts. Try again in {} minutes.", seconds.div_ceil(60));
        let mut response = draw(StatusCode::TOO_MANY_REQUESTS, &complaint, &next);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let Some(key) = access.keys.of_token(token.as_bytes()) else {
        login.failed(from).await;
        return draw(StatusCode::UNAUTHORIZED, "This token is not one that is accepted.", &next);
    };
    login.throttle().succeeded(from);
    let secure = access.is_secure(&parts.headers);
    let earlier = Cookie::of(&parts.headers, secure);
    match login.open(key, from, secure, earlier).await {
        Ok(cookie) => {
            login.counted("done");
            tracing::info!(who = key.name, "{} has logged in", key.name);
            led(&next, cookie)
        }
        Err(error) => {
            tracing::error!(%error, "a login met trouble with the store: {error}");
            let complaint = "The store does not answer now. Try again in a moment.";
            draw(StatusCode::SERVICE_UNAVAILABLE, complaint, &next)
        }
    }
}

async fn logout(State(login): State<Login>, visit: Visit, headers: HeaderMap) -> Response {
    let secure = login.guard.access.get().is_secure(&headers);
    // Who came in otherwise has no session that could end.
    if let Some(cookie) = Cookie::of(&headers, secure).filter(|_| visit.who.means == Means::Session)
    {
        let people = login.guard.people.clone();
        let who = visit.who.name.clone();
        let id = cookie.id();
        let ended = tokio::spawn(async move {
            let work = people.store.end_session(&id);
            people.act(&visit.who, Act::Logout, &Object::Console, "", work, |_| End::done()).await
        })
        .await;
        if !matches!(ended, Ok(Ok(_))) {
            tracing::error!("a session could not be ended");
            let complaint = "You are still logged in: the store does not answer now. Try again.";
            return draw(StatusCode::SERVICE_UNAVAILABLE, complaint, "/");
        }
        login.guard.metrics.admin_call(AdminCall::Logout, "done");
        tracing::info!(who, "{who} has logged out");
    }
    led("/login", Cookie::unset(secure))
}

impl Login {
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        // Counts that cannot be left half-changed.
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self, result: &'static str) {
        self.guard.metrics.admin_call(AdminCall::Login, result);
    }

    async fn failed(&self, from: Option<IpAddr>) {
        self.counted("refused");
        tracing::warn!(?from, "somebody tried to log in with a token that is not accepted");
        let people = &self.guard.people;
        if !self.throttle().failed(from, people.clock.now()) {
            return;
        }
        if let Err(error) = people.turned_away(from, "the token is not one that is accepted").await
        {
            tracing::error!(%error, "a failed login could not be put on record: {error}");
        }
    }

    /// Begins a session for whoever showed the token, in place of the one that the browser had.
    async fn open(
        &self,
        key: &Key,
        from: Option<IpAddr>,
        secure: bool,
        earlier: Option<Cookie>,
    ) -> Result<Option<HeaderValue>, StoreError> {
        let people = self.guard.people.clone();
        let now = people.clock.now();
        let cookie = Cookie::new(&people.rng);
        let session = Session {
            id: cookie.id(),
            name: key.name.clone(),
            role: key.role,
            seal: cookie.seal(key),
            from,
            created_at: now,
            seen_at: now,
            expires_at: later(now, self.guard.access.get().sessions.lasts),
        };
        let who = Who { name: key.name.clone(), role: key.role, means: Means::Token, from };
        let opened = tokio::spawn(async move {
            let work = async {
                if let Some(earlier) = earlier {
                    people.store.end_session(&earlier.id()).await?;
                }
                people.store.open_session(&session).await
            };
            people.act(&who, Act::Login, &Object::Console, "", work, |()| End::done()).await
        });
        opened.await.unwrap_or_else(|panic| Err(StoreError::Unavailable(panic.to_string())))?;
        Ok(cookie.set(secure))
    }
}

/// The token and where to go, if the body is such a form.
async fn posted(body: Body) -> Option<(String, String)> {
    let form = form::read(body, form::LIMIT_OF_STRANGERS).await.ok()?;
    let next = form::field(&form, "next").unwrap_or_default();
    Some((form::field(&form, "token")?, local(&next).to_owned()))
}

/// Leads to a page of ours, and has the browser keep the cookie.
fn led(to: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Redirect::to(to).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_an_address_is_text_in_the_page() {
        let next = "/\"><script>alert(1)</script>";
        let page = Page { frame: Frame::nobody(), complaint: "<b>", next };
        let shown = page.render().unwrap();
        assert!(!shown.contains("<script>") && !shown.contains("<b>"), "{shown}");
    }
}
