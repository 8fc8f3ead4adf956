//! E-mail addresses.

use std::sync::LazyLock;

use ::regex::Regex;

use super::{Piece, constant};

/// A name, plain or in quotes, and a domain with a dot in it: `root@web1` is a user on a machine.
/// Letters of every script count.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r#"(?:"[^"\r\n]{1,64}"|[\p{L}\p{N}!#$%&'*+/=?^_`{|}~.-]+)@(?:[\p{L}\p{N}_-]+\.)+[\p{L}\p{N}-]*\p{L}[\p{L}\p{N}-]*"#,
    )
});

pub(super) fn find(text: &str) -> Vec<Piece> {
    // Most texts have none.
    if !text.contains('@') {
        return Vec::new();
    }
    ADDRESS.find_iter(text).map(|found| found.range()).collect()
}
