//! What a vendor accepts for one account and category.
//!
//! Names are free text whose case and punctuation matter; they are compared exactly. All of a
//! vendor's catalogs together, as they were last read, are in [`whole`]; how two readings differ is
//! in [`changes`], and what people may have meant in [`likeness`].

pub mod changes;
pub mod likeness;
pub mod whole;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::draft::Choices;
use super::severity::{Rank, SeverityPolicy};

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

    /// Whether the vendor charges for cases of this category. Config refuses such a category
    /// unless a person has explicitly allowed it, because what opens cases here is a machine.
    pub fn is_billable(self) -> bool {
        self == Self::ProfessionalServices
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// The problem names that belong to it.
    pub problems: Vec<String>,
    /// Its own severities; empty where the category's apply (SECURITY).
    pub severities: Vec<String>,
}

/// A policy domain (SECURITY) and the products in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyDomain {
    /// Its name.
    pub name: String,
    /// The products that it covers.
    pub products: Vec<Product>,
}

/// An area (BILLING, BUSINESS_SUPPORT) and its services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// The services that belong to it.
    pub services: Vec<String>,
}

/// What the vendor accepts for one account and category. Lists that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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

/// What a catalog says to a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankedSeverity<'a> {
    /// This is it, in the vendor's own words.
    Is(&'a str),
    /// There is none of this rank; the policy has this one stand in.
    StandsIn(&'a str),
    /// There is none of this rank, and the policy wants no other.
    Lacking,
    /// The vendor names no severities at all.
    NoneOffered,
}

impl Catalog {
    /// The severities that the vendor accepts for these choices, worst first, each once. Empty
    /// where the vendor names none.
    ///
    /// TECHNICAL and MANAGED_CLOUD have severities per product and fall back to the category's
    /// own (for MANAGED_CLOUD nothing is documented); every other category has only its own. The
    /// strings begin with a number, 1 being the worst, but come in any order, so they are sorted
    /// by it; those without a number keep their order behind the others.
    pub fn severities_for(&self, category: Category, choices: &Choices) -> Vec<&str> {
        let of_the_product: Vec<&String> = match (category, &choices.product) {
            (Category::Technical | Category::ManagedCloud, Some(name)) => self
                .products
                .iter()
                .filter(|product| product.name == *name)
                .flat_map(|product| &product.severities)
                .collect(),
            _ => Vec::new(),
        };
        let chosen = if of_the_product.is_empty() {
            self.severities.iter().collect()
        } else {
            of_the_product
        };

        let mut severities: Vec<&str> = Vec::with_capacity(chosen.len());
        for severity in chosen {
            if !severities.contains(&severity.as_str()) {
                severities.push(severity);
            }
        }
        severities.sort_by_key(|severity| leading_number(severity).unwrap_or(u64::MAX));
        severities
    }

    /// The vendor's string for a rank.
    ///
    /// Where every severity begins with a number of its own, from 1 on, that number is its rank:
    /// so a product that has no `1-...` keeps its `2-...` for rank 2, and what of a list goes away
    /// or comes does not move the others. Where they do not, a rank is a place in the list, counted
    /// from the worst. What becomes of a rank that is not there is for the policy to say.
    pub fn severity(
        &self,
        category: Category,
        choices: &Choices,
        rank: Rank,
        policy: SeverityPolicy,
    ) -> RankedSeverity<'_> {
        let ranked = ranked(self.severities_for(category, choices));
        let wanted = u64::from(rank.get());
        if let Some((_, name)) = ranked.iter().find(|(rank, _)| *rank == wanted) {
            return RankedSeverity::Is(name);
        }
        // Sorted: the worst come first.
        let worse = ranked.iter().rev().find(|(rank, _)| *rank < wanted);
        let better = ranked.iter().find(|(rank, _)| *rank > wanted);
        let nearest = match policy {
            SeverityPolicy::NearestHigher => worse.or(better),
            SeverityPolicy::NearestLower => better.or(worse),
            SeverityPolicy::Exact if ranked.is_empty() => None,
            SeverityPolicy::Exact => return RankedSeverity::Lacking,
        };
        nearest.map_or(RankedSeverity::NoneOffered, |(_, name)| RankedSeverity::StandsIn(name))
    }
}

/// Severities, worst first, with their ranks.
fn ranked(severities: Vec<&str>) -> Vec<(u64, &str)> {
    let numbers: Vec<u64> = severities.iter().filter_map(|name| leading_number(name)).collect();
    // They are sorted by it.
    let each_its_own = numbers.len() == severities.len()
        && numbers.first() != Some(&0)
        && numbers.is_sorted_by(|one, next| one < next);
    if each_its_own {
        return numbers.into_iter().zip(severities).collect();
    }
    (1..).zip(severities).collect()
}

/// The number that a severity begins with, as in `2-Moderate Impact`.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn product(name: &str) -> Choices {
        Choices { product: Some(name.to_owned()), ..Choices::default() }
    }

    fn rank(rank: u64) -> Rank {
        Rank::new(rank).unwrap()
    }

    fn catalog() -> Catalog {
        Catalog {
            products: vec![
                Product {
                    name: "Ion".to_owned(),
                    severities: names(&["3-Low Impact", "1-Major Impact", "2-Moderate Impact"]),
                    ..Product::default()
                },
                // The vendor repeats products; the lists are one.
                Product {
                    name: "Ion".to_owned(),
                    severities: names(&["1-Major Impact", "10-None"]),
                    ..Product::default()
                },
                Product { name: "Bare".to_owned(), ..Product::default() },
            ],
            severities: names(&["2-Major", "1-Critical"]),
            ..Catalog::default()
        }
    }

    #[test]
    fn severities_are_the_products_own_sorted_by_number_and_each_once() {
        assert_eq!(
            catalog().severities_for(Category::Technical, &product("Ion")),
            ["1-Major Impact", "2-Moderate Impact", "3-Low Impact", "10-None"]
        );
    }

    #[test]
    fn severities_fall_back_to_the_categorys() {
        for choices in [product("Bare"), product("Unheard Of"), Choices::default()] {
            assert_eq!(
                catalog().severities_for(Category::ManagedCloud, &choices),
                ["1-Critical", "2-Major"]
            );
        }
        assert_eq!(
            catalog().severities_for(Category::Security, &product("Ion")),
            ["1-Critical", "2-Major"]
        );
    }

    #[test]
    fn severities_without_a_number_keep_their_order_behind_the_others() {
        let catalog =
            Catalog { severities: names(&["Worse", "Bad", "1-Worst"]), ..Catalog::default() };
        assert_eq!(
            catalog.severities_for(Category::Billing, &Choices::default()),
            ["1-Worst", "Worse", "Bad"]
        );
    }

    fn resolved<'c>(catalog: &'c Catalog, n: u64, policy: SeverityPolicy) -> RankedSeverity<'c> {
        catalog.severity(Category::Billing, &Choices::default(), rank(n), policy)
    }

    #[test]
    fn a_rank_is_the_number_that_a_severity_begins_with() {
        use RankedSeverity::{Is, Lacking, StandsIn};
        use SeverityPolicy::{Exact, NearestHigher, NearestLower};
        let catalog =
            Catalog { severities: names(&["5-Low", "2-Major", "3-Minor"]), ..Catalog::default() };
        for (rank, higher, lower, exact) in [
            (1, StandsIn("2-Major"), StandsIn("2-Major"), Lacking),
            (2, Is("2-Major"), Is("2-Major"), Is("2-Major")),
            (4, StandsIn("3-Minor"), StandsIn("5-Low"), Lacking),
            (5, Is("5-Low"), Is("5-Low"), Is("5-Low")),
            (9, StandsIn("5-Low"), StandsIn("5-Low"), Lacking),
        ] {
            assert_eq!(resolved(&catalog, rank, NearestHigher), higher, "{rank}");
            assert_eq!(resolved(&catalog, rank, NearestLower), lower, "{rank}");
            assert_eq!(resolved(&catalog, rank, Exact), exact, "{rank}");
        }
    }

    #[test]
    fn a_rank_is_a_place_where_not_every_severity_has_a_number_of_its_own() {
        use RankedSeverity::{Is, StandsIn};
        for list in [
            ["High", "Middle", "Low"],
            ["2-High", "2-Middle", "Low"],
            ["0-High", "1-Middle", "2-Low"],
        ] {
            let catalog = Catalog { severities: names(&list), ..Catalog::default() };
            for (place, name) in (1..).zip(list) {
                assert_eq!(resolved(&catalog, place, SeverityPolicy::Exact), Is(name));
            }
            assert_eq!(
                resolved(&catalog, 4, SeverityPolicy::NearestHigher),
                StandsIn(list[2]),
                "{list:?}"
            );
        }
    }

    #[test]
    fn no_severity_where_the_vendor_names_none() {
        for policy in
            [SeverityPolicy::NearestHigher, SeverityPolicy::NearestLower, SeverityPolicy::Exact]
        {
            assert_eq!(resolved(&Catalog::default(), 1, policy), RankedSeverity::NoneOffered);
        }
    }

    #[test]
    fn leading_numbers() {
        for (text, number) in
            [("1-Critical", Some(1)), (" 2 x", Some(2)), ("x1", None), ("", None), ("12", Some(12))]
        {
            assert_eq!(leading_number(text), number, "{text:?}");
        }
        assert_eq!(leading_number("99999999999999999999-x"), None);
    }
}
