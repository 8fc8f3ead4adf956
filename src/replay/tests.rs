use serde_json::json;

use super::*;
use crate::config::Lookup;
use crate::domain::ids::DeliveryId;
use crate::sources::alertmanager::Alertmanager;
use crate::sources::credential::Auth;
use crate::store::Verdict;

const CONFIG: &str = "
store: { sqlite: casewright.db }
rules: [rules.yaml]
sources:
  - { name: am, kind: alertmanager, auth: { bearer: [x] } }
vendors:
  - { name: akamai, kind: sandbox }
";

fn playbook(name: &str, identity: &str, severity: u8, more: &str) -> Arc<Playbook> {
    let folder = tempfile::tempdir().unwrap();
    let rules = format!(
        "
rules:
  - name: {name}
    match: []
    identity: [{identity}]
    case:
      account: A-1
      category: TECHNICAL
      product: P
      problem: Q
      severity: {severity}
      subject: '{{{{labels.property}}}} is down'
      description: 'Since {{{{alert.starts_at}}}}'
    {more}
"
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let config = folder.path().join("casewright.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let nothing: Lookup<'_> = &|_| None;
    let (setup, diagnostics) = crate::setup::load_for_rehearsal(&config, nothing);
    Arc::new(setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false))).playbook)
}

fn sources() -> Sources {
    let source: Arc<dyn crate::sources::Source> =
        Arc::new(Alertmanager::new("am".into(), Auth::new(&[], &[], &[])));
    BTreeMap::from([("am".into(), source)])
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_767_603_600 + 60 * minutes).unwrap()
}

/// One alert: its property, its instance, its status.
type Told<'a> = (&'a str, &'a str, &'a str);

fn body(alerts: &[Told<'_>]) -> Vec<u8> {
    let alerts: Vec<_> = alerts
        .iter()
        .map(|(property, pop, status)| {
            json!({
                "status": status, "startsAt": at(0).to_string(), "annotations": {},
                "endsAt": if *status == "firing" { "0001-01-01T00:00:00Z".into() } else { at(9).to_string() },
                "labels": { "alertname": "Down", "property": property, "pop": pop },
            })
        })
        .collect();
    let payload = json!({ "version": "4", "groupKey": "{}:{}", "receiver": "x", "alerts": alerts });
    payload.to_string().into_bytes()
}

fn record(minutes: i64, fate: Fate) -> DeliveryRecord {
    DeliveryRecord {
        id: DeliveryId::new(format!("{minutes:06}")),
        source: "am".into(),
        received_at: at(minutes),
        fate,
        note: None,
        verdicts: Vec::new(),
    }
}

fn hear(replay: &mut Replay<'_>, minutes: i64, alerts: &[Told<'_>]) {
    replay.hear(&record(minutes, Fate::Accepted), Some(&body(alerts)));
}

#[test]
fn what_new_rules_would_open_and_no_longer_open_is_told() {
    let sources = sources();
    let before = playbook("down", "property", 2, "");
    let after = playbook("down", "property, pop", 2, "open: { after: 5m }");
    let mut replay = Replay::new(&sources, before, after);
    hear(&mut replay, 0, &[("shop", "FRA", "firing"), ("shop", "AMS", "firing")]);
    hear(&mut replay, 1, &[("blog", "FRA", "firing")]);
    hear(&mut replay, 2, &[("blog", "FRA", "resolved")]);
    let told = replay.compare(at(60));
    let both = told.rules["down"];
    assert_eq!((both.before.cases, both.after.cases), (2, 2));
    assert_eq!((told.deliveries, told.span), (3, Some((at(0), at(2)))));
    let subjects = |lines: &[CaseLine]| -> Vec<(String, usize)> {
        lines.iter().map(|line| (line.subject.clone(), line.identity.len())).collect()
    };
    assert_eq!(subjects(&told.gone), [("blog is down".to_owned(), 1)]);
    assert_eq!(subjects(&told.new), [("shop is down".to_owned(), 2)], "the second of the two");
    assert_eq!(told.changed.len(), 1, "the first is the same case, five minutes later: {told:#?}");
    let opened = &told.changed[0].fields["opened"];
    assert_eq!((&opened.before, &opened.after), (&at(0).to_string(), &at(5).to_string()));
}

#[test]
fn a_rule_of_another_name_opens_the_same_cases() {
    let sources = sources();
    let (before, after) = (playbook("a", "property", 2, ""), playbook("b", "property", 1, ""));
    let mut replay = Replay::new(&sources, before, after);
    hear(&mut replay, 0, &[("shop", "FRA", "firing")]);
    let told = replay.compare(at(60));
    assert!(told.gone.is_empty() && told.new.is_empty(), "{told:#?}");
    let fields: Vec<&str> = told.changed[0].fields.keys().copied().collect();
    assert_eq!(fields, ["rule", "severity"]);
}

#[test]
fn the_same_rules_change_nothing() {
    let sources = sources();
    let rules = playbook("down", "property", 2, "");
    let mut replay = Replay::new(&sources, rules.clone(), rules);
    hear(&mut replay, 0, &[("shop", "FRA", "firing"), ("blog", "FRA", "firing")]);
    hear(&mut replay, 9, &[("shop", "FRA", "resolved")]);
    let told = replay.compare(at(60));
    assert!(told.gone.is_empty() && told.new.is_empty() && told.changed.is_empty(), "{told:#?}");
    assert_eq!(told.same, 2);
}

#[test]
fn what_told_nothing_new_still_shows_that_the_sender_is_there() {
    let sources = sources();
    let rules = playbook("down", "property", 2, "stale_after: 1h");
    for repeats in [false, true] {
        let mut replay = Replay::new(&sources, rules.clone(), rules.clone());
        hear(&mut replay, 0, &[("shop", "FRA", "firing")]);
        let alerts = body(&[("shop", "FRA", "firing")]);
        let alert = read_back(sources[&"am".into()].as_ref(), &alerts).unwrap().alerts.remove(0);
        for minutes in (30..=180).step_by(30).filter(|_| repeats) {
            let verdict = Verdict {
                fingerprint: alert.fingerprint.to_string(),
                alert: alert.name().to_owned(),
                status: "firing".to_owned(),
                rule: None,
                incident: None,
                effect: String::new(),
            };
            let record =
                DeliveryRecord { verdicts: vec![verdict], ..record(minutes, Fate::Repeat) };
            replay.hear(&record, None);
        }
        hear(&mut replay, 181, &[("blog", "FRA", "firing")]);
        let told = replay.compare(at(181));
        // The end by silence is told in a comment.
        assert_eq!(told.rules["down"].before.comments, u64::from(!repeats), "{told:#?}");
    }
}

#[test]
fn what_cannot_be_played_is_counted_by_why() {
    let sources = sources();
    let rules = playbook("down", "property", 2, "");
    let mut replay = Replay::new(&sources, rules.clone(), rules);
    replay.hear(&record(0, Fate::Accepted), Some(b"{"));
    let gone = DeliveryRecord { source: "gone".into(), ..record(1, Fate::Accepted) };
    replay.hear(&gone, Some(&body(&[])));
    replay.hear(&record(2, Fate::Redelivered), None);
    let told = replay.compare(at(60));
    assert_eq!(told.deliveries, 0);
    let why: Vec<&String> = told.unplayed.keys().collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why[1].starts_with("there is no source `gone`"), "{why:?}");
}
