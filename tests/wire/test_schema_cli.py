"""Schemas and payloads checked without a broker."""
import subprocess
import tempfile
from pathlib import Path

from broker import Broker

ORDER = """syntax = "proto3";
package shop;
import "item.proto";
message Order { string id = 1; repeated Item items = 2; }
"""
ITEM = """syntax = "proto3";
package shop;
message Item { int32 qty = 1; }
"""


class Folder:
    def __init__(self, **files):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-schema-")
        self.path = Path(self.folder.name)
        for name, content in files.items():
            self.write(name.replace("_", "."), content)

    def write(self, name, content):
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, *arguments, status=0):
        """Both outputs as one."""
        done = subprocess.run([Broker.program, *arguments], cwd=self.path, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == status, (arguments, done)
        return done.stdout + done.stderr


def test_check():
    at = Folder(order_proto=ORDER, item_proto=ITEM, bad_proto='syntax = "proto3";\nmessage A { B b = 1; }\n')
    assert at.run("schema", "check", "order.proto") == "shop.Order\n"
    assert "repeated .shop.Item items = 2;" in at.run("schema", "check", "order.proto", "--canonical")
    assert 'bad.proto:2:13: "B" is not defined.' in at.run("schema", "check", "bad.proto", status=1)
    assert "cannot read none.proto" in at.run("schema", "check", "none.proto", status=1)
    (at.path / "include").mkdir()
    (at.path / "item.proto").rename(at.path / "include/item.proto")
    assert '"Item" is not defined' in at.run("schema", "check", "order.proto", status=1)
    assert at.run("schema", "check", "order.proto", "-I", "include") == "shop.Order\n"


def test_diff():
    at = Folder(old_proto=ITEM, same_proto="// a comment\n" + ITEM, new_proto=ITEM.replace("int32", "string"),
                more_proto=ITEM + "message More {}\n")
    assert at.run("schema", "diff", "old.proto", "same.proto", "--level", "FULL") == ""
    said = at.run("schema", "diff", "old.proto", "new.proto", status=1)
    assert "FIELD_SCALAR_KIND_CHANGED" in said and "'#/Item/1'" in said and "1 difference" in said
    assert at.run("schema", "diff", "old.proto", "more.proto") == ""
    assert "MESSAGE_REMOVED" in at.run("schema", "diff", "old.proto", "more.proto", "-l", "forward",
                                       status=1)
    assert "--level" in at.run("schema", "diff", "old.proto", "new.proto", "-l", "nonsense", status=2)


def test_a_payload_that_is_too_large():
    """Not what its first part would be."""
    at = Folder(order_proto=ORDER, item_proto=ITEM)
    with open(at.path / "large", "wb") as file:
        file.truncate((64 << 20) + 1)
    assert "large has more than 64MiB" in at.run(
        "contract", "test", "order.proto", "large", "-m", "shop.Order", status=1)


def test_payloads():
    at = Folder(order_proto=ORDER, item_proto=ITEM, two_proto=ITEM + "message More {}\n")
    at.write("good", b"\x0a\x01a\x12\x02\x08\x01")
    at.write("bad", b"\x12\x02\x08\x01\x12\x04\x0a\x02xy")
    at.write("unknown", b"\x18\x01")
    at.write("framed", b"\0\0\0\0\x07\0\x0a\x01a")
    at.write("text", b"hi")
    assert at.run("contract", "test", "order.proto", "good") == "good: valid\n"
    said = at.run("contract", "test", "order.proto", "good", "bad", status=1)
    assert ("bad: Order.items[1].qty: expected varint (int32), found 2 bytes length-delimited\n"
            in said), said
    assert "1 of 2" in said
    assert "field 3 is not in the schema" in at.run("contract", "test", "order.proto", "unknown",
                                                    status=1)
    at.run("contract", "test", "order.proto", "unknown", "--allow-unknown")
    at.run("contract", "test", "order.proto", "text", status=1)
    assert at.run("contract", "test", "order.proto", "framed", "--framed") == "framed: valid\n"
    assert "no schema id" in at.run("contract", "test", "order.proto", "text", "--framed", status=1)
    assert "--message" in at.run("contract", "test", "two.proto", "good", status=1)
    at.run("contract", "test", "two.proto", "/dev/null", "-m", "shop.Item")
    assert 'no message "Item"' in at.run("contract", "test", "two.proto", "good", "-m", "Item",
                                         status=1)
