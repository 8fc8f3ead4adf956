//! Fetches a file that a rule attaches, such as the picture of a panel.
//!
//! What is fetched leaves for the vendor, and its address comes out of an alert. *Invariant*:
//! nothing is asked of a host that the configuration does not name, and no connection is made to
//! an address that is out of its reach, whatever the name leads to at that moment: the addresses
//! that are looked at are the ones that are connected to.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secrecy::ExposeSecret as _;

use crate::config::fetch::FetchConfig;
use crate::domain::reach::Reach;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// As the server says, if that can be said again.
    pub media_type: String,
    /// All of it.
    pub content: Vec<u8>,
}

/// Why nothing came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It must not, or cannot, be fetched, now or later.
    #[error("{0}")]
    Never(String),
    /// It may come later.
    #[error("{0}")]
    Later(String),
}

/// Fetches what is at an address. One request, no redirect, no retry. How many are fetched at a time is
/// the caller's concern.
///
/// # Errors
///
/// [`FetchError::Never`] where the configuration does not allow the address or the file is too
/// large; [`FetchError::Later`] where the server cannot be reached or does not give it.
pub async fn fetch(config: &FetchConfig, url: &str) -> Result<Fetched, FetchError> {
    let (url, host) = config.allowed(url).map_err(FetchError::Never)?;
    let place = url.origin().ascii_serialization();
    let later = |why: &str| FetchError::Later(format!("{place} {why}"));
    let client = reqwest::Client::builder()
        .user_agent(concat!("casewright/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout)
        // Elsewhere is another address, which nobody has allowed.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A proxy would look up the name in our place.
        .no_proxy()
        .referer(false)
        .dns_resolver(Arc::new(Within(host.reach)))
        .build()
        .map_err(|_| later("cannot be asked: the HTTP client cannot be set up"))?;
    let mut request = client.get(url);
    if let Some(bearer) = &host.bearer {
        request = request.bearer_auth(bearer.expose_secret());
    }
    let mut response = request.send().await.map_err(|error| later(&told(&error)))?;
    if !response.status().is_success() {
        return Err(later(&format!("has answered {}", response.status())));
    }
    let media_type = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .filter(|value| (1..=100).contains(&value.len()) && !value.contains('\t'))
        .unwrap_or("application/octet-stream")
        .to_owned();
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| later(&told(&error)))? {
        if content.len() + chunk.len() > config.max_bytes {
            let limit = config.max_bytes;
            let why = format!("the file of {place} has more than {limit} bytes (`fetch.max_mib`)");
            return Err(FetchError::Never(why));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(Fetched { media_type, content })
}

/// What went wrong, without the address: its query may hold a secret.
fn told(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    match error.is_timeout() {
        true => "did not answer in time".to_owned(),
        false if source.downcast_ref::<reqwest::Error>().is_some() => "did not answer".to_owned(),
        false => format!("cannot be read: {source}"),
    }
}

/// Looks up names, and knows only the addresses that are within reach.
struct Within(Reach);

impl Resolve for Within {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let near: Vec<SocketAddr> =
                found.filter(|address| reach.covers(address.ip())).collect();
            if near.is_empty() {
                return Err("its name leads to no address that may be asked".into());
            }
            Ok(Box::new(near.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
