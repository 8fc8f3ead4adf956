//! What is refused, as a page for whoever looks: what, why, what to do about it, and a way back.
//!
//! Everything behind the admin listener refuses in one form, [`Refusal`]. Who looks at pages gets it
//! drawn, whoever refused: a page, the guard, or nobody because there is nothing. Never decides
//! anything: the status and its headers stay as they are.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::frame::{Frame, place};
use super::{draw_as, protect};
use crate::clock::Clock;
use crate::http::access::{Visit, origin};
use crate::http::answer::Refusal;
use crate::http::back::came_from;

/// Where whoever was refused something can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Back {
    /// An address of ours.
    pub(super) address: String,
    /// What is there.
    pub(super) label: &'static str,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    frame: Frame,
    title: &'static str,
    what: String,
    hint: Option<String>,
    back: Back,
}

/// For the addresses of pages: whatever is refused there is drawn.
pub(in crate::http) async fn for_pages(
    State(clock): State<Arc<dyn Clock>>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    let mut answer = next.run(request).await;
    let status = answer.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    let is_page = kind(&answer).starts_with(b"text/html");
    if is_refused && !is_page && answer.extensions().get::<Refusal>().is_none() {
        // What the framework could not make sense of, such as an address that is no text.
        let refusal = match status {
            StatusCode::BAD_REQUEST => Refusal::unusable("the address is not understood"),
            _ => Refusal::not_found(),
        };
        answer = refusal.into_response();
    }
    asked.drawn(answer, &*clock)
}

/// For all other addresses: who says that they take HTML, which is to say a browser, gets what is
/// refused as a page, and everybody else as it is.
pub async fn for_browsers(
    State(clock): State<Arc<dyn Clock>>,
    request: Request,
    next: Next,
) -> Response {
    let takes_html = request.headers().get_all(ACCEPT).iter().any(|accept| {
        accept.to_str().is_ok_and(|kinds| kinds.to_ascii_lowercase().contains("text/html"))
    });
    let asked = Asked::of(&request);
    let mut answer = next.run(request).await;
    if answer.extensions().get::<Refusal>().is_none() {
        return answer;
    }
    if takes_html {
        answer = asked.drawn(answer, &*clock);
        protect(&mut answer);
    }
    answer.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    answer
}

fn kind(answer: &Response) -> &[u8] {
    answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default()
}

/// What a request says of the page that it wanted.
struct Asked {
    place: &'static str,
    /// The page from which something was sent.
    from: Option<String>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let sends = !origin::is_safe(request.method());
        let from = if sends { came_from(request.headers()) } else { None };
        Self { place: place(request.uri().path()), from }
    }

    /// The answer, drawn if it is a refusal.
    fn drawn(self, mut answer: Response, clock: &dyn Clock) -> Response {
        let Some(refusal) = answer.extensions_mut().remove::<Refusal>() else { return answer };
        let visit = answer.extensions_mut().remove::<Visit>();
        let told = answer.extensions_mut().remove::<Back>();
        let sent = self.from.map(|address| Back { address, label: "Back to the page" });
        let first = || Back { address: "/".to_owned(), label: "To the overview" };
        let (what, hint) = refusal.words();
        let page = Refused {
            frame: Frame::at(clock.now(), visit.as_ref(), self.place).still(),
            title: title(refusal.status()),
            what: sentence(what),
            hint: hint.map(sentence),
            back: told.or(sent).unwrap_or_else(first),
        };
        let mut drawn = draw_as(refusal.status(), &page);
        let said: HeaderMap = std::mem::take(answer.headers_mut());
        let said = said.into_iter().filter_map(|(name, value)| Some((name?, value)));
        let said = said.filter(|(name, _)| name != CONTENT_TYPE && name != CONTENT_LENGTH);
        drawn.headers_mut().extend(said);
        drawn
    }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "Not understood",
        401 => "Not logged in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Nothing to see here",
        500 => "A defect",
        503 => "Not now",
        _ => "Not done",
    }
}

/// Words for a line of JSON, as a sentence of a page.
pub(super) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let end = if words.ends_with(['.', '?', '!', '\u{2026}']) { "" } else { "." };
    first.into_iter().chain(chars).chain(end.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_sentences() {
        assert_eq!(sentence("there is no such vendor"), "There is no such vendor.");
        assert_eq!(sentence("`for` is no time"), "`for` is no time.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence("ünd"), "ünd.");
    }
}
