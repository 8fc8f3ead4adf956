//! Test files: YAML with a list `tests`. All mistakes of all files are found in one run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::expectation::{self, Expect};
use super::person::{self, Word};
use super::traffic::{Habits, Traffic};
use crate::config::decode::{Decode, Field, Located, Section};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::document::Document;
use crate::config::interpolate::Lookup;
use crate::config::is_rule_test;
use crate::config::source_file::{Holds, Place};
use crate::domain::ids::SourceName;
use crate::playbook::Playbook;
use crate::sources::{Received, Source};

/// When a test begins that does not say so: on a Monday morning.
const START: Timestamp = Timestamp::constant(1_767_603_600, 0);

/// The most times that one delivery comes in.
const MOST_TIMES: u32 = 1000;

/// The tests of a file.
#[derive(Debug)]
pub struct TestFile {
    /// The file.
    pub path: PathBuf,
    /// Its tests, in its order.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Debug)]
pub struct Test {
    /// What it proves.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The time at its beginning.
    pub start: Timestamp,
    /// What comes in, in order.
    pub deliveries: Vec<Delivery>,
    /// What people do, in order.
    pub people: Vec<Word>,
    /// What must be true, in order.
    pub expect: Vec<Expect>,
}

/// Something that comes in.
#[derive(Debug)]
pub struct Delivery {
    /// How long after the test's beginning.
    pub at: Duration,
    /// How often, one after the other: the peers of an Alertmanager all send.
    pub times: u32,
    /// Through which source.
    pub source: SourceName,
    /// What the source makes of it.
    pub received: Received,
}

/// What test files need to know.
pub struct Inputs<'a> {
    /// The configured sources.
    pub sources: &'a BTreeMap<SourceName, Arc<dyn Source>>,
    /// The rules that are tested.
    pub playbook: &'a Playbook,
    /// For `${NAME}`.
    pub env: Lookup<'a>,
}

/// The test files that stand beside rule files, sorted.
pub fn beside<'a>(rule_files: impl Iterator<Item = &'a Path>) -> Vec<PathBuf> {
    let folders: BTreeSet<&Path> = rule_files.filter_map(Path::parent).collect();
    folders.into_iter().flat_map(|folder| matching(folder, "*")).collect()
}

/// The test files in a folder and below it, sorted.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    matching(folder, "**/*")
}

fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let folder = match folder.to_string_lossy() {
        folder if folder.is_empty() => String::new(),
        folder => format!("{}/", glob::Pattern::escape(folder.trim_end_matches('/'))),
    };
    let found = glob::glob(&format!("{folder}{pattern}"));
    let mut files: Vec<PathBuf> = found
        .map(|found| found.flatten().filter(|path| is_rule_test(path) && path.is_file()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

/// Reads a file. There are tests only if there is no error in it.
pub fn read(path: &Path, inputs: &Inputs<'_>) -> (Option<TestFile>, Diagnostics) {
    read_document(path, Document::open(path, Holds::NoSecrets, inputs.env), inputs)
}

pub(super) fn read_document(
    path: &Path,
    document: Document<'_>,
    inputs: &Inputs<'_>,
) -> (Option<TestFile>, Diagnostics) {
    let tests = document.root().map(|root| read_root(root, inputs)).unwrap_or_default();
    let diagnostics = document.into_diagnostics();
    let file = TestFile { path: path.to_owned(), tests };
    ((!diagnostics.has_errors()).then_some(file), diagnostics)
}

fn read_root(mut root: Section<'_>, inputs: &Inputs<'_>) -> Vec<Test> {
    if !root.has("tests") && !root.misnamed("tests") {
        root.error(
            "this file has no tests",
            "tests stand in a list under the key `tests`: a name, `deliveries` and `expect` each",
        );
    }
    let habits = Habits::read(&mut root, &Habits::default());
    let sections = root.sections("tests");
    root.finish();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    sections
        .into_iter()
        .filter_map(|section| read_test(section, inputs, &habits, &mut names))
        .collect()
}

fn read_test(
    mut section: Section<'_>,
    inputs: &Inputs<'_>,
    habits: &Habits,
    names: &mut BTreeMap<String, usize>,
) -> Option<Test> {
    let place = section.place();
    let name: Option<Located<String>> = section.required("name");
    if let Some(name) = &name
        && let Some(line) = names.insert(name.value.clone(), name.place.start().line)
    {
        let message = "there are two tests with this name";
        let hint = format!("the first is in line {line}: give this one another name");
        section.error_at(name.place.clone(), message, hint);
    }
    let start = section.with_default("start", START);
    let habits = Habits::read(&mut section, habits);
    let mut deliveries: Vec<(Duration, Section<'_>)> = section
        .sections("deliveries")
        .into_iter()
        .filter_map(|mut delivery| Some((delivery.required("at")?, delivery)))
        .collect();
    deliveries.sort_by_key(|(at, _)| *at);
    let mut traffic = Traffic::new(inputs.sources, start, habits);
    let last = deliveries.last().map(|(at, section)| (*at, section.place()));
    let deliveries = deliveries
        .into_iter()
        .filter_map(|(at, section)| read_delivery(at, section, &mut traffic))
        .collect();
    let mut people: Vec<Word> = section
        .sections("people")
        .into_iter()
        .filter_map(|word| person::read(word, inputs.playbook))
        .collect();
    people.sort_by_key(|word| word.at);
    let last_word = people.last().map(|word| (word.at, word.place.clone()));
    if !section.has("expect") && !section.misnamed("expect") {
        section.error(
            format!("{} expects nothing", section.name()),
            "add `expect`: a list of times, and what must be true then",
        );
    }
    let mut expect: Vec<Expect> = section
        .sections("expect")
        .into_iter()
        .filter_map(|expect| expectation::read(expect, inputs.playbook))
        .collect();
    expect.sort_by_key(|expect| expect.at);
    if let Some(end) = expect.last() {
        let lasts = [
            (last, "nothing is expected of this delivery"),
            (last_word, "nothing is expected after this"),
        ];
        for (last, message) in lasts {
            if let Some((_, place)) = last.filter(|(at, _)| *at > end.at) {
                section.error_at(place, message, "add an expectation for this time or a later one");
            }
        }
    }
    section.finish();
    let name = name?;
    Some(Test { name: name.value, place, start, deliveries, people, expect })
}

fn read_delivery(
    at: Duration,
    mut section: Section<'_>,
    traffic: &mut Traffic<'_>,
) -> Option<Delivery> {
    let times = section.within("times", 1, 1..=MOST_TIMES);
    let sent = traffic.read(at, &mut section);
    section.finish();
    let (source, received) = sent?;
    Some(Delivery { at, times, source, received })
}

impl Decode for Timestamp {
    fn decode(field: &Field<'_>) -> Option<Self> {
        let text: String = field.decode()?;
        let time = text.parse().ok();
        if time.is_none() {
            let message = format!("{} is not a time", field.quoted());
            field.report(
                Diagnostic::error(field.place(), message)
                    .hint("write it with its offset, such as `2026-03-02T08:00:00Z`"),
            );
        }
        time
    }
}
