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
