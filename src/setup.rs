//! From the files that a person writes to what the daemon runs with: config, rules, templates,
//! credentials. Every mistake in any of them is found in one go.

mod desk;
mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::config::source_file::{Holds, Place, Position, SourceFile, Span};
use crate::config::{Code, Config, Diagnostic, Diagnostics, Lookup, VendorConfig, VendorKind};
use crate::playbook::{Playbook, template_id};
use crate::rules::file::Read;
use crate::rules::{RuleSet, TextSource, Then};
use crate::templates::{self, TemplateProblem, TemplateSet};
use crate::vendors::akamai::edgerc::{self, Access};

/// Everything that the files say, checked.
#[derive(Debug)]
pub struct Setup {
    /// The daemon's own file.
    pub config: Config,
    /// Rules and templates.
    pub playbook: Playbook,
    /// The daemon's own file, to be read again.
    pub path: PathBuf,
}

/// Reads and checks everything. There is a setup only if there is no error.
pub fn load(path: &Path, env: Lookup<'_>) -> (Option<Setup>, Diagnostics) {
    read(path, env, Needs { credentials: true, rules: None })
}

/// As [`load`], without the vendors' credentials: for whoever sends nothing, such as a machine
/// that tests rules.
pub fn load_for_rehearsal(path: &Path, env: Lookup<'_>) -> (Option<Setup>, Diagnostics) {
    read(path, env, Needs { credentials: false, rules: None })
}

/// As [`load_for_rehearsal`], with the rules of other files than those that the config names.
pub fn load_with_rules(
    path: &Path,
    rules: Vec<PathBuf>,
    env: Lookup<'_>,
) -> (Option<Setup>, Diagnostics) {
    read(path, env, Needs { credentials: false, rules: Some(rules) })
}

/// What is to be read.
struct Needs {
    credentials: bool,
    /// In place of the files that the config names.
    rules: Option<Vec<PathBuf>>,
}

fn read(path: &Path, env: Lookup<'_>, needs: Needs) -> (Option<Setup>, Diagnostics) {
    let Needs { credentials, rules } = needs;
    let mut checked = Config::check(path, env);
    if let Some(rules) = rules {
        checked.rules.files = rules;
    }
    if !credentials {
        // Who sends nothing tells nobody.
        checked.rules.tell = Arc::default();
    }
    let mut diagnostics = checked.diagnostics;
    // A rule that cannot be read must not hide what is wrong in its texts and in its neighbours.
    let (Read { rules, loose }, wrong) = crate::rules::file::read_all(&checked.rules, env);
    diagnostics.extend(wrong);
    let mut templates = TemplateSet::builder();
    let files = checked
        .templates
        .as_deref()
        .map(|folder| read_templates(folder, &mut templates, &mut diagnostics));
    let inline = inline_texts(&rules, &loose);
    for (id, text) in &inline {
        add_inline(id, text, &mut templates, &mut diagnostics);
    }
    let (templates, wrong) = templates.build();
    if let Some(files) = &files {
        for problem in &wrong {
            let in_rule =
                |(id, text): &&(String, &TextSource)| !text.is_file && *id == problem.template;
            match inline.iter().find(in_rule) {
                Some((_, text)) => report_in_rule(text, problem, &mut diagnostics),
                None => report_in_file(files, problem, &mut diagnostics),
            }
        }
        refuse_missing_files(&inline, files, &mut diagnostics);
    }
    let vendors = || checked.config.iter().flat_map(|config| &config.vendors);
    for vendor in vendors() {
        if let VendorKind::Http(http) = &vendor.kind {
            desk::check(&rules, &vendor.name, &http.desk, &mut diagnostics);
        }
    }
    if let Some(config) = &checked.config {
        files::check(&rules, config, &mut diagnostics);
    }
    for vendor in vendors().filter(|_| credentials) {
        if let (Err(why), Some(place)) =
            (akamai_access(vendor, env), checked.vendor_places.get(&vendor.name))
        {
            let message = format!("vendor `{}` cannot be used: {why}", vendor.name);
            diagnostics.push(Diagnostic::error(place.clone(), message));
        }
    }
    let config = checked.config.filter(|_| !diagnostics.has_errors());
    let setup = config.map(|config| Setup {
        playbook: Playbook {
            rules,
            templates,
            limit: config.limits,
            mute: config.mute.clone(),
            redaction: config.redaction.clone(),
            fetch: config.fetch.clone(),
            links: config.links(),
        },
        config,
        path: path.to_owned(),
    });
    (setup, diagnostics)
}

/// What the files say, in short: it differs if any of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// The digest of the daemon's own file, of the rule files that it names, and of all templates.
/// `None` if its own file cannot be read, as while it is being replaced.
pub fn digest(path: &Path, env: Lookup<'_>) -> Option<Digest> {
    let mut files = vec![path.to_owned()];
    let checked = Config::check(path, env);
    files.extend(checked.rules.files);
    files.extend(checked.templates.as_deref().map(template_files).unwrap_or_default());
    let mut hash = Sha256::new();
    for file in files {
        // One that is named and cannot be read differs from one that can.
        let content = match std::fs::read(&file) {
            Ok(content) => content,
            Err(_) if file == path => return None,
            Err(error) => error.to_string().into_bytes(),
        };
        for part in [file.as_os_str().as_encoded_bytes(), &content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    Some(Digest(hash.finalize().into()))
}

/// Where the credentials of an Akamai vendor are, and whether they can be read.
///
/// # Errors
///
/// What is wrong with them and what to do, in a sentence without any secret.
pub fn akamai_access(vendor: &VendorConfig, env: Lookup<'_>) -> Result<Option<Access>, String> {
    let VendorKind::Akamai { edgerc: file, section, base_url, credentials, .. } = &vendor.kind
    else {
        return Ok(None);
    };
    let mut access = match (credentials, base_url, file) {
        (Some(given), Some(base), _) => Access {
            base: base.clone(),
            credentials: crate::vendors::akamai::Credentials::new(
                given.client_token.clone(),
                given.client_secret.clone(),
                given.access_token.clone(),
            )
            .map_err(|error| error.to_string())?,
        },
        (Some(_), None, _) => {
            return Err("`credentials` need a `base_url`: the https:// address of the API client's own host".to_owned());
        }
        (None, _, Some(file)) => {
            edgerc::load(file, section, env).map_err(|error| error.to_string())?
        }
        (None, _, None) => edgerc::from_env(section, env)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "it has no credentials: name a file with `edgerc: ~/.edgerc`, or set AKAMAI_HOST, AKAMAI_CLIENT_TOKEN, AKAMAI_CLIENT_SECRET and AKAMAI_ACCESS_TOKEN".to_owned())?,
    };
    if let Some(base) = base_url {
        access.base = base.clone();
    }
    Ok(Some(access))
}

/// A template file as it was read.
struct TemplateFile {
    name: String,
    file: Arc<SourceFile>,
}

/// Every `*.hbs` of the folder and of its subfolders, sorted.
fn template_files(folder: &Path) -> Vec<PathBuf> {
    let pattern = format!("{}/**/*.hbs", glob::Pattern::escape(&folder.to_string_lossy()));
    let mut paths: Vec<PathBuf> =
        glob::glob(&pattern).map(|paths| paths.flatten().collect()).unwrap_or_default();
    paths.sort();
    paths
}

/// Reads every `*.hbs` of the folder and of its subfolders.
fn read_templates(
    folder: &Path,
    templates: &mut templates::Builder,
    diagnostics: &mut Diagnostics,
) -> Vec<TemplateFile> {
    let mut files = Vec::new();
    for path in template_files(folder) {
        let Ok(relative) = path.strip_prefix(folder) else { continue };
        let name = relative.to_string_lossy().into_owned();
        match SourceFile::read(&path, Holds::NoSecrets) {
            Ok(file) => files.push(TemplateFile { name, file }),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    for index in 0..files.len() {
        let Some(TemplateFile { name, file }) = files.get(index) else { continue };
        for problem in templates.file(name, file.text()) {
            report_in_file(&files, &problem, diagnostics);
        }
    }
    files
}

fn report_in_file(files: &[TemplateFile], problem: &TemplateProblem, into: &mut Diagnostics) {
    let Some(file) = files.iter().find(|file| file.name == problem.template) else { return };
    let span = tag_around(file.file.text(), file.file.offset(position(problem)));
    let place = Place { file: file.file.clone(), span };
    into.push(told(place, problem));
}

fn position(problem: &TemplateProblem) -> Position {
    Position { line: problem.line, column: problem.column }
}

/// The tag in which a place of a template lies; without one, the rest of the line.
fn tag_around(text: &str, at: usize) -> Span {
    let (before, rest) = (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default());
    let line = Span { start: at, end: at + rest.find('\n').unwrap_or(rest.len()) };
    let start = if rest.starts_with("{{") {
        at
    } else {
        match before.rfind("{{") {
            Some(start) if !text.get(start..at).is_some_and(|tag| tag.contains("}}")) => start,
            _ => return line,
        }
    };
    let tag = text.get(start..).unwrap_or_default();
    match tag.find("}}").filter(|end| !tag.get(..*end).is_some_and(|tag| tag.contains('\n'))) {
        Some(end) => Span { start, end: start + end + "}}".len() },
        None => line,
    }
}

/// Where in a rule file the tag stands that a line and a column of a text lie in. A YAML text may be folded, indented
/// and escaped: the tag is found if it stands there to the letter.
pub fn place_of_tag(text: &TextSource, line: usize, column: usize) -> Option<Place> {
    let file = &text.place.file;
    let template = SourceFile::new("", text.text.clone(), Holds::NoSecrets);
    let span = tag_around(&text.text, template.offset(Position { line, column }));
    let tag = text.text.get(span.start..span.end).filter(|tag| tag.starts_with("{{"))?;
    let earlier = text.text.get(..span.start)?.matches(tag).count();
    let written = file.text().get(text.place.span.start..)?;
    let (start, _) = written.match_indices(tag).nth(earlier)?;
    let start = text.place.span.start + start;
    Some(Place { file: file.clone(), span: Span { start, end: start + tag.len() } })
}

fn told(place: Place, problem: &TemplateProblem) -> Diagnostic {
    let diagnostic = Diagnostic::error(place, problem.message.clone()).code(Code::Template);
    match &problem.hint {
        Some(hint) => diagnostic.hint(hint.clone()),
        None => diagnostic,
    }
}

/// Every text of every rule, each with the id of its template.
fn inline_texts<'a>(rules: &'a RuleSet, loose: &'a [TextSource]) -> Vec<(String, &'a TextSource)> {
    let mut texts = Vec::new();
    for rule in rules.rules() {
        if let Then::Case(case) = &rule.then {
            let of_rule = case.plan.texts().into_iter();
            texts.extend(of_rule.map(|(key, text)| (template_id(&rule.name, &key, text), text)));
        }
    }
    // Of rules that cannot be used, names may be missing or stand there twice.
    texts.extend(loose.iter().enumerate().map(|(at, text)| (format!("(loose {at})"), text)));
    texts
}

fn add_inline(
    id: &str,
    text: &TextSource,
    templates: &mut templates::Builder,
    into: &mut Diagnostics,
) {
    if text.is_file || text.constant().is_some() {
        return;
    }
    for problem in templates.inline(id, &text.text) {
        report_in_rule(text, &problem, into);
    }
}

fn report_in_rule(text: &TextSource, problem: &TemplateProblem, into: &mut Diagnostics) {
    if let Some(place) = place_of_tag(text, problem.line, problem.column) {
        into.push(told(place, problem));
        return;
    }
    let TemplateProblem { message, line, column, .. } = problem;
    let message = format!("{message} (line {line}, column {column} of this template)");
    into.push(told(text.place.clone(), &TemplateProblem { message, ..problem.clone() }));
}

fn refuse_missing_files(
    texts: &[(String, &TextSource)],
    files: &[TemplateFile],
    into: &mut Diagnostics,
) {
    for (_, text) in texts {
        if !text.is_file || files.iter().any(|file| file.name == text.text) {
            continue;
        }
        let message = format!("there is no template file `{}`", text.text);
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let hint = match crate::config::suggest::nearest(&text.text, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the folder of templates has: {}", names.join(", ")),
        };
        into.push(Diagnostic::error(text.place.clone(), message).code(Code::Template).hint(hint));
    }
}
