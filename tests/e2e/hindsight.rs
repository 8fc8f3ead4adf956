//! Before new rules are in force, a person asks what they would have made of what was heard, and
//! which incidents they lead elsewhere.

use serde_json::Value;

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::house::House;
use crate::support::process::Said;

const RULES: &str = "rules/10-delivery.yaml";

fn texts<'a>(of: &'a Value, key: &str, field: &str) -> Vec<&'a str> {
    let list = of[key].as_array().expect("a list");
    list.iter().map(|item| item[field].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn a_delivery_that_was_kept_is_explained_by_the_rules_of_today() {
    let house = House::open().await;
    let heard = house.hears(edge("shop")).await;
    let repeat = house.hears(edge("shop")).await;
    let explain = |id: &str| {
        let arguments = ["explain", "--delivery", id].map(str::to_owned);
        let files = &house.files;
        async move { Said::about(&arguments.each_ref().map(String::as_str), files).await }
    };
    let said = explain(&heard.delivery).await.done();
    assert!(said.contains("read as a payload of source alertmanager: 1 alert"), "{said}");
    assert!(said.contains("takes it ("), "{said}");
    // Nothing is kept of what told nothing new, and nothing is known of what never came.
    let complaint = explain(&repeat.delivery).await.failed();
    assert!(complaint.contains("told nothing new (repeat)"), "{complaint}");
    // But why there is a case is told of it all the same, with the incident that it is about.
    let why = house.command(&["why", &repeat.delivery]).await.done();
    assert!(why.contains("rule edge-5xx") && why.contains("repeat; nothing new"), "{why}");
    let complaint = explain("nobody").await.failed();
    assert!(complaint.contains("has no delivery `nobody`"), "{complaint}");
}

#[tokio::test]
async fn other_rules_are_tried_on_all_that_was_heard() {
    let house = House::open().await;
    house.hears(Payload::of([edge("shop"), edge("shop").label("pop", "AMS"), edge("blog")])).await;
    house.hears(Item::firing("Unheard").label("property", "x")).await;
    house.settled().await;
    let other = house.files.path("other");
    std::fs::create_dir(&other).expect("a folder");
    std::fs::copy(house.files.path(RULES), other.join("10-delivery.yaml")).expect("a copy");
    house.files.edit(
        "other/10-delivery.yaml",
        "identity: [alertname, property]",
        "identity: [pop]",
    );
    house.files.edit("other/10-delivery.yaml", "map: { critical: 1 }", "map: { critical: 3 }");
    let other = other.display().to_string();

    let told = Said::about(&["explain", "--against", &other, "--output", "json"], &house.files)
        .await
        .json();
    assert_eq!(told["deliveries"], 2, "{told:#}");
    assert_eq!(told["rules"]["edge-5xx"]["before"]["cases"], 2, "{told:#}");
    assert_eq!(told["rules"]["edge-5xx"]["after"]["cases"], 2, "{told:#}");
    assert_eq!(told["changed"][0]["fields"]["severity"]["after"], "3", "{told:#}");
    let said = Said::about(&["explain", "--against", &other], &house.files).await.done();
    assert!(said.contains("2 deliveries, from "), "{said}");
    assert!(said.contains("cases would be different"), "{said}");

    // Rules with mistakes are not compared; what is in force is, with itself.
    house.files.edit("other/10-delivery.yaml", "rules:", "ruels:");
    let complaint = Said::about(&["explain", "--against", &other], &house.files).await.failed();
    assert!(complaint.contains("nothing is compared with rules that have mistakes"), "{complaint}");
    let rules = house.files.path("rules").display().to_string();
    let same = ["explain", "--against", &rules, "--output", "json"];
    let same = Said::about(&same, &house.files).await.json();
    for part in ["gone", "new", "changed"] {
        assert_eq!(same[part], serde_json::json!([]), "{same:#}");
    }
}

#[tokio::test]
async fn incidents_that_new_rules_lead_elsewhere_are_told_before_and_after_a_reload() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.hears(Item::firing("Patient").label("property", "blog")).await;
    house.settled().await;
    let check = ["check", "--against-store"];
    let said = Said::about(&check, &house.files).await.done();
    assert!(said.contains("every incident that goes on stays where it is"), "{said}");

    house.files.edit(RULES, "identity: [alertname, property]\n", "identity: [alertname]\n");
    house.files.edit("rules/90-tests.yaml", "\"Patient\"", "\"Unheard\"");
    let said = Said::about(&check, &house.files).await.done();
    assert!(said.contains("it belongs to rule edge-5xx (alertname="), "{said}");
    assert!(said.contains("it keeps its case until it ends"), "{said}");
    assert!(said.contains("no rule matches it any more"), "{said}");
    let told = Said::about(&["check", "--against-store", "--output", "json"], &house.files).await;
    assert_eq!(texts(&told.json(), "displaced", "rule"), ["patient", "edge-5xx"]);

    let said = house.command(&["reload"]).await.done();
    assert_eq!(said.matches("led elsewhere: incident ").count(), 2, "{said}");
    // And so it is: the case goes on, for the same alert.
    assert_eq!(house.hears(edge("shop")).await.fate, "repeat");
}
