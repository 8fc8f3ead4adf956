//! Who may still come in: a bound on the deliveries between authentication and answer that follows
//! how fast the writer is, so that what is admitted is answered soon and the rest is refused now.
//!
//! Never ask for a ticket while a body is still arriving: slow senders would hold them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How long an admitted delivery should wait for the writer at most.
const WAIT: Duration = Duration::from_millis(100);

/// So many are always admitted: a writer that is alone with one command looks slower than it is,
/// because nobody shares the price of its commit.
const AT_LEAST: usize = 32;

/// So many are admitted at most. Below the writer's queue, so that the dispatcher's commands find
/// room when deliveries are refused.
pub(crate) const AT_MOST: usize = 768;

/// How much of the memory of the pace one observation replaces: one part of so many.
const INERTIA: u64 = 8;

/// Counts the deliveries inside and follows the writer's pace.
#[derive(Debug, Default)]
pub struct Admission {
    inside: AtomicUsize,
    /// Recent nanoseconds per command; 0 before the first.
    pace: AtomicU64,
}

/// The right of one delivery to be worked on. Given back when dropped.
#[derive(Debug)]
#[must_use = "dropping it lets the next one in"]
pub struct Ticket(Arc<Admission>);

impl Admission {
    /// A ticket, unless as many are out as the writer answers in time.
    pub fn admit(self: &Arc<Self>) -> Option<Ticket> {
        let bound = self.bound();
        self.inside
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
                (inside < bound).then_some(inside + 1)
            })
            .ok()
            .map(|_| Ticket(self.clone()))
    }

    /// Whether a ticket would be given now.
    pub fn has_room(&self) -> bool {
        self.inside.load(Ordering::Acquire) < self.bound()
    }

    /// The writer has answered so many commands after so long. Only the writer calls this.
    pub fn observe(&self, took: Duration, commands: usize) {
        let Ok(commands) = u64::try_from(commands.max(1)) else { return };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / commands;
        let before = self.pace.load(Ordering::Relaxed);
        self.pace.store(blend(before, nanos), Ordering::Relaxed);
    }

    fn bound(&self) -> usize {
        bound(self.pace.load(Ordering::Relaxed))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The pace after one more observation. The first one counts whole.
fn blend(before: u64, observed: u64) -> u64 {
    match before {
        0 => observed.max(1),
        _ => (before - before / INERTIA).saturating_add(observed / INERTIA).max(1),
    }
}

/// How many commands a writer of that pace gets done within [`WAIT`].
fn bound(nanos_per_command: u64) -> usize {
    let wait = u64::try_from(WAIT.as_nanos()).unwrap_or(u64::MAX);
    let fitting = wait.checked_div(nanos_per_command).unwrap_or(u64::MAX);
    usize::try_from(fitting).unwrap_or(usize::MAX).clamp(AT_LEAST, AT_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(admission: &Arc<Admission>) -> Vec<Ticket> {
        std::iter::from_fn(|| admission.admit()).collect()
    }

    #[test]
    fn the_bound_follows_the_writer_between_its_ends() {
        assert_eq!(bound(0), AT_MOST, "nothing is known yet");
        assert_eq!(bound(10_000), AT_MOST);
        assert_eq!(bound(250_000), 400);
        assert_eq!(bound(1_000_000), 100);
        assert_eq!(bound(50_000_000), AT_LEAST);
        assert_eq!(bound(u64::MAX), AT_LEAST);
    }

    #[test]
    fn no_more_tickets_are_out_than_the_bound_and_each_comes_back_once() {
        let admission = Arc::new(Admission::default());
        admission.observe(Duration::from_millis(1), 1);
        let mut all = tickets(&admission);
        assert_eq!(all.len(), 100);
        assert!(!admission.has_room());
        all.pop();
        assert!(admission.has_room());
        assert_eq!(tickets(&admission).len(), 1, "it was dropped again at once");
        drop(all);
        assert_eq!(tickets(&admission).len(), 100);
    }

    #[test]
    fn a_writer_that_slows_down_admits_fewer_and_one_that_recovers_admits_all_again() {
        let admission = Arc::new(Admission::default());
        admission.observe(Duration::from_millis(10), 100);
        assert_eq!(tickets(&admission).len(), AT_MOST);
        for _ in 0..100 {
            admission.observe(Duration::from_millis(500), 100);
        }
        assert_eq!(tickets(&admission).len(), AT_LEAST);
        for _ in 0..100 {
            admission.observe(Duration::from_millis(10), 100);
        }
        assert_eq!(tickets(&admission).len(), AT_MOST);
    }

    #[test]
    fn one_slow_commit_alone_does_not_close_the_door() {
        let admission = Arc::new(Admission::default());
        admission.observe(Duration::from_secs(5), 1);
        assert_eq!(tickets(&admission).len(), AT_LEAST);
    }
}
