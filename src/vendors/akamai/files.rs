//! Files on cases: sending one, waiting until the vendor has it, and finding it again.
//!
//! An upload is accepted first and done later. *Invariant*: it is done only when the vendor says
//! `UPLOADED` or lists it; while it says `UPLOADING`, nobody knows.

use std::time::Duration;

use super::classify::{Class, Judged};
use super::client::{Client, Exchanged, Reads, not_done, refused};
use super::multipart::form;
use super::reconcile::{Page, evidence, failed};
use super::wire::{Accepted, FilePage, Upload};
use crate::domain::ids::{CaseId, Marker};
use crate::vendors::{Evidence, Look, Outcome};

/// How long is waited before each question how far an upload is. Together short beside the time
/// that a piece of work may take: what is not through by then is looked for later.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// How many files the vendor lets a case have.
const PER_CASE: usize = 10;
/// More than a case can have; the default of the list of cases.
const FILES_PER_PAGE: &str = "50";

/// A file to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) file_name: &'a str,
    pub(super) media_type: &'a str,
    pub(super) content: &'a [u8],
}

impl Client {
    /// Sends a file, and waits a little for it.
    pub(super) async fn attach(
        &self,
        case: &CaseId,
        marker: &Marker,
        token: &str,
        file: File<'_>,
    ) -> Outcome {
        let file_name = file.file_name;
        // Without the token the file could be another one of the same name, and would be found
        // although it was never sent.
        let core = token.trim_matches(['[', ']']);
        if core.is_empty() || !file_name.contains(core) {
            return refused(format!("the name of the file {file_name:?} lacks {core:?}"));
        }
        let form = match form(file) {
            Ok(form) => form,
            Err(why) => return refused(why),
        };
        let own = match self.own(case, marker).await {
            Ok(own) => own,
            Err(outcome) => return outcome,
        };
        if own.permissions.upload_attachments == Some(false) {
            return refused(format!(
                "Akamai does not let this user attach a file to case {case}{}",
                if own.is_closed() { ", which is closed" } else { "" }
            ));
        }
        let url = self.url(&["cases", case.as_str(), "attachments"], &[]);
        let Exchanged { mut judged, response } = self.upload(url, form).await;
        match judged.class {
            Class::Done => {}
            // How an eleventh file is refused is not documented; and whatever it is, it is about
            // this case only.
            Class::Refused | Class::Forbidden => {
                judged.evidence.message = format!(
                    "Akamai refused the file {file_name} for case {case}, of which a case has {PER_CASE} at most: {}",
                    judged.evidence.message
                );
                return Outcome::Refused(judged.evidence);
            }
            _ => return not_done(judged),
        }
        let accepted: Option<Accepted> = response
            .filter(|response| response.complete)
            .and_then(|response| serde_json::from_slice(&response.body).ok());
        match accepted.as_ref().and_then(Accepted::upload) {
            Some(upload) => self.follow(case, file_name, upload, judged.evidence).await,
            None => {
                judged.evidence.message = format!(
                    "Akamai accepted the file {file_name} for case {case}, but its answer names no upload: the case's files will be read before anything is repeated"
                );
                Outcome::Unknown(judged.evidence)
            }
        }
    }

    /// Asks how far an upload is, a few times.
    async fn follow(
        &self,
        case: &CaseId,
        file_name: &str,
        upload: &str,
        accepted: Evidence,
    ) -> Outcome {
        let mut evidence = accepted;
        let mut last = "nothing".to_owned();
        for pause in PAUSES {
            if !pause.is_zero() {
                self.clock.sleep(pause).await;
            }
            let url = self.url(&["cases", case.as_str(), "attachments", "status", upload], &[]);
            let status = match self.read_page::<Upload>(url).await {
                Ok(answer) => answer.upload_status.unwrap_or_default(),
                Err(judged) => {
                    last = judged.evidence.message;
                    // Whoever is turned away or asked for a pause does not go on asking.
                    if judged.class != Class::NotSent || judged.retry_after.is_some() {
                        break;
                    }
                    continue;
                }
            };
            if status.eq_ignore_ascii_case("UPLOADED") {
                evidence.message = format!("Akamai has the file {file_name} on case {case}");
                return Outcome::Done { case: case.clone(), evidence };
            }
            if status.eq_ignore_ascii_case("FAILED") {
                evidence.message = format!(
                    "Akamai accepted the file {file_name} for case {case} and then failed to keep it (upload {upload})"
                );
                return Outcome::NotSent(evidence);
            }
            last = crate::domain::text::excerpt(&status, 40);
        }
        evidence.message = format!(
            "Akamai accepted the file {file_name} for case {case} (upload {upload}) and is not through with it ({last}): the case's files will be read before anything is repeated"
        );
        Outcome::Unknown(evidence)
    }

    /// Looks for a file on a case.
    pub(super) async fn look_for_file(
        &self,
        case: &CaseId,
        marker: &Marker,
        file_name: &str,
    ) -> Look {
        match self.find_file(case, marker, file_name).await {
            Ok(look) => look,
            Err(judged) => failed(*judged),
        }
    }

    async fn find_file(
        &self,
        case: &CaseId,
        marker: &Marker,
        file_name: &str,
    ) -> Result<Look, Box<Judged>> {
        let mut reads = Reads::default();
        self.own_to_look_at(case, marker, &mut reads).await?;
        let (mut found, mut seen) = (false, 0usize);
        let first =
            self.url(&["cases", case.as_str(), "attachments"], &[("limit", FILES_PER_PAGE)]);
        // Every page, whatever its dates: a case has few files.
        self.walk(first, &mut reads, |page: &FilePage| {
            seen += page.attachments.len();
            found |=
                page.attachments.iter().any(|file| file.file_name.as_deref() == Some(file_name));
            Ok(Page { links: &page.links, last: found })
        })
        .await?;
        Ok(if found {
            Look::Found {
                case: case.clone(),
                evidence: evidence(format!("case {case} has the file {file_name}")),
            }
        } else {
            Look::Absent(evidence(format!(
                "none of the {seen} files on case {case} is {file_name}"
            )))
        })
    }
}
