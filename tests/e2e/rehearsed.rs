//! A rehearsal and a daemon are told the same, and do the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use casewright::clock::Clock as _;
use casewright::rehearsal::{Life, Said, World};
use casewright::sandbox::Case;
use casewright::setup;
use casewright::sources::Source as _;
use casewright::sources::alertmanager::Alertmanager;
use casewright::sources::credential::Auth;
use casewright::time::{between, later};
use regex::Regex;

use crate::support::alertmanager::{Item, Payload};
use crate::support::house::{House, eventually};

/// How many things happen in a story.
const STEPS: usize = 30;

/// Longer than anything takes here.
const LEEWAY: Duration = Duration::from_secs(5);

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// A rule, an identity and a generation.
type Name = (String, String, u32);

/// A state, a rank, how many members fire and have resolved, and the actions.
type Stand = (&'static str, u8, (u32, u32), Vec<&'static str>);

/// What is known of each incident that both can tell.
type Standing = BTreeMap<Name, Stand>;

struct Pair {
    house: House,
    world: World,
    alertmanager: Alertmanager,
}

impl Pair {
    async fn open() -> Self {
        let house = House::open().await;
        let (setup, diagnostics) = setup::load(&house.files.config(), &|_| None);
        let setup = setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let world = World::new(Arc::new(setup.playbook), house.clock.now());
        let alertmanager = Alertmanager::new("alertmanager".into(), Auth::new(&[], &[], &[]));
        Self { house, world, alertmanager }
    }

    async fn hear(&mut self, payload: Payload) {
        let received = self
            .alertmanager
            .parse(&http::HeaderMap::new(), &payload.body())
            .expect("a good payload");
        let now = self.house.clock.now();
        let (fate, _) = self.world.deliver(&"alertmanager".into(), received, now);
        let reply = self.house.hears(payload).await;
        assert_eq!(reply.fate, fate.name());
        self.compare().await;
    }

    async fn pass(&mut self, time: Duration) {
        let end = later(self.house.clock.now(), time);
        loop {
            // A daemon is not awake at every instant, but it is when something is due. Its clock
            // runs while it works, so nothing is compared close to such a time.
            let now = self.house.clock.now();
            let dues = self.house.incidents().await;
            let dues = dues.iter().filter_map(|incident| incident.state.due());
            let next = dues.min().filter(|due| *due <= later(end, LEEWAY));
            let Some(next) = next.map(|due| later(due, LEEWAY)).or((now < end).then_some(end))
            else {
                break;
            };
            self.house.clock.advance(between(now, next));
            self.world.advance(self.house.clock.now());
            self.compare().await;
        }
    }

    async fn compare(&self) {
        eventually("no timer that is due", || async {
            let now = self.house.clock.now();
            let mut due = self.house.incidents().await;
            due.retain(|incident| incident.state.due().is_some_and(|due| due <= now));
            if due.is_empty() { Ok(()) } else { Err(due) }
        })
        .await;
        self.house.settled().await;
        let mut daemon = Standing::new();
        for incident in self.house.incidents().await {
            let actions = self.house.store().actions(&incident.id).await.expect("actions");
            let mut actions: Vec<_> =
                actions.iter().map(|action| (action.id.seq, action.kind.name())).collect();
            actions.sort_unstable();
            daemon.insert(
                (
                    incident.rule.to_string(),
                    incident.key.identity.as_str().to_owned(),
                    incident.generation,
                ),
                (
                    incident.state.name(),
                    incident.rank.get(),
                    (incident.tally.firing, incident.tally.resolved),
                    actions.into_iter().map(|(_, kind)| kind).collect(),
                ),
            );
        }
        let rehearsed: Standing = self.world.lives().iter().map(standing).collect();
        assert_eq!(rehearsed, daemon);
    }

    /// Compares what every case says and was told.
    fn compare_cases(&self) -> usize {
        let mut rehearsed: Vec<_> = self.world.lives().iter().filter_map(said).collect();
        let mut sent: Vec<_> = self.house.sandbox.cases().iter().map(filed).collect();
        rehearsed.sort();
        sent.sort();
        assert_eq!(rehearsed, sent);
        sent.len()
    }
}

fn standing(life: &Life) -> (Name, Stand) {
    let Life { incident, deeds, .. } = life;
    (
        (incident.rule.to_string(), incident.key.identity.as_str().to_owned(), incident.generation),
        (
            incident.state.name(),
            incident.rank.get(),
            (incident.tally.firing, incident.tally.resolved),
            deeds.iter().map(|deed| deed.kind).collect(),
        ),
    )
}

/// A text without what differs between two runs: ids, and the second in which it was written.
fn plain(text: &str) -> String {
    let ids = Regex::new(r"\s*\[cw-[0-9a-f-]+\]|\b[0-9a-f]{24}\b").expect("a pattern");
    let times = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").expect("a pattern");
    let cases = Regex::new(r"\bF-[A-Z0-9-]*\d+\b").expect("a pattern");
    let text = ids.replace_all(text, "");
    let text = times.replace_all(&text, "TIME");
    cases.replace_all(&text, "CASE").trim_end().to_owned()
}

/// Subject, description and comments.
type Texts = (String, String, Vec<String>);

fn said(life: &Life) -> Option<Texts> {
    let (_, drafted) = life.case()?;
    let texts = life.deeds.iter().filter(|deed| deed.kind == "comment");
    let comments = texts.map(|deed| match &deed.said {
        Said::Text(text) => plain(text),
        other => panic!("{other:?}"),
    });
    Some((plain(&drafted.draft.subject), plain(&drafted.draft.description), comments.collect()))
}

fn filed(case: &Case) -> Texts {
    let comments = case.comments.iter().filter(|comment| {
        comment.comment_type != "ATTACHMENT"
            && !comment.comment.starts_with("Case Closure Request: ")
    });
    (
        plain(&case.filed.subject),
        plain(&case.filed.description),
        comments.map(|comment| plain(&comment.comment)).collect(),
    )
}

/// Alerts of three rules come and go, together and alone, repeated, truncated and after long pauses.
async fn story(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut pair = Pair::open().await;
    let mut items: Vec<(Item, bool)> = Vec::new();
    for name in ["EdgeHigh5xxRatio", "Patient", "OnCall"] {
        for (property, pop) in [("shop", "FRA"), ("shop", "AMS"), ("www", "FRA")] {
            let item = Item::firing(name).label("property", property).label("pop", pop);
            let severity = if pop == "AMS" { "warning" } else { "critical" };
            items.push((item.label("severity", severity).annotation("summary", "bad"), false));
        }
    }
    let mut last: Option<Payload> = None;
    for _ in 0..STEPS {
        match (dice.below(10), &last) {
            (0 | 1, _) => pair.pass(Duration::from_secs(6 * 60)).await,
            (2, _) => pair.pass(Duration::from_secs(11 * 60)).await,
            (3, _) => pair.pass(Duration::from_secs(25 * 60 * 60)).await,
            (4, Some(payload)) => pair.hear(payload.clone().of_the_peer()).await,
            _ => {
                // One group of alerts, of which one or two change.
                let group = dice.below(3) * 3;
                for _ in 0..=dice.below(2) {
                    let (item, fires) = &mut items[group + dice.below(3)];
                    *item = match (*fires, item.has_ended()) {
                        (true, _) => item.clone().resolved(),
                        (false, true) => item.clone().again(),
                        (false, false) => item.clone(),
                    };
                    *fires = !*fires;
                }
                let told = items[group..group + 3].iter();
                let told = told.filter(|(item, fires)| *fires || item.has_ended());
                let payload = Payload::of(told.map(|(item, _)| item.clone()));
                let cut = u64::from(dice.below(5) == 0);
                let payload = payload.truncated(cut);
                pair.hear(payload.clone()).await;
                last = Some(payload);
            }
        }
    }
    pair.compare_cases()
}

#[tokio::test]
async fn a_rehearsal_does_what_a_daemon_does() {
    let mut cases = 0;
    for seed in 0..6 {
        cases += story(seed).await;
    }
    assert!(cases > 20, "only {cases} cases were opened");
}
