//! A look at a template's text, before Handlebars's parser sees it.
//!
//! The parser recurses with every bracket and needs quadratic time for nested blocks, so both are
//! counted here. The commonest mistakes (a block that is not closed, closed by the wrong name) are
//! told here as well, because the parser's own message is a list of grammar rules.

use super::{Finding, foreign, position};
use crate::templates::limits;

struct Open<'s> {
    name: &'s str,
    at: usize,
    /// 1, and one more for each `else if`: Handlebars renders a chain as nested blocks.
    levels: usize,
}

/// Finds what must not reach the parser. A template with findings is not to be compiled.
pub(in crate::templates) fn scan(source: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut from = 0;
    let mut is_foreign = false;
    while let Some(found) = source.get(from..).and_then(|rest| rest.find("{{")) {
        let at = from + found;
        let before = source.get(from..at).unwrap_or("");
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        let rest = source.get(at..).unwrap_or("");
        if backslashes == 1 {
            // `\{{` is text; two backslashes are a backslash before a tag.
            from = at + if rest.starts_with("{{{{") { 4 } else { 2 };
            continue;
        }
        let finding = |message: String| Finding::new(position(source, at), message);
        if rest.starts_with("{{{{") {
            findings.push(
                finding("raw blocks are not supported".into())
                    .hint("write `\\{{` for braces that are text"),
            );
            // What follows is text to the parser and not to this scan.
            break;
        }
        let tag = match read_tag(rest) {
            Ok(tag) => tag,
            Err(Broken::Unclosed) => {
                findings.push(finding("this tag is never closed".into()).hint("add `}}`"));
                break;
            }
            Err(Broken::TooDeep) => {
                findings.push(finding(format!(
                    "more than {} brackets are open in this tag",
                    limits::BRACKET_DEPTH
                )));
                break;
            }
        };
        from = at + tag.len();
        if tag.starts_with("{{!") {
            continue;
        }
        let content = tag
            .trim_start_matches("{{")
            .trim_end_matches("}}")
            .trim_matches(|c: char| c == '~' || c.is_whitespace());
        // Once is enough: what follows is of the same language.
        if !is_foreign && let Some(hint) = foreign::hint(content) {
            is_foreign = true;
            findings.push(finding("this is not Handlebars".into()).hint(hint));
        }
        if let Err(problem) = nesting(content, at, &mut open) {
            findings.push(Finding { at: position(source, at), ..problem });
        }
        if open.iter().map(|block| block.levels).sum::<usize>() > limits::BLOCK_DEPTH {
            findings.push(
                finding(format!("blocks nest more than {} deep", limits::BLOCK_DEPTH))
                    .hint("an `else if` counts as one block more"),
            );
            break;
        }
    }
    if findings.is_empty() {
        findings.extend(open.iter().map(|block| {
            let name = block.name;
            Finding::new(position(source, block.at), format!("`{{{{#{name}}}}}` is never closed"))
                .hint(format!("add `{{{{/{name}}}}}`"))
        }));
    }
    findings
}

/// Follows one tag's content through the stack of open blocks.
fn nesting<'s>(content: &'s str, at: usize, open: &mut Vec<Open<'s>>) -> Result<(), Finding> {
    let finding = |message: String| Finding::new((1, 1), message);
    if let Some(block) = content.strip_prefix('#') {
        // Refused or not, it is open, and its end closes it.
        let name = word(block.trim_start_matches(['*', '>']));
        open.push(Open { name, at, levels: 1 });
        if block.starts_with('*') {
            return Err(finding("inline partials are not supported".into())
                .hint("put the part into a file of its own and write `{{> file.hbs}}`"));
        }
        if block.starts_with('>') {
            return Err(finding("a partial cannot have a block".into())
                .hint("write `{{> file.hbs}}`, with `name=value` for what differs"));
        }
    } else if content.starts_with('*') {
        return Err(finding("decorators are not supported".into()));
    } else if let Some(name) = content.strip_prefix('/') {
        let name = word(name);
        match open.pop() {
            Some(block) if block.name == name => {}
            Some(block) => {
                let expected = block.name;
                return Err(finding(format!("`{{{{/{name}}}}}` closes `{{{{#{expected}}}}}`"))
                    .hint(format!("write `{{{{/{expected}}}}}`")));
            }
            None => {
                return Err(finding(format!("`{{{{/{name}}}}}` closes nothing"))
                    .hint(format!("remove it, or begin the block with `{{{{#{name} …}}}}`")));
            }
        }
    } else if content == "else" || content == "^" {
        if open.is_empty() {
            return Err(finding("`{{else}}` stands outside of a block".into()));
        }
    } else if content.strip_prefix("else").is_some_and(|rest| rest.starts_with(char::is_whitespace))
        || content.starts_with('^')
    {
        match open.last_mut() {
            Some(block) => block.levels += 1,
            None => return Err(finding("`{{else …}}` stands outside of a block".into())),
        }
    }
    Ok(())
}

fn word(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| c.is_whitespace() || matches!(c, '~' | '}')).next().unwrap_or("")
}

enum Broken {
    Unclosed,
    TooDeep,
}

/// The whole tag that a text begins with, comments included.
///
/// Opening brackets count even inside strings, closing ones only outside: where this reading and
/// the parser's could differ, it errs on the side of "too deep".
fn read_tag(rest: &str) -> Result<&str, Broken> {
    for (start, end) in [("{{!--", "--}}"), ("{{!", "}}")] {
        if rest.starts_with(start) {
            let length = rest.find(end).ok_or(Broken::Unclosed)? + end.len();
            return rest.get(..length).ok_or(Broken::Unclosed);
        }
    }
    let mut depth = 0_usize;
    let mut braces = 0_usize;
    let mut quote = None;
    let mut previous = '{';
    let mut chars = rest.char_indices().skip(2).peekable();
    while let Some((index, c)) = chars.next() {
        match (quote, c) {
            // A key such as `labels.[it's]` is text up to its bracket.
            (None, '[') if matches!(previous, '.' | '/') => {
                for (_, inner) in chars.by_ref() {
                    if inner == ']' {
                        break;
                    }
                }
            }
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (_, '(' | '[' | '{') => {
                depth += 1;
                if quote.is_none() && c == '{' {
                    braces += 1;
                }
                if depth > limits::BRACKET_DEPTH {
                    return Err(Broken::TooDeep);
                }
            }
            (None, '}') if braces > 0 => {
                braces -= 1;
                depth = depth.saturating_sub(1);
            }
            (None, '}') if chars.peek().is_some_and(|(_, next)| *next == '}') => {
                return rest.get(..index + 2).ok_or(Broken::Unclosed);
            }
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        previous = c;
    }
    Err(Broken::Unclosed)
}
