//! What a daemon would do with deliveries, in a world of its own: in memory, in virtual time, with
//! a vendor that does at once whatever is asked of it.
//!
//! It decides by the very functions of the daemon: the rules and the plan of [`crate::intake`],
//! [`lifecycle::step`](crate::domain::lifecycle::step) and the drafts of
//! [`crate::dispatch::drafting`]. What may never be done here: to decide anything itself, to ask a
//! clock, to write or send anything.
//!
//! What it leaves out is what only a real vendor brings: outages, refusals, its catalog. So a
//! severity is a rank here, and names are not compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::dispatch::drafting::{self, Unready};
use crate::dispatch::rollup;
use crate::domain::action::{ActionKind, NewAction};
use crate::domain::alert::Labels;
use crate::domain::draft::Contact;
use crate::domain::ids::{
    ActionId, CaseId, DeliveryId, Fingerprint, IncidentId, IncidentKey, InstallationId, RuleName,
    SourceName,
};
use crate::domain::incident::{Hold, Incident, State};
use crate::domain::judgement::{self, Judgement};
use crate::domain::lifecycle::{Event, OpenedCase, Reason, Step, step};
use crate::domain::rollup::{RollCall, RollCalls, key};
use crate::domain::severity::Rank;
use crate::domain::storm::{RELEASE_EVERY, RELEASES, Turn, Usage};
use crate::intake::Plan;
use crate::playbook::Playbook;
use crate::sources::Received;
use crate::store::Followed;
use crate::store::{Action, ActionState, Fate, Known, Phase, Verdict};
use crate::time::later;
use crate::vendors::Operation;

pub use crate::dispatch::drafting::Drafted;

/// See the [module](self).
pub struct World {
    playbook: Arc<Playbook>,
    installation: InstallationId,
    now: Timestamp,
    lives: Vec<Life>,
    /// The newest generation of each key.
    newest: HashMap<IncidentKey, usize>,
    /// Of which lives an alert is a firing member.
    firing: HashMap<(SourceName, Fingerprint), BTreeSet<usize>>,
    /// Of which lives an alert of a sender that orders its events is a resolved member.
    ended: HashMap<(SourceName, Fingerprint), BTreeSet<usize>>,
    /// Which rules opened a case when.
    opened: Vec<(RuleName, Timestamp)>,
    /// What waits for the case budget, by rule.
    waiting: BTreeMap<RuleName, Line>,
    /// What roll-ups stand for.
    rolled: BTreeSet<usize>,
    /// Whether a release is on the agenda.
    releases: bool,
    agenda: BTreeMap<(Timestamp, u64), Job>,
    jobs: u64,
    seen: HashSet<(SourceName, String)>,
    deliveries: u64,
    cases: u64,
}

/// Incidents in the order in which the case budget lets them go.
type Line = BTreeMap<Order, usize>;

/// Worst and oldest first.
type Order = (Rank, Timestamp, IncidentId);

/// The place of an incident that waits for the case budget.
#[derive(PartialEq, Eq)]
struct Place {
    rule: RuleName,
    order: Order,
}

impl Place {
    fn of(incident: &Incident) -> Option<Self> {
        let waits = matches!(incident.state, State::Held { hold: Hold::Budget, .. });
        waits.then(|| Self {
            rule: incident.rule.clone(),
            order: (incident.rank, incident.created_at, incident.id.clone()),
        })
    }
}

fn is_rolled(incident: &Incident) -> bool {
    matches!(incident.state, State::Held { hold: Hold::Rollup, .. })
}

/// Something to be done at its time.
enum Job {
    /// The timer of an incident has run out, or had, before it was set anew.
    Timer(usize),
    /// An action of an incident is due.
    Act(usize, NewAction),
    /// What waits for the case budget is looked at, and what roll-ups stand for.
    Release,
}

/// All that happens to one incident.
#[derive(Debug, Clone)]
pub struct Life {
    /// As it stands, with all of its members.
    pub incident: Incident,
    /// The labels that tell it from others of its rule, with their values.
    pub identity: Labels,
    /// Every change, in order.
    pub moments: Vec<Moment>,
    /// Everything that was done at the vendor, in order.
    pub deeds: Vec<Deed>,
}

/// A change of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Its state afterwards.
    pub state: &'static str,
    /// Why.
    pub reason: String,
}

/// An action, and what was said to the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// The kind of the action.
    pub kind: &'static str,
    /// How bad the incident was then.
    pub rank: Rank,
    /// What was said.
    pub said: Said,
}

/// What an action says to the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A case was opened.
    Case {
        /// Its number.
        case: CaseId,
        /// What it says.
        drafted: Box<Drafted>,
    },
    /// A comment, a closure request, the text of an attachment.
    Text(String),
    /// New contacts.
    Contacts {
        /// Who gets the vendor's mail.
        also_notify: Vec<String>,
        /// Whom else to contact.
        alternate_contact: Option<Contact>,
    },
    /// Nothing: it could not be made. A daemon would try again, and show it to a person.
    Nothing {
        /// Why.
        why: String,
    },
}

impl Life {
    /// What its case says, if one was opened.
    pub fn case(&self) -> Option<(&Deed, &Drafted)> {
        self.deeds.iter().find_map(|deed| match &deed.said {
            Said::Case { drafted, .. } => Some((deed, &**drafted)),
            _ => None,
        })
    }

    /// Why its case could not be made, if it could not.
    pub fn problem(&self) -> Option<&str> {
        self.deeds.iter().rev().find_map(|deed| match &deed.said {
            Said::Nothing { why } => Some(why.as_str()),
            _ => None,
        })
    }

    /// The texts of its comments, without the tokens that make them findable.
    pub fn comments(&self) -> impl Iterator<Item = &str> {
        self.deeds.iter().filter(|deed| deed.kind == "comment").filter_map(|deed| {
            match &deed.said {
                Said::Text(text) => Some(text.as_str()),
                _ => None,
            }
        })
    }
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(playbook: Arc<Playbook>, start: Timestamp) -> Self {
        Self {
            playbook,
            installation: InstallationId::new("rehearsal"),
            now: start,
            lives: Vec::new(),
            newest: HashMap::new(),
            firing: HashMap::new(),
            ended: HashMap::new(),
            opened: Vec::new(),
            waiting: BTreeMap::new(),
            rolled: BTreeSet::new(),
            releases: false,
            agenda: BTreeMap::new(),
            jobs: 0,
            seen: HashSet::new(),
            deliveries: 0,
            cases: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Every incident that there has been, in the order of their beginnings.
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// How many cases were opened.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// Lets time pass: everything that is due until then happens, in its order. Time never goes
    /// back.
    pub fn advance(&mut self, until: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((due, _), job) = entry.remove_entry();
            self.now = self.now.max(due);
            match job {
                Job::Timer(index) => self.happen(index, &Event::Timer),
                Job::Act(index, action) => self.act(index, &action),
                Job::Release => self.release(),
            }
        }
        self.now = self.now.max(until);
    }

    /// A delivery comes in at `at`, after everything that is due until then. Answers with what
    /// became of its alerts.
    pub fn deliver(
        &mut self,
        source: &SourceName,
        received: Received,
        at: Timestamp,
    ) -> (Fate, Vec<Verdict>) {
        self.advance(at);
        let ids: Vec<(SourceName, String)> =
            received.ids.iter().map(|id| (source.clone(), id.clone())).collect();
        let repeated = ids.iter().any(|id| self.seen.contains(id));
        self.seen.extend(ids);
        if repeated {
            return (Fate::Redelivered, Vec::new());
        }
        self.deliveries += 1;
        let delivery = DeliveryId::new(format!("delivery-{}", self.deliveries));
        let playbook = self.playbook.clone();
        let plan = Plan::make(playbook, &self.installation, &delivery, received, self.now);
        let decision = plan.decide(&self.known(&plan, source));
        for step in decision.steps {
            self.apply(step);
        }
        self.advance(at);
        (decision.fate, decision.verdicts)
    }

    /// The case of an incident as it would be opened now, whatever keeps it from being opened.
    ///
    /// # Errors
    ///
    /// As of [`drafting::preview`].
    pub fn draft(&self, life: &Life) -> Result<Drafted, Unready> {
        drafting::preview(&self.playbook, &life.incident, self.now, None, None)
    }

    /// Whether an incident is one that a person could approve or reject now.
    pub fn heeds(&self, life: &Life, judgement: Judgement) -> bool {
        judgement::was_heeded(&self.judged(life, judgement))
    }

    /// A person approves or rejects the incident with this place among [`Self::lives`]. Nothing
    /// happens to one that [heeds](Self::heeds) it not.
    pub fn judge(&mut self, index: usize, judgement: Judgement) {
        let Some(life) = self.lives.get(index) else { return };
        let step = self.judged(life, judgement);
        self.apply(step);
        self.advance(self.now);
    }

    fn judged(&self, life: &Life, judgement: Judgement) -> Step {
        let policy = self.playbook.policy(&life.incident);
        judgement::judge(&life.incident, judgement, &policy, self.now)
    }

    /// What the store would tell for a plan: the newest generations that it speaks of, each with
    /// the members that it speaks of, and those of which the alerts are members that it follows.
    fn known(&mut self, plan: &Plan, source: &SourceName) -> Known {
        let mut members: BTreeMap<usize, BTreeSet<Fingerprint>> = BTreeMap::new();
        for wanted in plan.wanted() {
            if let Some(index) = self.newest.get(&wanted.key) {
                members.entry(*index).or_default().extend(wanted.members);
            }
        }
        let Followed { always, strangers, returning } = plan.followed();
        for fingerprint in always.into_iter().chain(strangers) {
            let of = self.firing.get(&(source.clone(), fingerprint.clone()));
            for index in of.into_iter().flatten() {
                members.entry(*index).or_default().insert(fingerprint.clone());
            }
        }
        for fingerprint in returning {
            let of = self.ended.get(&(source.clone(), fingerprint.clone()));
            for index in of.into_iter().flatten().filter(|index| self.is_newest(**index)) {
                members.entry(*index).or_default().insert(fingerprint.clone());
            }
        }
        let mut known = Known::default();
        known.usage = self.usage();
        for (index, fingerprints) in members {
            let Some(Life { incident, .. }) = self.lives.get_mut(index) else { continue };
            // There may be thousands of others, so they are not copied.
            let all = std::mem::take(&mut incident.members);
            let mut told = incident.clone();
            told.members = fingerprints
                .into_iter()
                .filter_map(|name| Some((name.clone(), all.get(&name)?.clone())))
                .collect();
            incident.members = all;
            known.note(told);
        }
        known
    }

    fn is_newest(&self, index: usize) -> bool {
        let life = self.lives.get(index);
        life.is_some_and(|life| self.newest.get(&life.incident.key) == Some(&index))
    }

    /// Something happens to an incident.
    fn happen(&mut self, index: usize, event: &Event<'_>) {
        let Some(life) = self.lives.get(index) else { return };
        let (incident, rule) = (&life.incident, &life.incident.rule);
        let policy = self.playbook.policy(incident);
        let turn = Turn::of(incident);
        let restraint = self.playbook.restraint(rule, &self.usage(), turn, self.now);
        let step = step(Some(incident), event, &policy, restraint.as_ref(), self.now);
        self.apply(step);
    }

    /// What was opened lately, and what waits.
    fn usage(&self) -> Usage {
        let since = self.playbook.budget_since(self.now);
        let mut usage = Usage::default();
        for (rule, at) in self.opened.iter().rev().take_while(|(_, at)| *at > since) {
            usage.opens(rule.clone(), *at);
        }
        for (rule, line) in &self.waiting {
            usage.wait(rule.clone(), u32::try_from(line.len()).unwrap_or(u32::MAX));
        }
        usage
    }

    /// Lets go what the budgets have room for again, and calls the roll, as the dispatcher does.
    fn release(&mut self) {
        let first = |line: &Line| line.clone().into_iter().take(RELEASES as usize);
        let turns: Line = self.waiting.values().flat_map(first).collect();
        for index in turns.into_values() {
            self.happen(index, &Event::Timer);
        }
        for call in self.roll_calls() {
            self.call_the_roll(&call);
        }
        self.releases = false;
        if !self.waiting.is_empty() {
            self.plan_release();
        }
    }

    fn plan_release(&mut self) {
        if !self.releases {
            self.plan(later(self.now, RELEASE_EVERY), Job::Release);
            self.releases = true;
        }
    }

    /// How what roll-ups stand for differs from what they were told.
    fn roll_calls(&self) -> Vec<RollCall> {
        let mut calls = RollCalls::default();
        let mut rolled: BTreeMap<Fingerprint, &Incident> = BTreeMap::new();
        for Life { incident, .. } in self.rolled.iter().filter_map(|index| self.lives.get(*index)) {
            rolled.insert(Fingerprint::new(incident.id.as_str()), incident);
        }
        let rollups = self.newest.values().filter_map(|index| self.lives.get(*index));
        let rollups = rollups.map(|life| &life.incident).filter(|incident| incident.is_rollup());
        for rollup in rollups.filter(|rollup| rollup.is_firing()) {
            for (name, member) in rollup.members.iter().filter(|(_, member)| member.is_firing()) {
                match rolled.get(name) {
                    Some(incident) if member.rank <= incident.rank => {
                        rolled.remove(name);
                    }
                    Some(_) => {}
                    None => calls.leave(rollup.rule.clone(), member.alert.clone()),
                }
            }
        }
        let mut joins: Vec<&Incident> = rolled.into_values().collect();
        joins.sort_by_key(|incident| (incident.rank, incident.created_at, incident.id.clone()));
        for incident in joins {
            calls.join(Incident { members: BTreeMap::new(), ..incident.clone() });
        }
        calls.finish()
    }

    fn call_the_roll(&mut self, call: &RollCall) {
        let current = self.newest.get(&key(&call.rule)).and_then(|index| self.lives.get(*index));
        let current = current.map(|life| life.incident.clone());
        let (playbook, now) = (self.playbook.clone(), self.now);
        let step = rollup::decide(&playbook, &self.installation, call, current.as_ref(), now);
        if let Some(step) = step {
            self.apply(step);
        }
    }

    /// An incident changes its place in the line before the budget.
    fn change_place(&mut self, index: usize, before: Option<Place>, after: Option<Place>) {
        if before == after {
            return;
        }
        if let Some(place) = before
            && let Some(line) = self.waiting.get_mut(&place.rule)
        {
            line.remove(&place.order);
            if line.is_empty() {
                self.waiting.remove(&place.rule);
            }
        }
        if let Some(Place { rule, order }) = after {
            self.plan_release();
            self.waiting.entry(rule).or_default().insert(order, index);
        }
    }

    /// Keeps what a step has decided.
    fn apply(&mut self, step: Step) {
        let opens = step.opens();
        let Some(mut incident) = step.incident.filter(|_| step.changed) else { return };
        let index = self.life_of(&incident);
        let Some(life) = self.lives.get_mut(index) else { return };
        let mut members = std::mem::take(&mut life.incident.members);
        for name in step.members {
            let Some(member) = incident.members.remove(&name) else { continue };
            let key = (member.alert.source.clone(), name.clone());
            let ended = !member.is_firing() && member.alert.occurred_at.is_some();
            for (of, is_it) in [(&mut self.firing, member.is_firing()), (&mut self.ended, ended)] {
                if is_it {
                    of.entry(key.clone()).or_default().insert(index);
                } else if let Some(indexes) = of.get_mut(&key) {
                    indexes.remove(&index);
                }
            }
            members.insert(name, member);
        }
        let begins = life.moments.is_empty();
        let place = Place::of(&life.incident).filter(|_| !begins);
        let due = life.incident.state.due();
        life.incident = Incident { members, ..incident };
        let after = &life.incident;
        if step.reason != Reason::Heard {
            life.moments.push(Moment {
                at: self.now,
                state: after.state.name(),
                reason: step.reason.to_string(),
            });
        }
        let next = after.state.due().filter(|next| begins || Some(*next) != due);
        let (rule, new_place) = (after.rule.clone(), Place::of(after));
        let (is_rollup, rolled) = (after.is_rollup(), is_rolled(after));
        if let Some(next) = next {
            self.plan(next, Job::Timer(index));
        }
        if opens && !is_rollup {
            self.opened.push((rule, self.now));
        }
        let differs = match rolled {
            true => self.rolled.insert(index),
            false => self.rolled.remove(&index),
        };
        if differs {
            self.plan_release();
        }
        self.change_place(index, place, new_place);
        for action in step.actions {
            self.plan(action.due, Job::Act(index, action));
        }
    }

    /// The life that an incident goes on with, or a new one.
    fn life_of(&mut self, incident: &Incident) -> usize {
        if let Some(index) = self.newest.get(&incident.key)
            && self.lives.get(*index).is_some_and(|life| life.incident.id == incident.id)
        {
            return *index;
        }
        let index = self.lives.len();
        let identity = self.playbook.identity(incident);
        self.lives.push(Life {
            incident: Incident { members: BTreeMap::new(), ..incident.clone() },
            identity,
            moments: Vec::new(),
            deeds: Vec::new(),
        });
        self.newest.insert(incident.key.clone(), index);
        index
    }

    fn plan(&mut self, due: Timestamp, job: Job) {
        self.jobs += 1;
        self.agenda.insert((due, self.jobs), job);
    }

    /// Has the vendor do what an action asks for.
    fn act(&mut self, index: usize, action: &NewAction) {
        let Some(life) = self.lives.get(index) else { return };
        let incident = &life.incident;
        let (mut opened, rank) = (None, incident.rank);
        let said = if action.kind == ActionKind::Open {
            match self.draft(life) {
                Ok(drafted) => {
                    self.cases += 1;
                    let case = CaseId::new(format!("F-{:06}", self.cases));
                    opened = Some(OpenedCase {
                        whole_description: drafted.draft.whole_description.clone(),
                        files: drafted.draft.files.clone(),
                        as_of: drafted.draft.as_of,
                        ..OpenedCase::only(case.clone())
                    });
                    Said::Case { case, drafted: Box::new(drafted) }
                }
                Err(why) => Said::Nothing { why: why.to_string() },
            }
        } else {
            say(&self.playbook, incident, action, self.now)
        };
        let deed = Deed { at: self.now, kind: action.kind.name(), rank, said };
        if let Some(life) = self.lives.get_mut(index) {
            life.deeds.push(deed);
        }
        if let Some(opened) = opened {
            self.happen(index, &Event::CaseOpened(&opened));
        }
    }
}

/// What an action on a case that exists says.
fn say(playbook: &Playbook, incident: &Incident, action: &NewAction, now: Timestamp) -> Said {
    if action.kind == ActionKind::Recheck {
        return Said::Text(String::new());
    }
    let action = Action {
        id: ActionId { incident: incident.id.clone(), seq: action.seq },
        vendor: incident.vendor.clone(),
        kind: action.kind.clone(),
        rank: incident.rank,
        state: ActionState::Leased,
        phase: Phase::Send,
        attempts: 0,
        first_sent_at: None,
        due_at: action.due,
        created_at: now,
        revived_at: None,
        blocked_at: None,
        message: None,
    };
    let bare = |text: &str, token: &str| text.trim_end_matches(token).trim_end().to_owned();
    match drafting::operation_on_case(playbook, incident, &action, now) {
        Ok(Operation::Comment { text, token, .. } | Operation::Close { text, token, .. }) => {
            Said::Text(bare(&text, &token))
        }
        Ok(Operation::Attach { content, .. }) => {
            Said::Text(String::from_utf8_lossy(&content).into_owned())
        }
        Ok(Operation::Contacts { also_notify, alternate_contact, .. }) => {
            Said::Contacts { also_notify, alternate_contact }
        }
        Ok(Operation::Open(_)) => Said::Nothing { why: "an open action on a case".to_owned() },
        Err(why) => Said::Nothing { why: why.to_string() },
    }
}

#[cfg(test)]
mod tests;
