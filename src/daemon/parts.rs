//! The parts of a daemon, each made of what the files say. They are made at the start, and again
//! whenever the files are read anew; making one never changes anything that runs.

use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::{self, HttpDesk, Lookup, SourceConfig, SourceKind, VendorConfig, VendorKind};
use crate::dispatch::LaneSettings;
use crate::domain::pace::ListScope;
use crate::rng::Rng;
use crate::sandbox::Sandbox;
use crate::setup::akamai_access;
use crate::sources::credential::{Auth, Basic, SecretHeader};
use crate::sources::{Source, Sources, alertmanager::Alertmanager, pagerduty::PagerDuty};
use crate::vendors::akamai::edgerc::Access;
use crate::vendors::{Vendor, akamai, desk};

/// How many actions of one vendor are worked on at once.
pub(super) const CONCURRENCY: usize = 4;

/// Who may talk to a simulation. Its credentials are no secret.
///
/// # Errors
///
/// None in practice: the simulation's own address and credentials are well-formed.
pub(super) fn sandbox_access(sandbox: &Sandbox) -> anyhow::Result<Access> {
    let own = sandbox.credentials();
    Ok(Access {
        base: sandbox.base_url().parse()?,
        credentials: crate::vendors::akamai::Credentials::new(
            own.client_token.clone().into(),
            own.client_secret.clone().into(),
            own.access_token.clone().into(),
        )?,
    })
}

/// A vendor's client, by what it speaks.
#[derive(Debug, Clone)]
pub(super) enum Client {
    /// Akamai's API, or the simulation's.
    Akamai(Arc<akamai::Client>),
    /// A described desk's.
    Desk(Arc<desk::Client>),
}

impl Client {
    /// A client as the files want it. `simulation` is who may talk to the vendor's simulation, if
    /// it is one.
    ///
    /// # Errors
    ///
    /// Credentials that are not there, and a machine on which no client can be made.
    pub(super) fn new(
        vendor: &VendorConfig,
        simulation: Option<Access>,
        env: Lookup<'_>,
        clock: &Arc<dyn Clock>,
        rng: &Arc<Rng>,
    ) -> anyhow::Result<Self> {
        if let VendorKind::Http(http) = &vendor.kind {
            let client = desk::Client::new(desk_settings(vendor, http)?, clock.clone())?;
            return Ok(Self::Desk(Arc::new(client)));
        }
        let settings = akamai_settings(vendor, access(vendor, simulation, env)?)?;
        let client = akamai::Client::new(settings, clock.clone(), rng.clone())?;
        Ok(Self::Akamai(Arc::new(client)))
    }

    /// The same client as the files want it now; `None` if it takes a restart.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub(super) fn successor(
        &self,
        vendor: &VendorConfig,
        simulation: Option<Access>,
        env: Lookup<'_>,
    ) -> anyhow::Result<Option<Self>> {
        let simulated = simulation.is_some();
        Ok(match (self, &vendor.kind) {
            (Self::Desk(client), VendorKind::Http(http)) => {
                let next = client.successor(desk_settings(vendor, http)?)?;
                Some(Self::Desk(Arc::new(next)))
            }
            (Self::Akamai(client), VendorKind::Sandbox { .. }) if simulated => {
                let settings = akamai_settings(vendor, access(vendor, simulation, env)?)?;
                Some(Self::Akamai(Arc::new(client.successor(settings)?)))
            }
            (Self::Akamai(client), VendorKind::Akamai { .. }) if !simulated => {
                let settings = akamai_settings(vendor, access(vendor, None, env)?)?;
                Some(Self::Akamai(Arc::new(client.successor(settings)?)))
            }
            _ => None,
        })
    }

    /// What the lane sends through.
    pub(super) fn vendor(&self) -> Arc<dyn Vendor> {
        match self {
            Self::Akamai(client) => client.clone(),
            Self::Desk(client) => client.clone(),
        }
    }

    /// From now on its settings count.
    pub(super) fn take_over(&self) {
        match self {
            Self::Akamai(client) => client.take_over(),
            Self::Desk(client) => client.take_over(),
        }
    }

    /// The client, if it speaks Akamai's API.
    pub(super) fn akamai(&self) -> Option<&Arc<akamai::Client>> {
        match self {
            Self::Akamai(client) => Some(client),
            Self::Desk(_) => None,
        }
    }
}

fn access(
    vendor: &VendorConfig,
    simulation: Option<Access>,
    env: Lookup<'_>,
) -> anyhow::Result<Access> {
    if let Some(access) = simulation {
        return Ok(access);
    }
    akamai_access(vendor, env)
        .map_err(anyhow::Error::msg)?
        .with_context(|| format!("vendor `{}` has no credentials", vendor.name))
}

/// How a vendor's client is to behave.
fn akamai_settings(vendor: &VendorConfig, access: Access) -> anyhow::Result<akamai::Settings> {
    let list_scope = match &vendor.kind {
        VendorKind::Akamai { list_scope, .. } => *list_scope,
        VendorKind::Sandbox { .. } | VendorKind::Http(_) => ListScope::default(),
    };
    Ok(akamai::Settings::new(
        vendor.name.clone(),
        access.base,
        access.credentials,
        vendor.timeout,
        list_scope,
        vendor.rate,
    )?)
}

fn desk_settings(vendor: &VendorConfig, http: &HttpDesk) -> anyhow::Result<desk::Settings> {
    Ok(desk::Settings::new(
        vendor.name.clone(),
        http.base_url.clone(),
        &http.auth,
        vendor.timeout,
        vendor.rate,
        http.desk.clone(),
    )?)
}

/// How a vendor's lane is to behave.
pub(super) fn lane_settings(vendor: &VendorConfig) -> LaneSettings {
    LaneSettings {
        timeout: vendor.timeout,
        retry: vendor.retry.clone(),
        reconcile: vendor.reconcile,
        breaker: vendor.breaker,
        retries_per_second: vendor.rate.per_second * vendor.retry_share,
        concurrency: CONCURRENCY,
        catalog_refresh: vendor.catalog_refresh,
        watch: vendor.watch,
    }
}

/// Who may post webhooks.
pub fn sources(configured: &[SourceConfig]) -> anyhow::Result<Sources> {
    configured
        .iter()
        .map(|config| {
            let name = config.name.clone();
            let source: Arc<dyn Source> = match &config.kind {
                SourceKind::Alertmanager { auth } => {
                    Arc::new(Alertmanager::new(name, accepted(auth)?))
                }
                SourceKind::PagerDuty { secrets, .. } => {
                    Arc::new(PagerDuty::new(name, secrets.clone()))
                }
            };
            Ok((config.name.clone(), source))
        })
        .collect()
}

fn accepted(auth: &config::Auth) -> anyhow::Result<Auth> {
    let basic: Vec<Basic> = auth
        .basic
        .iter()
        .map(|(user, password)| Basic { user: user.clone(), password: password.clone() })
        .collect();
    let headers = auth
        .header
        .iter()
        .map(|(name, values)| Ok(SecretHeader { name: name.parse()?, values: values.clone() }))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Auth::new(&auth.bearer, &basic, &headers))
}
