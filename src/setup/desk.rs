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

#[cfg(test)]
mod tests {
    /// What is said of a rule for the shipped ServiceNow description, without its excerpts.
    fn told(case: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        let config = include_str!("../../config/desks/servicenow.yaml");
        let config = config.replace("templates: ../../templates\n", "");
        let config = config.replace("../../data/", "");
        let path = folder.path().join("casewright.yaml");
        std::fs::write(&path, config).unwrap();
        let rule = format!(
            "rules:\n  - name: one\n    match: ['a = b']\n    case: {{ subject: s, description: d, \
             severity: 1, {case} }}\n"
        );
        std::fs::write(folder.path().join("rules/one.yaml"), rule).unwrap();
        std::fs::create_dir(folder.path().join("templates")).unwrap();
        let env = |name: &str| (name == "SERVICENOW_PASSWORD").then(|| "x".to_owned());
        let (_, diagnostics) = crate::setup::load(&path, &env);
        let shown = |one: &crate::config::Diagnostic| {
            format!("{}; {}", one.message, one.hint.as_deref().unwrap_or_default())
        };
        diagnostics.sorted().into_iter().map(shown).collect()
    }

    #[test]
    fn what_the_desk_does_not_accept_is_told_before_anything_is_sent() {
        let good = "account: web, category: TECHNICAL, product: software, problem: outage";
        assert_eq!(told(good), [""; 0]);
        for (case, words) in [
            (
                "account: wep, category: TECHNICAL, product: software, problem: outage",
                "rule `one` opens cases at vendor `desk`, and it has no account `wep` (`accounts` has: network, web); change the rule, or what vendor `desk` accepts",
            ),
            (
                "account: web, category: BILLING, area: a, service: s",
                "rule `one` opens cases at vendor `desk`, and it has no category BILLING (`categories` has: TECHNICAL); change the rule, or what vendor `desk` accepts",
            ),
            (
                "account: web, category: TECHNICAL, product: Software, problem: outage",
                "`product`: vendor `desk` does not accept \"Software\"; did you mean `software`?",
            ),
            (
                "account: web, category: TECHNICAL, product: network, problem: outage",
                "`problem`: vendor `desk` does not accept \"outage\" with \"network\"; it accepts what stands under its `categories.TECHNICAL`",
            ),
            (
                "account: web, category: TECHNICAL, product: software, problem: outage, also_notify: [a@example.com]",
                "vendor `desk` has no call for contacts, so a case that goes on after a pause keeps those that it was opened with; describe the call under `contacts`, or let the rule name nobody; the action would be refused each time",
            ),
        ] {
            assert_eq!(told(case), [words], "{case}");
        }
    }

    #[test]
    fn what_differs_by_alert_is_not_looked_at() {
        for case in [
            "account: '{{labels.a}}', category: TECHNICAL, product: software, problem: outage",
            "account: web, category: TECHNICAL, product: '{{labels.a}}', problem: outage",
            "account: web, category: TECHNICAL, product: software, problem: '{{labels.a}}'",
        ] {
            assert_eq!(told(case), [""; 0], "{case}");
        }
    }
}
