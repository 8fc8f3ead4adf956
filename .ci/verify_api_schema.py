#!/usr/bin/env python3
"""Lets Schemathesis hold the running daemon's API to the document that the daemon itself gives.

Usage, in an environment that has schemathesis==4.32.5 installed:

    python .ci/verify_api_schema.py CASEWRIGHT

A daemon with the simulation as its vendor takes in alerts of every fate, so that lists have rows;
then as many requests are made as CASEWRIGHT_REQUESTS says (1,000 unless it says otherwise), with a
token that may do everything. None may be answered with 5xx, and every answer must be as the
document says.
"""

import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

VERSION = "4.32.5"
HERE = pathlib.Path(__file__).resolve().parent

# Checks of Schemathesis that are not made, with the reason.
NOT_CHECKED = {
    "positive_data_acceptance": "names, ids, times and cursors are checked beyond what a schema tells",
    "unsupported_method": "what is not allowed is answered with 405 and Allow, and TRACE by no handler",
    "negative_data_rejection": "a path that names nothing is answered with 404, whatever else is wrong",
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings(work, public, admin):
    """The example's rules, and a config of our own."""
    shutil.copytree(HERE.parent / "config", work / "config")
    text = f"""
server: {{ listen: "127.0.0.1:{public}", admin_listen: "127.0.0.1:{admin}" }}
store: {{ sqlite: {work}/api.db }}
sources: [{{ name: am, kind: alertmanager, auth: {{ bearer: [token-of-the-sender] }} }}]
vendors: [{{ name: akamai, kind: sandbox }}]
rules: [asked.yaml]
"""
    rules = """
rules:
  - name: asked
    match: ['alertname = "Asked"']
    identity: [alertname, property]
    case: CASE
    open: { mode: approve }
  - name: plain
    match: ['alertname = "Plain"']
    identity: [alertname, property]
    case: CASE
""".replace("CASE", """
      account: A-CCT7890
      category: TECHNICAL
      product: Ion Premier
      problem: Alerts
      severity: 2
      subject: '{{labels.property}}'
      description: 'It is {{labels.property}}.'""")
    (work / "config" / "api.yaml").write_text(text, encoding="utf-8")
    (work / "config" / "asked.yaml").write_text(rules, encoding="utf-8")
    return work / "config" / "api.yaml"


def call(url, token, body=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def fill(base):
    """Alerts with cases, with drafts, and that nobody wants."""
    for number in range(30):
        name = ["Asked", "Plain", "Nobodys"][number % 3]
        labels = {"alertname": name, "property": f"p{number}", "odd": "<b>'\"\u202e\\"}
        call(f"{base}/webhooks/am", "token-of-the-sender", {
            "version": "4", "groupKey": f"g{number}", "truncatedAlerts": 0, "status": "firing", "receiver": "r",
            "groupLabels": labels, "commonLabels": labels, "commonAnnotations": {}, "externalURL": "",
            "alerts": [{"status": "firing", "labels": labels, "annotations": {},
                        "startsAt": "2026-08-01T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
                        "generatorURL": "", "fingerprint": f"{number:016x}"}]})


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if (installed := importlib.metadata.version("schemathesis")) != VERSION:
        sys.exit(f"schemathesis {VERSION} is wanted, {installed} is installed")
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    requests = int(os.environ.get("CASEWRIGHT_REQUESTS", "1000"))
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place)
        public, admin = free_port(), free_port()
        config = settings(work, public, admin)
        with open(work / "log", "wb") as log:
            daemon = subprocess.Popen([binary, "serve", "--config", str(config)], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(300):
                time.sleep(0.1)
                try:
                    token = (work / "api.db.token").read_text(encoding="utf-8").strip()
                    call(f"http://127.0.0.1:{admin}/api/v1/vendors", token)
                    break
                except OSError:
                    if daemon.poll() is not None:
                        sys.exit((work / "log").read_text(encoding="utf-8"))
            else:
                sys.exit("the daemon did not become ready")
            fill(f"http://127.0.0.1:{public}")
            document = subprocess.run([binary, "api-spec"], check=True, capture_output=True, text=True).stdout
            served = call(f"http://127.0.0.1:{admin}/api/v1/openapi.json", token)
            if json.loads(document) != served:
                sys.exit("`casewright api-spec` prints another document than the daemon serves")
            # What it finds in one operation it tries in others: ids lead somewhere.
            (work / "document.json").write_text(document, encoding="utf-8")
            operations = sum(len(item) for item in served["paths"].values())
            examples = max(1, requests // operations)
            ended = subprocess.run(
                [pathlib.Path(sys.executable).with_name("schemathesis"), "run", str(work / "document.json"),
                 "--url", f"http://127.0.0.1:{admin}", "--header", f"Authorization: Bearer {token}",
                 "--phases", "examples,coverage,fuzzing", "--checks", "all",
                 "--exclude-checks", ",".join(NOT_CHECKED), "--exclude-path", "/api/v1/catalog/sync",
                 "--max-examples", str(examples), "--seed", "1", "--continue-on-failure", "--no-color",
                 "--warnings", "off"],
                cwd=work, check=False, stdin=subprocess.DEVNULL)
            page = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10).read().decode()
            status = call(f"http://127.0.0.1:{admin}/api/v1/status", token)
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
        panics = re.findall(r".*panicked.*", (work / "log").read_text(encoding="utf-8", errors="replace"))
    for check, reason in NOT_CHECKED.items():
        print(f"not checked: {check}: {reason}")
    calls = sum(float(value) for value in re.findall(r"^casewright_admin_calls_total\{.*\} (\S+)$", page, re.M))
    print(f"{calls:.0f} calls changed something or were refused; incidents afterwards: {status['incidents']}")
    for panic in panics:
        print(f"FAILED  {panic}")
    sys.exit(1 if panics or ended.returncode else 0)


if __name__ == "__main__":
    main()
