//! Files that rules have fetched, which no configuration lets them fetch, or no vendor takes.

use crate::config::{Code, Config, Diagnostic, Diagnostics, VendorKind};
use crate::rules::{RuleSet, Then};

/// Looks at every file of every rule. Addresses that differ by alert are looked at when a case is
/// drafted.
pub(super) fn check(rules: &RuleSet, config: &Config, into: &mut Diagnostics) {
    for rule in rules.rules() {
        let Then::Case(case) = &rule.then else { continue };
        let takes_texts_only = config
            .vendor(&case.vendor)
            .is_some_and(|vendor| matches!(vendor.kind, VendorKind::Http(_)));
        for file in &case.plan.attach.files {
            let mut wrong = |message: String, hint: &str| {
                let place = file.url.place.clone();
                let diagnostic = Diagnostic::error(place, message).code(Code::Value);
                into.push(if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) });
            };
            if takes_texts_only {
                let message = format!("vendor `{}` takes no files", case.vendor);
                wrong(message, "put the address into the description, or remove the file");
            } else if config.fetch.hosts.is_empty() {
                let hint = "allow the host in the daemon's own file: `fetch: { allow: [{ host: grafana.example.com }] }`";
                wrong(format!("nothing may be fetched: the file {} has no host", file.name), hint);
            } else if let Some(Err(why)) =
                file.url.constant().map(|url| config.fetch.allowed(url.trim()))
            {
                wrong(format!("the file {} cannot be fetched: {why}", file.name), "");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// What is said of a rule that has a file fetched from this address.
    fn told(url: &str, fetch: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["rules", "templates"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let path = folder.path().join("casewright.yaml");
        let config = format!(
            "store: {{ sqlite: a.db }}\nrules: [rules/*.yaml]\nsources: [{{ name: pd, kind: pagerduty, \
             secrets: [x] }}]\nvendors: [{{ name: v, kind: sandbox }}]\n{fetch}"
        );
        std::fs::write(&path, config).unwrap();
        let rule = format!(
            "rules: [{{ name: one, match: ['a = b'], case: {{ account: A-1, category: TECHNICAL, \
             product: p, problem: q, subject: s, description: d, severity: 1, \
             attach: {{ files: [{{ url: '{url}', name: panel.png }}] }} }} }}]"
        );
        std::fs::write(folder.path().join("rules/one.yaml"), rule).unwrap();
        let (_, diagnostics) = crate::setup::load(&path, &|_| None);
        diagnostics.sorted().into_iter().map(|one| one.message.clone()).collect()
    }

    #[test]
    fn a_file_that_can_never_be_fetched_is_told() {
        let allowed = "fetch: { allow: [{ host: grafana.example.com }] }\n";
        assert_eq!(told("https://grafana.example.com/a", allowed), [""; 0]);
        assert_eq!(told("{{annotations.panel}}", allowed), [""; 0]);
        assert_eq!(
            told("https://other.example.com/a", allowed),
            [
                "the file panel.png cannot be fetched: `fetch.allow` does not have `https://other.example.com`"
            ]
        );
        assert_eq!(
            told("{{annotations.panel}}", ""),
            ["nothing may be fetched: the file panel.png has no host"]
        );
    }
}
