//! The tokens that are accepted, as digests. Compared in constant time, all of them: neither the
//! time taken nor the length tells which was nearly right.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::Choice;

use crate::config::{AdminToken, LOCAL_TOKEN};
use crate::domain::access::{Role, TokenDigest};
use crate::sources::Unauthentic;
use crate::sources::credential::scheme;

/// See the [module](self). None accepts nobody.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

/// A token that is accepted.
#[derive(Debug, Clone)]
pub struct Key {
    /// Whose it is.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Of the token.
    pub digest: TokenDigest,
}

impl Keys {
    /// Accepts the token of this machine, which may do everything, and those of the config.
    pub fn new(local: Option<&SecretString>, configured: &[AdminToken]) -> Self {
        let local = local.filter(|token| !token.expose_secret().trim().is_empty());
        let local = local.map(|token| Key {
            name: LOCAL_TOKEN.to_owned(),
            role: Role::Admin,
            digest: TokenDigest::of(token.expose_secret().trim().as_bytes()),
        });
        let configured = configured.iter().map(|token| Key {
            name: token.name.clone(),
            role: token.role,
            digest: token.digest,
        });
        Self(local.into_iter().chain(configured).collect())
    }

    /// Whose token this is.
    pub fn of_token(&self, token: &[u8]) -> Option<&Key> {
        let digest = TokenDigest::of(token.trim_ascii());
        let mut found = None;
        for key in &self.0 {
            let is: Choice = key.digest.is(&digest);
            if bool::from(is) && found.is_none() {
                found = Some(key);
            }
        }
        found
    }

    /// The key of that name.
    pub fn of_name(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name)
    }

    /// Whose token the request carries.
    pub(super) fn of_request(&self, headers: &HeaderMap) -> Result<&Key, Unauthentic> {
        let mut refused = Unauthentic::Missing;
        for value in headers.get_all(AUTHORIZATION) {
            refused = Unauthentic::Wrong;
            let Some((scheme, token)) = scheme(value.as_bytes()) else { continue };
            if !scheme.eq_ignore_ascii_case(b"bearer") {
                continue;
            }
            if let Some(key) = self.of_token(token) {
                return Ok(key);
            }
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let ops = AdminToken {
            name: "ops".to_owned(),
            role: Role::Viewer,
            digest: TokenDigest::of(b"ops-token"),
        };
        Keys::new(Some(&SecretString::from("local-token")), &[ops])
    }

    fn asked_with(keys: &Keys, authorization: &[&str]) -> Result<(String, Role), Unauthentic> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        keys.of_request(&headers).map(|key| (key.name.clone(), key.role))
    }

    #[test]
    fn a_token_tells_whose_it_is_and_what_it_may() {
        let keys = keys();
        let of = |token| asked_with(&keys, &[token]);
        assert_eq!(of("Bearer ops-token"), Ok(("ops".to_owned(), Role::Viewer)));
        assert_eq!(of("bearer  local-token "), Ok(("local".to_owned(), Role::Admin)));
    }

    #[test]
    fn no_token_and_a_wrong_one_are_told_apart_and_both_refused() {
        let keys = keys();
        assert_eq!(asked_with(&keys, &[]), Err(Unauthentic::Missing));
        let digest = format!("Bearer {}", TokenDigest::of(b"ops-token").to_hex());
        for wrong in
            ["Bearer ops-toke", "Bearer ops-tokenx", "Bearer ", "Basic b3BzLXRva2Vu", "", &digest]
        {
            assert_eq!(asked_with(&keys, &[wrong]), Err(Unauthentic::Wrong), "{wrong}");
        }
    }

    #[test]
    fn without_keys_nobody_comes_in() {
        assert!(asked_with(&Keys::default(), &["Bearer "]).is_err());
        let empty = Keys::new(Some(&SecretString::from(" ")), &[]);
        assert!(asked_with(&empty, &["Bearer "]).is_err());
    }
}
