//! Rules that no alert ever comes to: matchers that contradict each other, and rules behind a rule
//! that already takes everything that they match.
//!
//! *Invariant:* nothing is said of a rule that an alert could reach. Where it cannot be told, or
//! would take too long to tell, this is silent; so a rule without a warning may still be dead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::code::Code;
use crate::config::diagnostic::Diagnostic;
use crate::config::source_file::Place;

use super::matcher::{Matcher, Op};
use super::rule::Rule;

/// So often is a value held against a matcher, or a matcher against another; then nothing more is
/// looked for. A second's work at most, and far more than rules of people need.
const MOST_COMPARISONS: usize = 2_000_000;

/// A comparison with a long value counts once for each piece of this many bytes.
const PIECE: usize = 32;

/// A rule, and where it is written.
pub(super) struct Written {
    /// The rule.
    pub(super) rule: Rule,
    /// Where its name stands.
    pub(super) name: Place,
    /// Where each of its matchers stands.
    pub(super) matchers: Vec<Place>,
}

/// The values that a label can have of alerts for which these matchers hold, where they can be
/// listed: no other, perhaps not all of these, and the empty one also for a label that is absent.
pub(super) fn values_of(label: &str, matchers: &[Matcher]) -> Option<BTreeSet<String>> {
    let of_label: Vec<&Matcher> =
        matchers.iter().filter(|matcher| matcher.name() == label).collect();
    values_left(&of_label, &mut { MOST_COMPARISONS })
}

/// Warnings about the rules, which stand in their order.
pub(super) fn audit(rules: &[Written]) -> Vec<Diagnostic> {
    let mut effort = MOST_COMPARISONS;
    let mut earlier = Earlier::default();
    let mut found = Vec::new();
    for (at, written) in rules.iter().enumerate() {
        if effort == 0 {
            break;
        }
        if let Some(contradiction) = contradiction(&written.rule.matchers, &mut effort) {
            found.push(never_matches(written, &contradiction));
            continue;
        }
        let offer = Offer::new(&written.rule, &mut effort);
        let first = earlier
            .candidates(&offer)
            .into_iter()
            .filter_map(|place| rules.get(place))
            .find(|earlier| takes_all(&earlier.rule, &offer, &mut effort));
        match first {
            Some(first) => found.push(never_reached(written, &first.rule)),
            // Whatever a rule that is never reached takes is taken before it.
            None if !written.rule.goes_on => earlier.add(at, &written.rule),
            None => {}
        }
    }
    found
}

fn never_matches(written: &Written, contradiction: &Contradiction) -> Diagnostic {
    let matchers = &written.rule.matchers;
    let place = written.matchers.get(contradiction.later).unwrap_or(&written.name).clone();
    let rule = &written.rule.name;
    let message = format!("no alert matches rule `{rule}`: its matchers contradict each other");
    let later = matchers.get(contradiction.later);
    let earlier =
        contradiction.earlier.and_then(|at| matchers.get(at).zip(written.matchers.get(at)));
    let Some((earlier, stands)) = earlier else {
        let label = later.map_or("this label", Matcher::name);
        return Diagnostic::warning(place, message)
            .code(Code::Contradiction)
            .label(format!("no value of `{label}` is left"))
            .hint("all matchers of a rule must hold: make rules of their own of alternatives");
    };
    let line = stands.start().line;
    let hint = match later {
        Some(later) if asks_for_absence(earlier) != asks_for_absence(later) => {
            let name = later.name();
            format!("`{name} = \"\"` is for alerts without the label `{name}`: remove one of them")
        }
        Some(later) if earlier.op() == Op::Equal && later.op() == Op::Equal => {
            either(earlier, later).map_or_else(
                || "all matchers of a rule must hold: remove one of them".to_owned(),
                |either| format!("all matchers of a rule must hold; for either value: `{either}`"),
            )
        }
        _ => "all matchers of a rule must hold: remove one of them".to_owned(),
    };
    Diagnostic::warning(place, message)
        .code(Code::Contradiction)
        .label(format!("never holds together with `{earlier}` in line {line}"))
        .hint(hint)
}

/// A matcher for both values, where they can be written as a pattern without escapes.
fn either(one: &Matcher, other: &Matcher) -> Option<Matcher> {
    let pattern = format!("{}|{}", one.value(), other.value());
    let plain = |char: char| char.is_alphanumeric() || " -_/:|".contains(char);
    pattern.chars().all(plain).then(|| Matcher::new(one.name(), Op::Regex, &pattern).ok())?
}

fn asks_for_absence(matcher: &Matcher) -> bool {
    matcher.op() == Op::Equal && matcher.value().is_empty()
}

fn never_reached(written: &Written, first: &Rule) -> Diagnostic {
    let message = format!(
        "no alert comes to rule `{}`: rule `{}` takes everything that it matches",
        written.rule.name, first.name
    );
    let (file, line) = (first.file.display(), first.line);
    Diagnostic::warning(written.name.clone(), message)
        .code(Code::Unreachable)
        .label("never reached")
        .hint(format!(
            "`{}` stands in {file}:{line}: put this rule before it, or let it say `continue: true`",
            first.name
        ))
}

/// Matchers of one label that no value satisfies, by their places among the rule's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contradiction {
    /// `None` if it takes more than two of them.
    earlier: Option<usize>,
    later: usize,
}

/// A matcher with its place among the rule's, and the values that it lists.
struct Seen<'r> {
    at: usize,
    matcher: &'r Matcher,
    values: Option<BTreeSet<String>>,
}

/// The first contradiction among matchers that all must hold.
fn contradiction(matchers: &[Matcher], effort: &mut usize) -> Option<Contradiction> {
    let mut by_label: BTreeMap<&str, Vec<Seen<'_>>> = BTreeMap::new();
    let mut found: Option<Contradiction> = None;
    for (later, matcher) in matchers.iter().enumerate() {
        let before = by_label.entry(matcher.name()).or_default();
        let values = matcher.values();
        for earlier in before.iter() {
            if *effort == 0 {
                return None;
            }
            let excludes = are_opposites(earlier.matcher, matcher, effort)
                || earlier.values.as_ref().is_some_and(|all| takes_none(matcher, all, effort))
                || values.as_ref().is_some_and(|all| takes_none(earlier.matcher, all, effort));
            if excludes {
                return Some(Contradiction { earlier: Some(earlier.at), later });
            }
        }
        before.push(Seen { at: later, matcher, values });
    }
    for of_label in by_label.values() {
        let all: Vec<&Matcher> = of_label.iter().map(|seen| seen.matcher).collect();
        let none_left = values_left(&all, effort).is_some_and(|left| left.is_empty());
        let later = of_label.last().map(|seen| seen.at).filter(|_| none_left);
        found = found.or(later.map(|later| Contradiction { earlier: None, later }));
    }
    found
}

/// Whether one matcher of a label says of the same text what the other one denies.
fn are_opposites(one: &Matcher, other: &Matcher, effort: &mut usize) -> bool {
    *effort = effort.saturating_sub(1);
    let opposite = matches!(
        (one.op(), other.op()),
        (Op::Equal, Op::NotEqual)
            | (Op::NotEqual, Op::Equal)
            | (Op::Regex, Op::NotRegex)
            | (Op::NotRegex, Op::Regex)
    );
    opposite && one.value() == other.value()
}

fn takes_none(matcher: &Matcher, values: &BTreeSet<String>, effort: &mut usize) -> bool {
    values.iter().all(|value| !holds(matcher, value, effort))
}

/// The values with which all matchers of one label hold; `None` if they cannot be listed.
fn values_left(matchers: &[&Matcher], effort: &mut usize) -> Option<BTreeSet<String>> {
    let mut left = matchers.iter().find_map(|matcher| matcher.values())?;
    left.retain(|value| matchers.iter().all(|matcher| holds(matcher, value, effort)));
    Some(left)
}

/// Whether a matcher holds with a value. Without any effort left it says that it does: whoever asks
/// concludes something only from "no", or looks at the effort as well.
fn holds(matcher: &Matcher, value: &str, effort: &mut usize) -> bool {
    *effort = effort.saturating_sub(1 + value.len() / PIECE);
    *effort == 0 || matcher.accepts(value)
}

/// What alerts a rule asks for, label by label.
struct Offer<'r> {
    rule: &'r Rule,
    labels: BTreeMap<&'r str, Wanted<'r>>,
}

/// What a rule asks of one label.
struct Wanted<'r> {
    matchers: Vec<&'r Matcher>,
    /// The values that the label can have, where they can be listed.
    values: Option<BTreeSet<String>>,
}

impl<'r> Offer<'r> {
    fn new(rule: &'r Rule, effort: &mut usize) -> Self {
        let mut by_label: BTreeMap<&str, Vec<&Matcher>> = BTreeMap::new();
        for matcher in &rule.matchers {
            by_label.entry(matcher.name()).or_default().push(matcher);
        }
        let mut labels = BTreeMap::new();
        for (label, matchers) in by_label {
            let values = values_left(&matchers, effort);
            labels.insert(label, Wanted { matchers, values });
        }
        Self { rule, labels }
    }

    /// Whether this matcher can be told to hold for every alert that the rule asks for.
    fn implies(&self, matcher: &Matcher, effort: &mut usize) -> bool {
        let Some(wanted) = self.labels.get(matcher.name()) else { return false };
        *effort = effort.saturating_sub(wanted.matchers.len());
        if wanted.matchers.contains(&matcher) {
            return true;
        }
        if let Some(values) = &wanted.values {
            return values.iter().all(|value| holds(matcher, value, effort)) && *effort > 0;
        }
        // It excludes only a few values: are they excluded by the rule as well?
        let excluded = match matcher.op() {
            Op::NotEqual => Some(BTreeSet::from([matcher.value().to_owned()])),
            Op::NotRegex => crate::domain::regex::literals(matcher.value()),
            Op::Equal | Op::Regex => None,
        };
        excluded.is_some_and(|excluded| {
            excluded
                .iter()
                .all(|value| wanted.matchers.iter().any(|matcher| !holds(matcher, value, effort)))
        })
    }
}

/// Whether an earlier rule, which does not go on, matches every alert that a later one asks for.
fn takes_all(earlier: &Rule, later: &Offer<'_>, effort: &mut usize) -> bool {
    *effort = effort.saturating_sub(1);
    // Schedules that are written differently are not compared.
    let at_all_times = (earlier.during.is_none() || earlier.during == later.rule.during)
        && (earlier.outside.is_none() || earlier.outside == later.rule.outside);
    at_all_times && earlier.matchers.iter().all(|matcher| later.implies(matcher, effort))
}

/// The rules so far that keep alerts from those after them, filed so that few are asked.
#[derive(Default)]
struct Earlier {
    /// Rules that want one of a few values, by label and value, each under one label.
    filed: HashMap<(String, String), Vec<usize>>,
    others: Vec<usize>,
}

impl Earlier {
    fn add(&mut self, at: usize, rule: &Rule) {
        let listed = rule
            .matchers
            .iter()
            .filter_map(|matcher| Some((matcher.name(), matcher.values()?)))
            .min_by_key(|(label, values)| -> usize {
                let filed = |value: &String| {
                    self.filed.get(&((*label).to_owned(), value.clone())).map_or(0, Vec::len)
                };
                values.iter().map(filed).sum()
            });
        let Some((label, values)) = listed else {
            self.others.push(at);
            return;
        };
        for value in values {
            self.filed.entry((label.to_owned(), value)).or_default().push(at);
        }
    }

    /// The places of the rules that could take all that a rule asks for, in order. Of a label that
    /// an earlier rule wants to have one of a few values, the later one wants one of these, too.
    fn candidates(&self, offer: &Offer<'_>) -> Vec<usize> {
        let values = offer.labels.iter().filter_map(|(label, wanted)| {
            let value = wanted.values.as_ref()?.first()?;
            self.filed.get(&((*label).to_owned(), value.clone()))
        });
        let mut places: Vec<usize> = values.flatten().chain(&self.others).copied().collect();
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::Then;
    use super::*;
    use crate::config::source_file::{Holds, SourceFile, Span};
    use crate::domain::alert::Labels;
    use crate::domain::ids::RuleName;

    fn matchers(texts: &[&str]) -> Vec<Matcher> {
        texts.iter().map(|text| Matcher::parse(text).unwrap()).collect()
    }

    fn contradicts(texts: &[&str]) -> Option<(Option<usize>, usize)> {
        let mut effort = MOST_COMPARISONS;
        let found = contradiction(&matchers(texts), &mut effort)?;
        Some((found.earlier, found.later))
    }

    /// Rules `r1`, `r2` and so on in a file of their own, each with whether it goes on.
    fn written(rules: &[(Vec<Matcher>, bool)]) -> Vec<Written> {
        let file = SourceFile::new("rules.yaml", "text", Holds::NoSecrets);
        let place = Place { file, span: Span { start: 0, end: 4 } };
        let rule = |(at, (matchers, goes_on)): (usize, &(Vec<Matcher>, bool))| Written {
            name: place.clone(),
            matchers: matchers.iter().map(|_| place.clone()).collect(),
            rule: Rule {
                name: RuleName::from(format!("r{}", at + 1).as_str()),
                matchers: matchers.clone(),
                during: None,
                outside: None,
                then: Then::Ignore,
                goes_on: *goes_on,
                file: PathBuf::from("rules.yaml"),
                line: at + 1,
            },
        };
        rules.iter().enumerate().map(rule).collect()
    }

    /// What is said of rules with these matchers.
    fn said(rules: &[(&[&str], bool)]) -> Vec<String> {
        let rules: Vec<_> =
            rules.iter().map(|(texts, goes_on)| (matchers(texts), *goes_on)).collect();
        audit(&written(&rules)).into_iter().map(|found| found.message).collect()
    }

    const STOPS: bool = false;
    const GOES_ON: bool = true;

    #[test]
    fn matchers_that_exclude_each_other_are_found_with_both_places() {
        for two in [
            ["a = x", "a = y"],
            ["a = x", "a != x"],
            ["a != x", "a = x"],
            ["a = \"\"", "a = x"],
            ["a = \"\"", "a != \"\""],
            ["a = x", "a =~ \"y.*\""],
            ["a =~ \"y.*\"", "a = x"],
            ["a = x", "a !~ \"x|y\""],
            ["a =~ \"x|y\"", "a =~ \"(v|w)\""],
            ["a =~ \"x|y\"", "a !~ \"[xy]\""],
            ["a =~ \"x.*\"", "a !~ \"x.*\""],
            ["a = \"\"", "a =~ \".+\""],
        ] {
            assert_eq!(contradicts(&two), Some((Some(0), 1)), "{two:?}");
            let apart = [two[0], "b = z", two[1]];
            assert_eq!(contradicts(&apart), Some((Some(0), 2)), "{apart:?}");
        }
    }

    #[test]
    fn a_contradiction_of_three_is_found() {
        assert_eq!(contradicts(&["a =~ \"x|y\"", "a != x", "a != y"]), Some((None, 2)));
    }

    #[test]
    fn matchers_that_can_hold_together_are_left_alone() {
        for all in [
            &["a = x", "b = y"][..],
            &["a = x", "a = x"],
            &["a = x", "a != y"],
            &["a = x", "a =~ \"x|y\""],
            &["a =~ \"x|y\"", "a != x"],
            &["a =~ \"x.*\"", "a =~ \".*y\""],
            &["a != \"\"", "a !~ \"x\""],
            // A value with a newline in it.
            &["a !~ \".*\""],
            &[],
        ] {
            assert_eq!(contradicts(all), None, "{all:?}");
        }
    }

    #[test]
    fn a_rule_behind_one_that_takes_all_of_it_is_found() {
        for (earlier, later) in [
            (&[][..], &["a = x"][..]),
            (&[], &[]),
            (&["a = x"], &["a = x", "b = y"]),
            (&["a =~ \"x|y\""], &["a = x"]),
            (&["a =~ \"x|y\""], &["a =~ \"y|x\""]),
            (&["a =~ \"x.*\""], &["a = xy"]),
            (&["a =~ \"x.*\""], &["b = y", "a =~ \"x.*\""]),
            (&["a != x"], &["a = y"]),
            (&["a != x"], &["a !~ \"x|y\""]),
            (&["a !~ \"x|y\""], &["a != x", "a != y"]),
            (&["a != \"\""], &["a = x"]),
            (&["a = x", "a != y"], &["a = x"]),
        ] {
            let message = "no alert comes to rule `r2`: rule `r1` takes everything that it matches";
            assert_eq!(
                said(&[(earlier, STOPS), (later, STOPS)]),
                [message],
                "{earlier:?} {later:?}"
            );
            assert!(
                said(&[(earlier, GOES_ON), (later, STOPS)]).is_empty(),
                "{earlier:?} {later:?}"
            );
        }
    }

    #[test]
    fn a_rule_that_could_be_reached_is_left_alone() {
        for (earlier, later) in [
            (&["a = x"][..], &[][..]),
            (&["a = x"], &["a = y"]),
            (&["a = x"], &["a =~ \"x|y\""]),
            (&["a = x", "b = y"], &["a = x"]),
            (&["a = \"\""], &["b = y"]),
            (&["a != x"], &["b = y"]),
            // A value with a newline in it.
            (&["a =~ \".*\""], &[]),
        ] {
            assert!(said(&[(earlier, STOPS), (later, STOPS)]).is_empty(), "{earlier:?} {later:?}");
        }
    }

    #[test]
    fn huge_files_are_given_up_in_time() {
        let rule = |at: usize| (matchers(&[&format!("a != x{at}"), "b !~ \"y.*\""]), STOPS);
        let rules = written(&(0..3_000).map(rule).collect::<Vec<_>>());
        assert!(audit(&rules).is_empty());
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let values = prop::sample::select(vec![
            "", "x", "y", "z", "x|y", "|z", "x.*", "(x|y)z", ".+", "^x$", ".*", "[xy]", "(?i:X)",
        ]);
        let ops = prop::sample::select(vec![Op::Equal, Op::NotEqual, Op::Regex, Op::NotRegex]);
        let names = prop::sample::select(vec!["a", "b"]);
        (names, ops, values).prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
    }

    const VALUES: [&str; 11] = ["", "x", "y", "z", "xz", "yz", "X", "x|y", "\n", "x\ny", "(?i:X)"];

    /// Every set of labels that tells the matchers above apart.
    fn all_labels() -> impl Iterator<Item = Labels> {
        VALUES.into_iter().flat_map(|a| {
            VALUES.into_iter().map(move |b| {
                let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                Labels::from_iter([pair("a", a), pair("b", b)])
            })
        })
    }

    fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
        matchers.iter().all(|matcher| matcher.matches(labels))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_labels_match_what_is_called_a_contradiction(
            matchers in prop::collection::vec(matcher(), 0..5), effort in 1..60_usize,
        ) {
            for mut effort in [effort, MOST_COMPARISONS] {
                if contradiction(&matchers, &mut effort).is_some() {
                    prop_assert!(all_labels().all(|labels| !all_match(&matchers, &labels)));
                }
            }
        }

        #[test]
        fn no_labels_come_to_a_rule_that_is_called_unreachable(
            rules in prop::collection::vec(
                (prop::collection::vec(matcher(), 0..3), prop::bool::weighted(0.2)), 0..8),
        ) {
            let written = written(&rules);
            let said = audit(&written);
            let reached = |labels: &Labels| {
                let mut reached = Vec::new();
                for (at, (matchers, goes_on)) in rules.iter().enumerate() {
                    if all_match(matchers, labels) {
                        reached.push(at + 1);
                        if !goes_on {
                            break;
                        }
                    }
                }
                reached
            };
            let all: BTreeSet<usize> = all_labels().flat_map(|labels| reached(&labels)).collect();
            for place in all {
                let named = format!("rule `r{place}`:");
                prop_assert!(said.iter().all(|found| !found.message.contains(&named)), "{place}");
            }
        }
    }
}
