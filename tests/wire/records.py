"""Record batches (format 2), written and read without the broker's code."""
import gzip
import struct
import time


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = number << 1 ^ number >> 63
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number >> 1 ^ -(number & 1), at


def field(value):
    return varint(-1) if value is None else varint(len(value)) + value


def record(index, value, key, timestamp_delta):
    body = b"\0" + varint(timestamp_delta) + varint(index) + field(key) + field(value) + varint(0)
    return varint(len(body)) + body


def batch(values, *, keys=None, timestamp=None, timestamps=None, producer=-1, epoch=-1,
          sequence=-1, attributes=0, codec=None, base_offset=0, count=None, delta=None):
    """`timestamps` are absolute; without them all records have `timestamp` (now)."""
    base = timestamp if timestamp is not None else int(time.time() * 1000)
    times = timestamps or [base] * len(values)
    base = times[0]
    keys = keys or [None] * len(values)
    body = b"".join(record(i, values[i], keys[i], times[i] - base) for i in range(len(values)))
    if codec == "gzip":
        body, attributes = gzip.compress(body), attributes | 1
    delta = len(values) - 1 if delta is None else delta
    tail = struct.pack(">hiqqqhii", attributes, delta, base, max(times), producer, epoch, sequence,
                       len(values) if count is None else count) + body
    head = struct.pack(">qiib", base_offset, len(tail) + 9, -1, 2)
    return head + struct.pack(">I", crc32c(tail)) + tail


def batches(data):
    """The batches of a fetch answer: (base offset, bytes). The CRC of each is checked."""
    at, found = 0, []
    while at < len(data):
        base, length = struct.unpack_from(">qi", data, at)
        whole = data[at:at + 12 + length]
        assert len(whole) == 12 + length, "a batch is cut off"
        assert crc32c(whole[21:]) == struct.unpack_from(">I", whole, 17)[0], "the CRC is wrong"
        found.append((base, whole))
        at += 12 + length
    return found


def values(data):
    """(offset, value) of every record of a fetch answer."""
    out = []
    for base, whole in batches(data):
        attributes, = struct.unpack_from(">h", whole, 21)
        count, = struct.unpack_from(">i", whole, 57)
        body, at = whole[61:], 0
        if attributes & 7 == 1:
            body = gzip.decompress(body)
        for _ in range(count):
            length, at = read_varint(body, at)
            end = at + length
            _, at = read_varint(body, at + 1)
            delta, at = read_varint(body, at)
            size, at = read_varint(body, at)
            at += max(size, 0)
            size, at = read_varint(body, at)
            out.append((base + delta, None if size < 0 else body[at:at + size]))
            at = end
    return out
