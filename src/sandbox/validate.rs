//! What the API accepts in a body: types, lengths, the rules of each category, and names that the
//! catalog offers. Every complaint is collected, so that a person sees all of them at once.
//!
//! The rules are those of the vendor's documentation. Lengths are counted in UTF-16 units; the
//! documentation does not say in what.

use serde_json::{Map, Value};

use super::cases::{Account, Category, Contact, Filed};
use super::catalog::{AccountEntry, Catalog, CategoryEntry, Product};
use super::problem::Problem;

/// Which of the fields that depend on the category go with it.
struct Rule {
    category: &'static str,
    required: &'static [&'static str],
    /// Needed where the contract is indirect, and refused where it is not.
    parent: bool,
}

const RULES: [Rule; 6] = [
    Rule { category: "TECHNICAL", required: &["productName", "problemName"], parent: false },
    Rule { category: "MANAGED_CLOUD", required: &["productName", "problemName"], parent: false },
    Rule {
        category: "SECURITY",
        required: &["policyDomainName", "productName", "problemName"],
        parent: false,
    },
    Rule { category: "BUSINESS_SUPPORT", required: &["areaName", "serviceName"], parent: true },
    Rule { category: "BILLING", required: &["areaName", "serviceName"], parent: true },
    Rule {
        category: "PROFESSIONAL_SERVICES",
        required: &["productSolutionName", "psPackageName"],
        parent: false,
    },
];

/// The fields that depend on the category, and their lengths. The parent account is apart.
const DEPENDENT: [(&str, usize); 7] = [
    ("productName", 255),
    ("problemName", 255),
    ("areaName", 255),
    ("serviceName", 255),
    ("productSolutionName", 255),
    ("psPackageName", 255),
    ("policyDomainName", 80),
];

const CREATE_FIELDS: [&str; 17] = [
    "subject",
    "description",
    "accountId",
    "categoryId",
    "severity",
    "productName",
    "problemName",
    "areaName",
    "serviceName",
    "productSolutionName",
    "psPackageName",
    "policyDomainName",
    "parentAccountId",
    "customerTrackingNumber",
    "partnerTicketNumber",
    "alsoNotify",
    "alternateContact",
];

const COMMENT: usize = 131_072;
const CLOSURE_COMMENT: usize = 130_000;
const DEFAULT_CLOSURE_COMMENT: &str = "Please close the case";

/// The body of `POST /cases`.
pub(super) fn new_case(body: &[u8], catalog: &Catalog) -> Result<Filed, Problem> {
    let object = object(body)?;
    let mut form = Form::new(&object, &CREATE_FIELDS);
    let filed = form.case(catalog);
    form.finish(filed)
}

/// The body of `PATCH /cases/{caseId}`.
pub(super) fn contacts(body: &[u8]) -> Result<(Vec<String>, Contact), Problem> {
    let object = object(body)?;
    let mut form = Form::new(&object, &["alsoNotify", "alternateContact"]);
    let contacts = (form.also_notify(), form.alternate_contact());
    form.finish(Some(contacts))
}

/// The body of `POST /cases/{caseId}/comments`.
pub(super) fn comment(body: &[u8]) -> Result<String, Problem> {
    let object = object(body)?;
    let mut form = Form::new(&object, &["comment"]);
    let comment = form.required("comment", Some(COMMENT));
    form.finish(comment)
}

/// The body of `POST /cases/{caseId}/request-case-closure`, which may be absent.
pub(super) fn closure(body: &[u8]) -> Result<String, Problem> {
    if body.is_empty() {
        return Ok(DEFAULT_CLOSURE_COMMENT.to_owned());
    }
    let object = object(body)?;
    let mut form = Form::new(&object, &["comment"]);
    let comment = form.text("comment", Some(CLOSURE_COMMENT));
    form.finish(Some(comment.unwrap_or_else(|| DEFAULT_CLOSURE_COMMENT.to_owned())))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::bad_request("the request body must be a JSON object")),
        Err(error) => {
            Err(Problem::bad_request(format!("the request body is not valid JSON: {error}")))
        }
    }
}

/// A body that is being read, and what is wrong with it so far.
struct Form<'a> {
    object: &'a Map<String, Value>,
    complaints: Vec<String>,
}

impl<'a> Form<'a> {
    fn new(object: &'a Map<String, Value>, known: &[&str]) -> Self {
        let complaints = unknown(object, known, "");
        Self { object, complaints }
    }

    fn finish<T>(self, read: Option<T>) -> Result<T, Problem> {
        match read {
            Some(read) if self.complaints.is_empty() => Ok(read),
            _ => Err(Problem::bad_request(self.complaints.join("; "))),
        }
    }

    fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }

    /// A text of at most `limit` UTF-16 units. `null` is not a text.
    fn text(&mut self, name: &str, limit: Option<usize>) -> Option<String> {
        let value = self.object.get(name)?;
        match checked_text(value, name, limit) {
            Ok(text) => Some(text),
            Err(complaint) => {
                self.complain(complaint);
                None
            }
        }
    }

    fn required(&mut self, name: &str, limit: Option<usize>) -> Option<String> {
        if !self.object.contains_key(name) {
            self.complain(format!("{name} is required"));
            return None;
        }
        let text = self.text(name, limit)?;
        if text.trim().is_empty() {
            self.complain(format!("{name} must not be blank"));
            return None;
        }
        Some(text)
    }

    fn case(&mut self, catalog: &Catalog) -> Option<Filed> {
        let subject = self.required("subject", Some(255));
        if let Some(text) = &subject {
            self.refuse_controls("subject", text, &['\t']);
        }
        let description = self.required("description", Some(32_000));
        if let Some(text) = &description {
            self.refuse_controls("description", text, &['\t', '\n', '\r']);
        }
        let customer_tracking_number = self.text("customerTrackingNumber", None);
        let partner_ticket_number = self.text("partnerTicketNumber", Some(30));
        let also_notify = self.also_notify();
        let alternate_contact = self.alternate_contact();
        let account_id = self.required("accountId", Some(20));
        let category_id = self.required("categoryId", None);
        let dependent = DEPENDENT.map(|(name, limit)| self.text(name, Some(limit)));
        let [
            product_name,
            problem_name,
            area_name,
            service_name,
            product_solution_name,
            ps_package_name,
            policy_domain_name,
        ] = dependent;
        let parent_account_id = self.text("parentAccountId", Some(20));
        let asked_severity = self.text("severity", None);

        let rule = self.rule(&category_id?)?;
        let account = self.account(catalog, &account_id?)?;
        self.fields_of(rule);
        let category = account.category(rule.category).or_else(|| {
            self.complain(format!(
                "category {} is not available for account '{}'",
                rule.category, account.account_id
            ));
            None
        })?;
        // What does not hold together as it is would only add noise below.
        if !self.complaints.is_empty() {
            return None;
        }
        let mut filed = Filed {
            subject: subject?,
            description: description?,
            account: Account {
                account_id: account.account_id.clone(),
                account_name: account.account_name.clone(),
            },
            category: Category {
                category_id: category.category_id.clone(),
                category_name: category.category_name.clone(),
            },
            severity: String::new(),
            customer_tracking_number,
            partner_ticket_number,
            product_name,
            problem_name,
            area_name,
            service_name,
            product_solution_name,
            ps_package_name,
            policy_domain_name,
            parent_account: None,
            also_notify,
            alternate_contact,
        };
        let scale = self.names(&filed, category);
        filed.severity = self.severity(asked_severity, &scale)?;
        filed.parent_account = self.parent(parent_account_id, rule, category);
        Some(filed)
    }

    fn refuse_controls(&mut self, name: &str, text: &str, allowed: &[char]) {
        if let Some(bad) = text.chars().find(|c| c.is_control() && !allowed.contains(c)) {
            let code = u32::from(bad);
            self.complain(format!("{name} contains the control character U+{code:04X}"));
        }
    }

    fn rule(&mut self, category_id: &str) -> Option<&'static Rule> {
        let rule = RULES.iter().find(|rule| rule.category == category_id);
        if rule.is_none() {
            let known = RULES.map(|rule| rule.category).join(", ");
            self.complain(format!("categoryId '{category_id}' is not one of {known}"));
        }
        rule
    }

    fn account<'c>(&mut self, catalog: &'c Catalog, account_id: &str) -> Option<&'c AccountEntry> {
        let account = catalog.account(account_id);
        if account.is_none() {
            self.complain(format!("accountId '{account_id}' is not an account you can use"));
        }
        account
    }

    /// That all required fields are there, and none that belong to other categories. (Whether
    /// the real API refuses the latter or ignores them is not documented.)
    fn fields_of(&mut self, rule: &Rule) {
        for (name, _) in DEPENDENT {
            let wanted = rule.required.contains(&name);
            let category = rule.category;
            match (self.object.get(name), wanted) {
                (None, true) => self.complain(format!("{name} is required for {category}")),
                (Some(_), false) => {
                    self.complain(format!("{name} must not be sent for {category}"));
                }
                _ => {}
            }
        }
        if !rule.parent && self.object.contains_key("parentAccountId") {
            self.complain(format!("parentAccountId must not be sent for {}", rule.category));
        }
    }

    /// Checks the names against the category's lists, and tells which severities go with them.
    fn names(&mut self, filed: &Filed, category: &CategoryEntry) -> Vec<String> {
        let id = category.category_id.as_str();
        if let Some(name) = &filed.policy_domain_name {
            let domain =
                category.policy_domains.iter().find(|domain| domain.policy_domain_name == *name);
            match domain {
                None => self.complain(format!(
                    "policyDomainName '{name}' is not available for category {id}"
                )),
                Some(domain) => {
                    self.product(filed, &domain.products, &format!("policy domain '{name}'"));
                }
            }
        } else if filed.product_name.is_some() {
            let scale = self.product(filed, &category.products, &format!("category {id}"));
            if !scale.is_empty() {
                return scale;
            }
        }
        if let (Some(area), Some(service)) = (&filed.area_name, &filed.service_name) {
            match category.areas.iter().find(|entry| entry.area_name == *area) {
                None => {
                    self.complain(format!("areaName '{area}' is not available for category {id}"))
                }
                Some(entry) if !entry.service_names.contains(service) => self.complain(format!(
                    "serviceName '{service}' is not available for area '{area}'"
                )),
                Some(_) => {}
            }
        }
        let flat = [
            ("productSolutionName", &filed.product_solution_name, &category.product_solution_names),
            ("psPackageName", &filed.ps_package_name, &category.ps_package_names),
        ];
        for (field, value, offered) in flat {
            if let Some(value) = value.as_ref().filter(|value| !offered.contains(value)) {
                self.complain(format!("{field} '{value}' is not available for category {id}"));
            }
        }
        category.severities.clone()
    }

    /// The product's own severities, if it has any.
    fn product(&mut self, filed: &Filed, offered: &[Product], place: &str) -> Vec<String> {
        let (Some(product), Some(problem)) = (&filed.product_name, &filed.problem_name) else {
            return Vec::new();
        };
        let mut entries = offered.iter().filter(|entry| entry.product_name == *product).peekable();
        let Some(first) = entries.peek() else {
            self.complain(format!("productName '{product}' is not available for {place}"));
            return Vec::new();
        };
        let scale = first.severities.clone();
        if !entries.any(|entry| entry.problem_names.contains(problem)) {
            self.complain(format!(
                "problemName '{problem}' is not available for product '{product}'"
            ));
        }
        scale
    }

    /// What the API takes if none is given is not documented: here the least severe, which the
    /// catalog lists first.
    fn severity(&mut self, asked: Option<String>, scale: &[String]) -> Option<String> {
        match asked {
            None => scale.first().cloned(),
            Some(severity) if scale.contains(&severity) => Some(severity),
            Some(severity) => {
                // Without a scale the product is unknown, and that has been said.
                if self.complaints.is_empty() {
                    let known = scale.join("', '");
                    self.complain(format!("severity '{severity}' is not one of '{known}'"));
                }
                None
            }
        }
    }

    fn parent(
        &mut self,
        asked: Option<String>,
        rule: &Rule,
        category: &CategoryEntry,
    ) -> Option<Account> {
        if !rule.parent {
            return None;
        }
        let offered = &category.parent_accounts;
        match asked {
            None if offered.is_empty() => None,
            None => {
                self.complain("parentAccountId is required: the contract is indirect");
                None
            }
            Some(_) if offered.is_empty() => {
                self.complain("parentAccountId must not be sent: the contract is direct");
                None
            }
            Some(id) => match offered.iter().find(|parent| parent.account_id == id) {
                Some(parent) => Some(Account {
                    account_id: parent.account_id.clone(),
                    account_name: parent.account_name.clone(),
                }),
                None => {
                    self.complain(format!("parentAccountId '{id}' is not a parent account"));
                    None
                }
            },
        }
    }

    fn also_notify(&mut self) -> Vec<String> {
        let items = match self.object.get("alsoNotify") {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.complain("alsoNotify must be an array of e-mail addresses");
                return Vec::new();
            }
        };
        let mut addresses = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match checked_email(item, &format!("alsoNotify[{index}]")) {
                Ok(address) => addresses.push(address),
                Err(complaint) => self.complain(complaint),
            }
        }
        addresses
    }

    fn alternate_contact(&mut self) -> Contact {
        let object = match self.object.get("alternateContact") {
            None => return Contact::default(),
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.complain("alternateContact must be an object");
                return Contact::default();
            }
        };
        let known = ["name", "company", "email", "phone"];
        self.complaints.extend(unknown(object, &known, "alternateContact."));
        let mut read = |name: &str, limit: usize| {
            let value = object.get(name)?;
            let path = format!("alternateContact.{name}");
            let checked = if name == "email" {
                checked_email(value, &path)
            } else {
                checked_text(value, &path, Some(limit))
            };
            checked.map_err(|complaint| self.complaints.push(complaint)).ok()
        };
        Contact {
            name: read("name", 255),
            company: read("company", 255),
            email: read("email", 255),
            phone: read("phone", 40),
        }
    }
}

fn unknown(object: &Map<String, Value>, known: &[&str], path: &str) -> Vec<String> {
    object
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| format!("unknown property '{path}{name}'"))
        .collect()
}

fn checked_text(value: &Value, path: &str, limit: Option<usize>) -> Result<String, String> {
    let Value::String(text) = value else { return Err(format!("{path} must be a string")) };
    let length = text.encode_utf16().count();
    match limit {
        Some(limit) if length > limit => {
            Err(format!("{path} has {length} characters, at most {limit} are allowed"))
        }
        _ => Ok(text.clone()),
    }
}

fn checked_email(value: &Value, path: &str) -> Result<String, String> {
    let text = checked_text(value, path, Some(255))?;
    let plausible = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    });
    if plausible { Ok(text) } else { Err(format!("{path} is not an e-mail address")) }
}
