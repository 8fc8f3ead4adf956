//! What a delivery means: which incidents its alerts belong to, and what each of them is told.
//!
//! Rules lead an alert to incidents by its labels. But an alert that fires already stays with the
//! incident that it is a member of, once a case is asked for: PagerDuty changes urgency and priority
//! as it goes, people change rules, and neither may open a second case for one problem.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::ids::{
    DeliveryId, Fingerprint, Identity, IncidentKey, InstallationId, RuleName, Scope,
};
use crate::domain::incident::{Incident, State};
use crate::domain::lifecycle::{Birth, Event, RankedAlert, Step, step};
use crate::domain::policy::Policy;
use crate::domain::severity::Rank;
use crate::domain::storm::{Turn, Usage};
use crate::playbook::Playbook;
use crate::rules::{CaseRule, Then};
use crate::sources::{Move, Received, Remarked};
use crate::store::{Decision, Fate, Followed, Known, Verdict, Wanted};
use crate::time::later;

/// What an alert is told of that a rule ignores.
pub(crate) const IGNORED: &str = "a rule ignores it";
const UNMATCHED: &str = "no rule matches";

/// What the rules make of a delivery, before anything is known of the incidents.
pub(crate) struct Plan {
    ids: Vec<String>,
    note: Option<String>,
    truncated: bool,
    leads: Vec<Lead>,
    moves: Vec<Move>,
    remarks: Vec<Remarked>,
    /// The incidents that rules lead to.
    shares: BTreeMap<IncidentKey, Share>,
    playbook: Arc<Playbook>,
    installation: InstallationId,
    delivery: DeliveryId,
    now: Timestamp,
}

/// Where the rules lead an alert.
struct Lead {
    alert: Alert,
    /// To these incidents, and how bad it is by the rule that leads there.
    to: Vec<(IncidentKey, Rank)>,
    /// The rule that ignores it.
    ignored_by: Option<RuleName>,
}

/// How an incident is treated.
#[derive(Clone)]
struct Share {
    policy: Policy,
    birth: Birth,
}

/// What a delivery tells one incident.
#[derive(Default)]
struct Hearing {
    alerts: Vec<RankedAlert>,
    /// Why some of them leave the incident, although they have not ended.
    leave: Option<String>,
}

/// Everything that a delivery tells, by incident; and what is told of the alerts that come to none.
#[derive(Default)]
struct Heard {
    by_key: BTreeMap<IncidentKey, Hearing>,
    unowned: Vec<Verdict>,
}

impl Heard {
    fn tell(&mut self, key: &IncidentKey, alert: Alert, rank: Rank) {
        let hearing = self.by_key.entry(key.clone()).or_default();
        hearing.alerts.push(RankedAlert { alert, rank });
    }

    /// An alert leaves an incident.
    fn take_away(&mut self, key: &IncidentKey, alert: &Alert, rank: Rank, why: String) {
        self.tell(key, left(alert), rank);
        if let Some(hearing) = self.by_key.get_mut(key) {
            hearing.leave = Some(why);
        }
    }
}

/// An alert as the incident sees it that it leaves. It has no end, so that it can come back at once.
fn left(alert: &Alert) -> Alert {
    Alert { status: AlertStatus::Resolved, ends_at: None, ..alert.clone() }
}

/// Whether an incident has a case or will have one, and is not over.
fn is_begun(incident: &Incident) -> bool {
    matches!(
        incident.state,
        State::Opening { .. } | State::Open { .. } | State::Resolving { .. } | State::Failed { .. }
    )
}

/// Whether nothing was asked of the vendor yet, and may still be.
fn waits(incident: &Incident) -> bool {
    incident.state.has_draft()
}

impl Plan {
    /// Asks the rules about every alert of a delivery.
    pub(crate) fn make(
        playbook: Arc<Playbook>,
        installation: &InstallationId,
        delivery: &DeliveryId,
        received: Received,
        now: Timestamp,
    ) -> Self {
        let mut shares: BTreeMap<IncidentKey, Share> = BTreeMap::new();
        let mut leads = Vec::with_capacity(received.alerts.len());
        for alert in received.alerts {
            let (mut to, mut ignored_by) = (Vec::new(), None);
            for rule in playbook.rules.route(&alert, now) {
                let case_rule = match &rule.then {
                    Then::Ignore => {
                        ignored_by = Some(rule.name.clone());
                        continue;
                    }
                    Then::Case(case_rule) => case_rule,
                };
                let key = key_of(&rule.name, case_rule, &alert);
                // Of several rules with one scope the first counts.
                if to.iter().any(|(known, _)| *known == key) {
                    continue;
                }
                shares.entry(key.clone()).or_insert_with(|| Share {
                    policy: case_rule.policy.clone(),
                    birth: Birth {
                        installation: installation.clone(),
                        key: key.clone(),
                        rule: rule.name.clone(),
                        vendor: case_rule.vendor.clone(),
                        delivery: delivery.clone(),
                    },
                });
                to.push((key, case_rule.plan.severity.rank(&alert)));
            }
            leads.push(Lead { alert, to, ignored_by });
        }
        Self {
            ids: received.ids,
            note: received.note,
            truncated: received.truncated,
            leads,
            moves: received.moves,
            remarks: received.remarks,
            shares,
            playbook,
            installation: installation.clone(),
            delivery: delivery.clone(),
            now,
        }
    }

    /// The sender's ids of the delivery.
    pub(super) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// After which time openings count for the case budgets.
    pub(super) fn budget_since(&self) -> Timestamp {
        self.playbook.budget_since(self.now)
    }

    /// The incidents that it has to know, each with the members that it speaks of.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: BTreeMap<&IncidentKey, Vec<Fingerprint>> = BTreeMap::new();
        for lead in &self.leads {
            for (key, _) in &lead.to {
                wanted.entry(key).or_default().push(lead.alert.fingerprint.clone());
            }
        }
        wanted.into_iter().map(|(key, members)| Wanted { key: key.clone(), members }).collect()
    }

    /// The alerts of which it has to know the incidents whose firing members they are.
    pub(crate) fn followed(&self) -> Followed {
        let mut followed = Followed::default();
        for Lead { alert, .. } in &self.leads {
            let list = match alert.status {
                AlertStatus::Resolved => &mut followed.always,
                // It may fire elsewhere besides.
                AlertStatus::Firing if self.playbook.rules.can_go_on() => &mut followed.always,
                AlertStatus::Firing => &mut followed.strangers,
            };
            list.push(alert.fingerprint.clone());
            if alert.status == AlertStatus::Firing && alert.occurred_at.is_some() {
                followed.returning.push(alert.fingerprint.clone());
            }
        }
        for alert in self.moves.iter().flat_map(|moved| [&moved.from, &moved.into]) {
            followed.always.push(alert.fingerprint.clone());
        }
        followed.returning.extend(self.moves.iter().map(|moved| moved.into.fingerprint.clone()));
        followed.always.extend(self.remarks.iter().map(|remarked| remarked.fingerprint.clone()));
        followed
    }

    /// Decides, knowing the incidents. Pure; the store may ask more than once.
    pub(crate) fn decide(&self, known: &Known) -> Decision {
        let Heard { by_key, unowned } = self.hear(known);
        let mut verdicts = Vec::new();
        let mut steps: Vec<Step> = Vec::with_capacity(by_key.len());
        // What one incident of the delivery opens counts for the next.
        let mut usage = known.usage.clone();
        for (key, hearing) in &by_key {
            let Some((share, current)) = self.share(key, known) else { continue };
            let step = self.decide_one(&share, current, hearing, &usage);
            usage.follow(&step);
            let incident = step.incident.as_ref();
            for (news, effect) in hearing.alerts.iter().zip(&step.effects) {
                let rule = incident.map_or(&share.birth.rule, |incident| &incident.rule);
                verdicts.push(Verdict {
                    incident: incident.map(|incident| incident.id.clone()),
                    ..verdict(&news.alert, Some(rule), &format!("{effect}; {}", step.reason))
                });
            }
            steps.push(step);
        }
        self.forward_remarks(known, &mut steps, &mut verdicts);
        let fate = fate(&steps, &unowned);
        verdicts.extend(unowned);
        Decision { fate, note: self.note.clone(), verdicts, steps }
    }

    /// What people wrote goes to the incidents whose alert it is about. A delivery with remarks has no
    /// alerts, so no incident gets two steps.
    fn forward_remarks(&self, known: &Known, steps: &mut Vec<Step>, verdicts: &mut Vec<Verdict>) {
        for Remarked { source, fingerprint, remark } in &self.remarks {
            for (home, member) in known.homes_of(source, fingerprint) {
                let policy = self.playbook.policy(home);
                let step = step(Some(home), &Event::Remarked(remark), &policy, None, self.now);
                if step.changed {
                    verdicts.push(Verdict {
                        incident: Some(home.id.clone()),
                        ..verdict(&member.alert, Some(&home.rule), &step.reason.to_string())
                    });
                    steps.push(step);
                }
            }
        }
    }

    /// What each incident is told.
    fn hear(&self, known: &Known) -> Heard {
        let mut heard = Heard::default();
        for lead in &self.leads {
            let homes = known.homes(&lead.alert);
            match lead.alert.status {
                AlertStatus::Resolved => hear_end(lead, &homes, &mut heard),
                AlertStatus::Firing => self.hear_fire(lead, &homes, known, &mut heard),
            }
        }
        for moved in &self.moves {
            hear_move(moved, known, &mut heard);
        }
        heard
    }

    /// An alert fires. Where it is a member already, and rules lead it there no longer, it stays if a
    /// case was asked for; it is then nothing new to the others. Else it leaves.
    fn hear_fire(
        &self,
        lead: &Lead,
        homes: &[(&Incident, Rank)],
        known: &Known,
        heard: &mut Heard,
    ) {
        if let Some(former) = self.returns_to(lead, homes, known) {
            return heard.tell(&former.key, lead.alert.clone(), self.rank_at_home(former, lead));
        }
        let is_wanted = !lead.to.is_empty() || lead.ignored_by.is_some();
        let mut stays = false;
        for (home, rank) in homes.iter().filter(|(home, _)| !lead.leads_to(home)) {
            if is_begun(home) || (waits(home) && !is_wanted) {
                heard.tell(&home.key, lead.alert.clone(), self.rank_at_home(home, lead));
                stays = true;
            } else if waits(home) {
                heard.take_away(&home.key, &lead.alert, *rank, lead.why_it_leaves());
            }
        }
        for (key, rank) in &lead.to {
            if !stays || homes.iter().any(|(home, _)| home.key == *key) {
                heard.tell(key, lead.alert.clone(), *rank);
            }
        }
        if !stays {
            lead.tell_unowned(heard);
        }
    }

    /// The incident that an alert comes back to which fires nowhere, although rules lead it
    /// elsewhere by now. PagerDuty reopens incidents, and what it changes of them meanwhile does not
    /// make them others. Where the alert has ended after what is told of it here, that is told there
    /// as well, and is known to be old.
    fn returns_to<'k>(
        &self,
        lead: &Lead,
        homes: &[(&Incident, Rank)],
        known: &'k Known,
    ) -> Option<&'k Incident> {
        let occurred_at = lead.alert.occurred_at?;
        let former = known.former_homes(&lead.alert);
        if !homes.is_empty() || former.iter().any(|(home, _)| lead.leads_to(home)) {
            return None;
        }
        let returns = former.into_iter().filter(|(home, member)| {
            let is_old = member.alert.occurred_at.is_some_and(|known| known > occurred_at);
            let goes_on = !waits(home) && !self.is_over_for_good(home);
            is_old || goes_on
        });
        returns.max_by_key(|(home, _)| home.updated_at).map(|(home, _)| home)
    }

    /// How bad an alert is for the incident with which it stays: what either rule says, whichever
    /// is worse.
    fn rank_at_home(&self, home: &Incident, lead: &Lead) -> Rank {
        let own = self.playbook.case_rule(&home.rule);
        let own = own.map_or(home.rank, |rule| rule.plan.severity.rank(&lead.alert));
        lead.to.iter().map(|(_, rank)| *rank).fold(own, Rank::min)
    }

    fn decide_one(
        &self,
        share: &Share,
        current: Option<&Incident>,
        hearing: &Hearing,
        usage: &Usage,
    ) -> Step {
        let event = Event::Alerts {
            alerts: &hearing.alerts,
            truncated: self.truncated,
            leave: hearing.leave.as_deref(),
            birth: &share.birth,
        };
        let rule = current
            .filter(|incident| !self.is_over_for_good(incident))
            .map_or(&share.birth.rule, |incident| &incident.rule);
        let restraint = self.playbook.restraint(rule, usage, Turn::Newcomer, self.now);
        step(current, &event, &share.policy, restraint.as_ref(), self.now)
    }

    /// How an incident is treated: by the rule that began it, as long as it lasts and there is that
    /// rule; else by the one that leads there.
    fn share<'k>(
        &self,
        key: &IncidentKey,
        known: &'k Known,
    ) -> Option<(Share, Option<&'k Incident>)> {
        let led = self.shares.get(key);
        let Some(incident) = known.get(key) else { return Some((led?.clone(), None)) };
        let own = self.playbook.case_rule(&incident.rule).map(|rule| rule.policy.clone());
        let share = match led {
            Some(led) if self.is_over_for_good(incident) => {
                // What is over by its own rule stays over by another of its scope.
                let reopen_within = self.playbook.policy(incident).reopen_within;
                let policy = Policy { reopen_within, ..led.policy.clone() };
                Share { policy, ..led.clone() }
            }
            Some(led) if own.is_none() => led.clone(),
            Some(led) => Share { policy: own.unwrap_or_default(), birth: led.birth.clone() },
            None => Share {
                policy: own.unwrap_or_default(),
                birth: Birth {
                    installation: self.installation.clone(),
                    key: key.clone(),
                    rule: incident.rule.clone(),
                    vendor: incident.vendor.clone(),
                    delivery: self.delivery.clone(),
                },
            },
        };
        Some((share, Some(incident)))
    }

    /// Whether what fires now would begin a new generation.
    fn is_over_for_good(&self, incident: &Incident) -> bool {
        match &incident.state {
            State::Dropped { .. } => true,
            State::Closed { at, .. } => {
                self.now > later(*at, self.playbook.policy(incident).reopen_within)
            }
            _ => false,
        }
    }
}

impl Lead {
    fn leads_to(&self, incident: &Incident) -> bool {
        self.to.iter().any(|(key, _)| *key == incident.key)
    }

    /// Why it leaves an incident to which rules lead it no longer.
    fn why_it_leaves(&self) -> String {
        let rules: Vec<&str> = self.to.iter().map(|(key, _)| key.scope.as_str()).collect();
        match &self.ignored_by {
            Some(rule) if rules.is_empty() => format!("rule {rule} ignores its alert now"),
            _ => format!("its alert belongs to {} now", rules.join(" and ")),
        }
    }

    /// Tells of the alert if it comes to no incident, or if a rule ignores it besides.
    fn tell_unowned(&self, heard: &mut Heard) {
        match &self.ignored_by {
            Some(rule) => heard.unowned.push(verdict(&self.alert, Some(rule), IGNORED)),
            None if self.to.is_empty() => {
                heard.unowned.push(verdict(&self.alert, None, UNMATCHED));
            }
            None => {}
        }
    }
}

/// An alert has ended: for every incident of which it was a firing member. Rules may have led there
/// by labels that it no longer has. Where it fires nowhere, whoever rules lead to is told.
fn hear_end(lead: &Lead, homes: &[(&Incident, Rank)], heard: &mut Heard) {
    for (home, rank) in homes {
        heard.tell(&home.key, lead.alert.clone(), *rank);
    }
    if homes.is_empty() {
        for (key, rank) in &lead.to {
            heard.tell(key, lead.alert.clone(), *rank);
        }
    }
    if homes.iter().all(|(home, _)| lead.leads_to(home)) {
        lead.tell_unowned(heard);
    }
}

/// An alert goes on as another one (PagerDuty merges incidents): wherever it fires, the other takes
/// its place. Where no case was asked for yet and the other has an incident of its own, that one
/// does for both. An other that is known to have ended since does not fire on.
fn hear_move(moved: &Move, known: &Known, heard: &mut Heard) {
    let elsewhere = known.homes(&moved.into);
    let has_ended = known
        .former_homes(&moved.into)
        .iter()
        .any(|(_, member)| member.alert.occurred_at > moved.into.occurred_at);
    for (home, rank) in &known.homes(&moved.from) {
        let other = elsewhere.iter().find(|(other, _)| other.id != home.id && !is_over(other));
        match other {
            Some((other, _)) if waits(home) => {
                let why =
                    format!("its alert goes on as {}, in incident {}", moved.into.name(), other.id);
                heard.take_away(&home.key, &moved.from, *rank, why);
            }
            _ => {
                heard.tell(&home.key, left(&moved.from), *rank);
                if !has_ended {
                    heard.tell(&home.key, moved.into.clone(), *rank);
                }
            }
        }
    }
}

fn is_over(incident: &Incident) -> bool {
    !is_begun(incident) && !waits(incident)
}

fn fate(steps: &[Step], unowned: &[Verdict]) -> Fate {
    if steps.iter().any(|step| step.changed) {
        Fate::Accepted
    } else if !steps.is_empty() {
        Fate::Repeat
    } else if unowned.is_empty() {
        Fate::Noted
    } else if unowned.iter().any(|verdict| verdict.rule.is_some()) {
        Fate::Ignored
    } else {
        Fate::Unmatched
    }
}

/// Which incident of a rule an alert belongs to.
pub(super) fn key_of(name: &RuleName, rule: &CaseRule, alert: &Alert) -> IncidentKey {
    let identity = Identity::of(&rule.identity_of(alert));
    let scope = rule.identity_scope.clone().unwrap_or_else(|| Scope::new(name.as_str()));
    IncidentKey { scope, identity }
}

fn verdict(alert: &Alert, rule: Option<&RuleName>, effect: &str) -> Verdict {
    Verdict {
        fingerprint: alert.fingerprint.to_string(),
        alert: alert.name().to_owned(),
        status: alert.status.as_str().to_owned(),
        rule: rule.cloned(),
        incident: None,
        effect: effect.to_owned(),
    }
}
