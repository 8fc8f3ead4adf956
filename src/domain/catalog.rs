//! What a vendor accepts for one account and category.
//!
//! Names are free text whose case and punctuation matter; they are compared exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A case category. The vendor's list is closed for requests; each has its own required and
/// forbidden fields (see [`super::draft`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// Product and problem.
    Technical,
    /// Product and problem, for the managed cloud products.
    ManagedCloud,
    /// Policy domain, product and problem.
    Security,
    /// Area and service.
    BusinessSupport,
    /// Area and service.
    Billing,
    /// Solution and package. Billable: refused unless explicitly allowed.
    ProfessionalServices,
}

impl Category {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::Technical,
        Self::ManagedCloud,
        Self::Security,
        Self::BusinessSupport,
        Self::Billing,
        Self::ProfessionalServices,
    ];

    /// The vendor's `categoryId`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Technical => "TECHNICAL",
            Self::ManagedCloud => "MANAGED_CLOUD",
            Self::Security => "SECURITY",
            Self::BusinessSupport => "BUSINESS_SUPPORT",
            Self::Billing => "BILLING",
            Self::ProfessionalServices => "PROFESSIONAL_SERVICES",
        }
    }

    /// The category with that `categoryId`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == text)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A product, with the problems and severities that go with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// The problem names that belong to it.
    pub problems: Vec<String>,
    /// Its own severities; empty where the category's apply (SECURITY).
    pub severities: Vec<String>,
}

/// A policy domain (SECURITY) and the products in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyDomain {
    /// Its name.
    pub name: String,
    /// The products that it covers.
    pub products: Vec<Product>,
}

/// An area (BILLING, BUSINESS_SUPPORT) and its services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// The services that belong to it.
    pub services: Vec<String>,
}

/// What the vendor accepts for one account and category. Lists that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// For TECHNICAL and MANAGED_CLOUD.
    pub products: Vec<Product>,
    /// For every category but TECHNICAL.
    pub severities: Vec<String>,
    /// For SECURITY.
    pub policy_domains: Vec<PolicyDomain>,
    /// For BILLING and BUSINESS_SUPPORT.
    pub areas: Vec<Area>,
    /// Ids of parent accounts; not empty means that the contract is indirect.
    pub parent_accounts: Vec<String>,
    /// For PROFESSIONAL_SERVICES.
    pub solutions: Vec<String>,
    /// For PROFESSIONAL_SERVICES.
    pub packages: Vec<String>,
}
