//! From what was seen to what it means and what to do about it. Pure.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use super::super::words::shown;
use super::facts::{
    Asked, Coverage, Daemon, DaemonState, Facts, Files, LocalToken, Source, Store, Tokens, Told,
    Vendor,
};
use crate::config::diagnostic::counted;
use crate::domain::ids::VendorName;
use crate::rules::offered::Follows;
use crate::store::sqlite::{Database, FileSystem, Found, Place};
use crate::time::duration;
use crate::vendors::{CatalogError, OfferedAccount, Probe};

/// With less room than this a delivery may be refused at any moment.
const TOO_LITTLE_ROOM: u64 = 256 * MIB;
/// With less room than this somebody should look.
const LITTLE_ROOM: u64 = 1024 * MIB;
const MIB: u64 = 1024 * 1024;
/// A backup that is older than this is worth a new one.
const OLD_BACKUP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// From here on a clock is not kept by NTP.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(5);
/// A signature is good for 30 seconds.
const CLOCK_WRONG: SignedDuration = SignedDuration::from_secs(30);
/// What is told of single rules.
const RULES: &str = "rules";
/// So many accounts are named.
const NAMED: usize = 10;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) section: String,
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) message: String,
    /// What to do; there is one wherever the verdict is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// Whether it keeps every case of a vendor from being opened, and not only those of a rule.
    pub(super) fn bars(&self, vendor: &VendorName) -> bool {
        self.verdict == Verdict::Fail && self.check != RULES && self.section == of_vendor(vendor)
    }
}

/// The findings of one section, as they are made.
pub(super) struct Section<'a> {
    name: String,
    into: &'a mut Vec<Finding>,
}

impl<'a> Section<'a> {
    pub(super) fn new(name: impl Into<String>, into: &'a mut Vec<Finding>) -> Self {
        Self { name: name.into(), into }
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Verdict::Ok, message.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Warn, message.into(), Some(remedy.into()));
    }

    pub(super) fn fail(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Fail, message.into(), Some(remedy.into()));
    }

    /// Messages may hold what a vendor or a daemon wrote.
    fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        message: String,
        remedy: Option<String>,
    ) {
        let section = self.name.clone();
        let message = shown(&message);
        let remedy = remedy.map(|remedy| shown(&remedy));
        self.into.push(Finding { section, check, verdict, message, remedy });
    }
}

/// What follows from what was seen, in the order in which it is told.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let config = facts.files.config.display().to_string();
    about_files(&facts.files, &mut Section::new("files", &mut found));
    if let Some(store) = &facts.store {
        about_store(store, &config, &mut Section::new("store", &mut found));
    }
    if let Some(daemon) = &facts.daemon {
        about_daemon(daemon, &config, &mut Section::new("daemon", &mut found));
    }
    for vendor in &facts.vendors {
        about_vendor(vendor, &mut Section::new(of_vendor(&vendor.name), &mut found));
    }
    for told in &facts.told {
        about_told(told, &mut Section::new(format!("target {}", told.name), &mut found));
    }
    let real = facts.vendors.iter().any(|vendor| !vendor.simulated);
    if facts.files.usable.is_some() {
        about_sources(&facts.sources, real, &mut Section::new("sources", &mut found));
    }
    if let Some(tokens) = &facts.tokens {
        about_tokens(tokens, &mut Section::new("admin tokens", &mut found));
    }
    found
}

/// The section of a vendor.
fn of_vendor(vendor: &VendorName) -> String {
    format!("vendor {vendor}")
}

fn about_files(files: &Files, section: &mut Section<'_>) {
    let config = files.config.display();
    match &files.usable {
        Some(counts) => {
            let holds = format!(
                "{config} is good: {}, {}, {}",
                counted(counts.rules, "rule"),
                counted(counts.sources, "source"),
                counted(counts.vendors, "vendor"),
            );
            if files.warnings == 0 {
                section.ok("files", holds);
            } else {
                section.warn(
                    "files",
                    format!("{holds}; {}", counted(files.warnings, "warning")),
                    format!("read them: casewright check --config {config}"),
                );
            }
            if counts.rules == 0 {
                section.warn("rules", "there is no rule: no alert opens a case", "write one");
            }
        }
        None => section.fail(
            "files",
            format!("{config} cannot be used: {}", counted(files.errors, "error")),
            "mend what is told about each above; a variable that only the service has must be set \
             here, too",
        ),
    }
}

fn about_store(store: &Store, config: &str, section: &mut Section<'_>) {
    let condition = &store.condition;
    let path = condition.path.display();
    match condition.place {
        Place::Writable => section.ok("folder", format!("{path} can be written")),
        Place::Missing { can_be_made: true } => {
            section.ok("folder", format!("the folder of {path} is made at the first start"));
        }
        Place::Missing { can_be_made: false } => section.fail(
            "folder",
            format!("the folder of {path} is not there, and this user may not make it"),
            "make it, and give it to the user that runs casewright",
        ),
        Place::ReadOnly => section.fail(
            "folder",
            format!("{path} or its folder is read-only for this user"),
            "run this as the user that runs casewright; if it is the same, give both to that user",
        ),
        Place::IsFolder => section.fail(
            "folder",
            format!("{path} is a folder, not a file"),
            "set store.sqlite to the path of a file in it",
        ),
    }
    match condition.file_system {
        FileSystem::Local => section.ok("file system", "nothing is known against the file system"),
        FileSystem::Fuse => section.warn(
            "file system",
            "it is on a FUSE file system; if that reaches other machines, its locks cannot be \
             trusted",
            "move the store to a local disk",
        ),
        FileSystem::Network(kind) => section.fail(
            "file system",
            format!("it is on {kind}, which is shared over a network: the daemon does not start"),
            "set store.sqlite to a path on a local disk",
        ),
    }
    if let Some(free) = condition.free {
        about_room(free, section);
    }
    let used = match &condition.database {
        Database::Absent => {
            section.ok("database", "there is none yet; the first start makes it");
            false
        }
        Database::Unreadable(why) => {
            section.fail(
                "database",
                format!("{path} cannot be read: {why}"),
                "run this as the user that runs casewright; if it is the same, see \
                 `casewright store verify`, and restore a backup",
            );
            false
        }
        Database::Foreign => {
            section.fail(
                "database",
                format!("{path} is not a casewright store"),
                "set store.sqlite to another path",
            );
            false
        }
        Database::Ours(found) => {
            about_database(found, config, section);
            true
        }
    };
    if used {
        about_backups(store, config, section);
    }
}

fn about_room(free: u64, section: &mut Section<'_>) {
    let (room, needed) = (mib(free), mib(TOO_LITTLE_ROOM));
    let remedy = "make room on that disk, or set store.sqlite to a path on another one; see \
                  `store.retention`";
    if free < TOO_LITTLE_ROOM {
        let message = format!("only {room} are free, less than {needed}: alerts may be refused");
        section.fail("disk", message, remedy);
    } else if free < LITTLE_ROOM {
        let message = format!("only {room} are free, less than {}", mib(LITTLE_ROOM));
        section.warn("disk", message, remedy);
    } else {
        section.ok("disk", format!("{room} are free"));
    }
}

fn mib(bytes: u64) -> String {
    match bytes / MIB {
        mib if mib >= 10 * 1024 => format!("{} GiB", mib / 1024),
        mib => format!("{mib} MiB"),
    }
}

fn about_database(found: &Found, config: &str, section: &mut Section<'_>) {
    let Found { schema, known, .. } = found;
    if schema > known {
        section.fail(
            "schema",
            format!("it has schema {schema}, and this casewright knows up to {known}"),
            "use the newer casewright that wrote it",
        );
    } else if schema < known {
        section.warn(
            "schema",
            format!("it has schema {schema}; this casewright brings it to {known} at its start"),
            "make a backup before: there is no way back",
        );
    } else {
        section.ok("schema", format!("it has schema {schema}, the newest"));
    }
    let size = mib(found.bytes);
    match (&found.damage, found.in_use) {
        (Some(what), _) => section.fail(
            "integrity",
            format!("the database is damaged: {what}"),
            format!("stop the daemon, see `casewright store verify --config {config}`, and restore a backup"),
        ),
        (None, true) => section.ok(
            "integrity",
            format!("not looked at: a daemon uses it ({size}); `casewright store verify` looks all the same"),
        ),
        (None, false) => section.ok("integrity", format!("nothing is wrong with its structure ({size})")),
    }
}

fn about_backups(store: &Store, config: &str, section: &mut Section<'_>) {
    let folder = store.backups.display();
    let remedy = format!("casewright store backup FILE --config {config}");
    match store.backup_age {
        None => section.warn(
            "backup",
            format!("no backup is in {folder}"),
            format!("{remedy}; or name the folder where backups are with --backups"),
        ),
        Some(age) if age > OLD_BACKUP => section.warn(
            "backup",
            format!("the newest backup in {folder} is {} old", rough(age)),
            remedy,
        ),
        Some(age) => {
            section.ok("backup", format!("the newest in {folder} is {} old", rough(age)));
        }
    }
}

/// A duration as people say it: its two largest units are enough.
fn rough(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = age.as_secs();
    let unit = match seconds {
        DAY.. => HOUR,
        HOUR.. => MINUTE,
        _ => 1,
    };
    duration::format(Duration::from_secs(seconds - seconds % unit))
}

fn about_daemon(daemon: &Daemon, config: &str, section: &mut Section<'_>) {
    let address = daemon.address;
    match &daemon.state {
        DaemonState::Absent => section.warn(
            "daemon",
            format!("no daemon answers at {address}"),
            format!(
                "start it: casewright serve --config {config}; --address says where else it may be"
            ),
        ),
        DaemonState::Ready => section.ok("daemon", format!("it runs at {address}, and is ready")),
        DaemonState::NotReady(why) => section.fail(
            "daemon",
            format!("it runs at {address}, and takes no deliveries: {}", why.join("; ")),
            "see its log",
        ),
        DaemonState::Stranger(what) => section.fail(
            "daemon",
            format!("what answers at {address} is no casewright: {what}"),
            "set server.admin_listen to a port that nothing else uses",
        ),
    }
    for gate in &daemon.gates {
        let (vendor, state, why) = (&gate.vendor, &gate.state, &gate.why);
        let why = if why == "-" { String::new() } else { format!(": {why}") };
        match state.as_str() {
            "open" => section.ok("gate", format!("it sends to vendor {vendor}")),
            "paused" => section.warn(
                "gate",
                format!("vendor {vendor} asked to be left alone{why}"),
                "wait; `casewright vendors list` says until when",
            ),
            _ => section.fail(
                "gate",
                format!("it sends nothing to vendor {vendor}, which is {state}{why}"),
                format!(
                    "mend what is told of that vendor, then: casewright vendors resume {vendor}"
                ),
            ),
        }
    }
}

fn about_vendor(vendor: &Vendor, section: &mut Section<'_>) {
    if vendor.simulated {
        section.warn(
            "kind",
            "it is a simulation: no vendor hears of any case",
            "that is meant for trying; for real cases give it `kind: akamai` and credentials",
        );
    }
    match &vendor.credentials {
        Ok(()) if vendor.simulated => {}
        Ok(()) => section.ok("credentials", "they can be read"),
        Err(why) => section.fail(
            "credentials",
            format!("they cannot be used: {why}"),
            "mend them, and run this as the user that runs casewright",
        ),
    }
    if let Some(asked) = &vendor.asked {
        about_answers(asked, section);
    }
}

fn about_told(told: &Told, section: &mut Section<'_>) {
    match &told.probe {
        Ok(Probe::Up) => section.ok("answers", "it answers, and accepts the token"),
        Ok(Probe::Denied(evidence)) => section.fail(
            "answers",
            evidence.message.clone(),
            "make a key of the REST API that may write, and put it under `tell.api_token`",
        ),
        Ok(Probe::Down(evidence) | Probe::Throttled { evidence, .. }) => section.fail(
            "answers",
            evidence.message.clone(),
            "let this machine reach it over TCP, and compare `tell.base_url`; no case waits for it",
        ),
        Err(why) => section.fail("answers", why.clone(), "mend what it says under `tell`"),
    }
}

fn about_answers(asked: &Asked, section: &mut Section<'_>) {
    let host = &asked.host;
    if let Err(why) = &asked.resolved {
        section.fail(
            "host",
            format!("{host} has no address: {why}"),
            "compare the name with that in the credentials; look at the name servers and at the \
             network of this machine",
        );
        return;
    }
    match &asked.accounts {
        None => return,
        Some(Err(CatalogError::Unavailable { evidence, .. })) if evidence.status.is_none() => {
            section.fail(
                "host",
                format!("{host} does not answer: {}", evidence.message),
                "let this machine reach it over TCP: look at firewalls and routes",
            );
            return;
        }
        Some(_) => section.ok("host", format!("{host} answers")),
    }
    if let Some(clock) = asked.clock {
        about_clock(clock, section);
    }
    match &asked.accounts {
        Some(Ok(accounts)) => about_accounts(accounts.as_deref(), section),
        Some(Err(error)) => about_refusal(error, section),
        None => {}
    }
    if let Some(coverage) = &asked.coverage {
        about_coverage(coverage, section);
    }
}

fn about_clock(ahead: SignedDuration, section: &mut Section<'_>) {
    let side = if ahead.is_negative() { "ahead of" } else { "behind" };
    let off = rough(Duration::from_secs(ahead.unsigned_abs().as_secs()));
    let message = format!("this machine's clock is {off} {side} the vendor's");
    let remedy = "run NTP on this machine (`timedatectl` says whether it does)";
    if ahead.abs() > CLOCK_WRONG {
        let message =
            format!("{message}: signatures are good for 30s, and times in cases are wrong");
        section.fail("clock", message, remedy);
    } else if ahead.abs() > CLOCK_OFF {
        section.warn("clock", message, remedy);
    } else {
        section.ok("clock", "it goes with the vendor's, to within 5s");
    }
}

fn about_refusal(error: &CatalogError, section: &mut Section<'_>) {
    let message = error.to_string();
    match error {
        CatalogError::Denied(evidence) if evidence.status == Some(403) => section.fail(
            "grant",
            message,
            "give the API client read-write access to Case Management, and its user the accounts",
        ),
        CatalogError::Denied(_) => section.fail(
            "grant",
            message,
            "make new credentials at the vendor; all parts must be of one API client, and the host \
             its own",
        ),
        CatalogError::Refused(_) => {
            section.fail("grant", message, "ask the vendor what this API client may do");
        }
        CatalogError::Unavailable { .. } => section.fail(
            "grant",
            message,
            "it may be the vendor's own trouble: try again in some minutes, and see its status page",
        ),
    }
}

fn about_accounts(accounts: Option<&[OfferedAccount]>, section: &mut Section<'_>) {
    let Some(accounts) = accounts else {
        section.ok("grant", "the credentials are accepted; this vendor names no accounts");
        return;
    };
    if accounts.is_empty() {
        section.fail(
            "grant",
            "the credentials are accepted, and no account may be used with them",
            "give the user of the API client an account with Case Management at the vendor",
        );
        return;
    }
    let named = accounts.iter().take(NAMED).map(|one| match one.name.as_str() {
        "" => one.account.to_string(),
        name => format!("{} ({name})", one.account),
    });
    let more = if accounts.len() > NAMED { ", …" } else { "" };
    section.ok(
        "grant",
        format!(
            "{} may be used: {}{more}",
            counted(accounts.len(), "account"),
            named.collect::<Vec<_>>().join(", ")
        ),
    );
    for one in accounts.iter().take(NAMED) {
        let account = &one.account;
        if one.categories.is_empty() {
            section.warn(
                "categories",
                format!("{account} is offered no category: no case can be opened for it"),
                "ask the vendor for it, or use another account",
            );
        } else {
            section.ok("categories", format!("{account}: {}", one.categories.join(", ")));
        }
    }
}

fn about_coverage(coverage: &Coverage, section: &mut Section<'_>) {
    for unread in &coverage.unread {
        section.warn(
            RULES,
            format!("what is offered could not be read: {unread}"),
            "try again in some minutes",
        );
    }
    for complaint in &coverage.complaints {
        let place = &complaint.place;
        let message = format!(
            "rule `{}` ({}:{}): {}",
            complaint.rule,
            place.file.path().display(),
            place.start().line,
            complaint.message
        );
        let remedy = complaint.follows.to_string();
        match complaint.follows {
            Follows::Waits | Follows::WaitsInSpite(_) => section.fail(RULES, message, remedy),
            Follows::StandsIn | Follows::FallsBack(_) => section.warn(RULES, message, remedy),
        }
    }
    let Coverage { rules, by_alert, .. } = coverage;
    if coverage.complaints.is_empty() && coverage.unread.is_empty() {
        let rest = match by_alert {
            0 => String::new(),
            by_alert => format!(
                "; {} with an account that differs by alert cannot be looked at",
                counted(*by_alert, "more rule")
            ),
        };
        let covered = counted(rules.saturating_sub(*by_alert), "rule");
        section.ok(RULES, format!("what is asked for by {covered} is offered{rest}"));
    }
}

fn about_sources(sources: &[Source], real: bool, section: &mut Section<'_>) {
    if sources.is_empty() {
        section.warn(
            "sources",
            "there is no source: nobody may post alerts",
            "add one to `sources`",
        );
    }
    for source in sources {
        let Source { name, kind, credentials, demo } = source;
        let what = if *kind == "pagerduty" { "secret" } else { "credential" };
        if !demo {
            let count = counted(*credentials, what);
            section.ok("credentials", format!("{name} ({kind}) has {count}"));
            continue;
        }
        let message = format!(
            "{name} ({kind}) accepts the {what} of the example, which everybody knows: whoever \
             reaches the listener can open cases"
        );
        let remedy = match *kind {
            "pagerduty" => "put in the secret that PagerDuty shows when the subscription is made",
            _ => "make one of your own (`openssl rand -hex 32`), here and in the sender's config",
        };
        if real {
            section.fail("credentials", message, remedy);
        } else {
            section.warn("credentials", message, remedy);
        }
    }
}

fn about_tokens(tokens: &Tokens, section: &mut Section<'_>) {
    let Tokens { configured, local, file, accepted } = tokens;
    let file = file.display();
    match local {
        LocalToken::Open => section.fail(
            "local token",
            format!("others can read {file}, and act on the daemon with it"),
            format!("chmod 600 {file}"),
        ),
        LocalToken::Unreadable if *configured == 0 => section.warn(
            "local token",
            format!("this user may not read {file}"),
            "run commands as the user of the daemon, or set `server.admin_tokens`",
        ),
        LocalToken::Private | LocalToken::Unreadable => {
            section.ok("local token", format!("only its owner may read {file}"));
        }
        LocalToken::Absent => {
            section.ok("local token", "the daemon makes it at its start, beside the database");
        }
    }
    if *configured > 0 {
        section.ok("admin tokens", format!("the config has {}", counted(*configured, "token")));
    }
    match accepted {
        None => {}
        Some(Ok(())) => section.ok("access", "the running daemon takes the token of this user"),
        Some(Err(why)) => section.warn(
            "access",
            format!("the running daemon cannot be asked: {why}"),
            "run commands as the user of the daemon; or name the token with --token-file",
        ),
    }
}

/// How many there are of each verdict: ok, warn, fail.
pub(super) fn counts(findings: &[Finding]) -> [usize; 3] {
    [Verdict::Ok, Verdict::Warn, Verdict::Fail]
        .map(|wanted| findings.iter().filter(|finding| finding.verdict == wanted).count())
}

/// For people: by section, a line for each, and what to do below it.
pub(super) fn in_words(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut section = "";
    for finding in findings {
        if finding.section != section {
            section = &finding.section;
            text.push_str(&format!("{section}\n"));
        }
        let Finding { check, verdict, message, remedy, .. } = finding;
        text.push_str(&format!("  {:<4}  {check}: {message}\n", verdict.name()));
        if let Some(remedy) = remedy {
            text.push_str(&format!("        -> {remedy}\n"));
        }
    }
    let [ok, warn, fail] = counts(findings);
    text.push_str(&format!("{ok} ok, {warn} warn, {fail} fail"));
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::facts::{Counts, Gate};
    use super::*;
    use crate::config::source_file::{Holds, Place as Where, SourceFile, Span};
    use crate::rules::offered::Complaint;
    use crate::store::sqlite::Condition;
    use crate::vendors::Evidence;

    /// A house in which nothing has to be done.
    fn healthy() -> Facts {
        let found = Found { bytes: 12 * MIB, schema: 8, known: 8, in_use: false, damage: None };
        let offered = OfferedAccount {
            account: "A-CCT7890".into(),
            name: "Example".to_owned(),
            categories: vec!["TECHNICAL".to_owned(), "BILLING".to_owned()],
        };
        Facts {
            files: Files {
                config: PathBuf::from("casewright.yaml"),
                errors: 0,
                warnings: 0,
                usable: Some(Counts { rules: 3, sources: 2, vendors: 1 }),
            },
            store: Some(Store {
                condition: Condition {
                    path: PathBuf::from("/data/casewright.db"),
                    place: Place::Writable,
                    file_system: FileSystem::Local,
                    free: Some(20 * 1024 * MIB),
                    database: Database::Ours(found),
                },
                backups: PathBuf::from("/backups"),
                backup_age: Some(Duration::from_secs(3 * 3600 + 125)),
            }),
            daemon: Some(Daemon {
                address: ([127, 0, 0, 1], 8081).into(),
                state: DaemonState::Ready,
                gates: vec![gate("open", "-")],
            }),
            vendors: vec![Vendor {
                name: "akamai".into(),
                simulated: false,
                credentials: Ok(()),
                asked: Some(Asked {
                    host: "akab-example.luna.akamaiapis.net:443".to_owned(),
                    resolved: Ok(()),
                    accounts: Some(Ok(Some(vec![offered]))),
                    clock: Some(SignedDuration::from_secs(-1)),
                    coverage: Some(Coverage {
                        rules: 3,
                        by_alert: 1,
                        complaints: Vec::new(),
                        unread: Vec::new(),
                    }),
                }),
            }],
            told: Vec::new(),
            sources: vec![source("alertmanager", false), source("pagerduty", false)],
            tokens: Some(Tokens {
                configured: 1,
                local: LocalToken::Private,
                file: PathBuf::from("/data/casewright.db.token"),
                accepted: Some(Ok(())),
            }),
        }
    }

    fn gate(state: &str, why: &str) -> Gate {
        Gate { vendor: "akamai".to_owned(), state: state.to_owned(), why: why.to_owned() }
    }

    fn source(kind: &'static str, demo: bool) -> Source {
        Source { name: kind.into(), kind, credentials: 1, demo }
    }

    fn evidence(status: Option<u16>, message: &str) -> Evidence {
        Evidence { status, reference: None, message: message.to_owned() }
    }

    fn complaint(follows: Follows) -> Complaint {
        let text = "rules: [{ product: Ion Premium }]";
        let file = SourceFile::new("rules/edge.yaml", text.to_owned(), Holds::NoSecrets);
        Complaint {
            rule: "edge-5xx".into(),
            place: Where { file, span: Span { start: 19, end: 30 } },
            message: "`product`: the vendor does not offer \"Ion Premium\"; did you mean \"Ion Premier\"?"
                .to_owned(),
            follows,
        }
    }

    fn store(facts: &mut Facts) -> &mut Store {
        facts.store.as_mut().unwrap()
    }

    fn asked(facts: &mut Facts) -> &mut Asked {
        facts.vendors[0].asked.as_mut().unwrap()
    }

    fn daemon(facts: &mut Facts) -> &mut Daemon {
        facts.daemon.as_mut().unwrap()
    }

    /// What is told of a house that is healthy but for one thing, without what is ok.
    fn trouble(change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = healthy();
        change(&mut facts);
        let mut found = findings(&facts);
        found.retain(|finding| finding.verdict != Verdict::Ok);
        in_words(&found)
    }

    fn verdict(change: impl FnOnce(&mut Facts)) -> Option<Verdict> {
        let mut facts = healthy();
        change(&mut facts);
        findings(&facts).iter().map(|finding| finding.verdict).find(|one| *one != Verdict::Ok)
    }

    fn refused(facts: &mut Facts, error: CatalogError) {
        let asked = asked(facts);
        asked.accounts = Some(Err(error));
        asked.coverage = None;
    }

    #[test]
    fn a_healthy_house() {
        let found = findings(&healthy());
        assert_eq!(counts(&found)[1..], [0, 0]);
        insta::assert_snapshot!(in_words(&found));
    }

    #[test]
    fn whatever_is_not_ok_has_a_remedy_and_what_is_ok_has_none() {
        let mut facts = healthy();
        facts.sources[0].demo = true;
        asked(&mut facts).clock = Some(SignedDuration::from_secs(7));
        for finding in findings(&facts) {
            assert_eq!(finding.remedy.is_none(), finding.verdict == Verdict::Ok, "{finding:?}");
        }
    }

    #[test]
    fn files_that_cannot_be_used() {
        let facts = Facts {
            files: Files { errors: 2, usable: None, ..healthy().files },
            vendors: Vec::new(),
            told: Vec::new(),
            sources: Vec::new(),
            tokens: None,
            ..healthy()
        };
        insta::assert_snapshot!(in_words(&findings(&facts)));
    }

    #[test]
    fn wrong_credentials() {
        let told = trouble(|facts| {
            refused(
                facts,
                CatalogError::Denied(evidence(
                    Some(401),
                    "Akamai did not accept the credentials (401)",
                )),
            );
        });
        insta::assert_snapshot!(told);
    }

    #[test]
    fn who_is_told_must_answer_and_accept_us() {
        let told = |probe| {
            trouble(|facts| facts.told = vec![Told { name: "source:pagerduty".into(), probe }])
        };
        assert_eq!(told(Ok(Probe::Up)), trouble(|_| {}), "all is well");
        let denied = told(Ok(Probe::Denied(evidence(Some(401), "PagerDuty says no (401)"))));
        assert!(denied.contains("PagerDuty says no (401)"), "{denied}");
        assert!(denied.contains("`tell.api_token`"), "{denied}");
        let down = told(Ok(Probe::Down(evidence(None, "PagerDuty cannot be reached"))));
        assert!(down.contains("`tell.base_url`"), "{down}");
    }

    #[test]
    fn no_grant() {
        insta::assert_snapshot!(trouble(|facts| {
            refused(facts, CatalogError::Denied(evidence(Some(403), "Akamai forbids this (403)")));
        }));
    }

    #[test]
    fn credentials_that_cannot_be_read() {
        insta::assert_snapshot!(trouble(|facts| {
            facts.vendors[0].credentials = Err("others can read it: chmod 600".to_owned());
            facts.vendors[0].asked = None;
        }));
    }

    #[test]
    fn no_network() {
        let nowhere = trouble(|facts| {
            let asked = asked(facts);
            asked.resolved = Err("failed to look up address information".to_owned());
            (asked.accounts, asked.clock, asked.coverage) = (None, None, None);
        });
        let silent = trouble(|facts| {
            asked(facts).clock = None;
            let evidence = evidence(None, "Akamai cannot be reached, so nothing was sent");
            refused(facts, CatalogError::Unavailable { retry_after: None, evidence });
        });
        insta::assert_snapshot!(format!("{nowhere}\n\n{silent}"));
    }

    #[test]
    fn a_clock_that_is_ten_minutes_off() {
        insta::assert_snapshot!(trouble(|facts| {
            asked(facts).clock = Some(SignedDuration::from_secs(600));
        }));
    }

    #[test]
    fn a_clock_is_off_from_five_seconds_and_wrong_from_thirty() {
        let off = |seconds| {
            verdict(|facts| asked(facts).clock = Some(SignedDuration::from_secs(seconds)))
        };
        assert_eq!([off(5), off(-5)], [None, None]);
        assert_eq!([off(6), off(-6), off(30)], [Some(Verdict::Warn); 3]);
        assert_eq!([off(31), off(-31)], [Some(Verdict::Fail); 2]);
    }

    #[test]
    fn no_accounts() {
        insta::assert_snapshot!(trouble(|facts| {
            asked(facts).accounts = Some(Ok(Some(Vec::new())));
        }));
    }

    #[test]
    fn a_rule_that_names_an_unknown_product() {
        insta::assert_snapshot!(trouble(|facts| {
            let coverage = asked(facts).coverage.as_mut().unwrap();
            coverage.complaints = vec![
                complaint(Follows::Waits),
                complaint(Follows::FallsBack("TECHNICAL, product \"Ion Premier\"".to_owned())),
            ];
        }));
    }

    #[test]
    fn a_full_disk() {
        insta::assert_snapshot!(trouble(|facts| store(facts).condition.free = Some(3 * MIB)));
    }

    #[test]
    fn room_is_little_below_a_gibibyte_and_too_little_below_a_quarter() {
        let with = |free| verdict(|facts| store(facts).condition.free = Some(free));
        assert_eq!(with(LITTLE_ROOM), None);
        assert_eq!([with(LITTLE_ROOM - 1), with(TOO_LITTLE_ROOM)], [Some(Verdict::Warn); 2]);
        assert_eq!(with(TOO_LITTLE_ROOM - 1), Some(Verdict::Fail));
    }

    #[test]
    fn a_store_that_cannot_be_used() {
        let places = [
            Place::ReadOnly,
            Place::IsFolder,
            Place::Missing { can_be_made: false },
            Place::Missing { can_be_made: true },
        ];
        let mut told: Vec<String> = places
            .into_iter()
            .map(|place| trouble(|facts| store(facts).condition.place = place))
            .collect();
        for file_system in [FileSystem::Network("NFS"), FileSystem::Fuse] {
            told.push(trouble(|facts| store(facts).condition.file_system = file_system));
        }
        let found = Found { bytes: 0, schema: 8, known: 8, in_use: false, damage: None };
        for database in [
            Database::Foreign,
            Database::Unreadable("permission denied".to_owned()),
            Database::Ours(Found { schema: 9, ..found.clone() }),
            Database::Ours(Found { schema: 7, ..found.clone() }),
            Database::Ours(Found { damage: Some("page 3: wrong".to_owned()), ..found }),
        ] {
            told.push(trouble(|facts| store(facts).condition.database = database));
        }
        insta::assert_snapshot!(told.join("\n\n"));
    }

    #[test]
    fn a_backup_is_old_after_a_week() {
        let aged = |age| verdict(|facts| store(facts).backup_age = age);
        assert_eq!(aged(Some(OLD_BACKUP)), None);
        assert_eq!(aged(Some(OLD_BACKUP + Duration::from_secs(1))), Some(Verdict::Warn));
        assert_eq!(aged(None), Some(Verdict::Warn));
        let told = trouble(|facts| {
            store(facts).backup_age = Some(Duration::from_secs(30 * 86_400 + 7_000));
        });
        assert!(told.contains("is 30d1h old"), "{told}");
    }

    #[test]
    fn a_daemon_that_does_not_run_or_is_not_ready() {
        let mut told: Vec<String> = [
            DaemonState::Absent,
            DaemonState::NotReady(vec!["the store is closed".to_owned()]),
            DaemonState::Stranger("it answers 404 Not Found".to_owned()),
        ]
        .into_iter()
        .map(|state| trouble(|facts| daemon(facts).state = state))
        .collect();
        told.push(trouble(|facts| {
            daemon(facts).gates =
                vec![gate("denied", "who are you?"), gate("tripped", "-"), gate("paused", "-")];
        }));
        insta::assert_snapshot!(told.join("\n\n"));
    }

    #[test]
    fn a_house_whose_daemon_runs() {
        let mut facts = healthy();
        let database = &mut store(&mut facts).condition.database;
        if let Database::Ours(found) = database {
            found.in_use = true;
        }
        let found = findings(&facts);
        let told: Vec<Finding> = found
            .into_iter()
            .filter(|finding| ["store", "daemon"].contains(&finding.section.as_str()))
            .collect();
        insta::assert_snapshot!(in_words(&told));
    }

    #[test]
    fn what_everybody_knows_is_bad_where_cases_are_real() {
        let demo = |simulated| {
            trouble(|facts| {
                facts.vendors[0].simulated = simulated;
                facts.sources = vec![source("alertmanager", true), source("pagerduty", true)];
            })
        };
        insta::assert_snapshot!(format!("{}\n\n{}", demo(false), demo(true)));
    }

    #[test]
    fn tokens_that_others_or_nobody_can_read() {
        let local = |local, configured| {
            trouble(|facts| {
                let tokens = facts.tokens.as_mut().unwrap();
                (tokens.local, tokens.configured) = (local, configured);
            })
        };
        let not_taken = trouble(|facts| {
            facts.tokens.as_mut().unwrap().accepted = Some(Err("there is no token".to_owned()));
        });
        let told = [
            local(LocalToken::Open, 1),
            local(LocalToken::Unreadable, 0),
            local(LocalToken::Unreadable, 1),
            local(LocalToken::Absent, 0),
            not_taken,
        ];
        insta::assert_snapshot!(told.join("\n\n"));
    }

    #[test]
    fn what_a_vendor_wrote_moves_no_cursor() {
        let told = trouble(|facts| {
            let evidence = evidence(Some(401), "no\u{1b}[2Jtold\n  ok    all is well");
            refused(facts, CatalogError::Denied(evidence));
        });
        assert!(told.contains("no\\u{1b}[2Jtold\\n  ok    all is well"), "{told}");
    }
}
