//! At a glance: what needs a person, how many incidents stand how, how the vendors and the queue
//! are, and the last day in pictures.

use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::chart::Chart;
use super::frame::Frame;
use super::text::rough;
use super::{Console, Page, draw};
use crate::domain::incident::State as IncidentState;
use crate::http::access::Visit;
use crate::people::record::Summary;
use crate::people::status::{Queue, Status};
use crate::store::Sought;

/// So many of the newest incidents are shown.
const NEWEST: u32 = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    needs: Vec<Need>,
    status: Status,
    tiles: Vec<Tile>,
    oldest: String,
    charts: Vec<Chart>,
    newest: Vec<Summary>,
}

/// Something that a person has to do something about.
struct Need {
    tone: &'static str,
    shape: &'static str,
    what: String,
    address: String,
}

struct Tile {
    state: &'static str,
    count: u64,
    address: String,
}

pub(super) async fn page(State(console): State<Console>, visit: Visit) -> Page {
    let people = &console.api.people;
    let status = people.status().await?;
    let day = people.last_day().await?;
    let newest = people.incidents(&Sought::default(), NEWEST).await?.items;
    let mut charts = vec![
        Chart::of_counts("alerts", "Alerts received", "alerts", &day.alerts),
        Chart::of_counts("cases", "Cases opened", "cases", &day.cases),
        Chart::of_levels("outbox", "Unfinished actions", "unfinished actions", &day.outbox),
    ];
    for (place, (name, attempts)) in day.attempts.iter().enumerate() {
        let title = format!("Answer time of {name}");
        charts.push(Chart::of_times(&format!("lane-{place}"), &title, attempts));
    }
    let tiles = IncidentState::NAMES.into_iter().map(|state| Tile {
        state,
        count: status.incidents.get(state).copied().unwrap_or(0),
        address: format!("/incidents?state={state}"),
    });
    let page = Overview {
        needs: needs(&status),
        tiles: tiles.collect(),
        oldest: rough(Duration::from_secs(status.queue.oldest_age_seconds)),
        frame: Frame::new(&console, &visit, "/"),
        status,
        charts,
        newest,
    };
    Ok(draw(&page))
}

/// What needs a person, the worst first.
fn needs(status: &Status) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |tone, shape, what: String, address: &str| {
        needs.push(Need { tone, shape, what, address: address.to_owned() });
    };
    if let Some(trouble) = &status.store.trouble {
        need("bad", "▲", format!("the store takes no writes: {trouble}"), "/");
    }
    if !status.files.last_reload_successful {
        let what = "what the files say now cannot be used; what was in force before is".to_owned();
        need("bad", "▲", what, "/rules");
    }
    for vendor in status.vendors.iter().filter(|vendor| vendor.state != "open") {
        let waits = vendor.unfinished;
        let what = format!("{} is {}; {waits} actions wait for it", vendor.name, vendor.state);
        need("bad", "▲", what, "/vendors");
    }
    let one = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    let Queue { dead, held, blocked, .. } = status.queue;
    let of_actions = [
        ("bad", "▲", dead, "action was given up", "actions were given up"),
        (
            "bad",
            "▲",
            blocked,
            "action waits until its rule is mended",
            "actions wait until their rules are mended",
        ),
        (
            "warn",
            "◆",
            held,
            "action waits: nobody can tell whether it was done",
            "actions wait: nobody can tell whether they were done",
        ),
    ];
    for (tone, shape, count, single, several) in of_actions.into_iter().filter(|of| of.2 > 0) {
        need(tone, shape, one(count, single, several), "/actions");
    }
    for (hold, count) in status.held.iter().filter(|(_, count)| **count > 0) {
        let incidents = one(*count, "incident is", "incidents are");
        let what = match *hold {
            "approval" => format!("{incidents} waiting for approval"),
            "budget" => format!("{incidents} held by the case budget"),
            "mute" => format!("{incidents} muted"),
            // Nobody is to do anything about them.
            _ => continue,
        };
        need("warn", "◆", what, "/held");
    }
    if status.waiting_for_us > 0 {
        let what = one(
            status.waiting_for_us,
            "case on which the vendor waits for us",
            "cases on which the vendor waits for us",
        );
        need("warn", "◆", what, "/incidents?state=open");
    }
    for (reason, count) in &status.alarms {
        let what = format!("alarm {} × {count} since the start", reason.replace('_', " "));
        need("calm", "◔", what, address_of(reason));
    }
    needs
}

/// Where a person sees what an alarm was about.
fn address_of(alarm: &str) -> &'static str {
    match alarm {
        "catalog" | "not_offered" => "/catalog",
        "vendor_denied" | "vendor_failing" | "vendor_gone" => "/vendors",
        "target_denied" | "target_failing" | "watch" => "/vendors",
        "several_cases" | "waits_for_us" | "closed_while_firing" => "/incidents?state=open",
        "store" | "store_damaged" => "/",
        _ => "/actions",
    }
}
