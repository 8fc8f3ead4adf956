//! Static credentials: bearer tokens, basic auth pairs, a shared secret in a header.
//!
//! These are what Alertmanager's `http_config` can send. Several of each are valid at once, so
//! that a secret can be rotated without a moment in which the sender is refused.
//!
//! Secrets are compared as SHA-256 digests, in constant time, against *every* configured one:
//! neither the time taken nor the length tells which was nearly right.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Unauthentic;

/// A user and password that are accepted.
#[derive(Debug, Clone)]
pub struct Basic {
    /// The user. Must not contain a colon (RFC 7617 §2).
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// A header whose value is a shared secret, such as `X-Casewright-Token`.
#[derive(Debug, Clone)]
pub struct SecretHeader {
    /// The header's name.
    pub name: HeaderName,
    /// The values that are accepted.
    pub values: Vec<SecretString>,
}

/// The credentials that a source accepts; any one of them is enough.
///
/// An `Auth` without credentials refuses everybody.
#[derive(Clone, Default)]
pub struct Auth {
    bearer: Vec<Hash>,
    basic: Vec<Hash>,
    headers: Vec<(HeaderName, Vec<Hash>)>,
}

/// A SHA-256 digest of a secret. It has no `PartialEq`: comparing goes through `subtle`.
#[derive(Clone)]
struct Hash([u8; 32]);

impl Hash {
    fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Numbers only: a digest of a weak secret is as good as the secret.
        f.debug_struct("Auth")
            .field("bearer", &self.bearer.len())
            .field("basic", &self.basic.len())
            .field("headers", &self.headers.len())
            .finish()
    }
}

impl Auth {
    /// Accepts whoever presents one of these. Empty secrets are left out, because an empty
    /// credential would let everybody in.
    pub fn new(bearer: &[SecretString], basic: &[Basic], headers: &[SecretHeader]) -> Self {
        let hashes = |secrets: &[SecretString]| -> Vec<Hash> {
            secrets
                .iter()
                .map(|secret| secret.expose_secret().trim())
                .filter(|secret| !secret.is_empty())
                .map(|secret| Hash::of(secret.as_bytes()))
                .collect()
        };
        Self {
            bearer: hashes(bearer),
            basic: basic
                .iter()
                .filter(|pair| !pair.password.expose_secret().is_empty())
                .map(|pair| {
                    Hash::of(format!("{}:{}", pair.user, pair.password.expose_secret()).as_bytes())
                })
                .collect(),
            headers: headers
                .iter()
                .map(|header| (header.name.clone(), hashes(&header.values)))
                .collect(),
        }
    }

    /// Checks what a request presents.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Unauthentic> {
        let mut presented = false;
        let mut good = Choice::from(0);
        for value in headers.get_all(AUTHORIZATION) {
            presented = true;
            match scheme(value.as_bytes()) {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer") => {
                    good |= any(&self.bearer, token);
                }
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"basic") => {
                    if let Ok(pair) = STANDARD.decode(token) {
                        good |= any(&self.basic, &pair);
                    }
                }
                _ => {}
            }
        }
        for (name, accepted) in &self.headers {
            for value in headers.get_all(name) {
                presented = true;
                good |= any(accepted, value.as_bytes().trim_ascii());
            }
        }
        if bool::from(good) {
            Ok(())
        } else if presented {
            Err(Unauthentic::Wrong)
        } else {
            Err(Unauthentic::Missing)
        }
    }

    /// What to put into `WWW-Authenticate` (RFC 9110 §11.6.1), one value per header line.
    pub fn challenges(&self) -> Vec<&'static str> {
        let mut challenges = Vec::new();
        if !self.bearer.is_empty() {
            challenges.push("Bearer realm=\"casewright\"");
        }
        if !self.basic.is_empty() {
            challenges.push("Basic realm=\"casewright\", charset=\"UTF-8\"");
        }
        challenges
    }
}

/// Splits `Bearer abc` into scheme and token.
pub(crate) fn scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.trim_ascii();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(space)?;
    Some((scheme, rest.trim_ascii()))
}

/// Whether `presented` is one of `accepted`. Looks at all of them, whatever it finds.
fn any(accepted: &[Hash], presented: &[u8]) -> Choice {
    let presented = Hash::of(presented);
    accepted.iter().fold(Choice::from(0), |found, hash| found | hash.0.ct_eq(&presented.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> Auth {
        Auth::new(
            &["old-token".into(), "new-token".into()],
            &[Basic { user: "am".into(), password: "pa:ss wörd".into() }],
            &[SecretHeader {
                name: HeaderName::from_static("x-token"),
                values: vec!["one".into(), "two".into()],
            }],
        )
    }

    fn check(auth: &Auth, headers: &[(&str, &str)]) -> Result<(), Unauthentic> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        auth.check(&map)
    }

    #[test]
    fn every_configured_credential_is_accepted() {
        let basic = format!("Basic {}", STANDARD.encode("am:pa:ss wörd"));
        for headers in [
            [("authorization", "Bearer old-token")],
            [("authorization", "Bearer new-token")],
            [("authorization", "bearer   new-token ")],
            [("authorization", basic.as_str())],
            [("x-token", "one")],
            [("x-token", " two ")],
        ] {
            assert_eq!(check(&auth(), &headers), Ok(()), "{headers:?}");
        }
    }

    #[test]
    fn a_credential_under_the_wrong_scheme_is_wrong() {
        let basic = format!("Basic {}", STANDARD.encode("am:old-token"));
        for headers in [
            [("authorization", "Bearer old-toke")],
            [("authorization", "Bearer old-tokens")],
            [("authorization", "Bearer one")],
            [("authorization", "Bearer ")],
            [("authorization", "Bearer")],
            [("authorization", "old-token")],
            [("authorization", "Basic old-token")],
            [("authorization", "Basic !!!")],
            [("authorization", basic.as_str())],
            [("x-token", "old-token")],
            [("x-token", "")],
        ] {
            assert_eq!(check(&auth(), &headers), Err(Unauthentic::Wrong), "{headers:?}");
        }
    }

    #[test]
    fn no_credential_is_told_apart_from_a_wrong_one() {
        assert_eq!(check(&auth(), &[]), Err(Unauthentic::Missing));
        assert_eq!(check(&auth(), &[("x-other", "one")]), Err(Unauthentic::Missing));
    }

    #[test]
    fn a_good_credential_beside_a_bad_one_is_enough() {
        let both = [("authorization", "Bearer nonsense"), ("x-token", "two")];
        assert_eq!(check(&auth(), &both), Ok(()));
    }

    #[test]
    fn empty_secrets_let_nobody_in() {
        let auth = Auth::new(
            &["".into(), "  ".into()],
            &[Basic { user: "am".into(), password: "".into() }],
            &[SecretHeader { name: HeaderName::from_static("x-token"), values: vec!["".into()] }],
        );
        let basic = format!("Basic {}", STANDARD.encode("am:"));
        for headers in
            [[("authorization", "Bearer ")], [("authorization", basic.as_str())], [("x-token", "")]]
        {
            assert_eq!(check(&auth, &headers), Err(Unauthentic::Wrong), "{headers:?}");
        }
        assert_eq!(check(&Auth::default(), &[]), Err(Unauthentic::Missing));
    }

    #[test]
    fn open_is_open_only_when_asked_for() {}

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let shown = format!("{:?}", auth());
        for secret in ["old-token", "pa:ss", "one"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn challenges_name_what_is_configured() {
        assert_eq!(auth().challenges().len(), 2);
        assert!(Auth::default().challenges().is_empty());
    }
}
