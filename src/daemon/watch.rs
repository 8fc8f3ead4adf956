//! Notices that files have changed, and has them read anew.
//!
//! By their contents, at every look: file systems tell of changes in too many ways (editors that
//! write a file anew, mounted volumes whose links are swapped as a whole), and the files are few.
//! A change counts when two looks in a row have seen the same: whoever copies many files is let
//! finish. A set that cannot be used is refused as a whole, as on every reload, and is not tried
//! again before it changes again.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use crate::http::api::Reload as _;
use crate::setup::Digest;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Looks until `stop`.
pub(super) async fn watch(reloader: Arc<Reloader>, stop: CancellationToken) {
    let mut before: Option<Digest> = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = reloader.clock.sleep(LOOK_EVERY) => {}
        }
        let now = reloader.look().await;
        let settled = now.is_some() && now == before;
        if settled && now != *reloader.seen.get() {
            // What is wrong with them has been told.
            let _ = reloader.reload("a change of the files").await;
        }
        before = now;
    }
}
