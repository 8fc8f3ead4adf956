//! Many senders at once tell the same and related news: exactly one incident, one open action and
//! one case, whoever comes first.

use std::sync::Arc;

use casewright::domain::action::ActionKind;
use casewright::domain::incident::Incident;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::alertmanager::{Payload, edge};
use crate::support::house::{House, assert_ended_once};
use crate::support::pagerduty::Event;

const ROUNDS: usize = 12;
/// How often each piece of news is told in a round.
const SENDERS: usize = 8;

/// Posts everything at once, each from a sender of its own; all of it is acknowledged.
async fn at_once(house: &House, news: Vec<News>) {
    let start = Arc::new(Barrier::new(news.len()));
    let mut posts = JoinSet::new();
    for news in news {
        let (sender, start) = (house.sender(), start.clone());
        posts.spawn(async move {
            start.wait().await;
            match news {
                News::Alertmanager(payload) => sender.alertmanager(payload).await,
                News::PagerDuty(event) => sender.pagerduty(&event).await,
            }
        });
    }
    let replies = posts.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 202), "{replies:?}");
}

enum News {
    Alertmanager(Payload),
    PagerDuty(Event),
}

/// The only incident of a property.
async fn incident_of(house: &House, property: &str) -> Incident {
    let mut incidents = house.incidents().await;
    incidents.retain(|incident| incident.origin.label("property") == property);
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    incidents.remove(0)
}

async fn opened_once(house: &House, incident: &Incident) {
    let actions = house.store().actions(&incident.id).await.expect("actions");
    let opens = actions.iter().filter(|action| action.kind == ActionKind::Open);
    assert_eq!(opens.count(), 1, "{actions:#?}");
}

#[tokio::test]
async fn the_same_and_related_news_told_by_many_at_once_open_one_case() {
    let house = House::open().await;
    for round in 0..ROUNDS {
        let property = format!("shop-{round}");
        let (fra, ams) = (edge(&property), edge(&property).label("pop", "AMS"));
        // The same alert, another one of the same incident, both, and both from the peer.
        let variants = [
            Payload::from(fra.clone()),
            Payload::from(ams.clone()),
            Payload::of([fra.clone(), ams.clone()]),
            Payload::of([fra.clone(), ams.clone()]).of_the_peer(),
        ];
        let news = variants.iter().cycle().take(4 * SENDERS).cloned().map(News::Alertmanager);
        at_once(&house, news.collect()).await;
        house.settled().await;
        let incident = incident_of(&house, &property).await;
        assert_eq!(incident.members.len(), 2, "{incident:#?}");
        opened_once(&house, &incident).await;
    }
    assert_eq!(house.settled().await.len(), ROUNDS);
    assert_eq!(house.requests("POST /cases"), ROUNDS as u64);
}

#[tokio::test]
async fn firing_and_resolved_that_cross_open_one_case_and_end_it_once() {
    let house = House::open().await;
    for round in 0..ROUNDS {
        let property = format!("shop-{round}");
        let alert = edge(&property);
        let fires = Payload::from(alert.clone());
        let over = Payload::from(alert.clone().resolved());
        let crossing = [fires.clone(), over.clone(), fires.of_the_peer(), over.clone()];
        let news = crossing.iter().cycle().take(4 * SENDERS).cloned().map(News::Alertmanager);
        at_once(&house, news.collect()).await;
        // Where the end came first it is told again, as Alertmanager does.
        house.hears(over).await;
        house.settled().await;
        let incident = incident_of(&house, &property).await;
        opened_once(&house, &incident).await;
        assert_eq!(incident.state.name(), "closed");
    }
    let cases = house.settled().await;
    assert_eq!(cases.len(), ROUNDS, "{cases:#?}");
    cases.iter().for_each(assert_ended_once);
}

#[tokio::test]
async fn events_and_their_redeliveries_that_cross_open_one_case() {
    for round in 0..3 {
        let house = House::open().await;
        let triggered = Event::fixture("01-triggered-by-integration.json");
        let resolved = Event::fixture("18-resolved-by-integration.json");
        let news = (0..SENDERS).flat_map(|sender| {
            [
                triggered.clone(),
                triggered.clone().webhook_id(&format!("subscription-{sender}")),
                triggered.clone().event_id(&format!("again-{sender}")),
                resolved.clone().webhook_id(&format!("end-{sender}")),
            ]
        });
        at_once(&house, news.map(News::PagerDuty).collect()).await;
        house.hears_event(&resolved).await;
        let cases = house.settled().await;
        assert!(cases.len() <= 1, "round {round}: {cases:#?}");
        let mut incidents = house.incidents().await;
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        let incident = incidents.remove(0);
        if cases.is_empty() {
            // The end was the first to come.
            assert_eq!(incident.state.name(), "dropped");
        } else {
            opened_once(&house, &incident).await;
            assert_ended_once(&cases[0]);
        }
    }
}
