//! What people see in a terminal, and what they cannot do there by mistake: the command line against a
//! daemon that runs.

use std::io::Write as _;
use std::process::{Command, Stdio};

use casewright::domain::text::{has_no_place, is_hidden};
use serde_json::{Value, json};

use crate::support::alertmanager::{Item, Payload, edge};
use crate::support::house::House;
use crate::support::process::Said;

/// What a stranger can put into a label: it clears the screen, and shows what follows backwards.
const HOSTILE: &str = "shop\u{1b}[2J\u{9b}31m\u{202e}drawkcab\u{200b}\u{feff}";

/// An alert that a person has to approve.
fn asked(property: &str) -> Item {
    Item::firing("Asked").label("property", property).label("severity", "critical")
}

async fn held(house: &House) -> String {
    house.incident_is("held").await.id.to_string()
}

/// Runs exactly these words, in an environment with more in it.
async fn run(words: &[String], variables: &[(&'static str, String)], input: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casewright"));
    command.args(words).envs(variables.iter().cloned()).env_remove("CASEWRIGHT_TOKEN");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // What reads nothing may have ended already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let ran = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
    let output = ran.expect("no panic").expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said {
        ok: output.status.success(),
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The words of a command that is told to a person.
fn told_command(said: &str, begin: &str) -> Vec<String> {
    let line = said.lines().find(|line| line.starts_with(begin));
    let line = line.unwrap_or_else(|| panic!("no {begin}: {said}"));
    line.split(' ').skip(1).map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[tokio::test]
async fn what_a_stranger_wrote_steers_no_terminal_and_is_whole_for_scripts() {
    let house = House::open().await;
    let family = "\u{1f468}\u{200d}\u{1f469}";
    let hostile = format!("{HOSTILE} {family}");
    let item = asked(&hostile).label("zz_novel", &"x".repeat(10_000));
    let delivery = house.hears(item.annotation("summary", HOSTILE)).await.delivery;
    house.hears(Item::firing(HOSTILE).label("property", HOSTILE)).await;
    let incident = house.incident_is("held").await;
    let id = incident.id.to_string();
    let named = |form: &'static [&'static str]| {
        let words: Vec<Vec<&str>> = vec![
            vec!["incidents"],
            vec!["incidents", "show", &id],
            vec!["incidents", "draft", &id],
            vec!["why", "Asked"],
            vec!["why", HOSTILE],
            vec!["deliveries"],
            vec!["deliveries", "show", &delivery],
            vec!["explain", "--delivery", &delivery],
            vec!["actions", "--state", "any"],
            vec!["status"],
            vec!["audit"],
        ];
        words.into_iter().map(move |words| [&words, form].concat())
    };
    for words in named(&[]) {
        let said = house.command(&words).await;
        for text in [&said.stdout, &said.stderr] {
            assert!(
                !text.chars().any(|char| is_hidden(char) || char == '\r'),
                "{words:?}: {text:?}"
            );
        }
        let begin = words.get(..2).unwrap_or(&words);
        let whole =
            matches!(begin, ["incidents", "draft"] | ["deliveries", "show"] | ["explain", _]);
        let longest = said.stdout.lines().map(|line| line.chars().count()).max();
        assert!(whole || longest.is_some_and(|longest| longest < 2_500), "{words:?}: {longest:?}");
        let table = words.len() == 1 || words[1] == "--state";
        assert!(!table || longest.is_some_and(|longest| longest < 900), "{words:?}: {longest:?}");
    }
    let listed = house.command(&["incidents"]).await.done();
    assert!(listed.contains("\\u{1b}[2J\\u{9b}31m\\u{202e}"), "{listed}");
    for form in [&["--output", "json"][..], &["--output", "yaml"]] {
        let form: &'static [&'static str] = form.to_vec().leak();
        for words in named(form).filter(|words| words[0] != "actions") {
            let said = house.command(&words).await.done();
            assert!(!said.chars().any(is_hidden), "{words:?}: {said:?}");
        }
        let said = house.command(&[&["incidents", "show", &id][..], form].concat()).await.done();
        let read: Value = serde_saphyr::from_str(&said).expect("YAML, or JSON, which is YAML");
        assert_eq!(read["labels"]["property"], hostile.as_str(), "{form:?}");
        assert_eq!(read["labels"]["zz_novel"].as_str().map(str::len), Some(10_000));
    }

    // At the vendor's desk nobody reads a text backwards, and emoji are what they were.
    house.command(&["incidents", "approve", &id, "--yes"]).await.done();
    let case = house.only_case().await;
    let (subject, description) = (&case.filed.subject, &case.filed.description);
    assert!(
        subject.starts_with(&format!("shop\\x1b[2J\\x9b31mdrawkcab {family}: asked")),
        "{subject:?}"
    );
    for text in [subject, description] {
        assert!(!text.chars().any(has_no_place), "{text:?}");
        assert!(!text.chars().any(|char| char.is_control() && char != '\n' && char != '\t'));
    }
}

#[tokio::test]
async fn a_command_without_more_is_its_list() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    house.hears(asked("blog")).await;
    house.settled().await;
    house.command(&["mutes", "add", "--all", "--for", "1h", "--reason", "a test"]).await.done();
    for command in ["incidents", "cases", "deliveries", "actions", "mutes", "vendors"] {
        let bare = house.command(&[command]).await.done();
        assert_eq!(bare, house.command(&[command, "list"]).await.done());
        assert!(!bare.contains("there is no such"), "{bare}");
    }
    let narrow = house.command(&["incidents", "--state", "held", "--json"]).await.json();
    assert_eq!(narrow["incidents"].as_array().map(Vec::len), Some(1), "{narrow:#}");

    // What is set for all commands is in the way of none.
    let id = narrow["incidents"][0]["id"].as_str().expect("an id").to_owned();
    let token = house.files.path("casewright.db.token").display().to_string();
    let words = ["incidents", "show", &id, "--token-file", &token].map(str::to_owned);
    let url = format!("http://{}", house.admin());
    let said = run(&words, &[("CASEWRIGHT_URL", url)], "").await.done();
    assert!(said.starts_with(&format!("incident {id}: held")), "{said}");
}

#[tokio::test]
async fn why_leads_to_what_each_rule_says_by_a_command_that_works() {
    let house = House::open().await;
    let unwanted = |host: &str| Item::firing("NobodyWantsIt").label("host", host);
    house.hears(Payload::of([unwanted("a"), unwanted("b")])).await;
    let why = house.command(&["why", "NobodyWantsIt"]).await.done();
    assert_eq!(why.matches("no rule matches").count(), 1, "{why}");
    assert!(why.contains("NobodyWantsIt (firing), 2 alerts: "), "{why}");
    let words = told_command(&why, "casewright explain --delivery ");
    let said = run(&words, &[], "").await.done();
    assert!(said.contains("read as a payload of source alertmanager: 2 alerts"), "{said}");
    assert!(said.contains("no: wants alertname=\"Asked\", and it is \"NobodyWantsIt\""), "{said}");
    assert!(said.ends_with("\nno case\n"), "{said}");
}

#[tokio::test]
async fn a_daemon_explains_a_delivery_by_the_rules_that_it_has_in_force() {
    let house = House::open().await;
    let heard = house.hears(edge("shop")).await;
    let repeat = house.hears(edge("shop")).await;
    let here = Said::about(&["explain", "--delivery", &heard.delivery], &house.files).await.done();
    let there = house.command(&["explain", "--delivery", &heard.delivery]).await.done();
    assert_eq!(here, there);
    let both = ["explain", "--delivery", &heard.delivery, "--output", "json"];
    let here = Said::about(&both, &house.files).await.json();
    assert_eq!(here, house.command(&both).await.json());

    // Files that nobody has reloaded are ours, and not yet the daemon's.
    house.files.edit("rules/10-delivery.yaml", "name: edge-5xx", "name: edge-other");
    let here = Said::about(&both, &house.files).await.json();
    assert_eq!(here["incidents"][0]["rule"], "edge-other");
    let there = house.command(&both).await.json();
    assert_eq!(there["incidents"][0]["rule"], "edge-5xx");

    for (words, complaint) in [
        (vec!["explain", "--delivery", &repeat.delivery], "told nothing new"),
        (vec!["explain", "--delivery", "nobody"], "there is no such delivery"),
        (vec!["explain", "--delivery", &heard.delivery, "--set", "a=b"], "files that are here"),
    ] {
        let said = house.command(&words).await.failed();
        assert!(said.contains(complaint), "{words:?}: {said}");
    }
}

#[tokio::test]
async fn a_case_and_an_incident_are_shown_by_what_a_person_has_of_them() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    let case = house.only_case().await;
    let incident = house.only_incident().await;
    let (id, token) = (incident.id.to_string(), incident.id.marker().token());
    let whole = house.command(&["incidents", "show", &id]).await.done();
    for name in [case.case_id.as_str(), &id, &id[..8], &token] {
        assert_eq!(house.command(&["cases", "show", name]).await.done(), whole, "{name}");
    }
    for name in [&id[..8], &id[..23], &token] {
        assert_eq!(house.command(&["incidents", "show", name]).await.done(), whole, "{name}");
    }
    let action =
        |of: &str| ["actions", "show"].map(str::to_owned).into_iter().chain([format!("{of}/1")]);
    let shown = |words: Vec<String>| {
        let house = &house;
        async move { house.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).await.done() }
    };
    assert_eq!(shown(action(&id[..8]).collect()).await, shown(action(&id).collect()).await);
    for (words, complaint) in [
        (["incidents", "show", &id[..7]], "at least 8 characters of its beginning"),
        (["incidents", "show", "00000000"], "there is no such incident"),
        (["cases", "show", "F-CS-0"], "there is no such case"),
        (["cases", "show", &id[..4]], "at least 8 characters of its beginning"),
    ] {
        let said = house.command(&words).await.failed();
        assert!(said.contains(complaint), "{words:?}: {said}");
    }
}

#[tokio::test]
async fn a_filter_with_a_slip_in_it_is_not_taken_for_an_empty_list() {
    let house = House::open().await;
    house.hears(edge("shop")).await;
    house.only_case().await;
    for (words, told) in [
        (
            ["incidents", "--rule", "edge-5x"],
            "no rule `edge-5x` is in force; did you mean `edge-5xx`?",
        ),
        (["cases", "--rule", "edge-5x"], "did you mean `edge-5xx`?"),
        (["incidents", "--vendor", "akami"], "did you mean `akamai`?"),
        (["cases", "--vendor", "akami"], "there is no vendor `akami`; did you mean `akamai`?"),
        (
            ["cases", "--status", "in-progres"],
            "no status that is known; did you mean `in_progress`?",
        ),
        (["deliveries", "--source", "alertmanger"], "did you mean `alertmanager`?"),
    ] {
        let said = house.command(&words).await;
        assert!(said.ok && said.stdout.starts_with("there is no such"), "{words:?}: {said:?}");
        assert!(said.stderr.contains(told), "{words:?}: {}", said.stderr);
    }
    // What is there, but not now, is no slip.
    let said = house.command(&["incidents", "--rule", "edge-5xx", "--state", "held"]).await;
    assert_eq!((said.ok, said.stderr.as_str()), (true, ""), "{said:?}");
    // What can only be one of some words is refused with all of them.
    for words in [
        ["incidents", "--state", "opn"],
        ["deliveries", "--fate", "lost"],
        ["actions", "--kind", "x"],
    ] {
        let said = house.command(&words).await.failed();
        assert!(said.contains("is one of: "), "{words:?}: {said}");
    }
}

#[tokio::test]
async fn a_draft_is_read_changed_and_approved_as_it_was_seen() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = held(&house).await;
    let seen = house.command(&["incidents", "draft", &id, "--json"]).await.json();
    let tag = seen["etag"].as_str().expect("a tag").to_owned();
    assert_eq!(seen["draft"]["subject"], "shop: asked", "{seen:#}");

    let text = house.files.path("words.txt");
    std::fs::write(&text, "It burns.\n\tIn Oslo.\n").expect("written");
    let text = text.display().to_string();
    let said =
        house.command(&["incidents", "edit", &id[..8], "--description-file", &text]).await.done();
    assert!(said.contains("edited by local") && said.contains("It burns."), "{said}");
    let approves = told_command(&said, "casewright incidents approve ");
    // What was changed before stays; what was seen before is not what is there now.
    let edit = ["incidents", "edit", &id, "--subject", "shop is down", "--if-match"];
    let late = house.command(&[&edit[..], &[&tag]].concat()).await.failed();
    assert!(late.contains("412") && late.contains("edited since it was read"), "{late}");
    let edited = house.command(&[&edit[..5], &["--json"]].concat()).await.json();
    assert_eq!(edited["edited"]["fields"], json!(["subject", "description"]), "{edited:#}");
    let late = run(&approves, &[], "").await.failed();
    assert!(late.contains("412"), "{late}");

    // Nobody who is not there agrees to anything.
    let said = house.command(&["incidents", "approve", &id]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("--yes"), "{said:?}");
    house.no_case().await;

    let tag = edited["etag"].as_str().expect("a tag");
    house.command(&["incidents", "approve", &id, "--if-match", tag]).await.done();
    let case = house.only_case().await;
    assert!(case.filed.subject.starts_with("shop is down [cw-"), "{case:#?}");
    assert!(case.filed.description.starts_with("It burns.\n\tIn Oslo."), "{case:#?}");
}

#[tokio::test]
async fn what_was_changed_of_a_draft_can_be_taken_back() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = held(&house).await;
    let edit = |more: &'static [&'static str]| {
        let words = [&["incidents", "edit", &id][..], more, &["--json"]].concat();
        let house = &house;
        async move { house.command(&words).await.json() }
    };
    edit(&["--subject", "mine", "--severity", "1-Major Impact"]).await;
    let told = edit(&["--unset", "subject"]).await;
    assert_eq!(told["edited"]["fields"], json!(["severity"]), "{told:#}");
    let told = edit(&["--reset"]).await;
    assert_eq!((&told["edited"], &told["draft"]["subject"]), (&Value::Null, &"shop: asked".into()));
    let nothing = house.command(&["incidents", "edit", &id]).await;
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    let wrong =
        house.command(&["incidents", "edit", &id, "--product", "Ion Premium"]).await.failed();
    assert!(wrong.contains("does not offer"), "{wrong}");
}

/// Runs a command at a terminal, by `script` of util-linux, and types something.
async fn typed(words: &[&str], typed: &str) -> (Option<i32>, String) {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("{} {}", env!("CARGO_BIN_EXE_casewright"), quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env_remove("CASEWRIGHT_TOKEN");
    let mut child = command.spawn().expect("script runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(typed.as_bytes()).expect("typed");
    let ran = tokio::task::spawn_blocking(move || {
        let output = child.wait_with_output();
        drop(input);
        output
    });
    let output = ran.await.expect("no panic").expect("its output");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn whoever_approves_at_a_terminal_is_shown_the_draft_and_asked() {
    let house = House::open().await;
    house.hears(asked("shop")).await;
    let id = held(&house).await;
    let (config, admin) = (house.files.config().display().to_string(), house.admin().to_string());
    let words = ["incidents", "approve", &id, "--config", &config, "--address", &admin];
    for answer in ["n\n", "\n", "what?\n"] {
        let (code, said) = typed(&words, answer).await;
        assert!(said.contains("shop: asked") && said.contains("Open this case? [y/N]"), "{said}");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing was done"), "{said}");
    }
    house.no_case().await;
    let (code, said) = typed(&words, "y\n").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is being opened"), "{said}");
    house.only_case().await;
}

#[tokio::test]
async fn nobody_mutes_everything_by_leaving_something_out() {
    let house = House::open().await;
    let said = house.command(&["mutes", "add", "--for", "2h", "--reason", "x"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("--rule <RULE>|--all"), "{said:?}");
    let both = ["mutes", "add", "--for", "2h", "--reason", "x", "--all", "--rule", "edge-5xx"];
    assert_eq!(house.command(&both).await.code, Some(2));
    assert_eq!(house.command(&["mutes"]).await.done().trim(), "nothing is muted but by the files");
}

#[tokio::test]
async fn a_token_is_written_where_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let house = House::open().await;
    let file = house.files.path("kim.token");
    let path = file.display().to_string();
    let make = ["token", "new", "--name", "kim", "--role", "viewer", "--token-file", &path];
    let make = make.map(str::to_owned);
    let entry = run(&make, &[], "").await.done();
    let token = std::fs::read_to_string(&file).expect("a token");
    let mode = std::fs::metadata(&file).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!entry.contains(token.trim()) && token.trim().len() == 64, "{entry}");
    let again = run(&make, &[], "").await.failed();
    assert!(again.contains("cannot be written to") && again.contains(&path), "{again}");
    assert_eq!(std::fs::read_to_string(&file).expect("a token"), token, "the first is still there");

    let entry = entry.trim().trim_start_matches("- ");
    let tokens = format!("server: {{ admin_tokens: [{entry}], ");
    house.files.edit("casewright.yaml", "server: { ", &tokens);
    house.command(&["reload"]).await.done();
    house.command(&["status", "--token-file", &path]).await.done();

    let data = ["token", "new", "--output", "json"].map(str::to_owned);
    let made = run(&data, &[], "").await.json();
    assert_eq!(made["token"].as_str().map(str::len), Some(64), "{made:#}");
    assert!(made["entry"].as_str().is_some_and(|entry| entry.contains("token_sha256")), "{made:#}");
}
