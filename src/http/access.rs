//! Who may come in at the admin listener, by a token, a session or the word of a trusted proxy, and
//! what their role lets them have done.
//!
//! *Invariant:* nothing behind [`guard`] runs, and nothing of a request is looked at but its
//! headers, before somebody was recognised. What a browser or a proxy authenticates must come from a
//! page of ours if it changes something, and nobody changes anything with less than the role of an
//! operator: a route needs no line for that. What needs more says so by what it takes, an
//! [`Operator`] or an [`Admin`].

mod keys;
pub(crate) mod origin;
mod proxy;
pub(crate) mod session;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Uri};
use subtle::ConstantTimeEq as _;

pub use self::keys::{Key, Keys};
use self::origin::Foreign;
use self::proxy::Said;
use self::session::{Cookie, came_over_tls};
pub use self::session::{FORM_TOKEN, FORM_TOKEN_HEADER};
use super::answer::{Refusal, trouble};
use super::form;
use super::server::Peer;
use crate::config::{AccessConfig, ProxyConfig};
use crate::current::Current;
use crate::domain::access::{Admin, Denied, Means, Operator, Role, Who};
use crate::domain::audit::{Act, Object};
use crate::domain::session::Lifetimes;
use crate::people::People;
use crate::sources::Unauthentic;
use crate::store::StoreError;
use crate::telemetry::metrics::{AdminCall, Metrics};

/// Who may come in, as the files say now.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The tokens.
    pub keys: Keys,
    /// The proxy whose word counts.
    pub proxy: Option<ProxyConfig>,
    /// How long browsers stay in.
    pub sessions: Lifetimes,
    /// Whether cookies are for TLS only, whatever a request came over.
    pub secure_cookies: bool,
}

impl Access {
    /// With these keys, and the rest as the files say.
    pub fn new(keys: Keys, config: &AccessConfig) -> Self {
        Self {
            keys,
            proxy: config.proxy.clone(),
            sessions: config.sessions,
            secure_cookies: config.secure_cookies,
        }
    }

    /// Whether the cookie of this request's browser is one for TLS only.
    pub(crate) fn is_secure(&self, headers: &HeaderMap) -> bool {
        self.secure_cookies || came_over_tls(headers)
    }

    /// Where a request came from.
    pub(crate) fn origin(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        proxy::origin(self.proxy.as_ref(), headers, peer)
    }
}

/// What the guard needs.
#[derive(Clone)]
pub struct Guard {
    /// Who may come in.
    pub access: Current<Access>,
    /// The least role that changes anything.
    pub least: Role,
    /// Sessions, and the record of what was refused.
    pub people: People,
    /// Counts calls.
    pub metrics: Arc<Metrics>,
}

/// What the guard tells what follows about a request.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who asks.
    pub who: Who,
    /// What a form must carry in its field [`FORM_TOKEN`]; empty where it need not carry anything.
    pub form_token: String,
}

/// Why a request is not let through.
#[derive(Debug)]
pub(crate) enum Barred {
    /// It shows nothing.
    Unknown,
    /// It shows something that is not accepted.
    Wrong,
    /// A session that has ended, or never was.
    Over,
    /// It was not made by a page of ours.
    Foreign(Foreign),
    /// Its form was not made by us for this session.
    Form,
    /// Its form did not arrive whole.
    Unread(Refusal),
    /// The role does not suffice.
    Denied(Denied),
    /// The store does not answer.
    Trouble(StoreError),
}

impl From<StoreError> for Barred {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error)
    }
}

impl Barred {
    /// Whether whoever asks should log in.
    pub(crate) fn wants_login(&self) -> bool {
        matches!(self, Self::Unknown | Self::Wrong | Self::Over)
    }

    /// In JSON, with what to do.
    pub(crate) fn refusal(&self) -> Refusal {
        let login = |code, message| {
            Refusal::unauthentic(code, message, &["Bearer realm=\"casewright\""]).hint(
                "send `Authorization: Bearer TOKEN`, with a token of `server.admin_tokens`, or with \
                 the one in the file beside the database that ends in `.token`; a browser logs in \
                 at /login",
            )
        };
        match self {
            Self::Unknown => login("no_credential", "the request carries no token"),
            Self::Wrong => login("bad_credential", "the token is not one that is accepted"),
            Self::Over => login("session_over", "the session has ended"),
            Self::Foreign(why) => Refusal::forbidden("foreign", why.to_string())
                .hint("send it from a page of the console, or with a token in `Authorization`"),
            Self::Unread(refusal) => refusal.clone(),
            Self::Form => Refusal::forbidden(
                "form_token",
                "the form does not carry the token of this session",
            )
            .hint(format!(
                "load the page anew and send it again; a script sends the token of a form in \
                 `{FORM_TOKEN_HEADER}`"
            )),
            Self::Denied(denied) => Refusal::forbidden("role", denied.to_string())
                .hint("whoever runs the daemon gives roles, in `server.admin_tokens`"),
            Self::Trouble(error) => trouble(error),
        }
    }
}

impl IntoResponse for Barred {
    fn into_response(self) -> Response {
        let mut response = self.refusal().into_response();
        if let Self::Denied(denied) = self {
            // For the guard, which puts it on record.
            response.extensions_mut().insert(denied);
        }
        response
    }
}

/// Lets a request through that may come in, and refuses in JSON. What follows it knows by [`Visit`].
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.admit(request).await {
        Ok(request) => guard.watch(request, next).await,
        Err(barred) => {
            guard.count(&barred);
            barred.into_response()
        }
    }
}

impl Guard {
    pub(super) fn count(&self, barred: &Barred) {
        let (result, code) = match barred {
            Barred::Unknown => ("unauthenticated", "no_credential"),
            Barred::Wrong => ("unauthenticated", "bad_credential"),
            // A person who came back late, and nobody to be alarmed of.
            Barred::Over => ("denied", "session_over"),
            Barred::Foreign(_) => ("denied", "foreign"),
            Barred::Form => ("denied", "form_token"),
            Barred::Denied(_) => ("denied", "role"),
            Barred::Trouble(_) | Barred::Unread(_) => return,
        };
        self.metrics.admin_call(AdminCall::Any, result);
        // Not what was asked for: that is somebody's text.
        tracing::warn!(code, "a request to the admin listener was refused: {code}");
    }

    /// Recognises who asks, and looks whether the request may be what it says.
    pub(crate) async fn admit(&self, request: Request) -> Result<Request, Barred> {
        let access = self.access.get();
        let (mut parts, body) = request.into_parts();
        let (who, cookie) = self.recognise(&access, &mut parts).await?;
        let mut body = body;
        let changes = !origin::is_safe(&parts.method);
        if changes && who.means != Means::Token {
            self.is_ours(&who, &parts).await?;
        }
        let form_token = cookie.as_ref().map(Cookie::form_token).unwrap_or_default();
        if changes && cookie.is_some() {
            body = match carried(&form_token, &parts.headers, body).await {
                Ok(Some(body)) => body,
                Ok(None) => return Err(self.barred(&who, &parts, Barred::Form).await),
                Err(refusal) => return Err(Barred::Unread(refusal)),
            };
        }
        if changes && let Err(denied) = who.may(self.least) {
            return Err(self.barred(&who, &parts, Barred::Denied(denied)).await);
        }
        parts.extensions.insert(Visit { who, form_token });
        Ok(Request::from_parts(parts, body))
    }

    async fn recognise(
        &self,
        access: &Access,
        parts: &mut Parts,
    ) -> Result<(Who, Option<Cookie>), Barred> {
        let peer = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
        match proxy::take(access.proxy.as_ref(), &mut parts.headers, peer) {
            Said::User(who) => return Ok((who, None)),
            Said::Nonsense => return Err(Barred::Wrong),
            Said::Nothing => {}
        }
        let headers = &parts.headers;
        let from = access.origin(headers, peer);
        if headers.contains_key(AUTHORIZATION) {
            let key = access.keys.of_request(headers).map_err(|why| match why {
                Unauthentic::Missing => Barred::Unknown,
                Unauthentic::Wrong => Barred::Wrong,
            })?;
            let (name, role) = (key.name.clone(), key.role);
            return Ok((Who { name, role, means: Means::Token, from }, None));
        }
        let cookie = Cookie::of(headers, access.is_secure(headers)).ok_or(Barred::Unknown)?;
        let who = self.of_session(access, &cookie, from).await?;
        Ok((who, Some(cookie)))
    }

    /// Whose session it is, if it goes on.
    pub(crate) async fn of_session(
        &self,
        access: &Access,
        cookie: &Cookie,
        from: Option<IpAddr>,
    ) -> Result<Who, Barred> {
        let (store, now) = (&self.people.store, self.people.clock.now());
        let id = cookie.id();
        let session = store.session(&id).await?.ok_or(Barred::Over)?;
        // *Invariant:* the very token that began it is still accepted, with the same role.
        let key = access.keys.of_name(&session.name);
        let same = key.is_some_and(|key| {
            key.role == session.role && bool::from(same(&cookie.seal(key), &session.seal))
        });
        if !same || session.is_over(now, access.sessions) {
            store.end_session(&id).await?;
            return Err(Barred::Over);
        }
        if session.is_to_be_noted(now, access.sessions) {
            store.session_seen(&id, now).await?;
        }
        Ok(Who { name: session.name, role: session.role, means: Means::Session, from })
    }

    async fn is_ours(&self, who: &Who, parts: &Parts) -> Result<(), Barred> {
        match origin::is_ours(&parts.headers) {
            Ok(()) => Ok(()),
            Err(foreign) => Err(self.barred(who, parts, Barred::Foreign(foreign)).await),
        }
    }

    /// Puts on record what is refused to somebody who was recognised.
    async fn barred(&self, who: &Who, parts: &Parts, barred: Barred) -> Barred {
        let why = match &barred {
            Barred::Foreign(foreign) => foreign.to_string(),
            Barred::Denied(denied) => denied.to_string(),
            _ => "the form does not carry the token of its session".to_owned(),
        };
        let asked = asked_for(&parts.method, &parts.extensions, &parts.uri);
        if let Err(error) = self.people.refused(who, Act::Request, &asked, why).await {
            tracing::error!(%error, "a refusal could not be put on record: {error}");
        }
        barred
    }

    /// Runs what follows, and puts on record if it was denied there. What is refused tells to whom,
    /// for a page that says so.
    pub(crate) async fn watch(&self, request: Request, next: Next) -> Response {
        let visit = request.extensions().get::<Visit>().cloned();
        let asked = asked_for(request.method(), request.extensions(), request.uri());
        let mut response = next.run(request).await;
        if let Some(visit) = &visit
            && response.extensions().get::<Refusal>().is_some()
        {
            response.extensions_mut().insert(visit.clone());
        }
        if let (Some(denied), Some(visit)) = (response.extensions().get::<Denied>(), visit) {
            self.metrics.admin_call(AdminCall::Any, "denied");
            let why = denied.to_string();
            if let Err(error) = self.people.refused(&visit.who, Act::Request, &asked, why).await {
                tracing::error!(%error, "a refusal could not be put on record: {error}");
            }
        }
        response
    }
}

/// The method and the whole path: within a nested router the request has only the rest of it.
fn asked_for(method: &Method, extensions: &Extensions, uri: &Uri) -> Object {
    let path = extensions.get::<OriginalUri>().map_or(uri, |OriginalUri(whole)| whole).path();
    Object::Request(format!("{method} {path}"))
}

/// The body again, if the request carries the token of the session's forms.
async fn carried(
    form_token: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Body>, Refusal> {
    if let Some(shown) = headers.get(FORM_TOKEN_HEADER) {
        return Ok(bool::from(shown.as_bytes().ct_eq(form_token.as_bytes())).then_some(body));
    }
    if !form::is_form(headers) {
        return Ok(None);
    }
    let bytes = form::read(body, form::LIMIT).await?;
    let shown = form::field(&bytes, FORM_TOKEN).unwrap_or_default();
    Ok(bool::from(same(&shown, form_token)).then(|| Body::from(bytes)))
}

fn same(one: &str, other: &str) -> subtle::Choice {
    one.as_bytes().ct_eq(other.as_bytes())
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        // Without it the route is not behind the guard: a defect, and nobody is let in by it.
        parts.extensions.get::<Self>().cloned().ok_or_else(Refusal::internal)
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Visit::from_request_parts(parts, state).await.map(|visit| visit.who)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let who = Who::from_request_parts(parts, state).await;
        let who = who.map_err(IntoResponse::into_response)?;
        Self::try_from(who).map_err(|denied| Barred::Denied(denied).into_response())
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let who = Who::from_request_parts(parts, state).await;
        let who = who.map_err(IntoResponse::into_response)?;
        Self::try_from(who).map_err(|denied| Barred::Denied(denied).into_response())
    }
}
