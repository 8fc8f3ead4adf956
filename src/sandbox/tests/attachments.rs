//! Files: how they are sent, what becomes of them, and their limits.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{BASE, Bench, Reply};
use crate::sandbox::{Fault, Kind, On};

const MULTIPART: &str = "multipart/form-data; boundary=b-1";

fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--b-1\r\nContent-Disposition: form-data; name=\"attachmentContent\"; filename=\"{name}\"\r\nContent-Type: text/plain\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--b-1--\r\n");
    body
}

impl Bench {
    async fn upload_as(
        &self,
        id: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Reply, reqwest::Error> {
        let target = format!("{BASE}/cases/{id}/attachments");
        let response = self
            .http
            .post(format!("{}{target}", self.sandbox.base_url()))
            .header("Authorization", self.signed("POST", &target, &body))
            .header("Content-Type", content_type)
            .body(body)
            .send()
            .await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap();
        Ok(Reply { status, headers, body })
    }

    async fn upload(&self, id: &str, name: &str, content: &[u8]) -> Reply {
        self.upload_as(id, MULTIPART, form(name, content)).await.unwrap()
    }

    async fn upload_status(&self, id: &str, upload: &Value) -> Value {
        let path = format!("/cases/{id}/attachments/status/{}", upload.as_str().unwrap());
        self.get(&path).await.body
    }
}

#[tokio::test]
async fn a_file_is_kept_listed_commented_on_and_given_back() {
    let bench = Bench::new().await;
    let id = bench.make_case("with a file").await;
    // Longer than what a signature covers, and with most of a boundary inside.
    let content = "line\r\n--b-\r\n".repeat(20_000).into_bytes();
    let accepted = bench.upload(&id, "description.txt", &content).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let status = bench.upload_status(&id, &accepted.body["uploadId"]).await;
    assert_eq!(status["uploadStatus"], "UPLOADED");

    let listed = bench.get(&format!("/cases/{id}/attachments")).await.body;
    let file = &listed["attachments"][0];
    assert_eq!(file["fileName"], "description.txt");
    assert_eq!(file["fileType"], "text/plain");
    assert_eq!(file["attachmentId"], status["attachmentId"]);
    let comments = bench.get(&format!("/cases/{id}/comments")).await.body;
    assert_eq!(comments["comments"][0]["comment"], "File Uploaded: description.txt");
    assert_eq!(comments["comments"][0]["commentType"], "ATTACHMENT");

    let target =
        format!("{BASE}/cases/{id}/attachments/{}", file["attachmentId"].as_str().unwrap());
    // As in the examples of the vendor's document.
    let way = json!({ "rel": "attachment", "href": target });
    for links in [&file["links"], &comments["comments"][0]["links"], &status["links"]] {
        assert_eq!(links[0], way, "{links}");
    }
    let got = bench
        .http
        .get(format!("{}{target}", bench.sandbox.base_url()))
        .header("Authorization", bench.signed("GET", &target, b""))
        .send()
        .await
        .unwrap();
    assert_eq!(got.headers()["content-type"], "application/octet-stream");
    assert!(got.bytes().await.unwrap() == content);

    let records = bench.control("GET", "/cases", &Value::Null).await.body;
    let kept = &records["cases"][0]["attachments"][0];
    assert_eq!(kept["size"], content.len());
    assert_eq!(kept["sha256"], hex::encode(Sha256::digest(&content)));
    assert_eq!(bench.sandbox.requests().attachments_committed, 1);
}

#[tokio::test]
async fn an_upload_takes_its_time_and_may_fail() {
    let bench = Bench::new().await;
    let id = bench.make_case("slow").await;
    let slow = Fault { seconds: Some(10), ..Fault::on_next(Kind::SlowUpload, On::Attach, 1) };
    bench.sandbox.faults(vec![slow, Fault::on_next(Kind::FailUpload, On::Attach, 1)]).unwrap();
    let first = bench.upload(&id, "slow.txt", b"x").await.body;
    let second = bench.upload(&id, "failed.txt", b"x").await.body;
    let status = bench.upload_status(&id, &first["uploadId"]).await;
    let failed = bench.upload_status(&id, &second["uploadId"]).await;
    for (status, word) in [(&first, "UPLOADING"), (&status, "UPLOADING"), (&failed, "FAILED")] {
        assert_eq!(status["uploadStatus"], word);
        // The vendor's document allows no null, and has the field only with UPLOADED.
        assert_eq!(status.get("attachmentId"), None, "{status}");
    }
    assert_eq!(first["fileName"], "slow.txt");
    let list = format!("/cases/{id}/attachments");
    assert_eq!(bench.get(&list).await.body["attachments"], json!([]));
    let comments = format!("/cases/{id}/comments");
    for comment in bench.get(&comments).await.body["comments"].as_array().unwrap() {
        assert_eq!(comment["links"], json!([]), "{comment}");
    }
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.upload_status(&id, &first["uploadId"]).await["uploadStatus"], "UPLOADED");
    assert_eq!(bench.get(&list).await.body["attachments"].as_array().unwrap().len(), 1);
    // Newest first: the file that failed, the one that is through.
    let told = bench.get(&comments).await.body;
    assert_eq!(told["comments"][0]["links"], json!([]));
    let href = told["comments"][1]["links"][0]["href"].as_str().unwrap();
    assert!(href.ends_with("/attachments/F-AT-0000001"), "{href}");
    assert_eq!(bench.get(&format!("{list}/status/F-UP-9")).await.status, 404);
    assert_eq!(bench.get(&format!("{list}/F-AT-0000002")).await.status, 404);
}

#[tokio::test]
async fn a_case_takes_ten_files_and_pages_them_newest_first() {
    let bench = Bench::new().await;
    let id = bench.make_case("full").await;
    for number in 0..10 {
        assert_eq!(bench.upload(&id, &format!("{number}.txt"), b"x").await.status, 202);
    }
    let more = bench.upload(&id, "10.txt", b"x").await;
    assert_eq!(
        (more.status, more.detail()),
        (400, "case 'F-CS-1000001' has 10 attachments already")
    );
    let first = bench.get(&format!("/cases/{id}/attachments?limit=6")).await;
    assert_eq!(first.body["attachments"][0]["fileName"], "9.txt");
    let next = first.link("next").unwrap();
    let second = bench.get(next.strip_prefix(BASE).unwrap()).await;
    assert_eq!(second.body["attachments"].as_array().unwrap().len(), 4);
    assert_eq!(second.body["attachments"][3]["fileName"], "0.txt");
    assert_eq!(second.link("next"), None);
}

#[tokio::test]
async fn what_is_no_single_file_is_refused() {
    let bench = Bench::new().await;
    let id = bench.make_case("strict").await;
    let good = form("a.txt", b"x");
    let text = |from: &str, to: &str| {
        String::from_utf8(good.clone()).unwrap().replace(from, to).into_bytes()
    };
    let two = text(
        "\r\n--b-1--",
        "\r\n--b-1\r\nContent-Disposition: form-data; name=\"y\"\r\n\r\ny\r\n--b-1--",
    );
    for (kind, body, status) in [
        ("application/json", good.clone(), 415),
        ("multipart/form-data", good.clone(), 415),
        ("multipart/form-data; boundary=b-2", good.clone(), 400),
        (MULTIPART, Vec::new(), 400),
        (MULTIPART, text("--b-1--\r\n", ""), 400),
        (MULTIPART, text("attachmentContent", "file"), 400),
        (MULTIPART, text("; filename=\"a.txt\"", ""), 400),
        (MULTIPART, text("a.txt", "../a.txt"), 400),
        (MULTIPART, two, 400),
        (MULTIPART, form("a.txt", &vec![b'x'; 8 << 20]), 413),
        ("multipart/form-data; boundary=\"b-1\"", good.clone(), 202),
    ] {
        let reply = bench.upload_as(&id, kind, body).await.unwrap();
        assert_eq!(reply.status, status, "{kind} {reply:?}");
    }
    assert_eq!(bench.upload("F-CS-1", "a.txt", b"x").await.status, 404);
    bench.sandbox.set_status(&id, "CLOSED").unwrap();
    assert_eq!(bench.upload(&id, "b.txt", b"x").await.status, 403);
    assert_eq!(
        bench.get(&format!("/cases/{id}")).await.body["permissions"]["uploadAttachments"],
        false
    );
}

#[tokio::test]
async fn faults_on_attach_and_on_update_strike_these_only() {
    let bench = Bench::new().await;
    let id = bench.make_case("faulty").await;
    let drop = |on| Fault::on_next(Kind::DropAfterCommit, on, 1);
    bench.sandbox.faults(vec![drop(On::Attach), drop(On::Update)]).unwrap();
    let comments = format!("/cases/{id}/comments");
    assert_eq!(bench.post(&comments, &json!({ "comment": "x" })).await.status, 201);
    assert!(bench.upload_as(&id, MULTIPART, form("a.txt", b"x")).await.is_err());
    let contacts = json!({ "alsoNotify": ["a@example.com"] }).to_string();
    assert!(bench.try_send("PATCH", &format!("/cases/{id}"), contacts.as_bytes()).await.is_err());
    let case = bench.sandbox.cases().remove(0);
    assert_eq!((case.attachments.len(), case.filed.also_notify.len()), (1, 1));
    let requests = bench.sandbox.requests();
    assert_eq!((requests.attachments_committed, requests.updates_committed), (1, 1));
}

#[tokio::test]
async fn files_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    let bench = Bench::with_state(Some(path.clone())).await;
    let id = bench.make_case("kept").await;
    bench.upload(&id, "a.txt", b"x").await;
    let before = bench.sandbox.cases();
    bench.sandbox.stop().await;
    let bench = Bench::with_state(Some(path)).await;
    assert_eq!(bench.sandbox.cases(), before);
    assert_eq!(bench.upload(&id, "b.txt", b"x").await.body["uploadId"], "F-UP-0000002");
}
