//! Templates as their authors meet them: what is refused and where, and what comes out.

use proptest::prelude::*;

use super::testing::{alert, incident, now};
use super::*;

fn context() -> RenderContext {
    RenderContext::new(&incident(), now())
}

/// Loads one inline template that must be fine, and renders it.
#[track_caller]
fn rendered(source: &str) -> Result<String, RenderProblem> {
    let mut builder = TemplateSet::builder();
    assert_eq!(builder.inline("t", source), [], "{source}");
    let (set, problems) = builder.build();
    assert_eq!(problems, [], "{source}");
    set.render("t", &context(), 64 * 1024)
}

/// What is wrong with one inline template, as `line:column: message; hint`.
fn wrong(source: &str) -> Vec<String> {
    let mut builder = TemplateSet::builder();
    let problems = builder.inline("t", source);
    problems.iter().map(|p| p.to_string().trim_start_matches("t:").to_owned()).collect()
}

/// What is wrong with a set of files.
fn wrong_set(files: &[(&str, &str)]) -> (TemplateSet, Vec<String>) {
    let mut builder = TemplateSet::builder();
    let mut all = Vec::new();
    for (name, source) in files {
        all.extend(builder.file(name, source));
    }
    let (set, problems) = builder.build();
    all.extend(problems);
    (set, all.iter().map(ToString::to_string).collect())
}

#[test]
fn what_templates_print() {
    for (source, text) in [
        ("{{labels.property}}: above {{annotations.threshold}}", "www.example.com: above 5"),
        ("{{rule}}/{{source}}/{{now}}", "edge-5xx/alertmanager/2026-08-01T10:00:00Z"),
        ("<{{incident.severity}}> & {{incident.firing}}+{{incident.resolved}}", "<1> & 2+1"),
        ("{{incident.generation}} {{incident.previous_case}}", "2 F-CS-1234567"),
        ("{{alert.name}} {{alert.status}}", "EdgeHigh5xxRatio firing"),
        ("{{#each alerts}}{{@index}}{{status}},{{/each}}", "0firing,1firing,2resolved,"),
        (
            "{{#each alerts as |a|}}{{a.fingerprint}} {{/each}}",
            "00000000000000aa 00000000000000ab 00000000000000ac ",
        ),
        ("{{#each alerts}}{{@root.rule}} {{/each}}", "edge-5xx edge-5xx edge-5xx "),
        ("{{#with alert}}{{name}}{{/with}}", "EdgeHigh5xxRatio"),
        (
            "{{#each links.list}}{{name}}={{url}}\n{{/each}}",
            "generator=http://prometheus.example/graph?g0\nrunbook=http://wiki.example/edge-5xx\n",
        ),
        ("{{links.runbook}}", "http://wiki.example/edge-5xx"),
        ("[{{alert.ends_at}}]", "[]"),
        ("{{#if labels.team}}a{{else if labels.env}}b{{else}}c{{/if}}", "c"),
        ("{{#unless labels.team}}none{{/unless}}", "none"),
        (r"\{{labels}}", "{{labels}}"),
        ("{{!-- {{labels}} --}}x{{! y }}", "x"),
        ("{{{labels.property}}}{{&labels.property}}", "www.example.comwww.example.com"),
        ("{{labels.[property]}} {{this.labels.property}}", "www.example.com www.example.com"),
        ("{{lookup labels \"property\"}}", "www.example.com"),
    ] {
        assert_eq!(rendered(source).unwrap_or_else(|e| e.to_string()), text, "{source}");
    }
}

#[test]
fn what_helpers_make() {
    for (source, text) in [
        ("{{default labels.team \"nobody\"}}", "nobody"),
        ("{{default labels.property \"nobody\"}}", "www.example.com"),
        ("{{default alert.ends_at \"still firing\"}}", "still firing"),
        ("{{default labels.team (default labels.env \"?\")}}", "?"),
        ("{{default 0 1}}{{default false 1}}{{default \"\" 1}}{{default null 1}}", "0false11"),
        ("{{join [\"a\", 1, true]}} {{join [\"a\",\"b\"] \"+\"}}", "a, 1, true a+b"),
        ("{{truncate \"héllo\" 4}} {{truncate \"héllo\" \"5\"}}", "hél… héllo"),
        ("{{upper \"éa\"}} {{lower \"ÉA\"}} {{upper 5}}", "ÉA éa 5"),
        ("{{date alert.starts_at}}", "2026-08-01T09:50:00Z"),
        ("{{date alert.starts_at \"%d.%m.%Y %H:%M\"}}", "01.08.2026 09:50"),
        ("{{date alert.starts_at \"%H:%M %Z\" \"Europe/Berlin\"}}", "11:50 CEST"),
        ("{{date alert.starts_at tz=\"Asia/Tokyo\"}}", "2026-08-01T18:50:00+09:00"),
        ("{{date alert.starts_at format=\"%F\" tz=\"UTC\"}}", "2026-08-01"),
        ("[{{date alert.ends_at}}{{ago alert.ends_at}}{{duration alert.ends_at}}]", "[]"),
        ("{{ago alert.starts_at}} {{ago now}}", "10m ago just now"),
        ("{{ago \"2026-08-01T10:02:00Z\"}}", "in 2m"),
        (
            "{{duration alert.starts_at}} {{duration alert.starts_at \"2026-08-01T09:51:30Z\"}}",
            "10m 1m 30s",
        ),
        ("{{duration 7500}} {{duration 1.9}}", "2h 5m 1s"),
        ("{{duration alert.starts_at alert.ends_at}}", "10m"),
        (
            "{{json links.list}}",
            "[{\"name\":\"generator\",\"url\":\"http://prometheus.example/graph?g0\"},{\"name\":\"runbook\",\"url\":\"http://wiki.example/edge-5xx\"}]",
        ),
        (
            "{{json annotations pretty=true}}",
            "{\n  \"summary\": \"5xx ratio is 7.5% on www.example.com\",\n  \"threshold\": \"5\",\n  \"value\": \"7.5\"\n}",
        ),
        ("{{replace labels.property \".example.com\" \"\"}}", "www"),
        (
            "{{labels_table labels}}",
            "alertname: EdgeHigh5xxRatio\nproperty:  www.example.com\nseverity:  critical\nsource:    alertmanager",
        ),
        ("{{len alerts}} {{len labels}} {{len \"é\"}}", "3 4 1"),
        ("{{eq labels.severity \"critical\"}} {{ne labels.severity \"critical\"}}", "true false"),
        (
            "{{eq labels.team \"\"}} {{ne labels.team \"x\"}} {{eq annotations.threshold 5}}",
            "true true true",
        ),
        ("{{not labels.team}} {{not labels.severity}}", "true false"),
        (
            "{{gt annotations.value 5}} {{lt annotations.value 10}} {{ge 5 5}} {{le 6 5}}",
            "true true true false",
        ),
        ("{{gte \"10\" \"9\"}} {{lte \"a\" \"b\"}}", "true true"),
        ("{{#if (and labels.property (not labels.team))}}y{{/if}}", "y"),
        ("{{#if (or labels.team labels.env)}}y{{else}}n{{/if}}", "n"),
        ("{{#if (gt incident.alerts_total 2)}}many{{/if}}", "many"),
    ] {
        assert_eq!(rendered(source).unwrap_or_else(|e| e.to_string()), text, "{source}");
    }
}

#[test]
fn what_fails_for_this_incident_says_where_and_why() {
    for (source, problem) in [
        (
            "a\n {{labels.team}}",
            "t:2:2: `labels.team` does not exist; write {{default labels.team \"\"}} where it may be absent",
        ),
        (
            "{{upper labels.team}}",
            "t:1:1: upper: parameter 1 (`labels.team`) does not exist; write (default labels.team \"\") where it may be absent",
        ),
        (
            "{{upper labels}}",
            "t:1:1: upper: parameter 1 (`labels`) is a list or a table, not a text",
        ),
        ("{{truncate rule \"x\"}}", "t:1:1: truncate: parameter 2 is not a number of characters"),
        ("{{join rule}}", "t:1:1: join: parameter 1 (`rule`) is not a list"),
        (
            "{{join alerts}}",
            "t:1:1: join: parameter 1 (`alerts`) has members that are no text; use {{#each}}",
        ),
        (
            "{{labels_table rule}}",
            "t:1:1: labels_table: parameter 1 (`rule`) is not a table of names and values, such as `labels`",
        ),
        (
            "{{date rule}}",
            "t:1:1: date: parameter 1 (`rule`) is not a time such as 2026-08-01T10:00:00Z",
        ),
        ("{{date now rule}}", ""),
        (
            "{{date now \"%F\" rule}}",
            "t:1:1: date: `edge-5xx` is not a time zone; write one such as Europe/Berlin",
        ),
        ("{{gt rule 5}}", "t:1:1: gt: parameter 1 (`rule`) is not a number"),
        ("{{gt 5 rule}}", "t:1:1: gt: parameter 2 (`rule`) is not a number"),
        (
            "{{replace rule \"\" \"x\"}}",
            "t:1:1: replace: parameter 2 is empty, so there is nothing to replace",
        ),
        (
            "{{#each labels.team}}x{{/each}}",
            "t:1:1: `labels.team` does not exist; write {{default labels.team \"\"}} where it may be absent",
        ),
        (
            "{{lookup labels \"team\"}}",
            "t:1:1: something that is looked up does not exist; wrap it in {{#if}}",
        ),
    ] {
        match rendered(source) {
            Ok(text) => assert_eq!(problem, "", "{source} printed {text}"),
            Err(error) => assert_eq!(error.to_string(), problem, "{source}"),
        }
    }
}

#[test]
fn what_is_refused_when_it_is_loaded() {
    for (source, problem) in [
        ("{{#if a}}x", "1:1: `{{#if}}` is never closed; add `{{/if}}`"),
        (
            "{{#if rule}}{{#each alerts}}{{/if}}",
            "1:29: `{{/if}}` closes `{{#each}}`; write `{{/each}}`",
        ),
        (
            "x{{/if}}",
            "1:2: `{{/if}}` closes nothing; remove it, or begin the block with `{{#if …}}`",
        ),
        ("{{else}}", "1:1: `{{else}}` stands outside of a block"),
        ("{{else if x}}", "1:1: `{{else …}}` stands outside of a block"),
        ("a\nb {{rule", "2:3: this tag is never closed; add `}}`"),
        ("{{! rule", "1:1: this tag is never closed; add `}}`"),
        (
            "{{{{raw}}}}x{{{{/raw}}}}",
            "1:1: raw blocks are not supported; write `\\{{` for braces that are text",
        ),
        (
            "{{#*inline \"x\"}}y{{/inline}}",
            "1:1: inline partials are not supported; put the part into a file of its own and write `{{> file.hbs}}`",
        ),
        ("{{* deco}}", "1:1: decorators are not supported"),
        (
            "{{#> x}}y{{/x}}",
            "1:1: a partial cannot have a block; write `{{> file.hbs}}`, with `name=value` for what differs",
        ),
        (
            "{{> (lookup labels \"x\")}}",
            "1:1: a partial's name must be written out; use `{{#if}}` to choose between partials",
        ),
        ("{{> @partial-block}}", "1:1: `@partial-block` is not supported"),
        (
            "{{> 'x'}}",
            "1:1: a partial's name stands without quotes and brackets; write `{{> file.md.hbs}}`",
        ),
        (
            "{{labels.a b.c d}}",
            "1:12: this is not valid Handlebars; a name with spaces or dots is written `labels.[a.b]`, text in quotes, a helper's call inside another in round brackets",
        ),
        ("{{uper rule}}", "1:1: there is no helper `uper`; did you mean `upper`?"),
        (
            "{{log rule}}",
            "1:1: there is no helper `log`; the helpers are ago, and, date, default, duration, each, eq, ge, gt, gte, if, join, json, labels_table, le, len, lookup, lower, lt, lte, ne, not, or, replace, truncate, unless, upper, with",
        ),
        ("{{upper (lowr rule)}}", "1:1: there is no helper `lowr`; did you mean `lower`?"),
        (
            "{{upper}}",
            "1:1: `upper` takes 1 parameter, and 0 are given; write for example `{{upper labels.env}}`",
        ),
        (
            "{{truncate rule}}",
            "1:1: `truncate` takes 2 parameters, and 1 are given; write for example `{{truncate annotations.summary 80}}`",
        ),
        (
            "{{json labels prety=true}}",
            "1:1: `json` has no option `prety`; write for example `{{json labels pretty=true}}`",
        ),
        ("{{date now \"%Y %\"}}", "1:1: date: "),
        (
            "{{date now tz=\"Mars\"}}",
            "1:1: date: `Mars` is not a time zone; write one such as Europe/Berlin",
        ),
        ("{{each alerts}}", "1:1: `each` is a block; write `{{#each …}}…{{/each}}`"),
        (
            "{{#if eq rule \"x\"}}{{/if}}",
            "1:1: `if` takes one parameter, and 3 are given; put a condition into brackets: `{{#if (eq a b)}}`",
        ),
        ("{{#eq rule \"x\"}}{{/eq}}", "1:1: `eq` is not a block; write `{{#if (eq …)}}…{{/if}}`"),
        (
            "{{#labels}}{{/labels}}",
            "1:1: `labels` is not a block; write `{{#each labels}}`, `{{#with labels}}` or `{{#if labels}}`",
        ),
        ("{{#eahc alerts}}{{/eahc}}", "1:1: `eahc` is not a block; did you mean `each`?"),
        (
            "{{labels}}",
            "1:1: `labels` is not a text: it would print as nonsense; write `{{labels_table labels}}` or `{{json labels}}`",
        ),
        (
            "{{alert.annotations}}",
            "1:1: `alert.annotations` is not a text: it would print as nonsense; write `{{labels_table alert.annotations}}` or `{{json alert.annotations}}`",
        ),
        (
            "{{alerts}}",
            "1:1: `alerts` is not a text: it would print as nonsense; write `{{#each alerts}}…{{/each}}`",
        ),
        (
            "{{incident}}",
            "1:1: `incident` is not a text: it would print as nonsense; write a part of it, such as `{{incident.id}}`, or `{{json incident}}`",
        ),
        (
            "{{this}}",
            "1:1: `this` is not a text: it would print as nonsense; write the name of what is wanted, such as `labels.instance`",
        ),
        (
            "{{#each alerts}}{{this}}{{/each}}",
            "1:17: `this` is not a text: it would print as nonsense; write the name of what is wanted, such as `labels.instance`",
        ),
        (
            "{{#each alerts}}{{labels}}{{/each}}",
            "1:17: `labels` is not a text: it would print as nonsense; write `{{labels_table labels}}` or `{{json labels}}`",
        ),
        (
            "{{#each links}}{{/each}}",
            "1:1: `links` is a table that also holds the list of all links; write `{{#each links.list}}`, whose members have name and url",
        ),
        ("{{lables.property}}", "1:1: `lables.property` does not exist; did you mean `labels`?"),
        (
            "{{property}}",
            "1:1: `property` does not exist; a label is `labels.property`; the names are alert, alerts, annotations, incident, labels, links, now, rule, source",
        ),
        (
            "{{upper lables.property}}",
            "1:1: `lables.property` does not exist; did you mean `labels`?",
        ),
        (
            "{{incident.markr}}",
            "1:1: `incident.markr` does not exist; did you mean `incident.marker`?",
        ),
        (
            "{{#if rule}}{{@root.lables.x}}{{/if}}",
            "1:13: `@root.lables.x` does not exist; did you mean `labels`?",
        ),
        (
            "{{#each alerts}}{{rule}}{{/each}}",
            "1:17: an alert has no `rule`; write `@root.rule` for the one outside of the block",
        ),
        (
            "{{#each alerts}}{{statsu}}{{/each}}",
            "1:17: `statsu` does not exist; did you mean `status`?",
        ),
        (
            "{{#each alerts}}{{#each ../alerts}}{{/each}}{{/each}}",
            "1:17: a loop over `alerts` stands inside another one; loop over one thing at a time",
        ),
        (
            "{{(upper rule)}}",
            "1:1: an expression stands where a name is expected; leave the round brackets out: `{{upper labels.env}}`",
        ),
    ] {
        let found = wrong(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(
            found[0].starts_with(problem) && (found[0] == problem || problem.ends_with(": ")),
            "{source}\n got {}\nwant {problem}",
            found[0]
        );
    }
}

#[test]
fn limits_hold_just_below_and_just_above() {
    let filled = |length: usize| "x".repeat(length);
    assert!(wrong(&filled(limits::SOURCE)).is_empty());
    assert!(wrong(&filled(limits::SOURCE + 1))[0].contains("at most 64 KiB"));

    let nested =
        |depth: usize| format!("{}{}", "{{#if rule}}".repeat(depth), "{{/if}}".repeat(depth));
    assert_eq!(rendered(&nested(limits::BLOCK_DEPTH)).unwrap(), "");
    assert!(wrong(&nested(limits::BLOCK_DEPTH + 1))[0].contains("more than 32 deep"));

    let chain = |length: usize| {
        format!("{{{{#if labels.x}}}}{}{{{{/if}}}}", "{{else if labels.x}}".repeat(length - 1))
    };
    assert_eq!(rendered(&chain(limits::BLOCK_DEPTH)).unwrap(), "");
    assert!(wrong(&chain(limits::BLOCK_DEPTH + 1))[0].contains("more than 32 deep"));

    let looped = |depth: usize| {
        format!("{}{}", "{{#each @root.labels}}".repeat(depth), "{{/each}}".repeat(depth))
    };
    assert_eq!(rendered(&looped(limits::EACH_DEPTH)).unwrap(), "");
    assert!(wrong(&looped(limits::EACH_DEPTH + 1))[0].contains("`each` nests more than 3 deep"));

    // The brackets inside, and not the tag's own.
    let bracketed =
        |depth: usize| format!("{{{{json {}{}}}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(wrong(&bracketed(limits::BRACKET_DEPTH)).is_empty());
    assert!(wrong(&bracketed(limits::BRACKET_DEPTH + 1))[0].contains("brackets"));
    for opening in ["[", "(not ", "{\"a\":", "("] {
        assert!(!wrong(&format!("{{{{json {}", opening.repeat(9_000))).is_empty());
        assert!(!wrong(&format!("{{{{json {}}}}}", opening.repeat(9_000))).is_empty());
    }
    assert!(!wrong(&"{{#if a}}".repeat(7_000)).is_empty());
}

#[test]
fn the_output_is_capped() {
    let mut builder = TemplateSet::builder();
    assert_eq!(builder.inline("t", "12{{rule}}"), []);
    let (set, _) = builder.build();
    assert_eq!(set.render("t", &context(), 10).unwrap(), "12edge-5xx");
    let problem = set.render("t", &context(), 9).unwrap_err();
    assert_eq!(problem.to_string(), "t:1:3: the text is longer than 9 bytes");
}

#[test]
fn a_helper_cannot_blow_up_a_text() {
    let fifty = "x".repeat(600);
    let source = format!("{{{{replace (replace \"{fifty}\" \"x\" \"{fifty}\") \"x\" \"yy\"}}}}");
    assert!(rendered(&source).unwrap_err().message.contains("longer than 256 KiB"));
}

#[test]
fn files_are_partials_with_and_without_their_extension() {
    let (set, problems) = wrong_set(&[
        ("head.md.hbs", "{{title}}: {{rule}}"),
        ("a/body.hbs", "{{> head.md.hbs title=\"A\"}} {{> head.md title=\"B\"}}"),
        ("top.txt", "{{> a/body}}|{{> a/body.hbs}}"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert!(set.contains("top.txt") && set.contains("a/body") && set.contains("a/body.hbs"));
    assert_eq!(
        set.render("top.txt", &context(), 1000).unwrap(),
        "A: edge-5xx B: edge-5xx|A: edge-5xx B: edge-5xx"
    );
}

#[test]
fn an_error_in_a_partial_names_the_partial() {
    let (set, problems) = wrong_set(&[("p.hbs", "x\n{{labels.team}}"), ("top.hbs", "{{> p}}")]);
    assert_eq!(problems, Vec::<String>::new());
    let problem = set.render("top", &context(), 1000).unwrap_err();
    assert_eq!((problem.template.as_str(), problem.line, problem.column), ("p.hbs", 2, 1));
}

#[test]
fn names_are_checked_in_files_that_are_not_partials() {
    let (_, problems) = wrong_set(&[("a.hbs", "{{> b}}{{nope}}"), ("b.hbs", "{{given}}")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("a.hbs:1:8: `nope` does not exist"), "{problems:?}");
}

#[test]
fn circles_of_partials_are_refused_and_never_rendered() {
    for files in [
        &[("a.hbs", "{{> a}}")][..],
        &[("a.hbs", "{{> a.hbs}}")],
        &[("a.hbs", "{{> b}}"), ("b.hbs", "x {{#if rule}}{{> a.hbs}}{{/if}}")],
        &[("a.hbs", "{{> b}}"), ("b.hbs", "{{> c}}"), ("c.hbs", "{{> b.hbs}}")],
    ] {
        let (set, problems) = wrong_set(files);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("round in a circle"), "{problems:?}");
        let problem = set.render("a.hbs", &context(), 1000).unwrap_err();
        assert!(problem.message.contains("no template"), "{problem:?}");
        assert!(set.render("a", &context(), 1000).is_err());
    }
}

#[test]
fn an_inline_template_can_include_files_only() {
    let mut builder = TemplateSet::builder();
    assert_eq!(builder.inline("x", "{{> file}}{{> y}}"), []);
    assert_eq!(builder.inline("y", "y"), []);
    assert_eq!(builder.file("files.hbs", "f"), []);
    let (set, problems) = builder.build();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "x:1:1: there is no partial `file`; did you mean `files`?",
            "x:1:11: there is no partial `y`; a partial is a file of the templates folder"
        ]
    );
    assert!(!set.contains("x") && set.contains("y"));
}

#[test]
fn two_templates_cannot_share_a_name() {
    let mut builder = TemplateSet::builder();
    assert_eq!(builder.file("a.md.hbs", ""), []);
    for (name, inline) in [("a.md", false), ("a.md.hbs", false), ("a.md", true), ("a.md.hbs", true)]
    {
        let problems = if inline { builder.inline(name, "") } else { builder.file(name, "") };
        assert_eq!(problems.len(), 1, "{name}");
        assert!(problems[0].message.contains("another template"), "{name}");
    }
    for name in ["", "a b.hbs", "é.hbs", "[a]", &"x".repeat(limits::NAME + 1)] {
        assert_eq!(builder.file(name, "").len(), 1, "{name}");
    }
    assert_eq!(builder.file(&"x".repeat(limits::NAME), ""), []);
}

#[test]
fn depth_adds_up_across_partials() {
    let (_, problems) = wrong_set(&[
        ("in.hbs", "{{#each alerts}}{{/each}}"),
        ("out.hbs", "{{#each alerts}}\n{{> in}}{{/each}}"),
    ]);
    assert_eq!(
        problems,
        ["out.hbs:2:1: with the partial `in.hbs`, a loop over `alerts` stands inside another one"]
    );

    let chain = |length: usize| {
        let mut files: Vec<_> =
            (0..length).map(|n| (format!("p{n}.hbs"), format!("{{{{> p{}}}}}", n + 1))).collect();
        files.push((format!("p{length}.hbs"), String::new()));
        let files: Vec<_> = files.iter().map(|(n, s)| (n.as_str(), s.as_str())).collect();
        wrong_set(&files).1
    };
    assert_eq!(chain(limits::PARTIAL_DEPTH), Vec::<String>::new());
    let problems = chain(limits::PARTIAL_DEPTH + 1);
    assert!(problems[0].contains("more than 8 deep"), "{problems:?}");

    let wide = |count: usize| wrong_set(&[("p.hbs", ""), ("top.hbs", &"{{> p}}".repeat(count))]).1;
    assert_eq!(wide(limits::PARTIALS), Vec::<String>::new());
    assert!(wide(limits::PARTIALS + 1)[0].contains("more than 500 partials"));
}

#[test]
fn the_deepest_allowed_template_renders_on_a_small_stack() {
    let blocks = |inner: &str, depth: usize| {
        format!("{}{inner}{}", "{{#if rule}}".repeat(depth), "{{/if}}".repeat(depth))
    };
    let brackets = limits::BRACKET_DEPTH;
    let deep_call = format!(
        "{{{{{}rule{}}}}}",
        "not (".repeat(brackets).trim_end_matches('('),
        ")".repeat(brackets - 1)
    );
    let worst = blocks(&deep_call, limits::BLOCK_DEPTH);
    std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(move || {
            let _ = rendered(&worst);
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_set_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<TemplateSet>();
    shared::<RenderContext>();
}

#[test]
fn an_incident_of_many_alerts_renders() {
    let mut incident = incident();
    for n in 0..2_000 {
        let mut member = incident.members.values().next().unwrap().clone();
        member.alert = alert(&format!("{n:05}"), &[]);
        incident.members.insert(member.alert.fingerprint.clone(), member);
    }
    let mut builder = TemplateSet::builder();
    let source =
        "{{#each alerts}}{{labels_table labels}}\n{{/each}}{{incident.alerts_left_out}} more";
    assert_eq!(builder.inline("t", source), []);
    let (set, _) = builder.build();
    let context = RenderContext::new(&incident, now());
    let text = set.render("t", &context, 1024 * 1024).unwrap();
    assert!(text.ends_with("1503 more"), "{}", &text[text.len() - 20..]);
}

/// Pieces of templates, so that arbitrary ones are often nearly right.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~\n]{0,12}",
        "\\PC{0,6}",
        prop::sample::select(vec![
            "{{",
            "}}",
            "{{{",
            "}}}",
            "{{#if rule}}",
            "{{/if}}",
            "{{else}}",
            "{{^}}",
            "{{else if ",
            "{{~",
            "~}}",
            "{{#each alerts}}",
            "{{/each}}",
            "{{#with alert as |a|}}",
            "{{/with}}",
            "{{> p}}",
            "{{>p x=1}}",
            "{{#>p}}",
            "{{/p}}",
            "{{*x}}",
            "{{!",
            "{{!--",
            "--}}",
            "\\{{",
            "\\\\{{",
            "(upper rule)",
            "(",
            ")",
            "[",
            "]",
            "\"",
            "'",
            "|",
            "labels.x",
            "labels.[a b]",
            "this",
            "../",
            "@root.",
            "@index",
            "@",
            "=",
            "1",
            "-1.5",
            "true",
            "null",
            "{\"a\":1}",
            " ",
            "{{labels_table labels}}",
            "{{json this}}",
            "{{date now \"",
            "{{truncate ",
            "{{default labels.x ",
            "{{{{raw}}}}",
            "{{{{/raw}}}}",
            "{{&rule}}",
            "{{replace rule ",
            "{{lookup labels ",
            "as |x y|",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_template_panics_when_it_is_loaded_or_rendered(source in pieces(), partial in pieces()) {
        let mut builder = TemplateSet::builder();
        let mut problems = builder.file("p.hbs", &partial);
        problems.extend(builder.inline("t", &source));
        let (set, more) = builder.build();
        problems.extend(more);
        for problem in &problems {
            // A panic inside of Handlebars is caught, and counts as one here.
            prop_assert!(!problem.message.contains("cannot read"), "{:?}", problem);
            prop_assert!(problem.line >= 1 && problem.column >= 1);
        }
        let context = context();
        for id in ["t", "p", "p.hbs"] {
            match set.render(id, &context, 4096) {
                Ok(text) => prop_assert!(text.len() <= 4096),
                Err(problem) => {
                    prop_assert!(!problem.message.contains("failed inside"), "{:?}", problem);
                    // Helpers and partials that do not exist are found when templates are loaded.
                    prop_assert!(!problem.message.contains("no helper"), "{:?}", problem);
                    prop_assert!(!problem.message.contains("no partial"), "{:?}", problem);
                }
            }
        }
    }
}
