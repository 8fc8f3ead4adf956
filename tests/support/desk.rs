//! What simulated desks have in common: a listener, credentials, faults, and a record of what was
//! asked. Each was written from its vendor's public documentation; they know nothing of the client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;

/// A request as a desk sees it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    /// Such as `POST /api/v2/tickets`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a desk does.
pub(crate) trait Desk: Send + 'static {
    /// Does what is asked.
    fn answer(&mut self, asked: &Asked) -> Answer;
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered so, and nothing is done.
    Instead(Answer),
    /// It is done, and answered so.
    After(Answer),
    /// It is done, and never answered.
    Silent,
}

/// A running desk.
pub(crate) struct Running<D> {
    pub(crate) base: String,
    state: Arc<Mutex<Inner<D>>>,
}

struct Inner<D> {
    desk: D,
    authorization: String,
    asked: Vec<Asked>,
    /// By the beginning of the line, so many times.
    faults: Vec<(String, Fault, usize)>,
}

impl<D: Desk> Running<D> {
    /// Starts a desk that knows whoever sends this `Authorization`.
    pub(crate) async fn start(desk: D, authorization: &str) -> Self {
        let state = Arc::new(Mutex::new(Inner {
            desk,
            authorization: authorization.to_owned(),
            asked: Vec::new(),
            faults: Vec::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(serve::<D>).with_state(state.clone());
        let limits = casewright::http::server::Limits::default();
        let stop = tokio_util::sync::CancellationToken::new();
        tokio::spawn(casewright::http::server::serve(listener, router, limits, stop));
        Self { base, state }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the desk, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut D) -> T) -> T {
        look(&mut self.inner().desk)
    }

    /// From now on it knows whoever sends this.
    pub(crate) fn knows(&self, authorization: &str) {
        authorization.clone_into(&mut self.inner().authorization);
    }

    /// The next so many requests whose line begins with `line` meet a fault.
    pub(crate) fn fault(&self, line: &str, fault: Fault, times: usize) {
        self.inner().faults.push((line.to_owned(), fault, times));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn no_faults(&self) {
        self.inner().faults.clear();
    }

    /// Everything that was asked for, by the beginning of the line.
    pub(crate) fn asked(&self, line: &str) -> Vec<Asked> {
        let asked = self.inner().asked.clone();
        asked.into_iter().filter(|one| one.line().starts_with(line)).collect()
    }
}

async fn serve<D: Desk>(
    State(state): State<Arc<Mutex<Inner<D>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let asked = Asked {
        method,
        path: uri.path().to_owned(),
        query: query.into_owned().collect(),
        headers,
        body: if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).expect("JSON")
        },
    };
    let answer = decide(&mut state.lock().unwrap_or_else(PoisonError::into_inner), &asked);
    let Some(answer) = answer else { return std::future::pending().await };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body.to_string())).expect("an answer")
}

fn decide<D: Desk>(inner: &mut Inner<D>, asked: &Asked) -> Option<Answer> {
    inner.asked.push(asked.clone());
    let known = asked.headers.get("authorization").and_then(|value| value.to_str().ok());
    if known != Some(&inner.authorization) {
        let said = format!("who is {}?", known.unwrap_or_default());
        return Some(Answer::of(401, serde_json::json!({ "error": said })));
    }
    let line = asked.line();
    let hit = inner.faults.iter_mut().find(|(begin, _, left)| *left > 0 && line.starts_with(begin));
    let fault = hit.map(|(_, fault, left)| {
        *left -= 1;
        fault.clone()
    });
    match fault {
        Some(Fault::Instead(answer)) => Some(answer),
        Some(Fault::After(answer)) => {
            inner.desk.answer(asked);
            Some(answer)
        }
        Some(Fault::Silent) => {
            inner.desk.answer(asked);
            None
        }
        None => Some(inner.desk.answer(asked)),
    }
}
