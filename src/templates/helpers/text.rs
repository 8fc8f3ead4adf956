//! Helpers that make text.

use serde_json::Value;

use super::Call;
use crate::templates::limits;
use crate::templates::text::{one_line, truncate as cut};

type Made = Result<Value, String>;

/// `default VALUE... FALLBACK`: the first that is neither missing, null nor empty; if none is, the
/// last. `0` and `false` are values.
pub(super) fn default(call: &Call<'_, '_>) -> Made {
    let last = call.count().saturating_sub(1);
    let filled = (0..last).find_map(|index| call.present(index).filter(|value| !is_empty(value)));
    match filled {
        Some(value) => Ok(value.clone()),
        None => call.value(last).cloned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `join LIST [SEPARATOR]`: the members of a list, with `, ` between them unless told otherwise.
pub(super) fn join(call: &Call<'_, '_>) -> Made {
    let Value::Array(list) = call.value(0)? else {
        return Err(format!("{} is not a list", call.describe(0)));
    };
    let separator = if call.raw(1).is_some() { call.text(1)? } else { ", ".to_owned() };
    let mut out = String::new();
    for (index, member) in list.iter().enumerate() {
        if index > 0 {
            out.push_str(&separator);
        }
        match member {
            Value::String(text) => out.push_str(text),
            Value::Number(_) | Value::Bool(_) => out.push_str(&member.to_string()),
            Value::Null => {}
            Value::Array(_) | Value::Object(_) => {
                return Err(format!(
                    "{} has members that are no text; use {{{{#each}}}}",
                    call.describe(0)
                ));
            }
        }
        bounded(out.len())?;
    }
    Ok(out.into())
}

/// `truncate TEXT COUNT`: at most so many characters, the last of which is `…` if some are cut.
pub(super) fn truncate(call: &Call<'_, '_>) -> Made {
    let text = call.text(0)?;
    let count = call
        .text(1)?
        .parse::<usize>()
        .map_err(|_| format!("{} is not a number of characters", call.describe(1)))?;
    Ok(cut(&text, count).into())
}

/// `upper TEXT`
pub(super) fn upper(call: &Call<'_, '_>) -> Made {
    Ok(call.text(0)?.to_uppercase().into())
}

/// `lower TEXT`
pub(super) fn lower(call: &Call<'_, '_>) -> Made {
    Ok(call.text(0)?.to_lowercase().into())
}

/// `len VALUE`: characters of a text, members of a list or table.
pub(super) fn len(call: &Call<'_, '_>) -> Made {
    Ok(match call.value(0)? {
        Value::Array(list) => list.len().into(),
        Value::Object(table) => table.len().into(),
        _ => call.text(0)?.chars().count().into(),
    })
}

/// `replace TEXT FROM TO`: every occurrence.
pub(super) fn replace(call: &Call<'_, '_>) -> Made {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    if from.is_empty() {
        return Err(format!("{} is empty, so there is nothing to replace", call.describe(1)));
    }
    let found = text.matches(&from).count();
    bounded(text.len().saturating_add(found.saturating_mul(to.len())))?;
    Ok(text.replace(&from, &to).into())
}

/// `json VALUE [pretty=true]`: for people to read. Nothing builds JSON out of it.
pub(super) fn json(call: &Call<'_, '_>) -> Made {
    let value = call.value(0)?;
    let text = if call.flag("pretty") {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    let text = text.map_err(|error| error.to_string())?;
    bounded(text.len())?;
    Ok(text.into())
}

/// `labels_table TABLE`: one `name: value` per line, sorted by name, values aligned. A value is
/// kept on its line.
pub(super) fn labels_table(call: &Call<'_, '_>) -> Made {
    let Value::Object(table) = call.value(0)? else {
        return Err(format!(
            "{} is not a table of names and values, such as `labels`",
            call.describe(0)
        ));
    };
    let rows = table.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        (name.clone(), value)
    });
    let text = table_text(rows.collect());
    bounded(text.len())?;
    Ok(text.into())
}

/// The lines of a table: sorted, aligned, without a line end after the last.
pub(in crate::templates) fn table_text(rows: Vec<(String, String)>) -> String {
    /// One very long name should not push all values off the page.
    const WIDEST: usize = 32;
    let mut rows: Vec<_> =
        rows.into_iter().map(|(name, value)| (one_line(&name), one_line(&value))).collect();
    rows.sort();
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or(0);
    let lines: Vec<_> = rows
        .iter()
        .map(|(name, value)| {
            let padding = " ".repeat(width.saturating_sub(name.chars().count()));
            format!("{name}: {padding}{value}").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

fn bounded(length: usize) -> Result<(), String> {
    if length > limits::HELPER_OUTPUT {
        return Err(format!("the result is longer than {} KiB", limits::HELPER_OUTPUT / 1024));
    }
    Ok(())
}
