//! What rules ask of a vendor that it does not offer, by its catalog as it was last read.
//!
//! Texts that differ by alert cannot be looked at before there is an alert; of those nothing is
//! said. A rule is never refused for it: catalogs change without anybody's doing here.

use std::collections::BTreeSet;
use std::fmt;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::config::code::Code;
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;
use crate::domain::catalog::whole::VendorCatalog;
use crate::domain::catalog::{Category, RankedSeverity};
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

/// The accounts and categories that rules name for a vendor, where they are the same for every
/// alert, and those that their cases would fall back to.
pub fn asked_for(rules: &RuleSet, vendor: &VendorName) -> BTreeSet<(AccountId, Category)> {
    let mut wanted = BTreeSet::new();
    for plan in rules.plans_at(vendor) {
        let Some(account) = plan.constant_account() else { continue };
        wanted.extend(plan.fallback.iter().map(|to| (account.clone(), to.category)));
        wanted.insert((account, plan.category));
    }
    wanted
}

/// What the rules ask of a vendor that it does not offer.
pub fn complaints(rules: &RuleSet, vendor: &VendorName, catalog: &VendorCatalog) -> Vec<Complaint> {
    rules.rules().iter().flat_map(|rule| of_rule(rule, vendor, catalog)).collect()
}

fn of_rule(rule: &Rule, vendor: &VendorName, catalog: &VendorCatalog) -> Vec<Complaint> {
    let Then::Case(case) = &rule.then else { return Vec::new() };
    let plan = &case.plan;
    let Some(account) = plan.constant_account().filter(|_| case.vendor == *vendor) else {
        return Vec::new();
    };
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
    if !catalog.complete && catalog.page(account, category).is_none() {
        return Vec::new();
    }
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
    if !catalog.complete && catalog.page(account, fallback.category).is_none() {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{KnownVendor, RuleInputs};
    use crate::domain::catalog::whole::{AccountCatalog, CategoryCatalog, Page};
    use crate::domain::catalog::{Area, Catalog, Product};
    use crate::domain::testing::T0;
    use crate::rules::file;

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// Two categories of one account; a third is offered and was never read.
    fn catalog(parents: &[&str]) -> VendorCatalog {
        let mut whole = VendorCatalog { complete: true, ..VendorCatalog::default() };
        let technical = Catalog {
            products: vec![Product {
                name: "Ion Premier".to_owned(),
                problems: names(&["Alerts", "Purge"]),
                severities: names(&["1-Major", "3-Low"]),
            }],
            ..Catalog::default()
        };
        let billing = Catalog {
            areas: vec![Area { name: "Invoice".to_owned(), services: names(&["Dispute"]) }],
            severities: names(&["1-Major", "2-Minor"]),
            parent_accounts: names(parents),
            ..Catalog::default()
        };
        for (category, catalog) in [("TECHNICAL", technical), ("BILLING", billing)] {
            whole.put(&"A-1".into(), category, Page { read_at: T0, catalog });
        }
        let AccountCatalog { categories, .. } = &mut whole.accounts[0];
        categories.push(CategoryCatalog { category: "SECURITY".to_owned(), page: None });
        whole
    }

    fn ion() -> Option<Fallback> {
        let choices = Choices {
            product: Some("Ion Premier".to_owned()),
            problem: Some("Alerts".to_owned()),
            ..Choices::default()
        };
        Some(Fallback { category: Category::Technical, choices })
    }

    /// What is said of a rule with this case: the piece of the file that it is about, the message,
    /// and what follows.
    fn said(case: &str, fallback: Option<Fallback>, parents: &[&str]) -> Vec<[String; 3]> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        let text = format!(
            "rules: [{{ name: r, match: [], case: {{ {case}, subject: s, description: d }} }}]"
        );
        std::fs::write(&path, &text).unwrap();
        let vendor =
            KnownVendor { fallback: fallback.map(Arc::new), ..KnownVendor::named("akamai") };
        let inputs = RuleInputs {
            files: vec![path],
            vendors: vec![vendor],
            vendors_complete: true,
            ..RuleInputs::default()
        };
        let (rules, wrong) = file::load(&inputs, &|_| None);
        let rules = rules.unwrap_or_else(|| panic!("{}", wrong.render(false)));
        assert_eq!(complaints(&rules, &"other".into(), &catalog(parents)), []);
        complaints(&rules, &"akamai".into(), &catalog(parents))
            .into_iter()
            .map(|complaint| {
                let span = complaint.place.span;
                let about = text[span.start..span.end].to_owned();
                [about, complaint.message, complaint.follows.to_string()]
            })
            .collect()
    }

    const GOOD: &str =
        "account: A-1, category: TECHNICAL, product: Ion Premier, problem: Alerts, severity: 1";
    const INVOICE: &str =
        "account: A-1, category: BILLING, area: Invoice, service: Dispute, severity: 1";

    fn about(case: &str) -> Vec<(String, String)> {
        said(case, None, &[]).into_iter().map(|[about, message, _]| (about, message)).collect()
    }

    #[test]
    fn what_is_offered_or_cannot_be_told_is_left_alone() {
        for case in [
            GOOD,
            INVOICE,
            // Whatever it renders to.
            "account: '{{labels.a}}', category: TECHNICAL, product: x, problem: y, severity: 1",
            "account: A-1, category: TECHNICAL, product: '{{labels.p}}', problem: y, severity: 9",
            "account: A-1, category: TECHNICAL, product: Ion Premier, problem: '{{labels.p}}', severity: 1",
            // Never read.
            "account: A-1, category: SECURITY, policy_domain: x, product: x, problem: y, severity: 9",
        ] {
            assert_eq!(about(case), [], "{case}");
        }
    }

    #[test]
    fn what_is_not_offered_is_told_at_its_place() {
        for (from, to, place, words) in [
            ("A-1", "A-2", "A-2", "does not let us use account A-2"),
            ("Ion Premier", "Ion Premium", "Ion Premium", "did you mean \"Ion Premier\"?"),
            ("Alerts", "Allerts", "Allerts", "did you mean \"Alerts\"?"),
        ] {
            let told = about(&GOOD.replace(from, to));
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].0, place);
            assert!(told[0].1.contains(words), "{told:?}");
        }
        let told = about(&GOOD.replace("TECHNICAL", "MANAGED_CLOUD"));
        assert_eq!(
            told,
            [(
                "MANAGED_CLOUD".to_owned(),
                "vendor akamai does not offer MANAGED_CLOUD to account A-1 (it offers: TECHNICAL, BILLING, SECURITY)"
                    .to_owned()
            )]
        );
    }

    #[test]
    fn of_single_pages_nothing_follows_for_what_is_not_among_them() {
        let catalog = VendorCatalog { complete: false, ..catalog(&[]) };
        let plan_of = |case: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("rules.yaml");
            let rule =
                format!("{{ name: r, match: [], case: {{ {case}, subject: s, description: d }} }}");
            std::fs::write(&path, format!("rules: [{rule}]")).unwrap();
            let vendors = vec![KnownVendor::named("akamai")];
            let inputs = RuleInputs {
                files: vec![path],
                vendors,
                vendors_complete: true,
                ..RuleInputs::default()
            };
            file::load(&inputs, &|_| None).0.unwrap()
        };
        for (case, count) in [
            (GOOD.replace("A-1", "A-2"), 0),
            (GOOD.replace("TECHNICAL", "MANAGED_CLOUD"), 0),
            (GOOD.replace("Alerts", "Gone"), 1),
        ] {
            let found = complaints(&plan_of(&case), &"akamai".into(), &catalog);
            assert_eq!(found.len(), count, "{case}");
        }
    }

    #[test]
    fn a_parent_account_is_missed_only_where_there_is_a_choice() {
        assert_eq!(said(INVOICE, None, &["A-8"]), Vec::<[String; 3]>::new());
        let told = said(INVOICE, None, &["A-8", "A-9"]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0][0], "BILLING");
        assert!(told[0][1].contains("choose one of A-8, A-9"), "{told:?}");
        let by_template = format!("{INVOICE}, parent_account: '{{{{labels.parent}}}}'");
        assert_eq!(said(&by_template, None, &["A-8", "A-9"]), Vec::<[String; 3]>::new());
    }

    #[test]
    fn every_rank_that_is_not_there_is_told_with_what_the_policy_makes_of_it() {
        let ranks = "severity: { from: s, map: { a: 1, b: 2 }, default: 3 }";
        let case = GOOD.replace("severity: 1", ranks);
        let told = said(&case, ion(), &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            told[0][1],
            "no severity of rank 2 is offered here; `1-Major` stands in (`severity_policy: nearest_higher`)"
        );
        assert!(told[0][2].starts_with("another severity stands in"), "{told:?}");
        let exact = said(&format!("{case}, severity_policy: exact"), ion(), &[]);
        assert!(exact[0][1].contains("`severity_policy: exact` takes no other"), "{exact:?}");
        assert!(exact[0][2].contains("filed as TECHNICAL"), "{exact:?}");
    }

    #[test]
    fn what_follows_depends_on_the_fallback() {
        let case = GOOD.replace("Alerts", "Gone");
        assert!(said(&case, None, &[])[0][2].contains("its cases wait; a `fallback`"));
        assert!(said(&case, ion(), &[])[0][2].contains(
            "its cases are filed as TECHNICAL, product \"Ion Premier\", problem \"Alerts\""
        ));
        let mut gone = ion().unwrap();
        gone.choices.problem = Some("Gone".to_owned());
        assert!(said(&case, Some(gone), &[])[0][2].contains("is not offered either"));
        let nowhere = said(&case.replace("A-1", "A-2"), ion(), &[]);
        assert!(nowhere[0][2].contains("account A-2 is not ours to use"), "{nowhere:?}");
    }
}
