//! What the simulated vendor offers: accounts, their categories, and the values that each category
//! accepts. The data is `catalog.json`, unless the switches give another; this is its form and the
//! questions asked of it.
//!
//! As in the vendor's own example, severities stand worst last, scales differ from product to
//! product, and a product can be listed several times.

use serde::{Deserialize, Serialize};

/// All accounts that the one API client may use. The first is the client's own.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalog {
    pub(super) accounts: Vec<AccountEntry>,
}

/// An account and its categories.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AccountEntry {
    pub(super) account_id: String,
    pub(super) account_name: String,
    pub(super) categories: Vec<CategoryEntry>,
}

/// What a category accepts; lists that do not apply are empty.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CategoryEntry {
    pub(super) category_id: String,
    pub(super) category_name: String,
    pub(super) description: String,
    #[serde(default)]
    pub(super) products: Vec<Product>,
    #[serde(default)]
    pub(super) policy_domains: Vec<PolicyDomain>,
    #[serde(default)]
    pub(super) areas: Vec<Area>,
    #[serde(default)]
    pub(super) parent_accounts: Vec<ParentAccount>,
    #[serde(default)]
    pub(super) product_solution_names: Vec<String>,
    #[serde(default)]
    pub(super) ps_package_names: Vec<String>,
    #[serde(default)]
    pub(super) severities: Vec<String>,
}

/// A product, its problems, and (outside policy domains) its own severity scale.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Product {
    pub(super) product_name: String,
    pub(super) problem_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) severities: Vec<String>,
}

/// A policy domain and the products in it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyDomain {
    pub(super) policy_domain_name: String,
    pub(super) products: Vec<Product>,
}

/// An area and its services.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Area {
    pub(super) area_name: String,
    pub(super) service_names: Vec<String>,
}

/// The account through which an indirect customer has its contract.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParentAccount {
    pub(super) account_id: String,
    pub(super) account_name: String,
}

impl Catalog {
    /// The catalog in the binary.
    pub(super) fn built_in() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("catalog.json"))
    }

    pub(super) fn account(&self, account_id: &str) -> Option<&AccountEntry> {
        self.accounts.iter().find(|account| account.account_id == account_id)
    }
}

impl AccountEntry {
    pub(super) fn category(&self, category_id: &str) -> Option<&CategoryEntry> {
        self.categories.iter().find(|category| category.category_id == category_id)
    }
}
