//! `casewright token`: making a token for the admin listener.
//!
//! The token is shown once, or written into a file that only its owner can read, and kept nowhere else:
//! what goes into the config is its digest.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::print::{Form, say, tell};
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
    /// Make a token: it is printed once, or written to a file, with the entry for
    /// `server.admin_tokens`, which holds its digest alone.
    New {
        /// Whose it is: the log and the record of acts say so.
        #[arg(long, default_value = "somebody", value_parser = named)]
        name: String,
        /// What they may do.
        #[arg(long, default_value = "viewer",
            value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name)))]
        role: String,
        /// Write the token into this new file, which only you can read, instead of printing it. The
        /// same flag of other commands reads it there.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
}

pub(super) fn run(args: &Args, rng: &Rng) -> anyhow::Result<ExitCode> {
    let What::New { name, role, token_file, form } = &args.command;
    let token = hex::encode([rng.bytes(), rng.bytes()].concat());
    if let Some(file) = token_file {
        keep(file, &token)
            .with_context(|| format!("the token cannot be written to {}", file.display()))?;
    }
    let entry = entry(name, role, &token);
    if form.is_data() {
        let digest = TokenDigest::of(token.as_bytes()).to_hex();
        let printed = token_file.is_none().then_some(token);
        let made = json!({ "name": name, "role": role, "token": printed, "token_file": token_file,
            "token_sha256": digest, "entry": entry });
        say(&form.render(&made, |_| String::new())?);
        return Ok(ExitCode::SUCCESS);
    }
    match token_file {
        Some(file) => tell(&format!("# The token is in {}, and nowhere else.", file.display())),
        None => {
            tell(
                "# The token; it is not shown again. CASEWRIGHT_TOKEN or --token-file takes it, or \
                 /login.",
            );
            say(&token);
        }
    }
    tell("# Its entry under `server.admin_tokens`:");
    say(&entry);
    Ok(ExitCode::SUCCESS)
}

/// Writes a token into a file that is not there yet and that nobody else can read.
fn keep(file: &Path, token: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(file)?, "{token}")
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
