//! Wiring: from a checked setup to a running daemon, and back to silence without losing anything.

pub mod local_token;
mod parts;
mod reach;
mod reload;
mod told;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::parts::sources;
pub use self::reach::{Reached, reach};
use self::reload::{Reloader, Running};
pub use self::told::courier;
use crate::clock::Clock;
use crate::config::{Lookup, ServerConfig};
use crate::current::Current;
use crate::dispatch::{Catalogs, Dispatcher, Lane, Lanes, Party};
use crate::domain::action::ActionKind;
use crate::domain::case_view::CaseStatus;
use crate::domain::gate::Gate;
use crate::domain::ids::VendorName;
use crate::domain::incident::{Hold, State};
use crate::http::admin::{self, Admin};
use crate::http::api::{self, Api, NotReloaded, Reload as _, Reloaded};
use crate::http::body::{Budget, Workspace};
use crate::http::console::{self, Console, Live};
use crate::http::login;
use crate::http::server::{Limits, serve};
use crate::http::webhooks::{self, Webhooks};
use crate::intake::Intake;
use crate::people::People;
use crate::people::status::Run;
use crate::retention::Keeper;
use crate::rng::Rng;
use crate::sandbox::Sandbox;
use crate::setup::{Setup, digest};
use crate::store::sqlite::{self, SqliteStore};
use crate::store::{ActionState, BLOCKED, Census, Store};
use crate::telemetry::metrics::{Metrics, Snapshot, VendorStanding};
use crate::time::between;
use crate::vendors::akamai::Client;

/// How long a shutdown waits for what is under way. What is cut off then is looked for after the
/// next start.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// How many connections wait in the kernel when all are taken. More than a crowd is likely to bring
/// at once: the kernel drops those beyond, and they try again only after a second.
const BACKLOG: u32 = 4096;

/// The seams through which time, chance and the environment come in.
#[derive(Clone)]
pub struct World<'a> {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// Environment variables.
    pub env: Lookup<'a>,
}

/// A running daemon.
pub struct Daemon {
    /// Where webhooks are taken.
    pub webhooks: SocketAddr,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    /// What it remembers.
    pub store: Arc<dyn Store>,
    /// The clients of its Akamai vendors and simulations as of the start, by name, for whoever
    /// wants to read cases back.
    pub clients: Vec<(VendorName, Arc<Client>)>,
    /// The simulations that were started inside.
    pub sandboxes: Vec<Sandbox>,
    stop: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    dispatcher: JoinHandle<()>,
    watcher: JoinHandle<()>,
    reloader: Arc<Reloader>,
    keeper: JoinHandle<()>,
    catalogs: JoinHandle<()>,
    damage_watch: JoinHandle<()>,
}

impl Daemon {
    /// Starts everything. When this returns, webhooks are taken.
    ///
    /// # Errors
    ///
    /// A store that cannot be opened, an address that is taken, credentials that are not there:
    /// each says what to do.
    pub async fn start(setup: Setup, world: World<'static>) -> anyhow::Result<Self> {
        let started = Instant::now();
        let Setup { config, playbook, path } = setup;
        let World { clock, rng, env } = world.clone();
        let source_names: Vec<_> =
            config.sources.iter().map(|source| source.name.clone()).collect();
        let metrics = Arc::new(Metrics::new(&source_names));
        let stop = CancellationToken::new();
        let live = Live::until(stop.clone());
        let (store, damage_watch) = open_store(&config.store.sqlite, &metrics, &live, &rng).await?;
        let playbook = Arc::new(playbook);
        let local_token = make_local_token(&config.store.sqlite, &rng);
        let mut sandboxes = Vec::new();
        let mut simulations = BTreeMap::new();
        let mut lanes = Vec::new();
        let mut clients = Vec::new();
        for vendor in &config.vendors {
            let Reached { client, simulation } = reach(vendor, &world).await?;
            if let Some((sandbox, access)) = simulation {
                simulations.insert(vendor.name.clone(), access);
                sandboxes.push(sandbox);
            }
            let lane = Lane::new(
                vendor.name.clone(),
                Party::Vendor(client.vendor()),
                parts::lane_settings(vendor),
                playbook.clone(),
                clock.now(),
            );
            lanes.push(Arc::new(lane));
            clients.push((vendor.name.clone(), client));
        }
        let Census { waiting, for_people, .. } = store.census().await?;
        // Also of what a person may have tried again: it must not wait for the next start.
        let waits = waiting.into_keys().chain(for_people.into_keys());
        let told = told::all(&config, &[], waits, &clock)?;
        lanes.extend(told.iter().map(|told| {
            let lane = told::lane(told, None, &playbook, clock.now());
            Arc::new(lane)
        }));
        let lanes = Current::new(lanes);
        let playbook = Current::from(playbook);
        let wake = Arc::new(Notify::new());
        let intake = Arc::new(Intake {
            store: store.clone(),
            playbook: playbook.clone(),
            clock: clock.clone(),
            rng: rng.clone(),
            metrics: metrics.clone(),
            wake: wake.clone(),
        });
        let sources = Current::new(parts::sources(&config.sources)?);
        let public = webhooks::router(Webhooks {
            sources: sources.clone(),
            accept: intake.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            body_deadline: config.server.body_timeout,
            budget: Budget::new(webhooks::BODY_BUDGET),
            workspace: Workspace::new(webhooks::WORKSPACE),
        });
        let access = Current::new(reload::may_come_in(local_token.as_ref(), &config));
        let seen = config.server.reload_on_change.then(|| digest(&path, env)).flatten();
        let running = Running { clients: clients.clone(), told };
        let catalogs = Arc::new(Catalogs::new(
            store.clone(),
            playbook.clone(),
            clock.clone(),
            metrics.clone(),
        ));
        let reloader = Arc::new(Reloader {
            path: path.clone(),
            env,
            started: config.clone(),
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            wake: wake.clone(),
            playbook: playbook.clone(),
            sources: sources.clone(),
            lanes: lanes.clone(),
            catalogs: catalogs.clone(),
            access: access.clone(),
            local_token,
            simulations,
            seen: Current::new(seen),
            running: Mutex::new(running),
        });
        if config.server.reload_on_change {
            tokio::spawn(watch::watch(reloader.clone(), stop.clone()));
        }
        let api = Api {
            access,
            people: People {
                store: store.clone(),
                lanes: lanes.clone(),
                catalogs: catalogs.clone(),
                playbook: playbook.clone(),
                clock: clock.clone(),
                rng: rng.clone(),
                wake: wake.clone(),
                intake,
                sources,
                metrics: metrics.clone(),
                run: Arc::new(Run {
                    started_at: clock.now(),
                    config: path,
                    database: config.store.sqlite.clone(),
                }),
            },
            reload: reloader.clone(),
            metrics: metrics.clone(),
        };
        let private = admin::router(Admin {
            metrics: metrics.clone(),
            snapshot: snapshot_of(store.clone(), lanes.clone(), clock.clone()),
            not_ready: not_ready(store.clone(), stop.clone()),
        });
        tokio::spawn(api.people.clone().watch_outbox(stop.clone()));
        let private = private
            .merge(login::router(api.guard()))
            .merge(console::router(Console::new(api.clone(), live)))
            .merge(api::router(api))
            .layer(axum::middleware::from_fn_with_state(clock.clone(), console::for_browsers));
        metrics.files_in_force(clock.now(), playbook.get().rules.openers());
        let dispatcher = Arc::new(Dispatcher {
            store: store.clone(),
            catalogs: catalogs.clone(),
            lanes: lanes.clone(),
            playbook: playbook.clone(),
            clock: clock.clone(),
            rng,
            metrics: metrics.clone(),
            wake,
        });
        dispatcher.take_over().await;
        let (webhooks, first) =
            listen(config.server.listen, public, limits(&config.server), &stop).await?;
        let (admin, second) =
            listen(config.server.admin_listen, private, limits(&config.server), &stop).await?;
        let keeper = Keeper {
            store: store.clone(),
            retention: config.store.retention,
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let keeper = tokio::spawn(keeper.run(stop.clone()));
        let watcher = tokio::spawn(dispatcher.clone().watch(stop.clone()));
        let dispatcher = tokio::spawn(dispatcher.run(stop.clone()));
        let catalogs = tokio::spawn(catalogs.run(lanes, stop.clone()));
        info!(
            %webhooks, %admin, millis = started.elapsed().as_millis(),
            "ready: webhooks at http://{webhooks}/webhooks/, console, metrics and health at http://{admin}/",
        );
        let servers = vec![first, second];
        let clients = clients
            .into_iter()
            .filter_map(|(name, client)| Some((name, client.akamai()?.clone())))
            .collect();
        Ok(Self {
            webhooks,
            admin,
            store,
            clients,
            sandboxes,
            stop,
            servers,
            dispatcher,
            watcher,
            reloader,
            keeper,
            catalogs,
            damage_watch,
        })
    }

    /// Has the files read anew, because `who` wants it: all of what they say is in force then, but
    /// for what takes a restart, or nothing of it.
    ///
    /// # Errors
    ///
    /// What is wrong with the files, which is logged as well.
    pub fn reload(
        &self,
        who: &'static str,
    ) -> impl Future<Output = Result<Reloaded, NotReloaded>> + Send + 'static {
        let reloader = self.reloader.clone();
        async move { reloader.reload(who).await }
    }

    /// Stops taking webhooks, finishes what is under way, closes the store.
    pub async fn stop(self) {
        self.stop.cancel();
        self.damage_watch.abort();
        let work = async {
            for server in self.servers {
                let _ = server.await;
            }
            let _ = self.watcher.await;
            let _ = self.dispatcher.await;
            let _ = self.keeper.await;
            let _ = self.catalogs.await;
        };
        if tokio::time::timeout(SHUTDOWN_GRACE, work).await.is_err() {
            warn!("something was still under way; it is looked for after the next start");
        }
        self.store.close().await;
        for sandbox in self.sandboxes {
            sandbox.stop().await;
        }
        info!("stopped");
    }
}

/// Without it the daemon does all its work, so that it is missing ends nothing.
fn make_local_token(database: &std::path::Path, rng: &Rng) -> Option<SecretString> {
    match local_token::write(database, rng) {
        Ok(token) => Some(token),
        Err(error) => {
            let path = local_token::path_of(database);
            warn!(%error, "the token could not be written to {}: {error}; only tokens of `server.admin_tokens` are accepted", path.display());
            None
        }
    }
}

async fn open_store(
    path: &std::path::Path,
    metrics: &Arc<Metrics>,
    live: &Live,
    rng: &Rng,
) -> anyhow::Result<(Arc<dyn Store>, JoinHandle<()>)> {
    let (observer, live) = (metrics.clone(), live.clone());
    let options = sqlite::Options {
        path: path.to_owned(),
        on_commit: Some(Arc::new(move |took, _commands| {
            observer.commit(took);
            live.changed();
        })),
    };
    let store = SqliteStore::open(options, rng).await?;
    let (mut damage, metrics) = (store.damage(), metrics.clone());
    let watch = tokio::spawn(async move {
        // An error means that the store has gone.
        if damage.wait_for(Option::is_some).await.is_ok() {
            metrics.alarm("store_damaged");
        }
    });
    Ok((Arc::new(store), watch))
}

/// What a scrape is told of the store.
fn snapshot_of(
    store: Arc<dyn Store>,
    lanes: Current<Lanes>,
    clock: Arc<dyn Clock>,
) -> admin::TakeSnapshot {
    Arc::new(move || {
        let (store, lanes, clock) = (store.clone(), lanes.clone(), clock.clone());
        Box::pin(async move {
            let census = store.census().await.ok()?;
            let lanes = lanes.get();
            let vendors = lanes.iter().map(|lane| standing(lane, clock.now())).collect();
            let mut snapshot = Snapshot { vendors, ..tally(&census, clock.now()) };
            add_cases(&mut snapshot, &census, &lanes);
            Some(snapshot)
        })
    })
}

fn standing(lane: &Lane, now: Timestamp) -> VendorStanding {
    let state = lane.gate().name(now);
    VendorStanding {
        vendor: lane.name.clone(),
        states: Gate::NAMES.into_iter().map(|name| (name, name == state)).collect(),
        skew_micros: lane
            .vendor()
            .and_then(|vendor| vendor.clock_skew())
            .and_then(|skew| skew.as_micros().try_into().ok()),
    }
}

/// How cases stand at the vendors that are watched; zeros as well.
fn add_cases(snapshot: &mut Snapshot, census: &Census, lanes: &Lanes) {
    let watched = |lane: &&Arc<Lane>| {
        let can_watch = lane.vendor().is_some_and(|vendor| vendor.can_watch());
        lane.settings.watch.is_some() && can_watch
    };
    for lane in lanes.iter().filter(watched) {
        let name = &lane.name;
        for status in CaseStatus::LABELS.into_iter().chain(["unknown"]) {
            let count = census.cases.get(&(name.clone(), status)).copied().unwrap_or(0);
            snapshot.cases.push((name.clone(), status, count));
        }
        let waiting = census.waiting_for_us.get(name).copied().unwrap_or(0);
        snapshot.waiting_for_us.push((name.clone(), waiting));
    }
}

/// Every state and kind gets a value, also where there is none: a gauge that is missing cannot be
/// told from one that broke.
fn tally(census: &Census, now: Timestamp) -> Snapshot {
    let incidents = State::NAMES
        .into_iter()
        .map(|state| (state, census.incidents.get(state).copied().unwrap_or(0)))
        .collect();
    let held = Hold::ALL.map(Hold::name);
    let held = held.into_iter().map(|hold| (hold, census.held.get(hold).copied().unwrap_or(0)));
    let mut actions = Vec::new();
    for kind in ActionKind::NAMES {
        for state in ActionState::ALL.map(ActionState::name).into_iter().chain([BLOCKED]) {
            let key = (kind.to_owned(), state.to_owned());
            actions.push((kind, state, census.actions.get(&key).copied().unwrap_or(0)));
        }
    }
    Snapshot {
        incidents,
        held: held.collect(),
        actions,
        outbox_depth: census.unfinished(),
        outbox_oldest: census.oldest_due.map_or(Duration::ZERO, |due| between(due, now)),
        vendors: Vec::new(),
        cases: Vec::new(),
        waiting_for_us: Vec::new(),
    }
}

fn not_ready(store: Arc<dyn Store>, stop: CancellationToken) -> admin::NotReady {
    Arc::new(move || {
        let (store, stop) = (store.clone(), stop.clone());
        Box::pin(async move {
            let mut reasons = Vec::new();
            if stop.is_cancelled() {
                reasons.push("the daemon is stopping".to_owned());
            }
            if let Err(error) = store.check().await {
                reasons.push(error.to_string());
            }
            reasons
        })
    })
}

fn limits(server: &ServerConfig) -> Limits {
    Limits {
        connections: server.max_connections,
        header_timeout: server.header_timeout,
        ..Limits::default()
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: a port is free at once for the next process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn listen(
    address: SocketAddr,
    router: axum::Router,
    limits: Limits,
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = bind(address).with_context(|| {
        format!("cannot listen on {address}; is something else using it? Change `server.listen` or `server.admin_listen`")
    })?;
    let bound = listener.local_addr()?;
    Ok((bound, tokio::spawn(serve(listener, router, limits, stop.clone()))))
}
