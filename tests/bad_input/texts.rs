//! Control characters and other texts that a person would be misled by.

use serde_json::json;

use super::house::{Files, firing, payload};

/// NUL, escape sequences, line breaks, text that runs backwards, the edges of Unicode.
const NASTY: &str = "a\0b\u{1b}[31mc\r\nd\u{7}e\u{85}f\u{202e}g\u{2028}h\u{feff}i\u{fffe}j\u{10ffff}k\\u0000l\"m'n\u{7f}";

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_are_taken_and_the_case_is_clean() {
    let files = Files::good();
    let house = files.start().await;
    let mut alert = firing(&format!("Nasty{NASTY}"), &json!({ "detail": NASTY }));
    alert["labels"][format!("name{NASTY}")] = json!(NASTY);
    alert["annotations"] = json!({ "summary": NASTY, format!("note{NASTY}"): NASTY });
    alert["fingerprint"] = json!(format!("finger{NASTY}"));
    let mut body = payload(&[alert.clone()]);
    body["receiver"] = json!(NASTY);
    body["groupLabels"] = json!({ format!("group{NASTY}"): NASTY });
    assert_eq!(house.alertmanager(body.to_string()).await.fate(), "accepted");
    // Read back from the store it is the same alert: nothing was cut at the NUL.
    assert_eq!(house.alertmanager(body.to_string()).await.fate(), "repeat");
    let case = house.cases(1).await.remove(0);
    let subject = &case.filed.subject;
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
    let description = &case.filed.description;
    assert!(
        !description.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
        "{description:?}"
    );
    for text in [subject, description] {
        assert!(!text.contains(['\u{202e}', '\u{2028}']), "{text:?}");
    }
    assert!(subject.ends_with(']') && subject.contains("[cw-"), "{subject:?}");
    // It ends like any other.
    alert["status"] = json!("resolved");
    alert["endsAt"] = json!("2026-01-01T01:00:00Z");
    body["alerts"] = json!([alert]);
    assert_eq!(house.alertmanager(body.to_string()).await.fate(), "accepted");
    let incident = house.daemon.store.incidents(1).await.expect("read").remove(0);
    assert!(!incident.is_firing());
    assert_eq!(incident.members.len(), 1);
    house.still_works(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_far_too_long_are_cut_and_keep_their_token() {
    let house = Files::good().start().await;
    let mut alert = firing("Long", &json!({ "detail": "ä😀".repeat(8_000) }));
    alert["annotations"] = json!({ "summary": "\\\"😀".repeat(20_000) });
    assert_eq!(house.alertmanager(payload(&[alert]).to_string()).await.fate(), "accepted");
    let case = house.cases(1).await.remove(0);
    let subject = &case.filed.subject;
    assert!(subject.encode_utf16().count() <= 255, "{subject:?}");
    assert!(subject.ends_with(']') && subject.contains("… [cw-"), "{subject:?}");
    assert!(case.filed.description.encode_utf16().count() <= 32_000);
    assert!(case.filed.description.contains("cut by Casewright"));
    house.still_works(1).await;
}
