//! Who may still come in: a bound on the deliveries between authentication and answer that follows
//! how fast the writer is, so that what is admitted is answered soon and the rest is refused now.
//!
//! Never ask for a ticket while a body is still arriving: slow senders would hold them all.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an admitted delivery should wait for the writer at most.
const WAIT: Duration = Duration::from_millis(100);

/// A transaction that takes longer than this has met a disk or a lock that stalls: nobody else is
/// to wait for it.
const STALL: Duration = Duration::from_millis(250);

/// So many are always admitted, however slow the writer was: else nothing would tell that it is
/// fast again.
const AT_LEAST: usize = 32;

/// A transaction of fewer commands than this could have taken so many at hardly any more cost: it
/// is its commit that costs. Without this a writer that is alone with one command would look much
/// slower than it is.
const SHARED: usize = 32;

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
    /// Since when the writer is in a transaction, if it is.
    busy_since: Mutex<Option<Instant>>,
    closed: AtomicBool,
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

    /// The writer begins a transaction. Only the writer calls this.
    pub fn begin(&self) {
        *self.busy_since() = Some(Instant::now());
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The writer has answered so many commands after so long. Only the writer calls this.
    pub fn observe(&self, took: Duration, commands: usize) {
        *self.busy_since() = None;
        let Ok(commands) = u64::try_from(commands.max(SHARED)) else { return };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / commands;
        let before = self.pace.load(Ordering::Relaxed);
        self.pace.store(blend(before, nanos), Ordering::Relaxed);
    }

    fn bound(&self) -> usize {
        if self.closed.load(Ordering::Acquire) {
            return 0;
        }
        if self.busy_since().is_some_and(|since| since.elapsed() > STALL) {
            return AT_LEAST;
        }
        bound(self.pace.load(Ordering::Relaxed))
    }

    fn busy_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // A plain value: no panic can leave it half-changed.
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_transaction_that_stalls_and_a_closed_door_let_in_few_and_nobody() {
        let admission = Arc::new(Admission::default());
        admission.begin();
        assert_eq!(admission.bound(), AT_MOST);
        *admission.busy_since() = Instant::now().checked_sub(2 * STALL);
        assert_eq!(admission.bound(), AT_LEAST);
        admission.observe(Duration::from_micros(1), 1);
        assert_eq!(admission.bound(), AT_MOST);
        admission.close();
        assert!(admission.admit().is_none() && !admission.has_room());
    }

    #[test]
    fn no_more_tickets_are_out_than_the_bound_and_each_comes_back_once() {
        let admission = Arc::new(Admission::default());
        admission.observe(Duration::from_millis(100), 100);
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
        admission.observe(Duration::from_millis(10), 1);
        assert!(tickets(&admission).len() > 300);
        admission.observe(Duration::from_secs(50), 1);
        assert_eq!(tickets(&admission).len(), AT_LEAST);
    }
}
