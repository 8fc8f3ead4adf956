//! The command line: one file per command.

mod actions;
mod audit;
mod cases;
mod catalog;
mod check;
mod completions;
mod contexts;
mod deliveries;
mod demo;
mod doctor;
mod explain;
mod filters;
mod incidents;
mod mutes;
mod print;
mod reload;
mod remote;
mod sandbox;
mod schema;
mod serve;
mod shutdown;
mod status;
mod store;
mod test;
mod token;
mod vendors;
mod why;
mod words;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};

use self::print::{json_text, say, tell};
use crate::clock::SystemClock;
use crate::config::process_env;
use crate::config::source_file::CONFIG_VARIABLE;
use crate::daemon::World;
use crate::rng::Rng;
use crate::telemetry::logs;

/// Turns monitoring alerts into vendor support cases: one incident, one case.
#[derive(Debug, Parser)]
#[command(name = "casewright", version, about, propagate_version = true)]
struct Cli {
    /// What to log, such as `info` or `casewright=debug`.
    #[arg(long, global = true, env = logs::FILTER_VARIABLE, value_name = "FILTER")]
    log: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(OnlyConfigArg),
    /// Check config, rules and templates; exit with 1 if anything is wrong.
    Check(check::Args),
    /// Run the tests of the rules; exit with 1 if one fails, with 2 if files cannot be used.
    Test(test::Args),
    /// Tell what a payload would do, and why: rules, identity, decision, case.
    Explain(explain::Args),
    /// Show the whole way from alert to case, on this machine, with nothing installed.
    Demo(demo::Args),
    /// Print the JSON Schema of a file, for editors.
    Schema(schema::Args),
    /// Print the OpenAPI document of the API.
    ApiSpec,
    /// Print what a shell needs to complete commands and flags.
    Completions(completions::Args),
    /// Write the manual pages.
    Man(completions::Man),
    /// Run the simulation of the vendor's API alone.
    Sandbox(sandbox::Args),
    /// Back the store up, or check it, also while the daemon runs.
    Store(store::Args),
    /// Show how everything stands: the store, the queue, incidents, vendors, alarms.
    Status(status::Args),
    /// Show how incidents stand, and approve or reject those that are held.
    Incidents(Box<incidents::Args>),
    /// Show the cases that were opened, and what the vendors do with them.
    Cases(cases::Args),
    /// Show what senders have posted, and have it taken in once more.
    Deliveries(deliveries::Args),
    /// Tell why there was a case, or none.
    Why(why::Args),
    /// Open no cases for some time.
    Mutes(mutes::Args),
    /// Show what waits for a person, or all that is done, and have it tried again.
    Actions(actions::Args),
    /// Show how the vendors stand, and have one left alone or probed at once.
    Vendors(vendors::Args),
    /// Show who has had what done.
    Audit(audit::Args),
    /// Make a token for the API and the console.
    Token(token::Args),
    /// Read, show, search and compare what the vendors accept.
    Catalog(catalog::Args),
    /// Look at everything that a case needs, and say what to do.
    Doctor(doctor::Args),
    /// Have the running daemon read its files anew.
    Reload(reload::Args),
}

/// Where the config is, unless somebody says so.
const DEFAULT_CONFIG: &str = "config/casewright.yaml";

/// Which config.
#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// The daemon's own file.
    #[arg(
        long,
        short,
        env = CONFIG_VARIABLE,
        value_name = "FILE",
        default_value = DEFAULT_CONFIG
    )]
    config: PathBuf,
}

/// As [`ConfigArg`], for commands that take nothing else without a name: what stands there is taken
/// for the config by who has other programs in mind.
#[derive(Debug, clap::Args)]
struct OnlyConfigArg {
    #[command(flatten)]
    named: ConfigArg,

    #[arg(value_name = "FILE", hide = true, value_parser = must_be_named)]
    unnamed: Option<Infallible>,
}

impl OnlyConfigArg {
    fn path(&self) -> &Path {
        // Whatever stands there is refused when it is read.
        let None = { self.unnamed };
        &self.named.config
    }
}

fn must_be_named(file: &str) -> Result<Infallible, String> {
    Err(format!("the configuration is named by `--config {file}`"))
}

/// For whom to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// The exit status if no daemon answers; a mistake on the command line is [`MISUSED`], everything else 1.
const UNREACHABLE: u8 = 3;

/// The exit status of a mistake on the command line, whoever finds it.
const MISUSED: u8 = 2;

/// A mistake on the command line that is found only when the command runs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Misused(String);

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // A demo's own output is what it is about; its log would stand in the way.
    let quiet = !matches!(cli.command, Command::Serve(_) | Command::Sandbox(_));
    let filter = cli.log.as_deref().or(quiet.then_some("error"));
    if let Err(error) = logs::init(None, filter) {
        return fail(&error.into());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error)),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(&args, world()).await,
            Command::Check(args) => check::run(&args).await,
            Command::Test(args) => test::run(&args),
            Command::Explain(args) => explain::run(&args).await,
            Command::Demo(args) => demo::run(&args, world()).await,
            Command::Schema(args) => Ok(schema::run(&args)),
            Command::Completions(args) => Ok(completions::run(&args)),
            Command::Man(args) => completions::man(&args),
            Command::Sandbox(args) => sandbox::run(args, world()).await,
            Command::Store(args) => store::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Incidents(args) => incidents::run(*args).await,
            Command::Cases(args) => cases::run(args).await,
            Command::Deliveries(args) => deliveries::run(args).await,
            Command::ApiSpec => api_spec(),
            Command::Why(args) => why::run(args).await,
            Command::Mutes(args) => mutes::run(args).await,
            Command::Actions(args) => actions::run(args).await,
            Command::Vendors(args) => vendors::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Token(args) => token::run(&args, &world().rng),
            Command::Catalog(args) => catalog::run(args, world()).await,
            Command::Doctor(args) => doctor::run(args, world()).await,
            Command::Reload(args) => reload::run(args).await,
        }
    });
    match result {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn api_spec() -> anyhow::Result<ExitCode> {
    say(&json_text(&crate::http::api::document())?);
    Ok(ExitCode::SUCCESS)
}

fn world() -> World<'static> {
    World { clock: Arc::new(SystemClock), rng: Arc::new(Rng::from_os()), env: &process_env }
}

/// Says what went wrong, with its causes, and fails.
fn fail(error: &anyhow::Error) -> ExitCode {
    tell(&format!("error: {error:#}"));
    if error.is::<remote::Unreachable>() {
        ExitCode::from(UNREACHABLE)
    } else if error.is::<Misused>() {
        ExitCode::from(MISUSED)
    } else {
        ExitCode::FAILURE
    }
}
