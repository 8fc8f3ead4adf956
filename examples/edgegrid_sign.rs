//! Signs what it reads, so that another implementation can check it: see `.ci/verify_edgegrid.py`.
//!
//! Reads one JSON object a line from the standard input, with the fields `method`, `scheme`,
//! `host`, `path_and_query`, `body_base64`, `client_token`, `client_secret`, `access_token`,
//! `timestamp` and `nonce`, and prints the `Authorization` header of each on a line of its own.

use std::io::{BufRead as _, Write as _};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casewright::vendors::akamai::Credentials;
use casewright::vendors::akamai::edgegrid::{Parts, authorization};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    scheme: String,
    host: String,
    path_and_query: String,
    body_base64: String,
    client_token: String,
    client_secret: String,
    access_token: String,
    timestamp: String,
    nonce: String,
}

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (number, text) in std::io::stdin().lock().lines().enumerate() {
        let header = sign(&text?).with_context(|| format!("line {}", number + 1))?;
        writeln!(out, "{header}")?;
    }
    Ok(())
}

fn sign(text: &str) -> anyhow::Result<String> {
    let line: Line = serde_json::from_str(text)?;
    let body = STANDARD.decode(&line.body_base64)?;
    let credentials = Credentials::new(
        line.client_token.into(),
        line.client_secret.into(),
        line.access_token.into(),
    )?;
    let parts = Parts {
        method: &line.method,
        scheme: &line.scheme,
        host: &line.host,
        path_and_query: &line.path_and_query,
        body: &body,
    };
    Ok(authorization(parts, &credentials, &line.timestamp, &line.nonce))
}
