//! All that a vendor accepts, as it was last read: accounts, their categories, and the catalog of
//! each. Kept, so that cases can be drafted while the vendor cannot be asked, and so that it can be
//! told what has changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::changes::{Change, Item, changes};
use super::{Catalog, Category};
use crate::domain::ids::AccountId;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VendorCatalog {
    /// Whether these are all accounts and categories that we may use. Not so where only single
    /// categories were read: then nothing follows from what is not among them.
    pub complete: bool,
    /// The accounts that we may use.
    pub accounts: Vec<AccountCatalog>,
}

/// What an account may open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCatalog {
    /// Its id.
    pub account: AccountId,
    /// Its name; may be empty.
    #[serde(default)]
    pub name: String,
    /// The categories that it is offered.
    #[serde(default)]
    pub categories: Vec<CategoryCatalog>,
}

/// What a category of an account accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryCatalog {
    /// The vendor's `categoryId`; may be one that [`Category`] does not know.
    pub category: String,
    /// What it accepts; `None` if it could not be read yet.
    #[serde(default)]
    pub page: Option<Page>,
}

/// The catalog of one account and category, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// When.
    pub read_at: Timestamp,
    /// What it says.
    pub catalog: Catalog,
}

impl VendorCatalog {
    /// What is known of an account.
    pub fn account(&self, account: &AccountId) -> Option<&AccountCatalog> {
        self.accounts.iter().find(|known| known.account == *account)
    }

    /// What is known of a category of an account.
    pub fn page(&self, account: &AccountId, category: Category) -> Option<&Page> {
        self.account(account)?.category(category)?.page.as_ref()
    }

    /// Notes what a category of an account accepts.
    pub fn put(&mut self, account: &AccountId, category: &str, page: Page) {
        let place = match self.accounts.iter_mut().position(|known| known.account == *account) {
            Some(place) => place,
            None => {
                self.accounts.push(AccountCatalog {
                    account: account.clone(),
                    name: String::new(),
                    categories: Vec::new(),
                });
                self.accounts.len() - 1
            }
        };
        let Some(account) = self.accounts.get_mut(place) else { return };
        match account.categories.iter_mut().find(|known| known.category == category) {
            Some(known) => known.page = Some(page),
            None => account
                .categories
                .push(CategoryCatalog { category: category.to_owned(), page: Some(page) }),
        }
    }

    /// Everything in it, as a tree.
    pub fn items(&self) -> Vec<Item> {
        self.accounts.iter().map(Item::of_account).collect()
    }
}

impl AccountCatalog {
    /// What is known of a category; `None` if the account is not offered it.
    pub fn category(&self, category: Category) -> Option<&CategoryCatalog> {
        self.categories.iter().find(|known| known.category == category.as_str())
    }
}

/// A vendor's catalog as the store keeps it, with the last one that differed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCatalog {
    /// When the vendor was last asked for all of it.
    pub read_at: Timestamp,
    /// What it said.
    pub catalog: VendorCatalog,
    /// What it had said until it said otherwise.
    pub before: Option<Former>,
}

/// A reading that another one has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// When it was last read.
    pub read_at: Timestamp,
    /// What it said.
    pub catalog: VendorCatalog,
}

impl KeptCatalog {
    /// What is to be kept after a reading, and how that differs from what was kept. Readings that
    /// say the same take no place of their own: what differed before stays to be told.
    pub fn after(
        kept: Option<Self>,
        catalog: VendorCatalog,
        read_at: Timestamp,
    ) -> (Self, Vec<Change>) {
        let Some(kept) = kept.filter(|kept| kept.catalog.complete) else {
            return (Self { read_at, catalog, before: None }, Vec::new());
        };
        let differs = changes(&kept.catalog.items(), &catalog.items());
        let before = if differs.is_empty() {
            kept.before
        } else {
            Some(Former { read_at: kept.read_at, catalog: kept.catalog })
        };
        (Self { read_at, catalog, before }, differs)
    }

    /// How it differs from what the vendor had said before; nothing if it never said otherwise.
    pub fn changes(&self) -> Vec<Change> {
        let before = self.before.as_ref();
        before
            .map_or_else(Vec::new, |before| changes(&before.catalog.items(), &self.catalog.items()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    fn catalog(solution: &str) -> VendorCatalog {
        let mut whole = VendorCatalog { complete: true, ..VendorCatalog::default() };
        let catalog = Catalog { solutions: vec![solution.to_owned()], ..Catalog::default() };
        whole.put(&"A-1".into(), "PROFESSIONAL_SERVICES", Page { read_at: T0, catalog });
        whole
    }

    #[test]
    fn what_is_put_is_found_under_its_account_and_category_only() {
        let whole = catalog("Web");
        let account: AccountId = "A-1".into();
        let page = whole.page(&account, Category::ProfessionalServices).unwrap();
        assert_eq!(page.catalog.solutions, ["Web"]);
        assert_eq!(whole.page(&account, Category::Billing), None);
        assert_eq!(whole.page(&"A-2".into(), Category::ProfessionalServices), None);
    }

    #[test]
    fn a_page_that_is_put_again_takes_the_place_of_the_other() {
        let mut whole = catalog("Web");
        whole.put(
            &"A-1".into(),
            "PROFESSIONAL_SERVICES",
            Page { read_at: at(9), catalog: Catalog::default() },
        );
        assert_eq!(whole.accounts.len(), 1);
        assert_eq!(whole.accounts[0].categories.len(), 1);
        assert_eq!(whole.accounts[0].categories[0].page.as_ref().unwrap().read_at, at(9));
    }

    #[test]
    fn what_follows_single_pages_is_a_first_reading() {
        let single = VendorCatalog { complete: false, ..catalog("Web") };
        let (kept, _) = KeptCatalog::after(None, single, T0);
        let (kept, told) = KeptCatalog::after(Some(kept), catalog("Media"), at(10));
        assert_eq!((kept.before, told), (None, Vec::new()));
    }

    #[test]
    fn the_last_reading_that_differed_is_kept_however_often_the_same_is_read_again() {
        let (kept, told) = KeptCatalog::after(None, catalog("Web"), T0);
        assert_eq!((kept.before.clone(), told.len()), (None, 0));
        let (kept, told) = KeptCatalog::after(Some(kept), catalog("Media"), at(10));
        assert_eq!(told.len(), 2, "one is gone, one is new");
        let (kept, told) = KeptCatalog::after(Some(kept), catalog("Media"), at(20));
        assert!(told.is_empty());
        assert_eq!(kept.read_at, at(20));
        let before = kept.before.as_ref().unwrap();
        assert_eq!((before.read_at, &before.catalog), (T0, &catalog("Web")));
        assert_eq!(kept.changes().len(), 2);
    }
}
