//! The API's error answers: problem details (RFC 9457), in the six documented kinds and the few
//! undocumented ones that a client must survive.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use uuid::Uuid;

/// Where the API's own problem types live.
const TYPES: &str = "/case-management/v3/error-types";

/// Why the API refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into(), headers: Vec::new() }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad Request", detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not Found", detail)
    }

    pub(super) fn method_not_allowed(allow: &str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method Not Allowed",
            format!("this resource answers to {allow}"),
        );
        problem.headers.push((header::ALLOW, allow.to_owned()));
        problem
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal-server-error",
            "Internal Server Error",
            detail,
        )
    }

    // The API documents no 413, 415 or 429. A real gateway may well send them.

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload-too-large",
            "Payload Too Large",
            format!("the body is larger than {limit} bytes"),
        )
    }

    pub(super) fn not_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported Media Type",
            "a body must be sent as application/json",
        )
    }

    pub(super) fn not_multipart() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported Media Type",
            "a file must be sent as multipart/form-data with a boundary",
        )
    }

    /// The headers are those that other Akamai APIs send with a 429.
    pub(super) fn throttled(retry_after: u64, next: &str) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "Too Many Requests",
            format!("the rate limit is exceeded; try again in {retry_after} s"),
        );
        problem.headers = vec![
            (header::RETRY_AFTER, retry_after.to_string()),
            (HeaderName::from_static("x-ratelimit-limit"), "60".to_owned()),
            (HeaderName::from_static("x-ratelimit-remaining"), "0".to_owned()),
            (HeaderName::from_static("x-ratelimit-next"), next.to_owned()),
        ];
        problem
    }

    /// The answer; `instance` names this one occurrence.
    pub(super) fn into_response(self, instance: Uuid) -> Response {
        let body = json!({
            "type": format!("{TYPES}/{}", self.kind),
            "title": self.title,
            "detail": self.detail,
            "status": self.status.as_u16(),
            "instance": format!("/case-management/v3/error-instances/{instance}"),
        });
        let mut response = problem_response(self.status, &body);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A response with the content type of problem details.
pub(super) fn problem_response(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
