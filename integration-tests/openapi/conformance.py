#!/usr/bin/env python3
"""Holds answers of running nodes against the API's description.

    conformance.py OPENAPI ANSWERS

OPENAPI is the document, ANSWERS a JSON list of {"method", "route", "status", "body"}. Prints a line
for each answer that is not as described, or whose route is not, and ends with 1 if there is any. At
its end it names each operation that answers JSON and was never asked: those are told with 1, too.
"""

import json
import sys

from jsonschema import Draft202012Validator


def described(document, answer):
    """The schema of an answer, or None where the description has none for it."""
    operation = document["paths"].get(answer["route"], {}).get(answer["method"].lower(), {})
    answers = operation.get("responses", {})
    found = answers.get(str(answer["status"]), answers.get("default", {}))
    content = found.get("content", {})
    kind = "application/json" if answer["status"] < 400 else "application/problem+json"
    return content.get(kind, {}).get("schema")


def json_operations(document):
    """Every operation that answers JSON, as (METHOD, route)."""
    for route, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation.get("responses", {}).items():
                if status.startswith("2") and "application/json" in answer.get("content", {}):
                    yield method.upper(), route


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        answers = json.load(file)

    wrong = 0
    for answer in answers:
        schema = described(document, answer)
        name = f'{answer["method"]} {answer["route"]} {answer["status"]}'
        if schema is None:
            print(f"{name}: not described")
            wrong += 1
            continue

        whole = {"components": document["components"], **schema}
        for error in Draft202012Validator(whole).iter_errors(answer["body"]):
            print(f"{name}: {error.json_path}: {error.message[:400]}")
            wrong += 1

    asked = {(a["method"], a["route"]) for a in answers if a["status"] < 400}
    for method, route in sorted(set(json_operations(document)) - asked):
        print(f"{method} {route}: never answered here")
        wrong += 1

    sys.exit(1 if wrong else 0)


main()
