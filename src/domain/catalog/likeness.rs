//! How alike two names are: for "did you mean" and for searching. Never for anything that is sent.

use std::cmp::Ordering;

/// From here on one name may be meant by the other.
pub const ALIKE: f64 = 0.8;

/// How alike two names are, whatever their case: from 0 to 1 (Jaro-Winkler).
pub fn alike(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

/// The name that is most like `value`, if any is alike enough to be meant.
pub fn nearest<'a>(value: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (alike(value, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// How well a name answers a search: `None` if not at all, and the more the better.
///
/// A name that holds the search to the letter comes before all that are merely alike. Otherwise
/// every word of the search has to be like some word of the name, or the whole like the whole.
pub fn found(search: &str, name: &str) -> Option<Found> {
    let (search, name) = (search.trim().to_lowercase(), name.to_lowercase());
    if search.is_empty() {
        return None;
    }
    if name.contains(&search) {
        let surplus = name.chars().count().saturating_sub(search.chars().count());
        return Some(Found(2.0 - surplus.min(999) as f64 / 1000.0));
    }
    let whole = strsim::jaro_winkler(&search, &name);
    let words: Vec<&str> = name.split(separates).filter(|word| !word.is_empty()).collect();
    let best = |wanted: &str| {
        let of = |word: &&str| {
            if word.starts_with(wanted) { 1.0 } else { strsim::jaro_winkler(wanted, word) }
        };
        words.iter().map(of).fold(0.0, f64::max)
    };
    let wanted: Vec<f64> =
        search.split(separates).filter(|word| !word.is_empty()).map(best).collect();
    let all_found = !wanted.is_empty() && wanted.iter().all(|score| *score >= ALIKE_WORD);
    let by_words = if all_found { wanted.iter().sum::<f64>() / wanted.len() as f64 } else { 0.0 };
    let score = whole.max(by_words);
    (score >= ALIKE_WORD).then_some(Found(score))
}

/// Words are short, and short words are easily alike.
const ALIKE_WORD: f64 = 0.86;

fn separates(char: char) -> bool {
    !char.is_alphanumeric()
}

/// How well a name answers a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found(f64);

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = [
        "Ion Premier",
        "Ion Standard",
        "Dynamic Site Accelerator",
        "Configuring/Managing Services",
        "Edge DNS",
        "DDoS Attack",
        "1-Major Impact",
    ];

    fn search(text: &str) -> Vec<&'static str> {
        let mut hits: Vec<_> =
            NAMES.iter().filter_map(|name| Some((found(text, name)?, *name))).collect();
        hits.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        hits.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn slips_pieces_and_single_words_are_found() {
        for (text, first) in [
            ("ion premer", "Ion Premier"),
            ("premier", "Ion Premier"),
            ("PREMIER ion", "Ion Premier"),
            ("managing", "Configuring/Managing Services"),
            ("manag serv", "Configuring/Managing Services"),
            ("dinamic accelerater", "Dynamic Site Accelerator"),
            ("ddos", "DDoS Attack"),
            ("1-maj", "1-Major Impact"),
        ] {
            assert_eq!(search(text).first(), Some(&first), "{text}");
        }
    }

    #[test]
    fn what_holds_the_search_to_the_letter_comes_first_and_the_shortest_of_those() {
        assert_eq!(search("ion"), ["Ion Premier", "Ion Standard"]);
        assert!(found("ion", "ion") > found("ion", "Ion Premier"));
    }

    #[test]
    fn other_words_find_nothing() {
        for text in ["", "  ", "billing", "zzz", "ion billing"] {
            assert_eq!(search(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_told_only_if_it_may_be_meant() {
        assert_eq!(nearest("ion premier", NAMES.into_iter()), Some("Ion Premier"));
        assert_eq!(nearest("Invoice", NAMES.into_iter()), None);
    }
}
