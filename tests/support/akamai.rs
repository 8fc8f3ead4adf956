//! Everything that the Akamai client can ask of the API, for tests that look at its requests and
//! spoil its answers rather than at what a vendor makes of them.

use std::sync::Arc;
use std::time::Duration;

use casewright::domain::catalog::{Catalog, Category};
use casewright::domain::draft::{Choices, Contact, Draft, fit_subject};
use casewright::domain::ids::{CaseId, IncidentId, Marker};
use casewright::domain::pace::{ListScope, Rate};
use casewright::rng::Rng;
use casewright::vendors::akamai::{Client, Credentials, Settings};
use casewright::vendors::transport::{Response, Transport};
use casewright::vendors::{
    CatalogError, Look, OfferedAccount, Operation, Outcome, Probe, Vendor as _, Watched,
    WatchedCase,
};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

pub(crate) use eager::Eager;

#[path = "eager.rs"]
mod eager;

/// Every path of the API starts with this.
pub(crate) const BASE: &str = "/case-management/v3";

/// The case that is commented on, closed and so on: the first one that a simulation makes.
pub(crate) const CASE: &str = "F-CS-1000001";

/// When every test begins.
pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// A client of `base` over `transport`, with a simulation's credentials.
pub(crate) fn client(base: &str, clock: Arc<Eager>, transport: Arc<dyn Transport>) -> Client {
    let known = casewright::sandbox::Credentials::demo();
    let credentials = Credentials::new(
        known.client_token.into(),
        known.client_secret.into(),
        known.access_token.into(),
    )
    .expect("good credentials");
    let settings = Settings::new(
        "akamai".into(),
        base.parse().expect("an address"),
        credentials,
        Duration::from_secs(20),
        ListScope::Mine,
        Rate { per_second: 1.0, burst: 100_000 },
    )
    .expect("good settings");
    Client::with_transport(settings, transport, clock, Arc::new(Rng::seeded(1)))
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Method and path form, such as `GET /cases/{caseId}`.
    pub(crate) operation: String,
    /// The query's names and values.
    pub(crate) query: Vec<(String, String)>,
    /// The body that was sent.
    pub(crate) sent: Vec<u8>,
    pub(crate) answer: Response,
}

impl Exchange {
    pub(crate) fn of(method: &http::Method, url: &Url, sent: Vec<u8>, answer: Response) -> Self {
        Self {
            operation: operation(method.as_str(), url.path()),
            query: url.query_pairs().into_owned().collect(),
            sent,
            answer,
        }
    }

    /// Whether it could have changed something.
    pub(crate) fn is_write(&self) -> bool {
        !self.operation.starts_with("GET ")
    }

    /// The answer as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.answer.body).unwrap_or_default()
    }
}

/// The operation as the vendor's document names it.
pub(crate) fn operation(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path.trim_start_matches(BASE).trim_matches('/').split('/').collect();
    let form = match segments.as_slice() {
        ["categories", _] => "categories/{categoryId}".to_owned(),
        ["cases", _, "attachments", "status", _] => {
            "cases/{caseId}/attachments/status/{uploadId}".to_owned()
        }
        ["cases", _, "attachments", _] => "cases/{caseId}/attachments/{attachmentId}".to_owned(),
        ["cases", _, rest @ ..] => [&["cases", "{caseId}"], rest].concat().join("/"),
        other => other.join("/"),
    };
    format!("{method} /{form}")
}

/// One thing that is asked of the client.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Accounts,
    Probe,
    Catalog(Category),
    Send(Operation),
    Look(Operation),
    Watch(Vec<WatchedCase>),
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Accounts(Result<Option<Vec<OfferedAccount>>, CatalogError>),
    Probe(Probe),
    Catalog(Result<Catalog, CatalogError>),
    Outcome(Outcome),
    Look(Look),
    Watched(Watched),
}

impl Step {
    pub(crate) async fn take(&self, client: &Client) -> Said {
        match self {
            Self::Accounts => Said::Accounts(client.accounts().await),
            Self::Probe => Said::Probe(client.probe().await),
            Self::Catalog(category) => {
                // Only this account has parents, and only the other one has all categories.
                let account = match category {
                    Category::Billing | Category::BusinessSupport => "A-CCT5678",
                    _ => "A-CCT7890",
                };
                Said::Catalog(client.catalog(&account.into(), *category).await)
            }
            Self::Send(operation) => Said::Outcome(client.send(operation).await),
            Self::Look(operation) => Said::Look(client.look(operation, start()).await),
            Self::Watch(known) => Said::Watched(client.watch(known, 20).await),
        }
    }
}

/// All of it, in an order in which a vendor with a memory does it all.
pub(crate) fn everything() -> Vec<Step> {
    let case = CaseId::new(CASE);
    let mut steps = vec![Step::Accounts, Step::Probe];
    steps.extend(Category::ALL.map(Step::Catalog));
    steps.push(Step::Look(Operation::Open(Box::new(drafts().remove(0)))));
    let opens: Vec<Operation> =
        drafts().into_iter().map(|draft| Operation::Open(Box::new(draft))).collect();
    steps.extend(opens.iter().cloned().map(Step::Send));
    steps.extend(opens.into_iter().take(1).map(Step::Look));
    let nobody = Operation::Contacts {
        case: case.clone(),
        marker: marker(0),
        also_notify: Vec::new(),
        alternate_contact: None,
    };
    for write in [comment(&case), attach(&case), contacts(&case), nobody, close(&case)] {
        steps.extend([Step::Look(write.clone()), Step::Send(write.clone()), Step::Look(write)]);
    }
    steps.push(Step::Watch(vec![watched(&case)]));
    steps
}

/// A case of which nothing is known yet.
fn watched(case: &CaseId) -> WatchedCase {
    WatchedCase {
        case: case.clone(),
        marker: marker(0),
        since: start(),
        version: None,
        status: None,
        last_comment: None,
    }
}

/// The marker of the n-th draft. The first is that of [`CASE`].
pub(crate) fn marker(number: usize) -> Marker {
    IncidentId::from_stored(format!("{number:012x}044580a1b2c3")).marker()
}

/// A draft of each category, of an indirect contract too, with everybody to be told.
pub(crate) fn drafts() -> Vec<Draft> {
    let text = |text: &str| Some(text.to_owned());
    let named = |product: &str, problem: &str| Choices {
        product: text(product),
        problem: text(problem),
        ..Choices::default()
    };
    let asked = |area: &str, service: &str, parent: Option<&str>| Choices {
        area: text(area),
        service: text(service),
        parent_account: parent.map(str::to_owned),
        ..Choices::default()
    };
    let direct = "A-CCT7890";
    let all = [
        (direct, Category::Technical, named("Ion Premier", "Configuring/Managing Services")),
        (direct, Category::ManagedCloud, named("Linode Compute", "Networking")),
        (
            direct,
            Category::Security,
            Choices {
                policy_domain: text("example_shop"),
                ..named("App & API Protector", "Security Event")
            },
        ),
        (direct, Category::BusinessSupport, asked("Contract", "Renewal", None)),
        ("A-CCT5678", Category::Billing, asked("Invoice", "Dispute", Some("A-CCT1111"))),
        (
            direct,
            Category::ProfessionalServices,
            Choices {
                solution: text("Web Performance"),
                package: text("Time and Materials"),
                ..Choices::default()
            },
        ),
    ];
    all.into_iter()
        .enumerate()
        .map(|(number, (account, category, choices))| Draft {
            subject: fit_subject("Edge 5xx: äß漢🔥", &marker(number)).text,
            marker: marker(number),
            account: account.into(),
            category,
            description: "5xx ratio\n\tabove 5 %".to_owned(),
            whole_description: None,
            files: Vec::new(),
            as_of: None,
            remarks: Vec::new(),
            severity: match category {
                Category::ManagedCloud => "1-Critical Impact",
                _ => "2-Moderate Impact",
            }
            .to_owned(),
            choices,
            // One without any, so that what is absent is seen too.
            also_notify: if number == 0 { Vec::new() } else { vec!["noc@example.com".to_owned()] },
            alternate_contact: (number != 0).then(person),
        })
        .collect()
}

fn person() -> Contact {
    Contact {
        name: Some("NOC".to_owned()),
        company: Some("Example".to_owned()),
        email: Some("noc@example.com".to_owned()),
        phone: Some("+1 555 0100".to_owned()),
    }
}

fn comment(case: &CaseId) -> Operation {
    let token = marker(0).action_token(2);
    let text = format!("Still so: äß漢🔥 {token}");
    Operation::Comment { case: case.clone(), marker: marker(0), token, text }
}

fn close(case: &CaseId) -> Operation {
    let token = marker(0).action_token(3);
    let text = format!("It is over. {token}");
    Operation::Close { case: case.clone(), marker: marker(0), token, text }
}

fn attach(case: &CaseId) -> Operation {
    let token = marker(0).action_token(4);
    let file_name = format!("description-{}.txt", token.trim_matches(['[', ']']));
    Operation::Attach {
        case: case.clone(),
        marker: marker(0),
        token,
        file_name,
        media_type: "text/plain; charset=utf-8".to_owned(),
        content: "--casewright-0000000000\r\n漢🔥".into(),
    }
}

fn contacts(case: &CaseId) -> Operation {
    Operation::Contacts {
        case: case.clone(),
        marker: marker(0),
        also_notify: vec!["noc@example.com".to_owned(), "b@example.com".to_owned()],
        alternate_contact: Some(person()),
    }
}
