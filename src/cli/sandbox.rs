//! `casewright sandbox`: the simulation alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::print::say;
use super::shutdown;
use crate::daemon::World;
use crate::sandbox::{Options, Sandbox};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen; loopback only, because its credentials are known to everyone.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// A file that keeps its cases over a restart.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Decides which requests a fault with a `share` strikes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) async fn run(args: Args, world: World<'_>) -> anyhow::Result<ExitCode> {
    let options =
        Options { listen: args.listen, state: args.state, seed: args.seed, ..Options::default() };
    let sandbox = Sandbox::start(options, world.clock.clone()).await?;
    let base = sandbox.base_url();
    let credentials = sandbox.credentials();
    say(&format!(
        "The simulation listens at {base}. In casewright.yaml:

vendors:
  - name: akamai
    kind: akamai
    base_url: {base}
    credentials:
      client_token: {}
      client_secret: {}
      access_token: {}

Its cases:  curl {base}/sandbox/cases
Faults:     curl -X PUT {base}/sandbox/faults -d '{{\"faults\":[{{\"kind\":\"drop_after_commit\",\"on\":\"create\",\"every\":2}}]}}'
Stop it with Ctrl-C.",
        credentials.client_token, credentials.client_secret, credentials.access_token,
    ));
    shutdown::requested().await?;
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}
