//! The lanes of those who are told what happens to cases. Other than vendors they come and go with
//! every reading of the files: nothing that is remembered hangs on them but what is still to be told.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::parts::CONCURRENCY;
use crate::clock::Clock;
use crate::config::{Config, NotifyConfig, TellConfig, ToldParty};
use crate::dispatch::{Lane, LaneSettings, Party};
use crate::domain::backoff::Retry;
use crate::domain::gate::Breaker;
use crate::domain::ids::{CaseId, VendorName};
use crate::domain::notice::Target;
use crate::domain::pace::{Rate, Reconcile, WhenNotFound};
use crate::playbook::Playbook;
use crate::vendors::targets::{
    Courier, Message, PagerDuty, PagerDutySettings, Webhook, WebhookSettings,
};
use crate::vendors::{Evidence, Look, Outcome, Probe};

/// The share of the rate that repeats get while nothing succeeds.
const RETRY_SHARE: f64 = 0.2;

/// Somebody who is told, and how.
#[derive(Clone)]
pub(super) struct Told {
    client: Client,
    timeout: Duration,
    reconcile: Reconcile,
}

/// The client of somebody who is told.
#[derive(Clone)]
enum Client {
    /// PagerDuty's.
    PagerDuty(Arc<PagerDuty>),
    /// A webhook's.
    Webhook(Arc<Webhook>),
    /// Of somebody whom the config does not name any more.
    Gone,
}

/// Where nothing can be looked up, nothing is waited for.
const NO_RECORDS: Reconcile =
    Reconcile { window: Duration::ZERO, looks: 1, when_not_found: WhenNotFound::Retry };

impl Told {
    /// A client as the files want it, in place of what there was: requests of both count against one
    /// rate.
    ///
    /// # Errors
    ///
    /// What cannot stand in a request, and a machine on which no client can be made.
    fn new(
        party: ToldParty<'_>,
        before: Option<&Self>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let before = before.map(|before| &before.client);
        Ok(match party {
            ToldParty::Source(tell) => {
                let settings = pagerduty(tell)?;
                let client = match before {
                    Some(Client::PagerDuty(before)) => before.successor(settings)?,
                    _ => PagerDuty::new(settings, clock.clone())?,
                };
                let TellConfig { timeout, reconcile, .. } = *tell;
                Self { client: Client::PagerDuty(Arc::new(client)), timeout, reconcile }
            }
            ToldParty::Webhook(notify) => {
                let settings = webhook(notify)?;
                let client = match before {
                    Some(Client::Webhook(before)) => before.successor(settings)?,
                    _ => Webhook::new(settings, clock.clone())?,
                };
                let (client, timeout) = (Client::Webhook(Arc::new(client)), notify.timeout);
                Self { client, timeout, reconcile: NO_RECORDS }
            }
        })
    }

    fn gone() -> Self {
        Self { client: Client::Gone, timeout: Duration::from_secs(1), reconcile: NO_RECORDS }
    }

    fn party(&self) -> Party {
        Party::Target(match &self.client {
            Client::PagerDuty(client) => client.clone(),
            Client::Webhook(client) => client.clone(),
            Client::Gone => Arc::new(Gone),
        })
    }

    /// From now on its settings count.
    pub(super) fn take_over(&self) {
        match &self.client {
            Client::PagerDuty(client) => client.take_over(),
            Client::Webhook(client) => client.take_over(),
            Client::Gone => {}
        }
    }

    fn lane_settings(&self) -> LaneSettings {
        LaneSettings {
            timeout: self.timeout,
            retry: Retry::default(),
            reconcile: self.reconcile,
            breaker: Breaker::default(),
            retries_per_second: Rate::default().per_second * RETRY_SHARE,
            concurrency: CONCURRENCY,
            // It has no catalog, and no cases.
            catalog_refresh: Duration::MAX,
            watch: None,
        }
    }
}

/// A client of PagerDuty, to find out whether it can be asked.
///
/// # Errors
///
/// As of [`Told::new`].
pub fn courier(tell: &TellConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Courier>> {
    Ok(Arc::new(PagerDuty::new(pagerduty(tell)?, clock)?))
}

fn pagerduty(tell: &TellConfig) -> anyhow::Result<PagerDutySettings> {
    let TellConfig { api_token, from, base_url, custom_field, timeout, .. } = tell;
    let (base, field) = (base_url.clone(), custom_field.clone());
    PagerDutySettings::new(base, api_token, from, field, *timeout, Rate::default())
        .context("`api_token` or `from` cannot stand in a header")
}

fn webhook(notify: &NotifyConfig) -> anyhow::Result<WebhookSettings> {
    let url = notify.url.expose_secret().parse().context("`url` is no address")?;
    WebhookSettings::new(url, notify.auth.as_ref(), notify.timeout, Rate::default())
        .context("`auth` cannot stand in a header")
}

/// Everybody who is told by `config`, after those of `before`. `waits` are the lanes for which
/// something may wait in the outbox, now or when a person has it tried again.
///
/// # Errors
///
/// Of the first that cannot be told, with its name.
pub(super) fn all(
    config: &Config,
    before: &[(VendorName, Told)],
    waits: impl Iterator<Item = VendorName>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Vec<(VendorName, Told)>> {
    let mut all = Vec::new();
    for (name, party) in config.told() {
        let same = before.iter().find(|(known, _)| *known == name).map(|(_, told)| told);
        let told = Told::new(party, same, clock).with_context(|| format!("target `{name}`"))?;
        all.push((name, told));
    }
    for name in waits.filter(Target::is_lane) {
        if all.iter().all(|(known, _)| *known != name) {
            all.push((name, Told::gone()));
        }
    }
    Ok(all)
}

/// The lane to somebody who is told: after the one that there was, or new.
pub(super) fn lane(
    (name, told): &(VendorName, Told),
    before: Option<&Lane>,
    playbook: &Arc<Playbook>,
    now: Timestamp,
) -> Lane {
    let (party, settings, playbook) = (told.party(), told.lane_settings(), playbook.clone());
    match before {
        Some(lane) => lane.successor(party, settings, playbook),
        None => Lane::new(name.clone(), party, settings, playbook, now),
    }
}

/// Takes what nobody is told any more, so that it does not wait for ever.
struct Gone;

#[async_trait]
impl Courier for Gone {
    async fn send(&self, _message: &Message) -> Outcome {
        let message = "not told: the config names this target no longer".to_owned();
        let evidence = Evidence { message, ..Evidence::default() };
        Outcome::Done { case: CaseId::new(""), evidence }
    }

    async fn look(&self, _message: &Message, _since: Timestamp) -> Look {
        let message = "not looked for: the config names this target no longer".to_owned();
        let evidence = Evidence { message, ..Evidence::default() };
        Look::Found { case: CaseId::new(""), evidence }
    }

    async fn probe(&self) -> Probe {
        Probe::Up
    }
}
