//! From a parsed delivery to a decision in the store: rules pick the incidents, the lifecycle
//! decides, one transaction keeps it.
//!
//! *Promise:* [`Intake::accept`] returns a receipt only after the delivery and everything that
//! follows from it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::debug;

use crate::clock::Clock;
use crate::current::Current;
use crate::domain::alert::{Alert, AlertStatus, Labels};
use crate::domain::ids::{
    DeliveryId, Identity, IncidentKey, InstallationId, RuleName, SourceName, VendorName,
};
use crate::domain::incident::Incident;
use crate::domain::lifecycle::{Birth, Event, Policy, RankedAlert, Step, step};
use crate::playbook::Playbook;
use crate::rng::Rng;
use crate::rules::{CaseRule, Then};
use crate::sources::Received;
use crate::store::admission::Ticket;
use crate::store::{
    self, Decision, Delivery, Fate, Known, Receipt, Store, StoreError, Verdict, Wanted,
};
use crate::telemetry::metrics::{AlertResult, Metrics};

/// See the [module](self).
pub struct Intake {
    /// Where decisions are kept.
    pub store: Arc<dyn Store>,
    /// Rules and templates. A delivery is decided by those that count when it is taken in.
    pub playbook: Current<Playbook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For delivery ids.
    pub rng: Arc<Rng>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells the dispatcher of new work.
    pub wake: Arc<Notify>,
}

impl Intake {
    /// Whether the store takes one more delivery soon.
    pub fn has_room(&self) -> bool {
        self.store.admission().has_room()
    }

    /// The right to have one more delivery worked on; none if the writer cannot keep up.
    pub fn admit(&self) -> Option<Ticket> {
        self.store.admission().admit()
    }

    /// Takes in what a source has understood of a request that was received at `now`.
    ///
    /// # Errors
    ///
    /// The store's. Nothing was kept, or it is not certain; the sender is to come again.
    pub async fn accept(
        &self,
        source: &SourceName,
        now: Timestamp,
        body: Vec<u8>,
        received: Received,
    ) -> Result<(DeliveryId, Receipt), StoreError> {
        let id = self.delivery_id(now);
        let installation = self.store.installation();
        let plan = Plan::make(self.playbook.get(), installation, &id, received, now);
        let delivery = Delivery {
            id: id.clone(),
            source: source.clone(),
            received_at: now,
            ids: plan.ids.clone(),
            body,
        };
        let wanted = plan.shares.iter().map(Share::wanted).collect();
        let ended = plan.ended.iter().map(|alert| alert.fingerprint.clone()).collect();
        let decide = Arc::new(move |known: &Known| plan.decide(known));
        let intake = store::Intake { delivery, wanted, ended, decide };
        let receipt = self.store.ingest(intake).await?;
        if receipt.work {
            self.wake.notify_one();
        }
        self.count(source, &receipt);
        for verdict in &receipt.verdicts {
            debug!(
                delivery = %id,
                rule = verdict.rule.as_ref().map(RuleName::as_str),
                incident = verdict.incident.as_ref().map(|incident| incident.as_str()),
                "alert {} ({}): {}",
                verdict.alert, verdict.status, verdict.effect,
            );
        }
        Ok((id, receipt))
    }

    /// Keeps a request that is authentic but cannot be understood, for a person to look at.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn keep_unusable(
        &self,
        source: &SourceName,
        body: Vec<u8>,
        why: &str,
    ) -> Result<DeliveryId, StoreError> {
        let now = self.clock.now();
        let id = self.delivery_id(now);
        let delivery = Delivery {
            id: id.clone(),
            source: source.clone(),
            received_at: now,
            ids: Vec::new(),
            body,
        };
        let note = why.to_owned();
        let decide = Arc::new(move |_: &Known| Decision {
            fate: Fate::Unusable,
            note: Some(note.clone()),
            verdicts: Vec::new(),
            steps: Vec::new(),
        });
        let (wanted, ended) = (Vec::new(), Vec::new());
        self.store.ingest(store::Intake { delivery, wanted, ended, decide }).await?;
        Ok(id)
    }

    /// Ids sort by time, so that the newest deliveries stand together in the store.
    fn delivery_id(&self, now: Timestamp) -> DeliveryId {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let random = self.rng.bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(random.first_chunk::<10>().unwrap_or(&[0; 10]));
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
        DeliveryId::new(id.to_string())
    }

    fn count(&self, source: &SourceName, receipt: &Receipt) {
        for verdict in &receipt.verdicts {
            let result = match &verdict.rule {
                None => AlertResult::Unmatched,
                Some(_) if verdict.effect == IGNORED => AlertResult::Ignored,
                Some(_) => AlertResult::Matched,
            };
            self.metrics.alerts(source, result, 1);
        }
    }
}

/// What would be decided about a delivery in a store that knows of no incident. For explaining;
/// the ids of its incidents are not those that a real store gives.
pub fn decide_afresh(playbook: Arc<Playbook>, received: Received, now: Timestamp) -> Decision {
    let nowhere = InstallationId::new("nowhere");
    let delivery = DeliveryId::new("explained");
    Plan::make(playbook, &nowhere, &delivery, received, now).decide(&Known::new())
}

const IGNORED: &str = "a rule ignores it";
const UNMATCHED: &str = "no rule matches";

/// What the rules make of a delivery, before anything is known of the incidents.
struct Plan {
    ids: Vec<String>,
    note: Option<String>,
    truncated: bool,
    shares: Vec<Share>,
    /// Alerts that no rule gives to an incident.
    leftovers: Vec<Verdict>,
    /// Alerts that have ended, whoever owns them.
    ended: Vec<Alert>,
    playbook: Arc<Playbook>,
    installation: InstallationId,
    delivery: DeliveryId,
    now: Timestamp,
}

/// The alerts of a delivery that belong to one incident.
struct Share {
    key: IncidentKey,
    policy: Policy,
    birth: Birth,
    alerts: Vec<RankedAlert>,
}

impl Plan {
    fn make(
        playbook: Arc<Playbook>,
        installation: &InstallationId,
        delivery: &DeliveryId,
        received: Received,
        now: Timestamp,
    ) -> Self {
        let mut shares: BTreeMap<IncidentKey, Share> = BTreeMap::new();
        let mut leftovers = Vec::new();
        let mut ended = Vec::new();
        for alert in received.alerts {
            if alert.status == AlertStatus::Resolved {
                ended.push(alert.clone());
            }
            let owners = playbook.rules.route(&alert);
            if owners.is_empty() {
                leftovers.push(leftover(&alert, None, UNMATCHED));
            }
            for rule in owners {
                let case_rule = match &rule.then {
                    Then::Ignore => {
                        leftovers.push(leftover(&alert, Some(&rule.name), IGNORED));
                        continue;
                    }
                    Then::Case(case_rule) => case_rule,
                };
                let key = key_of(&rule.name, case_rule, &alert);
                let rank = case_rule.plan.severity.rank(&alert);
                let share = shares.entry(key.clone()).or_insert_with(|| {
                    Share::new(key, case_rule, installation.clone(), delivery.clone())
                });
                share.alerts.push(RankedAlert { alert: alert.clone(), rank });
            }
        }
        Self {
            ids: received.ids,
            note: received.note,
            truncated: received.truncated,
            shares: shares.into_values().collect(),
            leftovers,
            ended,
            playbook,
            installation: installation.clone(),
            delivery: delivery.clone(),
            now,
        }
    }

    /// Decides, knowing the incidents. Pure; the store may ask more than once.
    fn decide(&self, known: &Known) -> Decision {
        let mut verdicts = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        let mut strays = self.strays(known);
        let followed: BTreeSet<String> = strays
            .values()
            .flat_map(|share| &share.alerts)
            .map(|news| news.alert.fingerprint.to_string())
            .collect();
        for share in &self.shares {
            match strays.remove(&share.key) {
                None => self.decide_share(share, known, &mut steps, &mut verdicts),
                Some(mut more) => {
                    more.alerts.splice(0..0, share.alerts.iter().cloned());
                    self.decide_share(&more, known, &mut steps, &mut verdicts);
                }
            }
        }
        for share in strays.values() {
            self.decide_share(share, known, &mut steps, &mut verdicts);
        }
        let fate = self.fate(&steps);
        let unowned = self.leftovers.iter();
        verdicts
            .extend(unowned.filter(|verdict| !followed.contains(&verdict.fingerprint)).cloned());
        Decision { fate, note: self.note.clone(), verdicts, steps }
    }

    fn decide_share(
        &self,
        share: &Share,
        known: &Known,
        steps: &mut Vec<Step>,
        verdicts: &mut Vec<Verdict>,
    ) {
        let event =
            Event::Alerts { alerts: &share.alerts, truncated: self.truncated, birth: &share.birth };
        let step = step(known.get(&share.key), &event, &share.policy, self.now);
        let incident = step.incident.as_ref().map(|incident| incident.id.clone());
        for (news, effect) in share.alerts.iter().zip(&step.effects) {
            verdicts.push(Verdict {
                rule: Some(share.key.rule.clone()),
                incident: incident.clone(),
                ..leftover(&news.alert, None, &format!("{effect}; {}", step.reason))
            });
        }
        steps.push(step);
    }

    /// Ends of alerts that are firing members of incidents to which rules do not lead any more:
    /// PagerDuty changes urgency and priority as it goes, and people change rules.
    fn strays(&self, known: &Known) -> BTreeMap<IncidentKey, Share> {
        let mut strays: BTreeMap<IncidentKey, Share> = BTreeMap::new();
        for alert in &self.ended {
            for incident in known.values() {
                let Some(member) = incident.members.get(&alert.fingerprint).filter(|member| {
                    member.alert.status == AlertStatus::Firing
                        && member.alert.source == alert.source
                }) else {
                    continue;
                };
                let led_there = self.shares.iter().any(|share| {
                    share.key == incident.key
                        && share.alerts.iter().any(|n| n.alert.fingerprint == alert.fingerprint)
                });
                if !led_there {
                    let share = strays
                        .entry(incident.key.clone())
                        .or_insert_with(|| self.share_of(incident));
                    share.alerts.push(RankedAlert { alert: alert.clone(), rank: member.rank });
                }
            }
        }
        strays
    }

    fn share_of(&self, incident: &Incident) -> Share {
        let birth = Birth {
            installation: self.installation.clone(),
            key: incident.key.clone(),
            vendor: incident.vendor.clone(),
            delivery: self.delivery.clone(),
        };
        let policy = self.playbook.policy(&incident.key.rule);
        Share { key: incident.key.clone(), policy, birth, alerts: Vec::new() }
    }

    fn fate(&self, steps: &[Step]) -> Fate {
        if steps.iter().any(|step| step.changed) {
            Fate::Accepted
        } else if !steps.is_empty() {
            Fate::Repeat
        } else if self.leftovers.is_empty() {
            Fate::Noted
        } else if self.leftovers.iter().any(|verdict| verdict.rule.is_some()) {
            Fate::Ignored
        } else {
            Fate::Unmatched
        }
    }
}

impl Share {
    fn new(
        key: IncidentKey,
        rule: &CaseRule,
        installation: InstallationId,
        delivery: DeliveryId,
    ) -> Self {
        let vendor: VendorName = rule.vendor.clone();
        let birth = Birth { installation, key: key.clone(), vendor, delivery };
        Self { key, policy: rule.policy.clone(), birth, alerts: Vec::new() }
    }

    fn wanted(&self) -> Wanted {
        let members = self.alerts.iter().map(|news| news.alert.fingerprint.clone()).collect();
        Wanted { key: self.key.clone(), members }
    }
}

/// Which incident of a rule an alert belongs to.
fn key_of(name: &RuleName, rule: &CaseRule, alert: &Alert) -> IncidentKey {
    let identity = match &rule.identity {
        Some(labels) => {
            let chosen: Labels =
                labels.iter().map(|name| (name.clone(), alert.label(name).to_owned())).collect();
            Identity::of(&chosen)
        }
        None => Identity::of(&alert.group),
    };
    IncidentKey { rule: name.clone(), identity }
}

fn leftover(alert: &Alert, rule: Option<&RuleName>, effect: &str) -> Verdict {
    Verdict {
        fingerprint: alert.fingerprint.to_string(),
        alert: alert.name().to_owned(),
        status: alert.status.as_str().to_owned(),
        rule: rule.cloned(),
        incident: None,
        effect: effect.to_owned(),
    }
}
