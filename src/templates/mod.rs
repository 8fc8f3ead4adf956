//! Texts of cases: templates that people write, and the plain texts that stand in for them.
//!
//! Templates are Handlebars in strict mode, rendered to plain text. They are compiled and checked
//! once, when the configuration is loaded ([`TemplateSet::builder`]); what can be known to fail
//! fails then. What fails nevertheless, with an alert that nobody thought of, never costs a case:
//! [`fallback`] writes one without a template.
//!
//! No template touches an address, a header or a JSON document: it makes one text field each time.

pub mod context;
pub mod fallback;
mod helpers;
pub mod limits;
mod lint;
pub mod notes;
pub mod payload;
pub mod rollup;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use handlebars::template::Template;
use handlebars::{Handlebars, RenderError, RenderErrorReason, TemplateErrorReason, no_escape};
use sha2::{Digest as _, Sha256};

pub use context::RenderContext;

use lint::graph::{self, Node};
pub use lint::tree::LabelUse;
use lint::{Finding, scan, tree};

/// Something wrong with a template, found when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The file's name or the inline template's id.
    pub template: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.template, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Why a template could not be rendered for an incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}:{line}:{column}: {message}")]
pub struct RenderProblem {
    /// The file's name or the inline template's id; a partial's where the partial is at fault.
    pub template: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters: where the tag begins.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Collects templates and what is wrong with them.
///
/// A template with problems is left out of the set; the set of a configuration that has problems
/// is not meant to be used.
#[derive(Debug)]
pub struct Builder {
    handlebars: Handlebars<'static>,
    nodes: BTreeMap<String, Node>,
    /// Names that can be included, each with the template that it stands for.
    files: BTreeMap<String, String>,
    /// Inline templates; no partials may be called like them.
    inline: BTreeSet<String>,
    /// Unknown names in files, which are wrong unless the file is a partial.
    names: BTreeMap<String, Vec<Finding>>,
    /// The labels that each template cannot do without.
    labels: BTreeMap<String, Vec<LabelUse>>,
    /// What stands for the source of each.
    digests: BTreeMap<String, [u8; 32]>,
}

impl Builder {
    fn new() -> Self {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        // A case is plain text; `&amp;` has no place in it.
        handlebars.register_escape_fn(no_escape);
        helpers::register(&mut handlebars);
        Self {
            handlebars,
            nodes: BTreeMap::new(),
            files: BTreeMap::new(),
            inline: BTreeSet::new(),
            names: BTreeMap::new(),
            labels: BTreeMap::new(),
            digests: BTreeMap::new(),
        }
    }

    /// Takes a file of the templates folder. Its name, such as `edge-5xx.md.hbs`, is also its name
    /// as a partial, with or without `.hbs`; a file of a subfolder is `folder/name.hbs`.
    pub fn file(&mut self, name: &str, source: &str) -> Vec<TemplateProblem> {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if name.is_empty() || name.len() > limits::NAME || !name.chars().all(safe) {
            let finding = Finding::new((1, 1), "a template file cannot have this name")
                .hint("use letters, digits, `-`, `_` and `.`");
            return problems(name, vec![finding]);
        }
        let short = name.strip_suffix(".hbs").filter(|short| !short.is_empty());
        let taken = [Some(name), short]
            .into_iter()
            .flatten()
            .find(|name| self.files.contains_key(*name) || self.inline.contains(*name));
        if let Some(taken) = taken {
            let message = format!("there is another template called `{taken}`");
            return problems(name, vec![Finding::new((1, 1), message)]);
        }
        for alias in [Some(name), short].into_iter().flatten() {
            self.files.insert(alias.to_owned(), name.to_owned());
        }
        match self.compile(name, source) {
            Err(findings) => problems(name, findings),
            Ok((template, names)) => {
                if let Some(short) = short {
                    self.handlebars.register_template(short, template.clone());
                }
                self.handlebars.register_template(name, template);
                self.names.insert(name.to_owned(), names);
                Vec::new()
            }
        }
    }

    /// Takes a template that stands in a rule file, under an id that names the place, such as
    /// `rule edge-5xx, subject`. It cannot be included.
    pub fn inline(&mut self, id: &str, source: &str) -> Vec<TemplateProblem> {
        if self.files.contains_key(id) || !self.inline.insert(id.to_owned()) {
            let message = format!("there is another template called `{id}`");
            return problems(id, vec![Finding::new((1, 1), message)]);
        }
        match self.compile(id, source) {
            Err(findings) => problems(id, findings),
            Ok((template, names)) => {
                self.handlebars.register_template(id, template);
                problems(id, names)
            }
        }
    }

    /// Compiles a template and looks at it; answers also with the names in it that do not exist.
    fn compile(
        &mut self,
        name: &str,
        source: &str,
    ) -> Result<(Template, Vec<Finding>), Vec<Finding>> {
        if source.len() > limits::SOURCE {
            let message = format!(
                "the template has {} bytes; at most {} KiB are taken",
                source.len(),
                limits::SOURCE / 1024
            );
            return Err(vec![Finding::new((1, 1), message)]);
        }
        let findings = scan::scan(source);
        if !findings.is_empty() {
            return Err(findings);
        }
        let template = parse(name, source).map_err(|finding| vec![finding])?;
        let report = tree::inspect(&template);
        if !report.findings.is_empty() {
            return Err(report.findings);
        }
        self.digests.insert(name.to_owned(), Sha256::digest(source).into());
        let node = Node { depth: report.depth, includes: report.includes };
        self.nodes.insert(name.to_owned(), node);
        self.labels.insert(name.to_owned(), report.labels);
        Ok((template, report.names))
    }

    /// Looks at how the templates fit together: partials that do not exist, circles of partials,
    /// and names that do not exist in files that are not partials.
    pub fn build(mut self) -> (TemplateSet, Vec<TemplateProblem>) {
        let mut included = BTreeSet::new();
        for node in self.nodes.values_mut() {
            for include in &mut node.includes {
                if let Some(canonical) = self.files.get(&include.name) {
                    include.name.clone_from(canonical);
                    included.insert(canonical.clone());
                }
            }
        }
        let mut found = Vec::new();
        for (name, findings) in self.names {
            if !included.contains(&name) {
                found.extend(problems(&name, findings));
            }
        }
        let files = self.files.values().cloned().collect();
        let (findings, bad) = graph::inspect(&self.nodes, &files);
        for (name, finding) in findings {
            found.extend(problems(&name, vec![finding]));
        }
        found.sort_by(|a, b| (&a.template, a.line, a.column).cmp(&(&b.template, b.line, b.column)));
        for name in bad {
            self.handlebars.unregister_template(&name);
            if let Some(short) = name.strip_suffix(".hbs") {
                self.handlebars.unregister_template(short);
            }
        }
        let includes = self.nodes.into_iter().map(|(name, node)| {
            (name, node.includes.into_iter().map(|include| include.name).collect())
        });
        let set = TemplateSet {
            handlebars: self.handlebars,
            labels: self.labels,
            includes: includes.collect(),
            digest: digest(&self.digests),
        };
        (set, found)
    }
}

/// What stands for all templates, by their names.
fn digest(of_each: &BTreeMap<String, [u8; 32]>) -> String {
    let mut all = Sha256::new();
    for (name, digest) in of_each {
        // A name has no zero in it, and a digest has a length.
        all.update(name);
        all.update([0]);
        all.update(digest);
    }
    hex::encode(all.finalize())
}

fn problems(template: &str, findings: Vec<Finding>) -> Vec<TemplateProblem> {
    let problem = |finding: Finding| TemplateProblem {
        template: template.to_owned(),
        line: finding.at.0,
        column: finding.at.1,
        message: finding.message,
        hint: finding.hint,
    };
    findings.into_iter().map(problem).collect()
}

fn parse(name: &str, source: &str) -> Result<Template, Finding> {
    // Handlebars has panicked on odd templates before (6.4.3 mended `{{~else if}}`). A reload must
    // survive the next such template.
    let compiled = catch_unwind(|| Template::compile_with_name(source, name.to_owned()));
    let Ok(compiled) = compiled else {
        return Err(Finding::new((1, 1), "Handlebars cannot read this template"));
    };
    compiled.map_err(|error| {
        let at = error.pos().unwrap_or((1, 1));
        match error.reason() {
            // The parser lists the rules of its grammar, which helps nobody.
            TemplateErrorReason::InvalidSyntax(_) => {
                Finding::new(at, "this is not valid Handlebars").hint(
                    "a name with spaces or dots is written `labels.[a.b]`, text in quotes, a \
                     helper's call inside another in round brackets",
                )
            }
            other => Finding::new(at, other.to_string()),
        }
    })
}

/// All templates of a configuration, compiled once.
#[derive(Debug)]
pub struct TemplateSet {
    handlebars: Handlebars<'static>,
    labels: BTreeMap<String, Vec<LabelUse>>,
    /// Which templates each template includes.
    includes: BTreeMap<String, BTreeSet<String>>,
    /// See [`Self::digest`].
    digest: String,
}

impl TemplateSet {
    /// Stands for all texts in it: another text, another digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Begins a set.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Whether there is a template of this file name or id.
    pub fn contains(&self, id: &str) -> bool {
        self.handlebars.has_template(id)
    }

    /// The labels without which a template, with all that it includes, cannot be rendered, each
    /// with the name of the template that it stands in.
    pub fn labels(&self, id: &str) -> Vec<(&str, &LabelUse)> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut found = Vec::new();
        let mut next = vec![id];
        while let Some(id) = next.pop() {
            let Some((name, includes)) = self.includes.get_key_value(id) else { continue };
            if seen.insert(name) {
                let labels = self.labels.get(name).into_iter().flatten();
                found.extend(labels.map(|label| (name.as_str(), label)));
                next.extend(includes.iter().rev().map(String::as_str));
            }
        }
        found
    }

    /// Renders a template, named by its file name (with or without `.hbs`) or its id.
    ///
    /// Rendering does no I/O and ends: templates cannot recurse, and their loops are bounded. It
    /// may take milliseconds for an incident of 500 alerts.
    ///
    /// # Errors
    ///
    /// When there is no such template, something in it does not exist or does not fit for this
    /// incident, or the text is longer than `max_bytes`.
    pub fn render(
        &self,
        id: &str,
        context: &RenderContext,
        max_bytes: usize,
    ) -> Result<String, RenderProblem> {
        let mut output = Capped { bytes: Vec::new(), limit: max_bytes, full: false };
        // See `parse`: a panic here must cost the template, never the case.
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            self.handlebars.render_with_context_to_write(id, context.handlebars(), &mut output)
        }));
        let problem = |message: String| RenderProblem {
            template: id.to_owned(),
            line: 1,
            column: 1,
            message,
        };
        match rendered {
            Err(_) => Err(problem("Handlebars failed inside".to_owned())),
            Ok(Err(error)) => Err(RenderProblem {
                template: error.template_name.clone().unwrap_or_else(|| id.to_owned()),
                line: error.line_no.unwrap_or(1),
                column: error.column_no.unwrap_or(1),
                message: if output.full {
                    format!("the text is longer than {max_bytes} bytes")
                } else {
                    explain(&error)
                },
            }),
            Ok(Ok(())) => String::from_utf8(output.bytes)
                .map_err(|_| problem("the text is not UTF-8".to_owned())),
        }
    }
}

/// Says what went wrong in a template author's words.
fn explain(error: &RenderError) -> String {
    match error.reason() {
        RenderErrorReason::MissingVariable(Some(path)) => format!(
            "`{path}` does not exist; write {{{{default {path} \"\"}}}} where it may be absent"
        ),
        RenderErrorReason::MissingVariable(None) => {
            "something that is looked up does not exist; wrap it in {{#if}}".to_owned()
        }
        RenderErrorReason::TemplateNotFound(name) => format!("there is no template `{name}`"),
        RenderErrorReason::PartialNotFound(name) => format!("there is no partial `{name}`"),
        RenderErrorReason::HelperNotFound(name) => format!("there is no helper `{name}`"),
        other => other.to_string(),
    }
}

/// Takes so many bytes and no more.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl std::io::Write for Capped {
    fn write(&mut self, new: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len().saturating_add(new.len()) > self.limit {
            self.full = true;
            return Err(std::io::Error::other("the text is too long"));
        }
        self.bytes.extend_from_slice(new);
        Ok(new.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
