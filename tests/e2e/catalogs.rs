//! What the vendor accepts: kept, gone by while it is down, compared with the rules, and what becomes
//! of cases that it would not take.

use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::sandbox::{Case, Fault, Kind, On};
use casewright::store::ActionState;
use serde_json::{Value, json};

use crate::support::alertmanager::{Item, edge};
use crate::support::files::Files;
use crate::support::house::{House, eventually};
use crate::support::process::Said;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// More under the vendor.
fn vendor_says(files: &Files, more: &str) {
    files.edit("casewright.yaml", "    timeout: 1s", &format!("    timeout: 1s\n    {more}"));
}

fn with_fallback(files: &Files) {
    vendor_says(files, "fallback: { product: Ion Premier, problem: Alerts }");
}

/// The vendor offers something else: a name for another, wherever it stands.
fn rename(house: &House, from: &str, to: &str) {
    let offered = house.sandbox.catalog().to_string();
    let (from, to) = (json!(from).to_string(), json!(to).to_string());
    assert!(offered.contains(&from), "{from} is not offered");
    let offered = serde_json::from_str(&offered.replace(&from, &to)).expect("JSON");
    house.sandbox.offer(offered).expect("a catalog");
}

fn outdated() -> Item {
    Item::firing("Outdated").label("property", "shop")
}

async fn not_offered(house: &House, rule: &str, count: &str) {
    let line = format!("casewright_rule_not_offered{{rule=\"{rule}\"}}");
    eventually(&format!("{line} {count}"), || async {
        let value = house.metric(&line).await;
        if value.as_deref() == Some(count) { Ok(()) } else { Err(value) }
    })
    .await;
}

/// What was sent to open the case of the only incident.
async fn sent(house: &House) -> Value {
    let id = house.only_incident().await.id.to_string();
    house.command(&["incidents", "show", &id, "--json"]).await.json()["sent"].clone()
}

fn filed(case: &Case) -> (&str, Option<&str>, Option<&str>) {
    let filed = &case.filed;
    (
        filed.category.category_id.as_str(),
        filed.product_name.as_deref(),
        filed.problem_name.as_deref(),
    )
}

#[tokio::test]
async fn a_case_is_drafted_though_the_vendor_has_been_down_for_days() {
    let mut house = House::open().await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    // The process that has read it is gone as well.
    house.stop_daemon().await;
    house.clock.advance(60 * HOUR);
    house.start_daemon().await;
    house.hears(edge("shop")).await;
    let incident = house.incident_is("opening").await;
    let attempt = eventually("an attempt", || async {
        let attempts = house.store().attempts(&incident.id).await.expect("read");
        attempts.first().cloned().ok_or(attempts)
    })
    .await;
    let draft: Value = serde_json::from_str(&attempt.request.expect("kept")).expect("JSON");
    assert_eq!(draft["severity"], "1-Major Impact");
    let remark = draft["remarks"][0].as_str().expect("a remark");
    assert!(remark.starts_with("the vendor's catalog is that of 20"), "{remark}");
    assert!(remark.contains("could not be read since"), "{remark}");

    house.no_faults();
    house.clock.advance(HOUR);
    let case = house.cases(1).await.remove(0);
    assert_eq!(filed(&case).1, Some("Ion Premier"));
}

#[tokio::test]
async fn what_is_not_offered_by_an_old_reading_is_not_believed_while_the_vendor_is_down() {
    let house = House::prepared("400ms", with_fallback).await;
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.clock.advance(7 * HOUR);
    house.hears(outdated()).await;
    house.action_says("the vendor's catalog could not be read").await;
    // Once it can be asked, it says so itself.
    house.no_faults();
    house.clock.advance(HOUR);
    let case = house.cases(1).await.remove(0);
    assert_eq!(filed(&case), ("TECHNICAL", Some("Ion Premier"), Some("Alerts")));
}

#[tokio::test]
async fn a_case_that_the_vendor_would_not_take_is_filed_as_the_fallback_says_and_says_so() {
    let house = House::prepared("400ms", with_fallback).await;
    house.hears(outdated()).await;
    let case = house.only_case().await;
    assert_eq!(filed(&case), ("TECHNICAL", Some("Ion Premier"), Some("Alerts")));
    assert_eq!(case.filed.severity, "2-Moderate Impact");
    let first = case.filed.description.lines().next().expect("a line").to_owned();
    assert!(
        first.starts_with("This case is filed as TECHNICAL, product \"Ion Premier\""),
        "{first}"
    );
    assert!(
        first.contains("does not offer \"A problem that the vendor does not know\""),
        "{first}"
    );
    let sent = sent(&house).await;
    let remark = sent["remarks"][0].as_str().expect("a remark");
    assert!(remark.starts_with("filed as TECHNICAL, product \"Ion Premier\""), "{remark}");
    let count = house.metric("casewright_fallback_drafts_total{rule=\"outdated\"}").await;
    assert_eq!(count.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_vendor_is_asked_again_before_a_case_falls_back() {
    let house = House::prepared("400ms", with_fallback).await;
    not_offered(&house, "outdated", "1").await;
    rename(&house, "Certificates", "A problem that the vendor does not know");
    house.clock.advance(2 * MINUTE);
    house.hears(outdated()).await;
    let case = house.only_case().await;
    assert_eq!(filed(&case).2, Some("A problem that the vendor does not know"));
    not_offered(&house, "outdated", "0").await;
}

#[tokio::test]
async fn a_rule_that_the_catalog_does_not_allow_raises_a_gauge_until_it_is_mended() {
    let house = House::open().await;
    not_offered(&house, "outdated", "1").await;
    not_offered(&house, "edge-5xx", "0").await;
    assert!(house.alarms("not_offered").await >= 2, "outdated and misspelt");
    house.files.edit("rules/90-tests.yaml", "A problem that the vendor does not know", "Alerts");
    let said = house.command(&["reload"]).await.done();
    assert!(said.contains("rule `misspelt`: `product`: the vendor does not offer"), "{said}");
    assert!(!said.contains("rule `outdated`"), "{said}");
    not_offered(&house, "outdated", "0").await;
}

#[tokio::test]
async fn a_value_that_the_vendor_refuses_is_read_anew_and_the_case_goes_elsewhere_at_once() {
    let house = House::prepared("400ms", |files| {
        vendor_says(files, "fallback: { product: Edge DNS, problem: Alerts }");
    })
    .await;
    not_offered(&house, "edge-5xx", "0").await;
    rename(&house, "Configuring/Managing Services", "Configuration");
    house.hears(edge("shop")).await;
    let case = house.only_case().await;
    assert_eq!(filed(&case), ("TECHNICAL", Some("Edge DNS"), Some("Alerts")));
    assert_eq!(house.requests("POST /cases"), 2, "one that was refused, and one that was not");
    // And nobody had to ask for that.
    not_offered(&house, "edge-5xx", "1").await;
}

#[tokio::test]
async fn the_first_refusal_has_it_read_anew_however_often_it_was_tried_before() {
    let house = House::open().await;
    not_offered(&house, "edge-5xx", "0").await;
    rename(&house, "1-Major Impact", "1-Urgent");
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Create, 1)]);
    house.hears(edge("shop")).await;
    assert_eq!(house.only_case().await.filed.severity, "1-Urgent");
    house.incident_is("open").await;
}

#[tokio::test]
async fn a_case_whose_problem_is_gone_waits_also_where_only_a_refusal_tells() {
    let house = House::open().await;
    not_offered(&house, "edge-5xx", "0").await;
    let (ours, theirs) = ("Configuring/Managing Services", "Configuration");
    rename(&house, ours, theirs);
    house.hears(edge("shop")).await;
    house.action_says("the vendor does not offer").await;
    house.incident_is("opening").await;
    rename(&house, theirs, ours);
    house.clock.advance(HOUR);
    assert_eq!(filed(&house.cases(1).await[0]).2, Some(ours));
}

/// A rule that asks for a problem that the vendor does not offer, and names no fallback.
async fn blocked() -> House {
    let house = House::prepared("400ms", |files| {
        files.edit("casewright.yaml", "max: 300ms", "max: 1h");
    })
    .await;
    not_offered(&house, "outdated", "1").await;
    house.hears(outdated()).await;
    eventually("an action that is blocked", || async {
        let listed = house.command(&["actions", "list", "--json"]).await.json();
        if listed["actions"][0]["state"] == "blocked" { Ok(()) } else { Err(listed) }
    })
    .await;
    house
}

/// Lets time go by, try after try, until what is blocked is not tried by itself for minutes.
async fn not_due_soon(house: &House) {
    let tried = std::cell::Cell::new(None);
    eventually("an action that is not due for minutes", || async {
        let action = house.actions().await.remove(0);
        let waits = action.is_blocked() && action.state == ActionState::Ready;
        if waits && action.due_at > house.clock.now() + 3 * MINUTE {
            return Ok(());
        }
        if waits && tried.replace(Some(action.due_at)) != Some(action.due_at) {
            house.clock.advance(HOUR);
        }
        Err(action)
    })
    .await;
}

#[tokio::test]
async fn a_case_whose_rule_cannot_be_followed_is_shown_as_waiting_for_a_person() {
    let house = blocked().await;
    house.incident_is("opening").await;
    let listed = house.command(&["actions", "list"]).await.done();
    assert!(listed.contains("blocked") && listed.contains("outdated"), "{listed}");
    assert!(listed.contains("does not offer \"A problem that"), "{listed}");
    let id = house.only_incident().await.id.to_string();
    let shown = house.command(&["incidents", "show", &id]).await.done();
    assert!(shown.contains("waits     a person has to mend its rule"), "{shown}");
    let status = house.command(&["status", "--json"]).await.json();
    assert_eq!(status["queue"]["blocked"], 1, "{status:#}");
    assert!(house.shows("casewright_outbox_actions{kind=\"open\",state=\"blocked\"} 1").await);
    assert_eq!(house.requests("POST /cases"), 0);
}

#[tokio::test]
async fn a_case_is_opened_as_soon_as_the_rules_are_mended_and_read_anew() {
    let house = blocked().await;
    not_due_soon(&house).await;
    house.files.edit("rules/90-tests.yaml", "A problem that the vendor does not know", "Alerts");
    house.command(&["reload"]).await.done();
    assert_eq!(filed(&house.cases(1).await[0]).2, Some("Alerts"));
}

#[tokio::test]
async fn a_case_is_opened_as_soon_as_a_person_has_the_catalog_read_that_offers_what_was_missing() {
    let house = blocked().await;
    not_due_soon(&house).await;
    rename(&house, "Certificates", "A problem that the vendor does not know");
    house.command(&["catalog", "sync"]).await.done();
    house.cases(1).await;
    let nothing = house.command(&["actions", "list"]).await.done();
    assert!(nothing.contains("nothing waits for a person"), "{nothing}");
}

#[tokio::test]
async fn a_change_at_the_vendor_is_seen_in_time_and_told_with_the_rules_that_it_hits() {
    let house =
        House::prepared("400ms", |files| vendor_says(files, "catalog: { refresh: 10m }")).await;
    not_offered(&house, "edge-5xx", "0").await;
    rename(&house, "Ion Premier", "Ion Premium");
    house.clock.advance(11 * MINUTE);
    not_offered(&house, "edge-5xx", "1").await;

    let diff = house.command_on_files(&["catalog", "diff"]).await.done();
    assert!(
        diff.contains(
            "renamed product \"Ion Premier\" of A-CCT7890 / TECHNICAL to \"Ion Premium\""
        ),
        "{diff}"
    );
    assert!(!diff.contains("\"Alerts\""), "its problems go on: {diff}");
    assert!(diff.contains("rule edge-5xx ("), "{diff}");
    assert!(diff.contains("rules/10-delivery.yaml:"), "{diff}");
    assert!(diff.contains("did you mean \"Ion Premium\"?"), "{diff}");
    assert!(!diff.contains("rule misspelt"), "it was wrong before: {diff}");
    let told = house.command_on_files(&["catalog", "diff", "--json"]).await.json();
    let changes = told["vendors"][0]["changes"].as_array().expect("a list");
    assert!(changes.iter().all(|change| change["change"] == "renamed"), "{told:#}");
    let rules = told["vendors"][0]["rules"].as_array().expect("a list");
    let hit = rules.iter().find(|rule| rule["rule"] == "edge-5xx").expect("hit");
    assert!(hit["line"].as_u64().is_some(), "{hit:#}");

    // A check knows it, too.
    let checked = house.command_on_files(&["check", "--output", "json"]).await.json();
    let codes: Vec<&str> = checked
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["message"].as_str().is_some_and(|text| text.contains("`edge-5xx`")))
        .filter_map(|one| one["code"].as_str())
        .collect();
    assert_eq!(codes, ["not-offered"], "{checked:#}");
}

#[tokio::test]
async fn a_person_has_it_read_by_the_daemon_and_looks_names_up() {
    let house = House::open().await;
    rename(&house, "Zone Transfer", "Zone Transfers");
    let said = house.command(&["catalog", "sync"]).await.done();
    assert!(said.contains("vendor akamai: 3 accounts, 11 categories read"), "{said}");
    assert!(said.contains("renamed problem \"Zone Transfer\" of A-CCT7890 / TECHNICAL / Edge DNS"));
    assert!(said.contains("rule outdated ("), "{said}");
    let synced = house.command(&["catalog", "sync", "--vendor", "akamai", "--json"]).await.json();
    assert_eq!(synced["synced"][0]["changes"], json!([]), "{synced:#}");
    let said = house.command(&["catalog", "sync", "--vendor", "nobody"]).await.failed();
    assert!(said.contains("there is no such vendor"), "{said}");

    let found = house.command_on_files(&["catalog", "search", "ion", "premer"]).await.done();
    let first = found.lines().nth(1).expect("a hit");
    assert!(first.starts_with("product  Ion Premier"), "{found}");
    let found = house.command_on_files(&["catalog", "search", "zone transfers", "--json"]).await;
    let found = found.json();
    assert_eq!(found["found"][0]["entry"]["name"], "Zone Transfers", "{found:#}");
    let none = house.command_on_files(&["catalog", "search", "zzz"]).await;
    assert!(!none.ok && none.stdout.contains("no name is like"), "{none:?}");

    let shown = house
        .command_on_files(&["catalog", "show", "--account", "A-CCT7890", "--category", "SECURITY"])
        .await
        .done();
    assert!(shown.starts_with("vendor akamai, read at "), "{shown}");
    assert!(shown.contains("policy_domain"), "{shown}");
    assert!(!shown.contains("TECHNICAL") && !shown.contains("A-CCT5678"), "{shown}");
    for (narrowed, told) in [
        (
            ["--account", "A-CCT7980"].as_slice(),
            "no account `A-CCT7980` in the catalog; did you mean `A-CCT7890`? there are: A-CCT",
        ),
        (
            &["--category", "TECHNICL"],
            "no category `TECHNICL` in the catalog; did you mean `TECHNICAL`? there are: BILLING, ",
        ),
        (
            &["--account", "A-CCT7890", "--category", "x"],
            "no category `x` of account `A-CCT7890` in the catalog; there are: ",
        ),
    ] {
        let arguments = ["catalog", "show"].iter().chain(narrowed).copied().collect::<Vec<_>>();
        let said = house.command_on_files(&arguments).await.failed();
        assert!(said.contains(told), "{said}");
    }
    let shown = house.command_on_files(&["catalog", "show", "--json"]).await.json();
    let account = &shown["vendors"][0]["accounts"][0];
    assert_eq!(account["account"], "A-CCT7890");
    assert_eq!(
        account["categories"][0]["page"]["catalog"]["products"][0]["name"],
        "Akamai Connect"
    );
}

#[tokio::test]
async fn without_a_daemon_the_command_reads_it_itself() {
    let mut house = House::open().await;
    // Nobody answers where the config says, because the test's daemon is on a free port.
    let said = house.command_on_files(&["catalog", "sync"]).await.failed();
    assert!(said.contains("is in use by another casewright process"), "{said}");
    house.stop_daemon().await;
    rename(&house, "Ion Premier", "Ion Premium");
    let said = house.command_on_files(&["catalog", "sync"]).await.done();
    assert!(said.contains("to \"Ion Premium\""), "{said}");
    house.start_daemon().await;
    not_offered(&house, "edge-5xx", "1").await;
}

/// A rule for each category, with what its cases must hold and nothing else.
const EACH_CATEGORY: &str = "
rules:
  - { name: c1, match: ['alertname = \"TECHNICAL\"'], case: { account: A-CCT7890, category: TECHNICAL, product: Edge DNS, problem: Alerts, severity: 1, subject: s, description: d } }
  - { name: c2, match: ['alertname = \"MANAGED_CLOUD\"'], case: { account: A-CCT7890, category: MANAGED_CLOUD, product: PRODUCT, problem: PROBLEM, severity: 1, subject: s, description: d } }
  - { name: c3, match: ['alertname = \"SECURITY\"'], case: { account: A-CCT7890, category: SECURITY, policy_domain: example_media, product: App & API Protector, problem: Security Event, severity: 1, subject: s, description: d } }
  - { name: c4, match: ['alertname = \"BUSINESS_SUPPORT\"'], case: { account: A-CCT5678, category: BUSINESS_SUPPORT, area: AREA, service: SERVICE, parent_account: A-CCT2222, severity: 1, subject: s, description: d } }
  - { name: c5, match: ['alertname = \"BILLING\"'], case: { account: A-CCT7890, category: BILLING, area: Invoice, service: Dispute, severity: 1, subject: s, description: d } }
  - { name: c6, match: ['alertname = \"PROFESSIONAL_SERVICES\"'], case: { account: A-CCT7890, category: PROFESSIONAL_SERVICES, solution: SOLUTION, package: PACKAGE, severity: 1, subject: s, description: d } }
";

/// The rules of [`EACH_CATEGORY`] with the first names that are offered.
fn each_category(files: &Files, catalog: &Value) {
    let account = |id: &str| {
        let all = catalog["accounts"].as_array().expect("a list").iter();
        all.clone().find(|account| account["accountId"] == id).expect("an account").clone()
    };
    let category = |account: &Value, id: &str| {
        let all = account["categories"].as_array().expect("a list").iter();
        all.clone().find(|category| category["categoryId"] == id).expect("a category").clone()
    };
    let cloud = category(&account("A-CCT7890"), "MANAGED_CLOUD")["products"][0].clone();
    let support = category(&account("A-CCT5678"), "BUSINESS_SUPPORT")["areas"][0].clone();
    let services = category(&account("A-CCT7890"), "PROFESSIONAL_SERVICES");
    let mut rules = EACH_CATEGORY.to_owned();
    for (word, name) in [
        ("PRODUCT", &cloud["productName"]),
        ("PROBLEM", &cloud["problemNames"][0]),
        ("AREA", &support["areaName"]),
        ("SERVICE,", &json!(format!("{},", support["serviceNames"][0].as_str().expect("text")))),
        ("SOLUTION", &services["productSolutionNames"][0]),
        ("PACKAGE", &services["psPackageNames"][0]),
    ] {
        rules = rules.replace(&format!(": {word}"), &format!(": {}", name.as_str().expect("text")));
    }
    std::fs::write(files.rules(), rules).expect("written");
}

#[tokio::test]
async fn each_category_has_the_fields_that_the_vendor_demands_and_no_other() {
    let house = House::open().await;
    each_category(&house.files, &house.sandbox.catalog());
    let said = house.command(&["reload"]).await.failed();
    assert!(
        said.contains("the vendor bills cases of the category PROFESSIONAL_SERVICES"),
        "{said}"
    );
    vendor_says(&house.files, "allow_billable: true");
    house.command(&["reload"]).await.done();
    let all = [
        "TECHNICAL",
        "MANAGED_CLOUD",
        "SECURITY",
        "BUSINESS_SUPPORT",
        "BILLING",
        "PROFESSIONAL_SERVICES",
    ];
    for category in all {
        house.hears(Item::firing(category)).await;
    }
    let cases = house.cases(all.len()).await;
    for category in all {
        let case = cases.iter().find(|case| case.filed.category.category_id == category);
        let filed = &case.unwrap_or_else(|| panic!("no case of {category}: {cases:#?}")).filed;
        let has = [
            filed.product_name.is_some(),
            filed.problem_name.is_some(),
            filed.policy_domain_name.is_some(),
            filed.area_name.is_some(),
            filed.service_name.is_some(),
            filed.parent_account.is_some(),
            filed.product_solution_name.is_some(),
            filed.ps_package_name.is_some(),
        ];
        let expected = match category {
            "TECHNICAL" | "MANAGED_CLOUD" => [true, true, false, false, false, false, false, false],
            "SECURITY" => [true, true, true, false, false, false, false, false],
            "BUSINESS_SUPPORT" => [false, false, false, true, true, true, false, false],
            "BILLING" => [false, false, false, true, true, false, false, false],
            _ => [false, false, false, false, false, false, true, true],
        };
        assert_eq!(has, expected, "{category}");
    }
}

#[tokio::test]
async fn a_rank_that_the_product_lacks_is_resolved_as_the_policy_says() {
    for (policy, severity) in
        [("nearest_higher", "1-Major Impact"), ("nearest_lower", "3-Low Impact"), ("exact", "")]
    {
        let house = House::prepared("400ms", |files| {
            vendor_says(files, &format!("severity_policy: {policy}"));
        })
        .await;
        // There is no severity of rank 2 any more.
        let offered = house.sandbox.catalog().to_string().replace("\"2-Moderate Impact\",", "");
        house.sandbox.offer(serde_json::from_str(&offered).expect("JSON")).expect("a catalog");
        house.command(&["catalog", "sync"]).await.done();
        house.hears(edge("shop").label("severity", "warning")).await;
        if severity.is_empty() {
            house.action_says("no severity of rank 2").await;
            not_offered(&house, "edge-5xx", "1").await;
            continue;
        }
        let case = house.only_case().await;
        assert_eq!(case.filed.severity, severity, "{policy}");
        let sent = sent(&house).await;
        let remark = sent["remarks"][0].as_str().expect("a remark");
        assert!(remark.contains(&format!("`severity_policy: {policy}`")), "{remark}");
        let checked = house.command_on_files(&["check"]).await;
        assert!(checked.ok, "{checked:?}");
        let told = format!("no severity of rank 2 is offered here; `{severity}` stands in");
        assert!(checked.stderr.contains(&told), "{checked:?}");
        not_offered(&house, "edge-5xx", "0").await;
    }
}

#[tokio::test]
async fn the_only_parent_account_needs_no_name() {
    let house = House::open().await;
    let mut offered = house.sandbox.catalog();
    let category = offered.pointer_mut("/accounts/1/categories/2").expect("BILLING");
    assert_eq!(category["categoryId"], "BILLING");
    category["parentAccounts"].as_array_mut().expect("a list").truncate(1);
    let area = category["areas"][0].clone();
    house.sandbox.offer(offered).expect("a catalog");
    let rules = format!(
        "rules:\n  - name: bill\n    match: ['alertname = \"Bill\"']\n    case: {{ account: \
         A-CCT5678, category: BILLING, area: {}, service: {}, severity: 1, subject: s, \
         description: d }}\n",
        area["areaName"], area["serviceNames"][0]
    );
    std::fs::write(house.files.rules(), rules).expect("written");
    house.command(&["reload"]).await.done();
    house.clock.advance(7 * HOUR);
    house.hears(Item::firing("Bill")).await;
    let case = house.cases(1).await.remove(0);
    let parent = case.filed.parent_account.expect("named");
    assert_eq!(parent.account_id, "A-CCT1111");
}

#[tokio::test]
async fn a_category_that_was_not_read_stays_as_it_was_known() {
    let house = House::open().await;
    let before = house.command_on_files(&["catalog", "show", "--json"]).await.json();
    // The first request is for the accounts.
    house.faults([Fault { every: Some(2), ..Fault::new(Kind::ErrorAfterCommit, On::Read) }]);
    let said = house.command(&["catalog", "sync"]).await.done();
    assert!(said.contains("not read: "), "{said}");
    let after = house.command_on_files(&["catalog", "show", "--json"]).await.json();
    let names = |shown: &Value| {
        let categories = shown["vendors"][0]["accounts"][0]["categories"].as_array().cloned();
        let categories = categories.expect("a list").into_iter();
        categories.map(|one| one["page"]["catalog"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&before), names(&after));
    assert!(names(&after).iter().all(|page| !page.is_null()), "{after:#}");
}

#[tokio::test]
async fn a_catalog_in_the_store_that_makes_no_sense_is_read_anew() {
    let mut house = House::open().await;
    house.stop_daemon().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(house.files.store());
    let mut db = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::query("UPDATE catalogs SET content = '{'").execute(&mut db).await.expect("changed");
    sqlx::Connection::close(db).await.expect("closes");
    house.start_daemon().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    eventually("a catalog that can be read", || async {
        let kept = house.store().catalog(&"akamai".into()).await;
        let whole =
            kept.is_ok_and(|kept| kept.is_some_and(|kept| kept.catalog.accounts.len() == 3));
        if whole { Ok(()) } else { Err(()) }
    })
    .await;
}

#[tokio::test]
async fn an_explanation_goes_by_the_catalog_that_is_kept() {
    let house = House::prepared("400ms", with_fallback).await;
    let explain = async |alert: &str| {
        let payload = "tests/fixtures/alertmanager/0.25-01-firing.json";
        let alert = format!("alertname={alert}");
        let arguments = [
            "explain",
            payload,
            "--set",
            &alert,
            "--set",
            "env=production",
            "--set",
            "severity=critical",
        ];
        house.command_on_files(&arguments).await.done()
    };
    let said = explain("EdgeHigh5xxRatio").await;
    let severity = said.lines().find(|line| line.contains("<- the catalog of 20"));
    assert!(severity.is_some_and(|line| line.contains("1-Major Impact")), "{said}");
    assert!(said.contains("with the vendor's catalog as the store has it"), "{said}");
    let said = explain("Outdated").await;
    assert!(said.contains("Alerts  <- the vendor's fallback"), "{said}");
    assert!(said.contains("note: filed as TECHNICAL, product \"Ion Premier\""), "{said}");
}

#[tokio::test]
async fn how_old_the_catalog_is_can_be_seen() {
    let house = House::open().await;
    let listed = house.command(&["vendors", "list", "--json"]).await.json();
    let read_at = listed["vendors"][0]["catalog_read_at"].as_str().expect("a time").to_owned();
    let metric = "casewright_catalog_read_timestamp_seconds{vendor=\"akamai\"}";
    assert!(house.metric(metric).await.is_some());
    house.faults([Fault::new(Kind::Down, On::Any)]);
    house.clock.advance(30 * HOUR);
    eventually("an alarm", || async {
        if house.alarms("catalog").await == 1 { Ok(()) } else { Err(()) }
    })
    .await;
    let listed = house.command(&["vendors", "list", "--json"]).await.json();
    assert_eq!(listed["vendors"][0]["catalog_read_at"], read_at.as_str(), "it gets older");
}

/// What a command says about files, without a daemon's address.
impl House {
    async fn command_on_files(&self, arguments: &[&str]) -> Said {
        Said::about(arguments, &self.files).await
    }
}
