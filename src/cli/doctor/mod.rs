//! `casewright doctor`: looks at everything between a webhook and a case, and says what to do.
//!
//! *Invariant*: changes nothing, here or at a vendor, but for the one test case that a person asks
//! for and confirms.

mod facts;
mod findings;
mod gather;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use self::facts::Facts;
use self::findings::{Finding, Section, counts, findings, in_words};
use super::check;
use super::print::{Form, can_ask, say, tell_wrong};
use super::remote::Reach;
use crate::config::{Config, process_env};
use crate::daemon::World;
use crate::setup::{self, Setup};

/// The files cannot be used.
const UNUSABLE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,

    /// The folder in which backups of the store lie; by default that of the database.
    #[arg(long, value_name = "FOLDER")]
    backups: Option<PathBuf>,

    #[command(flatten)]
    case: Case,

    #[command(flatten)]
    form: Form,
}

/// The test case.
#[derive(Debug, clap::Args)]
struct Case {
    /// Open one case at the vendor that says that it is a test, and ask for its closure at once.
    /// Asks twice before.
    #[arg(long)]
    open_test_case: bool,

    /// The account that the test case is for, if rules name several.
    #[arg(long, value_name = "ID", requires = "open_test_case")]
    account: Option<String>,

    /// The vendor to open it at, if there are several.
    #[arg(long, value_name = "NAME", requires = "open_test_case")]
    vendor: Option<String>,

    /// Do not ask; the account must be named.
    #[arg(long, requires = "open_test_case", requires = "account")]
    yes: bool,
}

pub(super) async fn run(args: Args, world: World<'static>) -> anyhow::Result<ExitCode> {
    if args.case.open_test_case && !args.case.yes && !can_ask() {
        bail!("there is no terminal to ask on: name the account with --account ID, and say --yes");
    }
    let path = &args.reach.config().config;
    let checked = Config::check(path, &process_env);
    let (setup, mut diagnostics) = setup::load_for_rehearsal(path, &process_env);
    if let Some(setup) = &setup {
        diagnostics.extend(check::look_at_labels(setup)?);
    }
    let daemon = match &checked.store {
        Some(_) => Some(gather::daemon(&checked, &args.reach).await),
        None => None,
    };
    let (daemon, accepted) = daemon.unzip();
    let mut facts = Facts {
        files: gather::files(path, setup.as_ref(), &diagnostics),
        store: match &checked.store {
            Some(store) => Some(gather::store(store, args.backups.as_deref(), &world).await),
            None => None,
        },
        daemon,
        vendors: Vec::new(),
        told: Vec::new(),
        sources: Vec::new(),
        tokens: None,
    };
    if let Some(setup) = &setup {
        for vendor in &setup.config.vendors {
            facts.vendors.push(gather::vendor(vendor, setup, &world).await);
        }
        facts.told = gather::told(&setup.config, &world).await;
        facts.sources = setup.config.sources.iter().map(gather::source).collect();
        facts.tokens = Some(gather::tokens(&setup.config, accepted.flatten()));
    }
    let mut found = findings(&facts);
    if let (Some(setup), true) = (&setup, args.case.open_test_case) {
        let tried = try_a_case(&args.case, setup, &found, &world).await?;
        found.extend(tried);
    }
    let [ok, warn, fail] = counts(&found);
    if args.form.is_data() {
        let told = json!({
            "findings": found,
            "ok": ok,
            "warn": warn,
            "fail": fail,
            "diagnostics": diagnostics.to_json(),
        });
        say(&args.form.render(&told, ToString::to_string)?);
    } else {
        if setup.is_none() {
            tell_wrong(&diagnostics);
        }
        say(&in_words(&found));
    }
    Ok(match (setup, fail) {
        (None, _) => ExitCode::from(UNUSABLE),
        (Some(_), 0) => ExitCode::SUCCESS,
        (Some(_), _) => ExitCode::FAILURE,
    })
}

/// What came of the test case. There is none where something else of its vendor has to be mended.
async fn try_a_case(
    case: &Case,
    setup: &Setup,
    found: &[Finding],
    world: &World<'static>,
) -> anyhow::Result<Vec<Finding>> {
    let vendor = trial::vendor(setup, case.vendor.as_deref())?;
    let account = trial::account(setup, &vendor.name, case.account.as_deref())?;
    let mut tried = Vec::new();
    let mut section = Section::new("test case", &mut tried);
    if found.iter().any(|finding| finding.bars(&vendor.name)) {
        let message = format!("none is opened while something fails at vendor {}", vendor.name);
        section.fail("open", message, "mend what is told above, then try again");
        return Ok(tried);
    }
    let trial = trial::run(setup, vendor, account, case.yes, world).await?;
    trial.tell(&mut section);
    Ok(tried)
}
