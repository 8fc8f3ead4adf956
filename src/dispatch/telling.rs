//! From an incident to what others than its vendor are told of it. Pure.
//!
//! What must not leave is taken out here, of whatever others have written: texts, and the values of
//! labels. *Invariant:* what is ours, and what a receiver knows a thing by, stays as it is: the names of
//! labels, the numbers of cases, tokens, the ids of incidents, theirs and ours.

use crate::domain::alert::Labels;
use crate::domain::ids::ActionId;
use crate::domain::incident::{Incident, State};
use crate::domain::links::Links;
use crate::domain::notice::{Notice, Target};
use crate::domain::redaction::Redaction;
use crate::domain::text::excerpt;
use crate::vendors::targets::{Bulletin, Message};

/// How much of why a case could not be opened is told, in characters: senders cut long notes, and the
/// token stands at the end.
const WHY: usize = 300;

/// How somebody is told.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// What must not leave.
    pub redaction: &'a Redaction,
    /// Where people find the case and the incident.
    pub links: &'a Links,
}

/// What a target is told. The same whenever it is made, as far as a receiver tells a twin by it. `why`
/// is what the vendor said of a case that could not be opened.
pub fn message(
    incident: &Incident,
    action: &ActionId,
    target: &Target,
    notice: &Notice,
    why: Option<&str>,
    manner: Manner<'_>,
) -> Message {
    let Manner { redaction, links } = manner;
    let mut said = notice.text(incident, redaction);
    if let Some(why) = why {
        said = format!("{said} {}", excerpt(&redaction.apply(why).text, WHY));
    }
    let token = incident.id.marker().action_token(action.seq);
    let case = notice.case().and_then(|case| links.case(&incident.vendor, case));
    let page = links.incident(&incident.id);
    match target {
        Target::Note { about, .. } => {
            // The case first, which is what they look for.
            let ways = [case, page]
                .into_iter()
                .flatten()
                .fold(String::new(), |ways, way| ways + " " + &way);
            let text = format!("{said}{ways} {token}");
            Message::Note { about: about.clone(), token, text }
        }
        Target::Field { about, .. } => {
            let value = notice.case().map(ToString::to_string).unwrap_or_default();
            Message::Field { about: about.clone(), value }
        }
        Target::Webhook { name } => {
            let mut post = bulletin(incident, name, notice, (&token, said), redaction);
            let ways = [("casewright_case_url", case), ("casewright_url", page)];
            let ways = ways.into_iter().filter_map(|(name, way)| Some((name.to_owned(), way?)));
            post.annotations.extend(ways);
            Message::Post(Box::new(post))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ActionId;
    use crate::domain::lifecycle::{Event, Policy, ResolveAction, step};
    use crate::domain::links::CasePage;
    use crate::domain::redaction::Builtin;
    use crate::domain::testing::{alert, at, open_incident_of};

    fn leaky() -> Incident {
        let alert = alert("Leaky")
            .label("password", "correct horse")
            .label("host", "192.0.2.7")
            .label("property", "shop")
            .link("https://jane:pw@grafana.example.com/d/1")
            .link("https://grafana.example.com/d/2");
        open_incident_of(alert.build())
    }

    fn all() -> Redaction {
        Builtin::NAMES.iter().fold(Redaction::default(), |all, (_, one)| all.builtin(*one))
    }

    fn told(
        incident: &Incident,
        target: &Target,
        notice: &Notice,
        redaction: &Redaction,
    ) -> Message {
        let action = ActionId { incident: incident.id.clone(), seq: 7 };
        let manner = Manner { redaction, links: &Links::default() };
        message(incident, &action, target, notice, Some("ask jane@example.com"), manner)
    }

    fn posted(incident: &Incident, notice: &Notice, redaction: &Redaction) -> Bulletin {
        let target = Target::Webhook { name: "chat".to_owned() };
        let Message::Post(post) = told(incident, &target, notice, redaction) else {
            panic!("no post")
        };
        *post
    }

    #[test]
    fn the_values_of_labels_are_redacted_and_their_names_and_ours_stay() {
        let incident = leaky();
        let post = posted(&incident, &Notice::CaseOpened { case: "F-CS-1".into() }, &all());
        let label = |name: &str| post.labels[name].as_str();
        assert_eq!(label("password"), "[redacted: token]");
        assert_eq!(label("host"), "[redacted: ip]");
        assert_eq!(label("property"), "shop");
        assert_eq!(label("alertname"), "Leaky");
        assert_eq!(label("casewright_case"), "F-CS-1");
        assert_eq!(label("casewright_incident"), incident.id.as_str());
        assert_eq!(post.link, "https://grafana.example.com/d/2", "the first holds a password");
        let text = post.payload().to_string();
        for gone in ["horse", "192.0.2.7", "jane"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
    }

    #[test]
    fn no_pattern_takes_what_a_receiver_knows_a_thing_by() {
        let regex = crate::domain::regex::find("(?s).+").unwrap();
        let redaction = Redaction::default().pattern(regex, "gone".to_owned());
        let (incident, notice) = (leaky(), Notice::CaseOpened { case: "F-CS-1".into() });
        let plain = posted(&incident, &notice, &Redaction::default());
        let post = posted(&incident, &notice, &redaction);
        assert_eq!(post.id, plain.id);
        assert_eq!(post.payload()["groupKey"], plain.payload()["groupKey"]);
        assert!(post.labels.keys().eq(plain.labels.keys()));
        assert_eq!(post.link, "");
        let (source, about) = ("pagerduty".into(), "Q1".to_owned());
        let target = Target::Note { source, about };
        let Message::Note { about, token, text } = told(&incident, &target, &notice, &redaction)
        else {
            panic!("no note")
        };
        assert_eq!(about, "Q1");
        assert_eq!(
            text,
            format!("Case F-CS-1 is open at akamai for this (rule slow). gone {token}")
        );
    }

    #[test]
    fn news_of_the_vendor_end_an_alert_only_where_its_incident_is_over() {
        let open = leaky();
        let over = open.members.values().next().unwrap().alert.clone();
        let over = crate::domain::alert::Alert {
            status: crate::domain::alert::AlertStatus::Resolved,
            ends_at: Some(at(50)),
            ..over
        };
        let policy = Policy {
            resolve_after: std::time::Duration::ZERO,
            resolve_action: ResolveAction::Comment,
            ..Policy::default()
        };
        let closed_by_vendor = Event::ClosedByVendor { case: &"F-CS-1".into(), at: None };
        let fires_on = step(Some(&open), &closed_by_vendor, &policy, None, at(40));
        let ended = crate::domain::testing::hears(&open, over, &policy, at(60));
        let case = || "F-CS-1".into();
        for notice in [
            Notice::Status { case: case(), status: crate::domain::case_view::CaseStatus::Closed },
            Notice::Responded { case: case(), minutes: 3 },
            Notice::Commented { case: case(), author: String::new(), text: String::new() },
            Notice::Waits { case: case() },
            Notice::ClosedByVendor { case: case(), firing: 1 },
        ] {
            let ends_at = |incident: &Incident| posted(incident, &notice, &all()).ends_at;
            assert_eq!(ends_at(&open), None, "{notice:?}");
            assert_eq!(ends_at(fires_on.incident.as_ref().unwrap()), None, "{notice:?}");
            assert_eq!(ends_at(&ended), Some(at(60)), "{notice:?}");
        }
        // What begins is told as such, also where it is over by the time that it is told.
        for notice in [Notice::CaseOpened { case: case() }, Notice::Refired { case: case() }] {
            assert_eq!(posted(&ended, &notice, &all()).ends_at, None);
        }
    }

    #[test]
    fn what_is_told_leads_to_the_case_and_to_the_incident_where_it_is_known_where_they_are() {
        let page = CasePage::parse("https://desk.example.com/cases/{case}").unwrap();
        let incident = leaky();
        let links = Links {
            console: Some("https://192.0.2.7".to_owned()),
            cases: [(incident.vendor.clone(), page)].into(),
        };
        let action = ActionId { incident: incident.id.clone(), seq: 7 };
        let notice = Notice::CaseOpened { case: "F-CS-1".into() };
        // Ours stay, whatever a pattern finds in them.
        let manner = Manner { redaction: &all(), links: &links };
        let (source, about) = ("pagerduty".into(), "Q1".to_owned());
        let note = Target::Note { source, about };
        let Message::Note { text, token, .. } =
            message(&incident, &action, &note, &notice, None, manner)
        else {
            panic!("no note")
        };
        let ways = format!(
            "https://desk.example.com/cases/F-CS-1 https://192.0.2.7/incidents/{} {token}",
            incident.id
        );
        assert!(text.ends_with(&ways), "{text}");
        let hook = Target::Webhook { name: "chat".to_owned() };
        let Message::Post(post) = message(&incident, &action, &hook, &notice, None, manner) else {
            panic!("no post")
        };
        assert_eq!(
            post.annotations["casewright_case_url"],
            "https://desk.example.com/cases/F-CS-1"
        );
        assert!(post.annotations["casewright_url"].ends_with(incident.id.as_str()));
        // Of a case that there is not, only the incident.
        let failed = message(&incident, &action, &note, &Notice::CaseFailed, None, manner);
        let Message::Note { text, .. } = failed else { panic!("no note") };
        assert!(!text.contains("desk.example.com") && text.contains("/incidents/"), "{text}");
    }
}
