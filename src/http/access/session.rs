//! A browser's session as it goes over the wire: a cookie, and what its forms must carry.
//!
//! The cookie is 256 random bits. The store has its digest, and everything else is made of it: the
//! token of the forms, and the seal that ties the session to the very token that began it. So what
//! is in the store opens nothing, and nothing needs to be kept that a browser shows.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::keys::Key;
use crate::rng::Rng;

/// Where the cookie is sent over TLS only. Browsers accept a name with `__Host-` only with `Secure`,
/// without a domain and for all paths (RFC 6265bis §4.1.3.2), so no neighbour can put one there.
const SECURE_NAME: &str = "__Host-casewright_session";
/// Where it is not.
const PLAIN_NAME: &str = "casewright_session";

/// The field of a form, or the header of a request, that must carry [`Cookie::form_token`].
pub const FORM_TOKEN: &str = "form_token";
/// As [`FORM_TOKEN`], for scripts.
pub const FORM_TOKEN_HEADER: &str = "x-casewright-form-token";

/// What a browser shows.
#[derive(Debug, Clone)]
pub(crate) struct Cookie(SecretString);

impl Cookie {
    /// A new one.
    pub(crate) fn new(rng: &Rng) -> Self {
        Self(SecretString::from(hex::encode([rng.bytes(), rng.bytes()].concat())))
    }

    /// The one of a request. Two of one name are none: one of them may be somebody else's.
    pub(crate) fn of(headers: &HeaderMap, secure: bool) -> Option<Self> {
        let mut found = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == name_of(secure))
            .map(|(_, value)| value);
        let value = found.next().filter(|_| found.next().is_none())?;
        let fits = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(SecretString::from(value.to_owned())))
    }

    /// The id of its session in the store.
    pub(crate) fn id(&self) -> String {
        self.derived("id")
    }

    /// What forms must carry.
    pub(crate) fn form_token(&self) -> String {
        self.derived("form")
    }

    /// Which token began the session.
    pub(crate) fn seal(&self, key: &Key) -> String {
        key.digest.sealed_with(self.derived("seal").as_bytes())
    }

    /// Sets it in the browser.
    pub(crate) fn set(&self, secure: bool) -> Option<HeaderValue> {
        header(self.0.expose_secret(), "", secure)
    }

    /// Takes it away.
    pub(crate) fn unset(secure: bool) -> Option<HeaderValue> {
        header("", "; Max-Age=0", secure)
    }

    fn derived(&self, purpose: &str) -> String {
        let secret = self.0.expose_secret().as_bytes();
        hex::encode(
            Sha256::new().chain_update(purpose).chain_update([0]).chain_update(secret).finalize(),
        )
    }
}

fn name_of(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// `Lax`, not `Strict`: a link in a note at PagerDuty must lead to a page and not to the login.
fn header(value: &str, more: &str, secure: bool) -> Option<HeaderValue> {
    let tls = if secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{tls}{more}", name_of(secure));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Whether a request came over TLS, as the proxy in front says. Whoever lies about it makes only
/// their own browser more careful.
pub(crate) fn came_over_tls(headers: &HeaderMap) -> bool {
    let schemes = headers.get("x-forwarded-proto").and_then(|schemes| schemes.to_str().ok());
    // Of a chain of proxies the first says what the browser spoke.
    let first = schemes.and_then(|schemes| schemes.split(',').next());
    first.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Role, TokenDigest};

    fn cookies(values: &[&str], secure: bool) -> Option<Cookie> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, value.parse().unwrap());
        }
        Cookie::of(&headers, secure)
    }

    #[test]
    fn a_browser_shows_what_it_was_given() {
        let cookie = Cookie::new(&Rng::seeded(1));
        for secure in [false, true] {
            let set = cookie.set(secure).unwrap();
            let set = set.to_str().unwrap();
            let (pair, attributes) = set.split_once("; ").unwrap();
            let shown = cookies(&[&format!("other=1; {pair}")], secure).unwrap();
            assert_eq!(shown.id(), cookie.id());
            assert!(cookies(&[pair], !secure).is_none(), "each name in its place");
            assert!(attributes.starts_with("Path=/; HttpOnly; SameSite=Lax"), "{attributes}");
            assert_eq!(attributes.contains("Secure"), secure);
            assert!(!set.contains("Domain"), "{set}");
        }
    }

    #[test]
    fn a_chain_of_proxies_is_believed_by_its_beginning() {
        let over_tls = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", value.parse().unwrap());
            came_over_tls(&headers)
        };
        assert!(over_tls("https") && over_tls("HTTPS, http"));
        assert!(!over_tls("http") && !over_tls("http, https") && !over_tls(""));
    }

    #[test]
    fn what_is_no_cookie_of_ours_is_none() {
        let good = format!("casewright_session={}", "a".repeat(64));
        assert!(cookies(&[&good], false).is_some());
        assert!(cookies(&[&good, &good], false).is_none(), "two are none");
        assert!(cookies(&[&format!("{good}; {good}")], false).is_none(), "two are none");
        for wrong in ["", "casewright_session", "casewright_session=", "casewright_session=abc"] {
            assert!(cookies(&[wrong], false).is_none(), "{wrong}");
        }
        assert!(cookies(&[&good.replace('a', "g")], false).is_none());
    }

    #[test]
    fn what_is_made_of_a_cookie_tells_nothing_of_it_or_of_each_other() {
        let cookie = Cookie::new(&Rng::seeded(1));
        let key = |token: &[u8]| Key {
            name: "ops".to_owned(),
            role: Role::Viewer,
            digest: TokenDigest::of(token),
        };
        let made =
            [cookie.id(), cookie.form_token(), cookie.seal(&key(b"a")), cookie.seal(&key(b"b"))];
        for (at, one) in made.iter().enumerate() {
            assert_ne!(one, cookie.0.expose_secret());
            assert!(made.iter().skip(at + 1).all(|other| one != other));
        }
    }
}
