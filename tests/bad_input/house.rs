//! A folder of good files that a test spoils, the daemon inside this process, and the real binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use casewright::clock::SystemClock;
use casewright::daemon::{Daemon, World};
use casewright::rng::Rng;
use casewright::sandbox::Case;
use casewright::setup;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "canary-bearer-51f0";
pub(crate) const SECRET: &str = "canary-signing-8c2e";

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = "\
server:
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
store:
  sqlite: data/casewright.db
rules: [rules/*.yaml]
templates: templates
sources:
  - name: am
    kind: alertmanager
    auth: { bearer: ['${TEST_BEARER}'] }
  - name: pd
    kind: pagerduty
    secrets: ['${TEST_SIGNING}']
vendors:
  - name: akamai
    kind: sandbox
    rate: { per_second: 1000, burst: 1000 }
";

const RULES: &str = "\
rules:
  - name: any
    match: ['source =~ \"am|pd\"']
    identity: [alertname]
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Configuring/Managing Services
      severity: 1
      subject: '{{alert.name}}: {{default labels.detail \"no detail\"}}'
      description: text.md.hbs
    resolve: { action: close }
";

const TEMPLATE: &str = "\
{{default annotations.summary \"no summary\"}}

{{labels_table labels}}
";

/// A temporary folder with a config, a rule and a template that are good.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn good() -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        files.write("casewright.yaml", CONFIG);
        files.write("rules/any.yaml", RULES);
        files.write("templates/text.md.hbs", TEMPLATE);
        files
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Replaces one piece of the config by another.
    pub(crate) fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("casewright.yaml")).expect("a config");
        assert!(text.contains(from), "{from}");
        self.write("casewright.yaml", text.replacen(from, to, 1));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        let path = self.path("data/casewright.db");
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        path
    }

    /// A text without this folder's name, which differs from run to run.
    pub(crate) fn plain(&self, text: &str) -> String {
        text.replace(&self.root().display().to_string(), "FOLDER")
    }

    /// The real binary with this folder's config.
    pub(crate) fn command(&self, command: &str) -> Command {
        let mut binary = Command::new(env!("CARGO_BIN_EXE_casewright"));
        self.arrange(&mut binary, command);
        binary
    }

    pub(crate) fn arrange(&self, binary: &mut Command, command: &str) {
        binary
            .arg(command)
            .arg("--config")
            .arg(self.path("casewright.yaml"))
            .current_dir(self.root())
            .env_clear()
            .env("TEST_BEARER", TOKEN)
            .env("TEST_SIGNING", SECRET)
            .env("HOME", self.root())
            .stdin(Stdio::null());
    }

    /// Runs the real binary to its end, which must come soon.
    pub(crate) fn run(&self, command: &str) -> Ended {
        Ended::of(self.command(command))
    }

    /// Starts the daemon inside this process.
    pub(crate) async fn start(&self) -> House {
        fn env(name: &str) -> Option<String> {
            match name {
                "TEST_BEARER" => Some(TOKEN.to_owned()),
                "TEST_SIGNING" => Some(SECRET.to_owned()),
                _ => None,
            }
        }
        let (setup, diagnostics) = setup::load(&self.path("casewright.yaml"), &env);
        let setup = setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let world =
            World { clock: Arc::new(SystemClock), rng: Arc::new(Rng::from_os()), env: &env };
        let daemon = Daemon::start(setup, world).await.expect("starts");
        House { daemon, client: reqwest::Client::new() }
    }
}

/// What a process that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    pub(crate) fn of(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        while child.try_wait().expect("waits").is_none() {
            if started.elapsed() > PATIENCE {
                child.kill().expect("ours to kill");
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let took = started.elapsed();
        let output = child.wait_with_output().expect("its output");
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            took,
        }
    }

    /// Failed by itself, in time, and what it said has every one of these.
    #[track_caller]
    pub(crate) fn says(&self, pieces: &[&str]) {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        for piece in pieces {
            let said = self.stderr.contains(piece) || self.stdout.contains(piece);
            assert!(said, "nothing of {piece:?} in {self:?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

/// The real binary, serving.
pub(crate) struct Served {
    child: Child,
    pub(crate) webhooks: String,
    pub(crate) admin: String,
    lines: std::sync::mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Served {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let (into, lines) = std::sync::mpsc::channel();
        for stream in [
            Box::new(child.stderr.take().expect("piped")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stdout.take().expect("piped")),
        ] {
            let into = into.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = into.send(line);
                }
            });
        }
        let mut served =
            Self { child, webhooks: String::new(), admin: String::new(), lines, seen: Vec::new() };
        let ready = served.wait_for("ready: webhooks at");
        let event: Value = serde_json::from_str(&ready).expect("a JSON log line");
        served.webhooks = format!("http://{}", event["webhooks"].as_str().expect("an address"));
        served.admin = format!("http://{}", event["admin"].as_str().expect("an address"));
        served
    }

    /// Reads its log until a line has this.
    pub(crate) fn wait_for(&mut self, piece: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {piece:?} in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(piece) {
                return line;
            }
        }
    }

    /// Kills it; everything that it ever wrote to stdout and stderr.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().expect("ours to kill");
        self.child.wait().expect("ends");
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(line);
        }
        self.seen.join("\n")
    }
}

/// The daemon inside this process.
pub(crate) struct House {
    pub(crate) daemon: Daemon,
    pub(crate) client: reqwest::Client,
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let head = format!("{:?}", response.headers());
        Self { status, head, text: response.text().await.expect("a body") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Refused with this status and code, and the text has every one of these pieces.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, pieces: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        let error = &self.json();
        assert_eq!(error["code"], code, "{self:?}");
        let said = format!("{} {}", error["detail"], error["hint"]);
        for piece in pieces {
            assert!(said.contains(piece), "nothing of {piece:?} in {said}");
        }
    }

    #[track_caller]
    pub(crate) fn fate(&self) -> String {
        assert_eq!(self.status, 202, "{self:?}");
        self.json()["fate"].as_str().expect("a fate").to_owned()
    }
}

impl House {
    pub(crate) fn url(&self, source: &str) -> String {
        format!("http://{}/webhooks/{source}", self.daemon.webhooks)
    }

    /// Posts to the Alertmanager source with the right token.
    pub(crate) async fn alertmanager(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.client.post(self.url("am")).bearer_auth(TOKEN);
        let request = request.header("content-type", "application/json").body(body);
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Posts to the PagerDuty source with the right signature.
    pub(crate) async fn pagerduty(&self, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let request = self.client.post(self.url("pd")).header("x-pagerduty-signature", sign(&body));
        Answer::of(request.body(body).send().await.expect("an answer")).await
    }

    /// Sends bytes as they are and reads until the other side closes.
    pub(crate) async fn raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.daemon.webhooks).await.expect("connects");
        stream.write_all(head.as_bytes()).await.expect("sent");
        // A refusal may come before everything is sent.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("in time")
            .expect("read");
        let answer = String::from_utf8(answer).expect("UTF-8");
        let (head, text) = answer.split_once("\r\n\r\n").expect("a header and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        Answer { status, head: head.to_owned(), text: text.to_owned() }
    }

    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.daemon.admin);
        Answer::of(self.client.get(url).send().await.expect("an answer")).await
    }

    /// The vendor's cases, once there are so many.
    pub(crate) async fn cases(&self, count: usize) -> Vec<Case> {
        let started = Instant::now();
        loop {
            let cases = self.daemon.sandboxes[0].cases();
            if cases.len() >= count {
                assert_eq!(cases.len(), count, "{cases:#?}");
                return cases;
            }
            let incidents = self.daemon.store.incidents(10).await;
            assert!(started.elapsed() < PATIENCE, "{} cases; {incidents:#?}", cases.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A good alert still goes all the way: whatever was done before broke nothing.
    pub(crate) async fn still_works(self, cases_before: usize) {
        let alerts = [firing("StillWorks", &json!({}))];
        assert_eq!(self.alertmanager(payload(&alerts).to_string()).await.fate(), "accepted");
        self.cases(cases_before + 1).await;
        self.daemon.stop().await;
    }
}

/// What PagerDuty puts into `X-PagerDuty-Signature`.
pub(crate) fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// A good Alertmanager payload.
pub(crate) fn payload(alerts: &[Value]) -> Value {
    json!({
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "casewright",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    })
}

/// An alert that fires, with these labels besides its name.
pub(crate) fn firing(name: &str, labels: &Value) -> Value {
    let mut alert = json!({
        "status": "firing",
        "labels": { "alertname": name },
        "annotations": {},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
    });
    for (name, value) in labels.as_object().expect("an object") {
        alert["labels"][name] = value.clone();
    }
    alert
}
