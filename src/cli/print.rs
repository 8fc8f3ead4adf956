//! What commands print, and in which form: one door for all of it.
//!
//! *Invariant:* nothing that steers a terminal, hides or turns text around leaves through here, whoever
//! wrote it. A text shows that it stands there; data for scripts has it escaped as its format does it, so
//! that it is the same data. Only the colours of [`tell_wrong`] and the clearing of [`Watch`] are ours.

use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use clap::ValueEnum;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use serde_saphyr::DoubleQuoted;

use crate::clock::{Clock as _, SystemClock};
use crate::config::diagnostic::Diagnostics;
use crate::domain::text::{is_hidden, visible};

/// How often what is watched is asked for.
const WATCHED: Duration = Duration::from_secs(2);

/// Writes to standard output. A reader that has gone (`| head`) is no error.
pub(super) fn say(text: &str) {
    let _ = said(text);
}

/// As [`say`]; whether somebody still reads it.
pub(super) fn said(text: &str) -> bool {
    put(&mut std::io::stdout().lock(), text).is_ok()
}

/// The door.
fn put(to: &mut impl Write, text: &str) -> std::io::Result<()> {
    writeln!(to, "{}", visible(text))
}

/// Writes to standard error, for what is not the result.
pub(super) fn tell(text: &str) {
    let _ = put(&mut std::io::stderr().lock(), text);
}

/// Writes what is wrong with files to standard error, in colours where somebody sees them. What stands in
/// the files is made visible by who draws it.
pub(super) fn tell_wrong(diagnostics: &Diagnostics) {
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = writeln!(std::io::stderr().lock(), "{}", diagnostics.render(coloured));
}

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a person, and waits for the line that answers.
pub(super) fn ask(question: &str) -> std::io::Result<String> {
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{}", visible(question))?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer)
}

/// JSON for scripts, which may be looked at in a terminal: serde escapes what ASCII has of control
/// characters, and what else is hidden is escaped as JSON does it.
pub(super) fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(escaped(&serde_json::to_string_pretty(value)?, |char| {
        let mut units = [0; 2];
        char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    }))
}

/// YAML, with the same promise. Only between double quotes a character can be escaped.
fn yaml(value: &Value) -> Result<String, serde_saphyr::ser_error::Error> {
    let text = serde_saphyr::to_string(&Quoted(value))?;
    // The door ends the last line; more of its ends may be a text's own.
    Ok(escaped(text.strip_suffix('\n').unwrap_or(&text), |char| match u32::from(char) {
        code @ 0..=0xffff => format!("\\u{code:04X}"),
        code => format!("\\U{code:08X}"),
    }))
}

/// What is hidden stands in strings only: no format has it between them.
fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) {
            out.push_str(&escape(char));
        } else {
            out.push(char);
        }
    }
    out
}

/// A value whose strings are put between double quotes if there is something hidden in them.
struct Quoted<'v>(&'v Value);

impl Serialize for Quoted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if text.chars().any(is_hidden) => {
                DoubleQuoted(text).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Quoted)),
            Value::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object {
                    if key.chars().any(is_hidden) {
                        map.serialize_entry(&DoubleQuoted(key), &Quoted(value))?;
                    } else {
                        map.serialize_entry(key, &Quoted(value))?;
                    }
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// For whom answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Style {
    /// For people.
    #[default]
    Text,
    /// For scripts.
    Json,
    /// For scripts and people.
    Yaml,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
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
            _ if self.json => json_text(answer)?,
            Style::Json => json_text(answer)?,
            Style::Yaml => yaml(answer)?,
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
    /// Whether to.
    pub(super) fn is_on(self) -> bool {
        self.watch
    }

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
                if self.watch && !form.is_data() && std::io::stdout().is_terminal() {
                    // Home, and everything below goes.
                    let _ = write!(std::io::stdout(), "\u{1b}[H\u{1b}[2J");
                }
                if !said(&shown) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

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

    const HOSTILE: &str = "safe\u{202e}gpj\u{1b}[2J\u{9b}\u{7f}\u{200b}\u{e0041}\r\n\ttab";

    #[test]
    fn scripts_get_the_same_data_and_a_terminal_nothing_that_steers_it() {
        let answer = json!({ HOSTILE: [HOSTILE, { "plain": HOSTILE }], "other": "" });
        for (text, read) in [
            (
                json_text(&answer).unwrap(),
                serde_json::from_str::<Value>(&json_text(&answer).unwrap()).unwrap(),
            ),
            (yaml(&answer).unwrap(), serde_saphyr::from_str(&yaml(&answer).unwrap()).unwrap()),
        ] {
            assert!(!text.chars().any(|char| is_hidden(char) || char == '\r'), "{text:?}");
            assert_eq!(visible(&text), text, "and the door has nothing to do");
            assert_eq!(read, answer, "{text}");
        }
    }

    #[test]
    fn nothing_goes_through_the_door_as_a_stranger_wrote_it() {
        let mut out = Vec::new();
        put(&mut out, &format!("one\n{HOSTILE}")).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.chars().any(|char| is_hidden(char) || char == '\r'), "{out:?}");
        assert!(out.starts_with("one\nsafe\\u{202e}gpj\\u{1b}[2J\\u{9b}"), "{out}");
    }

    proptest! {
        #[test]
        fn whatever_a_stranger_wrote_is_read_back_from_yaml_as_it_was(
            text in "(\\PC|[\u{0}-\u{20}\u{7f}-\u{a0}\u{200b}-\u{202e}\u{2066}\u{feff}'\": #-]){0,30}"
        ) {
            let answer = json!({ "a": [text.clone()], "b": { "c": text } });
            // With the end of the last line, which is the door's.
            let shown = yaml(&answer).unwrap() + "\n";
            prop_assert!(!shown.chars().any(is_hidden), "{:?}", shown);
            let read: Value = serde_saphyr::from_str(&shown).unwrap();
            prop_assert_eq!(read, answer, "{}", shown);
        }
    }
}
