//! How everything stands, at a glance: what is open, held and failing, and how far the outbox is.

use std::time::Duration;

use serde::Serialize;

use super::{People, Standing};
use crate::domain::incident::{Hold, State};
use crate::store::StoreError;
use crate::time::between;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Glance {
    /// Incidents in each state, in the order of their lives; zeros as well.
    pub incidents: Vec<(&'static str, u64)>,
    /// Held incidents by what holds them; zeros left out.
    pub held: Vec<(&'static str, u64)>,
    /// Actions that are unfinished.
    pub unfinished: u64,
    /// For how long the oldest of them has been due; zero if none is.
    pub oldest: Duration,
    /// Actions that were given up.
    pub dead: u64,
    /// Actions of which nobody can tell whether they were done.
    pub doubtful: u64,
    /// Cases on which a vendor waits for us.
    pub waiting_for_us: u64,
    /// How the vendors, and those who are told, stand.
    pub vendors: Vec<Standing>,
}

impl Glance {
    /// How many incidents are in a state.
    pub fn count(&self, state: &str) -> u64 {
        self.incidents.iter().find(|(name, _)| *name == state).map_or(0, |(_, count)| *count)
    }

    /// Whether any vendor is left alone.
    pub fn is_gated(&self) -> bool {
        self.vendors.iter().any(|vendor| vendor.state != "open")
    }
}

impl People {
    /// How everything stands.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn glance(&self) -> Result<Glance, StoreError> {
        let census = self.store.census().await?;
        let now = self.clock.now();
        let actions = |state: &str| {
            let of = census.actions.iter().filter(|((_, known), _)| known == state);
            of.map(|(_, count)| *count).fold(0, u64::saturating_add)
        };
        let held = Hold::ALL.map(Hold::name).into_iter();
        Ok(Glance {
            incidents: State::NAMES
                .into_iter()
                .map(|state| (state, census.incidents.get(state).copied().unwrap_or(0)))
                .collect(),
            held: held
                .filter_map(|hold| Some((hold, *census.held.get(hold)?)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            unfinished: census.unfinished(),
            oldest: census.oldest_due.map_or(Duration::ZERO, |due| between(due, now)),
            dead: actions("dead"),
            doubtful: actions("held"),
            waiting_for_us: census.waiting_for_us.values().copied().fold(0, u64::saturating_add),
            vendors: self.vendors().await?,
        })
    }
}
