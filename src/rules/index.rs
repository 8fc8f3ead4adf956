//! Finds the few rules that an alert can be for, without asking each of thousands.
//!
//! Most rules want one of a few values of some label, such as `alertname = "X"`. An alert without
//! such a value cannot be for the rule, so rules are filed under those values. The index only
//! leaves rules out, and never says that a rule matches: whoever asks puts all matchers of every
//! candidate to the alert, so the answer is that of asking every rule.
//!
//! Which label a rule is filed under must not be guessed from names: in one set `alertname` tells
//! rules apart, in another one all rules have the same. What counts is how many rules share a value.

use std::collections::{BTreeSet, HashMap};

use crate::domain::alert::Alert;

use super::rule::Rule;

/// The place of a rule in its set.
type Place = usize;

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// By label and value, the rules that want it, in order. *Invariant:* no value is empty,
    /// because a label that is absent counts as empty, and an alert's labels are what is looked up.
    filed: HashMap<String, HashMap<String, Vec<Place>>>,
    /// Rules that any alert can be for, as far as the index knows, in order.
    others: Vec<Place>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let keys: Vec<Vec<Key<'_>>> = rules.iter().map(keys).collect();
        let mut shared: HashMap<(&str, &str), usize> = HashMap::new();
        for pair in keys.iter().flatten().flat_map(Key::pairs) {
            *shared.entry(pair).or_default() += 1;
        }
        let crowd = |key: &&Key<'_>| -> usize {
            key.pairs().map(|pair| shared.get(&pair).copied().unwrap_or_default()).sum()
        };
        let mut index = Self::default();
        for (place, keys) in keys.iter().enumerate() {
            match keys.iter().min_by_key(crowd) {
                None => index.others.push(place),
                Some(key) => index.file(key, place),
            }
        }
        index
    }

    fn file(&mut self, key: &Key<'_>, place: Place) {
        let by_value = self.filed.entry(key.label.to_owned()).or_default();
        for value in &key.values {
            by_value.entry(value.clone()).or_default().push(place);
        }
    }

    /// The places of the rules that an alert can be for, in order, each once.
    pub(super) fn candidates<'a>(&'a self, alert: &Alert) -> impl Iterator<Item = Place> + use<'a> {
        // A rule is filed under one label only, and an alert has one value of it: no list has a
        // rule that another one has.
        let mut lists: Vec<&'a [Place]> = alert
            .labels
            .iter()
            .filter_map(|(label, value)| Some(self.filed.get(label)?.get(value)?.as_slice()))
            .collect();
        lists.push(&self.others);
        std::iter::from_fn(move || {
            let next = lists
                .iter_mut()
                .filter(|list| !list.is_empty())
                .min_by_key(|list| list.first().copied())?;
            let (place, rest) = next.split_first()?;
            *next = rest;
            Some(*place)
        })
    }
}

/// A label that a rule wants to have one of a few values.
struct Key<'r> {
    label: &'r str,
    values: BTreeSet<String>,
}

impl Key<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|value| (self.label, value.as_str()))
    }
}

/// All labels under which a rule could be filed.
fn keys(rule: &Rule) -> Vec<Key<'_>> {
    rule.matchers
        .iter()
        .filter_map(|matcher| Some(Key { label: matcher.name(), values: matcher.values()? }))
        .filter(|key| !key.values.contains(""))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::super::{RuleSet, Then, matcher::Matcher};
    use super::*;
    use crate::domain::alert::{AlertStatus, Labels};
    use crate::domain::ids::{Fingerprint, RuleName, SourceName};
    use crate::domain::schedule::{Days, Schedule, TimeOfDay, Window};

    fn rule(place: usize, matchers: &[String], goes_on: bool) -> Rule {
        Rule {
            name: RuleName::from(format!("rule-{place}").as_str()),
            matchers: matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect(),
            during: None,
            outside: None,
            then: Then::Ignore,
            goes_on,
            file: PathBuf::from("rules.yaml"),
            line: 1,
        }
    }

    fn alert(labels: &[(&str, &str)]) -> Alert {
        let labels: Labels =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Alert {
            source: SourceName::from("alertmanager"),
            fingerprint: Fingerprint::from("f"),
            status: AlertStatus::Firing,
            labels,
            annotations: Labels::new(),
            starts_at: None,
            ends_at: None,
            occurred_at: None,
            alert_key: None,
            links: Vec::new(),
            group: Labels::new(),
        }
    }

    fn candidates(matchers: impl Fn(usize) -> Vec<String>, labels: &[(&str, &str)]) -> Vec<Place> {
        let rules: Vec<Rule> =
            (0..1000).map(|place| rule(place, &matchers(place), false)).collect();
        Index::new(&rules).candidates(&alert(labels)).collect()
    }

    #[test]
    fn only_rules_that_want_the_alerts_value_are_asked() {
        let by_name = |place| vec![format!("alertname = \"A{place}\""), "env = prod".to_owned()];
        let labels = [("alertname", "A7"), ("env", "prod")];
        assert_eq!(candidates(by_name, &labels), [7]);
        let by_list = |place| vec![format!("alertname =~ \"A{place}|B{place}\"")];
        assert_eq!(candidates(by_list, &[("alertname", "B7")]), [7]);
        assert!(candidates(by_list, &[("alertname", "C7")]).is_empty());
        assert!(candidates(by_list, &[]).is_empty());
    }

    #[test]
    fn rules_are_filed_under_the_label_that_tells_them_apart() {
        let labels = [("alertname", "Down"), ("service", "s7"), ("env", "prod")];
        let first = |place| vec!["alertname = Down".to_owned(), format!("service = s{place}")];
        assert_eq!(candidates(first, &labels), [7]);
        let last = |place| vec![format!("service = s{place}"), "alertname = Down".to_owned()];
        assert_eq!(candidates(last, &labels), [7]);
    }

    #[test]
    fn rules_for_any_value_are_asked_in_their_order() {
        let matchers = |place| match place {
            3 => vec!["alertname =~ \"A.*\"".to_owned()],
            5 => Vec::new(),
            8 => vec!["team = \"\"".to_owned()],
            9 => vec!["team =~ \"|web\"".to_owned()],
            10 => vec!["alertname != \"A4\"".to_owned()],
            _ => vec![format!("alertname = \"A{place}\"")],
        };
        assert_eq!(candidates(matchers, &[("alertname", "A4")]), [3, 4, 5, 8, 9, 10]);
    }

    static ALL_WEEK: LazyLock<Schedule> = LazyLock::new(|| {
        let (from, to) = (TimeOfDay::parse("00:00").unwrap(), TimeOfDay::MIDNIGHT);
        let window = Window { days: Days::ALL, from, to, time_zone: TimeZone::UTC };
        Schedule::new(vec![window]).unwrap()
    });

    fn matcher() -> impl Strategy<Value = String> {
        let values = prop::sample::select(vec![
            "", "x", "y", "z", "x|y", "|z", "x.*", "(x|y)z", ".+", "^x$",
        ]);
        let operators = prop::sample::select(vec!["=", "=", "=~", "!=", "!~"]);
        (label(), operators, values)
            .prop_map(|(label, operator, value)| format!("{label} {operator} \"{value}\""))
    }

    fn label() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "c", "source"])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_owners_are_those_that_asking_every_rule_gives(
            rules in prop::collection::vec(
                (prop::collection::vec(matcher(), 0..4), any::<bool>(), prop::bool::weighted(0.2)), 0..24),
            labels in prop::collection::btree_map(
                label(), prop::sample::select(vec!["", "x", "y", "z", "xz"]), 0..4),
        ) {
            let rules = rules.iter().enumerate().map(|(place, (matchers, goes_on, never))| Rule {
                outside: never.then(|| ALL_WEEK.clone()),
                ..rule(place, matchers, *goes_on)
            });
            let rules = RuleSet::new(rules.collect());
            let labels: Vec<(&str, &str)> = labels.into_iter().collect();
            let (alert, now) = (alert(&labels), Timestamp::UNIX_EPOCH);
            let names = |owners: Vec<&Rule>| -> Vec<String> {
                owners.iter().map(|rule| rule.name.to_string()).collect()
            };
            prop_assert_eq!(names(rules.route(&alert, now)), names(rules.route_by_scan(&alert, now)));
        }
    }
}
