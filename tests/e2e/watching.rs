//! The vendor does something with a case, and the person on call sees it here.

use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::domain::case_view::{CaseStatus, KeptCase};
use casewright::domain::ids::CaseId;
use casewright::sandbox::{Fault, Kind, On, StaffComment};

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_untouched, comments, eventually};

const MINUTE: Duration = Duration::from_secs(60);

/// Longer than between two rounds. A minute of grace, because the clock runs.
const ROUND: Duration = Duration::from_secs(11 * 60);

/// When the vendor was last asked about all cases, in seconds since 1970.
async fn watched_at(house: &House) -> f64 {
    let line = "casewright_cases_watched_timestamp_seconds{vendor=\"akamai\"}";
    house.metric(line).await.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Lets time pass and waits until the vendor was asked meanwhile. Nothing is under way then: a clock
/// that is set while a request is would spoil its signature.
async fn pass(house: &House, time: Duration) {
    let from = house.clock.now().as_millisecond() as f64 / 1e3;
    house.clock.advance(time.max(ROUND));
    let mut looks = 0;
    eventually("a round", || {
        looks += 1;
        // It may just have been about to go to sleep.
        if looks % 150 == 0 {
            house.clock.advance(MINUTE);
        }
        async move {
            let at = watched_at(house).await;
            if at > from { Ok(()) } else { Err((at, from)) }
        }
    })
    .await;
}

/// Lets time pass and waits until the vendor has been asked for something, whatever came of it.
async fn pass_until_asked(house: &House, endpoint: &str) {
    let before = house.requests(endpoint);
    house.clock.advance(ROUND);
    let mut looks = 0;
    eventually(endpoint, || {
        looks += 1;
        if looks % 150 == 0 {
            house.clock.advance(MINUTE);
        }
        let asked = house.requests(endpoint);
        async move { if asked > before { Ok(()) } else { Err(asked) } }
    })
    .await;
}

/// Lets time pass until what is kept of the only case is as `is` wants it.
async fn seen(house: &House, what: &str, is: impl Fn(&KeptCase) -> bool) -> KeptCase {
    let incident = house.only_incident().await.id;
    eventually(what, || async {
        pass(house, ROUND).await;
        let kept = house.store().kept_case(&incident).await.expect("read");
        kept.clone().filter(&is).ok_or(kept)
    })
    .await
}

async fn seen_to_be(house: &House, status: &str) -> KeptCase {
    let wanted = CaseStatus::parse(status);
    seen(house, status, |kept| kept.view.status.as_ref() == Some(&wanted)).await
}

/// Lets time pass until the vendor was asked about all cases as of now.
async fn asked_again(house: &House) {
    pass(house, ROUND).await;
}

#[tokio::test]
async fn what_the_vendor_did_with_a_case_is_seen_shown_and_counted() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    seen_to_be(&house, "CREATED").await;
    pass(&house, 20 * MINUTE).await;
    house.sandbox.set_status(&case, "ASSIGNED").expect("a case");
    house.sandbox.set_next_action(&case, "CUSTOMER").expect("a case");
    let kept = seen_to_be(&house, "ASSIGNED").await;
    assert!(kept.view.waits_for_us(), "{kept:#?}");
    assert!(kept.view.first_response.is_some_and(|minutes| minutes >= 20), "{kept:#?}");

    assert_eq!(
        house.metric("casewright_cases{vendor=\"akamai\",status=\"assigned\"}").await.as_deref(),
        Some("1")
    );
    assert_eq!(
        house.metric("casewright_cases{vendor=\"akamai\",status=\"created\"}").await.as_deref(),
        Some("0")
    );
    assert_eq!(
        house.metric("casewright_cases_waiting_for_us{vendor=\"akamai\"}").await.as_deref(),
        Some("1")
    );
    assert_eq!(
        house
            .metric("casewright_case_first_response_seconds_count{vendor=\"akamai\"}")
            .await
            .as_deref(),
        Some("1")
    );
    assert!(
        house
            .metric("casewright_cases_watched_timestamp_seconds{vendor=\"akamai\"}")
            .await
            .is_some()
    );
    assert_untouched(&house.only_case().await);

    let said = house.command(&["why", &case]).await.done();
    assert!(said.contains("  status    assigned; it waits for us"), "{said}");
    assert!(said.contains("  answered  first after "), "{said}");
    let id = house.only_incident().await.id.to_string();
    let told = house.command(&["incidents", "show", &id, "--output", "json"]).await.json();
    assert_eq!(told["at_vendor"]["status"], "assigned", "{told:#}");
    assert_eq!(told["at_vendor"]["waits_for_us"], true, "{told:#}");
}

#[tokio::test]
async fn a_comment_of_the_vendors_is_seen_once_and_ours_is_none() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    // Ours: the severity has risen.
    house.hears(Payload::of([edge("shop").resolved(), edge("shop").label("pop", "AMS")])).await;
    pass(&house, 31 * MINUTE).await;
    eventually("a comment of ours", || async {
        let case = house.only_case().await;
        if comments(&case, "[cw-") > 0 { Ok(()) } else { Err(case) }
    })
    .await;
    asked_again(&house).await;
    let html = "<p>Which <b>property</b>?</p><p>5 &lt; 6</p>";
    house.sandbox.staff_comment(&case, &StaffComment::of(html)).expect("a case");
    let kept = seen(&house, "a comment", |kept| !kept.view.comments.is_empty()).await;
    let texts: Vec<&str> = kept.view.comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(texts, ["Which property?\n\n5 < 6"]);

    // A quick answer by mail quotes us.
    let mail = StaffComment {
        kind: "EMAIL".to_owned(),
        ..StaffComment::of(&format!("Done.\n> {}", house.only_case().await.comments[0].comment))
    };
    house.sandbox.staff_comment(&case, &mail).expect("a case");
    let kept = seen(&house, "two comments", |kept| kept.view.comments.len() == 2).await;
    assert!(kept.view.comments[1].text.starts_with("Done."), "{kept:#?}");
    asked_again(&house).await;
    let count = house.metric("casewright_vendor_comments_total{vendor=\"akamai\"}").await;
    assert_eq!(count.as_deref(), Some("2"));
}

#[tokio::test]
async fn that_the_vendor_waits_for_us_is_told_once_also_after_a_restart() {
    let mut house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    house.sandbox.set_next_action(&case, "CUSTOMER").expect("a case");
    seen(&house, "our turn", |kept| kept.view.waits_for_us()).await;
    asked_again(&house).await;
    house.sandbox.set_status(&case, "IN_PROGRESS").expect("a case");
    seen_to_be(&house, "IN_PROGRESS").await;
    assert_eq!(house.alarms("waits_for_us").await, 1);

    let incident = house.only_incident().await.id;
    let before = house.store().kept_case(&incident).await.expect("read");
    house.stop_daemon().await;
    house.start_daemon().await;
    let after = house.store().kept_case(&incident).await.expect("read");
    assert_eq!(after.map(|kept| kept.view), before.map(|kept| kept.view));
    asked_again(&house).await;
    assert_eq!(house.alarms("waits_for_us").await, 0);

    // It is our turn again.
    house.sandbox.set_next_action(&case, "CASE_OWNER").expect("a case");
    seen(&house, "its turn", |kept| !kept.view.waits_for_us()).await;
    house.sandbox.set_next_action(&case, "CUSTOMER").expect("a case");
    seen(&house, "our turn", |kept| kept.view.waits_for_us()).await;
    assert_eq!(house.alarms("waits_for_us").await, 1);
}

#[tokio::test]
async fn no_status_but_closed_ends_an_incident() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    for status in ["CREATED", "ASSIGNED", "IN_PROGRESS", "MITIGATED/SOLVED", "Escalated to tier 9"]
    {
        house.sandbox.set_status(&case, status).expect("a case");
        seen_to_be(&house, status).await;
        assert_eq!(house.only_incident().await.state.name(), "open", "{status}");
    }
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    let kept = seen_to_be(&house, "CLOSED").await;
    assert!(kept.view.closed_at.is_some(), "{kept:#?}");
    let incident = house.only_incident().await;
    assert_eq!((incident.state.name(), incident.tally.firing), ("closed", 1));
    let decided = house.store().decisions(&incident.id).await.expect("read");
    let last = decided.last().expect("a decision");
    assert_eq!(last.cause, "vendor");
    assert!(last.reason.contains("while 1 alert fires"), "{last:?}");
    assert_eq!(house.alarms("closed_while_firing").await, 1);
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn of_what_the_vendor_has_closed_repeats_say_nothing_and_something_new_goes_on_with_it() {
    let house = House::watching().await;
    let (fra, ams) = (edge("shop"), edge("shop").label("pop", "AMS"));
    house.hears(fra.clone()).await;
    let case = house.only_case().await.case_id;
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    seen_to_be(&house, "CLOSED").await;
    for _ in 0..3 {
        pass(&house, 4 * 60 * MINUTE).await;
        assert_eq!(house.hears(fra.clone()).await.fate, "accepted");
    }
    assert_untouched(&house.only_case().await);
    assert_eq!(house.only_incident().await.state.name(), "closed");

    house.hears(Payload::of([fra.clone(), ams.clone()])).await;
    let told = house.only_case().await;
    assert_eq!(comments(&told, "The problem is back"), 1, "{told:#?}");
    assert_eq!(house.only_incident().await.state.name(), "open");
    // Until the vendor has read that, its case stays closed.
    asked_again(&house).await;
    assert_eq!(house.only_incident().await.state.name(), "open");
    house.sandbox.set_status(&case, "IN_PROGRESS").expect("a case");
    seen_to_be(&house, "IN_PROGRESS").await;

    house.hears(Payload::of([fra.resolved(), ams.resolved()])).await;
    let told = house.only_case().await;
    assert_eq!(comments(&told, "resolved as of"), 1, "{told:#?}");
    assert_eq!(told.closure_requests.len(), 1, "{told:#?}");
}

#[tokio::test]
async fn what_fires_anew_long_after_the_vendor_has_closed_its_case_gets_another_one() {
    let house = House::watching().await;
    let (fra, ams) = (edge("shop"), edge("shop").label("pop", "AMS"));
    house.hears(fra.clone()).await;
    let old = house.only_case().await.case_id;
    house.sandbox.set_status(&old, "CLOSED").expect("a case");
    seen_to_be(&house, "CLOSED").await;
    // Heard of all the time, so that it never counts as silent.
    for _ in 0..7 {
        pass(&house, 4 * 60 * MINUTE).await;
        house.hears(fra.clone()).await;
    }
    house.hears(Payload::of([fra, ams])).await;
    let cases = house.cases(2).await;
    assert_untouched(&cases[0]);
    assert!(cases[1].filed.description.contains(&old), "{:#?}", cases[1]);
}

#[tokio::test]
async fn what_comes_back_after_a_silence_is_new() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    seen_to_be(&house, "CLOSED").await;
    pass(&house, 13 * 60 * MINUTE).await;
    house.hears(edge("shop")).await;
    let told = house.only_case().await;
    assert_eq!(comments(&told, "The problem is back"), 1, "{told:#?}");
}

#[tokio::test]
async fn the_vendor_opens_again_what_still_fires() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    seen_to_be(&house, "CLOSED").await;
    house.sandbox.set_status(&case, "IN_PROGRESS").expect("a case");
    seen_to_be(&house, "IN_PROGRESS").await;
    house.incident_is("open").await;
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn a_vendor_that_is_down_costs_nothing_but_time() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await.case_id;
    seen_to_be(&house, "CREATED").await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.sandbox.set_status(&case, "IN_PROGRESS").expect("a case");
    house.sandbox.staff_comment(&case, &StaffComment::of("We look at it.")).expect("a case");
    for _ in 0..3 {
        pass_until_asked(&house, "GET /cases").await;
    }
    let incident = house.only_incident().await.id;
    let kept = house.store().kept_case(&incident).await.expect("read").expect("kept");
    assert_eq!(kept.view.status, Some(CaseStatus::Created));
    house.no_faults();
    let kept = seen_to_be(&house, "IN_PROGRESS").await;
    assert_eq!(kept.view.comments.len(), 1, "{kept:#?}");
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn one_list_tells_of_many_cases_and_only_what_has_changed_is_read() {
    const CASES: usize = 30;
    let house = House::watching().await;
    for number in 0..CASES {
        house.hears(edge(&format!("shop-{number}"))).await;
    }
    let cases = house.cases(CASES).await;
    let vendor = "akamai".into();
    // More than are read in one round.
    let known = || async {
        let open = house.store().open_cases(&vendor, house.clock.now(), 100).await.expect("read");
        open.iter().filter(|case| case.known.is_some()).count()
    };
    for so_many in [20, CASES] {
        pass_until_asked(&house, "GET /cases").await;
        eventually("so many are known", || async {
            let known = known().await;
            if known >= so_many { Ok(()) } else { Err(known) }
        })
        .await;
    }
    // What was opened a moment before it was read is read once more.
    pass(&house, ROUND).await;
    pass(&house, ROUND).await;

    let (lists, reads) = (house.requests("GET /cases"), house.requests("GET /cases/{caseId}"));
    let comments = house.requests("GET /cases/{caseId}/comments");
    house.sandbox.set_status(&cases[7].case_id, "ASSIGNED").expect("a case");
    pass(&house, ROUND).await;
    let lists = house.requests("GET /cases") - lists;
    assert_eq!(lists, 1);
    let reads = house.requests("GET /cases/{caseId}") - reads;
    assert_eq!(reads, 1);
    assert_eq!(house.requests("GET /cases/{caseId}/comments") - comments, reads);
    let changed = house.store().about(&cases[7].case_id, 1).await.expect("read").remove(0);
    let kept = house.store().kept_case(&changed.id).await.expect("read").expect("kept");
    assert_eq!(kept.case, CaseId::new(cases[7].case_id.clone()));
    assert_eq!(kept.view.status, Some(CaseStatus::Assigned));
}

#[tokio::test]
async fn a_case_that_stays_closed_is_given_up_once_it_takes_no_comments_any_more() {
    let house = House::watching().await;
    let all =
        |places: &[&str]| Payload::of(places.iter().map(|pop| edge("shop").label("pop", pop)));
    house.hears(all(&["FRA"])).await;
    let case = house.only_case().await.case_id;
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    seen_to_be(&house, "CLOSED").await;
    house.hears(all(&["FRA", "AMS"])).await;
    assert_eq!(comments(&house.only_case().await, "The problem is back"), 1);
    // Thirteen days: the vendor never looks at it again.
    for _ in 0..26 {
        pass(&house, 12 * 60 * MINUTE - ROUND).await;
        house.hears(all(&["FRA", "AMS"])).await;
        assert_eq!(house.only_incident().await.state.name(), "open");
    }
    for _ in 0..3 {
        pass(&house, 12 * 60 * MINUTE - ROUND).await;
        house.hears(all(&["FRA", "AMS"])).await;
    }
    let incident = house.incident_is("closed").await;
    assert_eq!(incident.tally.firing, 2);
    house.hears(all(&["FRA", "AMS", "LON"])).await;
    let cases = house.cases(2).await;
    assert!(cases[1].filed.description.contains(&case), "{:#?}", cases[1]);
}

#[tokio::test]
async fn a_vendor_that_is_left_alone_is_not_asked() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    pass(&house, ROUND).await;
    house.faults([Fault::new(Kind::Revoked, On::Any)]);
    // What closes the gate is that something cannot be sent.
    house.hears(edge("other")).await;
    house.gate("denied", |gate| gate.name(house.clock.now()) == "denied").await;
    let lists = house.requests("GET /cases");
    for _ in 0..3 {
        pass_until_asked(&house, "GET /accounts-with-categories").await;
    }
    assert_eq!(house.requests("GET /cases"), lists, "only probes go out");
    house.no_faults();
    pass_until_asked(&house, "GET /accounts-with-categories").await;
    house.gate("open", |gate| gate.name(house.clock.now()) == "open").await;
    pass(&house, ROUND).await;
}

/// What cannot be listed says nothing of whether cases can be opened.
#[tokio::test]
async fn a_watch_that_is_refused_or_fails_keeps_no_case_from_being_opened() {
    let house = House::watching().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    seen_to_be(&house, "CREATED").await;
    let mut expected = 1;
    for kind in [Kind::NoGrant, Kind::ErrorAfterCommit, Kind::Down] {
        house.faults([Fault::new(kind, On::Read)]);
        for _ in 0..7 {
            pass_until_asked(&house, "GET /cases").await;
        }
        let open = house.metric("casewright_vendor_state{vendor=\"akamai\",state=\"open\"}").await;
        assert_eq!(open.as_deref(), Some("1"), "{kind:?}");
        house.hears(edge(&format!("shop-{expected}"))).await;
        expected += 1;
        house.cases(expected).await;
    }
    assert!(house.alarms("watch").await > 0);
}
