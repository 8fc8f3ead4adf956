//! The one place through which everything passes that a person has done: it is on record before it
//! is begun, and how it ended is on record before it is answered.
//!
//! Never change anything for a person beside [`People::act`].

use std::fmt::Display;
use std::future::Future;
use std::net::IpAddr;

use super::People;
use crate::domain::access::Who;
use crate::domain::audit::{Act, Asked, Deed, End, Entry, Object};
use crate::store::StoreError;

impl People {
    /// Does `work` and puts it on record; `came_of` says what a result means. Where the record
    /// cannot be begun, nothing is done.
    ///
    /// # Errors
    ///
    /// The work's, or the store's before the work.
    pub async fn act<T, E: From<StoreError> + Display>(
        &self,
        by: &Who,
        act: Act,
        object: &Object,
        detail: &str,
        work: impl Future<Output = Result<T, E>>,
        came_of: impl FnOnce(&T) -> End,
    ) -> Result<T, E> {
        let deed = Deed::of(by, act, object, detail, self.clock.now());
        let number = self.store.begin_act(&deed).await?;
        let worked = work.await;
        let end = match &worked {
            Ok(result) => came_of(result),
            Err(error) => End::failed(error),
        };
        // What was done is done, and is not denied because of its record, which says that it was
        // begun and not how it ended.
        if let Err(error) = self.store.end_act(number, &end, self.clock.now()).await {
            let (who, act) = (&deed.who, act.name());
            tracing::error!(%error, ?who, act, "how an act ended could not be put on record: {error}");
        }
        worked
    }

    /// Puts on record that something was refused to somebody who was recognised.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn refused(
        &self,
        by: &Who,
        act: Act,
        object: &Object,
        why: impl Display + Send,
    ) -> Result<(), StoreError> {
        let end = End::refused(why);
        self.act(by, act, object, "", async { Ok(()) }, |()| end).await
    }

    /// Puts on record that somebody who was not recognised wanted to be let in.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn turned_away(
        &self,
        from: Option<IpAddr>,
        why: impl Display + Send,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let deed = Deed::of_a_stranger(from, Act::Login, &Object::Console, now);
        let end = End::refused(why);
        let number = self.store.begin_act(&deed).await?;
        self.store.end_act(number, &end, now).await
    }

    /// The newest entries of the record, newest first, at most `limit`, and whether there are more.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn acts(&self, asked: &Asked, limit: u32) -> Result<(Vec<Entry>, bool), StoreError> {
        let mut entries = self.store.acts(asked, limit.saturating_add(1)).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = entries.len() > most;
        entries.truncate(most);
        Ok((entries, more))
    }
}
