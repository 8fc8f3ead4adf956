//! Keys that people bring along from Alertmanager, Prometheus, promtool and other programs, and what
//! to write here instead.
//!
//! An entry counts only where the key that it leads to is known, so that one table does for all
//! sections.

/// A key that is written, the key here that it leads to, and what to do.
type Habit = (&'static str, &'static str, &'static str);

const HABITS: &[Habit] = &[
    // Rules, from Alertmanager's routes.
    ("matchers", "match", "write `match:`, with the same matchers"),
    ("matcher", "match", "write `match:`"),
    (
        "match_re",
        "match",
        "write `match:`, with the pattern in a matcher: `- label =~ \"one|other\"`",
    ),
    ("group_by", "identity", "write `identity:`, with the labels that make alerts one incident"),
    ("receiver", "vendor", "write `vendor:`, with a name from the `vendors` of the configuration"),
    (
        "group_wait",
        "open",
        "the sender groups before it sends; `open: { after: 30s }` waits before a case is opened",
    ),
    (
        "group_interval",
        "update",
        "write `update: { at_most_every: 30m }` for how often an open case is told what is new",
    ),
    (
        "repeat_interval",
        "update",
        "remove it: a case is not opened again while it is open, whatever the sender repeats",
    ),
    (
        "mute_time_intervals",
        "mute",
        "write `mute:`, with the times themselves: `{ days: [sat, sun], from: \"00:00\", to: \"24:00\" }`",
    ),
    (
        "active_time_intervals",
        "during",
        "write `during:`, with the times themselves: `{ days: mon-fri, from: \"08:00\", to: \"18:00\" }`",
    ),
    (
        "send_resolved",
        "resolve",
        "write `resolve: { action: comment }`, or `close`, or `none`; the sender must send resolved alerts",
    ),
    (
        "routes",
        "continue",
        "rules are not nested: write them one after the other; the first that matches owns the alert",
    ),
    // Rules, from Prometheus.
    ("for", "open", "write `open: { after: 5m }`: how long it fires before a case is opened"),
    ("for", "after", "write `after:`"),
    ("keep_firing_for", "resolve", "write `resolve: { after: 10m }`: how long it is quiet first"),
    ("alert", "name", "write `name:`; which alerts it is for stands in `match`"),
    (
        "expr",
        "match",
        "remove it: rules do not ask Prometheus, they match the labels of alerts that were sent",
    ),
    (
        "annotations",
        "case",
        "remove it: what a case says stands in its `subject` and `description`",
    ),
    (
        "labels",
        "case",
        "remove it: labels come with the alerts; `match` asks for them, templates write `{{labels.name}}`",
    ),
    ("groups", "rules", "write `rules:`, with a list of rules of Casewright, not of Prometheus"),
    // What a case says.
    ("title", "subject", "write `subject:`"),
    ("summary", "subject", "write `subject:`"),
    ("message", "description", "write `description:`"),
    ("text", "description", "write `description:`"),
    ("body", "description", "write `description:`"),
    ("details", "description", "write `description:`"),
    ("priority", "severity", "write `severity:`, with a rank from 1, the worst, to 9"),
    ("label", "from", "write `from:`, with the label whose value decides"),
    ("values", "map", "write `map:`"),
    ("critical", "map", "put it under `map`: `map: { critical: 1 }`"),
    ("warning", "map", "put it under `map`: `map: { warning: 2 }`"),
    // Weekly times, from Alertmanager's.
    ("weekdays", "days", "write `days:`, such as `mon-fri` or `[sat, sun]`"),
    ("times", "from", "write `from:` and `to:`"),
    ("start_time", "from", "write `from:`"),
    ("end_time", "to", "write `to:`"),
    ("location", "time_zone", "write `time_zone:`"),
    // The configuration, from Alertmanager's and Prometheus's.
    ("receivers", "vendors", "cases go to `vendors`; remove it"),
    (
        "route",
        "rules",
        "remove it: which alerts open cases is told by the rules in the files under `rules`",
    ),
    (
        "inhibit_rules",
        "rules",
        "remove it: Alertmanager inhibits before it sends; a rule with `ignore: true` drops alerts",
    ),
    ("global", "sources", "remove it: what it says stands at each source, vendor or rule"),
    ("time_intervals", "mute", "write the times where they count: `mute` here, or in a rule"),
    ("rule_files", "sources", "write `rules:`"),
    ("scrape_configs", "sources", "remove it: alerts are posted by the `sources`"),
    ("type", "kind", "write `kind:`"),
    // Credentials, from both.
    ("basic_auth", "basic", "write `basic:`, with a list: `- { user: ..., password: ... }`"),
    ("bearer_token", "bearer", "write `bearer:`, with a list of tokens"),
    ("bearer_token_file", "bearer_files", "write `bearer_files:`, with a list of files"),
    ("authorization", "bearer", "write `bearer:`, with a list of tokens"),
    ("credentials", "bearer", "write `bearer:`, with a list of tokens"),
    ("credentials_file", "bearer_files", "write `bearer_files:`, with a list of files"),
    ("username", "user", "write `user:`"),
    // Tests of rules, from promtool.
    (
        "input_series",
        "deliveries",
        "write `deliveries:`, with the alerts themselves: nothing is calculated here",
    ),
    ("alert_rule_test", "expect", "write `expect:`"),
    ("promql_expr_test", "expect", "write `expect:`"),
    ("exp_alerts", "expect", "write `expect:`, with incidents"),
    ("exp_alerts", "incidents", "write `incidents:`"),
    ("evaluation_interval", "tests", "remove it: time needs no interval here"),
    ("rule_files", "tests", "remove it: the rules are those that the configuration names"),
    ("eval_time", "at", "write `at:`"),
    ("after", "at", "write `at:`, with the time since the beginning of the test"),
    ("time", "at", "write `at:`, with the time since the beginning of the test"),
    ("labels", "firing", "write `firing:` or `resolved:`, with the labels"),
    ("alertname", "labels", "put it under `labels`: `labels: { alertname: ... }`"),
    ("contain", "contains", "write `contains:`"),
];

/// What to do about a key that leads to one of those that are known.
pub(super) fn hint(written: &str, known: impl Fn(&str) -> bool) -> Option<&'static str> {
    HABITS
        .iter()
        .find(|(habit, leads_to, _)| *habit == written && known(leads_to))
        .map(|(_, _, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const SCHEMAS: [&str; 3] = [
        include_str!("../schema/config.json"),
        include_str!("../schema/rules.json"),
        include_str!("../schema/tests.json"),
    ];

    /// The keys of every section that there is: the schemas are kept in step with the readers.
    fn sections(schema: &Value, into: &mut Vec<BTreeSet<String>>) {
        if let Some(keys) = schema["properties"].as_object()
            && schema["additionalProperties"] == false
        {
            into.push(keys.keys().cloned().collect());
        }
        match schema {
            Value::Object(map) => map.values().for_each(|below| sections(below, into)),
            Value::Array(items) => items.iter().for_each(|below| sections(below, into)),
            _ => {}
        }
    }

    /// In some section its own key is none, the one that it leads to is, and no entry before it
    /// answers in its place.
    #[test]
    fn every_habit_is_told_somewhere() {
        let mut all = Vec::new();
        for schema in SCHEMAS {
            sections(&serde_json::from_str(schema).unwrap(), &mut all);
        }
        assert!(all.len() > 20, "{}", all.len());
        for (written, leads_to, told) in HABITS {
            let is_told = |keys: &BTreeSet<String>| {
                !keys.contains(*written) && hint(written, |key| keys.contains(key)) == Some(told)
            };
            assert!(all.iter().any(is_told), "{written} for {leads_to}");
        }
    }

    #[test]
    fn a_habit_counts_only_where_it_leads_to_a_key() {
        assert_eq!(hint("for", |key| key == "after"), Some("write `after:`"));
        assert!(hint("for", |key| key == "open").is_some_and(|hint| hint.contains("open:")));
        assert_eq!(hint("for", |key| key == "match"), None);
        assert_eq!(hint("match", |_| true), None);
    }
}
