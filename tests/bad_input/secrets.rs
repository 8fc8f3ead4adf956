//! Canaries in every place where a secret can stand, and a look at every place where one could
//! come out again.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::house::{Files, SECRET, Served, TOKEN, firing, payload, sign};

const PASSWORD: &str = "canary-password-77aa";
const HEADER: &str = "canary-header-19dc";
const FROM_FILE: &str = "canary-from-file-e5b1";
const CLIENT: [&str; 3] =
    ["akab-canary-client-token-01", "canary-client-secret-02", "akab-canary-access-token-03"];
const HOOK: &str = "canary-hook-5e21";
const API: &str = "canary-api-token-8c17";
/// What a stranger presents; it is not shown either, because it is often an old secret.
const WRONG: &str = "canary-presented-4d40";

fn canaries() -> Vec<&'static str> {
    let mut all = vec![TOKEN, SECRET, PASSWORD, HEADER, FROM_FILE, WRONG, HOOK, API];
    all.extend(CLIENT);
    all
}

#[track_caller]
fn shows_none(place: &str, text: &str) {
    for canary in canaries() {
        assert!(!text.contains(canary), "{canary} in {place}: {text}");
    }
}

fn armed() -> Files {
    let files = Files::good();
    files.change(
        "bearer: ['${TEST_BEARER}']",
        &format!(
            "bearer: ['${{TEST_BEARER}}'], bearer_files: [token], \
             basic: [{{ user: am, password: {PASSWORD} }}], \
             header: {{ name: X-Token, values: [{HEADER}] }}"
        ),
    );
    files.change(
        "vendors:",
        &format!(
            "notify: [{{ name: chat, kind: webhook, url: 'http://127.0.0.1:9/{HOOK}', \
             auth: {{ bearer: {API} }} }}]\nvendors:"
        ),
    );
    let path = files.write("token", FROM_FILE);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
    // Nobody listens at port 9: what the vendor's client says about that is looked at too.
    files.change(
        "kind: sandbox",
        &format!(
            "kind: akamai\n    base_url: http://127.0.0.1:9\n    credentials: {{ client_token: {}, \
             client_secret: {}, access_token: {} }}",
            CLIENT[0], CLIENT[1], CLIENT[2]
        ),
    );
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_log_metric_or_stored_byte_shows_a_secret() {
    let files = armed();
    let mut command = files.command("serve");
    command.args(["--log", "trace"]);
    let mut served = Served::start(command);
    let client = reqwest::Client::new();
    let good = payload(&[firing("Quiet", &json!({}))]).to_string();
    let am = format!("{}/webhooks/am", served.webhooks);
    let pd = format!("{}/webhooks/pd", served.webhooks);
    let mut answers = Vec::new();
    for (request, status) in [
        (client.post(&am).bearer_auth(TOKEN).body(good.clone()), 202),
        (client.post(&am).bearer_auth(FROM_FILE).body(good.clone()), 202),
        (client.post(&am).basic_auth("am", Some(PASSWORD)).body(good.clone()), 202),
        (client.post(&am).header("X-Token", HEADER).body(good.clone()), 202),
        (client.post(&am).bearer_auth(TOKEN).body("{oops"), 400),
        (client.post(&am).bearer_auth(WRONG).body(good.clone()), 401),
        (client.post(&am).header("X-Token", WRONG).body(good.clone()), 401),
        (client.put(&am).bearer_auth(TOKEN), 405),
        (client.post(format!("{am}/{WRONG}")).bearer_auth(TOKEN), 404),
        (client.post(&am).bearer_auth(TOKEN).header("content-type", "text/plain"), 415),
        (client.post(&pd).header("x-pagerduty-signature", sign(b"{oops")).body("{oops"), 202),
        (client.post(&pd).header("x-pagerduty-signature", SECRET).body("{}"), 401),
    ] {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status);
        shows_none("an answer's header", &format!("{:?}", response.headers()));
        answers.push(response.text().await.expect("a body"));
    }
    shows_none("the answers", &answers.join("\n"));
    // The catalog cannot be read: the client says why.
    served.wait_for("nothing was sent");
    for page in ["/metrics", "/-/ready", "/-/healthy", "/nowhere"] {
        let response = client.get(format!("{}{page}", served.admin)).send().await.expect("answer");
        shows_none(page, &response.text().await.expect("a body"));
    }
    shows_none("the output", &served.kill());
    for name in ["casewright.db", "casewright.db-wal", "casewright.db-shm", "casewright.db.lock"] {
        let path = files.path(&format!("data/{name}"));
        let bytes = std::fs::read(&path).unwrap_or_default();
        shows_none(name, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn no_mistake_in_a_file_makes_check_show_a_secret() {
    for (from, to) in [
        (format!("password: {PASSWORD}"), format!("pasword: {PASSWORD}")),
        (format!("password: {PASSWORD} "), format!("password: [{PASSWORD}] ")),
        (format!("values: [{HEADER}]"), format!("values: {{ {HEADER}: 1 }}")),
        (format!("client_secret: {}", CLIENT[1]), format!("client_secrets: {}", CLIENT[1])),
        (format!("client_secret: {}", CLIENT[1]), format!("client_secret: 'ä{}'", CLIENT[1])),
        ("name: X-Token".to_owned(), "name: X Token".to_owned()),
        (format!("http://127.0.0.1:9/{HOOK}"), format!("http://example.com/{HOOK}")),
        (format!("http://127.0.0.1:9/{HOOK}"), format!("no address {HOOK}")),
        (format!("url: 'http://127.0.0.1:9/{HOOK}'"), format!("urls: '{HOOK}'")),
        (format!("bearer: {API} }}"), format!("token: {API} }}")),
        (format!("values: [{HEADER}]"), format!("values: [{HEADER}")),
        (format!("password: {PASSWORD}"), format!("password: \"{PASSWORD}")),
    ] {
        let files = armed();
        files.change(&from, &to);
        for output in ["text", "json"] {
            let mut command = files.command("check");
            command.args(["--output", output]);
            let ended = super::house::Ended::of(command);
            assert_eq!(ended.status.code(), Some(1), "{to}: {ended:?}");
            shows_none(&to, &format!("{}{}", ended.stdout, ended.stderr));
        }
        let served = files.run("serve");
        shows_none(&to, &format!("{}{}", served.stdout, served.stderr));
    }
}

/// A pattern that catches the configuration as well has it read as rules, whose lines are shown.
#[test]
fn a_configuration_that_is_taken_for_rules_shows_no_secret_either() {
    let files = Files::good();
    files.write(
        "casewright.yaml",
        format!(
            "store: {{ sqlite: data/casewright.db }}\n\
             rules: ['*.yaml']\n\
             sources: [{{ name: am, kind: alertmanager, auth: {{ bearer: [{TOKEN}], \
             basic: [{{ user: am, password: {PASSWORD} }}], bearre: [{FROM_FILE}], \
             header: {{ name: X, values: [{HEADER}] }} }} }}]\n\
             vendors: [{{ name: akamai, kind: akamai, base_url: 'https://example.com', \
             credentials: {{ client_token: {}, client_secret: {}, access_token: {} }} }}]\n",
            CLIENT[0], CLIENT[1], CLIENT[2]
        ),
    );
    let ended = files.run("check");
    ended.says(&["there is no key `sources`", "there is no key `vendors`"]);
    shows_none("check", &format!("{}{}", ended.stdout, ended.stderr));
}
