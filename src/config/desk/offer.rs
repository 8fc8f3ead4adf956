//! What a desk accepts: accounts, severities, and what belongs to each category.

use std::collections::BTreeMap;

use crate::config::decode::{Field, Section};
use crate::domain::catalog::{Area, Catalog, Category, PolicyDomain, Product};
use crate::domain::desk::template::Form;
use crate::domain::desk::{Body, Offer, Severity};
use crate::domain::draft::Choices;
use crate::domain::ids::AccountId;

/// Names, each with those that belong to it.
type Names = BTreeMap<String, Vec<String>>;

/// Reads the keys of what is accepted.
pub(super) fn read(section: &mut Section<'_>) -> Option<Offer> {
    let accounts = section.one_or_many::<String>("accounts");
    section.require("severities");
    let field = section.field("severities");
    let severities = field.as_ref().and_then(|field| {
        let severities: Vec<_> = field.items()?.iter().map(severity).collect();
        severities.into_iter().collect::<Option<Vec<Severity>>>()
    });
    section.reject_empty_list("severities");
    if let (Some(field), Some(severities)) = (&field, &severities) {
        check_severities(field, severities);
    }
    section.require("categories");
    let categories = section.section("categories").map(categories);
    let severities = severities?;
    let mut categories = categories?;
    let names: Vec<String> = severities.iter().map(|one| one.name.clone()).collect();
    for catalog in categories.values_mut() {
        catalog.severities.clone_from(&names);
    }
    let accounts = accounts.into_iter().map(AccountId::new).collect();
    Some(Offer { accounts, severities, categories })
}

/// The names of what severities have.
pub(super) fn fields(offer: &Offer) -> Vec<String> {
    offer.severities.first().map(|one| one.fields.keys().cloned().collect()).unwrap_or_default()
}

fn severity(field: &Field<'_>) -> Option<Severity> {
    if !field.is_map() {
        return Some(Severity { name: field.decode()?, fields: BTreeMap::new() });
    }
    let mut section = field.section()?;
    let name = section.required("name");
    let fields =
        if section.has("fields") { section.optional("fields") } else { Some(BTreeMap::new()) };
    section.known(&["fields"]);
    section.finish();
    Some(Severity { name: name?, fields: fields? })
}

fn check_severities(field: &Field<'_>, severities: &[Severity]) {
    let Some(first) = severities.first() else { return };
    for one in severities {
        let odd = first
            .fields
            .keys()
            .find(|key| !one.fields.contains_key(*key))
            .map(|key| (key, one, first));
        let odd = odd.or_else(|| {
            let more = one.fields.keys().find(|key| !first.fields.contains_key(*key));
            more.map(|key| (key, first, one))
        });
        if let Some((key, without, with)) = odd {
            let message = format!(
                "`{}`: `{}` has no `{key}`, which `{}` has",
                field.path(),
                without.name,
                with.name
            );
            field.error(message, "give every severity the same `fields`");
            return;
        }
    }
    // Ranks are places in the list, and the list is ordered by the numbers that names begin with.
    let written: Vec<&str> = severities.iter().map(|one| one.name.as_str()).collect();
    let names = written.iter().map(|name| (*name).to_owned()).collect();
    let catalog = Catalog { severities: names, ..Catalog::default() };
    let ordered = catalog.severities_for(Category::Billing, &Choices::default());
    if ordered != written {
        let message = format!(
            "`{}` must have each severity once, the worst first; those that begin with a number are in its order",
            field.path()
        );
        field.error(message, format!("write them in this order: {}", ordered.join(", ")));
    }
}

fn categories(mut section: Section<'_>) -> BTreeMap<Category, Catalog> {
    let mut found = BTreeMap::new();
    for category in Category::ALL {
        if let Some(inner) = section.section(category.as_str())
            && let Some(catalog) = of_category(category, inner)
        {
            found.insert(category, catalog);
        }
    }
    if section.is_empty() {
        section.error(format!("{} is empty", section.name()), "add `TECHNICAL: { products: ... }`");
    }
    section.finish();
    found
}

fn of_category(category: Category, mut section: Section<'_>) -> Option<Catalog> {
    let mut catalog = Catalog::default();
    match category {
        Category::Technical => {
            section.require("products");
            catalog.products = products(section.optional("products")?);
        }
        // Without a list anything goes.
        Category::ManagedCloud => {
            catalog.products = section.optional("products").map(products).unwrap_or_default();
        }
        Category::Security => {
            section.require("policy_domains");
            let domains: BTreeMap<String, Names> = section.optional("policy_domains")?;
            let domain = |(name, of)| PolicyDomain { name, products: products(of) };
            catalog.policy_domains = domains.into_iter().map(domain).collect();
        }
        Category::BusinessSupport | Category::Billing => {
            section.require("areas");
            let areas: Names = section.optional("areas")?;
            let area = |(name, services)| Area { name, services };
            catalog.areas = areas.into_iter().map(area).collect();
        }
        Category::ProfessionalServices => {
            section.require("solutions");
            section.require("packages");
            catalog.solutions = section.one_or_many("solutions");
            catalog.packages = section.one_or_many("packages");
        }
    }
    section.finish();
    Some(catalog)
}

fn products(names: Names) -> Vec<Product> {
    let product = |(name, problems)| Product { name, problems, severities: Vec::new() };
    names.into_iter().map(product).collect()
}

/// A severity's field that a body has as a number or truth value must be one for every severity.
pub(super) fn check_forms(section: &Section<'_>, offer: &Offer, body: &Body) {
    match body {
        Body::Text(template) => {
            let Some(single) = template.single() else { return };
            let Some(field) = single.name.strip_prefix("severity.") else { return };
            let (fits, what): (fn(&str) -> bool, _) = match single.form {
                Form::Number => {
                    (|text| text.trim().parse::<serde_json::Number>().is_ok(), "number")
                }
                Form::Bool => (|text| matches!(text.trim(), "true" | "false"), "truth value"),
                Form::Text | Form::Truncated(_) | Form::List => return,
            };
            let wrong = offer
                .severities
                .iter()
                .find(|one| one.fields.get(field).is_some_and(|text| !fits(text)));
            if let Some(wrong) = wrong {
                let message = format!(
                    "`{}.body` has `{}` as a {what}, and `{field}` of severity `{}` is none",
                    section.path(),
                    single.name,
                    wrong.name
                );
                section.error_at_key("body", message, "");
            }
        }
        Body::List(items) => items.iter().for_each(|item| check_forms(section, offer, item)),
        Body::Map(entries) => {
            entries.iter().for_each(|(_, item)| check_forms(section, offer, item));
        }
        Body::Null | Body::Bool(_) | Body::Int(_) | Body::Float(_) => {}
    }
}
