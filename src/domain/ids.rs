//! Names and identifiers as types, so that a rule's name is never taken for a source's.
//!
//! They are made at the borders (config, sources, vendors, store) and not checked again inside.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that the caller has already checked.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// The name of a configured source, as in `POST /webhooks/{source}`.
    SourceName
}
text_id! {
    /// The name of a rule, unique over all rule files.
    RuleName
}
text_id! {
    /// Within which identities are compared: the name of a rule, unless rules share one.
    Scope
}
text_id! {
    /// The name of a configured vendor.
    VendorName
}
text_id! {
    /// What a sender uses to tell one alert from another: 16 hex digits from Alertmanager, the
    /// incident's id from PagerDuty. Opaque.
    Fingerprint
}
text_id! {
    /// The vendor's number of a case, such as `F-CS-1234567`.
    CaseId
}
text_id! {
    /// The vendor's id of an account, such as `A-CCT7890`.
    AccountId
}
text_id! {
    /// The id of one webhook request; it follows an alert through logs, store and attempts.
    DeliveryId
}
text_id! {
    /// The random id of one store, made when the store is created. It is part of every
    /// [`IncidentId`], so that two installations which share a vendor account (staging and
    /// production, say) never adopt each other's cases.
    InstallationId
}

/// The labels that make several alerts one incident, reduced to a digest of fixed length.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(String);

impl Identity {
    /// Derives the identity from label names and values. The order of the pairs does not matter
    /// to the caller because the map is sorted; a name with an empty value counts like a name
    /// that is absent, as it does for matchers.
    pub fn of(labels: &super::alert::Labels) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            // Lengths first: no choice of names and values can imitate another set.
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
        }
        Self(hex::encode(hash.finalize()))
    }

    /// Takes back an identity that the store has kept.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 64 lower-case hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What one incident is about: the unit of deduplication and of locking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentKey {
    /// Within which the identity counts.
    pub scope: Scope,
    /// The identity within the scope.
    pub identity: Identity,
}

/// The id of an incident: 24 hex digits derived from installation, scope, identity and generation.
///
/// Being derived, it needs no random source, is unique by construction, and is at the same time
/// the incident's [`Marker`] at the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(String);

impl IncidentId {
    /// Derives the id of the given generation of an incident.
    pub fn derive(installation: &InstallationId, key: &IncidentKey, generation: u32) -> Self {
        let mut hash = Sha256::new();
        for part in [installation.as_str(), key.scope.as_str(), key.identity.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(generation.to_be_bytes());
        let mut digits = hex::encode(hash.finalize());
        digits.truncate(24);
        Self(digits)
    }

    /// Takes back an id that the store has kept or a person has typed.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 24 lower-case hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The marker that ties a case at the vendor to this incident.
    pub fn marker(&self) -> Marker {
        Marker(format!("cw-{}", self.0))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The unique text that ties a case at the vendor to our incident.
///
/// It goes whole into `customerTrackingNumber` (27 ASCII characters; the vendor documents no
/// limit, its sibling field has 30) and, shortened to a [token](Marker::token), to the end of the
/// subject, because the vendor's list shows subjects but not tracking numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marker(String);

impl Marker {
    /// The whole marker, such as `cw-9f3a1c7be2d044580a1b2c3d`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The short form that ends a subject, such as `[cw-9f3a1c7be2d0]`.
    pub fn token(&self) -> String {
        let short: String = self.0.chars().take(15).collect();
        format!("[{short}]")
    }

    /// The form that ends the text of a comment or closure request: the incident's token and the
    /// action's place in the incident's order, such as `[cw-9f3a1c7be2d0-3]`.
    pub fn action_token(&self, seq: u32) -> String {
        let short: String = self.0.chars().take(15).collect();
        format!("[{short}-{seq}]")
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One action: its incident and its place in the incident's order, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId {
    /// The incident that the action belongs to.
    pub incident: IncidentId,
    /// Actions of one incident run in this order.
    pub seq: u32,
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.incident, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Labels;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn key(rule: &str, pairs: &[(&str, &str)]) -> IncidentKey {
        IncidentKey { scope: rule.into(), identity: Identity::of(&labels(pairs)) }
    }

    #[test]
    fn identity_tells_values_apart_even_where_their_concatenation_is_equal() {
        assert_ne!(Identity::of(&labels(&[("ab", "c")])), Identity::of(&labels(&[("a", "bc")])));
        assert_ne!(
            Identity::of(&labels(&[("a", "1"), ("b", "2")])),
            Identity::of(&labels(&[("a", "1b2")]))
        );
    }

    #[test]
    fn an_absent_label_and_an_empty_one_are_the_same_identity() {
        assert_eq!(
            Identity::of(&labels(&[("a", "1"), ("b", "")])),
            Identity::of(&labels(&[("a", "1")]))
        );
    }

    #[test]
    fn incident_ids_differ_by_installation_rule_identity_and_generation() {
        let a = InstallationId::new("a");
        let base = IncidentId::derive(&a, &key("r", &[("x", "1")]), 1);
        assert_eq!(base, IncidentId::derive(&a, &key("r", &[("x", "1")]), 1));
        for other in [
            IncidentId::derive(&InstallationId::new("b"), &key("r", &[("x", "1")]), 1),
            IncidentId::derive(&a, &key("s", &[("x", "1")]), 1),
            IncidentId::derive(&a, &key("r", &[("x", "2")]), 1),
            IncidentId::derive(&a, &key("r", &[("x", "1")]), 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn marker_fits_the_tracking_number_and_its_token_is_a_prefix() {
        let id = IncidentId::derive(&InstallationId::new("a"), &key("r", &[]), 1);
        let marker = id.marker();
        assert_eq!(marker.as_str().len(), 27);
        assert!(marker.as_str().is_ascii());
        let token = marker.token();
        assert!(marker.as_str().starts_with(token.trim_matches(['[', ']'])));
        assert_eq!(marker.action_token(3), format!("{}-3]", token.trim_end_matches(']')));
    }
}
