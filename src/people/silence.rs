//! Where Alertmanager makes a silence for an alert that it has sent: its own form, filled in.
//!
//! Nothing is silenced by us, and a person sees the matchers before they count. Pure.

use url::Url;

use crate::domain::alert::{Alert, Labels};

/// What an Alertmanager's own address is called among the links of an alert.
const ALERTMANAGER: &str = "alertmanager";
/// The longest address that browsers and proxies agree on.
const LONGEST: usize = 8_000;

/// The address of the form, if the alert came by an Alertmanager that says where it is in the web.
pub(super) fn silence(alert: &Alert) -> Option<String> {
    let base = alert.links.iter().find(|link| link.name == ALERTMANAGER)?;
    let url = Url::parse(&base.url).ok()?;
    // What parses but was written otherwise is no address that a person would recognise.
    let is_plain = base.url.bytes().all(|byte| byte.is_ascii_graphic())
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
        return None;
    }
    let filter = filter(&alert.labels)?;
    let coded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    // The page reads what is behind `#` itself, and takes a plus for a plus.
    let coded = coded.replace('+', "%20");
    let address = format!("{}/#/silences/new?filter={coded}", base.url.trim_end_matches('/'));
    (address.len() <= LONGEST).then_some(address)
}

/// Matchers that say what the labels are, as Alertmanager reads them: `{a="b",c="d"}`. None if there
/// is nothing that could be said: a silence of everything must not be a click away.
fn filter(labels: &Labels) -> Option<String> {
    let matchers: Vec<String> = labels
        .iter()
        .filter(|(name, value)| is_the_senders(name) && is_plain_name(name) && !value.is_empty())
        .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)))
        .collect();
    (!matchers.is_empty()).then(|| format!("{{{}}}", matchers.join(",")))
}

/// `source` is ours; what the sender called so has another name here, and which one cannot be told.
fn is_the_senders(name: &str) -> bool {
    let mut rest = name;
    while let Some(shorter) = rest.strip_prefix("exported_") {
        rest = shorter;
    }
    rest != "source"
}

/// Names that every version of Alertmanager's page can read (`[a-zA-Z_][a-zA-Z0-9_]*`).
fn is_plain_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}

/// As within a string of Go's, which is how matchers are quoted.
fn quoted(value: &str) -> String {
    let mut quoted = String::new();
    for char in value.chars() {
        match char {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            char => quoted.push(char),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Link;
    use crate::domain::testing::alert;

    fn sent(url: &str, labels: &[(&str, &str)]) -> Alert {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let links = vec![
            Link { name: "generator".into(), url: "https://p.example/".into() },
            Link { name: "alertmanager".into(), url: url.into() },
        ];
        Alert { labels: labels.collect(), links, ..alert("x").build() }
    }

    #[test]
    fn the_form_is_filled_in_with_the_senders_labels() {
        let labels = [("alertname", "Edge 5xx"), ("source", "am"), ("exported_source", "theirs")];
        let alert = sent("http://am.example:9093/alerts/", &labels);
        assert_eq!(
            silence(&alert).as_deref(),
            Some(
                "http://am.example:9093/alerts/#/silences/new?filter=%7Balertname%3D%22Edge%205xx%22%7D"
            )
        );
    }

    #[test]
    fn no_value_ends_its_quotes_or_the_address() {
        let alert = sent("https://am.example", &[("a", "x\",b=\"\\y\n&#%+<>'")]);
        let address = silence(&alert).unwrap();
        let filter = address.strip_prefix("https://am.example/#/silences/new?filter=").unwrap();
        assert!(
            filter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%-._*".contains(&byte))
        );
        let decoded = url::form_urlencoded::parse(format!("f={filter}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned());
        assert_eq!(decoded.as_deref(), Some("{a=\"x\\\",b=\\\"\\\\y\\n&#%+<>'\"}"));
    }

    #[test]
    fn there_is_none_where_nobody_says_where_or_nothing_can_be_said() {
        let labels = [("alertname", "x")];
        for url in [
            "javascript:alert(1)",
            "am.example:9093",
            "ftp://am.example",
            "https://am.example/?x=1",
            "https://am.example/#/x",
            "https://kim:secret@am.example",
            "https://am.exam ple",
            "",
        ] {
            assert_eq!(silence(&sent(url, &labels)), None, "{url}");
        }
        let pagerduty = Alert { links: Vec::new(), ..sent("https://am.example", &labels) };
        assert_eq!(silence(&pagerduty), None);
        for nothing in [&[][..], &[("source", "am")], &[("a", "")], &[("ä b", "c"), ("1a", "b")]] {
            assert_eq!(silence(&sent("https://am.example", nothing)), None, "{nothing:?}");
        }
        let long = "x".repeat(LONGEST);
        assert_eq!(silence(&sent("https://am.example", &[("a", &long)])), None);
    }
}
