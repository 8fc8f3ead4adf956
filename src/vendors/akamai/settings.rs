//! What a client needs to know, checked once.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use super::edgegrid::Credentials;
use crate::domain::ids::VendorName;
use crate::domain::pace::{ListScope, Rate};
use crate::vendors::transport::{is_bare, may_see_secrets};

/// The values of the list's `type`, in the order in which they are read: a case that is closed
/// between two readings has then been seen in the first or is seen in the second.
pub(super) fn list_types(scope: ListScope) -> [&'static str; 2] {
    match scope {
        ListScope::Mine => ["MY_ACTIVE_CASES", "MY_CLOSED_CASES"],
        ListScope::All => ["ALL_ACTIVE_CASES", "ALL_CLOSED_CASES"],
    }
}

/// A configured Akamai vendor.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the config.
    pub name: VendorName,
    /// Scheme and host, path `/`.
    pub(super) base: Url,
    /// Who we are.
    pub(super) credentials: Credentials,
    /// Bounds one exchange.
    pub(super) timeout: Duration,
    /// Whose cases are listed.
    pub(super) list_scope: ListScope,
    /// How fast it is asked.
    pub(super) rate: Rate,
}

/// Why an address cannot be the vendor's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Secrets and cases would cross a network in the clear.
    #[error(
        "`base_url` must begin with https://; plain http is only for this machine (127.0.0.1, [::1], localhost)"
    )]
    NotHttps,
    /// It is more than scheme and host.
    #[error("`base_url` must be scheme and host only, without user, path, query or fragment")]
    NotOnlyHost,
    /// A request without time to answer can only fail.
    #[error("`timeout` must not be zero")]
    NoTimeout,
}

impl Settings {
    /// Checks the address. `timeout` bounds one exchange; a lease on an action must outlive
    /// several of them, because a comment is preceded by a read and a wrong clock costs one more.
    pub fn new(
        name: VendorName,
        base: Url,
        credentials: Credentials,
        timeout: Duration,
        list_scope: ListScope,
        rate: Rate,
    ) -> Result<Self, SettingsError> {
        if !may_see_secrets(&base) {
            return Err(SettingsError::NotHttps);
        }
        if base.path() != "/" || !is_bare(&base) {
            return Err(SettingsError::NotOnlyHost);
        }
        if timeout.is_zero() {
            return Err(SettingsError::NoTimeout);
        }
        Ok(Self { name, base, credentials, timeout, list_scope, rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base: &str) -> Result<Settings, SettingsError> {
        let credentials =
            Credentials::new("ct".into(), "sesame".into(), "at".into()).expect("credentials");
        Settings::new(
            "akamai".into(),
            Url::parse(base).unwrap(),
            credentials,
            Duration::from_secs(1),
            ListScope::Mine,
            Rate::default(),
        )
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "https://akab.example",
            "http://127.0.0.1:8090",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost:80/",
        ] {
            assert!(settings(good).is_ok(), "{good}");
        }
        for bad in [
            "http://akab.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "http://localhost.example",
        ] {
            assert_eq!(settings(bad).unwrap_err(), SettingsError::NotHttps, "{bad}");
        }
    }

    #[test]
    fn an_address_is_scheme_and_host_only() {
        for bad in ["https://h/x", "https://h/?q", "https://h/#f", "https://u@h", "https://u:p@h"] {
            assert_eq!(settings(bad).unwrap_err(), SettingsError::NotOnlyHost, "{bad}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let text = format!("{:?}", settings("https://h").unwrap());
        assert!(!text.contains("sesame") && text.contains("https"), "{text}");
    }
}
