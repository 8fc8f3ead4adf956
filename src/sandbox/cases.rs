//! The records: cases, their comments and closure requests, and the rules of what may still be
//! done to a case.
//!
//! *Invariant*: cases are never removed, and the n-th case made has the n-th number. So an id
//! leads straight to its case, and the numbers give the order that lists are in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::attachments::{Attachment, Fate, PER_CASE, UploadStatus};
use super::multipart::FilePart;
use super::problem::Problem;
use super::snapshot::{StateError, StateFile};

/// The number in the id of the first case.
const FIRST_CASE: u64 = 1_000_001;

/// Comments are accepted this long after a case was closed.
const COMMENTS_AFTER_CLOSURE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What stands before the text of a closure request when it is stored as a comment.
const CLOSURE_PREFIX: &str = "Case Closure Request: ";

/// What stands before a file's name in the comment that its upload makes.
const UPLOAD_PREFIX: &str = "File Uploaded: ";

/// The type of that comment.
const OF_A_FILE: &str = "ATTACHMENT";

/// Who the API client's user is, as comments name it.
pub(super) const API_USER: &str = "sandbox-api-client";

/// An account, by the vendor's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Such as `A-CCT7890`.
    pub account_id: String,
    /// As people call it.
    pub account_name: String,
}

/// A category of cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Such as `TECHNICAL`.
    pub category_id: String,
    /// As people call it.
    pub category_name: String,
}

/// Somebody else to be told about a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// At most 255 characters, as all but the phone number (40).
    pub name: Option<String>,
    /// The company the contact works for.
    pub company: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A phone number.
    pub phone: Option<String>,
}

/// What the customer wrote when the case was made; only the contacts can change later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filed {
    /// One line, at most 255 UTF-16 units.
    pub subject: String,
    /// At most 32000 UTF-16 units.
    pub description: String,
    /// For which account.
    pub account: Account,
    /// In which category.
    pub category: Category,
    /// A value of the product's or category's scale.
    pub severity: String,
    /// The customer's own key. The vendor stores it, and does nothing about duplicates.
    pub customer_tracking_number: Option<String>,
    /// A reseller's own key.
    pub partner_ticket_number: Option<String>,
    /// For `TECHNICAL`, `MANAGED_CLOUD` and `SECURITY`.
    pub product_name: Option<String>,
    /// One of the product's problems.
    pub problem_name: Option<String>,
    /// For `BUSINESS_SUPPORT` and `BILLING`.
    pub area_name: Option<String>,
    /// One of the area's services.
    pub service_name: Option<String>,
    /// For `PROFESSIONAL_SERVICES`.
    pub product_solution_name: Option<String>,
    /// For `PROFESSIONAL_SERVICES`.
    pub ps_package_name: Option<String>,
    /// For `SECURITY`.
    pub policy_domain_name: Option<String>,
    /// The other side of an indirect contract.
    pub parent_account: Option<Account>,
    /// Addresses that get notifications.
    pub also_notify: Vec<String>,
    /// Somebody to ask besides the API client's user.
    pub alternate_contact: Contact,
}

/// A comment on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Such as `F-CC-0000001`.
    pub comment_id: String,
    /// The text.
    pub comment: String,
    /// `WEB_UPDATE` for all that come through the API, `ATTACHMENT` for those that uploads make.
    pub comment_type: String,
    /// Who wrote it.
    pub created_by: String,
    /// When it was stored.
    pub created_date: Timestamp,
}

impl Comment {
    /// Whether an upload has made it.
    pub(super) fn is_of_a_file(&self) -> bool {
        self.comment_type == OF_A_FILE
    }
}

/// What somebody of the vendor's writes on a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffComment {
    /// The text; HTML where the vendor's editor was used.
    pub comment: String,
    /// Who writes it.
    #[serde(default = "StaffComment::support")]
    pub author: String,
    /// `WEB_UPDATE`, `EMAIL`, or what a test wants.
    #[serde(rename = "type", default = "StaffComment::web")]
    pub kind: String,
}

impl StaffComment {
    /// A comment of the support desk.
    pub fn of(text: &str) -> Self {
        Self { comment: text.to_owned(), author: Self::support(), kind: Self::web() }
    }

    fn support() -> String {
        "Support of the sandbox".to_owned()
    }

    fn web() -> String {
        "WEB_UPDATE".to_owned()
    }
}

/// That the customer has asked to close the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosureRequest {
    /// The comment that holds the request's text.
    pub comment_id: String,
    /// When it was asked.
    pub requested_date: Timestamp,
}

/// A case, with everything that the vendor knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Such as `F-CS-1000001`.
    pub case_id: String,
    /// `CREATED`, `ASSIGNED`, `IN_PROGRESS`, `MITIGATED/SOLVED`, `CLOSED`, or what a test has set.
    pub status: String,
    /// What the customer wrote.
    #[serde(flatten)]
    pub filed: Filed,
    /// When it was made.
    pub created_date: Timestamp,
    /// When anything about it changed last.
    pub modified_date: Timestamp,
    /// When it became `MITIGATED/SOLVED`.
    pub resolved_date: Option<Timestamp>,
    /// When it became `CLOSED`.
    pub closed_date: Option<Timestamp>,
    /// When it first left `CREATED`, or somebody of the vendor's first wrote on it.
    pub first_response_date: Option<Timestamp>,
    /// Whose turn it is, where the staff has said so; else the vendor's.
    #[serde(default)]
    pub next_action: Option<String>,
    /// Oldest first.
    pub comments: Vec<Comment>,
    /// Oldest first.
    pub closure_requests: Vec<ClosureRequest>,
    /// Oldest first, with those that are still uploaded or have failed.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

impl Case {
    /// Whether closed lists show it (and active ones do not).
    pub(super) fn is_closed(&self) -> bool {
        self.closed_date.is_some()
    }

    /// Until 14 days after closure.
    pub(super) fn takes_comments(&self, now: Timestamp) -> bool {
        self.closed_date.is_none_or(|closed| now.duration_since(closed) <= COMMENTS_AFTER_CLOSURE)
    }

    fn comment(&mut self, comment_id: String, text: String, now: Timestamp) -> Comment {
        self.comment_of("WEB_UPDATE", API_USER, comment_id, text, now)
    }

    fn comment_of(
        &mut self,
        kind: &str,
        author: &str,
        comment_id: String,
        text: String,
        now: Timestamp,
    ) -> Comment {
        let comment = Comment {
            comment_id,
            comment: text,
            comment_type: kind.to_owned(),
            created_by: author.to_owned(),
            created_date: now,
        };
        self.comments.push(comment.clone());
        self.modified_date = now;
        comment
    }

    fn set_status(&mut self, status: &str, now: Timestamp) {
        if status != "CREATED" {
            self.first_response_date.get_or_insert(now);
        }
        if status == "MITIGATED/SOLVED" {
            self.resolved_date.get_or_insert(now);
        }
        self.closed_date = (status == "CLOSED").then(|| self.closed_date.unwrap_or(now));
        status.clone_into(&mut self.status);
        self.modified_date = now;
    }
}

/// The records as they are kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Book {
    comments_made: u64,
    #[serde(default)]
    uploads_made: u64,
    cases: Vec<Case>,
}

impl Book {
    /// Whether the file that it was read from kept the invariant.
    pub(super) fn is_consistent(&self) -> bool {
        (FIRST_CASE..).zip(&self.cases).all(|(number, case)| case.case_id == case_id(number))
    }

    /// All cases with their numbers, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (u64, &Case)> {
        let newest = FIRST_CASE + self.cases.len() as u64;
        (FIRST_CASE..newest).rev().zip(self.cases.iter().rev())
    }

    pub(super) fn find(&self, case_id: &str) -> Result<&Case, Problem> {
        index_of(case_id)
            .and_then(|index| self.cases.get(index))
            .filter(|case| case.case_id == case_id)
            .ok_or_else(|| no_such_case(case_id))
    }

    fn find_mut(&mut self, case_id: &str) -> Result<&mut Case, Problem> {
        index_of(case_id)
            .and_then(|index| self.cases.get_mut(index))
            .filter(|case| case.case_id == case_id)
            .ok_or_else(|| no_such_case(case_id))
    }

    fn next_comment_id(&self) -> String {
        format!("F-CC-{:07}", self.comments_made + 1)
    }
}

fn case_id(number: u64) -> String {
    format!("F-CS-{number}")
}

fn index_of(case_id: &str) -> Option<usize> {
    let number: u64 = case_id.strip_prefix("F-CS-")?.parse().ok()?;
    usize::try_from(number.checked_sub(FIRST_CASE)?).ok()
}

fn no_such_case(case_id: &str) -> Problem {
    Problem::not_found(format!("there is no case '{case_id}'"))
}

/// The vendor's desk: the records, and the file in which they survive a restart.
#[derive(Debug)]
pub(super) struct Desk {
    book: Mutex<Book>,
    file: Option<StateFile>,
}

impl Desk {
    pub(super) fn open(file: Option<StateFile>) -> Result<Self, StateError> {
        let book = file.as_ref().map(StateFile::load).transpose()?.unwrap_or_default();
        Ok(Self { book: Mutex::new(book), file })
    }

    pub(super) fn all(&self) -> Vec<Case> {
        self.read(|book| book.cases.clone())
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.lock())
    }

    pub(super) fn create(&self, filed: Filed, now: Timestamp) -> Result<Case, Problem> {
        self.commit(|book| {
            let case = Case {
                case_id: case_id(FIRST_CASE + book.cases.len() as u64),
                status: "CREATED".to_owned(),
                filed,
                created_date: now,
                modified_date: now,
                resolved_date: None,
                closed_date: None,
                first_response_date: None,
                next_action: None,
                comments: Vec::new(),
                closure_requests: Vec::new(),
                attachments: Vec::new(),
            };
            book.cases.push(case.clone());
            Ok(case)
        })
    }

    /// Replaces both contact details: what was not sent is cleared. (The documentation says that
    /// the body replaces the details, and leaves open whether an absent key keeps its value.)
    pub(super) fn set_contacts(
        &self,
        case_id: &str,
        also_notify: Vec<String>,
        alternate_contact: Contact,
        now: Timestamp,
    ) -> Result<Case, Problem> {
        self.commit(|book| {
            let case = book.find_mut(case_id)?;
            if case.is_closed() {
                return Err(Problem::forbidden(format!("case '{case_id}' is closed")));
            }
            case.filed.also_notify = also_notify;
            case.filed.alternate_contact = alternate_contact;
            case.modified_date = now;
            Ok(case.clone())
        })
    }

    pub(super) fn add_comment(
        &self,
        case_id: &str,
        text: String,
        now: Timestamp,
    ) -> Result<Comment, Problem> {
        self.commit(|book| {
            let comment_id = book.next_comment_id();
            let case = book.find_mut(case_id)?;
            if !case.takes_comments(now) {
                return Err(Problem::forbidden(format!(
                    "case '{case_id}' was closed more than 14 days ago and takes no comments"
                )));
            }
            let comment = case.comment(comment_id, text, now);
            book.comments_made += 1;
            Ok(comment)
        })
    }

    /// Stores the request. The status stays as it is: closing is up to the vendor.
    pub(super) fn request_closure(
        &self,
        case_id: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Comment, Problem> {
        self.commit(|book| {
            let comment_id = book.next_comment_id();
            let case = book.find_mut(case_id)?;
            if case.is_closed() {
                // Which status the API answers is not documented.
                return Err(Problem::forbidden(format!("case '{case_id}' is closed already")));
            }
            let comment = case.comment(comment_id, format!("{CLOSURE_PREFIX}{text}"), now);
            case.closure_requests.push(ClosureRequest {
                comment_id: comment.comment_id.clone(),
                requested_date: now,
            });
            book.comments_made += 1;
            Ok(comment)
        })
    }

    /// Accepts a file. The comment is made at once; the real vendor may make it later.
    pub(super) fn add_attachment(
        &self,
        case_id: &str,
        file: &FilePart<'_>,
        fate: Fate,
        now: Timestamp,
    ) -> Result<Attachment, Problem> {
        self.commit(|book| {
            let comment_id = book.next_comment_id();
            let number = book.uploads_made + 1;
            let case = book.find_mut(case_id)?;
            // Which statuses the API answers in these two cases is not documented.
            if case.is_closed() {
                return Err(Problem::forbidden(format!("case '{case_id}' is closed")));
            }
            let files = &case.attachments;
            let kept = files.iter().filter(|file| file.status(now) != UploadStatus::Failed);
            if kept.count() >= PER_CASE {
                return Err(Problem::bad_request(format!(
                    "case '{case_id}' has {PER_CASE} attachments already"
                )));
            }
            let attachment = Attachment::new(number, file, fate, now);
            case.attachments.push(attachment.clone());
            let text = format!("{UPLOAD_PREFIX}{}", file.name);
            case.comment_of(OF_A_FILE, API_USER, comment_id, text, now);
            book.comments_made += 1;
            book.uploads_made = number;
            Ok(attachment)
        })
    }

    /// `None` if there is no such case.
    pub(super) fn set_status(
        &self,
        case_id: &str,
        status: &str,
        now: Timestamp,
    ) -> Result<Option<Case>, Problem> {
        self.commit(|book| {
            let Ok(case) = book.find_mut(case_id) else { return Ok(None) };
            case.set_status(status, now);
            Ok(Some(case.clone()))
        })
    }

    /// Says whose turn it is. `None` if there is no such case.
    pub(super) fn set_next_action(
        &self,
        case_id: &str,
        next_action: &str,
        now: Timestamp,
    ) -> Result<Option<Case>, Problem> {
        self.commit(|book| {
            let Ok(case) = book.find_mut(case_id) else { return Ok(None) };
            case.next_action = Some(next_action.to_owned());
            case.modified_date = now;
            Ok(Some(case.clone()))
        })
    }

    /// Comments as the vendor's staff. `None` if there is no such case.
    pub(super) fn staff_comment(
        &self,
        case_id: &str,
        remark: &StaffComment,
        now: Timestamp,
    ) -> Result<Option<Case>, Problem> {
        self.commit(|book| {
            let comment_id = book.next_comment_id();
            let Ok(case) = book.find_mut(case_id) else { return Ok(None) };
            let StaffComment { comment, author, kind } = remark;
            case.comment_of(kind, author, comment_id, comment.clone(), now);
            case.first_response_date.get_or_insert(now);
            let case = case.clone();
            book.comments_made += 1;
            Ok(Some(case))
        })
    }

    /// Changes the records, and has the change on disk before anybody hears of it.
    ///
    /// If the disk fails, the change stays in memory and the answer is a 500: for the client this
    /// is what it is at the real vendor, an outcome that it cannot know.
    fn commit<T>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut book = self.lock();
        let changed = change(&mut book)?;
        if let Some(file) = &self.file
            && let Err(error) = file.save(&book)
        {
            tracing::error!(%error, "the sandbox could not save its state: {error}");
            return Err(Problem::internal("the change could not be saved"));
        }
        Ok(changed)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
