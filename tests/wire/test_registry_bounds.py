"""What the registry bounds beside the size of a schema: names of settings, values in a body, bytes that
are kept."""
import json

from broker import Broker
from registry import Registry, proto
from test_registry import registry_metric

ONE = proto("string id = 1;")


def test_settings_have_the_names_of_subjects():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        for bad in ("a%0Ab", "a%FFb", "%7F", "a" * 1001):
            for path, wish in (("/config/", {"compatibility": "NONE"}), ("/mode/", {"mode": "IMPORT"})):
                assert registry.refused("PUT", path + bad, wish) == (422, 42208)
        assert registry.put("/config/:.x:", {"compatibility": "NONE"}), "a context's"
        assert registry.put("/config/:.:a", {"compatibility": "FULL"})
        assert registry.get("/config/a") == {"compatibilityLevel": "FULL"}


def test_bodies_of_many_values_are_refused():
    """A tree of them takes eighty times the memory of the text."""
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        many = "[" + ",".join(["{}"] * 300000) + "]"
        for refused in (f'{{"schema": "x", "references": {many}}}', f'{{"a": {many}, "schema": "x"}}'):
            status, _, text = registry.raw("POST", "/subjects/a/versions", refused)
            assert status == 400 and "more than 200000 values" in text, text[:200]
        assert registry.refused("POST", "/subjects/a/versions",
                                {"schema": many, "schemaType": "JSON"}) == (422, 42201)
        status, _, text = registry.raw("PUT", "/config", json.dumps(
            {"compatibility": "NONE", "more": "x" * (64 << 10)}))
        assert status == 422 and json.loads(text)["error_code"] == 42209, text
        assert registry.register("a", json.dumps([0] * 100000), schemaType="JSON") == 1


def test_a_registry_that_is_full():
    """What is there stays, also when less is allowed later; room that is given up can be used."""
    text = '"%s"' % ("a" * 600000)
    with Broker("--registry-bytes-max", "2MiB") as broker:
        registry = Registry(broker)
        for i in range(3):
            registry.register(f"s{i}", text.replace("a", "bcd"[i]), schemaType="JSON")
        more = {"schema": text, "schemaType": "JSON"}
        status, answer = registry.call("POST", "/subjects/s3/versions", more)
        assert (status, answer["error_code"]) == (422, 42205), answer
        assert "registry-bytes-max" in answer["message"], answer
        assert 3 * 600000 < registry_metric(broker, "bytes") < 2 << 20
        registry.register("small", '"small"', schemaType="JSON")
        registry.put("/config/s9", {"compatibility": "NONE"})
        registry.delete("/subjects/s1")
        registry.delete("/subjects/s1?permanent=true")
        assert registry.post("/subjects/s3/versions", more)["id"] == 5
        broker.options[broker.options.index("2MiB")] = "1MiB"
        broker.restart()
        registry = Registry(broker)
        assert registry.get("/subjects") == ["s0", "s2", "s3", "small"]
        assert registry.refused("PUT", "/mode/new", {"mode": "READONLY"}) == (422, 42205)
        assert registry.put("/mode/s0", {"mode": "READONLY"}) == {"mode": "READONLY"}
