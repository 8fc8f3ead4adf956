//! What leaves, and what goes along with a case: redaction, and the files that a rule asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casewright::sandbox::{Attachment, Case, Fault, Kind, On};
use casewright::store::ActionState;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::alertmanager::Item;
use crate::support::files::Files;
use crate::support::house::{House, assert_ended_once, comments, eventually};

/// A rule for alerts `Leaky`, with more keys.
fn rule(more: &str) -> String {
    format!(
        "
  - name: leaky
    match: ['alertname = \"Leaky\"']
    identity: [alertname, property]
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: 2
      subject: '{{{{labels.property}}}}: {{{{annotations.summary}}}}'
      description: '{{{{annotations.story}}}}'
      also_notify: [noc@example.com]
    update: {{ at_most_every: 1m }}
    resolve: {{ action: close }}
{more}"
    )
}

fn add(files: &Files, rule: &str) {
    let text = std::fs::read_to_string(files.rules()).expect("rules");
    std::fs::write(files.rules(), text + rule).expect("written");
}

async fn house(top: &str, more: &str) -> House {
    House::prepared("400ms", |files| {
        add(files, &rule(more));
        files.edit("casewright.yaml", "limits: off", &format!("limits: off\n{top}"));
    })
    .await
}

fn leaky() -> Item {
    Item::firing("Leaky")
        .label("property", "shop")
        .annotation("summary", "jane@example.com cannot log in from 192.0.2.7")
        .annotation("story", "tried by cust-17 at 2001:db8::7\npassword=hunter2 or so")
}

fn content(file: &Attachment) -> String {
    let bytes = STANDARD.decode(&file.content_base64).expect("base64");
    String::from_utf8(bytes).expect("text")
}

/// Everything that was said on a case in words of ours.
fn texts(case: &Case) -> String {
    let comments = case.comments.iter().map(|comment| comment.comment.clone());
    let filed = [case.filed.subject.clone(), case.filed.description.clone()];
    filed.into_iter().chain(comments).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_must_not_leave_stays_here() {
    let own = "    redact: [{ pattern: 'cust-\\d+', with: customer }]\n";
    let house = house("redact: [email, ip, token]", own).await;
    house.hears(leaky()).await;
    let case = house.only_case().await;
    assert!(
        case.filed
            .subject
            .starts_with("shop: [redacted: email] cannot log in from [redacted: ip] [cw-"),
        "{}",
        case.filed.subject
    );
    assert_eq!(
        case.filed.description,
        "tried by customer at [redacted: ip]\npassword=[redacted: token]"
    );
    assert_eq!(case.filed.also_notify, ["noc@example.com"], "contacts are meant");
    // What is kept here is whole.
    let incident = house.only_incident().await;
    assert!(incident.origin.annotations["story"].contains("hunter2"));
}

#[tokio::test]
async fn comments_closures_and_attachments_are_redacted_too() {
    let house = house("", "    redact: [email, { pattern: 'cust-\\d+' }]\n").await;
    let story = "cust-17 told jane@example.com. ".repeat(2_000);
    let named =
        |name: &str| Item::firing("Leaky").label("property", "shop").label("alertname", name);
    let first = named("Leaky").annotation("summary", "s").annotation("story", &story);
    house.hears(first.clone()).await;
    let case = house.only_case().await;
    let file = content(&case.attachments[0]);
    assert!(file.contains("[redacted] told [redacted: email]."), "{file}");
    house.hears(first.resolved()).await;
    let case = house.only_case().await;
    assert_eq!(comments(&case, "resolved as of"), 1);
    // What fires again is named by its labels.
    house.hears(named("Leaky").label("host", "cust-17").annotation("summary", "s")).await;
    let case = house.only_case().await;
    assert_eq!(comments(&case, "host=[redacted]"), 1, "{case:#?}");
    for text in [texts(&case), file] {
        assert!(!text.contains("cust-17") && !text.contains("jane@"), "{text}");
    }
}

/// Nothing that is replaced makes a case or a comment unfindable.
#[tokio::test]
async fn a_pattern_that_takes_everything_takes_no_marker() {
    let house = house("redact: [{ pattern: '(?s).+', with: gone }]", "").await;
    house.faults([
        Fault::on_next(Kind::DropAfterCommit, On::Create, 1),
        Fault::on_next(Kind::DropAfterCommit, On::Comment, 1),
        Fault::on_next(Kind::DropAfterCommit, On::Close, 1),
    ]);
    house.hears(leaky()).await;
    let marker = house.only_incident().await.id.marker();
    let case = house.only_case().await;
    assert_eq!(case.filed.subject, format!("gone {}", marker.token()));
    assert_eq!(case.filed.description, "gone");
    assert_eq!(case.filed.customer_tracking_number.as_deref(), Some(marker.as_str()));
    house.hears(leaky().resolved()).await;
    let case = house.only_case().await;
    assert_eq!(comments(&case, &format!("gone\n\n{}", marker.action_token(2))), 1, "{case:#?}");
    assert_eq!(case.closure_requests.len(), 1, "{case:#?}");
}

#[tokio::test]
async fn a_rule_can_let_everything_pass() {
    let house = house("redact: [email]", "    redact: off\n").await;
    house.hears(leaky()).await;
    assert!(house.only_case().await.filed.subject.contains("jane@example.com"));
}

fn json(file: &Attachment) -> serde_json::Value {
    serde_json::from_str(&content(file)).expect("JSON")
}

#[tokio::test]
async fn the_alerts_go_along_as_json() {
    let keys = "    redact: [email]\n";
    let house = House::prepared("400ms", |files| {
        let rule =
            rule(keys).replace("    update:", "      attach: { payload: true }\n    update:");
        add(files, &rule);
    })
    .await;
    house.faults([Fault::on_next(Kind::DropAfterCommit, On::Attach, 1)]);
    house.hears(leaky()).await;
    let case = house.only_case().await;
    let [file] = case.attachments.as_slice() else { panic!("{:#?}", case.attachments) };
    let marker = house.only_incident().await.id.marker();
    let core = marker.action_token(2);
    assert_eq!(file.file_name, format!("alerts-{}.json", core.trim_matches(['[', ']'])));
    assert_eq!(file.file_type, "application/json");
    let alert = &json(file)["alerts"][0];
    assert_eq!(alert["labels"]["property"], "shop");
    assert_eq!(alert["status"], "firing");
    assert_eq!(alert["annotations"]["summary"], "[redacted: email] cannot log in from 192.0.2.7");
    house.hears(leaky().resolved()).await;
    let case = house.only_case().await;
    assert_eq!(case.attachments.len(), 1, "{:#?}", case.attachments);
    assert_eq!(house.requests("POST /cases"), 1);
}

#[tokio::test]
async fn a_file_that_does_not_get_through_holds_up_nothing_and_opens_nothing() {
    let house = House::prepared("400ms", |files| {
        let rule = rule("").replace("    update:", "      attach: { payload: true }\n    update:");
        add(files, &rule);
    })
    .await;
    house.faults([Fault::new(Kind::FailUpload, On::Attach)]);
    house.hears(leaky()).await;
    house.action_says("failed to keep it").await;
    house.hears(leaky().resolved()).await;
    eventually("the end is told", || async {
        let case = house.sandbox.cases().remove(0);
        if case.closure_requests.is_empty() { Err(case) } else { Ok(()) }
    })
    .await;
    let waits = house.actions().await.into_iter().find(|action| action.kind.name() == "attach");
    let state = waits.expect("it is there").state;
    assert!(matches!(state, ActionState::Ready | ActionState::Leased), "{state:?}");
    house.no_faults();
    let case = house.only_case().await;
    assert_ended_once(&case);
    assert_eq!(case.attachments.iter().filter(|file| !file.upload_fails).count(), 1);
    assert_eq!(house.requests("POST /cases"), 1);
}

#[tokio::test]
async fn a_file_that_is_refused_is_a_dead_letter_of_its_own() {
    let house = House::prepared("400ms", |files| {
        let rule = rule("").replace("    update:", "      attach: { payload: true }\n    update:");
        add(files, &rule);
    })
    .await;
    house.faults([Fault::new(Kind::Refuse, On::Attach)]);
    house.hears(leaky()).await;
    house.incident_is("open").await;
    house.hears(leaky().resolved()).await;
    let case = house.only_case().await;
    assert_ended_once(&case);
    let states: Vec<_> =
        house.actions().await.iter().map(|action| (action.kind.name(), action.state)).collect();
    assert!(states.contains(&("attach", ActionState::Dead)), "{states:?}");
    assert_eq!(house.requests("POST /cases"), 1);
}

/// A Grafana on this machine. It answers `503` so many times, and then gives a picture to whoever
/// has the token.
struct Grafana {
    port: u16,
    asked: Arc<AtomicUsize>,
}

/// More than the vendor's gateway hashes, and no text.
fn picture() -> Vec<u8> {
    [b"\x89PNG\r\n".as_slice(), &[0xff; 300_000]].concat()
}

impl Grafana {
    async fn failing(times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 8192];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
                let before = count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = match head.contains("authorization: bearer see-a-little") {
                    false => ("401 Unauthorized", Vec::new()),
                    true if before < times => ("503 Service Unavailable", Vec::new()),
                    true => ("200 OK", picture()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
                );
                let _ = stream.write_all(&[head.into_bytes(), body].concat()).await;
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/render/panel", self.port)
    }

    /// A house that may ask it, and whose rule has its picture fetched.
    async fn house(&self) -> House {
        let file = "{ url: '{{default annotations.panel \"\"}}', name: panel.png }";
        let port = self.port;
        House::prepared("400ms", |files| {
            let attach = format!("      attach: {{ files: [{file}] }}\n    update:");
            add(files, &rule("").replace("    update:", &attach));
            let allow = format!(
                "limits: off\nfetch: {{ allow: [{{ host: 127.0.0.1, port: {port}, scheme: http, private: true, bearer: see-a-little }}] }}"
            );
            files.edit("casewright.yaml", "limits: off", &allow);
        })
        .await
    }

    fn was_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_picture_is_fetched_when_it_can_be_had_and_holds_up_nothing_until_then() {
    let grafana = Grafana::failing(usize::MAX).await;
    let house = grafana.house().await;
    let alert = leaky().annotation("panel", &grafana.url());
    house.hears(alert.clone()).await;
    let waits = house.action_says("has answered 503").await;
    assert_eq!(waits.attempts, 0, "the vendor was asked for nothing");
    house.hears(alert.resolved()).await;
    eventually("the end is told", || async {
        let case = house.sandbox.cases().remove(0);
        if case.closure_requests.is_empty() { Err(case) } else { Ok(()) }
    })
    .await;
    assert!(house.sandbox.cases()[0].attachments.is_empty());
    assert!(grafana.was_asked() > 0);
}

#[tokio::test]
async fn a_picture_arrives_as_it_is_although_answers_are_lost() {
    let grafana = Grafana::failing(2).await;
    let house = grafana.house().await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Attach, 1)]);
    house.hears(leaky().annotation("panel", &grafana.url())).await;
    let case = house.only_case().await;
    let [file] = case.attachments.as_slice() else { panic!("{:#?}", case.attachments) };
    assert_eq!(STANDARD.decode(&file.content_base64).expect("base64"), picture());
    assert_eq!(file.file_type, "image/png");
    assert!(file.file_name.starts_with("panel-cw-"), "{}", file.file_name);
    assert!(file.file_name.ends_with("-2.png"), "{}", file.file_name);
    assert_eq!(grafana.was_asked(), 4, "twice in vain, once for each send");
    assert_eq!(house.requests("POST /cases"), 1);
}

#[tokio::test]
async fn what_is_no_address_or_may_not_be_asked_costs_no_case() {
    let grafana = Grafana::failing(0).await;
    let house = grafana.house().await;
    house.hears(leaky()).await;
    assert!(house.only_case().await.attachments.is_empty());
    for (property, url) in [
        ("a", format!("http://localhost:{}/render/panel", grafana.port)),
        ("b", format!("http://127.0.0.1:{}@192.0.2.1/", grafana.port)),
        ("c", "http://169.254.169.254/latest/meta-data".to_owned()),
    ] {
        house.hears(leaky().label("property", property).annotation("panel", &url)).await;
    }
    for case in house.cases(4).await {
        assert!(case.attachments.is_empty(), "{:#?}", case.attachments);
    }
    assert_eq!(grafana.was_asked(), 0);
    let mut records = String::new();
    for incident in house.incidents().await {
        for attempt in house.store().attempts(&incident.id).await.expect("attempts") {
            records.push_str(&attempt.request.unwrap_or_default());
        }
    }
    assert_eq!(records.matches("the file panel.png is left out").count(), 3, "{records}");
}

#[tokio::test]
async fn every_case_ends_in_a_link_to_its_incident_that_nothing_takes_away() {
    // Its host looks like something that must not leave.
    let top = "external_url: https://192.0.2.7:8443\nredact: [ip]";
    let house = house(top, "").await;
    let long = leaky().annotation("story", &"it goes on and on. ".repeat(3000));
    house.hears(long).await;
    let case = house.only_case().await;
    let incident = house.only_incident().await;
    let link = format!("\n\nCasewright: https://192.0.2.7:8443/incidents/{}", incident.id);
    assert!(
        case.filed.description.ends_with(&link),
        "{}",
        &case.filed.description[case.filed.description.len() - 200..]
    );
    assert!(
        case.filed.description.contains("cut by Casewright"),
        "too long a text is cut before the link"
    );
    assert!(
        !case.filed.subject.contains("192.0.2.7"),
        "the rest is redacted: {}",
        case.filed.subject
    );
}

/// A server that takes connections and never says a word.
async fn silent() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    (port, asked)
}

#[tokio::test]
async fn file_servers_that_hang_are_asked_for_two_files_at_a_time_and_hold_up_no_case() {
    let (port, asked) = silent().await;
    let house = Grafana { port, asked: asked.clone() }.house().await;
    let url = format!("http://127.0.0.1:{port}/panel");
    let alert = |property: String| leaky().label("property", &property).annotation("panel", &url);
    for number in 0..8 {
        house.hears(alert(format!("p{number}"))).await;
    }
    house.action_says("other files are being fetched").await;
    eventually("two fetches that hang", || async {
        let count = asked.load(Ordering::SeqCst);
        if count == 2 { Ok(()) } else { Err(count) }
    })
    .await;
    // Everything else goes on meanwhile.
    for number in 0..8 {
        house.hears(alert(format!("p{number}")).resolved()).await;
    }
    eventually("eight cases that have ended", || async {
        let cases = house.sandbox.cases();
        let ended = cases.iter().filter(|case| case.closure_requests.len() == 1).count();
        if ended == 8 { Ok(()) } else { Err(ended) }
    })
    .await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the others wait for these two");
}
