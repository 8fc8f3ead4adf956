//! A week of noisy alerts under one policy after the other: `cargo bench --bench week`.
//!
//! Prints what was generated and what came of it. `-- --seed N` takes another week than that of
//! seed 1, `-- --small` a smaller one. The same seed prints the same page on every machine; how long
//! it took goes to standard error. `tests/week` asserts what must hold in it.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal; if something is wrong it shall stop there"
)]

#[path = "../tests/week/model/mod.rs"]
mod model;

use std::time::Instant;

use model::noise::Size;

fn main() {
    let (mut seed, mut size) = (1, Size::FULL);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => {
                let number = words.next().and_then(|word| word.parse().ok());
                seed = number.expect("a number after --seed");
            }
            "--small" => size = Size::SMALL,
            "--bench" => {} // What `cargo bench` says to every benchmark.
            other => panic!("unknown option {other}; there are --seed N and --small"),
        }
    }
    let began = Instant::now();
    let outcome = model::run(seed, &size);
    print!("{}", model::table::page(&outcome));
    let (weeks, took) = (outcome.rows.len(), began.elapsed().as_secs_f64());
    eprintln!("{weeks} weeks in {took:.1} s");
}
