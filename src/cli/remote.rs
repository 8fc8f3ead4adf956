//! The running daemon as the command line sees it: its admin listener, over HTTP.
//!
//! Never sends a token in clear to another machine, never sends the token of this machine's daemon
//! elsewhere, and never takes one from the command line, where every user of the machine could read
//! it.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use super::words::shown;
use super::{ConfigArg, DEFAULT_CONFIG, contexts};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, process_env};
use crate::daemon::local_token;

/// Longer than the daemon waits for its own store, and long enough to read many files.
const PATIENCE: Duration = Duration::from_secs(60);

/// After this time a person who waits is told so.
const SILENCE: Duration = Duration::from_secs(1);

/// The most rows that one request asks for.
const PAGE: u32 = 1000;

/// So many hexadecimal digits are the whole id of an incident.
const ID: usize = 24;

/// The variable that holds the token, where it is neither in a file nor in the config.
const TOKEN_VARIABLE: &str = "CASEWRIGHT_TOKEN";

/// How to reach the daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    #[command(flatten)]
    config: ConfigArg,

    /// Where its admin listener is on this machine, if not where the config says.
    #[arg(long, env = "CASEWRIGHT_ADDRESS", value_name = "IP:PORT", conflicts_with = "url")]
    address: Option<SocketAddr>,

    /// Where its admin listener is, on this machine or, with https, on another.
    #[arg(long, env = "CASEWRIGHT_URL", value_name = "URL")]
    url: Option<Url>,

    /// Which daemon of the file of contexts (~/.config/casewright/contexts.yaml).
    #[arg(long, env = "CASEWRIGHT_CONTEXT", value_name = "NAME", conflicts_with_all = ["address", "url"])]
    context: Option<String>,

    /// The file with the token. Without it: the variable CASEWRIGHT_TOKEN, what the context says, the
    /// file beside the database, or the first of `server.admin_tokens` that stands there
    /// in clear.
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
        self.address.is_some() || self.url.is_some() || self.context.is_some()
    }

    /// Whether what is asked about can only be had from a daemon: one is named, or there are no files
    /// here and a context counts.
    pub(super) fn leads_to_a_daemon(&self) -> bool {
        let elsewhere = || matches!(contexts::target(None, process_env), Ok(Some(_)));
        self.names_a_daemon() || (!self.config.config.exists() && elsewhere())
    }

    /// The flags that reach the same daemon once more, each after a blank, for a command that is told to a
    /// person.
    pub(super) fn flags(&self) -> String {
        let config = Some(&self.config.config).filter(|path| **path != Path::new(DEFAULT_CONFIG));
        let flags = [
            ("--config", config.map(|path| path.display().to_string())),
            ("--address", self.address.map(|address| address.to_string())),
            ("--url", self.url.as_ref().map(Url::to_string)),
            ("--context", self.context.clone()),
            ("--token-file", self.token_file.as_ref().map(|path| path.display().to_string())),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
        given.map(|(flag, value)| format!(" {flag} {}", quoted(&value))).collect()
    }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@%+=,[]".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What the daemon answers if it does not do what it was asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refused {
    message: String,
    /// More, in lines, such as the mistakes of files.
    pub(super) report: Option<String>,
}

/// Nobody answers. Scripts tell it from a refusal by the exit status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreachable(String);

/// A daemon that can be asked.
pub(super) struct Remote {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

impl Remote {
    pub(super) fn of(reach: &Reach) -> anyhow::Result<Self> {
        // Mistakes in the rest of the config (a secret that only the service's environment has)
        // must not be in the way.
        let checked = Config::check(&reach.config.config, &process_env);
        let named = reach.address.is_some() || reach.url.is_some();
        let here = checked.store.is_some();
        let context = match &reach.context {
            None if named || here => None,
            name => contexts::target(name.as_deref(), process_env)?,
        };
        let base = match (&reach.url, reach.address, &context) {
            (Some(url), ..) => url.clone(),
            (None, Some(address), _) => Url::parse(&format!("http://{address}"))?,
            (None, None, Some(context)) => Url::parse(&context.url)
                .with_context(|| format!("`{}` is no address of a daemon", context.url))?,
            (None, None, None) if here => {
                Url::parse(&format!("http://{}", checked.server.admin_listen))?
            }
            (None, None, None) => bail!(
                "{} does not say where the daemon is: name the config with --config, the address \
                 with --address or --url, or a context with --context",
                reach.config.config.display()
            ),
        };
        if !may_carry_a_token(&base) {
            bail!(
                "{base} is not this machine, and the token must not cross a network in clear: use https"
            );
        }
        // The daemon of this config, and no other, knows its tokens.
        let own = reach.url.is_none() && context.is_none();
        let local = checked.store.filter(|_| own);
        let local = local.map(|store| local_token::path_of(&store.sqlite));
        let of_context = |context: &contexts::Target| {
            let in_file = context.token_file.as_ref().map(|file| read_token(file));
            let in_env = context.token_env.as_ref().map(|name| {
                let found = process_env(name).filter(|token| !token.is_empty());
                let found = found.map(|token| SecretString::from(token.trim().to_owned()));
                found.with_context(|| format!("the variable {name} of the context is not set"))
            });
            in_file.or(in_env)
        };
        let token = if let Some(file) = &reach.token_file {
            read_token(file)?
        } else if let Some(token) = process_env(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
            SecretString::from(token.trim().to_owned())
        } else if let Some(token) = context.as_ref().and_then(of_context) {
            token?
        } else if let Some(token) = local.as_deref().and_then(|file| read_token(file).ok()) {
            // Before those of the config: it is the running daemon's, whatever was changed since.
            token
        } else if let Some(token) = checked.admin_token.filter(|_| own) {
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
        Ok(Self { http: client(PATIENCE)?, base, token })
    }

    /// Waits longer for answers.
    pub(super) fn patient(self, patience: Duration) -> anyhow::Result<Self> {
        Ok(Self { http: client(patience)?, ..self })
    }

    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.ask_for(path, &[]).await
    }

    /// Something, with the entity tag of what it is now, as the daemon gave it: nobody else knows what
    /// is in one.
    pub(super) async fn get_tagged(&self, path: &[&str]) -> anyhow::Result<(Value, String)> {
        let (body, tag) = self.ask_tagged(self.http.get(self.url(path, &[])?)).await?;
        let tag = tag.with_context(|| {
            format!("the daemon at {} did not say which edit it shows", shown_base(&self.base))
        })?;
        Ok((body, tag))
    }

    /// Does something to what is as it was seen, by its entity tag.
    pub(super) async fn post_seen(&self, path: &[&str], seen: &str) -> anyhow::Result<Value> {
        self.ask(self.http.post(self.url(path, &[])?).header(IF_MATCH, seen)).await
    }

    /// Puts something in the place of what is as it was seen, by its entity tag; with the new tag.
    pub(super) async fn put_seen(
        &self,
        path: &[&str],
        body: &Value,
        seen: &str,
    ) -> anyhow::Result<(Value, String)> {
        let request = self.http.put(self.url(path, &[])?).header(IF_MATCH, seen);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let (body, tag) = self.ask_tagged(request).await?;
        Ok((body, tag.unwrap_or_default()))
    }

    /// The whole id of an incident that a person may have named by the beginning of it, or by its token.
    pub(super) async fn incident(&self, name: &str) -> anyhow::Result<String> {
        let is_whole = name.len() == ID && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_whole {
            return Ok(name.to_owned());
        }
        let found = self.get(&["api", "v1", "incidents", name]).await?;
        Ok(found.get("id").and_then(Value::as_str).unwrap_or(name).to_owned())
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

    /// The first `limit` rows of a list, page by page, and whether there are more.
    pub(super) async fn list(
        &self,
        list: &str,
        query: &[(&str, &str)],
        limit: u32,
    ) -> anyhow::Result<Value> {
        let mut rows: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let missing = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let count = missing.clamp(1, PAGE).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &count));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.ask_for(&["api", "v1", list], &query).await?;
            if let Some(Value::Array(some)) = page.get_mut(list).map(Value::take) {
                rows.extend(some);
            }
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(json!({ list: rows, "next": cursor }));
            }
        }
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Url> {
        // They lead elsewhere in any address, however they are written.
        if let Some(odd) = path.iter().find(|part| matches!(**part, "." | ".." | "")) {
            bail!("`{odd}` is no name of anything");
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // A proxy may have it below a path of its own.
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        Ok(self.ask_tagged(request).await?.0)
    }

    async fn ask_tagged(
        &self,
        request: reqwest::RequestBuilder,
    ) -> anyhow::Result<(Value, Option<String>)> {
        let base = &self.base;
        let answer = patiently(request.bearer_auth(self.token.expose_secret()).send()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                return Err(Unreachable(format!(
                    "no daemon answers at {}: does `casewright serve` run, with this config? \
                     --address says where else it may be",
                    shown_base(base)
                ))
                .into());
            }
            Err(error) => {
                let why = anyhow::Error::new(error);
                let message = format!("the daemon at {} gave no answer: {why:#}", shown_base(base));
                return Err(Unreachable(message).into());
            }
        };
        let status = answer.status();
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let text = answer.text().await?;
        let body: Value = serde_json::from_str(&text).with_context(|| {
            format!("what answers at {} is no casewright ({status})", shown_base(base))
        })?;
        if status.is_success() {
            return Ok((body, tag));
        }
        Err(refused(status.as_u16(), &body).into())
    }
}

/// Without the slash at its end.
fn shown_base(base: &Url) -> String {
    shown(base.as_str().trim_end_matches('/').trim_start_matches("http://"))
}

/// Whether a token may be sent there: over TLS, or within this machine.
fn may_carry_a_token(base: &Url) -> bool {
    let loopback = match base.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    base.scheme() == "https" || (base.scheme() == "http" && loopback)
}

/// Waits; a person at a terminal is told how long.
async fn patiently<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    let terminal = std::io::stderr().is_terminal();
    for seconds in 1_u64.. {
        tokio::select! {
            answer = &mut answer => {
                if terminal && seconds > 1 {
                    let _ = write!(std::io::stderr(), "\r\u{1b}[K");
                }
                return answer;
            }
            () = SystemClock.sleep(SILENCE) => {
                if terminal {
                    let _ = write!(std::io::stderr(), "\r\u{1b}[Kwaiting for the daemon, {seconds} s");
                }
            }
        }
    }
    answer.await
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
    let message = text("/detail").unwrap_or_else(|| "it gives no reason".to_owned());
    let hint = text("/hint").map(|hint| format!(" ({hint})")).unwrap_or_default();
    let report = body.get("report").and_then(Value::as_str).map(str::to_owned);
    Refused { message: format!("the daemon answers {status}: {message}{hint}"), report }
}

fn read_token(file: &std::path::Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the token cannot be read from {}", file.display()))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_goes_to_this_machine_or_over_tls() {
        for (url, may) in [
            ("http://127.0.0.1:8081", true),
            ("http://[::1]:8081/x", true),
            ("http://localhost", true),
            ("https://casewright.example.com", true),
            ("http://casewright.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1:8081", false),
            ("ftp://127.0.0.1", false),
        ] {
            assert_eq!(may_carry_a_token(&Url::parse(url).unwrap()), may, "{url}");
        }
    }

    #[test]
    fn a_word_is_one_word_for_a_shell() {
        for (word, told) in [
            ("http://127.0.0.1:8081/", "http://127.0.0.1:8081/"),
            ("my token", "'my token'"),
            ("\"edits-1\"", "'\"edits-1\"'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), told);
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_hint() {
        let body = json!({ "detail": "no", "hint": "do this", "report": "l1\nl2" });
        let refused = refused(409, &body);
        assert_eq!(refused.to_string(), "the daemon answers 409: no (do this)");
        assert_eq!(refused.report.as_deref(), Some("l1\nl2"));
    }
}
