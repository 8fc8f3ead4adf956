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
    "config/rules/20-security.yaml",
    "config/rules/30-pagerduty.yaml",
    "templates/edge-5xx.md.hbs",
    "templates/incident.md.hbs",
    "templates/links.md.hbs",
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

    #[test]
    fn every_example_file_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut there = BTreeSet::new();
        for pattern in ["config/*.yaml", "config/rules/*.yaml", "templates/**/*.hbs"] {
            let pattern = root.join(pattern).to_string_lossy().into_owned();
            for path in glob::glob(&pattern).unwrap().flatten() {
                there.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
        let carried: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, there);
    }
}
