//! The example config, rules and templates of the repository, carried inside the binary, so that
//! the demo runs wherever the binary is.

use std::io;
use std::path::{Path, PathBuf};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "config/casewright.yaml",
    "config/rules/00-not-our-vendor.yaml",
    "config/rules/10-delivery.yaml",
    "config/rules/12-changes.yaml",
    "config/rules/14-dns.yaml",
    "config/rules/20-security.yaml",
    "config/rules/30-pagerduty.yaml",
    "config/rules/40-billing.yaml",
    "templates/attack.md.hbs",
    "templates/billing.md.hbs",
    "templates/certificate.md.hbs",
    "templates/change.md.hbs",
    "templates/dns.md.hbs",
    "templates/edge-5xx.md.hbs",
    "templates/facts.md.hbs",
    "templates/incident.md.hbs",
    "templates/links.md.hbs",
    "templates/origin.md.hbs",
    "templates/performance.md.hbs",
    "templates/video.md.hbs",
];

/// Writes the files into a folder and tells where the daemon's own file is.
///
/// # Errors
///
/// If the folder cannot be written.
pub(super) fn unpack(folder: &Path) -> io::Result<PathBuf> {
    for (path, text) in FILES {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(folder.join("config/casewright.yaml"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::is_rule_test;

    /// But for the tests of the rules: they are not needed to run anything.
    #[test]
    fn every_example_file_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut there = BTreeSet::new();
        for pattern in ["config/*.yaml", "config/rules/*.yaml", "templates/**/*.hbs"] {
            let pattern = root.join(pattern).to_string_lossy().into_owned();
            let found = glob::glob(&pattern).unwrap().flatten();
            for path in found.filter(|path| !is_rule_test(path)) {
                there.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
        let carried: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, there);
    }
}
