//! Who may do what at the admin listener: roles, browsers, a proxy that is trusted, and the record of
//! it all. Against a daemon that runs, over real sockets, with headers as browsers and attackers send
//! them.

use casewright::http::{api, console};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::alertmanager::edge;
use crate::support::files::Files;
use crate::support::house::House;

const VIEWER: &str = "the-token-of-a-viewer";
const OPERATOR: &str = "the-token-of-an-operator";
const ADMIN: &str = "the-token-of-an-admin";

/// What a browser says of a request that one of our own pages has made.
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One token of each role.
fn tokens(files: &Files) {
    let tokens = format!(
        "server: {{ admin_tokens: [{{ name: vera, role: viewer, token: {VIEWER} }}, \
         {{ name: olga, role: operator, token: {OPERATOR} }}, \
         {{ name: ada, role: admin, token: {ADMIN} }}], "
    );
    files.edit("casewright.yaml", "server: { ", &tokens);
}

async fn house() -> House {
    House::prepared("400ms", tokens).await
}

/// More keys of `server`, beside the tokens.
async fn house_with(more: &str) -> House {
    House::prepared("400ms", |files| {
        tokens(files);
        files.edit("casewright.yaml", "server: { ", &format!("server: {{ {more}, "));
    })
    .await
}

/// Headers of a request.
type Headers<'h> = &'h [(&'h str, &'h str)];

/// An answer.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn is_html(&self) -> bool {
        let kind = self.headers.get("content-type").map(|kind| kind.to_str().expect("text"));
        kind.is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// The machine-readable word of a refusal.
    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A request with exactly these headers.
async fn send(
    house: &House,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    form: Option<&str>,
) -> Told {
    let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
    let url = format!("http://{}{path}", house.admin());
    let mut request = client.expect("a client").request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(form) = form {
        request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
    }
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    Told { status, headers, text: answer.text().await.expect("a body") }
}

async fn get(house: &House, path: &str, headers: &[(&str, &str)]) -> Told {
    send(house, Method::GET, path, headers, None).await
}

async fn post(house: &House, path: &str, headers: &[(&str, &str)]) -> Told {
    send(house, Method::POST, path, headers, None).await
}

/// Pastes a token into the login page.
async fn paste(house: &House, token: &str, headers: &[(&str, &str)]) -> Told {
    let form = format!("token={token}&next=%2Fwhy%3Fabout%3Dx");
    send(house, Method::POST, "/login", headers, Some(&form)).await
}

/// A browser that was let in.
struct Browser {
    cookie: String,
    form_token: String,
}

impl Browser {
    async fn login(house: &House, token: &str) -> Self {
        let told = paste(house, token, &[OURS]).await;
        assert_eq!(told.status, 303, "{told:?}");
        assert_eq!(told.headers[LOCATION], "/why?about=x");
        let set = told.headers[SET_COOKIE].to_str().expect("text").to_owned();
        let cookie = set.split(';').next().expect("a pair").to_owned();
        let who = get(house, "/api/v1/whoami", &[("cookie", &cookie)]).await;
        assert_eq!(who.status, 200, "{who:?}");
        let form_token = who.json()["form_token"].as_str().expect("a token").to_owned();
        Self { cookie, form_token }
    }

    async fn looks(&self, house: &House) -> Told {
        get(house, "/api/v1/vendors", &[("cookie", &self.cookie)]).await
    }

    /// Sends a form to an address that changes something.
    async fn sends(&self, house: &House, path: &str, headers: &[(&str, &str)], form: &str) -> Told {
        let headers = [&[("cookie", self.cookie.as_str())], headers].concat();
        send(house, Method::POST, path, &headers, Some(form)).await
    }

    /// The form as our page would send it.
    fn form(&self) -> String {
        format!("form_token={}", self.form_token)
    }

    async fn logs_out(&self, house: &House) -> Told {
        self.sends(house, "/logout", &[OURS], &self.form()).await
    }
}

fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

async fn record(house: &House, query: &str) -> Vec<Value> {
    let (name, value) = bearer(VIEWER);
    let told = get(house, &format!("/api/v1/audit{query}"), &[(name, &value)]).await;
    assert_eq!(told.status, 200, "{told:?}");
    told.json()["entries"].as_array().expect("a list").clone()
}

/// Who, act, object and outcome of an entry.
fn gist(entry: &Value) -> [String; 4] {
    ["who", "act", "object", "outcome"]
        .map(|key| entry[key].as_str().unwrap_or_default().to_owned())
}

/// Every route behind the guard with the least role for it, and a request that does no harm.
const ROUTES: [(&str, Method, &str, &str); 56] = [
    ("/", Method::GET, "/", "viewer"),
    ("/incidents", Method::GET, "/incidents", "viewer"),
    ("/incidents/{id}", Method::GET, "/incidents/x", "viewer"),
    ("/incidents/{id}/approve", Method::POST, "/incidents/x/approve", "operator"),
    ("/incidents/{id}/reject", Method::POST, "/incidents/x/reject", "operator"),
    ("/incidents/{id}/draft", Method::GET, "/incidents/x/draft", "viewer"),
    ("/incidents/{id}/draft", Method::POST, "/incidents/x/draft", "operator"),
    ("/held", Method::GET, "/held", "viewer"),
    ("/actions", Method::GET, "/actions", "viewer"),
    ("/actions/{incident}/{seq}/retry", Method::POST, "/actions/x/1/retry", "operator"),
    ("/why", Method::GET, "/why", "viewer"),
    ("/rules", Method::GET, "/rules", "viewer"),
    ("/deliveries", Method::GET, "/deliveries", "viewer"),
    ("/deliveries/{id}", Method::GET, "/deliveries/x", "viewer"),
    ("/vendors", Method::GET, "/vendors", "viewer"),
    ("/vendors/{name}/pause", Method::POST, "/vendors/x/pause", "operator"),
    ("/vendors/{name}/resume", Method::POST, "/vendors/x/resume", "operator"),
    ("/catalog", Method::GET, "/catalog", "viewer"),
    ("/mutes", Method::GET, "/mutes", "viewer"),
    ("/mutes", Method::POST, "/mutes", "operator"),
    ("/mutes/{id}/lift", Method::POST, "/mutes/x/lift", "operator"),
    ("/audit", Method::GET, "/audit", "viewer"),
    ("/api/v1/alerts", Method::GET, "/api/v1/alerts", "viewer"),
    ("/api/v1/cases", Method::GET, "/api/v1/cases", "viewer"),
    ("/api/v1/cases/{case}", Method::GET, "/api/v1/cases/x", "viewer"),
    ("/api/v1/actions/{incident}/{seq}", Method::GET, "/api/v1/actions/x/1", "viewer"),
    ("/api/v1/catalog", Method::GET, "/api/v1/catalog", "viewer"),
    ("/api/v1/catalog/search", Method::GET, "/api/v1/catalog/search?words=x", "viewer"),
    ("/api/v1/deliveries", Method::GET, "/api/v1/deliveries", "viewer"),
    ("/api/v1/deliveries/{id}", Method::GET, "/api/v1/deliveries/x", "viewer"),
    (
        "/api/v1/deliveries/{id}/explanation",
        Method::GET,
        "/api/v1/deliveries/x/explanation",
        "viewer",
    ),
    ("/api/v1/deliveries/{id}/replay", Method::POST, "/api/v1/deliveries/x/replay", "operator"),
    ("/api/v1/incidents/{id}/draft", Method::GET, "/api/v1/incidents/x/draft", "viewer"),
    ("/api/v1/incidents/{id}/draft", Method::PUT, "/api/v1/incidents/x/draft", "operator"),
    ("/api/v1/openapi.json", Method::GET, "/api/v1/openapi.json", "viewer"),
    ("/api/v1/rules", Method::GET, "/api/v1/rules", "viewer"),
    ("/api/v1/status", Method::GET, "/api/v1/status", "viewer"),
    ("/api/v1/vendors/{name}", Method::GET, "/api/v1/vendors/x", "viewer"),
    ("/api/v1/vendors/{name}/pause", Method::POST, "/api/v1/vendors/x/pause", "operator"),
    ("/api/v1/actions", Method::GET, "/api/v1/actions", "viewer"),
    (
        "/api/v1/actions/{incident}/{seq}/retry",
        Method::POST,
        "/api/v1/actions/x/1/retry",
        "operator",
    ),
    ("/api/v1/audit", Method::GET, "/api/v1/audit", "viewer"),
    ("/api/v1/whoami", Method::GET, "/api/v1/whoami", "viewer"),
    ("/api/v1/catalog/sync", Method::POST, "/api/v1/catalog/sync?vendor=nobody", "operator"),
    ("/api/v1/incidents", Method::GET, "/api/v1/incidents", "viewer"),
    ("/api/v1/incidents/{id}", Method::GET, "/api/v1/incidents/x", "viewer"),
    ("/api/v1/incidents/{id}/approve", Method::POST, "/api/v1/incidents/x/approve", "operator"),
    ("/api/v1/incidents/{id}/reject", Method::POST, "/api/v1/incidents/x/reject", "operator"),
    ("/api/v1/why", Method::GET, "/api/v1/why?about=x", "viewer"),
    ("/api/v1/mutes", Method::GET, "/api/v1/mutes", "viewer"),
    ("/api/v1/mutes", Method::POST, "/api/v1/mutes", "operator"),
    ("/api/v1/mutes/{id}/lift", Method::POST, "/api/v1/mutes/x/lift", "operator"),
    ("/api/v1/vendors", Method::GET, "/api/v1/vendors", "viewer"),
    ("/api/v1/vendors/{name}/resume", Method::POST, "/api/v1/vendors/x/resume", "operator"),
    ("/-/reload", Method::POST, "/-/reload", "admin"),
    // What is not there takes no less.
    ("", Method::DELETE, "/api/v1/nothing", "operator"),
];

/// Whether a route of the table is a page of the console or a button on one.
fn is_page(method: &Method, route: &str) -> bool {
    console::operations().iter().any(|(of, path)| of == method && *path == route)
}

/// Open to whoever reaches the listener, or with rules of their own.
const OPEN: [&str; 7] = [
    "/-/healthy",
    "/-/ready",
    "/metrics",
    "/login",
    "/logout",
    // Never ends, so it is asked below.
    "/console/events",
    "/webhooks/{source}",
];

#[tokio::test]
async fn every_route_takes_its_role_and_no_lesser_one() {
    let house = house().await;
    let roles = [("viewer", VIEWER), ("operator", OPERATOR), ("admin", ADMIN)];
    assert_eq!(get(&house, "/console/events", &[]).await.status, StatusCode::UNAUTHORIZED);
    for (route, method, path, least) in ROUTES {
        let told = send(&house, method.clone(), path, &[], None).await;
        // Who asks for a page is led to the login; who sends a form gets it as the answer.
        let is_page = is_page(&method, route);
        let is_led = is_page && method == Method::GET;
        let closed = if is_led { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED };
        assert_eq!(told.status, closed, "{method} {path} {told:?}");
        let mut suffices = false;
        for (role, token) in roles {
            suffices |= role == least;
            let (name, value) = bearer(token);
            let told = send(&house, method.clone(), path, &[(name, &value)], None).await;
            assert_eq!(is_page, told.is_html(), "{method} {path} as {role}: {told:?}");
            let says_so = told.code() == "role" || is_page && told.text.contains("needs the role");
            let denied = told.status == 403 && says_so;
            assert_eq!(denied, !suffices, "{method} {path} as {role}: {told:?}");
            assert!(denied || told.status != 401, "{method} {path} as {role}: {told:?}");
            if denied {
                assert!(told.text.contains(&format!("needs the role `{least}`")), "{told:?}");
                assert!(told.text.contains(&format!("has the role `{role}`")), "{told:?}");
            }
        }
    }
}

#[test]
fn every_route_of_the_source_has_its_role_in_the_table() {
    let route = Regex::new(r#"\.route\(\s*"([^"]+)""#).expect("a pattern");
    let tables: BTreeSet<&str> = ROUTES.iter().map(|(route, ..)| *route).chain(OPEN).collect();
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let files = glob::glob(http.join("**/*.rs").to_str().expect("text")).expect("a pattern");
    // Those of tables that can be listed are not written out where they are added.
    let pages = console::operations().into_iter().map(|(method, path)| (method, path.to_owned()));
    let described: Vec<_> = api::operations().into_iter().chain(pages).collect();
    for (method, path) in &described {
        let has = |(known, of, ..): &(&str, Method, &str, &str)| known == path && of == method;
        assert!(ROUTES.iter().any(has), "{method} {path} has no role");
    }
    let mut found = described.len();
    for file in files.map(|file| file.expect("readable")) {
        if file.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("readable");
        let is_api = file.strip_prefix(&http).is_ok_and(|file| file.starts_with("api"));
        for path in route.captures_iter(&text).map(|found| found[1].to_owned()) {
            let nested = is_api && !path.starts_with("/-/");
            let path = if nested { format!("/api/v1{path}") } else { path };
            assert!(tables.contains(path.as_str()), "{path} of {} has no role", file.display());
            found += 1;
        }
    }
    assert!(found > 15, "{found}");
}

#[tokio::test]
async fn what_is_denied_is_done_by_nobody_and_on_record() {
    let house = house().await;
    let (name, value) = bearer(VIEWER);
    let mute = "/api/v1/mutes?for=1h&all=true&reason=because";
    let told = post(&house, mute, &[(name, &value)]).await;
    assert_eq!((told.status, told.code().as_str()), (StatusCode::FORBIDDEN, "role"));
    assert_eq!(house.store().mutes(jiff::Timestamp::UNIX_EPOCH).await.expect("read"), []);
    let (name, value) = bearer(OPERATOR);
    assert_eq!(post(&house, "/-/reload", &[(name, &value)]).await.status, 403);
    let entries = record(&house, "").await;
    assert_eq!(gist(&entries[0]), ["olga", "request", "POST /-/reload", "refused"]);
    assert_eq!(gist(&entries[1]), ["vera", "request", "POST /api/v1/mutes", "refused"]);
    assert_eq!(entries[1]["role"], "viewer");
    assert_eq!(entries[1]["from"], "127.0.0.1");
    let denied = house.metric(r#"casewright_admin_calls_total{call="any",result="denied"}"#).await;
    assert_eq!(denied.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_token_may_stand_in_the_config_as_its_digest() {
    let house = House::open().await;
    let arguments = ["token", "new", "--name", "kim", "--role", "operator"];
    // The command takes no daemon and no config, and so none of their flags.
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_casewright"))
        .args(arguments)
        .output()
        .expect("it runs");
    let said = String::from_utf8(made.stdout).expect("text");
    let (token, entry) = said.trim().split_once('\n').expect("two lines");
    assert!(!entry.contains(token), "{said}");
    let entry = entry.trim_start_matches("- ");
    let tokens = format!("server: {{ admin_tokens: [{entry}], ");
    house.files.edit("casewright.yaml", "server: { ", &tokens);
    house.command(&["reload"]).await.done();
    let (name, value) = bearer(token);
    let told = get(&house, "/api/v1/whoami", &[(name, &value)]).await.json();
    assert_eq!((&told["name"], &told["role"]), (&"kim".into(), &"operator".into()));
    let digest = entry.split("token_sha256: ").nth(1).expect("a digest").trim_end_matches(" }");
    let (name, value) = bearer(digest);
    assert_eq!(get(&house, "/api/v1/whoami", &[(name, &value)]).await.status, 401);
}

#[tokio::test]
async fn a_browser_comes_in_with_a_token_and_goes_out() {
    let house = house().await;
    let browser = Browser::login(&house, VIEWER).await;
    assert_eq!(browser.looks(&house).await.status, 200);
    // A viewer may go out, too.
    let told = browser.logs_out(&house).await;
    assert_eq!(
        (told.status, &told.headers[LOCATION]),
        (StatusCode::SEE_OTHER, &"/login".parse().expect("text"))
    );
    assert!(told.headers[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"));
    let told = browser.looks(&house).await;
    assert_eq!((told.status, told.code().as_str()), (StatusCode::UNAUTHORIZED, "session_over"));
    let record = record(&house, "").await;
    assert_eq!(gist(&record[0]), ["vera", "logout", "console", "done"]);
    assert_eq!(gist(&record[1]), ["vera", "login", "console", "done"]);
    assert_eq!((&record[0]["means"], &record[1]["means"]), (&"session".into(), &"token".into()));
}

#[tokio::test]
async fn the_cookie_is_only_for_us_and_the_store_holds_nothing_that_opens() {
    let house = house().await;
    let told = paste(&house, OPERATOR, &[OURS]).await;
    let set = told.headers[SET_COOKIE].to_str().expect("text");
    assert!(set.starts_with("casewright_session="), "{set}");
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    assert!(!set.contains("Secure"), "{set}");
    let over_tls = paste(&house, OPERATOR, &[OURS, ("x-forwarded-proto", "https")]).await;
    let secure = over_tls.headers[SET_COOKIE].to_str().expect("text");
    assert!(secure.starts_with("__Host-casewright_session="), "{secure}");
    assert!(secure.ends_with("; Secure"), "{secure}");

    let browser = Browser::login(&house, OPERATOR).await;
    let shown = browser.cookie.split('=').nth(1).expect("a value");
    let digest = casewright::domain::access::TokenDigest::of(OPERATOR.as_bytes()).to_hex();
    for name in ["casewright.db", "casewright.db-wal"] {
        let bytes = std::fs::read(house.files.path(name)).expect("readable");
        for secret in [shown, &browser.form_token, OPERATOR, &digest] {
            let found = bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

#[tokio::test]
async fn secure_cookies_can_be_demanded() {
    let house = house_with("console: { secure_cookies: true }").await;
    let told = paste(&house, OPERATOR, &[OURS]).await;
    let set = told.headers[SET_COOKIE].to_str().expect("text");
    assert!(set.starts_with("__Host-") && set.ends_with("; Secure"), "{set}");
}

#[tokio::test]
async fn what_a_browser_changes_must_come_from_a_form_of_ours() {
    let house = house().await;
    let browser = Browser::login(&house, OPERATOR).await;
    let mute = "/api/v1/mutes?for=1h&all=true&reason=because";
    let here = format!("http://{}", house.admin());
    let (good, wrong) = (browser.form(), format!("form_token={}", "0".repeat(64)));
    let other = Browser::login(&house, OPERATOR).await;
    let cases: [(&str, Headers<'_>, &str, &str); 9] = [
        ("another site", &[("sec-fetch-site", "cross-site")], &good, "foreign"),
        ("a neighbour", &[("sec-fetch-site", "same-site")], &good, "foreign"),
        ("an older browser, elsewhere", &[("origin", "http://evil.example")], &good, "foreign"),
        ("a page without an origin", &[("origin", "null")], &good, "foreign"),
        ("nobody knows whence", &[], &good, "foreign"),
        ("no token", &[OURS], "a=b", "form_token"),
        ("a wrong token", &[OURS], &wrong, "form_token"),
        ("the token of another session", &[OURS], &other.form(), "form_token"),
        (
            "a wrong token in the header",
            &[OURS, ("x-casewright-form-token", "x")],
            &good,
            "form_token",
        ),
    ];
    for (case, headers, form, code) in cases {
        let told = browser.sends(&house, mute, headers, form).await;
        assert_eq!((told.status, told.code().as_str()), (StatusCode::FORBIDDEN, code), "{case}");
    }
    let plain = send(&house, Method::POST, mute, &[("cookie", &browser.cookie), OURS], None).await;
    assert_eq!(plain.code(), "form_token", "no form at all");
    let now = jiff::Timestamp::UNIX_EPOCH;
    assert_eq!(house.store().mutes(now).await.expect("read"), [], "nothing was done");
    let refused = record(&house, "?who=olga&act=request").await;
    assert_eq!(refused.len(), 10, "{refused:#?}");

    let token = ("x-casewright-form-token", browser.form_token.as_str());
    for (headers, form) in [
        (vec![OURS], good.as_str()),
        (vec![("origin", here.as_str())], &good),
        (vec![OURS, token], ""),
    ] {
        let told = browser.sends(&house, mute, &headers, form).await;
        assert_eq!(told.status, 201, "{headers:?}: {told:?}");
    }
    assert_eq!(house.store().mutes(now).await.expect("read").len(), 3);
    // A token in the request itself is sent by no browser on its own.
    let (name, value) = bearer(OPERATOR);
    let told = post(&house, mute, &[(name, &value), ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(told.status, 201, "{told:?}");
}

#[tokio::test]
async fn a_viewers_browser_changes_nothing() {
    let house = house().await;
    let browser = Browser::login(&house, VIEWER).await;
    let mute = "/api/v1/mutes?for=1h&all=true&reason=because";
    let told = browser.sends(&house, mute, &[OURS], &browser.form()).await;
    assert_eq!((told.status, told.code().as_str()), (StatusCode::FORBIDDEN, "role"));
}

/// A page of the console that says what was refused, why and what to do.
fn assert_page(told: &Told, status: u16, words: &[&str]) {
    assert_eq!(told.status, status, "{told:?}");
    assert!(told.is_html() && told.text.trim_end().ends_with("</html>"), "{told:?}");
    let policy = told.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(told.headers["cache-control"], "no-store");
    for words in words {
        assert!(told.text.contains(words), "{words}: {told:?}");
    }
}

#[tokio::test]
async fn a_browser_is_refused_by_a_page_and_a_script_in_json() {
    let house = house().await;
    let accept = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let (viewer, operator) =
        (Browser::login(&house, VIEWER).await, Browser::login(&house, OPERATOR).await);
    let here = format!("http://{}", house.admin());
    let referer = format!("{here}/mutes?rule=edge-5xx");
    let from_mutes = [OURS, ("referer", referer.as_str())];
    let back = "href=\"/mutes?rule=edge-5xx\"";

    // Without the form's token, from another site, with too small a role; without a script's `Accept`.
    let told = operator.sends(&house, "/mutes", &from_mutes, "rule=&lasts=1h&reason=x").await;
    assert_page(&told, 403, &["does not carry the token", "Load the page anew", back]);
    let foreign = [("sec-fetch-site", "cross-site"), ("referer", "https://evil.example/mutes")];
    let told = operator.sends(&house, "/mutes", &foreign, &operator.form()).await;
    assert_page(&told, 403, &["another site made this request", "href=\"/\""]);
    assert!(!told.text.contains("evil.example"), "{told:?}");
    let told = viewer.sends(&house, "/mutes", &from_mutes, &viewer.form()).await;
    assert_page(&told, 403, &["needs the role `operator`", "has the role `viewer`", back]);
    let form = format!("{}&rule=&lasts=soon&reason=x", operator.form());
    let told = operator.sends(&house, "/mutes", &from_mutes, &form).await;
    assert_page(&told, 400, &["`for` is no time", back, "class=\"user\">olga <"]);
    let told = operator.sends(&house, "/logout", &from_mutes, "").await;
    assert_page(&told, 403, &["does not carry the token"]);

    // What is not there, and what takes another method.
    let told = get(&house, "/nothing", &[accept]).await;
    assert_page(&told, 404, &["There is nothing at this address.", "href=\"/\""]);
    assert_eq!(told.headers["vary"], "accept");
    let cookie = ("cookie", operator.cookie.as_str());
    let told = get(&house, "/mutes/x/lift", &[cookie]).await;
    assert_page(&told, 405, &["takes POST only"]);
    assert_eq!(told.headers["allow"], "POST");
    let told = get(&house, "/api/v1/incidents/x", &[cookie, accept]).await;
    assert_page(&told, 404, &["There is no such incident."]);
    let told = get(&house, "/deliveries/%ff", &[cookie]).await;
    assert_page(&told, 400, &["The address is not understood."]);

    for (path, headers) in [("/nothing", vec![]), ("/api/v1/vendors", vec![("accept", "*/*")])] {
        let told = get(&house, path, &headers).await;
        assert!(!told.is_html() && !told.code().is_empty(), "{told:?}");
        assert_eq!(told.headers["vary"], "accept");
    }
    assert_eq!(house.store().mutes(jiff::Timestamp::UNIX_EPOCH).await.expect("read"), []);
}

#[tokio::test]
async fn whose_session_ends_over_a_form_is_told_that_it_was_not_done_and_led_back_to_it() {
    let house = house_with("console: { session: 2h, session_idle: 30m }").await;
    let here = format!("http://{}", house.admin());
    let form = "rule=&lasts=1h&reason=x";
    for (referer, next) in [
        (format!("{here}/mutes?rule=edge-5xx"), "/mutes?rule=edge-5xx"),
        ("https://evil.example/mutes".to_owned(), "/"),
        (format!("{here}//evil.example"), "/"),
    ] {
        let browser = Browser::login(&house, OPERATOR).await;
        house.clock.advance(HOUR);
        let sent = format!("{}&{form}", browser.form());
        let told = browser.sends(&house, "/mutes", &[OURS, ("referer", &referer)], &sent).await;
        let field = format!("name=\"next\" value=\"{next}\"");
        assert_page(&told, 401, &["Your session has ended", "was not done", &field]);
        let form =
            format!("token={OPERATOR}&next={}", next.replace('?', "%3F").replace('=', "%3D"));
        let told = send(&house, Method::POST, "/login", &[OURS], Some(&form)).await;
        assert_eq!(told.status, 303, "{told:?}");
        assert_eq!(told.headers[LOCATION], next);
    }
    let told = send(&house, Method::POST, "/mutes", &[OURS], Some(form)).await;
    assert_page(&told, 401, &["You are not logged in", "was not done"]);
    assert_eq!(house.store().mutes(jiff::Timestamp::UNIX_EPOCH).await.expect("read"), []);
}

#[tokio::test]
async fn a_form_is_read_to_its_greatest_length_and_no_further() {
    let house = house().await;
    let browser = Browser::login(&house, OPERATOR).await;
    let start = format!("{}&rule=&lasts=1h&reason=", browser.form());
    for (bytes, status) in [(512 * 1024, 400), (512 * 1024 + 1, 413)] {
        let form = format!("{start}{}", "x".repeat(bytes - start.len()));
        let told = browser.sends(&house, "/mutes", &[OURS], &form).await;
        assert_page(&told, status, &[]);
    }
    let start = "next=%2F&token=";
    for (bytes, status) in [(8 * 1024, 401), (8 * 1024 + 1, 400)] {
        let form = format!("{start}{}", "x".repeat(bytes - start.len()));
        let told = send(&house, Method::POST, "/login", &[OURS], Some(&form)).await;
        assert_eq!(told.status, status, "{told:?}");
    }
}

#[tokio::test]
async fn whoever_fails_behind_a_proxy_locks_out_nobody_else_there() {
    // No browser of the test comes by the proxy's own users.
    let house = house_with("trusted_proxy: { from: [127.0.0.1, 10.0.0.0/8] }").await;
    let (bad, good) = ("198.51.100.9", "192.0.2.7");
    let via = |client: &str| format!("203.0.113.1, {client}, 10.0.0.2");
    for _ in 0..10 {
        let told = paste(&house, "wrong", &[OURS, ("x-forwarded-for", &via(bad))]).await;
        assert_eq!(told.status, 401, "{told:?}");
    }
    let told = paste(&house, OPERATOR, &[OURS, ("x-forwarded-for", &via(bad))]).await;
    assert_eq!(told.status, 429, "{told:?}");
    // Whatever they say in front of what the proxy adds.
    let lies = format!("192.0.2.99, {bad}, 10.0.0.2");
    let told = paste(&house, OPERATOR, &[OURS, ("x-forwarded-for", &lies)]).await;
    assert_eq!(told.status, 429, "{told:?}");
    let told = paste(&house, OPERATOR, &[OURS, ("x-forwarded-for", &via(good))]).await;
    assert_eq!(told.status, 303, "{told:?}");
    let failed = record(&house, "?act=login").await;
    assert_eq!((&failed[0]["from"], &failed[1]["from"]), (&good.into(), &bad.into()));
}

#[tokio::test]
async fn nobody_but_the_proxy_says_from_where_a_failed_login_came() {
    let house = house_with("trusted_proxy: { from: [192.0.2.1] }").await;
    for n in 0..10 {
        let from = format!("198.51.100.{n}");
        assert_eq!(paste(&house, "wrong", &[OURS, ("x-forwarded-for", &from)]).await.status, 401);
    }
    let told = paste(&house, OPERATOR, &[OURS, ("x-forwarded-for", "198.51.100.99")]).await;
    assert_eq!(told.status, 429, "{told:?}");
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_after_its_time_even_if_somebody_does() {
    let house = house_with("console: { session: 2h, session_idle: 30m }").await;
    let idle = Browser::login(&house, VIEWER).await;
    house.clock.advance(HOUR / 2 - Duration::from_secs(60));
    assert_eq!(idle.looks(&house).await.status, 200);
    house.clock.advance(HOUR / 2 + Duration::from_secs(1));
    assert_eq!(idle.looks(&house).await.code(), "session_over");

    let busy = Browser::login(&house, VIEWER).await;
    for _ in 0..5 {
        house.clock.advance(HOUR / 3);
        assert_eq!(busy.looks(&house).await.status, 200);
    }
    house.clock.advance(HOUR / 3);
    assert_eq!(busy.looks(&house).await.code(), "session_over");
}

#[tokio::test]
async fn a_session_survives_a_restart_and_ends_with_its_token_or_its_role() {
    let mut house = house().await;
    let [stays, replaced, demoted, gone] = [
        Browser::login(&house, VIEWER).await,
        Browser::login(&house, OPERATOR).await,
        Browser::login(&house, ADMIN).await,
        Browser::login(&house, ADMIN).await,
    ];
    house.stop_daemon().await;
    house.start_daemon().await;
    for browser in [&stays, &replaced, &demoted] {
        assert_eq!(browser.looks(&house).await.status, 200);
    }
    house.files.edit("casewright.yaml", OPERATOR, "another-token-of-the-operator");
    house.files.edit("casewright.yaml", "name: ada, role: admin", "name: ada, role: viewer");
    house.command(&["reload"]).await.done();
    assert_eq!(stays.looks(&house).await.status, 200);
    for browser in [&replaced, &demoted] {
        assert_eq!(browser.looks(&house).await.code(), "session_over");
    }
    house.files.edit("casewright.yaml", "name: ada, role: viewer", "name: eve, role: admin");
    house.command(&["reload"]).await.done();
    assert_eq!(gone.looks(&house).await.code(), "session_over");
}

#[tokio::test]
async fn attempts_to_log_in_are_throttled_and_on_record() {
    let house = house().await;
    for _ in 0..10 {
        let told = paste(&house, "no-token-of-anybody", &[OURS]).await;
        assert_eq!(told.status, 401, "{told:?}");
        assert!(!told.text.contains("no-token-of-anybody"), "{told:?}");
        assert!(!told.headers.contains_key(SET_COOKIE));
    }
    let told = paste(&house, OPERATOR, &[OURS]).await;
    assert_eq!(told.status, 429, "not even a good one");
    let wait: u64 = told.headers[RETRY_AFTER].to_str().expect("text").parse().expect("a number");
    assert!((800..=900).contains(&wait), "{wait}");
    house.clock.advance(Duration::from_secs(900));
    Browser::login(&house, OPERATOR).await;
    let failed = record(&house, "?act=login").await;
    assert_eq!(failed.len(), 11);
    assert_eq!(gist(&failed[0]), ["olga", "login", "console", "done"]);
    assert_eq!(gist(&failed[1]), ["", "login", "console", "refused"]);
    assert_eq!((&failed[1]["who"], &failed[1]["from"]), (&Value::Null, &"127.0.0.1".into()));
}

#[tokio::test]
async fn nobody_is_logged_in_by_another_site() {
    let house = house().await;
    for headers in
        [vec![], vec![("sec-fetch-site", "cross-site")], vec![("origin", "http://evil.example")]]
    {
        let told = paste(&house, OPERATOR, &headers).await;
        assert_eq!(told.status, 403, "{headers:?} {told:?}");
        assert!(!told.headers.contains_key(SET_COOKIE));
    }
    assert_eq!(record(&house, "?act=login").await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_login_leads_back_to_pages_of_ours_and_writes_no_header_of_anybody() {
    let house = house().await;
    for next in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2Fa%0D%0ASet-Cookie%3A%20evil%3D1",
    ] {
        let form = format!("token={OPERATOR}&next={next}");
        let told = send(&house, Method::POST, "/login", &[OURS], Some(&form)).await;
        assert_eq!(
            (told.status, &told.headers[LOCATION]),
            (StatusCode::SEE_OTHER, &"/".parse().expect("text")),
            "{next}"
        );
        assert_eq!(told.headers.get_all(SET_COOKIE).iter().count(), 1);
    }
    let page = get(&house, "/login?next=%2F%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", &[]).await;
    assert!(page.status == 200 && !page.text.contains("<script>alert"), "{page:?}");
    for (header, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        let said = page.headers[header].to_str().expect("text");
        assert!(said.contains(value), "{header}: {said}");
    }
}

#[tokio::test]
async fn a_proxys_word_counts_from_its_address_and_within_its_roles() {
    let proxy = "trusted_proxy: { from: [127.0.0.1], roles: { olaf: operator } }";
    let house = house_with(proxy).await;
    let mute = "/api/v1/mutes?for=1h&all=true&reason=because";
    let (lee, olaf) = (("x-forwarded-user", "lee"), ("x-forwarded-user", "olaf"));
    let via = [olaf, ("x-forwarded-for", "198.51.100.9, 192.0.2.7")];
    let told = get(&house, "/api/v1/whoami", &via).await.json();
    assert_eq!((&told["name"], &told["role"]), (&"olaf".into(), &"operator".into()));
    assert_eq!((&told["means"], &told["from"]), (&"proxy".into(), &"192.0.2.7".into()));
    assert_eq!(get(&house, "/api/v1/whoami", &[lee]).await.json()["role"], "viewer");

    // What a proxy's user changes must come from a page of ours, too.
    assert_eq!(post(&house, mute, &[olaf]).await.code(), "foreign");
    let told = post(&house, mute, &[olaf, ("sec-fetch-site", "cross-site")]).await;
    assert_eq!(told.code(), "foreign");
    assert_eq!(post(&house, mute, &[lee, OURS]).await.code(), "role");
    assert_eq!(post(&house, mute, &[olaf, OURS]).await.status, 201);
    let done = record(&house, "?act=mute").await;
    assert_eq!((&done[0]["who"], &done[0]["means"]), (&"olaf".into(), &"proxy".into()));

    // A proxy that names two, or nobody, names nobody.
    for twice in
        [vec![lee, olaf], vec![("x-forwarded-user", "lee, olaf")], vec![("x-forwarded-user", "")]]
    {
        assert_eq!(get(&house, "/api/v1/whoami", &twice).await.status, 401, "{twice:?}");
    }
}

#[tokio::test]
async fn the_header_of_anybody_but_the_proxy_is_ignored() {
    let house = house_with("trusted_proxy: { from: [192.0.2.1], role: admin }").await;
    let spoofed = ("x-forwarded-user", "root");
    let told = get(&house, "/api/v1/whoami", &[spoofed, ("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!((told.status, told.code().as_str()), (StatusCode::UNAUTHORIZED, "no_credential"));
    let (name, value) = bearer(VIEWER);
    let both = [spoofed, (name, value.as_str()), ("x-forwarded-for", "9.9.9.9")];
    let told = get(&house, "/api/v1/whoami", &both).await.json();
    assert_eq!((&told["name"], &told["role"]), (&"vera".into(), &"viewer".into()));
    assert_eq!(told["from"], "127.0.0.1", "where it came from is not what anybody says");
    let browser = Browser::login(&house, VIEWER).await;
    let told = get(&house, "/api/v1/whoami", &[spoofed, ("cookie", &browser.cookie)]).await.json();
    assert_eq!((&told["name"], &told["role"]), (&"vera".into(), &"viewer".into()));
}

#[tokio::test]
async fn every_act_is_on_record_with_who_from_where_and_what_came_of_it() {
    let house = house().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    let incident = house.only_incident().await.id.to_string();
    let (name, value) = bearer(ADMIN);
    let by = [(name, value.as_str()), ("if-match", "*")];
    let hostile = "for%0A\u{202e}2h%1b[2J";
    let calls = [
        (format!("/api/v1/incidents/{incident}/approve"), 409, "approve"),
        (format!("/api/v1/incidents/{incident}/reject"), 409, "reject"),
        (format!("/api/v1/actions/{incident}/1/retry"), 409, "retry"),
        ("/api/v1/actions/none/9/retry?how=send".to_owned(), 404, "retry"),
        ("/api/v1/vendors/akamai/resume".to_owned(), 200, "resume"),
        ("/api/v1/vendors/nobody/resume".to_owned(), 404, "resume"),
        (format!("/api/v1/mutes?for=1h&rule=edge-5xx&reason={hostile}"), 201, "mute"),
        ("/api/v1/mutes?for=1h&rule=none&reason=x".to_owned(), 404, "mute"),
        ("/api/v1/mutes/none/lift".to_owned(), 404, "unmute"),
        ("/api/v1/catalog/sync".to_owned(), 200, "sync"),
        ("/-/reload".to_owned(), 200, "reload"),
    ];
    for (path, status, _) in &calls {
        let told = post(&house, path, &by).await;
        assert_eq!(told.status, *status, "{path}: {told:?}");
    }
    let id = house.store().mutes(jiff::Timestamp::UNIX_EPOCH).await.expect("read")[0].id.clone();
    assert_eq!(post(&house, &format!("/api/v1/mutes/{id}/lift"), &by).await.status, 200);

    let mut entries = record(&house, "?who=ada").await;
    entries.reverse();
    assert_eq!(entries.len(), calls.len() + 1, "{entries:#?}");
    for (entry, (path, status, act)) in entries.iter().zip(&calls) {
        let refused = *status >= 400 || path.ends_with("akamai/resume");
        assert_eq!(entry["act"], *act, "{entry:#}");
        assert_eq!(entry["outcome"], if refused { "refused" } else { "done" }, "{entry:#}");
        assert_eq!((&entry["role"], &entry["means"]), (&"admin".into(), &"token".into()));
        assert_eq!(entry["from"], "127.0.0.1");
        assert!(entry["at"].is_string() && entry["ended_at"].is_string(), "{entry:#}");
        assert!(!refused || !entry["why"].as_str().expect("text").is_empty(), "{entry:#}");
    }
    let last = entries.last().expect("the lift");
    assert_eq!(gist(last), ["ada", "unmute", &format!("mute {id}"), "done"]);
    let mute = &entries[6];
    assert_eq!(mute["object"], "rule edge-5xx");
    let detail = mute["detail"].as_str().expect("text");
    assert_eq!(detail, "for 1h: for\\n\\u{202e}2h\\u{1b}[2J", "nothing in it moves a cursor");

    // By page, by object, by act; and on the command line.
    let about = record(&house, &format!("?object=incident%20{incident}")).await;
    assert_eq!(
        about.iter().map(|entry| entry["act"].clone()).collect::<Vec<_>>(),
        ["reject", "approve"]
    );
    let (name, value) = bearer(VIEWER);
    let by = [(name, value.as_str())];
    let (mut seen, mut query) = (Vec::new(), "?who=ada&limit=5".to_owned());
    loop {
        let page = get(&house, &format!("/api/v1/audit{query}"), &by).await.json();
        seen.extend(page["entries"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?who=ada&limit=5&cursor={next}");
    }
    seen.reverse();
    assert_eq!(seen, entries);
    for wrong in ["?limit=0", "?limit=1001", "?cursor=x", "?act=dance", "?before=1"] {
        let told = get(&house, &format!("/api/v1/audit{wrong}"), &by).await;
        assert_eq!(told.status, 400, "{wrong}: {told:?}");
    }
    let table = house.command(&["audit", "--act", "reload"]).await.done();
    assert!(table.contains("ada") && table.contains("files") && table.contains("done"), "{table}");
    let json = house.command(&["audit", "--who", "ada", "--json"]).await.json();
    assert_eq!(json["entries"].as_array().map(Vec::len), Some(entries.len()));
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_done() {
    let house = house().await;
    let path = house.files.path("casewright.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut db = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::query("ALTER TABLE audit RENAME TO elsewhere").execute(&mut db).await.expect("renamed");
    let (name, value) = bearer(ADMIN);
    let by = [(name, value.as_str())];
    for path in [
        "/api/v1/mutes?for=1h&all=true&reason=because",
        "/-/reload",
        "/api/v1/vendors/akamai/resume",
    ] {
        let told = post(&house, path, &by).await;
        assert_eq!(told.status, 503, "{path}: {told:?}");
        assert!(!told.text.contains("audit"), "the database's words stay in the log: {told:?}");
    }
    assert_eq!(paste(&house, ADMIN, &[OURS]).await.status, 503);
    assert_eq!(house.store().mutes(jiff::Timestamp::UNIX_EPOCH).await.expect("read"), []);
    let reloads = r#"casewright_admin_calls_total{call="reload",result="done"}"#;
    assert_ne!(house.metric(reloads).await.as_deref(), Some("1"));
}
