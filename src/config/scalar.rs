//! The single values that files hold: texts, numbers, durations, paths, addresses.
//!
//! A text that came from the environment is read as whatever is wanted; a quoted text is a text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::decode::{Bounded, Decode, Field, quote};
use super::yaml::{Text, Value};
use crate::time::duration;

impl Decode for String {
    fn decode(field: &Field<'_>) -> Option<Self> {
        field.reveal();
        text(field).map(str::to_owned)
    }
}

/// The text of a value that must be one.
fn text<'a>(field: &Field<'a>) -> Option<&'a str> {
    match &field.node.value {
        Value::String(text) => Some(&text.text),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            let raw = field.reader.file.slice(field.node.span);
            let key = field.path().rsplit('.').next().unwrap_or_default();
            let hint = if field.node.sensitive || key.ends_with(']') {
                "put it in quotes".to_owned()
            } else {
                format!("put it in quotes: `{key}: \"{raw}\"`")
            };
            field.expected("a text", hint);
            None
        }
        Value::Null | Value::List(_) | Value::Map(_) | Value::Broken => {
            field.expected("a text", "");
            None
        }
    }
}

impl Decode for bool {
    fn decode(field: &Field<'_>) -> Option<Self> {
        field.reveal();
        match &field.node.value {
            Value::Bool(value) => Some(*value),
            Value::String(Text { text, interpolated: true }) if text == "true" => Some(true),
            Value::String(Text { text, interpolated: true }) if text == "false" => Some(false),
            _ => {
                let hint = match field.quoted().to_lowercase().as_str() {
                    "`yes`" | "`on`" => "write `true`",
                    "`no`" | "`off`" => "write `false`",
                    _ => "write `true` or `false` without quotes",
                };
                field.expected("true or false", hint);
                None
            }
        }
    }
}

fn whole_number<T: TryFrom<i128> + FromStr>(field: &Field<'_>) -> Option<T> {
    field.reveal();
    match &field.node.value {
        Value::Int(value) => {
            let number = T::try_from(*value).ok();
            if number.is_none() {
                field.error(format!("`{}` is out of range", field.path()), "");
            }
            number
        }
        Value::String(Text { text, interpolated: true }) if text.trim().parse::<T>().is_ok() => {
            text.trim().parse().ok()
        }
        Value::String(Text { interpolated: false, text }) if text.parse::<T>().is_ok() => {
            field.expected("a whole number", "remove the quotes");
            None
        }
        _ => {
            field.expected("a whole number", "");
            None
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Decode for $type {
            fn decode(field: &Field<'_>) -> Option<Self> {
                whole_number(field)
            }
        }

        impl Bounded for $type {
            fn written(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers!(u16, u32, u64, usize);

impl Decode for f64 {
    #[expect(clippy::cast_precision_loss, reason = "limits on numbers are far below 2^53")]
    fn decode(field: &Field<'_>) -> Option<Self> {
        field.reveal();
        let number = match &field.node.value {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::String(Text { text, interpolated: true }) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            field.expected("a number", "");
        }
        number
    }
}

impl Bounded for f64 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Decode for Duration {
    fn decode(field: &Field<'_>) -> Option<Self> {
        field.reveal();
        let raw = match &field.node.value {
            Value::Int(_) => field.reader.file.slice(field.node.span),
            Value::String(text) => text.text.as_str(),
            _ => {
                field.expected("a duration", "write it as `30s`, `5m` or `1h30m`");
                return None;
            }
        };
        match duration::parse(raw) {
            Ok(duration) => Some(duration),
            Err(_) if matches!(&field.node.value, Value::String(text) if text.interpolated) => {
                let message = format!("`{}` is not a duration", field.path());
                field.error(message, "the variable must hold one, such as `1h30m`");
                None
            }
            Err(error) => {
                let hint = match duration::meant(raw) {
                    Some(meant) => format!("write `{meant}`"),
                    None => error.hint(),
                };
                field.error(format!("`{}` is not a duration: {error}", field.path()), hint);
                None
            }
        }
    }
}

impl Decode for SocketAddr {
    fn decode(field: &Field<'_>) -> Option<Self> {
        if let Value::Int(port) = &field.node.value {
            field.reveal();
            let hint = format!("for this port on this machine alone, write `127.0.0.1:{port}`");
            field.expected("an IP address and a port", hint);
            return None;
        }
        let text: String = field.decode()?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let hint = match text.rsplit_once(':') {
                    Some((_, port)) if port.parse::<u32>().is_ok_and(|port| port > 65_535) => {
                        "ports go up to 65535".to_owned()
                    }
                    Some(("localhost", port)) => {
                        format!("an IP address is needed: {}", quote(&format!("127.0.0.1:{port}")))
                    }
                    Some(("" | "*", port)) => {
                        format!("for every interface, write {}", quote(&format!("0.0.0.0:{port}")))
                    }
                    _ => "write an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`"
                        .to_owned(),
                };
                let message = format!("{} is not an address to listen on", field.quoted());
                field.error(message, hint);
                None
            }
        }
    }
}

impl Decode for PathBuf {
    /// A path relative to the folder of the file that names it; `~/` is the home folder.
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        resolve(field, &text)
    }
}

/// Resolves a path that stands in a file.
pub(super) fn resolve(field: &Field<'_>, text: &str) -> Option<PathBuf> {
    if text.is_empty() {
        field.error(format!("`{}` is an empty path", field.path()), "");
        return None;
    }
    let below_home = if text == "~" { Some("") } else { text.strip_prefix("~/") };
    let Some(below_home) = below_home else {
        return Some(field.reader.file.folder().join(text));
    };
    match (field.reader.env)("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Some(PathBuf::from(home).join(below_home)),
        None => {
            field.error(
                "`~` is not known: the environment variable `HOME` is not set",
                "write the whole path",
            );
            None
        }
    }
}

impl Decode for SecretString {
    /// Never shown, wherever it stands.
    fn decode(field: &Field<'_>) -> Option<Self> {
        field.hide();
        match &field.node.value {
            Value::String(text) => checked_secret(field, &text.text),
            Value::Broken => None,
            _ => {
                field.expected("a text", "put it in quotes");
                None
            }
        }
    }
}

/// `$NAME` is the secret itself here, and hardly ever meant.
fn warn_of_shell(field: &Field<'_>) {
    let Value::String(Text { text, interpolated: false }) = &field.node.value else { return };
    let Some(name) = text.strip_prefix('$') else { return };
    let of_name = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    if name.len() > 1 && name.chars().all(of_name) {
        field.warning(
            format!("`{}` looks like a variable, but is the secret itself", field.path()),
            "a variable of the environment is written `${NAME}`, with braces",
        );
    }
}

/// A secret that is not empty and on one line: anything else is a mistake in a file or variable.
pub(super) fn checked_secret(field: &Field<'_>, secret: &str) -> Option<SecretString> {
    warn_of_shell(field);
    let problem = if secret.is_empty() {
        "is empty"
    } else if secret.chars().any(char::is_control) {
        "holds a line break or another control character"
    } else {
        return Some(SecretString::from(secret));
    };
    let interpolated = matches!(&field.node.value, Value::String(text) if text.interpolated);
    let hint = if interpolated { "check the environment variable" } else { "" };
    field.error(format!("the secret `{}` {problem}", field.path()), hint);
    None
}

impl Decode for Url {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        let url = match Url::parse(&text) {
            Ok(url) => url,
            Err(error) => {
                // It may hold a password at a place that nobody can tell.
                field.hide();
                let message = format!("`{}` is not an address: {error}", field.path());
                field.error(message, "write it as `https://host`");
                return None;
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            field.hide();
            let message = format!("`{}` must not hold a user or a password", field.path());
            field.error(message, "remove what stands before the `@`");
            return None;
        }
        Some(url)
    }
}

impl<T: Decode> Decode for Vec<T> {
    /// A list. All items are read, so that all mistakes are found.
    fn decode(field: &Field<'_>) -> Option<Self> {
        let items: Vec<Option<T>> = field.items()?.iter().map(Field::decode).collect();
        items.into_iter().collect()
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    /// A map with free keys. All values are read, so that all mistakes are found.
    fn decode(field: &Field<'_>) -> Option<Self> {
        let entries: Vec<(String, Option<T>)> = field
            .entries()?
            .into_iter()
            .map(|(key, value)| (key.text.clone(), value.decode()))
            .collect();
        entries.into_iter().map(|(key, value)| Some((key, value?))).collect()
    }
}
