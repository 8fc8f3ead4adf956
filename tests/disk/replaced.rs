//! While the disk fails, somebody moves files about. The store comes back to its own database only:
//! it neither makes a new one, in which every incident would be forgotten, nor takes another.

use std::fs::{copy, rename};
use std::path::{Path, PathBuf};

use casewright::rng::Rng;
use casewright::store::Store as _;
use casewright::store::StoreError;
use casewright::store::sqlite::{Options, SqliteStore};

use crate::shim::{self, Control, DATABASE, EIO, Fault, OPEN, READ, SYNC, TRUNCATE, UNLINK, WRITE};
use crate::support::house::eventually;
use crate::support::{News, firing, key};

const BROKEN: Fault = Fault {
    error: EIO,
    kinds: OPEN | READ | WRITE | SYNC | TRUNCATE | UNLINK,
    torn: false,
    lasting: true,
};

#[test]
fn after_trouble_only_the_same_database_is_opened_again() {
    let folder = shim::folder();
    let control = folder.path().join("control");
    Control::make(&control);
    let variables = shim::environment(folder.path(), &control, None);
    shim::run("replaced::child", &variables, "");
}

#[test]
#[ignore = "run by the test above, with the shim"]
fn child() {
    if shim::asked().is_some() {
        let folder = std::env::var_os("CASEWRIGHT_SHIM_FOLDER").expect("a folder");
        shim::runtime().block_on(is_not_fooled(&PathBuf::from(folder)));
    }
}

async fn open(folder: &Path) -> SqliteStore {
    let options = Options { path: folder.join(DATABASE), on_commit: None };
    SqliteStore::open(options, &Rng::from_os()).await.expect("opens")
}

async fn hear(store: &SqliteStore, property: &str) -> Result<(), StoreError> {
    let news = News::of(store.installation(), key("edge", property), vec![firing("x")]);
    store.ingest(news.intake()).await.map(drop)
}

async fn refuses_because(store: &SqliteStore, why: &str) {
    eventually(why, || async {
        match hear(store, "during").await {
            Err(StoreError::Disk(told)) if told.contains(why) => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

async fn is_not_fooled(base: &Path) {
    let [own, other, away] = ["own", "other", "away"].map(|name| base.join(name));
    std::fs::create_dir(&away).expect("a folder");
    open(&other).await.close().await;
    let store = open(&own).await;
    hear(&store, "before").await.expect("taken in");

    let control = Control::of_this_process();
    control.arm(&BROKEN, 1);
    hear(&store, "during").await.expect_err("the disk fails");
    let files = ["", "-wal", "-shm"].map(|suffix| format!("{DATABASE}{suffix}"));
    for file in &files {
        rename(own.join(file), away.join(file)).expect("moved");
    }
    control.lift();
    refuses_because(&store, "unable to open").await;
    assert!(!own.join(DATABASE).exists(), "it has made a new one");

    std::fs::write(own.join(DATABASE), "").expect("written");
    refuses_because(&store, "emptied or replaced").await;
    copy(other.join(DATABASE), own.join(DATABASE)).expect("copied");
    refuses_because(&store, "another installation").await;

    for file in &files {
        rename(away.join(file), own.join(file)).expect("moved back");
    }
    eventually("its own database", || hear(&store, "after")).await;
    assert_eq!(store.incidents(10).await.expect("read").len(), 2, "what it was told, and no more");
    store.close().await;
}
