//! Who may act on the daemon: bearer tokens, each with a name that is logged.
//!
//! *Invariant:* nothing behind [`guard`] runs, and nothing of a request is looked at but its
//! headers, before a token was accepted. Tokens are compared as digests, in constant time, all of
//! them.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use secrecy::SecretString;

use super::answer::Refusal;
use crate::current::Current;
use crate::sources::Unauthentic;
use crate::sources::credential::Auth;
use crate::telemetry::metrics::{AdminCall, Metrics};
use std::sync::Arc;

/// The tokens that are accepted. None accepts nobody.
#[derive(Debug, Default)]
pub struct Keys(Vec<(String, Auth)>);

/// Whose token a request carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who(pub String);

impl Keys {
    /// Accepts these tokens, by name.
    pub fn new<'a>(tokens: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Self {
        let key = |(name, token): (&str, &SecretString)| {
            (name.to_owned(), Auth::new(std::slice::from_ref(token), &[], &[]))
        };
        Self(tokens.into_iter().map(key).collect())
    }

    fn who(&self, headers: &HeaderMap) -> Result<Who, Unauthentic> {
        let mut found = Err(Unauthentic::Missing);
        for (name, auth) in &self.0 {
            match (auth.check(headers), &found) {
                (Ok(()), Err(_)) => found = Ok(Who(name.clone())),
                (Err(Unauthentic::Wrong), Err(_)) => found = Err(Unauthentic::Wrong),
                _ => {}
            }
        }
        found
    }
}

/// What the guard needs.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) keys: Current<Keys>,
    pub(super) metrics: Arc<Metrics>,
}

/// Lets a request through whose token is accepted, and tells what follows [`Who`] it is.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let who = guard.keys.get().who(request.headers());
    match who {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(why) => {
            let (code, message) = match why {
                Unauthentic::Missing => ("no_credential", "the request carries no token"),
                Unauthentic::Wrong => ("bad_credential", "the token is not one that is accepted"),
            };
            guard.metrics.admin_call(AdminCall::Any, "unauthenticated");
            // Not what was asked for: that is somebody's text.
            tracing::warn!(code, "a request to the admin listener was refused with 401: {code}");
            let challenge = ["Bearer realm=\"casewright\""];
            Refusal::unauthentic(code, message, &challenge)
                .hint(
                    "send `Authorization: Bearer TOKEN`, with a token of `server.admin_tokens`, \
                     or with the one in the file beside the database that ends in `.token`",
                )
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_with(authorization: &[&str]) -> Result<Who, Unauthentic> {
        let (local, ops) = (SecretString::from("local-token"), SecretString::from("ops-token"));
        let keys = Keys::new([("local", &local), ("ops", &ops)]);
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(http::header::AUTHORIZATION, value.parse().unwrap());
        }
        keys.who(&headers)
    }

    #[test]
    fn a_token_tells_whose_it_is() {
        assert_eq!(asked_with(&["Bearer ops-token"]), Ok(Who("ops".to_owned())));
        assert_eq!(asked_with(&["Bearer local-token"]), Ok(Who("local".to_owned())));
    }

    #[test]
    fn no_token_and_a_wrong_one_are_told_apart_and_both_refused() {
        assert_eq!(asked_with(&[]), Err(Unauthentic::Missing));
        for wrong in ["Bearer ops-toke", "Bearer ops-tokenx", "Bearer ", "Basic b3BzLXRva2Vu", ""] {
            assert_eq!(asked_with(&[wrong]), Err(Unauthentic::Wrong), "{wrong}");
        }
    }

    #[test]
    fn without_keys_nobody_comes_in() {
        let mut headers = HeaderMap::new();
        headers.append(http::header::AUTHORIZATION, "Bearer ".parse().unwrap());
        assert!(Keys::default().who(&headers).is_err());
        let empty = SecretString::from("");
        assert!(Keys::new([("empty", &empty)]).who(&headers).is_err());
    }
}
