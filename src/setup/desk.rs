//! What rules ask of a described desk that it does not accept. The lists stand in the config, so
//! that it shows before anything is sent.

use crate::config::{Code, Diagnostic, Diagnostics};
use crate::domain::catalog::Catalog;
use crate::domain::desk::Desk;
use crate::domain::draft::problems::choice_problems;
use crate::domain::draft::{ChoiceField, Choices, DraftProblem};
use crate::domain::ids::{AccountId, VendorName};
use crate::rules::{CasePlan, Rule, RuleSet, Then};

/// Looks at every rule that opens cases at the desk. Texts that differ by alert are not looked at.
pub(super) fn check(rules: &RuleSet, vendor: &VendorName, desk: &Desk, into: &mut Diagnostics) {
    for rule in rules.rules() {
        let Then::Case(case) = &rule.then else { continue };
        if case.vendor == *vendor {
            check_plan(rule, &case.plan, vendor, desk, into);
        }
    }
}

fn check_plan(
    rule: &Rule,
    plan: &CasePlan,
    vendor: &VendorName,
    desk: &Desk,
    into: &mut Diagnostics,
) {
    let place = &plan.account.place;
    let any_account = desk.offer.accounts.first().cloned().unwrap_or_else(|| AccountId::new("x"));
    let account = plan.account.constant().map_or(any_account, AccountId::new);
    match desk.offer.catalog(&account, plan.category) {
        Ok(catalog) => check_choices(plan, vendor, catalog, into),
        Err(why) => {
            let message =
                format!("rule `{}` opens cases at vendor `{vendor}`, and {why}", rule.name);
            let hint = format!("change the rule, or what vendor `{vendor}` accepts");
            into.push(Diagnostic::error(place.clone(), message).code(Code::Value).hint(hint));
        }
    }
    let people = plan.also_notify.first().or_else(|| {
        let contact = plan.alternate_contact.as_ref()?;
        let parts = [&contact.name, &contact.company, &contact.email, &contact.phone];
        parts.into_iter().find_map(Option::as_ref)
    });
    if let Some(people) = people.filter(|_| desk.contacts.is_none()) {
        let message = format!(
            "vendor `{vendor}` has no call for contacts, so a case that goes on after a pause keeps those that it was opened with"
        );
        let hint = "describe the call under `contacts`, or let the rule name nobody; the action would be refused each time";
        into.push(Diagnostic::warning(people.place.clone(), message).hint(hint));
    }
}

fn check_choices(plan: &CasePlan, vendor: &VendorName, catalog: &Catalog, into: &mut Diagnostics) {
    let mut choices = Choices::default();
    for (field, text) in &plan.choices {
        *field.of_mut(&mut choices) = text.constant().map(str::to_owned);
    }
    let mut problems = Vec::new();
    choice_problems(plan.category, &choices, Some(catalog), &mut problems);
    for problem in problems {
        // What is missing differs by alert, or the rule's reader has told of it.
        let DraftProblem::NotOffered { field, value, within, nearest } = problem else { continue };
        let text = ChoiceField::parse(field).and_then(|field| plan.choices.get(&field));
        let Some(text) = text else { continue };
        let within = within.map(|within| format!(" with {within:?}")).unwrap_or_default();
        let message = format!("`{field}`: vendor `{vendor}` does not accept {value:?}{within}");
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("it accepts what stands under its `categories.{}`", plan.category),
        };
        into.push(Diagnostic::error(text.place.clone(), message).code(Code::Value).hint(hint));
    }
}
