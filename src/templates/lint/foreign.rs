//! What people bring along from Go's templates (Alertmanager, Prometheus, Grafana) and from Jinja.

use crate::templates::context::{ALERT_KEYS, ROOT_KEYS};
use crate::templates::helpers;

/// What to write instead of a tag's content, if it is of another language.
pub(super) fn hint(content: &str) -> Option<String> {
    let bare = without_texts(content);
    let mut words = bare.split_whitespace();
    let first = words.next().unwrap_or_default();
    // Alone it may be a name that a partial is given.
    let is_called = words.next().is_some();
    match first {
        "end" => return Some("write the block's name: `{{/if}}`, `{{/each}}`".to_owned()),
        _ if !is_called => {}
        "range" => return Some("write `{{#each alerts}}…{{/each}}`".to_owned()),
        "if" | "with" => {
            return Some(format!(
                "write `{{{{#{first} labels.name}}}}…{{{{/{first}}}}}`; a comparison stands in \
                 brackets: `{{{{#if (eq labels.name \"value\")}}}}`"
            ));
        }
        "template" | "include" => {
            return Some(
                "write `{{> file.hbs}}`, with a file of the folder of templates".to_owned(),
            );
        }
        "define" | "block" => {
            return Some(
                "put the part into a file of its own in the folder of templates, and write \
                 `{{> file.hbs}}`"
                    .to_owned(),
            );
        }
        "toUpper" | "title" => return Some("write `{{upper labels.name}}`".to_owned()),
        "toLower" => return Some("write `{{lower labels.name}}`".to_owned()),
        "humanizeDuration" => {
            return Some("write `{{duration 90}}`, with seconds or with a time".to_owned());
        }
        "index" => return Some("write `{{lookup labels \"name\"}}`".to_owned()),
        "elif" | "elseif" | "elsif" => return Some("write `{{else if …}}`".to_owned()),
        _ => {}
    }
    if bare.starts_with("- ") || bare.ends_with(" -") {
        return Some("blanks are trimmed by `~`: `{{~labels.name~}}`".to_owned());
    }
    if bare.contains(":=") {
        return Some("there are no variables: write the name wherever it is needed".to_owned());
    }
    if let Some(call) = piped(content) {
        return Some(format!("a helper stands before its value: `{{{{{call}}}}}`"));
    }
    if let Some(path) = indexed(content) {
        return Some(format!("write `{{{{{path}}}}}`"));
    }
    if let Some(name) = bare.split_whitespace().find_map(go_name) {
        return Some(name);
    }
    if bare.contains('|') && !bare.contains("||") && !content.contains(" as |") {
        return Some("a helper stands before its value: `{{upper labels.name}}`".to_owned());
    }
    for (operator, helper) in
        [("==", "eq"), ("!=", "ne"), ("&&", "and"), ("||", "or"), (">=", "gte"), ("<=", "lte")]
    {
        if bare.contains(operator) {
            return Some(format!("write `({helper} one other)`, in brackets"));
        }
    }
    if bare.contains(',') {
        return Some("separate parameters with blanks, without commas".to_owned());
    }
    None
}

/// What a name of Go's templates is here.
fn go_name(word: &str) -> Option<String> {
    let name = word.trim_matches(['(', ')']);
    let name = name.strip_prefix('$').or_else(|| name.strip_prefix('.'))?;
    // `../labels.name` and `./name` are Handlebars.
    if name.starts_with(['.', '/']) {
        return None;
    }
    if let Some(hint) = of_the_payload(name) {
        return Some(hint);
    }
    let known = match name.split_once('.').map_or(name, |(of, _)| of) {
        "Status" => "write `{{alert.status}}`",
        "StartsAt" => "write `{{date alert.starts_at}}`",
        "Alerts" => "write `alerts`: `{{#each alerts}}{{name}}{{/each}}`",
        "ExternalURL" | "GeneratorURL" | "externalURL" => {
            "links are in `links`: `{{#each links.list}}{{url}}{{/each}}`"
        }
        "value" | "Value" | "Values" | "ValueString" => {
            "the value is not sent: put it into an annotation of the alert, and write \
             `{{annotations.name}}`"
        }
        _ => "names here are `labels.name`, `annotations.name` and those of `alert`",
    };
    Some(known.to_owned())
}

/// What a table of Alertmanager's is here.
fn table(name: &str) -> Option<&'static str> {
    match name {
        "Labels" | "labels" | "CommonLabels" | "GroupLabels" | "commonLabels" | "groupLabels" => {
            Some("labels")
        }
        "Annotations" | "annotations" | "CommonAnnotations" | "commonAnnotations" => {
            Some("annotations")
        }
        _ => None,
    }
}

/// What to write instead of a path that begins with a name of Alertmanager's payload. It is
/// Handlebars, and there is no such name.
pub(super) fn of_the_payload(path: &str) -> Option<String> {
    let (of, rest) = path.split_once('.').unwrap_or((path, ""));
    Some(match (table(of)?, rest) {
        (table, "") => format!("write `{table}`"),
        (table, rest) => format!("write `{{{{{table}.{rest}}}}}`"),
    })
}

/// A name as it is written here, if it can be told what it stands for.
fn path(written: &str) -> Option<String> {
    if let Some(path) = indexed(written) {
        return Some(path);
    }
    let name = written.strip_prefix(['$', '.']).unwrap_or(written);
    let plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if name.is_empty() || name.split('.').any(|key| key.is_empty() || !key.chars().all(plain)) {
        return None;
    }
    let (of, rest) = name.split_once('.').unwrap_or((name, ""));
    match (table(of), rest) {
        (Some(table), rest) if !rest.is_empty() => Some(format!("{table}.{rest}")),
        _ if of == "Status" && name != written => Some("alert.status".to_owned()),
        _ if name != written => None,
        (None, "") if !ROOT_KEYS.contains(&name) && !ALERT_KEYS.contains(&name) => {
            Some(format!("labels.{name}"))
        }
        _ => Some(name.to_owned()),
    }
}

/// What `labels["name"]` is here.
fn indexed(written: &str) -> Option<String> {
    let (of, rest) = written.strip_prefix(['$', '.']).unwrap_or(written).split_once('[')?;
    let key = rest.strip_suffix(']')?;
    let quote = key.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    let key = key.strip_prefix(quote)?.strip_suffix(quote)?;
    let table = table(of)?;
    let plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if key.is_empty() || key.contains(['[', ']']) {
        return None;
    }
    Some(if key.chars().all(plain) { format!("{table}.{key}") } else { format!("{table}.[{key}]") })
}

/// What a value with filters behind it is here, if there is a helper for each of them.
fn piped(content: &str) -> Option<String> {
    let mut parts = split_outside_texts(content, '|').into_iter();
    let mut call = path(parts.next()?.trim())?;
    let mut is_piped = false;
    for filter in parts {
        if is_piped {
            call = format!("({call})");
        }
        is_piped = true;
        let filter = filter.trim();
        let name =
            filter.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').next()?;
        let helper = match name {
            "toUpper" => "upper",
            "toLower" => "lower",
            "length" => "len",
            "toJson" | "tojson" => "json",
            "d" => "default",
            name => name,
        };
        helpers::find(helper)?;
        // Jinja's parameters stand in brackets, with commas.
        let given = filter.strip_prefix(name)?.trim();
        let given = given.strip_prefix('(').and_then(|all| all.strip_suffix(')')).unwrap_or(given);
        let given: Vec<&str> = split_outside_texts(given, ',').into_iter().map(str::trim).collect();
        call = format!("{helper} {call} {}", given.join(" ")).trim_end().to_owned();
    }
    is_piped.then_some(call)
}

/// Takes a text apart where a separator stands outside of quotes.
fn split_outside_texts(text: &str, separator: char) -> Vec<&str> {
    let mut until = None;
    text.split(|char: char| match until {
        Some(end) => {
            if char == end {
                until = None;
            }
            false
        }
        None => {
            if matches!(char, '"' | '\'') {
                until = Some(char);
            }
            char == separator
        }
    })
    .collect()
}

/// The content with what stands in quotes and in square brackets blanked.
fn without_texts(content: &str) -> String {
    let mut until = None;
    let blank = |char: char| match until {
        Some(end) => {
            if char == end {
                until = None;
            }
            '_'
        }
        None => {
            until = match char {
                '"' | '\'' => Some(char),
                '[' => Some(']'),
                _ => None,
            };
            if until.is_some() { '_' } else { char }
        }
    };
    content.chars().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn handlebars_is_not_foreign() {
        for content in [
            "labels.team",
            "#if (eq labels.a \"x == y, z | .Labels\")",
            "#each alerts as |one|",
            "../labels.team",
            "upper labels.team",
            "title",
            "labels.[a,b]",
            "this",
            "#each ./links",
            "else if labels.a",
            "ago alert.starts_at",
            "/if",
            "> footer.hbs name=labels.team",
        ] {
            assert_eq!(hint(content), None, "{content}");
        }
    }

    #[test]
    fn names_of_go_are_told_as_they_are_here() {
        assert_eq!(hint(".CommonLabels.team").as_deref(), Some("write `{{labels.team}}`"));
        assert_eq!(hint("$annotations.text").as_deref(), Some("write `{{annotations.text}}`"));
    }

    #[test]
    fn filters_are_told_as_calls_of_helpers() {
        for (written, meant) in [
            ("x | default \"y\"", "default labels.x \"y\""),
            ("labels.x | default \"a | b\"", "default labels.x \"a | b\""),
            (".Labels.x | toUpper", "upper labels.x"),
            ("$labels.x|lower", "lower labels.x"),
            ("annotations.a | default('none') | upper", "upper (default annotations.a 'none')"),
            ("labels[\"a.b\"] | replace(\"x\", \"y\")", "replace labels.[a.b] \"x\" \"y\""),
            ("alert.name | truncate 80", "truncate alert.name 80"),
            (".Status | title | toUpper", ""),
        ] {
            let hint = hint(written).unwrap_or_default();
            assert!(
                hint.contains(&format!("`{{{{{meant}}}}}`")) || meant.is_empty(),
                "{written}: {hint}"
            );
            assert!(!meant.is_empty() || hint.contains("alert.status"), "{written}: {hint}");
        }
    }

    #[test]
    fn an_index_is_told_as_a_path() {
        for (written, meant) in [
            ("labels[\"x\"]", "labels.x"),
            ("labels['app.kubernetes.io/name']", "labels.[app.kubernetes.io/name]"),
            ("$annotations[\"a b\"]", "annotations.[a b]"),
            (".CommonLabels[\"x\"]", "labels.x"),
        ] {
            assert_eq!(hint(written), Some(format!("write `{{{{{meant}}}}}`")), "{written}");
        }
    }

    #[test]
    fn names_of_the_payload_are_told_as_they_are_here() {
        let told = |path| super::of_the_payload(path);
        assert_eq!(told("commonLabels.x").as_deref(), Some("write `{{labels.x}}`"));
        assert_eq!(told("groupLabels").as_deref(), Some("write `labels`"));
        assert_eq!(told("commonAnnotations.a").as_deref(), Some("write `{{annotations.a}}`"));
        assert_eq!(told("incident.x"), None);
    }
}
