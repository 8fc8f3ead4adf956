//! What makes a case, and what is refused with which words.

use serde_json::{Value, json};

use super::{Bench, technical};

/// A valid body for each category, and a field of another category that it refuses.
fn each_category() -> Vec<(Value, &'static [&'static str], &'static str)> {
    let body = |category: &str, fields: Value| {
        let mut body = json!({
            "subject": "s", "description": "d", "accountId": "A-CCT7890", "categoryId": category,
        });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    vec![
        (
            body(
                "TECHNICAL",
                json!({ "productName": "Aura Mgmt Center", "problemName": "Install Support",
                        "severity": "1-Critical" }),
            ),
            &["productName", "problemName"],
            "policyDomainName",
        ),
        (
            body(
                "MANAGED_CLOUD",
                json!({ "productName": "Linode Compute", "problemName": "Storage",
                        "severity": "4-Low Impact" }),
            ),
            &["productName", "problemName"],
            "areaName",
        ),
        (
            body(
                "SECURITY",
                json!({ "policyDomainName": "example_shop", "productName": "Prolexic",
                        "problemName": "DDoS Attack", "severity": "1-Major Impact" }),
            ),
            &["policyDomainName", "productName", "problemName"],
            "serviceName",
        ),
        (
            body(
                "BUSINESS_SUPPORT",
                json!({ "areaName": "Contract", "serviceName": "Renewal",
                        "severity": "3-Low Impact" }),
            ),
            &["areaName", "serviceName"],
            "productName",
        ),
        (
            body(
                "BILLING",
                json!({ "areaName": "Invoice", "serviceName": "Dispute",
                        "severity": "3-Low Impact" }),
            ),
            &["areaName", "serviceName"],
            "psPackageName",
        ),
        (
            body(
                "PROFESSIONAL_SERVICES",
                json!({ "productSolutionName": "Media", "psPackageName": "Time and Materials",
                        "severity": "2-Moderate Impact" }),
            ),
            &["productSolutionName", "psPackageName"],
            "problemName",
        ),
    ]
}

#[tokio::test]
async fn each_category_takes_its_fields_and_no_others() {
    let bench = Bench::new().await;
    for (body, required, forbidden) in each_category() {
        let category = body["categoryId"].as_str().unwrap().to_owned();
        let reply = bench.post("/cases", &body).await;
        assert_eq!(reply.status, 201, "{category}: {reply:?}");
        for name in required {
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(*name);
            let reply = bench.post("/cases", &without).await;
            assert_eq!(reply.status, 400);
            assert_eq!(reply.detail(), format!("{name} is required for {category}"));

            let mut unknown = body.clone();
            unknown[*name] = json!("X");
            let reply = bench.post("/cases", &unknown).await;
            assert_eq!(reply.status, 400);
            assert!(reply.detail().contains(&format!("{name} 'X' is not available for")));
        }
        let mut with = body.clone();
        with[forbidden] = json!("X");
        let reply = bench.post("/cases", &with).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.detail(), format!("{forbidden} must not be sent for {category}"));

        let mut severity = body;
        severity["severity"] = json!("1-Nonsense");
        let reply = bench.post("/cases", &severity).await;
        assert_eq!(reply.status, 400);
        assert!(reply.detail().starts_with("severity '1-Nonsense' is not one of '"));
    }
    assert_eq!(bench.sandbox.cases().len(), 6);
    assert_eq!(bench.sandbox.requests().creates_committed, 6);
}

#[tokio::test]
async fn a_case_is_answered_with_its_place_and_in_full() {
    let bench = Bench::new().await;
    let mut body = technical("5xx");
    body["customerTrackingNumber"] = json!("key-1");
    body["alsoNotify"] = json!(["noc@example.com"]);
    body["alternateContact"] = json!({ "name": "NOC", "phone": "+1 555 0100" });
    let reply = bench.post("/cases", &body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), "/case-management/v3/cases/F-CS-1000001");
    let case = reply.body;
    assert_eq!(case["caseId"], "F-CS-1000001");
    assert_eq!(case["status"], "CREATED");
    assert_eq!(case["description"], "5xx ratio above 5 %");
    assert_eq!(case["account"]["accountName"], "Main Street Corporation");
    assert_eq!(case["category"]["categoryId"], "TECHNICAL");
    assert_eq!(case["customerTrackingNumber"], "key-1");
    assert_eq!(case["createdDate"], "2026-03-01T12:00:00Z");
    assert_eq!(case["closedDate"], Value::Null);
    assert_eq!(case["parentAccount"], json!({ "accountId": null, "accountName": null }));
    assert_eq!(case["alternateContact"]["email"], Value::Null);
    assert_eq!(case["permissions"]["addComments"], true);
    let read = bench.get("/cases/F-CS-1000001").await;
    assert_eq!(read.status, 200);
    assert_eq!(read.body, case);
    assert_eq!(bench.get("/cases/F-CS-1000002").await.status, 404);
}

#[tokio::test]
async fn the_vendor_has_no_idempotency() {
    let bench = Bench::new().await;
    let mut body = technical("twice");
    body["customerTrackingNumber"] = json!("same");
    let first = bench.post("/cases", &body).await;
    let second = bench.post("/cases", &body).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.body["caseId"], second.body["caseId"]);
}

#[tokio::test]
async fn bodies_are_refused_with_specific_words() {
    let bench = Bench::new().await;
    let changed = |name: &str, value: Value| {
        let mut body = technical("s");
        body[name] = value;
        body
    };
    let table = [
        (changed("priority", json!(1)), "unknown property 'priority'"),
        (
            changed("alternateContact", json!({ "fax": "1" })),
            "unknown property 'alternateContact.fax'",
        ),
        (changed("subject", json!(1)), "subject must be a string"),
        (changed("subject", Value::Null), "subject must be a string"),
        (changed("subject", json!(" ")), "subject must not be blank"),
        (changed("subject", json!("a\nb")), "subject contains the control character U+000A"),
        (
            changed("description", json!("a\u{7}")),
            "description contains the control character U+0007",
        ),
        (
            changed("accountId", json!("A-CCT0000")),
            "accountId 'A-CCT0000' is not an account you can use",
        ),
        (
            changed("categoryId", json!("OTHER")),
            "categoryId 'OTHER' is not one of TECHNICAL, MANAGED_CLOUD, SECURITY, BUSINESS_SUPPORT, BILLING, PROFESSIONAL_SERVICES",
        ),
        (
            changed("productName", json!("Ion")),
            "productName 'Ion' is not available for category TECHNICAL",
        ),
        (
            changed("problemName", json!("Install Support")),
            "problemName 'Install Support' is not available for product 'Ion Premier'",
        ),
        (
            changed("severity", json!("1-Critical")),
            "severity '1-Critical' is not one of '3-Low Impact', '2-Moderate Impact', '1-Major Impact'",
        ),
        (
            changed("parentAccountId", json!("A-CCT1111")),
            "parentAccountId must not be sent for TECHNICAL",
        ),
        (changed("alsoNotify", json!("a@b")), "alsoNotify must be an array of e-mail addresses"),
        (
            changed("alsoNotify", json!(["ok@example.com", "a@b@c"])),
            "alsoNotify[1] is not an e-mail address",
        ),
        (json!([]), "the request body must be a JSON object"),
        (
            json!({ "categoryId": "TECHNICAL" }),
            "subject is required; description is required; accountId is required",
        ),
    ];
    for (body, detail) in table {
        let reply = bench.post("/cases", &body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.detail(), detail);
        assert_eq!(reply.body["type"], "/case-management/v3/error-types/bad-request");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let reply = bench.try_send("POST", "/cases", b"{").await.unwrap();
    assert!(reply.detail().starts_with("the request body is not valid JSON"));
    assert!(bench.sandbox.cases().is_empty());
}

#[tokio::test]
async fn lengths_are_counted_in_utf16_units() {
    let bench = Bench::new().await;
    for (name, limit) in [("subject", 255), ("description", 32_000), ("partnerTicketNumber", 30)] {
        for (text, status) in [
            ("x".repeat(limit), 201),
            ("x".repeat(limit + 1), 400),
            ("\u{1F525}".repeat(limit / 2), 201),
            ("\u{1F525}".repeat(limit / 2 + 1), 400),
        ] {
            let mut body = technical("s");
            body[name] = json!(text);
            let reply = bench.post("/cases", &body).await;
            assert_eq!(reply.status, status, "{name}: {}", reply.body["detail"]);
        }
    }
}

#[tokio::test]
async fn a_parent_account_goes_with_an_indirect_contract_only() {
    let bench = Bench::new().await;
    let body = |account: &str, parent: Option<&str>| {
        let mut body = json!({
            "subject": "s", "description": "d", "accountId": account, "categoryId": "BILLING",
            "areaName": "Invoice", "serviceName": "Payment",
        });
        if let Some(parent) = parent {
            body["parentAccountId"] = json!(parent);
        }
        body
    };
    let reply = bench.post("/cases", &body("A-CCT5678", Some("A-CCT1111"))).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.body["parentAccount"]["accountName"], "Example Reseller One");
    for (account, parent, detail) in [
        ("A-CCT5678", None, "parentAccountId is required: the contract is indirect"),
        ("A-CCT5678", Some("A-CCT0"), "parentAccountId 'A-CCT0' is not a parent account"),
        (
            "A-CCT7890",
            Some("A-CCT1111"),
            "parentAccountId must not be sent: the contract is direct",
        ),
    ] {
        let reply = bench.post("/cases", &body(account, parent)).await;
        assert_eq!((reply.status, reply.detail()), (400, detail));
    }
}

#[tokio::test]
async fn a_category_must_be_offered_to_the_account() {
    let bench = Bench::new().await;
    let body = json!({
        "subject": "s", "description": "d", "accountId": "A-CCT3456", "categoryId": "SECURITY",
        "policyDomainName": "example_shop", "productName": "Prolexic", "problemName": "DDoS Attack",
    });
    let reply = bench.post("/cases", &body).await;
    assert_eq!(
        (reply.status, reply.detail()),
        (400, "category SECURITY is not available for account 'A-CCT3456'")
    );
}

#[tokio::test]
async fn a_body_must_be_called_json_and_be_of_a_sane_size() {
    let bench = Bench::new().await;
    let target = "/case-management/v3/cases";
    let body = technical("s").to_string();
    let header = bench.signed("POST", target, body.as_bytes());
    let url = format!("{}{target}", bench.sandbox.base_url());
    let request = bench.http.post(url).header("Authorization", header).body(body);
    assert_eq!(request.send().await.unwrap().status(), 415);
    let reply = bench.try_send("POST", "/cases", &vec![b' '; (1 << 20) + 1]).await;
    // The answer may come while the client is still sending, which it may take for a reset.
    if let Ok(reply) = reply {
        assert_eq!(reply.status, 413);
    }
    assert!(bench.sandbox.cases().is_empty());
}
