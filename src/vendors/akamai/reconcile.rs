//! Looks in Akamai's records for something whose outcome is unknown.
//!
//! The list shows subjects and no tracking numbers, so the subject's token narrows and the case
//! itself confirms. *Invariant*: [`Look::Absent`] is said only after every page of a list was
//! read; anything less is [`Look::Failed`]. No page is skipped because of its dates: they are the
//! vendor's, the time of the attempt is ours, and a clock that was wrong when a request left would
//! hide what came of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use url::Url;

use super::classify::{Class, Judged};
use super::client::{Client, Kind, Reads, unreadable};
use super::settings::list_types;
use super::wire::{Case, CasePage, CommentPage, Link, case_id, next};
use crate::domain::draft::Draft;
use crate::domain::ids::{CaseId, Marker};
use crate::domain::text::excerpt;
use crate::vendors::token::mentions;
use crate::vendors::{Evidence, Look, Obstacle};

/// For how many days the list is asked on top of those that have passed since the first attempt:
/// as far as our clock may have been ahead at that time.
const DAYS_ON_TOP: i64 = 3;
/// The most that the list of cases gives in one page.
pub(super) const CASES_PER_PAGE: &str = "200";
/// The most that the list of comments gives in one page is not documented; this is the default
/// of the list of cases.
pub(super) const COMMENTS_PER_PAGE: &str = "50";

impl Client {
    /// Looks for the case of a draft that was first sent at `since`.
    pub(super) async fn look_for_case(&self, draft: &Draft, since: Timestamp) -> Look {
        match self.find_case(draft, since).await {
            Ok(look) => look,
            Err(judged) => failed(*judged),
        }
    }

    /// Looks for a text on a case.
    pub(super) async fn look_for_text(
        &self,
        case: &CaseId,
        marker: &Marker,
        token: &str,
        kind: Kind,
    ) -> Look {
        match self.find_text(case, marker, token, kind).await {
            Ok(look) => look,
            Err(judged) => failed(*judged),
        }
    }

    async fn find_case(&self, draft: &Draft, since: Timestamp) -> Result<Look, Box<Judged>> {
        let token = draft.marker.token();
        let days = days_back(self.clock.now(), since).to_string();
        let mut reads = Reads::default();

        let mut candidates = BTreeSet::new();
        let mut seen = 0usize;
        for kind in list_types(self.settings.list_scope) {
            let first = self.url(
                &["cases"],
                &[
                    ("type", kind),
                    ("accountIds", draft.account.as_str()),
                    ("duration", &days),
                    ("limit", CASES_PER_PAGE),
                ],
            );
            self.walk(first, &mut reads, |page: &CasePage| {
                seen += page.cases.len();
                for listed in &page.cases {
                    if listed.subject.as_deref().is_some_and(|subject| mentions(subject, &token)) {
                        match listed.id() {
                            Some(case) => candidates.insert(case),
                            None => return Err(unreadable("a case in Akamai's list has our token in its subject and no usable number".to_owned())),
                        };
                    }
                }
                Ok(Page { links: &page.links, last: false })
            })
            .await?;
        }

        let (mut found, mut others) = (Vec::new(), Vec::new());
        for case in candidates {
            reads.turn()?;
            let read = self.read_case(&case).await?;
            match read.customer_tracking_number.as_deref() {
                Some(tracking) if tracking == draft.marker.as_str() => {
                    found.push((age_order(read.created_date.as_deref(), &case), case));
                }
                // A tracking number that was cut short would make every look say "absent" and
                // every retry a second case.
                Some(cut) if !cut.is_empty() && draft.marker.as_str().starts_with(cut) => {
                    return Err(unreadable(format!(
                        "case {case} has our token in its subject and the tracking number {}, which looks like {} cut short: a person must look",
                        excerpt(cut, 40),
                        draft.marker
                    )));
                }
                _ => others.push(case),
            }
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let found: Vec<CaseId> = found.into_iter().map(|(_, case)| case).collect();
        let aside = if others.is_empty() {
            String::new()
        } else {
            format!(
                "; {} has the token in the subject but another tracking number, and is not ours",
                listed(&others)
            )
        };
        Ok(match found.as_slice() {
            [] => Look::Absent(evidence(format!(
                "none of {seen} recent cases carries {}{aside}",
                draft.marker
            ))),
            [case] => Look::Found {
                evidence: evidence(format!("case {case} carries {}{aside}", draft.marker)),
                case: case.clone(),
            },
            several => Look::Several {
                evidence: evidence(format!(
                    "{} cases carry {}: {}; close all but one{aside}",
                    several.len(),
                    draft.marker,
                    listed(several)
                )),
                cases: found,
            },
        })
    }

    async fn find_text(
        &self,
        case: &CaseId,
        marker: &Marker,
        token: &str,
        kind: Kind,
    ) -> Result<Look, Box<Judged>> {
        let mut reads = Reads::default();
        let own = self.own_to_look_at(case, marker, &mut reads).await?;
        if kind == Kind::Closure && own.is_closed() {
            return Ok(Look::Found {
                case: case.clone(),
                evidence: evidence(format!("case {case} is already closed")),
            });
        }

        let (mut found, mut seen) = (false, 0usize);
        let first =
            self.url(&["cases", case.as_str(), "comments"], &[("limit", COMMENTS_PER_PAGE)]);
        self.walk(first, &mut reads, |page: &CommentPage| {
            seen += page.comments.len();
            found |= page.comments.iter().any(|comment| {
                comment.comment.as_deref().is_some_and(|text| mentions(text, token))
            });
            Ok(Page { links: &page.links, last: found })
        })
        .await?;
        Ok(if found {
            Look::Found {
                case: case.clone(),
                evidence: evidence(format!("a comment on case {case} carries {token}")),
            }
        } else {
            Look::Absent(evidence(format!(
                "none of {seen} recent comments on case {case} carries {token}"
            )))
        })
    }

    /// Reads a case that must be the incident's own.
    pub(super) async fn own_to_look_at(
        &self,
        case: &CaseId,
        marker: &Marker,
        reads: &mut Reads,
    ) -> Result<Case, Box<Judged>> {
        if case_id(case.as_str()).is_none() {
            return Err(unreadable("what the case is known by is no case number".to_owned()));
        }
        reads.turn()?;
        let own = self.read_case(case).await?;
        if own.customer_tracking_number.as_deref() != Some(marker.as_str()) {
            return Err(unreadable(format!(
                "case {case} does not carry the tracking number {marker}: a person must look"
            )));
        }
        Ok(own)
    }

    /// Reads page after page until `judge` calls one the last or there is no other.
    pub(super) async fn walk<P: DeserializeOwned + Send + Sync>(
        &self,
        first: Url,
        reads: &mut Reads,
        mut judge: impl FnMut(&P) -> Result<Page<'_>, Box<Judged>> + Send,
    ) -> Result<(), Box<Judged>> {
        let mut url = first;
        loop {
            reads.turn()?;
            let page: P = self.read_page(url.clone()).await?;
            let Page { links, last } = judge(&page)?;
            let Some(href) = next(links).filter(|_| !last) else { return Ok(()) };
            let Some(following) = self.linked(href) else {
                return Err(unreadable(
                    "Akamai's list continues at another host, which is not followed".to_owned(),
                ));
            };
            if following == url {
                return Err(unreadable("Akamai's list leads back to the same page".to_owned()));
            }
            url = following;
        }
    }
}

/// A page that was judged.
pub(super) struct Page<'a> {
    pub(super) links: &'a [Link],
    /// Whether nothing that matters can be on a later one.
    pub(super) last: bool,
}

/// Orders cases by age: by the time at which they were made, those without a readable one last,
/// then by number, of which the shorter is the lower.
fn age_order(created: Option<&str>, case: &CaseId) -> (bool, Option<Timestamp>, usize, String) {
    let created: Option<Timestamp> = created.and_then(|date| date.parse().ok());
    let number = case.as_str();
    (created.is_none(), created, number.len(), number.to_owned())
}

pub(super) fn evidence(message: String) -> Evidence {
    Evidence { status: None, reference: None, message }
}

fn listed(cases: &[CaseId]) -> String {
    cases.iter().map(CaseId::as_str).collect::<Vec<_>>().join(", ")
}

/// What was in the way of a read.
pub(super) fn obstacle(class: Class) -> Obstacle {
    match class {
        Class::Denied | Class::Forbidden | Class::WrongTime => Obstacle::Denied,
        Class::Refused | Class::Implausible => Obstacle::Record,
        Class::Done | Class::NotSent | Class::Throttled | Class::Unknown => Obstacle::Vendor,
    }
}

pub(super) fn failed(judged: Judged) -> Look {
    let obstacle = obstacle(judged.class);
    Look::Failed { retry_after: judged.retry_after, obstacle, evidence: judged.evidence }
}

/// The list's `duration`: whole days back that surely cover an attempt at `since`.
pub(super) fn days_back(now: Timestamp, since: Timestamp) -> i64 {
    now.duration_since(since).as_hours().max(0) / 24 + DAYS_ON_TOP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_cover_the_attempt_and_a_clock_that_was_ahead() {
        let since: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let after = |hours| since.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
        assert_eq!(days_back(after(0), since), 3);
        assert_eq!(days_back(after(-50), since), 3);
        assert_eq!(days_back(after(24), since), 4);
        assert_eq!(days_back(after(72), since), 6);
    }
}
