//! `docs/akamai.md` tells the truth about the client: what it says is sent is sent, and what it
//! says is read makes a difference when it is spoilt, and nothing else does. That the page leaves
//! nothing out is checked against the vendor's own document by `.ci/akamai_page.py`.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/akamai.rs"]
#[allow(dead_code, reason = "no test uses all of it")]
mod akamai;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akamai::{BASE, Eager, Exchange, Said, Step, client, everything, operation, start};
use async_trait::async_trait;
use casewright::sandbox::{Options, Sandbox};
use casewright::vendors::akamai::meaning::{By, MEANINGS, Meaning};
use casewright::vendors::transport::{Http, Request, Response, Transport, TransportError};
use http::HeaderMap;
use http::header::LOCATION;
use serde_json::{Value, json};
use url::Url;

const PAGE: &str = include_str!("../docs/akamai.md");

/// A cell of one of the page's tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    /// `parameter`, `sent`, `header` or `answered`.
    kind: String,
    operation: String,
    field: String,
    /// `always`, `where set`, `never`; or `read`, `unread`.
    word: String,
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

fn page() -> Vec<Told> {
    let mut told = Vec::new();
    let mut head: Vec<&str> = Vec::new();
    for line in PAGE.lines() {
        if !line.starts_with('|') {
            head.clear();
        } else if head.is_empty() {
            head = cells(line);
        } else if let (Some(kind), Some(field)) =
            (head.first(), cells(line).first().and_then(|cell| code(cell)))
        {
            for (column, cell) in head.iter().zip(cells(line)) {
                if let Some(operation) = code(column).filter(|_| !cell.is_empty()) {
                    told.push(Told {
                        kind: (*kind).to_owned(),
                        operation: operation.to_owned(),
                        field: field.to_owned(),
                        word: cell.to_owned(),
                    });
                }
            }
        }
    }
    told
}

/// The answers to each kind of request, in the order in which they came.
type Recorded = HashMap<(String, String), Vec<Response>>;

/// What is done to the answers of one operation.
#[derive(Debug, Clone, Default)]
struct Spoil {
    operation: String,
    /// A field that gets a value of a type that it never has.
    field: Option<String>,
    no_body: bool,
    no_location: bool,
}

/// Gives the answers that a simulation gave, spoilt.
struct Player {
    recorded: Recorded,
    given: Mutex<HashMap<(String, String), usize>>,
    spoil: Spoil,
    /// How many places were spoilt.
    spoilt: Mutex<usize>,
    log: Mutex<Vec<Exchange>>,
}

impl Player {
    fn new(recorded: Recorded, spoil: Spoil) -> Self {
        Self {
            recorded,
            given: Mutex::default(),
            spoil,
            spoilt: Mutex::default(),
            log: Mutex::default(),
        }
    }
}

fn not_found() -> Response {
    Response { status: 404, headers: HeaderMap::new(), body: b"{}".to_vec(), complete: true }
}

/// What tells requests apart: method, and path and query without the cursor.
fn key(method: &http::Method, url: &Url) -> (String, String) {
    let query: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| name != "cursor")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    (method.to_string(), format!("{}?{}", url.path(), query.join("&")))
}

#[async_trait]
impl Transport for Player {
    async fn execute(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, url, body, .. } = request;
        let key = key(&method, &url);
        // A spoilt answer may lead to questions that were not asked before.
        let Some(answers) = self.recorded.get(&key) else { return Ok(not_found()) };
        let is_next_page = url.query_pairs().any(|(name, _)| name == "cursor");
        let mut answer = {
            let mut given = self.given.lock().expect("not poisoned");
            let given = given.entry(key).or_default();
            // The second page is the first one again.
            *given += usize::from(!is_next_page);
            answers.get(*given - 1).or(answers.last()).expect("one at least").clone()
        };
        let operation = operation(method.as_str(), url.path());
        let mut json: Value = serde_json::from_slice(&answer.body).expect("JSON");
        fill(&mut json);
        // Two pages of everything that has pages.
        let is_list = json.pointer("/links").is_some() && operation.ends_with('s');
        if is_list && method == http::Method::GET && !is_next_page {
            let mut next = url.clone();
            next.query_pairs_mut().append_pair("cursor", "x");
            let href = format!("{}?{}", next.path(), next.query().unwrap_or_default());
            let links = json.pointer_mut("/links").and_then(Value::as_array_mut).expect("links");
            links.push(json!({ "rel": "next", "href": href }));
        }
        if operation == self.spoil.operation {
            if let Some(field) = &self.spoil.field {
                let segments: Vec<&str> = field.split('.').collect();
                *self.spoilt.lock().expect("not poisoned") += spoil(&mut json, &segments);
            }
            if self.spoil.no_location {
                answer.headers.remove(LOCATION);
            }
        }
        answer.body = if operation == self.spoil.operation && self.spoil.no_body {
            Vec::new()
        } else {
            json.to_string().into_bytes()
        };
        self.log.lock().expect("not poisoned").push(Exchange::of(
            &method,
            &url,
            body,
            answer.clone(),
        ));
        Ok(answer)
    }
}

/// Puts something that is neither text, list, number nor truth at a path such as
/// `links[].href`. In how many places.
fn spoil(value: &mut Value, path: &[&str]) -> usize {
    let Some((segment, rest)) = path.split_first() else {
        *value = json!({ "spoilt": true });
        return 1;
    };
    let name = segment.trim_end_matches("[]");
    let inner = match (name, rest) {
        ("", _) => Some(value),
        // Also where the simulation leaves it out.
        (name, []) if !segment.ends_with("[]") => {
            value.as_object_mut().map(|object| object.entry(name).or_insert(Value::Null))
        }
        (name, _) => value.get_mut(name),
    };
    let Some(inner) = inner else { return 0 };
    if segment.ends_with("[]") {
        inner.as_array_mut().into_iter().flatten().map(|each| spoil(each, rest)).sum()
    } else {
        spoil(inner, rest)
    }
}

/// Puts an empty item into every empty list of objects, so that there is one to spoil.
fn fill(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let of_objects = ["cases", "comments", "attachments", "links"];
                match inner.as_array_mut().filter(|items| items.is_empty()) {
                    Some(items) if of_objects.contains(&name.as_str()) => items.push(json!({})),
                    _ => fill(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(fill),
        _ => {}
    }
}

/// Passes on to the network and keeps the answers.
struct Recorder {
    http: Http,
    recorded: Mutex<Recorded>,
}

#[async_trait]
impl Transport for Recorder {
    async fn execute(&self, request: Request) -> Result<Response, TransportError> {
        let key = key(&request.method, &request.url);
        let answer = self.http.execute(request).await?;
        let mut recorded = self.recorded.lock().expect("not poisoned");
        recorded.entry(key).or_default().push(answer.clone());
        Ok(answer)
    }
}

/// The simulation's answers to everything that the client can ask.
async fn recorded() -> Recorded {
    let clock = Eager::at(start());
    let sandbox = Sandbox::start(Options::default(), clock.clone()).await.expect("starts");
    let http = Http::new(Duration::from_secs(20)).expect("a transport");
    let recorder = Arc::new(Recorder { http, recorded: Mutex::default() });
    let client = client(&sandbox.base_url(), clock, recorder.clone());
    for step in everything() {
        let said = step.take(&client).await;
        let well = match &said {
            Said::Accounts(read) => read.is_ok(),
            Said::Catalog(read) => read.is_ok(),
            Said::Probe(probe) => probe.name() == "up",
            Said::Outcome(outcome) => outcome.name() == "done",
            Said::Look(look) => !matches!(look, casewright::vendors::Look::Failed { .. }),
        };
        assert!(well, "{step:?}: {said:?}");
    }
    let recorded = recorder.recorded.lock().expect("not poisoned");
    recorded.clone()
}

/// What the client makes of the answers, and which operations each step asks for.
async fn play(player: &Arc<Player>, steps: &[Step]) -> Vec<(Said, BTreeSet<String>)> {
    let client = client("https://akab.example", Eager::at(start()), player.clone());
    let mut all = Vec::new();
    let mut seen = 0;
    for step in steps {
        let said = step.take(&client).await;
        let log = player.log.lock().expect("not poisoned");
        let asked = log.iter().skip(seen).map(|exchange| exchange.operation.clone()).collect();
        seen = log.len();
        all.push((said, asked));
    }
    all
}

/// The same, of those steps that ask for the operation whose answers are spoilt; and in how many
/// places they were.
async fn spoilt(recorded: &Recorded, spoil: Spoil, steps: &[Step]) -> (Vec<Said>, usize) {
    let player = Arc::new(Player::new(recorded.clone(), spoil));
    let said = play(&player, steps).await.into_iter().map(|(said, _)| said).collect();
    let places = *player.spoilt.lock().expect("not poisoned");
    (said, places)
}

/// The names of the fields of a JSON body, such as `alternateContact.name`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let inner_path =
                    if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(inner, &inner_path, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// What a request has, by the page's kinds.
fn parts(exchange: &Exchange) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let named = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    found.extend(exchange.query.iter().map(|(name, _)| named("parameter", name)));
    for segment in exchange.operation.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            found.insert(named("parameter", name));
        }
    }
    let mut names = BTreeSet::new();
    match serde_json::from_slice::<Value>(&exchange.sent) {
        Ok(body) => fields(&body, "", &mut names),
        Err(_) => {
            let text = String::from_utf8_lossy(&exchange.sent);
            let parts = text.split("form-data; name=\"").skip(1);
            names.extend(parts.filter_map(|part| part.split('"').next()).map(str::to_owned));
        }
    }
    found.extend(names.iter().map(|name| named("sent", name)));
    found
}

#[tokio::test]
async fn what_the_page_says_is_sent_is_sent() {
    let player = Arc::new(Player::new(recorded().await, Spoil::default()));
    play(&player, &everything()).await;
    let log = player.log.lock().expect("not poisoned");
    let mut requests: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sent: BTreeMap<(&str, (String, String)), usize> = BTreeMap::new();
    for exchange in log.iter() {
        *requests.entry(&exchange.operation).or_default() += 1;
        for part in parts(exchange) {
            *sent.entry((&exchange.operation, part)).or_default() += 1;
        }
    }
    let page = page();
    let mut told = BTreeSet::new();
    for Told { kind, operation, field, word } in &page {
        if kind != "parameter" && kind != "sent" {
            continue;
        }
        let all = requests.get(operation.as_str()).copied().unwrap_or_default();
        let part = (operation.as_str(), (kind.clone(), field.clone()));
        let truth = match sent.get(&part).copied().unwrap_or_default() {
            0 => "never",
            some if some < all => "where set",
            _ => "always",
        };
        assert_eq!(word, truth, "{operation} {kind} {field}");
        told.insert(part);
    }
    assert!(told.len() > 40, "the page's tables were not found");
    let untold: Vec<_> = sent.keys().filter(|part| !told.contains(*part)).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

#[tokio::test]
async fn what_the_page_says_is_read_is_read_and_nothing_else() {
    let recorded = recorded().await;
    let player = Arc::new(Player::new(recorded.clone(), Spoil::default()));
    let whole = play(&player, &everything()).await;
    let mut unspoilt: HashMap<String, Vec<Said>> = HashMap::new();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for Told { kind, operation, field, word } in page() {
        let asks = |(_, (_, asked)): &(Step, (Said, BTreeSet<String>))| asked.contains(&operation);
        let steps: Vec<Step> = everything()
            .into_iter()
            .zip(whole.clone())
            .filter(asks)
            .map(|(step, _)| step)
            .collect();
        let (before, after) = match kind.as_str() {
            "answered" => {
                if !unspoilt.contains_key(&operation) {
                    let said = spoilt(&recorded, of(&operation), &steps).await.0;
                    unspoilt.insert(operation.clone(), said);
                }
                let spoil = Spoil { field: Some(field.clone()), ..of(&operation) };
                let (after, places) = spoilt(&recorded, spoil, &steps).await;
                assert!(places > 0, "nothing was spoilt: {operation} {field}");
                (unspoilt[&operation].clone(), after)
            }
            "header" => {
                assert_eq!(field, "Location");
                let spoil = Spoil { no_body: true, ..of(&operation) };
                let without = Spoil { no_location: true, ..spoil.clone() };
                let before = spoilt(&recorded, spoil, &steps).await.0;
                (before, spoilt(&recorded, without, &steps).await.0)
            }
            _ => continue,
        };
        let truth = if before == after { "unread" } else { "read" };
        if word != truth {
            wrong.push(format!("{operation} {kind} {field} is {truth}"));
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 200, "the page's tables were not found: {compared}");
}

fn of(operation: &str) -> Spoil {
    Spoil { operation: operation.to_owned(), ..Spoil::default() }
}

#[test]
fn every_operation_of_the_page_has_an_address() {
    for line in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let Some((method, form)) = code(cells(line)[0]).and_then(|name| name.split_once(' '))
        else {
            continue;
        };
        let path = format!("{BASE}{}", form.replace(['{', '}'], ""));
        assert_eq!(operation(method, &path), format!("{method} {form}"));
    }
}

#[test]
fn the_page_tells_what_every_refusal_means() {
    let told: Vec<&str> = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| By | Status |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let known: Vec<String> = MEANINGS
        .iter()
        .map(|Meaning { by, statuses: (from, to), says, means, remedy }| {
            let by = match by {
                By::Gateway => "gateway",
                By::Api => "API",
            };
            let status = if from == to { from.to_string() } else { format!("{from} to {to}") };
            let says = if says.is_empty() { "anything" } else { says };
            format!("| {by} | {status} | {says} | {means} | {remedy} |")
        })
        .collect();
    assert_eq!(told, known);
}
