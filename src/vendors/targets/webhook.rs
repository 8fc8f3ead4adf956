//! A webhook that takes what Alertmanager sends.
//!
//! It is told at least once: an unknown outcome is repeated, because a receiver cannot be asked what
//! it has. It can tell a twin by the header `Idempotency-Key` and by the annotation
//! `casewright_notice`, which are the same each time.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use url::Url;

use super::client::{Client, Settings};
use super::exchange::{Ask, Exchanged};
use super::{Courier, Message};
use crate::domain::desk::Auth;
use crate::domain::ids::CaseId;
use crate::domain::pace::Rate;
use crate::vendors::desk::settings::Identity;
use crate::vendors::desk::verdict::{Class, Judged, not_done, refused};
use crate::vendors::transport::may_see_secrets;
use crate::vendors::{Evidence, Look, Outcome, Probe};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where a webhook is, and who we are there.
#[derive(Clone)]
pub struct WebhookSettings {
    url: Url,
    identity: Option<Identity>,
    timeout: Duration,
    rate: Rate,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a secret.
        f.debug_struct("WebhookSettings").finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// Settings by which a webhook can be posted; `None` if one of them cannot stand in a request.
    pub fn new(url: Url, auth: Option<&Auth>, timeout: Duration, rate: Rate) -> Option<Self> {
        let identity = match auth {
            Some(auth) => Some(Identity::new(auth)?),
            None => None,
        };
        let good = may_see_secrets(&url) && !timeout.is_zero();
        good.then_some(Self { url, identity, timeout, rate })
    }
}

impl Settings for WebhookSettings {
    const WHO: &'static str = "the webhook's receiver";
    const CREDENTIALS: &'static str = "the webhook's `auth`";

    fn pace(&self) -> (Duration, Rate) {
        (self.timeout, self.rate)
    }
}

/// See the [module](self).
pub type Webhook = Client<WebhookSettings>;

#[async_trait]
impl Courier for Webhook {
    async fn send(&self, message: &Message) -> Outcome {
        let Message::Post(bulletin) = message else {
            return refused("a webhook is told in posts".to_owned());
        };
        let mut headers = HeaderMap::new();
        let Ok(key) = HeaderValue::from_str(&bulletin.id) else {
            return refused("the notice's id cannot stand in a header".to_owned());
        };
        headers.insert(KEY, key);
        let ask = Ask {
            method: Method::POST,
            url: self.settings.url.clone(),
            identity: self.settings.identity.as_ref(),
            headers,
            body: Some(bulletin.payload()),
            repeatable: true,
        };
        let Exchanged { mut judged, .. } = self.exchange.ask(ask).await;
        // Nothing of ours can be in its way there: it says no.
        if judged.evidence.status == Some(409) {
            judged.class = Class::Refused;
        }
        if judged.class != Class::Done {
            return not_done(judged);
        }
        judged.evidence.message = "the webhook's receiver took it".to_owned();
        let case = CaseId::new(bulletin.incident.as_str());
        Outcome::Done { case, evidence: judged.evidence }
    }

    async fn look(&self, _message: &Message, _since: Timestamp) -> Look {
        let message = "a receiver cannot be asked: it is told again".to_owned();
        Look::Absent(Evidence { message, ..Evidence::default() })
    }

    /// Whether anybody is there. That what is posted is taken only the next post can tell.
    async fn probe(&self) -> Probe {
        let ask = Ask {
            method: Method::OPTIONS,
            url: self.settings.url.clone(),
            identity: self.settings.identity.as_ref(),
            headers: HeaderMap::new(),
            body: None,
            repeatable: true,
        };
        let Judged { class, retry_after, evidence } = self.exchange.ask(ask).await.judged;
        match class {
            Class::Throttled => Probe::Throttled { retry_after, evidence },
            _ if retry_after.is_some() => Probe::Throttled { retry_after, evidence },
            // Few receivers know the method, and some forbid it: whatever they say, they are there.
            // Not so where a proxy says that nobody is.
            _ if evidence.status.is_some_and(|status| !matches!(status, 502..=504)) => Probe::Up,
            _ => Probe::Down(evidence),
        }
    }
}
