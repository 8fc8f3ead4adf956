//! What Akamai did with cases: one walk through the list of active cases tells which of them have
//! changed, and only those are read, with the comments that are not known yet.
//!
//! The list of closed cases is not walked: a case that is missing from the active one is read itself,
//! which is one request instead of pages of what was closed long ago. What is known to be closed is
//! not read again until the active list shows it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::classify::{Class, Judged};
use super::client::{Client, Reads, unreadable};
use super::reconcile::{CASES_PER_PAGE, COMMENTS_PER_PAGE, Page, days_back};
use super::settings::list_types;
use super::wire::{CasePage, CommentPage, ListedComment, Progress, case_id};
use crate::domain::case_view::{COMMENT_LENGTH, COMMENTS, CaseStatus, CaseView, VendorComment};
use crate::domain::ids::CaseId;
use crate::domain::text::excerpt;
use crate::vendors::plain::{plain, shortened};
use crate::vendors::token::{ends_in_action_of, mentions};
use crate::vendors::{Trouble, Watched, WatchedCase};

/// The vendor's dates are whole seconds, and clocks differ: a change that is younger than this may be
/// followed by another one of the same date, so the case is read once more.
const UNSETTLED: SignedDuration = SignedDuration::from_secs(5);

/// So many bytes of a comment are read, tags and all.
const READ_OF_A_TEXT: usize = 4 * COMMENT_LENGTH;

/// What comments that Akamai makes of mails are called.
const MAIL: &str = "EMAIL";

/// What those are called that it makes of files.
const FILE: &str = "ATTACHMENT";

/// What the list says of a case.
struct Listed {
    version: Option<String>,
    status: Option<CaseStatus>,
}

impl Client {
    pub(super) async fn watch_cases(&self, known: &[WatchedCase], reads: usize) -> Watched {
        let mut told = Watched::default();
        if known.is_empty() {
            return told;
        }
        let listed = match self.list_active(known).await {
            Ok(listed) => listed,
            Err(judged) => {
                told.trouble = Some(trouble(*judged));
                return told;
            }
        };
        let mut left = reads;
        for watched in known {
            let found = listed.get(&watched.case);
            if !may_have_changed(watched, found) {
                told.unchanged.push(watched.case.clone());
                continue;
            }
            if left == 0 {
                told.more = true;
                continue;
            }
            left -= 1;
            let version = found.and_then(|listed| listed.version.clone());
            match self.read_watched(watched, version).await {
                Ok(view) => told.read.push((watched.case.clone(), view)),
                // The list could be read: this is about the one case.
                Err(judged) if concerns_one_case(&judged) => {
                    told.unreadable.push((watched.case.clone(), judged.evidence.message));
                }
                Err(judged) => {
                    told.trouble = Some(trouble(*judged));
                    break;
                }
            }
        }
        told
    }

    /// Those of the cases that are active, newest first, until all are seen.
    async fn list_active(
        &self,
        known: &[WatchedCase],
    ) -> Result<HashMap<CaseId, Listed>, Box<Judged>> {
        let now = self.clock.now();
        let since = known.iter().map(|watched| watched.since).min().unwrap_or(now);
        let days = days_back(now, since).to_string();
        let [active, _closed] = list_types(self.settings.list_scope);
        // Of all accounts: one list for all cases.
        let first = self
            .url(&["cases"], &[("type", active), ("duration", &days), ("limit", CASES_PER_PAGE)]);
        let mut missing: HashSet<&CaseId> = known.iter().map(|watched| &watched.case).collect();
        let mut listed = HashMap::new();
        self.walk(first, &mut Reads::default(), |page: &CasePage| {
            for item in &page.cases {
                let Some(case) = item.id() else { continue };
                if missing.remove(&case) {
                    let status = item.status.as_deref().map(CaseStatus::parse);
                    listed.insert(case, Listed { version: item.updated_date.clone(), status });
                }
            }
            Ok(Page { links: &page.links, last: missing.is_empty() })
        })
        .await?;
        Ok(listed)
    }

    async fn read_watched(
        &self,
        watched: &WatchedCase,
        listed: Option<String>,
    ) -> Result<CaseView, Box<Judged>> {
        let WatchedCase { case, marker, .. } = watched;
        if case_id(case.as_str()).is_none() {
            return Err(unreadable("what the case is known by is no case number".to_owned()));
        }
        let url = self.url(&["cases", case.as_str()], &[]);
        let progress: Progress = self.read_page(url).await?;
        if progress.customer_tracking_number.as_deref() != Some(marker.as_str()) {
            return Err(unreadable(format!(
                "case {case} does not carry the tracking number {marker}: a person must look"
            )));
        }
        let version = listed.filter(|date| self.is_settled(date));
        let mut view = progress.into_view(version);
        view.comments = self.new_comments(watched).await?;
        Ok(view)
    }

    /// Whether nothing can have happened since a date that would have the same date.
    fn is_settled(&self, date: &str) -> bool {
        let now = self.clock.now();
        let theirs = now.checked_add(self.clock_offset()).unwrap_or(now);
        date.parse::<Timestamp>().is_ok_and(|date| theirs.duration_since(date) >= UNSETTLED)
    }

    /// The comments that are neither known nor ours, oldest first. Not of very many of them.
    async fn new_comments(&self, watched: &WatchedCase) -> Result<Vec<VendorComment>, Box<Judged>> {
        let token = watched.marker.token();
        let first = self
            .url(&["cases", watched.case.as_str(), "comments"], &[("limit", COMMENTS_PER_PAGE)]);
        let mut newest_first: Vec<VendorComment> = Vec::new();
        let mut seen = 0;
        self.walk(first, &mut Reads::default(), |page: &CommentPage| {
            let mut last = false;
            for comment in &page.comments {
                seen += 1;
                if watched.last_comment.is_some() && comment.comment_id == watched.last_comment {
                    last = true;
                    break;
                }
                newest_first.extend(taken(comment, &token));
            }
            // A case with hundreds of comments is not read back to its beginning.
            last |= seen >= 2 * COMMENTS || newest_first.len() >= COMMENTS;
            Ok(Page { links: &page.links, last })
        })
        .await?;
        newest_first.truncate(COMMENTS);
        newest_first.reverse();
        Ok(newest_first)
    }
}

fn may_have_changed(watched: &WatchedCase, listed: Option<&Listed>) -> bool {
    let was_closed = watched.status == Some(CaseStatus::Closed);
    match listed {
        None => !was_closed,
        Some(Listed { version, status }) => {
            // The date is the documented sign; a status beside it that is another one, too.
            version.is_none() || *version != watched.version || *status != watched.status
        }
    }
}

/// A comment of somebody else's, as it is kept; `None` for our own, and for one that has no id by which
/// it would be known again.
fn taken(comment: &ListedComment, token: &str) -> Option<VendorComment> {
    let id = comment.comment_id.as_deref().filter(|id| !id.is_empty())?;
    let text = comment.comment.as_deref().unwrap_or_default();
    let kind = comment.comment_type.as_deref().unwrap_or_default();
    let ours = match kind {
        // An answer by mail may quote us.
        MAIL => false,
        FILE => mentions_file_of(text, token),
        _ => ends_in_action_of(text, token),
    };
    if ours {
        return None;
    }
    Some(VendorComment {
        id: excerpt(id, 64),
        author: excerpt(&plain(head(comment.created_by.as_deref().unwrap_or_default())), 100),
        at: comment.created_date.as_deref().and_then(|date| date.parse().ok()),
        kind: excerpt(kind, 40),
        text: shortened(&plain(head(text)), COMMENT_LENGTH),
    })
}

/// As much of a text as can matter. Tags are searched for their ends, which takes its time where there
/// are many and no ends.
fn head(text: &str) -> &str {
    let at = (0..=READ_OF_A_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..at.unwrap_or(0)).unwrap_or_default()
}

/// Whether a file's name has a token of ours: our files are called by it.
fn mentions_file_of(text: &str, token: &str) -> bool {
    let core = format!("{}-", token.trim_matches(['[', ']']));
    mentions(text, token) || text.to_ascii_lowercase().contains(&core)
}

fn concerns_one_case(judged: &Judged) -> bool {
    // It has answered, and what it said cannot be read.
    let nonsense = judged.class == Class::NotSent && judged.evidence.status == Some(200);
    matches!(judged.class, Class::Refused | Class::Implausible | Class::Forbidden) || nonsense
}

fn trouble(judged: Judged) -> Trouble {
    Trouble { retry_after: judged.retry_after, evidence: judged.evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IncidentId;
    use crate::domain::testing::T0;

    fn watched(version: Option<&str>, status: &str) -> WatchedCase {
        WatchedCase {
            case: "F-CS-1".into(),
            marker: IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d".to_owned()).marker(),
            since: T0,
            version: version.map(str::to_owned),
            status: Some(CaseStatus::parse(status)),
            last_comment: None,
        }
    }

    fn listed(version: Option<&str>, status: &str) -> Listed {
        Listed { version: version.map(str::to_owned), status: Some(CaseStatus::parse(status)) }
    }

    #[test]
    fn only_what_may_have_changed_is_read() {
        for (known, found, reads) in [
            (watched(Some("1"), "CREATED"), Some(listed(Some("1"), "CREATED")), false),
            (watched(Some("1"), "CREATED"), Some(listed(Some("2"), "CREATED")), true),
            (watched(Some("1"), "CREATED"), Some(listed(Some("1"), "ASSIGNED")), true),
            // Never read, not settled, or without a date.
            (watched(None, "CREATED"), Some(listed(Some("1"), "CREATED")), true),
            (watched(None, "CREATED"), Some(listed(None, "CREATED")), true),
            // It is not active any more, or the list lags.
            (watched(Some("1"), "CREATED"), None, true),
            // It was over, and still is; or is not any more.
            (watched(Some("1"), "CLOSED"), None, false),
            (watched(Some("1"), "CLOSED"), Some(listed(Some("2"), "IN_PROGRESS")), true),
        ] {
            let version = found.as_ref().and_then(|found| found.version.clone());
            assert_eq!(may_have_changed(&known, found.as_ref()), reads, "{known:?} {version:?}");
        }
    }

    fn comment(kind: &str, text: &str) -> ListedComment {
        ListedComment {
            comment_id: Some("F-CC-1".to_owned()),
            comment: Some(text.to_owned()),
            comment_type: Some(kind.to_owned()),
            ..ListedComment::default()
        }
    }

    /// A comment of unclosed tags takes the square of its length to read, so only its beginning is.
    #[test]
    fn of_a_comment_only_its_first_16_kib_are_read() {
        assert_eq!(READ_OF_A_TEXT, 16_000);
        let token = "[cw-9f3a1c7be2d0]";
        let text = |text: &str| taken(&comment("EMAIL", text), token).unwrap().text;
        let tags = |count: usize| "<b>".repeat(count);
        // Nothing but tags up to the limit, and then a word.
        assert_eq!(text(&format!("{}seen", tags(5_332))), "seen");
        assert_eq!(text(&format!("{}unseen", tags(5_334))), "<");
        // It is cut between characters.
        assert_eq!(head(&"ä".repeat(16_000)).len(), 16_000);
        assert_eq!(head(&format!("x{}", "ä".repeat(16_000))).len(), 15_999);
        let begun = std::time::Instant::now();
        text(&"<p ".repeat(1_000_000));
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    }

    #[test]
    fn what_is_ours_is_no_news() {
        let token = "[cw-9f3a1c7be2d0]";
        for ours in [
            comment("WEB_UPDATE", "Still so.\n\n[cw-9f3a1c7be2d0-2]"),
            comment("WEB_UPDATE", "Case Closure Request: Over. [cw-9f3a1c7be2d0-3]"),
            comment("ATTACHMENT", "File Uploaded: description-cw-9f3a1c7be2d0-4.txt"),
        ] {
            assert_eq!(taken(&ours, token), None, "{ours:?}");
        }
        let quoting = comment("EMAIL", "Fixed.\n> Still so.\n> [cw-9f3a1c7be2d0-2]");
        assert!(taken(&quoting, token).is_some());
        let file = comment("ATTACHMENT", "File Uploaded: trace.txt");
        assert!(taken(&file, token).is_some());
        let nameless = ListedComment { comment_id: None, ..comment("WEB_UPDATE", "Hello") };
        assert_eq!(taken(&nameless, token), None);
        let html = comment("WEB_UPDATE", "<p>Which property?</p>");
        assert_eq!(taken(&html, token).map(|comment| comment.text), Some("Which property?".into()));
    }
}
