//! Where an API client's host and credentials come from: an `.edgerc` file or the environment.
//!
//! Akamai's libraries read that file in different ways. Here `-` and `_` in keys are the same,
//! quotes around a value are stripped, and ` ; comment` or ` # comment` ends a value only after a
//! blank and outside quotes. A file that others can read is refused. No error shows a value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use super::edgegrid::{Credentials, CredentialsError};

/// The largest file that is read, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// The settings without which nothing can be signed.
const NEEDED: [&str; 4] = ["host", "client_token", "client_secret", "access_token"];

/// An API client: which host it talks to, and who it is.
#[derive(Debug, Clone)]
pub struct Access {
    /// `https://` and the host.
    pub base: Url,
    /// Who it is.
    pub credentials: Credentials,
}

/// Where an error is: a file, perhaps a line (counted from 1), or the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A whole file.
    File(PathBuf),
    /// A line of a file.
    Line(PathBuf, usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why an API client's settings could not be had.
#[derive(Debug, Error)]
pub enum EdgercError {
    /// The file cannot be read.
    #[error(
        "{place}: cannot be read ({cause}): create it as Akamai's page on authentication describes, or set AKAMAI_HOST, AKAMAI_CLIENT_TOKEN, AKAMAI_CLIENT_SECRET and AKAMAI_ACCESS_TOKEN",
        place = .path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Others can read the secrets in the file.
    #[error("{path}: others can read it (mode {mode:03o}): run `chmod 600 {path}`", path = .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is too large to be one of settings.
    #[error("{path}: larger than {FILE_LIMIT} bytes: this is not an .edgerc file", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file has no such section.
    #[error("{path}: no section [{section}]; it has {}", Sections(.present), path = .path.display())]
    NoSection {
        /// The file.
        path: PathBuf,
        /// The section that was asked for.
        section: String,
        /// Those that the file has.
        present: Vec<String>,
    },
    /// A line is neither section, setting nor comment.
    #[error("{place}: neither `[section]` nor `key = value`: correct or remove the line")]
    BadLine {
        /// The line.
        place: Place,
    },
    /// A quote is opened and not closed, or followed by more.
    #[error("{place}: the quotes around the value of `{key}` do not match: remove them")]
    BadQuotes {
        /// The line.
        place: Place,
        /// The setting.
        key: String,
    },
    /// A section or a setting comes twice, and which one counts would be a guess.
    #[error("{place}: `{what}` comes a second time: remove one of the two")]
    Twice {
        /// The line.
        place: Place,
        /// The section or setting.
        what: String,
    },
    /// A setting is missing.
    #[error("{path}: section [{section}] has no `{key}`: copy it from the API client in Akamai Control Center", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
        /// The setting.
        key: &'static str,
    },
    /// A host is not one.
    #[error(
        "{place}: `host` must be a plain host name such as akab-xxxx.luna.akamaiapis.net ({reason})"
    )]
    BadHost {
        /// The setting.
        place: Place,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A credential is not one.
    #[error("{place}: {cause}")]
    BadCredentials {
        /// The file or the environment.
        place: Place,
        /// What is wrong with it.
        #[source]
        cause: CredentialsError,
    },
}

struct Sections<'a>(&'a [String]);

impl fmt::Display for Sections<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("none at all"),
            sections => {
                for (at, section) in sections.iter().enumerate() {
                    write!(f, "{}[{section}]", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// Takes the API client from the environment if all four variables are set, else from the file.
///
/// `lookup` reads a variable of the environment; a path that begins with `~/` is taken from
/// `HOME`. Reads the file at once, so it is for the start of a program and not for its workers.
pub fn load(
    path: &Path,
    section: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Access, EdgercError> {
    if let Some(access) = from_env(section, &lookup)? {
        return Ok(access);
    }
    let path = match (path.strip_prefix("~"), lookup("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    };
    read(&path, section)
}

/// Takes the API client from `AKAMAI_HOST`, `AKAMAI_CLIENT_TOKEN`, `AKAMAI_CLIENT_SECRET` and
/// `AKAMAI_ACCESS_TOKEN`, or from `AKAMAI_<SECTION>_HOST` and so on for a section that is not
/// `default`. `None` unless all four are set and not empty, as in Akamai's libraries for Go and
/// Node. A section never falls back to the variables without one.
pub fn from_env(
    section: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Access>, EdgercError> {
    let prefix = if section == "default" {
        "AKAMAI".to_owned()
    } else {
        format!("AKAMAI_{}", section.to_uppercase().replace('-', "_"))
    };
    let variable = |key: &str| format!("{prefix}_{}", key.to_uppercase());
    let value = |key: &str| {
        lookup(&variable(key)).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty())
    };
    let (Some(host), Some(client_token), Some(client_secret), Some(access_token)) =
        (value("host"), value("client_token"), value("client_secret"), value("access_token"))
    else {
        return Ok(None);
    };
    let base = base(&host).map_err(|reason| EdgercError::BadHost {
        place: Place::Variable(variable("host")),
        reason,
    })?;
    let credentials =
        Credentials::new(client_token.into(), client_secret.into(), access_token.into()).map_err(
            |cause| EdgercError::BadCredentials {
                place: Place::Variable(format!("{prefix}_*")),
                cause,
            },
        )?;
    Ok(Some(Access { base, credentials }))
}

/// Reads one section of a file, after a look at who else could.
pub fn read(path: &Path, section: &str) -> Result<Access, EdgercError> {
    use std::io::Read as _;

    let unreadable = |cause| EdgercError::Unreadable { path: path.to_owned(), cause };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the opened file, not of the path: what was checked is what is read.
    let metadata = file.metadata().map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(EdgercError::OpenToOthers { path: path.to_owned(), mode });
        }
    }
    if metadata.len() > FILE_LIMIT {
        return Err(EdgercError::TooLarge { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(FILE_LIMIT).read_to_string(&mut text).map_err(unreadable)?;
    parse(&text, path, section)
}

/// Reads one section of a file's text. Errors name `path` and never a value.
///
/// Only lines outside every section and those of the asked-for section are read closely: what
/// other tools keep in theirs is not ours to judge.
pub fn parse(text: &str, path: &Path, section: &str) -> Result<Access, EdgercError> {
    let place = |line| Place::Line(path.to_owned(), line);
    let mut present: Vec<String> = Vec::new();
    let mut inside = false;
    let mut settings: BTreeMap<String, (usize, String)> = BTreeMap::new();

    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, after)) = rest.split_once(']') else {
                return Err(EdgercError::BadLine { place: place(number) });
            };
            let after = after.trim_start();
            if !after.is_empty() && !after.starts_with([';', '#']) {
                return Err(EdgercError::BadLine { place: place(number) });
            }
            let name = name.trim().to_owned();
            inside = name == section;
            if inside && present.contains(&name) {
                return Err(EdgercError::Twice { place: place(number), what: format!("[{name}]") });
            }
            present.push(name);
            continue;
        }
        if !inside {
            if present.is_empty() {
                return Err(EdgercError::BadLine { place: place(number) });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(EdgercError::BadLine { place: place(number) });
        };
        let key = key.trim().to_lowercase().replace('-', "_");
        let Some(value) = plain(value.trim()) else {
            return Err(EdgercError::BadQuotes { place: place(number), key });
        };
        if settings.insert(key.clone(), (number, value.to_owned())).is_some() {
            return Err(EdgercError::Twice { place: place(number), what: key });
        }
    }

    if !present.iter().any(|name| name == section) {
        return Err(EdgercError::NoSection {
            path: path.to_owned(),
            section: section.to_owned(),
            present,
        });
    }
    for key in NEEDED {
        if settings.get(key).is_none_or(|(_, value)| value.is_empty()) {
            return Err(EdgercError::Missing {
                path: path.to_owned(),
                section: section.to_owned(),
                key,
            });
        }
    }
    let mut take = |key: &str| settings.remove(key).unwrap_or_default();
    let (line, host) = take("host");
    let base = base(&host).map_err(|reason| EdgercError::BadHost { place: place(line), reason })?;
    let mut secret = |key: &str| SecretString::from(take(key).1);
    let credentials =
        Credentials::new(secret("client_token"), secret("client_secret"), secret("access_token"))
            .map_err(|cause| EdgercError::BadCredentials {
            place: Place::File(path.to_owned()),
            cause,
        })?;
    Ok(Access { base, credentials })
}

/// The value without its quotes and without the comment behind it; `None` if quotes do not match.
fn plain(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        // What follows the `=` follows a blank, or may as well.
        let mut blank = true;
        for (at, c) in value.char_indices() {
            if blank && matches!(c, ';' | '#') {
                return value.get(..at).map(str::trim_end);
            }
            blank = c.is_whitespace();
        }
        return Some(value);
    };
    let (inner, rest) = value.get(1..)?.split_once(quote)?;
    let comment = rest.trim_start();
    let ends = rest.is_empty() || (comment.len() < rest.len() && comment.starts_with([';', '#']));
    ends.then_some(inner.trim())
}

/// The address of a host as people write it: with or without `https://` and a last `/`.
fn base(host: &str) -> Result<Url, &'static str> {
    let host = match host.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
        Some(_) => return Err("only https:// may stand before it"),
        None => host,
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    if host.is_empty()
        || host.contains(['/', '?', '#', '@', '\\'])
        || host.contains(char::is_whitespace)
    {
        return Err("it has a path, a user or a blank");
    }
    Url::parse(&format!("https://{host}/")).map_err(|_| "it is not a host name")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "\
; a comment
[other]
whatever this is
[default]
host = https://akab-1.luna.akamaiapis.net/
client-token = \"akab-ct\"   ; quoted
client_secret = abc;def#ghi= ; the secret
access_token='akab-at'
max-body = 131072
";

    fn parse_default(text: &str) -> Result<Access, EdgercError> {
        parse(text, Path::new("edgerc"), "default")
    }

    fn error(text: &str) -> String {
        let error = parse_default(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        for secret in ["akab-ct", "akab-at", "abc;def", "sesame"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        error.to_string()
    }

    fn with(line: &str) -> String {
        format!(
            "[default]\nhost=h.example\nclient_token=akab-ct\naccess_token=akab-at\nclient_secret=sesame\n{line}\n"
        )
    }

    #[test]
    fn quotes_comments_dashes_and_a_scheme_are_understood() {
        let text = GOOD.replace("abc;def#ghi=", "abcdef#ghi=");
        let access = parse_default(&text).unwrap();
        assert_eq!(access.base.as_str(), "https://akab-1.luna.akamaiapis.net/");
        assert_eq!(
            access.credentials.redact("akab-ct|abcdef#ghi=|akab-at"),
            "[secret]|[secret]|[secret]"
        );
        // CRLF and a byte-order mark, as some editors write them.
        assert!(parse_default(&format!("\u{feff}{}", text.replace('\n', "\r\n"))).is_ok());
    }

    #[test]
    fn values_end_where_people_mean_them_to() {
        for (written, meant) in [
            ("a", Some("a")),
            ("a ; b", Some("a")),
            ("a;b", Some("a;b")),
            ("a # b", Some("a")),
            ("\"a ; b\"", Some("a ; b")),
            ("'a' # b", Some("a")),
            ("\"a\"b", None),
            ("\"a\";b", None),
            ("\"a", None),
            ("'a\"", None),
            ("", Some("")),
            ("\"\"", Some("")),
            ("é ; ü", Some("é")),
        ] {
            assert_eq!(plain(written), meant, "{written}");
        }
    }

    #[test]
    fn errors_tell_where_and_what_to_do() {
        assert_eq!(
            error(&with("client_secret = sesame2")),
            "edgerc:6: `client_secret` comes a second time: remove one of the two"
        );
        assert_eq!(
            error(&with("client-token = again")),
            "edgerc:6: `client_token` comes a second time: remove one of the two"
        );
        assert_eq!(
            error(&with("sesame")),
            "edgerc:6: neither `[section]` nor `key = value`: correct or remove the line"
        );
        assert!(error(&with("x = 'sesame")).starts_with("edgerc:6: the quotes"));
        assert!(error(&with("[default]")).contains("`[default]` comes a second time"));
        assert!(error(&with("[oops")).starts_with("edgerc:6: neither"));
        assert!(error("client_secret = sesame\n").starts_with("edgerc:1: neither"));
        assert_eq!(error("[a]\n[b]"), "edgerc: no section [default]; it has [a], [b]");
        assert!(error("").ends_with("it has none at all"));
        assert!(error("[default]\nhost=h").contains("has no `client_token`"));
        assert!(error(&GOOD.replace("\"akab-ct\"", "")).contains("has no `client_token`"));
        assert!(error(GOOD).contains("`client_secret` has a blank, a `;`"));
    }

    #[test]
    fn hosts_with_another_scheme_a_path_or_a_user_are_refused() {
        for host in
            ["http://h", "ftp://h", "https://h/path", "u@h", "h?q", "h h", "https://", "h#f"]
        {
            assert!(base(host).is_err(), "{host}");
        }
        for host in ["h.example", "https://h.example", "HTTPS://H.example/", "h.example/"] {
            assert_eq!(base(host).unwrap().as_str(), "https://h.example/", "{host}");
        }
        let text = with("").replace("h.example", "http://h");
        assert!(error(&text).starts_with("edgerc:2: `host` must be"));
    }

    #[test]
    fn the_environment_counts_only_if_all_four_are_set() {
        let lookup = |prefix: &'static str, keys: &'static [&'static str]| {
            move |name: &str| {
                keys.iter()
                    .any(|key| name == format!("{prefix}_{key}"))
                    .then(|| "value.example".to_owned())
            }
        };
        const ALL: &[&str] = &["HOST", "CLIENT_TOKEN", "CLIENT_SECRET", "ACCESS_TOKEN"];
        assert!(from_env("default", lookup("AKAMAI", ALL)).unwrap().is_some());
        assert!(from_env("my-team", lookup("AKAMAI_MY_TEAM", ALL)).unwrap().is_some());
        assert!(from_env("default", lookup("AKAMAI", &ALL[1..])).unwrap().is_none());
        assert!(from_env("team", lookup("AKAMAI", ALL)).unwrap().is_none());
        let bad = from_env("default", |name| {
            Some(if name == "AKAMAI_HOST" { "http://x" } else { "sesame" }.to_owned())
        });
        let text = bad.unwrap_err().to_string();
        assert!(text.starts_with("environment variable AKAMAI_HOST: `host` must be"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edgerc");
        std::fs::write(&path, with("")).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match read(&path, "default") {
                Ok(_) => assert!(good, "{mode:o}"),
                Err(error) => {
                    assert!(!good, "{error}");
                    let text = error.to_string();
                    assert!(text.contains(&format!("`chmod 600 {}`", path.display())), "{text}");
                    assert!(text.contains(&format!("{mode:o}")), "{text}");
                }
            }
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let lookup = |name: &str| (name == "HOME").then(|| home.clone());
        assert!(load(Path::new("~/edgerc"), "default", lookup).is_ok());
        let missing = load(Path::new("~/none"), "default", lookup).unwrap_err().to_string();
        assert!(missing.contains("cannot be read") && missing.contains("AKAMAI_HOST"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\[default\\]\n)?([a-z\\[\\]='\"; #é-]{0,20}\n){0,8}", host in ".*") {
            let _ = parse_default(&text);
            let _ = parse_default(&with("").replace("h.example", &host));
        }
    }
}
