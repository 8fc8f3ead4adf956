use proptest::prelude::*;

use super::*;
use crate::domain::testing::alert;

fn all() -> Redaction {
    Builtin::NAMES.iter().fold(Redaction::default(), |all, (_, one)| all.builtin(*one))
}

fn only(builtin: Builtin) -> Redaction {
    Redaction::default().builtin(builtin)
}

fn custom(pattern: &str, with: &str) -> Redaction {
    let regex = crate::domain::regex::find(pattern).unwrap();
    Redaction::default().pattern(regex, with.to_owned())
}

#[track_caller]
fn becomes(redaction: &Redaction, text: &str, wanted: &str) {
    assert_eq!(redaction.apply(text).text, wanted, "{text}");
}

#[test]
fn email_addresses_go() {
    let email = only(Builtin::Email);
    for (text, wanted) in [
        ("mail jane.doe+edge@example.co.uk, please", "mail [redacted: email], please"),
        ("<noc@example.com>", "<[redacted: email]>"),
        ("mailto:noc@example.com.", "mailto:[redacted: email]."),
        ("user=o'neil@example.com;x", "[redacted: email];x"),
        ("jürgen@müller.de", "[redacted: email]"),
        ("\"jane doe\"@example.com", "[redacted: email]"),
    ] {
        becomes(&email, text, wanted);
    }
    for kept in ["root@web1", "@example.com", "a @ b.c", "name@", "v1.2@3.4", "5 @ 10"] {
        becomes(&email, kept, kept);
    }
}

#[test]
fn addresses_go_and_versions_and_times_stay() {
    let ip = only(Builtin::Ip);
    for (text, wanted) in [
        ("from 192.0.2.1 to 10.0.0.255:443", "from [redacted: ip] to [redacted: ip]:443"),
        ("ip=010.001.002.003,", "ip=[redacted: ip],"),
        ("10.0.0.1-10.0.0.9/24.", "[redacted: ip]-[redacted: ip]/24."),
        ("[2001:db8::1]:443", "[[redacted: ip]]:443"),
        ("peer 2001:DB8:0:0:8:800:200C:417A.", "peer [redacted: ip]."),
        ("node:2001:db8::1: down", "node:[redacted: ip]: down"),
        ("fe80::1%eth0 ::1 ::ffff:192.0.2.1", "[redacted: ip]%eth0 [redacted: ip] [redacted: ip]"),
        ("http://10.1.2.3.nip.io/", "http://[redacted: ip].nip.io/"),
    ] {
        becomes(&ip, text, wanted);
    }
    for kept in [
        "1.2.3",
        "v1.2.3.4",
        "1.2.3.4.5",
        "256.1.1.1",
        "Chrome/126.0.6478.61",
        "at 12:34:56",
        "2026-08-01T10:00:00Z",
        "std::string, std::fs",
        "::",
        "00:1a:2b:3c:4d:5e",
        "F-CS-1234567",
    ] {
        becomes(&ip, kept, kept);
    }
}

#[test]
fn what_lets_somebody_in_goes() {
    let token = only(Builtin::Token);
    let gone = "[redacted: token]";
    for (text, wanted) in [
        ("Authorization: Bearer abc def\nnext", format!("Authorization: {gone}\nnext")),
        (
            "-H 'authorization: Basic Zm9v' https://x",
            format!("-H 'authorization: {gone}' https://x"),
        ),
        ("with bearer a1b2c3d4", format!("with bearer {gone}")),
        ("got eyJhbGciOi.eyJzdWIi.c2ln_-x here", format!("got {gone} here")),
        ("key AKIAIOSFODNN7EXAMPLE.", format!("key {gone}.")),
        ("ghp_0123456789abcdefABCDEF01", gone.to_owned()),
        ("DB_PASSWORD=hunter2 next\nuser=x", format!("DB_PASSWORD={gone}\nuser=x")),
        ("password: correct horse, battery\r\nuser: x", format!("password: {gone}\r\nuser: x")),
        ("a\tpassword: correct horse\tuser: x", format!("a\tpassword: {gone}\tuser: x")),
        ("| password: correct horse | b |", format!("| password: {gone} | b |")),
        ("| password | correct horse | b |", format!("| password | {gone} | b |")),
        ("| `password` | correct horse |", format!("| `password` | {gone} |")),
        ("token=[abc] {d}", format!("token={gone}")),
        ("token={a b}", format!("token={gone}")),
        ("pass: (a b)", "pass: (a b)".to_owned()),
        (
            "see https://x/?token=a%20b&page=2 there",
            format!("see https://x/?token={gone}&page=2 there"),
        ),
        ("https://x/?a=b&db.api_key=q#top", format!("https://x/?a=b&db.api_key={gone}#top")),
        (r#"{"pwd": 12.5, "tokens": true}"#, format!(r#"{{"pwd": {gone}, "tokens": {gone}}}"#)),
        (r#"{"pwd": 12 or so, "x": 1}"#, format!(r#"{{"pwd": {gone}"#)),
        (
            r#"\\\"pwd\\\":\\\"a\\\\\\\"b c\\\",\\\"x"#,
            format!(r#"\\\"pwd\\\":\\\"{gone}\\\",\\\"x"#),
        ),
        ("pwd: 'it''s so', x", format!("pwd: '{gone}', x")),
        (r#"{"api_key": "a \" b", "x": 1}"#, format!(r#"{{"api_key": "{gone}", "x": 1}}"#)),
        (r#"\"clientSecret\":\"abc\",\"x\""#, format!(r#"\"clientSecret\":\"{gone}\",\"x\""#)),
        ("token => 'a b'", format!("token => '{gone}'")),
        ("token: Bearer abc", format!("token: {gone}")),
        (
            "postgres://app:s3c:ret@db.example.com/x",
            format!("postgres://app:{gone}@db.example.com/x"),
        ),
        ("amqp://app:p@ss/w:rd@mq:5672/v, x", format!("amqp://app:{gone}@mq:5672/v, x")),
        ("https://jane@corp.com:pw@host/x", format!("https://jane@corp.com:{gone}@host/x")),
        ("redis://:a@r1:1,redis://:b@r2:2", format!("redis://:{gone}@r1:1,redis://:{gone}@r2:2")),
        ("d41d8cd98f00b204e9800998ecf8427e", gone.to_owned()),
        ("q8Vb2/xT0mZr+9LkWc4Ya1SdJ7uHePf3Gn6oIiXs", gone.to_owned()),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n",
            format!("{gone}\n"),
        ),
        ("-----BEGIN PRIVATE KEY-----\nMII cut off", gone.to_owned()),
    ] {
        becomes(&token, text, &wanted);
    }
    for kept in [
        "the bearer certificate of this",
        "password",
        "no secret here",
        "the token expired",
        "https://grafana.example.com/d/abc123/edge-delivery-5xx-overview-of-all-properties",
        "/var/lib/kubelet/pods/kubernetes.io~empty-dir/volume-subpaths",
        "KubernetesPodCrashLoopingForTooLongInProduction1",
        "00000000000000000000000000000000",
        "550e8400-e29b-41d4-a716-446655440000",
        "https://example.com:8443/a@b",
        "https://example.com/a:b@c",
        "https://jane@example.com:8443/x",
        "mail to: jane@example.com",
        "cw-9f3a1c7be2d044580a1b2c3d",
    ] {
        becomes(&token, kept, kept);
    }
}

#[test]
fn a_pattern_of_ones_own() {
    becomes(&custom(r"cust-\d+", "customer"), "cust-17 and cust-18", "customer and customer");
    // Go's dialect: `\d` is ASCII only, and `$` in a replacement means itself.
    becomes(&custom(r"\d", "$0"), "1 ٣", "$0 ٣");
    // It takes everything, but not the line breaks, and not what stands in place already.
    becomes(&custom(".*", "[gone]"), "a b\n\nc", "[gone]\n\n[gone]");
    becomes(&custom(".*", "[gone]"), "[gone]", "[gone]");
    // One in a row.
    becomes(&custom(".", "x"), "abc", "x");
    // A pattern that finds its own replacement.
    let own = custom("a", "ba");
    becomes(&own, &own.apply("a").text, "ba");
}

#[test]
fn what_several_kinds_find_is_replaced_once_and_counted_once() {
    let email = r"[a-z]+@example\.com";
    let regex = crate::domain::regex::find(email).unwrap();
    let both = only(Builtin::Email).pattern(regex, "person".to_owned());
    let redacted = both.apply("mail=x noc@example.com and a.noc@example.com");
    assert_eq!(redacted.text, "mail=x [redacted: email] and [redacted: email]");
    assert_eq!(redacted.found.to_string(), "2 × email");
    let all = all().apply("noc@example.com, noc@example.com, 10.0.0.1");
    assert_eq!(all.found.to_string(), "2 × email, 1 × ip");
}

#[test]
fn nothing_is_changed_by_default() {
    let text = "noc@example.com 10.0.0.1 password=x";
    let redacted = Redaction::default().apply(text);
    assert_eq!((redacted.text.as_str(), redacted.found.is_empty()), (text, true));
}

/// What has no blank or control character at its ends.
fn trimmed(value: &str) -> bool {
    value.trim() == value && !value.chars().any(char::is_control)
}

/// Any four characters of a value that stand in a text.
fn remains<'v>(value: &'v str, text: &str) -> Option<&'v str> {
    let starts: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
    starts.windows(5).map(|at| &value[at[0]..at[4]]).find(|four| text.contains(four))
}

/// Names for secrets, with what separates them from a value that goes on to the end of its line.
fn named() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("password"),
        Just("DB_PASSWD"),
        Just("clientSecret"),
        Just("X-Api-Key"),
        Just("access_token"),
    ];
    (name, prop_oneof![Just(": "), Just("="), Just(" = "), Just(" => "), Just(":=")])
        .prop_map(|(name, between)| format!("{name}{between}"))
}

/// Pieces that look like something, with what may stand between them.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("password=".to_owned()),
        Just("Authorization: ".to_owned()),
        Just("Bearer ".to_owned()),
        Just("[redacted: token]".to_owned()),
        Just("[redacted: ".to_owned()),
        Just("::".to_owned()),
        Just("\"".to_owned()),
        "[a-f0-9:.]{1,12}",
        "[a-zA-Z0-9+/]{30,40}",
        "[a-z.]{1,8}@[a-z]{1,5}\\.[a-z]{1,3}",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        "\\PC{0,6}",
        "[ \n\\[\\]@:=,]{0,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What stands around a piece and is no part of it.
fn around() -> impl Strategy<Value = String> {
    prop_oneof![Just(""), Just(" "), Just("("), Just(", "), Just("\n"), Just("\""), Just("é ")]
        .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn a_second_time_changes_nothing(text in texts()) {
        let once = all().apply(&text).text;
        prop_assert_eq!(&all().apply(&once).text, &once, "{}", text);
    }

    #[test]
    fn any_text_and_any_pattern_are_survived(
        text in "\\PC*", pattern in "[a-c.*+?|()\\[\\]]{1,6}", with in "[a-c]{1,4}",
    ) {
        if let Ok(regex) = crate::domain::regex::find(&pattern) {
            let redacted = all().pattern(regex, with).apply(&text);
            prop_assert_eq!(redacted.text.trim().is_empty(), text.trim().is_empty());
        }
    }

    #[test]
    fn no_address_survives(
        before in around(), after in around(),
        name in "[a-z0-9][a-z0-9._+-]{0,12}", domain in "[a-z0-9-]{1,8}(\\.[a-z]{2,6}){1,3}",
        v4 in any::<[u8; 4]>(), v6 in any::<[u16; 8]>(), zeros in 0..8usize,
    ) {
        let (v4, mut v6) = (std::net::Ipv4Addr::from(v4), v6);
        v6[zeros..].fill(0);
        let v6 = std::net::Ipv6Addr::from(v6);
        prop_assume!(!v6.is_unspecified());
        let mail = format!("{name}@{domain}");
        let mapped = v4.to_ipv6_mapped();
        let text = format!("{before}{mail}{after} {before}{v4}{after} {before}{v6}{after} {mapped} {v4}:{v6}");
        let clean = all().apply(&text).text;
        for gone in [mail, v4.to_string(), v6.to_string(), mapped.to_string()] {
            prop_assert!(!clean.contains(&gone), "{gone} in {clean:?}");
        }
    }

    #[test]
    fn whatever_stands_behind_a_name_for_a_secret_goes_and_nothing_else(
        before in "[A-Z ]{0,9}\n?", named in named(), after in "\n[A-Z ]{0,9}",
        value in "[^\\p{C}\"'\\\\|]{1,40}".prop_filter("blanks at its ends", |value| trimmed(value)),
    ) {
        // What separates, in place of a value, is no value.
        prop_assume!(!value.starts_with([':', '=', '>']));
        let clean = only(Builtin::Token).apply(&format!("{before}{named}{value}{after}")).text;
        prop_assert_eq!(&clean, &format!("{before}{named}[redacted: token]{after}"));
        prop_assert_eq!(remains(&value, &clean.replace("[redacted: token]", "")), None);
    }

    #[test]
    fn what_is_quoted_goes_to_its_quotes_however_deep_they_are(
        value in "\\PC{1,30}", depth in 0..4usize, other in "[a-z ]{0,9}",
    ) {
        let mut json = serde_json::json!({ "password": value, "text": other }).to_string();
        let mut wanted = serde_json::json!({ "password": "[redacted: token]", "text": other }).to_string();
        for _ in 0..depth {
            json = serde_json::to_string(&json).unwrap();
            wanted = serde_json::to_string(&wanted).unwrap();
        }
        prop_assert_eq!(only(Builtin::Token).apply(&json).text, wanted);
    }

    #[test]
    fn no_password_of_an_address_survives(
        scheme in "[a-z]{2,8}", user in "[a-z.@]{0,8}", host in "[a-z]{1,8}(:[0-9]{2,4})?",
        password in "[a-zA-Z0-9@/:!$&',;=%\\[\\](){}~+*#?-]{1,30}",
    ) {
        // That is a port and a path, or another address.
        let read = format!(":{password}");
        prop_assume!(!password.starts_with(|c: char| c.is_ascii_digit()) && !read.contains("://"));
        // What is called a password takes more than the password of an address with it.
        let names = format!("{scheme}: x\n{user}: x");
        prop_assume!(only(Builtin::Token).apply(&names).text == names);
        let text = format!("at {scheme}://{user}:{password}@{host}/db now");
        let clean = only(Builtin::Token).apply(&text).text;
        prop_assert_eq!(clean, format!("at {scheme}://{user}:[redacted: token]@{host}/db now"));
    }

    #[test]
    fn no_random_key_survives(hex in "[0-9a-f]{32,64}", value in "[a-zA-Z0-9]{1,20}") {
        let clean = all().apply(&format!("id {hex} secret={value};")).text;
        // A run of letters, or of one digit again and again, is no key.
        prop_assume!(hex.chars().filter(char::is_ascii_digit).count() > 3);
        prop_assume!(hex.chars().filter(char::is_ascii_alphabetic).count() > 3);
        prop_assert!(!clean.contains(&hex), "{clean}");
        prop_assert!(!clean.contains(&format!("={value}")), "{clean}");
    }
}

/// An incident whose alerts have labels and annotations.
fn incident(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Incident {
    let mut alert = alert("Slow");
    for (name, value) in labels {
        alert = alert.label(name, value);
    }
    for (name, value) in annotations {
        alert = alert.annotation(name, value);
    }
    crate::domain::testing::incident_of(alert.build())
}

#[test]
fn where_a_value_ends_is_known_as_long_as_it_is_one() {
    let story = ("story", "password: in a text");
    let leaky =
        incident(&[("password", "correct\nhorse"), ("pop", "FRA")], &[("Api-Key", "a b"), story]);
    let clean = only(Builtin::Token).incident(&leaky).into_owned();
    let member = clean.members.values().next().unwrap();
    for alert in [&clean.origin, &member.alert] {
        assert_eq!(alert.label("password"), "[redacted: token]");
        assert_eq!(alert.label("pop"), "FRA");
        assert_eq!(alert.annotations["Api-Key"], "[redacted: token]");
        assert_eq!(alert.annotations["story"], story.1, "that is for whoever makes a text of it");
    }
    // Nobody asks for it, or there is none.
    assert_eq!(*only(Builtin::Email).incident(&leaky), leaky);
    let plain = incident(&[("pop", "FRA"), ("token", "")], &[story]);
    assert!(matches!(only(Builtin::Token).incident(&plain), Cow::Borrowed(_)));
}

/// Whoever writes an alert chooses how long it takes to look at it.
#[test]
fn long_hostile_texts_take_as_long_as_they_are() {
    let redaction = only(Builtin::Token);
    for piece in [
        "password",
        "password ",
        "password=",
        "password: \t",
        "\\",
        "\"",
        "'",
        "password:'",
        "password='a''",
        "password=\\\"",
        "?token=",
        "?token=a&",
        "://",
        "://a:",
        "://a:b@",
        "a@",
        "Bearer ",
        "eyJaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "| token |",
        "token|",
        "\"token\": 1",
        "[redacted: token]",
        "token=[redacted: token]",
        "://:1/",
        "aA1_",
        "authorization: ",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        let begun = std::time::Instant::now();
        redaction.apply(&text);
        let took = begun.elapsed();
        // Where it takes the square of that, it takes four times as long as this.
        assert!(took < std::time::Duration::from_secs(5), "{piece:?}: {took:?}");
    }
}
