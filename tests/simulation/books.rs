//! The reckoning: what the store and the vendors have on record when everything has come right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use casewright::domain::action::ActionKind;
use casewright::domain::ids::{ActionId, Identity, IncidentKey};
use casewright::domain::incident::Incident;
use casewright::domain::member::Member;
use casewright::domain::rollup;
use casewright::rng::Rng;
use casewright::store::lists::DeliveriesSought;
use casewright::store::sqlite::{Options, SqliteStore};
use casewright::store::{Action, ActionState, Store};

use super::desk::Filed;
use super::senders::Group;
use super::store::block_made;
use super::world::World;

/// More than any seed has.
const ALL: u32 = 10_000;

/// What the store has on record.
struct Books {
    incidents: Vec<Incident>,
    actions: BTreeMap<String, Vec<Action>>,
    deliveries: BTreeSet<String>,
}

/// Compares what was promised with what there is.
pub(crate) async fn check(world: &World, groups: &[Group], left: &Path) {
    let books = read(world, left);
    acknowledged_deliveries(world, &books);
    for site in &world.sites {
        let cases = site.desk.lock().unwrap().cases.clone();
        let beyond = site.desk.lock().unwrap().beyond;
        one_case_each(world, &books, &cases, beyond);
        for case in &cases {
            nothing_twice_and_in_order(world, &books, case);
        }
    }
    for incident in &books.incidents {
        has_what_it_should(world, &books, incident);
    }
    stands_for_what_is_held(world, &books);
    for group in groups {
        stands_as_it_fires(world, &books, group);
    }
}

fn read(world: &World, left: &Path) -> Books {
    let path = left.join("casewright.db");
    block_made(&world.runtime, || async {
        let options = Options { path, on_commit: None };
        let store = SqliteStore::open(options, &Rng::seeded(0)).await.expect("it can be opened");
        let incidents = store.incidents(ALL).await.expect("incidents");
        let mut actions = BTreeMap::new();
        for incident in &incidents {
            let own = store.actions(&incident.id).await.expect("actions");
            actions.insert(incident.id.to_string(), own);
        }
        let deliveries = store
            .seek_deliveries(&DeliveriesSought::default(), ALL)
            .await
            .expect("deliveries")
            .items;
        let deliveries = deliveries.iter().map(|delivery| delivery.id.to_string()).collect();
        store.close().await;
        Books { incidents, actions, deliveries }
    })
}

/// A 2xx is on disk, and every alert that a rule took has its incident.
fn acknowledged_deliveries(world: &World, books: &Books) {
    let kept = world.kept.lock().unwrap();
    let known: BTreeSet<&str> =
        books.incidents.iter().map(|incident| incident.id.as_str()).collect();
    for delivery in world.acknowledged() {
        if !books.deliveries.contains(delivery.as_str()) {
            world.ground.violated(format!("delivery {delivery} was acknowledged and is lost"));
        }
        let Some(verdicts) = kept.get(&delivery) else {
            world
                .ground
                .violated(format!("delivery {delivery} was acknowledged before it was kept"));
            continue;
        };
        for incident in verdicts.iter().filter_map(|verdict| verdict.incident.as_ref()) {
            if !known.contains(incident.as_str()) {
                world.ground.violated(format!("incident {incident} of {delivery} is lost"));
            }
        }
        world.ground.count("acknowledged and there");
    }
}

/// No incident has two cases, unless the vendor made them, and then it is noticed. No case is
/// nobody's.
fn one_case_each(world: &World, books: &Books, cases: &[Filed], beyond: bool) {
    let mut by_marker: BTreeMap<&str, Vec<&Filed>> = BTreeMap::new();
    for case in cases {
        by_marker.entry(&case.tracking).or_default().push(case);
    }
    for (marker, cases) in by_marker {
        let own = books.incidents.iter().find(|incident| incident.id.marker().as_str() == marker);
        let Some(incident) = own else {
            world.ground.violated(format!("a case was opened for {marker}, which nobody knows"));
            continue;
        };
        let ours: Vec<&str> =
            cases.iter().filter(|case| !case.foreign).map(|case| case.id.as_str()).collect();
        if ours.len() > 1 {
            world.ground.count("a second case came true too late");
            if !beyond {
                world.ground.violated(format!("incident {} has the cases {ours:?}", incident.id));
            }
        }
        let Some(case) = incident.state.case() else { continue };
        if !cases.iter().any(|filed| filed.id == case.as_str()) {
            let what = format!("incident {} has a case that is not its own: {case}", incident.id);
            world.ground.violated(what);
        }
        if cases.len() > 1 {
            let noticed = cases.iter().any(|filed| {
                filed.id != case.as_str()
                    && filed.comments.iter().any(|(text, _)| text.contains(case.as_str()))
            });
            if noticed {
                world.ground.count("two cases noticed");
            } else {
                world.ground.violated(format!("nobody noticed that {} has two cases", incident.id));
            }
        }
    }
}

/// No comment and no file twice, and each incident's in the order in which they were decided.
fn nothing_twice_and_in_order(world: &World, books: &Books, case: &Filed) {
    let texts: BTreeSet<&str> = case.comments.iter().map(|(text, _)| text.as_str()).collect();
    if texts.len() != case.comments.len() {
        world.ground.violated(format!("{} has a comment twice: {:?}", case.id, case.comments));
    }
    let files: BTreeSet<&String> = case.files.iter().collect();
    if files.len() != case.files.len() {
        world.ground.violated(format!("{} has a file twice: {:?}", case.id, case.files));
    }
    let Some(incident) =
        books.incidents.iter().find(|incident| incident.id.marker().as_str() == case.tracking)
    else {
        return;
    };
    let mut last = 0;
    for (text, _) in &case.comments {
        let seq = (1..=incident.last_seq)
            .find(|seq| text.contains(&incident.id.marker().action_token(*seq)));
        let Some(seq) = seq else {
            world.ground.violated(format!("{} has a comment that is nobody's: {text}", case.id));
            continue;
        };
        let id = ActionId { incident: incident.id.clone(), seq };
        if world.revived.lock().unwrap().contains(&id) {
            continue;
        }
        if seq <= last {
            world.ground.violated(format!("{} has comment {seq} after {last}", case.id));
        }
        last = seq;
    }
}

/// Every incident that should have a case has it, and all that was decided about it was done.
fn has_what_it_should(world: &World, books: &Books, incident: &Incident) {
    let actions = books.actions.get(incident.id.as_str()).map_or(&[][..], Vec::as_slice);
    let last_open = actions.iter().rfind(|action| action.kind == ActionKind::Open);
    let superseded = |action: &Action| {
        action.kind == ActionKind::Open
            && action.state == ActionState::Dead
            && last_open.is_some_and(|last| last.id != action.id)
    };
    let unfinished = |action: &&Action| action.state != ActionState::Done && !superseded(action);
    for action in actions.iter().filter(unfinished) {
        world.ground.violated(format!(
            "{} ({}) is {} in the end",
            action.id,
            action.kind.name(),
            action.state.name()
        ));
    }
    let state = incident.state.name();
    world.ground.count(&format!("ends {state}"));
    match state {
        "open" | "closed" => {
            let case = incident.state.case().expect("both have one").as_str();
            let filed = world
                .sites
                .iter()
                .any(|site| site.desk.lock().unwrap().cases.iter().any(|filed| filed.id == case));
            if !filed {
                world.ground.violated(format!("the vendor knows nothing of {case}"));
            }
        }
        "dropped" => {}
        "held" if has_a_rollup(books, incident) => {}
        other => {
            world.ground.violated(format!("incident {} is {other} in the end", incident.id));
        }
    }
}

/// Whether an open roll-up stands for an incident.
fn has_a_rollup(books: &Books, incident: &Incident) -> bool {
    let stands_for = |rollup: &Incident| {
        let name = incident.id.as_str().into();
        rollup.state.name() == "open" && rollup.members.get(&name).is_some_and(Member::is_firing)
    };
    let key = rollup::key(&incident.rule);
    books.incidents.iter().any(|rollup| rollup.key == key && stands_for(rollup))
}

/// A roll-up goes on as long as it stands for anything, and no longer.
fn stands_for_what_is_held(world: &World, books: &Books) {
    for rollup in books.incidents.iter().filter(|incident| incident.is_rollup()) {
        world.ground.count("roll-ups");
        for (name, member) in rollup.members.iter().filter(|(_, member)| member.is_firing()) {
            let own = books.incidents.iter().find(|held| held.id.as_str() == name.as_str());
            if own.is_none_or(|own| own.state.name() != "held") {
                let title = member.alert.title();
                world.ground.violated(format!("roll-up {} stands for {title}", rollup.id));
            }
        }
        if rollup.is_firing() != (rollup.state.name() == "open") {
            world.ground.violated(format!("roll-up {} is {}", rollup.id, rollup.state.name()));
        }
    }
}

/// A problem that is there has an open incident or is in an open roll-up, and one that is over has
/// neither.
fn stands_as_it_fires(world: &World, books: &Books, group: &Group) {
    let chosen = [("alertname", group.alertname), ("property", group.property.as_str())];
    let chosen = chosen.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let key = IncidentKey {
        scope: group.alertname.to_lowercase().as_str().into(),
        identity: Identity::of(&chosen),
    };
    let newest = books
        .incidents
        .iter()
        .filter(|incident| incident.key == key)
        .max_by_key(|incident| incident.generation);
    let fires = group.fires(world.ground.true_now());
    let state = newest.map_or("none", |incident| incident.state.name());
    let right = if fires {
        state == "open" || newest.is_some_and(|held| has_a_rollup(books, held))
    } else {
        matches!(state, "none" | "dropped" | "closed")
    };
    if !fires && ended_in_silence(world, group) {
        world.ground.count("ended in silence");
    }
    if !right {
        world.ground.violated(format!(
            "{} of {} {}, and its incident is {state}",
            group.alertname,
            group.property,
            if fires { "fires" } else { "is over" },
        ));
    }
}

/// Whether one of its alerts is over and nobody was heard to say so. An Alertmanager that was not
/// heard when it told of an alert does not tell of its end.
fn ended_in_silence(world: &World, group: &Group) -> bool {
    let now = world.ground.true_now();
    group.members.iter().enumerate().any(|(place, member)| {
        matches!(member.at(now), Some((since, Some(_)))
            if !world.knows_over(&group.property, place, since))
    })
}
