//! What the vendors accept: read at the start and then from time to time, kept in the store with its
//! age, and gone by while a vendor cannot be asked.
//!
//! *Promise:* a vendor that is down costs no draft. A reading, however old, is gone by until there
//! is another; what it says that is not true any more, the vendor refuses, and then it is read anew
//! once. *Invariant:* a category that could not be read stays as it was known; only an answer takes
//! something away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::lane::Lane;
use super::runner::Lanes;
use crate::clock::Clock;
use crate::current::Current;
use crate::domain::catalog::Category;
use crate::domain::catalog::changes::Change;
use crate::domain::catalog::whole::{AccountCatalog, KeptCatalog, Page, VendorCatalog};
use crate::domain::gate::Admission;
use crate::domain::ids::{AccountId, RuleName, VendorName};
use crate::playbook::Playbook;
use crate::rules::offered::{Complaint, asked_for, complaints};
use crate::rules::{RuleSet, Then};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::time::between;
use crate::vendors::{CatalogError, Evidence, OfferedAccount, Vendor};

/// After a reading that failed, the next is tried this much later, unless a round is due earlier.
const AFTER_TROUBLE: Duration = Duration::from_secs(5 * 60);

/// A reading that is older than this is read anew before it is believed against a rule.
const GOOD_AGAINST_A_RULE: Duration = Duration::from_secs(60);

/// See the [module](self).
pub struct Catalogs {
    store: Arc<dyn Store>,
    playbook: Current<Playbook>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// What the store keeps, as far as it was asked. Held while it is changed, never while a vendor
    /// is asked.
    kept: tokio::sync::Mutex<BTreeMap<VendorName, Option<Arc<KeptCatalog>>>>,
    /// What has been complained of, so that nothing is told twice.
    told: Mutex<BTreeSet<String>>,
    /// Changes whenever all of it is to be read anew.
    again: watch::Sender<u64>,
}

/// What a draft goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consulted {
    /// The catalog, and when it was read.
    pub page: Page,
    /// Why it is an old one, where the vendor could not be asked.
    pub in_place_of: Option<CatalogError>,
}

/// How new a reading has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// As new as the vendor's readings are kept.
    Kept,
    /// New: what was kept has led to a refusal.
    Anew,
}

/// What a reading of all that a vendor offers has led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// The vendor.
    pub vendor: VendorName,
    /// When it was asked.
    pub read_at: Timestamp,
    /// How many accounts it lets us use.
    pub accounts: usize,
    /// How many categories of them were read.
    pub categories: usize,
    /// What could not be read, and why; what was known of it stays.
    pub unread: Vec<String>,
    /// How it differs from what was kept.
    pub changes: Vec<Change>,
}

/// Why nothing was read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSynced {
    /// The vendor did not tell its accounts.
    #[error("{0}")]
    Vendor(#[from] CatalogError),
    /// What it told cannot be kept.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Catalogs {
    /// Catalogs that `store` keeps. `playbook` says what is asked of them.
    pub fn new(
        store: Arc<dyn Store>,
        playbook: Current<Playbook>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store,
            playbook,
            clock,
            metrics,
            kept: tokio::sync::Mutex::default(),
            told: Mutex::default(),
            again: watch::Sender::new(0),
        }
    }

    /// What is known of a vendor.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn kept(&self, vendor: &VendorName) -> Result<Option<Arc<KeptCatalog>>, StoreError> {
        let mut all = self.kept.lock().await;
        self.load(&mut all, vendor).await
    }

    async fn load(
        &self,
        all: &mut BTreeMap<VendorName, Option<Arc<KeptCatalog>>>,
        vendor: &VendorName,
    ) -> Result<Option<Arc<KeptCatalog>>, StoreError> {
        if let Some(known) = all.get(vendor) {
            return Ok(known.clone());
        }
        let kept = match self.store.catalog(vendor).await {
            // It is read anew, and takes its place.
            Err(error @ StoreError::Corrupt(_)) => {
                warn!(%error, %vendor, "the catalog of vendor {vendor} that is kept is of no use: {error}");
                None
            }
            kept => kept?.map(Arc::new),
        };
        if let Some(kept) = &kept {
            self.metrics.catalog_read(vendor, kept.read_at);
        }
        all.insert(vendor.clone(), kept.clone());
        Ok(kept)
    }

    /// What a vendor accepts for an account and category: as it is kept, if that is new enough;
    /// else as the vendor says now; and if it cannot be asked, as it is kept all the same.
    ///
    /// # Errors
    ///
    /// Where nothing is kept and nothing can be had; [`CatalogError::Refused`] where the vendor
    /// says that there is no such thing.
    pub(super) async fn consult(
        &self,
        lane: &Lane,
        account: &AccountId,
        category: Category,
        wanted: Wanted,
    ) -> Result<Consulted, CatalogError> {
        let Some(vendor) = lane.vendor() else {
            let message = format!("{} offers no catalog", lane.title());
            return Err(CatalogError::Refused(Evidence { message, ..Evidence::default() }));
        };
        if vendor.has_catalog_at_hand() {
            // There is nothing to be spared, and no reading that is worth keeping.
            let catalog = vendor.catalog(account, category).await?;
            let page = Page { read_at: self.clock.now(), catalog };
            return Ok(Consulted { page, in_place_of: None });
        }
        let kept = match self.kept(&lane.name).await {
            Ok(kept) => kept,
            Err(error) => {
                // The vendor can be asked.
                warn!(%error, "what is kept of the catalog of vendor {} could not be read: {error}", lane.name);
                None
            }
        };
        let page = kept.as_ref().and_then(|kept| kept.catalog.page(account, category));
        let age = page.map(|page| between(page.read_at, self.clock.now()));
        let new_enough = match wanted {
            Wanted::Kept => lane.settings.catalog_refresh,
            Wanted::Anew => Duration::ZERO,
        };
        if let (Some(page), Some(age)) = (page, age)
            && age < new_enough
        {
            return Ok(Consulted { page: page.clone(), in_place_of: None });
        }
        match (vendor.catalog(account, category).await, page) {
            (Ok(catalog), _) => {
                let page = Page { read_at: self.clock.now(), catalog };
                self.note(&lane.name, account, category, page.clone()).await;
                Ok(Consulted { page, in_place_of: None })
            }
            (Err(error @ CatalogError::Refused(_)), _) | (Err(error), None) => Err(error),
            (Err(error), Some(page)) => {
                Ok(Consulted { page: page.clone(), in_place_of: Some(error) })
            }
        }
    }

    /// Whether a reading is too old to be believed against a rule.
    pub(super) fn is_dated(&self, page: &Page) -> bool {
        between(page.read_at, self.clock.now()) >= GOOD_AGAINST_A_RULE
    }

    /// Keeps what was read of one category.
    async fn note(&self, vendor: &VendorName, account: &AccountId, category: Category, page: Page) {
        let read_at = page.read_at;
        let put = |kept: Option<&KeptCatalog>| {
            let mut whole = kept.map(|kept| kept.catalog.clone()).unwrap_or_default();
            whole.put(account, category.as_str(), page);
            // The whole was not read; its age is that of the last time.
            (whole, kept.map_or(read_at, |kept| kept.read_at))
        };
        if let Err(error) = self.keep(vendor, put).await {
            // It is gone by now, and read again the next time.
            warn!(%error, %vendor, "the catalog of vendor {vendor} could not be kept: {error}");
        }
    }

    /// Keeps what `make` makes of what was kept, and tells how it differs.
    async fn keep(
        &self,
        vendor: &VendorName,
        make: impl FnOnce(Option<&KeptCatalog>) -> (VendorCatalog, Timestamp),
    ) -> Result<Vec<Change>, StoreError> {
        let changes = {
            let mut all = self.kept.lock().await;
            let before = self.load(&mut all, vendor).await?;
            let (whole, read_at) = make(before.as_deref());
            let before = before.map(|before| (*before).clone());
            let (kept, changes) = KeptCatalog::after(before, whole, read_at);
            self.store.keep_catalog(vendor, &kept).await?;
            all.insert(vendor.clone(), Some(Arc::new(kept)));
            changes
        };
        for change in &changes {
            info!(%vendor, "the catalog of vendor {vendor} has changed: {change}");
        }
        self.audit().await;
        Ok(changes)
    }

    /// Reads all that a vendor offers, first what rules ask for.
    ///
    /// # Errors
    ///
    /// Where its accounts cannot be had, or what was read cannot be kept.
    pub async fn sync(&self, name: &VendorName, vendor: &dyn Vendor) -> Result<Synced, NotSynced> {
        let offered = vendor.accounts().await?;
        let read_at = self.clock.now();
        let complete = offered.is_some();
        let offered = offered.unwrap_or_else(|| self.accounts_of_rules(name));
        let mut whole = VendorCatalog {
            complete,
            accounts: offered.into_iter().map(AccountCatalog::from).collect(),
        };
        let (mut read, mut unread) = (0, Vec::new());
        let mut in_vain = false;
        for (account, category) in self.in_order(name, &whole) {
            if in_vain {
                unread.push(format!("{category} of {account}: not asked for any more"));
                continue;
            }
            match vendor.catalog(&account, category).await {
                Ok(catalog) => {
                    read += 1;
                    let page = Page { read_at: self.clock.now(), catalog };
                    whole.put(&account, category.as_str(), page);
                }
                Err(error) => {
                    // It lists the category and has no page of it: the others may be there.
                    in_vain = !matches!(error, CatalogError::Refused(_));
                    unread.push(format!("{category} of {account}: {error}"));
                }
            }
        }
        let synced_accounts = whole.accounts.len();
        let make = move |kept: Option<&KeptCatalog>| {
            if let Some(kept) = kept {
                keep_newer(&mut whole, &kept.catalog);
            }
            (whole, read_at)
        };
        let changes = self.keep(name, make).await?;
        self.metrics.catalog_read(name, read_at);
        Ok(Synced {
            vendor: name.clone(),
            read_at,
            accounts: synced_accounts,
            categories: read,
            unread,
            changes,
        })
    }

    /// The accounts that rules name for a vendor, with the categories of their cases.
    fn accounts_of_rules(&self, vendor: &VendorName) -> Vec<OfferedAccount> {
        let mut accounts: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
        for (account, category) in asked_for(&self.playbook.get().rules, vendor) {
            accounts.entry(account).or_default().push(category.as_str().to_owned());
        }
        let accounts = accounts.into_iter().map(|(account, categories)| OfferedAccount {
            account,
            name: String::new(),
            categories,
        });
        accounts.collect()
    }

    /// The categories that can be read, those that rules ask for first.
    fn in_order(&self, vendor: &VendorName, whole: &VendorCatalog) -> Vec<(AccountId, Category)> {
        let wanted = asked_for(&self.playbook.get().rules, vendor);
        let mut all: Vec<(AccountId, Category)> = Vec::new();
        for account in &whole.accounts {
            let known = account.categories.iter().filter_map(|one| Category::parse(&one.category));
            all.extend(known.map(|category| (account.account.clone(), category)));
        }
        all.sort_by_key(|page| !wanted.contains(page));
        all
    }

    /// What the rules ask for that their vendors do not offer, as far as it is known.
    pub async fn complaints(&self, playbook: &Playbook) -> Vec<Complaint> {
        let mut found = Vec::new();
        for vendor in vendors_of(&playbook.rules) {
            if let Ok(Some(kept)) = self.kept(&vendor).await {
                found.extend(complaints(&playbook.rules, &vendor, &kept.catalog));
            }
        }
        found
    }

    /// Compares the rules in force with what the vendors offer, and tells what has come up since the
    /// last time. To be called whenever either has changed.
    pub async fn audit(&self) {
        let playbook = self.playbook.get();
        let complaints = self.complaints(&playbook).await;
        let mut by_rule: BTreeMap<&RuleName, u32> =
            playbook.rules.openers().map(|rule| (rule, 0)).collect();
        for complaint in complaints.iter().filter(|one| one.follows.is_serious()) {
            *by_rule.entry(&complaint.rule).or_default() += 1;
        }
        self.metrics.not_offered(by_rule);
        let now: BTreeSet<String> = complaints.iter().map(ToString::to_string).collect();
        let before = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *told, now)
        };
        for complaint in &complaints {
            let text = complaint.to_string();
            if before.contains(&text) {
                continue;
            }
            if complaint.follows.is_serious() {
                self.metrics.alarm("not_offered");
            }
            warn!(rule = %complaint.rule, "{text}");
        }
    }

    /// Has all catalogs read anew as soon as may be.
    pub fn refresh(&self) {
        self.again.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Reads the catalogs at once, and then from time to time, until `stop`.
    pub async fn run(self: Arc<Self>, lanes: Current<Lanes>, stop: CancellationToken) {
        // By what an earlier process has kept.
        self.audit().await;
        let lanes_of_vendors = lanes.get();
        let vendors = lanes_of_vendors.iter().filter(|lane| lane.vendor().is_some());
        let names: Vec<VendorName> = vendors.map(|lane| lane.name.clone()).collect();
        // A vendor that is slow holds up no other.
        let mut rounds = JoinSet::new();
        for name in names {
            let (catalogs, lanes) = (self.clone(), lanes.clone());
            rounds.spawn(async move { catalogs.rounds(&name, &lanes).await });
        }
        // What they are at only reads, and is dropped.
        stop.cancelled().await;
    }

    async fn rounds(&self, name: &VendorName, lanes: &Current<Lanes>) {
        let mut again = self.again.subscribe();
        let mut well = true;
        loop {
            again.mark_unchanged();
            let Some(lane) = lanes.get().iter().find(|lane| lane.name == *name).cloned() else {
                return;
            };
            let refresh = lane.settings.catalog_refresh;
            let was_well = std::mem::replace(&mut well, self.round(&lane).await);
            if was_well && !well {
                self.metrics.alarm("catalog");
            }
            let wait = if well { refresh } else { refresh.min(AFTER_TROUBLE) };
            tokio::select! {
                changed = again.changed() => if changed.is_err() { return },
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// Whether all of it was read.
    async fn round(&self, lane: &Lane) -> bool {
        let name = &lane.name;
        if !matches!(lane.admits(self.clock.now()), Admission::Free) {
            return false;
        }
        let Some(vendor) = lane.vendor() else { return true };
        match self.sync(name, &**vendor).await {
            Ok(synced) => {
                info!(
                    vendor = %name, accounts = synced.accounts, categories = synced.categories,
                    "the catalog of vendor {name} was read: {} accounts, {} categories",
                    synced.accounts, synced.categories
                );
                for unread in &synced.unread {
                    warn!(vendor = %name, "the catalog of vendor {name} was not read whole: {unread}");
                }
                synced.unread.is_empty()
            }
            Err(error) => {
                let age = match self.kept(name).await {
                    Ok(Some(kept)) => format!("; that of {} is gone by", kept.read_at),
                    _ => String::new(),
                };
                warn!(vendor = %name, "the catalog of vendor {name} could not be read{age}: {error}");
                false
            }
        }
    }
}

/// What was not read stays as it was known; and so does what was read by somebody else meanwhile.
fn keep_newer(whole: &mut VendorCatalog, known: &VendorCatalog) {
    for account in &mut whole.accounts {
        let Some(known) = known.account(&account.account) else { continue };
        for category in &mut account.categories {
            let same = known.categories.iter().find(|one| one.category == category.category);
            let Some(page) = same.and_then(|one| one.page.as_ref()) else { continue };
            if category.page.as_ref().is_none_or(|read| read.read_at < page.read_at) {
                category.page = Some(page.clone());
            }
        }
    }
}

/// The vendors that rules open cases at.
fn vendors_of(rules: &RuleSet) -> BTreeSet<VendorName> {
    let of = |rule: &crate::rules::Rule| match &rule.then {
        Then::Case(case) => Some(case.vendor.clone()),
        Then::Ignore => None,
    };
    rules.rules().iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::Catalog;
    use crate::domain::catalog::whole::CategoryCatalog;
    use crate::domain::testing::at;

    fn page(solution: &str, read_at: i64) -> Page {
        let catalog = Catalog { solutions: vec![solution.to_owned()], ..Catalog::default() };
        Page { read_at: at(read_at), catalog }
    }

    fn whole(page_of_billing: Option<Page>) -> VendorCatalog {
        let category = CategoryCatalog { category: "BILLING".to_owned(), page: page_of_billing };
        let account = AccountCatalog {
            account: "A-1".into(),
            name: String::new(),
            categories: vec![category],
        };
        VendorCatalog { complete: true, accounts: vec![account] }
    }

    #[test]
    fn what_was_not_read_stays_and_the_newer_of_two_readings_counts() {
        for (read, known, kept) in [
            (None, Some(page("old", 1)), Some(page("old", 1))),
            (Some(page("new", 2)), Some(page("old", 1)), Some(page("new", 2))),
            (Some(page("new", 2)), Some(page("newer", 3)), Some(page("newer", 3))),
            (Some(page("new", 2)), None, Some(page("new", 2))),
            (None, None, None),
        ] {
            let mut result = whole(read);
            keep_newer(&mut result, &whole(known));
            assert_eq!(result, whole(kept));
        }
    }

    #[test]
    fn a_category_that_is_not_offered_any_more_does_not_stay() {
        let mut read = whole(None);
        read.accounts[0].categories.clear();
        let expected = read.clone();
        keep_newer(&mut read, &whole(Some(page("old", 1))));
        assert_eq!(read, expected);
    }
}
