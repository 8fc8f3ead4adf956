//! The sandbox seen from outside: through real sockets, by a client with its own signer.

mod attachments;
mod catalog;
mod create;
mod faults;
mod gateway;
mod lists;
mod state;
mod updates;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Credentials, Fault, Options, Sandbox};
use crate::clock::{Clock as _, ManualClock};

const BASE: &str = "/case-management/v3";

/// A sandbox at noon, and a client of it.
struct Bench {
    sandbox: Sandbox,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
    nonces: AtomicU64,
}

/// An answer, read.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    fn link(&self, rel: &str) -> Option<String> {
        let links = self.body["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["rel"] == rel)?;
        Some(link["href"].as_str().unwrap().to_owned())
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with_state(None).await
    }

    async fn with_state(state: Option<PathBuf>) -> Self {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        Self::with(Options { state, ..Options::default() }, start).await
    }

    async fn with(options: Options, start: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(start));
        let sandbox = Sandbox::start(options, clock.clone()).await.unwrap();
        let http = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
        Self { sandbox, clock, http, nonces: AtomicU64::new(0) }
    }

    fn host(&self) -> String {
        self.sandbox.base_url().strip_prefix("http://").unwrap().to_owned()
    }

    fn nonce(&self) -> String {
        format!("nonce-{}", self.nonces.fetch_add(1, Ordering::Relaxed))
    }

    fn timestamp(&self) -> String {
        self.clock.now().strftime("%Y%m%dT%H:%M:%S+0000").to_string()
    }

    /// What a well-behaved client would put into `Authorization`.
    fn signed(&self, method: &str, target: &str, body: &[u8]) -> String {
        let host = self.host();
        let request = Signing { method, host: &host, target, body };
        request.sign(self.sandbox.credentials(), &self.timestamp(), &self.nonce())
    }

    async fn raw(
        &self,
        method: &str,
        target: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Result<Reply, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{target}", self.sandbox.base_url());
        let mut request = self.http.request(method, url);
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(body.to_vec());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap();
        Ok(Reply { status, headers, body })
    }

    /// Signs and sends to a path under the API's base; an error is a cut connection.
    async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Reply, reqwest::Error> {
        let target = format!("{BASE}{path}");
        let authorization = self.signed(method, &target, body);
        self.raw(method, &target, Some(&authorization), body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.try_send("GET", path, b"").await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.try_send("POST", path, body.to_string().as_bytes()).await.unwrap()
    }

    /// Makes a valid case and gives its id.
    async fn make_case(&self, subject: &str) -> String {
        let reply = self.post("/cases", &technical(subject)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.body["caseId"].as_str().unwrap().to_owned()
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, &format!("/sandbox{path}"), None, body.as_bytes()).await.unwrap()
    }

    fn fault(&self, fault: Fault) {
        self.sandbox.faults(vec![fault]).unwrap();
    }
}

/// A valid body of a technical case.
fn technical(subject: &str) -> Value {
    json!({
        "subject": subject,
        "description": "5xx ratio above 5 %",
        "accountId": "A-CCT7890",
        "categoryId": "TECHNICAL",
        "productName": "Ion Premier",
        "problemName": "Configuring/Managing Services",
        "severity": "2-Moderate Impact",
    })
}

/// What a signature is made over. Written from the scheme's description, apart from the verifier.
struct Signing<'a> {
    method: &'a str,
    host: &'a str,
    target: &'a str,
    body: &'a [u8],
}

impl Signing<'_> {
    fn sign(&self, credentials: &Credentials, timestamp: &str, nonce: &str) -> String {
        let unsigned = format!(
            "EG1-HMAC-SHA256 client_token={};access_token={};timestamp={timestamp};nonce={nonce};",
            credentials.client_token, credentials.access_token
        );
        let hash = if self.method == "POST" && !self.body.is_empty() {
            STANDARD.encode(Sha256::digest(&self.body[..self.body.len().min(131_072)]))
        } else {
            String::new()
        };
        let data =
            format!("{}\thttp\t{}\t{}\t\t{hash}\t{unsigned}", self.method, self.host, self.target);
        let key = mac(credentials.client_secret.as_bytes(), timestamp.as_bytes());
        let signature = mac(key.as_bytes(), data.as_bytes());
        format!("{unsigned}signature={signature}")
    }
}

fn mac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    STANDARD.encode(mac.finalize().into_bytes())
}
