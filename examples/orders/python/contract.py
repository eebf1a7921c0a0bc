"""Classes of messages, made of what the registry has: nothing to generate, nothing to keep in step.
(`protoc --python_out` on the .proto file gives classes that are used in the same way.)"""
import base64
import json
import urllib.parse
import urllib.request

from google.protobuf import descriptor_pool, message_factory
from google.protobuf import timestamp_pb2  # noqa: F401, the contract imports it
from google.protobuf.descriptor_pb2 import FileDescriptorProto


def newest_contract(registry_url, subject):
    """The newest version of a subject, as a descriptor."""
    path = f"/subjects/{urllib.parse.quote(subject, safe='')}/versions/latest?format=serialized"
    with urllib.request.urlopen(registry_url + path, timeout=10) as answer:
        return FileDescriptorProto.FromString(base64.b64decode(json.load(answer)["schema"]))


def message_class(contract, full_name):
    pool = descriptor_pool.Default()
    pool.Add(contract)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))
