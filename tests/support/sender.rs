//! Posts webhooks over real sockets.

use std::time::Duration;

use serde_json::Value;

use super::alertmanager::Payload;
use super::pagerduty::Event;

/// What the daemon answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) delivery: String,
    pub(crate) fate: String,
}

/// Somebody who posts to a daemon.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    http: reqwest::Client,
    base: String,
}

impl Sender {
    /// To the webhook listener at `address`.
    pub(crate) fn to(address: impl std::fmt::Display) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build();
        Self { http: http.expect("a client"), base: format!("http://{address}/webhooks") }
    }

    /// The same somebody, to another address: the daemon was started again.
    pub(crate) fn redirected(&self, address: impl std::fmt::Display) -> Self {
        Self { http: self.http.clone(), base: format!("http://{address}/webhooks") }
    }

    /// What stands before a source's name.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn alertmanager(&self, payload: impl Into<Payload>) -> Reply {
        self.try_alertmanager(&payload.into()).await.expect("an answer")
    }

    pub(crate) async fn try_alertmanager(&self, payload: &Payload) -> reqwest::Result<Reply> {
        let request = self.post("alertmanager", payload.body());
        read(request.header("authorization", "Bearer demo-token").send().await?).await
    }

    pub(crate) async fn pagerduty(&self, event: &Event) -> Reply {
        let mut request = self.post("pagerduty", event.body());
        for (name, value) in event.headers() {
            request = request.header(name, value);
        }
        read(request.send().await.expect("an answer")).await.expect("a whole answer")
    }

    fn post(&self, source: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
        let url = format!("{}/{source}", self.base);
        self.http.post(url).header("content-type", "application/json").body(body)
    }
}

async fn read(response: reqwest::Response) -> reqwest::Result<Reply> {
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Ok(Reply { status, delivery: text("delivery"), fate: text("fate") })
}
