//! What it costs to find the rule that owns an alert, with the index and by asking every rule:
//! `cargo bench --bench rules`.
//!
//! Nearly all rules want one `alertname` or one of a few, two name a pattern that no index can look
//! up, and all want `env = "production"` as well. The alert is for a rule in the middle, for the
//! last, or for none. At the end, the alert for the last among rules of which one in fifty is such a
//! pattern: those are asked one by one, and the index helps as far as it can.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a program for people at a terminal; if something is wrong it shall stop there"
)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use casewright::domain::alert::{Alert, AlertStatus, Labels};
use casewright::domain::ids::{Fingerprint, RuleName, SourceName};
use casewright::rules::matcher::Matcher;
use casewright::rules::{Rule, RuleSet, Then};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;

/// Every `sparse`th rule has nothing to look it up by.
fn rule(number: usize, sparse: usize) -> Rule {
    let first = if number % sparse == 1 {
        format!("host =~ \"edge-{number}-.*\"")
    } else if number % 12 == 7 {
        format!("alertname =~ \"Alert{number}|Old{number}|Other\"")
    } else {
        format!("alertname = \"Alert{number}\"")
    };
    let matchers = ["env = \"production\"", first.as_str(), "severity =~ \"critical|warning\""];
    Rule {
        name: RuleName::from(format!("rule-{number}").as_str()),
        matchers: matchers.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect(),
        during: None,
        outside: None,
        then: Then::Ignore,
        goes_on: false,
        file: PathBuf::from("rules.yaml"),
        line: number,
    }
}

fn alert(name: &str) -> Alert {
    let labels = [
        ("alertname", name),
        ("cluster", "eu-1"),
        ("env", "production"),
        ("host", "www-1.example.com"),
        ("job", "edge"),
        ("severity", "critical"),
        ("source", "alertmanager"),
        ("team", "web"),
    ];
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Alert {
        source: SourceName::from("alertmanager"),
        fingerprint: Fingerprint::from("1"),
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::new(),
        starts_at: None,
        ends_at: None,
        occurred_at: None,
        alert_key: None,
        links: Vec::new(),
        group: Labels::new(),
    }
}

struct Case {
    name: &'static str,
    /// Which rule the alert is for, of how many.
    place: fn(usize) -> Option<usize>,
    /// One rule in how many is a pattern, of how many.
    sparse: fn(usize) -> usize,
}

const CASES: [Case; 4] = [
    Case { name: "middle", place: |size| Some(size / 2 - 1), sparse: |size| size / 2 },
    Case { name: "last", place: |size| Some(size - 1), sparse: |size| size / 2 },
    Case { name: "none", place: |_| None, sparse: |size| size / 2 },
    Case { name: "last, one in 50 a pattern", place: |size| Some(size - 1), sparse: |_| 50 },
];

fn route(criterion: &mut Criterion) {
    let now = Timestamp::UNIX_EPOCH;
    for Case { name, place, sparse } in CASES {
        let mut group = criterion.benchmark_group(format!("alert for {name}"));
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        group.sample_size(20);
        for size in [10, 100, 1_000, 10_000] {
            let rules = (0..size).map(|number| rule(number, sparse(size)));
            let rules = RuleSet::new(rules.collect());
            let place = place(size);
            let alert = alert(&place.map_or("Unknown".to_owned(), |at| format!("Alert{at}")));
            let owner = rules.route(&alert, now).first().map(|rule| rule.line);
            assert_eq!(owner, place, "the alert is for the rule that is meant");
            group.bench_with_input(BenchmarkId::new("index", size), &alert, |bencher, alert| {
                bencher.iter(|| rules.route(black_box(alert), now).len());
            });
            group.bench_with_input(BenchmarkId::new("scan", size), &alert, |bencher, alert| {
                bencher.iter(|| rules.route_by_scan(black_box(alert), now).len());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, route);
criterion_main!(benches);
