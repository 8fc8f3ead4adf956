//! What can be known before the first alert: whether the vendor knows us, and whether it offers
//! the accounts and categories that the rules name.
//!
//! It only warns. A vendor that is down at the start of the daemon must not keep it from taking
//! alerts in.

use tracing::{info, warn};

use crate::domain::ids::VendorName;
use crate::playbook::Playbook;
use crate::rules::Then;
use crate::telemetry::metrics::Metrics;
use crate::vendors::Vendor;
use crate::vendors::akamai::{AccountCategories, Client};

/// Asks the vendor for its accounts, and compares.
pub async fn check(vendor: &VendorName, client: &Client, playbook: &Playbook, metrics: &Metrics) {
    let accounts = match client.accounts().await {
        Ok(accounts) => accounts,
        Err(error) => {
            metrics.alarm("preflight");
            warn!(%vendor, "vendor {vendor} could not be asked for its accounts: {error}");
            return;
        }
    };
    let names: Vec<&str> = accounts.iter().map(|known| known.account.as_str()).collect();
    info!(%vendor, accounts = ?names, "vendor {vendor} knows us; accounts: {}", names.join(", "));
    for complaint in complaints(vendor, playbook, &accounts) {
        metrics.alarm("preflight");
        warn!(%vendor, "{complaint}");
    }
}

/// Asks a vendor that has no list of accounts whether it is there and knows us.
pub async fn probe(name: &VendorName, vendor: &dyn Vendor, metrics: &Metrics) {
    let probe = vendor.probe().await;
    match probe.evidence() {
        None => info!(vendor = %name, "vendor {name} knows us"),
        Some(evidence) => {
            metrics.alarm("preflight");
            let message = &evidence.message;
            warn!(vendor = %name, "vendor {name} could not be asked: {message}");
        }
    }
}

/// What rules ask of the vendor that it does not offer. Templates that differ by alert are not
/// looked at.
fn complaints(
    vendor: &VendorName,
    playbook: &Playbook,
    accounts: &[AccountCategories],
) -> Vec<String> {
    let mut complaints = Vec::new();
    for rule in playbook.rules.rules() {
        let Then::Case(case) = &rule.then else { continue };
        let Some(account) = case.plan.account.constant().filter(|_| case.vendor == *vendor) else {
            continue;
        };
        let category = case.plan.category.as_str();
        match accounts.iter().find(|known| known.account.as_str() == account) {
            None => complaints.push(format!(
                "rule `{}` opens cases for account {account}, which vendor {vendor} does not let us use",
                rule.name
            )),
            Some(known) if !known.categories.iter().any(|offered| offered == category) => {
                complaints.push(format!(
                    "rule `{}` opens {category} cases, which vendor {vendor} does not offer to account {account} (it offers: {})",
                    rule.name,
                    known.categories.join(", ")
                ));
            }
            Some(_) => {}
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AccountId;

    #[test]
    fn accounts_and_categories_that_the_vendor_does_not_offer_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("casewright.yaml");
        std::fs::write(
            &config,
            "store: { sqlite: x.db }\nrules: [rules.yaml]\n\
             sources: [{ name: am, kind: alertmanager, auth: { bearer: [t] } }]\n\
             vendors: [{ name: akamai, kind: sandbox }]\n",
        )
        .unwrap();
        let rule = |name: &str, account: &str| {
            format!(
                "  - name: {name}\n    match: ['a = \"b\"']\n    case: {{ account: {account}, \
                 category: BILLING, area: Invoice, service: Dispute, severity: 1, subject: s, \
                 description: d }}\n"
            )
        };
        let rules = ["good", "unknown", "narrow"]
            .into_iter()
            .zip(["A-1", "A-2", "A-3"])
            .map(|(name, account)| rule(name, account))
            .collect::<String>();
        std::fs::write(folder.path().join("rules.yaml"), format!("rules:\n{rules}")).unwrap();
        let (setup, wrong) = crate::setup::load(&config, &|_| None);
        let setup = setup.unwrap_or_else(|| panic!("{}", wrong.render(false)));
        let offers = |account: &str, categories: &[&str]| AccountCategories {
            account: AccountId::new(account),
            name: String::new(),
            categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        };
        let accounts = [offers("A-1", &["BILLING"]), offers("A-3", &["TECHNICAL", "SECURITY"])];
        assert_eq!(
            complaints(&"akamai".into(), &setup.playbook, &accounts),
            [
                "rule `unknown` opens cases for account A-2, which vendor akamai does not let us use",
                "rule `narrow` opens BILLING cases, which vendor akamai does not offer to account A-3 (it offers: TECHNICAL, SECURITY)",
            ]
        );
    }
}
