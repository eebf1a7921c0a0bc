"""What the registry bounds beside the size of a schema: names of settings, values in a body, bytes that
are kept."""
import json

from broker import Broker
from registry import Registry, proto

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
