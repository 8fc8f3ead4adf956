//! Addresses and headers, made of our own tokens and the desk's ids.

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::domain::desk::{Facts, Request};
use crate::domain::links::encoded;

/// The address of a request, below `base`.
///
/// # Errors
///
/// Why there is none.
pub(super) fn address(base: &Url, request: &Request, facts: &Facts<'_>) -> Result<Url, String> {
    let path = request
        .path
        .text_of(facts, encoded)
        .ok_or_else(|| "the address uses something that is not known".to_owned())?;
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    let query: Vec<(&str, String)> = request
        .query
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.text(facts)?)))
        .collect();
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Puts the headers of a request into `into`.
///
/// # Errors
///
/// What cannot stand in a header.
pub(super) fn headers(
    request: &Request,
    facts: &Facts<'_>,
    into: &mut HeaderMap,
) -> Result<(), String> {
    for (name, value) in &request.headers {
        let Some(value) = value.text(facts) else { continue };
        let wrong = || format!("the header `{name}` cannot be made");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        into.insert(key, HeaderValue::from_str(&value).map_err(|_| wrong())?);
    }
    Ok(())
}
