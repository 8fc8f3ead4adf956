//! A whole daemon and a whole vendor in one process, which talk over real sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casewright::clock::Clock as _;
use casewright::config::process_env;
use casewright::daemon::{Daemon, World};
use casewright::domain::gate::Gate;
use casewright::domain::ids::ActionId;
use casewright::domain::incident::Incident;
use casewright::domain::lifecycle::{Event, Policy, step};
use casewright::rng::Rng;
use casewright::sandbox::{Case, Fault, Kind, On, Options, Sandbox};
use casewright::setup;
use casewright::store::{Action, ActionState, Revival, Store};
use casewright::vendors::akamai::Client;

use super::alertmanager::Payload;
use super::clock::RunningClock;
use super::files::{Files, Layout};
use super::pagerduty::Event as Webhook;
use super::process::Said;
use super::sender::{Reply, Sender};

/// How long a condition may take to come true. Long, because machines that test are busy.
const DEADLINE: Duration = Duration::from_secs(40);

/// Waits until `look` sees what it waits for; fails with what it saw last.
pub(crate) async fn eventually<T, E, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    E: std::fmt::Debug,
    F: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(seen) => assert!(begun.elapsed() < DEADLINE, "not seen: {what}; but {seen:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// See the [module](self).
pub(crate) struct House {
    pub(crate) clock: Arc<RunningClock>,
    pub(crate) sandbox: Sandbox,
    pub(crate) files: Files,
    daemon: Option<Daemon>,
    sender: Sender,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|layout| layout).await
    }

    /// A daemon that looks for a lost case for so long.
    pub(crate) async fn with_window(window: &'static str) -> Self {
        Self::with(|layout| Layout { window, ..layout }).await
    }

    /// A daemon that is configured otherwise.
    pub(crate) async fn with(change: impl FnOnce(Layout) -> Layout) -> Self {
        Self::begin(change, |_| {}, []).await
    }

    /// A daemon that asks the vendor every ten minutes at least what it did with cases.
    pub(crate) async fn watching() -> Self {
        Self::watching_with(|_| {}).await
    }

    /// The same, with files that were changed before the start.
    pub(crate) async fn watching_with(change: impl FnOnce(&Files)) -> Self {
        let watch = "{ fastest: 1m, slowest: 10m }";
        Self::begin(|layout| Layout { watch, ..layout }, change, []).await
    }

    /// A daemon whose vendor has these faults from the start on.
    pub(crate) async fn facing(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::begin(|layout| layout, |_| {}, faults).await
    }

    /// A daemon that looks for a lost case for so long, with files that were changed before the
    /// start.
    pub(crate) async fn prepared(window: &'static str, change: impl FnOnce(&Files)) -> Self {
        Self::begin(|layout| Layout { window, ..layout }, change, []).await
    }

    async fn begin(
        layout: impl FnOnce(Layout) -> Layout,
        change: impl FnOnce(&Files),
        faults: impl IntoIterator<Item = Fault>,
    ) -> Self {
        let clock = Arc::new(RunningClock::new());
        let sandbox = Sandbox::start(Options::default(), clock.clone()).await.expect("a vendor");
        sandbox.faults(faults.into_iter().collect()).expect("faults that make sense");
        let files = Files::write(&layout(Layout::of(sandbox.base_url())));
        change(&files);
        let daemon = start(&files, &clock).await;
        let sender = Sender::to(daemon.webhooks);
        let house = Self { clock, sandbox, files, daemon: Some(daemon), sender };
        // Or a fault that a test sets now would be met by it.
        eventually("what vendors offer was read", || async {
            let vendors = house.daemon.as_ref().map(|daemon| &daemon.clients);
            for (vendor, _) in vendors.into_iter().flatten() {
                let kept = house.store().catalog(vendor).await.expect("read");
                if kept.is_none() && house.alarms("catalog").await == 0 {
                    return Err(vendor.clone());
                }
            }
            Ok(())
        })
        .await;
        house
    }

    pub(crate) async fn stop_daemon(&mut self) {
        self.daemon.take().expect("it runs").stop().await;
    }

    /// Starts the daemon on the files that the last one has left.
    pub(crate) async fn start_daemon(&mut self) {
        let daemon = start(&self.files, &self.clock).await;
        self.sender = self.sender.redirected(daemon.webhooks);
        self.daemon = Some(daemon);
    }

    /// Where health, metrics and the API are.
    pub(crate) fn admin(&self) -> std::net::SocketAddr {
        self.daemon.as_ref().expect("it runs").admin
    }

    /// Runs the command line against the daemon, as a person on its machine does.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Said {
        Said::of(arguments, &self.files, self.admin()).await
    }

    /// What is exported now, by the name and labels of its line.
    pub(crate) async fn metric(&self, line: &str) -> Option<String> {
        let url = format!("http://{}/metrics", self.admin());
        let text = reqwest::get(url).await.expect("metrics").text().await.expect("text");
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.map(|value| value.trim().to_owned())
    }

    pub(crate) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.daemon.as_ref().expect("it runs").store
    }

    /// Posts as Alertmanager does, and has it acknowledged.
    pub(crate) async fn hears(&self, payload: impl Into<Payload>) -> Reply {
        let reply = self.sender.alertmanager(payload).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply
    }

    /// Posts as PagerDuty does, and has it acknowledged.
    pub(crate) async fn hears_event(&self, event: &Webhook) -> Reply {
        let reply = self.sender.pagerduty(event).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply
    }

    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.sandbox.faults(faults.into_iter().collect()).expect("faults that make sense");
    }

    pub(crate) fn no_faults(&self) {
        self.faults([]);
    }

    /// Waits until nothing is left to do; what is seen then is final, but for timers.
    pub(crate) async fn settled(&self) -> Vec<Case> {
        eventually("an empty outbox", || async {
            let census = self.store().census().await.expect("a census");
            match census.unfinished() {
                0 => Ok(()),
                _ => Err(self.unfinished().await),
            }
        })
        .await;
        self.sandbox.cases()
    }

    /// Waits until there are so many cases and nothing is left to do: after a timer was set off.
    pub(crate) async fn cases(&self, count: usize) -> Vec<Case> {
        eventually(&format!("{count} cases"), || async {
            let cases = self.sandbox.cases();
            if cases.len() >= count { Ok(()) } else { Err(cases) }
        })
        .await;
        let cases = self.settled().await;
        assert_eq!(cases.len(), count, "{cases:#?}");
        cases
    }

    /// Waits until nothing is left to do, and there is exactly one case.
    pub(crate) async fn only_case(&self) -> Case {
        let mut cases = self.settled().await;
        assert_eq!(cases.len(), 1, "{cases:#?}");
        cases.remove(0)
    }

    /// Waits until nothing is left to do, and there is no case.
    pub(crate) async fn no_case(&self) {
        let cases = self.settled().await;
        assert!(cases.is_empty(), "{cases:#?}");
    }

    /// Waits until an action has been tried so that its message says `words`.
    pub(crate) async fn action_says(&self, words: &str) -> Action {
        eventually(&format!("an action that says {words:?}"), || async {
            let actions = self.actions().await;
            let says = |action: &&Action| {
                action.message.as_ref().is_some_and(|message| message.contains(words))
            };
            actions.iter().find(says).cloned().ok_or(actions)
        })
        .await
    }

    pub(crate) async fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for incident in self.incidents().await {
            actions.extend(self.store().actions(&incident.id).await.expect("actions"));
        }
        actions
    }

    pub(crate) async fn incidents(&self) -> Vec<Incident> {
        self.store().incidents(10_000).await.expect("incidents")
    }

    pub(crate) async fn only_incident(&self) -> Incident {
        let mut incidents = self.incidents().await;
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        incidents.remove(0)
    }

    /// Waits until the only incident is in a state, by its name.
    pub(crate) async fn incident_is(&self, state: &str) -> Incident {
        eventually(&format!("an incident that is {state}"), || async {
            let incident = self.only_incident().await;
            if incident.state.name() == state { Ok(incident) } else { Err(incident) }
        })
        .await
    }

    /// How many requests the vendor has answered for an endpoint, such as `POST /cases`.
    pub(crate) fn requests(&self, endpoint: &str) -> u64 {
        let answered = self.sandbox.requests().requests;
        answered.iter().filter(|row| row.endpoint == endpoint).map(|row| row.count).sum()
    }

    /// How many requests the vendor has had, whatever it answered.
    pub(crate) fn all_requests(&self) -> u64 {
        self.sandbox.requests().requests.iter().map(|row| row.count).sum()
    }

    /// Waits until the vendor's gate, as it is remembered, is as `is` wants it.
    pub(crate) async fn gate(&self, what: &str, is: impl Fn(&Gate) -> bool) -> Gate {
        eventually(&format!("a gate that is {what}"), || async {
            let gate = self.store().gate(&"akamai".into()).await.expect("a gate");
            gate.clone().filter(&is).ok_or(gate)
        })
        .await
    }

    /// Waits until nobody works on anything.
    pub(crate) async fn nobody_works(&self) {
        eventually("no action under way", || async {
            let mut actions = self.unfinished().await;
            actions.retain(|action| action.state == ActionState::Leased);
            if actions.is_empty() { Ok(()) } else { Err(actions) }
        })
        .await;
    }

    /// The page of metrics, as Prometheus reads it.
    async fn metrics(&self) -> String {
        let address = self.daemon.as_ref().expect("it runs").admin;
        let page = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
        page.text().await.expect("a page")
    }

    /// How often a person was told of something, by the word of the metric.
    pub(crate) async fn alarms(&self, reason: &str) -> u64 {
        let page = self.metrics().await;
        let name = format!("casewright_alarms_total{{reason=\"{reason}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&name));
        count.map_or(0, |count| count.parse().expect("a number"))
    }

    /// Whether the metrics have this line.
    pub(crate) async fn shows(&self, line: &str) -> bool {
        self.metrics().await.lines().any(|shown| shown == line)
    }

    /// The daemon's own client of its first vendor.
    pub(crate) fn client(&self) -> &Client {
        &self.daemon.as_ref().expect("it runs").clients[0].1
    }

    /// Has an action that is held or dead tried again, as a person does.
    pub(crate) async fn revive(&self, action: &ActionId, how: Revival) {
        let decide = Arc::new(|incident: &Incident| {
            let policy = Policy::default();
            step(Some(incident), &Event::OpenRevived, &policy, None, incident.updated_at)
        });
        let revived = self.store().revive(action, how, self.clock.now(), decide).await;
        revived.expect("the store works").expect("it was held or dead");
        // Nobody tells the dispatcher; so it comes by when its nap is over.
        self.clock.advance(Duration::from_secs(5));
    }

    async fn unfinished(&self) -> Vec<Action> {
        let mut actions = self.actions().await;
        actions.retain(|action| matches!(action.state, ActionState::Ready | ActionState::Leased));
        actions
    }
}

async fn start(files: &Files, clock: &Arc<RunningClock>) -> Daemon {
    let (setup, diagnostics) = setup::load(&files.config(), &process_env);
    let setup = setup.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let world = World { clock: clock.clone(), rng: Arc::new(Rng::from_os()), env: &process_env };
    Daemon::start(setup, world).await.expect("a daemon")
}

/// A fault that hits every second request.
pub(crate) fn every_second(kind: Kind, on: On) -> Fault {
    Fault { every: Some(2), ..Fault::new(kind, on) }
}

/// How many of a case's comments say `words`. Closure requests are not counted.
pub(crate) fn comments(case: &Case, words: &str) -> usize {
    let says = |text: &str| text.contains(words) && !text.starts_with("Case Closure Request: ");
    case.comments.iter().filter(|comment| says(&comment.comment)).count()
}

/// It was said once that the problem is over, closure was requested once, and nothing else.
pub(crate) fn assert_ended_once(case: &Case) {
    assert_eq!(comments(case, "resolved as of"), 1, "{case:#?}");
    assert_eq!(case.closure_requests.len(), 1, "{case:#?}");
    assert_eq!(said(case), 2, "one comment, one closure request: {case:#?}");
}

/// Nothing was said on it since it was opened.
pub(crate) fn assert_untouched(case: &Case) {
    assert!(said(case) == 0 && case.closure_requests.is_empty(), "{case:#?}");
}

/// How many comments a case has, closure requests included. The vendor writes one of its own for
/// each file.
fn said(case: &Case) -> usize {
    case.comments.iter().filter(|comment| comment.comment_type != "ATTACHMENT").count()
}
