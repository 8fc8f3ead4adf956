//! Has the files read anew while everything runs: rules, templates, sources, credentials, and how
//! vendors are to be treated.
//!
//! *Promise:* all or nothing. Everything is read, checked and made before anything is swapped;
//! swapping cannot fail. Work that has begun goes on with what it began with. What takes a restart
//! is never swapped, and never passed over in silence.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tracing::{error, info, warn};

use super::parts;
use super::told::{self, Told};
use crate::clock::Clock;
use crate::config::{Config, Diagnostic, Diagnostics, Lookup, VendorKind};
use crate::current::Current;
use crate::dispatch::{Catalogs, Lane, Lanes, Party};
use crate::domain::ids::VendorName;
use crate::domain::incident::State;
use crate::http::access::{self, Keys};
use crate::http::api::{NotReloaded, Reload, Reloaded};
use crate::intake::{Displaced, displaced};
use crate::playbook::Playbook;
use crate::rules::Then;
use crate::setup::{self, Digest, Setup};
use crate::sources::Sources;
use crate::store::{Sought, Store};
use crate::telemetry::metrics::Metrics;
use crate::vendors::akamai::edgerc::Access;

/// See the [module](self).
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) env: Lookup<'static>,
    /// What the files said at the start: what takes a restart is still as it says.
    pub(super) started: Config,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) wake: Arc<Notify>,
    pub(super) playbook: Current<Playbook>,
    pub(super) sources: Current<Sources>,
    pub(super) lanes: Current<Lanes>,
    pub(super) catalogs: Arc<Catalogs>,
    pub(super) access: Current<access::Access>,
    /// The token of this machine, if it could be written.
    pub(super) local_token: Option<SecretString>,
    /// Who may talk to the simulations inside; they run on.
    pub(super) simulations: BTreeMap<VendorName, Access>,
    /// What the files said when they were last read.
    pub(super) seen: Current<Option<Digest>>,
    /// One reload at a time.
    pub(super) running: Mutex<Running>,
}

/// What only a reload changes and nobody else looks at.
pub(super) struct Running {
    pub(super) clients: Vec<(VendorName, parts::Client)>,
    pub(super) told: Vec<(VendorName, Told)>,
}

/// So many incidents of each state are compared with new rules.
const LOOKED_AT: u32 = 1000;

/// Everything that is to be swapped in, made and checked.
struct Next {
    playbook: Arc<Playbook>,
    sources: Arc<Sources>,
    lanes: Arc<Lanes>,
    clients: Vec<(VendorName, parts::Client)>,
    told: Vec<(VendorName, Told)>,
    access: Arc<access::Access>,
    restart: Vec<String>,
}

#[async_trait]
impl Reload for Reloader {
    async fn reload(&self, who: &str) -> Result<Reloaded, NotReloaded> {
        let mut running = self.running.lock().await;
        let (path, env) = (self.path.clone(), self.env);
        // Before they are read: what changes meanwhile is then seen to have changed.
        self.seen.put(Arc::new(self.look().await));
        // Many files, and expressions to be compiled: not on the threads that serve.
        let loaded = tokio::task::spawn_blocking(move || setup::load(&path, env)).await;
        let (setup, mut diagnostics) = loaded.unwrap_or_else(|_panic| {
            let mut diagnostics = Diagnostics::default();
            let message = "reading the files met a defect in Casewright";
            diagnostics.push(Diagnostic::about_file(&self.path, message));
            (None, diagnostics)
        });
        let next = setup.and_then(|setup| match self.make(setup, &running) {
            Ok(next) => Some(next),
            Err(wrong) => {
                diagnostics.push(*wrong);
                None
            }
        });
        if let Some(next) = &next {
            for complaint in self.catalogs.complaints(&next.playbook).await {
                diagnostics.push(complaint.into());
            }
        }
        let report = diagnostics.render(false);
        let Some(next) = next else {
            self.metrics.files_refused();
            let summary = diagnostics.summary();
            error!(
                who,
                "{who} had the files read anew, and they cannot be used ({summary}); what runs \
                 stays in force:\n{report}"
            );
            let diagnostics: Value = diagnostics.to_json();
            return Err(NotReloaded { summary, report, diagnostics });
        };
        let reloaded = self.swap(next, &mut running, report).await;
        self.tell(who, &reloaded);
        Ok(reloaded)
    }
}

impl Reloader {
    /// What the files say now.
    pub(super) async fn look(&self) -> Option<Digest> {
        let (path, env) = (self.path.clone(), self.env);
        tokio::task::spawn_blocking(move || setup::digest(&path, env)).await.ok().flatten()
    }

    /// Makes everything. Changes nothing that runs.
    fn make(&self, setup: Setup, running: &Running) -> Result<Next, Box<Diagnostic>> {
        let Setup { config, playbook, .. } = setup;
        let unusable = |why: String| Box::new(Diagnostic::about_file(&self.path, why));
        self.refuse_absent_vendors(&playbook)?;
        let sources = parts::sources(&config.sources).map_err(|why| unusable(why.to_string()))?;
        let playbook = Arc::new(playbook);
        let (mut lanes, mut next_clients) = (Vec::new(), Vec::new());
        let before = self.lanes.get();
        let lane_of = |name: &VendorName| before.iter().find(|lane| lane.name == *name);
        for (name, client) in &running.clients {
            // Lanes of vendors stay for ever.
            let Some(lane) = lane_of(name) else { continue };
            let (lane, client) = self
                .lane(lane, client, &config, &playbook)
                .map_err(|why| unusable(format!("vendor `{name}` cannot be used: {why}")))?;
            lanes.push(Arc::new(lane));
            next_clients.push((name.clone(), client));
        }
        let names = running.told.iter().map(|(name, _)| name.clone());
        let told = told::all(&config, &running.told, names, &self.clock)
            .map_err(|why| unusable(format!("{why:#}")))?;
        for one in &told {
            let lane = lane_of(&one.0).map(|lane| &**lane);
            lanes.push(Arc::new(told::lane(one, lane, &playbook, self.clock.now())));
        }
        Ok(Next {
            playbook,
            sources: Arc::new(sources),
            lanes: Arc::new(lanes),
            clients: next_clients,
            told,
            access: Arc::new(may_come_in(self.local_token.as_ref(), &config)),
            restart: takes_restart(&self.started, &config),
        })
    }

    /// A rule must not send to a vendor that only a restart would bring.
    fn refuse_absent_vendors(&self, playbook: &Playbook) -> Result<(), Box<Diagnostic>> {
        let lanes = self.lanes.get();
        for rule in playbook.rules.rules() {
            let Then::Case(case) = &rule.then else { continue };
            if lanes.iter().all(|lane| lane.name != case.vendor) {
                let message = format!(
                    "rule `{}` opens cases at vendor `{}`, which this daemon was not started with",
                    rule.name, case.vendor
                );
                let hint = "vendors come with a restart only: restart the daemon";
                return Err(Box::new(Diagnostic::about_file(&self.path, message).hint(hint)));
            }
        }
        Ok(())
    }

    /// The lane and client by which a vendor is reached from now on. A vendor that takes a restart
    /// goes on as it is, with the new playbook.
    fn lane(
        &self,
        lane: &Lane,
        client: &parts::Client,
        config: &Config,
        playbook: &Arc<Playbook>,
    ) -> anyhow::Result<(Lane, parts::Client)> {
        let simulation = self.simulations.get(&lane.name).cloned();
        let next = match config.vendor(&lane.name) {
            Some(vendor) => client
                .successor(vendor, simulation, self.env)?
                .map(|client| (client, parts::lane_settings(vendor))),
            None => None,
        };
        let (client, settings) = next.unwrap_or((client.clone(), lane.settings.clone()));
        Ok((lane.successor(Party::Vendor(client.vendor()), settings, playbook.clone()), client))
    }

    /// Swaps everything in. Cannot fail.
    async fn swap(&self, next: Next, running: &mut Running, report: String) -> Reloaded {
        let now = self.clock.now();
        self.metrics.know_sources(next.sources.keys());
        for (_, client) in &next.clients {
            client.take_over();
        }
        for (_, told) in &next.told {
            told.take_over();
        }
        // *Invariant:* lanes before the playbook of the intake. What is decided by new rules must
        // never be worked on by a lane that does not know them. And lanes before their gates are
        // lifted, or a probe could go out with the old credentials.
        self.lanes.put(next.lanes.clone());
        let mut resumed = Vec::new();
        for lane in next.lanes.iter().filter(|lane| lane.take_over(now)) {
            if let Err(error) = self.store.keep_gate(&lane.name, &lane.gate(), now).await {
                // After a restart it is probed at once all the same.
                warn!(%error, "the state of vendor {} could not be kept: {error}", lane.name);
            }
            resumed.push(lane.name.clone());
        }
        self.playbook.put(next.playbook.clone());
        self.sources.put(next.sources.clone());
        self.access.put(next.access);
        self.metrics.files_in_force(now, next.playbook.rules.openers());
        running.clients = next.clients;
        running.told = next.told;
        self.catalogs.audit().await;
        // Who asks may be offered something else.
        self.catalogs.refresh();
        if let Err(error) = self.store.review_held(now).await {
            // At the next start they are looked at all the same.
            warn!(%error, "held incidents were not looked at again: {error}");
        }
        if let Err(error) = self.store.unblock(now).await {
            // They are tried again by themselves, later.
            warn!(%error, "what waited for other rules was not tried at once: {error}");
        }
        self.wake.notify_one();
        let displaced = self.displaced(&next.playbook).await;
        Reloaded {
            rules: next.playbook.rules.rules().len(),
            sources: next.sources.len(),
            vendors: running.clients.len(),
            restart: next.restart,
            resumed,
            displaced,
            report,
        }
    }

    /// The incidents that the new rules lead their alerts to no longer. That they cannot be listed
    /// is no reason not to use the rules.
    async fn displaced(&self, playbook: &Playbook) -> Vec<Displaced> {
        let mut found = Vec::new();
        for state in State::GOING_ON {
            let sought = Sought { state: Some(state), ..Sought::default() };
            match self.store.seek(&sought, LOOKED_AT).await {
                Ok(some) => {
                    found.extend(some.items.iter().filter_map(|one| displaced(playbook, one)))
                }
                Err(error) => warn!(%error, "incidents could not be compared: {error}"),
            }
        }
        found
    }

    fn tell(&self, who: &str, reloaded: &Reloaded) {
        let Reloaded { rules, sources, vendors, restart, resumed, displaced, report } = reloaded;
        info!(
            who,
            rules,
            sources,
            vendors,
            "{who} had the files read anew; in force: {rules} rules, {sources} sources, {vendors} vendors"
        );
        for vendor in resumed {
            info!(%vendor, "vendor {vendor}, which did not accept who we were, is probed again");
        }
        for displaced in displaced {
            warn!(incident = %displaced.incident, "{displaced}");
        }
        for change in restart {
            warn!("a restart is needed for a part of what the files say: {change}");
        }
        if !report.is_empty() {
            warn!("the files have warnings:\n{report}");
        }
    }
}

/// Who may come in: whoever has the token of this machine, and those of the config.
pub(super) fn may_come_in(local: Option<&SecretString>, config: &Config) -> access::Access {
    access::Access::new(Keys::new(local, &config.access.tokens), &config.access)
}

/// What the files say otherwise than at the start and what takes a restart, each in a sentence.
fn takes_restart(started: &Config, now: &Config) -> Vec<String> {
    let mut told = Vec::new();
    let mut compare = |key: &str, runs: String, says: String| {
        if runs != says {
            told.push(format!("`{key}` is now {says}, and {runs} stays in force"));
        }
    };
    let (runs, says) = (&started.server, &now.server);
    compare("server.listen", runs.listen.to_string(), says.listen.to_string());
    compare("server.admin_listen", runs.admin_listen.to_string(), says.admin_listen.to_string());
    compare(
        "server.max_connections",
        runs.max_connections.to_string(),
        says.max_connections.to_string(),
    );
    compare("server.header_timeout", span(runs.header_timeout), span(says.header_timeout));
    compare("server.body_timeout", span(runs.body_timeout), span(says.body_timeout));
    compare(
        "server.reload_on_change",
        runs.reload_on_change.to_string(),
        says.reload_on_change.to_string(),
    );
    let (runs, says) = (&started.store, &now.store);
    compare("store.sqlite", runs.sqlite.display().to_string(), says.sqlite.display().to_string());
    let (runs, says) = (&runs.retention, &says.retention);
    compare("store.retention.deliveries", span(runs.deliveries), span(says.deliveries));
    compare("store.retention.attempts", span(runs.attempts), span(says.attempts));
    compare("store.retention.incidents", span(runs.incidents), span(says.incidents));
    compare("store.retention.audit", span(runs.audit), span(says.audit));
    for vendor in &started.vendors {
        let name = &vendor.name;
        let Some(says) = now.vendor(name) else {
            told.push(format!("vendor `{name}` is gone, and stays in force as it was"));
            continue;
        };
        match (&vendor.kind, &says.kind) {
            (
                VendorKind::Sandbox { state, listen },
                VendorKind::Sandbox { state: other_state, listen: other_listen },
            ) => {
                if (state, listen) != (other_state, other_listen) {
                    told.push(format!(
                        "`state` or `listen` of vendor `{name}` is another now, and the simulation \
                         goes on as it was"
                    ));
                }
            }
            (VendorKind::Akamai { .. }, VendorKind::Akamai { .. })
            | (VendorKind::Http(_), VendorKind::Http(_)) => {}
            _ => told.push(format!(
                "vendor `{name}` is of another `kind` now, and stays in force as it was"
            )),
        }
    }
    for vendor in now.vendors.iter().filter(|vendor| started.vendor(&vendor.name).is_none()) {
        told.push(format!("vendor `{}` is new, and is not in force", vendor.name));
    }
    told
}

fn span(duration: std::time::Duration) -> String {
    crate::time::duration::format(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "sources: [{ name: am, kind: alertmanager, auth: { bearer: [t] } }]\n\
                        rules: [rules.yaml]\n";

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("casewright.yaml");
        std::fs::write(folder.path().join("rules.yaml"), "rules: []").unwrap();
        std::fs::write(&path, format!("{HEAD}{text}")).unwrap();
        let (config, wrong) = Config::load(&path, &|_| None);
        let mut config = config.unwrap_or_else(|| panic!("{}", wrong.render(false)));
        // Each has a folder of its own.
        let name = config.store.sqlite.file_name().unwrap().to_owned();
        config.store.sqlite = PathBuf::from(name);
        config
    }

    const PLAIN: &str = "store: { sqlite: a.db }\nvendors: [{ name: one, kind: sandbox }]\n";

    #[test]
    fn what_a_reload_can_change_takes_no_restart() {
        let before = config(PLAIN);
        let after = config(
            "store: { sqlite: a.db }\n\
             server: { admin_tokens: [{ name: ops, role: admin, token: 0123456789abcdef }] }\n\
             vendors: [{ name: one, kind: sandbox, timeout: 3s, rate: { per_second: 7 } }]\n",
        );
        assert_eq!(takes_restart(&before, &before), [""; 0]);
        assert_eq!(takes_restart(&before, &after), [""; 0]);
    }

    #[test]
    fn everything_that_takes_a_restart_is_told() {
        let after = config(
            "server: { listen: 127.0.0.1:1, admin_listen: 127.0.0.1:2, max_connections: 3, \
             header_timeout: 4s, body_timeout: 5s, reload_on_change: false }\n\
             store: { sqlite: b.db, retention: { deliveries: 31d, attempts: 92d, incidents: 1y, audit: 60d } }\n\
             vendors: [{ name: one, kind: sandbox, listen: 127.0.0.1:6 }, \
             { name: two, kind: sandbox }]\n",
        );
        assert_eq!(
            takes_restart(&config(PLAIN), &after),
            [
                "`server.listen` is now 127.0.0.1:1, and 127.0.0.1:8080 stays in force",
                "`server.admin_listen` is now 127.0.0.1:2, and 127.0.0.1:8081 stays in force",
                "`server.max_connections` is now 3, and 1024 stays in force",
                "`server.header_timeout` is now 4s, and 5s stays in force",
                "`server.body_timeout` is now 5s, and 15s stays in force",
                "`server.reload_on_change` is now false, and true stays in force",
                "`store.sqlite` is now b.db, and a.db stays in force",
                "`store.retention.deliveries` is now 31d, and 30d stays in force",
                "`store.retention.attempts` is now 92d, and 90d stays in force",
                "`store.retention.incidents` is now 1y, and 400d stays in force",
                "`store.retention.audit` is now 60d, and 1y stays in force",
                "`state` or `listen` of vendor `one` is another now, and the simulation goes on as it was",
                "vendor `two` is new, and is not in force",
            ]
        );
    }

    #[test]
    fn a_vendor_that_is_gone_or_of_another_kind_is_told() {
        let other = config(
            "store: { sqlite: a.db }\nvendors: [{ name: one, kind: akamai, edgerc: /nowhere }]\n",
        );
        assert_eq!(
            takes_restart(&config(PLAIN), &other),
            ["vendor `one` is of another `kind` now, and stays in force as it was"]
        );
        let gone = config("store: { sqlite: a.db }\nvendors: [{ name: two, kind: sandbox }]\n");
        assert_eq!(
            takes_restart(&config(PLAIN), &gone),
            [
                "vendor `one` is gone, and stays in force as it was",
                "vendor `two` is new, and is not in force",
            ]
        );
    }
}
