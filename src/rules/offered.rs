//! What rules ask of a vendor that it does not offer, by its catalog as it was last read.
//!
//! Texts that differ by alert cannot be looked at before there is an alert; of those nothing is
//! said. A rule is never refused for it: catalogs change without anybody's doing here.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::config::code::Code;
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;
use crate::domain::catalog::RankedSeverity;
use crate::domain::catalog::whole::VendorCatalog;
use crate::domain::draft::problems::choice_problems;
use crate::domain::draft::{ChoiceField, Choices, DraftProblem, Fallback};
use crate::domain::ids::{AccountId, RuleName, VendorName};

use super::RuleSet;
use super::rule::{CasePlan, Rule, Then};

/// What a rule asks for, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The rule.
    pub rule: RuleName,
    /// Where in its file it asks for it.
    pub place: Place,
    /// What the vendor does not offer, in a sentence.
    pub message: String,
    /// What becomes of the rule's cases.
    pub follows: Follows,
}

/// What follows for the cases of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// They get the severity that stands in for the rule's.
    StandsIn,
    /// They are filed as the vendor's fallback says.
    FallsBack(String),
    /// They wait, because no fallback is configured.
    Waits,
    /// They wait, because the fallback is not offered either.
    WaitsInSpite(String),
}

impl Follows {
    /// Whether the rule's cases are not opened as it says: what a person must look at.
    pub fn is_serious(&self) -> bool {
        *self != Self::StandsIn
    }
}

impl fmt::Display for Follows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandsIn => f.write_str(
                "another severity stands in; give the rule one that is offered, or see `severity_policy`",
            ),
            Self::FallsBack(to) => write!(f, "until the rule is mended, its cases are filed as {to}"),
            Self::Waits => f.write_str(
                "until the rule is mended, its cases wait; a `fallback` at the vendor would have them opened",
            ),
            Self::WaitsInSpite(why) => write!(
                f,
                "until the rule is mended, its cases wait: the vendor's `fallback` is not offered either ({why})"
            ),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (self.place.file.path().display(), self.place.start().line);
        write!(f, "rule `{}` ({file}:{line}): {}; {}", self.rule, self.message, self.follows)
    }
}

impl Serialize for Complaint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Complaint", 6)?;
        map.serialize_field("rule", &self.rule)?;
        map.serialize_field("file", &self.place.file.path())?;
        map.serialize_field("line", &self.place.start().line)?;
        map.serialize_field("message", &self.message)?;
        map.serialize_field("follows", &self.follows.to_string())?;
        map.serialize_field("serious", &self.follows.is_serious())?;
        map.end()
    }
}

impl From<Complaint> for Diagnostic {
    fn from(complaint: Complaint) -> Self {
        let message = format!("rule `{}`: {}", complaint.rule, complaint.message);
        Self::warning(complaint.place, message)
            .code(Code::NotOffered)
            .hint(complaint.follows.to_string())
    }
}

/// What the rules ask of a vendor that it does not offer.
pub fn complaints(rules: &RuleSet, vendor: &VendorName, catalog: &VendorCatalog) -> Vec<Complaint> {
    rules.rules().iter().flat_map(|rule| of_rule(rule, vendor, catalog)).collect()
}

fn of_rule(rule: &Rule, vendor: &VendorName, catalog: &VendorCatalog) -> Vec<Complaint> {
    let Then::Case(case) = &rule.then else { return Vec::new() };
    let plan = &case.plan;
    let Some(account) = plan.account.constant().filter(|_| case.vendor == *vendor) else {
        return Vec::new();
    };
    let account = AccountId::new(account.trim());
    let found = lacks(plan, vendor, &account, catalog);
    let serious = found.iter().any(|lack| lack.serious);
    let follows = if serious { instead(plan, &account, catalog) } else { Follows::StandsIn };
    found
        .into_iter()
        .map(|Lack { place, message, serious }| Complaint {
            rule: rule.name.clone(),
            place,
            message,
            follows: if serious { follows.clone() } else { Follows::StandsIn },
        })
        .collect()
}

struct Lack {
    place: Place,
    message: String,
    serious: bool,
}

fn lacks(
    plan: &CasePlan,
    vendor: &VendorName,
    account: &AccountId,
    catalog: &VendorCatalog,
) -> Vec<Lack> {
    let serious =
        |place: &Place, message: String| Lack { place: place.clone(), message, serious: true };
    let category = plan.category;
    let Some(known) = catalog.account(account) else {
        let message = format!("vendor {vendor} does not let us use account {account}");
        return vec![serious(&plan.account.place, message)];
    };
    let Some(offered) = known.category(category) else {
        let all: Vec<&str> = known.categories.iter().map(|one| one.category.as_str()).collect();
        let message = format!(
            "vendor {vendor} does not offer {category} to account {account} (it offers: {})",
            all.join(", ")
        );
        return vec![serious(&plan.category_place, message)];
    };
    let Some(page) = &offered.page else { return Vec::new() };
    let mut constants = constants(plan);
    constants.name_the_only_parent(category, &page.catalog);
    let mut problems = Vec::new();
    choice_problems(category, &constants, Some(&page.catalog), &mut problems);
    let said = |field: ChoiceField| plan.choices.get(&field);
    problems.retain(|problem| match problem {
        // It is said by a template.
        DraftProblem::ParentAccountMissing { .. } => said(ChoiceField::ParentAccount).is_none(),
        problem => problem.is_about_catalog(),
    });
    let mut found: Vec<Lack> = problems
        .iter()
        .map(|problem| {
            let field = match problem {
                DraftProblem::NotOffered { field, .. } => ChoiceField::parse(field),
                _ => Some(ChoiceField::ParentAccount),
            };
            let place = field.and_then(said).map_or(&plan.category_place, |text| &text.place);
            serious(place, problem.to_string())
        })
        .collect();
    // Which severities there are, a product says that is offered.
    let product_is_open = said(ChoiceField::Product).is_some() && constants.product.is_none();
    if found.is_empty() && !product_is_open {
        found.extend(of_severities(plan, &constants, &page.catalog));
    }
    found
}

fn of_severities<'p>(
    plan: &'p CasePlan,
    choices: &'p Choices,
    catalog: &'p crate::domain::catalog::Catalog,
) -> impl Iterator<Item = Lack> + use<'p> {
    let (category, policy) = (plan.category, plan.severity_policy);
    plan.severity.ranks().into_iter().filter_map(move |rank| {
        let (message, serious) = match catalog.severity(category, choices, rank, policy) {
            RankedSeverity::Is(_) => return None,
            RankedSeverity::StandsIn(name) => (
                format!(
                    "no severity of rank {rank} is offered here; `{name}` stands in (`severity_policy: {}`)",
                    policy.name()
                ),
                false,
            ),
            RankedSeverity::Lacking => (
                format!(
                    "no severity of rank {rank} is offered here, and `severity_policy: exact` takes no other"
                ),
                true,
            ),
            RankedSeverity::NoneOffered => {
                ("the vendor offers no severities here".to_owned(), true)
            }
        };
        Some(Lack { place: plan.severity_place.clone(), message, serious })
    })
}

/// The choices that are the same for every alert.
fn constants(plan: &CasePlan) -> Choices {
    let mut constants = Choices::default();
    for (field, text) in &plan.choices {
        *field.of_mut(&mut constants) = text.constant().map(|text| text.trim().to_owned());
    }
    constants
}

fn instead(plan: &CasePlan, account: &AccountId, catalog: &VendorCatalog) -> Follows {
    let Some(fallback) = &plan.fallback else { return Follows::Waits };
    match not_offered(fallback, account, catalog) {
        None => Follows::FallsBack(fallback.to_string()),
        Some(why) => Follows::WaitsInSpite(why),
    }
}

/// What of a fallback an account is not offered; `None` if nothing is known against it.
fn not_offered(
    fallback: &Fallback,
    account: &AccountId,
    catalog: &VendorCatalog,
) -> Option<String> {
    let Some(known) = catalog.account(account) else {
        return Some(format!("account {account} is not ours to use"));
    };
    let Some(offered) = known.category(fallback.category) else {
        return Some(format!("account {account} has no {}", fallback.category));
    };
    let page = offered.page.as_ref()?;
    let mut problems = Vec::new();
    let mut choices = fallback.choices.clone();
    choices.name_the_only_parent(fallback.category, &page.catalog);
    choice_problems(fallback.category, &choices, Some(&page.catalog), &mut problems);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}
