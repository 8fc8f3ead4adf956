//! Who may still come in: a bound on the deliveries between authentication and answer, so that
//! what is admitted is answered soon and the rest is refused now. It follows two things: how fast
//! the writer is, and how long deliveries really stay, for it may be the processor that is short,
//! which the writer does not notice.
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

/// How much longer a delivery should stay inside than its transaction takes, on the average: what
/// it waits for the processor. Whoever is refused waits for it as well, so it must be short.
const LAG: Duration = Duration::from_millis(8);

/// How often it is judged whether deliveries stay too long.
const JUDGED_EVERY: Duration = Duration::from_millis(50);

/// How much of the memory of the pace one observation replaces: one part of so many.
const INERTIA: u64 = 8;

/// Counts the deliveries inside and follows the writer's pace.
#[derive(Debug, Default)]
pub struct Admission {
    inside: AtomicUsize,
    /// Recent nanoseconds per command; 0 before the first.
    pace: AtomicU64,
    /// How many nanoseconds a transaction takes; 0 before the first.
    transaction: AtomicU64,
    /// Since when the writer is in a transaction, if it is.
    busy_since: Mutex<Option<Instant>>,
    stays: Mutex<Stays>,
    closed: AtomicBool,
}

/// How long deliveries have stayed since it was judged last, and how many may be inside for that.
#[derive(Debug)]
struct Stays {
    bound: usize,
    judged: Option<Instant>,
    total: Duration,
    count: u32,
}

impl Default for Stays {
    fn default() -> Self {
        Self { bound: AT_MOST, judged: None, total: Duration::ZERO, count: 0 }
    }
}

impl Stays {
    /// One has left after so long.
    fn add(&mut self, stayed: Duration, allowed: Duration, now: Instant) {
        self.total = self.total.saturating_add(stayed);
        self.count = self.count.saturating_add(1);
        let judged = *self.judged.get_or_insert(now);
        if now.saturating_duration_since(judged) >= JUDGED_EVERY {
            self.bound = steer(self.bound, self.total / self.count.max(1), allowed);
            (self.judged, self.total, self.count) = (Some(now), Duration::ZERO, 0);
        }
    }
}

/// How long a delivery may stay on the average where a transaction takes so long: it waits for half
/// of the one that runs, for its own, and a little for the processor.
fn allowed(transaction: Duration) -> Duration {
    WAIT.min(transaction.saturating_add(transaction / 2).saturating_add(LAG))
}

/// The bound after deliveries have stayed so long on the average: as much less as they have stayed
/// too long, but not less than half at a time; and a little more while they are quick.
fn steer(bound: usize, stayed: Duration, allowed: Duration) -> usize {
    let next = if stayed > allowed {
        let fitting = bound as f64 * (allowed.as_secs_f64() / stayed.as_secs_f64()).max(0.5);
        // A float-to-integer cast saturates, and it is not above `AT_MOST` anyway.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let fitting = fitting as usize;
        fitting
    } else {
        bound + bound / 8 + 1
    };
    next.clamp(AT_LEAST, AT_MOST)
}

/// The right of one delivery to be worked on. Given back when dropped.
#[derive(Debug)]
#[must_use = "dropping it lets the next one in"]
pub struct Ticket {
    admission: Arc<Admission>,
    since: Instant,
}

impl Admission {
    /// A ticket, unless as many are out as the writer answers in time.
    pub fn admit(self: &Arc<Self>) -> Option<Ticket> {
        let bound = self.bound();
        self.inside
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
                (inside < bound).then_some(inside + 1)
            })
            .ok()
            .map(|_| Ticket { admission: self.clone(), since: Instant::now() })
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
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let remember = |memory: &AtomicU64, nanos: u64| {
            let before = memory.load(Ordering::Relaxed);
            memory.store(blend(before, nanos), Ordering::Relaxed);
        };
        remember(&self.transaction, nanos);
        remember(&self.pace, nanos / commands);
    }

    fn bound(&self) -> usize {
        if self.closed.load(Ordering::Acquire) {
            return 0;
        }
        if self.busy_since().is_some_and(|since| since.elapsed() > STALL) {
            return AT_LEAST;
        }
        bound(self.pace.load(Ordering::Relaxed)).min(self.stays().bound)
    }

    fn stays(&self) -> std::sync::MutexGuard<'_, Stays> {
        // Plain values: no panic can leave them so that they would do harm.
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // A plain value: no panic can leave it half-changed.
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now = Instant::now();
        let stayed = now.saturating_duration_since(self.since);
        let transaction = self.admission.transaction.load(Ordering::Relaxed);
        let allowed = allowed(Duration::from_nanos(transaction));
        self.admission.stays().add(stayed, allowed, now);
        self.admission.inside.fetch_sub(1, Ordering::AcqRel);
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

    const LONG: Duration = Duration::from_millis(60);

    #[test]
    fn the_bound_falls_while_deliveries_stay_too_long_and_rises_again() {
        assert_eq!(steer(400, LONG, LONG), 451, "not too long");
        assert_eq!(steer(400, LONG * 4 / 3, LONG), 300);
        assert_eq!(steer(400, 100 * LONG, LONG), 200, "not less than half at a time");
        assert_eq!(steer(AT_LEAST, Duration::MAX, LONG), AT_LEAST);
        assert_eq!(steer(AT_MOST, Duration::ZERO, LONG), AT_MOST);
        let recovered = (0..40).fold(AT_LEAST, |bound, _| steer(bound, Duration::ZERO, LONG));
        assert_eq!(recovered, AT_MOST, "within two seconds");
    }

    #[test]
    fn a_slow_disk_is_waited_for_and_a_busy_processor_is_not() {
        assert_eq!(allowed(Duration::ZERO), LAG);
        assert_eq!(allowed(Duration::from_millis(20)), Duration::from_millis(30) + LAG);
        assert_eq!(allowed(Duration::MAX), WAIT);
    }

    #[test]
    fn stays_are_judged_together_and_not_one_by_one() {
        let begin = Instant::now();
        let mut stays = Stays::default();
        for _ in 0..9 {
            stays.add(Duration::ZERO, LONG, begin);
        }
        stays.add(9 * LONG, LONG, begin);
        assert_eq!(stays.bound, AT_MOST);
        stays.add(Duration::ZERO, LONG, begin + JUDGED_EVERY);
        assert_eq!(stays.bound, AT_MOST, "one slow one of eleven");
        stays.add(2 * LONG, LONG, begin + JUDGED_EVERY);
        stays.add(2 * LONG, LONG, begin + 2 * JUDGED_EVERY);
        assert_eq!(stays.bound, AT_MOST / 2, "the earlier ones are forgotten");
    }

    #[test]
    fn tickets_that_are_given_back_late_lower_the_bound() {
        let admission = Arc::new(Admission::default());
        let Some(long_ago) = Instant::now().checked_sub(10 * LAG) else { return };
        for _ in 0..2 {
            admission.stays().judged = Some(long_ago);
            let mut ticket = admission.admit().unwrap();
            ticket.since = long_ago;
        }
        assert_eq!(tickets(&admission).len(), AT_MOST / 4);
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
