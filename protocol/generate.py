#!/usr/bin/env python3
"""Turns one message definition (messages/README.md has the language) into C.

    generate.py messages/produce.msg OUTPUT_FOLDER

writes OUTPUT_FOLDER/produce.h with plain structs, and produce.c with the tables that wire.c reads
(message.h has their shape). parse() is also what conformance.py compares with Kafka's definitions.
"""

import os
import re
import sys

# type name -> (C type, table type, bytes that it takes on the wire at least: classic, flexible)
SCALARS = {
    "bool": ("bool", "FIELD_BOOL", 1, 1),
    "int8": ("int8_t", "FIELD_INT8", 1, 1),
    "int16": ("int16_t", "FIELD_INT16", 2, 2),
    "int32": ("int32_t", "FIELD_INT32", 4, 4),
    "int64": ("int64_t", "FIELD_INT64", 8, 8),
    "uint16": ("uint16_t", "FIELD_UINT16", 2, 2),
    "uint32": ("uint32_t", "FIELD_UINT32", 4, 4),
    "float64": ("double", "FIELD_FLOAT64", 8, 8),
    "uuid": ("struct uuid", "FIELD_UUID", 16, 16),
    "string": ("struct bytes", "FIELD_STRING", 2, 1),
    "bytes": ("struct bytes", "FIELD_BYTES", 4, 1),
    "records": ("struct bytes", "FIELD_BYTES", 4, 1),
    "slices": ("struct record_slices", "FIELD_SLICES", 4, 1),
}
ARRAY_MINIMUM = (4, 1)
RESERVED = set(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while bool true false".split())
VERSION_MAX = 127  # a table keeps a version in an int8_t
NONE = (1, 0)  # an empty range of versions


class Field:
    def __init__(self, name, kind, line):
        self.name, self.line = name, line
        self.array = kind.startswith("[]")
        self.nullable = kind.endswith("?")
        self.type = kind.removeprefix("[]").removesuffix("?")
        self.written = None  # versions as written: None means those of the parent
        self.null_written = None
        self.versions = self.null_versions = NONE
        self.tag = None
        self.default = None
        self.classic = False  # never in compact form (the header's client id)
        self.fields = []  # of a struct that is defined in place
        self.struct = None  # the Struct of this field's type

    @property
    def is_struct(self):
        return self.type[0].isupper()

    @property
    def c_name(self):
        return snake(self.name)


class Struct:
    """The layout of a message, of a struct inside it, or of one that several fields share."""

    def __init__(self, name, fields, line):
        self.name, self.fields, self.line = name, fields, line


class Message:
    def __init__(self, name, key, kind, line):
        self.name, self.key, self.kind, self.line = name, key, kind, line
        self.versions, self.flexible = NONE, NONE
        self.fields = []
        self.shared = []  # Structs that several fields use
        self.structs = {}  # every Struct by its name


class Wrong(Exception):
    pass


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parse_range(text, line):
    match = re.fullmatch(r"(\d+)(?:(\+)|-(\d+))?", text)
    if not match:
        raise Wrong(f"{line}: '{text}' is no range of versions (3, 3+, 3-9)")
    first = int(match[1])
    return (first, VERSION_MAX if match[2] else int(match[3] or first))


def both(a, b):
    """The versions that are in both ranges."""
    shared = (max(a[0], b[0]), min(a[1], b[1]))
    return shared if shared[0] <= shared[1] else NONE


def split_words(text):
    """Words of a line; a quoted text stays whole."""
    return re.findall(r'"[^"]*"|[^\s,]+', text)


def without_comment(text):
    return re.sub(r'("[^"]*")|#.*', lambda match: match[1] or "", text).rstrip()


def parse_field(words, line):
    if len(words) < 2 or not re.fullmatch(r"(\[\])?[A-Za-z][A-Za-z0-9]*\??", words[1]):
        raise Wrong(f"{line}: a field is 'Name type [versions] [null …] [tag …] [= …]'")
    field = Field(words[0], words[1], line)
    if not field.is_struct and field.type not in SCALARS:
        raise Wrong(f"{line}: unknown type '{field.type}'")
    rest = words[2:]
    while rest:
        word = rest.pop(0)
        if word[0].isdigit():
            field.written = parse_range(word, line)
        elif word == "null" and rest:
            field.null_written = parse_range(rest.pop(0), line)
            field.nullable = True
        elif word == "tag" and rest:
            field.tag = int(rest.pop(0))
        elif word == "=" and rest:
            field.default = rest.pop(0)
        elif word == "classic":
            field.classic = True
        else:
            raise Wrong(f"{line}: '{word}' does not belong here")
    return field


def parse_head(words, line, api):
    """request|response VERSIONS [flexible VERSIONS], or data NAME VERSIONS [flexible …] [key N]."""
    kind, rest = words[0], words[1:]
    if kind == "data":
        message = Message(rest.pop(0), -1, kind, line)
    elif api:
        message = Message(api[1] + kind.capitalize(), api[0], kind, line)
    else:
        raise Wrong(f"{line}: 'api KEY NAME' must come before '{kind}'")
    message.versions = parse_range(rest.pop(0), line)
    if message.versions[1] == VERSION_MAX:
        raise Wrong(f"{line}: a message ends at a version that is known")
    if rest[:1] == ["flexible"]:
        message.flexible = both(parse_range(rest[1], line), message.versions)
        rest = rest[2:]
    if kind == "data" and rest[:1] == ["key"]:
        message.key = int(rest[1])
        rest = rest[2:]
    if rest:
        raise Wrong(f"{line}: '{rest[0]}' does not belong here")
    return message


def parse(path):
    """The messages that a file defines."""
    messages, api = [], None
    stack = []  # (indent, list that takes the fields deeper than this)
    with open(path, encoding="utf-8") as file:
        for number, raw in enumerate(file, 1):
            line = f"{path}:{number}"
            text = without_comment(raw)
            words = split_words(text)
            if not words:
                continue
            indent = len(text) - len(text.lstrip())
            if indent == 0:
                if words[0] == "api":
                    api = (int(words[1]), words[2])
                elif words[0] in ("request", "response", "data"):
                    messages.append(parse_head(words, line, api))
                    stack = [(0, messages[-1].fields)]
                elif words[0] == "struct" and messages:
                    shared = Struct(words[1], [], line)
                    messages[-1].shared.append(shared)
                    stack = [(0, shared.fields)]
                else:
                    raise Wrong(f"{line}: unknown line '{words[0]}'")
                continue
            while stack and indent <= stack[-1][0]:
                stack.pop()
            if not stack:
                raise Wrong(f"{line}: a field outside a message")
            field = parse_field(words, line)
            stack[-1][1].append(field)
            stack.append((indent, field.fields))
    for message in messages:
        resolve(message)
    return messages


def resolve(message):
    """Gives each field its struct and its versions, and checks what the tables rely on."""
    for shared in message.shared:
        message.structs[shared.name] = shared
    slices = message.kind == "response"
    if message.flexible != NONE and message.flexible[1] != message.versions[1]:
        raise Wrong(f"{message.line}: once flexible, always flexible")
    resolve_fields(message, message.fields, message.versions, slices)
    for shared in message.shared:
        resolve_fields(message, shared.fields, message.versions, slices)
    for struct in message.structs.values():
        if not struct.fields:
            raise Wrong(f"{struct.line}: struct {struct.name} has no fields")


def resolve_fields(message, fields, parent, slices):
    for field in fields:
        if field.written and both(field.written, parent) == NONE:
            raise Wrong(f"{field.line}: {field.name} is in no version of what holds it")
        field.versions = both(field.written or parent, parent)
        if field.nullable:
            field.null_versions = both(field.null_written or field.versions, field.versions)
        if field.type == "records" and slices:
            field.type = "slices"
        if field.c_name in RESERVED:
            raise Wrong(f"{field.line}: {field.name} is a word of C")
        if field.tag is not None and both(field.versions, message.flexible) != field.versions:
            raise Wrong(f"{field.line}: tagged in a version that is not flexible")
        if not field.is_struct:
            if field.fields:
                raise Wrong(f"{field.line}: only a struct has fields")
            continue
        if field.fields:
            if field.type in message.structs:
                raise Wrong(f"{field.line}: struct {field.type} is defined twice")
            message.structs[field.type] = Struct(field.type, field.fields, field.line)
        if field.type not in message.structs:
            raise Wrong(f"{field.line}: struct {field.type} is not defined")
        field.struct = message.structs[field.type]
        if field.nullable and not field.array and field.null_versions != field.versions:
            raise Wrong(f"{field.line}: a struct is nullable in all its versions or in none")
        if is_pointer(field) and field.default != "null":
            raise Wrong(f"{field.line}: a nullable struct is null by default: say so")
        resolve_fields(message, field.fields, field.versions, slices)


# What follows writes C.


def c_struct(message, struct=None):
    return snake(message.name) + ("_" + snake(struct.name) if struct else "")


def c_type(message, field):
    return "struct " + c_struct(message, field.struct) if field.is_struct else SCALARS[field.type][0]


def is_pointer(field):
    return field.is_struct and field.nullable and not field.array


def describe_versions(field, message):
    words = []
    if field.versions != message.versions:
        last = "+" if field.versions[1] == message.versions[1] else f"-{field.versions[1]}"
        words.append(f"{field.versions[0]}{last}")
    if field.null_versions != NONE:
        last = "+" if field.null_versions[1] == message.versions[1] else f"-{field.null_versions[1]}"
        all_versions = field.null_versions == field.versions
        words.append("nullable" if all_versions else f"nullable {field.null_versions[0]}{last}")
    if field.tag is not None:
        words.append(f"tag {field.tag}")
    return f" /* {', '.join(words)} */" if words else ""


def write_struct(message, struct, fields, out):
    out.append(f"struct {c_struct(message, struct)} {{")
    for field in fields:
        note = describe_versions(field, message)
        kind = c_type(message, field)
        if field.array:
            out.append(f"    int32_t {field.c_name}_count;{note}")
            out.append(f"    {kind} *{field.c_name};")
        else:
            star = "*" if is_pointer(field) else ""
            out.append(f"    {kind} {star}{field.c_name};{note}")
    out.append("};")


def ordered(message):
    """Structs so that each comes after those that it uses; the message itself is last."""
    done = []

    def visit(fields):
        for field in fields:
            if field.is_struct and field.struct not in done:
                visit(field.struct.fields)
                done.append(field.struct)

    visit(message.fields)
    return done


def write_header(source, messages):
    out = [f"/* Generated from {source}: do not edit. Comments name the versions where they are not",
           " * all; fields outside the version in use are ignored. */", "#pragma once", "",
           '#include "protocol/message.h"', ""]
    for message in messages:
        for struct in ordered(message):
            write_struct(message, struct, struct.fields, out)
        write_struct(message, None, message.fields, out)
        out += [f"extern const struct message {c_struct(message)}_message;", ""]
    return "\n".join(out)


def default_value(field):
    """The initialiser of one field inside the defaults of its struct."""
    given, name = field.default, "." + field.c_name
    if field.array:
        return f"{name}_count = {-1 if given == 'null' else 0}, {name} = NULL"
    if is_pointer(field):
        return f"{name} = NULL"
    if field.is_struct:
        return f"{name} = {{{default_values(field.struct.fields)}}}"
    if field.type in ("string", "bytes", "records"):
        text = '""' if given in (None, '""') else given
        if given == "null":
            return f"{name} = {{NULL, 0}}"
        return f"{name} = {{(const uint8_t *){text}, sizeof({text}) - 1}}"
    if field.type == "uuid":
        return f"{name} = {{{{0}}}}"
    if field.type == "slices":
        return f"{name} = {{0, NULL, 0}}"
    if given is None:
        return f"{name} = 0"
    if field.type in ("bool", "float64"):
        return f"{name} = {given}"
    number = int(given, 0)
    return f"{name} = {'INT64_MIN' if number == -(1 << 63) else number}"


def default_values(fields):
    return ", ".join(default_value(field) for field in fields)


def minimum(message, fields, version):
    """The fewest bytes that a struct takes on the wire: what bounds the count of an array."""
    flexible = message.flexible[0] <= version <= message.flexible[1]
    total = 1 if flexible else 0  # the number of tagged fields
    for field in fields:
        if field.tag is not None or not field.versions[0] <= version <= field.versions[1]:
            continue
        if field.array:
            total += ARRAY_MINIMUM[flexible]
        elif is_pointer(field):
            total += 1
        elif field.is_struct:
            total += minimum(message, field.struct.fields, version)
        else:
            total += SCALARS[field.type][2 + (flexible and not field.classic)]
    return total


def write_field(message, owner, field):
    parts = [f'.name = "{field.c_name}"', f".offset = offsetof(struct {owner}, {field.c_name})"]
    if field.array:
        parts.append(f".count_offset = offsetof(struct {owner}, {field.c_name}_count)")
    parts.append(".type = " + ("FIELD_STRUCT" if field.is_struct else SCALARS[field.type][1]))
    if field.is_struct:
        parts.append(f".layout = &{c_struct(message, field.struct)}_layout")
    if field.array or is_pointer(field):
        parts.append(".shape = " + ("SHAPE_ARRAY" if field.array else "SHAPE_POINTER"))
    parts.append(f".tag = {-1 if field.tag is None else field.tag}")
    parts.append(f".first = {field.versions[0]}, .last = {field.versions[1]}")
    parts.append(f".null_first = {field.null_versions[0]}, .null_last = {field.null_versions[1]}")
    if field.classic:
        parts.append(".classic = true")
    return "    {" + ", ".join(parts) + "},"


def write_layout(message, struct, fields, out):
    owner = c_struct(message, struct)
    plain = [field for field in fields if field.tag is None]
    tagged = sorted((field for field in fields if field.tag is not None), key=lambda f: f.tag)
    if [field.tag for field in tagged] != sorted({field.tag for field in tagged}):
        raise Wrong(f"{fields[0].line}: a tag is used twice in {owner}")
    for suffix, list_of in (("fields", plain), ("tagged", tagged)):
        if list_of:
            out.append(f"static const struct field {owner}_{suffix}[] = {{")
            out += [write_field(message, owner, field) for field in list_of]
            out.append("};")
    first, last = message.versions
    minimums = [minimum(message, fields, version) for version in range(first, last + 1)]
    out += [
        f"static const uint16_t {owner}_minimum[] = {{{', '.join(map(str, minimums))}}};",
        f"static const struct {owner} {owner}_defaults = {{{default_values(fields)}}};",
        f"static const struct layout {owner}_layout = {{",
        f'    .name = "{owner}",',
        f"    .defaults = &{owner}_defaults,",
        f"    .minimum_size = {owner}_minimum,",
        f"    .size = sizeof(struct {owner}),",
    ]
    for suffix, list_of in (("fields", plain), ("tagged", tagged)):
        if list_of:
            name = "field" if suffix == "fields" else "tagged"
            out.append(f"    .{suffix} = {owner}_{suffix}, .{name}_count = {len(list_of)},")
    out += ["};", ""]


def write_source(source, header, messages):
    out = [f"/* Generated from {source}: do not edit. */", f'#include "{header}"', ""]
    for message in messages:
        name = c_struct(message)
        for struct in ordered(message):
            write_layout(message, struct, struct.fields, out)
        write_layout(message, None, message.fields, out)
        flexible = message.flexible[0] if message.flexible != NONE else VERSION_MAX
        out += [
            f"const struct message {name}_message = {{",
            f'    .name = "{name}", .layout = &{name}_layout, .key = {message.key},',
            f"    .first_version = {message.versions[0]}, .last_version = {message.versions[1]},",
            f"    .flexible_version = {flexible},",
            "};", ""]
    return "\n".join(out)


def main():
    path, folder = sys.argv[1:3]
    stem = os.path.splitext(os.path.basename(path))[0]
    try:
        messages = parse(path)
        header = write_header(f"messages/{stem}.msg", messages)
        code = write_source(f"messages/{stem}.msg", f"protocol/{stem}.h", messages)
    except Wrong as wrong:
        sys.exit(f"{wrong}")
    os.makedirs(folder, exist_ok=True)
    for name, content in ((stem + ".h", header), (stem + ".c", code)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)


if __name__ == "__main__":
    main()
