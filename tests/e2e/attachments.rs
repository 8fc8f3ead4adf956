//! A text that is too long for a case goes along as a file, once, whatever becomes of the answers.

use casewright::sandbox::{Case, Fault, Kind, On};

use crate::support::alertmanager::Item;
use crate::support::house::{House, assert_ended_once, assert_untouched};

/// More than the vendor takes as a description.
fn story() -> String {
    "What happened at the edge, line by line. ".repeat(1_000)
}

fn wordy() -> Item {
    Item::firing("Wordy").label("property", "shop").annotation("story", &story())
}

/// The only case, with a file that holds all of the text, once.
async fn case_with_the_file(house: &House) -> Case {
    let case = house.only_case().await;
    let kept: Vec<_> = case.attachments.iter().filter(|file| !file.upload_fails).collect();
    assert_eq!(kept.len(), 1, "{:#?}", case.attachments);
    assert!(kept[0].size >= story().len(), "{} bytes", kept[0].size);
    assert!(case.filed.description.len() < story().len(), "it was cut");
    case
}

#[tokio::test]
async fn a_long_text_is_attached_although_the_answer_is_lost_and_only_once() {
    for kind in [Kind::DropAfterCommit, Kind::ErrorAfterCommit] {
        let house = House::open().await;
        house.faults([Fault::new(kind, On::Attach)]);
        house.hears(wordy()).await;
        assert_untouched(&case_with_the_file(&house).await);
        assert_eq!(house.sandbox.requests().attachments_committed, 1, "{kind:?}");
        house.hears(wordy().resolved()).await;
        assert_ended_once(&case_with_the_file(&house).await);
    }
}

#[tokio::test]
async fn a_file_that_did_not_arrive_is_sent_again_after_it_was_looked_for() {
    let house = House::open().await;
    house.faults([Fault::on_next(Kind::DropBeforeCommit, On::Attach, 1)]);
    house.hears(wordy()).await;
    case_with_the_file(&house).await;
    assert_eq!(house.requests("POST /cases/{caseId}/attachments"), 2);
    assert!(house.requests("GET /cases/{caseId}/attachments") > 0, "it was looked for");
}

#[tokio::test]
async fn an_upload_that_the_vendor_fails_to_keep_is_made_again() {
    let house = House::open().await;
    // The second one is accepted, its answer is lost, and it fails as well.
    house.faults([
        Fault::on_next(Kind::FailUpload, On::Attach, 2),
        Fault { every: Some(2), ..Fault::on_next(Kind::DropAfterCommit, On::Attach, 1) },
    ]);
    house.hears(wordy()).await;
    let case = case_with_the_file(&house).await;
    assert_eq!(case.attachments.len(), 3, "{:#?}", case.attachments);
    assert_untouched(&case);
}
