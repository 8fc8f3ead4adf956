//! `${NAME}` and `${NAME:-default}` in texts, from the environment.
//!
//! It happens after parsing, inside single texts: a variable can never add a key, a list item or
//! a comment, whatever it holds. `$${` stands for a `${` that is meant as such; a `$` that is not
//! followed by `{` is an ordinary character.

use std::sync::Arc;

use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::source_file::{Place, SourceFile};
use super::yaml::{Node, Text, Value};

/// Looks a variable of the environment up. An argument, so that tests need no environment.
pub type Lookup<'e> = &'e (dyn Fn(&str) -> Option<String> + Sync);

/// The environment of this process. A variable that is not UTF-8 counts as absent.
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Why a text cannot be interpolated.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    message: String,
    hint: String,
}

/// Replaces the references in every text of a tree. What cannot be replaced is reported, all of
/// it, and becomes [`Value::Broken`].
pub fn interpolate(
    node: &mut Node,
    file: &Arc<SourceFile>,
    env: Lookup<'_>,
    diagnostics: &mut Diagnostics,
) {
    match &mut node.value {
        Value::String(text) if text.text.contains("${") => match expand(&text.text, env) {
            Ok(expanded) => *text = Text { text: expanded, interpolated: true },
            Err(problem) => {
                let place = Place { file: Arc::clone(file), span: node.span };
                diagnostics.push(
                    Diagnostic::error(place, problem.message)
                        .code(Code::Variable)
                        .hint(problem.hint),
                );
                node.value = Value::Broken;
            }
        },
        Value::List(items) => {
            for item in items {
                interpolate(item, file, env, diagnostics);
            }
        }
        Value::Map(entries) => {
            for (_, value) in entries {
                interpolate(value, file, env, diagnostics);
            }
        }
        _ => {}
    }
}

fn expand(text: &str, env: Lookup<'_>) -> Result<String, Problem> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        let after = reference.get(2..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            return Err(malformed("`${` has no closing `}`"));
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
            return Err(malformed("this is not a reference to an environment variable"));
        }
        match (env(name), default) {
            // As in a shell, an empty variable counts as absent where there is a default.
            (Some(value), default) if !value.is_empty() || default.is_none() => {
                expanded.push_str(&value);
            }
            (_, Some(default)) => expanded.push_str(default),
            (_, None) => {
                return Err(Problem {
                    message: format!("the environment variable `{name}` is not set"),
                    hint: format!("set it, or give a default: `${{{name}:-default}}`"),
                });
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn malformed(message: &str) -> Problem {
    Problem {
        message: message.to_owned(),
        hint: "write `${NAME}` or `${NAME:-default}`; for the characters themselves, `$${`"
            .to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some("abc".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${TOKEN}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced() {
        for (text, expanded) in [
            ("${TOKEN}", "abc"),
            ("x-${TOKEN}-${TOKEN}-y", "x-abc-abc-y"),
            ("${EMPTY}", ""),
            ("${EMPTY:-default}", "default"),
            ("${MISSING:-}", ""),
            ("${MISSING:-a:-b}", "a:-b"),
            ("$${TOKEN}", "${TOKEN}"),
            ("$${{labels.cost}}", "${{labels.cost}}"),
            ("$5 $TOKEN $$", "$5 $TOKEN $$"),
            ("$${", "${"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn a_value_is_never_interpolated_again() {
        assert_eq!(expand("${NESTED}", &env).as_deref(), Ok("${TOKEN}"));
    }

    #[test]
    fn what_is_no_reference_is_an_error() {
        for text in ["${", "${}", "${A", "${{x}}", "${1A}", "${A-b}", "${A:-${B}}"] {
            assert!(expand(text, &env).is_err(), "{text}");
        }
        assert!(expand("${MISSING}", &env).unwrap_err().message.contains("`MISSING` is not set"));
    }
}
