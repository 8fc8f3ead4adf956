//! One seed, from its beginning to its end: trouble of every kind for a while, then a healthy
//! world in which everything comes right, and a look at what has become of it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casewright::domain::action::ActionKind;
use casewright::domain::alert::Labels;
use casewright::domain::incident::Incident;
use casewright::domain::lifecycle::{Event, step};
use casewright::domain::storm::Usage;
use casewright::store::lists::{ActionsSought, Which};
use casewright::store::{Action, Revival, Sought, Store, cause};
use casewright::time::later;
use jiff::SignedDuration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::dice::Dice;
use super::ground::{Counters, Ground};
use super::lives::lives;
use super::senders::{self, Group, Member, Page};
use super::wire::{Site, Weather};
use super::world::{Plan, World};
use super::{books, dice};

/// What has become of a seed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) trace: Vec<String>,
    pub(crate) counters: Counters,
    pub(crate) violations: Vec<String>,
}

/// The longest time that it may take until everything has come right.
const PATIENCE: Duration = Duration::from_secs(12 * 60 * 60);

/// What senders have to tell after the trouble is over: the last alert ends, a pair repeats itself.
const LAST_NEWS: Duration = Duration::from_secs(75 * 60);

/// Lives through a seed.
pub(crate) fn tell(seed: u64, plan: &Arc<Plan>, stores: &Handle) -> Report {
    let root = scratch();
    let world_runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let ground = world_runtime.block_on(live(seed, plan.clone(), stores.clone(), root.path()));
    drop(world_runtime);
    Report { trace: ground.trace(), counters: ground.counters(), violations: ground.violations() }
}

/// In memory where that is possible: what a disk does is tested elsewhere.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).expect("a folder")
    } else {
        tempfile::tempdir().expect("a folder")
    }
}

async fn live(seed: u64, plan: Arc<Plan>, stores: Handle, root: &Path) -> Arc<Ground> {
    let dice = Dice::of(seed, dice::STORY);
    let ground = Arc::new(Ground::new());
    // A clock that is set while old news comes late puts that news in another order; nobody could
    // tell what is right then.
    let clock_jumps = dice.chance(0.3);
    // Now and then a request comes true later than the settle window allows for. Then two cases
    // cannot be ruled out, but they must be noticed.
    let beyond = dice.chance(0.2);
    let sites = ["first", "second"].map(|name| {
        Arc::new(Site {
            name,
            ground: ground.clone(),
            desk: Mutex::new(Desk::new(ground.clone(), name, beyond)),
            weather: Mutex::new(Weather::default()),
            dice: Dice::of(dice.seed(), dice::SITE),
            clock_jumps,
            latest: if beyond { 230.0 } else { 24.0 },
        })
    });
    let world = Arc::new(World::new(
        ground.clone(),
        sites.to_vec(),
        plan,
        stores,
        root.to_owned(),
        !clock_jumps,
    ));
    let trouble_lasts = dice.seconds(900.0, 3600.0);
    let stop = CancellationToken::new();
    let daemon =
        tokio::spawn(lives(world.clone(), Dice::of(dice.seed(), dice::LIVES), stop.clone()));
    let groups = begin_senders(&world, &dice, trouble_lasts);
    for site in &world.sites {
        tokio::spawn(weather(world.clone(), site.clone(), Dice::of(dice.seed(), dice::WEATHER)));
        tokio::spawn(closures(world.clone(), site.clone(), Dice::of(dice.seed(), dice::CLOSURES)));
    }
    if clock_jumps {
        tokio::spawn(clock(world.clone(), Dice::of(dice.seed(), dice::CLOCK)));
    }
    tokio::spawn(person(world.clone(), Dice::of(dice.seed(), dice::PERSON)));
    tokio::spawn(on_call(world.clone(), Dice::of(dice.seed(), dice::ON_CALL)));
    tokio::time::sleep(trouble_lasts).await;
    ground.set_ahead(SignedDuration::ZERO);
    world.end_trouble();
    tokio::time::sleep(LAST_NEWS).await;
    if tokio::time::timeout(PATIENCE, rest(&world)).await.is_err() {
        ground.violated("it has not come to rest hours after the trouble".to_owned());
    }
    stop.cancel();
    let left = daemon.await.expect("the daemon does not panic");
    books::check(&world, &groups, &left).await;
    ground
}

/// Completes when nothing is left to do for anybody.
async fn rest(world: &World) {
    let vendors = ["first".into(), "second".into()];
    loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let Some(running) = world.running() else { continue };
        let due = running.store.next_due(&vendors).await.expect("the store is well");
        let waiting =
            running.store.seek_actions(&for_people(), 1).await.expect("the store is well").items;
        let held = running.store.over_budget(1).await.expect("the store is well");
        let census = running.store.census().await.expect("the store is well");
        // What fires is waited for as long as its sender may be silent.
        let soon = later(world.ground.daemon_now(), Duration::from_secs(5 * 60));
        // After a clock was ahead and set back, these may take hours.
        let timed = ["pending", "resolving"].map(|state| census.incidents.get(state));
        let timed = timed.into_iter().flatten().any(|count| *count > 0);
        let over = waiting.is_empty() && held.is_empty() && census.unfinished() == 0 && !timed;
        if over && due.is_none_or(|due| due > soon) {
            return;
        }
    }
}

fn begin_senders(world: &Arc<World>, dice: &Dice, trouble_lasts: Duration) -> Vec<Group> {
    let from = world.ground.true_now();
    let until = from + trouble_lasts;
    let mut groups = Vec::new();
    for number in 0..2 + dice.below(5) {
        let alertname = ["Quick", "Patient", "Careful"][dice.below(3)];
        let property = format!("shop-{number}");
        let member = |place: usize| Member {
            labels: labels(alertname, &property, place),
            periods: senders::periods(dice, from, until),
        };
        let members = (0..1 + dice.below(3)).map(member).collect();
        groups.push(Group { alertname, property, members });
    }
    for group in &groups {
        for peer in 0..2 {
            let own = Dice::of(dice.seed(), dice::SENDER);
            tokio::spawn(senders::alertmanager(world.clone(), group.clone(), peer, own));
        }
    }
    for number in 0..dice.below(4) {
        let triggered = from + dice.seconds(0.0, trouble_lasts.as_secs_f64());
        let resolved = dice.chance(0.7).then(|| triggered + dice.seconds(1.0, 1500.0));
        let page = Page { id: format!("PGR0{number}"), triggered, resolved };
        for kind in ["triggered", "resolved"] {
            let own = Dice::of(dice.seed(), dice::SENDER);
            tokio::spawn(senders::pagerduty(world.clone(), page.clone(), kind, own));
        }
    }
    groups
}

fn labels(alertname: &str, property: &str, place: usize) -> Labels {
    let severity = if place == 1 { "critical" } else { "warning" };
    [
        ("alertname", alertname.to_owned()),
        ("property", property.to_owned()),
        ("place", format!("place-{place}")),
        ("severity", severity.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// How a vendor is from time to time.
async fn weather(world: Arc<World>, site: Arc<Site>, dice: Dice) {
    let sky = |what: usize| match what {
        0 => Weather { down: true, ..Weather::default() },
        1 => Weather { denies: true, ..Weather::default() },
        2 | 3 => Weather { faults: 0.6, lag: 20.0, ..Weather::default() },
        4 | 5 => Weather { faults: 0.25, lag: 20.0, ..Weather::default() },
        _ => Weather { lag: 10.0, ..Weather::default() },
    };
    while !world.is_healthy() {
        let now = sky(dice.below(8));
        world.ground.say(&format!("{}: {now:?}", site.name));
        *site.weather.lock().unwrap() = now;
        tokio::select! {
            biased;
            () = world.healthy() => {}
            () = tokio::time::sleep(dice.seconds(60.0, 900.0)) => {}
        }
    }
    *site.weather.lock().unwrap() = Weather::default();
}

/// The vendor's people close cases when they think that they are done.
async fn closures(world: Arc<World>, site: Arc<Site>, dice: Dice) {
    while !world.is_healthy() {
        tokio::time::sleep(dice.seconds(300.0, 3000.0)).await;
        if !world.is_healthy() {
            site.desk.lock().unwrap().closes_one(dice.below(100));
        }
    }
}

/// The machine's clock is set wrong, and right again.
async fn clock(world: Arc<World>, dice: Dice) {
    while !world.is_healthy() {
        tokio::time::sleep(dice.seconds(60.0, 1800.0)).await;
        if world.is_healthy() {
            return;
        }
        world.ground.count("clock jumps");
        let seconds = if dice.chance(0.3) { 90 } else { 7200 };
        let ahead = SignedDuration::from_secs(dice.below(2 * seconds) as i64 - seconds as i64);
        world.ground.set_ahead(ahead);
        tokio::time::sleep(dice.seconds(30.0, 1200.0)).await;
        world.ground.set_ahead(SignedDuration::ZERO);
    }
}

/// Somebody who looks after what the daemon cannot decide: seldom while there is trouble, often
/// afterwards.
async fn person(world: Arc<World>, dice: Dice) {
    loop {
        let healthy = world.is_healthy();
        let pause = if healthy { dice.seconds(60.0, 120.0) } else { dice.seconds(600.0, 3000.0) };
        tokio::time::sleep(pause).await;
        let Some(running) = world.running() else { continue };
        tokio::select! {
            biased;
            () = running.life.died() => {}
            () = look_after(&world, &*running.store) => {}
        }
    }
}

/// Somebody on call, who now and then opens a case that the budget holds back.
async fn on_call(world: Arc<World>, dice: Dice) {
    loop {
        tokio::time::sleep(dice.seconds(30.0, 600.0)).await;
        let Some(running) = world.running() else { continue };
        // In the end there are some that only a roll-up stands for.
        let rolled_too = dice.chance(0.2) && !world.is_healthy();
        tokio::select! {
            biased;
            () = running.life.died() => {}
            () = approve_one(&world, &*running.store, rolled_too) => {}
        }
    }
}

fn for_people() -> ActionsSought {
    ActionsSought::that(Which::ForPeople)
}

async fn look_after(world: &World, store: &dyn Store) {
    let Ok(waiting) = store.seek_actions(&for_people(), 20).await else { return };
    for action in waiting.items.into_iter().map(|found| found.action) {
        let how = if can_be_sent(world, &action) { Revival::Send } else { Revival::Look };
        world.revived.lock().unwrap().insert(action.id.clone());
        if how == Revival::Send {
            let marker = action.id.incident.marker();
            for site in &world.sites {
                site.desk.lock().unwrap().vouched_for(marker.as_str());
            }
        }
        let now = world.ground.daemon_now();
        let playbook = world.plan.playbook.clone();
        let decide = Arc::new(move |incident: &casewright::domain::incident::Incident| {
            step(Some(incident), &Event::OpenRevived, &playbook.policy(incident), None, now)
        });
        let Ok(revived) = store.revive(&action.id, how, now, decide).await else { return };
        let what = format!("a person revives {} {how:?}", action.state.name());
        world.ground.say(&format!("{what}: {}: {revived:?}", action.id));
        world.ground.count(&match revived {
            Ok(_) => what,
            Err(_) => "a person comes too late".to_owned(),
        });
    }
}

/// Opens the case of one incident that waits for the budget, or for which a roll-up stands, as a
/// person may.
async fn approve_one(world: &World, store: &dyn Store, rolled_too: bool) {
    let Ok(mut held) = store.over_budget(1).await else { return };
    if held.is_empty() && rolled_too {
        let sought =
            Sought { state: Some("held"), rule: Some("patient".into()), ..Sought::default() };
        let Ok(rolled) = store.seek(&sought, 1).await else { return };
        held.extend(rolled.items.into_iter().map(|incident| incident.id));
    }
    let Some(id) = held.first() else { return };
    let (now, playbook) = (world.ground.daemon_now(), world.plan.playbook.clone());
    let decide = Arc::new(move |incident: &Incident, _: &Usage| {
        let policy = playbook.policy(incident);
        step(Some(incident), &Event::Approved, &policy, None, now)
    });
    if let Ok(Some(step)) = store.advance(id, cause::PERSON, now, decide).await {
        world.ground.say(&format!("a person approves {id}: {}", step.reason));
        world.ground.count(if step.changed { "a person approves" } else { "approved too late" });
    }
}

/// A person who has looked at the vendor's console, minutes later, and has not seen it there.
fn can_be_sent(world: &World, action: &Action) -> bool {
    let marker = action.id.incident.marker();
    let token = marker.action_token(action.id.seq);
    let has_it = |site: &Arc<Site>| {
        let desk = site.desk.lock().unwrap();
        match action.kind {
            ActionKind::Open => !desk.knows_nothing_of(marker.as_str()),
            _ => desk.has_text(token.trim_matches(['[', ']'])),
        }
    };
    !world.sites.iter().any(has_it)
}
