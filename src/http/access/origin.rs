//! Whether a request that changes something was made by a page of ours.
//!
//! A browser sends cookies along whoever made it send the request, and so does a proxy its own word;
//! so what they authenticate must also be known to come from one of our own pages. Browsers say so
//! in `Sec-Fetch-Site` (Fetch Metadata, W3C) where the page came over TLS or from this machine, and
//! in `Origin` (RFC 6454, Fetch standard §3.2) otherwise. Who says neither is not believed.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, Uri};

/// Why a request is not believed to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    /// The browser says that another site made it.
    #[error("the browser says that another site made this request")]
    CrossSite,
    /// Nothing tells where it was made.
    #[error("nothing tells that a page of this console made this request")]
    Untold,
}

/// Methods that change nothing (RFC 9110 §9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Whether a page of ours made the request.
pub(crate) fn is_ours(headers: &HeaderMap) -> Result<(), Foreign> {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) if site == "same-origin" => Ok(()),
        (Some(_), _) => Err(Foreign::CrossSite),
        (None, _) => {
            let origin = only(headers, &ORIGIN).ok_or(Foreign::Untold)?;
            let host = only(headers, &HOST).ok_or(Foreign::Untold)?;
            let origin: Uri = origin.parse().map_err(|_| Foreign::CrossSite)?;
            let authority = origin.authority().ok_or(Foreign::CrossSite)?;
            if authority.as_str().eq_ignore_ascii_case(host) {
                Ok(())
            } else {
                Err(Foreign::CrossSite)
            }
        }
    }
}

/// The text of a header that stands there once.
fn only<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &str)]) -> Result<(), Foreign> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        is_ours(&map)
    }

    const HERE: (&str, &str) = ("host", "cases.example.com:8081");

    #[test]
    fn what_the_browser_says_of_the_site_counts_first() {
        assert_eq!(ours(&[HERE, ("sec-fetch-site", "same-origin")]), Ok(()));
        for site in ["cross-site", "same-site", "none", "", "Same-Origin"] {
            let same = ("origin", "http://cases.example.com:8081");
            let asked = ours(&[HERE, same, ("sec-fetch-site", site)]);
            assert_eq!(asked, Err(Foreign::CrossSite), "{site}");
        }
        let twice = [HERE, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert_eq!(ours(&twice), Err(Foreign::CrossSite));
    }

    #[test]
    fn an_older_browser_is_believed_by_its_origin() {
        for origin in ["http://cases.example.com:8081", "https://CASES.example.com:8081"] {
            assert_eq!(ours(&[HERE, ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "http://cases.example.com",
            "http://cases.example.com:8081.evil.example",
            "http://evil.example",
            "",
        ] {
            assert_eq!(ours(&[HERE, ("origin", origin)]), Err(Foreign::CrossSite), "{origin}");
        }
    }

    #[test]
    fn who_says_nothing_or_two_things_is_not_believed() {
        assert_eq!(ours(&[HERE]), Err(Foreign::Untold));
        let origin = ("origin", "http://cases.example.com:8081");
        assert_eq!(ours(&[origin]), Err(Foreign::Untold));
        assert_eq!(ours(&[HERE, origin, origin]), Err(Foreign::Untold));
    }

    #[test]
    fn only_what_asks_is_safe() {
        assert!(is_safe(&Method::GET) && is_safe(&Method::HEAD));
        assert!(!is_safe(&Method::POST) && !is_safe(&Method::DELETE) && !is_safe(&Method::PUT));
    }
}
