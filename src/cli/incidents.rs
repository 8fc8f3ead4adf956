//! `casewright incidents` and `casewright why`: how incidents stand, why they have a case or none,
//! and a person's word on those that wait.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::print::{Form, Watch, say};
use super::remote::{Reach, Remote};
use super::words::{field, shown, table, time};
use crate::clock::{Clock as _, SystemClock};
use crate::time::{duration, earlier};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the newest incidents.
    List {
        /// Only those in this state, such as `held` or `open`.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this rule.
        #[arg(long)]
        rule: Option<String>,
        /// Only those whose first alert has this label; may be given several times.
        #[arg(long = "label", value_name = "NAME=VALUE")]
        labels: Vec<String>,
        /// Only those whose first alert has this in its name.
        #[arg(long)]
        title: Option<String>,
        /// Only those whose case is, or would be, there.
        #[arg(long)]
        vendor: Option<String>,
        /// Only those that began in the last so long, such as 2h.
        #[arg(long, value_name = "DURATION")]
        last: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        watch: Watch,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Show all that there is to tell of one.
    Show {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Open the case of one that is held, whatever holds it.
    Approve {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
    /// Open no case for one that is held or pending, as long as it fires.
    Reject {
        /// The incident, as `list` shows it.
        id: String,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// An incident's id or token, a case, a delivery, a rule, an alert's fingerprint or name.
    about: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        What::List { state, rule, labels, title, vendor, last, limit, watch, reach, form } => {
            let since = last.as_deref().map(since).transpose()?;
            let mut query = Vec::new();
            query.extend(state.as_deref().map(|state| ("state", state)));
            query.extend(rule.as_deref().map(|rule| ("rule", rule)));
            query.extend(labels.iter().map(|label| ("label", label.as_str())));
            query.extend(title.as_deref().map(|title| ("title", title)));
            query.extend(vendor.as_deref().map(|vendor| ("vendor", vendor)));
            query.extend(since.as_deref().map(|since| ("since", since)));
            let remote = Remote::of(&reach)?;
            watch.show(form, || remote.list("incidents", &query, limit), list).await?;
            Ok(ExitCode::SUCCESS)
        }
        What::Show { id, reach, form } => {
            let answer = Remote::of(&reach)?.get(&["api", "v1", "incidents", &id]).await?;
            print(form, &answer, record)
        }
        What::Approve { id, reach, form } => {
            let path = ["api", "v1", "incidents", &id, "approve"];
            let answer = Remote::of(&reach)?.post(&path, &[]).await?;
            print(form, &answer, |answer| {
                format!("approved: the case of incident {} is being opened", field(answer, "id"))
            })
        }
        What::Reject { id, reach, form } => {
            let path = ["api", "v1", "incidents", &id, "reject"];
            let answer = Remote::of(&reach)?.post(&path, &[]).await?;
            print(form, &answer, |answer| {
                format!(
                    "rejected: incident {} gets no case, unless it ends and comes back",
                    field(answer, "id")
                )
            })
        }
    }
}

/// So long ago, as a time.
fn since(last: &str) -> anyhow::Result<String> {
    let last = duration::parse(last).map_err(|why| anyhow::anyhow!("--last: {why}"))?;
    Ok(earlier(SystemClock.now(), last).to_string())
}

pub(super) async fn why(args: Why) -> anyhow::Result<ExitCode> {
    let Why { about, reach, form } = args;
    let answer = Remote::of(&reach)?.ask_for(&["api", "v1", "why"], &[("about", &about)]).await?;
    print(form, &answer, |answer| reasons(&about, answer))
}

fn print(
    form: Form,
    answer: &Value,
    text: impl FnOnce(&Value) -> String,
) -> anyhow::Result<ExitCode> {
    say(&form.render(answer, text)?);
    Ok(ExitCode::SUCCESS)
}

fn items<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The state, and what holds it.
fn state(incident: &Value) -> String {
    match incident.get("hold").and_then(Value::as_str) {
        Some(hold) => format!("{} ({})", field(incident, "state"), shown(hold)),
        None => field(incident, "state"),
    }
}

fn list(answer: &Value) -> String {
    let row = |incident: &Value| {
        vec![
            field(incident, "id"),
            state(incident),
            field(incident, "rank"),
            field(incident, "rule"),
            time(incident, "created_at"),
            field(incident, "case"),
            field(incident, "title"),
        ]
    };
    let rows: Vec<_> = items(answer, "incidents").map(row).collect();
    if rows.is_empty() {
        return "there is no such incident".to_owned();
    }
    let head = ["INCIDENT", "STATE", "RANK", "RULE", "SINCE", "CASE", "ALERT"];
    let mut lines = table(&head, &rows);
    if answer.get("next").is_some_and(Value::is_string) {
        lines.push("There are more than these; the newest come first.".to_owned());
    }
    lines.join("\n")
}

fn pairs(of: &Value, key: &str) -> String {
    let pairs = of.get(key).and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", shown(name), shown(value.as_str().unwrap_or(""))))
        .collect();
    if pairs.is_empty() { "-".to_owned() } else { pairs.join(" ") }
}

fn record(record: &Value) -> String {
    let mut lines = vec![
        format!("incident {}: {}", field(record, "id"), state(record)),
        format!("  alert     {}", field(record, "title")),
        format!("  labels    {}", pairs(record, "labels")),
        format!("  rule      {} ({})", field(record, "rule"), field(record, "rule_place")),
        format!("  identity  {}", pairs(record, "identity")),
        format!("  vendor    {}", field(record, "vendor")),
        format!("  severity  rank {}", field(record, "rank")),
        format!("  case      {}", field(record, "case")),
        format!("  token     {}", field(record, "token")),
        format!(
            "  began     {}, with delivery {}",
            time(record, "created_at"),
            field(record, "delivery")
        ),
    ];
    if record.get("previous_case").is_some_and(|case| !case.is_null()) {
        lines.push(format!(
            "  before    case {}; this is generation {}",
            field(record, "previous_case"),
            field(record, "generation")
        ));
    }
    if let Some(why) = record.get("left_alone").and_then(Value::as_str) {
        lines.push(format!("  waits     {}", shown(why)));
    }
    if record.get("due_at").is_some_and(|due| !due.is_null()) {
        lines.push(format!("  next look {}", time(record, "due_at")));
    }
    if let Some(edited) = record.get("edited").filter(|edited| !edited.is_null()) {
        let fields = edited.get("fields").and_then(Value::as_array).into_iter().flatten();
        let fields: Vec<String> = fields.filter_map(Value::as_str).map(shown).collect();
        lines.push(format!(
            "  edited    by {} at {}: {}",
            field(edited, "by"),
            time(edited, "at"),
            fields.join(", ")
        ));
    }
    lines.extend(at_vendor_lines(record));
    lines.push("decisions".to_owned());
    for decided in items(record, "decisions") {
        lines.push(format!(
            "  {}  {}: {}  <- {}",
            time(decided, "at"),
            field(decided, "state"),
            field(decided, "reason"),
            field(decided, "cause")
        ));
    }
    lines.push(format!(
        "alerts: {} firing, {} resolved",
        field(record, "firing"),
        field(record, "resolved")
    ));
    for member in items(record, "members") {
        lines.push(format!(
            "  {}  {}  rank {}  {}",
            time(member, "since"),
            field(member, "status"),
            field(member, "rank"),
            field(member, "title")
        ));
    }
    lines.push("actions".to_owned());
    for action in items(record, "actions") {
        lines.extend(action_lines(action));
    }
    lines.extend(draft_lines(record));
    lines.join("\n")
}

/// What the vendor says of the case.
fn at_vendor_lines(record: &Value) -> Vec<String> {
    let Some(told) = record.get("at_vendor").filter(|told| !told.is_null()) else {
        return Vec::new();
    };
    let turn = match told.get("next_action").and_then(Value::as_str) {
        Some("customer") => "; it waits for us".to_owned(),
        Some("vendor") => "; it is the vendor's turn".to_owned(),
        Some(other) => format!("; next: {}", shown(other)),
        None => String::new(),
    };
    let mut lines = vec![
        format!("at the vendor, as of {}", time(told, "checked_at")),
        format!("  status    {}{turn}", field(told, "status")),
    ];
    if let Some(minutes) = told.get("first_response_minutes").and_then(Value::as_u64) {
        lines.push(format!("  answered  first after {minutes} minutes"));
    }
    for (key, what) in [("resolved_at", "solved"), ("closed_at", "closed")] {
        if told.get(key).is_some_and(|at| !at.is_null()) {
            lines.push(format!("  {what:<9} {}", time(told, key)));
        }
    }
    for comment in items(told, "comments") {
        let kind = match field(comment, "kind").as_str() {
            "" | "-" => String::new(),
            kind => format!(" ({kind})"),
        };
        lines.push(format!("  {}  {}{kind}:", time(comment, "at"), field(comment, "author")));
        let text = comment.get("text").and_then(Value::as_str).unwrap_or_default();
        lines.extend(text.lines().map(|line| format!("    {}", shown(line)).trim_end().to_owned()));
    }
    lines
}

fn action_lines(action: &Value) -> Vec<String> {
    let kind = match action.get("target") {
        Some(target) if target.is_string() => {
            format!("{} ({})", field(action, "kind"), field(action, "target"))
        }
        _ => field(action, "kind"),
    };
    let mut lines = vec![format!(
        "  {}  {} {}: {}",
        time(action, "created_at"),
        kind,
        field(action, "state"),
        field(action, "message")
    )];
    for attempt in items(action, "attempts") {
        let mut line = format!(
            "    {}  {}: {}",
            time(attempt, "started_at"),
            field(attempt, "phase"),
            field(attempt, "outcome")
        );
        if attempt.get("status").is_some_and(|status| !status.is_null()) {
            line.push_str(&format!(", status {}", field(attempt, "status")));
        }
        if attempt.get("reference").is_some_and(|reference| !reference.is_null()) {
            line.push_str(&format!(", the vendor calls it {}", field(attempt, "reference")));
        }
        lines.push(line);
    }
    lines
}

/// What was sent, or what would be.
fn draft_lines(record: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let sent = record.get("sent").filter(|sent| !sent.is_null());
    if let Some(sent) = sent {
        lines.push("sent to open the case".to_owned());
        let text = serde_json::to_string_pretty(sent).unwrap_or_default();
        lines.extend(text.lines().map(|line| format!("  {}", shown(line))));
    } else if let Some(draft) = record.get("draft").filter(|draft| !draft.is_null()) {
        lines.push("the case as it would be sent now".to_owned());
        if draft.get("problem").is_some_and(|problem| !problem.is_null()) {
            lines.push(format!("  cannot be sent: {}", field(draft, "problem")));
        }
        for part in items(draft, "fields") {
            let value = part.get("value").and_then(Value::as_str).unwrap_or_default();
            let mut text = value.lines();
            let first = shown(text.next().unwrap_or_default());
            lines.push(format!(
                "  {:<14} {first}  <- {}",
                field(part, "key"),
                field(part, "origin")
            ));
            lines.extend(
                text.map(|line| format!("  {:<14} {}", "", shown(line)).trim_end().to_owned()),
            );
        }
        for note in items(draft, "notes") {
            lines.push(format!("  note: {}", shown(note.as_str().unwrap_or_default())));
        }
    }
    lines
}

fn reasons(about: &str, answer: &Value) -> String {
    let mut parts: Vec<String> = items(answer, "incidents").map(record).collect();
    let verdicts: Vec<String> = items(answer, "verdicts")
        .map(|verdict| {
            let alert = match field(verdict, "alert").as_str() {
                "-" => String::new(),
                alert => format!("{alert} ({}): ", field(verdict, "status")),
            };
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
        })
        .collect();
    if !verdicts.is_empty() {
        parts.push(format!("what was heard\n  {}", verdicts.join("\n  ")));
    }
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
             names are compared exactly",
            shown(about)
        );
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incident() -> Value {
        json!({
            "id": "9f3a1c7be2d0", "rule": "edge-5xx", "title": "High\u{7}", "state": "held",
            "hold": "budget", "rank": 1, "case": null, "previous_case": "F-1", "vendor": "akamai",
            "token": "[cw-9f3a1c7be2d0]", "identity": { "property": "shop" }, "firing": 2,
            "resolved": 1, "created_at": "2026-08-01T10:00:00.5Z", "due_at": null,
            "generation": 2, "rule_place": "rules.yaml:2", "delivery": "d-1",
            "labels": { "alertname": "High" },
            "members": [{ "title": "High", "status": "firing", "rank": 1,
                "since": "2026-08-01T10:00:00Z" }],
            "decisions": [{ "at": "2026-08-01T10:00:00Z", "cause": "d-1", "state": "held",
                "reason": "held (budget): 3 of 3 cases in 1h used by rule edge-5xx" }],
            "actions": [{ "kind": "open", "state": "done", "created_at": "2026-08-01T10:00:00Z",
                "message": "created", "attempts": [{ "phase": "send", "outcome": "done",
                "status": 201, "reference": "r-1", "started_at": "2026-08-01T10:00:01Z" }] }],
            "draft": { "problem": null, "notes": ["cut"], "fields": [
                { "key": "subject", "origin": "template", "value": "one\ntwo" }] },
            "sent": null,
        })
    }

    #[test]
    fn a_record_tells_everything_in_order() {
        insta::assert_snapshot!(record(&incident()), @r#"
        incident 9f3a1c7be2d0: held (budget)
          alert     High 
          labels    alertname=High
          rule      edge-5xx (rules.yaml:2)
          identity  property=shop
          vendor    akamai
          severity  rank 1
          case      -
          token     [cw-9f3a1c7be2d0]
          began     2026-08-01T10:00:00Z, with delivery d-1
          before    case F-1; this is generation 2
        decisions
          2026-08-01T10:00:00Z  held: held (budget): 3 of 3 cases in 1h used by rule edge-5xx  <- d-1
        alerts: 2 firing, 1 resolved
          2026-08-01T10:00:00Z  firing  rank 1  High
        actions
          2026-08-01T10:00:00Z  open done: created
            2026-08-01T10:00:01Z  send: done, status 201, the vendor calls it r-1
        the case as it would be sent now
          subject        one  <- template
                         two
          note: cut
        "#);
    }

    #[test]
    fn what_the_vendor_says_is_told_where_it_is_known() {
        let told = json!({ "at_vendor": {
            "case": "F-1", "status": "in_progress", "next_action": "customer",
            "waits_for_us": true, "first_response_minutes": 12, "resolved_at": null,
            "closed_at": "2026-08-01T12:00:00Z", "checked_at": "2026-08-01T12:05:00.1Z",
            "comments": [
                { "id": "F-CC-1", "author": "Support", "at": "2026-08-01T10:12:00Z",
                  "kind": "EMAIL", "text": "Which property?\n\nPlease\u{1b}[31m tell." },
                { "id": "F-CC-2", "author": "", "at": null, "kind": "", "text": "" },
            ],
        } });
        insta::assert_snapshot!(at_vendor_lines(&told).join("\n"), @r#"
        at the vendor, as of 2026-08-01T12:05:00Z
          status    in_progress; it waits for us
          answered  first after 12 minutes
          closed    2026-08-01T12:00:00Z
          2026-08-01T10:12:00Z  Support (EMAIL):
            Which property?

            Please [31m tell.
          -  -:
        "#);
        for silent in [json!({}), json!({ "at_vendor": null })] {
            assert!(at_vendor_lines(&silent).is_empty());
        }
        let odd = json!({ "at_vendor": { "status": null, "next_action": "SOMEBODY" } });
        insta::assert_snapshot!(at_vendor_lines(&odd).join("\n"), @r#"
        at the vendor, as of -
          status    -; next: SOMEBODY
        "#);
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        insta::assert_snapshot!(list(&json!({ "incidents": [incident()], "next": "c" })), @r#"
        INCIDENT      STATE          RANK  RULE      SINCE                 CASE  ALERT
        9f3a1c7be2d0  held (budget)  1     edge-5xx  2026-08-01T10:00:00Z  -     High
        There are more than these; the newest come first.
        "#);
    }

    #[test]
    fn what_nothing_is_known_of_is_told_as_well() {
        let verdict = json!({ "received_at": "2026-08-01T10:00:00Z", "delivery": "d-1",
            "source": "alertmanager", "fate": "unmatched", "alert": "High", "status": "firing",
            "effect": "no rule matches" });
        let found = json!({ "incidents": [], "verdicts": [verdict] });
        insta::assert_snapshot!(reasons("High", &found), @r#"
        what was heard
          2026-08-01T10:00:00Z  delivery d-1 of alertmanager, unmatched: High (firing): no rule matches
        "#);
        let nothing = json!({ "incidents": [], "verdicts": [] });
        let idle = json!({ "incidents": [], "verdicts": [], "rule": "rules/10.yaml:3" });
        assert_eq!(
            reasons("idle", &idle),
            "rule idle is in force (rules/10.yaml:3), and nothing is known that it took"
        );
        insta::assert_snapshot!(reasons("Hihg", &nothing), @"nothing is known of `Hihg`: no incident, case, delivery, rule or alert has that name; names are compared exactly");
    }
}
