//! A store with a past: as many incidents as a busy year has, each with what was decided, sent and
//! answered; and how long the pages and lists of the admin listener take over it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, SqliteConnection};

/// What is asked for. The lists are the longest that can be asked for, and `INCIDENT` and `DELIVERY`
/// stand for ones in the middle of the past.
pub(crate) const PATHS: [&str; 24] = [
    "/api/v1/incidents?limit=1000",
    "/api/v1/incidents?limit=1000&state=closed",
    "/api/v1/incidents?limit=1000&state=failed",
    "/api/v1/incidents?limit=100&label=property%3Dshop-50000",
    "/api/v1/incidents/INCIDENT",
    "/api/v1/alerts?limit=1000",
    "/api/v1/cases?limit=1000",
    "/api/v1/actions?limit=1000",
    "/api/v1/actions?limit=1000&state=done",
    "/api/v1/deliveries?limit=1000",
    "/api/v1/deliveries/DELIVERY",
    "/api/v1/why?about=INCIDENT",
    "/api/v1/why?about=Bench7",
    "/api/v1/rules",
    "/api/v1/status",
    "/",
    "/incidents",
    "/incidents/INCIDENT",
    "/held",
    "/actions",
    "/why?about=Bench7",
    "/deliveries",
    "/vendors",
    "/metrics",
];

/// Each of so many incidents has two alerts, four decisions, five actions and ten attempts; a
/// hundredth are open, some are held or have failed, the rest is closed.
const FILL: [&str; 7] = [
    "CREATE TEMP TABLE past AS
     WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
     SELECT n, printf('%08x%016x', n * 2654435761 % 4294967296, n) AS id,
         CAST(unixepoch() AS INTEGER) * 1000000 - (?1 - n) * 1728000000000 / ?1 AS at,
         CASE WHEN n % 100 = 0 THEN 'open' WHEN n % 1000 = 7 THEN 'held'
             WHEN n % 5000 = 3 THEN 'failed' ELSE 'closed' END AS state
     FROM n",
    "INSERT INTO deliveries (id, source, received_at, fate, verdicts, body)
     SELECT 'd' || id, 'alertmanager', at, 'accepted', json_array(json_object(
             'fingerprint', printf('%016x', n), 'alert', 'Bench' || (n % 50), 'status', 'firing',
             'rule', 'bench', 'incident', id, 'effect', 'a case is opened')),
         zeroblob(600) FROM past",
    "INSERT INTO incidents (id, rule, scope, identity, generation, vendor, rank, worst, state, hold,
         case_id, ended_at, open_seq, origin, delivery, created_at, updated_at, heard_at, last_seq,
         firing, resolved)
     SELECT id, 'bench', 'bench', printf('%064x', n), 1, 'akamai', 1 + n % 4, 1, state,
         iif(state = 'held', 'approval', NULL), iif(state IN ('open', 'closed'), 'F-CS-' || n, NULL),
         iif(state = 'closed', at + 600000000, NULL), iif(state = 'failed', 1, NULL),
         json_object('source', 'alertmanager', 'fingerprint', printf('%016x', n),
             'status', 'firing', 'labels', json_object('alertname', 'Bench' || (n % 50),
                 'property', 'shop-' || n, 'env', 'production'),
             'annotations', json_object('summary', '5xx ratio is ' || (n % 100) || ' percent'),
             'links', json('[]'), 'group', json('{}')),
         'd' || id, at, at + 600000000, at, iif(state = 'held', 0, 5),
         iif(state = 'closed', 0, 2), iif(state = 'closed', 2, 0) FROM past",
    "INSERT INTO members (incident, fingerprint, status, rank, since, alert)
     SELECT i.id, printf('%015x%d', n, m.value), iif(p.state = 'closed', 'resolved', 'firing'), 1,
         at, json_set(i.origin, '$.fingerprint', printf('%015x%d', n, m.value))
     FROM past p JOIN incidents i USING (id), json_each('[0, 1]') m",
    "INSERT INTO decisions (incident, number, at, cause, state, reason)
     SELECT past.id, m.value, at + m.value * 60000000, 'd' || past.id, state,
         'it fires, and its case is asked for'
     FROM past, json_each('[1, 2, 3, 4]') m",
    "INSERT INTO actions (incident, seq, vendor, kind, payload, precedence, rank, state, phase,
         attempts, due_at, created_at, finished_at)
     SELECT past.id, m.value, 'akamai',
         CASE m.value WHEN 1 THEN 'open' WHEN 5 THEN 'close' ELSE 'comment' END,
         CASE m.value WHEN 1 THEN '{\"kind\":\"open\"}' WHEN 5 THEN '{\"kind\":\"close\"}' ELSE
             '{\"kind\":\"comment\",\"note\":{\"about\":\"silent\",\"since\":\"2026-08-01T10:00:00Z\"}}' END,
         0, 1, iif(state = 'failed', 'dead', 'done'), 'send', 2, at, at, at + 60000000
     FROM past, json_each('[1, 2, 3, 4, 5]') m
     WHERE state != 'held' AND (state != 'failed' OR m.value = 1)",
    "INSERT INTO attempts (incident, seq, number, phase, delivery, started_at, finished_at, outcome,
         status, request)
     SELECT incident, seq, m.value, 'send', 'd' || incident, due_at + m.value * 1000000,
         due_at + m.value * 1000000 + 250000, iif(m.value = 2, 'done', 'unknown'),
         iif(m.value = 2, 201, NULL),
         json_object('subject', '5xx ratio', 'description', printf('%.400c', 'x'))
     FROM actions, json_each('[1, 2]') m WHERE kind IN ('open', 'comment', 'close')",
];

/// Fills the store at `path`, which a daemon has made and does not use now.
pub(crate) async fn fill(path: &std::path::Path, incidents: usize) {
    let address = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&address).await.expect("the store opens");
    let count = i64::try_from(incidents).expect("not so many");
    for statement in FILL {
        let query = sqlx::query(statement);
        let query = if statement.contains("?1") { query.bind(count) } else { query };
        query.execute(&mut db).await.expect("filled");
    }
    // As a store has it that has grown: the daemon does so itself when it stops.
    sqlx::query("PRAGMA optimize").execute(&mut db).await.expect("optimised");
    db.close().await.expect("closes");
}

/// [`PATHS`], with an incident and a delivery in them.
pub(crate) fn paths(incidents: usize) -> Vec<String> {
    let incident = incident(incidents);
    let delivery = format!("d{incident}");
    let path = |path: &&str| path.replace("INCIDENT", &incident).replace("DELIVERY", &delivery);
    PATHS.iter().map(path).collect()
}

fn incident(incidents: usize) -> String {
    let n = incidents as u64 / 2;
    format!("{:08x}{n:016x}", n.wrapping_mul(2_654_435_761) % 4_294_967_296)
}

/// What asking for one path has led to.
pub(crate) struct Asked {
    pub(crate) status: String,
    pub(crate) bytes: usize,
    /// In order.
    pub(crate) times: Vec<Duration>,
}

impl Asked {
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len() - 1);
        self.times[at].as_secs_f64() * 1e3
    }
}

/// Asks for a path so many times, one after the other.
pub(crate) fn ask(admin: SocketAddr, token: &str, path: &str, times: usize) -> Asked {
    let mut asked = Asked { status: String::new(), bytes: 0, times: Vec::new() };
    for _ in 0..times {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(admin).expect("the daemon listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: casewright\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        )
        .expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        asked.times.push(begin.elapsed());
        asked.bytes = answer.len();
        asked.status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
    }
    asked.times.sort();
    asked
}
