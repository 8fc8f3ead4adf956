//! What the clients of all targets have in common: who the target is, and a way there that outlives
//! a reload.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use crate::clock::Clock;
use crate::domain::pace::Rate;
use crate::vendors::transport::{SetUpError, Transport};

/// Where a target is, and who we are there.
pub trait Settings {
    /// What people call the target.
    const WHO: &'static str;
    /// Where its credentials stand in the config.
    const CREDENTIALS: &'static str;

    /// How long a request may take, and how many there may be.
    fn pace(&self) -> (Duration, Rate);
}

/// A client of a target.
pub struct Client<S> {
    pub(super) settings: S,
    pub(super) exchange: Exchange,
}

impl<S: Settings> Client<S> {
    /// A client over the network.
    ///
    /// # Errors
    ///
    /// A machine on which no HTTP client can be made.
    pub fn new(settings: S, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let exchange = Exchange::new(S::WHO, S::CREDENTIALS, settings.pace(), clock)?;
        Ok(Self { settings, exchange })
    }

    /// A client over any transport.
    pub fn with_transport(
        settings: S,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let exchange = Exchange::over(S::WHO, S::CREDENTIALS, settings.pace(), transport, clock);
        Self { settings, exchange }
    }

    /// A client with other settings. Requests of both count against one rate.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub fn successor(&self, settings: S) -> Result<Self, SetUpError> {
        let exchange = self.exchange.successor(settings.pace())?;
        Ok(Self { settings, exchange })
    }

    /// From now on its rate counts.
    pub fn take_over(&self) {
        self.exchange.take_over();
    }
}
