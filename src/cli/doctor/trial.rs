//! One case that says that it is a test, opened as the daemon opens cases, and asked to be closed.
//!
//! *Invariant*: at most one request to open is ever sent, and none without a person's consent to
//! this account.

use std::collections::BTreeSet;
use std::io;

use anyhow::bail;

use super::findings::Section;
use super::gather::for_looking;
use crate::cli::print::ask;
use crate::config::VendorConfig;
use crate::daemon::{World, reach};
use crate::domain::catalog::{Catalog, Category};
use crate::domain::draft::{Choices, Draft, fit, fit_comment, fit_description, fit_subject};
use crate::domain::ids::{AccountId, CaseId, IncidentId, Marker, VendorName};
use crate::rules::CasePlan;
use crate::setup::Setup;
use crate::vendors::{Evidence, Look, Operation, Outcome, Vendor};

const SUBJECT: &str = "TEST of Casewright, please close: nothing is wrong";
const DESCRIPTION: &str = "This case is a test. Somebody ran `casewright doctor --open-test-case` to see \
    that cases can be opened. Nothing is wrong, and nothing has to be done. Its closure is asked for \
    at once.";
const CLOSING: &str = "This was a test of Casewright, and it is over. Please close this case.";

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Somebody said no.
    Declined,
    /// There is no case.
    NotOpened { why: String },
    /// Nobody knows whether there is one.
    Unclear { token: String, why: String },
    /// There is one, and its closure was asked for, or why not.
    Opened { case: CaseId, subject: String, closure: Result<(), String> },
}

impl Trial {
    pub(super) fn tell(&self, section: &mut Section<'_>) {
        match self {
            Self::Declined => section.warn(
                "open",
                "it was not confirmed, so none was opened",
                "try again, and type what is asked for",
            ),
            Self::NotOpened { why } => section.fail(
                "open",
                format!("none was opened: {why}"),
                "mend that, then try again; `casewright catalog search` finds names",
            ),
            Self::Unclear { token, why } => section.fail(
                "open",
                format!("nobody knows whether it was opened: {why}"),
                format!(
                    "look at the vendor for a case whose subject ends in {token}, and close it"
                ),
            ),
            Self::Opened { case, subject, closure } => {
                section.ok("open", format!("case {case} was opened: {subject}"));
                match closure {
                    Ok(()) => section.ok("close", format!("the closure of {case} was asked for")),
                    Err(why) => section.fail(
                        "close",
                        format!("the closure of {case} may not have been asked for: {why}"),
                        format!("look at {case} at the vendor, and close it there"),
                    ),
                }
            }
        }
    }
}

/// The vendor that is named, or the only one.
///
/// # Errors
///
/// If there is no such vendor, or none is named and there are several.
pub(super) fn vendor<'a>(setup: &'a Setup, name: Option<&str>) -> anyhow::Result<&'a VendorConfig> {
    let vendors = &setup.config.vendors;
    let all = || vendors.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, vendors.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("say at which vendor, with --vendor; there are: {}", all()),
        (Some(name), _) => match vendors.iter().find(|one| one.name.as_str() == name) {
            Some(found) => Ok(found),
            None => bail!("there is no vendor of that name; there are: {}", all()),
        },
    }
}

/// The account that is named, or the only one that rules name.
///
/// # Errors
///
/// If none is named, and rules name none or several.
pub(super) fn account(
    setup: &Setup,
    vendor: &VendorName,
    named: Option<&str>,
) -> anyhow::Result<AccountId> {
    if let Some(named) = named {
        return Ok(AccountId::new(named.trim()));
    }
    let all: BTreeSet<AccountId> =
        setup.playbook.rules.plans_at(vendor).filter_map(CasePlan::constant_account).collect();
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        _ => bail!("say for which account, with --account ID: rules name none, or several"),
    }
}

/// Asks, opens, and asks for closure.
///
/// # Errors
///
/// If the vendor's client cannot be made, or nothing can be asked on the terminal.
pub(super) async fn run(
    setup: &Setup,
    config: &VendorConfig,
    account: AccountId,
    consented: bool,
    world: &World<'_>,
) -> anyhow::Result<Trial> {
    let Some((category, choices)) = filing(setup, config, &account) else {
        let why = format!(
            "no rule says, in words that are the same for every alert, what a case for {account} is \
             filed as, and vendor {} has no `fallback`",
            config.name
        );
        return Ok(Trial::NotOpened { why });
    };
    let reached = reach(&for_looking(config), world).await?;
    let vendor = reached.vendor();
    let trial = match vendor.catalog(&account, category).await {
        Err(error) => Trial::NotOpened { why: error.to_string() },
        Ok(catalog) => match draft(account, category, choices, &catalog, world) {
            Err(why) => Trial::NotOpened { why },
            Ok(draft) if consented || asked(&draft, config)? => {
                open(draft, &*vendor, config, world).await
            }
            Ok(_) => Trial::Declined,
        },
    };
    if let Some((sandbox, _)) = reached.simulation {
        sandbox.stop().await;
    }
    Ok(trial)
}

/// What a case for an account is filed as: as the first rule says that says it in constants, else as
/// the fallback says. Never what is billed.
fn filing(
    setup: &Setup,
    vendor: &VendorConfig,
    account: &AccountId,
) -> Option<(Category, Choices)> {
    let plans = setup.playbook.rules.plans_at(&vendor.name);
    let by_rule =
        plans.filter(|plan| plan.constant_account().as_ref() == Some(account)).find_map(|plan| {
            let mut choices = Choices::default();
            for (field, text) in &plan.choices {
                *field.of_mut(&mut choices) = Some(text.constant()?.trim().to_owned());
            }
            Some((plan.category, choices)).filter(|(category, _)| !category.is_billable())
        });
    let fallback = vendor.fallback.as_ref().filter(|to| !to.category.is_billable());
    by_rule.or_else(|| fallback.map(|to| (to.category, to.choices.clone())))
}

fn draft(
    account: AccountId,
    category: Category,
    mut choices: Choices,
    catalog: &Catalog,
    world: &World<'_>,
) -> Result<Draft, String> {
    choices.name_the_only_parent(category, catalog);
    let lowest = catalog.severities_for(category, &choices).last().map(|name| (*name).to_owned());
    let marker = marker(&world.rng.bytes());
    let draft = Draft {
        account,
        category,
        subject: fit_subject(SUBJECT, &marker).text,
        description: fit_description(DESCRIPTION, None, fit::DESCRIPTION_LIMIT).text,
        whole_description: None,
        files: Vec::new(),
        severity: lowest.ok_or("the vendor offers no severities here")?,
        choices,
        also_notify: Vec::new(),
        alternate_contact: None,
        remarks: Vec::new(),
        as_of: None,
        marker,
    };
    let problems = draft.problems(Some(catalog));
    if problems.is_empty() {
        return Ok(draft);
    }
    Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Of the form of an incident's, and by chance of none.
fn marker(random: &[u8; 16]) -> Marker {
    let digits: String = hex::encode(random).chars().take(24).collect();
    IncidentId::from_stored(digits).marker()
}

fn asked(draft: &Draft, config: &VendorConfig) -> io::Result<bool> {
    let proposal = format!(
        "One real case is to be opened at vendor {} for account {}:\n  {}, severity {}\n  {}\n",
        config.name, draft.account, draft.category, draft.severity, draft.subject
    );
    consents(&proposal, &draft.account, &mut ask)
}

/// Whether both questions are answered as they must be.
fn consents(
    proposal: &str,
    account: &AccountId,
    ask: &mut dyn FnMut(&str) -> io::Result<String>,
) -> io::Result<bool> {
    let first = ask(&format!("{proposal}Open it? Type `yes`: "))?;
    if !first.trim().eq_ignore_ascii_case("yes") {
        return Ok(false);
    }
    Ok(ask("Type the id of the account to confirm: ")?.trim() == account.as_str())
}

async fn open(
    draft: Draft,
    vendor: &dyn Vendor,
    config: &VendorConfig,
    world: &World<'_>,
) -> Trial {
    let since = world.clock.now();
    let (marker, subject) = (draft.marker.clone(), draft.subject.clone());
    let open = Operation::Open(Box::new(draft));
    let case = match vendor.send(&open).await {
        Outcome::Done { case, .. } => case,
        Outcome::Unknown(evidence) => {
            let looks = config.reconcile.looks;
            let pause = config.reconcile.window / looks.max(1);
            let mut seen = None;
            for _ in 0..looks {
                world.clock.sleep(pause).await;
                if let Look::Found { case, .. } = vendor.look(&open, since).await {
                    seen = Some(case);
                    break;
                }
            }
            match seen {
                Some(case) => case,
                None => return Trial::Unclear { token: marker.token(), why: evidence.message },
            }
        }
        Outcome::Refused(evidence)
        | Outcome::NotSent(evidence)
        | Outcome::Denied(evidence)
        | Outcome::Throttled { evidence, .. } => {
            return Trial::NotOpened { why: evidence.message };
        }
    };
    let closure = close(case.clone(), marker, vendor).await.map_err(|evidence| evidence.message);
    Trial::Opened { case, subject, closure }
}

async fn close(case: CaseId, marker: Marker, vendor: &dyn Vendor) -> Result<(), Evidence> {
    let token = marker.action_token(2);
    let text = fit_comment(CLOSING, &token).text;
    match vendor.send(&Operation::Close { case, marker, token, text }).await {
        Outcome::Done { .. } => Ok(()),
        other => Err(other.evidence().clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered when these are typed, and how many questions were asked.
    fn typed(answers: &[&str]) -> (bool, usize) {
        let mut asked = 0;
        let mut answers = answers.iter();
        let mut ask = |_: &str| {
            asked += 1;
            Ok(answers.next().map_or(String::new(), |answer| format!("{answer}\n")))
        };
        let consents = consents("", &AccountId::new("A-1"), &mut ask).unwrap();
        (consents, asked)
    }

    #[test]
    fn both_questions_must_be_answered_and_the_second_with_the_account() {
        assert_eq!(typed(&["yes", "A-1"]), (true, 2));
        assert_eq!(typed(&["YES", " A-1 "]), (true, 2));
        for second in ["", "yes", "a-1", "A-2", "A-11"] {
            assert_eq!(typed(&["yes", second]), (false, 2), "{second}");
        }
        for first in ["", "y", "no", "A-1"] {
            assert_eq!(typed(&[first, "A-1"]), (false, 1), "{first}");
        }
    }

    #[test]
    fn what_came_of_it_is_told_with_what_to_do() {
        let mut found = Vec::new();
        let mut section = Section::new("test case", &mut found);
        let opened = |closure| Trial::Opened {
            case: CaseId::new("F-CS-1"),
            subject: "TEST".to_owned(),
            closure,
        };
        Trial::Declined.tell(&mut section);
        Trial::NotOpened { why: "no".to_owned() }.tell(&mut section);
        Trial::Unclear { token: "[cw-1]".to_owned(), why: "lost".to_owned() }.tell(&mut section);
        opened(Ok(())).tell(&mut section);
        opened(Err("lost".to_owned())).tell(&mut section);
        insta::assert_snapshot!(super::super::findings::in_words(&found));
    }
}
