//! The parts of a daemon, each made of what the files say. They are made at the start, and again
//! whenever the files are read anew; making one never changes anything that runs.

use std::sync::Arc;

use crate::config::{self, SourceConfig, SourceKind, VendorConfig, VendorKind};
use crate::dispatch::LaneSettings;
use crate::domain::pace::ListScope;
use crate::sandbox::Sandbox;
use crate::sources::credential::{Auth, Basic, SecretHeader};
use crate::sources::{Source, Sources, alertmanager::Alertmanager, pagerduty::PagerDuty};
use crate::vendors::akamai::{Settings, edgerc::Access};

/// How many actions of one vendor are worked on at once.
const CONCURRENCY: usize = 4;

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

/// How a vendor's client is to behave.
pub(super) fn client_settings(vendor: &VendorConfig, access: Access) -> anyhow::Result<Settings> {
    let list_scope = match &vendor.kind {
        VendorKind::Akamai { list_scope, .. } => *list_scope,
        VendorKind::Sandbox { .. } => ListScope::default(),
    };
    Ok(Settings::new(
        vendor.name.clone(),
        access.base,
        access.credentials,
        vendor.timeout,
        list_scope,
        vendor.rate,
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
                SourceKind::PagerDuty { secrets } => {
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
