//! `casewright test`: runs the tests of the rules.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use super::print::{json_text, say, tell, tell_wrong};
use super::words::shown;
use super::{ConfigArg, Output};
use crate::config::{Diagnostic, Diagnostics, process_env};
use crate::daemon;
use crate::rule_tests::file::{self, Inputs};
use crate::rule_tests::{Coverage, Outcome, Test, TestFile};
use crate::{rule_tests, setup};

/// Nothing could be tested.
const UNUSABLE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Test files, or folders of them; without any, every `*.test.yaml` beside the rules.
    paths: Vec<PathBuf>,

    #[command(flatten)]
    config: ConfigArg,

    /// Tell as well which rules, matchers and severities no test has reached.
    #[arg(long)]
    coverage: bool,

    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (setup, mut diagnostics) = setup::load_for_rehearsal(&args.config.config, &process_env);
    let Some(setup) = setup else { return unusable(args, &diagnostics) };
    let sources = match daemon::sources(&setup.config.sources) {
        Ok(sources) => sources,
        Err(why) => {
            tell(&format!("error: {why:#}"));
            return Ok(ExitCode::from(UNUSABLE));
        }
    };
    let inputs = Inputs { sources: &sources, playbook: &setup.playbook, env: &process_env };
    let mut files: Vec<TestFile> = Vec::new();
    for path in paths(args, &setup, &mut diagnostics) {
        let (found, wrong) = file::read(&path, &inputs);
        files.extend(found);
        diagnostics.extend(wrong);
    }
    if diagnostics.has_errors() {
        return unusable(args, &diagnostics);
    }
    let playbook = Arc::new(setup.playbook);
    let tests: Vec<&Test> = files.iter().flat_map(|file| &file.tests).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (outcomes, coverage) = rule_tests::run(&playbook, &tests, threads);
    let coverage = args.coverage.then_some(coverage);
    let all = tests.into_iter().zip(outcomes).collect::<Vec<_>>();
    match args.output {
        Output::Json => {
            let mut report = report(&all);
            if let (Some(coverage), Some(report)) = (&coverage, report.as_object_mut()) {
                report.insert("coverage".to_owned(), serde_json::to_value(coverage)?);
            }
            say(&json_text(&report)?);
        }
        Output::Text => {
            if !diagnostics.is_empty() {
                tell_wrong(&diagnostics);
            }
            tell_failures(&all);
            say(&summary(&files, &all, coverage.as_ref()));
        }
    }
    let failed = all.iter().any(|(_, outcome)| !outcome.passed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The test files that are asked for.
fn paths(args: &Args, setup: &setup::Setup, diagnostics: &mut Diagnostics) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut add = |found: Vec<PathBuf>| {
        for path in found {
            if !files.contains(&path) {
                files.push(path);
            }
        }
    };
    let nothing = |place: &Path, what: &str| {
        Diagnostic::about_file(place, what)
            .hint("tests of rules are files whose names end in `.test.yaml`")
    };
    for path in &args.paths {
        if !path.is_dir() {
            // Whoever names a file wants that one, whatever it is called.
            add(vec![path.clone()]);
            continue;
        }
        let found = file::below(path);
        if found.is_empty() {
            diagnostics.push(nothing(path, "there are no tests in this folder"));
        }
        add(found);
    }
    if args.paths.is_empty() {
        let rules = setup.playbook.rules.rules().iter();
        add(file::beside(rules.map(|rule| rule.file.as_path())));
        if files.is_empty() {
            let message = "there are no tests beside the rules of this configuration";
            diagnostics.push(nothing(&args.config.config, message));
        }
    }
    files
}

fn unusable(args: &Args, diagnostics: &Diagnostics) -> anyhow::Result<ExitCode> {
    match args.output {
        Output::Json => say(&json_text(&json!({ "problems": diagnostics.to_json() }))?),
        Output::Text => {
            tell_wrong(diagnostics);
            say(&format!("nothing was tested: {}", diagnostics.summary()));
        }
    }
    Ok(ExitCode::from(UNUSABLE))
}

/// The failures, each with what stands in its test.
fn tell_failures(all: &[(&Test, Outcome)]) {
    let mut failures = Diagnostics::default();
    for failure in all.iter().flat_map(|(_, outcome)| &outcome.failures) {
        failures.push(failure.clone());
    }
    if !failures.is_empty() {
        tell_wrong(&failures);
        tell("");
    }
}

fn summary(files: &[TestFile], all: &[(&Test, Outcome)], coverage: Option<&Coverage>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for file in files {
        let of_file = || all.iter().filter(|(test, _)| test.place.file.path() == file.path);
        let failed: Vec<&str> = of_file()
            .filter(|(_, outcome)| !outcome.passed())
            .map(|(test, _)| test.name.as_str())
            .collect();
        let passed = of_file().count() - failed.len();
        let mut line = format!("{}: {passed} passed", file.path.display());
        if !failed.is_empty() {
            line.push_str(&format!(", {} failed", failed.len()));
        }
        lines.push(line);
        lines.extend(failed.iter().map(|name| format!("  failed: {}", shown(name))));
    }
    if let Some(coverage) = coverage {
        lines.push(String::new());
        lines.extend(gaps(coverage));
    }
    let failed = all.iter().filter(|(_, outcome)| !outcome.passed()).count();
    lines.push(format!(
        "{} in {}: {} passed, {failed} failed",
        count(all.len(), "test"),
        count(files.len(), "file"),
        all.len() - failed,
    ));
    lines.join("\n")
}

fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut lines = Vec::new();
    for rule in &coverage.rules {
        let gaps = rule.gaps();
        if gaps.is_empty() {
            continue;
        }
        lines.push(format!("not tested of {} ({}):", shown(&rule.rule), rule.place));
        lines.extend(gaps.iter().map(|gap| format!("  {}", shown(gap))));
    }
    let (reached, all) = coverage.count();
    lines.push(format!("coverage: {reached} of {all} rules, matchers and severities"));
    lines
}

fn report(all: &[(&Test, Outcome)]) -> Value {
    let tests: Vec<Value> = all
        .iter()
        .map(|(test, outcome)| {
            let mut failures = Diagnostics::default();
            for failure in &outcome.failures {
                failures.push(failure.clone());
            }
            json!({
                "file": test.place.file.path().display().to_string(),
                "line": test.place.start().line,
                "name": test.name,
                "passed": outcome.passed(),
                "failures": failures.to_json(),
            })
        })
        .collect();
    let failed = all.iter().filter(|(_, outcome)| !outcome.passed()).count();
    json!({ "tests": tests, "passed": all.len() - failed, "failed": failed })
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
