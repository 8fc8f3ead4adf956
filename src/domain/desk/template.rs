//! Texts with names in braces: `correlation_id={{marker}}`.
//!
//! They look like the templates of rules and can do far less: everything that is to be written has
//! been written by the rule's templates, and what is left is to put it into its place.

use std::ops::Range;

use super::facts::Facts;

/// A text with names in braces, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Expression),
}

/// What stands between two pairs of braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// What is put there; one of the names of the [scope](super::scope), or `severity.NAME`.
    pub name: String,
    /// In which form.
    pub form: Form,
}

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text.
    Text,
    /// Text of so many characters at most, the last then `…`: `{{truncate subject 160}}`.
    Truncated(usize),
    /// A JSON number: `{{number severity.impact}}`.
    Number,
    /// `true` or `false`: `{{bool severity.urgent}}`.
    Bool,
    /// A list of texts: `{{list also_notify}}`.
    List,
}

impl Form {
    fn is_typed(self) -> bool {
        matches!(self, Self::Number | Self::Bool | Self::List)
    }
}

/// What a template may say.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The names that it may use.
    pub names: &'a [&'a str],
    /// Whether it makes a JSON value, which need not be a text.
    pub json: bool,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// What.
    pub problem: Problem,
}

/// See [`TemplateError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No closing braces.
    #[error("`{{{{` is never closed")]
    Open,
    /// Blocks, three braces and so on.
    #[error("only a name can stand between the braces here")]
    NoName,
    /// A name that means nothing here.
    #[error("`{0}` is not known here")]
    UnknownName(String),
    /// A helper that does not exist.
    #[error("there is no helper `{0}` here")]
    UnknownHelper(String),
    /// `truncate` without a number.
    #[error("`truncate` needs a name and a number of characters, at least 1")]
    Truncate,
    /// A number, truth value or list amid text.
    #[error("`{0}` makes a value that is no text, so it must stand alone")]
    NotAlone(String),
    /// A number, truth value or list in an address or header.
    #[error("`{0}` makes a value that is no text, and belongs into a `body`")]
    NotText(String),
    /// What is found again must not be cut.
    #[error("`{0}` must not be cut: without its end nothing is found again")]
    Whole(String),
    /// It is a text by what it is.
    #[error("`{0}` can be neither a number nor a truth value")]
    Untyped(String),
    /// Only `also_notify` is a list.
    #[error("`{0}` is no list")]
    NoList(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(text: &str, rules: Rules<'_>) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut typed = None;
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
            let open = at + found;
            let before = text.get(at..open).unwrap_or_default();
            if let Some(before) = before.strip_suffix('\\') {
                literal.push_str(before);
                literal.push_str("{{");
                at = open + 2;
                continue;
            }
            literal.push_str(before);
            let rest = text.get(open + 2..).unwrap_or_default();
            let Some(length) = rest.find("}}") else {
                return Err(TemplateError { range: open..text.len(), problem: Problem::Open });
            };
            let inner = rest.get(..length).unwrap_or_default();
            at = open + 2 + length + 2;
            let range = open..at;
            let expression = expression(inner, rules)
                .map_err(|problem| TemplateError { range: range.clone(), problem })?;
            if expression.form.is_typed() {
                typed = Some((range, inner.trim().to_owned()));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Value(expression));
        }
        literal.push_str(text.get(at..).unwrap_or_default());
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        match typed {
            Some((range, inner)) if pieces.len() > 1 => {
                Err(TemplateError { range, problem: Problem::NotAlone(inner) })
            }
            _ => Ok(Self { pieces }),
        }
    }

    /// The text; `None` where it uses something that this case does not have.
    pub fn text(&self, facts: &Facts<'_>) -> Option<String> {
        self.text_of(facts, str::to_owned)
    }

    /// As [`Self::text`], with every value changed by `change` before it is put into its place.
    pub fn text_of(&self, facts: &Facts<'_>, change: impl Fn(&str) -> String) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Value(Expression { name, form }) => {
                    let value = facts.value(name)?;
                    let value = match form {
                        Form::Truncated(characters) => truncated(&value, *characters).into(),
                        // Typed forms stand alone, and whoever wants them asks for `single`.
                        Form::Text | Form::Number | Form::Bool | Form::List => value,
                    };
                    text.push_str(&change(&value));
                }
            }
        }
        Some(text)
    }

    /// The expression, if the template is nothing else.
    pub fn single(&self) -> Option<&Expression> {
        match self.pieces.as_slice() {
            [Piece::Value(expression)] => Some(expression),
            _ => None,
        }
    }

    /// What it uses.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(expression) => Some(expression),
            Piece::Text(_) => None,
        })
    }

    /// The text before the first name.
    pub fn head(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// The texts between the names.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Value(_) => None,
        })
    }
}

fn expression(inner: &str, rules: Rules<'_>) -> Result<Expression, Problem> {
    if inner.contains(['{', '#', '/', '>', '~', '"', '(', '!', '^', '&', '\n']) {
        return Err(Problem::NoName);
    }
    let words: Vec<&str> = inner.split_whitespace().collect();
    let (name, form) = match words.as_slice() {
        [] => return Err(Problem::NoName),
        ["truncate", name, characters] => match characters.parse() {
            Ok(characters @ 1..) => (*name, Form::Truncated(characters)),
            _ => return Err(Problem::Truncate),
        },
        ["truncate", ..] => return Err(Problem::Truncate),
        [name] => (*name, Form::Text),
        ["number", name] => (*name, Form::Number),
        ["bool", name] => (*name, Form::Bool),
        ["list", name] => (*name, Form::List),
        [helper, ..] => return Err(Problem::UnknownHelper((*helper).to_owned())),
    };
    if !rules.names.contains(&name) {
        return Err(Problem::UnknownName(name.to_owned()));
    }
    let found_by = ["marker", "token", "key", "case", "text"];
    if matches!(form, Form::Truncated(_)) && found_by.contains(&name) {
        return Err(Problem::Whole(name.to_owned()));
    }
    if form.is_typed() && !rules.json {
        return Err(Problem::NotText(inner.trim().to_owned()));
    }
    let texts = ["marker", "token", "key", "text", "subject", "description"];
    if matches!(form, Form::Number | Form::Bool) && texts.contains(&name) {
        return Err(Problem::Untyped(name.to_owned()));
    }
    if form == Form::List && name != "also_notify" {
        return Err(Problem::NoList(name.to_owned()));
    }
    Ok(Expression { name: name.to_owned(), form })
}

/// At most so many characters, the last then `…`.
fn truncated(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::IncidentId;

    const NAMES: &[&str] = &["marker", "text", "case", "subject", "also_notify"];

    fn parse(text: &str) -> Result<Template, (String, String)> {
        Template::parse(text, Rules { names: NAMES, json: true })
            .map_err(|error| (text[error.range].to_owned(), error.problem.to_string()))
    }

    fn rendered(template: &str, text: &str) -> Option<String> {
        let marker = IncidentId::from_stored("9f3a1c7be2d044580a1b2c3d").marker();
        let case = "7".into();
        let facts = Facts::note(&case, &marker, "[cw-9f3a1c7be2d0-3]", text);
        parse(template).unwrap().text(&facts)
    }

    #[test]
    fn names_are_replaced_and_everything_else_stays() {
        for (template, text) in [
            ("", ""),
            ("plain }} text", "plain }} text"),
            ("{{case}}", "7"),
            ("a {{ case }}/{{text}} b", "a 7/äöü b"),
            (r"\{{case}} {{case}}", "{{case}} 7"),
            ("{{marker}}", "cw-9f3a1c7be2d044580a1b2c3d"),
        ] {
            assert_eq!(rendered(template, "äöü").as_deref(), Some(text), "{template}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        for (characters, cut) in [(1, "…"), (2, "ä…"), (3, "äöü"), (4, "äöü")] {
            assert_eq!(truncated("äöü", characters), cut);
        }
    }

    #[test]
    fn a_text_that_uses_what_is_not_there_is_not_there() {
        assert_eq!(rendered("to {{also_notify}}", "x"), None);
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        let told = |text: &str| parse(text).unwrap_err();
        for (text, place, words) in [
            ("a {{case", "{{case", "`{{` is never closed"),
            ("{{}}", "{{}}", "only a name can stand between the braces here"),
            ("x {{#if case}}y", "{{#if case}}", "only a name can stand between the braces here"),
            ("{{{case}}}", "{{{case}}", "only a name can stand between the braces here"),
            ("{{cas}}", "{{cas}}", "`cas` is not known here"),
            ("{{upper case}}", "{{upper case}}", "there is no helper `upper` here"),
            (
                "{{truncate case 0}}",
                "{{truncate case 0}}",
                "`truncate` needs a name and a number of characters, at least 1",
            ),
            (
                "{{case}} {{number case}}",
                "{{number case}}",
                "`number case` makes a value that is no text, so it must stand alone",
            ),
            ("{{list case}}", "{{list case}}", "`case` is no list"),
        ] {
            assert_eq!(told(text), (place.to_owned(), words.to_owned()), "{text}");
        }
        let error = Template::parse("{{number case}}", Rules { names: NAMES, json: false });
        let words = "`number case` makes a value that is no text, and belongs into a `body`";
        assert_eq!(error.unwrap_err().problem.to_string(), words);
    }

    proptest! {
        #[test]
        fn what_an_alert_says_is_never_read_as_a_template(text in ".{0,40}") {
            prop_assert_eq!(rendered("<{{text}}>", &text), Some(format!("<{text}>")));
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in r"[a-z{}\\ ]{0,30}") {
            if let Err(error) = Template::parse(&text, Rules { names: NAMES, json: true }) {
                prop_assert!(text.get(error.range).is_some_and(|piece| !piece.is_empty()));
            }
        }
    }
}
