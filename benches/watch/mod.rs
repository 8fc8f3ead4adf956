//! What watching cases asks of a store that is full of what is over: the query of every round, the one
//! at every start, and the count of every scrape.
//!
//! The store of this build is asked directly: a daemon asks it now and then only, so nothing could be
//! seen from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use casewright::domain::ids::VendorName;
use casewright::rng::Rng;
use casewright::store::Store;
use casewright::store::sqlite::{Options, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection as _, SqliteConnection};

/// A daemon reads so many cases of a vendor at most.
const LIMIT: u32 = 2_000;
/// So many of a hundred incidents go on.
const OPEN: i64 = 1;

/// Prints one line per question: smallest, median and largest of so many runs, in ms.
pub(crate) async fn measure(incidents: i64, runs: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.db");
    let options = Options { path: path.clone(), on_commit: None };
    let store = SqliteStore::open(options, &Rng::seeded(1)).await.expect("opens");
    let address = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&address).await.expect("the store opens");
    for statement in FILL {
        sqlx::query(statement).bind(incidents).bind(OPEN).execute(&mut db).await.expect("filled");
    }
    db.close().await.expect("closes");
    let (store, vendor): (Arc<dyn Store>, VendorName) = (Arc::new(store), "akamai".into());
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
    let ended_after = now - SignedDuration::from_hours(14 * 24);
    let mut watched = 0;
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..runs {
        let begun = Instant::now();
        watched = store.open_cases(&vendor, ended_after, LIMIT).await.expect("read").len();
        times[0].push(begun.elapsed());
        let begun = Instant::now();
        store.forgive_silence(Duration::from_secs(1), now).await.expect("written");
        times[1].push(begun.elapsed());
        let begun = Instant::now();
        store.census().await.expect("read");
        times[2].push(begun.elapsed());
    }
    store.close().await;
    let what =
        ["a round: cases worth watching", "a start: silence that is forgiven", "a scrape: census"];
    for (what, times) in what.iter().zip(times) {
        let [min, median, max] = super::spread(times.into_iter().map(super::millis).collect());
        println!("{what:<36}{incidents:>9}{min:>8.1}{median:>8.1}{max:>8.1}");
    }
    println!("{watched} cases were worth watching");
}

/// The ends are spread over a year (in microseconds), so that one in 26 is within the last fortnight.
const FILL: [&str; 2] = [
    "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
     INSERT INTO incidents (id, rule, scope, identity, generation, vendor, rank, worst, state, case_id,
         origin, delivery, created_at, updated_at, heard_at, last_seq, firing, resolved, ended_at)
     SELECT printf('%024d', n), 'bench', 'bench', printf('%064d', n), 1, 'akamai', 1, 1,
         iif(n % 100 < ?2, 'open', 'closed'), 'F-' || n,
         json_object('source', 'alertmanager', 'fingerprint', printf('%016d', n),
             'status', 'firing', 'labels', json_object('alertname', 'Bench', 'property', n),
             'annotations', json('{}'), 'links', json('[]'), 'group', json('{}')),
         'd', 0, n, n, 1, iif(n % 100 < ?2, 1, 0), iif(n % 100 < ?2, 0, 1),
         iif(n % 100 < ?2, NULL, n * 31536000000000 / ?1) FROM n",
    "INSERT INTO watched_cases (incident, vendor, case_id, status, checked_at)
     SELECT id, 'akamai', case_id, iif(state = 'open', 'in_progress', 'closed'), ?2
     FROM incidents LIMIT ?1",
];
