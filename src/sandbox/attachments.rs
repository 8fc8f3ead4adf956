//! Files on cases: what is kept of one, and when an upload that was accepted is through.
//!
//! Uploading is asynchronous at the real vendor. Here an upload ends at a time that is known when
//! it is accepted, so its status needs no task of its own and survives a restart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::multipart::FilePart;

/// How many files a case takes.
pub(super) const PER_CASE: usize = 10;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadStatus {
    Uploading,
    Uploaded,
    Failed,
}

impl UploadStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uploading => "UPLOADING",
            Self::Uploaded => "UPLOADED",
            Self::Failed => "FAILED",
        }
    }

    /// For people. The wording is ours.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Uploading => "The file is being uploaded to the case.",
            Self::Uploaded => "The file is on the case.",
            Self::Failed => "The file could not be kept.",
        }
    }
}

/// How an upload will go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// When it ends.
    pub(super) ends: Timestamp,
    /// Whether it ends in failure.
    pub(super) fails: bool,
}

/// A file that was sent to a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Such as `F-AT-0000001`. Clients see it once the upload is through.
    pub attachment_id: String,
    /// Such as `F-UP-0000001`.
    pub upload_id: String,
    /// As the client named it.
    pub file_name: String,
    /// The part's content type.
    pub file_type: String,
    /// Its length in bytes.
    pub size: usize,
    /// The digest of its content, in lower-case hex.
    pub sha256: String,
    /// The content itself.
    pub content_base64: String,
    /// Who sent it.
    pub created_by: String,
    /// When it was accepted.
    pub created_date: Timestamp,
    /// When the upload ends.
    pub upload_ends: Timestamp,
    /// Whether it ends in failure.
    pub upload_fails: bool,
}

impl Attachment {
    pub(super) fn new(number: u64, file: &FilePart<'_>, fate: Fate, now: Timestamp) -> Self {
        Self {
            attachment_id: format!("F-AT-{number:07}"),
            upload_id: format!("F-UP-{number:07}"),
            file_name: file.name.clone(),
            file_type: file.kind.clone(),
            size: file.content.len(),
            sha256: hex::encode(Sha256::digest(file.content)),
            content_base64: STANDARD.encode(file.content),
            created_by: super::cases::API_USER.to_owned(),
            created_date: now,
            upload_ends: fate.ends,
            upload_fails: fate.fails,
        }
    }

    /// How far its upload is.
    pub(super) fn status(&self, now: Timestamp) -> UploadStatus {
        match (now < self.upload_ends, self.upload_fails) {
            (true, _) => UploadStatus::Uploading,
            (false, true) => UploadStatus::Failed,
            (false, false) => UploadStatus::Uploaded,
        }
    }

    pub(super) fn content(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.content_base64).ok()
    }
}
