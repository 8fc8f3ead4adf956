"""Compares the tables of docs/akamai.md with the vendor's OpenAPI document.

Usage:

    python3 .ci/akamai_page.py DOCUMENT PAGE

Every operation, parameter, header and field of the document must stand in the page, and nothing
else. What the page says of them is held to the client by tests/akamai_page.rs. Before it compares,
it makes sure that it would notice: it drops and adds rows, and must complain of each.
"""

import sys

from akamai_document import load, operations, resolve

KINDS = ("parameter", "sent", "header", "answered")


def leaves(document, schema, path=""):
    """The fields of a schema that have none of their own, such as `links[].href`."""
    schema = resolve(document, schema)
    for keyword in ("allOf", "oneOf", "anyOf"):
        if keyword in schema:
            sys.exit(f"{keyword} at {path or 'the root'}: this script cannot read the document any more")
    if "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from leaves(document, inner, f"{path}.{name}" if path else name)
    elif "items" in schema and list(leaves(document, schema["items"], "x")) != ["x"]:
        yield from leaves(document, schema["items"], f"{path}[]")
    elif path:
        yield path


def of_document(document):
    """{(operation, kind, name)}; an operation without any is (operation, "", "")."""
    facts = set()
    for method, path, operation, item in operations(document):
        name = f"{method} {path}"
        facts.add((name, "", ""))
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            facts.add((name, "parameter", resolve(document, parameter)["name"]))
        body = resolve(document, operation.get("requestBody", {}))
        for content in body.get("content", {}).values():
            facts |= {(name, "sent", field) for field in leaves(document, content["schema"])}
        for answer in operation["responses"].values():
            answer = resolve(document, answer)
            facts |= {(name, "header", header) for header in answer.get("headers", {})}
            for content in answer.get("content", {}).values():
                facts |= {(name, "answered", field) for field in leaves(document, content["schema"])}
    return facts


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def code(cell):
    return cell[1:-1] if len(cell) > 2 and cell[0] == cell[-1] == "`" and "`" not in cell[1:-1] else None


def of_page(text):
    """The same of the page. An empty cell says that the operation has no such field."""
    facts, head = set(), None
    for line in text.splitlines():
        if not line.startswith("|"):
            head = None
            continue
        row = cells(line)
        if head is None:
            head = row
        elif head[0] == "operation" and (name := code(row[0])):
            facts.add((name, "", ""))
        elif head[0] in KINDS and (field := code(row[0])):
            for column, cell in zip(head, row):
                if (name := code(column)) and cell:
                    facts.add((name, head[0], field))
    return facts


def differences(document, page):
    wanted, told = of_document(document), of_page(page)
    told_of = lambda fact: " ".join(part for part in fact if part)
    return ([f"the page lacks {told_of(fact)}" for fact in sorted(wanted - told)]
            + [f"the document has no {told_of(fact)}" for fact in sorted(told - wanted)])


def self_test(document, page):
    """Each row of a table that is compared matters, and so does each row too many."""
    lines = page.splitlines()
    tried, head = 0, None
    for number, line in enumerate(lines):
        if not line.startswith("|"):
            head = None
            continue
        if head is None:
            head = cells(line)[0]
        elif (head == "operation" or head in KINDS) and code(cells(line)[0]):
            tried += 1
            for changed in ([], [line, line.replace("`", "`madeUp", 1)]):
                if not differences(document, "\n".join(lines[:number] + changed + lines[number + 1:])):
                    sys.exit(f"nobody noticed that line {number + 1} changed: {line}")
    if not tried:
        sys.exit("the page has no tables")
    return tried


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    document = load(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        page = file.read()
    wrong = differences(document, page)
    for each in wrong:
        print(each)
    if wrong:
        sys.exit(1)
    rows = self_test(document, page)
    print(f"the page has the document's {len(of_document(document))} operations, parameters, headers"
          f" and fields in {rows} rows, and no other")


if __name__ == "__main__":
    main()
