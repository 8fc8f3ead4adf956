//! A draft in a terminal: shown, changed, and approved as it was seen.
//!
//! *Promise:* what is sent to the daemon as seen is the entity tag of what this person was shown, or names
//! themselves; tags are passed on as they came, and never made up.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ArgGroup;
use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value};

use super::record::edited_by;
use crate::cli::Misused;
use crate::cli::print::{Form, ask, can_ask, say, tell};
use crate::cli::remote::{Reach, Remote, quoted};
use crate::cli::words::{self, field, has, items, short};

/// The keys of a draft, in the order of a case.
const KEYS: [&str; 11] = [
    "subject",
    "description",
    "severity",
    "product",
    "problem",
    "policy_domain",
    "area",
    "service",
    "parent_account",
    "solution",
    "package",
];

/// What is to be changed of a draft.
#[derive(Debug, Default, clap::Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Change {
    /// The subject; the token that makes the case findable is added at its end.
    #[arg(long, group = "change", value_name = "TEXT")]
    subject: Option<String>,
    /// The description.
    #[arg(long, group = "change", value_name = "TEXT")]
    description: Option<String>,
    /// The file with the description; `-` reads it from standard input.
    #[arg(long, group = "change", value_name = "FILE", conflicts_with = "description")]
    description_file: Option<PathBuf>,
    /// The vendor's own severity string.
    #[arg(long, group = "change")]
    severity: Option<String>,
    /// A product of the vendor's.
    #[arg(long, group = "change")]
    product: Option<String>,
    /// A problem of the product's.
    #[arg(long, group = "change")]
    problem: Option<String>,
    /// A policy domain.
    #[arg(long, group = "change")]
    policy_domain: Option<String>,
    /// An area.
    #[arg(long, group = "change")]
    area: Option<String>,
    /// A service of the area's.
    #[arg(long, group = "change")]
    service: Option<String>,
    /// A parent account.
    #[arg(long, group = "change", value_name = "ID")]
    parent_account: Option<String>,
    /// A solution.
    #[arg(long, group = "change")]
    solution: Option<String>,
    /// A package.
    #[arg(long, group = "change")]
    package: Option<String>,
    /// Have this again as the rule says; may be given several times.
    #[arg(long, group = "change", value_name = "KEY", value_parser = PossibleValuesParser::new(KEYS))]
    unset: Vec<String>,
    /// Take back all that was changed before. What is changed beside it, counts.
    #[arg(long, group = "change")]
    reset: bool,
}

impl Change {
    /// What is set, by its key.
    fn set(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let from_file = self.description_file.as_deref().map(read).transpose()?;
        let values = [
            self.subject.clone(),
            self.description.clone().or(from_file),
            self.severity.clone(),
            self.product.clone(),
            self.problem.clone(),
            self.policy_domain.clone(),
            self.area.clone(),
            self.service.clone(),
            self.parent_account.clone(),
            self.solution.clone(),
            self.package.clone(),
        ];
        Ok(KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect())
    }
}

/// Whether a person agrees to what is sent.
pub(super) enum Consent {
    /// They are asked, with the draft before their eyes.
    Asked,
    /// To whatever the draft is.
    Given,
    /// To the draft with this entity tag.
    To(String),
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    // The last line's end is the file's.
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

fn place(id: &str) -> [&str; 5] {
    ["api", "v1", "incidents", id, "draft"]
}

/// Shows a draft, with the command that approves it as it is shown.
pub(super) async fn show(name: &str, reach: &Reach, form: Form) -> anyhow::Result<()> {
    let remote = Remote::of(reach)?;
    let id = remote.incident(name).await?;
    let (sheet, tag) = remote.get_tagged(&place(&id)).await?;
    print(sheet, &tag, reach, form)
}

/// A draft with its tag. Scripts find it beside the rest.
fn print(mut sheet: Value, tag: &str, reach: &Reach, form: Form) -> anyhow::Result<()> {
    if let Some(sheet) = sheet.as_object_mut() {
        sheet.insert("etag".to_owned(), tag.into());
    }
    say(&form.render(&sheet, |sheet| {
        let approves = format!(
            "casewright incidents approve {} --if-match {}{}",
            field(sheet, "incident"),
            quoted(tag),
            reach.flags()
        );
        let mut lines = vec![sheet_lines(sheet)];
        if waits(sheet) {
            lines.push(format!("\n{approves}\n  has exactly this opened"));
        }
        lines.join("\n")
    })?);
    Ok(())
}

/// Whether a person has a say in it.
fn waits(sheet: &Value) -> bool {
    matches!(field(sheet, "state").as_str(), "held" | "pending")
}

/// The draft in words, whole: whoever approves it has seen all of it.
fn sheet_lines(sheet: &Value) -> String {
    let mut lines = vec![format!(
        "draft of incident {} ({}), for account {}, category {}",
        field(sheet, "incident"),
        field(sheet, "state"),
        field(sheet, "account"),
        field(sheet, "category")
    )];
    if let Some(edited) = sheet.get("edited").filter(|edited| !edited.is_null()) {
        lines.push(format!("  edited {}", edited_by(edited)));
    }
    if has(sheet, "problem") {
        lines.push(format!("  cannot be sent: {}", field(sheet, "problem")));
    }
    for key in KEYS {
        let value = sheet.get("draft").and_then(|draft| draft.get(key)).and_then(Value::as_str);
        let Some(value) = value else { continue };
        let mut text = words::lines(value);
        lines
            .push(format!("  {key:<14} {}", text.next().unwrap_or_default()).trim_end().to_owned());
        lines.extend(text.map(|line| format!("  {:<14} {line}", "").trim_end().to_owned()));
    }
    let notes = items(sheet, "notes").filter_map(Value::as_str);
    lines.extend(notes.map(|note| format!("  note: {}", short(note))));
    lines.join("\n")
}

/// What a draft's edit is to be: what was changed before, and what is changed now.
fn wording(sheet: &Value, change: &Change) -> anyhow::Result<Value> {
    let mut wording = Map::new();
    if !change.reset {
        let before = sheet.pointer("/edited").map(|edited| items(edited, "fields"));
        for key in before.into_iter().flatten().filter_map(Value::as_str) {
            if change.unset.iter().any(|unset| unset == key) {
                continue;
            }
            let Some(value) = sheet.get("draft").and_then(|draft| draft.get(key)) else {
                bail!(
                    "what was changed before cannot be told, because nothing could be sent now: {} \
                     (with --reset only what you change counts)",
                    field(sheet, "problem")
                );
            };
            wording.insert(key.to_owned(), value.clone());
        }
    }
    for (key, value) in change.set()? {
        wording.insert(key.to_owned(), value.into());
    }
    Ok(Value::Object(wording))
}

/// Changes a draft, if it is as `seen`, or else as it is now.
pub(super) async fn edit(
    name: &str,
    change: &Change,
    seen: Option<&str>,
    reach: &Reach,
    form: Form,
) -> anyhow::Result<()> {
    let remote = Remote::of(reach)?;
    let id = remote.incident(name).await?;
    let (sheet, tag) = remote.get_tagged(&place(&id)).await?;
    let wording = wording(&sheet, change)?;
    let (sheet, tag) = remote.put_seen(&place(&id), &wording, seen.unwrap_or(&tag)).await?;
    print(sheet, &tag, reach, form)
}

/// Has a case opened as its draft was seen.
pub(super) async fn approve(
    name: &str,
    consent: Consent,
    reach: &Reach,
    form: Form,
) -> anyhow::Result<ExitCode> {
    if matches!(consent, Consent::Asked) && !can_ask() {
        return Err(Misused(
            "there is no terminal to ask on: say --yes, or with --if-match which draft was seen \
             (`casewright incidents draft` shows it)"
                .to_owned(),
        )
        .into());
    }
    let remote = Remote::of(reach)?;
    let id = remote.incident(name).await?;
    let tag = match consent {
        Consent::To(tag) => tag,
        Consent::Given => remote.get_tagged(&place(&id)).await?.1,
        Consent::Asked => {
            let (sheet, tag) = remote.get_tagged(&place(&id)).await?;
            // The daemon says best why what does not wait is not approved.
            if waits(&sheet) {
                tell(&sheet_lines(&sheet));
                let answer = ask("Open this case? [y/N] ")?;
                if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
                    tell("nothing was done");
                    return Ok(ExitCode::FAILURE);
                }
            }
            tag
        }
    };
    let answer = remote.post_seen(&["api", "v1", "incidents", &id, "approve"], &tag).await?;
    say(&form.render(&answer, |answer| {
        format!("approved: the case of incident {} is being opened", field(answer, "id"))
    })?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sheet() -> Value {
        json!({ "incident": "0123", "state": "held", "edits": 1, "account": "A-1",
            "category": "TECHNICAL", "problem": null, "notes": ["cut"],
            "edited": { "by": "kim", "at": "2026-08-01T10:00:00.5Z", "fields": ["subject", "product"] },
            "draft": { "subject": "shop is\u{1b} slow", "description": "one\n\n\ttwo", "severity": "2",
                "product": "Ion", "problem": null } })
    }

    #[test]
    fn a_draft_is_shown_whole_as_it_would_be_sent() {
        insta::assert_snapshot!(sheet_lines(&sheet()), @r#"
        draft of incident 0123 (held), for account A-1, category TECHNICAL
          edited by kim at 2026-08-01T10:00:00Z: subject, product
          subject        shop is\u{1b} slow
          description    one

                             two
          severity       2
          product        Ion
          note: cut
        "#);
        let mut long = sheet();
        long["draft"]["description"] = "x".repeat(10_000).into();
        assert!(sheet_lines(&long).contains(&"x".repeat(10_000)), "who approves it has seen it");
        let nothing =
            json!({ "incident": "0123", "state": "held", "problem": "no rule", "draft": null });
        insta::assert_snapshot!(sheet_lines(&nothing), @r#"
        draft of incident 0123 (held), for account -, category -
          cannot be sent: no rule
        "#);
    }

    #[test]
    fn what_was_changed_before_stays_changed_unless_somebody_says_so() {
        let of = |change: Change| wording(&sheet(), &change).unwrap();
        let severity = || Change { severity: Some("1".to_owned()), ..Change::default() };
        let before = json!({ "subject": "shop is\u{1b} slow", "product": "Ion", "severity": "1" });
        assert_eq!(of(severity()), before);
        let unset = Change { unset: vec!["product".to_owned()], ..severity() };
        assert_eq!(of(unset), json!({ "subject": "shop is\u{1b} slow", "severity": "1" }));
        assert_eq!(of(Change { reset: true, ..severity() }), json!({ "severity": "1" }));
        assert_eq!(of(Change { reset: true, ..Change::default() }), json!({}));
    }

    #[test]
    fn what_was_changed_before_is_not_lost_because_it_cannot_be_read() {
        let mut broken = sheet();
        broken["draft"] = Value::Null;
        broken["problem"] = "the rule is gone".into();
        let severity = Change { severity: Some("1".to_owned()), ..Change::default() };
        let complaint = wording(&broken, &severity).unwrap_err().to_string();
        assert!(
            complaint.contains("the rule is gone") && complaint.contains("--reset"),
            "{complaint}"
        );
    }
}
