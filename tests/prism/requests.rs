//! Every request that the client makes is one that the document allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::akamai::{CASE, Eager, Step, client, everything, start};
use crate::mock::{Examples, Prism, address, complaint};

const PAGE: &str = include_str!("../../docs/akamai.md");

/// The operations that the page says are used.
fn used() -> Vec<&'static str> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| operation |")).skip(2);
    rows.map_while(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(_, told)| !told.starts_with("not used"))
        .map(|(operation, _)| operation)
        .collect()
}

#[tokio::test]
async fn every_request_is_accepted() {
    let Some(address) = address() else { return };
    let prism = Arc::new(Prism::new(address, Examples));
    let client = client("https://akab.example", Eager::at(start()), prism.clone());
    let mut requests: BTreeMap<String, usize> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut unsent = Vec::new();
    for step in everything() {
        let said = step.take(&client).await;
        let log = prism.log();
        for exchange in &log {
            *requests.entry(exchange.operation.clone()).or_default() += 1;
            complaints.extend(complaint(exchange));
        }
        // The case of the document's example allows everything, so everything is sent.
        if matches!(step, Step::Send(_)) && !log.iter().any(|exchange| exchange.is_write()) {
            unsent.push(format!("{step:?}: {said:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(unsent.is_empty(), "{}", unsent.join("\n"));
    let made: Vec<&str> = requests.keys().map(String::as_str).collect();
    let mut used = used();
    used.sort_unstable();
    assert_eq!(made, used, "what was asked for, and what docs/akamai.md says is used");
    for (operation, count) in &requests {
        println!("Prism accepted {count:>2} of {operation}");
    }
    println!("of case {CASE} and others: {} requests", requests.values().sum::<usize>());
}
