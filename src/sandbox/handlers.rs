//! The operations of the API, once the gateway has let a request through.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::attachments::{Fate, UploadStatus};
use super::cases::{Book, Case};
use super::counts::Committed;
use super::endpoint::{BASE, Endpoint};
use super::paging::Page;
use super::problem::Problem;
use super::query::Query;
use super::vendor::Vendor;
use super::{multipart, validate, wire};

/// What an operation needs to know of its request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) endpoint: &'a Endpoint,
    /// Path and query as sent.
    pub(super) target: &'a str,
    /// The query as sent, without the question mark.
    pub(super) query: &'a str,
    pub(super) is_json: bool,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
    /// Lists show cases only up to this time (a fault).
    pub(super) listed_until: Option<Timestamp>,
    /// How an upload that is accepted now will go.
    pub(super) upload: Fate,
}

/// What an answer holds.
#[derive(Debug)]
pub(super) enum Content {
    Json(Value),
    /// A file, as it was sent.
    File(Vec<u8>),
}

/// A success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    pub(super) body: Content,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, location: None, body: Content::Json(body) }
    }

    fn created(location: String, body: Value) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), body: Content::Json(body) }
    }
}

/// Does what the request asks for. Blocks while a change is written to the state file.
pub(super) fn perform(vendor: &Vendor, call: &Call<'_>) -> Result<Answer, Problem> {
    match call.endpoint {
        Endpoint::ListAccounts => {
            Query::parse(call.query, &[])?;
            Ok(Answer::ok(wire::accounts(&vendor.catalog())))
        }
        Endpoint::GetCategory(id) => get_category(vendor, call, id),
        Endpoint::CreateCase => create_case(vendor, call),
        Endpoint::ListCases => list_cases(vendor, call),
        Endpoint::GetCase(id) => {
            Query::parse(call.query, &[])?;
            let case = vendor.desk.read(|book| book.find(id).cloned())?;
            Ok(Answer::ok(wire::full_case(&case, call.now)))
        }
        Endpoint::UpdateCase(id) => {
            call.check_write()?;
            let (also_notify, alternate) = validate::contacts(call.body)?;
            let case = vendor.desk.set_contacts(id, also_notify, alternate, call.now)?;
            vendor.counts.committed(Committed::Update);
            Ok(Answer::ok(wire::full_case(&case, call.now)))
        }
        Endpoint::RequestClosure(id) => {
            call.check_write()?;
            let text = validate::closure(call.body)?;
            let comment = vendor.desk.request_closure(id, &text, call.now)?;
            vendor.counts.committed(Committed::Closure);
            Ok(Answer::created(wire::case_path(id), wire::new_comment(&comment, id)))
        }
        Endpoint::AddComment(id) => {
            call.check_write()?;
            let text = validate::comment(call.body)?;
            let comment = vendor.desk.add_comment(id, text, call.now)?;
            vendor.counts.committed(Committed::Comment);
            Ok(Answer::created(wire::case_path(id), wire::new_comment(&comment, id)))
        }
        Endpoint::ListComments(id) => list_comments(vendor, call, id),
        Endpoint::AddAttachment(id) => {
            Query::parse(call.query, &[])?;
            let file = multipart::file(call.content_type, call.body)?;
            let made = vendor.desk.add_attachment(id, &file, call.upload, call.now)?;
            vendor.counts.committed(Committed::Attachment);
            let body = Content::Json(wire::accepted(&made, id));
            Ok(Answer { status: StatusCode::ACCEPTED, location: None, body })
        }
        Endpoint::ListAttachments(id) => list_attachments(vendor, call, id),
        Endpoint::GetUpload(id, upload) => {
            Query::parse(call.query, &[])?;
            vendor.desk.read(|book| {
                let files = &book.find(id)?.attachments;
                let file = files.iter().find(|file| file.upload_id == *upload);
                let file = file.ok_or_else(|| Problem::not_found("there is no such upload"))?;
                Ok(Answer::ok(wire::upload(file, id, call.now)))
            })
        }
        Endpoint::GetAttachment(id, attachment) => {
            Query::parse(call.query, &[])?;
            vendor.desk.read(|book| {
                let files = &book.find(id)?.attachments;
                let content = files
                    .iter()
                    .filter(|file| file.status(call.now) == UploadStatus::Uploaded)
                    .find(|file| file.attachment_id == *attachment)
                    .and_then(|file| file.content())
                    .ok_or_else(|| Problem::not_found("there is no such attachment"))?;
                let body = Content::File(content);
                Ok(Answer { status: StatusCode::OK, location: None, body })
            })
        }
        Endpoint::WrongMethod(allow) => Err(Problem::method_not_allowed(allow)),
        Endpoint::Unknown => Err(Problem::not_found("there is no such resource")),
    }
}

impl Call<'_> {
    fn check_write(&self) -> Result<(), Problem> {
        Query::parse(self.query, &[])?;
        if self.body.is_empty() || self.is_json { Ok(()) } else { Err(Problem::not_json()) }
    }
}

fn get_category(vendor: &Vendor, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    let query = Query::parse(call.query, &["accountId"])?;
    let catalog = vendor.catalog();
    let account = match query.get("accountId") {
        None => catalog.accounts.first(),
        Some(account_id) if account_id.len() > 20 => {
            return Err(Problem::bad_request("accountId has more than 20 characters"));
        }
        Some(account_id) => catalog.account(account_id),
    };
    let account = account.ok_or_else(|| Problem::not_found("there is no such account"))?;
    let category = account.category(id).ok_or_else(|| {
        let account_id = &account.account_id;
        Problem::not_found(format!("category '{id}' is not available for account '{account_id}'"))
    })?;
    Ok(Answer::ok(wire::category(category, account)))
}

fn create_case(vendor: &Vendor, call: &Call<'_>) -> Result<Answer, Problem> {
    call.check_write()?;
    let filed = validate::new_case(call.body, &vendor.catalog())?;
    // A tracking number that was used before is no objection: the vendor has no idempotency.
    let case = vendor.desk.create(filed, call.now)?;
    vendor.counts.committed(Committed::Create);
    let id = &case.case_id;
    tracing::info!(
        case = id,
        "the sandbox made case {id} for account {}",
        case.filed.account.account_id
    );
    Ok(Answer::created(wire::case_path(id), wire::full_case(&case, call.now)))
}

/// Which cases a list is of.
struct Selection {
    closed: bool,
    accounts: Option<Vec<String>>,
    created_from: Option<Timestamp>,
    listed_until: Option<Timestamp>,
}

impl Selection {
    fn of(query: &Query, vendor: &Vendor, call: &Call<'_>) -> Result<Self, Problem> {
        // There is one user, so "my" cases are all cases.
        let closed = match query.get("type") {
            Some("MY_ACTIVE_CASES" | "ALL_ACTIVE_CASES") => false,
            Some("MY_CLOSED_CASES" | "ALL_CLOSED_CASES") => true,
            Some(other) => {
                return Err(Problem::bad_request(format!("unknown type of cases '{other}'")));
            }
            None => return Err(Problem::bad_request("query parameter 'type' is required")),
        };
        let accounts = query.get("accountIds").map(|ids| {
            // The documentation's example has a blank after the comma.
            ids.split(',').map(|id| id.trim().to_owned()).collect::<Vec<_>>()
        });
        let catalog = vendor.catalog();
        let stranger = accounts.iter().flatten().find(|id| catalog.account(id).is_none());
        if let Some(id) = stranger {
            return Err(Problem::bad_request(format!("'{id}' is not an account you can use")));
        }
        // A hundred years, so that the subtraction below cannot fail at any sensible date.
        let created_from = query.number("duration", 0, 36_500)?.and_then(|days| {
            call.now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok()
        });
        Ok(Self { closed, accounts, created_from, listed_until: call.listed_until })
    }

    fn has(&self, case: &Case) -> bool {
        case.is_closed() == self.closed
            && self.accounts.as_ref().is_none_or(|ids| ids.contains(&case.filed.account.account_id))
            && self.created_from.is_none_or(|from| case.created_date >= from)
            && self.listed_until.is_none_or(|until| case.created_date <= until)
    }
}

fn list_cases(vendor: &Vendor, call: &Call<'_>) -> Result<Answer, Problem> {
    const NAMES: [&str; 5] = ["type", "duration", "accountIds", "limit", "cursor"];
    let query = Query::parse(call.query, &NAMES)?;
    let selection = Selection::of(&query, vendor, call)?;
    let page = Page::of(&query, "cases")?;
    let (items, cursor) = vendor.desk.read(|book: &Book| {
        let wanted = book.newest_first().filter(|(_, case)| selection.has(case));
        page.take(wanted.map(|(number, case)| (number, wire::case_item(case))), "cases")
    });
    let next = cursor.map(|cursor| next_page(&format!("{BASE}/cases"), &query, &NAMES, &cursor));
    Ok(Answer::ok(wire::case_list(&items, call.target, next.as_deref())))
}

fn list_comments(vendor: &Vendor, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    const NAMES: [&str; 2] = ["limit", "cursor"];
    let query = Query::parse(call.query, &NAMES)?;
    // A cursor is good for this case only.
    let list = format!("comments/{id}");
    let page = Page::of(&query, &list)?;
    let (items, cursor) = vendor.desk.read(|book: &Book| -> Result<_, Problem> {
        let case = book.find(id)?;
        // Every file has made one comment, in the order of the files.
        let mut files = case.attachments.iter();
        let items = case.comments.iter().map(|comment| {
            let file = if comment.is_of_a_file() { files.next() } else { None };
            let through = file.filter(|file| file.status(call.now) == UploadStatus::Uploaded);
            wire::comment_item(comment, id, through)
        });
        let oldest_first: Vec<(u64, Value)> = (0..).zip(items).collect();
        Ok(page.take(oldest_first.into_iter().rev(), &list))
    })?;
    let path = format!("{}/comments", wire::case_path(id));
    let next = cursor.map(|cursor| next_page(&path, &query, &NAMES, &cursor));
    Ok(Answer::ok(wire::comment_list(&items, id, call.target, next.as_deref())))
}

/// Only files that are through have an id, so only they are listed. (Whether the real list shows
/// the others is not documented.)
fn list_attachments(vendor: &Vendor, call: &Call<'_>, id: &str) -> Result<Answer, Problem> {
    const NAMES: [&str; 2] = ["limit", "cursor"];
    let query = Query::parse(call.query, &NAMES)?;
    let list = format!("attachments/{id}");
    let page = Page::of(&query, &list)?;
    let (items, cursor) = vendor.desk.read(|book: &Book| -> Result<_, Problem> {
        let files = &book.find(id)?.attachments;
        let newest_first = (0..files.len() as u64)
            .rev()
            .zip(files.iter().rev())
            .filter(|(_, file)| file.status(call.now) == UploadStatus::Uploaded)
            .map(|(number, file)| (number, wire::attachment_item(file, id)));
        Ok(page.take(newest_first, &list))
    })?;
    let path = format!("{}/attachments", wire::case_path(id));
    let next = cursor.map(|cursor| next_page(&path, &query, &NAMES, &cursor));
    Ok(Answer::ok(wire::attachment_list(&items, id, call.target, next.as_deref())))
}

/// The same request with another cursor, relative to the host.
fn next_page(path: &str, query: &Query, names: &[&str], cursor: &str) -> String {
    let mut parameters = url::form_urlencoded::Serializer::new(String::new());
    for name in names {
        match query.get(name) {
            _ if *name == "cursor" => parameters.append_pair(name, cursor),
            Some(value) => parameters.append_pair(name, value),
            None => &mut parameters,
        };
    }
    format!("{path}?{}", parameters.finish())
}
