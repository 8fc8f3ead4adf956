//! What an answer of Akamai means, in the words of whoever has to act on it.
//!
//! [`MEANINGS`] is the table of `docs/akamai.md`. The statuses are those of Akamai's page on errors
//! (400, 401, 403, 404, 405 and 500), and others that any server may give; the details are what the
//! gateway before the API is known to say.

use super::classify::Class;

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The gateway before the API, which checks who asks: the request never reached the API.
    Gateway,
    /// The API, or who cannot be told from it.
    Api,
}

/// A kind of answer, what it means, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Who gave it.
    pub by: By,
    /// From the first of these statuses to the last.
    pub statuses: (u16, u16),
    /// What its words contain, in small letters; empty for any.
    pub says: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do; empty where there is nothing to be done.
    pub remedy: &'static str,
}

/// A row of the table.
const fn row(
    by: By,
    statuses: (u16, u16),
    says: &'static str,
    means: &'static str,
    remedy: &'static str,
) -> Meaning {
    Meaning { by, statuses, says, means, remedy }
}

/// Every kind of refusal; the first that fits counts.
pub const MEANINGS: &[Meaning] = &[
    row(
        By::Gateway,
        (400, 499),
        "invalid timestamp",
        "Akamai refused the signature's time",
        "this machine's clock is more than 30 seconds off; set it by NTP",
    ),
    row(
        By::Gateway,
        (400, 499),
        "invalid client token",
        "Akamai's gateway does not know the client token",
        "compare client_token and host with the API client's credential, which belong together; a character may have been lost",
    ),
    row(
        By::Gateway,
        (400, 499),
        "inactive client token",
        "Akamai did not accept the credentials, because the token is not active",
        "make a new credential for the API client in Control Center, and replace its tokens",
    ),
    row(
        By::Gateway,
        (400, 499),
        "signature does not match",
        "Akamai did not accept the credentials, because the signature does not match",
        "compare client_secret and access_token with the credential; a proxy on the way must leave host, path and body as they are",
    ),
    row(
        By::Gateway,
        (400, 499),
        "grant",
        "Akamai forbids this, because the API client lacks the grant",
        "give the API client READ-WRITE access to Case Management in Control Center",
    ),
    row(
        By::Gateway,
        (401, 401),
        "",
        "Akamai did not accept the credentials",
        "check whether the API client is active and belongs to this host, then replace its tokens",
    ),
    row(
        By::Gateway,
        (403, 403),
        "",
        "Akamai forbids this",
        "give the API client READ-WRITE access to Case Management, and its user the right to the account",
    ),
    row(
        By::Gateway,
        (400, 499),
        "",
        "Akamai's gateway refused the credentials",
        "check client_token, client_secret, access_token and host",
    ),
    row(
        By::Api,
        (300, 399),
        "",
        "Akamai answered with a redirect, which is never followed",
        "check `base_url` or the .edgerc host",
    ),
    row(
        By::Api,
        (401, 401),
        "",
        "Akamai did not accept the credentials",
        "check whether the API client is active and belongs to this host, then replace its tokens",
    ),
    row(
        By::Api,
        (403, 403),
        "",
        "Akamai forbids this",
        "give the API client's user the right to the account and to Case Management, and the API client READ-WRITE access",
    ),
    row(
        By::Api,
        (404, 404),
        "",
        "Akamai knows no such case, or does not offer this category to this account",
        "compare with the category's page in Control Center, or with `casewright catalog show`",
    ),
    row(
        By::Api,
        (405, 405),
        "",
        "Akamai does not know this way of asking",
        "check whether `base_url` or a proxy leads elsewhere",
    ),
    row(By::Api, (413, 414), "", "Akamai refused the request as too large", "shorten the template"),
    row(
        By::Api,
        (415, 415),
        "",
        "Akamai refused the form of the request",
        "check whether a proxy changes its headers",
    ),
    row(
        By::Api,
        (429, 429),
        "",
        "Akamai asks for a pause, because there were too many requests",
        "if it is said often, lower `rate`",
    ),
    row(
        By::Api,
        (400, 499),
        "",
        "Akamai refused the request",
        "compare its names and severity with the category's page in Control Center, or with `casewright catalog show`",
    ),
    row(By::Api, (500, 599), "", "Akamai failed; it will be asked again", ""),
];

/// What a person reads: what happened, what to do, and what the vendor says. `class` is what the
/// answer proves.
pub(super) fn message(by: By, status: u16, class: Class, said: &str) -> String {
    let what = match class {
        Class::Done => return format!("Akamai confirmed it ({status})"),
        Class::Unknown if (500..=599).contains(&status) => {
            "Akamai failed, and may have done it before it failed: its records will be read before anything is repeated".to_owned()
        }
        Class::Unknown => {
            "Akamai's answer does not tell whether it was done: its records will be read before anything is repeated".to_owned()
        }
        Class::Implausible => "Akamai's records are not what they must be".to_owned(),
        // Said too early, or cut off before it was said who says it.
        Class::NotSent if (400..=499).contains(&status) => {
            "Akamai did not take the request; it will be asked again".to_owned()
        }
        Class::Refused
        | Class::NotSent
        | Class::Denied
        | Class::Forbidden
        | Class::WrongTime
        | Class::Throttled => match meaning(by, status, said) {
            Some(Meaning { means, remedy: "", .. }) => (*means).to_owned(),
            Some(Meaning { means, remedy, .. }) => format!("{means}: {remedy}"),
            None => "Akamai did not take the request; it will be asked again".to_owned(),
        },
    };
    if said.is_empty() {
        format!("{what} ({status})")
    } else {
        format!("{what} ({status}: {said})")
    }
}

fn meaning(by: By, status: u16, said: &str) -> Option<&'static Meaning> {
    let said = said.to_ascii_lowercase();
    MEANINGS.iter().find(|meaning| {
        let (from, to) = meaning.statuses;
        meaning.by == by && (from..=to).contains(&status) && said.contains(meaning.says)
    })
}
