//! One file on its way from text to typed values, collecting everything that is wrong with it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::decode::{Field, Section};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::interpolate::{Lookup, interpolate};
use super::source_file::{Holds, Place, SourceFile, Span};
use super::yaml::{self, Node};

/// What decoding needs to know about the file, and where it reports to.
pub struct Reader<'e> {
    pub(super) file: Arc<SourceFile>,
    pub(super) env: Lookup<'e>,
    found: RefCell<Diagnostics>,
}

impl Reader<'_> {
    /// Reports something. Reading goes on.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// A place in the file.
    pub fn place(&self, span: Span) -> Place {
        Place { file: Arc::clone(&self.file), span }
    }
}

/// A file that was read and parsed, as far as that was possible.
pub struct Document<'e> {
    reader: Reader<'e>,
    root: Option<Node>,
}

impl<'e> Document<'e> {
    /// Reads and parses a file, and replaces references to the environment.
    pub fn open(path: &Path, holds: Holds, env: Lookup<'e>) -> Self {
        match SourceFile::read(path, holds) {
            Ok(file) => Self::of(file, env),
            Err(diagnostic) => {
                let mut found = Diagnostics::default();
                found.push(*diagnostic);
                let file = SourceFile::new(path, "", holds);
                Self { reader: Reader { file, env, found: RefCell::new(found) }, root: None }
            }
        }
    }

    /// Parses a text that is at hand.
    pub fn of(file: Arc<SourceFile>, env: Lookup<'e>) -> Self {
        let mut found = Diagnostics::default();
        let mut root = yaml::parse(&file, &mut found);
        if let Some(root) = &mut root {
            interpolate(root, &file, env, &mut found);
        }
        Self { reader: Reader { file, env, found: RefCell::new(found) }, root }
    }

    /// The map that the file consists of; an empty file is an empty map. `None` if the file is
    /// something else, which has been reported.
    pub fn root(&self) -> Option<Section<'_>> {
        let root = self.root.as_ref()?;
        Section::root(Field::new(&self.reader, root, String::new()))
    }

    /// Where it reports to.
    pub fn reader(&self) -> &Reader<'e> {
        &self.reader
    }

    /// Everything that was found.
    pub fn into_diagnostics(self) -> Diagnostics {
        self.reader.found.into_inner()
    }
}
