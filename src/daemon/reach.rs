//! How a configured vendor is reached: over the network, or as a simulation inside this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::World;
use super::parts::{self, Client};
use crate::clock::Clock;
use crate::config::{VendorConfig, VendorKind};
use crate::sandbox::{self, Sandbox};
use crate::vendors::Vendor;
use crate::vendors::akamai::edgerc::Access;

/// A vendor that can be asked.
pub struct Reached {
    /// What asks it.
    pub(super) client: Client,
    /// The simulation, if it is one, and who may talk to it. It is to be stopped at the end.
    pub simulation: Option<(Sandbox, Access)>,
}

impl Reached {
    /// What asks it, whatever it speaks.
    pub fn vendor(&self) -> Arc<dyn Vendor> {
        self.client.vendor()
    }
}

/// Makes a client of a vendor; a simulation is started.
///
/// # Errors
///
/// Credentials that are not there, an address that is taken: each says what to do.
pub async fn reach(vendor: &VendorConfig, world: &World<'_>) -> anyhow::Result<Reached> {
    let simulation = match &vendor.kind {
        VendorKind::Sandbox { state, listen } => {
            let sandbox = start_sandbox(*listen, state.clone(), &world.clock).await?;
            let access = parts::sandbox_access(&sandbox)?;
            Some((sandbox, access))
        }
        VendorKind::Akamai { .. } | VendorKind::Http(_) => None,
    };
    let access = simulation.as_ref().map(|(_, access)| access.clone());
    let client = Client::new(vendor, access, world.env, &world.clock, &world.rng)?;
    Ok(Reached { client, simulation })
}

async fn start_sandbox(
    listen: Option<SocketAddr>,
    state: Option<PathBuf>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Sandbox> {
    let default = sandbox::Options::default();
    let options = sandbox::Options { listen: listen.unwrap_or(default.listen), state, ..default };
    let sandbox = Sandbox::start(options, clock.clone()).await?;
    warn!("cases go to a simulation at {}; no vendor hears of them", sandbox.base_url());
    Ok(sandbox)
}
