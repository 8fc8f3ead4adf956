//! What survives a restart.

use serde_json::json;

use super::Bench;
use crate::clock::SystemClock;
use crate::sandbox::{Options, Sandbox};

#[tokio::test]
async fn cases_survive_a_restart_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    let bench = Bench::with_state(Some(path.clone())).await;
    let id = bench.make_case("survivor").await;
    bench.post(&format!("/cases/{id}/comments"), &json!({ "comment": "c" })).await;
    bench.sandbox.set_status(&id, "IN_PROGRESS").unwrap();
    let before = bench.sandbox.cases();
    bench.sandbox.stop().await;

    let bench = Bench::with_state(Some(path)).await;
    assert_eq!(bench.sandbox.cases(), before);
    assert_eq!(bench.make_case("next").await, "F-CS-1000002");
    let comments = format!("/cases/{id}/comments");
    let reply = bench.post(&comments, &json!({ "comment": "d" })).await;
    assert_eq!(reply.body["commentId"], "F-CC-0000002");
}

#[tokio::test]
async fn a_state_file_that_is_none_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    for content in
        ["not json", r#"{ "cases": [] }"#, r#"{ "commentsMade": 0, "cases": [], "more": 1 }"#]
    {
        std::fs::write(&path, content).unwrap();
        let options = Options { state: Some(path.clone()), ..Options::default() };
        let error = Sandbox::start(options, std::sync::Arc::new(SystemClock)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sandbox.json is not usable"), "{text}");
        assert!(text.contains("move it away"), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_is_answered_with_500() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let bench = Bench::with_state(Some(gone.join("sandbox.json"))).await;
    std::fs::remove_dir(&gone).unwrap();
    let reply = bench.post("/cases", &super::technical("s")).await;
    assert_eq!((reply.status, reply.detail()), (500, "the change could not be saved"));
}
