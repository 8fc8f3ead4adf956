//! What others than the vendor are told of an incident's case, and in which words.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::case_view::CaseStatus;
use super::ids::{CaseId, SourceName, VendorName};
use super::incident::Incident;
use super::policy::ResolveAction;
use super::redaction::Redaction;
use super::text::excerpt;

/// So many characters of a comment are told: who wants to read all of it opens the case.
pub const COMMENT_TOLD: usize = 400;

/// So many characters of its author's name are told.
const AUTHOR_TOLD: usize = 100;

/// So many characters of a status that is not known here are told.
const WORD_TOLD: usize = 100;

/// What happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Notice {
    /// It exists.
    CaseOpened {
        /// The case.
        case: CaseId,
    },
    /// It could not be opened; a person must act.
    CaseFailed,
    /// The incident fires again, and the same case goes on.
    Refired {
        /// The case.
        case: CaseId,
    },
    /// The vendor works on it, or has stopped to.
    Status {
        /// The case.
        case: CaseId,
        /// The vendor's status of it.
        status: CaseStatus,
    },
    /// The vendor has answered for the first time.
    Responded {
        /// The case.
        case: CaseId,
        /// After so many minutes, as the vendor counts them.
        minutes: u32,
    },
    /// Somebody has written something on it who is not us.
    Commented {
        /// The case.
        case: CaseId,
        /// Who, as the vendor calls them; may be empty.
        author: String,
        /// The beginning of what was written. Untrusted.
        text: String,
    },
    /// The vendor waits for our answer.
    Waits {
        /// The case.
        case: CaseId,
    },
    /// The vendor has closed it while alerts fire.
    ClosedByVendor {
        /// The case.
        case: CaseId,
        /// How many alerts fire.
        firing: u32,
    },
    /// The incident is over.
    Ended {
        /// The case.
        case: CaseId,
        /// Since when.
        at: Timestamp,
        /// What follows for the case.
        action: ResolveAction,
    },
}

/// When something is told: what a person can choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A case was opened.
    Opened,
    /// A case could not be opened.
    Failed,
    /// It fires again.
    Refired,
    /// The vendor has another status for a case.
    Status,
    /// The vendor has answered for the first time.
    Responded,
    /// Somebody has commented on a case.
    Commented,
    /// The vendor waits for us.
    Waits,
    /// It is over, or the vendor has closed its case.
    Closed,
}

impl Occasion {
    /// Every occasion, by the word that the config has for it.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("opened", Self::Opened),
        ("failed", Self::Failed),
        ("refired", Self::Refired),
        ("status", Self::Status),
        ("responded", Self::Responded),
        ("commented", Self::Commented),
        ("waits", Self::Waits),
        ("closed", Self::Closed),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        // *Invariant*: the list has every occasion; a test looks.
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}

impl Notice {
    /// On which occasion it is told.
    pub fn occasion(&self) -> Occasion {
        match self {
            Self::CaseOpened { .. } => Occasion::Opened,
            Self::CaseFailed => Occasion::Failed,
            Self::Refired { .. } => Occasion::Refired,
            Self::Status { .. } => Occasion::Status,
            Self::Responded { .. } => Occasion::Responded,
            Self::Commented { .. } => Occasion::Commented,
            Self::Waits { .. } => Occasion::Waits,
            Self::ClosedByVendor { .. } | Self::Ended { .. } => Occasion::Closed,
        }
    }

    /// The case that it speaks of.
    pub fn case(&self) -> Option<&CaseId> {
        match self {
            Self::CaseOpened { case }
            | Self::Refired { case }
            | Self::Status { case, .. }
            | Self::Responded { case, .. }
            | Self::Commented { case, .. }
            | Self::Waits { case }
            | Self::ClosedByVendor { case, .. }
            | Self::Ended { case, .. } => Some(case),
            Self::CaseFailed => None,
        }
    }

    /// What a person reads who looks at the alert: short, because senders cut long notes, and the
    /// case's number early in it. What must not leave is taken out of what others have written; our own
    /// words, names and numbers stay, whatever a pattern finds in them.
    pub fn text(&self, incident: &Incident, redaction: &Redaction) -> String {
        let Incident { rule, vendor, .. } = incident;
        // Before it is cut: half of what must not leave is not known to be it.
        let told = |text: &str, characters| excerpt(&redaction.apply(text).text, characters);
        match self {
            Self::CaseOpened { case } if incident.is_rollup() => format!(
                "Case {case} is open at {vendor} for this and other problems (roll-up of rule {rule})."
            ),
            Self::CaseOpened { case } => {
                format!("Case {case} is open at {vendor} for this (rule {rule}).")
            }
            Self::CaseFailed => format!(
                "No case could be opened at {vendor} for this (rule {rule}), and a person must act: see `casewright actions list`."
            ),
            Self::Refired { case } => format!("This fires again; case {case} at {vendor} goes on."),
            Self::Status { case, status } => {
                let status = match status {
                    CaseStatus::Other(word) => &told(word, WORD_TOLD),
                    known => known.label(),
                };
                format!("{vendor} has case {case} as {status}.")
            }
            Self::Responded { case, minutes } => {
                format!("{vendor} has first responded on case {case}, after {}.", span(*minutes))
            }
            Self::Commented { case, author, text } => {
                let author = match author.as_str() {
                    "" => "Somebody",
                    author => &told(author, AUTHOR_TOLD),
                };
                let text = told(text, COMMENT_TOLD);
                format!("{author} has commented on case {case} at {vendor}: {text}")
            }
            Self::Waits { case } => format!("{vendor} waits for an answer on case {case}."),
            Self::ClosedByVendor { case, firing, .. } => {
                let alerts =
                    if *firing == 1 { "1 alert fires" } else { &format!("{firing} alerts fire") };
                format!(
                    "{vendor} has closed case {case} although {alerts}. It goes on when something new fires."
                )
            }
            Self::Ended { case, action, .. } => {
                let what =
                    if incident.is_rollup() { "All that the roll-up stood for" } else { "This" };
                let follows = match action {
                    ResolveAction::Comment => "it gets a comment, and a person closes it",
                    ResolveAction::Close => "it gets a comment, and its closure is requested",
                    ResolveAction::None => "it is left as it is",
                };
                format!("{what} is over. Case {case} at {vendor}: {follows}.")
            }
        }
    }
}

/// Minutes, as people say them.
fn span(minutes: u32) -> String {
    let count = |number: u32, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "day"), (hours, "hour"), (rest, "minute")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let said: Vec<String> = parts.map(|(number, what)| count(*number, what)).collect();
    match said.is_empty() {
        true => "less than a minute".to_owned(),
        false => said.join(" "),
    }
}

/// Who is told, and in which way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Target {
    /// A note on an incident of PagerDuty's.
    Note {
        /// The source that it came through.
        source: SourceName,
        /// PagerDuty's id of it.
        about: String,
    },
    /// The case's number in a custom field of such an incident.
    Field {
        /// The source that it came through.
        source: SourceName,
        /// PagerDuty's id of it.
        about: String,
    },
    /// A webhook.
    Webhook {
        /// Its name in the config.
        name: String,
    },
}

impl Target {
    /// The lane in which it is told. No vendor's name has a colon.
    pub fn lane(&self) -> VendorName {
        match self {
            Self::Note { source, .. } | Self::Field { source, .. } => Self::lane_of_source(source),
            Self::Webhook { name } => Self::lane_of_webhook(name),
        }
    }

    /// Whether a lane is that of a target.
    pub fn is_lane(name: &VendorName) -> bool {
        name.as_str().contains(':')
    }

    /// The lane in which a source is told.
    pub fn lane_of_source(source: &SourceName) -> VendorName {
        VendorName::new(format!("source:{source}"))
    }

    /// The lane in which a webhook is told.
    pub fn lane_of_webhook(name: &str) -> VendorName {
        VendorName::new(format!("notify:{name}"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note { source, about } => write!(f, "a note on {about} of source {source}"),
            Self::Field { source, about } => {
                write!(f, "the custom field of {about} of source {source}")
            }
            Self::Webhook { name } => write!(f, "webhook {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redaction::Builtin;
    use crate::domain::testing::{alert, at, open_incident_of};

    const CASE: &str = "F-CS-1";

    fn every() -> Vec<Notice> {
        let case = CaseId::from(CASE);
        let text = || "jane@example.com knows".to_owned();
        vec![
            Notice::CaseOpened { case: case.clone() },
            Notice::CaseFailed,
            Notice::Refired { case: case.clone() },
            Notice::Status { case: case.clone(), status: CaseStatus::Other(text()) },
            Notice::Responded { case: case.clone(), minutes: 7 },
            Notice::Commented { case: case.clone(), author: text(), text: text() },
            Notice::Waits { case: case.clone() },
            Notice::ClosedByVendor { case: case.clone(), firing: 2 },
            Notice::Ended { case, at: at(0), action: ResolveAction::None },
        ]
    }

    #[test]
    fn every_occasion_has_a_word_of_its_own() {
        let mut words: Vec<&str> = every().iter().map(|notice| notice.occasion().word()).collect();
        words.dedup();
        assert_eq!(words, Occasion::WORDS.map(|(word, _)| word));
    }

    #[test]
    fn what_others_have_written_is_redacted_and_our_own_words_are_not() {
        let incident = open_incident_of(alert("a").build());
        let digits = crate::domain::regex::find("[0-9]+|akamai|case").unwrap();
        let redaction =
            Redaction::default().builtin(Builtin::Email).pattern(digits, "gone".to_owned());
        for notice in every() {
            let text = notice.text(&incident, &redaction);
            assert!(!text.contains("jane"), "{text}");
            assert_eq!(text.contains(CASE), notice.case().is_some(), "{text}");
            assert!(text.contains("akamai") || matches!(notice, Notice::Ended { .. }), "{text}");
        }
    }

    #[test]
    fn a_secret_at_the_end_of_what_is_told_is_taken_out_before_the_cut() {
        let incident = open_incident_of(alert("a").build());
        let redaction = Redaction::default().builtin(Builtin::Email);
        for length in COMMENT_TOLD - 30..COMMENT_TOLD + 5 {
            let text = format!("{} jane.doe@example.com {}", "x".repeat(length), "y".repeat(99));
            let notice = Notice::Commented { case: CASE.into(), author: String::new(), text };
            let told = notice.text(&incident, &redaction);
            assert!(!told.contains("jane"), "{told}");
        }
    }

    #[test]
    fn minutes_are_told_as_people_say_them() {
        for (minutes, said) in [
            (0, "less than a minute"),
            (1, "1 minute"),
            (59, "59 minutes"),
            (60, "1 hour"),
            (61, "1 hour 1 minute"),
            (1440, "1 day"),
            (2 * 1440 + 3 * 60, "2 days 3 hours"),
        ] {
            assert_eq!(span(minutes), said);
        }
    }
}
