//! What the vendors accept, as it was last read: to be looked through when a rule is written.

use askama::Template;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;

use super::frame::Frame;
use super::{Choice, Console, Page, Trouble, choices, draw};
use crate::domain::catalog::whole::VendorCatalog;
use crate::domain::catalog::{Catalog, Product};
use crate::http::access::Visit;
use crate::http::answer::Refusal;
use crate::http::api::asked::Asked;

/// Where it is.
const HERE: &str = "/catalog";
/// So many lines are shown.
const LINES: usize = 500;
/// Nobody seeks for more than this.
const LONGEST: usize = 200;

#[derive(Template)]
#[template(path = "catalog.html")]
struct Page_ {
    frame: Frame,
    vendors: Vec<Choice>,
    text: String,
    read_at: Option<Timestamp>,
    lines: Vec<Line>,
    more: bool,
    complaints: Vec<String>,
}

/// Something that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    account: String,
    category: String,
    what: &'static str,
    name: String,
    /// What it belongs to.
    of: String,
}

pub(super) async fn page(
    State(console): State<Console>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Page {
    let people = &console.api.people;
    let whole = |refusal| Trouble::leading_to(refusal, HERE, "To the catalog");
    let asked = Asked::of_page(query.as_deref(), &["vendor", "text"]).map_err(whole)?;
    let text: String = asked.trimmed("text").chars().take(LONGEST).collect();
    let vendors = people.vendor_names();
    let known = match asked.text("vendor") {
        None => vendors.first().cloned(),
        Some(vendor) if vendors.iter().any(|name| name == vendor) => Some(vendor.to_owned()),
        Some(_) => return Err(whole(Refusal::unknown("there is no such vendor"))),
    };
    let kept = match &known {
        Some(name) => people.catalogs.kept(&name.as_str().into()).await?,
        None => None,
    };
    let mut lines = kept.as_ref().map(|kept| lines(&kept.catalog, &text)).unwrap_or_default();
    let more = lines.len() > LINES;
    lines.truncate(LINES);
    let complaints = people.complaints().await;
    let page = Page_ {
        frame: Frame::new(&console, &visit, HERE),
        vendors: choices(vendors, known.as_deref().unwrap_or_default()),
        text,
        read_at: kept.map(|kept| kept.read_at),
        lines,
        more,
        complaints: complaints.iter().map(ToString::to_string).collect(),
    };
    Ok(draw(&page))
}

/// Everything that has a text in it, in its name or in what it belongs to. Case does not count.
fn lines(catalog: &VendorCatalog, text: &str) -> Vec<Line> {
    let text = text.to_lowercase();
    let mut found = Vec::new();
    for account in &catalog.accounts {
        for category in &account.categories {
            let mut line = |what: &'static str, name: &str, of: &str| {
                let is_it = [name, of, account.account.as_str(), &account.name, &category.category]
                    .into_iter()
                    .any(|part| part.to_lowercase().contains(&text));
                // One more than is shown tells that there are more.
                if is_it && found.len() <= LINES {
                    found.push(Line {
                        account: match account.name.as_str() {
                            "" => account.account.to_string(),
                            name => format!("{} {name}", account.account),
                        },
                        category: category.category.clone(),
                        what,
                        name: name.to_owned(),
                        of: of.to_owned(),
                    });
                }
            };
            match &category.page {
                Some(page) => each(&page.catalog, &mut line),
                None => line("not read yet", "", ""),
            }
        }
    }
    found
}

fn each(catalog: &Catalog, line: &mut impl FnMut(&'static str, &str, &str)) {
    let mut products = |products: &[Product], of: &str| {
        for product in products {
            line("product", &product.name, of);
            product.problems.iter().for_each(|problem| line("problem", problem, &product.name));
            product.severities.iter().for_each(|one| line("severity", one, &product.name));
        }
    };
    products(&catalog.products, "");
    for domain in &catalog.policy_domains {
        products(&domain.products, &domain.name);
    }
    for domain in &catalog.policy_domains {
        line("policy domain", &domain.name, "");
    }
    for area in &catalog.areas {
        line("area", &area.name, "");
        area.services.iter().for_each(|service| line("service", service, &area.name));
    }
    catalog.severities.iter().for_each(|severity| line("severity", severity, ""));
    catalog.solutions.iter().for_each(|solution| line("solution", solution, ""));
    catalog.packages.iter().for_each(|package| line("package", package, ""));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::whole::{AccountCatalog, CategoryCatalog, Page as Read};

    #[test]
    fn a_search_finds_names_and_what_belongs_to_them_whatever_the_case() {
        let product = Product {
            name: "Ion Premier".to_owned(),
            problems: vec!["Configuring".to_owned()],
            severities: Vec::new(),
        };
        let catalog = Catalog {
            products: vec![product],
            severities: vec!["1-Major".to_owned()],
            ..Catalog::default()
        };
        let page = Some(Read { read_at: Timestamp::UNIX_EPOCH, catalog });
        let categories = vec![CategoryCatalog { category: "TECHNICAL".to_owned(), page }];
        let account = AccountCatalog { account: "A-1".into(), name: String::new(), categories };
        let catalog = VendorCatalog { complete: true, accounts: vec![account] };
        let names = |text: &str| -> Vec<String> {
            lines(&catalog, text).into_iter().map(|line| line.name).collect()
        };
        assert_eq!(names("ion p"), ["Ion Premier", "Configuring"]);
        assert_eq!(names("MAJOR"), ["1-Major"]);
        assert_eq!(names("technical").len(), 3);
        assert_eq!(names("nothing").len(), 0);
    }
}
