"""Lets Schemathesis hold `casewright sandbox` to the vendor's own OpenAPI document.

Usage, in an environment that has schemathesis==4.32.5 and edgegrid-python==2.0.9 installed:

    python .ci/verify_sandbox_schema.py CASEWRIGHT DOCUMENT

Every answer must have a status and a body that the document knows, or that `akamai_document.py`
adds with its reason. In the course of it every operation must have succeeded, every status that
was added must have been answered, and so must every field of the document.
"""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import requests
import simulation
from akamai.edgegrid import EdgeGridAuth
from akamai_document import ALL, ANSWERS, load, operations, with_answers, with_the_newer_category
from akamai_page import of_document

VERSIONS = {"schemathesis": "4.32.5", "edgegrid-python": "2.0.9"}
PREFIX = "/case-management/v3"
HERE = pathlib.Path(__file__).resolve().parent

# What a case of each category must name; the catalog is `src/sandbox/catalog.json`.
FILINGS = [
    {"accountId": "A-CCT7890", "categoryId": "TECHNICAL", "productName": "Ion Premier",
     "problemName": "Certificates"},
    {"accountId": "A-CCT7890", "categoryId": "MANAGED_CLOUD", "productName": "Linode Compute",
     "problemName": "Storage"},
    {"accountId": "A-CCT7890", "categoryId": "SECURITY", "policyDomainName": "example_shop",
     "productName": "Prolexic", "problemName": "DDoS Attack"},
    {"accountId": "A-CCT7890", "categoryId": "BUSINESS_SUPPORT", "areaName": "Contract",
     "serviceName": "Renewal"},
    {"accountId": "A-CCT5678", "categoryId": "BILLING", "areaName": "Invoice", "serviceName": "Dispute",
     "parentAccountId": "A-CCT2222"},
    {"accountId": "A-CCT7890", "categoryId": "PROFESSIONAL_SERVICES", "productSolutionName": "Media",
     "psPackageName": "Integration Package"},
]

# Checks of Schemathesis that are not made, with the reason.
NOT_CHECKED = {
    "positive_data_acceptance": "the vendor's rules about categories and names are prose, which no document of this kind tells",
}

# How a wrong request may be refused; without this a 413 counts as if it had been accepted.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 405, 413, 415]
"""

# Fields that the simulation never answers, with the reason.
NOT_ANSWERED = {
    "POST /cases/{caseId}/attachments answered attachmentId": "it appears with UPLOADED only, and an upload is never through at once",
}


def fill(base, auth):
    """Some cases with everything that a case can have; the ids of their files and uploads."""
    session = requests.Session()
    session.trust_env = False

    def call(method, path, status, **options):
        answer = session.request(method, f"{base}{PREFIX}{path}", auth=auth, timeout=10, **options)
        if answer.status_code != status:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def control(method, path, **options):
        session.request(method, f"{base}/sandbox{path}", timeout=10, **options).raise_for_status()

    records = []
    for number, filing in enumerate(FILINGS):
        case = call("POST", "/cases", 201, json={
            "subject": "A case", "description": "Of which there are more", **filing,
            "alsoNotify": ["noc@example.com"], "alternateContact": {"name": "NOC"}})["caseId"]
        for text in range(3):
            call("POST", f"/cases/{case}/comments", 201, json={"comment": f"comment {text}"})
        # Of the uploads one goes on, and one has failed.
        fault = [{"kind": "slow_upload", "on": "attach", "seconds": 86400}, {"kind": "fail_upload", "on": "attach"}]
        control("PUT", "/faults", json={"faults": fault[number:number + 1]})
        upload = call("POST", f"/cases/{case}/attachments", 202,
                      files={"attachmentContent": ("a.txt", b"content", "text/plain")})["uploadId"]
        control("DELETE", "/faults")
        found = call("GET", f"/cases/{case}/attachments/status/{upload}", 200)
        records.append({"caseId": case, "uploadId": upload,
                        "attachmentId": found.get("attachmentId") or "F-AT-0000000"})
    for number, status in [(3, "MITIGATED/SOLVED"), (4, "CLOSED")]:
        control("POST", f"/cases/{records[number]['caseId']}/status", json={"status": status})
    return records


def failures(base, document, answered):
    """Prints how each operation was answered, and returns what is wrong with that."""
    counts = requests.get(f"{base}/sandbox/requests", timeout=10).json()["requests"]
    wrong = []
    for method, path, _, _ in operations(document):
        times = {count["status"]: count["count"] for count in counts if count["endpoint"] == f"{method} {path}"}
        print(f"{method:5} {path:50}", ", ".join(f"{status}: {times[status]}" for status in sorted(times, key=str)))
        if not any(200 <= (status or 0) < 300 for status in times):
            wrong.append(f"{method} {path} never succeeded")
        if any(status is None or status >= 500 for status in times):
            wrong.append(f"{method} {path} failed or was cut off")
    for status, where, _ in ANSWERS:
        seen = {count["endpoint"] for count in counts if count["status"] == status}
        if not seen:
            wrong.append(f"nothing was answered with {status}: drop this departure")
        wrong += [f"{name} was never answered with {status}: drop this departure"
                  for name in where if where != ALL and name not in seen]
    told = {" ".join(fact) for fact in of_document(document) if fact[1] == "answered"}
    wrong += [f"never answered: {fact}" for fact in sorted(told - answered - NOT_ANSWERED.keys())]
    wrong += [f"answered after all: {fact}" for fact in sorted(answered & NOT_ANSWERED.keys())]
    return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for package, version in VERSIONS.items():
        if (installed := importlib.metadata.version(package)) != version:
            sys.exit(f"{package} {version} is wanted, {installed} is installed")
    plain = load(sys.argv[2])
    document = with_answers(with_the_newer_category(plain))
    with tempfile.TemporaryDirectory() as work, simulation.running(sys.argv[1]) as (base, words):
        records = fill(base, EdgeGridAuth(**words))
        schema = pathlib.Path(work, "document.json")
        schema.write_text(json.dumps(document), encoding="utf-8")
        config = pathlib.Path(work, "schemathesis.toml")
        config.write_text(CONFIG, encoding="utf-8")
        answered = pathlib.Path(work, "answered")
        answered.touch()
        known = {"words": words, "cases": records, "filings": FILINGS, "answered": str(answered)}
        ended = subprocess.run(
            [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", str(config), "run", str(schema),
             "--url", f"{base}{PREFIX}", "--phases", "examples,coverage,fuzzing",
             "--checks", "all", "--exclude-checks", ",".join(NOT_CHECKED),
             "--max-examples", os.environ.get("CASEWRIGHT_EXAMPLES", "60"),
             "--seed", "1", "--continue-on-failure", "--no-color", "--warnings", "off"],
            cwd=work, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "SIMULATION": json.dumps(known), "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
                 "PYTHONPATH": str(HERE)})
        wrong = failures(base, plain, set(answered.read_text(encoding="utf-8").splitlines()))
    for check, reason in NOT_CHECKED.items():
        print(f"not checked: {check}: {reason}")
    for fact, reason in NOT_ANSWERED.items():
        print(f"not demanded: {fact}: {reason}")
    for each in wrong:
        print(f"FAILED  {each}")
    sys.exit(1 if wrong or ended.returncode else 0)


if __name__ == "__main__":
    main()
