//! What a person has changed of a draft before its case is opened.
//!
//! An edit holds only what differs from what the rule says; the rest goes on following the rule and
//! the incident. *Invariant:* it never touches the marker, the account or the category, so that the
//! case is still found again, and still filed where the rule wants it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChoiceField, Choices, Draft};

/// See the [module](self). What is `None` stays as the rule says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DraftEdit {
    /// The subject, without the token that is added at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The vendor's own severity string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Names out of the catalog.
    pub choices: Choices,
}

/// An edit as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedDraft {
    /// What was changed.
    pub edit: DraftEdit,
    /// How many edits there have been, this one included.
    pub edits: u32,
    /// Who made the last one.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl DraftEdit {
    /// The keys of what was changed, in the order of a case.
    pub fn fields(&self) -> Vec<&'static str> {
        let texts = [
            ("subject", &self.subject),
            ("description", &self.description),
            ("severity", &self.severity),
        ];
        let texts = texts.into_iter().filter(|(_, text)| text.is_some()).map(|(key, _)| key);
        let chosen = |field: &ChoiceField| field.of(&self.choices).is_some();
        texts.chain(ChoiceField::ALL.into_iter().filter(chosen).map(ChoiceField::name)).collect()
    }

    /// Whether nothing is changed: the draft is the rule's again.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    /// Whether the vendor's catalog has a say in it.
    pub fn is_about_catalog(&self) -> bool {
        self.severity.is_some() || self.choices != Choices::default()
    }

    /// Puts what was chosen over what the rule chooses.
    pub fn choose(&self, choices: &mut Choices) {
        for field in ChoiceField::ALL {
            if let Some(value) = field.of(&self.choices) {
                *field.of_mut(choices) = Some(value.to_owned());
            }
        }
    }

    /// What of it is not as a draft would say it anyway; an edit that repeats the rule is none.
    #[must_use]
    pub fn beyond(mut self, unedited: &Draft) -> Self {
        let same = |text: &Option<String>, of: &str| text.as_deref() == Some(of);
        if same(&self.subject, &unedited.subject) {
            self.subject = None;
        }
        let whole = unedited.whole_description.as_deref().unwrap_or(&unedited.description);
        if same(&self.description, whole) || same(&self.description, &unedited.description) {
            self.description = None;
        }
        if same(&self.severity, &unedited.severity) {
            self.severity = None;
        }
        for field in ChoiceField::ALL {
            if field.of(&self.choices) == field.of(&unedited.choices) {
                *field.of_mut(&mut self.choices) = None;
            }
        }
        self
    }
}

impl EditedDraft {
    /// Who has changed what, in a sentence.
    pub fn told(&self) -> String {
        format!("edited by {} at {}: {}", self.by, self.at, self.edit.fields().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::T0;

    fn edit() -> DraftEdit {
        DraftEdit {
            subject: Some("mine".to_owned()),
            choices: Choices { problem: Some("Slow".to_owned()), ..Choices::default() },
            ..DraftEdit::default()
        }
    }

    #[test]
    fn what_was_changed_is_named_by_the_keys_of_a_rule() {
        assert_eq!(edit().fields(), ["subject", "problem"]);
        assert!(!edit().is_empty() && DraftEdit::default().is_empty());
        let edited = EditedDraft { edit: edit(), edits: 2, by: "ops".to_owned(), at: T0 };
        assert_eq!(edited.told(), format!("edited by ops at {T0}: subject, problem"));
    }

    #[test]
    fn only_what_was_chosen_takes_the_place_of_the_rules_choice() {
        let mut choices = Choices {
            product: Some("Ion".to_owned()),
            problem: Some("Down".to_owned()),
            ..Choices::default()
        };
        edit().choose(&mut choices);
        assert_eq!(choices.product.as_deref(), Some("Ion"));
        assert_eq!(choices.problem.as_deref(), Some("Slow"));
    }

    #[test]
    fn texts_alone_leave_the_catalog_out() {
        let texts = DraftEdit { choices: Choices::default(), ..edit() };
        assert!(!texts.is_about_catalog() && edit().is_about_catalog());
        let severity = DraftEdit { severity: Some("1".to_owned()), ..texts };
        assert!(severity.is_about_catalog());
    }
}
