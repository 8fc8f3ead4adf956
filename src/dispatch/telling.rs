//! From an incident to what others than its vendor are told of it. Pure.
//!
//! What must not leave is taken out here, of whatever others have written: texts, and the values of
//! labels. *Invariant:* what is ours, and what a receiver knows a thing by, stays as it is: the names of
//! labels, the numbers of cases, tokens, the ids of incidents, theirs and ours.

use crate::domain::alert::Labels;
use crate::domain::ids::ActionId;
use crate::domain::incident::{Incident, State};
use crate::domain::notice::{Notice, Target};
use crate::domain::redaction::Redaction;
use crate::domain::text::excerpt;
use crate::vendors::targets::{Bulletin, Message};

/// How much of why a case could not be opened is told, in characters: senders cut long notes, and the
/// token stands at the end.
const WHY: usize = 300;

/// What a target is told. The same whenever it is made, as far as a receiver tells a twin by it. `why`
/// is what the vendor said of a case that could not be opened.
pub fn message(
    incident: &Incident,
    action: &ActionId,
    target: &Target,
    notice: &Notice,
    why: Option<&str>,
    redaction: &Redaction,
) -> Message {
    let mut said = notice.text(incident, redaction);
    if let Some(why) = why {
        said = format!("{said} {}", excerpt(&redaction.apply(why).text, WHY));
    }
    let token = incident.id.marker().action_token(action.seq);
    match target {
        Target::Note { about, .. } => {
            let text = format!("{said} {token}");
            Message::Note { about: about.clone(), token, text }
        }
        Target::Field { about, .. } => {
            let value = notice.case().map(ToString::to_string).unwrap_or_default();
            Message::Field { about: about.clone(), value }
        }
        Target::Webhook { name } => {
            Message::Post(Box::new(bulletin(incident, name, notice, (&token, said), redaction)))
        }
    }
}

fn bulletin(
    incident: &Incident,
    receiver: &str,
    notice: &Notice,
    (token, said): (&str, String),
    redaction: &Redaction,
) -> Bulletin {
    // The same each time, so receivers that group by labels find their groups again.
    let clean = |(name, value): (String, String)| {
        let value = redaction.apply_to(&name, &value).text;
        (name, value)
    };
    let mut labels: Labels = common_labels(incident).into_iter().map(clean).collect();
    // Receivers expect a name.
    labels.entry("alertname".to_owned()).or_insert_with(|| incident.rule.to_string());
    let case = notice.case().map(ToString::to_string);
    let ours = [
        ("casewright_incident", Some(incident.id.to_string())),
        ("casewright_rule", Some(incident.rule.to_string())),
        ("casewright_vendor", Some(incident.vendor.to_string())),
        ("casewright_case", case),
    ];
    labels.extend(ours.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let id = token.trim_matches(['[', ']']).to_owned();
    let occasion = notice.occasion().word();
    let annotations = Labels::from([
        ("summary".to_owned(), said),
        ("casewright_occasion".to_owned(), occasion.to_owned()),
        ("casewright_notice".to_owned(), id.clone()),
    ]);
    Bulletin {
        id,
        receiver: receiver.to_owned(),
        incident: incident.id.to_string(),
        labels,
        annotations,
        starts_at: incident.created_at,
        ends_at: match notice {
            Notice::CaseOpened { .. } | Notice::CaseFailed | Notice::Refired { .. } => None,
            Notice::Ended { at, .. } => Some(*at),
            // These may come while it fires, and when it is over.
            Notice::Status { .. }
            | Notice::Responded { .. }
            | Notice::Commented { .. }
            | Notice::Waits { .. }
            | Notice::ClosedByVendor { .. } => match incident.state {
                State::Closed { at, .. } if !incident.is_firing() => Some(at),
                _ => None,
            },
        },
        link: link(incident, redaction),
    }
}

/// A way back to the alert. One that holds what must not leave is left out: what remains of an address
/// leads nowhere.
fn link(incident: &Incident, redaction: &Redaction) -> String {
    let links = incident.origin.links.iter();
    let mut safe = links.filter(|link| redaction.apply_to(&link.name, &link.url).found.is_empty());
    safe.next().map(|link| link.url.clone()).unwrap_or_default()
}

/// The labels that all alerts of an incident have in common.
fn common_labels(incident: &Incident) -> Labels {
    let mut common = incident.origin.labels.clone();
    for member in incident.members.values() {
        common.retain(|name, value| member.alert.labels.get(name) == Some(value));
    }
    common
}
