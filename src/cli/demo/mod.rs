//! `casewright demo`: the whole way from alert to case on this machine, with nothing installed.
//!
//! It starts the simulated vendor and the daemon with the example config, sends webhooks over real
//! HTTP, authenticated and signed, waits until everything is settled, and reads the cases back
//! through the vendor's API. Nothing in it knows the outcome in advance except the list of what
//! must exist, against which the vendor's answers are compared.

mod files;
mod report;
mod scene;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sha2::Sha256;

use self::report::{CaseRow, Report, case_row};
use self::scene::{EXPECTED, Post, acts};
use super::print::{json_text, say, tell};
use super::{Output, shutdown};
use crate::config::{Config, SourceKind};
use crate::daemon::{Daemon, World, local_token};
use crate::setup;
use crate::store::lists::DeliveriesSought;
use crate::vendors::akamai::Client;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,

    /// Leave daemon and simulation running afterwards, and say how to post to them.
    #[arg(long)]
    keep: bool,
}

/// How long everything together may take to settle.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &Args, world: World<'static>) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("casewright-demo-").tempdir()?;
    let config = files::unpack(folder.path()).context("cannot write the example config")?;
    let (setup, diagnostics) = setup::load(&config, world.env);
    let Some(mut setup) = setup else {
        bail!("the example config is not good:\n{}", diagnostics.render(false));
    };
    // Any free ports: the demo must not mind a daemon that runs already.
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    setup.config.server.listen = anywhere;
    setup.config.server.admin_listen = anywhere;
    let secrets = Secrets::of(&setup.config)?;
    let token = local_token::path_of(&setup.config.store.sqlite);
    let daemon = Daemon::start(setup, world.clone()).await?;
    let report = play(&daemon, &secrets, &world, args.output).await;
    match &report {
        Ok(report) => match args.output {
            Output::Text => say(&report.text()),
            Output::Json => say(&json_text(report)?),
        },
        Err(error) => tell(&format!("error: {error:#}")),
    }
    if args.keep {
        tell(&how_to_post(&daemon, &secrets, &token));
        shutdown::requested().await?;
    }
    daemon.stop().await;
    let good = report.is_ok_and(|report| report.ok);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells the story to the daemon and reads from the vendor what came of it.
async fn play(
    daemon: &Daemon,
    secrets: &Secrets,
    world: &World<'_>,
    output: Output,
) -> anyhow::Result<Report> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    for act in acts(world.clock.now()) {
        for post in act {
            let fate = send(&http, daemon.webhooks, secrets, &post).await?;
            if output == Output::Text {
                say(&format!("{:<13} {:<49} {fate}", post.source, post.story));
            }
        }
        settle(daemon, world).await?;
    }
    if output == Output::Text {
        say("");
    }
    let mut problems = Vec::new();
    let mut cases = Vec::new();
    for (vendor, client) in &daemon.clients {
        match read_back(client).await {
            Ok(found) => cases.extend(found),
            Err(why) => problems.push(format!("vendor {vendor} could not be read: {why}")),
        }
    }
    let deliveries = daemon.store.seek_deliveries(&DeliveriesSought::default(), 1_000).await?.items;
    let incidents = daemon.store.incidents(1_000).await?;
    Ok(Report::of(&deliveries, &incidents, cases, &EXPECTED, problems))
}

/// Posts a webhook as its sender would, and returns what the daemon says became of it.
async fn send(
    http: &reqwest::Client,
    to: SocketAddr,
    secrets: &Secrets,
    post: &Post,
) -> anyhow::Result<String> {
    let mut request = http
        .post(format!("http://{to}/webhooks/{}", post.source))
        .header("Content-Type", "application/json");
    request = match post.source {
        "pagerduty" => {
            let signature = sign(&secrets.pagerduty, post.body.as_bytes())?;
            request.header("X-PagerDuty-Signature", format!("v1={signature}"))
        }
        _ => request.bearer_auth(&secrets.alertmanager),
    };
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let answer = request.body(post.body.clone()).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the daemon answered {status} to {:?}: {text}", post.story);
    }
    let body: Value = serde_json::from_str(&text)?;
    Ok(body.get("fate").and_then(Value::as_str).unwrap_or("?").to_owned())
}

/// Waits until nothing is left to do.
async fn settle(daemon: &Daemon, world: &World<'_>) -> anyhow::Result<()> {
    let give_up = crate::time::later(world.clock.now(), PATIENCE);
    loop {
        let census = daemon.store.census().await?;
        if census.unfinished() == 0 {
            return Ok(());
        }
        if world.clock.now() > give_up {
            bail!(
                "{} actions are still unfinished after {} s",
                census.unfinished(),
                PATIENCE.as_secs()
            );
        }
        world.clock.sleep(Duration::from_millis(20)).await;
    }
}

/// Every case at the vendor, through its API: the list, then each case and its comments.
async fn read_back(client: &Client) -> Result<Vec<CaseRow>, String> {
    let mut cases = Vec::new();
    for kind in ["ALL_ACTIVE_CASES", "ALL_CLOSED_CASES"] {
        let query = [("type", kind), ("limit", "200")];
        let page = client.document(&["cases"], &query).await.map_err(|seen| seen.message)?;
        let listed = page.get("cases").and_then(Value::as_array).cloned().unwrap_or_default();
        for item in listed {
            let id = item.get("caseId").and_then(Value::as_str).unwrap_or_default();
            let case = client.document(&["cases", id], &[]).await.map_err(|seen| seen.message)?;
            let comments = client
                .document(&["cases", id, "comments"], &[])
                .await
                .map_err(|seen| seen.message)?;
            cases.push(case_row(&case, &comments));
        }
    }
    cases.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(cases)
}

/// What the senders of the demo know.
struct Secrets {
    alertmanager: String,
    pagerduty: String,
}

impl Secrets {
    fn of(config: &Config) -> anyhow::Result<Self> {
        let mut alertmanager = None;
        let mut pagerduty = None;
        for source in &config.sources {
            match &source.kind {
                SourceKind::Alertmanager { auth } => alertmanager = auth.bearer.first(),
                SourceKind::PagerDuty { secrets, .. } => pagerduty = secrets.first(),
            }
        }
        Ok(Self {
            alertmanager: alertmanager.context("no bearer token")?.expose_secret().to_owned(),
            pagerduty: pagerduty.context("no secret")?.expose_secret().to_owned(),
        })
    }
}

/// PagerDuty's signature: HMAC-SHA256 over the raw body, in hex.
fn sign(secret: &str, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

fn how_to_post(daemon: &Daemon, secrets: &Secrets, token: &Path) -> String {
    let token = token.display();
    let Secrets { alertmanager, pagerduty } = secrets;
    let (webhooks, admin) = (daemon.webhooks, daemon.admin);
    let sandbox = daemon.sandboxes.first().map(|sandbox| sandbox.base_url()).unwrap_or_default();
    format!(
        r#"
Daemon and simulation go on until Ctrl-C. In another terminal:

# an alert that opens a case
curl -i http://{webhooks}/webhooks/alertmanager -H 'Authorization: Bearer {alertmanager}' -H 'Content-Type: application/json' -d '{{"version":"4","receiver":"me","groupKey":"{{}}:{{}}","status":"firing","alerts":[{{"status":"firing","labels":{{"alertname":"ConnectedCacheDown","site":"AMS-2","severity":"critical"}},"annotations":{{"summary":"No answer"}},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}}]}}'

# a PagerDuty event, signed
BODY='{{"event":{{"id":"mine-1","event_type":"incident.triggered","resource_type":"incident","occurred_at":"2026-01-01T00:00:00Z","data":{{"id":"QMINE","type":"incident","status":"triggered","title":"Players buffer","urgency":"high","service":{{"id":"P1","summary":"VOD delivery"}}}}}}}}'
curl -i http://{webhooks}/webhooks/pagerduty -H "X-PagerDuty-Signature: v1=$(printf %s "$BODY" | openssl dgst -sha256 -hmac '{pagerduty}' -r | cut -d' ' -f1)" -H 'Content-Type: application/json' -d "$BODY"

# what the vendor has, and how the daemon is
curl {sandbox}/sandbox/cases
curl http://{admin}/metrics

# the console, and the token to log in with
http://{admin}/
cat {token}"#
    )
}
