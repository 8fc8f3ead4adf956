//! EdgeGrid, Akamai's request signature `EG1-HMAC-SHA256`: a pure function.
//!
//! Written from the rules that Akamai's own libraries agree on; `.ci/verify_edgegrid.py` compares
//! it with the official Python one. Time and nonce are arguments: both must be fresh for every
//! attempt, because the edge refuses timestamps more than 30 seconds off and a nonce seen before.
//! Nothing here may log: the signed data contain tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// How many bytes of a body are signed. A longer body is sent whole, and only its head is
/// hashed. The libraries call it `max_body`; it is a constant of the edge.
pub const MAX_BODY: usize = 131_072;

/// The scheme's name, at the beginning of the header.
const MONIKER: &str = "EG1-HMAC-SHA256";

/// Bytes in a block of SHA-256.
const BLOCK: usize = 64;

/// The three secrets of an API client.
#[derive(Clone)]
pub struct Credentials {
    client_token: SecretString,
    client_secret: SecretString,
    access_token: SecretString,
}

/// What cannot be a credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// It is empty.
    #[error("`{name}` is empty: copy it from the API client in Akamai Control Center")]
    Empty {
        /// The credential.
        name: &'static str,
    },
    /// It has characters that no credential has, and that could end a header early.
    #[error(
        "`{name}` has a blank, a `;`, a quote or another character that no credential has: copy it again from Akamai Control Center"
    )]
    BadCharacter {
        /// The credential.
        name: &'static str,
    },
}

impl Credentials {
    /// Checks that all three can stand in a header.
    pub fn new(
        client_token: SecretString,
        client_secret: SecretString,
        access_token: SecretString,
    ) -> Result<Self, CredentialsError> {
        for (name, value) in [
            ("client_token", &client_token),
            ("client_secret", &client_secret),
            ("access_token", &access_token),
        ] {
            let value = value.expose_secret();
            if value.is_empty() {
                return Err(CredentialsError::Empty { name });
            }
            if !value.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ';' | '"' | '\'')) {
                return Err(CredentialsError::BadCharacter { name });
            }
        }
        Ok(Self { client_token, client_secret, access_token })
    }

    /// Blots the secrets out of a text that came from outside. An answer may quote the request.
    pub fn redact(&self, text: &str) -> String {
        [&self.client_secret, &self.client_token, &self.access_token]
            .into_iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "[secret]"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials([secret])")
    }
}

/// What is signed of a request. No headers: an API names those that it wants signed, and Case
/// Management names none, so the field for them stays empty.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Signed in upper case.
    pub method: &'a str,
    /// `https`; `http` only towards a simulation on this machine. Signed in lower case.
    pub scheme: &'a str,
    /// The `Host` header as sent: with a port only where it is not the scheme's own. Signed in
    /// lower case.
    pub host: &'a str,
    /// The request target, byte for byte as sent: percent-encoding untouched. A fragment and a
    /// bare `?` are not signed; an empty path is signed as `/`.
    pub path_and_query: &'a str,
    /// Signed only for POST, and only if not empty; not for PATCH or PUT.
    pub body: &'a [u8],
}

/// The timestamp of a signature: UTC with seconds and a literal `+0000`.
pub fn timestamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H:%M:%S+0000").to_string()
}

/// The value of the `Authorization` header.
///
/// `timestamp` as made by [`timestamp()`]; `nonce` is any text that was never used before, by
/// custom a lower-case UUID.
pub fn authorization(
    parts: Parts<'_>,
    credentials: &Credentials,
    timestamp: &str,
    nonce: &str,
) -> String {
    // The order of the fields, the blank after the moniker and the last `;` are part of what is
    // signed.
    let prefix = format!(
        "{MONIKER} client_token={};access_token={};timestamp={timestamp};nonce={nonce};",
        credentials.client_token.expose_secret(),
        credentials.access_token.expose_secret(),
    );
    // The secret looks like base64, but its text is the key; so is the text of the derived key.
    let key = mac(credentials.client_secret.expose_secret(), timestamp);
    let signature = mac(&key, &data(parts, &prefix));
    format!("{prefix}signature={signature}")
}

/// The seven fields that are signed, joined by single tabs.
fn data(parts: Parts<'_>, prefix: &str) -> String {
    let headers = "";
    [
        parts.method.to_ascii_uppercase().as_str(),
        parts.scheme.to_ascii_lowercase().as_str(),
        parts.host.to_ascii_lowercase().as_str(),
        target(parts.path_and_query).as_str(),
        headers,
        content_hash(parts.method, parts.body).as_str(),
        prefix,
    ]
    .join("\t")
}

/// The request target as it is signed.
fn target(path_and_query: &str) -> String {
    let target = path_and_query.split('#').next().unwrap_or_default();
    // Every library drops a bare `?`.
    let target = target.strip_suffix('?').filter(|path| !path.contains('?')).unwrap_or(target);
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

/// The hash of a POST's body, empty for everything else.
fn content_hash(method: &str, body: &[u8]) -> String {
    if !method.eq_ignore_ascii_case("POST") || body.is_empty() {
        return String::new();
    }
    // Bytes, not characters: the libraries for Python, Go and Java cut inside a character.
    STANDARD.encode(Sha256::digest(body.get(..MAX_BODY).unwrap_or(body)))
}

/// HMAC-SHA-256 in standard base64 with padding.
fn mac(key: &str, message: &str) -> String {
    // RFC 2104: a key longer than a block is hashed, a shorter one is padded with zeros. Done
    // here because the other constructor returns an error that cannot happen.
    let mut block = [0u8; BLOCK];
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key.as_bytes()
    };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: &str = "20261123T12:00:00+0000";
    const NONCE: &str = "4f9c5c1e-6a3b-4d5e-8f70-112233445566";

    fn credentials(client_secret: &str) -> Credentials {
        Credentials {
            client_token: "ct-akab-1".into(),
            client_secret: client_secret.into(),
            access_token: "at-akab-2".into(),
        }
    }

    fn signature(parts: Parts<'_>, client_secret: &str) -> String {
        let header = authorization(parts, &credentials(client_secret), AT, NONCE);
        let prefix = format!(
            "EG1-HMAC-SHA256 client_token=ct-akab-1;access_token=at-akab-2;timestamp={AT};nonce={NONCE};signature="
        );
        header.strip_prefix(&prefix).unwrap().to_owned()
    }

    // The expected values were computed with Python's standard library alone:
    //
    //   def sign(method, scheme, host, target, body, ct, cs, at, ts, nonce):
    //       prefix = (f"EG1-HMAC-SHA256 client_token={ct};access_token={at};"
    //                 f"timestamp={ts};nonce={nonce};")
    //       mac = lambda key, text: base64.b64encode(
    //           hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
    //       digest = (base64.b64encode(hashlib.sha256(body[:131072]).digest()).decode()
    //                 if method == "POST" and body else "")
    //       return mac(mac(cs, ts), "\t".join([method, scheme, host, target, "", digest, prefix]))
    #[test]
    fn known_answers() {
        let long = vec![b'x'; MAX_BODY + 1];
        for (method, scheme, host, target, body, secret, expected) in [
            (
                "GET",
                "https",
                "akab-x.luna.akamaiapis.net",
                "/case-management/v3/cases?type=MY_ACTIVE_CASES&accountIds=A-1",
                &b""[..],
                "c2VjcmV0",
                "Wc7XXNn313Bk+e4lEeMdjw2cq8GZqhK5uSOe0/c7uMw=",
            ),
            (
                "POST",
                "https",
                "akab-x.luna.akamaiapis.net",
                "/case-management/v3/cases",
                "{\"subject\":\"Störung 🔥\"}".as_bytes(),
                "c2VjcmV0",
                "x8LMw38MbVqdydXu/FGfU/NcnnceVX5Fd9a+MkbEEII=",
            ),
            // One byte above the limit and just at it: the same, because the head is the same.
            (
                "POST",
                "http",
                "127.0.0.1:8090",
                "/p",
                &long,
                "c2VjcmV0",
                "F9adGbxB5+uxu1YUIZQGYV/zd/nB3c6n2zZnFHI+A6w=",
            ),
            (
                "POST",
                "http",
                "127.0.0.1:8090",
                "/p",
                &long[1..],
                "c2VjcmV0",
                "F9adGbxB5+uxu1YUIZQGYV/zd/nB3c6n2zZnFHI+A6w=",
            ),
            (
                "PATCH",
                "https",
                "h",
                "/p",
                &b"body"[..],
                "c2VjcmV0",
                "SwH7K7IR+rJ0C5Lq/vhYf0KQBXaaV3r4kfyewPRnXao=",
            ),
            (
                "POST",
                "https",
                "h",
                "/",
                &b""[..],
                "c2VjcmV0",
                "l2FZEDGbYMlKH0QzRXorlGDQon4yuzX7qnyYD0P+NZ0=",
            ),
            // A secret longer than a block of SHA-256.
            (
                "GET",
                "https",
                "h",
                "/",
                &b""[..],
                &"k".repeat(65),
                "IcljWwRr08wDo9V0P/nCOdtclwDw2HpVuxRa7T5j7nI=",
            ),
        ] {
            let parts = Parts { method, scheme, host, path_and_query: target, body };
            assert_eq!(signature(parts, secret), expected, "{method} {target} {}", body.len());
        }
    }

    #[test]
    fn case_of_method_scheme_and_host_does_not_matter_and_a_bare_question_mark_is_dropped() {
        let parts = |method, scheme, host, path_and_query| Parts {
            method,
            scheme,
            host,
            path_and_query,
            body: b"b",
        };
        assert_eq!(
            signature(parts("post", "HTTPS", "AKAB.Example", "?"), "s"),
            signature(parts("POST", "https", "akab.example", "/"), "s")
        );
        for (given, signed) in [
            ("", "/"),
            ("/a?", "/a"),
            ("/a?b", "/a?b"),
            ("/a?b?", "/a?b?"),
            ("/a;p=1?b=%2F#c", "/a;p=1?b=%2F"),
        ] {
            assert_eq!(target(given), signed);
        }
    }

    #[test]
    fn timestamps_have_seconds_and_a_literal_zone() {
        assert_eq!(
            timestamp("2026-01-02T03:04:05.999Z".parse().unwrap()),
            "20260102T03:04:05+0000"
        );
    }

    #[test]
    fn credentials_do_not_show_and_are_checked() {
        let good = credentials("sesame");
        assert_eq!(format!("{good:?}"), "Credentials([secret])");
        assert_eq!(good.redact("x sesame ct-akab-1 y"), "x [secret] [secret] y");
        for (bad, name) in [("", "empty"), ("a b", "blank"), ("a;b", "blank"), ("\"a\"", "quote")] {
            let error = Credentials::new("ct".into(), bad.into(), "at".into()).unwrap_err();
            let text = format!("{error}{error:?}");
            assert!(text.contains(name) && text.contains("client_secret"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(
            method in ".*", scheme in ".*", host in ".*", target in ".*",
            body in prop::collection::vec(any::<u8>(), 0..300),
            secret in ".*", nonce in ".*",
        ) {
            let parts = Parts {
                method: &method, scheme: &scheme, host: &host, path_and_query: &target, body: &body,
            };
            let header = authorization(parts, &credentials(&secret), AT, &nonce);
            let (_, signature) = header.rsplit_once("signature=").unwrap();
            prop_assert_eq!(signature.len(), 44);
        }
    }
}
