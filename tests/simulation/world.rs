//! Everything that a seed consists of, and the way from the senders to the daemon that happens to
//! live.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use casewright::config::Config;
use casewright::domain::ids::{ActionId, DeliveryId};
use casewright::playbook::Playbook;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

use super::dice::Dice;
use super::ground::Ground;
use super::life::Life;
use super::store::{Kept, SimStore};
use super::wire::Site;

/// See the [module](self).
pub(crate) struct World {
    pub(crate) ground: Arc<Ground>,
    /// The vendors, in the order of the config.
    pub(crate) sites: Vec<Arc<Site>>,
    /// Config and rules.
    pub(crate) plan: Arc<Plan>,
    /// Where the store lives; see [`super::store`].
    pub(crate) runtime: Handle,
    /// Where each life has its folder.
    pub(crate) root: PathBuf,
    pub(crate) kept: Arc<Mutex<Kept>>,
    /// Actions that a person has had tried again; they come out of order.
    pub(crate) revived: Mutex<BTreeSet<ActionId>>,
    /// Whether a delivery may be delivered twice, the second time late.
    pub(crate) repeats: bool,
    running: Mutex<Option<Running>>,
    /// Deliveries for which a sender has heard a 2xx.
    acknowledged: Mutex<Vec<DeliveryId>>,
    /// Of which alerts a sender was heard to tell that they are over: property, place in its group,
    /// since when it fired.
    over: Mutex<BTreeSet<(String, usize, Timestamp)>>,
    trouble_is_over: tokio::sync::watch::Sender<bool>,
}

/// What every daemon is told by its files.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) playbook: Arc<Playbook>,
}

/// A daemon that lives.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) life: Arc<Life>,
    pub(crate) router: axum::Router,
    pub(crate) store: Arc<SimStore>,
}

/// How long a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl World {
    pub(crate) fn new(
        ground: Arc<Ground>,
        sites: Vec<Arc<Site>>,
        plan: Arc<Plan>,
        runtime: Handle,
        root: PathBuf,
        repeats: bool,
    ) -> Self {
        Self {
            ground,
            sites,
            plan,
            runtime,
            root,
            kept: Arc::default(),
            revived: Mutex::default(),
            repeats,
            running: Mutex::default(),
            acknowledged: Mutex::default(),
            over: Mutex::default(),
            trouble_is_over: tokio::sync::watch::Sender::new(false),
        }
    }

    pub(crate) fn running(&self) -> Option<Running> {
        self.running.lock().unwrap().clone()
    }

    pub(crate) fn set_running(&self, running: Option<Running>) {
        *self.running.lock().unwrap() = running;
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn end_trouble(&self) {
        self.ground.say("the trouble is over");
        self.trouble_is_over.send_replace(true);
    }

    pub(crate) fn is_healthy(&self) -> bool {
        *self.trouble_is_over.borrow()
    }

    /// Completes when nothing goes wrong any more.
    pub(crate) async fn healthy(&self) {
        let mut over = self.trouble_is_over.subscribe();
        // The sender lives in `self`.
        let _ = over.wait_for(|over| *over).await;
    }

    /// Deliveries for which a sender has heard a 2xx.
    pub(crate) fn acknowledged(&self) -> Vec<DeliveryId> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// A sender was heard to tell that an alert is over.
    pub(crate) fn told_over(&self, property: &str, place: usize, since: Timestamp) {
        self.over.lock().unwrap().insert((property.to_owned(), place, since));
    }

    /// Whether some sender was heard to tell that an alert is over.
    pub(crate) fn knows_over(&self, property: &str, place: usize, since: Timestamp) -> bool {
        self.over.lock().unwrap().contains(&(property.to_owned(), place, since))
    }

    /// One request of a sender, over a network that loses, delays and repeats. Whether the sender
    /// has heard that it was taken.
    pub(crate) async fn deliver(
        self: &Arc<Self>,
        source: &'static str,
        headers: HeaderMap,
        body: Vec<u8>,
        dice: &Dice,
    ) -> bool {
        let trouble = !self.is_healthy();
        tokio::time::sleep(dice.seconds(0.001, 0.2)).await;
        if trouble && dice.chance(0.05) {
            self.ground.count("webhook lost");
            tokio::time::sleep(PATIENCE).await;
            return false;
        }
        if trouble && self.repeats && dice.chance(0.1) {
            self.ground.count("webhook repeated late");
            let (world, headers, body) = (self.clone(), headers.clone(), body.clone());
            let wait = dice.seconds(0.0, 60.0);
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                world.post(source, headers, body).await;
            });
        }
        let heard = tokio::time::timeout(PATIENCE, self.post(source, headers, body));
        let heard = heard.await.unwrap_or_default();
        if trouble && dice.chance(0.05) {
            self.ground.count("answer to a webhook lost");
            return false;
        }
        let Some(delivery) = heard else { return false };
        self.acknowledged.lock().unwrap().push(delivery);
        true
    }

    /// The id of the delivery, if it was taken.
    async fn post(&self, source: &str, headers: HeaderMap, body: Vec<u8>) -> Option<DeliveryId> {
        let Some(running) = self.running() else {
            self.ground.count("nobody takes the webhook");
            return None;
        };
        let mut request = Request::post(format!("/webhooks/{source}"))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        request.headers_mut().extend(headers);
        let exchange = async {
            let answer = running.router.oneshot(request).await.expect("it cannot fail");
            let status = answer.status();
            let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
            (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
        };
        let (status, answer) = tokio::select! {
            biased;
            () = running.life.died() => return None,
            heard = exchange => heard,
        };
        match status {
            StatusCode::ACCEPTED => {
                let id = answer["delivery"].as_str().map(DeliveryId::new);
                if id.is_none() {
                    self.ground.violated(format!("a 202 without a delivery's id: {answer}"));
                }
                id
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                self.ground.count("webhook answered 503");
                None
            }
            _ => {
                self.ground.violated(format!("a good webhook was answered {status}: {answer}"));
                None
            }
        }
    }
}
