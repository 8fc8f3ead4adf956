//! Verification of `EdgeGrid` signatures (EG1-HMAC-SHA256), from the scheme's description alone.
//!
//! A request is let through when its header has the one right form, names the right client, was
//! signed within 30 s of our clock, carries a signature over exactly what arrived, and a nonce
//! that was not used before.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Credentials;
use super::gateway::Refusal;

/// How far a timestamp may be off, either way.
const WINDOW: SignedDuration = SignedDuration::from_secs(30);

/// How long a nonce is remembered: a timestamp that is in the window now has left it by then.
const REMEMBERED: Duration = Duration::from_secs(61);

/// How much of a body is signed, in bytes.
const SIGNED_BODY: usize = 131_072;

/// What arrived, as far as the signature covers it.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    pub(super) method: &'a Method,
    /// The `Host` header as sent.
    pub(super) host: &'a str,
    /// Path and query as sent, escapes untouched.
    pub(super) target: &'a str,
    /// The `Authorization` header, if there is exactly one and it is text.
    pub(super) authorization: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// The parts of an `Authorization` header.
struct Header<'a> {
    /// Everything up to the `;` after the nonce: what the client has signed of its header.
    unsigned: &'a str,
    client_token: &'a str,
    access_token: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
    signature: &'a str,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, Refusal> {
        const FORM: Refusal = Refusal::Malformed("Invalid authorization header");
        fn field<'a>(rest: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
            let (value, rest) = rest.strip_prefix(name)?.strip_prefix('=')?.split_once(';')?;
            (!value.is_empty()).then_some((value, rest))
        }
        let rest = text.strip_prefix("EG1-HMAC-SHA256 ").ok_or(FORM)?;
        let (client_token, rest) = field(rest, "client_token").ok_or(FORM)?;
        let (access_token, rest) = field(rest, "access_token").ok_or(FORM)?;
        let (timestamp, rest) = field(rest, "timestamp").ok_or(FORM)?;
        let (nonce, rest) = field(rest, "nonce").ok_or(FORM)?;
        let unsigned = text.strip_suffix(rest).ok_or(FORM)?;
        let signature = rest.strip_prefix("signature=").ok_or(FORM)?;
        // The signature ends the header: no `;` after it, nothing else either.
        if signature.is_empty() || signature.contains([';', ' ', ',']) {
            return Err(FORM);
        }
        Ok(Self { unsigned, client_token, access_token, timestamp, nonce, signature })
    }
}

/// Checks signatures and remembers nonces.
#[derive(Debug)]
pub(super) struct Verifier {
    credentials: Credentials,
    nonces: Mutex<Nonces>,
}

impl Verifier {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, nonces: Mutex::default() }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// `now` is the vendor's time; `revoked` says that the client is no longer active.
    pub(super) fn verify(
        &self,
        presented: &Presented<'_>,
        now: Timestamp,
        revoked: bool,
    ) -> Result<(), Refusal> {
        let text = presented
            .authorization
            .ok_or(Refusal::Malformed("Missing or unreadable authorization header"))?;
        let header = Header::parse(text)?;
        if !same(header.client_token, &self.credentials.client_token) {
            return Err(Refusal::ClientToken);
        }
        if revoked {
            return Err(Refusal::InactiveClient);
        }
        if !same(header.access_token, &self.credentials.access_token) {
            return Err(Refusal::AccessToken);
        }
        let signed_at = parse_timestamp(header.timestamp).ok_or(Refusal::Timestamp)?;
        if now.duration_since(signed_at).abs() > WINDOW {
            return Err(Refusal::Timestamp);
        }
        let expected = signature(&self.credentials.client_secret, &header, presented)
            .ok_or(Refusal::Signature)?;
        if !same(header.signature, &expected) {
            return Err(Refusal::Signature);
        }
        // Last, so that only who knows the secret can make us remember anything.
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.first_use(header.nonce, now) { Ok(()) } else { Err(Refusal::Nonce) }
    }
}

/// Nonces in the order of arrival.
#[derive(Debug, Default)]
struct Nonces {
    seen: HashSet<String>,
    by_arrival: VecDeque<(Timestamp, String)>,
}

impl Nonces {
    fn first_use(&mut self, nonce: &str, now: Timestamp) -> bool {
        while let Some((forget_at, _)) = self.by_arrival.front() {
            if *forget_at > now {
                break;
            }
            if let Some((_, old)) = self.by_arrival.pop_front() {
                self.seen.remove(&old);
            }
        }
        if !self.seen.insert(nonce.to_owned()) {
            return false;
        }
        self.by_arrival.push_back((crate::time::later(now, REMEMBERED), nonce.to_owned()));
        true
    }
}

/// `yyyyMMddTHH:mm:ss+0000`, nothing else.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    const FORM: &str = "%Y%m%dT%H:%M:%S+0000";
    let time = DateTime::strptime(FORM, text).ok()?;
    // `strptime` is lenient about widths and blanks; the gateway is not.
    if time.strftime(FORM).to_string() != text {
        return None;
    }
    TimeZone::UTC.to_timestamp(time).ok()
}

fn signature(secret: &str, header: &Header<'_>, presented: &Presented<'_>) -> Option<String> {
    // The key is the base64 text of the first HMAC, and the secret is text too.
    let key = hmac(secret, header.timestamp)?;
    // Seven fields. The fifth, signed headers, is empty: this API prescribes none.
    let data = [
        presented.method.as_str(),
        "http",
        &presented.host.to_lowercase(),
        presented.target,
        "",
        &content_hash(presented.method, presented.body),
        header.unsigned,
    ]
    .join("\t");
    hmac(&key, &data)
}

/// Of a POST that has a body, and of nothing else: not of a PATCH or PUT.
fn content_hash(method: &Method, body: &[u8]) -> String {
    if method != Method::POST || body.is_empty() {
        return String::new();
    }
    let head = body.get(..SIGNED_BODY).unwrap_or(body);
    STANDARD.encode(Sha256::digest(head))
}

fn hmac(key: &str, message: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

fn same(presented: &str, expected: &str) -> bool {
    presented.as_bytes().ct_eq(expected.as_bytes()).into()
}
