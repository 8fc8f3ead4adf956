//! Contexts: daemons by name, so that nobody types addresses at night.
//!
//! A context says where a daemon is and where its token can be found; never the token itself, because
//! such files are copied and shown around.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The variable that says where the file is.
const FILE_VARIABLE: &str = "CASEWRIGHT_CONTEXTS";

/// A file of contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Contexts {
    /// The one that counts where neither an address nor a config is given.
    current: Option<String>,
    contexts: BTreeMap<String, Target>,
}

/// Where a daemon is, and where its token is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// Its admin listener.
    pub(super) url: String,
    /// The file with the token; relative to the file of contexts.
    pub(super) token_file: Option<PathBuf>,
    /// The variable with the token.
    pub(super) token_env: Option<String>,
}

impl Contexts {
    /// Reads a text; `beside` is the folder that paths in it are relative to.
    fn parse(text: &str, beside: &Path) -> Result<Self, String> {
        let mut read: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        for target in read.contexts.values_mut() {
            target.token_file = target.token_file.take().map(|file| beside.join(file));
        }
        Ok(read)
    }

    /// The one of a name, or the current one if no name is given.
    fn find(&self, name: Option<&str>) -> Result<Option<&Target>, String> {
        let Some(name) = name.or(self.current.as_deref()) else { return Ok(None) };
        let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
        let found = self.contexts.get(name);
        found
            .map(Some)
            .ok_or_else(|| format!("there is no context `{name}`; there are: {}", known.join(", ")))
    }
}

/// Where the file is, if anybody says so.
fn place(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let filled = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(file) = filled(FILE_VARIABLE) {
        return Some(file.into());
    }
    let home = filled("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(filled("HOME")?).join(".config")))?;
    Some(home.join("casewright").join("contexts.yaml"))
}

/// The context of a name, or the current one. Without a name it is no mistake that there is none.
pub(super) fn target(
    name: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Target>> {
    let Some(path) = place(env) else {
        if let Some(name) = name {
            bail!("context `{name}` cannot be found: neither {FILE_VARIABLE} nor HOME is set");
        }
        return Ok(None);
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if name.is_none() => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("the contexts cannot be read from {}", path.display()));
        }
    };
    let beside = path.parent().unwrap_or(Path::new(""));
    let found = Contexts::parse(&text, beside)
        .and_then(|all| all.find(name).map(Option::<&Target>::cloned));
    found.map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "current: prod\ncontexts:\n  prod: { url: https://casewright.example.com, \
                        token_file: prod.token }\n  here: { url: http://127.0.0.1:8081, token_env: T }\n";

    #[test]
    fn a_context_is_found_by_its_name_and_the_current_one_without() {
        let all = Contexts::parse(TEXT, Path::new("/etc/x")).unwrap();
        let prod = all.find(None).unwrap().unwrap();
        assert_eq!(prod.token_file.as_deref(), Some(Path::new("/etc/x/prod.token")));
        assert_eq!(all.find(Some("here")).unwrap().unwrap().token_env.as_deref(), Some("T"));
        let complaint = all.find(Some("her")).unwrap_err();
        assert_eq!(complaint, "there is no context `her`; there are: here, prod");
        assert_eq!(Contexts::default().find(None), Ok(None));
    }

    #[test]
    fn what_is_no_context_is_refused() {
        for text in ["contexts: { a: {} }", "contexts: { a: { url: x, token: secret } }", "x: 1"] {
            assert!(Contexts::parse(text, Path::new("")).is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_is_where_other_programs_have_theirs() {
        let of = |pairs: &'static [(&str, &str)]| {
            place(move |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        let at_home = of(&[("HOME", "/root")]);
        assert_eq!(at_home, Some("/root/.config/casewright/contexts.yaml".into()));
        let xdg = of(&[("HOME", "/root"), ("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(xdg, Some("/x/casewright/contexts.yaml".into()));
        assert_eq!(of(&[("HOME", "/root"), (FILE_VARIABLE, "/y")]), Some("/y".into()));
    }
}
