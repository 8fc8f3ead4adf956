//! Those who send webhooks: pairs of Alertmanagers that know nothing of each other, and PagerDuty.
//! They live by the true time, repeat themselves, and come again when they were not heard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use casewright::domain::alert::Labels;
use casewright::sources::alertmanager::fingerprint;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use super::dice::Dice;
use super::world::World;

/// When something fired, and until when; without an end it fires for ever.
pub(crate) type Periods = Vec<(Timestamp, Option<Timestamp>)>;

/// One alert of a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) labels: Labels,
    pub(crate) periods: Periods,
}

/// What is one group of Alertmanager's, and one incident of ours: the same problem in some places.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) alertname: &'static str,
    pub(crate) property: String,
    pub(crate) members: Vec<Member>,
}

impl Member {
    /// The last period that has begun.
    pub(crate) fn at(&self, now: Timestamp) -> Option<(Timestamp, Option<Timestamp>)> {
        let (start, end) = self.periods.iter().rfind(|(start, _)| *start <= now)?;
        Some((*start, end.filter(|end| *end <= now)))
    }

    fn fires(&self, now: Timestamp) -> bool {
        matches!(self.at(now), Some((_, None)))
    }
}

impl Group {
    pub(crate) fn fires(&self, now: Timestamp) -> bool {
        self.members.iter().any(|member| member.fires(now))
    }
}

/// Some periods of firing, and whether it still fires when the trouble is over.
pub(crate) fn periods(dice: &Dice, from: Timestamp, until: Timestamp) -> Periods {
    let mut periods = Vec::new();
    let mut at = from + dice.seconds(0.0, 1500.0);
    while at < until && periods.len() < 3 {
        if dice.chance(0.35) {
            periods.push((at, None));
            return periods;
        }
        let end = at + dice.seconds(40.0, 1800.0);
        periods.push((at, Some(end)));
        at = end + dice.seconds(400.0, 3600.0);
    }
    periods
}

/// One Alertmanager of a pair, with one of its groups.
pub(crate) async fn alertmanager(world: Arc<World>, group: Group, peer: u64, dice: Dice) {
    // What it has told, and been heard to tell.
    let mut told: BTreeMap<usize, Timestamp> = BTreeMap::new();
    let mut told_at = None::<Timestamp>;
    tokio::time::sleep(Duration::from_secs(15 * peer) + dice.seconds(0.0, 30.0)).await;
    loop {
        tokio::time::sleep(dice.seconds(15.0, 45.0)).await;
        let now = world.ground.true_now();
        let mut alerts = Vec::new();
        let mut news = false;
        for (number, member) in group.members.iter().enumerate() {
            match (member.at(now), told.get(&number)) {
                (Some((start, None)), before) => {
                    news |= before != Some(&start);
                    alerts.push((number, member, start, None));
                }
                (Some((start, Some(end))), Some(_)) => {
                    news = true;
                    alerts.push((number, member, start, Some(end)));
                }
                _ => {}
            }
        }
        let repeats = told_at
            .is_none_or(|told_at| now.duration_since(told_at) > SignedDuration::from_mins(5));
        if alerts.is_empty() || !(news || repeats) {
            continue;
        }
        // `max_alerts` cuts some off now and then.
        let truncated = if alerts.len() > 1 && dice.chance(0.1) { 1 } else { 0 };
        let shown = alerts.len() - truncated;
        let body = payload(&group, &alerts[..shown], truncated, peer);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer demo-token"));
        if world.deliver("alertmanager", headers, body, &dice).await {
            told_at = Some(now);
            for (number, _, start, end) in &alerts[..shown] {
                if end.is_none() {
                    told.insert(*number, *start);
                } else {
                    told.remove(number);
                    world.told_over(&group.property, *number, *start);
                }
            }
        }
    }
}

type Shown<'a> = (usize, &'a Member, Timestamp, Option<Timestamp>);

fn payload(group: &Group, alerts: &[Shown<'_>], truncated: usize, peer: u64) -> Vec<u8> {
    // More than fits into a description, where somebody asks for it.
    let long = group.alertname == "Careful";
    let details =
        if long { "It has failed, and here is all of it. ".repeat(1000) } else { String::new() };
    let firing = alerts.iter().any(|(_, _, _, end)| end.is_none());
    let items: Vec<Value> = alerts
        .iter()
        .map(|(_, member, start, end)| {
            json!({
                "status": if end.is_some() { "resolved" } else { "firing" },
                "labels": member.labels,
                "annotations": { "summary": "too many errors", "details": details },
                "startsAt": start.to_string(),
                "endsAt": end.map_or("0001-01-01T00:00:00Z".to_owned(), |end| end.to_string()),
                "generatorURL": format!("http://prometheus-{peer}.example.net/graph"),
                "fingerprint": fingerprint(&member.labels).as_str(),
            })
        })
        .collect();
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{property=\"{}\"}}", group.property),
        "truncatedAlerts": truncated,
        "status": if firing { "firing" } else { "resolved" },
        "receiver": "casewright",
        "groupLabels": { "property": group.property },
        "commonLabels": {}, "commonAnnotations": {},
        "externalURL": format!("http://alertmanager-{peer}.example.net:9093"),
        "alerts": items,
    })
    .to_string()
    .into_bytes()
}

/// An incident at PagerDuty.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) id: String,
    pub(crate) triggered: Timestamp,
    pub(crate) resolved: Option<Timestamp>,
}

/// PagerDuty tells of one event, late perhaps, and again until it was heard.
pub(crate) async fn pagerduty(world: Arc<World>, page: Page, kind: &'static str, dice: Dice) {
    let at = if kind == "resolved" { page.resolved } else { Some(page.triggered) };
    let Some(at) = at else { return };
    let wait = casewright::time::between(world.ground.true_now(), at);
    tokio::time::sleep(wait + dice.seconds(0.0, 20.0)).await;
    let mut event: Value = serde_json::from_str(match kind {
        "resolved" => {
            include_str!("../fixtures/pagerduty/18-resolved-by-integration.json")
        }
        _ => include_str!("../fixtures/pagerduty/02-triggered-manual.json"),
    })
    .expect("a fixture");
    event["event"]["id"] = json!(format!("{}-{kind}", page.id));
    event["event"]["occurred_at"] = json!(at.to_string());
    event["event"]["data"]["id"] = json!(page.id);
    let body = event.to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"demo-secret").expect("any key");
    mac.update(&body);
    let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("x-webhook-id", format!("w-{}-{kind}", page.id)), ("x-pagerduty-signature", signature)]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).expect("text"));
    }
    let mut pause = 5.0;
    while !world.deliver("pagerduty", headers.clone(), body.clone(), &dice).await {
        tokio::time::sleep(dice.seconds(pause / 2.0, pause)).await;
        pause = f64::min(pause * 2.0, 300.0);
    }
}
