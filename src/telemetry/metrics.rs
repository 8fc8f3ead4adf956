//! Every number that Casewright exports, in one place; nothing here is global.
//!
//! Label values come from the config or from the code, never from a sender: the name of an unknown
//! source becomes [`UNKNOWN_SOURCE`]. So the number of series is bounded by the config.
//!
//! Counters are counted where things happen. Gauges that the store knows (incidents, actions, the
//! outbox) are read from it at each scrape and handed in as a [`Snapshot`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::alarms;
use crate::domain::ids::{RuleName, SourceName, VendorName};

/// The content type of [`Metrics::encode`]: OpenMetrics, which Prometheus reads since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label value for a source that is not configured. No configured name has parentheses.
pub const UNKNOWN_SOURCE: &str = "(unknown)";

/// Why a delivery was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No such source.
    UnknownSource,
    /// Not a POST.
    Method,
    /// No credential.
    Unauthenticated,
    /// A wrong credential.
    WrongCredential,
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is compressed.
    Encoding,
    /// The body is not declared to be JSON.
    ContentType,
    /// The connection broke within the body.
    Broken,
    /// Authentic, but it makes no sense.
    Unusable,
    /// The daemon could not take it just now.
    Overloaded,
    /// A defect of Casewright.
    Internal,
}

impl Rejection {
    /// All that a source that is known can be refused for.
    const OF_A_SOURCE: [Self; 11] = [
        Self::Method,
        Self::Unauthenticated,
        Self::WrongCredential,
        Self::TooLarge,
        Self::TooSlow,
        Self::Encoding,
        Self::ContentType,
        Self::Broken,
        Self::Unusable,
        Self::Overloaded,
        Self::Internal,
    ];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::Method => "method",
            Self::Unauthenticated => "unauthenticated",
            Self::WrongCredential => "wrong_credential",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Encoding => "encoding",
            Self::ContentType => "content_type",
            Self::Broken => "broken",
            Self::Unusable => "unusable",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }
}

/// What was asked of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminCall {
    /// Something, by somebody who was not let in.
    Any,
    /// That an action is tried again, after a look at the vendor's records.
    RetryLook,
    /// That an action is sent again.
    RetrySend,
    /// That a vendor is probed at once.
    Resume,
    /// That the files are read anew.
    Reload,
    /// That the case of an incident is opened.
    Approve,
    /// That no case of an incident is opened.
    Reject,
    /// That nothing is opened for some time.
    Mute,
    /// That a mute ends.
    Unmute,
    /// That catalogs are read.
    Sync,
    /// That a delivery is taken in once more.
    Replay,
    /// That a draft is edited.
    EditDraft,
    /// That a vendor is left alone.
    Pause,
    /// To be let in by a browser.
    Login,
    /// To be let in no more.
    Logout,
}

impl AdminCall {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::RetryLook => "retry_look",
            Self::RetrySend => "retry_send",
            Self::Resume => "resume",
            Self::Reload => "reload",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Sync => "sync",
            Self::Replay => "replay",
            Self::EditDraft => "edit_draft",
            Self::Pause => "pause",
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertResult {
    /// A rule owns it.
    Matched,
    /// No rule matched it.
    Unmatched,
    /// A rule said to ignore it.
    Ignored,
}

impl AlertResult {
    const ALL: [Self; 3] = [Self::Matched, Self::Unmatched, Self::Ignored];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Ignored => "ignored",
        }
    }
}

/// What the store knows at the moment of a scrape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// How many incidents are in each state.
    pub incidents: Vec<(&'static str, u64)>,
    /// How many held incidents there are of each hold.
    pub held: Vec<(&'static str, u64)>,
    /// How many actions of each kind are in each state: `(kind, state, count)`.
    pub actions: Vec<(&'static str, &'static str, u64)>,
    /// How many actions are waiting or under way.
    pub outbox_depth: u64,
    /// How long the oldest due action has been due; zero if none is.
    pub outbox_oldest: Duration,
    /// How each vendor stands.
    pub vendors: Vec<VendorStanding>,
    /// How many cases of each vendor have each status there: `(vendor, status, count)`.
    pub cases: Vec<(VendorName, &'static str, u64)>,
    /// On how many cases each vendor waits for us.
    pub waiting_for_us: Vec<(VendorName, u64)>,
}

/// How a vendor stands at the moment of a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorStanding {
    /// Its configured name.
    pub vendor: VendorName,
    /// Each state of its gate, and whether it is in it.
    pub states: Vec<(&'static str, bool)>,
    /// Its clock minus ours in microseconds, where it is known.
    pub skew_micros: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceFate {
    source: String,
    fate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceReason {
    source: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceResult {
    source: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindOutcome {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindState {
    kind: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HoldName {
    hold: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VendorOperation {
    vendor: String,
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VendorState {
    vendor: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VendorStatus {
    vendor: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Vendor {
    vendor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rule {
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Table {
    table: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallResult {
    call: &'static str,
    result: &'static str,
}

type Histograms = Family<VendorOperation, Histogram, fn() -> Histogram>;

/// The metrics of one daemon. Made once, shared by `Arc`.
pub struct Metrics {
    registry: Mutex<Registry>,
    sources: RwLock<HashSet<String>>,
    deliveries_received: Family<SourceFate, Counter>,
    deliveries_rejected: Family<SourceReason, Counter>,
    alerts: Family<SourceResult, Counter>,
    actions_total: Family<KindOutcome, Counter>,
    attempt_seconds: Histograms,
    commit_seconds: Histogram,
    template_failures: Family<Rule, Counter>,
    alarms: Family<Reason, Counter>,
    fallbacks: Family<Rule, Counter>,
    not_offered: Family<Rule, Gauge>,
    catalog_read_at: Family<Vendor, Gauge<f64, std::sync::atomic::AtomicU64>>,
    pruned_rows: Family<Table, Counter>,
    admin_calls: Family<CallResult, Counter>,
    csp_reports: Counter,
    reload_successful: Gauge,
    reloaded_at: Gauge<f64, std::sync::atomic::AtomicU64>,
    incidents: Family<State, Gauge>,
    held: Family<HoldName, Gauge>,
    actions: Family<KindState, Gauge>,
    outbox_depth: Gauge<f64, std::sync::atomic::AtomicU64>,
    outbox_oldest: Gauge<f64, std::sync::atomic::AtomicU64>,
    vendor_states: Family<VendorState, Gauge>,
    vendor_skew: Family<Vendor, Gauge<f64, std::sync::atomic::AtomicU64>>,
    cases: Family<VendorStatus, Gauge>,
    waiting_for_us: Family<Vendor, Gauge>,
    watched_at: Family<Vendor, Gauge<f64, std::sync::atomic::AtomicU64>>,
    first_response: Family<Vendor, Histogram, fn() -> Histogram>,
    vendor_comments: Family<Vendor, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// From a cached answer to the longest vendor timeout.
fn attempt_buckets() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

/// From one fsync to a disk that is about to fail.
fn commit_buckets() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0])
}

/// From five minutes to two days: what support contracts promise lies between.
fn response_buckets() -> Histogram {
    Histogram::new([300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0])
}

impl Metrics {
    /// All metrics at zero. `sources` are the names that may become label values.
    pub fn new(sources: &[SourceName]) -> Self {
        let mut registry = Registry::with_prefix("casewright");
        let metrics = Self {
            sources: RwLock::new(sources.iter().map(|name| name.as_str().to_owned()).collect()),
            deliveries_received: Family::default(),
            deliveries_rejected: Family::default(),
            alerts: Family::default(),
            actions_total: Family::default(),
            attempt_seconds: Family::new_with_constructor(attempt_buckets),
            commit_seconds: commit_buckets(),
            template_failures: Family::default(),
            alarms: Family::default(),
            fallbacks: Family::default(),
            not_offered: Family::default(),
            catalog_read_at: Family::default(),
            pruned_rows: Family::default(),
            admin_calls: Family::default(),
            csp_reports: Counter::default(),
            reload_successful: Gauge::default(),
            reloaded_at: Gauge::default(),
            incidents: Family::default(),
            held: Family::default(),
            actions: Family::default(),
            outbox_depth: Gauge::default(),
            outbox_oldest: Gauge::default(),
            vendor_states: Family::default(),
            vendor_skew: Family::default(),
            cases: Family::default(),
            waiting_for_us: Family::default(),
            watched_at: Family::default(),
            first_response: Family::new_with_constructor(response_buckets),
            vendor_comments: Family::default(),
            registry: Mutex::new(Registry::default()),
        };
        // The encoder adds `_total` to counters, `_info` to infos and the unit to the name, and a
        // full stop to the help text.
        registry.register(
            "deliveries_received",
            "Webhook deliveries acknowledged, by what became of them",
            metrics.deliveries_received.clone(),
        );
        registry.register(
            "deliveries_rejected",
            "Webhook requests refused, by reason",
            metrics.deliveries_rejected.clone(),
        );
        registry.register(
            "alerts",
            "Alerts received, by whether a rule owns them",
            metrics.alerts.clone(),
        );
        registry.register("incidents", "Incidents, by state", metrics.incidents.clone());
        registry.register(
            "incidents_held",
            "Incidents that fire and may not have their case yet, by what holds them",
            metrics.held.clone(),
        );
        registry.register(
            "actions",
            "Attempts of actions at a vendor, by outcome",
            metrics.actions_total.clone(),
        );
        registry.register(
            "outbox_actions",
            "Actions in the outbox, by kind and state",
            metrics.actions.clone(),
        );
        registry.register_with_unit(
            "attempt_duration",
            "How long the vendor took to answer an attempt",
            Unit::Seconds,
            metrics.attempt_seconds.clone(),
        );
        registry.register_with_unit(
            "commit_duration",
            "How long the store took to commit a transaction",
            Unit::Seconds,
            metrics.commit_seconds.clone(),
        );
        registry.register(
            "outbox_depth",
            "Actions that wait or are under way",
            metrics.outbox_depth.clone(),
        );
        registry.register_with_unit(
            "outbox_oldest",
            "How long the oldest due action has been due",
            Unit::Seconds,
            metrics.outbox_oldest.clone(),
        );
        registry.register(
            "vendor_state",
            "1 for the state that a vendor is in: open, paused (by its own wish), tripped (it fails) or denied (it does not accept who we are)",
            metrics.vendor_states.clone(),
        );
        registry.register_with_unit(
            "vendor_clock_skew",
            "The vendor's clock minus ours, as its answers tell",
            Unit::Seconds,
            metrics.vendor_skew.clone(),
        );
        registry.register(
            "cases",
            "Cases that are kept, by the status that their vendor says",
            metrics.cases.clone(),
        );
        registry.register(
            "cases_waiting_for_us",
            "Cases on which the vendor waits for an answer",
            metrics.waiting_for_us.clone(),
        );
        registry.register_with_unit(
            "cases_watched_timestamp",
            "When a vendor was last asked about all of its open cases",
            Unit::Seconds,
            metrics.watched_at.clone(),
        );
        registry.register_with_unit(
            "case_first_response",
            "How long the vendor took to answer a case first, as it says",
            Unit::Seconds,
            metrics.first_response.clone(),
        );
        registry.register(
            "vendor_comments",
            "Comments on cases that are not ours",
            metrics.vendor_comments.clone(),
        );
        registry.register(
            "template_failures",
            "Templates that failed, so that the built-in one was used",
            metrics.template_failures.clone(),
        );
        registry.register(
            "alarms",
            "Things that a person must look at, by reason",
            metrics.alarms.clone(),
        );
        registry.register(
            "fallback_drafts",
            "Drafts that were filed as the vendor's fallback says, because what the rule asks for is not offered",
            metrics.fallbacks.clone(),
        );
        registry.register(
            "rule_not_offered",
            "How many things a rule asks for that its vendor does not offer",
            metrics.not_offered.clone(),
        );
        registry.register_with_unit(
            "catalog_read_timestamp",
            "When the catalog of a vendor was last read",
            Unit::Seconds,
            metrics.catalog_read_at.clone(),
        );
        registry.register(
            "pruned_rows",
            "Rows that nobody needed any more, removed from the store, by table",
            metrics.pruned_rows.clone(),
        );
        registry.register(
            "admin_calls",
            "What people and scripts asked of the admin listener, by what came of it",
            metrics.admin_calls.clone(),
        );
        registry.register(
            "csp_reports",
            "What browsers said of pages of the console that wanted something forbidden",
            metrics.csp_reports.clone(),
        );
        registry.register(
            "config_last_reload_successful",
            "Whether the files could be used when they were last read",
            metrics.reload_successful.clone(),
        );
        registry.register_with_unit(
            "config_last_reload_success_timestamp",
            "When the files in force were read",
            Unit::Seconds,
            metrics.reloaded_at.clone(),
        );
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let metrics = Self { registry: Mutex::new(registry), ..metrics };
        // What counts from its first time on is there at zero: Prometheus sees no increase in a
        // series that begins with one.
        for reason in alarms::REASONS {
            metrics.alarms.get_or_create(&Reason { reason }).inc_by(0);
        }
        let strangers = CallResult { call: AdminCall::Any.as_str(), result: "unauthenticated" };
        metrics.admin_calls.get_or_create(&strangers).inc_by(0);
        let unknown = SourceReason {
            source: UNKNOWN_SOURCE.to_owned(),
            reason: Rejection::UnknownSource.as_str(),
        };
        metrics.deliveries_rejected.get_or_create(&unknown).inc_by(0);
        metrics.begin_sources(sources);
        metrics
    }

    fn begin_sources<'a>(&self, sources: impl IntoIterator<Item = &'a SourceName>) {
        for source in sources {
            for result in AlertResult::ALL {
                self.alerts(source, result, 0);
            }
            for reason in Rejection::OF_A_SOURCE {
                let reason = reason.as_str();
                let source = source.as_str().to_owned();
                let labels = SourceReason { source, reason };
                self.deliveries_rejected.get_or_create(&labels).inc_by(0);
            }
        }
    }

    /// An authentic delivery was acknowledged with this fate.
    pub fn delivery_received(&self, source: &SourceName, fate: &'static str) {
        let source = self.source(source.as_str());
        self.deliveries_received.get_or_create(&SourceFate { source, fate }).inc();
    }

    /// A request to `/webhooks/{source}` was refused. The name may be anything.
    pub fn delivery_rejected(&self, source: &str, reason: Rejection) {
        let labels = SourceReason { source: self.source(source), reason: reason.as_str() };
        self.deliveries_rejected.get_or_create(&labels).inc();
    }

    /// So many alerts of a delivery met this result.
    pub fn alerts(&self, source: &SourceName, result: AlertResult, count: u64) {
        let labels = SourceResult { source: self.source(source.as_str()), result: result.as_str() };
        self.alerts.get_or_create(&labels).inc_by(count);
    }

    /// An attempt of an action had this outcome.
    pub fn action(&self, kind: &'static str, outcome: &'static str) {
        self.actions_total.get_or_create(&KindOutcome { kind, outcome }).inc();
    }

    /// A vendor took this long for one request.
    pub fn attempt(&self, vendor: &VendorName, operation: &'static str, took: Duration) {
        let labels = VendorOperation { vendor: vendor.as_str().to_owned(), operation };
        self.attempt_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// The store took this long for one commit.
    pub fn commit(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A rule's template failed and the built-in one was used.
    pub fn template_failure(&self, rule: &RuleName) {
        self.template_failures.get_or_create(&Rule { rule: rule.as_str().to_owned() }).inc();
    }

    /// Something happened that a person must look at: one of [`alarms::REASONS`].
    pub fn alarm(&self, reason: &'static str) {
        debug_assert!(alarms::REASONS.contains(&reason), "{reason} is not among the reasons");
        self.alarms.get_or_create(&Reason { reason }).inc();
    }

    /// How often a person was told of something, by its reason; without zeros.
    pub fn alarmed(&self) -> BTreeMap<&'static str, u64> {
        let told =
            |reason: &'static str| (reason, self.alarms.get_or_create(&Reason { reason }).get());
        alarms::REASONS.into_iter().map(told).filter(|(_, count)| *count > 0).collect()
    }

    /// Since when the files are in force, and whether they could be used when they were last read.
    pub fn files(&self) -> (Option<Timestamp>, bool) {
        let millis = self.reloaded_at.get() * 1e3;
        let since = Timestamp::from_millisecond(millis.round() as i64).ok();
        (since.filter(|_| millis > 0.0), self.reload_successful.get() == 1)
    }

    /// The draft of a rule's case was filed as the vendor's fallback says.
    pub fn fell_back(&self, rule: &RuleName) {
        self.fallbacks.get_or_create(&Rule { rule: rule.as_str().to_owned() }).inc();
    }

    /// How many things each rule asks for that its vendor does not offer; of every rule that there
    /// is, and of no other.
    pub fn not_offered<'a>(&self, by_rule: impl IntoIterator<Item = (&'a RuleName, u32)>) {
        let _no_scrape = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.not_offered.clear();
        for (rule, count) in by_rule {
            let labels = Rule { rule: rule.as_str().to_owned() };
            self.not_offered.get_or_create(&labels).set(count.into());
        }
    }

    /// The catalog of a vendor is that of `read_at`.
    pub fn catalog_read(&self, vendor: &VendorName, read_at: Timestamp) {
        let gauge = self.catalog_read_at.get_or_create(&Vendor { vendor: vendor.to_string() });
        // Exact to the millisecond.
        gauge.set(read_at.as_millisecond() as f64 / 1e3);
    }

    /// A vendor was asked about all of its open cases, at `now`.
    pub fn watched(&self, vendor: &VendorName, now: Timestamp) {
        let vendor = Vendor { vendor: vendor.to_string() };
        // Exact to the millisecond.
        self.watched_at.get_or_create(&vendor).set(now.as_millisecond() as f64 / 1e3);
        self.vendor_comments.get_or_create(&vendor).inc_by(0);
    }

    /// A vendor has answered a case for the first time, after so many minutes.
    pub fn first_response(&self, vendor: &VendorName, minutes: u32) {
        let histogram = self.first_response.get_or_create(&Vendor { vendor: vendor.to_string() });
        histogram.observe(f64::from(minutes) * 60.0);
    }

    /// Somebody has commented on a case.
    pub fn vendor_comment(&self, vendor: &VendorName) {
        self.vendor_comments.get_or_create(&Vendor { vendor: vendor.to_string() }).inc();
    }

    /// So many rows of a table of the store were removed.
    pub fn pruned(&self, table: &'static str, rows: u64) {
        self.pruned_rows.get_or_create(&Table { table }).inc_by(rows);
    }

    /// A browser says that a page of the console wanted something forbidden.
    pub fn csp_report(&self) {
        self.csp_reports.inc();
    }

    /// Somebody asked something of the admin listener.
    pub fn admin_call(&self, call: AdminCall, result: &'static str) {
        self.admin_calls.get_or_create(&CallResult { call: call.as_str(), result }).inc();
    }

    /// The files were read at `now`, and are in force from then on, with these rules that open cases.
    pub fn files_in_force<'a>(
        &self,
        now: Timestamp,
        rules: impl IntoIterator<Item = &'a RuleName>,
    ) {
        for rule in rules {
            let labels = Rule { rule: rule.as_str().to_owned() };
            self.template_failures.get_or_create(&labels).inc_by(0);
            self.fallbacks.get_or_create(&labels).inc_by(0);
        }
        self.reload_successful.set(1);
        // Exact to the millisecond.
        self.reloaded_at.set(now.as_millisecond() as f64 / 1e3);
    }

    /// The files were read, and cannot be used.
    pub fn files_refused(&self) {
        self.reload_successful.set(0);
    }

    /// These sources may become label values as well. Those that were known before stay: a
    /// delivery of theirs may still be under way.
    pub fn know_sources<'a>(&self, names: impl IntoIterator<Item = &'a SourceName>) {
        let names: Vec<&SourceName> = names.into_iter().collect();
        let known = names.iter().map(|name| name.as_str().to_owned());
        self.sources.write().unwrap_or_else(PoisonError::into_inner).extend(known);
        self.begin_sources(names);
    }

    /// Everything in the OpenMetrics text format. Without a snapshot (the store did not answer)
    /// the gauges that come from it are left out or `NaN`, rather than old or zero.
    pub fn encode(&self, snapshot: Option<&Snapshot>) -> Result<String, fmt::Error> {
        // *Invariant*: gauges are changed only under this lock, so that two scrapes at once never
        // see half a snapshot. A panic elsewhere cannot have left it half-changed for us.
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.incidents.clear();
        self.held.clear();
        self.actions.clear();
        self.vendor_states.clear();
        self.vendor_skew.clear();
        self.cases.clear();
        self.waiting_for_us.clear();
        self.outbox_depth.set(f64::NAN);
        self.outbox_oldest.set(f64::NAN);
        if let Some(snapshot) = snapshot {
            for (state, count) in &snapshot.incidents {
                self.incidents.get_or_create(&State { state }).set(signed(*count));
            }
            for (hold, count) in &snapshot.held {
                self.held.get_or_create(&HoldName { hold }).set(signed(*count));
            }
            for (kind, state, count) in &snapshot.actions {
                self.actions.get_or_create(&KindState { kind, state }).set(signed(*count));
            }
            for standing in &snapshot.vendors {
                let vendor = standing.vendor.as_str().to_owned();
                for (state, is_in_it) in &standing.states {
                    let labels = VendorState { vendor: vendor.clone(), state };
                    self.vendor_states.get_or_create(&labels).set(i64::from(*is_in_it));
                }
                if let Some(micros) = standing.skew_micros {
                    let skew = self.vendor_skew.get_or_create(&Vendor { vendor });
                    skew.set(micros as f64 / 1e6);
                }
            }
            for (vendor, status, count) in &snapshot.cases {
                let labels = VendorStatus { vendor: vendor.to_string(), status };
                self.cases.get_or_create(&labels).set(signed(*count));
            }
            for (vendor, count) in &snapshot.waiting_for_us {
                let labels = Vendor { vendor: vendor.to_string() };
                self.waiting_for_us.get_or_create(&labels).set(signed(*count));
            }
            // Exact below 2^53.
            self.outbox_depth.set(snapshot.outbox_depth as f64);
            self.outbox_oldest.set(snapshot.outbox_oldest.as_secs_f64());
        }
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }

    fn source(&self, name: &str) -> String {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(name).cloned().unwrap_or_else(|| UNKNOWN_SOURCE.to_owned())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&["am".into(), "pd".into()])
    }

    #[test]
    fn everything_is_exported_under_its_name() {
        let metrics = metrics();
        metrics.delivery_received(&"am".into(), "accepted");
        metrics.delivery_rejected("pd", Rejection::WrongCredential);
        metrics.alerts(&"am".into(), AlertResult::Matched, 3);
        metrics.action("open", "created");
        metrics.attempt(&"akamai".into(), "open", Duration::from_millis(300));
        metrics.commit(Duration::from_millis(2));
        metrics.template_failure(&"edge-5xx".into());
        metrics.alarm("several_cases");
        metrics.admin_call(AdminCall::Reload, "done");
        metrics
            .files_in_force(Timestamp::from_second(1_767_225_600).unwrap(), [&"edge-5xx".into()]);
        metrics.watched(&"akamai".into(), Timestamp::from_second(1_767_225_601).unwrap());
        metrics.first_response(&"akamai".into(), 20);
        metrics.vendor_comment(&"akamai".into());
        let text = metrics
            .encode(Some(&Snapshot {
                incidents: vec![("open", 4)],
                held: vec![("budget", 2)],
                actions: vec![("open", "due", 2)],
                outbox_depth: 2,
                outbox_oldest: Duration::from_millis(1500),
                vendors: vec![VendorStanding {
                    vendor: "akamai".into(),
                    states: vec![("open", false), ("tripped", true)],
                    skew_micros: Some(-2_500_000),
                }],
                cases: vec![("akamai".into(), "in_progress", 3)],
                waiting_for_us: vec![("akamai".into(), 1)],
            }))
            .unwrap();
        for line in [
            r#"casewright_deliveries_received_total{source="am",fate="accepted"} 1"#,
            r#"casewright_deliveries_rejected_total{source="pd",reason="wrong_credential"} 1"#,
            r#"casewright_alerts_total{source="am",result="matched"} 3"#,
            r#"casewright_incidents{state="open"} 4"#,
            r#"casewright_incidents_held{hold="budget"} 2"#,
            r#"casewright_actions_total{kind="open",outcome="created"} 1"#,
            r#"casewright_outbox_actions{kind="open",state="due"} 2"#,
            r#"casewright_attempt_duration_seconds_bucket{le="0.5",vendor="akamai",operation="open"} 1"#,
            r#"casewright_commit_duration_seconds_count 1"#,
            r#"casewright_outbox_depth 2.0"#,
            r#"casewright_outbox_oldest_seconds 1.5"#,
            r#"casewright_vendor_state{vendor="akamai",state="open"} 0"#,
            r#"casewright_vendor_state{vendor="akamai",state="tripped"} 1"#,
            r#"casewright_vendor_clock_skew_seconds{vendor="akamai"} -2.5"#,
            r#"casewright_cases{vendor="akamai",status="in_progress"} 3"#,
            r#"casewright_cases_waiting_for_us{vendor="akamai"} 1"#,
            r#"casewright_cases_watched_timestamp_seconds{vendor="akamai"} 1767225601.0"#,
            r#"casewright_case_first_response_seconds_bucket{le="900.0",vendor="akamai"} 0"#,
            r#"casewright_case_first_response_seconds_bucket{le="1800.0",vendor="akamai"} 1"#,
            r#"casewright_vendor_comments_total{vendor="akamai"} 1"#,
            r#"casewright_template_failures_total{rule="edge-5xx"} 1"#,
            r#"casewright_alarms_total{reason="several_cases"} 1"#,
            r#"casewright_admin_calls_total{call="reload",result="done"} 1"#,
            r#"casewright_config_last_reload_successful 1"#,
            r#"casewright_config_last_reload_success_timestamp_seconds 1767225600.0"#,
            concat!(r#"casewright_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// Or the first time would be no increase.
    #[test]
    fn what_is_watched_for_an_increase_is_there_before_it_happens() {
        let metrics = metrics();
        metrics.know_sources([&"new".into()]);
        metrics.files_in_force(Timestamp::UNIX_EPOCH, [&"edge-5xx".into()]);
        let text = metrics.encode(None).unwrap();
        let reasons = alarms::REASONS.map(|reason| format!("alarms_total{{reason=\"{reason}\"}}"));
        for series in [
            r#"alerts_total{source="new",result="unmatched"}"#,
            r#"deliveries_rejected_total{source="am",reason="wrong_credential"}"#,
            r#"deliveries_rejected_total{source="(unknown)",reason="unknown_source"}"#,
            r#"template_failures_total{rule="edge-5xx"}"#,
            r#"fallback_drafts_total{rule="edge-5xx"}"#,
            r#"admin_calls_total{call="any",result="unauthenticated"}"#,
        ]
        .into_iter()
        .chain(reasons.iter().map(String::as_str))
        {
            let line = format!("casewright_{series} 0");
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn unknown_sources_share_one_series() {
        let metrics = metrics();
        for name in ["a", "b\"} 1\ncasewright_forged 1", "c"] {
            metrics.delivery_rejected(name, Rejection::UnknownSource);
            metrics.delivery_received(&name.into(), "accepted");
        }
        let text = metrics.encode(None).unwrap();
        let series = r#"_rejected_total{source="(unknown)",reason="unknown_source"} 3"#;
        assert!(text.contains(series), "{text}");
        assert!(!text.contains("forged"));
    }

    #[test]
    fn files_that_cannot_be_used_leave_the_time_of_those_in_force() {
        let metrics = metrics();
        metrics.files_in_force(Timestamp::from_second(1_000).unwrap(), []);
        metrics.files_refused();
        let text = metrics.encode(None).unwrap();
        assert!(text.contains("config_last_reload_successful 0\n"), "{text}");
        assert!(text.contains("success_timestamp_seconds 1000.0\n"), "{text}");
    }

    #[test]
    fn a_source_that_came_with_a_reload_has_a_series_of_its_own() {
        let metrics = metrics();
        metrics.know_sources([&"new".into()]);
        for name in ["new", "am", "nobody"] {
            metrics.delivery_rejected(name, Rejection::Method);
        }
        let text = metrics.encode(None).unwrap();
        for name in ["new", "am", "(unknown)"] {
            assert!(text.contains(&format!("{{source=\"{name}\",reason=\"method\"}} 1")), "{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let metrics = metrics();
        metrics.template_failure(&"a\"b\\c\nd".into());
        let text = metrics.encode(None).unwrap();
        assert!(text.contains(r#"{rule="a\"b\\c\nd"} 1"#), "{text}");
    }

    #[test]
    fn gauges_of_an_old_snapshot_do_not_linger() {
        let metrics = metrics();
        let held = "state=\"held\"";
        let snapshot = Snapshot { incidents: vec![("held", 1)], ..Snapshot::default() };
        assert!(metrics.encode(Some(&snapshot)).unwrap().contains(held));
        assert!(!metrics.encode(Some(&Snapshot::default())).unwrap().contains(held));
        let without = metrics.encode(None).unwrap();
        assert!(!without.contains(held));
        assert!(without.contains("casewright_outbox_depth NaN"), "{without}");
    }
}
