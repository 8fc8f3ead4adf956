//! What happens in the demo: a bad quarter of an hour at a CDN customer, as its Alertmanagers and
//! PagerDuty tell it, and what must have become of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::domain::alert::Labels;
use crate::sources::alertmanager::fingerprint;

/// One webhook.
pub(super) struct Post {
    /// What it tells, for people.
    pub(super) story: &'static str,
    /// The source that it goes to.
    pub(super) source: &'static str,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(super) body: String,
}

/// A case that must exist at the end.
pub(super) struct Expected {
    pub(super) rule: &'static str,
    pub(super) category: &'static str,
    pub(super) severity: &'static str,
    /// What the subject begins with.
    pub(super) subject: &'static str,
    /// How many comments it has, and how many closure requests.
    pub(super) comments: usize,
    pub(super) closures: usize,
}

const fn expected(
    rule: &'static str,
    category: &'static str,
    severity: &'static str,
    subject: &'static str,
    (comments, closures): (usize, usize),
) -> Expected {
    Expected { rule, category, severity, subject, comments, closures }
}

/// Exactly these cases must exist at the end.
pub(super) const EXPECTED: [Expected; 5] = [
    expected(
        "edge-5xx",
        "TECHNICAL",
        "1-Major Impact",
        "www.example.com: 5xx ratio above 2 %",
        (0, 0),
    ),
    expected(
        "origin-errors",
        "TECHNICAL",
        "2-Moderate Impact",
        "shop.example.com: errors towards origin eu-1",
        (1, 1),
    ),
    expected(
        "connected-cache",
        "TECHNICAL",
        "1-Critical Impact",
        "Connected cache at FRA-7 is down",
        (0, 0),
    ),
    expected(
        "attack",
        "SECURITY",
        "1-Major Impact",
        "Attack on www.example.com: 40 k requests",
        (0, 0),
    ),
    expected(
        "pagerduty-video",
        "TECHNICAL",
        "1-Major Impact",
        "Live stream stalls in Europe",
        (1, 1),
    ),
];

/// The story in two acts; everything of the first must have settled before the second.
pub(super) fn acts(now: Timestamp) -> [Vec<Post>; 2] {
    let scene = Scene { now };
    [scene.trouble(), scene.relief()]
}

struct Scene {
    now: Timestamp,
}

/// An alert in Alertmanager's payload.
struct Alert {
    labels: Vec<(&'static str, &'static str)>,
    annotations: Vec<(&'static str, &'static str)>,
    resolved: bool,
}

fn edge(pop: &'static str, value: &'static str) -> Alert {
    Alert {
        labels: vec![
            ("alertname", "EdgeHigh5xxRatio"),
            ("env", "production"),
            ("pop", pop),
            ("property", "www.example.com"),
            ("severity", "critical"),
        ],
        annotations: vec![
            ("summary", "The edge answers too many requests with 5xx while the origin is healthy"),
            ("threshold", "2 %"),
            ("value", value),
        ],
        resolved: false,
    }
}

fn origin(resolved: bool) -> Alert {
    Alert {
        labels: vec![
            ("alertname", "OriginConnectErrors"),
            ("env", "production"),
            ("origin", "eu-1"),
            ("property", "shop.example.com"),
            ("severity", "warning"),
        ],
        annotations: vec![("summary", "The edge cannot connect to origin eu-1")],
        resolved,
    }
}

fn simple(
    alertname: &'static str,
    labels: &[(&'static str, &'static str)],
    summary: &'static str,
) -> Alert {
    let mut all = vec![("alertname", alertname)];
    all.extend(labels);
    Alert { labels: all, annotations: vec![("summary", summary)], resolved: false }
}

impl Scene {
    fn trouble(&self) -> Vec<Post> {
        let production = ("env", "production");
        let attack =
            [production, ("property", "www.example.com"), ("policy_domain", "example_shop")];
        vec![
            self.alertmanager("5xx at the edge in Frankfurt", "am-1", &[edge("FRA", "7.3")]),
            self.alertmanager(
                "the same from the other Alertmanager of the pair",
                "am-2",
                &[edge("FRA", "7.3")],
            ),
            self.alertmanager(
                "now also in Amsterdam: the same incident",
                "am-1",
                &[edge("AMS", "3.1"), edge("FRA", "8.0")],
            ),
            self.alertmanager("an origin cannot be reached", "am-1", &[origin(false)]),
            self.alertmanager(
                "a cache in a customer's data centre is down",
                "am-1",
                &[simple("ConnectedCacheDown", &[production, ("site", "FRA-7")], "No answer")],
            ),
            self.alertmanager(
                "an attack, a case for the security service",
                "am-1",
                &[simple("WafAttackVolume", &attack, "40 k requests per second are denied")],
            ),
            self.alertmanager(
                "the same alert from staging, which a rule ignores",
                "am-1",
                &[simple("EdgeHigh5xxRatio", &[("env", "staging")], "Somebody tests")],
            ),
            self.alertmanager(
                "a full disk, which is no business of the vendor's",
                "am-1",
                &[simple("NodeDiskFull", &[production], "/var is full")],
            ),
            self.pagerduty("somebody raises an incident in PagerDuty", "incident.triggered", 1),
            self.pagerduty("PagerDuty delivers it again", "incident.triggered", 1),
            self.pagerduty("the on-call engineer acknowledges it", "incident.acknowledged", 2),
        ]
    }

    fn relief(&self) -> Vec<Post> {
        vec![
            self.alertmanager("the origin is back", "am-1", &[origin(true)]),
            self.alertmanager("the other Alertmanager says so, too", "am-2", &[origin(true)]),
            self.pagerduty("the incident is resolved in PagerDuty", "incident.resolved", 3),
        ]
    }

    fn alertmanager(&self, story: &'static str, sender: &str, alerts: &[Alert]) -> Post {
        let started = self.now - SignedDuration::from_mins(5);
        let items: Vec<Value> = alerts
            .iter()
            .map(|alert| {
                let labels: Labels = pairs(&alert.labels);
                let ends = if alert.resolved {
                    self.now.to_string()
                } else {
                    "0001-01-01T00:00:00Z".to_owned()
                };
                json!({
                    "status": if alert.resolved { "resolved" } else { "firing" },
                    "fingerprint": fingerprint(&labels).as_str(),
                    "labels": labels,
                    "annotations": pairs(&alert.annotations),
                    "startsAt": started.to_string(),
                    "endsAt": ends,
                    "generatorURL": format!("http://{sender}.example.net/graph"),
                })
            })
            .collect();
        let firing = alerts.iter().any(|alert| !alert.resolved);
        let first = alerts.first().map(|alert| pairs(&alert.labels)).unwrap_or_default();
        let name = first.get("alertname").cloned().unwrap_or_default();
        let body = json!({
            "version": "4",
            "receiver": "casewright",
            "status": if firing { "firing" } else { "resolved" },
            "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
            "groupLabels": { "alertname": name },
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": format!("http://{sender}.example.net:9093"),
            "truncatedAlerts": 0,
            "alerts": items,
        });
        Post { story, source: "alertmanager", headers: Vec::new(), body: body.to_string() }
    }

    fn pagerduty(&self, story: &'static str, event: &str, number: u32) -> Post {
        let status = event.rsplit('.').next().unwrap_or(event);
        let at = self.now + SignedDuration::from_secs(i64::from(number));
        let reference = |id: &str, summary: &str| json!({ "id": id, "summary": summary });
        let body = json!({ "event": {
            "id": format!("01DEMOEVENT{number}"),
            "event_type": event,
            "resource_type": "incident",
            "occurred_at": at.to_string(),
            "agent": null,
            "client": null,
            "data": {
                "id": "QDEMOINCIDENT1",
                "type": "incident",
                "number": 4711,
                "status": status,
                "title": "Live stream stalls in Europe",
                "html_url": "https://example.pagerduty.com/incidents/QDEMOINCIDENT1",
                "created_at": self.now.to_string(),
                "service": reference("PDEMOSERVICE", "VOD delivery"),
                "escalation_policy": reference("PDEMOPOLICY", "Video on-call"),
                "teams": [reference("PDEMOTEAM", "Video")],
                "priority": reference("PDEMOPRIO", "P1"),
                "urgency": "high",
                "incident_type": { "name": "incident_default" },
                "resolve_reason": null,
            },
        }});
        let headers = vec![("X-Webhook-Id", format!("demo-delivery-{number}"))];
        Post { story, source: "pagerduty", headers, body: body.to_string() }
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
