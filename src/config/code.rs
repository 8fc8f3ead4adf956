//! Kinds of mistakes, under names that scripts and code-scanning tools can rely on.

/// The kind of a mistake. Names stay as they are; new ones may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A file cannot be read.
    File,
    /// The text is not YAML, or not UTF-8.
    Syntax,
    /// A variable of the environment cannot be filled in.
    Variable,
    /// A key stands twice in one map.
    DuplicateKey,
    /// Nobody knows the key.
    UnknownKey,
    /// A key is missing.
    MissingKey,
    /// A text where a number is wanted, and the like.
    WrongType,
    /// A value that is of the right type and cannot be.
    Value,
    /// A matcher cannot be read.
    Matcher,
    /// Matchers of a rule exclude each other.
    Contradiction,
    /// An earlier rule takes everything that a rule matches.
    Unreachable,
    /// A template is wrong.
    Template,
    /// A rule names a label that neither its matchers nor its tests have.
    Label,
    /// The vendor does not offer what a rule asks for.
    NotOffered,
    /// A rule test has failed.
    Expectation,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::File,
        Self::Syntax,
        Self::Variable,
        Self::DuplicateKey,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongType,
        Self::Value,
        Self::Matcher,
        Self::Contradiction,
        Self::Unreachable,
        Self::Template,
        Self::Label,
        Self::NotOffered,
        Self::Expectation,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Syntax => "syntax",
            Self::Variable => "variable",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::Value => "value",
            Self::Matcher => "matcher",
            Self::Contradiction => "contradiction",
            Self::Unreachable => "unreachable",
            Self::Template => "template",
            Self::Label => "label",
            Self::NotOffered => "not-offered",
            Self::Expectation => "expectation",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::File => "A file cannot be read.",
            Self::Syntax => "A file is not YAML, or not UTF-8.",
            Self::Variable => "A variable of the environment cannot be filled in.",
            Self::DuplicateKey => "A key stands twice in one map.",
            Self::UnknownKey => "There is no such key.",
            Self::MissingKey => "A key is missing.",
            Self::WrongType => "A value is of the wrong type.",
            Self::Value => "A value cannot be used.",
            Self::Matcher => "A matcher cannot be read.",
            Self::Contradiction => "The matchers of a rule exclude each other.",
            Self::Unreachable => "An earlier rule takes everything that a rule matches.",
            Self::Template => "A template is wrong.",
            Self::Label => {
                "Neither the matchers nor the tests of a rule have a label that it names."
            }
            Self::NotOffered => "The vendor does not offer what a rule asks for.",
            Self::Expectation => "A test of the rules has failed.",
        }
    }
}
