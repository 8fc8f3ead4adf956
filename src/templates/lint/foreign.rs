//! What people bring along from Go's templates (Alertmanager, Prometheus, Grafana) and from Jinja.

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
    let (of, rest) = name.split_once('.').unwrap_or((name, ""));
    let known = match of {
        "Labels" | "labels" | "CommonLabels" | "GroupLabels" => "labels",
        "Annotations" | "annotations" | "CommonAnnotations" => "annotations",
        "Status" => return Some("write `{{alert.status}}`".to_owned()),
        "StartsAt" => return Some("write `{{date alert.starts_at}}`".to_owned()),
        "Alerts" => return Some("write `alerts`: `{{#each alerts}}{{name}}{{/each}}`".to_owned()),
        "ExternalURL" | "GeneratorURL" | "externalURL" => {
            return Some("links are in `links`: `{{#each links.list}}{{url}}{{/each}}`".to_owned());
        }
        "value" | "Value" | "Values" | "ValueString" => {
            return Some(
                "the value is not sent: put it into an annotation of the alert, and write \
                 `{{annotations.name}}`"
                    .to_owned(),
            );
        }
        _ => {
            return Some(
                "names here are `labels.name`, `annotations.name` and those of `alert`".to_owned(),
            );
        }
    };
    Some(if rest.is_empty() {
        format!("write `{known}`")
    } else {
        format!("write `{{{{{known}.{rest}}}}}`")
    })
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
}
