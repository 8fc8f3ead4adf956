//! `casewright reload`: has the running daemon read its files anew, and shows what is wrong with
//! them if they cannot be used.

use std::process::ExitCode;

use serde_json::Value;

use super::print::{Form, say, tell};
use super::remote::{Reach, Refused, Remote};
use super::words::{field, shown};
use crate::config::diagnostic::counted;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match Remote::of(&args.reach)?.post(&["-", "reload"], &[]).await {
        Ok(answer) => say(&args.form.render(&answer, in_words)?),
        Err(error) => {
            let report = error.downcast_ref::<Refused>().and_then(|refused| refused.report.clone());
            if let Some(report) = report {
                tell(&format!("{}\n", lines(&report)));
            }
            return Err(error);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(answer: &Value) -> String {
    let texts = |key: &str| -> Vec<String> {
        let list = answer.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(shown).collect()
    };
    let number = |key: &str, word: &str| {
        let number = answer.get(key).and_then(Value::as_u64).unwrap_or_default();
        counted(usize::try_from(number).unwrap_or(usize::MAX), word)
    };
    let mut text = format!(
        "the files are in force: {}, {}, {}",
        number("rules", "rule"),
        number("sources", "source"),
        number("vendors", "vendor")
    );
    for vendor in texts("resumed") {
        text.push_str(&format!(
            "\nvendor {vendor}, which did not accept who we were, is probed now"
        ));
    }
    let displaced = answer.get("displaced").and_then(Value::as_array);
    for displaced in displaced.into_iter().flatten() {
        let case = displaced.get("case").and_then(Value::as_str);
        text.push_str(&format!(
            "\nled elsewhere: incident {} of rule {} ({}{}), {}: {}; {}",
            field(displaced, "incident"),
            field(displaced, "rule"),
            field(displaced, "state"),
            case.map(|case| format!(", case {}", shown(case))).unwrap_or_default(),
            field(displaced, "alert"),
            field(displaced, "now"),
            field(displaced, "then"),
        ));
    }
    for change in texts("restart") {
        text.push_str(&format!("\nneeds a restart: {change}"));
    }
    let report = answer.get("report").and_then(Value::as_str).unwrap_or_default();
    if !report.is_empty() {
        text.push_str(&format!("\n\n{}", lines(report)));
    }
    text
}

/// A text of several lines, safe for a terminal.
fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_takes_a_restart_and_who_is_probed_is_told() {
        let answer = json!({
            "rules": 6, "sources": 2, "vendors": 1, "resumed": ["akamai"],
            "restart": ["`server.listen` is another"], "report": "warning: x\n --> f",
        });
        insta::assert_snapshot!(in_words(&answer), @r#"
        the files are in force: 6 rules, 2 sources, 1 vendor
        vendor akamai, which did not accept who we were, is probed now
        needs a restart: `server.listen` is another

        warning: x
         --> f
        "#);
    }
}
