//! Who is told what happens to cases: `tell` of a PagerDuty source, and `notify`.
//!
//! Off unless it is configured: nothing is sent to anybody who is not named here.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::daemon_config::Config;
use super::decode::{Located, Section, named};
use super::desk::read_auth;
use super::name::Word;
use super::source_config::{SourceConfig, SourceKind};
use super::vendor_config::{check_base, read_reconcile, read_timeout};
use crate::domain::desk::Auth;
use crate::domain::ids::VendorName;
use crate::domain::notice::{Occasion, Target};
use crate::domain::pace::Reconcile;
use crate::domain::telling::{Telling, ToldSource};

/// Where PagerDuty's REST API is, unless the config says otherwise.
pub const PAGERDUTY: &str = "https://api.pagerduty.com";

/// How the incidents of a PagerDuty source are told of their cases.
#[derive(Debug, Clone)]
pub struct TellConfig {
    /// A key of PagerDuty's REST API.
    pub api_token: SecretString,
    /// The address of the PagerDuty user whose notes they are.
    pub from: String,
    /// Where the API is.
    pub base_url: Url,
    /// The id or name of the custom field that gets the case's number.
    pub custom_field: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How a note whose outcome is unknown is looked for.
    pub reconcile: Reconcile,
}

/// A webhook that is told.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// Its name; unique.
    pub name: String,
    /// Where it is. A secret, because many such addresses hold one. *Invariant*: it parses.
    pub url: SecretString,
    /// Who we are there.
    pub auth: Option<Auth>,
    /// What it is told of.
    pub on: BTreeSet<Occasion>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Somebody who is told, and how.
#[derive(Debug, Clone, Copy)]
pub enum ToldParty<'a> {
    /// A PagerDuty source.
    Source(&'a TellConfig),
    /// A webhook.
    Webhook(&'a NotifyConfig),
}

impl Config {
    /// Everybody who is told, each with the name of its lane.
    pub fn told(&self) -> Vec<(VendorName, ToldParty<'_>)> {
        let sources = self.sources.iter().filter_map(|source| {
            let lane = Target::lane_of_source(&source.name);
            Some((lane, ToldParty::Source(source.tell()?)))
        });
        let webhooks = self
            .notify
            .iter()
            .map(|webhook| (Target::lane_of_webhook(&webhook.name), ToldParty::Webhook(webhook)));
        sources.chain(webhooks).collect()
    }
}

impl SourceConfig {
    /// How its incidents are told, if they are.
    pub fn tell(&self) -> Option<&TellConfig> {
        match &self.kind {
            SourceKind::PagerDuty { tell, .. } => tell.as_deref(),
            SourceKind::Alertmanager { .. } => None,
        }
    }
}

/// What the lifecycle needs to know of it.
pub(super) fn telling(sources: &[SourceConfig], notify: &[NotifyConfig]) -> Telling {
    let sources = sources.iter().filter_map(|source| {
        let field = source.tell()?.custom_field.is_some();
        Some((source.name.clone(), ToldSource { field }))
    });
    let webhooks = notify.iter().map(|webhook| (webhook.name.clone(), webhook.on.clone()));
    Telling { sources: sources.collect(), webhooks: webhooks.collect() }
}

/// Reads `tell` of a source.
pub(super) fn read_tell(mut section: Section<'_>) -> Option<TellConfig> {
    let api_token = section.secret("api_token");
    let from = section.required::<Located<String>>("from");
    if let Some(from) = &from
        && !is_address(&from.value)
    {
        let message = "`from` is not an e-mail address";
        let hint = "name a user of PagerDuty by the address that it has there";
        section.error_at(from.place.clone(), message, hint);
    }
    let base_url = section.optional::<Located<Url>>("base_url");
    let tried = section.has("base_url");
    let base_url = base_url.map(|url| check_base(&section, url));
    let base_url = if tried { base_url } else { Url::parse(PAGERDUTY).ok() };
    let custom_field = section.optional::<Located<String>>("custom_field");
    if let Some(field) = &custom_field
        && (field.value.is_empty()
            || !field.value.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'))
    {
        let message = "`custom_field` is neither the id nor the name of a custom field";
        let hint = "PagerDuty shows both where the field is defined: `PT4KHEE`, `vendor_case`";
        section.error_at(field.place.clone(), message, hint);
    }
    let timeout = read_timeout(&mut section);
    let reconcile = section.section("reconcile").map(read_reconcile).unwrap_or_default();
    section.finish();
    Some(TellConfig {
        api_token: api_token?,
        from: from?.value,
        base_url: base_url?,
        custom_field: custom_field.map(|field| field.value),
        timeout,
        reconcile,
    })
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && text.chars().all(|char| char.is_ascii_graphic())
}

const KINDS: &[(&str, ())] = &[("webhook", ())];

/// Reads one item of `notify`.
pub(super) fn read_notify(mut section: Section<'_>) -> Option<Located<NotifyConfig>> {
    let name: Option<Located<Word>> = section.required("name");
    section.one_of("kind", KINDS)?;
    let url = section.secret("url");
    if let Some(url) = &url
        && let Err((message, hint)) = check_address(url)
    {
        let key = if section.has("url") { "url" } else { "url_file" };
        section.error_at_key(key, message, hint);
    }
    let auth = section.section("auth").map(|mut auth| read_auth(&mut auth));
    let on = read_occasions(&mut section);
    let timeout = read_timeout(&mut section);
    section.finish();
    let Located { value: Word(name), place } = name?;
    let auth = auth.map_or(Some(None), |auth| auth.map(Some))?;
    let webhook = NotifyConfig { name, url: url?, auth, on, timeout };
    Some(Located { value: webhook, place })
}

/// Nothing of the address may be shown.
fn check_address(url: &SecretString) -> Result<(), (&'static str, &'static str)> {
    let hint = "write the whole address, such as `https://hooks.example.com/casewright`";
    let Ok(url) = Url::parse(url.expose_secret()) else {
        return Err(("`url` is not an address", hint));
    };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err((
            "`url` must have no user and no password",
            "write them under `auth`, as `basic: { user: ..., password_file: ... }`",
        )),
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(("plain http is accepted only for a loopback address", "use `https://`")),
        _ => Err(("`url` must start with `https://`", hint)),
    }
}

/// Everything, unless the file says otherwise.
fn read_occasions(section: &mut Section<'_>) -> BTreeSet<Occasion> {
    let Some(field) = section.field("on") else {
        return Occasion::WORDS.map(|(_, occasion)| occasion).into();
    };
    section.reject_empty_list("on");
    field.one_or_many().iter().filter_map(|item| named(item, &Occasion::WORDS)).collect()
}
