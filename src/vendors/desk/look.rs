//! Looks in a desk's records for something whose outcome is unknown.
//!
//! *Invariant*: [`Look::Absent`] is said only after every page was read, and every item on them had
//! the field that would show the marker; anything less is [`Look::Failed`]. A pointer that leads
//! nowhere must never look like a ticket that is not there.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::client::{Client, carries, case_id, plain, says};
use super::verdict::{Judged, failed, implausible};
use crate::domain::desk::{Facts, Paging, Pointer};
use crate::domain::ids::{CaseId, Marker};
use crate::vendors::transport::linked;
use crate::vendors::{Evidence, Look};

/// A look that needs more reads than this is given up.
const READS: usize = 500;

/// What may be repeated without harm need not be looked for.
pub(super) fn repeatable() -> Look {
    Look::Absent(evidence("it can be repeated without harm".to_owned()))
}

impl Client {
    /// Looks for the ticket that carries a marker.
    pub(super) async fn look_for_ticket(&self, marker: &Marker, since: Timestamp) -> Look {
        self.find_ticket(marker, since).await.unwrap_or_else(|judged| failed(*judged))
    }

    /// Looks for a text on a ticket.
    pub(super) async fn look_for_text(
        &self,
        case: &CaseId,
        marker: &Marker,
        token: &str,
        closes: bool,
    ) -> Look {
        let look = self.find_text(case, marker, token, closes).await;
        look.unwrap_or_else(|judged| failed(*judged))
    }

    async fn find_ticket(&self, marker: &Marker, since: Timestamp) -> Result<Look, Box<Judged>> {
        let tickets = &self.settings.desk.tickets;
        let (url, headers) = self.reading(&tickets.request, &Facts::look(marker, since))?;
        let (mut found, mut seen) = (Vec::new(), 0usize);
        self.walk(url, headers, &tickets.list, |item| {
            seen += 1;
            if !carries(field(item, &tickets.marker, "ticket")?, marker) {
                return Ok(false);
            }
            let id = item.pointer(tickets.id.as_str()).and_then(case_id).ok_or_else(|| {
                implausible(format!(
                    "a ticket that carries {marker} has no usable id at `{}`",
                    tickets.id
                ))
            })?;
            let created = tickets.created.as_ref();
            let created = created.and_then(|at| item.pointer(at.as_str())).and_then(plain);
            found.push((age_order(created, &id), id));
            Ok(false)
        })
        .await?;
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut cases: Vec<CaseId> = found.into_iter().map(|(_, case)| case).collect();
        // A list that moves while it is read shows an item on two pages.
        let mut known = std::collections::BTreeSet::new();
        cases.retain(|case| known.insert(case.clone()));
        Ok(match cases.as_slice() {
            [] => Look::Absent(evidence(format!("none of {seen} listed tickets carries {marker}"))),
            [case] => Look::Found {
                evidence: evidence(format!("ticket {case} carries {marker}")),
                case: case.clone(),
            },
            several => {
                let names: Vec<&str> = several.iter().map(CaseId::as_str).collect();
                let message = format!(
                    "{} tickets carry {marker}: {}; close all but one",
                    several.len(),
                    names.join(", ")
                );
                Look::Several { evidence: evidence(message), cases }
            }
        })
    }

    async fn find_text(
        &self,
        case: &CaseId,
        marker: &Marker,
        token: &str,
        closes: bool,
    ) -> Result<Look, Box<Judged>> {
        let own = self.own(case, marker).await?;
        if closes && self.is_closed(&own) {
            let evidence = evidence(format!("ticket {case} is already closed"));
            return Ok(Look::Found { case: case.clone(), evidence });
        }
        let Some(comments) = &self.settings.desk.comments else { return Ok(repeatable()) };
        let facts = Facts::comments(case, marker, token);
        let (url, headers) = self.reading(&comments.request, &facts)?;
        let (mut found, mut seen) = (false, 0usize);
        let walked = self
            .walk(url, headers, &comments.list, |item| {
                seen += 1;
                found |= says(field(item, &comments.text, "comment")?, token);
                Ok(found)
            })
            .await;
        if let Err(judged) = walked {
            return Err(self.of_one_ticket(judged, case).await);
        }
        Ok(if found {
            let evidence = evidence(format!("a comment on ticket {case} carries {token}"));
            Look::Found { case: case.clone(), evidence }
        } else {
            Look::Absent(evidence(format!(
                "none of {seen} comments on ticket {case} carries {token}"
            )))
        })
    }

    /// Reads page after page, and gives every item to `judge` until that calls one the last.
    async fn walk(
        &self,
        first: Url,
        headers: HeaderMap,
        list: &Pointer,
        mut judge: impl FnMut(&Value) -> Result<bool, Box<Judged>> + Send,
    ) -> Result<(), Box<Judged>> {
        let paging = self.settings.desk.paging.as_ref();
        let (mut read, mut before) = (0usize, Value::Null);
        let mut url = page(&first, paging, read);
        for _ in 0..READS {
            let answer = self.read_at(url.clone(), headers.clone()).await?;
            let Some(items) = answer.pointer(list.as_str()).and_then(Value::as_array) else {
                return Err(implausible(format!("there is no list at `{list}` of the answer")));
            };
            for item in items {
                if judge(item)? {
                    return Ok(());
                }
            }
            read += items.len();
            let next = match paging {
                None => None,
                Some(Paging::Offset { .. }) if items.is_empty() => None,
                Some(Paging::Offset { .. }) => {
                    if before.as_array() == Some(items) {
                        return Err(implausible(
                            "the desk gives the same page whatever is asked for: check `paging`"
                                .to_owned(),
                        ));
                    }
                    before = Value::Array(items.clone());
                    Some(page(&first, paging, read))
                }
                Some(Paging::Next { next, more }) => {
                    self.following(&answer, &url, next, more.as_ref())?
                }
            };
            let Some(next) = next else { return Ok(()) };
            url = next;
        }
        Err(implausible(format!("the list was not read to its end: more than {READS} pages")))
    }

    /// The address of the next page, if there is one.
    fn following(
        &self,
        answer: &Value,
        from: &Url,
        next: &Pointer,
        more: Option<&Pointer>,
    ) -> Result<Option<Url>, Box<Judged>> {
        let told = match more.map(|more| (more, answer.pointer(more.as_str()))) {
            None => None,
            Some((_, Some(Value::Bool(told)))) => Some(*told),
            Some((more, _)) => {
                return Err(implausible(format!(
                    "the answer does not say at `{more}` whether there is a next page"
                )));
            }
        };
        if told == Some(false) {
            return Ok(None);
        }
        let href = match answer.pointer(next.as_str()) {
            Some(Value::String(href)) if !href.is_empty() => href,
            None | Some(Value::Null | Value::String(_)) if told.is_none() => return Ok(None),
            _ => return Err(implausible(format!("there is no address at `{next}` of the answer"))),
        };
        let Some(following) = linked(&self.settings.base, from, href) else {
            return Err(implausible(
                "the list continues at another host, which is not followed".to_owned(),
            ));
        };
        if following == *from {
            return Err(implausible("the list leads back to the same page".to_owned()));
        }
        Ok(Some(following))
    }
}

/// The address of the page that begins after so many items.
fn page(first: &Url, paging: Option<&Paging>, read: usize) -> Url {
    let mut url = first.clone();
    if let Some(Paging::Offset { offset, limit, size }) = paging {
        let mut query = url.query_pairs_mut();
        query.append_pair(offset, &read.to_string()).append_pair(limit, &size.to_string());
    }
    url
}

/// A field that every item must have, if only as `null`: one that has it not says that the
/// description is wrong, and nothing about the item.
fn field<'a>(item: &'a Value, at: &Pointer, what: &str) -> Result<&'a Value, Box<Judged>> {
    item.pointer(at.as_str()).ok_or_else(|| {
        implausible(format!("a {what} in the desk's list has nothing at `{at}`: check the pointer"))
    })
}

/// Orders tickets by age: by the time at which they were opened, those without one last, then by
/// id, of which the shorter is the lower.
fn age_order(created: Option<String>, case: &CaseId) -> (bool, Option<String>, usize, String) {
    let id = case.as_str();
    (created.is_none(), created, id.len(), id.to_owned())
}

fn evidence(message: String) -> Evidence {
    Evidence { status: None, reference: None, message }
}
