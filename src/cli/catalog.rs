//! `casewright catalog`: what the vendors accept, as it was last read.
//!
//! All but `sync` only read the database, also while the daemon runs, and ask no vendor.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::ConfigArg;
use super::print::{Form, say, tell, tell_wrong};
use super::remote::{Reach, Remote};
use super::words::{field, items, shown, table};
use crate::clock::{Clock as _, SystemClock};
use crate::config::process_env;
use crate::config::suggest::nearest;
use crate::current::Current;
use crate::daemon::{World, reach};
use crate::dispatch::Catalogs;
use crate::domain::catalog::changes::Entry;
use crate::domain::catalog::likeness::{Found, found};
use crate::domain::catalog::whole::{KeptCatalog, VendorCatalog};
use crate::domain::ids::VendorName;
use crate::explain::Known;
use crate::rules::offered::{Complaint, complaints as complaints_of};
use crate::setup::{self, Setup};
use crate::store::Store;
use crate::store::sqlite::{Archive, OpenError, Options, SqliteStore};
use crate::telemetry::metrics::Metrics;
use crate::time::{between, duration};

/// How long a running daemon may take to read everything that a vendor offers.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read what the vendors accept into the store. A daemon that runs is asked to do it.
    Sync {
        /// Only of this vendor.
        #[arg(long)]
        vendor: Option<String>,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Show accounts, categories, and the names that they accept.
    Show {
        #[command(flatten)]
        of: Of,
        /// Only of this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only of this category.
        #[arg(long, value_name = "ID")]
        category: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Find names that are like WORDS; exit with 1 if there is none.
    Search {
        /// What to look for, such as `ion premier`; slips are forgiven.
        #[arg(required = true)]
        words: Vec<String>,
        #[command(flatten)]
        of: Of,
        /// Show at most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        form: Form,
    },
    /// Tell what was added, removed or renamed when it last changed, and which rules that hits.
    Diff {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        form: Form,
    },
}

/// Whose catalog.
#[derive(Debug, clap::Args)]
struct Of {
    #[command(flatten)]
    config: ConfigArg,
    /// Only of this vendor.
    #[arg(long)]
    vendor: Option<String>,
}

pub(super) async fn run(args: Args, world: World<'static>) -> anyhow::Result<ExitCode> {
    match args.command {
        What::Sync { vendor, reach, form } => sync(vendor.as_deref(), &reach, form, world).await,
        What::Show { of, account, category, form } => {
            let (_, kept) = kept(&of).await?;
            let narrow = |(name, kept): (&VendorName, &KeptCatalog)| {
                (name.clone(), narrowed(kept, account.as_deref(), category.as_deref()))
            };
            let narrow: Kept = kept.iter().map(narrow).collect();
            let there = |kept: &Kept| {
                let mut accounts = kept.values().flat_map(|kept| &kept.catalog.accounts);
                accounts.any(|account| !account.categories.is_empty())
            };
            if there(&kept) && !there(&narrow) {
                bail!("{}", not_there(&kept, account.as_deref(), category.as_deref()));
            }
            show(&narrow, form)
        }
        What::Search { words, of, limit, form } => {
            let (_, kept) = kept(&of).await?;
            search(&kept, &words.join(" "), limit, form)
        }
        What::Diff { of, form } => {
            let (setup, kept) = kept(&of).await?;
            diff(&setup, &kept, form)
        }
    }
}

/// What the store knows of the vendors of a setup; nothing if there is no store that can be read.
/// For those who can do without.
pub(super) async fn known(setup: &Setup) -> Known {
    let Ok(archive) = Archive::open(&setup.config.store.sqlite).await else {
        return Known::new();
    };
    let mut known = Known::new();
    for vendor in &setup.config.vendors {
        if let Ok(Some(kept)) = archive.catalog(&vendor.name).await {
            known.insert(vendor.name.clone(), Arc::new(kept));
        }
    }
    known
}

/// What the rules of a setup ask for that is not offered, by what is known.
pub(super) fn complaints(setup: &Setup, known: &Known) -> Vec<Complaint> {
    let of = |(vendor, kept): (&VendorName, &Arc<KeptCatalog>)| {
        complaints_of(&setup.playbook.rules, vendor, &kept.catalog)
    };
    known.iter().flat_map(of).collect()
}

type Kept = BTreeMap<VendorName, KeptCatalog>;

fn files(config: &ConfigArg) -> anyhow::Result<Setup> {
    let (setup, diagnostics) = setup::load_for_rehearsal(&config.config, &process_env);
    if !diagnostics.is_empty() {
        tell_wrong(&diagnostics);
    }
    setup.context("the files have mistakes")
}

/// What the store knows of the vendors that are asked about.
async fn kept(of: &Of) -> anyhow::Result<(Setup, Kept)> {
    let setup = files(&of.config)?;
    let vendors = wanted(&setup, of.vendor.as_deref())?;
    let archive = Archive::open(&setup.config.store.sqlite)
        .await
        .context("there is no catalog: `casewright catalog sync` reads it")?;
    let mut kept = Kept::new();
    for vendor in vendors {
        match archive.catalog(&vendor).await? {
            Some(found) => {
                kept.insert(vendor, found);
            }
            None => tell(&format!(
                "nothing is known of vendor {vendor}: `casewright catalog sync` reads its catalog"
            )),
        }
    }
    if kept.is_empty() {
        bail!("there is no catalog in {}", setup.config.store.sqlite.display());
    }
    Ok((setup, kept))
}

fn wanted(setup: &Setup, name: Option<&str>) -> anyhow::Result<Vec<VendorName>> {
    let all: Vec<VendorName> =
        setup.config.vendors.iter().map(|vendor| vendor.name.clone()).collect();
    let Some(name) = name else { return Ok(all) };
    let named: Vec<VendorName> =
        all.iter().filter(|vendor| vendor.as_str() == name).cloned().collect();
    if named.is_empty() {
        let all: Vec<&str> = all.iter().map(VendorName::as_str).collect();
        bail!("there is no vendor `{}`; there are: {}", shown(name), all.join(", "));
    }
    Ok(named)
}

async fn sync(
    vendor: Option<&str>,
    reach: &Reach,
    form: Form,
    world: World<'static>,
) -> anyhow::Result<ExitCode> {
    let answer = if reach.names_a_daemon() {
        by_daemon(vendor, reach).await?
    } else {
        let setup = files(reach.config())?;
        let options = Options { path: setup.config.store.sqlite.clone(), on_commit: None };
        match SqliteStore::open(options, &world.rng).await {
            Ok(store) => by_ourselves(setup, vendor, Arc::new(store), world).await?,
            // Whoever has it is the one to ask.
            Err(error @ OpenError::InUse { .. }) => by_daemon(vendor, reach)
                .await
                .with_context(|| format!("{error} So the one that runs was asked, in vain"))?,
            Err(error) => return Err(error.into()),
        }
    };
    say(&form.render(&answer, synced)?);
    Ok(ExitCode::SUCCESS)
}

async fn by_daemon(vendor: Option<&str>, reach: &Reach) -> anyhow::Result<Value> {
    let query: Vec<_> = vendor.into_iter().map(|name| ("vendor", name)).collect();
    Remote::of(reach)?.patient(PATIENCE)?.post(&["api", "v1", "catalog", "sync"], &query).await
}

async fn by_ourselves(
    setup: Setup,
    vendor: Option<&str>,
    store: Arc<dyn Store>,
    world: World<'static>,
) -> anyhow::Result<Value> {
    let wanted = wanted(&setup, vendor)?;
    let playbook = Current::new(setup.playbook);
    let metrics = Arc::new(Metrics::new(&[]));
    let catalogs = Catalogs::new(store.clone(), playbook.clone(), world.clock.clone(), metrics);
    let mut synced = Vec::new();
    for vendor in setup.config.vendors.iter().filter(|one| wanted.contains(&one.name)) {
        let reached = reach(vendor, &world).await?;
        let read = catalogs.sync(&vendor.name, &*reached.vendor()).await;
        if let Some((sandbox, _)) = reached.simulation {
            sandbox.stop().await;
        }
        let name = &vendor.name;
        synced.push(read.with_context(|| format!("the catalog of vendor {name} was not read"))?);
    }
    let complaints = catalogs.complaints(&playbook.get()).await;
    store.close().await;
    Ok(json!({ "synced": synced, "complaints": complaints }))
}

fn synced(answer: &Value) -> String {
    let mut lines = Vec::new();
    for one in items(answer, "synced") {
        lines.push(format!(
            "vendor {}: {} accounts, {} categories read",
            field(one, "vendor"),
            field(one, "accounts"),
            field(one, "categories")
        ));
        lines.extend(items(one, "changes").map(|change| format!("  {}", in_words(change))));
        lines.extend(
            items(one, "unread")
                .filter_map(Value::as_str)
                .map(|unread| format!("  not read: {}", shown(unread))),
        );
    }
    lines.extend(items(answer, "complaints").map(complained));
    lines.join("\n")
}

fn in_words(change: &Value) -> String {
    let entry = change.get("entry").cloned().unwrap_or_default();
    let within: Vec<&str> = items(&entry, "within").filter_map(Value::as_str).collect();
    let mut text = format!(
        "{} {} \"{}\"",
        field(change, "change"),
        field(&entry, "part"),
        field(&entry, "name")
    );
    if !within.is_empty() {
        text.push_str(&format!(" of {}", shown(&within.join(" / "))));
    }
    if change.get("to").is_some() {
        text.push_str(&format!(" to \"{}\"", field(change, "to")));
    }
    text
}

fn complained(complaint: &Value) -> String {
    format!(
        "rule {} ({}:{}): {}; {}",
        field(complaint, "rule"),
        field(complaint, "file"),
        field(complaint, "line"),
        field(complaint, "message"),
        field(complaint, "follows")
    )
}

/// Only what is asked for.
fn narrowed(kept: &KeptCatalog, account: Option<&str>, category: Option<&str>) -> KeptCatalog {
    let mut catalog = kept.catalog.clone();
    catalog.accounts.retain(|one| account.is_none_or(|id| one.account.as_str() == id));
    for one in &mut catalog.accounts {
        one.categories.retain(|one| category.is_none_or(|id| one.category == id));
    }
    KeptCatalog { read_at: kept.read_at, catalog, before: None }
}

/// Why nothing is left of a catalog that was narrowed, and what there is.
fn not_there(kept: &Kept, account: Option<&str>, category: Option<&str>) -> String {
    let accounts = || kept.values().flat_map(|kept| &kept.catalog.accounts);
    let of_account = accounts().filter(|one| account.is_none_or(|id| one.account.as_str() == id));
    let categories: BTreeSet<&str> =
        of_account.flat_map(|one| &one.categories).map(|one| one.category.as_str()).collect();
    let (what, wrong, known) = match (account, category) {
        (Some(account), _) if categories.is_empty() => {
            let known = accounts().map(|one| one.account.as_str()).collect();
            (format!("account `{}`", shown(account)), account, known)
        }
        (account, category) => {
            let category = category.unwrap_or_default();
            let of = account.map(|account| format!(" of account `{}`", shown(account)));
            let what = format!("category `{}`{}", shown(category), of.unwrap_or_default());
            (what, category, categories)
        }
    };
    let meant = nearest(wrong, known.iter().copied());
    let meant = meant.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    let known: Vec<&str> = known.into_iter().collect();
    format!("there is no {what} in the catalog; {meant}there are: {}", known.join(", "))
}

fn entries(catalog: &VendorCatalog) -> Vec<Entry> {
    catalog.items().iter().flat_map(|item| item.entries()).collect()
}

fn show(kept: &Kept, form: Form) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    if form.is_data() {
        let vendors: Vec<Value> = kept
            .iter()
            .map(|(vendor, kept)| {
                json!({
                    "vendor": vendor, "read_at": kept.read_at, "accounts": kept.catalog.accounts,
                })
            })
            .collect();
        say(&form.render(&json!({ "vendors": vendors }), ToString::to_string)?);
        return Ok(ExitCode::SUCCESS);
    }
    let texts: Vec<String> = kept
        .iter()
        .map(|(vendor, kept)| {
            let age = duration::format(to_the_minute(between(kept.read_at, now)));
            let head = format!("vendor {vendor}, read at {} ({age} ago)", kept.read_at);
            format!("{head}\n\n{}", shown_table(&kept.catalog))
        })
        .collect();
    say(&texts.join("\n\n"));
    Ok(ExitCode::SUCCESS)
}

/// Ages are not told to the second.
fn to_the_minute(age: Duration) -> Duration {
    let seconds = age.as_secs();
    Duration::from_secs(if seconds < 60 { seconds } else { seconds - seconds % 60 })
}

/// A row for each name: its account and category, the key of a rule's `case:` that holds such a
/// name, the name, and what it goes with.
fn shown_table(catalog: &VendorCatalog) -> String {
    let rows: Vec<Vec<String>> = entries(catalog).iter().map(|entry| row(entry).into()).collect();
    table(&["ACCOUNT", "CATEGORY", "KEY", "NAME", "GOES WITH"], &rows).join("\n")
}

fn row(entry: &Entry) -> [String; 5] {
    // The account and the category stand in columns of their own.
    let path: Vec<&str> = entry.within.iter().chain([&entry.name]).map(String::as_str).collect();
    let at = |place: usize| path.get(place).map_or("-", |text| *text);
    let goes_with = match entry.within.get(2..).unwrap_or_default() {
        [] if entry.title.is_empty() => "-".to_owned(),
        [] => entry.title.clone(),
        above => above.join(" / "),
    };
    [at(0), at(1), entry.part.name(), &entry.name, &goes_with].map(shown)
}

fn search(kept: &Kept, words: &str, limit: usize, form: Form) -> anyhow::Result<ExitCode> {
    let mut hits: Vec<(Found, &VendorName, Entry)> = Vec::new();
    for (vendor, kept) in kept {
        for entry in entries(&kept.catalog) {
            let score = found(words, &entry.name).max(found(words, &entry.title));
            hits.extend(score.map(|score| (score, vendor, entry)));
        }
    }
    // Of equals, in the order of the catalog.
    hits.sort_by_key(|(score, ..)| Reverse(*score));
    hits.truncate(limit);
    if form.is_data() {
        let hits: Vec<Value> = hits
            .iter()
            .map(|(_, vendor, entry)| json!({ "vendor": vendor, "entry": entry }))
            .collect();
        say(&form.render(&json!({ "found": hits }), ToString::to_string)?);
    } else if hits.is_empty() {
        say(&format!("no name is like \"{}\"", shown(words)));
    } else {
        let several = kept.len() > 1;
        let mut head = vec!["KEY", "NAME", "ACCOUNT", "CATEGORY", "GOES WITH"];
        head.extend(several.then_some("VENDOR"));
        let rows: Vec<Vec<String>> = hits
            .iter()
            .map(|(_, vendor, entry)| {
                // What was looked for comes first.
                let [account, category, key, name, goes_with] = row(entry);
                let mut cells = vec![key, name, account, category, goes_with];
                cells.extend(several.then(|| vendor.to_string()));
                cells
            })
            .collect();
        say(&table(&head, &rows).join("\n"));
    }
    Ok(if hits.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn diff(setup: &Setup, kept: &Kept, form: Form) -> anyhow::Result<ExitCode> {
    let rules = &setup.playbook.rules;
    let mut vendors = Vec::new();
    for (vendor, kept) in kept {
        let mut hit = complaints_of(rules, vendor, &kept.catalog);
        if let Some(before) = &kept.before {
            let earlier = complaints_of(rules, vendor, &before.catalog);
            hit.retain(|complaint| !earlier.contains(complaint));
        } else {
            hit.clear();
        }
        vendors.push(json!({
            "vendor": vendor,
            "read_at": kept.read_at,
            "before": kept.before.as_ref().map(|before| before.read_at),
            "changes": kept.changes(),
            "rules": hit,
        }));
    }
    let answer = json!({ "vendors": vendors });
    say(&form.render(&answer, differs)?);
    Ok(ExitCode::SUCCESS)
}

fn differs(answer: &Value) -> String {
    let mut lines = Vec::new();
    for one in items(answer, "vendors") {
        let (vendor, read_at) = (field(one, "vendor"), field(one, "read_at"));
        match field(one, "before").as_str() {
            "-" => lines.push(format!(
                "vendor {vendor}: no change is known; it was last read at {read_at}"
            )),
            before => {
                lines.push(format!("vendor {vendor}: between {before} and {read_at}"));
                lines.extend(items(one, "changes").map(|change| format!("  {}", in_words(change))));
                let rules: Vec<String> = items(one, "rules").map(complained).collect();
                if rules.is_empty() {
                    lines.push("  no rule is hit".to_owned());
                }
                lines.extend(rules.iter().map(|rule| format!("  {rule}")));
            }
        }
    }
    lines.join("\n")
}
