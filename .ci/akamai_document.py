"""The vendor's OpenAPI document, and the only places where the checks depart from it.

Usage:

    python3 .ci/akamai_document.py DOCUMENT OUT

writes the document with the departures below, each of which has its reason. One that changes
nothing is an error: then the document has caught up, and the departure must go.
"""

import copy
import json
import sys

METHODS = ("get", "post", "put", "patch", "delete")

# A category that Akamai's page "Create a new case" has and the document, which is older, lacks.
NEWER_CATEGORY = "MANAGED_CLOUD"

# What the document does not have at all: answers other than success. (status, operations, reason).
# Akamai's page on errors documents 400, 401, 403, 404, 405 and 500; the checks need no more of
# these than the simulation gives to a signed request that no fault strikes.
ANSWERS = [
    (400, "all", "a parameter or body that breaks the rules: the page on errors"),
    (403, ["post /cases/{caseId}/comments", "patch /cases/{caseId}",
           "post /cases/{caseId}/attachments", "post /cases/{caseId}/request-case-closure"],
     "a case that is closed for it, or has ten files: the page on errors has 403"),
    (404, "all", "no such case, file, upload, account or category: the page on errors"),
    (413, ["post /cases", "patch /cases/{caseId}", "post /cases/{caseId}/comments",
           "post /cases/{caseId}/request-case-closure", "post /cases/{caseId}/attachments"],
     "not documented; any server may refuse a body as too large"),
    (415, ["post /cases", "patch /cases/{caseId}", "post /cases/{caseId}/comments",
           "post /cases/{caseId}/request-case-closure", "post /cases/{caseId}/attachments"],
     "not documented; the simulation refuses a body that does not say that it is JSON or a form"),
]
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "pattern": "^/case-management/v3/error-types/[a-z-]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "minLength": 1},
        "instance": {"type": "string", "pattern": "^/case-management/v3/error-instances/[0-9a-f-]{36}$"},
    },
    "additionalProperties": False,
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def operations(document):
    """(METHOD, path, operation, path item) of each, in the document's order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method], item


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def with_the_newer_category(document):
    """In how many lists of categories it was missing."""
    missing = 0
    nodes = [document]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            values = node.get("enum")
            if isinstance(values, list) and "TECHNICAL" in values and NEWER_CATEGORY not in values:
                values.append(NEWER_CATEGORY)
                missing += 1
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)
    return missing


def with_answers(document):
    """In how many operations each answer was missing."""
    missing = {status: 0 for status, _, _ in ANSWERS}
    content = {"application/problem+json": {"schema": PROBLEM}}
    for status, where, reason in ANSWERS:
        for method, path, operation, _ in operations(document):
            if where != "all" and f"{method.lower()} {path}" not in where:
                continue
            if str(status) not in operation["responses"]:
                operation["responses"][str(status)] = {"description": reason, "content": content}
                missing[status] += 1
    return missing


def adapted(document):
    """A copy with the departures."""
    document = copy.deepcopy(document)
    if not with_the_newer_category(document):
        sys.exit(f"the document has {NEWER_CATEGORY} by now: drop this departure")
    for status, count in with_answers(document).items():
        if not count:
            sys.exit(f"the document has answers {status} by now: drop this departure")
    return document


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(adapted(load(sys.argv[1])), out)


if __name__ == "__main__":
    main()
