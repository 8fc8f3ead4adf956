"""Compares Casewright's EdgeGrid signatures with those of Akamai's own library for Python.

Usage, in an environment that has edgegrid-python==2.0.9 installed:

    cargo build --example edgegrid_sign
    python .ci/verify_edgegrid.py target/debug/examples/edgegrid_sign [SEED]

First come the vectors that the library ships, then random requests that the library signs in
this process with a given timestamp and nonce. The last line is the count; the exit status is 1
if any signature differs.
"""

import base64
import importlib.metadata
import json
import pathlib
import random
import string
import subprocess
import sys
from urllib.parse import urljoin, urlsplit

import akamai.edgegrid
import requests
from akamai.edgegrid import EdgeGridAuth

VERSION = "2.0.9"
RANDOM_REQUESTS = 600
# What the edge hashes of a body. Vectors were made with a smaller one.
MAX_BODY = 131_072
LARGEST_BODY = 200_000


def line(method, url, target, body, auth, timestamp, nonce):
    """One line for the example."""
    split = urlsplit(url)
    return {
        "method": method,
        "scheme": split.scheme,
        "host": split.netloc,
        "path_and_query": target,
        "body_base64": base64.b64encode(body).decode(),
        "client_token": auth.client_token,
        "client_secret": auth.client_secret,
        "access_token": auth.access_token,
        "timestamp": timestamp,
        "nonce": nonce,
    }


def vectors():
    """The shipped vectors that sign no header: (name, line, expected)."""
    folder = pathlib.Path(akamai.edgegrid.__file__).parent / "test"
    data = json.loads((folder / "testdata.json").read_text(encoding="utf-8"))
    cases = json.loads((folder / "testcases.json").read_text(encoding="utf-8"))
    auth = EdgeGridAuth(data["client_token"], data["client_secret"], data["access_token"]).ah
    signed = {name.lower() for name in data["headers_to_sign"]}

    skipped = cut = 0
    found = []
    for case in cases:
        request = case["request"]
        names = {name.lower() for header in request.get("headers", []) for name in header}
        if names & signed:
            skipped += 1
            continue
        body = request.get("data", "").encode()
        if len(body) > data["max_body"]:
            # The limit is a constant here; random bodies on both sides of it come below.
            body = body[: data["max_body"]]
            cut += 1
        url = urljoin(data["base_url"], request["path"])
        found.append((
            case["testName"],
            line(request["method"], url, request["path"], body, auth, data["timestamp"], data["nonce"]),
            case["expectedAuthorization"],
        ))
    print(f"vectors: {len(cases)} shipped, {skipped} skipped (they sign headers), "
          f"{len(found)} compared, {cut} of them with its body cut to the vectors' own limit")
    return found


def random_text(rng, alphabet, longest):
    return "".join(rng.choices(alphabet, k=rng.randint(1, longest)))


def random_requests(rng):
    """Requests as the library signs them: (name, line, expected)."""
    token = string.ascii_letters + string.digits + "-_"
    # No `;` and `?` at the end of a path: the library drops a bare one.
    segment = string.ascii_letters + string.digits + "-._~!$'()*+,:@ äß漢🔥"
    query = segment + "=&;/?\"<>[]{}|^"
    counts = {"large": 0, "unicode": 0, "query": 0, "forms": 0}
    found = []
    for number in range(RANDOM_REQUESTS):
        method = rng.choice(["GET", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
        scheme, port = rng.choice([("https", ""), ("https", ":8443"), ("http", ":8090")])
        host = f"akab-{random_text(rng, string.ascii_lowercase + string.digits, 30)}x.luna.akamaiapis.net"
        path = "/" + "/".join(random_text(rng, segment, 12) for _ in range(rng.randint(0, 5)))
        if rng.random() < 0.2:
            path += ";p=" + random_text(rng, token, 8)
        if rng.random() < 0.3:
            path += "/%2F%c3%A9%20x"
        if rng.random() < 0.6:
            path += "?" + random_text(rng, query, 60) + rng.choice(["", "&x=%2B%7e", "&accountIds=A-1"])
        size = rng.choice([0, 1, 100, 5_000, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, LARGEST_BODY])
        kind = rng.choice(["bytes", "text"])
        if kind == "bytes":
            body = rng.randbytes(size)
        else:
            # Characters of several bytes: the limit falls inside one of them.
            body = ("ä漢🔥x" * (size // 10 + 1)).encode()[: size - size % 10 if size > 10 else size]

        request = requests.Request(method, f"{scheme}://{host}{port}{path}", data=body)
        if method == "POST" and rng.random() < 0.2:
            # As the library for HTTP writes a form with a file.
            request.data, request.files = None, {"attachmentContent": ("a.txt", body, "text/plain")}
        prepared = request.prepare()
        body = prepared.body or b""
        counts["forms"] += bool(request.files)
        auth = EdgeGridAuth(
            client_token="akab-" + random_text(rng, token, 40),
            client_secret=random_text(rng, token + "+/", 80) + "=",
            access_token="akab-" + random_text(rng, token, 40),
        ).ah
        timestamp = (f"20{rng.randint(10, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
                     f"T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}+0000")
        nonce = random_text(rng, token, 40)
        counts["large"] += method == "POST" and len(body) > MAX_BODY
        counts["unicode"] += not path.isascii()
        counts["query"] += "?" in prepared.path_url
        found.append((
            f"random {number}: {method} {prepared.url} ({len(body)} bytes)",
            # What goes over the wire is `path_url`.
            line(method, prepared.url, prepared.path_url, body, auth, timestamp, nonce),
            auth.make_auth_header(prepared, timestamp, nonce),
        ))
    print(f"random: {len(found)} requests, {counts['query']} with a query, {counts['unicode']} with "
          f"non-ASCII paths, {counts['forms']} forms with a file, {counts['large']} POSTs above {MAX_BODY} bytes")
    return found


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    installed = importlib.metadata.version("edgegrid-python")
    if installed != VERSION:
        sys.exit(f"edgegrid-python {VERSION} is wanted, {installed} is installed")
    seed = int(sys.argv[2]) if len(sys.argv) == 3 else 1
    compared = vectors() + random_requests(random.Random(seed))

    text = "".join(json.dumps(each) + "\n" for _, each, _ in compared)
    run = subprocess.run([sys.argv[1]], input=text.encode(), stdout=subprocess.PIPE, check=True)
    ours = run.stdout.decode().splitlines()
    if len(ours) != len(compared):
        sys.exit(f"{len(compared)} requests, but {len(ours)} signatures")

    failed = 0
    for (name, _, expected), got in zip(compared, ours):
        if got != expected:
            failed += 1
            print(f"MISMATCH {name}\n  library {expected}\n  ours    {got}")
    print(f"{len(compared) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
