//! The daemon as a process: the real binary, a config and a store in a temporary folder.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use casewright::sandbox::Credentials;
use sqlx::{Connection as _, SqliteConnection};

pub(crate) const TOKEN: &str = "bench-token";

/// Longer than any start may take.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A folder with a config and, after the first start, a store.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    webhooks: SocketAddr,
    admin: SocketAddr,
}

impl Home {
    /// A daemon with the simulated vendor inside.
    pub(crate) fn new() -> Self {
        Self::with("kind: sandbox")
    }

    /// A daemon whose vendor is a process of its own, so that what the daemon takes is its own.
    pub(crate) fn apart_from(vendor: &Vendor) -> Self {
        let Credentials { client_token, client_secret, access_token } = Credentials::demo();
        Self::with(&format!(
            "kind: akamai\n    base_url: http://{}\n    credentials: {{ client_token: {client_token}, \
             client_secret: {client_secret}, access_token: {access_token} }}",
            vendor.address
        ))
    }

    fn with(vendor: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (webhooks, admin) = free_addresses();
        let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
        let config = CONFIG
            .replace("@LISTEN@", &webhooks.to_string())
            .replace("@ADMIN@", &admin.to_string())
            .replace("@TEMPLATES@", templates)
            .replace("@VENDOR@", vendor)
            .replace("@TOKEN@", TOKEN);
        std::fs::write(folder.path().join("casewright.yaml"), config).expect("a config");
        std::fs::write(folder.path().join("rules.yaml"), RULES).expect("rules");
        Self { folder, webhooks, admin }
    }

    /// Starts the binary and waits until it is ready.
    pub(crate) fn start(&self, binary: &Path) -> Process {
        let begin = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(self.folder.path().join("casewright.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.log()).expect("a log"))
            .spawn()
            .expect("the binary starts");
        let mut process =
            Process { child, webhooks: self.webhooks, admin: self.admin, ready: begin.elapsed() };
        loop {
            if process.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                process.ready = begin.elapsed();
                return process;
            }
            let gone = process.child.try_wait().expect("a child of ours").is_some();
            if gone || begin.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                panic!("the daemon does not become ready:\n{log}");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// How much the process that was killed has left in the store's log.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.folder.path().join("store.db-wal")).map_or(0, |found| found.len())
    }

    /// The database.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// The token that the running daemon has left beside its database.
    pub(crate) fn token(&self) -> String {
        let file = self.folder.path().join("store.db.token");
        std::fs::read_to_string(file).expect("a token").trim().to_owned()
    }

    /// Puts incidents into the store whose open action waits for a time far off, as while a vendor
    /// is down.
    pub(crate) async fn fill_outbox(&self, actions: usize) {
        let address = format!("sqlite://{}", self.store().display());
        let mut db = SqliteConnection::connect(&address).await.expect("the store opens");
        let count = i64::try_from(actions).expect("not so many");
        for statement in FILL {
            sqlx::query(statement).bind(count).execute(&mut db).await.expect("filled");
        }
        db.close().await.expect("closes");
    }

    /// What the store holds, read after the daemon has ended.
    pub(crate) async fn contents(&self) -> Contents {
        let path = self.store();
        let size = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |found| found.len())
        };
        let bytes = size("") + size("-wal");
        let address = format!("sqlite://{}", path.display());
        let mut db = SqliteConnection::connect(&address).await.expect("the store opens");
        let mut rows = [0_i64; 4];
        let counts = [
            "SELECT count(*) FROM deliveries",
            "SELECT count(*) FROM incidents",
            "SELECT count(*) FROM members",
            "SELECT count(*) FROM actions",
        ];
        for (row, count) in rows.iter_mut().zip(counts) {
            *row = sqlx::query_scalar(count).fetch_one(&mut db).await.expect("a count");
        }
        let [deliveries, incidents, members, actions] = rows;
        Contents { bytes, deliveries, incidents, members, actions }
    }
}

const FILL: [&str; 3] = [
    "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
     INSERT INTO incidents (id, rule, scope, identity, generation, vendor, rank, worst, state, open_seq,
         origin, delivery, created_at, updated_at, heard_at, last_seq, firing, resolved)
     SELECT printf('%024d', n), 'bench', 'bench', printf('%064d', n), 1, 'akamai', 1, 1, 'opening', 1,
         json_object('source', 'alertmanager', 'fingerprint', printf('%016d', n),
             'status', 'firing', 'labels', json_object('alertname', 'Bench', 'property', n),
             'annotations', json('{}'), 'links', json('[]'), 'group', json('{}')),
         'd', 0, 0, 0, 1, 1, 0 FROM n",
    "INSERT INTO members (incident, fingerprint, status, rank, since, alert)
     SELECT id, origin->>'fingerprint', 'firing', 1, 0, origin FROM incidents
     WHERE delivery = 'd' LIMIT ?1",
    // Due in the year 2242: they wait, and nothing is sent.
    "INSERT INTO actions (incident, seq, vendor, kind, payload, precedence, rank, state, phase,
         due_at, created_at)
     SELECT id, 1, 'akamai', 'open', '{\"kind\":\"open\"}', 0, 1, 'ready', 'send',
         8600000000000000, 0 FROM incidents WHERE delivery = 'd' LIMIT ?1",
];

/// Rows and bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    pub(crate) bytes: u64,
    pub(crate) deliveries: i64,
    pub(crate) incidents: i64,
    pub(crate) members: i64,
    pub(crate) actions: i64,
}

/// A running daemon. Killed when dropped: what it has acknowledged is on disk.
pub(crate) struct Process {
    child: Child,
    pub(crate) webhooks: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// From the start of the process to the first 200 of `/-/ready`.
    pub(crate) ready: Duration,
}

impl Process {
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.admin).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: casewright\r\nconnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Waits until the dispatcher has nothing to do, for a limited time.
    pub(crate) fn settle(&self, limit: Duration) {
        let begin = Instant::now();
        let idle = |page: String| {
            page.lines().any(|line| {
                line.strip_prefix("casewright_outbox_depth ")
                    .is_some_and(|depth| depth.trim().parse::<f64>().is_ok_and(|depth| depth < 0.5))
            })
        };
        while begin.elapsed() < limit && !self.get("/metrics").is_some_and(idle) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Processor time that it has used, of all threads, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        processor_time(self.child.id())
    }

    /// Resident memory, now and at most, in MiB.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
                .map_or(f64::NAN, |kib: f64| kib / 1024.0)
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time that this program itself has used, in seconds.
pub(crate) fn own_processor_time() -> f64 {
    processor_time(std::process::id())
}

fn processor_time(process: u32) -> f64 {
    // Linux counts in hundredths of a second here, whatever the kernel's own tick.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The simulated vendor in a process of its own. Killed when dropped.
pub(crate) struct Vendor {
    child: Child,
    address: SocketAddr,
}

impl Vendor {
    pub(crate) fn start(binary: &Path) -> Self {
        let (address, _) = free_addresses();
        let child = Command::new(binary)
            .args(["sandbox", "--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < START_LIMIT, "the simulated vendor does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { child, address }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two addresses that are free now. Below the ports that systems give to those who ask for any: the
/// vendor inside the daemon does, and would now and then be given the one that the daemon's own
/// config names.
fn free_addresses() -> (SocketAddr, SocketAddr) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 8_000).expect("small");
    let free = || loop {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    };
    (free(), free())
}

const CONFIG: &str = r#"
server: { listen: "@LISTEN@", admin_listen: "@ADMIN@" }
store: { sqlite: store.db }
rules: [rules.yaml]
limits: off
templates: "@TEMPLATES@"
sources:
  - name: alertmanager
    kind: alertmanager
    auth: { bearer: ["@TOKEN@"] }
vendors:
  - name: akamai
    @VENDOR@
    rate: { per_second: 1000, burst: 1000 }
"#;

const RULES: &str = r#"
rules:
  - name: not-production
    match: ['env =~ "staging|dev|test"']
    ignore: true
  - name: bench
    match: ['alertname =~ "Bench.*"', 'env = "production"']
    identity: [alertname, property]
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Akamai Connect
      problem: Connected-Cache
      severity: 1
      subject: 'Edge errors for {{labels.property}}'
      description: incident.md.hbs
"#;
