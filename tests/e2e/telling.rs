//! What happens to a case is told where its alert came from, and to webhooks; and whatever goes
//! wrong with that costs no case anything.

use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::domain::action::ActionKind;
use casewright::sandbox::{Case, StaffComment};
use casewright::store::{Action, ActionState};
use serde_json::json;

use crate::support::alertmanager::edge;
use crate::support::desk::{Answer, Fault, Running};
use crate::support::files::Files;
use crate::support::house::{House, assert_ended_once, eventually};
use crate::support::pagerduty::Event;
use crate::support::told::{PagerDutyApi, Receiver};

const INCIDENT: &str = "Q1EDGE5XXVOD01";
const TOKEN: &str = "Token token=u+sesame-open";
const LANE: &str = "source:pagerduty";

fn triggered() -> Event {
    Event::fixture("01-triggered-by-integration.json")
}

fn resolved() -> Event {
    Event::fixture("18-resolved-by-integration.json").about(INCIDENT)
}

async fn pagerduty() -> Running<PagerDutyApi> {
    Running::start(PagerDutyApi::default(), TOKEN).await
}

/// Has the incidents of PagerDuty told of their cases.
fn tell(files: &Files, base: &str) {
    let plain = "secrets: [demo-secret] }";
    let told = format!(
        "secrets: [demo-secret], tell: {{ api_token: u+sesame-open, from: noc@example.com, \
         base_url: '{base}', custom_field: vendor_case, timeout: 1s, \
         reconcile: {{ window: 400ms, looks: 3 }} }} }}"
    );
    files.edit("casewright.yaml", plain, &told);
}

/// Has a webhook told.
fn notify(files: &Files, base: &str, on: &str) {
    let told = format!(
        "notify: [{{ name: chat, kind: webhook, url: '{base}/hook', \
         auth: {{ bearer: sesame-hook }}, timeout: 1s{on} }}]\nvendors:"
    );
    files.edit("casewright.yaml", "vendors:", &told);
}

async fn telling(api: &Running<PagerDutyApi>) -> House {
    House::prepared("400ms", |files| tell(files, &api.base)).await
}

fn notes(api: &Running<PagerDutyApi>) -> Vec<String> {
    api.with(|api| api.notes_on(INCIDENT))
}

async fn tells(house: &House) -> Vec<Action> {
    let mut actions = house.actions().await;
    actions.retain(|action| matches!(action.kind, ActionKind::Tell { .. }));
    actions
}

/// Waits until the case has all that it gets, whatever is still to be told.
async fn case_has_ended(house: &House) {
    let case = eventually("a case that has ended", || async {
        let cases = house.sandbox.cases();
        match cases.as_slice() {
            [case] if case.closure_requests.len() == 1 => Ok(case.clone()),
            _ => Err(cases),
        }
    })
    .await;
    assert_ended_once(&case);
}

#[tokio::test]
async fn the_case_is_named_on_the_incident_at_pagerduty_and_so_is_its_end() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    house.hears_event(&triggered()).await;
    let case = house.only_case().await;
    let told = notes(&api);
    let [opened] = told.as_slice() else { panic!("{told:#?}") };
    let marker = house.only_incident().await.id.marker();
    let number = case.case_id.clone();
    assert_eq!(
        opened,
        &format!(
            "Case {number} is open at akamai for this (rule pagerduty-video). {}",
            marker.action_token(2)
        )
    );
    let field = (INCIDENT.to_owned(), "vendor_case".to_owned());
    assert_eq!(api.with(|api| api.fields.get(&field).cloned()), Some(number.clone()));
    house.hears_event(&triggered().event_id("again").webhook_id("again")).await;
    house.hears_event(&resolved()).await;
    assert_ended_once(&house.only_case().await);
    let told = notes(&api);
    let [_, ended] = told.as_slice() else { panic!("{told:#?}") };
    assert!(ended.starts_with(&format!("This is over. Case {number} at akamai: ")), "{ended}");
    assert!(ended.contains("its closure is requested"), "{ended}");
}

#[tokio::test]
async fn nobody_is_told_who_is_not_configured() {
    let api = pagerduty().await;
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.hears_event(&resolved()).await;
    assert_ended_once(&house.only_case().await);
    assert!(tells(&house).await.is_empty());
    // Nor is a source told of what came through another one.
    let house = telling(&api).await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    assert!(tells(&house).await.is_empty());
    assert!(api.asked("").is_empty());
}

#[tokio::test]
async fn a_note_whose_answer_was_lost_is_found_and_not_written_twice() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    api.fault("POST ", Fault::Silent, 1);
    house.hears_event(&triggered()).await;
    house.only_case().await;
    assert_eq!(notes(&api).len(), 1, "{:#?}", notes(&api));
    assert_eq!(api.asked("POST ").len(), 1);
    assert!(!api.asked("GET ").is_empty(), "it was looked for");
    // A failure after the note was kept is no different.
    api.fault("POST ", Fault::After(Answer::of(502, json!({}))), 1);
    house.hears_event(&resolved()).await;
    house.settled().await;
    assert_eq!(notes(&api).len(), 2, "{:#?}", notes(&api));
}

#[tokio::test]
async fn a_note_that_was_never_kept_is_written_again_after_all_looks() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    api.fault("POST ", Fault::Instead(Answer::of(500, json!({}))), 1);
    house.hears_event(&triggered()).await;
    house.only_case().await;
    assert_eq!(notes(&api).len(), 1);
    assert!(api.asked("GET ").len() >= 3, "{:#?}", api.asked("GET "));
}

#[tokio::test]
async fn a_pagerduty_that_is_down_holds_up_no_case_and_is_told_when_it_is_back() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    let busy = Answer::of(503, json!({})).header("retry-after", "60");
    api.fault("", Fault::Instead(busy), 1000);
    house.hears_event(&triggered()).await;
    eventually("something that is not told", || async {
        let tells = tells(&house).await;
        if api.asked("").is_empty() { Err(tells) } else { Ok(()) }
    })
    .await;
    for _ in 0..6 {
        house.clock.advance(Duration::from_secs(600));
    }
    house.hears_event(&resolved()).await;
    case_has_ended(&house).await;
    assert!(notes(&api).is_empty());
    api.no_faults();
    eventually("both notes", || async {
        house.clock.advance(Duration::from_secs(60));
        let notes = notes(&api);
        if notes.len() == 2 { Ok(()) } else { Err(notes) }
    })
    .await;
    assert!(notes(&api)[0].starts_with("Case "), "in their order: {:#?}", notes(&api));
}

#[tokio::test]
async fn a_vendor_that_is_down_holds_up_nothing_that_is_to_be_told() {
    use casewright::sandbox::{Fault as Trouble, Kind, On};
    let api = pagerduty().await;
    let house = telling(&api).await;
    house.hears_event(&triggered()).await;
    house.only_case().await;
    house.faults([Trouble::new(Kind::Down, On::Any)]);
    house.hears_event(&resolved()).await;
    eventually("the end at PagerDuty", || async {
        let notes = notes(&api);
        if notes.len() == 2 { Ok(()) } else { Err(notes) }
    })
    .await;
    assert!(house.sandbox.cases()[0].closure_requests.is_empty());
}

#[tokio::test]
async fn a_token_that_is_not_accepted_pauses_the_notes_and_raises_an_alarm_and_no_case_suffers() {
    let api = pagerduty().await;
    api.knows("Token token=u+another");
    let house = telling(&api).await;
    house.hears_event(&triggered()).await;
    eventually("an alarm", || async {
        match house.alarms("target_denied").await {
            1 => Ok(()),
            count => Err(count),
        }
    })
    .await;
    house.hears_event(&resolved()).await;
    case_has_ended(&house).await;
    assert_eq!(house.alarms("vendor_denied").await, 0);
    let vendors = house.command(&["vendors", "list"]).await;
    assert!(vendors.stdout.contains(LANE) && vendors.stdout.contains("denied"), "{vendors:?}");
    // What PagerDuty says quotes the token, and nobody else may.
    let shown = format!("{vendors:?}{:?}", tells(&house).await);
    assert!(shown.contains("does not accept") && !shown.contains("sesame-open"), "{shown}");
    api.knows(TOKEN);
    let resumed = house.command(&["vendors", "resume", LANE]).await;
    assert!(resumed.ok, "{resumed:?}");
    eventually("both notes", || async {
        house.clock.advance(Duration::from_secs(60));
        let notes = notes(&api);
        if notes.len() == 2 { Ok(()) } else { Err(notes) }
    })
    .await;
}

#[tokio::test]
async fn a_user_whom_pagerduty_does_not_know_is_an_alarm_too() {
    let api = pagerduty().await;
    api.with(|api| api.users.clear());
    let house = telling(&api).await;
    house.hears_event(&triggered()).await;
    let action = house.action_says("no user of PagerDuty has the address in `from`").await;
    assert_eq!(action.state, ActionState::Ready);
    eventually("an alarm", || async {
        let count = house.alarms("target_denied").await;
        if count > 0 { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_told_is_a_dead_letter_that_people_see_and_the_next_is_told() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    let no = Answer::of(400, json!({ "error": { "message": "no", "code": 2001 } }));
    api.fault("POST ", Fault::Instead(no), 1);
    house.hears_event(&triggered()).await;
    house.only_case().await;
    let shown = house.command(&["actions", "list"]).await;
    assert!(shown.stdout.contains("tell") && shown.stdout.contains(LANE), "{shown:?}");
    assert_eq!(house.only_incident().await.state.name(), "open");
    house.hears_event(&resolved()).await;
    assert_ended_once(&house.only_case().await);
    assert_eq!(notes(&api).len(), 1);
    // A person has it tried again.
    let dead = tells(&house).await.into_iter().find(|action| action.state == ActionState::Dead);
    let dead = dead.expect("a dead letter").id.to_string();
    let retried = house.command(&["actions", "retry", &dead]).await;
    assert!(retried.ok, "{retried:?}");
    house.settled().await;
    assert_eq!(notes(&api).len(), 2);
}

#[tokio::test]
async fn a_case_that_cannot_be_opened_is_told_with_what_the_vendor_said() {
    use casewright::sandbox::{Fault as Trouble, Kind, On};
    let api = pagerduty().await;
    let house = telling(&api).await;
    house.faults([Trouble::new(Kind::Refuse, On::Create)]);
    house.hears_event(&triggered()).await;
    house.incident_is("failed").await;
    house.settled().await;
    let told = notes(&api);
    let [failed] = told.as_slice() else { panic!("{told:#?}") };
    let open = house.actions().await.remove(0);
    let why = open.message.expect("what the vendor said");
    assert!(failed.starts_with("No case could be opened at akamai for this"), "{failed}");
    assert!(failed.contains(why.get(..40).expect("a sentence")), "{failed}\n{why}");
    // A person has it tried again, and it works.
    house.no_faults();
    let retried = house.command(&["actions", "retry", &open.id.to_string(), "--send"]).await;
    assert!(retried.ok, "{retried:?}");
    let case = house.only_case().await;
    assert_eq!(notes(&api).len(), 2);
    assert!(notes(&api)[1].contains(&case.case_id), "{:#?}", notes(&api));
    let shown = house.command(&["why", &case.case_id]).await;
    let line = format!("tell (a note on {INCIDENT} of source pagerduty) done");
    assert!(shown.stdout.contains(&line), "{shown:?}");
}

#[tokio::test]
async fn the_doctor_asks_pagerduty_whether_it_accepts_the_token() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    for (known, wanted) in [(TOKEN, "accepts the token"), ("Token token=x", "does not accept")] {
        api.knows(known);
        let told = house.command(&["doctor"]).await;
        let about = told.stdout.split("target source:pagerduty").nth(1).expect("a section");
        assert!(about.contains(wanted), "{told:?}");
    }
    assert!(notes(&api).is_empty());
}

#[tokio::test]
async fn our_own_note_that_pagerduty_sends_back_is_no_comment_on_the_case() {
    let api = pagerduty().await;
    let house = House::prepared("400ms", |files| {
        tell(files, &api.base);
        let resolve = "resolve: { action: close }";
        let both = format!("{resolve}\n    update: {{ notes: true }}");
        files.edit("rules/30-pagerduty.yaml", resolve, &both);
    })
    .await;
    house.hears_event(&triggered()).await;
    house.only_case().await;
    let note = notes(&api).remove(0);
    let ours = Event::fixture("09-annotated.json").content(&note).event_id("o").webhook_id("o");
    assert_eq!(house.hears_event(&ours).await.fate, "noted");
    let case = house.only_case().await;
    assert!(case.comments.is_empty(), "{case:#?}");
    // What a person writes is one.
    house.hears_event(&Event::fixture("09-annotated.json")).await;
    assert_eq!(house.only_case().await.comments.len(), 1);
    assert_eq!(notes(&api).len(), 1, "a comment on the case is not told back");
}

#[tokio::test]
async fn what_was_to_be_told_when_the_daemon_stopped_is_told_once_by_the_next() {
    let api = pagerduty().await;
    let mut house = telling(&api).await;
    // It is kept, and the answer is lost; then nothing can be read.
    api.fault("GET ", Fault::Instead(Answer::of(503, json!({}))), 1000);
    api.fault("POST ", Fault::Silent, 1);
    house.hears_event(&triggered()).await;
    house.action_says("was lost").await;
    house.stop_daemon().await;
    assert_eq!(notes(&api).len(), 1);
    house.start_daemon().await;
    api.no_faults();
    eventually("an outbox that is empty", || async {
        house.clock.advance(Duration::from_secs(30));
        let census = house.store().census().await.expect("a census");
        if census.unfinished() == 0 { Ok(()) } else { Err(tells(&house).await) }
    })
    .await;
    assert_eq!(notes(&api).len(), 1, "{:#?}", notes(&api));
}

#[tokio::test]
async fn who_joins_an_incident_that_has_a_case_is_told_of_it() {
    let api = pagerduty().await;
    let house = telling(&api).await;
    house.hears_event(&triggered()).await;
    house.only_case().await;
    // Merged into another one, whose viewers have heard of no case.
    house.hears_event(&Event::fixture("19-resolved-merged.json").about(INCIDENT)).await;
    house.only_case().await;
    let told = api.with(|api| api.notes_on("Q1EDGE5XXMAIN1"));
    let [note] = told.as_slice() else { panic!("{told:#?}") };
    assert!(note.starts_with("Case "), "{note}");
}

#[tokio::test]
async fn a_webhook_gets_what_alertmanager_would_send_firing_and_resolved() {
    let receiver = Running::start(Receiver::default(), "Bearer sesame-hook").await;
    let house = House::prepared("400ms", |files| notify(files, &receiver.base, "")).await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await;
    house.hears(edge("shop").resolved()).await;
    assert_ended_once(&house.only_case().await);
    let payloads = receiver.with(|receiver| receiver.payloads.clone());
    let [fires, ends] = payloads.as_slice() else { panic!("{payloads:#?}") };
    let incident = house.only_incident().await.id;
    for (payload, status) in [(fires, "firing"), (ends, "resolved")] {
        assert_eq!(payload["version"], "4");
        assert_eq!(payload["status"], status);
        assert_eq!(payload["receiver"], "chat");
        assert_eq!(payload["groupKey"], format!("casewright:{incident}"));
        let alert = &payload["alerts"][0];
        assert_eq!(alert["status"], status);
        let labels = &alert["labels"];
        assert_eq!(labels["alertname"], "EdgeHigh5xxRatio");
        assert_eq!(labels["property"], "shop");
        assert_eq!(labels["casewright_rule"], "edge-5xx");
        assert_eq!(labels["casewright_case"], case.case_id.as_str());
        assert!(alert["annotations"]["summary"].as_str().expect("text").contains("F-"));
    }
    assert_eq!(fires["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    assert_eq!(fires["alerts"][0]["startsAt"], ends["alerts"][0]["startsAt"]);
    assert_eq!(fires["alerts"][0]["fingerprint"], ends["alerts"][0]["fingerprint"]);
    let posts = receiver.asked("POST /hook");
    let id = |at: usize| posts[at].headers["idempotency-key"].clone();
    assert_ne!(id(0), id(1));
}

#[tokio::test]
async fn a_webhook_is_told_at_least_once_and_can_tell_a_twin() {
    let receiver = Running::start(Receiver::default(), "Bearer sesame-hook").await;
    receiver.fault("POST ", Fault::Silent, 1);
    receiver.fault("POST ", Fault::After(Answer::of(500, json!({}))), 1);
    let house =
        House::prepared("400ms", |files| notify(files, &receiver.base, ", on: [opened]")).await;
    house.hears(edge("shop")).await;
    house.hears(edge("shop").resolved()).await;
    case_has_ended(&house).await;
    eventually("the third try", || async {
        house.clock.advance(Duration::from_secs(10));
        let posts = receiver.asked("POST ");
        if posts.len() >= 3 { Ok(()) } else { Err(posts) }
    })
    .await;
    house.settled().await;
    let posts = receiver.asked("POST ");
    // Its end is not among what it wants to hear of.
    for post in &posts {
        assert_eq!(post.headers["idempotency-key"], posts[0].headers["idempotency-key"]);
        assert_eq!(post.body, posts[0].body);
    }
}

#[tokio::test]
async fn what_a_webhook_refuses_is_a_dead_letter_and_costs_the_case_nothing() {
    let receiver = Running::start(Receiver::default(), "Bearer sesame-hook").await;
    receiver.fault("POST ", Fault::Instead(Answer::of(422, json!({ "no": 1 }))), 1);
    let house = House::prepared("400ms", |files| notify(files, &receiver.base, "")).await;
    house.hears(edge("shop")).await;
    house.hears(edge("shop").resolved()).await;
    case_has_ended(&house).await;
    house.settled().await;
    let states: Vec<ActionState> = tells(&house).await.iter().map(|tell| tell.state).collect();
    assert_eq!(states, [ActionState::Dead, ActionState::Done]);
    assert_eq!(receiver.with(|receiver| receiver.payloads.len()), 1);
}

#[tokio::test]
async fn targets_come_and_go_with_the_files() {
    let api = pagerduty().await;
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.only_case().await;
    tell(&house.files, &api.base);
    assert!(house.command(&["reload"]).await.ok);
    house.hears_event(&triggered().about("QANOTHER").event_id("2").webhook_id("2")).await;
    house.settled().await;
    assert_eq!(api.with(|api| api.notes_on("QANOTHER")).len(), 1);
    assert_eq!(notes(&api).len(), 0, "its case was opened before");
    // What waits for a target that is gone does not wait for ever.
    let down = Answer::of(503, json!({})).header("retry-after", "30");
    api.fault("", Fault::Instead(down), 1000);
    house.hears_event(&triggered().about("QTHIRD").event_id("3").webhook_id("3")).await;
    house.action_says("PagerDuty").await;
    tell_nobody(&house);
    let reloaded = house.command(&["reload"]).await;
    assert!(reloaded.ok, "{reloaded:?}");
    eventually("an outbox that is empty", || async {
        house.clock.advance(Duration::from_secs(60));
        let census = house.store().census().await.expect("a census");
        if census.unfinished() == 0 { Ok(()) } else { Err(tells(&house).await) }
    })
    .await;
    assert!(api.with(|api| api.notes_on("QTHIRD")).is_empty());
    assert!(house.clock.now() > house.incidents().await[0].created_at);
}

/// Lets time pass until the notes are so many. The clock stands while a request is under way.
async fn noted(house: &House, api: &Running<PagerDutyApi>, count: usize) -> Vec<String> {
    eventually("notes", || async {
        house.clock.advance(Duration::from_secs(11 * 60));
        for _ in 0..100 {
            let told = notes(api);
            if told.len() >= count && house.store().census().await.expect("read").unfinished() == 0
            {
                return Ok(told);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(notes(api))
    })
    .await
}

#[tokio::test]
async fn what_the_vendor_does_with_a_case_is_told_where_its_alert_came_from() {
    let api = pagerduty().await;
    let hook = Running::start(Receiver::default(), "Bearer sesame-hook").await;
    let house = House::watching_with(|files| {
        tell(files, &api.base);
        notify(files, &hook.base, ", on: [responded, commented, waits]");
        files.edit("casewright.yaml", "limits: off", "limits: off\nredact: [email]");
    })
    .await;
    house.hears_event(&triggered()).await;
    let case = house.only_case().await.case_id;
    eventually("a look at the case", || async {
        let incident = house.only_incident().await.id;
        let kept = house.store().kept_case(&incident).await.expect("read");
        house.clock.advance(Duration::from_secs(60));
        kept.map(|_| ()).ok_or(())
    })
    .await;
    house
        .sandbox
        .staff_comment(&case, &StaffComment::of("<p>Which property, jane@example.com?</p>"))
        .expect("a case");
    house.sandbox.set_next_action(&case, "CUSTOMER").expect("a case");
    let told = noted(&house, &api, 4).await;
    let [_, responded, commented, waits] = told.as_slice() else { panic!("{told:#?}") };
    let wanted = format!("akamai has first responded on case {case}, after ");
    assert!(responded.starts_with(&wanted) && responded.contains(" minute"), "{responded}");
    let wanted =
        format!("has commented on case {case} at akamai: Which property, [redacted: email]? [cw-");
    assert!(commented.contains(&wanted), "{commented}");
    assert!(
        waits.starts_with(&format!("akamai waits for an answer on case {case}. [cw-")),
        "{waits}"
    );
    let posted = hook.with(|hook| hook.payloads.clone());
    let occasions: Vec<&str> = posted
        .iter()
        .map(|post| post["alerts"][0]["annotations"]["casewright_occasion"].as_str().expect("text"))
        .collect();
    assert_eq!(occasions, ["responded", "commented", "waits"], "{posted:#?}");
    // Our notes are not told again as what a person wrote, and the case has got no comment by them.
    house.sandbox.set_status(&case, "CLOSED").expect("a case");
    let told = noted(&house, &api, 5).await;
    assert!(
        told[4].starts_with(&format!("akamai has closed case {case} although 1 alert fires.")),
        "{told:#?}"
    );
    let said = house.command(&["why", &case]).await.done();
    assert!(said.contains("the vendor did something with case"), "{said}");
}

#[tokio::test]
async fn what_must_not_leave_is_told_to_nobody_and_kept_in_no_record_of_it() {
    let hook = Running::start(Receiver::default(), "Bearer sesame-hook").await;
    let house = House::prepared("400ms", |files| {
        notify(files, &hook.base, "");
        files.edit("casewright.yaml", "limits: off", "limits: off\nredact: [email, token]");
    })
    .await;
    let alert = edge("shop").label("password", "correct horse").label("owner", "jane@example.com");
    house.hears(alert.clone()).await;
    let case = house.only_case().await;
    house.hears(alert.resolved()).await;
    house.only_case().await;
    let payloads = hook.with(|hook| hook.payloads.clone());
    assert_eq!(payloads.len(), 2, "{payloads:#?}");
    for payload in &payloads {
        let labels = &payload["alerts"][0]["labels"];
        assert_eq!(labels["password"], "[redacted: token]");
        assert_eq!(labels["owner"], "[redacted: email]");
        assert_eq!(labels["property"], "shop");
        assert_eq!(labels["casewright_case"], case.case_id.as_str());
    }
    let mut records = format!("{payloads:?}{case:?}");
    for incident in house.incidents().await {
        for attempt in house.store().attempts(&incident.id).await.expect("attempts") {
            records.push_str(&attempt.request.unwrap_or_default());
        }
    }
    assert!(!records.contains("horse") && !records.contains("jane@"), "{records}");
}

#[tokio::test]
async fn what_a_rollup_stands_for_is_told_of_its_case_where_it_came_from() {
    let api = pagerduty().await;
    let house = House::prepared("400ms", |files| {
        tell(files, &api.base);
        let limits = "limits: { cases: 1, per: 1h, overflow: rollup }";
        files.edit("casewright.yaml", "limits: off", limits);
    })
    .await;
    for id in ["QFIRST", "QSECOND", "QTHIRD"] {
        house.hears_event(&triggered().about(id).event_id(id).webhook_id(id)).await;
    }
    house.clock.advance(Duration::from_secs(60));
    let cases = house.cases(2).await;
    let rolled = |case: &&Case| case.filed.subject.contains("(roll-up)");
    let number = &cases.iter().find(rolled).expect("a roll-up").case_id;
    for id in ["QSECOND", "QTHIRD"] {
        let told = api.with(|api| api.notes_on(id));
        let [note] = told.as_slice() else { panic!("{told:#?}") };
        let wanted =
            format!("Case {number} is open at akamai for this and other problems (roll-up");
        assert!(note.starts_with(&wanted), "{note}");
        let field = (id.to_owned(), "vendor_case".to_owned());
        assert_eq!(api.with(|api| api.fields.get(&field).cloned()).as_ref(), Some(number));
    }
    let first = api.with(|api| api.notes_on("QFIRST"));
    assert!(first.len() == 1 && !first[0].contains(number.as_str()), "{first:#?}");
}

/// Takes the target out of the files.
fn tell_nobody(house: &House) {
    let path = house.files.config();
    let text = std::fs::read_to_string(&path).expect("a file");
    let (from, to) =
        (text.find(", tell: {").expect("there"), text.find("looks: 3 } } }").expect("there"));
    let without = format!("{}{}", &text[..from], &text[to + "looks: 3 } }".len()..]);
    std::fs::write(path, without).expect("written");
}

#[tokio::test]
async fn a_dead_letter_of_a_target_that_is_gone_does_not_wait_for_a_restart_when_it_is_revived() {
    let api = pagerduty().await;
    let mut house = telling(&api).await;
    api.fault("POST ", Fault::Instead(Answer::of(400, json!({}))), 1);
    house.hears_event(&triggered()).await;
    house.only_case().await;
    house.stop_daemon().await;
    tell_nobody(&house);
    house.start_daemon().await;
    let dead = tells(&house).await.into_iter().find(|action| action.state == ActionState::Dead);
    let dead = dead.expect("a dead letter").id.to_string();
    assert!(house.command(&["actions", "retry", &dead]).await.ok);
    house.settled().await;
    house.action_says("the config names this target no longer").await;
    assert!(notes(&api).is_empty());
}
