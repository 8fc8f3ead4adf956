#!/usr/bin/env python3
"""Real Alertmanagers, the daemon and the simulated vendor, each a process of its own on loopback.

    .ci/alertmanager_e2e.py CASEWRIGHT [SCENARIO...]

The receiver is the one of config/alertmanager.example.yml with its address, intervals and token
replaced; the rules and templates are those of this repository. Each scenario starts everything
anew, posts alerts to Alertmanager's API v2, and compares all the cases that the vendor then has
with those that must exist, no fewer and no more. It waits for states with deadlines; where nothing
must happen, it first waits for the traffic in which it could have happened.
"""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALERTMANAGER = os.environ.get("ALERTMANAGER", "prometheus-alertmanager")
TOKEN = "token-of-the-end-to-end-test"
HOUR = datetime.timedelta(hours=1)
PATIENCE = 30.0


class Failed(Exception):
    """What was expected did not come, or something else came."""


# --------------------------------------------------------------------------- plumbing


def request(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    # No proxy of the environment stands between processes of one machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=10) as answer:
        return answer.read().decode()


def until(what, probe, patience=PATIENCE):
    """Waits until `probe` gives something true, and gives it back."""
    deadline = time.monotonic() + patience
    while True:
        try:
            found = probe()
        except (OSError, urllib.error.URLError, http.client.HTTPException):
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"not within {patience:.0f} s: {what}")
        time.sleep(0.05)


def equal(what, got, expected):
    if got != expected:
        raise Failed(f"{what}: {got!r} instead of {expected!r}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def metric(text, name, **labels):
    """The sum of a metric's samples that have these labels."""
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if not found or found[1] != name:
            continue
        has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
        if labels.items() <= has.items():
            total += float(found[3])
    return total


def stamp(moment):
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


# --------------------------------------------------------------------------- the processes


class Process:
    """A child in a session of its own, so that nothing of it is left behind."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                start_new_session=True)

    def is_up(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")
        return True

    def stop(self, how=signal.SIGTERM):
        if self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, how)
        try:
            return self.child.wait(25)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(5)
            raise Failed(f"{self.name} did not stop within 25 s") from None

    def text(self):
        return self.log.read_text(errors="replace")

    def tail(self):
        return "\n".join(self.text().splitlines()[-15:])


class Stage:
    """Everything of one scenario."""

    def __init__(self, binary, folder, stack):
        self.binary, self.folder, self.stack = binary, folder, stack
        self.vendor_port, self.port, self.admin = free_ports(3)
        self.vendor = f"http://127.0.0.1:{self.vendor_port}"
        self.running, self.processes, self.managers = None, [], []

        sandbox = self.start("sandbox", [binary, "sandbox", "--listen", f"127.0.0.1:{self.vendor_port}"])
        until("the sandbox answers", lambda: sandbox.is_up() and request("GET", f"{self.vendor}/sandbox/cases"))
        words = {key: re.search(rf"{key}: (\S+)", sandbox.text())[1]
                 for key in ("client_token", "client_secret", "access_token")}
        shutil.copytree(ROOT / "config" / "rules", folder / "config" / "rules")
        shutil.copytree(ROOT / "templates", folder / "templates")
        self.config = folder / "config" / "casewright.yaml"
        self.config.write_text(f"""
server: {{ listen: "127.0.0.1:{self.port}", admin_listen: "127.0.0.1:{self.admin}" }}
store: {{ sqlite: ../data/casewright.db }}
rules: [rules/*.yaml]
templates: ../templates
sources:
  - name: alertmanager
    kind: alertmanager
    auth: {{ bearer: ["{TOKEN}"] }}
vendors:
  - name: akamai
    kind: akamai
    base_url: {self.vendor}
    credentials: {json.dumps(words)}
    timeout: 5s
    retry: {{ initial: 100ms, max: 1s, horizon: 72h }}
    reconcile: {{ window: 1s, looks: 3 }}
    rate: {{ per_second: 100, burst: 100 }}
""")
        (folder / "data").mkdir()

    def start(self, name, command):
        process = Process(name, command, self.folder)
        self.processes.append(process)
        self.stack.callback(process.stop)
        return process

    def set(self, line):
        """Adds a line to the configuration."""
        with self.config.open("a") as config:
            config.write(f"{line}\n")

    def serve(self):
        self.running = self.start("casewright", [self.binary, "serve", "--config", str(self.config)])
        until("the daemon is ready", lambda: self.running.is_up()
              and request("GET", f"http://127.0.0.1:{self.admin}/-/ready"))

    def metrics(self):
        return request("GET", f"http://127.0.0.1:{self.admin}/metrics")

    def alertmanager(self, repeat="1h", interval="1s", token=TOKEN, edit=()):
        manager = Alertmanager(self, repeat, interval, token, edit)
        self.managers.append(manager)
        return manager

    # What the vendor has.

    def cases(self):
        return json.loads(request("GET", f"{self.vendor}/sandbox/cases"))["cases"]

    def requests(self):
        return json.loads(request("GET", f"{self.vendor}/sandbox/requests"))

    def asked(self, endpoint):
        return sum(each["count"] for each in self.requests()["requests"] if each["endpoint"] == endpoint)

    def faults(self, *faults):
        request("PUT", f"{self.vendor}/sandbox/faults", {"faults": list(faults)})

    def case(self, about):
        """The one case whose subject begins so."""
        found = [case for case in self.cases() if case["subject"].startswith(about)]
        equal(f"cases about {about!r}", len(found), 1)
        return found[0]

    def wait_cases(self, count, comments=0, closures=0):
        """Waits for so many cases, each with so many comments (beside those that hold closure
        requests) and closure requests."""
        def shape():
            return sorted((len(texts(case)), len(case["closureRequests"])) for case in self.cases())
        expected = [(comments, closures)] * count
        try:
            until("the cases", lambda: shape() == expected)
        except Failed as error:
            raise Failed(f"{error}: (comments, closure requests) of each case are {shape()}, "
                         f"expected {expected}") from None

    def settle(self):
        """Waits until the daemon has nothing left to do."""
        until("an empty outbox", lambda: metric(self.metrics(), "casewright_outbox_depth") == 0)

    def expect(self, count, comments=0, closures=0, quiet=False):
        """The vendor has exactly these cases, and it stays so once all is done."""
        self.wait_cases(count, comments, closures)
        self.settle()
        if not quiet:
            time.sleep(1.2)  # one more flush of every group
        self.wait_cases(count, comments, closures)
        answers = self.requests()
        equal("creates at the vendor", answers["creates_committed"], count)
        equal("comments at the vendor", answers["comments_committed"], count * comments)
        equal("closure requests at the vendor", answers["closures_committed"], count * closures)
        tracking = {case["customerTrackingNumber"] for case in self.cases()}
        equal("different tracking numbers", len(tracking), count)


def texts(case):
    """Comments that are not the text of a closure request."""
    closing = {each["commentId"] for each in case["closureRequests"]}
    return [each["comment"] for each in case["comments"] if each["commentId"] not in closing]


class Alertmanager:
    """One Alertmanager, without a cluster."""

    def __init__(self, stage, repeat, interval, token, edit):
        self.stage = stage
        self.number = len(stage.managers) + 1
        self.folder = stage.folder / f"alertmanager-{self.number}"
        self.folder.mkdir()
        (self.port,) = free_ports(1)
        self.base = f"http://127.0.0.1:{self.port}"
        (self.folder / "token").write_text(token)
        text = (ROOT / "config" / "alertmanager.example.yml").read_text()
        for pattern, value in [
            (r"(?m)^( +group_wait:) \S+", r"\1 0s"),
            (r"(?m)^( +group_interval:) \S+", rf"\1 {interval}"),
            (r"(?m)^( +repeat_interval:) \S+", rf"\1 {repeat}"),
            (r"(?m)^( +(?:- )?url:) \S+", rf"\1 http://127.0.0.1:{stage.port}/webhooks/alertmanager"),
            (r"(?m)^( +credentials_file:) \S+", rf"\1 {self.folder}/token"),
            *edit,
        ]:
            text, count = re.subn(pattern, value, text)
            equal(f"places of {pattern} in alertmanager.example.yml", count, 1)
        self.config = self.folder / "alertmanager.yml"
        self.config.write_text(text)
        self.start()

    def start(self):
        self.process = self.stage.start(f"alertmanager-{self.number}", [
            ALERTMANAGER, f"--config.file={self.config}", f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--web.external-url=http://alertmanager-{self.number}.example.com:{self.port}/",
            "--web.route-prefix=/", "--cluster.listen-address=", "--log.level=debug"])
        until("Alertmanager is ready",
              lambda: self.process.is_up() and request("GET", f"{self.base}/-/ready"))

    def post(self, alerts):
        request("POST", f"{self.base}/api/v2/alerts", alerts)

    def metrics(self):
        return request("GET", f"{self.base}/metrics")

    def sent(self):
        """How many notifications have reached the daemon or failed."""
        return metric(self.metrics(), "alertmanager_notifications_total", integration="webhook")

    def tries(self):
        return metric(self.metrics(), "alertmanager_notification_requests_total", integration="webhook")

    def failed(self):
        return metric(self.metrics(), "alertmanager_notifications_failed_total", integration="webhook")

    def failed_tries(self):
        return metric(self.metrics(), "alertmanager_notification_requests_failed_total", integration="webhook")


def post(managers, alerts):
    for manager in managers:
        manager.post(alerts)


class Alert:
    """An alert and when it began. It resolves when it is told to."""

    def __init__(self, name, annotations=None, **labels):
        self.began = now() - datetime.timedelta(minutes=1)
        self.body = {"labels": {"alertname": name, **labels},
                     "annotations": annotations or {"summary": "Made by a test"},
                     "generatorURL": "http://prometheus.example.com/graph?g0.expr=a%20%3E%201&g0.tab=1"}

    def firing(self):
        return {**self.body, "startsAt": stamp(self.began), "endsAt": stamp(now() + HOUR)}

    def resolved(self):
        return {**self.body, "startsAt": stamp(self.began), "endsAt": stamp(now())}

    def again(self):
        self.began = now()
        return self.firing()


def edge(prop="www.example.com", pop="FRA", severity="critical", env="production", **labels):
    annotations = {"summary": "7.3 % of the answers are 5xx", "threshold": "5 %", "value": "7.3",
                   "runbook_url": "https://runbooks.example.com/edge-5xx"}
    return Alert("EdgeHigh5xxRatio", annotations, property=prop, pop=pop, severity=severity, env=env, **labels)


# --------------------------------------------------------------------------- the scenarios

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


@scenario
def one_alert_fires_and_resolves(stage):
    stage.serve()
    manager = stage.alertmanager()
    alert = edge()
    manager.post([alert.firing()])
    stage.expect(1)
    case = stage.case("www.example.com: 5xx ratio above 5 %")
    for field, expected in {
        "status": "CREATED", "severity": "1-Major Impact", "productName": "Ion Premier",
        "problemName": "Configuring/Managing Services", "policyDomainName": None, "areaName": None,
        "alsoNotify": ["noc@example.com"],
    }.items():
        equal(field, case[field], expected)
    equal("category", case["category"]["categoryId"], "TECHNICAL")
    equal("account", case["account"]["accountId"], "A-CCT7890")
    equal("contact", case["alternateContact"]["email"], "noc@example.com")
    token = re.fullmatch(r"www\.example\.com: 5xx ratio above 5 % \[([\w-]+)\]", case["subject"])
    if not token or not case["customerTrackingNumber"].startswith(token[1]):
        raise Failed(f"no token of {case['customerTrackingNumber']!r} in {case['subject']!r}")
    for words in ("www.example.com", "FRA", "7.3", "https://runbooks.example.com/edge-5xx",
                  "http://prometheus.example.com/graph?g0.expr=a%20%3E%201&g0.tab=1"):
        if words not in case["description"]:
            raise Failed(f"{words!r} is not in the description:\n{case['description']}")

    manager.post([alert.resolved()])
    stage.expect(1, comments=1, closures=1)
    case = stage.case("www.example.com")
    comment, closure = texts(case)[0], case["comments"][-1]["comment"]
    if "The alert behind this case has resolved" not in comment:
        raise Failed(f"an odd comment: {comment}")
    if not closure.startswith("Case Closure Request: ") or "EdgeHigh5xxRatio" not in closure:
        raise Failed(f"an odd closure request: {closure}")


@scenario
def a_group_grows_shrinks_and_ends(stage):
    stage.serve()
    manager = stage.alertmanager()
    one, two = edge(pop="FRA"), edge(pop="AMS")
    manager.post([one.firing()])
    stage.expect(1)
    before = manager.sent()
    manager.post([one.firing(), two.firing()])
    until("the grown group is sent", lambda: manager.sent() > before)
    stage.expect(1)
    before = manager.sent()
    manager.post([one.resolved()])
    until("the mixed group is sent", lambda: manager.sent() > before)
    stage.expect(1)
    manager.post([two.resolved()])
    stage.expect(1, comments=1, closures=1)
    if "All 2 alerts behind this case have resolved" not in texts(stage.case("www"))[0]:
        raise Failed("the comment does not speak of both alerts")


@scenario
def repeats_change_nothing(stage):
    stage.serve()
    manager = stage.alertmanager(repeat="1s")
    alert = edge()
    manager.post([alert.firing()])
    stage.expect(1)
    before = manager.sent()
    until("four repeats", lambda: manager.sent() >= before + 4)
    stage.expect(1)
    manager.post([alert.resolved()])
    stage.expect(1, comments=1, closures=1)


@scenario
def other_severity_category_and_closing(stage):
    stage.serve()
    manager = stage.alertmanager()
    warning = edge("mild.example.com", severity="warning")
    attack = Alert("WafAttackHigh", {"summary": "300 requests/s denied"}, property="shop.example.com",
                   policy_domain="example_shop", env="production", severity="critical")
    cache = Alert("ConnectedCacheDown", site="FRA-7", severity="page")
    manager.post([warning.firing(), attack.firing(), cache.firing()])
    stage.expect(3)
    equal("warning", stage.case("mild.example.com")["severity"], "2-Moderate Impact")
    case = stage.case("Attack on shop.example.com: 300 requests/s denied")
    equal("category", case["category"]["categoryId"], "SECURITY")
    equal("policy domain", case["policyDomainName"], "example_shop")
    equal("rank of an attack", case["severity"][:1], "1")
    equal("severity of a cache", stage.case("Connected cache at FRA-7")["severity"], "1-Critical Impact")
    manager.post([attack.resolved()])
    until("the comment", lambda: len(texts(stage.case("Attack"))) == 1)
    stage.settle()
    equal("closure requests of a rule that only comments", stage.case("Attack")["closureRequests"], [])
    equal("cases", len(stage.cases()), 3)
    equal("comments at the vendor", stage.requests()["comments_committed"], 1)


@scenario
def ignored_and_unmatched_alerts(stage):
    stage.serve()
    manager = stage.alertmanager()
    staging, unknown = edge(env="staging"), Alert("DiskFull", instance="db1", severity="critical")
    low = edge("info.example.com", severity="info")
    manager.post([staging.firing(), unknown.firing(), low.firing()])

    def counted(result):
        return metric(stage.metrics(), "casewright_alerts_total", source="alertmanager", result=result)
    until("one alert ignored, two unmatched", lambda: counted("ignored") >= 1 and counted("unmatched") >= 2)
    manager.post([staging.resolved(), unknown.resolved(), low.resolved()])
    until("their ends too", lambda: counted("ignored") >= 2 and counted("unmatched") >= 4)
    stage.expect(0)
    equal("matched", counted("matched"), 0)
    equal("attempts to create", stage.asked("POST /cases"), 0)


@scenario
def the_daemon_is_down_while_alerts_fire(stage):
    manager = stage.alertmanager()
    alerts = [edge(f"p{n}.example.com") for n in range(3)]
    manager.post([alert.firing() for alert in alerts])
    until("tries in vain", lambda: manager.failed_tries() >= 3)
    equal("cases while down", len(stage.cases()), 0)
    stage.serve()
    stage.expect(3)
    equal("the daemon's exit", stage.running.stop(), 0)
    before = manager.failed_tries()
    manager.post([alert.resolved() for alert in alerts])
    until("tries in vain", lambda: manager.failed_tries() > before)
    stage.serve()
    stage.expect(3, comments=1, closures=1)


@scenario
def the_daemon_is_killed_again_and_again(stage):
    stage.serve()
    manager = stage.alertmanager(repeat="1s")
    stage.faults({"kind": "delay_after_commit", "on": "create", "millis": 150})
    alerts = [edge(f"p{n}.example.com") for n in range(12)]
    for number, alert in enumerate(alerts):
        manager.post([alert.firing()])
        time.sleep(0.02 * (number % 6) + 0.05)
        if number % 3 == 2:
            stage.running.stop(signal.SIGKILL)
            stage.serve()
    stage.faults()
    stage.expect(12)
    manager.post([alert.resolved() for alert in alerts])
    time.sleep(0.3)
    stage.running.stop(signal.SIGKILL)
    stage.serve()
    stage.expect(12, comments=1, closures=1)


@scenario
def two_alertmanagers_without_a_cluster(stage):
    stage.serve()
    pair = [stage.alertmanager(repeat="2s"), stage.alertmanager(repeat="2s")]
    alerts = [edge(f"p{n}.example.com", pop) for n in range(4) for pop in ("FRA", "AMS")]
    post(pair, [alert.firing() for alert in alerts])
    stage.expect(4)
    before = [manager.sent() for manager in pair]
    until("repeats of both", lambda: all(m.sent() >= n + 8 for m, n in zip(pair, before)))
    stage.expect(4)
    # They do not hear of the end at the same time.
    ends = [alert.resolved() for alert in alerts]
    pair[0].post(ends)
    stage.expect(4, comments=1, closures=1)
    pair[1].post(ends)
    before = pair[1].sent()
    until("the second one's news", lambda: pair[1].sent() >= before + 4)
    stage.expect(4, comments=1, closures=1)


@scenario
def the_vendor_drops_every_second_answer(stage):
    stage.serve()
    manager = stage.alertmanager()
    stage.faults(*({"kind": "drop_after_commit", "on": on, "every": 2} for on in ("create", "comment", "close")))
    alerts = [edge(f"p{n}.example.com") for n in range(6)]
    manager.post([alert.firing() for alert in alerts])
    stage.expect(6, quiet=True)
    manager.post([alert.resolved() for alert in alerts])
    stage.expect(6, comments=1, closures=1)
    hits = [fault["hits"] for fault in json.loads(request("GET", f"{stage.vendor}/sandbox/faults"))["faults"]]
    equal("dropped answers to creates, comments and closures", hits, [3, 3, 3])


@scenario
def the_vendor_fails_before_and_after(stage):
    stage.serve()
    manager = stage.alertmanager()
    stage.faults({"kind": "down", "on": "create", "next": 2},
                 {"kind": "throttle", "on": "create", "next": 2, "retry_after": 1},
                 {"kind": "error_after_commit", "on": "create", "next": 2},
                 {"kind": "error_after_commit", "on": "comment", "next": 2})
    alerts = [edge(f"p{n}.example.com") for n in range(4)]
    manager.post([alert.firing() for alert in alerts])
    stage.expect(4, quiet=True)
    manager.post([alert.resolved() for alert in alerts])
    stage.expect(4, comments=1, closures=1)


@scenario
def a_wrong_token_opens_nothing(stage):
    stage.serve()
    manager = stage.alertmanager(token="not-the-token")
    manager.post([edge().firing()])
    until("two refused notifications", lambda: manager.failed() >= 2)
    if "401" not in manager.process.text():
        raise Failed(f"Alertmanager's log does not say 401:\n{manager.process.tail()}")
    refused = metric(stage.metrics(), "casewright_deliveries_rejected_total",
                     source="alertmanager", reason="wrong_credential")
    if refused < 2:
        raise Failed(f"the daemon counts {refused} wrong credentials")
    stage.expect(0)
    equal("attempts to create", stage.asked("POST /cases"), 0)
    if TOKEN in stage.running.text() or "not-the-token" in stage.running.text():
        raise Failed("a token is in the daemon's log")
    # Alertmanager reads the file for every request: a corrected token needs no restart.
    (manager.folder / "token").write_text(TOKEN)
    stage.expect(1)


@scenario
def a_refire_goes_on_with_the_same_case(stage):
    stage.serve()
    manager = stage.alertmanager()
    alert = edge()
    manager.post([alert.firing()])
    stage.expect(1)
    manager.post([alert.resolved()])
    stage.expect(1, comments=1, closures=1)
    time.sleep(0.1)
    manager.post([alert.again()])
    stage.expect(1, comments=2, closures=1)
    if "The problem is back" not in texts(stage.case("www"))[1]:
        raise Failed("the comment does not say that the problem is back")
    manager.post([alert.resolved()])
    stage.expect(1, comments=3, closures=2)


@scenario
def alertmanager_restarts(stage):
    stage.serve()
    manager = stage.alertmanager(repeat="1s")
    alert = edge()
    manager.post([alert.firing()])
    stage.expect(1)
    manager.process.stop(signal.SIGKILL)
    manager.start()
    manager.post([alert.firing()])
    until("a notification after the restart", lambda: manager.sent() >= 2)
    stage.expect(1)
    manager.post([alert.resolved()])
    stage.expect(1, comments=1, closures=1)


@scenario
def a_cut_list_resolves_nothing(stage):
    stage.serve()
    manager = stage.alertmanager(edit=[(r"(?m)^( +max_alerts:) 0", r"\1 1")])
    alerts = [edge(pop=pop) for pop in ("AMS", "FRA", "LHR")]
    manager.post([alert.firing() for alert in alerts])
    stage.expect(1)
    before = manager.sent()
    manager.post([alerts[0].resolved()])  # the only one that the receiver is told of
    until("a cut notification", lambda: manager.sent() > before)
    stage.expect(1)


@scenario
def an_alert_that_resolves_while_silenced(stage):
    stage.serve()
    manager = stage.alertmanager(repeat="1s")
    quiet, loud = edge("quiet.example.com"), edge("loud.example.com")
    manager.post([quiet.firing(), loud.firing()])
    stage.expect(2)
    request("POST", f"{manager.base}/api/v2/silences", {
        "matchers": [{"name": "property", "value": "quiet.example.com", "isRegex": False, "isEqual": True}],
        "startsAt": stamp(now()), "endsAt": stamp(now() + HOUR), "createdBy": "test", "comment": "test"})
    time.sleep(0.2)
    manager.post([quiet.resolved()])
    before = manager.sent()
    until("repeats of the other", lambda: manager.sent() >= before + 3)
    # Alertmanager never tells: the case must stay, and stay alone.
    stage.expect(2)


@scenario
def a_storm_of_groups(stage):
    stage.set("limits: off")
    stage.serve()
    manager = stage.alertmanager(repeat="2s")
    alerts = [edge(f"p{n}.example.com", pop) for n in range(40) for pop in ("FRA", "AMS", "LHR")]
    manager.post([alert.firing() for alert in alerts])
    stage.expect(40, quiet=True)
    manager.post([alert.resolved() for alert in alerts])
    stage.expect(40, comments=1, closures=1)


@scenario
def a_storm_within_the_budget(stage):
    stage.serve()
    manager = stage.alertmanager(repeat="2s")
    alerts = [edge(f"p{n}.example.com") for n in range(30)]
    manager.post([alert.firing() for alert in alerts])
    stage.expect(20, quiet=True)
    until("the rest is held", lambda: metric(stage.metrics(), "casewright_incidents", state="held") == 10)
    manager.post([alert.resolved() for alert in alerts])
    # What was over before there was room never gets a case.
    stage.expect(20, comments=1, closures=1)
    until("nothing is held", lambda: metric(stage.metrics(), "casewright_incidents", state="held") == 0)


# --------------------------------------------------------------------------- running them


def run(function, binary):
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casewright-e2e-")))
        # Entered after the folder, so that everything has ended before it is removed.
        processes = stack.enter_context(contextlib.ExitStack())
        stage, wrong, cases = None, None, 0
        try:
            stage = Stage(binary, folder, processes)
            function(stage)
            cases = len(stage.cases())
            for process in [stage.running, *(manager.process for manager in stage.managers)]:
                process.is_up()
            equal("the daemon's exit", stage.running.stop(), 0)
            panic = next((each for each in stage.processes if "panicked" in each.text()), None)
            if panic:
                raise Failed(f"{panic.name} panicked")
        except Exception as error:  # whatever it is, the others still run
            wrong = str(error) if isinstance(error, Failed) else traceback.format_exc()
        took = time.monotonic() - began
        name = function.__name__.replace("_", " ")
        if wrong is None:
            print(f"ok      {name} ({cases} cases, {took:.1f} s)", flush=True)
            return True
        print(f"FAILED  {name} ({took:.1f} s)\n{wrong}", flush=True)
        for process in stage.processes if stage else ():
            print(f"--- end of the log of {process.name}\n{process.tail()}", flush=True)
        return False


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not shutil.which(ALERTMANAGER):
        sys.exit(f"{ALERTMANAGER} is not installed")
    binary, wanted = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:]
    unknown = set(wanted) - {function.__name__ for function in SCENARIOS}
    if unknown:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")
    # An end of this process from outside also ends the children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = [run(function, binary) for function in SCENARIOS if not wanted or function.__name__ in wanted]
    print(f"alertmanager: {results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
