//! Where people find things in a browser: an incident in our console, a case at its vendor.
//!
//! Both are configured, since neither can be guessed: we do not know under which name a proxy makes
//! the console known, and vendors do not say where their pages are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ids::{CaseId, IncidentId, VendorName};

/// The addresses that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Where the console is: scheme, host and port, without a slash at the end.
    pub console: Option<String>,
    /// The page of a case at each vendor that has one.
    pub cases: BTreeMap<VendorName, CasePage>,
}

/// The address of a case's page, with a place for the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CasePage {
    before: String,
    after: String,
}

/// What stands for the case in the address of its page.
pub const CASE: &str = "{case}";

/// Why a text is not the address of a case's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCasePage {
    /// It would be the same page for all cases, or one with two places.
    #[error("it must have `{{case}}` in it, once")]
    Place,
    /// A browser would not open it, or the case would choose the host.
    #[error("it must start with `https://` or `http://` and a host")]
    Host,
    /// It would not be one address.
    #[error("it must not have blanks or control characters in it")]
    Blank,
}

impl CasePage {
    /// Reads an address such as `https://desk.example.com/cases/{case}`.
    ///
    /// # Errors
    ///
    /// [`NoCasePage`].
    pub fn parse(text: &str) -> Result<Self, NoCasePage> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NoCasePage::Blank);
        }
        let (before, after) = text.split_once(CASE).ok_or(NoCasePage::Place)?;
        if after.contains(CASE) {
            return Err(NoCasePage::Place);
        }
        let host = before.strip_prefix("https://").or_else(|| before.strip_prefix("http://"));
        match host.and_then(|rest| rest.split_once(['/', '?', '#'])) {
            Some((host, _)) if !host.is_empty() => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(NoCasePage::Host),
        }
    }

    /// The page of a case.
    fn of(&self, case: &CaseId) -> String {
        format!("{}{}{}", self.before, encoded(case.as_str()), self.after)
    }
}

impl Links {
    /// The page of an incident in the console.
    pub fn incident(&self, id: &IncidentId) -> Option<String> {
        let console = self.console.as_deref()?;
        Some(format!("{console}/incidents/{}", encoded(id.as_str())))
    }

    /// What the description of an incident's case ends in.
    pub fn ending(&self, id: &IncidentId) -> Option<String> {
        self.incident(id).map(|page| format!("Casewright: {page}"))
    }

    /// The page of a case at its vendor.
    pub fn case(&self, vendor: &VendorName, case: &CaseId) -> Option<String> {
        self.cases.get(vendor).map(|page| page.of(case))
    }
}

/// A value as a part of an address: everything but unreserved characters (RFC 3986 §2.3) is escaped.
pub fn encoded(value: &str) -> String {
    let mut part = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                part.push(char::from(byte));
            }
            // Writing to a text cannot fail.
            _ => drop(write!(part, "%{byte:02X}")),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<String, NoCasePage> {
        CasePage::parse(text).map(|page| page.of(&CaseId::new("F-CS 1/2")))
    }

    #[test]
    fn a_case_stands_in_its_address_as_one_escaped_part() {
        assert_eq!(page("https://a.example/c/{case}").unwrap(), "https://a.example/c/F-CS%201%2F2");
        assert_eq!(page("http://a/?q={case}&x#y").unwrap(), "http://a/?q=F-CS%201%2F2&x#y");
        assert_eq!(page("https://a/#/case/{case}").unwrap(), "https://a/#/case/F-CS%201%2F2");
    }

    #[test]
    fn what_is_no_address_of_one_case_is_refused() {
        assert_eq!(page("https://a.example/"), Err(NoCasePage::Place));
        assert_eq!(page("https://a.example/{case}/{case}"), Err(NoCasePage::Place));
        for host in ["https://{case}/", "https://{case}.example/", "javascript:{case}", "/{case}"] {
            assert_eq!(page(host), Err(NoCasePage::Host), "{host}");
        }
        assert_eq!(page("https:///{case}"), Err(NoCasePage::Host));
        assert_eq!(page("https://a/ {case}"), Err(NoCasePage::Blank));
        assert_eq!(page("https://a/\u{1b}{case}"), Err(NoCasePage::Blank));
    }

    #[test]
    fn nothing_is_linked_that_nobody_has_said_the_address_of() {
        let links = Links::default();
        assert_eq!(links.incident(&IncidentId::from_stored("ab12")), None);
        assert_eq!(links.case(&"akamai".into(), &CaseId::new("F-1")), None);
        let links = Links { console: Some("https://cw.example".to_owned()), ..links };
        let page = links.incident(&IncidentId::from_stored("ab12"));
        assert_eq!(page.as_deref(), Some("https://cw.example/incidents/ab12"));
    }
}
