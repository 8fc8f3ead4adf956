//! Incidents of PagerDuty: signed events, at least once, sometimes late.

use crate::support::files::Files;
use crate::support::house::{House, assert_ended_once, assert_untouched, comments};
use crate::support::pagerduty::Event;

fn triggered() -> Event {
    Event::fixture("01-triggered-by-integration.json")
}

fn acknowledged() -> Event {
    Event::fixture("03-acknowledged.json")
}

fn resolved() -> Event {
    Event::fixture("18-resolved-by-integration.json")
}

fn merged() -> Event {
    Event::fixture("19-resolved-merged.json")
}

#[tokio::test]
async fn a_triggered_incident_opens_a_case_and_a_resolved_one_ends_it() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    let case = house.only_case().await;
    assert!(case.filed.subject.contains("CdnEdge5xxRatioHigh"), "{case:#?}");
    assert_eq!(case.filed.severity, "2-Moderate Impact");
    assert_eq!(case.filed.product_name.as_deref(), Some("Adaptive Media Delivery"));
    assert_untouched(&case);

    house.hears_event(&acknowledged()).await;
    assert_untouched(&house.only_case().await);

    house.hears_event(&resolved()).await;
    assert_ended_once(&house.only_case().await);
}

#[tokio::test]
async fn a_webhook_that_is_delivered_again_changes_nothing() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    assert_eq!(house.hears_event(&triggered()).await.fate, "redelivered");

    // The same webhook, even if it claimed to carry another event.
    let again = triggered().event_id("another");
    assert_eq!(house.hears_event(&again).await.fate, "redelivered");
    // The same event from a second subscription.
    let again = triggered().webhook_id("another");
    assert_eq!(house.hears_event(&again).await.fate, "redelivered");
    assert_untouched(&house.only_case().await);
}

#[tokio::test]
async fn a_redelivery_after_the_end_does_not_begin_it_again() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    house.hears_event(&resolved()).await;
    assert_eq!(house.hears_event(&triggered()).await.fate, "redelivered");
    assert_ended_once(&house.only_case().await);
}

#[tokio::test]
async fn an_event_that_comes_late_changes_nothing() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    house.hears_event(&resolved()).await;
    assert_eq!(house.hears_event(&acknowledged()).await.fate, "repeat");
    assert_ended_once(&house.only_case().await);
    assert_eq!(house.only_incident().await.state.name(), "closed");
}

#[tokio::test]
async fn reopened_it_goes_on_with_its_case() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    house.hears_event(&resolved()).await;
    house.settled().await;
    house.hears_event(&Event::fixture("20-reopened.json")).await;
    let case = house.only_case().await;
    assert_eq!(case.comments.len(), 3, "the end, the request, the return: {case:#?}");
    assert_eq!(house.only_incident().await.state.name(), "open");
}

#[tokio::test]
async fn a_merged_incident_has_not_resolved() {
    let house = House::open().await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    assert_eq!(house.hears_event(&merged()).await.fate, "accepted");
    assert_untouched(&house.only_case().await);
    let incident = house.only_incident().await;
    assert_eq!(incident.state.name(), "open");
    let firing: Vec<&str> = incident
        .members
        .values()
        .filter(|member| member.is_firing())
        .map(|member| member.alert.fingerprint.as_str())
        .collect();
    assert_eq!(firing, ["Q1EDGE5XXMAIN1"], "the other one goes on for it");

    // What is heard of the other one belongs to the same case, until it ends.
    house.hears_event(&triggered().about("Q1EDGE5XXMAIN1").webhook_id("w-2").event_id("e-2")).await;
    assert_untouched(&house.only_case().await);
    house.hears_event(&resolved().about("Q1EDGE5XXMAIN1")).await;
    assert_ended_once(&house.only_case().await);
}

#[tokio::test]
async fn an_incident_whose_labels_lead_to_another_rule_keeps_its_case() {
    let house = House::prepared("400ms", |files| {
        let severe = "rules:
  - name: severe
    match: ['source = \"pagerduty\"', 'priority = \"P1\"']
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: 1
      subject: severe
      description: severe
";
        std::fs::write(files.path("rules/05-severe.yaml"), severe).expect("a rule file");
    })
    .await;
    house.hears_event(&triggered()).await;
    house.settled().await;
    let raised = Event::fixture("08-priority-updated.json").about("Q1EDGE5XXVOD01");
    house.hears_event(&raised).await;
    let case = house.only_case().await;
    let [comment] = case.comments.as_slice() else { panic!("{case:#?}") };
    assert!(comment.comment.contains("it has gone from 2 to 1"), "{comment:#?}");
    assert_eq!(house.only_incident().await.rule.as_str(), "pagerduty-video");
    house.hears_event(&resolved()).await;
    assert_eq!(house.settled().await.len(), 1);
    assert_eq!(house.only_incident().await.state.name(), "closed");
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_acknowledged_and_noted() {
    let house = House::open().await;
    let unknown = Event::fixture("25-unknown-future-event.json");
    assert_eq!(house.hears_event(&unknown).await.fate, "noted");
    house.no_case().await;
}

#[tokio::test]
async fn what_people_write_in_pagerduty_is_told_on_the_case_where_the_rule_wants_it() {
    let noted = |files: &Files| {
        let resolve = "resolve: { action: close }";
        let both = format!("{resolve}\n    update: {{ notes: true }}");
        files.edit("rules/30-pagerduty.yaml", resolve, &both);
    };
    let written = |text: &str| Event::fixture("09-annotated.json").event_id(text).webhook_id(text);
    for (wanted, change) in [(1, noted as fn(&Files)), (0, (|_| {}) as fn(&Files))] {
        let house = House::prepared("400ms", change).await;
        house.hears_event(&triggered()).await;
        house.only_case().await;
        let reply = house.hears_event(&written("one")).await;
        assert_eq!(reply.fate, if wanted == 1 { "accepted" } else { "noted" });
        // The same note from a second subscription.
        house.hears_event(&written("one").webhook_id("another")).await;
        let case = house.only_case().await;
        assert_eq!(comments(&case, "A note of ours by On-call Engineer"), wanted, "{case:?}");
        assert_eq!(comments(&case, "Fastly status page shows nothing"), wanted, "{case:?}");
        // After the end there is nobody to tell.
        house.hears_event(&resolved()).await;
        house.only_case().await;
        house.hears_event(&written("two")).await;
        let case = house.only_case().await;
        assert_eq!(comments(&case, "A note of ours"), wanted, "{case:?}");
    }
}

/// A rule that forwards notes, and an incident that has a case.
async fn forwarding() -> House {
    let house = House::prepared("400ms", |files: &Files| {
        let resolve = "resolve: { action: close }";
        let both = format!("{resolve}\n    update: {{ notes: true }}");
        files.edit("rules/30-pagerduty.yaml", resolve, &both);
    })
    .await;
    house.hears_event(&triggered()).await;
    house.only_case().await;
    house
}

fn long_note(words: usize) -> Event {
    let text: String = (0..words).map(|number| format!("word{number} ")).collect();
    Event::fixture("09-annotated.json").content(&text).event_id("long").webhook_id("long")
}

#[tokio::test]
async fn a_note_that_is_longer_than_a_comment_is_told_in_parts_each_once_and_in_order() {
    use casewright::sandbox::{Fault, Kind, On};
    let house = forwarding().await;
    // The answers to two parts are lost, of which the vendor has one.
    house.faults([
        Fault::on_next(Kind::DropAfterCommit, On::Comment, 1),
        Fault::on_next(Kind::DropBeforeCommit, On::Comment, 1),
    ]);
    house.hears_event(&long_note(25_000)).await;
    let case = house.only_case().await;
    let said: Vec<&str> = case.comments.iter().map(|comment| comment.comment.as_str()).collect();
    assert_eq!(said.len(), 3, "{:?}", said.iter().map(|text| text.get(..40)).collect::<Vec<_>>());
    let marker = house.only_incident().await.id.marker();
    let mut words = Vec::new();
    for (at, text) in (1u32..).zip(&said) {
        // The note itself was the second action.
        let (head, end) = (format!("({at}/3)\n\n"), format!("\n\n{}", marker.action_token(2 + at)));
        let text = text.strip_prefix(&head).and_then(|text| text.strip_suffix(&end));
        let text = text.unwrap_or_else(|| panic!("{:?}", said[at as usize - 1].get(..60)));
        words.extend(text.split_whitespace().filter(|word| word.starts_with("word")));
    }
    let wanted: Vec<String> = (0..25_000).map(|number| format!("word{number}")).collect();
    assert!(words == wanted, "{} of {} words", words.len(), wanted.len());
    // What comes after is a comment of its own.
    house.hears_event(&resolved()).await;
    assert_eq!(comments(&house.only_case().await, "resolved as of"), 1);
    let said = house.command(&["why", &case.case_id]).await.done();
    assert!(said.contains("it is told in 3 parts"), "{said}");
}

#[tokio::test]
async fn a_note_that_is_longer_than_five_comments_is_cut_and_says_so() {
    let house = forwarding().await;
    // Shown as `\\u2028`, so that nobody is misled: more than a webhook may have.
    let text = format!("it{}is long", "\u{2028}".repeat(100_000));
    let note = Event::fixture("09-annotated.json").content(&text);
    house.hears_event(&note.event_id("long").webhook_id("long")).await;
    let case = house.only_case().await;
    assert_eq!(case.comments.len(), 5);
    assert_eq!(comments(&case, "the rest is where it was written"), 1);
    assert!(case.comments[4].comment.starts_with("(5/5)"));
}
