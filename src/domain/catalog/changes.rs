//! How two readings of a vendor's catalog differ: what was added, what is gone, and what probably
//! goes by another name now.
//!
//! Names are all that the vendor tells, so a renaming is a guess: a name that is gone and a new one
//! beside it that is much like it, or that holds the same. It is told as one, and nothing that is
//! sent ever follows from it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use super::likeness::alike;
use super::whole::AccountCatalog;
use super::{Area, Catalog, PolicyDomain, Product, leading_number};
use crate::domain::draft::ChoiceField;

/// What a name in a catalog is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// An account's id.
    Account,
    /// A category.
    Category,
    /// What a rule chooses.
    Choice(ChoiceField),
    /// A severity.
    Severity,
}

impl Part {
    /// The key of a rule's `case:` that holds such a name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Category => "category",
            Self::Choice(field) => field.name(),
            Self::Severity => "severity",
        }
    }

    /// Whether another name can be given to it: numbers and ids are what they are.
    fn can_be_renamed(self) -> bool {
        !matches!(self, Self::Account | Self::Category | Self::Choice(ChoiceField::ParentAccount))
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A name in a catalog, with those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// What else it is called: an account's name, beside its id. May be empty.
    pub title: String,
    /// What goes with it; `None` if that is not known.
    pub items: Option<Vec<Item>>,
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entry {
    /// What it is.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// What else it is called; may be empty.
    pub title: String,
    /// The names above it, from the account down.
    pub within: Vec<String>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.part.name(), self.name)?;
        if self.within.is_empty() { Ok(()) } else { write!(f, " of {}", self.within.join(" / ")) }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It was not there, with all that goes with it.
    Added {
        /// What.
        entry: Entry,
    },
    /// It is gone, with all that went with it.
    Removed {
        /// What.
        entry: Entry,
    },
    /// It has another name, as it seems.
    Renamed {
        /// What it was.
        entry: Entry,
        /// Its name now.
        to: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { entry } => write!(f, "added {entry}"),
            Self::Removed { entry } => write!(f, "removed {entry}"),
            Self::Renamed { entry, to } => write!(f, "renamed {entry} to {to:?}"),
        }
    }
}

impl Item {
    fn leaf(part: Part, name: &str) -> Self {
        Self { part, name: name.to_owned(), title: String::new(), items: Some(Vec::new()) }
    }

    fn with(part: Part, name: &str, items: Vec<Self>) -> Self {
        Self { items: Some(items), ..Self::leaf(part, name) }
    }

    pub(super) fn of_account(account: &AccountCatalog) -> Self {
        let categories = account.categories.iter().map(|known| Self {
            items: known.page.as_ref().map(|page| Self::of_catalog(&page.catalog)),
            ..Self::leaf(Part::Category, &known.category)
        });
        Self {
            title: account.name.clone(),
            ..Self::with(Part::Account, account.account.as_str(), categories.collect())
        }
    }

    fn of_catalog(catalog: &Catalog) -> Vec<Self> {
        let mut items: Vec<Self> = catalog.products.iter().map(Self::of_product).collect();
        items.extend(catalog.policy_domains.iter().map(Self::of_domain));
        items.extend(catalog.areas.iter().map(Self::of_area));
        items.extend(leaves(ChoiceField::ParentAccount, &catalog.parent_accounts));
        items.extend(leaves(ChoiceField::Solution, &catalog.solutions));
        items.extend(leaves(ChoiceField::Package, &catalog.packages));
        items.extend(severities(&catalog.severities));
        items
    }

    fn of_product(product: &Product) -> Self {
        let mut items: Vec<Self> = leaves(ChoiceField::Problem, &product.problems).collect();
        items.extend(severities(&product.severities));
        Self::with(Part::Choice(ChoiceField::Product), &product.name, items)
    }

    fn of_domain(domain: &PolicyDomain) -> Self {
        let products = domain.products.iter().map(Self::of_product).collect();
        Self::with(Part::Choice(ChoiceField::PolicyDomain), &domain.name, products)
    }

    fn of_area(area: &Area) -> Self {
        let services = leaves(ChoiceField::Service, &area.services).collect();
        Self::with(Part::Choice(ChoiceField::Area), &area.name, services)
    }

    /// It and everything below it, each with where it stands.
    pub fn entries(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        self.collect(&[], &mut all);
        all
    }

    fn collect(&self, within: &[String], into: &mut Vec<Entry>) {
        into.push(self.entry(within));
        let below = [within, std::slice::from_ref(&self.name)].concat();
        for item in self.items.iter().flatten() {
            item.collect(&below, into);
        }
    }

    fn entry(&self, within: &[String]) -> Entry {
        Entry {
            part: self.part,
            name: self.name.clone(),
            title: self.title.clone(),
            within: within.to_vec(),
        }
    }

    /// The names right below it.
    fn held(&self) -> BTreeSet<(Part, &str)> {
        self.items.iter().flatten().map(|item| (item.part, item.name.as_str())).collect()
    }
}

fn leaves(field: ChoiceField, names: &[String]) -> impl Iterator<Item = Item> {
    names.iter().map(move |name| Item::leaf(Part::Choice(field), name))
}

fn severities(names: &[String]) -> impl Iterator<Item = Item> {
    names.iter().map(|name| Item::leaf(Part::Severity, name))
}

/// How two readings differ, in the order of the first and then of the second.
pub fn changes(before: &[Item], after: &[Item]) -> Vec<Change> {
    let mut found = Vec::new();
    compare(before, after, &[], &mut found);
    found
}

/// So many pairs of names are held against each other for renamings; beyond, none is looked for.
const MOST_PAIRS: usize = 100_000;

/// From here on a name that is gone and a new one are taken for one thing.
const RENAMED: f64 = 0.85;

fn compare(before: &[Item], after: &[Item], within: &[String], found: &mut Vec<Change>) {
    let (mut gone, mut goes_on): (Vec<&Item>, Vec<(&Item, &Item)>) = (Vec::new(), Vec::new());
    let mut unmatched: Vec<&Item> = after.iter().collect();
    for item in before {
        let same = |other: &&Item| other.part == item.part && other.name == item.name;
        match unmatched.iter().position(same) {
            Some(at) => goes_on.push((item, unmatched.remove(at))),
            None => gone.push(item),
        }
    }
    for (old, new) in renamings(&gone, &unmatched) {
        gone.retain(|item| !std::ptr::eq(*item, old));
        unmatched.retain(|item| !std::ptr::eq(*item, new));
        found.push(Change::Renamed { entry: old.entry(within), to: new.name.clone() });
        goes_on.push((old, new));
    }
    found.extend(gone.iter().map(|item| Change::Removed { entry: item.entry(within) }));
    found.extend(unmatched.iter().map(|item| Change::Added { entry: item.entry(within) }));
    for (old, new) in goes_on {
        // What could not be read is not gone.
        if let (Some(old_items), Some(new_items)) = (&old.items, &new.items) {
            let below = [within, std::slice::from_ref(&new.name)].concat();
            compare(old_items, new_items, &below, found);
        }
    }
}

/// Pairs of a name that is gone and a new one, the most alike first, each name once.
fn renamings<'i>(gone: &[&'i Item], new: &[&'i Item]) -> Vec<(&'i Item, &'i Item)> {
    if gone.len().saturating_mul(new.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let mut pairs: Vec<(f64, &Item, &Item)> = Vec::new();
    for old in gone {
        let candidates = new.iter().filter(|new| new.part == old.part);
        pairs.extend(candidates.filter_map(|new| Some((renamed(old, new)?, *old, *new))));
    }
    // Of equals, the same whichever reading is the newer.
    let names = |old: &'i Item, new: &'i Item| {
        let (old, new) = (old.name.as_str(), new.name.as_str());
        (old.min(new), old.max(new))
    };
    pairs.sort_by(|one, other| {
        other.0.total_cmp(&one.0).then_with(|| names(one.1, one.2).cmp(&names(other.1, other.2)))
    });
    let mut chosen: Vec<(&Item, &Item)> = Vec::new();
    for (_, old, new) in pairs {
        let taken = chosen.iter().any(|(a, b)| std::ptr::eq(*a, old) || std::ptr::eq(*b, new));
        if !taken {
            chosen.push((old, new));
        }
    }
    chosen
}

/// How sure it is that one is the other under another name; `None` if it is not.
fn renamed(old: &Item, new: &Item) -> Option<f64> {
    if !old.part.can_be_renamed() {
        return None;
    }
    let (of_old, of_new) = (leading_number(&old.name), leading_number(&new.name));
    if old.part == Part::Severity && of_old != of_new {
        return None;
    }
    let held = old.held();
    let alike = alike(&old.name, &new.name);
    // One thing in common may be chance.
    let holds_the_same = held.len() > 1 && held == new.held();
    if holds_the_same { Some(1.0 + alike) } else { Some(alike).filter(|alike| *alike >= RENAMED) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn product(name: &str, problems: &[&str], severities: &[&str]) -> Item {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Item::of_product(&Product {
            name: name.to_owned(),
            problems: own(problems),
            severities: own(severities),
        })
    }

    fn technical(products: Option<Vec<Item>>) -> Vec<Item> {
        let category = Item { items: products, ..Item::leaf(Part::Category, "TECHNICAL") };
        vec![Item::with(Part::Account, "A-1", vec![category])]
    }

    fn told(before: Vec<Item>, after: Vec<Item>) -> Vec<String> {
        let changes = changes(&technical(Some(before)), &technical(Some(after)));
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_and_what_is_gone_is_told_with_where_it_stands() {
        assert_eq!(
            told(
                vec![product("Ion", &["Purge", "Outage"], &["1-Major"])],
                vec![
                    product("Ion", &["Purge", "Certificates"], &["1-Major"]),
                    product("DNS", &["x"], &[])
                ],
            ),
            [
                "added product \"DNS\" of A-1 / TECHNICAL",
                "removed problem \"Outage\" of A-1 / TECHNICAL / Ion",
                "added problem \"Certificates\" of A-1 / TECHNICAL / Ion",
            ]
        );
    }

    #[test]
    fn a_product_by_another_name_is_one_change_and_its_problems_go_on() {
        // It is alike; and it holds the same.
        for (from, to) in [("Ion Premier", "Ion Premier 2"), ("Ion Premier", "Zephyr")] {
            assert_eq!(
                told(
                    vec![product(from, &["Purge", "Outage"], &["1-Major"])],
                    vec![product(to, &["Purge", "Outage"], &["1-Major"])],
                ),
                [format!("renamed product \"{from}\" of A-1 / TECHNICAL to \"{to}\"")]
            );
        }
    }

    #[test]
    fn what_changes_below_a_renamed_product_is_told_under_its_new_name() {
        assert_eq!(
            told(
                vec![product("Ion Premier", &["Purge", "Outage"], &[])],
                vec![product("Ion Premium", &["Purge"], &[])],
            ),
            [
                "renamed product \"Ion Premier\" of A-1 / TECHNICAL to \"Ion Premium\"",
                "removed problem \"Outage\" of A-1 / TECHNICAL / Ion Premium",
            ]
        );
    }

    #[test]
    fn severities_are_renamed_within_their_number_only() {
        assert_eq!(
            told(
                vec![product("Ion", &[], &["1-Major Impact", "2-Minor"])],
                vec![product("Ion", &[], &["1-Major", "3-Minor"])],
            ),
            [
                "renamed severity \"1-Major Impact\" of A-1 / TECHNICAL / Ion to \"1-Major\"",
                "removed severity \"2-Minor\" of A-1 / TECHNICAL / Ion",
                "added severity \"3-Minor\" of A-1 / TECHNICAL / Ion",
            ]
        );
    }

    #[test]
    fn an_account_is_never_another_one_that_is_like_it() {
        let account = |id: &str| Item::with(Part::Account, id, Vec::new());
        let changes = changes(&[account("A-CCT7890")], &[account("A-CCT7891")]);
        assert!(matches!(&*changes, [Change::Removed { .. }, Change::Added { .. }]), "{changes:?}");
    }

    #[test]
    fn what_could_not_be_read_is_not_gone() {
        let known = technical(Some(vec![product("Ion", &["Purge"], &[])]));
        assert_eq!(changes(&known, &technical(None)), []);
        assert_eq!(changes(&technical(None), &known), []);
    }

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let names = |all: &'static [&'static str]| {
            prop::collection::btree_set(prop::sample::select(all.to_vec()), 0..4)
        };
        let products = prop::collection::btree_map(
            prop::sample::select(vec!["Ion Premier", "Ion Premium", "Zephyr", "DNS"]),
            (names(&["Purge", "Purges", "Outage"]), names(&["1-Major", "1-Minor", "2-Minor"])),
            0..4,
        );
        products.prop_map(|products| {
            let products = products.into_iter().map(|(name, (problems, severities))| {
                let problems: Vec<&str> = problems.into_iter().collect();
                let severities: Vec<&str> = severities.into_iter().collect();
                product(name, &problems, &severities)
            });
            technical(Some(products.collect()))
        })
    }

    /// Every name with where it stands.
    fn all(items: &[Item]) -> BTreeSet<(Part, Vec<String>)> {
        let path = |entry: Entry| (entry.part, [entry.within, vec![entry.name]].concat());
        items.iter().flat_map(Item::entries).map(path).collect()
    }

    proptest! {
        #[test]
        fn nothing_differs_exactly_if_everything_is_the_same(
            before in items(), after in items(),
        ) {
            prop_assert_eq!(changes(&before, &before), []);
            prop_assert_eq!(changes(&before, &after).is_empty(), all(&before) == all(&after));
        }

        #[test]
        fn there_and_back_undo_each_other(before in items(), after in items()) {
            let (mut there, mut back) = ((0, 0, 0), (0, 0, 0));
            for (changes, count) in
                [(changes(&before, &after), &mut there), (changes(&after, &before), &mut back)]
            {
                for change in changes {
                    match change {
                        Change::Added { .. } => count.0 += 1,
                        Change::Removed { .. } => count.1 += 1,
                        Change::Renamed { .. } => count.2 += 1,
                    }
                }
            }
            prop_assert_eq!(there.0, back.1);
            prop_assert_eq!(there.1, back.0);
            prop_assert_eq!(there.2, back.2);
        }
    }
}
