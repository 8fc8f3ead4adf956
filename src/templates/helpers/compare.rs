//! Helpers that answer true or false.

use std::cmp::Ordering;

use handlebars::JsonTruthy;
use serde_json::Value;

use super::Call;

type Made = Result<Value, String>;

/// `eq A B`. What is missing equals the empty text, as it does for matchers; the number 5 and the
/// text `5` are equal, because labels are always text.
pub(super) fn eq(call: &Call<'_, '_>) -> Made {
    Ok(equal(call).into())
}

/// `ne A B`, the opposite of `eq`.
pub(super) fn ne(call: &Call<'_, '_>) -> Made {
    Ok((!equal(call)).into())
}

/// `not A`: whether it is missing, empty, false or zero.
pub(super) fn not(call: &Call<'_, '_>) -> Made {
    Ok((!call.present(0).is_some_and(|value| value.is_truthy(false))).into())
}

/// `lt A B`
pub(super) fn lt(call: &Call<'_, '_>) -> Made {
    Ok((order(call)? == Ordering::Less).into())
}

/// `le A B`
pub(super) fn le(call: &Call<'_, '_>) -> Made {
    Ok((order(call)? != Ordering::Greater).into())
}

/// `gt A B`
pub(super) fn gt(call: &Call<'_, '_>) -> Made {
    Ok((order(call)? == Ordering::Greater).into())
}

/// `ge A B`
pub(super) fn ge(call: &Call<'_, '_>) -> Made {
    Ok((order(call)? != Ordering::Less).into())
}

fn equal(call: &Call<'_, '_>) -> bool {
    let empty = Value::String(String::new());
    let side = |index| match call.present(index) {
        None | Some(Value::Null) => &empty,
        Some(value) => value,
    };
    match (side(0), side(1)) {
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => {
            let parsed = text.trim().parse::<f64>().ok();
            parsed.is_some() && parsed == number.as_f64()
        }
        (a, b) => a == b,
    }
}

/// Numbers by size, also where they are written as text; other texts by their characters.
fn order(call: &Call<'_, '_>) -> Result<Ordering, String> {
    let number = |index| -> Result<Option<f64>, String> {
        let parsed = call.text(index)?.trim().parse::<f64>();
        Ok(parsed.ok().filter(|number| !number.is_nan()))
    };
    match (number(0)?, number(1)?) {
        (Some(a), Some(b)) => Ok(a.total_cmp(&b)),
        (None, None) => Ok(call.text(0)?.cmp(&call.text(1)?)),
        (None, Some(_)) => Err(format!("{} is not a number", call.describe(0))),
        (Some(_), None) => Err(format!("{} is not a number", call.describe(1))),
    }
}
