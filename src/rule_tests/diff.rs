//! How one text differs from another, line by line.

/// Beyond this many lines nobody reads a difference, and it takes long to find.
const MOST_LINES: usize = 400;

/// The longest line that is shown, in characters.
const LONGEST: usize = 200;

/// Every line of both texts: those that only the wanted one has with `-`, those that only the
/// actual one has with `+`.
pub(super) fn lines(wanted: &str, actual: &str) -> String {
    let (wanted, actual): (Vec<&str>, Vec<&str>) =
        (wanted.lines().take(MOST_LINES).collect(), actual.lines().take(MOST_LINES).collect());
    let mut told = Vec::new();
    let (mut from, mut to) = (wanted.as_slice(), actual.as_slice());
    let common = common(from, to);
    for (left, right) in common.into_iter().chain([(wanted.len(), actual.len())]) {
        let gone = left.saturating_sub(wanted.len() - from.len());
        let come = right.saturating_sub(actual.len() - to.len());
        let (before, rest) = from.split_at_checked(gone).unwrap_or((from, &[]));
        told.extend(before.iter().map(|line| shown('-', line)));
        let (between, others) = to.split_at_checked(come).unwrap_or((to, &[]));
        told.extend(between.iter().map(|line| shown('+', line)));
        if let Some((line, rest)) = rest.split_first() {
            told.push(shown(' ', line));
            from = rest;
        } else {
            from = rest;
        }
        to = others.split_first().map_or(others, |(_, rest)| rest);
    }
    told.join("\n")
}

fn shown(mark: char, line: &str) -> String {
    let mut text: String = line.chars().take(LONGEST).collect();
    if line.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    format!("{mark} {text}").trim_end().to_owned()
}

/// The longest list of lines that both have in this order, by their places in both.
fn common(left: &[&str], right: &[&str]) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    // How long the list is that begins at these places.
    let mut longest = vec![0_u32; (left.len() + 1) * width];
    let at = |longest: &[u32], row: usize, column: usize| {
        longest.get(row * width + column).copied().unwrap_or(0)
    };
    for (row, line) in left.iter().enumerate().rev() {
        for (column, other) in right.iter().enumerate().rev() {
            let length = if line == other {
                at(&longest, row + 1, column + 1) + 1
            } else {
                at(&longest, row + 1, column).max(at(&longest, row, column + 1))
            };
            if let Some(cell) = longest.get_mut(row * width + column) {
                *cell = length;
            }
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while let (Some(line), Some(other)) = (left.get(row), right.get(column)) {
        if line == other {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if at(&longest, row + 1, column) >= at(&longest, row, column + 1) {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::lines;

    #[test]
    fn a_line_that_was_changed_stands_between_those_that_were_not() {
        assert_eq!(lines("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c");
        assert_eq!(lines("a", "a\nb"), "  a\n+ b");
        assert_eq!(lines("a\nb", ""), "- a\n- b");
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_out_of_a_difference(
            left in proptest::collection::vec("[abc]", 0..12),
            right in proptest::collection::vec("[abc]", 0..12),
        ) {
            let told = lines(&left.join("\n"), &right.join("\n"));
            let side = |other: char| -> Vec<String> {
                told.lines()
                    .filter(|line| !line.starts_with(other))
                    .map(|line| line.chars().skip(2).collect())
                    .collect()
            };
            prop_assert_eq!(side('+'), left);
            prop_assert_eq!(side('-'), right);
        }
    }
}
