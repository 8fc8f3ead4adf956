//! A draft: a fully rendered case that has not been sent.
//!
//! What the vendor demands of it is in [`fields`] (which fields a category has) and [`problems`]
//! (everything that is wrong with a draft); [`fit`] makes texts fit the vendor's lengths; [`edit`] is
//! what a person has changed of one.

pub mod edit;
pub mod fields;
pub mod fit;
pub mod problems;

pub use edit::{DraftEdit, EditedDraft};
pub use fields::{ChoiceField, forbidden_fields, required_fields};
pub use fit::{Fitted, comment_parts, fit_attachment, fit_comment, fit_description, fit_subject};
pub use problems::{DraftProblem, drop_wrong_people};

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::File;
use super::catalog::{Catalog, Category};
use super::ids::{AccountId, Marker};
use super::incident::Incident;
use super::severity::Rank;

/// A person whom the vendor may contact besides the API client's owner; notified too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// At most 255 characters.
    pub name: Option<String>,
    /// At most 255 characters.
    pub company: Option<String>,
    /// At most 255 characters.
    pub email: Option<String>,
    /// At most 40 characters.
    pub phone: Option<String>,
}

/// The fields that only some categories have; each is a name out of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choices {
    /// TECHNICAL, MANAGED_CLOUD, SECURITY.
    pub product: Option<String>,
    /// TECHNICAL, MANAGED_CLOUD, SECURITY.
    pub problem: Option<String>,
    /// SECURITY.
    pub policy_domain: Option<String>,
    /// BILLING, BUSINESS_SUPPORT.
    pub area: Option<String>,
    /// BILLING, BUSINESS_SUPPORT.
    pub service: Option<String>,
    /// BILLING, BUSINESS_SUPPORT, for indirect contracts.
    pub parent_account: Option<String>,
    /// PROFESSIONAL_SERVICES.
    pub solution: Option<String>,
    /// PROFESSIONAL_SERVICES.
    pub package: Option<String>,
}

/// What a case is filed as where the vendor does not offer what its rule says: better in the wrong
/// place than not at all. As configured for the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The category.
    pub category: Category,
    /// *Invariant:* all that the category requires and none that it forbids.
    pub choices: Choices,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.category)?;
        for field in ChoiceField::ALL {
            if let Some(value) = field.of(&self.choices) {
                write!(f, ", {field} {value:?}")?;
            }
        }
        Ok(())
    }
}

/// How an incident stood when its draft was made. What happened to it since is news to the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// When it had last changed.
    pub at: Timestamp,
    /// How bad it was.
    pub rank: Rank,
}

impl AsOf {
    /// How it stands.
    pub fn of(incident: &Incident) -> Self {
        Self { at: incident.updated_at, rank: incident.rank }
    }
}

/// A case as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The marker that makes the case findable again.
    pub marker: Marker,
    /// The account that the case is for.
    pub account: AccountId,
    /// Its category.
    pub category: Category,
    /// One line, at most 255 UTF-16 units, ending in the marker's token.
    pub subject: String,
    /// At most 32,000 UTF-16 units.
    pub description: String,
    /// The whole description, where the vendor gets only its beginning; it is attached to the
    /// case then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_description: Option<String>,
    /// What goes along besides, once the case is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// The vendor's own severity string for this product.
    pub severity: String,
    /// The category's own fields.
    pub choices: Choices,
    /// Addresses that get the vendor's mail about the case.
    pub also_notify: Vec<String>,
    /// Whom else to contact.
    pub alternate_contact: Option<Contact>,
    /// What of the rule's wishes could not be kept, and why; for people, never sent as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What it tells of. `None` in the records of versions that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

impl Choices {
    /// Names the parent account where the vendor offers exactly one and none is named: no case of
    /// an indirect contract can go without, and there is nothing to choose. Whether it was so.
    pub fn name_the_only_parent(&mut self, category: Category, catalog: &Catalog) -> bool {
        let [only] = catalog.parent_accounts.as_slice() else { return false };
        let fills = self.parent_account.is_none()
            && matches!(category, Category::BusinessSupport | Category::Billing);
        if fills {
            self.parent_account = Some(only.clone());
        }
        fills
    }
}

impl Draft {
    /// Whether the vendor is told the same by both.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let told = |draft: &Self| Self { remarks: Vec::new(), as_of: None, ..draft.clone() };
        told(self) == told(other)
    }
}
