//! Tells open pages that something has changed, and nothing else: what it is, they ask themselves,
//! through the same door as ever. A page that hears nothing is a page without a script.
//!
//! Streams are bounded in number, and end with the daemon: one that stayed open would hold up its
//! stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::Console;
use crate::http::answer::Refusal;

/// Streams at a time. A person has a few pages open.
const STREAMS: usize = 64;
/// The shortest time from one hint to the next: a storm must not make every open page ask for
/// itself without end.
const AT_MOST_EVERY: Duration = Duration::from_secs(2);
/// How often something is said when nothing happens, so that neither side takes the other for gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Who tells and who listens. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Live {
    changes: watch::Sender<u64>,
    streams: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Live {
    /// Nothing has happened yet. Streams end with `stop`.
    pub fn until(stop: CancellationToken) -> Self {
        Self { changes: watch::Sender::new(0), streams: Arc::new(Semaphore::new(STREAMS)), stop }
    }

    /// Something may be otherwise than it was.
    pub fn changed(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

/// A stream of hints.
pub(super) async fn events(State(console): State<Console>) -> Response {
    let live = console.live;
    let Ok(slot) = live.streams.clone().try_acquire_owned() else {
        return Refusal::overloaded("enough pages are kept up to date already", HEARTBEAT)
            .into_response();
    };
    let mut changes = live.changes.subscribe();
    let (tell, told) = mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let _slot = slot;
        let mut said = Event::default().comment("listening");
        loop {
            tokio::select! {
                sent = tell.send(Ok(said)) => if sent.is_err() { return },
                () = live.stop.cancelled() => return,
            }
            said = tokio::select! {
                () = live.stop.cancelled() => return,
                () = tell.closed() => return,
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::select! {
                        () = live.stop.cancelled() => return,
                        () = tell.closed() => return,
                        () = tokio::time::sleep(AT_MOST_EVERY) => {}
                    }
                    let changes = *changes.borrow_and_update();
                    Event::default().event("changed").data(changes.to_string())
                }
                () = tokio::time::sleep(HEARTBEAT) => Event::default().comment(""),
            };
        }
    });
    let mut answer = Sse::new(ReceiverStream::new(told)).into_response();
    // Nginx would keep hints until it has a page of them.
    answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}
