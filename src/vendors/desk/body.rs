//! JSON of a description and a case. Values are put together as values, never as text: whatever an
//! alert says stays within its own text.

use serde_json::{Map, Number, Value};

use crate::domain::desk::template::Form;
use crate::domain::desk::{Body, Facts, Template};

/// The value; `None` where it uses something that this case does not have.
///
/// # Errors
///
/// A text that is to be a number or a truth value, and is none.
pub(super) fn json(body: &Body, facts: &Facts<'_>) -> Result<Option<Value>, String> {
    Ok(Some(match body {
        Body::Null => Value::Null,
        Body::Bool(value) => Value::Bool(*value),
        Body::Int(value) => Value::from(*value),
        Body::Float(value) => Value::from(*value),
        Body::Text(template) => return leaf(template, facts),
        Body::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                list.extend(json(item, facts)?);
            }
            Value::Array(list)
        }
        Body::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                if let Some(value) = json(value, facts)? {
                    map.insert(key.clone(), value);
                }
            }
            Value::Object(map)
        }
    }))
}

fn leaf(template: &Template, facts: &Facts<'_>) -> Result<Option<Value>, String> {
    let Some(text) = template.text(facts) else { return Ok(None) };
    let Some(single) = template.single() else { return Ok(Some(Value::String(text))) };
    Ok(Some(match single.form {
        Form::Text | Form::Truncated(_) => Value::String(text),
        Form::Number => {
            let number: Result<Number, _> = text.trim().parse();
            number.map(Value::Number).map_err(|_| wrong(&single.name, &text, "a number"))?
        }
        Form::Bool => match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(wrong(&single.name, &text, "`true` or `false`")),
        },
        Form::List => facts.also_notify().unwrap_or_default().into(),
    }))
}

fn wrong(name: &str, text: &str, what: &str) -> String {
    let text = crate::domain::text::excerpt(text, 40);
    format!("`{name}` is to be {what} in the body, and is {text:?}")
}
