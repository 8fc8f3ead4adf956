//! Looks at files, store, daemon and vendors. Reads only.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::timeout;
use url::Url;

use super::super::remote::{Reach, Remote, client};
use super::super::words::field;
use super::facts::{
    Asked, Counts, Coverage, Daemon, DaemonState, Files, Gate, LocalToken, Source, Store, Tokens,
    Told, Vendor,
};
use crate::config::{
    Checked, Config, Diagnostics, SourceConfig, SourceKind, StoreConfig, ToldParty, VendorConfig,
    VendorKind,
};
use crate::daemon::{World, courier, local_token, reach};
use crate::domain::catalog::whole::{AccountCatalog, Page, VendorCatalog};
use crate::domain::ids::VendorName;
use crate::rules::RuleSet;
use crate::rules::offered::{asked_for, complaints};
use crate::setup::{Setup, akamai_access};
use crate::store::sqlite;
use crate::vendors::{CatalogError, OfferedAccount};

/// How long a name look-up, or an answer of the daemon, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The credentials of the example configuration and of its documentation.
const DEMO: [&str; 2] = ["demo-token", "demo-secret"];

pub(super) fn files(config: &Path, setup: Option<&Setup>, diagnostics: &Diagnostics) -> Files {
    Files {
        config: config.to_owned(),
        errors: diagnostics.errors(),
        warnings: diagnostics.warnings(),
        usable: setup.map(|setup| Counts {
            rules: setup.playbook.rules.rules().len(),
            sources: setup.config.sources.len(),
            vendors: setup.config.vendors.len(),
        }),
    }
}

pub(super) async fn store(
    config: &StoreConfig,
    backups: Option<&Path>,
    world: &World<'_>,
) -> Store {
    let condition = sqlite::look(&config.sqlite).await;
    let beside = condition.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let backups = backups.or(beside).unwrap_or(Path::new(".")).to_owned();
    let backup_age = sqlite::backup_age(&backups, &condition.path, world.clock.now());
    Store { condition, backups, backup_age }
}

/// How the daemon is, and whether it takes our token; `None` if it does not run.
pub(super) async fn daemon(checked: &Checked, how: &Reach) -> (Daemon, Option<Result<(), String>>) {
    let address = how.address().unwrap_or(checked.server.admin_listen);
    let state = state(address).await;
    if !state.runs() {
        return (Daemon { address, state, gates: Vec::new() }, None);
    }
    let answer = match Remote::of(how).and_then(|remote| remote.patient(PATIENCE)) {
        Ok(remote) => remote.get(&["api", "v1", "vendors"]).await,
        Err(error) => Err(error),
    };
    let (gates, accepted) = match answer {
        Ok(answer) => (gates(&answer), Ok(())),
        Err(error) => (Vec::new(), Err(format!("{error:#}"))),
    };
    (Daemon { address, state, gates }, Some(accepted))
}

async fn state(address: SocketAddr) -> DaemonState {
    let answer = match client(PATIENCE) {
        Ok(http) => http.get(format!("http://{address}/-/ready")).send().await,
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return DaemonState::Absent,
        Err(error) => return DaemonState::Stranger(error.without_url().to_string()),
    };
    let status = answer.status();
    let body: Option<Value> =
        answer.text().await.ok().and_then(|text| serde_json::from_str(&text).ok());
    let says = |word: &str| body.as_ref().is_some_and(|body| field(body, "status") == word);
    if says("ready") {
        return DaemonState::Ready;
    }
    if says("not ready") {
        let reasons = body.as_ref().and_then(|body| body.get("reasons")).and_then(Value::as_array);
        let reasons = reasons.into_iter().flatten().filter_map(Value::as_str);
        return DaemonState::NotReady(reasons.map(str::to_owned).collect());
    }
    DaemonState::Stranger(format!("it answers {status}"))
}

fn gates(answer: &Value) -> Vec<Gate> {
    let vendors = answer.get("vendors").and_then(Value::as_array).into_iter().flatten();
    let gate = |vendor: &Value| Gate {
        vendor: field(vendor, "name"),
        state: field(vendor, "state"),
        why: field(vendor, "why"),
    };
    vendors.map(gate).collect()
}

/// A simulation is one of its own, which knows of no case and keeps none: that of the daemon is left
/// alone.
pub(super) fn for_looking(vendor: &VendorConfig) -> VendorConfig {
    let mut vendor = vendor.clone();
    if let VendorKind::Sandbox { state, listen } = &mut vendor.kind {
        (*state, *listen) = (None, None);
    }
    vendor
}

pub(super) async fn vendor(config: &VendorConfig, setup: &Setup, world: &World<'_>) -> Vendor {
    let simulated = matches!(config.kind, VendorKind::Sandbox { .. });
    let told =
        |credentials, asked| Vendor { name: config.name.clone(), simulated, credentials, asked };
    let base = match akamai_access(config, world.env) {
        Ok(access) => access.map(|access| access.base),
        Err(why) => return told(Err(why), None),
    };
    let reached = match reach(&for_looking(config), world).await {
        Ok(reached) => reached,
        Err(error) => return told(Err(format!("{error:#}")), None),
    };
    let of_simulation = reached.simulation.as_ref().map(|(_, access)| access.base.clone());
    let of_desk = match &config.kind {
        VendorKind::Http(http) => Some(http.base_url.clone()),
        VendorKind::Akamai { .. } | VendorKind::Sandbox { .. } => None,
    };
    let asked = match base.or(of_simulation).or(of_desk) {
        Some(base) => {
            let rules = &setup.playbook.rules;
            Some(ask(&base, &*reached.vendor(), &config.name, rules, world).await)
        }
        None => None,
    };
    if let Some((sandbox, _)) = reached.simulation {
        sandbox.stop().await;
    }
    told(Ok(()), asked)
}

async fn ask(
    base: &Url,
    vendor: &dyn crate::vendors::Vendor,
    name: &VendorName,
    rules: &RuleSet,
    world: &World<'_>,
) -> Asked {
    // As in an address: an IPv6 address has its brackets.
    let host = base.host_str().unwrap_or_default().to_owned();
    let port = base.port_or_known_default().unwrap_or(443);
    let host = format!("{host}:{port}");
    let resolved = resolve(&host).await;
    let mut asked = Asked { host, resolved, accounts: None, clock: None, coverage: None };
    if asked.resolved.is_err() {
        return asked;
    }
    let accounts = vendor.accounts().await;
    if let Ok(offered) = &accounts {
        asked.coverage = Some(coverage(offered.as_deref(), vendor, name, rules, world).await);
    }
    asked.clock = vendor.clock_skew();
    asked.accounts = Some(accounts);
    asked
}

async fn resolve(host: &str) -> Result<(), String> {
    match timeout(PATIENCE, lookup_host(host)).await {
        Err(_) => Err("no name server answers".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(mut addresses)) => {
            addresses.next().map(|_| ()).ok_or_else(|| "there is none".to_owned())
        }
    }
}

async fn coverage(
    offered: Option<&[OfferedAccount]>,
    vendor: &dyn crate::vendors::Vendor,
    name: &VendorName,
    rules: &RuleSet,
    world: &World<'_>,
) -> Coverage {
    let mut whole = VendorCatalog {
        complete: offered.is_some(),
        accounts: offered.into_iter().flatten().cloned().map(AccountCatalog::from).collect(),
    };
    let mut unread = Vec::new();
    for (account, category) in asked_for(rules, name) {
        let listed = whole.account(&account).and_then(|known| known.category(category));
        if whole.complete && listed.is_none() {
            continue;
        }
        match vendor.catalog(&account, category).await {
            Ok(catalog) => {
                let page = Page { read_at: world.clock.now(), catalog };
                whole.put(&account, category.as_str(), page);
            }
            Err(error) => {
                unread.push(format!("{category} of {account}: {error}"));
                if !matches!(error, CatalogError::Refused(_)) {
                    // The others would meet the same fate.
                    break;
                }
            }
        }
    }
    let by_alert = rules.plans_at(name).filter(|plan| plan.constant_account().is_none());
    Coverage {
        rules: rules.plans_at(name).count(),
        by_alert: by_alert.count(),
        complaints: complaints(rules, name, &whole),
        unread,
    }
}

/// Asks those who can be asked without harm.
pub(super) async fn told(config: &Config, world: &World<'_>) -> Vec<Told> {
    let mut told = Vec::new();
    for (name, party) in config.told() {
        let ToldParty::Source(tell) = party else { continue };
        let probe = match courier(tell, world.clock.clone()) {
            Ok(courier) => Ok(courier.probe().await),
            Err(error) => Err(format!("{error:#}")),
        };
        told.push(Told { name, probe });
    }
    told
}

pub(super) fn source(config: &SourceConfig) -> Source {
    let (kind, secrets): (_, Vec<&SecretString>) = match &config.kind {
        SourceKind::PagerDuty { secrets, .. } => ("pagerduty", secrets.iter().collect()),
        SourceKind::Alertmanager { auth } => {
            let basic = auth.basic.iter().map(|(_, password)| password);
            let header = auth.header.iter().flat_map(|(_, values)| values);
            ("alertmanager", auth.bearer.iter().chain(basic).chain(header).collect())
        }
    };
    let demo = |secret: &&SecretString| DEMO.contains(&secret.expose_secret().trim());
    Source {
        name: config.name.clone(),
        kind,
        credentials: secrets.len(),
        demo: secrets.iter().any(demo),
    }
}

pub(super) fn tokens(config: &Config, accepted: Option<Result<(), String>>) -> Tokens {
    let file = local_token::path_of(&config.store.sqlite);
    Tokens { configured: config.access.tokens.len(), local: local(&file), file, accepted }
}

fn local(file: &Path) -> LocalToken {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(file) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => LocalToken::Open,
        Ok(_) if std::fs::read(file).is_ok() => LocalToken::Private,
        Ok(_) => LocalToken::Unreadable,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => LocalToken::Absent,
        Err(_) => LocalToken::Unreadable,
    }
}
