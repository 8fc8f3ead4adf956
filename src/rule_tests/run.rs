//! Runs tests, each in a world of its own, several at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::coverage::Coverage;
use super::expectation::Expect;
use super::file::{Delivery, Test};
use super::judge::{Record, Scene};
use super::person::Word;
use crate::config::diagnostic::Diagnostic;
use crate::intake::IGNORED;
use crate::playbook::Playbook;
use crate::rehearsal::World;
use crate::store::Verdict;
use crate::time::later;

/// What came of a test.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is not as expected; empty if it passed.
    pub failures: Vec<Diagnostic>,
}

impl Outcome {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs all tests on so many threads. The outcomes are in the order of the tests, and what of the
/// rules they have reached is told together.
pub fn run(playbook: &Arc<Playbook>, tests: &[&Test], threads: usize) -> (Vec<Outcome>, Coverage) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut coverage = Coverage::new(&playbook.rules);
        let mut done: Vec<(usize, Outcome)> = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = tests.get(index) else { return (done, coverage) };
            done.push((index, run_one(playbook, test, &mut coverage)));
        }
    };
    let threads = threads.clamp(1, tests.len().max(1));
    let shares = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut shares = vec![work()];
        for other in others {
            match other.join() {
                Ok(share) => shares.push(share),
                // A panic is a mistake in this program: it goes on where it would have without a thread.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        shares
    });
    let mut coverage = Coverage::new(&playbook.rules);
    let mut outcomes = Vec::with_capacity(tests.len());
    for (done, reached) in shares {
        outcomes.extend(done);
        coverage.add(&reached);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    (outcomes.into_iter().map(|(_, outcome)| outcome).collect(), coverage)
}

fn run_one(playbook: &Arc<Playbook>, test: &Test, coverage: &mut Coverage) -> Outcome {
    let mut world = World::new(playbook.clone(), test.start);
    let mut record = Record::default();
    let mut failures = Vec::new();
    for step in timeline(test) {
        world.advance(later(test.start, step.at()));
        match step {
            Step::Delivery(delivery) => {
                deliver(playbook, test, delivery, &mut world, &mut record, coverage);
            }
            Step::Word(word) => match scene(playbook, test, &world, &record).judged(word) {
                Ok(index) => world.judge(index, word.judgement),
                Err(failure) => failures.push(*failure),
            },
            Step::Expect(expect) => {
                failures.extend(scene(playbook, test, &world, &record).judge(expect));
            }
        }
    }
    Outcome { failures }
}

/// Something at its time in a test.
enum Step<'a> {
    Delivery(&'a Delivery),
    Word(&'a Word),
    Expect(&'a Expect),
}

impl Step<'_> {
    fn at(&self) -> Duration {
        match self {
            Self::Delivery(delivery) => delivery.at,
            Self::Word(word) => word.at,
            Self::Expect(expect) => expect.at,
        }
    }
}

/// Everything in a test in its order. At the same time, a person knows what has come in, and what is
/// expected comes last.
fn timeline(test: &Test) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = test.deliveries.iter().map(Step::Delivery).collect();
    steps.extend(test.people.iter().map(Step::Word));
    steps.extend(test.expect.iter().map(Step::Expect));
    steps.sort_by_key(Step::at);
    steps
}

fn scene<'a>(
    playbook: &'a Playbook,
    test: &'a Test,
    world: &'a World,
    record: &'a Record,
) -> Scene<'a> {
    Scene { test: &test.name, start: test.start, playbook, world, record }
}

fn deliver(
    playbook: &Playbook,
    test: &Test,
    delivery: &Delivery,
    world: &mut World,
    record: &mut Record,
    coverage: &mut Coverage,
) {
    let at = later(test.start, delivery.at);
    for alert in &delivery.received.alerts {
        coverage.reach(&playbook.rules, alert, at);
        let known = |seen: &crate::domain::alert::Alert| {
            seen.labels == alert.labels && seen.status == alert.status
        };
        if !record.alerts.iter().any(|(_, seen)| known(seen)) {
            record.alerts.push((at, alert.clone()));
        }
    }
    for _ in 0..delivery.times {
        let (_, verdicts) = world.deliver(&delivery.source, delivery.received.clone(), at);
        for Verdict { rule, effect, .. } in verdicts {
            match rule {
                None => record.unmatched += 1,
                Some(rule) if effect == IGNORED && !record.ignored_by.contains(&rule) => {
                    record.ignored_by.push(rule);
                }
                Some(_) => {}
            }
        }
    }
}
