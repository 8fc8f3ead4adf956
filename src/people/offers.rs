//! What the vendors accept, as it was last read, and finding a name in it.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::People;
use crate::domain::catalog::changes::Entry;
use crate::domain::catalog::likeness::{Found, found};
use crate::domain::catalog::whole::AccountCatalog;
use crate::domain::ids::VendorName;
use crate::store::StoreError;

/// So many names are found at most.
pub const FOUND: usize = 100;

/// Which part of the catalogs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffersSought {
    /// Only of this vendor.
    pub vendor: Option<VendorName>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this category.
    pub category: Option<String>,
}

/// What a vendor accepts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Offers {
    /// The vendor.
    pub vendor: String,
    /// When it was asked.
    pub read_at: Timestamp,
    /// Whether these are all accounts and categories that we may use.
    pub complete: bool,
    /// The accounts, each with its categories and what they accept: products with their problems and
    /// severities, policy domains, areas with their services, solutions, packages, parent accounts.
    #[schema(value_type = Vec<Object>)]
    pub accounts: Vec<Value>,
}

/// A name that is like what was looked for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hit {
    /// The vendor.
    pub vendor: String,
    /// What it is: `account`, `category`, or the key of a rule's `case:` that holds such a name.
    pub part: &'static str,
    /// The name.
    pub name: String,
    /// What else it is called; may be empty.
    pub title: String,
    /// The names above it, from the account down.
    pub within: Vec<String>,
}

impl OffersSought {
    fn narrowed(&self, accounts: &[AccountCatalog]) -> Vec<AccountCatalog> {
        let mut accounts = accounts.to_vec();
        accounts.retain(|one| self.account.as_ref().is_none_or(|id| one.account.as_str() == id));
        for one in &mut accounts {
            one.categories
                .retain(|one| self.category.as_ref().is_none_or(|id| one.category == *id));
        }
        accounts
    }
}

impl People {
    /// What the vendors accept; those of which nothing is known are left out.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn offers(&self, sought: &OffersSought) -> Result<Vec<Offers>, StoreError> {
        let mut offers = Vec::new();
        for name in self.offering(sought.vendor.as_ref()) {
            let Some(kept) = self.catalogs.kept(&name).await? else { continue };
            let accounts = sought.narrowed(&kept.catalog.accounts);
            offers.push(Offers {
                vendor: name.to_string(),
                read_at: kept.read_at,
                complete: kept.catalog.complete,
                accounts: accounts
                    .iter()
                    .filter_map(|one| serde_json::to_value(one).ok())
                    .collect(),
            });
        }
        Ok(offers)
    }

    /// Names that are like `words`, the most alike first, at most `limit`.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn search_offers(
        &self,
        sought: &OffersSought,
        words: &str,
        limit: usize,
    ) -> Result<Vec<Hit>, StoreError> {
        let mut hits: Vec<(Found, VendorName, Entry)> = Vec::new();
        for name in self.offering(sought.vendor.as_ref()) {
            let Some(kept) = self.catalogs.kept(&name).await? else { continue };
            for item in kept.catalog.items() {
                for entry in item.entries() {
                    let score = found(words, &entry.name).max(found(words, &entry.title));
                    hits.extend(score.map(|score| (score, name.clone(), entry)));
                }
            }
        }
        let at = |entry: &Entry, place: usize, wanted: &Option<String>| {
            let mut path = entry.within.iter().chain([&entry.name]);
            wanted.as_ref().is_none_or(|wanted| path.nth(place) == Some(wanted))
        };
        hits.retain(|(_, _, entry)| {
            at(entry, 0, &sought.account) && at(entry, 1, &sought.category)
        });
        // Of equals, in the order of the catalog.
        hits.sort_by_key(|(score, ..)| Reverse(*score));
        hits.truncate(limit);
        let hit = |(_, vendor, entry): (Found, VendorName, Entry)| Hit {
            vendor: vendor.to_string(),
            part: entry.part.name(),
            name: entry.name,
            title: entry.title,
            within: entry.within,
        };
        Ok(hits.into_iter().map(hit).collect())
    }

    fn offering(&self, wanted: Option<&VendorName>) -> Vec<VendorName> {
        let lanes = self.lanes.get();
        let vendors = lanes.iter().filter(|lane| lane.vendor().is_some());
        let names = vendors.map(|lane| lane.name.clone());
        names.filter(|name| wanted.is_none_or(|wanted| wanted == name)).collect()
    }
}
