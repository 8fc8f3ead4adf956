//! The network to a vendor, with everything that can go wrong on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use casewright::vendors::transport::{Request, Response, Transport, TransportError};
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

use super::desk::{Answer, Asked, Desk};
use super::dice::Dice;
use super::ground::Ground;
use super::life::Life;

/// After this time a client gives a request up.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// What is wrong with a vendor just now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The share of requests that meet some fault.
    pub(crate) faults: f64,
    /// Nobody is there.
    pub(crate) down: bool,
    /// Nobody is let in.
    pub(crate) denies: bool,
    /// The longest time for which lists do not show a new case, in seconds.
    pub(crate) lag: f64,
}

/// A vendor, and the way to it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) ground: Arc<Ground>,
    pub(crate) desk: Mutex<Desk>,
    pub(crate) weather: Mutex<Weather>,
    pub(crate) dice: Dice,
    /// Whether the daemon's clock may be set while a request is on its way.
    pub(crate) clock_jumps: bool,
    /// The longest time after which the first request for a case still comes true, in seconds.
    pub(crate) latest: f64,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NotSent,
    RequestLost,
    AnswerLost,
    Late,
    ErrorBefore,
    ErrorAfter,
    Throttled,
    Refused,
    CutOff,
    Garbage,
    Slow,
}

impl Site {
    fn fault(&self, asked: &Asked) -> Fault {
        let weather = *self.weather.lock().unwrap();
        if weather.down {
            return if self.dice.chance(0.5) { Fault::NotSent } else { Fault::RequestLost };
        }
        let troubled = weather.lag > 0.0;
        if troubled && self.latest > 30.0 && asked.opens().is_some() && self.dice.chance(0.4) {
            return Fault::Late;
        }
        // Reads are many, and only have to be repeated.
        let share = if asked.writes() { weather.faults } else { weather.faults / 3.0 };
        if !self.dice.chance(share) {
            return Fault::None;
        }
        let all = [
            Fault::NotSent,
            Fault::RequestLost,
            Fault::AnswerLost,
            Fault::AnswerLost,
            Fault::Late,
            Fault::ErrorBefore,
            Fault::ErrorAfter,
            Fault::Throttled,
            Fault::CutOff,
            Fault::Garbage,
            Fault::Slow,
            Fault::Refused,
        ];
        let fault = all[self.dice.below(all.len())];
        // A definite refusal makes work for a person; it is rarer than the rest.
        if fault == Fault::Refused && (!asked.writes() || self.dice.chance(0.7)) {
            return Fault::None;
        }
        fault
    }

    fn lag(&self) -> SignedDuration {
        let longest = self.weather.lock().unwrap().lag;
        if longest == 0.0 || self.dice.chance(0.5) {
            return SignedDuration::ZERO;
        }
        SignedDuration::try_from(self.dice.seconds(0.0, longest)).expect("short")
    }

    /// What the gateway says, if it does not let a request through.
    fn turned_away(&self, asked: &Asked) -> Option<Answer> {
        let answer = self.desk.lock().unwrap().turned_away(asked);
        let denies = self.weather.lock().unwrap().denies;
        let now = self.ground.true_now();
        let denied = || Answer::gateway(401, "pep-authn/deny", "Inactive client token", now);
        answer.or_else(|| denies.then(denied))
    }

    fn does(&self, asked: &Asked) -> Answer {
        let lag = self.lag();
        self.desk.lock().unwrap().does(asked, lag)
    }

    /// A request on its way: it reaches the vendor, or not, whatever becomes of the client.
    async fn travel(self: Arc<Self>, asked: Asked, fault: Fault) -> Result<Answer, ()> {
        let now = || self.ground.true_now();
        let latency = self.dice.seconds(0.02, 0.4);
        if matches!(fault, Fault::NotSent | Fault::RequestLost) {
            return Err(());
        }
        tokio::time::sleep(latency).await;
        if let Some(answer) = self.turned_away(&asked) {
            return Ok(answer);
        }
        match fault {
            // Behind the gateway it takes its time, and comes true after the client has given up.
            Fault::Late => {
                let first =
                    asked.opens().is_some_and(|marker| self.desk.lock().unwrap().is_first(&marker));
                let latest = if first { self.latest } else { 24.0 };
                tokio::time::sleep(self.dice.seconds(1.0, latest)).await;
            }
            Fault::Slow => tokio::time::sleep(self.dice.seconds(1.0, 9.0)).await,
            _ => {}
        }
        Ok(match fault {
            Fault::ErrorBefore => Answer::problem(500, "internal-server-error", "it failed"),
            Fault::Throttled => {
                let mut answer = Answer::problem(429, "rate-limit", "too many requests");
                answer.body["retryAfter"] = 20.into();
                answer
            }
            Fault::Refused => Answer::problem(400, "bad-request", "the request is refused"),
            Fault::ErrorAfter => {
                self.does(&asked);
                Answer::problem(500, "internal-server-error", "it failed afterwards")
            }
            _ => {
                let answer = self.does(&asked);
                if fault == Fault::AnswerLost && asked.opens().is_some() && self.dice.chance(0.2) {
                    self.desk.lock().unwrap().copies_one();
                }
                self.ground.say(&format!(
                    "{} answers {} to {} {} at {}",
                    self.name,
                    answer.status,
                    asked.method,
                    asked.path,
                    now()
                ));
                answer
            }
        })
    }
}

/// A vendor's client's way to it, in one life of the daemon.
pub(crate) struct Line {
    pub(crate) site: Arc<Site>,
    pub(crate) life: Arc<Life>,
}

#[async_trait]
impl Transport for Line {
    async fn execute(&self, request: Request) -> Result<Response, TransportError> {
        let site = &self.site;
        let asked = asked(&request);
        let what = format!("{} {}", asked.method, asked.path);
        self.life.pass(&format!("before request: {what}")).await;
        let fault = site.fault(&asked);
        if fault != Fault::None {
            site.ground.say(&format!("{fault:?} strikes {what}"));
            let kind = if asked.writes() { "write" } else { "read" };
            site.ground.count(&format!("{fault:?} on a {kind}"));
        }
        if fault == Fault::NotSent {
            tokio::time::sleep(site.dice.seconds(0.0, 3.0)).await;
            self.life.pass("after request: not sent").await;
            return Err(TransportError::NotSent("no connection".to_owned()));
        }
        if site.clock_jumps && asked.writes() && site.dice.chance(0.05) {
            site.ground.count("clock jumps while a request is on its way");
            site.ground.set_ahead(SignedDuration::from_hours(2));
        }
        let marker = asked.opens();
        if let Some(marker) = &marker {
            let mut desk = site.desk.lock().unwrap();
            desk.leaves(marker);
            // Until an answer has been heard.
            desk.is_unknown(marker);
        }
        let travelling = site.clone();
        let ending = (site.clone(), marker.clone());
        let sent = asked.clone();
        let travel = tokio::spawn(async move {
            let answer = travelling.travel(sent, fault).await;
            if let (site, Some(marker)) = ending {
                site.desk.lock().unwrap().ends(&marker);
            }
            answer
        });
        let heard = tokio::time::timeout(TIMEOUT, async {
            match travel.await.expect("the vendor does not panic") {
                Ok(answer) if fault != Fault::AnswerLost => answer,
                // Nobody says anything any more.
                _ => std::future::pending().await,
            }
        });
        let heard = heard.await;
        self.life.pass(&format!("after request: {what}")).await;
        let unknown = || TransportError::Unknown("no answer".to_owned());
        let answer = heard.map_err(|_elapsed| unknown())?;
        // That something is refused is told by the status; what was made, by the body.
        let whole = !matches!(fault, Fault::CutOff | Fault::Garbage);
        let definite = answer.status < 500 && (whole || answer.status >= 400);
        if let (Some(marker), true) = (&marker, definite) {
            site.desk.lock().unwrap().is_known(marker);
        }
        Ok(self.response(answer, fault))
    }
}

impl Line {
    fn response(&self, answer: Answer, fault: Fault) -> Response {
        let mut headers = HeaderMap::new();
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.site.ground.true_now())
            .expect("a date");
        headers.insert("date", HeaderValue::from_str(&date).expect("text"));
        let mut body = answer.body.to_string().into_bytes();
        let mut complete = true;
        match fault {
            Fault::CutOff => {
                body.truncate(body.len() / 2);
                complete = false;
            }
            Fault::Garbage => body = b"<html>Service temporarily odd</html>".to_vec(),
            _ => {}
        }
        Response { status: answer.status, headers, body, complete }
    }
}

fn asked(request: &Request) -> Asked {
    let authorization = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    Asked {
        method: request.method.to_string(),
        path: request.url.path().to_owned(),
        query: request.url.query_pairs().into_owned().collect(),
        authorization: authorization.unwrap_or_default().to_owned(),
        body: request.body.clone(),
    }
}
