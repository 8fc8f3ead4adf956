//! A look at a compiled template: are its helpers known and called rightly, do its names exist,
//! would it print `[object]`?

use std::collections::BTreeSet;

use handlebars::template::{
    BlockParam, DecoratorTemplate, HelperTemplate, Parameter, Template, TemplateElement,
};
use serde_json::Value;

use super::{Finding, foreign, nearest};
use crate::templates::context::{ALERT_KEYS, INCIDENT_KEYS, ROOT_KEYS};
use crate::templates::helpers;
use crate::templates::limits;

/// How deep something stands, or how deep something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::templates) struct Depth {
    /// Blocks.
    pub blocks: usize,
    /// `each` blocks.
    pub loops: usize,
    /// `each` blocks over the member alerts, of which there may be 500.
    pub alert_loops: usize,
}

impl Depth {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            blocks: self.blocks + other.blocks,
            loops: self.loops + other.loops,
            alert_loops: self.alert_loops + other.alert_loops,
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            blocks: self.blocks.max(other.blocks),
            loops: self.loops.max(other.loops),
            alert_loops: self.alert_loops.max(other.alert_loops),
        }
    }

    /// What is too deep, if something is.
    pub(super) fn excess(self) -> Option<String> {
        if self.blocks > limits::BLOCK_DEPTH {
            Some(format!("blocks nest more than {} deep", limits::BLOCK_DEPTH))
        } else if self.loops > limits::EACH_DEPTH {
            Some(format!("`each` nests more than {} deep", limits::EACH_DEPTH))
        } else if self.alert_loops > 1 {
            Some("a loop over `alerts` stands inside another one".to_owned())
        } else {
            None
        }
    }
}

/// A partial that a template includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::templates) struct Include {
    /// As it is written.
    pub name: String,
    pub at: (usize, usize),
    /// How deep in the including template.
    pub depth: Depth,
}

/// A label without which a template cannot be rendered: it is neither given to `default` nor asked
/// for by a block around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelUse {
    /// The label.
    pub name: String,
    /// Line and column of the tag, from 1, in characters.
    pub at: (usize, usize),
}

/// What the look found.
#[derive(Debug, Default)]
pub(in crate::templates) struct Report {
    /// What is wrong wherever the template is used.
    pub findings: Vec<Finding>,
    /// What is wrong unless the template is a partial, which may be given other names.
    pub names: Vec<Finding>,
    pub includes: Vec<Include>,
    /// The labels that it cannot be rendered without.
    pub labels: Vec<LabelUse>,
    /// The template's own depth, partials aside.
    pub depth: Depth,
}

/// Looks at a template.
pub(in crate::templates) fn inspect(template: &Template) -> Report {
    let mut inspector =
        Inspector { report: Report::default(), at: (1, 1), asked: Vec::new(), asking: false };
    inspector.template(template, &Scope::Root, Depth::default());
    inspector.report
}

/// What a bare name means at a place.
enum Scope {
    /// A key of the context.
    Root,
    /// A key of an alert, or a block parameter.
    Alert(BTreeSet<String>),
    /// Nobody knows.
    Other,
}

struct Inspector {
    report: Report,
    at: (usize, usize),
    /// The labels that the blocks around ask for.
    asked: Vec<String>,
    /// What is looked at is a block's condition, or something that may be absent.
    asking: bool,
}

impl Inspector {
    fn finding(&mut self, message: impl Into<String>, hint: Option<String>) {
        self.report.findings.push(Finding { at: self.at, message: message.into(), hint });
    }

    fn template(&mut self, template: &Template, scope: &Scope, depth: Depth) {
        self.report.depth = self.report.depth.max(depth);
        for (index, element) in template.elements.iter().enumerate() {
            // The inside of an `else if` has no positions: it keeps that of its block.
            if let Some(mapping) = template.mapping.get(index) {
                self.at = (mapping.0, mapping.1);
            }
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                    self.expression(call, scope);
                }
                TemplateElement::HelperBlock(block) => self.block(block, scope, depth),
                TemplateElement::PartialExpression(partial) => self.partial(partial, scope, depth),
                TemplateElement::PartialBlock(_)
                | TemplateElement::DecoratorExpression(_)
                | TemplateElement::DecoratorBlock(_) => {
                    self.finding("decorators and blocks of partials are not supported", None);
                }
                // The enum may grow; what is new was never looked at.
                _ => self.finding("this kind of tag is not supported", None),
            }
        }
    }

    fn expression(&mut self, call: &HelperTemplate, scope: &Scope) {
        let Some(name) = call.name.as_name() else {
            // `{{(upper x)}}`
            self.parameter(&call.name, scope);
            self.finding(
                "an expression stands where a name is expected",
                Some("leave the round brackets out: `{{upper labels.env}}`".to_owned()),
            );
            return;
        };
        let is_call = !call.params.is_empty() || !call.hash.is_empty();
        if is_call || helpers::find(name).is_some() || helpers::BLOCKS.contains(&name) {
            self.call(call, name, scope);
        } else {
            self.path(name, scope, true);
        }
    }

    /// A call of a helper that gives a value.
    fn call(&mut self, call: &HelperTemplate, name: &str, scope: &Scope) {
        let asking = self.asking;
        self.asking |= name == "default";
        let asked = self.asked.len();
        for parameter in call.params.iter().chain(call.hash.values()) {
            self.parameter(parameter, scope);
        }
        self.asking = asking;
        if !asking {
            self.asked.truncate(asked);
        }
        if helpers::BLOCKS.contains(&name) {
            self.finding(
                format!("`{name}` is a block"),
                Some(format!("write `{{{{#{name} …}}}}…{{{{/{name}}}}}`")),
            );
            return;
        }
        let Some(spec) = helpers::find(name) else {
            let hint = match nearest(name, helpers::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let names: BTreeSet<_> = helpers::names().collect();
                    let names: Vec<_> = names.into_iter().collect();
                    format!("the helpers are {}", names.join(", "))
                }
            };
            self.finding(format!("there is no helper `{name}`"), Some(hint));
            return;
        };
        let (least, most) = spec.params;
        let given = call.params.len();
        if given < least || given > most {
            let wanted =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            let plural = if most == 1 { "" } else { "s" };
            self.finding(
                format!("`{name}` takes {wanted} parameter{plural}, and {given} are given"),
                Some(format!("write for example `{}`", spec.usage)),
            );
        }
        let unknown: BTreeSet<_> =
            call.hash.keys().filter(|key| !spec.named.contains(&key.as_str())).collect();
        for key in unknown {
            self.finding(
                format!("`{name}` has no option `{key}`"),
                Some(format!("write for example `{}`", spec.usage)),
            );
        }
        if name == "date" {
            self.date(call);
        }
    }

    /// A format or time zone that is written out can be tried now.
    fn date(&mut self, call: &HelperTemplate) {
        fn literal(parameter: Option<&Parameter>) -> Option<&str> {
            match parameter {
                Some(Parameter::Literal(Value::String(text))) => Some(text),
                _ => None,
            }
        }
        let format = literal(call.hash.get("format").or(call.params.get(1)));
        let zone = literal(call.hash.get("tz").or(call.params.get(2)));
        let wrong = [
            format.and_then(|format| helpers::check_format(format).err()),
            zone.and_then(|zone| helpers::check_zone(zone).err()),
        ];
        for message in wrong.into_iter().flatten() {
            let (message, hint) = match message.split_once("; ") {
                Some((message, hint)) => (message, Some(hint.to_owned())),
                None => (message.as_str(), None),
            };
            self.finding(format!("date: {message}"), hint);
        }
    }

    fn block(&mut self, block: &HelperTemplate, scope: &Scope, depth: Depth) {
        let (at, asked) = (self.at, self.asked.len());
        self.asking = true;
        for parameter in block.params.iter().chain(block.hash.values()) {
            self.parameter(parameter, scope);
        }
        self.asking = false;
        let name = block.name.as_name().unwrap_or_default();
        let path = match block.params.first() {
            Some(Parameter::Path(_) | Parameter::Name(_)) => {
                block.params.first().and_then(Parameter::as_name).unwrap_or_default()
            }
            _ => "",
        };
        if !helpers::BLOCKS.contains(&name) {
            let hint = if helpers::find(name).is_some() {
                format!("write `{{{{#if ({name} …)}}}}…{{{{/if}}}}`")
            } else if let Some(near) = nearest(name, helpers::BLOCKS) {
                format!("did you mean `{near}`?")
            } else {
                format!(
                    "write `{{{{#each {name}}}}}`, `{{{{#with {name}}}}}` or `{{{{#if {name}}}}}`"
                )
            };
            self.finding(format!("`{name}` is not a block"), Some(hint));
        } else if block.params.len() != 1 {
            self.finding(
                format!("`{name}` takes one parameter, and {} are given", block.params.len()),
                Some(format!("put a condition into brackets: `{{{{#{name} (eq a b)}}}}`")),
            );
        }
        let keys = keys(path);
        let last = keys.last().map(String::as_str);
        if name == "each" && last == Some("links") {
            self.finding(
                "`links` is a table that also holds the list of all links",
                Some(format!("write `{{{{#each {path}.list}}}}`, whose members have name and url")),
            );
        }
        let mut inner = depth.plus(Depth { blocks: 1, ..Depth::default() });
        if name == "each" {
            inner.loops += 1;
            inner.alert_loops += usize::from(last == Some("alerts"));
        }
        if let Some(excess) = inner.excess()
            && depth.excess().is_none()
        {
            self.finding(excess, Some("loop over one thing at a time".to_owned()));
        }
        let of_alert = match (name, keys.as_slice()) {
            ("each", [key]) => key == "alerts" && is_root(path, scope),
            ("with", [key]) => key == "alert" && is_root(path, scope),
            _ => false,
        };
        if let Some(body) = &block.template {
            let body_scope = match name {
                "if" | "unless" => None,
                _ if of_alert => Some(Scope::Alert(block_parameters(block))),
                _ => Some(Scope::Other),
            };
            self.template(body, body_scope.as_ref().unwrap_or(scope), inner);
        }
        if let Some(inverse) = &block.inverse {
            self.at = at;
            self.template(inverse, scope, depth.plus(Depth { blocks: 1, ..Depth::default() }));
        }
        self.asked.truncate(asked);
        self.at = at;
    }

    fn partial(&mut self, partial: &DecoratorTemplate, scope: &Scope, depth: Depth) {
        for parameter in partial.params.iter().chain(partial.hash.values()) {
            self.parameter(parameter, scope);
        }
        match &partial.name {
            Parameter::Name(name) if name.starts_with('@') => {
                self.finding(format!("`{name}` is not supported"), None);
            }
            Parameter::Name(name) if name.starts_with(['\'', '[', '"']) => self.finding(
                "a partial's name stands without quotes and brackets",
                Some("write `{{> file.md.hbs}}`".to_owned()),
            ),
            Parameter::Name(name) => {
                self.report.includes.push(Include { name: name.clone(), at: self.at, depth });
            }
            _ => self.finding(
                "a partial's name must be written out",
                Some("use `{{#if}}` to choose between partials".to_owned()),
            ),
        }
    }

    fn parameter(&mut self, parameter: &Parameter, scope: &Scope) {
        match parameter {
            Parameter::Path(_) | Parameter::Name(_) => {
                let raw = parameter.as_name().unwrap_or_default();
                self.path(raw, scope, false);
            }
            Parameter::Literal(_) => {}
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(call) => match call.name.as_name() {
                    Some(name) => self.call(call, name, scope),
                    None => self.finding("there is a bracket too many", None),
                },
                _ => self.finding("this kind of expression is not supported", None),
            },
            // The enum may grow; what is new was never looked at.
            _ => self.finding("this kind of parameter is not supported", None),
        }
    }

    /// A path into the context, printed or passed to a helper.
    fn path(&mut self, raw: &str, scope: &Scope, printed: bool) {
        let keys = keys(raw);
        let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let root;
        let scope = if keys.first() == Some(&"@root") {
            keys.remove(0);
            root = Scope::Root;
            &root
        } else if raw.starts_with('@') || raw.starts_with("..") {
            return;
        } else {
            scope
        };
        if printed && let Some(hint) = printed_whole(&keys, scope) {
            self.finding(format!("`{raw}` is not a text: it would print as nonsense"), Some(hint));
            return;
        }
        let Some(first) = keys.first().copied() else { return };
        if let Some(label) = label(&keys, scope) {
            if self.asking {
                self.asked.push(label.to_owned());
            } else if !self.asked.iter().any(|asked| asked == label) {
                self.report.labels.push(LabelUse { name: label.to_owned(), at: self.at });
            }
        }
        let second = keys.get(1).copied();
        let finding = match scope {
            Scope::Root => match (first, second) {
                ("incident", Some(key)) => unknown(raw, key, &INCIDENT_KEYS, "incident."),
                ("alert", Some(key)) => unknown(raw, key, &ALERT_KEYS, "alert."),
                (key, _) => unknown(raw, key, &ROOT_KEYS, ""),
            },
            Scope::Alert(parameters) if parameters.contains(first) => None,
            Scope::Alert(_) if !ALERT_KEYS.contains(&first) && ROOT_KEYS.contains(&first) => {
                Some((
                    format!("an alert has no `{first}`"),
                    format!("write `@root.{raw}` for the one outside of the block"),
                ))
            }
            Scope::Alert(_) => unknown(raw, first, &ALERT_KEYS, ""),
            Scope::Other => None,
        };
        if let Some((message, hint)) = finding {
            self.report.names.push(Finding { at: self.at, message, hint: Some(hint) });
        }
    }
}

/// The label that a path leads to.
fn label<'k>(keys: &[&'k str], scope: &Scope) -> Option<&'k str> {
    match (keys, scope) {
        (["labels", name], Scope::Root | Scope::Alert(_))
        | (["alert", "labels", name], Scope::Root) => Some(name),
        _ => None,
    }
}

/// Whether a path that a scope sees leads to the context's own keys.
fn is_root(path: &str, scope: &Scope) -> bool {
    path.starts_with("@root") || (matches!(scope, Scope::Root) && !path.starts_with(['@', '.']))
}

fn unknown(raw: &str, key: &str, known: &[&str], prefix: &str) -> Option<(String, String)> {
    if known.contains(&key) {
        return None;
    }
    if let Some(hint) = foreign::of_the_payload(raw).filter(|_| prefix.is_empty()) {
        return Some((format!("`{raw}` does not exist"), hint));
    }
    let hint = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{prefix}{near}`?"),
        None if prefix.is_empty() => {
            format!("a label is `labels.{key}`; the names are {}", known.join(", "))
        }
        None => format!("there are {}", known.join(", ")),
    };
    Some((format!("`{raw}` does not exist"), hint))
}

/// What to write instead of a path that leads to a list or table, if that can be known.
fn printed_whole(keys: &[&str], scope: &Scope) -> Option<String> {
    let key = match (keys, scope) {
        ([], Scope::Root | Scope::Alert(_)) => {
            return Some("write the name of what is wanted, such as `labels.instance`".to_owned());
        }
        ([key @ ("alert" | "alerts" | "incident")], Scope::Root) => key,
        ([key @ ("labels" | "annotations" | "links")], _) => key,
        (["alert", key @ ("labels" | "annotations" | "links")], Scope::Root) => key,
        (["links", "list"], _) | (["alert", "links", "list"], Scope::Root) => &"list",
        _ => return None,
    };
    let path = keys.join(".");
    Some(match *key {
        "labels" | "annotations" | "links" => {
            format!("write `{{{{labels_table {path}}}}}` or `{{{{json {path}}}}}`")
        }
        "alerts" | "list" => format!("write `{{{{#each {path}}}}}…{{{{/each}}}}`"),
        _ => format!(
            "write a part of it, such as `{{{{{path}.{}}}}}`, or `{{{{json {path}}}}}`",
            if *key == "alert" { "name" } else { "id" }
        ),
    })
}

/// The names between `as |` and `|`.
fn block_parameters(block: &HelperTemplate) -> BTreeSet<String> {
    let parameters = match &block.block_param {
        Some(BlockParam::Single(one)) => vec![one],
        Some(BlockParam::Pair((one, other))) => vec![one, other],
        _ => Vec::new(),
    };
    parameters.into_iter().filter_map(Parameter::as_name).map(str::to_owned).collect()
}

/// The keys of a path such as `this.labels.[a b]`, without `this`.
fn keys(raw: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let (key, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '/']).unwrap_or(rest.len())),
        };
        if !key.is_empty() && key != "this" {
            keys.push(key.to_owned());
        }
        rest = after.trim_start_matches(['.', '/']);
    }
    keys
}
