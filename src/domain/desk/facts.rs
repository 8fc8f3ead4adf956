//! What templates of a desk find under their names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::draft::{ChoiceField, Contact, Draft};
use crate::domain::ids::{CaseId, Marker};

/// So much earlier than the first attempt tickets are looked for: our clock may have been ahead.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(72);

/// What is known when a request is made.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    marker: Option<&'a Marker>,
    token: Option<Cow<'a, str>>,
    key: Option<&'a str>,
    case: Option<&'a CaseId>,
    text: Option<&'a str>,
    since: Option<Timestamp>,
    draft: Option<&'a Draft>,
    severity: Option<&'a BTreeMap<String, String>>,
    people: Option<People<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct People<'a> {
    also_notify: &'a [String],
    contact: Option<&'a Contact>,
    /// Nobody is told as an empty text: whoever was there before is to go.
    clears: bool,
}

impl<'a> Facts<'a> {
    /// For the ticket of a draft; `severity` is what the desk has of the draft's severity.
    pub fn draft(draft: &'a Draft, severity: Option<&'a BTreeMap<String, String>>) -> Self {
        Self {
            marker: Some(&draft.marker),
            token: Some(draft.marker.token().into()),
            key: Some(draft.marker.as_str()),
            draft: Some(draft),
            severity,
            people: Some(People {
                also_notify: &draft.also_notify,
                contact: draft.alternate_contact.as_ref(),
                clears: false,
            }),
            ..Self::default()
        }
    }

    /// For something that is said on a ticket.
    pub fn note(case: &'a CaseId, marker: &'a Marker, token: &'a str, text: &'a str) -> Self {
        Self { text: Some(text), key: Some(bare(token)), ..Self::comments(case, marker, token) }
    }

    /// For the contacts of a ticket.
    pub fn contacts(
        case: &'a CaseId,
        marker: &'a Marker,
        also_notify: &'a [String],
        contact: Option<&'a Contact>,
    ) -> Self {
        let people = Some(People { also_notify, contact, clears: true });
        Self { people, ..Self::ticket(case, marker) }
    }

    /// For reading a ticket.
    pub fn ticket(case: &'a CaseId, marker: &'a Marker) -> Self {
        Self { case: Some(case), marker: Some(marker), ..Self::default() }
    }

    /// For looking for a ticket that was first asked for at `since`.
    pub fn look(marker: &'a Marker, since: Timestamp) -> Self {
        let since = Some(since.checked_sub(LOOK_BACK).unwrap_or(since));
        Self { marker: Some(marker), token: Some(marker.token().into()), since, ..Self::default() }
    }

    /// For looking for a comment.
    pub fn comments(case: &'a CaseId, marker: &'a Marker, token: &'a str) -> Self {
        Self { token: Some(token.into()), ..Self::ticket(case, marker) }
    }

    /// The value of a name as text; `None` where there is none.
    pub fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let borrowed = |text: Option<&'a str>| text.map(Cow::Borrowed);
        match name {
            "marker" => borrowed(self.marker.map(Marker::as_str)),
            "token" => self.token.clone(),
            "key" => borrowed(self.key),
            "case" => borrowed(self.case.map(CaseId::as_str)),
            "text" => borrowed(self.text),
            "since" => {
                self.since.map(|since| since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
            }
            "subject" => borrowed(self.draft.map(|draft| draft.subject.as_str())),
            "description" => borrowed(self.draft.map(|draft| draft.description.as_str())),
            "account" => borrowed(self.draft.map(|draft| draft.account.as_str())),
            "category" => borrowed(self.draft.map(|draft| draft.category.as_str())),
            "severity" => borrowed(self.draft.map(|draft| draft.severity.as_str())),
            "also_notify" => {
                let people = self.people.filter(|one| one.clears || !one.also_notify.is_empty())?;
                Some(people.also_notify.join(", ").into())
            }
            _ => {
                if let Some(field) = name.strip_prefix("severity.") {
                    return borrowed(self.severity?.get(field).map(String::as_str));
                }
                if let Some(part) = name.strip_prefix("contact.") {
                    return self.contact(part);
                }
                borrowed(ChoiceField::parse(name)?.of(&self.draft?.choices))
            }
        }
    }

    /// The addresses of `also_notify`.
    pub fn also_notify(&self) -> Option<&'a [String]> {
        let people = self.people.filter(|one| one.clears || !one.also_notify.is_empty())?;
        Some(people.also_notify)
    }

    fn contact(&self, part: &str) -> Option<Cow<'a, str>> {
        let people = self.people?;
        let value = people.contact.and_then(|contact| {
            match part {
                "name" => &contact.name,
                "company" => &contact.company,
                "email" => &contact.email,
                "phone" => &contact.phone,
                _ => &None,
            }
            .as_deref()
        });
        value.or(people.clears.then_some("")).map(Cow::Borrowed)
    }
}

/// A token without its brackets.
fn bare(token: &str) -> &str {
    token.trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::Category;
    use crate::domain::desk::scope;
    use crate::domain::draft::Choices;
    use crate::domain::ids::IncidentId;

    fn marker() -> Marker {
        IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker()
    }

    fn full() -> Draft {
        let mut choices = Choices::default();
        for field in ChoiceField::ALL {
            *field.of_mut(&mut choices) = Some(field.name().to_owned());
        }
        let text = || Some("c".to_owned());
        Draft {
            marker: marker(),
            account: "A".into(),
            category: Category::Technical,
            subject: "s [cw-9f3a1c7be2d0]".to_owned(),
            description: "d".to_owned(),
            whole_description: None,
            files: Vec::new(),
            severity: "high".to_owned(),
            choices,
            also_notify: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
            alternate_contact: Some(Contact {
                name: text(),
                company: text(),
                email: text(),
                phone: text(),
            }),
            as_of: None,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn every_name_of_every_scope_has_a_value() {
        let (draft, marker, case) = (full(), marker(), "7".into());
        let since = "2026-11-23T12:00:00Z".parse().unwrap();
        let note = Facts::note(&case, &marker, "[t]", "x");
        let contact = draft.alternate_contact.as_ref();
        for (facts, names) in [
            (Facts::draft(&draft, None), [scope::OPEN, scope::OPEN_ADDRESS].concat()),
            (note, [scope::NOTE, scope::NOTE_ADDRESS].concat()),
            (
                Facts::contacts(&case, &marker, &draft.also_notify, contact),
                scope::CONTACTS.to_vec(),
            ),
            (Facts::ticket(&case, &marker), scope::TICKET.to_vec()),
            (Facts::look(&marker, since), scope::LOOK.to_vec()),
            (Facts::comments(&case, &marker, "[t]"), scope::COMMENTS.to_vec()),
        ] {
            for name in names {
                assert!(facts.value(name).is_some_and(|value| !value.is_empty()), "{name}");
            }
        }
    }

    #[test]
    fn values_are_what_their_names_say() {
        let draft = full();
        let fields = BTreeMap::from([("impact".to_owned(), "1".to_owned())]);
        let facts = Facts::draft(&draft, Some(&fields));
        for (name, value) in [
            ("key", Some("cw-9f3a1c7be2d044580a1b2c3d")),
            ("token", Some("[cw-9f3a1c7be2d0]")),
            ("severity", Some("high")),
            ("severity.impact", Some("1")),
            ("severity.urgency", None),
            ("problem", Some("problem")),
            ("also_notify", Some("a@example.com, b@example.com")),
            ("contact.mail", None),
            ("text", None),
        ] {
            assert_eq!(facts.value(name).as_deref(), value, "{name}");
        }
        let (marker, case) = (marker(), "7".into());
        let note = Facts::note(&case, &marker, "[cw-9f3a1c7be2d0-3]", "x");
        assert_eq!(note.value("key").as_deref(), Some("cw-9f3a1c7be2d0-3"));
        let since = "2026-11-23T12:00:00.5Z".parse().unwrap();
        let look = Facts::look(&marker, since);
        assert_eq!(look.value("since").as_deref(), Some("2026-11-20T12:00:00Z"));
    }

    #[test]
    fn nobody_is_left_out_of_a_new_ticket_and_cleared_on_an_old_one() {
        let draft = Draft { also_notify: Vec::new(), alternate_contact: None, ..full() };
        let facts = Facts::draft(&draft, None);
        assert_eq!((facts.value("also_notify"), facts.value("contact.name")), (None, None));
        assert_eq!(facts.also_notify(), None);
        let (marker, case) = (marker(), "7".into());
        let facts = Facts::contacts(&case, &marker, &[], None);
        assert_eq!(facts.value("also_notify").as_deref(), Some(""));
        assert_eq!(facts.value("contact.name").as_deref(), Some(""));
        assert_eq!(facts.also_notify(), Some(&[][..]));
    }
}
