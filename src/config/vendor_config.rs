//! Vendors: where cases are opened, and how patiently.
//!
//! To add a kind, write a function that reads its keys and add one line to [`KINDS`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use crate::domain::backoff::Retry;
use crate::domain::catalog::Category;
use crate::domain::draft::{Choices, Fallback};
use crate::domain::gate::Breaker;
use crate::domain::ids::VendorName;
use crate::domain::links::CasePage;
use crate::domain::pace::{ListScope, Rate, Reconcile, Watch, WhenNotFound};
use crate::domain::severity::SeverityPolicy;

use super::choices::{self, CATEGORIES};
use super::decode::{Located, Section};
use super::desk::{self, HttpDesk};
use super::diagnostic::Diagnostic;

/// A configured vendor.
#[derive(Debug, Clone)]
pub struct VendorConfig {
    /// Its name, as rules use it; unique.
    pub name: VendorName,
    /// What it is.
    pub kind: VendorKind,
    /// How long one request may take.
    pub timeout: Duration,
    /// How requests that were not sent are repeated.
    pub retry: Retry,
    /// The share of the rate that repeats get while nothing succeeds.
    pub retry_share: f64,
    /// How an unknown outcome is looked for.
    pub reconcile: Reconcile,
    /// When it is left alone because it fails.
    pub breaker: Breaker,
    /// How many requests it gets.
    pub rate: Rate,
    /// Whether rules may open cases that the vendor bills.
    pub allow_billable: bool,
    /// How long its catalog is gone by before it is read anew.
    pub catalog_refresh: Duration,
    /// How often it is asked what it did with open cases; `None`: never.
    pub watch: Option<Watch>,
    /// What becomes of a rank that a product does not have.
    pub severity_policy: SeverityPolicy,
    /// What a case is filed as where the vendor does not offer what the rule says.
    pub fallback: Option<Arc<Fallback>>,
    /// The page of a case, for people.
    pub case_url: Option<CasePage>,
}

/// What a vendor is.
#[derive(Debug, Clone)]
pub enum VendorKind {
    /// The simulation, inside the daemon.
    Sandbox {
        /// Where it keeps its cases; `None`: in memory.
        state: Option<PathBuf>,
        /// Where it listens; `None`: on a free port of the loopback interface.
        listen: Option<SocketAddr>,
    },
    /// Akamai Case Management v3.
    Akamai {
        /// The file with the credentials; `None`: they come from `credentials` or from the
        /// `AKAMAI_*` variables.
        edgerc: Option<PathBuf>,
        /// The section of that file, or of those variables.
        section: String,
        /// Another address than the credentials' own host.
        base_url: Option<Url>,
        /// The credentials, where they stand in the daemon's own file.
        credentials: Option<Credentials>,
        /// Whose cases are listed to reconcile.
        list_scope: ListScope,
    },
    /// A desk with a JSON API, as it is described.
    Http(Box<HttpDesk>),
}

/// What signs requests to Akamai.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Names the API client.
    pub client_token: SecretString,
    /// Signs.
    pub client_secret: SecretString,
    /// Names the grant.
    pub access_token: SecretString,
}

const HOUR: u64 = 60 * 60;
/// While a vendor fails, so much of its rate goes to repeats.
const DEFAULT_RETRY_SHARE: f64 = 0.2;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_CATALOG_REFRESH: Duration = Duration::from_secs(6 * HOUR);

type ReadKind = fn(&mut Section<'_>) -> Option<VendorKind>;

/// Every kind of vendor and what reads its keys.
const KINDS: &[(&str, ReadKind)] =
    &[("sandbox", sandbox), ("akamai", akamai), ("http", desk::read)];

/// Reads one vendor.
pub(super) fn read(mut section: Section<'_>) -> Option<Located<VendorConfig>> {
    let name: Option<Located<VendorName>> = section.required("name");
    let timeout = read_timeout(&mut section);
    let (retry, retry_share) = section
        .section("retry")
        .map_or_else(|| (Retry::default(), DEFAULT_RETRY_SHARE), read_retry);
    let reconcile = section.section("reconcile").map(read_reconcile).unwrap_or_default();
    let breaker = section.section("breaker").map(read_breaker).unwrap_or_default();
    let rate = section.section("rate").map(read_rate).unwrap_or_default();
    let allow_billable = section.with_default("allow_billable", false);
    let catalog_refresh = section.section("catalog").map_or(DEFAULT_CATALOG_REFRESH, read_catalog);
    let watch = read_watch(&mut section);
    let severity_policy =
        section.one_of_or("severity_policy", &SEVERITY_POLICIES, SeverityPolicy::default());
    let fallback = section
        .section_like("fallback", "fallback: { product: Ion Premier, problem: Alerts }")
        .and_then(|fallback| read_fallback(fallback, allow_billable))
        .map(Arc::new);
    let case_url = read_case_url(&mut section);
    // The kind decides which other keys are known: without it, nothing can be said about them.
    let read_kind = section.one_of("kind", KINDS)?;
    let kind = read_kind(&mut section);
    if matches!(kind, Some(VendorKind::Http(_)))
        && let Some(place) = section.value_place("watch")
    {
        section.reader().report(
            Diagnostic::warning(place, "a desk of kind `http` is not watched")
                .hint("how its tickets go is not described; remove `watch`"),
        );
    }
    section.finish();
    let Located { value: name, place } = name?;
    let vendor = VendorConfig {
        name,
        kind: kind?,
        timeout,
        retry,
        retry_share,
        reconcile,
        breaker,
        rate,
        allow_billable,
        catalog_refresh,
        watch,
        severity_policy,
        fallback,
        case_url,
    };
    Some(Located { value: vendor, place })
}

/// How long one request may take.
pub(super) fn read_timeout(section: &mut Section<'_>) -> Duration {
    section.within("timeout", DEFAULT_TIMEOUT, seconds(1)..=seconds(120))
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn read_retry(mut section: Section<'_>) -> (Retry, f64) {
    let default = Retry::default();
    let shortest = Duration::from_millis(10);
    let initial = section.optional_within("initial", shortest..=seconds(HOUR));
    let max = section.optional_within("max", shortest..=seconds(24 * HOUR));
    let horizon = section.within("horizon", default.horizon, seconds(1)..=seconds(90 * 24 * HOUR));
    // A delay that could not be read has been reported; comparing its default would mislead.
    let readable =
        initial.is_some() == section.has("initial") && max.is_some() == section.has("max");
    let (initial, max) = (initial.unwrap_or(default.initial), max.unwrap_or(default.max));
    if readable && initial > max {
        section.error_at_key("initial", "`retry.initial` is longer than `retry.max`", "");
    }
    if horizon < default.horizon
        && let Some(place) = section.value_place("horizon")
    {
        section.reader().report(
            Diagnostic::warning(place, "actions are given up after less than 72h")
                .hint("a vendor that is down over a weekend then needs a person to retry them"),
        );
    }
    let share = section.within("share", DEFAULT_RETRY_SHARE, 0.01..=1.0);
    section.finish();
    (Retry { initial, max, horizon }, share)
}

pub(super) fn read_reconcile(mut section: Section<'_>) -> Reconcile {
    let default = Reconcile::default();
    let shortest = Duration::from_millis(10);
    let window = section.within("window", default.window, shortest..=seconds(24 * HOUR));
    let looks = section.within("looks", default.looks, 1..=100);
    let when_not_found =
        section.one_of_or("when_not_found", &WHEN_NOT_FOUND, default.when_not_found);
    section.finish();
    Reconcile { window, looks, when_not_found }
}

/// The values of `when_not_found`, here and in rules.
pub const WHEN_NOT_FOUND: [(&str, WhenNotFound); 2] =
    [("retry", WhenNotFound::Retry), ("hold", WhenNotFound::Hold)];

/// The values of `severity_policy`, here and in rules.
pub const SEVERITY_POLICIES: [(&str, SeverityPolicy); 3] = [
    ("nearest_higher", SeverityPolicy::NearestHigher),
    ("nearest_lower", SeverityPolicy::NearestLower),
    ("exact", SeverityPolicy::Exact),
];

fn read_catalog(mut section: Section<'_>) -> Duration {
    let refresh =
        section.within("refresh", DEFAULT_CATALOG_REFRESH, seconds(60)..=seconds(7 * 24 * HOUR));
    section.finish();
    refresh
}

/// The default where nothing is said, nothing where it says `off`.
fn read_watch(vendor: &mut Section<'_>) -> Option<Watch> {
    let default = Watch::default();
    let Some(field) = vendor.field("watch") else { return Some(default) };
    if field.is_word("off") {
        return None;
    }
    let mut section = field.section()?;
    let shortest = Duration::from_millis(100);
    let fastest = section.optional_within("fastest", shortest..=seconds(HOUR));
    let slowest = section.optional_within("slowest", shortest..=seconds(24 * HOUR));
    // One that is left out must not contradict the other.
    let watch = match (fastest, slowest) {
        (Some(fastest), None) => Watch { fastest, slowest: default.slowest.max(fastest) },
        (None, Some(slowest)) => Watch { fastest: default.fastest.min(slowest), slowest },
        (Some(fastest), Some(slowest)) => Watch { fastest, slowest },
        (None, None) => default,
    };
    if watch.fastest > watch.slowest {
        section.error_at_key("fastest", "`watch.fastest` is longer than `watch.slowest`", "");
    }
    section.finish();
    Some(watch)
}

/// The page of a case.
fn read_case_url(vendor: &mut Section<'_>) -> Option<CasePage> {
    let Located { value, place } = vendor.optional::<Located<String>>("case_url")?;
    CasePage::parse(&value)
        .map_err(|why| {
            let message = format!("`case_url` is not the address of a case's page: {why}");
            let hint = "such as `case_url: https://desk.example.com/cases/{case}`";
            vendor.error_at(place, message, hint);
        })
        .ok()
}

/// Constants only: a template that fails must not stand behind another one.
fn read_fallback(mut section: Section<'_>, allow_billable: bool) -> Option<Fallback> {
    let category = if section.has("category") {
        section.one_of("category", &CATEGORIES)
    } else {
        section.field("category");
        Some(Category::Technical)
    };
    let read = choices::read::<Located<String>>(&mut section, "category", category);
    choices::refuse_billable(&section, category, allow_billable);
    let mut choices = Choices::default();
    for (field, Located { value, place }) in read {
        if value.trim().is_empty() || value.contains("{{") {
            let message = format!("`{field}` of a fallback is a name as the vendor offers it");
            section.error_at(place, message, "it is the same for every alert, and no template");
        } else {
            *field.of_mut(&mut choices) = Some(value.trim().to_owned());
        }
    }
    section.finish();
    Some(Fallback { category: category?, choices })
}

fn read_breaker(mut section: Section<'_>) -> Breaker {
    let default = Breaker::default();
    let failures = section.within("failures", default.failures, 1..=20);
    let shortest = Duration::from_millis(10);
    let pause = section.within("pause", default.pause, shortest..=seconds(HOUR));
    let max_pause = section.within("max_pause", default.max_pause, shortest..=seconds(HOUR));
    if pause > max_pause {
        let message = "`breaker.pause` is longer than `breaker.max_pause`";
        section.error_at_key(if section.has("pause") { "pause" } else { "max_pause" }, message, "");
    }
    section.finish();
    Breaker { failures, pause, max_pause }
}

fn read_rate(mut section: Section<'_>) -> Rate {
    let default = Rate::default();
    let per_second = section.within("per_second", default.per_second, 0.2..=1000.0);
    let burst = section.within("burst", default.burst, 1..=1000);
    section.finish();
    Rate { per_second, burst }
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for every kind")]
fn sandbox(section: &mut Section<'_>) -> Option<VendorKind> {
    Some(VendorKind::Sandbox {
        state: section.optional("state"),
        listen: section.optional("listen"),
    })
}

fn akamai(section: &mut Section<'_>) -> Option<VendorKind> {
    let edgerc = section.optional("edgerc");
    let name = section.with_default("section", "default".to_owned());
    let base_url = section.optional::<Located<Url>>("base_url").map(|url| check_url(section, url));
    let tried = section.has("credentials");
    let credentials = section.section("credentials").and_then(read_credentials);
    let scopes = [("mine", ListScope::Mine), ("all", ListScope::All)];
    let list_scope = section.one_of_or("list_scope", &scopes, ListScope::Mine);
    if tried && section.has("edgerc") {
        let message = "`credentials` and `edgerc` exclude each other";
        section.error_at_key("credentials", message, "keep one of them");
    }
    if tried && !section.has("base_url") {
        section.error_at_key(
            "credentials",
            "`credentials` needs `base_url`",
            "add the host of the API client: `base_url: https://akab-….luna.akamaiapis.net`",
        );
    }
    if tried && credentials.is_none() {
        return None;
    }
    Some(VendorKind::Akamai { edgerc, section: name, base_url, credentials, list_scope })
}

fn check_url(section: &Section<'_>, url: Located<Url>) -> Url {
    if !matches!(url.value.path(), "" | "/") {
        let message = "`base_url` must be a host only";
        section.error_at(url.place.clone(), message, "remove what stands after the host");
    }
    check_base(section, url)
}

/// Reports an address below which nothing can be asked for, or to which no secret may go.
pub(super) fn check_base(section: &Section<'_>, url: Located<Url>) -> Url {
    let Located { value: url, place } = url;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    if url.query().is_some() || url.fragment().is_some() {
        let message = "`base_url` must have no query and no fragment";
        section.error_at(place, message, "remove what stands after `?` or `#`");
    } else if url.scheme() == "http" && !loopback {
        let message = "plain http is accepted only for a loopback address";
        section.error_at(place, message, "use `https://`");
    } else if !matches!(url.scheme(), "http" | "https") {
        section.error_at(place, "`base_url` must start with `https://`", "");
    }
    url
}

fn read_credentials(mut section: Section<'_>) -> Option<Credentials> {
    let client_token = section.secret("client_token");
    let client_secret = section.secret("client_secret");
    let access_token = section.secret("access_token");
    section.finish();
    Some(Credentials {
        client_token: client_token?,
        client_secret: client_secret?,
        access_token: access_token?,
    })
}
