//! Leads the client to Prism.
//!
//! Prism has no memory: the case that it shows is one out of the document, with a tracking number
//! of its own. So that the client takes it for the incident's, the number is replaced.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use casewright::vendors::transport::{Http, Request, Response, Transport, TransportError};
use http::HeaderValue;
use serde_json::{Value, json};
use url::Url;

use crate::akamai::{BASE, Exchange, marker, operation};

/// Where Prism is; none, with a line that says so, where it was not started.
pub(crate) fn address() -> Option<Url> {
    let Ok(address) = std::env::var("CASEWRIGHT_PRISM") else {
        // Straight to the stream: what a test prints is not shown when it passes.
        let told = "SKIPPED: CASEWRIGHT_PRISM is not set; `.ci/run prism` starts Prism and sets it";
        writeln!(std::io::stderr(), "{told}").expect("a stream to write to");
        return None;
    };
    Some(address.parse().expect("CASEWRIGHT_PRISM is an address such as http://127.0.0.1:4010"))
}

/// What happens to an answer on its way to the client.
pub(crate) trait Alter: Send + Sync {
    /// The `seed` of the answer that Prism shall invent; none for the document's own example.
    fn seed(&self, number: usize) -> Option<u64>;
    /// Changes the answer to the `number`th request.
    fn alter(&self, number: usize, operation: &str, sent: &[u8], answer: &mut Value);
}

/// The document's own examples, with the incident's tracking number.
pub(crate) struct Examples;

impl Alter for Examples {
    fn seed(&self, _number: usize) -> Option<u64> {
        None
    }

    fn alter(&self, _number: usize, operation: &str, sent: &[u8], answer: &mut Value) {
        own(operation, sent, answer);
        // The document's example is closed, and then nobody asks for that.
        if operation == "GET /cases/{caseId}" {
            answer["status"] = json!("IN_PROGRESS");
        }
    }
}

/// Makes a case the one that is asked for, or the one that was sent.
pub(crate) fn own(operation: &str, sent: &[u8], answer: &mut Value) {
    let tracking = match operation {
        "GET /cases/{caseId}" => json!(marker(0).as_str()),
        "POST /cases" => {
            serde_json::from_slice::<Value>(sent).unwrap_or_default()["customerTrackingNumber"]
                .clone()
        }
        _ => return,
    };
    if let Some(case) = answer.as_object_mut() {
        case.insert("customerTrackingNumber".to_owned(), tracking);
    }
}

/// A way to Prism.
pub(crate) struct Prism<A> {
    http: Http,
    address: Url,
    alter: A,
    numbers: AtomicUsize,
    log: Mutex<Vec<Exchange>>,
}

impl<A: Alter> Prism<A> {
    pub(crate) fn new(address: Url, alter: A) -> Self {
        let http = Http::new(Duration::from_secs(20)).expect("a transport");
        Self { http, address, alter, numbers: AtomicUsize::new(0), log: Mutex::default() }
    }

    /// All exchanges since it was last asked for them; the answers are those that the client got.
    pub(crate) fn log(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.log.lock().expect("not poisoned"))
    }
}

#[async_trait]
impl<A: Alter> Transport for Prism<A> {
    async fn execute(&self, mut request: Request) -> Result<Response, TransportError> {
        // Prism serves the document's paths without the prefix of its server.
        let url = request.url.clone();
        let path = url.path().strip_prefix(BASE).expect("a path of the API");
        request.url = self.address.clone();
        request.url.set_path(path);
        request.url.set_query(url.query());
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        if let Some(seed) = self.alter.seed(number) {
            let prefer = format!("dynamic=true, seed={seed}");
            let prefer = HeaderValue::from_str(&prefer).expect("a header");
            request.headers.insert("prefer", prefer);
        }
        let (method, sent) = (request.method.clone(), request.body.clone());
        let mut answer = self.http.execute(request).await?;
        let operation = operation(method.as_str(), url.path());
        if let Ok(mut body) = serde_json::from_slice(&answer.body)
            && (200..300).contains(&answer.status)
        {
            self.alter.alter(number, &operation, &sent, &mut body);
            answer.body = body.to_string().into_bytes();
        }
        let exchange = Exchange::of(&method, &url, sent, answer.clone());
        self.log.lock().expect("not poisoned").push(exchange);
        Ok(answer)
    }
}

/// What Prism has against a request, or against its own answer to it.
pub(crate) fn complaint(exchange: &Exchange) -> Option<String> {
    let Exchange { operation, query, sent, answer } = exchange;
    let violations = answer.headers.get("sl-violations").and_then(|value| value.to_str().ok());
    if violations.is_none() && (200..300).contains(&answer.status) {
        return None;
    }
    Some(format!(
        "{operation} {query:?}\n  sent: {}\n  Prism answered {}: {} {}",
        String::from_utf8_lossy(sent),
        answer.status,
        violations.unwrap_or_default(),
        String::from_utf8_lossy(&answer.body)
    ))
}
