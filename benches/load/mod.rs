//! A load generator that is cheap itself: prebuilt requests, hand-written HTTP/1.1 with keep-alive,
//! one thread. It shares the machine with the daemon, so what it spends is missing there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// After the end of a run, answers still under way are waited for this long.
const GRACE: Duration = Duration::from_secs(10);

/// Where the number of the incident stands in a payload; as wide as [`digits`].
const SLOT: &[u8] = b"##########";

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// One group, again and again: what Alertmanager's `repeat_interval` makes.
    Repeats,
    /// Nineteen repeats, then a new incident.
    Mixed,
    /// Every delivery is a new incident.
    New,
}

impl Traffic {
    pub(crate) const ALL: [Self; 3] = [Self::Repeats, Self::Mixed, Self::New];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Repeats => "repeats",
            Self::Mixed => "95 % repeats",
            Self::New => "new incidents",
        }
    }

    /// The incident of the nth delivery. Incident 0 is the one that repeats are about.
    pub(crate) fn incident(self, nth: u64) -> u64 {
        match self {
            Self::Repeats => 0,
            Self::Mixed if !nth.is_multiple_of(20) => 0,
            Self::Mixed | Self::New => nth + 1,
        }
    }
}

/// A whole request, in which only the incident's number changes.
#[derive(Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    slots: Vec<usize>,
}

impl Request {
    /// `alerts` of one group, each with its own fingerprint; about 2.5 kB if it is one.
    pub(crate) fn alertmanager(first: usize, alerts: usize, token: &str) -> Self {
        let items: Vec<String> = (first..first + alerts).map(alert).collect();
        let body = PAYLOAD.replace("@ALERTS@", &items.join(","));
        let bytes = [head(body.len(), token).into_bytes(), body.into_bytes()].concat();
        let slots = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(SLOT)).collect();
        let mut request = Self { bytes, slots };
        request.number(0);
        request
    }

    /// A head that announces so many bytes, and none of them.
    pub(crate) fn announcing(bytes: usize, token: &str) -> Self {
        Self { bytes: head(bytes, token).into_bytes(), slots: Vec::new() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn number(&mut self, incident: u64) {
        let digits = format!("{incident:010}");
        for slot in &self.slots {
            self.bytes[*slot..*slot + SLOT.len()].copy_from_slice(digits.as_bytes());
        }
    }
}

fn head(length: usize, token: &str) -> String {
    format!(
        "POST /webhooks/alertmanager HTTP/1.1\r\nhost: casewright\r\n\
         user-agent: Alertmanager/0.25.0\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n",
    )
}

fn alert(member: usize) -> String {
    ALERT.replace("@MEMBER@", &format!("{member:06x}"))
}

const ALERT: &str = r#"{"status":"firing","labels":{"alertname":"BenchEdge5xxRatioHigh","cdn_vendor":"akamai","env":"production","host":"edge-@MEMBER@.fra.example.net","job":"edge-exporter","pop":"FRA","property":"video-##########.example.net","region":"eu-central","service":"vod-delivery","severity":"critical","team":"edge-platform"},"annotations":{"description":"Edge POP FRA answered 7.31 % of requests with 5xx over 5m while origin 5xx stayed below 0.1 %. Origin is healthy, shield hit ratio unchanged. Started after the 08:12 UTC rollout of the property; first seen at the parents in FRA and AMS, then at the children. Compare with the neighbouring POPs, then ask the vendor for the state of the edge servers and of the parent tier.","runbook_url":"https://runbooks.example.net/cdn/edge-5xx","summary":"5xx ratio at FRA is 7.31 % (limit 2 %)","value":"7.31"},"startsAt":"2026-10-12T08:14:30.512Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom-eu-1.example.net:9090/graph?g0.expr=cdn%3Aedge_5xx%3Aratio5m+%3E+0.02&g0.tab=1","fingerprint":"@MEMBER@##########"}"#;

const PAYLOAD: &str = r#"{"receiver":"vendor-cases/edge\\.eu","status":"firing","alerts":[@ALERTS@],"groupLabels":{"alertname":"BenchEdge5xxRatioHigh","cdn_vendor":"akamai","property":"video-##########.example.net"},"commonLabels":{"alertname":"BenchEdge5xxRatioHigh","cdn_vendor":"akamai","env":"production","job":"edge-exporter","pop":"FRA","property":"video-##########.example.net","region":"eu-central","service":"vod-delivery","severity":"critical","team":"edge-platform"},"commonAnnotations":{"description":"Edge POP FRA answered 7.31 % of requests with 5xx over 5m while origin 5xx stayed below 0.1 %. Origin is healthy, shield hit ratio unchanged. Started after the 08:12 UTC rollout of the property; first seen at the parents in FRA and AMS, then at the children. Compare with the neighbouring POPs, then ask the vendor for the state of the edge servers and of the parent tier.","runbook_url":"https://runbooks.example.net/cdn/edge-5xx","summary":"5xx ratio at FRA is 7.31 % (limit 2 %)","value":"7.31"},"externalURL":"http://am-1.example.net:9093","version":"4","groupKey":"{}/{team=\"edge-platform\"}/{cdn_vendor=~\"fastly|akamai\",severity=\"critical\"}:{alertname=\"BenchEdge5xxRatioHigh\", cdn_vendor=\"akamai\", property=\"video-##########.example.net\"}","truncatedAlerts":0}"#;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests that were answered with 2xx.
    pub(crate) accepted: usize,
    /// Requests that were answered otherwise, or not at all.
    pub(crate) refused: usize,
    pub(crate) elapsed: Duration,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.accepted as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn share_accepted(&self) -> f64 {
        self.accepted as f64 / (self.accepted + self.refused).max(1) as f64
    }

    /// In milliseconds; `share` 1.0 is the worst.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let micros = self.latencies.get((last as f64 * share).round() as usize).copied();
        f64::from(micros.unwrap_or(0)) / 1e3
    }

    fn record(&mut self, answered: std::io::Result<u16>, since: Instant) {
        self.latencies.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
        if answered.is_ok_and(|status| (200..300).contains(&status)) {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.latencies.extend(other.latencies);
    }
}

/// Each connection sends as soon as it has its answer: how much goes through at most.
pub(crate) async fn closed(
    address: SocketAddr,
    request: &Request,
    traffic: Traffic,
    connections: usize,
    time: Duration,
) -> Outcome {
    let sent = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (sent, mut request) = (sent.clone(), request.clone());
        tasks.spawn(async move {
            let mut outcome = Outcome::default();
            let mut connection = Connection::new(address);
            while start.elapsed() < time {
                let nth = sent.fetch_add(1, Ordering::Relaxed);
                request.number(traffic.incident(nth));
                let since = Instant::now();
                outcome.record(connection.send(&request).await, since);
            }
            outcome
        });
    }
    gather(tasks, start, time).await
}

/// Requests are due at fixed times, whether the daemon keeps up or not; a latency counts from the
/// time at which its request was due, so that waiting for a free connection is part of it.
pub(crate) async fn open(
    address: SocketAddr,
    request: &Request,
    traffic: Traffic,
    connections: usize,
    per_second: f64,
    time: Duration,
) -> Outcome {
    let (tickets, due) = mpsc::unbounded_channel::<(u64, Instant)>();
    let due = Arc::new(Mutex::new(due));
    let start = Instant::now();
    // A thread of its own, because the runtime's timer is only good to a millisecond.
    let pacer = std::thread::spawn(move || {
        let total = (per_second * time.as_secs_f64()) as u64;
        for nth in 0..total {
            let at = start + Duration::from_secs_f64(nth as f64 / per_second);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if tickets.send((nth, at)).is_err() {
                break;
            }
        }
    });
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (due, mut request) = (due.clone(), request.clone());
        tasks.spawn(async move {
            let mut outcome = Outcome::default();
            let mut connection = Connection::new(address);
            loop {
                let ticket = due.lock().await.recv().await;
                let Some((nth, at)) = ticket else { return outcome };
                request.number(traffic.incident(nth));
                outcome.record(connection.send(&request).await, at);
            }
        });
    }
    drop(due);
    let outcome = gather(tasks, start, time).await;
    // The pacer ends by itself: at its last ticket, or when nobody takes them any more.
    let _ = pacer.join();
    outcome
}

async fn gather(mut tasks: JoinSet<Outcome>, start: Instant, time: Duration) -> Outcome {
    let mut all = Outcome::default();
    let last = tokio::time::Instant::from_std(start + time + GRACE);
    while let Ok(Some(Ok(outcome))) = tokio::time::timeout_at(last, tasks.join_next()).await {
        all.merge(outcome);
    }
    all.elapsed = start.elapsed();
    all.latencies.sort_unstable();
    all
}

/// Sends one request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, request: &Request) -> std::io::Result<u16> {
    Connection::new(address).send(request).await
}

pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Whether a next request goes out on a connection that has been used before.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends a request and reads its answer. After a failure the next one connects anew.
    pub(crate) async fn send(&mut self, request: &Request) -> std::io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(&request.bytes).await?;
        self.buffer.clear();
        let status = loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = whole_answer(&self.buffer) {
                break status;
            }
        };
        self.stream = Some(stream);
        Ok(status)
    }
}

/// The status, once the answer is complete.
fn whole_answer(bytes: &[u8]) -> Option<u16> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    if bytes.len() < head + 4 + length {
        return None;
    }
    text.get(9..12)?.parse().ok()
}
