//! Alerts fire: one incident, one case, however often and by whomever it is told.

use casewright::store::lists::DeliveriesSought;

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::house::{House, assert_untouched};

#[tokio::test]
async fn a_firing_alert_opens_one_case_with_everything_that_the_rule_says() {
    let house = House::open().await;
    let reply = house.hears(edge("shop").annotation("threshold", "2 %")).await;
    assert_eq!(reply.fate, "accepted");

    let case = house.only_case().await;
    let incident = house.incident_is("open").await;
    let marker = incident.id.marker();
    let filed = &case.filed;
    assert_eq!(filed.subject, format!("shop: 5xx ratio above 2 % {}", marker.token()));
    assert_eq!(filed.customer_tracking_number.as_deref(), Some(marker.as_str()));
    assert_eq!(filed.account.account_id, "A-CCT7890");
    assert_eq!(filed.category.category_id, "TECHNICAL");
    assert_eq!(filed.product_name.as_deref(), Some("Ion Premier"));
    assert_eq!(filed.problem_name.as_deref(), Some("Configuring/Managing Services"));
    assert_eq!(filed.severity, "1-Major Impact");
    assert_eq!(filed.also_notify, ["noc@example.com"]);
    assert_eq!(filed.alternate_contact.phone.as_deref(), Some("+1 555 0100"));
    assert!(filed.description.contains("too many errors"), "{}", filed.description);
    assert_eq!(incident.state.case().map(|id| id.as_str()), Some(case.case_id.as_str()));
    assert_untouched(&case);
}

#[tokio::test]
async fn a_repeat_opens_nothing() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    for _ in 0..3 {
        assert_eq!(house.hears(edge("shop")).await.fate, "repeat");
    }
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn the_peer_of_a_pair_of_alertmanagers_opens_nothing() {
    let house = House::open().await;
    let group = Payload::of([edge("shop"), edge("shop").label("pop", "AMS")]);
    house.hears(group.clone()).await;
    assert_eq!(house.hears(group.of_the_peer()).await.fate, "repeat");
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn fifty_posts_of_the_same_news_at_the_same_time_open_one_case() {
    let house = House::open().await;
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..50 {
        let sender = house.sender();
        let payload = Payload::from(edge("shop"));
        let payload = if number % 2 == 0 { payload } else { payload.of_the_peer() };
        posts.spawn(async move { sender.alertmanager(payload).await });
    }
    let replies = posts.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 202), "{replies:?}");
    let accepted = replies.iter().filter(|reply| reply.fate == "accepted").count();
    assert_eq!(accepted, 1, "{replies:?}");
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn a_group_that_grows_goes_on_with_its_case() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.settled().await;
    house.hears(Payload::of([edge("shop"), edge("shop").label("pop", "AMS")])).await;
    let case = house.only_case().await;
    assert_untouched(&case);
    assert_eq!(house.only_incident().await.members.len(), 2);
}

#[tokio::test]
async fn every_property_has_a_case_of_its_own() {
    let house = House::open().await;
    house.hears(Payload::of(["a", "b", "c"].map(edge))).await;
    let cases = house.settled().await;
    assert_eq!(cases.len(), 3, "{cases:#?}");
    for property in ["a", "b", "c"] {
        let about = |subject: &str| subject.starts_with(&format!("{property}: "));
        let count = cases.iter().filter(|case| about(&case.filed.subject)).count();
        assert_eq!(count, 1, "{property}: {cases:#?}");
    }
}

#[tokio::test]
async fn what_a_rule_ignores_and_what_no_rule_matches_opens_nothing() {
    let house = House::open().await;
    let staging = edge("shop").label("env", "staging");
    assert_eq!(house.hears(staging).await.fate, "ignored");
    assert_eq!(house.hears(Item::firing("Watchdog")).await.fate, "ignored");
    assert_eq!(house.hears(Item::firing("DiskFull")).await.fate, "unmatched");
    house.no_case().await;
    assert!(house.incidents().await.is_empty());
}

#[tokio::test]
async fn a_sender_without_the_right_credential_is_refused_and_opens_nothing() {
    let house = House::open().await;
    let url = format!("{}/alertmanager", house.sender().base());
    let response = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("authorization", "Bearer not-the-token")
        .body(Payload::from(edge("shop")).body())
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 401);
    house.no_case().await;
    assert!(
        house
            .store()
            .seek_deliveries(&DeliveriesSought::default(), 10)
            .await
            .expect("deliveries")
            .items
            .is_empty()
    );
}
