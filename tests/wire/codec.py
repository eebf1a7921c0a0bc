"""Kafka messages in Python, led by protocol/messages: requests and answers as dictionaries with
snake_case keys. Written apart from protocol/wire.c on purpose: what both read the same way is right
more often than what one of them reads alone. Fields that are left out have their defaults."""
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "protocol"))
sys.dont_write_bytecode = True
import generate  # noqa: E402  (protocol/generate.py: the parser of the definitions)

FIXED = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint16": "H",
         "uint32": "I", "float64": "d"}


def load():
    """API name -> {"key", "request", "response"}."""
    apis = {}
    for path in sorted((ROOT / "protocol/messages").glob("*.msg")):
        for message in generate.parse(path):
            if message.kind in ("request", "response"):
                name = message.name.removesuffix("Request").removesuffix("Response")
                api = apis.setdefault(name, {"key": message.key})
                api[message.kind] = message
    return apis


APIS = load()


def has(versions, version):
    return versions[0] <= version <= versions[1]


def is_flexible(message, version):
    return has(message.flexible, version)


# ---- writing ---------------------------------------------------------------------------------


def uvarint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def default(field):
    if field.default == "null":
        return None
    if field.array:
        return []
    if field.is_struct:
        return {}
    if field.type in ("string", "bytes", "records", "slices"):
        return ""
    if field.type == "uuid":
        return bytes(16)
    if field.default is None:
        return 0
    return field.default == "true" if field.type == "bool" else int(field.default, 0)


def write_length(length, width, compact):
    if compact:
        return uvarint(0 if length is None else length + 1)
    return struct.pack(">h" if width == 2 else ">i", -1 if length is None else length)


def write_value(field, value, version, flexible):
    compact = flexible and not field.classic
    if field.array:
        items = None if value is None else [write_one(field, item, version, flexible)
                                            for item in value]
        return write_length(None if items is None else len(items), 4, compact) + b"".join(
            items or [])
    return write_one(field, value, version, flexible)


def write_one(field, value, version, flexible):
    compact = flexible and not field.classic
    if field.is_struct and field.nullable and not field.array:
        there = b"\xff" if value is None else b"\1"
        return there + (write_one_struct(field, value, version, flexible) if value else b"")
    if field.is_struct:
        return write_one_struct(field, value, version, flexible)
    if field.type in FIXED:
        return struct.pack(">" + FIXED[field.type], value)
    if field.type == "uuid":
        return value
    raw = value.encode() if isinstance(value, str) else value
    width = 2 if field.type == "string" else 4
    return write_length(None if raw is None else len(raw), width, compact) + (raw or b"")


def write_one_struct(field, value, version, flexible):
    return write_fields(field.struct.fields, value, version, flexible)


def write_fields(fields, values, version, flexible):
    out, tags = bytearray(), []
    unknown = set(values) - {field.c_name for field in fields}
    if unknown:
        raise KeyError(f"no such field: {', '.join(sorted(unknown))}")
    for field in fields:
        if not has(field.versions, version):
            continue
        value = values.get(field.c_name, default(field))
        if field.tag is None:
            out += write_value(field, value, version, flexible)
        elif field.c_name in values:
            raw = write_value(field, value, version, flexible)
            tags.append((field.tag, uvarint(field.tag) + uvarint(len(raw)) + raw))
    if flexible:
        out += uvarint(len(tags)) + b"".join(raw for _, raw in sorted(tags))
    return bytes(out)


def encode_request(name, version, correlation, body, client_id="wire"):
    """A whole frame."""
    message = APIS[name]["request"]
    flexible = is_flexible(message, version)
    raw_id = client_id.encode()
    header = struct.pack(">hhih", APIS[name]["key"], version, correlation, len(raw_id)) + raw_id
    header += b"\0" if flexible else b""
    frame = header + write_fields(message.fields, body, version, flexible)
    return struct.pack(">i", len(frame)) + frame


# ---- reading ---------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def unpack(self, code):
        return struct.unpack(">" + code, self.take(struct.calcsize(code)))[0]

    def uvarint(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def length(self, width, compact):
        length = self.uvarint() - 1 if compact else self.unpack("h" if width == 2 else "i")
        return None if length < 0 else length


def read_value(reader, field, version, flexible):
    compact = flexible and not field.classic
    if field.array:
        count = reader.length(4, compact)
        if count is None:
            return None
        return [read_one(reader, field, version, flexible) for _ in range(count)]
    return read_one(reader, field, version, flexible)


def read_one(reader, field, version, flexible):
    compact = flexible and not field.classic
    if field.is_struct:
        if field.nullable and not field.array and reader.unpack("b") < 0:
            return None
        return read_fields(reader, field.struct.fields, version, flexible)
    if field.type in FIXED:
        return reader.unpack(FIXED[field.type])
    if field.type == "uuid":
        return reader.take(16)
    length = reader.length(2 if field.type == "string" else 4, compact)
    if length is None:
        return None
    raw = reader.take(length)
    return raw.decode() if field.type == "string" else raw


def read_fields(reader, fields, version, flexible):
    values = {}
    for field in fields:
        if has(field.versions, version):
            values[field.c_name] = default(field)
            if field.tag is None:
                values[field.c_name] = read_value(reader, field, version, flexible)
    if flexible:
        by_tag = {field.tag: field for field in fields if field.tag is not None}
        for _ in range(reader.uvarint()):
            tag, size = reader.uvarint(), reader.uvarint()
            end = reader.at + size
            if tag in by_tag:
                values[by_tag[tag].c_name] = read_value(reader, by_tag[tag], version, flexible)
            reader.at = end
    return values


def decode_response(name, version, payload):
    """(correlation id, values) of a frame without its length; every byte must have been meant."""
    message = APIS[name]["response"]
    reader = Reader(payload)
    correlation = reader.unpack("i")
    flexible = is_flexible(message, version)
    if flexible and name != "ApiVersions" and reader.uvarint() != 0:
        raise ValueError("tags in a response header")
    values = read_fields(reader, message.fields, version, flexible)
    if reader.at != len(payload):
        raise ValueError(f"{name} v{version}: {len(payload) - reader.at} bytes are left over")
    return correlation, values
