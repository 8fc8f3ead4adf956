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

    /// A form of a page as it stands there: its fields, with what is in them.
    async fn form(&self, page: &str, action: &str) -> Form {
        let shown = self.get(page).await;
        Form::of(&shown.text, action)
    }

    /// Sends a form as it stands.
    async fn sends(&self, action: &str, form: &Form) -> Shown {
        let fields: Vec<_> =
            form.0.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.post(action, &fields).await
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

/// The fields of a form.
struct Form(BTreeMap<String, String>);

impl Form {
    fn of(page: &str, action: &str) -> Self {
        let start = format!("action=\"{action}\"");
        let form = page.split(&start).nth(1).unwrap_or_else(|| panic!("no form: {page}"));
        let form = form.split("</form>").next().expect("an end");
        let text = |text: &str| {
            let marks =
                [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
            marks.iter().fold(text.to_owned(), |text, (coded, mark)| text.replace(coded, mark))
        };
        let mut fields = BTreeMap::new();
        for field in form.split(" name=\"").skip(1) {
            let (name, rest) = field.split_once('"').expect("a name");
            if let Some(value) = rest.strip_prefix(" value=\"") {
                fields.insert(name.to_owned(), text(value.split('"').next().expect("an end")));
            } else if let Some((value, _)) = rest.split_once("</textarea>") {
                // As browsers read it, and as they send it.
                let (_, value) = value.split_once(">\n").expect("an area");
                fields.insert(name.to_owned(), text(value).replace('\n', "\r\n"));
            }
        }
        Self(fields)
    }

    fn fills(&mut self, name: &str, value: &str) {
        *self.0.get_mut(name).unwrap_or_else(|| panic!("no field {name}")) = value.to_owned();
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
    assert_eq!(stranger.post(&approve, &[]).await.status, 401);
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
    let to = shown.headers["location"].to_str().expect("text").to_owned();
    let told = browser.get(&to).await.text;
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
        format!("/audit?object={about}"),
        format!("/audit?act={about}"),
        format!("/audit?cursor={about}"),
        format!("/deliveries?source={about}"),
        format!("/deliveries?fate={about}"),
        format!("/deliveries?source={about}&cursor={about}"),
        format!("/incidents?title={about}"),
        format!("/incidents?state={about}"),
        format!("/incidents?cursor={about}&title={about}"),
        format!("/incidents?{about}=x"),
        format!("/incidents/{}/draft", incident.id),
        format!("/login?next={about}"),
    ] {
        let shown = browser.get(&page).await;
        // Some have no such vendor, act or rule, and say so.
        assert!([200, 400, 404].contains(&shown.status.as_u16()), "{page}: {}", shown.status);
        assert!(shown.text.trim_end().ends_with("</html>"), "{page}: {}", shown.text);
        for bad in ["<script>alert", "<img", "\u{202e}", "\u{0}"] {
            assert!(!shown.text.contains(bad), "{page} has {bad:?}");
        }
    }
    let shown = browser.get(&format!("/incidents/{}", incident.id)).await.text;
    assert!(shown.contains("\u{27e8}U+202E\u{27e9}"), "what turns text around is seen");
}

#[tokio::test]
async fn no_address_makes_a_page_say_that_something_was_done() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let page = format!("/incidents/{}", incident.id);
    let says = |text: &str| text.contains("role=\"status\"");
    for link in ["?done=approved", "?done=1", "?done=rejected"] {
        assert!(!says(&browser.get(&format!("{page}{link}")).await.text), "{link}");
    }
    for place in ["/mutes?done=muted", "/vendors?done=resumed"] {
        assert!(!says(&browser.get(place).await.text), "{place}");
    }
    // What somebody else has done was not done by who looks.
    house.command(&["incidents", "reject", incident.id.as_str()]).await.done();
    assert!(!says(&browser.get(&format!("{page}?done=1")).await.text));
    // What was refused is not told as done, and what was done is told there, and for a minute.
    let resume = "/vendors/akamai/resume";
    let pause = "/vendors/akamai/pause";
    let form = [("lasts", "1h".to_owned()), ("reason", "they move".to_owned())];
    assert_eq!(browser.presses("/vendors", pause, &form).await.status, 303);
    let told = browser.get("/vendors?done=1").await.text;
    assert!(says(&told) && told.contains("The vendor is left alone."), "{told}");
    assert!(!says(&browser.get("/mutes?done=1").await.text), "another matter");
    assert!(!says(&browser.get("/vendors").await.text), "nobody asked");
    assert_eq!(browser.presses("/vendors", resume, &[]).await.status, 303);
    house.clock.advance(Duration::from_secs(61));
    assert!(!says(&browser.get("/vendors?done=1").await.text), "that was long ago");
    let form = [("form_token", browser.form("/mutes", "/mutes").await.0["form_token"].clone())];
    assert_eq!(browser.post(resume, &form).await.status, 303);
    let told = browser.get("/vendors?done=1").await.text;
    assert!(told.contains("Not done: nothing was in the way"), "{told}");
}

#[tokio::test]
async fn a_vendor_is_left_alone_by_a_button_with_a_reason_and_its_page_tells_what_is_left() {
    let house = House::open().await;
    let browser = Browser::logged_in(&house).await;
    let told = browser.get("/vendors").await.text;
    assert!(told.contains("<dt>Requests left</dt>"), "{told}");
    let local = std::fs::read_to_string(house.files.path("casewright.db.token")).expect("a token");
    let local = format!("Bearer {}", local.trim());
    let (_, vendors) =
        super::people::ask(&house, reqwest::Method::GET, "/api/v1/vendors", Some(&local)).await;
    let limiter = &vendors["vendors"][0]["limiter"];
    let (left, burst) = (limiter["left"].as_u64(), limiter["burst"].as_u64());
    assert!(left.is_some() && left <= burst && limiter["waiting"] == 0, "{vendors:#}");
    let pause = "/vendors/akamai/pause";
    let hostile = "<b>they\u{202e} move";
    for (lasts, reason, status) in
        [("2d", "x", 400), ("1h", "", 400), ("soon", "x", 400), ("2h", hostile, 303)]
    {
        let form = [("lasts", lasts.to_owned()), ("reason", reason.to_owned())];
        let shown = browser.presses("/vendors", pause, &form).await;
        assert_eq!(shown.status, status, "{lasts} {reason}: {}", shown.text);
    }
    let told = browser.get("/vendors").await.text;
    for words in
        ["local wants it left alone", "&#60;b&#62;they\u{27e8}U+202E\u{27e9} move", "End the pause"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(browser.presses("/vendors", "/vendors/akamai/resume", &[]).await.status, 303);
    let told = browser.get("/vendors").await.text;
    assert!(!told.contains("End the pause"), "{told}");
}

#[tokio::test]
async fn lists_are_narrowed_page_by_page_and_what_makes_no_sense_is_refused() {
    let house = House::open().await;
    for n in 0..52 {
        house.hears(Item::firing(&format!("Nobody{n}"))).await;
    }
    house.hears(edge("shop")).await;
    house.only_case().await;
    let browser = Browser::logged_in(&house).await;
    let first = browser.get("/deliveries?source=alertmanager&fate=unmatched").await.text;
    assert_eq!(first.matches("<a href=\"/deliveries/").count(), 50, "{first}");
    assert!(!first.contains("EdgeHigh5xxRatio"), "{first}");
    for chosen in ["<option selected>alertmanager<", "<option selected>unmatched<"] {
        assert!(first.contains(chosen), "{chosen}: {first}");
    }
    let more = first.split("href=\"/deliveries?").nth(1).expect("a next page");
    let more =
        format!("/deliveries?{}", more.split('"').next().expect("an end").replace("&#38;", "&"));
    assert!(more.contains("source=alertmanager&fate=unmatched&cursor="), "{more}");
    let rest = browser.get(&more).await.text;
    assert_eq!(rest.matches("<a href=\"/deliveries/").count(), 2, "{rest}");
    assert!(rest.contains("<option selected>unmatched<"), "{rest}");
    let accepted = browser.get("/deliveries?fate=accepted").await.text;
    assert_eq!(accepted.matches("<a href=\"/deliveries/").count(), 1, "{accepted}");
    let none = browser.get("/deliveries?source=gone").await.text;
    assert!(
        none.contains("<option selected>gone<") && none.contains("Nothing of that kind"),
        "{none}"
    );

    let cursor = more.split("cursor=").nth(1).expect("a cursor");
    for (address, status, words) in [
        (
            "/deliveries?fate=unmatched&cursor=x".to_owned(),
            400,
            "href=\"/deliveries?fate=unmatched\"",
        ),
        ("/deliveries?fate=lost".to_owned(), 400, "`fate` is one of: accepted"),
        ("/deliveries?sauce=x".to_owned(), 400, "a parameter that is not known"),
        (format!("/incidents?cursor={cursor}"), 400, "To the beginning of the list"),
        ("/incidents?state=lost".to_owned(), 400, "`state` is one of"),
        ("/audit?cursor=x&who=kim".to_owned(), 400, "href=\"/audit?who=kim\""),
        ("/audit?act=dance".to_owned(), 400, "`act` is one of"),
        ("/catalog?vendor=nobody".to_owned(), 404, "There is no such vendor."),
        ("/mutes?rule=gone".to_owned(), 404, "No rule of that name is in force"),
    ] {
        let shown = browser.get(&address).await;
        assert_eq!(shown.status, status, "{address}: {}", shown.text);
        assert!(shown.text.contains(words), "{address}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_rejected_incident_tells_who_rejected_it_and_the_record_is_narrowed_to_it() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    house.hears(asked("other")).await;
    let browser = Browser::logged_in(&house).await;
    let reject = format!("/incidents/{}/reject", incident.id);
    assert_eq!(browser.presses("/held", &reject, &[]).await.status, 303);
    let told = browser.get(&format!("/incidents/{}", incident.id)).await.text;
    assert!(told.contains("Rejected by local") && !told.contains("It ended before"), "{told}");
    let link = format!("/audit?object=incident%20{}", incident.id);
    assert!(told.contains(&link), "{told}");
    let audit = browser.get(&link).await.text;
    assert_eq!(audit.matches("<strong>").count(), 1, "{audit}");
    assert!(audit.contains("<strong>reject</strong>"), "{audit}");
    assert!(browser.get("/audit?who=nobody").await.text.contains("Nothing of that kind"));
    // One that has ended by itself was rejected by nobody.
    house.hears(asked("other").resolved()).await;
    let told = browser.get("/incidents?state=dropped").await.text;
    assert_eq!(told.matches("class=\"strong\"").count(), 2, "{told}");
    let other = house.incidents().await.into_iter().find(|other| other.id != incident.id);
    let told = browser.get(&format!("/incidents/{}", other.expect("the other").id)).await.text;
    assert!(told.contains("It ended before a case was opened.") && !told.contains("Rejected by"));
}

#[tokio::test]
async fn an_alert_of_an_alertmanager_leads_to_a_silence_that_is_filled_in() {
    let house = House::open().await;
    house.hears(asked("a \"shop\"")).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let told = browser.get(&format!("/incidents/{}", incident.id)).await.text;
    let link = "example.net:9093/#/silences/new?filter=%7Balertname%3D%22Asked%22%2Cenv%3D%22production%22%2Cproperty%3D%22a%20\
                %5C%22shop%5C%22%22%2Cseverity%3D%22critical%22%7D\"";
    assert!(told.contains(link), "{told}");
}

#[tokio::test]
async fn a_draft_is_changed_in_a_form_and_the_case_says_it_so() {
    let house = House::open().await;
    house.hears(asked("shop").annotation("summary", "one\u{202e}two\r\nthree")).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let page = format!("/incidents/{}/draft", incident.id);
    assert!(browser.get("/held").await.text.contains(&format!("href=\"{page}\"")));
    // What nobody has changed is not kept as somebody's words.
    let form = browser.form(&page, &page).await;
    assert_eq!(browser.sends(&page, &form).await.status, 303);
    assert!(!browser.get(&page).await.text.contains("changed by"));

    let mut form = browser.form(&page, &page).await;
    form.fills("description", "What I\r\nsaw: <b>&amp;</b>\r\n");
    let saved = browser.sends(&page, &form).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let told = browser.get(saved.headers["location"].to_str().expect("text")).await.text;
    assert!(told.contains("Changed: the case will say it so."), "{told}");
    let told = browser.get(&page).await.text;
    assert!(told.contains("changed by local") && told.contains("description"), "{told}");
    let approve = format!("/incidents/{}/approve", incident.id);
    let form = browser.form("/held", &approve).await;
    assert_eq!(browser.sends(&approve, &form).await.status, 303);
    let case = house.only_case().await;
    assert!(case.filed.description.starts_with("What I\nsaw: <b>&amp;</b>"), "{case:#?}");
    // There is nothing to be changed any more.
    let told = browser.get(&page).await.text;
    assert!(told.contains("nothing of it can be changed") && !told.contains("<textarea"), "{told}");
    assert_eq!(browser.get("/incidents/nothing/draft").await.status, 404);
}

#[tokio::test]
async fn what_the_vendor_would_not_take_is_told_beside_what_was_written_and_nothing_is_lost() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    let browser = Browser::logged_in(&house).await;
    let page = format!("/incidents/{}/draft", incident.id);
    let mut form = browser.form(&page, &page).await;
    let evil = "</textarea><script>alert(1)</script>\u{202e}";
    form.fills("product", "Ion Premiere");
    form.fills("description", evil);
    let shown = browser.sends(&page, &form).await;
    assert_eq!(shown.status, 422, "{}", shown.text);
    let wrong = shown.text.split("id=\"product-wrong\"").nth(1).expect("beside the field");
    assert!(wrong.contains("did you mean &#34;Ion Premier&#34;?"), "{wrong}");
    assert!(!shown.text.contains("<script>alert") && !shown.text.contains('\u{202e}'));
    assert!(!shown.text.contains("data-live"), "nothing takes the place of what was written");
    let again = Form::of(&shown.text, &page);
    assert_eq!(again.0["product"], "Ion Premiere");
    assert!(again.0["description"].starts_with("</textarea><script>"), "{:?}", again.0);
    // Too long is said as well.
    form.fills("product", "Ion Premier");
    form.fills("subject", &"x".repeat(300));
    let shown = browser.sends(&page, &form).await;
    assert_eq!(shown.status, 422, "{}", shown.text);
    assert!(shown.text.contains("id=\"subject-wrong\""), "{}", shown.text);
    assert!(!browser.get(&page).await.text.contains("changed by"), "nothing was changed");
}

#[tokio::test]
async fn whoever_was_too_late_sees_both_texts_and_overwrites_nothing_unseen() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let incident = house.incident_is("held").await;
    let (one, other) = (Browser::logged_in(&house).await, Browser::logged_in(&house).await);
    let page = format!("/incidents/{}/draft", incident.id);
    let (mut first, mut second) = (one.form(&page, &page).await, other.form(&page, &page).await);
    first.fills("description", "What one saw");
    first.fills("subject", "By one");
    second.fills("description", "What the other saw");
    assert_eq!(one.sends(&page, &first).await.status, 303);
    let shown = other.sends(&page, &second).await;
    assert_eq!(shown.status, 412, "{}", shown.text);
    assert!(shown.text.contains(">What one saw</pre>"), "{}", shown.text);
    let again = Form::of(&shown.text, &page);
    assert_eq!(again.0["description"], "What the other saw");
    assert_eq!(again.0["subject"], "By one", "what they have not changed is not theirs");
    assert_ne!(again.0["seen"], second.0["seen"]);
    // Who has seen it may put theirs in its place.
    assert_eq!(other.sends(&page, &again).await.status, 303);
    let told = one.get(&page).await.text;
    assert!(told.contains("What the other saw") && told.contains("By one"), "{told}");
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
