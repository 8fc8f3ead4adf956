//! Diagnostics as SARIF 2.1.0, which code-scanning services and editors show at their lines.

use std::path::Path;

use serde_json::{Value, json};

use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics};

/// Where the form is defined.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log with one run that found these.
pub fn to_sarif(diagnostics: &Diagnostics) -> Value {
    let rules: Vec<Value> = Code::ALL
        .into_iter()
        .map(|code| json!({ "id": code.as_str(), "shortDescription": { "text": code.meaning() } }))
        .collect();
    let results: Vec<Value> = diagnostics.sorted().into_iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "casewright",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            // Columns are counted in characters, as everywhere else.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(diagnostic: &Diagnostic) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&diagnostic.file) } });
    if let (Some(place), Some(location)) = (&diagnostic.place, location.as_object_mut()) {
        let (start, end) = (place.start(), place.end());
        let region = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
        location.insert("region".to_owned(), region);
    }
    json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": diagnostic.severity.as_str(),
        "message": { "text": message(diagnostic) },
        "locations": [{ "physicalLocation": location }],
    })
}

/// Everything that people are told, because viewers show nothing but this.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if !diagnostic.label.is_empty() {
        text.push_str(&format!(": {}", diagnostic.label));
    }
    if let Some(hint) = &diagnostic.hint {
        text.push_str(&format!("\nhelp: {hint}"));
    }
    text
}

/// A path as a URI; a relative one stays relative to where the command runs, which in a pipeline
/// is the root of the repository.
fn uri(path: &Path) -> String {
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    let path = path.strip_prefix(".").unwrap_or(path);
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source_file::{Holds, Place, SourceFile, Span};

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri(Path::new("./rules/10 a:b.yaml")), "rules/10%20a%3Ab.yaml");
        assert_eq!(uri(Path::new("/etc/é.yaml")), "file:///etc/%C3%A9.yaml");
    }

    #[test]
    fn columns_are_characters_and_the_end_is_after_the_last() {
        let file = SourceFile::new("rules.yaml", "a: 1\né: two\n", Holds::NoSecrets);
        let place = Place { file, span: Span { start: 9, end: 12 } };
        let mut found = Diagnostics::default();
        found.push(Diagnostic::warning(place, "no").label("this").hint("other"));
        let sarif = to_sarif(&found);
        let result = &sarif["runs"][0]["results"][0];
        let location = &result["locations"][0]["physicalLocation"];
        let region = json!({ "startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 7 });
        assert_eq!(location["region"], region);
        assert_eq!(location["artifactLocation"]["uri"], "rules.yaml");
        assert_eq!(result["level"], "warning");
        assert_eq!(result["message"]["text"], "no: this\nhelp: other");
        let rules = &sarif["runs"][0]["tool"]["driver"]["rules"];
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }

    #[test]
    fn names_of_kinds_are_unique() {
        let mut names = Code::ALL.map(Code::as_str);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
