"""Handshake, versions, headers, and what is not Kafka at all."""
import struct

import codec
from broker import ERRORS, Broker, Closed


def advertised(client):
    answer = client.call("ApiVersions", 3, client_software_name="wire",
                         client_software_version="1.0")
    assert answer["error_code"] == 0
    return {api["api_key"]: (api["min_version"], api["max_version"]) for api in answer["api_keys"]}


def test_api_versions_in_every_version():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        plain = client.call("ApiVersions", 0)
        for version in range(5):
            body = {"client_software_name": "a-b.c", "client_software_version": "1"}
            answer = client.call("ApiVersions", version, **(body if version >= 3 else {}))
            assert answer["api_keys"] == plain["api_keys"]
        keys = [api["api_key"] for api in plain["api_keys"]]
        assert len(set(keys)) == len(keys)
        assert (0, 0, 13) in [tuple(api.values()) for api in plain["api_keys"]]
        assert not set(keys) & {71, 72}, "advertised and not served"


def test_finalized_features():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        answer = client.call("ApiVersions", 3, client_software_name="x",
                             client_software_version="1")
        levels = {feature["name"]: feature["max_version_level"]
                  for feature in answer["finalized_features"]}
        assert "metadata.version" in levels and levels["group.version"] == 1
        assert not set(levels) & {"share.version", "transaction.version"}


def test_unknown_api_versions_version_is_answered_in_version_0():
    with Broker(ephemeral=True) as broker:
        for version in (5, 99, 32767, -1):
            with broker.connect(greet=False) as client:
                frame = struct.pack(">hhih", 18, version, 77, 4) + b"wire" + b"\xff" * 9
                client.write(struct.pack(">i", len(frame)) + frame)
                correlation, answer = codec.decode_response("ApiVersions", 0, client.read_frame())
                assert correlation == 77
                assert answer["error_code"] == ERRORS["UNSUPPORTED_VERSION"]
                assert [api["api_key"] for api in answer["api_keys"]] == [18]
                client.call("ApiVersions", 0)  # the connection goes on


def test_wrong_software_name():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        for name in ("", "-a", "a-", "a b"):
            answer = client.call("ApiVersions", 3, client_software_name=name,
                                 client_software_version="1")
            assert answer["error_code"] == ERRORS["INVALID_REQUEST"], name


def test_every_api_in_every_version():
    """An almost empty request in each version that is advertised must be answered, in a form that
    an independent codec reads to the last byte."""
    bodies = {
        "ApiVersions": {"client_software_name": "x", "client_software_version": "1"},
        "FindCoordinator": {"key": "g", "coordinator_keys": ["g"]},
        "Fetch": {"replica_id": -1},
        "ListOffsets": {"replica_id": -1},
        "DescribeCluster": {"endpoint_type": 1},
    }
    by_key = {api["key"]: name for name, api in codec.APIS.items()}
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        for key, (first, last) in advertised(client).items():
            name = by_key[key]
            request = codec.APIS[name]["request"]
            for version in range(max(first, request.versions[0]), last + 1):
                known = {field.c_name for field in request.fields
                         if codec.has(field.versions, version)}
                body = {field: value for field, value in bodies.get(name, {}).items()
                        if field in known}
                if name == "Produce":
                    body = {"acks": -1}
                try:
                    client.call(name, version, **body)
                except Closed as closed:
                    raise AssertionError(f"{name} v{version}: {closed}") from closed


def old_produce(version, acks=1):
    records = b"\0" * 30
    body = struct.pack(">hi", acks, 1000) + struct.pack(">ih", 1, 3) + b"old"
    body += struct.pack(">iii", 1, 7, len(records)) + records
    frame = struct.pack(">hhih", 0, version, 5, 0) + body
    return struct.pack(">i", len(frame)) + frame


def test_produce_0_to_2_says_unsupported_in_its_own_shape():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        for version in (0, 1, 2):
            client.write(old_produce(version))
            answer = client.read_frame()
            expected = struct.pack(">iih", 5, 1, 3) + b"old" + struct.pack(">iihq", 1, 7, 35, -1)
            expected += struct.pack(">q", -1) if version == 2 else b""
            expected += struct.pack(">i", 0) if version >= 1 else b""
            assert answer == expected, (version, answer)
        client.call("Metadata", 1, topics=[])


def test_produce_0_cut_short_closes():
    with Broker(ephemeral=True) as broker:
        for cut in (1, 20, 33):
            with broker.connect() as client:
                frame = old_produce(0)[4:-cut]
                client.write(struct.pack(">i", len(frame)) + frame)
                assert client.is_closed()


def test_other_unknown_versions_close():
    with Broker(ephemeral=True) as broker:
        for key, version in ((3, 99), (1, 3), (1, 18), (19, 1), (22, 6), (3, -1), (999, 0), (-1, 0)):
            with broker.connect() as client:
                frame = struct.pack(">hhih", key, version, 1, -1) + b"\0" * 8
                client.write(struct.pack(">i", len(frame)) + frame)
                assert client.is_closed(), (key, version)
        assert "Metadata has no version 99" in broker.said()


def test_bytes_after_the_body_are_ignored():
    """As Kafka does: librdkafka's Metadata 13 has some."""
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        frame = codec.encode_request("Metadata", 1, 1, {"topics": []})[4:] + b"xyz"
        client.sent.append((1, "Metadata", 1))
        client.write(struct.pack(">i", len(frame)) + frame)
        assert client.receive()["brokers"]
        client.call("Metadata", 1, topics=[])


def test_unknown_tags_are_skipped():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        frame = codec.encode_request("Metadata", 9, 1, {"topics": []})[4:]
        assert frame[-1] == 0
        frame = frame[:-1] + b"\x02\x05\x01x\x09\x00"
        client.sent.append((1, "Metadata", 9))
        client.write(struct.pack(">i", len(frame)) + frame)
        assert client.receive()["brokers"]


def test_hostile_starts_close_at_once():
    starts = {
        "a negative length": struct.pack(">ihh", -1, 18, 0),
        "a huge length": struct.pack(">ihh", 0x7FFFFFFF, 18, 0),
        "a length of nothing": struct.pack(">i", 0),
        "a length below a header": struct.pack(">ihh", 7, 18, 0),
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "TLS": bytes.fromhex("16030100c8010000c40303"),
        "SSH": b"SSH-2.0-OpenSSH\r\n",
    }
    for greet in (False, True):
        with Broker(ephemeral=True) as broker:
            for what, raw in starts.items():
                with broker.connect(greet=greet) as client:
                    client.write(raw)
                    assert client.is_closed(), what
            said = broker.said()
            assert "an HTTP request" in said and "a TLS handshake" in said, said


def test_lines_about_peers_are_bounded():
    with Broker(ephemeral=True) as broker:
        for _ in range(50):
            with broker.connect(greet=False) as client:
                client.write(b"GET / HTTP/1.1\r\n\r\n")
                assert client.is_closed()
        assert broker.said().count("closed the connection") == 10


def test_huge_counts_close():
    with Broker(ephemeral=True) as broker:
        for count in (0x7FFFFFFF, 1000001, -2):
            with broker.connect() as client:
                frame = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", count)
                client.write(struct.pack(">i", len(frame)) + frame)
                assert client.is_closed(), count


def test_frames_in_pieces_and_in_one():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        frame = client.frame("Metadata", 9, topics=[])
        for i in range(len(frame)):
            client.write(frame[i:i + 1])
        assert client.receive()["cluster_id"]
        client.write(b"".join(client.frame("Metadata", 9, topics=[]) for _ in range(200)))
        for _ in range(200):
            client.receive()


def test_large_frames_need_no_api_versions_but_an_api():
    """Clients that are told the broker's version open a connection and produce."""
    big = {"topics": [{"name": "x" * 200} for _ in range(400)], "allow_auto_topic_creation": False}
    with Broker(ephemeral=True) as broker:
        with broker.connect(greet=False) as client:
            assert len(client.call("Metadata", 4, **big)["topics"]) == 1
        for key, version in ((3, 99), (999, 0), (4, 0)):
            with broker.connect() as client:
                client.write(struct.pack(">ihhih", 70000, key, version, 1, -1))
                assert client.is_closed()
        assert broker.said().count("the frame declares 70000 bytes") == 3


def test_an_early_end_of_stream_is_answered():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.send("Metadata", 1, topics=[])
        client.socket.shutdown(1)
        assert client.receive()["controller_id"] == 1
        assert client.is_closed()
