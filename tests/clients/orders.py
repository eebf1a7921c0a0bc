"""What the Python suites share about contracts: a topic that takes orders only, and what is one."""
import json
import os
import urllib.request

from checks import Skip

ORDER = 'syntax = "proto3"; package shop; message Order { string id = 1; int32 count = 2; }'
GOOD, BAD = b"\x0a\x01a\x10\x07", b"\x0a\x01a\x12\x02zz"
WHY = "Order.count: expected varint (int32), found 2 bytes length-delimited"
CONFIGS = {"millrace.value.contract": "payload", "millrace.value.subject": "orders"}


def schema_id():
    """Registers, the first time, what the topic's CONFIGS name."""
    registry = os.environ.get("MILLRACE_REGISTRY")
    if not registry:
        raise Skip("there is no registry")
    request = urllib.request.Request(
        f"{registry}/subjects/orders/versions", method="POST",
        data=json.dumps({"schemaType": "PROTOBUF", "schema": ORDER}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["id"]


def framed(number, payload=GOOD):
    """As a serializer writes it: magic byte, schema id, the first message."""
    return b"\0" + number.to_bytes(4, "big") + b"\0" + payload
