//! Sources: who may post webhooks, and how they prove who they are.
//!
//! To add a kind, write a function that reads its keys and add one line to [`KINDS`].

use secrecy::SecretString;

use crate::domain::ids::SourceName;

use super::decode::{Located, Section};
use super::tell_config::{self, TellConfig};

/// A configured webhook sender.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Its name, as in `POST /webhooks/{name}`; unique.
    pub name: SourceName,
    /// What it sends, and how it proves who it is.
    pub kind: SourceKind,
}

/// What a source sends, and how it proves who it is.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// Alertmanager's webhook receiver.
    Alertmanager {
        /// What a request must carry.
        auth: Auth,
    },
    /// PagerDuty's v3 webhook subscription.
    PagerDuty {
        /// The keys of its signatures; several while one is being replaced. Never empty.
        secrets: Vec<SecretString>,
        /// How its incidents are told of their cases, if they are.
        tell: Option<Box<TellConfig>>,
    },
}

/// What a request must carry: any one of these. *Invariant*: at least one credential.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// Bearer tokens.
    pub bearer: Vec<SecretString>,
    /// Users and their passwords.
    pub basic: Vec<(String, SecretString)>,
    /// A header's name and the values that it may have.
    pub header: Option<(String, Vec<SecretString>)>,
}

impl Auth {
    fn is_empty(&self) -> bool {
        self.bearer.is_empty() && self.basic.is_empty() && self.header.is_none()
    }
}

type ReadKind = fn(&mut Section<'_>) -> Option<SourceKind>;

/// Every kind of source and what reads its keys.
const KINDS: &[(&str, ReadKind)] = &[("alertmanager", alertmanager), ("pagerduty", pagerduty)];

/// Reads one source.
pub(super) fn read(mut section: Section<'_>) -> Option<Located<SourceConfig>> {
    let name: Option<Located<SourceName>> = section.required("name");
    // The kind decides which other keys are known: without it, nothing can be said about them.
    let read_kind = section.one_of("kind", KINDS)?;
    let kind = read_kind(&mut section);
    section.finish();
    let Located { value: name, place } = name?;
    Some(Located { value: SourceConfig { name, kind: kind? }, place })
}

fn alertmanager(section: &mut Section<'_>) -> Option<SourceKind> {
    const HINT: &str = "add `bearer: [\"${ALERTMANAGER_TOKEN}\"]`, or `basic`, or `header`: whoever \
                        can post alerts can open cases";
    let Some(auth) = section.section("auth") else {
        if !section.has("auth") {
            section.error(format!("{} needs `auth`", section.name()), HINT);
        }
        return None;
    };
    let place = auth.place();
    // What stands there under another name has been reported, too.
    let tried = !auth.is_empty();
    let auth = read_auth(auth);
    if auth.is_empty() {
        // A credential that could not be read has been reported already.
        if !tried {
            section.error_at(place, "`auth` has no credential", HINT);
        }
        return None;
    }
    Some(SourceKind::Alertmanager { auth })
}

fn read_auth(mut section: Section<'_>) -> Auth {
    let bearer = section.secrets("bearer", "bearer_files");
    if section.has("bearer") && bearer.is_empty() {
        section.reject_empty_list("bearer");
    }
    let basic = section.sections("basic").into_iter().filter_map(read_user).collect();
    if section.has("basic") {
        section.reject_empty_list("basic");
    }
    let header = section.section("header").and_then(read_header);
    section.finish();
    Auth { bearer, basic, header }
}

fn read_user(mut section: Section<'_>) -> Option<(String, SecretString)> {
    let user = section.required::<Located<String>>("user");
    let password = section.secret("password");
    if let Some(user) = &user
        && (user.value.is_empty() || user.value.contains(':'))
    {
        section.error_at(user.place.clone(), "a user must not be empty or contain `:`", "");
    }
    section.finish();
    Some((user?.value, password?))
}

fn read_header(mut section: Section<'_>) -> Option<(String, Vec<SecretString>)> {
    let name = section.required::<Located<String>>("name");
    let tried = section.has("values") || section.has("values_files");
    let values = section.secrets("values", "values_files");
    if let Some(name) = &name
        && http::HeaderName::from_bytes(name.value.as_bytes()).is_err()
    {
        let message = "this is not the name of a header";
        section.error_at(name.place.clone(), message, "use letters, digits and `-`");
    }
    if values.is_empty() {
        if tried {
            section.reject_empty_list("values");
        } else {
            section.error(format!("{} needs `values` or `values_files`", section.name()), "");
        }
    }
    section.finish();
    (!values.is_empty()).then_some((name?.value, values))
}

fn pagerduty(section: &mut Section<'_>) -> Option<SourceKind> {
    let tried = section.has("secrets") || section.has("secrets_files");
    let secrets = section.secrets("secrets", "secrets_files");
    let tell = section
        .section_like("tell", "tell: { api_token_file: pagerduty.token, from: noc@example.com }")
        .map(tell_config::read_tell);
    if secrets.is_empty() {
        if tried {
            section.reject_empty_list("secrets");
        } else {
            section.error(
                format!("{} needs `secrets` or `secrets_files`", section.name()),
                "PagerDuty shows the secret once, when the webhook subscription is made",
            );
        }
        return None;
    }
    let tell = tell.map_or(Some(None), |tell| tell.map(Some))?;
    Some(SourceKind::PagerDuty { secrets, tell: tell.map(Box::new) })
}
