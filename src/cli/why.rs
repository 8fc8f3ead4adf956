//! `casewright why`: why there was a case, or none.

use std::process::ExitCode;

use serde_json::Value;

use super::incidents::record;
use super::print::{Form, say};
use super::remote::{Reach, Remote, quoted};
use super::words::{self, field, items, shown, time};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An incident's id or token, a case, a delivery, a rule, an alert's fingerprint or name.
    about: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { about, reach, form } = args;
    let answer = Remote::of(&reach)?.ask_for(&["api", "v1", "why"], &[("about", &about)]).await?;
    say(&form.render(&answer, |answer| reasons(&about, answer, &reach.flags()))?);
    Ok(ExitCode::SUCCESS)
}

/// The newest delivery with an alert that became no incident's. Of those that told nothing new, nothing is
/// kept that could be explained.
fn explainable(answer: &Value) -> Option<String> {
    let is_one = |verdict: &&Value| {
        let told_nothing = matches!(field(verdict, "fate").as_str(), "repeat" | "redelivered");
        verdict.get("incident").is_none_or(Value::is_null) && !told_nothing
    };
    items(answer, "verdicts").find(is_one).map(|verdict| field(verdict, "delivery"))
}

fn reasons(about: &str, answer: &Value, flags: &str) -> String {
    let mut parts: Vec<String> = items(answer, "incidents").map(record).collect();
    let verdicts = words::verdicts(items(answer, "verdicts"), |verdict, alert| {
        let alert = if alert.is_empty() { String::new() } else { format!("{alert}: ") };
        let incident = match verdict.get("incident").and_then(Value::as_str) {
            Some(incident) => format!("incident {}: ", shown(incident)),
            None => String::new(),
        };
        format!(
            "{}  delivery {} of {}, {}: {alert}{incident}{}",
            time(verdict, "received_at"),
            field(verdict, "delivery"),
            field(verdict, "source"),
            field(verdict, "fate"),
            field(verdict, "effect"),
        )
    });
    if !verdicts.is_empty() {
        parts.push(format!("what was heard\n  {}", verdicts.join("\n  ")));
    }
    parts.extend(explainable(answer).map(|delivery| {
        format!(
            "casewright explain --delivery {}{flags}\n  tells what each rule says to it",
            quoted(&delivery)
        )
    }));
    if let (true, Some(place)) = (parts.is_empty(), answer.get("rule").and_then(Value::as_str)) {
        return format!(
            "rule {} is in force ({}), and nothing is known that it took",
            shown(about),
            shown(place)
        );
    }
    if parts.is_empty() {
        return format!(
            "nothing is known of `{}`: no incident, case, delivery, rule or alert has that name; \
             names are compared exactly (`casewright incidents --label NAME=VALUE` finds them by a label)",
            shown(about)
        );
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nothing_is_known_of_is_told_as_well() {
        let verdict = json!({ "received_at": "2026-08-01T10:00:00Z", "delivery": "d-1",
            "source": "alertmanager", "fate": "unmatched", "alert": "High", "status": "firing",
            "effect": "no rule matches" });
        let found = json!({ "incidents": [], "verdicts": [verdict] });
        insta::assert_snapshot!(reasons("High", &found, " --context prod"), @r#"
        what was heard
          2026-08-01T10:00:00Z  delivery d-1 of alertmanager, unmatched: High (firing): no rule matches

        casewright explain --delivery d-1 --context prod
          tells what each rule says to it
        "#);
        let nothing = json!({ "incidents": [], "verdicts": [] });
        let idle = json!({ "incidents": [], "verdicts": [], "rule": "rules/10.yaml:3" });
        assert_eq!(
            reasons("idle", &idle, ""),
            "rule idle is in force (rules/10.yaml:3), and nothing is known that it took"
        );
        insta::assert_snapshot!(reasons("Hihg", &nothing, ""), @"nothing is known of `Hihg`: no incident, case, delivery, rule or alert has that name; names are compared exactly (`casewright incidents --label NAME=VALUE` finds them by a label)");
    }

    #[test]
    fn two_alerts_of_a_delivery_share_a_line_that_counts_them() {
        let verdict = |fingerprint: &str, fate: &str| {
            json!({ "received_at": "2026-08-01T10:00:00Z",
            "delivery": "d-1", "source": "alertmanager", "fate": fate, "alert": "High",
            "status": "firing", "effect": "no rule matches", "fingerprint": fingerprint })
        };
        let found = json!({ "incidents": [], "verdicts": [verdict("f1", "unmatched"), verdict("f2", "unmatched")] });
        insta::assert_snapshot!(reasons("High", &found, ""), @r#"
        what was heard
          2026-08-01T10:00:00Z  delivery d-1 of alertmanager, unmatched: High (firing), 2 alerts: f1, f2: no rule matches

        casewright explain --delivery d-1
          tells what each rule says to it
        "#);
        // What told nothing new was not kept.
        let repeated = json!({ "incidents": [], "verdicts": [verdict("f1", "repeat")] });
        assert!(!reasons("High", &repeated, "").contains("explain"));
    }
}
