//! The storm guard: how many cases may be opened, and what else keeps one from being opened now.
//!
//! Pure. Budgets glide: what counts is how many cases were opened within the last `per`. Whoever is
//! over budget is held and let go later, worst and oldest first.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::ids::RuleName;
use super::incident::{Hold, Incident, State};
use super::lifecycle::{Reason, Step};
use super::mute::{Mute, Mutes};
use super::policy::{Limit, OpenMode, Overflow, Policy};
use crate::time::duration::format as in_words;
use crate::time::{earlier, later};

/// How often it is looked whether the case budgets have room for what waits.
pub const RELEASE_EVERY: Duration = Duration::from_secs(5);

/// How many incidents of one rule are let go in one go.
pub const RELEASES: u32 = 16;

/// What was opened lately, what waits, and what people have muted: as much as a decision about one
/// more case needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// By which rule a case was opened, or is being opened, and when that was decided.
    opened: Vec<(RuleName, Timestamp)>,
    /// How many incidents of each rule wait for the budget.
    waiting: BTreeMap<RuleName, u32>,
    mutes: Vec<Mute>,
}

impl Usage {
    /// More openings than this are not counted: no budget is larger.
    pub const COUNTED: u32 = 10_000;

    /// Notes an opening. Those of roll-ups do not count: they are for what the budget has no room for.
    pub fn opens(&mut self, rule: RuleName, at: Timestamp) {
        self.opened.push((rule, at));
    }

    /// Notes the mutes that people have made.
    pub fn muted_by(&mut self, mutes: Vec<Mute>) {
        self.mutes = mutes;
    }

    /// The mutes that people have made.
    pub fn mutes(&self) -> &[Mute] {
        &self.mutes
    }

    /// Notes that so many more incidents of a rule wait for the budget.
    pub fn wait(&mut self, rule: RuleName, more: u32) {
        let count = self.waiting.entry(rule).or_default();
        *count = count.saturating_add(more);
    }

    /// Takes a decision into account that has been made.
    pub fn follow(&mut self, step: &Step) {
        let Some(incident) = step.incident.as_ref().filter(|_| step.changed) else { return };
        if step.opens() && !incident.is_rollup() {
            self.opens(incident.rule.clone(), incident.updated_at);
        } else if matches!(step.reason, Reason::Holds(Hold::Budget, _)) {
            self.wait(incident.rule.clone(), 1);
        }
    }

    /// How many were opened after `since`, and when the first of them was; of one rule or of all.
    fn count(&self, rule: Option<&RuleName>, since: Timestamp) -> (u32, Option<Timestamp>) {
        let counted = self
            .opened
            .iter()
            .filter(|(opened, at)| *at > since && rule.is_none_or(|rule| rule == opened));
        let (mut count, mut first) = (0_u32, None::<Timestamp>);
        for (_, at) in counted {
            count = count.saturating_add(1);
            first = Some(first.map_or(*at, |first| first.min(*at)));
        }
        (count, first)
    }

    fn waiting(&self, rule: &RuleName) -> u32 {
        self.waiting.get(rule).copied().unwrap_or(0)
    }
}

/// The budgets that count for a rule.
#[derive(Clone, Copy)]
pub struct Budgets<'a> {
    /// The rule.
    pub rule: &'a RuleName,
    /// That of all rules together.
    pub total: Option<&'a Limit>,
    /// The own budget of any rule, this one among them.
    pub of_rule: &'a dyn Fn(&RuleName) -> Option<Limit>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A newcomer, who stands in line behind those that wait.
    Newcomer,
    /// The first of those that wait.
    First,
}

impl Turn {
    /// Of an incident whose time has come. Those that wait for the budget are asked in their order.
    pub fn of(incident: &Incident) -> Self {
        match incident.state {
            State::Held { hold: Hold::Budget, .. } => Self::First,
            _ => Self::Newcomer,
        }
    }
}

impl Budgets<'_> {
    /// How many of those that wait could take a place of the budget of all rules: whoever waits for
    /// the budget of its own rule cannot.
    fn ahead_of_all(&self, usage: &Usage, now: Timestamp) -> u32 {
        let ahead = usage.waiting.iter().map(|(rule, waiting)| match (self.of_rule)(rule) {
            Some(limit) => {
                let (used, _) = usage.count(Some(rule), earlier(now, limit.per));
                limit.cases.saturating_sub(used).min(*waiting)
            }
            None => *waiting,
        });
        ahead.fold(0, u32::saturating_add)
    }

    /// Why no case may be opened now; `None` if one may.
    pub fn exceeded(&self, usage: &Usage, turn: Turn, now: Timestamp) -> Option<Exceeded> {
        let check = |limit: &Limit, rule: Option<&RuleName>| {
            let (used, first) = usage.count(rule, earlier(now, limit.per));
            let whose = rule.map_or("all rules together".to_owned(), |rule| format!("rule {rule}"));
            let share = format!(
                "{used} of {} cases in {} used by {whose}",
                limit.cases,
                in_words(limit.per)
            );
            if used >= limit.cases {
                let frees = first.map(|first| later(first, limit.per));
                return Some(Exceeded { why: share, frees, overflow: limit.overflow });
            }
            let ahead = match rule {
                Some(rule) => usage.waiting(rule),
                None => self.ahead_of_all(usage, now),
            };
            let left = limit.cases.saturating_sub(used);
            (turn == Turn::Newcomer && ahead >= left).then(|| Exceeded {
                why: format!("{share}, and {ahead} incidents wait already"),
                frees: Some(now),
                overflow: limit.overflow,
            })
        };
        let own = (self.of_rule)(self.rule);
        let own = own.and_then(|limit| check(&limit, Some(self.rule)));
        own.or_else(|| self.total.and_then(|limit| check(limit, None)))
    }
}

/// A budget that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// In words.
    pub why: String,
    /// When there is room again, if nothing else takes it.
    pub frees: Option<Timestamp>,
    /// What happens to what is over it.
    pub overflow: Overflow,
}

/// What keeps a case from being opened now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restraint {
    /// What kind of thing it is.
    pub hold: Hold,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// In words: `3 of 3 cases in 1h used by rule edge-5xx`.
    pub why: String,
}

impl Restraint {
    /// What keeps a rule's case from being opened now: that it is only tried out, a mute, a person
    /// who has to approve, and the budgets; in this order, so that a person is not asked at night
    /// about what is muted, and what needs no budget takes none.
    pub fn of(
        policy: &Policy,
        mutes: &Mutes<'_>,
        budgets: &Budgets<'_>,
        usage: &Usage,
        turn: Turn,
        now: Timestamp,
    ) -> Option<Self> {
        let restrained = |hold, why: &str| Some(Self { hold, until: None, why: why.to_owned() });
        if policy.open_mode == OpenMode::Shadow {
            return restrained(Hold::Shadow, "the rule is in shadow mode");
        }
        if let Some(muted) = mutes.restraint(now) {
            return Some(muted);
        }
        if policy.open_mode == OpenMode::Approve {
            return restrained(Hold::Approval, "a person has to approve it");
        }
        let Exceeded { why, overflow, .. } = budgets.exceeded(usage, turn, now)?;
        match overflow {
            Overflow::Hold => restrained(Hold::Budget, &why),
            Overflow::Rollup => {
                restrained(Hold::Rollup, &format!("{why}; the case of the roll-up stands for it"))
            }
        }
    }
}
