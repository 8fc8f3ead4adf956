//! The right case: severities in the vendor's own words, and texts that never cost a case.

use casewright::store::ActionState;

use crate::support::alertmanager::{Item, edge};
use crate::support::house::House;

#[tokio::test]
async fn a_rank_becomes_what_the_vendor_calls_it_for_the_product() {
    for (alert, product, severity) in [
        (edge("shop"), "Ion Premier", "1-Major Impact"),
        (edge("shop").label("severity", "warning"), "Ion Premier", "2-Moderate Impact"),
        (
            Item::firing("ConnectedCacheDown").label("site", "lab"),
            "Akamai Connect",
            "1-Critical Impact",
        ),
        (Item::firing("WafAttackSeen"), "App & API Protector", "1-Major Impact"),
    ] {
        let house = House::open().await;
        house.hears(alert).await;
        let case = house.only_case().await;
        assert_eq!(case.filed.product_name.as_deref(), Some(product));
        assert_eq!(case.filed.severity, severity, "{case:#?}");
    }
}

#[tokio::test]
async fn an_attack_becomes_a_security_case_of_its_policy_domain() {
    let house = House::open().await;
    let attack = Item::firing("DdosAttackRising")
        .label("policy_domain", "example_media")
        .label("property", "live")
        .annotation("summary", "ten times the usual");
    house.hears(attack.clone()).await;
    let case = house.only_case().await;
    assert_eq!(case.filed.category.category_id, "SECURITY");
    assert_eq!(case.filed.policy_domain_name.as_deref(), Some("example_media"));
    assert_eq!(case.filed.problem_name.as_deref(), Some("Security Event"));
    assert!(case.filed.subject.starts_with("Attack on live: ten times the usual ["), "{case:#?}");

    // Its rule says nothing of closing: a person does that.
    house.hears(attack.resolved()).await;
    let case = house.only_case().await;
    assert_eq!((case.comments.len(), case.closure_requests.len()), (1, 0), "{case:#?}");
}

#[tokio::test]
async fn a_template_that_fails_costs_the_words_and_not_the_case() {
    let house = House::open().await;
    house.hears(Item::firing("Strict").label("property", "shop")).await;
    let case = house.only_case().await;
    assert!(case.filed.subject.starts_with("Strict, rule strict ["), "{case:#?}");
    let description = &case.filed.description;
    assert!(description.contains("Alert Strict is firing."), "{description}");
    assert!(description.contains("failed at 1:"), "{description}");
    assert!(description.contains("so this plain text was used"), "{description}");
}

#[tokio::test]
async fn a_misspelt_product_is_named_with_the_one_that_was_meant() {
    let house = House::open().await;
    house.hears(Item::firing("Misspelt").label("property", "shop")).await;
    let action = house.action_says("did you mean \"Edge DNS\"?").await;
    assert_ne!(action.state, ActionState::Dead);
    assert_eq!(house.requests("POST /cases"), 0);
}

#[tokio::test]
async fn a_rule_that_names_what_the_vendor_does_not_offer_is_kept_and_says_so() {
    let house = House::open().await;
    house.hears(Item::firing("Outdated").label("property", "shop")).await;
    let action = house.action_says("A problem that the vendor does not know").await;
    assert_ne!(action.state, ActionState::Dead);
    assert_eq!(house.only_incident().await.state.name(), "opening");
    assert_eq!(house.requests("POST /cases"), 0);
}
