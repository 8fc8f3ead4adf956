//! The running daemon as the command line sees it: its admin listener, over HTTP.
//!
//! Never sends the token anywhere but to this machine, and never takes it from the command line,
//! where every user of the machine could read it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{ConfigArg, Output};
use crate::config::{Config, process_env};
use crate::daemon::local_token;

/// Longer than the daemon waits for its own store, and long enough to read many files.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable that holds the token, where it is neither in a file nor in the config.
const TOKEN_VARIABLE: &str = "CASEWRIGHT_TOKEN";

/// How to reach the daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    #[command(flatten)]
    config: ConfigArg,

    /// Where its admin listener is, if not where the config says.
    #[arg(long, env = "CASEWRIGHT_ADDRESS", value_name = "IP:PORT")]
    address: Option<SocketAddr>,

    /// The file with the token. Without it: the variable CASEWRIGHT_TOKEN, the file beside the
    /// database, or the first of `server.admin_tokens` that stands there in clear.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Reach {
    /// Which config.
    pub(super) fn config(&self) -> &ConfigArg {
        &self.config
    }

    /// Where the daemon is, if it says so itself.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether it says itself where the daemon is.
    pub(super) fn names_a_daemon(&self) -> bool {
        self.address.is_some()
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Form {
    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,

    /// The same as `--output json`.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Form {
    pub(super) fn is_json(self) -> bool {
        self.json || self.output == Output::Json
    }
}

/// What the daemon answers if it does not do what it was asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refused {
    message: String,
    /// More, in lines, such as the mistakes of files.
    pub(super) report: Option<String>,
}

/// A daemon that can be asked.
pub(super) struct Remote {
    http: reqwest::Client,
    address: SocketAddr,
    token: SecretString,
}

impl Remote {
    pub(super) fn of(reach: &Reach) -> anyhow::Result<Self> {
        // Mistakes in the rest of the config (a secret that only the service's environment has)
        // must not be in the way.
        let checked = Config::check(&reach.config.config, &process_env);
        let address = match reach.address {
            Some(address) => address,
            None if checked.store.is_some() => checked.server.admin_listen,
            None => bail!(
                "{} does not say where the daemon is: name the config with --config, or the \
                 address with --address",
                reach.config.config.display()
            ),
        };
        if !address.ip().is_loopback() {
            bail!("{address} is not this machine, and the token must not cross a network in clear");
        }
        let local = checked.store.map(|store| local_token::path_of(&store.sqlite));
        let token = if let Some(file) = &reach.token_file {
            read_token(file)?
        } else if let Some(token) = process_env(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
            SecretString::from(token.trim().to_owned())
        } else if let Some(token) = local.as_deref().and_then(|file| read_token(file).ok()) {
            // Before those of the config: it is the running daemon's, whatever was changed since.
            token
        } else if let Some(token) = checked.admin_token {
            token
        } else {
            let beside = local.map_or_else(String::new, |file| {
                format!(
                    ": {} cannot be read (has the daemon been started, and may this user read it?)",
                    file.display()
                )
            });
            bail!(
                "there is no token{beside}; name its file with --token-file, or set {TOKEN_VARIABLE}"
            );
        };
        Ok(Self { http: client(PATIENCE)?, address, token })
    }

    /// Waits longer for answers.
    pub(super) fn patient(self, patience: Duration) -> anyhow::Result<Self> {
        Ok(Self { http: client(patience)?, ..self })
    }

    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.ask_for(path, &[]).await
    }

    pub(super) async fn ask_for(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        self.ask(self.http.get(self.url(path, query)?)).await
    }

    pub(super) async fn post(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        self.ask(self.http.post(self.url(path, query)?)).await
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<url::Url> {
        let mut url = url::Url::parse(&format!("http://{}", self.address))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let address = self.address;
        let answer = request.bearer_auth(self.token.expose_secret()).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => bail!(
                "no daemon answers at {address}: does `casewright serve` run, with this config? \
                 --address says where else it may be"
            ),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the daemon at {address} gave no answer"));
            }
        };
        let status = answer.status();
        let text = answer.text().await?;
        let body: Value = serde_json::from_str(&text)
            .with_context(|| format!("what answers at {address} is no casewright ({status})"))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(refused(status.as_u16(), &body).into())
    }
}

pub(super) fn client(patience: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience)
        .build()
}

/// What a person is told of a refusal.
fn refused(status: u16, body: &Value) -> Refused {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(shown);
    let message = text("/error/message").unwrap_or_else(|| "it gives no reason".to_owned());
    let hint = text("/error/hint").map(|hint| format!(" ({hint})")).unwrap_or_default();
    let report = body.get("report").and_then(Value::as_str).map(str::to_owned);
    Refused { message: format!("the daemon answers {status}: {message}{hint}"), report }
}

fn read_token(file: &std::path::Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the token cannot be read from {}", file.display()))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

/// A text that somebody else wrote, safe for a terminal: it moves no cursor and ends no line.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// A text of an answer; `-` if there is none.
pub(super) fn field(of: &Value, key: &str) -> String {
    match of.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => shown(text),
        Some(other) => shown(&other.to_string()),
    }
}

/// A time of an answer, to the second.
pub(super) fn time(of: &Value, key: &str) -> String {
    let text = field(of, key);
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => jiff::Timestamp::from_second(time.as_second()).unwrap_or(time).to_string(),
        Err(_) => text,
    }
}

/// Longer than any name that a person wants to read in a table.
const WIDEST: usize = 300;

/// Rows below a head, each column as wide as its widest text. A text that is longer than [`WIDEST`]
/// is cut.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let cut = |text: &String| match text.char_indices().nth(WIDEST) {
        Some(_) => text.chars().take(WIDEST - 1).chain(['…']).collect(),
        None => text.clone(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cut).collect()).collect();
    let width = |column: usize| {
        let of = |row: &Vec<String>| row.get(column).map_or(0, |text| text.chars().count());
        let head = head.get(column).map_or(0, |text| text.chars().count());
        rows.iter().map(of).max().unwrap_or(0).max(head)
    };
    let line = |texts: Vec<&str>| {
        let cells: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(column, text)| format!("{text:<width$}", width = width(column)))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(head.to_vec())).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_without_end_is_cut() {
        let lines = table(&["NAME", "OF"], &[vec!["Z".repeat(200_000), "x".to_owned()]]);
        assert_eq!(lines[1].chars().count(), WIDEST + "  x".len());
        assert!(lines[1].ends_with("Z…  x"));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [vec!["a".to_owned(), "ünf".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(table(&["X", "LAST"], &rows), ["X    LAST", "a    ünf", "bcd"]);
    }

    #[test]
    fn what_a_sender_wrote_moves_no_cursor() {
        assert_eq!(field(&json!({ "a": "x\u{1b}[2J\ny" }), "a"), "x [2J y");
    }

    #[test]
    fn a_refusal_is_told_with_its_hint() {
        let body = json!({ "error": { "message": "no", "hint": "do this" }, "report": "l1\nl2" });
        let refused = refused(409, &body);
        assert_eq!(refused.to_string(), "the daemon answers 409: no (do this)");
        assert_eq!(refused.report.as_deref(), Some("l1\nl2"));
    }

    #[test]
    fn times_are_shown_to_the_second() {
        let body = json!({ "at": "2026-08-01T10:00:00.123456Z", "none": null });
        assert_eq!(time(&body, "at"), "2026-08-01T10:00:00Z");
        assert_eq!(time(&body, "none"), "-");
    }
}
