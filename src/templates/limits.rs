//! How large a template and what goes into it may be.
//!
//! Handlebars itself has no bounds: a deep template overflows the stack and takes the process
//! with it, a wide loop runs as long as it likes. Everything is bounded here, when templates are
//! loaded where that can be known, and when they are rendered where it cannot.

/// The longest source of a template, in bytes.
pub const SOURCE: usize = 64 * 1024;

/// The longest name of a template file, in bytes.
pub const NAME: usize = 200;

/// How deep blocks nest, each `else if` counting as one block more because that is how Handlebars
/// renders it. Counted across partials.
pub const BLOCK_DEPTH: usize = 32;

/// How deep `each` nests, counted across partials.
pub const EACH_DEPTH: usize = 3;

/// How many brackets are open at once within a tag.
pub const BRACKET_DEPTH: usize = 32;

/// How deep partials include partials.
pub const PARTIAL_DEPTH: usize = 8;

/// How many partials one template includes, all that those include counted.
pub const PARTIALS: usize = 500;

/// How many member alerts a template sees; the others are counted only.
pub const ALERTS: usize = 500;

/// The longest text that one helper makes, in bytes: `replace` could square the length of what it
/// is given.
pub const HELPER_OUTPUT: usize = 256 * 1024;
