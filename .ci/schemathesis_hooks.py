"""What Schemathesis has to know of the simulation: how requests are signed, and what there is.

Invented ids and names lead to 404 and 400 only. So most of the requests that Schemathesis means to
be right are led to records that exist and to names that the catalog offers; those that it means to
be wrong are left alone. `verify_sandbox_schema.py` fills the simulation and sets SIMULATION.
"""

import json
import os
import random

import schemathesis
from akamai.edgegrid import EdgeGridAuth

known = json.loads(os.environ["SIMULATION"])
rng = random.Random(1)
BY_CATEGORY = {"productName", "problemName", "areaName", "serviceName", "productSolutionName",
               "psPackageName", "policyDomainName", "parentAccountId"}

schemathesis.auth.set_from_requests(EdgeGridAuth(**known["words"]))


answered = set()


def fields(value, path=""):
    """The fields that a body has, named as in docs/akamai.md."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from fields(each, f"{path}[]")
    elif path:
        yield path


@schemathesis.hook
def after_call(context, case, response):
    """Keeps which fields were answered at all."""
    if not 200 <= response.status_code < 300 or "json" not in response.headers.get("content-type", [""])[0]:
        return
    operation = f"{case.method.upper()} {case.path}"
    new = {f"{operation} answered {field}" for field in fields(response.json())} - answered
    if new:
        answered.update(new)
        with open(known["answered"], "a", encoding="utf-8") as file:
            file.writelines(f"{each}\n" for each in sorted(new))


@schemathesis.hook
def before_call(context, case, kwargs):
    if not case.meta or not case.meta.generation.mode.is_positive or rng.random() < 0.2:
        return
    path = case.path_parameters
    if "caseId" in path:
        record = rng.choice(known["cases"])
        for name in path.keys() & record.keys():
            path[name] = record[name]
    if "categoryId" in path:
        path["categoryId"] = rng.choice(known["filings"])["categoryId"]
    if case.query and "accountId" in case.query:
        case.query["accountId"] = rng.choice(known["filings"])["accountId"]
    if case.query and "accountIds" in case.query:
        case.query["accountIds"] = rng.choice(["A-CCT7890", "A-CCT5678, A-CCT7890"])
    if case.query:
        # A cursor is the simulation's own word.
        case.query.pop("cursor", None)
    if (case.method, case.path) == ("POST", "/cases") and isinstance(case.body, dict):
        for name in BY_CATEGORY:
            case.body.pop(name, None)
        case.body.update(rng.choice(known["filings"]))
        # A line and a text, as far as the document tells; the simulation wants them to say something.
        case.body["subject"] = "".join(c for c in case.body["subject"] if c.isprintable()).strip() or "x"
        case.body["description"] = "".join(
            c for c in case.body["description"] if c.isprintable() or c == "\n").strip() or "x"
        if "severity" in case.body:
            case.body.pop("severity")
