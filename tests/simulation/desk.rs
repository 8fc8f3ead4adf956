//! What the vendor does: a small model of Akamai Case Management, made for this simulation from the
//! vendor's documentation. It shares nothing with the client nor with the sandbox.
//!
//! It keeps its own books of what must never happen: a nonce that comes twice, a second request
//! for a case while the first may still come true, or before its records were read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ground::Ground;

/// A case on record.
#[derive(Debug, Clone)]
pub(crate) struct Filed {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) tracking: String,
    pub(crate) created: Timestamp,
    /// Lists show it from then on.
    listed_from: Timestamp,
    pub(crate) closed: bool,
    pub(crate) comments: Vec<(String, Timestamp)>,
    pub(crate) files: Vec<String>,
    /// Somebody else has made it, as a copy of ours.
    pub(crate) foreign: bool,
    also_notify: Value,
    alternate_contact: Value,
}

/// What is known of the requests for one case.
#[derive(Debug, Default)]
struct Wanted {
    /// Requests that were sent.
    sent: u32,
    /// Those that may still come true.
    outstanding: u32,
    /// Since when the client does not know what came of its last request.
    unknown_since: Option<Timestamp>,
    /// Which lists it has begun to read since.
    read: BTreeSet<&'static str>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Desk {
    ground: Arc<Ground>,
    name: &'static str,
    pub(crate) cases: Vec<Filed>,
    nonces: BTreeSet<String>,
    wanted: BTreeMap<String, Wanted>,
    uploads: u64,
    /// Requests may come true after the settle window: two may be outstanding.
    pub(crate) beyond: bool,
}

/// An answer: a status and a document, and perhaps where the new thing is.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    pub(crate) fn problem(status: u16, kind: &str, detail: &str) -> Self {
        let body = json!({
            "type": format!("/case-management/v3/error-types/{kind}"), "title": kind,
            "status": status, "detail": detail,
            "instance": "/case-management/v3/error-instances/7d0f6f1e",
        });
        Self { status, body }
    }

    /// What the gateway before the API says.
    pub(crate) fn gateway(status: u16, kind: &str, detail: &str, now: Timestamp) -> Self {
        let body = json!({
            "type": format!("https://problems.luna.akamaiapis.net/-/{kind}"), "title": "Bad request",
            "status": status, "detail": detail, "instance": "https://vendor.example/x",
            "requestId": "4dbb7f8", "requestTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        Self { status, body }
    }
}

/// A request, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) authorization: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The tracking number of a request for a new case.
    pub(crate) fn opens(&self) -> Option<String> {
        let opens = self.method == "POST" && self.path.ends_with("/v3/cases");
        let document: Value = serde_json::from_slice(&self.body).ok().filter(|_| opens)?;
        Some(document["customerTrackingNumber"].as_str()?.to_owned())
    }

    pub(crate) fn writes(&self) -> bool {
        self.method != "GET"
    }

    fn part<'a>(&'a self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.authorization.split_once(&format!("{name}="))?;
        rest.split(';').next()
    }
}

/// How long after an unknown outcome a second request is the earliest that may come, for a client
/// whose clock may jump meanwhile; see `progress::next_look`.
const SOONEST_REPEAT: SignedDuration = SignedDuration::from_secs(50);

impl Desk {
    pub(crate) fn new(ground: Arc<Ground>, name: &'static str, beyond: bool) -> Self {
        Self {
            ground,
            name,
            cases: Vec::new(),
            nonces: BTreeSet::new(),
            wanted: BTreeMap::new(),
            uploads: 0,
            beyond,
        }
    }

    /// A request for a case leaves the client.
    pub(crate) fn leaves(&mut self, marker: &str) {
        let now = self.ground.true_now();
        let ground = self.ground.clone();
        let wanted = self.wanted.entry(marker.to_owned()).or_default();
        if wanted.outstanding > 0 && !self.beyond {
            ground.violated(format!("a second request for {marker} while one is outstanding"));
        }
        if let Some(since) = wanted.unknown_since.take() {
            let lists: Vec<&str> = wanted.read.iter().copied().collect();
            if lists != ["active", "closed"] {
                ground.violated(format!(
                    "{marker} was asked for again, and of the records only {lists:?} were read"
                ));
            }
            if now.duration_since(since) < SOONEST_REPEAT {
                ground.violated(format!(
                    "{marker} was asked for again {:#} after its outcome was unknown",
                    now.duration_since(since)
                ));
            }
            ground.count("sent again after looks");
        }
        wanted.read.clear();
        wanted.outstanding += 1;
        wanted.sent += 1;
    }

    /// Whether a case was asked for only once.
    pub(crate) fn is_first(&self, marker: &str) -> bool {
        self.wanted.get(marker).is_none_or(|wanted| wanted.sent <= 1)
    }

    /// A request for a case cannot come true any more, or has.
    pub(crate) fn ends(&mut self, marker: &str) {
        let wanted = self.wanted.entry(marker.to_owned()).or_default();
        wanted.outstanding = wanted.outstanding.saturating_sub(1);
    }

    /// The client does not know what came of a request for a case.
    pub(crate) fn is_unknown(&mut self, marker: &str) {
        let now = self.ground.true_now();
        self.wanted.entry(marker.to_owned()).or_default().unknown_since = Some(now);
    }

    /// The client knows what came of it.
    pub(crate) fn is_known(&mut self, marker: &str) {
        self.wanted.entry(marker.to_owned()).or_default().unknown_since = None;
    }

    /// What the gateway says to a request, before anybody does anything.
    pub(crate) fn turned_away(&mut self, asked: &Asked) -> Option<Answer> {
        let now = self.ground.true_now();
        if let Some(nonce) = asked.part("nonce")
            && !self.nonces.insert(nonce.to_owned())
        {
            self.ground.violated(format!("nonce {nonce} was used twice"));
        }
        let stamp = asked.part("timestamp").and_then(|stamp| {
            jiff::fmt::strtime::parse("%Y%m%dT%H:%M:%S%z", stamp).ok()?.to_timestamp().ok()
        });
        let Some(stamp) = stamp else {
            self.ground.violated(format!("no time in {:?}", asked.authorization));
            return Some(Answer::gateway(400, "pep-authn/request-error", "Malformed", now));
        };
        if now.duration_since(stamp).abs() > SignedDuration::from_secs(30) {
            self.ground.count("signature's time refused");
            return Some(Answer::gateway(400, "pep-authn/request-error", "Invalid timestamp", now));
        }
        None
    }

    /// Does what is asked. `lag`: for how long lists do not show what is made now.
    pub(crate) fn does(&mut self, asked: &Asked, lag: SignedDuration) -> Answer {
        let path = asked.path.strip_prefix("/case-management/v3/").unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["accounts-with-categories"]) => Answer::ok(json!([{
                "accountId": "A-1", "accountName": "One",
                "categories": [{ "categoryId": "BILLING", "categoryName": "Billing" }],
            }])),
            ("GET", ["categories", "BILLING"]) => Answer::ok(json!({
                "categoryId": "BILLING", "products": [], "policyDomains": [], "parentAccounts": [],
                "areas": [{ "areaName": "Invoice", "serviceNames": ["Dispute"] }],
                "severities": ["1-Major", "2-Minor"],
            })),
            ("POST", ["cases"]) => self.file(&asked.body, lag),
            ("GET", ["cases"]) => self.list(asked),
            ("GET", ["cases", id]) => self.on_case(id, |case, _| Answer::ok(document(case))),
            ("PATCH", ["cases", id]) => {
                let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                self.on_case(id, |case, _| {
                    case.also_notify = body["alsoNotify"].clone();
                    case.alternate_contact = body["alternateContact"].clone();
                    Answer::ok(document(case))
                })
            }
            ("POST", ["cases", id, "comments"]) => self.comment(id, &asked.body, false),
            ("POST", ["cases", id, "request-case-closure"]) => self.comment(id, &asked.body, true),
            ("GET", ["cases", id, "comments"]) => {
                let base = format!("/case-management/v3/cases/{id}/comments");
                let from = cursor(asked);
                self.on_case(id, |case, _| {
                    let all = case.comments.iter().rev().map(|(text, at)| {
                        json!({ "commentId": "F-CC-1", "comment": text, "createdDate": at.to_string() })
                    });
                    Answer::ok(page("comments", all.collect(), from, &base, ""))
                })
            }
            ("POST", ["cases", id, "attachments"]) => {
                let text = String::from_utf8_lossy(&asked.body).into_owned();
                let name = text.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next());
                let Some(name) = name.map(str::to_owned) else {
                    return Answer::problem(400, "bad-request", "no file");
                };
                self.uploads += 1;
                let upload = format!("F-UP-{}", self.uploads);
                self.on_case(id, |case, _| {
                    case.files.push(name);
                    Answer { status: 202, body: json!({ "uploadId": upload }) }
                })
            }
            ("GET", ["cases", _, "attachments", "status", _]) => {
                Answer::ok(json!({ "uploadStatus": "UPLOADED", "attachmentId": "F-AT-1" }))
            }
            ("GET", ["cases", id, "attachments"]) => {
                let base = format!("/case-management/v3/cases/{id}/attachments");
                let from = cursor(asked);
                self.on_case(id, |case, _| {
                    let all = case.files.iter().rev().map(|name| json!({ "fileName": name }));
                    Answer::ok(page("attachments", all.collect(), from, &base, ""))
                })
            }
            _ => {
                self.ground.violated(format!("no such resource: {} {}", asked.method, asked.path));
                Answer::problem(404, "not-found", "there is no such resource")
            }
        }
    }

    fn file(&mut self, body: &[u8], lag: SignedDuration) -> Answer {
        let now = self.ground.true_now();
        let Ok(document_of) = serde_json::from_slice::<Value>(body) else {
            return Answer::problem(400, "bad-request", "not JSON");
        };
        let text = |name: &str| document_of[name].as_str().unwrap_or_default().to_owned();
        let case = Filed {
            id: format!("F-CS-{}{}", self.name.len(), 1000 + self.cases.len()),
            subject: text("subject"),
            tracking: text("customerTrackingNumber"),
            created: now,
            listed_from: now + lag,
            closed: false,
            comments: Vec::new(),
            files: Vec::new(),
            foreign: false,
            also_notify: document_of["alsoNotify"].clone(),
            alternate_contact: document_of["alternateContact"].clone(),
        };
        self.ground.say(&format!("{} files {} for {}", self.name, case.id, case.tracking));
        let answer = Answer { status: 201, body: document(&case) };
        self.cases.push(case);
        answer
    }

    fn list(&mut self, asked: &Asked) -> Answer {
        let now = self.ground.true_now();
        let kind = asked.query.get("type").map(String::as_str).unwrap_or_default();
        let closed = kind.ends_with("CLOSED_CASES");
        for wanted in self.wanted.values_mut().filter(|wanted| wanted.unknown_since.is_some()) {
            wanted.read.insert(if closed { "closed" } else { "active" });
        }
        let days: i64 = asked.query.get("duration").and_then(|days| days.parse().ok()).unwrap_or(0);
        let oldest = now - SignedDuration::from_hours(24 * days);
        let shown = self.cases.iter().rev().filter(|case| {
            case.closed == closed && case.listed_from <= now && case.created >= oldest
        });
        let all = shown.map(|case| {
            json!({
                "caseId": case.id, "subject": case.subject, "status": "CREATED",
                "createdDate": case.created.to_string(), "updatedDate": case.created.to_string(),
            })
        });
        let more = format!("&type={kind}&duration={days}");
        Answer::ok(page("cases", all.collect(), cursor(asked), "/case-management/v3/cases", &more))
    }

    fn comment(&mut self, id: &str, body: &[u8], closure: bool) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = body["comment"].as_str().unwrap_or_default().to_owned();
        self.on_case(id, |case, now| {
            let text = if closure { format!("Case Closure Request: {text}") } else { text };
            case.comments.push((text.clone(), now));
            Answer { status: 201, body: json!({ "commentId": "F-CC-1", "comment": text }) }
        })
    }

    fn on_case(&mut self, id: &str, act: impl FnOnce(&mut Filed, Timestamp) -> Answer) -> Answer {
        let now = self.ground.true_now();
        match self.cases.iter_mut().find(|case| case.id == id) {
            Some(case) => act(case, now),
            None => Answer::problem(404, "not-found", "there is no such case"),
        }
    }

    /// Whether there is no case with this tracking number, and none on its way.
    pub(crate) fn knows_nothing_of(&self, marker: &str) -> bool {
        self.cases.iter().all(|case| case.tracking != marker)
            && self.wanted.get(marker).is_none_or(|wanted| wanted.outstanding == 0)
    }

    /// Whether a comment or the name of a file holds this.
    pub(crate) fn has_text(&self, token: &str) -> bool {
        self.cases.iter().any(|case| {
            case.files.iter().any(|file| file.contains(token))
                || case.comments.iter().any(|(text, _)| text.contains(token))
        })
    }

    /// A person has made sure that there is no case: a second request is right.
    pub(crate) fn vouched_for(&mut self, marker: &str) {
        self.is_known(marker);
    }

    /// Somebody at the vendor files the newest case once more.
    pub(crate) fn copies_one(&mut self) {
        let Some(newest) = self.cases.last().filter(|case| !case.foreign) else { return };
        let id = format!("F-CS-{}{}", self.name.len(), 1000 + self.cases.len());
        let copy = Filed {
            id,
            created: self.ground.true_now(),
            foreign: true,
            comments: Vec::new(),
            files: Vec::new(),
            ..newest.clone()
        };
        self.ground.say(&format!("{} copies {} as {}", self.name, newest.id, copy.id));
        self.ground.count("a case is copied");
        self.cases.push(copy);
    }

    /// The vendor's people close a case.
    pub(crate) fn closes_one(&mut self, nth: usize) {
        let nth = nth % self.cases.len().max(1);
        if let Some(case) = self.cases.get_mut(nth).filter(|case| !case.closed) {
            case.closed = true;
            self.ground.say(&format!("{} closes {}", self.name, case.id));
            self.ground.count("vendor closes a case");
        }
    }
}

fn document(case: &Filed) -> Value {
    json!({
        "caseId": case.id, "subject": case.subject, "customerTrackingNumber": case.tracking,
        "status": if case.closed { "CLOSED" } else { "CREATED" },
        "createdDate": case.created.to_string(),
        "alsoNotify": case.also_notify, "alternateContact": case.alternate_contact,
        "permissions": {
            "requestClose": !case.closed, "addComments": true, "updateCase": !case.closed,
            "uploadAttachments": true,
        },
    })
}

fn cursor(asked: &Asked) -> usize {
    asked.query.get("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0)
}

/// Few to a page, so that looks have to read several.
const PER_PAGE: usize = 4;

fn page(name: &str, all: Vec<Value>, from: usize, base: &str, more: &str) -> Value {
    let to = (from + PER_PAGE).min(all.len());
    let mut links = vec![json!({ "rel": "self", "href": base })];
    if to < all.len() {
        links.push(json!({ "rel": "next", "href": format!("{base}?cursor={to}{more}") }));
    }
    let items: Vec<Value> = all.into_iter().skip(from).take(to.saturating_sub(from)).collect();
    json!({ name: items, "links": links })
}
