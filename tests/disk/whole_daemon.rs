//! The real binary, over real sockets, on a disk that fails for a while and then works again.
//! Nobody restarts it, and it acknowledges nothing that it would not remember.

use std::path::{Path, PathBuf};
use std::time::Duration;

use casewright::sandbox::Case;
use casewright::store::sqlite::verify;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::shim::{
    self, Control, EIO, ENOSPC, EROFS, Fault, OPEN, READ, SYNC, TRUNCATE, UNLINK, WRITE,
};
use crate::support::alertmanager::{Payload, edge};
use crate::support::files::{Files, Layout};
use crate::support::house::eventually;
use crate::support::process::{Process, free_port};
use crate::support::sender::Sender;

const SENDERS: usize = 8;

/// More lines than this about one disk that fails are a flood.
const TOLD: usize = 40;

const FULL: Fault = Fault { error: ENOSPC, kinds: WRITE | TRUNCATE, torn: true, lasting: true };
const BROKEN: Fault = Fault {
    error: EIO,
    kinds: OPEN | READ | WRITE | SYNC | TRUNCATE | UNLINK,
    torn: false,
    lasting: true,
};
const READ_ONLY: Fault =
    Fault { error: EROFS, kinds: OPEN | WRITE | TRUNCATE | UNLINK, torn: false, lasting: true };

/// A daemon whose disk can be made to fail, and a vendor.
struct Site {
    files: Files,
    control: Control,
    sender: Sender,
    admin: String,
    vendor: String,
    http: reqwest::Client,
    daemon: Process,
    // Killed with the test.
    _sandbox: Process,
}

impl Site {
    async fn open() -> Self {
        let [webhooks, admin, vendor] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let files = Files::write(&Layout {
            listen: webhooks.clone(),
            admin_listen: admin.clone(),
            window: "1500ms",
            ..Layout::of(format!("http://{vendor}"))
        });
        let sandbox = Process::run(&["sandbox", "--listen", &vendor], &files.path("sandbox.log"));
        let control = files.path("control");
        let steered = Control::make(&control);
        let folder = files.store().parent().map(Path::to_owned).expect("a folder");
        let variables: Vec<(&str, PathBuf)> = shim::environment(&folder, &control, None);
        let config = files.config();
        let arguments = ["serve", "--config", config.to_str().expect("a plain path")];
        let daemon = Process::run_with(&arguments, &files.path("daemon.log"), &variables);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (control, sender) = (steered, Sender::to(&webhooks));
        let site = Self { files, control, sender, admin, vendor, http, daemon, _sandbox: sandbox };
        eventually("a vendor", || async { site.cases().await.ok_or("nobody answers") }).await;
        eventually("a daemon", || async { site.is_ready().await }).await;
        site
    }

    async fn admin(&self, page: &str) -> Result<(u16, String), reqwest::Error> {
        let response = self.http.get(format!("http://{}{page}", self.admin)).send().await?;
        let status = response.status().as_u16();
        Ok((status, response.text().await?))
    }

    async fn is_ready(&self) -> Result<(), String> {
        match self.admin("/-/ready").await {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// The status of a post, and when it says to come back.
    async fn post(&self, payload: &Payload) -> (u16, Option<u64>) {
        let url = format!("{}/alertmanager", self.sender.base());
        let request = self.http.post(url).header("authorization", "Bearer demo-token");
        let request = request.header("content-type", "application/json").body(payload.body());
        let response = request.send().await.expect("an answer");
        let later = response.headers().get("retry-after").and_then(|later| later.to_str().ok());
        (response.status().as_u16(), later.and_then(|later| later.parse().ok()))
    }

    async fn cases(&self) -> Option<Vec<Case>> {
        let url = format!("http://{}/sandbox/cases", self.vendor);
        let body = self.http.get(url).send().await.ok()?.text().await.ok()?;
        let mut body: Value = serde_json::from_str(&body).ok()?;
        serde_json::from_value(body["cases"].take()).ok()
    }

    /// Waits for so many cases.
    async fn has_cases(&self, count: usize) {
        eventually(&format!("{count} cases"), || async {
            match self.cases().await {
                Some(cases) if cases.len() >= count => Ok(()),
                cases => Err(cases.map(|cases| cases.len())),
            }
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.files.path("daemon.log")).expect("a log")
    }
}

/// Posts until it is acknowledged, as Alertmanager does on a 5xx. How often it was refused.
async fn post_until_acknowledged(sender: Sender, payload: Payload) -> usize {
    let mut refused = 0;
    loop {
        match sender.alertmanager(payload.clone()).await {
            reply if reply.status == 202 => return refused,
            reply => assert_eq!(reply.status, 503, "{reply:?}"),
        }
        refused += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_survived(name: &str, fault: Fault) {
    let mut site = Site::open().await;
    assert_eq!(site.post(&edge("before").into()).await.0, 202);
    site.has_cases(1).await;

    site.control.arm(&fault, 1);
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let payload = edge(&format!("{name}-{number}")).into();
        senders.spawn(post_until_acknowledged(site.sender.clone(), payload));
    }
    let why = eventually("a daemon that says that it is not ready", || async {
        match site.admin("/-/ready").await.expect("an answer") {
            (503, why) => Ok(why),
            other => Err(other),
        }
    })
    .await;
    assert!(why.contains("the disk fails the store"), "{why}");
    let failed = site.control.failed();
    // Long enough that it has tried to recover more than once.
    eventually("several attempts to recover", || async {
        let (status, later) = site.post(&edge("during").into()).await;
        assert_eq!(status, 503, "nothing is acknowledged while the disk fails");
        assert!(later.is_some_and(|seconds| seconds > 0), "no Retry-After");
        let more = site.control.failed() - failed;
        if more >= 3 { Ok(()) } else { Err(more) }
    })
    .await;
    let healthy = site.admin("/-/healthy").await.expect("an answer");
    assert_eq!(healthy.0, 200, "a restart would mend nothing");
    assert!(senders.try_join_next().is_none(), "somebody was told that it is stored");
    assert!(!site.daemon.has_ended(), "it ended");

    site.control.lift();
    eventually("a daemon that is ready again", || site.is_ready()).await;
    let refused: usize = senders.join_all().await.into_iter().sum();
    assert_eq!(site.post(&edge("after").into()).await.0, 202);
    site.has_cases(SENDERS + 2).await;
    assert!(!site.daemon.has_ended(), "it ended");

    let log = site.log();
    let told = log.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
    assert!((1..=TOLD).contains(&told), "{told} lines:\n{log}");
    println!("{name}: {refused} posts were refused, {told} lines tell of it");
    let cases = site.cases().await.expect("the cases");
    let mut expected = vec!["before".to_owned(), "after".to_owned()];
    expected.extend((0..SENDERS).map(|number| format!("{name}-{number}")));
    for property in &expected {
        let about = format!("{property}: ");
        let own = cases.iter().filter(|case| case.filed.subject.starts_with(&about)).count();
        assert_eq!(own, 1, "cases of {property}");
    }
    assert_eq!(cases.len(), expected.len(), "a case of what was never acknowledged");
    // Killed; what is left is whole.
    let Site { files, daemon, .. } = site;
    drop(daemon);
    let report = verify(&files.store()).await.expect("readable");
    assert_eq!(report.findings, []);
}

#[tokio::test]
async fn a_daemon_whose_disk_is_full_for_a_while_goes_on_by_itself() {
    is_survived("full", FULL).await;
}

#[tokio::test]
async fn a_daemon_whose_disk_fails_for_a_while_goes_on_by_itself() {
    is_survived("broken", BROKEN).await;
}

#[tokio::test]
async fn a_daemon_whose_file_system_is_read_only_for_a_while_goes_on_by_itself() {
    is_survived("read-only", READ_ONLY).await;
}
