//! A person looks at the console: over real sockets, as a browser does, logged in by a token.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use casewright::sandbox::{Fault, Kind, On};
use casewright::store::lists::{ActionsSought, Which};
use reqwest::{Client, StatusCode, redirect};

use crate::support::alertmanager::{Item, edge};
use crate::support::house::{House, assert_untouched, eventually};

/// A browser without a script, and the cookie that it was given.
struct Browser {
    http: Client,
    base: String,
    cookie: Option<String>,
}

/// What it was answered.
struct Shown {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Browser {
    fn of(house: &House) -> Self {
        let http = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        Self { http, base: format!("http://{}", house.admin()), cookie: None }
    }

    async fn logged_in(house: &House) -> Self {
        let mut browser = Self::of(house);
        let token = std::fs::read_to_string(house.files.path("casewright.db.token"));
        let form = [("token", token.expect("a token").trim().to_owned())];
        let shown = browser.post("/login", &form).await;
        assert_eq!(shown.status, 303, "{}", shown.text);
        let set = shown.headers["set-cookie"].to_str().expect("text").to_owned();
        browser.cookie = set.split(';').next().map(str::to_owned);
        browser
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Shown {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Shown { status, headers, text: answer.text().await.expect("a body") }
    }

    async fn get(&self, address: &str) -> Shown {
        self.send(self.http.get(format!("{}{address}", self.base))).await
    }

    async fn post(&self, address: &str, form: &[(&str, String)]) -> Shown {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .http
            .post(format!("{}{address}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(body);
        self.send(request).await
    }

    /// Presses a button of a page, with what its form carries.
    async fn presses(&self, page: &str, action: &str, more: &[(&str, String)]) -> Shown {
        let shown = self.get(page).await;
        assert!(shown.text.contains(&format!("action=\"{action}\"")), "no button: {}", shown.text);
        let token = shown.text.split("name=\"form_token\" value=\"").nth(1).expect("a form");
        let token = token.split('"').next().expect("a token").to_owned();
        let mut form = vec![("form_token", token)];
        form.extend_from_slice(more);
        self.post(action, &form).await
    }
}

fn asked(property: &str) -> Item {
    Item::firing("Asked").label("property", property).label("severity", "critical")
}

#[tokio::test]
async fn every_page_is_whole_says_what_a_browser_must_not_do_and_leads_only_where_something_is() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    house.hears(edge("other")).await;
    eventually("a dead letter", || async {
        let sought = ActionsSought::that(Which::ForPeople);
        let waiting = house.store().seek_actions(&sought, 10).await.expect("read").items;
        if waiting.is_empty() { Err(waiting) } else { Ok(()) }
    })
    .await;
    house.hears(asked("held")).await;
    let browser = Browser::logged_in(&house).await;
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut to_see = VecDeque::from(["/".to_owned()]);
    let mut fragments: BTreeMap<String, String> = BTreeMap::new();
    while let Some(address) = to_see.pop_front() {
        let shown = browser.get(&address).await;
        assert_eq!(shown.status, 200, "{address}: {}", shown.text);
        let policy = shown.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(shown.headers["x-content-type-options"], "nosniff", "{address}");
        if address.starts_with("/console/assets/") {
            assert!(shown.headers["cache-control"].to_str().expect("text").contains("immutable"));
            continue;
        }
        assert_eq!(shown.headers["cache-control"], "no-store", "{address}");
        assert!(
            shown.text.contains("<main ") && shown.text.trim_end().ends_with("</html>"),
            "{address}"
        );
        for inline in [" style=", " onclick=", "<style", "<script>"] {
            assert!(!shown.text.contains(inline), "{address} has {inline}");
        }
        for mark in [" href=\"", " src=\""] {
            for link in shown.text.split(mark).skip(1) {
                let link = link.split('"').next().expect("an end").replace("&#38;", "&");
                let (page, fragment) = link.split_once('#').unwrap_or((&link, ""));
                if page.starts_with('/') {
                    if !fragment.is_empty() {
                        fragments.insert(link.clone(), fragment.to_owned());
                    }
                    if seen.insert(page.to_owned()) {
                        to_see.push_back(page.to_owned());
                    }
                }
            }
        }
    }
    let rules = browser.get("/rules").await.text;
    for (link, fragment) in fragments.iter().filter(|(link, _)| link.starts_with("/rules#")) {
        assert!(rules.contains(&format!("id=\"{fragment}\"")), "{link} leads nowhere");
    }
    for place in ["/incidents", "/held", "/actions", "/why", "/deliveries", "/vendors", "/mutes"] {
        assert!(seen.contains(place), "nothing leads to {place}");
    }
    assert!(seen.len() > 25, "{seen:?}");
}

#[tokio::test]
async fn whoever_is_not_logged_in_sees_nothing_and_does_nothing() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    let stranger = Browser::of(&house);
    for page in ["/", "/incidents", "/held", "/why?about=Asked", "/rules", "/audit"] {
        let shown = stranger.get(page).await;
        assert_eq!(shown.status, 303, "{page}");
        let to = shown.headers["location"].to_str().expect("text");
        assert!(to.starts_with("/login?next=%2F"), "{to}");
        assert!(!shown.text.contains("Asked"));
    }
    assert_eq!(stranger.get("/console/events").await.status, 401);
    let approve = format!("/incidents/{}/approve", incident.id);
    assert_eq!(stranger.post(&approve, &[]).await.status, 303);
    // Nor does a session whose form another site has made.
    let browser = Browser::logged_in(&house).await;
    assert_eq!(browser.post(&approve, &[]).await.status, 403);
    assert_eq!(house.only_incident().await.state.name(), "held");
    assert_eq!(browser.get("/incidents/nothing").await.status, 404);
    assert_eq!(browser.get("/deliveries/nothing").await.status, 404);
    assert_eq!(browser.get("/incidents?state=nothing").await.status, 400);
}

#[tokio::test]
async fn a_held_incident_is_approved_and_a_dead_letter_tried_again_by_a_button() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let approve = format!("/incidents/{}/approve", incident.id);
    house.faults([Fault::on_next(Kind::Refuse, On::Create, 1)]);
    let page = browser.get("/held").await.text;
    let field = "name=\"seen\" value=\"";
    let tag = page.split(field).nth(1).and_then(|rest| rest.split('"').next()).expect("a tag");
    // Somebody has edited the draft since the page was drawn.
    let other = tag.replacen('0', "1", 1);
    let stale = browser.presses("/held", &approve, &[("seen", other)]).await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    assert_eq!(browser.presses("/held", &approve, &[]).await.status, 400, "who has seen nothing");
    let forged = [("seen", "*\r\nx: y".to_owned())];
    assert_eq!(browser.presses("/held", &approve, &forged).await.status, 412);
    house.no_case().await;
    let shown = browser.presses("/held", &approve, &[("seen", tag.to_owned())]).await;
    assert_eq!(shown.status, 303, "{}", shown.text);
    house.incident_is("failed").await;
    let told = browser.get(&format!("/incidents/{}?done=approved", incident.id)).await.text;
    assert!(told.contains("Approved: its case is being opened."), "{told}");
    // Once more is refused, with why.
    let retry = format!("/actions/{}/1/retry", incident.id);
    let how = [("how", "look".to_owned())];
    assert_eq!(browser.presses("/actions", &retry, &how).await.status, 303);
    assert_untouched(&house.only_case().await);
    let told = browser.get(&format!("/incidents/{}", incident.id)).await.text;
    for words in ["approved by a person", "by local", "open the case: sent", "HTTP 201", "F-CS-"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let audit = browser.get("/audit").await.text;
    for words in ["approve", "retry", "login"] {
        assert!(audit.contains(words), "{audit}");
    }
}

#[tokio::test]
async fn a_rule_is_muted_and_the_mute_lifted_by_a_button() {
    let house = House::open().await;
    let browser = Browser::logged_in(&house).await;
    let form = [
        ("rule", "asked".to_owned()),
        ("lasts", "2h".to_owned()),
        ("reason", "<b>the origin moves".to_owned()),
    ];
    assert_eq!(browser.presses("/mutes", "/mutes", &form).await.status, 303);
    let shown = browser.get("/mutes").await.text;
    assert!(shown.contains("&#60;b&#62;the origin moves"), "{shown}");
    let mutes = house.store().mutes(casewright::clock::Clock::now(&*house.clock)).await;
    let id = mutes.expect("read").remove(0).id;
    let lift = format!("/mutes/{id}/lift");
    assert_eq!(browser.presses("/mutes", &lift, &[]).await.status, 303);
    assert!(browser.get("/mutes").await.text.contains("Nothing is muted by a person."));
    let wrong = [("rule", String::new()), ("lasts", "soon".to_owned()), ("reason", "x".to_owned())];
    let shown = browser.presses("/mutes", "/mutes", &wrong).await;
    assert_eq!(shown.status, 400);
    assert!(shown.text.contains("`for` is no time"), "{}", shown.text);
}

#[tokio::test]
async fn what_strangers_write_is_text_wherever_it_is_shown() {
    let house = House::open().await;
    let evil = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>\u{202e}\u{0}";
    house.hears(asked(evil).label("evil", evil).annotation("runbook", evil)).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let about = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    for page in [
        "/".to_owned(),
        "/incidents".to_owned(),
        format!("/incidents?rule={about}"),
        format!("/incidents/{}", incident.id),
        format!("/incidents/{}?done={about}", incident.id),
        "/held".to_owned(),
        "/why?about=Asked".to_owned(),
        format!("/why?about={about}"),
        "/deliveries".to_owned(),
        format!("/deliveries/{}", incident.delivery),
        format!("/catalog?vendor={about}&text={about}"),
        format!("/mutes?rule={about}"),
        format!("/audit?who={about}"),
        format!("/login?next={about}"),
    ] {
        let shown = browser.get(&page).await;
        assert_eq!(shown.status, 200, "{page}");
        for bad in ["<script>alert", "<img", "\u{202e}", "\u{0}"] {
            assert!(!shown.text.contains(bad), "{page} has {bad:?}");
        }
    }
    let shown = browser.get(&format!("/incidents/{}", incident.id)).await.text;
    assert!(shown.contains("\u{27e8}U+202E\u{27e9}"), "what turns text around is seen");
}

#[tokio::test]
async fn a_delivery_tells_what_each_rule_says_and_the_rules_what_they_took() {
    let house = House::open().await;
    house.hears(Item::firing("NobodyKnowsThis")).await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    let browser = Browser::logged_in(&house).await;
    let why = browser.get("/why?about=NobodyKnowsThis").await.text;
    let to = why.split("href=\"/deliveries/").nth(1).expect("a way to the delivery");
    let to = format!("/deliveries/{}", to.split('"').next().expect("an end"));
    let told = browser.get(&to).await.text;
    assert!(told.contains("and the label is &#34;NobodyKnowsThis&#34;"), "{told}");
    assert!(told.contains("&#34;alertname&#34;: &#34;NobodyKnowsThis&#34;"), "the body: {told}");
    let local = std::fs::read_to_string(house.files.path("casewright.db.token")).expect("a token");
    let authorization = format!("Bearer {}", local.trim());
    let (status, rules) =
        super::people::ask(&house, reqwest::Method::GET, "/api/v1/rules", Some(&authorization))
            .await;
    assert_eq!(status, 200);
    let rules = rules["rules"].as_array().expect("rules");
    let rule = |name: &str| rules.iter().find(|rule| rule["name"] == name).expect("a rule");
    assert_eq!(rule("edge-5xx")["matches"], 1);
    assert!(rule("edge-5xx")["last_match"].is_string());
    assert_eq!(
        (&rule("asked")["matches"], &rule("asked")["case"]["mode"]),
        (&0.into(), &"approve".into())
    );
    assert!(rule("asked")["place"].as_str().expect("a place").contains("90-tests.yaml:"));
}

#[tokio::test]
async fn an_open_page_is_told_that_something_changed_and_holds_up_no_stop() {
    let mut house = House::open().await;
    let browser = Browser::logged_in(&house).await;
    let cookie = browser.cookie.clone().expect("logged in");
    let stream = browser.http.get(format!("{}/console/events", browser.base));
    let mut stream = stream.header("cookie", cookie).send().await.expect("a stream");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    house.hears(edge("shop")).await;
    let mut told = String::new();
    while !told.contains("event: changed") {
        let piece = stream.chunk().await.expect("a stream").expect("it goes on");
        told.push_str(&String::from_utf8_lossy(&piece));
    }
    let stopped = tokio::time::timeout(Duration::from_secs(8), house.stop_daemon()).await;
    assert!(stopped.is_ok(), "the stream held up the stop");
}

#[tokio::test]
async fn what_browsers_report_is_counted_and_bounded() {
    let house = House::open().await;
    let stranger = Browser::of(&house);
    let report = |size: usize| {
        let url = format!("{}/console/csp-report", stranger.base);
        stranger.send(stranger.http.post(url).body("x".repeat(size)))
    };
    assert_eq!(report(8 * 1024).await.status, 204);
    assert_eq!(report(8 * 1024 + 1).await.status, 413);
    assert_eq!(house.metric("casewright_csp_reports_total").await.as_deref(), Some("2"));
}
