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
    /// The path is right, the method is not; the methods that are.
    WrongMethod(&'static str),
    /// Attachments are here too: the sandbox has none.
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
        }
    }
}
