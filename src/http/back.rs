//! Ways back, from an address that somebody gave us to a page of ours.
//!
//! Never lead anybody to another site: [`local`] is the only way from an address to a redirect or to
//! a link of ours.

use http::header::{HOST, REFERER};
use http::{HeaderMap, Uri};

/// The longest address to lead back to.
const LONGEST_ADDRESS: usize = 2000;

/// An address of ours to go to, or the first page. Browsers take `//host` and `/\host` for another
/// site (WHATWG URL standard §4.4).
pub(super) fn local(next: &str) -> &str {
    let plain = next.len() <= LONGEST_ADDRESS
        && next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = next.split(['?', '#']).next().unwrap_or_default();
    if plain && path != "/login" && path != "/logout" { next } else { "/" }
}

/// The page of ours from which a request was sent, as the browser says (`Referer`, RFC 9110
/// §10.1.3); none if it was sent from elsewhere, or does not say.
pub(super) fn came_from(headers: &HeaderMap) -> Option<String> {
    let page: Uri = headers.get(REFERER)?.to_str().ok()?.parse().ok()?;
    let host = headers.get(HOST)?.to_str().ok()?;
    let is_ours = page.authority()?.as_str().eq_ignore_ascii_case(host);
    let path = page.path_and_query()?.as_str();
    (is_ours && local(path) == path).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_anywhere_but_to_pages_of_ours() {
        for ours in ["/", "/incidents/0123?tab=a%20b#x", "/why?about=1"] {
            assert_eq!(local(ours), ours);
        }
        let long = format!("/{}", "x".repeat(LONGEST_ADDRESS));
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x=1",
            "/a b",
            "/ü",
            "/login?next=/login",
            "/logout",
            &long,
        ] {
            assert_eq!(local(other), "/", "{other:?}");
        }
        assert_eq!(local(&long[..LONGEST_ADDRESS]), &long[..LONGEST_ADDRESS]);
    }

    #[test]
    fn a_form_came_from_a_page_of_ours_or_from_nowhere() {
        let from = |referer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "cases.example:8081".parse().unwrap());
            headers.insert(REFERER, referer.parse().unwrap());
            came_from(&headers)
        };
        let ours = from("https://Cases.example:8081/incidents/1/draft?x=1#y");
        assert_eq!(ours.as_deref(), Some("/incidents/1/draft?x=1"));
        for other in [
            "https://evil.example/incidents",
            "https://cases.example/incidents",
            "https://cases.example:8081@evil.example/",
            "https://cases.example:8081//evil.example",
            "https://cases.example:8081/login?next=/x",
            "/incidents",
            "about:blank",
            "",
        ] {
            assert_eq!(from(other), None, "{other}");
        }
        assert_eq!(came_from(&HeaderMap::new()), None);
    }
}
