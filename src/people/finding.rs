//! An incident by what a person has of it: its id, the beginning of that, the token in a subject, or the
//! number of its case. Never guesses: what names several names none.

use super::People;
use super::record::Record;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::store::StoreError;

/// So many incidents are looked at for one name.
const LOOKED_AT: u32 = 20;

/// The fewest characters of an id that name an incident.
const FEWEST: usize = 8;

/// Why a name leads to no incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// None is named so.
    #[error("there is no such incident")]
    Nothing,
    /// It may be the beginning of an id, and too little of it.
    #[error("an incident is named by its id, or by at least {FEWEST} characters of its beginning")]
    TooShort,
    /// Several are named so, by their ids.
    #[error("several incidents begin so: {}", .0.join(", "))]
    Several(Vec<String>),
}

/// A name without what makes a token of it.
pub(super) fn bare(name: &str) -> &str {
    let name = name.trim().trim_matches(['[', ']']);
    name.strip_prefix("cw-").unwrap_or(name)
}

/// What is meant by the beginning of an id, or by the token that is made of it.
fn beginning(name: &str) -> String {
    bare(name).to_ascii_lowercase()
}

/// The only one of these ids that begins so. Not all have to: rules and alerts may be called so as well.
fn only<'i>(name: &str, ids: impl Iterator<Item = &'i IncidentId>) -> Result<IncidentId, NotFound> {
    let begun: Vec<&IncidentId> = ids.filter(|id| id.as_str().starts_with(name)).collect();
    match begun.as_slice() {
        [] => Err(NotFound::Nothing),
        [only] => Ok((*only).clone()),
        several => Err(NotFound::Several(several.iter().map(ToString::to_string).collect())),
    }
}

impl People {
    /// The incident that is named by its id, by the beginning of it, or by its token.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn find_incident(&self, name: &str) -> Result<Result<Record, NotFound>, StoreError> {
        if let Some(record) = self.record(&IncidentId::from_stored(name)).await? {
            return Ok(Ok(record));
        }
        let name = beginning(name);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Err(NotFound::Nothing));
        }
        if name.len() < FEWEST {
            return Ok(Err(NotFound::TooShort));
        }
        let about = self.store.about(&name, LOOKED_AT).await?;
        match only(&name, about.iter().map(|incident| &incident.id)) {
            Ok(id) => self.found(&id).await,
            Err(why) => Ok(Err(why)),
        }
    }

    /// The incident whose case has this number, the newest of several; or which is itself named so, as
    /// [`Self::find_incident`] does.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn find_case(&self, name: &str) -> Result<Result<Record, NotFound>, StoreError> {
        let has_it =
            |incident: &&Incident| incident.state.case().is_some_and(|case| case.as_str() == name);
        let about = self.store.about(name, LOOKED_AT).await?;
        match about.iter().find(has_it) {
            Some(incident) => self.found(&incident.id).await,
            None => self.find_incident(name).await,
        }
    }

    async fn found(&self, id: &IncidentId) -> Result<Result<Record, NotFound>, StoreError> {
        Ok(self.record(id).await?.ok_or(NotFound::Nothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_ids_begin_with_names_none() {
        let ids = ["9f3a1c7be2d0", "9f3a1c7b0000", "0123456789ab"].map(IncidentId::from_stored);
        assert_eq!(only("9f3a1c7be", ids.iter()), Ok(IncidentId::from_stored("9f3a1c7be2d0")));
        assert_eq!(only("edge5ccc", ids.iter()), Err(NotFound::Nothing));
        let several = only("9f3a1c7b", ids.iter()).unwrap_err();
        assert_eq!(several.to_string(), "several incidents begin so: 9f3a1c7be2d0, 9f3a1c7b0000");
    }

    #[test]
    fn a_token_is_the_beginning_of_an_id() {
        for name in ["[cw-9f3a1c7be2d0]", "cw-9f3a1c7be2d0", " 9F3A1C7BE2D0 "] {
            assert_eq!(beginning(name), "9f3a1c7be2d0");
        }
    }
}
