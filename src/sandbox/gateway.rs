//! What the gateway in front of the API answers when it turns a request away. These problems look
//! different from the API's own: another `type`, and facts about the request.

use std::net::SocketAddr;

use axum::response::Response;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::problem::problem_response;

/// The host part varies at the real gateway; clients must go by the path.
const TYPES: &str = "https://problems.luna.akamaiapis.net/-";

/// Why the gateway lets a request not through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No `Authorization`, more than one, or one that cannot be read. The wording is ours.
    Malformed(&'static str),
    /// Not of the right form, or more than 30 s away. A 400, not a 401.
    Timestamp,
    /// Not a token that the gateway knows.
    ClientToken,
    /// The answer to a wrong access token is not documented; this follows the client token's.
    AccessToken,
    /// The client was revoked.
    InactiveClient,
    /// The secret or the signed data differ.
    Signature,
    /// Seen before. That replays are noticed is documented, what is answered is not: this has the
    /// form of the neighbouring answers.
    Nonce,
    /// The API client lacks the grant for Case Management.
    Grant,
}

/// What a gateway problem tells about the request.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) method: &'a Method,
    pub(super) host: &'a str,
    pub(super) target: &'a str,
    pub(super) server: SocketAddr,
    pub(super) client: SocketAddr,
    pub(super) request_id: Uuid,
    pub(super) now: Timestamp,
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        let bad =
            |detail| (StatusCode::BAD_REQUEST, "pep-authn/request-error", "Bad request", detail);
        let deny = |detail| (StatusCode::UNAUTHORIZED, "pep-authn/deny", "Not authorized", detail);
        match self {
            Self::Malformed(detail) => bad(detail),
            Self::Timestamp => bad("Invalid timestamp"),
            Self::ClientToken => bad("Invalid client token"),
            Self::AccessToken => bad("Invalid access token"),
            Self::Nonce => bad("Invalid nonce"),
            Self::InactiveClient => deny("Inactive client token"),
            Self::Signature => deny("The signature does not match"),
            Self::Grant => (
                StatusCode::FORBIDDEN,
                "pep-authz/deny",
                "Forbidden",
                "The client does not have the grant needed for the request",
            ),
        }
    }

    /// The answer, with everything that the real one carries.
    pub(super) fn into_response(self, facts: &Facts<'_>) -> Response {
        let (status, kind, title, detail) = self.parts();
        let mut body = json!({
            "type": format!("{TYPES}/{kind}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
            "instance": format!("http://{}{}", facts.host, facts.target),
            "method": facts.method.as_str(),
            "serverIp": facts.server.ip(),
            "clientIp": facts.client.ip(),
            "requestId": facts.request_id.simple().to_string(),
            "requestTime": facts.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        if let (Self::Grant, Some(body)) = (self, body.as_object_mut()) {
            body.insert("authzRealm".to_owned(), json!("sandbox.case-management"));
        }
        problem_response(status, &body)
    }
}
