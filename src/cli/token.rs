//! `casewright token`: making a token for the admin listener.
//!
//! The token is shown once and kept nowhere: what goes into the config is its digest.

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::print::{say, tell};
use crate::config::{LOCAL_TOKEN, is_token_name};
use crate::domain::access::{Role, TokenDigest};
use crate::rng::Rng;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token: it is printed once, with the entry for `server.admin_tokens`, which holds its
    /// digest alone.
    New {
        /// Whose it is: the log and the record of acts say so.
        #[arg(long, default_value = "somebody", value_parser = named)]
        name: String,
        /// What they may do.
        #[arg(long, default_value = "viewer",
            value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)))]
        role: String,
    },
}

pub(super) fn run(args: &Args, rng: &Rng) -> ExitCode {
    let What::New { name, role } = &args.command;
    let token = hex::encode([rng.bytes(), rng.bytes()].concat());
    tell(
        "# The token; it is not shown again. CASEWRIGHT_TOKEN or --token-file takes it, or /login.",
    );
    say(&token);
    tell("# Its entry under `server.admin_tokens`:");
    say(&entry(name, role, &token));
    ExitCode::SUCCESS
}

fn named(name: &str) -> Result<String, String> {
    if is_token_name(name) && name != LOCAL_TOKEN {
        return Ok(name.to_owned());
    }
    Err("use lower-case letters, digits, `-` and `_`; not `local`".to_owned())
}

fn entry(name: &str, role: &str, token: &str) -> String {
    let digest = TokenDigest::of(token.as_bytes()).to_hex();
    format!("- {{ name: {name}, role: {role}, token_sha256: {digest} }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_has_the_digest_and_not_the_token() {
        insta::assert_snapshot!(entry("kim", "operator", "abc"), @"- { name: kim, role: operator, token_sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad }");
    }
}
