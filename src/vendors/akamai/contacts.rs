//! Who is told about a case: both complete values, read before they are written.
//!
//! The vendor replaces what it has, so writing twice does no harm; but a write that is not needed
//! is not made.

use std::collections::BTreeSet;

use http::Method;

use super::classify::{Class, Judged};
use super::client::{Client, Exchanged, Reads, not_done, refused};
use super::edgegrid::MAX_BODY;
use super::reconcile::{evidence, failed};
use super::wire::{Case, NewContacts};
use crate::domain::draft::Contact;
use crate::domain::ids::{CaseId, Marker};
use crate::vendors::{Look, Outcome};

/// The contacts that a case shall have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contacts<'a> {
    also_notify: &'a [String],
    alternate: Option<&'a Contact>,
}

impl<'a> Contacts<'a> {
    pub(super) fn of(also_notify: &'a [String], alternate: Option<&'a Contact>) -> Self {
        Self { also_notify, alternate }
    }

    /// Whether a case has them already. Order, repetition, case of addresses and blanks around a
    /// text do not matter: the vendor may keep them otherwise than they were sent.
    fn are_of(self, case: &Case) -> bool {
        addresses(self.also_notify) == addresses(&case.also_notify)
            && person(self.alternate) == person(case.alternate_contact.as_ref())
    }
}

fn addresses(list: &[String]) -> BTreeSet<String> {
    list.iter().filter_map(|address| said(Some(address))).map(|a| a.to_lowercase()).collect()
}

fn person(contact: Option<&Contact>) -> [Option<String>; 4] {
    let Some(contact) = contact else { return Default::default() };
    [
        said(contact.name.as_ref()),
        said(contact.company.as_ref()),
        said(contact.email.as_ref()).map(|email| email.to_lowercase()),
        said(contact.phone.as_ref()),
    ]
}

/// A text that says something.
fn said(text: Option<&String>) -> Option<String> {
    let text = text?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl Client {
    /// Makes the case's contacts these.
    pub(super) async fn set_contacts(
        &self,
        case: &CaseId,
        marker: &Marker,
        wanted: Contacts<'_>,
    ) -> Outcome {
        let own = match self.own(case, marker).await {
            Ok(own) => own,
            Err(outcome) => return outcome,
        };
        if wanted.are_of(&own) {
            let evidence = evidence(format!("case {case} has these contacts already"));
            return Outcome::Done { case: case.clone(), evidence };
        }
        if own.permissions.update_case == Some(false) {
            return refused(format!(
                "Akamai does not let this user change the contacts of case {case}{}",
                if own.is_closed() { ", which is closed" } else { "" }
            ));
        }
        let body = NewContacts::of(wanted.also_notify, wanted.alternate);
        let Ok(body) = serde_json::to_vec(&body) else {
            return refused("the contacts cannot be written as JSON".to_owned());
        };
        if body.len() >= MAX_BODY {
            return refused(format!("the contacts have {} bytes: name fewer", body.len()));
        }
        let url = self.url(&["cases", case.as_str()], &[]);
        let Exchanged { mut judged, .. } = self.write_by(Method::PATCH, url, body).await;
        match judged.class {
            Class::Done => {
                judged.evidence.message = format!("Akamai took the contacts of case {case}");
                Outcome::Done { case: case.clone(), evidence: judged.evidence }
            }
            // About this case only; it must not hold up the cases of others.
            Class::Forbidden => Outcome::Refused(judged.evidence),
            _ => not_done(judged),
        }
    }

    /// Looks whether the case's contacts are these.
    pub(super) async fn look_at_contacts(
        &self,
        case: &CaseId,
        marker: &Marker,
        wanted: Contacts<'_>,
    ) -> Look {
        let own: Result<Case, Box<Judged>> =
            self.own_to_look_at(case, marker, &mut Reads::default()).await;
        match own {
            Ok(own) if wanted.are_of(&own) => Look::Found {
                case: case.clone(),
                evidence: evidence(format!("case {case} has these contacts")),
            },
            Ok(_) => Look::Absent(evidence(format!("case {case} has other contacts"))),
            Err(judged) => failed(*judged),
        }
    }
}
