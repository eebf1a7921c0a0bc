#!/usr/bin/env python3
"""Compares our message definitions with Kafka's own, field by field.

    conformance.py FOLDER_OF_JSON

Compared are: which fields there are, and in which order; types; versions, nullable versions and
tags; defaults; keys, valid and flexible versions of messages. Versions count only as far as their
parents have them. Prints each difference; the exit code is 1 when there is one, 77 (skipped) when
the folder is absent. Persisted records are looked for in `records` beside that folder.
"""

import glob
import json
import os
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is

from generate import NONE, VERSION_MAX, both, parse

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def kafka_range(text):
    if not text or text == "none":
        return NONE
    first, _, last = text.removesuffix("+").partition("-")
    return (int(first), VERSION_MAX if text.endswith("+") else int(last or first))


def zero_of(kind):
    if kind.startswith("[]") or kind in ("string", "bytes", "records", "uuid"):
        return '""' if kind == "string" else "empty"
    return "0"


def normal_default(given, kind):
    """One spelling per value: 0x7fffffff and 2147483647, False and false and 0."""
    if given is None:
        return zero_of(kind)
    text = str(given)
    if text == "null":
        return text
    if kind == "string":
        return '"' + text.strip('"') + '"'
    if kind == "bool":
        return "1" if text.lower() == "true" else "0"
    if kind.startswith("[]") or kind[0].isupper():
        return text
    return str(float(text)) if kind == "float64" else str(int(text, 0))


def kafka_default(field):
    """None where none is given; Kafka writes a default of null in two ways."""
    return "null" if "default" in field and field["default"] is None else field.get("default")


def kafka_fields(fields, parent, shared):
    """Kafka's fields as rows to compare: (attributes, rows of the struct inside)."""
    rows = []
    for field in fields:
        versions = both(kafka_range(field.get("versions") or field.get("taggedVersions")), parent)
        if versions == NONE:
            continue  # only in versions that Kafka does not speak any more
        kind = field["type"]
        inner = field.get("fields") or shared.get(kind.removeprefix("[]"), [])
        row = {
            "name": field["name"],
            "type": kind,
            "versions": versions,
            "nullable": both(kafka_range(field.get("nullableVersions")), versions),
            "tag": field.get("tag"),
            "tagged versions": both(kafka_range(field.get("taggedVersions")), versions),
            "default": normal_default(kafka_default(field), kind),
            "classic": field.get("flexibleVersions") == "none",
        }
        rows.append((row, kafka_fields(inner, versions, shared)))
    return rows


def our_fields(fields, parent, owner=None):
    rows = []
    for field in fields:
        versions = both(field.written or parent, parent)
        if versions == NONE:
            continue  # of a shared struct, in a field that begins later
        kind = ("[]" if field.array else "") + ("records" if field.type == "slices" else field.type)
        nullable = field.null_written or versions if field.nullable else NONE
        row = {
            "name": field.name,
            "type": kind,
            "versions": versions,
            "nullable": both(nullable, versions),
            "tag": field.tag,
            "tagged versions": versions if field.tag is not None else NONE,
            "default": normal_default(field.default, kind),
            "classic": field.classic,
        }
        inner = our_fields(field.struct.fields, versions, field.type) if field.struct else []
        rows.append((row, inner))
    return rows


def compare_rows(place, ours, theirs, found):
    names = [row["name"] for row, _ in ours]
    expected = [row["name"] for row, _ in theirs]
    if names != expected:
        found.append(f"{place}: fields are {', '.join(names)}; Kafka has {', '.join(expected)}")
        return
    for (our_row, our_inner), (their_row, their_inner) in zip(ours, theirs):
        here = f"{place}.{our_row['name']}"
        for key, value in our_row.items():
            if value != their_row[key]:
                found.append(f"{here}: {key} is {value}; Kafka has {their_row[key]}")
        compare_rows(here, our_inner, their_inner, found)


def compare(message, kafka, found):
    valid = kafka_range(kafka["validVersions"])
    flexible = both(kafka_range(kafka["flexibleVersions"]), valid)
    heads = {
        "versions": (message.versions, valid),
        "flexible": (message.flexible, flexible),
        "key": (message.key, kafka.get("apiKey", -1)),
    }
    for what, (ours, theirs) in heads.items():
        if ours != theirs:
            found.append(f"{message.name}: {what} is {ours}; Kafka has {theirs}")
    shared = {struct["name"]: struct["fields"] for struct in kafka.get("commonStructs", [])}
    compare_rows(message.name, our_fields(message.fields, message.versions),
                 kafka_fields(kafka["fields"], valid, shared), found)


def find_official(folder, name):
    for place in (folder, os.path.join(folder, os.pardir, "records")):
        path = os.path.join(place, name + ".json")
        if os.path.exists(path):
            return path
    return None


def main():
    folder = sys.argv[1]
    if not os.path.isdir(folder):
        print(f"skipped: no folder {folder} (MILLRACE_KAFKA_MESSAGES names it)")
        return SKIPPED
    found, count = [], 0
    for path in sorted(glob.glob(os.path.join(HERE, "messages", "*.msg"))):
        for message in parse(path):
            official = find_official(folder, message.name)
            if not official:
                found.append(f"{message.name}: Kafka has no such message")
                continue
            with open(official, encoding="utf-8") as file:
                compare(message, json.load(file), found)
            count += 1
    print("\n".join(found) if found else f"{count} messages are as Kafka defines them")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
