//! How far the vendor's clock is from ours, by what its answers say: pure, the time is an argument.
//!
//! Signatures are good for 30 seconds either way, so a clock that is off locks us out. Every answer
//! has a `Date`, and a refusal of a signature's time has a time of its own. *Invariant*: no time
//! that the vendor tells can lock us out for good. What was refused is not tried again before
//! everything else was: the refusal's own time, its `Date`, and our clock as it is.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// How many measurements count.
const KEPT: usize = 5;
/// A measurement or a refusal that is older says nothing any more.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// Less is noise: `Date` has whole seconds, and the network takes its time.
const WORTH_IT: SignedDuration = SignedDuration::from_secs(2);
/// An exchange that took longer measures too badly.
const LONGEST_EXCHANGE: SignedDuration = SignedDuration::from_secs(10);
/// A time this close to one that was refused would be refused as well.
const SAME: SignedDuration = SignedDuration::from_secs(5);
/// `Date` is cut to the second, so on average the true time is half a second later.
const HALF_SECOND: SignedDuration = SignedDuration::from_millis(500);

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    /// When, on our clock.
    at: Timestamp,
    /// Their clock minus ours.
    skew: SignedDuration,
}

impl Sample {
    /// Also not from the future: then our clock was set back since.
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        !age.is_negative() && age <= FRESH
    }
}

/// What is known of the vendor's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew {
    /// Oldest first.
    samples: VecDeque<Sample>,
    /// What counts instead of the measurements after they were contradicted by a refusal.
    settled: Option<Sample>,
    /// The corrections that were refused since one was last accepted.
    refused: Vec<SignedDuration>,
}

impl Skew {
    /// An answer came for a request whose time was accepted.
    pub(super) fn answered(
        &mut self,
        sent: Timestamp,
        received: Timestamp,
        date: Option<Timestamp>,
    ) {
        self.refused.clear();
        let took = received.duration_since(sent);
        // Backwards or endless: our clock was moved meanwhile.
        if took.is_negative() || took > LONGEST_EXCHANGE {
            return;
        }
        let Some(date) = date else { return };
        let middle = sent.checked_add(took.checked_div(2).unwrap_or_default()).unwrap_or(sent);
        let skew = date.duration_since(middle).saturating_add(HALF_SECOND);
        self.samples.retain(|sample| sample.is_fresh(received));
        // A clock jumped if two in a row agree with each other and not with what was known; one
        // alone may be a lie.
        if let (Some(last), Some(known)) = (self.samples.back().copied(), self.median(received))
            && close(last.skew, skew, WORTH_IT)
            && !close(known, skew, WORTH_IT)
        {
            self.samples.clear();
            self.samples.push_back(last);
        }
        self.samples.push_back(Sample { at: received, skew });
        while self.samples.len() > KEPT {
            self.samples.pop_front();
        }
    }

    /// A signature's time, with the correction `tried`, was refused. `told` are the times that the
    /// refusal tells, the one to be believed most first. Returns whether there is another
    /// correction to try; it is then the one that counts.
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        tried: SignedDuration,
        told: &[Option<Timestamp>],
    ) -> bool {
        self.refused.push(tried);
        self.samples.clear();
        self.settled = None;
        let told = told.iter().flatten().map(|time| {
            let skew = time.duration_since(now).saturating_add(HALF_SECOND);
            (skew, true)
        });
        let next = told
            .chain([(SignedDuration::ZERO, false)])
            .find(|(skew, _)| !self.refused.iter().any(|refused| close(*refused, *skew, SAME)));
        let Some((skew, measured)) = next else {
            // Everything was tried. It begins anew, from our own clock.
            self.refused.clear();
            return false;
        };
        let sample = Sample { at: now, skew };
        // A correction came of measurements. If it was wrong they were, so for a while they do
        // not count.
        if self.refused.iter().any(|refused| *refused != SignedDuration::ZERO) {
            self.settled = Some(sample);
        } else if measured {
            self.samples.push_back(sample);
        }
        true
    }

    /// Their clock minus ours, if it was measured lately.
    pub(super) fn measured(&self, now: Timestamp) -> Option<SignedDuration> {
        let settled = self.settled.filter(|sample| sample.is_fresh(now));
        settled.map(|sample| sample.skew).or_else(|| self.median(now))
    }

    /// What is to be added to our time before it is signed.
    pub(super) fn correction(&self, now: Timestamp) -> SignedDuration {
        self.measured(now).filter(|skew| skew.abs() >= WORTH_IT).unwrap_or_default()
    }

    /// Of two in the middle the smaller one: to correct too little is the lesser evil.
    fn median(&self, now: Timestamp) -> Option<SignedDuration> {
        let fresh = self.samples.iter().filter(|sample| sample.is_fresh(now));
        let mut skews: Vec<SignedDuration> = fresh.map(|sample| sample.skew).collect();
        skews.sort_unstable();
        let upper = skews.len() / 2;
        let lower = skews.len().checked_sub(1)? / 2;
        [skews.get(lower)?, skews.get(upper)?].into_iter().min_by_key(|skew| skew.abs()).copied()
    }
}

fn close(a: SignedDuration, b: SignedDuration, by: SignedDuration) -> bool {
    a.saturating_sub(b).abs() < by
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::testing::{T0, at};

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    /// An exchange at second `now` of our clock with a vendor whose clock is `ahead`.
    fn exchange(skew: &mut Skew, now: i64, ahead: i64) {
        skew.answered(at(now), at(now), Some(at(now + ahead)));
    }

    fn correction(skew: &Skew, now: i64) -> i64 {
        skew.correction(at(now)).as_secs()
    }

    #[test]
    fn the_middle_of_the_exchange_is_compared_with_the_middle_of_the_second() {
        let mut skew = Skew::default();
        skew.answered(T0, at(4), Some(at(12)));
        assert_eq!(skew.measured(at(4)), Some(SignedDuration::from_millis(10_500)));
        let mut slow = Skew::default();
        slow.answered(T0, at(11), Some(at(60)));
        slow.answered(at(11), T0, Some(at(60)));
        slow.answered(T0, at(1), None);
        assert_eq!(slow.measured(at(11)), None);
    }

    #[test]
    fn less_than_two_seconds_are_measured_and_not_corrected() {
        for (ahead, corrected) in [(0, 0), (1, 0), (2, 2), (-2, 0), (-3, -2)] {
            let mut skew = Skew::default();
            exchange(&mut skew, 0, ahead);
            assert_eq!(correction(&skew, 0), corrected, "{ahead}");
            assert!(skew.measured(T0).is_some());
        }
    }

    #[test]
    fn one_lie_among_truths_does_not_count_and_a_jump_counts_at_its_second_answer() {
        let mut skew = Skew::default();
        for now in 0..5 {
            exchange(&mut skew, now, 20);
        }
        exchange(&mut skew, 5, 5000);
        assert_eq!(correction(&skew, 5), 20);
        exchange(&mut skew, 6, 20);
        exchange(&mut skew, 7, -40);
        assert_eq!(correction(&skew, 7), 20);
        exchange(&mut skew, 8, -40);
        assert_eq!(correction(&skew, 8), -39);
    }

    #[test]
    fn measurements_age_and_do_not_survive_a_clock_that_is_set_back() {
        let mut skew = Skew::default();
        exchange(&mut skew, 0, 20);
        assert_eq!(correction(&skew, 600), 20);
        assert_eq!(correction(&skew, 601), 0);
        assert_eq!(skew.measured(at(601)), None);
        assert_eq!(skew.measured(at(-1)), None);
    }

    #[test]
    fn after_a_refusal_its_own_time_counts_alone() {
        let mut skew = Skew::default();
        for now in 0..5 {
            exchange(&mut skew, now, 20);
        }
        assert!(skew.refused(at(5), skew.correction(at(5)), &[Some(at(305)), Some(at(25))]));
        assert_eq!(correction(&skew, 5), 300);
        // The dates go on lying.
        for now in 6..100 {
            exchange(&mut skew, now, 20);
            assert_eq!(correction(&skew, now), 300);
        }
    }

    #[test]
    fn what_was_refused_is_tried_again_only_after_everything_else() {
        let mut skew = Skew::default();
        let told = [Some(at(1000)), Some(at(-1000))];
        let mut tried = Vec::new();
        for _ in 0..3 {
            tried.push(correction(&skew, 0));
            skew.refused(T0, skew.correction(T0), &told);
        }
        assert_eq!(tried, [0, 1000, -999]);
        // And from the beginning.
        assert_eq!(correction(&skew, 0), 0);
        assert!(skew.refused(T0, seconds(0), &told));
        assert!(!Skew::default().refused(T0, seconds(0), &[None, None]));
        let mut corrected = Skew::default();
        exchange(&mut corrected, 0, 40);
        assert!(corrected.refused(T0, corrected.correction(T0), &[None, None]));
        assert_eq!(correction(&corrected, 0), 0);
    }

    proptest! {
        /// Whatever dates came before, and whichever of the refusal's times lies: as long as one
        /// of requestTime, Date and our own clock is right, some of the next calls get through.
        #[test]
        fn no_lie_locks_us_out_for_good(
            truth in -100_000i64..100_000,
            lie in -100_000i64..100_000,
            honest in 0usize..3,
            dates in prop::collection::vec(-100_000i64..100_000, 0..12),
        ) {
            let truth = if honest == 2 { 0 } else { truth };
            let mut skew = Skew::default();
            let mut now = 0;
            for date in dates {
                exchange(&mut skew, now, date);
                now += 1;
            }
            let mut through = false;
            for _ in 0..6 {
                let tried = skew.correction(at(now));
                if (tried.as_secs() - truth).abs() <= 25 {
                    through = true;
                    break;
                }
                let mut told = [Some(at(now + lie)), Some(at(now + lie))];
                if let Some(time) = told.get_mut(honest) {
                    *time = Some(at(now + truth));
                }
                skew.refused(at(now), tried, &told);
                now += 1;
            }
            prop_assert!(through);
        }

        /// Whatever was measured: five honest answers make it right.
        #[test]
        fn any_past_is_forgotten_within_a_few_answers(
            past in prop::collection::vec((-2_000i64..6_000, -100_000i64..100_000), 0..12),
            truth in -100_000i64..100_000,
        ) {
            let mut skew = Skew::default();
            for (now, ahead) in past {
                exchange(&mut skew, now, ahead);
            }
            for now in 3_000..3_005 {
                exchange(&mut skew, now, truth);
            }
            let measured = skew.measured(at(3_004)).unwrap();
            prop_assert!(close(measured, seconds(truth), seconds(2)));
        }
    }
}
