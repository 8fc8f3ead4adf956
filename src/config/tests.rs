//! What people see when their files are wrong.

use std::path::Path;

use secrecy::ExposeSecret;

use super::daemon_config::Checked;
use super::*;
use crate::domain::pace::{ListScope, Watch};

fn env(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/oncall".to_owned()),
        "PORT" => Some("9000".to_owned()),
        "TOKEN" => Some("token-from-env".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// A file that is right, which tests change at one place.
const GOOD: &str = "\
server:
  listen: 127.0.0.1:8080
  admin_listen: 127.0.0.1:8081
store:
  sqlite: ../data/casewright.db
rules: [rules/*.yaml]
templates: ../templates
sources:
  - name: alertmanager
    kind: alertmanager
    auth: { bearer: [\"${TOKEN}\"] }
  - name: pagerduty
    kind: pagerduty
    secrets: [\"${PAGERDUTY_SECRET:-demo-secret}\"]
vendors:
  - name: akamai
    kind: sandbox
";

fn check(text: &str) -> Checked {
    let folder = tempfile::tempdir().unwrap();
    check_in(folder.path(), text)
}

fn check_in(folder: &Path, text: &str) -> Checked {
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    std::fs::write(folder.join("rules/edge.yaml"), "rules: []\n").unwrap();
    let path = folder.join("casewright.yaml");
    std::fs::write(&path, text).unwrap();
    Config::check(&path, &env)
}

fn good(text: &str) -> Config {
    let checked = check(text);
    assert!(checked.diagnostics.is_empty(), "{}", checked.diagnostics.render(false));
    checked.config.unwrap()
}

/// The rendered mistakes, without the temporary folder's name.
fn mistakes(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let checked = check_in(folder.path(), text);
    let rendered = checked.diagnostics.render(false);
    rendered.replace(&format!("{}/", folder.path().display()), "")
}

/// The mistakes in [`GOOD`] after one change.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    mistakes(&GOOD.replacen(from, to, 1))
}

#[test]
fn the_documented_config_is_read() {
    let config = good(GOOD);
    assert_eq!(config.server, ServerConfig::default());
    assert!(config.store.sqlite.ends_with("../data/casewright.db"));
    let SourceKind::Alertmanager { auth } = &config.sources[0].kind else { panic!() };
    assert_eq!(auth.bearer[0].expose_secret(), "token-from-env");
    let SourceKind::PagerDuty { secrets, .. } = &config.sources[1].kind else { panic!() };
    assert_eq!(secrets[0].expose_secret(), "demo-secret");
    assert_eq!(config.vendors[0].timeout.as_secs(), 10);
    assert_eq!(config.vendors[0].retry.horizon.as_secs(), 72 * 3600);
    assert!(!format!("{config:?}").contains("token-from-env"));
}

#[test]
fn a_value_from_the_environment_is_read_as_what_is_wanted() {
    let text = GOOD.replace("server:\n", "server:\n  max_connections: ${PORT}\n");
    assert_eq!(good(&text).server.max_connections, 9000);
    let text = GOOD.replace("127.0.0.1:8080", "127.0.0.1:${PORT}");
    assert_eq!(good(&text).server.listen.port(), 9000);
}

#[test]
fn the_real_vendor_is_read() {
    let text = GOOD.replace(
        "    kind: sandbox\n",
        "    kind: akamai\n    edgerc: ~/.edgerc\n    section: cases\n    list_scope: all\n    \
         base_url: http://127.0.0.1:8090\n    rate: { per_second: 0.5, burst: 2 }\n    \
         retry: { initial: 2s, max: 1m, horizon: 4d }\n    timeout: 120s\n    allow_billable: true\n",
    );
    let config = good(&text);
    let vendor = &config.vendors[0];
    let VendorKind::Akamai { edgerc, section, base_url, credentials, list_scope } = &vendor.kind
    else {
        panic!()
    };
    assert_eq!(edgerc.as_deref(), Some(Path::new("/home/oncall/.edgerc")));
    assert_eq!((section.as_str(), *list_scope), ("cases", ListScope::All));
    assert_eq!(base_url.as_ref().unwrap().as_str(), "http://127.0.0.1:8090/");
    assert!(credentials.is_none() && vendor.allow_billable);
    assert_eq!((vendor.rate.burst, vendor.retry.max.as_secs()), (2, 60));
}

#[test]
fn secrets_in_files_lose_their_trailing_line_break_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one"), "first \n").unwrap();
    std::fs::write(folder.path().join("two"), "second").unwrap();
    let text = GOOD.replace(
        "auth: { bearer: [\"${TOKEN}\"] }",
        "auth: { bearer_files: [one, two], basic: [{ user: am, password_file: two }], \
         header: { name: X-Token, values_files: one } }",
    );
    let checked = check_in(folder.path(), &text);
    let config = checked.config.unwrap();
    let SourceKind::Alertmanager { auth } = &config.sources[0].kind else { panic!() };
    let bearer: Vec<&str> = auth.bearer.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(bearer, ["first ", "second"]);
    assert_eq!(auth.basic[0].1.expose_secret(), "second");
    assert_eq!(auth.header.as_ref().unwrap().1[0].expose_secret(), "first ");
}

#[test]
fn a_missing_file_says_what_to_do() {
    let (config, diagnostics) = Config::load(Path::new("no/such/casewright.yaml"), &env);
    assert!(config.is_none());
    insta::assert_snapshot!(diagnostics.render(false), @r"
    error: there is no file `no/such/casewright.yaml`
    --> no/such/casewright.yaml
     = help: name the configuration with `--config FILE` or in the variable CASEWRIGHT_CONFIG; a relative path counts from the current folder
    ");
}

#[test]
fn all_mistakes_are_found_at_once() {
    insta::assert_snapshot!(mistakes("\
server:
  listen: localhost:8080
  admin_listen: 0.0.0.0:8081
  header_timeout: 5 seconds
  max_conections: 10
store:
  postgres: postgres://casewright:hunter2@db/casewright
rules: rules/*.yaml
sources:
  - name: Alert Manager
    kind: alertmanager
    auth: {}
  - name: pagerduty
    kind: pagerdutty
    secrets: [hunter2]
vendors:
  - name: akamai
    kind: akamai
    base_url: http://example.com
    timeout: 5m
    retry: { initial: 1h, max: 30 }
limits: { cases: 0, overflow: roll }
"), @r#"
    error: `localhost:8080` is not an address to listen on
     --> casewright.yaml:2:11
      |
    2 |   listen: localhost:8080
      |           ^^^^^^^^^^^^^^
      |
      = help: an IP address is needed: `127.0.0.1:8080`

    error: the admin listener speaks no TLS and shows metrics to everybody, so it stays on this machine unless you say otherwise
     --> casewright.yaml:3:17
      |
    3 |   admin_listen: 0.0.0.0:8081
      |                 ^^^^^^^^^^^^
      |
      = help: listen on `127.0.0.1:8081` and put a proxy with TLS in front of it; or, where something else encrypts or the network is yours alone, add `admin_without_tls: true`

    error: `server.header_timeout` is not a duration: it has a blank in it
     --> casewright.yaml:4:19
      |
    4 |   header_timeout: 5 seconds
      |                   ^^^^^^^^^
      |
      = help: write `5s`

    error: there is no key `max_conections` in `server`
     --> casewright.yaml:5:3
      |
    5 |   max_conections: **
      |   ^^^^^^^^^^^^^^ unknown key
      |
      = help: did you mean `max_connections`? known here: listen, admin_listen, max_connections, header_timeout, body_timeout, reload_on_change, admin_without_tls, admin_tokens, trusted_proxy, console

    error: PostgreSQL is not supported by this version
     --> casewright.yaml:7:3
      |
    7 |   postgres: *******************************************
      |   ^^^^^^^^
      |
      = help: use `sqlite: casewright.db`

    error: `Alert Manager` cannot be a name
      --> casewright.yaml:10:11
       |
    10 |   - name: Alert Manager
       |           ^^^^^^^^^^^^^
       |
       = help: use lower-case letters, digits, `-` and `_`; start with a letter or digit; at most 64 characters

    error: `auth` has no credential
      --> casewright.yaml:12:5
       |
    12 |     auth: {}
       |     ^^^^
       |
       = help: add `bearer: ["${ALERTMANAGER_TOKEN}"]`, or `basic`, or `header`: whoever can post alerts can open cases

    error: `sources[1].kind` cannot be `pagerdutty`
      --> casewright.yaml:14:11
       |
    14 |     kind: pagerdutty
       |           ^^^^^^^^^^
       |
       = help: did you mean `pagerduty`? one of: alertmanager, pagerduty

    error: plain http is accepted only for a loopback address
      --> casewright.yaml:19:15
       |
    19 |     base_url: http://example.com
       |               ^^^^^^^^^^^^^^^^^^
       |
       = help: use `https://`

    error: `vendors[0].timeout` is out of range
      --> casewright.yaml:20:14
       |
    20 |     timeout: 5m
       |              ^^
       |
       = help: between 1s and 2m

    error: `vendors[0].retry.max` is not a duration: `30` has no unit
      --> casewright.yaml:21:32
       |
    21 |     retry: { initial: 1h, max: 30 }
       |                                ^^
       |
       = help: for seconds, write `30s`

    error: `limits` needs `per`
      --> casewright.yaml:22:1
       |
    22 | limits: { cases: 0, overflow: roll }
       | ^^^^^^ `per` is missing
       |
       = help: add `per: ...`

    error: `limits.cases` is out of range
      --> casewright.yaml:22:18
       |
    22 | limits: { cases: 0, overflow: roll }
       |                  ^
       |
       = help: between 1 and 10000

    error: `limits.overflow` cannot be `roll`
      --> casewright.yaml:22:31
       |
    22 | limits: { cases: 0, overflow: roll }
       |                               ^^^^
       |
       = help: one of: hold, rollup
    "#);
}

/// [`GOOD`], with its PagerDuty source told and a webhook.
fn telling(tell: &str, notify: &str) -> String {
    let secrets = "    secrets: [\"${PAGERDUTY_SECRET:-demo-secret}\"]\n";
    assert!(GOOD.contains(secrets));
    let told = GOOD.replace(secrets, &format!("{secrets}    tell: {tell}\n"));
    format!("{told}notify:\n  - {notify}\n")
}

#[test]
fn who_is_told_is_read_and_by_default_nobody_is() {
    assert!(good(GOOD).told().is_empty());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hook"), "https://hooks.example.com/T0/sesame\n").unwrap();
    let text = telling(
        "{ api_token: sesame, from: noc@example.com, custom_field: vendor_case }",
        "{ name: chat, kind: webhook, url_file: hook, on: closed }",
    );
    let checked = check_in(folder.path(), &text);
    assert!(checked.diagnostics.is_empty(), "{}", checked.diagnostics.render(false));
    let config = checked.config.unwrap();
    let lanes: Vec<String> = config.told().iter().map(|(lane, _)| lane.to_string()).collect();
    assert_eq!(lanes, ["source:pagerduty", "notify:chat"]);
    let tell = config.sources[1].tell().unwrap();
    assert_eq!(tell.base_url.as_str(), "https://api.pagerduty.com/");
    let told = &checked.rules.tell;
    assert!(told.sources[&"pagerduty".into()].field);
    assert_eq!(told.webhooks["chat"].len(), 1);
    assert!(!format!("{config:?}").contains("sesame"));
}

#[test]
fn who_cannot_be_told_is_told_of() {
    insta::assert_snapshot!(
        mistakes(&telling(
            "{ api_token: sesame, from: noc, base_url: 'http://pd.example.com', custom_field: a-b }",
            "{ name: chat, kind: webhook, url: 'http://hooks.example.com/sesame', on: [open] }",
        )) + &mistakes(&telling(
            "{ from: noc@example.com }",
            "{ name: chat, kind: slack, url: 'https://u:sesame@hooks.example.com' }",
        )) + &mistakes(&telling(
            "yes",
            "{ name: chat, kind: webhook, url: 'https://u:sesame@hooks.example.com', on: [] }\n  - { name: chat, kind: webhook }",
        ))
    );
}

#[test]
fn bad_yaml_is_one_located_error() {
    insta::assert_snapshot!(mistakes("server:\n  listen: [127.0.0.1:8080\nstore: x\n"), @r#"
    error: this is not YAML: illegal placement of ':' indicator
     --> casewright.yaml:3:6
      |
    3 | store: *
      |      ^
    "#);
    insta::assert_snapshot!(mistakes("server:\n\tlisten: 127.0.0.1:8080\n"), @r#"
    error: this is not YAML: a tab stands in the indentation
     --> casewright.yaml:2:1
      |
    2 |     listen: ***.*.*.*:****
      | ^^^^
      |
      = help: indent with spaces, two for each level
    "#);
    insta::assert_snapshot!(mistakes("a: &x 1\n"), @r#"
    error: YAML anchors are not supported here
     --> casewright.yaml:1:4
      |
    1 | a: &* *
      |    ^
      |
      = help: write the value out in full
    "#);
    insta::assert_snapshot!(mistakes("a: 1\n---\nb: 2\n"), @r#"
    error: this file has more than one YAML document
     --> casewright.yaml:3:1
      |
    3 | b: *
      | ^
      |
      = help: put what follows `---` into a file of its own
    "#);
    insta::assert_snapshot!(mistakes("- a\n"), @r#"
    error: this file must be a map of `key: value` lines
     --> casewright.yaml:1:1
      |
    1 | - *
      | ^
    "#);
}

#[test]
fn bad_yaml_does_not_show_secrets() {
    insta::assert_snapshot!(mistakes("credentials:\n  client_secret: \"hunter2\n"), @r#"
    error: this is not YAML: unclosed quote
     --> casewright.yaml:2:18
      |
    2 |   ************** ********
      |                  ^
      |
      = help: it is opened here and never closed
    "#);
}

#[test]
fn an_empty_file_lacks_everything() {
    insta::assert_snapshot!(mistakes("# nothing yet\n"), @r#"
    error: this file needs `store`
     --> casewright.yaml:1:1
      |
    1 | # nothing yet
      | ^
      |
      = help: add `store: { sqlite: casewright.db }`

    error: this file needs `rules`
     --> casewright.yaml:1:1
      |
    1 | # nothing yet
      | ^
      |
      = help: name the rule files, such as `rules: [rules/*.yaml]`

    error: this file needs `sources`
     --> casewright.yaml:1:1
      |
    1 | # nothing yet
      | ^

    error: this file needs `vendors`
     --> casewright.yaml:1:1
      |
    1 | # nothing yet
      | ^
    "#);
}

#[test]
fn duplicate_keys_are_refused() {
    insta::assert_snapshot!(changed("  sqlite:", "  sqlite: other.db\n  sqlite:"), @r#"
    error: the key `sqlite` stands here twice
     --> casewright.yaml:6:3
      |
    6 |   sqlite: *********************
      |   ^^^^^^ the second time
      |
      = help: the first is in line 5: keep one of them
    "#);
}

#[test]
fn unknown_keys_are_refused_and_their_values_masked() {
    insta::assert_snapshot!(
        changed("auth: { bearer:", "auth: { baerer: [hunter2], bearer:"),
        @r#"
    error: there is no key `baerer` in `sources[0].auth`
      --> casewright.yaml:11:13
       |
    11 |     auth: { baerer: [*******], bearer: [**********] }
       |             ^^^^^^ unknown key
       |
       = help: did you mean `bearer`? known here: bearer, bearer_files, basic, header
    "#
    );
    insta::assert_snapshot!(changed("store:", "api_key: hunter2 # or hunter3\nstore:"), @r#"
    error: there is no key `api_key` in this file
     --> casewright.yaml:4:1
      |
    4 | api_key: ******* * ** *******
      | ^^^^^^^ unknown key
      |
      = help: known here: server, external_url, store, rules, templates, sources, vendors, limits, mute, notify, redact, fetch
    "#);
}

#[test]
fn a_variable_that_is_not_set_is_located() {
    insta::assert_snapshot!(changed("[\"${TOKEN}\"]", "[\"${TOKEN}\", \"${TOKNE}\"]"), @r#"
    error: the environment variable `TOKNE` is not set
      --> casewright.yaml:11:34
       |
    11 |     auth: { bearer: [**********, **********] }
       |                                  ^^^^^^^^^^
       |
       = help: set it, or give a default: `${TOKNE:-default}`
    "#);
    insta::assert_snapshot!(changed("../templates", "${templates dir}"), @r#"
    error: this is not a reference to an environment variable
     --> casewright.yaml:7:12
      |
    7 | templates: ${templates dir}
      |            ^^^^^^^^^^^^^^^^
      |
      = help: write `${NAME}` or `${NAME:-default}`; for the characters themselves, `$${`
    "#);
}

#[test]
fn what_a_variable_holds_is_never_shown() {
    let text = changed("kind: sandbox", "kind: ${TOKEN}");
    assert!(!text.contains("token-from-env"), "{text}");
    insta::assert_snapshot!(text, @r#"
    error: `vendors[0].kind` cannot be this value
      --> casewright.yaml:17:11
       |
    17 |     kind: ${TOKEN}
       |           ^^^^^^^^
       |
       = help: one of: sandbox, akamai, http
    "#);
}

#[test]
fn a_wrong_type_tells_what_is_wanted() {
    insta::assert_snapshot!(changed("name: akamai", "name: 123"), @r#"
    error: `vendors[0].name` must be a text, not a number
      --> casewright.yaml:16:11
       |
    16 |   - name: 123
       |           ^^^ this is a number
       |
       = help: put it in quotes: `name: "123"`
    "#);
    insta::assert_snapshot!(changed("server:\n", "server:\n  max_connections: \"10\"\n"), @r#"
    error: `server.max_connections` must be a whole number, not a text
     --> casewright.yaml:2:20
      |
    2 |   max_connections: "10"
      |                    ^^^^ this is a text
      |
      = help: remove the quotes
    "#);
    insta::assert_snapshot!(changed("\n  - name: akamai\n    kind: sandbox", " akamai"), @r#"
    error: `vendors` must be a list, not a text
      --> casewright.yaml:15:10
       |
    15 | vendors: ******
       |          ^^^^^^ this is a text
       |
       = help: for a list of one, write `[akamai]`
    "#);
    insta::assert_snapshot!(changed("  sqlite: ../data/casewright.db", "  sqlite:"), @r#"
    error: `store` needs `sqlite`
     --> casewright.yaml:5:3
      |
    5 |   sqlite:
      |   ^^^^^^ has no value
      |
      = help: add `sqlite: ...`
    "#);
}

#[test]
fn secrets_are_checked_and_never_shown() {
    insta::assert_snapshot!(changed("\"${TOKEN}\"", "\"${EMPTY}\", hunter2"), @r#"
    error: the secret `sources[0].auth.bearer[0]` is empty
      --> casewright.yaml:11:22
       |
    11 |     auth: { bearer: [**********, *******] }
       |                      ^^^^^^^^^^
       |
       = help: check the environment variable
    "#);
    insta::assert_snapshot!(changed("[\"${TOKEN}\"]", "hunter2, basic: [{ user: x }]"), @r#"
    error: `sources[0].auth.basic[0]` needs `password` or `password_file`
      --> casewright.yaml:11:40
       |
    11 |     auth: { bearer: *******, basic: [{ user: * }] }
       |                                        ^^^^
    "#);
    insta::assert_snapshot!(changed("bearer: [\"${TOKEN}\"]", "bearer: []"), @r#"
    error: `sources[0].auth.bearer` is an empty list
      --> casewright.yaml:11:13
       |
    11 |     auth: { bearer: [] }
       |             ^^^^^^
    "#);
    insta::assert_snapshot!(changed("bearer: [\"${TOKEN}\"]", "bearer: 12345"), @r#"
    error: `sources[0].auth.bearer` must be a text, not a number
      --> casewright.yaml:11:21
       |
    11 |     auth: { bearer: ***** }
       |                     ^^^^^ this is a number
       |
       = help: put it in quotes
    "#);
    insta::assert_snapshot!(
        changed("bearer: [\"${TOKEN}\"]", "bearer_files: [no-such-file]"),
        @r#"
    error: the file of secrets `no-such-file` cannot be read: No such file or directory (os error 2)
      --> casewright.yaml:11:28
       |
    11 |     auth: { bearer_files: [************] }
       |                            ^^^^^^^^^^^^
       |
       = help: check that it exists and that this user may read it
    "#
    );
}

#[test]
fn credentials_need_a_host_and_exclude_an_edgerc() {
    insta::assert_snapshot!(
        changed(
            "kind: sandbox",
            "kind: akamai\n    edgerc: ~/.edgerc\n    credentials: { client_token: a, \
             client_secret: hunter2, client_secret_file: x }",
        ),
        @r#"
    error: `vendors[0].credentials` needs `access_token` or `access_token_file`
      --> casewright.yaml:19:5
       |
    19 |     credentials: { client_token: *, client_secret: *******, client_secret_file: * }
       |     ^^^^^^^^^^^

    error: `credentials` and `edgerc` exclude each other
      --> casewright.yaml:19:5
       |
    19 |     credentials: { client_token: *, client_secret: *******, client_secret_file: * }
       |     ^^^^^^^^^^^
       |
       = help: keep one of them

    error: `credentials` needs `base_url`
      --> casewright.yaml:19:5
       |
    19 |     credentials: { client_token: *, client_secret: *******, client_secret_file: * }
       |     ^^^^^^^^^^^
       |
       = help: add the host of the API client: `base_url: https://akab-….luna.akamaiapis.net`

    error: `client_secret` and `client_secret_file` exclude each other
      --> casewright.yaml:19:61
       |
    19 |     credentials: { client_token: *, client_secret: *******, client_secret_file: * }
       |                                                             ^^^^^^^^^^^^^^^^^^
       |
       = help: keep one of them
    "#
    );
}

#[test]
fn a_password_in_an_address_is_refused_and_masked() {
    insta::assert_snapshot!(
        changed("kind: sandbox", "kind: akamai\n    base_url: https://me:hunter2@example.com"),
        @r#"
    error: `vendors[0].base_url` must not hold a user or a password
      --> casewright.yaml:18:15
       |
    18 |     base_url: ******************************
       |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: remove what stands before the `@`
    "#
    );
}

#[test]
fn names_are_unique() {
    insta::assert_snapshot!(changed("name: pagerduty", "name: alertmanager"), @r#"
    error: the name `alertmanager` stands in `sources` twice
      --> casewright.yaml:12:11
       |
    12 |   - name: alertmanager
       |           ^^^^^^^^^^^^
       |
       = help: the first is in line 9: give this one another name
    "#);
}

#[test]
fn rule_files_must_exist() {
    insta::assert_snapshot!(
        changed("[rules/*.yaml]", "[rules/edge.yaml, missing.yaml, none/*.yaml, 'a[']"),
        @r#"
    error: no file matches `missing.yaml`
     --> casewright.yaml:6:26
      |
    6 | rules: [rules/edge.yaml, missing.yaml, none/*.yaml, 'a[']
      |                          ^^^^^^^^^^^^
      |
      = help: paths are relative to the folder of this file

    warning: no file matches `none/*.yaml`
     --> casewright.yaml:6:40
      |
    6 | rules: [rules/edge.yaml, missing.yaml, none/*.yaml, 'a[']
      |                                        ^^^^^^^^^^^
      |
      = help: no rule comes from here

    error: `a[` is not a pattern: invalid range pattern
     --> casewright.yaml:6:53
      |
    6 | rules: [rules/edge.yaml, missing.yaml, none/*.yaml, 'a[']
      |                                                     ^^^^
    "#
    );
}

#[test]
fn limits_hold_at_both_edges() {
    for (value, fits) in [("1s", true), ("999ms", false), ("120s", true), ("121s", false)] {
        let text = GOOD.replace("kind: sandbox", &format!("kind: sandbox\n    timeout: {value}"));
        assert_eq!(check(&text).config.is_some(), fits, "{value}");
    }
}

#[test]
fn a_warning_leaves_the_config_usable() {
    let checked = check(&GOOD.replace("rules: [", "rules: [nothing-*.yaml, "));
    assert_eq!(checked.diagnostics.summary(), "0 errors, 1 warning");
    assert!(checked.config.is_some());
}

#[test]
fn scripts_get_places_as_numbers() {
    let checked = check(&GOOD.replace("kind: sandbox", "kind: sandboxx"));
    let mut json = checked.diagnostics.to_json();
    json[0]["file"] = "casewright.yaml".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    [
      {
        "code": "value",
        "column": 11,
        "end": {
          "column": 19,
          "line": 17
        },
        "file": "casewright.yaml",
        "hint": "did you mean `sandbox`? one of: sandbox, akamai, http",
        "label": null,
        "line": 17,
        "message": "`vendors[0].kind` cannot be `sandboxx`",
        "severity": "error"
      }
    ]
    "#);
}

#[test]
fn no_secret_gets_into_any_message() {
    let places = [
        "sources: [{ name: a, kind: alertmanager, auth: hunter2 }]",
        "sources: [{ name: a, kind: alertmanager, auth: [hunter2] }]",
        "sources: [{ name: a, kind: alertmanager, auth: { bearer: { x: hunter2 } } }]",
        "sources: [{ name: a, kind: alertmanager, auth: { basic: [{ usr: hunter2 }] } }]",
        "sources: [{ name: a, kind: alertmanager, auth: { header: { name: 'hunter2 ?' } } }]",
        "sources: [{ name: a, kind: pagerduty, secrets: { x: hunter2 } }]",
        "sources: [{ name: a, kind: nope, secrets: [hunter2], other: hunter2 }]",
        "sources: [{ name: a, kind: nope, secrets: \"hunter2\\u0007\" }]",
        "vendors: [{ name: a, kind: akamai, credentials: { client_token: [hunter2] } }]",
        "vendors: [{ name: a, kind: akamai, credentials: hunter2, base_url: 'x' }]",
        "vendors: [{ name: a, kind: akamai, base_url: 'https://hunter2@x:y' }]",
        "secrets: hunter2\nsecrets: hunter2",
        "store: { postgres: 'postgres://u:hunter2@h/d' }",
        "stor: { postgress: 'postgres://u:hunter2@h/d' }",
        "auth: { bearer: [hunter2",
        "auth:\n  bearer:\n    - \"hunter2\n",
        "password: @hunter2",
        "client_secret_file: ${hunter2",
    ];
    for text in places {
        let text = mistakes(text);
        // The environment's reference has no closing brace: that line is masked, too.
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn nesting_and_size_are_bounded_at_their_edges() {
    let nested = |depth: usize| format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(!mistakes(&nested(yaml::MAX_DEPTH - 1)).contains("not YAML"));
    assert!(!mistakes(&nested(yaml::MAX_DEPTH - 1)).contains("deep"));
    for depth in [yaml::MAX_DEPTH, 10_000] {
        let text = mistakes(&nested(depth));
        assert!(text.contains("nested") || text.contains("not YAML"), "{text}");
    }
    // The map, its key and the list are nodes as well.
    let wide = |nodes: usize| format!("a: [{}]\n", "1,".repeat(nodes - 3));
    assert!(!mistakes(&wide(yaml::MAX_NODES)).contains("more than"));
    assert!(mistakes(&wide(yaml::MAX_NODES + 1)).contains("more than 20000 values"));
}

#[test]
fn a_flood_of_mistakes_is_cut_but_stays_an_error() {
    let text: String = (0..9_000).map(|key| format!("k{key}: 1\n")).collect();
    let checked = check(&text);
    assert_eq!(checked.diagnostics.errors(), super::diagnostic::MOST);
    assert!(checked.config.is_none());
}

#[test]
fn columns_count_characters_after_masks_and_wide_letters() {
    let text = mistakes("sources: [{ kind: x, auth: \"gehe\u{00ef}m\u{1f511}\", nam: 1 }]\n");
    assert!(!text.contains("gehe"), "{text}");
    assert!(text.contains("`sources[0].kind` cannot be `x`"), "{text}");
}

mod whatever_a_file_says {
    use proptest::prelude::*;

    use super::super::document::Document;
    use super::super::source_file::{Holds, SourceFile};
    use super::*;

    fn rendered(text: &str) -> String {
        let file = SourceFile::new("casewright.yaml", text, Holds::Secrets);
        let checked = Config::read(Document::of(file, &env));
        checked.diagnostics.to_json();
        checked.diagnostics.render(true)
    }

    proptest! {
        #[test]
        fn reading_and_showing_it_never_panics(text in "(\\PC|[\n\t:\\[{}\\]\"'#|> -]){0,80}") {
            rendered(&text);
        }

        #[test]
        fn a_slip_never_shows_a_secret(at in 0..GOOD.len(), slip in "[\n :\\[{}\"'#a]{0,2}", cut in 0..3_usize) {
            // What stands behind the two secrets' keys, after any slip of the fingers elsewhere.
            let good = GOOD.replace("${TOKEN}", "hunter2").replace("${PAGERDUTY_SECRET:-demo-secret}", "hunter2");
            let at = at.min(good.len());
            let end = (at + cut).min(good.len());
            let text = format!("{}{slip}{}", &good[..at], &good[end..]);
            let shown = rendered(&text);
            prop_assert!(!shown.contains("hunter2"), "{}\n{}", text, shown);
        }
    }
}

/// What is wrong with more lines of `server`, each message in a line.
fn of_the_server(lines: &str) -> Vec<String> {
    let found = check(&GOOD.replace("server:\n", &format!("server:\n  {lines}\n"))).diagnostics;
    found.sorted().iter().map(|found| found.message.clone()).collect()
}

#[test]
fn an_admin_token_needs_a_name_of_its_own_and_must_not_be_guessable() {
    let tokens = |tokens: &str| of_the_server(&format!("admin_tokens: [{tokens}]"));
    let digest = "ab".repeat(32);
    assert_eq!(tokens("{ name: ops, role: admin, token: 0123456789abcdef }"), [""; 0]);
    assert_eq!(tokens(&format!("{{ name: a, role: viewer, token_sha256: {digest} }}")), [""; 0]);
    for (wrong, told) in [
        (
            "{ name: ops, role: admin, token: 0123456789abcde }",
            "the token is shorter than 16 characters",
        ),
        ("{ name: local, role: admin, token: 0123456789abcdef }", "the name `local` is taken"),
        ("{ name: Ops!, role: admin, token: 0123456789abcdef }", "this value cannot be a name"),
        (
            "{ name: ops, role: admin }",
            "`server.admin_tokens[0]` needs `token`, `token_file` or `token_sha256`",
        ),
        ("{ name: ops, token: 0123456789abcdef }", "`server.admin_tokens[0]` needs `role`"),
        (
            "{ name: ops, role: root, token: 0123456789abcdef }",
            "`server.admin_tokens[0].role` cannot be this value",
        ),
        (
            "{ name: ops, role: admin, token_sha256: 0123456789abcdef }",
            "`token_sha256` is not a SHA-256 digest",
        ),
        (
            "{ name: a, role: admin, token: 0123456789abcdef }, \
             { name: a, role: admin, token: 0123456789abcdeg }",
            "the name `a` is taken",
        ),
        (
            "{ name: a, role: admin, token: 0123456789abcdef }, \
             { name: b, role: viewer, token: 0123456789abcdef }",
            "this is the token of `a` as well",
        ),
    ] {
        assert_eq!(tokens(wrong), [told], "{wrong}");
    }
    let both =
        format!("{{ name: a, role: admin, token: 0123456789abcdef, token_sha256: {digest} }}");
    assert_eq!(tokens(&both), ["`token_sha256` stands beside the token itself"]);
}

#[test]
fn the_admin_listener_leaves_this_machine_only_if_somebody_says_so_and_somebody_can_be_let_in() {
    let listening = |at: &str, more: &str| {
        let text = GOOD.replace("admin_listen: 127.0.0.1:8081", &format!("admin_listen: '{at}'"));
        let found = check(&text.replace("server:\n", &format!("server:\n  {more}\n"))).diagnostics;
        found.sorted().iter().map(|found| found.message.clone()).collect::<Vec<_>>()
    };
    let token = "admin_tokens: [{ name: ops, role: admin, token: 0123456789abcdef }]";
    let proxy = "trusted_proxy: { from: 10.0.0.5 }";
    let said = "admin_without_tls: true";
    for here in ["127.0.0.1:8081", "127.8.8.8:8081", "[::1]:8081"] {
        assert_eq!(listening(here, "header_timeout: 5s"), [""; 0], "{here}");
    }
    for away in ["0.0.0.0:8081", "[::]:8081", "192.0.2.1:8081"] {
        for unsaid in ["header_timeout: 5s", token, "admin_without_tls: false"] {
            let told = listening(away, unsaid);
            assert!(told.len() == 1 && told[0].contains("speaks no TLS"), "{away}: {told:?}");
        }
        let told = listening(away, said);
        assert_eq!(told, ["nobody from another machine could be let in at this address"]);
        for somebody in [token, proxy] {
            let both = format!("{said}\n  {somebody}");
            assert_eq!(listening(away, &both), [""; 0], "{away} {somebody}");
        }
    }
}

#[test]
fn a_proxy_is_trusted_by_its_addresses_and_never_by_all_of_them() {
    let text = GOOD.replace(
        "server:\n",
        "server:\n  trusted_proxy: { from: [10.0.0.5, 'fd00::/8'], roles: { Kim@x: operator } }\n",
    );
    let config = good(&text);
    let proxy = config.access.proxy.unwrap();
    assert_eq!(proxy.from.len(), 2);
    assert_eq!(proxy.user_header, "x-forwarded-user");
    assert_eq!(proxy.role.name(), "viewer");
    assert_eq!(proxy.roles["Kim@x"].name(), "operator");
    let told = |proxy: &str| of_the_server(&format!("trusted_proxy: {{ {proxy} }}"));
    for (wrong, words) in [
        ("role: viewer", "`server.trusted_proxy` needs `from`"),
        ("from: []", "`server.trusted_proxy.from` is an empty list"),
        ("from: 0.0.0.0/0", "this trusts everybody"),
        ("from: '::/0'", "this trusts everybody"),
        (
            "from: 10.0.0.5/8",
            "`10.0.0.5/8` is not a block of addresses: the block is written 10.0.0.0/8",
        ),
        (
            "from: proxy.example.com",
            "`proxy.example.com` is not a block of addresses: it is neither an address nor a block of addresses",
        ),
        ("from: 10.0.0.5, user_header: Cookie", "this cannot be the header that names the user"),
        ("from: 10.0.0.5, user_header: 'X User'", "this cannot be the header that names the user"),
        (
            "from: 10.0.0.5, roles: { kim: root }",
            "`server.trusted_proxy.roles.kim` cannot be `root`",
        ),
    ] {
        assert_eq!(told(wrong), [words], "{wrong}");
    }
}

#[test]
fn how_long_browsers_stay_in_has_bounds() {
    let console = |text: &str| of_the_server(&format!("console: {{ {text} }}"));
    for good in ["session: 1m, session_idle: 1m", "session: 30d, session_idle: 30d"] {
        assert_eq!(console(good), [""; 0], "{good}");
    }
    for (wrong, key) in [
        ("session: 59s", "session"),
        ("session: 721h", "session"),
        ("session_idle: 59s", "session_idle"),
    ] {
        assert_eq!(console(wrong), [format!("`server.console.{key}` is out of range")], "{wrong}");
    }
}

#[test]
fn maintenance_windows_of_all_rules_are_read() {
    let config = good(&format!(
        "{GOOD}\nmute:\n  - {{ days: sat-sun, from: '22:00', to: '04:00', time_zone: Europe/Berlin }}\n"
    ));
    let shown = config.mute.as_ref().map(ToString::to_string);
    assert_eq!(shown.as_deref(), Some("sat,sun 22:00-04:00 Europe/Berlin"));
    assert_eq!(good(GOOD).mute, None);
    let wrong = mistakes(&format!("{GOOD}\nmute: [{{ from: '22:00', to: '24:60' }}]\n"));
    assert!(wrong.contains("`mute[0].to` is not a time of day: `24:60`"), "{wrong}");
}

/// What is wrong with more keys of the vendor, each message in a line.
fn of_the_vendor(more: &str) -> Vec<String> {
    let checked = check(&format!("{GOOD}    {more}\n"));
    checked.diagnostics.sorted().into_iter().map(|one| one.message.clone()).collect()
}

#[test]
fn what_a_vendor_says_of_its_catalog_is_read() {
    let config = good(&format!(
        "{GOOD}    catalog: {{ refresh: 30m }}\n    severity_policy: exact\n    \
         fallback: {{ product: Ion Premier, problem: Alerts }}\n"
    ));
    let vendor = &config.vendors[0];
    assert_eq!(vendor.catalog_refresh.as_secs(), 30 * 60);
    assert_eq!(vendor.severity_policy.name(), "exact");
    let fallback = vendor.fallback.as_ref().unwrap();
    assert_eq!(fallback.to_string(), "TECHNICAL, product \"Ion Premier\", problem \"Alerts\"");
    let plain = good(GOOD);
    assert_eq!(plain.vendors[0].catalog_refresh.as_secs(), 6 * 60 * 60);
    assert!(plain.vendors[0].fallback.is_none());
    assert_eq!(of_the_vendor("catalog: { refresh: 1m }"), [""; 0]);
    assert_eq!(of_the_vendor("catalog: { refresh: 7d }"), [""; 0]);
    for beyond in ["59s", "7d1s"] {
        let wrong = of_the_vendor(&format!("catalog: {{ refresh: {beyond} }}"));
        assert!(wrong[0].contains("out of range"), "{wrong:?}");
    }
}

#[test]
fn how_often_a_vendor_is_watched_is_read() {
    let watch = |text: &str| {
        let watch = good(&format!("{GOOD}    watch: {text}\n")).vendors[0].watch;
        watch.map(|watch| (watch.fastest.as_secs(), watch.slowest.as_secs()))
    };
    assert_eq!(good(GOOD).vendors[0].watch, Some(Watch::default()));
    assert_eq!(watch("off"), None);
    assert_eq!(watch("{}"), Some((60, 900)));
    assert_eq!(watch("{ fastest: 5m, slowest: 5m }"), Some((300, 300)));
    // What is left out goes with what is said.
    assert_eq!(watch("{ fastest: 30m }"), Some((1_800, 1_800)));
    assert_eq!(watch("{ slowest: 30s }"), Some((30, 30)));
    for (wrong, why) in [
        ("{ fastest: 10m, slowest: 5m }", "`watch.fastest` is longer than `watch.slowest`"),
        ("{ fastest: 99ms }", "out of range"),
        ("{ slowest: 1d1s }", "out of range"),
        ("{ interval: 5m }", "there is no key"),
        ("5m", "must be"),
    ] {
        let said = of_the_vendor(&format!("watch: {wrong}"));
        assert!(said[0].contains(why), "{wrong}: {said:?}");
    }
}

#[test]
fn a_fallback_is_a_whole_place_that_a_machine_may_open() {
    for (fallback, wrong) in [
        ("{ product: p }", "the category TECHNICAL needs `problem`"),
        ("{ product: p, problem: q, area: a }", "the category TECHNICAL has no `area`"),
        ("{ category: BILLING, area: a }", "the category BILLING needs `service`"),
        (
            "{ category: PROFESSIONAL_SERVICES, solution: s, package: p }",
            "the vendor bills cases of the category PROFESSIONAL_SERVICES",
        ),
        (
            "{ product: '{{labels.product}}', problem: q }",
            "`product` of a fallback is a name as the vendor offers it",
        ),
    ] {
        assert_eq!(of_the_vendor(&format!("fallback: {fallback}")), [wrong], "{fallback}");
    }
    for right in [
        "fallback: { category: SECURITY, policy_domain: d, product: p, problem: q }",
        "fallback: { category: BILLING, area: a, service: s, parent_account: A-1 }",
        "allow_billable: true\n    fallback: { category: PROFESSIONAL_SERVICES, solution: s, package: p }",
    ] {
        assert_eq!(of_the_vendor(right), [""; 0], "{right}");
    }
}

#[test]
fn hosts_to_fetch_from_are_read_and_their_mistakes_are_told() {
    let told = |fetch: &str| {
        let text = format!("{GOOD}fetch: {fetch}\n");
        let diagnostics = check(&text).diagnostics;
        diagnostics.sorted().into_iter().map(|one| one.message.clone()).collect::<Vec<_>>()
    };
    let config = good(&format!(
        "{GOOD}fetch: {{ max_mib: 20, allow: [{{ host: a.example.com }}, {{ host: '10.0.0.1', scheme: http, private: true, bearer: x }}] }}\n"
    ));
    let ports: Vec<u16> = config.fetch.hosts.iter().map(|host| host.port).collect();
    assert_eq!((ports, config.fetch.max_bytes), (vec![443, 80], 20 << 20));
    for (fetch, wrong) in [
        ("{ allow: [{ host: 'https://a.example.com' }] }", "this is not the name of a host"),
        ("{ allow: [{ host: '*.example.com' }] }", "this is not the name of a host"),
        ("{ allow: [{ host: A.example.com }] }", "this is not the name of a host"),
        ("{ allow: [{ host: 'a.example.com:443' }] }", "this is not the name of a host"),
        ("{ allow: [{ host: 127.0.0.1 }] }", "nothing is fetched from this address"),
        (
            "{ allow: [{ host: 169.254.169.254, private: true }] }",
            "nothing is fetched from this address",
        ),
        (
            "{ allow: [{ host: a, scheme: http }] }",
            "plain http is accepted only within a private network",
        ),
        ("{ max_mib: 21 }", "`fetch.max_mib` is out of range"),
    ] {
        assert_eq!(told(fetch), [wrong], "{fetch}");
    }
}

#[test]
fn where_people_find_things_is_read_and_what_no_browser_opens_is_refused() {
    let text =
        GOOD.replacen("kind: sandbox", "kind: sandbox\n    case_url: https://d.example/{case}", 1);
    let links = good(&format!("external_url: https://cw.example:8443/\n{text}")).links();
    assert_eq!(links.console.as_deref(), Some("https://cw.example:8443"));
    assert_eq!(links.cases.len(), 1);
    let wrong = |url: &str| mistakes(&format!("external_url: {url}\n{GOOD}"));
    let of_the_console = wrong("https://cw.example/casewright") + "\n" + &wrong("ftp://cw.example");
    let wrong =
        |url: &str| changed("kind: sandbox", &format!("kind: sandbox\n    case_url: {url}"));
    let of_a_case = wrong("https://d.example/") + "\n" + &wrong("'javascript:{case}'");
    insta::assert_snapshot!(of_the_console + "\n" + &of_a_case);
}
