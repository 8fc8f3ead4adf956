//! Where log events go: lines for people on a terminal, JSON otherwise, always to stderr.
//!
//! Texts from senders end up in log fields, so a control character must never reach the terminal
//! or start a new line: both forms escape them.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FormatFields, MakeWriter, SubscriberBuilder};

use crate::domain::text::one_line;

/// The variable that says what to log, in `tracing`'s filter syntax, such as
/// `info,casewright::dispatch=debug`.
pub const FILTER_VARIABLE: &str = "CASEWRIGHT_LOG";

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line for people.
    Human,
    /// A JSON object per line.
    Json,
}

impl Form {
    /// Human if stderr is a terminal, JSON otherwise.
    pub fn of_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be understood.
    #[error(
        "the log filter {filter:?} is not valid: {source}; write for example \"info\" or \
         \"info,casewright=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
}

/// Starts logging to stderr. `form` and `filter` come from flags and go before the terminal check
/// and before `CASEWRIGHT_LOG`; the default filter is `info`.
///
/// May be called more than once (tests do): the first call wins.
pub fn init(form: Option<Form>, filter: Option<&str>) -> Result<(), LogError> {
    let chosen = match filter {
        Some(filter) => filter.to_owned(),
        None => std::env::var(FILTER_VARIABLE).unwrap_or_default(),
    };
    let form = form.unwrap_or_else(Form::of_stderr);
    let colours = form == Form::Human
        && std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = subscriber(form, parse(&chosen)?, colours, std::io::stderr);
    // An error means that a subscriber is there already, which is then the one to use.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

fn subscriber<W>(
    form: Form,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder: SubscriberBuilder<_, _, _, W> =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    match form {
        Form::Human => Box::new(builder.fmt_fields(escaping()).finish()),
        Form::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

/// Writes fields as `message key=value`, control characters escaped.
///
/// tracing-subscriber escapes ANSI sequences (since 0.3.20) but lets line feeds through.
fn escaping() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    use tracing_subscriber::field::MakeExt as _;
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        // Written apart first: the value's own formatting may emit anything.
        let value = format!("{value:?}");
        if field.name() == "message" {
            write_plain(writer, &value)
        } else {
            write!(writer, "{}=", field.name())?;
            write_plain(writer, &value)
        }
    })
    .delimited(" ")
}

fn write_plain(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_str(&one_line(text))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form, filter: &str, colours: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let to = sink.clone();
        let subscriber = subscriber(form, parse(filter).unwrap(), colours, move || to.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "a\u{1b}[31m\nforged line\r\u{0}\u{9b}31m\u{202e}";

    #[test]
    fn control_characters_never_reach_a_terminal() {
        let log = || tracing::info!(label = %HOSTILE, other = HOSTILE, "said {HOSTILE}");
        let shown = logged(Form::Human, "info", false, log);
        assert_eq!(shown.lines().count(), 1, "{shown:?}");
        assert!(!shown.trim_end().chars().any(|char| char.is_control() || char == '\u{202e}'));
        assert!(shown.contains("label=a\\u{1b}[31m\\nforged line\\r"), "{shown}");
        let shown = logged(Form::Json, "info", false, log);
        assert_eq!(shown.lines().count(), 1, "{shown:?}");
        let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value["label"], HOSTILE);
    }

    #[test]
    fn a_line_reads_as_message_and_fields() {
        let shown = logged(Form::Human, "info", false, || {
            tracing::info!(delivery = %"d-1", alerts = 3, "delivery d-1 accepted");
        });
        assert!(shown.ends_with("delivery d-1 accepted delivery=d-1 alerts=3\n"), "{shown:?}");
    }

    #[test]
    fn the_filter_decides_and_the_default_is_info() {
        let both = || {
            tracing::debug!("quiet");
            tracing::info!("loud");
        };
        let default = logged(Form::Human, "", false, both);
        assert!(default.contains("loud") && !default.contains("quiet"));
        assert!(logged(Form::Human, "debug", false, both).contains("quiet"));
        assert!(logged(Form::Human, "error", false, both).is_empty());
    }

    #[test]
    fn a_bad_filter_is_an_error_that_says_what_to_write() {
        let error = parse("casewright=loudest").unwrap_err().to_string();
        assert!(error.contains("casewright=loudest") && error.contains("\"info\""), "{error}");
    }

    #[test]
    fn init_may_be_called_twice() {
        init(Some(Form::Json), Some("error")).unwrap();
        init(None, Some("off")).unwrap();
        assert!(init(None, Some("x=y=z")).is_err());
    }
}
