//! What the demo shows: each alert with its rule, incident and case, and whether the cases at the
//! vendor are the ones that must be there.

use serde::Serialize;
use serde_json::Value;

use super::scene::Expected;
use crate::domain::incident::Incident;
use crate::store::{DeliveryRecord, Verdict};

/// An alert and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct AlertRow {
    alert: String,
    source: String,
    fingerprint: String,
    status: String,
    rule: Option<String>,
    incident: Option<String>,
    case: Option<String>,
    effect: String,
}

/// An incident.
#[derive(Debug, Serialize)]
pub(super) struct IncidentRow {
    incident: String,
    rule: String,
    state: &'static str,
    alerts: usize,
    case: Option<String>,
}

/// A case as the vendor's API shows it.
#[derive(Debug, Serialize)]
pub(super) struct CaseRow {
    pub(super) case: String,
    pub(super) incident: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) category: String,
    pub(super) severity: String,
    pub(super) subject: String,
    pub(super) status: String,
    pub(super) comments: usize,
    pub(super) closure_requests: usize,
}

/// Everything that the demo found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether everything is as it must be.
    pub(super) ok: bool,
    deliveries: usize,
    alerts: Vec<AlertRow>,
    incidents: Vec<IncidentRow>,
    cases: Vec<CaseRow>,
    problems: Vec<String>,
}

impl Report {
    pub(super) fn of(
        deliveries: &[DeliveryRecord],
        incidents: &[Incident],
        mut cases: Vec<CaseRow>,
        expected: &[Expected],
        mut problems: Vec<String>,
    ) -> Self {
        for case in &mut cases {
            let owner = incidents
                .iter()
                .find(|incident| incident.state.case().is_some_and(|id| id.as_str() == case.case));
            case.incident = owner.map(|incident| incident.id.to_string());
            case.rule = owner.map(|incident| incident.rule.to_string());
        }
        compare(&cases, expected, &mut problems);
        let incidents: Vec<IncidentRow> = incidents
            .iter()
            .rev()
            .map(|incident| IncidentRow {
                incident: incident.id.to_string(),
                rule: incident.rule.to_string(),
                state: incident.state.name(),
                alerts: incident.members.len(),
                case: incident.state.case().map(ToString::to_string),
            })
            .collect();
        let alerts = alert_rows(deliveries, &incidents);
        let ok = problems.is_empty();
        Self { ok, deliveries: deliveries.len(), alerts, incidents, cases, problems }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let header = ["ALERT", "RULE", "INCIDENT", "CASE", "CATEGORY", "SEVERITY", "SUBJECT"]
            .map(String::from);
        let mut rows = vec![header.to_vec()];
        for alert in &self.alerts {
            let case = self.cases.iter().find(|case| alert.case.as_ref() == Some(&case.case));
            let of_case = |field: fn(&CaseRow) -> &str| {
                case.map_or_else(|| "-".to_owned(), |case| field(case).to_owned())
            };
            rows.push(vec![
                format!("{} ({})", alert.alert, alert.status),
                alert.rule.clone().unwrap_or_else(|| "-".to_owned()),
                alert.incident.as_ref().map_or_else(
                    || alert.effect.clone(),
                    |incident| incident.chars().take(12).collect(),
                ),
                of_case(|case| &case.case),
                of_case(|case| &case.category),
                of_case(|case| &case.severity),
                of_case(|case| &case.subject),
            ]);
        }
        let comments: usize = self.cases.iter().map(|case| case.comments).sum();
        let closures: usize = self.cases.iter().map(|case| case.closure_requests).sum();
        let mut text = columns(&rows);
        text.push_str(&format!(
            "\n{} webhooks told of {} alerts: {} incidents, {} cases at the vendor, \
             {comments} comments, {closures} closure requests.\n",
            self.deliveries,
            self.alerts.len(),
            self.incidents.len(),
            self.cases.len(),
        ));
        if self.ok {
            text.push_str("Every expected case exists at the vendor, read back through its API, and no other.");
        } else {
            text.push_str("NOT as expected:");
            for problem in &self.problems {
                text.push_str(&format!("\n  - {problem}"));
            }
        }
        text
    }
}

/// The last word on each alert, in the order in which the alerts were first told of.
fn alert_rows(deliveries: &[DeliveryRecord], incidents: &[IncidentRow]) -> Vec<AlertRow> {
    let mut rows: Vec<AlertRow> = Vec::new();
    for delivery in deliveries.iter().rev() {
        for verdict in &delivery.verdicts {
            let row = alert_row(delivery, verdict, incidents);
            let same = |known: &&mut AlertRow| {
                known.fingerprint == row.fingerprint && known.rule == row.rule
            };
            match rows.iter_mut().find(same) {
                Some(known) => *known = row,
                None => rows.push(row),
            }
        }
    }
    rows
}

fn alert_row(delivery: &DeliveryRecord, verdict: &Verdict, incidents: &[IncidentRow]) -> AlertRow {
    let incident = verdict.incident.as_ref().map(ToString::to_string);
    let case = incidents
        .iter()
        .find(|row| Some(&row.incident) == incident.as_ref())
        .and_then(|row| row.case.clone());
    AlertRow {
        alert: verdict.alert.clone(),
        source: delivery.source.to_string(),
        fingerprint: verdict.fingerprint.clone(),
        status: verdict.status.clone(),
        rule: verdict.rule.as_ref().map(ToString::to_string),
        incident,
        case,
        effect: verdict.effect.clone(),
    }
}

/// A case from the vendor's documents about it and its comments.
pub(super) fn case_row(case: &Value, comments: &Value) -> CaseRow {
    let text = |pointer: &str| {
        case.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let texts: Vec<&str> = comments
        .pointer("/comments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|comment| comment.get("comment")?.as_str())
        .collect();
    let closure_requests =
        texts.iter().filter(|text| text.starts_with("Case Closure Request:")).count();
    CaseRow {
        case: text("/caseId"),
        incident: None,
        rule: None,
        category: text("/category/categoryId"),
        severity: text("/severity"),
        subject: text("/subject"),
        status: text("/status"),
        comments: texts.len().saturating_sub(closure_requests),
        closure_requests,
    }
}

fn compare(cases: &[CaseRow], expected: &[Expected], problems: &mut Vec<String>) {
    for wanted in expected {
        let found: Vec<&CaseRow> =
            cases.iter().filter(|case| case.rule.as_deref() == Some(wanted.rule)).collect();
        let [case] = found.as_slice() else {
            problems.push(format!("rule {} has {} cases instead of one", wanted.rule, found.len()));
            continue;
        };
        let told = (case.category.as_str(), case.severity.as_str());
        if told != (wanted.category, wanted.severity) || !case.subject.starts_with(wanted.subject) {
            problems.push(format!(
                "case {} is ({}, {}, {:?}) instead of ({}, {}, {:?})",
                case.case,
                told.0,
                told.1,
                case.subject,
                wanted.category,
                wanted.severity,
                wanted.subject,
            ));
        }
        if (case.comments, case.closure_requests) != (wanted.comments, wanted.closures) {
            problems.push(format!(
                "case {} has {} comments and {} closure requests instead of {} and {}",
                case.case, case.comments, case.closure_requests, wanted.comments, wanted.closures,
            ));
        }
    }
    if cases.len() != expected.len() {
        problems.push(format!("there are {} cases instead of {}", cases.len(), expected.len()));
    }
}

/// Left-aligned columns, two blanks apart.
fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
