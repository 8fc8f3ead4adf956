"""Lets Akamai's own library for Python sign requests to `casewright sandbox`, over real HTTP.

Usage, in an environment that has edgegrid-python==2.0.9 installed:

    python .ci/verify_edgegrid_sandbox.py CASEWRIGHT

What the library signs must be let through; what is unsigned, stale, replayed, altered or signed by
somebody else must get the gateway's own answer, and must leave no trace in the records.
"""

import datetime
import importlib.metadata
import json
import random
import sys
import uuid

import requests
import simulation
from akamai.edgegrid import EdgeGridAuth

VERSION = "2.0.9"
API = "/case-management/v3"
MAX_BODY = 131_072
# (status, the end of `type`, title, detail); None for the detail where only the form is known.
BAD_TIMESTAMP = (400, "/-/pep-authn/request-error", "Bad request", "Invalid timestamp")
BAD_TOKEN = (400, "/-/pep-authn/request-error", "Bad request", "Invalid client token")
BAD_FORM = (400, "/-/pep-authn/request-error", "Bad request", None)
REVOKED = (401, "/-/pep-authn/deny", "Not authorized", "Inactive client token")
BAD_SIGNATURE = (401, "/-/pep-authn/deny", "Not authorized", "The signature does not match")
NO_GRANT = (403, "/-/pep-authz/deny", "Forbidden",
            "The client does not have the grant needed for the request")
CASE = {
    "subject": "Signed by another implementation: äß漢🔥", "description": "One\ntwo\tthree \"four\"",
    "accountId": "A-CCT7890", "categoryId": "TECHNICAL", "severity": "1-Major Impact",
    "productName": "Ion Premier", "problemName": "Configuring/Managing Services",
    "customerTrackingNumber": "made-by-a-test",
}

results = []


def note(name, wrong):
    results.append(not wrong)
    print(f"{'FAILED ' if wrong else 'ok     '} {name}{f': {wrong}' if wrong else ''}")


class Sandbox:
    def __init__(self, base, words):
        self.base = base
        self.words = words
        self.session = requests.Session()
        self.session.trust_env = False

    def signer(self, **other):
        return EdgeGridAuth(**{**self.words, **other})

    def control(self, method, path, **options):
        answer = self.session.request(method, f"{self.base}/sandbox{path}", timeout=10, **options)
        answer.raise_for_status()
        return answer.json()

    def traces(self):
        """What a request could have left behind."""
        counts = self.control("GET", "/requests")
        return [len(self.control("GET", "/cases")["cases"]),
                *(counts[f"{each}_committed"] for each in ("creates", "comments", "closures"))]

    def prepare(self, method, path, **options):
        return self.session.prepare_request(requests.Request(method, self.base + path, **options))

    def send(self, prepared):
        return self.session.send(prepared, timeout=10, allow_redirects=False)

    def signed(self, method, path, **options):
        return self.send(self.prepare(method, path, auth=self.signer(), **options))

    def sign_at(self, prepared, offset=0, nonce=None, signer=None):
        """Signs as the library does, with a timestamp that is `offset` seconds off."""
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
        timestamp = moment.strftime("%Y%m%dT%H:%M:%S+0000")
        auth = (signer or self.signer()).ah
        prepared.headers["Authorization"] = auth.make_auth_header(prepared, timestamp, nonce or str(uuid.uuid4()))
        return prepared


def accepted(sandbox):
    def expect(name, answer, status):
        wrong = None if answer.status_code == status else f"{answer.status_code} {answer.text[:300]}"
        note(f"accepted: {name}", wrong)
        return answer.json() if not wrong and answer.content else {}

    expect("GET a list", sandbox.signed("GET", f"{API}/accounts-with-categories"), 200)
    expect("GET with a query", sandbox.signed("GET", f"{API}/categories/TECHNICAL?accountId=A-CCT7890"), 200)
    case = expect("POST of non-ASCII text",
                  sandbox.signed("POST", f"{API}/cases",
                                 data=json.dumps(CASE, ensure_ascii=False).encode(),
                                 headers={"Content-Type": "application/json"}), 201).get("caseId", "?")
    expect("GET the case", sandbox.signed("GET", f"{API}/cases/{case}"), 200)
    expect("a query with escapes", sandbox.signed(
        "GET", f"{API}/cases?type=ALL_ACTIVE_CASES&duration=2&accountIds=A%2DCCT7890&limit=200"), 200)
    expect("PATCH, whose body is not signed", sandbox.signed(
        "PATCH", f"{API}/cases/{case}", json={"alsoNotify": ["noc@example.com"], "alternateContact": {
            "name": "NOC", "company": "Example", "email": "noc@example.com", "phone": "+1 555 0100"}}), 200)
    # `{"comment": "` and `"}` are 14 bytes: bodies just below, at and above what is hashed.
    for size in (MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, MAX_BODY + 14):
        body = json.dumps({"comment": "x" * (size - 15)}).encode()
        body = body + b" " * (size - len(body))
        expect(f"POST of {size} bytes", sandbox.signed(
            "POST", f"{API}/cases/{case}/comments", data=body, headers={"Content-Type": "application/json"}), 201)
    expect("POST without a body", sandbox.signed("POST", f"{API}/cases/{case}/request-case-closure"), 201)
    expect("a timestamp 25 s old", sandbox.send(sandbox.sign_at(
        sandbox.prepare("GET", f"{API}/cases/{case}"), -25)), 200)
    expect("a timestamp 25 s ahead", sandbox.send(sandbox.sign_at(
        sandbox.prepare("GET", f"{API}/cases/{case}"), 25)), 200)

    rng = random.Random(1)
    letters = "abcXYZ019-._~!$'()*+,:@ äß漢🔥\"<>[]{}|^"
    wrong = None
    for number in range(300):
        tail = "".join(rng.choices(letters, k=rng.randint(1, 12)))
        query = "".join(rng.choices(letters + "=&;/?", k=rng.randint(0, 30)))
        method = rng.choice(["GET", "POST", "POST", "PATCH", "PUT", "DELETE"])
        body = rng.randbytes(rng.choice([0, 1, 100, 5_000, 140_000])) if method != "GET" else b""
        answer = sandbox.signed(method, f"{API}/cases/F-CS-{tail}{'?' + query if query else ''}", data=body)
        # Whatever the API says to such a request, it is not the gateway that says it.
        if answer.status_code in (401, 403) or "/-/pep-" in answer.text or answer.status_code >= 500:
            wrong = f"request {number}, {method} {answer.url}: {answer.status_code} {answer.text[:200]}"
            break
    note("accepted: 300 random requests", wrong)
    return case


def refused(sandbox, case):
    def expect(name, prepared, expected):
        before = sandbox.traces()
        answer = sandbox.send(prepared)
        status, kind, title, detail = expected
        wrong = None
        try:
            body = answer.json()
        except ValueError:
            body = {}
        missing = {"type", "title", "status", "detail", "instance", "method", "serverIp", "clientIp",
                   "requestId", "requestTime"} - body.keys()
        if answer.status_code != status or not str(body.get("type")).endswith(kind) \
                or body.get("title") != title or (detail and body.get("detail") != detail):
            wrong = f"{answer.status_code} {answer.text[:300]}"
        elif missing:
            wrong = f"the answer has no {', '.join(sorted(missing))}"
        elif sandbox.traces() != before:
            wrong = "it left a trace"
        note(f"refused: {name}", wrong)

    def create(**options):
        return sandbox.prepare("POST", f"{API}/cases", json=CASE, **options)

    comments = f"{API}/cases/{case}/comments"
    expect("unsigned", create(), BAD_FORM)
    expect("another scheme", create(headers={"Authorization": "Bearer x"}), BAD_FORM)
    for offset in (-60, -35, 35, 60):
        expect(f"a timestamp {offset:+} s off", sandbox.sign_at(create(), offset), BAD_TIMESTAMP)
    nonce = str(uuid.uuid4())
    first = sandbox.send(sandbox.sign_at(sandbox.prepare("POST", comments, json={"comment": "once"}), 0, nonce))
    note("accepted: a nonce's first use", None if first.status_code == 201 else first.text)
    expect("a replayed request", first.request, BAD_FORM)
    expect("a nonce used again", sandbox.sign_at(create(), 1, nonce), BAD_FORM)
    altered = sandbox.sign_at(create())
    altered.body = altered.body.replace(b"Ion Premier", b"Ion premier")
    expect("an altered body", altered, BAD_SIGNATURE)
    altered = sandbox.sign_at(sandbox.prepare("GET", f"{API}/cases?type=ALL_ACTIVE_CASES&limit=1"))
    altered.url = altered.url.replace("limit=1", "limit=2")
    expect("an altered query", altered, BAD_SIGNATURE)
    altered = sandbox.sign_at(sandbox.prepare("POST", comments, json={"comment": "x"}))
    altered.url = altered.url.replace("/comments", "/request-case-closure")
    expect("an altered path", altered, BAD_SIGNATURE)
    altered = sandbox.sign_at(sandbox.prepare("GET", f"{API}/cases/{case}"))
    altered.method = "DELETE"
    expect("an altered method", altered, BAD_SIGNATURE)
    altered = sandbox.sign_at(create())
    altered.headers["Host"] = "akab-other.luna.akamaiapis.net"
    expect("another host", altered, BAD_SIGNATURE)
    for key, expected in [("client_token", BAD_TOKEN), ("client_secret", BAD_SIGNATURE), ("access_token", BAD_FORM)]:
        expect(f"a wrong {key}", sandbox.sign_at(create(), signer=sandbox.signer(**{key: "akab-wrong"})), expected)
    for skew in (-45, 45):
        sandbox.control("POST", "/clock", json={"skew_seconds": skew})
        expect(f"the vendor's clock {skew:+} s off", sandbox.sign_at(create()), BAD_TIMESTAMP)
    sandbox.control("POST", "/clock", json={"skew_seconds": 0})
    for kind, expected in [("revoked", REVOKED), ("no_grant", NO_GRANT)]:
        sandbox.control("PUT", "/faults", json={"faults": [{"kind": kind}]})
        expect(f"a client that is {kind}", sandbox.sign_at(create()), expected)
    sandbox.control("DELETE", "/faults")
    note("accepted: again, after all this",
         None if sandbox.send(sandbox.sign_at(create())).status_code == 201 else "not created")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    installed = importlib.metadata.version("edgegrid-python")
    if installed != VERSION:
        sys.exit(f"edgegrid-python {VERSION} is wanted, {installed} is installed")
    with simulation.running(sys.argv[1]) as (base, words):
        sandbox = Sandbox(base, words)
        refused(sandbox, accepted(sandbox))
    print(f"edgegrid at the sandbox: {results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
