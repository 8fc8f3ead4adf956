//! The name that a person probably meant.

/// The nearest of `names`, if it is near enough for a slip of the fingers or of the memory.
pub fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let folded = fold(wrong);
    // A third of the letters wrong is still a slip; more is another word.
    let most = (folded.chars().count() / 3).max(1);
    names
        .map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn fold(name: &str) -> String {
    name.chars()
        .take(64)
        .map(|char| if char == '-' { '_' } else { char })
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["severity", "subject", "also_notify"];
        for (wrong, right) in [
            ("severty", Some("severity")),
            ("Severity", Some("severity")),
            ("also-notify", Some("also_notify")),
            ("sbuject", Some("subject")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names.into_iter()), right, "{wrong}");
        }
    }
}
