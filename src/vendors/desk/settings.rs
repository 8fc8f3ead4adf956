//! What a client of a desk needs to know, checked once.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use url::Url;

use crate::domain::desk::{Auth, Desk};
use crate::domain::ids::VendorName;
use crate::domain::pace::Rate;
use crate::vendors::transport::{is_bare, may_see_secrets};

/// A configured desk.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the config.
    pub name: VendorName,
    /// Scheme, host, and perhaps the beginning of every path.
    pub(super) base: Url,
    pub(super) identity: Identity,
    /// Bounds one exchange.
    pub(super) timeout: Duration,
    /// How fast it is asked.
    pub(super) rate: Rate,
    /// How it is asked.
    pub(super) desk: Desk,
}

/// Why a desk cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Secrets and tickets would cross a network in the clear.
    #[error(
        "`base_url` must begin with https://; plain http is only for this machine (127.0.0.1, [::1], localhost)"
    )]
    NotHttps,
    /// It is more than the beginning of addresses.
    #[error("`base_url` must have no user, query or fragment")]
    NotABase,
    /// The credential has characters that no header can have.
    #[error("the credential in `auth` cannot stand in a header")]
    NoHeader,
    /// A request without time to answer can only fail.
    #[error("`timeout` must not be zero")]
    NoTimeout,
}

impl Settings {
    /// Checks address and credential. `timeout` bounds one exchange.
    ///
    /// # Errors
    ///
    /// What is wrong with them, without any secret.
    pub fn new(
        name: VendorName,
        base: Url,
        auth: &Auth,
        timeout: Duration,
        rate: Rate,
        desk: Desk,
    ) -> Result<Self, SettingsError> {
        if !may_see_secrets(&base) {
            return Err(SettingsError::NotHttps);
        }
        if !is_bare(&base) {
            return Err(SettingsError::NotABase);
        }
        if timeout.is_zero() {
            return Err(SettingsError::NoTimeout);
        }
        let identity = Identity::new(auth).ok_or(SettingsError::NoHeader)?;
        Ok(Self { name, base, identity, timeout, rate, desk })
    }
}

/// The header that says who we are, and what must never be shown.
#[derive(Clone)]
pub(in crate::vendors) struct Identity {
    name: HeaderName,
    value: HeaderValue,
    secrets: Vec<SecretString>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Identity {
    pub(in crate::vendors) fn new(auth: &Auth) -> Option<Self> {
        let (name, value, mut secrets) = match auth {
            Auth::Basic { user, password } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
                (AUTHORIZATION, format!("Basic {pair}"), vec![password.clone(), pair.into()])
            }
            Auth::Bearer(token) => {
                (AUTHORIZATION, format!("Bearer {}", token.expose_secret()), vec![token.clone()])
            }
            Auth::Header { name, value } => {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                (name, value.expose_secret().to_owned(), vec![value.clone()])
            }
        };
        let mut header = HeaderValue::from_str(&value).ok()?;
        header.set_sensitive(true);
        // `Token token=...`: the last word alone is the secret, too.
        if let Some((_, word)) = value.rsplit_once([' ', '=']).filter(|(_, word)| word.len() > 7) {
            secrets.push(word.to_owned().into());
        }
        secrets.retain(|secret| !secret.expose_secret().is_empty());
        let echoes = secrets.iter().flat_map(|secret| echoes(secret.expose_secret()));
        let mut secrets: Vec<SecretString> = echoes.map(SecretString::from).collect();
        // What holds another goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Some(Self { name, value: header, secrets })
    }

    pub(in crate::vendors) fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }

    /// A foreign text without any of our secrets.
    pub(in crate::vendors) fn redact(&self, text: &str) -> String {
        let secrets = self.secrets.iter();
        secrets
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "(secret)"))
    }
}

/// A secret in every form in which a desk may repeat it: as it is; as JSON, where some also escape
/// slashes; and as an address, with `%20` or `+` for a blank and hexadecimal digits of either case.
fn echoes(secret: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(secret).to_string();
    let json = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let path = form.replace('+', "%20");
    let mut forms = vec![secret.to_owned(), json.to_owned(), json.replace('/', "\\/")];
    for address in [form, path] {
        forms.push(lower_escapes(&address));
        forms.push(address);
    }
    forms.sort();
    forms.dedup();
    forms
}

/// `%2F` as `%2f`.
fn lower_escapes(address: &str) -> String {
    let mut escape = 0_u8;
    let lower = address.chars().map(|c| {
        let inside = escape > 0;
        escape = if c == '%' { 2 } else { escape.saturating_sub(1) };
        if inside { c.to_ascii_lowercase() } else { c }
    });
    lower.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_form_in_which_a_desk_repeats_it() {
        let auth = Auth::Bearer("Sesame/open \"it\"+now".to_owned().into());
        let identity = Identity::new(&auth).unwrap();
        for echo in [
            "Bearer Sesame/open \"it\"+now",
            r#"{"header": "Bearer Sesame/open \"it\"+now"}"#,
            r#"{"header": "Bearer Sesame\/open \"it\"+now"}"#,
            "?token=Sesame%2Fopen+%22it%22%2Bnow",
            "?token=Sesame%2fopen%20%22it%22%2bnow",
            "/Sesame%2Fopen%20%22it%22%2Bnow/",
        ] {
            let shown = identity.redact(echo);
            assert!(shown.contains("(secret)"), "{echo}");
            assert!(!shown.contains("open") && !shown.contains("it"), "{echo}: {shown}");
        }
        assert_eq!(identity.redact("open to all"), "open to all");
    }
}
