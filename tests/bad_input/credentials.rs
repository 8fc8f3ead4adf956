//! An `.edgerc` that cannot be used: told at `check` and at `serve`, before anything else is done.

use std::os::unix::fs::PermissionsExt as _;

use super::house::Files;

const CANARY: &str = "canary-client-secret-3b9d";

fn edgerc(files: &Files, mode: u32, text: &str) {
    let path = files.write("edgerc", text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

fn good() -> String {
    format!(
        "[default]\nhost = akab-test.luna.akamaiapis.net\nclient_token = akab-canary-token\n\
         client_secret = {CANARY}\naccess_token = akab-canary-access\n"
    )
}

fn real_vendor() -> Files {
    let files = Files::good();
    files.change("kind: sandbox", "kind: akamai\n    edgerc: edgerc");
    files
}

#[track_caller]
fn refused(files: &Files, pieces: &[&str]) {
    for command in ["check", "serve"] {
        let ended = files.run(command);
        ended.says(&["vendor `akamai`", "casewright.yaml:"]);
        ended.says(pieces);
        for secret in [CANARY, "akab-canary"] {
            assert!(!ended.stderr.contains(secret), "{ended:?}");
        }
    }
    assert!(!files.path("data").exists(), "nothing is made before the credentials are there");
}

#[test]
fn a_good_one_is_good() {
    let files = real_vendor();
    edgerc(&files, 0o600, &good());
    let ended = files.run("check");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn a_missing_one_is_named() {
    refused(&real_vendor(), &["edgerc", "No such file", "AKAMAI_CLIENT_TOKEN"]);
}

#[test]
fn one_that_others_can_read_is_refused_with_the_remedy() {
    let files = real_vendor();
    for mode in [0o644, 0o640, 0o604] {
        edgerc(&files, mode, &good());
        refused(&files, &["others can read it", &format!("mode {mode:03o}"), "chmod 600"]);
    }
}

#[test]
fn a_missing_or_empty_key_is_named_with_where_to_get_it() {
    let files = real_vendor();
    for key in ["host", "client_token", "client_secret", "access_token"] {
        let without: Vec<_> =
            good().lines().filter(|l| !l.starts_with(key)).map(str::to_owned).collect();
        edgerc(&files, 0o600, &without.join("\n"));
        refused(&files, &[&format!("`{key}`"), "[default]", "Control Center"]);
    }
}

#[test]
fn another_section_is_named_with_those_that_are_there() {
    let files = real_vendor();
    edgerc(&files, 0o600, &good().replace("[default]", "[other]"));
    refused(&files, &["no section [default]", "[other]"]);
}

#[test]
fn a_file_of_something_else_is_refused_without_showing_it() {
    let files = real_vendor();
    for text in [CANARY.to_owned(), format!("[default]\n{CANARY}\n"), String::new()] {
        edgerc(&files, 0o600, &text);
        refused(&files, &["edgerc"]);
    }
    edgerc(&files, 0o600, &"#\n".repeat(100_000));
    refused(&files, &["larger than", "not an .edgerc"]);
    std::fs::remove_file(files.path("edgerc")).expect("removed");
    std::fs::create_dir(files.path("edgerc")).expect("a folder");
    std::fs::set_permissions(files.path("edgerc"), std::fs::Permissions::from_mode(0o700))
        .expect("set");
    refused(&files, &["edgerc", "directory"]);
}
