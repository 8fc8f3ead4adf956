//! How one request goes out and one answer comes in.
//!
//! A seam of one method, so that a simulation can stand in for the network. What matters most is
//! what an error proves: [`TransportError::NotSent`] is said only where no byte of the request
//! can have left; everything else is [`TransportError::Unknown`].

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::{Host, Url};

/// Connecting, names and TLS included, takes no longer than this, and no longer than half of the
/// whole exchange: an attempt that ends here is known not to have been sent, one that ends at the
/// other limit is not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request, complete.
#[derive(Debug)]
pub struct Request {
    /// GET, POST, PUT or PATCH.
    pub method: Method,
    /// Where to. What signs a request signs its serialised path and query.
    pub url: Url,
    /// All headers that matter; `Host` and lengths are the transport's to add. `Authorization`
    /// is marked as sensitive, so that Debug does not show it.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: Vec<u8>,
    /// How much of an answer's body is read, in bytes.
    pub read_at_most: usize,
}

/// An answer, with as much of its body as came and was wanted.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
    /// Whether `body` is all of it: it was neither too large nor cut off.
    pub complete: bool,
}

impl Response {
    /// The document that it is; `None` if it is cut off or not such a document.
    pub(super) fn document<T: DeserializeOwned>(&self) -> Option<T> {
        if !self.complete {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why there is no answer. The texts never contain the request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// No byte of the request was sent: name, connection or TLS failed.
    #[error("{0}")]
    NotSent(String),
    /// The request may have been received: it timed out, or the connection broke.
    #[error("{0}")]
    Unknown(String),
}

/// Sends one request and reads its answer. No retry, no redirect.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request`, once.
    async fn execute(&self, request: Request) -> Result<Response, TransportError>;
}

/// The transport of production: reqwest over rustls.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    timeout: Duration,
}

/// Why the HTTP client could not be set up, such as a machine without root certificates.
#[derive(Debug, Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct SetUpError(String);

impl Http {
    /// `timeout` bounds a whole exchange, from the name look-up to the last byte of the answer.
    pub fn new(timeout: Duration) -> Result<Self, SetUpError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("casewright/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
            .timeout(timeout)
            // A signature, or a password, is for one address.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy is a decision of the config, not of the environment.
            .no_proxy()
            .referer(false)
            // A fresh connection for each request: on a kept one, the peer's closing it can cross
            // our sending, and every such crossing would be an outcome that nobody knows.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| SetUpError(causes(&error)))?;
        Ok(Self { client, timeout })
    }
}

#[async_trait]
impl Transport for Http {
    async fn execute(&self, request: Request) -> Result<Response, TransportError> {
        let limit = request.read_at_most;
        let mut response = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| self.told(error))?;

        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        let complete = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = limit.saturating_sub(body.len());
                    body.extend(chunk.iter().take(room));
                    if chunk.len() > room {
                        break false;
                    }
                }
                Ok(None) => break true,
                // The status has come: what it proves does not depend on the rest.
                Err(_) => break false,
            }
        };
        Ok(Response { status, headers, body, complete })
    }
}

impl Http {
    fn told(&self, error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        // `is_connect` is true only for what happens before there is a connection to write to.
        if error.is_connect() || error.is_builder() {
            TransportError::NotSent(format!("no connection: {}", causes(&error)))
        } else if error.is_timeout() {
            TransportError::Unknown(format!("no answer within {:?}", self.timeout))
        } else {
            TransportError::Unknown(format!("the connection broke: {}", causes(&error)))
        }
    }
}

/// An error and what caused it. The last cause is the one that tells.
fn causes(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The address of a link in a document that was read at `from`; `None` if it leads away from the
/// host of `base`: no other may see what says who we are.
pub(super) fn linked(base: &Url, from: &Url, href: &str) -> Option<Url> {
    let url = from.join(href).ok()?;
    let same = url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none();
    same.then_some(url)
}

/// Whether an address is scheme, host and path, without anything that belongs to one request.
pub(super) fn is_bare(url: &Url) -> bool {
    url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Whether secrets may be sent to an address: over TLS, or within this machine.
pub(super) fn may_see_secrets(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}
