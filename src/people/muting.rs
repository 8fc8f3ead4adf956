//! Mutes for some time: made, listed and lifted by people.

use std::time::Duration;

use super::People;
use crate::domain::access::Operator;
use crate::domain::audit::{Act, End, Object};
use crate::domain::ids::RuleName;
use crate::domain::mute::Mute;
use crate::store::StoreError;
use crate::time::{duration, later};

/// The longest mute that a person can make; longer is what rules are for.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a person wants muted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The rule; `None`: all rules.
    pub rule: Option<RuleName>,
    /// For how long, from now.
    pub lasts: Duration,
    /// Why.
    pub reason: String,
}

/// Why nothing is muted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMuted {
    /// A typing error would mute nothing.
    #[error("there is no rule `{0}` that opens cases")]
    NoSuchRule(RuleName),
}

impl People {
    /// The mutes that count now, the one that ends first first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn mutes(&self) -> Result<Vec<Mute>, StoreError> {
        self.store.mutes(self.clock.now()).await
    }

    /// Mutes a rule, or everything: no case is opened until then.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn mute(
        &self,
        by: &Operator,
        wish: Wish,
    ) -> Result<Result<Mute, NotMuted>, StoreError> {
        let object = wish.rule.clone().map_or(Object::Everything, Object::Rule);
        let detail = format!("for {}: {}", duration::format(wish.lasts), wish.reason);
        let came_of = |made: &Result<Mute, NotMuted>| match made {
            Ok(mute) => End { why: format!("mute {}", mute.id), ..End::done() },
            Err(why) => End::refused(why),
        };
        self.act(by, Act::Mute, &object, &detail, self.muted(wish, &by.name), came_of).await
    }

    async fn muted(&self, wish: Wish, who: &str) -> Result<Result<Mute, NotMuted>, StoreError> {
        let Wish { rule, lasts, reason } = wish;
        if let Some(rule) =
            rule.as_ref().filter(|rule| self.playbook.get().case_rule(rule).is_none())
        {
            return Ok(Err(NotMuted::NoSuchRule(rule.clone())));
        }
        let now = self.clock.now();
        let short = u32::from_be_bytes(*self.rng.bytes().first_chunk().unwrap_or(&[0; 4]));
        let mute = Mute {
            id: format!("m-{short:08x}"),
            rule,
            until: later(now, lasts.min(LONGEST)),
            reason,
            made_by: who.to_owned(),
            created_at: now,
        };
        self.store.mute(&mute).await?;
        Ok(Ok(mute))
    }

    /// Ends a mute before its time: what still fires gets its case now. Whether there was one.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn unmute(&self, by: &Operator, id: &str) -> Result<bool, StoreError> {
        let came_of = |lifted: &bool| match lifted {
            true => End::done(),
            false => End::refused("there is no such mute"),
        };
        let object = Object::Mute(id.to_owned());
        self.act(by, Act::Unmute, &object, "", self.unmuted(id), came_of).await
    }

    async fn unmuted(&self, id: &str) -> Result<bool, StoreError> {
        let lifted = self.store.unmute(id, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(lifted)
    }
}
