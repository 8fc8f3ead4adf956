//! What people see who describe a desk wrongly: a good description with one change at a time.

use secrecy::ExposeSecret as _;

use super::super::Config;
use super::*;
use crate::domain::catalog::Category;

const GOOD: &str = include_str!("../../../config/desks/servicenow.yaml");

fn env(name: &str) -> Option<String> {
    (name == "SERVICENOW_PASSWORD").then(|| "sesame-open".to_owned())
}

/// The config, and what is said about it without the temporary folder's name.
fn read_config(text: &str) -> (Option<Config>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    std::fs::write(folder.path().join("rules/one.yaml"), "rules: []\n").unwrap();
    let path = folder.path().join("casewright.yaml");
    std::fs::write(&path, text).unwrap();
    let (config, diagnostics) = Config::load(&path, &env);
    let told = diagnostics.render(false);
    (config, told.replace(&format!("{}/", folder.path().display()), ""))
}

fn desk(text: &str) -> HttpDesk {
    let (config, told) = read_config(text);
    let config = config.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(told, "");
    match config.vendors[0].kind.clone() {
        VendorKind::Http(desk) => *desk,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shipped_description_is_read() {
    let HttpDesk { base_url, auth, desk } = desk(GOOD);
    assert_eq!(base_url.as_str(), "https://example.service-now.com/");
    let Auth::Basic { user, password } = &auth else { panic!("{auth:?}") };
    assert_eq!((user.as_str(), password.expose_secret()), ("casewright", "sesame-open"));
    assert!(!format!("{auth:?}").contains("sesame"));
    let offered = desk.offer.catalog(&"web".into(), Category::Technical).unwrap();
    assert_eq!(offered.severities, ["critical", "high", "moderate", "low"]);
    assert_eq!(offered.products[1].problems, ["outage", "slowness"]);
    assert_eq!(desk.offer.fields("high").unwrap()["impact"], "2");
    for (account, category, words) in [
        ("web", Category::Billing, "it has no category BILLING (`categories` has: TECHNICAL)"),
        ("me", Category::Technical, "it has no account `me` (`accounts` has: network, web)"),
    ] {
        assert_eq!(desk.offer.catalog(&account.into(), category).unwrap_err(), words);
    }
}

#[test]
fn every_category_and_way_to_say_who_we_are_is_read() {
    let categories = [
        "MANAGED_CLOUD: {}",
        "SECURITY: { policy_domains: { Web: { Shield: [Attack] } } }",
        "BILLING: { areas: { Invoice: [Dispute] } }",
        "BUSINESS_SUPPORT: { areas: { Contract: [Change] } }",
        "PROFESSIONAL_SERVICES: { solutions: [Move], packages: [Small, Large] }",
        "TECHNICAL:",
    ];
    let categories = &format!("      {}", categories.join("\n      "));
    let text = GOOD.replace("      TECHNICAL:", categories);
    let offer = desk(&text).desk.offer;
    assert_eq!(offer.categories.len(), Category::ALL.len());
    let of = |category| offer.catalog(&"web".into(), category).unwrap();
    assert_eq!(of(Category::Security).policy_domains[0].products[0].problems, ["Attack"]);
    assert_eq!(of(Category::Billing).areas[0].services, ["Dispute"]);
    assert_eq!(of(Category::ProfessionalServices).packages, ["Small", "Large"]);
    assert!(of(Category::ManagedCloud).products.is_empty());

    let was = "auth: { basic: { user: casewright, password: \"${SERVICENOW_PASSWORD}\" } }";
    assert!(GOOD.contains(was));
    let bearer = desk(&GOOD.replace(was, "auth: { bearer: sesame }")).auth;
    assert!(matches!(&bearer, Auth::Bearer(token) if token.expose_secret() == "sesame"));
    let header = "auth: { header: { name: X-Key, value: sesame } }";
    let header = desk(&GOOD.replace(was, header)).auth;
    assert!(matches!(&header, Auth::Header { name, value }
        if name == "X-Key" && value.expose_secret() == "sesame"));
}

#[test]
fn a_desk_may_live_below_a_path() {
    let text = GOOD.replace("https://example.service-now.com", "https://example.com/desk/");
    assert_eq!(desk(&text).base_url.as_str(), "https://example.com/desk/");
}

/// What somebody changed in the good description, by the piece and what they wrote instead.
const MISTAKES: &[(&str, &str)] = &[
    // Where it is, and who we are.
    ("${SERVICENOW_URL:-https://example.service-now.com}", "http://desk.example.com"),
    ("${SERVICENOW_URL:-https://example.service-now.com}", "https://desk.example.com/?a=b"),
    ("    base_url: ${SERVICENOW_URL:-https://example.service-now.com}\n", ""),
    ("{ basic: { user: casewright, password: \"${SERVICENOW_PASSWORD}\" } }", "{}"),
    ("auth: { basic: {", "auth: { bearer: hunter2, basic: {"),
    (
        "auth: { basic: { user: casewright, password: \"${SERVICENOW_PASSWORD}\" } }",
        "auth: { header: { name: Content-Length, value: sesame } }",
    ),
    ("user: casewright,", "user: 'case:wright',"),
    (
        "{ basic: { user: casewright, password: \"${SERVICENOW_PASSWORD}\" } }",
        "{ header: { name: 'X Key', value: hunter2 } }",
    ),
    // Names in braces.
    ("'{{marker}}'", "'{{markr}}'"),
    ("'{{truncate subject 160}}'", "'{{truncate subject}}'"),
    ("'{{truncate subject 160}}'", "'{{upper subject}}'"),
    ("'{{truncate subject 160}}'", "'{{#if subject}}{{subject}}{{/if}}'"),
    ("'{{truncate subject 160}}'", "'{{subject'"),
    ("'{{severity.impact}}'", "'{{severity.inpact}}'"),
    ("'{{severity.impact}}'", "'{{number severity.impact}} of 3'"),
    ("{ comments: '{{text}}' }", "{ comments: '{{truncate text 4000}}' }"),
    ("correlation_id={{marker}}", "correlation_id={{marker}}^account={{account}}"),
    ("{ sysparm_limit: \"1\", sysparm_fields: sys_id }", "{ who: '{{marker}}' }"),
    // What could not be found again.
    ("correlation_id: '{{marker}}'", "correlation_id: none"),
    ("correlation_id: '{{marker}}'", "correlation_id: '{{marker}} {{product}}'"),
    ("correlation_id: '{{marker}}'", "correlation_id: '{{number marker}}'"),
    ("body: { comments: '{{text}}' }", "body: { comments: something }"),
    (
        "      path: /api/now/table/incident/{{case}}\n      query:",
        "      path: /api/now/table/incident\n      query:",
    ),
    (
        "      comments:\n        path: /api/now/table/sys_journal_field\n        query:\n          sysparm_query: element_id={{case}}^element=comments^ORDERBYDESCsys_created_on\n          sysparm_fields: value\n        list: /result\n        text: /value\n",
        "",
    ),
    // Calls.
    ("      id: /result/sys_id\n", ""),
    ("id: /result/sys_id", "id: result.sys_id"),
    ("id: /result/sys_id", "id: /result/~2"),
    (
        "      method: PATCH\n      path: /api/now/table/incident/{{case}}\n      body: {",
        "      method: patch\n      path: /api/now/table/incident/{{case}}\n      body: {",
    ),
    (
        "      path: /api/now/table/incident\n      query: { sysparm_fields",
        "      path: api/now/table/incident\n      query: { sysparm_fields",
    ),
    (
        "      path: /api/now/table/incident\n      query: { sysparm_fields",
        "      path: /api/now/table/incident?x=y\n      query: { sysparm_fields",
    ),
    (
        "      query: { sysparm_fields: \"sys_id,number,correlation_id\" }",
        "      headers: { Authorization: x }",
    ),
    (
        "      query: { sysparm_fields: \"sys_id,number,correlation_id\" }",
        "      headers: { Authorization: 'Bearer {{sesame' }",
    ),
    (
        "      query: { sysparm_fields: \"sys_id,number,correlation_id\" }",
        "      headers: { X-Desk-Token: '{{sesame' }",
    ),
    (
        "      path: /api/now/table/incident\n      query: { sysparm_fields",
        "      path: /api/%2E%2e/table/incident\n      query: { sysparm_fields",
    ),
    (
        "      query: { sysparm_fields: \"sys_id,number,correlation_id\" }",
        "      headers: { 'X Key': x }",
    ),
    ("      reference: /result/number", "      refrence: /result/number"),
    ("body: { comments: '{{text}}' }", "body: '{\"comments\": \"{{text}}\"}'"),
    (
        "    probe:\n      path: /api/now/table/incident\n      query: { sysparm_limit: \"1\", sysparm_fields: sys_id }\n",
        "",
    ),
    (
        "      reference: /result/number",
        "      taken: { status: 200, pointer: /error, contains: '' }",
    ),
    // Pages.
    (
        "{ offset: sysparm_offset, limit: sysparm_limit, size: 100 }",
        "{ offset: sysparm_offset, next: /next }",
    ),
    ("{ offset: sysparm_offset, limit: sysparm_limit, size: 100 }", "{ offset: sysparm_offset }"),
    ("{ offset: sysparm_offset, limit: sysparm_limit, size: 100 }", "{ more: /more }"),
    // What it accepts.
    (
        "{ name: high, fields: { impact: \"2\", urgency: \"1\" } }",
        "{ name: high, fields: { impact: \"2\" } }",
    ),
    (
        "{ name: high, fields: { impact: \"2\", urgency: \"1\" } }",
        "{ name: high, fields: { impact: 2, urgency: \"1\" } }",
    ),
    ("name: high,", "name: 1-high,"),
    (
        "impact: '{{severity.impact}}'\n        urgency",
        "impact: '{{bool severity.impact}}'\n        urgency",
    ),
    ("      TECHNICAL:\n", "      Technical:\n"),
    ("        products:\n", "        product:\n"),
];

#[test]
fn every_mistake_is_told_where_it_stands_with_what_to_do() {
    let mut all = String::new();
    for (from, to) in MISTAKES {
        assert!(GOOD.contains(from), "{from}");
        let (config, told) = read_config(&GOOD.replacen(from, to, 1));
        assert!(config.is_none() && !told.is_empty(), "{to}");
        assert!(!told.contains("sesame") && !told.contains("hunter2"), "{told}");
        all.push_str(&format!("---- {}\n{told}\n", to.trim()));
    }
    insta::assert_snapshot!(all);
}
