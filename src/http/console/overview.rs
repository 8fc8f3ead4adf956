//! At a glance: what needs a person, how many incidents stand how, how the vendors and the queue
//! are, and the last day in pictures.

use askama::Template;
use axum::extract::State;

use super::chart::Chart;
use super::frame::Frame;
use super::text::rough;
use super::{Console, Page, draw};
use crate::http::access::Visit;
use crate::people::glance::Glance;
use crate::people::record::Summary;
use crate::store::Sought;

/// So many of the newest incidents are shown.
const NEWEST: u32 = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    needs: Vec<Need>,
    glance: Glance,
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
    let glance = people.glance().await?;
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
    let tiles = glance.incidents.iter().map(|(state, count)| Tile {
        state,
        count: *count,
        address: format!("/incidents?state={state}"),
    });
    let page = Overview {
        needs: needs(&glance, &console.api.metrics.alarms()),
        tiles: tiles.collect(),
        oldest: rough(glance.oldest),
        frame: Frame::new(&console, &visit, "/"),
        glance,
        charts,
        newest,
    };
    Ok(draw(&page))
}

/// What needs a person, the worst first.
fn needs(glance: &Glance, alarms: &[(&'static str, u64)]) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |tone, shape, what: String, address: &str| {
        needs.push(Need { tone, shape, what, address: address.to_owned() });
    };
    for vendor in glance.vendors.iter().filter(|vendor| vendor.state != "open") {
        let waits = vendor.unfinished;
        let what = format!("{} is {}; {waits} actions wait for it", vendor.name, vendor.state);
        need("bad", "▲", what, "/vendors");
    }
    let one = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    if glance.dead > 0 {
        let what = one(glance.dead, "action was given up", "actions were given up");
        need("bad", "▲", what, "/actions");
    }
    if glance.doubtful > 0 {
        let what = one(
            glance.doubtful,
            "action waits: nobody can tell whether it was done",
            "actions wait: nobody can tell whether they were done",
        );
        need("warn", "◆", what, "/actions");
    }
    for (hold, count) in &glance.held {
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
    if glance.waiting_for_us > 0 {
        let what = one(
            glance.waiting_for_us,
            "case on which the vendor waits for us",
            "cases on which the vendor waits for us",
        );
        need("warn", "◆", what, "/incidents?state=open");
    }
    for (reason, count) in alarms.iter().filter(|(_, count)| *count > 0) {
        let what = format!("alarm {} × {count} since the start", reason.replace('_', " "));
        need("calm", "◔", what, "/actions");
    }
    needs
}
