//! The daemon's lives, one after the other: the real intake, dispatcher and client, wired to this
//! world's time, chance, store and network.

use std::path::PathBuf;
use std::sync::Arc;

use casewright::clock::Clock;
use casewright::config::{VendorConfig, VendorKind};
use casewright::current::Current;
use casewright::dispatch::{Catalogs, Dispatcher, Lane, LaneSettings, Party};
use casewright::domain::ids::InstallationId;
use casewright::http::body::{Budget, Workspace};
use casewright::http::webhooks::{self, BODY_BUDGET, BODY_DEADLINE, WORKSPACE, Webhooks};
use casewright::intake::Intake;
use casewright::playbook::Playbook;
use casewright::retention::Keeper;
use casewright::rng::Rng;
use casewright::sources::Source;
use casewright::sources::alertmanager::Alertmanager;
use casewright::sources::credential::Auth;
use casewright::sources::pagerduty::PagerDuty;
use casewright::store::Store;
use casewright::store::sqlite::{Options, SqliteStore};
use casewright::telemetry::metrics::Metrics;
use casewright::vendors::akamai::{Client, Credentials, Settings};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::dice::Dice;
use super::ground::DaemonClock;
use super::life::{Life, Seam};
use super::store::{SimStore, block, block_made};
use super::wire::Line;
use super::world::{Running, World};

/// How many actions of one vendor are worked on at once, as in the daemon.
const CONCURRENCY: usize = 4;

/// Lets one daemon after the other live, until the world is healthy and `stop` says so. The last
/// one ends in good order, and what it leaves is in the folder that is returned.
pub(crate) async fn lives(world: Arc<World>, dice: Dice, stop: CancellationToken) -> PathBuf {
    let mut installation = None;
    let folder = |number: u32| world.root.join(number.to_string());
    let mut number = 0;
    loop {
        let healthy = world.is_healthy();
        let dies_at = (!healthy && dice.chance(0.7)).then(|| death(&dice));
        let life =
            Arc::new(Life::new(world.ground.clone(), folder(number), folder(number + 1), dies_at));
        std::fs::create_dir_all(&life.folder).expect("a folder");
        world.ground.say(&format!("life {number} begins"));
        let store = open(&world, &life, &dice, &mut installation);
        let daemon = begin(&world, &life, &store, &dice).await;
        let ended = end(&world, &life, daemon, &dice, &stop, healthy).await;
        world.set_running(None);
        let inner = store.inner.clone();
        drop(store);
        block(&world.runtime, async move { inner.close().await });
        std::fs::remove_dir_all(&life.folder).expect("it was there");
        number += 1;
        if ended {
            return folder(number);
        }
        tokio::time::sleep(dice.seconds(0.5, 60.0)).await;
    }
}

/// At which seam it dies: most often soon, now and then late.
fn death(dice: &Dice) -> Seam {
    let acts_only = dice.chance(0.7);
    let bounds = if acts_only { [4, 12, 40, 120] } else { [12, 60, 300, 1500] };
    Seam { number: 1 + dice.below(bounds[dice.below(4)]) as u64, acts_only }
}

/// Waits for the end of a life: its own death, somebody's `kill`, or an orderly end. `true` if
/// that was the last one.
async fn end(
    world: &World,
    life: &Arc<Life>,
    daemon: Begun,
    dice: &Dice,
    stop: &CancellationToken,
    healthy: bool,
) -> bool {
    let orderly = healthy || dice.chance(0.3);
    let span = dice.seconds(30.0, 1800.0);
    tokio::select! {
        biased;
        () = life.died() => return false,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(span), if !healthy => {
            if !orderly {
                world.ground.say("KILL");
                world.ground.count("killed");
                life.die();
                return false;
            }
            world.ground.count("restarted in good order");
        }
    }
    world.ground.say("it stops in good order");
    world.set_running(None);
    daemon.stop.cancel();
    tokio::select! {
        biased;
        () = life.died() => return false,
        joined = daemon.work => joined.expect("the dispatcher does not panic"),
    }
    let last = stop.is_cancelled();
    life.die();
    last
}

fn open(
    world: &World,
    life: &Arc<Life>,
    dice: &Dice,
    installation: &mut Option<InstallationId>,
) -> Arc<SimStore> {
    let options = Options { path: life.folder.join("casewright.db"), on_commit: None };
    let rng = Rng::seeded(dice.seed());
    let opened = block_made(&world.runtime, || SqliteStore::open(options, &rng));
    let inner = Arc::new(opened.expect("a store that a crash has left can be opened"));
    let before = installation.get_or_insert_with(|| inner.installation().clone());
    if before != inner.installation() {
        world.ground.violated("the store has forgotten which installation it is".to_owned());
    }
    Arc::new(SimStore {
        kept: world.kept.clone(),
        inner,
        life: life.clone(),
        runtime: world.runtime.clone(),
    })
}

/// What runs in a life.
struct Begun {
    stop: CancellationToken,
    work: JoinHandle<()>,
}

async fn begin(world: &Arc<World>, life: &Arc<Life>, store: &Arc<SimStore>, dice: &Dice) -> Begun {
    let clock: Arc<dyn Clock> = Arc::new(DaemonClock { life: life.clone() });
    let rng = Arc::new(Rng::seeded(dice.seed()));
    let config = &world.plan.config;
    let names: Vec<_> = config.sources.iter().map(|source| source.name.clone()).collect();
    let metrics = Arc::new(Metrics::new(&names));
    let wake = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let lanes = config.vendors.iter().zip(&world.sites).map(|(vendor, site)| {
        let line = Arc::new(Line { site: site.clone(), life: life.clone() });
        let client = Client::with_transport(settings(vendor), line, clock.clone(), rng.clone());
        Arc::new(lane(vendor, client, world.plan.playbook.clone(), &clock))
    });
    let playbook = Current::from(world.plan.playbook.clone());
    let catalogs = Catalogs::new(store.clone(), playbook, clock.clone(), metrics.clone());
    let dispatcher = Arc::new(Dispatcher {
        store: store.clone(),
        catalogs: Arc::new(catalogs),
        lanes: Current::new(lanes.collect()),
        playbook: world.plan.playbook.clone().into(),
        clock: clock.clone(),
        rng: rng.clone(),
        metrics: metrics.clone(),
        wake: wake.clone(),
    });
    let intake = Arc::new(Intake {
        store: store.clone(),
        playbook: world.plan.playbook.clone().into(),
        clock: clock.clone(),
        rng,
        metrics: metrics.clone(),
        wake,
    });
    let bearer = Auth::new(&["demo-token".into()], &[], &[]);
    let alertmanager = Alertmanager::new("alertmanager".into(), bearer);
    let pagerduty = PagerDuty::new("pagerduty".into(), vec!["demo-secret".into()]);
    let sources: [(_, Arc<dyn Source>); 2] = [
        ("alertmanager".into(), Arc::new(alertmanager)),
        ("pagerduty".into(), Arc::new(pagerduty)),
    ];
    let router = webhooks::router(Webhooks {
        sources: Current::new(sources.into()),
        accept: intake,
        metrics: metrics.clone(),
        clock: clock.clone(),
        body_deadline: BODY_DEADLINE,
        budget: Budget::new(BODY_BUDGET),
        workspace: Workspace::new(WORKSPACE),
    });
    let keeper = Keeper { store: store.clone(), retention: config.store.retention, clock, metrics };
    tokio::select! {
        biased;
        () = life.died() => {}
        () = dispatcher.take_over() => {}
    }
    world.set_running(Some(Running { life: life.clone(), router, store: store.clone() }));
    tokio::spawn(keeper.run(stop.clone()));
    let work = tokio::spawn(dispatcher.run(stop.clone()));
    Begun { stop, work }
}

fn settings(vendor: &VendorConfig) -> Settings {
    let VendorKind::Akamai { base_url: Some(base), credentials: Some(own), list_scope, .. } =
        &vendor.kind
    else {
        panic!("{} is not what this simulation is made for", vendor.name);
    };
    let credentials = Credentials::new(
        own.client_token.clone(),
        own.client_secret.clone(),
        own.access_token.clone(),
    )
    .expect("credentials");
    let name = vendor.name.clone();
    Settings::new(name, base.clone(), credentials, vendor.timeout, *list_scope, vendor.rate)
        .expect("settings")
}

fn lane(
    vendor: &VendorConfig,
    client: Client,
    playbook: Arc<Playbook>,
    clock: &Arc<dyn Clock>,
) -> Lane {
    let settings = LaneSettings {
        timeout: vendor.timeout,
        retry: vendor.retry.clone(),
        reconcile: vendor.reconcile,
        breaker: vendor.breaker,
        retries_per_second: vendor.rate.per_second * vendor.retry_share,
        concurrency: CONCURRENCY,
        catalog_refresh: vendor.catalog_refresh,
        watch: None,
    };
    Lane::new(vendor.name.clone(), Party::Vendor(Arc::new(client)), settings, playbook, clock.now())
}
