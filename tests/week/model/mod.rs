//! A week of noisy alerts, and what comes of it under one policy after the other.
//!
//! Everything follows from a seed and a size. [`noise`] says what is wrong, when and where, and is
//! the truth that results are judged by. [`senders`] says what a pair of Alertmanagers posts about
//! it. [`policies`] has the rules, and [`play`] plays the posts through them in the rehearsal that
//! `casewright test` and `casewright explain --against` use: the daemon's own decisions, in virtual
//! time. The benchmark `week` prints the table, the test `week` asserts what must hold in it.
#![allow(dead_code, reason = "the benchmark and the test each use a part")]

#[path = "../../simulation/dice.rs"]
mod dice;
pub(crate) mod noise;
pub(crate) mod play;
pub(crate) mod policies;
pub(crate) mod senders;
pub(crate) mod table;

use std::collections::BTreeSet;

use noise::{Size, Week};
use play::{Row, Truth};
use policies::Stage;
use senders::Traffic;

/// What a seed gives.
pub(crate) struct Outcome {
    pub(crate) week: Week,
    pub(crate) traffic: Traffic,
    /// One for each stage of [`policies`], in its order.
    pub(crate) rows: Vec<Row>,
}

/// Makes the week of a seed and plays it through every rule set.
pub(crate) fn run(seed: u64, size: &Size) -> Outcome {
    let week = Week::of(seed, size);
    let traffic = senders::traffic(&week);
    let stages = Stage::all();
    let sources = policies::sources();
    let heard = play::read(&sources, &traffic);
    let truth = Truth::of(&week);
    let rows = stages.iter().map(|stage| play::play(stage, &heard, &truth)).collect();
    Outcome { week, traffic, rows }
}

/// Every case and every firing that a tool without memory would open, at its time: one for each
/// notification in which anything fires, and one for each alert and time at which it began.
pub(crate) fn without_memory(traffic: &Traffic) -> (Vec<i64>, Vec<i64>) {
    let mut seen = BTreeSet::new();
    let (mut notifications, mut firings) = (Vec::new(), Vec::new());
    for sent in &traffic.sent {
        if !sent.firing.is_empty() {
            notifications.push(sent.at);
        }
        for beginning in &sent.firing {
            if seen.insert(beginning) {
                firings.push(sent.at);
            }
        }
    }
    (notifications, firings)
}
