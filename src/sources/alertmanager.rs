//! Prometheus Alertmanager webhooks, payload version "4": snapshots of a group of alerts.
//!
//! What a receiver must know (all read in Alertmanager's source, v0.22 to v0.34):
//!
//! - The payload is a *snapshot*, minus muted alerts: an alert that is missing has not resolved.
//! - The `status` at the top is computed after the list was cut by `max_alerts`, so it lies in a
//!   truncated payload. Only `alerts[].status` counts here; the one at the top is not read.
//! - There is no delivery id and no signature; two Alertmanagers of one cluster may send the same
//!   news. State is compared instead, by fingerprint.
//! - A 5xx is retried within the flush; a 4xx is not, but the group comes again with the next
//!   flush, and Alertmanager logs the body of our answer: say there what is wrong.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::credential::Auth;
use super::{Received, Source, Unauthentic, Unusable};
use crate::clock::whole_micros;
use crate::domain::alert::{Alert, AlertStatus, Labels, Link};
use crate::domain::ids::{Fingerprint, SourceName};

/// The longest body. A hundred alerts are about 80 kB; beyond this, `max_alerts` is the remedy.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The most alerts in one payload. Ten times what fits a group that anybody reads.
pub const ALERTS_LIMIT: usize = 10_000;
/// The most labels, annotations or group labels in one place.
pub const PAIRS_LIMIT: usize = 256;
/// The longest name of a label or annotation, in bytes.
pub const NAME_LIMIT: usize = 1024;
/// The longest value of a label, in bytes.
pub const LABEL_LIMIT: usize = 64 * 1024;
/// The longest value of an annotation, in bytes. Templates that loop over a query's results make
/// long ones.
pub const ANNOTATION_LIMIT: usize = 256 * 1024;
/// The longest receiver name or fingerprint, in bytes.
pub const TOKEN_LIMIT: usize = 1024;
/// The longest `externalURL` that becomes a link; a longer one is left out. Every alert gets a
/// copy, so this must stay small.
const EXTERNAL_URL_LIMIT: usize = 2048;
/// How many bytes the copies of the group's labels, one per alert, may take together. In a real
/// payload every alert carries the group's labels itself, so the copies are smaller than the body.
const GROUP_COPIES_LIMIT: usize = 4 * BODY_LIMIT;

/// A configured Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    name: SourceName,
    auth: Auth,
}

impl Alertmanager {
    /// Accepts payloads from whoever passes `auth`.
    pub fn new(name: SourceName, auth: Auth) -> Self {
        Self { name, auth }
    }
}

impl Source for Alertmanager {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "alertmanager"
    }

    fn body_limit(&self) -> usize {
        BODY_LIMIT
    }

    fn greet(&self, headers: &HeaderMap) -> Result<(), Unauthentic> {
        self.auth.check(headers)
    }

    fn authenticate(&self, headers: &HeaderMap, _body: &[u8]) -> Result<(), Unauthentic> {
        self.greet(headers)
    }

    fn parse(&self, _headers: &HeaderMap, body: &[u8]) -> Result<Received, Unusable> {
        let payload: Payload<'_> = serde_json::from_slice(body)
            .map_err(|error| not_v4(format!("the body is not an Alertmanager payload: {error}")))?;
        self.read(payload)
    }

    fn challenges(&self) -> Vec<&'static str> {
        self.auth.challenges()
    }

    fn credential_hint(&self) -> &'static str {
        "in Alertmanager, set http_config of the webhook so that the Authorization header (or the \
         configured one) carries a credential that casewright's config lists in this source's `auth`"
    }
}

impl Alertmanager {
    fn read(&self, payload: Payload<'_>) -> Result<Received, Unusable> {
        // `webhook_config.payload` (since 0.32) replaces the body entirely, so version and group
        // key are what tells a payload that we understand.
        match payload.version.as_deref() {
            Some("4") => {}
            Some(other) => {
                return Err(not_v4(format!("\"version\" is {:?}, not \"4\"", clip(other))));
            }
            None => return Err(not_v4("\"version\" is missing".to_owned())),
        }
        let Some(group_key) = payload.group_key.filter(|key| !key.0.is_empty()) else {
            return Err(not_v4("\"groupKey\" is missing".to_owned()));
        };
        let alert_key = hex::encode(Sha256::digest(group_key.0.as_bytes()));
        let Some(Items(items)) = payload.alerts else {
            return Err(not_v4("\"alerts\" is missing".to_owned()));
        };
        at_most(items.len(), ALERTS_LIMIT, "alerts", || "the payload".to_owned())?;

        let receiver = unquote(payload.receiver.as_deref().unwrap_or_default());
        at_most(receiver.len(), TOKEN_LIMIT, "bytes", || "the receiver's name".to_owned())?;
        let group = self.group(&receiver, payload.group_labels, items.len())?;
        let external_url = payload
            .external_url
            .map(|url| url.0)
            .filter(|url| !url.is_empty() && url.len() <= EXTERNAL_URL_LIMIT);

        let note = items.is_empty().then(|| "the payload lists no alerts".to_owned());
        let alerts = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                self.alert(item, &group, &alert_key, external_url.as_deref())
                    .map_err(|what| what.of_alert(index))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Received {
            moves: Vec::new(),
            remarks: Vec::new(),
            alerts,
            ids: Vec::new(),
            truncated: payload.truncated_alerts.unwrap_or(0) > 0,
            note,
        })
    }

    /// The default identity: source, receiver, and the labels that the group was made by.
    ///
    /// The group's labels have a prefix, so that a label called `receiver` cannot take the place
    /// of the receiver. The raw `groupKey` is not part of it: it changes with the routes.
    fn group(&self, receiver: &str, labels: Pairs<'_>, copies: usize) -> Result<Labels, Unusable> {
        check_pairs(&labels, "groupLabels", LABEL_LIMIT)?;
        let bytes: usize = labels.0.iter().map(|(name, value)| name.0.len() + value.0.len()).sum();
        at_most(bytes.saturating_mul(copies), GROUP_COPIES_LIMIT, "bytes", || {
            "groupLabels times the number of alerts".to_owned()
        })?;
        let mut group: Labels = labels
            .0
            .into_iter()
            .map(|(name, value)| (format!("group:{}", name.0), value.0.into_owned()))
            .collect();
        group.insert("source".to_owned(), self.name.as_str().to_owned());
        group.insert("receiver".to_owned(), receiver.to_owned());
        Ok(group)
    }

    fn alert(
        &self,
        item: Item<'_>,
        group: &Labels,
        alert_key: &str,
        external_url: Option<&str>,
    ) -> Result<Alert, Unusable> {
        let status = match item.status.as_deref() {
            Some("firing") => AlertStatus::Firing,
            Some("resolved") => AlertStatus::Resolved,
            Some(other) => {
                let other = clip(other);
                return Err(not_v4(format!(
                    "\"status\" is {other:?}, neither \"firing\" nor \"resolved\""
                )));
            }
            None => return Err(not_v4("\"status\" is missing".to_owned())),
        };
        check_pairs(&item.labels, "labels", LABEL_LIMIT)?;
        check_pairs(&item.annotations, "annotations", ANNOTATION_LIMIT)?;

        let sent = owned(item.labels);
        let given = item.fingerprint.as_deref().unwrap_or_default();
        at_most(given.len(), TOKEN_LIMIT, "bytes", || "\"fingerprint\"".to_owned())?;
        let fingerprint =
            if given.is_empty() { fingerprint(&sent) } else { Fingerprint::new(given) };

        let mut links = Vec::new();
        if let Some(url) = item.generator_url.map(|url| url.0).filter(|url| !url.is_empty()) {
            links.push(Link { name: "generator".to_owned(), url: url.into_owned() });
        }
        if let Some(url) = external_url {
            links.push(Link { name: "alertmanager".to_owned(), url: url.to_owned() });
        }
        Ok(Alert {
            source: self.name.clone(),
            fingerprint,
            status,
            labels: with_source(sent, &self.name),
            annotations: owned(item.annotations),
            starts_at: item.starts_at.as_deref().and_then(time),
            // Alertmanager blanks the end of a firing alert to year 1; whoever does not, means
            // the end of the alert's lease.
            ends_at: match status {
                AlertStatus::Firing => None,
                AlertStatus::Resolved => item.ends_at.as_deref().and_then(time),
            },
            occurred_at: None,
            alert_key: Some(alert_key.to_owned()),
            links,
            group: group.clone(),
        })
    }
}

/// Alertmanager's fingerprint of a label set, 16 hex digits: FNV-1a (64 bits) over name, `0xFF`,
/// value, `0xFF` of every label in byte order of the names (prometheus/common
/// `model/signature.go`).
pub fn fingerprint(labels: &Labels) -> Fingerprint {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    let hash = labels.iter().fold(OFFSET_BASIS, |hash, (name, value)| {
        let hash = step(name.as_bytes().iter().fold(hash, step), &0xff);
        step(value.as_bytes().iter().fold(hash, step), &0xff)
    });
    Fingerprint::new(format!("{hash:016x}"))
}

/// Undoes Go's `regexp.QuoteMeta`, through which Alertmanager passes the receiver's name.
fn unquote(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match rest.peek() {
            Some(next) if char == '\\' && r"\.+*?()|[]{}^$".contains(*next) => {
                plain.push(*next);
                rest.next();
            }
            _ => plain.push(char),
        }
    }
    plain
}

/// Sets the reserved label `source`; a sender's own is kept as `exported_source`, the way
/// Prometheus resolves such a conflict when it scrapes.
fn with_source(mut labels: Labels, source: &SourceName) -> Labels {
    let ours = source.as_str().to_owned();
    if let Some(theirs) = labels.insert("source".to_owned(), ours) {
        let mut name = "exported_source".to_owned();
        while labels.contains_key(&name) {
            name.insert_str(0, "exported_");
        }
        labels.insert(name, theirs);
    }
    labels
}

/// A time with any offset and up to nine fractional digits, cut to the microsecond that the store
/// keeps. Go's zero time (year 1) means that there is none; so does a text that is no time, because
/// no alert may be lost to its decoration.
fn time(text: &str) -> Option<Timestamp> {
    // 0002-01-01T00:00:00Z: late enough for the zero time in any zone.
    const YEAR_TWO: i64 = -62_104_060_800;
    let time: Timestamp = text.parse().ok()?;
    (time.as_second() >= YEAR_TWO).then(|| whole_micros(time))
}

fn owned(pairs: Pairs<'_>) -> Labels {
    pairs.0.into_iter().map(|(name, value)| (name.0.into_owned(), value.0.into_owned())).collect()
}

fn check_pairs(pairs: &Pairs<'_>, place: &str, value_limit: usize) -> Result<(), Unusable> {
    at_most(pairs.0.len(), PAIRS_LIMIT, "entries", || format!("\"{place}\""))?;
    for (name, value) in &pairs.0 {
        if name.0.is_empty() {
            return Err(not_v4(format!("\"{place}\" has an entry without a name")));
        }
        at_most(name.0.len(), NAME_LIMIT, "bytes", || {
            format!("the name {:?} in \"{place}\"", clip(&name.0))
        })?;
        at_most(value.0.len(), value_limit, "bytes", || {
            format!("the value of {:?} in \"{place}\"", clip(&name.0))
        })?;
    }
    Ok(())
}

fn at_most(
    found: usize,
    limit: usize,
    unit: &str,
    what: impl Fn() -> String,
) -> Result<(), Unusable> {
    if found <= limit {
        return Ok(());
    }
    Err(Unusable {
        message: format!("{} has {found} {unit}; at most {limit} are accepted", what()),
        hint: "set max_alerts on the webhook, or group and label less widely".to_owned(),
        acknowledged: false,
    })
}

fn not_v4(message: String) -> Unusable {
    Unusable {
        message,
        hint: "send Alertmanager's own webhook payload (version 4): a webhook_config with a \
               custom \"payload\" is not understood"
            .to_owned(),
        acknowledged: false,
    }
}

impl Unusable {
    fn of_alert(mut self, index: usize) -> Self {
        self.message.insert_str(0, &format!("alerts[{index}]: "));
        self
    }
}

/// The start of a text that goes into a message.
fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(40)).unwrap_or(text)
}

// The wire. Unknown fields are ignored, `null` is an empty value (Alertmanager's own test code
// emits it), and texts are borrowed from the body wherever they hold no escape.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow, default)]
    receiver: Option<Text<'a>>,
    #[serde(borrow, default)]
    version: Option<Text<'a>>,
    #[serde(borrow, default)]
    group_key: Option<Text<'a>>,
    #[serde(borrow, default)]
    group_labels: Pairs<'a>,
    #[serde(borrow, default, rename = "externalURL")]
    external_url: Option<Text<'a>>,
    #[serde(default)]
    truncated_alerts: Option<u64>,
    // Not a plain `Option`, which would take `null` for absent.
    #[serde(borrow, default, deserialize_with = "present")]
    alerts: Option<Items<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    labels: Pairs<'a>,
    #[serde(borrow, default)]
    annotations: Pairs<'a>,
    #[serde(borrow, default)]
    starts_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    ends_at: Option<Text<'a>>,
    #[serde(borrow, default, rename = "generatorURL")]
    generator_url: Option<Text<'a>>,
    #[serde(borrow, default)]
    fingerprint: Option<Text<'a>>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Items<'de>>, D::Error> {
    Items::deserialize(from).map(Some)
}

/// A text, borrowed if it can be. (`Option<Cow<str>>` would always own.)
struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed("")))
            }
        }

        from.deserialize_any(Texts)
    }
}

/// Names and values in the order of the wire; of equal names the last one wins.
#[derive(Default)]
struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Maps;

        impl<'de> Visitor<'de> for Maps {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
        }

        from.deserialize_any(Maps)
    }
}

/// The alerts. Those beyond the limit are counted but not kept.
struct Items<'a>(Vec<Item<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Lists;

        impl<'de> Visitor<'de> for Lists {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of alerts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                    if items.len() > ALERTS_LIMIT {
                        let mut found = items.len();
                        while list.next_element::<IgnoredAny>()?.is_some() {
                            found += 1;
                        }
                        return Err(serde::de::Error::custom(format_args!(
                            "it has {found} alerts; at most {ALERTS_LIMIT} are accepted (set \
                             max_alerts on the webhook)"
                        )));
                    }
                }
                Ok(Items(items))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Items(Vec::new()))
            }
        }

        from.deserialize_any(Lists)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::fixtures;

    fn source() -> Alertmanager {
        Alertmanager::new("am".into(), Auth::default())
    }

    fn parse_bytes(body: &[u8]) -> Result<Received, Unusable> {
        source().parse(&HeaderMap::new(), body)
    }

    fn parse(value: &Value) -> Result<Received, Unusable> {
        parse_bytes(value.to_string().as_bytes())
    }

    fn sample(file: &str) -> Received {
        parse_bytes(&fixtures::read(&format!("alertmanager/{file}"))).unwrap()
    }

    fn statuses(received: &Received) -> Vec<(&str, &str)> {
        received.alerts.iter().map(|alert| (alert.label("pop"), alert.status.as_str())).collect()
    }

    fn payload(alert: &Value) -> Value {
        json!({ "version": "4", "groupKey": "{}:{}", "receiver": "r", "alerts": [alert] })
    }

    fn firing(labels: &Value) -> Value {
        payload(&json!({ "status": "firing", "labels": labels }))
    }

    fn refused(value: &Value) -> String {
        let error = parse(value).unwrap_err();
        assert!(!error.acknowledged);
        assert!(!error.hint.is_empty());
        error.message
    }

    #[test]
    fn every_sample_says_what_its_name_says() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
        let table: [Row; 10] = [
            ("0.25-01-firing.json", &[("FRA", "firing")], false),
            ("0.25-01-firing.raw.json", &[("FRA", "firing")], false),
            ("0.25-02-group-grew.json", &[("AMS", "firing"), ("FRA", "firing")], false),
            ("0.25-03-mixed.json", &[("AMS", "firing"), ("FRA", "resolved")], false),
            ("0.25-04-resolved-last-only.json", &[("AMS", "resolved")], false),
            ("0.25-05-truncated-misleading-status.json", &[("AMS", "resolved")], true),
            ("0.25-06-ha-peer-duplicate-of-01.json", &[("FRA", "firing")], false),
            ("0.25-07-repeat-of-02.json", &[("AMS", "firing"), ("FRA", "firing")], false),
            ("0.34-01-firing.json", &[("FRA", "firing")], false),
            ("0.34-02-odd-values.raw.json", &[("", "firing")], false),
        ];
        assert_eq!(
            table.iter().map(|row| row.0.to_owned()).collect::<Vec<_>>(),
            fixtures::list("alertmanager")
        );
        for (file, expected, truncated) in table {
            let received = sample(file);
            assert_eq!(statuses(&received), expected, "{file}");
            assert_eq!(received.truncated, truncated, "{file}");
            assert!(received.ids.is_empty() && received.note.is_none(), "{file}");
            for alert in &received.alerts {
                let mut sent = alert.labels.clone();
                sent.remove("source");
                assert_eq!(alert.fingerprint, fingerprint(&sent), "{file}");
                assert_eq!(alert.ends_at.is_some(), alert.status == AlertStatus::Resolved);
                assert!(alert.starts_at.is_some() && alert.occurred_at.is_none(), "{file}");
            }
        }
    }

    #[test]
    fn a_sample_becomes_the_alert_that_templates_see() {
        let received = sample("0.25-01-firing.raw.json");
        assert_eq!(received, sample("0.25-01-firing.json"));
        let alert = &received.alerts[0];
        assert_eq!(alert.fingerprint.as_str(), "192f66ab27e7d0b5");
        assert_eq!(alert.label("source"), "am");
        assert_eq!(alert.label("receiver"), "");
        assert!(alert.annotations["description"].contains("healthy & shield"));
        assert_eq!(alert.starts_at, Some("2026-10-12T08:14:30.512Z".parse().unwrap()));
        assert_eq!(
            serde_json::to_value(&alert.group).unwrap(),
            json!({
                "source": "am",
                "receiver": "vendor-cases/edge.eu",
                "group:alertname": "CdnEdge5xxRatioHigh",
                "group:cdn_vendor": "fastly",
                "group:property": "video.example.net",
            })
        );
        let links: Vec<_> = alert.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(links, ["generator", "alertmanager"]);
    }

    #[test]
    fn twins_of_a_cluster_report_the_same_alert() {
        let [a, b] = ["0.25-01-firing.json", "0.25-06-ha-peer-duplicate-of-01.json"].map(sample);
        assert_eq!(a.alerts[0].fingerprint, b.alerts[0].fingerprint);
        assert_eq!(a.alerts[0].group, b.alerts[0].group);
    }

    #[test]
    fn odd_values_survive() {
        let alert = &sample("0.34-02-odd-values.raw.json").alerts[0];
        assert_eq!(alert.label("path"), "C:\\cdn\\\"live\"\nline2");
        assert_eq!(alert.label("property"), "straße.example.net");
        assert_eq!(alert.fingerprint.as_str(), "5df5c493cacb1002");
        // An offset of two hours, and nanoseconds that the store would not keep.
        assert_eq!(alert.starts_at, Some("2026-10-12T08:14:30Z".parse().unwrap()));
        assert_eq!(alert.links.len(), 1, "an empty generatorURL is no link");
    }

    #[test]
    fn fingerprints_equal_upstreams() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        // From prometheus/common, model/signature_test.go.
        let known = labels(&[("name", "garland, briggs"), ("fear", "love is not enough")]);
        assert_eq!(fingerprint(&known).as_str(), "507a62d79ee76c9a");
        assert_eq!(fingerprint(&labels(&[])).as_str(), "cbf29ce484222325");
    }

    #[test]
    fn a_missing_fingerprint_is_computed_from_the_labels_as_sent() {
        let labels = json!({ "name": "garland, briggs", "fear": "love is not enough" });
        assert_eq!(
            parse(&firing(&labels)).unwrap().alerts[0].fingerprint.as_str(),
            "507a62d79ee76c9a"
        );
        // The reserved label that we add does not enter into it.
        let with_source = parse(&firing(&json!({ "source": "x" }))).unwrap();
        let without = fingerprint(&Labels::from([("source".to_owned(), "x".to_owned())]));
        assert_eq!(with_source.alerts[0].fingerprint, without);
    }

    #[test]
    fn a_senders_own_source_label_is_renamed() {
        let labels = json!({ "source": "theirs", "exported_source": "older" });
        let received = parse(&firing(&labels)).unwrap();
        let alert = &received.alerts[0];
        assert_eq!(alert.label("source"), "am");
        assert_eq!(alert.label("exported_source"), "older");
        assert_eq!(alert.label("exported_exported_source"), "theirs");
    }

    #[test]
    fn a_group_label_cannot_take_the_place_of_source_or_receiver() {
        let mut value = firing(&json!({}));
        value["groupLabels"] = json!({ "source": "x", "receiver": "y" });
        let received = parse(&value).unwrap();
        let group = &received.alerts[0].group;
        assert_eq!((group["source"].as_str(), group["receiver"].as_str()), ("am", "r"));
        assert_eq!((group["group:source"].as_str(), group["group:receiver"].as_str()), ("x", "y"));
    }

    #[test]
    fn receivers_are_unquoted() {
        for (quoted, plain) in [
            (r"vendor-cases/edge\.eu", "vendor-cases/edge.eu"),
            (r"\\a\+b\*\?\(\)\|\[\]\{\}\^\$", r"\a+b*?()|[]{}^$"),
            (r"a\b\", r"a\b\"),
            ("", ""),
        ] {
            assert_eq!(unquote(quoted), plain);
        }
    }

    #[test]
    fn times_have_any_offset_and_year_one_is_none() {
        for (text, expected) in [
            ("2026-10-12T10:14:30.000000007+02:00", Some("2026-10-12T08:14:30Z")),
            ("2026-10-12T16:14:30.5+08:00", Some("2026-10-12T08:14:30.5Z")),
            ("2026-10-12T08:14:30.123456789Z", Some("2026-10-12T08:14:30.123456Z")),
            ("0001-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00-12:00", None),
            ("0001-01-01T00:00:00+14:00", None),
            ("yesterday", None),
            ("99999-01-01T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(time(text), expected.map(|time| time.parse().unwrap()), "{text}");
        }
        let year_two: Timestamp = "0002-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(time("0002-01-01T00:00:00Z"), Some(year_two));
        assert_eq!(time("0001-12-31T23:59:59Z"), None);
    }

    #[test]
    fn a_firing_alert_has_no_end_even_if_one_is_sent() {
        let ends = json!({ "status": "firing", "endsAt": "2026-10-12T08:00:00Z" });
        assert_eq!(parse(&payload(&ends)).unwrap().alerts[0].ends_at, None);
    }

    #[test]
    fn nulls_are_empty_and_unknown_fields_ignored() {
        let value = json!({
            "version": "4", "groupKey": "{}:{}", "receiver": null, "groupLabels": null,
            "externalURL": null, "truncatedAlerts": null, "commonLabels": 7, "new": [[{}]],
            "alerts": [{ "status": "resolved", "labels": null, "annotations": null,
                "startsAt": null, "endsAt": null, "generatorURL": null, "fingerprint": null }],
        });
        let received = parse(&value).unwrap();
        let alert = &received.alerts[0];
        assert_eq!(alert.fingerprint.as_str(), "cbf29ce484222325");
        assert_eq!(alert.labels.len(), 1);
        assert!(alert.starts_at.is_none() && alert.links.is_empty());
        assert!(!received.truncated);
    }

    #[test]
    fn no_alerts_are_noted() {
        for alerts in [json!([]), json!(null)] {
            let received =
                parse(&json!({ "version": "4", "groupKey": "k", "alerts": alerts })).unwrap();
            assert!(received.alerts.is_empty() && received.note.is_some());
        }
    }

    #[test]
    fn other_payloads_are_refused_with_the_reason() {
        let good = firing(&json!({}));
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            changed
        };
        let without = |name: &str| {
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().remove(name);
            changed
        };
        for (value, reason) in [
            (with("version", json!("3")), "\"version\" is \"3\""),
            (with("version", json!(4)), "integer `4`"),
            (without("version"), "\"version\" is missing"),
            (with("groupKey", json!("")), "\"groupKey\" is missing"),
            (without("groupKey"), "\"groupKey\" is missing"),
            (without("alerts"), "\"alerts\" is missing"),
            (with("alerts", json!({})), "a list of alerts"),
            (json!([]), "\"version\" is missing"),
            (json!("text"), "not an Alertmanager payload"),
            (payload(&json!({ "status": "pending" })), "alerts[0]: \"status\" is \"pending\""),
            (payload(&json!({})), "alerts[0]: \"status\" is missing"),
            (firing(&json!({ "a": 1 })), "integer `1`"),
            (firing(&json!({ "": "x" })), "without a name"),
        ] {
            let message = refused(&value);
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        let nested = format!(
            r#"{{"version":"4","groupKey":"k","alerts":[{{"status":"firing","labels":{}1{}}}]}}"#,
            r#"{"a":"#.repeat(100_000),
            "}".repeat(100_000)
        );
        for body in [&b""[..], b"{", b"{\"version\":\"\xff\"}", b"\0", nested.as_bytes()] {
            assert!(parse_bytes(body).is_err());
        }
        // Where nobody looks, depth costs nothing.
        let ignored = format!(
            r#"{{"x":{}{},"version":"4","groupKey":"k","alerts":[]}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(parse_bytes(ignored.as_bytes()).is_ok());
    }

    #[test]
    fn control_characters_survive_in_values() {
        let received = parse(&firing(&json!({ "a": "x\u{0}y\u{1b}[31m\r\n" }))).unwrap();
        assert_eq!(received.alerts[0].label("a"), "x\u{0}y\u{1b}[31m\r\n");
    }

    fn many(count: usize) -> Value {
        Value::Object((0..count).map(|i| (format!("l{i}"), json!("v"))).collect())
    }

    #[test]
    fn limits_hold_at_their_edge_and_name_themselves_beyond_it() {
        let annotated =
            |value: String| payload(&json!({ "status": "firing", "annotations": { "a": value } }));
        let fingerprinted =
            |value: String| payload(&json!({ "status": "firing", "fingerprint": value }));
        let received_by = |value: String| {
            let mut payload = firing(&json!({}));
            payload["receiver"] = json!(value);
            payload
        };
        let x = |count: usize| "x".repeat(count);
        for (at, beyond, limit) in [
            (firing(&many(PAIRS_LIMIT)), firing(&many(PAIRS_LIMIT + 1)), PAIRS_LIMIT),
            (firing(&many(1)), firing(&many(10_000)), PAIRS_LIMIT),
            (
                firing(&json!({ x(NAME_LIMIT): "v" })),
                firing(&json!({ x(NAME_LIMIT + 1): "v" })),
                NAME_LIMIT,
            ),
            (
                firing(&json!({ "a": x(LABEL_LIMIT) })),
                firing(&json!({ "a": x(LABEL_LIMIT + 1) })),
                LABEL_LIMIT,
            ),
            (annotated(x(ANNOTATION_LIMIT)), annotated(x(ANNOTATION_LIMIT + 1)), ANNOTATION_LIMIT),
            (fingerprinted(x(TOKEN_LIMIT)), fingerprinted(x(TOKEN_LIMIT + 1)), TOKEN_LIMIT),
            (received_by(x(TOKEN_LIMIT)), received_by(x(TOKEN_LIMIT + 1)), TOKEN_LIMIT),
        ] {
            assert!(parse(&at).is_ok());
            let message = refused(&beyond);
            assert!(message.contains(&format!("at most {limit}")), "{message}");
            assert!(message.len() < 300, "{message}");
        }
    }

    #[test]
    fn ten_thousand_alerts_are_accepted_and_one_more_is_not() {
        let alerts = |count: usize| {
            let mut value = firing(&json!({}));
            value["alerts"] = json!(vec![json!({ "status": "firing" }); count]);
            value
        };
        assert_eq!(parse(&alerts(ALERTS_LIMIT)).unwrap().alerts.len(), ALERTS_LIMIT);
        let message = refused(&alerts(ALERTS_LIMIT + 1));
        assert!(message.contains("10001 alerts; at most 10000"), "{message}");
    }

    #[test]
    fn group_labels_cannot_be_multiplied_into_gigabytes() {
        let mut value = firing(&json!({}));
        value["alerts"] = json!(vec![json!({ "status": "firing" }); 1000]);
        value["groupLabels"] = json!({ "a": "x".repeat(GROUP_COPIES_LIMIT / 1000) });
        assert!(refused(&value).contains("groupLabels"));
        value["groupLabels"] = json!({ "a": "x".repeat(GROUP_COPIES_LIMIT / 1000 - 1) });
        assert!(parse(&value).is_ok());
    }

    #[test]
    fn an_overlong_external_url_is_left_out() {
        for (length, links) in [(EXTERNAL_URL_LIMIT, 1), (EXTERNAL_URL_LIMIT + 1, 0)] {
            let mut value = firing(&json!({}));
            value["externalURL"] = json!("h".repeat(length));
            assert_eq!(parse(&value).unwrap().alerts[0].links.len(), links);
        }
    }

    #[test]
    fn of_equal_names_the_last_wins() {
        let body = br#"{"version":"4","groupKey":"k","alerts":[
            {"status":"firing","labels":{"a":"1","a":"2"}}]}"#;
        assert_eq!(parse_bytes(body).unwrap().alerts[0].label("a"), "2");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!("firing")),
            Just(json!("resolved")),
            Just(json!("2026-10-12T08:14:30Z")),
        ];
        let key = prop_oneof![
            Just("alerts"),
            Just("status"),
            Just("labels"),
            Just("annotations"),
            Just("startsAt"),
            Just("endsAt"),
            Just("fingerprint"),
            Just("generatorURL"),
            Just("groupLabels"),
            Just("receiver"),
            Just("source"),
            Just(""),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_bytes(&body);
        }

        #[test]
        fn no_json_makes_it_panic(value in any_json()) {
            let _ = parse(&value);
            let mut framed = firing(&json!({}));
            for name in ["alerts", "groupLabels", "receiver"] {
                if let Some(inner) = value.get(name) {
                    framed[name] = inner.clone();
                }
            }
            let _ = parse(&framed);
            let _ = parse(&payload(&value));
        }

        #[test]
        fn every_label_set_survives(
            labels in prop::collection::btree_map("[^s].{0,20}", any::<String>(), 0..20)
        ) {
            let received = parse(&firing(&json!(labels))).unwrap();
            let mut found = received.alerts[0].labels.clone();
            found.remove("source");
            prop_assert_eq!(found, labels);
        }
    }
}
