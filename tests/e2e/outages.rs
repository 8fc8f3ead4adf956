//! The vendor is down for long: it is left alone but for harmless probes, also over a restart, and
//! nobody else suffers from it.

use std::time::Duration;

use casewright::domain::gate::{Cause, Gate};
use casewright::sandbox::{Fault, Kind, On, Options, Sandbox};

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::files::Layout;
use crate::support::house::{House, assert_untouched, eventually};

/// Longer than the first pause with its jitter.
const PAUSE: Duration = Duration::from_secs(40);

/// What a probe asks for.
const PROBE: &str = "GET /accounts-with-categories";

fn soon_left_alone(layout: Layout) -> Layout {
    Layout { breaker: "{ failures: 3, pause: 30s, max_pause: 30s }", ..layout }
}

fn is_tripped(gate: &Gate) -> bool {
    gate.cause() == Some(Cause::Tripped)
}

/// What was asked for the sake of an action. Catalogs are also read when a daemon starts.
fn in_earnest(house: &House) -> u64 {
    house.all_requests() - house.requests(PROBE) - house.requests("GET /categories/{categoryId}")
}

/// A vendor that has just been found to be down, with three cases to open.
async fn in_an_outage() -> House {
    let house = House::with(soon_left_alone).await;
    // So that the catalog is known, and creates are really sent to the vendor that is down.
    house.hears(edge("before")).await;
    house.settled().await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.hears(Payload::of(["a", "b", "c"].map(edge))).await;
    house.gate("tripped", is_tripped).await;
    house.nobody_works().await;
    house
}

async fn probed(house: &House, times: u64) {
    eventually(&format!("{times} probes"), || async {
        let probes = house.requests(PROBE);
        if probes >= times { Ok(()) } else { Err(probes) }
    })
    .await;
    assert_eq!(house.requests(PROBE), times);
}

#[tokio::test]
async fn a_vendor_that_is_down_is_left_alone_but_for_probes_and_works_again_when_it_is_back() {
    let house = in_an_outage().await;
    let (asked, probes) = (in_earnest(&house), house.requests(PROBE));
    assert_eq!(house.alarms("vendor_failing").await, 1);
    assert!(house.shows("casewright_vendor_state{vendor=\"akamai\",state=\"tripped\"} 1").await);

    // The intake goes on.
    house.hears(Payload::of(["d", "e"].map(edge))).await;
    for round in 1..=3 {
        house.clock.advance(PAUSE);
        probed(&house, probes + round).await;
    }
    assert_eq!(in_earnest(&house), asked, "nothing but probes was sent");
    assert_eq!(house.alarms("vendor_failing").await, 1, "one outage, one alarm");

    house.no_faults();
    house.clock.advance(PAUSE);
    let cases = house.settled().await;
    assert_eq!(cases.len(), 6, "{cases:#?}");
    cases.iter().for_each(assert_untouched);
    assert_eq!(house.sandbox.requests().creates_committed, 6);
    house.gate("open", |gate| gate.cause().is_none()).await;
    assert!(house.shows("casewright_vendor_state{vendor=\"akamai\",state=\"open\"} 1").await);
}

#[tokio::test]
async fn an_outage_is_remembered_over_a_restart() {
    let mut house = in_an_outage().await;
    let since = house.gate("tripped", is_tripped).await.since();
    let (asked, probes) = (in_earnest(&house), house.requests(PROBE));
    house.stop_daemon().await;
    house.start_daemon().await;
    house.hears(edge("d")).await;
    // It asks for the accounts once when it starts, to compare them with the rules.
    probed(&house, probes + 1).await;
    house.clock.advance(PAUSE);
    probed(&house, probes + 2).await;
    assert_eq!(in_earnest(&house), asked, "nothing but probes was sent");
    let gate = house.gate("tripped", is_tripped).await;
    assert_eq!(gate.since(), since, "the same outage");

    house.no_faults();
    house.clock.advance(PAUSE);
    let cases = house.settled().await;
    assert_eq!(cases.len(), 5, "{cases:#?}");
    assert_eq!(house.sandbox.requests().creates_committed, 5);
}

#[tokio::test]
async fn another_vendor_goes_on() {
    let options = Options::default();
    let clock = std::sync::Arc::new(crate::support::clock::RunningClock::new());
    let other = Sandbox::start(options, clock).await.expect("another vendor");
    let base = other.base_url();
    let house = House::with(|layout| Layout { other: Some(base), ..soon_left_alone(layout) }).await;
    let at = |vendor: &str, property: &str| {
        Item::firing("Shared").label("vendor", vendor).label("property", property)
    };
    house.hears(at("akamai", "before")).await;
    house.settled().await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.hears(Payload::of(["a", "b", "c", "d"].map(|name| at("akamai", name)))).await;
    house.gate("tripped", is_tripped).await;

    house.hears(Payload::of(["a", "b", "c"].map(|name| at("other", name)))).await;
    eventually("the other vendor's cases", || async {
        let cases = other.cases();
        if cases.len() == 3 { Ok(()) } else { Err(cases) }
    })
    .await;
    house.hears(Payload::of(["a", "b", "c"].map(|name| at("other", name).resolved()))).await;
    eventually("the other vendor's closure requests", || async {
        let cases = other.cases();
        let closed = cases.iter().all(|case| case.closure_requests.len() == 1);
        if closed { Ok(()) } else { Err(cases) }
    })
    .await;
    assert_eq!(house.sandbox.cases().len(), 1, "the other one is still down");

    house.no_faults();
    house.clock.advance(PAUSE);
    assert_eq!(house.settled().await.len(), 5);
    assert_eq!(other.cases().len(), 3);
}
