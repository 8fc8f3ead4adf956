//! A database that cannot be used, at the start and in the middle of the work.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use casewright::store::lists::DeliveriesSought;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::house::{Answer, Ended, Files, Served, TOKEN, firing, payload};

async fn sqlite(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.expect("opens")
}

async fn execute(db: &mut SqliteConnection, statement: &'static str) {
    sqlx::query(statement).execute(db).await.expect(statement);
}

/// A database that a daemon has made, and left.
async fn made() -> Files {
    let files = Files::good();
    files.start().await.daemon.stop().await;
    assert!(files.database().exists());
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn another_daemon_keeps_it_to_itself() {
    let files = Files::good();
    let house = files.start().await;
    let ended = files.run("serve");
    ended.says(&["casewright.db", "in use by another casewright", "store.sqlite"]);
    assert!(ended.took < Duration::from_secs(5), "{ended:?}");
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_daemon_keeps_it_to_itself_by_whichever_name() {
    let files = Files::good();
    let house = files.start().await;
    let (database, other) = (files.database(), files.path("other.db"));
    std::os::unix::fs::symlink(&database, &other).expect("linked");
    files.change("data/casewright.db", "other.db");
    let ended = files.run("serve");
    ended.says(&["casewright.db", "in use by another casewright"]);
    house.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_lock_is_named_after_a_short_wait() {
    let files = made().await;
    let mut other = sqlite(&files.database()).await;
    execute(&mut other, "BEGIN EXCLUSIVE").await;
    let ended = files.run("serve");
    ended.says(&["casewright.db", "locked by another program", "end that program"]);
    assert!(ended.took < Duration::from_secs(8), "{ended:?}");
    execute(&mut other, "ROLLBACK").await;
    other.close().await.expect("closes");
    files.start().await.still_works(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_from_the_first_moment_on_is_named_as_well() {
    // Before the daemon has ever opened it, the file has not even its journal mode.
    let files = Files::good();
    let mut other = sqlite(&files.database()).await;
    execute(&mut other, "BEGIN EXCLUSIVE").await;
    let ended = files.run("serve");
    ended.says(&["casewright.db", "locked by another program"]);
    assert!(ended.took < Duration::from_secs(8), "{ended:?}");
}

/// Runs the binary as somebody who is not root, for whom file modes count. Whoever is no root
/// already runs it as himself.
fn as_nobody(files: &Files) -> Command {
    const NOBODY: u32 = 65_534;
    // The build's folder may be closed to others.
    let binary = files.path("casewright");
    std::fs::copy(env!("CARGO_BIN_EXE_casewright"), &binary).expect("copied");
    open_up(files.root());
    let mut command = Command::new(binary);
    files.arrange(&mut command, "serve");
    // A file of root's own that root may not take over tells who we are, without asking libc.
    let probe = files.write("probe", "");
    std::fs::set_permissions(&probe, std::fs::Permissions::from_mode(0o000)).expect("set");
    if std::fs::File::open(&probe).is_ok() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Everybody may read, and enter folders; nobody may write but root.
fn open_up(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            open_up(&path);
        } else {
            let mode = std::fs::metadata(&path).expect("there").permissions().mode();
            let mode = 0o444 | (mode & 0o111);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        }
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o555)).expect("set");
}

/// Gives the folder back to its owner, who has to remove it.
fn close_up(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("set");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            close_up(&path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_named_with_what_to_do() {
    let files = made().await;
    let command = as_nobody(&files);
    // The lock can be had; the database cannot be written.
    let lock = files.path("data/casewright.db.lock");
    std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o666)).expect("set");
    let ended = Ended::of(command);
    close_up(files.root());
    ended.says(&["casewright.db", "read-only", "user that runs casewright"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_folder_is_named_with_what_to_do() {
    let files = made().await;
    let ended = Ended::of(as_nobody(&files));
    close_up(files.root());
    ended.says(&["casewright.db.lock", "Permission denied", "right to write", "store.sqlite"]);
    // No folder, and no right to make one.
    let files = Files::good();
    let ended = Ended::of(as_nobody(&files));
    close_up(files.root());
    ended.says(&["cannot make", "data", "Permission denied", "store.sqlite"]);
    // A file system on which nobody may make anything, root included.
    let files = Files::good();
    files.change("data/casewright.db", "/proc/casewright/casewright.db");
    files.run("serve").says(&["cannot make /proc/casewright", "store.sqlite"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_the_databases_place_is_named_with_what_to_do() {
    let files = Files::good();
    std::fs::create_dir_all(files.database()).expect("a folder");
    files.run("serve").says(&["casewright.db", "folder", "store.sqlite"]);
    // A file where a folder is needed.
    let files = Files::good();
    files.write("data", "");
    files.run("serve").says(&["cannot make", "data", "store.sqlite"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_left_alone() {
    let files = made().await;
    let mut db = sqlite(&files.database()).await;
    execute(
        &mut db,
        "INSERT INTO _sqlx_migrations
             (version, description, installed_on, success, checksum, execution_time)
         VALUES (99990101, 'of the future', '2099-01-01', 1, x'00', 0)",
    )
    .await;
    db.close().await.expect("closes");
    let before = std::fs::read(files.database()).expect("read");
    files.run("serve").says(&["casewright.db", "newer casewright", "99990101", "backup"]);
    assert_eq!(std::fs::read(files.database()).expect("read"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_changed_or_broke_off_is_named_with_what_to_do() {
    for (statement, piece) in [
        ("UPDATE _sqlx_migrations SET checksum = x'00'", "differs"),
        ("UPDATE _sqlx_migrations SET success = 0", "half"),
    ] {
        let files = made().await;
        let mut db = sqlite(&files.database()).await;
        execute(&mut db, statement).await;
        db.close().await.expect("closes");
        files.run("serve").says(&["casewright.db", piece, "backup"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_left_alone() {
    for content in [vec![b'x'; 10], vec![b'x'; 100_000], b"SQLite format 3\0".repeat(1000)] {
        let files = Files::good();
        std::fs::write(files.database(), &content).expect("written");
        files.run("serve").says(&["casewright.db", "not a casewright store", "store.sqlite"]);
        assert_eq!(std::fs::read(files.database()).expect("read"), content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_database_is_left_alone() {
    for statement in ["CREATE TABLE notes (text)", "PRAGMA application_id = 252006673"] {
        let files = Files::good();
        let mut db = sqlite(&files.database()).await;
        execute(&mut db, statement).await;
        db.close().await.expect("closes");
        let before = std::fs::read(files.database()).expect("read");
        let ended = files.run("serve");
        ended.says(&["casewright.db", "database of another program", "store.sqlite"]);
        let same = std::fs::read(files.database()).expect("read") == before;
        assert!(same, "after {statement:?} not one byte of it may change");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for key in ["listen", "admin_listen"] {
        let files = Files::good();
        files.change(&format!(" {key}: 127.0.0.1:0"), &format!(" {key}: {address}"));
        let ended = files.run("serve");
        ended.says(&[&address, "in use", &format!("server.{key}")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_while_webhooks_arrive_costs_none_that_was_acknowledged() {
    const SENDERS: usize = 12;
    let files = Files::good();
    let house = files.start().await;
    let mut other = sqlite(&files.database()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let started = Instant::now();
    let body = |at: usize| payload(&[firing(&format!("Locked{at}"), &json!({}))]).to_string();
    // All at once, so that they wait together.
    let mut posts = tokio::task::JoinSet::new();
    for at in 0..SENDERS {
        let post = house.client.post(house.url("am")).bearer_auth(TOKEN).body(body(at));
        posts.spawn(async move {
            (Answer::of(post.send().await.expect("an answer")).await, started.elapsed())
        });
    }
    let answers = posts.join_all().await;
    for (answer, took) in &answers {
        answer.refuses(503, "overloaded", &["store"]);
        assert!(answer.head.contains("retry-after"), "{answer:?}");
        // Each waits for the lock once; none waits for all who came before it. Alertmanager
        // gives up after 10 s by default, and two rounds may be under way.
        assert!(*took < Duration::from_secs(15), "answered after {took:?}");
    }
    let ready = house.admin("/-/ready").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text.contains("locked"), "{ready:?}");
    execute(&mut other, "ROLLBACK").await;
    assert!(
        house
            .daemon
            .store
            .seek_deliveries(&DeliveriesSought::default(), 100)
            .await
            .expect("read")
            .items
            .is_empty()
    );
    // They come again, as their senders do.
    for at in 0..SENDERS {
        assert_eq!(house.alertmanager(body(at)).await.fate(), "accepted");
    }
    house.cases(SENDERS).await;
    assert_eq!(house.admin("/-/ready").await.status, 200);
    house.still_works(SENDERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lock_is_waited_for() {
    let files = Files::good();
    let house = files.start().await;
    let mut other = sqlite(&files.database()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        execute(&mut other, "ROLLBACK").await;
    });
    let answer = house.alertmanager(payload(&[firing("Short", &json!({}))]).to_string()).await;
    assert_eq!(answer.fate(), "accepted");
    release.await.expect("released");
    house.cases(1).await;
    house.still_works(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_binary_comes_back_from_a_lock_as_well() {
    let files = Files::good();
    let mut served = Served::start(files.command("serve"));
    let mut other = sqlite(&files.database()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let post = async || {
        let request = reqwest::Client::new().post(format!("{}/webhooks/am", served.webhooks));
        let request = request.bearer_auth(TOKEN);
        let body = payload(&[firing("Real", &json!({}))]).to_string();
        request.body(body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(post().await, 503);
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(post().await, 202);
    served.wait_for("open: done, case");
    served.kill();
}
