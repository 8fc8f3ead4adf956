//! Where files for cases may be fetched from: `fetch: { allow: [{ host: grafana.example.com }] }`.

use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::decode::{Located, Section};
use crate::domain::reach::Reach;

const MIB: usize = 1 << 20;
/// How large a file may be, in MiB. It is held in memory while it is sent.
const SIZES: std::ops::RangeInclusive<u32> = 1..=20;
const DEFAULT_SIZE: u32 = 5;

/// Where files may be fetched from, and how large they may be.
#[derive(Debug, Clone)]
pub struct FetchConfig {
    /// Nowhere else.
    pub hosts: Vec<FetchHost>,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// The largest file, in bytes.
    pub max_bytes: usize,
}

impl Default for FetchConfig {
    fn default() -> Self {
        let max_bytes = usize::try_from(DEFAULT_SIZE).map_or(MIB, |size| size * MIB);
        Self { hosts: Vec::new(), timeout: Duration::from_secs(10), max_bytes }
    }
}

/// A host that files may be fetched from.
#[derive(Debug, Clone)]
pub struct FetchHost {
    /// Exactly this one: a name or an address.
    pub host: Host,
    /// At exactly this port.
    pub port: u16,
    /// `https`, or `http` within a private network.
    pub scheme: &'static str,
    /// To which addresses its name may lead.
    pub reach: Reach,
    /// Goes along with each request.
    pub bearer: Option<SecretString>,
}

impl FetchConfig {
    /// The address, and what is known of its host.
    ///
    /// # Errors
    ///
    /// Why nothing may be fetched from there, in a few words.
    pub fn allowed(&self, url: &str) -> Result<(Url, &FetchHost), String> {
        let url =
            Url::parse(url).map_err(|error| format!("its address cannot be read: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its address has a user in it".to_owned());
        }
        let (host, port) = (url.host().map(|host| host.to_owned()), url.port_or_known_default());
        let known = self.hosts.iter().find(|known| {
            Some(&known.host) == host.as_ref()
                && Some(known.port) == port
                && known.scheme == url.scheme()
        });
        match known {
            Some(known) => Ok((url, known)),
            None => Err(format!(
                "`fetch.allow` does not have {}",
                crate::config::decode::quote(&url.origin().ascii_serialization())
            )),
        }
    }
}

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> FetchConfig {
    let default = FetchConfig::default();
    let hosts = section.sections("allow").into_iter().filter_map(read_host).collect();
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(60));
    let timeout = section.within("timeout", default.timeout, least..=most);
    let size = section.within("max_mib", DEFAULT_SIZE, SIZES);
    section.finish();
    let max_bytes = usize::try_from(size).map_or(MIB, |size| size * MIB);
    FetchConfig { hosts, timeout, max_bytes }
}

fn read_host(mut section: Section<'_>) -> Option<FetchHost> {
    let host: Option<Located<String>> = section.required("host");
    let scheme = section.one_of_or("scheme", &[("https", "https"), ("http", "http")], "https");
    let port: u32 = section.within("port", if scheme == "https" { 443 } else { 80 }, 1..=65_535);
    let private = section.with_default("private", false);
    let reach = if private { Reach::Private } else { Reach::Public };
    let has_bearer = section.has("bearer") || section.has("bearer_file");
    section.known(&["bearer", "bearer_file"]);
    let bearer = if has_bearer { section.secret("bearer") } else { None };
    if scheme == "http" && !private {
        let message = "plain http is accepted only within a private network";
        section.error_at_key("scheme", message, "use `https`, or add `private: true`");
    }
    let host = host.and_then(|Located { value, place }| {
        // A `*` is a character like any other to a URL, and nobody means it so.
        let of_a_host = |char: char| char.is_ascii_alphanumeric() || ".-_:[]".contains(char);
        let parsed = Host::parse(&value)
            .ok()
            .filter(|host| host.to_string() == value && value.chars().all(of_a_host));
        let Some(host) = parsed else {
            let hint = "such as `grafana.example.com`: no scheme, no port, no `*`, small letters";
            section.error_at(place, "this is not the name of a host", hint);
            return None;
        };
        let address = match &host {
            Host::Ipv4(address) => Some((*address).into()),
            Host::Ipv6(address) => Some((*address).into()),
            Host::Domain(_) => None,
        };
        if address.is_some_and(|address| !reach.covers(address)) {
            let hint = if Reach::Private.covers(address?) { "add `private: true`" } else { "" };
            section.error_at(place, "nothing is fetched from this address", hint);
        }
        Some(host)
    });
    section.finish();
    Some(FetchHost { host: host?, port: u16::try_from(port).ok()?, scheme, reach, bearer })
}
