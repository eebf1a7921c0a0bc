"""A Kafka client for tests that is led by our message definitions: any API, any version, exact bytes.

    with Connection("127.0.0.1:9092") as kafka:
        answer = kafka.call("CreateTopics", 7, Topics=[{"Name": "t", "NumPartitions": 1, ...}])
        answer["Topics"][0]["ErrorCode"]

Messages are dictionaries by Kafka's field names; a field that is left out has its default. Strings
are str, bytes and records bytes, uuids bytes of 16.
"""
import pathlib
import socket
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "protocol"))
import generate  # noqa: E402

NUMBERS = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint16": "H",
           "uint32": "I", "float64": "d"}


def definitions():
    """{api name: (key, request, response)}"""
    apis = {}
    for path in sorted((ROOT / "protocol" / "messages").glob("*.msg")):
        messages = generate.parse(str(path))
        if len(messages) == 2 and messages[0].kind == "request":
            request, response = messages
            apis[request.name.removesuffix("Request")] = (request.key, request, response)
    return apis


def has(field, version):
    return field.versions[0] <= version <= field.versions[1]


def default(field):
    given = field.default
    if given == "null":
        return None
    if field.array:
        return []
    if field.is_struct:
        return {}
    if field.type in NUMBERS:
        if field.type == "bool":
            return given == "true"
        return float(given or 0) if field.type == "float64" else int(given or "0", 0)
    if field.type == "uuid":
        return bytes(16)
    return (given or "").strip('"') if field.type == "string" else b""


class Writer:
    def __init__(self, message, version):
        self.version = version
        self.flexible = message.flexible[0] <= version <= message.flexible[1]
        self.out = bytearray()

    def varint(self, value):
        while value >= 0x80:
            self.out.append(value & 0x7f | 0x80)
            value >>= 7
        self.out.append(value)

    def length(self, length, form, flexible):
        """-1 is null."""
        if flexible:
            self.varint(length + 1)
        else:
            self.out += struct.pack(form, length)

    def value(self, field, value):
        if field.is_struct:
            if field.nullable and not field.array:
                self.out += b"\xff" if value is None else b"\x01"
            if value is not None:
                self.fields(field.struct.fields, value)
        elif field.type in NUMBERS:
            self.out += struct.pack(">" + NUMBERS[field.type], value)
        elif field.type == "uuid":
            self.out += value
        else:
            raw = value.encode() if isinstance(value, str) else value
            form = ">h" if field.type == "string" else ">i"
            self.length(-1 if raw is None else len(raw), form, self.flexible and not field.classic)
            self.out += raw or b""

    def field(self, field, value):
        if not field.array:
            self.value(field, value)
            return
        self.length(-1 if value is None else len(value), ">i", self.flexible)
        for item in value or []:
            self.value(field, item)

    def fields(self, fields, values):
        unknown = set(values) - {field.name for field in fields}
        assert not unknown, f"no such fields: {unknown}"
        tagged = []
        for field in fields:
            if not has(field, self.version):
                continue
            value = values.get(field.name, default(field))
            if field.tag is None:
                self.field(field, value)
            elif field.name in values:
                tagged.append((field.tag, field, value))
        if self.flexible:
            self.tagged(sorted(tagged, key=lambda item: item[0]))

    def tagged(self, tagged):
        self.varint(len(tagged))
        for tag, field, value in tagged:
            before, self.out = self.out, bytearray()
            self.field(field, value)
            inside, self.out = self.out, before
            self.varint(tag)
            self.varint(len(inside))
            self.out += inside


class Reader:
    def __init__(self, message, version, raw):
        self.version = version
        self.flexible = message.flexible[0] <= version <= message.flexible[1]
        self.raw, self.at = raw, 0

    def take(self, count):
        assert 0 <= count <= len(self.raw) - self.at, "the answer ends too early"
        self.at += count
        return self.raw[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, form):
        if self.flexible:
            return self.varint() - 1
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self, field):
        if field.is_struct:
            if field.nullable and not field.array and self.take(1) == b"\xff":
                return None
            return self.fields(field.struct.fields)
        if field.type in NUMBERS:
            form = ">" + NUMBERS[field.type]
            return struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if field.type == "uuid":
            return bytes(self.take(16))
        length = self.length(">h" if field.type == "string" else ">i")
        if length < 0:
            return None
        raw = bytes(self.take(length))
        return raw.decode() if field.type == "string" else raw

    def field(self, field):
        if not field.array:
            return self.value(field)
        length = self.length(">i")
        return None if length < 0 else [self.value(field) for _ in range(length)]

    def fields(self, fields):
        values = {}
        tagged = {}
        for field in fields:
            if field.tag is not None or not has(field, self.version):
                values[field.name] = default(field)
                if field.tag is not None and has(field, self.version):
                    tagged[field.tag] = field
            else:
                values[field.name] = self.field(field)
        for _ in range(self.varint() if self.flexible else 0):
            tag, size = self.varint(), self.varint()
            end = self.at + size
            if tag in tagged:
                values[tagged[tag].name] = self.field(tagged[tag])
            self.at = end
        return values


class Connection:
    APIS = definitions()

    def __init__(self, address, seconds=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=seconds)
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, api, version, **values):
        key, request, _ = self.APIS[api]
        body = Writer(request, version)
        body.fields(request.fields, values)
        self.correlation_id += 1
        client_id = b"wire"
        header = struct.pack(">hhih", key, version, self.correlation_id, len(client_id)) + client_id
        if body.flexible:
            header += b"\0"
        frame = header + bytes(body.out)
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        return self.correlation_id

    def receive_frame(self):
        size = struct.unpack(">i", self.exactly(4))[0]
        return self.exactly(size)

    def exactly(self, count):
        raw = b""
        while len(raw) < count:
            more = self.socket.recv(count - len(raw))
            if not more:
                raise ConnectionError("the broker closed the connection")
            raw += more
        return raw

    def receive(self, api, version, correlation_id):
        _, _, response = self.APIS[api]
        reader = Reader(response, version, self.receive_frame())
        assert struct.unpack(">i", reader.take(4))[0] == correlation_id, "answers out of order"
        if reader.flexible and api != "ApiVersions":
            assert reader.take(1) == b"\0", "tags in the header"
        values = reader.fields(response.fields)
        assert reader.at == len(reader.raw), f"{len(reader.raw) - reader.at} bytes left over"
        return values

    def call(self, api, version, **values):
        return self.receive(api, version, self.send(api, version, **values))

    def versions(self, api):
        """Those that are defined, as a range."""
        first, last = self.APIS[api][1].versions
        return range(first, last + 1)
