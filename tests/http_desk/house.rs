//! A daemon with one of the shipped examples, and the desk that it is for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use casewright::config::Diagnostics;
use casewright::daemon::{Daemon, World};
use casewright::domain::ids::VendorName;
use casewright::domain::incident::Incident;
use casewright::rng::Rng;
use casewright::setup::{self, Setup};
use casewright::store::{Action, ActionState, Phase};
use casewright::time::between;
use tempfile::TempDir;

use super::desk::{Desk, Running};
use super::servicenow::ServiceNow;
use super::support::alertmanager::{Item, Payload};
use super::support::clock::RunningClock;
use super::support::house::eventually;
use super::support::sender::Sender;
use super::zendesk::Zendesk;

/// What the example's `${...}` stand for: never in an environment, so that tests do not meet.
type Variables = Vec<(&'static str, String)>;

/// See the [module](self).
pub(crate) struct House<D> {
    pub(crate) desk: Running<D>,
    pub(crate) clock: Arc<RunningClock>,
    pub(crate) daemon: Daemon,
    pub(crate) files: TempDir,
    sender: Sender,
}

impl House<ServiceNow> {
    pub(crate) async fn servicenow() -> Self {
        Self::servicenow_with(|text| text).await
    }

    pub(crate) async fn servicenow_with(change: impl FnOnce(String) -> String) -> Self {
        // base64 of `casewright:sesame-open`.
        let desk =
            Running::start(ServiceNow::default(), "Basic Y2FzZXdyaWdodDpzZXNhbWUtb3Blbg==").await;
        let variables = vec![
            ("SERVICENOW_URL", desk.base.clone()),
            ("SERVICENOW_PASSWORD", "sesame-open".to_owned()),
        ];
        Self::begin("servicenow.yaml", desk, variables, change).await
    }
}

impl House<Zendesk> {
    pub(crate) async fn zendesk() -> Self {
        // base64 of `casewright@example.com/token:sesame-open`.
        let known = "Basic Y2FzZXdyaWdodEBleGFtcGxlLmNvbS90b2tlbjpzZXNhbWUtb3Blbg==";
        let desk = Running::start(Zendesk::default(), known).await;
        let base = desk.base.clone();
        desk.with(|zendesk| zendesk.base.clone_from(&base));
        let variables = vec![("ZENDESK_URL", base), ("ZENDESK_TOKEN", "sesame-open".to_owned())];
        Self::begin("zendesk.yaml", desk, variables, |text| text).await
    }
}

/// As the examples are, but for what would make a test slow or meet others.
fn fit(text: &str) -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    [
        (
            "server: { listen: 127.0.0.1:8080 }",
            "server: { listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0', reload_on_change: false }",
        ),
        ("../../data/", ""),
        ("../../templates", &format!("{here}/templates")),
        (
            "    kind: http\n",
            "    kind: http\n    timeout: 1s\n    \
             retry: { initial: 50ms, max: 300ms, horizon: 72h }\n    \
             reconcile: { window: 400ms, looks: 3 }\n    \
             breaker: { failures: 20, pause: 200ms, max_pause: 1s }\n    \
             rate: { per_second: 500, burst: 500 }\n",
        ),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

impl<D: Desk> House<D> {
    async fn begin(
        example: &str,
        desk: Running<D>,
        variables: Variables,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/desks");
        std::fs::create_dir(files.path().join("rules")).expect("a folder");
        let rules = from.join("rules/10-service.yaml");
        std::fs::copy(rules, files.path().join("rules/10-service.yaml")).expect("a copy");
        let own = include_str!("rules.yaml");
        std::fs::write(files.path().join("rules/90-tests.yaml"), own).expect("written");
        let text = std::fs::read_to_string(from.join(example)).expect("the example");
        std::fs::write(files.path().join("casewright.yaml"), change(fit(&text))).expect("written");
        let env: &'static (dyn Fn(&str) -> Option<String> + Sync) =
            Box::leak(Box::new(move |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
            }));
        let loaded: (Option<Setup>, Diagnostics) =
            setup::load(&files.path().join("casewright.yaml"), env);
        let setup = loaded.0.unwrap_or_else(|| panic!("{}", loaded.1.render(false)));
        let clock = Arc::new(RunningClock::new());
        let world = World { clock: clock.clone(), rng: Arc::new(Rng::from_os()), env };
        let daemon = Daemon::start(setup, world).await.expect("a daemon");
        let sender = Sender::to(daemon.webhooks);
        Self { desk, clock, daemon, files, sender }
    }

    /// Changes the config as a person does: `from` must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.files.path().join("casewright.yaml");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).expect("written");
    }

    pub(crate) async fn hears(&self, payload: impl Into<Payload>) {
        let reply = self.sender.alertmanager(payload).await;
        assert_eq!(reply.status, 202, "{reply:?}");
    }

    pub(crate) async fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for incident in self.daemon.store.incidents(100).await.expect("incidents") {
            actions.extend(self.daemon.store.actions(&incident.id).await.expect("actions"));
        }
        actions
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn settled(&self) -> Vec<Action> {
        eventually("an empty outbox", || async {
            let actions = self.actions().await;
            let under_way =
                |one: &&Action| matches!(one.state, ActionState::Ready | ActionState::Leased);
            let left: Vec<Action> = actions.iter().filter(under_way).cloned().collect();
            if left.is_empty() { Ok(actions) } else { Err(left) }
        })
        .await
    }

    /// Waits until the only incident is in a state, by its name.
    pub(crate) async fn incident_is(&self, state: &str) -> Incident {
        eventually(&format!("an incident that is {state}"), || async {
            let mut incidents = self.daemon.store.incidents(100).await.expect("incidents");
            assert_eq!(incidents.len(), 1, "{incidents:#?}");
            let incident = incidents.remove(0);
            if incident.state.name() == state { Ok(incident) } else { Err(incident) }
        })
        .await
    }

    /// Opens a case, and waits until it is there.
    pub(crate) async fn opened(&self, alert: Item) -> Incident {
        self.hears(alert).await;
        let incident = self.incident_is("open").await;
        self.settled().await;
        incident
    }

    /// Has the alert end, and waits for all that follows.
    pub(crate) async fn ended(&self, alert: Item) {
        self.hears(alert.resolved()).await;
        self.incident_is("resolving").await;
        self.clock.advance(Duration::from_secs(11 * 60));
        self.incident_is("closed").await;
        self.settled().await;
    }

    /// Waits until an action says these words.
    pub(crate) async fn action_says(&self, words: &str) -> Action {
        eventually(&format!("an action that says {words:?}"), || async {
            let actions = self.actions().await;
            let says =
                |one: &&Action| one.message.as_ref().is_some_and(|text| text.contains(words));
            actions.iter().find(says).cloned().ok_or(actions)
        })
        .await
    }

    /// Waits until the desk was asked so often for what begins so.
    pub(crate) async fn was_asked(&self, line: &str, times: usize) {
        eventually(&format!("{times} times {line}"), || async {
            let asked = self.desk.asked(line).len();
            if asked >= times { Ok(()) } else { Err(asked) }
        })
        .await;
    }

    /// Lets the time of the next look come, again and again, until something is so. Time passes
    /// only while nothing is due, so it interrupts nothing.
    pub(crate) async fn looks_until(&self, what: &str, is: impl Fn() -> bool) {
        use casewright::clock::Clock as _;
        eventually(what, || async {
            if is() {
                return Ok(());
            }
            let actions = self.actions().await;
            let next = actions
                .iter()
                .filter(|one| matches!(one.phase, Phase::Look { .. }))
                .filter(|one| one.state == ActionState::Ready)
                .map(|one| between(self.clock.now(), one.due_at))
                .min();
            if let Some(wait) = next.filter(|wait| !wait.is_zero()) {
                self.clock.advance(wait);
            }
            Err(actions)
        })
        .await;
    }

    /// The name of the gate's state.
    pub(crate) async fn gate(&self, name: &str) {
        eventually(&format!("a gate that is {name}"), || async {
            let vendor = VendorName::from("desk");
            let gate = self.daemon.store.gate(&vendor).await.expect("a gate");
            let clock: &dyn casewright::clock::Clock = &*self.clock;
            match gate.as_ref().map(|gate| gate.name(clock.now())) {
                Some(found) if found == name => Ok(()),
                _ => Err(gate),
            }
        })
        .await;
    }
}

/// The alert of the example's rule `service-down`.
pub(crate) fn down() -> Item {
    Item::firing("ServiceDown").label("service", "checkout").annotation("summary", "no answers")
}
