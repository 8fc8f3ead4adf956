//! Everything that is wrong with a draft, found before the vendor finds it.
//!
//! Limits are those of the vendor's "Create a new case", counted in UTF-16 units. All problems
//! are collected, so that a person fixes a rule in one go.

use std::borrow::Cow;
use std::fmt;

use email_address::{EmailAddress, Options};
use thiserror::Error;

use super::super::catalog::likeness::nearest;
use super::super::catalog::{Catalog, Product};
use super::fit::{DESCRIPTION_LIMIT, SUBJECT_LIMIT, TEXT_BYTES, json_len, units};
use super::{Category, ChoiceField, Choices, Contact, Draft, forbidden_fields, required_fields};

/// The longest account id.
const ACCOUNT_LIMIT: usize = 20;
/// The longest name, company or address of a contact.
const CONTACT_LIMIT: usize = 255;
/// The longest phone number of a contact.
const PHONE_LIMIT: usize = 40;
/// The vendor states no limit for the tracking number; its sibling, a reseller's, has this one.
const TRACKING_LIMIT: usize = 30;

/// One thing that is wrong with a [`Draft`]. Fields have the names of a rule's `case:` keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DraftProblem {
    /// The vendor demands a text here.
    #[error("`{field}` is empty: write what the case is about")]
    Empty {
        /// The field.
        field: Cow<'static, str>,
    },
    /// The vendor takes no text of this length.
    #[error("`{field}` has {length} {unit}, {over} more than the vendor takes: shorten it", over = length - limit)]
    TooLong {
        /// The field.
        field: Cow<'static, str>,
        /// Its length.
        length: usize,
        /// The greatest length.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A character that does not belong into a text.
    #[error("`{field}` contains the control character U+{code:04X}: remove it")]
    ControlCharacter {
        /// The field.
        field: Cow<'static, str>,
        /// The first such character.
        code: u32,
    },
    /// The subject does not end in the marker's token, so the case could never be found again.
    #[error("`subject` does not end in {token}, without which the case cannot be found again")]
    TokenMissing {
        /// The token.
        token: String,
    },
    /// The marker is not fit for the vendor's tracking number.
    #[error("the marker `{marker}` is no tracking number: 1 to 30 printable ASCII characters are")]
    BadMarker {
        /// The marker.
        marker: String,
    },
    /// The category demands this field.
    #[error("`{field}` is missing: a case of category {category} must have one")]
    Required {
        /// The field.
        field: ChoiceField,
        /// The case's category.
        category: Category,
    },
    /// The field belongs to other categories.
    #[error("`{field}` does not belong into a case of category {category}: remove it")]
    Forbidden {
        /// The field.
        field: ChoiceField,
        /// The case's category.
        category: Category,
    },
    /// The account's contract is indirect, so a parent account must be named.
    #[error("`parent_account` is missing: the account's contract is indirect; choose one of {}", Listed(.offered))]
    ParentAccountMissing {
        /// What the vendor offers.
        offered: Vec<String>,
    },
    /// The account's contract is direct, so there is no parent account.
    #[error(
        "`parent_account` does not belong here: the account's contract is not indirect; remove it"
    )]
    ParentAccountUnknown,
    /// This is no address that mail can be sent to.
    #[error("`{field}`: {value:?} is not an e-mail address ({reason})")]
    NotAnAddress {
        /// The field.
        field: Cow<'static, str>,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The vendor knows no such name here.
    #[error("`{field}`: the vendor does not offer {value:?}{}{}", Within(.within), Suggested(.nearest))]
    NotOffered {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The choice that the name must belong to, such as the problem's product.
        within: Option<String>,
        /// The offered name that is most like it.
        nearest: Option<String>,
    },
}

impl DraftProblem {
    /// Whether the catalog found it: a fresh reading of the catalog may find otherwise.
    pub fn is_about_catalog(&self) -> bool {
        matches!(
            self,
            Self::NotOffered { .. }
                | Self::ParentAccountMissing { .. }
                | Self::ParentAccountUnknown
        )
    }

    /// Whether it is about somebody to be notified: the case can go without them.
    pub fn is_about_people(&self) -> bool {
        match self {
            Self::Empty { field }
            | Self::TooLong { field, .. }
            | Self::ControlCharacter { field, .. }
            | Self::NotAnAddress { field, .. } => {
                field.starts_with("also_notify") || field.starts_with("alternate_contact")
            }
            _ => false,
        }
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().take(10).enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
        }
        if self.0.len() > 10 { f.write_str(", …") } else { Ok(()) }
    }
}

struct Within<'a>(&'a Option<String>);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |within| write!(f, " with {within:?}"))
    }
}

struct Suggested<'a>(&'a Option<String>);

impl fmt::Display for Suggested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
            None => f.write_str("; see what it offers in this category"),
        }
    }
}

impl Draft {
    /// Everything that is wrong with the draft; nothing if the vendor can be expected to take
    /// it. Without a catalog, names and severity are not checked against what is offered.
    ///
    /// Whether a billable category is allowed is the config's to say: see
    /// [`Category::is_billable`].
    pub fn problems(&self, catalog: Option<&Catalog>) -> Vec<DraftProblem> {
        let mut found = Vec::new();
        self.check_texts(&mut found);
        self.check_people(&mut found);
        choice_problems(self.category, &self.choices, catalog, &mut found);
        if let Some(catalog) = catalog
            && !self.severity.is_empty()
        {
            let offered = catalog.severities_for(self.category, &self.choices);
            // Where the vendor lists none, it alone can tell.
            if !offered.is_empty() && !offered.contains(&self.severity.as_str()) {
                found.push(DraftProblem::NotOffered {
                    field: "severity",
                    value: self.severity.clone(),
                    within: self.choices.product.clone(),
                    nearest: nearest(&self.severity, offered.iter().copied()).map(str::to_owned),
                });
            }
        }
        found
    }

    fn check_texts(&self, found: &mut Vec<DraftProblem>) {
        let token = self.marker.token();
        let marker = self.marker.as_str();
        if marker.is_empty()
            || marker.len() > TRACKING_LIMIT
            || !marker.chars().all(|c| c.is_ascii_graphic())
        {
            found.push(DraftProblem::BadMarker { marker: marker.to_owned() });
        }

        line("account", self.account.as_str(), ACCOUNT_LIMIT, found);
        if self.account.as_str().trim().is_empty() {
            found.push(DraftProblem::Empty { field: "account".into() });
        }

        line("subject", &self.subject, SUBJECT_LIMIT, found);
        match self.subject.strip_suffix(token.as_str()) {
            None => found.push(DraftProblem::TokenMissing { token }),
            Some(text) if text.trim().is_empty() => {
                found.push(DraftProblem::Empty { field: "subject".into() });
            }
            Some(_) => {}
        }

        length("description", &self.description, DESCRIPTION_LIMIT, found);
        let bytes = json_len(&self.description);
        if bytes > TEXT_BYTES {
            found.push(DraftProblem::TooLong {
                field: "description".into(),
                length: bytes,
                limit: TEXT_BYTES,
                unit: "bytes",
            });
        }
        control_character("description", &self.description, &['\n', '\t'], found);
        if self.description.trim().is_empty() {
            found.push(DraftProblem::Empty { field: "description".into() });
        }

        control_character("severity", &self.severity, &[], found);
        if self.severity.trim().is_empty() {
            found.push(DraftProblem::Empty { field: "severity".into() });
        }
    }

    /// Leaves out the people whom the vendor would refuse, so that a wrong address does not cost
    /// the case.
    pub fn drop_wrong_people(&mut self) {
        drop_wrong_people(&mut self.also_notify, &mut self.alternate_contact);
    }

    fn check_people(&self, found: &mut Vec<DraftProblem>) {
        for (at, address) in self.also_notify.iter().enumerate() {
            email(&format!("also_notify[{at}]"), address, found);
        }
        check_contact(self.alternate_contact.as_ref(), found);
    }
}

/// Leaves out of a case's contacts those whom the vendor would refuse.
pub fn drop_wrong_people(also_notify: &mut Vec<String>, alternate_contact: &mut Option<Contact>) {
    also_notify.retain(|address| is_address(address));
    let mut wrong = Vec::new();
    check_contact(alternate_contact.as_ref(), &mut wrong);
    if !wrong.is_empty() {
        *alternate_contact = None;
    }
}

fn check_contact(contact: Option<&Contact>, found: &mut Vec<DraftProblem>) {
    let Some(contact) = contact else { return };
    for (field, value, limit) in [
        ("alternate_contact.name", &contact.name, CONTACT_LIMIT),
        ("alternate_contact.company", &contact.company, CONTACT_LIMIT),
        ("alternate_contact.phone", &contact.phone, PHONE_LIMIT),
    ] {
        if let Some(value) = value {
            line(field, value, limit, found);
        }
    }
    if let Some(address) = &contact.email {
        email("alternate_contact.email", address, found);
    }
}

/// What is wrong with the category's own fields. Config checks use it where there is no draft
/// yet.
pub fn choice_problems(
    category: Category,
    choices: &Choices,
    catalog: Option<&Catalog>,
    found: &mut Vec<DraftProblem>,
) {
    for field in ChoiceField::ALL {
        let value = field.of(choices).filter(|value| !value.is_empty());
        if value.is_none() && required_fields(category).contains(&field) {
            found.push(DraftProblem::Required { field, category });
        }
        if field.of(choices).is_some() && forbidden_fields(category).contains(&field) {
            found.push(DraftProblem::Forbidden { field, category });
        }
        if let Some(value) = value {
            line(field.name(), value, field.limit(), found);
        }
    }
    if let Some(catalog) = catalog {
        check_names(category, choices, catalog, found);
    }
}

fn check_names(
    category: Category,
    choices: &Choices,
    catalog: &Catalog,
    found: &mut Vec<DraftProblem>,
) {
    match category {
        // The vendor documents no lists for this category: where there are none, it must judge.
        Category::ManagedCloud if catalog.products.is_empty() => {}
        Category::Technical | Category::ManagedCloud => {
            check_product(choices, &catalog.products, None, found);
        }
        Category::Security => {
            let Some(domain) = &choices.policy_domain else { return };
            let offered = || catalog.policy_domains.iter().map(|domain| domain.name.as_str());
            if check_name("policy_domain", domain, None, offered, found) {
                let products: Vec<Product> = catalog
                    .policy_domains
                    .iter()
                    .filter(|offered| offered.name == *domain)
                    .flat_map(|domain| domain.products.iter().cloned())
                    .collect();
                check_product(choices, &products, Some(domain), found);
            }
        }
        Category::BusinessSupport | Category::Billing => {
            if let Some(area) = &choices.area {
                let offered = || catalog.areas.iter().map(|area| area.name.as_str());
                if check_name("area", area, None, offered, found)
                    && let Some(service) = &choices.service
                {
                    let offered = || {
                        catalog
                            .areas
                            .iter()
                            .filter(|offered| offered.name == *area)
                            .flat_map(|area| area.services.iter().map(String::as_str))
                    };
                    check_name("service", service, Some(area), offered, found);
                }
            }
            match (&choices.parent_account, catalog.parent_accounts.as_slice()) {
                (None, []) => {}
                (None, offered) => {
                    found.push(DraftProblem::ParentAccountMissing { offered: offered.to_vec() });
                }
                (Some(_), []) => found.push(DraftProblem::ParentAccountUnknown),
                (Some(parent), offered) => {
                    let offered = || offered.iter().map(String::as_str);
                    check_name("parent_account", parent, None, offered, found);
                }
            }
        }
        Category::ProfessionalServices => {
            // Two independent lists; the vendor documents no pairs.
            for (field, value, offered) in [
                ("solution", &choices.solution, &catalog.solutions),
                ("package", &choices.package, &catalog.packages),
            ] {
                if let Some(value) = value {
                    check_name(field, value, None, || offered.iter().map(String::as_str), found);
                }
            }
        }
    }
}

fn check_product(
    choices: &Choices,
    products: &[Product],
    within: Option<&str>,
    found: &mut Vec<DraftProblem>,
) {
    let Some(product) = &choices.product else { return };
    let offered = || products.iter().map(|product| product.name.as_str());
    if check_name("product", product, within, offered, found)
        && let Some(problem) = &choices.problem
    {
        let offered = || {
            products
                .iter()
                .filter(|offered| offered.name == *product)
                .flat_map(|product| product.problems.iter().map(String::as_str))
        };
        check_name("problem", problem, Some(product), offered, found);
    }
}

/// Whether the name is offered. An empty one is left to whoever checks for required fields.
fn check_name<'a, I: Iterator<Item = &'a str>>(
    field: &'static str,
    value: &str,
    within: Option<&str>,
    offered: impl Fn() -> I,
    found: &mut Vec<DraftProblem>,
) -> bool {
    if value.is_empty() {
        return false;
    }
    if offered().any(|name| name == value) {
        return true;
    }
    found.push(DraftProblem::NotOffered {
        field,
        value: value.to_owned(),
        within: within.map(str::to_owned),
        nearest: nearest(value, offered()).map(str::to_owned),
    });
    false
}

/// Checks a text of one line.
fn line(field: &str, value: &str, limit: usize, found: &mut Vec<DraftProblem>) {
    length(field, value, limit, found);
    control_character(field, value, &[], found);
}

fn length(field: &str, value: &str, limit: usize, found: &mut Vec<DraftProblem>) {
    let length = units(value);
    if length > limit {
        found.push(DraftProblem::TooLong {
            field: field.to_owned().into(),
            length,
            limit,
            unit: "characters",
        });
    }
}

fn control_character(field: &str, value: &str, allowed: &[char], found: &mut Vec<DraftProblem>) {
    if let Some(c) = value.chars().find(|c| c.is_control() && !allowed.contains(c)) {
        found.push(DraftProblem::ControlCharacter {
            field: field.to_owned().into(),
            code: u32::from(c),
        });
    }
}

/// Whether the vendor can send mail to this address.
pub fn is_address(text: &str) -> bool {
    let mut wrong = Vec::new();
    email("", text, &mut wrong);
    wrong.is_empty()
}

fn email(field: &str, value: &str, found: &mut Vec<DraftProblem>) {
    // The length first: the parser's work grows with it.
    if units(value) > CONTACT_LIMIT {
        length(field, value, CONTACT_LIMIT, found);
        return;
    }
    let options = Options::default().without_display_text().with_required_tld();
    if let Err(error) = EmailAddress::parse_with_options(value, options) {
        found.push(DraftProblem::NotAnAddress {
            field: field.to_owned().into(),
            value: value.to_owned(),
            reason: error.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::{Area, PolicyDomain};
    use crate::domain::draft::Contact;
    use crate::domain::draft::fit::fit_subject;
    use crate::domain::ids::IncidentId;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn draft(category: Category, choices: &[(ChoiceField, &str)]) -> Draft {
        let marker = IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker();
        let mut draft = Draft {
            subject: fit_subject("Edge 5xx", &marker).text,
            marker,
            account: "A-CCT7890".into(),
            category,
            description: "What happened".to_owned(),
            whole_description: None,
            files: Vec::new(),
            remarks: Vec::new(),
            as_of: None,
            severity: "1-Major Impact".to_owned(),
            choices: Choices::default(),
            also_notify: strings(&["noc@example.com"]),
            alternate_contact: None,
        };
        for (field, value) in choices {
            *field.of_mut(&mut draft.choices) = Some((*value).to_owned());
        }
        draft
    }

    fn technical() -> Draft {
        draft(
            Category::Technical,
            &[(ChoiceField::Product, "Ion Premier"), (ChoiceField::Problem, "Purge")],
        )
    }

    fn product(name: &str, problems: &[&str], severities: &[&str]) -> Product {
        Product {
            name: name.to_owned(),
            problems: strings(problems),
            severities: strings(severities),
        }
    }

    fn catalog() -> Catalog {
        Catalog {
            products: vec![
                product("Ion Premier", &["Purge", "Outage"], &["2-Low", "1-Major Impact"]),
                product("Aura", &["Licence"], &["1-Critical"]),
            ],
            severities: strings(&["1-Major Impact", "2-Minor"]),
            policy_domains: vec![PolicyDomain {
                name: "Kona".to_owned(),
                products: vec![product("Site Defender", &["Attack"], &[])],
            }],
            areas: vec![
                Area { name: "Portal".to_owned(), services: strings(&["Login"]) },
                Area { name: "Contract".to_owned(), services: strings(&["Renewal"]) },
            ],
            parent_accounts: Vec::new(),
            solutions: strings(&["Web"]),
            packages: strings(&["Small"]),
        }
    }

    fn texts(problems: &[DraftProblem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_draft_of_each_category_has_no_problems() {
        use ChoiceField::*;
        for draft in [
            technical(),
            draft(Category::ManagedCloud, &[(Product, "Aura"), (Problem, "Licence")]),
            draft(
                Category::Security,
                &[(PolicyDomain, "Kona"), (Product, "Site Defender"), (Problem, "Attack")],
            ),
            draft(Category::BusinessSupport, &[(Area, "Portal"), (Service, "Login")]),
            draft(Category::Billing, &[(Area, "Contract"), (Service, "Renewal")]),
            draft(Category::ProfessionalServices, &[(Solution, "Web"), (Package, "Small")]),
        ] {
            let mut draft = draft;
            if draft.category == Category::ManagedCloud {
                draft.severity = "1-Critical".to_owned();
            }
            assert_eq!(draft.problems(None), [], "{}", draft.category);
            assert_eq!(draft.problems(Some(&catalog())), [], "{}", draft.category);
        }
    }

    #[test]
    fn every_category_misses_what_it_requires_and_refuses_what_belongs_to_others() {
        for category in Category::ALL {
            let missing: Vec<_> = required_fields(category)
                .iter()
                .map(|field| DraftProblem::Required { field: *field, category })
                .collect();
            assert_eq!(draft(category, &[]).problems(None), missing);

            let all: Vec<_> = ChoiceField::ALL.into_iter().map(|field| (field, "x")).collect();
            let mut forbidden: Vec<_> = forbidden_fields(category)
                .iter()
                .map(|field| DraftProblem::Forbidden { field: *field, category })
                .collect();
            let mut problems = draft(category, &all).problems(None);
            forbidden.sort_by_key(ToString::to_string);
            problems.sort_by_key(ToString::to_string);
            assert_eq!(problems, forbidden);
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut draft = technical();
        draft.subject = "no token\u{0}".to_owned();
        draft.description = " \n".to_owned();
        draft.severity = String::new();
        draft.account = "".into();
        draft.choices.area = Some("Portal".to_owned());
        draft.also_notify = strings(&["noc", "Noc <noc@example.com>", "noc@example.com"]);
        draft.alternate_contact =
            Some(Contact { email: Some(String::new()), ..Contact::default() });
        let fields = texts(&draft.problems(Some(&catalog())));
        assert_eq!(fields.len(), 9, "{fields:#?}");
    }

    #[test]
    fn each_length_is_checked_just_below_and_just_above_its_limit() {
        type Set = fn(&mut Draft, String);
        let cases: [(&str, usize, Set); 6] = [
            ("account", 20, |draft, text| draft.account = text.as_str().into()),
            ("description", 32_000, |draft, text| draft.description = text),
            ("product", 255, |draft, text| draft.choices.product = Some(text)),
            ("alternate_contact.name", 255, |draft, text| {
                draft.alternate_contact = Some(Contact { name: Some(text), ..Contact::default() });
            }),
            ("alternate_contact.phone", 40, |draft, text| {
                draft.alternate_contact = Some(Contact { phone: Some(text), ..Contact::default() });
            }),
            ("subject", 255, |draft, text| {
                let token = draft.marker.token();
                let rest = text.get(token.len()..).unwrap();
                draft.subject = format!("{rest}{token}");
            }),
        ];
        for (field, limit, set) in cases {
            let mut draft = technical();
            set(&mut draft, "x".repeat(limit));
            assert_eq!(draft.problems(None), [], "{field}");
            set(&mut draft, "x".repeat(limit + 1));
            assert_eq!(
                draft.problems(None),
                [DraftProblem::TooLong {
                    field: field.into(),
                    length: limit + 1,
                    limit,
                    unit: "characters"
                }]
            );
        }
        let address = |n: usize| format!("{}@{}.com", "n".repeat(60), "x.".repeat(n) + "xx");
        let mut draft = technical();
        draft.also_notify = vec![address(94)];
        assert_eq!(units(&address(94)), 255);
        draft.also_notify.push(address(95));
        assert!(
            texts(&draft.problems(None)).contains(
                &"`also_notify[1]` has 257 characters, 2 more than the vendor takes: shorten it"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_wrong_name_is_told_with_the_nearest_right_one() {
        let mut draft = technical();
        draft.choices.product = Some("ion premier".to_owned());
        draft.severity = "1-Major".to_owned();
        let problems = draft.problems(Some(&catalog()));
        assert!(problems.iter().all(DraftProblem::is_about_catalog));
        assert_eq!(
            texts(&problems),
            [
                "`product`: the vendor does not offer \"ion premier\"; did you mean \"Ion Premier\"?",
                "`severity`: the vendor does not offer \"1-Major\" with \"ion premier\"; did you mean \"1-Major Impact\"?",
            ]
        );
    }

    #[test]
    fn pairs_must_belong_together() {
        let mut draft = technical();
        draft.choices.problem = Some("Licence".to_owned());
        assert_eq!(
            texts(&draft.problems(Some(&catalog()))),
            [
                "`problem`: the vendor does not offer \"Licence\" with \"Ion Premier\"; see what it offers in this category"
            ]
        );
        let billing = super::tests::draft(
            Category::Billing,
            &[(ChoiceField::Area, "Portal"), (ChoiceField::Service, "Renewal")],
        );
        assert_eq!(billing.problems(Some(&catalog())).len(), 1);
    }

    #[test]
    fn a_parent_account_goes_with_an_indirect_contract_and_with_nothing_else() {
        let mut draft = draft(
            Category::Billing,
            &[(ChoiceField::Area, "Portal"), (ChoiceField::Service, "Login")],
        );
        let direct = catalog();
        let indirect = Catalog { parent_accounts: strings(&["A-1", "A-2"]), ..catalog() };
        assert_eq!(
            texts(&draft.problems(Some(&indirect))),
            [
                "`parent_account` is missing: the account's contract is indirect; choose one of A-1, A-2"
            ]
        );
        draft.choices.parent_account = Some("A-2".to_owned());
        assert_eq!(draft.problems(Some(&indirect)), []);
        assert_eq!(draft.problems(Some(&direct)), [DraftProblem::ParentAccountUnknown]);
        draft.choices.parent_account = Some("A-3".to_owned());
        assert_eq!(draft.problems(Some(&indirect)).len(), 1);
    }

    #[test]
    fn what_the_vendor_does_not_list_for_managed_cloud_is_left_to_it() {
        let draft = draft(
            Category::ManagedCloud,
            &[(ChoiceField::Product, "Any"), (ChoiceField::Problem, "Any")],
        );
        assert_eq!(draft.problems(Some(&Catalog::default())), []);
    }
}
