//! The running daemon as the command line sees it: its admin listener, over HTTP.
//!
//! Never sends a token in clear to another machine, never sends the token of this machine's daemon
//! elsewhere, and never takes one from the command line, where every user of the machine could read
//! it.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use super::{ConfigArg, contexts, said};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, process_env};
use crate::daemon::local_token;

/// Longer than the daemon waits for its own store, and long enough to read many files.
const PATIENCE: Duration = Duration::from_secs(60);

/// After this time a person who waits is told so.
const SILENCE: Duration = Duration::from_secs(1);

/// How often what is watched is asked for.
const WATCHED: Duration = Duration::from_secs(2);

/// The most rows that one request asks for.
const PAGE: u32 = 1000;

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
}

/// For whom answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Style {
    /// For people.
    Text,
    /// For scripts.
    Json,
    /// For scripts and people.
    Yaml,
}

/// How to print.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Form {
    /// For people or for scripts.
    #[arg(long, value_enum, default_value = "text")]
    output: Style,

    /// The same as `--output json`.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Form {
    /// Whether it is for scripts.
    pub(super) fn is_data(self) -> bool {
        self.json || self.output != Style::Text
    }

    /// An answer in this form.
    pub(super) fn render(
        self,
        answer: &Value,
        text: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<String> {
        Ok(match self.output {
            _ if self.json => serde_json::to_string_pretty(answer)?,
            Style::Json => serde_json::to_string_pretty(answer)?,
            Style::Yaml => serde_saphyr::to_string(answer)?.trim_end().to_owned(),
            Style::Text => text(answer),
        })
    }
}

/// Whether to go on showing what changes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Watch {
    /// Go on showing it: drawn anew on a terminal, else printed whenever it has changed.
    #[arg(long, short)]
    watch: bool,
}

impl Watch {
    /// Prints what `ask` gets, once or for ever.
    pub(super) async fn show<F: Future<Output = anyhow::Result<Value>>>(
        self,
        form: Form,
        ask: impl Fn() -> F,
        text: impl Fn(&Value) -> String,
    ) -> anyhow::Result<()> {
        let mut before = None;
        loop {
            let shown = form.render(&ask().await?, &text)?;
            if before.as_ref() != Some(&shown) {
                let redraws = self.watch && !form.is_data() && std::io::stdout().is_terminal();
                let text =
                    if redraws { format!("\u{1b}[H\u{1b}[2J{shown}") } else { shown.clone() };
                if !said(&text) {
                    return Ok(());
                }
            }
            before = Some(shown);
            if !self.watch {
                return Ok(());
            }
            SystemClock.sleep(WATCHED).await;
        }
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
        let text = answer.text().await?;
        let body: Value = serde_json::from_str(&text).with_context(|| {
            format!("what answers at {} is no casewright ({status})", shown_base(base))
        })?;
        if status.is_success() {
            return Ok(body);
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

/// How wide the terminal is that is printed to; `None` if none is.
fn width() -> Option<usize> {
    // Tests compare texts wherever they run.
    if cfg!(test) || !std::io::stdout().is_terminal() {
        return None;
    }
    columns().filter(|columns| *columns > 0)
}

#[cfg(target_os = "linux")]
fn columns() -> Option<usize> {
    Some(rustix::termios::tcgetwinsize(std::io::stdout()).ok()?.ws_col.into())
}

/// Elsewhere nobody can be asked.
#[cfg(not(target_os = "linux"))]
fn columns() -> Option<usize> {
    None
}

/// Rows below a head, each column as wide as its widest text. A text that is longer than [`WIDEST`]
/// is cut, and on a terminal so much of the widest columns that a row fits a line.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    table_within(head, rows, width())
}

/// No column is made narrower than this, or a row would tell nothing.
const NARROWEST: usize = 8;

fn table_within(head: &[&str], rows: &[Vec<String>], line_width: Option<usize>) -> Vec<String> {
    let mut widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let of = |row: &Vec<String>| row.get(column).map_or(0, |text| text.chars().count());
            let head = head.get(column).map_or(0, |text| text.chars().count());
            rows.iter().map(of).max().unwrap_or(0).min(WIDEST).max(head)
        })
        .collect();
    if let Some(line_width) = line_width {
        // The first column is what a person copies: it stays whole.
        while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > line_width {
            let widest = widths.iter_mut().skip(1).max().filter(|width| **width > NARROWEST);
            let Some(widest) = widest else { break };
            *widest -= 1;
        }
    }
    let cut = |text: &str, width: usize| match text.char_indices().nth(width) {
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    };
    let line = |texts: Vec<&str>| {
        let cells: Vec<String> = texts
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{:<width$}", cut(text, *width), width = width))
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
    fn a_row_fits_the_terminal_and_its_first_column_stays_whole() {
        let rows = [vec!["0123456789abcdef".to_owned(), "x".repeat(60), "y".repeat(20)]];
        let lines = table_within(&["ID", "TITLE", "RULE"], &rows, Some(60));
        assert_eq!(lines[1].chars().count(), 60, "{lines:#?}");
        assert!(lines[1].starts_with("0123456789abcdef  x") && lines[1].ends_with(&"y".repeat(20)));
        // Too narrow for anything: it is as narrow as it may be.
        let lines = table_within(&["ID", "TITLE", "RULE"], &rows, Some(5));
        assert_eq!(lines[1], "0123456789abcdef  xxxxxxx…  yyyyyyy…");
    }

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
    fn an_answer_is_printed_as_is_asked_for() {
        let form = |output, json| Form { output, json };
        let answer = json!({ "a": [1] });
        let render = |form: Form| form.render(&answer, |_| "text".to_owned()).unwrap();
        assert_eq!(render(form(Style::Text, false)), "text");
        assert_eq!(render(form(Style::Yaml, false)), "a:\n- 1");
        assert_eq!(render(form(Style::Text, true)), render(form(Style::Json, false)));
        assert!(form(Style::Yaml, false).is_data() && !form(Style::Text, false).is_data());
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
        let body = json!({ "detail": "no", "hint": "do this", "report": "l1\nl2" });
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
