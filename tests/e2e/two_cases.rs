//! Somebody else has opened a second case that carries our marker: the oldest is gone on with, the
//! other one is told so, and a person is called.

use casewright::domain::draft::Draft;
use casewright::sandbox::{Case, Fault, Kind, On};
use casewright::vendors::{Operation, Outcome, Vendor as _};

use crate::support::alertmanager::edge;
use crate::support::house::{House, assert_ended_once, comments};

#[tokio::test]
async fn of_two_cases_with_one_marker_the_oldest_is_adopted_and_the_other_one_told() {
    let house = House::open().await;
    // The catalog must be read before the vendor stops being readable.
    house.hears(edge("first")).await;
    house.settled().await;
    house.faults([
        Fault::on_next(Kind::DropAfterCommit, On::Create, 1),
        Fault::new(Kind::Down, On::Read),
    ]);
    house.hears(edge("shop")).await;
    house.action_says("could not be asked").await;
    // While nothing can be looked for, somebody sends the same request.
    let again = Operation::Open(Box::new(draft_of(&house, "shop").await));
    let outcome = house.client().send(&again).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");

    house.no_faults();
    let [_, oldest, other] = three(house.settled().await);
    assert_eq!(comments(&oldest, "duplicate"), 0, "{oldest:#?}");
    assert_eq!(comments(&other, &oldest.case_id), 1, "{other:#?}");
    assert_eq!(house.alarms("several_cases").await, 1);
    assert_eq!(house.requests("POST /cases"), 3, "none by the daemon after its answer was lost");

    // It goes on with the oldest, and leaves the other one alone.
    house.hears(edge("shop").resolved()).await;
    let [_, oldest, after] = three(house.settled().await);
    assert_ended_once(&oldest);
    assert_eq!(after.comments, other.comments);
    assert!(after.closure_requests.is_empty());
}

fn three(cases: Vec<Case>) -> [Case; 3] {
    <[Case; 3]>::try_from(cases).unwrap_or_else(|cases| panic!("not three: {cases:#?}"))
}

/// What was sent to open the case of a property.
async fn draft_of(house: &House, property: &str) -> Draft {
    for incident in house.incidents().await {
        if incident.origin.label("property") == property {
            let attempts = house.store().attempts(&incident.id).await.expect("attempts");
            let sent = attempts.iter().find_map(|attempt| attempt.request.as_deref());
            return serde_json::from_str(sent.expect("a request")).expect("a draft");
        }
    }
    panic!("no incident of {property}");
}
