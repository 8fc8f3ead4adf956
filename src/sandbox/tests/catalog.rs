//! What the catalog answers.

use serde_json::json;

use super::Bench;
use crate::sandbox::catalog::Catalog;

#[tokio::test]
async fn accounts_are_a_bare_array_that_leads_to_their_categories() {
    let bench = Bench::new().await;
    let accounts = bench.get("/accounts-with-categories").await.body;
    let accounts = accounts.as_array().unwrap();
    assert_eq!(accounts.len(), 3);
    for account in accounts {
        for category in account["categories"].as_array().unwrap() {
            let href = category["links"][0]["href"].as_str().unwrap();
            let reply = bench.get(href.strip_prefix(super::BASE).unwrap()).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.body["categoryId"], category["categoryId"]);
            assert_eq!(reply.body["account"]["accountId"], account["accountId"]);
            for list in ["products", "areas", "policyDomains", "parentAccounts", "severities"] {
                assert!(reply.body[list].is_array(), "{list} of {href}");
            }
        }
    }
    assert_eq!(accounts[0]["accountId"], "A-CCT7890");
    assert_eq!(accounts[0]["categories"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_category_lists_severities_worst_last_and_products_again_and_again() {
    let bench = Bench::new().await;
    let category = bench.get("/categories/TECHNICAL").await.body;
    assert_eq!(category["account"]["accountId"], "A-CCT7890");
    let ion: Vec<_> = category["products"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|product| product["productName"] == "Ion Premier")
        .collect();
    assert_eq!(ion.len(), 3);
    assert_eq!(
        ion[0]["severities"],
        json!(["3-Low Impact", "2-Moderate Impact", "1-Major Impact"])
    );
    assert_eq!(category["areas"], json!([]));
}

#[tokio::test]
async fn a_category_that_an_account_lacks_is_not_found() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/categories/SECURITY?accountId=A-CCT3456").await.status, 404);
    assert_eq!(bench.get("/categories/OTHER?accountId=A-CCT7890").await.status, 404);
    assert_eq!(bench.get("/categories/TECHNICAL?accountId=A-CCT0").await.status, 404);
    let reply = bench.get("/categories/TECHNICAL?accountSwitchKey=1").await;
    assert_eq!((reply.status, reply.detail()), (400, "unknown query parameter 'accountSwitchKey'"));
}

#[test]
fn everything_in_the_catalog_can_be_used() {
    let catalog = Catalog::built_in().unwrap();
    for account in &catalog.accounts {
        for category in &account.categories {
            for product in &category.products {
                assert!(!product.severities.is_empty(), "{}", product.product_name);
            }
            if category.products.is_empty() {
                assert!(!category.severities.is_empty(), "{}", category.category_id);
            }
        }
    }
}

#[tokio::test]
async fn what_is_offered_can_be_changed_and_restored() {
    let bench = Bench::new().await;
    let built_in = bench.control("GET", "/catalog", &json!(null)).await.body;
    let mut other = built_in.clone();
    other["accounts"].as_array_mut().unwrap().truncate(1);
    assert_eq!(bench.control("PUT", "/catalog", &other).await.status, 200);
    let accounts = bench.get("/accounts-with-categories").await.body;
    assert_eq!(accounts.as_array().unwrap().len(), 1);
    assert_eq!(bench.get("/categories/TECHNICAL?accountId=A-CCT5678").await.status, 404);

    let odd = bench.control("PUT", "/catalog", &json!({ "accounts": [], "more": 1 })).await;
    assert_eq!(odd.status, 400, "{odd:?}");
    assert_eq!(bench.control("GET", "/catalog", &json!(null)).await.body, other);

    assert_eq!(bench.control("DELETE", "/catalog", &json!(null)).await.body, built_in);
    let accounts = bench.get("/accounts-with-categories").await.body;
    assert_eq!(accounts.as_array().unwrap().len(), 3);
}
