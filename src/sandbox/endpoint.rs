//! Which operation of the API a request asks for.

use http::Method;

use super::faults::On;

/// Every path of the API starts with this.
pub(super) const BASE: &str = "/case-management/v3";

/// An operation, with the ids in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    ListAccounts,
    GetCategory(String),
    CreateCase,
    ListCases,
    GetCase(String),
    UpdateCase(String),
    RequestClosure(String),
    AddComment(String),
    ListComments(String),
    AddAttachment(String),
    ListAttachments(String),
    /// The case, and the upload.
    GetUpload(String, String),
    /// The case, and the file.
    GetAttachment(String, String),
    /// The path is right, the method is not; the methods that are.
    WrongMethod(&'static str),
    Unknown,
}

impl Endpoint {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix(BASE).and_then(|rest| rest.strip_prefix('/')) else {
            return Self::Unknown;
        };
        let segments: Vec<&str> = rest.split('/').collect();
        let named = |id: &str| !id.is_empty();
        match (segments.as_slice(), method.as_str()) {
            (["accounts-with-categories"], "GET") => Self::ListAccounts,
            (["accounts-with-categories"], _) => Self::WrongMethod("GET"),
            (["categories", id], "GET") if named(id) => Self::GetCategory((*id).to_owned()),
            (["categories", id], _) if named(id) => Self::WrongMethod("GET"),
            (["cases"], "POST") => Self::CreateCase,
            (["cases"], "GET") => Self::ListCases,
            (["cases"], _) => Self::WrongMethod("GET, POST"),
            (["cases", id], "GET") if named(id) => Self::GetCase((*id).to_owned()),
            (["cases", id], "PATCH") if named(id) => Self::UpdateCase((*id).to_owned()),
            (["cases", id], _) if named(id) => Self::WrongMethod("GET, PATCH"),
            (["cases", id, "request-case-closure"], "POST") => {
                Self::RequestClosure((*id).to_owned())
            }
            (["cases", _, "request-case-closure"], _) => Self::WrongMethod("POST"),
            (["cases", id, "comments"], "POST") => Self::AddComment((*id).to_owned()),
            (["cases", id, "comments"], "GET") => Self::ListComments((*id).to_owned()),
            (["cases", _, "comments"], _) => Self::WrongMethod("GET, POST"),
            (["cases", id, "attachments"], "POST") => Self::AddAttachment((*id).to_owned()),
            (["cases", id, "attachments"], "GET") => Self::ListAttachments((*id).to_owned()),
            (["cases", _, "attachments"], _) => Self::WrongMethod("GET, POST"),
            (["cases", id, "attachments", "status", upload], "GET") => {
                Self::GetUpload((*id).to_owned(), (*upload).to_owned())
            }
            (["cases", id, "attachments", file], "GET") => {
                Self::GetAttachment((*id).to_owned(), (*file).to_owned())
            }
            (["cases", _, "attachments", "status", _] | ["cases", _, "attachments", _], _) => {
                Self::WrongMethod("GET")
            }
            _ => Self::Unknown,
        }
    }

    /// How the operation is called in the counts.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::ListAccounts => "GET /accounts-with-categories",
            Self::GetCategory(_) => "GET /categories/{categoryId}",
            Self::CreateCase => "POST /cases",
            Self::ListCases => "GET /cases",
            Self::GetCase(_) => "GET /cases/{caseId}",
            Self::UpdateCase(_) => "PATCH /cases/{caseId}",
            Self::RequestClosure(_) => "POST /cases/{caseId}/request-case-closure",
            Self::AddComment(_) => "POST /cases/{caseId}/comments",
            Self::ListComments(_) => "GET /cases/{caseId}/comments",
            Self::AddAttachment(_) => "POST /cases/{caseId}/attachments",
            Self::ListAttachments(_) => "GET /cases/{caseId}/attachments",
            Self::GetUpload(..) => "GET /cases/{caseId}/attachments/status/{uploadId}",
            Self::GetAttachment(..) => "GET /cases/{caseId}/attachments/{attachmentId}",
            Self::WrongMethod(_) => "method not allowed",
            Self::Unknown => "unknown path",
        }
    }

    /// Whether a fault that is set for `on` is meant for this operation.
    pub(super) fn is(&self, on: On, method: &Method) -> bool {
        match on {
            On::Any => true,
            On::Read => method == Method::GET,
            On::Write => method != Method::GET,
            On::Create => matches!(self, Self::CreateCase),
            On::Comment => matches!(self, Self::AddComment(_)),
            On::Close => matches!(self, Self::RequestClosure(_)),
            On::Attach => matches!(self, Self::AddAttachment(_)),
            On::Update => matches!(self, Self::UpdateCase(_)),
        }
    }
}
