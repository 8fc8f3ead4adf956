use super::*;
use crate::config::Lookup;
use crate::sources::Source as _;
use crate::sources::alertmanager::Alertmanager;
use crate::sources::credential::Auth;

fn explained(labels: serde_json::Value, status: &str) -> Explanation {
    let nothing: Lookup<'_> = &|_| None;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/casewright.yaml");
    let (setup, diagnostics) = crate::setup::load(&path, nothing);
    let setup = setup.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let source = Alertmanager::new("alertmanager".into(), Auth::new(&[], &[], &[]));
    let body = serde_json::json!({
        "version": "4", "groupKey": "{}:{}", "receiver": "casewright", "status": status,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
        "truncatedAlerts": 0,
        "alerts": [{
            "status": status, "startsAt": "2026-08-01T09:50:00Z",
            "endsAt": "2026-08-01T10:00:00Z", "labels": labels,
            "annotations": { "summary": "5xx ratio is 7.5 percent" },
        }],
    });
    let received = source
        .parse(&http::HeaderMap::new(), body.to_string().as_bytes())
        .expect("it is a payload");
    let now = "2026-08-01T10:00:00Z".parse().expect("a time");
    explain(&Arc::new(setup.playbook), received, now, &Known::new())
}

fn answers(explanation: &Explanation) -> Vec<(&str, &Answer)> {
    let alert = explanation.alerts.first().expect("one alert");
    alert.rules.iter().map(|story| (story.rule.as_str(), &story.answer)).collect()
}

#[test]
fn the_first_matcher_that_does_not_hold_is_named_with_the_labels_value() {
    let labels = serde_json::json!({
        "alertname": "EdgeHigh5xxRatio", "property": "www.example.com", "severity": "info",
    });
    let explanation = explained(labels, "firing");
    let edge = answers(&explanation).into_iter().find(|(rule, _)| *rule == "edge-5xx");
    let expected = Answer::Differs {
        matcher: r#"severity=~"critical|warning""#.to_owned(),
        value: Some("info".to_owned()),
    };
    assert_eq!(edge, Some(("edge-5xx", &expected)));
    let origin = answers(&explanation).into_iter().find(|(rule, _)| *rule == "not-production");
    let expected =
        Answer::Differs { matcher: r#"env=~"staging|dev|test""#.to_owned(), value: None };
    assert_eq!(origin, Some(("not-production", &expected)));
    assert_eq!(explanation.incidents, []);
    assert_eq!(explanation.alerts[0].verdicts, ["no rule matches"]);
}

#[test]
fn rules_after_the_one_that_takes_an_alert_are_not_asked() {
    let labels = serde_json::json!({
        "alertname": "EdgeHigh5xxRatio", "property": "www.example.com", "severity": "critical",
        "env": "production",
    });
    let explanation = explained(labels, "firing");
    let told = answers(&explanation);
    let takes = told.iter().position(|(rule, _)| *rule == "edge-5xx").expect("the rule");
    assert_eq!(told[takes].1, &Answer::Takes { goes_on: false });
    assert!(told[takes + 1..].iter().all(|(_, answer)| **answer == Answer::NotAsked));
    let incident = &explanation.incidents[0];
    assert_eq!(incident.state, "opening");
    assert_eq!(incident.actions, ["open"]);
    let identity: Vec<(&str, &str)> =
        incident.identity.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(identity, [("alertname", "EdgeHigh5xxRatio"), ("property", "www.example.com")]);
    let severity = &incident.severity;
    assert_eq!((severity.rank, severity.origin.as_str()), (1, r#"label severity = "critical""#));
}

#[test]
fn every_field_of_the_case_says_where_it_comes_from() {
    let labels = serde_json::json!({
        "alertname": "EdgeHigh5xxRatio", "property": "www.example.com", "severity": "critical",
        "env": "production",
    });
    let explanation = explained(labels, "firing");
    let case = explanation.incidents[0].case.as_ref().expect("a case");
    let origins: Vec<(&str, &str)> =
        case.fields.iter().map(|field| (field.key.as_str(), field.origin.as_str())).collect();
    assert_eq!(
        origins,
        [
            ("account", "constant"),
            ("category", "constant"),
            ("product", "constant"),
            ("problem", "constant"),
            ("subject", "template"),
            ("description", "edge-5xx.md.hbs"),
            ("also_notify", "constant"),
            ("alternate_contact", "rule"),
        ]
    );
    let subject = case.fields.iter().find(|field| field.key == "subject").expect("a subject");
    assert!(subject.value.starts_with("www.example.com: 5xx ratio above"), "{}", subject.value);
    assert_eq!(case.problem, None);
}

#[test]
fn an_ignored_alert_and_a_resolved_one_that_is_not_known_give_no_case() {
    let staging = serde_json::json!({ "alertname": "EdgeHigh5xxRatio", "env": "staging" });
    let explanation = explained(staging, "firing");
    assert!(answers(&explanation).contains(&("not-production", &Answer::Ignores)));
    assert_eq!(explanation.incidents, []);
    assert_eq!(explanation.alerts[0].verdicts, ["not-production: a rule ignores it"]);
    let over = serde_json::json!({
        "alertname": "EdgeHigh5xxRatio", "property": "www.example.com", "severity": "critical",
        "env": "production",
    });
    let explanation = explained(over, "resolved");
    assert_eq!(explanation.incidents, []);
    let verdict = &explanation.alerts[0].verdicts[0];
    assert!(verdict.contains("no incident"), "{verdict}");
}

#[test]
fn a_rule_that_is_for_other_times_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.yaml");
    let text = "rules: [{ name: hours, match: [], ignore: true, during: { days: mon-fri, from: '08:00', to: '18:00' } },
        { name: week, match: [], ignore: true, outside: { days: sat-sun, from: '00:00', to: '24:00' } }]";
    std::fs::write(&path, text).expect("written");
    let inputs = crate::config::RuleInputs { files: vec![path], ..Default::default() };
    let (rules, _) = crate::rules::file::load(&inputs, &|_| None);
    let (templates, _) = crate::templates::TemplateSet::builder().build();
    let playbook = Playbook {
        rules: rules.expect("rules"),
        templates,
        limit: None,
        mute: None,
        redaction: Default::default(),
        fetch: Default::default(),
        links: Default::default(),
    };
    let alert = crate::domain::testing::alert("a").build();
    // A Saturday.
    let now = "2026-08-01T10:00:00Z".parse().expect("a time");
    let answers: Vec<Answer> =
        super::rules(&playbook, &alert, now).into_iter().map(|story| story.answer).collect();
    let not_now = |condition: &str| Answer::NotNow {
        condition: condition.to_owned(),
        now: "2026-08-01T10:00:00Z".to_owned(),
    };
    let expected =
        [not_now("during mon-fri 08:00-18:00 UTC"), not_now("outside sat,sun 00:00-24:00 UTC")];
    assert_eq!(answers, expected);
}
