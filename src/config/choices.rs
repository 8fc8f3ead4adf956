//! The fields that only some categories have: which of them a file must name, and which it must not.

use std::collections::BTreeMap;

use super::decode::{Decode, Section};
use crate::domain::catalog::Category;
use crate::domain::draft::{ChoiceField, forbidden_fields, required_fields};

/// The names of the categories.
pub const CATEGORIES: [(&str, Category); 6] = [
    ("TECHNICAL", Category::Technical),
    ("MANAGED_CLOUD", Category::ManagedCloud),
    ("SECURITY", Category::Security),
    ("BUSINESS_SUPPORT", Category::BusinessSupport),
    ("BILLING", Category::Billing),
    ("PROFESSIONAL_SERVICES", Category::ProfessionalServices),
];

/// Reads the choices of a case. What is missing is told at `at`, the key that says which category
/// it is; where that is not known, nothing is told.
pub fn read<T: Decode>(
    section: &mut Section<'_>,
    at: &str,
    category: Option<Category>,
) -> BTreeMap<ChoiceField, T> {
    let mut choices = BTreeMap::new();
    for field in ChoiceField::ALL {
        let key = field.name();
        if let Some(value) = section.optional(key) {
            choices.insert(field, value);
        }
        let Some(category) = category else { continue };
        if required_fields(category).contains(&field) && !section.has(key) {
            section.error_at_key(
                at,
                format!("the category {category} needs `{key}`"),
                format!("add `{key}: ...` to {}", section.name()),
            );
        } else if forbidden_fields(category).contains(&field) && section.has(key) {
            let accepted: Vec<&str> = ChoiceField::ALL
                .into_iter()
                .filter(|field| !forbidden_fields(category).contains(field))
                .map(ChoiceField::name)
                .collect();
            section.error_at_key(
                key,
                format!("the category {category} has no `{key}`"),
                format!("remove it; this category has: {}", accepted.join(", ")),
            );
        }
    }
    choices
}

/// Refuses a category that the vendor bills, unless a person has said that rules may open such
/// cases: what opens them is a machine.
pub fn refuse_billable(section: &Section<'_>, category: Option<Category>, allowed: bool) {
    if let Some(category) = category.filter(|category| category.is_billable() && !allowed) {
        section.error_at_key(
            "category",
            format!("the vendor bills cases of the category {category}"),
            "if you mean it, set `allow_billable: true` at the vendor",
        );
    }
}
