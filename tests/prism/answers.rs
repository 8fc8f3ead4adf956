//! Whatever the document allows as an answer, and some of what it does not, is handled: without a
//! panic, and with an outcome that the answers bear out.
//!
//! A world follows from its number: which answers Prism invents, and what is done to them. Nothing
//! that is done takes a documented type away; what the client makes of wrong types is another test.

use std::collections::BTreeMap;
use std::sync::Arc;

use casewright::vendors::{Look, Obstacle, Operation, Outcome, Probe, Watched};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::akamai::{CASE, Eager, Exchange, Said, Step, client, everything, marker, start};
use crate::mock::{Alter, Prism, address, complaint, own};

/// How many worlds there are, unless `CASEWRIGHT_PRISM_WORLDS` says otherwise. One has some forty
/// answers.
const WORLDS: u64 = 60;

/// Fields whose documented values are a list that may grow.
const ENUMERATIONS: [&str; 5] =
    ["categoryId", "status", "nextAction", "commentType", "uploadStatus"];

/// Invents answers.
#[derive(Debug, Clone, Copy)]
struct World {
    number: u64,
    nulls: bool,
    absent: bool,
    new_words: bool,
    new_fields: bool,
}

impl World {
    fn of(number: u64) -> Self {
        let kind = number % 6;
        let all = kind == 5;
        Self {
            number,
            nulls: all || kind == 1,
            absent: all || kind == 2,
            new_words: all || kind == 3,
            new_fields: all || kind == 4,
        }
    }

    /// Puts in what invented text never has by chance: our markers, usable numbers, more pages.
    fn lead_on(self, rng: &mut StdRng, operation: &str, sent: &[u8], answer: &mut Value) {
        if rng.random_bool(0.8) {
            own(operation, sent, answer);
        }
        if rng.random_bool(0.7) && answer.get("caseId").is_some() {
            answer["caseId"] = json!(CASE);
        }
        if rng.random_bool(0.8) && answer.get("uploadId").is_some() {
            answer["uploadId"] = json!("F-AUS-0000001");
        }
        for name in ["addComments", "requestClose", "updateCase", "uploadAttachments"] {
            if rng.random_bool(0.7) && answer.get("permissions").is_some() {
                answer["permissions"][name] = json!(true);
            }
        }
        let token = marker(0).token();
        for (list, field, text) in [
            ("cases", "subject", format!("x {token}")),
            ("comments", "comment", format!("<p>{}</p>", marker(0).action_token(2))),
            ("comments", "comment", marker(0).action_token(3)),
            ("attachments", "fileName", "description-cw-000000000000-4.txt".to_owned()),
        ] {
            for item in answer.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if rng.random_bool(0.15) {
                    item[field] = json!(text);
                    if list == "cases" && rng.random_bool(0.9) {
                        item["caseId"] = json!(format!("F-CS-{}", rng.random_range(1..4)));
                    }
                }
            }
        }
        let is_list = ["cases", "comments", "attachments"].iter().any(|l| answer.get(l).is_some());
        if is_list
            && rng.random_bool(0.3)
            && let Some(links) = answer.get_mut("links").and_then(Value::as_array_mut)
        {
            let cursor: u32 = rng.random();
            let path = "/case-management/v3/cases";
            links.push(match operation {
                "GET /cases" => {
                    let query = format!("type=MY_ACTIVE_CASES&cursor={cursor}");
                    json!({ "rel": "next", "href": format!("{path}?{query}") })
                }
                other => {
                    let list = other.rsplit('/').next().unwrap_or_default();
                    let href = format!("{path}/{CASE}/{list}?cursor={cursor}");
                    json!({ "rel": "next", "href": href })
                }
            });
        }
    }

    fn spoil(self, rng: &mut StdRng, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.spoil(rng, item)),
            Value::Object(object) => {
                if self.absent {
                    object.retain(|_, _| !rng.random_bool(0.1));
                }
                for (name, inner) in object.iter_mut() {
                    if self.new_words && ENUMERATIONS.contains(&name.as_str()) {
                        *inner = json!(["BRAND_NEW", ""][rng.random_range(0..2)]);
                    }
                    if self.nulls && rng.random_bool(0.1) {
                        *inner = Value::Null;
                    }
                    self.spoil(rng, inner);
                }
                if self.new_fields {
                    object.insert("brandNew".to_owned(), json!([{ "a": [1, null] }]));
                }
            }
            _ => {}
        }
    }
}

impl Alter for World {
    fn seed(&self, number: usize) -> Option<u64> {
        // From 1: an empty seed is none.
        Some(self.number * 10_000 + number as u64 + 1)
    }

    fn alter(&self, number: usize, operation: &str, sent: &[u8], answer: &mut Value) {
        let mut rng = StdRng::seed_from_u64(self.number << 32 | number as u64);
        self.lead_on(&mut rng, operation, sent, answer);
        self.spoil(&mut rng, answer);
    }
}

fn worlds() -> u64 {
    std::env::var("CASEWRIGHT_PRISM_WORLDS")
        .map_or(WORLDS, |text| text.parse().expect("CASEWRIGHT_PRISM_WORLDS is a number"))
}

#[tokio::test]
async fn every_answer_is_handled() {
    let Some(address) = address() else { return };
    let mut answers = 0;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for number in 0..worlds() {
        let world = World::of(number);
        let prism = Arc::new(Prism::new(address.clone(), world));
        let client = Arc::new(client("https://akab.example", Eager::at(start()), prism.clone()));
        for step in everything() {
            // On a task of its own, so that a panic is known by its world.
            let (asked, client) = (step.clone(), client.clone());
            let said = tokio::spawn(async move { asked.take(&client).await }).await;
            let log = prism.log();
            answers += log.len();
            let verdict = match &said {
                Ok(said) => {
                    *seen.entry(named(&step, said)).or_default() += 1;
                    judge(world, &step, said, &log)
                }
                Err(panic) => Err(panic.to_string()),
            };
            let complaints = log.iter().filter_map(complaint);
            for why in complaints.chain(verdict.err()) {
                wrong
                    .push(format!("world {number}, {step:?}: {why}\n  {said:?}\n  {}", told(&log)));
            }
        }
    }
    for (what, times) in &seen {
        println!("{times:>5} times {what}");
    }
    println!("{answers} answers of {} worlds were handled", worlds());
    assert!(
        wrong.is_empty(),
        "{} of {answers}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    if worlds() >= WORLDS {
        let all: Vec<&str> = seen.keys().map(String::as_str).collect();
        let never: Vec<&&str> = EXPECTED.iter().filter(|what| !all.contains(what)).collect();
        assert!(never.is_empty(), "this never came of it: {never:?}");
    }
}

/// What must come of it in some world, or else the worlds have become too poor.
const EXPECTED: [&str; 23] = [
    "send open: done",
    "send open: unknown",
    "send comment: done",
    "send comment: refused",
    "send close: done",
    "send close: refused",
    "send attach: done",
    "send attach: not_sent",
    "send attach: unknown",
    "send attach: refused",
    "send contacts: done",
    "send contacts: refused",
    "look for open: found",
    "look for open: absent",
    "look for open: several",
    "look for open: failed",
    "look for comment: found",
    "look for comment: absent",
    "look for comment: failed",
    "look for attach: found",
    "look for attach: absent",
    "look for contacts: found",
    "look for contacts: absent",
];

fn told(log: &[Exchange]) -> String {
    let line = |exchange: &Exchange| {
        let Exchange { operation, query, answer, .. } = exchange;
        format!(
            "{operation} {query:?} {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )
    };
    log.iter().map(line).collect::<Vec<_>>().join("\n  ")
}

fn named(step: &Step, said: &Said) -> String {
    let operation = |operation: &Operation| match operation {
        Operation::Open(_) => "open",
        Operation::Comment { .. } => "comment",
        Operation::Close { .. } => "close",
        Operation::Attach { .. } => "attach",
        Operation::Contacts { .. } => "contacts",
    };
    let what = match step {
        Step::Accounts => "accounts".to_owned(),
        Step::Probe => "probe".to_owned(),
        Step::Catalog(_) => "catalog".to_owned(),
        Step::Send(sent) => format!("send {}", operation(sent)),
        Step::Look(sought) => format!("look for {}", operation(sought)),
        Step::Watch(_) => "watch".to_owned(),
    };
    let how = match said {
        Said::Accounts(read) => {
            if read.is_ok() {
                "read"
            } else {
                "not read"
            }
        }
        Said::Catalog(read) => {
            if read.is_ok() {
                "read"
            } else {
                "not read"
            }
        }
        Said::Probe(probe) => probe.name(),
        Said::Outcome(outcome) => outcome.name(),
        Said::Look(Look::Found { .. }) => "found",
        Said::Look(Look::Absent(_)) => "absent",
        Said::Look(Look::Several { .. }) => "several",
        Said::Look(Look::Failed { .. }) => "failed",
        Said::Watched(Watched { trouble: Some(_), .. }) => "failed",
        Said::Watched(Watched { read, .. }) if !read.is_empty() => "read",
        Said::Watched(_) => "not read",
    };
    format!("{what}: {how}")
}

/// Whether the answers bear out what the client says.
fn judge(world: World, step: &Step, said: &Said, log: &[Exchange]) -> Result<(), String> {
    let sure = |true_: bool, why: &str| if true_ { Ok(()) } else { Err(why.to_owned()) };
    match (step, said) {
        (Step::Accounts, Said::Accounts(read)) => sure(read.is_ok(), "the accounts are unreadable"),
        (Step::Catalog(_), Said::Catalog(read)) => sure(read.is_ok(), "the catalog is unreadable"),
        (Step::Probe, Said::Probe(probe)) => sure(*probe == Probe::Up, "it is up"),
        (Step::Send(operation), Said::Outcome(outcome)) => sent(operation, outcome, log),
        (Step::Look(operation), Said::Look(look)) => looked(world, operation, look, log),
        (Step::Watch(_), Said::Watched(watched)) => sure(
            // Whatever is listed: the case is missing from it, or has another date, so it is read.
            watched.trouble.is_some() || watched.read.len() + watched.unreadable.len() == 1,
            "the case was not read",
        ),
        _ => Err("it answered another question".to_owned()),
    }
}

fn sent(operation: &Operation, outcome: &Outcome, log: &[Exchange]) -> Result<(), String> {
    let writes: Vec<&Exchange> = log.iter().filter(|exchange| exchange.is_write()).collect();
    let write = match writes.as_slice() {
        [] => {
            // The read before it said that it is done, not allowed, or somebody else's case.
            return match (operation, outcome) {
                (_, Outcome::Refused(_)) => Ok(()),
                (Operation::Close { .. } | Operation::Contacts { .. }, Outcome::Done { .. }) => {
                    Ok(())
                }
                _ => Err("nothing was sent".to_owned()),
            };
        }
        [write] => write.json(),
        _ => return Err("it was sent more than once".to_owned()),
    };
    match (operation, outcome) {
        (Operation::Open(draft), Outcome::Done { case, .. }) => {
            // By the answer itself, or by the case that `Location` names and that was read.
            let by_number = write["caseId"] == case.as_str();
            let by_marker = log.iter().any(|read| {
                !read.is_write() && read.json()["customerTrackingNumber"] == draft.marker.as_str()
            });
            if by_number || by_marker { Ok(()) } else { Err("a case that nobody named".to_owned()) }
        }
        (Operation::Open(_), Outcome::Unknown(_)) => {
            let number = write["caseId"].as_str().unwrap_or_default();
            if number == CASE { Err("its number was told".to_owned()) } else { Ok(()) }
        }
        (Operation::Attach { .. }, outcome) => {
            let last = log.last().filter(|last| !last.is_write()).map(Exchange::json);
            let last = last.unwrap_or_default()["uploadStatus"].clone();
            match (last.as_str(), outcome) {
                (Some("UPLOADED"), Outcome::Done { case, .. }) if case.as_str() == CASE => Ok(()),
                (Some("FAILED"), Outcome::NotSent(_)) => Ok(()),
                (Some("UPLOADED" | "FAILED"), _) => Err("how it ended was told".to_owned()),
                (_, Outcome::Unknown(_)) => Ok(()),
                _ => Err("nobody said so".to_owned()),
            }
        }
        (_, Outcome::Done { case, .. }) if case.as_str() == CASE => Ok(()),
        _ => Err("it was confirmed".to_owned()),
    }
}

fn looked(
    world: World,
    operation: &Operation,
    look: &Look,
    log: &[Exchange],
) -> Result<(), String> {
    let ours = |exchange: &Exchange| {
        exchange.operation == "GET /cases/{caseId}"
            && exchange.json()["customerTrackingNumber"] == marker(0).as_str()
    };
    let own = log.iter().filter(|exchange| ours(exchange)).count();
    let lists: Vec<&Exchange> =
        log.iter().filter(|exchange| exchange.operation != "GET /cases/{caseId}").collect();
    let has_list = |exchange: &Exchange| {
        let names = ["cases", "comments", "attachments"];
        names.iter().any(|name| exchange.json()[*name].is_array())
    };
    let goes_on = |exchange: &Exchange| {
        let links = exchange.json()["links"].clone();
        links.as_array().into_iter().flatten().any(|link| {
            link["rel"] == "next" && link["href"].as_str().is_some_and(|href| !href.is_empty())
        })
    };
    match look {
        Look::Found { case, .. } => match operation {
            Operation::Open(_) if own != 1 => Err("no case of ours was read".to_owned()),
            Operation::Open(_) => Ok(()),
            _ if own == 1 && case.as_str() == CASE => Ok(()),
            _ => Err("it is not our case".to_owned()),
        },
        Look::Several { cases, .. } if cases.len() == own && own > 1 => Ok(()),
        Look::Several { .. } => Err("there are not several".to_owned()),
        Look::Absent(_) => {
            let ends = lists.iter().filter(|list| !goes_on(list)).count();
            let (all, wanted) = match operation {
                Operation::Open(_) => (2, 0),
                Operation::Contacts { .. } => (0, 1),
                _ => (1, 1),
            };
            if ends != all {
                Err(format!("{ends} lists were read to their end"))
            } else if !lists.iter().all(|list| has_list(list)) {
                Err("a page without a list is none".to_owned())
            } else if own != wanted {
                Err(format!("{own} cases were ours"))
            } else {
                Ok(())
            }
        }
        Look::Failed { obstacle: Obstacle::Denied, .. } => Err("nobody was denied".to_owned()),
        // A list that is not there must not pass for an empty one.
        Look::Failed { obstacle: Obstacle::Vendor, .. } if world.nulls || world.absent => {
            match lists.last() {
                Some(last) if !has_list(last) => Ok(()),
                _ => Err("all that was read is readable".to_owned()),
            }
        }
        Look::Failed { obstacle: Obstacle::Vendor, .. } => Err("the vendor is well".to_owned()),
        Look::Failed { obstacle: Obstacle::Record, .. } => match operation {
            Operation::Open(_) if lists.iter().any(|list| goes_on(list)) || own < log.len() => {
                Ok(())
            }
            Operation::Open(_) => Err("no record is odd".to_owned()),
            _ if own == 0 => Ok(()),
            _ => Err("it is our case".to_owned()),
        },
    }
}
