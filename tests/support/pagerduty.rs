//! What PagerDuty posts: real events (`tests/fixtures/pagerduty`), signed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// The secret of the example configuration.
const SECRET: &str = "demo-secret";

/// A webhook.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    json: Value,
    webhook_id: String,
}

impl Event {
    /// The event of a file, in a webhook of its own.
    pub(crate) fn fixture(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/pagerduty/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(&path).expect(&path);
        let json = serde_json::from_slice(&text).expect("JSON");
        Self { json, webhook_id: format!("webhook-of-{name}") }
    }

    /// In another webhook: what a second subscription sends of the same event.
    pub(crate) fn webhook_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.webhook_id);
        self
    }

    /// Another event of the same content.
    pub(crate) fn event_id(mut self, id: &str) -> Self {
        self.json["event"]["id"] = id.into();
        self
    }

    /// The same about another incident.
    pub(crate) fn about(mut self, incident: &str) -> Self {
        self.json["event"]["data"]["id"] = incident.into();
        self
    }

    /// The same, as a note that says so.
    pub(crate) fn content(mut self, text: &str) -> Self {
        self.json["event"]["data"]["content"] = text.into();
        self
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.json.to_string().into_bytes()
    }

    /// `X-Webhook-Id` and `X-PagerDuty-Signature`.
    pub(crate) fn headers(&self) -> [(&'static str, String); 2] {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
        mac.update(&self.body());
        let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
        [("x-webhook-id", self.webhook_id.clone()), ("x-pagerduty-signature", signature)]
    }
}
