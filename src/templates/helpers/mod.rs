//! The helpers that templates can call.
//!
//! One table says for each what it takes; the lint checks calls against it when templates are
//! loaded, and [`register`] puts the same table into Handlebars. All of them can be used as a
//! value, `{{upper labels.env}}`, and inside another call, `{{#if (eq labels.env "prod")}}`.
//!
//! A parameter that does not exist is an error, as everywhere in strict mode, because it is most
//! often a misspelt name. Exceptions are `default`, whose purpose it is, and the comparisons
//! `eq`, `ne` and `not`, for which a label that is absent equals the empty text as it does for
//! matchers.

mod compare;
mod text;
mod time;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, PathAndJson, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::Value;

pub(super) use text::table_text;
pub(super) use time::{check_format, check_zone};

/// What a helper is called, what it takes and what it does.
pub(super) struct Spec {
    /// As templates write it.
    pub name: &'static str,
    /// The fewest and the most parameters.
    pub params: (usize, usize),
    /// The names of `name=value` parameters.
    pub named: &'static [&'static str],
    /// An example, for error texts.
    pub usage: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, String>,
}

/// Handlebars's own blocks, each with exactly one parameter.
pub(super) const BLOCKS: [&str; 4] = ["each", "if", "unless", "with"];

/// Handlebars's own helpers that are kept: they take any parameters, missing ones too.
const BUILT_IN: [Spec; 3] = [
    spec("and", (1, 16), &[], "(and labels.a labels.b)", unreachable_run),
    spec("lookup", (2, 2), &[], "(lookup labels \"name\")", unreachable_run),
    spec("or", (1, 16), &[], "(or labels.a labels.b)", unreachable_run),
];

/// Casewright's own helpers.
const OWN: [Spec; 21] = [
    spec("ago", (1, 1), &[], "{{ago alert.starts_at}}", time::ago),
    spec(
        "date",
        (1, 3),
        &["format", "tz"],
        "{{date alert.starts_at \"%Y-%m-%d %H:%M %Z\" \"Europe/Berlin\"}}",
        time::date,
    ),
    spec("default", (2, 8), &[], "{{default labels.team \"nobody\"}}", text::default),
    spec("duration", (1, 2), &[], "{{duration alert.starts_at now}}", time::duration),
    spec("eq", (2, 2), &[], "(eq labels.env \"prod\")", compare::eq),
    spec("ge", (2, 2), &[], "(ge annotations.value 5)", compare::ge),
    spec("gt", (2, 2), &[], "(gt annotations.value 5)", compare::gt),
    spec("gte", (2, 2), &[], "(gte annotations.value 5)", compare::ge),
    spec("join", (1, 2), &[], "{{join list \", \"}}", text::join),
    spec("json", (1, 1), &["pretty"], "{{json labels pretty=true}}", text::json),
    spec("labels_table", (1, 1), &[], "{{labels_table labels}}", text::labels_table),
    spec("le", (2, 2), &[], "(le annotations.value 5)", compare::le),
    spec("len", (1, 1), &[], "{{len alerts}}", text::len),
    spec("lower", (1, 1), &[], "{{lower labels.env}}", text::lower),
    spec("lt", (2, 2), &[], "(lt annotations.value 5)", compare::lt),
    spec("lte", (2, 2), &[], "(lte annotations.value 5)", compare::le),
    spec("ne", (2, 2), &[], "(ne labels.env \"prod\")", compare::ne),
    spec("not", (1, 1), &[], "(not labels.env)", compare::not),
    spec("replace", (3, 3), &[], "{{replace labels.host \".example.com\" \"\"}}", text::replace),
    spec("truncate", (2, 2), &[], "{{truncate annotations.summary 80}}", text::truncate),
    spec("upper", (1, 1), &[], "{{upper labels.env}}", text::upper),
];

const fn spec(
    name: &'static str,
    params: (usize, usize),
    named: &'static [&'static str],
    usage: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, String>,
) -> Spec {
    Spec { name, params, named, usage, run }
}

/// Stands in the table for helpers that Handlebars itself runs; those are never registered.
fn unreachable_run(_: &Call<'_, '_>) -> Result<Value, String> {
    Ok(Value::Null)
}

/// The helper of that name, blocks aside.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    const ALL: [&[Spec]; 2] = [&BUILT_IN, &OWN];
    ALL.into_iter().flatten().find(|spec| spec.name == name)
}

/// Every name that can stand where a helper can, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    const ALL: [&[Spec]; 2] = [&BUILT_IN, &OWN];
    ALL.into_iter().flatten().map(|spec| spec.name).chain(BLOCKS)
}

/// Puts the helpers in place, and takes away those of Handlebars's own that have no business in
/// a case: `log` writes to the daemon's output, `raw` belongs to blocks that the lint rejects.
pub(super) fn register(handlebars: &mut Handlebars<'static>) {
    handlebars.unregister_helper("log");
    handlebars.unregister_helper("raw");
    static TABLE: [Spec; 21] = OWN;
    for spec in &TABLE {
        handlebars.register_helper(spec.name, Box::new(Definition(spec)));
    }
}

struct Definition(&'static Spec);

impl HelperDef for Definition {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let call = Call { helper, context };
        let (least, most) = self.0.params;
        let given = helper.params().len();
        let result = if given < least || given > most {
            Err(format!("{} parameters; write {}", given, self.0.usage))
        } else {
            (self.0.run)(&call)
        };
        result.map(ScopedJson::Derived).map_err(|message| {
            RenderErrorReason::Other(format!("{}: {message}", self.0.name)).into()
        })
    }
}

/// One call of a helper. Parameters are counted from 0 here and from 1 in error texts.
pub(super) struct Call<'h, 'rc> {
    helper: &'h Helper<'rc>,
    context: &'rc Context,
}

impl<'h> Call<'h, '_> {
    fn raw(&self, index: usize) -> Option<&'h PathAndJson<'_>> {
        self.helper.params().get(index)
    }

    /// How many parameters are given.
    fn count(&self) -> usize {
        self.helper.params().len()
    }

    /// A parameter, unless it is missing.
    fn present(&self, index: usize) -> Option<&Value> {
        self.raw(index).filter(|param| !param.is_value_missing()).map(PathAndJson::value)
    }

    /// A parameter that must exist.
    fn value(&self, index: usize) -> Result<&Value, String> {
        self.present(index).ok_or_else(|| {
            let path = self.raw(index).and_then(PathAndJson::relative_path);
            let path = path.map_or("", String::as_str);
            format!(
                "{} does not exist; write (default {path} \"\") where it may be absent",
                self.describe(index)
            )
        })
    }

    /// A parameter that must be text, or something that prints as text.
    fn text(&self, index: usize) -> Result<String, String> {
        match self.value(index)? {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Null => Ok(String::new()),
            Value::Array(_) | Value::Object(_) => {
                Err(format!("{} is a list or a table, not a text", self.describe(index)))
            }
        }
    }

    /// A named parameter, or else the one at `index`, as text.
    fn option(&self, name: &str, index: usize) -> Result<Option<String>, String> {
        match self.helper.hash_get(name) {
            None if self.raw(index).is_none() => Ok(None),
            None => self.text(index).map(Some),
            Some(param) => match param.value() {
                Value::String(text) => Ok(Some(text.clone())),
                _ => Err(format!("`{name}` is not a text")),
            },
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.helper.hash_get(name).is_some_and(|param| param.value() == &Value::Bool(true))
    }

    /// What the template is being rendered at.
    fn now(&self) -> Option<&str> {
        self.context.data().get("now").and_then(Value::as_str)
    }

    /// Names a parameter: ``parameter 1 (`labels.x`)``.
    fn describe(&self, index: usize) -> String {
        match self.raw(index).and_then(PathAndJson::relative_path) {
            Some(path) => format!("parameter {} (`{path}`)", index + 1),
            None => format!("parameter {}", index + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let all: Vec<_> = names().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for name in all.iter().filter(|name| !BLOCKS.contains(name)) {
            assert_eq!(find(name).unwrap().name, *name);
        }
    }
}
