//! Which of the [`Choices`] a category must have and must not have.
//!
//! Akamai's page "Create a new case" words most of these fields as "only when" the category is
//! such and such. What the vendor does with a field in the wrong category is not documented, so
//! it is refused here before it is sent.

use std::fmt;

use super::{Category, Choices};

/// One of the fields that only some categories have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChoiceField {
    /// `productName`.
    Product,
    /// `problemName`.
    Problem,
    /// `policyDomainName`.
    PolicyDomain,
    /// `areaName`.
    Area,
    /// `serviceName`.
    Service,
    /// `parentAccountId`.
    ParentAccount,
    /// `productSolutionName`.
    Solution,
    /// `psPackageName`.
    Package,
}

impl ChoiceField {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Product,
        Self::Problem,
        Self::PolicyDomain,
        Self::Area,
        Self::Service,
        Self::ParentAccount,
        Self::Solution,
        Self::Package,
    ];

    /// The key in a rule's `case:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Problem => "problem",
            Self::PolicyDomain => "policy_domain",
            Self::Area => "area",
            Self::Service => "service",
            Self::ParentAccount => "parent_account",
            Self::Solution => "solution",
            Self::Package => "package",
        }
    }

    /// The field with that key.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The longest value that the vendor takes, in UTF-16 units.
    pub fn limit(self) -> usize {
        match self {
            Self::PolicyDomain => 80,
            Self::ParentAccount => 20,
            _ => 255,
        }
    }

    /// The field's value.
    pub fn of(self, choices: &Choices) -> Option<&str> {
        match self {
            Self::Product => &choices.product,
            Self::Problem => &choices.problem,
            Self::PolicyDomain => &choices.policy_domain,
            Self::Area => &choices.area,
            Self::Service => &choices.service,
            Self::ParentAccount => &choices.parent_account,
            Self::Solution => &choices.solution,
            Self::Package => &choices.package,
        }
        .as_deref()
    }

    /// The place where the field's value is kept.
    pub fn of_mut(self, choices: &mut Choices) -> &mut Option<String> {
        match self {
            Self::Product => &mut choices.product,
            Self::Problem => &mut choices.problem,
            Self::PolicyDomain => &mut choices.policy_domain,
            Self::Area => &mut choices.area,
            Self::Service => &mut choices.service,
            Self::ParentAccount => &mut choices.parent_account,
            Self::Solution => &mut choices.solution,
            Self::Package => &mut choices.package,
        }
    }
}

impl fmt::Display for ChoiceField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fields without which the vendor takes no case of this category.
///
/// A parent account is not among them: it is required only for an indirect contract, which only
/// the catalog tells.
pub fn required_fields(category: Category) -> &'static [ChoiceField] {
    use ChoiceField::{Area, Package, PolicyDomain, Problem, Product, Service, Solution};
    match category {
        Category::Technical | Category::ManagedCloud => &[Product, Problem],
        Category::Security => &[Product, Problem, PolicyDomain],
        Category::BusinessSupport | Category::Billing => &[Area, Service],
        Category::ProfessionalServices => &[Solution, Package],
    }
}

/// The fields that belong to other categories only.
pub fn forbidden_fields(category: Category) -> &'static [ChoiceField] {
    use ChoiceField::{
        Area, Package, ParentAccount, PolicyDomain, Problem, Product, Service, Solution,
    };
    match category {
        Category::Technical | Category::ManagedCloud => {
            &[PolicyDomain, Area, Service, ParentAccount, Solution, Package]
        }
        Category::Security => &[Area, Service, ParentAccount, Solution, Package],
        Category::BusinessSupport | Category::Billing => {
            &[Product, Problem, PolicyDomain, Solution, Package]
        }
        Category::ProfessionalServices => {
            &[Product, Problem, PolicyDomain, Area, Service, ParentAccount]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_required_or_forbidden_except_a_parent_account() {
        for category in Category::ALL {
            for field in ChoiceField::ALL {
                let required = required_fields(category).contains(&field);
                let forbidden = forbidden_fields(category).contains(&field);
                let optional = field == ChoiceField::ParentAccount
                    && matches!(category, Category::BusinessSupport | Category::Billing);
                assert_eq!((required, forbidden), (required, !required && !optional));
                assert!(!(required && forbidden), "{category} {field}");
                assert_eq!(!required && !forbidden, optional, "{category} {field}");
            }
        }
    }

    #[test]
    fn names_are_the_keys_of_the_config_and_lead_to_the_values() {
        for field in ChoiceField::ALL {
            assert_eq!(ChoiceField::parse(field.name()), Some(field));
            let mut choices = Choices::default();
            assert_eq!(field.of(&choices), None);
            *field.of_mut(&mut choices) = Some("x".to_owned());
            assert_eq!(field.of(&choices), Some("x"));
            let set = ChoiceField::ALL.into_iter().filter(|f| f.of(&choices).is_some()).count();
            assert_eq!(set, 1, "{field}");
            // The key is the name of the struct's field, too.
            let value = serde_json::to_value(&choices).unwrap();
            assert_eq!(value.get(field.name()), Some(&"x".into()));
        }
        assert_eq!(ChoiceField::parse("productName"), None);
    }
}
