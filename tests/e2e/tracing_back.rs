//! One id leads from the sender's answer to what happened at the vendor.

use casewright::store::lists::DeliveriesSought;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, query_scalar};

use crate::support::alertmanager::edge;
use crate::support::house::House;

async fn reading(house: &House) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(house.files.store()).read_only(true);
    options.connect().await.expect("a connection")
}

#[tokio::test]
async fn a_delivery_can_be_followed_from_the_answer_to_the_attempts() {
    let house = House::open().await;
    let reply = house.hears(edge("shop")).await;
    let case = house.only_case().await;

    let deliveries = house
        .store()
        .seek_deliveries(&DeliveriesSought::default(), 10)
        .await
        .expect("deliveries")
        .items;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].id.as_str(), reply.delivery);
    let incident = house.only_incident().await;
    assert_eq!(deliveries[0].verdicts[0].incident.as_ref(), Some(&incident.id));
    assert_eq!(incident.delivery.as_str(), reply.delivery);
    assert!(case.filed.description.contains(incident.id.as_str()), "{case:#?}");

    let carried: Vec<String> = query_scalar("SELECT DISTINCT delivery FROM attempts")
        .fetch_all(&mut reading(&house).await)
        .await
        .expect("attempts");
    assert_eq!(carried, [reply.delivery]);
}
