"""The vendor's OpenAPI document, and the only places where the checks depart from it.

Usage:

    python3 .ci/akamai_document.py DOCUMENT OUT

writes the document with what a request may have and the document does not know. The answers that
it does not know are added by who needs them (`with_answers`). Each departure has its reason; one
that changes nothing is an error: then the document has caught up, and the departure must go.
"""

import copy
import json
import sys

METHODS = ("get", "post", "put", "patch", "delete")

# A category that Akamai's page "Create a new case" has and the document, which is older, lacks.
NEWER_CATEGORY = "MANAGED_CLOUD"

# What the document does not have at all: answers other than success. (status, operations, reason).
# Akamai's page on errors has 400, 401, 403, 404, 405 and 500; these are the ones that a signed
# request to an existing path may get from the simulation while no fault strikes.
ALL = "all"
CASE = "/cases/{caseId}"
WRITES = ("POST /cases", f"PATCH {CASE}", f"POST {CASE}/comments", f"POST {CASE}/request-case-closure",
          f"POST {CASE}/attachments")
ANSWERS = [
    (400, ALL, "a parameter or a body that breaks the rules: the page on errors"),
    (403, [f"PATCH {CASE}", f"POST {CASE}/request-case-closure", f"POST {CASE}/attachments"],
     "a case that is closed: the page on errors has 403 for what is not allowed"),
    (404, ALL, "no such account, category, case, upload or file: the page on errors"),
    (415, WRITES, "not documented: a body that does not say that it is JSON, or a form, is refused"),
]
# Those that it takes some chance to see.
SELDOM = [
    (413, WRITES, "not documented: the simulation reads 1 MiB of a body, and any server may refuse a large one"),
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
    """A copy whose lists of categories have the newer one."""
    document = copy.deepcopy(document)
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
    if not missing:
        sys.exit(f"the document has {NEWER_CATEGORY} by now: drop this departure")
    return document


def with_answers(document):
    """A copy that has the answers above, too."""
    document = copy.deepcopy(document)
    content = {"application/problem+json": {"schema": PROBLEM}}
    for status, where, reason in ANSWERS + SELDOM:
        missing = 0
        for method, path, operation, _ in operations(document):
            if where != ALL and f"{method} {path}" not in where:
                continue
            if str(status) not in operation["responses"]:
                operation["responses"][str(status)] = {"description": reason, "content": content}
                missing += 1
        if not missing:
            sys.exit(f"the document has answers {status} by now: drop this departure")
    return document


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(with_the_newer_category(load(sys.argv[1])), out)


if __name__ == "__main__":
    main()
