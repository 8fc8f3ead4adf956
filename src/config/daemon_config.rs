//! The daemon's own file, `casewright.yaml`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::draft::Fallback;
use crate::domain::ids::{SourceName, VendorName};
use crate::domain::policy::Limit;
use crate::domain::redaction::Redaction;
use crate::domain::retention::Retention;
use crate::domain::schedule::Schedule;
use crate::domain::severity::SeverityPolicy;
use crate::domain::telling::Telling;

use super::access::{self, AccessConfig};
use super::decode::{Field, Located, Section, quote};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use super::fetch::{self, FetchConfig};
use super::interpolate::Lookup;
use super::limit;
use super::redact;
use super::source_config::{self, SourceConfig};
use super::source_file::Holds;
use super::source_file::Place;
use super::tell_config::{self, NotifyConfig};
use super::vendor_config::{self, VendorConfig};

/// Everything that the daemon's own file says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens, and its limits.
    pub server: ServerConfig,
    /// Who may come in at the admin listener, beside whoever may read the database.
    pub access: AccessConfig,
    /// Where it remembers.
    pub store: StoreConfig,
    /// Patterns of rule files, resolved.
    pub rules: Vec<String>,
    /// The folder of template files.
    pub templates: PathBuf,
    /// Who may post webhooks. Names are unique.
    pub sources: Vec<SourceConfig>,
    /// Where cases are opened. Names are unique.
    pub vendors: Vec<VendorConfig>,
    /// The case budget of all rules together.
    pub limits: Option<Limit>,
    /// Times in which all rules are muted.
    pub mute: Option<Arc<Schedule>>,
    /// The webhooks that are told what happens to cases. Names are unique.
    pub notify: Vec<NotifyConfig>,
    /// What must not leave, whatever the rule.
    pub redaction: Redaction,
    /// Where files may be fetched from.
    pub fetch: Arc<FetchConfig>,
}

/// Where the daemon listens, and the limits of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerConfig {
    /// For webhooks.
    pub listen: SocketAddr,
    /// For the console, the API, metrics and health: a loopback address, unless the file says that
    /// another is wanted without TLS.
    pub admin_listen: SocketAddr,
    /// Connections at the same time.
    pub max_connections: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// Whether files that change are read anew by themselves.
    pub reload_on_change: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            admin_listen: (Ipv4Addr::LOCALHOST, 8081).into(),
            max_connections: 1024,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(15),
            reload_on_change: true,
        }
    }
}

/// Where the daemon remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The database file.
    pub sqlite: PathBuf,
    /// How long it remembers what is over.
    pub retention: Retention,
}

/// What rule files need to know of the daemon's own file. It is there even where that file has
/// errors, so that one check shows the mistakes of all files.
#[derive(Debug, Clone, Default)]
pub struct RuleInputs {
    /// The rule files that the patterns match, in order.
    pub files: Vec<PathBuf>,
    /// The vendors that rules may name.
    pub vendors: Vec<KnownVendor>,
    /// Whether these are all vendors: every one of them could be read.
    pub vendors_complete: bool,
    /// Who is told what happens to cases.
    pub tell: Arc<Telling>,
}

/// A vendor as far as rules need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVendor {
    /// Its name.
    pub name: VendorName,
    /// Whether rules may open cases that it bills.
    pub allow_billable: bool,
    /// What becomes of a rank that a product does not have, unless the rule says otherwise.
    pub severity_policy: SeverityPolicy,
    /// What a case is filed as where it does not offer what the rule says.
    pub fallback: Option<Arc<Fallback>>,
}

impl KnownVendor {
    /// A vendor with the defaults.
    pub fn named(name: impl Into<VendorName>) -> Self {
        Self {
            name: name.into(),
            allow_billable: false,
            severity_policy: SeverityPolicy::default(),
            fallback: None,
        }
    }
}

/// What reading the daemon's own file has led to.
#[derive(Debug, Default)]
pub struct Checked {
    /// The config; `None` if there is any error.
    pub config: Option<Config>,
    /// What the rule files need.
    pub rules: RuleInputs,
    /// The listeners, also where the rest of the file has errors: who talks to the daemon needs no
    /// more.
    pub server: ServerConfig,
    /// The first token that stands in the file in clear: the command line may show it.
    pub admin_token: Option<SecretString>,
    /// Where the store is, also where the rest of the file has errors: a backup needs no more.
    pub store: Option<StoreConfig>,
    /// The folder of templates, also where the rest of the file has errors.
    pub templates: Option<PathBuf>,
    /// Where each vendor stands in the file, for mistakes that show only when its credentials are
    /// looked for.
    pub vendor_places: BTreeMap<VendorName, Place>,
    /// Everything that is wrong.
    pub diagnostics: Diagnostics,
}

impl Config {
    /// Reads the file. There is a config only if there is no error.
    pub fn load(path: &Path, env: Lookup<'_>) -> (Option<Self>, Diagnostics) {
        let checked = Self::check(path, env);
        (checked.config, checked.diagnostics)
    }

    /// As [`Self::load`], and tells what is needed to check the rule files as well.
    pub fn check(path: &Path, env: Lookup<'_>) -> Checked {
        Self::read(Document::open(path, Holds::Secrets, env))
    }

    /// The source that a request to `/webhooks/{name}` is for.
    pub fn source(&self, name: &SourceName) -> Option<&SourceConfig> {
        self.sources.iter().find(|source| source.name == *name)
    }

    /// The vendor of that name.
    pub fn vendor(&self, name: &VendorName) -> Option<&VendorConfig> {
        self.vendors.iter().find(|vendor| vendor.name == *name)
    }

    pub(super) fn read(document: Document<'_>) -> Checked {
        let mut checked = Checked::default();
        let config = document.root().and_then(|root| read_root(root, &mut checked));
        checked.diagnostics = document.into_diagnostics();
        checked.config = config.filter(|_| !checked.diagnostics.has_errors());
        checked
    }
}

fn read_root(mut root: Section<'_>, checked: &mut Checked) -> Option<Config> {
    let inputs = &mut checked.rules;
    let (server, access, token) = root.section("server").map(read_server).unwrap_or_default();
    checked.server = server;
    checked.admin_token = token;
    let store = match root.section_like("store", "store: { sqlite: casewright.db }") {
        Some(section) => read_store(section),
        None => {
            if !root.has("store") && !root.misnamed("store") {
                let hint = "add `store: { sqlite: casewright.db }`";
                root.error(format!("{} needs `store`", root.name()), hint);
            }
            None
        }
    };
    checked.store.clone_from(&store);
    let rules = read_rules(&mut root, inputs);
    let templates = match root.field("templates") {
        Some(field) => read_templates(&field),
        None => Some(root.place().file.folder().join("templates")),
    };
    checked.templates.clone_from(&templates);
    let sources = unique(&mut root, "sources", source_config::read, |source| source.name.as_str());
    let sources: Vec<SourceConfig> = sources.into_iter().map(|source| source.value).collect();
    let vendors = unique(&mut root, "vendors", vendor_config::read, |vendor| vendor.name.as_str());
    checked.vendor_places =
        vendors.iter().map(|vendor| (vendor.value.name.clone(), vendor.place.clone())).collect();
    let vendors: Vec<VendorConfig> = vendors.into_iter().map(|vendor| vendor.value).collect();
    let limits = read_limits(&mut root);
    let mute = root.optional("mute").map(Arc::new);
    let notify = read_notify(&mut root);
    inputs.tell = Arc::new(tell_config::telling(&sources, &notify));
    let redaction = redact::read(&mut root).unwrap_or_default();
    let example = "fetch: { allow: [{ host: grafana.example.com }] }";
    let fetch = Arc::new(root.section_like("fetch", example).map(fetch::read).unwrap_or_default());
    inputs.vendors = vendors
        .iter()
        .map(|vendor| KnownVendor {
            name: vendor.name.clone(),
            allow_billable: vendor.allow_billable,
            severity_policy: vendor.severity_policy,
            fallback: vendor.fallback.clone(),
        })
        .collect();
    inputs.vendors_complete =
        !vendors.is_empty() && vendors.len() == root.sections("vendors").len();
    root.finish();
    Some(Config {
        server,
        access,
        store: store?,
        rules,
        templates: templates?,
        sources,
        vendors,
        limits,
        mute,
        notify,
        redaction,
        fetch,
    })
}

fn read_notify(root: &mut Section<'_>) -> Vec<NotifyConfig> {
    if root.field("notify").is_none() {
        return Vec::new();
    }
    let read = unique(root, "notify", tell_config::read_notify, |webhook| webhook.name.as_str());
    read.into_iter().map(|webhook| webhook.value).collect()
}

/// The budget of all rules together: the default where the file names none, nothing where it says
/// `off`.
fn read_limits(root: &mut Section<'_>) -> Option<Limit> {
    let Some(field) = root.field("limits") else { return Some(Limit::DEFAULT) };
    if field.is_word("off") {
        return None;
    }
    field.section().and_then(limit::read)
}

fn read_server(mut section: Section<'_>) -> (ServerConfig, AccessConfig, Option<SecretString>) {
    let default = ServerConfig::default();
    let listen = section.with_default("listen", default.listen);
    let admin = section.optional::<Located<SocketAddr>>("admin_listen");
    let second = Duration::from_secs(1);
    let longest = Duration::from_secs(300);
    let max_connections = section.within("max_connections", default.max_connections, 1..=65_536);
    let header_timeout = section.within("header_timeout", default.header_timeout, second..=longest);
    let body_timeout = section.within("body_timeout", default.body_timeout, second..=longest);
    let reload_on_change = section.with_default("reload_on_change", default.reload_on_change);
    let without_tls = section.with_default("admin_without_tls", false);
    let (access, token) = access::read(&mut section);
    if let Some(Located { value, place }) = &admin {
        let is_here = value.ip().is_loopback();
        if !is_here && !without_tls {
            section.error_at(
                place.clone(),
                "the admin listener speaks no TLS and shows metrics to everybody, so it stays on this machine unless you say otherwise",
                "listen on `127.0.0.1:8081` and put a proxy with TLS in front of it; or, where something else encrypts or the network is yours alone, add `admin_without_tls: true`",
            );
        } else if !is_here && access.tokens.is_empty() && access.proxy.is_none() {
            section.error_at(
                place.clone(),
                "nobody from another machine could be let in at this address",
                "add `admin_tokens` (`casewright token new` makes one) or `trusted_proxy`, or listen on `127.0.0.1:8081`",
            );
        } else if *value == listen && value.port() != 0 {
            let message = "`server.admin_listen` and `server.listen` are the same address";
            section.error_at(place.clone(), message, "webhooks and administration stay apart");
        }
    }
    section.finish();
    let admin_listen = admin.map_or(default.admin_listen, |admin| admin.value);
    let server = ServerConfig {
        listen,
        admin_listen,
        max_connections,
        header_timeout,
        body_timeout,
        reload_on_change,
    };
    (server, access, token)
}

fn read_store(mut section: Section<'_>) -> Option<StoreConfig> {
    section.reject(
        "postgres",
        "PostgreSQL is not supported by this version",
        "use `sqlite: casewright.db`",
    );
    let sqlite = if section.has("postgres") {
        section.optional("sqlite")
    } else {
        section.required("sqlite")
    };
    let retention = section.section("retention").map(read_retention).unwrap_or_default();
    section.finish();
    Some(StoreConfig { sqlite: sqlite?, retention })
}

fn read_retention(mut section: Section<'_>) -> Retention {
    let default = Retention::default();
    let mut within = |key, default, least| section.within(key, default, least..=Retention::MAX);
    let retention = Retention {
        deliveries: within("deliveries", default.deliveries, Retention::MIN_DELIVERIES),
        attempts: within("attempts", default.attempts, Retention::MIN_ATTEMPTS),
        incidents: within("incidents", default.incidents, Retention::MIN_INCIDENTS),
        audit: within("audit", default.audit, Retention::MIN_AUDIT),
    };
    section.finish();
    retention
}

/// Reads the folder of templates; Alertmanager has a list of patterns there.
fn read_templates(field: &Field<'_>) -> Option<PathBuf> {
    const HINT: &str = "name the folder that holds them, such as `templates: templates`";
    if field.is_list() {
        field.expected("a folder", HINT);
        return None;
    }
    let text: String = field.decode()?;
    if text.contains('*') {
        field.error("`templates` is a folder, not a pattern", HINT);
        return None;
    }
    field.decode()
}

/// Reads the patterns of rule files, and finds the files.
fn read_rules(root: &mut Section<'_>, inputs: &mut RuleInputs) -> Vec<String> {
    const HINT: &str = "name the rule files, such as `rules: [rules/*.yaml]`";
    let Some(field) = root.field("rules") else {
        // Keys of Prometheus lead here by way of another key, which every file has.
        if root.has("rule_files") && root.misnamed("sources") {
            return Vec::new();
        }
        root.error_at_key("rules", format!("{} needs `rules`", root.name()), HINT);
        return Vec::new();
    };
    let items = field.one_or_many();
    if items.is_empty() {
        field.error("`rules` names no file", HINT);
    }
    items.iter().filter_map(|item| read_pattern(item, &mut inputs.files)).collect()
}

fn read_pattern(field: &Field<'_>, files: &mut Vec<PathBuf>) -> Option<String> {
    let text: String = field.decode()?;
    // The folder's own name is no pattern, even if it has a `*` or `[` in it.
    let folder = field.place().file.folder().to_string_lossy().into_owned();
    let pattern = if Path::new(&text).is_absolute() || folder.is_empty() {
        text.clone()
    } else {
        format!("{}/{text}", glob::Pattern::escape(folder.trim_end_matches('/')))
    };
    let found = match glob::glob(&pattern) {
        Ok(found) => found,
        Err(error) => {
            field.error(format!("{} is not a pattern: {}", field.quoted(), error.msg), "");
            return None;
        }
    };
    // Folders that may not be read are skipped like files that do not match.
    // Tests of rules stand beside them.
    let mut matched: Vec<PathBuf> =
        found.flatten().filter(|path| !path.is_dir() && !is_rule_test(path)).collect();
    matched.sort();
    if matched.is_empty() {
        let message = format!("no file matches {}", field.quoted());
        if text.contains(['*', '?', '[']) {
            field.warning(message, "no rule comes from here");
        } else if is_rule_test(Path::new(&text)) {
            let hint = "a file with this ending holds tests of rules: rules go into another";
            field.error(format!("{} is no rule file", field.quoted()), hint);
        } else {
            field.error(message, "paths are relative to the folder of this file");
        }
    }
    for path in matched {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    Some(pattern)
}

/// Whether a file holds tests of rules, not rules: `*.test.yaml` or `*.test.yml`.
pub fn is_rule_test(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Reads a list of things with unique names; at least one must be there.
fn unique<T>(
    root: &mut Section<'_>,
    key: &str,
    read: fn(Section<'_>) -> Option<Located<T>>,
    name: fn(&T) -> &str,
) -> Vec<Located<T>> {
    if root.field(key).is_none() {
        root.error_at_key(key, format!("{} needs `{key}`", root.name()), "");
        return Vec::new();
    }
    root.reject_empty_list(key);
    let sections = root.sections(key);
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut things = Vec::new();
    for Located { value, place } in sections.into_iter().filter_map(read) {
        if let Some(first) = lines.get(name(&value)) {
            let message = format!("the name {} stands in `{key}` twice", quote(name(&value)));
            let hint = format!("the first is in line {first}: give this one another name");
            root.reader().report(Diagnostic::error(place, message).hint(hint));
            continue;
        }
        lines.insert(name(&value).to_owned(), place.start().line);
        things.push(Located { value, place });
    }
    things
}
