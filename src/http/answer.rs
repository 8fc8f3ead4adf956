//! Answers in JSON, small and constant. What is refused is told as RFC 9457 has it, with a code for
//! scripts and a hint for people: `{"type":…,"title":…,"status":…,"detail":…,"code":…,"hint":…}`.
//!
//! Never 429, which Alertmanager does not retry, and never a redirect, which Go's client would
//! follow with a GET without a body and take the 2xx of that for success.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::store::StoreError;

/// When to come back if the store did not answer.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// The longest message or hint, in bytes. Alertmanager copies our answer into its log.
const TEXT_LIMIT: usize = 400;

/// How problems are declared.
const PROBLEM: &str = "application/problem+json";

/// An error as the sender sees it.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    /// Boxed, because it is large, and most answers are not refusals.
    headers: Box<HeaderMap>,
    beside: Map<String, Value>,
}

/// Why something was not done (RFC 9457). There may be more beside these, such as `report`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: `urn:casewright:problem:` and the code.
    pub r#type: String,
    /// The kind in words; the same for every problem of a kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here and now.
    pub detail: String,
    /// The kind, for scripts.
    pub code: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What else there is to say.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    beside: Map<String, Value>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            headers: Box::default(),
            beside: Map::new(),
        }
    }

    /// Adds what the person who runs the sender can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds something of any length beside the error. Only for those whom we know: senders keep
    /// our answers in their logs.
    #[must_use]
    pub fn beside(mut self, key: &'static str, value: Value) -> Self {
        self.beside.insert(key.to_owned(), value);
        self
    }

    /// What it says, and what to do about it, for a page.
    pub(super) fn words(&self) -> (&str, Option<&str>) {
        (&self.message, self.hint.as_deref())
    }

    /// What is [beside](Self::beside) it under that name.
    pub(super) fn told(&self, key: &str) -> Option<&Value> {
        self.beside.get(key)
    }

    /// The status that it is sent with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// 400: authentic, but it makes no sense.
    pub fn unusable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unusable", message)
    }

    /// 400: the connection or the framing of the body broke.
    pub fn broken_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "broken_body", "the request body could not be read")
    }

    /// 401, with the schemes that would be accepted.
    pub fn unauthentic(
        code: &'static str,
        message: impl Into<String>,
        challenges: &[&'static str],
    ) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, code, message);
        for challenge in challenges {
            refusal.headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        refusal
    }

    /// 403: it is known who asks, and they may not.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404. Does not repeat what was asked for.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// 404: the address is right, and what it names does not exist.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", message)
    }

    /// 409: it exists, and is not in a state for that.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 412: it is not as who asks has seen it.
    pub fn moved(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "moved", message)
    }

    /// 428: who asks must say what they have seen.
    pub fn unseen(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_REQUIRED, "unseen", message)
    }

    /// 422: what it is about (not the request) cannot be used.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6 demands `Allow`).
    pub fn method(allowed: &str) -> Self {
        let mut refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("this address takes {allowed} only"),
        );
        // Names of methods and commas.
        if let Ok(allowed) = HeaderValue::from_str(allowed) {
            refusal.headers.insert(ALLOW, allowed);
        }
        refusal
    }

    /// 408: the body did not arrive in time.
    pub fn too_slow(deadline: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            format!("the request body did not arrive within {} ms", deadline.as_millis()),
        )
    }

    /// 413: the body is larger than the source accepts.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the request body is larger than {limit} bytes"),
        )
    }

    /// 415: the body is in a form that is not accepted.
    pub fn media(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, message)
    }

    /// 500: a defect of ours. Says nothing about it.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this request met a defect in Casewright",
        )
        .hint("the daemon's log has the details; sending again is safe")
    }

    /// 503: not now. Waits are rounded up to whole seconds, one at least.
    pub fn overloaded(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        refusal
    }
}

/// 503: the store does not answer. Says so in the log with what it said, which concerns nobody else.
pub fn trouble(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the admin listener met trouble with the store: {error}");
    Refusal::overloaded("the store does not answer now", AFTER_TROUBLE)
        .hint("try again in a moment; if it stays so, `casewright doctor` tells what is wrong")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // For whoever draws it as a page.
        let itself = self.clone();
        let problem = Problem {
            r#type: format!("urn:casewright:problem:{}", self.code),
            title: self.code.replace('_', " "),
            status: self.status.as_u16(),
            detail: clip(&self.message).to_owned(),
            code: self.code,
            hint: self.hint.as_deref().map(clip).map(str::to_owned),
            beside: self.beside,
        };
        let mut response = json(self.status, &problem);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        response.headers_mut().extend(*self.headers);
        response.extensions_mut().insert(itself);
        response
    }
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            (status, headers, bytes).into_response()
        }
        // Our own types, without maps that have odd keys: cannot fail.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What is at an address, with a tag of what it says; `304` and nothing else to who has it already.
pub fn tagged(request: &HeaderMap, body: &impl Serialize) -> Response {
    let mut response = json(StatusCode::OK, body);
    let Ok(bytes) = serde_json::to_vec(body) else { return response };
    let digest = hex::encode(Sha256::digest(&bytes));
    let tag = format!("\"{}\"", digest.get(..16).unwrap_or_default());
    let has_it = |value: &HeaderValue| {
        let listed = value.to_str().unwrap_or_default().split(',').map(str::trim);
        listed.map(|one| one.trim_start_matches("W/")).any(|one| one == tag || one == "*")
    };
    let known = request.get_all(IF_NONE_MATCH).iter().any(has_it);
    if known {
        response = StatusCode::NOT_MODIFIED.into_response();
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// 202: the delivery is on disk.
pub fn accepted(delivery: &str, fate: &str) -> Response {
    #[derive(Serialize)]
    struct Accepted<'a> {
        delivery: &'a str,
        fate: &'a str,
    }
    json(StatusCode::ACCEPTED, &Accepted { delivery, fate })
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_LIMIT)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn shown(response: Response) -> (StatusCode, HeaderMap, serde_json::Value) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert!(bytes.len() < 1024);
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn errors_have_a_code_a_message_and_a_hint() {
        let refusal = Refusal::unusable("x").hint("y");
        let (status, headers, body) = shown(refusal.into_response()).await;
        assert_eq!(status, 400);
        assert_eq!(headers["content-type"], "application/problem+json");
        let expected = serde_json::json!({
            "type": "urn:casewright:problem:unusable", "title": "unusable", "status": 400,
            "detail": "x", "code": "unusable", "hint": "y",
        });
        assert_eq!(body, expected);
        let (_, _, body) = shown(Refusal::not_found().into_response()).await;
        assert!(body.get("hint").is_none());
        assert_eq!(body["title"], "not found");
    }

    #[tokio::test]
    async fn long_texts_are_cut_between_characters() {
        let refusal = Refusal::unusable("ä".repeat(TEXT_LIMIT));
        let (_, _, body) = shown(refusal.into_response()).await;
        assert_eq!(body["detail"].as_str().unwrap().len(), TEXT_LIMIT);
    }

    #[tokio::test]
    async fn retry_after_is_in_whole_seconds_and_never_zero() {
        for (wait, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
            let refusal = Refusal::overloaded("busy", Duration::from_millis(wait));
            let (status, headers, _) = shown(refusal.into_response()).await;
            assert_eq!(status, 503);
            assert_eq!(headers["retry-after"], header, "{wait}");
        }
    }

    #[tokio::test]
    async fn who_has_what_there_is_gets_nothing_again() {
        let body = serde_json::json!({ "a": 1 });
        let (status, headers, _) = shown(tagged(&HeaderMap::new(), &body)).await;
        assert_eq!(status, 200);
        let tag = headers["etag"].clone();
        let with = |tag: &HeaderValue| HeaderMap::from_iter([(IF_NONE_MATCH, tag.clone())]);
        assert_eq!(tagged(&with(&tag), &body).status(), 304);
        let several = format!("\"x\", W/{}", tag.to_str().unwrap());
        assert_eq!(tagged(&with(&several.parse().unwrap()), &body).status(), 304);
        let other = serde_json::json!({ "a": 2 });
        assert_eq!(tagged(&with(&tag), &other).status(), 200);
    }

    #[tokio::test]
    async fn every_challenge_has_its_own_line() {
        let refusal = Refusal::unauthentic("c", "m", &["Bearer realm=\"a\"", "Basic realm=\"a\""]);
        let (_, headers, _) = shown(refusal.into_response()).await;
        assert_eq!(headers.get_all("www-authenticate").iter().count(), 2);
    }
}
