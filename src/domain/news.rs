//! What has changed since an incident's case was last told how it stands.
//!
//! What cancels out within that time (an alert that resolves and fires again) is no news.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::ids::Fingerprint;

/// Changes that wait to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// Alerts that fire now and did not, by what a person calls them.
    pub fired: BTreeMap<Fingerprint, String>,
    /// Alerts that have resolved.
    pub resolved: BTreeMap<Fingerprint, String>,
    /// How many more fired or resolved than are kept by name.
    pub more: u32,
    /// Alerts that say something else than before.
    pub changed: BTreeMap<Fingerprint, String>,
    /// Alerts that said something else while its case was being opened, and when. Whether the case
    /// says it is known once it is there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unsent: BTreeMap<Fingerprint, Timestamp>,
    /// What people wrote about it while it had no case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
}

/// What a person wrote about an incident, at its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// When, as far as is known.
    pub at: Option<Timestamp>,
    /// Who, as the sender calls them; empty if it does not tell.
    pub author: String,
    /// What. Untrusted.
    pub text: String,
}

/// So many remarks are kept until there is a case.
const REMARKS: usize = 20;

/// So many alerts are kept by name, of each kind.
const NAMED: usize = 50;

impl News {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Whether an alert fires of which nothing was told, as far as that is known: `more` may be of
    /// such.
    pub fn tells_of_fire(&self) -> bool {
        !self.fired.is_empty() || self.more > 0
    }

    /// An alert fires that did not.
    pub fn fires(&mut self, alert: &Alert) {
        if self.resolved.remove(&alert.fingerprint).is_none() && !keep(&mut self.fired, alert) {
            self.more = self.more.saturating_add(1);
        }
    }

    /// An alert has resolved.
    pub fn resolves(&mut self, alert: &Alert) {
        self.changed.remove(&alert.fingerprint);
        if self.fired.remove(&alert.fingerprint).is_none() && !keep(&mut self.resolved, alert) {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Keeps a remark, in place of the oldest if there are too many.
    pub fn remark(&mut self, remark: Remark) {
        self.remarks.push(remark);
        let surplus = self.remarks.len().saturating_sub(REMARKS);
        self.remarks.drain(..surplus);
    }

    /// A firing alert says something else while the case is being opened.
    pub fn changes_unsent(&mut self, alert: &Alert, at: Timestamp) {
        if self.unsent.len() < NAMED || self.unsent.contains_key(&alert.fingerprint) {
            self.unsent.insert(alert.fingerprint.clone(), at);
        }
    }

    /// A firing alert says something else.
    pub fn changes(&mut self, alert: &Alert) {
        if !self.fired.contains_key(&alert.fingerprint) {
            keep(&mut self.changed, alert);
        }
    }
}

/// Whether there was room.
fn keep(names: &mut BTreeMap<Fingerprint, String>, alert: &Alert) -> bool {
    let room = names.len() < NAMED || names.contains_key(&alert.fingerprint);
    if room {
        names.insert(alert.fingerprint.clone(), alert.title());
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{alert, at};

    #[test]
    fn what_cancels_out_is_no_news() {
        let mut news = News::default();
        let (a, gone) = (alert("a").build(), alert("a").resolved(at(0)).build());
        news.resolves(&gone);
        news.fires(&a);
        assert!(news.is_empty());
        news.fires(&a);
        news.resolves(&gone);
        assert!(news.is_empty());
    }

    #[test]
    fn the_newest_remarks_are_kept() {
        let mut news = News::default();
        for number in 0..REMARKS + 3 {
            let (at, author) = (None, "On-call Engineer".to_owned());
            news.remark(Remark { at, author, text: number.to_string() });
        }
        assert_eq!((news.remarks.len(), news.remarks[0].text.as_str()), (REMARKS, "3"));
    }

    #[test]
    fn beyond_the_names_it_only_counts() {
        let mut news = News::default();
        for number in 0..NAMED + 3 {
            news.fires(&alert(&format!("a-{number}")).build());
        }
        assert_eq!((news.fired.len(), news.more), (NAMED, 3));
    }
}
