//! Labels that a rule names and that neither its matchers nor its tests have.

use super::house::Files;

const RULES: &str = "\
rules:
  - name: edge
    match: ['alertname = \"EdgeErrors\"', 'service =~ \"shop|blog\"', 'mute = \"\"']
    identity: [alertname, servce, pop]
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: { from: severty, map: { critical: 1 }, default: 3 }
      subject: '{{labels.service}}: {{labels.alertname}} {{labels.cluser}}'
      description: |
        {{#if labels.team}}For {{labels.team}}.{{/if}} {{default labels.owner \"nobody\"}}
        {{#each alerts}}{{labels.instance}} {{labels.job}}{{/each}}
        {{#if (eq labels.env \"live\")}}Live.{{else}}{{labels.env}}{{/if}} {{labels.env}}
        {{labels.mute}} {{> foot.hbs}}
  - name: untested
    match: ['alertname = \"Untested\"']
    identity: [alertname, whatever]
    vendor: akamai
    case:
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: 2
      subject: '{{labels.serivce}} {{labels.elsewhere}}'
      description: '{{labels.service}}'
";

const TESTS: &str = "\
tests:
  - name: errors at the edge
    deliveries:
      - at: 0s
        firing:
          - { alertname: EdgeErrors, service: shop, severity: critical, cluster: a, instance: x }
          - { alertname: EdgeErrors, service: blog, job: edge, pop: FRA }
    expect:
      - { at: 1m, cases: 2 }
";

fn files() -> Files {
    let files = Files::good();
    files.write("rules/any.yaml", RULES);
    files.write("rules/any.test.yaml", TESTS);
    files.write("templates/foot.hbs", "By {{labels.oncall}}.\n");
    files
}

#[test]
fn a_label_that_no_matcher_and_no_test_has_is_warned_of_once_where_it_stands() {
    let files = files();
    let ended = files.run("check");
    assert_eq!(ended.status.code(), Some(0), "a warning keeps nothing from starting: {ended:?}");
    insta::assert_snapshot!("labels", files.plain(&format!("{}\n{}", ended.stderr, ended.stdout)));
}

#[test]
fn where_the_tests_cannot_be_read_nothing_is_said_of_labels() {
    let files = files();
    files.write("rules/any.test.yaml", "tests: [{ nam: x }]\n");
    let ended = files.run("check");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("these tests cannot be read"), "{ended:?}");
    assert!(!ended.stderr.contains("servce"), "{ended:?}");
}
