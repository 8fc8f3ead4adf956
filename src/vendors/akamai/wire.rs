//! The JSON of Case Management v3.
//!
//! Requests have exactly the vendor's names and nothing else (its schema allows no additional
//! properties), and leave absent fields out. Responses are read tolerantly: the vendor's schema
//! marks no field as required and its enums are older than its prose, so any field may be absent,
//! null or new, and every enum is a text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::case_view::{CaseStatus, CaseView, NextAction};
use crate::domain::catalog::{Area, Catalog, PolicyDomain, Product};
use crate::domain::draft::{Contact, Draft};
use crate::domain::ids::{AccountId, CaseId};
use crate::vendors::OfferedAccount;

/// The longest case id that is believed; the vendor's limit is 20.
const CASE_ID_LIMIT: usize = 64;

/// The body of `POST /cases`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewCase<'a> {
    subject: &'a str,
    description: &'a str,
    account_id: &'a str,
    category_id: &'a str,
    severity: &'a str,
    customer_tracking_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_domain_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_solution_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ps_package_name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    also_notify: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    alternate_contact: Option<NewContact<'a>>,
}

/// The body of `PATCH /cases/{caseId}`. It replaces the contacts, and whether a key that is absent
/// keeps its value is not documented: both are always sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewContacts<'a> {
    also_notify: &'a [String],
    /// Without any field, it clears the contact.
    alternate_contact: NewContact<'a>,
}

impl<'a> NewContacts<'a> {
    /// The body for both complete values.
    pub(super) fn of(also_notify: &'a [String], contact: Option<&'a Contact>) -> Self {
        let alternate_contact = contact.map(NewContact::of).unwrap_or_default();
        Self { also_notify, alternate_contact }
    }
}

#[derive(Debug, Default, Serialize)]
struct NewContact<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

impl<'a> NewContact<'a> {
    fn of(contact: &'a Contact) -> Self {
        Self {
            name: contact.name.as_deref(),
            company: contact.company.as_deref(),
            email: contact.email.as_deref(),
            phone: contact.phone.as_deref(),
        }
    }
}

impl<'a> NewCase<'a> {
    /// The body for a draft.
    pub(super) fn of(draft: &'a Draft) -> Self {
        let choices = &draft.choices;
        Self {
            subject: &draft.subject,
            description: &draft.description,
            account_id: draft.account.as_str(),
            category_id: draft.category.as_str(),
            severity: &draft.severity,
            customer_tracking_number: draft.marker.as_str(),
            product_name: choices.product.as_deref(),
            problem_name: choices.problem.as_deref(),
            policy_domain_name: choices.policy_domain.as_deref(),
            area_name: choices.area.as_deref(),
            service_name: choices.service.as_deref(),
            parent_account_id: choices.parent_account.as_deref(),
            product_solution_name: choices.solution.as_deref(),
            ps_package_name: choices.package.as_deref(),
            also_notify: &draft.also_notify,
            alternate_contact: draft
                .alternate_contact
                .as_ref()
                .filter(|contact| **contact != Contact::default())
                .map(NewContact::of),
        }
    }
}

/// The body of a new comment and of a closure request.
#[derive(Debug, Serialize)]
pub(super) struct NewComment<'a> {
    pub(super) comment: &'a str,
}

/// Reads null like an absent field.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list. Null is an empty one, and a null in it is left out.
fn listed<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(or_default::<D, Vec<Option<T>>>(deserializer)?.into_iter().flatten().collect())
}

/// Reads a list that has to be there: an answer without it is another one. A null in it is left
/// out.
fn present<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Vec::<Option<T>>::deserialize(deserializer)?.into_iter().flatten().collect())
}

/// A case, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Case {
    case_id: Option<String>,
    pub(super) customer_tracking_number: Option<String>,
    pub(super) status: Option<String>,
    pub(super) created_date: Option<String>,
    #[serde(deserialize_with = "listed")]
    pub(super) also_notify: Vec<String>,
    pub(super) alternate_contact: Option<Contact>,
    #[serde(deserialize_with = "or_default")]
    pub(super) permissions: Permissions,
}

impl Case {
    /// Its number, if it is one.
    pub(super) fn id(&self) -> Option<CaseId> {
        case_id(self.case_id.as_deref()?)
    }

    /// Whether the vendor is through with it.
    pub(super) fn is_closed(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("CLOSED"))
    }
}

/// What Akamai tells of how it goes with a case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Progress {
    pub(super) customer_tracking_number: Option<String>,
    status: Option<String>,
    next_action: Option<String>,
    created_date: Option<String>,
    modified_date: Option<String>,
    resolved_date: Option<String>,
    closed_date: Option<String>,
    /// Minutes.
    time_to_initial_response: Option<f64>,
}

impl Progress {
    /// As the domain knows it; without comments.
    pub(super) fn into_view(self, version: Option<String>) -> CaseView {
        let time = |text: Option<String>| text.and_then(|text| text.parse::<Timestamp>().ok());
        let word = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let minutes = self.time_to_initial_response.filter(|minutes| *minutes >= 0.0);
        CaseView {
            status: word(self.status).map(|word| CaseStatus::parse(&word)),
            next_action: word(self.next_action).map(|word| NextAction::parse(&word)),
            opened_at: time(self.created_date),
            updated_at: time(self.modified_date),
            resolved_at: time(self.resolved_date),
            closed_at: time(self.closed_date),
            // A cast from a float that is too large gives the largest number.
            first_response: minutes.map(|minutes| minutes as u32),
            version,
            comments: Vec::new(),
        }
    }
}

/// What the caller may do with a case. Absent: unknown.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Permissions {
    pub(super) request_close: Option<bool>,
    pub(super) add_comments: Option<bool>,
    pub(super) update_case: Option<bool>,
    pub(super) upload_attachments: Option<bool>,
}

/// A case number that can stand in a path, from a field or from the end of a `Location`.
pub(super) fn case_id(text: &str) -> Option<CaseId> {
    let good = !text.is_empty()
        && text.len() <= CASE_ID_LIMIT
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    good.then(|| CaseId::new(text))
}

/// The case number in a `Location` such as `/case-management/v3/cases/F-CS-1234567`, relative
/// or absolute. Only the number is taken; the host is never followed.
pub(super) fn case_id_of_location(location: &str) -> Option<CaseId> {
    let path = location.split(['?', '#']).next()?;
    let (_, rest) = path.rsplit_once("/cases/")?;
    case_id(rest.trim_end_matches('/'))
}

/// A link to another page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    rel: Option<String>,
    href: Option<String>,
}

/// The address of the next page; none on the last one.
pub(super) fn next(links: &[Link]) -> Option<&str> {
    links
        .iter()
        .find(|link| link.rel.as_deref().is_some_and(|rel| rel.eq_ignore_ascii_case("next")))
        .and_then(|link| link.href.as_deref())
        .filter(|href| !href.is_empty())
}

/// A page of `GET /cases`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CasePage {
    /// Not optional: a page without it is not a page, and must not pass for an empty one.
    #[serde(deserialize_with = "present")]
    pub(super) cases: Vec<ListedCase>,
    #[serde(default, deserialize_with = "listed")]
    pub(super) links: Vec<Link>,
}

/// A case in a list. It has no tracking number.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListedCase {
    case_id: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) status: Option<String>,
    pub(super) updated_date: Option<String>,
}

impl ListedCase {
    /// Its number, if it is one.
    pub(super) fn id(&self) -> Option<CaseId> {
        case_id(self.case_id.as_deref()?)
    }
}

/// A page of `GET /cases/{caseId}/comments`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CommentPage {
    /// Not optional, for the same reason.
    #[serde(deserialize_with = "present")]
    pub(super) comments: Vec<ListedComment>,
    #[serde(default, deserialize_with = "listed")]
    pub(super) links: Vec<Link>,
}

/// A comment in a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListedComment {
    pub(super) comment_id: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) comment_type: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) created_date: Option<String>,
}

/// The answer to an upload that was accepted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Accepted {
    upload_id: Option<String>,
}

impl Accepted {
    /// Its id, if it can stand in a path. It has the form of a case number.
    pub(super) fn upload(&self) -> Option<&str> {
        self.upload_id.as_deref().filter(|id| case_id(id).is_some())
    }
}

/// The answer of `GET /cases/{caseId}/attachments/status/{uploadId}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Upload {
    pub(super) upload_status: Option<String>,
}

/// A page of `GET /cases/{caseId}/attachments`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FilePage {
    /// Not optional, for the same reason.
    #[serde(deserialize_with = "present")]
    pub(super) attachments: Vec<ListedFile>,
    #[serde(default, deserialize_with = "listed")]
    pub(super) links: Vec<Link>,
}

/// A file in a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListedFile {
    pub(super) file_name: Option<String>,
}

/// A problem document, of the API or of the gateway before it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) title: Option<String>,
    pub(super) detail: Option<String>,
    /// What is wrong with single fields. Not documented; others have seen it.
    pub(super) errors: Option<serde_json::Value>,
    pub(super) instance: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) request_time: Option<String>,
    /// Seconds; documented for another API of the vendor's, on a 503. A number or a text.
    pub(super) retry_after: Option<serde_json::Value>,
}

/// The answer of `GET /accounts-with-categories`: a bare list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Accounts(#[serde(deserialize_with = "present")] Vec<AccountWithCategories>);

impl Accounts {
    /// Those that have an id. The vendor may list one several times.
    pub(super) fn into_offered(self) -> Vec<OfferedAccount> {
        let mut offered: Vec<OfferedAccount> = Vec::new();
        for AccountWithCategories { account_id, account_name, categories } in self.0 {
            let Some(id) = account_id.filter(|id| !id.is_empty()) else { continue };
            let ids = categories.into_iter().map(|category| category.category_id);
            match offered.iter_mut().find(|known| known.account.as_str() == id) {
                Some(known) => {
                    let earlier = std::mem::take(&mut known.categories);
                    known.categories = once(earlier.into_iter().chain(ids.flatten()));
                }
                None => offered.push(OfferedAccount {
                    account: AccountId::new(id),
                    name: account_name.unwrap_or_default(),
                    categories: once(ids.flatten()),
                }),
            }
        }
        offered
    }
}

/// One account of [`Accounts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AccountWithCategories {
    account_id: Option<String>,
    account_name: Option<String>,
    #[serde(deserialize_with = "listed")]
    categories: Vec<NamedCategory>,
}

/// A category that an account may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NamedCategory {
    category_id: Option<String>,
}

/// The answer of `GET /categories/{categoryId}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CategoryDetails {
    #[serde(deserialize_with = "listed")]
    products: Vec<WireProduct>,
    #[serde(deserialize_with = "listed")]
    severities: Vec<String>,
    #[serde(deserialize_with = "listed")]
    policy_domains: Vec<WireDomain>,
    #[serde(deserialize_with = "listed")]
    areas: Vec<WireArea>,
    #[serde(deserialize_with = "listed")]
    parent_accounts: Vec<WireParent>,
    #[serde(deserialize_with = "listed")]
    product_solution_names: Vec<String>,
    #[serde(deserialize_with = "listed")]
    ps_package_names: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireProduct {
    product_name: Option<String>,
    #[serde(deserialize_with = "listed")]
    problem_names: Vec<String>,
    #[serde(deserialize_with = "listed")]
    severities: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireDomain {
    policy_domain_name: Option<String>,
    #[serde(deserialize_with = "listed")]
    products: Vec<WireProduct>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireArea {
    area_name: Option<String>,
    #[serde(deserialize_with = "listed")]
    service_names: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireParent {
    account_id: Option<String>,
}

impl CategoryDetails {
    /// The catalog, with everything that the vendor repeats joined under one name.
    pub(super) fn into_catalog(self) -> Catalog {
        Catalog {
            products: products(self.products),
            severities: once(self.severities),
            policy_domains: grouped(
                self.policy_domains.into_iter().map(|d| (d.policy_domain_name, d.products)),
            )
            .into_iter()
            .map(|(name, parts)| PolicyDomain { name, products: products(parts) })
            .collect(),
            areas: grouped(self.areas.into_iter().map(|area| (area.area_name, area.service_names)))
                .into_iter()
                .map(|(name, services)| Area { name, services: once(services) })
                .collect(),
            parent_accounts: once(
                self.parent_accounts.into_iter().filter_map(|parent| parent.account_id),
            ),
            solutions: once(self.product_solution_names),
            packages: once(self.ps_package_names),
        }
    }
}

/// The vendor's own example lists one product several times.
fn products(products: Vec<WireProduct>) -> Vec<Product> {
    grouped(products.into_iter().map(|product| {
        let name = product.product_name.clone();
        (name, vec![product])
    }))
    .into_iter()
    .map(|(name, parts)| {
        let (mut problems, mut severities) = (Vec::new(), Vec::new());
        for part in parts {
            problems.extend(part.problem_names);
            severities.extend(part.severities);
        }
        Product { name, problems: once(problems), severities: once(severities) }
    })
    .collect()
}

/// Joins the lists of equal names, in the order in which the names first come.
fn grouped<T>(parts: impl Iterator<Item = (Option<String>, Vec<T>)>) -> Vec<(String, Vec<T>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    for (name, items) in parts {
        let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
        let place = *places.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.extend(items),
            None => groups.push((name, items)),
        }
    }
    groups
}

/// Each text once, in order.
fn once(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts.into_iter().filter(|text| !text.is_empty() && seen.insert(text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::catalog::Category;
    use crate::domain::draft::Choices;
    use crate::domain::ids::IncidentId;

    fn draft() -> Draft {
        Draft {
            marker: IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker(),
            account: "A-CCT7890".into(),
            category: Category::Security,
            subject: "S".to_owned(),
            description: "D\n\"ü\"".to_owned(),
            whole_description: Some("more than the vendor takes".to_owned()),
            files: Vec::new(),
            remarks: Vec::new(),
            as_of: None,
            severity: "1-Critical".to_owned(),
            choices: Choices {
                product: Some("P".to_owned()),
                problem: Some("Q".to_owned()),
                policy_domain: Some("R".to_owned()),
                ..Choices::default()
            },
            also_notify: Vec::new(),
            alternate_contact: None,
        }
    }

    #[test]
    fn a_new_case_has_the_vendors_names_and_nothing_that_is_absent() {
        assert_eq!(
            serde_json::to_value(NewCase::of(&draft())).unwrap(),
            json!({
                "subject": "S", "description": "D\n\"ü\"", "accountId": "A-CCT7890",
                "categoryId": "SECURITY", "severity": "1-Critical",
                "customerTrackingNumber": "cw-9f3a1c7be2d044580a1b2c3d",
                "productName": "P", "problemName": "Q", "policyDomainName": "R",
            })
        );
    }

    #[test]
    fn a_new_case_may_have_every_field() {
        let all = Draft {
            choices: serde_json::from_value(json!({
                "product": "a", "problem": "b", "policy_domain": "c", "area": "d", "service": "e",
                "parent_account": "f", "solution": "g", "package": "h",
            }))
            .unwrap(),
            also_notify: vec!["n@example.com".to_owned()],
            alternate_contact: Some(Contact {
                name: Some("N".to_owned()),
                company: Some("C".to_owned()),
                email: None,
                phone: Some("1".to_owned()),
            }),
            ..draft()
        };
        let value = serde_json::to_value(NewCase::of(&all)).unwrap();
        for (key, expected) in [
            ("productName", json!("a")),
            ("problemName", json!("b")),
            ("policyDomainName", json!("c")),
            ("areaName", json!("d")),
            ("serviceName", json!("e")),
            ("parentAccountId", json!("f")),
            ("productSolutionName", json!("g")),
            ("psPackageName", json!("h")),
            ("alsoNotify", json!(["n@example.com"])),
            ("alternateContact", json!({"name": "N", "company": "C", "phone": "1"})),
        ] {
            assert_eq!(value.get(key), Some(&expected), "{key}");
        }
    }

    #[test]
    fn a_case_is_read_whatever_is_missing_null_or_new() {
        let case: Case = serde_json::from_value(json!({
            "caseId": "F-CS-1234567", "customerTrackingNumber": null, "status": "MITIGATED/SOLVED",
            "permissions": null, "category": {"categoryId": "MANAGED_CLOUD"}, "brandNew": [1],
        }))
        .unwrap();
        assert_eq!(case.id(), Some("F-CS-1234567".into()));
        assert!(!case.is_closed());
        assert!(serde_json::from_str::<Case>("{}").unwrap().id().is_none());
        for not_a_page in ["{}", "[]", r#"{"cases":null}"#] {
            assert!(serde_json::from_str::<CasePage>(not_a_page).is_err(), "{not_a_page}");
        }
    }

    #[test]
    fn case_numbers_that_cannot_stand_in_a_path_are_none() {
        for bad in ["", "a/b", "../x", "a b", "a?b", "é", &"9".repeat(65)] {
            assert_eq!(case_id(bad), None, "{bad}");
        }
        for good in [
            "/case-management/v3/cases/F-CS-1",
            "https://elsewhere.example/case-management/v3/cases/F-CS-1/",
            "/case-management/v3/cases/F-CS-1?x=/cases/y",
        ] {
            assert_eq!(case_id_of_location(good), Some("F-CS-1".into()), "{good}");
        }
        for bad in ["/cases/", "F-CS-1", "/cases/F-CS-1/comments"] {
            assert_eq!(case_id_of_location(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_link_to_the_next_page_is_one() {
        let links: Vec<Link> = serde_json::from_value(json!([
            {"rel": "self", "href": "/a"}, {"href": "/b"}, {"rel": "next", "href": "/c"}
        ]))
        .unwrap();
        assert_eq!(next(&links), Some("/c"));
        assert_eq!(next(&links[..2]), None);
    }

    #[test]
    fn a_catalog_joins_what_the_vendor_repeats() {
        let details: CategoryDetails = serde_json::from_value(json!({
            "categoryId": "TECHNICAL", "categoryName": "Technical",
            "products": [
                {"productName": "Ion Premier", "problemNames": ["Purge", "Outage"],
                 "severities": ["3-Low Impact", "1-Major Impact"]},
                {"productName": "Aura", "problemNames": null, "severities": ["1-Critical"]},
                {"productName": "Ion Premier", "problemNames": ["Outage", "Billing", null]},
                {"productName": null, "problemNames": ["lost"]},
            ],
            "severities": null, "policyDomains": [
                {"policyDomainName": "Kona", "products": [{"productName": "KSD", "problemNames": ["a"]}]},
                {"policyDomainName": "Kona", "products": [{"productName": "KSD", "problemNames": ["b"]}]},
            ],
            "areas": [{"areaName": "Portal", "serviceNames": ["Login", "Login"]}],
            "parentAccounts": [{"accountId": "A-1", "accountName": "x"}],
            "productSolutionNames": ["Web"], "psPackageNames": [],
        }))
        .unwrap();
        let catalog = details.into_catalog();
        assert_eq!(catalog.products.len(), 2);
        assert_eq!(catalog.products[0].problems, ["Purge", "Outage", "Billing"]);
        assert_eq!(catalog.products[0].severities, ["3-Low Impact", "1-Major Impact"]);
        assert_eq!(catalog.policy_domains[0].products[0].problems, ["a", "b"]);
        assert_eq!(catalog.areas[0].services, ["Login"]);
        assert_eq!(catalog.parent_accounts, ["A-1"]);
        assert_eq!(catalog.solutions, ["Web"]);
        let empty: CategoryDetails = serde_json::from_str("{}").unwrap();
        assert_eq!(empty.into_catalog(), Catalog::default());
    }

    /// What is read from an answer.
    type Read = fn(Value) -> Result<String, serde_json::Error>;

    /// Answers of the vendor, as its documentation shows them.
    fn answers() -> Vec<(&'static str, Value, Read)> {
        fn read<T: serde::de::DeserializeOwned + std::fmt::Debug>(
            value: Value,
        ) -> Result<String, serde_json::Error> {
            serde_json::from_value::<T>(value).map(|read| format!("{read:?}"))
        }
        let link = json!({"rel": "next", "href": "/x"});
        let person = json!({"name": "N", "company": "C", "email": "n@example.com", "phone": "1"});
        vec![
            (
                "a category",
                json!({
                    "categoryId": "SECURITY", "categoryName": "Security",
                    "products": [{"productName": "P", "problemNames": ["a"], "severities": ["1-x"]}],
                    "severities": ["1-x"],
                    "policyDomains": [{"policyDomainName": "D",
                                       "products": [{"productName": "P", "problemNames": ["a"]}]}],
                    "areas": [{"areaName": "A", "serviceNames": ["s"]}],
                    "parentAccounts": [{"accountId": "A-1", "accountName": "x"}],
                    "productSolutionNames": ["w"], "psPackageNames": ["s"],
                }),
                |value| {
                    let details = serde_json::from_value::<CategoryDetails>(value)?;
                    Ok(format!("{:?}", details.into_catalog()))
                },
            ),
            (
                "accounts",
                json!([{"accountId": "A-1", "accountName": "x",
                        "categories": [{"categoryId": "TECHNICAL", "categoryName": "y"}]}]),
                |value| {
                    let accounts = serde_json::from_value::<Accounts>(value)?;
                    Ok(format!("{:?}", accounts.into_offered()))
                },
            ),
            (
                "a case",
                json!({
                    "caseId": "F-CS-1", "customerTrackingNumber": "cw-1", "status": "IN_PROGRESS",
                    "createdDate": "2026-01-01T00:00:00Z", "alsoNotify": ["n@example.com"],
                    "alternateContact": person, "nextAction": "CUSTOMER",
                    "category": {"categoryId": "TECHNICAL"},
                    "permissions": {"requestClose": true, "addComments": true, "updateCase": true,
                                    "uploadAttachments": true},
                    "links": [link],
                }),
                read::<Case>,
            ),
            (
                "a page of cases",
                json!({"cases": [{"caseId": "F-CS-1", "subject": "s", "status": "CREATED",
                                  "createdDate": "2026-01-01T00:00:00Z"}], "links": [link]}),
                read::<CasePage>,
            ),
            (
                "a page of comments",
                json!({"comments": [{"comment": "c", "commentType": "EMAIL",
                                     "createdDate": "2026-01-01T00:00:00Z"}], "links": [link]}),
                read::<CommentPage>,
            ),
            (
                "a page of files",
                json!({"attachments": [{"fileName": "f", "fileType": "t"}], "links": [link]}),
                read::<FilePage>,
            ),
            ("an upload", json!({"uploadStatus": "UPLOADED"}), read::<Upload>),
            ("an accepted upload", json!({"uploadId": "u-1"}), read::<Accepted>),
            (
                "a problem",
                json!({"type": "t", "title": "t", "detail": "d", "instance": "i",
                       "requestId": "r", "requestTime": "t", "retryAfter": 3}),
                read::<Problem>,
            ),
        ]
    }

    /// Every place in a value, deepest first.
    fn places(value: &Value, at: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    places(value, &format!("{at}/{key}"), into);
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    places(value, &format!("{at}/{index}"), into);
                }
            }
            _ => {}
        }
        into.push(at.to_owned());
    }

    /// Lists without which an answer is another one.
    const DEMANDED: [&str; 4] = ["", "/cases", "/comments", "/attachments"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn nulls_new_fields_and_unknown_words_never_break_an_answer(
            which in 0..answers().len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8), 1..8),
        ) {
            let (what, mut value, read) = answers().swap_remove(which);
            for (place, change) in changes {
                let mut all = Vec::new();
                places(&value, "", &mut all);
                let at = place.get(&all).clone();
                let Some(target) = value.pointer_mut(at.as_str()) else { continue };
                match (change, target) {
                    (0, target) if !DEMANDED.contains(&at.as_str()) => *target = Value::Null,
                    (1, Value::Object(map)) => {
                        map.insert("brandNew".to_owned(), json!({"of": ["another", 1, null]}));
                    }
                    (2, Value::String(text)) => *text = "A_WORD_NOBODY_KNOWS".to_owned(),
                    (3, Value::Array(list)) => list.push(Value::Null),
                    _ => {}
                }
            }
            let read = read(value.clone());
            prop_assert!(read.is_ok(), "{} {}: {:?}", what, value, read);
        }

        #[test]
        fn what_is_new_in_an_answer_changes_nothing_that_is_read(
            which in 0..answers().len(), place in any::<prop::sample::Index>(),
        ) {
            let (what, value, read) = answers().swap_remove(which);
            let before = read(value.clone()).unwrap();
            let mut all = Vec::new();
            places(&value, "", &mut all);
            let mut more = value;
            match more.pointer_mut(place.get(&all).as_str()) {
                Some(Value::Object(map)) => {
                    map.insert("brandNew".to_owned(), json!([{"x": null}]));
                }
                Some(Value::Array(list)) => list.push(Value::Null),
                _ => {}
            }
            prop_assert_eq!(read(more).unwrap(), before, "{}", what);
        }
    }
}
