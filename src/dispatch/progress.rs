//! What follows from an outcome: the rules by which one incident gets one case.
//!
//! Pure. The promise that an ambiguous outcome is never simply repeated is kept here: from
//! [`Outcome::Unknown`] the only way is to look, and the only way from looking back to sending is
//! that every look, over the whole settle window, has read the vendor's records and found
//! nothing.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::action::ActionKind;
use crate::domain::backoff::Retry;
use crate::domain::gate::Sign;
use crate::domain::lifecycle::OpenedCase;
use crate::domain::pace::{Reconcile, WhenNotFound};
use crate::store::{Action, Phase, Progress};
use crate::time::{between, later};
use crate::vendors::{Look, Obstacle, Outcome};

/// When to look for the time after `looks` looks in vain. The first look comes early, because most
/// often the answer is there at once; the last at the end of the window.
fn next_look(reconcile: &Reconcile, unknown_since: Timestamp, looks: u32) -> Timestamp {
    let total = f64::from(reconcile.looks.max(1));
    let share = (f64::from(looks.saturating_add(1)) / total).min(1.0);
    later(unknown_since, reconcile.window.mul_f64(share * share))
}

/// What an outcome is judged with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The action as it was claimed.
    pub action: &'a Action,
    /// When and for how long to try again.
    pub retry: &'a Retry,
    /// How to look.
    pub reconcile: &'a Reconcile,
    /// What follows when all looks have found nothing: the rule's wish, or else the vendor's.
    pub when_not_found: WhenNotFound,
    /// The time.
    pub now: Timestamp,
    /// A random number in `0.0..1.0`, for the jitter.
    pub unit: f64,
}

/// What an outcome means for the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing (yet).
    None,
    /// Its case exists.
    Opened(OpenedCase),
    /// Its case could not be opened.
    OpenFailed,
    /// The comment is told in these parts, each by an action of its own.
    InParts(Vec<String>),
}

/// What an outcome means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of the action.
    pub progress: Progress,
    /// What follows for the incident.
    pub consequence: Consequence,
    /// What it says about the vendor, if anything.
    pub sign: Option<Sign>,
    /// Something that a person should know of, as a word for a metric.
    pub alarm: Option<&'static str>,
}

/// An action of a vendor that does not accept who we are is tried again this seldom.
const DENIED_PAUSE: Duration = Duration::from_secs(60);

impl Judge<'_> {
    /// Judges the outcome of a send.
    pub fn sent(&self, outcome: &Outcome) -> Judgement {
        match outcome {
            Outcome::Done { case, .. } => {
                self.done(OpenedCase::only(case.clone())).with(Sign::Good)
            }
            Outcome::Refused(_) => self.dead("refused").with(Sign::Good),
            Outcome::NotSent(_) => self.again(self.backoff(None)).with(Sign::Bad),
            Outcome::Denied(_) => self.denied(),
            Outcome::Throttled { retry_after, .. } => {
                let due = self.backoff(*retry_after);
                self.again(due).with(Sign::Pause(due))
            }
            Outcome::Unknown(_) => {
                let phase = Phase::Look { looks: 0, unknown_since: self.now };
                self.next(phase, next_look(self.reconcile, self.now, 0)).with(Sign::Bad)
            }
        }
    }

    /// Judges what a look has found.
    pub fn looked(&self, looks: u32, unknown_since: Timestamp, look: &Look) -> Judgement {
        match look {
            // A second case may be listed late: that the first is there proves nothing.
            Look::Found { .. } if self.action.kind == ActionKind::Recheck => {
                self.looked_in_vain(looks, unknown_since).with(Sign::Good)
            }
            Look::Found { case, .. } => self.done(OpenedCase::only(case.clone())).with(Sign::Good),
            Look::Absent(_) => self.looked_in_vain(looks, unknown_since).with(Sign::Good),
            Look::Several { cases, .. } => {
                // The oldest is the one that the vendor's people have worked on longest.
                let Some((case, duplicates)) = cases.split_first() else {
                    return self.looked_in_vain(looks, unknown_since);
                };
                let opened = OpenedCase {
                    duplicates: duplicates.to_vec(),
                    ..OpenedCase::only(case.clone())
                };
                let done = Judgement { alarm: Some("several_cases"), ..self.done(opened) };
                done.with(Sign::Good)
            }
            Look::Failed { retry_after, obstacle, .. } => {
                let phase = Phase::Look { looks, unknown_since };
                let denied = *obstacle == Obstacle::Denied;
                let wait = if denied { Some(DENIED_PAUSE) } else { *retry_after };
                let due = self.patient(unknown_since, wait);
                let judgement = if self.is_too_old(due) {
                    self.dead("never_proved")
                } else {
                    self.next(phase, due)
                };
                judgement.with(match (obstacle, retry_after) {
                    (Obstacle::Denied, _) => Sign::Denied,
                    (Obstacle::Vendor | Obstacle::Record, Some(_)) => Sign::Pause(due),
                    (Obstacle::Vendor, None) => Sign::Bad,
                    // The vendor has answered: one strange record must not hold up the others.
                    (Obstacle::Record, None) => Sign::Good,
                })
            }
        }
    }

    /// A look has read everything and found nothing new.
    fn looked_in_vain(&self, looks: u32, unknown_since: Timestamp) -> Judgement {
        let looks = looks.saturating_add(1);
        let settled = self.now >= later(unknown_since, self.reconcile.window);
        if looks >= self.reconcile.looks && settled {
            return match (&self.action.kind, self.when_not_found) {
                (ActionKind::Recheck, _) => self.finished(Progress::Done, Consequence::None),
                (_, WhenNotFound::Retry) => self.next(Phase::Send, self.now),
                (_, WhenNotFound::Hold) => Judgement {
                    alarm: Some("held"),
                    ..self.finished(Progress::Held, Consequence::None)
                },
            };
        }
        // A window that is longer than the looks need is waited for all the same, and a clock that
        // was set forward must not make all looks fall into one moment.
        let planned = next_look(self.reconcile, unknown_since, looks);
        let before = next_look(self.reconcile, unknown_since, looks.saturating_sub(1));
        let due = planned.max(later(self.now, between(before, planned)));
        self.next(Phase::Look { looks, unknown_since }, due)
    }

    /// Judges what could not be made ready now: nothing was sent.
    pub fn unprepared(&self, trouble: Trouble) -> Judgement {
        let due = match trouble {
            Trouble::Denied => return self.denied(),
            Trouble::Vendor { retry_after } => self.patient(self.action.tried_since(), retry_after),
            Trouble::Ours | Trouble::Files => self.patient(self.action.tried_since(), None),
        };
        let sign = match trouble {
            Trouble::Vendor { retry_after: Some(_) } => Some(Sign::Pause(due)),
            Trouble::Vendor { retry_after: None } => Some(Sign::Bad),
            Trouble::Ours | Trouble::Files | Trouble::Denied => None,
        };
        let judgement = match trouble {
            Trouble::Files if !self.is_too_old(due) => {
                self.finished(Progress::Blocked { due }, Consequence::None)
            }
            _ => self.again(due),
        };
        // A file that is not there yet keeps no case from being opened.
        let is_file = matches!(self.action.kind, ActionKind::Attach(_));
        // Told when it begins to wait for a person, and not at every try.
        let is_known = trouble == Trouble::Files && self.action.is_blocked();
        let alarm = if is_file || is_known { None } else { Some("unprepared") };
        Judgement { alarm: judgement.alarm.or(alarm), sign, ..judgement }
    }

    /// Judges an action that can never be sent.
    pub fn hopeless(&self) -> Judgement {
        self.dead("hopeless")
    }

    /// Judges something that may have been done, and of which it is not known any more what it was:
    /// it must neither be sent nor be looked for.
    pub fn cannot_look(&self) -> Judgement {
        match self.action.kind {
            // Its case is there; that there is no second one cannot be proved.
            ActionKind::Recheck => self.dead("never_proved"),
            _ => Judgement {
                alarm: Some("held"),
                ..self.finished(Progress::Held, Consequence::None)
            },
        }
    }

    /// Does without it: it is not wanted any more, and was never sent.
    pub fn moot(&self) -> Judgement {
        self.finished(Progress::Done, Consequence::None)
    }

    /// Does without it: it is told by others, part by part.
    pub fn in_parts(&self, parts: Vec<String>) -> Judgement {
        self.finished(Progress::Done, Consequence::InParts(parts))
    }

    /// Sends at once: nothing is known to be in the way any more.
    pub fn at_once(&self) -> Judgement {
        self.next(Phase::Send, self.now)
    }

    /// Looks at once: for what cannot be sent.
    pub fn looks_at_once(&self) -> Judgement {
        self.next(Phase::Look { looks: 0, unknown_since: self.now }, self.now)
    }

    fn done(&self, opened: OpenedCase) -> Judgement {
        let consequence = match self.action.kind {
            ActionKind::Open | ActionKind::Recheck => Consequence::Opened(opened),
            _ => Consequence::None,
        };
        self.finished(Progress::Done, consequence)
    }

    fn dead(&self, why: &'static str) -> Judgement {
        let consequence = match self.action.kind {
            ActionKind::Open => Consequence::OpenFailed,
            _ => Consequence::None,
        };
        Judgement { alarm: Some(why), ..self.finished(Progress::Dead, consequence) }
    }

    fn denied(&self) -> Judgement {
        self.again(self.backoff(Some(DENIED_PAUSE))).with(Sign::Denied)
    }

    fn finished(&self, progress: Progress, consequence: Consequence) -> Judgement {
        Judgement { progress, consequence, sign: None, alarm: None }
    }

    /// Sends again at `due`, unless the action is then too old.
    fn again(&self, due: Timestamp) -> Judgement {
        if self.is_too_old(due) { self.dead("too_old") } else { self.next(Phase::Send, due) }
    }

    fn next(&self, phase: Phase, due: Timestamp) -> Judgement {
        Judgement {
            progress: Progress::Next { phase, due },
            consequence: Consequence::None,
            sign: None,
            alarm: None,
        }
    }

    fn is_too_old(&self, due: Timestamp) -> bool {
        due > later(self.action.tried_since(), self.retry.horizon)
    }

    /// Like [`Self::backoff`], for what is not counted as attempts: waits as long as it has waited
    /// already.
    fn patient(&self, since: Timestamp, retry_after: Option<Duration>) -> Timestamp {
        let waited = between(since, self.now).as_secs_f64();
        let doublings = (waited / self.retry.initial.as_secs_f64()).max(1.0).log2().ceil();
        // A float-to-integer cast saturates; the exponent is at most a few dozen anyway.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let steps = (doublings as u32).saturating_add(1);
        later(self.now, self.retry.delay(steps, retry_after, self.unit))
    }

    fn backoff(&self, retry_after: Option<Duration>) -> Timestamp {
        let attempts = self.action.attempts.saturating_add(1);
        later(self.now, self.retry.delay(attempts, retry_after, self.unit))
    }
}

impl Judgement {
    fn with(self, sign: Sign) -> Self {
        Self { sign: Some(sign), ..self }
    }
}

/// Whose trouble it is that something could not be made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Ours, and it passes.
    Ours,
    /// What it is made of: a rule, a template, a name that the vendor does not offer. A person has to
    /// mend it.
    Files,
    /// The vendor's.
    Vendor {
        /// How long it wants to be left alone, if it said so.
        retry_after: Option<Duration>,
    },
    /// The vendor does not accept who we are.
    Denied,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ActionId, IncidentId};
    use crate::domain::severity::Rank;
    use crate::domain::testing::{T0, at};
    use crate::store::ActionState;
    use crate::vendors::Evidence;
    use proptest::prelude::*;

    fn action(kind: ActionKind) -> Action {
        Action {
            id: ActionId { incident: IncidentId::from_stored("i"), seq: 1 },
            vendor: "akamai".into(),
            kind,
            rank: Rank::WORST,
            state: ActionState::Leased,
            phase: Phase::Send,
            attempts: 0,
            first_sent_at: None,
            due_at: T0,
            created_at: T0,
            revived_at: None,
            blocked_at: None,
            message: None,
        }
    }

    fn judge<'a>(action: &'a Action, retry: &'a Retry, reconcile: &'a Reconcile) -> Judge<'a> {
        let when_not_found = WhenNotFound::Retry;
        Judge { action, retry, reconcile, when_not_found, now: T0, unit: 0.5 }
    }

    fn outcomes() -> Vec<Outcome> {
        let e = Evidence::default;
        vec![
            Outcome::Done { case: "F-1".into(), evidence: e() },
            Outcome::Refused(e()),
            Outcome::NotSent(e()),
            Outcome::Denied(e()),
            Outcome::Throttled { retry_after: Some(Duration::from_secs(30)), evidence: e() },
            Outcome::Unknown(e()),
        ]
    }

    #[test]
    fn only_an_unknown_outcome_leads_to_looking_and_it_never_leads_to_sending() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        for outcome in outcomes() {
            let judgement = judge(&action, &retry, &reconcile).sent(&outcome);
            let looks =
                matches!(judgement.progress, Progress::Next { phase: Phase::Look { .. }, .. });
            assert_eq!(looks, outcome.name() == "unknown", "{outcome:?}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_right_says_nothing_against_the_vendor() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Close);
        let look = |obstacle| {
            let look = Look::Failed { retry_after: None, obstacle, evidence: Evidence::default() };
            judge(&action, &retry, &reconcile).looked(0, T0, &look)
        };
        assert_eq!(look(Obstacle::Record).sign, Some(Sign::Good));
        assert_eq!(look(Obstacle::Vendor).sign, Some(Sign::Bad));
        assert_eq!(look(Obstacle::Denied).sign, Some(Sign::Denied));
        let still_looks = look(Obstacle::Record).progress;
        assert!(matches!(still_looks, Progress::Next { phase: Phase::Look { .. }, .. }));
    }

    #[test]
    fn what_is_not_on_record_any_more_is_neither_sent_nor_looked_for() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let judged = |kind| judge(&action(kind), &retry, &reconcile).cannot_look();
        assert_eq!(judged(ActionKind::Open).progress, Progress::Held);
        assert_eq!(judged(ActionKind::Recheck).progress, Progress::Dead);
    }

    #[test]
    fn a_refused_open_fails_the_incident_and_a_refused_comment_does_not() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let refused = Outcome::Refused(Evidence::default());
        let open = judge(&action(ActionKind::Open), &retry, &reconcile).sent(&refused);
        assert_eq!(open.consequence, Consequence::OpenFailed);
        let close = judge(&action(ActionKind::Close), &retry, &reconcile).sent(&refused);
        assert_eq!((close.progress, close.consequence), (Progress::Dead, Consequence::None));
    }

    #[test]
    fn it_is_sent_again_only_after_all_looks_over_the_whole_window_found_nothing() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let absent = Look::Absent(Evidence::default());
        let mut judge = judge(&action, &retry, &reconcile);
        let Progress::Next { phase: Phase::Look { mut looks, unknown_since }, mut due } =
            judge.sent(&Outcome::Unknown(Evidence::default())).progress
        else {
            panic!("does not look");
        };
        let mut looked_at = Vec::new();
        let sent_at = loop {
            judge.now = due;
            looked_at.push(due.duration_since(T0).as_secs());
            match judge.looked(looks, unknown_since, &absent).progress {
                Progress::Next { phase: Phase::Look { looks: more, .. }, due: next } => {
                    (looks, due) = (more, next);
                }
                Progress::Next { phase: Phase::Send, due } => break due,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(looked_at, [13, 53, 120]);
        assert_eq!(sent_at, at(120));
    }

    #[test]
    fn a_clock_that_jumps_forward_does_not_make_all_looks_fall_into_one_moment() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let absent = Look::Absent(Evidence::default());
        let mut judge = judge(&action, &retry, &reconcile);
        judge.now = at(3600); // Unknown since T0, an hour ago by a clock that has just been set.
        let mut dues = Vec::new();
        for looks in 0..2 {
            let judgement = judge.looked(looks, T0, &absent);
            let Progress::Next { phase: Phase::Look { .. }, due } = judgement.progress else {
                panic!("{judgement:?}");
            };
            judge.now = due;
            dues.push(due.duration_since(at(3600)).as_secs());
        }
        assert_eq!(dues, [40, 106]);
        let last = judge.looked(2, T0, &absent).progress;
        assert!(matches!(last, Progress::Next { phase: Phase::Send, .. }));
    }

    #[test]
    fn looks_that_were_made_too_fast_do_not_shorten_the_window() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let mut judge = judge(&action, &retry, &reconcile);
        judge.now = at(5);
        let judgement = judge.looked(7, T0, &Look::Absent(Evidence::default()));
        assert_eq!(
            judgement.progress,
            Progress::Next { phase: Phase::Look { looks: 8, unknown_since: T0 }, due: at(120) }
        );
    }

    #[test]
    fn a_look_that_failed_proves_nothing_and_is_not_counted() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let failed = Look::Failed {
            retry_after: None,
            obstacle: Obstacle::Vendor,
            evidence: Evidence::default(),
        };
        let mut judge = judge(&action, &retry, &reconcile);
        judge.now = at(500);
        let judgement = judge.looked(2, T0, &failed);
        assert!(matches!(
            judgement.progress,
            Progress::Next { phase: Phase::Look { looks: 2, .. }, .. }
        ));
    }

    #[test]
    fn what_cannot_be_prepared_is_asked_for_ever_less_often() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let mut judge = judge(&action, &retry, &reconcile);
        judge.unit = 1.0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let Progress::Next { phase: Phase::Send, due } =
                judge.unprepared(Trouble::Ours).progress
            else {
                panic!("given up");
            };
            waits.push(between(judge.now, due).as_secs());
            judge.now = due;
        }
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]);
    }

    #[test]
    fn what_only_a_person_can_mend_waits_for_one_and_is_tried_again_until_it_is_too_old() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let mut judge = judge(&action, &retry, &reconcile);
        let judgement = judge.unprepared(Trouble::Files);
        assert!(matches!(judgement.progress, Progress::Blocked { due } if due > T0));
        assert_eq!((judgement.alarm, judgement.sign), (Some("unprepared"), None));
        let known = Action { blocked_at: Some(T0), ..action.clone() };
        let judgement = Judge { action: &known, ..judge }.unprepared(Trouble::Files);
        assert_eq!(judgement.alarm, None, "it is told once");
        judge.now = later(T0, retry.horizon);
        let judgement = judge.unprepared(Trouble::Files);
        assert_eq!(judgement.progress, Progress::Dead);
        assert_eq!(judgement.consequence, Consequence::OpenFailed);
    }

    #[test]
    fn of_two_cases_with_one_marker_the_oldest_is_adopted_and_an_alarm_is_raised() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let several = Look::Several {
            cases: vec!["F-1".into(), "F-2".into()],
            evidence: Evidence::default(),
        };
        let judgement = judge(&action, &retry, &reconcile).looked(0, T0, &several);
        assert_eq!(judgement.progress, Progress::Done);
        assert_eq!(judgement.alarm, Some("several_cases"));
        let Consequence::Opened(opened) = judgement.consequence else { panic!("not opened") };
        assert_eq!(opened.case, "F-1".into());
        assert_eq!(opened.duplicates, ["F-2".into()]);
    }

    #[test]
    fn what_was_not_found_is_held_for_a_person_where_the_rule_or_the_vendor_says_so() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let absent = Look::Absent(Evidence::default());
        let action = action(ActionKind::Open);
        let mut judge = judge(&action, &retry, &reconcile);
        judge.when_not_found = WhenNotFound::Hold;
        judge.now = at(119);
        let early = judge.looked(9, T0, &absent);
        assert!(matches!(early.progress, Progress::Next { phase: Phase::Look { .. }, .. }));
        judge.now = at(120);
        let settled = judge.looked(2, T0, &absent);
        assert_eq!((settled.progress, settled.alarm), (Progress::Held, Some("held")));
        assert_eq!(settled.consequence, Consequence::None);
    }

    #[test]
    fn a_recheck_looks_to_the_end_of_the_window_and_never_sends() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Recheck);
        let mut judge = judge(&action, &retry, &reconcile);
        let found = Look::Found { case: "F-1".into(), evidence: Evidence::default() };
        for look in [found, Look::Absent(Evidence::default())] {
            judge.now = T0;
            let first = judge.looked(0, T0, &look).progress;
            assert!(matches!(first, Progress::Next { phase: Phase::Look { looks: 1, .. }, .. }));
            judge.now = at(120);
            let last = judge.looked(2, T0, &look);
            assert_eq!((last.progress, last.consequence), (Progress::Done, Consequence::None));
        }
        let cases = vec!["F-1".into(), "F-2".into()];
        let several = Look::Several { cases, evidence: Evidence::default() };
        let judgement = judge.looked(0, T0, &several);
        assert_eq!(judgement.alarm, Some("several_cases"));
        assert!(matches!(judgement.consequence, Consequence::Opened(_)));
    }

    #[test]
    fn the_horizon_begins_anew_when_a_person_revives_an_action() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let now = later(T0, 2 * retry.horizon);
        let mut action = action(ActionKind::Open);
        action.revived_at = Some(now);
        let mut judge = judge(&action, &retry, &reconcile);
        judge.now = now;
        let judgement = judge.sent(&Outcome::NotSent(Evidence::default()));
        assert!(matches!(judgement.progress, Progress::Next { .. }));
    }

    #[test]
    fn whatever_is_older_than_the_horizon_becomes_a_dead_letter() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        let mut judge = judge(&action, &retry, &reconcile);
        let not_sent = Outcome::NotSent(Evidence::default());
        judge.now = later(T0, retry.horizon - Duration::from_secs(10));
        assert!(matches!(judge.sent(&not_sent).progress, Progress::Next { .. }));
        judge.now = later(T0, retry.horizon);
        let judgement = judge.sent(&not_sent);
        assert_eq!((judgement.progress, judgement.alarm), (Progress::Dead, Some("too_old")));
    }

    #[test]
    fn what_each_outcome_says_about_the_vendor() {
        let (retry, reconcile) = (Retry::default(), Reconcile::default());
        let action = action(ActionKind::Open);
        for outcome in outcomes() {
            let sign = judge(&action, &retry, &reconcile).sent(&outcome).sign;
            match outcome.name() {
                "done" | "refused" => assert_eq!(sign, Some(Sign::Good)),
                "not_sent" | "unknown" => assert_eq!(sign, Some(Sign::Bad)),
                "denied" => assert_eq!(sign, Some(Sign::Denied)),
                "throttled" => {
                    assert!(matches!(sign, Some(Sign::Pause(until)) if until >= at(30)));
                }
                other => panic!("{other}"),
            }
        }
    }

    proptest! {
        /// Over any order of answers, a send never follows an unknown outcome before the window
        /// has passed and enough looks have read the records.
        #[test]
        fn no_blind_repeat(answers in prop::collection::vec((0..3u8, 0..90i64), 1..40)) {
            let (retry, reconcile) = (Retry::default(), Reconcile::default());
            let action = action(ActionKind::Open);
            let mut judge = judge(&action, &retry, &reconcile);
            let (mut looks, mut absent) = (0, 0);
            let mut now = T0;
            for (answer, wait) in answers {
                now = later(now, Duration::from_secs(wait.unsigned_abs()));
                judge.now = now;
                let look = match answer {
                    0 => Look::Failed { retry_after: None, obstacle: Obstacle::Vendor, evidence: Evidence::default() },
                    _ => { absent += 1; Look::Absent(Evidence::default()) }
                };
                match judge.looked(looks, T0, &look).progress {
                    Progress::Next { phase: Phase::Look { looks: more, .. }, .. } => looks = more,
                    Progress::Next { phase: Phase::Send, .. } => {
                        prop_assert!(absent >= reconcile.looks);
                        prop_assert!(now >= later(T0, reconcile.window));
                        break;
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
